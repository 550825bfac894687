# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole document: its sections, its items, and what these are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable, NamedTuple, Union

from ..core.errors import NoDevice, StorageError
from ..core.faults import Faults, parse_each
from ..core.text import meant
from . import bcache, disk, drive, filesystem, luks, partition, raid
from .bcache import Bcache
from .disk import Disks
from .drive import Drive
from .filesystem import OnDevice
from .luks import Luks
from .partition import Partition
from .raid import Raid
from .references import Node, Reference, in_order, known_names

Item = Union[Partition, Raid, Bcache, Luks, Drive, OnDevice]

_WORDS: dict[str, dict[str, dict[str, Any]]] = {
    "disks": disk.OPTIONS,
    "partitions": partition.OPTIONS,
    "raids": raid.OPTIONS,
    "bcaches": bcache.OPTIONS,
    "luks": luks.OPTIONS,
    "drives": drive.OPTIONS,
    "filesystems": filesystem.OPTIONS,
}
_PARSE: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "partitions": partition.parse,
    "raids": raid.parse,
    "bcaches": bcache.parse,
    "luks": luks.parse,
    "drives": drive.parse_nested,
    "filesystems": filesystem.parse,
}
MODES = ("merge", "exact")
#: Those that hold items, from the lowest layer to the highest.
SECTIONS = tuple(_PARSE)

OPTIONS: dict[str, dict[str, Any]] = {
    section: {"type": "list", "elements": "dict", "options": words} for section, words in _WORDS.items()
}

_INDEXED = re.compile(r"(.+)\[(\d+)\]")
#: Where an item names devices.
_DEVICES = {
    "partitions": ("device",),
    "raids": ("devices", "spare_devices", "write_mostly_devices", "discard_devices"),
    "bcaches": ("backing_device", "cache_device"),
    "luks": ("device",),
    "drives": ("devices",),
    "filesystems": ("device",),
    # Sections that only a MAAS region has.
    "cache_sets": ("cache_device",),
    "datastores": ("devices",),
}
#: Those whose items are known by their devices, and have no names that others could use.
UNNAMED = ("filesystems", "cache_sets")


class Document(NamedTuple):
    """Wanted disks and items, by section. A section that was left out is not there.

    ``exact``: of the sections that are there, nothing else shall be.
    """

    disks: tuple[Disks, ...]
    sections: Mapping[str, tuple[Item, ...]]
    exact: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"of {' '.join(item.name for items in self.sections.values() for item in items)}"


def parse(words: Mapping[str, Any]) -> Document:
    """A Document from its words. Raises StorageError for what cannot be: all items that cannot, at once."""
    faults = Faults()
    document = parse_sections(words, _PARSE, faults)
    if not document.sections:
        raise StorageError(f"the document is empty; say at least one of {', '.join(SECTIONS)}")
    if faults:
        # Else the planner, which needs what they return, finds the same.
        with faults.of():
            check_references(document)
    faults.check()
    return document


def parse_sections(
    words: Mapping[str, Any], parsers: Mapping[str, Callable[[Mapping[str, Any]], Any]], faults: Faults
) -> Document:
    """A Document of the items that can be, each parsed by itself."""
    return Document(
        disks=parse_each(faults, "disks", words.get("disks") or (), disk.parse),
        sections={
            section: parse_each(faults, section, words[section], parse_item)
            for section, parse_item in parsers.items()
            if words.get(section) is not None
        },
        exact=words.get("mode") == "exact",
    )


def check_references(document: Document) -> None:
    """Raises StorageError for names that items share, and for items that are made of each other."""
    items = tuple(nodes(document))
    in_order(items, known_names((*disk_nodes(document), *items)))


def nodes(document: Document) -> dict[Node, Item]:
    """The items as nodes that refer to each other. Raises StorageError for one that is written twice."""
    found: dict[Node, Item] = {}
    for section, items in document.sections.items():
        for item in items:
            node = _node(section, item)
            if node in found:
                raise StorageError(f"{node.place} is named twice; make one item of both")
            found[node] = item
    return found


def disk_nodes(document: Document) -> tuple[Node, ...]:
    return tuple(Node(f"disks: {disks.name}", (disks.name,)) for disks in document.disks)


def _node(section: str, item: Item) -> Node:
    place = f"{section}: {item.name}"
    names: tuple[str, ...] = (item.name,)
    uses: tuple[Any, ...] = ()
    if isinstance(item, Drive):
        # A device is one of its volumes; the drive's own name is none.
        names += tuple(f"{item.name}/{volume.name}" for volume in item.volumes or ())
        uses = tuple(volume.use for volume in item.volumes or () if volume.state != "absent")
    if isinstance(item, OnDevice):
        uses = (item.use,)
    if section in UNNAMED:
        names = ()
    mounts = tuple(point for use in uses for point in use.mount_points) if item.state != "absent" else ()
    return Node(place, names, tuple(_references(section, item, place)), mounts)


def _references(section: str, item: Item, place: str) -> list[Reference]:
    found = []
    for option in _DEVICES[section]:
        value = getattr(item, option)
        if isinstance(value, str) and value:
            found.append(Reference(value, f"{place}: {option}"))
        elif value:
            found += [Reference(text, f"{place}: {option}[{index}]") for index, text in enumerate(value)]
    return found


def with_nearest(document: Document, error: NoDevice) -> StorageError:
    """The same error, with the name in the document that one which means no device is most like.

    Other devices are not proposed: ``sda`` is like ``sdz``, and may hold what nobody wants to lose.
    """
    names = [name for node in (*disk_nodes(document), *nodes(document)) for name in node.names]
    near = meant(error.reference.partition("[")[0], [name for name in names if name != error.reference])
    return StorageError(f"{error}{near}")


def role(place: str) -> str:
    """What a device is that is named there: one may be the ``cache`` of several, or ``partitioned`` by several items.

    Empty: it is that item's own. ``again``: the item names it elsewhere.
    """
    option = place.rpartition(": ")[2].partition("[")[0]
    if option == "device" and place.startswith("partitions: "):
        return "partitioned"
    return {"write_mostly_devices": "again", "discard_devices": "again", "cache_device": "cache"}.get(option, "")


def bound(section: str, item: Item, where: Mapping[str, tuple[str, ...]]) -> Item:
    """An item with paths instead of names. Raises StorageError where a name stands for more, or fewer, than one."""
    place = f"{section}: {item.name}"
    changes: dict[str, Any] = {}
    for option in _DEVICES[section]:
        value = getattr(item, option)
        if isinstance(value, str) and value:
            paths = resolve(value, where)
            if len(paths) != 1:
                raise StorageError(f"{place}: {option}: {value} is {len(paths)} devices; say which one: {value}[0]")
            changes[option] = paths[0]
        elif value:
            changes[option] = tuple(path for text in value for path in resolve(text, where))
    return item._replace(**changes)


def bare(section: str, item: Item) -> Item:
    """An item without the devices that it is to be made of: what is left finds it."""
    changes: dict[str, Any] = dict.fromkeys(_DEVICES[section])
    return item._replace(**changes)


def resolve(text: str, where: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The paths that a reference stands for: those of a name (``slow``, ``slow[0]``), else itself."""
    if text in where:
        return where[text]
    indexed = _INDEXED.fullmatch(text)
    if indexed and indexed.group(1) in where:
        paths, index = where[indexed.group(1)], int(indexed.group(2))
        if index >= len(paths):
            raise StorageError(f"{text}: {indexed.group(1)} has {len(paths)} devices, counted from 0")
        return (paths[index],)
    return (text,)


def check_once(
    ordered: Iterable[Node],
    items: Mapping[Node, Item],
    where: Mapping[str, tuple[str, ...]],
    key: Callable[[str, str], str],
) -> None:
    """Raises StorageError for a device that two items name; ``key`` is the device that a path or a name means in a
    role.
    """
    places: dict[str, str] = {}
    for node in ordered:
        for reference in node.references if items[node].state != "absent" else ():
            here = role(reference.place)
            for text in resolve(reference.text, where) if here != "again" else ():
                device = key(text, here)
                if device in places and (not here or role(places[device]) != here):
                    raise StorageError(f"{places[device]} and {reference.place} both mean {device}")
                places[device] = reference.place


def check_mounts(
    items: Mapping[Node, Item], where: Mapping[str, tuple[str, ...]], key: Callable[[str, str], str]
) -> None:
    """Raises StorageError for a device that two items mount in two places; ``key`` as for check_once."""
    found: dict[str, tuple[str, str]] = {}
    for node, item in items.items():
        uses: dict[str, str | None] = {}
        if isinstance(item, OnDevice):
            uses = {item.device: item.use.mount_point}
        elif isinstance(item, Drive):
            uses = {f"{item.name}/{volume.name}": volume.mount_point for volume in item.volumes or ()}
        for name, point in uses.items():
            if point is None or item.state == "absent":
                continue
            for path in resolve(name, where):
                place, other = found.setdefault(key(path, ""), (node.place, point))
                if other != point:
                    raise StorageError(
                        f"{place} wants {path} on {other or 'no mount point'}, and {node.place} on {point}"
                    )


def claims(
    document: Document, items: Iterable[Node], made_of: Callable[[Node, str], tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """What the items are made of already (``made_of`` in a role), by the names of disks that they are written with."""
    names = [disks.name for disks in document.disks]
    found: dict[str, tuple[str, ...]] = {}
    for node in items:
        for reference in node.references:
            if reference.text.partition("[")[0] in names:
                found[reference.text] = found.get(reference.text, ()) + made_of(node, role(reference.place))
    return found
