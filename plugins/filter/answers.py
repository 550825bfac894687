# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: answers
short_description: The answers of a survey as an item of a document
version_added: 0.1.0
description:
  - Leaves out what was not answered, which a survey gives as an empty text, and a role as V(none). In a document, what
    is not there has its default, or stays as it is; an empty value would mean something else.
  - Makes lists of texts, as surveys and C(--extra-vars) give them.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The answers by the names of the item's options.
    type: dict
    required: true
  lists:
    description:
      - Which of them are lists. A text is taken apart at commas, spaces and ends of lines; a list stays as it is, also
        an empty one.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: An array of what somebody typed
  strata.storage.layout:
    raids: "{{ [asked | strata.storage.answers(lists=['devices', 'spare_devices'])] }}"
  vars:
    asked:
      name: md0
      level: "1"
      devices: /dev/disk/by-id/ata-ST4000VN008_WDH00001, /dev/disk/by-id/ata-ST4000VN008_WDH00002
      spare_devices: ""
"""

RETURN = r"""
_value:
  description: The item.
  type: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def answers(value: Any, lists: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError("strata.storage.answers takes a dictionary")
    if isinstance(lists, str) or not all(name in value for name in lists):
        raise AnsibleFilterError(f"strata.storage.answers: lists names some of {', '.join(map(str, value))}")
    listed = {name: value[name].replace(",", " ").split() for name in lists if isinstance(value[name], str)}
    unsaid = {name for name, answer in value.items() if answer is None or answer == "" or listed.get(name) == []}
    return {name: listed.get(name, answer) for name, answer in value.items() if name not in unsaid}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"answers": answers}
