# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of a report as CSV."""

from __future__ import annotations

import csv
import io

from ansible_collections.strata.storage.plugins.module_utils.core.text import printable

from .tables import Cell, Table

#: A spreadsheet takes a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@")


def render(table: Table) -> str:
    """Sizes are bytes. A text that a spreadsheet would run is led by an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([column.key for column in table.columns])
    writer.writerows([_inert(cell) for cell in row] for row in table.rows)
    return written.getvalue()


def _inert(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return "" if cell is None else cell
    text = printable(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
