#!/usr/bin/python

# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan_approval
short_description: Approval of a plan that several tasks do
version_added: 0.1.0
description:
  - Publishes a plan to be approved, or demands that it was. M(strata.storage.layout) and
    M(strata.storage.maas_storage) do so themselves. This is for tasks that together do one thing, and are planned in
    check mode first.
  - It runs on the controller, and changes nothing.
author:
  - the strata.storage authors (@strata-storage)
options:
  plan:
    description: The steps, as modules return them in C(plan), in order.
    type: list
    elements: dict
    required: true
  about:
    description: What tells the things that the plan is about from others of the same name. It is part of the digest.
    type: dict
    default: {}
  mode:
    description: Which kind of thing is done. The approval is bound to it. V(merge), if it is omitted.
    type: str
  allow_destroy:
    description: The names of what may be destroyed. The approval is bound to them.
    type: list
    elements: str
    default: []
  computed:
    description:
      - Names of variables that the play sets itself, such as those that it registers. The task is refused where one of
        them is an extra variable, since that would count before what the play found out.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: all
extends_documentation_fragment:
  - strata.storage.approval
  - strata.storage.attributes
seealso:
  - module: strata.storage.layout
  - module: strata.storage.maas_storage
"""

EXAMPLES = r"""
- name: What a demotion would do
  strata.storage.rbd_mirror_image:
    conf: /etc/ceph/a.conf
    pool: vms
    image: web1-data
    role: secondary
  check_mode: true
  register: demoted

- name: Only what was approved
  strata.storage.plan_approval:
    plan: "{{ demoted.plan }}"
    about: {cluster: a, pool: vms}
    computed: [demoted]
    approval: require

- name: Do it
  strata.storage.rbd_mirror_image:
    conf: /etc/ceph/a.conf
    pool: vms
    image: web1-data
    role: secondary
"""

RETURN = r"""
plan:
  description: The steps that were given. The task is changed where there are any and O(approval=request).
  returned: success
  type: list
  elements: dict
plan_digest:
  description: What is the same for the same plan and O(about), and for no other.
  returned: success
  type: str
approval:
  description: What C(storage_approved) holds of this host.
  returned: when O(approval=request)
  type: dict
"""
