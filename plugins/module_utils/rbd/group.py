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
from .options import check_name
from .safety import check_changeable, check_room, check_unmirrored, check_unused
from .state import Group, Groups, GroupSnapshot, Member

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
    if params["rolled_back_to"] and params["state"] == "absent":
        raise StorageError(f"group {name}: rolled_back_to goes with present")
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
    found = {one.name: one for one in there.snapshots}
    for snapshot in want.snapshots:
        one, former = found.get(snapshot.name), found.get(snapshot.renamed_from)
        if one and (snapshot.state == "absent" or not one.complete):
            steps += (_without_snapshot(state, want, one),)
            del found[one.name]
            one = None
        if snapshot.state == "absent" or one:
            continue
        if former and former.complete:
            call = Call("rename_snap", state.place, (former.name, snapshot.name), group=want.name)
            steps += (_step("rename snapshot of", want, f"{former.name} to {snapshot.name}", call),)
            after = (other._replace(name=snapshot.name) if other is former else other for other in found.values())
            found = {other.name: other for other in after}
        else:
            _check_snapshot(state, want, there, snapshot.name)
            call = Call("create_snap", state.place, (snapshot.name,), group=want.name)
            steps += (_step("snapshot", want, snapshot.name, call),)
            found[snapshot.name] = GroupSnapshot(snapshot.name, members=there.members)
    return steps, there._replace(snapshots=tuple(found.values()))


def _check_snapshot(state: Groups, want: Wanted, there: Group, name: str) -> None:
    """Raises Refused where one of the images cannot have another snapshot."""
    what = f"group {want.name}: snapshot {name} cannot be taken"
    for member in there.members:
        image = state.images.get(member)
        if image:
            check_changeable(image, f"{what}: {member}")
            check_room(image, what)


def _without_snapshot(state: Groups, want: Wanted, found: GroupSnapshot) -> Step:
    call = Call("remove_snap", state.place, (found.name,), group=want.name)
    if not found.complete:
        return _step("remove snapshot of", want, f"{found.name}, which was cut off while it was taken", call)
    return _step("remove snapshot of", want, found.name, call, destroys=(f"group {want.name}@{found.name}",))


def _rolled_back(state: Groups, want: Wanted, there: Group) -> tuple[Steps, Group]:
    if not want.rolled_back_to:
        return (), there
    what = f"group {want.name} cannot be rolled back to {want.rolled_back_to}"
    snapshot = there.snapshot(want.rolled_back_to)
    if snapshot is None:
        raise StorageError(f"{what}: there is no such snapshot")
    if not snapshot.complete:
        raise Refused(f"{what}: taking that snapshot was cut off, so it holds nothing to go back to")
    _check_held(what, there, snapshot)
    for member in there.members:
        image = state.images.get(member)
        if image is None:
            raise Refused(f"{what}: {member} is not there, or cannot be read")
        check_unmirrored(image, f"{what}: {member}")
        check_unused(image, f"{what}: {member}")
    if not want.allow_destroy:
        raise Refused(f"{what}: what was written since to its images would be lost; set allow_destroy")
    lost = tuple(f"{member}: what was written since {want.rolled_back_to}" for member in there.members)
    call = Call("rollback_to_snap", state.place, (want.rolled_back_to,), group=want.name)
    return (_step("roll back", want, f"to {want.rolled_back_to}", call, destroys=lost),), there


def _check_held(what: str, there: Group, snapshot: GroupSnapshot) -> None:
    """Raises Refused where a snapshot holds other images than the group: librbd (16) rolls back what it holds."""
    held = snapshot.members or ()
    more = [str(member) for member in held if member not in there.members]
    fewer = [str(member) for member in there.members if member not in held]
    differences = (
        *([f"the snapshot holds {' '.join(more)}, which the group does not"] if more else []),
        *([f"the group holds {' '.join(fewer)}, which the snapshot does not"] if fewer else []),
    )
    if differences:
        raise Refused(
            f"{what}: {', and '.join(differences)}; have the group hold what the snapshot does (images), or roll back "
            "single images (rbd_snapshot)"
        )


def _absent(state: Groups, want: Wanted, there: Group | None) -> Plan:
    if there is None:
        return Plan((), state)
    whole = [one.name for one in there.snapshots if one.complete]
    if whole and not want.purge_snapshots:
        raise Refused(
            f"group {want.name} cannot be removed: it has snapshots ({' '.join(whole)}); set purge_snapshots to lose "
            "them too"
        )
    steps = tuple(_without_snapshot(state, want, one) for one in there.snapshots)
    call = Call("group_remove", state.place, (want.name,))
    detail = f"its {len(there.members)} images stay" if there.members else "it is empty"
    return Plan((*steps, _step("remove", want, detail, call)), state.with_group(want.name, None))
