# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays whose superblocks are not where a start looks for them, or would not be, on a real kernel."""

from __future__ import annotations

import pytest

from .node import Node
from .test_raid_change import small
from .test_raid_past import paths, stop

KEPT = "mkfs.ext4 -q /dev/md0; mount /dev/md0 /mnt; echo kept > /mnt/file; umount /mnt; sync"
READ = "mount -o ro /dev/md0 /mnt; cat /mnt/file; umount /mnt"


def create(node: Node, devices: list[str], metadata: str, level: str = "1") -> None:
    more = "" if level == "1" else " --force"
    node.run(
        f"mdadm --create /dev/md0 --run --quiet --level={level} --metadata={metadata} --raid-devices={len(devices)}"
        f"{more} {' '.join(devices)}; udevadm settle; mdadm --quiet --wait /dev/md0 || true"
    )


@pytest.mark.parametrize("metadata", ["1.0", "0.90", "ddf"])
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
