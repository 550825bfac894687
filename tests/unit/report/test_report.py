# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report over a fleet, as data and in each form that it is written in."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.strata.storage.plugins.filter.report import report
from ansible_collections.strata.storage.plugins.module_utils.core.text import printable
from ansible_collections.strata.storage.plugins.plugin_utils.report.drawing import draw
from ansible_collections.strata.storage.plugins.plugin_utils.report.text import cut
from tests.simulators.maas import Region, Server
from tests.unit.host.hosts import GiB
from tests.unit.maas.region import KEY, Maas

from .samples import HOSTILE, UNREACHABLE, a_fleet, full, renamed, result, stack

FLEET = {"nas2": result(), "nas1": full(), "dead": UNREACHABLE, "denied": {"failed": True, "msg": "this needs root"}}
GROUPS = {"all": [*FLEET], "ungrouped": ["nas2"], "fileservers": ["nas1", "nas2", "elsewhere"]}
POOL = {
    "images": [{"name": "a", "size": 10 * GiB}, {"name": "b", "size": 5 * GiB}],
    "status": {"a": {"snapshots": [{"name": "s"}]}, "b": {"snapshots": []}},
    "trash": [{"name": "old"}],
}
AT = "2026-11-27T09:00:00Z"
HOSTS: dict[str, Any] = {"title": "Fleet", "generated_at": AT, "groups": GROUPS}
hostile = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


def test_the_data() -> None:
    made = report(FLEET, pools={"vms": POOL, "gone": {"failed": True, "msg": "pool gone: there is none"}}, **HOSTS)
    assert made["counts"] == {"hosts": 4, "read": 2, "critical": 0, "warning": 1, "notice": 0}
    assert [(host["name"], host["severity"]) for host in made["hosts"]] == [("nas1", "warning"), ("nas2", "ok")]
    assert [(one["kind"], one["name"], one["problem"], one["reason"]) for one in made["unread"]] == [
        ("host", "dead", "unreachable", "Failed to connect to the host via ssh: no route to host"),
        ("host", "denied", "failed", "this needs root"),
        ("pool", "gone", "failed", "pool gone: there is none"),
    ]
    (found,) = made["findings"]
    assert (found["host"], found["name"], found["problem"]) == ("nas1", "data/srv", "nearly full")
    one = made["hosts"][0]
    assert one["groups"] == ["fileservers"]
    assert one["capacity"] == {
        "disks": 6,
        "raw": 60 * GiB,
        "unused": 20 * GiB,
        "unallocated": one["capacity"]["unallocated"],
        "size": 10 * GiB,
        "used": 10 * GiB - GiB // 2,
        "free": GiB // 2,
        "growth": None,
    }
    (group,) = made["groups"]
    assert (group["name"], group["hosts"], group["capacity"]["raw"]) == ("fileservers", 2, 120 * GiB)
    assert made["pools"] == [
        {"name": "vms", "images": 2, "snapshots": 1, "trash": 1, "provisioned": 15 * GiB, "growth": None}
    ]
    assert json.loads(report(FLEET, "json", **HOSTS))["hosts"] == made["hosts"]


def test_what_is_worst_comes_first() -> None:
    broken = stack()
    broken = broken._replace(devices={path: one._replace(fault="offline") for path, one in broken.devices.items()})
    made = report({"a": full(), "b": result(broken)}, generated_at=AT)
    assert [one["severity"] for one in made["findings"]] == ["critical"] * made["counts"]["critical"] + ["warning"]
    assert [host["severity"] for host in made["hosts"]] == ["warning", "critical"]


def test_growth_is_since_the_last_report() -> None:
    """Of hosts, filesystems, groups and pools that it has; what is new, or was not read then, has none."""
    before = report({"nas1": result(), "left": result()}, "json", pools={"vms": {**POOL, "images": []}}, **HOSTS)
    made = report(FLEET, pools={"vms": POOL}, previous=before, **{**HOSTS, "generated_at": "2026-11-28T09:00:00Z"})
    grown = {host["name"]: host["capacity"]["growth"] for host in made["hosts"]}
    assert grown == {"nas1": 9 * GiB - GiB // 2, "nas2": None}
    assert [one["growth"] for host in made["hosts"] for one in host["filesystems"]] == [9 * GiB - GiB // 2, None]
    assert made["groups"][0]["capacity"]["growth"] == made["capacity"]["growth"] == 9 * GiB - GiB // 2
    assert made["pools"][0]["growth"] == 15 * GiB
    assert (made["previous_at"], made["gone"]) == (AT, ["left"])
    shown = report(FLEET, "markdown", previous=json.loads(before), **HOSTS)
    assert "| +8.5 GiB |" in shown
    assert f"Growth is since {AT}." in shown


def test_why_a_module_did_not_run() -> None:
    broken = {"failed": True, "msg": "The interpreter was not found.", "module_stderr": "a\n/bin/sh: 1: not found\n"}
    made = report({"a": broken, "b": {}, "c": {"skipped": True, "skip_reason": "Conditional result was False"}})
    assert [one["reason"] for one in made["unread"]] == [
        "The interpreter was not found: /bin/sh: 1: not found",
        "it was not read",
        "Conditional result was False",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"value": []}, "_input has to be a dictionary"),
        ({"maas": [1]}, "maas has to be a dictionary"),
        ({"format": "pdf"}, "pdf is no format; use one of data, json"),
        ({"format": "csv", "table": "disks"}, "disks is no table of a report; use one of findings, unread"),
        ({"generated_at": "today"}, "today is no time"),
        ({"previous": "{"}, "the last report is not JSON"),
        ({"previous": "[]"}, "the last report is not the data of one"),
        ({"previous": {"version": 1}}, "it lacks what a report has"),
        ({"previous": {"version": 2, "generated_at": ""}}, "the last report has version 2; expected 1"),
        (
            {"value": {"a": {"changed": False}}},
            "host a: this is no result of strata.storage.layout_info; it has no tree",
        ),
        ({"value": {"a": {"tree": [], "health": [{}]}}}, "not what the info modules of this version return"),
    ],
)
def test_what_is_none_of_it_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(said)):
        report(**{"value": {}, **given})


def test_a_tree_in_itself_is_refused() -> None:
    leaf: dict[str, Any] = {"name": "a", "type": "disk", "size": 1}
    with pytest.raises(AnsibleFilterError, match="the tree has a on top of itself"):
        report({"host": {"tree": [{**leaf, "children": [{**leaf, "name": "b", "children": [leaf]}]}]}}, "html")


def test_a_fleet_without_hosts() -> None:
    for form in ("json", "html", "markdown", "csv", "metrics"):
        assert isinstance(report({}, form), str)


def test_the_drawing_has_each_device_once_and_disks_at_the_bottom() -> None:
    drawing = draw(full()["tree"])
    boxes = re.findall(r'translate\((\d+) (\d+)\)"><rect/><text [^>]*>([^<]*)<', drawing.markup)
    rows: dict[int, list[str]] = {}
    for _x, y, name in sorted(boxes, key=lambda box: int(box[0])):
        rows.setdefault(int(y), []).append(name)
    # The cache comes before the disks that nobody uses.
    assert [rows[y] for y in sorted(rows)] == [
        ["/srv", "/srv/logs"],
        ["▲ data/srv", "data/logs"],
        ["cached"],
        ["md0"],
        ["sdb", "sdc", "sdd", "sdg", "sde", "sdf"],
    ]
    assert len({(x, y) for x, y, _name in boxes}) == len(boxes)
    assert re.findall(r'd="([^"]*)"', drawing.markup)[0].count("M") == 3 + 2 + 2 + 2


class Page(HTMLParser):
    """What a browser would make elements and texts of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def fleet(text: str) -> dict[str, Any]:
    """A host that is called so, and in which all is; and one that could not be read."""
    return {text: renamed(text), f"{text}2": {"unreachable": True, "msg": text}}


def everything(text: str) -> dict[str, Any]:
    return {"title": text, "generated_at": AT, "groups": {text: [text]}, "pools": {text: {**POOL, "msg": text}}}


@hostile
def test_no_text_of_others_gets_into_the_page_as_markup(text: str) -> None:
    page, plain = (Page(report(fleet(word), "html", **everything(word))) for word in (text, "plain"))
    assert page.tags == plain.tags
    assert [name for name, _value in page.attributes] == [name for name, _value in plain.attributes]
    assert cut(text) in page.texts
    assert all(
        line.isprintable() for part in page.texts[10:] for line in part.splitlines() if "content-visib" not in part
    )


@hostile
def test_no_text_of_others_ends_a_cell_of_a_spreadsheet_or_is_a_formula(text: str) -> None:
    written = report(fleet(text), "csv", **everything(text))
    (head, row) = csv.reader(io.StringIO(written))
    assert dict(zip(head, row))["host"] in (printable(text), f"'{printable(text)}")
    assert all(cell.lstrip()[:1] not in ("=", "+", "-", "@") for cell in row)


@hostile
def test_no_text_of_others_is_markup_of_markdown(text: str) -> None:
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False})

    def kinds(word: str) -> list[str]:
        tokens = parser.parse(report(fleet(word), "markdown", **everything(word)))
        return [kind for token in tokens for kind in (token.type, *(part.type for part in token.children or ()))]

    rendered = parser.parse(report(fleet(text), "markdown", **everything(text)))
    # An escaped sign is a token of its own.
    told = [kind for kind in kinds(text) if kind not in ("text", "text_special")]
    assert told == [kind for kind in kinds("plain") if kind not in ("text", "text_special")]
    title = "".join(part.content for part in rendered[1].children or ())
    assert title == cut(text).strip()


@hostile
def test_no_text_of_others_is_a_metric(text: str) -> None:
    def samples(word: str) -> Iterator[tuple[str, dict[str, str]]]:
        written = report(fleet(word), "metrics", **everything(word))
        for family in text_string_to_metric_families(written):
            yield from ((sample.name, sample.labels) for sample in family.samples)

    found, plain = list(samples(text)), list(samples("plain"))
    assert [name for name, _labels in found] == [name for name, _labels in plain]
    assert {labels["host"] for _name, labels in found if "host" in labels} == {printable(text), printable(f"{text}2")}


@hostile
def test_the_data_comes_back(text: str) -> None:
    told = json.loads(report(fleet(text), "json", **everything(text)))
    assert told["hosts"][0]["name"] == text
    assert report(fleet(text), previous=told)["hosts"][0]["capacity"]["growth"] == 0


def test_a_machine_of_maas() -> None:
    """As a region over HTTP tells of it."""
    region = Region()
    region.add_user("admin", KEY)
    with Server(region) as server:
        found = Maas(server).info()
    made = report({}, maas={"region": found, "other": {"failed": True, "msg": "no answer"}}, generated_at=AT)
    (machine,) = made["machines"]
    assert (machine["name"], machine["status"], machine["disks"]) == (found["machines"][0]["fqdn"], "Ready", 9)
    assert machine["raw"] == sum(branch["size"] for branch in found["machines"][0]["tree"])
    assert [(one["kind"], one["name"]) for one in made["unread"]] == [("maas", "other")]
    assert machine["name"] in report({}, "html", maas={"region": found}, generated_at=AT)


def test_a_thousand_hosts_fit_into_a_page() -> None:
    assert len(report(a_fleet(1000), "html", generated_at=AT).encode()) < 5_000_000
