# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what tests ask of the guest: a JSON request on each line of a connection, a JSON answer on each.

Before an answer that takes its time come empty lines, so that whoever waits can tell work from a guest that hangs.
In QEMU it runs before anybody asks, as a part of the snapshot: to start Python takes a second under software emulation.
systemd hands the socket over as descriptor 3.
"""

from __future__ import annotations

import base64
import contextlib
import json
import mmap
import os
import signal
import socket
import subprocess
import threading
import time
from typing import Any

BEAT_SECONDS = 5


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a shell command; a command out of time is killed with all of its process group."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", request["command"]],
        stdin=subprocess.DEVNULL if request["input"] is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    data = None if request["input"] is None else base64.b64decode(request["input"])
    timed_out = False
    try:
        stdout, stderr = process.communicate(data, timeout=request["timeout"])
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        try:
            stdout, stderr = process.communicate(timeout=2)
        except subprocess.TimeoutExpired as late:
            # Unkillable in the kernel, or a process that left the group holds the pipes.
            stdout, stderr = late.stdout or b"", late.stderr or b""
    return {
        "rc": process.returncode,
        "stdout": base64.b64encode(stdout).decode(),
        "stderr": base64.b64encode(stderr).decode(),
        "timed_out": timed_out,
    }


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Return the contents of a file."""
    with open(request["path"], "rb") as file:
        return {"data": base64.b64encode(file.read()).decode()}


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Replace the contents and the mode of a file."""
    with open(request["path"], "wb") as file:
        os.fchmod(file.fileno(), request["mode"])
        file.write(base64.b64decode(request["data"]))
    return {}


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Send a line to a Unix socket and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(request["timeout"])
        server.connect(request["path"])
        server.sendall(request["line"].encode() + b"\n")
        with server.makefile("rb") as answer:
            return {"data": base64.b64encode(answer.read()).decode()}


def clock(request: dict[str, Any]) -> dict[str, Any]:
    """Set the clock, which a snapshot has turned back."""
    time.clock_settime(time.CLOCK_REALTIME, request["seconds"])
    return {}


DOES = {"run": run, "read": read, "write": write, "ask": ask, "clock": clock}


def serve(connection: socket.socket) -> None:
    """Answer until the connection ends."""
    with connection.makefile("rb") as lines:
        for line in lines:
            request = json.loads(line)
            done = threading.Event()
            beat = threading.Thread(target=say_alive, args=(connection, done), daemon=True)
            beat.start()
            try:
                answer = DOES[request["do"]](request)
            except OSError as error:
                answer = {"errno": error.errno, "error": str(error)}
            done.set()
            beat.join()
            connection.sendall(json.dumps(answer).encode() + b"\n")


def say_alive(connection: socket.socket, done: threading.Event) -> None:
    """Send an empty line every few seconds until the work is done; have a disk's request completed (see Nudges)."""
    while not done.wait(BEAT_SECONDS):
        connection.sendall(b"\n")
        with contextlib.suppress(FileNotFoundError):
            disk = os.open("/dev/ubdb", os.O_RDONLY | os.O_DIRECT)
            os.preadv(disk, [mmap.mmap(-1, mmap.PAGESIZE)], 0)
            os.close(disk)


def main() -> None:
    """Fork for each connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(fileno=3)
    while True:
        connection, _address = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            try:
                serve(connection)
            finally:
                os._exit(0)
        connection.close()


if __name__ == "__main__":
    main()
