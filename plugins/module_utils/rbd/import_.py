# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports of files into images: words, and what it takes to have one there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.sizes import show_size
from . import options
from .calls import Call, FillImage, Place, SayOrigin, names
from .create import lay_out
from .exports import Difference, Whole, check_path
from .image import check_layout
from .removal import gone
from .safety import check_changeable, check_room, check_settled, check_unused
from .state import Image, ImportState, Snapshot

#: Metadata of an image while a file is being written to it: which file, and how much of it is there.
MARK = "strata.importing"
OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "snapshot": {"type": "str"},
    **{name: options.OPTIONS[name] for name in options.LAYOUT},
    "allow_destroy": {"type": "bool", "default": False},
}


class Wanted(NamedTuple):
    """An image that is to have what a file has. ``image`` says what a new one is like, ``snapshot`` its snapshot."""

    image: options.Wanted
    path: str
    snapshot: str = ""
    allow_destroy: bool = False

    @property
    def name(self) -> str:
        return self.image.name

    @property
    def partial(self) -> str:
        """What a new image is called until it is whole."""
        return f"{self.name}.strata-importing"


def parse(params: Mapping[str, Any], place: Place) -> Wanted:
    """From the module's options."""
    image = options.parse({"name": params["image"], **{word: params[word] for word in options.LAYOUT}}, place)
    return Wanted(image, check_path(params["path"]), params["snapshot"] or "", params["allow_destroy"])


def plan(state: ImportState, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    planned = _full(state, want) if state.full else _difference(state, want)
    if not planned.steps or state.room is None or state.data <= state.room:
        return planned
    # Zeros in the file take no room, and nobody read it yet.
    return planned._replace(
        warnings=(
            f"image {want.name}: pool {state.data_pool} has room for {show_size(state.room)}, its quota included, and "
            f"{want.path} holds {show_size(state.data)} more, if none of that is zeros; an import that does not fit "
            "stops, and the next run goes on with it once there is room",
        )
    )


def _step(want: Wanted, verb: str, detail: str, action: Any, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "image", want.name, detail, (action,), destroys=destroys)


def _with(state: ImportState, name: str, image: Image | None) -> ImportState:
    return state._replace(pool=state.pool.with_image(name, image))


def mark(identity: str, batches: int) -> str:
    """What an image has as metadata once so much of a file was written to it."""
    return f"{identity} {batches}"


def written(found: str, identity: str) -> int:
    """How much of a file an image has, by what it has as metadata; -1: that is about another file, or none."""
    of_file, _space, batches = found.rpartition(" ")
    return int(batches) if of_file == identity and batches.isdigit() else -1


def _is_of(image: Image, state: ImportState) -> bool:
    return written(image.metadata.get(MARK, ""), state.identity) >= 0


def _fits(partial: Image, state: ImportState, want: Wanted) -> bool:
    """Whether what an import left is laid out as the image is to be."""
    try:
        check_layout(state.pool, want.image, partial)
    except Refused:
        return False
    return True


def _marked(state: ImportState, want: Wanted, image: str) -> Step:
    call = Call("metadata_set", state.pool.place, (MARK, mark(state.identity, 0)), image=image)
    return _step(want, "mark", f"as of {want.path}", call)


def _full(state: ImportState, want: Wanted) -> Plan:
    """Under another name until it is whole: one that is cut off is not taken for an image."""
    place, there, partial = state.pool.place, state.pool.images.get(want.name), state.pool.images.get(want.partial)
    if there:
        if state.origin_said != _origin(state):
            said = f"it was {state.origin_said}" if state.origin_said else "it does not say what it came from"
            raise Refused(
                f"image {want.name}: {place} has one already, and that is not known to be this import: {said}, and not "
                f"{_origin(state)}; import under another name"
            )
        if want.snapshot and not there.snapshot(want.snapshot):
            raise Refused(
                f"image {want.name}: {place} has one already, and that is not this import: it has no snapshot "
                f"{want.snapshot}"
            )
        check_layout(state.pool, want.image, there)
        return Plan((), state)
    if state.whole and want.snapshot:
        raise StorageError(f"{want.path}: it is of format 2, and has its own snapshots; leave snapshot out")
    if state.size == 0 and not state.whole:
        raise StorageError(f"{want.path}: it is empty, and no image")
    if state.pool.trashed(want.name):
        raise Refused(f"image {want.name}: one of this name is in the trash; restore it or remove it there (rbd_trash)")
    image, laid_out = lay_out(state.pool, _as_told(want.image, state.whole), None)
    # What the file has, one after the other: until each of its snapshots, and what came after them.
    parts = state.whole.differences if state.whole else (Difference("", want.snapshot, state.size),)
    image = image._replace(name=want.partial, size=parts[0].size, metadata={MARK: mark(state.identity, 0)})
    steps: tuple[Step, ...] = ()
    if partial:
        check_unused(partial, f"image {want.name}: {want.partial}, what is left of an import, cannot be gone on with")
    if partial is None or partial.remains or not _is_of(partial, state) or not _fits(partial, state, want):
        if partial:
            removal = options.Wanted(want.partial, purge_snapshots=True, state="absent")
            detail = f"{want.partial}, what is left of another import"
            going = gone(state.pool, removal, partial).steps
            steps = tuple(one._replace(kind="image", name=want.name, detail=detail) for one in going)
        make = Call("create", place, (want.partial, image.size), (("old_format", False), *laid_out))
        steps += (_step(want, "create", show_size(image.size), make), _marked(state, want, want.partial))
    else:
        image = partial
    for number, part in enumerate(parts):
        more, image = _filled(state, want, image, number, part)
        steps += more
    metadata = dict(state.whole.metadata) if state.whole else {}
    for key, value in metadata.items():
        if image.metadata.get(key) != value:
            call = Call("metadata_set", place, (key, value), image=want.partial)
            steps += (_step(want, "set", f"metadata {key} {value}".strip(), call),)
    unmark = Call("metadata_remove", place, (MARK,), image=want.partial)
    named = Call("rename", place, (want.partial, want.name))
    origin = _origin(state)
    steps += (
        _step(want, "mark", f"as {origin}", SayOrigin(place, want.partial, origin)),
        _step(want, "unmark", "now that it is whole", unmark),
        _step(want, "rename", "now that it is whole", named),
    )
    own = {key: value for key, value in metadata.items() if not key.startswith(options.SETTING)}
    config = {key[len(options.SETTING) :]: value for key, value in metadata.items() if key.startswith(options.SETTING)}
    image = image._replace(name=want.name, metadata=own, config=config)
    return Plan(steps, _with(_with(state, want.partial, None), want.name, image)._replace(origin_said=origin))


def _origin(state: ImportState) -> str:
    """What an image is to say that it came from."""
    return f"imported from a file ({state.identity})"


def _as_told(want: options.Wanted, whole: Whole | None) -> options.Wanted:
    """What is wanted of a new image, and for what the task does not say, what a file of format 2 does."""
    if whole is None:
        return want
    striped = want.stripe_unit is None and want.object_size is None and whole.stripe_count > 1
    return want._replace(
        features=names(whole.features) & {*options.FEATURES} if want.features is None else want.features,
        object_size=want.object_size or 1 << whole.order,
        stripe_unit=whole.stripe_unit if striped else want.stripe_unit,
        stripe_count=whole.stripe_count if striped else want.stripe_count,
    )


def _filled(
    state: ImportState, want: Wanted, image: Image, number: int, part: Difference
) -> tuple[tuple[Step, ...], Image]:
    """What is under way, as it is once it has a part of the file, and the snapshot that this ends at."""
    place = state.pool.place
    steps: tuple[Step, ...] = ()
    there = image.snapshot(part.end) if part.end else None
    if there is None:
        if image.size != part.size:
            call = Call("resize", place, (part.size,), (("allow_shrink", True),), image=want.partial)
            steps += (_step(want, "resize", f"{show_size(image.size)} to {show_size(part.size)}", call),)
            image = image._replace(size=part.size)
        fill = FillImage(place, want.partial, want.path, state.identity, number, part.end if state.whole else "")
        steps += (_step(want, "import", f"from {want.path}", fill),)
    if part.end and there is None:
        call = Call("create_snap", place, (part.end,), image=want.partial)
        steps += (_step(want, "snapshot", f"as {part.end}", call),)
        there = Snapshot(part.end, part.size)
    if there and part.protected and not there.protected:
        call = Call("protect_snap", place, (part.end,), image=want.partial)
        steps += (_step(want, "protect", f"snapshot {part.end}", call),)
        there = there._replace(protected=True)
    return steps, image.with_snapshot(part.end, there) if there else image


def _difference(state: ImportState, want: Wanted) -> Plan:
    place, there = state.pool.place, state.pool.images.get(want.name)
    what = f"image {want.name}: {want.path} cannot be imported"
    if not state.end:
        raise StorageError(f"{what}: it does not end at a snapshot, so nobody could tell afterwards that it is there")
    if want.snapshot and want.snapshot != state.end:
        raise StorageError(f"{what}: it ends at snapshot {state.end}, and {want.snapshot} is wanted")
    if there is None or there.remains:
        raise StorageError(f"{what}: there is none of this name, to which it is a difference; import a full one first")
    check_layout(state.pool, want.image, there)
    unmark = _step(want, "unmark", "now that it is whole", Call("metadata_remove", place, (MARK,), image=want.name))
    unmarked = {key: value for key, value in there.metadata.items() if key != MARK}
    if there.snapshot(state.end):
        return Plan(
            (unmark,) if MARK in there.metadata else (), _with(state, want.name, there._replace(metadata=unmarked))
        )
    if state.start and not there.snapshot(state.start):
        raise StorageError(f"{what}: it begins at snapshot {state.start}, which the image does not have")
    check_changeable(there, what)
    check_settled(there, what)
    check_unused(there, what)
    check_room(there, what)
    steps: tuple[Step, ...] = ()
    going_on = _is_of(there, state)
    if state.changed and not going_on:
        steps += _begun(state, want, what)
    if not going_on:
        steps += (_marked(state, want, want.name),)
    before = there.snapshot(state.start)
    size = before.size if before and state.changed and not going_on else there.size
    if state.size != size:
        shrinks = state.size < size
        if shrinks and not want.allow_destroy:
            raise Refused(f"{what}: it makes the image smaller, {show_size(state.size)}; set allow_destroy")
        call = Call("resize", place, (state.size,), (("allow_shrink", shrinks),), image=want.name)
        lost = (f"{want.name}: what lies beyond {show_size(state.size)}",) if shrinks else ()
        steps += (_step(want, "resize", f"{show_size(size)} to {show_size(state.size)}", call, lost),)
    call = Call("create_snap", place, (state.end,), image=want.name)
    steps += (
        _step(want, "import", f"from {want.path}", FillImage(place, want.name, want.path, state.identity)),
        _step(want, "snapshot", f"as {state.end}", call),
        unmark,
    )
    after = there._replace(size=state.size, metadata=unmarked).with_snapshot(state.end, Snapshot(state.end, state.size))
    return Plan(steps, _with(state, want.name, after)._replace(changed=False))


def _begun(state: ImportState, want: Wanted, what: str) -> tuple[Step, ...]:
    """The image as it was where the difference begins."""
    origin = f"snapshot {state.start}" if state.start else "nothing"
    if not state.start:
        raise Refused(f"{what}: it begins with nothing, and somebody wrote to the image; import it into a new one")
    if not want.allow_destroy:
        raise Refused(
            f"{what}: it begins at {origin}, and somebody wrote to the image since; set allow_destroy to roll it back"
        )
    call = Call("rollback_to_snap", state.pool.place, (state.start,), image=want.name)
    lost = (f"{want.name}: what was written since {origin}",)
    return (_step(want, "roll back", f"to {origin}", call, lost),)
