# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example is one that Ansible, and the module or role that it is for, would take."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests import examples
from tests.examples import Block
from tests.tools.checkout import ROOT as CHECKOUT

KEPT = ("type", "choices", "required", "elements", "aliases")
YAML = [block for page in examples.pages() for block in examples.blocks(page) if block.language == "yaml"]
YAML += examples.of_plugins()
CONSOLE = [block for page in examples.pages() for block in examples.blocks(page) if block.language == "console"]
ENVIRONMENT = {**os.environ, "ANSIBLE_NOCOLOR": "1"}


@functools.cache
def specs() -> dict[str, Any]:
    """The argument specs of our modules, as their documentation has them."""
    names = [f"strata.storage.{path.stem}" for path in sorted((CHECKOUT / "plugins/modules").glob("*.py"))]
    told = subprocess.run(
        ["ansible-doc", "--json", "--type", "module", *names], env=ENVIRONMENT, capture_output=True, check=True
    ).stdout
    return {name: as_spec(found["doc"].get("options") or {}) for name, found in json.loads(told).items()}


def as_spec(options: dict[str, Any]) -> dict[str, Any]:
    spec = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in KEPT if key in option}
        if nested := option.get("suboptions") or option.get("options"):
            spec[name]["options"] = as_spec(nested)
    return spec


def role_spec(role: str) -> dict[str, Any]:
    said = yaml.safe_load((CHECKOUT / "roles" / role / "meta/argument_specs.yml").read_text())
    return as_spec(said["argument_specs"]["main"]["options"])


def fault(spec: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """What is wrong with arguments; a template may become anything."""
    known = {name: value for name, value in given.items() if not (isinstance(value, str) and "{{" in value)}
    templated = given.keys() - known.keys()
    spec = {name: {**option, **({"required": False} if name in templated else {})} for name, option in spec.items()}
    found = list(ArgumentSpecValidator(spec).validate(known).error_messages)
    return found + [f"no such option: {name}" for name in sorted(templated - spec.keys())]


def defaults_of(play: dict[str, Any], module: str) -> dict[str, Any]:
    """What a play sets for a module, by its name or by its action group."""
    groups = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]
    mine = [f"group/strata.storage.{name}" for name, members in groups.items() if module.rpartition(".")[2] in members]
    found: dict[str, Any] = {}
    for name in (*mine, module):
        found.update(play.get("module_defaults", {}).get(name, {}))
    return found


def tasks_of(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks, also those in blocks."""
    return [task for item in items for task in (tasks_of(item["block"]) if "block" in item else [item])]


@pytest.mark.parametrize("block", YAML, ids=[block.where for block in YAML])
def test_arguments_are_accepted(block: Block) -> None:
    yaml.safe_load(block.text)
    for play in examples.plays(block):
        for task in tasks_of(play.get("tasks", [])):
            for name in task.keys() & specs().keys():
                assert fault(specs()[name], {**defaults_of(play, name), **(task[name] or {})}) == [], task["name"]
            assert not any(name.startswith("strata.storage.") for name in task.keys() - specs().keys())
        for role in play.get("roles", []):
            given = {name: value for name, value in role.items() if name != "role"}
            assert fault(role_spec(role["role"].rpartition(".")[2]), given) == []


def test_ansible_takes_their_syntax(tmp_path: Path) -> None:
    books = []
    for number, block in enumerate(YAML):
        plays = examples.plays(block)
        if not plays:
            continue
        books.append(tmp_path / f"{number}.yml")
        books[-1].write_text(yaml.safe_dump(plays))
    inventory = "fileservers,web1,lab,"
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", "--inventory", inventory, *map(str, books)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("playbook: ") == len(books) > 40


@pytest.mark.parametrize("block", CONSOLE, ids=[block.where for block in CONSOLE])
def test_commands_are_accepted(block: Block) -> None:
    assert block.commands
    for command in block.commands:
        found = re.match(r"ansible \S+ -i inventory -b -m (\S+)(?: -a '(.*?)')?( --check| --diff)*$", command)
        assert found or re.match(r"(ansible-playbook|ansible-galaxy|ansible-builder|make) ", command), command
        if found and found.group(1) in specs():
            given = dict(word.partition("=")[::2] for word in (found.group(2) or "").split())
            assert fault(specs()[found.group(1)], given) == []


def test_links_lead_somewhere() -> None:
    broken = []
    for page in examples.pages():
        text = re.sub(r"(?ms)^```.*?^```$", "", (CHECKOUT / page).read_text())
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path = link.partition("#")[0]
            if path and "://" not in path and not (CHECKOUT / page).parent.joinpath(path).exists():
                broken.append(f"{page}: {link}")
    assert broken == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "md0", "levle": "5"}, "levle"),
        ({"name": "md0", "level": "7"}, "level"),
        ({"level": "5"}, "name"),
        ({"name": "md0", "wat": "{{ x }}"}, "wat"),
    ],
)
def test_a_wrong_example_is_found(given: dict[str, Any], said: str) -> None:
    assert said in " ".join(fault(specs()["strata.storage.raid"], given))
