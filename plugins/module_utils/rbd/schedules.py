# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster's manager does at intervals: words, and what a schedule needs to be as it is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any

from ..core.errors import StorageError
from .calls import Ask, Place
from .state import Schedule

MIRROR = "rbd mirror snapshot schedule"
TRASH = "rbd trash purge schedule"
OPTION: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {"interval": {"type": "str", "required": True}, "start_time": {"type": "str"}},
}
_INTERVAL = re.compile(r"([1-9]\d{0,5})([dhm]?)")
_MINUTES = {"d": 1440, "h": 60, "m": 1, "": 1}


def parse(given: Sequence[Mapping[str, Any]] | None, option: str) -> tuple[Schedule, ...] | None:
    """From a module's option. None: leave them as they are."""
    if given is None:
        return None
    return tuple(
        dict.fromkeys(Schedule(_minutes(one["interval"], option), _start(one["start_time"], option)) for one in given)
    )


def _minutes(text: str, option: str) -> int:
    match = _INTERVAL.fullmatch(text)
    if not match:
        raise StorageError(f"{option}: interval {text!r} is none; write 30m, 6h or 1d")
    return int(match.group(1)) * _MINUTES[match.group(2)]


def _start(text: str | None, option: str) -> str:
    if not text:
        return ""
    try:
        return time.fromisoformat(text).isoformat()
    except ValueError:
        raise StorageError(f"{option}: start_time {text!r} is no time; write 14:00 or 14:00:00-05:00") from None


def level(place: Place) -> str:
    """How the manager calls a pool or namespace."""
    return f"{place}/"


def found(answer: Mapping[str, Any], place: Place) -> tuple[Schedule, ...]:
    """What the manager lists for a place itself."""
    return tuple(
        Schedule(_minutes(one["interval"], "schedule"), one["start_time"] or "")
        for listed in answer.values()
        if listed["name"] == level(place)
        for one in listed["schedule"]
    )


def changes(
    kind: str, place: Place, wanted: tuple[Schedule, ...] | None, there: tuple[Schedule, ...]
) -> tuple[tuple[str, str, Ask], ...]:
    """Verb, detail and command of each change, new ones first."""
    some = [("schedule", "add", one) for one in wanted or () if one not in there]
    some += [("unschedule", "remove", one) for one in there if wanted is not None and one not in wanted]
    return tuple(
        (verb, f"{kind.rpartition(' ')[0]} {one}", Ask(f"{kind} {command}", (("level_spec", level(place)), *one.words)))
        for verb, command, one in some
    )


def dump(there: tuple[Schedule, ...] | None) -> list[dict[str, Any]] | None:
    """In the words that a module takes; None where nobody looked."""
    return (
        None
        if there is None
        else [{"interval": one.interval, "start_time": one.start or None} for one in sorted(there)]
    )
