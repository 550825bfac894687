# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What partitions are known by. MAAS names them by their places, and counts anew whenever an earlier one is removed.

So a partition is known by its UUID first: one that was made here has a UUID that is computed from its name. Others go
by their places, and no plan may give a name that is said another meaning (``check_places``).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from ..core.errors import Refused
from ..core.plan import Step
from .actions import Call, at
from .state import PARTITION, Device, Machine

#: How the UUIDs begin that are made here. Where MAAS checks them, it takes version 4 only, which has room for no more.
_OURS = "57a7a570"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
#: As many places of a disk are looked at for a name that a UUID was computed from.
_PLACES = 32


class Part(NamedTuple):
    """A partition by its number in the API, or a placeholder, and by where MAAS has it (``sda-part1``)."""

    id: str
    uuid: str
    place: str


def is_uuid(name: str) -> bool:
    return _UUID.fullmatch(name) is not None


def computed(system_id: str, name: str) -> str:
    """The UUID of the partition of that name: the same each time, so that a second run finds what the first made."""
    if is_uuid(name):
        return name.lower()
    digits = hashlib.sha256(f"{system_id}/{name}".encode()).hexdigest()
    return str(uuid.UUID(_OURS + digits[:24], version=4))


def is_ours(part: Device | Part) -> bool:
    """Whether a document asked for it."""
    return part.uuid.startswith(_OURS)


def keys(system_id: str, disks: Iterable[str], parts: Iterable[Part]) -> dict[str, str]:
    """What to call partitions, by their numbers: by the name like a place that one was made by, else by its place.

    Where that is another one's name, by its UUID: a name means one partition in every section.
    """
    parts = tuple(parts)
    made: dict[str, str] = {}
    if any(is_ours(part) for part in parts):
        places = (f"{disk}-part{number}" for disk in disks for number in range(1, _PLACES + 1))
        made = {computed(system_id, place): place for place in places}
    found = {part.id: made[part.uuid] for part in parts if part.uuid in made}
    taken = set(found.values())
    for part in parts:
        if part.id not in found:
            found[part.id] = part.uuid if part.place in taken else part.place
    return found


def with_disk_renamed(machine: Machine, old: str, new: str) -> Machine:
    """With a RAID called otherwise, and its partitions as MAAS calls them then."""
    devices = dict(machine.devices)
    for part in machine.partitions(old):
        devices[part.key] = part._replace(place=f"{new}-part{part.number}")
    parts = [Part(one.key, one.uuid, one.place) for one in devices.values() if one.kind == PARTITION]
    disks = [new if key == old else key for key, one in devices.items() if one.kind != PARTITION]
    return machine._replace(devices=devices).rekeyed({old: new, **keys(machine.system_id, disks, parts)})


def check_places(machine: Machine, steps: Iterable[Step], names: Iterable[str], absent: Iterable[str]) -> None:
    """Raises Refused where a step gives one of the ``names`` another meaning, by which the next run would go.

    ``absent`` are the names of partitions that are to be removed: these never mean one that was made by another name.
    """
    disks = [one.key for one in machine.devices.values() if one.kind != PARTITION]
    there = {one.id: one for one in machine.devices.values() if one.kind == PARTITION and one.place}
    parts = {number: Part(number, one.uuid, one.place) for number, one in there.items()}
    by_path = {at(machine, one): number for number, one in there.items()}
    names, absent = tuple(dict.fromkeys(names)), frozenset(absent)

    def meanings() -> dict[str, str]:
        called = {key: number for number, key in keys(machine.system_id, disks, parts.values()).items()}
        known = {part.uuid: number for number, part in parts.items() if part.uuid}
        found: dict[str, str] = {}
        for name in names:
            number = known.get(computed(machine.system_id, name)) or called.get(_bare(name), "")
            foreign = number and name in absent and is_foreign(machine, parts[number], name)
            found[name] = "" if foreign else number
        return found

    before = meanings()
    for step in steps:
        for call in step.actions:
            if not isinstance(call, Call):
                continue
            gone = by_path.get(call.path, "") if call.method == "DELETE" else ""
            if gone in parts:
                # The later ones move up by one: the places are the same, without the last.
                on_disk = [number for number, one in there.items() if one.disk == there[gone].disk and number in parts]
                places = [parts[number].place for number in on_disk]
                on_disk.remove(gone)
                del parts[gone]
                parts.update({number: parts[number]._replace(place=to) for number, to in zip(on_disk, places)})
            elif call.method == "POST" and call.keeps.startswith("partition:"):
                known = dict(call.fields)["uuid"]
                parts[f"new {known}"] = Part(f"new {known}", known, f"new {known}")
            else:
                continue
            now = meanings()
            for name in names:
                was, means = before[name], now[name]
                another = means and not means.startswith("new ")
                if was and means != was and (was in parts or another):
                    raise Refused(_said(machine, step, name, there[was].disk))


def is_foreign(machine: Machine, part: Device | Part, name: str) -> bool:
    """Whether a document made it by another name."""
    return is_ours(part) and part.uuid != computed(machine.system_id, name)


def _bare(name: str) -> str:
    """Without its section, and without the folder of a path."""
    name = name.partition(": ")[2] or name
    for folder in ("/dev/disk/by-dname/", "/dev/"):
        if name.startswith(folder):
            return name[len(folder) :]
    return name


def _said(machine: Machine, cause: Step, name: str, disk: str) -> str:
    uuids = ", ".join(f"{one.place} is {one.uuid}" for one in machine.partitions(disk) if one.place)
    why = f"{cause.name} was made by that name before, and comes back"
    if cause.verb == "remove":
        why = f"{cause.name} is to be removed, and MAAS then counts the later ones on {disk} anew"
    return (
        f"partition {why}: {name} would mean another one in the next run. Say UUIDs in the document and in "
        f"allow_destroy instead, as names and as devices ({uuids})"
    )
