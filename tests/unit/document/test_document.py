# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document as a whole."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.document.document import OPTIONS, Document, parse
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid


def test_sections_are_optional() -> None:
    assert parse({}) == parse({"raids": None, "bcaches": [], "drives": None}) == Document()


def test_all_sections_through_the_argument_spec() -> None:
    result = ArgumentSpecValidator(OPTIONS).validate(
        {
            "raids": [{"name": "md0", "level": 1, "devices": ["sda", "sdb"]}],
            "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "sdc"}],
            "drives": [{"name": "data", "devices": ["cached"], "volumes": [{"name": "srv", "mount_point": "/srv"}]}],
        }
    )
    assert result.error_messages == []
    assert parse(result.validated_parameters) == Document(
        (Raid("md0", "1", ("sda", "sdb")),),
        (Bcache("cached", "md0", "sdc"),),
        (Drive("data", ("cached",), (Volume("srv", mount_point="/srv"),)),),
    )


def test_an_item_that_cannot_be_is_an_error() -> None:
    with pytest.raises(StorageError, match="array 'a/b'"):
        parse({"raids": [{"name": "a/b"}]})
