# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines: the list of them, what happens to one as a whole, and filesystems on no device."""

from __future__ import annotations

from . import commissioning, told
from .filesystems import SPECIAL, mount_point
from .forms import Form
from .layouts import set_layout
from .parts import ALLOCATED, DEPLOYED, NEW, READY, STATUS_NAMES, ApiError, Filesystem
from .request import Answer, Request

_FILTERS = ("hostname", "id", "pool", "zone")
_RELEASABLE = (ALLOCATED, DEPLOYED)


def list_machines(request: Request) -> Answer:
    found = []
    for machine in request.region.machines.values():
        known = {
            "hostname": machine.hostname,
            "id": machine.system_id,
            "pool": machine.pool,
            "zone": machine.zone,
        }
        wanted = {word: request.query[word] for word in _FILTERS if request.query.get(word)}
        if all(known[word] in values for word, values in wanted.items()):
            found.append(told.machine(machine))
    for word, names in (("pool", request.region.pools), ("zone", request.region.zones)):
        for name in request.query.get(word, ()):
            if name not in names:
                raise ApiError(400, {word: [f"No such {word}: '{name}'."]})
    return found


def read_machine(request: Request, system_id: str) -> Answer:
    return told.machine(request.machine(system_id))


# States. The words of the refusals are those of the published source, as far as it has them.


def allocate(request: Request) -> Answer:
    wanted = request.form.text("system_id")
    free = [
        one
        for one in request.region.machines.values()
        if one.status == READY and wanted in ("", one.system_id) and request.user
    ]
    if not free or request.user is None:
        raise ApiError(409, f"No available machine matches constraints: [('system_id', ['{wanted}'])]")
    free[0].allocate(request.user.name)
    return told.machine(free[0])


def release(request: Request, system_id: str) -> Answer:
    machine = request.machine(system_id)
    if not request.admin and (request.user is None or machine.owner not in (None, request.user.name)):
        raise ApiError(403)
    if machine.locked:
        raise ApiError(403, f"Cannot release the machine '{machine.hostname}' because it is locked.")
    if machine.status in _RELEASABLE:
        machine.release()
    elif machine.status != READY:
        raise ApiError(409, f"Machine cannot be released in its current state ('{told.status_name(machine)}').")
    return told.machine(machine)


def lock(request: Request, system_id: str) -> Answer:
    return _lock(request, system_id, True)


def unlock(request: Request, system_id: str) -> Answer:
    return _lock(request, system_id, False)


def _lock(request: Request, system_id: str, locked: bool) -> Answer:
    machine = request.machine(system_id)
    request.check_admin()
    if machine.status != DEPLOYED or machine.locked == locked:
        word = "locked" if locked else "unlocked"
        raise ApiError(409, f"Machine cannot be {word} in its current state ('{told.status_name(machine)}').")
    machine.locked = locked
    return told.machine(machine)


def commission(request: Request, system_id: str) -> Answer:
    machine = request.machine(system_id)
    request.check_admin()
    if machine.status not in (NEW, READY):
        raise ApiError(409, f"'{STATUS_NAMES.get(machine.status, '')}' is not a state to commission from.")
    chosen = request.form.text("commissioning_scripts")
    commissioning.run(machine, chosen.split(",") if chosen else None)
    if not request.form.flag("skip_storage"):
        set_layout(machine, Form({"storage_layout": [request.region.default_layout]}))
    return told.machine(machine)


# Storage of a machine as a whole


def set_storage_layout(request: Request, system_id: str) -> Answer:
    machine = request.structure(system_id, "Cannot change the storage layout on a machine that is not Ready.")
    set_layout(machine, request.form)
    return told.machine(machine)


def restore_storage(request: Request, system_id: str) -> Answer:
    said = "Machine must be in a ready or failed testing state to restore storage configuration."
    machine = request.machine(system_id)
    request.check_admin()
    if machine.status != READY:
        raise ApiError(409, said)
    set_layout(machine, Form({"storage_layout": [request.region.default_layout]}))
    return told.machine(machine)


def mount_special(request: Request, system_id: str) -> Answer:
    """A Ready machine's too, for a user who is no administrator: that was seen."""
    machine = request.edit(system_id, "mount the filesystem because the machine")
    form = request.form
    fstype = form.choice("fstype", SPECIAL)
    point = mount_point(form)
    form.check()
    if machine.mounted(point):
        raise ApiError(400, {"__all__": [f"Another filesystem is already mounted at {point}."]})
    machine.special.append(Filesystem(fstype, mount_point=point, mount_options=form.text("mount_options")))
    return told.machine(machine)


def unmount_special(request: Request, system_id: str) -> Answer:
    machine = request.edit(system_id, "unmount the filesystem because the machine")
    point = request.form.text("mount_point", required=True)
    request.form.check()
    found = [one for one in machine.special if one.mount_point == point]
    if not found:
        raise ApiError(400, {"mount_point": ["No special filesystem is mounted at this path."]})
    machine.special.remove(found[0])
    return told.machine(machine)
