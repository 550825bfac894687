# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume of a drive: the logical volume, its filesystem, and how large they are."""

from __future__ import annotations

from typing import NamedTuple

from ...core.errors import Refused, StorageError
from ...core.plan import Command, placeholder
from ...document.drive import Drive, Volume, mapper_name
from ...document.sizes import Percent, show_size
from ..actions import DropVolume, Inspect, NoVolume, Spans
from ..devices import BLANK, UNSEEN, Device
from ..filesystem import shrink
from ..filesystem.contents import DEFAULT, Place, make as make_filesystem, with_filesystem
from ..filesystem.state import Filesystem
from ..filesystem.types.known import KNOWN
from ..host import Host, replace_item
from ..mount.fstab import FSTAB, lines
from ..mount.options import is_read_only
from ..pause import Pause, pause
from ..safety import describe_content
from ..unfinished import anew, begun, intent, look, on_device
from .group import Steps, device_path, find, physical, replace_group, step
from .state import Group, LogicalVolume


class Made(NamedTuple):
    """A volume that exists, and its filesystem (None: it holds something else), when its turn comes to be mounted.

    ``grown``: the volume is made larger, and the filesystem is to be as large.
    """

    place: Place
    filesystem: Filesystem | None
    grown: bool


def make(host: Host, want: Drive, group: Group, volume: Volume, allow: bool) -> tuple[Steps, Host, Made]:
    name = f"{want.name}/{volume.name}"
    path = device_path(want.name, volume.name)
    logical = group.volume(volume.name)
    offline = bool(logical and not logical.active)
    fresh = logical is None
    steps: Steps = ()
    if logical is None:
        steps, host, logical = _create_volume(host, name, group, volume, allow)
        before = logical.size
    else:
        before = logical.size
        record = begun(host, f"volume {name}")
        if record and logical.device:
            steps, host = look(host, record, "volume", name, logical.device, allow, last=volume.is_bare)
            fresh = bool(steps)
            host = with_filesystem(host, logical.device, None) if fresh else host
        _check_writable(host, name, volume, logical)
        more, host, logical = _activate(host, name, group, logical)
        steps += more
        more, host = shrink.mend(host, place_of(group, logical))
        steps += more
        # What looks blank may be data in a form of its own, unless it was made just now.
        cut = fresh or (bool(logical.device) and host.may_lose(logical.device, allow))
        more, host, logical = _resize(host, want, find(host, want.name) or group, volume, logical, offline, cut)
        steps += more
    filesystem: Filesystem | None = None
    # What lies on a bare volume is another item's.
    if offline and not volume.is_bare:
        # What is on it can only be read once it is active.
        filesystem = Filesystem(placeholder("filesystem-type", path), placeholder("filesystem-uuid", path), size=before)
        host = with_filesystem(host, logical.device, filesystem)
    elif fresh or not volume.is_bare:
        formats = fresh and not volume.is_bare
        use = volume.use._replace(filesystem=volume.filesystem or DEFAULT) if formats else volume.use
        replaces = f"volume {name}" if fresh else ""
        more, host, filesystem = make_filesystem(host, place_of(group, logical), use, allow, replaces)
        steps += more
    return steps, host, Made(place_of(group, logical), filesystem, logical.size > before)


def _check_writable(host: Host, name: str, volume: Volume, logical: LogicalVolume) -> None:
    """Raises Refused where a volume that is read-only would be mounted, and nobody said that it is to be that."""
    if not logical.read_only or not volume.mount_point:
        return
    line = next((line for line in lines(host.files.get(FSTAB)) if line.place == volume.mount_point), None)
    options = volume.mount_options or (line.options if line else "")
    point = host.real.get(volume.mount_point, volume.mount_point)
    as_it_is = volume.mount_options is None and logical.device and point in host.mounted(logical.device)
    if not is_read_only(options) and not as_it_is:
        raise Refused(
            f"volume {name}: it is read-only, and so would be what is mounted of it; say ro in mount_options, or make "
            f"it writable (lvchange --permission rw {name})"
        )


def _create_volume(
    host: Host, name: str, group: Group, volume: Volume, allow: bool
) -> tuple[Steps, Host, LogicalVolume]:
    path = device_path(group.name, volume.name)
    if group.most_volumes and len(group.volumes) >= group.most_volumes:
        raise Refused(
            f"volume {name}: volume group {group.name} may have {group.most_volumes} volumes at most, and has them; "
            f"allow more (vgchange --logicalvolume 0 {group.name})"
        )
    wanted = goal(group, volume, LogicalVolume(volume.name, room=group.room))
    if wanted > 0:
        _check_room(name, group, volume, LogicalVolume(volume.name, room=group.room), wanted)
    else:
        raise StorageError(f"volume {name}: volume group {group.name} has no space left for it")
    kind = volume.filesystem or DEFAULT
    least = 0 if volume.is_bare else KNOWN[kind].least
    if wanted < least:
        raise StorageError(
            f"volume {name}: {show_size(wanted)} is too small for {kind}, which needs {show_size(least)}"
        )
    create = step(
        "create",
        name,
        f"logical volume of {show_size(wanted)}",
        Command(
            (
                *("lvcreate", "--yes", "--wipesignatures", "n", "--name", volume.name),
                *_size_argument(host, group, volume, wanted),
                group.name,
            )
        ),
        Inspect(path, wipe=all(host.may_lose(device, allow) for device in physical(group))),
        flush=(*physical(group), path),
        claims=(NoVolume(path),),
        undo=(DropVolume(path),),
        intent=intent(f"volume {name}", "", *physical(group), last=volume.is_bare),
    )
    host = anew(host, f"volume {name}")
    logical = LogicalVolume(volume.name, wanted, active=True, device=path)
    host = host.with_device(_device(host, group, path, wanted))
    host = replace_group(host, group, group._replace(free=group.free - wanted, volumes=(*group.volumes, logical)))
    return (create,), with_filesystem(host, path, None), logical


def _device(host: Host, group: Group, path: str, size: int) -> Device:
    """What it will be; which of the devices a volume lies on, LVM decides."""
    below = [host.devices[device] for device in physical(group)]
    return Device(
        path,
        size=size,
        sector=max(device.sector for device in below),
        physical=max(device.physical for device in below),
    )


def _size_argument(host: Host, group: Group, volume: Volume, size: int) -> tuple[str, str]:
    """All that is free is asked for as such: how much LVM keeps for itself is LVM's to know.

    Of a device that is only planned the size is an estimate, and so is a share of a group on it.
    """
    estimated = any(not host.devices[path].kernel for path in physical(group))
    share = volume.size if isinstance(volume.size, Percent) else Percent(100) if volume.size is None else None
    if share == Percent(100) if estimated else size == group.free:
        return "--extents", "100%FREE"
    if estimated and share is not None:
        return "--size", f"{placeholder('share', f'{share}-of-{group.name}')}b"
    return "--size", f"{size}b"


def goal(group: Group, volume: Volume, logical: LogicalVolume) -> int:
    """How large the logical volume should be, in bytes and whole extents.

    Omitted, one that exists stays as it is, and a new one gets all that is free.
    """
    size = volume.size if volume.size is not None else Percent(100)
    if volume.size is None and logical.size:
        return logical.size
    if size == Percent(100):
        return logical.size + _gain(group, logical)
    if isinstance(size, Percent):
        return size.of(group.size) // group.extent_size * group.extent_size
    return -(-size // group.extent_size) * group.extent_size


def _gain(group: Group, logical: LogicalVolume) -> int:
    """By how many bytes a volume can grow, in whole extents."""
    free = group.free if logical.room is None else min(group.free, logical.room)
    return free // group.extent_size * group.extent_size


def _check_room(name: str, group: Group, volume: Volume, logical: LogicalVolume, wanted: int) -> None:
    available = logical.size + _gain(group, logical)
    if wanted > max(available, 0):
        shown = volume.size if isinstance(volume.size, Percent) else show_size(wanted)
        room = show_size(max(available, 0))
        closed = [one.device for one in group.physical_volumes if one.closed]
        why = f". Its devices {' '.join(closed)} are not allocatable (pvchange --allocatable y)" if closed else ""
        if logical.room is not None and logical.room < group.free:
            why += ". LVM's policy of allocation keeps it from more (lvchange --alloc, vgchange --alloc)"
        raise StorageError(f"volume {name}: {shown} does not fit: volume group {group.name} has room for {room}{why}")


def _activate(host: Host, name: str, group: Group, logical: LogicalVolume) -> tuple[Steps, Host, LogicalVolume]:
    full = f"{group.name}/{logical.name}"
    path = device_path(group.name, logical.name)
    steps: Steps = ()
    changed = logical
    kept = (
        *(("--setautoactivation", "y") if not logical.autoactivation else ()),
        *(("--setactivationskip", "n") if logical.skipped else ()),
    )
    if kept:
        command = Command(("lvchange", *kept, full))
        steps += (step("persist", name, "active from the next boot on", command, flush=physical(group)),)
        changed = changed._replace(autoactivation=True, skipped=False)
    if not logical.active:
        steps += (step("activate", name, path, Command(("lvchange", "--activate", "y", full))),)
        changed = changed._replace(active=True, device=path)
        host = host.with_device(_device(host, group, path, logical.size), content=UNSEEN)
    return steps, replace_volume(host, group, logical, changed), changed


def replace_volume(host: Host, group: Group, old: LogicalVolume, *new: LogicalVolume) -> Host:
    current = find(host, group.name) or group
    return replace_group(host, current, current._replace(volumes=replace_item(current.volumes, old, *new)))


def _resize(
    host: Host, want: Drive, group: Group, volume: Volume, logical: LogicalVolume, offline: bool, cut: bool
) -> tuple[Steps, Host, LogicalVolume]:
    name = f"{want.name}/{volume.name}"
    wanted = goal(group, volume, logical)
    if wanted == logical.size:
        return (), host, logical
    _check_resizable(name, group, logical, wanted)
    if wanted < logical.size:
        if offline:
            raise Refused(f"volume {name} has to shrink to {show_size(wanted)}; bring it online at its size first")
        return _shrink(host, want, group, volume, logical, wanted, cut)
    _check_room(name, group, volume, logical, wanted)
    if not offline:
        _check_growth(host, name, logical, wanted)
    added = wanted - logical.size
    size = ("--extents", "+100%FREE") if added == group.free else ("--size", f"{wanted}b")
    extend = step(
        "extend",
        name,
        f"logical volume to {show_size(wanted)}",
        Command(("lvextend", *size, f"{group.name}/{volume.name}")),
        flush=physical(group),
    )
    return (extend,), *_resized(host, group, logical, wanted)


def _check_growth(host: Host, name: str, logical: LogicalVolume, wanted: int) -> None:
    """Raises StorageError for a filesystem that does not take the size that its volume is to get."""
    filesystem = host.filesystem(logical.device)
    least = KNOWN[filesystem.type].grows_to if filesystem and filesystem.type in KNOWN else 0
    if filesystem and wanted < least:
        raise StorageError(
            f"volume {name}: its {filesystem.type} spans {show_size(filesystem.size)}, and {show_size(wanted)} is "
            f"wanted; the kernel gives {filesystem.type} no new size below {show_size(least)}. Say at least that, or "
            "leave the size as it is"
        )


def _check_resizable(name: str, group: Group, logical: LogicalVolume, wanted: int) -> None:
    has = f"volume {name} has {show_size(logical.size)}, and {show_size(wanted)} is wanted"
    if logical.locked or logical.read_only:
        why = describe_lock(group) if logical.locked else "it is read-only (lvchange --permission rw changes that)"
        raise Refused(f"{has}, but {why}")
    if logical.kind:
        raise Refused(
            f"{has}, but it is of LVM's type {logical.kind}, whose size a drive does not change. Leave size out, and "
            "use lvextend or lvreduce for it"
        )
    for snapshot in group.snapshots(logical):
        raise Refused(
            f"{has}, but it is the origin of the snapshot {group.name}/{snapshot.name}, and LVM does not resize an "
            "origin that is active. Leave size out for as long as the snapshot is needed"
        )


def describe_lock(group: Group) -> str:
    """Why LVM neither resizes nor removes a volume that a pvmove moves."""
    return (
        f"a pvmove away from {' '.join(group.moving) or 'a device'} goes on, and LVM neither resizes nor removes what "
        "that moves. Wait until it has ended (pvmove without arguments goes on with one that stopped), or end it where "
        "it is (pvmove --abort); both keep the data"
    )


def describe_volume(logical: LogicalVolume) -> str:
    """``theirs``, ``pool (thin-pool)`` or ``snap (snapshot of data)``."""
    of = f" of {logical.origin}" if logical.origin else ""
    return f"{logical.name} ({logical.kind}{of})" if logical.kind else logical.name


def _resized(host: Host, group: Group, logical: LogicalVolume, size: int) -> tuple[Host, LogicalVolume]:
    room = None if logical.room is None else logical.room - size + logical.size
    resized = logical._replace(size=size, room=room)
    free = group.free - size + logical.size
    after = group._replace(free=free, volumes=replace_item(group.volumes, logical, resized))
    device = host.devices[logical.device]._replace(size=size)
    host = host._replace(devices={**host.devices, device.path: device})
    return replace_group(host, group, after), resized


def _shrink(
    host: Host, want: Drive, group: Group, volume: Volume, logical: LogicalVolume, wanted: int, cut: bool
) -> tuple[Steps, Host, LogicalVolume]:
    """The filesystem first, then, once it is seen to end before that, the volume.

    ``cut``: what looks blank may be cut off.
    """
    name, path = f"{want.name}/{volume.name}", device_path(want.name, volume.name)
    if wanted <= 0:
        raise Refused(f"volume {name} has {show_size(logical.size)}, and no room would be left for it")
    if not want.allow_shrink:
        raise Refused(
            f"volume {name} has {show_size(logical.size)}, and {show_size(wanted)} is wanted. "
            "Set allow_shrink to make it smaller."
        )
    device = host.devices[logical.device]
    filesystem = host.filesystem(device.path)
    points = host.mounted(device.path)
    kind = KNOWN.get(filesystem.type) if filesystem else None
    content = host.content(device.path)[device.path] if kind is None else BLANK
    if content.signatures or (kind is None and (device.holders or content.busy)):
        raise Refused(
            f"volume {name}: it holds {describe_content(content) or 'something'}, which cannot be made smaller"
        )
    if filesystem is None and not cut:
        raise Refused(
            f"volume {name}: it holds nothing that is known here, which may be data in a form of its own, and its end "
            "would be cut off. Keep its size. Set allow_destroy to destroy that."
        )
    place = place_of(group, logical)
    if filesystem and kind:
        shrink.check(host, place, filesystem, wanted)
    down, up = Pause()
    steps: Steps = ()
    if filesystem and kind and (filesystem.size > wanted or kind.shrinks == "anew"):
        if kind.shrinks != "online" and (points or device.path in host.swaps):
            if not want.allow_offline:
                raise Refused(
                    f"{place}: {filesystem.type} shrinks only while nobody uses it. Set allow_offline to take it out "
                    "of use for that long."
                )
            down, up = pause(host, device, f"volume {name} cannot be taken out of use")
        if kind.shrinks != "anew":
            steps, host = shrink.shrink(host, place, filesystem, wanted)
    still = points[0] if points and not down else ""
    proof = (Spans(path, still, wanted),) if kind and kind.shrinks != "anew" else ()
    reduce = Command(("lvreduce", "--yes", "--force", "--size", f"{wanted}b", f"{group.name}/{volume.name}"))
    detail = f"logical volume to {show_size(wanted)}"
    made_anew = on_device(path, filesystem.uuid) if filesystem and kind and kind.shrinks == "anew" else None
    begin = made_anew._replace(last=False) if made_anew else None
    steps += (step("reduce", name, detail, reduce, claims=proof, flush=physical(group), intent=begin),)
    if filesystem and kind and kind.shrinks == "anew":
        remake = Command(kind.make(path, filesystem.uuid, filesystem.label))
        steps += (step("format", name, "swap of that size", remake, flush=(path,), intent=made_anew),)
    if filesystem:
        size = wanted if kind and kind.shrinks == "anew" else min(filesystem.size, wanted)
        host = with_filesystem(host, device.path, filesystem._replace(size=size))
    return (*down, *steps, *up), *_resized(host, group, logical, wanted)


def place_of(group: Group, logical: LogicalVolume) -> Place:
    """Where the volume's filesystem is."""
    mapper = f"/dev/mapper/{mapper_name(group.name, logical.name)}"
    path = device_path(group.name, logical.name)
    name = f"{group.name}/{logical.name}"
    return Place("volume", name, path, logical.device, logical.size, (path, mapper), group.extent_size)
