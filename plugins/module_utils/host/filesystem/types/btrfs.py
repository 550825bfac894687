# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""btrfs (linux/btrfs_tree.h)."""

from __future__ import annotations

import glob
import os
import struct
import uuid

from ....core.command import read_text
from ...sysfs import names_in
from ..state import Filesystem
from .base import FilesystemType, ask, labelled

#: Where the superblock has what its device is: number, size.
_DEVICE = 201
_SEED = 1 << 32


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 4096, 0x10000)
    if block[64:72] != b"_BHRfS_M":
        return None
    # The item of this device is inside the superblock; with one device it spans what the filesystem does.
    number, size = struct.unpack_from("<QQ", block, _DEVICE)
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
        seed=bool(flags & _SEED),
        # Of one device there is none to compare it with.
        generation=generation if devices > 1 else 0,
    )


def unused(descriptor: int) -> bool:
    """Roots of the log tree, and of the tree of UUIDs in the generation that a kernel checked it in."""
    block = os.pread(descriptor, 4096, 0x10000)
    return struct.unpack_from("<Q", block, 96) == (0,) and struct.unpack_from("<Q", block, 563) == (0,)


def size(mount_point: str, number: int) -> int:
    """What it has of one of its devices: those that were taken out and put in leave gaps in the numbers."""
    info = bytearray(4096)
    struct.pack_into("=Q", info, 0, number)
    return int(struct.unpack_from("=Q", ask(mount_point, 0xD000941E, info), 32)[0])  # BTRFS_IOC_DEV_INFO


def mounted(kernel: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A btrfs of several devices shows only one of them as mounted."""
    for members in glob.glob("/sys/fs/btrfs/*/devices"):
        kernels = names_in(members)
        if kernel in kernels:
            return tuple(kernels), _errors(os.path.dirname(members))
    return (), ()


def _errors(base: str) -> tuple[str, ...]:
    """What a btrfs counted on its devices, and which of them it misses."""
    said: tuple[str, ...] = ()
    for number in names_in(f"{base}/devinfo"):
        if read_text(f"{base}/devinfo/{number}/missing") == "1":
            said += (f"its device {number} is missing",)
        stats = [line.split() for line in read_text(f"{base}/devinfo/{number}/error_stats").splitlines()]
        counted = [f"{count} {name}" for name, count in stats if count != "0"]
        if counted:
            said += (f"{' and '.join(counted)} on its device {number}",)
    return said


BTRFS = FilesystemType(
    name="btrfs",
    least=128 << 20,
    floor=256 << 20,
    slack=0,
    longest=255,
    read=read,
    unused=unused,
    size=size,
    make=lambda device, uuid, label: ("mkfs.btrfs", "--quiet", "--uuid", uuid, *labelled(label), device),
    grow=lambda _device, point, number: ("btrfs", "filesystem", "resize", f"{number}:max", point),
    label=lambda device, point, label: ("btrfs", "filesystem", "label", point or device, label),
    shrinks="online",
    shrink=lambda _device, point, size, number: ("btrfs", "filesystem", "resize", f"{number}:{size}", point),
    mounted=mounted,
    takes_back=True,
    # The kernel gives it no new size below this, in either direction.
    grows_to=256 << 20,
)
