# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``partitions``: parts of a device, known by their names in its GPT, by number, or by path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .sizes import Size, parse_size

#: What sfdisk calls the types.
TYPES = {"linux": "linux", "swap": "swap", "lvm": "lvm", "raid": "raid", "efi": "uefi"}
STATES = ("present", "absent")
#: udev makes a link of it as it is: no character that it would write otherwise.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,35}")

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "device": {"type": "str", "required": True},
    "number": {"type": "int"},
    "size": {"type": "str"},
    "type": {"type": "str", "choices": list(TYPES)},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
}


class Partition(NamedTuple):
    """A wanted partition. None: leave it as it is; a new one gets the largest space that is free.

    ``device`` is what it is a part of, or itself. With a ``number``, its name in the table does not matter.
    """

    name: str
    device: str
    size: Size | None = None
    type: str | None = None
    state: str = "present"
    number: int | None = None


def can_be_named(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises StorageError for a name that no new partition gets."""
    if not can_be_named(name):
        raise StorageError(
            f"partition {name!r}: a name has at most 36 letters, digits and any of _ . + -, and begins with one of the "
            "first two"
        )


def parse(item: Mapping[str, Any], lenient: bool = False) -> Partition:
    """A Partition from an item of the document. Raises StorageError for what cannot be (``lenient``: but its name)."""
    name = str(item["name"])
    if not lenient:
        check_name(name)
    number = item.get("number")
    if number is not None and number < 1:
        raise StorageError(f"partition {name}: number is {number}, and must be at least 1")
    return Partition(
        name=name,
        device=str(item["device"]),
        size=None if item.get("size") is None else parse_size(item["size"]),
        type=item.get("type"),
        state=item.get("state") or "present",
        number=number,
    )
