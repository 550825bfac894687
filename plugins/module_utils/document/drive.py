# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``drives``: devices as one LVM volume group, with volumes that carry mounted filesystems."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .names import check_distinct, check_name
from .sizes import Size, parse_size

FILESYSTEMS = ("btrfs", "ext4", "xfs", "swap")
STATES = ("online", "offline", "absent")

_LABEL = re.compile(r"[\w.:+-]*", re.ASCII)

VOLUME_OPTIONS: dict[str, dict[str, Any]] = {
    "size": {"type": "str"},
    "filesystem": {"type": "str", "choices": list(FILESYSTEMS)},
    "label": {"type": "str"},
    "mount_point": {"type": "path"},
    "mount_options": {"type": "str"},
    "boot_required": {"type": "bool"},
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


def parse(item: Mapping[str, Any]) -> Drive:
    """A Drive from an item of the document, nested or flat. Raises StorageError for what no drive can be."""
    name = check_name(str(item["name"]), "drive", longest=127)
    volumes: tuple[Volume, ...] | None
    if item.get("volumes") is not None:
        flat = [option for option in ("volume_name", *VOLUME_OPTIONS) if item.get(option) is not None]
        if flat:
            raise StorageError(f"drive {name}: {', '.join(flat)} beside `volumes`; say it of one of those")
        volumes = tuple(_volume(volume, name) for volume in item["volumes"])
    elif "volumes" in item and "volume_name" not in item:
        volumes = None
    else:
        volumes = (_volume({**item, "name": item.get("volume_name") or name}, name),)
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


def _volume(item: Mapping[str, Any], drive: str) -> Volume:
    name = check_name(str(item["name"]), f"drive {drive}: volume", longest=127 - len(drive))
    mount_point = item.get("mount_point")
    if mount_point is not None:
        if not mount_point.startswith("/") or any(c in mount_point for c in "\n\0"):
            raise StorageError(f"drive {drive}: mount_point {mount_point!r} is not an absolute path")
        mount_point = posixpath.normpath("/" + mount_point.lstrip("/"))
        if mount_point == "/":
            raise StorageError(f"drive {drive}: mount_point / is the host's own root")
        if item.get("filesystem") == "swap":
            raise StorageError(f"drive {drive}: volume {name} is to be swap, which has no mount_point")
    label = item.get("label")
    if label is not None and not _LABEL.fullmatch(label):
        raise StorageError(
            f"drive {drive}: label {label!r} holds a character that is no letter, digit or any of _ . : + -"
        )
    options = item.get("mount_options")
    if options is not None and any(c.isspace() for c in options):
        raise StorageError(f"drive {drive}: mount_options {options!r} holds white space; separate them by commas")
    return Volume(
        name=name,
        size=None if item.get("size") is None else parse_size(item["size"]),
        filesystem=item.get("filesystem"),
        label=label,
        mount_point=mount_point,
        mount_options=options,
        boot_required=item.get("boot_required"),
    )
