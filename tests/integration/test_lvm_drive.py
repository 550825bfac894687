# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from .modules import ModuleFailed
from .node import RANDOM, Node


def drive(node: Node, *serials: str, **more: Any) -> dict[str, Any]:
    return {"name": "data", "devices": node.disks(*serials), "mount_point": "/srv", **more}


def fill(node: Node) -> None:
    node.run(f"dd if={RANDOM} of=/srv/file bs=1M count=30 status=none && md5sum /srv/file > /root/sum && sync")


def intact(node: Node) -> bool:
    return node.run("md5sum --check --quiet /root/sum && echo yes") == "yes"


def test_the_life_of_a_drive(node: Node) -> None:
    small = drive(node, "HDD1")
    made = node.converge("lvm_drive", **small)
    assert node.run("findmnt --noheadings --output FSTYPE /srv") == "btrfs"
    uuid = made["status"]["volumes"]["data"]["uuid"]
    assert node.run("grep /srv /etc/fstab").startswith(f"UUID={uuid} /srv btrfs defaults,nofail,")
    fill(node)

    large = drive(node, "HDD1", "HDD2", size="100%")
    grown = node.converge("lvm_drive", **large)
    assert [step["action"] for step in grown["plan"]] == ["extend", "extend", "grow"]
    assert "its volumes lack" in node.refusal("lvm_drive", **small)
    assert "Set allow_shrink" in node.refusal("lvm_drive", **small, size="100%")

    node.converge("lvm_drive", name="data", state="offline")
    assert node.run("lvs --noheadings -o lv_active data") == ""
    node.converge("lvm_drive", **large)
    assert intact(node)

    assert "holds a btrfs filesystem" in node.refusal("lvm_drive", name="data", state="absent")
    node.converge("lvm_drive", name="data", state="absent", allow_destroy=True)
    assert node.signatures(*node.disks("HDD1", "HDD2")) == ["", ""]
    assert node.run("grep -c /srv /etc/fstab || true") == "0"


@pytest.mark.parametrize("filesystem", ["ext4", "xfs", "ext3"])
@pytest.mark.first_case
def test_other_filesystems(node: Node, filesystem: str) -> None:
    node.module("lvm_drive", **drive(node, "HDD1", filesystem=filesystem))
    fill(node)
    # Omitted means unchanged: only the group grows.
    larger_group = node.module("lvm_drive", **drive(node, "HDD1", "HDD2"))
    assert [step["action"] for step in larger_group["plan"]] == ["extend"]
    large = drive(node, "HDD1", "HDD2", filesystem=filesystem, size="100%")
    grown = node.module("lvm_drive", **large)
    assert [step["action"] for step in grown["plan"]] == ["extend", "grow"]
    assert int(node.run("findmnt --bytes --noheadings --output SIZE /srv")) > 900 << 20
    node.module("lvm_drive", name="data", state="offline")
    node.module("lvm_drive", **large)
    node.unchanged("lvm_drive", **large)
    assert intact(node)
    other = {"ext4": "xfs", "xfs": "btrfs", "ext3": "xfs"}[filesystem]
    assert f"holds an {filesystem} filesystem" in node.refusal("lvm_drive", **large | {"filesystem": other})


def shown(node: Node) -> tuple[str, ...]:
    """Type and label on the volume itself: udev may not have seen them yet."""
    return tuple(
        node.run(f"blkid --probe --output value --match-tag {tag} /dev/data/data") for tag in ("TYPE", "LABEL")
    )


@pytest.mark.parametrize("filesystem", ["vfat", "f2fs"])
@pytest.mark.first_case
def test_filesystems_that_keep_their_size(node: Node, filesystem: str) -> None:
    made = drive(node, "HDD1", filesystem=filesystem, label="first", size="300M")
    node.converge("lvm_drive", **made)
    fill(node)
    assert shown(node) == (filesystem, "first")
    assert f"{filesystem} cannot shrink" in node.refusal("lvm_drive", **made | {"size": "200M", "allow_shrink": True})
    made["size"] = "400M"
    grown = node.converge("lvm_drive", **made)
    assert [step["action"] for step in grown["plan"]] == ["extend"]
    assert "changes only while it is not" in node.refusal("lvm_drive", **made | {"label": "second"})
    node.module("lvm_drive", name="data", state="offline")
    node.lab.power_cut()
    # Its label can only be read once the volume is active.
    with pytest.raises(ModuleFailed, match="changes only while it is not"):
        node.module("lvm_drive", **made | {"label": "second"})
    node.module("lvm_drive", **made)
    node.unchanged("lvm_drive", **made)
    assert intact(node)
    node.converge("lvm_drive", **{word: made[word] for word in ("name", "devices")}, mount_point="")
    node.converge("lvm_drive", **made | {"label": "second"})
    assert intact(node)
    assert f"{filesystem} filesystem" in node.refusal("lvm_drive", **made | {"label": "second", "filesystem": "ext4"})


@pytest.mark.further
def test_an_ext2(node: Node) -> None:
    made = drive(node, "HDD1", filesystem="ext2", label="first", size="300M")
    node.converge("lvm_drive", **made)
    fill(node)
    node.converge("lvm_drive", **made | {"label": "second"})
    assert shown(node) == ("ext2", "second")
    assert intact(node)


def test_sizes_and_options(node: Node) -> None:
    half = drive(node, "HDD1", filesystem="ext4", size="50%", mount_options="noatime", volume_name="logs")
    node.converge("lvm_drive", **half)
    assert node.run("lvs --noheadings --units m --nosuffix -o lv_size data/logs").strip() == "252.00"
    assert "noatime" in node.run("findmnt --noheadings --output OPTIONS /srv")
    node.converge("lvm_drive", **half | {"size": "400M"})
    assert "Set allow_shrink" in node.refusal("lvm_drive", **half | {"size": "300M"})
    assert "2 GiB does not fit" in node.refusal("lvm_drive", **half | {"size": "2G"})
    remounted = node.converge("lvm_drive", **half | {"size": "400M", "mount_options": "nodev", "boot_required": True})
    assert [step["action"] for step in remounted["plan"]] == ["persist", "remount"]
    assert node.run("grep /srv /etc/fstab").split()[3] == "nodev"
    # Omitted means unchanged.
    node.unchanged("lvm_drive", name="data", volume_name="logs", mount_point="/srv")
    item = node.module("lvm_drive_info", name="data")["drives"][0]
    assert item["volumes"] == [
        {
            "name": "logs",
            "size": 400 << 20,
            "filesystem": "ext4",
            "mount_point": "/srv",
            "mount_options": "nodev",
            "boot_required": True,
        }
    ]


def test_who_owns_what_is_mounted(node: Node) -> None:
    """It stays with the filesystem, wherever that is mounted, and is mended where somebody changed it."""

    def of(point: str) -> str:
        return node.run(f"stat --format '%U %G %04a' {point}")

    words = {**drive(node, "HDD1"), "filesystem": "ext4"}
    given = {"mount_owner": "www-data", "mount_group": "staff", "mount_mode": "2775"}
    with pytest.raises(ModuleFailed, match="this host has no user nobody-here"):
        node.module("lvm_drive", **words, mount_owner="nobody-here")
    result = node.converge("lvm_drive", **words, **given)
    assert result["plan"][-1]["detail"] == "/srv: owner www-data, group staff, mode 2775"
    assert of("/srv") == "www-data staff 2775"
    node.unchanged("lvm_drive", **words)
    node.run("chown root /srv; chmod 0700 /srv")
    mended = node.converge("lvm_drive", **words, **given)
    assert [step["detail"] for step in mended["plan"]] == ["/srv: owner www-data, mode 2775"]
    node.converge("lvm_drive", **{**words, "mount_point": "/opt/moved"})
    assert (of("/opt/moved"), of("/srv")) == ("www-data staff 2775", "root root 0755")
    node.converge("lvm_drive", name="data", mount_mode="0755")
    assert of("/opt/moved") == "www-data staff 0755"


@pytest.mark.further
def test_several_volumes_one_inside_another(node: Node) -> None:
    volumes = [
        {"name": "rest", "size": "100%", "mount_point": "/srv"},
        {"name": "logs", "size": "25%", "filesystem": "ext4", "mount_point": "/srv/logs", "mount_options": "noatime"},
    ]
    both: dict[str, Any] = {"name": "data", "devices": node.disks("HDD1"), "volumes": volumes}
    node.converge("lvm_drive", **both)
    assert node.run("findmnt --noheadings --raw --output TARGET,FSTYPE | grep /srv") == "/srv btrfs\n/srv/logs ext4"
    node.run("echo kept > /srv/logs/file")
    (item,) = node.module("lvm_drive_info")["drives"]
    node.unchanged("lvm_drive", **item)
    assert "its volume group also has" in node.refusal("lvm_drive", name="data", state="absent", volume_name="logs")
    node.converge("lvm_drive", name="data", state="offline", volumes=volumes)
    node.converge("lvm_drive", **both)
    assert node.run("cat /srv/logs/file") == "kept"
    node.converge("lvm_drive", name="data", state="absent", volumes=volumes, allow_destroy=True)
    assert node.signatures(node.disk("HDD1")) == [""]


def test_a_volume_of_somebody_elses_keeps_the_group(node: Node) -> None:
    node.module("lvm_drive", **drive(node, "HDD1", size="50%"))
    node.run("lvcreate -y -n theirs -L 20M data")
    assert "its volume group also has theirs" in node.refusal(
        "lvm_drive", name="data", state="absent", allow_destroy=True
    )
    node.converge("lvm_drive", name="data", state="offline")
    assert node.run("lvs --noheadings -o lv_active data/theirs").strip() == "active"


def test_busy_mounts_are_not_torn_away(node: Node) -> None:
    node.module("lvm_drive", **drive(node, "HDD1"))
    other = node.disk("HDD2")
    node.run(f"mkdir /srv/inside && mkfs.ext4 -q {other} && mount {other} /srv/inside")
    assert "is mounted on /srv/inside, inside it" in node.refusal("lvm_drive", name="data", state="offline")
