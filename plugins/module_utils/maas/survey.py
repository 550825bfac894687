# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine as a document; what it has beside one; and what nobody uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..document.bcache import Bcache
from ..document.document import Document, resolve
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.partition import Partition
from ..document.raid import Raid
from . import cache_set, drive, partition
from .document import CacheSet, Datastore, Special, Wanted
from .filesystem import dump as dump_use
from .names import former
from .safety import describe
from .stand_in import stand_ins
from .state import BCACHE, DATASTORE, DISK, LEFTOVER, PARTITION, RAID, VOLUME, Device, Group, Machine

NOTHING = Document((), {})
_SECTIONS: dict[type, str] = {
    Partition: "partitions",
    Raid: "raids",
    Bcache: "bcaches",
    CacheSet: "cache_sets",
    Drive: "drives",
    OnDevice: "filesystems",
    Datastore: "datastores",
}


def place(item: Any) -> str:
    if isinstance(item, Special):
        return f"special_filesystems: {item.mount_point}"
    return f"{_SECTIONS[type(item)]}: {item.name}"


def others(
    machine: Machine,
    want: Wanted,
    where: Mapping[str, tuple[str, ...]],
    base: frozenset[str] = frozenset(),
    everything: bool = False,
) -> list[Any]:
    """What there is in the document's sections (``everything``: in any) that it does not name, as absent items.

    ``base`` are devices that it stands on, and so names with them.
    """
    sections: Mapping[str, Any] = want.document.sections
    known = former(machine, want)
    where = {name: tuple(known.get(key, key) for key in keys) for name, keys in where.items()}
    named = {(section, item.name) for section, items in sections.items() for item in items}
    named |= {(key.partition(":")[0], old) for key, old in want.renames.items() if "/" not in key.partition(": ")[2]}
    used = {
        device.key
        for item in sections.get("filesystems", ())
        for text in resolve(item.name, where)
        if (device := machine.find(text))
    }
    sets = {
        device.key
        for item in sections.get("cache_sets", ())
        for text in resolve(item.name, where)
        if (device := machine.find(text))
    }
    foreign = {item.name for item in sections.get("partitions", ()) if partition.is_another(machine, item)}
    kept = {where.get(item.name, ("",))[0] for item in sections.get("partitions", ()) if item.name not in foreign}
    kept |= base | stand_ins(machine)
    found: list[Any] = []
    for device in machine.devices.values():
        if device.filesystem and device.kind != VOLUME and device.key not in used | base:
            found.append(OnDevice(device.key, state="absent"))
    renames, uuids = want.of("drives", want.renames), want.of("drives", want.uuids)
    wanted = [drive.meant(machine, item.name, renames, uuids) for item in sections.get("drives", ())]
    meant = {group.id for group in wanted if group}
    found += [
        Drive(one.name, state="absent") for one in machine.groups if one.id not in meant and not base & {*one.volumes}
    ]
    found += [Datastore(one.name, state="absent") for one in machine.datastores if one.device not in base]
    found += [Bcache(one.name, state="absent") for one in machine.bcaches if one.device not in base]
    found += [
        CacheSet(one.device, state="absent")
        for one in cache_set.unused(machine)
        if not {one.device, machine.devices[one.device].disk} & sets
    ]
    found += [Raid(one.name, state="absent") for one in machine.raids if one.device not in base]
    found += [
        # What only has the place that another is called by in the document is said by its UUID.
        Partition(one.uuid if one.key in foreign else one.key, one.disk, state="absent")
        for one in machine.devices.values()
        if one.kind == PARTITION and one.key not in kept
    ]
    special = [
        one for one in machine.special if one.mount_point not in {item.mount_point for item in want.special or ()}
    ]
    if want.special is not None or everything:
        found += [Special(one.type, one.mount_point or "", state="absent") for one in special]
    return [
        item
        for item in found
        if isinstance(item, Special)
        or ((everything or _SECTIONS[type(item)] in sections) and (_SECTIONS[type(item)], item.name) not in named)
    ]


def held(machine: Machine, items: list[Any]) -> list[str]:
    """The filesystems that go with what is absent."""
    keys: list[str] = []
    for item in items:
        if isinstance(item, Drive):
            keys += [key for one in machine.groups if one.name == item.name for key in one.volumes]
        elif not isinstance(item, Special):
            keys.append(item.device if isinstance(item, OnDevice) else item.name)
    found = {device.key: device for key in keys if (device := machine.find(key))}.values()
    return [f"{one.key}: {describe(one.filesystem)}" for one in found if one.filesystem]


def reference(machine: Machine, key: str) -> str:
    """How a document calls a device: a disk by what lasts, all else by its name."""
    device = machine.devices[key]
    shared = [one for one in machine.devices.values() if one.id_path == device.id_path]
    return device.id_path if device.kind == DISK and device.id_path and len(shared) == 1 else key


def document(machine: Machine) -> dict[str, list[dict[str, Any]]]:
    """All sections, in words that a running host has too."""

    def refs(keys: tuple[str, ...]) -> list[str]:
        return [reference(machine, key) for key in keys]

    caches = {one.id: one.device for one in machine.cache_sets}
    return {
        "partitions": [
            {"name": one.key, "device": reference(machine, one.disk), "size": str(one.size)}
            for one in machine.devices.values()
            if one.kind == PARTITION
        ],
        "raids": [
            {
                "name": one.name,
                "level": one.level,
                "devices": refs(one.members),
                "spare_devices": refs(one.spares),
            }
            for one in machine.raids
        ],
        "bcaches": [
            {
                "name": one.name,
                "backing_device": reference(machine, one.backing),
                # None where its device is gone, which is a bcache that cannot be deployed.
                "cache_device": reference(machine, caches[one.cache_set]) if one.cache_set in caches else None,
                "cache_mode": one.cache_mode,
            }
            for one in machine.bcaches
        ],
        "drives": [
            {
                "name": one.name,
                "devices": refs(one.devices),
                "volumes": [_volume(one, machine.devices[key]) for key in one.volumes],
            }
            for one in machine.groups
        ],
        "filesystems": [
            {"device": reference(machine, one.key), "type": one.filesystem.type, **dump_use(one.filesystem)}
            for one in machine.devices.values()
            if one.filesystem and one.kind != VOLUME
        ],
    }


def _volume(group: Group, device: Device) -> dict[str, Any]:
    words: dict[str, Any] = {"name": device.key[len(group.name) + 1 :], "size": str(device.size)}
    if device.filesystem:
        words["filesystem"] = device.filesystem.type
    return {**words, **dump_use(device.filesystem)}


def beside(machine: Machine) -> dict[str, Any]:
    """What MAAS has beside the document's sections, in the words of options of their own."""
    return {
        "special_filesystems": [
            {"type": one.type, "mount_point": one.mount_point, "mount_options": one.mount_options}
            for one in machine.special
        ],
        "boot_disk": reference(machine, machine.boot_disk) if machine.boot_disk else None,
        "bootable_partitions": [one.key for one in machine.devices.values() if one.bootable],
        "cache_sets": [{"cache_device": reference(machine, one.device)} for one in cache_set.unused(machine)],
        "datastores": [
            {"name": one.name, "devices": [reference(machine, key) for key in one.devices]}
            for one in machine.datastores
        ],
    }


def ids(machine: Machine) -> dict[str, list[dict[str, Any]]]:
    """How the region's API knows what a document names, and the UUIDs that it has."""

    def of(key: str) -> dict[str, Any]:
        device = machine.devices[key]
        found: dict[str, Any] = {"name": key, "id": _number(device.id), "uuid": device.uuid or None}
        if device.filesystem:
            found["filesystem_uuid"] = device.filesystem.uuid or None
        return found

    def group(one: Any) -> dict[str, Any]:
        return {"name": one.name, "id": _number(one.id), "uuid": one.uuid or None}

    made = {"raids": machine.raids, "bcaches": machine.bcaches, "datastores": machine.datastores}
    return {
        "devices": [of(one.key) for one in machine.devices.values()],
        **{section: [group(one) for one in some] for section, some in made.items()},
        "cache_sets": [
            {"name": one.name or None, "id": _number(one.id), "cache_device": one.device} for one in machine.cache_sets
        ],
        "drives": [group(one) for one in machine.groups],
    }


def _number(text: str) -> int | None:
    """What is only planned has none yet."""
    return int(text) if text.isdigit() else None


def facts(machine: Machine) -> dict[str, Any]:
    return {"layout": document(machine), **beside(machine), "ids": ids(machine)}


def physical_disks(machine: Machine) -> list[dict[str, Any]]:
    """The disks themselves, whatever is on them."""
    return [
        {
            "name": one.key,
            "size": one.size,
            "serial": one.serial,
            "model": one.model,
            "id_path": one.id_path,
            "tags": list(one.tags),
            "numa_node": one.numa_node,
        }
        for one in machine.devices.values()
        if one.kind == DISK
    ]


def unused(machine: Machine) -> list[dict[str, Any]]:
    """What a document could take: blank disks, RAIDs, bcaches and partitions, and room on disks and in groups."""
    found: list[dict[str, Any]] = []
    for one in machine.devices.values():
        if one.member or one.filesystem or one.kind == DATASTORE or machine.is_esxi(one):
            continue
        parts = machine.partitions(one.key)
        if parts and machine.free(one) <= 0:
            continue
        found.append(
            {
                "device": one.key,
                "type": one.kind,
                "size": one.size,
                "free": machine.free(one) if parts else one.size,
                "serial": one.serial,
                "model": one.model,
                "id_path": one.id_path,
                "tags": list(one.tags),
                "numa_node": one.numa_node,
            }
        )
    return found


def tree(machine: Machine) -> list[dict[str, Any]]:
    """All devices, from the disks up, as the filter ``strata.storage.tree`` draws them."""
    above: dict[str, list[str]] = {}

    def on(lower: str, upper: str) -> None:
        if upper not in above.setdefault(lower, []):
            above[lower].append(upper)

    for one in machine.devices.values():
        for key in machine.below(one.key):
            on(key, one.key)
    lower = {key for keys in above.values() for key in keys}
    levels = {array.device: f"raid{array.level}" for array in machine.raids}
    modes = {cached.device: f"bcache {cached.cache_mode}" for cached in machine.bcaches}
    kinds = {DISK: "disk", PARTITION: "part", RAID: "raid", BCACHE: "bcache", VOLUME: "lvm"}
    kinds.update({DATASTORE: "vmfs", LEFTOVER: LEFTOVER})

    def branch(key: str) -> dict[str, Any]:
        one = machine.devices[key]
        filesystem = one.filesystem
        return {
            "name": key,
            "type": levels.get(key) or modes.get(key) or kinds[one.kind],
            "size": one.size,
            "holds": (filesystem.type if filesystem else "")
            + (f" {filesystem.label}" if filesystem and filesystem.label else ""),
            "mount_points": [filesystem.mount_point]
            if filesystem and filesystem.mount_point not in (None, "none")
            else [],
            "health": [],
            "children": [branch(child) for child in above.get(key, ())],
        }

    return [branch(key) for key in machine.devices if key not in lower]
