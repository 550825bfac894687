# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest of the lab with the collection's modules on it, as a test uses it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible

from tests.lab import Guest, Lab

from . import purity
from .modules import COVERAGE, Modules, printed_of, result_of

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = "/usr/local/lib/strata"
RANDOM = f"{ROOT}/random"
"""60 MiB of random data in the guest: to make it emulated takes longer than most modules."""
WITH_MODULES = "with-modules"
"""What a lab's state is saved as, once its guest has the modules."""
MODULES = "ansible_collections.strata.storage.plugins.modules"
PYTHON = f"env PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 python3"
_SERVER = PYTHON.replace("env", f"env {COVERAGE}=1") if COVERAGE in os.environ else PYTHON
_TRACE = "/run/strata-test.trace"
_SOCKET = "/run/strata-test.socket"
_SECONDS = 900


@dataclass
class Node(Modules):
    """Runs modules in the guest."""

    lab: Lab
    _traced: set[tuple[str, str | None, int]] = field(default_factory=set)

    @property
    def guest(self) -> Guest:
        return self.lab.guest

    def install(self) -> None:
        """Put the modules, and what Ansible would send along with them, onto the guest."""
        with tempfile.TemporaryDirectory() as scratch:
            self._push(Path(scratch) / "strata")  # the scratch directory itself is root's alone
        self.guest.write(f"{ROOT}/server.py", (Path(__file__).parent / "server.py").read_text())
        self.guest.run(f"python3 -m compileall -q {ROOT}")
        self.guest.run(f"PYTHONPATH={ROOT} python3 -c 'import ansible.module_utils.basic'")
        self.guest.run(f"head -c 60M /dev/urandom > {RANDOM}; sync")
        self._serve()

    def _push(self, tree: Path) -> None:
        source = Path(ansible.__file__).parent
        unneeded = shutil.ignore_patterns("__pycache__", "*.pyc", "powershell", "csharp")
        shutil.copytree(source / "module_utils", tree / "ansible/module_utils", ignore=unneeded)
        (tree / "ansible/__init__.py").write_text("")
        shutil.copy(source / "release.py", tree / "ansible")
        plugins = tree / "ansible_collections/strata/storage/plugins"
        for part in ("modules", "module_utils"):
            shutil.copytree(CHECKOUT / "plugins" / part, plugins / part, ignore=unneeded)
        if COVERAGE in os.environ:
            shutil.copytree(source.parent / "coverage", tree / "coverage", ignore=unneeded)
        self.guest.push(tree, ROOT)

    def _serve(self) -> None:
        """Have a server of modules in the guest: it is part of the snapshot, and gone after a boot."""
        self.guest.run(f"rm -f {_SOCKET}*; setsid {_SERVER} {ROOT}/server.py {_SOCKET} > /dev/null 2>&1 < /dev/null &")
        self.guest.until(f"[ -S {_SOCKET} ]")

    def module(self, module: str, /, *, prefix: str = "", check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The result of a module; with a command before it, in a Python of its own. Raises ModuleFailed."""
        arguments.update(_ansible_check_mode=check, _ansible_diff=True)
        if prefix:
            command = f"{prefix} {PYTHON} -m {MODULES}.{module}"
            given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
            said = self.guest.run(command, check=False, timeout=_SECONDS, input=given)
            return result_of(module, said.stdout, said.stderr)
        return result_of(module, self.asked(module, arguments))

    def asked(self, module: str, arguments: dict[str, Any], seconds: float = _SECONDS) -> str:
        """What a module prints; TimeoutError where it takes longer."""
        line = json.dumps([module, arguments])
        try:
            return printed_of(self.guest.ask(_SOCKET, line, seconds))
        except (FileNotFoundError, ConnectionRefusedError):
            self._serve()
            return printed_of(self.guest.ask(_SOCKET, line, seconds))

    def check(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """A check run, shown to have changed nothing: by its system calls, once for each kind of task.

        A Python of its own and the tracing cost seconds, which is why not each time.
        """
        kind = (module, arguments.get("state"), len(arguments))
        if kind in self._traced:
            return self.module(module, check=True, **arguments)
        self._traced.add(kind)
        strace = f"strace --follow-forks --seccomp-bpf --quiet=all -s 4096 -e trace={purity.TRACED} -o {_TRACE}"
        result = self.module(module, prefix=strace, check=True, **arguments)
        found = purity.impurities(self.guest.read(_TRACE))
        assert not found, "\n".join(found)
        return result

    def reread(self, disk: str) -> None:
        """Have the kernel read a partition table anew, which it does not do while udev looks at a partition."""
        self.run(f"udevadm lock --device={disk} blockdev --rereadpt {disk} && udevadm settle")

    def run(self, command: str, **more: Any) -> str:
        """What a command prints."""
        return self.guest.run(command, **more).stdout.strip()

    def disk(self, serial: str) -> str:
        return self.guest.disk(serial)

    def disks(self, *serials: str) -> list[str]:
        return [self.guest.disk(serial) for serial in serials]

    def signatures(self, *devices: str) -> list[str]:
        """What devices hold, by the system's own tool."""
        return [self.run(f"wipefs --noheadings --output TYPE {device}") for device in devices]
