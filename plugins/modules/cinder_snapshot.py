#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cinder_snapshot
short_description: A snapshot of a volume, by a driver of Cinder, without OpenStack
version_added: 0.1.0
description:
  - Takes, adopts and deletes a snapshot of a volume that M(strata.storage.cinder_volume) keeps.
author:
  - the strata.storage authors (@strata-storage)
options:
  volume:
    description: Name or ID of the volume.
    type: str
    required: true
  name:
    description: Name of the snapshot.
    type: str
    required: true
  description:
    description: Description of the snapshot.
    type: str
  manage:
    description:
      - If true, and the database has no such snapshot, the backend's snapshot of this name is adopted. The driver
        renames it as Cinder names snapshots. M(strata.storage.cinder_backend_info) tells what can be adopted.
      - This also takes back a snapshot whose database was lost, once its volume was taken back.
    type: bool
    default: false
  allow_destroy:
    description: If true, O(state=absent) deletes the snapshot, and what only it has.
    type: bool
    default: false
  state:
    description: State of the snapshot. V(present) has it exist, and takes it if it does not. V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - strata.storage.cinder
  - strata.storage.cinder.database
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_cinder
seealso:
  - module: strata.storage.cinder_volume
  - module: strata.storage.cinder_backend_info
"""

EXAMPLES = r"""
- name: Before the upgrade
  strata.storage.cinder_snapshot:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    volume: db
    name: before-upgrade
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: One that the database does not have
  strata.storage.cinder_snapshot:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    volume: db
    name: before-upgrade
    manage: true
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python

- name: No longer needed
  strata.storage.cinder_snapshot:
    backend: {name: ceph, driver: rbd, options: {rbd_pool: volumes}}
    volume: db
    name: before-upgrade
    state: absent
    allow_destroy: true
  vars:
    ansible_python_interpreter: /opt/strata-cinder/bin/python
"""

RETURN = r"""
snapshot:
  description: The snapshot, or null. In check mode, as it would be.
  returned: success
  type: dict
  contains:
    id:
      description: Its ID.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    size:
      description: Size of its volume when it was taken, in bytes.
      type: int
      returned: always
    status:
      description: Its status.
      type: str
      returned: always
    description:
      description: Its description.
      type: str
      returned: always
volume_id:
  description: ID of its volume, or null.
  returned: success
  type: str
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

from ..module_utils.cinder.backend import CONNECTION
from ..module_utils.cinder.modules import snapshot
from ..module_utils.cinder.snapshot import OPTIONS
from ..module_utils.cinder.task import ensure
from ..module_utils.core.module import storage_module


def main() -> None:
    ensure(storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True), snapshot)


if __name__ == "__main__":
    main()
