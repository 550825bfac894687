# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``raids``."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.raid import (
    LEVELS,
    Raid,
    data_members,
    parse,
    redundancy,
)

UUID = "5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6"


def test_all_words() -> None:
    item = {
        "name": "md0",
        "level": "5",
        "devices": ["sda", "sdb", "sdc"],
        "spare_devices": ["sdd"],
        "chunk_size": "512K",
        "metadata": "1.2",
        "bitmap": "internal",
        "uuid": UUID,
        "layout": "left-asymmetric",
        "size": "1G",
        "allow_shrink": True,
        "allow_unprotected_reshape": True,
        "state": "stopped",
    }
    wanted = Raid("md0", "5", ("sda", "sdb", "sdc"), ("sdd",), 512 << 10, "1.2", "internal", UUID, "stopped")
    wanted = wanted._replace(layout="left-asymmetric", allow_shrink=True, allow_unprotected_reshape=True)
    assert parse(item) == wanted._replace(size=1 << 30)
    assert parse(item | {"size": "max"}) == wanted._replace(largest=True)


@pytest.mark.parametrize("level", [None, *LEVELS])
def test_omitted_is_not_empty(level: str | None) -> None:
    assert parse({"name": "md0", "level": level, "devices": None}) == Raid("md0", level)
    assert parse({"name": "md0", "spare_devices": []}).spare_devices == ()


@pytest.mark.parametrize(
    "text", [UUID, UUID.upper(), "5f0c1e2a:7b3d4c5e:8f90a1b2:c3d4e5f6", "5f0c1e2a-7b3d-4c5e-8f90-a1b2c3d4e5f6"]
)
def test_a_uuid_in_any_grouping(text: str) -> None:
    assert parse({"name": "md0", "uuid": text}).uuid == UUID


@pytest.mark.parametrize("text", ["", "5f0c", UUID[:-1], UUID + "0", UUID[:-1] + "g", UUID + "\n", "x" * 32])
def test_what_is_no_uuid(text: str) -> None:
    with pytest.raises(StorageError, match="is not a UUID"):
        parse({"name": "md0", "uuid": text})


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"devices": ["sda", "sdb", "sda"]}, "array md0: sda is named twice"),
        ({"devices": ["sda", "sdb"], "spare_devices": ["sdb"]}, "array md0: sdb is named twice"),
        ({"level": "0", "spare_devices": ["sdc"]}, "RAID 0 has no redundancy, so spare_devices could never take over"),
        ({"level": "0", "bitmap": "internal"}, "RAID 0 has no redundancy, so it cannot have a bitmap"),
        ({"level": "1", "chunk_size": "64K"}, "RAID 1 does not stripe, so it has no chunk_size"),
        ({"level": "5", "chunk_size": "96K"}, "chunk_size must be a power of two and at least 4K"),
        ({"level": "5", "chunk_size": "2K"}, "chunk_size must be a power of two and at least 4K"),
        ({"level": "5", "chunk_size": "50%"}, "chunk_size: 50% must be an amount of bytes"),
        ({"level": "5", "chunk_size": "big"}, "chunk_size: 'big' is not a size"),
        ({"size": "all"}, "size: 'all' is not a size"),
        ({"size": "64K"}, "size is what is used of each member, and must be at least 1M, or max"),
        ({"level": "1", "layout": "n2"}, "RAID 1 has no layout to choose"),
        ({"level": "6", "layout": "n2"}, "the layout of a RAID 6 is one of left-asymmetric, .*, and not 'n2'$"),
        ({"level": "5", "layout": "left-symetric"}, r"not 'left-symetric'\. Did you mean left-symmetric\?"),
        ({"level": "10", "layout": "n1"}, "the layout of a RAID 10 is n .* and not 'n1'"),
    ],
)
def test_what_no_array_can_be(item: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"name": "md0", **item})


@pytest.mark.parametrize(
    ("level", "members", "spare"),
    [("0", 4, 0), ("1", 2, 1), ("1", 4, 3), ("4", 4, 1), ("5", 3, 1), ("6", 5, 2), ("10", 4, 1), ("linear", 2, 0)],
)
def test_how_many_members_an_array_can_lose(level: str, members: int, spare: int) -> None:
    assert redundancy(level, members) == spare


def test_a_raid_10_of_more_copies_can_lose_more() -> None:
    assert redundancy("10", 4, "f3") == 2
    assert data_members("10", 4, "n2") == data_members("10", 4) == 2
    assert data_members("10", 4, "o4") == 1
    assert data_members("6", 5) == 3


def test_the_consistency_policy_is_the_bitmap_in_other_words() -> None:
    assert parse({"name": "md0", "consistency_policy": "bitmap"}).bitmap == "internal"
    assert parse({"name": "md0", "consistency_policy": "resync"}).bitmap == "none"
    with pytest.raises(StorageError, match="consistency_policy bitmap contradicts bitmap none"):
        parse({"name": "md0", "consistency_policy": "bitmap", "bitmap": "none"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"level": "0", "scrub": "check"}, "there is nothing to check it by"),
        ({"level": "5", "write_mostly_devices": ["sdb"]}, "write_mostly_devices are for RAID 1"),
    ],
)
def test_what_makes_no_sense(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"name": "md0", **words})
