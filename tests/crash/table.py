# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen: rows that are kept from run to run, and the page that is made of them."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).parent / "rows.json"
WRITES = Path(__file__).parent / "writes.json"
PAGE = ROOT / "docs" / "power-cuts.md"
PASSED = "passed"
_HEAD = """\
# Interrupted, and gone on with

The operations below were interrupted at the places below, on a machine of [the lab](../tests/lab/README.md) with Debian
12: mdadm 4.2, LVM 2.03.16 and bcache-tools 1.0.8. Then the same task ran again, and once more. A row passed where the
first of these came to its end, the second changed nothing, and the files that had been synced before read as they were
written. `make crash-matrix` writes this page.

- **ordered**: the power goes, and every write that was completed has reached its disk.
- **volatile**: the power goes, and what was not flushed is lost, as far as it went to parts of a disk that were never
  written before.
- **killed**: the process ends between two steps (as after `kill -9`), and the system stays up.
- **two at once**: two tasks start at the same moment. One waits for the other.
- **in the midst**: the power goes while a reshape, a detach or a pvmove is on its way.

The columns of kernels say at which commit a place passed: {kernels}.

"""
_WRITES_HEAD = """\
## At each write

All writes of the machine to all of its disks, that of its root included, were recorded in their order while an
operation ran. Each beginning of such a record is a power cut that can happen, also in the midst of a step. Some were
put onto the disks, chosen by chance among those that end with a flush which the system asked for, and among the others
of each action of a step.
The machine booted from them, and the same task ran as above.

| Operation | Writes | Flushes | Tried | Passed | Kernel | Commit |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Row(NamedTuple):
    """``place`` is the number of steps that were done and the last of them; ``kernel`` is such as ``6.1``."""

    operation: str
    place: str
    mode: str
    kernel: str
    result: str
    commit: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.operation, self.place, self.mode, self.kernel


class Writes(NamedTuple):
    """What came of power cuts at the writes of an operation; ``failures`` say where, and what then happened."""

    operation: str
    kernel: str
    writes: int
    flushes: int
    tried: int
    failures: list[str]
    commit: str


def commit() -> str:
    """The commit that is tried, with a plus where the collection differs from it."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "plugins"], cwd=ROOT, check=False).returncode
    return found.stdout.strip() + ("+" if changed else "")


def load() -> dict[tuple[str, str, str, str], Row]:
    rows = [Row(*row) for row in json.loads(ROWS.read_text())] if ROWS.exists() else []
    return {row.key: row for row in rows}


def load_writes() -> dict[str, Writes]:
    found = [Writes(*entry) for entry in json.loads(WRITES.read_text())] if WRITES.exists() else []
    return {entry.operation: entry for entry in found}


@contextmanager
def _alone() -> Iterator[None]:
    (ROOT / ".lab").mkdir(exist_ok=True)
    with (ROOT / ".lab" / "crash.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def add(row: Row, order: list[str]) -> None:
    """Keep a row, and write the page anew. Two labs may do so at once."""
    with _alone():
        rows = load()
        rows[row.key] = row
        _keep([row for name in order for row in rows.values() if row.operation == name], order)


def keep(operation: str, kernel: str, places: list[str], order: list[str]) -> None:
    """Forget the rows of places that an operation no longer has."""
    with _alone():
        rows = [
            row for row in load().values() if (row.operation, row.kernel) != (operation, kernel) or row.place in places
        ]
        _keep([row for name in order for row in rows if row.operation == name], order)


def add_writes(entry: Writes, order: list[str]) -> None:
    """Keep what came of the writes of an operation, and write the page anew."""
    with _alone():
        entries = {**load_writes(), entry.operation: entry}
        known = [entries[name] for name in order if name in entries]
        WRITES.write_text("[\n" + ",\n".join(json.dumps(one) for one in known) + "\n]\n")
        PAGE.write_text(page(list(load().values()), known, order))


def _keep(rows: list[Row], order: list[str]) -> None:
    ROWS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    PAGE.write_text(page(rows, list(load_writes().values()), order))


def page(rows: list[Row], writes: list[Writes], order: list[str]) -> str:
    """The text of the page."""
    kernels = sorted({row.kernel for row in rows}, key=lambda kernel: [int(part) for part in kernel.split(".")])
    lines = []
    for name in dict.fromkeys(row.operation for row in rows):
        lines += [f"## {name}", "", f"| After | Mode | {' | '.join(f'Linux {kernel}' for kernel in kernels)} |"]
        lines.append("| --- | --- |" + " --- |" * len(kernels))
        own = {(row.place, row.mode, row.kernel): row for row in rows if row.operation == name}
        for place, mode in dict.fromkeys((place, mode) for place, mode, _kernel in own):
            cells = [_cell(own.get((place, mode, kernel))) for kernel in kernels]
            lines.append(f"| {place} | {mode} | {' | '.join(cells)} |")
        lines.append("")
    said = []
    for kernel in kernels:
        seen = [row for row in rows if row.kernel == kernel]
        passed = sum(row.result == PASSED for row in seen)
        missing = [name for name in order if name not in {row.operation for row in seen}]
        rest = f" Not tried there yet: {'; '.join(missing)}." if missing else ""
        said.append(f"Linux {kernel}: {passed} of {len(seen)} rows passed.{rest}")
    head = _HEAD.format(kernels="Debian's 6.1 in QEMU, and a later one in user mode") + "\n\n".join(said) + "\n\n"
    return head + _of_writes(writes) + "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return row.commit if row.result == PASSED else f"{row.result} ({row.commit})"


def _of_writes(writes: list[Writes]) -> str:
    if not writes:
        return ""
    text = _WRITES_HEAD
    for entry in writes:
        passed = entry.tried - len(entry.failures)
        cells = (entry.operation, entry.writes, entry.flushes, entry.tried, passed, entry.kernel, entry.commit)
        text += f"| {' | '.join(map(str, cells))} |\n"
    failures = [f"- {entry.operation}: {failure}\n" for entry in writes for failure in entry.failures]
    return text + "\n" + ("What did not pass:\n\n" + "".join(failures) + "\n" if failures else "")
