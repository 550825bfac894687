# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RAIDs: made, renamed, with other members, and removed top-down."""

from __future__ import annotations

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.names import check_name
from ..document.raid import Raid
from ..document.sizes import show_size
from .actions import Call, fields, future, keeps, members, step, unchanged
from .document import LEAST_DEVICES
from .identity import with_disk_renamed
from .safety import carried, check_once, check_room, check_unused, check_uuid, lost, remove_leftover, take
from .stand_in import dropped, instead, leaving, over_all, place
from .state import DISK, RAID, Device, Machine, Raid as Array

Steps = tuple[Step, ...]


def find(machine: Machine, name: str) -> Array | None:
    return next((one for one in machine.raids if one.name == name), None)


def plan(machine: Machine, want: Raid, allow: bool) -> Plan:
    """Of an array that has its name: ``rename`` comes first."""
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    if there is None:
        return _create(machine, want, allow)
    return _change(machine, want, there, allow)


def resized(machine: Machine, want: Raid) -> Machine:
    """With the array as large as it is wanted, where that can be told beforehand."""
    there = find(machine, want.name)
    if there is None or (want.devices is None and want.spare_devices is None):
        return machine
    texts = (*(want.devices or ()), *(want.spare_devices or ()))
    if not all(machine.find(text) for text in texts):
        return machine
    active = _wanted(machine, want, there, want.devices, there.members)
    spares = _wanted(machine, want, there, want.spare_devices, there.spares)
    return machine.resized(there.device, machine.raid_size(there.level, active, spares)) if active else machine


def rename(machine: Machine, want: Raid, renamed_from: str) -> Plan:
    """Before all else: MAAS calls the partitions of an array after it."""
    there = meant(machine, want, renamed_from)
    if there is None or there.name == want.name:
        return Plan((), machine)
    check_name(want.name, "array", longest=32)
    call = Call("PUT", _path(machine, there), fields(name=want.name))
    inside = (*there.members, *there.spares)
    devices = {key: machine.devices[key]._replace(used_for="", user=f"RAID {want.name}") for key in inside}
    machine = machine._replace(devices={**machine.devices, **devices})
    machine = with_disk_renamed(machine, there.device, want.name)
    raids = tuple(one._replace(name=want.name) if one.id == there.id else one for one in machine.raids)
    return Plan((step("rename", "raid", want.name, f"from {there.name}", call),), machine._replace(raids=raids))


def meant(machine: Machine, want: Raid, renamed_from: str = "") -> Array | None:
    """The array of its name, of its former one, or of its UUID."""
    found = find(machine, want.name)
    if found or want.state == "absent":
        return found
    return (find(machine, renamed_from) if renamed_from else None) or _by_uuid(machine, want)


def _by_uuid(machine: Machine, want: Raid) -> Array | None:
    found = (one for one in machine.raids if want.uuid and one.uuid.replace("-", "") == want.uuid)
    return next(found, None)


def _path(machine: Machine, array: Array) -> str:
    return f"nodes/{machine.system_id}/raid/{array.id}/"


def _uuid(want: Raid, there: Array | None) -> str:
    """The wanted UUID as the region writes one, or that which it has. Raises StorageError for one that it takes not."""
    now = there.uuid if there else ""
    text = want.uuid or ""
    if text in ("", now.replace("-", "")):
        return now
    check_uuid(text, f"RAID {want.name}")
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _place(machine: Machine, array: Array | None, text: str, name: str) -> Device:
    """A member as it is written. Where the boot disk takes part, the region puts partitions in instead of the disks."""
    inside = array.members + array.spares if array else ()
    return place(machine, machine.device(text, f"RAID {name}"), inside)


def _check_least(name: str, level: str, count: int) -> None:
    if count < LEAST_DEVICES[level]:
        raise StorageError(
            f"RAID {name}: RAID {level} needs at least {LEAST_DEVICES[level]} devices in MAAS, and `devices` has "
            f"{count}"
        )


def _create(machine: Machine, want: Raid, allow: bool) -> Plan:
    missing = [option for option in ("level", "devices") if getattr(want, option) is None]
    if want.level is None or want.devices is None:
        raise StorageError(f"RAID {want.name} does not exist, and to create it, say also: {', '.join(missing)}")
    check_name(want.name, "array", longest=32)
    _check_least(want.name, want.level, len(want.devices))
    uuid = _uuid(want, None)
    active = [_place(machine, None, text, want.name) for text in want.devices]
    spares = [_place(machine, None, text, want.name) for text in want.spare_devices or ()]
    check_once(active + spares, f"RAID {want.name}")
    steps: Steps = ()
    for device in active + spares:
        more, machine = take(machine, device, f"a member of {want.name}", allow)
        steps += more
    names = " ".join(device.key for device in active)
    keys = {device.key: device.key for device in active + spares}
    given = {
        **members(machine, tuple(device.key for device in active)),
        **members(machine, tuple(device.key for device in spares), spare=True),
    }
    if machine.boot_disk in keys:
        machine, keys = _on_partitions(machine, active + spares)
    inside, beside = tuple(keys[one.key] for one in active), tuple(keys[one.key] for one in spares)
    size = machine.raid_size(want.level, inside, beside)
    beside_text = f", spare {' '.join(device.key for device in spares)}" if spares else ""
    call = Call(
        "POST",
        f"nodes/{machine.system_id}/raids/",
        fields(name=want.name, level=f"raid-{want.level}", uuid=uuid or None, **given),
        keeps=keeps(machine, "raid", want.name),
    )
    steps += (
        step(
            "create",
            "raid",
            want.name,
            f"RAID {want.level} over {names}{beside_text}, {show_size(size)}",
            call,
        ),
    )
    made = Array(future(machine, "raid", want.name), want.name, want.level, inside, beside, want.name, uuid)
    device = Device(want.name, future(machine, "device", want.name), RAID, size)
    return Plan(steps, _with(machine, made, None, device))


def _on_partitions(machine: Machine, devices: list[Device]) -> tuple[Machine, dict[str, str]]:
    """With the partitions that the region makes on every member as soon as one is the boot disk."""
    keys = {}
    for device in devices:
        keys[device.key] = device.key
        if device.kind == DISK:
            machine, keys[device.key] = over_all(machine, device)
    return machine, keys


def _with(machine: Machine, array: Array, old: Array | None, device: Device) -> Machine:
    if old:
        machine = machine.blank(*(key for key in old.members + old.spares if key in machine.devices))
        if old.device != device.key:
            machine = machine.without(old.device)
    machine = machine.with_device(device).holding(array.members, "raid", f"RAID {array.name}")
    machine = machine.holding(array.spares, "raid-spare", f"RAID {array.name}")
    kept = tuple(one for one in machine.raids if one is not old)
    return machine._replace(raids=(*kept, array))


def _change(machine: Machine, want: Raid, there: Array, allow: bool) -> Plan:
    if want.level not in (None, there.level):
        raise Refused(
            f"RAID {want.name}: its level is {there.level}, and {want.level} is wanted; MAAS cannot change that. "
            "Say the level that it has, or make another RAID"
        )
    active = _wanted(machine, want, there, want.devices, there.members)
    spares = _wanted(machine, want, there, want.spare_devices, there.spares)
    if want.devices is not None and want.spare_devices is None:
        spares = tuple(key for key in spares if key not in active)
    both = [key for key in active if key in spares]
    if both:
        raise StorageError(f"RAID {want.name}: {both[0]} is among its devices and its spare_devices")
    uuid = _uuid(want, there)
    if (active, spares, uuid) == (there.members, there.spares, there.uuid):
        return Plan((), machine)
    _check_members(machine, want, there, active, spares, allow)
    steps: Steps = ()
    for key in (*active, *spares):
        if key not in there.members + there.spares:
            more, machine = take(machine, machine.devices[key], f"a member of {want.name}", allow)
            steps += more
            if key == machine.boot_disk:
                more, machine, part = instead(machine, machine.devices[key])
                steps += more
                active, spares = (tuple(part if one == key else one for one in keys) for keys in (active, spares))
    size = machine.raid_size(there.level, active, spares)
    device = machine.devices[there.device]._replace(size=size)
    changed = there._replace(members=active, spares=spares, uuid=uuid)
    check_room(machine.resized(device.key, size), f"RAID {want.name}", size)
    path = _path(machine, there)
    if changed.uuid != there.uuid:
        steps += (step("set", "raid", want.name, f"UUID {changed.uuid}", Call("PUT", path, fields(uuid=changed.uuid))),)
    inside = there.members + there.spares
    gone = tuple(key for key in inside if key not in active + spares)
    # What moves between active and spare is nothing's for a moment.
    moved = tuple(key for key in inside if key not in gone and (key in there.spares) != (key in spares))
    notes, machine = leaving(machine, gone + moved, inside)
    for detail, given in _member_changes(machine, there, active, spares):
        steps += (step("change", "raid", want.name, detail, *notes, Call("PUT", path, fields(**given))),)
        notes = ()
    machine = _with(machine, changed, there, device).resized(device.key, size)
    more, machine = dropped(machine, gone)
    return Plan(steps + more, machine)


def _check_members(
    machine: Machine, want: Raid, there: Array, active: tuple[str, ...], spares: tuple[str, ...], allow: bool
) -> None:
    """Raises StorageError and Refused for members with which it would not be, or not hold what it holds."""
    if (active, spares) == (there.members, there.spares):
        return
    _check_least(want.name, there.level, len(active))
    if there.level != "0":
        return
    if spares:
        raise StorageError(f"RAID {want.name}: RAID 0 has no redundancy, so spare_devices could never take over")
    gone, held = [key for key in there.members if key not in active], carried(machine, there.device)
    if gone and held and not allow:
        raise Refused(
            f"RAID {want.name}: {' '.join(gone)} leaves, and a RAID 0 without it does not hold any more what it holds "
            f"({held}). Set allow_destroy to have that lost"
        )


def _wanted(
    machine: Machine, want: Raid, there: Array, texts: tuple[str, ...] | None, now: tuple[str, ...]
) -> tuple[str, ...]:
    """The keys of wanted members; those that stay keep their order, so that a mere order changes nothing."""
    if texts is None:
        return now
    found = [_place(machine, there, text, want.name) for text in texts]
    check_once(found, f"RAID {want.name}")
    keys = [device.key for device in found]
    return tuple(key for key in now if key in keys) + tuple(key for key in keys if key not in now)


def _member_changes(
    machine: Machine, there: Array, active: tuple[str, ...], spares: tuple[str, ...]
) -> list[tuple[str, dict[str, list[str]]]]:
    """What the requests that it takes do: the region looks at what is free first, takes out next, and puts in last.

    So what moves between active and spare takes two, and what comes in comes before what goes.
    """

    out_spares = tuple(key for key in there.spares if key not in spares)
    out_active = tuple(key for key in there.members if key not in active)
    in_active = tuple(key for key in active if key not in there.members)
    in_spares = tuple(key for key in spares if key not in there.spares)
    new_spares = tuple(key for key in in_spares if key not in out_active)
    moved = tuple(key for key in in_spares if key in out_active)
    requests = []
    for word, inside, standing_by in (
        ("remove", (), out_spares),
        ("add", in_active, new_spares),
        ("remove", out_active, ()),
        ("add", (), moved),
    ):
        said = [f"{word} {' '.join(inside)}"] * bool(inside)
        said += [f"{word} spare {' '.join(standing_by)}"] * bool(standing_by)
        prefix = f"{word}_"
        given = {**members(machine, inside, prefix), **members(machine, standing_by, prefix, spare=True)}
        if given:
            requests.append((", ".join(said), given))
    return requests


def _absent(machine: Machine, want: Raid, there: Array | None, allow: bool) -> Plan:
    if there is None:
        return Plan(*remove_leftover(machine, want.name, f"RAID {want.name}", allow))
    device, what = machine.devices[there.device], f"RAID {want.name} cannot be removed"
    check_unused(machine, device, what)
    inside = there.members + there.spares
    notes, machine = leaving(machine, inside, inside)
    one = step(
        "remove",
        "raid",
        want.name,
        f"RAID {there.level} over {' '.join(there.members)}",
        *notes,
        Call("DELETE", _path(machine, there)),
        claims=unchanged(machine, device),
        destroys=lost(device, what, allow),
    )
    machine = machine.blank(*inside).without(device.key)
    machine = machine._replace(raids=tuple(other for other in machine.raids if other is not there))
    more, machine = dropped(machine, inside)
    return Plan((one, *more), machine)
