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
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .dial import dial
from .errors import LabError
from .process import Process

LOOPBACK = "127.0.0.1"
AGENT_PORT = 71
"""Where the guest's agent listens; see lab-agent.socket."""
SILENCE = 40
"""Seconds without a word of the agent, which says one every few seconds, after which the guest hangs.

As long a running guest may take to answer at all.
"""
PATIENCE = 5
"""Seconds for which a guest that starts or ends may do nothing at all."""
CONSOLE_MAGIC, CONSOLE_VERSION, CONSOLE_HEAD = 0xCAFEBABE, 2, 12
DIAL = Path(__file__).parent / "dial.py"


class CommandError(AssertionError):
    """A command in the guest failed; the message shows what it printed."""

    def __init__(self, result: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"rc {result.returncode}: {result.args}\n{result.stdout}{result.stderr}".rstrip())
        self.result = result


@dataclass(frozen=True)
class Access:
    """How the guest is reached: its ssh, in the network namespace of a process or in this one's."""

    address: str
    port: int
    private_key: Path
    known_hosts: Path
    process_file: Path | None = None
    """The file with the number of the process whose network it is in; none: it is in this one's."""
    up_file: Path | None = None
    """The file that the guest makes once its agent listens; none: it makes none, and has to be asked."""
    console: Path | None = None
    """The socket of User Mode Linux's management console."""

    @property
    def options(self) -> list[str]:
        """Options of ssh that trust this guest alone, ask nobody, and do not wait for one that hangs."""
        pairs = {
            "BatchMode": "yes",
            "ConnectTimeout": "60",
            "HostKeyAlias": "lab",
            "IdentitiesOnly": "yes",
            "IdentityFile": self.private_key,
            "ServerAliveCountMax": "3",
            "ServerAliveInterval": "15",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        if self.process_file:
            words = (sys.executable, "-I", "-S", str(DIAL), str(self.process_file), self.address, str(self.port))
            pairs["ProxyCommand"] = shlex.join(words).replace("%", "%%")
            pairs["ProxyUseFdpass"] = "yes"
        return ["-F", "none", *(part for key, value in pairs.items() for part in ("-o", f"{key}={value}"))]

    def ssh(self, *command: str, user: str = "root", tty: bool = False) -> list[str]:
        """Return an ssh command line; without a command it opens a shell."""
        return ["ssh", *self.options, "-t" if tty else "-T", "-p", str(self.port), f"{user}@{self.address}", *command]

    def agent(self, timeout: float) -> Wire:
        """Connect to the guest's agent within `timeout` seconds; OSError where nobody answers."""
        if self.up_file and not self.up_file.exists():
            raise ConnectionRefusedError
        if self.process_file:
            return Wire(dial(str(self.process_file), (self.address, AGENT_PORT), timeout))
        # The agent listens to nobody outside of the guest. ssh would take longer to say that nobody is there.
        with socket.create_connection((self.address, self.port), timeout) as connection:
            connection.settimeout(timeout)
            if connection.recv(4) != b"SSH-":
                raise ConnectionRefusedError
        command = self.ssh()
        command[1:1] = ["-W", f"{LOOPBACK}:{AGENT_PORT}"]
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the connection
        # Not of the terminal's process group: a Ctrl-C is for the lab, which may still need the guest to clean up.
        with theirs:
            process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors, start_new_session=True
            )
        return Wire(ours, process, errors)

    def nudge(self) -> None:
        """Have the kernel in user mode complete a request: of a disk that comes, is looked at, and goes again."""
        if self.console is None:
            return
        with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as console:
            console.bind(f"{place}/answers")
            console.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                deadline = time.monotonic() + PATIENCE
                self._tell(console, "config ubdcr=kernel/config")
                # Somebody may have it open.
                while self._tell(console, "remove ubdc") and time.monotonic() < deadline:
                    time.sleep(0.02)

    def _tell(self, console: socket.socket, command: str) -> bytes:
        """Say what the kernel has against a command."""
        assert self.console is not None
        directory = os.open(self.console.parent, os.O_RDONLY)
        try:
            # A socket's path has room for some hundred letters.
            place = f"/proc/self/fd/{directory}/{self.console.name}"
            words = struct.pack("<III512s", CONSOLE_MAGIC, CONSOLE_VERSION, len(command), command.encode())
            console.sendto(words, place)
        finally:
            os.close(directory)
        return console.recv(1024)[CONSOLE_HEAD:].rstrip(b"\0\n")


class Nudges:
    """For a guest that starts or ends: the kernel in user mode loses the completion of a disk's request at times, and
    then waits until another one is completed.
    """

    def __init__(self, access: Access, process: Process) -> None:
        self._access = access
        self._process = process
        self._look()

    def _look(self) -> None:
        self._ticks = self._process.ticks()
        self._next = time.monotonic() + PATIENCE

    def __call__(self) -> None:
        """Nudge it, if it has not worked for so long."""
        if time.monotonic() > self._next:
            if self._process.ticks() == self._ticks:
                self._access.nudge()
            self._look()


class Wire:
    """A connection to the agent, by a process that carries it or without one."""

    def __init__(
        self,
        connection: socket.socket,
        carrier: subprocess.Popen[bytes] | None = None,
        errors: IO[bytes] | None = None,
    ) -> None:
        self.socket = connection
        self._carrier = carrier
        self._errors = errors

    def broken(self) -> bool:
        """Whether what carries it has ended."""
        return self._carrier is not None and self._carrier.poll() is not None

    def said(self) -> str:
        """What the carrier complained about."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()

    def close(self) -> None:
        """Drop it; commands that run are abandoned."""
        if self._carrier is not None:
            self._carrier.kill()
            self._carrier.wait()
        if self._errors is not None:
            self._errors.close()
        self.socket.close()


class Guest:
    """The machine's inside, as root, over one connection that is made again whenever it has been lost.

    One thread at a time uses it. Errors of the connection are LabError, those of a command CommandError.
    """

    def __init__(self, access: Access, process: Process, link: Callable[[str], str]) -> None:
        """The process says whether the machine runs at all; `link` names a disk in the guest by its serial number."""
        self.access = access
        self._machine = process
        self._link = link
        self._wire: Wire | None = None
        self._buffer = b""
        self._lock = threading.Lock()

    def belong_to(self, access: Access, process: Process, link: Callable[[str], str]) -> None:
        """Be the inside of that machine; a connection to another one is dropped."""
        if (self.access, self._machine) != (access, process):
            self.disconnect()
        self.access, self._machine, self._link = access, process, link

    def connect(self, timeout: float = SILENCE) -> None:
        """Connect within `timeout` seconds, and set the guest's clock; nothing happens if it is connected."""
        if self._wire is not None and not self._wire.broken():
            return
        # One that broke by itself, as when somebody else restarted the machine, still has its pipes.
        self.disconnect()
        deadline = time.monotonic() + timeout
        nudges = Nudges(self.access, self._machine)
        patience = 2.0
        while self._wire is None:
            try:
                self._wire = self.access.agent(min(patience, max(0.1, deadline - time.monotonic())))
            except OSError as error:
                # A guest on a busy processor may need longer for each answer.
                if isinstance(error, TimeoutError):
                    patience *= 1.5
                if not self._machine.alive():
                    raise LabError("the machine stopped") from None
                if time.monotonic() > deadline:
                    raise LabError(f"the guest did not answer in {timeout:g} s") from None
                nudges()
                time.sleep(0.02)
        self._buffer = b""
        # The first one's time is old when it gets there: it has waited for the other end to start.
        for _time in range(2):
            self._exchange({"do": "clock", "seconds": time.time()}, max(5.0, deadline - time.monotonic()))

    def disconnect(self) -> None:
        """Drop the connection; commands that run are abandoned."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    @contextlib.contextmanager
    def ports(self, *numbers: int) -> Iterator[None]:
        """Let the guest reach these ports of this machine's loopback as its own: it has no other way out."""
        forwards = [word for number in numbers for word in ("-R", f"{LOOPBACK}:{number}:{LOOPBACK}:{number}")]
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
        return self._link(serial)

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
        wire = self._wire
        assert wire is not None
        try:
            wire.socket.settimeout(timeout)
            wire.socket.sendall(json.dumps(request).encode() + b"\n")
            deadline = time.monotonic() + timeout
            while True:
                line, newline, rest = self._buffer.partition(b"\n")
                if newline:
                    self._buffer = rest
                    if line:
                        break
                    # What the agent says as long as it works.
                    continue
                patience = min(SILENCE, max(0, deadline - time.monotonic()))
                if not select.select([wire.socket], [], [], patience)[0]:
                    if time.monotonic() < deadline:
                        raise LabError(f"the guest hangs: not a word from it for {SILENCE} s")
                    raise LabError(f"the guest did not answer in {timeout:g} s")
                part = wire.socket.recv(1 << 20)
                if not part:
                    raise LabError("the connection to the guest broke")
                self._buffer += part
        except BaseException as error:
            said = wire.said()
            self.disconnect()
            if isinstance(error, (LabError, OSError)):
                raise LabError(f"{error}\n{said}".strip()) from error
            raise
        answer: dict[str, Any] = json.loads(line)
        return answer
