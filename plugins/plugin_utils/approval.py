# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of an approval: what was approved is compared with what a task is about to do.

It runs on the controller, around the module. It reads the approval from the extra variables of the run and from
nowhere else, and compares it with the final arguments of the module. So no variable of a play, a role or an inventory
switches it off. An approval that it cannot read is refused. Which machine a name means is the inventory's to say; the
digest of a plan tells that machine from others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, NamedTuple

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_int, check_type_list
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars, merge_hash

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import count_destructive, draw
from ansible_collections.strata.storage.plugins.module_utils.core.run import EXPECTED
from ansible_collections.strata.storage.plugins.plugin_utils.progress import Runs

#: The extra variable with what was approved, by host. A job that plans publishes it; AWX hands it to the jobs after it.
VARIABLE = "storage_approved"
#: How long an approval is valid, in seconds: the day for which a workflow waits, and an hour for its last job to start.
LIFETIME = 90000
_LONGEST = 31 * 86400
_AGAIN = "Nothing was done. Plan again, and have that plan approved"
_DIGEST = re.compile("[0-9a-f]{64}")
# A text that is nothing else in YAML: AWX hands texts on in a way that ansible-core takes for what they look like.
_MOMENT = "%Y-%m-%d %H:%M:%S UTC"


class Approved(NamedTuple):
    """What is approved for one host. ``until`` is when it becomes void."""

    digest: str
    mode: str
    allow_destroy: tuple[str, ...]
    until: datetime


class Asked(NamedTuple):
    """What a task is given that an approval is about, beside the plan itself."""

    mode: str
    allow_destroy: tuple[str, ...]


def asked(arguments: Mapping[str, Any]) -> Asked:
    """What the arguments of a module ask for. Raises StorageError."""
    try:
        names = check_type_list(arguments.get("allow_destroy") or [])
    except TypeError as error:
        raise StorageError(f"allow_destroy: {error}; expected a list of names") from None
    return Asked(str(arguments.get("mode") or "merge"), tuple(sorted({str(name).strip() for name in names} - {""})))


def publish(request: Asked, result: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    """What a job publishes of a plan: sums, and what the approval is bound to."""
    plan = result["plan"]
    return {
        "digest": result["plan_digest"],
        "mode": request.mode,
        "allow_destroy": list(request.allow_destroy),
        "until": _utc(until),
        "changes": len(plan),
        "destructive": count_destructive(plan),
        "later": len(result.get("pending") or ()) + len(result.get("in_progress") or ()),
    }


def find(extra: Mapping[str, Any], host: str) -> Approved:
    """What was approved for a host. Raises Refused where that is nothing."""
    if "inventory_hostname" in extra:
        raise Refused(
            "inventory_hostname is an extra variable; an approval is for hosts by their names in the inventory. "
            "Nothing was done. Leave it out"
        )
    if VARIABLE not in extra:
        raise Refused(
            f"{VARIABLE} is not among the extra variables, and this run only does plans that were approved. "
            "Nothing was done. Launch the workflow that plans, asks for approval and applies"
        )
    if not isinstance(extra[VARIABLE], Mapping):
        raise Refused(f"{VARIABLE} is no dictionary; expected what the job that planned published, by host. {_AGAIN}")
    told = {str(name): record for name, record in extra[VARIABLE].items()}
    if host not in told:
        known = ", ".join(sorted(told)) or "none"
        raise Refused(f"{host} is not among the hosts whose plan was approved ({known}). {_AGAIN}")
    try:
        found = told[host]
        until = datetime.strptime(found["until"], _MOMENT).replace(tzinfo=timezone.utc)
        names = [str(name) for name in found["allow_destroy"] if not isinstance(name, (type(None), Mapping, list))]
        whole = (
            _DIGEST.fullmatch(found["digest"])
            and isinstance(found["mode"], str)
            and found["mode"]
            and isinstance(found["allow_destroy"], list)
            and len(names) == len(found["allow_destroy"])
        )
    except (TypeError, KeyError, ValueError):
        whole = None
    if not whole:
        raise Refused(
            f"{VARIABLE} of {host} is incomplete; expected digest, mode, allow_destroy and until, as the job that "
            f"planned published them. {_AGAIN}"
        )
    return Approved(found["digest"], found["mode"], tuple(sorted(names)), until)


def compare(host: str, approved: Approved, request: Asked, now: datetime) -> None:
    """Raises Refused where a task asks for anything but what was approved, or asks too late."""
    if now >= approved.until:
        raise Refused(f"{host}: the approval is void since {_utc(approved.until)}, and now it is {_utc(now)}. {_AGAIN}")
    if request.mode != approved.mode:
        raise Refused(f"{host}: mode is {request.mode}, and the plan was approved with {approved.mode}. {_AGAIN}")
    if request.allow_destroy != approved.allow_destroy:
        given, before = (", ".join(names) or "empty" for names in (request.allow_destroy, approved.allow_destroy))
        raise Refused(f"{host}: allow_destroy is {given}, and the plan was approved with {before}. {_AGAIN}")


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime(_MOMENT)


def _lifetime(given: Any) -> timedelta:
    try:
        seconds = LIFETIME if given is None else check_type_int(given)
    except TypeError:
        seconds = 0
    if not 0 < seconds <= _LONGEST:
        raise StorageError(f"approval_lifetime is {given}; expected a number of seconds from 1 to {_LONGEST}")
    return timedelta(seconds=seconds)


class Guard(NamedTuple):
    """What an approval has to do with a task. ``until`` is the date of one to be asked for, ``approved`` one given."""

    host: str
    request: Asked
    until: datetime | None = None
    approved: Approved | None = None

    def published(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What a task adds to its result, where it asks for an approval of it."""
        if self.until is None or result.get("failed") or "plan_digest" not in result:
            return {}
        told = publish(self.request, result, self.until)
        # Last, where AWX shows what it scrolls to.
        shown = [part for part in result.get("diff") or () if "prepared" not in part]
        return {
            "approval": told,
            # Straight from the result: a registered variable would give way to an extra variable of its name.
            "ansible_stats": {"data": {VARIABLE: {self.host: told}}, "per_host": False, "aggregate": True},
            "diff": [*shown, {"prepared": draw(self.host, result, _bound(told))}],
        }


class _Action(ActionBase):
    _supports_check_mode = True

    def _guard(self, arguments: dict[str, Any], task_vars: Mapping[str, Any] | None, acts: bool) -> Guard:
        """Take the words of an approval out of the arguments, and compare. Raises StorageError.

        ``acts``: the task does what it plans, unless it is in check mode.
        """
        said, given = arguments.pop("approval", None) or "", arguments.pop("approval_lifetime", None)
        host, now = str((task_vars or {})["inventory_hostname"]), datetime.now(timezone.utc)
        extra = load_extra_vars(self._loader)
        if said not in ("", "request", "require"):
            raise StorageError(f"approval is {said}; expected request or require")
        if said == "request":
            until = now + _lifetime(given)
            if acts and not self._task.check_mode:
                raise StorageError("approval is request, which only plans; it takes check_mode: true")
            return Guard(host, asked(arguments), until=until)
        if said != "require" and VARIABLE not in extra:
            return Guard(host, asked(arguments))
        approved = find(extra, host)
        compare(host, approved, asked(arguments), now)
        return Guard(host, asked(arguments), approved=approved)


class Guarded(_Action, Runs):
    """Runs a module that takes ``mode``, ``allow_destroy`` and ``expected_plan`` behind the guard."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            guard = self._guard(arguments, task_vars, acts=True)
        except StorageError as error:
            raise AnsibleActionFail(str(error)) from error
        if guard.approved:
            arguments["expected_plan"] = guard.approved.digest
        done = self.run_module(arguments, task_vars)
        # What is published is the controller's to say, not the host's.
        done.pop("ansible_stats", None)
        found = merge_hash(found, done)
        found.update(guard.published(found))
        return found


class PlanApproval(_Action):
    """Has a plan approved that other tasks made in check mode, or demands that it was. It changes nothing."""

    SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "plan": {"type": "list", "elements": "dict", "required": True},
        "about": {"type": "dict", "default": {}},
        "mode": {"type": "str"},
        "allow_destroy": {"type": "list", "elements": "str", "default": []},
        "computed": {"type": "list", "elements": "str", "default": []},
        **{name: spec for name, spec in EXPECTED.items() if name != "expected_plan"},
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().run(tmp, task_vars)
        validate: Any = self.validate_argument_spec
        _validation, arguments = validate(argument_spec=self.SPEC)
        plan, about = arguments["plan"], arguments["about"]
        try:
            given = sorted(load_extra_vars(self._loader).keys() & set(arguments["computed"]))
            if given:
                raise Refused(
                    f"{', '.join(given)}: extra variables of the names that this play uses for what it finds out. "
                    "Nothing was done. Leave them out"
                )
            guard = self._guard(arguments, task_vars, acts=False)
            digest = hashlib.sha256(json.dumps([about, plan], sort_keys=True).encode()).hexdigest()
            if plan and guard.approved and guard.approved.digest != digest:
                raise Refused(f"{guard.host}: the plan is another one now than that which was approved. {_AGAIN}")
        except StorageError as error:
            raise AnsibleActionFail(str(error)) from error
        found.update(changed=guard.until is not None and bool(plan), plan=plan, plan_digest=digest)
        found.update(guard.published(found))
        return found


def _bound(approval: Mapping[str, Any]) -> tuple[str, str]:
    """What an approval is bound to, as those read it who give it."""
    return (
        "What follows later is not approved by this.",
        f"mode {approval['mode']}, allow_destroy {', '.join(approval['allow_destroy']) or 'empty'}; an approval is "
        f"valid until {approval['until']}.",
    )
