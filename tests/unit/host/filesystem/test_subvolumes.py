# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subvolumes of a btrfs as its disk has them: blocks of one that was made, changed and unmounted in the lab.

A kernel that has it mounted is asked in tests/integration/test_several_mounts.py.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import zlib
from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Subvolume
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.subvolumes import OnDisk, subvolumes

SUPERBLOCK = 0x10000
BLOCKS = {
    int(offset): zlib.decompress(base64.b64decode(text))
    for offset, text in json.loads((Path(__file__).parent / "recorded/btrfs.json").read_text()).items()
}


def reading(monkeypatch: pytest.MonkeyPatch, **changed: tuple[int, bytes]) -> tuple[Subvolume, ...]:
    """What is read where these bytes stand in the superblock, or in the block that is read after it."""
    after = next(offset for offset in BLOCKS if offset != SUPERBLOCK)
    blocks = dict(BLOCKS)
    for where, (place, data) in changed.items():
        offset = SUPERBLOCK if where == "superblock" else after
        blocks[offset] = blocks[offset][:place] + data + blocks[offset][place + len(data) :]
    monkeypatch.setattr(os, "pread", lambda _descriptor, size, offset: blocks[offset][:size])
    return subvolumes(OnDisk(0, "/dev/sdb"))


def test_a_disk_that_is_not_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading(monkeypatch) == (
        Subvolume(256, "a/b/c"),
        Subvolume(257, "a/b/c/d"),
        Subvolume(258, "@home", default=True),
        Subvolume(260, "@home/kept"),
    )


def test_metadata_that_is_not_whole_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    striped = (811 + 17 + 24, struct.pack("<Q", 0x2 | 0x8))
    with pytest.raises(StorageError, match="/dev/sdb: its btrfs has metadata that is not all on this device; mount it"):
        reading(monkeypatch, superblock=striped)


def test_a_block_that_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="/dev/sdb: its btrfs cannot be followed on the disk; mount it first"):
        reading(monkeypatch, block=(48, b"\0" * 8))
