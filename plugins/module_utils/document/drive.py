# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``drives``: devices as one LVM volume group, with volumes that carry mounted filesystems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .filesystem import TYPES, USE_OPTIONS, Use, parse_use
from .names import check_distinct, known_name
from .sizes import Size, parse_size

STATES = ("online", "offline", "absent")

VOLUME_OPTIONS: dict[str, dict[str, Any]] = {
    "size": {"type": "str"},
    "filesystem": {"type": "str", "choices": list(TYPES)},
    **USE_OPTIONS,
}

#: The nested form, an item of the document's ``drives``.
NESTED_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "devices": {"type": "list", "elements": "str"},
    "volumes": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, **VOLUME_OPTIONS},
    },
    "remove_foreign_devices": {"type": "bool"},
    "allow_shrink": {"type": "bool"},
    "allow_offline": {"type": "bool"},
    "state": {"type": "str", "choices": list(STATES), "default": "online"},
}

#: The flat form: one volume may also have its own options beside the drive's.
OPTIONS: dict[str, dict[str, Any]] = {**NESTED_OPTIONS, "volume_name": {"type": "str"}, **VOLUME_OPTIONS}


class Volume(NamedTuple):
    """A wanted logical volume and what is on it. None: leave it as it is."""

    name: str
    size: Size | None = None
    filesystem: str | None = None
    label: str | None = None
    mount_point: str | None = None
    mount_options: str | None = None
    boot_required: bool | None = None

    @property
    def use(self) -> Use:
        return Use(*self[2:])


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


def parse(item: Mapping[str, Any], root: bool = False, lenient: bool = False) -> Drive:
    """A Drive from an item of the document, nested or flat; ``root``: a volume of it may be the root.

    Raises StorageError for what no drive can be (``lenient``: but names).
    """
    name = known_name(str(item["name"]), "drive", 127, lenient)
    volumes: tuple[Volume, ...] | None
    if item.get("volumes") is not None:
        flat = [option for option in ("volume_name", *VOLUME_OPTIONS) if item.get(option) is not None]
        if flat:
            raise StorageError(f"drive {name}: {', '.join(flat)} beside `volumes`; say it of one of those")
        volumes = tuple(_volume(volume, name, root, lenient) for volume in item["volumes"])
    elif "volumes" in item and "volume_name" not in item:
        volumes = None
    else:
        volumes = (_volume({**item, "name": item.get("volume_name") or name}, name, root, lenient),)
    devices = item.get("devices")
    drive = Drive(
        name=name,
        devices=None if devices is None else tuple(str(device) for device in devices),
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
    return drive


def _volume(item: Mapping[str, Any], drive: str, root: bool, lenient: bool) -> Volume:
    name = known_name(str(item["name"]), f"drive {drive}: volume", 127 - len(drive), lenient)
    use = parse_use(item, item.get("filesystem"), f"drive {drive}: volume {name}", root)
    return Volume(name, None if item.get("size") is None else parse_size(item["size"]), *use)
