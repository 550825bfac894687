# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume groups and their logical volumes."""

from __future__ import annotations

from . import told
from .machine import Machine
from .parts import ApiError, BlockDevice, Group, Partition, whole_blocks
from .request import Answer, Request, free_devices, free_partitions


def list_volume_groups(request: Request, system_id: str) -> Answer:
    return [told.volume_group(one) for one in request.machine(system_id).groups if one.type == "lvm-vg" and one.members]


def _volume_group(machine: Machine, text: str) -> Group:
    return machine.group(text, "VolumeGroup", "lvm-vg")


def create_volume_group(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create volume group")
    form = request.form
    name, uuid = form.text("name", required=True), form.uuid()
    chosen = form.holders("block_devices", free_devices(machine)) + form.holders("partitions", free_partitions(machine))
    if not form.errors and not chosen:
        form.add("__all__", "At least one valid block device or partition is required.")
    form.check()
    whole = machine.on_boot_disk(chosen, every=False)
    group = machine.add_group("lvm-vg", name, uuid)
    machine.join(group, whole, "lvm-pv")
    return told.volume_group(group)


def read_volume_group(request: Request, system_id: str, text: str) -> Answer:
    group = _volume_group(request.machine(system_id), text)
    if not group.members:
        raise ApiError(500, "'NoneType' object has no attribute 'system_id'")
    return told.volume_group(group)


def update_volume_group(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "update volume group")
    group, form = _volume_group(machine, text), request.form
    name, uuid = form.text("name"), form.uuid()
    disks = [one for one in group.members if isinstance(one, BlockDevice)]
    parts = [one for one in group.members if isinstance(one, Partition)]
    gone = form.holders("remove_block_devices", disks) + form.holders("remove_partitions", parts)
    new = form.holders("add_block_devices", free_devices(machine)) + form.holders(
        "add_partitions", free_partitions(machine)
    )
    form.check()
    if not [one for one in (*group.members, *new) if one not in gone]:
        raise ApiError(400, {"__all__": ["At least one filesystem must have been added."]})
    kept = sum(whole_blocks(one.size) - 4 * 1024**2 for one in (*group.members, *new) if one not in gone)
    if kept < sum(volume.size for volume in group.volumes):
        raise ApiError(400, "Volume group cannot be smaller than its logical volumes.")
    machine.leave(group, gone)
    machine.join(group, machine.on_boot_disk(new, every=False), "lvm-pv")
    group.label, group.uuid = name or group.label, uuid or group.uuid
    return told.volume_group(group)


def delete_volume_group(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete volume group")
    group = _volume_group(machine, text)
    if not group.members:
        raise ApiError(500, "'NoneType' object has no attribute 'system_id'")
    machine.delete_group(group)
    return None


def create_volume(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "create logical volume")
    group, form = _volume_group(machine, text), request.form
    if group.free < 4 << 20:
        said = f"Volume group ({group.name}) cannot hold any more logical volumes, because it doesn't have enough "
        raise ApiError(400, {"__all__": [said + "free space."]})
    name, size = form.text("name", required=True), form.size("size", most=group.free)
    uuid = form.uuid()
    form.check()
    machine.check_name(name)
    volume = machine.add_virtual(group, name, whole_blocks(group.free if size is None else size), block_size=4096)
    volume.uuid = uuid or volume.uuid
    return told.new_volume(volume)


def delete_volume(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete logical volume")
    group, number = _volume_group(machine, text), request.form.text("id")
    if not number:
        raise ApiError(400, "No provided id!")
    for volume in group.volumes:
        if str(volume.id) == number:
            machine.drop_device(volume)
    return None
