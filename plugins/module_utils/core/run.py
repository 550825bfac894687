# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The road of every module: read, plan, and (past the one gate) apply, read and plan again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Callable, NamedTuple, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .errors import StorageError, Unread
from .execute import Perform, StepFailed, execute, missing_programs, sentence
from .plan import Plan, dump_steps


class Road(NamedTuple):
    """What a backend puts under ``run``.

    ``read`` gathers a state and ``deepen`` adds what a planner asked for (both change nothing), ``plan`` is pure,
    ``facts`` tells a state to the user, ``perform`` does actions and ``placeholders`` resolves what they name before
    it exists, ``lock`` keeps others out meanwhile.
    """

    read: Callable[[], Any]
    deepen: Callable[[Any, Unread], Any]
    plan: Callable[[Any], Plan]
    facts: Callable[[Any], dict[str, Any]]
    perform: Mapping[type, Perform]
    placeholders: Mapping[str, Callable[[str], str]]
    lock: Callable[[], AbstractContextManager[None]]


def survey(road: Road) -> tuple[Any, Plan]:
    """Read, and plan; where the planner needs to know more, read that too and plan again."""
    state = road.read()
    while True:
        try:
            return state, road.plan(state)
        except Unread as need:
            state = road.deepen(state, need)


def run(module: AnsibleModule, road: Road) -> NoReturn:
    """Do what the module was asked, and exit."""
    result: dict[str, Any] = {"changed": False, "plan": []}
    try:
        with road.lock():
            _travel(module, road, result)
    except StepFailed as error:
        result.update(changed=error.changed, done=dump_steps(error.done))
        module.fail_json(msg=str(error), **result)
    except (StorageError, OSError) as error:
        module.fail_json(msg=sentence(error), **result)
    module.exit_json(**result)


def _travel(module: AnsibleModule, road: Road, result: dict[str, Any]) -> None:
    state, plan = survey(road)
    before, after = road.facts(state), road.facts(plan.after)
    result["plan"] = dump_steps(plan.steps)
    result["diff"] = {"before": _item(before), "after": _item(after)}

    missing = missing_programs(plan.steps)
    if missing:
        raise StorageError(f"not installed on this host, and needed for this: {', '.join(missing)}")

    if plan.steps and not module.check_mode:
        execute(plan.steps, road.perform, road.placeholders)
        result.update(changed=True, done=result["plan"])
        state, plan = survey(road)
        if plan.steps:
            raise StorageError(
                "every step was done, but this did not hold: " + "; ".join(str(step) for step in plan.steps)
            )
        after = road.facts(state)
        result["diff"]["after"] = _item(after)

    for warning in plan.warnings:
        module.warn(warning)
    result["changed"] = bool(result["plan"])
    result.update(after, in_progress=list(plan.in_progress), pending_reboot=list(plan.pending_reboot))


def _item(facts: dict[str, Any]) -> dict[str, Any]:
    """What is, without how it does: a resync's progress is not a difference that a task made."""
    return {key: value for key, value in facts.items() if key != "status"}
