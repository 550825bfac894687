#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cinder_backend_info
short_description: Read a storage array by a driver of Cinder, without OpenStack
version_added: 0.1.0
description:
  - Starts a driver of Cinder and returns the figures of its backend, the volumes that the database has of it, those
    that it does not have, and the options of the driver.
  - Reading changes nothing, neither on the backend nor in the database. A database that is not there is taken as empty.
author:
  - the strata.storage authors (@strata-storage)
options:
  gather:
    description:
      - Parts to return. V(manageable) may be slow, and so may V(drivers), which takes some seconds and needs no
        O(backend).
    type: list
    elements: str
    choices: [stats, volumes, manageable, options, drivers]
    default: [stats, volumes]
  refresh:
    description:
      - If true, the driver asks the backend for its figures anew. Else they are those of its start in this task.
    type: bool
    default: false
  backend:
    description: Backend, as in M(strata.storage.cinder_volume). Needed for all of O(gather) but V(drivers).
    type: dict
    suboptions:
      name:
        description: Name of the backend.
        type: str
        required: true
      driver:
        description: Class of Cinder's driver, or V(rbd), or V(lvm).
        type: str
        required: true
      options:
        description: Options of the driver.
        type: dict
        default: {}
extends_documentation_fragment:
  - strata.storage.cinder.database
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_cinder
seealso:
  - module: strata.storage.cinder_volume
  - module: strata.storage.cinder_snapshot
"""

EXAMPLES = r"""
- name: How full a backend is, and what it has
  strata.storage.cinder_backend_info:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
  register: found
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: What could be adopted
  strata.storage.cinder_backend_info:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    gather: [manageable]
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: Which drivers there are
  strata.storage.cinder_backend_info:
    gather: [drivers]
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python
"""

RETURN = r"""
pools:
  description: Names of the backend's pools.
  returned: if O(backend) is given
  type: list
  elements: str
configuration:
  description: The options that the driver was given, those of the short word among them. A secret one is null.
  returned: if O(backend) is given
  type: dict
stats:
  description:
    - What the driver tells of its backend, as it does. In C(pools), each with C(total_capacity_gb) and
      C(free_capacity_gb), which some drivers do not know.
  returned: if O(gather) has V(stats)
  type: dict
volumes:
  description: The volumes that the database has of the backend, as M(strata.storage.cinder_volume) returns them.
  returned: if O(gather) has V(volumes)
  type: list
  elements: dict
manageable:
  description: Volumes that are on the backend and not in the database; null where the driver cannot list them.
  returned: if O(gather) has V(manageable)
  type: list
  elements: dict
  contains: &stranger
    reference:
      description: How the driver finds it, such as C(source-name) and its name.
      type: dict
      returned: always
    size:
      description: Its size in bytes, rounded up to GiB.
      type: int
      returned: always
    obstacle:
      description: Why it cannot be adopted, or null.
      type: str
      returned: always
manageable_snapshots:
  description: The same of snapshots.
  returned: if O(gather) has V(manageable)
  type: list
  elements: dict
  contains:
    <<: *stranger
    volume:
      description: What its volume is called on the backend, or null.
      type: str
      returned: always
options:
  description: The options that the driver takes.
  returned: if O(gather) has V(options)
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    type:
      description: Type of its value.
      type: str
      returned: always
    default:
      description: Its default as text, or null.
      type: str
      returned: always
    choices:
      description: The values that it takes, where they are a few.
      type: list
      elements: str
      returned: always
    secret:
      description: If true, its value is told nowhere.
      type: bool
      returned: always
    required:
      description: If true, the driver needs it.
      type: bool
      returned: always
    deprecated:
      description: If true, a later release of Cinder may not have it.
      type: bool
      returned: always
    description:
      description: What Cinder says of it.
      type: str
      returned: always
drivers:
  description: The drivers of this release of Cinder. Few of them were tried with this collection.
  returned: if O(gather) has V(drivers)
  type: list
  elements: dict
  contains:
    driver:
      description: Its class.
      type: str
      returned: always
    version:
      description: Its version.
      type: str
      returned: always
    supported:
      description: If false, Cinder's authors no longer test it.
      type: bool
      returned: always
    description:
      description: What it says of itself.
      type: str
      returned: always
    secrets:
      description: Names of its options that are secret.
      type: list
      elements: str
      returned: always
"""

from ..module_utils.cinder.info import OPTIONS
from ..module_utils.cinder.task import tell
from ..module_utils.core.module import storage_module


def main() -> None:
    tell(storage_module(argument_spec=OPTIONS, supports_check_mode=True))


if __name__ == "__main__":
    main()
