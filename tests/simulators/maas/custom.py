# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom layouts, as MAAS documents them: what a commissioning script told is applied to its machine."""

from __future__ import annotations

import re
from typing import Any

from .filesystems import FSTYPES, SPECIAL
from .machine import Machine
from .parts import ApiError, BlockDevice, CacheSet, Filesystem, Group, Holder, whole_blocks

_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_-]*")
_UNITS = {"M": 10**6, "G": 10**9, "T": 10**12}
#: What each type of entry has to have, and what it may have.
_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "disk": ({"type"}, {"boot", "ptable", "partitions", "fs"}),
    "raid": ({"type", "level", "members"}, {"spares", "fs"}),
    "lvm": ({"type", "members"}, {"volumes"}),
    "bcache": ({"type", "backing-device", "cache-device"}, {"cache-mode", "fs"}),
    "special": ({"type", "fs"}, set()),
}
_PART: tuple[set[str], set[str]] = ({"name", "size"}, {"bootable", "fs"})
_CHOICES: dict[str, tuple[Any, ...]] = {
    "level": (0, 1, 5, 6, 10),
    "ptable": ("gpt", "mbr"),
    "cache-mode": ("writeback", "writethrough", "writearound"),
    "boot": (True, False),
    "bootable": (True, False),
}
_TEXTS = ("fs", "size", "name", "device", "options", "backing-device", "cache-device")


class Wrong(Exception):
    """What is wrong with a layout."""


def apply(machine: Machine) -> None:
    if not machine.commissioned:
        raise ApiError(500, "'NoneType' object has no attribute 'find_script_result'")
    failed = "Failed to configure storage layout 'custom': "
    if machine.custom_layout is None:
        raise ApiError(400, f"{failed}No custom storage layout configuration found")
    try:
        check(machine.custom_layout)
        _apply(machine, machine.custom_layout)
    except Wrong as error:
        raise ApiError(400, f"{failed}Failed to apply storage layout: {error}") from None


def check(config: dict[str, Any]) -> None:
    """Raises Wrong for what is not of the documented form."""
    _keys("the configuration", config, {"layout", "mounts"}, set())
    for name, entry in config["layout"].items():
        if not _NAME.fullmatch(name):
            raise Wrong(f"{name!r} is no name")
        if entry.get("type") not in _KEYS:
            raise Wrong(f"Unsupported device type '{entry.get('type')}'")
        _keys(name, entry, *_KEYS[entry["type"]])
        if entry.get("partitions") and not entry.get("ptable"):
            raise Wrong(f"Partition table not specified for '{name}'")
        for part in (*entry.get("partitions", ()), *entry.get("volumes", ())):
            _keys(f"{name}: {part.get('name')}", part, *_PART)
        if entry["type"] == "special" and entry["fs"] not in SPECIAL:
            raise Wrong(f"Invalid special filesystem '{entry['fs']}'")
        if entry.get("level") == 0 and entry.get("spares"):
            raise Wrong("RAID level 0 doesn't support spares")
        if set(entry.get("members", ())) & set(entry.get("spares", ())):
            raise Wrong(f"RAID '{name}' has duplicated devices in members and spares")
    for point, mount in config["mounts"].items():
        _keys(point, mount, {"device"}, {"options"})


def _keys(what: str, found: dict[str, Any], needed: set[str], more: set[str]) -> None:
    if missing := needed - found.keys():
        raise Wrong(f"{what}: {sorted(missing)} missing")
    if unknown := found.keys() - needed - more:
        raise Wrong(f"{what}: {sorted(unknown)} unknown")
    for key, value in found.items():
        if key in _CHOICES and value not in _CHOICES[key]:
            raise Wrong(f"{what}: {key} is {value!r}")
        if key in _TEXTS and not isinstance(value, str):
            raise Wrong(f"{what}: {key} is no text")


def _size(text: str) -> int:
    try:
        size = int(float(text[:-1]) * _UNITS[text[-1:]])
    except (ValueError, KeyError):
        raise Wrong(f"Invalid size '{text}'") from None
    if size <= 0:
        raise Wrong(f"Invalid negative size '{text}'")
    return size


def _apply(machine: Machine, config: dict[str, Any]) -> None:
    layout = config["layout"]
    machine.clear()
    known: dict[str, Any] = {disk.name: disk for disk in machine.devices}
    entries = dict(layout)
    sets: dict[str, CacheSet] = {}
    missing = sorted(name for name, entry in entries.items() if entry["type"] == "disk" and name not in known)
    if missing:
        raise Wrong(f"Unknown machine disk(s): {', '.join(missing)}")
    while entries:
        ready = [name for name, entry in entries.items() if all(one in known for one in _below(entry))]
        if not ready:
            made = {part["name"] for entry in entries.values() for part in entry.get("partitions", ())}
            lost = {one for entry in entries.values() for one in _below(entry)} - known.keys() - entries.keys() - made
            raise Wrong(f"Unknown machine disk(s): {', '.join(sorted(lost))}")
        for name in ready:
            _make(machine, name, entries.pop(name), known, sets)
    for point, mount in config["mounts"].items():
        holder = known.get(mount["device"])
        found = holder if isinstance(holder, Filesystem) else holder.filesystem if isinstance(holder, Holder) else None
        if found is None or found.group or found.cache_set:
            raise Wrong(f"Filesystem not found for device '{mount['device']}'")
        found.mount_point, found.mount_options = point, mount.get("options", "")
    unmounted = [name for name, one in known.items() if isinstance(one, Filesystem) and not one.mount_point]
    if unmounted:
        raise Wrong(f"Special device(s) missing mountpoint: {', '.join(sorted(unmounted))}")


def _below(entry: dict[str, Any]) -> list[str]:
    names = [*entry.get("members", ()), *entry.get("spares", ())]
    return names + [entry[key] for key in ("backing-device", "cache-device") if key in entry]


def _make(machine: Machine, name: str, entry: dict[str, Any], known: dict[str, Any], sets: dict[str, CacheSet]) -> None:
    kind = entry["type"]
    if kind == "disk":
        _disk(machine, known[name], entry, known)
        return
    if kind == "special":
        known[name] = Filesystem(entry["fs"])
        machine.special.append(known[name])
        return
    if kind == "lvm":
        group = machine.add_group("lvm-vg", name)
        machine.join(group, [known[one] for one in entry["members"]], "lvm-pv")
        for volume in entry.get("volumes", ()):
            made = machine.add_virtual(group, volume["name"], whole_blocks(_size(volume["size"])), block_size=4096)
            known[volume["name"]] = _formatted(made, volume)
        if group.free < 0:
            raise Wrong(f"There is not enough free space on volume group {name}.")
        return
    group = _raid(machine, name, entry, known) if kind == "raid" else _bcache(machine, name, entry, known, sets)
    group.device = machine.add_virtual(group, name, group.size)
    known[name] = _formatted(group.device, entry)


def _disk(machine: Machine, disk: BlockDevice, entry: dict[str, Any], known: dict[str, Any]) -> None:
    """Without a partition table a disk is only named: a filesystem of its own would be ignored."""
    if not entry.get("ptable"):
        return
    if entry.get("boot"):
        machine.chosen_boot_disk = disk
    for part in entry.get("partitions", ()):
        size = whole_blocks(_size(part["size"]))
        if size > disk.available_size:
            raise Wrong(f"There is not enough free space on {disk.name}.")
        made = machine.add_partition(disk, size, part.get("bootable", False))
        known[part["name"]] = _formatted(made, part)


def _raid(machine: Machine, name: str, entry: dict[str, Any], known: dict[str, Any]) -> Group:
    group = machine.add_group(f"raid-{entry['level']}", name)
    machine.join(group, [known[one] for one in entry["members"]], "raid")
    machine.join(group, [known[one] for one in entry.get("spares", ())], "raid-spare")
    return group


def _bcache(
    machine: Machine, name: str, entry: dict[str, Any], known: dict[str, Any], sets: dict[str, CacheSet]
) -> Group:
    cache = entry["cache-device"]
    if cache not in sets:
        sets[cache] = machine.add_cache_set()
        known[cache].filesystem = Filesystem("bcache-cache", cache_set=sets[cache])
    mode = entry.get("cache-mode", "writethrough")
    group = machine.add_group("bcache", name, cache_mode=mode, cache_set=sets[cache])
    machine.join(group, [known[entry["backing-device"]]], "bcache-backing")
    return group


def _formatted(holder: Holder, entry: dict[str, Any]) -> Holder:
    fstype = entry.get("fs")
    if fstype and fstype not in FSTYPES:
        raise Wrong(f"Unknown filesystem type '{fstype}'")
    holder.filesystem = Filesystem(fstype, mount_options="") if fstype else None
    return holder
