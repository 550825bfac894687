# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices an array consists of, by what their superblocks say of each other.

md updates the superblocks of the members that work, and of no others. So a device that failed, was pulled or was
removed still says that it is active: the superblocks of the others say that it is away. Where each of two says that the
other is away, both were written to without the other. Event counts do not tell that: they count updates of the
superblock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...document.raid import can_run
from .state import Member
from .superblock import MdSuperblock

#: By how much md lets the event counts of the members of one array differ.
_MARGIN = 1


def outside(
    blocks: Mapping[str, MdSuperblock], members: Mapping[str, MdSuperblock], faulty: Collection[str]
) -> list[Member]:
    """The devices that carry the superblock of an array that runs, and are neither its members nor faulty in it."""
    found = {
        path: _outside(block, members) for path, block in blocks.items() if path not in members and path not in faulty
    }
    return [member(path, blocks[path], role, side=int(role == "apart")) for path, role in found.items()]


def stopped(blocks: Mapping[str, MdSuperblock]) -> list[Member]:
    """The devices of an array that does not run. Those that ran apart are on different sides, the newest first.

    Two devices that say the same of themselves, and are as new as the rest, are both copies.
    """
    first = head(blocks)
    group = _group(blocks, first)
    roles = {path: _role(path, block, group) for path, block in blocks.items()}
    found = [
        member(path, blocks[path], role)._replace(other_shape=_other_shape(blocks[path], first))
        for path, role in roles.items()
        if role != "apart"
    ]
    left = {path: blocks[path] for path, role in roles.items() if role == "apart"}
    side = 0
    while left:
        side += 1
        group = _group(left, head(left))
        found += [member(path, block, "apart", side) for path, block in group.items()]
        left = {path: block for path, block in left.items() if path not in group}
        # An older state of that side, and of it only, has no place.
        older = {path: block for path, block in left.items() if _outside(block, group) == "former"}
        found += [member(path, block, "apart", side)._replace(slot=None) for path, block in older.items()]
        left = {path: block for path, block in left.items() if path not in older}
    return found


def newest(blocks: Mapping[str, MdSuperblock]) -> MdSuperblock:
    """The superblock that was updated most often; of several, the one that knows of the fewest others.

    One whose device is being rebuilt may have been told of that before the others were, and has no data of its own.
    """
    return max(
        blocks.values(),
        key=lambda block: (block.slot is not None, block.role == "active", block.events, -len(block.slots)),
    )


def head(blocks: Mapping[str, MdSuperblock]) -> MdSuperblock:
    """The superblock by which an array is started.

    A crash at the beginning or the end of a reshape leaves some superblocks of the shape before, and some of the one
    after. By either the data is whole then: those are taken that lack the fewest members.
    """
    first = best = newest(blocks)
    most = _worth(_group(blocks, first))
    for block in blocks.values():
        if _other_shape(block, first) and _trusts(first, block):
            worth = _worth(_group(blocks, block))
            if worth > most:
                best, most = block, worth
    return best


def _other_shape(block: MdSuperblock, first: MdSuperblock) -> bool:
    """Whether a member was not told yet, or was told already, of a reshape: it was never away."""
    known = _trusts(first, block) or _trusts(block, first)
    return block.shape != first.shape and known and abs(first.events - block.events) <= _MARGIN


def _worth(group: Mapping[str, MdSuperblock]) -> tuple[bool, int]:
    """Whether an array runs with these members, and how many it lacks (as a negative number)."""
    one = next(iter(group.values()))
    slots = {block.slot for block in group.values() if block.slot is not None and block.role != "replacing"}
    return can_run(one.level, one.raid_devices, slots, one.layout), len(slots) - one.raid_devices


def member(path: str, block: MdSuperblock, role: str, side: int = 0) -> Member:
    return Member(path, role, None if role == "former" else block.slot, False, side, block.events, block.updated)


def _group(blocks: Mapping[str, MdSuperblock], first: MdSuperblock) -> dict[str, MdSuperblock]:
    """The members of the array that a superblock describes, as far as they agree with it."""
    return {
        path: block
        for path, block in blocks.items()
        if block is first or (_agree(first, block) and block.shape == first.shape)
    }


def _agree(one: MdSuperblock, other: MdSuperblock) -> bool:
    return _trusts(one, other) and _trusts(other, one) and abs(one.events - other.events) <= _MARGIN


def _role(path: str, block: MdSuperblock, group: Mapping[str, MdSuperblock]) -> str:
    if path in group:
        twins = any(same(block, other) for name, other in group.items() if name != path)
        return "copy" if twins else block.role
    role = _outside(block, group)
    aside = role == "former" and block.role in ("spare", "journal")
    return block.role if aside and all(block.shape == other.shape for other in group.values()) else role


def _outside(block: MdSuperblock, members: Mapping[str, MdSuperblock]) -> str:
    if any(same(block, other) for other in members.values()):
        return "copy"
    # The members go on from the state that a device is in, if it last worked together with one of them.
    latest = max((other.events for other in members.values()), default=0)
    follows = block.events <= latest + _MARGIN and any(_trusts(block, other) for other in members.values())
    return "former" if follows or block.slot is None else "apart"


def _trusts(block: MdSuperblock, other: MdSuperblock) -> bool:
    """Whether a device counted another one as working, in the place where that one is."""
    return other.slot is not None and block.slots.get(other.number) == other.slot


def same(block: MdSuperblock, other: MdSuperblock) -> bool:
    """Whether two superblocks are of one device: all that metadata 0.90 has for that is the number."""
    return (block.number, block.device_uuid) == (other.number, other.device_uuid)
