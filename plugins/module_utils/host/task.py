# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module for this host does around its planner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..core.command import read_text
from ..core.errors import StorageError, sentence
from ..core.lock import HostLock
from ..core.plan import Plan
from ..core.run import Pipeline, answer, expected, run
from ..document import permission
from ..document.sizes import parse_bytes
from .devices import Device
from .findings import not_read
from .host import Host
from .layer import Reported
from .read import read, read_more
from .safety import permit

if TYPE_CHECKING:
    from ..core.execute import Handlers

LOCK: dict[str, dict[str, Any]] = {"lock_timeout": {"type": "int", "default": 60}}
#: Devices that a task before this one would make, or make larger: in check mode they are taken for there, and blank if
#: they are new.
EXPECT: dict[str, dict[str, Any]] = {
    "expect": {
        "type": "list",
        "elements": "dict",
        "options": {"path": {"type": "str", "required": True}, "size": {"type": "str", "required": True}},
    }
}
#: What each module of a single item takes beside its words.
OPTIONS: dict[str, dict[str, Any]] = {**permission.OPTION, **EXPECT, **LOCK}
#: What a module takes beside them whose work goes on after its task.
WAITING: dict[str, dict[str, Any]] = {
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 86400},
}


def ensure(
    module: AnsibleModule,
    parse: Callable[[dict[str, Any]], Any],
    references: Callable[[Any], Iterable[str]],
    plan: Callable[[Host, Any, Any], Plan],
    facts: Callable[[Host, Any], dict[str, Any]],
    settled: Callable[[Any], Any] = lambda want: want,
    diff: Callable[[Host], Any] | None = None,
    draw: Callable[[Any, Any], tuple[str, ...]] | None = None,
    many: bool = False,
    later: tuple[str, ...] = (),
) -> NoReturn:
    """Bring one item of the document about on this host, or all of it (``many``), and exit.

    ``settled``: what is wanted once acts were done; ``diff``: what a diff shows of a host (None: the facts), or what
    ``draw`` makes texts of; ``later``: which of LATER its planner tells.
    """
    try:
        check_root()
        if not module.check_mode:
            module.params["expect"] = None
        expected_plan = expected(module.params)
        made = [
            Device(item["path"], size=parse_bytes(item["size"], "expect: size"))
            for item in module.params.get("expect") or ()
        ]
        want = parse(module.params)
        allow, named = permission.parse(module.params.get("allow_destroy"))
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)
    names = (*references(want), *(name for name in named if name.startswith("/")))

    def planned(host: Host, want: Any) -> Plan:
        # Only the planner of a document can tell the names of its items from those of devices.
        return in_names(host, lambda: plan(host, want, named) if many else plan(permit(host, named), want, allow))

    run(
        module,
        Pipeline(
            read=lambda: _with_expected(read(names), made)._replace(check_mode=module.check_mode),
            read_more=read_more,
            plan=lambda host: _told(planned(host, want)),
            replan=lambda host: _told(planned(host, settled(want))),
            wait=module.params["wait_timeout"] if module.params.get("wait") else None,
            facts=lambda host: facts(host, want),
            diff=diff,
            draw=draw,
            title=os.uname().nodename,
            expected=expected_plan,
            machine=lambda _host: read_text("/etc/machine-id"),
            later=later,
            handlers=_handlers,
            lock=lambda: HostLock(
                f"{module._name} {want.name}", module.params["lock_timeout"], read_only=module.check_mode
            ),
        ),
    )


def in_names(host: Host, made: Callable[[], Plan]) -> Plan:
    """The plan, or its error, with names that people know in place of the kernel's numbers."""
    try:
        plan = made()
    except StorageError as error:
        error.args = (host.told(str(error)), *error.args[1:])
        raise

    def told(sentences: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(host.told, sentences))

    return plan._replace(
        steps=tuple(one._replace(detail=host.told(one.detail), destroys=told(one.destroys)) for one in plan.steps),
        in_progress=told(plan.in_progress),
        pending_reboot=told(plan.pending_reboot),
        warnings=told(plan.warnings),
        pending=told(plan.pending),
    )


def _told(plan: Plan) -> Plan:
    """The plan, with a warning for each record of intent that it leaves."""
    if not plan.after.unfinished:
        return plan
    from .unfinished import warnings

    return plan._replace(warnings=plan.warnings + warnings(plan.after))


def _with_expected(host: Host, expected: list[Device]) -> Host:
    for device in expected:
        known = host.devices.get(host.links.get(device.path) or device.path)
        if known is None:
            host = host.with_device(device)
        elif known.size < device.size:
            host = host.with_size(known.path, device.size)
    return host


def _handlers() -> Handlers:
    from .perform import HANDLERS

    return HANDLERS


def check_root() -> None:
    if os.geteuid() != 0:
        raise StorageError("this needs root: set become: true")


def tell(module: AnsibleModule, section: str, survey: Callable[[Host], list[Reported]]) -> NoReturn:
    """Return what there is of a section of the document, and how each item does, and exit."""
    name = module.params["name"]

    def named(host: Host) -> dict[str, Any]:
        found = [(item, status) for item, status in survey(host) if name in (None, item["name"])]
        items, statuses = [item for item, _status in found], {item["name"]: status for item, status in found}
        return {section: items, "status": statuses}

    show(module, named)


def show(module: AnsibleModule, survey: Callable[[Host], dict[str, Any]]) -> NoReturn:
    """Return what a question about the host answers, and what could not be read for it, and exit."""
    try:
        check_root()
        host, found = answer(read(), read_more, survey)
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)
    module.exit_json(changed=False, **found, not_read=[part._asdict() for part in not_read(host)])


def look(host: Host, survey: Callable[[Host], Any]) -> Any:
    """What a pure question about the host answers, reading what it needs."""
    return answer(host, read_more, survey)[1]
