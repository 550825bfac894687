# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for network volumes do around the planner: options, the provider, the lock, the pipeline."""

from __future__ import annotations

import os
import re
import time
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..core.errors import StorageError, sentence
from ..core.lock import HostLock
from ..core.plan import Plan
from ..core.run import Pipeline, run
from . import drive
from .elastic import Decision, remember
from .provider import Provider, handlers
from .remote import Api, Remote
from .state import Cloud

PROVIDERS = ("aws", "gcp", "loop", "openstack", "outscale", "rbd")
PROVIDER: dict[str, dict[str, Any]] = {
    "provider": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "choices": list(PROVIDERS), "required": True},
            "directory": {"type": "path"},
            "cloud": {"type": "str"},
            "project": {"type": "str"},
            "zone": {"type": "str"},
            "pool": {"type": "str"},
            "namespace": {"type": "str"},
            "client": {"type": "str"},
            "keyring": {"type": "path", "no_log": False},
            "conf": {"type": "path"},
            "map_options": {"type": "list", "elements": "str"},
            "region": {"type": "str"},
            "endpoint": {"type": "str"},
            "access_key": {"type": "str", "no_log": False},
            "secret_key": {"type": "str", "no_log": True},
            "session_token": {"type": "str", "no_log": True},
            "requests_per_second": {"type": "int"},
            "request_timeout": {"type": "int", "default": 30},
            "wait_timeout": {"type": "int", "default": 600},
        },
    }
}
LOCK: dict[str, dict[str, Any]] = {"lock_timeout": {"type": "int", "default": 60}}
OPTIONS: dict[str, dict[str, Any]] = {**drive.OPTIONS, **PROVIDER, **LOCK}
INFO: dict[str, dict[str, Any]] = {name: drive.OPTIONS[name] for name in ("name", "machine")} | PROVIDER
#: The options that a provider has; another one's are refused by name.
_KEYS = {"region", "endpoint", "access_key", "secret_key"}
_OWN = {
    "aws": _KEYS | {"session_token"},
    "gcp": {"endpoint", "project", "session_token", "zone"},
    "loop": {"directory"},
    "openstack": _KEYS | {"cloud"},
    "outscale": _KEYS | {"requests_per_second"},
    "rbd": {"client", "conf", "keyring", "map_options", "namespace", "pool"},
}
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_COMMON = {"name", "request_timeout", "wait_timeout"}


def connect(options: dict[str, Any]) -> Provider:
    """The provider of these options. Raises StorageError for what is missing, or belongs to another one."""
    name = options["name"]
    foreign = sorted(option for option in options if options[option] is not None and option not in _OWN[name] | _COMMON)
    if foreign:
        raise StorageError(f"provider: {name} has no option {foreign[0]}; leave it out")
    for option in ("request_timeout", "wait_timeout", "requests_per_second"):
        if options[option] is not None and options[option] < 1:
            raise StorageError(f"provider: {option} is {options[option]}, and must be at least 1")
    if options["endpoint"] and not _URL.fullmatch(options["endpoint"]):
        raise StorageError(f"provider: endpoint: {options['endpoint']} is no URL, such as https://api.example.com/")
    if name == "loop":
        from .loop import DIRECTORY, Loop

        return Loop(options["directory"] or DIRECTORY, options["wait_timeout"])
    return Remote(_api(options), options["wait_timeout"])


def _api(options: dict[str, Any]) -> Api:
    if options["name"] == "aws":
        from .aws import Aws

        return Aws(options)
    if options["name"] == "gcp":
        from .gcp import Gcp

        return Gcp(options)
    if options["name"] == "openstack":
        from .openstack import OpenStack

        return OpenStack(options)
    if options["name"] == "rbd":
        from .rbd import Rbd

        return Rbd(options)
    from .outscale import Outscale

    return Outscale(options)


def ensure(module: AnsibleModule) -> NoReturn:
    """Bring a drive's volumes about, and exit."""
    try:
        want = drive.parse(module.params)
        provider = connect(module.params["provider"])
        lock = _lock(module, want.drive)
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)
    now = time.time()
    decided: list[Decision] = []

    def planned(cloud: Cloud) -> Plan:
        if not decided or drive.outdated(cloud, decided[-1]):
            decided.append(drive.choose(cloud, want, now))
        return drive.plan(cloud, want, decided[-1])

    def facts(cloud: Cloud) -> dict[str, Any]:
        changed = any(decision.changes for decision in decided)
        history = remember(want.history, want.usage, changed, now) if want.emptied is None else want.history
        return {**drive.facts(cloud, decided[-1]), "history": drive.dump_history(history)}

    run(
        module,
        Pipeline(
            read=lambda: provider.read(want.drive, want.machine, want.policy.volume_type, want.snapshot),
            read_more=lambda cloud, _need: cloud,
            plan=planned,
            # What was decided from the usage has been done by then, and is not decided again.
            replan=lambda cloud: drive.plan(cloud, want, Decision((), decided[-1].reason, decided[-1].warning)),
            facts=facts,
            diff=lambda cloud: {"volumes": [drive.dump(volume) for volume in cloud.volumes]},
            handlers=lambda: handlers(provider),
            lock=lambda: lock,
        ),
    )


def tell(module: AnsibleModule) -> NoReturn:
    """Return the volumes of a drive, and exit."""
    try:
        provider = connect(module.params["provider"])
        cloud = provider.read(module.params["name"], module.params["machine"], "")
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)
    module.exit_json(
        changed=False,
        volumes=[drive.dump(volume) for volume in cloud.volumes],
        orphans=[drive.dump(volume) for volume in cloud.orphans],
    )


def _lock(module: AnsibleModule, name: str) -> HostLock:
    """One pass at a time for each drive and user, in a directory that nobody else can write to."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = os.path.join(home, "strata-storage")
    if not module.check_mode:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    return HostLock(
        f"{module._name} {name}",
        module.params["lock_timeout"],
        read_only=module.check_mode,
        path=os.path.join(directory, f"{module.params['provider']['name']}-{name}.lock"),
    )
