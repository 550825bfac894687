#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: layout
short_description: All of a host's storage as one document, one plan, one task
version_added: 0.1.0
description:
  - Brings partitions, arrays, bcaches, LUKS containers, drives and filesystems about together, from one document. Each
    is planned on the state that those before it lead to, so that the whole plan is there before anything is done,
    also on devices that do not exist yet.
  - Items are written in any order, and name each other; what one is made of is done before it.
  - What the document does not name stays as it is, unless O(mode) says otherwise.
author:
  - the strata.storage authors (@strata-storage)
options:
  allow_destroy:
    description:
      - Devices whose content may be destroyed, by path (best C(/dev/disk/by-id)), serial number or WWN. A disk stands
        for its partitions too. A device that is not named here is refused if it holds anything.
      - Names of items. Each permits the task to destroy all that is in the way of that item, for instance a filesystem
        on any device that the item is to be made of, what is on an item that is removed, and old bytes that surface in
        a new item. Name devices where you can, so that a wrong device is still refused.
      - "A name that items of several sections have is refused. Say it with its section, such as C(raids: data). Where
        an item is made of such a one, it is named in the same way."
      - Without either here, whatever holds a signature is refused, and the error names the device and what was found
        on it.
      - A device that is in use (mounted, held by something else) is refused either way.
    type: list
    elements: str
    default: []
  mode:
    description:
      - With V(merge), what the document does not name stays as it is.
      - With V(exact), it is removed, in the sections that are there (where one is empty, everything is removed, where
        it is left out, nothing). Each such item has to be in O(allow_destroy). What is mounted or in use as swap is
        refused, what the root filesystem (also C(/boot), C(/usr), C(/var)) lies on is left alone, and so are partitions
        without a name of their own, and volumes of drives that are named.
    type: str
    choices: [merge, exact]
    default: merge
  expected_plan:
    description:
      - The RV(plan_digest) of a plan that was looked at, for example in check mode, and approved. The task refuses,
        before it does anything, where the host would now need another plan. Where nothing is left to do it passes. What
        turns out to be needed only after a wait is left, and named in RV(in_progress).
    type: str
extends_documentation_fragment:
  - strata.storage.approval
  - strata.storage.document.disks
  - strata.storage.document.partitions
  - strata.storage.document.raids
  - strata.storage.document.bcaches
  - strata.storage.document.luks
  - strata.storage.document.drives
  - strata.storage.document.filesystems
  - strata.storage.host.expect
  - strata.storage.host.lock
  - strata.storage.host.waiting
  - strata.storage.attributes
notes:
  - Errors of several items are told at once, a line for each, with the item that it is about, such as
    C(raids[0] md0).
  - A device is the name of another item (C(md0), C(cached), C(data/srv) for a volume of a drive), of disks (C(slow) for
    all of them, C(slow[0]) for the first), a path, or a kernel name, in this order.
  - Where an item has to be started first to see what is on it, what is made of it is planned once it runs. Check mode
    then shows the plan up to there, and RV(in_progress) what follows.
seealso:
  - module: strata.storage.raid
  - module: strata.storage.bcache
  - module: strata.storage.luks_device
  - module: strata.storage.lvm_drive
"""

EXAMPLES = r"""
- name: Two volumes on a cached RAID 6
  strata.storage.layout:
    disks:
      - {name: slow, rotational: true, min_size: 4TB, count: 6}
      - {name: fast, serial: S4EWNX0R}
    raids:
      - name: md0
        level: '6'
        devices: [slow]
    bcaches:
      - name: cached
        backing_device: md0
        cache_device: fast
        cache_mode: writeback
    drives:
      - name: data
        devices: [cached]
        volumes:
          - {name: srv, size: 80%, filesystem: xfs, mount_point: /srv}
          - {name: logs, size: 100%, filesystem: ext4, mount_point: /var/log/app, mount_options: noatime}

- name: A mirror with a filesystem straight on it, without LVM
  strata.storage.layout:
    raids:
      - {name: md1, level: '1', devices: [sdb, sdc]}
    filesystems:
      - {device: md1, type: ext4, mount_point: /srv/backup}
      - {device: sdd, type: swap}

- name: What would be done
  strata.storage.layout:
    filesystems:
      - {device: sde, type: xfs, mount_point: /srv/new}
  check_mode: true
  register: planned

- name: Exactly that, once somebody has looked at it
  strata.storage.layout:
    filesystems:
      - {device: sde, type: xfs, mount_point: /srv/new}
    expected_plan: "{{ planned.plan_digest }}"

- name: A mirror taken apart, with what is on it, and its disks in an array
  strata.storage.layout:
    raids:
      - {name: md1, state: absent}
      - {name: md2, level: '5', devices: [sdb, sdc, sdf]}
    filesystems:
      - {device: md1, state: absent}
    allow_destroy: [md1]

- name: An encrypted mirror, opened at boot by a key file of the host
  strata.storage.layout:
    raids:
      - {name: md0, level: '1', devices: [sdb, sdc]}
    luks:
      - {name: vault, device: md0, key_file: /etc/keys/vault}
    drives:
      - {name: data, devices: [vault], filesystem: xfs, mount_point: /srv}
"""

RETURN = r"""
layout:
  description: The document's items as they are, by section.
  returned: success
  type: dict
status:
  description: How each does, by section and name, as the modules of the single items return it.
  returned: success
  type: dict
plan:
  description: The steps, in order; in check mode what would be done, else what was planned and done.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What the step does, in one word.
      type: str
      returned: always
    kind:
      description: The kind of thing that it does it to.
      type: str
      returned: always
    name:
      description: The name of that thing. One that is still to be made may have a name in angle brackets.
      type: str
      returned: always
    detail:
      description: More about it.
      type: str
      returned: always
    commands:
      description: What does it, such as commands, kernel attributes, file edits, requests, or calls of a library.
      type: list
      elements: str
      returned: always
    destroys:
      description: The data that it destroys, a sentence for each thing that holds some.
      type: list
      elements: str
      returned: always
plan_digest:
  description:
    - What is the same for the same plan on the same devices of the same machine, and for no other. The option
      O(expected_plan) takes it.
  returned: always
  type: str
approval:
  description: What C(storage_approved) holds of this host.
  returned: when O(approval=request)
  type: dict
done:
  description: The steps that were done, also when a later one failed.
  returned: when anything was done
  type: list
  elements: dict
in_progress:
  description: What is on its way and needs nobody, for instance a resync, and what is planned only after it.
  returned: success
  type: list
  elements: str
pending:
  description:
    What is wanted and can only be done once what is on its way has ended, or once a member that is missing is back, as
    it is planned now. The task warns of it, and does it when it is run again then.
  returned: success
  type: list
  elements: str
pending_reboot:
  description: What takes effect with the next boot.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.core.module import storage_module
from ..module_utils.core.plan import LATER
from ..module_utils.core.run import EXPECTED
from ..module_utils.document import document
from ..module_utils.host import layout as planner
from ..module_utils.host.host import Host
from ..module_utils.host.task import EXPECT, LOCK, WAITING, ensure


def _tree(host: Host) -> list[dict[str, Any]]:
    """The tree without what comes and goes by itself."""
    from ..module_utils.host.tree import tree

    return tree(host, findings=False)


def _draw(before: Any, after: Any) -> tuple[str, ...]:
    from ..module_utils.document.tree import draw_alike

    return draw_alike(before, after)


def main() -> None:
    own: dict[str, dict[str, Any]] = {
        "mode": {"type": "str", "choices": list(document.MODES), "default": "merge"},
        "allow_destroy": {"type": "list", "elements": "str", "default": []},
        **EXPECTED,
    }
    module = storage_module(
        parse=document.parse,
        argument_spec={**document.OPTIONS, **own, **EXPECT, **WAITING, **LOCK},
        supports_check_mode=True,
    )
    parts = (planner.references, planner.plan, planner.facts)
    ensure(module, document.parse, *parts, diff=_tree, draw=_draw, many=True, later=LATER)


if __name__ == "__main__":
    main()
