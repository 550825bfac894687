#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_mirror_pool
short_description: Mirroring of an RBD pool
version_added: 0.1.0
description:
  - Sets whether and how the images of a pool, or of a namespace of it, are mirrored to another cluster, what this
    cluster is called, and which cluster is its peer.
  - The daemon C(rbd-mirror) of the cluster that receives does the mirroring; this module does not start it.
author:
  - the strata.storage authors (@strata-storage)
options:
  mode:
    description:
      - V(image) mirrors the images that are chosen (M(strata.storage.rbd_mirror_image)), V(pool) each image with
        feature journaling.
      - V(disabled) is refused while images are mirrored, or while there are peers.
      - V(init-only) lets namespaces of the pool be mirrored, and none of its own images. It takes Ceph 20.
    type: str
    choices: [disabled, image, pool, init-only]
  remote_namespace:
    description:
      - Namespace of the peers' pool that O(namespace) is mirrored with, where that has another name. It takes Ceph 20,
        and is fixed until O(mode) is V(disabled), which forgets it.
    type: str
  site_name:
    description: Name of this cluster, as its peers know it. An empty one means the cluster's number (fsid).
    type: str
  token:
    description:
      - Token of another cluster (O(create_token) there), which becomes the peer. That cluster gets this one as its
        peer, too.
    type: str
  direction:
    description:
      - Direction of the peer that O(token) is of, V(rx_tx) for both, V(rx_only) to receive only. Fixed for a peer that
        is there.
    type: str
    choices: [rx_only, rx_tx]
    default: rx_tx
  peers:
    description: Peers that are known by what they are called. Others stay as they are.
    type: list
    elements: dict
    suboptions:
      site_name:
        description: The name of the other cluster.
        type: str
        required: true
      client:
        description: The user there, with C(client.) or without. Needed to add a peer.
        type: str
      mon_host:
        description: The monitors of the other cluster. Those of its configuration file here, if it is not said.
        type: str
      key:
        description: The key of the user there. Only used when the peer is added.
        type: str
      direction:
        description: Direction of the peer. Fixed once it is there.
        type: str
        choices: [rx_only, rx_tx]
        default: rx_only
      state:
        description: V(absent) removes the peer. Copies stay as they are.
        type: str
        choices: [present, absent]
        default: present
  schedules:
    description:
      - All schedules by which snapshots of its images are mirrored (mode V(snapshot) of an image). Omitted means
        unchanged, an empty list none. The cluster's C(ceph-mgr) takes them.
    type: list
    elements: dict
    suboptions:
      interval:
        description: Time between two of them, for example V(30m), V(6h) or V(1d). Without a letter, minutes.
        type: str
        required: true
      start_time:
        description: Time of day at which the first is taken, in ISO 8601, for example V(14:00:00-05:00).
        type: str
  create_token:
    description:
      - If true, C(status.token) is a token for the other cluster. It holds a key, so set C(no_log) for the task.
        (ansible-core 2.22 does not print it in any case.) There is none in check mode.
    type: bool
    default: false
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - In check mode the C(site_name) of a peer that a token is imported for is empty, for only that cluster knows it.
seealso:
  - module: strata.storage.rbd_mirror_image
  - module: strata.storage.rbd_pool
"""

EXAMPLES = r"""
- name: The pool of site a mirrors chosen images, and gives a token
  strata.storage.rbd_mirror_pool:
    conf: /etc/ceph/a.conf
    pool: vms
    site_name: a
    mode: image
    create_token: true
  no_log: true
  register: site_a

- name: Site b is its peer
  strata.storage.rbd_mirror_pool:
    conf: /etc/ceph/b.conf
    pool: vms
    site_name: b
    mode: image
    token: "{{ site_a.status.token }}"
  no_log: true
"""

RETURN = r"""
mirroring:
  description: How the pool is mirrored.
  returned: success
  type: dict
  contains:
    mode:
      description: Its mode.
      type: str
      returned: always
    site_name:
      description: What this cluster is called.
      type: str
      returned: always
    peers:
      description: The peers, each with C(site_name), C(client) and C(direction).
      type: list
      elements: dict
      returned: always
    schedules:
      description: The schedules of snapshots; null where O(schedules) is not given.
      type: list
      elements: dict
      returned: always
    remote_namespace:
      description: What the namespace is called on the peers; null before Ceph 20.
      type: str
      returned: always
status:
  description: What else there is to know.
  returned: success
  type: dict
  contains:
    mirrored_images:
      description: How many images are mirrored.
      type: int
      returned: always
    token:
      description: The token that O(create_token) asks for, or null. It holds a key.
      type: str
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
from ..module_utils.rbd.mirror_pool import OPTIONS
from ..module_utils.rbd.modules import mirror_pool
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: mirror_pool(module.params, module.check_mode))


if __name__ == "__main__":
    main()
