# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of network volumes on a host."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.host.devices import Device
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.usage import find

from ..hosts import a_host, disks

LINK = "/dev/disk/by-id/google-data"


def test_a_volume_is_found_by_the_link_that_its_provider_knows() -> None:
    """It is told by the path that survives a reboot."""
    host = a_host(*disks("b"))
    volume = {"id": "data", "device": LINK}
    assert find(host, [volume]) == {}
    there = host.with_device(Device("/dev/sdc", size=10 << 30, link="/dev/disk/by-id/scsi-0data"), LINK)
    assert find(there, [volume]) == {"data": "/dev/disk/by-id/scsi-0data"}


def test_a_volume_that_has_a_path_of_its_own_is_found_by_that() -> None:
    host = a_host(*disks("b"))
    assert find(host, [{"id": "one", "device": "/dev/sdb"}, {"id": "two", "device": "/dev/sdx"}]) == {
        "one": host.stable("/dev/sdb")
    }
