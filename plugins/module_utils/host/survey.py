# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a host's storage: as a document, as a tree, what is wrong with it, and what nobody uses."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.errors import Unread
from ..document.bcache import Bcache
from ..document.document import Item
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.partition import Partition
from ..document.raid import Raid
from ..document.sizes import show_size
from ..document.tree import draw
from . import bcache, drive, filesystem, partition, raid
from .bcache_attach import set_of
from .kinds import KINDS
from .safety import describe, usage
from .state import Array, Backing, Device, Group, Host

#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90


class Finding(NamedTuple):
    """Something that is wrong, or on its way: ``problem`` is one of degraded, syncing, dirty, no cache, nearly full."""

    device: str
    name: str
    problem: str
    detail: str


class Found(NamedTuple):
    """An item that there is: what it is called, the word that takes it away, and the devices that it is, or has."""

    section: str
    name: str
    absent: Item
    devices: tuple[str, ...]


def found(host: Host) -> list[Found]:
    """All items, from the highest layer down."""
    filesystems = [
        Found("filesystems", host.stable(path), OnDevice(path, state="absent"), (path,)) for path in _carriers(host)
    ]
    drives = [
        Found(
            "drives",
            group.name,
            Drive(group.name, state="absent"),
            tuple(volume.device for volume in group.volumes if volume.device),
        )
        for group in host.groups().groups
    ]
    bcaches = [
        Found("bcaches", backing.name, Bcache(backing.name, state="absent"), (backing.bcache,))
        for backing in host.backings
    ]
    raids = []
    for array in host.arrays:
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


def below(host: Host, *paths: str) -> set[str]:
    """These devices and all that they are made of."""
    under: dict[str, list[str]] = {}
    for lower, uppers in _above(host).items():
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


def everything(host: Host) -> dict[str, Any]:
    """What layout_info returns."""
    if host.spaces is None:
        raise Unread("spaces")
    return {
        "layout": document(host),
        "status": status(host),
        "tree": tree(host),
        "health": [found._asdict() for found in health(host)],
        "unused": unused(host),
    }


def document(host: Host) -> dict[str, list[dict[str, Any]]]:
    """What there is, in the words of the document; items call each other by name."""
    names = _names(host)
    sections = {
        "partitions": [item for item, _status in partition.survey(host)],
        "raids": [item for item, _status in raid.survey(host)],
        "bcaches": [item for item, _status in bcache.survey(host)],
        "drives": [item for item, _status in drive.survey(host)],
        "filesystems": _filesystems(host),
    }
    return {section: [_by_name(host, item, names) for item in items] for section, items in sections.items()}


def status(host: Host) -> dict[str, dict[str, Any]]:
    """How each item does, by section and name."""
    surveys = {
        "partitions": partition.survey(host),
        "raids": raid.survey(host),
        "bcaches": bcache.survey(host),
        "drives": drive.survey(host),
    }
    return {section: {item["name"]: doing for item, doing in found} for section, found in surveys.items()}


def _groups(host: Host) -> tuple[Group, ...]:
    """Those that were read: a tree is also drawn of hosts whose volume groups nobody asked for."""
    return host.lvm.groups if host.lvm else ()


def _names(host: Host) -> dict[str, str]:
    """What items call a device that an item is, or has."""
    names = {doing["device"]: item["name"] for item, doing in partition.survey(host)}
    names.update({array.device: raid.name_of(host, array) for array in host.arrays if array.device})
    names.update({backing.bcache: backing.name for backing in host.backings if backing.bcache})
    for group in _groups(host):
        names.update({volume.device: f"{group.name}/{volume.name}" for volume in group.volumes if volume.device})
    return names


def _by_name(host: Host, item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An item whose devices are called by the names of items, where they have one."""
    stable = {host.stable(path): name for path, name in names.items()}

    def called(value: Any) -> Any:
        if isinstance(value, list):
            return [called(part) for part in value]
        return stable.get(value, value) if isinstance(value, str) else value

    devices = ("device", "devices", "spare_devices", "write_mostly_devices", "backing_device", "cache_device")
    return {word: called(value) if word in devices else value for word, value in item.items() if value is not None}


def _filesystems(host: Host) -> list[dict[str, Any]]:
    """Those that are no volume's and not the root's; swap areas that are in use, or would be by fstab."""
    found = []
    for path in _carriers(host):
        device, carried = host.devices[path], host.filesystem(path)
        item = filesystem.dump(host, device, carried) if carried else {}
        if item and (item["type"] != "swap" or "mount_options" in item):
            found.append(item)
    return found


def _carriers(host: Host) -> list[str]:
    """The devices of filesystems that are no volume's and not the root's, and of swap areas."""
    volumes = {volume.device for group in host.groups().groups for volume in group.volumes}
    found = []
    for device in host.devices.values():
        if device.path in volumes or device.holders or device.partitions or not device.size:
            continue
        if not any(signature.type in KINDS for signature in host.content(device.path)[device.path].signatures):
            continue
        if host.filesystem(device.path) and "/" not in host.mounted(device.path):
            found.append(device.path)
    return found


def health(host: Host) -> list[Finding]:
    """What is wrong, or on its way."""
    names = _names(host)
    found: list[Finding] = []
    for array in host.arrays:
        found += [Finding(array.device, raid.name_of(host, array), *said) for said in _of_array(array)]
    for backing in host.backings:
        found += [Finding(backing.bcache, backing.name, *said) for said in _of_backing(backing)]
    for point, (size, free) in (host.spaces or {}).items():
        used = round(100 * (size - free) / size) if size else 0
        device = next((mount.device for mount in host.mounts if mount.mount_point == point), "")
        if used >= _NEARLY_FULL:
            found.append(Finding(device, names.get(device, device), "nearly full", f"{point} is {used} % full"))
    return found


def _of_array(array: Array) -> list[tuple[str, str]]:
    found = []
    if array.degraded:
        found.append(("degraded", f"{array.degraded} of {array.raid_devices} members missing"))
    if array.sync_action not in ("", "idle", "frozen") or array.reshaping:
        done = f" {array.per_cent} %" if array.per_cent is not None else ""
        found.append(("syncing", f"{array.sync_action or 'reshape'}{done}"))
    return found


def _of_backing(backing: Backing) -> list[tuple[str, str]]:
    if not backing.cache_set:
        return []
    if not backing.attached:
        return [("no cache", f"its cache set {backing.cache_set} does not work for it")]
    return [("dirty", f"{backing.dirty_data} only in the cache")] if backing.state == "dirty" else []


def unused(host: Host) -> list[dict[str, Any]]:
    """Disks and partitions that are blank, and that nobody has open."""
    facts = host.disk_facts()
    found = []
    for device in host.devices.values():
        disk = facts.get(device.disk or device.path)
        if disk is None or not device.size or device.read_only or device.partitions or usage(host, device):
            continue
        content = host.content(device.path)[device.path]
        if not content.signatures and not content.busy:
            found.append({"device": host.stable(device.path), "size": device.size, **disk._asdict()})
    return found


def drawn(host: Host) -> str:
    """The tree as text, without what comes and goes by itself."""
    return draw(tree(host, findings=False))


def tree(host: Host, findings: bool = True) -> list[dict[str, Any]]:
    """All devices, from those that are not made of others up."""
    above = _above(host)
    lower = {path for paths in above.values() for path in paths}
    wrong: dict[str, list[str]] = {}
    for found in health(host) if findings else ():
        wrong.setdefault(found.device or found.name, []).append(f"{found.problem}: {found.detail}")
    names = _names(host)

    def branch(path: str) -> dict[str, Any]:
        device = host.devices.get(path)
        return {
            "name": names.get(path) or (host.shown(path) if "<" in path else path.replace("/dev/", "", 1)),
            "type": _type(host, path),
            "size": device.size if device else 0,
            "holds": _holds(host, device) if device else "",
            "mount_points": list(host.mounted(path)),
            "health": wrong.get(path, []),
            "children": [branch(child) for child in above.get(path, ())],
        }

    return [branch(path) for path, device in host.devices.items() if path not in lower and device.size]


def _above(host: Host) -> dict[str, list[str]]:
    """For each device what lies on it; of what does not run, the name."""
    above: dict[str, list[str]] = {}

    def put(lower: str, upper: str) -> None:
        if upper not in above.setdefault(lower, []):
            above[lower].append(upper)

    for device in host.devices.values():
        if device.disk:
            put(device.disk, device.path)
    for array in host.arrays:
        for member in array.members:
            if member.role != "former":
                put(member.device, array.device or array.name)
    for backing in host.backings:
        put(backing.device, backing.bcache or backing.name)
        cache_set = set_of(host, backing)
        if cache_set:
            put(cache_set.device, backing.bcache or backing.name)
    for group in _groups(host):
        for volume in group.physical_volumes:
            for logical in group.volumes:
                put(volume.device, logical.device or f"{group.name}/{logical.name}")
    known = {upper for uppers in above.values() for upper in uppers}
    for device in host.devices.values():
        for holder in device.holders:
            if holder in host.devices and holder not in known:
                put(device.path, holder)
    return above


def _type(host: Host, path: str) -> str:
    device = host.devices.get(path)
    for array in host.arrays:
        if path in (array.device, array.name):
            return f"raid{array.level}" if array.level.isdigit() else array.level
    for backing in host.backings:
        if path in (backing.bcache, backing.name):
            return f"bcache {backing.cache_mode}" if backing.cache_set else "bcache"
    if device is None or any(path == volume.device for group in _groups(host) for volume in group.volumes):
        return "lvm"
    return "part" if device.disk else "device" if path.startswith("/dev/dm-") else "disk"


def _holds(host: Host, device: Device) -> str:
    """A filesystem, or what else was read of it and is nobody's part."""
    found = host.filesystems.get(device.path)
    if found:
        label = f' "{found.label}"' if found.label else ""
        space = [(host.spaces or {})[point] for point in host.mounted(device.path) if point in (host.spaces or {})]
        used = f", {show_size(space[0][0] - space[0][1])} used" if space else ""
        return f"{found.type}{label}{used}"
    content = host.contents.get(device.path)
    strange = [
        describe(signature)
        for signature in (content.signatures if content else ())
        if signature.type not in ("linux_raid_member", "LVM2_member", "bcache", "gpt", "dos", "unseen", *KINDS)
    ]
    return " and ".join(strange)
