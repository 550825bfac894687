# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each test gets a guest with untouched disks and the modules on it."""

from __future__ import annotations

import pytest

from tests.lab import Guest, Lab
from tests.lab.fixtures import untouched, warm_up

from .node import Node

WITH_MODULES = "with-modules"
LONGEST = ("test_power_cut", "on_debian_13", "test_the_demo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first, so that no worker waits for them in the end."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))


@pytest.fixture(scope="session")
def warm(lab: Lab) -> None:
    """The lab that tests of Ansible have is warm."""
    warm_up(lab)


@pytest.fixture
def guest(lab: Lab, warm: None) -> Guest:
    """The inside of the machine, with guest and disks untouched."""
    return untouched(lab)


@pytest.fixture(scope="session")
def equipped(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The guest once it has the modules: what the tests of this session start from."""
    untouched(lab)
    node = Node(lab)
    node.install(tmp_path_factory.mktemp("modules"))
    lab.save(WITH_MODULES)
    return node


@pytest.fixture
def node(equipped: Node) -> Node:
    equipped.lab.reset(WITH_MODULES)
    return equipped
