# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cache set caches, by its own journal: also devices that are not here, whose dirty data may be only there.

The kernel tells of devices that are here alone. Places and magic numbers are those of Linux' bcache_ondisk.h.
"""

from __future__ import annotations

import os
import struct
import uuid

from ..blocks import open_device, read_aligned
from .state import Attached

#: Of a journal entry: what its magic is the set's own combined with, how long its head is.
_JOURNAL_MAGIC = 0x245235C1A3625032
_JOURNAL_HEAD = 240
_ENTRY = 128
#: Of a volume in the cache set itself (flash_vol_create).
_OWN_VOLUME = 1
#: What an entry becomes when its device is detached.
_DETACHED = uuid.UUID("a03ef8ed-3ee1-b878-c850-fc5ecb16cd99")
_PAGE = 4096


def attached_to(path: str) -> tuple[Attached, ...] | None:
    """What is attached to the cache set on a device; None where that cannot be found.

    Raises OSError. Read past the page cache, since the kernel writes to a cache device past that as well.
    """
    descriptor = open_device(path, direct=True)
    try:
        place = _table(descriptor)
        return None if place is None else _attached(read_aligned(descriptor, place[1], place[0]))
    finally:
        os.close(descriptor)


def _table(descriptor: int) -> tuple[int, int] | None:
    """Where the table of a set's devices is, and how long that is, by the latest entry of its journal."""
    head = read_aligned(descriptor, _PAGE, _PAGE)
    (set_magic,) = struct.unpack_from("<Q", head, 56)
    magic = set_magic ^ _JOURNAL_MAGIC
    block, bucket = (sectors << 9 for sectors in struct.unpack_from("<HH", head, 192))
    (count,) = struct.unpack_from("<H", head, 206)
    if not block or bucket < _PAGE or count > 256:
        return None
    places = [number * bucket for number in struct.unpack_from(f"<{count}Q", head, 208)]
    begun = {_sequence(read_aligned(descriptor, _PAGE, place), 0, magic): place for place in places}
    if not any(begun):
        return None
    journal = read_aligned(descriptor, bucket, begun[max(begun)])
    number = latest = place = 0
    while _sequence(journal, place, magic) > number:
        number, latest = _sequence(journal, place, magic), place
        (keys,) = struct.unpack_from("<I", journal, place + 28)
        place += -(-(_JOURNAL_HEAD + 8 * keys) // block) * block
    (pointer,) = struct.unpack_from("<Q", journal, latest + 56)
    return (pointer >> 8 & (1 << 43) - 1) << 9, bucket


def _sequence(journal: bytes, place: int, magic: int) -> int:
    """The number of a journal entry; 0 where none of this set begins there."""
    if place + _JOURNAL_HEAD > len(journal) or struct.unpack_from("<Q", journal, place + 8)[0] != magic:
        return 0
    number: int = struct.unpack_from("<Q", journal, place + 16)[0]
    return number


def _attached(table: bytes) -> tuple[Attached, ...]:
    found = []
    for place in range(0, len(table) - _ENTRY + 1, _ENTRY):
        entry = uuid.UUID(bytes=table[place : place + 16])
        invalidated, flags = struct.unpack_from("<II", table, place + 56)
        if entry.int and entry != _DETACHED and not invalidated:
            label = table[place + 16 : place + 48].split(b"\0", 1)[0].decode(errors="replace")
            found.append(Attached(str(entry), label, bool(flags & _OWN_VOLUME)))
    return tuple(found)
