# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The region says that the machine has its disks, and nothing on them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from region import get, node


def test_nothing() -> None:
    system_id = node()["system_id"]
    for kind in ("raids", "bcaches", "bcache-cache-sets", "volume-groups"):
        assert get(f"nodes/{system_id}/{kind}/") == []
