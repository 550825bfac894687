# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive: devices as one LVM volume group, whose volumes carry mounted filesystems."""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan
from ...document.drive import NONE, Drive, Volume
from ...document.filesystem import TYPES
from ...document.sizes import Percent
from ..actions import InGroup, Inspect
from ..devices import Device
from ..filesystem.contents import dump_use, target
from ..filesystem.mounts import Carrier, shown_at, use_all
from ..findings import of_devices, of_use, told
from ..host import Host
from ..layer import Found, Reported
from ..mount import plan as mount
from ..mount.fstab import FSTAB
from ..safety import check_once, describe_content, is_below, usage
from ..unfinished import begun, forget, half_made
from . import past as drive_past
from .group import (
    Steps,
    clear_step,
    detached,
    device_path,
    find,
    finish_removal,
    gather,
    leaving,
    moved,
    physical,
    removal,
    replace_group,
    step,
    without_space,
)
from .state import Group, LogicalVolume
from .volume import Made, describe_lock, describe_volume, goal, make, place_of, replace_volume

BY_DEVICE = False


def references(want: Drive) -> tuple[str, ...]:
    """What has to be resolved to plan this drive."""
    return want.devices or ()


def plan(host: Host, want: Drive, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    names = want.devices or ()
    if want.state == "absent":
        # What a drive that is gone was made of may be gone as well.
        names = tuple(name for name in names if host.find(name))
    devices = [host.device(reference, f"drive {want.name}") for reference in names]
    check_once(devices, f"drive {want.name}")
    cleared, host = finish_removal(host, want.name)
    planned = _plan(host, want, devices, allow)
    return planned._replace(steps=cleared + planned.steps, warnings=planned.warnings + _warnings(planned.after, want))


def _warnings(host: Host, want: Drive) -> tuple[str, ...]:
    group = find(host, want.name)
    if group is None:
        return ()
    beside = drive_past.warnings(host, group)
    if want.state != "online":
        return beside
    below = [volume.device for volume in group.physical_volumes]
    own = [volume.device for volume in group.volumes if volume.device]
    return beside + told(f"drive {want.name}", *of_devices(host, *below), *of_use(host, *own))


def _plan(host: Host, want: Drive, devices: list[Device], allow: bool) -> Plan:
    group = find(host, want.name)
    _check_kinds(want, group)
    if want.state == "absent":
        return _absent(host, want, group, devices, allow)
    if want.state == "offline":
        if group is None:
            raise StorageError(f"drive {want.name} does not exist, so it cannot be taken offline")
        return _offline(host, want, group)
    present = tuple(volume for volume in want.volumes or () if volume.state != "absent")
    mount.check_mount_points(present, want.name)
    moving = [volume for volume in leaving(want, group, devices) if volume.device in group.moving] if group else []
    foreign = [path for path in group.moving if path not in [volume.device for volume in moving]] if group else []
    if group and foreign:
        until = f"once the pvmove away from {foreign[0]} has ended"
        later = _online(moved(host, group), want, present, devices, allow).steps
        going = f"drive {want.name}: a pvmove away from {foreign[0]}"
        return Plan((), host, in_progress=(going,), pending=tuple(f"{one}, {until}" for one in later))
    steps: Steps = ()
    if group and moving:
        # LVM neither resizes nor removes what it moves.
        host, group = without_space(host, group, tuple(moving))
        steps, host, group = detached(host, want, group, tuple(moving))
    planned = _online(host, want, present, devices, allow)
    return planned._replace(steps=steps + planned.steps)


def _online(host: Host, want: Drive, present: tuple[Volume, ...], devices: list[Device], allow: bool) -> Plan:
    """The group and its volumes as they are wanted, while no pvmove is on its way."""
    removed, host = _remove_volumes(host, want, find(host, want.name), allow)
    steps, host, group = gather(host, want, find(host, want.name), devices, allow)
    steps = removed + steps
    gone = leaving(want, group, devices)
    host, group = without_space(host, group, gone)
    # Who shrinks makes room for what leaves and for the others; whoever gets all that is left comes last.
    volumes = sorted(present, key=lambda volume: volume.size in (None, Percent(100)))
    shrinking = [volume for volume in volumes if _shrinks(group, volume)]
    made: dict[str, Made] = {}
    for volume in shrinking:
        more, host, made[volume.name] = make(host, want, group, volume, allow)
        steps += more
        group = find(host, want.name) or group
    more, host, group = detached(host, want, group, gone)
    steps += more
    for volume in volumes:
        if volume not in shrinking:
            more, host, made[volume.name] = make(host, want, group, volume, allow)
            steps += more
            group = find(host, want.name) or group
    carriers = [
        Carrier(one.place, volume.use, one.filesystem, volume.size is not None, one.grown)
        for volume in volumes
        for one in (made[volume.name],)
        if one.filesystem is not None
    ]
    more, host = use_all(host, carriers, allow)
    return Plan(steps + more, host)


def _remove_volumes(host: Host, want: Drive, group: Group | None, allow: bool) -> tuple[Steps, Host]:
    """The volumes that are to be absent, out of the way of all others."""
    steps: Steps = ()
    names = [volume.name for volume in want.volumes or () if volume.state == "absent"]
    gone = tuple(volume for volume in group.volumes if volume.name in names) if group else ()
    for logical in _inner_first(host, gone):
        group = find(host, want.name)
        if group is not None:
            full = f"volume {want.name}/{logical.name}"
            more, host = _remove_volume(host, group, logical, allow, full)
            forgotten, host = forget(host, full, (logical.device,))
            steps += more + forgotten
    return steps, host


def _shrinks(group: Group, volume: Volume) -> bool:
    logical = group.volume(volume.name)
    return logical is not None and goal(group, volume, logical) < logical.size


def _target(host: Host, group: Group, logical: LogicalVolume) -> mount.Target:
    filesystem = host.filesystem(logical.device) if logical.active and logical.device else None
    return target(place_of(group, logical), filesystem)


def _check_kinds(want: Drive, group: Group | None) -> None:
    """Raises Refused for a volume by whose name LVM has something that is no device for a filesystem."""
    for logical in _wanted_volumes(want, group) if group else ():
        if not logical.usable:
            raise Refused(
                f"drive {want.name}: {describe_volume(logical)} is no volume that a drive has; choose another name, or "
                "leave it out"
            )


def _wanted_volumes(want: Drive, group: Group) -> tuple[LogicalVolume, ...]:
    if want.volumes is None:
        return tuple(volume for volume in group.volumes if volume.usable)
    names = [volume.name for volume in want.volumes]
    return tuple(volume for volume in group.volumes if volume.name in names)


def _inner_first(host: Host, volumes: tuple[LogicalVolume, ...]) -> list[LogicalVolume]:
    """In the order in which they can be unmounted."""
    return sorted(volumes, key=lambda volume: host.mounted(volume.device)[-1:], reverse=True)


def _take_out_of_use(
    host: Host, group: Group, logical: LogicalVolume, binds: tuple[str, ...] | None
) -> tuple[Steps, Host]:
    """``binds`` are the bind mounts of it that go too (None: all)."""
    full = f"{group.name}/{logical.name}"
    if logical.device:
        holders = host.devices[logical.device].holders
        if holders:
            raise Refused(f"volume {full} is held by {holders[0]}. Take away what uses it first.")
    # A snapshot is active only together with its origin.
    for snapshot in group.snapshots(logical):
        found = usage(host, host.devices[snapshot.device]) if snapshot.device else ""
        if found:
            raise Refused(
                f"volume {full}: its snapshot {group.name}/{snapshot.name} {found}. Put that out of use first."
            )
    unmounted = mount.unmount(host, _target(host, group, logical), binds=binds)
    return unmounted.steps, unmounted.after


def _offline(host: Host, want: Drive, group: Group) -> Plan:
    """Unmounted and deactivated, also after a reboot: what says so is written before it is done."""
    steps: Steps = ()
    for volume in want.volumes or ():
        if group.volume(volume.name) is None:
            raise StorageError(f"drive {want.name} has no volume {volume.name} that could be taken offline")
    for logical in _inner_first(host, _wanted_volumes(want, group)):
        _check_comes_back(host, group, logical)
        named = next((volume for volume in want.volumes or () if volume.name == logical.name), None)
        more, host = _take_out_of_use(host, group, logical, shown_at(named.use) if named else ())
        steps += more
        full = f"{group.name}/{logical.name}"
        if logical.autoactivation:
            command = Command(("lvchange", "--setautoactivation", "n", full))
            steps += (step("persist", full, "not active at boot", command, flush=physical(group)),)
        if logical.active:
            command = Command(("lvchange", "--activate", "n", full))
            steps += (step("deactivate", full, "no device until it is online", command),)
        host = replace_volume(host, group, logical, logical._replace(active=False, autoactivation=False, device=""))
    return Plan(steps, host)


def _check_comes_back(host: Host, group: Group, logical: LogicalVolume) -> None:
    """Raises Refused for a volume that is mounted, and that no task could mount again with the options of its line."""
    mounts = [one for one in host.mounts if logical.device and one.device == logical.device]
    if mounts and host.filesystem(logical.device) is None:
        raise Refused(
            f"volume {group.name}/{logical.name}: {mounts[0].type} is mounted of it on {mounts[0].mount_point}, and a "
            f"task mounts only {', '.join(TYPES)}, so it would not come back. Keep a copy of its line in {FSTAB}, take "
            "that out and unmount it by hand; then it goes offline"
        )


def _absent(host: Host, want: Drive, group: Group | None, devices: list[Device], allow: bool) -> Plan:
    """Top-down: the mounts, what the volumes hold, the volumes, the group, its physical volumes."""
    steps: Steps = ()
    record = begun(host, f"drive {want.name}")
    left = [device.path for device in devices if device.path in host.groups().orphans]
    left += [path for path in (record.devices if record else ()) if half_made(host, "drive", path) and path not in left]
    gone: tuple[str, ...] = ()
    things = [f"drive {want.name}"]
    for device in devices:
        drive_past.check_not_hidden(host, device, want.name)
    if group is None:
        drive_past.check_gone(host, want.name)
    else:
        ours = _wanted_volumes(want, group)
        foreign = [describe_volume(volume) for volume in group.volumes if volume not in ours]
        if foreign:
            split = [volume.name for volume in group.volumes if volume.kind.startswith("private")]
            back = f" A part that is split off goes back by lvconvert --merge {want.name}/{split[0]}." if split else ""
            raise Refused(
                f"drive {want.name} cannot be removed: its volume group also has {', '.join(foreign)}. "
                f"Remove what else it has first, or name it too.{back}"
            )
        drive_past.check_alone(host, group)
        for logical in _inner_first(host, ours):
            more, host = _remove_volume(host, group, logical, allow, f"drive {want.name}")
            steps += more
            things.append(f"volume {group.name}/{logical.name}")
            gone += (logical.device,)
        paths = physical(group)
        begin = removal(group.name, *paths, last=False)
        remove = Command(("vgremove", group.name))
        undo = (InGroup(group.name, paths),)
        steps += (
            step("remove", group.name, "volume group", remove, kind="drive", flush=paths, undo=undo, intent=begin),
        )
        host = replace_group(host, find(host, group.name))
        left += [path for path in paths if path not in left]
    recorded = removal(want.name, *physical(group)) if group else None
    for path in left:
        last = path == left[-1]
        steps += (clear_step(host, want.name, path, recorded._replace(last=last) if recorded else None),)
        host = host.with_content(path)
    lvm = host.groups()
    host = host._replace(lvm=lvm._replace(orphans=tuple(path for path in lvm.orphans if path not in left)))
    for thing in things:
        more, host = forget(host, thing, gone)
        steps += more
    return Plan(steps, host)


def _remove_volume(host: Host, group: Group, logical: LogicalVolume, allow: bool, what: str) -> tuple[Steps, Host]:
    full = f"{group.name}/{logical.name}"
    path = device_path(group.name, logical.name)
    for snapshot in group.snapshots(logical):
        raise Refused(
            f"{what} cannot be removed: {describe_volume(snapshot)} would go with {full}. Remove it first, if it is "
            "not needed any more"
        )
    steps: Steps = ()
    if logical.active:
        content = host.content(logical.device)[logical.device]
        held = describe_content(content)
    else:
        held = "what nobody can see while it is offline"
    if held and not host.may_lose(logical.device, allow):
        raise Refused(f"{what} cannot be removed: {full} holds {held}. Set allow_destroy to destroy that.")
    if logical.locked:
        raise Refused(f"{what} cannot be removed: {describe_lock(group)}")
    if held and logical.read_only:
        raise Refused(
            f"{what} cannot be removed: {full} holds {held}, and is read-only. Make it writable first, if that may go "
            f"(lvchange --permission rw {full})"
        )
    steps, host = _take_out_of_use(host, group, logical, None)
    if not logical.active:
        skip = ("--ignoreactivationskip",) * logical.skipped
        activate = Command(("lvchange", "--activate", "y", *skip, full))
        steps += (step("activate", full, "to erase what it holds", activate),)
    if held:
        # Otherwise it would surface again in the next volume that is made at this place.
        wipe = step("wipe", full, held, Inspect(path, wipe=True), flush=(path,), destroys=(f"{full}: {held}",))
        steps += (wipe,)
    steps += (
        step(
            "remove",
            full,
            "logical volume",
            Command(("lvremove", "--yes", full)),
            flush=physical(group),
        ),
    )
    host = replace_volume(host, group, logical)
    return steps, host.without_device(logical.device) if logical.device else host


def dump(host: Host, group: Group) -> dict[str, Any]:
    """A drive as an item of the document.

    Offline is a wish: no boot activates it. A volume that is only not active now, or alone, cannot be said as it is,
    and is left out, as a device is that is missing.
    """
    usable = [volume for volume in group.volumes if volume.usable]
    offline = bool(usable) and not any(volume.active or volume.autoactivation for volume in usable)
    said = [volume for volume in usable if offline or volume.active]
    return {
        "name": group.name,
        "devices": [host.stable(one.device) for one in group.physical_volumes if one.device.startswith("/")],
        "volumes": [_dump_volume(host, group, logical) for logical in said],
        "state": "offline" if offline else "online",
    }


def _dump_volume(host: Host, group: Group, logical: LogicalVolume) -> dict[str, Any]:
    use = dump_use(host, place_of(group, logical), host.filesystems.get(logical.device))
    held = host.contents.get(logical.device)
    if not use and held and any(map(is_below, held.signatures)):
        use = {"filesystem": NONE}
    return {"name": logical.name, "size": logical.size, **use}


def status(host: Host, group: Group) -> dict[str, Any]:
    """How a drive does, beyond what a document says. Sizes in bytes."""
    return {
        "size": group.size,
        "free": group.free,
        "missing": [volume.uuid for volume in group.physical_volumes if volume.missing],
        "volumes": {
            volume.name: {
                "device": device_path(group.name, volume.name),
                "type": volume.kind or "linear",
                "active": volume.active,
                "uuid": filesystem.uuid if filesystem else None,
                "mounted_on": list(host.mounted(volume.device)) if volume.device else [],
            }
            for volume in group.volumes
            for filesystem in [host.filesystems.get(volume.device)]
        },
    }


def device_paths(want: Drive) -> dict[str, str]:
    """The devices that it has, by the names that the document has for them."""
    return {f"{want.name}/{volume.name}": device_path(want.name, volume.name) for volume in want.volumes or ()}


def called(_host: Host, want: Drive) -> str:
    """Its name is all that it is known by."""
    return want.name


def made_of(host: Host, want: Drive, _role: str) -> tuple[str, ...]:
    """The devices that it consists of already."""
    groups = [group for group in host.groups().groups if group.name == want.name]
    return tuple(volume.device for group in groups for volume in group.physical_volumes)


def facts(host: Host, want: Drive) -> dict[str, Any]:
    """What the module returns of the wanted drive."""
    group = next((group for group in host.known_groups().groups if group.name == want.name), None)
    return {"drive": dump(host, group) if group else None, "status": status(host, group) if group else None}


def survey(host: Host) -> list[Reported]:
    """All that there are, each as an item of the document and how it does."""
    groups = host.known_groups().groups
    host.known_filesystems(*(volume.device for group in groups for volume in group.volumes if volume.device))
    return [Reported(dump(host, group), status(host, group)) for group in groups]


def present(host: Host) -> list[Found]:
    """All that there are, and the word that takes each away."""
    return [
        Found(
            group.name,
            Drive(group.name, state="absent"),
            tuple(volume.device for volume in group.volumes if volume.device),
        )
        for group in host.known_groups().groups
    ]
