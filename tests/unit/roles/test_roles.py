# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles take, say and refuse, without a host to do it on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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
def test_a_boolean_of_the_command_line_is_one_in_each_condition(role: str) -> None:
    """``-e x=false`` is a text that is not empty. A module that is handed such a text converts it itself."""
    booleans = "|".join(name for name, option in options(role).items() if option.get("type") == "bool")
    if not booleans:
        return
    for path in sorted((CHECKOUT / "roles" / role / "tasks").glob("*.yml")):
        text = re.sub(rf'"{{{{ ({booleans}) }}}}"', "", path.read_text())
        assert not re.findall(rf"\b({booleans})\b(?! \| (?:bool|default\(omit))", text), path.name


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


def documents(tmp_path: Path, *given: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What roles make of their variables."""
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": sys.executable,
                **load(role, "defaults/main.yml"),
                **load(role, "vars/main.yml"),
                f"{role}_name": "data",
                **words,
            },
            "tasks": [
                {
                    "ansible.builtin.copy": {
                        "content": f"{{{{ {role}_document[{role}_state] | to_json }}}}",
                        "dest": f"{tmp_path}/{number}",
                        "mode": "0600",
                    }
                }
            ],
        }
        for number, (role, words) in enumerate(given)
    ]
    book = tmp_path / "play.json"
    book.write_text(json.dumps(plays))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(book)],
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads((tmp_path / str(number)).read_text()) for number in range(len(given))]


def test_roles_have_the_words_and_states_of_the_modules(tmp_path: Path) -> None:
    disks = [{"name": "slow", "count": 3}, {"name": "fast", "count": 2}, {"name": "one"}]
    one = {"mount_point": "/srv", "mount_owner": "www-data", "mount_mode": "0750", "boot_required": False, "label": "x"}
    array = {"level": "5", "chunk_size": "64K", "bitmap": "internal", "allow_shrink": True}
    cached = {"cached_drive_disks": disks, "cached_drive_slow": ["slow"], "cached_drive_level": "5"}
    found = documents(
        tmp_path,
        ("raid_drive", {f"raid_drive_{word}": value for word, value in {**one, **array, "devices": ["a"]}.items()}),
        ("raid_drive", {"raid_drive_state": "offline"}),
        ("raid_drive", {"raid_drive_size": "50%", "raid_drive_volumes": [{"name": "a"}]}),
        # A name of disks stands for as many as it has.
        ("cached_drive", {**cached, "cached_drive_fast": ["fast"]}),
        ("cached_drive", {**cached, "cached_drive_fast": ["one"]}),
        ("cached_drive", {**cached, "cached_drive_fast": ["one", "/dev/sdz"]}),
    )
    assert found[0] == {
        "disks": [],
        "raids": [{"name": "data-array", "devices": ["a"], **array}],
        "drives": [{"name": "data", "devices": ["data-array"], "size": "100%", **one, "allow_shrink": True}],
    }
    assert found[1] == {"drives": [{"name": "data", "state": "offline"}]}
    # The module refuses the one beside the other.
    assert found[2]["drives"] == [
        {"name": "data", "devices": ["data-array"], "volumes": [{"name": "a"}], "size": "50%"}
    ]
    mirror = {"name": "data-fast", "level": "1", "devices": ["fast"]}
    slow = {"name": "data-array", "level": "5", "devices": ["slow"]}
    assert (found[3]["raids"], found[3]["bcaches"][0]["cache_device"]) == ([slow, mirror], "data-fast")
    assert (found[4]["raids"], found[4]["bcaches"][0]["cache_device"]) == ([slow], "one")
    assert found[5]["raids"][1]["devices"] == ["one", "/dev/sdz"]


@pytest.mark.parametrize(
    ("role", "given", "said"),
    [
        (
            "raid_drive",
            {"raid_drive_name": "data", "raid_drive_volumes": [{"name": "a", "sise": "1G"}]},
            "drives[0] data: volumes[0] a: sise is no option. Did you mean size?"
            " (Variables of the role raid_drive: raid_drive_volumes)",
        ),
        (
            "host_layout",
            {"host_layout_document": {"raids": [{"name": "md0", "levl": "1"}]}},
            "raids[0] md0: levl is no option. Did you mean level?",
        ),
        (
            "rbd_drive",
            {
                "rbd_drive_name": "data",
                "rbd_drive_volumes": [{"name": "a"}],
                "rbd_drive_volume_size": "1G",
                "rbd_drive_mount_point": "/srv",
                "rbd_drive_label": "",
            },
            "drive data: rbd_drive_volume_size, rbd_drive_mount_point beside rbd_drive_volumes; say it of one of those",
        ),
    ],
)
def test_an_error_names_the_variables_of_the_role(role: str, given: dict[str, Any], said: str, tmp_path: Path) -> None:
    book = tmp_path / "play.json"
    words = {"role": f"strata.storage.{role}", f"{role}_packages": False, **given}
    play = {"hosts": "localhost", "gather_facts": False, "roles": [words]}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    book.write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", "--check", str(book)],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f'"msg": "{said}"' in done.stdout, done.stdout
