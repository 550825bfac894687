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
from .layout import planner
from .safety import usage
from .state import Host
from .unfinished import is_half_made


def choose(host: Host, document: Document, items: Mapping[Node, Item]) -> dict[str, tuple[str, ...]]:
    """The paths of the disks that each name stands for; what the document uses already comes first."""
    taken = claims(document, items, lambda item, role: planner(item).made_of(host, item, role))
    return disk.choose(document.disks, _candidates(host), taken)


def _candidates(host: Host) -> tuple[Candidate, ...]:
    facts = host.disk_facts()
    contents = host.content(*facts)
    return tuple(
        Candidate(
            path=path,
            **disk._asdict(),
            size=host.devices[path].size,
            free=not usage(host, host.devices[path]) and not contents[path].busy,
            blank=not contents[path].signatures or is_half_made(host, path),
        )
        for path, disk in facts.items()
    )
