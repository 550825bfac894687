# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap areas."""

from __future__ import annotations

import os
import struct
import uuid

from ..state import Filesystem
from .base import FilesystemType, labelled


def read(descriptor: int) -> Filesystem | None:
    block = os.pread(descriptor, 4096, 0)
    if block[4086:4096] != b"SWAPSPACE2":
        return None
    (last_page,) = struct.unpack_from("=I", block, 1028)
    return Filesystem(
        type="swap",
        uuid=str(uuid.UUID(bytes=block[1036:1052])),
        label=block[1052:1068].split(b"\0", 1)[0].decode(errors="replace"),
        size=(last_page + 1) << 12,
    )


SWAP = FilesystemType(
    name="swap",
    least=1 << 20,
    floor=1 << 20,
    slack=0,
    longest=15,
    read=read,
    # It holds nothing that lasts.
    unused=lambda _descriptor: True,
    make=lambda device, uuid, label: ("mkswap", "--uuid", uuid, *labelled(label), device),
    grow=lambda device, _point, _number: ("mkswap", device),
    label=lambda device, _point, label: ("swaplabel", "-L", label, device),
    shrinks="anew",
)
