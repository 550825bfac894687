#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bcache_info
short_description: Read the bcache devices of a host
version_added: 0.1.0
description:
  - Returns the bcache devices of a host in the words that M(strata.storage.bcache) takes, and how they do.
  - Reading changes nothing.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.attributes
options:
  name:
    description: Only this one.
    type: str
seealso:
  - module: strata.storage.bcache
"""

EXAMPLES = r"""
- name: See what there is
  strata.storage.bcache_info:
  register: found

- name: See one
  strata.storage.bcache_info:
    name: cached
"""

RETURN = r"""
bcaches:
  description: What there is, each as an item of the document, which the module can be given again.
  returned: success
  type: list
  elements: dict
  sample:
    - name: cached
      backing_device: /dev/md0
      cache_device: /dev/disk/by-id/nvme-eui.0025385b01412345
      cache_mode: writeback
      bucket_size: 524288
      state: present
status:
  description: How each does, by name, as M(strata.storage.bcache) returns it.
  returned: success
  type: dict
not_read:
  description:
    - What could not be read. A device that is broken costs what it holds, and the rest is told.
    - A task that has to know it fails, and says what it could not read.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The device, empty where it is about the host.
      type: str
      returned: always
    what:
      description: What of it.
      type: str
      returned: always
    reason:
      description: What the kernel, or a program, said.
      type: str
      returned: always
"""

from ..module_utils.core.module import storage_module
from ..module_utils.host.bcache import plan as planner
from ..module_utils.host.task import tell


def main() -> None:
    module = storage_module(argument_spec={"name": {"type": "str"}}, supports_check_mode=True)
    tell(module, "bcaches", planner.survey)


if __name__ == "__main__":
    main()
