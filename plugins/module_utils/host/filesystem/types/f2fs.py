# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""f2fs (linux/f2fs_fs.h)."""

from __future__ import annotations

import os
import struct
import uuid

from ..state import Filesystem
from .base import FilesystemType

_MAGIC = 0xF2F52010


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 2048, 1024)
    if len(block) < 2048 or struct.unpack_from("<I", block, 0) != (_MAGIC,):
        return None
    (log_size,), (blocks,) = struct.unpack_from("<I", block, 16), struct.unpack_from("<Q", block, 36)
    return Filesystem(
        type="f2fs",
        uuid=str(uuid.UUID(bytes=block[108:124])),
        label=block[124:1148].decode("utf-16-le", errors="replace").partition("\0")[0],
        size=blocks << log_size,
        sector=1 << log_size,
    )


def unused(descriptor: int) -> bool:
    """The second checkpoint: mkfs.f2fs counts it as 0, and a kernel writes it first."""
    block = os.pread(descriptor, 2048, 1024)
    log_size, log_segment = struct.unpack_from("<II", block, 16)
    (checkpoints,) = struct.unpack_from("<I", block, 76)
    return os.pread(descriptor, 8, (checkpoints + (1 << log_segment)) << log_size) == bytes(8)


F2FS = FilesystemType(
    name="f2fs",
    least=64 << 20,
    floor=64 << 20,
    slack=0,
    longest=255,
    read=read,
    unused=unused,
    make=lambda device, uuid, label: (
        *("mkfs.f2fs", "-q", "-f", "-U", uuid),
        *(("-l", label) if label else ()),
        device,
    ),
    label=lambda device, _point, label: ("f2fslabel", device, label),
    label_mounted=False,
    # resize.f2fs wants it unmounted.
    grows=False,
    shrinks="f2fs cannot shrink; make a smaller one, and copy what this one holds",
    fsck_pass="2",
)
