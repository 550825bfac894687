# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout: its files, and the places beside it that the tools keep things in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = ".venv/collections/ansible_collections/strata/storage"  # the checkout's second name, relative to ROOT
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "strata-storage"


def files() -> list[str]:
    """Every file that is, or could be, committed, relative to the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in listed.split("\0") if name and os.path.lexists(ROOT / name)})


def mirror(target: Path, keep: str) -> None:
    """Make `target` a copy of the checkout's files, except for what lies below `target/keep`."""
    for path in [path for path in target.rglob("*") if path.is_symlink() or path.is_file()]:
        if not path.is_relative_to(target / keep):
            path.unlink()
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def run(*command: str, cwd: Path, **settings: str) -> str:
    """Return what the command prints; end here with that if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{command[0]} ended with {done.returncode}")
    return done.stdout
