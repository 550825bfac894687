#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_images
short_description: Many RBD images in one task
version_added: 0.1.0
description:
  - Does for many images what M(strata.storage.rbd_image) does for one, over one connection and with one plan, and reads
    them at once. For a thousand images that is a matter of seconds.
author:
  - the strata.storage authors (@strata-storage)
attributes:
  idempotent:
    support: partial
    details:
      - C(sparsify) is done each time.
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.namespace
  - strata.storage.rbd.binding
  - strata.storage.rbd.images
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - No image of a task is the parent of another one in it.
seealso:
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: What three machines need, and one no longer
  strata.storage.rbd_images:
    pool: vms
    images:
      - {name: web1, size: 20G}
      - {name: db1, size: 500G, config: {rbd_qos_iops_limit: 2000}}
      - {name: old, state: trashed}
"""

RETURN = r"""
images:
  description: The images that there are, in the words that this module takes.
  returned: success
  type: list
  elements: dict
status:
  description: What else there is to know of them, by their names, as M(strata.storage.rbd_image) returns it.
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
from ..module_utils.rbd.modules import many_images
from ..module_utils.rbd.options import CONNECTION, OPTIONS
from ..module_utils.rbd.task import ensure


def main() -> None:
    images = {"type": "list", "elements": "dict", "options": OPTIONS, "required": True}
    spec = {**CONNECTION, "images": images}
    module = storage_module(parse=many_images, argument_spec=spec, supports_check_mode=True)
    ensure(module, lambda: many_images(module.params))


if __name__ == "__main__":
    main()
