# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The superblocks of filesystems (fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h, linux/btrfs_tree.h) and of swap areas."""

from __future__ import annotations

import fcntl
import os
import struct
import uuid

from ..blocks import open_device
from .state import Filesystem

#: Where the superblock of a btrfs has what its device is: number, size.
_BTRFS_DEVICE = 201
_BTRFS_SEED = 1 << 32


def read_filesystem(path: str, mount_point: str = "") -> Filesystem | None:
    """The ext4, xfs or btrfs filesystem, or the swap area, on a device, if there is one.

    Of a mounted one the kernel is asked for the size: its superblock on the disk may be behind.
    """
    descriptor = open_device(path)
    try:
        found = (
            _ext(os.pread(descriptor, 1024, 1024))
            or _xfs(os.pread(descriptor, 512, 0))
            or _btrfs(btrfs := os.pread(descriptor, 4096, 0x10000))
            or _swap(os.pread(descriptor, 4096, 0))
        )
    finally:
        os.close(descriptor)
    if found and mount_point and found.type == "xfs":
        return found._replace(size=_xfs_size(mount_point))
    if found and mount_point and found.type == "btrfs":
        return found._replace(size=_btrfs_size(mount_point, *struct.unpack_from("<Q", btrfs, _BTRFS_DEVICE)))
    return found


def is_unused(path: str) -> bool:
    """Whether no kernel has mounted the filesystem on a device for writing since it was made, or it was never finished.

    A swap area is always unused, for it holds nothing that lasts.
    """
    descriptor = open_device(path)
    try:
        ext, xfs = os.pread(descriptor, 1024, 1024), os.pread(descriptor, 512, 0)
        btrfs, swap = os.pread(descriptor, 4096, 0x10000), os.pread(descriptor, 4096, 0)
        if _ext(ext):
            # When it was mounted last, and how often.
            return struct.unpack_from("<I", ext, 44) == (0,) and struct.unpack_from("<H", ext, 52) == (0,)
        if _xfs(xfs):
            # What mkfs.xfs marks as in progress until it ends; then its log, where each mount leaves something.
            return xfs[126] == 1 or _is_first_log(descriptor, xfs)
        if _btrfs(btrfs):
            # Roots of the log tree, and of the tree of UUIDs in the generation that a kernel checked it in.
            return struct.unpack_from("<Q", btrfs, 96) == (0,) and struct.unpack_from("<Q", btrfs, 563) == (0,)
        return _swap(swap) is not None
    finally:
        os.close(descriptor)


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


def _ext(block: bytes) -> Filesystem | None:
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


def _xfs(block: bytes) -> Filesystem | None:
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


def _btrfs(block: bytes) -> Filesystem | None:
    if block[64:72] != b"_BHRfS_M":
        return None
    # The item of this device is inside the superblock; with one device it spans what the filesystem does.
    number, size = struct.unpack_from("<QQ", block, _BTRFS_DEVICE)
    (sector,) = struct.unpack_from("<I", block, 144)
    (generation,), (devices,) = struct.unpack_from("<Q", block, 72), struct.unpack_from("<Q", block, 136)
    (flags,) = struct.unpack_from("<Q", block, 56)
    return Filesystem(
        type="btrfs",
        uuid=str(uuid.UUID(bytes=block[32:48])),
        label=block[299:555].split(b"\0", 1)[0].decode(errors="replace"),
        size=size,
        sector=sector,
        devices=devices,
        number=number,
        seed=bool(flags & _BTRFS_SEED),
        # Of one device there is none to compare it with.
        generation=generation if devices > 1 else 0,
    )


def _swap(block: bytes) -> Filesystem | None:
    if block[4086:4096] != b"SWAPSPACE2":
        return None
    (last_page,) = struct.unpack_from("=I", block, 1028)
    return Filesystem(
        type="swap",
        uuid=str(uuid.UUID(bytes=block[1036:1052])),
        label=block[1052:1068].split(b"\0", 1)[0].decode(errors="replace"),
        size=(last_page + 1) << 12,
    )


def _xfs_size(mount_point: str) -> int:
    geometry = _ask(mount_point, 0x80705864, bytearray(112))  # XFS_IOC_FSGEOMETRY_V1
    (block_size,) = struct.unpack_from("=I", geometry, 0)
    (blocks,) = struct.unpack_from("=Q", geometry, 32)
    return int(block_size * blocks)


def _btrfs_size(mount_point: str, device: int) -> int:
    """What it has of one of its devices: those that were taken out and put in leave gaps in the numbers."""
    info = bytearray(4096)
    struct.pack_into("=Q", info, 0, device)
    return int(struct.unpack_from("=Q", _ask(mount_point, 0xD000941E, info), 32)[0])  # BTRFS_IOC_DEV_INFO


def _ask(mount_point: str, what: int, buffer: bytearray) -> bytearray:
    """What a filesystem says to an ioctl. Raises OSError."""
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, what, buffer)
    finally:
        os.close(descriptor)
    return buffer
