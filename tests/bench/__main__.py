# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long modules that find nothing to do take, as a ratio to ping, on the same guest in the same run."""

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
TASKS = ("Ping", "Raid", "Bcache", "Lvm_drive", "Layout")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, Lab("bench", owned=True) as lab:
        durations = Path(scratch) / "durations"
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "durations",
            "BENCH_DURATIONS": str(durations),
        }
        playbook = ["ansible-playbook", "--inventory", str(lab.inventory_path), str(HERE / "unchanged.yml")]
        subprocess.run(playbook, env=environment, check=True, stdout=sys.stderr)
        taken: dict[str, list[float]] = {name: [] for name in TASKS}
        for name, seconds, changed in map(json.loads, durations.read_text().splitlines()):
            if name in taken:
                if changed:
                    raise SystemExit(f"{name} changed something where there was nothing to do")
                taken[name].append(seconds)
    # The first round warms up caches on both sides.
    medians = {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:6.2f} s  {median / medians['Ping']:5.2f} × ping")


if __name__ == "__main__":
    main()
