# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of an array that runs: its level, how many devices it spans and how, its chunks and its bitmap."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...core.errors import Refused
from ...core.plan import Command
from ...document.raid import LEAST_DEVICES, LEVELS, Raid, check_layout, data_members
from ...document.sizes import show_size
from ..boot import array_path
from ..devices import Device
from ..host import Host
from ..safety import check_may_grow
from . import shrink as raid_shrink
from .members import Change, Steps, enter, reshape, shrinks, step
from .space import spanning_offset, to_span
from .state import SUPERBLOCK_FIRST, Array, Member

#: mdadm rounds what it uses of a member, and keeps room for its bitmap.
_SLACK = 1 << 20
#: What mdadm can divide a RAID 5 into at the least.
_BLOCK = 4096
#: The chunks of a RAID 5 that was a RAID 1.
_CONVERTED = 64 << 10
_CONVERTED_LAYOUT = "left-symmetric"
_TRIED = "Linux 6.1, mdadm 4.2"
_RESHAPING = {"reshaping": True, "sync_action": "reshape"}
#: What a RAID 4, 5 or 6 may write to before its members, in words.
_LOGS = {"journal": "has a write journal", "ppl": "has a partial parity log"}
#: What no array changes by.
_HARMLESS = ("resume", "scrub")
_CALLED = {"recover": "rebuild"}
#: Where as many members' worth of data is left, a reshape writes close to where it reads, and the superblocks say only
#: every ten seconds how far it came: seen with the start of the data moving, and with a backup file.
_UNRECORDED = (
    f"in a power cut in the midst of that, data was lost when it was tried ({_TRIED}). Copy what it holds to a new "
    "array, or set allow_unprotected_reshape, with a backup, if that shall be risked"
)
_RISK = ", unprotected until it has ended"
_BACKUP_FILE = "with metadata {} the start of its data does not move, and only with that mdadm needs no backup file"


def check(want: Raid, array: Array) -> None:
    """Raises Refused for what no command changes in place."""
    if want.metadata and array.metadata and want.metadata != array.metadata:
        raise Refused(
            f"array {want.name}: its metadata is {array.metadata}, and {want.metadata} is wanted; "
            "where the superblock lies is fixed when an array is made"
        )


def check_changed(want: Raid, array: Array, steps: Steps) -> None:
    """Raises Refused where steps change an array of a kind that is only started, stopped and removed here."""
    changes = [one for one in steps if one.verb not in _HARMLESS]
    log = "journal" if array.devices("journal") else array.consistency_policy
    kind = _LOGS.get(log, "" if array.level in LEVELS else f"is of level {array.level}")
    if kind and changes:
        raise Refused(
            f"array {want.name} {kind}, and such an array is not changed here. This would change it: {changes[0]}. "
            "Nothing was changed. Leave out of the item what differs, or change it with mdadm"
        )


def _check_level(want: Raid, array: Array) -> None:
    if want.level in (None, array.level) or (array.level, want.level) == ("1", "5"):
        return
    if {array.level, want.level} == {"5", "6"}:
        _check_unprotected(want, array, f"its level is {array.level}, and {want.level} is wanted")
        return
    if array.level == "0":
        why = f"data was lost on the way when this was tried ({_TRIED}), so it is not done"
    else:
        why = {
            "0": "that gives up its redundancy",
            "1": "mdadm does not turn it into a mirror",
        }.get(want.level or "", "mdadm cannot do that in place")
    raise Refused(
        f"array {want.name}: its level is {array.level}, and {want.level} is wanted; {why}. "
        "Copy what it holds to a new array"
    )


def _check_unprotected(want: Raid, array: Array, what: str) -> None:
    if array.metadata not in SUPERBLOCK_FIRST:
        raise Refused(
            f"array {want.name}: {what}; {_BACKUP_FILE.format(array.metadata)}. Copy what it holds to a new array"
        )
    if not want.allow_unprotected_reshape:
        raise Refused(f"array {want.name}: {what}; {_UNRECORDED}")


def change(host: Host, want: Raid, array: Array, newcomers: tuple[Device, ...], allow: bool) -> Change:
    """One change of shape, and what can be done beside it: another begins once the first has ended."""
    _check_level(want, array)
    _check_chunk(want, array)
    _check_layout(want, array)
    if array.sync_action not in ("", "idle") or array.degraded or array.devices("replacing"):
        return (), host, array
    level = partial(_level, newcomers=newcomers, allow=allow)
    number = partial(_number, newcomers=newcomers, allow=allow)
    steps: Steps = ()
    for one in (raid_shrink.uncut, _without_bitmap, _size, level, number, _chunk, _with_bitmap):
        more, host, array = one(host, want, array)
        steps += more
        if array.sync_action not in ("", "idle"):
            break
    return steps, host, array


def _grow(
    host: Host,
    want: Raid,
    array: Array,
    detail: str,
    arguments: tuple[str, ...],
    **after: Any,
) -> Change:
    command = Command(("mdadm", "--grow", array_path(want.name), *arguments), timeout=600)
    return reshape(host, want, array, "grow", detail, (command,), **after)


def _without_bitmap(host: Host, want: Raid, array: Array) -> Change:
    if want.bitmap != "none" or array.bitmap == "none":
        return (), host, array
    return _grow(host, want, array, "without a bitmap", ("--bitmap=none",), bitmap="none")


def _with_bitmap(host: Host, want: Raid, array: Array) -> Change:
    if want.bitmap != "internal" or array.bitmap != "none":
        return (), host, array
    return _grow(host, want, array, "with a bitmap", ("--bitmap=internal",), bitmap="internal")


def _size(host: Host, want: Raid, array: Array) -> Change:
    size = array.room if want.largest else want.size
    if size is None or not array.component_size:
        return (), host, array
    slack = max(_SLACK, array.chunk_size)
    lost = [member.device for member in array.members if member.lost]
    moves = bool(lost) and want.largest
    if not moves and (abs(size - array.component_size) < slack or (want.largest and size < array.component_size)):
        return (), host, array
    if lost and array.bitmap != "none":
        raise Refused(
            f"array {want.name}: {lost[0]} grew, and beside a bitmap md does not move the superblock of metadata "
            f"{array.metadata} to the new end. Nothing was changed. Say `bitmap: none` and `size: max`; once that is "
            "done, `bitmap: internal` sets it again. Leave the array running until then"
        )
    if array.level == "0":
        raise Refused(f"array {want.name}: what a RAID 0 uses of its members cannot be changed in place")
    if size < array.component_size:
        return raid_shrink.smaller(host, want, array, size)
    if array.room and size > array.room:
        raise Refused(
            f"array {want.name}: size is {show_size(size)}, and its smallest member has {show_size(array.room)}"
        )
    check_may_grow(host, host.devices[array.device], f"array {want.name}")
    if want.largest:
        detail = f"to all of its members, {show_size(array.room)} of each"
        if lost:
            detail += f", with the superblocks at the new ends of {' '.join(lost)}"
        found = tuple(member._replace(lost=False) for member in array.members)
        grown = _grow(host, want, array, detail, ("--size=max",), component_size=array.room, members=found)
    else:
        detail = f"to {show_size(size)} of each member"
        grown = _grow(host, want, array, detail, (f"--size={size >> 10}",), component_size=size)
    steps, host, larger = grown
    # What lies on it has the room at once, before the new part is in sync.
    unit = array.chunk_size or 1
    gained = int(
        (size // unit * unit - array.component_size) * data_members(array.level, array.raid_devices, array.layout)
    )
    device = host.devices[array.device]
    return steps, host.with_size(device.path, device.size + max(gained, 0)) if device.size else host, larger


def _level(host: Host, want: Raid, array: Array, newcomers: tuple[Device, ...], allow: bool) -> Change:
    if want.level is None or want.level == array.level:
        return (), host, array
    if want.level == "6":
        return _to_raid6(host, want, array, newcomers, allow)
    return (_to_raid5 if array.level == "1" else _back_to_raid5)(host, want, array)


def _to_raid5(host: Host, want: Raid, array: Array) -> Change:
    """From a mirror."""
    if array.raid_devices != 2:
        raise Refused(
            f"array {want.name}: a RAID 1 over {array.raid_devices} devices cannot become a RAID 5; over two it can. "
            "List two of its devices first"
        )
    if array.component_size % _BLOCK:
        raise Refused(
            f"array {want.name}: it uses {array.component_size} bytes of each member, which RAID 5 cannot divide: "
            "not a multiple of 4 KiB"
        )
    after: dict[str, Any] = {"level": "5", "chunk_size": _CONVERTED, "layout": _CONVERTED_LAYOUT}
    return _grow(host, want, array, "from RAID 1 to RAID 5", ("--level=5",), **after)


def _to_raid6(host: Host, want: Raid, array: Array, newcomers: tuple[Device, ...], allow: bool) -> Change:
    count = array.raid_devices + 1
    if not newcomers or count < LEAST_DEVICES["6"]:
        raise Refused(
            f"array {want.name}: RAID 6 needs one device more than RAID 5, at least {LEAST_DEVICES['6']} in all, and "
            f"`devices` lists {len(newcomers) or 'none'} that {'is' if len(newcomers) < 2 else 'are'} new"
        )
    arguments = ("--level=6", f"--raid-devices={count}")
    after = {"level": "6", "layout": _CONVERTED_LAYOUT}
    return _span(host, want, array, newcomers[:1], allow, f"from RAID 5 to RAID 6{_RISK}", arguments, **after)


def _back_to_raid5(host: Host, want: Raid, array: Array) -> Change:
    """The member in the last slot becomes a spare."""
    count = array.raid_devices - 1
    if want.devices is not None and len(want.devices) != count:
        raise Refused(
            f"array {want.name}: to become RAID 5 it gives up one of its {array.raid_devices} devices, and `devices` "
            f"has {len(want.devices)}"
        )
    freed = array.devices("active")[-1:]
    return _grow(
        host,
        want,
        array,
        f"from RAID 6 to RAID 5, a device of it a spare{_RISK}",
        ("--level=5", f"--raid-devices={count}"),
        level="5",
        layout=_CONVERTED_LAYOUT,
        raid_devices=count,
        members=tuple(
            member._replace(role="spare", slot=None) if member.device in freed else member for member in array.members
        ),
        **_RESHAPING,
    )


def _number(host: Host, want: Raid, array: Array, newcomers: tuple[Device, ...], allow: bool) -> Change:
    """Over fewer devices, or over more."""
    if shrinks(want, array):
        return raid_shrink.fewer(host, want, array)
    if not newcomers:
        return (), host, array
    if array.level == "10" and array.layout[:1] == "f":
        raise Refused(
            f"array {want.name}: {newcomers[0].path} is not a member of it, and a RAID 10 of layout {array.layout} "
            "cannot grow in place"
        )
    if array.level == "0":
        raise Refused(
            f"array {want.name}: {newcomers[0].path} is not a member of it, and a RAID 0 does not grow here: data was "
            f"lost on the way when this was tried ({_TRIED}). Copy what it holds to a new array"
        )
    check_may_grow(host, host.devices[array.device], f"array {want.name}")
    count = array.raid_devices + len(newcomers)
    detail = f"to {count} devices"
    arguments: tuple[str, ...] = (f"--raid-devices={count}",)
    if array.level in ("4", "5", "6") and array.metadata in SUPERBLOCK_FIRST:
        offset = _offset(want, array, count)
        if offset:
            arguments += (f"--data-offset={offset >> 10}K",)
        else:
            detail += _RISK
    return _span(host, want, array, newcomers, allow, detail, arguments)


def _offset(want: Raid, array: Array, count: int) -> int:
    """Where the data of more members begins; 0 where that is risked."""
    before, after = (int(data_members(array.level, number)) for number in (array.raid_devices, count))
    least = to_span(before, after, array.chunk_size)
    offset = spanning_offset(array.first_data, least)
    if not offset and not want.allow_unprotected_reshape:
        raise Refused(
            f"array {want.name}: to span {count} devices the start of its data has to move by {show_size(least)}, and "
            f"it begins {show_size(array.first_data)} into its members. With less, mdadm and md would do it all the "
            "same, and lose data if the power went in the first moments. Copy what it holds to a new array with a "
            "smaller chunk_size, or set allow_unprotected_reshape, with a backup, if that shall be risked"
        )
    return offset


def _span(
    host: Host,
    want: Raid,
    array: Array,
    newcomers: tuple[Device, ...],
    allow: bool,
    detail: str,
    arguments: tuple[str, ...],
    **after: Any,
) -> Change:
    """Over more devices, which become spares first."""
    steps: Steps = ()
    for device in newcomers:
        if device.path not in array.devices("spare"):
            more, host, array = enter(host, want, array, device, "spare", allow)
            steps += more
    paths = [device.path for device in newcomers]
    members = tuple(member for member in array.members if member.device not in paths)
    members += tuple(Member(path, "active", array.raid_devices + index) for index, path in enumerate(paths))
    after = {
        "raid_devices": array.raid_devices + len(newcomers),
        "members": members,
        **({"sync_action": "recover"} if array.level == "1" else _RESHAPING),
        **after,
    }
    more, host, array = _grow(host, want, array, detail, arguments, **after)
    return steps + more, host, array


def _check_chunk(want: Raid, array: Array) -> None:
    if want.chunk_size is None or want.chunk_size == array.chunk_size:
        return
    level = want.level or array.level
    if level == "1":
        raise Refused(f"array {want.name} is a RAID 1, which does not stripe, so it has no chunk_size")
    if level == "10" and array.layout[:1] == "n":
        return
    if level == "0":
        why = "that of a RAID 0 does not change in place"
    elif level == "10":
        why = (
            f"of a RAID 10 of layout {array.layout or 'unknown'}, data was lost on the way when this was tried "
            f"({_TRIED}), so it is not done. Copy what it holds to a new array"
        )
    else:
        what = f"its chunk_size is {show_size(array.chunk_size)}, and {show_size(want.chunk_size)} is wanted"
        _check_unprotected(want, array, what)
        return
    raise Refused(
        f"array {want.name}: its chunk_size is {show_size(array.chunk_size)}, and {show_size(want.chunk_size)} is "
        f"wanted; {why}"
    )


def _check_layout(want: Raid, array: Array) -> None:
    if want.layout is None or (want.layout == array.layout and want.level in (None, array.level)):
        return
    level = want.level or array.level
    check_layout(want.name, level, want.layout)
    if level == array.level or want.layout != _CONVERTED_LAYOUT:
        raise Refused(
            f"array {want.name}: its layout is {array.layout or 'none'}, and {want.layout} is wanted; that does not "
            f"change in place. (From near to offset, data was lost on the way when this was tried: {_TRIED}.) Copy "
            "what it holds to a new array"
        )


def _chunk(host: Host, want: Raid, array: Array) -> Change:
    if want.chunk_size is None or want.chunk_size == array.chunk_size or not array.chunk_size:
        return (), host, array
    detail = f"to chunks of {show_size(want.chunk_size)}{'' if array.level == '10' else _RISK}"
    argument = f"--chunk={want.chunk_size >> 10}"
    return _grow(host, want, array, detail, (argument,), chunk_size=want.chunk_size, **_RESHAPING)


def resume(want: Raid, array: Array) -> tuple[Steps, Array]:
    """After its start an array waits for its first write: until then a reshape, a rebuild or a resync stands still."""
    going = _stands_still(array) if array.state == "read-auto" else ""
    if not going:
        return (), array
    # Somebody may have written to it since it was read, and mdadm calls it busy then. What is read afterwards tells.
    command = Command(("mdadm", "--readwrite", array_path(want.name)), accepts=(0, 1))
    resumed = array._replace(state="clean", sync_action=going)
    return (step("resume", want, f"its {_CALLED.get(going, going)}, which waits since its start", command),), resumed


def _stands_still(array: Array) -> str:
    """What an array would do once it is written to, as md's sync_action; empty where it has nothing to do."""
    if array.reshaping:
        return "reshape"
    if array.devices("rebuilding", "replacing") or (array.degraded and array.devices("spare")):
        return "recover"
    return "resync" if array.unsynced and array.level in LEVELS and array.level != "0" else ""
