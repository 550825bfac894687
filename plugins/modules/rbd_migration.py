#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_migration
short_description: Migration of an RBD image
version_added: 0.1.0
description:
  - Moves an image to another pool, namespace or layout, or imports one from elsewhere, while it can be used.
  - The destination can be used as soon as it is prepared. What is not there yet is read from the source.
  - The calls that would leave an image half migrated when they are cut off are made by a process of their own. It goes
    on where Ansible's timeout ends the module.
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description:
      - Name of the destination, in O(pool) and O(namespace). The same as the source's migrates that in its place.
    type: str
    required: true
  source:
    description:
      - Image that is moved. It is in the trash until the migration is committed, and clients have to open the
        destination instead.
      - To prepare is refused while it is open somewhere, is mirrored, has clones, or snapshots of groups.
    type: dict
    suboptions:
      pool:
        description: Pool of the source. That of the destination, if it is not said.
        type: str
      namespace:
        description: Namespace of the source. That of the destination, if neither it nor C(pool) is said.
        type: str
      image:
        description: Name of the source.
        type: str
        required: true
  import:
    description: What is imported. It stays as it is.
    type: dict
    suboptions:
      format:
        description: Format of it. V(native) is a snapshot of an image of the same cluster, or with Ceph 20 of another.
        type: str
        choices: [raw, qcow2, native]
        required: true
      file:
        description:
          - File to import, for V(raw) and V(qcow2). Each client that opens the image reads the file by this path,
            until all of it is copied (O(state=executed)).
        type: path
      url:
        description:
          - The same on a web server (C(http://), C(https://)) that answers with parts of files, or with Ceph 20 an
            export of NBD (C(nbd://)). Each client that opens the image reads it there.
          - It is kept with the image, so it holds no user and no password.
        type: str
      access_config_key:
        description:
          - Name by which the monitors keep the access key for C(url), an object of S3, as
            C(ceph config-key set NAME KEY) has it. Each client that opens the image needs caps for
            C(config-key get) with it.
          - librbd signs as in version 2, which the gateway of Ceph takes, and newer regions of AWS do not.
        type: str
      secret_config_key:
        description: Name by which they keep the secret key.
        type: str
      cluster:
        description:
          - For V(native) with Ceph 20, name of the cluster that has the image. Its configuration, which names the
            keyring, is C(/etc/ceph/CLUSTER.conf), or in the user's C(~/.ceph), wherever the image is opened.
        type: str
      client:
        description: User of that cluster, without C(client.).
        type: str
      pool:
        description: Pool of the image to import, for V(native). That of the destination, if it is not said.
        type: str
      namespace:
        description:
          - Namespace of the image to import, for V(native). That of the destination, if neither it nor C(pool) is said.
        type: str
      image:
        description: Image to import, for V(native).
        type: str
      snapshot:
        description: Snapshot of it, for V(native). It is imported with those before it.
        type: str
  features:
    description:
      - Features of the destination. Those of the source, or of new images, if they are not said. A destination that
        there is, and has others, or another layout than the options below say, is refused.
    type: list
    elements: str
    choices: [layering, exclusive-lock, object-map, fast-diff, deep-flatten, journaling]
  object_size:
    description: Size of the destination's objects, not smaller than those of the source.
    type: str
  order:
    description: The same as a power of two.
    type: int
  stripe_unit:
    description: Size of a stripe's unit. Goes with O(stripe_count).
    type: str
  stripe_count:
    description: Number of objects that a stripe goes over.
    type: int
  data_pool:
    description: Pool for the destination's data.
    type: str
  allow_destroy:
    description: If true, what this module names in C(plan) under C(destroys) may be lost.
    type: bool
    default: false
  state:
    description:
      - How far the migration is to be.
      - An image whose migration was committed says so (C(origin) under C(status)), and is left alone. One of the
        destination's name that does not say so, or came from elsewhere, is refused. Where O(source) is not there any
        more, whoever removed it, it is left alone with a warning.
      - V(prepared) makes the destination, which can be used from then on.
      - V(executed) also copies all data. A run that was cut off is continued by the next.
      - V(committed) also removes the source, which needs O(allow_destroy), but not what is imported.
      - V(aborted) removes the destination, and has the source back where it was. That needs O(allow_destroy), and is
        refused once the migration is committed.
      - Each of them first finishes, or undoes, a preparation, commit or abort that was cut off.
    type: str
    choices: [prepared, executed, committed, aborted]
    required: true
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - A migration in its place is seen as done by the features, object size, striping and data pool of the image.
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_trash
"""

EXAMPLES = r"""
- name: An image moves to another pool, and can be used there from now on
  strata.storage.rbd_migration:
    pool: ssd
    image: web1-data
    source: {pool: vms, image: web1-data}
    state: prepared

- name: All of it is there, and the source goes
  strata.storage.rbd_migration:
    pool: ssd
    image: web1-data
    source: {pool: vms, image: web1-data}
    allow_destroy: true
    state: committed

- name: An image of a virtual machine, used while it is copied
  strata.storage.rbd_migration:
    pool: vms
    image: debian13
    import: {format: qcow2, file: /srv/images/debian13.qcow2}
    state: committed

- name: One that is an object of S3, whose keys the monitors have
  strata.storage.rbd_migration:
    pool: vms
    image: web1-data
    import:
      format: raw
      url: https://s3.example.com/images/web1.raw
      access_config_key: rbd/import/access
      secret_config_key: rbd/import/secret
    state: committed
"""

RETURN = r"""
migration:
  description: The migration in the words that this module takes; null where none is under way.
  returned: success
  type: dict
status:
  description: What else there is to know.
  returned: success
  type: dict
  contains:
    phase:
      description: How far it is, in librbd's word, for example V(executing); null where none is under way.
      type: str
      returned: always
    origin:
      description: What the destination says that it was migrated, or imported, from; null where it does not say.
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
from ..module_utils.rbd.migration import OPTIONS
from ..module_utils.rbd.modules import migration
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: migration(module.params))


if __name__ == "__main__":
    main()
