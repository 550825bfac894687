#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_export
short_description: Export of an RBD image to a file
version_added: 0.1.0
description:
  - Writes what a snapshot has, or what changed since an older one, to a file of the host that the module runs on; or
    an image with all its snapshots, up to one.
  - The file is as C(rbd export) and C(rbd export-diff) write it, so that C(rbd import) and C(rbd import-diff) read it,
    as M(strata.storage.rbd_import) does. A full one of format 1 is sparse.
  - Several ranges are read at once. A run that was cut off is continued by the next.
author:
  - the strata.storage authors (@strata-storage)
options:
  image:
    description: Name of the image.
    type: str
    required: true
  snapshot:
    description: Snapshot that is exported. An image itself would change meanwhile.
    type: str
    required: true
  from_snapshot:
    description: Older snapshot. Only what changed since then is exported.
    type: str
  path:
    description:
      - Path of the file, in a directory that is there. Until it is whole, its name ends in C(.strata-partial).
      - The file beside it whose name ends in C(.strata.json) tells what it is an export of. Without that, it counts as
        any other file.
    type: path
    required: true
  format:
    description:
      - Format of a full export, V(1) if it is not said.
      - V(2) has all snapshots until O(snapshot), and which of them are protected, the image's features, object size and
        striping, its metadata and its settings. A file is no longer this export once one of these is changed. It is
        read by C(rbd import --export-format 2).
    type: int
    choices: [1, 2]
  allow_destroy:
    description: If true, a file that is there, and is not known to be this export, is replaced.
    type: bool
    default: false
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
seealso:
  - module: strata.storage.rbd_import
  - module: strata.storage.rbd_snapshot
"""

EXAMPLES = r"""
- name: All of it, once
  strata.storage.rbd_export:
    pool: vms
    image: web1-data
    snapshot: monday
    path: /srv/backup/web1-data.monday

- name: And what changed, each day
  strata.storage.rbd_export:
    pool: vms
    image: web1-data
    from_snapshot: monday
    snapshot: tuesday
    path: /srv/backup/web1-data.monday-tuesday

- name: All of it with its snapshots, metadata and layout, in one file
  strata.storage.rbd_export:
    pool: vms
    image: web1-data
    snapshot: tuesday
    path: /srv/backup/web1-data.all
    format: 2
"""

RETURN = r"""
export:
  description: The export in the words that this module takes.
  returned: success
  type: dict
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
from ..module_utils.rbd.export import OPTIONS
from ..module_utils.rbd.modules import export
from ..module_utils.rbd.options import CONNECTION
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**CONNECTION, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: export(module.params))


if __name__ == "__main__":
    main()
