# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile text on its way to a terminal: it stands there as text, in its own line."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError, sentence
from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import draw as draw_plan
from ansible_collections.strata.storage.plugins.module_utils.core.text import printable
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw as draw_tree

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
