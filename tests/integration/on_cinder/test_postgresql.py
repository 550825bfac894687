# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database on a real PostgreSQL, reached by a URL with a password."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import ModuleFailed
from tests.integration.on_ceph.client import Server

from .client import PACKAGES, Backend, python

PASSWORD = "corr3ct-h0rse"


@pytest.fixture
def url() -> Iterator[str]:
    """A server of its own, which does not run as root, and only listens on the loopback."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        (home / "password").write_text(PASSWORD)
        for path in (home, home / "password"):
            shutil.chown(path, "postgres", "postgres")
        other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL"]
        make = [f"{programs}/initdb", "-D", f"{home}/data", "-A", "scram-sha-256", f"--pwfile={home}/password", "-N"]
        subprocess.run([*other, *make], check=True, capture_output=True, cwd=home)
        serve = [f"{programs}/postgres", "-D", f"{home}/data", "-p", str(port), "-k", str(home), "-h", "127.0.0.1"]
        with subprocess.Popen([*other, *serve], cwd=home, stderr=subprocess.DEVNULL) as server:
            try:
                limit = time.monotonic() + 60
                ready = [f"{programs}/pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
                while subprocess.run(ready, check=False).returncode:
                    assert time.monotonic() < limit, "PostgreSQL did not start"
                    time.sleep(0.05)
                yield f"postgresql+psycopg2://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)
    finally:
        shutil.rmtree(home)


def tables(url: str) -> list[str]:
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    target = url.replace("+psycopg2", "")
    done = subprocess.run(["psql", "-At", "-c", asked, target], check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.further
def test_a_database_of_postgresql(backend: Backend, url: str) -> None:
    backend.defaults["persistence"] = {"url": url}
    specs: dict[str, Any] = {"extra_specs": {"tier": "gold"}, "qos_specs": {"total_iops_sec": "500"}}
    backend.check("cinder_volume", name="db", size="1G", **specs)
    # Looking makes no tables.
    assert backend.module("cinder_backend_info")["volumes"] == []
    assert tables(url) == []
    made = backend.volume("db", size="1G", **specs)
    assert {key: made["volume"][key] for key in specs} == specs
    assert "volumes" in tables(url)
    backend.converge("cinder_snapshot", volume="db", name="nightly")
    backend.volume("copy", source_volume="db", source_snapshot="nightly")
    backend.volume("db", size="2G", **specs)
    gone: dict[str, Any] = {"state": "absent", "allow_destroy": True}
    backend.volume("copy", **gone)
    backend.converge("cinder_snapshot", volume="db", name="nightly", **gone)
    ended = backend.volume("db", **gone)
    assert backend.images() == []
    assert not (backend.state / "cinder.sqlite").exists()
    assert PASSWORD not in json.dumps([made, ended])


@pytest.mark.further
def test_two_hosts_with_one_database(backend: Backend, url: str, known: dict[str, str], tmp_path: Path) -> None:
    """Both want the same at once. One gets it, and the other gets it or one clear sentence; there is one of each."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec unshare --uts sh -c \'hostname web9; exec "$@"\' sh {python()} "$@"\n')
    wrapper.chmod(0o755)
    backend.defaults["persistence"] = {"url": url}
    backend.module("cinder_volume", name="db", size="1G")
    with Server(tmp_path, str(wrapper), known, PACKAGES) as server:
        other = replace(backend, server=server, state=tmp_path / "other")

        def both(module: str, **words: Any) -> None:
            told: list[str] = []

            def task(host: Backend) -> None:
                try:
                    host.module(module, **words)
                except ModuleFailed as failed:
                    told.append(failed.result["msg"])

            threads = [threading.Thread(target=task, args=(host,)) for host in (backend, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            said = (
                "another host has made it meanwhile",
                "and the database does not",
                "could not be found",
                "image not found",
            )
            assert len(told) < 2
            assert all(any(one in text for one in said) for text in told), told
            for host in (backend, other):
                host.unchanged(module, **words)

        both("cinder_volume", name="new", size="1G")
        both("cinder_volume", name="new", size="2G")
        both("cinder_snapshot", volume="db", name="nightly")
        both("cinder_volume", name="copy", source_volume="db")
        assert len(backend.images()) == 3
        gone: dict[str, Any] = {"state": "absent", "allow_destroy": True}
        both("cinder_snapshot", volume="db", name="nightly", **gone)
        both("cinder_volume", name="copy", **gone)
        both("cinder_volume", name="new", **gone)
        assert len(backend.images()) == 1
        backend.module("cinder_volume", name="db", state="present")
        assert backend.module("cinder_backend_info", gather=["manageable"])["manageable"] == []
