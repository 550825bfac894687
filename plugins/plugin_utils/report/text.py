# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a report as a person reads them."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.core.text import printable
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import show_size

from .tables import Cell, Column

#: Characters of a text that a page shows.
_SHOWN = 200


def cut(text: str, length: int = _SHOWN) -> str:
    """One printable line of at most so many characters."""
    line = printable(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def show(column: Column, cell: Cell) -> str:
    """A cell of a table. Empty if there is nothing to say."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cut(cell)
    if column.kind == "percent":
        return f"{cell} %"
    if column.kind == "growth":
        return f"{'−' if cell < 0 else '+' if cell else ''}{show_size(abs(cell))}"
    return show_size(cell) if column.kind == "bytes" else str(cell)
