# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.lists import with_lists

_ITEM: dict[str, Any] = {"name": {"type": "str"}, "devices": {"type": "list", "elements": "str"}}
_SPEC: dict[str, Any] = {
    **_ITEM,
    "numbers": {"type": "list", "elements": "int", "aliases": ["ns"]},
    "secrets": {"type": "list", "elements": "str", "no_log": True},
    "one": {"type": "dict", "options": {"several": {"type": "list", "elements": "dict", "options": _ITEM}}},
    "free": {"type": "dict"},
}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"devices": "sdb, sdc ,sdd"}, {"devices": ["sdb", "sdc", "sdd"]}),
        ({"devices": " sdb "}, {"devices": ["sdb"]}),
        # What is empty is for others to refuse.
        ({"devices": "sdb, "}, {"devices": ["sdb", ""]}),
        ({"devices": ""}, {"devices": [""]}),
        ({"ns": "1, 2"}, {"ns": ["1", "2"]}),
        ({"one": {"several": [{"devices": "a, b"}, "c"]}}, {"one": {"several": [{"devices": ["a", "b"]}, "c"]}}),
    ],
)
def test_text_for_a_list(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert with_lists(_SPEC, given) == meant


@pytest.mark.parametrize(
    "given",
    [
        {"devices": ["sdb", " sdc", "a, b"]},
        {"devices": None},
        {"name": "a, b"},
        {"secrets": "open, sesame"},
        {"free": {"devices": "a, b"}},
        {"one": "several=a"},
        {"unknown": "a, b", "_ansible_diff": True},
    ],
)
def test_what_stays_as_it_is(given: dict[str, Any]) -> None:
    assert with_lists(_SPEC, given) == given
