# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample of the crash matrix (`make crash-matrix`): changes that a power cut interrupts, and two tasks at once."""

from __future__ import annotations

import pytest

from tests.crash.interrupt import Crash
from tests.crash.operations import OPERATIONS
from tests.crash.writes import Recorded

from .node import Node


def crash(node: Node, name: str) -> Crash:
    (operation,) = [operation for operation in OPERATIONS if operation.name == name]
    made = Crash(node, operation)
    made.prepare()
    return made


@pytest.mark.parametrize(
    ("name", "step", "mode"),
    [
        pytest.param("drive: create", 4, "volatile", marks=pytest.mark.volatile),
        pytest.param("raid: a failed member replaced", 1, "ordered", marks=pytest.mark.debian_kernel),
        ("bcache: another cache", 3, "ordered"),
        ("drive: ext4 shrinks", 3, "ordered"),
        ("layout: a whole stack", 9, "ordered"),
        ("layout: a whole stack", 30, "ordered"),
        ("elastic: replaced by a smaller volume", 4, "ordered"),
    ],
)
@pytest.mark.first_case
def test_after_a_step(node: Node, name: str, step: int, mode: str) -> None:
    crash(node, name).after(step, mode)


@pytest.mark.further
@pytest.mark.parametrize(("name", "mode"), [("drive: a device less", "ordered")])
def test_in_the_midst(node: Node, name: str, mode: str) -> None:
    crash(node, name).within(mode)


@pytest.mark.records_writes
@pytest.mark.parametrize(
    ("name", "flushes", "others"),
    [
        ("raid: remove", 2, 0),
        ("raid: create", 4, 1),
        # mkfs.xfs alone is some hundred writes, and most of them leave what looks like an xfs.
        ("drive: create xfs", 4, 1),
        ("drive: ext4 shrinks", 3, 1),
    ],
)
@pytest.mark.first_case
def test_at_some_of_its_writes(node: Node, name: str, flushes: int, others: int) -> None:
    recorded = Recorded(crash(node, name))
    assert list(recorded.failures(recorded.places(flushes, others, seed=1))) == []


def test_two_tasks_at_once(node: Node) -> None:
    crash(node, "drive: create").two()
