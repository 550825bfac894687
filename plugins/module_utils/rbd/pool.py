# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as RBD uses them: words, and what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from . import schedules
from .calls import Call, Place
from .image import changed_pairs
from .options import APPLICATION, SETTING, texts
from .state import Schedule, Settings

OPTIONS: dict[str, dict[str, Any]] = {
    "config": {"type": "dict"},
    "metadata": {"type": "dict"},
    "trash_purge_schedules": schedules.OPTION,
    "force": {"type": "bool", "default": False},
}


class Wanted(NamedTuple):
    config: Mapping[str, str] | None = None
    metadata: Mapping[str, str] | None = None
    force: bool = False
    purges: tuple[Schedule, ...] | None = None


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options."""
    wanted = Wanted(
        texts(params["config"]),
        texts(params["metadata"]),
        params["force"],
        schedules.parse(params["trash_purge_schedules"], "trash_purge_schedules"),
    )
    for key in wanted.metadata or ():
        if key.startswith(SETTING):
            raise StorageError(
                f"pool {params['pool']}: metadata {key} is a setting; say it in config, without {SETTING}"
            )
    return wanted


def plan(pool: Settings, want: Wanted) -> Plan:
    """What it takes. Raises Refused where the pool is another application's."""
    place = Place(pool.name)
    if not pool.overwritable:
        raise StorageError(
            f"pool {pool.name}: it is erasure-coded, and only takes whole objects, so RBD cannot use it, not for data "
            "either; set allow_ec_overwrites for it first (ceph osd pool set)"
        )
    steps: list[Step] = []
    if APPLICATION not in pool.applications:
        if pool.applications and not want.force:
            raise Refused(
                f"pool {pool.name}: it is a pool of {' '.join(pool.applications)}; set force to use it for RBD as well"
            )
        call = Call("pool_init", place, (want.force,))
        steps.append(Step("initialise", "pool", pool.name, "for RBD", (call,)))
        pool = pool._replace(applications=(*pool.applications, APPLICATION))
    for what, wanted, found in (("config", want.config, pool.config), ("metadata", want.metadata, pool.metadata)):
        changes, after = changed_pairs(wanted, found)
        prefix = "pool_metadata" if what == "metadata" else what
        for key, value in changes:
            verb, suffix = ("set", "set") if value else ("unset", "remove")
            call = Call(f"{prefix}_{suffix}", place, (key, value) if value else (key,))
            steps.append(Step(verb, "pool", pool.name, f"{what} {key} {value}".strip(), (call,)))
        pool = pool._replace(config=after) if what == "config" else pool._replace(metadata=after)
    for verb, detail, command in schedules.changes(schedules.TRASH, place, want.purges, pool.purges or ()):
        steps.append(Step(verb, "pool", pool.name, detail, (command,)))
    return Plan(tuple(steps), pool if want.purges is None else pool._replace(purges=want.purges))
