# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logical volumes on the physical volumes of their group."""

from __future__ import annotations

from collections.abc import Iterator

from ..host import Host
from ..node import Node


def nodes(host: Host) -> Iterator[Node]:
    """Of the groups that were read: a tree is also drawn of hosts whose volume groups nobody asked for."""
    for group in host.lvm.groups if host.lvm else ():
        below = tuple(volume.device for volume in group.physical_volumes)
        for volume in group.volumes:
            name = f"{group.name}/{volume.name}"
            yield Node(volume.device or name, below, name, "lvm")
