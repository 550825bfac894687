# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole matrix, or parts of it: `python -m tests.crash [--again] [OPERATION …]`, a part of its name is enough.

Two labs work side by side. What passed is not tried again unless `--again` says so. With `--every write`, the power
goes at writes instead of steps, which is for a lab in user mode.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import NamedTuple

from tests.integration.node import Node
from tests.lab import Lab
from tests.lab.process import end_with

from . import table
from .interrupt import Crash
from .operations import OPERATIONS, Operation
from .writes import Recorded

_LAST = 10
_ORDER = [operation.name for operation in OPERATIONS]


def places(steps: list[str]) -> list[str]:
    """What each number of steps is called in the table: without what differs from run to run."""
    plain = [re.sub(r"/dev/(sd|dm-|loop)[a-z0-9]+", "a device", step) for step in steps]
    plain = [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", step) for step in plain]
    return [f"{number}. {step}" for number, step in enumerate(plain, 1)]


def wanted(operation: Operation, names: list[str], *, qemu: bool) -> list[tuple[int, str, str]]:
    """All the rows of an operation: how many steps (0: in the midst of one, or two tasks), place and mode.

    Only QEMU has volatile cuts, and disks slow enough to cut a detach in two.
    """
    more = operation.modes if qemu else ()
    rows = [
        (number, place, mode)
        for number, place in enumerate(names, 1)
        for mode in ("ordered", *more, "killed")
        # What is complete needs no going on with, if nothing was cut off.
        if not (mode == "killed" and number == len(names))
    ]
    if operation.middle and (qemu or operation.middle != "detach"):
        rows += [(0, f"in the midst of a {operation.middle}", mode) for mode in ("ordered", *more)]
    return [*rows, (0, "two at once", "both run")]


class Outcome(NamedTuple):
    """What came of an operation: how many rows or states were tried, how many of them failed."""

    operation: str
    tried: int
    failed: int
    seconds: float


@contextmanager
def prepared(index: int, kind: str | None = None) -> Iterator[tuple[Crash, str]]:
    """An operation that is about to be done, in a lab of its own; and the kernel of that."""
    with Lab(f"crash-{index}", kind=kind, owned=True) as lab:
        node = Node(lab)
        node.install()
        crash = Crash(node, OPERATIONS[index])
        crash.prepare()
        yield crash, ".".join(node.run("uname -r").split(".")[:2])


def steps(index: int, again: bool) -> Outcome:
    """Interrupted after each of its steps."""
    operation = OPERATIONS[index]
    started, tried, failed = time.monotonic(), 0, 0
    with prepared(index) as (crash, kernel):
        names = places(crash.steps())
        rows = wanted(operation, names, qemu=crash.node.lab.snapshots)
        table.keep(operation.name, kernel, [place for _number, place, _mode in rows], _ORDER)
        known = table.load()
        for number, place, mode in rows:
            before = known.get((operation.name, place, mode, kernel))
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
            table.add(table.Row(operation.name, place, mode, kernel, result, table.commit()), _ORDER)
            print(f"{operation.name} | {place} | {mode} | {result}", flush=True)
    return Outcome(operation.name, tried, failed, time.monotonic() - started)


def writes(index: int, again: bool, flushes: int, others: int, seed: int) -> Outcome:
    """Cut off at its writes."""
    name, started = OPERATIONS[index].name, time.monotonic()
    known = table.load_writes().get(name)
    if known and not known.failures and not again:
        return Outcome(name, 0, 0, 0)
    with prepared(index, "uml") as (crash, kernel):
        recorded = Recorded(crash)
        chosen = recorded.places(flushes, others, seed, _LAST)
        failures = []
        for failure in recorded.failures(chosen):
            failures.append(failure)
            print(f"{name} | {failure}", flush=True)
        counted = (recorded.writes, len(recorded.flushes()), len(chosen))
        table.add_writes(table.Writes(name, kernel, *counted, failures, table.commit()), _ORDER)
    return Outcome(name, len(chosen), len(failures), time.monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("operations", nargs="*", metavar="OPERATION")
    parser.add_argument("--again", action="store_true", help="also what passed before")
    parser.add_argument(
        "--every", choices=["step", "write"], default="step", help="where the power goes (default: step)"
    )
    parser.add_argument(
        "--flushes", type=int, default=sys.maxsize, help="with writes: after so many flushes (default: all)"
    )
    parser.add_argument(
        "--others", type=int, default=10, help="with writes: after so many others of each action (default: 10)"
    )
    parser.add_argument("--seed", type=int, default=1, help="with writes: chooses which (default: 1)")
    parser.add_argument("--labs", type=int, default=2, help="how many labs work side by side (default: 2)")
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
    with ProcessPoolExecutor(given.labs, initializer=end_with, initargs=(os.getpid(),)) as pool:
        futures: dict[Future[Outcome], str] = {}
        for index in chosen:
            if given.every == "write":
                future = pool.submit(writes, index, given.again, given.flushes, given.others, given.seed)
            else:
                future = pool.submit(steps, index, given.again)
            futures[future] = _ORDER[index]
        for future in as_completed(futures):
            try:
                name, tried, failed, seconds = future.result()
            except Exception as error:
                print(f"{futures[future]}: could not be tried: {error}", flush=True)
                failures += 1
                continue
            failures += failed
            print(f"== {name}: {tried} tried, {failed} failed, {seconds:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
