# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what the collection reads of this host: `record.py ARCHIVE` as root; record.yml brings it there.

It does what `layout_info` does, then plans the document that this returns, and notes each path that is looked at, each
range of a device that is read, and each program that is asked. So the archive has what the collection needs to read
this host again elsewhere, and nothing else: no file systems' contents, no keys.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import fcntl
import io
import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterator
from typing import Any, Callable

SMALL = 1 << 20
#: What is read of these is what they hold; of all other files, such as programs, only that they are there counts.
TOLD = ("/sys/", "/proc/", "/etc/", "/run/", "/var/lib/strata-storage/")
#: What may hold a secret is recorded as an empty file.
SECRET = ("/etc/shadow", "/etc/ssl/", "/etc/ssh/", "/etc/cryptsetup-keys.d/", "/etc/luks")


class Trace:
    """What was looked at while it was on."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.listed: set[str] = set()
        self.ranges: dict[str, set[tuple[int, int]]] = {}
        self.commands: list[tuple[list[str], str, tuple[int, str, str]]] = []
        self.errors: dict[str, int] = {}
        self.ioctls: dict[str, str] = {}
        self.spaces: dict[str, list[int]] = {}
        self._open: dict[int, str] = {}
        self._on = False

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        kept: dict[tuple[Any, str], Callable[..., Any]] = {
            (os, "open"): self._opening(os.open),
            (os, "pread"): self._reading(os.pread, lambda length: length),
            (os, "preadv"): self._reading(os.preadv, lambda buffers: sum(map(len, buffers))),
            (fcntl, "ioctl"): self._asking(fcntl.ioctl),
            (os, "fstatvfs"): self._measuring(os.fstatvfs),
            (builtins, "open"): self._looking(builtins.open),
            **{(os, name): self._looking(getattr(os, name)) for name in ("stat", "lstat", "readlink")},
            **{(os, name): self._looking(getattr(os, name), self.listed) for name in ("listdir", "scandir")},
        }
        former = {place: getattr(*place) for place in kept}
        for (module, name), function in kept.items():
            setattr(module, name, function)
        self._on = True
        try:
            yield
        finally:
            self._on = False
            for (module, name), function in former.items():
                setattr(module, name, function)

    def _looking(self, real: Callable[..., Any], also: set[str] | None = None) -> Callable[..., Any]:
        def look(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            if self._on and isinstance(path, (str, os.PathLike)):
                self.paths.add(os.fspath(path))
                if also is not None:
                    also.add(os.fspath(path))
            return real(path, *arguments, **options)

        return look

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def opening(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            self.paths.add(os.fspath(path))
            try:
                descriptor = real(path, flags, *arguments, **options)
            except OSError as error:
                self.errors[f"open {bool(flags & os.O_EXCL)} {path}"] = error.errno or 0
                raise
            self._open[descriptor] = os.fspath(path)
            return descriptor

        return opening

    def _reading(self, real: Callable[..., Any], length: Callable[[Any], int]) -> Callable[..., Any]:
        def reading(descriptor: int, what: Any, offset: int) -> Any:
            path = self._open.get(descriptor)
            if path:
                self.ranges.setdefault(path, set()).add((offset, length(what)))
            return real(descriptor, what, offset)

        return reading

    def _asking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def asking(descriptor: int, request: int, argument: Any = 0, *more: Any) -> Any:
            given = bytes(argument) if isinstance(argument, (bytes, bytearray)) else b""
            key = f"{self._open.get(descriptor, '')} {request} {base64.b64encode(given[:64]).decode()}"
            answer = real(descriptor, request, argument, *more)
            said = bytes(argument) if isinstance(argument, bytearray) else answer
            if isinstance(said, bytes):
                self.ioctls[key] = base64.b64encode(said).decode()
            return answer

        return asking

    def _measuring(self, real: Callable[[int], os.statvfs_result]) -> Callable[[int], os.statvfs_result]:
        def measuring(descriptor: int) -> os.statvfs_result:
            answer = real(descriptor)
            self.spaces[self._open.get(descriptor, "")] = [*answer]
            return answer

        return measuring

    def asking_commands(self, real: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
        def ask(argv: Any, timeout: Any = 120, given: str = "", *more: Any) -> tuple[int, str, str]:
            answer = real(argv, timeout, given, *more)
            self.commands.append(([str(word) for word in argv], given, answer))
            return answer

        return ask


def look() -> tuple[Any, dict[str, Any], Any, Any]:
    """The host, what layout_info returns of it, and for the document in that the host again, and the plan.

    Where that is refused, None and the reason.
    """
    from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
    from ansible_collections.strata.storage.plugins.module_utils.core.run import answer
    from ansible_collections.strata.storage.plugins.module_utils.document.document import parse
    from ansible_collections.strata.storage.plugins.module_utils.host import layout, survey
    from ansible_collections.strata.storage.plugins.module_utils.host.read import read, read_more

    host, found = answer(read(), read_more, survey.everything)
    wanted = parse(found["layout"])
    try:
        again, plan = answer(read(layout.references(wanted)), read_more, lambda host: layout.plan(host, wanted, ()))
    except StorageError as error:
        return host, found, None, error
    return host, found, again, plan


def look_traced(trace: Trace) -> None:
    from ansible_collections.strata.storage.plugins.module_utils.core import command

    # Before others import it.
    command.ask_command = trace.asking_commands(command.ask_command)
    with trace.on():
        look()


def with_links(paths: set[str]) -> set[str]:
    """Where the paths really are, with each directory and each link on the way."""
    found: set[str] = set()

    def add(path: str) -> None:
        if path != "/" and path not in found:
            found.add(path)
            add(os.path.dirname(path))
            if os.path.islink(path):
                follow(os.path.join(os.path.dirname(path), os.readlink(path)))

    def follow(path: str) -> None:
        parent, name = os.path.split(os.path.normpath(path))
        if name:
            follow(parent)
            add(os.path.join(os.path.realpath(parent), name))

    for path in paths:
        follow(os.path.abspath(path))
    return found


def save(trace: Trace, archive: str) -> None:
    looked_at = {os.path.realpath(path) for path in trace.paths}
    found = with_links(trace.paths)
    for directory in trace.listed:
        with contextlib.suppress(OSError):
            found |= with_links({os.path.join(directory, name) for name in os.listdir(directory)})
    devices: dict[str, dict[str, Any]] = {}
    with tarfile.open(archive, "w:xz") as file:
        for path in sorted(found):
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.mode, entry.mtime = stat.S_IMODE(status.st_mode) | 0o400, int(status.st_mtime)
                data = b""
                if stat.S_ISLNK(status.st_mode):
                    entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
                elif stat.S_ISDIR(status.st_mode):
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                elif stat.S_ISBLK(status.st_mode):
                    devices[path] = device(path, trace)
                    continue
                elif path in looked_at and path.startswith(TOLD) and not path.startswith(SECRET):
                    with open(path, "rb") as told:
                        data = told.read(SMALL)
                entry.size = len(data)
                file.addfile(entry, io.BytesIO(data))
        record = {
            "commands": trace.commands,
            "devices": devices,
            "errors": trace.errors,
            "ioctls": trace.ioctls,
            "spaces": trace.spaces,
        }
        text = json.dumps(record, indent=1).encode()
        entry = tarfile.TarInfo("record.json")
        entry.size = len(text)
        file.addfile(entry, io.BytesIO(text))


def device(path: str, trace: Trace) -> dict[str, Any]:
    """Its size, and the bytes that were read, by their offsets; none that are zero."""
    ranges: dict[str, str] = {}
    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        same = [other for other in trace.ranges if os.path.realpath(other) == path]
        for offset, length in sorted({one for other in same for one in trace.ranges[other]}):
            with contextlib.suppress(OSError):
                data = os.pread(file.fileno(), length, offset)
                if data.strip(b"\0"):
                    ranges[str(offset)] = base64.b64encode(data.rstrip(b"\0")).decode()
    return {"size": size, "ranges": ranges}


if __name__ == "__main__":
    traced = Trace()
    look_traced(traced)
    save(traced, sys.argv[1])
