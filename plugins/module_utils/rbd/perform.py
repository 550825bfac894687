# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How calls of librbd's are made."""

from __future__ import annotations

from typing import Any, Callable

from ..core.execute import Hands, Phases
from ..core.plan import Step
from .calls import Call, Features, Place, bits
from .connection import Connection, rbd, told

#: The calls that may take long, and tell how far they are.
_TELLING = frozenset({"remove", "flatten", "trash_remove"})
_TENTH = 10
#: The clone format that needs protected snapshots, and that librbd is told of for the whole connection.
_PROTECTING = 1


def hands(connection: Connection, log: Callable[[str], object]) -> Hands:
    """``log`` is told every tenth of what takes long."""

    def call(action: Call) -> None:
        def value(given: Any) -> Any:
            if isinstance(given, Place):
                return connection.pool(given)
            return bits(given.names) if isinstance(given, Features) else given

        arguments = [value(argument) for argument in action.arguments]
        options = {name: value(option) for name, option in action.options}
        if action.method in _TELLING:
            options["on_progress"] = _progress(str(action), log)
        if action.clone_format:
            connection.set("rbd_default_clone_format", str(action.clone_format))
        with told(str(action)):
            pool = connection.pool(action.place)
            if action.image:
                with connection.image(action.place, action.image, read_only=False) as image:
                    getattr(image, action.method)(*arguments, **options)
            elif action.group:
                getattr(rbd.Group(pool, action.group), action.method)(*arguments, **options)
            else:
                getattr(connection.rbd, action.method)(pool, *arguments, **options)

    return Hands({Call: call}, placeholders=None, phases=_phases)


def _phases(steps: tuple[Step, ...]) -> Phases:
    """Images do not depend on each other, but for those whose parents are protected for them, which come first."""
    old = {_lane(step) for step in steps for action in step.actions if action.clone_format == _PROTECTING}
    first = tuple(step for step in steps if _lane(step) in old)
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        if _lane(step) not in old:
            lanes.setdefault(_lane(step), []).append(step)
    return ((first,), tuple(tuple(lane) for lane in lanes.values()))


def _lane(step: Step) -> str:
    return step.name.partition("@")[0]


def _progress(what: str, log: Callable[[str], object]) -> Callable[[int, int], int]:
    tenths = 0

    def told_of(done: int, total: int) -> int:
        nonlocal tenths
        reached = _TENTH * done // total if total else 0
        if reached > tenths:
            tenths = reached
            log(f"{what}: {100 * reached // _TENTH} %")
        return 0

    return told_of
