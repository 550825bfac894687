# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a host's storage, read back: as a document, and what nobody uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import Unread
from ..core.plan_text import counted
from ..core.text import printable
from ..document.document import UNNAMED
from ..document.tree import draw
from .devices import DiskFacts
from .findings import Finding
from .graph import names_of
from .health import health
from .host import Host
from .layer import Reported
from .layers import all_layers
from .safety import usage
from .tree import tree

#: So many findings are named in a summary.
_TOLD = 3


def everything(host: Host) -> dict[str, Any]:
    """What layout_info returns."""
    if host.spaces is None:
        raise Unread("spaces")
    layout, findings, branches, free = document(host), health(host, names_of(host)), tree(host), unused(host)
    return {
        "summary": _summary(host, layout, findings, free),
        "text": draw(branches),
        "layout": layout,
        "status": status(host),
        "tree": branches,
        "health": [found._asdict() for found in findings],
        "usage": _usage(host, host.spaces),
        "disks": _disks(host),
        "unused": free,
    }


def _usage(host: Host, spaces: Mapping[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """How full each filesystem is that is mounted, at the first place where it is."""
    names, seen, found = names_of(host), set[str](), []
    for mount in host.mounts:
        if mount.hidden or mount.mount_point not in spaces or mount.device in seen:
            continue
        seen.update(one.device for one in host.mounted_there(mount.mount_point))
        size, free = spaces[mount.mount_point]
        found.append(
            {
                "mount_point": mount.mount_point,
                "device": mount.device,
                "name": names.get(mount.device, mount.device),
                "type": mount.type,
                "size": size,
                "used": size - free,
                "free": free,
            }
        )
    return found


def _disks(host: Host) -> list[dict[str, Any]]:
    """All disks; one that has several paths is told of once."""
    facts = host.disk_facts()
    first = {disk.wwn or path: path for path, disk in reversed(list(facts.items()))}
    return [_disk(host, path, disk) for path, disk in facts.items() if first[disk.wwn or path] == path]


def _disk(host: Host, path: str, disk: DiskFacts) -> dict[str, Any]:
    return {"device": host.stable(path), "size": host.devices[path].size, **disk._asdict()}


def _summary(
    host: Host, layout: dict[str, list[dict[str, Any]]], findings: Sequence[Finding], free: list[dict[str, Any]]
) -> str:
    """A line for somebody who looks at many hosts."""
    parts = [f"{counted(len(_disks(host)), 'disk')}, {counted(len(free), 'device')} unused"]
    for section in ("raids", "bcaches", "luks", "drives"):
        names = [item["name"] for item in layout[section]]
        parts += [f"{section} {', '.join(names)}"] if names else []
    wrong = [found for found in findings if found.severity != "notice"]
    parts += [f"{found.severity}: {found.name or found.device} {found.problem}" for found in wrong[:_TOLD]]
    parts += [f"{len(wrong) - _TOLD} more findings"] if len(wrong) > _TOLD else []
    return printable("; ".join(parts if wrong else [*parts, "healthy"]))


def _surveys(host: Host) -> dict[str, list[Reported]]:
    """All items by section, each with how it does."""
    return {section: layer.survey(host) for section, layer in all_layers().items()}


def document(host: Host) -> dict[str, list[dict[str, Any]]]:
    """What there is, in the words of the document; items call each other by name."""
    surveys = _surveys(host)
    names = {**names_of(host), **_with_sections(surveys)}
    return {section: [_by_name(host, item, names) for item, _status in known] for section, known in surveys.items()}


def _with_sections(surveys: dict[str, list[Reported]]) -> dict[str, str]:
    """What the document calls the devices of items of which another section has one of the same name."""
    made = {section: known for section, known in surveys.items() if section not in ("drives", *UNNAMED)}
    names = [item["name"] for known in made.values() for item, _status in known]
    return {
        doing["device"]: f"{section}: {item['name']}"
        for section, known in made.items()
        for item, doing in known
        if doing["device"] and names.count(item["name"]) > 1
    }


def status(host: Host) -> dict[str, dict[str, Any]]:
    """How each item does that has a name, by section and name."""
    return {
        section: {item["name"]: doing for item, doing in known}
        for section, known in _surveys(host).items()
        if section not in UNNAMED
    }


def _by_name(host: Host, item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An item whose devices are called by the names of items, where they have one."""
    stable = {host.stable(path): name for path, name in names.items()}

    def called(value: Any) -> Any:
        if isinstance(value, list):
            return [called(part) for part in value]
        return stable.get(value, value) if isinstance(value, str) else value

    devices = ("device", "devices", "spare_devices", "write_mostly_devices", "backing_device", "cache_device")
    return {word: called(value) if word in devices else value for word, value in item.items() if value is not None}


def unused(host: Host) -> list[dict[str, Any]]:
    """Disks and partitions that are blank, and that nobody has open."""
    facts = host.disk_facts()
    free = {
        device.path: facts[device.disk or device.path]
        for device in host.devices.values()
        if (device.disk or device.path) in facts
        and not (not device.size or device.read_only or device.partitions or device.reserved or usage(host, device))
    }
    held = host.readable(*free)
    return [
        _disk(host, path, disk)
        for path, disk in free.items()
        if path in held and not held[path].signatures and not held[path].busy
    ]
