# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays with a past, on a real kernel: members that ran apart, came late, were replaced, or are of another size."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .node import RANDOM, Node
from .test_raid_change import SLOW, actions, fill, small

FAST = "echo 1000 > /proc/sys/dev/raid/speed_limit_min; echo 200000 > /proc/sys/dev/raid/speed_limit_max"
SUM = "blockdev --flushbufs /dev/md0; head -c 30M /dev/md0 | md5sum"


def details(result: dict[str, Any]) -> list[str]:
    return [f"{step['action']} {step['detail']}" for step in result["plan"]]


def paths(node: Node, devices: list[str]) -> list[str]:
    """The kernel's names of devices, which plans and messages show."""
    return node.run(f"readlink -e {' '.join(devices)}").split()


def stop(node: Node) -> None:
    node.run("udevadm settle; mdadm --quiet --stop /dev/md0; udevadm settle")


def alone(node: Node, members: list[str], write: str) -> None:
    """Have some members of a stopped array run without the others, and write to them."""
    node.run(f"mdadm --quiet --assemble /dev/md0 --run {' '.join(members)}; {write}")
    stop(node)


def much(skip: int) -> str:
    return f"dd if={RANDOM} of=/dev/md0 bs=1M count=20 iflag=fullblock skip={skip} conv=fsync status=none"


#: Many updates of the superblocks, and little else.
SMALL = (
    "for i in 1 2 3 4 5 6; do dd if=/dev/zero of=/dev/md0 bs=4k count=1 oflag=direct status=none; sync; sleep 0.3; done"
)


def superblocks(node: Node, *devices: str) -> list[str]:
    """All that the superblocks of devices say."""
    return [node.run(f"mdadm --examine {device}") for device in devices]


@pytest.mark.parametrize("bitmap", ["internal", "none"])
@pytest.mark.first_case
def test_halves_of_a_mirror_that_ran_apart(node: Node, bitmap: str) -> None:
    one, two = parts = small(node, "HDD1", "HDD2")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": parts}
    node.module("raid", **array, bitmap=bitmap, wait=True)
    fill(node)
    stop(node)
    alone(node, [two], much(30))
    alone(node, [one], SMALL)
    first, second = paths(node, parts)

    refused = node.refusal("raid", **array)
    assert "its devices ran apart" in refused
    assert first in refused
    assert second in refused
    assert "ran apart" in node.refusal("raid", name="md0")
    assert "ran apart" in node.refusal("raid", **array, allow_destroy=True)
    assert "ran apart" in node.refusal("layout", raids=[array], allow_destroy=["md0"])

    # One half is here, and runs: what it holds stays, whatever is said of the other.
    node.run(f"mdadm --quiet --assemble /dev/md0 --run {one}")
    before = node.run(SUM)
    warned = str(node.module("raid", name="md0")["warnings"])
    assert f"{second} was written to without the array, and holds a version of its own" in warned
    assert "comes back" not in warned
    assert "ran apart" in node.refusal("raid", **array)
    assert "holds a version of its own" in node.refusal("raid", name="md0", state="absent", allow_destroy=True)
    assert node.run(SUM) == before
    stop(node)

    # As the message says: the other one can be looked at, and its data stays what it is.
    if bitmap == "none":
        shown = refused.partition("no data: ")[2]
        assert shown.endswith(second)
        data = node.run(f"tail -c 90M {two} | md5sum")
        node.run(f"{shown.replace('mdadm', 'mdadm --quiet')}; head -c 1M /dev/md/other | md5sum")
        assert node.run("blockdev --getro /dev/md/other") == "1"
        node.run("mdadm --quiet --stop /dev/md/other")
        assert node.run(f"tail -c 90M {two} | md5sum") == data
        assert node.run(f"mdadm --quiet --assemble /dev/md0 --run {one} && {SUM}") == before
        return

    # The operator says which version is given up; of the two, the one that md would not have chosen stays.
    said = node.module("raid", **array, discard_devices=[two], wait=True)
    assert details(said) == [
        f"assemble from {first}, 1 missing",
        f"zero its superblock on {second}",
        f"add {second} in place of a missing member",
    ]
    assert second in said["plan"][1]["destroys"][0]
    assert node.run(SUM) == before
    node.unchanged("raid", **array)
    scrubbed = node.module("raid", name="md0", scrub="check", wait=True)
    assert scrubbed["status"]["mismatch_count"] == 0


@pytest.mark.further
def test_the_version_that_is_listed_starts(node: Node) -> None:
    one, two = parts = small(node, "HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=parts, wait=True)
    fill(node)
    stop(node)
    alone(node, [one], SMALL)
    alone(node, [two], much(30))
    expected = node.run(f"dd if={RANDOM} bs=1M skip=30 count=20 iflag=fullblock status=none | md5sum")
    started = node.module("raid", name="md0", devices=[two])
    assert f"assemble from {paths(node, [two])[0]}, 1 missing" in details(started)
    assert node.run("head -c 20M /dev/md0 | md5sum") == expected
    before = superblocks(node, one)
    node.unchanged("raid", name="md0", devices=[two])
    assert "ran apart" in node.refusal("raid", name="md0", devices=parts)
    assert superblocks(node, one) == before


@pytest.mark.parametrize(
    ("level", "halves"), [("6", ((0, 1), (2, 3))), ("10", ((0, 2), (1, 3))), ("10", ((0, 3), (1, 2)))]
)
@pytest.mark.first_case
def test_halves_of_other_levels_that_ran_apart(node: Node, level: str, halves: tuple[tuple[int, ...], ...]) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4", size="60M")
    node.module("raid", name="md0", level=level, devices=parts, wait=True)
    fill_with = f"dd if={RANDOM} of=/dev/md0 bs=1M count=40 iflag=fullblock conv=fsync status=none"
    node.run(fill_with)
    stop(node)
    first, second = ([parts[index] for index in half] for half in halves)
    alone(node, first, much(30))
    alone(node, second, SMALL)
    refused = node.refusal("raid", name="md0", level=level, devices=parts)
    assert "ran apart" in refused
    assert " ".join(paths(node, first)) in refused
    assert " ".join(paths(node, second)) in refused
    whole = node.module("raid", name="md0", level=level, devices=parts, discard_devices=first, wait=True)
    assert actions(whole) == ["assemble", "zero", "add", "zero", "add"]
    assert node.module("raid", name="md0", scrub="check", wait=True)["status"]["mismatch_count"] == 0
    node.unchanged("raid", name="md0", level=level, devices=parts)


def test_a_member_of_a_raid_5_that_was_away(node: Node) -> None:
    """The others went on: what it holds is an older state of the same, and nothing that the array does not have."""
    parts = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts}
    node.module("raid", **array, wait=True)
    fill(node)
    stop(node)
    alone(node, parts[:2], much(30))
    expected = node.run(f"dd if={RANDOM} bs=1M skip=30 count=20 iflag=fullblock status=none | md5sum")
    back = node.converge("raid", **array)
    first, second, third = paths(node, parts)
    assert details(back) == [f"assemble from {first} {second}, 1 missing", f"add {third} back again"]
    node.module("raid", name="md0", wait=True)
    assert node.run("head -c 20M /dev/md0 | md5sum") == expected
    assert node.module("raid", name="md0", scrub="check", wait=True)["status"]["mismatch_count"] == 0


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.first_case
def test_an_array_that_waits_for_a_member_that_is_here(node: Node, listed: bool) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts}
    node.module("raid", **array, wait=True)
    stop(node)
    for part in parts[:2]:
        node.run(f"mdadm --quiet --incremental {part} || true")
    assert node.run("cat /sys/block/md*/md/array_state") == "inactive"
    started = node.converge("raid", **(array if listed else {"name": "md0"}))
    assert actions(started) == ["stop", "assemble"]
    assert started["plan"][1]["detail"] == f"from {' '.join(paths(node, parts))}"
    assert started["status"]["degraded"] == 0


@pytest.mark.further
def test_a_superblock_at_the_end_is_that_of_the_last_partition(node: Node) -> None:
    disks = node.disks("HDD1", "HDD2")
    for disk in disks:
        node.run(f"printf 'label: dos\nstart=1M, type=fd\n' | sfdisk --quiet {disk}")
    node.run("udevadm settle")
    parts = [f"{disk}-part1" for disk in disks]
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": parts}
    node.module("raid", **array, metadata="0.90")
    assert not node.unchanged("raid", **array).get("warnings")
    # As read from the disk, the partition's superblock is the disk's too.
    assert "Magic" in node.run(f"mdadm --examine --metadata=0.90 {disks[0]}")
    node.run("mdadm --quiet --wait /dev/md0 || true")
    stop(node)
    started = node.converge("raid", **array)
    assert f"assemble from {' '.join(paths(node, parts))}" in details(started)
    gone = node.converge("raid", name="md0", state="absent")
    zeroed = [step["detail"] for step in gone["plan"] if step["action"] == "zero"]
    assert zeroed == [f"its superblock on {part}" for part in paths(node, parts)]


def test_a_clone_of_a_member(node: Node) -> None:
    one, two, three = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two]}
    node.module("raid", **array, wait=True)
    before = node.run(f"dd if={RANDOM} of=/dev/md0 bs=1M count=30 iflag=fullblock conv=fsync status=none; {SUM}")
    stop(node)
    node.run(f"dd if={one} of={three} bs=1M conv=fsync status=none; udevadm settle")
    clone = superblocks(node, three)
    first, _second, third = paths(node, [one, two, three])

    refused = node.refusal("raid", name="md0")
    assert f"{first} and {third} carry one and the same superblock" in refused
    assert "one and the same superblock" in node.refusal("raid", name="md0", devices=[one, two, three])
    node.converge("raid", **array)
    assert node.run(SUM) == before
    assert f"{third} is a copy of {first}" in str(node.unchanged("raid", **array)["warnings"])
    assert "is a copy of" in node.refusal("raid", name="md0", devices=[one, two, three], allow_destroy=True)
    assert "is a copy of" in node.refusal("raid", name="md0", spare_devices=[three], allow_destroy=True)
    assert "is a copy of" in node.refusal("raid", name="md0", state="absent", allow_destroy=True)
    assert superblocks(node, three) == clone


@pytest.mark.further
def test_another_path_to_a_disk(node: Node) -> None:
    """Whatever leads to either of them leads to the disk, which is here once."""
    one, two, three, four = node.disks("HDD1", "HDD2", "HDD3", "HDD5")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two]}
    node.module("raid", **array)
    node.run(f"printf 'label: gpt\\nsize=60M\\n' | sfdisk --quiet {three}; udevadm settle")
    mounted = {"device": f"{three}-part1", "type": "ext4", "mount_point": "/srv", "label": "data"}
    node.module("layout", filesystems=[mounted])
    unused = len(node.module("layout_info")["unused"])
    for serial in ("HDD2", "HDD3", "HDD4"):
        node.lab.add_path(serial)
    node.run("udevadm settle")
    node.unchanged("raid", **array)
    node.converge("layout", filesystems=[mounted | {"mount_options": "noatime,nofail"}])
    found = node.module("layout_info")
    assert len(found["unused"]) == unused
    assert [item["problem"] for item in found["health"]] == ["paths"] * 3
    node.unchanged("layout", **found["layout"])
    spare = node.run("lsblk --noheadings --nodeps --output NAME,SERIAL | sed -n 's/ *HDD4$//p'").split()
    said = node.refusal("raid", name="md1", level="1", devices=[f"/dev/{name}" for name in spare])
    assert "is named twice" in said
    node.lab.power_cut()
    node.unchanged("raid", **array)
    node.unchanged("layout", filesystems=[mounted])
    # LVM waits for multipathd, and hides what has several paths.
    node.module("lvm_drive", name="data", devices=[four])
    node.lab.add_path("HDD5")
    node.run("udevadm settle")
    assert "its disk has several paths" in node.refusal("lvm_drive", name="data", size="10M")


def test_a_member_that_was_removed_before_the_stop(node: Node) -> None:
    one, two, three = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    node.module("raid", name="md0", level="1", devices=[one, two], wait=True)
    before = node.run(f"dd if={RANDOM} of=/dev/md0 bs=1M count=30 iflag=fullblock conv=fsync status=none; {SUM}")
    node.run(f"mdadm --quiet /dev/md0 --fail {two} && mdadm --quiet /dev/md0 --remove {two}")
    stop(node)
    first, second, third = paths(node, [one, two, three])
    healed = node.converge("raid", name="md0", devices=[one, three])
    assert details(healed) == [f"assemble from {first}, 1 missing", f"add {third} in place of a missing member"]
    assert f"{second} holds an older state of the array" in str(healed["warnings"])
    node.module("raid", name="md0", wait=True)
    assert node.run(SUM) == before


@pytest.mark.further
def test_a_member_that_was_replaced_long_ago(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4", "HDD5", size="60M")
    four = [*parts[:3], parts[4]]
    node.module("raid", name="md0", level="6", devices=parts[:4], wait=True)
    node.run(f"mdadm --quiet /dev/md0 --fail {parts[3]} && mdadm --quiet /dev/md0 --remove {parts[3]}")
    node.run(f"mdadm --quiet /dev/md0 --add {parts[4]}; mdadm --quiet --wait /dev/md0 || true")
    stop(node)
    started = node.converge("raid", name="md0", level="6", devices=four)
    assert details(started) == [f"assemble from {' '.join(paths(node, four))}"]
    stop(node)
    assert actions(node.converge("raid", name="md0")) == ["assemble"]


@pytest.mark.further
def test_a_resync_that_waits_since_the_start(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2")
    node.run(SLOW)
    node.module("raid", name="md0", level="1", devices=parts)
    stop(node)
    node.run(f"mdadm --quiet --assemble /dev/md0 {' '.join(parts)}")
    assert "resync=PENDING" in node.run("cat /proc/mdstat")
    node.run(FAST)
    waited = node.module("raid", name="md0", wait=True)
    assert actions(waited) == ["resume"]
    assert waited["in_progress"] == []
    assert "resync" not in node.run("cat /proc/mdstat")


@pytest.mark.further
def test_what_a_resync_defers_is_said_and_judged(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    node.run(SLOW)
    node.module("raid", name="md0", level="1", devices=parts[:2])
    wish: dict[str, Any] = {"name": "md0", "level": "5", "devices": parts[:3]}
    for result in (node.check("raid", **wish), node.module("raid", **wish)):
        assert (result["changed"], result["in_progress"]) == (False, ["md0: resync"])
        assert "md0: grow from RAID 1 to RAID 5, once its resync has ended" in result["pending"]
        assert "not done yet: md0: grow from RAID 1 to RAID 5" in str(result["warnings"])
    whole = node.module("layout", raids=[wish])
    assert whole["pending"] == result["pending"]
    node.guest.until("[ $(cat /sys/block/md0/md/sync_speed) -gt 0 ]")
    status = node.module("raid", name="md0")["status"]
    assert 0 <= status["percent"] < 100
    # As the kernel tells people in /proc/mdstat, to within what it does meanwhile.
    minutes = re.search(r"finish=([\d.]+)min", node.run("cat /proc/mdstat"))
    assert minutes
    assert status["eta_seconds"] == pytest.approx(float(minutes[1]) * 60, rel=0.5)

    assert "its level is 1, and 6 is wanted" in node.refusal("raid", name="md0", level="6", devices=parts)
    node.run(f"printf 'label: dos\nstart=1M\n' | sfdisk --quiet {parts[3]}")
    for words in (
        {"devices": [*parts[:2], parts[3]]},
        {"spare_devices": [parts[3]]},
        {"devices": [parts[0], parts[3]]},
    ):
        assert "an MBR partition table" in node.refusal("raid", name="md0", **words)
    node.run(FAST)
    done = node.module("raid", **wish, wait=True)
    assert done["pending"] == []
    assert node.run("cat /sys/block/md0/md/level /sys/block/md0/md/raid_disks").split() == ["raid5", "3"]
    node.unchanged("raid", **wish)


@pytest.mark.further
def test_a_reshape_asked_for_while_a_resync_runs(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    node.run(SLOW)
    node.module("raid", name="md0", level="5", chunk_size="64K", devices=parts[:3])
    stop(node)
    # Once it is started for this, the resync goes on.
    wish: dict[str, Any] = {"name": "md0", "devices": parts, "bitmap": "internal"}
    checked = node.check("raid", **wish)
    done = node.module("raid", **wish)
    assert done["plan"] == checked["plan"]
    assert actions(done) == ["assemble", "resume"]
    assert "md0: grow to 4 devices, once its resync has ended" in done["pending"]
    assert "could not lose another one" in node.refusal("raid", name="md0", devices=parts[:2])
    node.run(FAST)
    node.module("raid", **wish, wait=True)
    node.unchanged("raid", **wish)


@pytest.mark.further
@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("made", ["/dev/md/data", "/dev/md5", "/dev/md0 --name=other:data", "/dev/md3 --metadata=0.90"])
@pytest.mark.first_case
def test_an_array_made_by_hand_is_read_and_applied(node: Node, made: str, used: bool) -> None:
    parts = small(node, "HDD1", "HDD2", size="60M")
    node.run(f"mdadm --quiet --create {made} --run --level=1 --raid-devices=2 {' '.join(parts)}; udevadm settle")
    node.run("mkfs.ext4 -q $(ls /dev/md[0-9]*); udevadm settle; mdadm --quiet --wait $(ls /dev/md[0-9]*) || true")
    if used:
        node.run("mount $(ls /dev/md[0-9]*) /mnt")
    read = node.module("layout_info")["layout"]
    node.module("layout", **read)
    node.unchanged("layout", **read)
    node.unchanged("layout", **node.module("layout_info")["layout"])


@pytest.mark.further
@pytest.mark.parametrize("metadata", ["1.2", "1.0", "0.90"])
@pytest.mark.first_case
def test_a_device_that_is_too_small_is_seen_before_anything_is_wiped(node: Node, metadata: str) -> None:
    one, two = small(node, "HDD1", "HDD2", size="80M")
    array: dict[str, Any] = {"name": "md0", "level": "1", "metadata": metadata}
    node.module("raid", **array, devices=[one, two], wait=True)
    (less,) = small(node, "HDD3", size="79M")
    node.run(f"mkfs.ext4 -q -L backup {less}")
    for words in ({"devices": [one, less]}, {"devices": [one, two, less]}, {"spare_devices": [less]}):
        refused = node.refusal("raid", **array, **words, allow_destroy=True)
        assert paths(node, [less])[0] in refused
        assert "a member needs" in refused
    assert node.signatures(less) == ["ext4"]
    # mdadm draws the same line: with a sector less than that it refuses.
    sectors = int(refused.split("a member needs ")[1].split(" ")[0]) >> 9
    for size, taken in ((sectors - 1, False), (sectors, True)):
        (part,) = small(node, "HDD4", size=str(size))
        assert ("not large enough" in node.run(f"mdadm /dev/md0 --add {part} 2>&1 || true")) is not taken
        if taken:
            node.run(f"udevadm settle; mdadm --quiet /dev/md0 --remove {part} && mdadm --zero-superblock {part}")
            node.converge("raid", **array, spare_devices=[part])
        else:
            assert "a member needs" in node.refusal("raid", **array, spare_devices=[part])


@pytest.mark.further
def test_a_spare_leaves_while_udev_looks_at_it(node: Node) -> None:
    # As with a device that somebody partitions: its events come late, and udev has the array take it in again.
    one, two, spare = small(node, "HDD1", "HDD2", "HDD3", size="80M")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two]}
    for _ in range(6):
        node.module("raid", **array, spare_devices=[spare], wait=True)
        events = f"for i in $(seq 30); do udevadm trigger --action=change {spare}; sleep 0.04; done"
        node.run(f"udevadm settle; ({events}) > /dev/null 2>&1 &")
        node.module("raid", **array, spare_devices=[])
        node.run("udevadm settle")
        assert node.signatures(spare) == [""]


@pytest.mark.further
@pytest.mark.parametrize(("metadata", "level"), [("1.2", "1"), ("1.2", "5"), ("1.0", "1"), ("0.90", "5")])
@pytest.mark.first_case
def test_a_new_array_that_its_devices_have_no_room_for(node: Node, metadata: str, level: str) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", size="80M")
    array: dict[str, Any] = {"name": "md0", "level": level, "metadata": metadata, "devices": parts}
    node.run(f"mkfs.ext4 -q {parts[2]}")
    refused = node.refusal("raid", **array, size="80M", allow_destroy=True)
    assert "of which an array can use" in refused
    assert node.signatures(parts[2]) == ["ext4"]
    node.converge("raid", **array, size="76M", allow_destroy=True)


@pytest.mark.further
def test_sectors_that_would_change_those_of_the_array(node: Node) -> None:
    node.lab.pull_disk("HDD3")
    node.lab.insert_disk("HDD3", new=True, sector=4096)
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two]}
    node.module("raid", **array)
    node.run("mkfs.xfs -q /dev/md0")
    for words in ({"devices": [one, three]}, {"spare_devices": [three]}):
        refused = node.refusal("raid", name="md0", **words, allow_destroy=True)
        assert "its logical sectors have 4096 bytes, and those of the array 512" in refused
    node.module("raid", name="md0", state="absent", allow_destroy=True)
    # A new array has the largest of them, and nothing on it yet.
    node.converge("raid", name="md0", level="1", devices=[one, three])
    assert node.run("cat /sys/block/md0/queue/logical_block_size") == "4096"
    node.run(
        "printf 'label: gpt\nsize=100M\n' | sfdisk --quiet /dev/md0; udevadm settle; mdadm --wait /dev/md0 || true"
    )
    refused = node.refusal("raid", name="md0", devices=[one, two])
    assert "is its only member with logical sectors of 4096 bytes" in refused


@pytest.mark.further
def test_a_member_that_shows_other_sectors_now(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=[one, two])
    node.run("mkfs.xfs -q /dev/md0")
    before = node.run("head -c 1M /dev/md0 | md5sum")
    node.module("raid", name="md0", state="stopped")
    node.lab.pull_disk("HDD2")
    node.lab.insert_disk("HDD2", sector=4096)
    started = node.module("raid", name="md0")
    (second,) = paths(node, [two])
    assert f"has logical sectors of 4096 bytes: {second} shows such sectors" in str(started["warnings"])
    assert node.run("head -c 1M /dev/md0 | md5sum") == before


@pytest.mark.further
def test_an_array_of_external_metadata(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2")
    node.run(
        f"mdadm --create /dev/md/ddf0 --run --quiet --metadata=ddf --raid-devices=2 {' '.join(parts)}; "
        "mdadm --create /dev/md0 --run --quiet --level=1 --raid-devices=2 --size=60M /dev/md/ddf0; udevadm settle; "
        "mkfs.ext4 -q /dev/md0; udevadm settle"
    )
    conf = node.run("md5sum < /etc/mdadm/mdadm.conf; cat /proc/mdstat")
    states: list[dict[str, Any]] = [
        {},
        {"state": "stopped"},
        {"state": "absent", "allow_destroy": True},
        {"level": "1", "devices": parts},
    ]
    for words in states:
        assert "only md's own is managed" in node.refusal("raid", name="md0", **words)
        assert "only md's own is managed" in node.refusal("raid", name="ddf0", **words)
    assert "only md's own is managed" in node.refusal("layout", raids=[{"name": "md0"}])
    assert node.run("md5sum < /etc/mdadm/mdadm.conf; cat /proc/mdstat") == conf
    found = node.module("layout_info")
    assert found["health"] == []
    assert found["layout"]["raids"] == []
    node.unchanged("layout", **found["layout"])
    # Taken apart, the members are nobody's, and not blank.
    node.run("mdadm --quiet --stop /dev/md0; udevadm settle; mdadm --quiet --stop /dev/md/ddf0; udevadm settle")
    refused = node.refusal("raid", name="md1", level="1", devices=parts)
    assert "membership of a RAID set of the firmware's (ddf)" in refused


@pytest.mark.further
@pytest.mark.parametrize("level", ["1", "5"])
@pytest.mark.first_case
def test_a_replacement_does_not_stand_in_for_the_member(node: Node, level: str) -> None:
    one, two, three, four = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    members = [one, two] if level == "1" else [one, two, three]
    array: dict[str, Any] = {"name": "md0", "level": level, "devices": members}
    node.module("raid", **array, wait=True)
    fill(node)
    expected = node.run(SUM)
    node.run(
        f"{SLOW}; mdadm --quiet /dev/md0 --add {four}; mdadm --quiet /dev/md0 --replace {two} --with {four}; sleep 1"
    )
    # While it goes on, another device in that place waits for its turn.
    other = node.disk("HDD5")
    waiting = node.unchanged("raid", **array | {"devices": [one, other, *members[2:]]})
    assert "replace" in str(waiting["pending"])
    stop(node)
    # The member that was being replaced is gone: what is left runs, and the replacement is rebuilt.
    node.run(f"mdadm --zero-superblock {two}")
    if level == "1":
        started = node.module("raid", name="md0")
        assert "1 missing" in details(started)[0]
        assert node.run(SUM) == expected
        node.unchanged("raid", name="md0")
        stop(node)
    node.run(f"mdadm --zero-superblock {one if level == '1' else three}")
    refused = node.refusal("raid", name="md0")
    assert "cannot start: it needs" in refused
    assert paths(node, [four])[0] not in refused
    node.run(FAST)


@pytest.mark.further
def test_a_member_whose_partition_became_smaller(node: Node) -> None:
    one, two = parts = small(node, "HDD1", "HDD2", size="90M")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": parts}
    node.module("raid", **array, wait=True)
    fill(node)
    expected = node.run(SUM)
    stop(node)
    disk = node.disk("HDD1")
    node.run(f"echo ',60M' | sfdisk --quiet -N 1 {disk}; udevadm settle; mdadm --quiet --stop /dev/md0 || true")
    cut = paths(node, [one])[0]
    assert "smaller" in str([item for item in node.module("layout_info")["health"] if item["device"] == cut])
    assert "a member needs" in node.refusal("raid", **array)
    # As health says: with its former size it is a member like before.
    node.run(f"echo ',90M' | sfdisk --quiet -N 1 {disk}; udevadm settle; mdadm --quiet --stop /dev/md0 || true")
    started = node.converge("raid", **array)
    assert f"assemble from {' '.join(paths(node, parts))}" in details(started)
    assert node.run(SUM) == expected
    # Without it the array runs as well, and the member that became smaller is told.
    stop(node)
    node.run(f"echo ',60M' | sfdisk --quiet -N 1 {disk}; udevadm settle; mdadm --quiet --stop /dev/md0 || true")
    assert f"assemble from {paths(node, [two])[0]}, 1 missing" in details(node.converge("raid", name="md0"))


@pytest.mark.further
def test_three_ways_to_run_apart(node: Node) -> None:
    one, two, three = parts = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    node.run(
        f"mdadm --create /dev/md0 --run --quiet --level=1 --metadata=1.0 --raid-devices=3 {' '.join(parts)}; "
        "mdadm --quiet --wait /dev/md0 || true"
    )
    node.module("raid", name="md0")
    stop(node)
    alone(node, [one, three], much(10))
    alone(node, [two], SMALL)
    alone(node, [three], much(20))
    expected = node.run(f"dd if={RANDOM} bs=1M skip=20 count=20 iflag=fullblock status=none | md5sum")
    refused = node.refusal("raid", name="md0")
    assert "ran apart" in refused
    assert paths(node, [one])[0] not in refused
    # The older one of a version follows it; the other version stays.
    started = node.converge("raid", name="md0", devices=[one, three])
    assert "back again" in str(details(started))
    assert node.run("blockdev --flushbufs /dev/md0; head -c 20M /dev/md0 | md5sum") == expected

    before = superblocks(node, two)
    told = "was written to without the array, and holds a version of its own"
    disk, spare = node.disk("HDD2"), node.disk("HDD5")
    refusals = [
        node.refusal("lvm_drive", name="data", devices=[two], allow_destroy=True),
        node.refusal("bcache", name="cached", backing_device=two, allow_destroy=True),
        node.refusal("bcache", name="cached", backing_device=spare, cache_device=two, allow_destroy=True),
        node.refusal("layout", filesystems=[{"device": two, "type": "xfs"}], allow_destroy=[two]),
        node.refusal(
            "layout",
            partitions=[{"name": "x", "device": disk, "number": 1, "state": "absent"}],
            allow_destroy=["x"],
        ),
        node.refusal("lvm_drive", name="data", devices=[disk], allow_destroy=[disk]),
    ]
    assert [refusal for refusal in refusals if told not in refusal] == []
    assert superblocks(node, two) == before
    # What runs is not given up for it.
    assert "gives up" in node.refusal("raid", name="md0", discard_devices=[one, three])
    gone = node.converge("raid", name="md0", state="absent", discard_devices=[two])
    assert told in str([step["destroys"] for step in gone["plan"]])


def test_a_raid_10_without_a_pair(node: Node) -> None:
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4", size="60M")
    node.module("raid", name="md0", level="10", devices=parts, wait=True)
    stop(node)
    node.run(f"mdadm --zero-superblock {parts[0]}; mdadm --zero-superblock {parts[1]}")
    assert "without its members number 0 1 there is none of some" in node.refusal("raid", name="md0")


@pytest.mark.further
def test_the_last_state_of_an_array_that_cannot_start(node: Node) -> None:
    one, two, three = parts = small(node, "HDD1", "HDD2", "HDD3", size="60M")
    node.module("raid", name="md0", level="5", devices=parts, wait=True)
    fill(node)
    stop(node)
    alone(node, [one, two], SMALL)
    node.run(f"mdadm --zero-superblock {two}")
    (former,) = [item for item in node.module("layout_info")["health"] if item["problem"] == "former"]
    assert (former["severity"], former["device"]) == ("critical", paths(node, [three])[0])
    assert "Keep it as it is" in former["remedy"]
    assert "comes back" not in str(former)


@pytest.mark.parametrize(("first", "second"), [("other", "$(hostname)"), ("$(hostname)", "$(hostname)")])
@pytest.mark.first_case
def test_two_arrays_of_one_name(node: Node, first: str, second: str) -> None:
    """That of this host is meant; of two the task is refused, and both have names of their own to be called by."""
    uuids, members = [], []
    for home, number, serials in ((first, 7, ("HDD1", "HDD2")), (second, 8, ("HDD3", "HDD4"))):
        members.append(small(node, *serials, size="40M"))
        node.run(
            f"mdadm --create /dev/md{number} --run --quiet --level=1 --name={home}:data --assume-clean "
            f"--raid-devices=2 {' '.join(members[-1])}; mkfs.ext4 -q /dev/md{number}; udevadm settle"
        )
        uuids.append(node.run(f"mdadm --detail --export /dev/md{number} | sed -n 's/^MD_UUID=//p'").replace(":", ""))
    before = node.module("layout_info")["layout"]
    meant = first != second
    assert {item["name"]: item["uuid"] for item in before["raids"]} == {
        "md7": uuids[0],
        ("data" if meant else "md8"): uuids[1],
    }
    for running in (True, False):
        if not running:
            node.run("udevadm settle; mdadm --quiet --stop /dev/md7; udevadm settle")
        gone: dict[str, Any] = {"name": "data", "state": "absent", "allow_destroy": True}
        if meant:
            told = str(node.module("raid", check=True, **gone)["plan"])
            assert "/dev/md8" in told
            assert [path for path in paths(node, members[0]) if path in told] == []
        else:
            for words in (gone, {"name": "data"}):
                assert [uuid for uuid in uuids if uuid not in node.refusal("raid", **words)] == []
    node.run(f"mdadm --quiet --assemble /dev/md7 {' '.join(members[0])}; udevadm settle")
    assert node.module("layout_info")["layout"] == before
    node.converge("layout", **before)
    assert {item["name"]: item for item in node.module("layout_info")["layout"]["raids"]} == {
        item["name"]: item for item in before["raids"]
    }
    node.lab.reboot()
    node.unchanged("layout", **before)


@pytest.mark.further
def test_one_name_in_several_sections(node: Node) -> None:
    """A partition, an array and a volume group called data: each is meant by its section, or the task is refused."""
    (two,) = small(node, "HDD2", size="60M")
    disk = node.disk("HDD1")
    node.run(f"printf 'label: gpt\\nsize=60M,name=data\\nsize=60M\\n' | sfdisk --quiet {disk}; udevadm settle")
    node.run(
        f"mdadm --create /dev/md/data --run --quiet --level=1 --assume-clean --raid-devices=2 {disk}-part1 {two}; "
        f"mkfs.ext4 -q /dev/md/data; vgcreate -q data {disk}-part2; lvcreate -qy -L 20M -n v data; "
        "mkfs.ext4 -q /dev/data/v; udevadm settle"
    )
    document = node.module("layout_info")["layout"]
    assert document["raids"][0]["devices"][0] == "partitions: data"
    assert "raids: data" in [item["device"] for item in document["filesystems"]]
    node.converge("layout", **document)
    assert node.module("layout_info")["layout"] == document

    nothing: dict[str, Any] = {"mode": "exact", "raids": [], "drives": []}
    refused = node.refusal("layout", **nothing, allow_destroy=["data"])
    assert "data may mean drives: data and raids: data" in refused
    refused = node.refusal("layout", **nothing, allow_destroy=["raids: data"])
    assert "would remove: drives: data. Name" in refused
    gone = node.converge("layout", mode="exact", raids=[], allow_destroy=["raids: data"])
    assert "data/v" not in str(gone["plan"])
    assert node.signatures(two, "/dev/data/v") == ["", "ext4"]


@pytest.mark.parametrize("log", ["--write-journal {}", "--consistency-policy=ppl"])
@pytest.mark.further
def test_an_array_with_a_log_is_kept_stopped_and_started(node: Node, log: str) -> None:
    """No change is made to it; what layout_info says of it can be applied, and what was stopped is started again."""
    *members, journal = small(node, "HDD1", "HDD2", "HDD3", "HDD4", size="40M")
    node.run(
        f"mdadm --create /dev/md/logged --run --quiet --level=5 --raid-devices=3 {log.format(journal)} "
        f"{' '.join(members)}; "
        "udevadm settle; mdadm --quiet --wait /dev/md/logged || true; mkfs.ext4 -q /dev/md/logged; "
        "mount /dev/md/logged /mnt; echo kept > /mnt/file; umount /mnt; sync; udevadm settle"
    )
    document = node.module("layout_info")["layout"]
    node.converge("layout", **document)
    assert node.module("layout_info")["layout"] == document
    node.unchanged("raid", name="logged")
    refused = node.refusal("raid", name="logged", bitmap="internal")
    assert "such an array is not changed here" in refused
    node.converge("raid", name="logged", state="stopped")
    node.converge("raid", name="logged")
    assert node.run("mount -o ro /dev/md/logged /mnt; cat /mnt/file; umount /mnt") == "kept"
    node.unchanged("layout", **document)
    if "journal" in log:
        node.module("raid", name="logged", state="stopped")
        node.lab.pull_disk("HDD4")
        assert "it has a write journal, and the device with that is not here" in node.refusal("raid", name="logged")
        node.lab.insert_disk("HDD4")
    node.converge("raid", name="logged", state="absent", allow_destroy=True)
    assert node.signatures(*members, journal) == ["", "", "", ""]


@pytest.mark.further
@pytest.mark.parametrize("what", ["missing", "faulty", "replacing", "inactive", "stopped"])
@pytest.mark.first_case
def test_a_condition_that_passes_is_no_wish(node: Node, what: str) -> None:
    """What layout_info says of an array in it is applied, and nothing changes."""
    parts = small(node, "HDD1", "HDD2", "HDD3", "HDD4", size="60M")
    level = "5" if what == "inactive" else "1"
    node.module("raid", name="data", level=level, devices=parts[:3], wait=True)
    array = "/dev/md/data"
    if what in ("missing", "faulty"):
        node.run(f"mdadm --quiet {array} --fail {parts[2]}")
        node.run(f"udevadm settle; mdadm --quiet {array} --remove {parts[2]}" if what == "missing" else "true")
    elif what == "replacing":
        node.run(f"{SLOW}; mdadm --quiet {array} --add {parts[3]}; mdadm --quiet {array} --replace {parts[1]}")
    else:
        node.run(f"udevadm settle; mdadm --quiet --stop {array}; udevadm settle")
        node.run(f"mdadm --incremental {parts[0]}; udevadm settle" if what == "inactive" else "true")
    look = "cat /etc/mdadm/mdadm.conf; grep -v recovery /proc/mdstat | grep -v finish"
    before = node.run(look)
    document = node.module("layout_info")["layout"]
    told = node.unchanged("layout", **document)
    assert told.get("pending", []) == []
    node.unchanged("layout", mode="exact", raids=document["raids"])
    assert node.run(look) == before


@pytest.mark.further
def test_arrays_as_mdadm_names_them(node: Node) -> None:
    """One called 0 in its superblock is md0, and one of another host may have the name of that host in its own."""
    first, second = small(node, "HDD1", "HDD2", size="40M"), small(node, "HDD3", "HDD4", size="40M")
    create = "mdadm --create {} --run --quiet --level=1 --assume-clean --raid-devices=2 {}; udevadm settle"
    node.run(create.format("/dev/md0", " ".join(first)))
    node.run(create.format("/dev/md5 --name=oldhost:data", " ".join(second)))
    uuid = node.run("mdadm --detail --export /dev/md5 | sed -n 's/^MD_UUID=//p'")
    node.run(
        f"echo 'ARRAY /dev/md/oldhost:data metadata=1.2 UUID={uuid} name=oldhost:data' >> /etc/mdadm/mdadm.conf; "
        "echo 'ARRAY <ignore> UUID=11111111:22222222:33333333:44444444' >> /etc/mdadm/mdadm.conf"
    )
    found = node.module("layout_info")
    assert [item["name"] for item in found["layout"]["raids"]] == ["md0", "oldhost:data"]
    assert found["health"] == []
    node.module("raid", name="md0")
    node.converge("layout", **found["layout"])
    node.unchanged("raid", name="md0")
    node.unchanged("raid", name="oldhost:data")
    node.lab.reboot()
    node.unchanged("layout", **found["layout"])


@pytest.mark.parametrize("leaves", ["replaced", "absent", "spare"])
@pytest.mark.first_case
def test_what_a_superblock_hid_does_not_come_back(node: Node, leaves: str) -> None:
    """A disk with an old partition table became a member as a whole: taken out, it is blank."""
    one, two, three = disks = node.disks("HDD1", "HDD2", "HDD3")
    for disk in disks[:2]:
        node.run(f"printf 'label: gpt\\nsize=60M,name=old\\n' | sfdisk --quiet {disk}; udevadm settle")
        node.run(f"mkfs.ext4 -q -L data {disk}-part1")
    devices, spares = (2, "") if leaves != "spare" else (1, "--spare-devices=1 --force")
    node.run(
        f"mdadm --create /dev/md/data --run --quiet --level=1 --assume-clean --size=60M "
        f"--raid-devices={devices} {spares} {one} {two}; udevadm settle; "
        "mkfs.ext4 -q -L data /dev/md/data; udevadm settle"
    )
    if leaves == "replaced":
        node.module("raid", name="data", devices=[one, three], wait=True)
    elif leaves == "spare":
        node.module("raid", name="data", spare_devices=[])
    else:
        node.module("raid", name="data", state="absent", allow_destroy=True)
    node.run(f"udevadm settle; partprobe {two} || partx --update {two}; udevadm settle", check=False)
    assert node.signatures(two) == [""]
    assert node.run(f"ls {two}*") == two
