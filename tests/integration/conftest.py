# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each test gets a guest with untouched disks and the modules on it."""

from __future__ import annotations

import pytest

from tests.lab import Guest, Lab
from tests.lab.fixtures import untouched, warm_up

from .node import WITH_MODULES, Node

LONGEST = ("on_debian_13", "test_the_demo", "test_power_cut", "test_awx")
MARKS = {
    "further": "is one more of its kind: make test leaves it to make integration",
    "first_case": "is further in all of its cases but the first",
}


def pytest_configure(config: pytest.Config) -> None:
    for mark, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first, so that no worker waits for them in the end; say which cases are further ones."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))
    known: set[str] = set()
    for item in items:
        if item.get_closest_marker("first_case"):
            test = item.nodeid.partition("[")[0]
            if test in known:
                item.add_marker("further")
            known.add(test)


class Nodes:
    """The guests that have the modules, which is what most tests of this session start from."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def untouched(self, lab: Lab) -> Node:
        """The guest of a lab with the modules on it, and nothing else done to it."""
        if lab.name not in self._nodes:
            untouched(lab)
            node = Node(lab)
            node.install()
            lab.save(WITH_MODULES)
            self._nodes[lab.name] = node
        lab.reset(WITH_MODULES)
        return self._nodes[lab.name]


@pytest.fixture(scope="session")
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def guest(lab: Lab) -> Guest:
    """The inside of the machine, with guest and disks untouched."""
    warm_up(lab)
    return untouched(lab)


@pytest.fixture
def node(lab: Lab, nodes: Nodes) -> Node:
    return nodes.untouched(lab)
