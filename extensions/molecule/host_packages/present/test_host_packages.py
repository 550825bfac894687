# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages are there, with what modules call."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    "package", ["mdadm", "bcache-tools", "lvm2", "fdisk", "xfsprogs", "btrfs-progs", "ceph-common"]
)
def test_package(host: Any, package: str) -> None:
    assert host.package(package).is_installed


@pytest.mark.parametrize("program", ["mdadm", "make-bcache", "lvm", "sfdisk", "mkfs.xfs", "mkfs.vfat", "rbd"])
def test_program(host: Any, program: str) -> None:
    assert host.run("PATH=$PATH:/sbin:/usr/sbin command -v %s", program).rc == 0
