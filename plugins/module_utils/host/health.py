# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong with a host's storage, or on its way, from what was read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .bcache_health import of_backing, of_cache_set
from .boot import gone_lines
from .findings import CRITICAL, NOTICE, WARNING, Finding, of_devices, of_mount
from .raid_health import not_found, of_array
from .state import Group, Host

_SEVERITIES = (CRITICAL, WARNING, NOTICE)
#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90


def health(host: Host, names: Mapping[str, str]) -> list[Finding]:
    """All that is wrong, what is worst first. ``names`` are what the document calls devices."""
    found = of_devices(host, *host.devices)
    for array in host.arrays:
        found += of_array(host, array)
    found += [not_found(host, line) for line in gone_lines(host)]
    for backing in host.backings:
        found += of_backing(backing)
    for cache_set in host.cache_sets:
        found += of_cache_set(cache_set)
    for group in host.lvm.groups if host.lvm else ():
        found += of_group(group)
    for mount in {mount.mount_point: mount for mount in reversed(host.mounts) if not mount.hidden}.values():
        found += of_mount(host, mount)
    found += _spaces(host)
    found = [finding._replace(name=names.get(finding.name, finding.name)) for finding in found]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


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


def _spaces(host: Host) -> Iterator[Finding]:
    for point, (size, free) in (host.spaces or {}).items():
        used = round(100 * (size - free) / size) if size else 0
        device = next((mount.device for mount in host.mounts if mount.mount_point == point), "")
        if used >= _NEARLY_FULL:
            meaning, remedy = "Writes fail when it is full.", "Make it larger, or remove what is not needed."
            yield Finding(WARNING, device, device, "nearly full", f"{point} is {used} % full", meaning, remedy)
