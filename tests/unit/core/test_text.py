# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile text on its way to a terminal: it stands there as text, in its own line."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.callback.plan import Planned, lines
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError, sentence
from ansible_collections.strata.storage.plugins.module_utils.core.faults import Faults
from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import draw as draw_plan
from ansible_collections.strata.storage.plugins.module_utils.core.text import printable
from ansible_collections.strata.storage.plugins.module_utils.document.document import parse
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw as draw_tree
from tests.hostile import TEXTS

HOSTILE = "\x1b[2J\u202eevil\nPlan: 0 to destroy.\r\x07"
SHOWN = "\\x1b[2J\\u202eevil\\nPlan: 0 to destroy.\\r\\x07"


def test_what_people_write_stays() -> None:
    assert printable("Größe 10 GiB, 日本語, └─ <script> {{ 7 * 7 }}") == "Größe 10 GiB, 日本語, └─ <script> {{ 7 * 7 }}"
    assert printable(HOSTILE) == SHOWN


def test_in_a_plan() -> None:
    step = {"action": "wipe", "kind": "device", "name": HOSTILE, "detail": HOSTILE, "destroys": [HOSTILE]}
    said = draw_plan(HOSTILE, {"plan": [step], "pending": [HOSTILE]})
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said.splitlines()) == 5
    assert said.count(SHOWN) == 5
    assert [line for line in said.splitlines() if line.startswith("Plan: ")] == [
        "Plan: 0 to create, 1 to change, 0 to remove, 1 to destroy."
    ]


def test_in_a_tree() -> None:
    branch = {"name": HOSTILE, "type": "disk", "size": 1 << 30, "holds": HOSTILE, "mount_points": [HOSTILE]}
    said = draw_tree([{**branch, "health": [HOSTILE], "options": [HOSTILE]}])
    (line,) = said.splitlines()
    assert line.isprintable()
    assert line.count(SHOWN) == 5


def test_in_an_error() -> None:
    """A program's own lines stay lines."""
    assert sentence(StorageError(f"{HOSTILE}")) == SHOWN.replace("\\n", "\n")


def is_shown(lines: list[str]) -> bool:
    """Whether nothing in lines moves a cursor, makes another line, or turns what follows."""
    return all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", TEXTS)
def test_each_output_keeps_its_lines(text: str) -> None:
    step = {"action": "wipe", "kind": "device", "name": text, "detail": text, "destroys": [text]}
    result = {"plan": [step], "in_progress": [text]}
    plan = draw_plan("node", result).split("\n")
    assert (len(plan), is_shown(plan)) == (6, True)
    branch = {"name": text, "type": "disk", "size": 1 << 30, "holds": text, "mount_points": [text], "health": [text]}
    tree = draw_tree([{**branch, "children": [branch]}]).split("\n")
    assert (len(tree), is_shown(tree)) == (3, True)
    folded = [printable(line) for line in lines([Planned(text, result), Planned("node", result)])]
    assert is_shown(folded)
    assert [line for line in folded if line.startswith("Plan: ")] == [
        "Plan: 0 to create, 1 to change, 0 to remove, 1 to destroy."
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_each_error_keeps_its_lines(text: str) -> None:
    faults = Faults()
    for place in (f"raids[0] {text}", ""):
        faults.add(StorageError(f"array {text}: wrong"), place)
    with pytest.raises(StorageError) as caught:
        faults.check()
    said = sentence(caught.value).split("\n")
    assert (len(said), is_shown(said)) == (3, True)
    with pytest.raises(StorageError) as caught:
        parse({"raids": [{"name": text or "/"}, {"name": "b", "uuid": text}], "filesystems": [{"device": text}]})
    assert is_shown(sentence(caught.value).split("\n"))
