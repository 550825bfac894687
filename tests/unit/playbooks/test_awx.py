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
    template["playbook"]: template for template in load("playbooks/awx/job_templates.yml")["awx_job_templates"]
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


@pytest.mark.parametrize("playbook", TEMPLATES)
def test_awx_takes_the_survey(playbook: str) -> None:
    assert (CHECKOUT / playbook).is_file()
    assert fault(TEMPLATES[playbook]["survey_spec"]) is None


@pytest.mark.parametrize("playbook", TEMPLATES)
def test_each_answer_is_taken_by_the_playbook(playbook: str) -> None:
    """By its head, or by its role, which also takes an answer for its shape, and an empty one."""
    head = (CHECKOUT / playbook).read_text() + (CHECKOUT / "playbooks/layout.yml").read_text()
    said = set(re.findall(r"^#   ([a-z_]+)  ", head, re.M))
    role = Path(playbook).stem
    options: dict[str, Any] = {}
    if (CHECKOUT / "roles" / role).is_dir():
        options = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    for question in TEMPLATES[playbook]["survey_spec"]["spec"]:
        name = question["variable"]
        if not name.startswith(f"{role}_") or role.endswith("_layout"):
            assert name in said
            continue
        option = {key: value for key, value in options[name].items() if key != "description"}
        answers = question.get("choices") or [question.get("default", "")]
        if not question["required"] and "" not in answers:
            answers.append("")
        for answer in answers:
            assert ArgumentSpecValidator({name: option}).validate({name: answer}).error_messages == [], name


def test_each_playbook_for_a_layout_has_a_template() -> None:
    books = {f"playbooks/{path.name}" for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert TEMPLATES.keys() == books - {"playbooks/demo.yml"}


def test_what_destroys_is_off_until_it_is_asked_for() -> None:
    for playbook, template in TEMPLATES.items():
        defaults = {question["variable"]: question.get("default", "") for question in template["survey_spec"]["spec"]}
        assert all(value in ("", "false") for name, value in defaults.items() if name.endswith("allow_destroy"))
        if playbook not in ("playbooks/layout.yml", "playbooks/layout_plan.yml"):
            assert defaults["storage_plan_only"] == "true"


def test_the_workflow_goes_from_plan_to_approval_to_apply() -> None:
    (workflow,) = load("playbooks/awx/workflow_job_templates.yml")["awx_workflow_job_templates"]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    names = {template["name"] for template in TEMPLATES.values()}
    order, current = [], "plan"
    while True:
        node = nodes[current]
        order.append(node["unified_job_template"]["type"])
        if order[-1] == "job_template":
            assert node["unified_job_template"]["name"] in names
        assert not node["related"]["failure_nodes"] + node["related"]["always_nodes"]
        following = [after["identifier"] for after in node["related"]["success_nodes"]]
        if not following:
            break
        (current,) = following
    assert order == ["job_template", "workflow_approval", "job_template"]


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
