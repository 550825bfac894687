# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems and where they are mounted, on devices of any kind; and those that are on none."""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.filesystem import OnDevice, Use, check_new_label
from .actions import Call, at, fields, step, unchanged
from .safety import check_unused, describe, unformat
from .state import DISK, Device, Filesystem, Machine
from .words import Special

Steps = tuple[Step, ...]
#: Where the region says that swap is mounted.
_NOWHERE = "none"


def plan(machine: Machine, want: OnDevice, allow: bool) -> Plan:
    device = machine.device(want.device, "filesystems")
    if want.state == "absent":
        return Plan(*unformat(machine, device, allow, "its filesystem cannot be removed"))
    check_unused(machine, device, "refused for a filesystem")
    return Plan(*put_to_use(machine, device, want.use, allow))


def put_to_use(machine: Machine, device: Device, use: Use, allow: bool) -> tuple[Steps, Machine]:
    """What is on a device, and where it is mounted. Formatting it anew drops the mount, which is then made again."""
    steps: Steps = ()
    before = device.filesystem
    kind = use.filesystem or (before.type if before else None)
    if kind is None:
        if use.mount_point or use.label:
            raise StorageError(f"{device.key}: it holds no filesystem; say the type of the one that it shall have")
        return (), machine
    if before is None or before.type != kind or use.label not in (None, before.label):
        more, machine, device = _format(machine, device, kind, use, allow)
        steps += more
    return _mount(machine, device, use, before, steps)


def _format(machine: Machine, device: Device, kind: str, use: Use, allow: bool) -> tuple[Steps, Machine, Device]:
    before = device.filesystem
    if device.kind == DISK and device.key == machine.boot_disk:
        raise Refused(
            f"{device.key}: it is the boot disk, and MAAS puts no filesystem on that itself; make a partition on it"
        )
    if before and not allow:
        wanted = kind + (f" labelled {use.label!r}" if use.label else "")
        raise Refused(
            f"{device.key}: it holds {describe(before)}, and {wanted} is wanted; set allow_destroy to have it "
            "formatted anew"
        )
    check_new_label(use.label or "", device.key)
    label = use.label if use.label is not None else before.label if before and before.type == kind else ""
    one = step(
        "format",
        "filesystem",
        device.key,
        f"{kind}{f' labelled {label}' if label else ''}",
        Call("POST", at(machine, device), fields(fstype=kind, label=label or None), op="format"),
        claims=unchanged(machine, device),
        destroys=(f"{device.key}: {describe(before)}",) if before else (),
    )
    formatted = device._replace(filesystem=Filesystem(kind, label), used_for="")
    return (one,), machine.with_device(formatted), formatted


def _mount(
    machine: Machine, device: Device, use: Use, before: Filesystem | None, steps: Steps
) -> tuple[Steps, Machine]:
    found = device.filesystem
    if found is None:
        return steps, machine
    if use.mount_point == "":
        raise StorageError(f"{device.key}: an empty mount_point is not known to maas_storage; leave it out")
    former = before.mount_point if before and before.mount_point != _NOWHERE else None
    point = _NOWHERE if found.type == "swap" else use.mount_point or former
    options = use.mount_options if use.mount_options is not None else before.mount_options if before else ""
    if point is None:
        if use.mount_options:
            raise StorageError(f"{device.key}: mount_options {use.mount_options}, and it has no mount_point")
        return steps, machine
    if (found.mount_point, found.mount_options) == (point, options):
        return steps, machine
    _check_free(machine, device, point)
    target = fields(mount_point=None if point == _NOWHERE else point, mount_options=options or None)
    what = "as swap" if point == _NOWHERE else point + (f" ({options})" if options else "")
    one = step("mount", "filesystem", device.key, what, Call("POST", at(machine, device), target, op="mount"))
    mounted = device._replace(filesystem=found._replace(mount_point=point, mount_options=options), used_for="")
    return (*steps, one), machine.with_device(mounted)


def _check_free(machine: Machine, device: Device, point: str) -> None:
    other = machine.mounted(point) if point != _NOWHERE else None
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
    options = want.mount_options if want.mount_options is not None else found.mount_options if found else ""
    given = fields(fstype=want.type, mount_point=want.mount_point, mount_options=options or None)
    steps += (step("mount", "special", want.mount_point, want.type, Call("POST", path, given, op="mount_special")),)
    made = Filesystem(want.type, mount_point=want.mount_point, mount_options=options)
    return Plan(steps, machine._replace(special=(*rest, made)))


def dump(found: Filesystem | None) -> dict[str, Any]:
    """As a volume or an item of ``filesystems`` says it."""
    if found is None:
        return {}
    words = {
        "label": found.label or None,
        "mount_point": found.mount_point if found.mount_point != _NOWHERE else None,
        "mount_options": found.mount_options or None,
    }
    return {word: value for word, value in words.items() if value is not None}
