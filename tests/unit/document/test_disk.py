# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``disks``: what is said, and what is chosen."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.disk import Candidate, Disks, choose, parse

GiB = 1 << 30
SLOW = tuple(
    Candidate(f"/dev/sd{letter}", serial=f"S{letter}", wwn=f"naa.500{letter}", rotational=True, size=4 * GiB)
    for letter in "abcd"
)
FAST = Candidate("/dev/nvme0n1", serial="N1", wwn="eui.01", model="Quick", size=GiB, transport="nvme")
ALL = (*SLOW, FAST)


def chosen(candidates: tuple[Candidate, ...] = ALL, **words: Any) -> tuple[str, ...]:
    return choose((parse({"name": "these", **words}),), candidates, {})["these"]


def test_all_words() -> None:
    item = {"name": "slow", "model": "M", "rotational": True, "min_size": "1G", "max_size": "2G", "transport": "sas"}
    assert parse({**item, "count": 3}) == Disks("slow", None, None, "M", True, GiB, 2 * GiB, "sas", 3)
    assert parse({"name": "fast", "serial": "S", "wwn": "0x5"}) == Disks("fast", "S", "0x5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "disks slow: say what they are: serial, wwn"),
        ({"count": 2}, "say what they are"),
        ({"rotational": True, "count": 0}, "count is 0, and must be at least 1"),
        ({"serial": "S", "count": 2}, "a serial, a wwn or an id_path is that of one disk, and count is 2"),
        ({"min_size": "2G", "max_size": "1G"}, "min_size is larger than max_size"),
        ({"min_size": "50%"}, "min_size: 50% must be an amount of bytes"),
    ],
)
def test_what_no_disk_can_be(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"name": "slow", **words})


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        ({"serial": "Sc"}, ("/dev/sdc",)),
        ({"wwn": "0x500B"}, ("/dev/sdb",)),
        ({"wwn": "naa.500b"}, ("/dev/sdb",)),
        ({"model": "Quick"}, ("/dev/nvme0n1",)),
        ({"transport": "nvme"}, ("/dev/nvme0n1",)),
        ({"rotational": False}, ("/dev/nvme0n1",)),
        ({"max_size": "2G"}, ("/dev/nvme0n1",)),
        ({"min_size": "4G", "count": 4}, ("/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd")),
        ({"rotational": True, "count": 2}, ("/dev/sda", "/dev/sdb")),
    ],
)
def test_disks_by_what_they_are(words: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert chosen(**words) == paths


def test_the_same_disks_whatever_the_kernel_calls_them() -> None:
    """The identities stay, the names are dealt anew."""
    letters = list("abcd")
    for seed in range(20):
        random.Random(seed).shuffle(letters)
        renamed = tuple(disk._replace(path=f"/dev/sd{letter}") for disk, letter in zip(SLOW, letters))
        by_path = {disk.path: disk.serial for disk in renamed}
        assert [by_path[path] for path in chosen(renamed, rotational=True, count=2)] == ["Sa", "Sb"]


def test_what_the_document_is_made_of_wins_and_then_what_is_blank() -> None:
    first, second, third, fourth = SLOW
    used = (first._replace(holds="a GPT", begun=True), second, third, fourth._replace(free=False, holds="RAID"))
    claims = {"these": ("/dev/sdd",)}

    def these(number: int) -> tuple[str, ...]:
        return choose((Disks("these", rotational=True, number=number),), used, claims)["these"]

    assert these(1) == ("/dev/sdd",)
    assert these(3) == ("/dev/sdd", "/dev/sdb", "/dev/sdc")
    assert these(4) == ("/dev/sdd", "/dev/sdb", "/dev/sdc", "/dev/sda")


def test_what_holds_anything_is_chosen_by_name_or_where_the_entry_says_so() -> None:
    disks = (SLOW[0]._replace(holds="an ext4 filesystem", shown="/dev/disk/by-id/a (Sa)"), *SLOW[1:])
    assert chosen(disks, rotational=True, count=3) == ("/dev/sdb", "/dev/sdc", "/dev/sdd")
    with pytest.raises(StorageError, match=r"4 wanted, .*/by-id/a .Sa. holds an ext4 filesystem.* allow_data"):
        chosen(disks, rotational=True, count=4)
    with pytest.raises(StorageError, match="say what they are: serial, wwn"):
        parse({"name": "slow", "allow_data": True})
    assert chosen(disks, rotational=True, count=4, allow_data=True)[3] == "/dev/sda"
    for words in ({"serial": "Sa"}, {"wwn": "500a"}):
        assert chosen(disks, **words) == ("/dev/sda",)


def test_each_name_keeps_what_its_own_items_are_made_of() -> None:
    """Whichever comes first in the document, and whatever sorts first."""
    used = tuple(disk._replace(free=False, holds="RAID") for disk in SLOW)
    one, many = Disks("one", rotational=True), Disks("many", rotational=True, number=3)
    claims = {"one": ("/dev/sdc",), "many": ("/dev/sdd", "/dev/sda", "/dev/sdb")}
    for wanted in ((one, many), (many, one)):
        assert choose(wanted, used, claims) == {"one": ("/dev/sdc",), "many": ("/dev/sda", "/dev/sdb", "/dev/sdd")}


def test_places_stay() -> None:
    """The second stays the second where a third disk comes in that sorts before it."""
    disks = Disks("d", rotational=True, number=3)
    claims = {"d[1]": ("/dev/sdc",), "d[0]": ("/dev/sdd",)}
    assert choose((disks,), SLOW, claims) == {"d": ("/dev/sdd", "/dev/sdc", "/dev/sda")}
    gone = tuple(disk for disk in SLOW if disk.path != "/dev/sdd")
    assert choose((disks,), gone, claims) == {"d": ("/dev/sda", "/dev/sdc", "/dev/sdb")}


def test_none_is_chosen_twice() -> None:
    wanted = (Disks("any", rotational=True, number=2), Disks("one", serial="Sa"))
    assert choose(wanted, ALL, {}) == {"one": ("/dev/sda",), "any": ("/dev/sdb", "/dev/sdc")}


def test_too_few() -> None:
    with pytest.raises(StorageError, match=r"disks these: 5 wanted, and 4 match .rotational: True, min_size: 2 GiB."):
        chosen(rotational=True, min_size="2G", count=5)
    busy = (SLOW[0]._replace(free=False), *SLOW[1:])
    with pytest.raises(StorageError, match=r"4 wanted, and 4 match .*, /dev/sda in use by others"):
        chosen(busy, rotational=True, count=4)
    with pytest.raises(StorageError, match=r"disks two: 1 wanted, and 1 match .*, /dev/nvme0n1 chosen for others"):
        choose((Disks("one", serial="N1"), Disks("two", model="Quick")), ALL, {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"rotational": True, "min_size": "4TB"},
            r"0 match .rotational: True, min_size: 4 TB, which is 3.64 TiB.. Not among them: /dev/sda .size: 4 ",
        ),
        ({"rotational": False, "min_size": "2G"}, r"/dev/sdd .rotational: True. and 1 more$"),
        ({"serial": "Sx"}, r"Not among them: /dev/sda .serial: Sa., "),
    ],
)
def test_why_the_others_do_not_match(words: dict[str, Any], said: str) -> None:
    """Those that miss the fewest words."""
    with pytest.raises(StorageError, match=said):
        chosen(**words)
