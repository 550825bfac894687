# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document's words as MAAS takes them: those that it lacks are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple
from uuid import UUID

from ..core.errors import StorageError
from ..document import bcache, disk, document, drive, filesystem, partition, raid
from ..document.bcache import Bcache
from ..document.document import Document
from ..document.filesystem import Use
from ..document.raid import plain_uuid
from ..document.references import check_names

LEVELS = ("0", "1", "5", "6", "10")
LEAST_DEVICES = {"0": 2, "1": 2, "5": 3, "6": 4, "10": 3}
CACHE_MODES = ("writethrough", "writeback", "writearound")
TYPES = ("btrfs", "ext2", "ext4", "fat32", "swap", "vfat", "xfs", "zfsroot")
SPECIAL_TYPES = ("tmpfs", "ramfs")
_STATES = ("present", "absent")
BASE_LAYOUTS = ("blank", "flat", "lvm", "bcache")

_RENAME: dict[str, dict[str, Any]] = {"renamed_from": {"type": "str"}}


def _words(options: Mapping[str, Any], *names: str, **choices: tuple[str, ...]) -> dict[str, Any]:
    """Those of the document's words, some with choices of their own."""
    return {
        name: {**options[name], "choices": list(choices[name])} if name in choices else options[name] for name in names
    }


_USE = ("label", "mount_point", "mount_options")
_VOLUME = {
    **_words(drive.NESTED_OPTIONS["volumes"]["options"], "name", "size", "filesystem", *_USE, filesystem=TYPES),
    **_RENAME,
}
#: What each section's items take.
WORDS: dict[str, dict[str, Any]] = {
    "disks": {
        **_words(disk.OPTIONS, "name", "serial", "model", "rotational", "min_size", "max_size", "count", "allow_data"),
        **disk.MAAS_OPTIONS,
    },
    "partitions": {**_words(partition.OPTIONS, "name", "device", "size", "state"), "bootable": {"type": "bool"}},
    "raids": {
        **_words(
            raid.OPTIONS, "name", "level", "devices", "spare_devices", "uuid", "state", level=LEVELS, state=_STATES
        ),
        **_RENAME,
    },
    "bcaches": {
        **_words(
            bcache.OPTIONS,
            *("name", "backing_device", "cache_device", "cache_mode", "state"),
            cache_mode=CACHE_MODES,
        ),
        **_RENAME,
    },
    "drives": {
        **_words(drive.NESTED_OPTIONS, "name", "devices", "state", state=("online", "absent")),
        "volumes": {"type": "list", "elements": "dict", "options": _VOLUME},
        **_RENAME,
    },
    "filesystems": _words(filesystem.OPTIONS, "device", "type", *_USE, "state", type=TYPES),
}
OPTIONS: dict[str, dict[str, Any]] = {
    **{section: {"type": "list", "elements": "dict", "options": words} for section, words in WORDS.items()},
    "special_filesystems": {
        "type": "list",
        "elements": "dict",
        "options": {
            "type": {"type": "str", "required": True, "choices": list(SPECIAL_TYPES)},
            "mount_point": {"type": "path", "required": True},
            "mount_options": {"type": "str"},
            "state": {"type": "str", "choices": list(_STATES), "default": "present"},
        },
    },
    "boot_disk": {"type": "str"},
    "tags": {
        "type": "list",
        "elements": "dict",
        "options": {
            "device": {"type": "str", "required": True},
            "tags": {"type": "list", "elements": "str", "required": True},
        },
    },
    "base_layout": {"type": "str", "choices": list(BASE_LAYOUTS)},
    "mode": {"type": "str", "choices": list(document.MODES), "default": "merge"},
}


class Special(NamedTuple):
    """A filesystem on no device."""

    type: str
    mount_point: str
    mount_options: str | None = None
    state: str = "present"

    @property
    def name(self) -> str:
        """It is known by where it is."""
        return self.mount_point


class Wanted(NamedTuple):
    """A document, and what MAAS has beside it. ``renames`` are former names by ``SECTION: NAME``."""

    document: Document
    renames: Mapping[str, str] = {}
    bootable: Mapping[str, bool] = {}
    special: tuple[Special, ...] | None = None
    boot_disk: str | None = None
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    base_layout: str | None = None


def parse(words: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what cannot be, and for words that MAAS lacks."""
    parsers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "partitions": partition.parse,
        "raids": raid.parse,
        "bcaches": bcache.parse,
        "drives": lambda item: drive.parse({**item, "volumes": item.get("volumes")}, root=True),
        "filesystems": lambda item: filesystem.parse(item, root=True),
    }
    parsed = Document(
        disks=tuple(disk.parse(item) for item in words.get("disks") or ()),
        sections={
            section: tuple(parse_item(item) for item in words[section])
            for section, parse_item in parsers.items()
            if words.get(section) is not None
        },
        exact=words.get("mode") == "exact",
    )
    wanted = Wanted(
        document=parsed,
        renames=_renames(words),
        bootable={
            item["name"]: item["bootable"] for item in words.get("partitions") or () if item.get("bootable") is not None
        },
        special=_special(words),
        boot_disk=words.get("boot_disk"),
        tags=tuple((str(item["device"]), tuple(item["tags"])) for item in words.get("tags") or ()),
        base_layout=words.get("base_layout"),
    )
    if not parsed.sections and wanted == Wanted(parsed):
        raise StorageError(f"nothing is wanted; say at least one of {', '.join(OPTIONS)}")
    _check(parsed)
    return wanted


def _is_random(uuid: str) -> bool:
    """Whether it is a UUID of version 4, the only one that MAAS takes."""
    return UUID(uuid).version == 4


def _renames(words: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in ("raids", "bcaches", "drives"):
        for item in words.get(section) or ():
            if item.get("renamed_from"):
                found[f"{section}: {item['name']}"] = item["renamed_from"]
            for volume in item.get("volumes") or ():
                if volume.get("renamed_from"):
                    found[f"{section}: {item['name']}/{volume['name']}"] = volume["renamed_from"]
    return found


def _special(words: Mapping[str, Any]) -> tuple[Special, ...] | None:
    if words.get("special_filesystems") is None:
        return None
    found = []
    for item in words["special_filesystems"]:
        use: Use = filesystem.parse_use(item, None, f"special filesystem {item['mount_point']}")
        found.append(Special(item["type"], use.mount_point or "", use.mount_options, item.get("state") or "present"))
    points = [one.mount_point for one in found]
    for point in points:
        if points.count(point) > 1:
            raise StorageError(f"special_filesystems: {point} is named twice")
    return tuple(found)


def _check(parsed: Document) -> None:
    """What a region would refuse only once it comes to it."""
    check_names((*document.disk_nodes(parsed), *document.nodes(parsed)))
    for item in parsed.sections.get("raids", ()):
        if isinstance(item, raid.Raid) and item.uuid and not _is_random(item.uuid):
            raise StorageError(f"raids: {item.name}: uuid {item.uuid} is not of version 4, and MAAS takes no other")
    for item in parsed.sections.get("bcaches", ()):
        if isinstance(item, Bcache) and item.cache_device == "":
            raise StorageError(f"bcaches: {item.name}: cache_device is empty, and MAAS has no bcache without a cache")
    names: dict[str, str] = {}
    for item in parsed.sections.get("drives", ()):
        for volume in getattr(item, "volumes", None) or ():
            if volume.name in names:
                raise StorageError(
                    f"drives: {item.name}/{volume.name}: drive {names[volume.name]} has a volume of that name, and "
                    "MAAS takes each name once in a machine"
                )
            names[volume.name] = item.name


def taken(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document, such as one that was gathered on a host, in the words that MAAS takes.

    Raises StorageError for what an item would not be the same without.
    """
    return {
        section: [_taken(WORDS[section], item, _place(section, item)) for item in items]
        for section, items in document.items()
        if section in WORDS and items is not None
    }


def _taken(words: Mapping[str, Any], item: Mapping[str, Any], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, value in item.items():
        if word not in words or value is None or (word == "uuid" and not _is_random(plain_uuid(value))):
            continue
        choices = words[word].get("choices")
        if choices and value not in choices:
            raise StorageError(f"{place}: {word} is {value}, and MAAS has only {', '.join(choices)}")
        inner = words[word].get("options")
        found[word] = [_taken(inner, each, f"{place}/{each['name']}") for each in value] if inner else value
    if "backing_device" in found and not found.get("cache_device"):
        raise StorageError(f"{place} has no cache, and MAAS has no bcache without one")
    return found


def _place(section: str, item: Mapping[str, Any]) -> str:
    return f"{section}: {item.get('name') or item.get('device')}"
