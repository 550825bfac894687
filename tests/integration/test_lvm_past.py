# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM hides, and what it does not do: known before the first step, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .modules import ModuleFailed
from .node import Node
from .test_drive_past import untouched

#: What hides a group, what is said of that, and what shows the group again.
_HIDING = {
    "devices file": (
        "mkdir -p /etc/lvm/devices; touch /etc/lvm/devices/system.devices; "
        "printf 'devices { use_devicesfile = 1 }' > /etc/lvm/lvmlocal.conf",
        "device is not in devices file. To have LVM use it: lvmdevices --adddev",
        "rm /etc/lvm/lvmlocal.conf",
    ),
    "filter": (
        "printf 'devices { global_filter = [ \"r|^{real}$|\" ] }' > /etc/lvm/lvmlocal.conf",
        "device is rejected by filter config. To have LVM use it, mend that (filter and global_filter",
        "rm /etc/lvm/lvmlocal.conf",
    ),
    "system ID": (
        "vgchange -y --systemid other data",
        "it belongs to the host with the system ID other. Leave it to that host.",
        'printf \'global { system_id_source = "lvmlocal" } local { system_id = "other" }\' > /etc/lvm/lvmlocal.conf',
    ),
}


def said_of_health(node: Node) -> list[tuple[str, str]]:
    return [(found["problem"], found["detail"]) for found in node.module("layout_info")["health"]]


def failure(node: Node, **words: Any) -> str:
    with pytest.raises(ModuleFailed) as failed:
        node.module("lvm_drive", **words)
    return str(failed.value)


@pytest.mark.parametrize("how", _HIDING)
@pytest.mark.first_case
@pytest.mark.further
def test_a_group_that_lvm_hides(node: Node, how: str) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(
        f"vgcreate data {one}; lvcreate -y -L 40M -n srv data; mkfs.ext4 -q /dev/data/srv; vgchange -an data; sync"
    )
    real = node.run(f"readlink -f {one}")
    hide, said, show = (text.replace("{real}", real) for text in _HIDING[how])
    node.run(hide)
    drive: dict[str, Any] = {"name": "data", "filesystem": "ext4", "mount_point": "/srv", "allow_destroy": True}
    what = f"{real} is a physical volume of volume group data (with the volumes srv), which LVM does not show here: "
    for state in ("offline", "absent"):
        untouched(node, f"{what}{said}", name="data", state=state, allow_destroy=True)
    for devices in ([one], [two]):
        untouched(node, f"{what}{said}", **drive, devices=devices)
    untouched(
        node, f"refused as a device of z: it {what.partition(' ')[2]}", name="z", devices=[two, one], allow_destroy=True
    )
    assert ("hidden", f"it is {what.partition(' is ')[2]}{said.partition('.')[0]}") in said_of_health(node)
    node.converge("lvm_drive", name="z", volumes=[], devices=[two])
    node.run(f"{show}; udevadm settle")
    assert "hidden" not in dict(said_of_health(node))
    node.converge("lvm_drive", name="data", volumes=[{"name": "srv", "mount_point": "/srv"}])


#: A drive of its own, on the first disk, and a disk that holds something.
_DRIVE: dict[str, Any] = {"name": "data", "filesystem": "ext4", "size": "64M", "mount_point": "/srv"}
#: Per cent of the time in which a pvmove may copy.
_THROTTLE = "/sys/module/dm_mirror/parameters/raid1_resync_throttle"


@pytest.mark.parametrize("held", ["ext4", ""])
@pytest.mark.first_case
def test_a_device_that_lvm_rejects(node: Node, held: str) -> None:
    """Known before what it holds is erased for it, and where it holds nothing."""
    disk = node.disk("HDD1")
    node.run(f"mkfs.ext4 -q {disk}" if held else "true")
    real = node.run(f"readlink -f {disk}")
    node.run(f"printf 'devices {{ global_filter = [ \"r|^{real}$|\" ] }}' > /etc/lvm/lvmlocal.conf")
    said = "LVM does not use it (device is rejected by filter config)"
    untouched(node, said, **_DRIVE, devices=[disk], allow_destroy=[disk])
    assert node.signatures(disk) == [held]
    node.run("rm /etc/lvm/lvmlocal.conf")
    node.converge("lvm_drive", **_DRIVE, devices=[disk], allow_destroy=[disk])


@pytest.mark.further
def test_what_a_group_does_not_permit(node: Node) -> None:
    """Each rule of LVM's that a vgchange, lvchange or pvchange sets: before anything is erased or made larger."""
    one, two = node.disks("HDD1", "HDD2")
    node.module("lvm_drive", **_DRIVE, devices=[one])
    node.run(f"mkfs.ext4 -q {two}")
    more: dict[str, Any] = {**_DRIVE, "devices": [one, two], "allow_destroy": [two]}
    larger = {**_DRIVE, "size": "100M"}
    rules: list[tuple[str, str, str, dict[str, Any]]] = [
        ("vgchange --resizeable n data", "vgchange --resizeable y data", "is not resizeable", more),
        ("vgchange -p 1 data", "vgchange -p 0 data", "may have 1 devices at most, and 2 are wanted", more),
        (
            "vgchange -l 1 data",
            "vgchange -l 0 data",
            "may have 1 volumes at most",
            {"name": "data", "volumes": [{"name": "more", "size": "20M", "filesystem": "ext4"}]},
        ),
        (f"pvchange -x n {one}", f"pvchange -x y {one}", "are not allocatable (pvchange --allocatable y)", larger),
        (
            "lvcreate -qy -L 4M -n gap data && lvchange --alloc contiguous data/data",
            "lvremove -qy data/gap && lvchange --alloc inherit data/data",
            "LVM's policy of allocation keeps it from more",
            larger,
        ),
    ]
    for forbid, permit, said, words in rules:
        node.run(forbid)
        untouched(node, said, **words)
        node.run(permit)
    assert node.signatures(two) == ["ext4"]
    node.converge("lvm_drive", **larger)
    node.converge("lvm_drive", **{**more, "size": "100%"})


@pytest.mark.further
def test_a_contiguous_volume_gets_what_is_behind_it(node: Node) -> None:
    one = node.disk("HDD1")
    node.module("lvm_drive", **_DRIVE, devices=[one])
    make = "lvcreate -y -Zn -Wn -an"
    node.run(
        f"vgchange --alloc contiguous data; {make} -l 4 -n gap data; {make} -l 1 -n end data; lvremove -y data/gap"
    )
    node.converge("lvm_drive", **{**_DRIVE, "size": "100%"})
    assert node.run("lvs --noheadings --units m --nosuffix -o lv_size data/data") == "80.00"


@pytest.mark.further
def test_a_volume_that_is_activated_only_on_demand(node: Node) -> None:
    node.module("lvm_drive", **_DRIVE, devices=[node.disk("HDD1")])
    node.module("lvm_drive", name="data", state="offline")
    node.run("lvchange -ky data/data")
    node.converge("lvm_drive", **_DRIVE)
    assert node.run("lvs --noheadings -o lv_skip_activation data") == ""
    node.module("lvm_drive", name="data", state="offline")
    node.run("lvchange -ky data/data")
    node.converge("lvm_drive", name="data", state="absent", allow_destroy=True)


@pytest.mark.further
def test_a_volume_that_is_read_only(node: Node) -> None:
    node.module("lvm_drive", **_DRIVE, devices=[node.disk("HDD1")])
    node.module("lvm_drive", name="data", state="offline")
    node.run("lvchange -pr data/data")
    untouched(node, "it is read-only, and so would be what is mounted of it", **_DRIVE)
    untouched(node, "it is read-only (lvchange --permission rw", **{**_DRIVE, "size": "100M", "mount_options": "ro"})
    untouched(node, "and is read-only. Make it writable first", name="data", state="absent", allow_destroy=True)
    node.converge("lvm_drive", **_DRIVE, mount_options="ro")
    node.run("umount /srv; lvchange -prw data/data")
    node.converge("lvm_drive", **_DRIVE, mount_options="defaults")


@pytest.mark.further
def test_a_pvmove_of_somebody_else(node: Node) -> None:
    """What waits for it is pending, and warned of; what it has locked is not removed."""
    one, two = node.disks("HDD1", "HDD2")
    node.module("lvm_drive", **_DRIVE, devices=[one])
    # Slow at first: who looks after it sees it unfinished, and looks again in an hour.
    node.run(f"modprobe dm_mirror; echo 1 > {_THROTTLE}; vgextend data {two}")
    node.run(f"setsid pvmove -b -i 3600 {one} {two} > /dev/null 2>&1 < /dev/null")
    node.guest.until("lvs -a --noheadings -o lv_name data | grep -q pvmove && pgrep -f 'lvm lvpoll'")
    node.run(f"echo 100 > {_THROTTLE}")
    node.guest.until("lvs -a --noheadings -o copy_percent data | grep -q 100.00")
    there = node.run(f"readlink -f {one}")
    result = node.unchanged("lvm_drive", **{**_DRIVE, "size": "100M"})
    until = f"once the pvmove away from {there} has ended"
    (first, *_rest) = result["pending"]
    assert first == f"extend volume data/data: logical volume to 100 MiB, {until}"
    assert f"not done yet: {first}" in str(result["warnings"])
    new = {"name": "data", "volumes": [{"name": "data"}, {"name": "more", "size": "20M", "filesystem": "ext4"}]}
    assert until in node.unchanged("lvm_drive", **new)["pending"][0]
    assert node.unchanged("lvm_drive", **_DRIVE)["pending"] == []
    for active in (True, False):
        untouched(node, f"a pvmove away from {there} goes on", name="data", state="absent", allow_destroy=True)
        if active:
            node.converge("lvm_drive", name="data", state="offline")
    # The task's own: what is wanted beside it is done after it. The daemon would have it wait for that hour.
    node.run("systemctl stop lvm2-lvmpolld.service")
    words = {**_DRIVE, "size": "100M", "devices": [two], "remove_foreign_devices": True}
    node.converge("lvm_drive", **words)
    assert node.run("pvs --noheadings -o pv_name").split() == [node.run(f"readlink -f {two}")]
    node.converge("lvm_drive", name="data", state="absent", allow_destroy=True)


@pytest.mark.further
def test_a_step_that_lvm_refuses_leaves_no_record(node: Node) -> None:
    """A plan that was overtaken: vgextend, or lvcreate, says no, and no crash is told of later."""
    one, two = node.disks("HDD1", "HDD2")
    node.module("lvm_drive", **_DRIVE, devices=[one])
    # As where somebody forbids it after planning.
    node.run("mv /sbin/vgextend /root/; mv /sbin/lvcreate /root/")
    for name, command in (("vgextend", "pvcreate -qy $2"), ("lvcreate", "true")):
        node.guest.write(f"/sbin/{name}", f"#!/bin/sh\n{command}\necho no >&2\nexit 5\n")
    node.run("chmod +x /sbin/vgextend /sbin/lvcreate")
    new = {"name": "data", "volumes": [{"name": "more", "size": "20M", "filesystem": "ext4"}]}
    for words in ({**_DRIVE, "devices": [one, two]}, new):
        said = failure(node, **words)
        assert "failed with status 5: no" in said
        assert "Taking it back" not in said
        assert node.run("ls /var/lib/strata-storage") == ""
    assert node.signatures(two) == [""]
    node.run("mv /root/vgextend /root/lvcreate /sbin/")
    assert "crash" not in str(node.unchanged("lvm_drive", **_DRIVE))
    node.converge("lvm_drive", **_DRIVE, devices=[one, two])


#: Volumes of an old host, and what they hold.
_HELD = {
    "luks": "cryptsetup luksFormat -q --pbkdf pbkdf2 /dev/data/luks /root/key",
    "open": "cryptsetup luksFormat -q --pbkdf pbkdf2 /dev/data/open /root/key; "
    "cryptsetup open --key-file /root/key /dev/data/open inner; mkfs.ext4 -q /dev/mapper/inner; "
    "mkdir /inner; mount /dev/mapper/inner /inner; echo '/dev/mapper/inner /inner ext4 defaults 0 2' >> /etc/fstab",
    "fat": "mkfs.vfat /dev/data/fat; mkdir /fat; echo '/dev/data/fat /fat vfat defaults 0 0' >> /etc/fstab; mount /fat",
    "ext2": "mkfs.ext2 -q /dev/data/ext2; mkdir /ext2; echo '/dev/data/ext2 /ext2 auto noatime 0 2' >> /etc/fstab; "
    "mount /ext2",
    "ext3": "mkfs.ext3 -q /dev/data/ext3; mkdir /ext3; mount -t ext4 /dev/data/ext3 /ext3; "
    "echo UUID=$(blkid -o value -s UUID /dev/data/ext3) /ext3 ext4 defaults 0 2 >> /etc/fstab",
    "guest": "printf 'label: gpt\\nsize=8M\\n' | sfdisk --quiet /dev/data/guest",
    "small": "mkfs.ext4 -q /dev/data/small 12M",
    "swap": "mkswap -q /dev/data/swap",
    "raw": "dd if=/usr/local/lib/strata/random of=/dev/data/raw bs=1M count=4 status=none conv=fsync",
    "blank": "true",
}


def test_volumes_keep_what_they_hold(node: Node) -> None:
    """What layout_info tells of them can be applied, and changes nothing; they grow as they are."""
    disk = node.disk("HDD1")
    node.run(f"modprobe -a dm_crypt vfat ext4; echo secret > /root/key; vgcreate data {disk}")
    for name, make in _HELD.items():
        node.run(f"lvcreate -qy -L 24M -n {name} data; {make}")
    node.run("udevadm settle; sync")
    look = "sync; cat /etc/fstab /proc/mounts; for v in /dev/data/*; do echo $v $(head -c 4M $v | md5sum); done"
    before = node.run(look)
    layout = node.module("layout_info")["layout"]
    node.unchanged("layout", **layout)
    node.unchanged("layout", mode="exact", **layout)
    node.unchanged("layout", **layout, allow_destroy=["data"])
    # By more than ext4 may leave unused at its end.
    grown = [{"name": name, "size": "40M"} for name in _HELD if name not in ("small", "ext2")]
    node.converge("lvm_drive", name="data", volumes=grown, allow_destroy=True)
    # What filled its volume still does, by its own superblock.
    after = node.run(look).splitlines()
    changed = {line.split()[0] for line in before.splitlines() if line not in after}
    # The kernel notes in an ext2 when it wrote to it.
    assert changed - {"/dev/data/ext2"} == {"/dev/data/ext3", "/dev/data/swap"}
    untouched(node, "is mounted as ext2 on /ext2", name="data", volumes=[{"name": "ext2", "size": "40M"}])
    for name, said in (("luks", "holds a LUKS container"), ("raw", "which may be data in a form of its own")):
        volume = {"name": name, "mount_point": "/srv"}
        untouched(node, f"{said}", name="data", volumes=[volume], allow_destroy=True)
    shrink = {"name": "data", "volumes": [{"name": "raw", "size": "8M"}], "allow_shrink": True}
    untouched(node, "would be cut off. Keep its size", **shrink)
    device = {"device": "/dev/data/luks", "label": "x"}
    assert "That is kept as it is: leave this item out" in node.refusal("layout", filesystems=[device])


@pytest.mark.further
def test_a_btrfs_that_the_kernel_does_not_grow(node: Node) -> None:
    node.run(f"vgcreate data {node.disk('HDD1')}; lvcreate -qy -L 160M -n b data; mkfs.btrfs -q /dev/data/b")
    node.run("mkdir /b; mount /dev/data/b /b")
    untouched(node, "no new size below 256 MiB", name="data", volumes=[{"name": "b", "size": "200M"}])
    node.run("lvextend -qL 200M data/b")
    node.unchanged("layout", drives=node.module("layout_info")["layout"]["drives"])
    node.converge("lvm_drive", name="data", volumes=[{"name": "b", "size": "260M"}])


def twice(node: Node) -> list[str]:
    """What health says is here twice."""
    return [found["detail"] for found in node.module("layout_info")["health"] if found["problem"] == "twice"]


@pytest.mark.further
def test_snapshots_and_loops_are_no_copies(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(
        f"modprobe -a loop dm_thin_pool; vgcreate data {disk}; "
        "lvcreate -qy -L 40M -n os data; mkfs.ext4 -q /dev/data/os"
    )
    node.run("lvcreate -qy -T -L 60M -V 40M -n thin data/pool; mkfs.ext4 -q /dev/data/thin; mkdir /os /thin /cow")
    for name in ("os", "thin"):
        line = f"UUID=$(blkid -o value -s UUID /dev/data/{name}) /{name} ext4 nofail 0 2"
        node.run(f"echo {line} >> /etc/fstab; mount /{name}")
    node.run("lvcreate -qy -s -L 20M -n cow data/os; mount -o ro,noload /dev/data/cow /cow; losetup -r -f /dev/data/os")
    node.run("lvcreate -qy -s -n idle data/thin; lvchange -ay -K data/idle; udevadm settle")
    assert twice(node) == []
    volumes = [{"name": name, "mount_point": f"/{name}", "mount_options": "noatime,nofail"} for name in ("os", "thin")]
    node.converge("lvm_drive", name="data", volumes=volumes)
    # A thin snapshot that each boot activates is a copy.
    node.run("lvchange -kn data/idle")
    assert twice(node) == [f"{node.run('readlink -f /dev/data/idle')} has the same UUID={uuid_of(node, 'thin')}"]
    node.run("lvremove -qy data/idle; losetup -D; umount /cow; lvconvert -q --merge data/cow")
    # It merges once its volume is activated anew: before, and while that goes on, it is LVM's.
    for again in (
        "true",
        "umount /os; lvchange -an data/os; lvchange -ay --poll n data/os; mount /os",
    ):
        node.run(f"{again}; udevadm settle")
        found = node.module("layout_info")
        assert [item["device"] for item in found["layout"]["filesystems"] if "mapper" in item["device"]] == []
        assert found["status"]["drives"]["data"]["volumes"]["cow"]["type"] == "snapshot"
        node.unchanged("layout", **found["layout"])


def uuid_of(node: Node, name: str) -> str:
    return node.run(f"blkid -o value -s UUID /dev/data/{name}")


@pytest.mark.further
def test_a_part_of_a_mirror_that_is_split_off(node: Node) -> None:
    """As for a backup: LVM shows it by a name that it reserves."""
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"vgcreate m {one} {two}; lvcreate -qy --type raid1 -m1 -L 24M -n sp m; mkfs.ext4 -q /dev/m/sp")
    node.run("lvconvert -qy --splitmirrors 1 --trackchanges m/sp; mkdir /sp; mount /dev/m/sp /sp; udevadm settle")
    found = node.module("layout_info")
    (drive,) = found["layout"]["drives"]
    assert [volume["name"] for volume in drive["volumes"]] == ["sp"]
    assert found["status"]["drives"]["m"]["volumes"]["sp_rimage_1"]["type"] == "private-raid-image"
    node.unchanged("layout", **found["layout"])
    node.converge("lvm_drive", name="m", volumes=[{"name": "sp", "label": "backup"}])
    # A mirror writes what it knows of itself some seconds after the last write to it: what a task writes is not seen.
    refused = node.refusal("lvm_drive", name="m", state="absent", allow_destroy=True)
    assert "sp_rimage_1 (private-raid-image). Remove" in refused
    node.run("lvconvert -q --merge m/sp_rimage_1")


@pytest.mark.further
def test_what_is_only_not_active_now_stays_so(node: Node) -> None:
    """Offline is what no boot activates, and a document says no more than was wished."""
    node.run(f"vgcreate data {node.disk('HDD1')}; for v in one two; do lvcreate -qy -L 20M -n $v data; done")
    for condition, names, state in (
        ("vgchange -qan data", [], "online"),
        ("lvchange -qay data/two", ["two"], "online"),
        ("vgchange -qan data; lvchange -q --setautoactivation n data/one data/two", ["one", "two"], "offline"),
    ):
        node.run(f"{condition}; udevadm settle")
        layout = node.module("layout_info")["layout"]
        (drive,) = layout["drives"]
        assert ([volume["name"] for volume in drive["volumes"]], drive["state"]) == (names, state)
        node.unchanged("layout", **layout)
        node.unchanged("layout", mode="exact", **layout)


@pytest.mark.further
def test_a_physical_volume_whose_metadata_is_away(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"pvcreate -q --metadatacopies 0 {two}; vgcreate data {one} {two}; lvcreate -qy -L 20M -n v data {two}")
    node.run("vgchange -qan data; udevadm settle")
    node.lab.pull_disk("HDD1")
    node.run("udevadm settle; pvscan -q --cache || true")
    said = "is a physical volume of a volume group whose metadata is elsewhere"
    for state in ("online", "absent"):
        untouched(node, said.partition(" is ")[2], name="z", devices=[two], state=state, allow_destroy=True)
    assert [problem for problem, _detail in said_of_health(node)] == ["hidden"]


@pytest.mark.further
def test_a_label_of_a_former_life(node: Node) -> None:
    """A disk that was a physical volume, and got a partition table by what wipes nothing."""
    old, new = node.disks("HDD1", "HDD2")
    node.run(f"vgcreate data {old}; lvcreate -qy -L 20M -n v data; vgchange -qan data")
    node.run(f"printf 'label: dos\\nsize=60M\\n' | sfdisk --quiet --force --wipe never {old}; udevadm settle")
    node.run(f"mkfs.ext4 -q {old}-part1; mkdir /used; mount {old}-part1 /used; udevadm settle")
    assert said_of_health(node) == []
    node.unchanged("layout", **node.module("layout_info")["layout"])
    node.converge("lvm_drive", name="data", devices=[new], volumes=[])


@pytest.mark.further
def test_a_group_on_a_partition_of_a_multipath_device(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(f"printf 'label: gpt\\nsize=100M\\n' | sfdisk --quiet {disk}; udevadm settle; modprobe dm_mod")
    node.run(f"echo 0 $(blockdev --getsz {disk}) linear {disk} 0 | dmsetup create --uuid mpath-x mpx")
    node.run(
        f"echo 0 $(blockdev --getsz {disk}-part1) linear /dev/mapper/mpx 2048 | "
        "dmsetup create --uuid part1-mpath-x mpx1; udevadm settle; vgcreate vg /dev/mapper/mpx1"
    )
    node.run("lvcreate -qy -L 20M -n v vg; udevadm settle")
    assert [problem for problem, _detail in said_of_health(node) if problem in ("hidden", "twice")] == []
    node.converge("lvm_drive", name="vg", volumes=[{"name": "v", "size": "24M"}])
    node.converge("layout", drives=[{"name": "vg", "state": "absent"}], allow_destroy=["vg"])


@pytest.mark.parametrize("program", ["lvcreate", "mkfs.btrfs"])
@pytest.mark.first_case
def test_a_volume_that_a_crash_left_without_its_filesystem(node: Node, program: str) -> None:
    """By the record of the volume, or of its filesystem: without one it would be somebody's, and kept as it is."""
    words: dict[str, Any] = {"name": "data", "volumes": [{"name": "v", "size": "150M"}], "devices": [node.disk("HDD1")]}
    path = node.run(f"command -v {program}")
    # The task ends where the program has been at work (lvcreate), or begins (mkfs).
    work = 'lvm lvcreate "$@"; udevadm settle; ' if program == "lvcreate" else ""
    node.run(f"mv {path} {path}.kept; printf '#!/bin/sh\n{work}kill -9 $PPID\n' > {path}; chmod +x {path}")
    with pytest.raises(AssertionError, match="Killed"):
        node.module("lvm_drive", prefix="env", **words)
    node.run(f"mv {path}.kept {path}")
    assert node.signatures("/dev/data/v") == [""]
    node.converge("lvm_drive", **words)
    assert node.signatures("/dev/data/v") == ["btrfs"]


def test_a_volume_that_shows_the_label_of_what_lies_on_it_is_no_copy(node: Node) -> None:
    """As one that a host offers to itself by iSCSI does, and its thin pool: LVM looks at neither."""
    inner, outer = node.disks("HDD1", "HDD2")
    node.module("lvm_drive", name="data", devices=[inner], filesystem="ext4", mount_point="/srv")
    node.run(f"vgcreate -q outer {outer} && lvcreate -q --yes -n other -l 100%FREE outer")
    node.run(f"dd if={inner} of=/dev/outer/other bs=1M count=64 conv=fsync && udevadm settle")
    assert node.module("lvm_drive", name="data").get("warnings", []) == []
    node.converge("lvm_drive", name="data", state="absent", allow_destroy=True)
    assert node.run("vgs --noheadings -o vg_name").split() == ["outer"]
