# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices carry a superblock of md or bcache, or a header of LUKS: read at every run, without a subprocess."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Union

from ..core.command import read_text
from ..core.errors import StorageError
from .bcache.superblock import BcacheSuperblock, bcache_superblock
from .blocks import open_device, read_aligned
from .devices import Device
from .luks.header import read_header
from .luks.state import Header
from .probe import each
from .raid import roles as raid_roles
from .raid.superblock import MdSuperblock, offset_1_0, superblock_0_90, superblock_1
from .sysfs import SYS, names_in

Superblock = Union[MdSuperblock, BcacheSuperblock, Header]


def made_of(kernel: str) -> str:
    """What the superblocks of its parts say that an array, or a bcache, is."""
    for part in names_in(f"{SYS}/{kernel}/slaves"):
        size = int(read_text(f"{SYS}/{part}/size") or 0) * 512
        try:
            block = read_superblock(f"/dev/{part.replace('!', '/')}", size)
        except OSError:
            continue
        if block:
            return f"{'md' if isinstance(block, MdSuperblock) else 'bcache'} {block.uuid}"
    return f"/dev/{kernel}"


def read_superblocks(
    devices: Mapping[str, Device],
) -> tuple[dict[str, Superblock], dict[tuple[str, str], str]]:
    """The superblocks of devices, by path, and of which and why they cannot be read."""

    def read_one(path: str) -> Superblock | None:
        if devices[path].silent:
            raise StorageError(devices[path].silent)
        return read_superblock(path, devices[path].size)

    found, failed = each("superblocks", devices, read_one)
    blocks = {path: superblock for path, superblock in found.items() if superblock}
    return {path: block for path, block in blocks.items() if not _is_of_an_upper(devices[path], block, blocks)}, failed


def read_superblock(path: str, size: int) -> Superblock | None:
    """Raises OSError where the device cannot be read."""
    if size < 65536:
        return None
    descriptor = open_device(path, direct=True)
    try:
        return read_members(descriptor, size)
    finally:
        os.close(descriptor)


def _is_of_an_upper(device: Device, block: Any, found: Mapping[str, Any]) -> bool:
    """Whether a superblock is seen through the device on which its own device lies.

    One at the end (metadata 0.90) may be that of the last partition or volume; what has several paths, or is mapped as
    it is, is seen through each of them.
    """
    uppers = [found.get(path) for path in (*device.partitions, *device.holders)]
    if isinstance(block, MdSuperblock):
        return any(
            isinstance(upper, MdSuperblock) and upper.uuid == block.uuid and raid_roles.same(upper, block)
            for upper in uppers
        )
    return any(upper is not None and type(upper) is type(block) and upper.uuid == block.uuid for upper in uppers)


def read_members(descriptor: int, size: int) -> Superblock | None:
    """The superblock of a device of that size, or its header, if it has one."""
    head = read_aligned(descriptor, 8192, 0)
    return (
        superblock_1(head[4096:], "1.2", 4096)
        or superblock_1(head, "1.1", 0)
        or superblock_1(read_aligned(descriptor, 4096, offset_1_0(size)), "1.0", offset_1_0(size))
        or superblock_0_90(read_aligned(descriptor, 4096, (size & ~0xFFFF) - 0x10000) if size >= 0x10000 else b"")
        # Beside a superblock at the end it is that of what lies on the array.
        or bcache_superblock(head[4096:])
        or read_header(head[:4096], lambda length, offset: read_aligned(descriptor, length, offset))
    )
