#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_layout_script
short_description: A custom storage layout as a commissioning script of a MAAS region
version_added: 0.1.0
description:
  - Uploads a commissioning script that writes a custom storage layout (MAAS 3.1 and newer), changes it, and removes it.
  - The script is uploaded again only where its layout differs. The region keeps the former versions.
  - MAAS applies the layout of a machine that was commissioned with the script where its storage layout is set to
    C(custom).
author:
  - the strata.storage authors (@strata-storage)
options:
  name:
    description:
      - Name of the script. It begins with V(41-) to V(49-), so that MAAS runs it after it knows the hardware, and
        before it reads the layout.
      - Scripts of that name that this module did not make are left alone.
    type: str
    required: true
  layout:
    description:
      The layout, as the filter P(strata.storage.maas_custom_layout#filter) returns it. Needed for a new script.
    type: dict
  tags:
    description:
      - All tags of the script. Machines are commissioned with it by one of them, or by its name.
      - New scripts get V(noauto), so that they run only where they are named. Without it, each machine of the region
        runs the script when it is commissioned.
    type: list
    elements: str
  comment:
    description: Comment on the new version.
    type: str
  state:
    description: V(present) uploads or changes the script, V(absent) removes it with all its versions.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - strata.storage.maas
  - strata.storage.attributes
  - strata.storage.attributes.actiongroup_maas
notes:
  - Tested against a simulator that runs the script, and applies the layout by the form that MAAS documents.
seealso:
  - plugin: strata.storage.maas_custom_layout
    plugin_type: filter
  - module: strata.storage.maas_storage
"""

EXAMPLES = r"""
- name: One disk, split in two
  strata.storage.maas_layout_script:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    name: 45-two-halves
    comment: The second half is for containers
    layout:
      layout:
        sda:
          type: disk
          ptable: gpt
          boot: true
          partitions:
            - {name: root, size: 100G, fs: ext4}
            - {name: containers, size: 100G, fs: xfs}
      mounts:
        /: {device: root}
        /var/lib/containers: {device: containers, options: noatime}

- name: That script goes
  strata.storage.maas_layout_script:
    url: https://maas.example.com:5443/MAAS
    api_key_file: ~/.maas-key
    name: 45-two-halves
    state: absent
"""

RETURN = r"""
script:
  description: The script, none where there is none.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    tags:
      description: Its tags.
      type: list
      elements: str
      returned: always
    versions:
      description: The numbers and comments of the versions that the region keeps, the newest first.
      type: list
      elements: dict
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

from typing import Any

from ..module_utils.core.module import storage_module
from ..module_utils.maas.task import CONNECTION, upload


def main() -> None:
    own: dict[str, dict[str, Any]] = {
        "name": {"type": "str", "required": True},
        "layout": {"type": "dict"},
        "tags": {"type": "list", "elements": "str"},
        "comment": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    upload(storage_module(argument_spec={**CONNECTION, **own}, supports_check_mode=True))


if __name__ == "__main__":
    main()
