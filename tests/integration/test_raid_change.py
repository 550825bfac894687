# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays that change while they hold data, on a real kernel."""

from __future__ import annotations

from typing import Any

from .node import Node

SUM = "blockdev --flushbufs /dev/md0; head -c 60M /dev/md0 | sha256sum"
SLOW = "echo 100 > /proc/sys/dev/raid/speed_limit_max; echo 100 > /proc/sys/dev/raid/speed_limit_min"


def fill(node: Node) -> str:
    """Put data on md0, all over what is compared later."""
    node.run("head -c 60M /dev/urandom | dd of=/dev/md0 bs=1M iflag=fullblock conv=fsync status=none")
    return node.run(SUM)


def small(node: Node, *serials: str, size: str = "100M") -> list[str]:
    """A partition of each disk: emulated, a gigabyte takes minutes to be reshaped."""
    for disk in node.disks(*serials):
        node.run(f"printf 'label: gpt\nsize={size}\n' | sfdisk --quiet {disk}")
    node.run("udevadm settle")
    return [f"{disk}-part1" for disk in node.disks(*serials)]


def actions(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def test_members_and_shape_of_a_raid_5(node: Node) -> None:
    one, two, three, four, five, six = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5", "HDD6")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": [one, two, three]}
    made = node.module("raid", **array, wait=True)
    assert made["in_progress"] == []
    before = fill(node)

    array["devices"] = [two, three, four]
    replaced = node.converge("raid", **array)
    assert actions(replaced) == ["add", "replace", "remove", "zero"]
    assert node.signatures(one) == [""]

    array["devices"] += [five]
    grown = node.module("raid", **array, wait=True)
    assert actions(grown) == ["add", "grow"]
    assert grown["status"]["size"] == 3 * 98 << 20

    array |= {"chunk_size": "64K", "bitmap": "internal"}
    assert actions(node.module("raid", **array, wait=True)) == ["grow", "grow"]
    node.unchanged("raid", **array)
    assert node.run("cat /sys/block/md0/md/chunk_size") == str(64 << 10)

    node.run(f"mdadm /dev/md0 --fail {two}")
    assert "failed" in str(node.module("raid", name="md0")["warnings"])
    healed = node.module("raid", **array, wait=True)
    assert actions(healed) == ["remove", "add"]
    assert healed["status"]["degraded"] == 0

    array |= {"level": "6", "bitmap": "none", "devices": [two, three, four, five, six]}
    assert actions(node.module("raid", **array, wait=True)) == ["grow", "add", "grow"]
    node.unchanged("raid", **array)
    array["devices"].remove(three)
    assert actions(node.converge("raid", **array)) == ["fail", "remove", "zero"]
    array["devices"].insert(0, one)
    assert actions(node.module("raid", **array, wait=True)) == ["add"]

    array |= {"level": "5", "devices": array["devices"][:4], "spare_devices": []}
    node.module("raid", **array, wait=True)
    node.unchanged("raid", **array)
    assert node.run("cat /sys/block/md0/md/level") == "raid5"
    assert node.signatures(six) == [""]

    assert node.run(SUM) == before
    scrubbed = node.module("raid", name="md0", scrub="check", wait=True)
    assert actions(scrubbed) == ["scrub"]
    assert scrubbed["status"]["mismatch_count"] == 0
    assert "could not lose another one" in node.refusal("raid", name="md0", devices=array["devices"][:3])


def test_what_would_lose_data_is_refused(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    node.module("raid", name="md0", level="0", devices=[one, two])
    for level in ("0", "5"):
        assert "data was lost on the way" in node.refusal("raid", name="md0", level=level, devices=[one, two, three])


def test_a_mirror(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": parts, "write_mostly_devices": parts[2:]}
    node.converge("raid", **array)
    before = fill(node)
    node.run("mdadm --wait /dev/md0 || true")
    assert "write_mostly" in node.run("cat /sys/block/md0/md/dev-*/state")

    for disk in node.disks("HDD1", "HDD2", "HDD3"):
        node.run(
            f"echo ', 409599' | sfdisk --quiet --force --no-reread -N 1 {disk} 2> /dev/null; partx --update {disk}"
        )
    node.unchanged("raid", **array)
    larger = node.module("raid", **array, size="max", wait=True)
    assert larger["status"]["size"] > 190 << 20
    node.unchanged("raid", **array, size="max")

    array |= {"devices": parts[:2], "write_mostly_devices": []}
    assert actions(node.converge("raid", **array)) == ["fail", "remove", "zero", "shrink"]
    assert node.run(SUM) == before
    assert "not a multiple of 4 KiB" in node.refusal("raid", **array | {"level": "5"})


def test_a_mirror_becomes_a_raid_5(node: Node) -> None:
    disks = small(node, "HDD1", "HDD2", "HDD3")
    node.module("raid", name="md0", level="1", devices=disks[:2], wait=True)
    before = fill(node)
    node.converge("raid", name="md0", level="5", devices=disks[:2])
    node.module("raid", name="md0", level="5", devices=disks, wait=True)
    node.unchanged("raid", name="md0", level="5", devices=disks)
    assert node.run(SUM) == before


def test_a_reshape_goes_on_after_a_power_cut(node: Node) -> None:
    one, two, three, four = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": [one, two, three]}
    node.module("raid", **array, wait=True)
    before = fill(node)
    array["devices"] += [four]
    node.run(SLOW)
    going = node.module("raid", **array)
    assert going["in_progress"] == ["md0: reshape"]
    assert node.unchanged("raid", **array, chunk_size="64K")["in_progress"] == ["md0: reshape"]
    node.lab.power_cut()
    assert node.run("cat /sys/block/md0/md/array_state") == "read-auto"
    resumed = node.module("raid", **array, wait=True)
    assert actions(resumed) == ["resume"]
    node.unchanged("raid", **array)
    assert node.run(SUM) == before
