# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules for Cinder's drivers with the Python that has cinderlib, against a real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ceph import Cluster
from tests.cinder import environment
from tests.integration.modules import Modules, result_of
from tests.integration.on_ceph.client import CHECKOUT, Server

#: What a module run has loaded already: importing it takes seconds.
PACKAGES = "cinderlib cinderlib.persistence.dbms cinder.volume.drivers.rbd cinder.volume.volume_utils tooz.drivers.file"
#: Connects host web9 to a volume, by its id, as a task of that host does.
CONNECT = """
import json, sys
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.strata.storage.plugins.module_utils.cinder import library
from ansible_collections.strata.storage.plugins.module_utils.cinder.backend import CONNECTION, parse
want = parse(ArgumentSpecValidator(CONNECTION).validate(json.loads(sys.argv[1])).validated_parameters)
library.check_set()
with library.opened(want, library.load_driver(want), read_only=False) as opened:
    opened._objects.Volume.get_by_id(sys.argv[2]).connect({"host": "web9", "initiator": "iqn.2026-11.example:web9"})
"""


def libraries(directory: Path) -> dict[str, str]:
    """An environment with Ansible and this collection, and nothing else of what the tests themselves run on."""
    (directory / "ansible_collections/strata").mkdir(parents=True)
    (directory / "ansible_collections/strata/storage").symlink_to(CHECKOUT)
    for package in ("ansible", "coverage"):
        (directory / package).symlink_to(Path(sysconfig.get_paths()["purelib"]) / package)
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **quiet, "PYTHONPATH": str(directory)}


def python() -> str:
    return str(environment() / "bin/python")


@dataclass
class Backend(Modules):
    """A backend in a pool of its own, with a database of its own."""

    cluster: Cluster
    server: Server
    libraries: dict[str, str]
    pool: str
    state: Path
    defaults: dict[str, Any] = field(default_factory=dict)

    def given(self, user: str = "admin", **options: Any) -> dict[str, Any]:
        """What each task says of the backend."""
        known = {"rbd_pool": self.pool, "rbd_ceph_conf": str(self.cluster.conf), "rbd_user": user}
        keyring = {"rbd_keyring_conf": str(self.cluster.keyring)}
        return {
            "backend": {"name": "ceph", "driver": "rbd", "options": {**known, **keyring, **options}},
            "state_path": str(self.state),
        }

    def module(self, module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        given = {**self.given(), **self.defaults, **arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        return result_of(module, self.server.ask(module, given))

    def check(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """As a user of the cluster that may change nothing, and with the same files on this host after it."""
        before = self.files()
        result = self.module(module, check=True, **{**self.given("reader"), **arguments})
        assert self.files() == before
        return result

    def converge(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """As everywhere; and what check mode says comes of it is what comes of it."""
        looked = self.check(module, **arguments)
        result = super().converge(module, **arguments)
        assert looked["diff"] == result["diff"], (looked["diff"], result["diff"])
        return result

    def volume(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.converge("cinder_volume", name=name, **arguments)

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.state.rglob("*") if path.is_file()}

    def rbd(self, *words: str) -> Any:
        """What the ``rbd`` command says, in this test's pool."""
        spoken = self.cluster.run("rbd", "--pool", self.pool, "--format", "json", *words)
        return json.loads(spoken) if spoken.strip() else None

    def images(self) -> list[str]:
        return sorted(self.rbd("ls"))

    def python(self, script: str, *words: str, expect: int = 0) -> str:
        """A script under the Python that has cinderlib, in a process of its own."""
        done = subprocess.run(
            [python(), "-c", script, json.dumps(self.given()), *words],
            env=self.libraries,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done.stdout.strip()
