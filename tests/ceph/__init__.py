# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Ceph cluster of one monitor and one OSD, and a manager if it is asked for, as plain processes on the loopback.

In memory it is there within a second, and is lost when its OSD is killed; on BlueStore it takes five, and is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from functools import cached_property
from pathlib import Path
from types import TracebackType

from .release import entered

#: What the manager's Python finds before its own.
_MANAGER = Path(__file__).parent / "manager"
_CONF = """\
[global]
fsid = {fsid}
mon_host = v2:{address}:{port}/0
mon_initial_members = a
public_addr = {address}
cluster_addr = {address}
ms_bind_msgr1 = false
auth_allow_insecure_global_id_reclaim = false
keyring = {home}/keyring
run_dir = {home}/run
admin_socket =
log_file = {home}/log/$name.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 2000
rbd_default_clone_format = 2
[client]
log_file = /dev/null
rbd_mirror_pool_replayers_refresh_interval = 1
rbd_mirror_image_state_check_interval = 1
rbd_mirror_leader_heartbeat_interval = 1
[mon]
mon_data = {home}/mon
mon_data_avail_crit = 0
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[mgr]
mgr_data = {home}/mgr
mgr_stats_period = 1
[osd]
osd_data = {home}/osd.$id
osd_objectstore = {store}
memstore_device_bytes = {size}
bluestore_block_size = {size}
osd_fast_shutdown = false
osd_client_watch_timeout = 10
osd_memory_target = 939524096
"""
#: What names the site of a mirrored pool, and what an import from S3 is signed with.
_READER = 'profile rbd-mirror, allow command "config-key get" with "key" prefix "rbd/import/"'
_CAPS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *"},
    # What check mode runs as in tests: it cannot change anything.
    "client.reader": {"mon": _READER, "osd": "profile rbd-read-only", "mgr": "profile rbd-read-only"},
    "client.nobody": {"mon": "allow r"},
}
_OSD_CAPS = {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"}


class Cluster:
    """Runs as a context manager; ``conf`` is what clients are given. ``size`` of the OSD in bytes.

    ``manager``: with a ceph-mgr, which counts what is stored. An erasure-coded pool takes three ``osds``.
    """

    def __init__(
        self,
        store: str = "memstore",
        size: int = 4 << 30,
        address: str = "127.0.0.1",
        manager: bool = False,
        osds: int = 1,
    ) -> None:
        # Paths of sockets must be short.
        self._scratch = tempfile.TemporaryDirectory(prefix="ceph-", dir="/tmp")
        self.home = Path(self._scratch.name)
        self.conf = self.home / "ceph.conf"
        self.keyring = self.home / "keyring"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._manager = manager
        for directory in ("run", "log", "mon", "mgr"):
            (self.home / directory).mkdir()
        with socket.socket() as free:
            free.bind((address, 0))
            port = free.getsockname()[1]
        self._fsid = str(uuid.uuid4())
        self._osds = {"osd" if number == 0 else f"osd.{number}": number for number in range(osds)}
        self.conf.write_text(
            _CONF.format(fsid=self._fsid, address=address, port=port, home=self.home, store=store, size=size)
        )
        self._address, self._store, self._size = f"v2:{address}:{port}", store, size
        # What connects to a peer looks for its own configuration there.
        self.environment = {**os.environ, "CEPH_CONF": str(self.conf)}

    def __enter__(self) -> Cluster:
        try:
            self._make()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, *command: str) -> str:
        """A program of Ceph's, on this cluster."""
        return self.output(*command).decode()

    def output(self, *command: str) -> bytes:
        """The same, of one that writes more than text."""
        spoken = [*entered(), *command]
        done = subprocess.run(spoken, env=self.environment, capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    @cached_property
    def release(self) -> int:
        """The first part of its version."""
        return int(self.run("ceph", "--version").split()[2].partition(".")[0])

    def ceph(self, *words: str) -> str:
        return self.run("ceph", "--connect-timeout", "10", *words)

    def pool(self, name: str) -> None:
        """A pool that RBD can use."""
        self.ceph("osd", "pool", "create", name, "8")
        self.run("rbd", "pool", "init", name)

    def until_stored(self, pool: str, size: int, within: int = 8 << 20) -> None:
        """Wait until the manager counts about as many bytes in a pool."""
        limit = time.monotonic() + 60
        while True:
            told = json.loads(self.ceph("df", "--format", "json"))["pools"]
            if any(one["name"] == pool and abs(one["stats"]["stored"] - size) < within for one in told):
                return
            if time.monotonic() > limit:
                raise RuntimeError(f"pool {pool} does not store {size} bytes: {told}")
            time.sleep(0.2)

    def until_managed(self) -> None:
        """Wait for the manager. Where all processors are busy, its modules of Python take long to load."""
        limit = time.monotonic() + 180
        while not json.loads(self.ceph("mgr", "stat", "--format", "json"))["available"]:
            if time.monotonic() > limit:
                raise RuntimeError(f"no manager came up; see {self.home}/log")
            time.sleep(0.05)

    def ports(self) -> tuple[int, ...]:
        """What clients connect to."""
        monitor = int(self._address.rpartition(":")[2])
        osd = json.loads(self.ceph("osd", "dump", "--format", "json"))["osds"][0]["public_addr"]
        return monitor, int(osd.partition("/")[0].rpartition(":")[2])

    def start(self, daemon: str) -> None:
        """``mon``, ``mgr``, ``osd`` or ``rbd-mirror``, in the foreground, so that it ends with us."""
        number = {"mon": "a", "mgr": "x", "rbd-mirror": "admin"}.get(daemon) or str(self._osds[daemon])
        program = daemon if daemon == "rbd-mirror" else f"ceph-{daemon[:3]}"
        # It ends with us also where we are killed.
        command = [*entered(), "setpriv", "--pdeathsig", "KILL", program, "-i", number, "-c", str(self.conf), "-f"]
        environment = {**self.environment, "PYTHONPATH": str(_MANAGER)} if daemon == "mgr" else self.environment
        log = (self.home / "log" / f"{daemon}.out").open("ab")
        with log:
            # An OSD of Ceph 18 that is started in a checkout looks for its classes there.
            self._daemons[daemon] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=environment, cwd="/"
            )

    def kill(self, daemon: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self._daemons.pop(daemon)
        process.send_signal(how)
        process.wait(30)

    def pid(self, daemon: str) -> int:
        return self._daemons[daemon].pid

    def pause(self, daemon: str) -> None:
        """Have it hang, until ``go_on``."""
        self._daemons[daemon].send_signal(signal.SIGSTOP)

    def go_on(self, daemon: str) -> None:
        self._daemons[daemon].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for process in self._daemons.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        self._daemons.clear()
        self._scratch.cleanup()

    def _make(self) -> None:
        keyring = str(self.keyring)
        self.run("ceph-authtool", "--create-keyring", keyring)
        osds = {f"osd.{number}": _OSD_CAPS for number in self._osds.values()}
        for name, caps in {**_CAPS, **osds}.items():
            words = [word for service, cap in caps.items() for word in ("--cap", service, cap)]
            self.run("ceph-authtool", keyring, "--gen-key", "-n", name, *words)
        monitors = str(self.home / "monmap")
        self.run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", f"[{self._address}]", monitors)
        self.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, "--keyring", keyring, "-c", str(self.conf))
        self.start("mon")
        if self._manager:
            self.start("mgr")
        for daemon, number in self._osds.items():
            self._make_osd(daemon, str(number))
        limit = time.monotonic() + 60
        while json.loads(self.ceph("osd", "stat", "--format", "json"))["num_up_osds"] < len(self._osds):
            if time.monotonic() > limit:
                raise RuntimeError(f"no OSD came up; see {self.home}/log")
            time.sleep(0.05)
        if self._manager:
            self.until_managed()
        self.pool("rbd")

    def _make_osd(self, daemon: str, number: str) -> None:
        home, osd = self.home / f"osd.{number}", str(uuid.uuid4())
        home.mkdir()
        self.ceph("osd", "new", osd, number)
        if self._store == "bluestore":
            with (home / "block").open("wb") as block:
                block.truncate(self._size)
        self.run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", osd, "-c", str(self.conf))
        self.start(daemon)
