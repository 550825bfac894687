# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New images: empty ones, clones and copies."""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Step
from ..document.sizes import show_size
from .calls import Alone, Call, Features, Unwatched
from .options import Wanted
from .removal import gone
from .safety import check_unused
from .state import Image, Luks, Parent, Pool

Steps = tuple[Step, ...]
#: The clone format that needs protected snapshots.
_PROTECTING = 1
#: What follows from how an image was made, and is no wish.
IMPLIED = frozenset({"striping", "data-pool", "operations", "migrating", "non-primary"})


def step(
    want: Wanted, verb: str, detail: str, *calls: Alone | Call | Unwatched, destroys: tuple[str, ...] = ()
) -> Step:
    return Step(verb=verb, kind="image", name=want.name, detail=detail, actions=calls, destroys=destroys)


def wanted_features(want: Wanted, found: frozenset[str]) -> frozenset[str]:
    wanted = found if want.features is None else want.features | (found & IMPLIED)
    if want.journaling is None:
        return wanted
    if want.journaling and "exclusive-lock" not in wanted:
        raise StorageError(f"image {want.name}: journaling needs feature exclusive-lock")
    return wanted | {"journaling"} if want.journaling else wanted - {"journaling"}


def create(pool: Pool, want: Wanted) -> tuple[Steps, Image, Pool]:
    """The steps that make a new image, what it is then, and the pool. Raises StorageError for what cannot be made."""
    if pool.trashed(want.name) and not want.allow_trashed_namesake:
        raise Refused(
            f"image {want.name}: one of this name is in the trash; restore it or remove it there (rbd_trash), or set "
            "allow_trashed_namesake to make a new one beside it"
        )
    if want.parent is None and want.copy_of is None and want.size is None:
        raise StorageError(f"image {want.name} does not exist, and to create it, say also: size, parent or copy_of")
    origin = want.parent or want.copy_of
    image, options = lay_out(pool, want, origin)
    if want.parent:
        return _clone(pool, want, want.parent, image, options)
    if want.copy_of:
        return _copy(pool, want, want.copy_of, image, options)
    call = Call("create", pool.place, (want.name, want.size), (("old_format", False), *options))
    return (step(want, "create", show_size(image.size), call),), image, pool


def lay_out(pool: Pool, want: Wanted, origin: Parent | None) -> tuple[Image, tuple[tuple[str, Any], ...]]:
    """A new image, of ``origin`` if that is not None, and what librbd is to be told so that it becomes that."""
    if pool.place.pool in pool.erasure_coded:
        raise StorageError(
            f"image {want.name}: pool {pool.place.pool} is erasure-coded, and cannot hold the header of an image; "
            "make it in a replicated pool, with this one as data_pool"
        )
    source = pool.parents.get(origin) if origin else None
    # What is made of an image has the features of that, not those that other new images have.
    base = source.features - IMPLIED if source else pool.features
    features = wanted_features(want, base)
    object_size = want.object_size or (source.object_size if source else pool.object_size)
    options: list[tuple[str, Any]] = []
    if features != base:
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
        encryption=Luks(blank=True),
    )
    if source and image.object_size < source.object_size:
        raise StorageError(
            f"image {want.name}: its objects cannot be smaller than those of {origin}, "
            f"{show_size(source.object_size)}; leave object_size out"
        )
    return image, tuple(options)


def _clone(
    pool: Pool, want: Wanted, parent: Parent, image: Image, options: tuple[tuple[str, Any], ...]
) -> tuple[Steps, Image, Pool]:
    origin = pool.parents.get(parent)
    source = origin and origin.snapshot(parent.snapshot)
    if origin is None or source is None:
        raise StorageError(f"image {want.name}: there is no snapshot {parent} to clone")
    if "layering" not in image.features:
        raise StorageError(f"image {want.name}: a clone needs feature layering")
    steps: Steps = ()
    if want.clone_format == _PROTECTING and not source.protected:
        call = Call("protect_snap", parent.place, (parent.snapshot,), image=parent.image)
        steps += (step(want, "protect", f"{parent}, which a clone of format 1 needs", call),)
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
    steps += (step(want, "clone", f"of {parent}, {show_size(source.size)}", call),)
    inherited = image._replace(parent=parent, size=source.size, metadata=origin.metadata, config=origin.config)
    return steps, inherited, pool


def _copy(
    pool: Pool, want: Wanted, origin: Parent, image: Image, options: tuple[tuple[str, Any], ...]
) -> tuple[Steps, Image, Pool]:
    """Under another name until it is whole: one that is cut off is not taken for a copy."""
    source = pool.parents.get(origin)
    if source is None:
        raise StorageError(f"image {want.name}: there is no image {origin.place}/{origin.image} to copy")
    snapshot = source.snapshot(origin.snapshot)
    if origin.snapshot and snapshot is None:
        raise StorageError(f"image {want.name}: there is no snapshot {origin} to copy")
    if not origin.snapshot:
        check_unused(source, f"image {want.name}: {origin} cannot be copied, but a snapshot of it could")
    if source.layered and not want.with_snapshots:
        raise Refused(
            f"image {want.name}: {origin} is a clone that is encrypted, and a copy that is no clone could not be "
            "opened; set with_snapshots"
        )
    steps: Steps = ()
    partial = want.partial_copy
    left = pool.images.get(partial)
    if left:
        going = gone(pool, Wanted(partial, purge_snapshots=True, state="absent"), left).steps
        detail = f"{partial}, what is left of a copy that was cut off"
        steps = tuple(one._replace(kind="image", name=want.name, detail=detail) for one in going)
        pool = pool.with_image(partial, None)
    size = snapshot.size if snapshot else source.size
    method = "deep_copy" if want.with_snapshots else "copy"
    call = Call(method, origin.place, (pool.place, partial), options, image=origin.image, snapshot=origin.snapshot)
    named = Call("rename", pool.place, (partial, want.name))
    steps += (
        step(want, "copy", f"{origin}, {show_size(size)}", call),
        step(want, "rename", "now that it is whole", named),
    )
    copied = image._replace(size=size, metadata=source.metadata, config=source.config)
    if not want.stripe_unit:
        copied = copied._replace(stripe_unit=source.stripe_unit, stripe_count=source.stripe_count)
        if (copied.stripe_unit, copied.stripe_count) != (copied.object_size, 1):
            copied = copied._replace(features=copied.features | {"striping"})
    if want.with_snapshots:
        names = [one.name for one in source.snapshots]
        known = source.snapshots[: names.index(origin.snapshot) + 1] if snapshot else source.snapshots
        kept = tuple(one._replace(children=None) for one in known)
        copied = copied._replace(snapshots=kept, parent=source.parent)
    return steps, copied, pool
