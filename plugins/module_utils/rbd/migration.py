# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migration of an image: words, and what it takes to bring one as far as it is wanted.

A preparation or a commit that was cut off leaves the source in the trash, where librbd neither restores nor removes it.
What it says of its migration there tells which of the two it was: that decides which image is the good one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, both
from ..document.sizes import show_size
from . import options, origins
from .calls import Alone, Call, Place, PrepareImport, Relink, RemoveCommitted, SayOrigin
from .create import lay_out, wanted_features
from .image import check_layout
from .safety import CRASHED, check_unmirrored, check_unused
from .state import Image, Left, MigrationState, Parent

#: librbd's words for how far a migration is.
_PREPARED, _EXECUTING, _EXECUTED = "prepared", "executing", "executed"
_LASTING = (_PREPARED, _EXECUTING, _EXECUTED)
OPTIONS: dict[str, dict[str, Any]] = {
    "image": {"type": "str", "required": True},
    "source": {
        "type": "dict",
        "options": {
            "pool": {"type": "str"},
            "namespace": {"type": "str"},
            "image": {"type": "str", "required": True},
        },
    },
    "import": origins.OPTION,
    **{name: options.OPTIONS[name] for name in options.LAYOUT},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["prepared", "executed", "committed", "aborted"], "required": True},
}


class Wanted(NamedTuple):
    """How far a migration to ``image`` is to be, which also says what that is to be like.

    ``source`` None, and ``spec`` (JSON) empty: the task does not say.
    """

    image: options.Wanted
    state: str
    source: Parent | None = None
    spec: str = ""
    allow_destroy: bool = False

    @property
    def name(self) -> str:
        return self.image.name


def parse(params: Mapping[str, Any], place: Place) -> Wanted:
    """From the module's options. Raises StorageError for what makes no sense together."""
    name, source, imported = params["image"], params["source"], params["import"]
    if source and imported:
        raise StorageError(f"image {name}: source moves an image, and import makes one of something else; say one")
    layout = options.parse({"name": name, **{word: params[word] for word in options.LAYOUT}}, place)
    return Wanted(
        layout,
        params["state"],
        options.parent_of(source, place),
        origins.parse(name, imported, place) if imported else "",
        params["allow_destroy"],
    )


def dump(state: MigrationState, name: str) -> dict[str, Any] | None:
    """A migration that is under way, in the words that the module takes."""
    if not state.state:
        return None
    source = state.source
    return {
        "image": name,
        "state": "executed" if state.state == _EXECUTED else "prepared",
        "source": source and {"pool": source.place.pool, "namespace": source.place.namespace, "image": source.image},
        "import": origins.dump(state.spec) if state.spec else None,
    }


def plan(state: MigrationState, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    if state.state and want.source and state.source != want.source:
        current = state.source or origins.show(state.spec)
        raise Refused(f"image {want.name}: it is being migrated from {current}, not {want.source}")
    mended = _mended(state, want)
    go_on = _aborted if want.state == "aborted" else _advanced
    return both(mended, go_on(mended.after, want))


def _step(want: Wanted, verb: str, detail: str, action: Any, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "image", want.name, detail, (action,), destroys=destroys)


def _origin(source: Parent | None, spec: str) -> str:
    """What an image is to say that it came from, without a password that somebody else wrote into the spec."""
    if spec:
        return f"imported from {origins.show(spec)}"
    return f"migrated from {source}" if source else ""


def _said(state: MigrationState, want: Wanted) -> Plan:
    """Have the destination say what it comes from, if it does not, as where somebody else prepared it."""
    origin = _origin(state.source, state.spec)
    if state.origin_said == origin:
        return Plan((), state)
    step = _step(want, "mark", f"as {origin}", SayOrigin(state.pool.place, want.name, origin))
    return Plan((step,), state._replace(origin_said=origin))


def _there(state: MigrationState, want: Wanted) -> Image | None:
    return state.pool.images.get(want.name)


def _back(state: MigrationState, want: Wanted) -> MigrationState:
    """No migration and no destination, and the source where it was."""
    pool = state.pool.with_image(want.name, state.origin if _in_place(state, want) else None)
    listed = state.source is not None
    return state._replace(pool=pool, state="", listed=listed, left=None, spec="", blank=False, origin_said="")


def _in_place(state: MigrationState, want: Wanted) -> bool:
    """Whether the destination takes the name of the source."""
    return state.source is not None and (state.source.place, state.source.image) == (state.pool.place, want.name)


def _mended(state: MigrationState, want: Wanted) -> Plan:
    """What a call left that was cut off is finished, or undone."""
    left, there = state.left, _there(state, want)
    if state.state in _LASTING or (left is None and not state.state):
        return Plan((), state)
    what = f"image {want.name}: a migration to it was cut off, and what is left"
    users = dict.fromkeys((left.users if left else "", there.users if there else ""))
    if any(users):
        raise Refused(f"{what} is open on {' '.join(filter(None, users))}, which may be at it still. {CRASHED}")
    if state.state:
        call = Call("migration_abort", state.pool.place, (want.name,))
        return Plan((_step(want, "abort", "its migration, which was cut off", call),), _back(state, want))
    if left is None or state.source is None:
        return Plan((), state)
    if left.committed or left.state == _EXECUTED:
        return _commit_finished(state, want, left, state.source)
    return _preparation_undone(state, want, left, state.source)


def _commit_finished(state: MigrationState, want: Wanted, left: Left, source: Parent) -> Plan:
    there = _there(state, want)
    what = f"image {want.name}: {source} is in the trash with id {left.id}, as the source of a migration that was"
    if want.state == "aborted":
        raise Refused(f"{what} being committed, and cannot be aborted any longer")
    if not left.committed and (there is None or there.remains or there.id != left.target_id):
        raise Refused(
            f"{what} executed, and the image that has its data is another one than {state.pool.place}/{want.name}; "
            "name that one"
        )
    if not left.committed and not want.allow_destroy:
        raise Refused(f"{what} being committed; to finish that removes it, so set allow_destroy")
    lost = () if left.committed else (f"{source}: the source, of which {want.name} has all",)
    # Where the removal has begun, nothing tells any longer which image has the data.
    said = Plan((), state) if left.committed else _said(state, want)
    action = Alone(RemoveCommitted(source.place, left.id))
    step = _step(want, "commit", f"the migration of {source}, which was cut off", action, lost)
    return both(said, Plan((step,), said.after._replace(left=None, listed=False)))


def _preparation_undone(state: MigrationState, want: Wanted, left: Left, source: Parent) -> Plan:
    there = _there(state, want)
    ours = there is not None and there.id == left.target_id
    if state.listed and not left.listed and not _in_place(state, want):
        raise Refused(
            f"image {want.name}: {source} is in the trash with id {left.id}, as the source of a migration that was cut "
            "off, and another image has its name now; rename that one (rbd_image)"
        )
    back = _step(
        want,
        "abort",
        f"the migration of {source}, which was cut off",
        Alone(Relink(source.place, source.image, left.id, state.pool.place, want.name)),
    )
    if there is None or not ours:
        return Plan((back,), _back(state, want) if there is None else state._replace(left=None, listed=True))
    if not there.remains and left.state in _LASTING:
        raise Refused(
            f"image {want.name}: {source} is in the trash with id {left.id}, as the source of a migration that is "
            f"{left.state}, of which {want.name} knows nothing; either may be the good one"
        )
    if not there.remains and not state.blank and not want.allow_destroy:
        raise Refused(
            f"image {want.name}: the migration of {source} to it was cut off before it had anything of that, and "
            "somebody wrote to it since. To go on removes it, so set allow_destroy"
        )
    lost = () if there.remains or state.blank else (f"{want.name}: {show_size(there.size)}, written since then",)
    call = Call("remove", state.pool.place, (want.name,))
    remove = _step(want, "remove", "what never got its data", call, lost)
    return Plan((remove, back), _back(state, want))


def _aborted(state: MigrationState, want: Wanted) -> Plan:
    there = _there(state, want)
    if not state.state:
        return _not_begun(state, want, there)
    what = f"image {want.name}: to abort its migration removes it"
    if not want.allow_destroy:
        lost = "with all of it that is not in what it is imported from" if state.spec else "and has its source again"
        raise Refused(f"{what}, {lost}; set allow_destroy")
    if there:
        check_unused(there, f"image {want.name}: its migration cannot be aborted")
    call = Call("migration_abort", state.pool.place, (want.name,))
    detail = f"{state.source} is back" if state.source else "what it is imported from stays"
    return Plan((_step(want, "abort", detail, call, (f"{want.name}: the destination",)),), _back(state, want))


def _not_begun(state: MigrationState, want: Wanted, there: Image | None) -> Plan:
    """Nothing to abort, where none is under way: unless there is one no longer, and the source is not back."""
    origin = _origin(want.source, want.spec)
    if state.listed or _in_place(state, want):
        return Plan((), state)
    if there and state.origin_said and origin in ("", state.origin_said):
        raise Refused(
            f"image {want.name}: it was {state.origin_said}, which is committed, and cannot be aborted any longer"
        )
    missing = f"image {want.name}: no migration to it is under way, and there is no image {want.source} either"
    return Plan((), state, warnings=(missing,) if want.source else ())


def _advanced(state: MigrationState, want: Wanted) -> Plan:
    there, place = _there(state, want), state.pool.place
    if state.state and there and not there.remains:
        check_layout(state.pool, want.image, there)
    planned = Plan((), state) if state.state else _prepared(state, want)
    state = planned.after
    if not state.state or want.state == "prepared":
        return planned
    there = _there(state, want)
    if there and there.remains:
        raise StorageError(
            f"image {want.name}: it cannot be opened here, where what it is imported from has to be read: "
            f"{origins.show(state.spec)}"
        )
    if state.state != _EXECUTED:
        detail = "what it is imported from" if state.spec else f"all of {state.source}"
        step = _step(want, "execute", detail, Call("migration_execute", place, (want.name,)))
        planned = both(planned, Plan((step,), state._replace(state=_EXECUTED)))
    return both(planned, _committed(planned.after, want)) if want.state == "committed" else planned


def _committed(state: MigrationState, want: Wanted) -> Plan:
    lost = () if state.spec else (f"{state.source}: the source, of which {want.name} has all",)
    if lost and not want.allow_destroy:
        raise Refused(f"image {want.name}: to commit its migration removes {state.source}; set allow_destroy")
    there = _there(state, want)
    whole = there and there._replace(features=there.features - {"migrating"})
    call = Alone(Call("migration_commit", state.pool.place, (want.name,)))
    step = _step(want, "commit", "it stands on its own", call, lost)
    said = _said(state, want)
    pool = state.pool.with_image(want.name, whole)
    return both(said, Plan((step,), said.after._replace(pool=pool, state="", listed=False, left=None, spec="")))


def _prepared(state: MigrationState, want: Wanted) -> Plan:
    """The destination made, if it is not there; nothing, where the migration was committed."""
    there, source = _there(state, want), state.source
    steps: tuple[Step, ...] = ()
    if there and not _in_place(state, want):
        if there.remains:
            raise Refused(f"image {want.name}: a removal of it was cut off; finish that by state absent (rbd_image)")
        done = _done(state, want)
        if done:
            check_layout(state.pool, want.image, there)
            return done
        what = f"image {want.name}: it holds nothing, as where an import was cut off, and it cannot be made anew"
        check_unmirrored(there, what)
        check_unused(there, what)
        if (there.metadata or there.config or there.group) and not want.allow_destroy:
            raise Refused(
                f"image {want.name}: it holds nothing, as where an import was cut off, but somebody gave it metadata, "
                "settings or a group; set allow_destroy to have it made anew"
            )
        steps = (_step(want, "remove", "what never got its data", Call("remove", state.pool.place, (want.name,))),)
    elif there and _is_as_wanted(state.pool.place, there, want):
        return Plan((), state)
    if want.spec:
        prepared = _import(state, want)
    elif source is None:
        raise StorageError(f"image {want.name}: there is no migration to it; to prepare one, say source or import")
    else:
        prepared = _move(state, want, source)
    return prepared._replace(steps=(*steps, *prepared.steps))


def _done(state: MigrationState, want: Wanted) -> Plan | None:
    """Nothing to do, where the image of that name is what was wanted; None: it is what an import left.

    librbd keeps nothing of a migration that was committed. So an image that does not say what it came from may have
    been migrated by others, and may be any other one.
    """
    what = f"image {want.name}: {state.pool.place} has one of this name already"
    origin, said = _origin(want.source, want.spec), state.origin_said
    if state.listed:
        raise Refused(f"{what}, beside {state.source}" + (f", and that one was {said}" if said else ""))
    if said and origin not in ("", said):
        raise Refused(f"{what}, which was {said}, and not {origin}")
    if said:
        return Plan((), state)
    if want.spec:
        if state.blank:
            return None
        raise Refused(f"{what}, and it is not known to be {origin}; give the import another name")
    if want.source is None:
        raise Refused(f"{what}, and nothing tells whether it was migrated, or imported; say source or import")
    unknown = f"{what}, and there is no image {want.source} any more; whether it was {origin} is not known"
    return Plan((), state, warnings=(f"{unknown}, so compare it with what you expect before you rely on it",))


def _is_as_wanted(place: Place, there: Image, want: Wanted) -> bool:
    """Where an image is to stay in its place, all that there is to migrate is its layout."""
    fixed = ("object_size", "stripe_unit", "stripe_count", "data_pool")
    layout = there._replace(data_pool=there.data_pool or place.pool)
    same = all(getattr(want.image, word) in (None, getattr(layout, word)) for word in fixed)
    return same and wanted_features(want.image, there.features) == there.features


def _import(state: MigrationState, want: Wanted) -> Plan:
    if state.unreadable:
        raise StorageError(f"image {want.name}: what it is to be imported from cannot be read here: {state.unreadable}")
    image, laid_out = lay_out(state.pool, want.image, None)
    _check_layering(image, want)
    place = state.pool.place
    call = Alone(PrepareImport(place, want.name, want.spec, laid_out))
    return _begun(state, want, image, call, "from what it is imported from", spec=want.spec, blank=False)


def _begun(state: MigrationState, want: Wanted, image: Image, call: Alone, detail: str, **more: Any) -> Plan:
    """A migration that is prepared by that call, whose destination says what it comes from."""
    pool = state.pool.with_image(want.name, image)
    after = state._replace(pool=pool, state=_PREPARED, listed=False, left=None, origin_said="", **more)
    return both(Plan((_step(want, "prepare", detail, call),), after), _said(after, want))


def _move(state: MigrationState, want: Wanted, source: Parent) -> Plan:
    origin = state.origin
    if origin is None or not state.listed:
        raise StorageError(f"image {want.name}: there is no image {source} to migrate")
    what = f"image {want.name}: {source} cannot be migrated"
    check_unmirrored(origin, what)
    check_unused(origin, what)
    if origin.hidden:
        raise Refused(f"{what}: it has {origin.hidden} snapshots that are not the user's, such as those of groups")
    if state.clones:
        raise Refused(f"{what}: it has clones ({' '.join(state.clones)}); flatten them first")
    image, laid_out = lay_out(state.pool, want.image, source)
    _check_layering(image, want)
    call = Call("migration_prepare", source.place, (source.image, state.pool.place, want.name), laid_out)
    image = image._replace(size=origin.size, features=image.features | {"migrating"})
    return _begun(state, want, image, Alone(call), f"from {source}, which it takes the place of")


def _check_layering(image: Image, want: Wanted) -> None:
    if "layering" not in image.features:
        raise StorageError(f"image {want.name}: the destination of a migration needs feature layering")
