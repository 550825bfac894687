# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that a machine runs while it is commissioned. They are run for real, where the simulator runs."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from .machine import Machine
from .parts import FAILED_COMMISSIONING, READY

COMMISSIONING = 0
#: The script that tells of a machine's hardware, and the one after which nothing is read any more.
_RESOURCES, _END = "40-maas-01-machine-resources", "50-maas-01-commissioning"


def run(machine: Machine, chosen: list[str] | None) -> None:
    """``chosen`` are names and tags of scripts. None: all that do not bear the tag noauto."""
    machine.commissioned, machine.custom_layout, machine.status = True, None, READY
    scripts = [one for one in machine.region.scripts if one.type == COMMISSIONING]
    if chosen is None:
        scripts = [one for one in scripts if "noauto" not in one.tags]
    else:
        scripts = [one for one in scripts if {one.name, *one.tags} & {*chosen}]
    with tempfile.TemporaryDirectory() as scratch:
        resources, layout = Path(scratch, "resources.json"), Path(scratch, "storage.json")
        resources.write_text(json.dumps(_resources(machine)))
        environment = {
            **os.environ,
            "MAAS_RESOURCES_FILE": str(resources),
            "MAAS_STORAGE_CONFIG_FILE": str(layout),
        }
        for script in sorted(scripts, key=lambda one: one.name):
            path = Path(scratch, script.name)
            path.write_text(script.data)
            path.chmod(0o755)
            done = subprocess.run([str(path)], env=environment, capture_output=True, text=True, check=False)
            machine.region.script_output[machine.system_id, script.name] = done.stdout + done.stderr
            if done.returncode:
                machine.status = FAILED_COMMISSIONING
            elif layout.exists() and _RESOURCES < script.name < _END:
                machine.custom_layout = json.loads(layout.read_text())


def _resources(machine: Machine) -> dict[str, object]:
    """The part of it that is about disks, in the form of LXD's resources."""
    disks = [
        {"id": disk.name, "size": int(disk.size), "serial": disk.serial or "", "model": disk.model or ""}
        for disk in machine.devices
        if disk.physical
    ]
    return {"resources": {"storage": {"disks": disks, "total": len(disks)}}}
