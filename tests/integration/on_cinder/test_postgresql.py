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
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .client import Backend

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
