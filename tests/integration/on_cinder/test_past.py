# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backend with a past: what people, other hosts and older databases have done to it. No data is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.modules import ModuleFailed
from tests.integration.on_ceph.client import PYTHON

from .client import CONNECT, Backend

pytestmark = pytest.mark.further
GIB = 1 << 30
GONE: dict[str, Any] = {"name": "db", "state": "absent", "allow_destroy": True}
#: Uses an image, as a host does that has mapped it.
_USE = """
import rados, rbd, sys
with rados.Rados(conffile=sys.argv[1]) as cluster, cluster.open_ioctx(sys.argv[2]) as pool:
    with rbd.Image(pool, sys.argv[3]) as image:
        image.write(b"theirs", 0)
        print("there", flush=True)
        sys.stdin.read()
"""


@contextmanager
def used(backend: Backend, image: str) -> Iterator[None]:
    words = [PYTHON, "-c", _USE, str(backend.cluster.conf), backend.pool, image]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        yield
        other.stdin.close()


def made(backend: Backend, **words: Any) -> str:
    """A new volume's name on the backend."""
    return f"volume-{backend.module('cinder_volume', name='db', size='1G', **words)['volume']['id']}"


def test_a_volume_that_is_larger_than_the_database_says(backend: Backend) -> None:
    """Grown by hand, or by a task whose database was put back: the driver would cut it off."""
    image = made(backend)
    backend.cluster.run("rbd", "resize", f"{backend.pool}/{image}", "--size", "4G")
    said = backend.refusal("cinder_volume", name="db", size="2G")
    assert "the backend has 4 GiB of it, the database 1 GiB, and volumes do not become smaller (2 GiB)" in said
    assert backend.rbd("info", image)["size"] == 4 * GIB
    assert [step["action"] for step in backend.volume("db", size="4G")["plan"]] == ["record"]
    backend.cluster.run("rbd", "resize", f"{backend.pool}/{image}", "--size", "5G")
    assert [step["action"] for step in backend.volume("db", size="6G")["plan"]] == ["record", "extend"]
    assert backend.rbd("info", image)["size"] == 6 * GIB


def test_a_database_of_last_week(backend: Backend) -> None:
    """It lacks a volume, has one that is gone, and one that was smaller then."""
    image = made(backend)
    old = backend.module("cinder_volume", name="old", size="1G")["volume"]["id"]
    database = backend.state / "cinder.sqlite"
    shutil.copy(database, backend.state / "last-week")
    backend.module("cinder_volume", name="db", size="3G")
    backend.module("cinder_volume", **{**GONE, "name": "old"})
    new = backend.module("cinder_volume", name="new", size="1G")["volume"]["id"]
    shutil.move(backend.state / "last-week", database)
    assert "and the database does not. Is it the right database?" in backend.refusal(
        "cinder_volume", name="new", size="1G"
    )
    assert f"backend ceph has no volume-{old}" in backend.refusal("cinder_volume", name="old", size="1G")
    assert "do not become smaller" in backend.refusal("cinder_volume", name="db", size="2G")
    backend.volume("new", manage=True)
    backend.volume("db", size="3G")
    backend.volume("old", state="absent", allow_destroy=True)
    assert backend.images() == sorted([image, f"volume-{new}"])
    assert backend.rbd("info", image)["size"] == 3 * GIB


def test_a_volume_that_somebody_deleted(backend: Backend) -> None:
    image = made(backend)
    backend.cluster.run("rbd", "rm", f"{backend.pool}/{image}")
    for words in ({}, {"size": "2G"}, {"state": "attached"}):
        assert f"backend ceph has no {image}" in backend.refusal("cinder_volume", name="db", **words)
    assert f"backend ceph has no {image}" in backend.refusal("cinder_snapshot", volume="db", name="nightly")
    assert "the database has it" in backend.refusal("cinder_volume", name="copy", source_volume="db")
    gone = backend.volume("db", state="absent", allow_destroy=True)
    assert gone["plan"][0]["destroys"] == ["volume db: what the database knows of it"]
    assert backend.images() == []
    assert backend.volume("db", size="1G")["changed"]


def test_a_pool_that_was_renamed(backend: Backend) -> None:
    """Under its old name there is nothing, or another pool; the volumes are where they were."""
    image = made(backend)
    backend.cluster.run("ceph", "osd", "pool", "rename", backend.pool, f"{backend.pool}-new")
    quick = backend.given(rados_connection_retries=1)
    assert "its driver did not start" in backend.refusal("cinder_volume", name="db", size="2G", **quick)
    backend.cluster.pool(backend.pool)
    assert f"backend ceph has no {image}" in backend.refusal("cinder_volume", name="db", size="2G")
    assert backend.images() == []
    backend.pool = f"{backend.pool}-new"
    backend.volume("db", size="2G")
    assert backend.images() == [image]


def test_a_backend_that_was_renamed(backend: Backend) -> None:
    """A name is half of what a volume is known by; no second, empty volume comes of that."""
    image = made(backend)
    other = backend.given()
    other["backend"]["name"] = "ceph-new"
    said = backend.refusal("cinder_volume", name="db", size="1G", **other)
    assert f"backend ceph-new holds {image}" in said
    assert "name it ceph again" in said
    assert backend.images() == [image]
    backend.module("cinder_volume", name="db", id="3f0e3c8e-0f4e-4a7e-9d55-6d0f0c7a9d11", size="1G", **other)
    assert len(backend.images()) == 2


def test_a_volume_that_is_in_use_and_nobody_wrote_it_down(backend: Backend) -> None:
    """Mapped by hand, or by a host with another database."""
    image = made(backend)
    with used(backend, image):
        assert "refused to attach: 127.0.0.1" in backend.refusal("cinder_volume", name="db", state="attached")
        assert "refused to delete: 127.0.0.1" in backend.refusal("cinder_volume", **GONE)
    assert backend.images() == [image]
    backend.volume(**GONE)
    backend.cluster.run("rbd", "create", f"{backend.pool}/by-hand", "--size", "1G")
    with used(backend, "by-hand"):
        words: dict[str, Any] = {"name": "by-hand", "manage": True, "state": "attached"}
        assert "it cannot be adopted: volume in use" in backend.refusal("cinder_volume", **words)
    assert backend.images() == ["by-hand"]


def test_a_host_that_died_with_a_volume(backend: Backend) -> None:
    """Its connection is ended from another one, once nobody uses the volume any more."""
    image = made(backend)
    backend.python(CONNECT, image.partition("-")[2])
    words: dict[str, Any] = {"name": "db", "state": "detached", "host": "web9"}
    with used(backend, image):
        assert "it is attached to web9; detach it there first" in backend.refusal(
            "cinder_volume", name="db", state="attached"
        )
        assert "it is attached to web9; detach it there first" in backend.refusal("cinder_volume", **GONE)
        assert "127.0.0.1" in backend.refusal("cinder_volume", **words, allow_destroy=True)
    assert "set allow_destroy" in backend.refusal("cinder_volume", **words)
    backend.unchanged("cinder_volume", name="db", state="detached")
    done = backend.converge("cinder_volume", **words, allow_destroy=True)
    assert done["plan"][0]["destroys"] == ["volume db: what web9 has not written to it yet"]
    assert (done["volume"]["status"], done["volume"]["connections"]) == ("available", [])
    with pytest.raises(ModuleFailed, match="it needs state detached"):
        backend.module("cinder_volume", name="db", host="web9")
    # What it had written is there.
    assert backend.cluster.run("rbd", "export", f"{backend.pool}/{image}", "-").startswith("theirs")
