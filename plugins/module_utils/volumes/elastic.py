# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides whether a drive grows or shrinks: a pure function of its usage, its volumes, its policy and its history.

A shrink leaves a drive at most as full as the middle of the two thresholds, so it never calls for a growth at the same
usage. A drive that just grew does not shrink at the same usage either: ``cooldown`` and that middle prevent it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..document.sizes import show_size
from .policy import Policy
from .state import DAY, GiB, History, Limits, Sample, Usage, Volume

#: A drive is replaced by a smaller one only if that saves this share: all of its data moves.
_WORTH_MOVING = 0.2
#: How many samples and changes are kept.
_KEPT = 48
_NO_HISTORY = History()
_NO_LIMIT = 1 << 80


class Move(NamedTuple):
    """One change of a drive's volumes: ``act`` is grow, add or remove. ``volume`` is empty for a new one.

    ``size``, ``iops`` and ``throughput`` are those afterwards; of a volume to remove they are those that it has.
    """

    act: str
    volume: str
    size: int
    iops: int
    throughput: int
    reason: str


class Decision(NamedTuple):
    """What is to be done with a drive, in order, and why. ``warning`` says what is needed and cannot be done.

    ``recommended`` are moves that the policy's mode does not permit to do.
    """

    moves: tuple[Move, ...]
    reason: str
    warning: str = ""
    recommended: tuple[Move, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.moves)


class _Drive(NamedTuple):
    """What the questions below are asked of. ``pressure`` is what is used, or what inodes in use amount to."""

    volumes: tuple[Volume, ...]
    policy: Policy
    limits: Limits
    pressure: int
    predicted: int
    share: float
    floor: int
    most: int

    @property
    def total(self) -> int:
        return sum(volume.size for volume in self.volumes)

    def fill(self, total: int) -> float:
        """How full it is with volumes of that size altogether."""
        return self.pressure / (total * self.share) if total else 1.0

    def tight(self, total: int) -> str:
        """Why a drive of that size has to grow (empty: it has not to)."""
        policy, size = self.policy, int(total * self.share)
        if self.pressure >= policy.grow_above * size:
            return f"it is {self.fill(total):.0%} full, and grow_above is {policy.grow_above:.0%}"
        if size - self.pressure < policy.headroom:
            left = show_size(max(size - self.pressure, 0))
            return f"{left} of it is free, and headroom is {show_size(policy.headroom)}"
        if self.predicted >= policy.grow_above * size:
            ahead = policy.predict / 3600
            return f"it is {self.fill(total):.0%} full, and grows past {policy.grow_above:.0%} within {ahead:g} h"
        if total < self.floor:
            return f"it has {show_size(total)}, and expand is {show_size(self.floor)}"
        return ""

    def roomy(self, total: int) -> bool:
        """Whether a drive that was shrunk to that size is well away from growing again."""
        used = max(self.pressure, self.predicted)
        return used <= self.policy.shrunk * total * self.share and not self.tight(total)

    def least(self, fill: float) -> int:
        """The smallest size with which it is at most that full, now and as far ahead as is predicted."""
        used = max(self.pressure, self.predicted)
        size = max(used / fill, self.pressure + self.policy.headroom) / self.share
        return max(_up(size, self.limits), self.floor, _up(self.policy.initial_size, self.limits))


def decide(
    usage: Usage | None,
    volumes: Sequence[Volume],
    policy: Policy,
    limits: Limits,
    history: History = _NO_HISTORY,
    now: float = 0.0,
) -> Decision:
    """What to do with a drive of these volumes at this time. ``usage`` None: nobody can see it, or it is new.

    An empty drive is created, whatever the mode.
    """
    drive = _drive(usage, tuple(volumes), policy, limits, history, now)
    if not volumes:
        return _create(drive)
    if policy.mode == "off":
        return Decision((), "mode is off")
    found = _missing(drive) or (_by_usage(drive, usage, history, now) if usage else None)
    if found is None:
        return Decision((), "its usage is not known, so it neither grows nor shrinks")
    spent = _spent(policy, history, now)
    if found.moves and spent:
        return Decision((), spent, f"needed and not done: {found.reason}; {spent}", found.moves)
    if found.moves and policy.mode == "recommend":
        return Decision((), f"mode is recommend; {found.reason}", recommended=found.moves)
    return found


def remember(history: History, usage: Usage | None, changed: bool, now: float) -> History:
    """The history after a pass."""
    samples = history.samples + ((Sample(now, usage.used),) if usage else ())
    recent = tuple(time for time in history.changes if now - time < DAY) or history.changes[-1:]
    return History(samples[-_KEPT:], (recent + ((now,) if changed else ()))[-_KEPT:])


def growth_rate(history: History, usage: Usage, now: float) -> float:
    """Bytes per second, by least squares over the samples of the last day and the usage now; not less than 0."""
    points = [(sample.time - now, sample.used) for sample in history.samples if 0 < now - sample.time <= DAY]
    points.append((0.0, usage.used))
    if len(points) < 3:
        return 0.0
    mean_time = sum(time for time, _used in points) / len(points)
    mean_used = sum(used for _time, used in points) / len(points)
    spread = sum((time - mean_time) ** 2 for time, _used in points)
    slope = sum((time - mean_time) * (used - mean_used) for time, used in points) / spread if spread else 0.0
    return max(slope, 0.0)


def settings(policy: Policy, limits: Limits, size: int) -> tuple[int, int]:
    """The IOPS and the throughput of a volume of that size, as the provider permits them. 0: not set."""
    iops = policy.iops_per_gib * (size // GiB)
    if iops:
        for most in (limits.largest_iops, limits.iops_per_gib * (size // GiB)):
            iops = min(iops, most) if most else iops
        iops = max(iops, limits.smallest_iops)
    throughput = policy.throughput and max(policy.throughput, limits.smallest_throughput)
    if limits.largest_throughput:
        throughput = min(throughput, limits.largest_throughput)
    if limits.iops_per_throughput:
        throughput = min(throughput, max(iops, limits.smallest_iops) // limits.iops_per_throughput)
    return iops, throughput


def _drive(
    usage: Usage | None,
    volumes: tuple[Volume, ...],
    policy: Policy,
    limits: Limits,
    history: History,
    now: float,
) -> _Drive:
    share, pressure, predicted = 1.0, 0, 0
    if usage:
        if usage.size and usage.total_size:
            share = min(usage.size / usage.total_size, 1.0)
        # Inodes run out as bytes do, and come with bytes: so they count as the bytes of which they are the same share.
        inodes = usage.size * usage.inodes_used // usage.inodes if usage.inodes else 0
        pressure = max(usage.used, inodes)
        predicted = pressure + int(growth_rate(history, usage, now) * policy.predict)
    expand = policy.expand
    floor = _up(expand.size, limits) if expand and now < expand.until else 0
    return _Drive(volumes, policy, limits, pressure, predicted, share, floor, _most(policy, limits))


def _most(policy: Policy, limits: Limits) -> int:
    """The largest size of all volumes together, by the limits of size and cost (0: none)."""
    most = policy.max_total_size
    if policy.price:
        each = policy.price.gib + policy.price.iops * policy.iops_per_gib
        paid = int(round(policy.max_cost / each, 9)) * GiB
        most = min(most, paid) if most else paid
    return most // limits.granularity * limits.granularity


def _create(drive: _Drive) -> Decision:
    policy, limits = drive.policy, drive.limits
    size = _up(max(policy.initial_size, limits.smallest), limits)
    over = drive.most and size * policy.min_volumes > drive.most
    if over or (limits.largest and size > limits.largest):
        what = "max_total_size and max_cost permit" if over else "the provider permits a volume"
        most = drive.most if over else limits.largest
        return Decision((), "it cannot be created", f"initial_size is {show_size(size)}, and {what} {show_size(most)}")
    reason = "the drive has no volumes"
    return Decision((_add(drive, size, reason),) * policy.min_volumes, reason)


def _missing(drive: _Drive) -> Decision | None:
    """Volumes that are lacking up to ``min_volumes``."""
    lacking = drive.policy.min_volumes - len(drive.volumes)
    if lacking <= 0:
        return None
    reason = f"it has {len(drive.volumes)} volumes, and min_volumes is {drive.policy.min_volumes}"
    size = _up(max(drive.policy.initial_size, drive.limits.smallest), drive.limits)
    room = (drive.most - drive.total) // size if drive.most else lacking
    if room < lacking:
        return None
    return Decision((_add(drive, size, reason),) * lacking, reason)


def _spent(policy: Policy, history: History, now: float) -> str:
    if not policy.max_changes_per_day:
        return ""
    today = sum(1 for time in history.changes if now - time < DAY)
    if today < policy.max_changes_per_day:
        return ""
    return f"max_changes_per_day is {policy.max_changes_per_day}, and {today} were made in the last 24 hours"


def _by_usage(drive: _Drive, usage: Usage, history: History, now: float) -> Decision:
    tight = drive.tight(drive.total)
    if tight:
        return _grow(drive, tight)
    fill = f"it is {drive.fill(drive.total):.0%} full"
    over = bool(drive.most) and drive.total > drive.most
    many = len(drive.volumes) > drive.policy.max_volumes
    if not over and not many and drive.fill(drive.total) > drive.policy.shrink_below:
        return Decision((), f"{fill}, between shrink_below and grow_above")
    why = fill + f", and shrink_below is {drive.policy.shrink_below:.0%}"
    if over:
        why = f"it has {show_size(drive.total)}, and its limit is {show_size(drive.most)}"
    elif many:
        why = f"it has {len(drive.volumes)} volumes, and max_volumes is {drive.policy.max_volumes}"
    if not drive.policy.allow_shrink:
        return Decision((), f"{why}; allow_shrink is false")
    if not usage.shrinks:
        return Decision((), f"{why}; its filesystem cannot be made smaller")
    moves = _smaller(drive, why)
    if not moves:
        return Decision((), f"{why}; no set of volumes is smaller and leaves room enough")
    since = now - max(history.changes, default=-math.inf)
    # The clock may have been set back since.
    if 0 <= since < drive.policy.cooldown:
        return Decision((), f"{why}; the last change was {since / 60:.0f} min ago, and cooldown is not over")
    return Decision(moves, why)


def _grow(drive: _Drive, why: str) -> Decision:
    """The volumes that the drive grows by: in place where that works, else by another volume."""
    policy, limits = drive.policy, drive.limits
    total, count = drive.total, len(drive.volumes)
    room = max(drive.most - total, 0) if drive.most else _NO_LIMIT
    wanted = _up(max(_target(drive) - total, limits.granularity), limits)
    left = min(wanted, room // limits.granularity * limits.granularity)
    if left <= 0:
        permitted = f"max_total_size and max_cost permit {show_size(drive.most)}, which it has"
        return Decision((), f"{why}; {permitted}", f"the drive cannot grow: {why}; {permitted}")
    moves: list[Move] = []
    fixed: list[str] = []
    in_place = policy.grow_in_place and limits.in_place
    for volume in sorted(drive.volumes, key=lambda one: (one.size, one.id)) if in_place else ():
        most = limits.largest - volume.size if limits.largest else left
        more = min(left, most // limits.granularity * limits.granularity)
        if volume.fixed:
            fixed.append(f"{volume.id}: {volume.fixed}")
        elif more > 0 and left > 0:
            size = volume.size + more
            iops, throughput = settings(policy, limits, size)
            moves.append(Move("grow", volume.id, size, iops, throughput, why))
            left -= more
    if left <= 0 or (moves and count >= _most_volumes(drive)):
        return Decision(tuple(moves), why)
    added = _added(drive, left, room - (wanted - left), why, in_place)
    if not moves and not added:
        reason = "; ".join([f"it has {count} volumes, and may have {_most_volumes(drive)}", *fixed])
        return Decision((), f"{why}; {reason}", f"the drive cannot grow: {why}; {reason}")
    return Decision((*moves, *added), why)


def _target(drive: _Drive) -> int:
    """The size that a drive grows to: by ``scale_factor`` at least, and until it is no fuller than ``grown``."""
    scaled = drive.total * (1 + drive.policy.scale_factor)
    return max(_up(scaled, drive.limits), drive.least(drive.policy.grown))


def _most_volumes(drive: _Drive) -> int:
    return min(drive.policy.max_volumes, drive.limits.attachments or drive.policy.max_volumes)


def _added(drive: _Drive, left: int, room: int, why: str, in_place: bool) -> tuple[Move, ...]:
    """A new volume; where volumes cannot grow and only one more is permitted, it takes the place of the smallest."""
    policy, limits = drive.policy, drive.limits
    count, most = len(drive.volumes), _most_volumes(drive)
    if count >= most:
        return ()
    smallest = min(drive.volumes, key=lambda one: (one.size, one.id))
    replaces = not in_place and count == most - 1 and count > policy.min_volumes - 1
    if replaces:
        size = smallest.size + left
    else:
        # Volumes get larger as the drive does, so that max_volumes of them are enough.
        largest = 0 if in_place else max(volume.size for volume in drive.volumes)
        scaled = max(policy.initial_size, int(largest * (1 + policy.scale_factor)))
        # More than this, and the drive would be emptier than shrink_below.
        most_useful = int(drive.pressure / drive.share / (policy.shrink_below or 1)) - drive.total - limits.granularity
        size = max(left, min(scaled, most_useful) if policy.shrink_below else scaled)
    size = min(_up(size, limits), room // limits.granularity * limits.granularity, limits.largest or _NO_LIMIT)
    if size < max(limits.smallest, limits.granularity) or (replaces and size <= smallest.size):
        return ()
    new = _add(drive, size, why)
    return (new, _remove(smallest, f"{why}; a larger volume takes its place")) if replaces else (new,)


def _smaller(drive: _Drive, why: str) -> tuple[Move, ...]:
    """The volumes that a drive can do without, or one that takes the place of all; none if it stays as it is."""
    policy, total = drive.policy, drive.total
    kept = _kept(drive)
    best = sum(volume.size for volume in kept)
    ideal = max(drive.least(policy.shrunk), _up(drive.limits.smallest, drive.limits))
    most = _most_volumes(drive)
    replaceable = (
        policy.min_volumes == 1
        and len(drive.volumes) < most
        and (not drive.most or total + ideal <= drive.most)
        and (not drive.limits.largest or ideal <= drive.limits.largest)
        and drive.roomy(ideal)
    )
    if replaceable and ideal <= best * (1 - _WORTH_MOVING):
        new = _add(drive, ideal, f"{why}; one volume of this size is enough")
        return (new, *(_remove(volume, f"{why}; a smaller volume takes its place") for volume in drive.volumes))
    return tuple(_remove(volume, why) for volume in drive.volumes if volume not in kept)


def _kept(drive: _Drive) -> tuple[Volume, ...]:
    """The volumes that stay, the smallest set of them that is found by leaving out the largest ones first."""
    kept = list(drive.volumes)
    for volume in sorted(drive.volumes, key=lambda one: (-one.size, one.id)):
        left = drive.total - sum(one.size for one in drive.volumes if one not in kept) - volume.size
        if len(kept) > drive.policy.min_volumes and left >= drive.policy.initial_size and drive.roomy(left):
            kept.remove(volume)
    return tuple(kept)


def _add(drive: _Drive, size: int, reason: str) -> Move:
    return Move("add", "", size, *settings(drive.policy, drive.limits, size), reason)


def _remove(volume: Volume, reason: str) -> Move:
    return Move("remove", volume.id, volume.size, volume.iops, volume.throughput, reason)


def _up(size: float, limits: Limits) -> int:
    """Rounded up to what the provider makes."""
    # A hair above a multiple is an error of floating point.
    return math.ceil(round(size / limits.granularity, 9)) * limits.granularity
