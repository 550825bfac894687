# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong: one clear sentence each, and nothing lost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.integration.modules import ModuleFailed
from tests.integration.on_ceph.client import PYTHON, Server

from .client import Backend, python

SECRET = "tr0ub4dor-and-3"


@pytest.fixture
def own(server: Server, known: dict[str, str], tmp_path: Path) -> Iterator[Backend]:
    """A cluster that this test may harm."""
    with Cluster(size=256 << 20) as cluster:
        yield Backend(cluster, server, known, "rbd", tmp_path / "state")


def failure(backend: Backend, module: str, /, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ModuleFailed) as failed:
        backend.module(module, **arguments)
    return failed.value.result


def test_what_the_options_say_is_wrong(backend: Backend, tmp_path: Path) -> None:
    plain: Any = backend.given
    for given, said in (
        (plain(rbd_pol="x"), "the driver has no option rbd_pol. Did you mean rbd_pool?"),
        (plain(rbd_max_clone_depth="deep"), "options: rbd_max_clone_depth: "),
        (plain(rbd_pool="nowhere", rados_connection_retries=1), "backend ceph: its driver did not start: "),
        (plain("stranger", rados_connection_retries=1), "backend ceph: its driver did not start: "),
        ({**plain(), "backend": {"name": "a", "driver": "cinder.volume.drivers.rdb.RBDDriver"}}, "there is no class"),
        ({**plain(), "backend": {"name": "a", "driver": "cinder.volume.drivers.rbd.RBD"}}, "there is no class"),
        (
            {**plain(), "persistence": {"path": "/proc/nowhere/x.sqlite"}},
            "/proc/nowhere: this directory cannot be made",
        ),
        ({**plain(), "persistence": {"url": "nonsense://a"}}, "the database of persistence: it cannot be used: "),
    ):
        result = failure(backend, "cinder_volume", name="db", size="1G", **given)
        assert said in result["msg"], (said, result["msg"])
        assert "Traceback" not in result["msg"]
    assert backend.images() == []
    assert "need backend" in failure(backend, "cinder_backend_info", gather=["stats"], backend=None)["msg"]


def test_secrets_are_told_nowhere(backend: Backend) -> None:
    """Those that the driver calls so, once it is loaded; all of them before; and the password of a database."""
    options = backend.given()["backend"]["options"]
    lvm: dict[str, Any] = {"name": "lvm", "driver": "cinder.volume.drivers.lvm.LVMVolumeDriver"}
    lvm["options"] = {"chap_password": SECRET, "volume_group": "nowhere-at-all"}
    wrong = {"name": "a", "driver": "cinder.volume.drivers.rdb.RBDDriver", "options": {"token": SECRET}}
    for given in (
        {"backend": lvm},
        {"backend": wrong},
        {"backend": {"name": "a", "driver": "rbd", "options": {**options, "rbd_secret_typo": SECRET}}},
        {"persistence": {"url": f"postgresql://user:{SECRET}@127.0.0.1:1/cinder"}},
    ):
        result = failure(backend, "cinder_volume", name="db", size="1G", **given)
        assert SECRET not in json.dumps(result), given
        assert result["invocation"]["module_args"]["name"] == "db"
    assert failure(backend, "cinder_volume", name="db", backend=lvm)["invocation"]["module_args"]["backend"][
        "options"
    ] == {
        "chap_password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
        "volume_group": "nowhere-at-all",
    }
    # What is not secret is told.
    made = backend.module("cinder_volume", name="db", size="1G")
    assert made["invocation"]["module_args"]["backend"]["options"]["rbd_pool"] == backend.pool


@pytest.mark.further
def test_secrets_are_not_in_what_ansible_says_at_length(backend: Backend) -> None:
    """Where a task fails, and where one works, with -vvv and a diff."""
    given = backend.given()
    given["backend"]["options"]["chap_password"] = SECRET
    lost = {**given, "persistence": {"url": f"postgresql://user:{SECRET}@127.0.0.1:1/cinder"}}
    for words, check in ((given, "--check"), (given, "--diff"), (lost, "--diff")):
        command = ["ansible", "localhost", "--connection", "local", "-vvv", check]
        command += ["--extra-vars", json.dumps({"ansible_python_interpreter": python()})]
        arguments = json.dumps({"name": "db", "size": "1G", **words})
        done = subprocess.run(
            [*command, "--module-name", "strata.storage.cinder_volume", "--args", arguments],
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) == (words is lost), done.stdout
        assert '"invocation"' in done.stdout
        assert SECRET not in done.stdout + done.stderr


@pytest.mark.further
def test_a_database_that_is_locked_or_broken(backend: Backend) -> None:
    backend.module("cinder_volume", name="db", size="1G")
    path = backend.state / "cinder.sqlite"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "database is locked" in failure(backend, "cinder_volume", name="db", size="2G")["msg"]
        other.execute("ROLLBACK")
    other.close()
    backend.unchanged("cinder_volume", name="db", size="1G")
    path.write_text("not a database")
    for check in (True, False):
        assert "file is not a database" in failure(backend, "cinder_volume", name="db", check=check)["msg"]


#: Is killed while it writes to a database, and leaves a journal that is to be taken back.
_HALF = """
import os, signal, sqlite3, sys
with sqlite3.connect(sys.argv[2], isolation_level=None) as database:
    for statement in (
        "PRAGMA cache_size = 1", "BEGIN", "UPDATE volumes SET display_name = 'half', size = 7", "CREATE TABLE more (x)",
        "INSERT INTO more VALUES (randomblob(1000000))",
    ):
        database.execute(statement)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.further
def test_a_database_that_a_task_was_writing_to_when_it_was_killed(backend: Backend) -> None:
    """What it began is taken back: for those who only look, in a copy."""
    made = backend.module("cinder_volume", name="db", size="1G")["volume"]
    backend.python(_HALF, str(backend.state / "cinder.sqlite"), expect=-signal.SIGKILL)
    before = backend.files()
    assert backend.module("cinder_backend_info")["volumes"] == [made]
    assert backend.check("cinder_volume", name="db", size="2G")["changed"]
    assert backend.files() == before
    assert "cinder.sqlite-journal" in str(sorted(before))
    backend.volume("db", size="2G")


@pytest.mark.further
def test_a_database_that_takes_no_connection(backend: Backend) -> None:
    """What a connection carries is in no error, nothing is connected then, and the same task goes on later."""
    backend.module("cinder_volume", name="db", size="1G")
    with sqlite3.connect(backend.state / "cinder.sqlite") as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON volume_attachment BEGIN SELECT RAISE(ABORT, 'no room left'); END"
        )
    said = failure(backend, "cinder_volume", name="db", state="attached")["msg"]
    assert said.endswith(": (sqlite3.IntegrityError) no room left")
    (volume,) = backend.module("cinder_backend_info")["volumes"]
    assert (volume["status"], volume["connections"]) == ("available", [])


@pytest.fixture
def disk(backend: Backend, tmp_path: Path) -> Iterator[Path]:
    """A small disk, where the database is."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=True)
    backend.state = place / "state"
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.further
@pytest.mark.parametrize("room", [0, 8192, 24576])
def test_a_disk_that_is_full(backend: Backend, disk: Path, room: int) -> None:
    """Each task is refused, and done once there is room again. Nothing is left on the backend."""
    image = f"volume-{backend.module('cinder_volume', name='db', size='1G')['volume']['id']}"
    fill = disk / "fill"

    def full(module: str, **words: Any) -> None:
        with fill.open("wb", buffering=0) as filling, contextlib.suppress(OSError):
            while filling.write(bytes(4096)):
                pass
        os.truncate(fill, fill.stat().st_size - room)
        said = failure(backend, module, **words)["msg"]
        fill.unlink()
        if room:
            assert said.endswith("(sqlite3.OperationalError) database or disk is full")
        else:
            assert said == f"{backend.state}/locks/ceph.strata.lock: No space left on device"

    full("cinder_volume", name="new", size="1G")
    full("cinder_snapshot", volume="db", name="nightly")
    assert backend.images() == [image]
    backend.volume("new", size="1G")
    backend.converge("cinder_snapshot", volume="db", name="nightly")
    gone: dict[str, Any] = {"name": "new", "state": "absent", "allow_destroy": True}
    full("cinder_volume", **gone)
    backend.converge("cinder_volume", **gone)
    assert backend.images() == [image]


@pytest.mark.further
def test_a_database_that_cannot_be_written(backend: Backend, disk: Path) -> None:
    """Looking at it works on."""
    backend.module("cinder_volume", name="db", size="1G")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for words in ({"size": "2G"}, {"state": "absent", "allow_destroy": True}):
        said = failure(backend, "cinder_volume", name="db", **words)["msg"]
        assert said == f"{backend.state}/locks: nothing can be written in this directory"
    assert backend.module("cinder_volume", name="db", size="2G", check=True)["changed"]
    assert len(backend.module("cinder_backend_info")["volumes"]) == 1
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    backend.volume("db", size="2G")


@pytest.mark.further
def test_another_task_works_on_it(backend: Backend) -> None:
    backend.module("cinder_volume", name="db", size="1G")
    path = backend.state / "locks/ceph.strata.lock"
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = failure(backend, "cinder_volume", name="db", size="2G", lock_timeout=1)["msg"]
    assert f"process {os.getpid()}" in said
    assert "waited 1 s for it" in said


def test_two_tasks_at_once(backend: Backend) -> None:
    """Both want the same new volume, and both get it: it is made once."""
    results: list[dict[str, Any]] = []

    def task() -> None:
        results.append(backend.module("cinder_volume", name="db", size="1G"))

    threads = [threading.Thread(target=task) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result["changed"] for result in results) == [False, True]
    assert results[0]["volume"] == results[1]["volume"]
    assert len(backend.images()) == 1


def test_what_is_missing_gives_the_recipe(backend: Backend, tmp_path: Path) -> None:
    """Under a Python without cinderlib, and under one with another SQLAlchemy; nothing of it is a traceback."""
    # What is hidden then must not make the recipe unreadable.
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {"name": "db", **backend.given("cinder")}})
    module = "ansible_collections.strata.storage.plugins.modules.cinder_volume"
    other = tmp_path / "other/SQLAlchemy-2.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: SQLAlchemy\nVersion: 2.0.1\n")
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / "rados.py").write_text("raise ImportError('hidden')")
    for interpreter, path, said in (
        (PYTHON, "", "cinderlib is not installed, cinder is not installed"),
        (python(), str(other.parent), "SQLAlchemy is 2.0.1, and has to be 1.4"),
        (python(), str(blind), "backend ceph: its driver did not start: "),
    ):
        done = subprocess.run(
            [interpreter, "-m", module],
            env={**backend.libraries, "PYTHONPATH": f"{path}:{backend.libraries['PYTHONPATH']}"},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        result = json.loads(done.stdout)
        assert said in result["msg"], result["msg"]
        if "driver did not" not in said:
            assert (
                "requirements-cinder.txt of this collection, with the role strata.storage.cinder_host" in result["msg"]
            )
            assert result["invocation"]["module_args"]["backend"]["options"] is None
        else:
            assert "has no attribute 'setup'" not in result["msg"]


@pytest.mark.further
def test_a_backend_that_does_not_answer(own: Backend) -> None:
    own.module("cinder_volume", name="db", size="1G")
    own.cluster.pause("mon")
    options = own.given(rados_connect_timeout=300)
    assert (
        "it did not start within 3 s" in failure(own, "cinder_volume", name="db", connect_timeout=3, **options)["msg"]
    )
    own.cluster.go_on("mon")
    own.unchanged("cinder_volume", name="db", size="1G")
