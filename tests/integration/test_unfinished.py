# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a record of intent is believed, and what the device itself has to say to that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node import MODULES, PYTHON, Node

UUID = "5f0c1e2a-7b3d-4c5e-8f90-a1b2c3d4e5f6"
OTHER = "00112233-4455-6677-8899-aabbccddeeff"
ARRAY = "5f0c1e2a:7b3d4c5e:8f90a1b2:c3d4e5f6"
RECORDS = "/var/lib/strata-storage"
_RECORD = f"""
import json, os, sys
from {MODULES.removesuffix(".modules")}.module_utils.core.plan import Intent
from {MODULES.removesuffix(".modules")}.module_utils.core.record import put_on_record
from {MODULES.removesuffix(".modules")}.module_utils.host.disks import identity
from {MODULES.removesuffix(".modules")}.module_utils.host.read import RECORDS
thing, uuid, paths = json.load(sys.stdin)
here = tuple((path, identity(os.path.basename(os.path.realpath(path)), lasting=True)) for path in paths)
put_on_record(RECORDS, "a step", Intent(thing.replace("IT", here[0][1]), uuid, here))
"""
MAKE = {
    "btrfs": "mkfs.btrfs --quiet --uuid {uuid} {device}",
    "ext4": "mkfs.ext4 -q -U {uuid} {device}",
    "xfs": "mkfs.xfs -q -m uuid={uuid} {device}",
    "swap": "mkswap --uuid {uuid} {device}",
}


def record(node: Node, thing: str, uuid: str, *paths: str) -> None:
    """As if a step had begun and not ended; IT in the name of a thing is what the first device is."""
    node.guest.write("/root/record.py", _RECORD)
    node.run(f"{PYTHON} /root/record.py", input=json.dumps([thing, uuid, paths]))


def records(node: Node) -> str:
    return node.run(f"ls {RECORDS} 2> /dev/null || true")


def on_device(device: str, kind: str) -> dict[str, Any]:
    return {"filesystems": [{"device": device, "type": kind, **({} if kind == "swap" else {"mount_point": "/srv"})}]}


@pytest.mark.parametrize("kind", list(MAKE))
@pytest.mark.first_case
def test_a_filesystem_that_nobody_has_worked_with_is_made_anew(node: Node, kind: str) -> None:
    """It looks whole, and nothing tells that it is."""
    device = node.disk("HDD1")
    node.run(MAKE[kind].format(uuid=UUID, device=device))
    record(node, "filesystem on IT", UUID, device)
    made = node.converge("layout", **on_device(device, kind))
    assert [step["action"] for step in made["plan"]][:2] == ["wipe", "format"]
    assert [step["destroys"] for step in made["plan"]] == [[]] * len(made["plan"])
    assert records(node) == ""


@pytest.mark.parametrize("kind", ["btrfs", "ext4", "xfs"])
@pytest.mark.first_case
def test_a_filesystem_that_somebody_has_worked_with_stays(node: Node, kind: str) -> None:
    device = node.disk("HDD1")
    node.run(MAKE[kind].format(uuid=UUID, device=device))
    node.run(f"mount {device} /mnt && umount /mnt")
    record(node, "filesystem on IT", UUID, device)
    assert "refused as a place for swap" in node.refusal("layout", **on_device(device, "swap"))
    node.run(f"mount {device} /mnt && echo kept > /mnt/file && umount /mnt")
    made = node.converge("layout", **on_device(device, kind))
    assert [step["action"] for step in made["plan"]][:1] == ["forget"]
    assert node.run("cat /srv/file") == "kept"
    assert records(node) == ""


@pytest.mark.further
def test_another_filesystem_stays_and_its_record_is_told(node: Node) -> None:
    device = node.disk("HDD1")
    node.run(MAKE["ext4"].format(uuid=OTHER, device=device))
    record(node, "filesystem on IT", UUID, device)
    said = node.refusal("layout", **on_device(device, "xfs"))
    assert f"it holds an ext4 filesystem (UUID {OTHER})" in said
    made = node.converge("layout", **on_device(device, "ext4"))
    assert "format" not in [step["action"] for step in made["plan"]]
    said = str(made["warnings"])
    assert f"{RECORDS}/filesystem-on-" in said
    assert "remove this file" in said


def test_old_bytes_in_an_array_that_nobody_looked_into(node: Node) -> None:
    disks = node.disks("HDD1", "HDD2")
    create = f"mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --size=64M --uuid={ARRAY} {' '.join(disks)}"
    node.run(f"{create}; mkfs.ext4 -q -U {OTHER} /dev/md0; mdadm --stop /dev/md0; mdadm --zero-superblock {disks[0]}")
    node.run(f"mdadm --zero-superblock {disks[1]}; {create} --assume-clean")
    record(node, "raid md0", ARRAY, *disks)
    item: dict[str, Any] = {"name": "md0", "level": "1", "devices": disks, "size": "64M", "uuid": ARRAY}
    said = node.refusal("raid", **item)
    assert f"array md0: /dev/md0 holds an ext4 filesystem (UUID {OTHER}). These are old bytes" in said
    assert f"To keep it, remove {RECORDS}/raid-md0.json" in said
    assert node.signatures("/dev/md0") == ["ext4"]
    node.run("mount /dev/md0 /mnt")
    used = node.module("raid", **item)
    assert "wipe" not in [step["action"] for step in used["plan"]]
    assert "raid-md0.json" in str(used["warnings"])
    node.run("umount /mnt")
    node.converge("raid", **item, allow_destroy=True)
    assert node.signatures("/dev/md0") == [""]
    assert records(node) == ""


@pytest.mark.further
def test_an_array_with_less_superblocks_than_members(node: Node) -> None:
    """Only where nobody wrote to it; else its members are kept, and it is said that it cannot start."""
    disks = node.disks("HDD1", "HDD2", "HDD3")
    create = f"mdadm --create /dev/md0 --run --level=5 --raid-devices=3 --size=64M --uuid={ARRAY} {' '.join(disks)}"
    item: dict[str, Any] = {"name": "md0", "level": "5", "devices": disks, "size": "64M", "uuid": ARRAY}
    # udev assembles again what is left, so no tool that wants a disk for itself clears it.
    clear = "dd if=/dev/zero of={} bs=4096 count=2 conv=fsync status=none"
    lose = f"{clear.format(disks[1])}; {clear.format(disks[2])}; udevadm settle; mdadm --stop --scan; udevadm settle"
    write = "dd if=/dev/zero of=/dev/md0 count=8 oflag=direct status=none"
    node.run(f"{create} --assume-clean; {write}; mdadm --stop /dev/md0; {lose}")
    record(node, "raid md0", ARRAY, *disks)
    assert "array md0 cannot start: it needs 2 of its 3" in node.refusal("raid", **item)
    assert node.signatures(disks[0]) == ["linux_raid_member"]
    # md may count an event though nobody wrote, and such an array is taken for one that is in use.
    fresh = f"{create} --assume-clean; mdadm --stop /dev/md0; mdadm --examine {disks[0]} | grep -q 'Events : 0$'"
    node.run(f"mdadm --stop --scan; until {fresh}; do udevadm settle; mdadm --stop --scan; done; {lose}")
    made = node.converge("raid", **item, wait=True)
    # udev had assembled what was left of it, or not.
    assert [step["action"] for step in made["plan"] if step["action"] in ("zero", "create")] == ["zero", "create"]
    assert [step["destroys"] for step in made["plan"]] == [[]] * len(made["plan"])
    assert records(node) == ""


@pytest.mark.further
def test_a_physical_volume_without_a_group(node: Node) -> None:
    disk = node.disk("HDD1")
    item: dict[str, Any] = {"name": "data", "devices": [disk], "filesystem": "ext4", "mount_point": "/srv"}
    node.run(f"pvcreate -q {disk}")
    assert "refused as a device of data: it holds an LVM2 physical volume" in node.refusal("lvm_drive", **item)
    node.run(f"vgcreate -q mine {disk} && vgremove -q mine")
    record(node, "drive data", "", disk)
    assert "refused as a device of data: it holds an LVM2 physical volume" in node.refusal("lvm_drive", **item)
    node.run(f"pvremove -q {disk} && pvcreate -q {disk}")
    made = node.converge("lvm_drive", **item)
    assert made["plan"][0]["detail"].startswith("half-made: an LVM2 physical volume")
    assert records(node) == ""


def test_a_label_in_use_by_a_group_whose_metadata_are_gone(node: Node) -> None:
    """A vgremove that was cut off between the metadata and the label."""
    disk, other = node.disk("HDD1"), node.disk("HDD2")
    item: dict[str, Any] = {"name": "data", "devices": [disk], "state": "absent"}
    node.run(f"pvcreate -q {disk} {other} && vgcreate -q data {disk}")
    # Where in the ring of metadata a group begins; that of a disk of the same size says nowhere.
    node.run(f"dd if={other} of={disk} bs=512 skip=8 seek=8 count=1 conv=fsync,notrunc status=none")
    assert node.run(f"pvs --noheadings --options pv_in_use {disk}").strip() == "used"
    assert node.run(f"pvremove {disk}", check=False) == ""
    record(node, "removal from drive data", "", disk)
    made = node.converge("lvm_drive", **item)
    assert [step["action"] for step in made["plan"]] == ["clear", "forget"]
    assert not any(node.signatures(disk))
    assert records(node) == ""


@pytest.mark.further
@pytest.mark.parametrize("lost", ["seek=0 count=8", "seek=1048543 count=33"], ids=["its beginning", "its end"])
@pytest.mark.first_case
def test_half_of_a_partition_table(node: Node, lost: str) -> None:
    disk = node.disk("HDD1")
    item: dict[str, Any] = {"partitions": [{"name": "one", "device": disk, "size": "100M"}]}
    node.run(f"printf 'label: gpt\\nlabel-id: {UUID}\\n' | sfdisk --quiet {disk}")
    node.run(f"dd if=/dev/zero of={disk} bs=512 {lost} conv=fsync status=none")
    record(node, "table for partition one", UUID, disk)
    made = node.converge("layout", **item)
    assert [step["action"] for step in made["plan"]] == ["wipe", "create", "create"]
    assert [step["destroys"] for step in made["plan"]] == [[], [], []]
    assert records(node) == ""


@pytest.mark.further
def test_a_partition_in_one_copy_of_the_table(node: Node) -> None:
    disk = node.disk("HDD1")
    item = {"partitions": [{"name": "one", "device": disk, "size": "100M"}]}
    node.run(f"printf 'label: gpt\\nsize=100M, name=one\\n' | sfdisk --quiet {disk}")
    node.run(f"dd if=/dev/zero of={disk} bs=1 seek=528 count=4 conv=fsync status=none")
    node.reread(disk)
    said = node.refusal("layout", **item)
    assert "names it, and the kernel does not show it" in said
    record(node, "partition one", "", disk)
    made = node.converge("layout", **item)
    assert [step["action"] for step in made["plan"]] == ["complete"]
    assert node.run(f"lsblk --noheadings --raw --output PARTLABEL {disk}").split() == ["one"]
    assert records(node) == ""


@pytest.mark.further
def test_a_record_whose_device_is_gone_is_told(node: Node) -> None:
    disk, other = node.disks("HDD1", "HDD2")
    record(node, "raid md0", ARRAY, disk, other)
    node.run(f"sed -i '0,/naa\\./s//gone./' {RECORDS}/raid-md0.json")
    made = node.module("layout", **on_device(other, "ext4"))
    said = str(made["warnings"])
    assert f"{disk} of then is not here now" in said
    assert f"{RECORDS}/raid-md0.json" in said
