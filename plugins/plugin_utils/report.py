# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as the people read it who approve it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def drawn(host: str, result: Mapping[str, Any]) -> str:
    """The lines for one host: its steps in order, the data that each destroys, what follows later, and what is allowed.

    Every line is ended. ``result`` is that of a module, with ``approval``.
    """
    plan, approval = result["plan"], result["approval"]
    create, remove = (sum(step["action"] == verb for step in plan) for verb in ("create", "remove"))
    lines = []
    for number, step in enumerate(plan, 1):
        lines.append(f"{number:4}  {step['action']} {step['kind']} {step['name']}: {step['detail']}")
        lines += [f"!     DESTROYS {data}" for data in step["destroys"]]
    for told, key in (
        ("in progress, or planned later", "in_progress"),
        ("later, and not approved by this", "pending"),
        ("with the next boot", "pending_reboot"),
    ):
        lines += [f"      {told}: {sentence}" for sentence in result.get(key) or ()]
    change = len(plan) - create - remove
    destroys = approval["destructive"]
    return "\n".join(
        (
            f"{host}: {_count(len(plan), 'step')}, {f'DESTROYS {destroys}' if destroys else 'nothing destroyed'}",
            *lines,
            f"Plan: {create} to create, {change} to change, {remove} to remove, {destroys} to destroy.",
            f"mode {approval['mode']}, allow_destroy {', '.join(approval['allow_destroy']) or 'empty'}; an approval is "
            f"valid until {approval['until']}.",
            "",
        )
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
