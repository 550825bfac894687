# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection and let Galaxy's own importer judge it; its warnings are errors here."""

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.tools.checkout import ROOT, files, run

SETTINGS = {
    "CHECK_CHANGELOG": "true",
    "CHECK_REQUIRED_TAGS": "true",
    "RUN_ANSIBLE_DOC": "true",
    "RUN_ANSIBLE_LINT": "false",  # lint runs it on the checkout, where no time limit turns a busy machine into a fault
}


def main() -> int:
    """Print what is wrong with the built collection."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        run("ansible-galaxy", "collection", "build", "--output-path", scratch, cwd=ROOT)
        (built,) = work.glob("*.tar.gz")
        with tarfile.open(built) as archive:
            packed = {member.name for member in archive if not member.isdir()}
        report = run(
            *[sys.executable, "-m", "galaxy_importer.main", str(built)],
            cwd=work,
            **{f"GALAXY_IMPORTER_{name}": value for name, value in SETTINGS.items()},
        )
        finished = (work / "importer_result.json").exists()
    if not finished:
        sys.exit(f"{report}\nthe importer did not accept the collection")
    faults = [
        f"add it to build_ignore in galaxy.yml: {name}"
        for name in sorted(packed - {"MANIFEST.json", "FILES.json", *files()})
    ]
    faults += [line for line in report.splitlines() if re.search(r"\b(WARNING|ERROR)\b", line)]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
