# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides print as said by a module is what it says."""

from __future__ import annotations

import json

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core import plan_text
from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.module_utils.core.plan import dump_steps
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid
from tests.examples import blocks
from tests.unit.host.hosts import DEBIAN, EXT4, a_host, disk, disks, settle

LAST = disk("/dev/sdd", link="/dev/disk/by-id/ata-ST4000VN008_WDH00003")
BLANK = a_host(*disks("bc"), LAST, boot=DEBIAN)
WANTED = Raid(name="md0", level="5", devices=("/dev/sdb", "/dev/sdc", "/dev/sdd"))
PLAN, STEP, HOLDS, MOUNTED = [
    block.text for block in blocks("docs/guides/first-array.md") if block.language in ("text", "json")
]


def test_the_plan() -> None:
    steps = settle(raid, BLANK, WANTED).steps
    assert plan_text.draw("web1", {"plan": dump_steps(steps)}) == PLAN
    assert steps[2].dump() == json.loads(STEP)


def test_the_refusals() -> None:
    with pytest.raises(Refused) as refused:
        raid.plan(BLANK.with_content("/dev/sdd", EXT4), WANTED, False)
    assert str(refused.value) == HOLDS.strip()
    mounted = BLANK._replace(mounts=(Mount("/dev/sdc", "/srv", "ext4", "rw"),))
    with pytest.raises(Refused) as refused:
        raid.plan(mounted, WANTED, True)
    assert str(refused.value) == MOUNTED.strip()
