# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task at a time on a host."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import StorageError

PATH = "/run/strata-storage.lock"


@contextmanager
def host_lock(holder: str, timeout: int, *, read_only: bool, path: str = PATH) -> Iterator[None]:
    """Hold the host's lock: alone to change, together with other readers to look.

    ``holder`` is what others are told while they wait; ``timeout`` in seconds. A reader creates nothing:
    where nobody ever took the lock there is nothing to wait for.
    """
    descriptor = _open(path, read_only)
    if descriptor is None:
        yield
        return
    try:
        _acquire(descriptor, fcntl.LOCK_SH if read_only else fcntl.LOCK_EX, timeout, path)
        if not read_only:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder}, process {os.getpid()}".encode(), 0)
        yield
    finally:
        if not read_only:
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def _open(path: str, read_only: bool) -> int | None:
    if not read_only:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _acquire(descriptor: int, kind: int, timeout: int, path: str) -> None:
    limit = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= limit:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another reader"
                raise StorageError(
                    f"another task works on this host's storage ({holder}; lock {path}); waited {timeout} s for it"
                ) from None
            time.sleep(0.1)
