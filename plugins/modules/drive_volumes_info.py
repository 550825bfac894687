#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drive_volumes_info
short_description: Read the network volumes of a drive
version_added: 0.1.0
description:
  - Returns the network volumes of a drive, and those that were made for it and lack its tag.
  - Reading changes nothing.
author:
  - the strata.storage authors (@strata-storage)
extends_documentation_fragment:
  - strata.storage.volumes.provider
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_volumes
options:
  name:
    description: Name of the drive.
    type: str
    required: true
  machine:
    description: ID of the machine that the drive is for. Needed by all providers but V(loop) and
      V(rbd).
    type: str
    default: ""
requirements:
  - For provider V(aws), the Python package C(boto3).
  - For provider V(gcp), the Python package C(google-api-python-client).
  - For provider V(openstack), the Python package C(openstacksdk).
  - For provider V(outscale), the Python package C(osc-sdk-python) and Python 3.10 or newer.
  - For provider V(rbd), the C(rbd) command (Debian's ceph-common).
seealso:
  - module: strata.storage.drive_volumes
"""

EXAMPLES = r"""
- name: See the volumes of a drive
  strata.storage.drive_volumes_info:
    name: scratch
    machine: i-12345678
    provider: {name: outscale, region: eu-west-2}
  delegate_to: localhost
"""

RETURN = r"""
volumes:
  description: The volumes of the drive, as M(strata.storage.drive_volumes) returns them.
  returned: success
  type: list
  elements: dict
orphans:
  description:
    - Volumes that were made for the drive and lack its tag, since a run was interrupted. They are billed. The next run
      of M(strata.storage.drive_volumes) uses or deletes them.
  returned: success
  type: list
  elements: dict
"""

from ..module_utils.core.module import storage_module
from ..module_utils.volumes.task import INFO, tell


def main() -> None:
    tell(storage_module(argument_spec=INFO, supports_check_mode=True))


if __name__ == "__main__":
    main()
