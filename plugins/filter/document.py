# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: document
short_description: A document from the text of a survey, or from a variable
version_added: 0.1.0
description:
  - Returns the document that a text holds as YAML. Where the text is empty, returns the document of the variable.
  - Fails with a sentence where there is neither, where the text is no YAML, or where it does not hold sections by name.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The text, which may be empty.
    type: str
    required: true
  otherwise:
    description: The document where the text is empty.
    type: raw
"""

EXAMPLES = r"""
- name: The document that somebody typed, else that of the host
  ansible.builtin.debug:
    msg: "{{ storage_layout_yaml | default('') | strata.storage.document(storage_layout | default(none)) }}"
"""

RETURN = r"""
_value:
  description: The document, by section.
  type: dict
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError


def document(value: Any, otherwise: Any = None) -> dict[str, Any]:
    given = value
    if isinstance(value, str):
        try:
            given = yaml.load(value, _Strict)
            json.dumps(given, default=str, skipkeys=True)
        except yaml.YAMLError as error:
            raise AnsibleFilterError(
                f"storage_layout_yaml is not YAML{_place(error)}; expected sections by name"
            ) from None
        except ValueError:
            raise AnsibleFilterError("storage_layout_yaml has an alias (*) of something that it is itself in") from None
    if given is None:
        given = otherwise
    if given is None:
        raise AnsibleFilterError(
            "there is no document: storage_layout_yaml is empty, and the host has no variable storage_layout; set "
            "one of them"
        )
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(
            f"the document is {_kind(given)}; expected sections by name, such as raids, drives and filesystems"
        )
    for name in given:
        if not isinstance(name, str):
            raise AnsibleFilterError(f"the document has a section called {name}; expected names, such as raids")
    return dict(given)


class _Strict(yaml.SafeLoader):
    """Of a key that is there twice, YAML's loaders take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _kind(given: Any) -> str:
    return "a text" if isinstance(given, str) else "a list" if isinstance(given, list) else f"{given}"


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')})" if mark else ""


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"document": document}
