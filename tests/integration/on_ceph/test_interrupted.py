# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that was killed, and then runs again: it converges, and loses nothing. On BlueStore, which keeps data."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph import Cluster

from .client import Client, Server
from .conftest import in_a_namespace

#: Runs a module's plan up to a step, or up to where a call says that it is on its way (-1), and is killed there.
_PARTLY = """
import importlib, json, os, signal, sys
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.rbd import connection, modules, options
from ansible_collections.strata.storage.plugins.module_utils.rbd.perform import handlers
def die(*_said):
    os.kill(os.getpid(), signal.SIGKILL)
kind, count, given = sys.argv[3], int(sys.argv[4]), json.loads(sys.argv[5])
spec = (options if kind == "image" else importlib.import_module(f"{options.__package__}.{kind}")).OPTIONS
given.update(conf=sys.argv[1], namespace=sys.argv[2])
params = ArgumentSpecValidator({**options.CONNECTION, **spec}).validate(given).validated_parameters
work = getattr(modules, kind)(params)
with connection.connected(params) as opened:
    plan = work.plan(work.read(opened))
    steps = plan.steps if count < 0 else plan.steps[:count]
    execute(steps, handlers(opened, die if count < 0 else print))
    print(len(plan.steps), flush=True)
    die()
"""


@pytest.fixture(scope="module")
def kept(server: Server) -> Iterator[Cluster]:
    with Cluster("bluestore") as cluster:
        yield cluster


@pytest.fixture
def ceph(kept: Cluster, server: Server) -> Client:
    return in_a_namespace(kept, server)


def killed(ceph: Client, kind: str, count: int, words: dict[str, Any]) -> int:
    """How many steps the whole plan has."""
    said = ceph.python(_PARTLY, kind, str(count), json.dumps(words), expect=-signal.SIGKILL)
    return int(said.splitlines()[-1]) if said else 0


def test_between_any_two_calls(ceph: Client) -> None:
    """Create, metadata, snapshot, protect, clone, group: each task killed after each of its steps."""
    parent = {"image": "base", "snapshot": "one"}
    tasks: list[tuple[str, dict[str, Any]]] = [
        ("image", {"name": "base", "size": "8M", "metadata": {"a": "1", "b": "2"}, "config": {"rbd_cache": False}}),
        ("snapshot", {"image": "base", "name": "one", "protected": True}),
        ("image", {"name": "copy", "parent": parent, "clone_format": 1, "size": "16M", "metadata": {"c": "3"}}),
        (
            "image",
            {"name": "renamed", "renamed_from": "copy", "flatten": True, "features": ["layering", "deep-flatten"]},
        ),
        ("group", {"name": "all", "images": ["base", "renamed"], "snapshots": [{"name": "s"}, {"name": "t"}]}),
        ("group", {"name": "all", "purge_snapshots": True, "state": "absent"}),
        ("image", {"name": "renamed", "state": "absent"}),
        ("snapshot", {"image": "base", "name": "one", "protected": False, "state": "absent"}),
        ("image", {"name": "base", "state": "trashed"}),
    ]
    seen = 0
    for kind, words in tasks:
        for count in itertools.count(1):
            total = killed(ceph, kind, 1, words)
            if total <= 1:
                break
            assert count < 20
            seen += 1
        ceph.module(f"rbd_{kind}", **words)
        ceph.unchanged(f"rbd_{kind}", **words)
    assert seen >= 15
    assert ceph.rbd("ls") == []


@pytest.mark.parametrize("what", ["flatten", "remove"])
@pytest.mark.first_case
def test_in_the_midst_of_a_call(ceph: Client, what: str) -> None:
    ceph.module("rbd_image", name="base", size="256M")
    ceph.cluster.run(
        "rbd", "bench", f"rbd/{ceph.namespace}/base", "--io-type", "write", "--io-size", "4M", "--io-total", "256M"
    )
    ceph.write("base", "kept")
    if what == "flatten":
        ceph.module("rbd_snapshot", image="base", name="one")
        words: dict[str, Any] = {"name": "copy", "parent": {"image": "base", "snapshot": "one"}}
        ceph.module("rbd_image", **words)
        words["flatten"] = True
    else:
        words = {"name": "base", "state": "absent"}
    assert killed(ceph, "image", -1, words) == 0
    if what == "flatten":
        ceph.converge("rbd_image", **words)
        assert ceph.data("copy", 4) == "kept"
        ceph.until_closed("copy")
        ceph.module("rbd_image", name="copy", state="absent")
        ceph.module("rbd_image", name="base", purge_snapshots=True, state="absent")
    else:
        # librbd still lists what it can no longer open, and whoever removed it counts until its watch expires.
        assert "it is open on" in ceph.refusal("rbd_image", **words)
        assert "a removal of it was cut off" in ceph.refusal("rbd_image", name="base", size="8M")
        assert ceph.module("rbd_info")["missing"] == ["base: its removal was cut off"]
        ceph.until_planned("rbd_image", **words)
        ceph.converge("rbd_image", **words)
    assert ceph.rbd("ls") == []
    assert ceph.module("rbd_info")["trash"] == []


@pytest.mark.further
def test_a_removal_from_the_trash_that_was_cut_off(ceph: Client) -> None:
    """What is left of it is no image, and keeps nobody from purging the others."""
    for name in ("big", "small"):
        ceph.module("rbd_image", name=name, size="256M")
    ceph.cluster.run(
        "rbd", "bench", f"rbd/{ceph.namespace}/big", "--io-type", "write", "--io-size", "4M", "--io-total", "256M"
    )
    for name in ("big", "small"):
        ceph.module("rbd_image", name=name, state="trashed")
    assert killed(ceph, "trash", -1, {"name": "big", "state": "absent"}) == 0
    # Whoever removed it counts until its watch expires; the others do not wait for that.
    purged = ceph.module("rbd_trash", state="purged")
    assert [step["name"] for step in purged["plan"]] == ["small"]
    assert "big stays in the trash, with open on" in str(purged["warnings"])
    limit = time.monotonic() + 60
    while not ceph.module("rbd_trash", check=True, state="purged")["plan"]:
        assert time.monotonic() < limit
        time.sleep(0.2)
    gone = ceph.converge("rbd_trash", state="purged")
    assert gone["trash"] == []


@pytest.mark.further
def test_power_cut_of_the_cluster(ceph: Client) -> None:
    """What a task reported is there after the monitor and the OSD were killed at once."""
    words: dict[str, Any] = {"name": "one", "size": "8M", "metadata": {"a": "b"}}
    ceph.module("rbd_image", **words)
    ceph.write("one", "kept")
    ceph.module("rbd_snapshot", image="one", name="s", protected=True)
    for daemon in ("osd", "mon"):
        ceph.cluster.kill(daemon)
    for daemon in ("mon", "osd"):
        ceph.cluster.start(daemon)
    ceph.unchanged("rbd_image", **words)
    ceph.unchanged("rbd_snapshot", image="one", name="s", protected=True)
    assert ceph.data("one", 4) == "kept"
