# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules for a host say of a plan."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan, Step
from ansible_collections.strata.storage.plugins.module_utils.host.task import in_names

from .hosts import a_host, disk

HOST = a_host(
    disk("/dev/sdb"),
    disk("/dev/dm-3", link="/dev/mapper/vault"),
    disk("/dev/dm-30", link="/dev/mapper/other"),
    disk("/dev/rbd0", link="/dev/rbd/vms/web1"),
)


def test_devices_are_called_by_names_that_people_know() -> None:
    step = Step(
        "empty", "drive", "data", "/dev/dm-3, moving 1 GiB to /dev/dm-30 /dev/sdb", (), destroys=("/dev/rbd0: xfs",)
    )
    plan = in_names(HOST, lambda: Plan((step,), HOST, warnings=("/dev/dm-3 is a copy",), pending=("/dev/dm-4",)))
    assert plan.steps[0].detail == "/dev/mapper/vault, moving 1 GiB to /dev/mapper/other /dev/sdb"
    assert plan.steps[0].destroys == ("/dev/rbd/vms/web1: xfs",)
    assert plan.warnings == ("/dev/mapper/vault is a copy",)
    assert plan.pending == ("/dev/dm-4",)


def test_so_they_are_in_errors() -> None:
    def refuse() -> Plan:
        raise Refused("luks vault: /dev/dm-3 is in use")

    with pytest.raises(Refused, match="luks vault: /dev/mapper/vault is in use"):
        in_names(HOST, refuse)
