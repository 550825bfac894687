# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the static checks side by side: `python -m tests.tools.lint [CHECK …]`."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from tests.tools.checkout import CACHE, IMPORTED, ROOT, files


class Outcome(NamedTuple):
    """What one check came to."""

    name: str
    passed: bool
    seconds: float
    output: str


def shell_scripts() -> list[str]:
    """Every file that starts with bash's or sh's shebang."""
    return [
        name
        for name in files()
        if (ROOT / name).read_bytes()[:32].startswith((b"#!/usr/bin/env bash\n", b"#!/bin/sh\n"))
    ]


def workflows() -> list[str]:
    return [name for name in files() if name.startswith(".github/workflows/")]


def checks() -> dict[str, list[str]]:
    """Name the checks and their commands, the longest first: so they fill the processors best."""
    python = [sys.executable, "-m"]
    return {
        # Imports with one more Python take as long as all else of it; make sanity-matrix has all of them.
        "sanity": [*python, "tests.tools.sanity", "--lenient", "--ends"],
        "mypy": ["mypy", f"{IMPORTED}/plugins", "tests"],
        "ansible-lint": ["ansible-lint", "-q", "--nocolor"],
        "importer": [*python, "tests.tools.importer"],
        "docs": [*python, "tests.tools.docs"],
        "returns": [*python, "tests.tools.returns"],
        "reuse": ["reuse", "lint", "--lines"],
        "changelog": ["antsibull-changelog", "lint"],
        "workflows": ["check-jsonschema", "--builtin-schema=vendor.github-workflows", *workflows()],
        "shellcheck": ["shellcheck", *shell_scripts()],
        "ruff-check": ["ruff", "check", "--quiet"],
        "ruff-format": ["ruff", "format", "--check", "--quiet"],
    }


def run(name: str, command: list[str]) -> Outcome:
    """Run one check to its end."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    # Every tool stands somewhere else: name files as seen from the checkout.
    output = re.sub(r"\S*\bansible_collections/strata/storage/(?=\S)", "", done.stdout).strip()
    return Outcome(name, done.returncode == 0, time.monotonic() - started, output)


def main() -> int:
    """Print each check's output in one piece as it ends, then a summary; 1 if any failed."""
    known = checks()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", nargs="*", help=f"only these: {', '.join(known)}")
    wanted = parser.parse_args().check or list(known)
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"no such check: {', '.join(unknown)}")

    workers = max(2, os.cpu_count() or 1)
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"Running {len(wanted)} checks, {workers} at a time", flush=True)
    outcomes = []
    with ThreadPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(run, name, known[name]) for name in wanted]):
            outcome = future.result()
            outcomes.append(outcome)
            print(f"--- {outcome.name}: {'passed' if outcome.passed else 'FAILED'}", flush=True)
            if outcome.output:
                print(outcome.output, flush=True)

    print("\nSummary")
    for outcome in sorted(outcomes, key=lambda one: wanted.index(one.name)):
        print(f"  {'passed' if outcome.passed else 'FAILED'}  {outcome.seconds:5.1f} s  {outcome.name}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
