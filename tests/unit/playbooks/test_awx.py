# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there for AWX: its own rules for surveys, and what our playbooks and roles take."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

from ansible_collections.strata.storage.plugins.plugin_utils.approval import LIFETIME
from tests.simulators.awx.survey import fault
from tests.tools.checkout import ROOT as CHECKOUT

LOADER = DataLoader()


def load(path: str) -> Any:
    return LOADER.load_from_file(str(CHECKOUT / path))


TEMPLATES: dict[str, dict[str, Any]] = {
    template["name"]: template for template in load("playbooks/awx/job_templates.yml")["awx_job_templates"]
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    workflow["name"]: workflow
    for workflow in load("playbooks/awx/workflow_job_templates.yml")["awx_workflow_job_templates"]
}
SURVEYS = {name: one for name, one in (TEMPLATES | WORKFLOWS).items() if "survey_spec" in one}
IN_WORKFLOWS = {
    node["unified_job_template"]["name"]
    for workflow in WORKFLOWS.values()
    for node in workflow["workflow_nodes"]
    if node["unified_job_template"]["type"] == "job_template"
}


@pytest.mark.parametrize(
    ("survey", "said"),
    [
        ({"description": "", "spec": []}, "name and description"),
        ({"name": "", "description": "", "spec": []}, "no questions"),
        ({"variable": 1}, "have to be texts"),
        ({"required": "yes"}, "required"),
        ({"type": "bool"}, "no such type"),
        ({"type": "integer", "default": "1"}, "another type"),
        ({"default": "$encrypted$"}, "reserved"),
        ({"min": "1"}, "integers"),
        ({"type": "multiplechoice"}, "no choices"),
        ({"type": "multiplechoice", "choices": [True, False]}, "is a text"),
        ({"type": "multiplechoice", "choices": ["a"], "default": "b"}, "none of the choices"),
        ({"type": "multiplechoice", "choices": ["a", "b"], "default": "a\nb"}, "none of the choices"),
    ],
)
def test_the_rules_find_faults(survey: dict[str, Any], said: str) -> None:
    right = {"question_name": "Q", "variable": "v", "type": "text", "required": True}
    if "spec" not in survey:
        survey = {"name": "", "description": "", "spec": [{**right, **survey}]}
    assert said in (fault(survey) or "")
    twice = {"name": "", "description": "", "spec": [right, right]}
    assert "twice" in (fault(twice) or "")


def questions(name: str) -> dict[str, dict[str, Any]]:
    return {question["variable"]: question for question in SURVEYS[name]["survey_spec"]["spec"]}


def planned_by(workflow: str) -> str:
    """The playbook that a workflow begins with."""
    return str(TEMPLATES[WORKFLOWS[workflow]["workflow_nodes"][0]["unified_job_template"]["name"]]["playbook"])


@pytest.mark.parametrize("name", SURVEYS)
def test_awx_takes_the_survey(name: str) -> None:
    assert fault(SURVEYS[name]["survey_spec"]) is None
    assert SURVEYS[name]["survey_enabled"]


@pytest.mark.parametrize("name", SURVEYS)
def test_each_survey_asks_for_the_hosts_first_and_requires_no_answer_that_has_a_default(name: str) -> None:
    """The API and schedules fill in no defaults, so that a required answer would be missed."""
    asked = questions(name)
    assert next(iter(asked)) == "storage_hosts"
    assert asked["storage_hosts"]["required"]
    assert not any(question["required"] for question in asked.values() if question.get("default"))


@pytest.mark.parametrize("name", TEMPLATES | WORKFLOWS)
def test_nothing_takes_variables_at_launch(name: str) -> None:
    """They would count before what was approved. Nor is there another way to choose what a job does."""
    one = TEMPLATES.get(name) or WORKFLOWS[name]
    asks = {key for key, value in one.items() if key.startswith("ask_") and value}
    assert asks <= {"ask_limit_on_launch", "ask_diff_mode_on_launch"}
    known = set(questions(name)) if name in SURVEYS else set()
    assert not any("approv" in variable or "inventory" in variable for variable in known)


@pytest.mark.parametrize("name", sorted(IN_WORKFLOWS))
def test_a_job_of_a_workflow_has_no_survey(name: str) -> None:
    """It gets the answers of the workflow; started alone, it gets none."""
    assert not TEMPLATES[name].get("survey_enabled")
    assert TEMPLATES[name]["allow_simultaneous"]


@pytest.mark.parametrize("name", SURVEYS)
def test_each_answer_is_taken_by_the_playbook(name: str) -> None:
    """By its head, or by its role, which also takes an answer for its shape, and an empty one."""
    layout = (CHECKOUT / "playbooks/layout.yml").read_text()
    playbook = SURVEYS[name].get("playbook") or planned_by(name).replace("_plan", "")
    said = set(re.findall(r"^#   ([a-z_]+)  ", (CHECKOUT / playbook).read_text() + layout, re.M))
    role = Path(playbook).stem
    options: dict[str, Any] = {}
    if (CHECKOUT / "roles" / role).is_dir():
        options = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    for variable, question in questions(name).items():
        if not options or not variable.startswith(f"{role}_") or role.endswith("_layout"):
            assert variable in said
            continue
        option = {key: value for key, value in options[variable].items() if key != "description"}
        answers = question.get("choices") or [question.get("default", "")]
        if not question["required"] and "default" not in question:
            answers.append("")
        for answer in answers:
            assert ArgumentSpecValidator({variable: option}).validate({variable: answer}).error_messages == [], variable


def test_each_playbook_for_a_layout_has_a_template() -> None:
    books = {f"playbooks/{path.name}" for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert {template["playbook"] for template in TEMPLATES.values()} == books - {
        # Run once, by whoever moves from BSUd, or takes hosts over into files.
        "playbooks/adopt.yml",
        "playbooks/bsud_migrate.yml",
        "playbooks/demo.yml",
        "playbooks/demo_elastic.yml",
        # What it writes would go with the container of its job.
        "playbooks/report.yml",
    }


def test_what_destroys_is_off_until_it_is_asked_for() -> None:
    for name in SURVEYS:
        asked = questions(name)
        defaults = {variable: question.get("default", "") for variable, question in asked.items()}
        assert all(value in ("", "false") for variable, value in defaults.items() if variable.endswith("allow_destroy"))
        if name in TEMPLATES and not name.endswith("drift"):
            assert defaults["storage_plan_only"] == "true"
            # Where the answer is left out, too.
            assert TEMPLATES[name]["extra_vars"]["storage_plan_only"] is True


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_goes_from_plan_to_approval_to_apply_and_asks_nobody_for_nothing(name: str) -> None:
    nodes = {node["identifier"]: node for node in WORKFLOWS[name]["workflow_nodes"]}
    goes = {
        identifier: tuple(
            [after["identifier"] for after in node["related"][kind]]
            for kind in ("success_nodes", "failure_nodes", "always_nodes")
        )
        for identifier, node in nodes.items()
    }
    assert goes == {
        "plan": (["changes"], [], []),
        "changes": (["approval"], ["no_changes"], []),
        "approval": (["apply"], [], []),
        "apply": ([], [], []),
        "no_changes": ([], [], []),
    }
    starts = {
        identifier: TEMPLATES[node["unified_job_template"]["name"]]
        for identifier, node in nodes.items()
        if identifier != "approval"
    }
    words = name.removeprefix("Storage - ").removesuffix(" with approval")
    kind = words.lower().replace(" ", "_")
    assert starts["plan"]["playbook"] == f"playbooks/{kind}_plan.yml"
    assert starts["apply"]["playbook"] == f"playbooks/{kind}_apply.yml"
    assert [starts[one]["extra_vars"]["storage_branch"] for one in ("changes", "no_changes")] == [
        "changes",
        "no changes",
    ]
    assert nodes["approval"]["unified_job_template"]["type"] == "workflow_approval"
    # The approval waits for a shorter time than what was approved is valid.
    assert nodes["approval"]["unified_job_template"]["timeout"] < LIFETIME
    assert WORKFLOWS[name]["allow_simultaneous"]


@pytest.mark.parametrize(
    ("book", "module"), [("layout", "strata.storage.layout"), ("maas_layout", "strata.storage.maas_storage")]
)
def test_a_playbook_says_what_it_has_to_do_with_an_approval(book: str, module: str) -> None:
    """By a default of the module, which no extra variable overrides."""
    for part, approval in (("plan", "request"), ("apply", "require")):
        (play,) = load(f"playbooks/{book}_{part}.yml")
        assert play["module_defaults"][module]["approval"] == approval
    (plan,) = load(f"playbooks/{book}_plan.yml")
    assert [task["check_mode"] for task in plan["tasks"]] == [True]


def test_the_readme_sets_what_can_be_set() -> None:
    text = (CHECKOUT / "playbooks/awx/README.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    settings = load("playbooks/awx/settings.yml")
    named = yaml.safe_load(example).keys() | set(re.findall(r"`(storage_awx_\w+)", text))
    assert named <= settings.keys()
    assert {name for name in settings if name.endswith("_hosts")} <= named


def test_injectors_name_fields_of_their_type() -> None:
    for kind in load("playbooks/awx/credential_types.yml")["awx_credential_types"]:
        fields = {field["id"] for field in kind["inputs"]["fields"]}
        assert set(kind["inputs"]["required"]) <= fields
        files = kind["injectors"].get("file", {})
        known = fields | {f"tower.filename.{name.removeprefix('template.')}" for name in files}
        injected = [text for group in kind["injectors"].values() for text in group.values()]
        taken = [re.fullmatch(r"\{\{ (\S+)( \| default\('\w+', true\))? \}\}", text) for text in injected]
        assert {match.group(1) for match in taken if match} <= known
        assert all(taken)
        # A default in a type is only what a form suggests: what is not required has one where it is injected, too.
        optional = fields - set(kind["inputs"]["required"])
        assert {match.group(1) for match in taken if match and match.group(2)} == optional
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        assert secret
        # A secret is in a file, and nowhere where it would be printed.
        for group in ("env", "extra_vars"):
            texts = " ".join(kind["injectors"].get(group, {}).values())
            assert not any(f"{{{{ {name} }}}}" in texts for name in secret)


def test_the_collection_asks_an_execution_environment_for_nothing_unless_ceph_is_wanted() -> None:
    """As ansible-builder finds it in the collection, and bindep reads it in the image."""
    told = subprocess.run(
        ["ansible-builder", "introspect", str(CHECKOUT / ".venv/collections")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # That of AWX is there for the tests, and needs Python packages.
    listed = re.findall(r"^- '(.*?) +# from collection strata.storage'", told, re.M)
    assert listed == ["python3-rbd [ceph platform:dpkg]", "python3-rbd [ceph platform:rpm]"]
    for profile, packages in (([], []), (["ceph"], ["python3-rbd"])):
        bindep = ["bindep", "--file", str(CHECKOUT / "bindep.txt"), "--list_all", "newline", *profile]
        assert subprocess.run(bindep, capture_output=True, text=True, check=True).stdout.split() == packages


def test_an_execution_environment_can_be_made(tmp_path: Path) -> None:
    definition = CHECKOUT / "playbooks/awx/execution-environment.yml"
    command = ["ansible-builder", "create", "--file", str(definition), "--context", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True)
    (containerfile,) = tmp_path.glob("*file")
    assert containerfile.read_text().count("ansible-core>=2.18,<2.22") == 1
    assert "python3-rbd" not in (tmp_path / "_build/bindep.txt").read_text()


def test_a_sync_of_the_project_installs_the_checkout_as_the_collection(tmp_path: Path) -> None:
    """As AWX does it: in the directory of the project."""
    command = ["ansible-galaxy", "collection", "install", "-r", "collections/requirements.yml", "-p", str(tmp_path)]
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    alone["ANSIBLE_COLLECTIONS_PATH"] = str(tmp_path)
    subprocess.run(command, cwd=CHECKOUT, env=alone, capture_output=True, check=True)
    installed = tmp_path / "ansible_collections/strata/storage"
    for part in (
        "plugins/action/layout.py",
        "plugins/inventory/maas.py",
        "roles/host_layout",
        "playbooks/layout_apply.yml",
    ):
        assert (installed / part).exists()
    assert not (installed / ".venv").exists()
    # Where it is the only one, its modules are found with what they import.
    found = subprocess.run(
        ["ansible-doc", "--list", "strata.storage"],
        env=alone,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "strata.storage.layout " in found
