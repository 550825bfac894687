# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the region says that the machine has."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from region import get, node


def test_mirror() -> None:
    (raid,) = get(f"nodes/{node()['system_id']}/raids/")
    assert (raid["name"], raid["level"]) == ("md0", "raid-1")
    assert len(raid["devices"]) == 2


def test_volume() -> None:
    (group,) = get(f"nodes/{node()['system_id']}/volume-groups/")
    (volume,) = group["logical_volumes"]
    assert (group["name"], volume["name"]) == ("data", "data-srv")
    assert volume["filesystem"]["mount_point"] == "/srv"
