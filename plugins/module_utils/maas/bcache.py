# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bcaches. A cache set has no name of its own that lasts: it is known by its cache device."""

from __future__ import annotations

from ..core.errors import StorageError
from ..core.plan import Plan, Step, placeholder
from ..document.bcache import Bcache
from ..document.sizes import show_size
from .actions import Call, fields, step, unchanged
from .partition import left_over, stand_in, whole_boot_disk
from .raid import renamed, virtual
from .safety import check_room, check_unused, lost, take
from .state import BCACHE, PARTITION, Bcache as Cached, CacheSet, Device, Machine

Steps = tuple[Step, ...]


def find(machine: Machine, name: str) -> Cached | None:
    return next((one for one in machine.bcaches if one.name == name), None)


def plan(machine: Machine, want: Bcache, allow: bool, renamed_from: str = "") -> Plan:
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    there = there or (find(machine, renamed_from) if renamed_from else None)
    if there is None:
        return _create(machine, want, allow)
    return _change(machine, want, there, allow)


def _set_on(machine: Machine, key: str) -> CacheSet | None:
    return next((one for one in machine.cache_sets if one.device == key), None)


def _cache(machine: Machine, want: Bcache, text: str, allow: bool) -> tuple[Steps, Machine, CacheSet]:
    """The cache set on that device, made where there is none."""
    cached_on = tuple(one.device for one in machine.cache_sets)
    device = stand_in(machine, machine.device(text, f"bcache {want.name}"), cached_on)
    there = _set_on(machine, device.key)
    if there:
        return (), machine, there
    steps, machine = take(machine, device, f"the cache of bcache {want.name}", allow)
    device = machine.devices[device.key]
    field = "cache_partition" if device.kind == PARTITION else "cache_device"
    call = Call(
        "POST",
        f"nodes/{machine.system_id}/bcache-cache-sets/",
        fields(**{field: device.id}),
        keeps=f"cache-set:{device.key}",
    )
    steps += (step("create", "cache set", device.key, show_size(device.size), call),)
    machine, key = whole_boot_disk(machine, device)
    made = CacheSet(placeholder("cache-set", device.key), key)
    machine = machine.holding((key,), "bcache-cache", f"bcache {want.name}")
    return steps, machine._replace(cache_sets=(*machine.cache_sets, made)), made


def _create(machine: Machine, want: Bcache, allow: bool) -> Plan:
    if want.backing_device is None or want.cache_device is None:
        missing = [option for option in ("backing_device", "cache_device") if getattr(want, option) is None]
        raise StorageError(f"bcache {want.name} does not exist, and to create it, say also: {', '.join(missing)}")
    backing = machine.device(want.backing_device, f"bcache {want.name}")
    steps, machine, cache_set = _cache(machine, want, want.cache_device, allow)
    more, machine = take(machine, backing, f"the backing device of bcache {want.name}", allow)
    steps += more
    mode = want.cache_mode or "writethrough"
    field = "backing_partition" if backing.kind == PARTITION else "backing_device"
    given = fields(name=want.name, cache_set=cache_set.id, cache_mode=mode, **{field: backing.id})
    call = Call("POST", f"nodes/{machine.system_id}/bcaches/", given, keeps=f"bcache:{want.name}")
    detail = f"{backing.key} behind cache {cache_set.device}, {mode}"
    steps += (step("create", "bcache", want.name, detail, call),)
    machine, key = whole_boot_disk(machine, backing)
    made = Cached(placeholder("bcache", want.name), want.name, key, cache_set.id, mode, want.name)
    machine = machine.with_device(Device(want.name, virtual(want.name), BCACHE, machine.devices[key].size))
    machine = machine.holding((key,), "bcache-backing", f"bcache {want.name}")
    return Plan(steps, machine._replace(bcaches=(*machine.bcaches, made)))


def _change(machine: Machine, want: Bcache, there: Cached, allow: bool) -> Plan:
    steps: Steps = ()
    path = f"nodes/{machine.system_id}/bcache/{there.id}/"
    changed, told = there._replace(name=want.name, device=want.name), {}
    if want.name != there.name:
        told["name"] = want.name
    if want.cache_mode and want.cache_mode != there.cache_mode:
        told["cache_mode"] = want.cache_mode
        changed = changed._replace(cache_mode=want.cache_mode)
    if want.cache_device:
        more, machine, cache_set = _cache(machine, want, want.cache_device, allow)
        steps += more
        if cache_set.id != there.cache_set:
            told["cache_set"] = cache_set.id
            changed = changed._replace(cache_set=cache_set.id)
    size = machine.devices[there.device].size
    if want.backing_device:
        backing = stand_in(machine, machine.device(want.backing_device, f"bcache {want.name}"), (there.backing,))
        if backing.key != there.backing:
            more, machine = take(machine, backing, f"the backing device of bcache {want.name}", allow)
            steps += more
            told["backing_partition" if backing.kind == PARTITION else "backing_device"] = backing.id
            changed, size = changed._replace(backing=backing.key), backing.size
    if not told:
        return Plan(steps, machine)
    check_room(machine.resized(there.device, size), f"bcache {want.name}", size)
    detail = ", ".join(f"{word.replace('_', ' ')} {value}" for word, value in told.items())
    steps += (step("change", "bcache", want.name, detail, Call("PUT", path, fields(**told))),)
    if changed.backing != there.backing:
        machine = machine.blank(there.backing).holding((changed.backing,), "bcache-backing", f"bcache {want.name}")
    machine = machine._replace(bcaches=tuple(changed if one is there else one for one in machine.bcaches))
    machine = renamed(machine.resized(there.device, size), there.name, want.name)
    if changed.cache_set != there.cache_set:
        more, machine = _drop_unused(machine, there.cache_set)
        steps += more
    return Plan(steps, machine)


def _drop_unused(machine: Machine, number: str) -> tuple[Steps, Machine]:
    """A cache set goes with the last bcache that it caches."""
    found = next((one for one in machine.cache_sets if one.id == number), None)
    if found is None or any(one.cache_set == number for one in machine.bcaches):
        return (), machine
    call = Call("DELETE", f"nodes/{machine.system_id}/bcache-cache-set/{number}/")
    one = step("remove", "cache set", found.device, "nothing uses it any more", call)
    left = tuple(other for other in machine.cache_sets if other is not found)
    more, machine = left_over(machine.blank(found.device)._replace(cache_sets=left), (found.device,))
    return (one, *more), machine


def unused_sets(machine: Machine) -> tuple[CacheSet, ...]:
    """What was made for a bcache that did not come any more, or stayed when one had gone."""
    used = {one.cache_set for one in machine.bcaches}
    return tuple(one for one in machine.cache_sets if one.id not in used)


def sweep(machine: Machine, kept: set[str]) -> Plan:
    """Without cache sets that nothing uses, apart from those on devices that shall cache."""
    steps: Steps = ()
    for one in unused_sets(machine):
        device = machine.devices[one.device]
        if not kept & {device.key, device.disk}:
            more, machine = _drop_unused(machine, one.id)
            steps += more
    return Plan(steps, machine)


def _absent(machine: Machine, want: Bcache, there: Cached | None, allow: bool) -> Plan:
    if there is None:
        return Plan((), machine)
    device, what = machine.devices[there.device], f"bcache {want.name} cannot be removed"
    check_unused(machine, device, what)
    one = step(
        "remove",
        "bcache",
        want.name,
        f"{there.backing} behind its cache",
        Call("DELETE", f"nodes/{machine.system_id}/bcache/{there.id}/"),
        claims=unchanged(machine, device),
        destroys=lost(device, what, allow),
    )
    machine = machine.blank(there.backing).without(device.key)
    machine = machine._replace(bcaches=tuple(other for other in machine.bcaches if other is not there))
    rest, machine = left_over(machine, (there.backing,))
    more, machine = _drop_unused(machine, there.cache_set)
    return Plan((one, *rest, *more), machine)
