# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long tasks take, as a ratio to ping, on the same guest in the same run: medians of five.

Modules that find nothing to do; and a whole stack made by one task, beside the raw commands in one script.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab import Lab

HERE = Path(__file__).parent
UNCHANGED = ("Ping", "Raid", "Bcache", "Lvm_drive", "Layout")
CREATE = ("Ping", "Raw", "Create")
# As on a host of its users, not the one that the lab keeps loaded.
PYTHON = "ansible_python_interpreter=/usr/bin/python3"


def main() -> None:
    with Lab("bench", owned=True) as lab:
        medians = measure(lab, "unchanged.yml", UNCHANGED)
        for name, median in medians.items():
            print(f"{name:10} {median:6.2f} s  {median / medians['Ping']:5.2f} × ping")
        lab.reset()
        medians = measure(lab, "create.yml", CREATE)
        for name, median in medians.items():
            print(f"{name:10} {median:6.2f} s")
        over = (medians["Create"] - medians["Raw"]) / medians["Ping"]
        print(f"the raw commands and {over:.2f} × ping")


def measure(lab: Lab, playbook: str, tasks: tuple[str, ...]) -> dict[str, float]:
    """The median seconds of tasks, by name; the first round warms up caches on both sides."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    with tempfile.TemporaryDirectory() as scratch:
        durations = Path(scratch) / "durations"
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "durations",
            "BENCH_DURATIONS": str(durations),
        }
        inventory = ["--inventory", str(lab.inventory_path), "--extra-vars", PYTHON]
        command = ["ansible-playbook", *inventory, str(HERE / playbook)]
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
        for name, seconds, changed in map(json.loads, durations.read_text().splitlines()):
            if name in taken:
                if changed != (name == "Create"):
                    raise SystemExit(f"{name}: changed is {changed}")
                taken[name].append(seconds)
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
