# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is imported from: the task's words, librbd's spec, and the words again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.rbd import origins
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place

PLACE = Place("vms", "tenant")
KEYS = {"access_config_key": "a", "secret_config_key": "b"}


def given(**words: Any) -> dict[str, Any]:
    return {**dict.fromkeys(origins.OPTION["options"]), **words}


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        ({"format": "qcow2", "file": "/i"}, {"type": "qcow", "stream": {"type": "file", "file_path": "/i"}}),
        (
            {"format": "raw", "url": "https://h:8/a@b"},
            {"type": "raw", "stream": {"type": "http", "url": "https://h:8/a@b"}},
        ),
        (
            {"format": "raw", "url": "nbd://[::1]/x"},
            {"type": "raw", "stream": {"type": "nbd", "uri": "nbd://[::1]/x"}},
        ),
        (
            {"format": "raw", "url": "http://h/b/o", **KEYS},
            {
                "type": "raw",
                "stream": {
                    "type": "s3",
                    "url": "http://h/b/o",
                    "access_key": "config://a",
                    "secret_key": "config://b",
                },
            },
        ),
        (
            {"format": "native", "image": "i", "snapshot": "s"},
            {
                "type": "native",
                "pool_name": "vms",
                "pool_namespace": "tenant",
                "image_name": "i",
                "snap_name": "s",
            },
        ),
        (
            {"format": "native", "cluster": "c", "client": "u", "pool": "vms", "image": "i", "snapshot": "s"},
            {
                "type": "native",
                "cluster_name": "c",
                "client_name": "client.u",
                "pool_name": "vms",
                "image_name": "i",
                "snap_name": "s",
            },
        ),
    ],
)
def test_there_and_back(words: dict[str, Any], spec: dict[str, Any]) -> None:
    text = origins.parse("dst", given(**words), PLACE)
    assert json.loads(text) == spec
    told = origins.dump(text)
    assert {key: told[key] for key in words} == words
    assert origins.parse("dst", given(**told), PLACE) == text


@pytest.mark.parametrize(
    "words",
    [
        {"format": "raw"},
        {"format": "raw", "file": "/i", "url": "http://h/"},
        {"format": "raw", "url": "http://h/", "access_config_key": "a"},
        {"format": "raw", "url": "nbd://h/", **KEYS},
        {"format": "raw", "url": "http://me:pw@h/"},
        {"format": "raw", "url": "s3://b/o"},
        {"format": "raw", "url": "http:///o"},
        {"format": "native", "image": "i"},
        {"format": "native", "image": "i", "snapshot": "s", "file": "/i"},
        {"format": "native", "image": "i", "snapshot": "s", "pool": "p", "cluster": "c"},
    ],
)
def test_what_makes_no_sense(words: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match=r"^image dst: "):
        origins.parse("dst", given(**words), PLACE)


def test_a_password_that_somebody_wrote_into_a_spec_is_not_told() -> None:
    stream = {"type": "s3", "url": "http://me:hidden@h/b/o", "access_key": "me", "secret_key": "hidden"}
    text = json.dumps({"type": "raw", "stream": stream})
    assert origins.show(text) == "http://h/b/o"
    assert "hidden" not in json.dumps(origins.dump(text))


def test_an_address_of_a_spec_that_is_none() -> None:
    with pytest.raises(StorageError, match="nowhere: it is no address of a server"):
        origins._connect("nowhere", 1)
