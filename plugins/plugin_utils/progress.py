# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far a module has come that runs for long.

The module runs as any other. Once it has run for some seconds, a thread reads its progress from the host, by a second
connection of the same kind. So a task that ends sooner costs nothing, and what goes wrong here changes no result.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.strata.storage.plugins.module_utils.core.plan_text import count_destructive, counted, draw
from ansible_collections.strata.storage.plugins.module_utils.core.progress import DIRECTORY, VARIABLE
from ansible_collections.strata.storage.plugins.module_utils.core.text import duration, printable
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import show_size
from ansible_collections.strata.storage.plugins.plugin_utils.role_words import in_words_of_role

#: The variable that switches it off.
SWITCH = "strata_storage_progress"
#: Seconds that a task runs before it is looked at; then each tenth of its time, or so many seconds at most.
FIRST = 5.0
LONGEST = 30.0
#: A line is followed by another once so many seconds have passed, and it has come so many per cent further.
QUIET = 30.0
NOTICEABLE = 10.0
#: What is waited for a look that is under way when the module ends.
_LAST_LOOK = 3.0
#: Characters of a bar, at most and at least.
_WIDTH = 20
_NARROWEST = 8
_LONGEST_TEXT = 160
# Workers have no terminal: this is imported before they are forked.
_TERMINAL = sys.stderr.isatty()
#: A bar moves the cursor, which other callbacks record.
_WITH_BAR = {"default", "ansible.builtin.default", "strata.storage.plan"}
_ERASE = "\r\x1b[K"

display = Display()


class Told(NamedTuple):
    """What a module has told of itself."""

    what: str
    percent: float | None = None
    speed: int | None = None
    eta_seconds: int | None = None

    @classmethod
    def parse(cls, text: str) -> Told | None:
        """What stands in its file. The host is not trusted: None for anything else."""
        try:
            read = json.loads(text[text.index("{") :])
            what, steps = str(read["what"]), int(read.get("steps") or 0)
            percent, speed, eta = (read.get(key) for key in ("percent", "speed", "eta_seconds"))
            return cls(
                printable(f"step {int(read['step'])} of {steps}: {what}" if steps else what)[:_LONGEST_TEXT],
                None if percent is None or not 0 <= float(percent) <= 100 else float(percent),
                None if speed is None or not 0 < int(speed) < 1 << 60 else int(speed),
                None if eta is None or not 0 <= int(eta) < 1 << 40 else int(eta),
            )
        except (ValueError, KeyError, TypeError, OverflowError):
            return None

    def line(self, room: int = 0) -> str:
        """In words, with a bar if ``room`` characters are enough for both.

        The bar gets narrower before it is left out. It is as wide as the longest usual words permit, so that it neither
        comes and goes nor changes its width as numbers get longer.
        """
        if self.percent is None:
            return self.what
        # Each with its longest usual form.
        parts = [(f"{self.percent:.1f} %", "100.0 %")]
        if self.speed is not None:
            parts.append((f"{show_size(self.speed)}/s", "99.9 MiB/s"))
        if self.eta_seconds:
            parts.append((f"{duration(self.eta_seconds)} left", "59 min left"))
        words = ", ".join(text for text, _longest in parts)
        reserved = len(", ".join(max(pair, key=len) for pair in parts))
        width = min(_WIDTH, room - len(f"{self.what} [] ") - reserved)
        if width < _NARROWEST:
            return f"{self.what} {words}"
        done = int(self.percent * width / 100)
        return f"{self.what} [{'#' * done}{'.' * (width - done)}] {words}"


class Lines:
    """Chooses what is worth a line."""

    def __init__(self) -> None:
        self._last: Told | None = None
        self._moment = 0.0

    def due(self, told: Told, now: float) -> bool:
        """Whether to print it, which it is taken for then."""
        last = self._last
        if last is not None:
            further = told.what != last.what or abs((told.percent or 0) - (last.percent or 0)) >= NOTICEABLE
            if not further or now - self._moment < QUIET:
                return False
        self._last, self._moment = told, now
        return True


class Runs(ActionBase):
    """Runs the module of a task, and shows how far it has come."""

    _supports_check_mode = True
    _supports_async = True
    #: Whether what heads the module's plan is the host of the task, and not what the task names.
    OF_HOST: ClassVar[bool] = True

    def run_module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        later = bool(self._task.async_val) and not self._connection.has_native_async
        with self._watching(task_vars or {}):
            done: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=later)
        done = in_words_of_role(self._task, done)
        self._name(done, str((task_vars or {})["inventory_hostname"]))
        return done

    def _name(self, result: dict[str, Any], host: str) -> None:
        """Put the names that the controller has for host and task over a diff: the host's own name may be another."""
        parts, plan = result.get("diff") or (), result.get("plan") or ()
        destroys = count_destructive(plan)
        does = counted(len(plan), "step") + (f", DESTROYS {destroys}" if destroys else "")
        for part in parts:
            if "before" in part:
                after = f"{host}: after '{self._task.get_name()}' ({does})"
                part.update(before_header=f"{host}: now", after_header=after)
            elif self.OF_HOST and "prepared" in part:
                part["prepared"] = draw(host, result)

    @contextlib.contextmanager
    def _watching(self, task_vars: Mapping[str, Any]) -> Iterator[None]:
        quiet = self._task.check_mode or self._task.async_val or self._task.no_log
        if quiet or not boolean(self._templar.template(task_vars.get(SWITCH, True)), strict=False):
            yield
            return
        file, ended = f"strata-storage-{secrets.token_hex(16)}.json", threading.Event()
        option: Any = self.get_shell_option
        directory = str(option("remote_tmp"))
        # The shell is to expand it.
        if not re.fullmatch(r"[\w~/.$-]+", directory):
            directory = "~/.ansible/tmp"
        watcher = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._watch, f"cat {DIRECTORY}/{file} {directory}/{file} 2>/dev/null || true", ended, task_vars),
            daemon=True,
        )
        before = self._task.environment
        self._task.environment = [*(before or ()), {VARIABLE: f"{directory}/{file}"}]
        watcher.start()
        try:
            yield
        finally:
            self._task.environment = before
            ended.set()
            watcher.join(_LAST_LOOK)

    def _watch(self, command: str, ended: threading.Event, task_vars: Mapping[str, Any]) -> None:
        began, lines, drawn = time.monotonic(), Lines(), False
        host, module = str(task_vars["inventory_hostname"]), str(self._task.action).rpartition(".")[2]
        if self._task.delegate_to:
            host += f" -> {self._task.delegate_to}"
        as_bar = (
            _TERMINAL
            and constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") in _WITH_BAR
            and len(task_vars.get("ansible_play_batch") or ()) == 1
        )
        columns: Any = display.columns  # its type is that of its first value, None
        pause = FIRST
        try:
            read: Any = self._second()._low_level_execute_command
            while not ended.wait(pause):
                told = Told.parse(read(command)["stdout"])
                now = time.monotonic()
                pause = min(max((now - began) / 10, FIRST), FIRST if as_bar else LONGEST)
                if told is None or ended.is_set():
                    continue
                start = f"{printable(host)} | {module} | "
                line = start + told.line(columns - len(start) if as_bar else 0)
                if as_bar:
                    drawn = True
                    display.display(_ERASE + line[:columns], stderr=True, screen_only=True, newline=False)
                elif lines.due(told, now):
                    display.display(line, stderr=True)
        except Exception as error:  # what was asked for goes on
            display.vv(f"{host}: the progress of {module} cannot be read: {error}")
        finally:
            if drawn:
                display.display(_ERASE, stderr=True, screen_only=True, newline=False)

    def _second(self) -> Runs:
        """The same with a connection of its own, since one can do one thing at a time."""
        second = copy.copy(self)
        second._connection = copy.copy(self._connection)
        second._connection.become = copy.copy(self._connection.become)
        second._connection._shell = copy.copy(self._connection._shell)
        return second


class Watched(Runs):
    """A module behind its own name, shown as it goes on."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().run(tmp, task_vars)
        return dict(merge_hash(found, self.run_module(dict(self._task.args), task_vars)))
