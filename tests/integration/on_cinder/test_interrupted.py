# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that is killed, right before or right after its driver's call, and then runs again: it converges."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.cinder import KILLED

from .client import Backend

GIB = 1 << 30


def killed(backend: Backend, method: str, when: str, kind: str, **words: Any) -> str:
    expect = 0 if when in ("failing", "overtaken") else -signal.SIGKILL
    return backend.python(KILLED.read_text(), "driver", method, when, kind, json.dumps(words), expect=expect)


@pytest.mark.parametrize("when", ["after", "before", "failing"])
@pytest.mark.first_case
def test_creating(backend: Backend, when: str) -> None:
    said = killed(backend, "create_volume", when, "volume", name="db", size="1G")
    if when == "failing":
        assert "create volume db: 1 GiB: create volume-" in said
        assert "no room left" in said
    assert len(backend.images()) == (when == "after")
    assert [one["status"] for one in backend.module("cinder_backend_info")["volumes"]] == ["creating"]
    made = backend.volume("db", size="1G")
    assert [step["action"] for step in made["plan"]] == ["remove", "create"]
    assert backend.images() == [f"volume-{made['volume']['id']}"]


@pytest.mark.further
@pytest.mark.parametrize("when", ["failing", "after", "before"])
def test_extending(backend: Backend, when: str) -> None:
    """It is whole, whatever its status says."""
    volume = backend.module("cinder_volume", name="db", size="1G")["volume"]
    image = f"volume-{volume['id']}"
    number = backend.rbd("info", image)["id"]
    killed(backend, "extend_volume", when, "volume", name="db", size="2G")
    if when == "failing":
        assert "set allow_destroy" in backend.refusal("cinder_volume", name="db", state="absent")
    done = backend.volume("db", size="2G")
    steps = {"failing": ["recover", "extend"], "before": ["extend"], "after": ["record"]}
    assert [step["action"] for step in done["plan"]] == steps[when]
    info = backend.rbd("info", image)
    assert (info["id"], info["size"]) == (number, 2 * GIB)


@pytest.mark.further
@pytest.mark.parametrize("when", ["after", "before", "failing"])
def test_deleting(backend: Backend, when: str) -> None:
    backend.module("cinder_volume", name="db", size="1G")
    gone: dict[str, Any] = {"name": "db", "state": "absent", "allow_destroy": True}
    killed(backend, "delete_volume", when, "volume", **gone)
    assert "its data may be incomplete" in backend.refusal("cinder_volume", name="db", size="1G")
    backend.converge("cinder_volume", **gone)
    assert backend.images() == []


@pytest.mark.further
@pytest.mark.parametrize("when", ["after", "before", "failing"])
def test_snapshots(backend: Backend, when: str) -> None:
    volume = backend.module("cinder_volume", name="db", size="1G")["volume"]
    image = f"volume-{volume['id']}"
    words: dict[str, Any] = {"volume": "db", "name": "nightly"}
    killed(backend, "create_snapshot", when, "snapshot", **words)
    made = backend.converge("cinder_snapshot", **words)
    assert [step["action"] for step in made["plan"]] == ["remove", "create"]
    assert [one["name"] for one in backend.rbd("snap", "ls", image)] == [f"snapshot-{made['snapshot']['id']}"]
    gone: dict[str, Any] = {**words, "state": "absent", "allow_destroy": True}
    killed(backend, "delete_snapshot", when, "snapshot", **gone)
    assert "nothing can be restored from it" in backend.refusal("cinder_snapshot", **words)
    backend.converge("cinder_snapshot", **gone)
    assert backend.rbd("snap", "ls", image) == []


@pytest.mark.further
@pytest.mark.parametrize("when", ["after", "before", "failing"])
def test_copying(backend: Backend, when: str) -> None:
    backend.module("cinder_volume", name="db", size="1G")
    killed(backend, "create_cloned_volume", when, "volume", name="copy", source_volume="db")
    made = backend.volume("copy", source_volume="db")
    assert [step["action"] for step in made["plan"]] == ["remove", "create"]
    assert len(backend.images()) == 2


@pytest.mark.further
@pytest.mark.parametrize("words", [["create"], ["create", "protect"]])
def test_copying_with_a_snapshot_and_no_copy_yet(backend: Backend, words: list[str]) -> None:
    """The driver makes the one, protects it, and then makes the other."""
    image = f"volume-{backend.module('cinder_volume', name='db', size='1G')['volume']['id']}"
    killed(backend, "create_cloned_volume", "before", "volume", name="copy", source_volume="db")
    volumes = backend.module("cinder_backend_info")["volumes"]
    copy = next(f"volume-{one['id']}" for one in volumes if one["status"] == "creating")
    for word in words:
        backend.cluster.run("rbd", "snap", word, f"{backend.pool}/{image}@{copy}.clone_snap")
    backend.volume("copy", source_volume="db")
    gone: dict[str, Any] = {"state": "absent", "allow_destroy": True}
    backend.volume("copy", **gone)
    backend.volume("db", **gone)
    assert backend.images() == []


@pytest.mark.further
@pytest.mark.parametrize("when", ["after", "before", "failing"])
def test_adopting(backend: Backend, when: str) -> None:
    backend.cluster.run("rbd", "create", f"{backend.pool}/by-hand", "--size", "1G")
    number = backend.rbd("info", "by-hand")["id"]
    killed(backend, "manage_existing", when, "volume", name="by-hand", manage=True)
    made = backend.volume("by-hand", manage=True)
    assert backend.rbd("info", f"volume-{made['volume']['id']}")["id"] == number


@pytest.mark.further
def test_one_that_is_in_use_is_not_deleted(backend: Backend) -> None:
    """The driver has done nothing, so the volume is what it was."""
    volume = backend.module("cinder_volume", name="db", size="1G")["volume"]
    said = killed(backend, "delete_volume", "failing", "volume", name="db", state="absent", allow_destroy=True)
    assert "no room left" in said
    backend.module("cinder_volume", name="db", state="absent", allow_destroy=True)
    assert volume["id"] not in str(backend.images())


@pytest.mark.further
def test_a_creation_that_another_host_ends_meanwhile(backend: Backend) -> None:
    """It was not cut off, but slow, and somebody may have written to it since then."""
    words: dict[str, Any] = {"name": "db", "size": "1G"}
    killed(backend, "create_volume", "after", "volume", **words)
    (image,) = backend.images()
    number = backend.rbd("info", image)["id"]
    said = killed(backend, "delete_volume", "overtaken", "volume", **words)
    assert "another host has made it meanwhile" in said
    backend.unchanged("cinder_volume", **words)
    assert backend.rbd("info", image)["id"] == number
    words = {"volume": "db", "name": "nightly"}
    killed(backend, "create_snapshot", "after", "snapshot", **words)
    before = backend.rbd("snap", "ls", image)
    said = killed(backend, "delete_snapshot", "overtaken", "snapshot", **words)
    assert "another host has made it meanwhile" in said
    backend.unchanged("cinder_snapshot", **words)
    assert backend.rbd("snap", "ls", image) == before
