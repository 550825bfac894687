# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's endpoints: what each request does to a region, and what it tells of it."""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, Union

from . import told
from .description import describe
from .forms import Form
from .layouts import set_layout
from .model import (
    ALLOCATED,
    READY,
    ApiError,
    BlockDevice,
    CacheSet,
    Filesystem,
    Group,
    Holder,
    Machine,
    Partition,
    Region,
    User,
    kind,
    whole_blocks,
)

FSTYPES = ("ext2", "ext4", "xfs", "fat32", "vfat", "swap", "btrfs", "zfsroot")
SPECIAL = ("tmpfs", "ramfs")
RAIDS = ("raid-0", "raid-1", "raid-5", "raid-6", "raid-10")
CACHE_MODES = ("writeback", "writethrough", "writearound")
_LEAST = {"raid-0": 2, "raid-1": 2, "raid-5": 3, "raid-6": 4, "raid-10": 3}
#: An answer: text, or what becomes JSON; None is none.
Answer = Union[str, dict[str, Any], list[Any], None]


class Request(NamedTuple):
    """One request: who makes it (None: nobody), what for, and with which fields."""

    region: Region
    user: User | None
    method: str
    path: str
    op: str | None
    query: dict[str, list[str]]
    form: Form
    base: str = ""

    def machine(self, system_id: str) -> Machine:
        return self.region.machine(system_id)

    def structure(self, system_id: str, what: str) -> Machine:
        """The machine, if its structure may be changed."""
        machine = self.machine(system_id)
        if self.user is None or not self.user.admin:
            raise ApiError(403)
        if machine.status != READY:
            raise ApiError(409, f"Cannot {what} because the machine is not Ready.")
        return machine

    def use(self, system_id: str, what: str) -> Machine:
        """The machine, if what it has may be put to use."""
        machine = self.machine(system_id)
        if self.user is None or not (self.user.admin or machine.owner == self.user.name):
            raise ApiError(403)
        if machine.status not in (READY, ALLOCATED):
            raise ApiError(409, f"Cannot {what} because the machine is not Ready or Allocated.")
        return machine


def _free_devices(machine: Machine) -> list[Holder]:
    return [one for one in machine.devices if not one.used]


def _free_partitions(machine: Machine) -> list[Holder]:
    return [part for one in machine.devices for part in one.partitions if not part.used]


# Machines


def list_machines(request: Request) -> Answer:
    hostnames = request.query.get("hostname")
    return [
        told.machine(machine)
        for machine in request.region.machines.values()
        if not hostnames or machine.hostname in hostnames
    ]


def read_machine(request: Request, system_id: str) -> Answer:
    return told.machine(request.machine(system_id))


def set_storage_layout(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "change the storage layout")
    set_layout(machine, request.form)
    return told.machine(machine)


def restore_storage(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "restore the storage configuration")
    set_layout(machine, Form({"storage_layout": ["flat"]}))
    return told.machine(machine)


def mount_special(request: Request, system_id: str) -> Answer:
    machine = request.use(system_id, "mount the filesystem")
    form = request.form
    fstype = form.choice("fstype", SPECIAL)
    point = _mount_point(form)
    form.check()
    if machine.mounted(point):
        raise ApiError(400, {"__all__": [f"Another filesystem is already mounted at {point}."]})
    machine.special.append(Filesystem(fstype, mount_point=point, mount_options=form.text("mount_options")))
    return told.machine(machine)


def unmount_special(request: Request, system_id: str) -> Answer:
    machine = request.use(system_id, "unmount the filesystem")
    point = request.form.text("mount_point", required=True)
    request.form.check()
    found = [one for one in machine.special if one.mount_point == point]
    if not found:
        raise ApiError(400, {"mount_point": ["No special filesystem is mounted at this path."]})
    machine.special.remove(found[0])
    return told.machine(machine)


# Block devices


def list_devices(request: Request, system_id: str) -> Answer:
    return [told.device(one, brief=True) for one in request.machine(system_id).devices]


def create_device(request: Request, system_id: str) -> Answer:
    machine = request.machine(system_id)
    if request.user is None or not request.user.admin:
        raise ApiError(403)
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
    device = request.machine(system_id).device(text)
    if device.physical:
        if request.user is None or not request.user.admin:
            raise ApiError(403)
    else:
        request.structure(system_id, "update block device")
    form = request.form
    if form.text("partition_table_type") and not device.partitions:
        raise ApiError(400, {"partition_table_type": ["Block device has no partition table"]})
    size = form.size("size")
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


# Filesystems, on devices and partitions alike


def _find(request: Request, system_id: str, texts: tuple[str, ...], what: str) -> Holder:
    machine = request.use(system_id, what)
    device = machine.device(texts[0])
    return machine.partition(device, texts[1]) if len(texts) > 1 else device


def _formatted(holder: Holder) -> Filesystem:
    if holder.filesystem is None:
        raise ApiError(400, f"{holder.word.capitalize()} is not formatted.")
    return holder.filesystem


def _mount_point(form: Form) -> str:
    point = form.text("mount_point", required=True)
    if point and not point.startswith("/"):
        form.add("mount_point", "Enter a valid value.")
    return point


def format_(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "format block device")
    form = request.form
    fstype = form.choice("fstype", (*FSTYPES, *SPECIAL))
    label, uuid = form.text("label"), form.uuid()
    found = holder.filesystem
    if found and (found.group or found.cache_set):
        raise ApiError(400, f"Cannot format a {holder.word} that has a filesystem type of {found.fstype}.")
    form.check()
    if fstype in SPECIAL:
        raise ApiError(400, {"__all__": ["Virtual filesystems must be mounted."]})
    if holder is holder.machine.boot_disk:
        said = (
            "Cannot place filesystem directly on the boot disk. Create a partition on the boot disk first and then "
            "format the partition."
        )
        raise ApiError(400, {"__all__": [said]})
    holder.filesystem = Filesystem(fstype, label)
    if uuid:
        holder.filesystem.uuid = uuid
    return told.holder(holder)


def unformat(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "unformat block device")
    found = _formatted(holder)
    if found.mount_point:
        raise ApiError(
            400,
            "Filesystem is mounted and cannot be unformatted. Unmount the filesystem before unformatting the "
            f"{holder.word}.",
        )
    if found.group:
        what = kind(found.group)
        raise ApiError(
            400,
            f"Filesystem is part of a {what}, and cannot be unformatted. Remove {holder.word} from {what} before "
            f"unformatting the {holder.word}.",
        )
    holder.filesystem = None
    return told.holder(holder)


def mount(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "mount the filesystem")
    form, found = request.form, holder.filesystem
    point = "none" if found and found.fstype == "swap" else _mount_point(form)
    form.check()
    if found is None:
        raise ApiError(400, {"__all__": ["Cannot mount an unformatted partition or block device."]})
    if found.group or found.cache_set:
        raise ApiError(400, {"__all__": ["Filesystem is part of a filesystem group, and cannot be mounted."]})
    if holder.machine.mounted(point, besides=found):
        raise ApiError(400, {"__all__": [f"Another filesystem is already mounted at {point}."]})
    found.mount_point, found.mount_options = point, form.text("mount_options")
    return told.holder(holder)


def unmount(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "unmount the filesystem")
    found = _formatted(holder)
    if not found.mount_point:
        raise ApiError(400, "Filesystem is already unmounted.")
    found.mount_point = found.mount_options = None
    return told.holder(holder)


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
    machine = request.machine(system_id)
    if request.user is None or not request.user.admin:
        raise ApiError(403)
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
    machine = request.structure(system_id, "create a partition")
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
    machine = request.structure(system_id, "delete the partition")
    machine.delete_partition(machine.partition(machine.device(device), text))
    return None


# RAIDs


def list_raids(request: Request, system_id: str) -> Answer:
    return [told.raid(one) for one in request.machine(system_id).groups if one.type in RAIDS]


def _raid(machine: Machine, text: str) -> Group:
    return machine.group(text, "RAID", *RAIDS)


def _check_members(level: str, active: int, spares: int) -> None:
    if active < _LEAST[level] or (level == "raid-0" and spares):
        beside = "no spares" if level == "raid-0" else "any number of spares"
        said = f"RAID level {level[5:]} must have at least {_LEAST[level]} raid devices and {beside}."
        raise ApiError(400, {"__all__": [said]})


def create_raid(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create RAID")
    form = request.form
    level, uuid = form.choice("level", RAIDS), form.uuid()
    devices, partitions = _free_devices(machine), _free_partitions(machine)
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
    devices, partitions = _free_devices(machine), _free_partitions(machine)
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


# Cache sets and bcaches


def list_cache_sets(request: Request, system_id: str) -> Answer:
    return [told.cache_set(one) for one in request.machine(system_id).cache_sets if one.device]


def _one_of(form: Form, machine: Machine, what: str, required: bool) -> Holder | None:
    """The device or the partition that is to cache or to be cached."""
    disks = form.holders(f"{what}_device", _free_devices(machine))
    parts = form.holders(f"{what}_partition", _free_partitions(machine))
    if disks and parts:
        form.add("__all__", f"Cannot set both {what}_device and {what}_partition.")
    if required and not disks + parts and "__all__" not in form.errors:
        form.add("__all__", f"Either {what}_device or {what}_partition must be specified.")
    return next(iter(disks + parts), None)


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


# Volume groups


def list_volume_groups(request: Request, system_id: str) -> Answer:
    return [told.volume_group(one) for one in request.machine(system_id).groups if one.type == "lvm-vg" and one.members]


def _volume_group(machine: Machine, text: str) -> Group:
    return machine.group(text, "VolumeGroup", "lvm-vg")


def create_volume_group(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "create volume group")
    form = request.form
    name, uuid = form.text("name", required=True), form.uuid()
    chosen = form.holders("block_devices", _free_devices(machine)) + form.holders(
        "partitions", _free_partitions(machine)
    )
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
    new = form.holders("add_block_devices", _free_devices(machine)) + form.holders(
        "add_partitions", _free_partitions(machine)
    )
    form.check()
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
    form.uuid()
    form.check()
    machine.check_name(name)
    volume = machine.add_virtual(group, name, whole_blocks(group.free if size is None else size), block_size=4096)
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


# VMFS, which the simulator lacks


def list_datastores(_request: Request, _system_id: str) -> Answer:
    return []


def create_datastore(_request: Request, _system_id: str) -> Answer:
    said = "VMFS Datastores may only be created after the VMFS6 or VMFS7 storage layout has been applied."
    raise ApiError(400, {"VMFS": [said]})


def no_datastore(_request: Request, _system_id: str, _text: str) -> Answer:
    raise ApiError(404, "No VMFS matches the given query.")


# The rest


def version(_request: Request) -> Answer:
    capabilities = [
        *("networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu", "devices-management"),
        *("storage-deployment-ubuntu", "network-deployment-ubuntu", "bridging-interface-ubuntu"),
        *("bridging-automatic-ubuntu", "authenticate-api"),
    ]
    return {"capabilities": capabilities, "version": "3.6.5", "subversion": ""}


def description(request: Request) -> Answer:
    return describe(request.base, ROUTES)


def whoami(request: Request) -> Answer:
    if request.user is None:
        raise ApiError(401, "Forbidden")
    return {
        "is_superuser": request.user.admin,
        "username": request.user.name,
        "email": f"{request.user.name}@example.com",
        "is_local": True,
        "resource_uri": f"{told.API}/users/{request.user.name}/",
    }


Handler = Callable[..., Answer]
_NODE = "nodes/([^/]+)"
_ONE = "([^/]+)"
_DEVICE = f"{_NODE}/blockdevices/{_ONE}"
_ON_HOLDER: dict[str, Handler] = {
    "POST format": format_,
    "POST unformat": unformat,
    "POST mount": mount,
    "POST unmount": unmount,
    "POST add_tag": add_tag,
    "POST remove_tag": remove_tag,
}
_ON_PARTITION: dict[str, Handler] = {"GET": read_partition, "DELETE": delete_partition, **_ON_HOLDER}
_ON_MACHINE: dict[str, Handler] = {
    "GET": read_machine,
    "POST set_storage_layout": set_storage_layout,
    "POST restore_storage_configuration": restore_storage,
    "POST mount_special": mount_special,
    "POST unmount_special": unmount_special,
}
_ON_VOLUME_GROUP: dict[str, Handler] = {
    "GET": read_volume_group,
    "PUT": update_volume_group,
    "DELETE": delete_volume_group,
    "POST create_logical_volume": create_volume,
    "POST delete_logical_volume": delete_volume,
}
#: Paths below the API's, and what each takes, by method and op.
ROUTES: dict[str, dict[str, Handler]] = {
    "version/": {"GET": version},
    "describe/": {"GET": description},
    "users/": {"GET whoami": whoami},
    "machines/": {"GET": list_machines},
    "machines/([^/]+)/": _ON_MACHINE,
    f"{_NODE}/": {"GET": read_machine},
    f"{_NODE}/blockdevices/": {"GET": list_devices, "POST": create_device},
    f"{_DEVICE}/": {
        "GET": read_device,
        "PUT": update_device,
        "DELETE": delete_device,
        "POST set_boot_disk": set_boot_disk,
        **_ON_HOLDER,
    },
    f"{_DEVICE}/partitions/": {"GET": list_partitions, "POST": create_partition},
    f"{_DEVICE}/partitions?/{_ONE}": _ON_PARTITION,
    f"{_NODE}/raids/": {"GET": list_raids, "POST": create_raid},
    f"{_NODE}/raid/{_ONE}/": {"GET": read_raid, "PUT": update_raid, "DELETE": delete_raid},
    f"{_NODE}/bcache-cache-sets/": {"GET": list_cache_sets, "POST": create_cache_set},
    f"{_NODE}/bcache-cache-set/{_ONE}/": {"GET": read_cache_set, "PUT": update_cache_set, "DELETE": delete_cache_set},
    f"{_NODE}/bcaches/": {"GET": list_bcaches, "POST": create_bcache},
    f"{_NODE}/bcache/{_ONE}/": {"GET": read_bcache, "PUT": update_bcache, "DELETE": delete_bcache},
    f"{_NODE}/volume-groups/": {"GET": list_volume_groups, "POST": create_volume_group},
    f"{_NODE}/volume-groups?/{_ONE}/": _ON_VOLUME_GROUP,
    f"{_NODE}/vmfs-datastores/": {"GET": list_datastores, "POST": create_datastore},
    f"{_NODE}/vmfs-datastore/{_ONE}/": {"GET": no_datastore, "PUT": no_datastore, "DELETE": no_datastore},
}
_ANONYMOUS = ("version/", "describe/")
_COMPILED = [(re.compile(pattern), handlers) for pattern, handlers in ROUTES.items()]


def answer(request: Request) -> Answer:
    """What the region says. Raises ApiError."""
    below = request.path.removeprefix(f"{told.API}/")
    for pattern, handlers in _COMPILED:
        match = pattern.fullmatch(below)
        if match is None:
            continue
        methods = sorted({key.split()[0] for key in handlers}, reverse=True)
        if request.method not in methods:
            raise ApiError(405, headers={"Allow": ", ".join(methods)})
        handler = handlers.get(" ".join(filter(None, (request.method, request.op))))
        if handler is None or (request.user is None and below == "machines/"):
            raise ApiError(400, f"Unrecognised signature: method={request.method} op={request.op}")
        if request.user is None and below not in _ANONYMOUS:
            raise ApiError(401, "Forbidden")
        return handler(request, *match.groups())
    raise ApiError(404, f"Unknown API endpoint: {request.path}.")
