# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: permitted
short_description: The permission to destroy of one item as that of a document
version_added: 0.1.0
description:
  - Makes of what the option C(allow_destroy) of a module of one item takes what that of a document takes.
  - V(true) becomes the names of the items that it is about, and V(false) an empty list. A list stays as it is, and a
    text is taken apart at commas.
author:
  - the strata.storage authors (@strata-storage)
positional: _input, items
options:
  _input:
    description: V(true), V(false), or a list of devices.
    type: raw
    required: true
  items:
    description: Names of the items that V(true) is about.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: An array that may take what is on its disks, if somebody says so
  strata.storage.layout:
    raids:
      - {name: md0, level: '1', devices: [sdb, sdc]}
    allow_destroy: "{{ wipe | default(false) | strata.storage.permitted(['md0']) }}"
"""

RETURN = r"""
_value:
  description: Names of items, or of devices.
  type: list
  elements: str
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.permission import parse


def permitted(value: Any, items: Sequence[str]) -> list[str]:
    try:
        everything, names = parse(value)
    except StorageError as error:
        raise AnsibleFilterError(f"strata.storage.permitted: {error}") from error
    return list(items if everything else names)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"permitted": permitted}
