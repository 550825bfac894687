# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives that shrink, lose devices, get labels and swap, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import RANDOM, Node


def actions(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["plan"]]


def fill(node: Node, mebibytes: int = 40) -> None:
    node.run(f"head -c {mebibytes}M {RANDOM} > /srv/file; md5sum /srv/file > /srv/sum; sync -f /srv")


def intact(node: Node) -> bool:
    return node.run("md5sum --check /srv/sum") == "/srv/file: OK"


def test_devices_come_and_go(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    drive: dict[str, Any] = {"name": "data", "mount_point": "/srv", "label": "data"}
    node.converge("lvm_drive", **drive, devices=[one, two])
    assert node.run("blkid -o value -s LABEL /dev/data/data") == "data"
    fill(node)
    assert "its volumes lack" in node.refusal("lvm_drive", **drive, devices=[two])
    assert "Set allow_shrink" in node.refusal("lvm_drive", **drive, devices=[two], size="100%")
    node.run(f"vgextend data {three}")
    smaller = node.converge("lvm_drive", **drive, devices=[two], size="300M", allow_shrink=True)
    assert actions(smaller)[-3:] == ["empty", "reduce", "clear"]
    assert actions(smaller)[:2] == ["shrink", "reduce"]
    assert intact(node)
    assert node.signatures(one) == [""]
    assert node.run("pvs --noheadings -o pv_name | wc -l") == "2"

    drive |= {"size": "300M", "label": "new"}
    moved = node.converge("lvm_drive", **drive, devices=[one], remove_foreign_devices=True)
    assert intact(node)
    assert node.signatures(two, three) == ["", ""]
    assert [step["name"] for step in moved["plan"] if step["action"] == "clear"] == ["data", "data"]
    assert node.run("btrfs filesystem label /srv") == "new"
    node.lab.power_cut()
    node.unchanged("lvm_drive", **drive, devices=[one])
    assert intact(node)


def test_a_move_that_a_power_cut_stopped_goes_on(node: Node) -> None:
    one, two = node.disks("HDD1", "HDD2")
    drive: dict[str, Any] = {"name": "data", "mount_point": "/srv", "size": "400M"}
    node.module("lvm_drive", **drive, devices=[one])
    fill(node, 100)
    node.run(f"vgextend data {two}")
    # The kernel goes on with it during the boot; slowly, so that it does not end before it is looked at.
    throttle = "raid1_resync_throttle"
    node.run(f"echo options dm_mirror {throttle}=1 > /etc/modprobe.d/slow.conf; modprobe dm_mirror {throttle}=1")
    node.run(f"pvchange --addtag strata.storage {two}; lvm pvmove --background --interval 60 {one} {two}; sync")
    node.lab.power_cut()
    assert actions(node.module("lvm_drive", check=True, **drive, devices=[two])) == ["empty", "reduce", "clear"]
    node.run(f"echo 100 > /sys/module/dm_mirror/parameters/{throttle}")
    finished = node.module("lvm_drive", **drive, devices=[two])
    assert actions(finished)[-2:] == ["reduce", "clear"]
    node.unchanged("lvm_drive", **drive, devices=[two])
    assert intact(node)
    assert node.signatures(one) == [""]


@pytest.mark.parametrize("kind", ["btrfs", "ext4"])
@pytest.mark.first_case
def test_smaller(node: Node, kind: str) -> None:
    drive: dict[str, Any] = {"name": "data", "devices": [node.disk("HDD1")], "filesystem": kind, "mount_point": "/srv"}
    node.module("lvm_drive", **drive)
    fill(node)
    if kind == "ext4":
        assert "Set allow_offline" in node.refusal("lvm_drive", **drive, size="400M", allow_shrink=True)
    made = node.converge("lvm_drive", **drive, size="400M", allow_shrink=True, allow_offline=True)
    assert made["drive"]["volumes"][0]["size"] == 400 << 20
    assert intact(node)
    # Too small for what it holds: the tool says so before anything is cut off.
    node.run("fallocate --length 250M /srv/more; sync -f /srv")
    before = node.run("lvs --noheadings -o lv_size data/data")
    with pytest.raises(Exception, match="shrink volume data/data: the filesystem to"):
        node.module("lvm_drive", **drive, size="270M", allow_shrink=True, allow_offline=True)
    assert node.run("lvs --noheadings -o lv_size data/data") == before
    node.module("lvm_drive", **drive, size="400M")
    assert intact(node)


@pytest.mark.further
def test_swap_and_a_larger_device(node: Node) -> None:
    disk = node.disk("HDD1")
    node.run(f"printf 'label: gpt\nsize=300M\n' | sfdisk --quiet {disk}; udevadm settle")
    drive: dict[str, Any] = {
        "name": "data",
        "devices": [f"{disk}-part1"],
        "volumes": [
            {"name": "swap", "size": "64M", "filesystem": "swap", "label": "swap"},
            {"name": "srv", "size": "100%", "filesystem": "ext4", "mount_point": "/srv", "label": "srv"},
        ],
    }
    node.converge("lvm_drive", **drive)
    assert len(node.run("swapon --show --noheadings").splitlines()) == 1
    fill(node)
    node.run(f"echo ', +' | sfdisk --quiet --force --no-reread -N 1 {disk} 2> /dev/null; partx --update {disk}")
    grown = node.converge("lvm_drive", **drive)
    assert actions(grown) == ["resize", "extend", "grow"]
    drive["volumes"][0]["size"] = "128M"
    drive["volumes"][1]["size"] = "300M"
    changed = node.converge("lvm_drive", **drive, allow_shrink=True, allow_offline=True)
    assert "reduce" in actions(changed)
    assert intact(node)
    (item,) = node.module("lvm_drive_info")["drives"]
    node.unchanged("lvm_drive", **item)
    node.lab.power_cut()
    node.unchanged("lvm_drive", **drive)
    assert len(node.run("swapon --show --noheadings").splitlines()) == 1
    node.converge("lvm_drive", name="data", volumes=drive["volumes"], state="absent", allow_destroy=True)
    assert node.run("swapon --show --noheadings") == ""


@pytest.mark.further
def test_the_devices_file_is_kept(node: Node) -> None:
    """Where LVM sees only the devices that a file of its own lists, as on RHEL 9."""
    node.run("mkdir -p /etc/lvm/devices; printf 'devices {\\n use_devicesfile = 1\\n}\\n' > /etc/lvm/lvmlocal.conf")
    node.run("touch /etc/lvm/devices/system.devices")
    drive: dict[str, Any] = {"name": "data", "devices": node.disks("HDD1"), "mount_point": "/srv"}
    node.converge("lvm_drive", **drive)
    assert "IDNAME" in node.run("cat /etc/lvm/devices/system.devices")
    node.lab.power_cut()
    node.unchanged("lvm_drive", **drive)
    node.converge("lvm_drive", name="data", state="absent", allow_destroy=True)
    node.converge("lvm_drive", **drive)


@pytest.mark.further
def test_a_check_shows_the_sizes_that_the_run_does(node: Node) -> None:
    drive: dict[str, Any] = {"name": "data", "devices": [node.disk("HDD1")], "mount_point": "/srv"}
    changes: list[dict[str, Any]] = [
        {"size": "300M"},
        {"size": "400M"},
        {"size": "350M", "allow_shrink": True},
        {"mount_options": "noatime"},
        {"devices": node.disks("HDD1", "HDD2"), "size": "100%"},
    ]
    for change in changes:
        checked, done = (node.module("lvm_drive", check=check, **{**drive, **change}) for check in (True, False))
        assert checked["diff"][-1]["before"] != checked["diff"][-1]["after"], change
        assert checked["diff"][-1]["after"] == done["diff"][-1]["after"], change
    volume = {"name": "data", "size": "600M", "mount_point": "/srv"}
    document: dict[str, Any] = {"drives": [{"name": "data", "volumes": [volume], "allow_shrink": True}]}
    checked, done = (node.module("layout", check=check, **document) for check in (True, False))
    assert "600 MiB" in checked["diff"][-1]["after"]
    assert checked["diff"][-1]["after"] == done["diff"][-1]["after"]


@pytest.mark.further
def test_volumes_that_move_and_go(node: Node) -> None:
    drive: dict[str, Any] = {"name": "data", "devices": [node.disk("HDD1")]}
    srv: dict[str, Any] = {"name": "srv", "size": "200M", "mount_point": "/srv", "mount_options": "noatime"}
    old: dict[str, Any] = {"name": "old", "size": "100M", "filesystem": "ext4", "mount_point": "/old"}
    node.module("lvm_drive", **drive, volumes=[srv, old])
    fill(node)
    node.converge("lvm_drive", **drive, volumes=[{"name": "srv", "mount_point": "/mnt/new"}])
    line = node.run("grep UUID=.*/mnt/new /etc/fstab; ! grep /srv /etc/fstab")
    assert line.split()[1:4] == ["/mnt/new", "btrfs", "noatime,nofail,x-systemd.device-timeout=300s"]
    assert "noatime" in node.run("findmnt --noheadings --output OPTIONS /mnt/new")
    assert node.run("sed -i s,/srv,/mnt/new, /mnt/new/sum; md5sum --check /mnt/new/sum") == "/mnt/new/file: OK"
    # Busy: it stays where it is, with its line.
    node.run("sleep 600 < /mnt/new/file > /dev/null 2>&1 & echo $! > /run/reader")
    with pytest.raises(Exception, match="/mnt/new"):
        node.module("lvm_drive", **drive, volumes=[{"name": "srv", "mount_point": "/srv"}])
    assert node.run("grep -c /mnt/new /etc/fstab; findmnt --noheadings --output TARGET /mnt/new") == "1\n/mnt/new"
    node.run("kill $(cat /run/reader)")
    node.converge("lvm_drive", **drive, volumes=[{"name": "old", "mount_point": ""}])
    assert node.run("grep /old /etc/fstab; findmnt --noheadings /old; lvs --noheadings -o lv_name data | wc -l") == "2"
    gone: list[dict[str, Any]] = [{"name": "srv", "size": "300M"}, {"name": "old", "state": "absent"}]
    assert "data/old holds an ext4 filesystem" in node.refusal("lvm_drive", **drive, volumes=gone)
    node.converge("lvm_drive", **drive, volumes=gone, allow_destroy=["/dev/data/old"])
    assert node.run("lvs --noheadings -o lv_name data") == "srv"
    assert node.run("md5sum --check /mnt/new/sum") == "/mnt/new/file: OK"
