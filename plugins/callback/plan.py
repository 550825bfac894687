# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
type: stdout
short_description: Show the plans of many hosts at once
version_added: 0.1.0
description:
  - Prints what the callback C(default) prints, but the plans of this collection's modules once
    for all hosts whose plans are the same, when the task is done.
  - What is destroyed is printed for each host.
  - The run ends with how many hosts change, on which data is destroyed, and which were refused, with a C(--limit) for
    these.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - ansible.builtin.default_callback
  - ansible.builtin.result_format_callback
requirements:
  - C(stdout_callback = strata.storage.plan) in C(ansible.cfg), or C(ANSIBLE_STDOUT_CALLBACK) in the environment
notes:
  - The device names that a plan shows are those of the first host that it names.
  - With C(-v), the results and diffs of each host are printed as well.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import (
    count_destructive,
    counted,
    draw,
    later,
)
from ansible_collections.strata.storage.plugins.module_utils.core.text import printable

_OURS = "strata.storage."
#: What hosts with the same plan call otherwise.
_OF_ONE_HOST = re.compile(
    r"/dev/(?:disk/)?[\w./:+-]+|\b(?:sd[a-z]+|x?vd[a-z]+|nvme\d+n\d+)(?:p?\d+)?\b"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8}(?::[0-9a-f]{8}){3}\b"
)
#: So many names of hosts are printed in a line.
_NAMED = 10


class Planned(NamedTuple):
    """What a module returned for a host."""

    host: str
    result: Mapping[str, Any]


def same(plan: list[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """What plans have in common that do the same to other devices."""
    return tuple(
        (step["action"], step["kind"], *(_OF_ONE_HOST.sub("*", step[key]) for key in ("name", "detail")))
        for step in plan
    )


def folded(planned: list[Planned]) -> list[list[Planned]]:
    """The hosts with the same plan together, the most steps first, and those without any last."""
    found: dict[Any, list[Planned]] = {}
    for one in planned:
        kinds = tuple(told.partition(":")[0] for told in later(one.result))
        found.setdefault((same(one.result["plan"]), kinds), []).append(one)
    return sorted(found.values(), key=lambda together: -len(together[0].result["plan"]))


def names(hosts: list[str]) -> str:
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return printable(", ".join(hosts[:_NAMED]) + more)


def lines(together: list[Planned]) -> Iterator[str]:
    """A plan, with what it destroys on each of its hosts."""
    hosts = [one.host for one in together]
    who = counted(len(hosts), "host")
    first = together[0].result
    if not first["plan"] and not later(first):
        yield f"{who}: nothing to do: {names(hosts)}"
        return
    steps = [
        {
            **step,
            "destroys": [
                f"on {one.host}: {data}" for one in together for data in one.result["plan"][number]["destroys"]
            ],
        }
        for number, step in enumerate(first["plan"])
    ]
    title = names(hosts) if len(hosts) == 1 else f"{who} alike ({names(hosts)})"
    yield from draw(title, {**first, "plan": steps}).splitlines()


class CallbackModule(Default):
    """Holds the plans of a task back until all hosts are done with it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "strata.storage.plan"

    def __init__(self) -> None:
        super().__init__()
        self._planned: list[Planned] = []
        self._steps: dict[str, int] = {}
        self._destroys: dict[str, int] = {}
        self._refused: dict[str, str] = {}

    def v2_runner_on_ok(self, result: Any) -> None:
        told = _of(result, "result")
        if not _plans(result, told):
            super().v2_runner_on_ok(result)
            return
        host = str(_of(result, "host").get_name())
        self._planned.append(Planned(host, dict(told)))
        self._steps[host] = self._steps.get(host, 0) + len(told["plan"])
        self._destroys[host] = self._destroys.get(host, 0) + count_destructive(told["plan"])
        # What a plan says is no news of a host that it is one of many for.
        if self._display.verbosity or not _of(result, "task").check_mode:
            super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors and _ours(result):
            message = str(_of(result, "result").get("msg") or "failed")
            self._refused[str(_of(result, "host").get_name())] = message
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_on_file_diff(self, result: Any) -> None:
        if self._display.verbosity or not _plans(result, _of(result, "result")):
            super().v2_on_file_diff(result)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._tell()
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._tell()
        super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._tell()
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._tell()
        super().v2_playbook_on_stats(stats)
        changing = [host for host, steps in self._steps.items() if steps and host not in self._refused]
        losing = [host for host, count in self._destroys.items() if count]
        if not self._steps and not self._refused:
            return
        self._say(
            f"Storage: {counted(len(changing), 'host')} to change or changed "
            f"({counted(sum(self._steps[host] for host in changing), 'step')}), "
            f"{len(self._steps) - len(changing)} without a change, {len(self._refused)} refused",
            _color("COLOR_CHANGED") if changing else _color("COLOR_OK"),
        )
        if losing:
            self._say(f"! DESTROYS data on {counted(len(losing), 'host')}: {names(losing)}", _color("COLOR_ERROR"))
        for host, message in sorted(self._refused.items(), key=lambda one: _by_number(one[0])):
            first, *more = message.splitlines()
            self._say(f"Refused: {host}: {first}", _color("COLOR_ERROR"))
            for line in more:
                self._say(f"         {line}", _color("COLOR_ERROR"))
        if self._refused:
            self._say(f"To do only these again: --limit {','.join(sorted(self._refused, key=_by_number))}")

    def _tell(self) -> None:
        planned, self._planned = self._planned, []
        # They come as they are done.
        for together in folded(sorted(planned, key=lambda one: _by_number(one.host))):
            for line in lines(together):
                color = _color("COLOR_ERROR") if line.startswith("!") else None
                self._display.display(line, color=color)

    def _say(self, line: str, color: str | None = None) -> None:
        self._display.display(printable(line), color=color)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts nas2 before nas10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _color(setting: str) -> str:
    return str(constants.config.get_config_value(setting))


def _of(result: Any, attribute: str) -> Any:
    """Before ansible-core 2.19, what callbacks take has these as private attributes alone."""
    return getattr(result, attribute) if hasattr(result, attribute) else getattr(result, f"_{attribute}")


def _ours(result: Any) -> bool:
    task = _of(result, "task")
    return str(task.resolved_action or task.action).startswith(_OURS)


def _plans(result: Any, told: Mapping[str, Any]) -> bool:
    """Whether a module of ours returned a plan."""
    return _ours(result) and isinstance(told.get("plan"), list)
