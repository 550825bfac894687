# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document as a custom layout of MAAS (3.1 and newer), which a commissioning script writes.

The document is planned on the machine's blank disks, and what that leads to is told in MAAS's form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..core.errors import StorageError
from ..document.sizes import parse_bytes
from . import layout
from .document import Wanted
from .filesystem import NOWHERE
from .partition import find
from .state import DISK, PARTITION, READY, Device, Machine

#: What MAAS takes as the name of an entry.
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*")
_M = 10**6
#: The words of a disk and of a machine that count, as ``maas_storage_info`` tells them, or somebody by hand.
_DISK: dict[str, dict[str, Any]] = {
    **{word: {"type": "str"} for word in ("name", "size", "serial", "model", "id_path")},
    "tags": {"type": "list", "elements": "str"},
    "numa_node": {"type": "int"},
}
_MACHINE: dict[str, dict[str, Any]] = {
    "physical_disks": {"type": "list", "elements": "dict", "options": _DISK},
    "hostname": {"type": "str"},
    "boot_disk": {"type": "str"},
    "bios_grub": {"type": "bool", "default": True},
}


def on_blank_disks(told: Mapping[str, Any]) -> Machine:
    """A machine of which only the disks are known, as ``maas_storage_info`` tells them. Raises StorageError."""
    found = ArgumentSpecValidator(_MACHINE).validate(_known(told))
    if found.error_messages:
        raise StorageError(f"machine: {'; '.join(found.error_messages)}")
    words = found.validated_parameters
    disks = [_disk(number, one) for number, one in enumerate(words["physical_disks"] or ())]
    if not disks:
        raise StorageError("machine: it has no physical_disks; give what maas_storage_info tells of one")
    devices = {disk.key: disk for disk in disks}
    if len(devices) < len(disks):
        twice = next(one.key for one in disks if devices[one.key] is not one)
        raise StorageError(f"machine: physical_disks: {twice} is the name of two")
    machine = Machine(
        system_id="custom",
        hostname=words["hostname"] or "the machine",
        fqdn="",
        status=READY,
        devices=devices,
        bios_grub=words["bios_grub"],
    )
    # The one that MAAS takes where nobody chose one.
    boot = words["boot_disk"] or disks[0].key
    return machine._replace(boot_disk=machine.device(boot, "boot_disk").key)


def _known(told: Mapping[str, Any]) -> dict[str, Any]:
    """What counts of all that is told of a machine."""
    words = {word: told[word] for word in _MACHINE if told.get(word) is not None}
    disks = words.get("physical_disks")
    if isinstance(disks, list):
        words["physical_disks"] = [
            {word: one[word] for word in _DISK if one.get(word) is not None} if isinstance(one, Mapping) else one
            for one in disks
        ]
    return words


def _disk(number: int, one: Mapping[str, Any]) -> Device:
    missing = [word for word in ("name", "size") if not one[word]]
    if missing:
        raise StorageError(f"machine: physical_disks[{number}]: {' and '.join(missing)} is missing")
    return Device(
        key=one["name"],
        id=str(number),
        kind=DISK,
        size=parse_bytes(one["size"], "size"),
        serial=one["serial"] or "",
        model=one["model"] or "",
        id_path=one["id_path"] or "",
        numa_node=one["numa_node"],
        tags=tuple(one["tags"] or ()),
    )


def custom_layout(machine: Machine, want: Wanted, without_labels: bool = False) -> dict[str, Any]:
    """The layout. Raises StorageError for what MAAS's form has no word for, and Refused as the planners do."""
    _check_words(want)
    after = layout.plan(machine, want, ()).after
    _check_devices(after, without_labels)
    _check_places(after, want)
    names = _names(after)
    entries: dict[str, Any] = {}
    for disk in after.devices.values():
        if disk.kind == DISK and (parts := after.partitions(disk.key)):
            entries[disk.key] = {
                "type": "disk",
                "ptable": "gpt",
                "boot": disk.key == after.boot_disk,
                "partitions": [_part(names[part.key], part) for part in parts],
            }
    if want.boot_disk is not None:
        # A disk without a partition table is passed over, whatever else is said of it.
        entries.setdefault(after.boot_disk, {"type": "disk", "ptable": "gpt", "boot": True})
    for array in after.raids:
        members = {"members": [names[key] for key in array.members], "spares": [names[key] for key in array.spares]}
        entries[array.name] = {"type": "raid", "level": int(array.level), **members, **_fs(after.devices[array.device])}
    caches = {one.id: names[one.device] for one in after.cache_sets}
    for cached in after.bcaches:
        entries[cached.name] = {
            "type": "bcache",
            "backing-device": names[cached.backing],
            "cache-device": caches[cached.cache_set],
            "cache-mode": cached.cache_mode,
            **_fs(after.devices[cached.device]),
        }
    for group in after.groups:
        volumes = [_part(names[key], after.devices[key]) for key in group.volumes]
        entries[group.name] = {"type": "lvm", "members": [names[key] for key in group.devices], "volumes": volumes}
    mounts: dict[str, Any] = {}
    for number, special in enumerate(after.special):
        name = _unused(f"special{number}", (*names.values(), *entries))
        entries[name] = {"type": "special", "fs": special.type}
        mounts[special.mount_point or ""] = _mount(name, special.mount_options)
    for device in after.devices.values():
        found = device.filesystem
        if found and found.mount_point is not None:
            mounts[found.mount_point] = _mount(names[device.key], found.mount_options)
    return {"layout": entries, "mounts": mounts}


def passed_over(want: Wanted) -> tuple[str, ...]:
    """What a document says that means nothing on blank disks."""
    sections = want.document.sections
    gone = [
        f"{section}: {item.name}" for section, items in sections.items() for item in items if item.state == "absent"
    ]
    gone += [f"drives: {one.name}" for one in want.gone]
    gone += [f"special_filesystems: {one.name}" for one in want.special or () if one.state == "absent"]
    return (*(f"{place} (absent)" for place in gone), *(f"{place} (renamed_from)" for place in want.renames))


def _check_words(want: Wanted) -> None:
    """Raises StorageError for words of the document that a custom layout has no place for."""
    found = {
        "base_layout": want.base_layout not in (None, "blank"),
        "tags": bool(want.tags),
        "cache_sets": _present(want, "cache_sets"),
        "datastores": _present(want, "datastores"),
        "uuid": bool(want.uuids) or any(item.uuid for item in _items(want, "raids")),
    }
    for word, said in found.items():
        if said:
            raise StorageError(f"{word}: a custom layout of MAAS has no place for that; take it out of the document")


def _items(want: Wanted, section: str) -> Iterable[Any]:
    return want.document.sections.get(section, ())


def _present(want: Wanted, section: str) -> bool:
    return any(item.state != "absent" for item in _items(want, section))


def _check_devices(machine: Machine, without_labels: bool) -> None:
    swaps = []
    for device in machine.devices.values():
        found = device.filesystem
        if device.kind == PARTITION and machine.devices[device.disk].kind != DISK:
            raise StorageError(f"{device.key}: it is on {device.disk}; custom layouts of MAAS partition disks only")
        if found is None:
            continue
        if device.kind == DISK:
            raise StorageError(
                f"{device.key}: it holds a filesystem as a whole; custom layouts of MAAS ignore that. Make a partition"
            )
        if found.label and not without_labels:
            raise StorageError(
                f"{device.key}: label {found.label!r}: custom layouts of MAAS have no labels. Take it out, or say "
                "without_labels"
            )
        swaps += [device.key] * (found.mount_point == NOWHERE)
    if len(swaps) > 1:
        raise StorageError(f"{' and '.join(swaps)} are swap; a custom layout of MAAS uses one such device")


def _check_places(machine: Machine, want: Wanted) -> None:
    """Raises StorageError for a name like MAAS's that MAAS will give to another partition, or to none."""
    first = 2 if machine.bios_grub else 1
    for item in _items(want, "partitions"):
        part = find(machine, item.name)
        match = re.fullmatch(r"(.+)-part\d+", item.name)
        if part is None or match is None or match.group(1) not in machine.devices:
            continue
        place = f"{part.disk}-part{first + machine.partitions(part.disk).index(part)}"
        if item.name != place:
            why = "; where a machine boots by BIOS, the first partition of a disk is the second" if first > 1 else ""
            raise StorageError(
                f"partitions: {item.name}: MAAS will call it {place}{why}. Call it that, or give it a name that is not "
                "like one of MAAS"
            )


def _names(machine: Machine) -> dict[str, str]:
    """What the layout calls each device. Only partitions, of which MAAS keeps no names, may be called otherwise."""
    names: dict[str, str] = {}
    taken = [group.name for group in machine.groups]
    for device in machine.devices.values():
        if device.kind != PARTITION:
            names[device.key] = device.key.rpartition("/")[2]
            taken.append(names[device.key])
    for name in taken:
        if not _NAME.fullmatch(name):
            raise StorageError(f"{name}: custom layouts of MAAS take letters, digits, _ and -, a letter first")
        if taken.count(name) > 1:
            raise StorageError(f"{name}: two things have that name, and a custom layout of MAAS takes each once")
    for device in machine.devices.values():
        if device.kind == PARTITION:
            plain = re.sub(r"[^a-zA-Z0-9_-]", "-", device.key)
            wanted = plain if _NAME.fullmatch(plain) else f"part-{plain}"
            names[device.key] = _unused(wanted, taken)
            taken.append(names[device.key])
    return names


def _unused(name: str, taken: Iterable[str]) -> str:
    known = frozenset(taken)
    while name in known:
        name += "_"
    return name


def _part(name: str, device: Device) -> dict[str, Any]:
    part = {"name": name, "size": _size(device.size), **_fs(device)}
    return {**part, "bootable": True} if device.bootable else part


def _fs(device: Device) -> dict[str, str]:
    return {"fs": device.filesystem.type} if device.filesystem else {}


def _mount(name: str, options: str) -> dict[str, str]:
    return {"device": name, "options": options} if options else {"device": name}


def _size(size: int) -> str:
    """In megabytes with six places: MAAS multiplies a float, and drops what is no whole byte."""
    at_least = size
    while int(float(text := f"{at_least // _M}.{at_least % _M:06}") * _M) < size:
        at_least += 1
    return f"{text}M"
