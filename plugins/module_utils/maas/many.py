# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several machines in one task: each is planned by itself, and nothing is sent before all of them are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, both
from .client import Client, Invalid, of_the_form
from .read import complete, find
from .state import Machine, User


class Which(NamedTuple):
    """Machines by their names, or those of a pool; else all. ``states`` None: in any."""

    names: tuple[str, ...] | None = None
    pool: str | None = None
    states: tuple[str, ...] | None = None


class Many(NamedTuple):
    machines: tuple[Machine, ...]

    def asked_by(self, user: User) -> Many:
        return Many(tuple(machine._replace(user=user) for machine in self.machines))


def read(client: Client, which: Which) -> Many:
    """Raises StorageError where one is not there, named twice or not read."""
    from ..core.execute import in_parallel

    if which.names is not None:
        told = in_parallel(lambda name: find(client, name), which.names)
    elif which.pool is not None:
        told = _of_pool(client, which.pool)
    else:
        told = client.get("machines/", "reading all machines")
    if not isinstance(told, list):
        raise StorageError(
            "the answer is not of the form that a MAAS region gives: no list of machines; is it the URL of one?"
        )
    with of_the_form():
        return _chosen(client, told, which)


def _of_pool(client: Client, pool: str) -> Any:
    try:
        told = client.get("machines/", f"reading the machines of pool {pool}", pool=pool)
    except Invalid:
        raise StorageError(f"pool {pool}: the region has none of that name; give the name of one") from None
    if told == []:
        raise StorageError(f"pool {pool}: it has no machines, or the API key's user sees none of them")
    return told


def _chosen(client: Client, told: list[Mapping[str, Any]], which: Which) -> Many:
    from ..core.execute import in_parallel

    _check_distinct(told)
    if which.states is not None:
        wanted = [state.lower() for state in which.states]
        told = [one for one in told if one["status_name"].lower() in wanted]
    return Many(tuple(in_parallel(lambda one: complete(client, one), told)))


def _check_distinct(told: list[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for one in told:
        if one["system_id"] in seen:
            raise StorageError(f"machines: {one['fqdn']} ({one['system_id']}) is named twice")
        seen.add(one["system_id"])


def plan(many: Many, plan_one: Callable[[Machine], Plan]) -> Plan:
    """The plans of all. Raises Refused with each reason where it is not possible for one."""
    whole = Plan((), many)
    if not many.machines:
        return whole._replace(
            warnings=("nothing was done: `machines` is empty, or no machine of the pool is in `states`",)
        )
    after: list[Machine] = []
    refusals: list[str] = []
    for machine in many.machines:
        try:
            planned = plan_one(machine)
        except StorageError as error:
            refusals.append(f"{machine.fqdn}: {error}")
            continue
        named = tuple(
            step._replace(
                name=f"{step.name} on {machine.fqdn}",
                destroys=tuple(f"{machine.fqdn}: {lost}" for lost in step.destroys),
            )
            for step in planned.steps
        )
        whole = both(whole, planned._replace(steps=named))
        after.append(planned.after)
    if refusals:
        raise Refused("; ".join(refusals))
    return whole._replace(after=Many(tuple(after)))
