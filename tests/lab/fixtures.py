# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest plugin with the fixtures `lab` and `guest`: python -m pytest -p tests.lab.fixtures …

A test that needs what only QEMU has says so by a mark, and has a lab in QEMU then; the others have whichever there is.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Generator, Iterator

import pytest

from . import image, kinds
from .errors import LabError
from .guest import Guest
from .hardware import Hardware
from .lab import Lab
from .machine import READY

QEMU_ONLY = {
    "volatile": "cuts the power with what was not flushed lost",
    "debian_kernel": "is to be seen on Debian's own kernel",
}
USER_MODE_ONLY = {
    "records_writes": "has all writes to all disks recorded",
    "sees_this_machine": "has a directory of this machine mounted",
}
SUITE = os.environ.get("LAB_SUITE", "bookworm")


def pytest_configure(config: pytest.Config) -> None:
    for machine, marks in (("QEMU", QEMU_ONLY), ("user mode", USER_MODE_ONLY)):
        for mark, meaning in marks.items():
            config.addinivalue_line("markers", f"{mark}: {meaning}, and is run in {machine}")


def pytest_report_header() -> list[str]:
    """Say which machine the tests are run on, for which it is looked up or made here, and what cannot be."""
    try:
        said = kinds.machine(None, image.ensure(SUITE), Hardware()).describe()
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    lines, reason = [f"lab: {said}"], why_uml_fails()
    return [*lines, f"NOT RUN: what only a machine in user mode can show: {reason}"] if reason else lines


@functools.cache
def why_uml_fails() -> str:
    """Ask that once: without a mirror, each time would wait for one."""
    return kinds.why_uml_fails(image.ensure(SUITE))


@functools.cache
def default_kind() -> str:
    """The kind of machine of a test that does not ask for one."""
    return kinds.choose(image.ensure(SUITE))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have one worker run all that needs QEMU, so that one worker starts it; leave out what cannot be run here."""
    recorded = [item for item in items if kind_of(item) == "uml"]
    if recorded and why_uml_fails():
        config.hook.pytest_deselected(items=recorded)
        items[:] = [item for item in items if item not in recorded]
    for item in items:
        if kind_of(item) == "qemu" and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("qemu"))


def kind_of(item: pytest.Item) -> str | None:
    """The kind of machine that a test asks for; None if it takes any."""
    for kind, marks in (("qemu", QEMU_ONLY), ("uml", USER_MODE_ONLY)):
        if any(item.get_closest_marker(mark) for mark in marks):
            return kind
    return None


def worker(config: pytest.Config) -> str:
    """What this process of pytest-xdist is called."""
    name: str = getattr(config, "workerinput", {}).get("workerid", "main")
    return name


class Labs:
    """The machines of a pytest worker, which end with it: one of each kind that a test has asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._running: dict[str, Lab] = {}

    def get(self, kind: str | None = None) -> Lab:
        """The running machine of a kind, or of whichever kind is to be here."""
        kind = kind or default_kind()
        if kind not in self._running:
            lab = Lab(f"pytest-{self.name}-{kind}", suite=SUITE, kind=kind, owned=True)
            self._running[kind] = lab.__enter__()
        return self._running[kind]

    def down(self) -> None:
        for lab in self._running.values():
            lab.down()


@pytest.fixture(scope="session")
def labs(request: pytest.FixtureRequest) -> Iterator[Labs]:
    """The machines of this pytest worker. LAB_SUITE chooses the Debian release."""
    running = Labs(worker(request.config))
    yield running
    running.down()


@pytest.fixture
def lab(request: pytest.FixtureRequest, labs: Labs) -> Lab:
    """The running machine that a test asks for."""
    return labs.get(kind_of(request.node))


def untouched(lab: Lab) -> Guest:
    """The inside of a machine, with guest and disks untouched."""
    if lab.used:
        lab.reset()
    # Handed out is used: Ansible comes by way of the inventory, where nobody counts.
    lab.used = True
    return lab.guest


def warm_up(lab: Lab) -> None:
    """Have resets go back to after tasks of Ansible, when its Python is loaded and has what most tasks need.

    Only emulation needs that, and only a snapshot of a machine that runs can keep it.
    """
    if lab.start != READY or not lab.snapshots:
        return
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
