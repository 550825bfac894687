# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a drive grows and shrinks: single decisions, and properties over random usage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.volumes.elastic import (
    Decision,
    decide,
    growth_rate,
    remember,
    settings as volume_settings,
)
from ansible_collections.strata.storage.plugins.module_utils.volumes.policy import Expansion, Policy, Price, parse
from ansible_collections.strata.storage.plugins.module_utils.volumes.state import (
    DAY,
    GiB,
    History,
    Limits,
    Sample,
    Usage,
    Volume,
)
from tests.unit.volumes import bsud

NOW = 1_800_000_000.0
PASS = 900.0
DEFAULT, NO_LIMITS = Policy(), Limits()


def volumes(*sizes: int) -> tuple[Volume, ...]:
    return tuple(Volume(f"vol-{number}", size * GiB) for number, size in enumerate(sizes, 1))


def usage(volumes: Sequence[Volume], used: float, **more: Any) -> Usage:
    total = sum(volume.size for volume in volumes)
    return Usage(total, min(int(used * GiB), total))._replace(**more)


def after(before: Sequence[Volume], decision: Decision) -> tuple[Volume, ...]:
    """The volumes once the moves were made."""
    now = list(before)
    for move in decision.moves:
        if move.act == "grow":
            now = [one._replace(size=move.size) if one.id == move.volume else one for one in now]
        elif move.act == "add":
            number = max((int(one.id.partition("-")[2]) for one in now), default=0) + 1
            now.append(Volume(f"vol-{number}", move.size))
        else:
            now = [one for one in now if one.id != move.volume]
    return tuple(now)


def sizes(volumes: Sequence[Volume]) -> list[int]:
    return [volume.size // GiB for volume in volumes]


def outcome(before: Sequence[Volume], used: float, policy: Policy = DEFAULT, limits: Limits = NO_LIMITS) -> list[int]:
    """The sizes of the volumes after a pass."""
    return sizes(after(before, decide(usage(before, used), before, policy, limits, now=NOW)))


# --- single decisions


def test_a_new_drive_has_one_volume_of_the_initial_size() -> None:
    assert sizes(after((), decide(None, (), Policy(), Limits(), now=NOW))) == [10]
    assert sizes(after((), decide(None, (), Policy(min_volumes=3), Limits(), now=NOW))) == [10, 10, 10]


def test_half_full_is_left_alone() -> None:
    assert outcome(volumes(10), 5) == [10]


def test_a_full_drive_grows_in_place() -> None:
    decision = decide(usage(volumes(10), 9), volumes(10), Policy(), Limits(), now=NOW)
    assert [(move.act, move.volume, move.size // GiB) for move in decision.moves] == [("grow", "vol-1", 14)]
    assert decision.reason == "it is 90% full, and grow_above is 85%"


def test_where_volumes_cannot_grow_another_one_comes_as_with_bsud() -> None:
    assert outcome(volumes(10), 9, Policy(grow_in_place=False)) == [10, 12]
    assert outcome(volumes(10), 9, limits=Limits(in_place=False)) == [10, 12]


def test_the_size_that_bsud_thrashed_at_grows_once_and_stays() -> None:
    """With 10 GiB and 8.5 used, BSUd adds 12, is 39 % full, removes 12, and so on."""
    had, changes = [10], 0
    for _pass in range(20):
        had, changed = bsud.step(had, 8.6, bsud.Settings())
        changes += changed
    assert changes == 20
    for policy in (Policy(cooldown=0), Policy(cooldown=0, grow_in_place=False)):
        have = after(volumes(10), decide(usage(volumes(10), 8.6), volumes(10), policy, Limits(), now=NOW))
        assert sum(sizes(have)) > 10
        assert decide(usage(have, 8.6), have, policy, Limits(), now=NOW).moves == ()


def test_one_volume_at_most_still_grows_and_says_why_it_cannot_become_smaller() -> None:
    policy = Policy(max_volumes=1)
    assert outcome(volumes(10), 9, policy) == [14]
    decision = decide(usage(volumes(100), 1), volumes(100), policy, Limits(), now=NOW)
    assert decision.moves == ()
    assert "no set of volumes is smaller" in decision.reason


def test_the_limit_of_the_total_is_not_overshot() -> None:
    assert outcome(volumes(10), 9, Policy(max_total_size=11 * GiB)) == [11]
    decision = decide(usage(volumes(11), 10), volumes(11), Policy(max_total_size=11 * GiB), Limits(), now=NOW)
    assert decision.moves == ()
    assert "cannot grow" in decision.warning
    assert "11 GiB" in decision.warning


def test_the_cost_is_a_limit_too() -> None:
    policy = Policy(price=Price(0.10, 0.01), iops_per_gib=10, max_cost=2.4)
    assert outcome(volumes(10), 9, policy) == [12]


def test_an_empty_drive_is_replaced_by_a_small_one_or_loses_volumes() -> None:
    assert outcome(volumes(100), 5) == [10]
    assert outcome(volumes(10, 12, 15), 3) == [10]
    assert outcome(volumes(40, 10), 5) == [10]
    decision = decide(usage(volumes(40, 30), 10), volumes(40, 30), Policy(), Limits(), now=NOW)
    assert [move.act for move in decision.moves] == ["add", "remove", "remove"]


@pytest.mark.parametrize(
    ("policy", "more", "said"),
    [
        (Policy(allow_shrink=False), {}, "allow_shrink is false"),
        (Policy(), {"shrinks": False}, "cannot be made smaller"),
    ],
)
def test_a_shrink_that_is_not_possible_says_why(policy: Policy, more: dict[str, bool], said: str) -> None:
    decision = decide(usage(volumes(100), 5, **more), volumes(100), policy, Limits(), now=NOW)
    assert decision.moves == ()
    assert said in decision.reason


def test_a_shrink_waits_for_the_cooldown_and_a_growth_does_not() -> None:
    history = History(changes=(NOW - 60,))
    shrink = decide(usage(volumes(100), 5), volumes(100), Policy(), Limits(), history, NOW)
    assert shrink.moves == ()
    assert "cooldown" in shrink.reason
    assert decide(usage(volumes(100), 5), volumes(100), Policy(), Limits(), history, NOW + 3600).moves
    assert decide(usage(volumes(10), 9), volumes(10), Policy(), Limits(), history, NOW).moves


def test_inodes_count_as_bytes_do() -> None:
    full = usage(volumes(10), 1, inodes=1000, inodes_used=900)
    assert decide(full, volumes(10), Policy(), Limits(), now=NOW).moves[0].act == "grow"
    assert decide(full._replace(inodes_used=500), volumes(10), Policy(), Limits(), now=NOW).moves == ()


def test_headroom_is_kept_free() -> None:
    assert outcome(volumes(100), 70, Policy(headroom=40 * GiB)) == [120]
    assert outcome(volumes(100), 60, Policy(headroom=40 * GiB)) == [100]
    # Otherwise it would shrink.
    assert outcome(volumes(100), 30, Policy(headroom=70 * GiB)) == [100]


def test_growth_is_predicted_from_samples() -> None:
    history = History(tuple(Sample(NOW - 3600 * hour, (70 - 4 * hour) * GiB) for hour in (3, 2, 1)))
    now = usage(volumes(100), 70)
    assert round(growth_rate(history, now, NOW) * 3600 / GiB, 3) == 4
    decision = decide(now, volumes(100), Policy(predict=4 * 3600.0), Limits(), history, NOW)
    assert decision.moves[0].act == "grow"
    assert "within 4 h" in decision.reason
    assert decide(now, volumes(100), Policy(predict=3 * 3600.0), Limits(), history, NOW).moves == ()
    assert growth_rate(History(), now, NOW) == 0


def test_a_day_has_a_budget_of_changes() -> None:
    policy = Policy(max_changes_per_day=2)
    spent = History(changes=(NOW - 7200, NOW - 60))
    decision = decide(usage(volumes(10), 9), volumes(10), policy, Limits(), spent, NOW)
    assert decision.moves == ()
    assert "max_changes_per_day is 2" in decision.warning
    assert decide(usage(volumes(10), 9), volumes(10), policy, Limits(), spent, NOW + DAY - 3600).moves


def test_an_expansion_holds_until_its_end() -> None:
    policy = Policy(expand=Expansion(50 * GiB, NOW + 3600))
    assert outcome(volumes(10), 1, policy) == [50]
    assert decide(usage(volumes(50), 1), volumes(50), policy, Limits(), now=NOW).moves == ()
    assert sizes(after(volumes(50), decide(usage(volumes(50), 1), volumes(50), policy, Limits(), now=NOW + 3601))) == [
        10
    ]


def test_mode_recommend_says_what_it_would_do_and_off_says_nothing() -> None:
    recommended = decide(usage(volumes(10), 9), volumes(10), Policy(mode="recommend"), Limits(), now=NOW)
    assert (recommended.moves, recommended.recommended[0].size) == ((), 14 * GiB)
    off = decide(usage(volumes(10), 9), volumes(10), Policy(mode="off"), Limits(), now=NOW)
    assert (off.moves, off.recommended) == ((), ())


def test_a_volume_that_cannot_be_resized_now_is_left_alone() -> None:
    fixed = (volumes(10)[0]._replace(fixed="it was modified 4 times in 24 hours"),)
    assert outcome(fixed, 9) == [10, 10]
    decision = decide(usage(fixed, 9), fixed, Policy(max_volumes=1), Limits(), now=NOW)
    assert "modified 4 times" in decision.warning


def test_a_volume_grows_as_far_as_the_provider_permits() -> None:
    assert outcome(volumes(15), 14, limits=Limits(largest=16 * GiB)) == [16, 10]
    assert outcome(volumes(16), 15, Policy(initial_size=4 * GiB), Limits(largest=16 * GiB)) == [16, 7]


def test_without_growth_in_place_the_last_volume_but_one_is_replaced() -> None:
    assert outcome(volumes(10, 12), 20, Policy(max_volumes=3), Limits(in_place=False)) == [12, 18]


def test_iops_are_within_the_limits_of_the_provider() -> None:
    limits = Limits(smallest_iops=100, largest_iops=13000, iops_per_gib=300)
    assert volume_settings(Policy(iops_per_gib=100), limits, 10 * GiB) == (1000, 0)
    assert volume_settings(Policy(iops_per_gib=100), limits, 500 * GiB) == (13000, 0)
    assert volume_settings(Policy(iops_per_gib=500), limits, 10 * GiB) == (3000, 0)
    assert volume_settings(Policy(iops_per_gib=1), limits, 10 * GiB) == (100, 0)


def test_a_filesystem_is_smaller_than_its_volumes() -> None:
    tight = Usage(size=int(9.7 * GiB), used=int(8.3 * GiB), total_size=10 * GiB)
    assert decide(tight, volumes(10), Policy(), Limits(), now=NOW).moves
    # btrfs is full before half of a small one is in use: its metadata take the rest.
    btrfs = Usage(size=int(5.3 * GiB), used=int(5.2 * GiB), total_size=10 * GiB)
    assert decide(btrfs, volumes(10), Policy(), Limits(), now=NOW).moves[0].size == 15 * GiB
    # It was not grown to a volume that was added: that is the host's to finish, and not a reason to grow again.
    behind = Usage(size=10 * GiB, used=int(9.2 * GiB), total_size=10 * GiB)
    assert decide(behind, volumes(10, 12), Policy(), Limits(), now=NOW).moves == ()


# --- words


def test_policies_are_parsed() -> None:
    policy = parse(
        {"initial_size": "10G", "max_total_size": "2T", "grow_above": "85%", "shrink_below": 40, "cooldown": "1h"}
    )
    assert policy == Policy(max_total_size=2048 * GiB)
    assert parse({}) == Policy()
    assert parse({"headroom": "20%"}).grow_above == 0.8
    assert parse({"headroom": "5G"}).headroom == 5 * GiB
    expand = parse({"expand": {"size": "50G", "until": "2027-01-15T08:00:00Z"}}).expand
    assert expand == Expansion(50 * GiB, NOW)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"grow_above": "40%"}, "shrink_below"),
        ({"grow_above": "100%"}, "less than 100%"),
        ({"grow_abvoe": "40%"}, "grow_abvoe"),
        ({"grow_above": "much"}, "'much' is not a percentage"),
        ({"cooldown": "1 fortnight"}, "is not a duration"),
        ({"min_volumes": 0}, "min_volumes"),
        ({"max_volumes": 2, "min_volumes": 3}, "max_volumes"),
        ({"max_total_size": "5G"}, "max_total_size"),
        ({"scale_factor": "0%"}, "scale_factor"),
        ({"max_cost": 5}, "prices"),
        ({"max_cost": 5, "volume_type": "gp3", "prices": {"gp3": {"gob": 1}}}, "gob"),
        ({"max_cost": 5, "volume_type": "gp3", "prices": {"gp3": {"gib": 0}}}, "more than 0"),
        ({"expand": {"size": "50G", "until": "tomorrow"}}, "is not a time"),
        ({"iops_per_gib": -1}, "iops_per_gib"),
    ],
)
def test_what_a_policy_cannot_be_is_said(words: dict[str, object], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse(words)


# --- properties

POLICIES = st.builds(
    lambda low, gap, **more: Policy(shrink_below=low / 100, grow_above=(low + gap) / 100, **more),
    st.integers(0, 60),
    st.integers(10, 35),
    initial_size=st.integers(1, 30).map(lambda size: size * GiB),
    max_total_size=st.one_of(st.just(0), st.integers(90, 400).map(lambda size: size * GiB)),
    max_volumes=st.integers(3, 8),
    min_volumes=st.integers(1, 3),
    scale_factor=st.integers(1, 100).map(lambda share: share / 100),
    headroom=st.sampled_from((0, 0, GiB, 8 * GiB)),
    cooldown=st.sampled_from((0.0, 3600.0)),
    predict=st.sampled_from((0.0, 7200.0)),
    iops_per_gib=st.sampled_from((0, 10, 500)),
    grow_in_place=st.booleans(),
)
LIMITS = st.builds(
    NO_LIMITS._replace,  # of the class itself, hypothesis would also draw what is not given
    smallest=st.sampled_from((GiB, 4 * GiB)),
    largest=st.sampled_from((0, 64 * GiB, 400 * GiB)),
    in_place=st.booleans(),
    smallest_iops=st.just(100),
    largest_iops=st.just(13000),
    iops_per_gib=st.just(300),
)
WALKS = st.lists(st.floats(0.05, 150), min_size=1, max_size=25)


def held(policy: Policy, limits: Limits, before: Sequence[Volume], decision: Decision) -> tuple[Volume, ...]:
    """The volumes afterwards; the limits hold also while new and old volumes are there together."""
    new = [move for move in decision.moves if move.act == "add"]
    resized = [move for move in decision.moves if move.act != "remove"]
    peak = after(before, decision._replace(moves=tuple(resized)))
    if policy.max_total_size and resized:
        assert sum(one.size for one in peak) <= policy.max_total_size
    assert len(peak) <= policy.max_volumes or not new
    for move in resized:
        assert move.size % limits.granularity == 0
        assert limits.smallest <= move.size <= (limits.largest or move.size)
        assert move.reason
        if move.iops:
            assert limits.smallest_iops <= move.iops <= limits.largest_iops
            assert move.iops <= limits.iops_per_gib * (move.size // GiB)
    # What is removed was there, and removals come last.
    acts = [move.act for move in decision.moves]
    assert acts == sorted(acts, key=lambda act: act == "remove")
    return after(before, decision)


@settings(max_examples=300, deadline=None)
@given(POLICIES, LIMITS, WALKS)
def test_a_drive_keeps_to_its_limits_and_settles(policy: Policy, limits: Limits, walk: list[float]) -> None:
    have: tuple[Volume, ...] = ()
    history, now = History(), NOW
    created = decide(None, have, policy, limits, history, now)
    if created.warning:
        return
    have = held(policy, limits, have, created)
    for used in walk:
        now += PASS
        total = sum(one.size for one in have)
        seen = usage(have, used)
        decision = decide(seen, have, policy, limits, history, now)
        history = remember(history, seen, decision.changes, now)
        now_have = held(policy, limits, have, decision)
        grew = sum(one.size for one in now_have) - total
        if decision.warning:
            assert not decision.moves
        if (
            seen.used >= policy.grow_above * total
            and not policy.max_total_size
            and policy.grow_in_place
            and limits.in_place
        ):
            room = (
                not limits.largest or any(one.size < limits.largest for one in have) or len(have) < policy.max_volumes
            )
            assert grew > 0 or not room
        have = now_have
        # At the same usage it settles, and a shrink is never undone.
        acts = ["shrink" if grew < 0 else "grow"] * bool(grew)
        for _pass in range(80):
            again = decide(usage(have, used), have, policy._replace(cooldown=0, predict=0), limits, now=now)
            if not again.moves:
                break
            before = sum(one.size for one in have)
            have = held(policy, limits, have, again)
            change = sum(one.size for one in have) - before
            if change < 0 and not policy.max_total_size:
                assert usage(have, used).used <= policy.shrunk * sum(one.size for one in have)
            acts += ["shrink" if change < 0 else "grow"] * bool(change)
        else:
            raise AssertionError(f"it does not settle: {sizes(have)} with {used}")
        assert "grow" not in acts[acts.index("shrink") :] if "shrink" in acts else True


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.floats(0.86, 1.0), st.integers(1, 10))
def test_needed_growth_makes_progress_with_any_number_of_volumes(size: int, fill: float, most: int) -> None:
    have = volumes(*[size] * most)
    decision = decide(usage(have, fill * size * most), have, Policy(max_volumes=most), Limits(), now=NOW)
    grown = after(have, decision)
    assert len(grown) == most
    assert fill * size * most < 0.85 * sum(sizes(grown))


def random_walk(seed: int, passes: int = 672) -> list[float]:
    """A week of usage in GiB: of a drive that drifts, one that multiplies, a log that is cleared, and noise."""
    rng = random.Random(seed)
    used, drift, walk = rng.uniform(0, 20), rng.uniform(-1, 1), []
    for _pass in range(passes):
        if seed % 4 == 0:
            used += rng.gauss(drift * 0.3, 0.5)
        elif seed % 4 == 1:
            used *= 1 + rng.gauss(0.01 * drift, 0.05)
        elif seed % 4 == 2:
            used = used * rng.random() if rng.random() < 0.01 else used + rng.random()
        else:
            used += rng.gauss(0, 3)
        used = min(max(used, 0.1), 5000.0)
        walk.append(used)
    return walk


def steps(decision: Decision) -> int:
    """A replacement is one; BSUd takes two passes for it, and adds or removes one volume in each."""
    acts = [move.act for move in decision.moves]
    return 1 if {"add", "remove"} <= set(acts) else len(acts)


def compared(seeds: range) -> tuple[int, int, float, float]:
    """The steps of ours and BSUd's, and how much of the drive was unused for each byte that was used, on average."""
    totals = [0.0, 0.0, 0.0, 0.0]
    for seed in seeds:
        have, theirs, history = volumes(10), [10], History()
        walk = random_walk(seed)
        unused = [0.0, 0.0]
        for number, used in enumerate(walk):
            now = NOW + number * PASS
            seen = usage(have, used)
            decision = decide(seen, have, Policy(), Limits(), history, now)
            history = remember(history, seen, decision.changes, now)
            have = after(have, decision)
            theirs, changed = bsud.step(theirs, min(used, sum(theirs)), bsud.Settings())
            totals[0] += steps(decision)
            totals[1] += changed
            unused[0] += max(sum(sizes(have)) - used, 0)
            unused[1] += max(sum(theirs) - used, 0)
        for which in (0, 1):
            totals[2 + which] += unused[which] / sum(walk)
    return int(totals[0]), int(totals[1]), totals[2] / len(seeds), totals[3] / len(seeds)


def test_a_week_takes_fewer_steps_than_with_bsud_and_wastes_less() -> None:
    ours, theirs, wasted, they_wasted = compared(range(80))
    assert ours < 0.95 * theirs, (ours, theirs)
    assert wasted < they_wasted, (wasted, they_wasted)
