# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as users write them: bytes, ``10G``/``10GiB`` (1024-based), ``10GB`` (1000-based), ``50%``."""

from __future__ import annotations

import re
from typing import NamedTuple, Union

from ..core.errors import StorageError

_SIZE = re.compile(r"(\d{1,24}(?:\.\d{1,24})?)\s*(?:([KMGTPE])(iB|B)?|B|%)?", re.IGNORECASE)
_LETTERS = "KMGTPE"


class Percent(NamedTuple):
    """A share of whatever the size is taken from."""

    value: float

    def of(self, whole: int) -> int:
        """That share of ``whole`` bytes, rounded down."""
        return whole * round(self.value * 10**6) // 10**8

    def __str__(self) -> str:
        return f"{self.value:g}%"


Size = Union[int, Percent]


def parse_size(text: str | int, option: str = "size") -> Size:
    """Bytes, or a Percent. Raises StorageError for anything that is not a positive size."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match:
        raise StorageError(
            f"{option}: {text!r} is not a size; write bytes, 10G or 10GiB (1024-based), 10GB (1000-based) or 50%"
        )
    number = float(match.group(1))
    if str(text).strip().endswith("%"):
        if not 0 < number <= 100:
            raise StorageError(f"{option}: {text} is no share; it has to be more than 0%, and at most 100%")
        return Percent(number)
    letter, suffix = match.group(2), match.group(3)
    base = 1000 if suffix and suffix.upper() == "B" else 1024
    if not letter and not match.group(1).isdigit():
        raise StorageError(f"{option}: {text} is no whole number of bytes; say the unit, such as {match.group(1)}G")
    factor: int = base ** (_LETTERS.index(letter.upper()) + 1) if letter else 1
    # An integer stays exact: floats lose bytes beyond 2^53.
    size = int(match.group(1)) * factor if match.group(1).isdigit() else int(number * factor)
    if size <= 0:
        raise StorageError(f"{option}: {text} is not a positive size")
    return size


def parse_bytes(text: str | int, option: str = "size") -> int:
    """As parse_size, where a share of something makes no sense."""
    size = parse_size(text, option)
    if isinstance(size, Percent):
        raise StorageError(f"{option}: {text} must be an amount of bytes, not a percentage")
    return size


def whole_mib(size: int) -> int:
    """How many MiB a size is, rounded down, and at least one."""
    return max(size >> 20, 1)


def show_size(size: int) -> str:
    """For people: 1024-based, to three digits (``14.6 TiB``)."""
    number, unit = float(size), "B"
    for letter in _LETTERS:
        if round(number) < 1024:
            break
        number, unit = number / 1024, f"{letter}iB"
    return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"
