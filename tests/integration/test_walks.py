# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories of hosts: those that once broke something, by name, and a few by chance, the same in each run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.__main__ import Labs, walk

WALKS = Path(__file__).resolve().parents[1] / "fuzz" / "walks"
SEEDS = range(4)

pytestmark = pytest.mark.records_writes


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    with Labs(f"walks-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}") as labs:
        yield labs


@pytest.mark.parametrize("name", sorted(path.stem for path in WALKS.iterdir()))
@pytest.mark.further
def test_again(labs: Labs, name: str) -> None:
    events = json.loads((WALKS / f"{name}.json").read_text())["events"]
    labs.world().replay([(event, words) for event, words in events])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.first_case
def test_by_chance(labs: Labs, seed: int) -> None:
    error = walk(labs, seed, walks=1)
    assert error is None, str(error)
