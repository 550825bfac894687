# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files whose every kilobyte says what it belongs to: so they are found on disks that nobody can mount any more."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAGIC = b"\xf5fuzzed\xf5"
#: Magic, file, version, number of this block, how many there are; then a checksum of all before and behind it.
_HEAD = struct.Struct("<8sIIII")
_BLOCK = 1024
BLOCKS = 256


class Version(NamedTuple):
    """One content of a file, by numbers."""

    file: int
    version: int

    @property
    def name(self) -> str:
        return f"fuzz-{self.file}"

    def content(self) -> bytes:
        """All of it: 256 KiB."""
        chance = random.Random(f"{self.file} {self.version}")
        return b"".join(self._block(index, chance) for index in range(BLOCKS))

    def _block(self, index: int, chance: random.Random) -> bytes:
        head = _HEAD.pack(MAGIC, self.file, self.version, index, BLOCKS)
        body = chance.randbytes(_BLOCK - _HEAD.size - 4)
        return head + struct.pack("<I", zlib.crc32(head + body)) + body


def found_on(paths: list[Path]) -> set[Version]:
    """The versions of which every block is on at least one of these disks."""
    seen: dict[Version, set[int]] = {}
    for path in paths:
        for version, index in _blocks(path):
            seen.setdefault(version, set()).add(index)
    return {version for version, blocks in seen.items() if len(blocks) == BLOCKS}


def holds(path: Path) -> set[Version]:
    """The versions of which any block is on a disk."""
    return {version for version, _index in _blocks(path)}


def _blocks(path: Path) -> Iterator[tuple[Version, int]]:
    for data in _extents(path):
        place = data.find(MAGIC)
        while place >= 0:
            block = data[place : place + _BLOCK]
            if len(block) == _BLOCK:
                head, body = block[: _HEAD.size], block[_HEAD.size + 4 :]
                (checksum,) = struct.unpack_from("<I", block, _HEAD.size)
                if zlib.crc32(head + body) == checksum:
                    _magic, file, version, index, _count = _HEAD.unpack(head)
                    yield Version(file, version), index
            place = data.find(MAGIC, place + 1)


def _extents(path: Path) -> Iterator[bytes]:
    """What a sparse file has, piece by piece."""
    with path.open("rb", buffering=0) as file:
        size, place = os.fstat(file.fileno()).st_size, 0
        while place < size:
            try:
                start = os.lseek(file.fileno(), place, os.SEEK_DATA)
            except OSError:
                return
            place = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            yield os.pread(file.fileno(), place - start, start)
