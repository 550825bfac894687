# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guide shows of volumes, run by Ansible, in its order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import examples

from .client import CONNECT, Backend, python

GIB = 1 << 30


@pytest.mark.further
def test_the_guide(backend: Backend, tmp_path: Path) -> None:
    blocks = [block.text for block in examples.blocks("docs/guides/array-volume.md") if block.language == "yaml"]
    # The environment is there, and there is no kernel here that has devices.
    (volumes, taken_back, released) = [text for text in blocks if "cinder_volume" in text and "attached" not in text]

    def play(text: str) -> str:
        known = f"rbd_pool: {backend.pool}, rbd_ceph_conf: {backend.cluster.conf}"
        text = text.replace("rbd_pool: volumes", known).replace("/opt/strata-cinder/bin/python", python())
        text = text.replace("fileservers", "all").replace("become: true", "become: false")
        book = tmp_path / "play.yml"
        book.write_text(re.sub(r"(?m)^( *)backend:", rf"\1state_path: {backend.state}\n\1backend:", text))
        command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(book)]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "changed=3" in play(volumes)
    assert "changed=0" in play(volumes)
    assert "changed=1" in play(volumes.replace("size: 20G", "size: 30G"))
    assert sorted(backend.rbd("info", image)["size"] for image in backend.images()) == [20 * GIB, 30 * GIB]
    (backend.state / "cinder.sqlite").unlink()
    assert "changed=1" in play(taken_back)
    (volume,) = backend.module("cinder_backend_info")["volumes"]
    assert volume["name"] == "db"
    backend.python(CONNECT, volume["id"])
    assert "changed=1" in play(released)
    assert backend.module("cinder_backend_info")["volumes"] == [volume]
