# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with filesystems, mounted or not."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import WARNING, Finding, cut_off, of_mount
from ..host import Host
from ..mount.fstab import FSTAB, lines
from ..safety import is_passing, shows_another, twins

#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90


def health(host: Host) -> Iterator[Finding]:
    """Of what is mounted, and of what was read."""
    for mount in {mount.mount_point: mount for mount in reversed(host.mounts) if not mount.hidden}.values():
        yield from of_mount(host, mount)
    yield from _spaces(host)
    yield from _filesystems(host)


def _filesystems(host: Host) -> Iterator[Finding]:
    """What those that were read say of themselves, and which mounted one a boot could take another for."""
    for path, found in host.filesystems.items():
        device = host.devices.get(path)
        if found is None or device is None or shows_another(host, device):
            continue
        if found.size > device.size:
            yield cut_off(device, path, f"its {found.type}", found.size)
        # What a mounted one has counted is told with its mount.
        if found.damaged and not any(mount.errors for mount in host.mounts if mount.device == path):
            meaning, remedy = (
                "Something in it may be damaged.",
                "Copy what it holds, and have it checked (e2fsck -f -n).",
            )
            yield Finding(
                WARNING, path, path, "errors", f"its {found.type} says that errors were found", meaning, remedy
            )
        point = next(iter(host.mounted(path)), "")
        line = next((line for line in lines(host.files.get(FSTAB)) if line.place == point), None)
        tag = line.tag if line and line.tag else f"UUID={found.uuid}"
        # A boot mounts no snapshot, and no loop device, unless a line says so.
        meant = bool(point) and found.devices == 1 and (line is not None or not is_passing(host, path))
        others = twins(host, path, tag) if meant else []
        if others:
            detail = f"{' and '.join(others)} has the same {tag}"
            meaning = "A boot may mount either of them."
            remedy = "Find out which one is wanted; disconnect the other, or give it a UUID and a label of its own."
            yield Finding(WARNING, path, path, "twice", detail, meaning, remedy)


def _spaces(host: Host) -> Iterator[Finding]:
    told = set()
    for point, (size, free) in (host.spaces or {}).items():
        used = round(100 * (size - free) / size) if size else 0
        mount = next((mount for mount in host.mounts if mount.mount_point == point), None)
        device = mount.device if mount else ""
        written = not mount or "rw" in mount.options.split(",")
        if used >= _NEARLY_FULL and written and device not in told:
            told.add(device)
            meaning, remedy = "Writes fail when it is full.", "Make it larger, or remove what is not needed."
            yield Finding(WARNING, device, device, "nearly full", f"{point} is {used} % full", meaning, remedy)
