# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser: what it shows, who can use it, and what does not run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.filter.report import report
from tests.unit.report.samples import HOSTILE, UNREACHABLE, a_fleet, full, renamed, result

from .chromium import Browser, Page

pytestmark = pytest.mark.xdist_group("browser")
AXE = (files("axe_core_python") / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a page can show: hosts of each severity, one that cannot be reached, growth, groups, pools, machines."""
    hosts = {**a_fleet(12), "dead": UNREACHABLE}
    hosts["twin"] = hosts["nas011"]
    told = full()
    for number, severity in enumerate(("critical", "notice")):
        health = [{**told["health"][0], "severity": severity}]
        tree = [{**told["tree"][0], "severity": severity}]
        hosts[f"nas{number:03}"] = {**told, "health": health, "tree": tree}
    machine = {"fqdn": "node1.maas", "status": "Ready", "tree": told["tree"], "unused": []}
    more: dict[str, Any] = {
        "groups": {"even": list(hosts)[::2], "odd": list(hosts)[1::2]},
        "pools": {"vms": {"images": [{"size": 1 << 30}]}},
        "maas": {"region": {"machines": [machine]}, "other": {"failed": True, "msg": "no answer"}},
        "previous": report({**hosts, "left": result()}, generated_at="2026-11-26T09:00:00Z"),
    }
    page = tmp_path_factory.mktemp("fleet") / "report.html"
    page.write_text(report(hosts, "html", generated_at="2026-11-27T09:00:00Z", **more))
    return page


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hosts = {}
    for text in HOSTILE:
        hosts[text] = renamed(text)
        hosts[f"{text} gone"] = {**UNREACHABLE, "msg": text}
    page = tmp_path_factory.mktemp("hostile") / "report.html"
    groups = {text: [text] for text in HOSTILE}
    page.write_text(
        report(hosts, "html", title="".join(HOSTILE[:8]), groups=groups, pools={HOSTILE[2]: {"images": []}})
    )
    return page


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds, each with where."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run().then((found) => found.violations)")
    return [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


def visible(page: Page, selector: str) -> int:
    count = page.evaluate(f"[...document.querySelectorAll('{selector}')].filter((one) => one.offsetParent).length")
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_use_it(browser: Browser, fleet: Path, dark: bool) -> None:
    page = browser.open(fleet, dark)
    page.evaluate("document.querySelectorAll('details').forEach((one, number) => { one.open = number < 3; })")
    assert violations(page) == []
    # It does find what is wrong.
    page.evaluate("document.querySelector('#filter label').replaceWith(document.querySelector('#filter input'))")
    assert [rule for rule, _where in violations(page)] == ["label"]


def test_light_dark_and_paper(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet)
    background = "getComputedStyle(document.body).backgroundColor"
    box = "getComputedStyle(document.querySelector('svg .c rect')).fill"
    light, light_box = page.evaluate(background), page.evaluate(box)
    page.show(dark=True)
    assert page.evaluate(background) != light
    assert page.evaluate(box) != light_box
    page.show(dark=True, media="print")
    assert page.evaluate(background) == light
    assert (visible(page, "form"), visible(page, "nav"), visible(page, "details")) == (0, 0, 0)
    assert visible(page, "section.h") == 14


def test_severities_have_colours_in_the_drawings(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet)
    fills = page.evaluate(
        "['c', 'w', 'n', 'm', 'u'].map((kind) => getComputedStyle(document.querySelector(`svg .${kind} rect`)).fill)"
    )
    assert len(set(fills)) == 5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_drawings_have_contrast(browser: Browser, fleet: Path, dark: bool) -> None:
    """Of which axe says nothing: text on its box, and boxes and lines on the page."""
    page = browser.open(fleet, dark)
    found = page.evaluate(
        """['c', 'w', 'n', 'm', 'u', 'x'].flatMap((kind) => {
             const box = document.querySelector(`svg .${kind} rect`);
             if (!box) return [];
             const [fill, stroke] = [getComputedStyle(box).fill, getComputedStyle(box).stroke];
             const page = getComputedStyle(document.body).backgroundColor;
             return [[fill, getComputedStyle(box.parentNode.querySelector('text')).fill, 4.5], [page, stroke, 3]];
           })"""
    )
    assert len(found) >= 10
    assert [(one, other) for one, other, least in found if contrast(one, other) < least] == []


def contrast(*colours: str) -> float:
    """As WCAG has it."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(light, colours))
    return (high + 0.05) / (low + 0.05)


def test_nothing_is_fetched_and_nothing_complains(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet)
    page.evaluate("document.fonts.ready.then(() => true)")
    assert page.requests == [fleet.as_uri()]
    assert page.complaints == []


def test_search_and_filter_by_keyboard(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet)
    assert page.evaluate("document.querySelector('output').value") == "14 of 14 hosts"
    for _ in range(20):
        page.press("Tab")
        if page.evaluate("document.activeElement.name") == "words":
            break
    page.type("NAS01 d010/")
    assert page.evaluate("document.querySelector('output').value") == "1 of 14 hosts"
    assert page.evaluate("[...document.querySelectorAll('section.h')].filter((one) => one.dataset.h && !one.hidden)"
                         ".map((one) => one.id)") == ["host-nas010"]  # fmt: skip
    assert (visible(page, "#findings tbody tr"), visible(page, "#hosts tbody tr")) == (1, 1)
    page.press("Escape")
    page.type("twin")
    # Its drawing is with the first host that is built so, which is not shown.
    assert page.evaluate("document.querySelector('#host-nas011').hidden")
    assert page.evaluate("document.querySelector('#host-twin svg use').getBoundingClientRect().height") > 200
    page.press("Escape")
    assert page.evaluate("document.querySelector('output').value") == "14 of 14 hosts"

    page.press("Tab")
    assert page.evaluate("document.activeElement.name") == "health"
    page.press("ArrowDown")
    assert page.evaluate("document.querySelector('[name=health]').value") == "unread"
    assert page.evaluate("document.querySelector('output').value") == "1 of 14 hosts"
    # What is no host stays.
    assert visible(page, "#unread tbody tr") == 2
    page.press("ArrowDown")
    assert page.evaluate("document.querySelector('output').value") == "1 of 14 hosts"
    page.press("Tab")
    page.press("ArrowDown")
    assert page.evaluate("document.querySelector('[name=group]').selectedOptions[0].text") == "even"
    assert page.evaluate("document.querySelector('output').value") == "1 of 14 hosts"
    page.press("ArrowDown")
    assert page.evaluate("document.querySelector('output').value") == "0 of 14 hosts"
    page.press("Enter")
    assert page.complaints == []


def test_a_finding_leads_to_its_host(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet)
    page.evaluate("document.querySelector('#findings tbody tr:last-child a').focus()")
    wanted = page.evaluate("document.activeElement.hash.slice(1)")
    page.press("Enter")
    assert page.evaluate("document.querySelector(':target').id") == wanted
    assert page.evaluate("document.querySelector(':target h3').firstChild.textContent.trim()") == wanted[len("host-") :]


def test_it_needs_no_script(browser: Browser, fleet: Path) -> None:
    page = browser.open(fleet, script=False)
    assert page.evaluate("document.querySelector('output').value") == ""
    assert (visible(page, "form"), visible(page, "section.h"), visible(page, "#hosts tbody tr")) == (0, 14, 13)


def test_no_text_of_others_runs(browser: Browser, hostile: Path) -> None:
    page = browser.open(hostile)
    assert page.evaluate("document.title").startswith("{{ 6 * 7 }}")
    assert page.requests == [hostile.as_uri()]
    assert page.complaints == []
    assert violations(page) == []
    # Nor would one run that got into the page.
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title = 1\">');"
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 2'}))"
    )
    assert page.evaluate("new Promise((done) => setTimeout(() => done(document.title), 0))").startswith("{{ 6 * 7 }}")
    assert {one["params"]["entry"]["source"] for one in page.complaints} == {"security"}
