# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of an array's data is meant, where its devices ran apart, or where one of them is here twice.

No rule tells which of two versions is the better one: the later one may be that of a disk that somebody tried out. So
the task has to say it, by the devices that it lists or by those that it gives up.
"""

from __future__ import annotations

import time

from ...core.errors import Refused
from ...document.raid import Raid
from ...document.sizes import show_size
from ..host import Host
from .state import OUTSIDE, Array, Member


def paths(host: Host, references: tuple[str, ...] | None, name: str) -> set[str]:
    return {host.device(reference, f"array {name}").path for reference in references or ()}


def meant(host: Host, want: Raid, array: Array) -> Array:
    """A stopped array, whose members are those of the version that the task says. Raises Refused where it says none."""
    named = paths(host, (*(want.devices or ()), *(want.spare_devices or ())), want.name)
    given_up = paths(host, want.discard_devices, want.name)
    array = _without_copies(want, array, named, given_up)
    sides = sorted({member.side for member in array.members})
    if len(sides) < 2:
        return array
    wanted = {
        member.side
        for member in array.members
        if member.slot is not None
        and member.device not in given_up
        and (want.devices is None or member.device in named)
        and member.role != "copy"
    }
    if len(wanted) != 1:
        raise Refused(_apart(want, array))
    return _of_side(array, wanted.pop())


def _of_side(array: Array, side: int) -> Array:
    """The array as one group of its devices knows it: the others are apart from that."""
    if side == 0:
        return array

    def seen(member: Member) -> Member:
        if member.side == side and member.slot is not None:
            return member._replace(role="active", side=0)
        if member.slot is None and (member.role != "apart" or member.side == side):
            return member._replace(role="former")
        return member._replace(role="apart", side=member.side or side)

    return array._replace(members=tuple(seen(member) for member in array.members))


def _without_copies(want: Raid, array: Array, named: set[str], given_up: set[str]) -> Array:
    """Of copies that are as new as each other, the one that the task names is the member."""
    working = {member.slot for member in array.members if member.role in ("active", "rebuilding")}
    chosen = set()
    for slot in sorted({member.slot for member in array.members if member.role == "copy" and member.slot is not None}):
        if slot in working:
            continue
        copies = [member.device for member in array.members if member.role == "copy" and member.slot == slot]
        left = [device for device in copies if device not in given_up]
        picked = [device for device in left if device in named] if want.devices is not None else left
        if len(picked) != 1:
            raise Refused(
                f"array {want.name}: {' and '.join(copies)} carry one and the same superblock: one is a copy of the "
                "other, or both are paths to one disk, and nothing tells which was meant. Nothing was changed. List "
                "one of them in `devices`, or disconnect the copy"
            )
        chosen.add(picked[0])
    return array._replace(
        members=tuple(member._replace(role="active") if member.device in chosen else member for member in array.members)
    )


def check_no_version_is_lost(want: Raid, array: Array, member: Member, given_up: set[str]) -> None:
    """Raises Refused for a device that is to come in, and would lose a version of its own, or is here twice.

    With an older state of the array nothing is lost that the array does not have.
    """
    refused = f"{member.device}: refused as a member of {want.name}"
    twin = _twin(array, member)
    if member.device in given_up or member.role in ("former", "cut"):
        return
    if member.role == "apart":
        raise Refused(_apart(want, array))
    raise Refused(
        f"{refused}: it is a copy of {twin.device if twin else 'another member'}, with the same superblock. Nothing "
        "was changed. Take it out of `devices`, or, if what it holds is not needed, name it in `discard_devices` too"
    )


def describe(host: Host, array: Array, member: Member) -> str:
    """What a device is to an array that it is no part of, as a predicate."""
    twin = _twin(array, member)
    if member.role == "copy":
        return f"is a copy of {twin.device if twin else 'another member'}"
    if member.role == "cut":
        size = show_size(host.devices[member.device].size) if member.device in host.devices else "less"
        return f"is smaller than it was as a member of the array ({size}), and md does not take it so"
    dated = f", last updated {when(member.updated)}" if member.updated else ""
    if member.role == "apart":
        return f"was written to without the array, and holds a version of its own{dated}"
    return f"holds an older state of the array{dated}"


def advice(member: Member) -> str:
    """What to do about such a device without losing what may be wanted."""
    if member.role == "copy":
        return "disconnect one of the two, since a boot may start the array with either"
    if member.role == "cut":
        return "make it as large as it was, and nothing is lost that was not written over behind its end"
    if member.role == "apart":
        return "to have it back loses that version: copy what is wanted from it first"
    return "listed in `devices` it comes back, and takes over what the array holds now"


def check_removable(host: Host, want: Raid, array: Array, allow: bool) -> None:
    """Raises Refused where removing an array would clear devices that are no part of it and hold what it does not."""
    given_up = paths(host, want.discard_devices, want.name)
    for member in array.members:
        if member.role not in OUTSIDE or member.device in given_up or (allow and member.role in ("former", "cut")):
            continue
        raise Refused(
            f"array {want.name} cannot be removed: its superblock is also on {member.device}, which "
            f"{describe(host, array, member)}. Nothing was changed. Disconnect {member.device} to keep what it holds, "
            "or name it in `discard_devices` to have it cleared as well"
        )


def _twin(array: Array, member: Member) -> Member | None:
    """The member whose superblock a copy carries too."""
    inside = (other for other in array.members if other.role not in OUTSIDE and other.slot == member.slot)
    return next(inside, None) if member.role == "copy" else None


def _apart(want: Raid, array: Array) -> str:
    """What is on which device, which is newer, and what to do without losing anything."""
    groups: dict[int, list[Member]] = {}
    for member in array.members:
        if (member.role == "apart" and member.slot is not None) or (
            member.side == 0 and member.role in ("active", "rebuilding")
        ):
            groups.setdefault(member.side, []).append(member)
    told = [f"{_names(group)} (last updated {when(_updated(group))})" for _side, group in sorted(groups.items())]
    return (
        f"array {want.name}: its devices ran apart: {' and '.join(told)} were each written to without the other, so "
        f"each holds a version of its own. That of {_names(max(groups.values(), key=_updated))} is the later one, "
        "which does not make it the right one. Nothing was changed. List only devices of the wanted version in "
        "`devices`, or name those whose version is given up in `discard_devices`. To compare the two first, make one "
        "an array of its own, which changes its superblock and no data: mdadm --assemble /dev/md/other --run "
        f"--readonly --update=uuid {_names(groups[max(groups)])}"
    )


def _names(group: list[Member]) -> str:
    return " ".join(member.device for member in group)


def _updated(group: list[Member]) -> int:
    return max(member.updated for member in group)


def when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
