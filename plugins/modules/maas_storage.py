#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_storage
short_description: The storage layout of a MAAS machine as one document
version_added: 0.1.0
description:
  - Brings the partitions, RAIDs, bcaches, volume groups, filesystems and mounts about that a machine gets when MAAS
    deploys it, from one document in the words of M(strata.storage.layout).
  - Everything is planned before the first request that changes something. What is made comes bottom-up, what is removed
    top-down, so that the region never leaves orphans behind.
  - What the document does not name stays as it is, unless O(mode) says otherwise. Physical disks are never deleted.
author:
  - the strata.storage authors (@strata-storage)
options:
  machine:
    description: The machine's system_id, hostname or FQDN. One of this, O(machines) and O(pool) is needed.
    type: str
  machines:
    description:
      - Several machines that get the same document, each by its system_id, hostname or FQDN.
      - Nothing is sent before all of them are planned. One that cannot have the document refuses the task for all.
      - At most eight requests are under way at a time. Once one fails, no machine gets another.
    type: list
    elements: str
  pool:
    description: Resource pool all of whose machines get the same document, as with O(machines).
    type: str
  states:
    description: States of the machines of O(pool) that are taken, as MAAS names them, for example V(Ready).
    type: list
    elements: str
  boot_disk:
    description: Disk that the machine boots from. It is set first, so that O(base_layout) is made on it.
    type: str
  base_layout:
    description:
      - One of MAAS's own layouts, which the document stands on. It is applied only where the machine does not have it.
        V(blank) is applied where the machine has something that the document does not name. V(flat), V(lvm) and
        V(bcache) are applied where V(/) is not mounted from a device of their kind, or from another disk than
        O(root_device) or O(boot_disk) say. V(vmfs6) and V(vmfs7) are the layouts of ESXi.
      - It wipes the machine's whole storage configuration, so a machine that has any needs C(base_layout) in
        O(allow_destroy).
      - The rest of the document is planned once V(flat), V(lvm), V(bcache) or a layout of ESXi was applied. Check mode
        shows the plan up to there, and O(expected_plan) approves it only up to there.
      - With O(mode=exact), what the layout makes is named with the document.
    type: str
    choices: [blank, flat, lvm, bcache, vmfs6, vmfs7]
  root_device:
    description: Disk on which O(base_layout) puts the root. The boot disk, if it is omitted.
    type: str
  mode:
    description:
      - V(merge) leaves what the document does not name as it is.
      - V(exact) removes it, in the sections that are present. Each such item must be in O(allow_destroy). Volumes of
        drives that are named stay.
    type: str
    choices: [merge, exact]
    default: merge
  allow_destroy:
    description:
      - Names of items whose data may be lost, because filesystems are removed from the configuration, partitions are
        made anew, or devices are exchanged. C(base_layout) permits O(base_layout) to wipe the machine.
      - 'Where items of several sections have one name, its section comes before it, for example V(drives: md0).'
    type: list
    elements: str
    default: []
  expected_plan:
    description:
      - The RV(plan_digest) of a plan that was approved. The task is refused before the first change where the machine
        would now need another plan. It passes where nothing is left to do.
    type: str
extends_documentation_fragment:
  - strata.storage.approval
  - strata.storage.maas
  - strata.storage.maas.disks
  - strata.storage.maas.words
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_maas
notes:
  - Errors of several items are told at once, a line for each, with the item that it is about, such as
    C(raids[0] md0).
  - A device is the name of another item (C(md0), C(cached), C(data/srv) for a volume of a drive), of disks (C(slow) for
    all of them, C(slow[0]) for the first), MAAS's own name for it (C(sda), C(sda-part1)), or a disk's path.
  - MAAS changes the structure of a machine, and the tags of its disks, only while it is Ready, and filesystems while it
    is Ready or Allocated. Otherwise the task is refused before the first change.
  - Filesystems and mounts that are changed while a machine is Allocated are as before once it is released. The task
    warns of that.
  - Where the boot disk takes part in something as a whole, MAAS makes a partition over all of it. The module accounts
    for it, and removes it when the boot disk leaves.
  - The module notes in tags of devices what a task that is cut off would leave behind (C(strata-stand-in),
    C(strata-leaving), C(strata-mount=)). The next task removes it, and the tag.
  - Tested against a simulator that is held to exchanges recorded on a real MAAS 3.6.5.
seealso:
  - module: strata.storage.maas_storage_info
  - module: strata.storage.layout
"""

EXAMPLES = r"""
- name: A mirrored root, and data on a cached RAID 6
  strata.storage.maas_storage:
    machine: node7.maas
    base_layout: blank
    disks:
      - {name: slow, tags: [rotary], min_size: 4TB, count: 6}
      - {name: fast, tags: [ssd], min_size: 400GB, count: 1}
      - {name: boot, model: SuperDOM, count: 2}
    partitions:
      - {name: efi, device: 'boot[0]', size: 512M, bootable: true}
      - {name: root0, device: 'boot[0]'}
      - {name: efi2, device: 'boot[1]', size: 512M, bootable: true}
      - {name: root1, device: 'boot[1]'}
    raids:
      - {name: md0, level: '1', devices: [root0, root1]}
      - {name: md1, level: '6', devices: [slow]}
    bcaches:
      - {name: cached, backing_device: md1, cache_device: fast, cache_mode: writeback}
    filesystems:
      - {device: efi, type: fat32, mount_point: /boot/efi}
      - {device: md0, type: ext4, mount_point: /}
      - {device: cached, type: xfs, mount_point: /srv, mount_options: noatime}
    special_filesystems:
      - {type: tmpfs, mount_point: /tmp, mount_options: size=4G}
    allow_destroy: [base_layout]
  environment:
    MAAS_URL: https://maas.example.com:5443/MAAS
    MAAS_API_KEY: "{{ maas_api_key }}"
  delegate_to: localhost

- name: MAAS's flat layout, on the second disk
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machine: node9
    boot_disk: nvme0n1
    base_layout: flat

- name: One volume goes, another is not mounted any more, and an SSD becomes a cache for later
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machine: node8
    drives:
      - name: data
        volumes:
          - {name: old, state: absent}
          - {name: logs, mount_point: ''}
    cache_sets:
      - {cache_device: nvme1n1}
    allow_destroy: [data/old]

- name: ESXi, with a datastore on two more disks
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machine: esx1
    base_layout: vmfs7
    datastores:
      - {name: datastore2, devices: [sdb, sdc]}

- name: The same on each machine of a pool that waits for its deployment
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    pool: fileservers
    states: [Ready]
    raids:
      - {name: md0, level: '1', devices: [sdb, sdc]}
    filesystems:
      - {device: md0, type: xfs, mount_point: /srv}

- name: LVM on the second disk, beside MAAS's own flat layout
  strata.storage.maas_storage:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    machine: node8
    drives:
      - name: data
        devices: [sdb]
        volumes:
          - {name: srv, size: 80%, filesystem: xfs, mount_point: /srv}
          - {name: logs, filesystem: ext4, mount_point: /var/log}
"""

RETURN = r"""
system_id:
  description: The system_id of the machine.
  returned: success, with O(machine)
  type: str
layout:
  description: The machine's whole storage as a document.
  returned: success, with O(machine)
  type: dict
special_filesystems:
  description: Filesystems on no device.
  returned: success, with O(machine)
  type: list
  elements: dict
boot_disk:
  description: The disk that it boots from.
  returned: success, with O(machine)
  type: str
bootable_partitions:
  description: The partitions that it may boot from.
  returned: success, with O(machine)
  type: list
  elements: str
cache_sets:
  description: Cache sets that no bcache uses, as O(cache_sets) takes them.
  returned: success, with O(machine)
  type: list
  elements: dict
datastores:
  description: VMFS datastores, as O(datastores) takes them.
  returned: success, with O(machine)
  type: list
  elements: dict
ids:
  description: The region's numbers, names and UUIDs of devices and of what is made of them.
  returned: success, with O(machine)
  type: dict
machines:
  description: What each machine has, as M(strata.storage.maas_storage_info) returns it.
  returned: success, with O(machines) or O(pool)
  type: list
  elements: dict
requests:
  description: How many requests it took.
  returned: success
  type: int
plan:
  description:
    - The steps, in order; in check mode what would be done, else what was planned and done. Each is as
      M(strata.storage.layout) returns it.
  returned: always
  type: list
  elements: dict
plan_digest:
  description:
    - What is the same for the same plan on the same devices of the same machine, and for no other. The option
      O(expected_plan) takes it.
  returned: always
  type: str
approval:
  description: What C(storage_approved) holds of this host.
  returned: when O(approval=request)
  type: dict
done:
  description: The steps that were done, also when a later one failed.
  returned: when anything was done
  type: list
  elements: dict
in_progress:
  description: What is planned only once a base layout was applied, in check mode.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.core.module import storage_module
from ..module_utils.core.run import EXPECTED
from ..module_utils.maas.document import OPTIONS, parse
from ..module_utils.maas.task import CONNECTION, ensure


def main() -> None:
    own: dict[str, dict[str, Any]] = {
        "machine": {"type": "str"},
        "machines": {"type": "list", "elements": "str"},
        "pool": {"type": "str"},
        "states": {"type": "list", "elements": "str"},
        "allow_destroy": {"type": "list", "elements": "str", "default": []},
        **EXPECTED,
    }
    spec = {**CONNECTION, **OPTIONS, **own}
    ensure(storage_module(parse=parse, argument_spec=spec, supports_check_mode=True))


if __name__ == "__main__":
    main()
