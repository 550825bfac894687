# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives on hosts with a past: names that LVM reserves, groups of others, copies and older states, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node


def untouched(node: Node, message: str, **words: Any) -> None:
    """A task is refused with these words, and no disk is written to. What is mounted may write by itself: it waits."""
    node.run("for point in /srv /mnt; do ! mountpoint -q $point || fsfreeze --freeze $point; done")
    before = node.lab.disk_writes()
    try:
        assert message in node.refusal("lvm_drive", **words)
        assert node.lab.disk_writes() == before
    finally:
        node.run("for point in /srv /mnt; do ! mountpoint -q $point || fsfreeze --unfreeze $point; done")


@pytest.mark.further
def test_names_that_lvm_does_not_take(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(f"mkfs.ext4 -q {disk}; vgcreate data {node.disk('HDD2')}; sync")
    for name in ("snapshot-x", "pvmove1", "db_tdata", "a_vorigin", "x" * 121):
        refused = node.guest.run(f"lvcreate --activate n --wipesignatures n -l 1 --name {name} data", check=False)
        assert refused.returncode
        untouched(node, "LVM", name="data", volume_name=name, devices=[disk], allow_destroy=True)
    untouched(node, "/dev/disk exists, and LVM needs that path", name="disk", devices=[disk], allow_destroy=True)
    assert node.signatures(disk) == ["ext4"]


@pytest.mark.further
def test_two_groups_of_one_name(node: Node) -> None:
    node.run(f"vgcreate data {node.disk('HDD1')}; lvcreate -y -L 40M -n a data; vgchange -an data; sync")
    node.lab.pull_disk("HDD1")
    node.run(f"vgcreate data {node.disk('HDD2')}; lvcreate -y -L 40M -n a data; sync")
    node.lab.insert_disk("HDD1")
    node.run("udevadm settle")
    words: dict[str, Any] = {"name": "data", "volumes": [{"name": "a", "size": "60M"}]}
    for state in ("online", "offline", "absent"):
        untouched(node, "there are 2 volume groups of that name", **words, state=state, allow_destroy=True)
    uuid = node.run(f"pvs --noheadings -o vg_uuid {node.disk('HDD1')}")
    node.run(f"vgrename {uuid} other")
    node.converge("lvm_drive", name="data", volumes=[{"name": "a", "filesystem": "ext4", "mount_point": "/srv"}])


@pytest.mark.further
def test_half_of_a_mirror_that_lvm_takes_for_the_mirror(node: Node) -> None:
    """A former member with the metadata at its end shows what was on the array, and a boot may run on it."""
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mdadm --create /dev/md/m --run --level=1 --metadata=1.0 --raid-devices=2 {one} {two}; udevadm settle")
    node.run("mdadm --wait /dev/md/m || true")
    drive: dict[str, Any] = {"name": "data", "filesystem": "ext4", "size": "40M", "mount_point": "/srv"}
    node.module("lvm_drive", **drive, devices=["/dev/md/m"])
    node.run(f"mdadm /dev/md/m --fail {two} --remove {two}; mdadm --zero-superblock {two}; udevadm settle")
    node.run("echo newer > /srv/file; sync; lvcreate -an -y -L 8M -n later data; sync")
    warned = node.unchanged("lvm_drive", **drive)
    assert f"{node.run(f'readlink -f {two}')} is an older copy of a physical volume of group data" in str(warned)
    assert "is an older copy" in node.refusal("lvm_drive", **drive, devices=["/dev/md/m", two])
    assert "cannot be removed while" in node.refusal(
        "lvm_drive", name="data", volumes=[{"name": "data"}, {"name": "later"}], state="absent", allow_destroy=True
    )
    # A copy of that: LVM itself sees two of them now.
    three = node.disk("HDD3")
    node.run(f"dd if={two} of={three} bs=1M count=50 status=none conv=fsync; udevadm settle")
    new: dict[str, Any] = {"name": "data", "volumes": [{"name": "new", "size": "12M", "filesystem": "ext4"}]}
    for words in (drive, new, {"name": "data", "state": "offline"}):
        assert "LVM changes nothing in the group while it sees both" in node.refusal("lvm_drive", **words)
    node.run(f"wipefs -qa {three}; umount /srv; vgchange -an data; mdadm --stop /dev/md/m; udevadm settle")
    # As udev does where the array comes late.
    node.run(f"vgchange -ay data --devices {two}; mdadm --assemble /dev/md/m {one} --run; udevadm settle")
    for words in ({**drive, "size": "60M"}, {"name": "data", "state": "offline"}):
        assert "what was written since they were activated is only there" in node.refusal("lvm_drive", **words)


def test_a_physical_volume_that_went_its_own_way(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    drive: dict[str, Any] = {"name": "data", "filesystem": "ext4", "size": "200M", "mount_point": "/srv"}
    node.module("lvm_drive", **drive, devices=[one, two])
    node.run(f"lvcreate -y -L 100M -n old data {two}; mkfs.ext4 -q /dev/data/old; lvchange -an data/old; sync")
    node.lab.pull_disk("HDD2")
    assert "is missing, and what lies on it cannot be read: " in node.refusal("lvm_drive", **drive)
    node.run("vgreduce --removemissing --force data; lvcreate -an -y -L 8M -n fresh data; sync")
    node.unchanged("lvm_drive", **drive)
    node.lab.insert_disk("HDD2")
    node.run("udevadm settle")
    two = node.disk("HDD2")
    warned = node.unchanged("lvm_drive", **drive)
    assert "is a former physical volume of group data, which went on without it" in str(warned)
    untouched(node, "with the volumes data, old. Take it out of `devices`", **drive, devices=[one, two])
    assert node.signatures(two) == ["LVM2_member"]
    node.converge("lvm_drive", **drive, devices=[one, two], allow_destroy=[two])


@pytest.mark.further
def test_a_physical_volume_that_lvm_counts_as_missing(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    node.run(f"modprobe dm_raid; vgcreate data {one} {two}; lvcreate -y --type raid1 -L 40M -n data data; sync")
    node.guest.until("lvs --noheadings -o sync_percent data | grep -q 100.00")
    node.run("mkfs.ext4 -q /dev/data/data; vgchange -an data; sync")
    node.lab.pull_disk("HDD2")
    node.run("vgchange -ay --activationmode degraded data; lvchange --addtag x data/data; sync")
    node.lab.insert_disk("HDD2")
    node.run("udevadm settle")
    two = node.disk("HDD2")
    untouched(node, "was away while its group changed", name="data", devices=[one, two, three], mount_point="/srv")
    node.run(f"vgextend --restoremissing data {two}; lvchange --refresh data/data")
    node.converge("lvm_drive", name="data", devices=[one, two, three], mount_point="/srv")
    assert "is of LVM's type raid1, whose size a drive does not change" in node.refusal(
        "lvm_drive", name="data", size="100%", mount_point="/srv"
    )
    node.run("umount /srv; vgchange -an data; vgexport data")
    untouched(node, "vgimport data", name="data", mount_point="/srv")


@pytest.mark.further
def test_groups_of_others(node: Node) -> None:
    node.run("modprobe -a dm_snapshot dm_thin_pool")
    disk = node.disk("HDD1")
    plain: dict[str, Any] = {"name": "plain", "filesystem": "ext4", "size": "60M", "mount_point": "/srv"}
    node.module("lvm_drive", name="data", devices=[disk], volumes=[plain])
    node.run("lvcreate -y --type thin-pool -n pool -L 60M data; lvcreate -y -V 100M -n thin --thinpool data/pool")
    node.run("mkfs.ext4 -q /dev/data/thin; echo kept > /srv/file; sync; lvcreate -y -s -n snap -L 20M data/plain")
    item = node.module("layout_info")
    assert [volume["name"] for volume in item["layout"]["drives"][0]["volumes"]] == ["plain", "thin"]
    kinds = {name: volume["type"] for name, volume in item["status"]["drives"]["data"]["volumes"].items()}
    assert kinds == {"plain": "linear", "pool": "thin-pool", "snap": "snapshot", "thin": "thin"}
    node.unchanged("layout", **item["layout"])
    group = {"name": "data"}
    untouched(node, "pool (thin-pool) is no volume that a drive has", **group, volumes=[{"name": "pool"}])
    untouched(node, "origin of the snapshot data/snap", **group, volumes=[{**plain, "size": "80M"}])
    untouched(node, "is of LVM's type thin", **group, volumes=[{"name": "thin", "size": "100%"}])
    untouched(
        node, "would go with data/plain", **group, volumes=[{"name": "plain", "state": "absent"}], allow_destroy=True
    )
    untouched(
        node,
        "also has pool (thin-pool), snap (snapshot of plain)",
        **group,
        volumes=[plain, {"name": "thin"}],
        state="absent",
        allow_destroy=True,
    )
    # A thin volume without a size, and a volume beside all of these.
    thin = {"name": "thin", "mount_point": "/mnt"}
    node.converge("lvm_drive", **group, volumes=[thin, {"name": "new", "filesystem": "ext4", "size": "12M"}])
    assert node.run("lvs --noheadings --units m --nosuffix -o lv_size data/thin") == "100.00"
    node.run("mkdir /root/look; mount -o ro,noload /dev/data/snap /root/look")
    untouched(node, "its snapshot data/snap is mounted on /root/look", **group, volumes=[plain], state="offline")
    node.run("umount /root/look")
    volumes: list[dict[str, Any]] = [plain, thin, {"name": "new"}]
    node.converge("layout", drives=[{"name": "data", "state": "offline"}])
    assert node.run("grep -cE '/srv|/mnt' /etc/fstab || true") == "0"
    node.lab.reboot()
    assert node.run("lvs --noheadings -o lv_name -S 'lv_active=active' data").split() in ([], ["pool"])
    node.converge("lvm_drive", **group, volumes=volumes)
    assert node.run("cat /srv/file") == "kept"
    # Once what is not ours is gone, so is the rest.
    node.run("lvremove -y data/snap")
    node.converge(
        "lvm_drive", **group, volumes=[{"name": "plain", "state": "absent"}], allow_destroy=["/dev/data/plain"]
    )
    assert node.run("lvs --noheadings -o lv_name data").split() == ["new", "pool", "thin"]


@pytest.mark.further
def test_a_luks_device_has_a_name_that_stays(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(f"modprobe dm_crypt; echo secret > /root/key; cryptsetup luksFormat -q --pbkdf pbkdf2 {disk} /root/key")
    node.run(f"cryptsetup open --key-file /root/key {disk} vault; udevadm settle")
    drive = {"name": "data", "devices": ["/dev/mapper/vault"], "filesystem": "ext4", "mount_point": "/srv"}
    node.converge("lvm_drive", **drive)
    found = node.module("layout_info")
    assert found["layout"]["drives"][0]["devices"] == [found["layout"]["luks"][0]["name"]] == ["vault"]
    node.unchanged("layout", **found["layout"])


def test_a_btrfs_one_of_whose_devices_was_away(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mkfs.btrfs -q -d raid1 -m raid1 {one} {two}; mount {one} /mnt; echo old > /mnt/file; umount /mnt; sync")
    words: dict[str, Any] = {"filesystems": [{"device": one, "mount_point": "/srv"}]}
    node.lab.pull_disk("HDD2")
    said = node.refusal("layout", **words)
    assert "its btrfs spans 2 devices, and only" in said
    node.run(f"mount -o degraded {one} /mnt; echo new > /mnt/file; sync; echo > /mnt/more; umount /mnt; sync")
    node.lab.insert_disk("HDD2")
    node.run("udevadm settle")
    two = node.disk("HDD2")
    # Alone as well: each has a version of its own, of which a mount of both would make one.
    before = node.lab.disk_writes()
    for device in (one, two):
        said = node.refusal("layout", filesystems=[{"device": device, "mount_point": "/srv"}])
        assert f"{node.run(f'readlink -f {two}')} was away while the others were written to" in said
    assert node.lab.disk_writes() == before
    node.run(f"wipefs -qa {two}; btrfs device scan --forget; mount -o degraded,ro {one} /mnt")
    assert node.run("cat /mnt/file") == "new"
