# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode exact: what a document's sections do not name, and would lose."""

from __future__ import annotations

from ..core.errors import Refused
from ..document.document import Document, bound, resolve
from ..document.raid import Raid
from . import survey
from .host import Host
from .raid import plan as raid
from .survey import Found
from .tree import below

#: Where what a host cannot do without is mounted.
_ROOT = ("/", "/boot", "/boot/efi", "/usr", "/var")


def others(host: Host, document: Document, where: dict[str, tuple[str, ...]]) -> tuple[list[Found], Host]:
    """What there is in the document's sections that it does not name, apart from what the root needs."""
    named = {(section, item.name) for section, items in document.sections.items() for item in items}
    for item in document.sections.get("filesystems", ()):
        named |= {
            ("filesystems", host.stable(device.path))
            for path in resolve(item.name, where)
            if (device := host.find(path))
        }
    # By whatever the document calls them.
    partitions = {
        path for item in document.sections.get("partitions", ()) for path in where[f"partitions: {item.name}"]
    }
    for item in document.sections.get("raids", ()):
        meant = bound("raids", item, where)
        array = raid.find(host, meant) if isinstance(meant, Raid) else None
        named |= {("raids", raid.name_of(host, array))} if array else set()
    needed = below(host, *(mount.device for mount in host.mounts if mount.mount_point in _ROOT))
    found = [
        other
        for other in survey.found(host)
        if other.section in document.sections
        and (other.section, other.name) not in named
        and not needed.intersection(other.devices)
        and not (other.section == "partitions" and partitions.intersection(other.devices))
    ]
    return found, host._replace(links={**{path: path for path in host.devices}, **host.links})


def check(host: Host, others: list[Found], allow: tuple[str, ...]) -> None:
    """Raises Refused for all that is in use, or that may not go."""
    for other in others:
        for path in other.devices:
            points = host.mounted(path) or (("swap",) if path in host.swaps else ())
            if points:
                raise Refused(
                    f"{other.section}: {other.name} is not in the document, and mode exact would remove it, but {path} "
                    f"is in use ({points[0]}). Name it in the document, or put it out of use first"
                )
    refused = [
        f"{other.section}: {other.name}"
        for other in others
        if other.name not in allow and f"{other.section}: {other.name}" not in allow
    ]
    if refused:
        raise Refused(
            f"not in the document, and mode exact would remove: {', '.join(refused)}. Name them in the document, or "
            "add them to allow_destroy"
        )
