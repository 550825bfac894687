# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bcaches: made, renamed, behind another cache, over another device, and removed."""

from __future__ import annotations

from ..core.errors import Refused, StorageError
from ..core.plan import Plan
from ..document.bcache import Bcache
from ..document.names import check_name
from .actions import Call, fields, future, keeps, step, unchanged
from .cache_set import Steps, drop_unused, on, will_leave
from .safety import carried, check_room, check_unused, check_uuid, lost, remove_leftover, take
from .stand_in import dropped, instead, leaving, place, whole_boot_disk
from .state import BCACHE, PARTITION, VOLUME, Bcache as Cached, Device, Machine


def find(machine: Machine, name: str) -> Cached | None:
    return next((one for one in machine.bcaches if one.name == name), None)


def plan(machine: Machine, want: Bcache, allow: bool, renamed_from: str = "", uuid: str = "") -> Plan:
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    there = there or (find(machine, renamed_from) if renamed_from else None)
    if uuid and (there is None or uuid != there.uuid):
        check_uuid(uuid, f"bcache {want.name}")
    if there is None or want.name != there.name:
        check_name(want.name, "bcache", longest=31)
    if there is None:
        return _create(machine, want, allow, uuid)
    return _change(machine, want, there, allow, uuid)


def _backing(machine: Machine, want: Bcache, text: str, inside: tuple[str, ...] = ()) -> Device:
    device = place(machine, machine.device(text, f"bcache {want.name}"), inside)
    if device.kind == VOLUME:
        raise Refused(
            f"{device.key}: refused as the backing device of bcache {want.name}: it is a logical volume, and MAAS lets "
            "none be cached. Make the drive on the bcache instead"
        )
    return device


def _create(machine: Machine, want: Bcache, allow: bool, uuid: str) -> Plan:
    if want.backing_device is None or want.cache_device is None:
        missing = [option for option in ("backing_device", "cache_device") if getattr(want, option) is None]
        raise StorageError(f"bcache {want.name} does not exist, and to create it, say also: {', '.join(missing)}")
    backing = _backing(machine, want, want.backing_device)
    steps, machine, cache_set = on(machine, want.cache_device, f"bcache {want.name}", allow)
    more, machine = take(machine, backing, f"the backing device of bcache {want.name}", allow)
    steps += more
    mode = want.cache_mode or "writethrough"
    field = "backing_partition" if backing.kind == PARTITION else "backing_device"
    given = fields(name=want.name, cache_set=cache_set.id, cache_mode=mode, uuid=uuid or None, **{field: backing.id})
    call = Call("POST", f"nodes/{machine.system_id}/bcaches/", given, keeps=keeps(machine, "bcache", want.name))
    detail = f"{backing.key} behind cache {cache_set.device}, {mode}"
    steps += (step("create", "bcache", want.name, detail, call),)
    machine, key = whole_boot_disk(machine, backing)
    made = Cached(future(machine, "bcache", want.name), want.name, key, cache_set.id, mode, want.name, uuid)
    device = Device(want.name, future(machine, "device", want.name), BCACHE, machine.devices[key].size)
    machine = machine.with_device(device).holding((key,), "bcache-backing", f"bcache {want.name}")
    return Plan(steps, machine._replace(bcaches=(*machine.bcaches, made)))


def _change(machine: Machine, want: Bcache, there: Cached, allow: bool, uuid: str) -> Plan:
    steps: Steps = ()
    notes: tuple[Call, ...] = ()
    path = f"nodes/{machine.system_id}/bcache/{there.id}/"
    changed, told = there._replace(name=want.name), {}
    if want.name != there.name:
        told["name"] = want.name
    if uuid and uuid != there.uuid:
        told["uuid"] = uuid
        changed = changed._replace(uuid=uuid)
    if want.cache_mode and want.cache_mode != there.cache_mode:
        told["cache_mode"] = want.cache_mode
        changed = changed._replace(cache_mode=want.cache_mode)
    if want.cache_device:
        more, machine, cache_set = on(machine, want.cache_device, f"bcache {want.name}", allow)
        steps += more
        if cache_set.id != there.cache_set:
            told["cache_set"] = cache_set.id
            changed = changed._replace(cache_set=cache_set.id)
            notes, machine = will_leave(machine, there)
    size = machine.devices[there.device].size
    if want.backing_device:
        backing = _backing(machine, want, want.backing_device, (there.backing,))
        if backing.key != there.backing:
            _check_held(machine, want, there, backing, allow)
            more, machine = take(machine, backing, f"the backing device of bcache {want.name}", allow)
            steps += more
            if backing.key == machine.boot_disk:
                more, machine, key = instead(machine, machine.devices[backing.key])
                steps, backing = steps + more, machine.devices[key]
            told["backing_partition" if backing.kind == PARTITION else "backing_device"] = backing.id
            calls, machine = leaving(machine, (there.backing,), (there.backing,))
            notes += calls
            changed, size = changed._replace(backing=backing.key), backing.size
    if not told:
        return Plan(steps, machine)
    check_room(machine.resized(there.device, size), f"bcache {want.name}", size)
    detail = ", ".join(f"{word.replace('_', ' ')} {value}" for word, value in told.items())
    held = carried(machine, there.device) if changed.backing != there.backing else ""
    destroys = (f"{there.device}: {held}",) if held else ()
    call = Call("PUT", path, fields(**told))
    steps += (step("change", "bcache", want.name, detail, *notes, call, destroys=destroys),)
    if changed.backing != there.backing:
        machine = machine.blank(there.backing).holding((changed.backing,), "bcache-backing", f"bcache {want.name}")
    machine = machine._replace(bcaches=tuple(changed if one is there else one for one in machine.bcaches))
    machine = machine.resized(there.device, size).rekeyed({there.device: want.name})
    if changed.cache_set != there.cache_set:
        more, machine = drop_unused(machine, there.cache_set)
        steps += more
    if changed.backing != there.backing:
        more, machine = dropped(machine, (there.backing,))
        steps += more
    return Plan(steps, machine)


def _check_held(machine: Machine, want: Bcache, there: Cached, backing: Device, allow: bool) -> None:
    """Raises Refused where what the bcache holds is on the device that would no longer back it."""
    held = carried(machine, there.device)
    if held and not allow:
        raise Refused(
            f"bcache {want.name}: {there.backing} backs it, and {backing.key} is wanted, which does not hold what the "
            f"bcache does ({held}). Set allow_destroy to have that lost"
        )


def _absent(machine: Machine, want: Bcache, there: Cached | None, allow: bool) -> Plan:
    if there is None:
        return Plan(*remove_leftover(machine, want.name, f"bcache {want.name}", allow))
    device, what = machine.devices[there.device], f"bcache {want.name} cannot be removed"
    check_unused(machine, device, what)
    notes, machine = will_leave(machine, there)
    calls, machine = leaving(machine, (there.backing,), (there.backing,))
    one = step(
        "remove",
        "bcache",
        want.name,
        f"{there.backing} behind its cache",
        *notes,
        *calls,
        Call("DELETE", f"nodes/{machine.system_id}/bcache/{there.id}/"),
        claims=unchanged(machine, device),
        destroys=lost(device, what, allow),
    )
    machine = machine.blank(there.backing).without(device.key)
    machine = machine._replace(bcaches=tuple(other for other in machine.bcaches if other is not there))
    rest, machine = dropped(machine, (there.backing,))
    more, machine = drop_unused(machine, there.cache_set)
    return Plan((one, *rest, *more), machine)
