#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: raid
short_description: Linux software RAID arrays
version_added: 0.1.0
description:
  - Creates, adopts, starts, changes, stops and removes arrays of Linux software RAID (mdadm), and keeps them under
    their names across reboots.
  - An array is found by its path, by the UUID that O(uuid) or mdadm.conf says, or by its members and name; where these
    disagree, the task fails.
  - One ARRAY line in mdadm.conf and the initramfs are kept, and changed only where they differ.
author:
  - the strata.storage authors (@strata-storage)
options:
  scrub:
    description:
      - Also go through the whole array once, which is an act and not a condition, so the task is changed each time.
      - V(check) counts mismatches (C(mismatch_count) in RV(status)), V(repair) mends them. Nothing is begun while the
        array is busy or degraded.
    type: str
    choices: [check, repair]
extends_documentation_fragment:
  - strata.storage.document.raid
  - strata.storage.host
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.host.waiting
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_host
notes:
  - A resync, recovery or reshape goes on in the background; it is reported in RV(in_progress). Until a reshape has
    ended, no other change is begun; with O(wait), or at the next run, the rest is done.
  - Changes that have to wait for that are planned at once, so that what is impossible or not permitted fails now. They
    are returned in RV(pending), each with a warning.
  - Where members ran apart, each without the other, there are two versions of the data, and the array is not started,
    nor is either device added to it, before O(devices) or O(discard_devices) says which one is wanted.
  - Replacing a member that works waits until the new one is whole, since only then the old one may go.
  - Arrays with a write journal or a partial parity log, and those of level linear, are started, stopped, scrubbed and
    removed. A change to one of them is refused, and none is made.
seealso:
  - module: strata.storage.raid_info
  - module: strata.storage.bcache
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: Three disks as RAID 5
  strata.storage.raid:
    name: md0
    level: '5'
    devices:
      - /dev/disk/by-id/ata-ST4000VN008_WDH00001
      - /dev/disk/by-id/ata-ST4000VN008_WDH00002
      - /dev/disk/by-id/ata-ST4000VN008_WDH00003

- name: A mirror with a spare, as /dev/md/data
  strata.storage.raid:
    name: data
    level: '1'
    devices: [sdb, sdc]
    spare_devices: [sdd]

- name: Another disk in place of a member (the one that is no longer listed), and one more
  strata.storage.raid:
    name: md0
    devices:
      - /dev/disk/by-id/ata-ST4000VN008_WDH00001
      - /dev/disk/by-id/ata-ST4000VN008_WDH00002
      - /dev/disk/by-id/ata-ST4000VN008_WDH00004
      - /dev/disk/by-id/ata-ST4000VN008_WDH00005
    wait: true

- name: A disk less, which is let go, for a filesystem that was made small enough before
  strata.storage.raid:
    name: md0
    devices:
      - /dev/disk/by-id/ata-ST4000VN008_WDH00001
      - /dev/disk/by-id/ata-ST4000VN008_WDH00002
      - /dev/disk/by-id/ata-ST4000VN008_WDH00004
    spare_devices: []
    allow_shrink: true
    wait: true

- name: The monthly scrub
  strata.storage.raid:
    name: md0
    scrub: check
    wait: true

- name: Stopped, also after a reboot
  strata.storage.raid:
    name: data
    state: stopped

- name: Removed, with all that is on it
  strata.storage.raid:
    name: data
    state: absent
    allow_destroy: true
"""

RETURN = r"""
raid:
  description: The array, as an item of the document; none where it is absent.
  returned: success
  type: dict
  sample:
    name: md0
    level: '5'
    devices:
      - /dev/disk/by-id/ata-ST4000VN008_WDH00001
      - /dev/disk/by-id/ata-ST4000VN008_WDH00002
      - /dev/disk/by-id/ata-ST4000VN008_WDH00003
    spare_devices: []
    chunk_size: 524288
    layout: left-symmetric
    metadata: '1.2'
    bitmap: none
    write_mostly_devices:
    uuid: 5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6
    state: present
status:
  description: How the array does, sizes in bytes.
  returned: success
  type: dict
  sample:
    device: /dev/md0
    size: 1071644672
    component_size: 535822336
    array_state: clean
    sync_action: idle
    percent:
    speed: 0
    eta_seconds:
    degraded: 0
    mismatch_count: 0
    consistency_policy: resync
    pending_reboot: []
    members:
      - {device: /dev/sdb, role: active, slot: 0}
plan:
  description:
    - The steps, in order; in check mode what would be done, else what was planned and done. Each is as
      M(strata.storage.layout) returns it.
  returned: always
  type: list
  elements: dict
done:
  description: The steps that were done, also when a later one failed.
  returned: when anything was done
  type: list
  elements: dict
in_progress:
  description: What is on its way and needs nobody, for instance a resync.
  returned: success
  type: list
  elements: str
pending:
  description:
    What is wanted and can only be done once what is on its way has ended, or once a member that is missing is back, as
    it is planned now. The task warns of it, and does it when it is run again then.
  returned: success
  type: list
  elements: str
pending_reboot:
  description: What takes effect with the next boot.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.core.module import storage_module
from ..module_utils.core.plan import LATER
from ..module_utils.document import raid
from ..module_utils.host.raid import plan as planner
from ..module_utils.host.task import OPTIONS, WAITING, ensure


def main() -> None:
    module = storage_module(argument_spec={**raid.OPTIONS, **raid.ACTS, **WAITING, **OPTIONS}, supports_check_mode=True)
    ensure(module, raid.parse, planner.references, planner.plan, planner.facts, raid.Raid.settled, later=LATER)


if __name__ == "__main__":
    main()
