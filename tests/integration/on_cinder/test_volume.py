# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes by the RBD driver, each step confirmed by the ``rbd`` command."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from .client import Backend

GIB = 1 << 30


def test_a_volume_from_nothing_to_nothing(backend: Backend) -> None:
    made = backend.volume("db", size="1G", description="the database")
    assert [step["action"] for step in made["plan"]] == ["create"]
    volume = made["volume"]
    image = f"volume-{volume['id']}"
    assert (volume["name"], volume["size"], volume["status"], volume["pool"]) == ("db", GIB, "available", "ceph")
    assert backend.rbd("info", image)["size"] == GIB
    database = backend.state / "cinder.sqlite"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(backend.state.stat().st_mode) == 0o700
    assert os.listdir(backend.state) != []

    grown = backend.volume("db", size="1.5G")
    assert grown["volume"]["size"] == 2 * GIB
    assert backend.rbd("info", image)["size"] == 2 * GIB
    assert "volumes do not become smaller" in backend.refusal("cinder_volume", name="db", size="1G")
    backend.volume("db", description="another")
    backend.unchanged("cinder_volume", id=volume["id"])
    backend.unchanged("cinder_volume", name="db", state="detached")

    assert "set allow_destroy" in backend.refusal("cinder_volume", name="db", state="absent")
    gone = backend.volume("db", state="absent", allow_destroy=True)
    assert gone["volume"] is None
    assert gone["plan"][0]["destroys"] == ["volume db: 2 GiB, whatever is on it"]
    assert backend.images() == []


def test_copies_snapshots_and_specs(backend: Backend) -> None:
    specs: dict[str, Any] = {"extra_specs": {"tier": "gold"}, "qos_specs": {"total_iops_sec": "500"}}
    source = backend.module("cinder_volume", name="db", size="1G", **specs)["volume"]
    image = f"volume-{source['id']}"
    taken = backend.converge("cinder_snapshot", volume="db", name="nightly", description="each night")
    named = f"snapshot-{taken['snapshot']['id']}"
    assert [one["name"] for one in backend.rbd("snap", "ls", image)] == [named]
    backend.module("cinder_snapshot", volume=source["id"], name="nightly", description="another")

    copy = backend.volume("copy", source_volume="db", source_snapshot="nightly", size="2G")["volume"]
    assert copy["source"] == taken["snapshot"]["id"]
    info = backend.rbd("info", f"volume-{copy['id']}")
    assert (info["size"], info["parent"]["image"], info["parent"]["snapshot"]) == (2 * GIB, image, named)
    clone = backend.module("cinder_volume", name="clone", source_volume="db")["volume"]
    assert backend.rbd("info", f"volume-{clone['id']}")["parent"]["image"] == image

    # What is done to a volume later leaves it the specs that it has.
    grown = backend.module("cinder_volume", name="db", size="2G", **specs)["volume"]
    assert {key: grown[key] for key in specs} == {key: copy[key] for key in specs} == specs
    assert "its extra_specs are" in backend.refusal("cinder_volume", name="db", extra_specs={"tier": "tin"})

    gone: dict[str, Any] = {"state": "absent", "allow_destroy": True}
    assert "it has snapshots (nightly)" in backend.refusal("cinder_volume", name="db", **gone)
    for name in ("copy", "clone"):
        backend.module("cinder_volume", name=name, **gone)
    backend.converge("cinder_snapshot", volume="db", name="nightly", **gone)
    backend.module("cinder_volume", name="db", **gone)
    assert backend.images() == []


@pytest.mark.further
def test_a_volume_that_is_deleted_before_its_copy(backend: Backend) -> None:
    """The driver keeps it, out of sight, for as long as it is needed."""
    backend.module("cinder_volume", name="db", size="1G")
    backend.module("cinder_volume", name="copy", source_volume="db")
    gone: dict[str, Any] = {"state": "absent", "allow_destroy": True}
    backend.volume("db", **gone)
    assert len(backend.images()) == 2
    assert [one["name"] for one in backend.module("cinder_backend_info")["volumes"]] == ["copy"]
    backend.volume("copy", **gone)
    assert backend.images() == []


@pytest.mark.further
def test_a_volume_that_was_made_by_hand(backend: Backend) -> None:
    backend.cluster.run("rbd", "create", f"{backend.pool}/by-hand", "--size", "1500M")
    backend.module("cinder_volume", name="db", size="1G")
    found = backend.module("cinder_backend_info", gather=["manageable", "volumes"])
    assert found["manageable"] == [{"reference": {"source-name": "by-hand"}, "size": 2 * GIB, "obstacle": None}]
    assert [one["name"] for one in found["volumes"]] == ["db"]
    taken = backend.volume("by-hand", manage=True)
    assert taken["volume"]["size"] == 2 * GIB
    assert backend.rbd("info", f"volume-{taken['volume']['id']}")["size"] == 1500 << 20
    assert backend.module("cinder_backend_info", gather=["manageable"])["manageable"] == []
    assert "has nothing of this name" in backend.refusal("cinder_volume", name="nothing", manage=True)


@pytest.mark.further
def test_a_database_that_was_lost(backend: Backend) -> None:
    """What is on the backend is not made anew: it is refused, and taken back."""
    image = f"volume-{backend.module('cinder_volume', name='db', size='1G')['volume']['id']}"
    before = backend.rbd("info", image)["id"]
    (backend.state / "cinder.sqlite").unlink()
    said = backend.refusal("cinder_volume", name="db", size="1G")
    assert f"backend ceph has {image} (1 GiB), and the database does not" in said
    backend.volume("db", size="1G", manage=True)
    assert backend.rbd("info", image)["id"] == before


@pytest.mark.further
def test_snapshots_that_the_database_does_not_have(backend: Backend) -> None:
    """One that was made by hand, and then one whose database was lost; both keep what they hold."""
    image = f"volume-{backend.module('cinder_volume', name='db', size='1G')['volume']['id']}"
    backend.cluster.run("rbd", "snap", "create", f"{backend.pool}/{image}@by-hand")
    (number,) = [one["id"] for one in backend.rbd("snap", "ls", image)]
    found = backend.module("cinder_backend_info", gather=["manageable"])["manageable_snapshots"]
    assert found == [{"reference": {"source-name": "by-hand"}, "size": GIB, "obstacle": None, "volume": image}]
    words: dict[str, Any] = {"volume": "db", "name": "by-hand"}
    taken = backend.converge("cinder_snapshot", **words, manage=True)
    named = f"snapshot-{taken['snapshot']['id']}"

    def there() -> list[tuple[str, int]]:
        return [(one["name"], one["id"]) for one in backend.rbd("snap", "ls", image)]

    assert there() == [(named, number)]
    (backend.state / "cinder.sqlite").unlink()
    backend.volume("db", manage=True)
    assert "manage true takes it as it is" in backend.refusal("cinder_snapshot", **words)
    backend.converge("cinder_snapshot", **words, manage=True)
    assert there() == [(named, number)]
    assert "has nothing of this name" in backend.refusal("cinder_snapshot", volume="db", name="nothing", manage=True)
