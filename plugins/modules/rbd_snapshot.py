#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_snapshot
short_description: A snapshot of an RBD image
version_added: 0.1.0
description:
  - Takes, renames, protects and removes a snapshot of an image, and rolls an image back to one.
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description: The image.
    type: str
    required: true
  name:
    description: The snapshot's name.
    type: str
    required: true
  protected:
    description: Whether it cannot be removed. Removing one that is protected needs V(false).
    type: bool
  renamed_from:
    description: Its former name. Where there is nothing of the new name, what has this one gets it.
    type: str
  allow_destroy:
    description: Whether what was written since may be lost. Needed by V(rolled_back_to).
    type: bool
    default: false
  state:
    description:
      - V(absent) removes it; refused where it has clones.
      - V(rolled_back_to) makes the image what it was when the snapshot was taken. That is an act and not a condition,
        so the task is changed each time. Refused where the image is open somewhere.
    type: str
    choices: [present, absent, rolled_back_to]
    default: present
attributes:
  idempotent:
    support: partial
    details:
      - V(rolled_back_to) is done each time.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_group
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: Before the upgrade
  strata.storage.rbd_snapshot:
    pool: vms
    image: web1-data
    name: before-upgrade

- name: A golden image, to be cloned
  strata.storage.rbd_snapshot:
    pool: vms
    image: debian12
    name: golden
    protected: true

- name: Back to where it was
  strata.storage.rbd_snapshot:
    pool: vms
    image: web1-data
    name: before-upgrade
    allow_destroy: true
    state: rolled_back_to
"""

RETURN = r"""
snapshots:
  description: The image's snapshots.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    size:
      description: The image's size when it was taken, in bytes.
      type: int
      returned: always
    protected:
      description: Whether it cannot be removed.
      type: bool
      returned: always
    clones:
      description: The images that are clones of it, as POOL/NAMESPACE/IMAGE; null where nobody looked for them.
      type: list
      elements: str
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
from ..module_utils.rbd.modules import snapshot
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.snapshot import OPTIONS
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: snapshot(module.params))


if __name__ == "__main__":
    main()
