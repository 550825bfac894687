# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trash of a pool: words, and what it takes to restore, remove or purge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from .calls import Call
from .options import check_name
from .state import MIGRATION, Trash, Trashed

#: Who put there what may be purged: users, and librbd where they removed what clones still need.
_PURGED = ("USER", "USER_PARENT")
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "id": {"type": "str"},
    "restore_as": {"type": "str"},
    "expired_before": {"type": "str"},
    "threshold": {"type": "float"},
    "force": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["restored", "absent", "purged"], "required": True},
}


class Wanted(NamedTuple):
    """What to do. ``expired_before`` in seconds since 1970; ``threshold`` is a share of the pool, 0 to 1."""

    state: str
    name: str = ""
    id: str = ""
    restore_as: str = ""
    expired_before: int | None = None
    threshold: float | None = None
    force: bool = False


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what makes no sense together."""
    want = Wanted(
        params["state"],
        params["name"] or "",
        params["id"] or "",
        params["restore_as"] or "",
        _time(params["expired_before"]),
        params["threshold"],
        params["force"],
    )
    if want.state == "purged":
        if want.name or want.id or want.restore_as or want.force:
            raise StorageError("purged is about all that is in the trash; name, id, restore_as and force are not")
        if want.expired_before is not None and want.threshold is not None:
            raise StorageError("expired_before and threshold are two ways to purge; say one of them")
        if want.threshold is not None and not 0 <= want.threshold <= 1:
            raise StorageError("threshold is a share of the pool, from 0 to 1")
        return want
    if not want.name and not want.id:
        raise StorageError(f"{want.state} needs name or id")
    if want.expired_before is not None or want.threshold is not None:
        raise StorageError("expired_before and threshold go with purged")
    if want.restore_as and want.state != "restored":
        raise StorageError("restore_as goes with restored")
    if want.force and want.state != "absent":
        raise StorageError("force goes with absent")
    if want.restore_as:
        check_name("image", want.restore_as)
    return want


def _time(text: str | None) -> int | None:
    """Seconds since 1970 from ISO 8601, which is in UTC where it does not say."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise StorageError(
            f"expired_before: {text!r} is no time; write 2026-11-01 or 2026-11-01T12:00:00+00:00"
        ) from None
    return int((time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp())


def concerns(want: Wanted, entry: Trashed) -> bool:
    """Whether a task is about what is in the trash there."""
    return (not want.id or entry.id == want.id) and (not want.name or entry.name == want.name)


def plan(trash: Trash, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    if want.state == "purged":
        return _purged(trash, want)
    found = [one for one in trash.entries if concerns(want, one)]
    if len(found) > 1:
        ids = " ".join(one.id for one in found)
        raise StorageError(
            f"image {want.name}: the trash of {trash.place} holds several of this name; say which by id: {ids}"
        )
    if want.state == "restored":
        return _restored(trash, want, found[0] if found else None)
    if not found:
        return Plan((), trash)
    _check_ours(found[0])
    _check_expired(trash, want, found[0])
    return Plan((_removal(trash, found[0], want.force),), _without(trash, found[0]))


def settled(trash: Trash, want: Wanted) -> Plan:
    """What is left once the plan was done. How full a pool is, the cluster only tells some seconds later."""
    return Plan((), trash) if want.threshold is not None else plan(trash, want)


def _without(trash: Trash, *entries: Trashed) -> Trash:
    return trash._replace(entries=tuple(one for one in trash.entries if one not in entries))


def _restored(trash: Trash, want: Wanted, found: Trashed | None) -> Plan:
    name = want.restore_as or want.name or (found.name if found else "")
    if found is None:
        if name and name in trash.images:
            return Plan((), trash)
        raise StorageError(
            f"image {want.name or want.id}: it is not in the trash of {trash.place}, nor in {trash.place}"
        )
    if name in trash.images:
        raise Refused(f"image {found.name}: {trash.place} has an image {name}; choose another name by restore_as")
    _check_ours(found)
    call = Call("trash_restore", trash.place, (found.id, name))
    step = Step("restore", "image", found.name, f"as {name}" if name != found.name else "from the trash", (call,))
    return Plan((step,), _without(trash, found)._replace(images=trash.images | {name}))


def _check_ours(entry: Trashed) -> None:
    if entry.source == MIGRATION:
        raise Refused(
            f"image {entry.name}: it is in the trash as the source of a migration, and leaves it when that is "
            "committed or aborted"
        )


def _check_expired(trash: Trash, want: Wanted, entry: Trashed) -> None:
    if entry.until > trash.now and not want.force:
        until = datetime.fromtimestamp(entry.until, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        raise Refused(
            f"image {entry.name}: it is to be kept in the trash until {until} UTC; set force to remove it now"
        )
    held = _held(entry)
    if held:
        raise Refused(
            f"image {entry.name}: it cannot be removed from the trash with {held}; restore it, and remove these first"
        )


def _held(entry: Trashed) -> str:
    """What keeps it in the trash."""
    return ", ".join((*(entry.holds or ()), *(f"clone {name}" for name, _id in entry.clones)))


def _removal(trash: Trash, entry: Trashed, force: bool, phase: int = 1) -> Step:
    call = Call("trash_remove", trash.place, (entry.id, force), phase=phase)
    return Step("remove", "image", entry.name, f"{entry.id} from the trash", (call,), destroys=(f"{entry.name}",))


def _purged(trash: Trash, want: Wanted) -> Plan:
    limit = trash.now if want.expired_before is None else min(want.expired_before, trash.now)
    expired = sorted((one for one in trash.entries if one.until <= limit and one.source in _PURGED), key=_age)
    gone = _removable(expired, None if want.threshold is None else _excess(trash, want.threshold))
    staying = [one for one in expired if one.id not in gone and _stays(one, gone)]
    return Plan(
        tuple(_removal(trash, one, False, gone[one.id]) for one in sorted(expired, key=_age) if one.id in gone),
        _without(trash, *(one for one in expired if one.id in gone)),
        warnings=tuple(f"image {one.name} stays in the trash, with {_held(one)}" for one in staying),
    )


def _age(entry: Trashed) -> tuple[int, str]:
    return entry.until, entry.id


def _stays(entry: Trashed, gone: Mapping[str, int]) -> bool:
    """Whether something keeps it there that does not go itself."""
    return bool(entry.holds) or any(clone not in gone for _name, clone in entry.clones)


def _removable(expired: list[Trashed], excess: dict[str, float] | None) -> dict[str, int]:
    """The ids of what can go, each with its phase: clones go before what they are clones of.

    ``excess`` is how many bytes are to go from each pool (None: all that can).
    """
    gone: dict[str, int] = {}
    for phase in range(1, len(expired) + 1):
        free = [one for one in expired if one.id not in gone and not _stays(one, gone)]
        for one in free:
            if excess is None or excess.get(one.data_pool, 0) > 0:
                gone[one.id] = phase
            if excess is not None and one.id in gone:
                excess[one.data_pool] -= one.stored
    return gone


def _excess(trash: Trash, threshold: float) -> dict[str, float]:
    """How many bytes each pool stores beyond its threshold. Raises StorageError where the cluster does not say."""
    fill = trash.fill or {}
    untold = sorted({one.data_pool for one in trash.entries} - fill.keys())
    if untold:
        raise StorageError(
            f"trash {trash.place}: the cluster does not tell how full pool {untold[0]} is, which threshold goes by; "
            "is its ceph-mgr up?"
        )
    return {name: one.beyond(threshold) for name, one in fill.items()}
