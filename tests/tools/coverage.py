# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print which lines and branches of `plugins` no test runs: `python -m tests.tools.coverage [PART] [ARGUMENT …]`.

Measures unit tests, with each ansible-playbook that they start, and integration tests, with the modules that these run
in the machine and against clusters. The arguments are pytest's, such as `-k raid`. `--unit` and `--integration` measure
one of them, which is not held to the floor of pyproject.toml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.tools.checkout import ROOT

KEPT = ROOT / ".coverage"
UNIT = ("-n", "4", "tests/unit")
INTEGRATION = (
    *("-p", "tests.lab.fixtures", "-n", "2", "--dist", "loadgroup"),
    *("tests/integration", "-m", "not further"),
)
#: Absolute, since tests start programs in other directories. Workers of Ansible are forked, and end at once.
CONFIGURATION = """
[run]
branch = true
parallel = true
data_file = {scratch}/.coverage
source = {root}/plugins
patch = subprocess, fork, _exit
disable_warnings = no-data-collected
"""


def measure(scratch: Path, runs: Sequence[Sequence[str]], arguments: Sequence[str]) -> list[int]:
    """Run pytest, and return its exit statuses; the data are in the directory then."""
    configuration = scratch / "coveragerc"
    configuration.write_text(CONFIGURATION.format(scratch=scratch, root=ROOT))
    environment = {**os.environ, "STRATA_COVERAGE": str(scratch)}
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={configuration}", "-m", "pytest"]
    return [
        subprocess.run([*command, *run, *arguments], cwd=ROOT, env=environment, check=False).returncode for run in runs
    ]


def main() -> int:
    arguments = sys.argv[1:]
    runs = [UNIT, INTEGRATION]
    if arguments[:1] in (["--unit"], ["--integration"]):
        runs = [UNIT if arguments.pop(0) == "--unit" else INTEGRATION]
    with tempfile.TemporaryDirectory() as scratch:
        statuses = measure(Path(scratch), runs, arguments)
        coverage = [sys.executable, "-m", "coverage"]
        subprocess.run([*coverage, "combine", "--quiet", scratch], cwd=ROOT, check=True)
    report = subprocess.run(
        [*coverage, "report", *(["--fail-under=0"] if len(runs) == 1 else [])], cwd=ROOT, check=False
    )
    return max(*statuses, report.returncode)


if __name__ == "__main__":
    sys.exit(main())
