# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task notes in MAAS, as tags of devices, before a request after which nothing else tells it.

A task that is cut off is finished by the next one, whatever that is about, as long as the machine is Ready.
"""

from __future__ import annotations

from ..core.plan import Plan, both
from . import cache_set, stand_in
from .actions import step, tag
from .state import LEAVING, READY, STAND_IN, Device, Machine, remount_tag


def _may_tidy(machine: Machine) -> bool:
    """Not for a user who would be refused: what such a task is about may be permitted."""
    user = machine.user
    return machine.status == READY and (user is None or user.admin or not user.local)


def swept(machine: Machine, disks: frozenset[str] = frozenset()) -> Plan:
    """Without what a task left that was cut off. What stands for ``disks``, which the document names, is of use."""
    whole = Plan((), machine)
    if _may_tidy(machine):
        whole = both(whole, cache_set.sweep(whole.after))
        whole = both(whole, stand_in.sweep(whole.after, disks))
    return whole


def settled(machine: Machine) -> Plan:
    """Without what is left after all, notes of what has gone, and of mounts of what is no filesystem any more."""
    whole = swept(machine)
    for device in stand_in.settled(whole.after) if _may_tidy(machine) else ():
        changed = device._replace(marks=device.marks - {STAND_IN})
        whole = _untagged(whole, changed, STAND_IN, "it is known without that, or named in the document")
    for device in whole.after.devices.values() if _may_tidy(machine) else ():
        found = device.filesystem
        if LEAVING in device.marks:
            changed = device._replace(marks=device.marks - {LEAVING})
            whole = _untagged(whole, changed, LEAVING, "its cache set stays, or has gone")
        if device.remount and (found is None or found.mount_point is not None):
            changed = whole.after.devices[device.key]._replace(remount=None)
            whole = _untagged(whole, changed, remount_tag(device.remount), "nothing is to be mounted there again")
    return whole


def _untagged(whole: Plan, changed: Device, name: str, why: str) -> Plan:
    call = tag(whole.after, changed, name, "remove_tag")
    one = step("untag", "device", changed.key, why, call)
    return both(whole, Plan((one,), whole.after.with_device(changed)))
