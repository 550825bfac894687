# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of exports: what is laid out is read again, whatever it is; and plans of exports and imports as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.rbd import export, exports, import_, options
from ansible_collections.strata.storage.plugins.module_utils.rbd.calls import Place
from ansible_collections.strata.storage.plugins.module_utils.rbd.exports import Difference, Piece, Whole
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
    content = bytearray(exports.end_of(difference))
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


@st.composite
def wholes(draw: st.DrawFn) -> Whole:
    """A file of format 2 as it is laid out, for an image with some snapshots."""
    metadata = draw(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=2))
    names = [f"s{number}" for number in range(draw(st.integers(0, 2)))]
    whole = Whole(22, 61, 4 * MIB, 1, metadata)
    found: list[Difference] = []
    for start, end in zip(["", *names], [*names, ""]):
        whole = whole._replace(differences=(*found, Difference(start, end, 64 * MIB, version=2)))
        found.append(whole.differences[-1]._replace(protected=bool(end) and draw(st.booleans())))
    at = len(exports.preamble(whole))
    for index, one in enumerate(found):
        ranges, offset = [], 0
        for gap, length, exists in draw(extents):
            ranges.append((offset + gap, length, exists))
            offset += gap + length
        begin = at + len(exports.head(one))
        found[index] = one._replace(at=at, pieces=exports.lay_out(ranges, begin, 2))
        at = exports.end_of(found[index])
    return whole._replace(differences=tuple(found))


def file_of_all(whole: Whole) -> bytes:
    content = bytearray(exports.preamble(whole))
    for difference in whole.differences:
        content += exports.head(difference)
        for piece in difference.pieces:
            content += exports.record(piece, 2) + (b"" if piece.zero else b"x" * piece.length)
        content += exports.end()
    return bytes(content)


@given(wholes(), st.integers(1, 99))
def test_what_is_laid_out_with_all_snapshots_is_read(
    tmp_path_factory: pytest.TempPathFactory, whole: Whole, cut: int
) -> None:
    path = tmp_path_factory.mktemp("export") / "file"
    content = file_of_all(whole)
    path.write_bytes(content)
    assert exports.read_file(str(path)) == whole
    path.write_bytes(content[:-cut])
    with pytest.raises(StorageError, match="cut off, or damaged"):
        exports.read_file(str(path))
    path.write_bytes(content + b"e")
    with pytest.raises(StorageError, match="cut off, or damaged"):
        exports.read_file(str(path))


@pytest.mark.parametrize(
    "damaged",
    [
        {"differences": ()},
        {"differences": (Difference("a", "", MIB, version=2),)},
        {"differences": (Difference("", "a", MIB, version=2),)},
        {"differences": (Difference("", "", MIB, version=2), Difference("", "", MIB, version=2))},
        {"differences": (Difference("", "a", MIB, version=2), Difference("b", "", MIB, version=2))},
        {"differences": (Difference("", "", MIB),)},
        {"order": 63},
    ],
)
def test_differences_that_do_not_follow_each_other_are_no_image(tmp_path: Path, damaged: dict[str, Any]) -> None:
    path = tmp_path / "file"
    good = Whole(22, 61, 4 * MIB, 1, {}, (Difference("", "", MIB, version=2),))
    path.write_bytes(file_of_all(good))
    found = exports.read_file(str(path))
    assert isinstance(found, Whole)
    assert found.size == MIB
    path.write_bytes(file_of_all(good._replace(**damaged)))
    with pytest.raises(StorageError, match="cut off, or damaged"):
        exports.read_file(str(path))


def test_what_a_later_version_says_more_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    good = Whole(22, 61, 4 * MIB, 1, {"a": "1"}, (Difference("", "", MIB, version=2),))
    more = b"?" + (3).to_bytes(8, "little") + b"new"
    content = file_of_all(good)
    path.write_bytes(content[: len(exports.WHOLE)] + more + content[len(exports.WHOLE) : -1] + more + content[-1:])
    found = exports.read_file(str(path))
    assert isinstance(found, Whole)
    assert (found.metadata, found.size) == ({"a": "1"}, MIB)


def test_an_import_goes_on_at_the_snapshot_where_it_stopped() -> None:
    """Wherever that was: what is planned once some steps were done are the others."""
    differences = (
        Difference("", "a", 8 * MIB, version=2, protected=True),
        Difference("a", "b", 4 * MIB, version=2),
        Difference("b", "", 8 * MIB, version=2),
    )
    whole = Whole(22, 61, 4 * MIB, 1, {"key": "value", "conf_rbd_cache": "false"}, differences)
    want = import_.Wanted(options.Wanted("one"), "/f")
    none = Pool(PLACE, {"one": None, "one.strata-importing": None}, features=IMAGE.features)
    state = ImportState(none, "id", True, 8 * MIB, whole=whole)
    full = import_.plan(state, want)
    verbs = [step.verb for step in full.steps]
    assert " ".join(verbs) == (
        "create mark import snapshot protect resize import snapshot resize import set set mark unmark rename"
    )
    made = full.after.pool.images["one"]
    assert (made.metadata, made.config, made.size) == ({"key": "value"}, {"rbd_cache": "false"}, 8 * MIB)
    assert import_.plan(full.after, want) == Plan((), full.after)
    begun = IMAGE._replace(size=8 * MIB, snapshots=(), metadata={import_.MARK: "id 1"})
    for found, first in (
        (begun, "import"),
        (begun._replace(snapshots=(Snapshot("a", 8 * MIB),)), "protect"),
        (begun._replace(snapshots=(Snapshot("a", 8 * MIB, protected=True),)), "resize"),
    ):
        going_on = import_.plan(state._replace(pool=none.with_image("one.strata-importing", found)), want)
        assert [step.verb for step in going_on.steps] == verbs[verbs.index(first) :]
    with pytest.raises(StorageError, match="has its own snapshots"):
        import_.plan(state, want._replace(snapshot="a"))


def test_full_ones_have_holes() -> None:
    pieces = exports.lay_out([(0, 5 * MIB, True), (8 * MIB, MIB, False)], None)
    assert pieces == (Piece(0, 0, 4 * MIB), Piece(4 * MIB, 4 * MIB, MIB))
    assert [len(batch) for batch in exports.batches(pieces * 100)] == [103, 97]


def test_what_is_no_export(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content, said in (
        (b"rbd image v3\n", "of a format that is not read here"),
        (b"rbd diff v2\n", "of a format that is not read here"),
        (b"rbd image v2\n", "cut off, or damaged"),
        (exports.MAGIC + b"s" + bytes(8) + b"z" + bytes(8) + b"\x01" + bytes(7) + b"e", "cut off, or damaged"),
        (exports.MAGIC + b"e", "cut off, or damaged"),
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
        import_.Wanted, st.just(options.Wanted("one")), st.just("/f"), st.sampled_from(["", "b", "d"]), st.booleans()
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
        import_.plan(state, import_.Wanted(options.Wanted("one"), "/f"))
    back = import_.plan(state, import_.Wanted(options.Wanted("one"), "/f", allow_destroy=True))
    assert [step.verb for step in back.steps] == ["roll back", "mark", "import", "snapshot", "unmark"]
    # What differs since this import began is its own.
    begun = IMAGE._replace(metadata={import_.MARK: "id 0"})
    on = import_.plan(
        state._replace(pool=state.pool.with_image("one", begun)), import_.Wanted(options.Wanted("one"), "/f")
    )
    assert [step.verb for step in on.steps] == ["import", "snapshot", "unmark"]
