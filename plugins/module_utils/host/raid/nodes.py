# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays on their members."""

from __future__ import annotations

from collections.abc import Iterator

from ..boot import array_name
from ..host import Host
from ..node import Node


def nodes(host: Host) -> Iterator[Node]:
    for array in host.arrays:
        name = array_name(host, array)
        members = tuple(member.device for member in array.members if member.role != "former")
        kind = f"raid{array.level}" if array.level.isdigit() else array.level
        yield Node(array.device or name, members, name, kind)
