# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes: words, and what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError, Unread
from ..core.plan import Plan, Step
from ..document.sizes import show_size
from . import volume as volumes
from .actions import DeleteSnapshot, Describe, ManageSnapshot, TakeSnapshot
from .backend import check_label, check_text, snapshot_id
from .state import SNAPSHOT, VOLUME, WHOLE, Array, Snapshot, Stranger, Volume

OPTIONS: dict[str, dict[str, Any]] = {
    "volume": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "manage": {"type": "bool", "default": False},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


class Wanted(NamedTuple):
    """A wanted snapshot. ``volume`` is the id or the name of its volume."""

    volume: str
    name: str
    description: str | None = None
    manage: bool = False
    allow_destroy: bool = False
    state: str = "present"

    def __str__(self) -> str:
        return f"snapshot {self.volume}@{self.name}"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what no snapshot can be."""
    return Wanted(
        check_label(params["volume"], "volume"),
        check_label(params["name"], "snapshot"),
        check_text(params["description"], f"snapshot {params['name']}: description"),
        params["manage"],
        params["allow_destroy"],
        params["state"],
    )


def plan(array: Array, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    of = _volume(array, want)
    if of is None:
        if want.state == "absent":
            return Plan((), array)
        raise StorageError(f"{want}: backend {array.name} has no volume {want.volume}")
    found = _find(of, want)
    return (_absent if want.state == "absent" else _present)(array, want, of, found)


def facts(array: Array, want: Wanted) -> dict[str, Any]:
    """What the module returns of a snapshot."""
    of = _volume(array, want)
    found = _find(of, want) if of else None
    return {"snapshot": found and volumes.dump_snapshot(found), "volume_id": of.id if of else None}


def _volume(array: Array, want: Wanted) -> Volume | None:
    return volumes.find(array, "", want.volume) or volumes.find(array, want.volume)


def _find(of: Volume, want: Wanted) -> Snapshot | None:
    named = [one for one in of.snapshots if one.name == want.name]
    if len(named) > 1:
        raise StorageError(
            f"{want}: {len(named)} snapshots of this volume have this name ({' '.join(one.id for one in named)}); "
            "take away those that are not wanted by what made them"
        )
    return named[0] if named else None


def _step(verb: str, want: Wanted, detail: str, action: Any, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "snapshot", f"{want.volume}@{want.name}", detail, (action,), destroys=destroys)


def _with(array: Array, of: Volume, without: Snapshot | None, snapshot: Snapshot | None) -> Array:
    left = tuple(one for one in of.snapshots if one != without)
    taken = sorted((*left, *((snapshot,) if snapshot else ())), key=lambda one: (one.name, one.id))
    return array.with_volume(of._replace(snapshots=tuple(taken)))


def _present(array: Array, want: Wanted, of: Volume, found: Snapshot | None) -> Plan:
    if found is None and want.manage:
        return _adopted(array, want, of)
    if found is not None and found.status == "available":
        if want.description is None or want.description == found.description:
            return Plan((), array)
        step = _step("describe", want, repr(want.description), Describe(found.id, want.description, snapshot=True))
        return Plan((step,), _with(array, of, found, found._replace(description=want.description)))
    volumes.check_there(array, str(want), of)
    steps: tuple[Step, ...] = ()
    new = snapshot_id(of.id, want.name)
    checked = found is not None
    if found is not None:
        if found.status != "creating":
            raise Refused(
                f"{want}: its status is {found.status}, so nothing can be restored from it; state absent ends it"
            )
        # Nothing of its name was there before.
        clean = DeleteSnapshot(found.id, cut_off=True)
        steps, new = (_step("remove", want, "its creation was cut off", clean),), found.id
    if of.status not in WHOLE:
        raise StorageError(f"{want}: its volume is in status {of.status}, and only a whole one has snapshots taken")
    if found is None:
        checked = _check_not_there(array, want, new)
    made = Snapshot(new, of.id, want.name, of.size, "available", want.description or "")
    action = TakeSnapshot(new, of.id, want.name, want.description or "", checked)
    steps += (_step("create", want, show_size(of.size), action),)
    return Plan(steps, _with(array, of, found, made))


def _strangers(array: Array) -> tuple[Stranger, ...]:
    if array.strange_snapshots is None:
        raise Unread("snapshots")
    return array.strange_snapshots


def _check_not_there(array: Array, want: Wanted, new: str) -> bool:
    """Whether the driver says that nothing of its name is there. Raises Refused where something is."""
    there = next((one for one in _strangers(array) if one.named(f"{SNAPSHOT}{new}")), None)
    if there is not None:
        raise Refused(
            f"{want}: backend {array.name} has {there}, and the database does not. Is it the right database? If so, "
            "manage true takes it as it is, with its data"
        )
    return array.lists_snapshots


def _adopted(array: Array, want: Wanted, of: Volume) -> Plan:
    new = snapshot_id(of.id, want.name)
    found = [
        one
        for one in _strangers(array)
        if one.named(want.name, f"{SNAPSHOT}{new}") and one.source in ("", f"{VOLUME}{of.id}")
    ]
    there = volumes.to_adopt(array, str(want), found, array.lists_snapshots)
    made = Snapshot(new, of.id, want.name, there.size, "available", want.description or "")
    action = ManageSnapshot(new, of.id, want.name, there.reference, want.description or "")
    step = _step("adopt", want, f"{show_size(there.size)}, known as {there} on the backend", action)
    after = _with(array, of, None, made)
    return Plan((step,), after._replace(strange_snapshots=tuple(one for one in _strangers(array) if one != there)))


def _absent(array: Array, want: Wanted, of: Volume, found: Snapshot | None) -> Plan:
    if found is None:
        return Plan((), array)
    cut_off = found.status == "creating"
    if not (cut_off or want.allow_destroy):
        raise Refused(f"{want}: refused to delete: what only it has would be lost; set allow_destroy")
    destroys = () if cut_off else (f"{want}: how volume {of.name} was when it was taken",)
    detail = "its creation was cut off" if cut_off else show_size(found.size)
    action = DeleteSnapshot(found.id, cut_off)
    return Plan((_step("delete", want, detail, action, destroys),), _with(array, of, found, None))
