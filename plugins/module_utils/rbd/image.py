# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RBD images: what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, both
from ..document.sizes import show_size
from .calls import Alone, Call, Features, Unwatched
from .create import create, step, wanted_features
from .luks import FORMATS, HEADERS
from .options import FEATURES, Wanted
from .removal import gone
from .safety import check_changeable, check_room, check_settled, check_unused
from .state import Image, Luks, Pool

Steps = tuple[Step, ...]
#: How many objects librbd's object map has room for.
_MAPPED = 256_000_000
#: What librbd can turn on and off in an image that there is; deep-flatten only off.
_CHANGING = frozenset({"exclusive-lock", "object-map", "fast-diff", "journaling", "deep-flatten"})
#: Those that a task names.
_CHOSEN = frozenset(FEATURES)


def plan_all(pool: Pool, wanted: Iterable[Wanted]) -> Plan:
    """What it takes for many images."""
    images, parents = dict(pool.images), pool.parents
    steps: list[Step] = []
    warnings: list[str] = []
    seen: set[str] = set()
    for want in wanted:
        names = {want.name, want.renamed_from, want.partial_copy} - {""}
        if names & seen:
            raise StorageError(f"image {' '.join(sorted(names & seen))}: the task names it twice")
        seen |= names
        # No image of a task is another's parent, so each needs only its own: many stay as fast as few.
        part = plan(pool._replace(images={name: images.get(name) for name in names}, parents=parents), want)
        steps += part.steps
        warnings += part.warnings
        images.update(part.after.images)
        parents = part.after.parents
    return Plan(tuple(steps), pool._replace(images=images), warnings=tuple(warnings))


def plan(pool: Pool, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    there = pool.images.get(want.name)
    if there and want.break_lock in [lock.address for lock in there.locks]:
        return _without_lock(pool, want, there)
    if want.state != "present":
        return gone(pool, want, there)
    former = pool.images.get(want.renamed_from) if want.renamed_from else None
    if there is None and former is not None:
        check_changeable(former, f"image {former.name} cannot be renamed")
        call = Call("rename", pool.place, (former.name, want.name))
        pool = pool.with_image(former.name, None).with_image(want.name, former._replace(name=want.name))
        renamed = Plan((step(want, "rename", f"from {former.name}", call),), pool)
        return both(renamed, plan(pool, want._replace(renamed_from="")))
    if there is None:
        steps, there, pool = create(pool, want)
        return both(Plan(steps, pool), _changed(pool, want, there))
    if there.remains:
        check_settled(there, f"image {want.name}: {there.left_by}")
        raise Refused(
            f"image {want.name}: a removal of it was cut off, and what is left is no image; finish that by state absent"
        )
    _check_fixed(pool, want, there)
    planned = _changed(pool, want, there)
    if planned.steps:
        check_changeable(there, f"image {want.name} cannot be changed")
    if want.parent and not there.parent and not want.flatten:
        return planned._replace(warnings=(f"image {want.name} is no clone of {want.parent}, or no longer",))
    return planned


def _without_lock(pool: Pool, want: Wanted, there: Image) -> Plan:
    lock = next(one for one in there.locks if one.address == want.break_lock)
    if not want.allow_destroy:
        raise Refused(
            f"image {want.name}: {lock.address} holds its lock, and what it did not write yet would be lost; set "
            "allow_destroy to break the lock"
        )
    # Without being kept out, the holder could go on writing once it no longer hangs.
    kept_out = (("rbd_blocklist_on_break_lock", "true"),)
    call = Call("break_lock", pool.place, (lock.holder, lock.cookie), image=want.name, settings=kept_out)
    broken = step(
        want,
        "break the lock of",
        f"held by {lock.address}, which the cluster no longer lets in",
        call,
        Unwatched(pool.place, want.name, lock.address),
        destroys=(f"{want.name}: what {lock.address} did not write yet",),
    )
    free = there._replace(
        locks=tuple(one for one in there.locks if one is not lock),
        watchers=tuple(one for one in there.watchers if one != lock.address),
    )
    pool = pool.with_image(want.name, free)
    return both(Plan((broken,), pool), plan(pool, want))


def _changed(pool: Pool, want: Wanted, there: Image) -> Plan:
    steps: Steps = ()
    for change in (_size, _encryption, _features, _object_map, _metadata, _config, _limit, _flatten, _sparsify):
        more, there = change(pool, want, there)
        steps += more
    if "object-map" in there.features and -(-there.size // there.object_size) > _MAPPED:
        raise StorageError(
            f"image {want.name}: an object map has room for {_MAPPED} objects, which is "
            f"{show_size(_MAPPED * there.object_size)} of this object_size, and {show_size(there.size)} is wanted; "
            "name features without object-map and fast-diff, or make it with larger objects"
        )
    return Plan(steps, pool.with_image(want.name, there))


def check_layout(pool: Pool, want: Wanted, there: Image) -> None:
    """Raises Refused where an image is laid out otherwise than a task says that makes one, and changes none."""
    _check_fixed(pool, want, there)
    found, wanted = (sorted(some & _CHOSEN) for some in (there.features, wanted_features(want, there.features)))
    if found != wanted:
        raise Refused(
            f"image {want.name}: its features are {' '.join(found)}, and {' '.join(wanted)} are wanted; change them by "
            "rbd_image"
        )


def _check_fixed(pool: Pool, want: Wanted, there: Image) -> None:
    """Raises Refused for what is fixed when an image is made."""
    layout = there._replace(data_pool=there.data_pool or pool.place.pool)
    for word in ("object_size", "stripe_unit", "stripe_count", "data_pool"):
        wanted, found = getattr(want, word), getattr(layout, word)
        if wanted is not None and wanted != found:
            raise Refused(
                f"image {want.name}: its {word} is {found}, and {wanted} is wanted; that is fixed when an image is made"
            )
    if want.parent and there.parent and want.parent != there.parent._replace(trashed=False):
        raise Refused(f"image {want.name}: it is a clone of {there.parent}, and one of {want.parent} is wanted")


def _size(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if want.size is None or want.size == there.size:
        return (), there
    shrinks = want.size < there.size
    header = there.encryption.header if there.encryption else 0
    if shrinks and want.size <= header:
        raise Refused(f"image {want.name}: it is encrypted, and the header alone takes {show_size(header)}")
    if shrinks and not want.allow_shrink:
        raise Refused(
            f"image {want.name}: it has {show_size(there.size)}, and {show_size(want.size)} is wanted; what lies "
            "beyond would be lost. Set allow_shrink, once what is in it ends before that"
        )
    lost = (f"{want.name}: what lies beyond {show_size(want.size)}",) if shrinks else ()
    call = Call("resize", pool.place, (want.size,), (("allow_shrink", shrinks),), image=want.name)
    detail = f"{show_size(there.size)} to {show_size(want.size)}"
    return (step(want, "resize", detail, call, destroys=lost),), there._replace(size=want.size)


def _encryption(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    """Formatted, where it is not. Which passphrases open it is not changed."""
    wanted, found = want.encryption, there.encryption
    if wanted is None or found is None:
        return (), there
    what = f"image {want.name}: it cannot be formatted with {wanted.format}"
    if found.format == wanted.format:
        if found.opens is False:
            raise StorageError(f"image {want.name}: it is encrypted with {found.format}, and not with this passphrase")
        return (), there
    header = HEADERS[wanted.format]
    if there.size <= header:
        raise StorageError(f"{what}: the header takes {show_size(header)}, and it has {show_size(there.size)} in all")
    if there.parent:
        _check_clone(pool, want, there, what, header)
    if there.mirroring:
        raise Refused(f"{what}: it is mirrored, and the copy would be lost, too")
    if "journaling" in there.features:
        raise Refused(f"{what}: librbd encrypts none with feature journaling; take that away")
    if not found.blank and not want.allow_destroy:
        holds = f"encrypted with {found.format}" if found.format else "not empty"
        raise Refused(f"{what}: it is {holds}, and all that it holds would be lost; set allow_destroy")
    if there.id:
        check_unused(there, what)
    call = Call("encryption_format", pool.place, (FORMATS[wanted.format], wanted.passphrase), image=want.name)
    lost = () if found.blank else (f"{want.name}: all that it holds",)
    after = there._replace(encryption=Luks(wanted.format, header, opens=True), layered=there.parent is not None)
    return (step(want, "encrypt", f"with {wanted.format}", Alone(call), destroys=lost),), after


def _check_clone(pool: Pool, want: Wanted, there: Image, what: str, header: int) -> None:
    """Raises Refused for a clone that would read as noise, or would lack the end of what it is a clone of."""
    if not pool.layers:
        raise Refused(f"{what}: it is a clone, which librbd reads as noise before Ceph 18; flatten it first")
    parent = want.parent and pool.parents.get(want.parent)
    source = parent.snapshot(want.parent.snapshot) if parent and want.parent else None
    if parent is None or parent.encryption is None or source is None:
        raise Refused(f"{what}: it is a clone of {there.parent}, which is to be there, and named (parent)")
    needed = source.size - parent.encryption.header + header
    if there.size < needed:
        raise Refused(
            f"{what}: what it is a clone of has {show_size(source.size - parent.encryption.header)} of data, and the "
            f"header takes {show_size(header)}; set size to at least {show_size(needed)}"
        )


def _features(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    wanted = wanted_features(want, there.features)
    missing, surplus = wanted - there.features, there.features - wanted
    for feature in sorted(missing | surplus):
        if feature not in _CHANGING or (feature == "deep-flatten" and feature in missing):
            verb = "added to" if feature in missing else "taken from"
            raise Refused(f"image {want.name}: feature {feature} cannot be {verb} an image that there is")
    if "deep-flatten" in surplus and not want.allow_destroy:
        raise Refused(
            f"image {want.name}: it has feature deep-flatten, which features does not name, and which cannot be put "
            "back once it is taken away; name it, or set allow_destroy"
        )
    if "journaling" in surplus and there.mirroring and there.mirroring.mode == "journal":
        raise Refused(
            f"image {want.name}: it is mirrored by its journal, so feature journaling cannot be taken from it"
        )
    steps: Steps = ()
    for verb, enabled, some in (("disable", False, surplus), ("enable", True, missing)):
        if some:
            # All at once: librbd keeps object-map and fast-diff together.
            names = Features(tuple(sorted(some)))
            call = Call("update_features", pool.place, (names, enabled), image=want.name)
            lost = (f"{want.name}: feature deep-flatten, for good",) if "deep-flatten" in some and not enabled else ()
            steps += (step(want, verb, f"features {names}", call, destroys=lost),)
    if "object-map" in missing:
        there = there._replace(invalid=True)
    return steps, there._replace(features=wanted, invalid=there.invalid and "object-map" in wanted)


def _object_map(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if not there.invalid or (want.features is None or "object-map" not in want.features):
        return (), there
    call = Call("rebuild_object_map", pool.place, image=want.name)
    return (step(want, "rebuild", "its object map", call),), there._replace(invalid=False)


def changed_pairs(
    wanted: Mapping[str, str] | None, found: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """The keys and values to set (empty: to remove), and what there is after that."""
    changes = tuple(
        (key, value) for key, value in (wanted or {}).items() if (found.get(key) != value if value else key in found)
    )
    after = {**found, **dict(changes)}
    return changes, {key: value for key, value in after.items() if value}


def _pairs(
    pool: Pool, want: Wanted, wanted: Mapping[str, str] | None, found: Mapping[str, str], what: str
) -> tuple[Steps, dict[str, str]]:
    changes, after = changed_pairs(wanted, found)
    steps: Steps = ()
    for key, value in changes:
        verb, suffix = ("set", "set") if value else ("unset", "remove")
        call = Call(f"{what}_{suffix}", pool.place, (key, value) if value else (key,), image=want.name)
        steps += (step(want, verb, f"{what} {key} {value}".strip(), call),)
    return steps, after


def _metadata(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    steps, after = _pairs(pool, want, want.metadata, there.metadata, "metadata")
    return steps, there._replace(metadata=after)


def _config(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    steps, after = _pairs(pool, want, want.config, there.config, "config")
    return steps, there._replace(config=after)


def _limit(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    limit = want.snapshot_limit
    if limit is None or limit == there.snapshot_limit:
        return (), there
    check_room(there._replace(snapshot_limit=limit), f"image {want.name} cannot be limited", more=0)
    call = (
        Call("set_snap_limit", pool.place, (limit,), image=want.name)
        if limit
        else Call("remove_snap_limit", pool.place, image=want.name)
    )
    return (step(want, "limit", f"to {limit or 'any number of'} snapshots", call),), there._replace(
        snapshot_limit=limit
    )


def _flatten(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if not want.flatten or there.parent is None:
        return (), there
    if there.layered and want.encryption is None:
        raise Refused(
            f"image {want.name}: it is encrypted, and what it has of {there.parent} is not, or otherwise; flattened as "
            "it is, it could not be opened any more. Say encryption, with the passphrases"
        )
    call = Call(
        "flatten",
        pool.place,
        image=want.name,
        unlock=want.encryption.unlock if there.layered and want.encryption else None,
    )
    flat = there._replace(parent=None, layered=False)
    return (step(want, "flatten", f"no longer a clone of {there.parent}", call),), flat


def _sparsify(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if want.sparsify is None:
        return (), there
    if want.sparsify > there.object_size:
        raise StorageError(
            f"image {want.name}: sparsify is at most the object size, {show_size(there.object_size)}; "
            f"{show_size(want.sparsify)} was given"
        )
    call = Call("sparsify", pool.place, (want.sparsify,), image=want.name)
    return (step(want, "sparsify", f"zeros in runs of {show_size(want.sparsify)}", call),), there
