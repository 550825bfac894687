# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives: a volume group, its devices, and its logical volumes."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import Refused, StorageError
from ..core.plan import Plan
from ..document.drive import Drive
from ..document.names import check_name
from ..document.sizes import show_size
from . import volume
from .actions import Call, Only, fields, future, keeps, members, step
from .filesystem import put_to_use
from .safety import check_once, check_uuid, take
from .stand_in import dropped, leaving, place, whole_boot_disk
from .state import Group, Machine
from .volume import Steps, path, with_group


def find(machine: Machine, name: str, uuid: str = "") -> Group | None:
    """The group of that name. Raises Refused where there are several, none of them of the ``uuid``.

    MAAS lets a name be used again, and two tasks at once do that.
    """
    found = [one for one in machine.groups if one.name == name]
    if len(found) > 1:
        found = [one for one in found if uuid and one.uuid == uuid] or found
    if len(found) > 1:
        over = " and ".join(f"{' '.join(one.devices)} (uuid {one.uuid})" for one in found)
        raise Refused(
            f"drive {name}: there are {len(found)} volume groups of this name, over {over}; say the uuid of the one "
            "that is meant, with another name to have it renamed"
        )
    return found[0] if found else None


def meant(machine: Machine, name: str, renames: Mapping[str, str], uuids: Mapping[str, str]) -> Group | None:
    """The group of that name, of the one that it had before, or of its UUID."""
    uuid = uuids.get(name, "")
    found = find(machine, name, uuid) or (find(machine, renames[name], uuid) if name in renames else None)
    return found or next((one for one in machine.groups if uuid and one.uuid == uuid), None)


def plan(
    machine: Machine,
    want: Drive,
    allow: bool,
    renames: Mapping[str, str],
    uuids: Mapping[str, str],
) -> Plan:
    """``renames`` are former names, and ``uuids`` wanted UUIDs, of the drive by its name and of volumes by
    ``DRIVE/NAME``.

    What becomes smaller does so before a device leaves, and what becomes larger, or is made, once it has.
    """
    uuid = uuids.get(want.name, "")
    if want.state == "absent":
        return _absent(machine, want, find(machine, want.name, uuid), allow)
    there = meant(machine, want.name, renames, uuids)
    if uuid and (there is None or uuid != there.uuid):
        check_uuid(uuid, f"drive {want.name}")
    if there is None or want.name != there.name:
        check_name(want.name, "drive", longest=127)
    if there is None:
        steps, machine, group = _create(machine, want, allow, uuid)
        gone: tuple[str, ...] = ()
    else:
        steps, machine, group, gone = _grown(machine, want, there, allow, uuid)
    after = group._replace(devices=tuple(key for key in group.devices if key not in gone))
    wishes = volume.sized(machine, after, want.volumes or (), renames, uuids)
    for wish in wishes:
        if wish.shrinks:
            more, machine, group = volume.settle(machine, group, wish)
            steps += more
    if gone:
        more, machine, group = _left(machine, want, group, gone)
        steps += more
    for wish in wishes:
        more, machine, group = volume.settle(machine, group, wish)
        steps += more
        device = machine.devices[wish.key]
        more, machine = put_to_use(machine, device, wish.want.use, allow, uuids.get(f"{wish.key}: filesystem", ""))
        steps += more
    return Plan(steps, machine)


def _create(machine: Machine, want: Drive, allow: bool, uuid: str) -> tuple[Steps, Machine, Group]:
    if want.devices is None:
        raise StorageError(f"drive {want.name} does not exist, and to create it, say also: devices")
    devices = [place(machine, machine.device(text, f"drive {want.name}"), ()) for text in want.devices]
    check_once(devices, f"drive {want.name}")
    steps: Steps = ()
    for device in devices:
        more, machine = take(machine, device, f"a device of drive {want.name}", allow)
        steps += more
    given = members(machine, tuple(device.key for device in devices))
    keys = []
    for device in devices:
        machine, key = whole_boot_disk(machine, device)
        keys.append(key)
    groups = f"nodes/{machine.system_id}/volume-groups/"
    call = Call(
        "POST",
        groups,
        fields(name=want.name, uuid=uuid or None, **given),
        keeps=keeps(machine, "volume-group", want.name),
    )
    group = Group(future(machine, "volume-group", want.name), want.name, tuple(keys), (), uuid)
    detail = f"volume group on {' '.join(device.key for device in devices)}, {show_size(machine.group_size(group))}"
    machine = machine.holding(group.devices, "lvm-pv", f"drive {want.name}")
    only = Only(path(machine, group), groups, "", "name", want.name, call.keeps, f"volume group {want.name}")
    return (*steps, step("create", "drive", want.name, detail, call, only)), with_group(machine, None, group), group


def _grown(
    machine: Machine, want: Drive, there: Group, allow: bool, uuid: str
) -> tuple[Steps, Machine, Group, tuple[str, ...]]:
    """Its name, its UUID and the devices that come in; and those that are to leave once nothing needs them."""
    steps: Steps = ()
    group = there
    if want.name != there.name:
        call = Call("PUT", path(machine, there), fields(name=want.name))
        steps += (step("rename", "drive", want.name, f"from {there.name}", call),)
        machine, group = _renamed(machine, there, want.name)
    if uuid and uuid != group.uuid:
        call = Call("PUT", path(machine, there), fields(uuid=uuid))
        steps += (step("set", "drive", want.name, f"UUID {uuid}", call),)
        changed = group._replace(uuid=uuid)
        machine, group = with_group(machine, group, changed), changed
    if want.devices is None:
        return steps, machine, group, ()
    named = [machine.device(text, f"drive {want.name}") for text in want.devices]
    wanted = [place(machine, device, there.devices) for device in named]
    check_once(wanted, f"drive {want.name}")
    keys = [device.key for device in wanted]
    new = tuple(key for key in keys if key not in there.devices)
    gone = tuple(key for key in there.devices if key not in keys)
    for key in new:
        more, machine = take(machine, machine.devices[key], f"a device of drive {want.name}", allow)
        steps += more
    if new:
        call = Call("PUT", path(machine, there), fields(**members(machine, new, "add_")))
        steps += (step("change", "drive", want.name, f"add {' '.join(new)}", call),)
        inside = []
        for key in new:
            machine, whole = whole_boot_disk(machine, machine.devices[key])
            inside.append(whole)
        changed = group._replace(devices=(*group.devices, *inside))
        machine = machine.holding(tuple(inside), "lvm-pv", f"drive {want.name}")
        machine, group = with_group(machine, group, changed), changed
    return steps, machine, group, gone


def _left(machine: Machine, want: Drive, group: Group, gone: tuple[str, ...]) -> tuple[Steps, Machine, Group]:
    """Without devices that its volumes do not need."""
    after = group._replace(devices=tuple(key for key in group.devices if key not in gone))
    if machine.group_free(after) < 0:
        raise Refused(
            f"drive {want.name}: without {' '.join(gone)} it has {show_size(machine.group_size(after))}, and its "
            "volumes need more"
        )
    notes, machine = leaving(machine, gone, gone)
    call = Call("PUT", path(machine, group), fields(**members(machine, gone, "remove_")))
    one = step("change", "drive", want.name, f"remove {' '.join(gone)}", *notes, call)
    machine = with_group(machine.blank(*gone), group, after)
    more, machine = dropped(machine, gone)
    return (one, *more), machine, after


def _renamed(machine: Machine, group: Group, name: str) -> tuple[Machine, Group]:
    """The keys of volumes begin with their group's name."""
    keys = {key: f"{name}/{key[len(group.name) + 1 :]}" for key in group.volumes}
    devices = {
        keys.get(key, key): one._replace(key=keys.get(key, key), used_for="" if key in keys else one.used_for)
        for key, one in machine.devices.items()
    }
    changed = group._replace(name=name, volumes=tuple(keys.values()))
    return with_group(machine._replace(devices=devices), group, changed), changed


def shrink(machine: Machine, want: Drive, renames: Mapping[str, str], uuids: Mapping[str, str], later: Machine) -> Plan:
    """Volumes that become smaller, before the drive itself is planned: what lies below them may too.

    ``later`` is the machine with its arrays as large as they are going to be, by which shares of the group count.
    """
    group = meant(machine, want.name, renames, uuids)
    if group is None:
        return Plan((), machine)
    named = [machine.find(text) for text in want.devices or ()]
    stays = want.devices is None or {place(machine, one, group.devices).key for one in named if one} == {*group.devices}
    smaller = later.group_size(group) < machine.group_size(group)
    return volume.shrink(machine, group, want, renames, later if stays and smaller else None)


def _absent(machine: Machine, want: Drive, there: Group | None, allow: bool) -> Plan:
    if there is None:
        return Plan((), machine)
    steps: Steps = ()
    for key in there.volumes:
        more, machine, there = volume.remove(machine, there, key, f"drive {want.name} cannot be removed", allow, key)
        steps += more
    notes, machine = leaving(machine, there.devices, there.devices)
    call = Call("DELETE", path(machine, there))
    steps += (step("remove", "drive", want.name, "its volume group", *notes, call),)
    machine = machine.blank(*there.devices)
    machine = machine._replace(groups=tuple(one for one in machine.groups if one.id != there.id))
    more, machine = dropped(machine, there.devices)
    return Plan(steps + more, machine)
