# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logical volumes of a drive. All their sizes are settled before the first of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..core.errors import Refused
from ..core.plan import Plan, Step
from ..document.drive import Drive, Volume, check_volume_name
from ..document.sizes import Percent, show_size
from .actions import Call, at, fields, future, keeps, step, unchanged
from .safety import check_unused, check_uuid, lost
from .state import BLOCK, VOLUME, Device, Group, Machine, whole_blocks

Steps = tuple[Step, ...]


class Wish(NamedTuple):
    """A wanted volume: its ``key``, and the one that it has so far (empty: there is none); the ``size`` that it gets.

    ``rest``: it is whatever is left when nothing else comes after it.
    """

    want: Volume
    key: str
    now: str
    size: int
    uuid: str = ""
    shrinks: bool = False
    rest: bool = False


def path(machine: Machine, group: Group) -> str:
    return f"nodes/{machine.system_id}/volume-group/{group.id}/"


def with_group(machine: Machine, old: Group | None, new: Group) -> Machine:
    """With a group, instead of the one that it was."""
    kept = tuple(one for one in machine.groups if old is None or one.id != old.id)
    return machine._replace(groups=(*kept, new))


def _now(machine: Machine, group: Group, want: Volume, drive: str, renames: Mapping[str, str]) -> Device | None:
    """The volume of that name, or of its former one."""
    former = renames.get(f"{drive}/{want.name}")
    found = machine.devices.get(f"{group.name}/{want.name}")
    return found or (machine.devices.get(f"{group.name}/{former}") if former else None)


def sized(
    machine: Machine,
    group: Group,
    volumes: tuple[Volume, ...],
    renames: Mapping[str, str],
    uuids: Mapping[str, str],
) -> tuple[Wish, ...]:
    """What each gets of the group as it is going to be. Raises Refused where it does not hold them."""
    whole = machine.group_size(group)
    wishes = []
    for want in volumes:
        key, device = f"{group.name}/{want.name}", _now(machine, group, want, group.name, renames)
        size = _fixed(want, whole, device)
        wish = Wish(want, key, device.key if device else "", -1 if size is None else size, uuids.get(key, ""))
        wishes.append(wish._replace(rest=size is None))
    others = sum(machine.devices[key].size for key in group.volumes if key not in [wish.now for wish in wishes])
    left = whole - others - sum(wish.size for wish in wishes if not wish.rest)
    found: list[Wish] = []
    taken = others
    for number, wish in enumerate(wishes):
        size = wish.size
        if wish.rest:
            size, left = max(left, 0), 0
        # Those after it that do not grow are not looked at themselves.
        later = [one for one in wishes[number + 1 :] if not one.rest and one.now]
        kept = sum(one.size for one in later if one.size <= machine.devices[one.now].size)
        _check_room(machine, group, wish, size, whole - taken - kept)
        taken += size
        shrinks = bool(wish.now) and size < machine.devices[wish.now].size
        found.append(wish._replace(size=size, shrinks=shrinks))
    # Only what comes last can be left to the region to size.
    last = max((number for number, wish in enumerate(found) if _changes(machine, wish)), default=-1)
    return tuple(wish._replace(rest=wish.rest and number == last) for number, wish in enumerate(found))


def _fixed(want: Volume, whole: int, there: Device | None) -> int | None:
    """The size that it is to have, as the region rounds it. None: what is left."""
    if want.size is None:
        return there.size if there else None
    if want.size == Percent(100):
        return None
    size = want.size.of(whole) if isinstance(want.size, Percent) else want.size
    return size if there and size == there.size else whole_blocks(size)


def _check_room(machine: Machine, group: Group, wish: Wish, size: int, room: int) -> None:
    if wish.now and size <= machine.devices[wish.now].size and size >= BLOCK:
        return
    if size > room or size < BLOCK:
        asked = size if wish.size < 0 else wish.size
        what = "has room for" if wish.now else "has"
        left = "" if wish.now else " left"
        raise Refused(
            f"volume {wish.key}: {show_size(asked)} is wanted, and drive {group.name} {what} "
            f"{show_size(max(room, 0))}{left}"
        )


def _changes(machine: Machine, wish: Wish) -> bool:
    return not wish.now or wish.size > machine.devices[wish.now].size


def settle(machine: Machine, group: Group, wish: Wish) -> tuple[Steps, Machine, Group]:
    """As it is wished to be, its filesystem apart."""
    now = wish.key if wish.key in machine.devices else wish.now
    device = machine.devices.get(now) if now else None
    if wish.uuid and (device is None or device.uuid != wish.uuid):
        check_uuid(wish.uuid, f"volume {wish.key}")
    if device is None:
        return _create(machine, group, wish)
    told: dict[str, int | str] = {}
    if device.key != wish.key:
        _check_name(machine, group, wish)
        told["name"] = wish.want.name
    if wish.size != device.size:
        told["size"] = wish.size
    if wish.uuid and wish.uuid != device.uuid:
        told["uuid"] = wish.uuid
    if not told:
        return (), machine, group
    what = [f"from {device.key[len(group.name) + 1 :]}"] * ("name" in told)
    what += [f"{show_size(device.size)} to {show_size(wish.size)}"] * ("size" in told)
    what += [f"UUID {wish.uuid}"] * ("uuid" in told)
    verb = "resize" if "size" in told else "rename" if "name" in told else "set"
    one = step(verb, "volume", wish.key, ", ".join(what), Call("PUT", at(machine, device), fields(**told)))
    changed = device._replace(key=wish.key, size=wish.size, used_for="", uuid=wish.uuid or device.uuid)
    machine = machine.without(device.key).with_device(changed)
    after = group._replace(volumes=tuple(wish.key if key == device.key else key for key in group.volumes))
    return (one,), with_group(machine, group, after), after


def _check_name(machine: Machine, group: Group, wish: Wish) -> None:
    """Short names share one space with all other devices of a machine."""
    name = wish.want.name
    check_volume_name(name, group.name)
    taken = next((one for one in machine.devices.values() if one.key.rpartition("/")[2] == name), None)
    if taken:
        raise Refused(f"volume {wish.key}: {taken.key} has that name already, and MAAS takes each once in a machine")


def _create(machine: Machine, group: Group, wish: Wish) -> tuple[Steps, Machine, Group]:
    _check_name(machine, group, wish)
    call = Call(
        "POST",
        path(machine, group),
        fields(name=wish.want.name, size=None if wish.rest else wish.size, uuid=wish.uuid or None),
        op="create_logical_volume",
        keeps=keeps(machine, "volume", wish.key),
    )
    made = Device(wish.key, future(machine, "volume", wish.key), VOLUME, wish.size, uuid=wish.uuid)
    after = group._replace(volumes=(*group.volumes, wish.key))
    one = step("create", "volume", wish.key, show_size(wish.size), call)
    return (one,), with_group(machine.with_device(made), group, after), after


def shrink(machine: Machine, group: Group, want: Drive, renames: Mapping[str, str], later: Machine | None) -> Plan:
    """Those whose wanted size is a number, and less than they have; with ``later`` also shares of what that has."""
    steps: Steps = ()
    shares = {wish.now: wish.size for wish in sized(later, group, want.volumes or (), renames, {})} if later else {}
    for one in want.volumes or ():
        device = _now(machine, group, one, want.name, renames)
        if device is None:
            continue
        size = shares.get(device.key, device.size)
        if isinstance(one.size, int):
            size = device.size if one.size == device.size else whole_blocks(one.size)
        if BLOCK <= size < device.size:
            wish = Wish(one._replace(name=device.key[len(group.name) + 1 :]), device.key, device.key, size)
            more, machine, group = settle(machine, group, wish)
            steps += more
    return Plan(steps, machine)


def remove(machine: Machine, group: Group, key: str, what: str, allow: bool, who: str) -> tuple[Steps, Machine, Group]:
    """Without one. Raises Refused where it is in use, or holds something without permission, as ``who`` does."""
    device = machine.devices[key]
    check_unused(machine, device, what)
    call = Call("POST", path(machine, group), fields(id=device.id), op="delete_logical_volume")
    one = step(
        "remove",
        "volume",
        key,
        show_size(device.size),
        call,
        claims=unchanged(machine, device),
        destroys=lost(device, what, allow, who=who),
    )
    after = group._replace(volumes=tuple(other for other in group.volumes if other != key))
    return (one,), with_group(machine.without(key), group, after), after
