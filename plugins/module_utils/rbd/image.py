# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RBD images: what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, both
from ..document.sizes import show_size
from .calls import Call, Features, Place, Unwatched
from .state import Image, Parent, Pool, Snapshot
from .words import Wanted

Steps = tuple[Step, ...]
#: The clone format that needs protected snapshots.
_PROTECTING = 1
#: How many objects librbd's object map has room for.
_MAPPED = 256_000_000
#: What librbd can turn on and off in an image that there is; deep-flatten only off.
_CHANGING = frozenset({"exclusive-lock", "object-map", "fast-diff", "journaling", "deep-flatten"})
#: What follows from how an image was made, and is no wish.
_IMPLIED = frozenset({"striping", "data-pool", "operations", "migrating", "non-primary"})


def plan_all(pool: Pool, wanted: Iterable[Wanted]) -> Plan:
    """What it takes for many images."""
    images, parents = dict(pool.images), pool.parents
    steps: list[Step] = []
    warnings: list[str] = []
    seen: set[str] = set()
    for want in wanted:
        names = {want.name, want.renamed_from} - {""}
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
        return _gone(pool, want, there)
    former = pool.images.get(want.renamed_from) if want.renamed_from else None
    if there is None and former is not None:
        check_changeable(former, f"image {former.name} cannot be renamed")
        call = Call("rename", pool.place, (former.name, want.name))
        pool = pool.with_image(former.name, None).with_image(want.name, former._replace(name=want.name))
        renamed = Plan((_step("rename", want, f"from {former.name}", call),), pool)
        return both(renamed, plan(pool, want._replace(renamed_from="")))
    if there is None:
        return _create(pool, want)
    if there.remains:
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


def _step(verb: str, want: Wanted, detail: str, *calls: Call | Unwatched, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb=verb, kind="image", name=want.name, detail=detail, actions=calls, destroys=destroys)


def check_changeable(image: Image, what: str) -> None:
    """Raises Refused for the copy of an image of another cluster, and where librbd would wait for a lock for ever."""
    if image.copy:
        raise Refused(
            f"{what}: it is a copy that mirroring keeps, and only its primary, on another cluster, may be changed; "
            "change that one"
        )
    if "exclusive-lock" in image.features:
        _check_lasting_locks(image, what)


def check_room(image: Image, what: str, more: int = 1) -> None:
    """Raises Refused where librbd's limit leaves no room for another snapshot. It counts those of groups, too."""
    count = len(image.snapshots) + image.hidden
    if image.snapshot_limit and count + more > image.snapshot_limit:
        raise Refused(
            f"{what}: image {image.name} has {count} snapshots, and its snapshot_limit is {image.snapshot_limit}; "
            "raise that (rbd_image), or remove a snapshot"
        )


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
    step = _step(
        "break the lock of",
        want,
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
    return both(Plan((step,), pool), plan(pool, want))


def _create(pool: Pool, want: Wanted) -> Plan:
    if pool.trashed(want.name) and not want.allow_trashed_namesake:
        raise Refused(
            f"image {want.name}: one of this name is in the trash; restore it or remove it there (rbd_trash), or set "
            "allow_trashed_namesake to make a new one beside it"
        )
    if want.parent is None and want.size is None:
        raise StorageError(f"image {want.name} does not exist, and to create it, say also: size, or parent")
    if pool.place.pool in pool.erasure_coded:
        raise StorageError(
            f"image {want.name}: pool {pool.place.pool} is erasure-coded, and cannot hold the header of an image; "
            "make it in a replicated pool, with this one as data_pool"
        )
    features = _wanted_features(want, pool.features)
    source = pool.parents.get(want.parent) if want.parent else None
    object_size = want.object_size or (source.object_size if source else pool.object_size)
    options: list[tuple[str, Any]] = []
    if features != pool.features:
        options.append(("features", Features(tuple(sorted(features)))))
    if want.object_size:
        options.append(("order", want.object_size.bit_length() - 1))
    if want.stripe_unit and want.stripe_count:
        if want.stripe_unit > object_size or object_size % want.stripe_unit:
            raise StorageError(
                f"image {want.name}: stripe_unit has to divide the object size, {show_size(object_size)}"
            )
        options += [("stripe_unit", want.stripe_unit), ("stripe_count", want.stripe_count)]
        features |= {"striping"}
    data_pool = want.data_pool or pool.data_pool
    if data_pool:
        if data_pool not in pool.pools:
            raise StorageError(f"image {want.name}: there is no pool {data_pool} for its data")
        if not pool.erasure_coded.get(data_pool, True):
            raise StorageError(
                f"image {want.name}: pool {data_pool} is erasure-coded, and only takes whole objects; set "
                "allow_ec_overwrites for it (ceph osd pool set), or choose another data_pool"
            )
        if want.data_pool:
            options.append(("data_pool", data_pool))
        # librbd takes the pool itself for no data pool.
        data_pool = "" if data_pool == pool.place.pool else data_pool
    if data_pool:
        features |= {"data-pool"}
    image = Image(
        name=want.name,
        id="",
        size=want.size or 0,
        object_size=object_size,
        features=features,
        stripe_unit=want.stripe_unit or object_size,
        stripe_count=want.stripe_count or 1,
        data_pool=data_pool,
    )
    if want.parent:
        steps, image, pool = _clone(pool, want, want.parent, image, tuple(options))
    else:
        call = Call("create", pool.place, (want.name, want.size), (("old_format", False), *options))
        steps = (_step("create", want, show_size(image.size), call),)
    return both(Plan(steps, pool), _changed(pool, want, image))


def _clone(
    pool: Pool, want: Wanted, parent: Parent, image: Image, options: tuple[tuple[str, Any], ...]
) -> tuple[Steps, Image, Pool]:
    origin = pool.parents.get(parent)
    source = origin and origin.snapshot(parent.snapshot)
    if origin is None or source is None:
        raise StorageError(f"image {want.name}: there is no snapshot {parent} to clone")
    if image.object_size < origin.object_size:
        raise StorageError(
            f"image {want.name}: the objects of a clone cannot be smaller than those of its parent, "
            f"{show_size(origin.object_size)}; leave object_size out"
        )
    if "layering" not in image.features:
        raise StorageError(f"image {want.name}: a clone needs feature layering")
    steps: Steps = ()
    if want.clone_format == _PROTECTING and not source.protected:
        call = Call("protect_snap", parent.place, (parent.snapshot,), image=parent.image)
        steps += (_step("protect", want, f"{parent}, which a clone of format 1 needs", call),)
        pool = pool._replace(
            parents={**pool.parents, parent: origin.with_snapshot(source.name, source._replace(protected=True))}
        )
    call = Call(
        "clone",
        parent.place,
        (parent.image, parent.snapshot, pool.place, want.name),
        options,
        settings=(("rbd_default_clone_format", str(want.clone_format)),),
        phase=0 if want.clone_format == _PROTECTING else 1,
    )
    steps += (_step("clone", want, f"of {parent}, {show_size(source.size)}", call),)
    inherited = image._replace(parent=parent, size=source.size, metadata=origin.metadata, config=origin.config)
    return steps, inherited, pool


def _changed(pool: Pool, want: Wanted, there: Image) -> Plan:
    steps: Steps = ()
    for change in (_size, _features, _object_map, _metadata, _config, _limit, _flatten):
        more, there = change(pool, want, there)
        steps += more
    if "object-map" in there.features and -(-there.size // there.object_size) > _MAPPED:
        raise StorageError(
            f"image {want.name}: an object map has room for {_MAPPED} objects, which is "
            f"{show_size(_MAPPED * there.object_size)} of this object_size, and {show_size(there.size)} is wanted; "
            "name features without object-map and fast-diff, or make it with larger objects"
        )
    return Plan(steps, pool.with_image(want.name, there))


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
    if shrinks and not want.allow_shrink:
        raise Refused(
            f"image {want.name}: it has {show_size(there.size)}, and {show_size(want.size)} is wanted; what lies "
            "beyond would be lost. Set allow_shrink, once what is in it ends before that"
        )
    lost = (f"{want.name}: what lies beyond {show_size(want.size)}",) if shrinks else ()
    call = Call("resize", pool.place, (want.size,), (("allow_shrink", shrinks),), image=want.name)
    detail = f"{show_size(there.size)} to {show_size(want.size)}"
    return (_step("resize", want, detail, call, destroys=lost),), there._replace(size=want.size)


def _wanted_features(want: Wanted, found: frozenset[str]) -> frozenset[str]:
    wanted = found if want.features is None else want.features | (found & _IMPLIED)
    if want.journaling is None:
        return wanted
    if want.journaling and "exclusive-lock" not in wanted:
        raise StorageError(f"image {want.name}: journaling needs feature exclusive-lock")
    return wanted | {"journaling"} if want.journaling else wanted - {"journaling"}


def _features(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    wanted = _wanted_features(want, there.features)
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
            steps += (_step(verb, want, f"features {names}", call, destroys=lost),)
    if "object-map" in missing:
        there = there._replace(invalid=True)
    return steps, there._replace(features=wanted, invalid=there.invalid and "object-map" in wanted)


def _object_map(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if not there.invalid or (want.features is None or "object-map" not in want.features):
        return (), there
    call = Call("rebuild_object_map", pool.place, image=want.name)
    return (_step("rebuild", want, "its object map", call),), there._replace(invalid=False)


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
        steps += (_step(verb, want, f"{what} {key} {value}".strip(), call),)
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
    return (_step("limit", want, f"to {limit or 'any number of'} snapshots", call),), there._replace(
        snapshot_limit=limit
    )


def _flatten(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    if not want.flatten or there.parent is None:
        return (), there
    call = Call("flatten", pool.place, image=want.name)
    return (_step("flatten", want, f"no longer a clone of {there.parent}", call),), there._replace(parent=None)


def _gone(pool: Pool, want: Wanted, there: Image | None) -> Plan:
    """Out of the pool, or into its trash. Whoever has it open, or is made of it, keeps it."""
    if there is None:
        return Plan((), pool)
    what = f"image {want.name} cannot be {'removed' if want.state == 'absent' else 'put in the trash'}"
    check_unmirrored(there, what)
    if there.group:
        raise Refused(f"{what}: it is in group {there.group}; take it out there first")
    check_unused(there, what)
    after = pool.with_image(want.name, None)
    if want.state == "trashed" and not there.remains:
        call = Call("trash_move", pool.place, (want.name, want.delay))
        detail = f"kept for {want.delay} s at least" if want.delay else "until it is purged"
        return Plan((_step("trash", want, detail, call),), after)
    if there.children:
        raise Refused(f"{what}: it has clones ({' '.join(there.children)}); flatten or remove them first")
    if there.snapshots and not want.purge_snapshots:
        names = " ".join(snapshot.name for snapshot in there.snapshots)
        raise Refused(f"{what}: it has snapshots ({names}); set purge_snapshots to lose them too")
    if there.hidden:
        raise Refused(f"{what}: it has {there.hidden} snapshots of a group or of mirroring; remove them there first")
    steps: Steps = ()
    for snapshot in there.snapshots:
        steps += without_snapshot(pool.place, want.name, snapshot)
    call = Call("remove", pool.place, (want.name,))
    lost = (f"{want.name}: {show_size(there.size)}",)
    return Plan((*steps, _step("remove", want, show_size(there.size), call, destroys=lost)), after)


def check_unmirrored(image: Image, what: str) -> None:
    """Raises Refused for an image whose copies another cluster has, or that is one."""
    check_changeable(image, what)
    if image.mirroring:
        raise Refused(
            f"{what}: it is mirrored, and that is only done to images that are not. Beware: to disable its mirroring "
            "deletes its copy on the peer"
        )


def _check_lasting_locks(image: Image, what: str) -> None:
    lasting = [lock for lock in image.locks if not lock.automatic]
    if lasting:
        raise Refused(
            f"{what}: it is locked by {lasting[0].address} (lock {lasting[0].cookie}); have the holder release the "
            "lock, or see break_lock (rbd_image)"
        )


def check_unused(image: Image, what: str) -> None:
    """Raises Refused for an image that somebody uses."""
    _check_lasting_locks(image, what)
    if image.users:
        raise Refused(
            f"{what}: it is open on {image.users}; unmap or close it there first. One that crashed with it counts "
            "until its watch expires, 30 s as a rule"
        )


def without_snapshot(place: Place, image: str, snapshot: Snapshot) -> Steps:
    """A snapshot of an image removed, its protection first."""
    name = f"{image}@{snapshot.name}"
    steps: Steps = ()
    if snapshot.protected:
        call = Call("unprotect_snap", place, (snapshot.name,), image=image)
        steps += (Step("unprotect", "snapshot", name, "so that it can be removed", (call,)),)
    call = Call("remove_snap", place, (snapshot.name,), image=image)
    size = show_size(snapshot.size)
    return (*steps, Step("remove", "snapshot", name, size, (call,), destroys=(f"{name}: {size}",)))
