# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a host's storage, read back: as a document, and what nobody uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.errors import Unread
from ..core.plan_text import counted
from ..document.bcache import Bcache
from ..document.document import Item
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.partition import Partition
from ..document.raid import Raid
from ..document.tree import draw
from .bcache import plan as bcache
from .filesystem import plan as filesystem
from .filesystem.types import KINDS
from .findings import Finding
from .health import health
from .host import Host
from .lvm import plan as drive
from .partition import plan as partition
from .raid import plan as raid
from .safety import shows_another, usage
from .tree import names_of, tree

#: So many findings are named in a summary.
_TOLD = 3


class Found(NamedTuple):
    """An item that there is: what it is called, the word that takes it away, and the devices that it is, or has."""

    section: str
    name: str
    absent: Item
    devices: tuple[str, ...]


def found(host: Host) -> list[Found]:
    """All items, from the highest layer down."""
    filesystems = [
        Found("filesystems", host.stable(path), OnDevice(path, state="absent"), (path,)) for path in _filesystems(host)
    ]
    drives = [
        Found(
            "drives",
            group.name,
            Drive(group.name, state="absent"),
            tuple(volume.device for volume in group.volumes if volume.device),
        )
        for group in host.known_groups().groups
    ]
    bcaches = [
        Found("bcaches", backing.name, Bcache(backing.name, state="absent"), (backing.bcache,))
        for backing in host.backings
    ]
    raids = []
    for array in raid.listed(host):
        name = raid.name_of(host, array)
        raids.append(Found("raids", name, Raid(name, uuid=array.uuid, state="absent"), (array.device,)))
    partitions = [
        Found(
            "partitions",
            item["name"],
            Partition(item["name"], host.devices[doing["device"]].disk, state="absent"),
            (doing["device"],),
        )
        for item, doing in partition.survey(host)
    ]
    return [*filesystems, *drives, *bcaches, *raids, *partitions]


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
        "unused": free,
    }


def _summary(
    host: Host, layout: dict[str, list[dict[str, Any]]], findings: Sequence[Finding], free: list[dict[str, Any]]
) -> str:
    """A line for somebody who looks at many hosts."""
    disks = len({facts.wwn or path for path, facts in host.disk_facts().items()})
    parts = [f"{counted(disks, 'disk')}, {counted(len(free), 'device')} unused"]
    for section in ("raids", "bcaches", "drives"):
        names = [item["name"] for item in layout[section]]
        parts += [f"{section} {', '.join(names)}"] if names else []
    wrong = [found for found in findings if found.severity != "notice"]
    parts += [f"{found.severity}: {found.name or found.device} {found.problem}" for found in wrong[:_TOLD]]
    parts += [f"{len(wrong) - _TOLD} more findings"] if len(wrong) > _TOLD else []
    return "; ".join(parts if wrong else [*parts, "healthy"])


def _surveys(host: Host) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """The named items by section, each with how it does."""
    return {
        "partitions": partition.survey(host),
        "raids": raid.survey(host),
        "bcaches": bcache.survey(host),
        "drives": drive.survey(host),
    }


def document(host: Host) -> dict[str, list[dict[str, Any]]]:
    """What there is, in the words of the document; items call each other by name."""
    surveys = _surveys(host)
    names = {**names_of(host), **_with_sections(surveys)}
    sections = {section: [item for item, _status in known] for section, known in surveys.items()}
    sections["filesystems"] = list(_filesystems(host).values())
    return {section: [_by_name(host, item, names) for item in items] for section, items in sections.items()}


def _with_sections(surveys: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> dict[str, str]:
    """What the document calls the devices of items of which another section has one of the same name."""
    made = {section: known for section, known in surveys.items() if section != "drives"}
    names = [item["name"] for known in made.values() for item, _status in known]
    return {
        doing["device"]: f"{section}: {item['name']}"
        for section, known in made.items()
        for item, doing in known
        if doing["device"] and names.count(item["name"]) > 1
    }


def status(host: Host) -> dict[str, dict[str, Any]]:
    """How each item does, by section and name."""
    return {section: {item["name"]: doing for item, doing in known} for section, known in _surveys(host).items()}


def _by_name(host: Host, item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An item whose devices are called by the names of items, where they have one."""
    stable = {host.stable(path): name for path, name in names.items()}

    def called(value: Any) -> Any:
        if isinstance(value, list):
            return [called(part) for part in value]
        return stable.get(value, value) if isinstance(value, str) else value

    devices = ("device", "devices", "spare_devices", "write_mostly_devices", "backing_device", "cache_device")
    return {word: called(value) if word in devices else value for word, value in item.items() if value is not None}


def _filesystems(host: Host) -> dict[str, dict[str, Any]]:
    """Those that are no volume's and not the root's, by device; swap areas that are in use by fstab.

    Another swap area cannot be said as it is: the document's are in use. So mode exact leaves it alone too.
    """
    found = {}
    for path in _carriers(host):
        device, carried = host.devices[path], host.known_filesystems(path).get(path)
        item = filesystem.dump(host, device, carried) if carried else {}
        if item and carried and (carried.type != "swap" or "mount_options" in item):
            found[path] = item
    return found


def _carriers(host: Host) -> list[str]:
    """The devices of filesystems that are no volume's and not the root's, and of swap areas."""
    volumes = {volume.device for group in host.known_groups().groups for volume in group.volumes}
    plain = [
        device.path
        for device in host.devices.values()
        if device.path not in volumes and not shows_another(host, device) and not device.partitions and device.size
    ]
    held = host.readable(*plain)
    carrying = [path for path in held if any(signature.type in KINDS for signature in held[path].signatures)]
    found = host.known_filesystems(*carrying)
    return [path for path in carrying if found.get(path) and "/" not in host.mounted(path)]


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
        {"device": host.stable(path), "size": host.devices[path].size, **disk._asdict()}
        for path, disk in free.items()
        if path in held and not held[path].signatures and not held[path].busy
    ]
