# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a program whose flushes cost nothing, and that may be asked before it writes: seccomp.py DESCRIPTOR COMMAND …

A flush only protects from a crash of this host, for which no machine here is meant: it is answered as done. The
descriptor is of a Unix socket; whoever is at its other end gets what it listens by, and is asked before each write and
flush (write_log.py). Without one, `-`, writes are done as ever.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import sys

WRITES = {"x86_64": {"pwrite": 18, "fallocate": 285}}
FLUSHES = {"x86_64": {"fsync": 74, "fdatasync": 75}}
SECCOMP_CALL = {"x86_64": 317}
AUDIT_ARCH = {"x86_64": 0xC000003E}
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
"""With the error number in its low bits: none, so the call returns 0."""


def supported() -> bool:
    """Whether the numbers of this processor's system calls are known."""
    return platform.machine() in WRITES


def install_filter(asked: bool) -> int | None:
    """Have this process and its children not flush; or ask before they write or flush, and return the listener."""
    machine = platform.machine()
    calls = sorted([*FLUSHES[machine].values(), *(WRITES[machine].values() if asked else ())])
    otherwise = SECCOMP_RET_USER_NOTIF if asked else SECCOMP_RET_ERRNO
    # Load the architecture and the number, compare it with each call, and allow what is none of them.
    program = [(0x20, 0, 0, 4), (0x15, 0, len(calls) + 1, AUDIT_ARCH[machine]), (0x20, 0, 0, 0)]
    program += [(0x15, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    program += [(0x06, 0, 0, SECCOMP_RET_ALLOW), (0x06, 0, 0, otherwise)]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    text = ctypes.create_string_buffer(code)
    header = struct.pack("@HP", len(program), ctypes.addressof(text))
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    flags = SECCOMP_FILTER_FLAG_NEW_LISTENER if asked else 0
    listener = int(call(SECCOMP_CALL[machine], SECCOMP_SET_MODE_FILTER, flags, header))
    if listener < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return listener if asked else None


def main() -> None:
    """Hand over the listener, if somebody asks for it, and become the program."""
    descriptor, *command = sys.argv[1:]
    if descriptor != "-":
        with socket.socket(fileno=int(descriptor)) as recorder:
            listener = install_filter(asked=True)
            assert listener is not None
            socket.send_fds(recorder, [b"\0"], [listener])
        os.close(listener)
    elif supported():
        install_filter(asked=False)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
