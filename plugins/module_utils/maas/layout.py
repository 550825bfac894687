# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's whole storage: each item planned on the state that those before it lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple

from ..core.errors import NoDevice, Refused, StorageError
from ..core.faults import Faults
from ..core.plan import Plan, both
from ..document.bcache import Bcache
from ..document.document import (
    bound,
    check_mounts,
    check_once,
    disk_nodes,
    nodes,
    resolve,
    role,
    with_nearest,
)
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.fold import by_name, check_others, check_permitted, is_allowed, made, permitted_by_name, removed
from ..document.partition import Partition
from ..document.permission import no_item
from ..document.raid import Raid
from ..document.references import Node, in_order, known_names
from . import base, bcache, cache_set, datastore, drive, filesystem, notes, partition, permits, raid, survey, volume
from .actions import step, tag
from .document import CacheSet, Datastore, Gone, Special, Wanted, as_uuid
from .identity import check_places, is_uuid
from .names import where as places
from .state import LEFTOVER, PARTITION, Machine


class Going(NamedTuple):
    """An item that is to be removed, and whether it may lose what it holds. With a ``uuid``, only what has that one."""

    item: Any
    allow: bool
    uuid: str = ""


def plan(machine: Machine, want: Wanted, allow: tuple[str, ...]) -> Plan:
    """What it takes. ``allow``: the items on whose way filesystems may be removed. Raises what the planners raise."""
    with _nearest(want):
        return _plan(machine, want, allow)


@contextmanager
def _nearest(want: Wanted) -> Iterator[None]:
    """Who names a device that is not there is told which name of the document is like it."""
    try:
        yield
    except NoDevice as error:
        raise with_nearest(want.document, error) from None


def _plan(machine: Machine, want: Wanted, allow: tuple[str, ...]) -> Plan:
    items: dict[Node, Any] = dict(nodes(want.document))
    known = known_names((*disk_nodes(want.document), *items))
    _check_said(items, allow, want)
    allow = _with_keys(machine, allow)
    renamed = _renamed(machine, want, items)
    whole = base.plan(renamed.after, want, allow, _is_blank(renamed.after, want, items))
    if base.wipes(whole):
        # What is wiped is not renamed.
        whole = base.plan(machine, want, allow, blank=False)
    else:
        whole, machine = both(renamed, whole), renamed.after
    if whole.in_progress:
        _check_on_layout(base.taken(whole.after, want), want, items, known, allow)
        return permits.checked_state(machine, whole)
    whole = whole._replace(after=_asked(whole.after, items))
    _check_foreign(whole.after, items)
    where = places(whole.after, want, items)
    whole = whole._replace(after=whole.after._replace(kept=_kept(whole.after, items, where)))
    whole = both(whole, notes.swept(whole.after, _whole_disks(whole.after, items, where)))
    going = _going(whole.after, want, items, known, where, allow)

    def remove(machine: Machine, one: Going) -> Plan:
        return _plan_going(machine, want, one)

    whole, waiting = removed(whole, going, remove)
    ordered = _ordered(items, known)
    coming = {node: bound(node.section, items[node], where) for node in ordered if items[node].state != "absent"}
    later = whole.after
    for item in coming.values():
        later = raid.resized(later, item) if isinstance(item, Raid) else later
    faults, failed = Faults(), set[Node]()
    for node, item in coming.items():
        if isinstance(item, Drive):
            renames, uuids = want.of("drives", want.renames), want.of("drives", want.uuids)
            try:
                with _nearest(want):
                    whole = both(whole, drive.shrink(whole.after, item, renames, uuids, later))
            except StorageError as error:
                faults.add(error, node.place)
                failed.add(node)
    whole = made(whole, [*coming], _maker(want, coming, allow), known, faults, failed)
    for one in want.special or ():
        if one.state != "absent":
            whole = both(whole, filesystem.plan_special(whole.after, one))
    whole, waiting = removed(whole, [one for one, _error in waiting], remove)
    for _one, refusal in waiting:
        faults.add(refusal)
    faults.check()
    base.check_boot_disk(whole.after, want, machine.boot_disk)
    whole = _tags(whole, want, where)
    whole = both(whole, notes.settled(whole.after))
    _check_stays_absent(whole.after, items)
    check_places(machine, whole.steps, _texts(want, items), _absent_parts(items))
    warnings = (*permits.warnings(machine, whole), *_not_meant(machine, whole.after, items))
    return permits.checked_state(machine, whole)._replace(warnings=warnings)


def _renamed(machine: Machine, want: Wanted, items: Mapping[Node, Any]) -> Plan:
    """RAIDs by their new names, and so their partitions, by which the document calls them."""
    whole = Plan((), machine)
    called = {item.name: node.place for node, item in items.items() if isinstance(item, Raid)}
    for node, item in items.items():
        if isinstance(item, Raid):
            former = want.renames.get(node.place, "")
            there = raid.meant(whole.after, item, former)
            if there and there.name != item.name and there.name in called:
                raise StorageError(f"{called[there.name]} and {node.place} both mean {there.name}; say it once")
            whole = both(whole, raid.rename(whole.after, item, former))
    if whole.steps:
        _check_foreign(machine, items)
        _check_renamed(machine, whole.after, want, items)
    return whole


def _check_renamed(machine: Machine, after: Machine, want: Wanted, items: Mapping[Node, Any]) -> None:
    """Raises StorageError for a name of a partition that it has no more once its RAID is renamed."""
    parts = {one.id: one for one in after.devices.values() if one.kind == PARTITION}
    said = [item.name for item in items.values() if isinstance(item, Partition)]
    for text in _texts(want, items):
        there = machine.find(text)
        if there is None or there.kind != PARTITION:
            continue
        now = partition.find(after, text) if text in said else after.find(text)
        if now is None or now.id != there.id:
            raise StorageError(
                f"{text}: RAID {there.disk} is renamed, and MAAS then calls this {parts[there.id].place}; say that, or "
                f"its UUID ({there.uuid})"
            )


def _check_on_layout(
    machine: Machine, want: Wanted, items: Mapping[Node, Any], known: Mapping[str, Node], allow: tuple[str, ...]
) -> None:
    """Raise before a base layout wipes the ``machine`` what would be raised once it has.

    That is all but what is about the layout's own devices, which are not there yet.
    """
    where = places(machine, want, items)
    _check_foreign(machine, items)
    _check_allowed(machine, [], items, allow)

    def known_as(text: str, _role: str) -> str:
        return getattr(machine.find(text), "key", text)

    ordered = _ordered(items, known)
    check_once(tuple(ordered), items, where, known_as)
    check_mounts(items, where, known_as)
    coming: dict[Node, Any] = {}
    for node in ordered:
        item = items[node]
        if item.state == "absent":
            continue
        others = [known.get(reference.text.partition("[")[0]) for reference in node.references]
        if not others or base.makes(machine, item) or any(one in items and one not in coming for one in others):
            continue
        texts = [
            text
            for reference, other in zip(node.references, others)
            if other not in coming
            for text in resolve(reference.text, where)
        ]
        there = [_is_there(machine, text, node.place) for text in texts]
        if all(there):
            coming[node] = bound(node.section, item, where)
    made(Plan((), machine), [*coming], _maker(want, coming, allow), known, Faults(), set())
    for text, _tags in want.tags:
        for key in resolve(text, where):
            _is_there(machine, key, "tags", [*known, *where])


def _is_there(machine: Machine, text: str, what: str, made: Collection[str] = ()) -> bool:
    """Whether a device is there without the layout. Raises StorageError where no layout makes one of that name."""
    if text in made or base.may_make(text):
        return False
    machine.device(text, what)
    return True


def _with_keys(machine: Machine, allow: tuple[str, ...]) -> tuple[str, ...]:
    """With the names of the partitions that are allowed by their UUIDs."""
    uuids = [name.lower() for name in allow if is_uuid(name)]
    parts = [one for one in machine.devices.values() if one.uuid in uuids and one.kind == PARTITION]
    return (*allow, *(one.key for one in parts if one.key not in allow))


def _texts(want: Wanted, items: Mapping[Node, Any]) -> tuple[str, ...]:
    """All by which the document names devices."""
    references = [reference.text for node in items for reference in node.references]
    parts = [item.name for item in items.values() if isinstance(item, Partition)]
    return (*parts, *references, *(device for device, _tags in want.tags))


def _absent_parts(items: Mapping[Node, Any]) -> tuple[str, ...]:
    return tuple(item.name for item in items.values() if isinstance(item, Partition) and item.state == "absent")


def _ordered(items: Mapping[Node, Any], known: Mapping[str, Node]) -> list[Node]:
    return [node for node in in_order(tuple(items), known) if node in items]


def _is_blank(machine: Machine, want: Wanted, items: Mapping[Node, Any]) -> bool:
    """Whether the machine has nothing beside the document; where no disks are left for that, it has."""
    if want.base_layout != "blank":
        return False
    try:
        where = places(machine, want, items)
    except StorageError:
        return False
    return not survey.others(machine, want, where, everything=True)


def _asked(machine: Machine, items: Mapping[Node, Any]) -> Machine:
    """With the partitions that the document names: none of them only stands for its disk."""
    parts = [
        partition.find(machine, item.name)
        for item in items.values()
        if isinstance(item, Partition) and item.state != "absent"
    ]
    return machine._replace(named=frozenset(part.key for part in parts if part))


def _whole_disks(machine: Machine, items: Mapping[Node, Any], where: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The devices that items name as a whole, and not to make partitions of them."""
    found = [
        machine.find(text)
        for node, item in items.items()
        for reference in node.references
        if item.state != "absent" and role(reference.place) != "partitioned"
        for text in resolve(reference.text, where)
    ]
    return frozenset(device.key for device in found if device)


def _kept(machine: Machine, items: Mapping[Node, Any], where: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The devices of the cache sets that stay without a bcache: of a disk also the partition that stands for it."""
    disks = [
        device.key
        for item in items.values()
        if isinstance(item, CacheSet) and item.state != "absent"
        for text in resolve(item.cache_device, where)
        if (device := machine.find(text))
    ]
    return frozenset(disks) | {part.key for key in disks for part in machine.partitions(key)}


def _going(
    machine: Machine,
    want: Wanted,
    items: Mapping[Node, Any],
    known: Mapping[str, Node],
    where: Mapping[str, tuple[str, ...]],
    allow: tuple[str, ...],
) -> list[Going]:
    """What is to be removed: what mode exact does not find in the document, and what this says is absent."""
    others = survey.others(machine, want, where, base.items(machine, want)) if want.document.exact else []
    _check_allowed(machine, others, items, allow)
    ordered = _ordered(items, known)

    def known_as(text: str, _role: str) -> str:
        return getattr(machine.find(text), "key", text)

    check_once(tuple(ordered), items, where, known_as)
    check_mounts(items, where, known_as)
    _check_meant_once(machine, want, items, where)
    _check_caches(machine, items, where)
    going = [Going(item, True) for item in others]
    going += [
        Going(one, one.name in allow or one.drive in allow, want.uuids.get(f"drives: {one.name}", ""))
        for one in want.gone
    ]
    going += [
        Going(bound(node.section, items[node], where), is_allowed(node.place, allow), _uuid(want, node, items[node]))
        for node in reversed(ordered)
        if items[node].state == "absent" and not _is_foreign(machine, items[node])
    ]
    return _last_first(machine, going) + [Going(one, True) for one in want.special or () if one.state == "absent"]


def _uuid(want: Wanted, node: Node, item: Any) -> str:
    return as_uuid(item.uuid) if isinstance(item, Raid) and item.uuid else want.uuids.get(node.place, "")


def _is_foreign(machine: Machine, item: Any) -> bool:
    return isinstance(item, Partition) and partition.is_another(machine, item)


def _not_meant(machine: Machine, after: Machine, items: Mapping[Node, Any]) -> tuple[str, ...]:
    found = [(item.name, partition.find(machine, item.name)) for item in items.values() if _is_foreign(machine, item)]
    return tuple(
        f"partition {name}: what is at {name} was made by another name and stays; to remove that, say the name, or its "
        f"UUID ({there.uuid})"
        for name, there in found
        if there and there.key in after.devices
    )


def _last_first(machine: Machine, going: list[Going]) -> list[Going]:
    """A task that is cut off leaves the other partitions of a disk where they are."""

    def number(one: Going) -> int:
        return getattr(partition.find(machine, one.item.name), "number", 0)

    parts = iter(sorted((one for one in going if isinstance(one.item, Partition)), key=number, reverse=True))
    return [next(parts) if isinstance(one.item, Partition) else one for one in going]


def _maker(want: Wanted, coming: Mapping[Node, Any], allow: tuple[str, ...]) -> Callable[[Machine, Node], Plan]:
    """What plans an item of the document."""

    def plan(machine: Machine, node: Node) -> Plan:
        try:
            with _nearest(want):
                return _plan_item(machine, want, node.place, coming[node], is_allowed(node.place, allow))
        except Refused as error:
            # What an item is called in the document, whatever device is meant by that.
            raise Refused(permitted_by_name(str(error), node.place.partition(": ")[2])) from None

    return plan


def _plan_item(machine: Machine, want: Wanted, place: str, item: Any, allow: bool) -> Plan:
    """``place`` is what it is called in the document, by which ``want`` has what the item does not say itself."""
    former, uuid = want.renames.get(place, ""), want.uuids.get(place, "")
    if isinstance(item, Partition):
        return partition.plan(machine, item, allow, want.bootable.get(item.name))
    if isinstance(item, Raid):
        return raid.plan(machine, item, allow)
    if isinstance(item, Bcache):
        return bcache.plan(machine, item, allow, former, uuid)
    if isinstance(item, CacheSet):
        return cache_set.plan(machine, item, allow)
    if isinstance(item, Drive):
        return drive.plan(machine, item, allow, want.of("drives", want.renames), want.of("drives", want.uuids))
    if isinstance(item, Datastore):
        return datastore.plan(machine, item, allow, former, uuid)
    return filesystem.plan(machine, item, allow, uuid)


def _plan_going(machine: Machine, want: Wanted, going: Going) -> Plan:
    item = going.item
    if isinstance(item, Special):
        return filesystem.plan_special(machine, item)
    if isinstance(item, OnDevice) and machine.find(item.device) is None:
        return Plan((), machine)
    if _is_another(machine, going):
        return Plan((), machine)
    try:
        if isinstance(item, Gone):
            return _plan_gone(machine, want, item, going)
        place = survey.place(item)
        return _plan_item(machine, Wanted(survey.NOTHING, uuids={place: going.uuid}), place, item, going.allow)
    except Refused as error:
        raise Refused(permitted_by_name(str(error), item.name)) from None


def _is_another(machine: Machine, going: Going) -> bool:
    """Whether what has the name of something that is to be absent has another UUID than that is said to have."""
    item, uuid = going.item, going.uuid
    there: Any = None
    if isinstance(item, Raid):
        there = raid.find(machine, item.name)
    elif isinstance(item, Bcache):
        there = bcache.find(machine, item.name)
    elif isinstance(item, Datastore):
        there = datastore.find(machine, item.name)
    elif isinstance(item, Drive):
        there = drive.find(machine, item.name, uuid)
    elif isinstance(item, OnDevice):
        there = getattr(machine.find(item.device), "filesystem", None)
    return bool(uuid) and there is not None and there.uuid != uuid


def _plan_gone(machine: Machine, want: Wanted, item: Gone, going: Going) -> Plan:
    group = drive.meant(machine, item.drive, want.of("drives", want.renames), want.of("drives", want.uuids))
    key = f"{group.name}/{item.volume}" if group else ""
    if group is None or key not in machine.devices or going.uuid not in ("", machine.devices[key].uuid):
        return Plan((), machine)
    steps, machine, _group = volume.remove(machine, group, key, f"volume {key} cannot be removed", going.allow, "it")
    return Plan(steps, machine)


def _tags(whole: Plan, want: Wanted, where: Mapping[str, tuple[str, ...]]) -> Plan:
    for text, wanted in want.tags:
        for key in resolve(text, where):
            machine = whole.after
            device = machine.device(key, "tags")
            calls = [tag(machine, device, name) for name in wanted if name not in device.tags]
            calls += [tag(machine, device, name, "remove_tag") for name in device.tags if name not in wanted]
            if calls:
                one = step("tag", "device", device.key, " ".join(wanted) or "none", *calls)
                whole = both(whole, Plan((one,), machine.with_device(device._replace(tags=wanted))))
    return whole


# Checks over all


def _check_allowed(machine: Machine, others: list[Any], items: Mapping[Node, Any], allow: tuple[str, ...]) -> None:
    theirs = {survey.place(other): other for other in others}
    check_others(theirs, allow, lambda places: survey.held(machine, [theirs[place] for place in places]))
    check_permitted(by_name([*(node.place for node in items), *theirs]), allow)


def _check_said(items: Mapping[Node, Any], allow: tuple[str, ...], want: Wanted) -> None:
    """Raises StorageError for a permission that is about nothing."""
    known = {item.name for item in items.values()} | {one.name for one in want.gone} | {"base_layout"}
    known |= {node.place for node in items}
    unknown = [name for name in allow if name not in known and not is_uuid(name)]
    # What only the machine had by that name may be gone since.
    if unknown and not want.document.exact:
        raise StorageError(no_item(unknown[0], "no item of the document"))


def _check_meant_once(
    machine: Machine, want: Wanted, items: Mapping[Node, Any], where: Mapping[str, tuple[str, ...]]
) -> None:
    """Raises StorageError where two items of a section mean the same by different names, one of them absent or not."""

    def devices(text: str) -> list[str]:
        return [device.key for key in resolve(text, where) if (device := machine.find(key))]

    meant: list[tuple[str, str, list[str]]] = [("tags", f"tags: {text}", devices(text)) for text, _tags in want.tags]
    for node, item in items.items():
        found: list[str] = []
        if isinstance(item, Partition):
            part = partition.find_item(machine, item)
            found = [part.key] if part else []
        elif isinstance(item, (OnDevice, CacheSet)):
            found = devices(item.name)
        meant.append((node.section, node.place, found))
    places: dict[tuple[str, str], str] = {}
    for section, place, keys in meant:
        for key in keys:
            if places.setdefault((section, key), place) != place:
                raise StorageError(f"{places[section, key]} and {place} both mean {key}; say it once")


def _check_caches(machine: Machine, items: Mapping[Node, Any], where: Mapping[str, tuple[str, ...]]) -> None:
    """Raises StorageError where a cache set is to be absent, and a bcache is to use it."""

    def key(text: str) -> str:
        found = resolve(text, where)[0]
        return getattr(machine.find(found), "key", found)

    used = {
        key(item.cache_device): node.place
        for node, item in items.items()
        if isinstance(item, Bcache) and item.state != "absent" and item.cache_device
    }
    for node, item in items.items():
        if isinstance(item, CacheSet) and item.state == "absent" and key(item.cache_device) in used:
            user = used[key(item.cache_device)]
            raise StorageError(f"{node.place} is to be absent, and {user} is to use it; take one of them out")


def _check_stays_absent(after: Machine, items: Mapping[Node, Any]) -> None:
    """Raises StorageError where a partition is to be absent that the plan makes to stand for a disk."""
    for node, item in items.items():
        if isinstance(item, Partition) and item.state == "absent" and (there := partition.find_item(after, item)):
            raise StorageError(
                f"{node.place} is to be absent, and {there.disk} can take part in something only by a partition there; "
                "take one of them out of the document"
            )


def _check_foreign(machine: Machine, items: Mapping[Node, Any]) -> None:
    """A name of a new item that is another device's is refused by the region only once it comes to that."""
    kinds = {"partitions": "partition", "raids": "raid", "bcaches": "bcache", "datastores": "datastore"}
    short = {device.key.rpartition("/")[2]: device for device in machine.devices.values()}
    for node, item in items.items():
        there = short.get(item.name)
        kind = kinds.get(node.section)
        if there is None or kind is None or there.kind == kind or item.state == "absent":
            continue
        if there.kind == LEFTOVER:
            raise StorageError(
                f"{node.place}: MAAS keeps something of that name whose disks have gone. Remove that in a task of its "
                "own (state: absent), or choose another name"
            )
        raise StorageError(f"{node.place}: there is a {there.kind} of that name already; choose another one")
