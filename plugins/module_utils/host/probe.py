# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What devices hold, by libblkid's probing of the devices themselves."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from typing import Any, Callable

from ..core.command import run_command
from ..core.errors import StorageError, sentence
from .devices import Content, Signature
from .partition.table import unseen_tables

#: Seconds to wait for a program that only reads: a disk that sleeps needs some, one that hangs has any number.
PATIENCE = 60


def each(
    what: str, names: Iterable[str], read_one: Callable[[str], Any]
) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """What each of those gave, and of those that gave nothing why: one that is broken costs only what it holds."""
    found, failed = {}, {}
    for name in names:
        try:
            found[name] = read_one(name)
        except (StorageError, OSError) as error:
            failed[what, name] = (error.strerror if isinstance(error, OSError) else None) or sentence(error)
    return found, failed


def read_contents(paths: Iterable[str]) -> dict[str, Content]:
    """What devices hold, by libblkid's probing of the devices themselves. Raises what _content raises."""
    return {path: read_content(path) for path in paths}


def read_content(path: str) -> Content:
    """Raises StorageError for a device that cannot be read."""
    busy = is_busy(path)
    return Content(_signatures(path), busy)


def _signatures(path: str) -> tuple[Signature, ...]:
    text = run_command(("wipefs", "--json", "--no-act", path), PATIENCE)
    found: dict[str, Signature] = {}
    for entry in json.loads(text)["signatures"] if text.strip() else ():
        found.setdefault(entry["type"], Signature(entry["type"], entry.get("uuid") or "", entry.get("label") or ""))
    for sector in unseen_tables(path, "gpt" in found):
        found[f"gpt-{sector}"] = Signature(f"gpt-{sector}")
    # It belongs to a GPT. Where none is left, it says that there was one.
    if len(found) > 1:
        found.pop("PMBR", None)
    return tuple(found.values())


def is_busy(path: str) -> bool:
    """Whether somebody holds the device: what no signature tells (ZFS, a running virtual machine), this does."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
        return True
    return False
