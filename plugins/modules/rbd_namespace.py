#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rbd_namespace
short_description: A namespace of an RBD pool
version_added: 0.1.0
description:
  - Keeps a namespace in a pool, which users can be confined to. One that holds images or groups is not removed.
author:
  - the strata.storage authors (@strata-storage)
options:
  name:
    description: The namespace's name.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - strata.storage.rbd
  - strata.storage.rbd.binding
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_rbd
notes:
  - It is about a whole pool, so it does not take C(namespace). Where C(module_defaults) of the group
    C(strata.storage.rbd) say one, they fail this module.
seealso:
  - module: strata.storage.rbd_pool
  - module: strata.storage.rbd_image
  - module: strata.storage.rbd_info
"""

EXAMPLES = r"""
- name: A place for a tenant
  strata.storage.rbd_namespace:
    pool: vms
    name: tenant1

- name: Its first image
  strata.storage.rbd_image:
    pool: vms
    namespace: tenant1
    name: web1
    size: 20G
"""

RETURN = r"""
namespaces:
  description: The namespaces of the pool.
  returned: success
  type: list
  elements: str
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
from ..module_utils.rbd.modules import namespace
from ..module_utils.rbd.namespace import OPTIONS
from ..module_utils.rbd.options import OF_POOL
from ..module_utils.rbd.task import ensure


def main() -> None:
    module = storage_module(argument_spec={**OF_POOL, **OPTIONS}, supports_check_mode=True)
    ensure(module, lambda: namespace(module.params))


if __name__ == "__main__":
    main()
