# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command loads all of it into an AWX, here a simulated one, by awx.awx; again it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.awx import Awx, Server
from tests.simulators.awx.server import AUDITOR, PASSWORD, TOKEN, USERNAME
from tests.tools.checkout import ROOT

SECRET = "tHeSeCrEtOfAReGiOn"
ADMINISTRATOR = {"CONTROLLER_OAUTH_TOKEN": TOKEN}
SITE: dict[str, Any] = {
    "storage_awx_maas_inputs": {"url": "https://maas.example.com:5443/MAAS", "api_key": f"a:b:{SECRET}"},
    "storage_awx_notification": {
        "notification_type": "slack",
        "notification_configuration": {"token": SECRET, "channels": ["#storage"]},
    },
    "storage_awx_drift_hosts": "fileservers",
    "storage_awx_elastic_hosts": "workers",
    "storage_awx_image": "registry.example.com/strata-storage:1",
}


class Operator:
    """Runs the playbooks against an AWX."""

    def __init__(self, server: Server, where: Path) -> None:
        self.server = server
        self.awx = server.awx
        self._site = where / "site.json"

    def run(
        self,
        playbook: str,
        *arguments: str,
        fails: bool = False,
        user: Mapping[str, str] = ADMINISTRATOR,
        **site: Any,
    ) -> str:
        """What it printed; ``changed`` counts are in its recap."""
        self._site.write_text(json.dumps({**SITE, **site}))
        done = subprocess.run(
            ["ansible-playbook", f"playbooks/awx/{playbook}.yml", "-e", f"@{self._site}", "-v", "--diff", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.server.environment, **user, "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        # Neither secrets nor surveys are printed.
        assert SECRET not in done.stdout
        assert "question_name" not in done.stdout
        return done.stdout

    def refused(self, playbook: str, said: str, *arguments: str, **site: Any) -> None:
        """It fails with that sentence, and nothing was asked for that changes anything."""
        before = list(self.server.log)
        told = self.run(playbook, *arguments, fails=True, **site)
        assert said in told
        assert "Nothing was done" in told
        assert self.server.log == before


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """One of an AWX in which there is nothing yet."""
    with Server(Awx(ROOT)) as server:
        yield Operator(server, tmp_path)
        assert server.broken == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Awx:
    with Server(Awx(ROOT)) as server:
        Operator(server, tmp_path_factory.mktemp("site")).run("install")
        assert server.broken == []
    return server.awx


@pytest.fixture
def loaded(installed: Awx, tmp_path: Path) -> Iterator[Operator]:
    """One of an AWX with all that install.yml makes."""
    with Server(deepcopy(installed)) as server:
        yield Operator(server, tmp_path)
        assert server.broken == []


@pytest.mark.further
def test_from_nothing_to_templates_and_back(loaded: Operator) -> None:
    operator, awx = loaded, loaded.awx
    assert awx.links("organizations", "Storage", "galaxy_credentials") == ["Ansible Galaxy"]
    # Each template has what its jobs need.
    assert awx.links("job_templates", "Storage - RAID drive", "credentials") == ["Storage - machine"]
    assert awx.links("job_templates", "Storage - RBD drive", "credentials") == [
        "Storage - machine",
        "Storage - Ceph cluster",
    ]
    for name in ("Storage - MAAS layout", "Storage - MAAS layout, plan", "Storage - MAAS layout, apply"):
        assert awx.links("job_templates", name, "credentials") == ["Storage - MAAS region"]
    region = awx.find("credentials", "Storage - MAAS region")
    assert awx.secrets[region["id"]]["api_key"].endswith(SECRET)
    assert region["inputs"]["api_key"] == "$encrypted$"
    # Workflows belong to the organization, run side by side, and tell of approvals that wait.
    organization = awx.find("organizations", "Storage")["id"]
    for workflow in awx.things["workflow_job_templates"].values():
        assert (workflow["organization"], workflow["allow_simultaneous"]) == (organization, True)
        told = awx.links("workflow_job_templates", workflow["name"], "notification_templates_approvals")
        assert told == ["Storage - approvals and drift"]
    for name in ("layout, drift", "MAAS layout, drift", "MAAS deployed, drift", "elastic drive"):
        assert awx.links("job_templates", f"Storage - {name}", "notification_templates_error") == told
    assert {one["name"]: one["extra_data"] for one in awx.things["schedules"].values()} == {
        "Storage - layout, drift": {"storage_hosts": "fileservers"},
        "Storage - elastic drive": {"storage_hosts": "workers", "storage_plan_only": "false"},
    }

    # Only a workflow starts what applies. Whoever approves reads the plan, which is in a job.
    for name in ("Storage - layout with approval", "Storage - MAAS layout with approval"):
        assert awx.teams_with("workflow_job_templates", name, "execute") == ["Storage - launchers"]
        assert awx.teams_with("workflow_job_templates", name, "approval") == ["Storage - approvers"]
    for name in ("Storage - layout, plan", "Storage - layout, apply", "Storage - MAAS layout, apply"):
        assert awx.teams_with("job_templates", name, "execute") == []
        assert awx.teams_with("job_templates", name, "read") == ["Storage - approvers", "Storage - launchers"]
    for name in ("Storage - layout", "Storage - RAID drive"):
        assert awx.teams_with("job_templates", name, "execute") == ["Storage - operators"]

    assert "changed=0" in operator.run("install")
    assert all(line.endswith("/update/") for line in operator.server.log)

    operator.run("uninstall")
    left = {kind: [one["name"] for one in things.values()] for kind, things in awx.things.items() if things}
    assert left.pop("credential_types") == ["Machine", "Ansible Galaxy/Automation Hub API Token"]
    left.pop("roles")
    left.pop("project_updates")
    assert left == {"organizations": ["Storage"], "inventories": ["Storage"], "credentials": ["Ansible Galaxy"]}
    assert "changed=0" in operator.run("uninstall")


@pytest.mark.further
def test_what_somebody_else_made(operator: Operator) -> None:
    """It is used as it is, and stays."""
    awx = operator.awx
    ours, other = (awx.create("organizations", {"name": name})["id"] for name in ("Storage", "Other"))
    machine = awx.find("credential_types", "Machine")["id"]
    known = {
        "credentials": {
            "name": "ops ssh key",
            "organization": ours,
            "credential_type": machine,
            "inputs": {"username": "ops"},
        },
        "teams": {"name": "Ops", "organization": ours},
        "inventories": {"name": "All machines", "organization": ours, "variables": "a: b"},
        "projects": {
            "name": "Playbooks",
            "organization": ours,
            "scm_type": "git",
            "scm_url": "https://git.example.com/x",
        },
        "execution_environments": {
            "name": "strata.storage",
            "organization": other,
            "image": "registry.example.com/own:1",
        },
    }
    made = {kind: dict(awx.create(kind, given)) for kind, given in known.items()}
    words: dict[str, Any] = {
        "storage_awx_machine_credential": "ops ssh key",
        "storage_awx_operators": "Ops",
        "storage_awx_maas_inventory": "All machines",
        "storage_awx_project": "Playbooks",
        "storage_awx_scm_url": "https://git.example.com/x",
        "storage_awx_scm_branch": "",
    }
    operator.run("install", **words)
    assert awx.teams_with("job_templates", "Storage - RAID drive", "execute") == ["Ops"]
    told = operator.run("uninstall", **words)
    assert "not made by install.yml: All machines, Ops, ops ssh key, Playbooks, strata.storage" in told
    for kind, before in made.items():
        changed = {name for name, value in awx.get(kind, before["id"]).items() if before.get(name) != value}
        assert changed <= {"scm_revision", "update", "default_environment"}, kind
    assert [one["name"] for one in awx.things["teams"].values()] == ["Ops"]


@pytest.mark.further
def test_what_is_called_like_ours(operator: Operator) -> None:
    """It is neither changed nor, by uninstall.yml, removed."""
    awx = operator.awx
    organization = awx.create("organizations", {"name": "Storage"})["id"]
    awx.create("credential_types", {"name": "MAAS region", "kind": "cloud"})
    inside = {"organization": organization}
    project = awx.create(
        "projects", {"name": "Own", "scm_type": "git", "scm_url": "https://git.example.com/x", **inside}
    )
    inventory = awx.create("inventories", {"name": "Own", **inside})
    drift = {
        "name": "Storage - layout, drift",
        "project": project["id"],
        "inventory": inventory["id"],
        "playbook": "playbooks/layout_drift.yml",
    }
    template = awx.create("job_templates", drift)
    awx.create("workflow_job_templates", {"name": "Storage - layout with approval", **inside})
    schedule = {
        "name": template["name"],
        "unified_job_template": template["id"],
        "rrule": "RRULE:FREQ=DAILY;INTERVAL=1",
    }
    awx.create("schedules", schedule)
    operator.refused(
        "install",
        'Not made by install.yml of strata.storage: the credential type "MAAS region", the job template "Storage - '
        'layout, drift", the schedule "Storage - layout, drift", the workflow job template "Storage - layout with '
        'approval". Nothing was done',
    )
    told = operator.run("uninstall")
    assert "changed=0" in told
    assert "not made by install.yml: MAAS region, Storage - layout with approval, Storage - layout, drift" in told


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ({"storage_awx_orgnization": "x"}, "There is no setting storage_awx_orgnization"),
        ({"storage_awx_image": None}, "storage_awx_image is no text"),
        (
            {"storage_awx_scm_branch": 1.0, "storage_awx_maas_inputs": SECRET},
            "maas_inputs is no dictionary. storage",
        ),
        ({"storage_awx_update_secrets": "maybe"}, "storage_awx_update_secrets is neither true nor false"),
        ({"storage_awx_organization": ""}, "storage_awx_organization is empty"),
        ({"storage_awx_approvers": "Storage - launchers"}, "Two teams have one name"),
        ({"storage_awx_maas_inventory": "Storage"}, "Two inventories have one name"),
        ({"storage_awx_scm_url": ""}, "storage_awx_scm_type is git, and storage_awx_scm_url is empty"),
        ({"storage_awx_scm_type": "manual"}, "storage_awx_scm_type is manual, and storage_awx_local_path is empty"),
        ({"storage_awx_notification": {"token": SECRET}}, "storage_awx_notification takes notification_type and"),
        ({"storage_awx_maas_inputs": {"key": SECRET}}, "Storage - MAAS region have no key; expected url, api_key."),
        ({"storage_awx_machine_inputs": {"user": SECRET}}, "Storage - machine have no user; expected username, "),
    ],
)
@pytest.mark.first_case
def test_a_mistake_in_the_settings(operator: Operator, site: dict[str, Any], said: str) -> None:
    operator.refused("install", said, **site)


def test_check_mode_before_there_is_anything(operator: Operator) -> None:
    operator.refused("install", "There is no organization Storage", "--check")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"CONTROLLER_OAUTH_TOKEN": AUDITOR}, "You don't have permission to POST"),
        ({"CONTROLLER_OAUTH_TOKEN": "no token"}, "Invalid authentication credentials"),
        (
            {"CONTROLLER_USERNAME": USERNAME, "CONTROLLER_PASSWORD": "no password"},
            "Failed to get token: HTTP Error 401",
        ),
        ({}, "Invalid authentication credentials"),
    ],
)
@pytest.mark.first_case
def test_a_user_who_may_not(operator: Operator, user: dict[str, str], said: str) -> None:
    assert said in operator.run("install", fails=True, user=user)
    assert not operator.awx.things["organizations"]


@pytest.mark.further
def test_a_user_with_a_password(operator: Operator) -> None:
    told = {"notification_type": "slak", "notification_configuration": {"token": SECRET}}
    user = {"CONTROLLER_USERNAME": USERNAME, "CONTROLLER_PASSWORD": PASSWORD}
    said = operator.run("install", fails=True, user=user, storage_awx_notification=told)
    # So far it came, and AWX's answer is shown.
    assert "drift was not made or changed: value of notification_type must be one of" in said
    assert PASSWORD not in said


@pytest.mark.further
def test_another_organization(loaded: Operator) -> None:
    """Also not by uninstall.yml, which would take away what is of all organizations."""
    for playbook in ("install", "uninstall"):
        said = "install.yml was run for the organization Storage, and now storage_awx_organization is Other"
        loaded.refused(playbook, said, storage_awx_organization="Other")


@pytest.mark.further
def test_uninstall_leaves_a_type_that_credentials_have(loaded: Operator) -> None:
    awx = loaded.awx
    other = awx.create("organizations", {"name": "Other"})["id"]
    kind = awx.find("credential_types", "MAAS region")["id"]
    awx.create("credentials", {"name": "own", "organization": other, "credential_type": kind})
    loaded.run("uninstall")
    assert "MAAS region" in [one["name"] for one in awx.things["credential_types"].values()]
    assert "Ceph cluster" not in [one["name"] for one in awx.things["credential_types"].values()]


@pytest.mark.parametrize(
    ("said", "shown"), [("it is too long", "it is too long"), (f"not {SECRET}", "not shown, since it holds a secret")]
)
def test_what_awx_says_is_shown_unless_it_holds_a_secret(said: str, shown: str) -> None:
    given = {"awx_what": "It", "awx_secrets": [["other"], "", SECRET], "ansible_failed_result": {"msg": said}}
    tasks = f"file={ROOT}/playbooks/awx/tasks/refused.yml"
    command = ["ansible", "localhost", "-m", "include_tasks", "-a", tasks, "-e", json.dumps(given)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert f"It was not made or changed: {'what AWX said is ' if said != shown else ''}{shown}" in done.stdout
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.further
def test_what_was_changed_by_hand(operator: Operator) -> None:
    """Credentials stay; what leads around the approval is put right; secrets change when told so."""
    awx = operator.awx
    manual: dict[str, Any] = {
        "storage_awx_scm_type": "manual",
        "storage_awx_local_path": "strata.storage",
        "storage_awx_drift_hosts": "",
    }
    operator.run("install", **{**manual, "storage_awx_drift_hosts": "fileservers"})
    machine = awx.find("credential_types", "Machine")
    vault = awx.create("credential_types", {"name": "Vault", "kind": "vault"})
    template = awx.find("job_templates", "Storage - RAID drive")["id"]
    awx.attached["job_templates", template, "credentials"].clear()
    for name, kind in (("own machine", machine), ("own vault", vault)):
        own = awx.create("credentials", {"name": name, "credential_type": kind["id"]})["id"]
        awx.attach("job_templates", template, "credentials", own, away=False)

    workflow = awx.find("workflow_job_templates", "Storage - MAAS layout with approval")
    nodes = awx.things["workflow_job_template_nodes"]
    inside = {node["identifier"]: one for one, node in nodes.items() if node["workflow_job_template"] == workflow["id"]}
    # One that awx.awx would leave: it does not look at lists that are to be empty.
    awx.attach("workflow_job_template_nodes", inside["plan"], "always_nodes", inside["apply"], away=False)
    workflow["ask_variables_on_launch"] = True
    awx.find("job_templates", "Storage - MAAS layout, apply")["ask_variables_on_launch"] = True

    region = awx.find("credentials", "Storage - MAAS region")["id"]
    other: dict[str, Any] = {"url": "https://maas.example.com:5443/MAAS", "api_key": f"c:d:{SECRET}"}
    operator.run("install", storage_awx_maas_inputs=other, **manual)
    assert awx.links("job_templates", "Storage - RAID drive", "credentials") == ["own machine", "own vault"]
    assert not any(numbers for (_kind, _one, link), numbers in awx.attached.items() if link == "always_nodes")
    assert len(nodes) == 5 * len(awx.things["workflow_job_templates"])
    # No hosts, no schedule.
    assert [one["name"] for one in awx.things["schedules"].values()] == ["Storage - elastic drive"]
    asking = [*awx.things["workflow_job_templates"].values(), *awx.things["job_templates"].values()]
    assert not any(one["ask_variables_on_launch"] for one in asking)
    assert awx.secrets[region]["api_key"].startswith("a:b:")

    operator.run("install", storage_awx_maas_inputs=other, storage_awx_update_secrets=True, **manual)
    assert awx.secrets[region]["api_key"].startswith("c:d:")
    assert "changed=0" in operator.run("install", "--check", storage_awx_maas_inputs=other, **manual)
