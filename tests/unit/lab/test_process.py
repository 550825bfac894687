# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Telling a machine's process from whatever else has its pid."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import LabError
from tests.lab.process import Process, spawn


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for the end of its input."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_process_that_runs(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    assert process.alive()
    assert not process.wait(0.01)


def test_killed_process(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    process.kill()
    assert not process.alive()
    process.kill()


def test_another_process_with_the_pid_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    process = Process.of(child.pid)
    for other in (replace(process, started=process.started - 1), replace(process, boot_id="an earlier one")):
        assert not other.alive()
        other.kill()
    assert process.alive()


def test_no_process() -> None:
    with pytest.raises(LabError, match="gone"):
        Process.of(2**22 + 1)


def test_an_owned_one_dies_with_its_owner(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.lab.process import spawn; "
        "print(spawn(['sleep', '60'], Path(sys.argv[1]), 'log', owned=True).pid, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = Process.of(int(owner.stdout.readline()))
        # Before that, what is to end it has not been asked for.
        while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
            time.sleep(0.01)
        owner.kill()
    assert process.wait(10)


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no-such-program is not installed"):
        spawn(["no-such-program"], tmp_path, "log", owned=False)
