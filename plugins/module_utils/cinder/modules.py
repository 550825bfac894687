# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module plans and returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import snapshot as snapshots, volume as volumes
from .task import Work


def volume(params: Mapping[str, Any]) -> Work:
    want = volumes.parse(params)
    return Work(
        f"of {want}",
        lambda array: volumes.plan(array, want),
        lambda array: volumes.facts(array, want),
        lambda array: volumes.diff(array, want),
    )


def snapshot(params: Mapping[str, Any]) -> Work:
    want = snapshots.parse(params)
    return Work(f"of {want}", lambda array: snapshots.plan(array, want), lambda array: snapshots.facts(array, want))
