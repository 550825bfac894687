# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMFS datastores, which are made of partitions: a disk that is given gets one over all of it."""

from __future__ import annotations

from collections.abc import Iterable

from . import told
from .machine import Machine
from .parts import ApiError, BlockDevice, Filesystem, Group, Holder, Partition
from .request import Answer, Request, free_devices, free_partitions


def add_datastore(machine: Machine, name: str, holders: Iterable[Holder], uuid: str = "") -> Group:
    group = machine.add_group("vmfs6", name, uuid)
    machine.join(group, _partitions(machine, holders), "vmfs6")
    group.device = machine.add_virtual(group, name, group.size, block_size=1024)
    group.device.filesystem = Filesystem("vmfs6", mount_point=f"/vmfs/volumes/{name}")
    return group


def _partitions(machine: Machine, holders: Iterable[Holder]) -> list[Holder]:
    return [machine.add_partition(one, one.available_size) if isinstance(one, BlockDevice) else one for one in holders]


def list_datastores(request: Request, system_id: str) -> Answer:
    return [told.datastore(one) for one in request.machine(system_id).groups if one.type == "vmfs6"]


def create_datastore(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create VMFS group")
    form = request.form
    name, uuid = form.text("name", required=True), form.uuid()
    if not machine.vmfs:
        said = "VMFS Datastores may only be created after the VMFS6 or VMFS7 storage layout has been applied."
        form.add("VMFS", said)
    chosen = form.holders("block_devices", free_devices(machine))
    chosen += form.holders("partitions", free_partitions(machine))
    if not form.errors and not chosen:
        form.add("__all__", "At least one valid block device or partition is required.")
    form.check()
    machine.check_name(name)
    return told.datastore(add_datastore(machine, name, chosen, uuid))


def _datastore(machine: Machine, text: str) -> Group:
    return machine.group(text, "VMFS", "vmfs6")


def read_datastore(request: Request, system_id: str, text: str) -> Answer:
    return told.datastore(_datastore(request.machine(system_id), text))


def update_datastore(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "Cannot update the VMFS datastore because the machine is not Ready.")
    group, form = _datastore(machine, text), request.form
    name, uuid = form.text("name"), form.uuid()
    new = form.holders("add_block_devices", free_devices(machine))
    new += form.holders("add_partitions", free_partitions(machine))
    gone = form.holders("remove_partitions", [one for one in group.members if isinstance(one, Partition)])
    form.check()
    if not [one for one in (*group.members, *new) if one not in gone]:
        raise ApiError(400, {"__all__": ["At least one filesystem must have been added."]})
    if name and group.device:
        machine.check_name(name, group.device)
        group.device.name = name
    group.uuid = uuid or group.uuid
    machine.join(group, _partitions(machine, new), "vmfs6")
    machine.leave(group, gone)
    machine.resized(group)
    return told.datastore(group)


def delete_datastore(request: Request, system_id: str, text: str) -> Answer:
    """Its partitions stay."""
    machine = request.structure(system_id, "delete VMFS datastore")
    machine.delete_group(_datastore(machine, text))
    return None
