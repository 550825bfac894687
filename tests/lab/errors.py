# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong in the lab, and how it says so."""

from __future__ import annotations

from pathlib import Path


class LabError(Exception):
    """The lab itself failed, not the command under test."""


NOISE = "MODE SENSE: unimplemented page"
"""What the kernel's target says of its disks each time that somebody looks at one."""


def tail(path: Path, lines: int = 30) -> str:
    """Return the last lines of a log file under a heading, or an empty string if there are none."""
    try:
        text = path.read_bytes()[-65536:].decode(errors="replace")
    except OSError:
        return ""
    kept = [line for line in text.replace("\r", "").splitlines() if line.strip() and NOISE not in line]
    kept = kept[-lines:]
    return "\n".join([f"--- end of {path} ---", *kept]) if kept else ""
