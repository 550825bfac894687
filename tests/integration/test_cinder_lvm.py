# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of LVM by Cinder's driver, over iSCSI, with the target and the initiator on one host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import Lab

from .cinder_guest import ISCSI, Attacher, has_target
from .modules import ModuleFailed
from .node import Node

pytestmark = [pytest.mark.sees_this_machine, pytest.mark.further]
GIB = 1 << 30


@pytest.fixture
def target(node: Node, lab: Lab) -> Attacher:
    return has_target(node, lab)


def test_a_drive_on_a_volume_of_lvm(target: Attacher, lab: Lab) -> None:
    """Over iSCSI, with a target and an initiator on one host; and by a name of the device that stays its own."""
    node = target.node
    words: dict[str, Any] = {"name": "db", "size": "1G", "state": "attached"}
    drive: dict[str, Any] = {"name": "db", "filesystem": "ext4", "mount_point": "/srv", "mount_options": "noauto"}
    planned = target.check("cinder_volume", **words)
    looked = node.module("lvm_drive", check=True, devices=[planned["device"]], expect=planned["provides"], **drive)
    assert looked["plan"][0]["action"] == "create"
    made = target.converge("cinder_volume", **words)
    volume, device = f"volume-{made['volume']['id']}", made["device"]
    assert device.startswith("/dev/disk/by-id/wwn-0x")
    assert made["volume"]["connections"][0]["protocol"] == "iscsi"
    assert volume in node.run("iscsiadm --mode session")
    assert node.run("lvs --noheadings -o lv_name,pool_lv --separator ' ' cinder-volumes").split()[-2] == volume
    assert node.run(f"blockdev --getsize64 {device}") == str(GIB)
    node.module("lvm_drive", devices=[device], expect=made["provides"], **drive)
    node.run("echo kept > /srv/file; sync")
    assert "is mounted, or held by something" in target.refusal("cinder_volume", name="db", state="detached")
    target.converge("cinder_volume", **{**words, "size": "2G"})
    assert node.run(f"blockdev --getsize64 {device}") == str(2 * GIB)
    node.run("sync")

    # A boot ends the export, and the session, and gives the kernel's name to whoever comes first.
    lab.power_cut()
    target.mount()
    node.run(ISCSI)
    again = target.converge("cinder_volume", **{**words, "size": "2G"})
    assert [step["action"] for step in again["plan"]] == ["attach"]
    node.run("udevadm settle; vgchange --activate y db; udevadm settle; mount /srv")
    assert node.run("cat /srv/file") == "kept"
    # Target and initiator are one host here, which has the drive twice then: lvm_drive refuses to choose.
    node.run("umount /srv; vgchange --activate n db; udevadm settle")
    target.converge("cinder_volume", name="db", state="detached")
    assert node.run("ls /sys/kernel/config/target/iscsi | grep -c iqn || true") == "0"
    target.converge("cinder_volume", name="db", state="absent", allow_destroy=True)
    assert volume not in node.run("lvs cinder-volumes")


def test_what_goes_wrong_with_lvm(target: Attacher) -> None:
    """A group that is full, one that is not there, and a host that lacks what the driver or its protocol needs."""
    node = target.node
    thick = {"volume_group": "cinder-volumes", "lvm_type": "default", "volume_clear": "none"}
    target.backend = {"backend": {"name": "lvm", "driver": "lvm", "options": thick}}
    words: dict[str, Any] = {"name": "db", "state": "attached"}

    def says(**more: Any) -> str:
        with pytest.raises(ModuleFailed) as failed:
            target.module("cinder_volume", **words, **more)
        assert "Traceback" not in str(failed.value.result)
        return str(failed.value.result["msg"])

    assert "insufficient free space" in says(size="100G")
    nowhere = {"name": "lvm", "driver": "lvm", "options": {"volume_group": "nowhere"}}
    assert "vgs failed (exit code 5): Cannot process volume group nowhere" in says(size="1G", backend=nowhere)
    # What the failed creation left is taken away, and the volume made; and then the host cannot attach it.
    node.run("mv /etc/iscsi/initiatorname.iscsi /run")
    assert "initiator" in says(size="1G")
    node.run("mv /run/initiatorname.iscsi /etc/iscsi; mv /etc/target /run")
    told = says(size="1G")
    assert "cinder-rtstool failed (exit code 1): " in told
    assert "Cannot set dbroot to /etc/target" in told
    node.run("mv /run/target /etc; mv /usr/sbin/iscsiadm /usr/bin/iscsiadm /run 2> /dev/null || true")
    assert "the program iscsiadm is not there" in says(size="1G")
    node.run("mv /run/iscsiadm /usr/sbin")
    assert [one["status"] for one in target.module("cinder_backend_info")["volumes"]] == ["available"]
    assert node.run("ls /sys/kernel/config/target/iscsi | grep -c iqn || true") == "0"
    target.module("cinder_volume", name="db", state="absent", allow_destroy=True)
    assert node.run("lvs --noheadings cinder-volumes") == ""
