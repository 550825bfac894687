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
from .calls import Call, Features, Place
from .state import Image, Parent, Pool, Snapshot
from .words import Wanted

Steps = tuple[Step, ...]
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
    if want.state != "present":
        return _gone(pool, want, there)
    former = pool.images.get(want.renamed_from) if want.renamed_from else None
    if there is None and former is not None:
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
    _check_fixed(want, there)
    planned = _changed(pool, want, there)
    if want.parent and not there.parent and not want.flatten:
        return planned._replace(warnings=(f"image {want.name} is no clone of {want.parent}, or no longer",))
    return planned


def _step(verb: str, want: Wanted, detail: str, *calls: Call, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb=verb, kind="image", name=want.name, detail=detail, actions=calls, destroys=destroys)


def _create(pool: Pool, want: Wanted) -> Plan:
    if pool.trashed(want.name) and not want.allow_trashed_namesake:
        raise Refused(
            f"image {want.name}: one of this name is in the trash; restore it or remove it there (rbd_trash), or set "
            "allow_trashed_namesake to make a new one beside it"
        )
    if want.parent is None and want.size is None:
        raise StorageError(f"image {want.name} does not exist, and to create it, say also: size, or parent")
    features = _wanted_features(want, pool.features)
    object_size = want.object_size or pool.object_size
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
    if want.data_pool:
        if want.data_pool not in pool.pools:
            raise StorageError(f"image {want.name}: there is no pool {want.data_pool} for its data")
        options.append(("data_pool", want.data_pool))
        features |= {"data-pool"}
    image = Image(
        name=want.name,
        id="",
        size=want.size or 0,
        object_size=object_size,
        features=features,
        stripe_unit=want.stripe_unit or object_size,
        stripe_count=want.stripe_count or 1,
        data_pool=want.data_pool or "",
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
    source = pool.parents.get(parent)
    if source is None:
        raise StorageError(f"image {want.name}: there is no snapshot {parent} to clone")
    if "layering" not in image.features:
        raise StorageError(f"image {want.name}: a clone needs feature layering")
    steps: Steps = ()
    if want.clone_format == 1 and not source.protected:
        call = Call("protect_snap", parent.place, (parent.snapshot,), image=parent.image)
        steps += (_step("protect", want, f"{parent}, which a clone of format 1 needs", call),)
        pool = pool._replace(parents={**pool.parents, parent: source._replace(protected=True)})
    call = Call(
        "clone",
        parent.place,
        (parent.image, parent.snapshot, pool.place, want.name),
        options,
        clone_format=want.clone_format,
    )
    steps += (_step("clone", want, f"of {parent}, {show_size(source.size)}", call),)
    return steps, image._replace(parent=parent, size=source.size), pool


def _changed(pool: Pool, want: Wanted, there: Image) -> Plan:
    steps: Steps = ()
    for change in (_size, _features, _object_map, _metadata, _config, _limit, _flatten):
        more, there = change(pool, want, there)
        steps += more
    return Plan(steps, pool.with_image(want.name, there))


def _check_fixed(want: Wanted, there: Image) -> None:
    """Raises Refused for what is fixed when an image is made."""
    for word in ("object_size", "stripe_unit", "stripe_count", "data_pool"):
        wanted, found = getattr(want, word), getattr(there, word)
        if wanted is not None and wanted != found:
            raise Refused(
                f"image {want.name}: its {word} is {found or 'none'}, and {wanted} is wanted; that is fixed when an "
                "image is made. Copy it to a new one"
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
    steps: Steps = ()
    for verb, enabled, some in (("disable", False, surplus), ("enable", True, missing)):
        if some:
            # All at once: librbd keeps object-map and fast-diff together.
            names = Features(tuple(sorted(some)))
            call = Call("update_features", pool.place, (names, enabled), image=want.name)
            steps += (_step(verb, want, f"features {names}", call),)
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


def check_settings(what: str, config: Mapping[str, str] | None, known: frozenset[str]) -> None:
    """Raises StorageError for what librbd has no setting of."""
    unknown = sorted(set(config or ()) - known)
    if unknown:
        raise StorageError(f"{what}: config {' '.join(unknown)}: librbd has no such setting for it")


def _config(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    check_settings(f"image {want.name}", want.config, pool.settings)
    steps, after = _pairs(pool, want, want.config, there.config, "config")
    return steps, there._replace(config=after)


def _limit(pool: Pool, want: Wanted, there: Image) -> tuple[Steps, Image]:
    limit = want.snapshot_limit
    if limit is None or limit == there.snapshot_limit:
        return (), there
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
    if there.group:
        raise Refused(f"{what}: it is in group {there.group}; take it out there first")
    if there.mirrored:
        raise Refused(f"{what}: it is mirrored; switch that off first")
    if there.users:
        raise Refused(
            f"{what}: it is open on {there.users}; unmap or close it there first. One that crashed with it counts "
            "until its watch expires, 30 s as a rule"
        )
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
