# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The executor: does the steps of a plan, one by one, and says how far it came.

What a step's actions are is open: each backend adds the kinds that it needs to ``PERFORM``, and loads them, and
this, only where there is something to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from .command import read_text, run_command, search_path, wait_until
from .errors import Declined, StepFailed, StorageError, sentence
from .files import check_writable, make_directory, replace_file
from .plan import Command, Edit, Intent, MakeDirectory, Step, Wait, Write
from .progress import reporter
from .record import put_on_record, take_off_record

Perform = Callable[[Any], None]
Resolve = Callable[[Any], Any]

#: Lanes, each of which is steps in order.
Phases = tuple[tuple[tuple[Step, ...], ...], ...]
#: More threads than this no longer help where a cluster is waited for.
_AT_ONCE = 8
_PLACEHOLDER = re.compile(r"<([a-z-]+):([^<>\s]+)>")


class Handlers(NamedTuple):
    """How a backend does its actions, by their type, and resolves the placeholders that it adds to ``Symbols``.

    ``placeholders`` None: its plans have none, and a user's text may look like one. ``phases`` may part a plan's steps
    into phases, one after the other, of lanes that do not depend on each other. ``records`` is the directory where the
    intents of steps are kept; a backend without one has no such steps.
    """

    perform: Mapping[type, Perform]
    placeholders: Mapping[str, Callable[[str], str]] | None = {}
    phases: Callable[[tuple[Step, ...]], Phases] | None = None
    records: str = ""


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
    return sorted(program for program in needed if not shutil.which(program, path=search_path()))


def check_files(steps: tuple[Step, ...]) -> None:
    """Raises StorageError where a file that the steps edit cannot be written."""
    for path in dict.fromkeys(action.path for step in steps for action in step.actions if isinstance(action, Edit)):
        check_writable(path)


def perform_actions(actions: tuple[Any, ...], handlers: Handlers) -> None:
    """Do actions that belong to no step, such as waiting."""
    for action in actions:
        reporter().begin(str(action))
        _do((action,), Symbols({}).resolve, handlers.perform)


def execute(steps: tuple[Step, ...], handlers: Handlers) -> None:
    """Do the steps in order. Raises StepFailed, which names the step, its reason, and what was done before it."""
    resolve = _as_it_is if handlers.placeholders is None else Symbols(handlers.placeholders).resolve
    report = reporter()
    done: list[Step] = []
    failed: list[StepFailed] = []

    def follow(lane: tuple[Step, ...]) -> None:
        for step in lane:
            if failed:
                return
            report.begin(f"{step.verb} {step.kind} {step.name}", len(done) + 1, len(steps))
            try:
                _do_step(step, resolve, handlers)
            except StepFailed as error:
                failed.append(error)
                return
            done.append(step)

    for lanes in handlers.phases(steps) if handlers.phases else ((steps,),):
        if len(lanes) == 1:
            follow(lanes[0])
        else:
            in_parallel(follow, lanes)
        if failed:
            message = "; ".join(str(error) for error in failed)
            raise StepFailed(message, tuple(done), bool(done) or any(error.changed for error in failed)) from failed[0]


def _as_it_is(value: Any) -> Any:
    return value


def _do_step(step: Step, resolve: Resolve, handlers: Handlers) -> None:
    """Raises StepFailed, also for an error that nobody expected: it says whether the step left a trace."""
    perform = handlers.perform
    intent: Intent | None = None
    try:
        _do(step.claims, resolve, perform)
        if step.intent is not None:
            intent = resolve(step.intent)
            put_on_record(handlers.records, str(step), intent)
    except Exception as error:
        raise StepFailed(f"{step}: {sentence(error)}", (), False) from error
    traced = before = False
    try:
        for action in step.actions:
            # An edit is done as a whole, or not at all.
            before, traced = traced, traced or not isinstance(action, Edit)
            _do((action,), resolve, perform)
            traced = True
        flush(resolve(step.flush))
        if intent is not None and intent.last:
            take_off_record(handlers.records, intent)
    except Exception as error:
        message, undone = f"{step}: {sentence(error)}", not (before if isinstance(error, Declined) else traced)
        try:
            if step.undo:
                _do(step.undo, resolve, perform)
                flush(resolve(step.flush))
                undone = True
            if undone and intent is not None:
                take_off_record(handlers.records, intent)
        except Exception as second:
            message += f" Taking it back failed too: {sentence(second)}"
        raise StepFailed(message, (), not undone) from error


@contextlib.contextmanager
def outlasting() -> Iterator[None]:
    """Go on where the controller goes away: its end of the connection hangs up, or somebody interrupts it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def in_parallel(what: Callable[[Any], Any], wanted: Sequence[Any]) -> list[Any]:
    """What comes of each, in their order. For what waits for something else most of the time."""
    if len(wanted) < 2:
        return [what(one) for one in wanted]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as workers:
        return list(workers.map(what, wanted))


def _do(actions: tuple[Any, ...], resolve: Resolve, perform: Mapping[type, Perform]) -> None:
    for action in actions:
        perform[type(action)](resolve(action))


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


def _command(action: Command) -> None:
    run_command(action.argv, action.timeout, action.accepts, action.input, directory=action.directory)


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
    make_directory(action.path)


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
