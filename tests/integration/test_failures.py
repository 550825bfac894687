# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fails while a module runs, on a real kernel: it says so, and the same task goes on once that is mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .modules import ModuleFailed
from .node import Node

_MODULE = "PYTHONPATH=/usr/local/lib/strata python3 -m ansible_collections.strata.storage.plugins.modules"


def failure(node: Node, module: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ModuleFailed) as failed:
        node.module(module, **arguments)
    return failed.value.result


@pytest.mark.further
def test_a_disk_is_pulled_while_the_module_waits(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [one, two], "wait": True}
    node.guest.write("/run/given", json.dumps({"ANSIBLE_MODULE_ARGS": array}))
    node.run("echo 20000 > /proc/sys/dev/raid/speed_limit_max")
    node.run(f"setsid sh -c '{_MODULE}.raid < /run/given > /run/said; touch /run/ended' > /dev/null 2>&1 < /dev/null &")
    node.guest.until("grep -q resync /sys/block/md0/md/sync_action")
    node.lab.pull_disk("HDD2")
    node.guest.until("[ -e /run/ended ]")
    said = json.loads(node.guest.read("/run/said"))
    assert said["failed"]
    assert said["changed"]
    assert f"there is no block device {two}" in said["msg"]
    healed = node.module("raid", **array | {"devices": [one, three]})
    assert healed["status"]["degraded"] == 0


def test_a_disk_that_takes_no_writes(node: Node) -> None:
    disk = node.disk("HDD1")
    # Not from the first sector on: LVM would see a physical volume twice.
    size = int(node.run(f"blockdev --getsize {disk}")) - 2048
    node.run(f"dmsetup create flaky --table '0 {size} flakey {disk} 2048 0 1 1 error_writes'")
    drive: dict[str, Any] = {"name": "data", "devices": ["/dev/mapper/flaky"], "mount_point": "/srv"}
    said = failure(node, "lvm_drive", **drive)
    assert "create drive data: volume group on" in said["msg"]
    assert "vgcreate" in said["msg"]
    assert "Traceback" not in said["msg"]
    node.run(f"dmsetup suspend flaky; dmsetup reload flaky --table '0 {size} linear {disk} 2048'; dmsetup resume flaky")
    node.converge("lvm_drive", **drive)


def test_a_device_that_answers_nobody(node: Node) -> None:
    disk = node.disk("HDD1")
    size = node.run(f"blockdev --getsize {disk}")
    node.run(f"dmsetup create stuck --table '0 {size} linear {disk} 0'; dmsetup suspend stuck")
    others = node.disks("HDD2", "HDD3")
    assert "it is suspended" in node.refusal("raid", name="md0", level="1", devices=["/dev/mapper/stuck", others[0]])
    node.converge("raid", name="md0", level="1", devices=others)
    node.run("dmsetup resume stuck")


def test_configuration_files_that_cannot_be_written(node: Node) -> None:
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": node.disks("HDD1", "HDD2")}
    node.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc")
    said = failure(node, "raid", **array)
    assert "Read-only file system" in said["msg"]
    assert not said["changed"]
    assert node.signatures(*node.disks("HDD1", "HDD2")) == ["", ""]
    node.run("umount /etc")

    node.run("cp -a /etc /run/etc; mount -t tmpfs -o size=16m tmpfs /etc; cp -a /run/etc/. /etc")
    before = node.run("cat /etc/mdadm/mdadm.conf")
    node.run("dd if=/dev/zero of=/etc/full bs=4k 2> /dev/null || true")
    said = failure(node, "raid", **array)
    assert "No space left on device" in said["msg"]
    assert not said["changed"]
    assert node.run("cat /etc/mdadm/mdadm.conf; ls -A /etc/mdadm") == f"{before}\nmdadm.conf"
    node.run("rm /etc/full")
    node.converge("raid", **array)
