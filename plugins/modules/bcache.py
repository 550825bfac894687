#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bcache
short_description: SSD caches before slow block devices
version_added: 0.1.0
description:
  - Creates bcache devices, attaches them to cache sets, and takes them apart again.
  - Backing device and cache are registered explicitly, and the device is waited for.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.document.bcache
  - strata.storage.host
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_host
notes:
  - Where a cache set lost its last bcache, and the power went before it was removed, the next run warns of it, and
    V(absent) with that O(cache_device) removes it.
seealso:
  - module: strata.storage.bcache_info
  - module: strata.storage.raid
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: An array behind an SSD
  strata.storage.bcache:
    name: cached
    backing_device: /dev/md0
    cache_device: /dev/disk/by-id/nvme-eui.0025385b01412345
    cache_mode: writeback

- name: Tuned, also after a reboot
  strata.storage.bcache:
    name: cached
    sequential_cutoff: 0
    writeback_percent: 20
    io_error_limit: 16

- name: Another SSD takes over, once all dirty data was written back
  strata.storage.bcache:
    name: cached
    cache_device: /dev/disk/by-id/nvme-eui.0025385b01412346

- name: No cache any more
  strata.storage.bcache:
    name: cached
    cache_device: ''

- name: Removed, after its dirty data was written back
  strata.storage.bcache:
    name: cached
    state: absent
    allow_destroy: [/dev/bcache/by-label/cached]
"""

RETURN = r"""
bcache:
  description: The bcache, as an item of the document; none where it is absent.
  returned: success
  type: dict
  sample:
    name: cached
    backing_device: /dev/md0
    cache_device: /dev/disk/by-id/nvme-eui.0025385b01412345
    cache_mode: writeback
    bucket_size: 524288
    state: present
status:
  description: How the bcache does, sizes in bytes.
  returned: success
  type: dict
  sample:
    device: /dev/bcache0
    size: 1071636480
    state: clean
    cache_set: 0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a
    attached: true
    dirty_data: 0.0k
    hit_ratio: {total: 87, day: 90, hour: 93, five_minute: 0}
    registered: true
    tunables: {sequential_cutoff: 4.0M, writeback_percent: '10'}
    cache_tunables: {io_error_limit: '8', discard: '0', replacement_policy: lru}
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
"""

from ..module_utils.core.module import storage_module
from ..module_utils.document import bcache
from ..module_utils.host.bcache import plan as planner
from ..module_utils.host.task import OPTIONS, ensure


def main() -> None:
    module = storage_module(argument_spec={**bcache.OPTIONS, **OPTIONS}, supports_check_mode=True)
    ensure(module, bcache.parse, planner.references, planner.plan, planner.facts)


if __name__ == "__main__":
    main()
