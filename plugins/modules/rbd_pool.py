#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_pool
short_description: A pool as RBD uses it
version_added: 0.1.0
description:
  - Makes a pool ready for RBD, and keeps the settings and metadata that all its images inherit.
  - The pool itself is the cluster administrator's to make (C(ceph osd pool create)), and to remove.
author:
  - the strata.storage authors (@strata-storage)
options:
  config:
    description:
      - Settings of librbd for all images of the pool, for example C(rbd_qos_iops_limit). A value of V(null) takes one
        away, and others stay.
    type: dict
  metadata:
    description: Keys and values to keep with the pool. A value of V(null) takes the key away, and other keys stay.
    type: dict
  trash_purge_schedules:
    description:
      - All schedules by which the trash of the pool is purged. Omitted means unchanged, an empty list none. The
        cluster's C(ceph-mgr) purges it.
    type: list
    elements: dict
    suboptions:
      interval:
        description: Time between two of them, for example V(30m), V(6h) or V(1d). Without a letter, minutes.
        type: str
        required: true
      start_time:
        description: Time of day of the first one, in ISO 8601, for example V(14:00:00-05:00).
        type: str
  force:
    description: Whether a pool that another application has may be made ready for RBD too.
    type: bool
    default: false
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - It is about a whole pool, so it does not take C(namespace). Where C(module_defaults) of the group
    C(strata.storage.rbd) say one, they fail this module.
seealso:
  - module: strata.storage.rbd_namespace
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: A pool for RBD whose images have a limit
  strata.storage.rbd_pool:
    pool: vms
    config: {rbd_qos_iops_limit: 1000}
    metadata: {owner: platform}
"""

RETURN = r"""
pool:
  description: What the pool is.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    applications:
      description: What it is used for.
      type: list
      elements: str
      returned: always
    config:
      description: Its own settings.
      type: dict
      returned: always
    metadata:
      description: Its metadata.
      type: dict
      returned: always
    trash_purge_schedules:
      description: The schedules by which its trash is purged; null where O(trash_purge_schedules) is not given.
      type: list
      elements: dict
      returned: always
status:
  description: How the pool does.
  returned: success
  type: dict
  contains:
    stats:
      description: How many images and snapshots it has, in the trash or not, and their sizes in bytes.
      type: dict
      returned: always
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
from ..module_utils.rbd.modules import pool
from ..module_utils.rbd.options import OF_POOL
from ..module_utils.rbd.pool import OPTIONS
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**OF_POOL, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: pool(module.params))


if __name__ == "__main__":
    main()
