# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirroring of an image: words, and what it takes to be mirrored, primary or a copy as it is wanted.

Nothing that deletes a copy, or that may lose what was written, follows from a condition alone: to disable mirroring, to
change its mode, to promote by force and to sync anew each needs permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from .calls import Call, Promote, Synced
from .options import check_name
from .safety import CRASHED
from .state import Image, Mirroring, MirrorState, in_use_by

Steps = tuple[Step, ...]
#: The modes of an image, by the numbers that librbd has for them.
MODES = {"journal": 0, "snapshot": 1}
OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": list(MODES)},
    "role": {"type": "str", "choices": ["primary", "secondary"]},
    "force_promote": {"type": "bool", "default": False},
    "snapshot": {"type": "bool", "default": False},
    "resynced": {"type": "bool", "default": False},
    "allow_destroy": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
}


class Wanted(NamedTuple):
    """How an image is to be mirrored. ``mode`` and ``role`` empty: as they are. ``timeout`` in seconds."""

    image: str
    mode: str = ""
    role: str = ""
    force_promote: bool = False
    snapshot: bool = False
    resynced: bool = False
    allow_destroy: bool = False
    wait: bool = False
    timeout: int = 300
    state: str = "enabled"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what makes no sense together."""
    want = Wanted(
        check_name("image", params["image"]),
        params["mode"] or "",
        params["role"] or "",
        params["force_promote"],
        params["snapshot"],
        params["resynced"],
        params["allow_destroy"],
        params["wait"],
        params["wait_timeout"],
        params["state"],
    )
    if want.state == "disabled" and (want.mode or want.role or want.snapshot or want.resynced):
        raise StorageError(f"image {want.image}: mode, role, snapshot and resynced go with enabled")
    if want.force_promote and want.role != "primary":
        raise StorageError(f"image {want.image}: force_promote goes with role primary")
    if want.resynced and (want.role == "primary" or want.snapshot):
        raise StorageError(
            f"image {want.image}: resynced is about a copy, role primary and snapshot are about a primary"
        )
    if want.timeout < 1:
        raise StorageError(f"image {want.image}: wait_timeout is a number of seconds, at least 1")
    return want


def plan(state: MirrorState, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    if want.state == "disabled":
        return _disabled(state, want)
    if state.image is None:
        raise StorageError(
            f"image {want.image}: there is none in {state.place}; where it is to be a copy, it comes once its "
            "primary is mirrored here"
        )
    steps, state = _enabled(state, want)
    for change in (_role, _snapshot, _resynced):
        more, state = change(state, want)
        steps += more
    return _with_progress(Plan(steps, state), want)


def settled(state: MirrorState, want: Wanted) -> Plan:
    """What is left once the plan was done: the acts are not planned again, and a copy that syncs anew may be away."""
    if want.resynced and state.image is None:
        return Plan((), state, in_progress=(f"image {want.image}: the copy was removed, and comes anew",))
    return plan(state, want._replace(snapshot=False, resynced=False))


def _step(verb: str, want: Wanted, detail: str, *actions: Any, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "image", want.image, detail, actions, destroys=destroys)


def _call(state: MirrorState, want: Wanted, method: str, *arguments: Any) -> Call:
    return Call(method, state.place, arguments, image=want.image)


def _disabled(state: MirrorState, want: Wanted) -> Plan:
    image = state.image
    if image is None or image.mirroring is None:
        return Plan((), state)
    step = _disable(state, want, f"image {want.image}: its mirroring cannot be disabled")
    return Plan((step,), state._replace(image=image._replace(mirroring=None)))


def _disable(state: MirrorState, want: Wanted, what: str) -> Step:
    if state.image and state.image.copy:
        raise Refused(f"{what} here: it is a copy; that is done on the cluster where it is primary")
    if state.mirrored_clones:
        raise Refused(f"{what}: its clones are mirrored ({' '.join(state.mirrored_clones)})")
    if not want.allow_destroy:
        raise Refused(f"{what}: that deletes its copy on the peer, within seconds; set allow_destroy")
    lost = (f"{want.image}: its copy on the peer",)
    return _step("disable mirroring of", want, "its copy goes", _call(state, want, _DISABLE, False), destroys=lost)


_DISABLE, _ENABLE = "mirror_image_disable", "mirror_image_enable"


def _enabled(state: MirrorState, want: Wanted) -> tuple[Steps, MirrorState]:
    image = state.image
    if image is None:
        return (), state
    steps: Steps = ()
    if image.mirroring and want.mode in ("", image.mirroring.mode):
        return (), state
    if image.mirroring:
        what = f"image {want.image}: it is mirrored by {image.mirroring.mode}, and to change that it is disabled, which"
        steps = (_disable(state, want, f"{what} cannot be done"),)
    _check_can(state, image, want)
    mode = want.mode or "snapshot"
    if want.role == "secondary":
        raise StorageError(
            f"image {want.image}: it is not mirrored, and would be a primary; a copy comes from a primary on another "
            "cluster"
        )
    steps += (_step("mirror", want, f"by {mode}, as the primary", _call(state, want, _ENABLE, MODES[mode])),)
    features = image.features | ({"exclusive-lock", "journaling"} if mode == "journal" else set())
    return steps, state._replace(image=image._replace(mirroring=Mirroring(mode), features=features), replaying=False)


def _check_can(state: MirrorState, image: Image, want: Wanted) -> None:
    """Raises StorageError where librbd would not mirror it."""
    if state.pool_mode in ("disabled", "init-only"):
        raise StorageError(
            f"image {want.image}: mirroring of {state.place} is {state.pool_mode}; set its mode to image "
            "(rbd_mirror_pool)"
        )
    if state.pool_mode == "pool":
        raise StorageError(
            f"image {want.image}: {state.place} mirrors in mode pool, which is each image with journaling "
            "(rbd_image); to choose images, set its mode to image (rbd_mirror_pool)"
        )
    if "exclusive-lock" not in image.features and want.mode != "journal":
        raise StorageError(f"image {want.image}: to mirror it by snapshots it needs feature exclusive-lock (rbd_image)")
    if image.parent and not state.parent_mirrored:
        raise StorageError(
            f"image {want.image}: it is a clone of {image.parent}, which is not mirrored; mirror that first, or "
            "flatten it"
        )


def _role(state: MirrorState, want: Wanted) -> tuple[Steps, MirrorState]:
    image = state.image
    mirroring = image.mirroring if image else None
    if image is None or mirroring is None or not want.role or (want.role == "primary") == mirroring.primary:
        return (), state
    after = state._replace(image=image._replace(mirroring=mirroring._replace(primary=not mirroring.primary)))
    if want.role == "secondary":
        # The peer's daemon has the primary open too, but never holds its lock.
        writer = in_use_by(image.watchers, image.locks, lockers_only=True)
        if writer:
            raise Refused(
                f"image {want.image} cannot be demoted: {writer} writes to it, as its lock says; unmap or close it "
                f"there first. {CRASHED}"
            )
        return (_step("demote", want, "to a copy", _call(state, want, "mirror_image_demote")),), after
    if want.wait and not want.force_promote:
        action = Promote(state.place, want.image, want.timeout)
        return (_step("promote", want, "to the primary, once it is demoted elsewhere", action),), after
    if state.demoted:
        return (_step("promote", want, "to the primary", _call(state, want, "mirror_image_promote", False)),), after
    what = f"image {want.image} cannot be promoted: it is primary elsewhere, as far as is known here"
    if not want.force_promote:
        raise Refused(
            f"{what}; demote it there first, and set wait until that is known here. Where that cluster is lost, see "
            "force_promote"
        )
    if not want.allow_destroy:
        raise Refused(f"{what}; what was written there since the last sync would be lost by force; set allow_destroy")
    lost = (f"{want.image}: what was written where it was primary, and is not here yet",)
    call = _call(state, want, "mirror_image_promote", True)
    return (_step("promote", want, "to the primary, by force", call, destroys=lost),), after


def _snapshot(state: MirrorState, want: Wanted) -> tuple[Steps, MirrorState]:
    mirroring = state.image and state.image.mirroring
    if not want.snapshot or not mirroring:
        return (), state
    if mirroring != Mirroring("snapshot"):
        raise StorageError(f"image {want.image}: only where it is primary, and mirrored by snapshots, is one taken")
    return (_step("mirror now", want, "a snapshot", _call(state, want, "mirror_image_create_snapshot")),), state


def _resynced(state: MirrorState, want: Wanted) -> tuple[Steps, MirrorState]:
    if not want.resynced:
        return (), state
    what = f"image {want.image} cannot be synced anew"
    if state.image is None or not state.image.copy:
        raise Refused(f"{what}: it is the primary here")
    if not state.remote_primary:
        raise Refused(
            f"{what}: no peer says that it has the primary, so this may be the only good copy; have a primary first, "
            "and the peer's rbd-mirror running"
        )
    if not want.allow_destroy:
        raise Refused(f"{what}: that removes this copy, and all that only it has; set allow_destroy")
    call = _call(state, want, "mirror_image_resync")
    lost = (f"{want.image}: this copy, with all that only it has",)
    return (_step("sync anew", want, "from its primary", call, destroys=lost),), state


def _with_progress(planned: Plan, want: Wanted) -> Plan:
    """Where the copy is not there yet, the plan says so, and what would wait for it."""
    state = planned.after
    mirroring = state.image.mirroring
    if not (mirroring and mirroring.primary) or state.replaying or not (state.peers or want.wait):
        return planned
    return planned._replace(
        in_progress=(f"image {want.image}: no peer has its copy, and follows it, yet",),
        # After a failover, the copy may take its time, or that cluster be away: the next image is promoted first.
        waits=(Synced(state.place, want.image, want.timeout),) if want.wait and want.role != "primary" else (),
    )
