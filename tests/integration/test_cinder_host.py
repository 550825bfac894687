# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role that makes the Python for Cinder's drivers, as a user runs it, and a module of ours in what it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.further
@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_the_environment(tool: str, tmp_path: Path) -> None:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    if tool == "uv":
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path / "tool"), "uv"]
        subprocess.run(pip, check=True)
        path = f"{tmp_path}/tool/bin:{path}"
    programs = Path(sys.executable).parent
    made = tmp_path / "made"
    role = {"role": "strata.storage.cinder_host", "cinder_host_directory": str(made), "cinder_host_packages": False}
    book = tmp_path / "play.json"

    def play(*words: str, state: str = "present") -> str:
        plays = [{"hosts": "all", "gather_facts": False, "roles": [{**role, "cinder_host_state": state}]}]
        book.write_text(json.dumps(plays))
        return ansible("ansible-playbook", str(book), *words)

    def ansible(program: str, *words: str, python: str = "/usr/bin/python3", fails: bool = False) -> str:
        interpreter = ["--extra-vars", f"ansible_python_interpreter={python}"]
        done = subprocess.run(
            [f"{programs}/{program}", "--inventory", "localhost,", "--connection", "local", *interpreter, *words],
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    assert "changed=2" in play("--check")
    assert not made.exists()
    assert "failed=0" in play()
    assert ("\nuv = " in (made / "pyvenv.cfg").read_text()) == (tool == "uv")
    assert "changed=0" in play()
    assert "changed=0" in play("--check")
    module = ["localhost", "--module-name", "strata.storage.cinder_backend_info", "--args", "gather=drivers"]
    told = ansible("ansible", *module, python=f"{made}/bin/python")
    assert "cinder.volume.drivers.rbd.RBDDriver" in told
    # Under any other Python it is the recipe that is told.
    assert "strata.storage.cinder_host" in ansible("ansible", *module, fails=True)
    wrong = "cinder_host_python=/bin/echo"
    said = ansible("ansible-playbook", str(book), "--extra-vars", wrong, fails=True)
    assert "Name one of these in cinder_host_python" in said.replace("\n", " ")
    play(state="absent")
    assert not made.exists()
