# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays that shall hold less: over fewer devices, or with less of each; only where what is on them fits."""

from __future__ import annotations

from math import gcd

from ...core.errors import Refused
from ...core.plan import Command, Write, kernel_name
from ...document.raid import LEAST_DEVICES, Raid, data_members
from ...document.sizes import show_size
from ..actions import DropStripes
from ..boot import array_path
from ..filesystem.types.known import KNOWN
from ..host import Host
from ..safety import describe_content
from .members import Change, reshape
from .state import SUPERBLOCK_FIRST, Array

#: What says itself how much of a device it uses.
_FILESYSTEMS = tuple(KNOWN)


def is_cut(array: Array) -> bool:
    """Whether md shows less of an array than it holds."""
    return 0 < array.array_size < _capacity(array, array.raid_devices, array.component_size)


def uncut(host: Host, want: Raid, array: Array) -> Change:
    """Of an array that has shrunk md keeps the size that it was cut to, and would not let it grow again."""
    if not array.array_size or is_cut(array):
        return (), host, array
    md = array_path(want.name)
    actions = (DropStripes(md), _show(md, "max"))
    return reshape(host, want, array, "grow", "to whatever its members hold from now on", actions, array_size=0)


def fewer(host: Host, want: Raid, array: Array) -> Change:
    """Over as many devices as are listed; those with the last slots become spares."""
    count = len(want.devices or ())
    least = LEAST_DEVICES[array.level]
    if count < least:
        raise Refused(
            f"array {want.name}: RAID {array.level} needs at least {least} devices, and `devices` has {count}"
        )
    if array.metadata not in SUPERBLOCK_FIRST:
        raise Refused(
            f"array {want.name} cannot span fewer devices: with metadata {array.metadata} the start of its data does "
            "not move. Copy what it holds to a new array"
        )
    before, after = (int(data_members(array.level, number)) for number in (array.raid_devices, count))
    # With that much room behind the data, md writes past what it reads; else mdadm would need a backup file, which must
    # be there at the boot after a power cut.
    most = min(array.component_size, array.room - array.chunk_size * after)
    # The reshape begins at the end of what will be left. Reads of a stripe across the place where a reshape stands wait
    # for it to go on (Linux 6.1): those at the end of the array, with which udev looks for signatures, would so stop a
    # boot, before anything sets the reshape going again. So its first place is the end of a stripe of either shape.
    unit = array.chunk_size * before // gcd(before, after)
    size = most // unit * unit
    capacity = _check_fits(host, want, array, count, size)
    members = tuple(
        member._replace(role="spare", slot=None) if member.slot is not None and member.slot >= count else member
        for member in array.members
    )
    md = array_path(want.name)
    direction = f"/sys/class/block/{kernel_name(md)}/md/reshape_direction"
    smaller_members = (_use(md, size),) if size < array.component_size else ()
    fewer_devices = Command(("mdadm", "--grow", md, f"--raid-devices={count}"), timeout=600)
    return reshape(
        host,
        want,
        array,
        "shrink",
        f"to {count} devices, {show_size(capacity)}; what is freed becomes a spare",
        # mdadm does not say the direction itself before it moves the data's offset, and is refused.
        (_show(md, f"{capacity >> 10}"), *smaller_members, Write(direction, "backwards"), fewer_devices),
        undo=(
            Write(direction, "forwards"),
            *((_use(md, array.component_size),) if smaller_members else ()),
            _show(md, "max"),
        ),
        raid_devices=count,
        members=members,
        component_size=size,
        array_size=capacity,
        reshaping=True,
        sync_action="reshape",
    )


def smaller(host: Host, want: Raid, array: Array, size: int) -> Change:
    """With less of each member."""
    if not want.allow_shrink:
        raise Refused(
            f"array {want.name}: it uses {show_size(array.component_size)} of each member, and {show_size(size)} is "
            "wanted. Set allow_shrink to have it smaller"
        )
    capacity = _check_fits(host, want, array, array.raid_devices, size)
    md = array_path(want.name)
    return reshape(
        host,
        want,
        array,
        "shrink",
        f"to {show_size(size)} of each member, {show_size(capacity)}",
        (
            _show(md, f"{capacity >> 10}"),
            _use(md, size),
            _show(md, "max"),
        ),
        undo=(_show(md, "max"),),
        component_size=size,
    )


def _show(md: str, size: str) -> Command:
    """How much of the array is there to be seen: KiB, or max."""
    return Command(("mdadm", "--grow", md, f"--array-size={size}"))


def _use(md: str, size: int) -> Command:
    return Command(("mdadm", "--grow", md, f"--size={size >> 10}"))


def _capacity(array: Array, count: int, size: int) -> int:
    rounded = size // array.chunk_size * array.chunk_size if array.chunk_size else size
    return int(rounded * data_members(array.level, count, array.layout)) >> 10 << 10


def _check_fits(host: Host, want: Raid, array: Array, count: int, size: int) -> int:
    """What the array holds then, in bytes. Raises Refused where what is on it needs more, or does not say."""
    capacity = _capacity(array, count, size)
    device = host.devices[array.device]
    content = host.content(device.path)[device.path]
    used, what = 0, "nothing"
    types = [signature.type for signature in content.signatures]
    if types == ["unseen"]:
        raise Refused(
            f"array {want.name} cannot shrink while it is stopped: whether what is on it fits can only be seen once it "
            "runs. Start it first: the same task does, without what makes it smaller"
        )
    if device.partitions or any(kind not in (*_FILESYSTEMS, "LVM2_member") for kind in types) or len(types) > 1:
        raise Refused(
            f"array {want.name} cannot shrink: {device.path} holds {describe_content(content)}, and only of one "
            "filesystem, or one physical volume, straight on the array can be told whether it fits"
        )
    if types == ["LVM2_member"]:
        volumes = [volume for group in host.groups().groups for volume in group.physical_volumes]
        found = next((volume for volume in volumes if volume.device == device.path), None)
        used, what = (found.start + found.size, "the physical volume") if found else (device.size, "a physical volume")
    elif types:
        filesystem = host.filesystem(device.path)
        used, what = (filesystem.size if filesystem else device.size), f"the {types[0]} filesystem"
    elif device.holders:
        raise Refused(f"array {want.name} cannot shrink: {device.path} is used by {' '.join(device.holders)}")
    if used > capacity:
        raise Refused(
            f"array {want.name} cannot shrink: {what} on {device.path} spans {used} bytes "
            f"({show_size(used)}), and {capacity} ({show_size(capacity)}) would be left. Make that smaller first"
        )
    return capacity
