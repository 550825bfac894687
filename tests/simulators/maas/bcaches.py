# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache sets and bcaches."""

from __future__ import annotations

from . import told
from .forms import Form
from .machine import Machine
from .parts import ApiError, BlockDevice, CacheSet, Filesystem, Group, Holder
from .request import Answer, Request, free_devices, free_partitions

CACHE_MODES = ("writeback", "writethrough", "writearound")


def list_cache_sets(request: Request, system_id: str) -> Answer:
    return [told.cache_set(one) for one in request.machine(system_id).cache_sets if one.device]


def _one_of(form: Form, machine: Machine, what: str, required: bool) -> Holder | None:
    """The device or the partition that is to cache or to be cached."""
    disks = form.holders(f"{what}_device", free_devices(machine))
    parts = form.holders(f"{what}_partition", free_partitions(machine))
    if disks and parts:
        form.add("__all__", f"Cannot set both {what}_device and {what}_partition.")
    if required and not disks + parts and "__all__" not in form.errors:
        form.add("__all__", f"Either {what}_device or {what}_partition must be specified.")
    return next(iter(disks + parts), None)


def _check_backing(holder: Holder | None) -> None:
    """As the published source has it: not recorded."""
    if isinstance(holder, BlockDevice) and holder.part_of and holder.part_of.type == "lvm-vg":
        raise ApiError(400, {"__all__": ["Bcache cannot use a logical volume as a backing device."]})


def create_cache_set(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create cache set")
    chosen = _one_of(request.form, machine, "cache", required=True)
    request.form.check()
    cache_set = machine.add_cache_set()
    _cache_on(machine, cache_set, chosen)
    return told.cache_set(cache_set)


def _cache_on(machine: Machine, cache_set: CacheSet, holder: Holder | None) -> None:
    if holder is None:
        return
    (whole,) = machine.on_boot_disk([holder], every=False)
    whole.filesystem = Filesystem("bcache-cache", cache_set=cache_set)


def read_cache_set(request: Request, system_id: str, text: str) -> Answer:
    return told.cache_set(request.machine(system_id).cache_set(text))


def update_cache_set(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "update cache set")
    cache_set = machine.cache_set(text)
    chosen = _one_of(request.form, machine, "cache", required=False)
    request.form.check()
    if chosen:
        if cache_set.device:
            cache_set.device.filesystem = None
        _cache_on(machine, cache_set, chosen)
    return told.cache_set(cache_set)


def delete_cache_set(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete cache set")
    machine.delete_cache_set(machine.cache_set(text))
    return None


def list_bcaches(request: Request, system_id: str) -> Answer:
    found = [one for one in request.machine(system_id).groups if one.type == "bcache"]
    found = [one for one in found if one.members or (one.cache_set and one.cache_set.device)]
    if any(not one.members for one in found):
        raise ApiError(500, "'NoneType' object has no attribute 'get_device'")
    return [told.bcache(one) for one in found]


def create_bcache(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create Bcache")
    form = request.form
    uuid = form.uuid()
    cache_set = form.cache_set(machine.cache_sets, required=True)
    mode = form.choice("cache_mode", CACHE_MODES)
    if cache_set is None:
        form.add("__all__", "Bcache requires a cache_set.")
    backing = _one_of(form, machine, "backing", required=True)
    name = form.new_name()
    machine.check_name(name)
    _check_backing(backing)
    group = machine.add_group("bcache", name, uuid, cache_mode=mode, cache_set=cache_set)
    machine.join(group, machine.on_boot_disk([one for one in (backing,) if one], every=False), "bcache-backing")
    group.device = machine.add_virtual(group, name, group.size)
    return told.new_bcache(group)


def _bcache(machine: Machine, text: str) -> Group:
    return machine.group(text, "Bcache", "bcache")


def read_bcache(request: Request, system_id: str, text: str) -> Answer:
    group = _bcache(request.machine(system_id), text)
    if not group.members:
        raise ApiError(500, "'NoneType' object has no attribute 'system_id'")
    return told.bcache(group)


def update_bcache(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "update Bcache")
    group, form = _bcache(machine, text), request.form
    name, uuid = form.text("name"), form.uuid()
    mode = form.choice("cache_mode", CACHE_MODES, required=False)
    cache_set = form.cache_set(machine.cache_sets, required=False)
    backing = _one_of(form, machine, "backing", required=False)
    form.check()
    _check_backing(backing)
    if name and group.device:
        machine.check_name(name, group.device)
        group.device.name = name
    group.uuid = uuid or group.uuid
    group.cache_mode = mode or group.cache_mode
    group.cache_set = cache_set or group.cache_set
    if backing:
        machine.leave(group, list(group.members))
        machine.join(group, [backing], "bcache-backing")
        machine.resized(group)
    return told.bcache(group)


def delete_bcache(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete Bcache")
    machine.delete_group(_bcache(machine, text))
    return None
