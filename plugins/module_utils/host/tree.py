# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's storage as a tree: what lies on what, what it is called, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from ..document.sizes import show_size
from .bcache.attach import set_of
from .devices import Device
from .filesystem.types import KINDS
from .health import health
from .host import Host
from .lvm.state import Group
from .mount import plan as mount
from .partition import plan as partition
from .raid import plan as raid
from .safety import describe


def names_of(host: Host) -> dict[str, str]:
    """What items call a device that an item is, or has."""
    names = {doing["device"]: item["name"] for item, doing in partition.survey(host)}
    names.update({array.device: raid.name_of(host, array) for array in host.arrays if array.device})
    names.update({backing.bcache: backing.name for backing in host.backings if backing.bcache})
    for group in groups_of(host):
        names.update({volume.device: f"{group.name}/{volume.name}" for volume in group.volumes if volume.device})
    return names


def tree(host: Host, findings: bool = True) -> list[dict[str, Any]]:
    """All devices, from those that are not made of others up; with what is wrong with them, or (for a diff) with the
    options that they have.
    """
    if not findings:
        # Nobody shall take for blank what nobody looked at.
        host.readable(*(device.path for device in host.devices.values() if _is_unused(host, device)))
    above = _above(host)
    lower = {path for paths in above.values() for path in paths}
    names = names_of(host)
    wrong: dict[str, list[str]] = {}
    for found in health(host, names) if findings else ():
        wrong.setdefault(found.device or found.name, []).append(f"{found.problem}: {found.detail}")

    def branch(path: str) -> dict[str, Any]:
        device = host.devices.get(path)
        return {
            "name": names.get(path) or _name(host, path),
            "type": _type(host, path),
            "size": device.size if device else 0,
            "holds": _holds(host, device) if device else "",
            "mount_points": list(host.mounted(path)),
            "health": wrong.get(path, []),
            **({} if findings else {"options": _options(host, path)}),
            "children": [branch(child) for child in above.get(path, ())],
        }

    return [branch(path) for path, device in host.devices.items() if path not in lower and device.size]


def _options(host: Host, path: str) -> list[str]:
    """What a document says of an array, or of a mount, and neither name nor size nor content shows."""
    bitmaps = [f"bitmap {array.bitmap}" for array in host.arrays if path == array.device and array.bitmap != "none"]
    found = host.filesystems.get(path)
    names = (f"UUID={found.uuid}", *([f"LABEL={found.label}"] if found.label else ()), path) if found else (path,)
    line = mount.find_line(host, mount.Target("device", path, path, path, found.type if found else "", names))
    return bitmaps + ([line.options] if line and line.options != mount.DEFAULTS else [])


def _name(host: Host, path: str) -> str:
    """What the kernel calls a device; a mapped one, whose number says nothing, what it was mapped as."""
    if "<" in path:
        return host.shown(path)
    return (host.stable(path) if path.startswith("/dev/dm-") else path).replace("/dev/", "", 1)


def _above(host: Host) -> dict[str, list[str]]:
    """For each device what lies on it; of what does not run, the name."""
    above: dict[str, list[str]] = {}

    def put(lower: str, upper: str) -> None:
        if upper not in above.setdefault(lower, []):
            above[lower].append(upper)

    for device in host.devices.values():
        if device.disk:
            put(device.disk, device.path)
    for array in host.arrays:
        for member in array.members:
            if member.role != "former":
                put(member.device, array.device or raid.name_of(host, array))
    for backing in host.backings:
        put(backing.device, backing.bcache or backing.name)
        cache_set = set_of(host, backing)
        if cache_set:
            put(cache_set.device, backing.bcache or backing.name)
    for group in groups_of(host):
        for volume in group.physical_volumes:
            for logical in group.volumes:
                put(volume.device, logical.device or f"{group.name}/{logical.name}")
    known = {upper for uppers in above.values() for upper in uppers}
    for device in host.devices.values():
        for holder in device.holders:
            if holder in host.devices and holder not in known:
                put(device.path, holder)
    return above


def _type(host: Host, path: str) -> str:
    device = host.devices.get(path)
    for array in host.arrays:
        if path == array.device or (not array.device and path == raid.name_of(host, array)):
            return f"raid{array.level}" if array.level.isdigit() else array.level
    for backing in host.backings:
        if path in (backing.bcache, backing.name):
            return f"bcache {backing.cache_mode}" if backing.cache_set else "bcache"
    if device is None or any(path == volume.device for group in groups_of(host) for volume in group.volumes):
        return "lvm"
    return "part" if device.disk else "device" if path.startswith("/dev/dm-") else "disk"


def _is_unused(host: Host, device: Device) -> bool:
    return bool(
        device.kernel
        and device.size
        and not device.silent
        and not device.holders
        and not device.partitions
        and not host.mounted(device.path)
    )


def _holds(host: Host, device: Device) -> str:
    """A filesystem, or what else was read of it and is nobody's part."""
    found = host.filesystems.get(device.path)
    if found:
        label = f' "{found.label}"' if found.label else ""
        space = [(host.spaces or {})[point] for point in host.mounted(device.path) if point in (host.spaces or {})]
        used = f", {show_size(space[0][0] - space[0][1])} used" if space else ""
        return f"{found.type}{label}{used}"
    content = host.contents.get(device.path)
    told = {"linux_raid_member", "LVM2_member", "bcache", "gpt", "dos", "unseen"}
    if device.path in host.filesystems:
        told |= {*KINDS}
    return " and ".join(
        describe(signature) for signature in (content.signatures if content else ()) if signature.type not in told
    )


def below(host: Host, *paths: str) -> set[str]:
    """These devices and all that they are made of."""
    under: dict[str, list[str]] = {}
    for lower, uppers in _above(host).items():
        for upper in uppers:
            under.setdefault(upper, []).append(lower)
    reached: set[str] = set()
    left = list(paths)
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            left += under.get(path, [])
    return reached


def groups_of(host: Host) -> tuple[Group, ...]:
    """Those that were read: a tree is also drawn of hosts whose volume groups nobody asked for."""
    return host.lvm.groups if host.lvm else ()
