# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of backends, and of several in one database."""

from __future__ import annotations

import copy

import pytest

from .client import Backend


@pytest.mark.further
def test_figures_and_options(backend: Backend) -> None:
    told = backend.module("cinder_backend_info", gather=["stats", "options"], refresh=True)
    assert told["stats"]["storage_protocol"] == "ceph"
    assert [pool["pool_name"] for pool in told["stats"]["pools"]] == told["pools"] == ["ceph"]
    assert told["configuration"]["rbd_pool"] == backend.pool
    options = {option["name"]: option for option in told["options"]}
    assert {name: options[name]["secret"] for name in ("rbd_pool", "chap_password", "replication_device")} == {
        "rbd_pool": False,
        "chap_password": True,
        "replication_device": True,
    }
    assert (options["rbd_pool"]["default"], options["rbd_max_clone_depth"]["type"]) == ("rbd", "Integer")
    # Nobody had a database, and reading makes none.
    assert backend.files() == {}


@pytest.mark.further
def test_two_backends_in_one_database(backend: Backend) -> None:
    """Also where the name of one, taken for a pattern of SQL, is that of the other."""
    given = backend.given()
    other = copy.deepcopy(given)
    given["backend"]["name"], other["backend"]["name"] = "a_b", "axb"
    other["backend"]["options"]["rbd_pool"] = f"{backend.pool}-other"
    backend.cluster.pool(f"{backend.pool}-other")
    ids = set()
    for words in (given, other):
        made = backend.module("cinder_volume", name="db", size="1G", **words)
        assert made["changed"]
        ids.add(made["volume"]["id"])
    assert len(ids) == 2
    for words in (given, other):
        assert len(backend.module("cinder_backend_info", **words)["volumes"]) == 1
        backend.unchanged("cinder_volume", name="db", size="1G", **words)
