# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: maas_drift
short_description: Where a deployed host differs from its machine in MAAS
version_added: 0.1.0
description:
  - Compares what M(strata.storage.maas_storage_info) tells of a machine with what M(strata.storage.layout_info) found
    on the host that was deployed on it.
  - Disks are the same by serial number or WWN, partitions by disk and number, arrays and bcaches by name, or else by
    what they are made of.
  - Arrays, bcaches, volume groups, volumes, filesystems and mounts are compared. A partition that nothing uses is not,
    nor are mounts of the root, special filesystems, and filesystems that the host does not tell, such as fat32. Options
    of a mount differ where the host lacks one that MAAS has.
author:
  - the strata.storage authors (@strata-storage)
positional: _input, host
options:
  _input:
    description: The machine, of RV(strata.storage.maas_storage_info#module:machines).
    type: dict
    required: true
  host:
    description: What M(strata.storage.layout_info) returned.
    type: dict
    required: true
seealso:
  - module: strata.storage.maas_storage_info
  - module: strata.storage.layout_info
"""

EXAMPLES = r"""
- name: What the host has
  strata.storage.layout_info:
  register: host
  become: true

- name: What MAAS has
  strata.storage.maas_storage_info:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machines: ["{{ inventory_hostname }}"]
  register: region
  delegate_to: localhost

- name: Nothing has changed since the deployment
  ansible.builtin.assert:
    that: region.machines[0] | strata.storage.maas_drift(host) | length == 0
"""

RETURN = r"""
_value:
  description:
    - The differences. Each has C(section), C(name), C(word) (what differs; C(state) where one side has no such thing),
      and what C(maas) and the C(host) have, none where it is nothing.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.maas.drift import drift


def maas_drift(value: Any, host: Any) -> list[dict[str, Any]]:
    if not isinstance(value, Mapping) or not isinstance(host, Mapping) or not isinstance(host.get("layout"), Mapping):
        raise AnsibleFilterError(
            "strata.storage.maas_drift takes a machine of strata.storage.maas_storage_info, and the result of "
            "strata.storage.layout_info"
        )
    try:
        return [difference._asdict() for difference in drift(value, host)]
    except StorageError as error:
        raise AnsibleFilterError(f"strata.storage.maas_drift: {error}") from error
    except KeyError as error:
        raise AnsibleFilterError(f"strata.storage.maas_drift: an item has no {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"maas_drift": maas_drift}
