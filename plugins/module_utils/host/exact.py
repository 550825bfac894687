# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode exact: what a document's sections do not name, and would lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.errors import Refused
from ..document.document import SECTIONS, Document, bound
from ..document.fold import check_others
from .graph import below
from .host import Host
from .layer import Found
from .layers import layer_of

#: Where what a host cannot do without is mounted.
_ROOT = ("/", "/boot", "/boot/efi", "/usr", "/var")


def others(host: Host, document: Document, where: dict[str, tuple[str, ...]]) -> tuple[dict[str, list[Found]], Host]:
    """What there is in the document's sections that it does not name, apart from what the root needs.

    By section, from the highest layer down.
    """
    needed = below(host, *(mount.device for mount in host.mounts if mount.mount_point in _ROOT))
    found = {}
    for section in [section for section in reversed(SECTIONS) if section in document.sections]:
        layer, items = layer_of(section), document.sections[section]
        named = {item.name for item in items} | {layer.called(host, bound(section, item, where)) for item in items}
        found[section] = [
            other for other in layer.present(host) if other.name not in named and not needed.intersection(other.devices)
        ]
    return found, host._replace(links={**{path: path for path in host.devices}, **host.links})


def check(host: Host, others: Mapping[str, Sequence[Found]], allow: tuple[str, ...]) -> None:
    """Raises Refused for all that is in use, or that may not go."""
    going = [(f"{section}: {other.name}", other) for section, found in others.items() for other in found]
    for place, other in going:
        for path in other.devices:
            points = host.mounted(path) or (("swap",) if path in host.swaps else ())
            if points:
                raise Refused(
                    f"{place} is not in the document, and mode exact would remove it, but {path} is in use "
                    f"({points[0]}). Name it in the document, or put it out of use first"
                )
    check_others([place for place, _other in going], allow)
