# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's whole storage: each item planned on the state that those before it lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ..core.errors import NoDevice, Refused, StorageError, Unread
from ..core.faults import Faults
from ..core.plan import Plan, both
from ..document.document import (
    Document,
    Item,
    bare,
    bound,
    check_mounts,
    check_once,
    disk_nodes,
    nodes,
    permitted_by_name,
    with_nearest,
)
from ..document.permission import check_permitted
from ..document.references import Node, in_order, known_names
from .devices import UNSEEN
from .host import Host
from .layer import Found, Located, Prepares
from .layers import layer_of
from .safety import permit


def references(document: Document) -> tuple[str, ...]:
    """What has to be resolved to plan this document."""
    found: list[str] = []
    for node, item in nodes(document).items():
        found += [reference.text for reference in node.references]
        layer = layer_of(node.section)
        # What is found by the device that it names may be another device's by its own name alone.
        found += layer.device_paths(item).values() if not layer.BY_DEVICE else ()
        if node.names:
            found.append(f"/dev/{item.name}")
    return tuple(dict.fromkeys(found))


def plan(host: Host, document: Document, allow: tuple[str, ...]) -> Plan:
    """What it takes. ``allow``: the items on whose way data may be destroyed, and devices that may lose what they hold.

    Raises what the planners raise.
    """
    try:
        return _plan(host, document, allow)
    except NoDevice as error:
        raise with_nearest(document, error) from None
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
    known = known_names((*disk_nodes(document), *items))
    where, host = _where(host, document, items, known)
    _check_foreign(host, items, where)
    going: Mapping[str, Sequence[Found]] = {}
    if document.exact:
        from . import exact

        going, host = exact.others(host, document, where)
    called = _called(items, going)
    check_permitted(called, allow)
    named = {item.name for item in items.values()} | {
        *called,
        *(place for places in called.values() for place in places),
    }
    # In mode exact, what only the host knew by that name may be gone since.
    devices = tuple(name for name in allow if name.startswith("/") or name not in named)
    host = permit(host, devices, known=not document.exact)
    if document.exact:
        exact.check(host, going, allow)
    ordered = tuple(node for node in in_order(tuple(items), known) if node in items)
    check_once(ordered, items, where, lambda text, role: _device(host, text, role))
    check_mounts(items, where, lambda text, role: _device(host, text, role))
    wanted = [
        Wanted(node, items[node], bound(node.section, items[node], where), allow, _call(called, node, items[node]))
        for node in ordered
    ]
    others = [
        Wanted(Node(f"{section}: {other.name}", ()), absent, absent, (absent.name,), other.name)
        for section, found in going.items()
        for other in found
        for absent in (cast("Item", other.absent),)
    ]
    return _fold(host, document, others, wanted, known)


def _called(items: dict[Node, Item], going: Mapping[str, Sequence[Found]]) -> dict[str, list[str]]:
    """The places of all items, by what ``allow_destroy`` may call them. A filesystem is called as what it is on."""
    called: dict[str, list[str]] = {}
    for section, name in (
        *((node.section, item.name) for node, item in items.items()),
        *((section, other.name) for section, found in going.items() for other in found),
    ):
        if section != "filesystems":
            called.setdefault(name, []).append(f"{section}: {name}")
    return called


def _call(called: dict[str, list[str]], node: Node, item: Item) -> str:
    """What ``allow_destroy`` has to call an item."""
    return node.place if len(called.get(item.name, ())) > 1 and node.place in called[item.name] else item.name


class Wanted(NamedTuple):
    """An item, as it is written and with paths instead of names, and the items whose data may be destroyed.

    ``called`` is what it is called among these.
    """

    node: Node
    written: Item
    item: Item
    allow: tuple[str, ...]
    called: str

    def plan(self, host: Host) -> Plan:
        allowed = self.written.name in self.allow or self.node.place in self.allow
        try:
            return layer_of(self.node.section).plan(host, self.item, allowed)
        except Refused as error:
            raise Refused(permitted_by_name(str(error), self.called)) from None


def _fold(host: Host, document: Document, others: list[Wanted], wanted: list[Wanted], known: dict[str, Node]) -> Plan:
    """Top-down what goes, then bottom-up what is to be there, then what could only go once others let go of it.

    Items that cannot be planned are told together, without those that are made of them.
    """
    faults, failed = Faults(), set[Node]()
    going = [*others, *(one for one in reversed(wanted) if one.item.state == "absent")]
    coming = [one for one in wanted if one.item.state != "absent"]
    whole, later = _remove(Plan((), host), going)
    for section in dict.fromkeys(one.node.section for one in coming):
        layer = layer_of(section)
        if isinstance(layer, Prepares):
            steps, host = layer.announce(whole.after, [one.item for one in coming if one.node.section == section])
            whole = whole._replace(steps=whole.steps + steps, after=host)
    unseen: dict[Node, str] = {}
    for one in coming:
        node = one.node
        if any(known.get(reference.text) in failed for reference in node.references):
            failed.add(node)
            continue
        below = next((known[ref.text] for ref in node.references if known.get(ref.text) in unseen), None)
        if below is not None:
            # What is on it can be read, and planned with, once it runs.
            unseen[node] = unseen[below]
            whole = whole._replace(
                in_progress=(*whole.in_progress, f"{node.place}: is planned once {unseen[below]} runs")
            )
            continue
        try:
            whole = both(whole, one.plan(whole.after))
        except StorageError as error:
            faults.add(with_nearest(document, error) if isinstance(error, NoDevice) else error)
            failed.add(node)
            continue
        paths = layer_of(node.section).device_paths(one.item).values()
        if any(_is_unseen(whole.after, path) for path in paths):
            unseen[node] = one.written.name
    faults.check()
    whole, refused = _remove(whole, [one for one, _error in later])
    for one, _error in refused:
        faults.add(next(error for other, error in later if other is one))
    faults.check()
    return whole


def _remove(whole: Plan, going: Sequence[Wanted]) -> tuple[Plan, list[tuple[Wanted, Refused]]]:
    """As much as goes, and what does not, with the reasons.

    What holds a thing goes before it: so what is refused is tried again as long as something else went meanwhile.
    """
    while True:
        refused: list[tuple[Wanted, Refused]] = []
        for one in going:
            try:
                whole = both(whole, one.plan(whole.after))
            except Refused as error:
                refused.append((one, error))
        if not refused or len(refused) == len(going):
            return whole, refused
        going = [one for one, _error in refused]


def _is_unseen(host: Host, path: str) -> bool:
    device = host.find(path)
    return device is not None and host.contents.get(device.path) == UNSEEN


def _device(host: Host, text: str, role: str) -> str:
    """The device that a reference means; who names a partition to have it changed means the table that it is in."""
    path = host.links.get(text) or text
    disk = host.devices[path].disk if path in host.devices else ""
    return disk if disk and role == "partitioned" else path


def _check_foreign(host: Host, items: dict[Node, Item], where: dict[str, tuple[str, ...]]) -> None:
    """A name that is also the kernel's of another device would be read as the one here and as the other there."""
    for node, item in items.items():
        if not node.names:
            continue
        device = host.find(f"/dev/{item.name}")
        names = layer_of(node.section).device_paths(item)
        own = [host.find(path) for name in names for path in where[f"{node.section}: {name}"]]
        if device is not None and device not in own:
            raise StorageError(
                f"{node.place}: there is a device {device.path} of that name already; choose another one"
            )


def _where(
    host: Host, document: Document, items: dict[Node, Item], known: dict[str, Node]
) -> tuple[dict[str, tuple[str, ...]], Host]:
    """The paths that the document's names stand for, also with their sections, and the host that knows these."""
    where: dict[str, tuple[str, ...]] = {}

    def put(node: Node, name: str, path: str) -> None:
        where[f"{node.section}: {name}"] = (path,)
        if known.get(name) is node:
            where[name] = (path,)

    for node, item in items.items():
        for name, path in layer_of(node.section).device_paths(item).items():
            put(node, name, path)
    if document.disks:
        from . import choose as disk

        chosen = disk.choose(host, document, items)
        where.update(chosen)
        host = host._replace(links={**host.links, **{path: path for paths in chosen.values() for path in paths}})
    named: dict[str, str] = {}
    for node, item in items.items():
        layer = layer_of(node.section)
        if isinstance(layer, Located):
            there = layer.locate(host, bound(node.section, item, where))
            if there is not None:
                if there.path in named:
                    raise StorageError(f"{named[there.path]} and {node.place} both mean {there.path}")
                named[there.path] = node.place
                put(node, item.name, there.path)
                host = host._replace(links={**host.links, there.path: there.path})
    return where, host


def facts(host: Host, document: Document) -> dict[str, Any]:
    """What the module returns of the wanted items."""
    layout: dict[str, list[dict[str, Any]]] = {}
    status: dict[str, dict[str, Any]] = {}
    items = nodes(document)
    where, host = _where(host, document, items, known_names((*disk_nodes(document), *items)))
    for section, wanted in document.sections.items():
        layout[section], status[section] = [], {}
        layer = layer_of(section)
        for item in wanted:
            meant = bound(section, item, where) if layer.BY_DEVICE else bare(section, item)
            found = layer.facts(host, meant)
            doing = found.pop("status")
            (dump,) = found.values()
            if dump:
                layout[section].append(dump)
                status[section][item.name] = doing
    return {"layout": layout, "status": status}
