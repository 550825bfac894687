# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's whole storage: each item planned on the state that those before it lead to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError, Unread
from ..core.plan import Plan
from ..document.bcache import Bcache
from ..document.disk import Candidate, choose
from ..document.document import Document, Item, bare, bound, disk_nodes, nodes, resolve, role
from ..document.drive import Drive
from ..document.filesystem import OnDevice, Use
from ..document.partition import Partition
from ..document.raid import Raid
from ..document.references import Node, check_names, in_order
from . import bcache, bcache_attach, boot, drive, drive_group, filesystem, mount, partition, raid, survey
from .safety import usage
from .state import UNSEEN, Host
from .survey import Found
from .tree import below

#: Where what a host cannot do without is mounted.
_ROOT = ("/", "/boot", "/boot/efi", "/usr", "/var")
_PLANNERS: dict[type, Any] = {Partition: partition, Raid: raid, Bcache: bcache, Drive: drive, OnDevice: filesystem}


def device_paths(item: Item) -> dict[str, str]:
    """The devices that an item is, or has, by the names that the document has for them."""
    if isinstance(item, Partition):
        return {item.name: partition.link(item.name)}
    if isinstance(item, Raid):
        return {item.name: boot.array_path(item.name)}
    if isinstance(item, Bcache):
        return {item.name: bcache_attach.device_path(item.name)}
    if isinstance(item, OnDevice):
        return {}
    return {
        f"{item.name}/{volume.name}": drive_group.device_path(item.name, volume.name) for volume in item.volumes or ()
    }


def references(document: Document) -> tuple[str, ...]:
    """What has to be resolved to plan this document."""
    found: list[str] = []
    for node, item in nodes(document).items():
        found += [reference.text for reference in node.references]
        found += device_paths(item).values()
        if node.names:
            found.append(f"/dev/{item.name}")
    return tuple(dict.fromkeys(found))


def plan(host: Host, document: Document, allow: tuple[str, ...]) -> Plan:
    """What it takes. ``allow``: the items on whose way data may be destroyed. Raises what the planners raise."""
    try:
        return _plan(host, document, allow)
    except Unread as need:
        if need.what not in ("contents", "filesystems"):
            raise
        # Asked for one by one, each device would have the whole document planned once more.
        raise Unread(need.what, tuple(dict.fromkeys((*need.names, *_readable(host, document, need.what))))) from None


def _readable(host: Host, document: Document, what: str) -> list[str]:
    """The document's devices of which that was not read, apart from what somebody holds."""
    texts = references(document)
    found = [device for device in map(host.find, texts) if device is not None and device.kernel]
    if what == "filesystems":
        return [device.path for device in found if device.path not in host.filesystems and not device.holders]
    return [
        path
        for device in found
        if not device.holders
        for path in (*device.partitions, device.path)
        if path not in host.contents and not host.mounted(path)
    ]


def _plan(host: Host, document: Document, allow: tuple[str, ...]) -> Plan:
    items = nodes(document)
    known = check_names((*disk_nodes(document), *items))
    _check_foreign(host, items)
    where, host = _where(host, document, items)
    more, host = _others(host, document, where) if document.exact else ([], host)
    known_names = {item.name for item in items.values()}
    unknown = [name for name in allow if name not in known_names]
    # What only the host knew by that name may be gone since.
    if unknown and not document.exact:
        raise StorageError(f"allow_destroy: {unknown[0]} is no item of the document")
    _check_others(host, more, allow)
    ordered = tuple(node for node in in_order(tuple(items), known) if node in items)
    _check_once(host, ordered, items, where)
    wanted = [Wanted(node, items[node], bound(node.section, items[node], where), allow) for node in ordered]
    others = [
        Wanted(Node(f"{other.section}: {other.name}", ()), other.absent, other.absent, (other.absent.name,))
        for other in more
    ]
    return _fold(host, others, wanted, known)


def _others(host: Host, document: Document, where: dict[str, tuple[str, ...]]) -> tuple[list[Found], Host]:
    """What there is in the document's sections that it does not name, apart from what the root needs."""
    named = {(section, item.name) for section, items in document.sections.items() for item in items}
    for item in document.sections.get("filesystems", ()):
        named |= {
            ("filesystems", host.stable(device.path))
            for path in resolve(item.name, where)
            if (device := host.find(path))
        }
    needed = below(host, *(mount.device for mount in host.mounts if mount.mount_point in _ROOT))
    found = [
        other
        for other in survey.found(host)
        if other.section in document.sections
        and (other.section, other.name) not in named
        and not needed.intersection(other.devices)
    ]
    return found, host._replace(links={**{path: path for path in host.devices}, **host.links})


def _check_others(host: Host, others: list[Found], allow: tuple[str, ...]) -> None:
    """Raises Refused for all that is in use, or that may not go."""
    for other in others:
        for path in other.devices:
            points = host.mounted(path) or (("swap",) if path in host.swaps else ())
            if points:
                raise Refused(
                    f"{other.section}: {other.name} is not in the document, and mode exact would remove it, but {path} "
                    f"is in use ({points[0]}). Name it in the document, or put it out of use first"
                )
    refused = [f"{other.section}: {other.name}" for other in others if other.name not in allow]
    if refused:
        raise Refused(
            f"not in the document, and mode exact would remove: {', '.join(refused)}. Name them in the document, or "
            "add them to allow_destroy"
        )


class Wanted(NamedTuple):
    """An item, as it is written and with paths instead of names, and the items whose data may be destroyed."""

    node: Node
    written: Item
    item: Item
    allow: tuple[str, ...]

    def plan(self, host: Host) -> Plan:
        name = self.written.name
        try:
            planned: Plan = _PLANNERS[type(self.item)].plan(host, self.item, name in self.allow)
        except Refused as error:
            said = str(error).replace("set allow_destroy", f"add {name} to allow_destroy")
            raise Refused(said.replace("Set allow_destroy", f"Add {name} to allow_destroy")) from None
        return planned


def _fold(host: Host, others: list[Wanted], wanted: list[Wanted], known: dict[str, Node]) -> Plan:
    """Top-down what goes, then bottom-up what is to be there, then what could only go once others let go of it."""
    going = [*others, *(one for one in reversed(wanted) if one.item.state == "absent")]
    coming = [one for one in wanted if one.item.state != "absent"]
    whole = Plan((), host)
    later: list[tuple[Wanted, Refused]] = []
    for one in going:
        try:
            whole = _and(whole, one.plan(whole.after))
        except Refused as refused:
            later.append((one, refused))
    steps, host = raid.announce(whole.after, [one.item for one in coming if isinstance(one.item, Raid)])
    whole = whole._replace(steps=whole.steps + steps, after=host)
    unseen: dict[Node, str] = {}
    for one in coming:
        node = one.node
        below = next((known[ref.text] for ref in node.references if known.get(ref.text) in unseen), None)
        if below is not None:
            # What is on it can be read, and planned with, once it runs.
            unseen[node] = unseen[below]
            whole = whole._replace(
                in_progress=(*whole.in_progress, f"{node.place}: is planned once {unseen[below]} runs")
            )
            continue
        whole = _and(whole, one.plan(whole.after))
        started = [path for path in device_paths(one.item).values() if _is_unseen(whole.after, path)]
        if started:
            unseen[node] = one.written.name
    for one, first in later:
        try:
            whole = _and(whole, one.plan(whole.after))
        except Refused:
            raise first from None
    return whole


def _is_unseen(host: Host, path: str) -> bool:
    device = host.find(path)
    return device is not None and host.contents.get(device.path) == UNSEEN


def _and(first: Plan, second: Plan) -> Plan:
    return Plan(
        first.steps + second.steps,
        second.after,
        in_progress=first.in_progress + second.in_progress,
        pending_reboot=first.pending_reboot + second.pending_reboot,
        warnings=first.warnings + tuple(warning for warning in second.warnings if warning not in first.warnings),
        waits=first.waits + second.waits,
    )


def _check_foreign(host: Host, items: dict[Node, Item]) -> None:
    """A name that is also the kernel's of another device would be read as the one here and as the other there."""
    for node, item in items.items():
        if not node.names:
            continue
        device, own = host.find(f"/dev/{item.name}"), [host.find(path) for path in device_paths(item).values()]
        if device is not None and device not in own:
            raise StorageError(
                f"{node.place}: there is a device {device.path} of that name already; choose another one"
            )


def _check_once(
    host: Host, ordered: Iterable[Node], items: dict[Node, Item], where: dict[str, tuple[str, ...]]
) -> None:
    places: dict[str, str] = {}
    for node in ordered:
        for reference in node.references if items[node].state != "absent" else ():
            here = role(reference.place)
            for path in resolve(reference.text, where) if here != "again" else ():
                device = host.find(path)
                key = device.path if device else path
                if key in places and (not here or role(places[key]) != here):
                    raise StorageError(f"{places[key]} and {reference.place} both mean {key}")
                places[key] = reference.place


def _where(host: Host, document: Document, items: dict[Node, Item]) -> tuple[dict[str, tuple[str, ...]], Host]:
    """The paths that the document's names stand for, and the host that knows these."""
    where: dict[str, tuple[str, ...]] = {
        name: (path,) for item in items.values() for name, path in device_paths(item).items()
    }
    if document.disks:
        chosen = choose(document.disks, _candidates(host), _claims(host, document, items))
        where.update(chosen)
        host = host._replace(links={**host.links, **{path: path for paths in chosen.values() for path in paths}})
    return where, host


def _claims(host: Host, document: Document, items: dict[Node, Item]) -> dict[str, tuple[str, ...]]:
    """What the items are made of already, by the names of disks that they are written with."""
    names = [disks.name for disks in document.disks]
    claims: dict[str, tuple[str, ...]] = {}
    for node, item in items.items():
        for reference in node.references:
            if reference.text.partition("[")[0] in names:
                made_of = _made_of(host, item, role(reference.place))
                claims[reference.text] = claims.get(reference.text, ()) + made_of
    return claims


def _candidates(host: Host) -> tuple[Candidate, ...]:
    facts = host.disk_facts()
    contents = host.content(*facts)
    return tuple(
        Candidate(
            path=path,
            **disk._asdict(),
            size=host.devices[path].size,
            free=not usage(host, host.devices[path]) and not contents[path].busy,
            blank=not contents[path].signatures,
        )
        for path, disk in facts.items()
    )


def facts(host: Host, document: Document) -> dict[str, Any]:
    """What the module returns of the wanted items."""
    layout: dict[str, list[dict[str, Any]]] = {}
    status: dict[str, dict[str, Any]] = {}
    where, host = _where(host, document, nodes(document))
    for section, items in document.sections.items():
        layout[section], status[section] = [], {}
        for item in items:
            known_by_device = isinstance(item, (OnDevice, Partition))
            meant = bound(section, item, where) if known_by_device else bare(section, item)
            found = _PLANNERS[type(item)].facts(host, meant)
            doing = found.pop("status")
            (dump,) = found.values()
            if dump:
                layout[section].append(dump)
                status[section][item.name] = doing
    return {"layout": layout, "status": status}


def _made_of(host: Host, item: Item, what: str) -> tuple[str, ...]:
    """The devices that an item consists of on this host; of a bcache, one or (``what``: cache) the other."""
    if isinstance(item, Partition):
        return tuple(device.disk for device in host.devices.values() if device.part_name == item.name)
    if isinstance(item, Raid):
        path = host.find(boot.array_path(item.name))
        arrays = [array for array in host.arrays if (path and array.device == path.path) or array.name == item.name]
        return tuple(member.device for array in arrays for member in array.members)
    if isinstance(item, Bcache):
        backings = [backing for backing in host.backings if backing.name == item.name]
        if what != "cache":
            return tuple(backing.device for backing in backings)
        sets = [bcache_attach.set_of(host, backing) for backing in backings]
        return tuple(found.device for found in sets if found)
    if isinstance(item, OnDevice):
        return _used_as(host, item.use)
    groups = [group for group in host.groups().groups if group.name == item.name]
    return tuple(volume.device for group in groups for volume in group.physical_volumes)


def _used_as(host: Host, use: Use) -> tuple[str, ...]:
    """What is mounted where a filesystem is to be mounted, or would be by fstab, or carries its label; or is swap."""
    swap = use.filesystem == "swap"
    specs = [
        line.spec
        for line in mount.lines(host)
        if (line.type == "swap" if swap else use.mount_point and line.mount_point == use.mount_point)
    ]
    found = [mounted.device for mounted in host.mounts if mounted.mount_point == use.mount_point]
    for path, content in host.contents.items():
        for signature in content.signatures:
            known = f"UUID={signature.uuid}" in specs or f"LABEL={signature.label}" in specs
            if known or (use.label and signature.label == use.label):
                found.append(path)
    return (*found, *(host.swaps if swap else ()))
