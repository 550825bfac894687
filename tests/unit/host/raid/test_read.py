# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel and the superblocks tell of arrays."""

from __future__ import annotations

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.raid import read
from ansible_collections.strata.storage.plugins.module_utils.host.raid.superblock import MdSuperblock


@pytest.mark.parametrize(
    ("states", "has_slot", "role"),
    [
        ("in_sync", True, "active"),
        ("in_sync,write_mostly", True, "active"),
        ("in_sync,want_replacement", True, "active"),
        ("spare,replacement", True, "replacing"),
        ("spare", True, "rebuilding"),
        ("spare", False, "spare"),
        ("faulty,want_replacement", False, "faulty"),
        ("journal", False, "journal"),
    ],
)
def test_the_role_of_a_member(states: str, has_slot: bool, role: str) -> None:
    assert read._role(states.split(","), has_slot) == role


@pytest.mark.parametrize(("metadata", "events"), [("1.2", 0), ("0.90", 1)])
def test_an_array_that_nobody_wrote_to_has_the_events_that_mdadm_counts(metadata: str, events: int) -> None:
    one = MdSuperblock("u", "md0", "5", 3, 0, "", metadata, "none", "active", 0, events)
    assert read._stopped({"/dev/sdb": one, "/dev/sdc": one}).unused
    assert not read._stopped({"/dev/sdb": one, "/dev/sdc": one._replace(events=events + 1)}).unused
