# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that have lived: written with other sectors, grown, partitioned by somebody else, holding what was chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node import Node

#: A GPT by a program that takes the disk for one of other sectors, as the bridge to a disk in a USB case does.
OTHER_SECTORS = """
set -e
modprobe loop
loop=$(losetup --find --show --sector-size {sector} --partscan {disk})
printf 'label: gpt\\nsize=100M, name=old\\n' | sfdisk --quiet $loop
udevadm settle
mkfs.ext4 -q -L backup ${{loop}}p1
losetup --detach $loop
udevadm settle
"""
#: What those who look with the other sectors see.
SEEN = """
loop=$(losetup --find --show --read-only --sector-size {sector} --partscan {disk})
udevadm settle
lsblk --noheadings --output LABEL $loop | xargs
losetup --detach $loop
"""
#: What is left of it, by what is taken away; in the words of a refusal.
REMAINS = {
    "all": ("true", "a GPT partition table written for sectors of {sector} bytes"),
    "copy": ("dd if=/dev/zero of={disk} bs=1M count=1 status=none", "a GPT partition table written for sectors of"),
    "protective": (
        "size=$(blockdev --getsize64 {disk}); for place in 512 4096 $((size - 512)) $((size - 4096)); do "
        "printf '\\0\\0\\0\\0\\0\\0\\0\\0' | dd of={disk} bs=1 seek=$place conv=notrunc status=none; done",
        "a protective MBR",
    ),
}


def hash_of(node: Node, disk: str) -> str:
    """Of all its bytes: what was refused has changed none."""
    return node.run(f"md5sum < {disk}")


def with_larger_sectors(node: Node, *names: str) -> list[str]:
    """Disks that have sectors of 4096 bytes from now on."""
    for serial in names:
        node.lab.pull_disk(serial)
        # Else udev may take the links of the new one away with those of the old one.
        node.run("udevadm settle")
        node.lab.insert_disk(serial, sector=4096)
        node.run("udevadm settle")
    return node.disks(*names)


def identity(disk: str) -> str:
    """What each link to it ends in."""
    return disk.rpartition("0x")[2]


def serials(found: dict[str, Any]) -> set[str]:
    return {device["serial"] for device in found["unused"]}


def tasks(disk: str, other: str) -> list[tuple[str, dict[str, Any]]]:
    """All that may want a disk."""
    return [
        ("raid", {"name": "md0", "level": "1", "devices": [other, disk]}),
        ("lvm_drive", {"name": "data", "devices": [disk]}),
        ("bcache", {"name": "cached", "backing_device": disk}),
        ("bcache", {"name": "cached", "backing_device": other, "cache_device": disk}),
        ("layout", {"partitions": [{"name": "new", "device": disk}]}),
        ("layout", {"filesystems": [{"device": disk, "type": "ext4"}]}),
    ]


@pytest.mark.parametrize("remains", REMAINS)
@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.first_case
def test_a_table_of_other_sectors_is_content(node: Node, sector: int, remains: str) -> None:
    if sector == 512:
        with_larger_sectors(node, "HDD1")
    disk, other = node.disks("HDD1", "HDD2")
    node.run(OTHER_SECTORS.format(sector=sector, disk=disk))
    taken, said = (text.format(disk=disk, sector=sector) for text in REMAINS[remains])
    node.run(f"{taken}; sync")
    before = hash_of(node, disk)

    assert serials(node.module("layout_info")) == {"HDD2", "HDD3", "HDD4", "HDD5", "HDD6", "SSD1", "SSD2"}
    for module, arguments in tasks(disk, other):
        refused = node.refusal(module, **arguments)
        assert said in refused, refused
        assert (f"losetup --read-only --sector-size {sector} --partscan" in refused) == (remains != "protective")
    chosen = {"disks": [{"name": "all", "rotational": True, "count": 6}], "raids": [raid("md0", "all")]}
    assert f"HDD1) holds {said}" in node.refusal("layout", **chosen, allow_destroy=["md0"])
    assert hash_of(node, disk) == before
    if remains == "all":
        assert node.run(SEEN.format(sector=sector, disk=disk)) == "backup"

    words: dict[str, Any] = {"partitions": [{"name": "new", "device": disk, "size": "50M"}]}
    made = node.converge("layout", **words, allow_destroy=["HDD1"])
    assert said in made["plan"][0]["destroys"][0]
    node.converge("layout", partitions=[{"name": "new", "device": disk, "state": "absent"}])
    assert "HDD1" in serials(node.module("layout_info"))
    assert node.run(SEEN.format(sector=sector, disk=disk)) == ""


def raid(name: str, *devices: str) -> dict[str, Any]:
    return {"name": name, "level": "5", "devices": [*devices]}


# Sectors of 4096 bytes among those of 512


@pytest.mark.further
def test_a_group_of_one_sector_size(node: Node) -> None:
    (large,) = with_larger_sectors(node, "HDD1")
    one, two = node.disks("HDD2", "HDD3")
    node.run(f"mkfs.ext4 -q -L backup {large}; sync")
    before = hash_of(node, large)
    words: dict[str, Any] = {"name": "data", "filesystem": "xfs", "mount_point": "/srv"}
    new = node.refusal("lvm_drive", **words, devices=[one, large], allow_destroy=True)
    assert "4096 bytes" in new
    assert node.signatures(one) == [""]
    node.module("lvm_drive", **words, devices=[one])
    refused = node.refusal("lvm_drive", **words, devices=[one, large], allow_destroy=True)
    assert "has sectors of 4096 bytes, and its other devices have sectors of 512" in refused
    assert hash_of(node, large) == before
    node.converge("lvm_drive", **words, devices=[one, two])
    both = node.module("lvm_drive", name="other", devices=[large], filesystem="xfs", allow_destroy=True)
    assert both["changed"]


@pytest.mark.further
def test_a_cache_with_larger_sectors(node: Node) -> None:
    """The kernel attaches no cache of larger blocks than those of the backing device."""
    (large,) = with_larger_sectors(node, "SSD1")
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mkfs.ext4 -q -L backup {large}; sync")
    node.module("bcache", name="old", backing_device=one)
    before = hash_of(node, large)
    refused = node.refusal("bcache", name="old", cache_device=large, allow_destroy=True)
    assert "has sectors of 4096 bytes" in refused
    assert hash_of(node, large) == before
    small = node.refusal("bcache", name="new", backing_device=large, block_size="512", allow_destroy=True)
    assert "block_size" in small
    made = node.converge("bcache", name="new", backing_device=two, cache_device=large, allow_destroy=[large])
    assert made["status"]["attached"]
    found = node.run(f"cat /sys/block/{node.guest.kernel_name('HDD2')}/bcache/dev/queue/logical_block_size")
    assert found == "4096"
    both: dict[str, Any] = {"name": "data", "devices": ["/dev/bcache/by-label/new"], "filesystem": "xfs"}
    node.converge("lvm_drive", **both, mount_point="/srv")


@pytest.mark.further
def test_a_filesystem_for_smaller_sectors(node: Node) -> None:
    """It mounts nowhere on that disk: said before anything is done."""
    (large,) = with_larger_sectors(node, "HDD1")
    small = node.disk("HDD2")
    for kind, options in (("xfs", ""), ("ext4", "-b 1024")):
        node.run(f"mkfs.{kind} -q {options} {small}; dd if={small} of={large} bs=1M status=none; udevadm settle")
        before = hash_of(node, large)
        words: dict[str, Any] = {"filesystems": [{"device": large, "type": kind, "mount_point": "/srv"}]}
        refused = node.refusal("layout", **words)
        assert f"{kind} that was made for sectors of" in refused, refused
        assert hash_of(node, large) == before
        # By its UUID, it would be this one that is mounted.
        node.run(f"wipefs --quiet --all {large}")
        words["filesystems"][0]["device"] = small
        node.converge("layout", **words)
        node.converge("layout", filesystems=[{"device": small, "state": "absent"}], allow_destroy=[small])


@pytest.mark.further
def test_a_device_that_is_too_small_for_a_group(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.module("layout", partitions=[{"name": "tiny", "device": one, "size": "3M"}])
    node.run(f"mkfs.ext2 -q {one}-part1")
    refused = node.refusal("lvm_drive", name="data", devices=[two, f"{one}-part1"], allow_destroy=True)
    assert "is too small for a device of" in refused
    assert node.signatures(f"{one}-part1", two) == ["ext2", ""]


# Disks that grew


def table(node: Node, disk: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.run(f"sfdisk --json {disk} 2>/dev/null"))["partitiontable"]
    return found


@pytest.mark.further
def test_a_disk_that_grew(node: Node) -> None:
    """The last partition, in use, and its filesystem."""
    disk = node.disk("HDD1")
    words: dict[str, Any] = {
        "partitions": [{"name": "small", "device": disk, "size": "50M"}, {"name": "data", "device": disk}],
        "filesystems": [{"device": "data", "type": "ext4", "mount_point": "/srv"}],
    }
    node.converge("layout", **words)
    node.run("echo kept > /srv/file; sync")
    node.lab.grow_disk("HDD1", 700)
    node.unchanged("layout", **words)
    words["partitions"][1]["size"] = "100%"
    grown = node.converge("layout", **words)
    assert [f"{step['action']} {step['kind']}" for step in grown["plan"]] == [
        "grow table",
        "grow partition",
        "grow filesystem",
    ]
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > 580 << 20
    assert "No errors detected." in node.run(f"sfdisk --verify {disk} 2>&1")
    node.lab.grow_disk("HDD1", 900)
    words["partitions"][1]["size"] = "700M"
    node.converge("layout", **words)
    words["partitions"].append({"name": "more", "device": disk})
    made = node.converge("layout", **words)
    assert int(made["status"]["partitions"]["more"]["size"]) > 140 << 20
    assert "No errors detected." in node.run(f"sfdisk --verify {disk} 2>&1")
    node.lab.power_cut()
    node.unchanged("layout", **words)
    assert node.run("cat /srv/file") == "kept"


@pytest.mark.further
def test_growth_that_was_cut_short(node: Node) -> None:
    """After the table grew, by a power cut; and before the kernel was told of the partition, by the end of the task."""
    disk = node.disk("HDD1")
    words: dict[str, Any] = {
        "partitions": [{"name": "data", "device": disk, "size": "100%"}],
        "filesystems": [{"device": "data", "type": "ext4", "mount_point": "/srv"}],
    }
    node.converge("layout", **words)
    node.run("echo kept > /srv/file; sync")
    node.lab.grow_disk("HDD1", 600)
    first, _partition, _filesystem = node.module("layout", check=True, **words)["plan"]
    node.run(f"{first['commands'][0]}; sync")
    node.lab.power_cut()
    first, _filesystem = node.module("layout", check=True, **words)["plan"]
    node.run(first["commands"][0])
    rest = node.converge("layout", **words)
    assert [step["action"] for step in rest["plan"]] == ["announce", "grow"]
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > 540 << 20
    assert node.run("cat /srv/file") == "kept"


@pytest.mark.further
def test_a_physical_volume_on_a_disk_that_grew(node: Node) -> None:
    disk = node.disk("HDD1")
    words: dict[str, Any] = {
        "partitions": [{"name": "pv", "device": disk, "size": "100%", "type": "lvm"}],
        "drives": [
            {"name": "data", "devices": ["pv"], "volumes": [{"name": "srv", "size": "100%", "mount_point": "/srv"}]}
        ],
    }
    node.converge("layout", **words)
    node.lab.grow_disk("HDD1", 700)
    node.converge("layout", **words)
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > 650 << 20


@pytest.mark.further
def test_a_table_of_a_larger_disk(node: Node) -> None:
    """Cloned to one that is smaller: what lies behind the end is not here."""
    large, small = node.disk("HDD1"), node.disk("SSD1")
    node.run(f"printf 'label: gpt\\nsize=50M, name=one\\nname=two\\n' | sfdisk --quiet {large}; udevadm settle")
    node.run(f"dd if={large} of={small} bs=1M count=60 status=none")
    node.reread(small)
    before = hash_of(node, small)
    words = {"partitions": [{"name": "one", "device": small, "size": "60M"}]}
    refused = node.refusal("layout", **words)
    assert "holds a GPT partition table written for sectors of 512 bytes" in refused
    assert "made for a larger device" in refused
    assert "SSD1" not in serials(node.module("layout_info"))
    assert hash_of(node, small) == before


# Tables of somebody else


MBR = r"""
set -e
printf 'label: dos\nlabel-id: 0x12345678\nunit: sectors\n
start=63, size=100000, type=83, bootable\n
start=200704, size=800000, type=5\n
start=202752, size=100000, type=83\n
start=400000, size=100000, type=8e\n' | sfdisk --quiet --wipe always {disk}
udevadm settle
mkfs.ext4 -q -L system {disk}-part1; mkfs.xfs -q -f {large}-part1; mkfs.ext4 -q -L logical {disk}-part6
"""


@pytest.mark.further
def test_an_mbr_of_somebody_else(node: Node) -> None:
    """Addressed by number or by path, grown in use, and never renumbered."""
    disk, other = node.disks("HDD1", "HDD2")
    node.run(f"printf 'label: gpt\\nsize=400M\\n' | sfdisk --quiet {other}; udevadm settle")
    node.run(MBR.format(disk=disk, large=other))
    before = {entry["node"]: entry for entry in table(node, disk)["partitions"]}
    words: dict[str, Any] = {
        "partitions": [
            {"name": "root", "device": disk, "number": 1, "size": "90M"},
            {"name": "logical", "device": f"{disk}-part6", "size": "100%"},
        ],
        "filesystems": [
            {"device": "root", "type": "ext4", "mount_point": "/srv"},
            {"device": f"{disk}-part6", "type": "ext4", "mount_point": "/mnt/logical"},
        ],
    }
    node.run(f"mount {disk}-part1 /mnt; echo kept > /mnt/file; umount /mnt")
    made = node.converge("layout", **words)
    assert [step["action"] for step in made["plan"]].count("grow") == 4
    after = {entry["node"]: entry for entry in table(node, disk)["partitions"]}
    assert after.keys() == before.keys()
    grown = (f"{disk}-part1", f"{disk}-part6")
    for name, entry in after.items():
        fixed = {word: value for word, value in entry.items() if word != "size" or name not in grown}
        assert fixed == {word: before[name][word] for word in fixed}
    assert node.run("cat /srv/file") == "kept"
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /mnt/logical")) > 200 << 20
    assert "only a GPT names" in node.refusal("layout", partitions=[{"name": "new", "device": disk}])
    assert "there is no partition 7" in node.refusal("layout", partitions=[{"name": "n", "device": disk, "number": 7}])
    gone = {"partitions": [{"name": "x", "device": disk, "number": 5, "state": "absent"}]}
    assert "renumber" in node.refusal("layout", **gone)
    node.lab.reboot()
    node.unchanged("layout", **words)
    full = {"partitions": [{"name": "root", "device": disk, "number": 1, "size": "200M"}]}
    assert "there is room for 98 MiB" in node.refusal("layout", **full)


@pytest.mark.further
def test_an_extended_partition(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(MBR.format(disk=disk, large=disk).replace("; mkfs.xfs -q -f", "; true"))
    words: dict[str, Any] = {
        "partitions": [
            {"name": "extended", "device": disk, "number": 2, "size": "100%"},
            {"name": "logical", "device": disk, "number": 6, "size": "100%"},
        ],
    }
    made = node.converge("layout", **words)
    assert [step["name"] for step in made["plan"]] == ["extended", "logical"]
    sizes = {entry["node"][-1]: entry["size"] >> 11 for entry in table(node, disk)["partitions"]}
    assert (sizes["2"], sizes["6"]) == (414, 316)
    node.lab.reboot()
    node.unchanged("layout", **words)


def test_partitions_without_a_name(node: Node) -> None:
    """As installers make them; out of order, with flags, and in use."""
    disk = node.disk("HDD1")
    node.run(
        "printf 'label: gpt\\n3: start=2048, size=100M, attrs=LegacyBIOSBootable\\n1: start=300M, size=50M\\n' | "
        f"sfdisk --quiet {disk}; udevadm settle; mkfs.ext4 -q {disk}-part3; mount {disk}-part3 /mnt"
    )
    before = table(node, disk)["partitions"]
    words: dict[str, Any] = {
        "partitions": [
            {"name": "boot", "device": disk, "number": 3, "size": "200M"},
            {"name": "rest", "device": f"{disk}-part1", "size": "100%"},
        ]
    }
    node.converge("layout", **words)
    after = table(node, disk)["partitions"]
    assert [{**entry, "size": 0} for entry in after] == [{**entry, "size": 0} for entry in before]
    assert [entry["size"] >> 11 for entry in after] == [211, 200]
    node.converge("layout", partitions=[{"name": "new", "device": disk, "size": "10M", "number": 9}])
    assert node.run(f"lsblk --noheadings --output PARTLABEL {disk}-part9") == "new"


@pytest.mark.further
def test_one_name_on_two_disks(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    for disk in (one, two):
        node.run(f"printf 'label: gpt\\nsize=50M, name=data\\n' | sfdisk --quiet {disk}; udevadm settle")
    node.run(f"mkfs.ext4 -q -L first {one}-part1; mkfs.ext4 -q -L second {two}-part1; sync")
    before = hash_of(node, one)
    words: dict[str, Any] = {
        "partitions": [{"name": "data", "device": two, "size": "100M"}],
        "filesystems": [{"device": "data", "type": "ext4", "mount_point": "/srv"}],
    }
    node.converge("layout", **words)
    assert node.run("findmnt --noheadings --output LABEL /srv") == "second"
    assert hash_of(node, one) == before
    gone = {"partitions": [{"name": "data", "device": one, "state": "absent"}]}
    node.converge("layout", **gone, allow_destroy=[f"{one}-part1"])
    assert node.signatures(one) == [""]


@pytest.mark.further
def test_where_no_partition_can_be(node: Node) -> None:
    """Known from the table, and from the kernel, before the first step."""
    full, few, held, lvm = node.disks("HDD1", "HDD2", "HDD3", "HDD4")
    lines = "".join("size=1M\\n" for _number in range(128))
    node.run(f"printf 'label: gpt\\n{lines}' | sfdisk --quiet {full}")
    node.run(f"printf 'label: gpt\\ntable-length: 4\\n{lines[:36]}' | sfdisk --quiet {few}")
    node.run(
        f"printf 'label: gpt\\nsize=100M, name=one\\n' | sfdisk --quiet {held}; udevadm settle;"
        f"mdadm --create /dev/md7 --run --level=1 --metadata=1.0 --raid-devices=2 {held} missing; udevadm settle;"
        f"vgcreate --quiet data {lvm}; lvcreate --quiet --yes -n srv -L 200M data"
    )
    for device, said in (
        (full, "all 128"),
        (few, "all 4"),
        (held, "is held by /dev/md7"),
        ("/dev/data/srv", "the kernel shows no partitions"),
    ):
        before = hash_of(node, device)
        refused = node.refusal("layout", partitions=[{"name": "new", "device": device, "size": "10M"}])
        assert said in refused, refused
        assert hash_of(node, device) == before
    node.run("mdadm --stop /dev/md7; udevadm settle")
    refused = node.refusal("layout", partitions=[{"name": "one", "device": held, "size": "200M"}])
    assert "membership of a RAID array" in refused


# Which disks are chosen, and which may be destroyed


@pytest.mark.further
def test_disks_that_hold_something_are_not_chosen(node: Node) -> None:
    kept, other = node.disks("HDD6", "HDD5")
    node.run(f"mkfs.ext4 -q -L backup {kept}; mkfs.ext4 -q -L scratch {other}; sync")
    before = hash_of(node, kept)
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "rotational": True, "count": 6}],
        "raids": [raid("md0", "slow")],
    }
    for allow in ([], ["md0"], ["md0", "HDD6"], [kept]):
        refused = node.refusal("layout", **words, allow_destroy=allow)
        assert 'HDD6) holds an ext4 filesystem labelled "backup"' in refused
    assert hash_of(node, kept) == before
    words["disks"][0]["count"] = 4
    made = node.module("layout", check=True, **words)
    assert not any(step["destroys"] for step in made["plan"])

    words["disks"][0].update(count=6, allow_data=True)
    refused = node.refusal("layout", **words, allow_destroy=["HDD5"])
    assert 'labelled "backup"' in refused
    assert f"{identity(kept)} in allow_destroy" in refused
    assert "WDH0001 is no item" in node.refusal("layout", **words, allow_destroy=["WDH0001"])
    assert hash_of(node, kept) == before
    made = node.module("layout", **words, allow_destroy=["HDD5", kept])
    assert sum(len(step["destroys"]) for step in made["plan"]) == 2
    node.unchanged("layout", **words)
    words["disks"][0].pop("allow_data")
    node.unchanged("layout", **words)


def test_permission_for_one_device(node: Node) -> None:
    """It goes no further than to that device, and its partitions."""
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mkfs.ext4 -q -L kept {one}; mkfs.ext4 -q -L gone {two}; sync")
    words: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two]}
    refused = node.refusal("raid", **words, allow_destroy=[two])
    assert f"{identity(one)} in allow_destroy" in refused
    assert node.signatures(one, two) == ["ext4", "ext4"]
    node.run(f"wipefs --quiet --all {one}")
    made = node.converge("raid", **words, allow_destroy=["HDD2"])
    assert [sentence for step in made["plan"] for sentence in step["destroys"]] == [
        f"{node.run(f'readlink -e {two}')}: {made['plan'][0]['detail']}"
    ]
    node.run("mkfs.xfs -q /dev/md0")
    gone = {"name": "md0", "state": "absent"}
    assert "holds an xfs filesystem" in node.refusal("raid", **gone, allow_destroy=[one])
    node.converge("raid", **gone, allow_destroy=["/dev/md0"])


@pytest.mark.further
def test_a_table_that_was_cut_short_is_gone_on_with(node: Node) -> None:
    """Of disks that are chosen by what they are: an empty table holds nothing."""
    for disk in node.disks("SSD1", "SSD2"):
        node.run(f"echo 'label: gpt' | sfdisk --quiet {disk}")
    words: dict[str, Any] = {
        "disks": [{"name": "fast", "rotational": False, "count": 2}],
        "partitions": [{"name": name, "device": f"fast[{number}]"} for number, name in enumerate(("left", "right"))],
    }
    node.converge("layout", **words)
