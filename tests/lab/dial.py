# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect in the network namespace of a process: as a function, and as ssh's ProxyCommand.

`dial.py FILE ADDRESS PORT` connects there and hands the socket over by its standard output (ssh's ProxyUseFdpass). The
file has the process's number, which is another one after each boot.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000


def enter(pid: int) -> None:
    """Have this thread's new sockets in the network namespace of a process."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"network namespace of process {pid}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def dial(file: str, address: tuple[str, int], timeout: float) -> socket.socket:
    """Connect from the network namespace of a file's process; this thread stays in its own. Raises OSError."""
    made: list[socket.socket | OSError] = []

    def run() -> None:
        try:
            enter(number_in(file))
            made.append(socket.create_connection(address, timeout))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (result,) = made
    if isinstance(result, OSError):
        raise result
    return result


def number_in(file: str) -> int:
    """The number of the process that a file names."""
    with open(file, encoding="ascii") as text:
        return int(text.read())


def main() -> None:
    file, address, port = sys.argv[1:]
    try:
        enter(number_in(file))
        with socket.create_connection((address, int(port)), 60) as connection, socket.socket(fileno=1) as ssh:
            socket.send_fds(ssh, [b"\0"], [connection.fileno()])
    except OSError as error:
        sys.exit(f"lab: the guest does not answer: {error}")


if __name__ == "__main__":
    main()
