# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays whose superblocks are not where a start looks for them, or would not be, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node
from .test_raid_change import small
from .test_raid_past import details, paths, stop

KEPT = "mkfs.ext4 -q /dev/md0; mount /dev/md0 /mnt; echo kept > /mnt/file; umount /mnt; sync"
READ = "mount -o ro /dev/md0 /mnt; cat /mnt/file; umount /mnt"


def create(node: Node, devices: list[str], metadata: str, level: str = "1") -> None:
    more = "" if level == "1" else " --force"
    node.run(
        f"mdadm --create /dev/md0 --run --quiet --level={level} --metadata={metadata} --raid-devices={len(devices)}"
        f"{more} {' '.join(devices)}; udevadm settle; mdadm --quiet --wait /dev/md0 || true"
    )


@pytest.mark.parametrize("metadata", ["1.0", "0.90", "ddf"])
@pytest.mark.first_case
def test_a_partition_does_not_grow_away_from_a_superblock(node: Node, metadata: str) -> None:
    parts = small(node, "HDD1", "HDD2", size="60M")
    items = [
        {"name": f"m{number}", "device": disk, "number": 1, "size": "90M"}
        for number, disk in enumerate(node.disks("HDD1", "HDD2"))
    ]
    if metadata == "ddf":
        node.run(f"mdadm --create /dev/md/ddf --run --quiet --metadata=ddf --raid-devices=2 {' '.join(parts)}")
        node.run("udevadm settle; mdadm --quiet --stop /dev/md/ddf; udevadm settle")
    else:
        create(node, parts, metadata)
        node.run(KEPT)
    before = node.run(f"md5sum < {node.disk('HDD1')}")
    refused = node.refusal("layout", partitions=items)
    assert paths(node, parts)[0] in refused
    assert "Nothing was changed" in refused
    assert "allow_destroy" not in refused
    assert node.refusal("layout", partitions=items, allow_destroy=["m0", "m1"]) == refused
    if metadata != "ddf":
        stop(node)
        assert "Nothing was changed" in node.refusal("layout", partitions=items)
        assert node.run(f"mdadm --quiet --assemble /dev/md0 {' '.join(parts)}; {READ}") == "kept"
    else:
        assert node.run(f"md5sum < {node.disk('HDD1')}") == before


@pytest.mark.further
def test_a_partition_grows_below_a_superblock_at_its_beginning(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", size="60M")
    create(node, parts, "1.2")
    node.run(KEPT)
    items = [
        {"name": f"m{number}", "device": disk, "number": 1, "size": "90M"}
        for number, disk in enumerate(node.disks("HDD1", "HDD2"))
    ]
    node.converge("layout", partitions=items)
    stop(node)
    assert node.run(f"mdadm --quiet --assemble /dev/md0 {' '.join(parts)}; {READ}") == "kept"


def grow(node: Node, *serials: str) -> None:
    """Make the partition larger while it is in use, as somebody does it by hand."""
    for disk in node.disks(*serials):
        node.run(f"echo ',90M' | sfdisk --quiet --no-reread --no-tell-kernel -N 1 {disk}")
        node.run(f"partx --update --nr 1 {disk}; udevadm settle")


def found(node: Node) -> list[tuple[str, str, str]]:
    return [(item["severity"], item["name"], item["problem"]) for item in node.module("layout_info")["health"]]


@pytest.mark.parametrize(
    ("metadata", "level", "grown"),
    [("1.0", "1", ("HDD1", "HDD2")), ("0.90", "1", ("HDD1", "HDD2")), ("1.0", "5", ("HDD2",))],
)
@pytest.mark.first_case
@pytest.mark.further
def test_members_that_grew_while_the_array_runs(node: Node, metadata: str, level: str, grown: tuple[str, ...]) -> None:
    parts = small(node, *(("HDD1", "HDD2") if level == "1" else ("HDD1", "HDD2", "HDD3")), size="60M")
    create(node, parts, metadata, level)
    node.run(KEPT)
    bitmap = metadata == "1.0" and level == "1"
    node.converge("raid", name="md0", bitmap="internal" if bitmap else "none")
    uuid = node.run("mdadm --detail --export /dev/md0 | sed -n 's/^MD_UUID=//p'").replace(":", "")
    grow(node, *grown)

    assert found(node) == [("critical", "md0", "lost superblock")] * len(grown)
    told = node.unchanged("raid", name="md0")
    assert "is not at its new end" in str(told["warnings"])
    if level == "1":
        assert told["raid"]["uuid"] == uuid
    assert "no start would find the superblock" in node.refusal("raid", name="md0", state="stopped")
    if bitmap:
        assert "Say `bitmap: none` and `size: max`" in node.refusal("raid", name="md0", size="max")
    # The remedy that health names.
    node.converge("raid", name="md0", size="max", bitmap="none", wait=True)
    assert found(node) == []
    assert "Magic" in node.run(f"mdadm --examine {parts[1]}")
    stop(node)
    started = node.module("raid", name="md0")
    assert "missing" not in str(started["plan"])
    assert node.run(READ) == "kept"


def test_an_array_that_no_start_finds(node: Node) -> None:
    _one, two, _three = parts = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts}
    node.module("raid", **array, metadata="1.0", wait=True)
    node.run(KEPT)
    grow(node, "HDD1", "HDD2", "HDD3")
    stop(node)
    # One that looks blank, and whose data is needed.
    assert node.signatures(two) == [""]
    before = [node.run(f"md5sum < {part}") for part in parts]
    # What begins on the first of them, and is as parity on the last, is larger than they are.
    larger = [("critical", path, "cut off") for path in paths(node, parts) if node.signatures(path) != [""]]
    assert found(node) == [*larger, ("warning", "md0", "not found")]
    for told in (
        node.refusal("raid", name="md0"),
        node.refusal("raid", name="md0", state="stopped"),
        node.refusal("raid", name="md0", level="1", devices=[two, node.disk("HDD5")]),
        node.refusal("raid", **array, allow_destroy=True),
        node.refusal("layout", raids=[array], allow_destroy=["md0"]),
    ):
        assert "no device here carries its superblock" in told
    other = node.check("raid", name="md1", level="1", devices=[two, node.disk("HDD5")])
    assert "md0 (UUID" in str(other["warnings"])
    assert [node.run(f"md5sum < {part}") for part in parts] == before

    # As the message says: with its former size each shows its superblock again.
    for number, part in enumerate(parts):
        node.run(f"dmsetup create former{number} --readonly --table '0 {60 << 11} linear {part} 0'")
    # udev may start it by itself.
    node.run("udevadm settle; mdadm --quiet --assemble /dev/md0 --readonly /dev/mapper/former? || true")
    assert node.run("mount -o ro,noload /dev/md0 /mnt; cat /mnt/file; umount /mnt") == "kept"
    node.run("udevadm settle; mdadm --quiet --stop /dev/md0; dmsetup remove --retry former0 former1 former2")

    # Given up explicitly, the name is free.
    assert "no device here carries its superblock" in str(node.check("raid", name="md0", state="absent")["warnings"])
    gone = node.converge("raid", name="md0", state="absent")
    assert "which is not found here" in details(gone)[0]
    assert found(node) == larger
    node.check("raid", name="md0", level="1", devices=[two, node.disk("HDD5")])


@pytest.mark.further
def test_a_bcache_on_an_array_is_not_its_members(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", size="60M")
    create(node, parts, "1.0")
    node.module("raid", name="md0")
    bcache: dict[str, Any] = {"name": "cached", "backing_device": "/dev/md0"}
    node.module("bcache", **bcache)
    assert found(node) == []
    node.unchanged("raid", name="md0", level="1", devices=parts)
    node.unchanged("bcache", **bcache)
    node.run("udevadm settle; echo 1 > /sys/block/bcache0/bcache/stop")
    node.guest.until("[ ! -e /sys/block/bcache0 ]")
    stop(node)
    assert "membership of a RAID array" in node.refusal("bcache", name="other", backing_device=parts[0])
    assert node.module("bcache_info")["bcaches"] == []
    node.module("raid", name="md0")
    node.unchanged("bcache", **bcache)
