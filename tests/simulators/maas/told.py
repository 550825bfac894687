# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a region tells of its things, as its API writes them."""

from __future__ import annotations

from typing import Any

from .machine import Machine
from .parts import STATUS_NAMES, BlockDevice, CacheSet, Filesystem, Group, Holder, Partition

API = "/MAAS/api/2.0"


def human(size: float) -> str:
    if size < 1000:
        return f"{int(size)} bytes"
    number, units = float(size), iter(("kB", "MB", "GB", "TB", "PB"))
    unit = ""
    while number >= 1000:
        number, unit = number / 1000, next(units)
    return f"{number:.1f} {unit}"


def filesystem(one: Filesystem | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "fstype": one.fstype,
        "label": one.label,
        "uuid": one.uuid,
        "mount_point": one.mount_point,
        "mount_options": one.mount_options,
    }


def used_for(one: Holder) -> str:
    found = one.filesystem
    if found is None:
        parts = len(one.partitions) if isinstance(one, BlockDevice) else 0
        return f"GPT partitioned with {parts} partition{'s' if parts > 1 else ''}" if parts else "Unused"
    if found.cache_set:
        return f"Cache device for {found.cache_set.name}"
    if found.group:
        name = found.group.name
        return {
            "raid": f"Active {found.group.type} device for {name}",
            "raid-spare": f"Spare {found.group.type} device for {name}",
            "bcache-backing": f"Backing device for {name}",
            "lvm-pv": f"LVM volume for {name}",
            "vmfs6": f"VMFS extent for {name}",
        }[found.fstype]
    if found.mount_point:
        return f"{found.fstype} formatted filesystem mounted at {found.mount_point}"
    return f"Unmounted {found.fstype} formatted filesystem"


def _system_id(one: Holder) -> dict[str, Any]:
    return {"system_id": one.machine.system_id, "used_for": used_for(one), "tags": list(one.tags), "id": one.id}


def partition(one: Partition) -> dict[str, Any]:
    return {
        **_system_id(one),
        "uuid": one.uuid,
        "size": one.size,
        "bootable": one.bootable,
        "device_id": one.device.id,
        "path": f"/dev/disk/by-dname/{one.name}",
        "type": "partition",
        "filesystem": filesystem(one.filesystem),
        "resource_uri": f"{API}/nodes/{one.machine.system_id}/blockdevices/{one.device.id}/partition/{one.id}",
    }


def device(one: BlockDevice, brief: bool = False) -> dict[str, Any]:
    found = {
        **_system_id(one),
        "serial": one.serial,
        "model": one.model,
        "id_path": one.id_path,
        "numa_node": one.numa_node,
        "uuid": one.uuid,
        "name": one.full_name,
        "path": f"/dev/disk/by-dname/{one.full_name}",
        "size": int(one.size),
        "used_size": one.used_size,
        "available_size": one.available_size,
        "block_size": one.block_size,
        "storage_pool": None,
        "type": "physical" if one.physical else "virtual",
        "partition_table_type": "GPT" if one.partitions else None,
        "partitions": [partition(part) for part in one.partitions],
        "filesystem": filesystem(one.filesystem),
        "resource_uri": f"{API}/nodes/{one.machine.system_id}/blockdevices/{one.id}/",
    }
    if one.physical and not brief:
        found["firmware_version"] = one.firmware_version
    return found


def holder(one: Holder | None) -> dict[str, Any] | None:
    if isinstance(one, BlockDevice):
        return device(one)
    return partition(one) if isinstance(one, Partition) else None


def raid(group: Group) -> dict[str, Any]:
    return {
        "virtual_device": holder(group.device),
        "size": group.size,
        "human_size": human(group.size),
        "devices": [holder(one) for one in group.with_type("raid")],
        "spare_devices": [holder(one) for one in group.with_type("raid-spare")],
        "system_id": group.machine.system_id,
        "level": group.type,
        "uuid": group.uuid,
        "name": group.name,
        "id": group.id,
        "resource_uri": f"{API}/nodes/{group.machine.system_id}/raid/{group.id}/",
    }


def cache_set(one: CacheSet | None) -> dict[str, Any] | None:
    if one is None:
        return None
    found = one.device
    if found is None:
        uri = f"{API}/nodes/system_id/bcache-cache-set/{one.id}/"
        return {"id": one.id, "cache_device": None, "system_id": None, "resource_uri": uri}
    return {
        "id": one.id,
        "cache_device": holder(found),
        "name": one.name,
        "system_id": one.machine.system_id,
        "resource_uri": f"{API}/nodes/{one.machine.system_id}/bcache-cache-set/{one.id}/",
    }


def new_bcache(group: Group) -> dict[str, Any]:
    """The answer to its creation tells less than the next one."""
    return {
        "uuid": group.uuid,
        "name": group.name,
        "cache_mode": group.cache_mode,
        "cache_set": cache_set(group.cache_set),
        "virtual_device": holder(group.device),
        "id": group.id,
    }


def bcache(group: Group) -> dict[str, Any]:
    return {
        **new_bcache(group),
        "size": group.size,
        "human_size": human(group.size),
        "system_id": group.machine.system_id,
        "backing_device": holder(group.members[0]),
        "resource_uri": f"{API}/nodes/{group.machine.system_id}/bcache/{group.id}/",
    }


def volume_group(group: Group) -> dict[str, Any]:
    taken = group.size - group.free
    return {
        "logical_volumes": [device(one) for one in group.volumes],
        "size": group.size,
        "used_size": taken,
        "available_size": group.free,
        "human_size": human(group.size),
        "human_used_size": human(taken),
        "human_available_size": human(group.free),
        "system_id": group.machine.system_id,
        "uuid": group.uuid,
        "name": group.name,
        "devices": [holder(one) for one in group.members],
        "id": group.id,
        "resource_uri": f"{API}/nodes/{group.machine.system_id}/volume-group/{group.id}/",
    }


def new_volume(one: BlockDevice) -> dict[str, Any]:
    told = ("size", "used_size", "system_id", "available_size", "uuid", "name", "id", "resource_uri")
    return {key: value for key, value in device(one).items() if key in told}


def datastore(group: Group) -> dict[str, Any]:
    found = group.device.filesystem if group.device else None
    return {
        "id": group.id,
        "system_id": group.machine.system_id,
        "uuid": group.uuid,
        "name": group.name,
        "devices": [holder(one) for one in group.members],
        "size": group.size,
        "human_size": human(group.size),
        "filesystem": {"fstype": found.fstype, "mount_point": found.mount_point} if found else None,
        "resource_uri": f"{API}/nodes/{group.machine.system_id}/vmfs-datastore/{group.id}/",
    }


def _stub(machine: Machine, number: int) -> dict[str, Any]:
    return {"system_id": machine.system_id, "id": number, "__incomplete__": True}


def status_name(one: Machine) -> str:
    """Of a state that nobody knows, what was told of it."""
    return STATUS_NAMES.get(one.status) or str(one.more.get("status_name", f"status {one.status}"))


def machine(one: Machine) -> dict[str, Any]:
    def stubs(*types: str) -> list[dict[str, Any]]:
        return [_stub(one, group.id) for group in one.groups if group.type.startswith(types) and group.members]

    devices = [device(each) for each in one.devices]
    return {
        "pool": {"name": one.pool, "description": "", "id": 0, "resource_uri": f"{API}/resourcepool/0/"},
        "zone": {"name": one.zone, "description": "", "id": 1, "resource_uri": f"{API}/zones/{one.zone}/"},
        "tag_names": list(one.tag_names),
        "locked": one.locked,
        **one.more,
        "system_id": one.system_id,
        "hostname": one.hostname,
        "fqdn": f"{one.hostname}.{one.domain}",
        "status": one.status,
        "status_name": status_name(one),
        "owner": one.owner,
        "architecture": one.architecture,
        "bios_boot_method": one.bios_boot_method,
        "storage": sum(each.size for each in one.devices if each.physical) / 1000 / 1000,
        "boot_disk": holder(one.boot_disk),
        "blockdevice_set": devices,
        "physicalblockdevice_set": [each for each in devices if each["type"] == "physical"],
        "virtualblockdevice_set": [each for each in devices if each["type"] == "virtual"],
        "special_filesystems": [filesystem(each) for each in one.special],
        "raids": stubs("raid"),
        "bcaches": stubs("bcache"),
        "volume_groups": stubs("lvm-vg"),
        "cache_sets": [_stub(one, each.id) for each in one.cache_sets if each.device],
        "resource_uri": f"{API}/machines/{one.system_id}/",
    }
