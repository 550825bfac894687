#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_mirror_image
short_description: Mirroring of an RBD image
version_added: 0.1.0
description:
  - Mirrors an image to the peer of its pool, and makes it the primary or a copy.
  - Nothing that deletes a copy, or loses what was written, follows from a condition alone. To disable mirroring, to
    change O(mode), to promote by force and to sync anew each needs O(allow_destroy).
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description: The image's name.
    type: str
    required: true
  mode:
    description:
      - How it is mirrored, V(snapshot) if it is not said for a new one. V(journal) switches its features
        exclusive-lock and journaling on.
      - To change it, the mirroring is disabled and enabled again. That deletes the copy on the peer, which comes anew.
    type: str
    choices: [journal, snapshot]
  role:
    description:
      - V(primary) promotes a copy, V(secondary) demotes a primary, which is refused while the image is open somewhere.
      - Before a copy is promoted, the primary has to be demoted, and that to be known here. O(wait) waits for it.
    type: str
    choices: [primary, secondary]
  force_promote:
    description:
      - If true, a copy is promoted though the other cluster has a primary, for the case that this cluster is lost.
        What was written there and is not here yet is lost, so this needs O(allow_destroy). Where the other cluster
        comes back, both are primary; demote one, and sync it anew (O(resynced)).
    type: bool
    default: false
  snapshot:
    description:
      - If true, a snapshot is taken for the peer now. That is an act and not a condition, so the task is changed each
        time.
    type: bool
    default: false
  resynced:
    description:
      - If true, this copy is removed, and comes anew from the primary. That is an act and not a condition. It is
        refused where no peer says that it has the primary, and needs O(allow_destroy).
    type: bool
    default: false
  allow_destroy:
    description: If true, what this module names in C(plan) under C(destroys) may be lost.
    type: bool
    default: false
  wait:
    description:
      - If true, waits until a peer has the copy of a primary, and follows it.
      - With O(role=primary), waits for the demotion elsewhere instead, before the promotion.
    type: bool
    default: false
  wait_timeout:
    description: For how many seconds to wait, each time.
    type: int
    default: 300
  state:
    description:
      - V(enabled) mirrors it. V(disabled) is only possible where it is primary, deletes its copy on the peer, and
        needs O(allow_destroy).
    type: str
    choices: [enabled, disabled]
    default: enabled
attributes:
  idempotent:
    support: partial
    details:
      - O(snapshot) and O(resynced) are done each time.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_mirror_pool
  - module: strata.storage.rbd_image
"""

EXAMPLES = r"""
- name: Mirrored by snapshots, and there
  strata.storage.rbd_mirror_image:
    conf: /etc/ceph/a.conf
    pool: vms
    image: web1-data
    wait: true

- name: A planned failover begins where it is primary
  strata.storage.rbd_mirror_image:
    conf: /etc/ceph/a.conf
    pool: vms
    image: web1-data
    role: secondary

- name: And ends where it is to be
  strata.storage.rbd_mirror_image:
    conf: /etc/ceph/b.conf
    pool: vms
    image: web1-data
    role: primary
    wait: true
"""

RETURN = r"""
mirroring:
  description: How it is mirrored, in the words that this module takes; null where there is no such image.
  returned: success
  type: dict
status:
  description: What else there is to know.
  returned: success
  type: dict
  contains:
    daemons:
      description:
        - What the daemons of this cluster and of its peers tell of it, each with C(mirror_uuid) (null for this
          cluster), C(up), C(state) and C(description).
      type: list
      elements: dict
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
in_progress:
  description: Sentences about what is on its way, such as the first sync of a copy.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.core.module import storage_module
from ..module_utils.rbd.mirror_image import OPTIONS
from ..module_utils.rbd.modules import mirror_image
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: mirror_image(module.params))


if __name__ == "__main__":
    main()
