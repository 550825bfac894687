# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What librbd or the cluster would refuse is known before anything is done, and check mode knows it too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph import Cluster

from .client import OPEN, Client, Server
from .conftest import in_a_namespace

_MIRROR = f"""{OPEN}
mode = getattr(rbd, "RBD_MIRROR_IMAGE_MODE_" + sys.argv[4])
cluster_pool = cluster.open_ioctx("rbd")
rbd.RBD().mirror_mode_set(cluster_pool, rbd.RBD_MIRROR_MODE_IMAGE)
rbd.RBD().mirror_mode_set(pool, rbd.RBD_MIRROR_MODE_IMAGE)
with rbd.Image(pool, sys.argv[3]) as image:
    image.mirror_image_enable(mode)
    if sys.argv[5] == "demoted":
        image.mirror_image_demote()
"""


@pytest.fixture(scope="module")
def wide(server: Server) -> Iterator[Cluster]:
    """A cluster that can have an erasure-coded pool."""
    with Cluster("bluestore", size=1 << 30, osds=3) as cluster:
        yield cluster


def test_the_data_pool_is_the_pool_itself(ceph: Client) -> None:
    """librbd makes no difference between that and none."""
    made = ceph.converge("rbd_image", name="one", size="8M", data_pool="rbd")
    assert made["image"]["data_pool"] is None
    ceph.cluster.pool("apart")
    assert "its data_pool is rbd, and apart is wanted" in ceph.refusal("rbd_image", name="one", data_pool="apart")


@pytest.mark.further
def test_erasure_coded_pools(wide: Cluster, server: Server) -> None:
    """One that only takes whole objects is of no use to RBD; one that can be overwritten is a data pool."""
    ceph = in_a_namespace(wide, server)
    profile = ("osd", "erasure-code-profile", "set", "single", "k=2", "m=1", "crush-failure-domain=osd")
    ceph.cluster.ceph(*profile)
    for name in ("bad", "good"):
        ceph.cluster.ceph("osd", "pool", "create", name, "1", "erasure", "single")
    ceph.cluster.ceph("osd", "pool", "set", "good", "allow_ec_overwrites", "true")
    for _run in range(2):
        assert "only takes whole objects" in ceph.refusal("rbd_pool", pool="bad")
    for pool in ("bad", "good"):
        assert "cannot hold the header of an image" in ceph.refusal(
            "rbd_image", pool=pool, namespace="", name="one", size="8M"
        )
    assert "only takes whole objects" in ceph.refusal("rbd_image", name="one", size="8M", data_pool="bad")
    ceph.converge("rbd_pool", pool="good")
    assert ceph.converge("rbd_image", name="one", size="8M", data_pool="good")["image"]["data_pool"] == "good"


def test_a_clone_is_told_with_what_it_inherits(ceph: Client) -> None:
    """Metadata, settings and the size of objects."""
    words: dict[str, Any] = {"metadata": {"a": "1", "b": "2"}, "config": {"rbd_cache": False, "rbd_qos_iops_limit": 9}}
    layout: dict[str, Any] = {"object_size": "8M", "features": ["layering", "exclusive-lock", "journaling"]}
    ceph.module("rbd_image", name="base", size="16M", **layout, **words)
    ceph.module("rbd_snapshot", image="base", name="s")
    parent = {"image": "base", "snapshot": "s"}
    cloned = ceph.converge(
        "rbd_image", name="clone", parent=parent, metadata={"a": None, "c": "3"}, config={"rbd_cache": None}
    )
    assert cloned["image"]["metadata"] == {"b": "2", "c": "3"}
    assert cloned["image"]["config"] == {"rbd_qos_iops_limit": "9"}
    assert cloned["image"]["object_size"] == 8 << 20
    assert cloned["image"]["features"] == ["exclusive-lock", "journaling", "layering"]
    # What every new image has is what this one is to have, and its parent has not.
    usual = ["layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"]
    other = ceph.converge("rbd_image", name="other", parent=parent, features=usual)
    assert other["image"]["features"] == sorted(usual)
    assert f"cannot be smaller than those of rbd/{ceph.namespace}/base@s, 8 MiB" in ceph.refusal(
        "rbd_image", name="small", parent=parent, object_size="4M"
    )


def test_values_of_settings(ceph: Client) -> None:
    for key, value, expected in (
        ("rbd_qos_iops_limit", "abc", "of type uint"),
        ("rbd_qos_iops_limit", 10**30, "of type uint"),
        ("rbd_cache", "maybe", "of type bool"),
        ("rbd_cache_policy", "none", "one of writethrough writeback writearound"),
        ("rbd_journal_order", 99, "from 12 to 26"),
    ):
        for module, which in (("rbd_image", {"name": "one", "size": "8M"}), ("rbd_pool", {"pool": "rbd"})):
            said = ceph.refusal(module, config={key: value}, **which)
            assert f"config {key}: librbd does not take '{value}'" in said
            assert expected in said
    # Who may not ask the monitors what a setting takes is told that the value is wrong all the same.
    assert "librbd does not take 'abc'" in ceph.refusal(
        "rbd_image", name="one", size="8M", config={"rbd_qos_iops_limit": "abc"}, client="reader"
    )
    assert ceph.rbd("ls") == []
    ceph.converge("rbd_image", name="one", size="8M", config={"rbd_qos_bps_limit": "10M"})


@pytest.mark.further
def test_numbers_beyond_what_librbd_keeps(ceph: Client) -> None:
    huge = 10**30
    numbers: tuple[dict[str, Any], ...] = (
        {"size": huge},
        {"size": 1 << 63},
        {"size": "8E"},
        {"size": "8M", "snapshot_limit": huge},
        {"size": "8M", "stripe_unit": "64K", "stripe_count": huge},
        {"size": "8M", "stripe_unit": huge, "stripe_count": 2},
        {"size": "8M", "object_size": huge},
        {"size": "8M", "order": huge},
        {"size": "8M", "delay": huge},
        {"size": "8M", "delay": 1 << 40},
        {"size": "8M", "connect_timeout": huge},
        {"size": "8M", "operation_timeout": huge},
        # Fits into 64 bits, and not into an object map.
        {"size": "2P"},
    )
    for words in numbers:
        print(words)
        said = ceph.refusal("rbd_image", name="one", **words)
        assert "Error" not in said
        assert "unexpected" not in said
    assert ceph.rbd("ls") == []
    ceph.converge("rbd_image", name="one", size="2P", features=["layering", "exclusive-lock"])
    ceph.converge("rbd_image", name="one", delay=(1 << 31) - 1, state="trashed")
    assert ceph.module("rbd_info")["trash"][0]["until"] > 1 << 31
    assert "expired_before" in ceph.refusal("rbd_trash", expired_before="99999-01-01", state="purged")


@pytest.mark.further
def test_limits_of_snapshots(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M", snapshot_limit=2)
    ceph.module("rbd_group", name="all", images=["one"], snapshots=[{"name": "g"}])
    ceph.module("rbd_snapshot", image="one", name="a")
    said = "image one has 2 snapshots, and its snapshot_limit is 2"
    assert said in ceph.refusal("rbd_snapshot", image="one", name="b")
    assert said in ceph.refusal("rbd_group", name="all", snapshots=[{"name": "h"}])
    assert "has 2 snapshots, and its snapshot_limit is 1" in ceph.refusal("rbd_image", name="one", snapshot_limit=1)
    ceph.converge("rbd_image", name="one", snapshot_limit=3)
    ceph.converge("rbd_snapshot", image="one", name="b")


def test_deep_flatten_is_not_taken_away_by_the_way(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    assert "cannot be put back once it is taken away" in ceph.refusal("rbd_image", name="one", features=["layering"])
    less = ceph.converge("rbd_image", name="one", features=["layering"], allow_destroy=True)
    assert less["plan"][0]["destroys"] == ["one: feature deep-flatten, for good"]


@pytest.mark.further
@pytest.mark.parametrize("mode", ["SNAPSHOT", "JOURNAL"])
@pytest.mark.first_case
def test_a_copy_is_only_changed_by_mirroring(ceph: Client, mode: str) -> None:
    for name in ("copy", "primary"):
        ceph.module("rbd_image", name=name, size="8M", features=["layering", "exclusive-lock"])
        ceph.module("rbd_snapshot", image=name, name="before")
    ceph.module("rbd_group", name="all", images=["copy"])
    for name, role in (("copy", "demoted"), ("primary", "kept")):
        ceph.python(_MIRROR, name, mode, role)
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("rbd_image", {"name": "copy", "size": "16M"}),
        ("rbd_image", {"name": "copy", "metadata": {"a": "b"}}),
        ("rbd_image", {"name": "copy", "config": {"rbd_cache": False}}),
        ("rbd_image", {"name": "copy", "snapshot_limit": 7}),
        ("rbd_image", {"name": "new", "renamed_from": "copy"}),
        ("rbd_image", {"name": "copy", "state": "absent", "purge_snapshots": True}),
        ("rbd_image", {"name": "copy", "state": "trashed"}),
        ("rbd_snapshot", {"image": "copy", "name": "a"}),
        ("rbd_snapshot", {"image": "copy", "name": "before", "state": "absent"}),
        ("rbd_snapshot", {"image": "copy", "name": "before", "protected": True}),
        ("rbd_snapshot", {"image": "copy", "name": "before", "state": "rolled_back_to", "allow_destroy": True}),
        ("rbd_group", {"name": "all", "snapshots": [{"name": "g"}]}),
    )
    for module, words in changes:
        print(module, words)
        assert "a copy that mirroring keeps" in ceph.refusal(module, **words)
    ceph.unchanged("rbd_image", name="copy", size="8M")
    ceph.converge("rbd_image", name="primary", size="16M", metadata={"a": "b"})
    if mode == "JOURNAL":
        less: tuple[dict[str, Any], ...] = ({"journaling": False}, {"features": ["layering", "exclusive-lock"]})
        for words in less:
            assert "it is mirrored by its journal" in ceph.refusal("rbd_image", name="primary", **words)
    said = ceph.refusal("rbd_image", name="primary", state="absent", purge_snapshots=True)
    assert "deletes its copy on the peer" in said
