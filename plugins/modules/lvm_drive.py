#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lvm_drive
short_description: Devices as one mounted LVM volume
version_added: 0.1.0
description:
  - Makes one volume group of one or many devices, with a logical volume, a filesystem and a mount on it.
  - Grows all of these while mounted when devices are added or grow, shrinks them on request, empties devices that are
    to leave, takes the drive offline and online again, and removes it.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.document.drive
  - strata.storage.host
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_host
requirements:
  - LVM 2.03.12 or newer, and the tools of the filesystem (btrfs-progs, e2fsprogs or xfsprogs).
notes:
  - Volumes of other programs stay as they are. Those that are no device for a filesystem (pools, snapshots) are not
    managed, and keep the drive from being removed.
  - Physical volumes that the module adds carry the LVM tag C(strata.storage). Only those leave the group when they are
    not listed any more, unless O(remove_foreign_devices) says otherwise.
seealso:
  - module: strata.storage.lvm_drive_info
  - module: strata.storage.raid
  - module: strata.storage.bcache
"""

EXAMPLES = r"""
- name: A drive of two disks on /srv
  strata.storage.lvm_drive:
    name: data
    devices: [/dev/sdb, /dev/sdc]
    filesystem: ext4
    mount_point: /srv

- name: Another disk in the place of sdb, which is emptied while the drive is in use
  strata.storage.lvm_drive:
    name: data
    devices: [/dev/sdc, /dev/sdd]

- name: Smaller; ext4 is unmounted for it
  strata.storage.lvm_drive:
    name: data
    size: 200G
    allow_shrink: true
    allow_offline: true

- name: Unmounted and inactive, also after a reboot
  strata.storage.lvm_drive:
    name: data
    state: offline

- name: Removed, with all that is on it
  strata.storage.lvm_drive:
    name: data
    state: absent
    allow_destroy: true

- name: Several volumes on one drive, one of them mounted inside another
  strata.storage.lvm_drive:
    name: data
    devices: [sdb, sdc]
    volumes:
      - {name: srv, size: 100%, mount_point: /srv}
      - {name: logs, size: 20G, filesystem: ext4, mount_point: /srv/logs, mount_options: noatime}
      - {name: swap, size: 4G, filesystem: swap}

- name: One of them removed, and another one moved
  strata.storage.lvm_drive:
    name: data
    volumes:
      - {name: swap, state: absent}
      - {name: logs, mount_point: /srv/log}
    allow_destroy: [/dev/data/swap]

- name: A subvolume of one of them, and a directory that programs look for in another place
  strata.storage.lvm_drive:
    name: data
    volumes:
      - name: srv
        subvolumes:
          - {name: "@home", mount_point: /srv/home}
        bind_mounts:
          - {source: /srv/www, mount_point: /var/www, mount_options: ro}
"""

RETURN = r"""
drive:
  description: The drive, as an item of the document; none where it is absent.
  returned: success
  type: dict
  sample:
    name: data
    devices: [/dev/disk/by-id/wwn-0x5000c500a1b2c3d1, /dev/disk/by-id/wwn-0x5000c500a1b2c3d2]
    volumes:
      - name: data
        size: 1065353216
        filesystem: xfs
        mount_point: /srv
        mount_options: defaults,nofail,x-systemd.device-timeout=300s
    state: online
status:
  description:
    - How the drive does, sizes in bytes. Its volumes are all that the group has, each with LVM's type (C(thin-pool),
      C(snapshot), …); RV(drive) names those that a drive can have.
  returned: success
  type: dict
  sample:
    size: 1065353216
    free: 0
    missing: []
    volumes:
      data:
        device: /dev/data/data
        type: linear
        active: true
        uuid: 0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a
        mounted_on: [/srv]
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
    What is wanted and can only be done once a C(pvmove) that somebody else began has ended, as it is planned now. The
    task warns of it, and does it when it is run again then.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.core.module import storage_module
from ..module_utils.document import drive
from ..module_utils.host.lvm import plan as planner
from ..module_utils.host.task import OPTIONS, ensure


def main() -> None:
    module = storage_module(argument_spec={**drive.OPTIONS, **OPTIONS}, supports_check_mode=True)
    ensure(module, drive.parse, planner.references, planner.plan, planner.facts, later=("in_progress", "pending"))


if __name__ == "__main__":
    main()
