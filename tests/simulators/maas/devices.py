# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Block devices, their partitions, and the tags of both."""

from __future__ import annotations

from . import told
from .parts import ApiError, Holder, whole_blocks
from .request import Answer, Request


def list_devices(request: Request, system_id: str) -> Answer:
    return [told.device(one, brief=True) for one in request.machine(system_id).devices]


def create_device(request: Request, system_id: str) -> Answer:
    machine = request.machine(system_id)
    request.check_admin()
    form = request.form
    name, size, block = form.text("name", True), form.size("size"), form.size("block_size", least=512)
    for field in ("size", "block_size"):
        if not form.text(field):
            form.add(field, "This field is required.")
    serial, model, id_path = form.text("serial"), form.text("model"), form.text("id_path")
    if not id_path and not (serial and model):
        form.add("__all__", "serial/model are required if id_path is not provided.")
    form.check()
    machine.check_name(name)
    more = {"serial": serial, "model": model, "id_path": id_path, "numa_node": 0}
    return told.device(machine.add_disk(name, size or 0, block_size=block or 512, **more))


def read_device(request: Request, system_id: str, text: str) -> Answer:
    return told.device(request.machine(system_id).device(text))


def update_device(request: Request, system_id: str, text: str) -> Answer:
    device = request.structure(system_id, "update block device").device(text)
    form = request.form
    if form.text("partition_table_type") and not device.partitions:
        raise ApiError(400, {"partition_table_type": ["Block device has no partition table"]})
    size, uuid = form.size("size"), form.uuid()
    form.check()
    if size and device.part_of:
        if device.part_of.type != "lvm-vg":
            raise ApiError(500)
        if size > device.part_of.free + device.size:
            said = f"There is not enough free space ({told.human(size)}) on volume group {device.part_of.name}."
            raise ApiError(400, {"__all__": [said]})
    if form.text("name"):
        device.machine.check_name(form.text("name"), device)
        device.name = form.text("name")
    if size:
        device.size = whole_blocks(size) if device.part_of else size
    if uuid and device.part_of:
        device.uuid = uuid
    for field in ("serial", "model", "id_path"):
        if field in form.fields:
            setattr(device, field, form.text(field))
    return told.device(device)


def delete_device(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "delete block device")
    machine.delete_device(machine.device(text))
    return None


def set_boot_disk(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "set as boot disk")
    device = machine.device(text)
    if not device.physical:
        raise ApiError(400, "Cannot set a virtual block device as the boot disk.")
    machine.chosen_boot_disk = device
    return "OK"


def add_tag(request: Request, system_id: str, *texts: str) -> Answer:
    holder, tag = _tagged(request, system_id, texts)
    if tag not in holder.tags:
        holder.tags.append(tag)
    return told.holder(holder)


def remove_tag(request: Request, system_id: str, *texts: str) -> Answer:
    holder, tag = _tagged(request, system_id, texts)
    if tag in holder.tags:
        holder.tags.remove(tag)
    return told.holder(holder)


def _tagged(request: Request, system_id: str, texts: tuple[str, ...]) -> tuple[Holder, str]:
    """What gets or loses a tag. A region asks for the machine's state only where it is a block device."""
    machine = request.machine(system_id) if len(texts) > 1 else request.structure(system_id, "update block device")
    request.check_admin()
    device = machine.device(texts[0])
    if not request.form.text("tag"):
        raise ApiError(400, "No provided tag!")
    return (machine.partition(device, texts[1]) if len(texts) > 1 else device), request.form.text("tag")


# Partitions


def list_partitions(request: Request, system_id: str, text: str) -> Answer:
    device = request.machine(system_id).device(text)
    if not device.partitions:
        raise ApiError(500, "PartitionTable matching query does not exist.")
    return [told.partition(one) for one in device.partitions]


def create_partition(request: Request, system_id: str, text: str) -> Answer:
    machine = request.structure(system_id, "Cannot create partition because the node is not Ready.")
    device, form = machine.device(text), request.form
    if device.part_of and not device.part_of.type.startswith("raid"):
        what = "a logical volume" if device.part_of.type == "lvm-vg" else "a Bcache volume"
        raise ApiError(400, {"block_device": [f"Cannot create a partition table on {what}."]})
    # What is on the device itself does not keep the region from partitioning it.
    free = whole_blocks(device.size - device.table_size - sum(part.size for part in device.partitions))
    asked, uuid = form.size("size", most=int(device.size)), form.uuid()
    if not form.errors and asked is None and free < 4 << 20:
        form.add("size", "Ensure this value is greater than or equal to 4194304.")
    form.check()
    size = free if asked is None else whole_blocks(asked)
    if size > free:
        raise ApiError(400, {"size": ["Partition cannot be saved; not enough free space on the block device."]})
    return told.partition(machine.add_partition(device, size, form.flag("bootable"), uuid))


def read_partition(request: Request, system_id: str, device: str, text: str) -> Answer:
    machine = request.machine(system_id)
    return told.partition(machine.partition(machine.device(device), text))


def delete_partition(request: Request, system_id: str, device: str, text: str) -> Answer:
    machine = request.structure(system_id, "Cannot delete block device because the node is not Ready.")
    machine.delete_partition(machine.partition(machine.device(device), text))
    return None
