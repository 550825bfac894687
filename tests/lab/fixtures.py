# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest plugin with the fixtures `lab` and `guest`: python -m pytest -p tests.lab.fixtures …"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator

import pytest

from .guest import Guest
from .lab import Lab


def worker(config: pytest.Config) -> str:
    """What this process of pytest-xdist is called."""
    name: str = getattr(config, "workerinput", {}).get("workerid", "main")
    return name


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The running machine of this pytest worker, which ends with it. LAB_SUITE chooses the Debian release."""
    with Lab(f"pytest-{worker(request.config)}", suite=os.environ.get("LAB_SUITE", "bookworm"), owned=True) as running:
        yield running


def untouched(lab: Lab) -> Guest:
    """The inside of a machine, with guest and disks untouched."""
    if lab.used:
        lab.reset()
    # Handed out is used: Ansible comes by way of the inventory, where nobody counts.
    lab.used = True
    return lab.guest


def warm_up(lab: Lab) -> None:
    """Have resets go back to after tasks of Ansible, when its Python is loaded and has what most tasks need."""
    untouched(lab)
    for task in (["strata.storage.layout_info"], ["ansible.builtin.setup", "--args", "gather_subset=distribution"]):
        command = ["ansible", "--inventory", str(lab.inventory_path), "lab", "--module-name", *task]
        subprocess.run(command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, check=True, capture_output=True)
    lab.save("warm", start=True)


@pytest.fixture
def guest(lab: Lab) -> Guest:
    """The inside of the machine, with guest and disks untouched. A test of Ansible asks for it too, to have that."""
    return untouched(lab)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the guest looks like to the report of a failed test."""
    report = yield
    for running in getattr(item, "funcargs", {}).values() if report.failed else ():
        if isinstance(running, Lab):
            report.sections.append(("lab", running.evidence()))
    return report
