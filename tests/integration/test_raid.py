# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .modules import ModuleFailed
from .node import Node


def arrays(node: Node) -> list[str]:
    """The arrays that run, as mdadm sees them."""
    return [line.split()[1] for line in node.run("mdadm --detail --scan").splitlines()]


def test_the_life_of_an_array(node: Node) -> None:
    disks = node.disks("HDD1", "HDD2", "HDD3")
    array: dict[str, Any] = {"name": "md0", "level": "5", "devices": disks}

    made = node.converge("raid", **array)
    assert node.run("cat /sys/block/md0/md/level") == "raid5"
    assert made["raid"]["devices"] == made["diff"][-1]["after"]["raid"]["devices"]
    assert sorted(node.run(f"readlink -e {' '.join(made['raid']['devices'])}").split()) == sorted(
        node.run(f"readlink -e {' '.join(disks)}").split()
    )
    node.run("echo some data | dd of=/dev/md0 bs=1M seek=300 conv=sync,fsync")

    assert arrays(node) == ["/dev/md0"]
    assert node.run("grep -c ^ARRAY /etc/mdadm/mdadm.conf") == "1"

    node.converge("raid", name="md0", state="stopped")
    assert arrays(node) == []
    node.converge("raid", **array)
    assert node.run("dd if=/dev/md0 bs=1M skip=300 count=1 status=none | head -c 9") == "some data"

    node.converge("raid", name="md0", state="absent")
    assert node.signatures(*disks) == ["", "", ""]
    assert node.run("grep -c ^ARRAY /etc/mdadm/mdadm.conf || true") == "0"
    assert node.module("raid_info")["raids"] == []


@pytest.mark.parametrize(
    ("level", "members"),
    [
        ("0", 2),
        ("1", 2),
        ("4", 3),
        ("6", 4),
        ("10", 4),
    ],
    ids=str,
)
@pytest.mark.first_case
def test_each_level(node: Node, level: str, members: int) -> None:
    disks = node.disks("HDD1", "HDD2", "HDD3", "HDD4")[:members]
    options: dict[str, Any] = {} if level in ("0", "1") else {"chunk_size": "64K"}
    node.module("raid", name="md7", level=level, devices=disks, **options)
    node.unchanged("raid", name="md7", level=level, devices=disks, **options)
    assert node.run("cat /sys/block/md7/md/level") == f"raid{level}"


@pytest.mark.further
def test_names_spares_and_several_arrays(node: Node) -> None:
    mirror: dict[str, Any] = {"name": "data", "level": "1", "devices": node.disks("HDD1", "HDD2"), "metadata": "1.0"}
    node.converge("raid", **mirror, spare_devices=[node.disk("HDD3")])
    node.converge("raid", name="md10", level="0", devices=node.disks("HDD4", "HDD5"))
    # md1 is not md10, and neither are its devices free.
    assert "a member of RAID array /dev/md10" in node.refusal(
        "raid", name="md1", level="1", devices=node.disks("HDD5", "HDD6")
    )
    with pytest.raises(ModuleFailed, match="array md1 does not exist, and to create it, say also: level, devices"):
        node.module("raid", name="md1")
    info = node.module("raid_info")
    assert sorted(item["name"] for item in info["raids"]) == ["data", "md10"]
    for item in info["raids"]:
        node.unchanged("raid", **item)
    grown = node.converge("raid", **mirror, spare_devices=node.disks("HDD3", "HDD6"))
    assert [step["action"] for step in grown["plan"]] == ["add"]
    assert len(grown["raid"]["spare_devices"]) == 2


def test_an_array_made_by_hand_gets_its_name(node: Node) -> None:
    first, second = node.disks("HDD1", "HDD2")
    create = "mdadm --create /dev/md127 --run --level=1 --raid-devices=2 --name=md0"
    node.run(f"{create} {first} {second}")
    node.run("mdadm --quiet --wait /dev/md127 || true")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": [first, second]}
    assert "is a member of RAID array" in node.refusal("raid", name="md5", level="1", devices=[first, second])
    other = "0" * 32
    assert "is a member of RAID array" in node.refusal("raid", **array, uuid=other)

    adopted = node.converge("raid", **array)
    assert [step["action"] for step in adopted["plan"]] == ["persist", "rebuild", "stop", "assemble"]
    assert arrays(node) == ["/dev/md0"]


def test_a_failed_member_is_said_and_a_new_one_takes_its_place(node: Node) -> None:
    first, second, third = node.disks("HDD1", "HDD2", "HDD3")
    node.module("raid", name="md0", level="1", devices=[first, second])
    node.lab.pull_disk("HDD2")
    node.run("udevadm settle; dd if=/dev/zero of=/dev/md0 bs=4k count=1 oflag=direct; mdadm /dev/md0 --remove detached")
    warned = node.unchanged("raid", name="md0")
    assert "array md0: 1 of 2 members missing" in str(warned["warnings"])
    healed = node.module("raid", name="md0", level="1", devices=[first, third])
    assert [step["detail"] for step in healed["plan"]] == [
        f"{node.run(f'readlink -e {third}')} in place of a missing member"
    ]
    node.run("mdadm --wait /dev/md0 || true")
    node.unchanged("raid", name="md0", level="1", devices=[first, third])
    assert node.run("cat /sys/block/md0/md/degraded") == "0"


@pytest.mark.further
def test_old_bytes_that_surface_are_refused_or_erased(node: Node) -> None:
    disks = node.disks("HDD1", "HDD2")
    array: dict[str, Any] = {"name": "md0", "level": "1", "devices": disks}
    node.module("raid", **array)
    node.run("vgcreate old /dev/md0 && lvcreate -y -n lv -l 100%FREE old")
    # A service of systemd's activates what udev saw, and may come later than that.
    node.guest.until("vgchange -an old && mdadm --stop /dev/md0")
    node.run(f"mdadm --zero-superblock {' '.join(disks)}")
    assert node.signatures(*disks) == ["", ""]
    node.module("raid", name="md0", state="absent")
    with pytest.raises(ModuleFailed, match="old bytes inside the new /dev/md0 form this: LVM2_member"):
        node.module("raid", **array)
    assert arrays(node) == []
    assert node.signatures(*disks) == ["", ""]
    node.module("raid", **array, allow_destroy=True)
    assert node.signatures("/dev/md0") == [""]
    node.unchanged("raid", **array)


@pytest.mark.further
def test_absent_shows_what_it_destroys(node: Node) -> None:
    node.module("raid", name="md0", level="1", devices=node.disks("HDD1", "HDD2"))
    node.run("mkfs.ext4 -q -L backup /dev/md0")
    assert 'holds an ext4 filesystem labelled "backup"' in node.refusal("raid", name="md0", state="absent")
    gone = node.converge("raid", name="md0", state="absent", allow_destroy=True)
    assert 'an ext4 filesystem labelled "backup"' in gone["plan"][0]["destroys"][0]
    assert node.signatures(*node.disks("HDD1", "HDD2")) == ["", ""]


@pytest.mark.further
def test_a_stopped_array_is_erased_with_permission_only(node: Node) -> None:
    disks = node.disks("HDD1", "HDD2")
    node.module("raid", name="md0", level="1", devices=disks)
    node.run("mkfs.ext4 -q /dev/md0")
    node.module("raid", name="md0", state="stopped")
    assert "it does not run, so nobody can see what it holds" in node.refusal("raid", name="md0", state="absent")
    node.converge("raid", name="md0", state="absent", allow_destroy=True)
    node.module("raid", name="md0", level="1", devices=disks)
    assert node.signatures("/dev/md0") == [""]
