# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task at a time on a host."""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType

from .command import read_text
from .errors import StorageError

PATH = "/run/strata-storage.lock"


class HostLock:
    """The host's lock: held alone to change, together with other readers to look.

    ``holder`` is what others are told while they wait; ``timeout`` in seconds. A reader creates nothing: where nobody
    ever took the lock there is nothing to wait for. A holder that waits for something else lets go of the lock, by
    leaving it, and enters it again: what it knew of the host before is out of date then.
    """

    def __init__(self, holder: str, timeout: int, *, read_only: bool, path: str = PATH) -> None:
        self._holder = holder
        self._timeout = timeout
        self._read_only = read_only
        self._path = path
        self._held: int | None = None

    def __enter__(self) -> None:
        descriptor = _open(self._path, self._read_only)
        if descriptor is None:
            return
        try:
            self._acquire(descriptor)
            if not self._read_only:
                self._sign(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._held = descriptor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the lock, if it is held."""
        descriptor, self._held = self._held, None
        if descriptor is None:
            return
        if not self._read_only:
            os.ftruncate(descriptor, 0)
        os.close(descriptor)

    def _sign(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        try:
            os.pwrite(descriptor, f"{self._holder}, process {os.getpid()}".encode(), 0)
        except OSError as error:
            # A full disk: whose file it was about tells which one.
            raise OSError(error.errno, error.strerror, self._path) from None

    def _acquire(self, descriptor: int) -> None:
        limit = time.monotonic() + self._timeout
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if self._read_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= limit:
                    raise StorageError(
                        f"another task works on this host's storage ({_who(descriptor)}; lock {self._path}); "
                        f"waited {self._timeout} s for it"
                    ) from None
                from .progress import Progress, reporter

                reporter().tell(lambda: Progress(f"waits for {_who(descriptor)}"))
                time.sleep(0.1)


def _open(path: str, read_only: bool) -> int | None:
    if not read_only:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _who(descriptor: int) -> str:
    """Who holds the lock: what a writer says of itself, unless the kernel knows that it is somebody else.

    A reader says nothing, and a writer that was killed leaves its words behind.
    """
    told = os.pread(descriptor, 200, 0).decode(errors="replace")
    processes = _processes(descriptor)
    if told and (not processes or told.rpartition(" ")[2] in processes):
        return told
    return f"another reader, process {' '.join(processes)}" if processes else "another reader"


def _processes(descriptor: int) -> list[str]:
    """The processes that hold the lock, by the kernel's table (``1: FLOCK ADVISORY READ 123 00:16:7 0 EOF``)."""
    file = os.fstat(descriptor)
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    entries = [line.split() for line in read_text("/proc/locks").splitlines()]
    return [entry[4] for entry in entries if len(entry) > 5 and entry[1] == "FLOCK" and entry[5] == place]
