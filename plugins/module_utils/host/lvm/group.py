# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume group of a drive: the devices that it gains, those that grow, and those that leave it."""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Intent, Step
from ...document.drive import Drive
from ...document.sizes import show_size
from ..actions import Claim, InGroup, MoveAway, Unlabel
from ..devices import Device, Signature
from ..host import Host, replace_item
from ..safety import blank, take, wipe_steps
from ..unfinished import anew, begun, ended, forget, half_made, intent
from .past import check_accepted, check_hidden, check_not_hidden, check_stray, check_whole
from .state import Group, PhysicalVolume

Steps = tuple[Step, ...]

#: What tells the physical volumes that a drive was given from those that somebody else put into its group.
TAG = "strata.storage"
MiB = 1 << 20
#: What LVM keeps for itself at the start of a physical volume, at least.
_METADATA = 4096 + 255 * 512
#: Seconds: a week, in which a slow disk moves a hundred terabytes.
_MOVE_TIMEOUT = 7 * 24 * 3600


def device_path(group: str, volume: str) -> str:
    return f"/dev/{group}/{volume}"


def find(host: Host, name: str) -> Group | None:
    """The group of that name. Raises Refused where LVM would change nothing in it, or could mean another one."""
    groups = [group for group in host.groups().groups if group.name == name]
    if len(groups) > 1:
        where = " and ".join(f"{group.uuid} on {' '.join(physical(group))}" for group in groups)
        raise Refused(
            f"drive {name}: there are {len(groups)} volume groups of that name, {where}. Rename the one that is not "
            f"meant by its UUID (vgrename {groups[-1].uuid} NEWNAME), which changes no data, or disconnect its devices"
        )
    for group in groups:
        check_whole(host, group)
    if not groups:
        check_hidden(host, name)
    return groups[0] if groups else None


def replace_group(host: Host, old: Group | None, *new: Group) -> Host:
    lvm = host.groups()
    return host._replace(lvm=lvm._replace(groups=replace_item(lvm.groups, old, *new)))


def step(verb: str, name: str, detail: str, *actions: Any, kind: str = "volume", **more: Any) -> Step:
    return Step(verb=verb, kind=kind, name=name, detail=detail, actions=actions, **more)


def gather(
    host: Host, want: Drive, group: Group | None, devices: list[Device], allow: bool
) -> tuple[Steps, Host, Group]:
    """The volume group, over all the wanted devices, each as large as it is."""
    if group is None and not devices:
        raise StorageError(f"drive {want.name} does not exist, and to create it, say also: devices")
    if group is None and want.name in host.groups().taken:
        raise StorageError(f"drive {want.name}: /dev/{want.name} exists, and LVM needs that path; choose another name")
    have = {volume.device for volume in group.physical_volumes} if group else set()
    new = [device for device in devices if device.path not in have]
    ours = group is not None and any(TAG in volume.tags for volume in group.physical_volumes)
    if group and devices and len(new) == len(devices) and not ours:
        raise Refused(
            f"drive {want.name}: a volume group of that name exists already, on {' '.join(sorted(have))}, and none of "
            "`devices` is part of it. Choose another name, or list its own devices too."
        )
    if group and new:
        check_open(group)
        if group.most_devices and len(have) + len(new) > group.most_devices:
            raise Refused(
                f"drive {want.name}: its volume group may have {group.most_devices} devices at most, and "
                f"{len(have) + len(new)} are wanted; allow more (vgchange --maxphysicalvolumes 0 {group.name})"
            )
    steps: Steps = ()
    for device in new:
        owner = _owner(host, device)
        if owner:
            raise Refused(
                f"{device.path}: refused as a device of {want.name}: it is a physical volume of volume group "
                f"{owner}. Take it out of `devices`, or remove it from that group first."
            )
        check_not_hidden(host, device, want.name)
        check_accepted(host, device, want.name)
        check_stray(host, want, device, allow)
        if half_made(host, "drive", device.path):
            # LVM itself refuses one that it had marked as used, and given no metadata yet.
            steps += wipe_steps([(device, host.content(device.path)[device.path])], lost=False)
        else:
            steps += take(host, device, f"a device of {want.name}", "devices", allow)
    _check_sectors(host, want, group, new)
    if group is not None:
        more, host, group = _mark(host, want, group)
        steps += more
        more, host, group = _enlarge(host, want, group, devices)
        steps += more
        if not new:
            return steps, host, group
    paths = tuple(device.path for device in new)
    argv = ("vgcreate", want.name, *paths) if group is None else ("vgextend", want.name, *paths)
    steps += (
        step(
            "create" if group is None else "extend",
            want.name,
            f"volume group {'on' if group is None else 'by'} {' '.join(map(host.shown, paths))}",
            Command(argv),
            Command(("pvchange", "--addtag", TAG, *paths)),
            kind="drive",
            claims=tuple(blank(device) for device in new),
            flush=paths,
            undo=tuple(map(Unlabel, paths)),
            intent=intent(f"drive {want.name}", "", *paths),
        ),
    )
    host = anew(host, f"drive {want.name}")
    old, group = group, group or Group(want.name)
    for device in new:
        if device.size - data_start(device) < group.extent_size:
            raise StorageError(
                f"{device.path}: {show_size(device.size)} is too small for a device of {want.name}, which needs "
                f"{show_size(data_start(device) + group.extent_size)}"
            )
    added = sum((device.size - data_start(device)) // group.extent_size * group.extent_size for device in new)
    group = group._replace(
        size=group.size + added,
        free=group.free + added,
        physical_volumes=group.physical_volumes + tuple(PhysicalVolume(path, tags=(TAG,)) for path in paths),
    )
    for path in paths:
        host = host.with_content(path, Signature("LVM2_member"))
    lvm = host.groups()
    lvm = lvm._replace(
        orphans=tuple(path for path in lvm.orphans if path not in paths),
        stray=tuple(stray for stray in lvm.stray if stray.device not in paths),
    )
    return steps, replace_group(host._replace(lvm=lvm), old, group), group


def check_open(group: Group) -> None:
    """Raises Refused where LVM neither takes a device into the group nor out of it."""
    if group.fixed:
        raise Refused(
            f"drive {group.name}: its volume group is not resizeable, so no device comes or leaves. To permit that: "
            f"vgchange --resizeable y {group.name}"
        )


def _check_sectors(host: Host, want: Drive, group: Group | None, new: list[Device]) -> None:
    """Raises Refused where a group would come to have sectors of more than one size, which LVM refuses too.

    A volume that reaches from the one to the other has the larger ones, and a filesystem that was made for the smaller
    ones does not mount on it. A group that is mixed already is left to those who mixed it.
    """
    have = [host.devices[path] for path in physical(group)] if group else new[:1]
    sectors = {device.sector for device in have}
    for device in new:
        if len(sectors) == 1 and device.sector not in sectors:
            raise Refused(
                f"{device.path}: refused as a device of {want.name}: it has sectors of {device.sector} bytes, and its "
                f"other devices have sectors of {min(sectors)}; a filesystem that is on both may not mount. Take it "
                "out of `devices`, and make a drive of its own on it"
            )


def _mark(host: Host, want: Drive, group: Group) -> tuple[Steps, Host, Group]:
    """Physical volumes that a crash kept from being marked as what the drive was given."""
    record = begun(host, f"drive {want.name}")
    paths = tuple(volume.device for volume in group.physical_volumes if record and volume.device in record.devices)
    if record is None or not paths:
        return (), host, group
    command = Command(("pvchange", "--addtag", TAG, *paths))
    one = step(
        "mark",
        want.name,
        f"{' '.join(paths)} as devices of the drive",
        command,
        kind="drive",
        flush=paths,
        intent=intent(record.thing, record.uuid, *record.devices),
    )
    marked = group._replace(
        physical_volumes=tuple(
            volume._replace(tags=(*volume.tags, TAG)) if volume.device in paths and TAG not in volume.tags else volume
            for volume in group.physical_volumes
        )
    )
    return (one,), replace_group(ended(host, record), group, marked), marked


def data_start(device: Device) -> int:
    """Where LVM will begin to use a device: at the first MiB, or where that is not aligned for it, at what is."""
    align = device.optimal_io if device.optimal_io and MiB % device.optimal_io else MiB
    # Its metadata is not smaller than this.
    return -(-_METADATA // align) * align


def _enlarge(host: Host, want: Drive, group: Group, devices: list[Device]) -> tuple[Steps, Host, Group]:
    """Physical volumes whose devices grew."""
    steps: Steps = ()
    named = [device.path for device in devices]
    for volume in group.physical_volumes:
        # What lies below may be going to grow in the same plan.
        there = host.devices.get(volume.device)
        size = max(volume.device_size, there.size if there else 0)
        gained = (size - volume.start - volume.size) // group.extent_size * group.extent_size
        if not volume.size or gained <= 0 or (want.devices is not None and volume.device not in named):
            continue
        detail = f"{volume.device}, which grew to {show_size(size)}"
        command = Command(("pvresize", volume.device))
        steps += (step("resize", want.name, detail, command, kind="drive", flush=(volume.device,)),)
        larger = group._replace(
            size=group.size + gained,
            free=group.free + gained * (not volume.closed),
            physical_volumes=tuple(
                other._replace(size=other.size + gained) if other is volume else other
                for other in group.physical_volumes
            ),
        )
        host, group = replace_group(host, group, larger), larger
    return steps, host, group


def leaving(want: Drive, group: Group, devices: list[Device]) -> tuple[PhysicalVolume, ...]:
    """The physical volumes that are in the group and no longer listed. Those that somebody else put there stay."""
    if want.devices is None:
        return ()
    named = [device.path for device in devices]
    return tuple(
        volume
        for volume in group.physical_volumes
        if volume.device not in named and (TAG in volume.tags or want.remove_foreign_devices)
    )


def without_space(host: Host, group: Group, gone: tuple[PhysicalVolume, ...]) -> tuple[Host, Group]:
    """The group as large as it will be. What is free is less than nothing while volumes are larger than that."""
    size = sum(volume.size for volume in gone)
    # What is being moved has its place on both sides.
    twice = sum(volume.used for volume in gone if volume.device in group.moving)
    free = sum(volume.used if volume.closed else volume.size for volume in gone)
    smaller = group._replace(size=group.size - size, free=group.free - free + twice)
    return (replace_group(host, group, smaller), smaller) if gone else (host, group)


def detached(host: Host, want: Drive, group: Group, gone: tuple[PhysicalVolume, ...]) -> tuple[Steps, Host, Group]:
    """Physical volumes emptied, out of the group, and blank."""
    if gone and group.free < 0:
        kept = " ".join(volume.device for volume in group.physical_volumes if volume not in gone)
        raise Refused(
            f"drive {want.name}: without {' '.join(volume.device for volume in gone)} its volumes lack "
            f"{show_size(-group.free)} of room; nothing was moved. List larger devices than {kept}, or one more; or "
            "make the volumes smaller, which xfs and f2fs cannot be"
        )
    if gone:
        check_open(group)
    steps: Steps = ()
    stay = tuple(volume.device for volume in group.physical_volumes if volume not in gone)
    for volume in gone:
        path = volume.device
        if volume.used or path in group.moving:
            detail = f"{path}, moving {show_size(volume.used)} to {' '.join(stay)}"
            # LVM goes on with a move that was begun, whatever else the command says.
            move = MoveAway(path, stay, _MOVE_TIMEOUT)
            steps += (step("empty", want.name, detail, move, kind="drive", flush=(path, *stay)),)
        reduce = Command(("vgreduce", want.name, path))
        begin = removal(want.name, path, last=False)
        detail = f"volume group by {path}"
        steps += (
            step(
                "reduce",
                want.name,
                detail,
                reduce,
                kind="drive",
                flush=(path, *stay),
                undo=(InGroup(want.name, (path,)),),
                intent=begin,
            ),
        )
        steps += (clear_step(host, want.name, path, removal(want.name, path)),)
        host = anew(host, begin.thing)
        left = group._replace(
            physical_volumes=tuple(other for other in group.physical_volumes if other.device != path),
            moving=tuple(other for other in group.moving if other != path),
        )
        if not left.moving:
            left = unlocked(left)
        host = replace_group(host.with_content(path), group, left)
        group = left
    return steps, host, group


def unlocked(group: Group) -> Group:
    """The group once no pvmove is on its way any more."""
    return group._replace(moving=(), volumes=tuple(volume._replace(locked=False) for volume in group.volumes))


def moved(host: Host, group: Group) -> Host:
    """The host once a pvmove that somebody began has ended."""
    emptied = [volume for volume in group.physical_volumes if volume.device in group.moving]
    after = unlocked(group)._replace(
        free=group.free + sum(volume.used for volume in emptied if not volume.closed),
        physical_volumes=tuple(
            volume._replace(used=0) if volume in emptied else volume for volume in group.physical_volumes
        ),
    )
    return replace_group(host, group, after)


def removal(name: str, *paths: str, last: bool = True) -> Intent:
    """What is on record from when devices leave a group until they are blank."""
    return intent(f"removal from drive {name}", "", *paths, last=last)


def finish_removal(host: Host, name: str) -> tuple[Steps, Host]:
    """Devices that were in no group any more and not yet blank when a crash came."""
    record = begun(host, removal(name).thing)
    if record is None or any(_owner(host, host.devices[path]) for path in record.devices):
        return (), host
    steps: Steps = ()
    lvm = host.groups()
    left = [path for path in record.devices if path in lvm.orphans]
    for path in left:
        steps += (clear_step(host, name, path),)
        host = host.with_content(path)
    host = host._replace(lvm=lvm._replace(orphans=tuple(path for path in lvm.orphans if path not in left)))
    forgotten, host = forget(host, record.thing)
    return steps + forgotten, host


def clear_step(host: Host, name: str, path: str, recorded: Intent | None = None) -> Step:
    """A device that is in no group any more becomes blank."""
    return step(
        "clear",
        name,
        f"{path} of its physical volume label",
        Unlabel(path),
        kind="drive",
        claims=(Claim(path, host.devices[path].identity, None),),
        flush=(path,),
        intent=recorded,
    )


def _owner(host: Host, device: Device) -> str | None:
    for group in host.groups().groups:
        if device.path in [volume.device for volume in group.physical_volumes]:
            return group.name
    return None


def physical(group: Group) -> tuple[str, ...]:
    return tuple(volume.device for volume in group.physical_volumes)
