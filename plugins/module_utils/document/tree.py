# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's storage, drawn from the disks up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.text import printable
from .sizes import show_size

Branch = Mapping[str, Any]


def draw(tree: Sequence[Branch]) -> str:
    """The lines of a tree, each of name, type, size, and what else there is to say.

    A branch has ``name``, ``type``, ``size`` (bytes), ``holds``, ``mount_points``, ``health`` and ``children``, and may
    have ``options``. What lies on several devices is drawn below the first of them, and only named below the others.
    """
    return draw_alike(tree)[0]


def draw_alike(*trees: Sequence[Branch]) -> tuple[str, ...]:
    """Trees with columns of one width, so that only what differs is different."""
    drawn = [list(_rows(tree, set())) for tree in trees]
    widths = [max((len(row[column]) for rows in drawn for row in rows), default=0) for column in range(3)]
    return tuple("".join(_line(row, widths) for row in rows) for rows in drawn)


def _line(row: tuple[str, str, str, str], widths: Sequence[int]) -> str:
    name, kind, size, rest = row
    columns = (name.ljust(widths[0]), kind.ljust(widths[1]), size.rjust(widths[2]), *([rest] if rest else ()))
    return "  ".join(columns).rstrip() + "\n"


def _rows(
    tree: Sequence[Branch], drawn: set[tuple[str, str]], lead: str | None = None
) -> Iterator[tuple[str, str, str, str]]:
    for index, branch in enumerate(tree):
        last = index == len(tree) - 1
        stem, inner = (
            ("", "") if lead is None else (lead + "└─ ", lead + "   ") if last else (lead + "├─ ", lead + "│  ")
        )
        name, children = printable(str(branch["name"])), branch.get("children") or ()
        # A container may be called as the partition is that it lies on.
        one = (name, str(branch["type"]))
        again = lead is not None and one in drawn
        size = int(branch.get("size") or 0)
        yield stem + name, one[1], show_size(size) if size else "", "" if again else _rest(branch)
        if not again:
            drawn.add(one)
            yield from _rows(children, drawn, inner)


def _rest(branch: Branch) -> str:
    words = [str(branch.get("holds") or "")]
    words += [f"on {point}" for point in branch.get("mount_points") or ()]
    options = branch.get("options") or ()
    words += [f"({', '.join(options)})"] if options else []
    health = branch.get("health") or ()
    words += [f"[{', '.join(health)}]"] if health else []
    return printable(" ".join(word for word in words if word))
