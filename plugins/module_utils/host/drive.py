# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drive: devices as one LVM volume group, whose volumes carry mounted filesystems."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Command, Plan, Step, new_uuid, placeholder
from ..document.drive import Drive, Volume
from ..document.sizes import Percent, show_size
from . import mount
from .actions import Claim, Grow, Inspect
from .filesystem import KINDS
from .safety import blank, check_once, check_unused, describe_content, take, wipe_steps
from .state import UNSEEN, Device, Filesystem, Group, Host, LogicalVolume, PhysicalVolume, Signature, replace_item

Steps = tuple[Step, ...]

#: What LVM keeps for itself at the start of a physical volume, at most.
_LABEL = 1 << 20


def device_path(group: str, volume: str) -> str:
    return f"/dev/{group}/{volume}"


def references(want: Drive) -> tuple[str, ...]:
    """What has to be resolved to plan this drive."""
    return want.devices or ()


def plan(host: Host, want: Drive, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    devices = [host.device(reference, f"drive {want.name}") for reference in want.devices or ()]
    check_once(devices, f"drive {want.name}")
    group = _find(host, want.name)
    if want.state == "absent":
        return _absent(host, want, group, devices, allow)
    if want.state == "offline":
        if group is None:
            raise StorageError(f"drive {want.name} does not exist, so it cannot be taken offline")
        return _offline(host, want, group)
    mount.check_mount_points(want.volumes or (), want.name)
    steps, host, group = _group(host, want, group, devices, allow)
    # Whoever gets all that is left comes last; and what is mounted inside another is mounted after it.
    volumes = sorted(want.volumes or (), key=lambda volume: volume.size in (None, Percent(100)))
    made: dict[str, Made] = {}
    for volume in volumes:
        more, host, made[volume.name] = _make(host, want, group, volume, allow)
        steps += more
        group = _find(host, want.name) or group
    fresh: tuple[str, ...] = ()
    for volume in sorted(volumes, key=lambda volume: volume.mount_point or ""):
        more, host = _put_to_use(host, group, volume, made[volume.name], fresh)
        steps += more
        if volume.mount_point and any(step.verb == "mount" for step in more):
            fresh += (volume.mount_point,)
    return Plan(steps, host)


def _find(host: Host, name: str) -> Group | None:
    group = next((group for group in host.groups().groups if group.name == name), None)
    if group and any(volume.device not in host.devices for volume in group.physical_volumes):
        raise Refused(
            f"drive {name}: a physical volume of its group is missing. Bring the device back, or repair the group "
            f"(vgreduce --removemissing {name}) first."
        )
    return group


def _replace_group(host: Host, old: Group | None, *new: Group) -> Host:
    lvm = host.groups()
    return host._replace(lvm=lvm._replace(groups=replace_item(lvm.groups, old, *new)))


def _step(verb: str, name: str, detail: str, *actions: Any, kind: str = "volume", **more: Any) -> Step:
    return Step(verb=verb, kind=kind, name=name, detail=detail, actions=actions, **more)


# The group


def _group(
    host: Host, want: Drive, group: Group | None, devices: list[Device], allow: bool
) -> tuple[Steps, Host, Group]:
    """The volume group, over all the wanted devices. Those of its devices that are not wanted stay."""
    if group is None and not devices:
        raise StorageError(f"drive {want.name} does not exist, and to create it, say also: devices")
    have = {volume.device for volume in group.physical_volumes} if group else set()
    new = [device for device in devices if device.path not in have]
    if group and devices and len(new) == len(devices):
        raise Refused(
            f"drive {want.name}: a volume group of that name exists already, on {' '.join(sorted(have))}, and none of "
            "`devices` is part of it. Choose another name, or list its own devices too."
        )
    steps: Steps = ()
    for device in new:
        owner = _owner(host, device)
        if owner:
            raise Refused(
                f"{device.path}: refused as a device of {want.name}: it is a physical volume of volume group "
                f"{owner}. Take it out of `devices`, or remove it from that group first."
            )
        if device.path not in host.groups().orphans:
            steps += take(host, device, f"a device of {want.name}", "devices", allow)
    if group is not None and not new:
        return steps, host, group
    paths = tuple(device.path for device in new)
    argv = ("vgcreate", want.name, *paths) if group is None else ("vgextend", want.name, *paths)
    steps += (
        _step(
            "create" if group is None else "extend",
            want.name,
            f"volume group {'on' if group is None else 'by'} {' '.join(paths)}",
            Command(argv),
            kind="drive",
            claims=tuple(_claim(host, device) for device in new),
            flush=paths,
        ),
    )
    old, group = group, group or Group(want.name)
    added = sum((device.size - _LABEL) // group.extent_size * group.extent_size for device in new)
    group = group._replace(
        size=group.size + added,
        free=group.free + added,
        physical_volumes=group.physical_volumes + tuple(PhysicalVolume(path) for path in paths),
    )
    for path in paths:
        host = host.with_content(path, Signature("LVM2_member"))
    lvm = host.groups()
    host = host._replace(lvm=lvm._replace(orphans=tuple(path for path in lvm.orphans if path not in paths)))
    return steps, _replace_group(host, old, group), group


def _owner(host: Host, device: Device) -> str | None:
    for group in host.groups().groups:
        if device.path in [volume.device for volume in group.physical_volumes]:
            return group.name
    return None


def _claim(host: Host, device: Device) -> Claim:
    """A physical volume that belongs to no group is as good as blank: a creation that was cut short leaves it."""
    return Claim(device.path, device.identity, None) if device.path in host.groups().orphans else blank(device)


# A volume and its filesystem


class Made(NamedTuple):
    """A volume that exists and carries a filesystem, when its turn comes to be mounted."""

    name: str
    path: str
    logical: LogicalVolume
    filesystem: Filesystem


def _make(host: Host, want: Drive, group: Group, volume: Volume, allow: bool) -> tuple[Steps, Host, Made]:
    name = f"{want.name}/{volume.name}"
    path = device_path(want.name, volume.name)
    logical = group.volume(volume.name)
    offline = bool(logical and not logical.active)
    steps: Steps = ()
    if logical is None:
        steps, host, logical = _create_volume(host, name, group, volume, allow)
        before = logical.size
    else:
        before = logical.size
        more, host, logical = _activate(host, name, group, logical)
        steps += more
        more, host, logical = _grow_volume(host, name, _find(host, want.name) or group, volume, logical)
        steps += more
    if offline:
        # What is on it can only be read once it is active.
        filesystem = Filesystem(placeholder("filesystem-type", path), placeholder("filesystem-uuid", path), size=before)
        host = _with_filesystem(host, logical.device, filesystem)
    else:
        more, host, filesystem = _make_filesystem(host, name, volume, logical, path, allow)
        steps += more
    return steps, host, Made(name, path, logical, filesystem)


def _put_to_use(host: Host, group: Group, volume: Volume, made: Made, fresh: tuple[str, ...]) -> tuple[Steps, Host]:
    """Mounted, and spanning all of its volume."""
    name, path, logical, filesystem = made
    target = mount.Target(name, logical.device, filesystem.type, _specs(group.name, volume.name, filesystem))
    mounted = mount.mount(host, volume, target, fresh)
    steps, host = mounted.steps, mounted.after
    slack = KINDS[filesystem.type].slack if filesystem.type in KINDS else 0
    if logical.size - filesystem.size >= max(group.extent_size, slack):
        more, host = _grow_filesystem(host, name, logical, path, filesystem)
        steps += more
    return steps, host


def _grow_filesystem(
    host: Host, name: str, logical: LogicalVolume, path: str, filesystem: Filesystem
) -> tuple[Steps, Host]:
    points = host.mounted(logical.device)
    if not points:
        raise StorageError(
            f"volume {name}: its {filesystem.type} spans {show_size(filesystem.size)} of {show_size(logical.size)}, "
            "and grows only while it is mounted: say also mount_point"
        )
    detail = f"the filesystem to {show_size(logical.size)}"
    step = _step("grow", name, detail, Grow(filesystem.type, path, points[0]), flush=(path,))
    return (step,), _with_filesystem(host, logical.device, filesystem._replace(size=logical.size))


def _create_volume(
    host: Host, name: str, group: Group, volume: Volume, allow: bool
) -> tuple[Steps, Host, LogicalVolume]:
    path = device_path(group.name, volume.name)
    wanted = _target_size(name, group, volume, LogicalVolume(volume.name))
    if wanted <= 0:
        raise StorageError(f"volume {name}: volume group {group.name} has no space left for it")
    least = KINDS[volume.filesystem or "btrfs"].least
    if wanted < least:
        raise StorageError(
            f"volume {name}: {show_size(wanted)} is too small for {volume.filesystem or 'btrfs'}, "
            f"which needs {show_size(least)}"
        )
    undo = Command(("lvremove", "--yes", f"{group.name}/{volume.name}"))
    step = _step(
        "create",
        name,
        f"logical volume of {show_size(wanted)}",
        Command(
            (
                *("lvcreate", "--yes", "--wipesignatures", "n", "--name", volume.name),
                *_size_argument(group, wanted),
                group.name,
            )
        ),
        Inspect(path, wipe=allow),
        flush=(*_physical(group), path),
        undo=(undo,),
    )
    logical = LogicalVolume(volume.name, wanted, active=True, device=path)
    host = host.with_device(Device(path, size=wanted))
    host = _replace_group(host, group, group._replace(free=group.free - wanted, volumes=(*group.volumes, logical)))
    return (step,), _with_filesystem(host, path, None), logical


def _physical(group: Group) -> tuple[str, ...]:
    return tuple(volume.device for volume in group.physical_volumes)


def _size_argument(group: Group, size: int) -> tuple[str, str]:
    """All that is free is asked for as such: how much LVM keeps for itself is LVM's to know."""
    return ("--extents", "100%FREE") if size == group.free else ("--size", f"{size}b")


def _target_size(name: str, group: Group, volume: Volume, logical: LogicalVolume) -> int:
    """How large the logical volume should be, in bytes and whole extents; omitted: all that there is."""
    available = logical.size + group.free // group.extent_size * group.extent_size
    size = volume.size if volume.size is not None else Percent(100)
    if size == Percent(100):
        return available
    if isinstance(size, Percent):
        rounded = size.of(group.size) // group.extent_size * group.extent_size
    else:
        rounded = -(-size // group.extent_size) * group.extent_size
    if rounded > available:
        shown = size if isinstance(size, Percent) else show_size(size)
        raise StorageError(
            f"volume {name}: {shown} does not fit: volume group {group.name} has room for {show_size(available)}"
        )
    return rounded


def _activate(host: Host, name: str, group: Group, logical: LogicalVolume) -> tuple[Steps, Host, LogicalVolume]:
    full = f"{group.name}/{logical.name}"
    path = device_path(group.name, logical.name)
    steps: Steps = ()
    changed = logical
    if not logical.autoactivation:
        command = Command(("lvchange", "--setautoactivation", "y", full))
        steps += (_step("persist", name, "active from the next boot on", command, flush=_physical(group)),)
        changed = changed._replace(autoactivation=True)
    if not logical.active:
        steps += (_step("activate", name, path, Command(("lvchange", "--activate", "y", full))),)
        changed = changed._replace(active=True, device=path)
        host = host.with_device(Device(path, size=logical.size), content=UNSEEN)
    return steps, _replace_volume(host, group, logical, changed), changed


def _replace_volume(host: Host, group: Group, old: LogicalVolume, *new: LogicalVolume) -> Host:
    current = _find(host, group.name) or group
    return _replace_group(host, current, current._replace(volumes=replace_item(current.volumes, old, *new)))


def _grow_volume(
    host: Host, name: str, group: Group, volume: Volume, logical: LogicalVolume
) -> tuple[Steps, Host, LogicalVolume]:
    wanted = _target_size(name, group, volume, logical)
    if wanted < logical.size:
        raise Refused(
            f"volume {name} has {show_size(logical.size)}, and {show_size(wanted)} is wanted; "
            "this release does not shrink a volume"
        )
    if wanted == logical.size:
        return (), host, logical
    added = wanted - logical.size
    size = ("--extents", "+100%FREE") if added == group.free else ("--size", f"{wanted}b")
    step = _step(
        "extend",
        name,
        f"logical volume to {show_size(wanted)}",
        Command(("lvextend", *size, f"{group.name}/{volume.name}")),
        flush=_physical(group),
    )
    grown = logical._replace(size=wanted)
    group_after = group._replace(free=group.free - added, volumes=replace_item(group.volumes, logical, grown))
    return (step,), _replace_group(host, group, group_after), grown


def _with_filesystem(host: Host, device: str, filesystem: Filesystem | None) -> Host:
    return host._replace(filesystems={**host.filesystems, device: filesystem})


def _make_filesystem(
    host: Host,
    name: str,
    volume: Volume,
    logical: LogicalVolume,
    path: str,
    allow: bool,
) -> tuple[Steps, Host, Filesystem]:
    """A filesystem of the wanted kind on the volume; one that is there already stays."""
    filesystem = host.filesystem(logical.device)
    if filesystem and filesystem.type == (volume.filesystem or filesystem.type):
        return (), host, filesystem
    steps: Steps = ()
    device = host.devices[logical.device]
    content = host.content(device.path)[device.path]
    if content.signatures:
        if not allow:
            raise Refused(
                f"volume {name}: {path} holds {describe_content(content)}, and {volume.filesystem or 'btrfs'} is "
                "wanted. Set allow_destroy to destroy that."
            )
        check_unused(host, device, f"volume {name}", "Put it out of use first.")
        steps += wipe_steps([(device, content)])
    kind = volume.filesystem or "btrfs"
    if logical.size < KINDS[kind].least:
        raise StorageError(
            f"volume {name}: {show_size(logical.size)} is too small for {kind}, which needs "
            f"{show_size(KINDS[kind].least)}"
        )
    made = Filesystem(kind, new_uuid(f"filesystem/{name}"), size=logical.size)
    steps += (
        _step(
            "format",
            name,
            kind,
            Command(KINDS[kind].make(path, made.uuid), timeout=600),
            claims=(blank(device),),
            flush=(path,),
        ),
    )
    host = host.with_content(device.path, Signature(kind))
    return steps, _with_filesystem(host, device.path, made), made


def _specs(group: str, volume: str, filesystem: Filesystem | None) -> tuple[str, ...]:
    """All the ways in which fstab may call a volume, ours first."""
    mapper = f"/dev/mapper/{group.replace('-', '--')}-{volume.replace('-', '--')}"
    by_uuid = (f"UUID={filesystem.uuid}", f"/dev/disk/by-uuid/{filesystem.uuid}") if filesystem else ()
    by_label = (f"LABEL={filesystem.label}",) if filesystem and filesystem.label else ()
    return (*by_uuid, *by_label, device_path(group, volume), mapper)


# Offline, and away


def _target(host: Host, group: Group, logical: LogicalVolume) -> mount.Target:
    filesystem = host.filesystem(logical.device) if logical.active and logical.device else None
    kind = filesystem.type if filesystem else ""
    return mount.Target(
        f"{group.name}/{logical.name}", logical.device, kind, _specs(group.name, logical.name, filesystem)
    )


def _wanted_volumes(want: Drive, group: Group) -> tuple[LogicalVolume, ...]:
    if want.volumes is None:
        return group.volumes
    names = [volume.name for volume in want.volumes]
    return tuple(volume for volume in group.volumes if volume.name in names)


def _inner_first(host: Host, volumes: tuple[LogicalVolume, ...]) -> list[LogicalVolume]:
    """In the order in which they can be unmounted."""
    return sorted(volumes, key=lambda volume: host.mounted(volume.device)[-1:], reverse=True)


def _take_out_of_use(host: Host, group: Group, logical: LogicalVolume) -> tuple[Steps, Host]:
    if logical.device:
        holders = host.devices[logical.device].holders
        if holders:
            raise Refused(f"volume {group.name}/{logical.name} is held by {holders[0]}. Take away what uses it first.")
        if logical.device in host.swaps:
            raise Refused(f"volume {group.name}/{logical.name} is in use as swap. Take it out of use first.")
    unmounted = mount.unmount(host, _target(host, group, logical))
    return unmounted.steps, unmounted.after


def _offline(host: Host, want: Drive, group: Group) -> Plan:
    """Unmounted and deactivated, also after a reboot: what says so is written before it is done."""
    steps: Steps = ()
    for volume in want.volumes or ():
        if group.volume(volume.name) is None:
            raise StorageError(f"drive {want.name} has no volume {volume.name} that could be taken offline")
    for logical in _inner_first(host, _wanted_volumes(want, group)):
        more, host = _take_out_of_use(host, group, logical)
        steps += more
        full = f"{group.name}/{logical.name}"
        if logical.autoactivation:
            command = Command(("lvchange", "--setautoactivation", "n", full))
            steps += (_step("persist", full, "not active at boot", command, flush=_physical(group)),)
        if logical.active:
            steps += (_step("deactivate", full, "", Command(("lvchange", "--activate", "n", full))),)
        host = _replace_volume(host, group, logical, logical._replace(active=False, autoactivation=False, device=""))
    return Plan(steps, host)


def _absent(host: Host, want: Drive, group: Group | None, devices: list[Device], allow: bool) -> Plan:
    """Top-down: the mounts, what the volumes hold, the volumes, the group, its physical volumes."""
    steps: Steps = ()
    left = [device.path for device in devices if device.path in host.groups().orphans]
    if group:
        ours = _wanted_volumes(want, group)
        foreign = [volume.name for volume in group.volumes if volume not in ours]
        if foreign:
            raise Refused(
                f"drive {want.name} cannot be removed: its volume group also has {', '.join(foreign)}. "
                "Remove what else it has first, or name it too."
            )
        for logical in _inner_first(host, ours):
            more, host = _remove_volume(host, group, logical, allow)
            steps += more
        paths = _physical(group)
        steps += (
            _step("remove", group.name, "volume group", Command(("vgremove", group.name)), kind="drive", flush=paths),
        )
        host = _replace_group(host, _find(host, group.name))
        left += [path for path in paths if path not in left]
    for path in left:
        steps += (
            _step(
                "clear",
                want.name,
                f"{path} of its physical volume label",
                Command(("pvremove", path)),
                kind="drive",
                claims=(Claim(path, host.devices[path].identity, None),),
                flush=(path,),
            ),
        )
        host = host.with_content(path)
    lvm = host.groups()
    host = host._replace(lvm=lvm._replace(orphans=tuple(path for path in lvm.orphans if path not in left)))
    return Plan(steps, host)


def _remove_volume(host: Host, group: Group, logical: LogicalVolume, allow: bool) -> tuple[Steps, Host]:
    full = f"{group.name}/{logical.name}"
    path = device_path(group.name, logical.name)
    steps: Steps = ()
    if logical.active:
        content = host.content(logical.device)[logical.device]
        held = describe_content(content)
    else:
        held = "what nobody can see while it is offline"
    if held and not allow:
        raise Refused(f"drive {group.name} cannot be removed: {full} holds {held}. Set allow_destroy to destroy that.")
    steps, host = _take_out_of_use(host, group, logical)
    if not logical.active:
        steps += (_step("activate", full, "to erase what it holds", Command(("lvchange", "--activate", "y", full))),)
    if held:
        # Otherwise it would surface again in the next volume that is made at this place.
        wipe = _step("wipe", full, held, Inspect(path, wipe=True), flush=(path,), destroys=(f"{full}: {held}",))
        steps += (wipe,)
    steps += (
        _step(
            "remove",
            full,
            "logical volume",
            Command(("lvremove", "--yes", full)),
            flush=_physical(group),
        ),
    )
    return steps, _replace_volume(host, group, logical)


# What a user reads back


def dump(host: Host, group: Group) -> dict[str, Any]:
    """A drive as an item of the document."""
    return {
        "name": group.name,
        "devices": [host.stable(volume.device) for volume in group.physical_volumes],
        "volumes": [_dump_volume(host, group, logical) for logical in group.volumes],
        "state": "online" if any(volume.active for volume in group.volumes) else "offline",
    }


def _dump_volume(host: Host, group: Group, logical: LogicalVolume) -> dict[str, Any]:
    filesystem = host.filesystems.get(logical.device)
    points = host.mounted(logical.device) if logical.device else ()
    target = mount.Target("", logical.device, "", _specs(group.name, logical.name, filesystem))
    line = mount.find_line(host, target)
    return {
        "name": logical.name,
        "size": logical.size,
        "filesystem": filesystem.type if filesystem else None,
        "mount_point": points[0] if points else line.mount_point if line else None,
        "mount_options": line.options if line else None,
        "boot_required": "nofail" not in line.options.split(",") if line else None,
    }


def status(host: Host, group: Group) -> dict[str, Any]:
    """How a drive does, beyond what a document says. Sizes in bytes."""
    return {
        "size": group.size,
        "free": group.free,
        "volumes": {
            volume.name: {
                "device": device_path(group.name, volume.name),
                "active": volume.active,
                "uuid": filesystem.uuid if filesystem else None,
                "mounted_on": list(host.mounted(volume.device)) if volume.device else [],
            }
            for volume in group.volumes
            for filesystem in [host.filesystems.get(volume.device)]
        },
    }


def facts(host: Host, want: Drive) -> dict[str, Any]:
    """What the module returns of the wanted drive."""
    group = _find(host, want.name)
    return {"drive": dump(host, group) if group else None, "status": status(host, group) if group else None}


def survey(host: Host) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """All that there are, each as an item of the document and how it does."""
    groups = host.groups().groups
    for group in groups:
        for volume in group.volumes:
            if volume.device:
                host.filesystem(volume.device)
    return [(dump(host, group), status(host, group)) for group in groups]
