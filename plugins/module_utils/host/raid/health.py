# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with arrays, or on its way."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.plan_text import counted
from ...core.text import duration
from ...document.raid import can_run, redundancy
from ...document.sizes import show_size
from ..boot import ArrayLine, array_name, colons, gone_lines
from ..findings import CRITICAL, NOTICE, WARNING, Finding
from ..host import Host
from .state import OUTSIDE, Array, Member
from .versions import advice, describe

#: What it means that a device is no part of its array.
_OUTSIDE = {
    "former": "The array has all that is on it, and what came after.",
    "apart": "What was written to it is nowhere else.",
    "copy": "Nothing tells them apart.",
    "cut": "The array does not start with it.",
}
_MDMON = "Add a disk to its container (mdadm --add), or by its firmware."
_REPLACE = "List another disk in its place in `devices`; this one is read until that has the data."


def health(host: Host) -> Iterator[Finding]:
    """Of all arrays, and of those that mdadm.conf names and nobody finds."""
    for array in host.arrays:
        yield from of_array(host, array)
    for line in gone_lines(host):
        yield not_found(host, line)


def of_array(host: Host, array: Array) -> Iterator[Finding]:
    def found(severity: str, problem: str, *rest: str, device: str = array.device) -> Finding:
        return Finding(severity, device, array_name(host, array), problem, *rest)

    if array.foreign:
        # A container never runs, and what mdmon does is not known here.
        if array.degraded:
            yield found(
                CRITICAL, "degraded", f"{counted(array.degraded, 'member')} missing", "It lacks redundancy.", _MDMON
            )
        return
    for member in array.members:
        for severity, problem, *rest in _of_member(host, array, member):
            yield found(severity, problem, *rest, device=member.device)
    if not array.running:
        here = len(_slots(array))
        yield found(
            CRITICAL if array.device or not _is_whole(array) else WARNING,
            "inactive" if array.device else "stopped",
            f"it does not run, and {here} of its {array.raid_devices} members are here",
            "What is on it cannot be reached.",
            "A task with it starts it, where enough of its members are here."
            if here >= array.raid_devices
            else "Connect the members that are missing; a task with it starts it then.",
        )
    elif array.degraded:
        yield found(*_degraded(array))
    if array.sync_action not in ("", "idle", "frozen") or (array.reshaping and array.running):
        done = f" {array.percent} %" if array.percent is not None else ""
        done += f", {duration(array.eta_seconds)} left" if array.eta_seconds is not None else ""
        yield found(NOTICE, "syncing", f"{array.sync_action or 'reshape'}{done}", "It goes on by itself.")
    elif array.mismatch_count:
        yield found(
            WARNING,
            "mismatches",
            f"at {array.mismatch_count} sectors its members disagree, as the last check found",
            "Nothing tells which of them is right, and a read gives one or the other.",
            "Compare what it holds with a backup first: a repair makes its members equal, and may keep the wrong copy.",
        )
    waiting = _waiting(array)
    if waiting:
        yield found(WARNING, "waits", waiting, "Until then it lacks redundancy, or the shape that was asked for.")


def _slots(array: Array) -> set[int]:
    """The places whose members have all that they should."""
    return {member.slot for member in array.members if member.role in ("active", "copy") and member.slot is not None}


def _is_whole(array: Array) -> bool:
    """Whether the members that are here have all the data."""
    return can_run(array.level, array.raid_devices, _slots(array), array.layout)


def not_found(host: Host, line: ArrayLine) -> Finding:
    """An array that is not here, by its ARRAY line."""
    name = line.device.rsplit("/", 1)[1] if "/" in line.device else "an array"
    return Finding(
        WARNING,
        "",
        name,
        "not found",
        f"{host.boot.conf} names {name} (UUID {colons(line.uuid)}), and no device here carries its superblock",
        "Its devices are not connected, or they grew, or were overwritten. What is left of them may look blank, or "
        "like what the array held: a device that looks so may still be one of them.",
        "Connect them; where they grew, show them with their former size (dmsetup).",
    )


def _degraded(array: Array) -> tuple[str, ...]:
    left = redundancy(array.level, array.raid_devices, array.layout) - array.degraded
    return (
        WARNING if left > 0 else CRITICAL,
        "degraded",
        f"{array.degraded} of {array.raid_devices} members missing",
        f"It can do without {left} more." if left > 0 else "One more that fails may take all of it.",
        "It is being rebuilt."
        if array.sync_action == "recover"
        else "Connect the disk that is missing again, or list another one in its place in `devices`.",
    )


def _of_member(host: Host, array: Array, member: Member) -> Iterator[tuple[str, ...]]:
    path = member.device
    if member.lost:
        yield (
            CRITICAL,
            "lost superblock",
            f"{path} grew, and its superblock (metadata {array.metadata}) is not at its new end",
            "The array runs until it is stopped. Then no start finds this member, and it looks blank, or like what the "
            "array holds.",
            _moved(array),
        )
    if member.role == "faulty":
        yield (
            WARNING,
            "faulty",
            f"{path} failed",
            "The array works without it.",
            "List another disk in its place in `devices`.",
        )
    elif member.role in OUTSIDE:
        severity = CRITICAL if member.role == "apart" else WARNING
        meaning, remedy = _OUTSIDE[member.role], f"{advice(member)[:1].upper()}{advice(member)[1:]}."
        if member.role == "former" and not _is_whole(array):
            severity, meaning = CRITICAL, "The array cannot be read without it, so this may be the last state there is."
            remedy = "Keep it as it is, and connect the members that are missing."
        yield severity, member.role, f"{path} {describe(host, array, member)}", meaning, remedy
    if "write_error" in member.flags:
        yield (
            WARNING,
            "write errors",
            f"writes to {path} failed",
            "md keeps it, and wants another in its place.",
            _REPLACE,
        )
    if member.bad_blocks:
        size = show_size(member.bad_blocks * 512)
        meaning = "What lies there has no redundancy, and may be lost."
        yield WARNING, "bad blocks", f"md no longer uses {size} of {path}", meaning, _REPLACE
    if member.errors:
        meaning = "Others answered, and what was not readable was written again."
        yield (
            NOTICE,
            "read errors",
            f"{member.errors} reads of {path} failed",
            meaning,
            f"Look at its own log: smartctl -a {path}.",
        )


def _moved(array: Array) -> str:
    """How the superblocks get to where the next start looks for them, or what is left to do."""
    if array.level == "0":
        return "Leave it running, and copy what it holds to another device."
    bitmap = " with `bitmap: none` (which can be set again afterwards)" if array.bitmap != "none" else ""
    return f"Leave it running: a task with `size: max`{bitmap} moves the superblocks, and what it holds stays."


def _waiting(array: Array) -> str:
    """What an array has to do and does not."""
    what = "a reshape" if array.reshaping else "a resync" if array.unsynced else "a rebuild" if array.degraded else ""
    if not array.running or not what:
        return ""
    if array.state in ("read-auto", "readonly") and (array.reshaping or array.unsynced):
        return f"{what} waits, since it is {array.state}: until the first write, or mdadm --readwrite {array.device}"
    if array.sync_action == "frozen":
        return f"{what} waits, since its sync_action is frozen: until `idle` is written to that"
    return ""
