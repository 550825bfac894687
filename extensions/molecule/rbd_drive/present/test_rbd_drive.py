# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of the cluster, mapped, with a mounted drive on it."""

from __future__ import annotations

from typing import Any


def test_mapped_now_and_at_boot(host: Any) -> None:
    assert host.check_output("cat /sys/bus/rbd/devices/*/name") == "lab-data"
    assert "rbd/lab-data" in host.file("/etc/ceph/rbdmap").content_string
    assert host.service("rbdmap").is_enabled


def test_drive(host: Any) -> None:
    assert host.check_output("pvs --noheadings --options pv_name").split()[0] in ("/dev/rbd0", "/dev/rbd/rbd/lab-data")
    mounted = host.mount_point("/srv")
    assert mounted.filesystem == "ext4"
    assert "_netdev" in host.file("/etc/fstab").content_string
