# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How calls of librbd's are made."""

from __future__ import annotations

from typing import Any, Callable

from ..core.command import wait_until
from ..core.errors import StorageError
from ..core.execute import Handlers, Phases
from ..core.plan import Step
from ..core.progress import Progress, reporter
from ..core.secret import Secret
from .alone import do_alone, run_alone
from .calls import (
    AddPeer,
    Alone,
    Ask,
    Call,
    Features,
    FillImage,
    Place,
    PrepareImport,
    Promote,
    Relink,
    RemoveCommitted,
    SayOrigin,
    Synced,
    Unwatched,
    WriteFile,
    bits,
)
from .connection import Connection, connected, rbd, told
from .luks import load
from .omap import begin_migration, forget_migration, id_of, migration_of, say_origin, settle_in_trash
from .read import read_mirroring, watchers
from .transfer import fill_image, write_file

#: The calls that may take long, and tell how far they are.
_TELLING = frozenset({"remove", "flatten", "trash_remove", "migration_execute", "migration_abort"})
#: The calls that do not change the image that they are made on.
_READING = frozenset({"copy", "deep_copy"})
_TENTH = 10


def handlers(connection: Connection, log: Callable[[str], object]) -> Handlers:
    """``log`` is told every tenth of what takes long, as the controller is that looks."""

    def value(given: Any) -> Any:
        if isinstance(given, Place):
            return connection.pool(given)
        if isinstance(given, Secret):
            return given.value
        return bits(given.names) if isinstance(given, Features) else given

    def keywords(action: Call | PrepareImport) -> dict[str, Any]:
        options = {name: value(option) for name, option in action.options}
        # There, the binding wants no text.
        if "data_pool" in options and (isinstance(action, PrepareImport) or action.method == "migration_prepare"):
            options["data_pool"] = options["data_pool"].encode()
        return options

    def call(action: Call) -> None:
        arguments = [value(argument) for argument in action.arguments]
        options = keywords(action)
        if action.method in _TELLING:
            options["on_progress"] = _progress(str(action), log)
        for name, text in action.settings:
            connection.set(name, text)
        with told(str(action)):
            pool = connection.cluster if action.cluster else connection.pool(action.place)
            if action.image:
                reads = action.method in _READING
                with connection.image(action.place, action.image, reads, action.snapshot or None) as image:
                    _check_settings(image, action)
                    _unlock(image, action)
                    getattr(image, action.method)(*arguments, **options)
            elif action.group:
                getattr(rbd.Group(pool, action.group), action.method)(*arguments, **options)
            else:
                getattr(connection.rbd, action.method)(pool, *arguments, **options)

    def alone(action: Alone) -> None:
        run_alone(connection.params, action.action, __name__)

    def prepare_import(action: PrepareImport) -> None:
        with told(str(action)):
            pool = connection.pool(action.place)
            connection.rbd.migration_prepare_import(action.spec, pool, action.image, **keywords(action))

    def relink(action: Relink) -> None:
        with told(str(action)):
            opened, target = connection.pool(action.place), connection.pool(action.target)
            if migration_of(opened, action.id) is None:
                begin_migration(opened, action.id, target.get_pool_id(), action.target.namespace, action.target_image)
            settle_in_trash(opened, action.id)
            connection.rbd.migration_abort(opened, action.image)

    def remove_committed(action: RemoveCommitted) -> None:
        with told(str(action)):
            opened = connection.pool(action.place)
            if migration_of(opened, action.id):
                forget_migration(opened, action.id)
            connection.rbd.trash_remove(opened, action.id, True)

    def say(action: SayOrigin) -> None:
        with told(str(action)):
            opened = connection.pool(action.place)
            say_origin(opened, id_of(opened, action.image), action.origin)

    def ask(action: Ask) -> None:
        connection.ask_manager(action.prefix, **dict(action.words))

    def add_peer(action: AddPeer) -> None:
        attributes = {name: text for name, text in (("mon_host", action.mon_host), ("key", value(action.key))) if text}
        with told(str(action)):
            pool = connection.pool(action.place)
            uuid = connection.rbd.mirror_peer_add(pool, action.site_name, action.client, action.direction)
            if attributes:
                connection.rbd.mirror_peer_set_attributes(pool, uuid, attributes)

    def promote(action: Promote) -> None:
        def promoted() -> bool:
            try:
                with connection.image(action.place, action.image, read_only=False) as image:
                    image.mirror_image_promote(False)
            except rbd.ImageBusy:
                return False
            return True

        with told(str(action)):
            wait_until(promoted, action.timeout, f"in vain: {action}")

    def synced(action: Synced) -> None:
        wait_until(
            lambda: read_mirroring(connection, action.place, action.image, clones=False).replaying,
            action.timeout,
            f"in vain: {action}",
        )

    def unwatched(action: Unwatched) -> None:
        wait_until(
            lambda: action.address not in watchers(connection, action.place, action.image),
            action.timeout,
            f"in vain: {action}",
        )

    perform: dict[type, Any] = {
        Call: call,
        Alone: alone,
        PrepareImport: prepare_import,
        Relink: relink,
        RemoveCommitted: remove_committed,
        SayOrigin: say,
        Ask: ask,
        WriteFile: lambda action: write_file(connection, action),
        FillImage: lambda action: fill_image(connection, action),
        AddPeer: add_peer,
        Promote: promote,
        Synced: synced,
        Unwatched: unwatched,
    }
    return Handlers(perform, placeholders=None, phases=_phases)


def _check_settings(image: Any, action: Call) -> None:
    """Raises StorageError where an image, or its pool, has a setting of its own that a call must not go by."""
    if not action.settings:
        return
    known = {one["name"]: one["value"] for one in image.config_list()}
    for name, text in action.settings:
        if known[name] != text:
            raise StorageError(
                f"{name} has to be {text} for this, and the image or its pool has it otherwise; unset it there first "
                "(config)"
            )


def _unlock(image: Any, action: Call) -> None:
    """Raises StorageError where the passphrases are not those."""
    if action.unlock is None:
        return
    try:
        load(image, action.unlock.format, [one.value for one in action.unlock.passphrases])
    except (rbd.PermissionError, rbd.InvalidArgument):
        raise StorageError(f"{action}: these passphrases do not open it and what it is a clone of") from None


def _phases(steps: tuple[Step, ...]) -> Phases:
    """Images do not depend on each other, but where a call says by its phase that they do."""
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        lanes.setdefault(_lane(step), []).append(step)
    phases: dict[int, list[tuple[Step, ...]]] = {}
    for lane in lanes.values():
        phase = min(getattr(action, "phase", 1) for step in lane for action in step.actions)
        phases.setdefault(phase, []).append(tuple(lane))
    one_by_one = tuple(step for lane in phases.pop(0, []) for step in lane)
    return ((one_by_one,), *(tuple(phases[phase]) for phase in sorted(phases)))


def _lane(step: Step) -> str:
    return step.name.partition("@")[0]


def _progress(what: str, log: Callable[[str], object]) -> Callable[[int, int], int]:
    tenths = 0

    def told_of(done: int, total: int) -> int:
        nonlocal tenths
        if not total:
            return 0
        reporter().tell(lambda: Progress(what, round(100 * done / total, 1)))
        reached = _TENTH * done // total
        if reached > tenths:
            tenths = reached
            log(f"{what}: {100 * reached // _TENTH} %")
        return 0

    return told_of


def main() -> None:
    """What a process of its own does for ``run_alone``."""

    def perform(params: dict[str, Any], action: Any) -> None:
        with connected(params) as opened:
            handlers(opened, lambda _said: None).perform[type(action)](action)

    do_alone(perform)
