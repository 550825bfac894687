# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a host, and devices that cannot be read, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .node import Node
from .test_raid_change import small


def told(node: Node) -> dict[str, Any]:
    return node.module("layout_info")


def problems(node: Node) -> list[tuple[str, str, str]]:
    return [(item["severity"], item["name"], item["problem"]) for item in told(node)["health"]]


def path(node: Node, device: str) -> str:
    return node.run(f"readlink -e {device}")


def test_a_drive_one_of_whose_devices_is_pulled(node: Node) -> None:
    """Each of the facts modules goes on, and what they say is bounded by what the kernel answers."""
    disks = node.disks("HDD1", "HDD2")
    node.module("lvm_drive", name="data", devices=disks, mount_point="/srv", filesystem="ext4")
    node.module("raid", name="md0", level="1", devices=small(node, "HDD3", "HDD4"))
    node.run("head -c 100M /dev/urandom > /srv/file; sync")
    node.lab.pull_disk("HDD2")
    found = told(node)
    assert [item["name"] for item in found["layout"]["raids"]] == ["md0"]
    assert ("critical", "data", "missing") in problems(node)
    assert node.module("raid_info")["raids"][0]["name"] == "md0"
    assert "is missing, and what lies on it cannot be read: " in node.refusal("lvm_drive", name="data")
    node.unchanged("raid", name="md0")


@pytest.mark.further
def test_a_disk_that_the_kernel_gave_up(node: Node) -> None:
    disk = node.disk("HDD6")
    kernel = path(node, disk)
    node.run(f"echo offline > /sys/block/{kernel[5:]}/device/state")
    found = told(node)
    assert ("critical", kernel, "fault") in [(i["severity"], i["device"], i["problem"]) for i in found["health"]]
    assert kernel in [path(node, item["device"]) for item in found["not_read"]]
    assert kernel not in [path(node, item["device"]) for item in found["unused"]]
    raids = [{"name": "md0", "level": "6", "devices": ["pool"]}]
    six = [{"name": "pool", "count": 6, "rotational": True}]
    assert f"{kernel} cannot be read" in node.refusal("layout", disks=six, raids=raids)
    node.module("layout", disks=[six[0] | {"count": 5}], raids=raids)
    assert f"{kernel}: it cannot be read (" in node.refusal(
        "raid", name="md1", level="1", devices=[disk, node.disk("SSD1")]
    )
    node.run(f"echo running > /sys/block/{kernel[5:]}/device/state")


def test_a_device_with_errors_in_an_array(node: Node) -> None:
    """md keeps a member that fails at a few writes, where it has a list of bad blocks."""
    (good,), bad = small(node, "HDD1"), node.disk("HDD2")
    node.run(f"dmsetup create bad --table '0 200000 linear {bad} 0'")
    node.module("raid", name="md0", level="1", devices=[good, "/dev/mapper/bad"], bitmap="none", wait=True)
    table = f"0 150000 linear {bad} 0\n150000 100 error\n150100 49900 linear {bad} 150100"
    node.run(f"dmsetup suspend bad; printf '{table}' | dmsetup load bad; dmsetup resume bad")
    node.run("dd if=/dev/urandom of=/dev/md0 bs=1M oflag=direct 2>&1 || true")
    found = {(item["severity"], item["problem"], item["device"]) for item in told(node)["health"]}
    member = path(node, "/dev/mapper/bad")
    assert ("warning", "write errors", member) in found
    assert ("warning", "bad blocks", member) in found
    warned = node.module("raid", name="md0")
    assert "writes to /dev/mapper/bad failed" in str(warned["warnings"])
    assert not warned["changed"]


def test_members_that_disagree(node: Node) -> None:
    members = small(node, "HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=members, wait=True)
    node.run(f"dd if=/dev/urandom of={members[1]} bs=1M seek=8 count=4 conv=fsync status=none")
    node.module("raid", name="md0", scrub="check", wait=True)
    assert ("warning", "md0", "mismatches") in problems(node)
    assert "a repair makes its members equal" in str(node.module("raid", name="md0")["warnings"])


def test_an_array_that_was_not_started(node: Node) -> None:
    members = small(node, "HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=members, wait=True)
    node.run(f"mdadm --quiet --stop /dev/md0; udevadm settle; wipefs --quiet --all {members[1]}; mdadm -I {members[0]}")
    found = told(node)["health"]
    assert [(item["severity"], item["problem"]) for item in found] == [("critical", "inactive")]
    assert "1 of its 2 members are here" in found[0]["detail"]


@pytest.mark.further
def test_a_filesystem_that_the_kernel_made_read_only(node: Node) -> None:
    disk = node.disk("HDD1")
    node.module(
        "layout",
        filesystems=[{"device": disk, "type": "ext4", "mount_point": "/srv", "mount_options": "errors=remount-ro"}],
    )
    kernel = path(node, disk)
    node.run(f"echo broken > /sys/fs/ext4/{kernel[5:]}/trigger_fs_error")
    assert problems(node) == [("critical", kernel, "read-only"), ("warning", kernel, "errors")]
    warned = node.module("layout", filesystems=[{"device": disk, "type": "ext4", "mount_point": "/srv"}])
    assert "/srv was made read-only" in str(warned["warnings"])


def test_a_mount_that_differs_from_its_line(node: Node) -> None:
    disk = node.disk("HDD1")
    node.module("layout", filesystems=[{"device": disk, "type": "xfs", "mount_point": "/srv"}])
    assert problems(node) == []
    node.run("mount -o remount,noatime,nosuid /srv")
    found = told(node)["health"]
    assert [item["detail"] for item in found] == [
        "/srv has noatime nosuid and lacks relatime, other than by /etc/fstab"
    ]


@pytest.mark.further
def test_a_btrfs_whose_devices_changed(node: Node) -> None:
    one, two, three = node.disks("HDD1", "HDD2", "HDD3")
    node.run(f"mkfs.btrfs --quiet {one} {two} && mount {one} /mnt")
    node.run(f"btrfs device add --force {three} /mnt && btrfs device remove {one} /mnt")
    found = told(node)
    assert found["not_read"] == []
    assert path(node, one) in [path(node, item["device"]) for item in found["unused"]]
    assert "is mounted on /mnt" in node.refusal("raid", name="md0", level="1", devices=[two, three])


@pytest.mark.further
def test_a_reshape_that_waits(node: Node) -> None:
    members = small(node, "HDD1", "HDD2", "HDD3", "HDD4")
    node.module("raid", name="md0", level="5", chunk_size="64K", devices=members[:3], wait=True)
    node.run("echo 100 > /sys/block/md0/md/sync_speed_max; echo 100 > /sys/block/md0/md/sync_speed_min")
    node.module("raid", name="md0", level="5", devices=members)
    node.run("udevadm settle; mdadm --quiet --stop /dev/md0; udevadm settle")
    node.run(f"mdadm --quiet --assemble --readonly /dev/md0 {' '.join(members)}")
    found = [item for item in told(node)["health"] if item["problem"] == "waits"]
    assert [item["name"] for item in found] == ["md0"]
    assert "a reshape waits, since it is read" in found[0]["detail"]


def test_a_stack_that_was_taken_down_by_hand(node: Node) -> None:
    """All that facts and diffs need is read, also where the plan needed none of it."""
    document: dict[str, Any] = {
        "raids": [{"name": "md0", "level": "1", "devices": small(node, "HDD1", "HDD2")}],
        "drives": [
            {
                "name": "data",
                "devices": ["md0"],
                "volumes": [{"name": "srv", "filesystem": "ext4", "mount_point": "/srv"}],
            }
        ],
    }
    node.converge("layout", **document)
    node.run("umount /srv; vgchange -an data; mdadm --quiet --stop /dev/md0")
    checked = node.check("layout", **document)
    assert checked["in_progress"] == ["drives: data: is planned once md0 runs"]
    done = node.module("layout", **document)
    assert done["plan"][: len(checked["plan"])] == checked["plan"]
    assert done["plan"][-1]["action"] == "mount"
    node.unchanged("layout", **document)
    assert problems(node) == []


@pytest.mark.further
def test_others_work_while_a_task_waits(node: Node) -> None:
    """A scrub takes hours: whoever waits for it keeps nobody from other devices."""
    members = small(node, "HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=members, wait=True)
    node.run("echo 50 > /sys/block/md0/md/sync_speed_max; echo 50 > /sys/block/md0/md/sync_speed_min")
    node.guest.write("/run/given", '{"ANSIBLE_MODULE_ARGS": {"name": "md0", "scrub": "check", "wait": true}}')
    command = "PYTHONPATH=/usr/local/lib/strata python3 -m ansible_collections.strata.storage.plugins.modules.raid"
    node.run(f"setsid sh -c '{command} < /run/given > /run/said; touch /run/ended' > /dev/null 2>&1 < /dev/null &")
    node.guest.until("grep -q check /sys/block/md0/md/sync_action")
    node.converge("lvm_drive", name="data", devices=[node.disk("HDD3")], mount_point="/srv", lock_timeout=5)
    node.run("[ ! -e /run/ended ]")
    node.run("echo max > /sys/block/md0/md/sync_speed_max; echo 100000 > /sys/block/md0/md/sync_speed_min")
    node.guest.until("[ -e /run/ended ]")
    assert '"changed": true' in node.guest.read("/run/said")
