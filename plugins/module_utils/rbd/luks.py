# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LUKS headers, as librbd writes them at the begin of an image and cryptsetup does on a device."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Callable

#: librbd's numbers for the formats, and how many bytes it writes before the data.
FORMATS = {"luks1": 0, "luks2": 1}
HEADERS = {"luks1": 4 << 20, "luks2": 16 << 20}
#: librbd's number for any of them.
_ANY = 2
_MAGIC = struct.Struct(">6sH")
#: How a header begins; and that of a clone, whose data is encrypted otherwise where the clone has it from its parent.
_WHOLE, _LAYERED = b"LUKS\xba\xbe", b"RBDL\xba\xbe"
_SIZE = struct.Struct(">Q")
_SECTOR = 512
#: Where a header of version 1 says where the data begins, and where the area of version 2 is that says it.
_PAYLOAD, _AREA = 104, 4096


def header_of(read: Callable[[int, int], bytes]) -> tuple[str, int]:
    """The format of a header (empty: there is none), and where the data begins. ``read`` takes offset and length."""
    begin = read(0, _SECTOR)
    if len(begin) < _SECTOR:
        return "", 0
    magic, version = _MAGIC.unpack_from(begin)
    if magic not in (_WHOLE, _LAYERED) or version not in (1, 2):
        return "", 0
    if version == 1:
        (sectors,) = struct.unpack_from(">I", begin, _PAYLOAD)
        return "luks1", sectors * _SECTOR
    (size,) = _SIZE.unpack_from(begin, _MAGIC.size)
    try:
        area = json.loads(read(_AREA, size - _AREA).rstrip(b"\0"))
        return "luks2", min(int(segment["offset"]) for segment in area["segments"].values())
    except (ValueError, KeyError, TypeError):
        # It is one, and damaged.
        return "luks2", 0


def is_layered(begin: bytes) -> bool:
    """Whether an image that begins so is a clone with an encryption of its own."""
    return begin.startswith(_LAYERED)


def load(opened: Any, kind: str, passphrases: Sequence[str]) -> None:
    """Have librbd decrypt an image that it has open, by its own passphrase and those of its parents."""
    if not hasattr(opened, "encryption_load2"):
        opened.encryption_load(FORMATS[kind], passphrases[0])
        return
    own, *parents = (one.encode() for one in passphrases)
    opened.encryption_load2(((FORMATS[kind], own), *((_ANY, one) for one in parents)))
