# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a document: which item means which other, and in which order they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Callable, NamedTuple

from ..core.errors import StorageError


class Reference(NamedTuple):
    """A device as it is written, and where: ``raids: md0: devices[1]``."""

    text: str
    place: str


class Node(NamedTuple):
    """An item: its ``place`` in the document, the names that others know it by, and the devices that it is made of.

    ``mounts`` is where it is mounted: inside of that, others are mounted after it.
    """

    place: str
    names: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    mounts: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        return self.place.partition(":")[0]


def check_names(nodes: Iterable[Node]) -> dict[str, Node]:
    """The items by their names. Raises StorageError where two have one."""
    return _each_once(nodes, lambda node: node.names, "name")


def known_names(nodes: Iterable[Node]) -> dict[str, Node]:
    """The items by their names, and by section and name, for a host may have an array and a volume group of one name.

    Raises StorageError where two of one section have one name, and for a reference that may mean two items.
    """
    nodes = tuple(nodes)
    found: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.names:
            found.setdefault(name, []).append(node)
    known: dict[str, Node] = {}
    for name, named in found.items():
        by_section = {node.section: node for node in named}
        if len(by_section) < len(named) or ("disks" in by_section and len(named) > 1):
            check_names(node._replace(names=(name,)) for node in named)
        # A drive's own name is no device.
        devices = [node for node in named if node.section != "drives" or "/" in name] or named
        if len(devices) == 1:
            known[name] = devices[0]
        known.update({f"{section}: {name}": node for section, node in by_section.items()})
    for node in nodes:
        for reference in node.references:
            name = reference.text.partition("[")[0]
            if name in found and name not in known:
                places = " and ".join(f"{other.section}: {name}" for other in found[name])
                raise StorageError(f"{reference.place}: {name} may mean {places}; say which one with its section")
    return known


def _each_once(nodes: Iterable[Node], keys: Callable[[Node], tuple[str, ...]], what: str) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        for key in keys(node):
            if key in found:
                if found[key] is node:
                    raise StorageError(f"{key} is the {what} of two volumes of {node.place}")
                raise StorageError(f"{key} is the {what} of two items: {found[key].place} and {node.place}")
            found[key] = node
    return found


def in_order(nodes: tuple[Node, ...], known: Mapping[str, Node]) -> tuple[Node, ...]:
    """What an item is made of, or mounted in, before the item, else as written. Raises StorageError for a circle."""
    done: dict[str, Node] = {}
    path: list[Node] = []
    mounted = _each_once(nodes, lambda node: node.mounts, "mount_point")

    def visit(node: Node) -> None:
        if node.place in done:
            return
        if node in path:
            circle = " from ".join(other.place for other in (*path[path.index(node) :], node))
            raise StorageError(f"items are made of each other: {circle}")
        path.append(node)
        below = [known.get(reference.text) for reference in node.references]
        outer = [mounted.get(directory) for point in node.mounts for directory in _outer(point)]
        for other in below + [other for other in outer if other is not node]:
            if other is not None:
                visit(other)
        path.pop()
        done[node.place] = node

    for node in nodes:
        visit(node)
    return tuple(done.values())


def _outer(point: str) -> list[str]:
    """The directories that a directory is in: ``/srv/a/b`` is in ``/srv/a`` and ``/srv``."""
    parts = point.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts) - 1, 1, -1)]
