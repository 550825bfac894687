# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices that show the content of what they are a part of, that are here twice, or that hold more than they can."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node


def parts(node: Node, **sizes: str) -> list[str]:
    """A partition of each of these disks."""
    for serial, size in sizes.items():
        node.run(f"printf 'label: gpt\\nsize={size}\\n' | sfdisk --quiet {node.disk(serial)}")
    node.run("udevadm settle")
    return [f"{node.disk(serial)}-part1" for serial in sizes]


def refused(node: Node, *words: str, module: str = "layout", **arguments: Any) -> str:
    """Why a task is refused, with these words in it; not a byte on any disk, and no file, has changed."""
    # To what is mounted the kernel goes on writing, such as the tables of a new ext4.
    each = "for part in /dev/sd?1; do grep -q ^$part' ' /proc/mounts || md5sum $part; done"
    look = f"sync; cat /etc/fstab /proc/mounts /proc/swaps; ls -a / /srv; {each}"
    node.run("mkdir -p /srv")
    before = node.run(look)
    said = node.refusal(module, **arguments)
    assert node.run(look) == before
    assert [word for word in words if word not in said] == [], said
    return said


def mirror(metadata: str, *members: str) -> str:
    return (
        f"mdadm --create /dev/md0 --run --quiet --level=1 --metadata={metadata} --assume-clean "
        f"--raid-devices={len(members)} {' '.join(members)}; udevadm settle; "
    )


@pytest.mark.parametrize("metadata", ["1.0", "0.90"])
@pytest.mark.first_case
def test_content_seen_through_a_member_of_an_array(node: Node, metadata: str) -> None:
    one, two = parts(node, HDD1="60M", HDD2="80M")
    for kind, make in (("ext4", "mkfs.ext4 -q -L good"), ("swap", "mkswap -q -L good")):
        node.run(f"{mirror(metadata, one, two)} {make} /dev/md0; udevadm settle")
        item = {"device": two, "type": kind}
        put = {} if kind == "swap" else {"mount_point": "/srv"}
        refused(node, "is held by /dev/md0", filesystems=[item | put], allow_destroy=[two])
        refused(node, "is held by /dev/md0", filesystems=[item | {"label": "evil"}])
        node.run("mdadm --stop /dev/md0; udevadm settle")
        uuid = node.run(f"mdadm --examine --export {one} | sed -n s/MD_UUID=//p").replace(":", "")
        first = node.run(f"readlink -f {one}")
        for words in (put, {"label": "evil"}):
            refused(node, f"UUID {uuid}, also on {first}", "Start the array", filesystems=[item | words])
        listed = {item["device"] for item in node.module("layout_info")["layout"]["filesystems"]}
        assert listed.isdisjoint({one, two, first})
        node.run(f"wipefs -qa {one} {two}")


@pytest.mark.further
def test_bcache_seen_through_a_member_of_a_stopped_array(node: Node) -> None:
    one, two = parts(node, HDD1="60M", HDD2="60M")
    node.run(f"{mirror('1.0', one, two)} modprobe bcache; make-bcache -B /dev/md0; udevadm settle")
    node.run("echo 1 > /sys/block/md0/bcache/stop; udevadm settle")
    node.guest.until("[ ! -e /sys/block/bcache0 ] && mdadm --stop /dev/md0")
    node.run("udevadm settle")
    refused(node, "membership of a RAID array", module="bcache", name="cached", backing_device=one)
    assert node.module("layout_info")["layout"]["bcaches"] == []
    node.run(f"mdadm --assemble /dev/md0 {one} {two}; udevadm settle")
    node.converge("bcache", name="cached", backing_device="/dev/md0")


@pytest.mark.further
def test_partitions_of_a_member_of_a_stopped_array(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    table = "printf 'label: gpt\\nsize=60M,name=inner\\n' | sfdisk --quiet /dev/md0"
    node.run(f"{mirror('1.0', one, two)} {table}; udevadm settle; mkfs.ext4 -q /dev/md0p1")
    node.run(f"mdadm --stop /dev/md0; udevadm settle; partx -a {one}; udevadm settle")
    item = {"device": f"{one}-part1", "type": "ext4"}
    for words in ({"label": "evil"}, {"mount_point": "/srv"}):
        refused(node, "its disk /dev/sd", "has a superblock of RAID array", filesystems=[item | words])


@pytest.mark.further
def test_a_superblock_of_a_former_life_below_partitions_in_use(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mdadm --create /dev/md9 --run --level=1 --metadata=1.2 --raid-devices=2 {one} {two} 2>&1")
    node.run("mdadm --detail --scan | sed 's,ARRAY [^ ]*,ARRAY <ignore>,' >> /etc/mdadm/mdadm.conf")
    node.run("udevadm settle; mdadm --stop /dev/md9; udevadm settle")
    node.run(f"printf 'label: dos\\nsize=40M\\nsize=40M\\n' | sfdisk --quiet --wipe never {one}; udevadm settle")
    name = node.run(f"readlink -f {one}")
    node.reread(one)
    node.run(f"mkfs.ext4 -q {name}1; mkdir /p; mount {name}1 /p")
    node.run(f"echo '{name}1 /p ext4 defaults,nofail 0 2' >> /etc/fstab")
    new = {"device": f"{name}2", "type": "ext4", "mount_point": "/n"}
    node.converge("layout", filesystems=[{"device": f"{name}1", "mount_options": "noatime,nofail"}, new])
    assert {item.get("mount_point") for item in node.module("layout_info")["layout"]["filesystems"]} >= {"/p", "/n"}


@pytest.mark.further
def test_what_a_disk_was_before_it_got_a_table(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"vgcreate -q data {one}; lvcreate -qy -n v -L 8M data; vgchange -qan data")
    node.run(f"printf 'label: dos\\nsize=60M\\nsize=40M\\n' | sfdisk --quiet --wipe never {one}; udevadm settle")
    assert "LVM2_member" in node.signatures(one)[0]
    refused(
        node, "take the other's signature away", partitions=[{"name": "x", "device": one, "number": 2, "size": "80M"}]
    )
    node.run(f"mkfs.ext4 -q {one}-part1; mkdir /p; mount {one}-part1 /p")
    assert [item["problem"] for item in node.module("layout_info")["health"]] == []
    node.converge("layout", partitions=[{"name": "x", "device": one, "number": 2, "size": "80M"}])
    node.converge("lvm_drive", name="data", devices=[two], mount_point="/srv", filesystem="ext4")


@pytest.mark.further
def test_what_lies_below_a_snapshot(node: Node) -> None:
    (one,) = parts(node, HDD1="120M")
    node.run(f"vgcreate data {one}; lvcreate -y -L 20M -n o data; mkfs.ext4 -q /dev/data/o")
    node.run("lvcreate -y -L 20M -s -n s data/o; udevadm settle")
    for label in ("evil", "worse"):
        item = {"device": "/dev/mapper/data-o-real", "label": label}
        refused(node, "is held by /dev/mapper/", filesystems=[item], allow_destroy=[one])
    node.converge("layout", filesystems=[{"device": "/dev/data/o", "label": "good", "mount_point": "/srv"}])


@pytest.mark.further
def test_a_second_signature_beside_a_filesystem(node: Node) -> None:
    (one,) = parts(node, HDD1="120M")
    node.run(f"mkfs.btrfs -q {one}; dd if={one} of=/root/btrfs bs=1M count=50 status=none; wipefs -qa {one}")
    node.run(
        f"pvcreate -q {one}; dd if=/root/btrfs of={one} bs=64K skip=1 seek=1 status=none conv=fsync; udevadm settle"
    )
    assert set(node.signatures(one)[0].split()) == {"LVM2_member", "btrfs"}
    for words in ({"label": "evil"}, {"mount_point": "/srv"}):
        refused(node, "an LVM2 physical volume", "beside", filesystems=[{"device": one, "type": "btrfs"} | words])


def copied(node: Node, make: str, *names: str) -> list[str]:
    """Two partitions with one filesystem, of which the second says that it is stale, and is what udev links to."""
    one, two = parts(node, **dict.fromkeys(names, "320M" if "xfs" in make else "40M"))
    node.run(
        f"{make} {one}; mount {one} /mnt; echo good > /mnt/file; umount /mnt; dd if={one} of={two} bs=4M status=none"
    )
    node.run(f"mount {two} /mnt; echo stale > /mnt/file; umount /mnt; sync; udevadm settle")
    node.run(f"udevadm trigger --settle {node.run(f'readlink -f {two}')}")
    return [one, two]


@pytest.mark.parametrize("make", ["mkfs.ext4 -q -L L", "mkfs.xfs -q"])
@pytest.mark.first_case
def test_a_filesystem_that_is_here_twice(node: Node, make: str) -> None:
    one, two = copied(node, make, "HDD1", "HDD2")
    item = {"device": one, "type": make[len("mkfs.") :].partition(" ")[0], "mount_point": "/srv"}
    both = [node.run(f"readlink -f {part}") for part in (one, two)]
    refused(node, f"{both[0]} and {both[1]} have one UUID", filesystems=[item | {"boot_required": True}])
    if "ext4" in make:
        node.run(
            f"e2fsck -f -p {two} && tune2fs -U random {two} && udevadm settle; "
            "echo 'LABEL=L /srv ext4 nofail 0 2' >> /etc/fstab"
        )
        refused(node, f"{both[0]} and {both[1]} have one LABEL", filesystems=[item])
        # What a boot finds by its path is mounted, and is what was asked for.
        node.run(f"sed -i 's,^LABEL=L,{one},' /etc/fstab")
        node.converge("layout", filesystems=[item])
        assert node.run("cat /srv/file") == "good"
        node.run(f"umount /srv; tune2fs -U $(blkid -o value -s UUID {one}) {two}; mount /srv; udevadm settle")
        node.unchanged("layout", filesystems=[item])
        told = [(found["problem"], found["device"]) for found in node.module("layout_info")["health"]]
        assert told == [("twice", both[0])]


@pytest.mark.further
def test_the_line_of_a_copys_original_stays(node: Node) -> None:
    """What is done to a copy is done to the copy: the line that finds both is of what is mounted."""
    good, copy = copied(node, "mkfs.ext4 -q -L L", "HDD1", "HDD2")
    node.run(f"e2fsck -f -p {copy} && tune2fs -U random {copy} && udevadm settle")
    node.run(f"mkdir /d; echo 'LABEL=L /d ext4 defaults,nofail 0 2' >> /etc/fstab; mount {good} /d")
    fstab = node.run("cat /etc/fstab")
    node.unchanged("layout", filesystems=[{"device": copy, "mount_point": ""}])
    node.converge("layout", filesystems=[{"device": copy, "label": "new"}])
    refused(node, "a boot could not tell the two", filesystems=[{"device": copy, "label": "L"}])
    node.run(f"tune2fs -L L {copy} && udevadm trigger --settle")
    node.converge("layout", filesystems=[{"device": copy, "mount_point": "/d2"}])
    assert node.run("cat /d/file /d2/file") == "good\nstale"
    node.converge("layout", filesystems=[{"device": copy, "mount_point": ""}])
    node.converge("layout", filesystems=[{"device": copy, "state": "absent"}], allow_destroy=[copy])
    assert node.run("cat /etc/fstab") == fstab
    node.lab.reboot()
    assert node.run("cat /d/file") == "good"


@pytest.mark.further
@pytest.mark.parametrize("table", ["gpt", "dos"])
@pytest.mark.first_case
def test_a_cloned_disk_whose_partitions_have_one_uuid(node: Node, table: str) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"printf 'label: {table}\\nsize=40M\\n' | sfdisk --quiet {one}; udevadm settle; mkfs.ext4 -q {one}-part1")
    node.run(f"dd if={one} of={two} bs=4M count=16 status=none")
    node.reread(two)
    node.run(f"tune2fs -U random {two}-part1 && udevadm trigger --settle $(readlink -f {two}-part1)")
    tag = node.run(f"blkid -o value -s PARTUUID {one}-part1")
    node.run(f"echo 'PARTUUID={tag} /p ext4 defaults,nofail 0 2' >> /etc/fstab; mkdir /p; mount {one}-part1 /p")
    fstab = node.run("cat /etc/fstab")
    found = node.module("layout_info")
    assert {item["problem"] for item in found["health"]} == {"twice"}
    there = [item["device"] for item in found["layout"]["filesystems"] if item.get("mount_point") == "/p"]
    assert [node.run(f"readlink -f {path}") for path in there] == [node.run(f"readlink -f {one}-part1")]
    node.converge("layout", filesystems=[{"device": f"{two}-part1", "state": "absent"}], allow_destroy=[f"{two}-part1"])
    assert node.run("cat /etc/fstab") == fstab


@pytest.mark.further
def test_swap_with_a_priority_and_a_copy_of_it(node: Node) -> None:
    one, two = parts(node, HDD1="40M", HDD2="40M")
    item = {"device": one, "type": "swap", "mount_options": "pri=5"}
    node.converge("layout", filesystems=[item])
    assert node.run("swapon --show=PRIO --noheadings") == "5"
    node.run(f"dd if={one} of={two} bs=1M status=none; udevadm settle")
    refused(node, "have one UUID", "has swap", filesystems=[{"device": two, "type": "swap"}])
    fstab = node.run("cat /etc/fstab")
    node.converge("layout", filesystems=[{"device": two, "state": "absent"}], allow_destroy=[two])
    assert node.run("cat /etc/fstab") == fstab
    node.unchanged("layout", filesystems=[item])


@pytest.mark.further
def test_what_was_mounted_by_hand_comes_back_as_it_was(node: Node) -> None:
    one, two = parts(node, HDD1="160M", HDD2="40M")
    node.run(f"vgcreate data {one}; lvcreate -y -n v -L 100M data; mkfs.ext4 -q /dev/data/v; mkfs.ext4 -q {two}")
    node.run("mkdir /usb; mount /dev/data/v /usb; echo own > /usb/file")
    words = {"name": "data", "volumes": [{"name": "v", "size": "60M"}], "allow_shrink": True, "allow_offline": True}
    other = f"UUID={node.run(f'blkid -o value -s UUID {two}')} /usb ext4 noauto 0 0"
    node.run(f"cp /etc/fstab /root/fstab; echo '{other}' >> /etc/fstab")
    refused(node, "has no line by which", "is mounted on /usb", module="lvm_drive", **words)
    own = f"UUID={node.run('blkid -o value -s UUID /dev/data/v')} /usb ext4 noauto,noatime 0 0"
    node.run(f"echo '{own}' >> /etc/fstab")
    node.converge("lvm_drive", **words)
    assert node.run("cat /usb/file") == "own"
    assert "noatime" in node.run("findmnt -no OPTIONS /usb")
    node.unchanged("layout", **node.module("layout_info")["layout"])


@pytest.mark.further
def test_a_filesystem_or_a_group_that_is_larger_than_its_device(node: Node) -> None:
    one, two = parts(node, HDD1="80M", HDD2="80M")
    node.run(f"mkfs.ext4 -q {one}; vgcreate data {two}; lvcreate -y -n v -l 100%FREE data; vgchange -an data")
    for serial in ("HDD1", "HDD2"):
        smaller = "sfdisk --quiet --wipe never --wipe-partitions never"
        node.run(f"printf 'label: gpt\\nsize=50M\\n' | {smaller} {node.disk(serial)}; udevadm settle")
    refused(node, "its ext4 spans 80 MiB, and", filesystems=[{"device": one, "type": "ext4", "mount_point": "/srv"}])
    words = {"name": "data", "volumes": [{"name": "w", "size": "20M", "filesystem": "ext4"}]}
    refused(node, "it was made smaller", module="lvm_drive", devices=[two, node.disk("HDD3")], **words)
    told = [found["problem"] for found in node.module("layout_info")["health"]]
    assert told == ["cut off", "cut off"]


@pytest.mark.further
def test_what_the_kernel_does_not_grow(node: Node) -> None:
    (one,) = parts(node, HDD1="120M")
    words: dict[str, Any] = {"name": "data", "filesystem": "ext4", "mount_point": "/srv"}
    node.module("lvm_drive", **words, size="32M", devices=[one])
    node.run("mount -o remount,ro /srv")
    refused(node, "is mounted read-only on /srv", module="lvm_drive", **words, size="64M")
    node.run("mount -o remount,rw /srv")
    refused(node, "is mounted read-only", module="lvm_drive", **words, size="64M", mount_options="ro")
    node.run("umount /srv; debugfs -w -R 'ssv state 2' /dev/data/data; mount /dev/data/data /srv")
    refused(node, "says that errors were found in it", module="lvm_drive", **words, size="64M")
    assert [found["problem"] for found in node.module("layout_info")["health"]] == ["errors"]
    node.run("umount /srv; e2fsck -f -y /dev/data/data || true")
    node.converge("lvm_drive", **words, size="64M")


@pytest.mark.further
def test_a_mount_point_that_only_the_kernel_can_make(node: Node) -> None:
    (one,) = parts(node, HDD1="40M")
    for point in ("/proc/x", "/sys/x", "/sys/fs/cgroup/x"):
        item = {"device": one, "type": "ext4", "mount_point": point}
        refused(node, f"{point} is inside /", filesystems=[item])


@pytest.mark.further
def test_a_copy_of_a_backing_device(node: Node) -> None:
    one, two = parts(node, HDD1="40M", HDD2="40M")
    node.module("bcache", name="cached", backing_device=one)
    node.run(f"dd if={one} of={two} bs=4M status=none conv=fsync; udevadm settle")
    both = " and ".join(node.run(f"readlink -f {part}") for part in (one, two))
    refused(node, f"{both} are copies of one backing device", module="bcache", name="cached")
    # udev has the kernel run the copy as well.
    assert {found["problem"] for found in node.module("layout_info")["health"]} == {"twice"}


@pytest.mark.further
def test_swap_of_a_system_that_hibernates(node: Node) -> None:
    (one,) = parts(node, HDD1="40M")
    image = f"dd of={one} bs=1 seek=4086 conv=notrunc,fsync status=none"
    node.run(f"mkswap -q {one}; printf 'S1SUSPEND\\0' | {image}; udevadm settle")
    said = refused(node, "memory of a system that hibernates", filesystems=[{"device": one, "type": "swap"}])
    assert "allow_destroy" not in said


@pytest.mark.further
def test_a_second_line_that_mounts_nothing_by_itself_stays(node: Node) -> None:
    (one,) = parts(node, HDD1="40M")
    node.module("layout", filesystems=[{"device": one, "type": "ext4", "mount_point": "/srv"}])
    uuid = node.run(f"blkid --output value --match-tag UUID {one}")
    node.run(f"echo 'UUID={uuid} /other ext4 noauto 0 2' >> /etc/fstab")
    node.converge("layout", filesystems=[{"device": one, "mount_point": ""}])
    assert node.run(f"grep {uuid} /etc/fstab") == f"UUID={uuid} /other ext4 noauto 0 2"


def test_a_drive_whose_array_does_not_run(node: Node) -> None:
    one, two = parts(node, HDD1="60M", HDD2="60M")
    node.module("raid", name="md0", level="1", devices=[one, two])
    node.guest.until("[ $(cat /sys/block/md0/md/sync_action) = idle ]")
    words: dict[str, Any] = {"name": "data", "filesystem": "ext4", "size": "32M", "mount_point": "/srv"}
    node.module("lvm_drive", **words, devices=["/dev/md0"])
    node.run("umount /srv; vgchange -an data; mdadm --stop /dev/md0; udevadm settle")
    refused(node, "it lies on /dev/md0, which does not run", module="lvm_drive", name="data", state="absent")
    node.module("raid", name="md0")
    node.run("vgchange -ay data")
    node.module("lvm_drive", name="data", state="absent", allow_destroy=True)
    node.module("raid", name="md0", state="stopped")
    node.unchanged("lvm_drive", name="data", state="absent")


@pytest.mark.further
def test_one_device_of_a_btrfs_on_several(node: Node) -> None:
    one, two = parts(node, HDD1="120M", HDD2="120M")
    node.run(f"mkfs.btrfs -q {one} {two}; udevadm settle")
    other = node.run(f"readlink -f {two}")
    item = {"device": one, "state": "absent"}
    refused(node, f"which spans 2 devices (also {other})", filesystems=[item])
    checked = node.check("layout", filesystems=[item], allow_destroy=[one])
    assert f"which spans 2 devices (also {other})" in str([step["destroys"] for step in checked["plan"]])


@pytest.mark.further
def test_a_seed_of_another_btrfs(node: Node) -> None:
    seed, sprout = parts(node, HDD1="150M", HDD2="150M")
    node.run(f"mkfs.btrfs -q {seed}; mount {seed} /mnt; echo kept > /mnt/file; umount /mnt; btrfstune -S 1 {seed}")
    node.run(f"mount {seed} /mnt 2> /dev/null; btrfs device add -fK {sprout} /mnt; umount /mnt; udevadm settle")
    refused(node, "the seed of other filesystems", filesystems=[{"device": seed, "label": "x"}])
    refused(node, "each filesystem that was made on it is lost", filesystems=[{"device": seed, "state": "absent"}])
    told = node.check("layout", filesystems=[{"device": seed, "state": "absent"}], allow_destroy=[seed])
    assert "each filesystem that was made on it is lost" in str([step["destroys"] for step in told["plan"]])


@pytest.mark.further
def test_swap_that_nobody_declares(node: Node) -> None:
    """The document has no word for a swap area that no boot uses, so mode exact leaves it as it is."""
    one, two = parts(node, HDD1="40M", HDD2="40M")
    node.run(f"mkswap -q {one}; mkfs.ext4 -q {two}; udevadm settle")
    for use in ("true", f"swapon {one}"):
        node.run(use)
        node.unchanged("layout", mode="exact", **node.module("layout_info")["layout"])
    assert node.signatures(one) == ["swap"]


@pytest.mark.further
def test_labels_and_sizes_of_an_old_host(node: Node) -> None:
    """A label that no new filesystem gets, and filesystems that are smaller than their devices, stay as they are."""
    disk = node.disk("HDD1")
    table = "label: gpt" + 4 * "\\nsize=60M"
    node.run(f"printf '{table}\\n' | sfdisk --quiet {disk}; udevadm settle")
    data, idle, read_only, damaged = (f"{disk}-part{number}" for number in range(1, 5))
    node.run(f"mkfs.ext4 -q -L 'My Data' {data}; mkdir -p '/my data' /ro /idle")
    node.run(f"for part in {idle} {read_only} {damaged}; do mkfs.ext4 -q $part 40M; done")
    node.run(f"debugfs -w -R 'ssv state 2' {damaged}; udevadm settle")
    lines = ("LABEL=My\\\\040Data /my\\\\040data ext4 defaults 0 2", f"{read_only} /ro ext4 ro 0 2")
    node.run(f"printf '%b\\n' '{lines[0]}' '{lines[1]}' >> /etc/fstab; mount '/my data'; mount /ro")
    layout = node.module("layout_info")["layout"]
    assert sorted(item.get("label", "") for item in layout["filesystems"]) == ["", "", "", "My Data", "boot"]
    node.unchanged("layout", **layout)
    node.unchanged("layout", mode="exact", **layout)
    put = {"mount_point": "/my data", "mount_options": "noatime"}
    node.converge("layout", filesystems=[{"device": data, "label": "My Data", **put}])
    node.converge("layout", filesystems=[{"device": idle, "mount_point": "/idle"}])
    assert "holds a character" in node.refusal("layout", filesystems=[{"device": idle, "label": "My Data"}])


@pytest.mark.further
def test_a_btrfs_on_several_devices_that_is_mounted(node: Node) -> None:
    one, two = parts(node, HDD1="300M", HDD2="300M")
    node.run(f"mkfs.btrfs -q -L pool -d raid1 -m raid1 {one} {two}; mkdir /b; udevadm settle")
    node.run("echo 'LABEL=pool /b btrfs defaults 0 0' >> /etc/fstab; mount /b")
    layout = node.module("layout_info")["layout"]
    assert [item.get("mount_point") for item in layout["filesystems"] if item["type"] == "btrfs"] == ["/b", None]
    node.unchanged("layout", **layout)
    node.unchanged("layout", mode="exact", **layout)
    disk = node.disk("HDD2")
    node.run(f"echo ', 400M' | sfdisk --quiet --force -N 1 {disk}; partx -u {disk}; udevadm settle")
    node.converge("layout", filesystems=[{"device": two, "mount_point": "/b"}])
    # Each by its number, which a device that came later has for good.
    node.run(f"vgcreate data {node.disk('HDD3')}; lvcreate -qy -L 300M -n v data; btrfs device add -fK /dev/data/v /b")
    node.run(f"btrfs device remove {one} /b; udevadm settle")
    node.converge("lvm_drive", name="data", volumes=[{"name": "v", "size": "320M"}])
    node.converge("lvm_drive", name="data", volumes=[{"name": "v", "size": "300M"}], allow_shrink=True)


@pytest.mark.parametrize("level", ["1", "5"])
@pytest.mark.first_case
def test_all_layers_grow_in_one_document(node: Node, level: str) -> None:
    serials = ("HDD1", "HDD2") if level == "1" else ("HDD1", "HDD2", "HDD3")
    members = parts(node, **dict.fromkeys(serials, "60M"))
    node.module("raid", name="md0", level=level, devices=members, wait=True)
    document: dict[str, Any] = {
        "partitions": [
            {"name": f"m{index}", "device": node.disk(serial), "number": 1, "size": "60M"}
            for index, serial in enumerate(serials)
        ],
        "raids": [{"name": "md0", "level": level, "devices": members, "size": "max"}],
        "drives": [
            {
                "name": "data",
                "devices": ["md0"],
                "volumes": [{"name": "v", "size": "100%", "filesystem": "ext4", "mount_point": "/srv"}],
            }
        ],
    }
    node.converge("layout", **document)
    node.run("echo kept > /srv/file; sync")
    for item in document["partitions"]:
        item["size"] = "123M"
    grown = node.converge("layout", **document)
    assert [step["kind"] for step in grown["plan"]] == ["partition"] * len(serials) + [
        "raid",
        "drive",
        "volume",
        "volume",
    ]
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > (100 << 20) * (len(serials) - 1)
    assert node.run("cat /srv/file") == "kept"


@pytest.mark.further
def test_an_array_and_a_partition_on_it_grow_in_one_document(node: Node) -> None:
    members = parts(node, HDD1="60M", HDD2="60M")
    node.module("raid", name="md0", level="1", devices=members, wait=True)
    document: dict[str, Any] = {
        "partitions": [
            *({"name": f"m{n}", "device": node.disk(f"HDD{n}"), "number": 1, "size": "60M"} for n in (1, 2)),
            {"name": "inner", "device": "md0", "size": "100%"},
        ],
        "raids": [{"name": "md0", "level": "1", "devices": members, "size": "max"}],
        "filesystems": [{"device": "inner", "type": "ext4", "mount_point": "/srv"}],
    }
    node.converge("layout", **document)
    for item in document["partitions"][:2]:
        item["size"] = "120M"
    node.converge("layout", **document)
    assert int(node.run("findmnt --noheadings --bytes --output SIZE /srv")) > 90 << 20
