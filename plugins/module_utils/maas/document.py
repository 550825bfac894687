# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document as MAAS takes it: options that it lacks are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ..core.errors import StorageError
from ..core.faults import Faults
from ..document import bcache, disk, document, drive, filesystem, partition, raid
from ..document.bcache import Bcache
from ..document.document import Document
from ..document.drive import Drive, Volume
from ..document.filesystem import OnDevice, Use
from ..document.names import check_distinct
from ..document.raid import plain_uuid
from ..document.references import known_names

LEVELS = ("0", "1", "5", "6", "10")
LEAST_DEVICES = {"0": 2, "1": 2, "5": 3, "6": 4, "10": 3}
CACHE_MODES = ("writethrough", "writeback", "writearound")
TYPES = ("btrfs", "ext2", "ext4", "fat32", "swap", "vfat", "xfs", "zfsroot")
SPECIAL_TYPES = ("tmpfs", "ramfs")
_STATES = ("present", "absent")
#: A region takes a comma for the end of a tag.
_TAG = re.compile(r"[^\s,]+")
_NOTES = ("strata-stand-in", "strata-leaving", "strata-mount=")
BASE_LAYOUTS = ("blank", "flat", "lvm", "bcache", "vmfs6", "vmfs7")

_UUID: dict[str, dict[str, Any]] = {"uuid": {"type": "str"}}
_STATE: dict[str, dict[str, Any]] = {"state": {"type": "str", "choices": list(_STATES), "default": "present"}}
_RENAME: dict[str, dict[str, Any]] = {"renamed_from": {"type": "str"}}


def _words(options: Mapping[str, Any], *names: str, **choices: tuple[str, ...]) -> dict[str, Any]:
    """Those of the document's words, some with choices of their own."""
    return {
        name: {**options[name], "choices": list(choices[name])} if name in choices else options[name] for name in names
    }


_USE = ("label", "mount_point", "mount_options")
_VOLUME = {
    **_words(
        drive.NESTED_OPTIONS["volumes"]["options"], "name", "size", "filesystem", *_USE, "state", filesystem=TYPES
    ),
    "filesystem_uuid": {"type": "str"},
    **_UUID,
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
        **_UUID,
        **_RENAME,
    },
    "cache_sets": {"cache_device": {"type": "str", "required": True}, **_STATE},
    "drives": {
        **_words(drive.NESTED_OPTIONS, "name", "devices", "state", state=("online", "absent")),
        "volumes": {"type": "list", "elements": "dict", "options": _VOLUME},
        **_UUID,
        **_RENAME,
    },
    "filesystems": {**_words(filesystem.OPTIONS, "device", "type", *_USE, "state", type=TYPES), **_UUID},
    "datastores": {
        "name": {"type": "str", "required": True},
        "devices": {"type": "list", "elements": "str"},
        **_UUID,
        **_RENAME,
        **_STATE,
    },
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
            **_STATE,
        },
    },
    "boot_disk": {"type": "str"},
    "root_device": {"type": "str"},
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


class CacheSet(NamedTuple):
    """A cache set by itself, which stays when nothing uses it."""

    cache_device: str
    state: str = "present"

    @property
    def name(self) -> str:
        """It is known by its device."""
        return self.cache_device


class Datastore(NamedTuple):
    """A wanted VMFS datastore. None: leave it as it is."""

    name: str
    devices: tuple[str, ...] | None = None
    state: str = "present"


class Gone(NamedTuple):
    """A volume that is to be removed, though its drive stays."""

    drive: str
    volume: str

    @property
    def name(self) -> str:
        return f"{self.drive}/{self.volume}"


class Wanted(NamedTuple):
    """A document, and what MAAS has beside it.

    ``renames`` are former names, and ``uuids`` wanted UUIDs, by ``SECTION: NAME`` (of a volume's filesystem by
    ``drives: DRIVE/VOLUME: filesystem``).
    """

    document: Document
    renames: Mapping[str, str] = {}
    bootable: Mapping[str, bool] = {}
    special: tuple[Special, ...] | None = None
    boot_disk: str | None = None
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    base_layout: str | None = None
    root_device: str | None = None
    uuids: Mapping[str, str] = {}
    gone: tuple[Gone, ...] = ()

    def of(self, section: str, beside: Mapping[str, str]) -> dict[str, str]:
        """What of ``renames`` or ``uuids`` is of one section, by names."""
        start = f"{section}: "
        return {key[len(start) :]: value for key, value in beside.items() if key.startswith(start)}


def parse(words: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what cannot be, and for words that MAAS lacks."""
    parsers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "partitions": lambda item: partition.parse(item, lenient=True),
        "raids": lambda item: raid.parse(item, lenient=True),
        "bcaches": lambda item: bcache.parse(item, lenient=True),
        "cache_sets": lambda item: CacheSet(str(item["cache_device"]), item.get("state") or "present"),
        "drives": _drive,
        "filesystems": _filesystem,
        "datastores": _datastore,
    }
    faults = Faults()
    parsed = document.parse_sections(words, parsers, faults)
    # Items whose errors were told already are None.
    given = {
        word: [item for item in value if item is not None] if isinstance(value, list) else value
        for word, value in words.items()
    }
    if faults:
        with faults.of():
            _beside_items(given, parsed)
        faults.check()
    return _beside_items(given, parsed)


def _beside_items(words: Mapping[str, Any], parsed: Document) -> Wanted:
    """The items with what else is said, once all of it was compared."""
    wanted = Wanted(
        document=parsed,
        renames=_beside(words, "renamed_from"),
        bootable={
            item["name"]: item["bootable"] for item in words.get("partitions") or () if item.get("bootable") is not None
        },
        special=_special(words),
        boot_disk=words.get("boot_disk"),
        tags=tuple((str(item["device"]), tuple(item["tags"])) for item in words.get("tags") or ()),
        base_layout=words.get("base_layout"),
        root_device=words.get("root_device"),
        uuids={place: as_uuid(text) for place, text in _beside(words, "uuid").items()},
        gone=tuple(
            Gone(str(item["name"]), str(volume["name"]))
            for item in words.get("drives") or ()
            for volume in item.get("volumes") or ()
            if _is_absent(volume) and not _is_absent(item)
        ),
    )
    if not parsed.sections and wanted == Wanted(parsed):
        raise StorageError(f"nothing is wanted; say at least one of {', '.join(OPTIONS)}")
    if wanted.root_device is not None and wanted.base_layout in (None, "blank"):
        raise StorageError("root_device: it is for a base_layout that has a root, and none is said")
    _check(parsed, wanted)
    return wanted


def _is_absent(item: Mapping[str, Any]) -> bool:
    return item.get("state") == "absent"


def as_uuid(text: str) -> str:
    """As the region writes one."""
    plain = plain_uuid(text)
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without options of mounts: those that there are may have white space; the planner checks new ones."""
    return {**item, "mount_options": None}


def _use(item: Mapping[str, Any], parsed: Any) -> Any:
    """A use, or a volume, with these again."""
    return parsed._replace(mount_options=item.get("mount_options"))


def _filesystem(item: Mapping[str, Any]) -> OnDevice:
    parsed = filesystem.parse(_plain(item), root=True)
    return parsed._replace(use=_use(item, parsed.use))


def _drive(item: Mapping[str, Any]) -> Drive:
    """Its volumes that are to be absent apart, of which only their names matter."""
    given = item.get("volumes")
    if given is None:
        return drive.parse(item, root=True, lenient=True)
    present = [volume for volume in given if not _is_absent(volume)]
    volumes = [None if _is_absent(volume) else _plain(volume) for volume in given]
    parsed = drive.parse({**item, "volumes": volumes}, root=True, lenient=True)
    made: list[Volume] = [_use(volume, wanted) for volume, wanted in zip(present, parsed.volumes or ())]
    return parsed._replace(volumes=tuple(made))


def _datastore(item: Mapping[str, Any]) -> Datastore:
    devices = item.get("devices")
    store = Datastore(str(item["name"]), None if devices is None else tuple(devices), item.get("state") or "present")
    if store.devices is not None:
        if not store.devices:
            raise StorageError(f"datastore {store.name}: `devices` is empty; a datastore has at least one")
        check_distinct(store.devices, f"datastore {store.name}")
    return store


def _beside(words: Mapping[str, Any], word: str) -> dict[str, str]:
    """What items say that the document's own parsers do not know, by ``SECTION: NAME``."""
    found: dict[str, str] = {}
    for section in ("bcaches", "drives", "filesystems", "datastores", *(("raids",) if word != "uuid" else ())):
        for item in words.get(section) or ():
            place = f"{section}: {item.get('name') or item.get('device')}"
            if item.get(word):
                found[place] = item[word]
            for volume in item.get("volumes") or ():
                if volume.get(word):
                    found[f"{place}/{volume['name']}"] = volume[word]
                if word == "uuid" and volume.get("filesystem_uuid"):
                    found[f"{place}/{volume['name']}: filesystem"] = volume["filesystem_uuid"]
    return found


def _special(words: Mapping[str, Any]) -> tuple[Special, ...] | None:
    if words.get("special_filesystems") is None:
        return None
    found = []
    for item in words["special_filesystems"]:
        use: Use = filesystem.parse_use(_plain(item), None, f"special filesystem {item['mount_point']}")
        options = item.get("mount_options")
        found.append(Special(item["type"], use.mount_point or "", options, item.get("state") or "present"))
    points = [one.mount_point for one in found]
    if "" in points:
        raise StorageError("special_filesystems: mount_point is empty; such a filesystem is known by that alone")
    for point in points:
        if points.count(point) > 1:
            raise StorageError(f"special_filesystems: {point} is named twice")
    return tuple(found)


def _check(parsed: Document, wanted: Wanted) -> None:
    """What a region would refuse only once it comes to it."""
    known_names((*document.disk_nodes(parsed), *document.nodes(parsed)))
    for item in parsed.sections.get("bcaches", ()):
        if isinstance(item, Bcache) and item.cache_device == "":
            raise StorageError(f"bcaches: {item.name}: cache_device is empty, and MAAS has no bcache without a cache")
    _check_given(parsed, wanted)
    _check_once(parsed, wanted)
    _check_tags(wanted)
    names: dict[str, str] = {}
    for item in parsed.sections.get("drives", ()):
        for volume in getattr(item, "volumes", None) or ():
            if volume.name in names:
                raise StorageError(
                    f"drives: {item.name}/{volume.name}: drive {names[volume.name]} has a volume of that name, and "
                    "MAAS takes each name once in a machine"
                )
            names[volume.name] = item.name
    _check_renames(parsed, wanted)
    _check_chosen(parsed, wanted)
    for disks in parsed.disks:
        for device, tags in wanted.tags:
            lost = [tag for tag in _chosen_by(disks) if tag not in tags]
            if device.partition("[")[0] == disks.name and lost:
                raise StorageError(
                    f"tags: {device}: {disks.name} is chosen by the tag {lost[0]}, which it would lose; a second run "
                    "would not find it. Say that tag too"
                )


def _check_once(parsed: Document, wanted: Wanted) -> None:
    """Raises StorageError for an item that is named twice, as one that is to be there and one that is not."""
    places = [f"{section}: {item.name}" for section, items in parsed.sections.items() for item in items]
    places += [
        f"drives: {item.name}/{volume.name}"
        for item in parsed.sections.get("drives", ())
        for volume in getattr(item, "volumes", None) or ()
    ]
    places += [f"drives: {one.name}" for one in wanted.gone]
    places += [f"tags: {device}" for device, _tags in wanted.tags]
    for place in places:
        if places.count(place) > 1:
            raise StorageError(f"{place} is named twice")


def _check_tags(wanted: Wanted) -> None:
    """Raises StorageError for tags that a region would refuse, and for those by which this collection takes notes."""
    for device, tags in wanted.tags:
        for tag in tags:
            if not _TAG.fullmatch(tag):
                raise StorageError(f"tags: {device}: {tag!r}: a tag is not empty, and has no white space and no comma")
            if tag.startswith(_NOTES):
                raise StorageError(f"tags: {device}: {tag}: tags that begin so are this collection's own; leave it out")


def _check_given(parsed: Document, wanted: Wanted) -> None:
    """Raises StorageError for an empty name of a device: what a template left so is meant by nobody."""
    given: list[tuple[str, Any]] = [("boot_disk", wanted.boot_disk), ("root_device", wanted.root_device)]
    given += [("tags: device", device) for device, _tags in wanted.tags]
    for section, items in parsed.sections.items():
        for item in items:
            for option in ("device", "backing_device", "cache_device", "devices", "spare_devices"):
                value = getattr(item, option, None)
                for text in value if isinstance(value, tuple) else (value,):
                    given.append((f"{section}: {item.name}: {option}", text))
    for place, text in given:
        if text is not None and not str(text).strip():
            raise StorageError(f"{place}: the name of a device is empty")


def _check_renames(parsed: Document, wanted: Wanted) -> None:
    """Raises StorageError where a former name is another item's: which of them is meant would depend on the order."""
    named = {f"{section}: {item.name}" for section, items in parsed.sections.items() for item in items}
    named |= {
        f"drives: {item.name}/{volume.name}"
        for item in parsed.sections.get("drives", ())
        for volume in getattr(item, "volumes", None) or ()
    }
    named |= {f"drives: {one.name}" for one in wanted.gone}
    for place, old in wanted.renames.items():
        section, _colon, name = place.partition(": ")
        drive_name, slash, _volume = name.partition("/")
        former = f"{section}: {drive_name}/{old}" if slash else f"{section}: {old}"
        if former in named and former != place:
            raise StorageError(
                f"{place}: renamed_from is {old}, and the document has {former} too; rename in a task of its own first"
            )


def _check_chosen(parsed: Document, wanted: Wanted) -> None:
    """Raises StorageError for a filesystem that a second run would not find on the disk that the first one chose."""
    chosen = {disks.name for disks in parsed.disks if not disks.named}
    for item in parsed.sections.get("filesystems", ()):
        if not isinstance(item, OnDevice) or item.state == "absent" or item.device.partition("[")[0] not in chosen:
            continue
        place = f"filesystems: {item.name}"
        if not item.use.mount_point and place not in wanted.uuids:
            raise StorageError(
                f"{place}: on a disk that `disks` chooses, a filesystem is known by its mount point or its uuid, and "
                "neither is said; a second run would choose another disk. Say one of them, or name the disk"
            )


def _chosen_by(disks: disk.Disks) -> tuple[str, ...]:
    """The tags without which disks would not be those of that name."""
    return (*(disks.tags or ()), *(("rotary",) if disks.rotational else ()))
