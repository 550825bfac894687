# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's state and the API key's user permit, for each kind of request."""

from __future__ import annotations

from ..core.errors import Refused, Unread
from ..core.plan import Plan, Step
from .actions import Call
from .state import ALLOCATED, READY, Machine, User

STRUCTURE, USE, SPECIAL, TAG, PARTITION_TAG = "structure", "use", "special", "tag", "partition tag"
_OPERATIONS = {
    **dict.fromkeys(("format", "unformat", "mount", "unmount"), USE),
    **dict.fromkeys(("mount_special", "unmount_special"), SPECIAL),
}
#: The states in which a region does it. None: in any.
_STATES: dict[str, tuple[str, ...] | None] = {
    STRUCTURE: (READY,),
    USE: (READY, ALLOCATED),
    SPECIAL: (READY, ALLOCATED),
    TAG: (READY,),
    PARTITION_TAG: None,
}


def kind_of(call: Call) -> str:
    """What sort of a request it is."""
    if call.op in ("add_tag", "remove_tag"):
        return PARTITION_TAG if "/partition/" in call.path else TAG
    return _OPERATIONS.get(call.op, STRUCTURE)


def checked_state(machine: Machine, plan: Plan) -> Plan:
    """The plan itself. Raises Refused for what the region does not do in the machine's state."""
    for one, kind in _kinds(plan):
        _check_state(machine, one, kind)
    return plan


def checked_user(machine: Machine, plan: Plan) -> Plan:
    """The plan itself. Raises Refused for what the user may not do, and Unread where nobody asked who that is."""
    for one, kind in _kinds(plan):
        if machine.user is None:
            raise Unread("user")
        _check_user(machine, machine.user, one, kind)
    return plan


def _kinds(plan: Plan) -> list[tuple[Step, str]]:
    return [(one, kind_of(call)) for one in plan.steps for call in one.actions if isinstance(call, Call)]


def _check_state(machine: Machine, one: Step, kind: str) -> None:
    states = _STATES[kind]
    if states is not None and machine.status not in states:
        raise Refused(
            f"{machine.hostname} is {machine.status}, and MAAS lets this be changed only while it is "
            f"{' or '.join(states)}: {one}. Take it out of the document, or run the task again when the machine is"
        )


def _check_user(machine: Machine, user: User, one: Step, kind: str) -> None:
    """Users that the region itself does not know may be permitted more than it tells."""
    if user.admin or not user.local:
        return
    own = kind in (USE, SPECIAL) and machine.owner in ("", user.name)
    if own and (kind == SPECIAL or machine.status == ALLOCATED):
        return
    why = f"{machine.owner} has allocated it" if kind in (USE, SPECIAL) and not own else f"{user.name} is none"
    raise Refused(
        f"{machine.hostname}: the API key's user may not do that; administrators change storage, and {why}: {one}. "
        "Give the key of one"
    )


def warnings(machine: Machine, plan: Plan) -> tuple[str, ...]:
    """What of the plan does not last."""
    if machine.status != ALLOCATED or not any(kind in (USE, SPECIAL) for _one, kind in _kinds(plan)):
        return ()
    return (
        f"{machine.hostname} is Allocated: filesystems and mounts that are changed now are as they were before as soon "
        "as it is released. To keep them, change them while it is Ready",
    )
