# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong with a host's storage, or on its way, from what was read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..document.sizes import show_size
from .bcache.health import of_backing, of_cache_set, of_copies
from .boot import gone_lines
from .devices import Device
from .findings import CRITICAL, NOTICE, WARNING, Finding, of_devices, of_mount
from .host import Host
from .lvm.past import how_to_show, what_is_hidden
from .lvm.state import Group, StrayVolume
from .mount.fstab import FSTAB, lines
from .raid.health import not_found, of_array
from .safety import is_passing, shows_another, twins

_SEVERITIES = (CRITICAL, WARNING, NOTICE)
#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90


def health(host: Host, names: Mapping[str, str]) -> list[Finding]:
    """All that is wrong, what is worst first. ``names`` are what the document calls devices."""
    found = [*of_devices(host, *host.devices), *_paths(host)]
    for array in host.arrays:
        found += of_array(host, array)
    found += [not_found(host, line) for line in gone_lines(host)]
    for backing in host.backings:
        found += of_backing(backing)
    found += of_copies(host.backings)
    for cache_set in host.cache_sets:
        found += of_cache_set(cache_set)
    for group in host.lvm.groups if host.lvm else ():
        found += of_group(group)
    for stray in host.lvm.hidden if host.lvm else ():
        found.append(of_hidden(host, stray))
    for mount in {mount.mount_point: mount for mount in reversed(host.mounts) if not mount.hidden}.values():
        found += of_mount(host, mount)
    found += _spaces(host)
    found += _filesystems(host)
    found = [finding._replace(name=names.get(finding.name, finding.name)) for finding in found]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


def _paths(host: Host) -> Iterator[Finding]:
    """Disks with several paths that nothing puts together."""
    for path, first in host.paths.items():
        device = host.devices[first]
        if device.disk or any("mpath-" in host.devices[holder].identity for holder in device.holders):
            continue
        meaning = "Nothing goes on by the other path where the one that is in use fails."
        yield Finding(
            NOTICE, first, first, "paths", f"{path} is another path to it", meaning, "Have multipathd join them."
        )


def of_group(group: Group) -> Iterator[Finding]:
    """What LVM misses of it. Nothing is changed in it until then."""
    for volume in group.physical_volumes:
        if not volume.missing:
            continue
        partial = [known.name for known in group.volumes if known.health == "partial"]
        meaning = f"Its volumes {', '.join(partial)} are not whole." if partial else "LVM changes nothing in it."
        here = volume.device.startswith("/")
        yield Finding(
            CRITICAL if partial else WARNING,
            volume.device if here else "",
            group.name,
            "missing",
            f"{volume.device} was away while the group changed, and LVM counts it as missing since"
            if here
            else f"its physical volume {volume.uuid} is missing",
            meaning,
            "A task with it says how LVM counts it again."
            if here
            else "Bring the device back. Do not take it out of the group (vgreduce --removemissing): that removes the "
            "volumes that lie on it.",
        )


def of_hidden(host: Host, stray: StrayVolume) -> Finding:
    """A group that LVM does not show. That another host has it may be meant so."""
    return Finding(
        NOTICE if stray.system_id or stray.lock_type else WARNING,
        stray.device,
        stray.device,
        "hidden",
        f"it is {what_is_hidden(host, stray)}",
        "Its volumes cannot be used, and other programs may take the device for unused.",
        f"{how_to_show(host, stray)}.",
    )


def _filesystems(host: Host) -> Iterator[Finding]:
    """What those that were read say of themselves, and which mounted one a boot could take another for."""
    for group in host.lvm.groups if host.lvm else ():
        for volume in group.physical_volumes:
            if volume.device in host.devices and host.devices[volume.device].size < volume.end and not volume.missing:
                yield _cut_off(host.devices[volume.device], group.name, "the group", volume.end)
    for path, found in host.filesystems.items():
        device = host.devices.get(path)
        if found is None or device is None or shows_another(host, device):
            continue
        if found.size > device.size:
            yield _cut_off(device, path, f"its {found.type}", found.size)
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


def _cut_off(device: Device, name: str, what: str, size: int) -> Finding:
    detail = f"{what} has {show_size(size)} of it, and it has only {show_size(device.size)}"
    meaning = "It was made smaller below that, or is a part of something that does not run (an array, for instance)."
    remedy = "Write nothing to it. Start what it is a part of, or make it as large as before."
    return Finding(CRITICAL, device.path, name, "cut off", detail, meaning, remedy)


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
