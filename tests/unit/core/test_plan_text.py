# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as people read them."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.core.plan import Step, dump_steps
from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import draw


def step(verb: str, kind: str, name: str, *destroys: str) -> Step:
    return Step(verb, kind, name, "so", (), destroys=destroys)


def test_items_are_counted_and_not_their_steps() -> None:
    steps = (
        step("create", "raid", "md0"),
        step("inspect", "raid", "md0"),
        step("remove", "volume", "data/old", "data/old: xfs", "data/old: a snapshot"),
        step("remove", "volume", "data/new"),
        step("create", "volume", "data/new"),
        step("format", "volume", "data/new"),
        step("mount", "volume", "data/other"),
    )
    lines = draw("nas042", {"plan": dump_steps(steps), "pending": ["the array grows"]}, ("The end.",)).splitlines()
    assert lines[0] == "nas042: 7 steps, DESTROYS 1"
    assert lines[3:6] == [
        "!  3  remove volume data/old: so",
        "!     DESTROYS data/old: xfs",
        "!     DESTROYS data/old: a snapshot",
    ]
    assert lines[-3:] == [
        "      later: the array grows",
        "Plan: 2 to create, 1 to change, 1 to remove, 1 to destroy.",
        "The end.",
    ]
