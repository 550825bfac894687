# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workflows: what AWX takes at launch, which job it starts next, and with what; jobs are real, by ansible-runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.jobs import Job, Jobs

from .model import ApiError, Awx, Thing


def accepted(awx: Awx, kind: str, template: Thing, given: Thing) -> Thing:
    """The variables given at launch. Raises ApiError for one that the template does not ask for."""
    spec = awx.surveys.get((kind, template["id"]), {}).get("spec", []) if template["survey_enabled"] else []
    asked = {question["variable"]: question for question in spec}
    wrong = [
        f"'{name}' value missing" for name, question in asked.items() if question["required"] and name not in given
    ]
    if wrong:
        raise ApiError(400, {"variables_needed_to_start": wrong})
    unasked = given.keys() - asked.keys()
    if unasked and not template["ask_variables_on_launch"]:
        raise ApiError(400, {"extra_vars": [f"Variables {', '.join(sorted(unasked))} are not allowed on launch."]})
    return given


class Run:
    """A workflow that was launched. ``jobs`` are those that ran, by their nodes; ``waits`` is true at an approval.

    A job gets its template's variables, above them what the jobs before it published, and above that what was given at
    the launch of the workflow.
    """

    def __init__(self, awx: Awx, jobs: Jobs, where: Path, inventory: Path, name: str, given: Thing) -> None:
        self._awx, self._runner, self._where, self._inventory = awx, jobs, where, inventory
        template = awx.find("workflow_job_templates", name)
        others = [run for run in awx.running if run.template == template["id"] and run.waits]
        if others and not template["allow_simultaneous"]:
            raise ApiError(409, {"detail": "It is not started while another one of this template waits."})
        self.template: int = template["id"]
        self._given = accepted(awx, "workflow_job_templates", template, given)
        self._nodes = {
            node["identifier"]: node
            for node in awx.things["workflow_job_template_nodes"].values()
            if node["workflow_job_template"] == template["id"]
        }
        self._artifacts: Thing = {}
        self.jobs: dict[str, Job] = {}
        self.waits: str = ""
        self.failed = False
        awx.running.append(self)
        reached = {name for node in self._nodes for how in ("success", "failure") for name in self._after(node, how)}
        (root,) = self._nodes.keys() - reached
        self._go(root)

    def approve(self) -> Run:
        node, self.waits = self.waits, ""
        assert node
        for following in self._after(node, "success"):
            self._go(following)
        return self

    def _after(self, node: str, how: str) -> list[str]:
        numbers = self._awx.attached.get(("workflow_job_template_nodes", self._nodes[node]["id"], f"{how}_nodes"), [])
        return [self._awx.things["workflow_job_template_nodes"][number]["identifier"] for number in numbers]

    def _go(self, node: str) -> None:
        starts = self._nodes[node]["unified_job_template"]
        if starts in self._awx.things["workflow_approval_templates"]:
            self.waits = node
            return
        template = self._awx.things["job_templates"][starts]
        variables = {**json.loads(template["extra_vars"] or "{}"), **self._artifacts, **self._given}
        environment, injected = self._credentials(template)
        job = self._runner.run(
            template["playbook"].removeprefix("playbooks/"),
            self._inventory,
            {**variables, **injected},
            fails=None,
            environment=environment,
        )
        self.jobs[node] = job
        self._artifacts.update(job.published)
        following = self._after(node, "failure" if job.failed else "success")
        self.failed |= job.failed and not following
        for one in following:
            self._go(one)

    def _credentials(self, template: Thing) -> tuple[dict[str, str], Thing]:
        """The environment and the variables that the credentials of a job give it."""
        environment: dict[str, str] = {}
        variables: Thing = {}
        for number in self._awx.attached.get(("job_templates", template["id"], "credentials"), []):
            credential = self._awx.things["credentials"][number]
            injectors = self._awx.things["credential_types"][credential["credential_type"]]["injectors"]
            known: dict[str, Any] = dict(self._awx.secrets[number])
            files = {}
            for name, text in injectors.get("file", {}).items():
                path = self._where / f"{number}-{name}"
                path.write_text(_rendered(text, known))
                files[name.removeprefix("template.")] = str(path)
            known["tower"] = {"filename": files}
            environment.update({name: _rendered(text, known) for name, text in injectors.get("env", {}).items()})
            variables.update({name: _rendered(text, known) for name, text in injectors.get("extra_vars", {}).items()})
        return environment, variables


def _rendered(text: str, known: dict[str, Any]) -> str:
    return ImmutableSandboxedEnvironment().from_string(text).render(**known)
