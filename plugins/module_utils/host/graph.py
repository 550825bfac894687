# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on what: the devices of a host, and what does not run, as nodes of which each layer tells its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .bcache import nodes as bcache
from .host import Host
from .luks import nodes as luks
from .lvm import nodes as lvm
from .node import Node
from .partition import nodes as partition
from .raid import nodes as raid


class Graph(NamedTuple):
    """The nodes by path, and for each path what lies on it."""

    nodes: Mapping[str, Node]
    above: Mapping[str, list[str]]


def graph(host: Host) -> Graph:
    """What the layers make, and what else holds devices."""
    nodes: dict[str, Node] = {}
    above: dict[str, list[str]] = {}
    made = (*partition.nodes(host), *raid.nodes(host), *bcache.nodes(host), *luks.nodes(host), *lvm.nodes(host))
    known = {node.path for node in made}
    held = [
        Node(holder, (device.path,))
        for device in host.devices.values()
        for holder in device.holders
        if holder in host.devices and holder not in known
    ]
    for node in (*made, *held):
        nodes.setdefault(node.path, node)
        for lower in node.below:
            if node.path not in above.setdefault(lower, []):
                above[lower].append(node.path)
    return Graph(nodes, above)


def names_of(host: Host) -> dict[str, str]:
    """What items call a device that an item is, or has."""
    return {path: node.name for path, node in graph(host).nodes.items() if node.name}


def below(host: Host, *paths: str) -> set[str]:
    """These devices and all that they are made of."""
    under: dict[str, list[str]] = {}
    for lower, uppers in graph(host).above.items():
        for upper in uppers:
            under.setdefault(upper, []).append(lower)
    reached: set[str] = set()
    left = list(paths)
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            left += under.get(path, [])
    return reached
