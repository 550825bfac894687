# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads mounts and swap areas in use, and what is at a mount point."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ...core.command import read_text
from ...core.files import check_writable, read_file
from ..devices import Device
from ..filesystem.types.known import KNOWN
from ..host import Host
from .fstab import Line
from .state import Mount


def read_mounts(
    devices: Mapping[str, Device], by_kernel: Mapping[str, Device]
) -> tuple[tuple[Mount, ...], tuple[Mount, ...], tuple[str, ...]]:
    """The mounts of block devices, those of no block device, and the swap areas in use."""
    mounts, virtual = [], []
    rows = [line.split(" ") for line in (read_file("/proc/self/mountinfo") or "").splitlines()]
    places = {fields[0]: fields[4] for fields in rows}

    def known(path: str) -> str:
        device = by_kernel.get(path[len("/dev/") :].replace("/", "!"))
        return device.path if device else path

    hidden = {fields[1] for fields in rows if fields[1] != fields[0] and places.get(fields[1]) == fields[4]}
    for fields in rows:
        kind, source, options = fields[fields.index("-") + 1 :][:3]
        device = known(os.path.realpath(_unescape(source)))
        if device not in devices:
            # Such as /dev/root, which the kernel calls a root that it mounted without an initramfs.
            device = known(os.path.realpath(f"/dev/block/{fields[2]}"))
        part = fields[3] != "/" and f"subvol={fields[3]}" not in options.split(",")
        known_type = KNOWN.get(kind) if device in devices else None
        kernels, errors = known_type.mounted(os.path.basename(device)) if known_type else ((), ())
        is_hidden, root = fields[0] in hidden, _unescape(fields[3])
        mount = Mount(device, _unescape(fields[4]), kind, fields[5], options, part, is_hidden, errors, root)
        if device not in devices:
            virtual.append(mount._replace(device=_unescape(source)))
            continue
        others = [by_kernel[kernel].path for kernel in kernels if kernel in by_kernel]
        mounts += [mount, *(mount._replace(device=other) for other in others if other != device)]
    swaps = [os.path.realpath(_unescape(line.split()[0])) for line in read_text("/proc/swaps").splitlines()[1:]]
    return tuple(mounts), tuple(virtual), tuple(map(known, swaps))


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def is_empty_directory(path: str) -> bool | None:
    """Whether a directory is empty; None where there is none, and a file is not empty.

    Raises StorageError where it could not be made.
    """
    try:
        return not os.listdir(path)
    except FileNotFoundError:
        check_writable(path)
        return None
    except NotADirectoryError:
        return False


def space(point: str) -> tuple[int, int]:
    """Raises OSError: of a filesystem that was shut down xfs tells the space, and opens nothing."""
    descriptor = os.open(point, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstatvfs(descriptor)
    finally:
        os.close(descriptor)
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize


def leads_to(line: Line, devices: Mapping[str, Device], paths: Mapping[str, str]) -> str | None:
    """The device of a line of fstab, as those find it who mount it."""
    path = os.path.realpath(line.device)
    path = paths.get(path, path)
    return path if path in devices else None


def real_points(host: Host, named: Iterable[Line]) -> dict[str, str]:
    """The mount points of fstab that lie behind symbolic links. What is mounted has no link on its way: a look at it
    could wait for a server, or mount it.
    """
    points = {mount.mount_point for mount in (*host.mounts, *host.virtual)}
    wanted = {line.place for line in named if line.mount_point.startswith("/")} - points
    found = {point: os.path.realpath(point) for point in wanted}
    return {point: real for point, real in found.items() if real != point}
