#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_image
short_description: An RBD image
version_added: 0.1.0
description:
  - Creates, clones, copies, resizes, renames, flattens and removes an image of a Ceph cluster, and keeps its features,
    metadata and settings.
  - Everything goes over one connection to the cluster, by librbd, without the C(rbd) command.
author:
  - the strata.storage authors (@strata-storage)
attributes:
  idempotent:
    support: partial
    details:
      - O(sparsify) is done each time.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.rbd.image
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - What takes long (C(flatten), C(absent)) tells in the system's log, every tenth, how far it
    is. librbd's binding tells nothing while it resizes, rolls back or builds an object map.
  - A mirrored image is not removed, and its copies are not changed. See M(strata.storage.rbd_mirror_image).
seealso:
  - module: strata.storage.rbd_images
  - module: strata.storage.rbd_snapshot
  - module: strata.storage.rbd_trash
  - module: strata.storage.rbd_mirror_image
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: An image
  strata.storage.rbd_image:
    pool: vms
    name: web1-data
    size: 200G
    features: [layering, exclusive-lock, object-map, fast-diff]
    metadata: {owner: web}
    config: {rbd_qos_iops_limit: 500}

- name: A clone of a golden image, which is to be independent of it
  strata.storage.rbd_image:
    pool: vms
    name: web2
    parent: {image: debian12, snapshot: golden}
    size: 20G
    flatten: true

- name: A copy of how it was last night
  strata.storage.rbd_image:
    pool: tests
    name: web1-data
    copy_of: {pool: vms, image: web1-data, snapshot: nightly}

- name: Encrypted
  strata.storage.rbd_image:
    pool: vms
    name: vault
    size: 40G
    encryption: {format: luks2, passphrase: "{{ lookup('ansible.builtin.env', 'VAULT_PASSPHRASE') }}"}

- name: Into the trash for a week
  strata.storage.rbd_image:
    pool: vms
    name: web1-data
    delay: 604800
    state: trashed

- name: Gone, snapshots and all
  strata.storage.rbd_image:
    pool: vms
    name: web2
    purge_snapshots: true
    state: absent
"""

RETURN = r"""
image:
  description: The image in the words that this module takes; null where there is none.
  returned: success
  type: dict
status:
  description: What else there is to know of it; null where there is none.
  returned: success
  type: dict
  contains:
    id:
      description: librbd's own number for it.
      type: str
      returned: always
    snapshots:
      description: Its snapshots, with C(name), C(size), C(protected) and C(clones) (null where nobody looked for them).
      type: list
      elements: dict
      returned: always
    group:
      description: The group that it is in, or null.
      type: str
      returned: always
    watchers:
      description: The addresses of those that have it open.
      type: list
      elements: str
      returned: always
    locked_by:
      description: The addresses of those that hold its lock.
      type: list
      elements: str
      returned: always
    mirrored:
      description: Whether it is mirrored.
      type: bool
      returned: always
    mirroring:
      description: How it is mirrored, as M(strata.storage.rbd_mirror_image) returns it, or null.
      type: dict
      returned: always
    encryption:
      description:
        - With C(encryption), what the image has of it, C(format) (null for none) and C(data_size) (bytes for data);
          else null.
      type: dict
      returned: always
    object_map_valid:
      description: Whether its object map is right; null where it has none.
      type: bool
      returned: always
provides:
  description: What M(strata.storage.rbd_map) may O(strata.storage.rbd_map#module:expect) in check mode.
  returned: success
  type: dict
  contains:
    path:
      description: The path that the image gets where it is mapped.
      type: str
      returned: always
    size:
      description: Its size in bytes.
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
from ..module_utils.rbd.modules import image
from ..module_utils.rbd.options import CONNECTION, OPTIONS
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: image(module.params))


if __name__ == "__main__":
    main()
