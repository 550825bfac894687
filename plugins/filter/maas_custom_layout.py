# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: maas_custom_layout
short_description: A document as a custom layout of MAAS
version_added: 0.1.0
description:
  - Takes a document of M(strata.storage.maas_storage), plans it on a machine's blank disks, and returns what a
    commissioning script writes to C($MAAS_STORAGE_CONFIG_FILE). MAAS 3.1 and newer apply that as their layout
    C(custom).
  - M(strata.storage.maas_layout_script) makes the script.
  - Fails where MAAS's form has no word for something, for example a UUID, a tag, or a partition on a RAID.
  - Warns of items that are to be absent and of C(renamed_from), which add nothing to a layout. It begins with blank
    disks, whatever they hold.
author:
  - the strata.storage authors (@strata-storage)
positional: _input, machine
options:
  _input:
    description:
      - The document, with the sections and C(boot_disk) as M(strata.storage.maas_storage) takes them.
    type: dict
    required: true
  machine:
    description:
      - The machine, as M(strata.storage.maas_storage_info) returns it in
        RV(strata.storage.maas_storage_info#module:machines). Only C(physical_disks), C(boot_disk) and C(bios_grub)
        count, whatever is on the disks.
      - By hand, each of C(physical_disks) takes C(name) and C(size), and C(serial), C(model), C(id_path), C(tags) and
        C(numa_node) where the document chooses by them. The first one is the boot disk if C(boot_disk) is omitted, and
        C(bios_grub) is true.
      - Sizes in percent, and partitions that take the rest, are computed from the sizes of these disks.
    type: dict
    required: true
  without_labels:
    description:
      If true, labels of filesystems are left out, which a custom layout cannot have. Otherwise they are refused.
    type: bool
    default: false
notes:
  - MAAS names no partitions. Where partitions are called as MAAS calls them, M(strata.storage.maas_storage) finds them
    afterwards, and changes nothing with the same document. The first partition of a disk is C(sda-part1), but
    C(sda-part2) where a machine boots by BIOS (C(bios_grub)). A name like these that MAAS gives to another partition is
    refused.
"""

EXAMPLES = r"""
- name: The disks of one machine of that model
  strata.storage.maas_storage_info:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machines: [node7.maas]
  register: found
  delegate_to: localhost

- name: All others of that model get this layout when they are commissioned
  strata.storage.maas_layout_script:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    name: 45-fileserver
    layout: "{{ document | strata.storage.maas_custom_layout(found.machines[0]) }}"
  vars:
    document:
      boot_disk: sda
      partitions:
        - {name: sda-part1, device: sda, size: 512M, bootable: true}
        - {name: sda-part2, device: sda}
      raids:
        - {name: md0, level: '6', devices: [sdb, sdc, sdd, sde]}
      filesystems:
        - {device: sda-part1, type: fat32, mount_point: /boot/efi}
        - {device: sda-part2, type: ext4, mount_point: /}
        - {device: md0, type: xfs, mount_point: /srv, mount_options: noatime}
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The layout, with C(layout) and C(mounts).
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.display import Display

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.lists import with_lists
from ansible_collections.strata.storage.plugins.module_utils.core.options import check
from ansible_collections.strata.storage.plugins.module_utils.maas.custom import (
    custom_layout,
    on_blank_disks,
    passed_over,
)
from ansible_collections.strata.storage.plugins.module_utils.maas.document import OPTIONS, parse

_FILTER = "strata.storage.maas_custom_layout"


def maas_custom_layout(value: Any, machine: Any, without_labels: bool = False) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{_FILTER} takes a document, as strata.storage.maas_storage does")
    if not isinstance(machine, Mapping):
        raise AnsibleFilterError(f"{_FILTER}: machine is one of those that strata.storage.maas_storage_info returns")
    given = with_lists(OPTIONS, value)
    checked = ArgumentSpecValidator(OPTIONS).validate(given)
    try:
        if checked.error_messages:
            check(OPTIONS, given, checked.validated_parameters, parse)
        want = parse(checked.validated_parameters)
        layout = custom_layout(on_blank_disks(machine), want, without_labels)
    except StorageError as error:
        raise AnsibleFilterError(f"{_FILTER}: {error}") from error
    if passed := passed_over(want):
        Display().warning(
            f"{_FILTER}: a layout begins with blank disks, so these add nothing to it: {', '.join(passed)}"
        )
    return layout


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"maas_custom_layout": maas_custom_layout}
