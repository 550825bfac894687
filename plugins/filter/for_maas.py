# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: for_maas
short_description: A gathered document in the words that MAAS takes
version_added: 0.1.0
description:
  - Takes a document that M(strata.storage.layout_info) gathered on a host, and leaves out the words that
    M(strata.storage.maas_storage) does not have, such as C(chunk_size) and C(metadata), so that the next deployment of
    the machine gets the same storage.
  - Fails where an item would not be the same without them, for instance a RAID 4.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The document.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What the running host has
  strata.storage.layout_info:
  register: found
  become: true

- name: Its next deployment gets the same
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machine: "{{ inventory_hostname }}"
    raids: "{{ document.raids }}"
    drives: "{{ document.drives }}"
  vars:
    document: "{{ found.layout | strata.storage.for_maas }}"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The document.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.maas.taken import taken


def for_maas(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError("strata.storage.for_maas takes a document, as strata.storage.layout_info returns it")
    try:
        return taken(value)
    except StorageError as error:
        raise AnsibleFilterError(f"strata.storage.for_maas: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"for_maas": for_maas}
