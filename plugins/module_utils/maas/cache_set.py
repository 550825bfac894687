# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache sets. One has no name that lasts: it is known by its cache device. It goes with the last bcache that uses it,
and stays alone where a document asks for it.
"""

from __future__ import annotations

from ..core.errors import Refused
from ..core.plan import Plan, Step, both
from ..document.sizes import show_size
from .actions import Call, fields, future, keeps, step, tag
from .document import CacheSet as Wanted
from .safety import take
from .stand_in import dropped, leaving, place, whole_boot_disk
from .state import LEAVING, PARTITION, Bcache, CacheSet, Machine

Steps = tuple[Step, ...]


def plan(machine: Machine, want: Wanted, allow: bool) -> Plan:
    """A cache set by itself."""
    what = "cache set"
    if want.state != "absent":
        steps, machine, _made = on(machine, want.cache_device, what, allow)
        return Plan(steps, machine)
    device = place(machine, machine.device(want.cache_device, what), _cached_on(machine))
    there = _on(machine, device.key)
    if there is None:
        return Plan((), machine)
    users = [one.name for one in machine.bcaches if one.cache_set == there.id]
    if users:
        raise Refused(
            f"{device.key}: its cache set cannot be removed: bcache {' '.join(users)} uses it. Remove that, or give it "
            "another cache_device first"
        )
    return Plan(*drop_unused(machine, there.id))


def _cached_on(machine: Machine) -> tuple[str, ...]:
    return tuple(one.device for one in machine.cache_sets)


def _on(machine: Machine, key: str) -> CacheSet | None:
    return next((one for one in machine.cache_sets if one.device == key), None)


def unused(machine: Machine) -> tuple[CacheSet, ...]:
    """Those that no bcache uses."""
    used = {one.cache_set for one in machine.bcaches}
    return tuple(one for one in machine.cache_sets if one.id not in used)


def on(machine: Machine, text: str, what: str, allow: bool) -> tuple[Steps, Machine, CacheSet]:
    """The cache set on that device, made where there is none."""
    device = place(machine, machine.device(text, what), _cached_on(machine))
    there = _on(machine, device.key)
    if there:
        return (), machine, there
    role = "the cache of a cache set" if what == "cache set" else f"the cache of {what}"
    steps, machine = take(machine, device, role, allow)
    device = machine.devices[device.key]
    field = "cache_partition" if device.kind == PARTITION else "cache_device"
    call = Call(
        "POST",
        f"nodes/{machine.system_id}/bcache-cache-sets/",
        fields(**{field: device.id}),
        keeps=keeps(machine, "cache-set", device.id),
    )
    steps += (step("create", "cache set", device.key, show_size(device.size), call),)
    machine, key = whole_boot_disk(machine, device)
    made = CacheSet(future(machine, "cache-set", device.id), key)
    machine = machine.holding((key,), "bcache-cache", what)
    return steps, machine._replace(cache_sets=(*machine.cache_sets, made)), made


def will_leave(machine: Machine, last: Bcache) -> tuple[tuple[Call, ...], Machine]:
    """The requests before the one by which a cache set loses a bcache, if that is its last one: tags on its device."""
    found = next((one for one in machine.cache_sets if one.id == last.cache_set), None)
    others = [one for one in machine.bcaches if one is not last and one.cache_set == last.cache_set]
    if found is None or others or found.device in machine.kept:
        return (), machine
    calls, machine = leaving(machine, (found.device,), (found.device,))
    device = machine.devices[found.device]
    if LEAVING in device.marks:
        return calls, machine
    machine = machine.with_device(device._replace(marks=device.marks | {LEAVING}))
    return (*calls, tag(machine, device, LEAVING)), machine


def drop_unused(machine: Machine, number: str) -> tuple[Steps, Machine]:
    """Without a cache set that nothing uses any more, and without the tag that says that it goes."""
    found = next((one for one in machine.cache_sets if one.id == number), None)
    if found is None or any(one.cache_set == number for one in machine.bcaches) or found.device in machine.kept:
        return (), machine
    notes, machine = leaving(machine, (found.device,), (found.device,))
    device = machine.devices[found.device]
    calls = (*notes, Call("DELETE", f"nodes/{machine.system_id}/bcache-cache-set/{number}/"))
    if LEAVING in device.marks:
        calls += (tag(machine, device, LEAVING, "remove_tag"),)
        machine = machine.with_device(device._replace(marks=device.marks - {LEAVING}))
    one = step("remove", "cache set", found.device, "nothing uses it any more", *calls)
    left = tuple(other for other in machine.cache_sets if other is not found)
    more, machine = dropped(machine.blank(found.device)._replace(cache_sets=left), (found.device,))
    return (one, *more), machine


def sweep(machine: Machine) -> Plan:
    """Without the cache sets that a task left which was cut off."""
    whole = Plan((), machine)
    for one in unused(machine):
        if LEAVING in machine.devices[one.device].marks:
            whole = both(whole, Plan(*drop_unused(whole.after, one.id)))
    return whole
