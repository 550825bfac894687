# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine in user mode writes to all of its disks, in one order: each beginning of it is a possible power cut.

The machine's disks are files of this host, and the kernel of this host asks here (seccomp's user notification) before
each of the machine's writes and flushes is done. The guest notices nothing but the time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .errors import LabError
from .seccomp import FLUSHES, WRITES, supported

MARK = "disks/mark"
"""The file on the host that the guest writes marks to, as /run/lab-disks/mark."""
PUNCH_HOLE = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
"""id, thread, flags; then number, architecture, instruction pointer and arguments of the system call."""
ANSWER = struct.Struct("=QqiI")


class Entry(NamedTuple):
    """A write (`write`), zeros (`punch`), a flush (`flush`) of a file; or a mark with the text of `data` (`mark`)."""

    kind: str
    file: str
    """Below the lab's directory."""
    offset: int = 0
    length: int = 0
    data: bytes = b""


class Recorder:
    """Keeps what a process and its children write to files below a directory, until the last of them ends."""

    def __init__(self, directory: Path) -> None:
        if not supported():
            raise LabError(f"writes are recorded on {', '.join(WRITES)} only, and not on {platform.machine()}")
        self.entries: list[Entry] = []
        self.error: BaseException | None = None
        self._directory = directory.resolve()
        self._mine, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def descriptor(self) -> int:
        """What the machine is started with; see seccomp.py."""
        return self._theirs.fileno()

    def start(self) -> None:
        """Begin, when the process has been started."""
        self._theirs.close()
        self._thread.start()

    def wait(self) -> list[Entry]:
        """Return all of it, when the process has ended."""
        self._thread.join(30)
        if self._thread.is_alive():
            raise LabError("the recorder of writes does not end")
        if self.error is not None:
            raise LabError(f"writes could not be recorded: {self.error}") from self.error
        return self.entries

    def _run(self) -> None:
        try:
            with self._mine:
                _data, (listener,), _flags, _address = socket.recv_fds(self._mine, 1, 1)
            try:
                self._listen(listener)
            finally:
                os.close(listener)
        except BaseException as error:
            self.error = error

    def _listen(self, listener: int) -> None:
        machine = platform.machine()
        names = {number: name for name, number in {**WRITES[machine], **FLUSHES[machine]}.items()}
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            ((_descriptor, events),) = poll.poll()
            if not events & select.POLLIN:
                return
            asked = bytearray(NOTIFICATION.size)
            try:
                fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, asked)
            except FileNotFoundError:  # killed meanwhile
                continue
            number, thread, _flags, call, _architecture, _pointer, *arguments = NOTIFICATION.unpack(asked)
            # A machine that is killed has not done what it asked for last: it is not kept.
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                entry = self._entry(thread, names[call], arguments)
                goes_on = SECCOMP_USER_NOTIF_FLAG_CONTINUE if names[call] in WRITES[machine] else 0
                answer = ANSWER.pack(number, 0, 0, goes_on)
                fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer)
                if entry is not None:
                    self.entries.append(entry)

    def _entry(self, thread: int, call: str, arguments: list[int]) -> Entry | None:
        path = Path(os.readlink(f"/proc/{thread}/fd/{arguments[0]}"))
        if not path.is_relative_to(self._directory):
            return None
        file = str(path.relative_to(self._directory))
        if call == "pwrite":
            address, length, offset = arguments[1:4]
            with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
                data = os.pread(memory.fileno(), length, address)
            return Entry("mark" if file == MARK else "write", file, offset, length, data)
        if call == "fallocate":
            mode, offset, length = arguments[1:4]
            return Entry("punch", file, offset, length) if mode == PUNCH_HOLE else None
        return None if file == MARK else Entry("flush", file)


def replay(entries: Iterable[Entry], directory: Path) -> None:
    """Do to the files below a directory what was recorded."""
    descriptors: dict[str, int] = {}
    try:
        for entry in entries:
            if entry.kind in ("write", "punch"):
                if entry.file not in descriptors:
                    descriptors[entry.file] = os.open(directory / entry.file, os.O_WRONLY)
                data = entry.data or bytes(entry.length)
                os.pwrite(descriptors[entry.file], data, entry.offset)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)
