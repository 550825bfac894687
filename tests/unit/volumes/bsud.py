# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The algorithm of BSUd, written from a description of what it does, faults and all. Sizes in GiB."""

from __future__ import annotations

import math
from typing import NamedTuple

LARGEST = 14901


class Settings(NamedTuple):
    """Its settings, with its defaults."""

    initial: int = 10
    most_total: int = 0
    most_volumes: int = 10
    most_used: float = 0.85
    least_used: float = 0.40
    scale: float = 0.20


def step(volumes: list[int], used: float, settings: Settings) -> tuple[list[int], bool]:
    """The volumes after one pass, and whether it changed them."""
    total = sum(volumes)
    if not volumes:
        return [settings.initial], True
    if len(volumes) >= settings.most_volumes and len(volumes) > 1:
        return _without(volumes, min(volumes), used)
    if used / total >= settings.most_used:
        if settings.most_total and total >= settings.most_total:
            return volumes, False
        if len(volumes) >= settings.most_volumes:
            return volumes, False
        if min(volumes) > settings.initial and len(volumes) != settings.most_volumes - 1:
            new = max(settings.initial, math.ceil(min(volumes) * (1 - settings.scale)))
        else:
            new = min(LARGEST, math.ceil(max(volumes) * (1 + settings.scale)))
        return [*volumes, new], True
    if used / total <= settings.least_used:
        if len(volumes) > 1:
            return _without(volumes, max(volumes), used)
        if volumes[0] > settings.initial:
            ideal = math.ceil(max(used / ((settings.least_used + settings.most_used) / 2), settings.initial))
            return [*volumes, ideal], True
    return volumes, False


def _without(volumes: list[int], one: int, used: float) -> tuple[list[int], bool]:
    """The removal fails where the data do not fit on what is left, and is tried again with each pass."""
    left = list(volumes)
    left.remove(one)
    return (left, True) if sum(left) > used else (volumes, False)
