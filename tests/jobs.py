# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks started as AWX starts them: by ansible-runner, with what is known at launch as extra variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_runner.interface import run as run_playbook

from tests.tools.checkout import ROOT


class Jobs:
    """Starts playbooks, each in a directory of its own below ``where``."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._started = 0

    def run(
        self,
        playbook: str,
        inventory: Path,
        variables: dict[str, Any],
        fails: bool | None = False,
        arguments: str = "",
        environment: dict[str, str] | None = None,
    ) -> Job:
        """Run a playbook to its end. ``fails``: whether it is expected to (None: nothing is); ``arguments``: more."""
        self._started += 1
        where = self._where / f"job{self._started}"
        (where / "env").mkdir(parents=True)
        (where / "env/extravars").write_text(handed_on(variables))
        done = run_playbook(
            private_data_dir=str(where),
            project_dir=str(ROOT),
            playbook=f"playbooks/{playbook}",
            inventory=str(inventory),
            cmdline=arguments or None,
            envvars={"ANSIBLE_NOCOLOR": "1", **(environment or {})},
            quiet=True,
        )
        with done.stdout as printed:
            said = printed.read()
        assert (done.status == "failed") == (done.rc != 0), said
        assert fails is None or fails == (done.rc != 0), said
        return Job(done, said)


class _Unsafe(yaml.SafeDumper):
    """Says of each text that it is no template."""


_Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


def handed_on(variables: dict[str, Any]) -> str:
    """Extra variables as AWX writes them for ansible-runner: who launches a job is not to give templates."""
    return yaml.dump(variables, Dumper=_Unsafe)


class Job:
    """What a job came to. ``said`` is what it printed."""

    def __init__(self, done: Any, said: str) -> None:
        self._done = done
        self.said = said

    @property
    def failed(self) -> bool:
        return bool(self._done.rc)

    @property
    def stats(self) -> dict[str, dict[str, int]]:
        """How many tasks of which outcome each host had."""
        found: dict[str, dict[str, int]] = self._done.stats
        return found

    def results(self, task: str, outcome: str = "ok") -> dict[str, dict[str, Any]]:
        """What a task returned, by host, from its events. ``outcome``: ok or failed."""
        return {
            event["event_data"]["host"]: event["event_data"]["res"]
            for event in self._done.events
            if event["event"] == f"runner_on_{outcome}" and event["event_data"]["task"].endswith(task)
        }

    def result(self, task: str) -> dict[str, Any]:
        """What a task returned on the one host that it ran on."""
        (found,) = self.results(task).values()
        return found

    def refusals(self) -> dict[str, str]:
        """The message of each host's failed task."""
        return {host: result["msg"] for host, result in self.results("", "failed").items()}

    @property
    def published(self) -> dict[str, Any]:
        """What AWX gives to the next jobs of a workflow."""
        (event,) = [event for event in self._done.events if event["event"] == "playbook_on_stats"]
        data: dict[str, Any] = event["event_data"].get("artifact_data", {})
        return data
