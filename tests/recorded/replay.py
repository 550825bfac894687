# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Be a recorded host for a while: `on_host(NAME, function)` calls a function where that host is all that there is."""

from __future__ import annotations

import base64
import ctypes
import fcntl
import functools
import importlib
import json
import os
import pickle
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path
from typing import Any, Callable, TypeVar

from ansible_collections.strata.storage.plugins.module_utils.core import command

PACKAGE = command.__name__.rpartition(".core.")[0]
HOSTS = Path(__file__).parent / "hosts"
CLONE_NEWUSER = 0x10000000
Answer = TypeVar("Answer")


class ReplayError(AssertionError):
    """The function failed there, or looked at what is not on record."""


def names() -> list[str]:
    """All hosts on record."""
    return sorted(path.name.removesuffix(".tar.xz") for path in HOSTS.glob("*.tar.xz"))


def on_host(name: str, function: Callable[[], Answer]) -> Answer:
    """What the function returns, in a process of its own whose root directory is that host's. Raises ReplayError.

    The root directory of a process is changed by root, or in a user namespace.
    """
    _import_all()
    with tempfile.TemporaryDirectory() as root:
        record = _unpack(HOSTS / f"{name}.tar.xz", root)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                _enter(root)
                _answer_as(record)
                said = pickle.dumps((True, function()))
            except BaseException:
                said = pickle.dumps((False, traceback.format_exc()))
            with open(writer, "wb") as pipe:
                pipe.write(said)
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
    done, answer = pickle.loads(said)
    if not done:
        raise ReplayError(answer)
    found: Answer = answer
    return found


@functools.cache
def _import_all() -> None:
    """What is imported late would be looked for on that host."""
    root = Path(command.__file__).parents[1]
    for room in ("core", "document", "host"):
        for path in sorted((root / room).rglob("*.py")):
            importlib.import_module(".".join((PACKAGE, *path.relative_to(root).with_suffix("").parts)))
    for name in ("difflib", "encodings.utf_16_le"):
        importlib.import_module(name)


def _unpack(archive: Path, root: str) -> dict[str, Any]:
    with tarfile.open(archive) as file:
        # Who sent it may be unknown: nothing is written through a link, since all of these are made last.
        for member in sorted(file.getmembers(), key=tarfile.TarInfo.issym):
            here = Path(root, member.name)
            if ".." in here.parts:
                raise ReplayError(f"{archive}: {member.name} is outside of the host's root directory")
            here.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                here.symlink_to(member.linkname)
            elif member.isdir():
                here.mkdir(exist_ok=True)
            else:
                content = file.extractfile(member)
                here.write_bytes(content.read() if content else b"")
                os.utime(here, (member.mtime, member.mtime))
    record: dict[str, Any] = json.loads(Path(root, "record.json").read_text())
    for path, device in record["devices"].items():
        here = Path(root, path.lstrip("/"))
        here.parent.mkdir(parents=True, exist_ok=True)
        with here.open("wb") as file:
            file.truncate(device["size"])
            for offset, data in device["ranges"].items():
                file.seek(int(offset))
                file.write(base64.b64decode(data))
    return record


def _enter(root: str) -> None:
    if os.geteuid():
        user, group = os.geteuid(), os.getegid()
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "no user namespace for a root directory of its own")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    os.chroot(root)
    os.chdir("/")


def _answer_as(record: dict[str, Any]) -> None:
    """Have programs and devices answer as they did there."""
    said: dict[str, list[Any]] = {}
    for argv, given, answer in record["commands"]:
        said.setdefault(json.dumps([argv, given]), []).append(answer)

    def ask_command(argv: Any, timeout: Any = 120, given: str = "", *_more: Any) -> tuple[int, str, str]:
        answers = said.get(json.dumps([[str(word) for word in argv], given]))
        if not answers:
            raise ReplayError(f"not on record: {command.spoken(argv)}")
        # What was asked several times may have changed meanwhile; the last answer stays.
        code, output, errors = answers[0] if len(answers) == 1 else answers.pop(0)
        return code, output, errors

    paths: dict[int, str] = {}
    really_open = os.open

    def open_(path: Any, flags: int, *more: Any, **options: Any) -> int:
        number = record["errors"].get(f"open {bool(flags & os.O_EXCL)} {path}")
        if number:
            raise OSError(number, os.strerror(number), path)
        # A file in memory is not read past the page cache.
        descriptor = really_open(path, flags & ~os.O_DIRECT, *more, **options)
        paths[descriptor] = os.fspath(path)
        return descriptor

    def ioctl(descriptor: int, request: int, argument: Any = 0, *_more: Any) -> Any:
        given = bytes(argument) if isinstance(argument, (bytes, bytearray)) else b""
        key = f"{paths.get(descriptor, '')} {request} {base64.b64encode(given[:64]).decode()}"
        if key not in record["ioctls"]:
            raise ReplayError(f"not on record: ioctl {key}")
        answer = base64.b64decode(record["ioctls"][key])
        if isinstance(argument, bytearray):
            argument[:] = answer
            return 0
        return answer

    def fstatvfs(descriptor: int) -> os.statvfs_result:
        return os.statvfs_result(record["spaces"][paths[descriptor]])

    for module in [module for name, module in sys.modules.items() if name.startswith(PACKAGE)]:
        if hasattr(module, "ask_command"):
            setattr(module, "ask_command", ask_command)  # noqa: B010 – mypy does not know which module it is
    os.open = open_
    os.fstatvfs = fstatvfs
    fcntl.ioctl = ioctl  # type: ignore[assignment]
