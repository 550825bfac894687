# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole matrix, or parts of it: `python -m tests.crash [--again] [OPERATION …]`, a part of its name is enough.

Two labs work side by side. Rows that passed are not tried again unless `--again` says so.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.integration.node import Node
from tests.lab import Lab

from . import table
from .interrupt import Crash
from .operations import OPERATIONS, Operation

_ORDER = [operation.name for operation in OPERATIONS]


def places(steps: list[str]) -> list[str]:
    """What each number of steps is called in the table: without what differs from run to run."""
    plain = [re.sub(r"/dev/(sd|dm-)[a-z0-9]+", "a device", step) for step in steps]
    plain = [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", step) for step in plain]
    return [f"{number}. {step}" for number, step in enumerate(plain, 1)]


def wanted(operation: Operation, names: list[str]) -> list[tuple[int, str, str]]:
    """All the rows of an operation: how many steps (0: in the midst of one, or two tasks), place and mode."""
    rows = [
        (number, place, mode)
        for number, place in enumerate(names, 1)
        for mode in ("ordered", *operation.modes, "killed")
        # What is complete needs no going on with, if nothing was cut off.
        if not (mode == "killed" and number == len(names))
    ]
    if operation.middle:
        rows += [(0, f"in the midst of a {operation.middle}", mode) for mode in ("ordered", *operation.modes)]
    return [*rows, (0, "two at once", "both run")]


def run(index: int, again: bool) -> tuple[str, int, int, float]:
    """One operation with all its rows, in a lab of its own; how many were tried, how many of them failed."""
    operation = OPERATIONS[index]
    started, tried, failed = time.monotonic(), 0, 0
    with Lab(f"crash-{index}", owned=True) as lab, tempfile.TemporaryDirectory() as scratch:
        node = Node(lab)
        node.install(Path(scratch))
        crash = Crash(node, operation)
        crash.prepare()
        names = places(crash.steps())
        rows = wanted(operation, names)
        table.keep(operation.name, [place for _number, place, _mode in rows], _ORDER)
        known = table.load()
        for number, place, mode in rows:
            before = known.get((operation.name, place, mode))
            if before and before.result == table.PASSED and not again:
                continue
            tried += 1
            try:
                if place == "two at once":
                    crash.two()
                elif number:
                    crash.after(number, mode)
                else:
                    crash.within(mode)
                result = table.PASSED
            except Exception as error:
                failed += 1
                result = " ".join(f"FAILED: {type(error).__name__}: {error}".replace("|", "/").split())[:300]
            table.add(table.Row(operation.name, place, mode, result, table.commit()), _ORDER)
            print(f"{operation.name} | {place} | {mode} | {result}", flush=True)
    return operation.name, tried, failed, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("operations", nargs="*", metavar="OPERATION")
    parser.add_argument("--again", action="store_true", help="also what passed before")
    given = parser.parse_args()
    chosen = [
        index
        for index, name in enumerate(_ORDER)
        if not given.operations or any(part in name for part in given.operations)
    ]
    if not chosen:
        print(f"no such operation; there are: {'; '.join(_ORDER)}", file=sys.stderr)
        return 2
    failures = 0
    with ProcessPoolExecutor(2) as pool:
        futures = {pool.submit(run, index, given.again): _ORDER[index] for index in chosen}
        for future in as_completed(futures):
            try:
                name, tried, failed, seconds = future.result()
            except Exception as error:
                print(f"{futures[future]}: could not be tried: {error}", flush=True)
                failures += 1
                continue
            failures += failed
            print(f"== {name}: {tried} rows tried, {failed} failed, {seconds:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
