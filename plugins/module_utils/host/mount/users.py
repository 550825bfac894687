# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read about mounts only where one is to change: who uses it, and which options the kernel takes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

from ...core.command import read_text

#: As many are named.
_NAMED = 3
#: System calls of the same number on each processor that Linux 5.2 and newer runs on.
_FSOPEN, _FSCONFIG = 430, 431
_CLOSE_ON_EXEC = 1
_SET_FLAG, _SET_STRING = 0, 1


def users(point: str, swaps: tuple[str, ...]) -> str:
    """Processes, loop devices and swap files that keep a mount busy, as a sentence names them; empty for none.

    Processes of another mount namespace, and what only the kernel holds (an NFS export), are not found.
    """
    found = [*_processes(point), *_loops(point), *(f"swap file {path}" for path in swaps if _inside(path, point))]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _inside(path: str, point: str) -> bool:
    return path == point or path.startswith(f"{point.rstrip('/')}/")


def _processes(point: str) -> Iterator[str]:
    for number in filter(str.isdigit, os.listdir("/proc")):
        if any(_inside(path, point) and _is_on(link, point) for link, path in _open_paths(f"/proc/{number}")):
            yield f"process {number} ({read_text(f'/proc/{number}/comm')})"


def _is_on(link: str, point: str) -> bool:
    """Whether a path is what it says here: in a container, the same one is something else."""
    try:
        return os.stat(link).st_dev == os.stat(point).st_dev
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        # A filesystem whose device died tells nothing.
        return True


def _open_paths(process: str) -> Iterator[tuple[str, str]]:
    """Its directories, program, open files, and files in its memory: links of procfs, and what they lead to.

    A process may end meanwhile.
    """
    links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
    try:
        links += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    except OSError:
        return
    for link in links:
        try:
            yield link, os.readlink(link)
        except OSError:
            continue
    for line in read_text(f"{process}/maps").splitlines():
        fields = line.split(None, 5)
        if len(fields) > 5:
            place = "-".join(f"{int(address, 16):x}" for address in fields[0].split("-"))
            yield f"{process}/map_files/{place}", fields[5]


def _loops(point: str) -> Iterator[str]:
    for kernel in os.listdir("/sys/block"):
        if kernel.startswith("loop") and _inside(read_text(f"/sys/block/{kernel}/loop/backing_file"), point):
            yield f"/dev/{kernel}"


def refusal(kind: str, option: str) -> str:
    """Why the kernel does not take a mount option of a filesystem; empty where it does, or where it cannot tell.

    It is asked by the interface that mount uses, with no device and no mount. A filesystem that is not loaded is not
    asked, and one that reads its options only when it mounts (btrfs before Linux 6.8) takes all.
    """
    if kind not in read_text("/proc/filesystems").split():
        return ""
    libc = ctypes.CDLL(None, use_errno=True)
    context = libc.syscall(_FSOPEN, kind.encode(), _CLOSE_ON_EXEC)
    if context < 0:
        return ""
    try:
        key, is_pair, value = option.partition("=")
        how, text = (_SET_STRING, value.encode()) if is_pair else (_SET_FLAG, None)
        if libc.syscall(_FSCONFIG, context, how, key.encode(), text, 0) == 0:
            return ""
        error = os.strerror(ctypes.get_errno())
        try:
            # Behind a letter that says how grave it is.
            return os.read(context, 4096).decode(errors="replace").partition(" ")[2].strip()
        except OSError:
            return error
    finally:
        os.close(context)
