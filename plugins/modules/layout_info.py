#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: layout_info
short_description: Read all of a host's storage as one document
version_added: 0.1.0
description:
  - Returns the storage of a host as the document that M(strata.storage.layout) takes, which then changes nothing; also
    of a host that was built by hand. One thing such a host may lack are lines of C(mdadm.conf), which arrays get.
  - Also returns it as a tree, what is wrong or on its way, and which devices nobody uses.
  - Reading changes nothing.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.attributes
options: {}
notes:
  - The root filesystem, and filesystems of other types than the document has, are in the tree, and not in the document.
seealso:
  - module: strata.storage.layout
  - plugin: strata.storage.tree
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read
  strata.storage.layout_info:
  register: found

- name: Show
  ansible.builtin.debug:
    msg: "{{ (found.tree | strata.storage.tree).splitlines() }}"

- name: Keep as a file on the controller
  ansible.builtin.copy:
    content: "{{ found.layout | to_nice_yaml }}"
    dest: "layouts/{{ inventory_hostname }}.yml"
    mode: '0644'
  delegate_to: localhost

- name: Fail where something is wrong
  ansible.builtin.assert:
    that: wrong | length == 0
    fail_msg: "{{ wrong | to_nice_yaml }}"
  vars:
    wrong: "{{ found.health | rejectattr('problem', 'in', ['syncing', 'dirty']) }}"
"""

RETURN = r"""
layout:
  description: What there is, by section of the document. Items call each other by name.
  returned: success
  type: dict
  sample:
    raids:
      - name: md0
        level: '1'
        devices:
          - /dev/disk/by-id/ata-ST4000VN008_WDH00001
          - /dev/disk/by-id/ata-ST4000VN008_WDH00002
        spare_devices: []
        metadata: '1.2'
        bitmap: none
        uuid: 5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6
        state: present
    bcaches: []
    drives: []
    filesystems:
      - device: md0
        type: ext4
        mount_point: /srv
        mount_options: defaults,nofail,x-systemd.device-timeout=300s
        boot_required: false
        state: present
status:
  description: How each does, by section and name, as the modules of the single items return it.
  returned: success
  type: dict
tree:
  description:
    - All devices, from those up that are not made of others. The filter P(strata.storage.tree#filter) draws it.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What the document, else the kernel, calls it.
      type: str
      returned: always
    type:
      description: What it is (disk, part, raid5, bcache writeback, lvm).
      type: str
      returned: always
    size:
      description: Bytes. 0 while it does not run.
      type: int
      returned: always
    holds:
      description: The filesystem on it, and how much of that is used.
      type: str
      returned: always
    mount_points:
      description: Where that is mounted.
      type: list
      elements: str
      returned: always
    health:
      description: What is wrong with it, or on its way.
      type: list
      elements: str
      returned: always
    children:
      description: What lies on it, each again such a branch.
      type: list
      elements: dict
      returned: always
health:
  description: What is wrong, or on its way. Empty where all is well.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The device, empty where there is none.
      type: str
      returned: always
    name:
      description: What the document calls it.
      type: str
      returned: always
    problem:
      description: One of degraded, syncing, dirty (written back later), no cache, and nearly full (90 per cent).
      type: str
      returned: always
    detail:
      description: More about it.
      type: str
      returned: always
unused:
  description: Disks and partitions that are blank and that nobody has open, with what section C(disks) can choose by.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import survey
from ..module_utils.host.task import show


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    show(module, survey.everything)


if __name__ == "__main__":
    main()
