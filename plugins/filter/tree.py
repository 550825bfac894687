# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tree
short_description: Draw a host's storage
version_added: 0.1.0
description:
  - Draws what M(strata.storage.layout_info) returns as RV(strata.storage.layout_info#module:tree), from the disks up, a
    line for each device, with its type, its size, what it holds, where that is mounted, and what is wrong with it.
  - What lies on several devices is drawn in full below the first of them.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The tree.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Read
  strata.storage.layout_info:
  register: found

- name: Show
  ansible.builtin.debug:
    msg: "{{ (found.tree | strata.storage.tree).splitlines() }}"
"""

RETURN = r"""
_value:
  description: The lines, each with a line end.
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw


def tree(value: Any) -> str:
    if not isinstance(value, (list, tuple)) or not all(isinstance(branch, Mapping) for branch in value):
        raise AnsibleFilterError("strata.storage.tree takes the tree that strata.storage.layout_info returns")
    try:
        return draw(value)
    except KeyError as error:
        raise AnsibleFilterError(f"strata.storage.tree: a branch has no {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"tree": tree}
