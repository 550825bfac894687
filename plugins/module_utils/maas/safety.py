# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and in which words; and a device taken for something new."""

from __future__ import annotations

from uuid import UUID

from ..core.errors import Refused, StorageError
from ..core.plan import Step
from ..document.sizes import show_size
from .actions import Call, at, step, unchanged
from .state import BCACHE, LEFTOVER, MEMBERS, RAID, Device, Filesystem, Machine


def describe(filesystem: Filesystem) -> str:
    words = f"a filesystem {filesystem.type}" if filesystem.type != "swap" else "swap"
    words += f" labelled {filesystem.label!r}" if filesystem.label else ""
    return words + (f", mounted at {filesystem.mount_point}" if filesystem.mount_point not in (None, "none") else "")


def check_member(device: Device, what: str) -> None:
    """Raises Refused where the device as a whole is a part of something."""
    if device.member:
        raise Refused(f"{device.key}: {what}: it is {MEMBERS[device.member]} ({device.user}). Take it out there first")


def check_unused(machine: Machine, device: Device, what: str) -> None:
    """Raises Refused where something is made of the device."""
    check_member(device, what)
    parts = machine.partitions(device.key)
    if parts:
        names = " ".join(part.key for part in parts)
        raise Refused(f"{device.key}: {what}: it has partitions ({names}). Name one of these, or another device")


def lost(device: Device, what: str, allow: bool, who: str = "it") -> tuple[str, ...]:
    """What goes with a device that is removed. Raises Refused without permission, as ``who`` holds it."""
    found = device.filesystem
    if found is None:
        return ()
    if not allow:
        raise Refused(f"{what}: {who} holds {describe(found)}. Set allow_destroy to have that removed too")
    return (f"{device.key}: {describe(found)}",)


def unformat(machine: Machine, device: Device, allow: bool, what: str) -> tuple[tuple[Step, ...], Machine]:
    """Without the filesystem that is on it. Raises Refused without permission."""
    found = device.filesystem
    if found is None:
        return (), machine
    if not allow:
        raise Refused(
            f"{device.key}: {what}: it holds {describe(found)}. Take it out of the document, or set allow_destroy to "
            "have that removed"
        )
    path = at(machine, device)
    calls: tuple[Call, ...] = (Call("POST", path, op="unformat"),)
    if found.mount_point:
        calls = (Call("POST", path, op="unmount"), *calls)
    one = step(
        "unformat",
        "filesystem",
        device.key,
        describe(found),
        *calls,
        claims=unchanged(machine, device),
        destroys=(f"{device.key}: {describe(found)}",),
    )
    return (one,), machine.blank(device.key)


def carried(machine: Machine, key: str) -> str:
    """What would be lost with what a device holds; empty where it holds nothing."""
    device = machine.devices[key]
    if device.filesystem:
        return describe(device.filesystem)
    if device.member:
        return f"it is {MEMBERS[device.member]}, {device.user}"
    found = [part.key for part in machine.partitions(key) if carried(machine, part.key)]
    return f"{' '.join(found)} on it" if found else ""


def check_uuid(text: str, what: str) -> None:
    """Raises StorageError for a UUID that a region would not take."""
    try:
        version = UUID(text).version
    except ValueError:
        raise StorageError(f"{what}: uuid {text!r} is not a UUID") from None
    if version != 4:
        raise StorageError(f"{what}: uuid {text} is not of version 4, and MAAS takes no other")


def remove_leftover(machine: Machine, name: str, what: str, allow: bool) -> tuple[tuple[Step, ...], Machine]:
    """Without what a region keeps of an array or a bcache whose disks have gone. Raises Refused without permission."""
    device = machine.devices.get(name)
    if device is None or device.kind != LEFTOVER:
        return (), machine
    refused = f"{what} cannot be removed"
    check_unused(machine, device, refused)
    one = step(
        "remove",
        LEFTOVER,
        name,
        f"what is left of {what}, whose disks have gone",
        Call("DELETE", at(machine, device)),
        claims=unchanged(machine, device),
        destroys=lost(device, refused, allow),
    )
    return (one,), machine.without(name)


def take(machine: Machine, device: Device, what: str, allow: bool) -> tuple[tuple[Step, ...], Machine]:
    """What makes a device free to become something else. Raises Refused where it is in use."""
    check_unused(machine, device, f"refused as {what}")
    return unformat(machine, device, allow, f"refused as {what}")


def check_once(devices: list[Device], what: str) -> None:
    keys = [device.key for device in devices]
    for key in keys:
        if keys.count(key) > 1:
            raise StorageError(f"{what}: {key} is named twice, by different names")


def check_room(machine: Machine, what: str, size: int) -> None:
    """Raises Refused where volumes or partitions do not fit any more into what lies on something of another size."""
    for device in machine.devices.values():
        parts = machine.partitions(device.key) if device.kind in (RAID, BCACHE) else ()
        if parts and machine.used_by_parts(device) > device.size:
            raise Refused(
                f"{what}: it would become {show_size(size)}, and the partitions of {device.key} "
                f"({' '.join(part.key for part in parts)}) need more"
            )
    for group in machine.groups:
        if machine.group_free(group) < 0:
            raise Refused(
                f"{what}: it would become {show_size(size)}, and the volumes of drive {group.name} on it need more; "
                "make them smaller first"
            )
