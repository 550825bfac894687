# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device among those that it lies on."""

from __future__ import annotations

from typing import NamedTuple


class Node(NamedTuple):
    """What a layer makes of the devices ``below``.

    ``path`` is its device; of what does not run, its name. ``name`` is what the document calls it (empty: it cannot),
    ``type`` what the tree does (raid5, bcache writeback, lvm, part).
    """

    path: str
    below: tuple[str, ...]
    name: str = ""
    type: str = ""
