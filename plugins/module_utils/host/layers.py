# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers by the sections of a document. Their imports are literal: only what stands in the source travels."""

from __future__ import annotations

from typing import Any

from ..document.document import SECTIONS
from .layer import Layer


def layer_of(section: str) -> Layer[Any]:
    """The layer of a section. Only those are loaded that a document has."""
    if section == "partitions":
        from .partition import plan as partition

        return partition
    if section == "raids":
        from .raid import plan as raid

        return raid
    if section == "bcaches":
        from .bcache import plan as bcache

        return bcache
    if section == "luks":
        from .luks import plan as luks

        return luks
    if section == "drives":
        from .lvm import plan as lvm

        return lvm
    from .filesystem import plan as filesystem

    return filesystem


def all_layers() -> dict[str, Layer[Any]]:
    """All, by section, from the lowest up."""
    return {section: layer_of(section) for section in SECTIONS}
