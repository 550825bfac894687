# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What librbd keeps in omaps, as a cluster of Ceph 16.2 wrote it."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.rbd.omap import group_snapshot

#: A group's snapshot s1 of two images of pool 1.
RECORDED = bytes.fromhex(
    "010166000000"
    "0c000000313031353332376232336336"
    "020000007331"
    "01"
    "02000000"
    "0101200000000100000000000000"
    "0c000000313031353337393131356465"
    "0400000000000000"
    "01011f0000000100000000000000"
    "0b0000003130313566663765336438"
    "0500000000000000"
)


def test_what_a_snapshot_of_a_group_holds() -> None:
    held = ("s1", ((1, "1015379115de"), (1, "1015ff7e3d8")))
    assert group_snapshot(RECORDED) == held
    # A newer version has more fields at the end, and says that it can be read as an older one.
    assert group_snapshot(b"\x02\x01" + RECORDED[2:] + b"more") == held


def test_what_is_too_new_to_be_read_is_said() -> None:
    with pytest.raises(StorageError, match="newer than what this module reads"):
        group_snapshot(b"\x02\x02" + RECORDED[2:])
