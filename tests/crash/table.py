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
PAGE = ROOT / "docs" / "power-cuts.md"
PASSED = "passed"
_HEAD = """\
# Interrupted, and gone on with

The operations below were interrupted at the places below, in a virtual machine with Linux 6.1, mdadm 4.2, LVM 2.03.16
and bcache-tools 1.0.8 (Debian 12). Then the same task ran again, and once more. A row passed where the first of these
came to its end, the second changed nothing, and the files that had been synced before read as they were written.
`make crash-matrix` writes this page.

- **ordered**: the power goes, and every write that was completed has reached its disk.
- **volatile**: the power goes, and what was not flushed is lost, as far as it went to parts of a disk that were never
  written before.
- **killed**: the process ends between two steps (as after `kill -9`), and the system stays up.
- **two at once**: two tasks start at the same moment. One waits for the other.
- **in the midst**: the power goes while a reshape, a detach or a pvmove is on its way.

"""


class Row(NamedTuple):
    """``place`` is the number of steps that were done and the last of them."""

    operation: str
    place: str
    mode: str
    result: str
    commit: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.operation, self.place, self.mode


def commit() -> str:
    """The commit that is tried, with a plus where the collection differs from it."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "plugins"], cwd=ROOT, check=False).returncode
    return found.stdout.strip() + ("+" if changed else "")


def load() -> dict[tuple[str, str, str], Row]:
    rows = [Row(*row) for row in json.loads(ROWS.read_text())] if ROWS.exists() else []
    return {row.key: row for row in rows}


@contextmanager
def _alone() -> Iterator[None]:
    with (ROOT / ".lab" / "crash.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def add(row: Row, order: list[str]) -> None:
    """Keep a row, and write the page anew. Two labs may do so at once."""
    with _alone():
        rows = load()
        rows[row.key] = row
        _write([row for name in order for row in rows.values() if row.operation == name], order)


def keep(operation: str, places: list[str], order: list[str]) -> None:
    """Forget the rows of places that an operation no longer has."""
    with _alone():
        rows = [row for row in load().values() if row.operation != operation or row.place in places]
        _write([row for name in order for row in rows if row.operation == name], order)


def _write(rows: list[Row], order: list[str]) -> None:
    ROWS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    lines = []
    for name in dict.fromkeys(row.operation for row in rows):
        lines += [f"## {name}", "", "| After | Mode | Result | Commit |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {row.place} | {row.mode} | {row.result} | {row.commit} |" for row in rows if row.operation == name
        ]
        lines.append("")
    passed = sum(row.result == PASSED for row in rows)
    missing = [name for name in order if name not in [row.operation for row in rows]]
    rest = f" Not tried yet: {'; '.join(missing)}." if missing else ""
    PAGE.write_text(_HEAD + f"{passed} of {len(rows)} rows passed.{rest}\n\n" + "\n".join(lines))
