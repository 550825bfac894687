# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts, lines of fstab, labels and options that others made, changed or use."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node

#: Small: a volume is made in each of these tests.
DRIVE: dict[str, Any] = {"name": "data", "volume_name": "srv", "size": "64M", "filesystem": "ext4"}

OFFLINE: dict[str, Any] = {"name": "data", "volume_name": "srv", "state": "offline"}


def drive(node: Node, **more: Any) -> dict[str, Any]:
    return {**DRIVE, "devices": node.disks("HDD1"), "mount_point": "/srv", **more}


def on_disk(node: Node, **more: Any) -> dict[str, Any]:
    """A document with one filesystem on a disk."""
    return {"filesystems": [{"device": node.disk("HDD2"), **more}]}


def steps(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def fstab(node: Node) -> str:
    return node.run("cat /etc/fstab")


def options(node: Node, point: str = "/srv") -> list[str]:
    return node.run(f"findmnt --noheadings --output OPTIONS --mountpoint {point}").split(",")


def refused_untouched(node: Node, module: str, **arguments: Any) -> str:
    """Why a module refuses; no file that it could have edited has changed, and no disk holds anything new."""
    look = "cat /etc/fstab /proc/mounts /proc/swaps; ls -a / /srv; wipefs --noheadings /dev/sd?; lvs"
    before = node.run(look)
    said = node.refusal(module, **arguments)
    assert node.run(look) == before
    return said


@pytest.mark.further
def test_a_mount_point_behind_a_symbolic_link(node: Node) -> None:
    node.run("mkdir -p /big/store && ln -s /big /usual")
    wanted = drive(node, mount_point="/usual/store")
    node.converge("lvm_drive", **wanted)
    assert node.run("findmnt --noheadings --output TARGET /dev/data/srv") == "/big/store"
    assert "/big/store ext4" in fstab(node)
    node.lab.reboot()
    node.unchanged("lvm_drive", **wanted)
    # As somebody wrote it by hand.
    node.run("sed -i 's,/big/store,/usual/store/,' /etc/fstab")
    node.unchanged("lvm_drive", **wanted)
    node.unchanged("lvm_drive", **drive(node, mount_point="/big/store"))
    node.converge("lvm_drive", **OFFLINE)
    assert "/usual" not in fstab(node)


@pytest.mark.further
def test_an_automount_waits_and_nobody_looks(node: Node) -> None:
    wanted = drive(node, mount_options="noatime,x-systemd.automount,x-systemd.before=local-fs.target")
    node.converge("lvm_drive", **wanted)
    assert "x-systemd.automount,x-systemd.before=local-fs.target," in fstab(node)
    # As a boot leaves it, where the kernel has autofs before systemd looks for it: in user mode it is a module.
    node.run("umount /srv; modprobe autofs4; systemctl daemon-reexec; systemctl start srv.automount")
    assert node.run("findmnt --noheadings --output FSTYPE --mountpoint /srv") == "autofs"
    node.unchanged("lvm_drive", **wanted)
    node.module("layout_info")
    assert node.run("findmnt --noheadings --output FSTYPE --mountpoint /srv") == "autofs"
    grown = node.converge("lvm_drive", **wanted | {"size": "100M"})
    assert steps(grown) == ["extend", "mount", "grow"]
    assert node.run("findmnt --noheadings --output FSTYPE --mountpoint /srv").split() == ["autofs", "ext4"]
    node.unchanged("lvm_drive", **wanted | {"size": "100M"})
    node.converge("lvm_drive", **OFFLINE)
    assert node.run("findmnt --noheadings --mountpoint /srv || true") == ""
    assert "/srv" not in fstab(node)


#: It fails if it starts before the mount, and nothing else makes it wait for disks.
SERVICE = """\
[Unit]
DefaultDependencies=no
{unit}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/findmnt --mountpoint /srv
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.further
def test_services_wait_for_a_mount_that_the_boot_does_not_wait_for(node: Node) -> None:
    words = "defaults,x-systemd.before=told.service,x-systemd.required-by=told.service"
    for name, unit in (("asks", "RequiresMountsFor=/srv"), ("told", "")):
        node.guest.write(f"/etc/systemd/system/{name}.service", SERVICE.format(unit=unit))
    node.run("systemctl daemon-reload; systemctl enable asks told")
    node.converge("lvm_drive", **drive(node, mount_options=words))
    assert f" {words},nofail,x-systemd.device-timeout=300s " in fstab(node)
    node.run("sync")
    node.lab.reboot()
    assert node.run("systemctl is-active asks told") == "active\nactive"
    node.unchanged("lvm_drive", **drive(node, mount_options=words))


@pytest.mark.parametrize("spec", ["PARTUUID", "PARTLABEL", "by-label", "by-path", "by-partuuid", "LABEL"])
@pytest.mark.first_case
def test_each_way_to_name_a_device_is_that_device(node: Node, spec: str) -> None:
    disk = node.disk("HDD1")
    node.run(f"printf 'label: gpt\\nsize=100M, name=own\\n' | sfdisk --quiet {disk}; udevadm settle")
    part = node.run(f"lsblk --noheadings --paths --output NAME {disk} --list | tail -1")
    node.run(f"mkfs.ext4 -q -L kept {part}; udevadm settle; mkdir -p /srv")
    uuid = node.run(f"blkid --output value --match-tag PARTUUID {part}")
    named = {
        "PARTUUID": f"PARTUUID={uuid}",
        "by-partuuid": f"/dev/disk/by-partuuid/{uuid}",
        "PARTLABEL": "PARTLABEL=own",
        "LABEL": "LABEL=kept",
        "by-label": "/dev/disk/by-label/kept",
        "by-path": node.run("ls -d /dev/disk/by-id/*-part1 | head -1"),
    }[spec]
    node.run(f"echo '{named} /srv ext4 noatime 0 2' >> /etc/fstab; mount /srv")
    before = fstab(node)
    item = {"device": part, "type": "ext4", "mount_point": "/srv"}
    node.unchanged("layout", filesystems=[item])
    assert fstab(node) == before
    node.converge("layout", filesystems=[item | {"mount_options": "nodev"}])
    assert f"{named} /srv ext4 nodev 0 2" in fstab(node)


@pytest.mark.further
def test_a_line_by_the_path_of_a_volume(node: Node) -> None:
    node.module("lvm_drive", **drive(node))
    node.run("sed -i 's,^UUID=[^ ]* /srv,/dev/mapper/data-srv /srv,' /etc/fstab")
    node.unchanged("lvm_drive", **drive(node))
    node.converge("lvm_drive", **OFFLINE)
    assert "/srv" not in fstab(node)


@pytest.mark.parametrize("mounted", [True, False])
@pytest.mark.first_case
def test_a_bind_mount_is_not_left_empty(node: Node, mounted: bool) -> None:
    node.module("lvm_drive", **drive(node))
    node.run(
        "mkdir /srv/export /export; echo '/srv/export /export none bind 0 0' >> /etc/fstab; systemctl daemon-reload"
    )
    if mounted:
        node.run("mount /export")
    said = refused_untouched(node, "lvm_drive", **OFFLINE)
    assert "a directory of it is shown on /export as well" in said
    node.unchanged("lvm_drive", **drive(node))
    node.run("umount /export || true; sed -i '/export/d' /etc/fstab")
    node.converge("lvm_drive", **OFFLINE)


@pytest.mark.further
def test_a_bind_mount_on_the_mount_point_is_not_the_volume(node: Node) -> None:
    node.module("lvm_drive", **drive(node))
    node.run("mkdir /srv/export /export; mount --bind /srv/export /export")
    said = refused_untouched(node, "lvm_drive", **drive(node, mount_point="/export"))
    assert "a directory of it is shown on /export as well (a bind mount, now)" in said


def test_offline_with_somebody_inside(node: Node) -> None:
    node.module("lvm_drive", **drive(node))
    node.run("cd /srv && setsid sleep 1000 > /dev/null 2>&1 < /dev/null & echo $! > /run/pid")
    node.guest.until("[ $(readlink /proc/$(pgrep -x sleep)/cwd) = /srv ]")
    said = refused_untouched(node, "lvm_drive", **OFFLINE)
    assert f"/srv is in use by process {node.run('pgrep -x sleep')} (sleep)" in said
    node.run("kill $(pgrep -x sleep)")
    node.guest.until("! pgrep -x sleep")
    loop = node.run("modprobe loop; truncate -s 8M /srv/image; losetup --find --show /srv/image")
    assert f"/srv is in use by {loop}" in refused_untouched(node, "lvm_drive", **OFFLINE)
    node.run(f"losetup -d {loop}")
    node.converge("lvm_drive", **OFFLINE)


@pytest.mark.further
def test_offline_where_the_unmount_fails_keeps_the_line(node: Node) -> None:
    """What keeps it busy is not always found, such as an NFS export."""
    node.module("lvm_drive", **drive(node))
    node.run("mv /usr/bin/umount /usr/bin/umount.kept")
    node.run("printf '#!/bin/sh\\nexit 32\\n' > /usr/bin/umount; chmod +x /usr/bin/umount")
    before = fstab(node)
    with pytest.raises(Exception, match="unmount volume data/srv: /srv"):
        node.module("lvm_drive", **OFFLINE)
    assert fstab(node) == before
    node.run("mv /usr/bin/umount.kept /usr/bin/umount")
    node.converge("lvm_drive", **OFFLINE)


@pytest.mark.further
def test_options_that_are_no_longer_wanted_do_not_stay_in_effect(node: Node) -> None:
    node.module("lvm_drive", **drive(node, mount_options="noexec,noatime,nodelalloc"))
    assert {"noexec", "noatime", "nodelalloc"} <= set(options(node))
    checked = node.check("lvm_drive", **drive(node, mount_options="defaults"))
    result = node.converge("lvm_drive", **drive(node, mount_options="defaults"))
    assert steps(result) == ["persist", "remount"]
    assert not {"noexec", "noatime", "nodelalloc"} & set(options(node))
    assert checked["diff"][-1]["after"] == result["diff"][-1]["after"] != result["diff"][-1]["before"]
    # By hand, with the line as it was.
    node.run("mount -o remount,noexec,nodiratime /srv")
    node.unchanged("lvm_drive", **drive(node))
    assert steps(node.converge("lvm_drive", **drive(node, mount_options="defaults"))) == ["remount"]
    assert not {"noexec", "nodiratime"} & set(options(node))
    node.module("lvm_drive", **drive(node, mount_options="commit=30"))
    said = refused_untouched(node, "lvm_drive", **drive(node, mount_options="defaults"))
    assert "commit=30 is in effect on /srv" in said
    node.converge("lvm_drive", **drive(node, mount_options="commit=5"))


@pytest.mark.further
def test_what_the_next_boot_waits_for_is_not_erased(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    node.run(f"mkfs.ext4 -q {one}; mkdir /old; udevadm settle")
    uuid = node.run(f"blkid --output value --match-tag UUID {one}")
    node.run(f"echo 'UUID={uuid} /old ext4 defaults 0 2' >> /etc/fstab")
    mirror: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two], "allow_destroy": [one]}
    said = refused_untouched(node, "raid", **mirror)
    assert f"mounts on /old as UUID={uuid}, and the next boot would wait for that in vain" in said
    node.run("sed -i '/old/s/defaults/nofail/' /etc/fstab")
    node.converge("raid", **mirror)


@pytest.mark.further
@pytest.mark.parametrize("filesystem", ["ext4", "xfs", "btrfs"])
@pytest.mark.first_case
def test_a_mount_option_that_does_not_exist(node: Node, filesystem: str) -> None:
    wanted = drive(node, size="320M", filesystem=filesystem)
    node.run(f"modprobe {filesystem} || true")
    said = refused_untouched(node, "lvm_drive", **wanted, mount_options="noatime,no_such=1,nodev")
    assert f"mount option no_such=1 is not one of {filesystem}" in said
    node.converge("lvm_drive", **wanted, mount_options="noatime,nodev")
    said = refused_untouched(node, "lvm_drive", **wanted, mount_options="nosuch")
    assert f"mount option nosuch is not one of {filesystem}" in said


def test_a_mount_that_fails_leaves_no_line(node: Node) -> None:
    """An option that only the mount itself can judge."""
    wanted = drive(node, boot_required=True)
    before = fstab(node)
    with pytest.raises(Exception, match=r"mount volume data/srv: /srv"):
        node.module("lvm_drive", **wanted, mount_options="journal_dev=0x999")
    assert fstab(node) == before
    node.converge("lvm_drive", **wanted)


@pytest.mark.further
def test_relabelling_what_fstab_names_by_label(node: Node) -> None:
    words = {"type": "ext4", "mount_point": "/srv", "boot_required": True}
    node.module("layout", **on_disk(node, **words, label="old"))
    node.run("sed -i 's/^UUID=[^ ]* .srv/LABEL=old \\/srv/' /etc/fstab")
    node.unchanged("layout", **on_disk(node, **words, label="old"))
    relabelled = node.converge("layout", **on_disk(node, **words, label="new"))
    assert steps(relabelled) == ["persist", "label"]
    uuid = node.run(f"blkid --output value --match-tag UUID {node.disk('HDD2')}")
    assert f"UUID={uuid} /srv ext4" in fstab(node)
    node.run("sync")
    node.lab.reboot()
    assert node.run("findmnt --noheadings --output LABEL /srv") == "new"
    node.unchanged("layout", **on_disk(node, **words, label="new"))


@pytest.mark.further
def test_a_label_that_fstab_has_for_something_else(node: Node) -> None:
    other = node.disk("HDD1")
    node.run(f"mkfs.ext4 -q -L taken {other}; mkdir /other; udevadm settle")
    node.run("echo 'LABEL=taken /other ext4 nofail 0 2' >> /etc/fstab; mount /other")
    said = refused_untouched(node, "layout", **on_disk(node, type="ext4", label="taken", mount_point="/srv"))
    assert "fstab mounts LABEL=taken on /other" in said


@pytest.mark.further
def test_the_label_of_swap_in_use(node: Node) -> None:
    node.converge("layout", **on_disk(node, type="swap", label="one"))
    node.converge("layout", **on_disk(node, type="swap", label="two"))
    disk = node.disk("HDD2")
    assert node.run(f"blkid --output value --match-tag LABEL {disk}") == "two"
    assert node.run("swapon --noheadings --show=NAME") == node.run(f"readlink -f {disk}")


#: No server is needed for a mount that has a word for a source: to the kernel, NFS and overlayfs are alike in this.
OVERLAY = "mkdir /run/a /run/b /run/c; mount -t overlay -o lowerdir=/run/a,upperdir=/run/b,workdir=/run/c overlay /srv"


@pytest.mark.further
@pytest.mark.parametrize("command", ["mount -t tmpfs tmpfs /srv", OVERLAY], ids=["tmpfs", "overlay"])
@pytest.mark.first_case
def test_something_without_a_device_on_the_mount_point(node: Node, command: str) -> None:
    node.run(command)
    said = refused_untouched(node, "lvm_drive", **drive(node))
    assert "is mounted on /srv; choose another mount_point" in said
    node.run("umount /srv")
    node.module("lvm_drive", **drive(node))
    node.run("mount -t tmpfs tmpfs /srv")
    assert "unmount that first, since it hides this one" in refused_untouched(node, "lvm_drive", **drive(node))
    assert "over it; unmount that first" in refused_untouched(node, "lvm_drive", **OFFLINE)
    node.run("umount /srv; mkdir /srv/inside; mount -t tmpfs tmpfs /srv/inside")
    assert "inside it; unmount that first" in refused_untouched(node, "lvm_drive", **OFFLINE)


@pytest.mark.further
def test_files_that_cannot_be_written_are_known_before_anything_is_made(node: Node) -> None:
    node.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc")
    assert "/etc/fstab: Read-only file system" in refused_untouched(node, "lvm_drive", **drive(node))
    node.run("umount /etc; chattr +i /etc/fstab")
    assert "/etc/fstab: immutable (chattr +i)" in refused_untouched(node, "lvm_drive", **drive(node))
    node.run("chattr -i /etc/fstab; mkdir /run/place; mount -t tmpfs -o ro tmpfs /run/place")
    said = refused_untouched(node, "lvm_drive", **drive(node, mount_point="/run/place/srv"))
    assert "/run/place/srv: Read-only file system" in said


def test_options_without_a_mount_point_are_about_the_mount_that_there_is(node: Node) -> None:
    node.module("lvm_drive", **drive(node))
    without = {key: value for key, value in drive(node).items() if key != "mount_point"}
    node.converge("lvm_drive", **without, mount_options="noatime", boot_required=True)
    assert "noatime" in options(node)
    assert " /srv ext4 noatime 0 2" in fstab(node)
    node.module("lvm_drive", **OFFLINE)
    said = node.refusal("layout", **on_disk(node, type="ext4", mount_options="noatime"))
    assert "mount_options needs mount_point, since it is mounted nowhere" in said


@pytest.mark.further
@pytest.mark.parametrize(("filesystem", "fsck"), [("ext4", "0 2"), ("xfs", "0 0")])
@pytest.mark.first_case
def test_the_check_at_boot_survives_a_time_offline(node: Node, filesystem: str, fsck: str) -> None:
    wanted = drive(node, size="320M", filesystem=filesystem)
    node.module("lvm_drive", **wanted)
    assert fstab(node).splitlines()[-1].endswith(fsck)
    node.module("lvm_drive", **OFFLINE)
    node.module("lvm_drive", **wanted)
    assert fstab(node).splitlines()[-1].endswith(fsck)
    node.unchanged("lvm_drive", **wanted)


@pytest.mark.further
def test_a_check_shows_the_difference_that_the_run_makes(node: Node) -> None:
    mirror: dict[str, Any] = {"name": "md0", "level": "1", "devices": node.disks("HDD3", "HDD4")}
    words: dict[str, Any] = {
        "raids": [mirror],
        "filesystems": [{"device": "md0", "type": "ext4", "mount_point": "/srv", "mount_options": "defaults"}],
    }
    node.module("layout", **words, wait=True)
    for module, arguments in (
        ("layout", words | {"filesystems": [words["filesystems"][0] | {"mount_options": "noatime"}]}),
        ("layout", words | {"raids": [mirror | {"bitmap": "internal"}]}),
        ("raid", mirror | {"bitmap": "none"}),
    ):
        checked, done = node.module(module, check=True, **arguments)["diff"], node.module(module, **arguments)["diff"]
        assert checked[-1] == done[-1]
        assert checked[-1]["before"] != checked[-1]["after"], arguments


@pytest.mark.further
def test_a_filesystem_that_systemd_mounts_first_is_mounted(node: Node) -> None:
    """Once the device of a line of fstab appears, it does. Then mount fails, and says that it is mounted there."""
    words: dict[str, Any] = {"name": "data", "devices": node.disks("HDD1"), "mount_point": "/srv"}
    node.module("lvm_drive", **words)
    node.module("lvm_drive", name="data", state="offline")
    node.guest.write("/usr/local/sbin/mount", '#!/bin/sh\n/usr/bin/mount "$@"\nexec /usr/bin/mount "$@"\n')
    node.run("chmod 755 /usr/local/sbin/mount")
    node.converge("lvm_drive", **words)
