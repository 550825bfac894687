# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX holds, and its rules: what is unique, what is required, what may be attached, what is kept secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .survey import fault

if TYPE_CHECKING:
    from .workflow import Run

_SECRET = "$encrypted$"
Thing = dict[str, Any]


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Kind:
    """An endpoint: the type of its things, the fields with their defaults, which are required, what makes one unique.

    ``links`` are lists of other things below it, by their names and the endpoints that those are of.
    """

    type: str
    fields: Mapping[str, Any]
    required: tuple[str, ...] = ("name",)
    unique: tuple[str, ...] = ("name",)
    links: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()


_NAMED = {"name": "", "description": ""}
_ASKS = ("variables", "limit", "inventory", "scm_branch", "tags", "skip_tags", "labels")
_JOB_ASKS = ("diff_mode", "job_type", "verbosity", "credential", "execution_environment", "forks", "instance_groups")
_TELLS = {f"notification_templates_{when}": "notification_templates" for when in ("started", "success", "error")}
_APPROVALS = {"notification_templates_approvals": "notification_templates"}
_NODES = {f"{how}_nodes": "workflow_job_template_nodes" for how in ("success", "failure", "always")}
KINDS: dict[str, Kind] = {
    "organizations": Kind(
        "organization", {**_NAMED, "max_hosts": 0}, links={**_TELLS, **_APPROVALS, "galaxy_credentials": "credentials"}
    ),
    "execution_environments": Kind(
        "execution_environment",
        {**_NAMED, "image": None, "organization": None, "credential": None, "pull": ""},
        required=("name", "image"),
    ),
    "credential_types": Kind(
        "credential_type",
        {**_NAMED, "kind": None, "inputs": {}, "injectors": {}, "managed": False, "namespace": None},
        required=("name", "kind"),
    ),
    "credentials": Kind(
        "credential",
        {**_NAMED, "organization": None, "credential_type": None, "inputs": {}},
        required=("name", "credential_type"),
        unique=("organization", "name", "credential_type"),
        roles=("admin", "read", "use"),
    ),
    "projects": Kind(
        "project",
        {
            **_NAMED,
            "organization": None,
            "scm_type": "",
            "scm_url": "",
            "scm_branch": "",
            "local_path": "",
            "default_environment": None,
            "scm_revision": "",
        },
        unique=("organization", "name"),
        links=_TELLS,
        roles=("admin", "read", "use", "update"),
    ),
    "inventories": Kind(
        "inventory",
        {**_NAMED, "organization": None, "kind": "", "host_filter": None, "variables": ""},
        required=("name", "organization"),
        unique=("organization", "name"),
        roles=("admin", "read", "use", "adhoc", "update"),
    ),
    "inventory_sources": Kind(
        "inventory_source",
        {
            **_NAMED,
            "inventory": None,
            "source": "",
            "source_path": "",
            "source_project": None,
            "credential": None,
            "overwrite": False,
            "update_on_launch": False,
        },
        required=("name", "inventory"),
        unique=("inventory", "name"),
        links=_TELLS,
    ),
    "notification_templates": Kind(
        "notification_template",
        {**_NAMED, "organization": None, "notification_type": None, "notification_configuration": {}, "messages": None},
        required=("name", "organization", "notification_type"),
        unique=("organization", "name"),
    ),
    "job_templates": Kind(
        "job_template",
        {
            **_NAMED,
            "job_type": "run",
            "organization": None,
            "inventory": None,
            "project": None,
            "playbook": "",
            "limit": "",
            "extra_vars": "",
            "execution_environment": None,
            "survey_enabled": False,
            "diff_mode": False,
            "become_enabled": False,
            "allow_simultaneous": False,
            **{f"ask_{what}_on_launch": False for what in (*_ASKS, *_JOB_ASKS)},
        },
        required=("name", "project", "playbook"),
        unique=("organization", "name"),
        links={"credentials": "credentials", **_TELLS},
        roles=("admin", "read", "execute"),
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {
            **_NAMED,
            "organization": None,
            "inventory": None,
            "extra_vars": "",
            "limit": None,
            "survey_enabled": False,
            "allow_simultaneous": False,
            **{f"ask_{what}_on_launch": False for what in _ASKS},
        },
        unique=("organization", "name"),
        links={**_TELLS, **_APPROVALS},
        roles=("admin", "read", "execute", "approval"),
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {"identifier": "", "workflow_job_template": None, "unified_job_template": None, "extra_data": {}},
        required=("workflow_job_template",),
        unique=("workflow_job_template", "identifier"),
        links={**_NODES, "credentials": "credentials"},
    ),
    "workflow_approval_templates": Kind("workflow_approval", {**_NAMED, "timeout": 0}, unique=()),
    "schedules": Kind(
        "schedule",
        {**_NAMED, "rrule": None, "unified_job_template": None, "extra_data": {}, "enabled": True, "inventory": None},
        required=("name", "rrule", "unified_job_template"),
        unique=("unified_job_template", "name"),
    ),
    "teams": Kind(
        "team",
        {**_NAMED, "organization": None},
        required=("name", "organization"),
        unique=("organization", "name"),
        roles=("admin", "member", "read"),
    ),
    "roles": Kind("role", {"name": ""}, unique=(), links={"teams": "teams"}),
    "project_updates": Kind("project_update", {**_NAMED, "status": "", "failed": False, "finished": ""}, unique=()),
}
#: Templates of every type, which have their numbers in common.
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")


class Awx:
    """An AWX whose projects hold what is in a checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.things: dict[str, dict[int, Thing]] = {kind: {} for kind in KINDS}
        self.attached: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Thing] = {}
        self.secrets: dict[int, Thing] = {}
        #: Workflows that were launched.
        self.running: list[Run] = []
        self._last = 0
        self.create("credential_types", {"name": "Machine", "kind": "ssh", "inputs": _MACHINE})
        for machine in self.things["credential_types"].values():
            machine.update(managed=True, namespace="ssh")
        galaxy = self.create("credential_types", {"name": "Ansible Galaxy/Automation Hub API Token", "kind": "galaxy"})
        self.create("credentials", {"name": "Ansible Galaxy", "credential_type": galaxy["id"]})

    def find(self, kind: str, name: str) -> Thing:
        """The one thing of that name."""
        (found,) = [one for one in self.things[kind].values() if one["name"] == name]
        return found

    def links(self, kind: str, name: str, link: str) -> list[str]:
        """The names of what is attached to it."""
        found = self.attached.get((kind, self.find(kind, name)["id"], link), [])
        return [self.things[KINDS[kind].links[link]][number]["name"] for number in found]

    def teams_with(self, kind: str, name: str, role: str) -> list[str]:
        number = self.find(kind, name)["roles"][f"{role}_role"]
        return sorted(self.things["teams"][team]["name"] for team in self.attached.get(("roles", number, "teams"), []))

    def get(self, kind: str, number: int) -> Thing:
        if number not in self.things[kind]:
            raise ApiError(404, {"detail": "Not found."})
        return self.things[kind][number]

    def create(self, kind: str, given: Thing) -> Thing:
        missing = [name for name in KINDS[kind].required if given.get(name) in (None, "")]
        if missing:
            raise ApiError(400, {name: ["This field is required."] for name in missing})
        self._last += 1
        thing = {"id": self._last, **KINDS[kind].fields, "roles": {}}
        self._set(kind, thing, given)
        self.things[kind][thing["id"]] = thing
        for role in KINDS[kind].roles:
            thing["roles"][f"{role}_role"] = self.create("roles", {"name": role})["id"]
        return thing

    def change(self, kind: str, thing: Thing, given: Thing) -> None:
        self._set(kind, thing, given)

    def remove(self, kind: str, number: int) -> None:
        thing = self.get(kind, number)
        if kind == "credential_types" and any(
            one["credential_type"] == number for one in self.things["credentials"].values()
        ):
            raise ApiError(403, {"detail": "Credential types that are in use cannot be deleted"})
        del self.things[kind][number]
        if thing.get("unified_job_template") in self.things["workflow_approval_templates"]:
            del self.things["workflow_approval_templates"][thing["unified_job_template"]]
        for (owner, owned, link), numbers in self.attached.items():
            if KINDS[owner].links[link] == kind and number in numbers:
                numbers.remove(number)
            if (owner, owned) == (kind, number):
                numbers.clear()
        for other, field_name in (
            ("workflow_job_template_nodes", "workflow_job_template"),
            ("inventory_sources", "inventory"),
        ):
            if KINDS[kind].type == field_name:
                for one in [one["id"] for one in self.things[other].values() if one[field_name] == number]:
                    self.remove(other, one)

    def attach(self, kind: str, number: int, link: str, other: int, away: bool) -> None:
        target = KINDS[kind].links[link]
        self.get(target, other)
        numbers = self.attached.setdefault((kind, number, link), [])
        if away:
            numbers.remove(other)
            return
        if (kind, link) == ("job_templates", "credentials"):
            type_of = self.things["credentials"][other]["credential_type"]
            if type_of in [self.things["credentials"][one]["credential_type"] for one in numbers]:
                told = self.things["credential_types"][type_of]["name"]
                raise ApiError(400, {"error": f"Cannot assign multiple {told} credentials."})
        numbers.append(other)

    def set_survey(self, kind: str, number: int, spec: Thing) -> None:
        if wrong := fault(spec):
            raise ApiError(400, {"error": wrong})
        self.surveys[kind, number] = spec

    def _set(self, kind: str, thing: Thing, given: Thing) -> None:
        changed = {**thing, **{name: value for name, value in given.items() if name in KINDS[kind].fields}}
        unique = KINDS[kind].unique
        for other in self.things[kind].values():
            if unique and other["id"] != thing["id"] and all(other[name] == changed[name] for name in unique):
                raise ApiError(400, {"__all__": [f"{KINDS[kind].type} with this {' and '.join(unique)} exists."]})
        getattr(self, f"_check_{KINDS[kind].type}", lambda _thing: None)(changed)
        thing.update(changed)

    def _check_job_template(self, thing: Thing) -> None:
        if not (self.checkout / thing["playbook"]).is_file():
            raise ApiError(400, {"playbook": ["Playbook not found for project."]})
        if thing["inventory"] is None and not thing["ask_inventory_on_launch"]:
            raise ApiError(400, {"inventory": ["Must either set a default value or ask to prompt on launch."]})
        thing["organization"] = self.get("projects", thing["project"])["organization"]
        json.loads(thing["extra_vars"] or "{}")

    def _check_project(self, thing: Thing) -> None:
        if thing["scm_type"] == "git" and not thing["scm_url"]:
            raise ApiError(400, {"scm_url": ["This field is required."]})
        if thing["scm_type"] == "" and not thing["local_path"]:
            raise ApiError(400, {"local_path": ["This field is required for manual projects."]})

    def _check_credential(self, thing: Thing) -> None:
        fields = self.get("credential_types", thing["credential_type"])["inputs"].get("fields", [])
        unknown = thing["inputs"].keys() - {one["id"] for one in fields}
        if unknown:
            raise ApiError(400, {"inputs": [f"Additional properties are not allowed ({unknown} was unexpected)"]})
        kept = self.secrets.setdefault(thing["id"], {})
        kept.update({name: value for name, value in thing["inputs"].items() if value != _SECRET})
        secret = {one["id"] for one in fields if one.get("secret")}
        thing["inputs"] = {name: _SECRET if name in secret else value for name, value in thing["inputs"].items()}

    def _check_notification_template(self, thing: Thing) -> None:
        secret = {"token", "password", "headers"} & thing["notification_configuration"].keys()
        thing["notification_configuration"] = {
            name: _SECRET if name in secret and name != "headers" else value
            for name, value in thing["notification_configuration"].items()
        }

    def _check_inventory_source(self, thing: Thing) -> None:
        if thing["source"] == "scm" and not (self.checkout / thing["source_path"]).is_file():
            raise ApiError(400, {"source_path": ["Invalid: it is not in the project."]})


_MACHINE = {
    "fields": [
        {"id": "username", "label": "Username", "type": "string"},
        {"id": "password", "label": "Password", "type": "string", "secret": True},
        {"id": "ssh_key_data", "label": "SSH Private Key", "type": "string", "secret": True, "multiline": True},
    ]
}
