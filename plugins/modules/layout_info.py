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
    msg: "{{ found.text.splitlines() }}"

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
    wrong: "{{ found.health | rejectattr('severity', 'eq', 'notice') }}"
"""

RETURN = r"""
summary:
  description: A line with how many disks there are, which items, and the worst findings.
  returned: success
  type: str
  sample: "6 disks, 2 devices unused; raids md0; drives data; warning: md0 degraded"
text:
  description: The tree as the filter P(strata.storage.tree#filter) draws it.
  returned: success
  type: str
layout:
  description:
    - What there is, by section of the document. Items call each other by name.
    - Applied, it changes nothing. So C(devices) of an array is left out while a member is missing, failed or being
      replaced, and so is an array that does not run for now.
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
    luks: []
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
      description: What it is (disk, part, raid5, bcache writeback, luks2, lvm).
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
    device:
      description: Path of the device.
      type: str
      returned: always
    severity:
      description: Severity of the worst finding about it. Empty if there is none.
      type: str
      returned: always
    children:
      description: What lies on it, each again such a branch.
      type: list
      elements: dict
      returned: always
health:
  description: What is wrong, or on its way, what is worst first. Empty where all is well.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description:
        - V(critical) where data cannot be reached, is lost or is no longer written, and where nothing more may fail.
        - V(warning) where everything works, and something has to be done so that it stays so.
        - V(notice) where it goes on, or waits, by itself.
      type: str
      returned: always
    device:
      description: The device, empty where there is none.
      type: str
      returned: always
    name:
      description: What the document calls it.
      type: str
      returned: always
    problem:
      description:
        - For programs. Of a device C(fault), C(unreadable), C(worn).
        - Of an array C(inactive), C(stopped), C(degraded), C(faulty), C(apart) (a device that was written to without
          the array), C(copy), C(former), C(write errors), C(bad blocks), C(read errors), C(mismatches), C(syncing),
          C(waits) (a resync or reshape that does not go on).
        - Of a bcache or its cache C(disabled), C(errors), C(no cache), C(dirty) (written back later).
        - Of a LUKS container C(header) (damaged), C(no key), C(encrypt), C(reencrypt) or C(decrypt) (on its way), C(not
          in crypttab) (open, and not opened by a boot), C(token) (without a keyslot), C(no token) (a boot asks a TPM
          that is not enrolled).
        - Of swap with a new key at each boot C(kernel name) (its line may mean another device after a boot),
          C(overwritten) (its device holds what the next boot destroys).
        - Of a volume group C(missing) (a physical volume), C(hidden) (a device of a group that LVM does not show).
        - Of what is mounted C(read-only) (the kernel made it so), C(unreadable), C(errors), C(options) (other than in
          fstab), C(nearly full) (90 per cent).
      type: str
      returned: always
    detail:
      description: What was found.
      type: str
      returned: always
    meaning:
      description: What that means.
      type: str
      returned: always
    remedy:
      description: What to do, if there is something to do. It never costs a copy that may be the good one.
      type: str
      returned: always
usage:
  description:
    - How full each mounted filesystem of a block device is. A filesystem that is mounted several times is listed once.
    - A filesystem that does not answer is in RV(health) instead.
  returned: success
  type: list
  elements: dict
  contains:
    mount_point:
      description: Where it is mounted.
      type: str
      returned: always
    device:
      description: Path of its device.
      type: str
      returned: always
    name:
      description: What the document, else the kernel, calls that device.
      type: str
      returned: always
    type:
      description: Type of the filesystem.
      type: str
      returned: always
    size:
      description: Size in bytes.
      type: int
      returned: always
    used:
      description: Bytes that are not free. This includes what the filesystem reserves for root.
      type: int
      returned: always
    free:
      description: Bytes that users can still write.
      type: int
      returned: always
not_read:
  description:
    - What could not be read. A device that is broken costs what it holds, and the rest is told.
    - A task that has to know it fails, and says what it could not read.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The device, empty where it is about the host.
      type: str
      returned: always
    what:
      description: What of it.
      type: str
      returned: always
    reason:
      description: What the kernel, or a program, said.
      type: str
      returned: always
disks:
  description: All disks, with what section C(disks) can choose by. A disk with several paths is listed once.
  returned: success
  type: list
  elements: dict
  sample:
    - device: /dev/disk/by-id/ata-ST4000VN008_WDH00001
      size: 4000787030016
      serial: WDH00001
      wwn: naa.5000c500a0000001
      model: ST4000VN008
      rotational: true
      transport: sata
unused:
  description: Disks and partitions that are blank and that nobody has open, with what section C(disks) can choose by.
  returned: success
  type: list
  elements: dict
"""

from ..module_utils.core.module import storage_module
from ..module_utils.host import survey
from ..module_utils.host.task import show


def main() -> None:
    module = storage_module(argument_spec={}, supports_check_mode=True)
    show(module, survey.everything)


if __name__ == "__main__":
    main()
