#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_import
short_description: Import of a file into an RBD image
version_added: 0.1.0
description:
  - Makes an image of a full export, or brings one from one snapshot to a later one by a differential export.
  - It reads what M(strata.storage.rbd_export), C(rbd export) (formats 1 and 2) and C(rbd export-diff) write, and any
    raw disk image, on the host that the module runs on. A file is read to its end before anything is made.
  - Several ranges are written at once. A run that was cut off is continued by the next.
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description:
      - Name of the image. A differential export brings it to the snapshot that it ends at, if the image does not have
        that.
      - A full export makes a new one, which then says which file it came from, by that file's size and time. It is left
        alone afterwards. Any other image of this name is refused.
      - A new one has another name, which ends in C(.strata-importing), until it is whole.
    type: str
    required: true
  path:
    description: Path of the file. Which kind it is, it says itself.
    type: path
    required: true
  snapshot:
    description:
      - Name of the snapshot that a new image gets, so that a differential export can follow. A differential one says
        it itself, and one of format 2 has its own.
    type: str
  features:
    description:
      - Features of a new image. What a file of format 2 says, or else the cluster's configuration, if they are not
        said. So it is with the layout, which the options below say.
      - An image that there is, and has others, or another layout, is refused.
    type: list
    elements: str
    choices: [layering, exclusive-lock, object-map, fast-diff, deep-flatten, journaling]
  object_size:
    description: Size of a new image's objects.
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
    description: Pool for a new image's data.
    type: str
  allow_destroy:
    description:
      - If true, an image that was written to since the snapshot that a differential export begins at is rolled back
        to that, and an image may become smaller.
    type: bool
    default: false
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_export
  - module: strata.storage.rbd_migration
"""

EXAMPLES = r"""
- name: Back as it was on Monday
  strata.storage.rbd_import:
    pool: vms
    image: web1-restored
    path: /srv/backup/web1-data.monday
    snapshot: monday

- name: And on Tuesday
  strata.storage.rbd_import:
    pool: vms
    image: web1-restored
    path: /srv/backup/web1-data.monday-tuesday

- name: All of it, from one file
  strata.storage.rbd_import:
    pool: vms
    image: web1-restored-with-snapshots
    path: /srv/backup/web1-data.all
"""

RETURN = r"""
image:
  description: The image in the words that this module takes; null where there is none.
  returned: success
  type: dict
status:
  description: What else there is to know of it, as M(strata.storage.rbd_image) returns it.
  returned: success
  type: dict
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
from ..module_utils.rbd.import_ import OPTIONS
from ..module_utils.rbd.modules import import_
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: import_(module.params))


if __name__ == "__main__":
    main()
