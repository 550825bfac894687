# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of LVM by Cinder's driver, over iSCSI, with the target and the initiator on one host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import Lab
from tests.tools.sanity import have_pythons

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


#: Where a task is killed, and each leaves something else behind: a target, an initiator that may, a session, a device.
ATTACHING = (
    ("driver", "create_export", "after"),
    ("driver", "initialize_connection", "after"),
    ("Connection", "attach", "before"),
    ("Connection", "device_attached", "before"),
    ("Connection", "attach", "after"),
)
GONE: dict[str, Any] = {"name": "db", "state": "absent", "allow_destroy": True}


def left(node: Node) -> tuple[str, str]:
    """What the kernel offers, and where it is logged in."""
    targets = node.run("ls /sys/kernel/config/target/iscsi | grep iqn || true")
    return targets, node.run("iscsiadm --mode session 2> /dev/null || true")


def nothing_left(target: Attacher) -> None:
    assert left(target.node) == ("", "")
    (volume,) = target.module("cinder_backend_info")["volumes"]
    assert (volume["status"], volume["connections"]) == ("available", [])


def attached(target: Attacher, **words: Any) -> str:
    """The device, of which there is one, and what it holds is what was written."""
    device = str(target.module("cinder_volume", name="db", state="attached", **words)["device"])
    targets, sessions = left(target.node)
    assert (len(targets.split()), len(sessions.splitlines())) == (1, 1)
    assert target.node.run(f"head -c 4 {device}") == "kept"
    return device


def written(target: Attacher) -> None:
    """A volume that holds something, attached nowhere."""
    device = target.module("cinder_volume", name="db", size="1G", state="attached")["device"]
    target.node.run(f"printf kept | dd of={device} conv=fsync status=none")
    target.module("cinder_volume", name="db", state="detached")
    nothing_left(target)


def test_what_is_killed_while_it_attaches(target: Attacher) -> None:
    """The same task goes on; and where the opposite is asked for instead, nothing is left."""
    written(target)
    words: dict[str, Any] = {"name": "db", "state": "attached"}
    for point in ATTACHING:
        target.killed(*point, **words)
        attached(target)
        target.module("cinder_volume", name="db", state="detached")
        nothing_left(target)
        target.killed(*point, **words)
        assert target.module("cinder_volume", name="db", state="detached")["changed"]
        nothing_left(target)
    # Nobody wrote down that it is offered, and it is deleted all the same.
    target.killed(*ATTACHING[0], **words)
    assert "iqn" in left(target.node)[0]
    target.converge("cinder_volume", **GONE)
    assert left(target.node) == ("", "")
    assert "volume-" not in target.node.run("lvs --noheadings cinder-volumes")


DETACHING = (
    ("Connection", "detach", "after"),
    ("driver", "terminate_connection", "after"),
    ("driver", "remove_export", "before"),
    ("driver", "remove_export", "after"),
)


def test_what_is_killed_while_it_detaches(target: Attacher) -> None:
    """Where the opposite is asked for then, the volume is attached, whole; and the same task goes on."""
    written(target)
    words: dict[str, Any] = {"name": "db", "state": "detached"}
    for point in DETACHING:
        attached(target)
        target.killed(*point, **words)
        attached(target)
        target.killed(*point, **words)
        # After the last one, there is nothing to do but to say what the database does not.
        assert target.module("cinder_volume", **words)["changed"] == (point != DETACHING[-1])
        nothing_left(target)


def test_a_power_cut_while_it_attaches(target: Attacher, lab: Lab) -> None:
    written(target)
    for point, state in ((ATTACHING[0], "attached"), (ATTACHING[3], "attached"), (ATTACHING[4], "detached")):
        target.killed(*point, name="db", state="attached")
        target.node.run("sync")
        lab.power_cut()
        target.mount()
        target.node.run(ISCSI)
        if state == "attached":
            attached(target)
        target.module("cinder_volume", name="db", state="detached")
        nothing_left(target)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_killed_otherwise(target: Attacher, when: str) -> None:
    """A creation, an extension, a snapshot, and a deletion, each before or after the driver's call."""
    node = target.node

    def volumes() -> list[str]:
        return [name for name in node.run("lvs --noheadings -o lv_name cinder-volumes").split() if "pool" not in name]

    target.killed("driver", "create_volume", when, name="db", size="1G")
    made = target.module("cinder_volume", name="db", size="1G")
    assert [step["action"] for step in made["plan"]] == ["remove", "create"]
    assert volumes() == [f"volume-{made['volume']['id']}"]
    written(target)
    target.killed("driver", "extend_volume", when, name="db", size="2G")
    grown = target.converge("cinder_volume", name="db", size="2G")
    assert [step["action"] for step in grown["plan"]] == ["record" if when == "after" else "extend"]
    device = attached(target)
    assert node.run(f"blockdev --getsize64 {device}") == str(2 * GIB)
    target.killed("Connection", "extend", when, name="db", size="3G", state="attached")
    again = target.module("cinder_volume", name="db", size="3G", state="attached")
    assert [step["action"] for step in again["plan"]] == (["rescan"] if when == "before" else [])
    assert node.run(f"blockdev --getsize64 {device}") == str(3 * GIB)
    attached(target, size="3G")
    target.module("cinder_volume", name="db", state="detached")
    words: dict[str, Any] = {"volume": "db", "name": "nightly"}
    target.killed("driver", "create_snapshot", when, "snapshot", **words)
    taken = target.module("cinder_snapshot", **words)["snapshot"]
    assert volumes() == [f"_snapshot-{taken['id']}", f"volume-{made['volume']['id']}"]
    target.killed("driver", "delete_snapshot", when, "snapshot", **words, state="absent", allow_destroy=True)
    target.module("cinder_snapshot", **words, state="absent", allow_destroy=True)
    attached(target)
    target.module("cinder_volume", name="db", state="detached")
    target.killed("driver", "delete_volume", when, **GONE)
    target.converge("cinder_volume", **GONE)
    assert volumes() == []


def test_what_was_made_by_hand_and_a_database_that_was_lost(target: Attacher) -> None:
    """Volumes, thin and thick, and snapshots: all keep what they hold."""
    node = target.node
    written(target)
    group = "cinder-volumes"
    volume = f"volume-{target.module('cinder_volume', name='db')['volume']['id']}"
    node.run(
        f"lvcreate -q -y -n by-hand -V 1500M --thinpool {group}-pool {group}; lvcreate -q -y -n thick -L 8M {group}"
    )
    for name in ("by-hand", "thick"):
        node.run(f"printf kept | dd of=/dev/{group}/{name} conv=fsync status=none")
    node.run(f"lvcreate -q -n before -s {group}/{volume}")
    found = target.module("cinder_backend_info", gather=["manageable"])
    assert {one["reference"]["source-name"]: one["size"] for one in found["manageable"]} == {
        "before": GIB,
        "by-hand": 2 * GIB,
        "thick": GIB,
    }
    for name in ("by-hand", "thick"):
        taken = target.converge("cinder_volume", name=name, manage=True)["volume"]
        assert node.run(f"head -c 4 /dev/{group}/volume-{taken['id']}") == "kept"
    words: dict[str, Any] = {"volume": "db", "name": "nightly"}
    snapshot = target.converge("cinder_snapshot", **words)["snapshot"]
    node.run("rm /var/lib/strata-storage/cinder/cinder.sqlite")
    assert f"backend lvm has {volume} (1 GiB), and the database does not" in target.refusal(
        "cinder_volume", name="db", size="1G"
    )
    target.converge("cinder_volume", name="db", manage=True)
    assert "manage true takes it as it is" in target.refusal("cinder_snapshot", **words)
    assert target.converge("cinder_snapshot", **words, manage=True)["snapshot"]["id"] == snapshot["id"]
    copy = target.module("cinder_volume", name="copy", source_volume="db", source_snapshot="nightly")
    assert copy["volume"]["source"] == snapshot["id"]
    attached(target)


def test_python_3_12(node: Node, lab: Lab) -> None:
    """The other Python that the packages are pinned for, from nothing to nothing."""
    target = has_target(node, lab, have_pythons(lenient=False)["3.12"])
    written(target)
    target.module("cinder_snapshot", volume="db", name="nightly")
    attached(target, size="2G")
    target.module("cinder_volume", name="db", state="detached")
    target.module("cinder_volume", name="copy", source_volume="db", source_snapshot="nightly")
    target.module("cinder_volume", **{**GONE, "name": "copy"})
    target.module("cinder_snapshot", volume="db", name="nightly", state="absent", allow_destroy=True)
    target.converge("cinder_volume", **GONE)
    assert "volume-" not in node.run("lvs --noheadings cinder-volumes")
