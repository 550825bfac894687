# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives: a volume group and its logical volumes."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, placeholder
from ..document.drive import Drive, Volume
from ..document.sizes import Percent, show_size
from .actions import Call, at, fields, members, step, unchanged
from .filesystem import put_to_use
from .partition import left_over, stand_in, whole_boot_disk
from .safety import check_once, check_unused, lost, take
from .state import BLOCK, VOLUME, Device, Group, Machine, whole_blocks

Steps = tuple[Step, ...]


def find(machine: Machine, name: str) -> Group | None:
    """The group of that name. Raises Refused where there are several: MAAS lets a name be used again."""
    found = [one for one in machine.groups if one.name == name]
    if len(found) > 1:
        over = " and ".join(" ".join(one.devices) for one in found)
        raise Refused(
            f"drive {name}: there are {len(found)} volume groups of this name, over {over}; rename one of them"
        )
    return found[0] if found else None


def plan(machine: Machine, want: Drive, allow: bool, renames: Mapping[str, str] | None = None) -> Plan:
    """``renames``: former names, of the drive by its name and of volumes by ``DRIVE/NAME``."""
    renames = renames or {}
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    there = there or (find(machine, renames[want.name]) if want.name in renames else None)
    steps, machine, group = _create(machine, want, allow) if there is None else _change(machine, want, there, allow)
    for volume in want.volumes or ():
        more, machine, group, device = _volume(machine, group, volume, renames.get(f"{want.name}/{volume.name}", ""))
        steps += more
        if volume.filesystem:
            check_unused(machine, device, "refused for a filesystem")
        more, machine = put_to_use(machine, device, volume.use, allow)
        steps += more
    return Plan(steps, machine)


def _path(machine: Machine, group: Group) -> str:
    return f"nodes/{machine.system_id}/volume-group/{group.id}/"


def _with(machine: Machine, old: Group | None, new: Group) -> Machine:
    kept = tuple(one for one in machine.groups if one is not old)
    return machine._replace(groups=(*kept, new))


def _create(machine: Machine, want: Drive, allow: bool) -> tuple[Steps, Machine, Group]:
    if want.devices is None:
        raise StorageError(f"drive {want.name} does not exist, and to create it, say also: devices")
    devices = [machine.device(text, f"drive {want.name}") for text in want.devices]
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
    path = f"nodes/{machine.system_id}/volume-groups/"
    call = Call("POST", path, fields(name=want.name, **given), keeps=f"volume-group:{want.name}")
    group = Group(placeholder("volume-group", want.name), want.name, tuple(keys), ())
    detail = f"volume group on {' '.join(device.key for device in devices)}, {show_size(machine.group_size(group))}"
    machine = machine.holding(group.devices, "lvm-pv", f"drive {want.name}")
    return (*steps, step("create", "drive", want.name, detail, call)), _with(machine, None, group), group


def _change(machine: Machine, want: Drive, there: Group, allow: bool) -> tuple[Steps, Machine, Group]:
    """Its name and its devices: those that come in come first, so that the volumes fit all the time."""
    steps: Steps = ()
    path, group = _path(machine, there), there
    if want.name != there.name:
        call = Call("PUT", path, fields(name=want.name))
        steps += (step("rename", "drive", want.name, f"from {there.name}", call),)
        machine, group = _renamed(machine, there, want.name)
    if want.devices is not None:
        named = [machine.device(text, f"drive {want.name}") for text in want.devices]
        wanted = [stand_in(machine, device, there.devices) for device in named]
        check_once(wanted, f"drive {want.name}")
        keys = [device.key for device in wanted]
        new = tuple(key for key in keys if key not in there.devices)
        gone = tuple(key for key in there.devices if key not in keys)
        for key in new:
            more, machine = take(machine, machine.devices[key], f"a device of drive {want.name}", allow)
            steps += more
        if new or gone:
            inside = []
            for key in keys:
                machine, whole = (
                    (machine, key) if key in there.devices else whole_boot_disk(machine, machine.devices[key])
                )
                inside.append(whole)
            after = group._replace(devices=tuple(inside))
            if machine.group_free(after) < 0:
                raise Refused(
                    f"drive {want.name}: without {' '.join(gone)} it has {show_size(machine.group_size(after))}, and "
                    "its volumes need more"
                )
            for word, some in (("add", new), ("remove", gone)):
                if some:
                    call = Call("PUT", path, fields(**members(machine, some, f"{word}_")))
                    steps += (step("change", "drive", want.name, f"{word} {' '.join(some)}", call),)
            machine = machine.blank(*gone).holding(after.devices, "lvm-pv", f"drive {want.name}")
            machine, group = _with(machine, group, after), after
    return steps, machine, group


def _renamed(machine: Machine, group: Group, name: str) -> tuple[Machine, Group]:
    """The keys of volumes begin with their group's name."""
    keys = {key: f"{name}/{key.partition('/')[2]}" for key in group.volumes}
    devices = {
        keys.get(key, key): one._replace(key=keys.get(key, key), used_for="" if key in keys else one.used_for)
        for key, one in machine.devices.items()
    }
    changed = group._replace(name=name, volumes=tuple(keys.values()))
    return _with(machine._replace(devices=devices), group, changed), changed


def _volume(machine: Machine, group: Group, want: Volume, renamed_from: str) -> tuple[Steps, Machine, Group, Device]:
    key = f"{group.name}/{want.name}"
    there = machine.devices.get(key)
    former = machine.devices.get(f"{group.name}/{renamed_from}") if renamed_from else None
    device = there or former
    if device is None:
        return _create_volume(machine, group, want, key)
    steps: Steps = ()
    told: dict[str, int | str] = {}
    if there is None:
        _check_name(machine, want.name, key)
        told["name"] = want.name
    size = _size(machine, group, want, device)
    if size is not None and size != device.size:
        if size > device.size + machine.group_free(group):
            raise StorageError(
                f"volume {key}: {show_size(size)} is wanted, and drive {group.name} has room for "
                f"{show_size(device.size + machine.group_free(group))}"
            )
        told["size"] = size
    if not told:
        return steps, machine, group, device
    what = [f"from {renamed_from}"] * ("name" in told)
    what += [f"{show_size(device.size)} to {show_size(size or 0)}"] * ("size" in told)
    verb = "resize" if "size" in told else "rename"
    steps += (step(verb, "volume", key, ", ".join(what), Call("PUT", at(machine, device), fields(**told))),)
    changed = device._replace(key=key, size=int(told.get("size", device.size)), used_for="")
    machine = machine.without(device.key).with_device(changed)
    after = group._replace(volumes=tuple(key if one == device.key else one for one in group.volumes))
    return steps, _with(machine, group, after), after, changed


def _check_name(machine: Machine, name: str, key: str) -> None:
    """Short names share one space with all other devices of a machine."""
    taken = next((one for one in machine.devices.values() if one.key.rpartition("/")[2] == name), None)
    if taken:
        raise Refused(f"volume {key}: {taken.key} has that name already, and MAAS takes each once in a machine")


def _size(machine: Machine, group: Group, want: Volume, there: Device | None) -> int | None:
    if want.size is None:
        return None
    room = machine.group_free(group) + (there.size if there else 0)
    if want.size == Percent(100):
        return room
    whole = machine.group_size(group)
    return whole_blocks(want.size.of(whole) if isinstance(want.size, Percent) else want.size)


def _create_volume(machine: Machine, group: Group, want: Volume, key: str) -> tuple[Steps, Machine, Group, Device]:
    _check_name(machine, want.name, key)
    free = machine.group_free(group)
    size = _size(machine, group, want, None)
    size = free if size is None else size
    if size > free or size < BLOCK:
        raise StorageError(
            f"volume {key}: {show_size(size)} is wanted, and drive {group.name} has {show_size(free)} left"
        )
    call = Call(
        "POST",
        _path(machine, group),
        fields(name=want.name, size=None if want.size in (None, Percent(100)) else size),
        op="create_logical_volume",
        keeps=f"volume:{key}",
    )
    made = Device(key, placeholder("volume", key), VOLUME, size)
    after = group._replace(volumes=(*group.volumes, key))
    machine = _with(machine.with_device(made), group, after)
    return (step("create", "volume", key, show_size(size), call),), machine, after, made


def _absent(machine: Machine, want: Drive, there: Group | None, allow: bool) -> Plan:
    if there is None:
        return Plan((), machine)
    what = f"drive {want.name} cannot be removed"
    steps: Steps = ()
    for key in there.volumes:
        device = machine.devices[key]
        check_unused(machine, device, what)
        call = Call("POST", _path(machine, there), fields(id=device.id), op="delete_logical_volume")
        steps += (
            step(
                "remove",
                "volume",
                key,
                show_size(device.size),
                call,
                claims=unchanged(machine, device),
                destroys=lost(device, what, allow, who=key),
            ),
        )
    steps += (step("remove", "drive", want.name, "its volume group", Call("DELETE", _path(machine, there))),)
    for key in there.volumes:
        machine = machine.without(key)
    machine = machine.blank(*there.devices)
    machine = machine._replace(groups=tuple(one for one in machine.groups if one is not there))
    on_boot_disk = tuple(key for key in there.devices if machine.devices[key].disk == machine.boot_disk)
    more, machine = left_over(machine, on_boot_disk)
    return Plan(steps + more, machine)
