# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume groups as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PhysicalVolume(NamedTuple):
    """``size`` is what the group has of it, from ``start`` on, ``used`` how much of that holds volumes.

    ``missing``: LVM counts it as missing, also where it is here again. ``closed``: what is free on it no volume gets.
    """

    device: str
    size: int = 0
    device_size: int = 0
    used: int = 0
    tags: tuple[str, ...] = ()
    start: int = 1 << 20
    uuid: str = ""
    missing: bool = False
    closed: bool = False

    @property
    def end(self) -> int:
        """How large its device has to be."""
        return self.start + self.size


class LogicalVolume(NamedTuple):
    """``device`` is empty while it is not active.

    ``kind`` is LVM's type of one that no drive makes (thin, thin-pool, snapshot, raid1, …), empty of a linear one.
    ``origin`` is the volume that it is a snapshot of. ``health`` is LVM's word (``partial``), empty where all is well.
    ``room`` is by how much it can grow where LVM's policy of allocation limits that (None: by what is free).
    ``skipped``: it is activated only on demand. ``locked``: a pvmove moves it, and LVM neither resizes nor removes it.
    """

    name: str
    size: int = 0
    active: bool = False
    autoactivation: bool = True
    device: str = ""
    kind: str = ""
    origin: str = ""
    health: str = ""
    room: int | None = None
    skipped: bool = False
    locked: bool = False
    read_only: bool = False

    @property
    def usable(self) -> bool:
        """Whether it is a device of its own for a filesystem: no pool, and no part or other state of another volume."""
        return self.kind != "snapshot" and not self.kind.startswith("private") and not self.kind.endswith("pool")


class Group(NamedTuple):
    """An LVM volume group. ``moving`` are the devices that a pvmove is emptying.

    ``free`` is what volumes can get. ``sequence`` counts the changes of its metadata. ``exported``: vgexport took it
    out of use. ``fixed``: no device comes or leaves. ``most_devices`` and ``most_volumes`` are its limits (0: none),
    and ``room`` is how large a new volume can be where LVM's policy of allocation limits that.
    """

    name: str
    extent_size: int = 4 << 20
    size: int = 0
    free: int = 0
    autoactivation: bool = True
    physical_volumes: tuple[PhysicalVolume, ...] = ()
    volumes: tuple[LogicalVolume, ...] = ()
    moving: tuple[str, ...] = ()
    uuid: str = ""
    sequence: int = 0
    exported: bool = False
    fixed: bool = False
    most_devices: int = 0
    most_volumes: int = 0
    room: int | None = None

    def volume(self, name: str) -> LogicalVolume | None:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def snapshots(self, origin: LogicalVolume) -> tuple[LogicalVolume, ...]:
        """Those that depend on that volume; a thin snapshot stands for itself."""
        return tuple(volume for volume in self.volumes if volume.origin == origin.name and origin.kind != "thin")


class StrayVolume(NamedTuple):
    """A device with the label of a physical volume that LVM does not use: a copy of one, or an older state.

    ``uuid`` is the physical volume's; the group, its ``sequence`` and its volumes are those of the metadata that the
    device itself has. ``duplicate``: LVM sees it twice, and changes nothing in the group. ``elsewhere``: the device has
    no room for metadata, so that only the others of its group say which group that is. ``system_id`` is the host that
    the group belongs to, ``lock_type`` what hosts share it by.
    """

    device: str
    uuid: str
    group: str = ""
    group_uuid: str = ""
    sequence: int = 0
    volumes: tuple[str, ...] = ()
    duplicate: bool = False
    elsewhere: bool = False
    system_id: str = ""
    lock_type: str = ""


class Lvm(NamedTuple):
    """``orphans`` are physical volumes of no group. ``begun`` are those of them that never were part of one, each with
    the name of the group that was being made of it (empty: none yet); read only where a step was interrupted.
    ``taken`` are the names below /dev, which no new group can have. ``stray`` are devices that belong to the groups by
    their labels only. ``hidden`` are those whose labels and metadata name a group, or a physical volume, that LVM does
    not show.
    """

    groups: tuple[Group, ...] = ()
    orphans: tuple[str, ...] = ()
    begun: Mapping[str, str] = {}
    taken: tuple[str, ...] = ()
    stray: tuple[StrayVolume, ...] = ()
    hidden: tuple[StrayVolume, ...] = ()
