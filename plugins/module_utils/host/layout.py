# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's whole storage: each item planned on the state that those before it lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

from ..core.errors import NoDevice, Refused, StorageError, Unread
from ..core.faults import Faults
from ..core.plan import Plan
from ..document.document import (
    Document,
    Item,
    bare,
    bound,
    check_mounts,
    check_once,
    disk_nodes,
    nodes,
    with_nearest,
)
from ..document.fold import by_name, call, check_permitted, is_allowed, made, permitted_by_name, removed
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
    others = [f"{section}: {other.name}" for section, found in going.items() for other in found]
    called = by_name([*(node.place for node in items), *others])
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
    wanted = {
        node: Wanted(
            node,
            bound(node.section, items[node], where),
            is_allowed(node.place, allow),
            call(called, node.place),
        )
        for node in ordered
    }
    absent = [
        Wanted(Node(f"{section}: {other.name}", ()), cast("Item", other.absent), True, other.name)
        for section, found in going.items()
        for other in found
    ]
    return _fold(host, document, absent, wanted, known)


class Wanted(NamedTuple):
    """An item with paths instead of names, whether it may destroy data, and what ``allow_destroy`` calls it."""

    node: Node
    item: Item
    allowed: bool
    called: str


def _fold(
    host: Host, document: Document, others: list[Wanted], wanted: Mapping[Node, Wanted], known: Mapping[str, Node]
) -> Plan:
    """Top-down what goes, then bottom-up what is to be there, then what could only go once others let go of it."""

    def plan(host: Host, one: Wanted) -> Plan:
        try:
            return layer_of(one.node.section).plan(host, one.item, one.allowed)
        except Refused as error:
            raise Refused(permitted_by_name(str(error), one.called)) from None
        except NoDevice as error:
            raise with_nearest(document, error) from None

    going = [*others, *(one for one in reversed([*wanted.values()]) if one.item.state == "absent")]
    coming = [node for node, one in wanted.items() if one.item.state != "absent"]
    whole, later = removed(Plan((), host), going, plan)
    for section in dict.fromkeys(node.section for node in coming):
        layer = layer_of(section)
        if isinstance(layer, Prepares):
            steps, host = layer.announce(whole.after, [wanted[node].item for node in coming if node.section == section])
            whole = whole._replace(steps=whole.steps + steps, after=host)
    unseen: dict[Node, str] = {}

    def plan_seen(host: Host, node: Node) -> Plan:
        """What is on a device whose contents cannot be read yet is planned later."""
        below = next((known[ref.text] for ref in node.references if known.get(ref.text) in unseen), None)
        if below is not None:
            unseen[node] = unseen[below]
            return Plan((), host, in_progress=(f"{node.place}: is planned once {unseen[below]} runs",))
        planned = plan(host, wanted[node])
        paths = layer_of(node.section).device_paths(wanted[node].item).values()
        if any(_is_unseen(planned.after, path) for path in paths):
            unseen[node] = node.place.partition(": ")[2]
        return planned

    faults = Faults()
    whole = made(whole, coming, plan_seen, known, faults, set())
    whole, refused = removed(whole, [one for one, _error in later], plan)
    for one, _error in refused:
        faults.add(next(error for other, error in later if other is one))
    faults.check()
    return whole


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
            there = None
            # What is refused now may be planned once another item has let go of a device.
            with suppress(Refused):
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
