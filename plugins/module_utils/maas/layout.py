# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's whole storage: each item planned on the state that those before it lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, both
from ..document.bcache import Bcache
from ..document.disk import Candidate, choose
from ..document.document import Item, bound, check_once, claims, disk_nodes, nodes, permitted_by_name, resolve
from ..document.drive import Drive
from ..document.filesystem import OnDevice
from ..document.partition import Partition
from ..document.raid import Raid
from ..document.references import Node, check_names, in_order
from . import bcache, drive, filesystem, partition, raid, safety, survey
from .actions import TAGS, USE, Call, at, fields, step
from .state import ALLOCATED, DISK, READY, Machine
from .words import Special, Wanted

_ROTARY = "rotary"


class Going(NamedTuple):
    """An item that is to be removed, and whether it may lose what it holds."""

    item: Any
    allow: bool


def plan(machine: Machine, want: Wanted, allow: tuple[str, ...]) -> Plan:
    """What it takes. ``allow``: the items on whose way filesystems may be removed. Raises what the planners raise."""
    before = machine
    items = nodes(want.document)
    known = check_names((*disk_nodes(want.document), *items))
    whole = _base_layout(machine, want, allow)
    if whole.in_progress:
        return _checked(before, whole)
    machine = whole.after
    _check_foreign(machine, items)
    where = _where(machine, want, items)
    others = survey.others(machine, want, where) if want.document.exact else []
    _check_allowed(others, items, allow, want)
    ordered = [node for node in in_order(tuple(items), known) if node in items]
    check_once(tuple(ordered), items, where, lambda text, _role: getattr(machine.find(text), "key", text))
    whole = _boot_disk(whole, want)
    going = [Going(item, True) for item in others]
    going += [
        Going(bound(node.section, items[node], where), items[node].name in allow)
        for node in reversed(ordered)
        if items[node].state == "absent"
    ]
    going += [Going(one, True) for one in want.special or () if one.state == "absent"]
    whole, waiting = _removed(whole, going)
    coming = {node: bound(node.section, items[node], where) for node in ordered if items[node].state != "absent"}
    whole = _made(whole, want, coming, known, allow)
    whole = _swept(whole, want, where)
    for one in want.special or ():
        if one.state != "absent":
            whole = both(whole, filesystem.plan_special(whole.after, one))
    whole, waiting = _removed(whole, waiting)
    if waiting:
        _plan_going(whole.after, waiting[0])
    return _checked(before, _tags(whole, want, where))


def _made(
    whole: Plan, want: Wanted, coming: Mapping[Node, Item], known: Mapping[str, Node], allow: tuple[str, ...]
) -> Plan:
    """Bottom-up; what is refused, and what is made of that, once more when others may have let go of a device."""
    left = list(coming)
    while left:
        waiting: list[Node] = []
        refusals: list[str] = []
        for node in left:
            if any(known.get(reference.text) in waiting for reference in node.references):
                waiting.append(node)
                continue
            # What an item is called in the document, whatever device is meant by that.
            name = node.place.partition(": ")[2]
            try:
                whole = both(whole, _plan_item(whole.after, want, coming[node], name in allow))
            except Refused as error:
                refusals.append(permitted_by_name(str(error), name))
                waiting.append(node)
        if len(waiting) == len(left):
            # Each may be the reason for the others.
            raise Refused(" Also: ".join(refusals))
        left = waiting
    return whole


def _plan_item(machine: Machine, want: Wanted, item: Item, allow: bool) -> Plan:
    if isinstance(item, Partition):
        return partition.plan(machine, item, allow, want.bootable.get(item.name))
    if isinstance(item, Raid):
        return raid.plan(machine, item, allow, want.renames.get(f"raids: {item.name}", ""))
    if isinstance(item, Bcache):
        return bcache.plan(machine, item, allow, want.renames.get(f"bcaches: {item.name}", ""))
    if isinstance(item, Drive):
        renames = {key[len("drives: ") :]: old for key, old in want.renames.items() if key.startswith("drives: ")}
        return drive.plan(machine, item, allow, renames)
    return filesystem.plan(machine, item, allow)


def _plan_going(machine: Machine, going: Going) -> Plan:
    item = going.item
    if isinstance(item, Special):
        return filesystem.plan_special(machine, item)
    if isinstance(item, OnDevice) and machine.find(item.device) is None:
        return Plan((), machine)
    try:
        return _plan_item(machine, Wanted(survey.NOTHING), item, going.allow)
    except Refused as error:
        raise Refused(permitted_by_name(str(error), item.name)) from None


def _removed(whole: Plan, going: list[Going]) -> tuple[Plan, list[Going]]:
    """Top-down, in as many rounds as it takes; and what others, which stay for now, still hold."""
    left = going
    while True:
        waiting: list[Going] = []
        for one in left:
            try:
                whole = both(whole, _plan_going(whole.after, one))
            except Refused:
                waiting.append(one)
        if not waiting or len(waiting) == len(left):
            return whole, waiting
        left = waiting


def _swept(whole: Plan, want: Wanted, where: Mapping[str, tuple[str, ...]]) -> Plan:
    """Where bcaches go, so do cache sets that are left over, also of a run that was cut off."""
    items = [item for item in want.document.sections.get("bcaches", ()) if isinstance(item, Bcache)]
    if not want.document.exact and all(item.state != "absent" for item in items):
        return whole
    if "bcaches" not in want.document.sections:
        return whole
    caches = {
        device.key
        for item in items
        if item.state != "absent" and item.cache_device
        for text in resolve(item.cache_device, where)
        if (device := whole.after.find(text))
    }
    return both(whole, bcache.sweep(whole.after, caches))


# What is not an item


def _base_layout(machine: Machine, want: Wanted, allow: tuple[str, ...]) -> Plan:
    """A ready-made layout of the region's, where the machine does not have it; it wipes all that there is."""
    name = want.base_layout
    if name is None or _has_layout(machine, want, name):
        return Plan((), machine)
    found = [one.key for one in machine.devices.values() if one.filesystem or one.member or machine.partitions(one.key)]
    if found and "base_layout" not in allow:
        raise Refused(
            f"base_layout: {name} removes all that {machine.hostname} has ({' '.join(found)}); add base_layout to "
            "allow_destroy to have that"
        )
    one = step(
        "apply",
        "base layout",
        name,
        "on blank disks",
        Call("POST", f"machines/{machine.system_id}/", fields(storage_layout=name), op="set_storage_layout"),
        destroys=tuple(f"{key}: its storage configuration" for key in found),
    )
    disks = {key: disk for key, disk in machine.devices.items() if disk.kind == DISK}
    blank = machine._replace(devices=disks, raids=(), cache_sets=(), bcaches=(), groups=(), special=())
    blank = blank.blank(*disks)
    if name == "blank":
        return Plan((one,), blank)
    rest = want._replace(base_layout=None)
    more = (f"{machine.hostname}: what else is wanted is planned on base layout {name}",) if _says(rest) else ()
    return Plan((one,), blank, in_progress=more or (f"{machine.hostname}: base layout {name}",))


def _says(want: Wanted) -> bool:
    return bool(want.document.sections or want.special or want.tags or want.boot_disk)


def _has_layout(machine: Machine, want: Wanted, name: str) -> bool:
    """Blank: nothing beside the document. The others are known by what the root filesystem is on."""
    if name != "blank":
        root = machine.mounted("/")
        return root is not None and root.kind == {"flat": "partition", "lvm": "volume", "bcache": "bcache"}[name]
    return not survey.others(machine, want, _where(machine, want, nodes(want.document)), everything=True)


def _boot_disk(whole: Plan, want: Wanted) -> Plan:
    machine = whole.after
    if want.boot_disk is None:
        return whole
    disk = machine.device(want.boot_disk, "boot_disk")
    if disk.kind != DISK:
        raise StorageError(f"boot_disk: {disk.key} is a {disk.kind}, and a machine boots from a disk")
    if disk.key == machine.boot_disk:
        return whole
    if disk.filesystem or disk.member:
        raise Refused(f"boot_disk: {disk.key} is in use as a whole ({disk.used_for}); a boot disk has partitions")
    call = Call("POST", at(machine, disk), op="set_boot_disk")
    one = step("set", "boot disk", disk.key, f"instead of {machine.boot_disk or 'none'}", call)
    return both(whole, Plan((one,), machine._replace(boot_disk=disk.key)))


def _tags(whole: Plan, want: Wanted, where: Mapping[str, tuple[str, ...]]) -> Plan:
    for text, wanted in want.tags:
        for key in resolve(text, where):
            machine = whole.after
            device = machine.device(key, "tags")
            calls = [
                Call("POST", at(machine, device), fields(tag=tag), op="add_tag")
                for tag in wanted
                if tag not in device.tags
            ]
            calls += [
                Call("POST", at(machine, device), fields(tag=tag), op="remove_tag")
                for tag in device.tags
                if tag not in wanted
            ]
            if calls:
                one = step("tag", "device", device.key, " ".join(wanted) or "none", *calls)
                whole = both(whole, Plan((one,), machine.with_device(device._replace(tags=wanted))))
    return whole


# Checks over all


def _checked(machine: Machine, whole: Plan) -> Plan:
    """Raises Refused where the region would not let the machine be changed in its state."""
    calls = [action for one in whole.steps for action in one.actions if isinstance(action, Call)]
    use = [call for call in calls if call.op in USE]
    structure = [call for call in calls if call.op not in (*USE, *TAGS)]
    if structure and machine.status != READY:
        what, states = _what(whole.steps, structure[0]), READY
    elif use and machine.status not in (READY, ALLOCATED):
        what, states = _what(whole.steps, use[0]), f"{READY} or {ALLOCATED}"
    else:
        return whole
    raise Refused(
        f"{machine.hostname} is {machine.status}, and MAAS lets this be changed only while it is {states}: {what}"
    )


def _what(steps: tuple[Step, ...], call: Call) -> str:
    return next(str(one) for one in steps if call in one.actions)


def _check_allowed(others: list[Any], items: Mapping[Node, Item], allow: tuple[str, ...], want: Wanted) -> None:
    refused = [survey.place(other) for other in others if other.name not in allow]
    if refused:
        raise Refused(
            f"not in the document, and mode exact would remove: {', '.join(refused)}. Name them in the document, or "
            "add them to allow_destroy"
        )
    known = {item.name for item in items.values()} | {"base_layout"}
    unknown = [name for name in allow if name not in known]
    # What only the machine had by that name may be gone since.
    if unknown and not want.document.exact:
        raise StorageError(f"allow_destroy: {unknown[0]} is no item of the document")


def _check_foreign(machine: Machine, items: Mapping[Node, Item]) -> None:
    """A name of a new item that is another device's is refused by the region only once it comes to that."""
    kinds = {"partitions": "partition", "raids": "raid", "bcaches": "bcache"}
    short = {device.key.rpartition("/")[2]: device for device in machine.devices.values()}
    for node, item in items.items():
        there = short.get(item.name)
        kind = kinds.get(node.section)
        if there and kind and there.kind != kind:
            raise StorageError(f"{node.place}: there is a {there.kind} of that name already; choose another one")


# Names


def _where(machine: Machine, want: Wanted, items: Mapping[Node, Item]) -> dict[str, tuple[str, ...]]:
    """The keys that the document's names stand for."""
    where: dict[str, tuple[str, ...]] = {}
    for item in items.values():
        if isinstance(item, Partition):
            there = partition.find(machine, item.name)
            where[item.name] = (there.key if there else item.name,)
        elif isinstance(item, (Raid, Bcache)):
            where[item.name] = (item.name,)
        elif isinstance(item, Drive):
            for volume in item.volumes or ():
                where[f"{item.name}/{volume.name}"] = (f"{item.name}/{volume.name}",)
    if want.document.disks:
        claimed = claims(want.document, items, lambda item, role: _disks(machine, made_of(machine, item, role)))
        where.update(choose(want.document.disks, candidates(machine), claimed))
    return where


def candidates(machine: Machine) -> tuple[Candidate, ...]:
    """The machine's disks, with what they can be chosen by."""
    return tuple(
        Candidate(
            path=disk.key,
            serial=disk.serial,
            model=disk.model,
            rotational=_ROTARY in disk.tags,
            size=disk.size,
            free=not disk.member and not machine.partitions(disk.key),
            holds=safety.describe(disk.filesystem) if disk.filesystem else "",
            tags=disk.tags,
            id_path=disk.id_path,
            numa_node=disk.numa_node,
        )
        for disk in machine.devices.values()
        if disk.kind == DISK
    )


def _disks(machine: Machine, keys: tuple[str, ...]) -> tuple[str, ...]:
    """With the disk of each partition, which the region may have made in its stead."""
    return tuple(machine.devices[key].disk or key for key in keys)


def made_of(machine: Machine, item: Item, what: str) -> tuple[str, ...]:
    """The devices that an item consists of already; of a bcache, one or (``what``: cache) the other."""
    if isinstance(item, Partition):
        there = partition.find(machine, item.name)
        return (there.disk,) if there else ()
    if isinstance(item, Raid):
        array = raid.find(machine, item.name)
        return array.members + array.spares if array else ()
    if isinstance(item, Bcache):
        cached = bcache.find(machine, item.name)
        if cached is None:
            # A run that was cut off may have come as far as the cache set.
            return tuple(one.device for one in bcache.unused_sets(machine)) if what == "cache" else ()
        if what != "cache":
            return (cached.backing,)
        return tuple(one.device for one in machine.cache_sets if one.id == cached.cache_set)
    if isinstance(item, Drive):
        group = drive.find(machine, item.name)
        return group.devices if group else ()
    point = item.use.mount_point
    mounted = machine.mounted(point) if point else None
    return (mounted.key,) if mounted else ()
