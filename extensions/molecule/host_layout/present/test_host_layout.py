# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition as the cache of a mirror, encrypted, and a drive on that."""

from __future__ import annotations

from typing import Any


def test_array(host: Any) -> None:
    assert "active raid1" in host.file("/proc/mdstat").content_string


def test_partition_is_the_cache(host: Any) -> None:
    disk = host.check_output("lsblk --nodeps --noheadings --output PATH,SERIAL | grep SSD1").split()[0]
    assert host.check_output("lsblk --noheadings --output PARTLABEL %s1", disk).split()[0] == "cache"
    assert host.check_output("wipefs --noheadings --output TYPE %s1", disk) == "bcache"


def test_container_is_below_the_drive(host: Any) -> None:
    assert (
        host.check_output("cryptsetup luksUUID /dev/bcache/by-label/cached")
        in host.file("/etc/crypttab").content_string
    )
    assert host.check_output("pvs --noheadings --options pv_name").strip() == "/dev/mapper/vault"


def test_drive(host: Any) -> None:
    assert host.check_output("lvs --noheadings --units m --nosuffix --options lv_size").strip() == "200.00"
    assert host.mount_point("/srv").filesystem == "ext4"
