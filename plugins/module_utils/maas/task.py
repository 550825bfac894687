# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module for a MAAS region does around its planner."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..core.errors import StorageError, sentence
from ..core.plan import Plan
from ..core.run import Pipeline, expected, run
from ..document import disk, permission
from ..document.tree import draw_alike
from . import layout, many, script, survey
from .client import Client
from .document import parse
from .names import candidates
from .permits import checked_user
from .read import read, whoami
from .state import Machine

if TYPE_CHECKING:
    from ..core.execute import Handlers

#: How a region is reached.
CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "api_key_file": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}


def connect(params: dict[str, Any]) -> Client:
    """From a module's options, else from the environment. Raises StorageError for what is missing."""
    url = params["url"] or os.environ.get("MAAS_URL", "")
    if not url:
        raise StorageError("url is not given, and MAAS_URL is not set")
    return Client(url, _key(params), params["validate_certs"], params["ca_path"], params["timeout"])


def _key(params: dict[str, Any]) -> str:
    if params["api_key"] and params["api_key_file"]:
        raise StorageError("api_key and api_key_file are both given; say one of them")
    if params["api_key"]:
        return str(params["api_key"])
    path = params["api_key_file"] or os.environ.get("MAAS_API_KEY_FILE", "")
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                return file.read().strip()
        except OSError as error:
            raise StorageError(f"api_key_file: {path}: {error.strerror}") from None
        except ValueError:
            raise StorageError(f"api_key_file: {path}: it is no text in UTF-8") from None
    key = os.environ.get("MAAS_API_KEY", "")
    if not key:
        raise StorageError("api_key is not given, and neither is api_key_file; nor is MAAS_API_KEY set")
    return key


def ensure(module: AnsibleModule) -> NoReturn:
    """Bring a machine's storage about, and exit."""
    try:
        client = connect(module.params)
        want = parse(module.params)
        which = _which(module.params)
        expected_plan = expected(module.params)
        _all, allow = permission.parse(module.params["allow_destroy"])
    except StorageError as error:
        module.fail_json(msg=sentence(error), changed=False)

    warned: dict[str, tuple[str, ...]] = {}

    def plan(machine: Machine) -> Plan:
        """What the first plan warns of is told in the end, when nothing is left to do."""
        planned = checked_user(machine, layout.plan(machine, want, allow))
        known = (*warned.get(machine.system_id, ()), *planned.warnings)
        warned[machine.system_id] = tuple(dict.fromkeys(known))
        return planned._replace(warnings=warned[machine.system_id])

    pipeline = Pipeline(
        read=lambda: read(client, module.params["machine"]),
        read_more=lambda machine, _need: machine._replace(user=whoami(client)),
        plan=plan,
        facts=lambda machine: {**_facts(machine), "requests": client.count},
        diff=survey.tree,
        draw=draw_alike,
        title=module.params["machine"] or "",
        handlers=lambda: _handlers(client),
        lock=nullcontext,
        expected=expected_plan,
        machine=lambda machine: f"{client.base} {machine.system_id}",
        later=("in_progress",),
    )
    if module.params["machine"] is None:
        pipeline = pipeline._replace(
            read=lambda: many.read(client, which),
            read_more=lambda machines, _need: machines.asked_by(whoami(client)),
            plan=lambda machines: many.plan(machines, plan),
            facts=lambda machines: {
                "machines": [_named(machine, _facts(machine)) for machine in machines.machines],
                "requests": client.count,
            },
            diff=lambda machines: {one.fqdn: survey.tree(one) for one in machines.machines},
            draw=_draw_each,
            machine=lambda machines: " ".join((client.base, *(one.system_id for one in machines.machines))),
        )
    run(module, pipeline)


def _which(params: dict[str, Any]) -> many.Which:
    """Raises StorageError unless exactly one option says which machines are meant."""
    names, pool, states = params["machines"], params["pool"], params["states"]
    said = [word for word in ("machine", "machines", "pool") if params[word] is not None]
    if len(said) != 1:
        raise StorageError(f"say one of machine, machines and pool, and not {' and '.join(said) or 'none of them'}")
    if states is not None and pool is None:
        raise StorageError("states: they choose among the machines of a pool, and no pool is said")
    return many.Which(
        None if names is None else tuple(names), pool, None if states is None else tuple(str(one) for one in states)
    )


def _facts(machine: Machine) -> dict[str, Any]:
    return {"system_id": machine.system_id, **survey.facts(machine)}


def _named(machine: Machine, facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "hostname": machine.hostname, "fqdn": machine.fqdn, "status": machine.status}


def _handlers(client: Client) -> Handlers:
    from .perform import handlers

    return handlers(client)


def upload(module: AnsibleModule) -> NoReturn:
    """Bring a script about that writes a layout, and exit."""
    try:
        client = connect(module.params)
        want = script.parse(module.params)
    except StorageError as error:
        module.fail_json(msg=sentence(error), changed=False)

    def plan(there: script.Script | None) -> Plan:
        planned = script.plan(there, want)
        return script.checked_user(planned, whoami(client)) if planned.steps else planned

    run(
        module,
        Pipeline(
            read=lambda: script.read(client, want.name),
            read_more=lambda there, _need: there,
            plan=plan,
            facts=script.dump,
            diff=lambda there: there.text if there else "",
            handlers=lambda: _handlers(client),
            lock=nullcontext,
        ),
    )


def _draw_each(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    drawn = {name: draw_alike(before[name], tree) for name, tree in after.items()}
    return tuple("".join(f"{name}\n{pair[side]}\n" for name, pair in drawn.items()) for side in (0, 1))


def tell(module: AnsibleModule) -> NoReturn:
    """Return what machines have, and exit."""
    try:
        client = connect(module.params)
        names = module.params["machines"]
        found = many.read(client, many.Which(None if names is None else tuple(names)))
        wanted = tuple(disk.parse(item) for item in module.params["disks"] or ())
        told = [_told(machine, wanted) for machine in found.machines]
    except StorageError as error:
        module.fail_json(msg=sentence(error), changed=False)
    module.exit_json(changed=False, machines=told, requests=client.count)


def _told(machine: Machine, wanted: tuple[disk.Disks, ...]) -> dict[str, Any]:
    free = [one for one in candidates(machine) if one.free and not one.holds]
    return {
        **_named(machine, _facts(machine)),
        "physical_disks": survey.physical_disks(machine),
        "bios_grub": machine.bios_grub,
        "unused": survey.unused(machine),
        "tree": survey.tree(machine),
        "disks": {disks.name: [one.path for one in free if disk.matches(disks, one)] for disks in wanted},
    }
