# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that has cinderlib, made once and kept in the cache: as a user makes it, from requirements-cinder.txt."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.image import cache_directory
from tests.tools.checkout import ROOT

REQUIREMENTS = ROOT / "requirements-cinder.txt"
#: Runs a task that is killed.
KILLED = Path(__file__).with_name("killed.py")
#: The one that Debian's bindings of Ceph are made for.
SYSTEM = Path("/usr/bin/python3")


def environment(python: Path = SYSTEM) -> Path:
    """The directory of that environment. Whoever finds none makes it, while others wait."""
    version = subprocess.run([python, "--version"], capture_output=True, check=True).stdout
    key = hashlib.sha256(version + REQUIREMENTS.read_bytes()).hexdigest()[:16]
    cache = cache_directory("cinder")
    made = cache / key
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "complete").exists():
            print(
                f"cinder: installing about {REQUIREMENTS.read_text().count('==')} Python packages into {made}",
                file=sys.stderr,
            )
            shutil.rmtree(made, ignore_errors=True)
            subprocess.run([python, "-m", "venv", "--system-site-packages", str(made)], check=True)
            pip = [str(made / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
            (made / "complete").touch()
    return made
