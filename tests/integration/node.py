# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of the lab with the collection's modules on it, as a test uses it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible

from tests.lab import Guest, Lab

CHECKOUT = Path(__file__).resolve().parents[2]
_ROOT = "/usr/local/lib/strata"
_MODULES = "ansible_collections.strata.storage.plugins.modules"


class ModuleFailed(Exception):
    """A module said `failed`; the message is its own."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


@dataclass
class Node:
    """Runs modules in the guest without a controller: the same files, the same arguments, the same answers."""

    lab: Lab
    guest: Guest = field(init=False)

    def __post_init__(self) -> None:
        self.guest = self.lab.guest

    def install(self, scratch: Path) -> None:
        """Put the modules, and what Ansible would send along with them, onto the guest."""
        tree = scratch / "strata"
        source = Path(ansible.__file__).parent
        unneeded = shutil.ignore_patterns("__pycache__", "*.pyc", "powershell", "csharp", "cloud*", "win*")
        (tree / "ansible").mkdir(parents=True)
        shutil.copytree(source / "module_utils", tree / "ansible/module_utils", ignore=unneeded)
        for name in ("__init__.py", "release.py"):
            shutil.copy(source / name, tree / "ansible" / name)
        (tree / "ansible/__init__.py").write_text("")
        plugins = tree / "ansible_collections/strata/storage/plugins"
        for part in ("modules", "module_utils"):
            shutil.copytree(CHECKOUT / "plugins" / part, plugins / part, ignore=unneeded)
        self.guest.push(tree, _ROOT)
        self.guest.run(f"python3 -m compileall -q {_ROOT}", timeout=120)

    def module(self, module: str, /, *, check: bool = False, user: str = "", **arguments: Any) -> dict[str, Any]:
        """The result of a module. Raises ModuleFailed where it failed."""
        arguments["_ansible_check_mode"] = check
        prefix = f"runuser -u {user} -- " if user else ""
        command = (
            f"{prefix}env PYTHONPATH={_ROOT} python3 -m ansible_collections.strata.storage.plugins.modules.{module}"
        )
        said = self.guest.run(
            command,
            check=False,
            timeout=300,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        )
        try:
            result: dict[str, Any] = json.loads(said.stdout)
        except ValueError:
            raise AssertionError(f"{module} gave no JSON: {said.stdout}\n{said.stderr}") from None
        if result.get("failed"):
            raise ModuleFailed(result)
        return result

    def run(self, command: str, **more: Any) -> str:
        """What a command prints."""
        return self.guest.run(command, **more).stdout.strip()

    def disks(self, *serials: str) -> list[str]:
        return [self.guest.disk(serial) for serial in serials]
