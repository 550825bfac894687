# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module tells of itself while it runs, and that it goes on where nobody listens any more."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core import progress
from ansible_collections.strata.storage.plugins.module_utils.core.command import run_command
from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.execute import (
    PERFORM,
    Handlers,
    execute,
    outlasting,
    perform_actions,
)
from ansible_collections.strata.storage.plugins.module_utils.core.lock import HostLock
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Command, Step, Wait
from ansible_collections.strata.storage.plugins.module_utils.core.progress import Progress, Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_file_is_written_once_a_second_and_removed(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "new" / "file.json"
    reporter = Reporter(str(path), clock)
    reporter.begin("create raid md0", 2, 7)
    told = {"step": 2, "steps": 7, "what": "create raid md0", "percent": None, "speed": None, "eta_seconds": None}
    assert read(path) == told
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    reporter.tell(lambda: Progress("md0: resync", 10, 5, 9))
    clock.now += 0.9
    reporter.tell(lambda: pytest.fail("measured again"))
    assert read(path) == {"step": 2, "steps": 7, "what": "md0: resync", "percent": 10, "speed": 5, "eta_seconds": 9}
    clock.now += 0.1
    reporter.tell(lambda: Progress("md0: resync", 11, 5, 8))
    assert read(path)["percent"] == 11
    reporter.begin("wait until md0 is idle")
    assert "step" not in read(path)
    reporter.remove()
    assert os.listdir(path.parent) == []


def test_the_time_left_is_estimated_where_nothing_tells_it(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "file.json"
    reporter = Reporter(str(path), clock)
    for percent, eta in ((20.0, None), (20.0, None), (40.0, 60), (90.0, 4)):
        reporter.tell(lambda percent=percent: Progress("move from /dev/sdb", percent))  # type: ignore[misc]
        assert read(path)["eta_seconds"] == eta
        clock.now += 10


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    reporter = Reporter(str(tmp_path / "file" / "in.json"))
    reporter.begin("create raid md0", 1, 1)
    reporter.tell(lambda: pytest.fail("measured for nobody"))
    reporter.remove()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    (tmp_path / "file.new").symlink_to(tmp_path / "other")
    Reporter(str(tmp_path / "file")).begin("create raid md0")
    assert (tmp_path / "other").read_text() == "kept"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of this process, by the name that a controller gave."""
    monkeypatch.setattr(progress, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv(progress.VARIABLE, "~/.ansible/tmp/told.json")
    progress.reporter.cache_clear()
    yield tmp_path / "told.json"
    progress.reporter.cache_clear()


def test_the_executor_tells_each_step_and_each_wait(file: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    copy = Command(("sh", "-c", f"cat {file} >> {seen}; echo >> {seen}"))
    steps = tuple(Step("create", "raid", name, "of two", (copy,)) for name in ("md0", "md1"))
    execute(steps, Handlers(PERFORM))
    one, two = (json.loads(line) for line in seen.read_text().splitlines())
    assert (one["step"], one["steps"], one["what"]) == (1, 2, "create raid md0")
    assert (two["step"], two["steps"], two["what"]) == (2, 2, "create raid md1")
    perform_actions((Wait(str(seen)),), Handlers(PERFORM))
    assert read(file)["what"] == f"wait for {seen}"


def test_another_task_that_is_waited_for_is_told(file: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with HostLock("raid md0", 1, read_only=False, path=path):
        with pytest.raises(StorageError), HostLock("layout", 0, read_only=False, path=path):
            pass
        with pytest.raises(StorageError), HostLock("layout", 1, read_only=False, path=path):
            pass
    assert read(file)["what"] == f"waits for raid md0, process {os.getpid()}"


def test_without_the_variable_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    progress.reporter.cache_clear()
    progress.reporter().begin("create raid md0", 1, 1)
    progress.reporter().tell(lambda: pytest.fail("measured for nobody"))


def test_a_program_is_listened_to_and_ends_in_time() -> None:
    heard: list[str] = []
    output = run_command(("sh", "-c", "echo one; sleep 1.3; echo two"), heard=heard.append)
    assert (output, heard) == ("one\ntwo\n", ["one\n"])
    with pytest.raises(StorageError, match="did not end within 2 s"):
        run_command(("sh", "-c", "echo one; sleep 60"), timeout=2, heard=heard.append)


def test_steps_outlast_the_controller() -> None:
    calls: list[int] = []
    before = {number: signal.signal(number, lambda *_: calls.append(1)) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        with outlasting():
            for number in before:
                os.kill(os.getpid(), number)
        assert calls == []
        for number in before:
            os.kill(os.getpid(), number)
        assert calls == [1, 1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
