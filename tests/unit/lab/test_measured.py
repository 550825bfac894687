# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the modules runs under the server of integration tests is measured, and apart from what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.integration.modules import COVERAGE, printed_of
from tests.integration.on_ceph.client import Server
from tests.tools.checkout import ROOT


@pytest.mark.parametrize("measured", [True, False])
def test_a_module_is_measured_and_its_answer_is_the_same(
    measured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COVERAGE, raising=False)
    if measured:
        monkeypatch.setenv(COVERAGE, str(tmp_path))
    with Server(tmp_path, sys.executable, dict(os.environ)) as server:
        said = json.loads(server.ask("raid", {"name": "md0", "level": "7"}))
    assert "value of level must be one of" in said["msg"]
    files = list(tmp_path.glob(".coverage.*"))
    assert len(files) == measured
    for file in files:
        data = CoverageData(str(file))
        data.read()
        ran = {Path(name).relative_to(ROOT).as_posix(): data.arcs(name) for name in data.measured_files()}
        assert ran["plugins/modules/raid.py"]
        # Of a file that the server had imported before it forked.
        assert ran["plugins/module_utils/core/options.py"]


def test_other_answers_are_left_alone() -> None:
    assert printed_of('{"msg": "COVERAGE"}\n') == '{"msg": "COVERAGE"}\n'


def test_below_the_floor_it_fails(tmp_path: Path) -> None:
    """By the settings of pyproject.toml."""
    script = tmp_path / "one.py"
    script.write_text("import sys\nif len(sys.argv) > 1:\n    print(1)\n    print(2)\n    print(3)\n")
    command = [sys.executable, "-m", "coverage"]
    data = f"--data-file={tmp_path}/.coverage"
    subprocess.run([*command, "run", "--branch", data, str(script)], check=True, cwd=ROOT)
    report = subprocess.run([*command, "report", data], check=False, cwd=ROOT, capture_output=True, text=True)
    assert report.returncode == 2, report.stdout
    assert "Coverage failure: total of 42.9 is less than fail-under=" in report.stdout
