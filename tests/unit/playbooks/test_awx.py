# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there for AWX: its own rules for surveys, and what our playbooks and roles take."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

from ansible_collections.strata.storage.plugins.plugin_utils.approval import LIFETIME
from tests.tools.checkout import ROOT as CHECKOUT

LOADER = DataLoader()
ANSWERS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


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


def fault(survey: Any) -> str | None:
    """Why AWX would refuse a survey; the rules are those of its JobTemplateSurveySpec."""
    if not (isinstance(survey.get("name"), str) and isinstance(survey.get("description"), str)):
        return "name and description have to be texts"
    if not (isinstance(survey.get("spec"), list) and survey["spec"]):
        return "no questions"
    variables = [question.get("variable") for question in survey["spec"]]
    if len(variables) != len(set(variables)):
        return "a variable is asked for twice"
    return next((found for question in survey["spec"] if (found := _question_fault(question))), None)


def _question_fault(question: dict[str, Any]) -> str | None:
    if not all(isinstance(question.get(name), str) for name in ("type", "question_name", "variable")):
        return "type, question_name and variable have to be texts"
    if not isinstance(question.get("required"), bool):
        return "required has to be true or false"
    kind = question["type"]
    if kind not in ANSWERS:
        return f"no such type: {kind}"
    default = question.get("default", "")
    if default != "" and not isinstance(default, ANSWERS[kind]):
        return "the default is of another type"
    if str(default).startswith("$encrypted$"):
        return "$encrypted$ is reserved"
    if not all(question.get(limit) is None or isinstance(question[limit], int) for limit in ("min", "max")):
        return "min and max have to be integers"
    if kind in ("multiplechoice", "multiselect"):
        choices = question.get("choices")
        if not choices:
            return "no choices"
        if not all(isinstance(choice, str) for choice in choices):
            return "an answer is a text"
        chosen = default.splitlines()
        if not set(chosen) <= set(choices) or (kind == "multiplechoice" and len(chosen) > 1):
            return "the default is none of the choices"
    return None


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


@pytest.mark.parametrize("name", IN_WORKFLOWS)
def test_a_job_of_a_workflow_has_no_survey(name: str) -> None:
    """It gets the answers of the workflow; started alone, it gets none."""
    assert not TEMPLATES[name].get("survey_enabled")
    assert TEMPLATES[name]["allow_simultaneous"]


@pytest.mark.parametrize("name", SURVEYS)
def test_each_answer_is_taken_by_the_playbook(name: str) -> None:
    """By its head, or by its role, which also takes an answer for its shape, and an empty one."""
    layout = (CHECKOUT / "playbooks/layout.yml").read_text()
    playbook = SURVEYS[name].get("playbook", "playbooks/layout.yml")
    said = set(re.findall(r"^#   ([a-z_]+)  ", (CHECKOUT / playbook).read_text() + layout, re.M))
    role = Path(playbook).stem
    options: dict[str, Any] = {}
    if (CHECKOUT / "roles" / role).is_dir():
        options = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    for variable, question in questions(name).items():
        if not variable.startswith(f"{role}_") or role.endswith("_layout"):
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
    assert {template["playbook"] for template in TEMPLATES.values()} == books - {"playbooks/demo.yml"}


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
    kind = "maas_layout" if "MAAS" in name else "layout"
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


def test_injectors_name_fields_of_their_type() -> None:
    for kind in load("playbooks/awx/credential_types.yml")["awx_credential_types"]:
        fields = {field["id"] for field in kind["inputs"]["fields"]}
        assert set(kind["inputs"]["required"]) <= fields
        files = kind["injectors"].get("file", {})
        known = fields | {f"tower.filename.{name.removeprefix('template.')}" for name in files}
        injected = [text for group in kind["injectors"].values() for text in group.values()]
        assert {re.fullmatch(r"\{\{ (\S+) \}\}", text).group(1) for text in injected} <= known  # type: ignore[union-attr]
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        assert secret
        # A secret is in a file, and nowhere where it would be printed.
        for group in ("env", "extra_vars"):
            texts = " ".join(kind["injectors"].get(group, {}).values())
            assert not any(f"{{{{ {name} }}}}" in texts for name in secret)


def test_what_an_execution_environment_needs() -> None:
    """As ansible-builder finds it in the collection."""
    told = subprocess.run(
        ["ansible-builder", "introspect", str(CHECKOUT / ".venv/collections")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "python: []" in told
    listed = re.findall(r"^- '(.*?) +# from collection strata.storage'", told, re.M)
    assert listed == ["python3-rbd [platform:dpkg]", "python3-rbd [platform:rpm]"]
