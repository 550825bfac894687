# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for migrations as values: no data goes without permission, wherever a migration was cut off."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.rbd import migration, options, perform
from ansible_collections.strata.storage.plugins.module_utils.rbd.alone import run_alone
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place
from ansible_collections.strata.storage.plugins.module_utils.rbd.omap import migration_header
from ansible_collections.strata.storage.plugins.module_utils.rbd.state import Image, Left, MigrationState, Parent, Pool

PLACE = Place("rbd")
DEFAULT = frozenset({"layering", "exclusive-lock"})
SOURCE = Parent(PLACE, "src", "")
ORIGIN = Image("src", "10", 8 << 20, 4 << 20, DEFAULT)
THERE = Image("dst", "20", 8 << 20, 4 << 20, DEFAULT)
SPEC = '{"stream": {"file_path": "/i", "type": "file"}, "type": "raw"}'
STATES = ("preparing", "prepared", "executing", "executed", "aborting")


def found(there: Image | None = None, **more: Any) -> MigrationState:
    pool = Pool(PLACE, {"dst": there}, parents={SOURCE: ORIGIN}, features=DEFAULT)
    return MigrationState(pool, **{"source": SOURCE, **more})


def wanted(state: str, allow_destroy: bool = True, **more: Any) -> migration.Wanted:
    given_ = {"source": SOURCE, **more}
    return migration.Wanted(options.Wanted("dst"), state, allow_destroy=allow_destroy, **given_)


def calls(planned: Plan) -> list[str]:
    return [str(action).partition(" ")[0] for step in planned.steps for action in step.actions]


#: What a migration may be like, also what is left of one.
states = st.one_of(
    st.builds(lambda: found(listed=True)),
    st.builds(lambda state: found(THERE, state=state, left=Left("10", state, "20")), st.sampled_from(STATES)),
    st.builds(
        lambda there, left, blank, listed: found(there, left=left, blank=blank and there is not None, listed=listed),
        st.sampled_from([None, THERE, THERE._replace(remains=True), THERE._replace(id="99")]),
        st.builds(
            lambda state, target, users, listed, committed: Left(
                "10", state, target if state else "", users, listed, committed
            ),
            st.sampled_from(["", *STATES]),
            st.sampled_from(["20", "30"]),
            st.sampled_from(["", "10.0.0.1:0/1"]),
            st.booleans(),
            st.booleans(),
        ),
        st.booleans(),
        st.booleans(),
    ),
)


@given(states, st.sampled_from(["prepared", "executed", "committed", "aborted"]), st.booleans())
def test_nothing_goes_without_permission(state: MigrationState, goal: str, allow: bool) -> None:
    want = wanted(goal, allow)
    try:
        planned = migration.plan(state, want)
    except StorageError:
        return
    assert migration.plan(planned.after, want).steps == ()
    for step in planned.steps:
        assert allow or not step.destroys
    made = calls(planned)
    left = state.left
    if left and left.users and not state.state:
        assert made == []
    if "trash_remove" in made:
        # Only one whose destination has all of it, or of which only part is there.
        assert left
        assert left.committed or (left.state == "executed" and left.target_id == "20" and allow)
    if made[:1] == ["remove"]:
        assert left
        assert left.state != "executed"
        assert state.blank or allow or (state.pool.images["dst"] or THERE).remains


@given(states)
def test_the_source_stays_until_the_commit(state: MigrationState) -> None:
    for goal in ("prepared", "executed"):
        try:
            planned = migration.plan(state, wanted(goal))
        except StorageError:
            continue
        assert not state.state or "migration_commit" not in calls(planned)


def test_all_the_way() -> None:
    planned = migration.plan(found(listed=True), wanted("committed"))
    assert calls(planned) == ["migration_prepare", "mark", "migration_execute", "migration_commit"]
    assert [step.destroys for step in planned.steps][-1] == ("rbd/src: the source, of which dst has all",)
    with pytest.raises(Refused, match="set allow_destroy"):
        migration.plan(found(listed=True), wanted("committed", False))
    imported = migration.plan(found(source=None), wanted("committed", False, source=None, spec=SPEC))
    assert calls(imported)[0] == "migration_prepare_import"
    assert not any(step.destroys for step in imported.steps)


def test_an_empty_image_of_somebody_is_not_made_anew() -> None:
    """What an import left that was cut off has nothing of its own."""
    left = found(THERE, source=None, blank=True)
    assert calls(migration.plan(left, wanted("prepared", False, source=None, spec=SPEC)))[0] == "remove"
    for own in (THERE._replace(metadata={"a": "1"}), THERE._replace(config={"rbd_cache": "false"})):
        theirs = left._replace(pool=left.pool.with_image("dst", own))
        with pytest.raises(Refused, match="set allow_destroy to have it made anew"):
            migration.plan(theirs, wanted("prepared", False, source=None, spec=SPEC))
        assert calls(migration.plan(theirs, wanted("prepared", source=None, spec=SPEC)))[0] == "remove"


MOVED, IMPORTED = "migrated from rbd/src", "imported from /i"


@pytest.mark.parametrize(
    ("said", "listed", "words_", "expected"),
    [
        (MOVED, False, {}, ""),
        (MOVED, False, {"source": None}, ""),
        (IMPORTED, False, {"source": None, "spec": SPEC}, ""),
        (MOVED, True, {}, "beside rbd/src, and that one was migrated from rbd/src"),
        ("", True, {}, "beside rbd/src$"),
        ("migrated from rbd/other", False, {}, "which was migrated from rbd/other, and not migrated from rbd/src"),
        (MOVED, False, {"source": None, "spec": SPEC}, "which was migrated from rbd/src, and not imported from /i"),
        ("", False, {"source": None, "spec": SPEC}, "it is not known to be imported from /i"),
        ("", False, {"source": None}, "nothing tells whether it was migrated"),
    ],
)
@pytest.mark.parametrize("goal", ["prepared", "executed", "committed"])
def test_an_image_of_that_name_is_not_taken_for_the_migrated_one(
    goal: str, said: str, listed: bool, words_: dict[str, Any], expected: str
) -> None:
    state = found(THERE, listed=listed, origin_said=said, **({"source": None} if "source" in words_ else {}))
    want = wanted(goal, **words_)
    if expected:
        with pytest.raises(Refused, match=expected):
            migration.plan(state, want)
    else:
        assert migration.plan(state, want) == Plan((), state)


def test_where_nothing_tells_and_the_source_is_gone_that_is_said() -> None:
    for goal in ("prepared", "executed", "committed"):
        planned = migration.plan(found(THERE), wanted(goal))
        assert not planned.steps
        assert ["whether it was migrated from rbd/src is not known" in one for one in planned.warnings] == [True]


def test_what_was_committed_is_not_aborted() -> None:
    moved = found(THERE, origin_said=MOVED)
    for words_ in (wanted("aborted"), wanted("aborted", source=None)):
        with pytest.raises(Refused, match="cannot be aborted any longer"):
            migration.plan(moved, words_)
    imported = found(THERE, source=None, origin_said=IMPORTED)
    with pytest.raises(Refused, match="cannot be aborted any longer"):
        migration.plan(imported, wanted("aborted", source=None, spec=SPEC))
    for state in (found(), found(THERE), found(THERE, origin_said="migrated from rbd/other")):
        planned = migration.plan(state, wanted("aborted"))
        assert not planned.steps
        assert "there is no image rbd/src either" in planned.warnings[0]
    assert migration.plan(found(listed=True), wanted("aborted")).warnings == ()


def test_an_origin_is_kept_without_a_password() -> None:
    spec = '{"stream": {"type": "http", "url": "http://me:word@there/i"}, "type": "raw"}'
    planned = migration.plan(found(THERE, source=None, state="executed", spec=spec), wanted("committed", source=None))
    assert str(planned.steps[0].actions[0]) == "mark rbd/dst as imported from http://there/i"


def test_what_is_left_says_which_image_is_the_good_one() -> None:
    """A preparation that was cut off has its data in the source, a commit in the destination."""
    prepared = found(THERE, left=Left("10", "preparing", "20"), blank=True)
    assert calls(migration.plan(prepared, wanted("prepared", False))) == [
        "remove",
        "migration_abort",
        "migration_prepare",
        "mark",
    ]
    executed = found(THERE, left=Left("10", "executed", "20"))
    assert calls(migration.plan(executed, wanted("committed"))) == ["mark", "trash_remove"]
    with pytest.raises(Refused, match="cannot be aborted any longer"):
        migration.plan(executed, wanted("aborted"))
    with pytest.raises(Refused, match="another one than rbd/dst"):
        migration.plan(executed._replace(pool=executed.pool.with_image("dst", None)), wanted("committed"))


#: Headers of the source and the destination of one, and of an import, as a cluster of Ceph 16.2 wrote them.
_DESTINATION = (
    "03014b000000020100000000000000000000000200000067310c000000313065356537653465313436"
    "01000000ac00000000000000ad0000000000000000000002000000000000020000000000" + "00" * 4
)


def test_what_an_image_says_of_its_migration() -> None:
    header = migration_header(bytes.fromhex(_DESTINATION))
    assert (header.source, header.pool, header.name, header.id) == (False, 1, "g1", "10e5e7e4e146")
    assert (header.state, header.spec) == ("prepared", "")
    spec = b'{"stream":{"file_path":"/i","type":"file"},"type":"raw"}'
    fields = (
        b"\x02"
        + b"\xff" * 8
        + bytes(12)
        + bytes(4)
        + (7000).to_bytes(8, "little")
        + b"\x01\x00\x02"
        + bytes(4)
        + b"\x00"
    )
    encoded = b"\x03\x03" + (len(fields) + 4 + len(spec)).to_bytes(4, "little")
    header = migration_header(encoded + fields + len(spec).to_bytes(4, "little") + spec)
    assert (header.pool, header.state, header.spec) == (-1, "prepared", spec.decode())


class _Deadly:
    """Ends the process that unpickles it, as librbd does with what it does not know."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.kill, (0, signal.SIGKILL)

    def __str__(self) -> str:
        return "migration_prepare_import rbd/dst"


def test_what_ends_the_process_ends_only_that() -> None:
    with pytest.raises(StorageError, match="ended the process with SIGKILL"):
        run_alone({}, _Deadly(), perform.__name__)
