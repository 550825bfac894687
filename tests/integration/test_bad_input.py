# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused: with one clear sentence, and nothing touched."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.lab.fixtures import Labs

from .conftest import Nodes
from .modules import ModuleFailed
from .node import Node

#: A host whose disks all hold something, but for HDD6. ZFS and BlueStore are known by what libblkid looks for.
MESS = r"""
set -e
mkfs.ext4 -q -L backup {HDD1}
printf 'label: gpt\nsize=100M\nsize=100M\n' | sfdisk --quiet {HDD2}
udevadm settle
mkfs.ext4 -q {HDD2}-part1
mount {HDD2}-part1 /mnt
for block in 128 129 130 131 132 133 134 135; do
    printf '\014\261\272\000\000\000\000\000' | dd of={HDD2}-part2 bs=1K seek=$block conv=notrunc status=none
done
mdadm --create /dev/md5 --run --assume-clean --level=1 --raid-devices=2 {HDD3} {HDD4}
vgcreate --quiet others {HDD5}
lvcreate --quiet -y -n lv -L 100M others
lvcreate --quiet -y -n osd -L 100M others
printf 'bluestore block device\n' | dd of=/dev/others/osd conv=notrunc status=none
lvcreate --quiet -y -n path -L 100M others
dmsetup create mpatha --uuid mpath-36001 --table "0 8192 linear /dev/others/path 0"
lvcreate --quiet -y -n swap -L 60M others
mkswap -q /dev/others/swap
swapon /dev/others/swap
printf 0123456789 | cryptsetup luksFormat --batch-mode --type luks1 --pbkdf-force-iterations 1000 {SSD1} -
make-bcache --bdev {SSD2}
mkdir /full
touch /full/file
udevadm settle
"""

#: Each change of LVM's leaves a file in its archive.
_LOOK = "cat /proc/mdstat /proc/mounts /etc/mdadm/mdadm.conf /etc/fstab; ls /sys/fs/bcache /sys/block /etc/lvm/archive"

#: The device, and what is said of it.
HELD = [
    ("{HDD1}", 'it holds an ext4 filesystem labelled "backup"'),
    ("{HDD2}", "its partition /dev/sd.1 is mounted on /mnt"),
    ("{HDD2}-part1", "is mounted on /mnt"),
    ("{HDD2}-part2", "it holds membership of a ZFS pool"),
    ("{HDD3}", "it is a member of RAID array|is held by /dev/md5"),
    ("{HDD5}", "is held by /dev/mapper/|physical volume of volume group others"),
    ("{SSD1}", "it holds a LUKS container"),
    ("{SSD2}", "is held by /dev/bcache0"),
    ("/dev/others/osd", r"it holds a Ceph OSD \(BlueStore\)"),
    ("/dev/others/path", "is held by /dev/mapper/"),
    ("/dev/others/swap", "is in use as swap"),
    ("/dev/no-such-disk", "there is no block device /dev/no-such-disk on this host"),
    ("/etc/fstab", "there is no block device /etc/fstab on this host"),
]

#: A task, and what is said to it.
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("raid", {"name": "a/b", "level": "1", "devices": ["sdb", "sdc"]}, "no slash"),
    ("raid", {"name": "md0", "level": "5", "devices": ["{HDD6}", "{HDD1}"]}, "RAID 5 needs at least 3 devices"),
    ("raid", {"name": "md0", "level": "1", "devices": ["{HDD6}", "{HDD6}"]}, "is named twice"),
    ("raid", {"name": "md0", "level": "1", "devices": ["{HDD6}", "{kernel}"]}, "is named twice, by different names"),
    (
        "raid",
        {"name": "md0", "level": "0", "devices": ["{HDD6}", "{HDD1}"], "spare_devices": ["{HDD2}"]},
        "RAID 0 has no redundancy",
    ),
    ("raid", {"name": "md0", "level": "1"}, "to create it, say also: devices"),
    ("raid", {"name": "md0", "level": "7", "devices": ["{HDD6}"]}, "value of level must be one of"),
    ("raid", {"name": "md0", "state": "stopped"}, "does not exist, so it cannot be stopped"),
    ("bcache", {"name": "cached"}, "to create it, say also: backing_device"),
    ("bcache", {"name": "x" * 32, "backing_device": "{HDD6}"}, "at most 31 characters"),
    ("bcache", {"name": "cached", "backing_device": "{HDD6}", "cache_device": "{HDD6}"}, "is both backing_device and"),
    (
        "bcache",
        {"name": "cached", "backing_device": "{HDD6}", "cache_device": "{kernel}"},
        "is both its backing device and its cache",
    ),
    (
        "bcache",
        {"name": "cached", "backing_device": "{SSD2}", "cache_device": "{HDD6}", "bucket_size": "4M"},
        "is too small for a cache with buckets of 4 MiB",
    ),
    ("lvm_drive", {"name": "data"}, "to create it, say also: devices"),
    ("lvm_drive", {"name": "a b", "devices": ["{HDD6}"]}, "no slash and no space"),
    ("lvm_drive", {"name": "data", "devices": []}, "`devices` is empty"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}", "{kernel}"]}, "is named twice, by different names"),
    (
        "lvm_drive",
        {"name": "data", "devices": ["{HDD6}"], "filesystem": "reiserfs"},
        "value of filesystem must be one of",
    ),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "size": "2G"}, "2 GiB does not fit"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "size": "many"}, "'many' is not a size"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "size": "50M"}, "too small for btrfs"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "mount_point": "/mnt"}, "is mounted on /mnt"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "mount_point": "/full"}, "/full is not an empty directory"),
    ("lvm_drive", {"name": "data", "devices": ["{HDD6}"], "mount_point": "/boot"}, "is mounted on /boot"),
    ("lvm_drive", {"name": "others", "devices": ["{HDD6}"]}, "a volume group of that name exists already"),
    ("lvm_drive", {"name": "gone", "state": "offline"}, "does not exist, so it cannot be taken offline"),
]


@pytest.fixture(scope="module")
def mess(labs: Labs, nodes: Nodes) -> Node:
    node = nodes.untouched(labs.get())
    node.run(fill(node, MESS))
    node.run(f"({_LOOK}) > /root/look")
    return node


def fill(node: Node, value: Any) -> Any:
    """A task with the disks of the lab put in."""
    if isinstance(value, str):
        value = re.sub(r"\{((?:HDD|SSD)\d)\}", lambda match: node.disk(match.group(1)), value)
        return value.replace("{kernel}", node.guest.kernel_name("HDD6")) if "{kernel}" in value else value
    if isinstance(value, list):
        return [fill(node, part) for part in value]
    return value


def is_refused(node: Node, module: str, arguments: dict[str, Any], why: str) -> None:
    """In one sentence, with permission to destroy nothing, and leaving everything as it was."""
    with pytest.raises(ModuleFailed, match=why) as failed:
        node.module(module, **{option: fill(node, value) for option, value in arguments.items()})
    assert not failed.value.result.get("changed")
    assert "Traceback" not in str(failed.value.result)
    assert node.run(_LOOK) == node.run("cat /root/look")


#: One function refuses for all modules: that the others ask it too shows in a few cases.
_CASES = [
    (module, *held)
    for module, cases in (("raid", HELD), ("bcache", HELD[2:6]), ("lvm_drive", HELD[4:8]))
    for held in cases
]


@pytest.mark.xdist_group("mess")
@pytest.mark.parametrize(("module", "device", "found"), _CASES)
@pytest.mark.first_case
def test_a_device_that_is_taken(mess: Node, module: str, device: str, found: str) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "raid": {"name": "md0", "level": "1", "devices": ["{HDD6}", device]},
        "bcache": {"name": "cached", "backing_device": "{HDD6}", "cache_device": device},
        "lvm_drive": {"name": "data", "devices": ["{HDD6}", device]},
    }
    is_refused(mess, module, arguments[module], found)


@pytest.mark.xdist_group("mess")
@pytest.mark.parametrize(("module", "arguments", "why"), WRONG)
def test_a_task_that_makes_no_sense(mess: Node, module: str, arguments: dict[str, Any], why: str) -> None:
    is_refused(mess, module, arguments, why)


@pytest.mark.xdist_group("mess")
@pytest.mark.parametrize(
    ("module", "option", "devices"),
    [("raid", "devices", ["{HDD6}", "{HDD3}"]), ("lvm_drive", "devices", ["{HDD6}", "{HDD2}"])],
)
def test_permission_to_destroy_is_none_to_tear_away(mess: Node, module: str, option: str, devices: list[str]) -> None:
    more = {"level": "1"} if module == "raid" else {}
    is_refused(mess, module, {"name": "new", option: devices, "allow_destroy": True, **more}, "member of|is mounted")


def test_permission_to_destroy_destroys_what_it_named(node: Node) -> None:
    first, second = node.disks("HDD1", "HDD2")
    node.run(f"mkfs.ext4 -q -L backup {first}")
    made = node.converge("raid", name="md0", level="1", devices=[first, second], allow_destroy=True)
    assert [step["destroys"] for step in made["plan"] if step["destroys"]] == [
        [f"{node.run(f'readlink -e {first}')}: {made['plan'][0]['detail']}"]
    ]
    assert 'labelled "backup"' in made["plan"][0]["detail"]


def test_without_root(node: Node) -> None:
    tasks: list[tuple[str, dict[str, Any]]] = [("raid", {"name": "md0"}), ("lvm_drive_info", {})]
    for module, arguments in tasks:
        with pytest.raises(ModuleFailed, match="this needs root: set become: true"):
            node.module(module, prefix="runuser -u operator --", **arguments)


@pytest.mark.parametrize(
    ("tool", "module", "arguments"),
    [
        ("/usr/sbin/mdadm", "raid", {"name": "md0", "level": "1", "devices": ["{HDD1}", "{HDD2}"]}),
        ("/usr/sbin/make-bcache", "bcache", {"name": "cached", "backing_device": "{HDD1}"}),
        ("/usr/sbin/mkfs.xfs", "lvm_drive", {"name": "data", "devices": ["{HDD1}"], "filesystem": "xfs"}),
        ("/usr/sbin/lvm", "lvm_drive", {"name": "data", "devices": ["{HDD1}"]}),
    ],
)
@pytest.mark.first_case
def test_a_tool_that_is_missing(node: Node, tool: str, module: str, arguments: dict[str, Any]) -> None:
    node.run(f"mv {tool} {tool}.away")
    refusal = node.refusal(module, **{option: fill(node, value) for option, value in arguments.items()})
    assert tool.rpartition("/")[2] in refusal
    assert "installed" in refusal
    assert node.signatures(node.disk("HDD1")) == [""]


def test_two_tasks_at_once(node: Node) -> None:
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": node.disks("HDD1", "HDD2")}
    node.run("touch /run/strata-storage.lock; setsid flock /run/strata-storage.lock sleep 60 > /dev/null 2>&1 &")
    refusal = node.refusal("raid", **array, lock_timeout=0)
    assert "another task works on this host's storage" in refusal
