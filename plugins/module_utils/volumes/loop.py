# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that are files of the host itself, attached as loop devices. It needs no account and no library."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket

from ..core.command import run_command, wait_until
from ..core.errors import StorageError
from ..core.execute import flush
from ..core.files import make_directory, sync_directory
from .provider import Adopt, Attach, Create, Delete, Detach, Resize, TakeSnapshot
from .remote import check_this_host
from .state import Cloud, Limits, Snapshot, Volume

DIRECTORY = "/var/lib/strata-storage/volumes"
MiB = 1 << 20
_SUFFIX, _SNAPSHOT = ".volume", ".snapshot"


class Loop:
    """The volumes below a directory, which has one directory for each drive."""

    def __init__(self, directory: str, timeout: int) -> None:
        self._directory, self._timeout = directory, timeout

    def read(self, drive: str, machine: str, volume_type: str, snapshots: bool = False) -> Cloud:
        host = socket.gethostname()
        check_this_host(machine or host, "loop")
        if volume_type:
            raise StorageError(f"policy: volume_type: {volume_type} was given, and the provider loop has no types")
        place = os.path.join(self._directory, drive)
        names = sorted(os.listdir(place)) if os.path.isdir(place) else []
        attached = _attached() if names else {}
        volumes = tuple(_volume(os.path.join(place, name), attached, host) for name in names if name.endswith(_SUFFIX))
        kept = tuple(_snapshot(place, name) for name in names if name.endswith(_SNAPSHOT)) if snapshots else ()
        return Cloud(drive, host, "", volumes, (), Limits(smallest=16 * MiB, granularity=MiB), kept)

    def create(self, action: Create) -> str:
        place = os.path.join(self._directory, action.drive)
        make_directory(place)
        # A name of which there are snapshots is not used again.
        used = {_snapshot(place, name).volume for name in os.listdir(place) if name.endswith(_SNAPSHOT)}
        names = (action.token + (f"-{life}" if life else "") + _SUFFIX for life in itertools.count())
        path = next(path for path in (os.path.join(place, name) for name in names) if path not in used)
        if not os.path.exists(path):
            _set_size(f"{path}.new", action.size, os.O_CREAT | os.O_TRUNC)
            os.rename(f"{path}.new", path)
            sync_directory(os.path.dirname(path))
        return path

    def adopt(self, action: Adopt) -> None:
        raise StorageError(f"{action.volume} cannot be tagged: the directory that it is in says which drive it is of")

    def attach(self, action: Attach) -> None:
        if not os.path.exists("/dev/loop-control") or not os.path.isdir("/sys/module/loop"):
            # Not each host loads it when it is asked for a device.
            run_command(("modprobe", "loop"))
        if action.volume not in _attached():
            run_command(("losetup", "--find", action.volume))

    def detach(self, action: Detach) -> None:
        device = _attached().get(action.volume)
        if device:
            run_command(("losetup", "--detach", device))
            # A device that is in use is detached once it is not.
            wait_until(
                lambda: action.volume not in _attached(), self._timeout, f"until {device} is not in use, and it is"
            )

    def resize(self, action: Resize) -> None:
        if os.path.getsize(action.volume) < action.size:
            _set_size(action.volume, action.size)
        device = _attached().get(action.volume)
        if device:
            run_command(("losetup", "--set-capacity", device))

    def snapshot(self, action: TakeSnapshot) -> None:
        path = f"{action.volume.removesuffix(_SUFFIX)}.{action.token}{_SNAPSHOT}"
        if os.path.exists(path):
            return
        device = _attached().get(action.volume)
        flush((device,) if device else ())
        try:
            # Where the filesystem can, the copy shares the blocks of the file, and is made at once.
            run_command(
                ("cp", "--sparse=always", "--reflink=auto", action.volume, f"{path}.new"), timeout=self._timeout
            )
            flush((f"{path}.new",))
            os.rename(f"{path}.new", path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(f"{path}.new")
            raise
        sync_directory(os.path.dirname(path))

    def delete(self, action: Delete) -> None:
        device = _attached().get(action.volume)
        if device:
            raise StorageError(f"{action.volume} is attached as {device}, and only a detached volume can be deleted")
        if os.path.exists(action.volume):
            os.unlink(action.volume)
            sync_directory(os.path.dirname(action.volume))


def _volume(path: str, attached: dict[str, str], host: str) -> Volume:
    about = os.stat(path)
    device = attached.get(path, "")
    return Volume(
        path,
        about.st_size,
        state="in-use" if device else "available",
        machine=host if device else "",
        link="attached" if device else "",
        device=device,
    )


def _snapshot(place: str, name: str) -> Snapshot:
    volume, _dot, token = name.removesuffix(_SNAPSHOT).rpartition(".")
    return Snapshot(os.path.join(place, name), os.path.join(place, volume + _SUFFIX), token)


def _attached() -> dict[str, str]:
    """The loop device of each file that has one."""
    told = run_command(("losetup", "--json", "--list", "--output", "NAME,BACK-FILE"))
    return {one["back-file"]: one["name"] for one in (json.loads(told)["loopdevices"] if told.strip() else ())}


def _set_size(path: str, size: int, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
