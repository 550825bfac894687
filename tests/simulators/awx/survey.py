# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which AWX takes or refuses a survey: those of its JobTemplateSurveySpec."""

from __future__ import annotations

from typing import Any

ANSWERS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
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
