# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles take, say and refuse, without a host to do it on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import examples
from tests.tools.checkout import ROOT as CHECKOUT

ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir())


def load(role: str, path: str) -> Any:
    return yaml.safe_load((CHECKOUT / "roles" / role / path).read_text())


def options(role: str) -> dict[str, Any]:
    """Of all its entry points."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"].values()
    return {name: option for spec in specs for name, option in spec["options"].items()}


@pytest.mark.parametrize("role", ROLES)
def test_all_variables_are_the_roles_own_and_said(role: str) -> None:
    said = options(role)
    assert all(name.startswith(f"{role}_") for name in said)
    defaults = load(role, "defaults/main.yml")
    assert defaults.keys() <= said.keys()
    # A default that is made of other variables cannot be said there: Ansible would want these before it checks them.
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert {name: option["default"] for name, option in said.items() if "default" in option} == plain
    readme = (CHECKOUT / "roles" / role / "README.md").read_text()
    table = " ".join(line for line in readme.splitlines() if line.startswith("|"))
    assert {name for name in said if f"`{name}`" not in table} == set()


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_shows_the_role(role: str) -> None:
    shown = [play for block in examples.blocks(f"roles/{role}/README.md") for play in examples.plays(block)]
    assert f"strata.storage.{role}" in [used["role"] for play in shown for used in play.get("roles", ())]


@pytest.mark.parametrize(
    ("role", "given", "said"),
    [
        ("host_packages", {"host_packages_for": ["tape"]}, "tape"),
        ("host_layout", {}, "host_layout_document"),
        ("host_layout", {"host_layout_document": {"arrays": []}}, "arrays"),
        ("host_layout", {"host_layout_document": {}, "host_layout_mode": "all"}, "merge, exact"),
        ("raid_drive", {}, "raid_drive_name"),
        ("raid_drive", {"raid_drive_name": "x", "raid_drive_level": "7"}, "raid_drive_level"),
        ("cached_drive", {"cached_drive_name": "x", "cached_drive_cache_mode": "fast"}, "writethrough"),
        ("elastic_drive", {"elastic_drive_name": "x"}, "elastic_drive_provider"),
        ("rbd_drive", {"rbd_drive_name": "x", "rbd_drive_removal": "burnt"}, "trashed, absent, kept"),
        ("cinder_host", {"cinder_host_state": "there"}, "present, absent"),
        ("report", {}, "report_directory"),
        ("report", {"report_directory": "x", "report_files": ["pdf"]}, "html, json, markdown, csv, metrics"),
        ("maas_layout", {"maas_layout_document": {"raids": "md0"}}, "raids"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(role: str, given: dict[str, Any], said: str, tmp_path: Path) -> None:
    book = tmp_path / "play.json"
    play = {"hosts": "all", "gather_facts": False, "roles": [{"role": f"strata.storage.{role}", **given}]}
    book.write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "none,", "--connection", "local", str(book)],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "Validation of arguments failed" in told, told
    assert said in told
    # Nothing comes after that.
    assert "changed=0" in told
