# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bcaches on their backing devices, and on the caches that they share."""

from __future__ import annotations

from collections.abc import Iterator

from ..host import Host
from ..node import Node
from .state import set_of


def nodes(host: Host) -> Iterator[Node]:
    for backing in host.backings:
        cache_set = set_of(host.cache_sets, backing)
        below = (backing.device, *((cache_set.device,) if cache_set else ()))
        kind = f"bcache {backing.cache_mode}" if backing.cache_set else "bcache"
        yield Node(backing.bcache or backing.name, below, backing.name, kind)
