# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long in a cluster is shown, on the machine that the modules run on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .client import PYTHON, Client


@pytest.mark.further
def test_a_flatten_is_shown(ceph: Client, tmp_path: Path) -> None:
    """Of an image of many small objects."""
    small, space = "--object-size=4K", f"rbd/{ceph.namespace}"
    for words in (
        ("create", "--size=48M", small, f"{space}/base"),
        ("bench", "--io-type=write", "--io-size=4096", "--io-total=48M", "--io-threads=64", f"{space}/base"),
        ("snap", "create", f"{space}/base@s"),
        ("clone", small, "--rbd-default-clone-format=2", f"{space}/base@s", f"{space}/copy"),
    ):
        ceph.cluster.run("rbd", *words)
    wanted = {"conf": str(ceph.cluster.conf), "namespace": ceph.namespace, "name": "copy", "flatten": True}
    inventory = tmp_path / "inventory"
    inventory.write_text(f"here ansible_connection=local ansible_python_interpreter={PYTHON}\n")
    task = ["--module-name", "strata.storage.rbd_image", "--args", json.dumps(wanted)]
    done = subprocess.run(
        ["ansible", "--inventory", str(inventory), "here", *task],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert re.search(r"^here \| rbd_image \| step 1 of 1: flatten .*copy", done.stderr, re.M), done.stderr
    assert done.stdout.startswith("here | CHANGED => {")
