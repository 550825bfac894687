# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RAID arrays as data."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from ...core.plan import is_placeholder
from ..devices import Signature


class Member(NamedTuple):
    """A device of an array. ``role``: active, spare, faulty, rebuilding, replacing (the one in its slot), or one of
    ``OUTSIDE``; of a stopped array, by the superblocks of all its devices (see raid_roles.py).

    ``side`` numbers the groups of devices that ran apart, from 0 (the array's own, or the newest); ``events`` and
    ``updated`` (seconds since the epoch) are those of its superblock. ``flags`` are what md says of it beside its role
    (``write_error``, ``want_replacement``), ``errors`` how many reads it failed at and another member answered,
    ``bad_blocks`` how many sectors md no longer uses. ``lost``: the array runs, and the superblock is not where the
    next start looks for it, since the device grew. ``room`` is how much of it the array could use, in bytes (0: not
    known). ``other_shape``: it tells of the array before or after a reshape, since a crash came while the superblocks
    of the members were written.
    """

    device: str
    role: str
    slot: int | None = None
    write_mostly: bool = False
    side: int = 0
    events: int = 0
    updated: int = 0
    flags: tuple[str, ...] = ()
    errors: int = 0
    bad_blocks: int = 0
    lost: bool = False
    other_shape: bool = False
    room: int = 0


#: Roles of devices that carry an array's superblock and are no part of it: ``former`` is an older state of it,
#: ``apart`` was written to without the others, and holds a version of its own, ``copy`` is a device that is here twice,
#: ``cut`` became smaller than its superblock says.
OUTSIDE = ("former", "apart", "copy", "cut")
#: Versions of md's superblock that lie before the data, whose start may then move in a reshape.
SUPERBLOCK_FIRST = ("1.1", "1.2")


class Array(NamedTuple):
    """A RAID array. ``device`` is empty while it does not run; ``state`` is md's ``array_state``.

    Of one that is being reshaped, level, number of devices and chunk size are those that it will have.
    ``component_size`` is what is in use of each member, ``room`` what the smallest could give, ``array_size`` what md
    was told to show of the whole (0: all). ``layout`` is empty where it is none that mdadm has a word for. ``speed``
    is in bytes per second, ``percent`` how far the ``sync_action`` has come, ``eta_seconds`` how long it takes at that
    speed. ``data_offset`` is where the data begins on its members, ``first_data`` where it does on the one that keeps
    least before it. ``unsynced``: a resync has not ended, and may not have begun. ``needs_backup``: mdadm started a
    reshape with a backup file, and goes on only if it is given that. ``unused``: it does not run, and by all of its
    superblocks nobody ever wrote to it. ``home`` is the host that its name is qualified with in its superblocks
    (``home:name``).
    """

    uuid: str
    name: str
    level: str
    raid_devices: int
    members: tuple[Member, ...]
    chunk_size: int = 0
    layout: str = ""
    metadata: str = ""
    bitmap: str = "none"
    device: str = ""
    state: str = ""
    sync_action: str = ""
    degraded: int = 0
    reshaping: bool = False
    consistency_policy: str = ""
    component_size: int = 0
    room: int = 0
    array_size: int = 0
    percent: float | None = None
    speed: int = 0
    eta_seconds: int | None = None
    mismatch_count: int = 0
    data_offset: int = 0
    first_data: int = 0
    unsynced: bool = False
    needs_backup: bool = False
    unused: bool = False
    home: str = ""

    @property
    def running(self) -> bool:
        return bool(self.device) and self.state not in ("inactive", "clear")

    @property
    def foreign(self) -> bool:
        """Whether something else than md itself keeps its metadata (mdmon for DDF and IMSM), or nothing does."""
        return self.metadata.startswith(("external", "none"))

    def with_room(self, path: str, more: int) -> Array:
        """This array, once one of its devices grew by so much. Only behind the superblock, that is room for data."""
        if self.metadata not in SUPERBLOCK_FIRST or path not in [member.device for member in self.members]:
            return self
        members = tuple(
            member._replace(room=member.room + more) if member.device == path and member.room else member
            for member in self.members
        )
        rooms = [member.room for member in members if member.role not in OUTSIDE]
        return self._replace(members=members, room=min(rooms) if all(rooms) else self.room)

    @property
    def signature(self) -> Signature:
        """What a device of it holds, as libblkid tells it: of metadata 0.90 it has a UUID of another form."""
        if not self.metadata.startswith("1.") or not self.uuid or is_placeholder(self.uuid):
            return Signature("linux_raid_member")
        dashed = str(uuid.UUID(self.uuid))
        return Signature("linux_raid_member", dashed, ":".join(filter(None, (self.home, self.name))))

    def devices(self, *roles: str) -> tuple[str, ...]:
        return tuple(member.device for member in self.members if member.role in roles)
