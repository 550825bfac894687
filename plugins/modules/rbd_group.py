#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_group
short_description: A group of RBD images
version_added: 0.1.0
description:
  - Keeps a group of images, whose snapshots are taken at one moment, with its images and snapshots.
author:
  - the strata.storage authors (@strata-storage)
options:
  name:
    description: The group's name.
    type: str
    required: true
  images:
    description:
      - All images that it is to have, as C(IMAGE), or C(POOL/IMAGE) for one in another pool. Omitted means unchanged,
        an empty list none.
    type: list
    elements: str
  snapshots:
    description:
      - Snapshots of the group. Others stay as they are.
      - One whose taking was cut off holds nothing. It is removed, and taken anew.
    type: list
    elements: dict
    suboptions:
      name:
        description: The snapshot's name.
        type: str
        required: true
      renamed_from:
        description: Its former name.
        type: str
      state:
        description: Whether it is to be there.
        type: str
        choices: [present, absent]
        default: present
  rolled_back_to:
    description:
      - The snapshot that all images of the group are to be rolled back to. That is an act and not a condition, so the
        task is changed each time. Refused where one of them is open somewhere, and where the snapshot holds other
        images than the group, since librbd 16 rolls back what the snapshot holds.
    type: str
  renamed_from:
    description: Its former name. Where there is nothing of the new name, what has this one gets it.
    type: str
  purge_snapshots:
    description: Whether V(absent) may remove its snapshots too.
    type: bool
  allow_destroy:
    description: Whether what was written since may be lost. Needed by O(rolled_back_to).
    type: bool
    default: false
  state:
    description: Whether it is to be there. Its images stay when it goes.
    type: str
    choices: [present, absent]
    default: present
attributes:
  idempotent:
    support: partial
    details:
      - O(rolled_back_to) is done each time.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_snapshot
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: All that a database is on, snapshotted at one moment
  strata.storage.rbd_group:
    pool: vms
    name: db1
    images: [db1-data, db1-log, fast/db1-index]
    snapshots:
      - {name: before-upgrade}
      - {name: last-month, state: absent}

- name: Back to where it was
  strata.storage.rbd_group:
    pool: vms
    name: db1
    rolled_back_to: before-upgrade
    allow_destroy: true
"""

RETURN = r"""
group:
  description: The group in the words that this module takes; null where there is none.
  returned: success
  type: dict
incomplete:
  description: Snapshots whose taking was cut off.
  returned: success
  type: list
  elements: str
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
from ..module_utils.rbd.group import OPTIONS
from ..module_utils.rbd.modules import group
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: group(module.params))


if __name__ == "__main__":
    main()
