# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for Cinder's drivers in the machine, and the backends that they are tried with there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from tests.cinder import KILLED, SYSTEM, environment
from tests.lab import Lab

from .modules import Modules, result_of
from .node import MODULES, ROOT, Node

CEPH: dict[str, Any] = {
    "backend": {"name": "ceph", "driver": "rbd", "options": {"rbd_keyring_conf": "/etc/ceph/keyring"}}
}
#: The example of cinderlib's documentation.
LVM: dict[str, Any] = {"backend": {"name": "lvm", "driver": "lvm", "options": {"volume_group": "cinder-volumes"}}}
#: What Debian's services do at boot. The lab's own disks are of the kernel's target, loaded before it finds iblock.
ISCSI = "systemctl start iscsid; modprobe -a iscsi_tcp iscsi_target_mod target_core_iblock dm_thin_pool"


class Attacher(Modules):
    """Runs the module in the guest, with the Python that has cinderlib, which this machine has."""

    def __init__(self, node: Node, lab: Lab, backend: dict[str, Any], python: Path = SYSTEM) -> None:
        self.node = node
        self.backend = backend
        self._lab = lab
        made = environment(python)
        self._python = f"env PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 {made}/bin/python"
        # A Python that is not the guest's own is mounted, too.
        self._places = {"cinder": made, **({} if python == SYSTEM else {"python": python.resolve().parents[1]})}
        self.mount()

    def mount(self) -> None:
        """Where its programs say that it is."""
        for name, made in self._places.items():
            place = self._lab.directory / name
            place.unlink(missing_ok=True)
            place.symlink_to(made)
            mount = f"mount -t hostfs -o {{}} none {made}"
            first, second = mount.format(f"hostfs={name}"), mount.format(name)
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

    def killed(self, place: str, method: str, when: str, kind: str = "volume", **arguments: Any) -> None:
        """Run a task that is killed before or after something that it calls: see ``tests/cinder/killed.py``."""
        self.node.guest.write("/run/strata-killed.py", KILLED.read_text())
        words = [json.dumps(self.backend), place, method, when, kind, json.dumps(arguments)]
        done = self.node.guest.run(f"{self._python} /run/strata-killed.py {shlex.join(words)}", check=False)
        assert done.returncode in (-9, 137), done.stdout + done.stderr


def has_target(node: Node, lab: Lab, python: Path = SYSTEM) -> Attacher:
    """A group of volumes, and what Debian's packages of target and initiator set up."""
    node.run(f"mkdir /etc/target; {ISCSI}")
    node.run(f"vgcreate -q cinder-volumes {' '.join(node.disks(*(f'HDD{number}' for number in range(1, 7))))}")
    return Attacher(node, lab, LVM, python)
