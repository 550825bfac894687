# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: variables_file
short_description: Write variables as a file that Ansible reads
version_added: 0.1.0
description:
  - Returns the text of a YAML file with these variables, for C(host_vars) or C(group_vars).
  - Texts that Ansible would take for templates are marked C(!unsafe). What was read from a host, such as the label of a
    filesystem, comes back as the same text and never runs.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The variables.
    type: dict
    required: true
  comment:
    description: Lines that the file starts with, as a comment.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Keep the storage of a host with its variables
  ansible.builtin.copy:
    content: "{{ {'storage_layout': found.layout} | strata.storage.variables_file(comment=['As it was found']) }}"
    dest: "host_vars/{{ inventory_hostname }}/storage.yml"
    mode: '0644'
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.text import printable

#: What a template starts with.
_TEMPLATE = ("{{", "{%", "{#")
_LINE_ENDS = frozenset("\x85\u2028\u2029\r")


class _Writer(yaml.SafeDumper):
    """Writes each value out where it stands, and marks what is no template."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        # Lists are indented, as linters want them.
        super().increase_indent(flow, False)


def _text(writer: _Writer, text: str) -> yaml.Node:
    tag = "!unsafe" if any(start in text for start in _TEMPLATE) else "tag:yaml.org,2002:str"
    # YAML reads these as other ends of lines than they are, unless they are escaped.
    return writer.represent_scalar(tag, str(text), style='"' if _LINE_ENDS.intersection(text) else None)


def _list(writer: _Writer, values: Sequence[Any]) -> yaml.Node:
    return writer.represent_list(list(values))


def _mapping(writer: _Writer, values: Mapping[str, Any]) -> yaml.Node:
    # Not sorted: a name comes first, and a state last.
    return writer.represent_mapping("tag:yaml.org,2002:map", list(values.items()))


# Ansible's values are of types of its own, which are derived from these.
_Writer.add_multi_representer(str, _text)
_Writer.add_multi_representer(list, _list)
_Writer.add_multi_representer(dict, _mapping)
_Writer.add_representer(str, _text)
_Writer.add_representer(list, _list)
_Writer.add_representer(dict, _mapping)


def variables_file(value: Any, comment: Sequence[str] = ()) -> str:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError("strata.storage.variables_file takes variables by name")
    try:
        written = yaml.dump(dict(value), Dumper=_Writer, allow_unicode=True, width=120, explicit_start=True)
    except yaml.YAMLError as error:
        raise AnsibleFilterError(f"strata.storage.variables_file: {error}") from error
    lines = [printable(line) for text in comment for line in str(text).splitlines()]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + written


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"variables_file": variables_file}
