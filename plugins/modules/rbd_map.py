#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_map
short_description: An RBD image as a block device of a host
version_added: 0.1.0
description:
  - Maps an image, or a snapshot of one, by the kernel of the managed host, now and at each boot, and unmaps it.
  - The device is C(/dev/rbd/POOL/IMAGE), or C(/dev/rbd/POOL/NAMESPACE/IMAGE@SNAPSHOT), which
    M(strata.storage.lvm_drive), M(strata.storage.raid), M(strata.storage.bcache) and M(strata.storage.layout) take as
    any other.
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description: The image.
    type: str
    required: true
  snapshot:
    description: The snapshot of it that is to be mapped, which is read-only.
    type: str
  read_only:
    description: Whether nothing can be written to it.
    type: bool
  options:
    description:
      - All options of the kernel's client that it is to be mapped with, for example V(ms_mode=crc), which a cluster
        needs that only speaks the second version of Ceph's protocol. Omitted means unchanged.
      - Other options than it is mapped with mean unmapping it, and mapping it again.
    type: list
    elements: str
  persistent:
    description: Whether each boot maps it, by C(/etc/ceph/rbdmap) and C(rbdmap.service).
    type: bool
    default: true
  state:
    description: Whether it is to be mapped. One that is mounted, or held by something, is refused to unmap.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
requirements:
  - The C(rbd) command (Debian's ceph-common), and a kernel with the module C(rbd).
notes:
  - What is mounted from a mapped image at boot needs the mount option C(_netdev), since it is mapped once there is a
    network.
  - The key stays in the keyring, which has to be on the managed host, and is never on a command line.
  - A kernel does not have all features of librbd. What it lacks is named before anything is done.
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.lvm_drive
  - module: strata.storage.layout
"""

EXAMPLES = r"""
- name: An image as a device of this host
  strata.storage.rbd_map:
    pool: vms
    image: web1-data
    client: web1
    options: [ms_mode=prefer-crc]

- name: A mounted drive on it
  strata.storage.lvm_drive:
    name: data
    devices: [/dev/rbd/vms/web1-data]
    filesystem: xfs
    mount_point: /srv
    mount_options: _netdev

- name: Last night's data, to look at
  strata.storage.rbd_map:
    pool: vms
    image: web1-data
    snapshot: nightly
    persistent: false

- name: No longer mapped, now and at boot
  strata.storage.rbd_map:
    pool: vms
    image: web1-data
    state: absent
"""

RETURN = r"""
mapping:
  description: How it is mapped; null where it is not.
  returned: success
  type: dict
  contains:
    device:
      description: The path that other modules take.
      type: str
      returned: always
    spec:
      description: The image, as POOL/NAMESPACE/IMAGE@SNAPSHOT.
      type: str
      returned: always
    read_only:
      description: Whether nothing can be written to it.
      type: bool
      returned: always
    options:
      description: The options that it is mapped with.
      type: list
      elements: str
      returned: always
    persistent:
      description: Whether it is in C(/etc/ceph/rbdmap).
      type: bool
      returned: always
provides:
  description: What a next task may O(expect) in check mode; null where it is not mapped.
  returned: success
  type: dict
  contains:
    path:
      description: The device's path.
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
from ..module_utils.host.rbd_map import plan as krbd
from ..module_utils.host.task import EXPECT, LOCK, ensure
from ..module_utils.rbd.options import CONNECTION


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **krbd.OPTIONS, **EXPECT, **LOCK}, supports_check_mode=True)
    ensure(module, krbd.parse, krbd.references, krbd.plan, krbd.facts)


if __name__ == "__main__":
    main()
