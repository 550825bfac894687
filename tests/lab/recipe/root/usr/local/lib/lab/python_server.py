# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forks a process for each `lab-python`, with what Ansible imports from the standard library loaded already.

Of a task that does little, software emulation spends most on starting Python, on those imports, on compiling what
Ansible sends along, and on importing that: the shelf keeps both.
systemd hands the socket over as descriptor 3.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import dataclasses
import gc
import importlib
import marshal
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
import zipimport
from collections.abc import Mapping

from python_shelf import File, Shelf, imported, kept

PIDFD_GETFD = 438
IMPORTED = (
    "argparse array ast base64 copy ctypes.util dataclasses datetime decimal dis enum errno fcntl fnmatch functools"
    " gettext glob grp hashlib inspect io ipaddress json linecache locale logging lzma math numbers operator pathlib"
    " pkgutil platform pwd queue random re resource runpy select selectors shlex shutil stat string struct subprocess"
    " syslog tempfile textwrap time tokenize typing unicodedata urllib.parse uuid zipfile zlib encodings.cp437"
    " encodings.idna"
)


def exec_kept(source: str, globals: dict[str, object], locals: Mapping[str, object]) -> None:  # noqa: A002
    """What dataclasses write for each class, compiled once."""
    exec(kept("<string>", source), globals, locals)


def take_over(client: int) -> None:
    """Have the files, the environment, the directory and the umask of a process."""
    pidfd = os.pidfd_open(client)
    call = ctypes.CDLL(None).syscall
    for number in (0, 1, 2):
        os.dup2(call(PIDFD_GETFD, pidfd, number, 0), number)
    os.close(pidfd)
    with open(f"/proc/{client}/environ", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0") if entry]
    os.environb.clear()
    os.environb.update({name: value for name, _equals, value in pairs})
    with open(f"/proc/{client}/status") as status:
        os.umask(next(int(line.split()[1], 8) for line in status if line.startswith("Umask:")))
    os.chdir(f"/proc/{client}/cwd")
    os.setsid()


def arguments_of(client: int) -> list[str]:
    """The arguments of a process that runs a script."""
    with open(f"/proc/{client}/cmdline", "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0")[2:-1]]


def run(arguments: list[str]) -> int:
    """Run a file with its arguments, or what comes by standard input; return the exit status."""
    main = types.ModuleType("__main__")
    if arguments:
        sys.path.insert(0, os.path.dirname(os.path.realpath(arguments[0])))
        main.__file__ = arguments[0]
    else:
        sys.path.insert(0, "")
    sys.argv = arguments or [""]
    sys.modules["__main__"] = main
    status = 1
    try:
        with open(arguments[0] if arguments else 0, "rb", closefd=bool(arguments)) as file:
            source = file.read()
        exec(compile(source, arguments[0] if arguments else "<stdin>", "exec", dont_inherit=True), main.__dict__)
        status = 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status = (end.code or 0) & 0xFF
        else:
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return status


def serve(connection: socket.socket, shelf: Shelf, news: socket.socket) -> None:
    """Run what a client was started for; what is neither a file nor standard input is left to it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    client = struct.unpack("3i", credentials)[0]
    arguments = arguments_of(client)
    if arguments and arguments[0].startswith("-"):
        return
    take_over(client)
    connection.sendall(b"taken\n")
    process = os.getpid()
    status = run(arguments)
    if os.getpid() != process:
        # What it forked ends like that; the client waits for the first of them.
        os._exit(status)
    if new := {name: tuple(file) for name, file in imported().items() if shelf.files.get(name) != file}:
        news.sendall(marshal.dumps(new))
    connection.sendall(b"%d\n" % status)


def main() -> None:
    """Fork for each connection."""
    del sys.path[0]
    for name in IMPORTED.split():
        importlib.import_module(name)
    zipimport._compile_source = kept  # type: ignore[attr-defined]
    dataclasses.exec = exec_kept  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(fileno=3)
    news, news_of_children = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shelf = Shelf()
    while True:
        if news in select.select([listener, news], [], [])[0]:
            shelf.fill({name: File(*file) for name, file in marshal.loads(news.recv(1 << 20)).items()})
            continue
        connection, _address = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            news.close()
            sys.meta_path.insert(0, shelf)
            try:
                serve(connection, shelf, news_of_children)
            finally:
                os._exit(1)
        connection.close()


if __name__ == "__main__":
    main()
