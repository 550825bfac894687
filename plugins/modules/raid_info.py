#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: raid_info
short_description: Read the software RAID arrays of a host
version_added: 0.1.0
description:
  - Returns the software RAID arrays of a host in the words that M(strata.storage.raid) takes, and how they do.
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
  - module: strata.storage.raid
"""

EXAMPLES = r"""
- name: See what there is
  strata.storage.raid_info:
  register: found

- name: See one
  strata.storage.raid_info:
    name: md0
"""

RETURN = r"""
raids:
  description: What there is, each as an item of the document, which the module can be given again.
  returned: success
  type: list
  elements: dict
  sample:
    - name: md0
      level: '5'
      devices:
        - /dev/disk/by-id/ata-ST4000VN008_WDH00001
        - /dev/disk/by-id/ata-ST4000VN008_WDH00002
        - /dev/disk/by-id/ata-ST4000VN008_WDH00003
      spare_devices: []
      chunk_size: 524288
      layout: left-symmetric
      metadata: '1.2'
      bitmap: none
      uuid: 5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6
      state: present
status:
  description: How each does, by name, as M(strata.storage.raid) returns it.
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
from ..module_utils.host.raid import plan as planner
from ..module_utils.host.task import tell


def main() -> None:
    module = storage_module(argument_spec={"name": {"type": "str"}}, supports_check_mode=True)
    tell(module, "raids", planner.survey)


if __name__ == "__main__":
    main()
