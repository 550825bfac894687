# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine's process on this host: started in a directory, told from others, and killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

PR_SET_PDEATHSIG = 1


def boot_id() -> str:
    """Identify this run of the host's kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Process:
    """A process that can be told from another one that got the same pid."""

    pid: int
    started: int
    """Clock ticks since the host's boot."""
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return the running process of that pid; LabError if there is none."""
        started = _start_time(pid)
        if started is None:
            raise LabError(f"process {pid} is gone")
        return cls(pid, started, boot_id())

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.boot_id == boot_id() and _start_time(self.pid) == self.started

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for its end; say whether it came."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if self.alive():
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(timeout * 1000)
        finally:
            os.close(descriptor)
        _reap(self.pid)
        return not self.alive()

    def ticks(self) -> int:
        """Return for how long it has worked, in the system's ticks."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return int(fields[11]) + int(fields[12])

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The descriptor keeps the pid from being given away between the look and the blow.
            if self.alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)
        if not self.wait(30):
            raise LabError(f"the machine (process {self.pid}) does not die")


def _start_time(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # A killed process holds its disks until the last of its threads is gone, of which the first is no sign.
        dead = fields[0] in ("Z", "X") and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if dead else int(fields[19])


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Have the signals that end this process come when what is done here is done."""
    if threading.current_thread() is not threading.main_thread():
        # No signal interrupts that one.
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def end_with(parent: int) -> None:
    """Have this process killed when its parent ends, however that does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


# A parent that ended before the kernel was asked is not noticed by it.
OWNED = '[ "$PPID" = "$0" ] || exit; exec "$@"'


def spawn(
    command: list[str],
    directory: Path,
    log: str,
    *,
    owned: bool,
    environment: Mapping[str, str] | None = None,
    descriptors: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a machine in its directory; what it prints goes to the log. An owned one dies with this process."""
    with (directory / log).open("ab") as output:
        try:
            # A session of its own, so that the terminal's Ctrl-C reaches only the lab, which then cleans up.
            return subprocess.Popen(
                [*(("setpriv", "--pdeathsig", "KILL", "sh", "-c", OWNED, str(os.getpid())) if owned else ()), *command],
                cwd=directory,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=descriptors,
            )
        except FileNotFoundError as error:
            raise LabError(
                f"{error.filename} is not installed (see {Path(__file__).parent / 'packages.txt'})"
            ) from error
