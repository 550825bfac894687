# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``filesystems``: what a device carries, and where it is mounted; a volume of a drive says the same."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.faults import Faults, parse_each

TYPES = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "swap", "vfat", "xfs")
STATES = ("present", "absent")

_ACCOUNT = re.compile(r"[^\s:-][^\s:]*")
_MODE = re.compile(r"[0-7]{3,4}")
_LABEL = re.compile(r"[\w.:+-]*", re.ASCII)
#: Part of the path of a subvolume: it has to stand between the commas of mount options, and in a plan.
_PART = re.compile(r"[\w.@:+~-]+")

_MOUNT_OPTIONS: dict[str, dict[str, Any]] = {
    "mount_point": {"type": "path"},
    "mount_options": {"type": "str"},
    "boot_required": {"type": "bool"},
    "mount_owner": {"type": "str"},
    "mount_group": {"type": "str"},
    # YAML makes a number of 0755 that is another one than people mean.
    "mount_mode": {"type": "raw"},
}
_STATE: dict[str, dict[str, Any]] = {"state": {"type": "str", "choices": list(STATES), "default": "present"}}
SUBVOLUME_OPTIONS: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}, **_MOUNT_OPTIONS, **_STATE}
BIND_OPTIONS: dict[str, dict[str, Any]] = {
    "source": {"type": "path", "required": True},
    **_MOUNT_OPTIONS,
    "mount_point": {"type": "path", "required": True},
    **_STATE,
}

#: What a volume and an item of ``filesystems`` have in common.
USE_OPTIONS: dict[str, dict[str, Any]] = {
    "label": {"type": "str"},
    **_MOUNT_OPTIONS,
    "subvolumes": {"type": "list", "elements": "dict", "options": SUBVOLUME_OPTIONS},
    "bind_mounts": {"type": "list", "elements": "dict", "options": BIND_OPTIONS},
    "mkfs_options": {"type": "str"},
}
#: What is said of a mount, and of nothing that is not mounted.
_OF_A_MOUNT = ("mount_options", "boot_required", "mount_owner", "mount_group", "mount_mode")

OPTIONS: dict[str, dict[str, Any]] = {
    "device": {"type": "str", "required": True},
    "type": {"type": "str", "choices": list(TYPES)},
    **USE_OPTIONS,
    **_STATE,
}


class Use(NamedTuple):
    """What a device is to carry, and how that is used. None: leave it as it is; an empty ``mount_point``: unmounted."""

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

    @property
    def mount_points(self) -> list[str]:
        """All places where the filesystem, or a part of it, is to be mounted."""
        uses = [self]
        uses += [subvolume.use for subvolume in self.subvolumes or () if subvolume.state != "absent"]
        uses += [bind.use for bind in self.bind_mounts or () if bind.state != "absent"]
        return [use.mount_point for use in uses if use.mount_point]


class Subvolume(NamedTuple):
    """A wanted subvolume of a btrfs, by its path from the top level, and where it is mounted."""

    name: str
    use: Use = Use()
    state: str = "present"


class BindMount(NamedTuple):
    """A directory of a mounted filesystem, ``source``, that is mounted on another place too."""

    source: str
    use: Use
    state: str = "present"


class OnDevice(NamedTuple):
    """A wanted filesystem, or swap area, on any device."""

    device: str
    use: Use = Use()
    state: str = "present"

    @property
    def name(self) -> str:
        """It is known by its device."""
        return self.device


def parse(item: Mapping[str, Any], root: bool = False) -> OnDevice:
    """From an item of the document; ``root``: it may be the root. Raises StorageError for what cannot be."""
    device = str(item["device"])
    if not device:
        raise StorageError("filesystems: device is empty")
    use = parse_use(item, item.get("type"), f"filesystem on {device}", root)
    return OnDevice(device, use, item.get("state") or "present")


def check_mount_options(options: str, what: str) -> None:
    """Raises StorageError for options that would not stand in fstab."""
    if any(c.isspace() for c in options):
        raise StorageError(f"{what}: mount_options {options!r} holds white space; separate them by commas")


def parse_use(item: Mapping[str, Any], kind: str | None, what: str, root: bool = False) -> Use:
    """``what`` is for errors: whose words these are. ``root``: it may be mounted there."""
    use = _parse_mount(item, kind, what, root)
    made_with = _mkfs_options(item.get("mkfs_options"), what)
    for word in ("subvolumes", "bind_mounts"):
        if item.get(word) and kind == "swap":
            raise StorageError(f"{what}: it is to be swap, which has no {word}")
    if item.get("subvolumes") and kind not in (None, "btrfs"):
        raise StorageError(f"{what}: it is to be {kind}, and only btrfs has subvolumes")
    faults = Faults()
    subvolumes = binds = None
    if item.get("subvolumes") is not None:
        subvolumes = parse_each(faults, "subvolumes", item["subvolumes"], lambda one: _subvolume(one, what))
    if item.get("bind_mounts") is not None:
        binds = parse_each(faults, "bind_mounts", item["bind_mounts"], lambda one: _bind_mount(one, what))
    faults.check()
    use = use._replace(label=item.get("label"), mkfs_options=made_with, subvolumes=subvolumes, bind_mounts=binds)
    _check_once([one.name for one in subvolumes or ()], what, "the name of two subvolumes")
    _check_once(use.mount_points, what, "the mount_point of two mounts")
    return use


def _check_once(values: list[str], what: str, told: str) -> None:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise StorageError(f"{what}: {twice} is {told}")


def _subvolume(item: Mapping[str, Any], what: str) -> Subvolume:
    given = str(item["name"])
    name = given.strip("/")
    parts = name.split("/")
    if not all(_PART.fullmatch(part) and part not in (".", "..") for part in parts):
        raise StorageError(
            f"{what}: subvolume {given!r} is no path from the top level of the filesystem, such as @home or "
            "srv/www, of letters, digits and any of _ . @ : + ~ -"
        )
    what = f"{what}: subvolume {name}"
    use = _parse_mount(item, "btrfs", what)
    told = next(
        (word for word in (use.mount_options or "").split(",") if word.startswith(("subvol=", "subvolid="))), ""
    )
    if told:
        raise StorageError(f"{what}: mount_options has {told}, which name says already; take it out")
    return Subvolume(name, use, item.get("state") or "present")


def _bind_mount(item: Mapping[str, Any], what: str) -> BindMount:
    source = item["source"]
    if not source.startswith("/") or any(c in source for c in "\n\0"):
        raise StorageError(f"{what}: source {source!r} of a bind mount is not an absolute path")
    source = posixpath.normpath("/" + source.lstrip("/"))
    what = f"{what}: bind mount of {source}"
    use = _parse_mount(item, None, what)
    if not use.mount_point:
        raise StorageError(f"{what}: mount_point is empty; to have it unmounted, say where, and state absent")
    if "rbind" in (use.mount_options or "").split(","):
        raise StorageError(
            f"{what}: mount_options has rbind, and only the filesystem itself is shown, not what is mounted inside"
        )
    if use.mount_point == source:
        raise StorageError(f"{what}: source and mount_point are one directory")
    return BindMount(source, use, item.get("state") or "present")


def _parse_mount(item: Mapping[str, Any], kind: str | None, what: str, root: bool = False) -> Use:
    """Where something is mounted, and how."""
    mount_point = item.get("mount_point")
    if mount_point == "":
        for word in _OF_A_MOUNT:
            if item.get(word) is not None:
                raise StorageError(
                    f"{what}: {word} beside an empty mount_point, which unmounts it; leave one of them out"
                )
    elif mount_point is not None:
        if not mount_point.startswith("/") or any(c in mount_point for c in "\n\0"):
            raise StorageError(f"{what}: mount_point {mount_point!r} is not an absolute path")
        mount_point = posixpath.normpath("/" + mount_point.lstrip("/"))
        if mount_point == "/" and not root:
            raise StorageError(f"{what}: mount_point / is the host's own root")
        if kind == "swap":
            raise StorageError(f"{what}: it is to be swap, which has no mount_point")
    options = item.get("mount_options")
    if options is not None:
        check_mount_options(options, what)
    owner, group = (_account(item, word, what) for word in ("mount_owner", "mount_group"))
    mode = _mode(item.get("mount_mode"), what)
    if kind == "swap" and (owner, group, mode) != (None, None, None):
        raise StorageError(f"{what}: it is to be swap, which has no owner, group or mode")
    return Use(kind, None, mount_point, options, item.get("boot_required"), owner, group, mode)


def _mkfs_options(given: str | None, what: str) -> tuple[str, ...] | None:
    """The words, as a shell would split them."""
    if given is None:
        return None
    try:
        options = tuple(shlex.split(given))
    except ValueError as error:
        raise StorageError(f"{what}: mkfs_options {given!r} cannot be split into words: {error}") from None
    if options and not options[0].startswith("-"):
        raise StorageError(f"{what}: mkfs_options {given!r} has to begin with an option; the device is added to it")
    return options


def _account(item: Mapping[str, Any], word: str, what: str) -> str | None:
    name: str | None = item.get(word)
    if name is not None and not _ACCOUNT.fullmatch(name):
        raise StorageError(f"{what}: {word} {name!r} is neither a name nor a number")
    return name


def _mode(given: Any, what: str) -> int | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _MODE.fullmatch(given):
        raise StorageError(
            f"{what}: mount_mode {given!r} is no mode; write it as three or four octal digits in quotes, such as '0755'"
        )
    return int(given, 8)


def check_new_label(label: str, what: str) -> None:
    """Raises StorageError for a label that no filesystem is given here. One that it has already may be any."""
    if not _LABEL.fullmatch(label):
        raise StorageError(f"{what}: label {label!r} holds a character that is no letter, digit or any of _ . : + -")
