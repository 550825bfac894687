# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``drives``: devices as one LVM volume group, with volumes that carry mounted filesystems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.faults import Faults, parse_each
from .filesystem import TYPES, USE_OPTIONS, BindMount, Subvolume, Use, parse_use
from .names import check_distinct, check_name, devices, known_name
from .sizes import Size, parse_size

STATES = ("online", "offline", "absent")
VOLUME_STATES = ("present", "absent")

#: What LVM reserves in names for parts that it makes itself: anywhere, and at the start.
_RESERVED = (
    *("_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage"),
    *("_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig"),
)
_RESERVED_STARTS = ("pvmove", "snapshot")
#: Characters of a name that the device mapper takes (dashes count twice there), and of group and volume together.
_LONGEST_MAPPED, _LONGEST_BOTH = 127, 124

#: A volume for something else than a filesystem, such as a LUKS container.
NONE = "none"

VOLUME_OPTIONS: dict[str, dict[str, Any]] = {
    "size": {"type": "str"},
    "filesystem": {"type": "str", "choices": [*TYPES, NONE]},
    **USE_OPTIONS,
}

#: A drive with a list of volumes.
NESTED_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "devices": {"type": "list", "elements": "str"},
    "volumes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            **VOLUME_OPTIONS,
            "state": {"type": "str", "choices": list(VOLUME_STATES), "default": "present"},
        },
    },
    "remove_foreign_devices": {"type": "bool"},
    "allow_shrink": {"type": "bool"},
    "allow_offline": {"type": "bool"},
    "state": {"type": "str", "choices": list(STATES), "default": "online"},
}

#: One volume may also have its own options beside the drive's, in a document too.
OPTIONS: dict[str, dict[str, Any]] = {**NESTED_OPTIONS, "volume_name": {"type": "str"}, **VOLUME_OPTIONS}
#: What is said of the one volume, beside the drive's own words.
_OF_ONE_VOLUME = ("volume_name", *VOLUME_OPTIONS)


class Volume(NamedTuple):
    """A wanted logical volume and what is on it. None: leave it as it is."""

    name: str
    size: Size | None = None
    filesystem: str | None = None
    label: str | None = None
    mount_point: str | None = None
    mount_options: str | None = None
    boot_required: bool | None = None
    mount_owner: str | None = None
    mount_group: str | None = None
    mount_mode: int | None = None
    mkfs_options: tuple[str, ...] | None = None
    subvolumes: tuple[Subvolume, ...] | None = None
    bind_mounts: tuple[BindMount, ...] | None = None
    state: str = "present"

    @property
    def use(self) -> Use:
        filesystem = None if self.is_bare else self.filesystem
        return Use(filesystem, *(getattr(self, word) for word in Use._fields[1:]))

    @property
    def is_bare(self) -> bool:
        """Whether the drive puts nothing on it, and leaves to others what is on it."""
        return self.filesystem == NONE


class Drive(NamedTuple):
    """A wanted drive. ``volumes`` None: those that there are.

    ``remove_foreign_devices``: also those leave its group that it was not given.
    """

    name: str
    devices: tuple[str, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    state: str = "online"
    remove_foreign_devices: bool = False
    allow_shrink: bool = False
    allow_offline: bool = False


def parse_nested(item: Mapping[str, Any]) -> Drive:
    """A Drive from an item of a document, where a drive of which no volume is said keeps those that it has."""
    said = any(item.get(option) is not None for option in ("volumes", *_OF_ONE_VOLUME))
    return parse(item, keeps=not said)


def parse(item: Mapping[str, Any], root: bool = False, lenient: bool = False, keeps: bool = False) -> Drive:
    """A Drive from an item, nested or flat; ``root``: a volume of it may be the root. ``keeps``: no volume is said.

    Raises StorageError for what no drive can be (``lenient``: but names).
    """
    name = known_name(str(item["name"]), "drive", 127, lenient)
    volumes: tuple[Volume, ...] | None
    if item.get("volumes") is not None:
        flat = [option for option in _OF_ONE_VOLUME if item.get(option) is not None]
        if flat:
            raise StorageError(f"drive {name}: {', '.join(flat)} beside `volumes`; say it of one of those")
        faults = Faults()
        volumes = parse_each(
            faults,
            "volumes",
            item["volumes"],
            lambda volume: _volume(volume, name, root, lenient, volume.get("state") or "present"),
        )
        faults.check()
    elif keeps or ("volumes" in item and "volume_name" not in item):
        volumes = None
    else:
        volumes = (_volume({**item, "name": item.get("volume_name") or name}, name, root, lenient),)
    drive = Drive(
        name=name,
        devices=devices(item.get("devices")),
        volumes=volumes,
        state=item.get("state") or "online",
        remove_foreign_devices=bool(item.get("remove_foreign_devices")),
        allow_shrink=bool(item.get("allow_shrink")),
        allow_offline=bool(item.get("allow_offline")),
    )
    if drive.devices is not None:
        if not drive.devices:
            raise StorageError(f"drive {name}: `devices` is empty; a drive has at least one")
        check_distinct(drive.devices, f"drive {name}")
    check_distinct(tuple(volume.name for volume in volumes or ()), f"drive {name}: volumes")
    gone = [volume.name for volume in volumes or () if volume.state == "absent"]
    if gone and drive.state == "offline":
        raise StorageError(f"drive {name}: volume {gone[0]} is to be absent, and the drive offline; remove it first")
    return drive


def _volume(item: Mapping[str, Any], drive: str, root: bool, lenient: bool, state: str = "present") -> Volume:
    name = str(item["name"])
    if not lenient:
        check_volume_name(name, drive)
    what, kind = f"drive {drive}: volume {name}", item.get("filesystem")
    use = parse_use(item, kind, what, root)
    told = [word for word in USE_OPTIONS if kind == NONE and item.get(word) is not None]
    if told:
        raise StorageError(f"{what}: {told[0]} beside filesystem {NONE}; say it of what is to be on the volume")
    size = None if item.get("size") is None else parse_size(_share(str(item["size"]), what))
    return Volume(name, size, *use, state=state)


def _share(size: str, what: str) -> str:
    """A size without the words that LVM puts behind a share: ``80%VG`` is one of the group, ``100%FREE`` the rest."""
    share, word = size[:-4].strip(), size[-4:].upper()
    if word == "FREE" and share.endswith("%"):
        if share != "100%":
            raise StorageError(
                f"{what}: size {size} would be another one in each run; say a share of the group (50%), or 100% for "
                "all that is left"
            )
        return share
    return size[:-2].strip() if size.upper().endswith("%VG") else size


def mapper_name(group: str, volume: str) -> str:
    """What the device mapper calls a logical volume."""
    return f"{group.replace('-', '--')}-{volume.replace('-', '--')}"


def check_volume_name(name: str, drive: str) -> None:
    """Raises StorageError for a name that LVM does not give to a logical volume."""
    check_name(name, f"drive {drive}: volume", longest=127)
    what = f"drive {drive}: volume {name}"
    kept = [f"begin with {start}" for start in _RESERVED_STARTS if name.startswith(start)]
    kept += [f"contain {part}" for part in _RESERVED if part in name]
    if kept:
        raise StorageError(f"{what}: LVM reserves names that {kept[0]}; choose another name")
    over = max(len(drive) + len(name) - _LONGEST_BOTH, len(mapper_name(drive, name)) - _LONGEST_MAPPED)
    if over > 0:
        raise StorageError(f"{what}: the names of drive and volume are {over} characters too long for LVM; shorten one")
