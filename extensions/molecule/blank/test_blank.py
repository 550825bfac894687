# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without any storage of ours: before a role, and after it was taken away again."""

from __future__ import annotations

import json
from typing import Any


def test_no_array(host: Any) -> None:
    assert "active" not in host.file("/proc/mdstat").content_string
    conf = host.file("/etc/mdadm/mdadm.conf").content_string
    assert not [line for line in conf.splitlines() if line.startswith("ARRAY")]


def test_no_cache(host: Any) -> None:
    assert host.run("ls /sys/block | grep bcache").stdout == ""
    assert host.run("find /sys/fs/bcache -mindepth 1 -type d").stdout == ""


def test_no_volume_group(host: Any) -> None:
    assert host.check_output("vgs --noheadings") == ""


def test_no_mount(host: Any) -> None:
    assert not host.mount_point("/srv").exists
    assert "/srv" not in host.file("/etc/fstab").content_string


def test_nothing_on_the_disks(host: Any) -> None:
    listed = json.loads(host.check_output("lsblk --json --nodeps --output PATH,SERIAL"))["blockdevices"]
    disks = sorted(disk["path"] for disk in listed if (disk["serial"] or "").startswith(("HDD", "SSD")))
    assert len(disks) == 8
    # A partition table stays when its last partition goes.
    assert set(host.check_output(f"wipefs --noheadings --output TYPE {' '.join(disks)}").split()) <= {"gpt", "PMBR"}
    assert sorted(host.check_output(f"lsblk --noheadings --output PATH {' '.join(disks)}").split()) == disks


def test_nothing_mapped(host: Any) -> None:
    assert host.run("ls /sys/bus/rbd/devices").stdout == ""
    assert "lab-data" not in host.run("cat /etc/ceph/rbdmap").stdout
