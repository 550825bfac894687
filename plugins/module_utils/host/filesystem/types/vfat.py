# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FAT as Linux mounts it, with long names (Microsoft's FAT specification, 2000)."""

from __future__ import annotations

import os
import struct

from ....core.plan import placeholder
from ..state import Filesystem
from .base import FilesystemType

#: Where the tail of the boot sector begins, by how wide entries of the table are.
_TAILS = ((36, b"FAT12   "), (36, b"FAT16   "), (64, b"FAT32   "))
_NO_LABEL = "NO NAME"
#: What a directory entry is that only names the filesystem, and one of a long name.
_IS_LABEL, _LONG_NAME = 8, 15
#: So much of the table and of the root directory is looked at: new files go to the first free places.
_LOOK = 1 << 16


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 512, 0)
    tail = _tail(block)
    if tail is None:
        return None
    (sector,) = struct.unpack_from("<H", block, 11)
    (few,), (many,) = struct.unpack_from("<H", block, 19), struct.unpack_from("<I", block, 32)
    (number,) = struct.unpack_from("<I", block, tail + 3)
    label = block[tail + 7 : tail + 18].decode(errors="replace").rstrip()
    return Filesystem(
        type="vfat",
        uuid=f"{number >> 16:04X}-{number & 0xFFFF:04X}",
        label="" if label == _NO_LABEL else label,
        size=(few or many) * sector,
        sector=sector,
    )


def _tail(block: bytes) -> int | None:
    """Where the number and the label are; None where this is no FAT."""
    found = [place for place, kind in _TAILS if block[place + 18 : place + 26] == kind]
    return found[0] if found and block[510:512] == b"\x55\xaa" and block[21] >= 0xF0 else None


def unused(descriptor: int) -> bool:
    """No cluster is in use but that of the root directory, and no entry is in that but the label."""
    block = os.pread(descriptor, 512, 0)
    sector, per_cluster, reserved, tables, entries = struct.unpack_from("<HBHBH", block, 11)
    (few,), (many,) = struct.unpack_from("<H", block, 22), struct.unpack_from("<I", block, 36)
    wide = _tail(block) == 64
    length = (many if wide else few) * sector
    table = os.pread(descriptor, min(length, _LOOK), reserved * sector)
    # Of two clusters that do not exist, and of FAT32's root directory.
    first = 12 if wide else 4 if block[54:62] == b"FAT16   " else 3
    root = (reserved * sector) + tables * length
    there = os.pread(descriptor, min(per_cluster * sector if wide else entries * 32, _LOOK), root)
    kinds = [there[place + 11] for place in range(0, len(there), 32) if there[place]]
    return not any(table[first:]) and all(kind & _LONG_NAME == _IS_LABEL for kind in kinds)


VFAT = FilesystemType(
    name="vfat",
    least=1 << 20,
    floor=1 << 20,
    slack=0,
    longest=11,
    read=read,
    unused=unused,
    uuid=lambda drawn: placeholder("volume-id", drawn),
    # A disk gets no partition table of its own beside it.
    make=lambda device, uuid, label: (
        *("mkfs.vfat", "-I", "--mbr=n", "-i", placeholder("digits", uuid)),
        *(("-n", label) if label else ()),
        device,
    ),
    label=lambda device, _point, label: ("fatlabel", device, label) if label else ("fatlabel", "--reset", device),
    label_mounted=False,
    not_in_labels=".:+",
    grows=False,
    shrinks="vfat cannot shrink; make a smaller one, and copy what this one holds",
    fsck_pass="2",
)
