# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a machine's devices the names in a document stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import StorageError
from ..document.bcache import Bcache
from ..document.disk import Candidate, choose, matches
from ..document.document import claims
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.partition import Partition
from ..document.raid import Raid
from ..document.references import Node
from . import bcache, cache_set, datastore, drive, partition, raid
from .document import CacheSet, Datastore, Wanted
from .safety import describe
from .stand_in import is_loose
from .state import DISK, Machine

_ROTARY = "rotary"


def where(machine: Machine, want: Wanted, items: Mapping[Node, Any]) -> dict[str, tuple[str, ...]]:
    """The keys that the document's names stand for."""
    found: dict[str, tuple[str, ...]] = {}
    for node, item in items.items():
        if isinstance(item, Partition):
            there = partition.find_item(machine, item)
            found[item.name] = found[node.place] = (there.key if there else item.name,)
        elif isinstance(item, (Raid, Bcache)):
            found[item.name] = found[node.place] = (item.name,)
        elif isinstance(item, Drive):
            for volume in item.volumes or ():
                found[f"{item.name}/{volume.name}"] = (f"{item.name}/{volume.name}",)
    if want.document.disks:
        _check_one(machine, want)
        claimed = claims(
            want.document,
            items,
            lambda node, role: _disks(machine, made_of(machine, items[node], role, want, node.place)),
        )
        claimed.update(_tagged(machine, want, items))
        found.update(choose(want.document.disks, candidates(machine), claimed))
    return found


def _check_one(machine: Machine, want: Wanted) -> None:
    """Raises StorageError for an entry that says which disk it is, where two are so."""
    for disks in want.document.disks:
        found = [one.path for one in candidates(machine) if disks.named and matches(disks, one)]
        if len(found) > 1:
            raise StorageError(
                f"disks {disks.name}: {machine.hostname} has several disks of that ({' and '.join(found)}); say the "
                "disk by its name, instead of this entry"
            )


def candidates(machine: Machine) -> tuple[Candidate, ...]:
    """The machine's disks, with what they can be chosen by."""
    return tuple(
        Candidate(
            path=disk.key,
            serial=disk.serial,
            model=disk.model,
            rotational=_ROTARY in disk.tags,
            size=disk.size,
            free=not disk.member and all(is_loose(machine, part) for part in machine.partitions(disk.key)),
            holds=describe(disk.filesystem) if disk.filesystem else "",
            tags=disk.tags,
            id_path=disk.id_path,
            numa_node=disk.numa_node,
        )
        for disk in machine.devices.values()
        if disk.kind == DISK
    )


def _disks(machine: Machine, keys: tuple[str, ...]) -> tuple[str, ...]:
    """With the disk of each partition, which the region may have made in its stead."""
    return tuple(machine.devices[key].disk or key for key in keys)


def _tagged(machine: Machine, want: Wanted, items: Mapping[Node, Any]) -> dict[str, tuple[str, ...]]:
    """The disks that have the tags already that a name of disks is to have which no item is made of."""
    used = {reference.text.partition("[")[0] for node in items for reference in node.references}
    names = {disks.name for disks in want.document.disks} - used
    return {
        text: tuple(
            disk.key for disk in machine.devices.values() if disk.kind == DISK and sorted(disk.tags) == sorted(tags)
        )
        for text, tags in want.tags
        if text.partition("[")[0] in names
    }


def made_of(machine: Machine, item: Any, what: str, want: Wanted, place: str) -> tuple[str, ...]:
    """The devices that an item consists of already; of a bcache, one or (``what``: cache) the other.

    ``place`` is where the item stands, by which ``want`` has its former name and its UUID.
    """
    old = want.renames.get(place, "")
    if isinstance(item, Partition):
        there = partition.find_item(machine, item)
        return (there.disk,) if there else ()
    if isinstance(item, Raid):
        array = raid.find(machine, item.name)
        return array.members + array.spares if array else ()
    if isinstance(item, Bcache):
        cached = bcache.find(machine, item.name) or bcache.find(machine, old)
        if what == "cache":
            return _cache_of(machine, cached.cache_set) if cached else _idle(machine)
        return (cached.backing,) if cached else ()
    if isinstance(item, CacheSet):
        return _idle(machine)
    if isinstance(item, Drive):
        renames, uuids = want.of("drives", want.renames), want.of("drives", want.uuids)
        group = drive.meant(machine, item.name, renames, uuids)
        return group.devices if group else ()
    if isinstance(item, Datastore):
        store = datastore.find(machine, item.name) or datastore.find(machine, old)
        return store.devices if store else ()
    point = item.use.mount_point if isinstance(item, OnDevice) else None
    mounted = machine.mounted(point) if point else None
    if mounted is None and place in want.uuids:
        known = [one for one in machine.devices.values() if one.filesystem and one.filesystem.uuid == want.uuids[place]]
        mounted = known[0] if known else None
    return (mounted.key,) if mounted else ()


def former(machine: Machine, want: Wanted) -> dict[str, str]:
    """The devices that bcaches make, by the names that a document gives them, where these are other ones."""
    found: dict[str, str] = {}
    for item in want.document.sections.get("bcaches", ()):
        there = bcache.find(machine, want.renames.get(f"bcaches: {item.name}", ""))
        if there and item.state != "absent" and bcache.find(machine, item.name) is None:
            found[item.name] = there.device
    return found


def _cache_of(machine: Machine, number: str) -> tuple[str, ...]:
    return tuple(one.device for one in machine.cache_sets if one.id == number)


def _idle(machine: Machine) -> tuple[str, ...]:
    """A task that was cut off may have come as far as the cache set."""
    return tuple(one.device for one in cache_set.unused(machine))
