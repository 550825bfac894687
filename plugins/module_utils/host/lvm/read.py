# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what LVM tells, and the labels of devices that it does not use."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.command import ask_command, run_command
from ...core.errors import StorageError
from ...document.drive import mapper_name
from ..disks import is_used
from ..host import Host
from ..probe import PATIENCE
from ..sysfs import names_in
from .label import begun_group, read_physical_volume
from .state import Group, LogicalVolume, Lvm, PhysicalVolume, StrayVolume

_LVM_REPORT = (
    "lvm fullreport --all --reportformat json --units b --nosuffix "
    "--configreport vg -o vg_name,vg_size,vg_free,vg_extent_size,vg_autoactivation,vg_uuid,vg_seqno,vg_exported"
    ",vg_extendable,max_pv,max_lv,vg_allocation_policy "
    "--configreport pv -o pv_name,pv_size,dev_size,pv_used,pv_tags,pe_start,vg_name,pv_uuid,pv_missing"
    ",pv_allocatable,pv_in_use "
    "--configreport lv -o lv_name,lv_size,lv_active,lv_autoactivation,lv_path,move_pv,lv_layout,lv_role,origin"
    ",lv_health_status,lv_skip_activation,lv_permissions,lv_allocation_locked,lv_allocation_policy "
    "--configreport pvseg -o pvseg_start,pvseg_size,pv_name,lv_name --configreport seg -o segtype"
)
#: LVM writes its backup of a group anew where that is old, also when it is only asked: a look leaves it as it is.
_NO_BACKUP = ("--config", "backup { backup = 0 archive = 0 }")
_DUPLICATES_REPORT = "lvm pvs --all --reportformat json -o pv_name,pv_duplicate"
_REJECTED = re.compile(r"Cannot use \S+: (device .*?)(?= Cannot | Failed | WARNING|$)")


def read_lvm(host: Host) -> tuple[Lvm, str]:
    """What LVM tells, and why it did not tell all."""
    try:
        code, said, errors = ask_command((*_LVM_REPORT.split(), *_NO_BACKUP), PATIENCE)
        reports = json.loads(said or "{}").get("report", ())
    except (StorageError, ValueError) as error:
        return Lvm(), str(error)
    groups, orphans = [], []
    for report in reports:
        if code and "lv" not in report:
            # The report of a group at which LVM failed ends where it did.
            continue
        volumes = [(_path(host, entry["pv_name"]), entry) for entry in report.get("pv", ())]
        if not report.get("vg") or not report["vg"][0].get("vg_name"):
            # Without metadata of its own, what a group uses looks like an orphan while the others are away.
            recorded = {path for record in host.unfinished for path in record.devices}
            orphans += [path for path, entry in volumes if path in recorded or not entry["pv_in_use"]]
            continue
        group = report["vg"][0]
        closed = [entry for _path, entry in volumes if not entry["pv_allocatable"]]
        places = _places(report, [entry["pv_name"] for entry in closed])
        groups.append(
            Group(
                name=group["vg_name"],
                extent_size=int(group["vg_extent_size"]),
                size=int(group["vg_size"]),
                free=int(group["vg_free"]) - sum(int(entry["pv_size"]) - int(entry["pv_used"]) for entry in closed),
                autoactivation=group.get("vg_autoactivation", "enabled") == "enabled",
                physical_volumes=tuple(
                    PhysicalVolume(
                        path,
                        int(entry["pv_size"]),
                        int(entry["dev_size"]),
                        int(entry["pv_used"]),
                        tuple(entry["pv_tags"].split(",")) if entry["pv_tags"] else (),
                        int(entry["pe_start"]),
                        entry["pv_uuid"],
                        bool(entry["pv_missing"]),
                        entry in closed,
                    )
                    for path, entry in volumes
                ),
                # In brackets are those that LVM made for itself, and snapshots that merge.
                volumes=tuple(
                    _logical_volume(host, entry, group, places)
                    for entry in report.get("lv", ())
                    if entry["lv_name"][:1] != "[" or "thicksnapshot" in entry["lv_role"].split(",")
                ),
                moving=tuple(_path(host, entry["move_pv"]) for entry in report.get("lv", ()) if entry.get("move_pv")),
                uuid=group["vg_uuid"],
                sequence=int(group["vg_seqno"]),
                exported=bool(group["vg_exported"]),
                fixed=not group["vg_extendable"],
                most_devices=int(group["max_pv"]),
                most_volumes=int(group["max_lv"]),
                room=_room("", group["vg_allocation_policy"], group, places),
            )
        )
    begun = {path: begun_group(path) for path in orphans} if host.unfinished else {}
    known = {path: name for path, name in begun.items() if name is not None}
    stray, hidden = _labelled(host, groups, orphans)
    # Groups that are missing in a report that failed are hidden by the failure.
    found = Lvm(tuple(groups), tuple(orphans), known, tuple(names_in("/dev")), stray, () if code else hidden)
    return found, f"lvm fullreport ended with {code}: {errors}" if code else ""


#: Of each physical volume, in order: by which volume (empty: by none that could be) so many extents are used.
_Places = Mapping[str, Sequence[tuple[str, int]]]


def _places(report: Mapping[str, Any], closed: list[str]) -> _Places:
    found: dict[str, list[tuple[str, int]]] = {}
    for part in sorted(report.get("pvseg", ()), key=lambda part: int(part["pvseg_start"])):
        name = part["lv_name"] or ("[closed]" if part["pv_name"] in closed else "")
        found.setdefault(part["pv_name"], []).append((name, int(part["pvseg_size"])))
    return found


def _room(name: str, policy: str, group: Mapping[str, str], places: _Places) -> int | None:
    """What a volume (no name: a new one) can get by LVM's policy of allocation; None where that does not matter."""
    policy = group["vg_allocation_policy"] if policy == "inherit" else policy
    if policy == "contiguous":
        # On one device, and of a volume right behind it.
        behind = [
            size
            for parts in places.values()
            for one, (free, size) in zip(["", *(one for one, _size in parts)], parts)
            if not free and (one == name or not name)
        ]
        extents = max(behind, default=0)
    elif policy.startswith("cling") and name:
        own = [parts for parts in places.values() if name in [one for one, _size in parts]]
        extents = sum(size for parts in own for one, size in parts if not one)
    else:
        return None
    return extents * int(group["vg_extent_size"])


def _path(host: Host, volume: str) -> str:
    """The device of a physical volume; LVM calls one that is not here [unknown]."""
    path = os.path.realpath(volume) if volume.startswith("/") else volume
    return host.paths.get(path, path)


def rejection(path: str) -> str:
    """What LVM has against a device; empty where it uses it, or would."""
    _code, _said, errors = ask_command(("lvm", "pvs", *_NO_BACKUP, path), PATIENCE)
    found = _REJECTED.search(errors)
    return found.group(1) if found else ""


def _labelled(
    host: Host, groups: list[Group], orphans: list[str]
) -> tuple[tuple[StrayVolume, ...], tuple[StrayVolume, ...]]:
    """By the labels of devices that LVM does not use: copies and older states of the groups' physical volumes, and what
    LVM hides.

    What lies below a physical volume shows its label too (a member of an array, a path of a multipath device). What is
    inside a logical volume is a guest's, and LVM does not look there. What partitions that are in use lie over was lost
    with a former life of the disk.
    """
    in_use = {mount.device for mount in host.mounts}.union(host.swaps)
    used = {volume.device for group in groups for volume in group.physical_volumes}.union(orphans)
    members = {member.device for array in host.arrays for member in array.members}
    volumes = [volume for group in groups for volume in group.physical_volumes]
    missing = {volume.uuid for volume in volumes if volume.device not in host.devices}
    uuids = {group.uuid for group in groups} | {volume.uuid for volume in volumes}
    found, hidden = [], {}
    for device in host.devices.values():
        if device.silent or not device.size or device.path in used | members or used.intersection(device.holders):
            continue
        whole = host.devices.get(device.disk, device)
        # A partition of a path of a multipath device is seen as a partition of that as well.
        if whole is not device and whole.holders:
            continue
        if device.partitions and is_used(device, host.devices, in_use):
            continue
        try:
            stray = read_physical_volume(device.path)
        except OSError:
            continue
        if stray is None:
            continue
        if stray.uuid not in missing and uuids.intersection((stray.uuid, stray.group_uuid)):
            found.append(stray)
        elif (stray.group or stray.elsewhere) and "LVM-" not in device.identity:
            hidden[stray.device] = stray
    concealed = tuple(stray for path, stray in hidden.items() if not set(host.devices[path].holders) & set(hidden))
    if not found:
        return (), concealed
    report = json.loads(run_command((*_DUPLICATES_REPORT.split(), *_NO_BACKUP)))["report"]
    twice = {_path(host, entry["pv_name"]) for entry in report[0]["pv"] if entry["pv_duplicate"]}
    # A volume of this host that is offered to itself (iSCSI) shows the label of what lies on it, its pool as well.
    known = [one for one in found if one.device in twice or "LVM-" not in host.devices[one.device].identity]
    return tuple(stray._replace(duplicate=stray.device in twice) for stray in known), concealed


def _logical_volume(host: Host, entry: Mapping[str, str], group: Mapping[str, str], places: _Places) -> LogicalVolume:
    name = entry["lv_name"].strip("[]")
    path = os.path.realpath(entry["lv_path"] or f"/dev/mapper/{mapper_name(group['vg_name'], name)}")
    return LogicalVolume(
        name=name,
        size=int(entry["lv_size"]),
        active=entry["lv_active"] == "active",
        autoactivation=entry.get("lv_autoactivation", "enabled") == "enabled",
        device=path if path in host.devices else "",
        health=entry.get("lv_health_status", ""),
        kind=_volume_kind(entry["lv_layout"].split(","), entry["lv_role"].split(",")),
        origin=entry["origin"] if "snapshot" in entry["lv_role"].split(",") else "",
        room=_room(entry["lv_name"], entry["lv_allocation_policy"], group, places),
        skipped=bool(entry["lv_skip_activation"]),
        locked=bool(entry["lv_allocation_locked"]),
        read_only=entry["lv_permissions"].startswith("read-only"),
    )


def _volume_kind(layout: list[str], role: list[str]) -> str:
    """LVM's type of a volume (raid,raid1 is raid1; thin,pool is thin-pool), empty of a linear one."""
    if "pool" in layout:
        return "-".join(layout)
    if "private" in role:
        return "-".join(role)
    if "snapshot" in role:
        return "snapshot"
    kind = layout[-1] if layout[0] == "raid" else layout[0]
    return "" if kind == "linear" else kind
