# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of exports: what is laid out is read again, whatever it is; and plans of exports and imports as values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.rbd import export, exports, import_, words
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place
from ansible_collections.strata.storage.plugins.module_utils.rbd.exports import Difference, Piece
from ansible_collections.strata.storage.plugins.module_utils.rbd.state import (
    ExportState,
    Image,
    ImportState,
    Pool,
    Snapshot,
)

PLACE = Place("rbd")
MIB = 1 << 20
IMAGE = Image(
    "one", "10", 8 * MIB, 4 * MIB, frozenset({"layering"}), snapshots=(Snapshot("a", 8 * MIB), Snapshot("b", 8 * MIB))
)


def file_of(difference: Difference, start: int) -> bytes:
    """A file as it is written: each record where it was laid out."""
    content = bytearray(exports.length_of(difference))
    content[:start] = exports.head(difference)
    for piece in difference.pieces:
        begun = exports.record(piece)
        content[piece.at - len(begun) : piece.at] = begun
        if not piece.zero:
            content[piece.at : piece.at + piece.length] = b"x" * piece.length
    content[-1:] = exports.end()
    return bytes(content)


extents = st.lists(st.tuples(st.integers(1, 5 * MIB), st.integers(1, 5 * MIB), st.booleans()), max_size=3)


@given(extents, st.sampled_from(["", "a"]), st.integers(1, 40))
def test_what_is_laid_out_is_read(
    tmp_path_factory: pytest.TempPathFactory, some: list[tuple[int, int, bool]], start: str, cut: int
) -> None:
    at, ranges = 0, []
    for gap, length, exists in some:
        ranges.append((at + gap, length, exists))
        at += gap + length
    difference = Difference(start, "b", 64 * MIB)
    begin = len(exports.head(difference))
    difference = difference._replace(pieces=exports.lay_out(ranges, begin))
    path = tmp_path_factory.mktemp("export") / "file"
    content = file_of(difference, begin)
    path.write_bytes(content)
    assert exports.read_file(str(path)) == difference
    # Wherever it is cut off, that is seen, but where it is no longer one at all.
    path.write_bytes(content[:-cut])
    if len(content) - cut >= len(exports.MAGIC):
        with pytest.raises(StorageError, match="cut off, or damaged"):
            exports.read_file(str(path))


def test_full_ones_have_holes() -> None:
    pieces = exports.lay_out([(0, 5 * MIB, True), (8 * MIB, MIB, False)], None)
    assert pieces == (Piece(0, 0, 4 * MIB), Piece(4 * MIB, 4 * MIB, MIB))
    assert [len(batch) for batch in exports.batches(pieces * 100)] == [103, 97]


def test_what_is_no_export(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content, said in (
        (b"rbd image v2\n", "of a format that is not read here"),
        (exports.MAGIC + b"e", "does not say the size"),
        (exports.MAGIC + b"?", "cut off, or damaged"),
        (exports.MAGIC + b"s" + bytes(8) + b"ee", "cut off, or damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=said):
            exports.read_file(str(path))
    path.write_bytes(b"anything")
    assert exports.read_file(str(path)) == 8


@given(
    st.builds(
        ExportState,
        place=st.just(PLACE),
        image=st.sampled_from([None, IMAGE]),
        stored=st.integers(0, 9),
        written=st.integers(0, 9),
        room=st.integers(0, 9),
        done=st.booleans(),
        taken=st.booleans(),
    ),
    st.builds(
        export.Wanted,
        image=st.just("one"),
        snapshot=st.sampled_from(["a", "b", "c"]),
        start=st.sampled_from(["", "a", "b"]),
        path=st.just("/f"),
        allow_destroy=st.booleans(),
    ),
)
def test_no_file_is_lost_without_permission(state: ExportState, want: export.Wanted) -> None:
    try:
        planned = export.plan(state, want)
    except StorageError:
        return
    assert export.plan(planned.after, want).steps == ()
    for step in planned.steps:
        assert bool(step.destroys) == state.taken
        assert want.allow_destroy or not state.taken
        assert state.stored - state.written <= state.room


@given(
    st.builds(
        lambda there, partial, **more: ImportState(
            Pool(PLACE, {"one": there, "one.strata-importing": partial}, features=IMAGE.features), "id", **more
        ),
        there=st.sampled_from([None, IMAGE, IMAGE._replace(metadata={import_.MARK: "id 3"}), IMAGE._replace(size=9)]),
        partial=st.sampled_from([None, IMAGE, IMAGE._replace(metadata={import_.MARK: "id 3"})]),
        full=st.booleans(),
        size=st.sampled_from([0, 4 * MIB, 8 * MIB]),
        start=st.sampled_from(["", "a", "c"]),
        end=st.sampled_from(["", "b", "d"]),
        changed=st.booleans(),
    ),
    st.builds(
        import_.Wanted, st.just(words.Wanted("one")), st.just("/f"), st.sampled_from(["", "b", "d"]), st.booleans()
    ),
)
def test_nothing_that_was_written_goes_without_permission(state: ImportState, want: import_.Wanted) -> None:
    try:
        planned = import_.plan(state, want)
    except StorageError:
        return
    assert import_.plan(planned.after, want).steps == ()
    for step in planned.steps:
        methods = [getattr(action, "method", "") for action in step.actions]
        assert want.allow_destroy or "rollback_to_snap" not in methods
        assert want.allow_destroy or state.full or not step.destroys


def test_a_difference_is_not_mixed_with_what_was_written_since() -> None:
    state = ImportState(Pool(PLACE, {"one": IMAGE}), "id", False, 8 * MIB, "b", "c", changed=True)
    with pytest.raises(Refused, match="set allow_destroy to roll it back"):
        import_.plan(state, import_.Wanted(words.Wanted("one"), "/f"))
    back = import_.plan(state, import_.Wanted(words.Wanted("one"), "/f", allow_destroy=True))
    assert [step.verb for step in back.steps] == ["roll back", "mark", "import", "snapshot", "unmark"]
    # What differs since this import began is its own.
    begun = IMAGE._replace(metadata={import_.MARK: "id 0"})
    on = import_.plan(
        state._replace(pool=state.pool.with_image("one", begun)), import_.Wanted(words.Wanted("one"), "/f")
    )
    assert [step.verb for step in on.steps] == ["import", "snapshot", "unmark"]
