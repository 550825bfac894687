# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a device an array can use: what md and mdadm keep for superblock, bitmap and bad blocks. In bytes."""

from __future__ import annotations

from math import gcd

from .state import SUPERBLOCK_FIRST

#: Versions whose superblock is found by its distance from the end.
SUPERBLOCK_LAST = ("0.90", "1.0")
METADATA = (*SUPERBLOCK_LAST, *SUPERBLOCK_FIRST)

_KiB, _MiB, _GiB = 1 << 10, 1 << 20, 1 << 30
_BLOCK = 4 * _KiB
#: Of metadata 1.0: the superblock's distance from the end, and the list of bad blocks before it.
_AT_END = 8 * _KiB
_BAD_BLOCKS = 4 * _KiB
_OLD = 64 * _KiB
_MOST_HEADROOM = 128 * _MiB
_MOST_OLD_DEVICES = 27
#: What superblock, bitmap and list of bad blocks may take before the data.
_BEFORE_DATA = 256 * _KiB


def usable(metadata: str, size: int, data_offset: int) -> int:
    """What md uses at most of a device of that size, whose data begins at ``data_offset``."""
    if metadata in SUPERBLOCK_FIRST:
        return max(size - data_offset, 0)
    if metadata == "1.0":
        return max(_down(size, _BLOCK) - _AT_END - _BAD_BLOCKS - _bitmap_room(size), 0)
    return max(_down(size, _OLD) - _OLD, 0)


def least_size(metadata: str, component_size: int, data_offset: int) -> int:
    """How large a device has to be to join an array that uses that much of each member."""
    if metadata in SUPERBLOCK_FIRST:
        return component_size + data_offset
    if metadata == "1.0":
        return -_down(-component_size - _BAD_BLOCKS, _BLOCK) + _AT_END
    return -_down(-component_size, _OLD) + _OLD


def new_offset(metadata: str, size: int, chunk_size: int) -> int:
    """Where mdadm lets the data of a new array begin, whose first device has that size; RAID 1 has chunks of 0."""
    if metadata not in SUPERBLOCK_FIRST:
        return 0
    headroom = _MOST_HEADROOM
    while headroom << 10 > size and (not chunk_size or headroom // 2 >= 2 * chunk_size):
        headroom //= 2
    return -_down(-(12 * _KiB + _bitmap_room(size) + headroom), _MiB)


def to_span(before: int, after: int, chunk_size: int) -> int:
    """By how much the start of the data has to move, so that no crash loses any while a RAID 4, 5 or 6 spans more.

    ``before``, ``after``: how many members' worth of data. A reshape that is begun on a running array records no place
    until it writes two chunks behind where it reads, and after a crash begins anew (seen with Linux 7.2): what it wrote
    by then must lie before what it read. mdadm takes no less than it needs for itself, and by itself no more.
    """
    unrecorded = 2 * before // (after - before) + 1
    return chunk_size * max(unrecorded, after // gcd(before, after))


def spanning_offset(first_data: int, least: int) -> int:
    """Where the data begins that moved by at least so much towards the front, whole MiB if it can; 0: no room."""
    for unit in (_MiB, _BLOCK):
        offset = _down(first_data - least, unit)
        if offset >= _BEFORE_DATA:
            return offset
    return 0


def _bitmap_room(size: int) -> int:
    """What mdadm and md keep free for a bitmap."""
    if size < 64 * _KiB:
        return 0
    if size - 64 * _KiB >= 200 * _GiB:
        return 128 * _KiB
    return 64 * _KiB if size - _BLOCK > 8 * _GiB else _BLOCK


def _down(size: int, unit: int) -> int:
    return size // unit * unit
