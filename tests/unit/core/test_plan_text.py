# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as people read them."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.plan import Step, dump_steps
from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import draw


def step(verb: str, kind: str, name: str, *destroys: str) -> Step:
    return Step(verb, kind, name, "so", (), destroys=destroys)


def totals(*steps: str) -> str:
    """The last line, for steps such as ``stop raid md0: so``."""
    plan = []
    for said in steps:
        what, _, detail = said.partition(": ")
        verb, kind, name = what.split(" ", 2)
        plan.append(Step(verb, kind, name, detail, ()))
    return draw("nas042", {"plan": dump_steps(tuple(plan))}).splitlines()[-1]


@pytest.mark.parametrize(
    "steps",
    [
        ("stop raid md0: /dev/md0", "zero raid md0: its superblock on /dev/sda", "persist raid md0: no ARRAY line"),
        ("zero raid md0: its superblock on /dev/sda", "persist raid md0: no ARRAY line"),
        ("remove raid md0: RAID 1 over sda sdb",),
        (
            "erase luks vault: its keyslots",
            "wipe luks vault: its header",
            "remove luks vault: the backup of its header",
        ),
        ("detach bcache b: x", "stop bcache b: x", "wipe bcache b: x", "unregister bcache b: x"),
        ("remove bcache b: x",),
        ("delete volume db: 1 GiB",),
        ("wipe volume data/a: xfs", "remove volume data/a: logical volume"),
    ],
)
def test_an_item_that_goes_is_counted_as_removed(steps: tuple[str, ...]) -> None:
    assert totals(*steps) == "Plan: 0 to create, 0 to change, 1 to remove, 0 to destroy."


@pytest.mark.parametrize(
    "steps",
    [
        ("remove raid r5: /dev/sdc, which is not wanted", "zero raid r5: its superblock on /dev/sdc"),
        ("remove raid r5: /dev/sdc, which is faulty",),
        ("stop raid r5: /dev/md127", "persist raid r5: one ARRAY line for /dev/md/r5"),
        ("remove luks vault: its keyslot 1",),
        ("detach bcache b: x", "unregister bcache b: x", "wipe bcache b: its cache"),
    ],
)
def test_an_item_that_loses_a_part_is_counted_as_changed(steps: tuple[str, ...]) -> None:
    assert totals(*steps) == "Plan: 0 to create, 1 to change, 0 to remove, 0 to destroy."


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
