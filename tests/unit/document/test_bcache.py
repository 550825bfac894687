# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``bcaches``."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache, parse


def test_all_words() -> None:
    item = {
        "name": "cached",
        "backing_device": "/dev/md0",
        "cache_device": "/dev/sdb",
        "cache_mode": "writeback",
        "bucket_size": "1M",
        "block_size": "4K",
        "state": "absent",
    }
    assert parse(item) == Bcache("cached", "/dev/md0", "/dev/sdb", "writeback", 1 << 20, 4096, "absent")
    assert parse({"name": "cached", "state": None}) == Bcache("cached")


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"backing_device": "sdb", "cache_device": "sdb"}, "sdb is both backing_device and cache_device"),
        ({"bucket_size": "600K"}, "bucket_size: 600K is not a power of two from 4096 to 16777216 bytes"),
        ({"bucket_size": "2K"}, "bucket_size: 2K is not a power of two"),
        ({"bucket_size": "32M"}, "bucket_size: 32M is not a power of two"),
        ({"bucket_size": "10%"}, "bucket_size: 10% must be an amount of bytes"),
        ({"bucket_size": "0"}, "bucket_size: 0 is not a positive size"),
        ({"block_size": "8K"}, "block_size: 8K is not a power of two from 512 to 4096 bytes"),
        ({"block_size": "1000"}, "block_size: 1000 is not a power of two"),
    ],
)
def test_what_no_bcache_can_be(item: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"name": "cached", **item})
