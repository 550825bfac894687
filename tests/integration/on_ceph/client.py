# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs RBD's modules with the system's Python, as a user's would be, against a cluster of the tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.ceph import Cluster
from tests.ceph.release import python
from tests.integration.modules import ModuleFailed, Modules, printed_of, result_of

CHECKOUT = Path(__file__).resolve().parents[3]
#: The one that Debian's bindings are made for.
PYTHON = python()
#: Ansible and the collection are Python of any version.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{sysconfig.get_paths()['purelib']}:{CHECKOUT}/.venv/collections:{CHECKOUT}",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Server:
    """Forks a process for each module, before which nothing of librbd runs."""

    def __init__(
        self, scratch: Path, python: str = PYTHON, environment: Mapping[str, str] = ENVIRONMENT, packages: str = ""
    ) -> None:
        """``packages`` are imported before, if the modules need more than there is in ``environment``."""
        self._path = scratch / "socket"
        script = CHECKOUT / "tests/integration/server.py"
        command = [python, str(script), str(self._path), *packages.split()]
        self._process = subprocess.Popen(command, env=environment)
        limit = time.monotonic() + 120
        while not self._path.exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError("the server of modules did not start")
            time.sleep(0.01)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def ask(self, module: str, arguments: dict[str, Any], timeout: float = 120) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            limit = time.monotonic() + 10
            while True:
                try:
                    client.connect(str(self._path))
                    break
                except ConnectionRefusedError:
                    # The socket is there a moment before it listens.
                    if time.monotonic() > limit:
                        raise
            client.sendall(json.dumps([module, arguments]).encode() + b"\n")
            return printed_of(b"".join(iter(lambda: client.recv(65536), b"")).decode())


@dataclass
class Client(Modules):
    cluster: Cluster
    server: Server
    namespace: str

    def module(self, module: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        place = {} if module in ("rbd_pool", "rbd_namespace") else {"namespace": self.namespace}
        given = {
            "conf": str(self.cluster.conf),
            **place,
            **arguments,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        return result_of(module, self.server.ask(module, given))

    def check(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """As a user of the cluster that may change nothing."""
        return self.module(module, check=True, **{"client": "reader", **arguments})

    def converge(self, module: str, /, **arguments: Any) -> dict[str, Any]:
        """As everywhere; and what check mode says comes of it is what comes of it."""
        looked = self.check(module, **arguments)
        result = super().converge(module, **arguments)
        assert looked["diff"] == result["diff"], (looked["diff"], result["diff"])
        return result

    def rbd(self, *words: str) -> Any:
        """What the ``rbd`` command says, in this test's namespace."""
        spoken = self.cluster.run("rbd", "--namespace", self.namespace, "--format", "json", *words)
        return json.loads(spoken) if spoken.strip() else None

    def python(self, script: str, *words: str, expect: int = 0) -> str:
        """A script under the Python that has the bindings, in a process of its own."""
        done = subprocess.run(
            [PYTHON, "-c", script, str(self.cluster.conf), self.namespace, *words],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done.stdout.strip()

    @contextmanager
    def starting(self, script: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """The same, while it runs. It is killed at the end."""
        command = [PYTHON, "-c", script, str(self.cluster.conf), self.namespace, *words]
        with subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    def write(self, image: str, text: str, offset: int = 0) -> None:
        self.python(_WRITE, image, text, str(offset))

    def data(self, image: str, size: int, offset: int = 0) -> str:
        return self.python(_READ, image, str(size), str(offset))

    def until_planned(self, module: str, /, **arguments: Any) -> None:
        """Wait until a task is no longer refused, for a client that was killed."""
        limit = time.monotonic() + 60
        while True:
            try:
                self.check(module, **arguments)
                return
            except ModuleFailed:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.2)

    def until_closed(self, image: str) -> None:
        """Wait until nobody has it open. The cluster forgets a dead one after 10 s."""
        limit = time.monotonic() + 60
        while self.rbd("status", f"rbd/{image}")["watchers"]:
            assert time.monotonic() < limit, f"{image} is still open"
            time.sleep(0.2)


OPEN = """
import rados, rbd, sys
cluster = rados.Rados(conffile=sys.argv[1])
cluster.connect()
pool = cluster.open_ioctx("rbd")
pool.set_namespace(sys.argv[2])
"""
_WRITE = f"""{OPEN}
with rbd.Image(pool, sys.argv[3]) as image:
    image.write(sys.argv[4].encode(), int(sys.argv[5]))
"""
_READ = f"""{OPEN}
with rbd.Image(pool, sys.argv[3], read_only=True) as image:
    print(image.read(int(sys.argv[5]), int(sys.argv[4])).decode())
"""
#: Opens an image, takes its lock, and keeps both until it is killed.
_HOLD = f"""{OPEN}
image = rbd.Image(pool, sys.argv[3])
image.write(b"x", 0)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(ceph: Client, image: str) -> Iterator[subprocess.Popen[bytes]]:
    """A client that has an image open, and locked, until it is killed."""
    with ceph.starting(_HOLD, image) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
