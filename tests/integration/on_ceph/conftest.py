# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real cluster for each worker, and a namespace of it for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.ceph import Cluster

from .client import Client, Server

_NUMBERS = itertools.count()


def in_a_namespace(cluster: Cluster, server: Server) -> Client:
    """A place of its own in a cluster."""
    namespace = f"test{next(_NUMBERS)}"
    cluster.run("rbd", "namespace", "create", f"rbd/{namespace}")
    return Client(cluster, server, namespace)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("rbd")) as running:
        yield running


@pytest.fixture
def ceph(cluster: Cluster, server: Server) -> Client:
    return in_a_namespace(cluster, server)
