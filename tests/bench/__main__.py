# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long tasks take, as a ratio to ping, on the same guest in the same run: medians of five.

Modules that find nothing to do; and a whole stack made by one task, beside the raw commands in one script. Writes
docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from tests.lab import Lab

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/benchmarks.md"
#: Tasks that find nothing to do, and what they are called on the page.
UNCHANGED = {
    "Ping": "`ansible.builtin.ping`",
    "Raid": "`raid`: a RAID 5 over three disks",
    "Bcache": "`bcache`: an SSD before it",
    "Lvm_drive": "`lvm_drive`: a volume with a mounted btrfs on it",
    "Layout": "`layout`: all three as one document",
    "Layout_quiet": "the same with `strata_storage_progress: false`",
}
CREATE = {"Ping": "`ansible.builtin.ping`", "Raw": "the raw commands, in one script", "Create": "`layout`"}
# As on a host of its users, not the one that the lab keeps loaded.
PYTHON = "ansible_python_interpreter=/usr/bin/python3"
TEXT = """<!--
Copyright (c) 2026 the strata.storage authors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->

# Benchmarks

`make bench` writes this page. Each figure is the median of five rounds. All tasks of a table run in turn, in one play,
against the same guest, so that the ratios hold on a busy machine too. The seconds do not.

Measured on {date}: {machine}. The guest and the controller shared
{processors} processors, which had a load of {load}.

## Tasks that change nothing

{unchanged}

The last two lines differ by what it costs to show how far a task has come. A thread starts for each task, and reads
nothing within the first five seconds. A task that takes longer, as on a busy machine, is read by a second connection.

## A whole stack

A RAID 5 over three disks, an SSD before it, LVM, and a mounted xfs, made from blank disks:

{create}

`layout` takes {over:.2f} × ping longer than the raw commands. It reads the host and plans, and then reads and plans
once more, to see that all of it holds.
"""


def main() -> None:
    with Lab("bench", owned=True) as lab:
        machine = lab.status().machine
        unchanged = measure(lab, "unchanged.yml", tuple(UNCHANGED))
        lab.reset()
        create = measure(lab, "create.yml", tuple(CREATE))
    page = TEXT.format(
        date=date.today().isoformat(),
        machine=machine,
        processors=os.cpu_count(),
        load=f"{os.getloadavg()[2]:.0f}",
        unchanged=table(unchanged, UNCHANGED),
        create=table(create, CREATE),
        over=(create["Create"] - create["Raw"]) / create["Ping"],
    )
    PAGE.write_text(page)
    print(page)


def table(medians: dict[str, float], names: dict[str, str]) -> str:
    rows = [f"| {names[name]} | {median:.2f} s | {median / medians['Ping']:.2f} |" for name, median in medians.items()]
    return "\n".join(("| Task | Median | × ping |", "| --- | --- | --- |", *rows))


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
