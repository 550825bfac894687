# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ext3: an ext4 without extents, by the features that it is made with."""

from __future__ import annotations

from .base import labelled
from .ext4 import EXT4

EXT3 = EXT4._replace(
    name="ext3",
    known_as=("auto", "ext4"),
    make=lambda device, uuid, label: ("mkfs.ext3", "-q", "-U", uuid, *labelled(label), device),
)
