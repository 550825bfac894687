# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes by the RBD driver, each step confirmed by the ``rbd`` command."""

from __future__ import annotations

import os
import stat

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
