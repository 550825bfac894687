# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks by what they are: which of a host's a document means."""

from __future__ import annotations

from collections.abc import Mapping

from ..document import disk
from ..document.disk import Candidate
from ..document.document import Document, Item, claims
from ..document.references import Node
from .devices import Content
from .host import Host
from .layers import layer_of
from .safety import describe_content, usage
from .unfinished import is_half_made


def choose(host: Host, document: Document, items: Mapping[Node, Item]) -> dict[str, tuple[str, ...]]:
    """The paths of the disks that each name stands for; what the document uses already comes first."""
    taken = claims(document, items, lambda node, role: layer_of(node.section).made_of(host, items[node], role))
    return disk.choose(document.disks, _candidates(host), taken)


def _candidates(host: Host) -> tuple[Candidate, ...]:
    facts = host.disk_facts()
    contents = host.readable(*facts)
    return tuple(
        Candidate(
            path=path,
            **disk._asdict(),
            size=host.devices[path].size,
            free=path in contents and not usage(host, host.devices[path]) and not contents[path].busy,
            holds=describe_content(contents[path]) if path in contents else "",
            begun=path in contents and (_is_empty_table(host, path, contents[path]) or is_half_made(host, path)),
            readable=path in contents,
            shown=f"{host.stable(path)} ({disk.serial})" if disk.serial else host.stable(path),
        )
        for path, disk in facts.items()
    )


def _is_empty_table(host: Host, path: str, content: Content) -> bool:
    """Whether a disk holds a partition table and nothing in it, as a task that was cut short leaves it."""
    found = [signature.type for signature in content.signatures]
    table = host.table(path) if found == ["gpt"] and not host.devices[path].partitions else None
    return table is not None and not table.parts
