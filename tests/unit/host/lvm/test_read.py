# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LVM tells."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Unread
from ansible_collections.strata.storage.plugins.module_utils.host.lvm import read
from ansible_collections.strata.storage.plugins.module_utils.host.read import read_more

from ..hosts import a_host


@pytest.mark.parametrize(
    ("policy", "of_group", "most"),
    [
        ("normal", "contiguous", (None, 9)),
        ("inherit", "contiguous", (2, 9)),
        ("contiguous", "normal", (2, None)),
        ("cling", "normal", (5, None)),
        ("inherit", "anywhere", (None, None)),
    ],
)
def test_what_a_policy_of_allocation_leaves_a_volume(policy: str, of_group: str, most: tuple[int | None, ...]) -> None:
    """Of the volume, and of a new one, which has the group's policy; what is not allocatable is nobody's."""
    parts = [("/dev/sdb", 10, 2, ""), ("/dev/sdb", 0, 10, "srv"), ("/dev/sdb", 12, 1, "end"), ("/dev/sdb", 13, 3, "")]
    parts += [("/dev/sdc", 0, 9, ""), ("/dev/sdd", 0, 99, "")]
    names = ("pv_name", "pvseg_start", "pvseg_size", "lv_name")
    places = read._places({"pvseg": [dict(zip(names, part)) for part in parts]}, ["/dev/sdd"])
    group = {"vg_extent_size": "1", "vg_allocation_policy": of_group}
    assert (read._room("srv", policy, group, places), read._room("", of_group, group, places)) == most


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Cannot use /dev/sdb: device is rejected by filter config", "device is rejected by filter config"),
        ("Cannot use /dev/sdb: device is partitioned Failed to find physical volume", "device is partitioned"),
        ('Failed to find physical volume "/dev/sdb".', ""),
        ("Cannot use PV /dev/sdb in foreign VG data.", ""),
    ],
)
def test_what_lvm_says_of_a_device(said: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "ask_command", lambda argv, timeout: (5, "", said))
    host = read_more(a_host("/dev/sdb", rejections={}), Unread("rejections", ("/dev/sdb",)))
    assert host.rejection("/dev/sdb") == reason
