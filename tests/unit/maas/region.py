# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run against a simulated region, over a real socket."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any, Callable
from unittest.mock import patch

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.strata.storage.plugins.modules import maas_layout_script, maas_storage, maas_storage_info
from tests.simulators.maas import Machine, Region, Server

KEY = "consumer:token:secret"
GB = 10**9
MiB = 1 << 20


class Failed(Exception):
    """A module failed; ``result`` is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


def add_machine(region: Region, hostname: str, slow: int = 6, **more: Any) -> Machine:
    """A machine with a small boot disk, two SSDs, and slow disks."""
    machine = region.add_machine(hostname, **more)

    def disk(name: str, size: int, model: str, tags: list[str]) -> None:
        serial = f"{hostname}-{name}".upper()
        machine.add_disk(
            name,
            size,
            serial=serial,
            model=model,
            id_path=f"/dev/disk/by-id/ata-{serial}",
            numa_node=0,
            firmware_version="1.0",
            tags=tags,
        )

    disk("sda", 8 * GB, "SuperDOM", ["ssd", "sata"])
    for number in range(2):
        disk(f"nvme{number}n1", 100 * GB, "ACME NVMe 100", ["ssd"])
    for number in range(slow):
        disk(f"sd{'bcdefghijk'[number]}", 500107862016, "ACME HDD 500", ["rotary", "sata"])
    return machine


class Maas:
    """A region with one machine, ``node1``, and the modules at work on it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.region = server.region
        self.machine = add_machine(server.region, "node1")

    def storage(self, check: bool = False, **words: Any) -> dict[str, Any]:
        """What ``maas_storage`` returns. Raises Failed."""
        words = {"machine": "node1", "_ansible_check_mode": check, "_ansible_diff": True, **words}
        return self._run(maas_storage.main, words)

    def script(self, check: bool = False, **words: Any) -> dict[str, Any]:
        """What ``maas_layout_script`` returns. Raises Failed."""
        words = {"name": "45-own", "_ansible_check_mode": check, "_ansible_diff": True, **words}
        return self._run(maas_layout_script.main, words)

    def info(self, **words: Any) -> dict[str, Any]:
        return self._run(maas_storage_info.main, words)

    def settle(self, **words: Any) -> dict[str, Any]:
        """As ``storage``, where check mode tells the same before, and a second run finds nothing to do."""
        before = len(self.server.log)
        planned = self.storage(check=True, **words)
        assert all(line.startswith("GET ") for line in self.server.log[before:])
        done = self.storage(**words)
        assert planned["plan"] == done["plan"]
        assert planned["changed"] == done["changed"]
        again = self.storage(**words)
        assert (again["changed"], again["plan"]) == (False, [])
        return done

    def refused(self, said: str, **words: Any) -> dict[str, Any]:
        """The module fails with that, before any request that changes something."""
        before = len(self.server.log)
        with pytest.raises(Failed, match=said) as failed:
            self.storage(**words)
        assert all(line.startswith("GET ") for line in self.server.log[before:])
        return failed.value.result

    def _run(self, main: Callable[[], None], words: dict[str, Any]) -> dict[str, Any]:
        said, warned = io.StringIO(), []
        given = {"url": self.server.url, "api_key": KEY, **words}
        # Where a controller's code was imported too, warnings do not go into the result.
        warn = patch.object(AnsibleModule, "warn", lambda _module, text, **_more: warned.append(text))
        with patch_module_args(given), warn, contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(said.getvalue().splitlines()[-1])
        assert KEY.rsplit(":", maxsplit=1)[-1] not in said.getvalue()
        result["warnings"] = warned
        if result.get("failed"):
            raise Failed(result)
        return result
