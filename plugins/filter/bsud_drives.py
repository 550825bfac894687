# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bsud_drives
short_description: Read the drives of a BSUd configuration
version_added: 0.1.0
description:
  - Turns the configuration of BSUd (C(/etc/osc/bsud.json)) into the words of the role C(elastic_drive).
  - Refuses keys and values that BSUd does not have, which BSUd itself ignores, and drives with the target C(delete).
  - Returns no credentials.
author:
  - the strata.storage authors (@strata-storage)
positional: _input
options:
  _input:
    description: The configuration, parsed from JSON.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the drives of BSUd are
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'bsud.json') | from_json | strata.storage.bsud_drives }}"
"""

RETURN = r"""
_value:
  description: The drives, each with C(name), C(state), C(mount_point) and C(policy).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.volumes.bsud import drives


def bsud_drives(config: Any) -> list[dict[str, Any]]:
    try:
        return drives(config)
    except StorageError as error:
        raise AnsibleFilterError(f"strata.storage.bsud_drives: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"bsud_drives": bsud_drives}
