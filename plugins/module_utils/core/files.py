# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files change atomically, and whole."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable

from .errors import StorageError


def read_file(path: str) -> str | None:
    """The text of a file, None where there is none. Bytes that are not UTF-8 survive a round trip."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace_file(path: str, before: str | None, after: str | None) -> None:
    """Replace a file that still reads as ``before``; after a power cut it is either the old one or the new one.

    None is a file that does not exist.
    """
    path = os.path.realpath(path)
    if read_file(path) != before:
        raise StorageError(f"{path} was changed by somebody else meanwhile; run this again")
    directory = os.path.dirname(path)
    if after is None:
        os.unlink(path)
        sync_directory(directory)
        return
    make_directory(directory)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(after)
            file.flush()
            if before is None:
                os.fchmod(file.fileno(), 0o644)
            else:
                status = os.stat(path)
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
                _copy_attributes(path, temporary)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def check_writable(path: str) -> None:
    """Raises StorageError where nothing can be written at a path, or in the first directory on its way that exists."""
    real = above = os.path.realpath(path)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    found = os.statvfs(above)
    if found.f_flag & os.ST_RDONLY:
        reason = os.strerror(errno.EROFS)
    elif found.f_blocks and not found.f_bfree:
        reason = os.strerror(errno.ENOSPC)
    elif _is_immutable(above) or _is_immutable(real):
        reason = "immutable (chattr +i)"
    else:
        return
    raise StorageError(f"{path}: {reason}, and this has to be written; nothing was changed")


def _is_immutable(path: str) -> bool:
    """By the attributes that some filesystems keep (FS_IOC_GETFLAGS, FS_IMMUTABLE_FL)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return bool(fcntl.ioctl(descriptor, 0x80086601, bytes(8))[0] & 0x10)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def place_line(lines: Iterable[tuple[str, bool, bool]], line: str | None) -> str:
    """The text in which ``line`` stands once, in the place of the first line about the same (None: there is none).

    ``lines``: each with its end, whether it is about the same, and whether it says the same, and so stays as it is.
    """
    kept: list[str] = []
    placed = line is None
    for raw, about, same in lines:
        if not about:
            kept.append(raw)
        elif not placed:
            placed = True
            kept.append(raw if same else f"{line}\n")
    if not placed:
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        kept.append(f"{line}\n")
    return "".join(kept)


def make_directory(path: str) -> None:
    """Create a directory and its missing parents, so that a power cut does not lose them."""
    missing, above = [], path
    while not os.path.exists(above):
        missing.append(above)
        above = os.path.dirname(above)
    os.makedirs(path, exist_ok=True)
    for directory in missing:
        sync_directory(os.path.dirname(directory))


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_attributes(source: str, target: str) -> None:
    """Keep the SELinux label and other extended attributes, where the filesystem has them."""
    try:
        for name in os.listxattr(source):
            os.setxattr(target, name, os.getxattr(source, name))
    except OSError:
        pass
