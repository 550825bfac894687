# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a policy: when a drive grows and shrinks, and within which limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.text import meant
from ..document.sizes import Percent, parse_bytes, parse_size
from .state import GiB

MODES = ("apply", "recommend", "off")
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

OPTIONS: dict[str, dict[str, Any]] = {
    "initial_size": {"type": "str"},
    "max_total_size": {"type": "str"},
    "max_volumes": {"type": "int"},
    "min_volumes": {"type": "int"},
    "grow_above": {"type": "str"},
    "shrink_below": {"type": "str"},
    "scale_factor": {"type": "str"},
    "headroom": {"type": "str"},
    "cooldown": {"type": "str"},
    "max_changes_per_day": {"type": "int"},
    "predict": {"type": "str"},
    "volume_type": {"type": "str"},
    "iops_per_gib": {"type": "int"},
    "throughput": {"type": "int"},
    "allow_shrink": {"type": "bool"},
    "grow_in_place": {"type": "bool"},
    "prices": {"type": "dict"},
    "max_cost": {"type": "float"},
    "expand": {
        "type": "dict",
        "options": {"size": {"type": "str", "required": True}, "until": {"type": "str", "required": True}},
    },
    "mode": {"type": "str", "choices": list(MODES)},
}


class Price(NamedTuple):
    """What a GiB, and one of its IOPS, costs in whatever ``max_cost`` is in."""

    gib: float
    iops: float = 0.0


class Expansion(NamedTuple):
    """A size that the drive has at least until a time, in seconds since 1970."""

    size: int
    until: float


class Policy(NamedTuple):
    """When a drive grows and shrinks. Sizes in bytes, shares from 0 to 1, times in seconds; 0: no limit.

    The defaults are those of BSUd, and those of what it does not have.
    """

    initial_size: int = 10 * GiB
    max_total_size: int = 0
    max_volumes: int = 10
    min_volumes: int = 1
    grow_above: float = 0.85
    shrink_below: float = 0.40
    scale_factor: float = 0.20
    headroom: int = 0
    cooldown: float = 3600.0
    max_changes_per_day: int = 0
    predict: float = 0.0
    volume_type: str = ""
    iops_per_gib: int = 0
    throughput: int = 0
    allow_shrink: bool = True
    grow_in_place: bool = True
    price: Price | None = None
    max_cost: float = 0.0
    expand: Expansion | None = None
    mode: str = "apply"

    @property
    def shrunk(self) -> float:
        """How full a drive is at most once it has shrunk: the middle of the thresholds."""
        return (self.grow_above + self.shrink_below) / 2

    @property
    def grown(self) -> float:
        """How full a drive is at most once it has grown: nearer to ``grow_above``, so that less of it is unused."""
        return (3 * self.grow_above + 2 * self.shrink_below) / 5


def parse(item: Mapping[str, Any]) -> Policy:
    """A Policy from its words. Raises StorageError for what cannot be meant."""
    default = Policy()
    unknown = sorted(item.keys() - OPTIONS.keys())
    if unknown:
        near = meant(unknown[0], OPTIONS) or f"; the options are {', '.join(OPTIONS)}"
        raise StorageError(f"policy: there is no option {unknown[0]}{near}")

    def given(name: str) -> Any:
        value = item.get(name)
        return getattr(default, name) if value is None else value

    def read(name: str, how: Any) -> Any:
        value = item.get(name)
        return getattr(default, name) if value is None else how(value, f"policy: {name}")

    headroom = None if item.get("headroom") is None else parse_size(item["headroom"], "policy: headroom")
    grow_above = read("grow_above", parse_share)
    if isinstance(headroom, Percent):
        grow_above = min(grow_above, 1 - headroom.value / 100)
    policy = Policy(
        initial_size=read("initial_size", parse_bytes),
        max_total_size=read("max_total_size", parse_bytes),
        max_volumes=given("max_volumes"),
        min_volumes=given("min_volumes"),
        grow_above=grow_above,
        shrink_below=read("shrink_below", parse_share),
        scale_factor=read("scale_factor", parse_share),
        headroom=headroom if isinstance(headroom, int) else 0,
        cooldown=read("cooldown", parse_duration),
        max_changes_per_day=given("max_changes_per_day"),
        predict=read("predict", parse_duration),
        volume_type=given("volume_type"),
        iops_per_gib=given("iops_per_gib"),
        throughput=given("throughput"),
        allow_shrink=given("allow_shrink"),
        grow_in_place=given("grow_in_place"),
        price=_price(item.get("prices"), given("volume_type"), given("max_cost")),
        max_cost=given("max_cost"),
        expand=_expansion(item.get("expand")),
        mode=given("mode"),
    )
    _check(policy)
    return policy


def _check(policy: Policy) -> None:
    if not 0 <= policy.shrink_below < policy.grow_above < 1:
        raise StorageError(
            f"policy: shrink_below ({policy.shrink_below:.0%}) must be less than grow_above ({policy.grow_above:.0%}, "
            "a percentage of headroom taken off), and grow_above less than 100%"
        )
    if not 1 <= policy.min_volumes <= policy.max_volumes:
        raise StorageError(
            f"policy: min_volumes ({policy.min_volumes}) must be from 1 to max_volumes ({policy.max_volumes})"
        )
    if policy.max_total_size and policy.max_total_size < policy.initial_size * policy.min_volumes:
        raise StorageError(
            f"policy: max_total_size ({policy.max_total_size} bytes) is less than min_volumes volumes of initial_size "
            f"({policy.initial_size * policy.min_volumes} bytes); make it larger, or initial_size smaller"
        )
    if not policy.scale_factor:
        raise StorageError("policy: scale_factor is 0%, so the drive would never grow; say more than that")
    for name in ("max_changes_per_day", "iops_per_gib", "throughput", "max_cost"):
        if getattr(policy, name) < 0:
            raise StorageError(f"policy: {name} is {getattr(policy, name)}, and must not be negative")


def parse_share(text: str | float, option: str) -> float:
    """From 0 to 1. ``85%``, ``85`` and ``85.0`` are the same."""
    given = str(text).strip()
    try:
        share = float(given.rstrip("%").strip()) / 100
    except ValueError:
        raise StorageError(f"{option}: {text!r} is not a percentage, such as 85%") from None
    if 0 < share < 0.01 and not given.endswith("%"):
        # With two fractions in the place of percentages, a drive would grow at each pass.
        raise StorageError(f"{option}: {text} is less than 1%; write a percentage, such as 85%")
    if not 0 <= share <= 1:
        raise StorageError(f"{option}: {text} is not between 0% and 100%")
    return share


def parse_duration(text: str | int, option: str) -> float:
    """Seconds, from ``90``, ``30m``, ``1h``, ``2d`` or ``1w``."""
    match = _DURATION.fullmatch(str(text).strip())
    if not match:
        raise StorageError(f"{option}: {text!r} is not a duration; write seconds, or 30m, 1h, 2d, 1w")
    return float(match.group(1)) * _SECONDS[match.group(2)]


def parse_time(text: str, option: str) -> float:
    """Seconds since 1970, from ISO 8601. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(str(text).strip().replace("Z", "+00:00"))
    except ValueError:
        raise StorageError(f"{option}: {text!r} is not a time, such as 2027-01-31T18:00:00+00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _expansion(item: Mapping[str, Any] | None) -> Expansion | None:
    if item is None:
        return None
    return Expansion(
        parse_bytes(item["size"], "policy: expand: size"), parse_time(item["until"], "policy: expand: until")
    )


def _price(prices: Mapping[str, Any] | None, volume_type: str, max_cost: float) -> Price | None:
    """The price of a volume of that type, where there is a limit on the cost."""
    if not max_cost:
        return None
    found = (prices or {}).get(volume_type)
    if found is None:
        raise StorageError(
            f"policy: max_cost is given, and prices has no price of volume_type {volume_type or '(none is given)'}; "
            "add it, such as prices: {gp3: {gib: 0.08, iops: 0.005}}"
        )
    try:
        price = Price(**{key: float(value) for key, value in found.items()})
    except (AttributeError, TypeError, ValueError):
        raise StorageError(
            f"policy: prices: {volume_type}: {found!r} is not such as {{gib: 0.08, iops: 0.005}}"
        ) from None
    if price.gib <= 0 or price.iops < 0:
        raise StorageError(
            f"policy: prices: {volume_type}: the price of a GiB must be more than 0, and of IOPS not less"
        )
    return price
