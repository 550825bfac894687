# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the modules and filters for MAAS, as a play on a region that has the machines that they name."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .region import GB, KEY, Maas, add_machine

PLUGINS = "ansible_collections.strata.storage.plugins"
TB = 1000 * GB


@pytest.fixture
def region(maas: Maas) -> Maas:
    large = maas.region.add_machine("node7")
    for name in ("sda", "sdh"):
        large.add_disk(name, 64 * GB, model="SuperDOM", serial=f"DOM-{name}", tags=["ssd"])
    for letter in "bcdefg":
        large.add_disk(f"sd{letter}", 4 * TB, serial=f"HDD-{letter}", tags=["rotary"])
    large.add_disk("nvme0n1", 400 * GB, serial="NVME", tags=["ssd"])
    add_machine(maas.region, "node8")
    volumes = [{"name": name, "size": "10GB", "filesystem": "ext4"} for name in ("old", "logs")]
    maas.storage(machine="node8", drives=[{"name": "data", "devices": ["sdb"], "volumes": volumes}])
    add_machine(maas.region, "node9")
    add_machine(maas.region, "esx1").device("sda").size = 64 * GB
    maas.region.pools.append("fileservers")
    add_machine(maas.region, "files1", pool="fileservers")
    add_machine(maas.region, "files2", pool="fileservers")
    return maas


@pytest.mark.parametrize(
    ("plugin", "changes"),
    [
        ("modules.maas_storage", 6),
        ("modules.maas_storage_info", 0),
        ("modules.maas_layout_script", 2),
        ("filter.maas_custom_layout", 1),
    ],
)
def test_examples_run(region: Maas, tmp_path: Path, plugin: str, changes: int) -> None:
    (tmp_path / "key").write_text(KEY)
    text: str = importlib.import_module(f"{PLUGINS}.{plugin}").EXAMPLES
    text = text.replace("https://maas.example.com:5443/MAAS", region.server.url)
    play: dict[str, Any] = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"maas_api_key": KEY},
        "tasks": yaml.safe_load(text.replace("~/.maas-key", str(tmp_path / "key"))),
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": local}}}))
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventory.yml", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"changed={changes} " in done.stdout
