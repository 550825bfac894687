# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays that change while they hold data, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import RANDOM, Node

SUM = "blockdev --flushbufs /dev/md0; head -c 60M /dev/md0 | md5sum"
SLOW = "echo 100 > /proc/sys/dev/raid/speed_limit_max; echo 100 > /proc/sys/dev/raid/speed_limit_min"


def fill(node: Node) -> str:
    """Put data on md0, all over what is compared later."""
    node.run(f"dd if={RANDOM} of=/dev/md0 bs=1M iflag=fullblock conv=fsync status=none")
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
    one, two, three, four, five = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5")
    array: dict[str, Any] = {"name": "md0", "level": "5", "chunk_size": "64K", "devices": [one, two, three]}
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
    assert grown["status"]["size"] == 3 * 99 << 20

    array["bitmap"] = "internal"
    assert actions(node.converge("raid", **array)) == ["grow"]
    node.run(f"mdadm /dev/md0 --fail {two}")
    assert "failed" in str(node.module("raid", name="md0")["warnings"])
    healed = node.module("raid", **array, wait=True)
    assert actions(healed) == ["remove", "add"]
    assert healed["status"]["degraded"] == 0

    assert node.run(SUM) == before
    scrubbed = node.module("raid", name="md0", scrub="check", wait=True)
    assert actions(scrubbed) == ["scrub"]
    assert scrubbed["status"]["mismatch_count"] == 0
    assert "could not lose another one" in node.refusal("raid", name="md0", devices=array["devices"][:3])


@pytest.mark.further
def test_more_devices_without_room_before_the_data(node: Node) -> None:
    """mdadm would do it with what room there is, and a cut in its first moments loses data."""
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts[:3]}
    node.module("raid", **array, wait=True)
    before = fill(node)
    array["devices"] = parts
    assert "the start of its data has to move by 2.5 MiB" in node.refusal("raid", **array)
    assert actions(node.module("raid", **array, wait=True, allow_unprotected_reshape=True)) == ["add", "grow"]
    node.unchanged("raid", **array)
    assert node.run(SUM) == before


@pytest.mark.further
def test_a_reshape_that_a_power_cut_would_spoil(node: Node) -> None:
    """Data stays where the power does."""
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts[:3]}
    node.module("raid", **array, wait=True)
    before = fill(node)
    array |= {"level": "6", "devices": parts}
    assert "data was lost when it was tried" in node.refusal("raid", **array)
    array["allow_unprotected_reshape"] = True
    assert actions(node.module("raid", **array, wait=True)) == ["add", "grow"]
    node.unchanged("raid", **array)
    assert node.run("cat /sys/block/md0/md/level") == "raid6"

    array["chunk_size"] = "64K"
    assert actions(node.module("raid", **array, wait=True)) == ["grow"]
    node.unchanged("raid", **array)
    assert node.run("cat /sys/block/md0/md/chunk_size") == str(64 << 10)

    array |= {"level": "5", "devices": parts[:3], "spare_devices": []}
    node.module("raid", **array, wait=True)
    node.unchanged("raid", **array)
    assert node.run("cat /sys/block/md0/md/level") == "raid5"
    assert node.signatures(parts[3]) == [""]
    assert node.run(SUM) == before


@pytest.mark.further
def test_a_raid_6_can_do_without_a_member(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    array: dict[str, Any] = {"name": "md0", "level": "6", "devices": parts}
    node.module("raid", **array, wait=True)
    before = fill(node)
    array["devices"] = parts[1:]
    assert actions(node.converge("raid", **array)) == ["fail", "remove", "zero"]
    array["devices"] = parts
    assert actions(node.module("raid", **array, wait=True)) == ["add"]
    assert node.run(SUM) == before


def test_what_would_lose_data_is_refused(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    node.module("raid", name="md0", level="0", devices=[one, two])
    for level in ("0", "5"):
        assert "data was lost on the way" in node.refusal("raid", name="md0", level=level, devices=[one, two, three])


@pytest.mark.further
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


@pytest.mark.further
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
    array: dict[str, Any] = {"name": "md0", "level": "5", "chunk_size": "64K", "devices": [one, two, three]}
    node.module("raid", **array, wait=True)
    before = fill(node)
    array["devices"] += [four]
    node.run(SLOW)
    going = node.module("raid", **array)
    assert going["in_progress"] == ["md0: reshape"]
    chunks: dict[str, Any] = {**array, "chunk_size": "128K"}
    assert "data was lost when it was tried" in node.refusal("raid", **chunks)
    deferred = node.unchanged("raid", **chunks, allow_unprotected_reshape=True)
    assert deferred["in_progress"] == ["md0: reshape"]
    assert "to chunks of 128 KiB" in deferred["pending"][0]
    node.lab.power_cut()
    assert node.run("cat /sys/block/md0/md/array_state") == "read-auto"
    resumed = node.module("raid", **array, wait=True)
    assert actions(resumed) == ["resume"]
    node.unchanged("raid", **array)
    assert node.run(SUM) == before


@pytest.mark.further
def test_a_raid_5_holds_less(node: Node) -> None:
    one, two, three, four, five = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5")
    array: dict[str, Any] = {
        "name": "md0",
        "level": "5",
        "devices": [one, two, three, four, five],
        "bitmap": "internal",
        "chunk_size": "64K",
    }
    node.module("raid", **array, wait=True)
    node.run("mkfs.ext4 -q /dev/md0; mkdir -p /mnt/md0; mount /dev/md0 /mnt/md0")
    node.run(f"head -c 50M {RANDOM} > /mnt/md0/data; md5sum /mnt/md0/data > /root/sums; umount /mnt/md0")

    array |= {"devices": [one, two, four], "spare_devices": []}
    assert "or set allow_shrink" in node.refusal("raid", **array)
    array["allow_shrink"] = True
    assert "the ext4 filesystem on /dev/md0 spans" in node.refusal("raid", **array)
    node.run("e2fsck -fp /dev/md0; resize2fs /dev/md0 180M; mount /dev/md0 /mnt/md0")
    shrunk = node.module("raid", **array, wait=True)
    assert actions(shrunk)[0] == "shrink"
    node.unchanged("raid", **array)
    assert 2 * 97 << 20 <= shrunk["status"]["size"] < 2 * 99 << 20
    assert node.signatures(three) == node.signatures(five) == [""]
    node.run("cd /; md5sum --check /root/sums; umount /mnt/md0; e2fsck -fn /dev/md0; mount /dev/md0 /mnt/md0")

    # What was freed can come back.
    array["devices"] += [five]
    node.module("raid", **array, wait=True)
    assert node.module("raid", name="md0")["status"]["size"] > 280 << 20
    assert "the ext4 filesystem" in node.refusal("raid", name="md0", size="40M", allow_shrink=True)
    smaller = node.module("raid", name="md0", size="80M", allow_shrink=True, wait=True)
    assert actions(smaller) == ["shrink"]
    assert smaller["status"]["component_size"] == 80 << 20
    node.unchanged("raid", name="md0", size="80M")
    node.run("cd /; md5sum --check /root/sums; umount /mnt/md0; e2fsck -fn /dev/md0")
    assert node.module("raid", name="md0", size="90M", wait=True)["status"]["component_size"] == 90 << 20


@pytest.mark.further
def test_what_is_on_an_array_that_shrinks(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    less: dict[str, Any] = {"name": "md0", "devices": parts[:3], "allow_shrink": True}
    node.module("raid", name="md0", level="5", devices=parts, wait=True)
    node.run("printf 'label: gpt\nsize=10M\n' | sfdisk --quiet /dev/md0; udevadm settle")
    assert "holds a GPT partition table" in node.refusal("raid", **less)
    node.run("wipefs --all --force /dev/md0; udevadm settle; partx --delete /dev/md0 || true")
    node.run("pvcreate -q /dev/md0; vgcreate -q data /dev/md0; lvcreate -q -L 40M -n data data")
    assert "the physical volume on /dev/md0 spans" in node.refusal("raid", **less)
    node.run("pvresize --yes --setphysicalvolumesize 160M /dev/md0")
    node.module("raid", **less, wait=True)
    node.unchanged("raid", **less)
    assert node.run("vgck data && lvs --noheadings -o lv_size --units m data").split() == ["40.00m"]


@pytest.mark.further
def test_a_raid_10(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5")
    array: dict[str, Any] = {"name": "md0", "level": "10", "devices": parts[:4], "layout": "n2"}
    made = node.module("raid", **array, wait=True)
    assert made["raid"]["layout"] == "n2"
    before = fill(node)
    assert "its layout is n2, and o2 is wanted" in node.refusal("raid", name="md0", layout="o2")
    array["chunk_size"] = "64K"
    assert actions(node.module("raid", **array, wait=True)) == ["grow"]
    array["devices"] += [parts[4]]
    grown = node.module("raid", **array, wait=True)
    assert grown["status"]["size"] > 230 << 20
    node.unchanged("raid", **array)
    assert node.run(SUM) == before
    node.module("raid", name="md0", state="stopped")
    assert node.module("raid_info", name="md0")["raids"][0]["layout"] == "n2"


@pytest.mark.further
def test_layouts_and_sizes_of_new_arrays(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    three = node.module("raid", name="md0", level="10", devices=parts[:3], layout="f3", size="50M")
    assert three["raid"]["layout"] == "f3"
    assert 49 << 20 < three["status"]["component_size"] <= 50 << 20
    node.unchanged("raid", name="md0", level="10", devices=parts[:3], layout="f3", size="50M")
    assert "of layout f3, data was lost" in node.refusal("raid", name="md0", chunk_size="64K")
    assert "of layout f3 cannot grow" in node.refusal("raid", name="md0", devices=parts)
    node.module("raid", name="md0", state="absent", allow_destroy=True)
    five: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts[:3], "layout": "right-asymmetric"}
    assert node.module("raid", **five)["raid"]["layout"] == "right-asymmetric"
    assert "its layout is right-asymmetric" in node.refusal("raid", name="md0", layout="left-symmetric")
    assert "size is 1 GiB, and its smallest device, " in node.refusal(
        "raid", name="md1", level="1", devices=parts[3:] + node.disks("HDD5"), size="1G"
    )


@pytest.mark.further
def test_a_spare_takes_over_after_a_reshape(node: Node) -> None:
    """Linux 6.1 would rebuild it from what the reshape left in the stripe cache, which is something else by then."""
    one, two, three, four, five = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5", size="60M")
    array: dict[str, Any] = {"name": "md0", "level": "6", "chunk_size": "64K", "devices": [one, two, three, four]}
    node.module("raid", **array, wait=True)
    node.run(f"head -c 50M {RANDOM} | dd of=/dev/md0 bs=1M iflag=fullblock conv=fsync status=none")
    before = node.run("head -c 50M /dev/md0 | md5sum")
    array["devices"] += [five]
    node.module("raid", **array, wait=True)
    array["devices"] = [one, two, three, four]
    node.module("raid", **array, allow_shrink=True, wait=True)
    node.run(f"mdadm /dev/md0 --fail {one}")
    node.module("raid", name="md0", wait=True)
    assert node.run("blockdev --flushbufs /dev/md0; head -c 50M /dev/md0 | md5sum") == before
    assert node.module("raid", name="md0", scrub="check", wait=True)["status"]["mismatch_count"] == 0
