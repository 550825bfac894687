#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_info
short_description: What an RBD pool holds
version_added: 0.1.0
description:
  - Tells of the images of a pool and namespace, in the words that M(strata.storage.rbd_images) takes, of their
    snapshots and the clones of these, of groups, namespaces, the trash, and of the pool.
author:
  - the strata.storage authors (@strata-storage)
options:
  images:
    description: The images to tell of. All, if it is not said.
    type: list
    elements: str
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_images
  - module: strata.storage.rbd_snapshot
  - module: strata.storage.rbd_group
  - module: strata.storage.rbd_namespace
  - module: strata.storage.rbd_pool
  - module: strata.storage.rbd_trash
  - module: strata.storage.rbd_migration
  - module: strata.storage.rbd_mirror_pool
  - module: strata.storage.rbd_mirror_image
"""

EXAMPLES = r"""
- name: All that a pool holds
  strata.storage.rbd_info:
    pool: vms
  register: found

- name: What was cloned of what
  ansible.builtin.debug:
    var: found.clones

- name: What is open somewhere
  ansible.builtin.debug:
    msg: "{{ found.status | dict2items | selectattr('value.watchers') | map(attribute='key') | list }}"
"""

RETURN = r"""
images:
  description: The images, in the words that M(strata.storage.rbd_images) takes.
  returned: success
  type: list
  elements: dict
status:
  description: What else there is to know of them, by their names, as M(strata.storage.rbd_image) returns it.
  returned: success
  type: dict
missing:
  description: What is in O(images), and not in the pool.
  returned: success
  type: list
  elements: str
trash:
  description: What is in the trash, as M(strata.storage.rbd_trash) returns it.
  returned: success
  type: list
  elements: dict
groups:
  description: The groups, in the words that M(strata.storage.rbd_group) takes.
  returned: success
  type: list
  elements: dict
incomplete:
  description: Snapshots of groups whose taking was cut off, as GROUP@SNAPSHOT.
  returned: success
  type: list
  elements: str
namespaces:
  description: The namespaces of the pool; null where the user may not know them.
  returned: success
  type: list
  elements: str
pool:
  description: What the pool is, as M(strata.storage.rbd_pool) returns it; null where the user may not know it.
  returned: success
  type: dict
mirroring:
  description:
    - How the pool or namespace is mirrored, as M(strata.storage.rbd_mirror_pool) returns it; null where the user may
      not know it.
  returned: success
  type: dict
migrations:
  description: The migrations that are under way, as M(strata.storage.rbd_migration) returns each.
  returned: success
  type: list
  elements: dict
stats:
  description:
    - How many images and snapshots the pool has, in the trash or not, and their sizes in bytes; null where the user may
      not know it.
  returned: success
  type: dict
clones:
  description: The snapshots that have clones, but for those of clones, which are below these.
  returned: success
  type: list
  elements: dict
  contains:
    snapshot:
      description: IMAGE@SNAPSHOT.
      type: str
      returned: always
    clones:
      description:
        - Its clones, each with C(image) (POOL/NAMESPACE/IMAGE), and C(clones), the same again of its own snapshots, as
          far as they are in this pool and namespace.
      type: list
      elements: dict
      returned: always
librbd_version:
  description: The version of librbd.
  returned: success
  type: str
fsid:
  description: The cluster's id.
  returned: success
  type: str
"""

from ..module_utils.core.module import storage_module
from ..module_utils.rbd.modules import info
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import tell


def main() -> None:
    spec = {**CONNECTION, "images": {"type": "list", "elements": "str"}}
    module = storage_module(argument_spec=spec, supports_check_mode=True)
    tell(module, lambda connection: info(connection, module.params))


if __name__ == "__main__":
    main()
