#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_trash
short_description: The trash of an RBD pool
version_added: 0.1.0
description:
  - Restores images from the trash, removes them from there, and purges it.
author:
  - the strata.storage authors (@strata-storage)
options:
  name:
    description: The image's name.
    type: str
  id:
    description: The image's id, where there are several of its name.
    type: str
  restore_as:
    description: The name that a restored image gets. The one that it had, if it is not said.
    type: str
  expired_before:
    description:
      - Purge only what could be removed before this time already, in ISO 8601, for example V(2026-11-01) or
        V(2026-11-01T12:00:00+00:00). Now, if it is not said.
    type: str
  threshold:
    description:
      - Purge the oldest until each pool that holds their data is no fuller than this share of it, from V(0) to V(1).
        What is to be kept longer stays.
      - How full a pool is, the cluster's C(ceph-mgr) counts, which takes it some seconds. A second run within these
        may remove more than is needed.
    type: float
  force:
    description: Whether V(absent) may remove what is to be kept longer.
    type: bool
    default: false
  state:
    description:
      - V(restored) has the image in the pool again. V(absent) removes it from the trash for good.
      - V(purged) removes all that may be removed, clones before their parents. A warning names what stays, and why.
    type: str
    choices: [restored, absent, purged]
    required: true
attributes:
  idempotent:
    support: partial
    details:
      - V(purged) with O(threshold) removes the next as long as the pool is counted as too full.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - The source of a migration is in the trash meanwhile, and is neither purged, removed nor restored.
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: It was needed after all
  strata.storage.rbd_trash:
    pool: vms
    name: web1-data
    state: restored

- name: What was thrown away before November
  strata.storage.rbd_trash:
    pool: vms
    expired_before: '2026-11-01'
    state: purged
"""

RETURN = r"""
trash:
  description: What is in the trash.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The image's id.
      type: str
      returned: always
    name:
      description: The name that it had.
      type: str
      returned: always
    source:
      description: Who put it there, V(USER) for instance.
      type: str
      returned: always
    moved:
      description: When it was put there, in seconds since 1970.
      type: int
      returned: always
    until:
      description: From when on it may be removed, in seconds since 1970.
      type: int
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
from ..module_utils.rbd.modules import trash
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure
from ..module_utils.rbd.trash import OPTIONS


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: trash(module.params))


if __name__ == "__main__":
    main()
