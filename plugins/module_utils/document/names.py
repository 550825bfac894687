# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names of items have in common."""

from __future__ import annotations

import re
from typing import Any

from ..core.errors import StorageError

_NAME = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*")


def check_name(name: str, what: str, longest: int) -> str:
    """The name itself, if a device of that kind can have it."""
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise StorageError(
            f"{what} {name!r}: a name holds letters, digits and any of _ . + - (not first), no slash and no space"
        )
    if len(name.encode()) > longest:
        raise StorageError(f"{what} {name!r}: a name has at most {longest} characters")
    return name


def known_name(name: str, what: str, longest: int, lenient: bool) -> str:
    """The name itself. ``lenient``: of what there is already, which may have any; the planner checks new ones."""
    return name if lenient else check_name(name, what, longest)


def devices(value: Any) -> tuple[str, ...] | None:
    """Devices as they are written."""
    return None if value is None else tuple(map(str, value))


def check_distinct(devices: tuple[str, ...], what: str) -> None:
    """Raises StorageError where one text stands twice (links to one device are found when they are resolved)."""
    for device in devices:
        if devices.count(device) > 1:
            raise StorageError(f"{what}: {device} is named twice")


def plain_wwn(wwn: str) -> str:
    """A WWN as the kernel writes it (``naa.5000c5…``), as udev does (``0x5000c5…``), or bare."""
    lowered = wwn.lower()
    for prefix in ("naa.", "eui.", "0x"):
        if lowered.startswith(prefix):
            return lowered[len(prefix) :]
    return lowered
