# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python-libmaas, in an environment of its own: the client that users of MAAS know, and that knows nothing of us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PINNED = Path(__file__).parent / "requirements-libmaas.txt"
_ENVIRONMENT = Path(__file__).parents[3] / ".venv/libmaas"


def python() -> str:
    """The Python that has it, installed where it is missing."""
    found, done = _ENVIRONMENT / "bin/python", _ENVIRONMENT / "installed"
    if not done.exists() or done.read_text() != _PINNED.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(_PINNED)]
        subprocess.run([str(found), *install], check=True)
        done.write_text(_PINNED.read_text())
    return str(found)
