# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as people read it: a line for each step, the data that it destroys, what follows later, and the totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .text import printable

_LATER = (
    ("in progress, or planned later", "in_progress"),
    ("later", "pending"),
    ("with the next boot", "pending_reboot"),
)
_MAKING = {"create", "format"}
#: The steps of an item that goes as a whole, where "remove" may be about a part of it: a member, a key.
_GOING = {"raid": {"zero"}, "luks": {"wipe"}, "bcache": {"stop", "wipe"}}
#: All that is done to the members of an array that goes. Other steps are about an array that stays.
_OF_ENDING = {"stop", "zero", "persist", "forget"}


def draw(title: str, result: Mapping[str, Any], closing: Iterable[str] = ()) -> str:
    """The lines, each ended. ``result`` is what a module returns; ``closing`` are lines for the end."""
    plan: Sequence[Mapping[str, Any]] = result["plan"]
    destroys = count_destructive(plan)
    lines = [f"{title}: {counted(len(plan), 'step')}, {f'DESTROYS {destroys}' if destroys else 'nothing destroyed'}"]
    for number, step in enumerate(plan, 1):
        mark = "!" if step["destroys"] else " "
        detail = f": {step['detail']}" if step["detail"] else ""
        lines.append(f"{mark}{number:3}  {step['action']} {step['kind']} {step['name']}{detail}")
        lines += [f"!     DESTROYS {data}" for data in step["destroys"]]
    lines += [f"      {sentence}" for sentence in later(result)]
    lines.append(_total(plan, destroys))
    return "".join(f"{printable(line)}\n" for line in (*lines, *closing))


def _total(plan: Iterable[Mapping[str, Any]], destroys: int) -> str:
    """How many items come, change and go, however many steps each takes."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for step in plan:
        # A member that leaves is named by its device; an array that goes, by its level.
        part = step["kind"] == "raid" and step["action"] == "remove" and step["detail"].startswith("/dev/")
        verbs.setdefault((step["kind"], step["name"]), set()).add("take out" if part else step["action"])
    create = sum(bool(done & _MAKING) for done in verbs.values())
    remove = sum(_goes(kind, done) for (kind, _name), done in verbs.items())
    change = len(verbs) - create - remove
    return f"Plan: {create} to create, {change} to change, {remove} to remove, {destroys} to destroy."


def _goes(kind: str, done: set[str]) -> bool:
    """Whether an item is removed by the steps with these verbs, and not only something of it."""
    if done & _MAKING:
        return False
    if "delete" in done or (done == {"remove"} and kind != "luks"):
        return True
    if kind == "raid" and not done <= _OF_ENDING:
        return False
    return _GOING.get(kind, {"remove"}) <= done


def later(result: Mapping[str, Any]) -> list[str]:
    """What is told beside the steps: what goes on, or is done later."""
    return [f"{told}: {sentence}" for told, key in _LATER for sentence in result.get(key) or ()]


def count_destructive(plan: Iterable[Mapping[str, Any]]) -> int:
    """How many steps destroy data."""
    return sum(1 for step in plan if step["destroys"])


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
