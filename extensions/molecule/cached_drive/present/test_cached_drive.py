# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A RAID 6 behind a mirror of two SSDs, and a drive of two volumes on it."""

from __future__ import annotations

from typing import Any


def test_arrays(host: Any) -> None:
    levels = host.file("/proc/mdstat").content_string
    assert "raid6" in levels
    assert "raid1" in levels


def test_cache(host: Any) -> None:
    device = host.check_output("basename $(realpath /dev/bcache/by-label/data-cached)")
    assert "[writeback]" in host.file(f"/sys/block/{device}/bcache/cache_mode").content_string
    assert host.file(f"/sys/block/{device}/bcache/state").content_string.strip() in ("clean", "dirty")


def test_volumes(host: Any) -> None:
    assert sorted(host.check_output("lvs --noheadings --options lv_name").split()) == ["logs", "srv"]
    assert host.mount_point("/srv").filesystem == "xfs"
    assert host.mount_point("/srv/logs").filesystem == "ext4"
