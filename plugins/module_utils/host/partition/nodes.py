# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions on their disks."""

from __future__ import annotations

from collections.abc import Iterator

from ...document.partition import can_be_named
from ..host import Host
from ..node import Node


def names(host: Host) -> dict[str, str]:
    """What partitions are called that have a name of their own, and one that a document can have."""
    every = [device.part_name for device in host.devices.values()]
    return {
        device.path: device.part_name
        for device in host.devices.values()
        if can_be_named(device.part_name) and every.count(device.part_name) == 1
    }


def nodes(host: Host) -> Iterator[Node]:
    named = names(host)
    for device in host.devices.values():
        if device.disk:
            yield Node(device.path, (device.disk,), named.get(device.path, ""), "part")
