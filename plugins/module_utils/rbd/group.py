# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of images, whose snapshots are taken at one time: words, and what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from .calls import Call, Place
from .state import Group, Groups, Member
from .words import check_name

Steps = tuple[Step, ...]
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "str"},
    "snapshots": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "renamed_from": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "rolled_back_to": {"type": "str"},
    "renamed_from": {"type": "str"},
    "purge_snapshots": {"type": "bool"},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


class Snapshot(NamedTuple):
    name: str
    renamed_from: str = ""
    state: str = "present"


class Wanted(NamedTuple):
    """A wanted group. ``members`` None: leave them as they are."""

    name: str
    members: tuple[Member, ...] | None = None
    snapshots: tuple[Snapshot, ...] = ()
    rolled_back_to: str = ""
    renamed_from: str = ""
    purge_snapshots: bool = False
    allow_destroy: bool = False
    state: str = "present"


def parse(params: Mapping[str, Any], place: Place) -> Wanted:
    """From the module's options. Raises StorageError for what no group can be."""
    name = check_name("group", params["name"])
    members = None
    if params["images"] is not None:
        members = tuple(_member(name, text, place) for text in params["images"])
        if len(set(members)) < len(members):
            raise StorageError(f"group {name}: an image is listed twice")
    return Wanted(
        name,
        members,
        tuple(
            Snapshot(check_name("snapshot", one["name"]), one["renamed_from"] or "", one["state"])
            for one in params["snapshots"] or ()
        ),
        params["rolled_back_to"] or "",
        params["renamed_from"] or "",
        bool(params["purge_snapshots"]),
        params["allow_destroy"],
        params["state"],
    )


def _member(group: str, text: str, place: Place) -> Member:
    pool, _slash, image = text.rpartition("/")
    if "/" in pool:
        raise StorageError(
            f"group {group}: {text}: an image is in the namespace of its group; write IMAGE or POOL/IMAGE"
        )
    return Member(pool or place.pool, check_name("image", image))


def plan(state: Groups, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    there = state.groups.get(want.name)
    if want.state == "absent":
        return _absent(state, want, there)
    steps: Steps = ()
    former = state.groups.get(want.renamed_from) if want.renamed_from else None
    if there is None and former is not None:
        steps += (
            _step(
                "rename",
                want,
                f"from {want.renamed_from}",
                Call("group_rename", state.place, (want.renamed_from, want.name)),
            ),
        )
        there = former
        state = state.with_group(want.renamed_from, None)
    if there is None:
        steps += (_step("create", want, "empty", Call("group_create", state.place, (want.name,))),)
        there = Group()
    for change in (_members, _snapshots, _rolled_back):
        more, there = change(state, want, there)
        steps += more
    return Plan(steps, state.with_group(want.name, there))


def settled(state: Groups, want: Wanted) -> Plan:
    """What is left once the plan was done: a group is rolled back once."""
    return plan(state, want._replace(rolled_back_to=""))


def _step(verb: str, want: Wanted, detail: str, call: Call, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "group", want.name, detail, (call,), destroys=destroys)


def _members(state: Groups, want: Wanted, there: Group) -> tuple[Steps, Group]:
    if want.members is None:
        return (), there
    steps: Steps = ()
    for member in want.members:
        if member not in there.members:
            _check_joins(state, want, member)
            call = Call(
                "add_image", state.place, (Place(member.pool, state.place.namespace), member.image), group=want.name
            )
            steps += (_step("add", want, str(member), call),)
    for member in there.members:
        if member not in want.members:
            call = Call(
                "remove_image", state.place, (Place(member.pool, state.place.namespace), member.image), group=want.name
            )
            steps += (_step("take out", want, str(member), call),)
    return steps, there._replace(members=want.members)


def _check_joins(state: Groups, want: Wanted, member: Member) -> None:
    image = state.images.get(member)
    if image is None:
        raise StorageError(f"group {want.name}: there is no image {member}")
    if image.group in (want.name, want.renamed_from) and image.group:
        raise Refused(
            f"group {want.name}: {member} is in it, but librbd does not list it: one of its images is in the trash; "
            "restore that one first (rbd_trash)"
        )
    if image.group:
        raise Refused(f"group {want.name}: {member} is in group {image.group}; take it out there first")


def _snapshots(state: Groups, want: Wanted, there: Group) -> tuple[Steps, Group]:
    steps: Steps = ()
    found = list(there.snapshots)
    for snapshot in want.snapshots:
        if snapshot.state == "absent":
            if snapshot.name in found:
                steps += (_without_snapshot(state, want, snapshot.name),)
                found.remove(snapshot.name)
        elif snapshot.name not in found and snapshot.renamed_from in found:
            call = Call("rename_snap", state.place, (snapshot.renamed_from, snapshot.name), group=want.name)
            steps += (_step("rename snapshot of", want, f"{snapshot.renamed_from} to {snapshot.name}", call),)
            found[found.index(snapshot.renamed_from)] = snapshot.name
        elif snapshot.name not in found:
            call = Call("create_snap", state.place, (snapshot.name,), group=want.name)
            steps += (_step("snapshot", want, snapshot.name, call),)
            found.append(snapshot.name)
    return steps, there._replace(snapshots=tuple(found))


def _without_snapshot(state: Groups, want: Wanted, name: str) -> Step:
    call = Call("remove_snap", state.place, (name,), group=want.name)
    return _step("remove snapshot of", want, name, call, destroys=(f"group {want.name}@{name}",))


def _rolled_back(state: Groups, want: Wanted, there: Group) -> tuple[Steps, Group]:
    if not want.rolled_back_to:
        return (), there
    what = f"group {want.name} cannot be rolled back to {want.rolled_back_to}"
    if want.rolled_back_to not in there.snapshots:
        raise StorageError(f"{what}: there is no such snapshot")
    for member in there.members:
        image = state.images.get(member)
        if image and image.users:
            raise Refused(f"{what}: {member} is open on {image.users}; unmap or close it there first")
        if image and image.mirrored:
            raise Refused(f"{what}: {member} is mirrored; switch that off first")
    if not want.allow_destroy:
        raise Refused(f"{what}: what was written since to its images would be lost; set allow_destroy")
    lost = tuple(f"{member}: what was written since {want.rolled_back_to}" for member in there.members)
    call = Call("rollback_to_snap", state.place, (want.rolled_back_to,), group=want.name)
    return (_step("roll back", want, f"to {want.rolled_back_to}", call, destroys=lost),), there


def _absent(state: Groups, want: Wanted, there: Group | None) -> Plan:
    if there is None:
        return Plan((), state)
    if there.snapshots and not want.purge_snapshots:
        raise Refused(
            f"group {want.name} cannot be removed: it has snapshots ({' '.join(there.snapshots)}); set purge_snapshots "
            "to lose them too"
        )
    steps = tuple(_without_snapshot(state, want, name) for name in there.snapshots)
    call = Call("group_remove", state.place, (want.name,))
    detail = f"its {len(there.members)} images stay" if there.members else "it is empty"
    return Plan((*steps, _step("remove", want, detail, call)), state.with_group(want.name, None))
