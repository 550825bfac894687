# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full a drive is, and which devices of this host its network volumes are."""

from __future__ import annotations

import time
from typing import Any

from ...core.command import run_command
from ...core.errors import StorageError
from ...core.plan import is_placeholder
from ..filesystem.types.known import KNOWN
from ..host import Host
from ..read import read
from ..task import look
from . import plan as drive
from .state import PhysicalVolume

_POLL = 0.5


def tell_usage(name: str, volumes: list[dict[str, Any]], timeout: int | None) -> dict[str, Any]:
    """What a drive uses, and the path of each volume.

    ``timeout`` None: nobody has attached anything, so what is not there is left out. Raises StorageError for a
    volume that does not appear within ``timeout`` seconds.
    """
    limit = time.monotonic() + (timeout or 0)
    while True:
        host = read(tuple(volume["device"] for volume in volumes if volume.get("device")))
        paths = look(host, lambda known: find(known, volumes))
        missing = [volume["id"] for volume in volumes if volume["id"] not in paths and not _planned(volume["id"])]
        if not missing or timeout is None:
            break
        if time.monotonic() > limit:
            raise StorageError(
                f"{missing[0]} is attached, and no disk with its serial number appeared within {timeout} s. Look at "
                "the serial numbers of this host's disks (lsblk --nodeps --output NAME,SERIAL)"
            )
        time.sleep(_POLL)
    found, members = look(host, lambda known: (used(known, name), _members(known, name)))
    inside = [volume for volume, path in paths.items() if path in members]
    return {**found, "devices": paths, "members": inside}


def find(host: Host, volumes: list[dict[str, Any]]) -> dict[str, str]:
    """The path of each volume that is there: the provider's own, or that of the disk with its serial number."""
    found: dict[str, str] = {}
    for volume in volumes:
        device = volume.get("device")
        if device:
            # A link is not there before its device is.
            known = host.devices.get(host.links.get(device) or device)
            if known:
                found[volume["id"]] = host.stable(known.path)
            continue
        serials = volume.get("serials") or ()
        paths = [path for path, disk in host.disk_facts().items() if disk.serial and disk.serial in serials]
        if len(paths) > 1:
            raise StorageError(
                f"{volume['id']}: {' and '.join(paths)} both have its serial number, so the one that is meant is not "
                "known. Detach the one that is not meant"
            )
        if paths:
            found[volume["id"]] = host.stable(paths[0])
    return found


def used(host: Host, name: str) -> dict[str, Any]:
    """The usage of the one filesystem of a drive, None while it is not mounted; if it is there, and all of it."""
    known = next((status for item, status in drive.survey(host) if item["name"] == name), None)
    if known is None:
        return {"exists": False, "whole": True, "usage": None}
    if len(known["volumes"]) > 1:
        raise StorageError(
            f"drive {name} has {len(known['volumes'])} volumes ({', '.join(known['volumes'])}), and an elastic "
            "drive has one, which gets all of its size"
        )
    points = [point for status in known["volumes"].values() for point in status["mounted_on"]]
    whole = all(volume.device in host.devices and not volume.missing for volume in _physical_volumes(host, name))
    return {"exists": True, "whole": whole, "usage": _filesystem(points[0], host) if points else None}


def _physical_volumes(host: Host, name: str) -> tuple[PhysicalVolume, ...]:
    return next((group.physical_volumes for group in host.known_groups().groups if group.name == name), ())


def _members(host: Host, name: str) -> set[str]:
    """The devices that a drive is made of, by each name that a volume may be found by."""
    there = [volume.device for volume in _physical_volumes(host, name) if volume.device in host.devices]
    return {path for device in there for path in (device, host.stable(device))}


def _filesystem(point: str, host: Host) -> dict[str, Any]:
    # By a program, since a filesystem on a dead device may never answer.
    told = run_command(("stat", "--file-system", "--format=%S %b %f %a %c %d", point), timeout=30)
    block, blocks, free, available, inodes, inodes_free = map(int, told.split())
    kind = next((mount.type for mount in host.mounts if mount.mount_point == point), "")
    known = KNOWN.get(kind)
    unlimited = known is not None and known.makes_inodes
    return {
        # As df counts: without what only root may fill, and what btrfs needs for its metadata.
        "size": block * (blocks - free + available),
        "used": block * (blocks - free),
        "inodes": 0 if unlimited else inodes,
        "inodes_used": 0 if unlimited else inodes - inodes_free,
        "total_size": block * blocks,
        "shrinks": known is None or known.can_shrink,
    }


def _planned(name: str) -> bool:
    """True for a volume that only check mode has."""
    return is_placeholder(name)
