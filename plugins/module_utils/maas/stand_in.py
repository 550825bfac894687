# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions that only stand for their disk: MAAS makes them where a disk cannot take part in something as a whole.

That is the boot disk in a RAID (then each disk beside it too), in a volume group, in a bcache and below a cache set,
and any disk in a datastore. MAAS leaves them there when what they were made for has gone. So they are removed here. The
request that frees one comes after a tag on it, by which a task that was cut off in between is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..core.plan import Plan, Step
from .actions import Call, at, fields, future, keeps, step, tag, unchanged
from .identity import instead_of, is_instead, is_ours
from .partition import delete
from .state import PARTITION, STAND_IN, Device, Machine

Steps = tuple[Step, ...]


def stands_in(machine: Machine, key: str) -> bool:
    """Whether it could: a partition over all of its disk that no document asked for."""
    part = machine.devices.get(key)
    return part is not None and machine.fills(part) and not is_ours(part) and key not in machine.named


def _is_noted(part: Device) -> bool:
    """Whether a tag or its UUID says that it stands for its disk."""
    return STAND_IN in part.marks or is_instead(part)


def stand_ins(machine: Machine) -> frozenset[str]:
    """The partitions that only stand for their disks."""
    noted = {key for key, one in machine.devices.items() if one.kind == PARTITION and _is_noted(one)}
    return _found(machine) | noted - machine.named


def settled(machine: Machine) -> list[Device]:
    """Partitions with a tag that says nothing: the document names them, and nothing is made of them, or what uses them
    tells what they are.
    """
    known = _found(machine)
    noted = [one for one in machine.devices.values() if STAND_IN in one.marks]
    return [one for one in noted if one.key in known or (one.key in machine.named and not one.member)]


def _found(machine: Machine) -> frozenset[str]:
    """Those that what uses them tells."""
    found: set[str] = set()

    def on_boot_disk(keys: Iterable[str]) -> set[str]:
        return {key for key in keys if machine.devices[key].disk == machine.boot_disk and stands_in(machine, key)}

    for array in machine.raids:
        inside = (*array.members, *array.spares)
        if on_boot_disk(inside):
            found |= {key for key in inside if stands_in(machine, key)}
    for group in machine.groups:
        found |= on_boot_disk(group.devices)
    found |= on_boot_disk(one.backing for one in machine.bcaches)
    found |= on_boot_disk(one.device for one in machine.cache_sets)
    for store in machine.datastores:
        found |= {key for key in store.devices if stands_in(machine, key)}
    return frozenset(found - machine.named)


def place(machine: Machine, device: Device, inside: tuple[str, ...]) -> Device:
    """What takes part in something (``inside``) for a device that is named: it, or the partition that stands for it."""
    parts = machine.partitions(device.key)
    if len(parts) == 1 and (parts[0].key in inside or is_loose(machine, parts[0])):
        return parts[0]
    return device


def is_loose(machine: Machine, part: Device) -> bool:
    """Whether nothing uses a stand-in: one that a task left, or on the boot disk any that MAAS would have to make."""
    if part.kind != PARTITION or part.member or part.filesystem or part.key in machine.named:
        return False
    return _is_noted(part) or (part.disk == machine.boot_disk and stands_in(machine, part.key))


def over_all(machine: Machine, disk: Device) -> tuple[Machine, str]:
    """With the partition that the region makes over all of a disk, and its key."""
    number = 2 if machine.bios_grub else 1
    key = f"{disk.key}-part{number}"
    return machine.with_device(Device(key, "", PARTITION, machine.free(disk), disk=disk.key, number=number)), key


def whole_boot_disk(machine: Machine, device: Device) -> tuple[Machine, str]:
    """What takes part where a device shall: for the boot disk, a partition."""
    return over_all(machine, device) if device.key == machine.boot_disk else (machine, device.key)


def instead(machine: Machine, disk: Device) -> tuple[Steps, Machine, str]:
    """A partition over all of the boot disk, and its key: something that is there already is not told to make it."""
    claims = unchanged(machine, disk)
    machine, key = over_all(machine, disk)
    uuid = instead_of(machine.system_id, disk.key)
    machine = machine.with_device(machine.devices[key]._replace(id=future(machine, "partition", key), uuid=uuid))
    call = Call("POST", f"{at(machine, disk)}partitions/", fields(uuid=uuid), keeps=keeps(machine, "partition", key))
    one = step("create", "partition", key, f"over all of {disk.key}, in its stead", call, claims=claims)
    return (one,), machine.with_device(disk._replace(used_for="")), key


def noted(machine: Machine, keys: Iterable[str]) -> tuple[tuple[Call, ...], Machine]:
    """The requests that tag stand-ins, and the machine with them tagged."""
    calls: tuple[Call, ...] = ()
    for key in keys:
        part = machine.devices[key]
        if not _is_noted(part) and part.id:
            calls += (tag(machine, part, STAND_IN),)
            machine = machine.with_device(part._replace(marks=part.marks | {STAND_IN}))
    return calls, machine


def leaving(machine: Machine, gone: Iterable[str], inside: Iterable[str]) -> tuple[tuple[Call, ...], Machine]:
    """The requests before the one by which ``gone`` of what is ``inside`` of something leave it.

    Where the boot disk leaves a RAID, nothing but the tag tells any more what the others' partitions are.
    """
    known, gone = stand_ins(machine), tuple(gone)
    boot = any(machine.devices[key].disk == machine.boot_disk for key in gone)
    return noted(machine, [key for key in inside if key in known and (boot or key in gone)])


def dropped(machine: Machine, keys: Iterable[str]) -> tuple[Steps, Machine]:
    """Without those of these partitions that only stood for their disks; nothing uses them any more."""
    steps: Steps = ()
    for key in keys:
        part = machine.devices[key]
        if part.kind == PARTITION and _is_noted(part) and key not in machine.named:
            more, machine = delete(machine, part.key, part._replace(used_for=""))
            steps += more
    return steps, machine


def sweep(machine: Machine, disks: frozenset[str]) -> Plan:
    """Without the stand-ins that a task left which was cut off; the boot disk's stays where ``disks`` has that.

    An array that there is already takes the boot disk in no other way.
    """
    loose = [key for key, one in machine.devices.items() if is_loose(machine, one)]
    of_boot_disk = machine.boot_disk in disks
    return Plan(
        *dropped(machine, [key for key in loose if not of_boot_disk or machine.devices[key].disk != machine.boot_disk])
    )


def other_boot_disk(machine: Machine, disk: Device) -> Plan:
    """What stands for the disks beside the former one is tagged before nothing tells any more what it is."""
    after = stand_ins(machine._replace(boot_disk=disk.key))
    notes, machine = noted(machine, sorted(stand_ins(machine) - after))
    call = Call("POST", at(machine, disk), op="set_boot_disk")
    one = step("set", "boot disk", disk.key, f"instead of {machine.boot_disk or 'none'}", *notes, call)
    return Plan((one,), machine._replace(boot_disk=disk.key))
