# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of images: words, and what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.sizes import show_size
from .calls import Call
from .options import check_name
from .removal import without_snapshot
from .safety import check_changeable, check_room, check_unmirrored, check_unused
from .state import Image, Pool, Snapshot

Steps = tuple[Step, ...]
ROLLED_BACK = "rolled_back_to"
OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "protected": {"type": "bool"},
    "renamed_from": {"type": "str"},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent", ROLLED_BACK], "default": "present"},
}


class Wanted(NamedTuple):
    """A wanted snapshot. ``protected`` None: leave it as it is."""

    image: str
    name: str
    protected: bool | None = None
    renamed_from: str = ""
    allow_destroy: bool = False
    state: str = "present"

    @property
    def asks_for_clones(self) -> bool:
        """Whether anything depends on what clones it has, in whichever pool: who may not look there can do the rest."""
        return self.state == "absent" or self.protected is False

    @property
    def full_name(self) -> str:
        return f"{self.image}@{self.name}"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what no snapshot can be, or makes no sense together."""
    want = Wanted(
        check_name("image", params["image"]),
        check_name("snapshot", params["name"]),
        params["protected"],
        params["renamed_from"] or "",
        params["allow_destroy"],
        params["state"],
    )
    if want.state == ROLLED_BACK and (want.renamed_from or want.protected is not None):
        raise StorageError(f"snapshot {want.full_name}: protected and renamed_from go with present")
    return want


def plan(pool: Pool, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    image = pool.images.get(want.image)
    if image is None:
        if want.state == "absent":
            return Plan((), pool)
        raise StorageError(f"snapshot {want.full_name}: there is no image {want.image} in {pool.place}")
    there = image.snapshot(want.name)
    if want.state == ROLLED_BACK:
        return _rolled_back(pool, want, image, there)
    planned = (_absent if want.state == "absent" else _present)(pool, want, image, there)
    if planned.steps:
        check_changeable(image, f"snapshot {want.full_name} cannot be changed")
    return planned


def _present(pool: Pool, want: Wanted, image: Image, there: Snapshot | None) -> Plan:
    steps: Steps = ()
    former = image.snapshot(want.renamed_from) if want.renamed_from else None
    if there is None and former:
        call = Call("rename_snap", pool.place, (former.name, want.name), image=want.image)
        steps += (_step("rename", want, f"from {former.name}", call),)
        there = former._replace(name=want.name)
        image = image.with_snapshot(former.name, None)
    if there is None:
        check_room(image, f"snapshot {want.full_name} cannot be taken")
        call = Call("create_snap", pool.place, (want.name,), image=want.image)
        steps += (_step("create", want, show_size(image.size), call),)
        there = Snapshot(want.name, image.size, children=() if want.asks_for_clones else None)
    more, there = _protection(pool, want, there)
    return Plan(steps + more, pool.with_image(want.image, image.with_snapshot(want.name, there)))


def settled(pool: Pool, want: Wanted) -> Plan:
    """What is left once the plan was done: an image is rolled back once."""
    return plan(pool, want._replace(state="present") if want.state == ROLLED_BACK else want)


def _step(verb: str, want: Wanted, detail: str, *calls: Call, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "snapshot", want.full_name, detail, calls, destroys=destroys)


def _protection(pool: Pool, want: Wanted, there: Snapshot) -> tuple[Steps, Snapshot]:
    if want.protected is None or want.protected == there.protected:
        return (), there
    if want.protected:
        verb, method, detail = "protect", "protect_snap", "so that it cannot be removed"
    else:
        _check_children(want, there, "unprotected")
        verb, method, detail = "unprotect", "unprotect_snap", "so that it can be removed"
    call = Call(method, pool.place, (want.name,), image=want.image)
    return (_step(verb, want, detail, call),), there._replace(protected=want.protected)


def _check_children(want: Wanted, there: Snapshot, done: str) -> None:
    if there.children:
        raise Refused(
            f"snapshot {want.full_name} cannot be {done}: it has clones ({' '.join(there.children)}); flatten or "
            "remove them first"
        )


def _absent(pool: Pool, want: Wanted, image: Image, there: Snapshot | None) -> Plan:
    if there is None:
        return Plan((), pool)
    if there.protected and want.protected is not False:
        raise Refused(f"snapshot {want.full_name} cannot be removed: it is protected; set protected to false as well")
    _check_children(want, there, "removed")
    after = pool.with_image(want.image, image.with_snapshot(want.name, None))
    return Plan(without_snapshot(pool.place, want.image, there), after)


def _rolled_back(pool: Pool, want: Wanted, image: Image, there: Snapshot | None) -> Plan:
    what = f"image {want.image} cannot be rolled back to {want.name}"
    if there is None:
        raise StorageError(f"{what}: there is no such snapshot")
    check_unmirrored(image, what)
    check_unused(image, what)
    if not want.allow_destroy:
        raise Refused(f"{what}: what was written since would be lost; set allow_destroy")
    call = Call("rollback_to_snap", pool.place, (want.name,), image=want.image)
    detail = show_size(there.size)
    if there.size != image.size:
        detail = f"{show_size(image.size)} to {show_size(there.size)}"
    step = _step("roll back to", want, detail, call, destroys=(f"{want.image}: what was written since {want.name}",))
    return Plan((step,), pool.with_image(want.image, image._replace(size=there.size)))
