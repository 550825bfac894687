# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions. MAAS names none: one that was made here is known by its UUID, another by its place (``sda-part1``)."""

from __future__ import annotations

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.partition import Partition, check_name
from ..document.sizes import Percent, show_size
from .actions import Call, Only, at, fields, future, keeps, step, unchanged
from .identity import computed, is_foreign, is_uuid
from .safety import check_member, check_unused, check_uuid, lost, take
from .state import BCACHE, BLOCK, PARTITION, VOLUME, Device, Machine, whole_blocks

Steps = tuple[Step, ...]


def find(machine: Machine, name: str) -> Device | None:
    """By the UUID that is computed from its name, or is it; else by its place."""
    known = computed(machine.system_id, name)
    made = [one for one in machine.devices.values() if one.kind == PARTITION and one.uuid == known]
    if len(made) > 1:
        places = " and ".join(one.key for one in made)
        raise Refused(
            f"partition {name}: {machine.hostname} has {len(made)} of that UUID ({places}), and which one is meant "
            "cannot be told; two tasks at once made them. Keep one of them, in MAAS"
        )
    there = machine.devices.get(name)
    return made[0] if made else there if there and there.kind == PARTITION else None


def find_item(machine: Machine, want: Partition) -> Device | None:
    """What an item of a document means. One that was made by another name is not removed by its place."""
    there = find(machine, want.name)
    if there and want.state == "absent" and is_foreign(machine, there, want.name):
        return None
    return there


def is_another(machine: Machine, want: Partition) -> bool:
    """Whether an item means by its place one that was made by another name: that is not what is to be absent."""
    return find(machine, want.name) != find_item(machine, want)


def plan(machine: Machine, want: Partition, allow: bool, bootable: bool | None = None) -> Plan:
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    disk = machine.device(want.device, f"partition {want.name}")
    if there is None:
        return Plan(*_create(machine, want, disk, allow, bool(bootable)))
    if there.disk != disk.key:
        raise Refused(
            f"partition {want.name}: it is on {there.disk}, and {disk.key} is wanted. Say that device, or call the "
            "wanted one otherwise"
        )
    size = _size(machine, want, disk, there)
    if size in (None, there.size) and bootable in (None, there.bootable):
        return Plan((), machine)
    return _anew(machine, want, disk, there, allow, bootable)


def _size(machine: Machine, want: Partition, disk: Device, there: Device | None) -> int | None:
    """How large it is to be, as the region rounds it. None: whatever it is."""
    if want.size is None:
        return None
    room = machine.free(disk) + (there.size if there else 0)
    if want.size == Percent(100):
        return room
    asked = want.size.of(disk.size) if isinstance(want.size, Percent) else want.size
    if there and asked == there.size:
        # Not all that a machine has is made of whole blocks: not what ESXi brings.
        return there.size
    size = whole_blocks(asked)
    if size < BLOCK:
        raise StorageError(f"partition {want.name}: MAAS makes none smaller than {show_size(BLOCK)}")
    return size


def _create(
    machine: Machine, want: Partition, disk: Device, allow: bool, bootable: bool, key: str = ""
) -> tuple[Steps, Machine]:
    """``key``: what the state has called it so far."""
    check_name(want.name)
    what = f"refused for partition {want.name}"
    if disk.kind in (BCACHE, VOLUME, PARTITION):
        raise Refused(f"{disk.key}: {what}: MAAS partitions disks and RAIDs, and this is a {disk.kind}")
    steps: Steps = ()
    if not machine.partitions(disk.key):
        steps, machine = take(machine, disk, f"the disk of partition {want.name}", allow)
        disk = machine.devices[disk.key]
    else:
        check_member(disk, what)
    size, room = _size(machine, want, disk, None), machine.free(disk)
    rest = want.size in (None, Percent(100))
    size = room if size is None else size
    if size > room or size < BLOCK:
        # What is there may go yet.
        why = ""
        if isinstance(want.size, Percent) and size >= BLOCK:
            why = (
                f" ({size} B and {room} B). A share is one of the whole disk, and the partition table takes some of "
                "that: say 100% for the rest"
            )
        raise Refused(
            f"partition {want.name}: {show_size(size)} is wanted, and {disk.key} has {show_size(room)} left{why}"
        )
    known = computed(machine.system_id, want.name)
    if is_uuid(want.name):
        check_uuid(known, f"partition {want.name}")
    call = Call(
        "POST",
        f"{at(machine, disk)}partitions/",
        fields(size=None if rest else size, uuid=known, bootable=bootable or None),
        keeps=keeps(machine, "partition", want.name),
    )
    made = Device(
        key=key or want.name,
        id=future(machine, "partition", want.name),
        kind=PARTITION,
        size=size,
        disk=disk.key,
        uuid=known,
        bootable=bootable,
    )
    only = Only(at(machine, made), at(machine, disk), "partitions", "uuid", known, call.keeps, f"partition {want.name}")
    detail = f"{show_size(size)} on {disk.key}{', bootable' if bootable else ''}"
    steps += (step("create", "partition", want.name, detail, call, only, claims=unchanged(machine, disk)),)
    return steps, machine.with_device(made).with_device(disk._replace(used_for=""))


def _anew(machine: Machine, want: Partition, disk: Device, there: Device, allow: bool, bootable: bool | None) -> Plan:
    """MAAS changes no partition: it goes, and another one comes."""
    size = _size(machine, want, disk, there)
    how = f"it has {show_size(there.size)}"
    if size not in (None, there.size):
        how += f", and {show_size(size or 0)} is wanted"
    if bootable not in (None, there.bootable):
        how += f", and bootable: {str(bootable).lower()} is wanted"
    check_unused(machine, there, f"partition {want.name} cannot be made anew: {how}")
    if is_foreign(machine, there, want.name):
        raise Refused(
            f"partition {want.name}: {how}; a document made it by another name. Say that name, or its UUID "
            f"({there.uuid})"
        )
    _check_said(want, there, size, bootable, how)
    if not allow:
        raise Refused(
            f"partition {want.name}: {how}; MAAS cannot change a partition in place. Set allow_destroy to have it made "
            "anew"
        )
    gone, machine = delete(machine, want.name, there)
    made, machine = _create(machine, want, machine.devices[disk.key], allow, bool(bootable), there.key)
    return Plan(gone + made, machine)


def _check_said(want: Partition, there: Device, size: int | None, bootable: bool | None, how: str) -> None:
    """Raises Refused where it would be something else after a cut in between, since the task does not say it whole."""
    unsaid = [f"size ({there.size})"] * (size is None)
    unsaid += ["bootable (true)"] * (bootable is None and there.bootable)
    if unsaid:
        raise Refused(
            f"partition {want.name}: {how}; MAAS would have to make it anew, and the document does not say all of it. "
            f"Say {' and '.join(unsaid)} too"
        )


def delete(machine: Machine, name: str, there: Device) -> tuple[Steps, Machine]:
    """The later ones are counted anew by that; the keys stay."""
    if machine.is_esxi(there):
        raise Refused(
            f"partition {name}: it belongs to ESXi's image, and MAAS does not remove it; say another base_layout to "
            "have the disk without it"
        )
    one = step(
        "remove",
        "partition",
        name,
        f"{show_size(there.size)} on {there.disk}",
        Call("DELETE", at(machine, there)),
        claims=unchanged(machine, there),
        destroys=lost(there, f"partition {name}", allow=True),
    )
    disk = machine.devices[there.disk]
    return (one,), machine.without(there.key).with_device(disk._replace(used_for=""))


def _absent(machine: Machine, want: Partition, there: Device | None, allow: bool) -> Plan:
    if there is None:
        return Plan((), machine)
    what = f"partition {want.name} cannot be removed"
    check_unused(machine, there, what)
    lost(there, what, allow)
    return Plan(*delete(machine, want.name, there))
