# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real cluster for each worker, and a pool of it, and a database, for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ceph import Cluster
from tests.integration.on_ceph.client import Server

from .client import PACKAGES, Backend, libraries, python

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return libraries(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="session")
def server(known: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("cinder"), python(), known, PACKAGES) as running:
        yield running


@pytest.fixture
def backend(cluster: Cluster, server: Server, known: dict[str, str], tmp_path: Path) -> Backend:
    pool = f"volumes{next(_NUMBERS)}"
    cluster.pool(pool)
    return Backend(cluster, server, known, pool, tmp_path / "state")
