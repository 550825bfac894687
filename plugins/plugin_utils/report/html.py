# Copyright (c) 2026 the strata.storage authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one page of HTML that needs nothing else: no network, no framework, and no script to be read.

Texts of others get into the page by ``Markup.format`` alone, which escapes them. Should one get past that, the page's
own policy lets no script run but the one that is named by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from .drawing import draw
from .model import SEVERITIES, Finding, HostReport, Machine, Report
from .tables import FILESYSTEM, Cell, Column, Table, filesystem_rows, tables
from .text import cut, show

_HERE = Path(__file__).parent
_FULL = 90
_NUMBERS = ("count", "bytes", "percent", "growth")


def render(report: Report) -> str:
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    page = _Page(report)
    return str(
        Markup(_PAGE).format(
            policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'",
            style=Markup(style),
            script=Markup(script),
            title=cut(report["title"]),
            lead=page.lead(),
            filter=page.filter(),
            tables=Markup().join(page.tables()),
            hosts=Markup().join([*map(page.host, report["hosts"]), *map(page.machine, report["machines"])]),
        )
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{lead}
</header>
<main>
{filter}
{tables}
<section id="each" aria-labelledby="each-title">
<h2 id="each-title">Each host</h2>
{hosts}
</section>
</main>
<script>{script}</script>
</body>
</html>
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _Page:
    def __init__(self, report: Report) -> None:
        self._report = report
        names = [host["name"] for host in report["hosts"]]
        names += [one["name"] for one in report["unread"] if one["kind"] == "host" and one["name"] not in names]
        self._number = {name: number for number, name in enumerate(names)}
        self._anchors = _anchors(host["name"] for host in report["hosts"])
        self._groups = {group["name"]: number for number, group in enumerate(report["groups"])}
        self._findings: dict[str, list[Finding]] = {}
        for found in report["findings"]:
            self._findings.setdefault(found["host"], []).append(found)
        # Hosts that are built alike share a drawing. The first has it: browsers skip what is out of sight.
        self._drawings: dict[Markup, int] = {}

    def lead(self) -> Markup:
        report, counts = self._report, self._report["counts"]
        tiles = [("ok", "hosts read", f"{counts['read']} of {counts['hosts']}")]
        tiles += [("unread", "not read", str(len(report["unread"])))] if report["unread"] else []
        tiles += [(severity, severity, str(counts[severity])) for severity in ("critical", "warning", "notice")]
        tiles = [(kind if number != "0" else "ok", name, number) for kind, name, number in tiles]
        shown = Markup().join(
            Markup('<li class="{}"><strong>{}</strong> {}</li>').format(kind, number, name)
            for kind, name, number in tiles
        )
        notes = [f"Made {cut(report['generated_at'])}."]
        notes += [f"Growth is since {cut(report['previous_at'])}."] if report["previous_at"] else []
        gone = [cut(name) for name in report["gone"]]
        notes += [f"In the last report, and not in this one: {', '.join(gone)}."] if gone else []
        links = Markup(" ").join(
            Markup('<a href="#{}">{}</a>').format(table.key, table.title) for table in self._tables() if table.rows
        )
        return Markup(
            '<ul class="tiles">{}</ul>\n<p>{}</p>\n'
            '<nav aria-label="Parts of this page">{} <a href="#each">Each host</a></nav>'
        ).format(shown, " ".join(notes), links)

    def _tables(self) -> list[Table]:
        # Those of filesystems are with their hosts.
        found = [table for table in tables(self._report).values() if table.key != "filesystems"]
        return [table for table in found if table.rows or table.key == "findings"]

    def filter(self) -> Markup:
        """Hidden until the script, which it is for, shows it."""
        kinds = ["unread", *SEVERITIES]
        health = Markup().join(Markup('<option value="{0}">{0}</option>').format(kind) for kind in kinds)
        groups = Markup().join(
            Markup('<option value="{}">{}</option>').format(number, cut(name)) for name, number in self._groups.items()
        )
        return Markup(
            '<form id="filter" role="search" hidden>'
            '<label>Search <input type="search" name="words" autocomplete="off"></label>'
            '<label>Health <select name="health"><option value="">any</option>{}</select></label>'
            '<label>Group <select name="group"><option value="">any</option>{}</select></label>'
            '<output aria-live="polite"></output></form>'
        ).format(health, groups)

    def tables(self) -> Iterable[Markup]:
        for table in self._tables():
            inner = (
                self._table(table) if table.rows else Markup("<p>Nothing is wrong with the hosts that were read.</p>")
            )
            yield Markup(
                '<section id="{0}" aria-labelledby="{0}-title"><h2 id="{0}-title">{1}</h2>{2}</section>\n'
            ).format(table.key, table.title, inner)

    def _table(self, table: Table) -> Markup:
        keys = [column.key for column in table.columns]
        by = next((keys.index(key) for key in ("host", "name") if key in keys), None)
        rows = Markup().join(
            Markup("<tr{}>{}</tr>\n").format(
                self._about(str(row[by])) if by is not None and (table.key != "unread" or row[0] == "host") else "",
                self._cells(table.columns, row),
            )
            for row in table.rows
        )
        return _table(table.title, table.columns, rows)

    def _about(self, name: str) -> Markup:
        """What the script finds a row or a part by: the number of its host."""
        return Markup(' data-h="{}"').format(self._number[name])

    def _cells(self, columns: Sequence[Column], row: Sequence[Cell]) -> Markup:
        return Markup().join(self._cell(column, cell) for column, cell in zip(columns, row))

    def _cell(self, column: Column, cell: Cell) -> Markup:
        text: str | Markup = show(column, cell)
        if column.kind in _NUMBERS:
            full = column.kind == "percent" and isinstance(cell, int) and cell >= _FULL
            return Markup('<td class="{}">{}</td>').format("n full" if full else "n", text)
        if column.kind == "severity":
            return Markup("<td>{}</td>").format(_badge(str(cell)))
        if column.kind == "host":
            if str(cell) in self._anchors:
                text = Markup('<a href="#{}">{}</a>').format(self._anchors[str(cell)], text)
            return Markup('<th scope="row">{}</th>').format(text)
        return Markup("<td>{}</td>").format(text)

    def host(self, host: HostReport) -> Markup:
        name = host["name"]
        groups = " ".join(str(self._groups[group]) for group in host["groups"])
        found = Markup().join(
            Markup("<li>{} <b>{}</b> {}: {}. {} {}</li>").format(
                _badge(one["severity"]),
                *(cut(one[key]) for key in ("name", "problem", "detail", "meaning", "remedy")),
            )
            for one in self._findings.get(name, ())
        )
        found += Markup().join(
            Markup("<li>Not read: {} of {}: {}</li>").format(
                cut(one["what"]), cut(one["device"] or "the host"), cut(one["reason"])
            )
            for one in host["not_read"]
        )
        rows = Markup().join(
            Markup("<tr>{}</tr>").format(self._cells(FILESYSTEM, row)) for row in filesystem_rows(host)
        )
        parts = (
            Markup('<ul class="found">{}</ul>').format(found) if found else "",
            self._drawn(name, host["tree"], host["text"]),
            _table("Filesystems", FILESYSTEM, rows) if rows else "",
        )
        return self._part(
            name,
            Markup("").join(parts),
            self._anchors[name],
            _badge(host["severity"]),
            cut(host["summary"]),
            Markup('{} data-s="{}" data-g="{}"').format(self._about(name), host["severity"], groups),
        )

    def machine(self, machine: Machine) -> Markup:
        return self._part(
            machine["name"],
            self._drawn(machine["name"], machine["tree"], machine["text"]),
            "",
            "",
            f"In MAAS: {cut(machine['status'])}",
            "",
        )

    def _part(self, name: str, inner: Markup, anchor: str, badge: str, summary: str, more: str) -> Markup:
        return Markup('<section class="h"{}{}><h3>{} {}</h3><p>{}</p>{}</section>\n').format(
            Markup(' id="{}"').format(anchor) if anchor else "", more, cut(name), badge, summary, inner
        )

    def _drawn(self, name: str, tree: Sequence[Mapping[str, object]], text: str) -> Markup:
        drawing = draw(tree)
        number = self._drawings.get(drawing.markup)
        if number is None:
            number = self._drawings[drawing.markup] = len(self._drawings)
            drawn = Markup('<g id="d{}">{}</g>').format(number, drawing.markup)
        else:
            drawn = Markup('<use href="#d{}"/>').format(number)
        return Markup(
            '<div class="d" tabindex="0" role="group" aria-label="Drawing of {0}">'
            '<svg role="img" aria-label="Storage of {0}; as text below" '
            'width="{1}" height="{2}" viewBox="-1 -1 {1} {2}">{3}</svg></div>'
            '<details><summary>As text</summary><pre tabindex="0">{4}</pre></details>'
        ).format(cut(name), drawing.width + 2, drawing.height + 2, drawn, "\n".join(map(cut, text.splitlines())))


def _badge(severity: str) -> Markup:
    return Markup('<span class="b {0}">{0}</span>').format(severity)


def _table(title: str, columns: Sequence[Column], rows: Markup) -> Markup:
    head = Markup().join(
        Markup('<th scope="col"{}>{}</th>').format(
            Markup(' class="n"') if column.kind in _NUMBERS else "", column.title
        )
        for column in columns
    )
    return Markup(
        '<div class="t" tabindex="0" role="group" aria-label="{0}"><table><caption>{0}</caption>'
        "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(title, head, rows)


def _anchors(names: Iterable[str]) -> dict[str, str]:
    """Names for links, which stay the same from report to report, as far as names of hosts are ones for links."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        anchor = wanted = "host-" + re.sub(r"[^A-Za-z0-9._-]", "-", name)[:80]
        number = 1
        while anchor in taken:
            number += 1
            anchor = f"{wanted}-{number}"
        taken.add(anchor)
        found[name] = anchor
    return found
