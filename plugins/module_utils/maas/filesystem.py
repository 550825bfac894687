# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems and where they are mounted, on devices of any kind; and those that are on none."""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.filesystem import OnDevice, Use, check_mount_options, check_new_label
from .actions import Call, at, fields, step, tag, unchanged
from .document import Special
from .safety import check_unused, check_uuid, describe, unformat
from .state import ALLOCATED, DISK, PARTITION, Device, Filesystem, Machine, remount_tag

Steps = tuple[Step, ...]
#: Where the region says that swap is mounted.
NOWHERE = "none"
#: What a deployment could not make a label of, in characters; MAAS takes more.
_LONGEST_LABEL = {"ext2": 16, "ext4": 16, "fat32": 11, "swap": 15, "vfat": 11, "xfs": 12}
#: What MAAS takes of a label, a mount point and the options of a mount, in characters.
_LONGEST = 255


def plan(machine: Machine, want: OnDevice, allow: bool, uuid: str = "") -> Plan:
    device = machine.device(want.device, "filesystems")
    if want.state == "absent":
        return Plan(*unformat(machine, device, allow, "its filesystem cannot be removed"))
    return Plan(*put_to_use(machine, device, want.use, allow, uuid))


def put_to_use(machine: Machine, device: Device, use: Use, allow: bool, uuid: str = "") -> tuple[Steps, Machine]:
    """What is on a device, and where it is mounted. Formatting it anew drops the mount, which is then made again."""
    steps: Steps = ()
    before = device.filesystem
    kind = use.filesystem or (before.type if before else None)
    if kind is None:
        if use.mount_point or use.label or uuid:
            raise StorageError(f"{device.key}: it holds no filesystem; say the type of the one that it shall have")
        return (), machine
    mount = _mount_wanted(device, kind, use)
    if before is None or before.type != kind or use.label not in (None, before.label) or uuid not in ("", before.uuid):
        check_unused(machine, device, "refused for a filesystem")
        if mount and use.mount_point is None and kind != "swap":
            device = _noted(machine, device, mount)
        more, machine, device = _format(machine, device, kind, use, allow, uuid)
        steps += more
    return _mount(machine, device, mount, steps)


def _mount_wanted(device: Device, kind: str, use: Use) -> tuple[str, str] | None:
    """Where it is to be mounted, and with which options. Omitted is as it is, or was before it was formatted anew."""
    found = device.filesystem
    point = found.mount_point if found else None
    options = found.mount_options if found else ""
    if point is None and device.remount:
        point, options = device.remount
    if use.mount_point is not None:
        point = use.mount_point or None
    elif kind == "swap":
        point = NOWHERE
    elif point == NOWHERE:
        point = None
    if use.mount_options is not None:
        options = use.mount_options
        if options and point is None:
            raise StorageError(f"{device.key}: mount_options {options}, and it has no mount_point")
    if point is None:
        return None
    if kind == "swap":
        point = NOWHERE
    return point, options


def _noted(machine: Machine, device: Device, mount: tuple[str, str]) -> Device:
    """With a note of where it is mounted, for after a cut. A region tags disks only while their machine is Ready."""
    if machine.status == ALLOCATED and device.kind != PARTITION:
        raise Refused(
            f"{device.key}: it is mounted at {mount[0]}, and formatting it anew drops that; {machine.hostname} is "
            f"{ALLOCATED}, so that cannot be noted meanwhile. Say mount_point too"
        )
    return device._replace(remount=mount)


def _format(
    machine: Machine, device: Device, kind: str, use: Use, allow: bool, uuid: str
) -> tuple[Steps, Machine, Device]:
    before = device.filesystem
    if device.kind == DISK and device.key == machine.boot_disk:
        raise Refused(
            f"{device.key}: it is the boot disk, and MAAS puts no filesystem on that itself; make a partition on it"
        )
    if machine.is_esxi(device):
        raise Refused(f"{device.key}: it belongs to ESXi's image, and MAAS does not format it; choose another device")
    if before and not allow:
        wanted = kind + (f" labelled {use.label!r}" if use.label else "") + (f" of UUID {uuid}" if uuid else "")
        raise Refused(
            f"{device.key}: it holds {describe(before)}, and {wanted} is wanted; set allow_destroy to have it "
            "formatted anew"
        )
    check_new_label(use.label or "", device.key)
    most = _LONGEST_LABEL.get(kind, _LONGEST)
    if len(use.label or "") > most:
        raise StorageError(f"{device.key}: label {use.label!r}: that of {kind} has at most {most} characters")
    label = use.label if use.label is not None else before.label if before and before.type == kind else ""
    if uuid:
        check_uuid(uuid, device.key)
    note: tuple[Call, ...] = ()
    if device.remount and device.remount != machine.devices[device.key].remount:
        note = (tag(machine, device, remount_tag(device.remount)),)
    call = Call("POST", at(machine, device), fields(fstype=kind, label=label or None, uuid=uuid or None), op="format")
    one = step(
        "format",
        "filesystem",
        device.key,
        f"{kind}{f' labelled {label}' if label else ''}",
        *note,
        call,
        claims=unchanged(machine, device),
        destroys=(f"{device.key}: {describe(before)}",) if before else (),
    )
    formatted = device._replace(filesystem=Filesystem(kind, label, uuid), used_for="")
    return (one,), machine.with_device(formatted), formatted


def _mount(machine: Machine, device: Device, mount: tuple[str, str] | None, steps: Steps) -> tuple[Steps, Machine]:
    """Where it is to be (None: nowhere), without a note of where it was."""
    found = device.filesystem
    if found is None:
        return steps, machine
    calls: tuple[Call, ...] = ()
    if mount is None:
        if found.mount_point is None and not device.remount:
            return steps, machine
        verb, what = "unmount", f"from {found.mount_point or 'nowhere'}"
        calls = (Call("POST", at(machine, device), op="unmount"),) * bool(found.mount_point)
        after = found._replace(mount_point=None, mount_options="")
    else:
        point, options = mount
        if (found.mount_point, found.mount_options) == (point, options) and not device.remount:
            return steps, machine
        verb, what = "mount", "as swap" if point == NOWHERE else point + (f" ({options})" if options else "")
        after = found._replace(mount_point=point, mount_options=options)
        if after != found:
            _check_mount(point, options, device.key)
            _check_free(machine, device, point)
            target = fields(mount_point=None if point == NOWHERE else point, mount_options=options or None)
            calls = (Call("POST", at(machine, device), target, op="mount"),)
    if device.remount:
        calls += (tag(machine, device, remount_tag(device.remount), "remove_tag"),)
    one = step(verb, "filesystem", device.key, what, *calls, claims=unchanged(machine, device))
    return (*steps, one), machine.with_device(device._replace(filesystem=after, used_for="", remount=None))


def _check_mount(point: str, options: str, what: str) -> None:
    check_mount_options(options, what)
    for word, text in (("mount_point", point), ("mount_options", options)):
        if len(text) > _LONGEST:
            raise StorageError(f"{what}: {word} has {len(text)} characters, and MAAS takes at most {_LONGEST}")


def _check_free(machine: Machine, device: Device, point: str) -> None:
    other = machine.mounted(point) if point != NOWHERE else None
    if other and other.key != device.key:
        raise Refused(f"{device.key}: {point} is where {other.key} is mounted; say another mount_point for that first")
    if any(one.mount_point == point for one in machine.special):
        raise Refused(f"{device.key}: {point} is where a special filesystem is mounted")


def plan_special(machine: Machine, want: Special) -> Plan:
    found = next((one for one in machine.special if one.mount_point == want.mount_point), None)
    path = f"machines/{machine.system_id}/"
    rest = tuple(one for one in machine.special if one is not found)
    same = (
        found is not None
        and found.type == want.type
        and want.mount_options in (None, found.mount_options)
        and want.state == "present"
    )
    if same or (found is None and want.state == "absent"):
        return Plan((), machine)
    steps: Steps = ()
    if found:
        call = Call("POST", path, fields(mount_point=want.mount_point), op="unmount_special")
        steps += (step("unmount", "special", want.mount_point, found.type, call),)
    if want.state == "absent":
        return Plan(steps, machine._replace(special=rest))
    other = machine.mounted(want.mount_point)
    if other:
        raise Refused(f"special filesystem {want.mount_point}: that is where {other.key} is mounted")
    _check_mount(want.mount_point, want.mount_options or "", f"special filesystem {want.mount_point}")
    # Those of another type do not carry over; nor could they be told once it was unmounted.
    options = want.mount_options or ""
    given = fields(fstype=want.type, mount_point=want.mount_point, mount_options=options or None)
    steps += (step("mount", "special", want.mount_point, want.type, Call("POST", path, given, op="mount_special")),)
    made = Filesystem(want.type, mount_point=want.mount_point, mount_options=options)
    return Plan(steps, machine._replace(special=(*rest, made)))


def dump(found: Filesystem | None) -> dict[str, Any]:
    """As a volume or an item of ``filesystems`` says it."""
    if found is None:
        return {}
    point = found.mount_point if found.mount_point != NOWHERE else None
    if found.type == "swap" and found.mount_point is None:
        # Swap is used unless that is said.
        point = ""
    words = {"label": found.label or None, "mount_point": point, "mount_options": found.mount_options or None}
    return {word: value for word, value in words.items() if value is not None}
