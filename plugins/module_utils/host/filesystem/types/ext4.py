# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ext4 (fs/ext4/ext4.h); its older forms, which the same driver works with, are read here too."""

from __future__ import annotations

import os
import struct
import uuid

from ....core.command import read_text
from ....core.plan_text import counted
from ..state import Filesystem
from .base import FilesystemType, labelled


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 1024, 1024)
    # What only holds the journal of another one has the same superblock.
    if block[56:58] != b"\x53\xef" or block[96] & 8:
        return None
    (low,) = struct.unpack_from("<I", block, 4)
    (log_size,) = struct.unpack_from("<I", block, 24)
    compatible, incompatible = struct.unpack_from("<II", block, 92)
    (high,) = struct.unpack_from("<I", block, 0x150)
    wide = bool(incompatible & 0x80)
    journal, extents = bool(compatible & 4), bool(incompatible & 0x40)
    return Filesystem(
        type="ext4" if extents else "ext3" if journal else "ext2",
        uuid=str(uuid.UUID(bytes=block[104:120])),
        label=block[120:136].rstrip(b"\0").decode(errors="replace"),
        size=(low | (high << 32 if wide else 0)) << (10 + log_size),
        sector=1024 << log_size,
        damaged=bool(struct.unpack_from("<H", block, 58)[0] & 2),
    )


def unused(descriptor: int) -> bool:
    """When it was mounted last, and how often."""
    block = os.pread(descriptor, 1024, 1024)
    return struct.unpack_from("<I", block, 44) == (0,) and struct.unpack_from("<H", block, 52) == (0,)


def mounted(kernel: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    count = read_text(f"/sys/fs/ext4/{kernel}/errors_count")
    return (kernel,), (
        (f"{counted(int(count), 'error')} since it was last checked",) if count.isdigit() and int(count) else ()
    )


EXT4 = FilesystemType(
    name="ext4",
    least=8 << 20,
    floor=8 << 20,
    # A last block group with hardly more room than its own tables is left out.
    slack=8 << 20,
    longest=16,
    read=read,
    unused=unused,
    make=lambda device, uuid, label: ("mkfs.ext4", "-q", "-U", uuid, *labelled(label), device),
    grow=lambda device, _point, _number: ("resize2fs", device),
    label=lambda device, _point, label: ("e2label", device, label),
    shrinks="offline",
    shrink=lambda device, _point, size, _number: ("resize2fs", device, f"{size >> 10}K"),
    mounted=mounted,
    fsck_pass="2",
    takes_back=True,
)
