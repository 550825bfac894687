#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drive_usage_info
short_description: Read how full a drive of network volumes is
version_added: 0.1.0
description:
  - Returns how many bytes and inodes of a drive are in use, as M(strata.storage.drive_volumes) takes it.
  - Finds the devices of network volumes on this host, by their serial numbers, and waits for them.
  - Reading changes nothing.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.attributes
options:
  name:
    description: Name of the drive.
    type: str
    required: true
  volumes:
    description: Volumes to find, as M(strata.storage.drive_volumes) returns them.
    type: list
    elements: dict
    default: []
  wait_timeout:
    description:
      - Time limit in seconds for an attached volume to appear on this host. In check mode, where it may not be
        attached, the task does not wait.
    type: int
    default: 60
seealso:
  - module: strata.storage.drive_volumes
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: See how full a drive is
  strata.storage.drive_usage_info:
    name: data
"""

RETURN = r"""
exists:
  description: True if there is a drive of that name.
  returned: success
  type: bool
whole:
  description: False if LVM misses a part of it.
  returned: success
  type: bool
usage:
  description: Usage of its filesystem; null while it is not mounted.
  returned: success
  type: dict
  sample:
    size: 10724835328
    used: 9663676416
    inodes: 0
    inodes_used: 0
    total_size: 10733223936
    shrinks: true
devices:
  description: Path of each volume that was found, by its ID.
  returned: success
  type: dict
members:
  description: IDs of the volumes that were found and that the drive is made of. Only these can be emptied.
  returned: success
  type: list
  elements: str
check_mode:
  description: True if the task ran in check mode. C(ansible_check_mode) does not tell where only the task says so.
  returned: success
  type: bool
"""

from ..module_utils.core.errors import sentence
from ..module_utils.core.module import storage_module
from ..module_utils.host.lvm.usage import tell_usage
from ..module_utils.host.task import check_root


def main() -> None:
    module = storage_module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "volumes": {"type": "list", "elements": "dict", "default": []},
            "wait_timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        check_root()
        timeout = None if module.check_mode else module.params["wait_timeout"]
        found = tell_usage(module.params["name"], module.params["volumes"], timeout)
    except Exception as error:  # as in core/run.py
        module.fail_json(msg=sentence(error), changed=False)
    module.exit_json(changed=False, check_mode=module.check_mode, **found)


if __name__ == "__main__":
    main()
