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
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..core.errors import Refused
from ..core.plan import Step
from .actions import Call, at
from .state import PARTITION, Device, Machine

#: How the UUIDs begin that are made here. Where MAAS checks them, it takes version 4 only, which has room for no more.
_OURS = "57a7a570"
_INSTEAD = "57a7a571"
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
    return _made_of(_OURS, f"{system_id}/{name}")


# A plan asks for all places of all disks again after each of its requests.
@lru_cache(maxsize=4096)
def _made_of(start: str, text: str) -> str:
    return str(uuid.UUID(start + hashlib.sha256(text.encode()).hexdigest()[:24], version=4))


def instead_of(system_id: str, disk: str) -> str:
    """The UUID of a partition that is made here only to stand for its disk."""
    return _made_of(_INSTEAD, f"{system_id}/{disk}")


def is_instead(part: Device | Part) -> bool:
    """Whether it was made to stand for its disk."""
    return part.uuid.startswith(_INSTEAD)


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
    uuids = Counter(part.uuid for part in parts)
    # Two tasks at once may both make one.
    found = {part.id: made[part.uuid] for part in parts if part.uuid in made and uuids[part.uuid] == 1}
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
    """Raises Refused where a name would mean another partition after any request, by which the next run would go.

    It means what it does now as long as that is there, then none, or what is made by it. Those of ``absent`` partitions
    never mean one that was made by another name.
    """
    names, absent = tuple(dict.fromkeys(names)), frozenset(absent)
    counted = _Counted(machine)
    before = counted.meanings(names, absent)
    for step in steps:
        for call in step.actions:
            if not isinstance(call, Call) or not counted.change(call):
                continue
            for name, means in counted.meanings(names, absent).items():
                was = before[name]
                may = (was,) if counted.has(was) else ("", computed(machine.system_id, name))
                if means not in may:
                    raise Refused(_said(machine, step, name))


class _Counted:
    """A machine's partitions as MAAS counts them while a plan is done: by their places, on each disk from the first."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._disks = [one.key for one in machine.devices.values() if one.kind != PARTITION]
        there = [one for one in machine.devices.values() if one.kind == PARTITION and one.place]
        self.parts = {one.id: Part(one.id, one.uuid, one.place) for one in there}
        self._by_path = {at(machine, one): one for one in there}
        self._on = {key: [one.id for one in there if one.disk == key] for key in self._disks}
        self._places = {key: [self.parts[number].place for number in self._on[key]] for key in self._disks}

    def has(self, known: str) -> bool:
        return any(known in (part.uuid, number) for number, part in self.parts.items())

    def change(self, call: Call) -> bool:
        """Have a request done. Whether it is about partitions."""
        gone = self._by_path.get(call.path) if call.method == "DELETE" else None
        if gone and gone.id in self.parts:
            del self.parts[gone.id]
            self._on[gone.disk].remove(gone.id)
            self._count(gone.disk)
            return True
        if call.method != "POST" or not call.keeps.startswith("partition:"):
            return False
        made, at_disk = call.keeps, call.path.split("/")[3]
        self.parts[made] = Part(made, dict(call.fields).get("uuid", ""), "")
        disk = next((key for key in self._disks if self._machine.devices[key].id == at_disk), "")
        if disk:
            self._on[disk].append(made)
            self._count(disk)
        return True

    def _count(self, disk: str) -> None:
        places = self._places[disk]
        if len(places) < len(self._on[disk]):
            first = 2 if self._machine.bios_grub else 1
            last = int(places[-1].rpartition("-part")[2]) if places else first - 1
            places.append(f"{disk}-part{last + 1}")
        for number, place in zip(self._on[disk], places):
            self.parts[number] = self.parts[number]._replace(place=place)

    def meanings(self, names: Iterable[str], absent: frozenset[str]) -> dict[str, str]:
        """The partitions that names mean, by their UUIDs; empty where that is none."""
        system_id = self._machine.system_id
        called = {key: number for number, key in keys(system_id, self._disks, self.parts.values()).items()}
        known = {part.uuid: number for number, part in self.parts.items() if part.uuid}
        found: dict[str, str] = {}
        for name in names:
            number = known.get(computed(system_id, name)) or called.get(_bare(name), "")
            foreign = number and name in absent and is_foreign(self._machine, self.parts[number], name)
            found[name] = "" if foreign or not number else self.parts[number].uuid or number
        return found


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


def _said(machine: Machine, cause: Step, name: str) -> str:
    uuids = ", ".join(
        f"{one.place} is {one.uuid}" for one in machine.devices.values() if one.kind == PARTITION and one.place
    )
    why = "is to be made, and MAAS then counts it too"
    if cause.verb == "remove":
        why = "is to be removed, and MAAS then counts the later ones anew"
    return (
        f"partition {cause.name} {why}: {name} would mean another one in the next run. Say UUIDs in the document and "
        f"in allow_destroy instead, as names and as devices{f' ({uuids})' if uuids else ''}"
    )
