# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of a real Ceph, also with those of LVM, as devices of a real kernel, by Cinder's drivers; drives on them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import examples
from tests.ceph import Cluster
from tests.cinder import environment
from tests.lab import Lab

from .cinder_guest import CEPH, LVM, Attacher, has_target
from .node import Node
from .test_rbd_map import reach

pytestmark = [pytest.mark.sees_this_machine, pytest.mark.further]
GIB = 1 << 30
GUIDE = "docs/guides/array-volume.md"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        # Its monitor only speaks what the kernel has to be told of, and the command that Cinder uses is told here.
        running.run("rbd", "config", "pool", "set", "rbd", "rbd_default_map_options", "ms_mode=crc")
        yield running


@pytest.fixture
def attacher(node: Node, lab: Lab) -> Attacher:
    node.run("modprobe rbd")
    return Attacher(node, lab, CEPH)


@pytest.fixture
def target(node: Node, lab: Lab) -> Attacher:
    return has_target(node, lab)


def test_a_drive_on_a_volume(attacher: Attacher, cluster: Cluster, lab: Lab) -> None:
    node = attacher.node
    words: dict[str, Any] = {"name": "db", "size": "1G", "state": "attached"}
    drive: dict[str, Any] = {"name": "db", "filesystem": "ext4", "mount_point": "/srv", "mount_options": "noauto"}
    with reach(node.guest, cluster):
        # Check mode through to the mount, where there is neither a volume nor a device.
        planned = attacher.check("cinder_volume", **words)
        assert [step["action"] for step in planned["plan"]] == ["create", "attach"]
        looked = node.module("lvm_drive", check=True, devices=[planned["device"]], expect=planned["provides"], **drive)
        assert looked["plan"][0]["action"] == "create"
        assert cluster.run("rbd", "ls").strip() == ""

        made = attacher.converge("cinder_volume", **words)
        device = made["device"]
        assert device == f"/dev/rbd/rbd/volume-{made['volume']['id']}"
        assert made["plan"] == planned["plan"]
        assert made["provides"] == [{"path": device, "size": str(GIB)}]
        assert made["volume"]["connections"][0]["protocol"] == "rbd"
        assert node.run(f"blockdev --getsize64 {device}") == str(GIB)
        assert cluster.keyring.read_text().split("key = ")[1].split()[0] not in json.dumps(made)

        node.module("lvm_drive", devices=[device], expect=made["provides"], **drive)
        node.run("echo kept > /srv/file; sync")
        assert "is mounted, or held by something" in attacher.refusal("cinder_volume", name="db", state="detached")
        gone = {"name": "db", "state": "absent", "allow_destroy": True}
        assert "it is attached to lab" in attacher.refusal("cinder_volume", **gone)
        grown = attacher.converge("cinder_volume", **{**words, "size": "2G"})
        assert [step["action"] for step in grown["plan"]] == ["extend"]
        assert node.run(f"blockdev --getsize64 {device}") == str(2 * GIB)
        node.run("sync")

    # A boot takes the device away, and the same task brings it back.
    lab.power_cut()
    attacher.mount()
    with reach(node.guest, cluster):
        again = attacher.converge("cinder_volume", **{**words, "size": "2G"})
        assert [step["action"] for step in again["plan"]] == ["attach"]
        node.run("vgchange --activate y db; udevadm settle; mount /srv")
        assert node.run("cat /srv/file") == "kept"
        node.module("lvm_drive", name="db", state="offline")
        attacher.converge("cinder_volume", name="db", state="detached")
        assert node.run("ls /sys/bus/rbd/devices") == ""
        attacher.converge("cinder_volume", **gone)
        assert cluster.run("rbd", "ls").strip() == ""


def test_both_drivers_in_one_play(target: Attacher, cluster: Cluster, lab: Lab, tmp_path: Path) -> None:
    """As the guide has it, run by Ansible: with both volumes attached, and a drive on each."""
    node, (text,) = target.node, [block.text for block in examples.blocks(GUIDE) if "driver: lvm" in block.text]
    text = text.replace("fileservers", "all").replace(
        "/opt/strata-cinder/bin/python", str(environment() / "bin/python")
    )
    book = tmp_path / "play.yml"
    book.write_text(text.replace("/etc/ceph/ceph.client.admin.keyring", "/etc/ceph/keyring"))

    def play(*words: str) -> str:
        command = ["ansible-playbook", "--inventory", str(lab.inventory_path), str(book), *words]
        environ = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    node.run("modprobe rbd")
    with reach(node.guest, cluster):
        assert "changed=3" in play("--check")
        assert node.run("iscsiadm --mode session 2>&1 || true") == "iscsiadm: No active sessions."
        assert "changed=3" in play()
        assert "changed=0" in play()
        for drive, transport in (("mail", "rbd"), ("scratch", "wwn-")):
            assert node.run(f"findmnt -n -o SOURCE /srv/{drive}") == f"/dev/mapper/{drive}-{drive}"
            node.module("lvm_drive", name=drive, state="offline")
            words = {**(CEPH if transport == "rbd" else LVM), "name": drive, "state": "detached"}
            assert transport in str(target.module("cinder_volume", **{**words, "state": "present"})["volume"])
            target.module("cinder_volume", **words)
    assert node.run("ls /sys/bus/rbd/devices; iscsiadm --mode session 2>&1 || true") == "iscsiadm: No active sessions."


def test_what_is_killed_while_it_attaches_or_detaches(attacher: Attacher, cluster: Cluster) -> None:
    node = attacher.node
    words: dict[str, Any] = {"name": "db", "size": "1G"}
    with reach(node.guest, cluster):
        attacher.module("cinder_volume", **words)
        for method in ("attach", "device_attached"):
            attacher.killed("Connection", method, "before", **words, state="attached")
            # It is connected; with the second, the kernel has the device, and nobody wrote it down.
            assert node.run("ls /sys/bus/rbd/devices") == ("0" if method == "device_attached" else "")
            assert attacher.module("cinder_volume", **words, state="attached")["changed"]
            assert node.run("ls /sys/bus/rbd/devices") == "0"
            attacher.killed("Volume", "disconnect", "before", **words, state="detached")
            assert attacher.module("cinder_volume", **words, state="detached")["changed"]
            assert node.run("ls /sys/bus/rbd/devices") == ""
        attacher.killed("Connection", "device_attached", "before", **words, state="attached")
        attacher.module("cinder_volume", **words, state="detached")
        assert node.run("ls /sys/bus/rbd/devices") == ""
        assert attacher.module("cinder_backend_info")["volumes"][0]["status"] == "available"
