# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a lab on disk, and what becomes of a stale one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabError
from tests.lab.__main__ import main, parser
from tests.lab.lab import default_directory
from tests.lab.process import Process
from tests.lab.state import Medium, State


@pytest.fixture
def state() -> Iterator[State]:
    """The state of a lab whose QEMU is something else that runs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        media = {"HDD1": Medium("HDD1.qcow2"), "HDD2": Medium("HDD2.new-1", 4096)}
        yield State("key", "qemu", "a machine", "bookworm", "image", Process.of(child.pid), 2200, media)
        child.kill()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of these builds or finds an image."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_state_comes_back(state: State, tmp_path: Path) -> None:
    state.pulled.append("HDD1")
    state.save(tmp_path)
    assert State.load(tmp_path) == state
    assert list(state.plugged()) == ["HDD2"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"process": {}}', '{"process": 1}'])
def test_state_of_another_version(text: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(text)
    assert State.load(tmp_path) is None
    Lab(directory=tmp_path).down()
    assert not (tmp_path / "state.json").exists()


def test_condition(state: State, tmp_path: Path) -> None:
    lab = Lab(directory=tmp_path)
    assert lab.status().condition == "down"
    state.save(tmp_path)
    assert lab.status().condition == "stale"
    state.process.kill()
    assert lab.status().condition == "stopped"
    with pytest.raises(LabError, match="has stopped"):
        print(lab.guest)


def test_down_kills_and_forgets(state: State, tmp_path: Path) -> None:
    state.save(tmp_path)
    (tmp_path / "HDD1.qcow2").write_text("")
    (tmp_path / "console.log").write_text("kept")
    Lab(directory=tmp_path).down()
    assert not state.process.alive()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["console.log", "lock"]


def test_logs_are_quoted(state: State, tmp_path: Path) -> None:
    state.save(tmp_path)
    state.process.kill()
    (tmp_path / "machine.log").write_text("no such device\n")
    with pytest.raises(LabError, match="no such device"):
        Lab(directory=tmp_path).reboot()


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b"])
def test_bad_name(name: str) -> None:
    with pytest.raises(LabError, match="no name"):
        default_directory(name)


def test_unknown_mode(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="ordered, volatile"):
        Lab(directory=tmp_path).power_cut("gentle")


def test_command_line() -> None:
    assert vars(parser().parse_args(["ssh", "ls", "-l"])) == {
        "name": "default",
        "machine": None,
        "suite": "bookworm",
        "command": "ssh",
        "user": "root",
        "words": ["ls", "-l"],
    }
    assert parser().parse_args(["--name", "x", "insert-disk", "HDD1", "--size", "64"]).size == 64


def test_command_line_reports_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "a/b", "status"]) == 1
    assert "no name for a lab" in capsys.readouterr().err
