# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""md's superblocks (linux/raid/md_p.h)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...document.raid import PARITY_LAYOUTS
from .state import SUPERBLOCK_FIRST

_MD_MAGIC = 0xA92B4EFC
_SPARE, _FAULTY, _JOURNAL = 0xFFFF, 0xFFFE, 0xFFFD
_MOST_DEVICES = (4096 - 256) // 2
_NEVER = 0xFFFFFFFFFFFFFFFF
#: Of md's features: what recovers, what replaces the one in its slot, a reshape, and one that moves the data's start.
_RECOVERING, _REPLACEMENT, _RESHAPING, _NEW_OFFSET = 2, 16, 4, 64
_WITH_JOURNAL, _WITH_PPL = 512, 2048 | 4096


class MdSuperblock(NamedTuple):
    """What one device says of its array, and of itself; sizes in bytes.

    ``role``: active, rebuilding, replacing, spare, faulty or journal. ``slots`` are the places of the array's working
    devices, by the number that each has in it (this one's own is ``number``), as they were when the superblock was
    written (``updated``, seconds since the epoch). ``device_uuid`` is empty in metadata 0.90.
    ``least_size`` is how large md wants the device to be (0: wherever the superblock is found, it is large enough).
    ``home`` is the host that the array's name is qualified with, ``log`` what is written before the members are
    (journal, ppl).
    """

    uuid: str
    name: str
    level: str
    raid_devices: int
    chunk_size: int
    layout: str
    metadata: str
    bitmap: str
    role: str
    slot: int | None
    events: int
    updated: int = 0
    number: int = 0
    device_uuid: str = ""
    slots: Mapping[int, int] = {}
    component_size: int = 0
    data_offset: int = 0
    unsynced: bool = False
    reshaping: bool = False
    needs_backup: bool = False
    least_size: int = 0
    home: str = ""
    log: str = ""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What the superblocks of all members have to have in common.

        mdadm looks at the same, but for ``reshaping``: with some that say that a reshape has ended, and some that do
        not yet, md starts an array whose data it then looks for in two places.
        """
        return (self.level, self.layout, self.chunk_size, self.raid_devices, self.component_size, self.reshaping)


def offset_1_0(size: int) -> int:
    sectors = (size >> 9) - 16
    return max(sectors & ~7, 0) << 9


def superblock_1(block: bytes, metadata: str, offset: int) -> MdSuperblock | None:
    if len(block) < 512:
        return None
    magic, major, features = struct.unpack_from("<III", block, 0)
    (where,) = struct.unpack_from("<Q", block, 144)
    # One that says it belongs elsewhere is that of a device inside this one.
    if magic != _MD_MAGIC or major != 1 or where << 9 != offset:
        return None
    level, layout, used, chunk, raid_disks = struct.unpack_from("<iIQII", block, 72)
    (delta_disks,) = struct.unpack_from("<i", block, 112)
    data_offset, data_size = struct.unpack_from("<QQ", block, 128)
    (number,) = struct.unpack_from("<I", block, 160)
    updated, events, resynced = struct.unpack_from("<QQQ", block, 192)
    (most,) = struct.unpack_from("<I", block, 220)
    roles = struct.unpack_from(f"<{min(most, _MOST_DEVICES, (len(block) - 256) // 2)}H", block, 256)
    role = roles[number] if number < len(roles) else _SPARE
    name = block[32:64].rstrip(b"\0").decode(errors="replace")
    reshaping = bool(features & _RESHAPING)
    working = "replacing" if features & _REPLACEMENT else "active"
    if features & _RECOVERING and not reshaping and working == "active":
        working = "rebuilding"
    return MdSuperblock(
        uuid=block[16:32].hex(),
        name=name.split(":", 1)[-1],
        level=_level(level),
        raid_devices=raid_disks,
        chunk_size=chunk << 9,
        layout=layout_word(_level(level), layout),
        metadata=metadata,
        bitmap="internal" if features & 1 else "none",
        role={_SPARE: "spare", _FAULTY: "faulty", _JOURNAL: "journal"}.get(role, working),
        slot=role if role < _JOURNAL else None,
        events=events,
        # Above these 40 bits are microseconds.
        updated=updated & (1 << 40) - 1,
        number=number,
        device_uuid=block[168:184].hex(),
        slots={index: slot for index, slot in enumerate(roles) if slot < _JOURNAL},
        component_size=used << 9,
        data_offset=data_offset << 9,
        unsynced=resynced != _NEVER,
        reshaping=reshaping,
        needs_backup=reshaping and delta_disks <= 0 and not features & _NEW_OFFSET,
        least_size=data_offset + data_size << 9 if metadata in SUPERBLOCK_FIRST else 0,
        home=name.split(":", 1)[0] if ":" in name else "",
        log="journal" if features & _WITH_JOURNAL else "ppl" if features & _WITH_PPL else "",
    )


def superblock_0_90(block: bytes) -> MdSuperblock | None:
    if len(block) < 4096:
        return None
    words = struct.unpack_from("<1024I", block, 0)
    if words[0] != _MD_MAGIC or words[1] != 0:
        return None
    set_uuid = struct.pack("<4I", words[5], words[13], words[14], words[15])
    # The generic state words start at 32, the personality's at 64, the disks at 128 (32 words each), this disk at 992.
    raid_disk, state = words[995], words[996]
    level = _level(struct.unpack("<i", struct.pack("<I", words[7]))[0])
    active = _works(state)
    disks = [words[first : first + 5] for first in range(128, 128 + 27 * 32, 32)]
    return MdSuperblock(
        uuid=uuid_0_90(set_uuid.hex()),
        name="",
        level=level,
        raid_devices=words[10],
        chunk_size=words[65],
        layout=layout_word(level, words[64]),
        metadata="0.90",
        bitmap="internal" if words[33] & (1 << 8) else "none",
        role="active" if active else "faulty" if state & 1 else "spare",
        slot=raid_disk if active else None,
        events=words[39] | words[40] << 32,
        updated=words[32],
        number=words[992],
        slots={index: disk[3] for index, disk in enumerate(disks) if _works(disk[4])},
        component_size=words[8] << 10,
        # The lowest bit says that the members are alike.
        unsynced=not words[33] & 1,
        reshaping=words[2] > 90 and words[44] | words[45] << 32 != _NEVER,
    )


def uuid_0_90(digits: str) -> str:
    """The UUID of metadata 0.90 as mdadm prints it: words, which the superblock and the kernel keep in bytes."""
    return b"".join(bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, 32, 8)).hex()


def _works(state: int) -> bool:
    """Whether metadata 0.90 counts a disk as active and in sync, and neither as faulty nor as removed."""
    return state & 0b1111 == 0b0110


def _level(number: int) -> str:
    return {-1: "linear", -4: "multipath", -5: "faulty"}.get(number, str(number))


def layout_word(level: str, number: int) -> str:
    """mdadm's word for md's number of a layout; empty where there is none."""
    if level in ("5", "6"):
        return PARITY_LAYOUTS[number] if number < len(PARITY_LAYOUTS) else ""
    if level != "10":
        return ""
    near, far, offset = number & 0xFF, number >> 8 & 0xFF, number >> 16 & 1
    if far > 1:
        return f"{'o' if offset else 'f'}{far}" if near == 1 else ""
    return f"n{near}" if near > 1 else ""
