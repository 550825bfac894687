# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with a cluster, or its users: one clear sentence each, within the time that the options say."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.ceph.release import entered
from tests.integration.modules import ModuleFailed

from .client import ENVIRONMENT, PYTHON, Client, Server, holding


@pytest.fixture
def own(server: Server) -> Iterator[Client]:
    """A cluster that this test may harm."""
    with Cluster(size=256 << 20) as cluster:
        yield Client(cluster, server, "")


def failure(ceph: Client, module: str, **arguments: Any) -> str:
    with pytest.raises(ModuleFailed) as failed:
        ceph.module(module, **arguments)
    return str(failed.value)


def test_what_the_options_say_is_wrong(ceph: Client, tmp_path: Path) -> None:
    bad = tmp_path / "keyring"
    bad.write_text("[client.admin]\n\tkey = AQBRRwhlAAAAABAAWt3zIYLUwPvtLKUmkm6CvQ==\n")
    empty = tmp_path / "empty"
    empty.write_text("")
    keyless = tmp_path / "ceph.conf"
    keyless.write_text(ceph.cluster.conf.read_text().replace(str(ceph.cluster.keyring), "/nowhere/keyring"))
    # Since Ceph 18, nobody answers a client without caps for the OSDs.
    told = "does not let this client do that" if ceph.cluster.release < 18 else "has this client caps for the OSDs?"
    for words, said in (
        ({"conf": "/nowhere/ceph.conf"}, "conf: /nowhere/ceph.conf is not there"),
        ({"keyring": "/nowhere/keyring"}, "keyring: /nowhere/keyring is not there"),
        ({"keyring": str(empty)}, "the cluster does not let this client do that"),
        ({"client": "stranger"}, f"look at its key and its caps. The key was looked for in {ceph.cluster.keyring}"),
        ({"conf": str(keyless)}, "The key was looked for in /nowhere/keyring"),
        ({"keyring": str(bad)}, "the cluster does not let this client do that"),
        ({"pool": "nowhere"}, "pool nowhere: cluster ceph has no such pool"),
        ({"namespace": "nowhere"}, "pool rbd has no such namespace"),
        ({"client": "nobody", "operation_timeout": 5}, told),
        ({"connect_timeout": 0}, "connect_timeout is a number of seconds"),
    ):
        assert said in failure(ceph, "rbd_image", name="one", size="8M", **words), words
    bad.write_text("not a keyring")
    assert failure(ceph, "rbd_image", name="one", size="8M", keyring=str(bad))
    bad.write_text("[nonsense")
    assert failure(ceph, "rbd_image", name="one", size="8M", conf=str(bad))


@pytest.mark.further
def test_words_that_could_not_be_obeyed(ceph: Client, tmp_path: Path) -> None:
    file = tmp_path / "raw"
    file.write_bytes(b"x" * (1 << 20))
    imported: dict[str, Any] = {"image": "one", "path": str(file)}
    ceph.module("rbd_import", **imported)
    migrated: dict[str, Any] = {"image": "two", "source": {"image": "one"}, "state": "prepared"}
    ceph.module("rbd_migration", object_size="8M", **migrated)
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("rbd_pool", {"namespace": "tenant"}, "namespace is no option"),
        ("rbd_namespace", {"name": "new", "namespace": "tenant"}, "namespace is no option"),
        ("rbd_image", {"name": "two", "state": "absent", "delay": 60}, "delay goes with state trashed"),
        ("rbd_image", {"name": "three", "size": "8M", "clone_format": 1}, "clone_format goes with parent"),
        (
            "rbd_snapshot",
            {"image": "two", "name": "s", "state": "rolled_back_to", "protected": True},
            "go with present",
        ),
        ("rbd_group", {"name": "g", "state": "absent", "rolled_back_to": "s"}, "goes with present"),
        ("rbd_trash", {"name": "x", "state": "restored", "force": True}, "force goes with absent"),
        ("rbd_migration", {**migrated, "object_size": "16M"}, "that is fixed when an image is made"),
        ("rbd_migration", {**migrated, "features": ["layering"]}, "change them by rbd_image"),
    )
    for module, words, said in cases:
        assert said in ceph.refusal(module, **words), words
    ceph.module("rbd_migration", **{**migrated, "state": "committed", "allow_destroy": True})
    assert "is fixed when" in ceph.refusal("rbd_migration", **migrated, object_size="16M")
    ceph.module("rbd_import", **imported, object_size="8M")
    assert "is fixed when" in ceph.refusal("rbd_import", **imported, object_size="16M")
    assert "change them by rbd_image" in ceph.refusal("rbd_import", **imported, features=["layering"])
    in_place: dict[str, Any] = {"image": "one", "source": {"image": "one"}, "features": ["layering"]}
    ceph.converge("rbd_migration", **in_place, state="committed", allow_destroy=True)
    assert ceph.rbd("info", "rbd/one")["features"] == ["layering"]


def test_no_permission_to_change(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    said = failure(ceph, "rbd_image", name="one", size="16M", client="reader")
    assert "the cluster does not let this client do that" in said
    assert "resize image one" in said
    assert ceph.rbd("info", "rbd/one")["size"] == 8 << 20


def test_no_binding(ceph: Client, tmp_path: Path) -> None:
    """Under a Python without the binding the module goes on under the system's; where there is none, it says so."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {"name": "one", "conf": str(ceph.cluster.conf)}})
    module = "ansible_collections.strata.storage.plugins.modules.rbd_image"
    # Ansible's own wrapper knows how to start a module again, so it is asked for one.
    ansible = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", "localhost,", "-c", "local"]
    # A release that is not the host's own has only the Python that its binding is made for.
    interpreter = ["-e", f"ansible_python_interpreter={PYTHON if entered() else sys.executable}"]
    done = subprocess.run(
        [*ansible, *interpreter, "-m", "strata.storage.rbd_info", "-a", f"conf={ceph.cluster.conf}"],
        env={**ENVIRONMENT, "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert '"librbd_version"' in done.stdout, done.stdout + done.stderr
    hidden = tmp_path / "rbd.py"
    hidden.write_text("raise ImportError")
    blind = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"}
    script = (
        "from ansible.module_utils.common import respawn; respawn._mark = None; respawn.has_respawned = lambda: True;"
        f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [PYTHON, "-c", script], env=blind, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert "python3-rbd" in done.stdout, done.stdout + done.stderr


def test_monitors_down(own: Client) -> None:
    own.cluster.kill("mon")
    assert "did not answer in time" in failure(own, "rbd_image", name="one", size="8M", connect_timeout=2)
    own.cluster.start("mon")
    own.converge("rbd_image", name="one", size="8M")


@pytest.mark.further
def test_monitors_hang(own: Client) -> None:
    """Those that take a connection and say nothing, from the beginning; and once a task is connected."""
    own.cluster.pool("short")
    own.cluster.pause("mon")
    assert "did not answer in time" in failure(own, "rbd_image", name="one", size="8M", connect_timeout=2)
    own.cluster.go_on("mon")
    script = f"""
{_BEGIN}
params["connect_timeout"] = 2
with connected(params) as connection:
    os.kill(int(sys.argv[4]), signal.SIGSTOP)
    for pool in ("nowhere", "short"):
        try:
            connection.pool(Place(pool))
        except StorageError as error:
            print(error)
    os.kill(int(sys.argv[4]), signal.SIGCONT)
"""
    assert own.python(script, "short", str(own.cluster.pid("mon"))) == ("pool nowhere: cluster ceph has no such pool")


def test_nothing_is_used_once_it_is_closed(ceph: Client) -> None:
    """librbd would crash, or wait for ever."""
    script = f"""
{_BEGIN}
with connected(params) as connection:
    connection.pool(Place("rbd"))
for use in (lambda: connection.pool(Place("rbd")), lambda: connection.pool_name(1), connection.pools, connection.close):
    try:
        use()
    except Exception as error:
        print(type(error).__name__)
"""
    assert ceph.python(script, "rbd").splitlines() == ["RadosStateError", "StorageError", "RadosStateError"]


def test_osd_hangs(own: Client) -> None:
    own.module("rbd_image", name="one", size="8M")
    own.cluster.pause("osd")
    for words in ({"name": "one", "size": "16M"}, {"name": "two", "size": "8M"}):
        assert "did not answer in time" in failure(own, "rbd_image", operation_timeout=2, **words)
    own.cluster.go_on("osd")
    own.converge("rbd_image", name="one", size="16M")


def test_pool_deleted_meanwhile(own: Client) -> None:
    """Between the plan and its steps."""
    own.cluster.pool("short")
    script = f"""
{_BEGIN}
with connected(params) as connection:
    work = image(params)
    plan = work.plan(work.read(connection))
    subprocess.run(["ceph", "osd", "pool", "delete", "short", "short", "--yes-i-really-really-mean-it"], check=True)
    try:
        execute(plan.steps, handlers(connection, print))
    except StorageError as error:
        print(error)
"""
    said = own.python(script, "short")
    assert "create image one: 8 MiB: " in said
    assert "there is no such thing" in said


_BEGIN = """
import os, signal, subprocess, sys
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place
from ansible_collections.strata.storage.plugins.module_utils.rbd.connection import connected
from ansible_collections.strata.storage.plugins.module_utils.rbd.perform import handlers
from ansible_collections.strata.storage.plugins.module_utils.rbd.modules import image
os.environ["CEPH_CONF"] = sys.argv[1]
params = dict(conf=sys.argv[1], namespace=sys.argv[2], pool=sys.argv[3], cluster="ceph", client="admin", keyring=None)
params.update(connect_timeout=10, operation_timeout=60, name="one", size="8M")
"""


@pytest.mark.further
def test_full_cluster(own: Client) -> None:
    """Ceph has clients wait for room, those that remove too (its own ``rbd rm`` fails): it ends as every wait."""
    own.module("rbd_image", name="one", size="64M")
    own.cluster.run("rbd", "bench", "rbd/one", "--io-type", "write", "--io-size", "1M", "--io-total", "64M")
    for which, ratio in (("nearfull", "0.01"), ("backfillfull", "0.02"), ("full", "0.03")):
        own.cluster.ceph("osd", f"set-{which}-ratio", ratio)
    limit = time.monotonic() + 60
    while "full" not in json.loads(own.cluster.ceph("osd", "dump", "--format", "json"))["osds"][0]["state"]:
        assert time.monotonic() < limit, "the OSD is not full"
        time.sleep(0.2)
    said = failure(own, "rbd_image", name="two", size="8M", operation_timeout=2)
    assert "is there room" in said
    own.cluster.ceph("osd", "set-full-ratio", "0.95")
    own.converge("rbd_image", name="one", state="absent")
    own.converge("rbd_image", name="two", size="8M")


@pytest.mark.further
def test_open_elsewhere(ceph: Client) -> None:
    ceph.module("rbd_image", name="one", size="8M")
    ceph.module("rbd_snapshot", image="one", name="a")
    with holding(ceph, "one"):
        for state in ("absent", "trashed"):
            said = ceph.refusal("rbd_image", name="one", purge_snapshots=True, state=state)
            assert "it is open on 127.0.0.1:0/" in said
        back: dict[str, Any] = {"image": "one", "name": "a", "allow_destroy": True, "state": "rolled_back_to"}
        assert "it is open on" in ceph.refusal("rbd_snapshot", **back)
        ceph.module("rbd_group", name="all", images=["one"], snapshots=[{"name": "b"}])
        assert "is open on" in ceph.refusal("rbd_group", name="all", rolled_back_to="b", allow_destroy=True)
        ceph.module("rbd_group", name="all", purge_snapshots=True, state="absent")
        # What others need not let go of.
        ceph.converge("rbd_image", name="one", size="16M", metadata={"a": "b"})
    # One that was killed counts until its watch expires; then there is nothing in the way.
    assert "it is open on" in ceph.refusal("rbd_image", name="one", purge_snapshots=True, state="absent")
    ceph.until_closed("one")
    ceph.converge("rbd_image", name="one", purge_snapshots=True, state="absent")
