# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RAIDs."""

from __future__ import annotations

from . import told
from .machine import Machine
from .parts import ApiError, BlockDevice, Group, Partition
from .request import Answer, Request, free_devices, free_partitions

LEVELS = ("raid-0", "raid-1", "raid-5", "raid-6", "raid-10")
_LEAST = {"raid-0": 2, "raid-1": 2, "raid-5": 3, "raid-6": 4, "raid-10": 3}


def list_raids(request: Request, system_id: str) -> Answer:
    return [told.raid(one) for one in request.machine(system_id).groups if one.type in LEVELS]


def _raid(machine: Machine, text: str) -> Group:
    return machine.group(text, "RAID", *LEVELS)


def _check_members(level: str, active: int, spares: int) -> None:
    if active < _LEAST[level] or (level == "raid-0" and spares):
        beside = "no spares" if level == "raid-0" else "any number of spares"
        said = f"RAID level {level[5:]} must have at least {_LEAST[level]} raid devices and {beside}."
        raise ApiError(400, {"__all__": [said]})


def create_raid(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create RAID")
    form = request.form
    level, uuid = form.choice("level", LEVELS), form.uuid()
    devices, partitions = free_devices(machine), free_partitions(machine)
    active = form.holders("block_devices", devices) + form.holders("partitions", partitions)
    spares = form.holders("spare_devices", devices) + form.holders("spare_partitions", partitions)
    if not form.errors and not active + spares:
        form.add("__all__", "At least one block device or partition must be added to the array.")
    name = form.new_name()
    machine.check_name(name)
    _check_members(level, len(active), len(spares))
    if set(active) & set(spares):
        raise ApiError(400, {"__all__": ["Filesystem with this Block device and Acquired already exists."]})
    whole = machine.on_boot_disk(active + spares, every=True)
    group = machine.add_group(level, name, uuid)
    machine.join(group, whole[: len(active)], "raid")
    machine.join(group, whole[len(active) :], "raid-spare")
    group.device = machine.add_virtual(group, name, group.size)
    return told.raid(group)


def read_raid(request: Request, system_id: str, text: str) -> Answer:
    return told.raid(_raid(request.machine(system_id), text))


def update_raid(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "update RAID")
    group, form = _raid(machine, text), request.form
    name, uuid = form.text("name"), form.uuid()
    devices, partitions = free_devices(machine), free_partitions(machine)
    inside = list(group.members)
    disks = [one for one in inside if isinstance(one, BlockDevice)]
    parts = [one for one in inside if isinstance(one, Partition)]
    gone = [
        *form.holders("remove_block_devices", disks),
        *form.holders("remove_partitions", parts),
        *form.holders("remove_spare_devices", disks),
        *form.holders("remove_spare_partitions", parts),
    ]
    active = form.holders("add_block_devices", devices) + form.holders("add_partitions", partitions)
    spares = form.holders("add_spare_devices", devices) + form.holders("add_spare_partitions", partitions)
    form.check()
    if name and group.device:
        machine.check_name(name, group.device)
    # Removals come before additions, and must leave enough by themselves.
    kept = [one for one in inside if one not in gone]
    standing = [one for one in kept if one in group.with_type("raid")]
    if gone:
        _check_members(group.type, len(standing), len(kept) - len(standing))
    _check_members(group.type, len(standing) + len(active), len(kept) - len(standing) + len(spares))
    before = {one: one.filesystem for one in inside}
    machine.leave(group, gone)
    machine.join(group, active, "raid")
    machine.join(group, spares, "raid-spare")
    try:
        machine.resized(group)
    except ApiError:
        machine.leave(group, [*active, *spares])
        group.members = inside
        for one, filesystem in before.items():
            one.filesystem = filesystem
        _unresize(group)
        raise
    group.uuid = uuid or group.uuid
    if name and group.device:
        group.device.name = name
    return told.raid(group)


def _unresize(group: Group) -> None:
    if group.device:
        group.device.size = group.size


def delete_raid(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete RAID")
    machine.delete_group(_raid(machine, text))
    return None
