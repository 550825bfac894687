# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The executor: does the steps of a plan, one by one, and says how far it came.

What a step's actions are is open: each backend adds the kinds that it needs to ``PERFORM``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from typing import Any, Callable

from .errors import StorageError
from .files import replace_file
from .plan import Command, Edit, MakeDirectory, Step, Wait, Write

Perform = Callable[[Any], None]

_PLACEHOLDER = re.compile(r"<([a-z-]+):([^<>\s]+)>")
_POLL = 0.05
_DYING = 5


class StepFailed(StorageError):
    """A step did not work. ``done`` are the steps before it, which did; ``changed``: it or they left a trace."""

    def __init__(self, message: str, done: tuple[Step, ...], changed: bool) -> None:
        super().__init__(message)
        self.done = done
        self.changed = changed


class Symbols:
    """Resolves the placeholders by which a plan names things before they exist: ``<KIND:NAME>``.

    ``kinds`` are what a backend adds to ``uuid`` and ``kernel-name``.
    """

    def __init__(self, kinds: Mapping[str, Callable[[str], str]]) -> None:
        self._uuids: dict[str, str] = {}
        self._kinds = {"uuid": self._uuid, "kernel-name": _kernel_name, **kinds}

    def text(self, text: str) -> str:
        resolved = _PLACEHOLDER.sub(self._one, text)
        # One placeholder may stand in the name of another.
        return resolved if resolved == text else self.text(resolved)

    def resolve(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            parts = [self.resolve(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return value

    def _one(self, match: re.Match[str]) -> str:
        kind = self._kinds.get(match.group(1))
        return kind(match.group(2)) if kind else match.group(0)

    def _uuid(self, name: str) -> str:
        return self._uuids.setdefault(name, str(uuid.uuid4()))


def _kernel_name(path: str) -> str:
    return os.path.basename(os.path.realpath(path))


def missing_programs(steps: tuple[Step, ...]) -> list[str]:
    """The programs that the steps need and this host lacks."""
    needed = {program for step in steps for action in step.actions for program in getattr(action, "programs", ())}
    return sorted(program for program in needed if not shutil.which(program, path=_search_path()))


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def perform_actions(actions: tuple[Any, ...], perform: Mapping[type, Perform]) -> None:
    """Do actions that belong to no step, such as waiting."""
    _do(actions, Symbols({}), perform)


def execute(
    steps: tuple[Step, ...], perform: Mapping[type, Perform], kinds: Mapping[str, Callable[[str], str]]
) -> None:
    """Do the steps in order. Raises StepFailed, which names the step, its reason, and what was done before it."""
    symbols = Symbols(kinds)
    done: list[Step] = []
    for step in steps:
        try:
            _do(step.claims, symbols, perform)
        except (StorageError, OSError) as error:
            raise StepFailed(f"{step}: {sentence(error)}", tuple(done), bool(done)) from error
        traced = False
        try:
            for action in step.actions:
                # An edit is done as a whole, or not at all.
                traced = traced or not isinstance(action, Edit)
                _do((action,), symbols, perform)
                traced = True
            flush(symbols.resolve(step.flush))
        except (StorageError, OSError) as error:
            message, undone = f"{step}: {sentence(error)}", not traced
            if step.undo:
                try:
                    _do(step.undo, symbols, perform)
                    undone = True
                except (StorageError, OSError) as second:
                    message += f" Taking it back failed too: {sentence(second)}"
            raise StepFailed(message, tuple(done), bool(done) or not undone) from error
        done.append(step)


def _do(actions: tuple[Any, ...], symbols: Symbols, perform: Mapping[type, Perform]) -> None:
    for action in actions:
        perform[type(action)](symbols.resolve(action))


def sentence(error: Exception) -> str:
    """An error as a user reads it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return str(error)


def flush(devices: tuple[str, ...]) -> None:
    """Have block devices write out what they hold: not every tool does it, and a power cut tells."""
    for path in devices:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENOMEDIUM):
                continue
            raise
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def run_command(argv: tuple[str, ...], timeout: int = 120, accepts: tuple[int, ...] = (0,), given: str = "") -> str:
    """The standard output of a program. Raises StorageError with what it said, or when it is missing or hangs."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": _search_path()}
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    stdin = pipe if given else null
    try:
        process = subprocess.Popen(argv, stdin=stdin, stdout=pipe, stderr=pipe, env=environment, start_new_session=True)
    except FileNotFoundError:
        raise StorageError(f"{argv[0]} is not installed on this host, and is needed for: {' '.join(argv)}") from None
    try:
        output, errors = process.communicate(given.encode() or None, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise StorageError(f"{' '.join(argv)} did not end within {timeout} s and was {_end(process)}") from None
    except BaseException:
        _end(process)
        raise
    if process.returncode not in accepts:
        said = b" ".join((errors or output).split()).decode(errors="replace")
        raise StorageError(f"{' '.join(argv)} failed with status {process.returncode}: {said}")
    return output.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill a program and what it started. What waits in the kernel for a device that does not answer, nothing ends."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_DYING)
    except subprocess.TimeoutExpired:
        return "told to; it waits in the kernel for a device that does not answer"
    return "killed"


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Poll a cheap condition. Raises StorageError that says what it waited for."""
    limit = time.monotonic() + timeout
    pause = _POLL
    while not condition():
        if time.monotonic() > limit:
            raise StorageError(f"waited {timeout:g} s {what}")
        time.sleep(pause)
        # What takes a day need not be asked for twenty times a second.
        pause = min(pause * 1.05, 1.0)


def read_text(path: str) -> str:
    """A small kernel attribute, stripped; empty where it does not exist or cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _command(action: Command) -> None:
    run_command(action.argv, action.timeout, action.accepts, action.input)


def _write(action: Write) -> None:
    if action.done and os.path.exists(action.done):
        return
    try:
        descriptor = os.open(action.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, action.value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        if not (action.done and os.path.exists(action.done)):
            raise StorageError(f"writing {action.value} to {action.path} failed: {error.strerror}") from error


def _edit(action: Edit) -> None:
    replace_file(action.path, action.before, action.after)


def _make_directory(action: MakeDirectory) -> None:
    os.makedirs(action.path, exist_ok=True)


def _wait(action: Wait) -> None:
    def reached() -> bool:
        if action.gone:
            return not os.path.exists(action.path)
        return read_text(action.path) in action.values if action.values else os.path.exists(action.path)

    wait_until(reached, action.timeout, f"in vain for this: {action}")


PERFORM: dict[type, Perform] = {
    Command: _command,
    Write: _write,
    Edit: _edit,
    MakeDirectory: _make_directory,
    Wait: _wait,
}
