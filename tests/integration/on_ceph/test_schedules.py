# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster's manager does at intervals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.integration.modules import ModuleFailed

from .client import Client, Server

#: Where Debian has the manager's.
_MODULES = "/usr/share/ceph/mgr"


@pytest.fixture(scope="module")
def managed(server: Server) -> Iterator[Client]:
    with Cluster(size=256 << 20, manager=True) as cluster:
        yield Client(cluster, server, "")


@pytest.mark.parametrize(
    ("module", "option", "result"),
    [("rbd_mirror_pool", "schedules", "mirroring"), ("rbd_pool", "trash_purge_schedules", "pool")],
)
@pytest.mark.further
def test_schedules(managed: Client, module: str, option: str, result: str) -> None:
    more: dict[str, Any] = {"mode": "image"} if module == "rbd_mirror_pool" else {}
    managed.module(module, **more)
    wanted = [{"interval": "60m"}, {"interval": "1d", "start_time": "14:00"}]
    made = managed.converge(module, **{option: wanted})
    assert [step["action"] for step in made["plan"]] == ["schedule", "schedule"]
    # As the manager writes them; and what is told is what can be given.
    told = [{"interval": "1h", "start_time": None}, {"interval": "1d", "start_time": "14:00:00"}]
    assert made[result][option] == told
    managed.unchanged(module, **{option: told})
    managed.unchanged(module, **more)
    changed = managed.converge(module, **{option: [{"interval": "90"}, wanted[1]]})
    assert [step["detail"].partition(" each ")[2] for step in changed["plan"]] == ["90m", "1h"]
    managed.converge(module, **{option: []})
    for bad, said in (
        ({"interval": "often"}, "interval 'often' is none"),
        ({"interval": "0m"}, "interval '0m' is none"),
        ({"interval": "1h", "start_time": "noon"}, "start_time 'noon' is no time"),
    ):
        assert said in managed.refusal(module, **{option: [bad]})


@pytest.mark.further
def test_of_a_namespace(managed: Client) -> None:
    managed.module("rbd_namespace", name="tenant")
    words: dict[str, Any] = {"namespace": "tenant", "schedules": [{"interval": "1h"}]}
    assert "needs its mirroring" in managed.refusal("rbd_mirror_pool", **words)
    managed.unchanged("rbd_mirror_pool", namespace="tenant", schedules=[])
    managed.converge("rbd_mirror_pool", mode="image", **words)
    managed.converge("rbd_mirror_pool", namespace="tenant", schedules=[])


@pytest.mark.further
def test_a_manager_that_does_not_serve_rbd(server: Server) -> None:
    """As Debian 13's, which cannot load its modules."""
    with Cluster(size=256 << 20) as cluster:
        modules = cluster.home / "modules"
        modules.mkdir()
        for name in cluster.run("ls", _MODULES).split():
            if name != "rbd_support":
                (modules / name).symlink_to(f"{_MODULES}/{name}")
        with cluster.conf.open("a") as conf:
            conf.write(f"[mgr]\nmgr_module_path = {modules}\n")
        cluster.start("mgr")
        cluster.until_managed()
        said = Client(cluster, server, "").refusal("rbd_pool", trash_purge_schedules=[])
    assert "it has not loaded its module rbd_support; `ceph health detail` says why" in said


def test_without_a_manager(ceph: Client) -> None:
    with pytest.raises(ModuleFailed, match="is the cluster's ceph-mgr up") as failed:
        ceph.module("rbd_pool", trash_purge_schedules=[], connect_timeout=2)
    assert not failed.value.result["changed"]
