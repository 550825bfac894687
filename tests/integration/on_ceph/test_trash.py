# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trash of a pool: families of clones, sources of migrations, and how full the pool may be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph import Cluster

from .client import OPEN, Client, Server, holding
from .conftest import in_a_namespace

_PREPARE = f"{OPEN}\nrbd.RBD().migration_prepare(pool, sys.argv[3], pool, sys.argv[4])"


def family(ceph: Client) -> None:
    """A clone of a clone of an image, whose snapshots only librbd keeps, all in the trash."""
    ceph.module("rbd_image", name="grand", size="8M")
    for parent, child in (("grand", "parent"), ("parent", "child")):
        ceph.cluster.run("rbd", "snap", "create", f"rbd/{ceph.namespace}/{parent}@s")
        ceph.module("rbd_image", name=child, parent={"image": parent, "snapshot": "s"})
        ceph.cluster.run("rbd", "snap", "rm", f"rbd/{ceph.namespace}/{parent}@s")
    for name in ("grand", "parent", "child"):
        ceph.module("rbd_image", name=name, state="trashed")


def test_a_family_goes_at_once(ceph: Client) -> None:
    family(ceph)
    ceph.module("rbd_image", name="other", size="8M")
    ceph.module("rbd_image", name="other", state="trashed")
    assert "with clone" in ceph.refusal("rbd_trash", name="grand", state="absent")
    purged = ceph.converge("rbd_trash", state="purged")
    assert {step["name"] for step in purged["plan"]} == {"grand", "parent", "child", "other"}
    assert purged["trash"] == []


def test_what_stays_says_why(ceph: Client) -> None:
    family(ceph)
    ceph.module("rbd_trash", name="child", state="restored")
    ceph.module("rbd_image", name="kept", size="8M")
    ceph.module("rbd_snapshot", image="kept", name="mine")
    ceph.module("rbd_image", name="used", size="8M")
    ceph.module("rbd_image", name="kept", state="trashed")
    with holding(ceph, "used"):
        # As others do, who do not look.
        ceph.cluster.run("rbd", "--namespace", ceph.namespace, "trash", "mv", "rbd/used")
        purged = ceph.unchanged("rbd_trash", state="purged")
    said = str(purged["warnings"])
    for why in ("snapshot mine", "open on 127.0.0.1", "clone rbd/"):
        assert f"stays in the trash, with {why}" in said


def test_what_has_lost_its_header_goes(ceph: Client) -> None:
    """librbd removes that before the entry of the trash."""
    for name in ("cut", "other"):
        ceph.module("rbd_image", name=name, size="8M")
        ceph.module("rbd_image", name=name, state="trashed")
    number = next(one["id"] for one in ceph.module("rbd_info")["trash"] if one["name"] == "cut")
    ceph.cluster.run("rados", "-p", "rbd", "-N", ceph.namespace, "rm", f"rbd_header.{number}")
    assert {step["name"] for step in ceph.converge("rbd_trash", state="purged")["plan"]} == {"cut", "other"}


def test_the_source_of_a_migration(ceph: Client) -> None:
    """librbd's own listing of the trash ends at it."""
    ceph.module("rbd_image", name="src", size="8M")
    ceph.module("rbd_image", name="old", size="8M")
    ceph.module("rbd_image", name="old", state="trashed")
    ceph.python(_PREPARE, "src", "dst")
    assert {one["name"]: one["source"] for one in ceph.module("rbd_info")["trash"]} == {
        "src": "MIGRATION",
        "old": "USER",
    }
    for state in ("absent", "restored"):
        assert "as the source of a migration" in ceph.refusal("rbd_trash", name="src", state=state)
    ceph.converge("rbd_image", name="new", size="8M")
    purged = ceph.converge("rbd_trash", state="purged")
    assert [one["name"] for one in purged["trash"]] == ["src"]
    ceph.cluster.run("rbd", "--namespace", ceph.namespace, "migration", "abort", "rbd/dst")
    assert sorted(ceph.rbd("ls")) == ["new", "src"]


@pytest.fixture(scope="module")
def counted(server: Server) -> Iterator[Cluster]:
    with Cluster(manager=True) as cluster:
        yield cluster


@pytest.fixture
def measured(counted: Cluster, server: Server) -> Client:
    return in_a_namespace(counted, server)


@pytest.mark.further
def test_by_how_full_the_pool_is(measured: Client) -> None:
    """The oldest go until it is below; the figures are the cluster's own."""
    for name in ("old", "new"):
        measured.module("rbd_image", name=name, size="64M")
        image = f"rbd/{measured.namespace}/{name}"
        measured.cluster.run("rbd", "bench", image, "--io-type", "write", "--io-size", "4M", "--io-total", "64M")
    for name in ("old", "new"):
        measured.module("rbd_image", name=name, state="trashed")
        moved = time.time()
        while time.time() < moved + 1.1:
            time.sleep(0.1)
    measured.cluster.until_stored("rbd", 128 << 20)
    measured.unchanged("rbd_trash", threshold=0.5, state="purged")
    words: dict[str, Any] = {"threshold": (100 << 20) / (4 << 30), "state": "purged"}
    looked = measured.check("rbd_trash", **words)
    purged = measured.module("rbd_trash", **words)
    assert purged["plan"] == looked["plan"]
    assert [step["name"] for step in purged["plan"]] == ["old"]
    assert [one["name"] for one in purged["trash"]] == ["new"]
    measured.cluster.until_stored("rbd", 64 << 20)
    measured.unchanged("rbd_trash", **words)


@pytest.mark.further
def test_how_full_a_pool_is_nobody_tells(ceph: Client) -> None:
    ceph.module("rbd_image", name="old", size="8M")
    ceph.module("rbd_image", name="old", state="trashed")
    assert "does not tell how full pool rbd is" in ceph.refusal("rbd_trash", threshold=0.5, state="purged")
