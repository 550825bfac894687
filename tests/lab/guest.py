# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests do inside of the machine."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import select
import shlex
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError
from .machine import wwn

ADDRESS = "127.0.0.1"
AGENT = f"{ADDRESS}:71"
"""Where the guest's agent listens, as seen from the guest; see lab-agent.socket."""


class CommandError(AssertionError):
    """A command in the guest failed; the message shows what it printed."""

    def __init__(self, result: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"rc {result.returncode}: {result.args}\n{result.stdout}{result.stderr}".rstrip())
        self.result = result


@dataclass(frozen=True)
class Access:
    """How ssh reaches the guest."""

    port: int
    private_key: Path
    known_hosts: Path

    @property
    def options(self) -> list[str]:
        """Options of ssh that trust this guest alone and ask nobody."""
        pairs = {
            "BatchMode": "yes",
            "ConnectTimeout": "60",
            "HostKeyAlias": "lab",
            "IdentitiesOnly": "yes",
            "IdentityFile": self.private_key,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        return ["-F", "none", *(part for key, value in pairs.items() for part in ("-o", f"{key}={value}"))]

    def ssh(self, *command: str, user: str = "root", tty: bool = False) -> list[str]:
        """Return an ssh command line; without a command it opens a shell."""
        return ["ssh", *self.options, "-t" if tty else "-T", "-p", str(self.port), f"{user}@{ADDRESS}", *command]

    def answers(self, timeout: float) -> bool:
        """Whether sshd greets within `timeout` seconds."""
        try:
            with socket.create_connection((ADDRESS, self.port), timeout) as connection:
                connection.settimeout(timeout)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def disk_path(serial: str) -> str:
    """The path of a disk in the guest that is the same at each boot."""
    return f"/dev/disk/by-id/wwn-0x{wwn(serial):016x}"


class Guest:
    """The machine's inside, as root, over one connection that is made again whenever it has been lost.

    One thread at a time uses it. Errors of the connection are LabError, those of a command CommandError.
    """

    def __init__(self, access: Access, alive: Callable[[], bool]) -> None:
        """`alive` says whether the machine runs at all: nobody waits for one that does not."""
        self.access = access
        self.alive = alive
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._lock = threading.Lock()

    def connect(self, timeout: float = 120) -> None:
        """Connect within `timeout` seconds, and set the guest's clock; nothing happens if it is connected."""
        if self._process is not None and self._process.poll() is None:
            return
        # One that broke by itself, as when somebody else restarted the machine, still has its pipes.
        self.disconnect()
        deadline = time.monotonic() + timeout
        while not self.access.answers(min(2.0, max(0.1, deadline - time.monotonic()))):
            if not self.alive():
                raise LabError("the machine stopped")
            if time.monotonic() > deadline:
                raise LabError(f"ssh did not answer in {timeout:g} s")
            time.sleep(0.05)
        command = self.access.ssh()
        command[1:1] = ["-W", AGENT]
        self._buffer = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the connection
        # Not of the terminal's process group: a Ctrl-C is for the lab, which may still need the guest to clean up.
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        # The first one's time is old when it gets there: it has waited for the other end to start.
        for _time in range(2):
            self._exchange({"do": "clock", "seconds": time.time()}, max(5.0, deadline - time.monotonic()))

    def disconnect(self) -> None:
        """Drop the connection; commands that run are abandoned."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._errors.close()

    @contextlib.contextmanager
    def ports(self, *numbers: int) -> Iterator[None]:
        """Let the guest reach these ports of this machine's loopback as its own: it has no other way out."""
        forwards = [word for number in numbers for word in ("-R", f"{ADDRESS}:{number}:{ADDRESS}:{number}")]
        command = self.access.ssh()
        command[1:1] = ["-N", "-o", "ExitOnForwardFailure=yes", *forwards]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as forwarding:
            try:
                for number in numbers:
                    listens = f"ss --no-header --listening --tcp --numeric sport = :{number} | grep -q ."
                    self.until(listens)
                yield
            finally:
                forwarding.terminate()

    def run(
        self,
        command: str,
        check: bool = True,
        timeout: float = 300,
        input: str | None = None,  # noqa: A002
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command; after `timeout` seconds its process group is killed and TimeoutExpired raised.

        With `check` a return code other than 0 raises CommandError.
        """
        data = None if input is None else base64.b64encode(input.encode()).decode()
        answer = self._ask({"do": "run", "command": command, "timeout": timeout, "input": data}, timeout + 15)
        stdout, stderr = (base64.b64decode(answer[key]).decode(errors="replace") for key in ("stdout", "stderr"))
        if answer["timed_out"]:
            raise subprocess.TimeoutExpired(command, timeout, stdout, stderr)
        result = subprocess.CompletedProcess(command, int(answer["rc"]), stdout, stderr)
        if check and result.returncode:
            raise CommandError(result)
        return result

    def until(self, condition: str) -> None:
        """Wait, as long as `run` does, until a shell command succeeds."""
        self.run(f"until {condition}; do sleep 0.05; done")

    def read(self, path: str) -> str:
        """Return the text of a file; OSError as if it were a file of this machine."""
        return base64.b64decode(self._ask({"do": "read", "path": path}, 300)["data"]).decode(errors="replace")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace the text and mode of a file."""
        data = base64.b64encode(text.encode()).decode()
        self._ask({"do": "write", "path": path, "data": data, "mode": mode}, 300)

    def ask(self, path: str, line: str, timeout: float = 300) -> str:
        """Send a line to a Unix socket of the guest and return all that comes back.

        OSError where nobody listens, TimeoutError after `timeout` seconds of silence.
        """
        request = {"do": "ask", "path": path, "line": line, "timeout": timeout}
        return base64.b64decode(self._ask(request, timeout + 15)["data"]).decode(errors="replace")

    def push(self, local_dir: str | os.PathLike[str], remote_dir: str, timeout: float = 300) -> None:
        """Copy the contents of a directory into a directory of the guest, which is made if it is missing."""
        self.connect()
        remote = shlex.quote(remote_dir)
        with tempfile.TemporaryFile() as archive:
            tar = ["tar", "--create", "--owner=0", "--group=0", "--directory", os.fspath(local_dir), "."]
            subprocess.run(tar, stdout=archive, check=True, timeout=timeout)
            archive.seek(0)
            unpack = self.access.ssh(f"mkdir -p {remote} && tar --extract --directory {remote}")
            done = subprocess.run(unpack, stdin=archive, check=False, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise CommandError(done)

    def disk(self, serial: str) -> str:
        """Return the stable path of a disk: /dev/disk/by-id/…"""
        return f"/dev/disk/by-id/wwn-0x{wwn(serial):016x}"

    def kernel_name(self, serial: str) -> str:
        """Return the kernel's present name of a disk, such as sdb."""
        return self.run(f"readlink -e {shlex.quote(self.disk(serial))}").stdout.strip().rpartition("/")[2]

    def _ask(self, request: dict[str, object], timeout: float) -> dict[str, Any]:
        with self._lock:
            self.connect()
            answer = self._exchange(request, timeout)
        if "error" in answer:
            # A socket's time limit, of all that the agent does, has no number.
            raise OSError(answer["errno"] or errno.ETIMEDOUT, answer["error"])
        return answer

    def _exchange(self, request: dict[str, object], timeout: float) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            deadline = time.monotonic() + timeout
            while b"\n" not in self._buffer:
                if not select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise LabError(f"the guest did not answer in {timeout:g} s")
                part = process.stdout.read(1 << 20)
                if not part:
                    raise LabError("the connection to the guest broke")
                self._buffer += part
        except BaseException as error:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            self.disconnect()
            if isinstance(error, (LabError, OSError)):
                raise LabError(f"{error}\n{said}".strip()) from error
            raise
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
