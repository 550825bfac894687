# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Markdown, in the dialect of GitHub, which has tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .model import Report
from .tables import Table, tables
from .text import cut, show

#: Whatever could begin markup or HTML. A backslash before it makes it text.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#|~&!$])")


def render(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _lines(report: Report) -> Iterator[str]:
    counts = report["counts"]
    yield f"# {escape(cut(report['title']))}"
    yield ""
    yield f"{escape(cut(report['generated_at']))}: {counts['read']} of {counts['hosts']} hosts read, " + ", ".join(
        f"{counts[severity]} {severity}" for severity in ("critical", "warning", "notice")
    )
    if report["previous_at"]:
        yield f"Growth is since {escape(cut(report['previous_at']))}."
    if report["gone"]:
        yield f"In the last report, and not in this one: {', '.join(escape(cut(name)) for name in report['gone'])}"
    for table in tables(report).values():
        if table.rows:
            yield from ("", f"## {table.title}", "", *_table(table))
    for name, text in ((one["name"], one["text"]) for one in (*report["hosts"], *report["machines"])):
        # Indented, and not fenced: no text can end it.
        yield from ("", f"## {escape(cut(name))}", "", *(f"    {cut(line)}" for line in text.splitlines()))


def _table(table: Table) -> Iterator[str]:
    numbers = {"count", "bytes", "percent", "growth"}
    yield _row([column.title for column in table.columns])
    yield _row(["--:" if column.kind in numbers else "---" for column in table.columns])
    for row in table.rows:
        yield _row([escape(show(column, cell)) for column, cell in zip(table.columns, row)])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
