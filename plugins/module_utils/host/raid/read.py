# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the RAID arrays of a host: from the kernel those that run, from superblocks those that do not."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping

from ...core.command import read_text
from ..devices import Device
from ..superblocks import read_superblock
from ..sysfs import SYS, digits, names_in
from . import roles as raid_roles
from .space import METADATA, SUPERBLOCK_LAST, usable
from .state import OUTSIDE, Array, Member
from .superblock import MdSuperblock, layout_word, uuid_0_90

#: Members of an array say what they are, and this beside it.
_ROLES = ("faulty", "journal", "replacement", "in_sync", "spare", "write_mostly", "")


def read_arrays(superblocks: Mapping[str, object], by_kernel: Mapping[str, Device]) -> tuple[Array, ...]:
    members = {path: block for path, block in superblocks.items() if isinstance(block, MdSuperblock)}
    # An md device in state clear is none: one comes to be when somebody opens the node of an array that was stopped.
    assembled = [
        _assembled(kernel, members, by_kernel)
        for kernel in by_kernel
        if read_text(f"{SYS}/{kernel}/md/array_state") not in ("", "clear")
    ]
    taken = {member.device for array in assembled for member in array.members}
    parts: dict[str, dict[str, MdSuperblock]] = {}
    for path, block in members.items():
        if path not in taken:
            parts.setdefault(block.uuid, {})[path] = block
    known = {array.uuid for array in assembled}
    sizes = {device.path: device.size for device in by_kernel.values()}
    found = tuple(assembled) + tuple(_stopped(blocks) for uuid, blocks in parts.items() if uuid not in known)
    cut = {path for path, block in members.items() if sizes[path] < block.least_size}
    return tuple(_without(array, cut) for array in found) if cut else found


def _without(array: Array, cut: set[str]) -> Array:
    """An array some of whose devices became smaller: md starts none with them."""

    def seen(member: Member) -> Member:
        own = member.role not in ("apart", "copy") and (not array.running or member.role in OUTSIDE)
        return member._replace(role="cut") if own and member.device in cut else member

    return array._replace(members=tuple(map(seen, array.members)))


def _assembled(kernel: str, superblocks: Mapping[str, MdSuperblock], by_kernel: Mapping[str, Device]) -> Array:
    base = f"{SYS}/{kernel}/md"
    devices = {device.path: device for device in by_kernel.values()}
    # First: while this says no, what is read after it is not half of what was, and half of what is.
    reshaping = is_reshaping(base)
    members = []
    for name in names_in(base):
        if name.startswith("dev-") and name[4:] in by_kernel:
            states = read_text(f"{base}/{name}/state").split(",")
            slot = read_text(f"{base}/{name}/slot")
            role = _role(states, slot.isdigit())
            number = int(slot) if slot.isdigit() else None
            members.append(
                Member(
                    by_kernel[name[4:]].path,
                    role,
                    number,
                    "write_mostly" in states,
                    flags=tuple(flag for flag in states if flag not in _ROLES),
                    errors=int(digits(read_text(f"{base}/{name}/errors"))),
                    bad_blocks=_bad_blocks(f"{base}/{name}"),
                )
            )
    inside = {member.device: superblocks[member.device] for member in members if member.device in superblocks}
    block = raid_roles.newest(inside) if inside else None
    blocks = {path: other for path, other in superblocks.items() if block and other.uuid == block.uuid}
    state = read_text(f"{base}/array_state")
    shapes = {other.shape for other in inside.values() if other.slot is not None}
    if block and (state == "inactive" or (state == "read-auto" and len(shapes) > 1)):
        # What md has not started has no slots yet: only the superblocks know, also those of devices that came later.
        running = {device.path for device in by_kernel.values() if any("/md" in holder for holder in device.holders)}
        here = {path: other for path, other in blocks.items() if path in inside or path not in running}
        # What md started by superblocks of two shapes has not been written to yet, and is as good as not started.
        return _stopped(here)._replace(device=by_kernel[kernel].path, state="inactive")
    metadata = read_text(f"{base}/metadata_version")
    members = [_dated(member, inside.get(member.device)) for member in members]
    if metadata in SUPERBLOCK_LAST:
        members = [
            member if member.device in inside else member._replace(lost=_is_lost(devices[member.device]))
            for member in members
        ]
    faulty = {member.device for member in members if member.role == "faulty"}
    working = {path: other for path, other in inside.items() if path not in faulty}
    members += raid_roles.outside(blocks, working, faulty)
    # mdadm adds a device with what it reads of the first member that works.
    sample = min(working.values(), key=lambda other: (other.slot is None, other.number), default=block)
    level = read_text(f"{base}/level")
    level = level[4:] if level.startswith("raid") else level or (block.level if block else "")
    layout = block.layout if block else ""
    coded = read_text(f"{base}/layout").split(" ")[0]
    if coded.isdigit() and state != "inactive":
        layout = layout_word(level, int(coded))
    percent, speed, eta_seconds = read_sync(base)
    rooms = _rooms(base, metadata, by_kernel) if metadata in METADATA else {}
    members = [member._replace(room=rooms.get(member.device, (0, 0))[0]) for member in members]
    return Array(
        uuid=block.uuid if block else _known_uuid(base, metadata),
        name=block.name if block else "",
        home=block.home if block else "",
        level=level,
        raid_devices=int(read_text(f"{base}/raid_disks").split(" ")[0] or 0) or (block.raid_devices if block else 0),
        members=_in_order(members),
        chunk_size=int(read_text(f"{base}/chunk_size").split(" ")[0] or 0),
        layout=layout,
        metadata=metadata,
        bitmap="none" if read_text(f"{base}/bitmap/location") in ("none", "") else "internal",
        device=by_kernel[kernel].path,
        state=state,
        sync_action=read_text(f"{base}/sync_action"),
        degraded=int(read_text(f"{base}/degraded") or 0),
        reshaping=reshaping,
        consistency_policy=read_text(f"{base}/consistency_policy"),
        component_size=int(read_text(f"{base}/component_size") or 0) << 10,
        # What the smallest member could give to the array.
        room=min((room for room, _offset in rooms.values()), default=0),
        first_data=min((offset for _room, offset in rooms.values()), default=0),
        array_size=int(digits(read_text(f"{base}/array_size"))) << 10,
        percent=percent,
        speed=speed,
        eta_seconds=eta_seconds,
        mismatch_count=int(digits(read_text(f"{base}/mismatch_cnt"))),
        data_offset=sample.data_offset if sample else 0,
        unsynced=read_text(f"{base}/resync_start") not in ("", "none"),
        unused=state == "inactive" and _never_written(inside.values()),
    )


def _is_lost(device: Device) -> bool:
    """Whether a device has no superblock of md's, as far as that can be read: it may also be seen as another's."""
    try:
        return not device.silent and not isinstance(read_superblock(device.path, device.size), MdSuperblock)
    except OSError:
        return False


def _known_uuid(base: str, metadata: str) -> str:
    """The UUID by which newer kernels still know an array none of whose superblocks is found, since its disks grew."""
    digits = read_text(f"{base}/uuid").replace("-", "")
    if not digits.strip("0"):
        return ""
    return uuid_0_90(digits) if metadata == "0.90" else digits


def _dated(member: Member, block: MdSuperblock | None) -> Member:
    return member._replace(events=block.events, updated=block.updated) if block else member


def _in_order(members: list[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: (member.slot is None, member.slot or 0, member.device)))


def _never_written(blocks: Iterable[MdSuperblock]) -> bool:
    """Whether nobody ever wrote to the array of these superblocks, by its events: mdadm counts none, or one (0.90)."""
    return all(block.events == (1 if block.metadata == "0.90" else 0) for block in blocks)


def _bad_blocks(member: str) -> int:
    """How many sectors of a member md no longer uses (lines of start and length)."""
    lines = [line.split() for line in read_text(f"{member}/bad_blocks").splitlines()]
    return sum(int(words[1]) for words in lines if len(words) == 2)


def read_sync(md: str) -> tuple[float | None, int, int | None]:
    """How far the kernel has come with what it does to an array: percent, bytes per second, seconds left."""
    done, _of, whole = read_text(f"{md}/sync_completed").partition(" / ")
    speed = int(digits(read_text(f"{md}/sync_speed"))) << 10
    if not whole.isdigit():
        return None, speed, None
    # The kernel counts sectors of 512 bytes.
    left = (int(whole) - int(done)) << 9
    return round(100 * int(done) / int(whole), 1), speed, left // speed if speed else None


def is_reshaping(md: str) -> bool:
    """Whether an array is being reshaped, by the kernel, or by mdadm, which has more to do once the kernel is done."""
    if read_text(f"{md}/reshape_position") not in ("", "none"):
        return True
    return read_text(f"{md}/last_sync_action") == "reshape" and _mdadm_grows()


def _mdadm_grows() -> bool:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        words = read_text(path).split("\0")
        if os.path.basename(words[0]) == "mdadm" and "--grow" in words:
            return True
    return False


def _role(states: list[str], has_slot: bool) -> str:
    if "faulty" in states:
        return "faulty"
    if "journal" in states:
        return "journal"
    if "replacement" in states:
        return "replacing"
    if "in_sync" in states:
        return "active"
    return "rebuilding" if has_slot else "spare"


def _rooms(base: str, metadata: str, by_kernel: Mapping[str, Device]) -> dict[str, tuple[int, int]]:
    """How much of each member the array could use, and where the data begins on it, in bytes."""
    members = {
        name: by_kernel[name[4:]] for name in names_in(base) if name.startswith("dev-") and name[4:] in by_kernel
    }
    offsets = {name: int(digits(read_text(f"{base}/{name}/offset"))) << 9 for name in members}
    return {
        device.path: (usable(metadata, device.size, offsets[name]), offsets[name]) for name, device in members.items()
    }


def _stopped(blocks: Mapping[str, MdSuperblock]) -> Array:
    head = raid_roles.head(blocks)
    return Array(
        uuid=head.uuid,
        name=head.name,
        home=head.home,
        level=head.level,
        raid_devices=head.raid_devices,
        members=_in_order(raid_roles.stopped(blocks)),
        chunk_size=head.chunk_size,
        layout=head.layout,
        metadata=head.metadata,
        bitmap=head.bitmap,
        consistency_policy=head.log,
        reshaping=head.reshaping,
        component_size=head.component_size,
        data_offset=head.data_offset,
        first_data=min(block.data_offset for block in blocks.values()),
        unsynced=head.unsynced,
        needs_backup=head.needs_backup,
        unused=_never_written(blocks.values()),
    )
