# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""xfs (fs/xfs/libxfs/xfs_format.h)."""

from __future__ import annotations

import os
import struct
import uuid

from ..state import Filesystem
from .base import FilesystemType, ask, labelled


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 512, 0)
    if block[:4] != b"XFSB":
        return None
    block_size, blocks = struct.unpack_from(">IQ", block, 4)
    (sector,) = struct.unpack_from(">H", block, 102)
    return Filesystem(
        type="xfs",
        uuid=str(uuid.UUID(bytes=block[32:48])),
        label=block[108:120].rstrip(b"\0").decode(errors="replace"),
        size=block_size * blocks,
        sector=sector,
    )


def unused(descriptor: int) -> bool:
    """What mkfs.xfs marks as in progress until it ends; then its log, where each mount leaves something."""
    block = os.pread(descriptor, 512, 0)
    return block[126] == 1 or _is_first_log(descriptor, block)


def _is_first_log(descriptor: int, block: bytes) -> bool:
    """Whether the log of an xfs holds no more than the one record that mkfs.xfs writes.

    That record has 256 KiB at most, and its headers. A kernel that mounts it marks 2 MiB behind the last record.
    """
    block_size, log_start, group_blocks = (
        struct.unpack_from(code, block, place)[0] for code, place in ((">I", 4), (">Q", 48), (">I", 84))
    )
    shift = block[124]
    place = ((log_start >> shift) * group_blocks + (log_start & ((1 << shift) - 1))) * block_size
    behind = os.pread(descriptor, 1 << 16, place + (1 << 18) + (1 << 13))
    return log_start != 0 and os.pread(descriptor, 4, place) == b"\xfe\xed\xba\xbe" and not any(behind)


def size(mount_point: str, _number: int) -> int:
    geometry = ask(mount_point, 0x80705864, bytearray(112))  # XFS_IOC_FSGEOMETRY_V1
    (block_size,) = struct.unpack_from("=I", geometry, 0)
    (blocks,) = struct.unpack_from("=Q", geometry, 32)
    return int(block_size * blocks)


XFS = FilesystemType(
    name="xfs",
    least=300 << 20,
    floor=300 << 20,
    slack=0,
    longest=12,
    makes_inodes=True,
    read=read,
    unused=unused,
    size=size,
    make=lambda device, uuid, label: ("mkfs.xfs", "-q", "-m", f"uuid={uuid}", *labelled(label), device),
    grow=lambda _device, point, _number: ("xfs_growfs", point),
    label=lambda device, point, label: (
        ("xfs_io", "-c", f"label -s {label}" if label else "label -c", point)
        if point
        else ("xfs_admin", "-L", label or "--", device)
    ),
    shrinks="xfs cannot shrink; make a smaller one, and copy what this one holds",
)
