# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcache's superblocks (linux/bcache.h)."""

from __future__ import annotations

import struct
import uuid
from typing import NamedTuple

_BCACHE_MAGIC = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
_BCACHE_MODES = ("writethrough", "writeback", "writearound", "none")
_BCACHE_STATES = ("no cache", "clean", "dirty", "inconsistent")
_BACKING_VERSIONS = (1, 4, 6)
_BACKING_OFFSET = 16


class BcacheSuperblock(NamedTuple):
    """Of a backing device (``backing``), whose data begins at ``offset``, or of a cache; sizes in bytes."""

    backing: bool
    uuid: str
    set_uuid: str
    label: str
    block_size: int
    bucket_size: int
    cache_mode: str
    state: str
    offset: int = 0


def bcache_superblock(block: bytes) -> BcacheSuperblock | None:
    if block[24:40] != _BCACHE_MAGIC:
        return None
    (version,) = struct.unpack_from("<Q", block, 16)
    backing = version in _BACKING_VERSIONS
    (flags,) = struct.unpack_from("<Q", block, 104)
    (first_sector,) = struct.unpack_from("<Q", block, 184)
    block_sectors, bucket_sectors = struct.unpack_from("<HH", block, 192)
    mode, state = flags & 0xF, flags >> 61 & 3
    return BcacheSuperblock(
        backing=backing,
        uuid=str(uuid.UUID(bytes=block[40:56])),
        set_uuid=str(uuid.UUID(bytes=block[56:72])),
        label=block[72:104].split(b"\0", 1)[0].decode(errors="replace"),
        block_size=block_sectors << 9,
        bucket_size=0 if backing else bucket_sectors << 9,
        cache_mode=_BCACHE_MODES[mode] if backing and mode < len(_BCACHE_MODES) else "",
        state=_BCACHE_STATES[state] if backing else "",
        offset=(_BACKING_OFFSET if version == 1 else first_sector) << 9 if backing else 0,
    )
