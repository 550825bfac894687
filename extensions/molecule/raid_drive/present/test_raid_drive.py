# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A RAID 5 with a spare, and a mounted drive on it."""

from __future__ import annotations

import re
from typing import Any


def test_array(host: Any) -> None:
    told = host.check_output("mdadm --detail /dev/md/data-array")
    assert "Raid Level : raid5" in told
    assert "Active Devices : 3" in told
    assert "Spare Devices : 1" in told
    # Active for a moment after each write, of which xfs does some by itself.
    assert re.search(r"(?m)^ *State : (clean|active) *$", told), told


def test_array_keeps_its_name(host: Any) -> None:
    conf = host.file("/etc/mdadm/mdadm.conf").content_string
    assert [line.split()[1] for line in conf.splitlines() if line.startswith("ARRAY")] == ["/dev/md/data-array"]


def test_drive(host: Any) -> None:
    assert host.check_output("lvs --noheadings --options vg_name,lv_name").split() == ["data", "data"]
    mounted = host.mount_point("/srv")
    assert mounted.exists
    assert mounted.filesystem == "xfs"
    assert "noatime" in mounted.options
    assert "/srv xfs noatime" in host.file("/etc/fstab").content_string
