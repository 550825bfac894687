# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and snapshots that go."""

from __future__ import annotations

from ..core.errors import Refused
from ..core.plan import Plan, Step
from ..document.sizes import show_size
from .calls import Call, Place
from .options import Wanted
from .safety import check_settled, check_unmirrored, check_unused
from .state import Image, Pool, Snapshot


def gone(pool: Pool, want: Wanted, there: Image | None) -> Plan:
    """Out of the pool, or into its trash. Whoever has it open, or is made of it, keeps it."""
    if there is None:
        return Plan((), pool)
    what = f"image {want.name} cannot be {'removed' if want.state == 'absent' else 'put in the trash'}"
    check_settled(there, what)
    check_unmirrored(there, what)
    if there.group:
        raise Refused(f"{what}: it is in group {there.group}; take it out there first")
    check_unused(there, what)
    after = pool.with_image(want.name, None)
    if want.state == "trashed" and not there.remains:
        call = Call("trash_move", pool.place, (want.name, want.delay))
        detail = f"kept for {want.delay} s at least" if want.delay else "until it is purged"
        return Plan((Step("trash", "image", want.name, detail, (call,)),), after)
    if there.children:
        raise Refused(f"{what}: it has clones ({' '.join(there.children)}); flatten or remove them first")
    if there.snapshots and not want.purge_snapshots:
        names = " ".join(snapshot.name for snapshot in there.snapshots)
        raise Refused(f"{what}: it has snapshots ({names}); set purge_snapshots to lose them too")
    if there.hidden:
        raise Refused(f"{what}: it has {there.hidden} snapshots of a group or of mirroring; remove them there first")
    steps: tuple[Step, ...] = ()
    for snapshot in there.snapshots:
        steps += without_snapshot(pool.place, want.name, snapshot)
    call = Call("remove", pool.place, (want.name,))
    lost = (f"{want.name}: {show_size(there.size)}",)
    return Plan((*steps, Step("remove", "image", want.name, show_size(there.size), (call,), destroys=lost)), after)


def without_snapshot(place: Place, image: str, snapshot: Snapshot) -> tuple[Step, ...]:
    """A snapshot of an image removed, its protection first."""
    name = f"{image}@{snapshot.name}"
    steps: tuple[Step, ...] = ()
    if snapshot.protected:
        call = Call("unprotect_snap", place, (snapshot.name,), image=image)
        steps += (Step("unprotect", "snapshot", name, "so that it can be removed", (call,)),)
    call = Call("remove_snap", place, (snapshot.name,), image=image)
    size = show_size(snapshot.size)
    return (*steps, Step("remove", "snapshot", name, size, (call,), destroys=(f"{name}: {size}",)))
