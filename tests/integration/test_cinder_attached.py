# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of a real Ceph, and of LVM over iSCSI, as devices of a real kernel, by Cinder's drivers; drives on them."""

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

from .modules import Modules, result_of
from .node import MODULES, ROOT, Node
from .test_rbd_map import reach

pytestmark = [pytest.mark.sees_this_machine, pytest.mark.further]
GIB = 1 << 30
GUIDE = "docs/guides/array-volume.md"
CEPH: dict[str, Any] = {
    "backend": {"name": "ceph", "driver": "rbd", "options": {"rbd_keyring_conf": "/etc/ceph/keyring"}}
}
#: The example of cinderlib's documentation.
LVM: dict[str, Any] = {"backend": {"name": "lvm", "driver": "lvm", "options": {"volume_group": "cinder-volumes"}}}
#: What Debian's services do at boot. The lab's own disks are of the kernel's target, loaded before it finds iblock.
ISCSI = "systemctl start iscsid; modprobe -a iscsi_tcp iscsi_target_mod target_core_iblock dm_thin_pool"
#: Runs a task that is killed where cinderlib calls a method.
_KILLED = """
import json, os, signal, sys
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.strata.storage.plugins.module_utils.cinder import library, volume, works
from ansible_collections.strata.storage.plugins.module_utils.cinder.actions import hands
from ansible_collections.strata.storage.plugins.module_utils.cinder.words import CONNECTION, parse
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.core.run import answer
kind, method, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
params = ArgumentSpecValidator({**CONNECTION, **volume.OPTIONS}).validate(given).validated_parameters
want = parse(params)
library.check_set()
with library.opened(want, library.load_driver(want), read_only=False) as opened:
    setattr(getattr(opened._objects, kind), method, lambda *_words, **_more: os.kill(os.getpid(), signal.SIGKILL))
    _state, plan = answer(opened.read(), opened.deepen, works.volume(params).plan)
    execute(plan.steps, hands(opened))
"""


class Attacher(Modules):
    """Runs the module in the guest, with the Python that has cinderlib, which this machine has."""

    def __init__(self, node: Node, lab: Lab, backend: dict[str, Any]) -> None:
        self.node = node
        self.backend = backend
        self._lab = lab
        self.mount()

    def mount(self) -> None:
        """Where its programs say that it is."""
        place, made = self._lab.directory / "cinder", environment()
        place.unlink(missing_ok=True)
        place.symlink_to(made)
        self._python = f"env PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 {made}/bin/python"
        mount = f"mount -t hostfs -o {{}} none {made}"
        first, second = mount.format("hostfs=cinder"), mount.format("cinder")
        self.node.run(f"mkdir -p {made}; {first} 2> /dev/null || {second}")

    def module(self, module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        # A busy machine takes longer to import a driver than a user's does.
        given = {
            "connect_timeout": 300,
            **self.backend,
            **arguments,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        text = json.dumps({"ANSIBLE_MODULE_ARGS": given})
        said = self.node.guest.run(f"{self._python} -m {MODULES}.{module}", check=False, input=text)
        return result_of(module, said.stdout, said.stderr)

    def check(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        return self.module(module, check=True, **arguments)

    def killed(self, kind: str, method: str, **arguments: Any) -> None:
        self.node.guest.write("/run/strata-killed.py", _KILLED)
        given = json.dumps({**self.backend, **arguments})
        done = self.node.guest.run(f"{self._python} /run/strata-killed.py {kind} {method} '{given}'", check=False)
        assert done.returncode in (-9, 137), done.stderr


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
    """A group of volumes, and what Debian's packages of target and initiator set up."""
    node.run(f"mkdir /etc/target; {ISCSI}")
    node.run(f"vgcreate -q cinder-volumes {' '.join(node.disks(*(f'HDD{number}' for number in range(1, 7))))}")
    return Attacher(node, lab, LVM)


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
            attacher.killed("Connection", method, **words, state="attached")
            # It is connected; with the second, the kernel has the device, and nobody wrote it down.
            assert node.run("ls /sys/bus/rbd/devices") == ("0" if method == "device_attached" else "")
            assert attacher.module("cinder_volume", **words, state="attached")["changed"]
            assert node.run("ls /sys/bus/rbd/devices") == "0"
            attacher.killed("Volume", "disconnect", **words, state="detached")
            assert attacher.module("cinder_volume", **words, state="detached")["changed"]
            assert node.run("ls /sys/bus/rbd/devices") == ""
        attacher.killed("Connection", "device_attached", **words, state="attached")
        attacher.module("cinder_volume", **words, state="detached")
        assert node.run("ls /sys/bus/rbd/devices") == ""
        assert attacher.module("cinder_backend_info")["volumes"][0]["status"] == "available"


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
