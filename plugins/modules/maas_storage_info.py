#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_storage_info
short_description: The storage layouts of MAAS machines as documents
version_added: 0.1.0
description:
  - Tells what storage machines have in MAAS, as documents that M(strata.storage.maas_storage) and
    M(strata.storage.layout) take, and what of it nobody uses yet.
author:
  - the strata.storage authors (@strata-storage)
options:
  machines:
    description:
      - System_ids, hostnames or FQDNs. Omitted means all machines that the API key's user sees.
    type: list
    elements: str
extends_documentation_fragment:
  - strata.storage.maas
  - strata.storage.maas.disks
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_maas
seealso:
  - module: strata.storage.maas_storage
"""

EXAMPLES = r"""
- name: One machine
  strata.storage.maas_storage_info:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machines: [node7]
  register: found

- name: Where there are four large disks that nobody uses
  strata.storage.maas_storage_info:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    disks:
      - {name: slow, rotational: true, min_size: 4TB}
  register: all

- name: Their names
  ansible.builtin.debug:
    msg: "{{ all.machines | selectattr('disks.slow.3', 'defined') | map(attribute='hostname') | list }}"

- name: The tree of the first
  ansible.builtin.debug:
    msg: "{{ found.machines[0].tree | strata.storage.tree }}"
"""

RETURN = r"""
machines:
  description: What each machine has.
  returned: success
  type: list
  elements: dict
  contains:
    system_id:
      description: The system_id of the machine.
      type: str
      returned: always
    hostname:
      description: Its name.
      type: str
      returned: always
    fqdn:
      description: Its whole name.
      type: str
      returned: always
    status:
      description: What MAAS does with it, for example V(Ready).
      type: str
      returned: always
    layout:
      description: Its storage as a document.
      type: dict
      returned: always
    special_filesystems:
      description: Filesystems on no device.
      type: list
      elements: dict
      returned: always
    boot_disk:
      description: The disk that it boots from.
      type: str
      returned: always
    bootable_partitions:
      description: The partitions that it may boot from.
      type: list
      elements: str
      returned: always
    cache_sets:
      description: Cache sets that no bcache uses, as the option of M(strata.storage.maas_storage) takes them.
      type: list
      elements: dict
      returned: always
    datastores:
      description: VMFS datastores, as the option of M(strata.storage.maas_storage) takes them.
      type: list
      elements: dict
      returned: always
    ids:
      description: The region's numbers, names and UUIDs of devices and of what is made of them.
      type: dict
      returned: always
    physical_disks:
      description: The disks, whatever is on them, as the filter P(strata.storage.maas_custom_layout#filter) needs them.
      type: list
      elements: dict
      returned: always
    bios_grub:
      description: If true, MAAS puts a small partition for GRUB before the first one of a disk.
      type: bool
      returned: always
    unused:
      description: Devices that a document could take, with what section C(disks) can choose by, and room on disks.
      type: list
      elements: dict
      returned: always
    disks:
      description: The disks that nobody uses, by the names in O(disks), that are what those say.
      type: dict
      returned: always
    tree:
      description: All devices, from the disks up. The filter P(strata.storage.tree#filter) draws it.
      type: list
      elements: dict
      returned: always
requests:
  description: How many requests it took.
  returned: success
  type: int
"""

from ..module_utils.core.module import storage_module
from ..module_utils.maas.document import OPTIONS
from ..module_utils.maas.task import CONNECTION, tell


def main() -> None:
    spec = {**CONNECTION, "machines": {"type": "list", "elements": "str"}, "disks": OPTIONS["disks"]}
    tell(storage_module(argument_spec=spec, supports_check_mode=True))


if __name__ == "__main__":
    main()
