# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each test gets a guest with untouched disks and the modules on it."""

from __future__ import annotations

import pytest

from tests.lab import Lab

from .node import Node

WITH_MODULES = "with-modules"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest test first, so that no worker waits for it in the end."""
    items.sort(key=lambda item: "test_power_cut" not in item.nodeid)


@pytest.fixture(scope="session")
def equipped(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The guest once it has the modules: what the tests of this session start from."""
    if lab.used:
        lab.reset()
    node = Node(lab)
    node.install(tmp_path_factory.mktemp("modules"))
    lab.save(WITH_MODULES)
    return node


@pytest.fixture
def node(equipped: Node) -> Node:
    equipped.lab.reset(WITH_MODULES)
    return equipped
