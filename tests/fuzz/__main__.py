# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks until the time is over: `python -m tests.fuzz [--minutes M] [--seed N] [--labs L]`, or `--replay FILE`.

Each walk starts with blank disks. One that breaks something is made shorter, and kept as a file below .lab/fuzz: its
transcript can be typed, and `--replay` does it again. The return code is 1 if any did.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.node import CHECKOUT, WITH_MODULES, Node
from tests.lab import Lab
from tests.lab.process import end_with

from .machine import Machine
from .world import HARDWARE, Broken, World

FOUND = CHECKOUT / ".lab" / "fuzz"
STEPS, WALKS = 10, 6


class Labs:
    """A guest with the modules, which walks of this process share one after the other."""

    def __init__(self, name: str) -> None:
        self.lab = Lab(name, kind="uml", hardware=HARDWARE, owned=True)
        self.walks = 0
        self.last: World | None = None

    def __enter__(self) -> Labs:
        FOUND.mkdir(parents=True, exist_ok=True)
        self.lab.__enter__()
        self.node = Node(self.lab)
        self.node.install()
        self.lab.save(WITH_MODULES)
        return self

    def __exit__(self, *_error: object) -> None:
        self.lab.down()

    def world(self) -> World:
        if self.last is not None:
            with (FOUND / f"{self.lab.name}.log").open("a") as log:
                log.write("\n".join([*self.last.transcript, "", ""]))
        self.walks += 1
        self.last = World(self.node)
        return self.last


def walk(labs: Labs, number: int, steps: int = STEPS, walks: int = WALKS) -> Broken | None:
    """Some walks; of one that breaks something, the shortest that does so and is found in five minutes."""

    class Here(Machine):
        make = staticmethod(labs.world)

    few = settings(
        max_examples=walks,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(seed(number)(Here), settings=few)
    except Broken as error:
        # hypothesis does the shortest one last.
        assert labs.last is not None
        told = {"kind": error.kind, "events": labs.last.events}
        (FOUND / f"{number}.json").write_text(json.dumps(told, indent=1) + "\n")
        (FOUND / f"{number}.txt").write_text(f"{error}\n")
        return error
    return None


def worker(index: int, first: int, every: int, until: float, steps: int) -> tuple[int, list[tuple[int, str, float]]]:
    """Walks of every so many seeds until then; how many there were, and what broke after how many seconds."""
    began, found, number = time.monotonic(), [], first + index
    with Labs(f"fuzz-{index}") as labs:
        while time.time() < until:
            error = walk(labs, number, steps)
            if error is not None:
                found.append((number, str(error), time.monotonic() - began))
                print(f"--- seed {number}, after {time.monotonic() - began:.0f} s\n{error}", flush=True)
            number += every
        return labs.walks, found


def replay(file: Path) -> int:
    """Do again what a file tells."""
    events = json.loads(file.read_text())["events"]
    with Labs("fuzz-replay") as labs:
        world = labs.world()
        try:
            world.replay([(event, words) for event, words in events])
        except Broken as error:
            print(error)
            return 1
    print("\n".join(world.transcript))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long new walks are begun (default: 20)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first walk (default: the time)")
    parser.add_argument("--labs", type=int, default=2, help="how many hosts beside each other (default: 2)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"at most so many steps in a walk (default: {STEPS})")
    parser.add_argument("--replay", type=Path, help="do one walk again")
    given = parser.parse_args()
    if given.replay:
        return replay(given.replay)
    until = time.time() + given.minutes * 60
    walks, found = 0, list[tuple[int, str, float]]()
    with ProcessPoolExecutor(given.labs, initializer=end_with, initargs=(os.getpid(),)) as pool:
        jobs = [pool.submit(worker, index, given.seed, given.labs, until, given.steps) for index in range(given.labs)]
        for job in as_completed(jobs):
            done, broken = job.result()
            walks, found = walks + done, [*found, *broken]
    kinds = sorted({text.splitlines()[0] for _number, text, _seconds in found})
    print(f"{walks} walks from seed {given.seed} on, {len(found)} broke something")
    for line in kinds:
        print(f"  {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
