# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of modules for those who wrote variables of a role, and never saw the options of a module."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible.playbook.task import Task

_COLLECTION = "strata.storage."
#: Words of any sentence: where one stands in an error, it hardly ever is the option.
_OF_SENTENCES = {"name", "state", "array", "mode", "document", "wait", "packages"}


def in_words_of_role(task: Task, found: dict[str, Any]) -> dict[str, Any]:
    """A result whose error, if it has one, names the variables of the role that the user called."""
    role = task._role
    if role is None or not found.get("failed") or not isinstance(found.get("msg"), str):
        return found
    # A role of the collection may call another one: the outermost is the user's.
    while outer := [one for one in role.get_parents() if one.get_name().startswith(_COLLECTION)]:
        role = outer[0]
    name = role.get_name()
    if not name.startswith(_COLLECTION):
        return found
    own = name[len(_COLLECTION) :]
    specs = yaml.safe_load(Path(role.get_role_path(), "meta/argument_specs.yml").read_text())["argument_specs"]
    told = re.sub(r"Did you mean \S+\?", "", found["msg"])
    words = [variable[len(own) + 1 :] for variable in specs["main"]["options"]]
    meant = [f"{own}_{word}" for word in words if word not in _OF_SENTENCES and re.search(rf"\b{word}\b", told)]
    if not meant:
        return found
    end = "\n" if "\n" in found["msg"] else " "
    return {**found, "msg": f"{found['msg']}{end}(Variables of the role {own}: {', '.join(meant)})"}
