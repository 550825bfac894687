# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported and imported: read, and written, by several at once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.execute import in_parallel
from ..core.files import read_file, replace_file, sync_directory
from ..core.progress import Progress, reporter
from . import exports
from .calls import FillImage, Place, WriteFile, bits
from .connection import Connection, told
from .export import Wanted as WantedExport
from .exports import Difference, Piece, Whole
from .import_ import MARK, Wanted as WantedImport, mark, written
from .omap import origin_of
from .options import FEATURES, SETTING
from .read import read_image, read_pool, read_room
from .state import ExportState, Image, ImportState

_PARTIAL, _RECORD = ".strata-partial", ".strata.json"
#: What an export of format 2 says of an image, beside what was chosen for it.
_STRIPING = "striping"


class _Part(NamedTuple):
    """What of a file is read at one snapshot: ``begin`` goes before its pieces, ``at`` that place, until ``end``.

    ``version`` of its records; 0: it has none, only data.
    """

    snapshot: str
    begin: bytes
    at: int
    pieces: tuple[Piece, ...]
    end: int
    version: int = 0


def read_export(connection: Connection, place: Place, want: WantedExport) -> ExportState:
    """What is to be exported, and what is there of the file."""
    image = read_image(connection, place, want.image)
    state = ExportState(place, image)
    names = (want.snapshot, want.start) if want.start else (want.snapshot,)
    if image is None or not all(image.snapshot(name) for name in names):
        return state
    directory = os.path.dirname(os.path.abspath(want.path))
    if not os.path.isdir(directory):
        raise StorageError(f"{want.path}: there is no directory {directory}")
    if os.path.lexists(want.path) and not os.path.isfile(want.path):
        raise StorageError(f"{want.path}: it is there, and no file; an export is written to one")
    known = [one.name for one in image.snapshots]
    if want.start and known.index(want.start) >= known.index(want.snapshot):
        return state
    identity = _identity_of(connection, place, image, want)
    state = state._replace(identity=identity, taken=os.path.lexists(want.path))
    record = _record(want.path)
    if record.get("export") == state.identity and _is_as_recorded(want.path, record):
        return state._replace(done=True)
    parts = _parts(connection, place, image, want)
    batches = list(exports.batches(*(part.pieces for part in parts)))
    found = os.statvfs(directory)
    going_on = record.get("export") == state.identity and os.path.exists(want.path + _PARTIAL)
    return state._replace(
        stored=_data_of_batches(batches),
        written=_data_of_batches(batches[: record.get("batches", 0)]) if going_on else 0,
        room=found.f_bavail * found.f_frsize,
    )


def _identity_of(connection: Connection, place: Place, image: Image, want: WantedExport | WriteFile) -> str:
    """What tells an export from others; one of format 2 also by all that it says of the image and its snapshots."""
    with told(f"reading image {image.name}"), connection.image(place, image.name) as opened:
        ids = {one["name"]: one["id"] for one in opened.list_snaps()}
    if want.format == 1:
        names, said = [name for name in (want.start, want.snapshot) if name], ""
    else:
        whole = _whole(image, want.snapshot)
        heads = b"".join((exports.preamble(whole), *map(exports.head, whole.differences)))
        names, said = [one.end for one in whole.differences if one.end], f" {hashlib.sha256(heads).hexdigest()}"
    return f"{connection.fsid}/{image.id}@{'-'.join(str(ids[name]) for name in names)}{said}"


def _whole(image: Image, snapshot: str) -> Whole:
    """What a file of format 2 says of an image and its snapshots until that one, which it ends at."""
    names = [one.name for one in image.snapshots]
    kept = image.snapshots[: names.index(snapshot) + 1]
    differences = [
        Difference(start, one.name, one.size, version=2, protected=one.protected)
        for start, one in zip(["", *names], kept)
    ]
    differences.append(Difference(snapshot, "", kept[-1].size, version=2))
    settings = {SETTING + key: value for key, value in image.config.items()}
    metadata = {key: value for key, value in image.metadata.items() if key != MARK}
    return Whole(
        image.object_size.bit_length() - 1,
        bits(tuple(image.features & {*FEATURES, _STRIPING})),
        image.stripe_unit,
        image.stripe_count,
        {**metadata, **settings},
        tuple(differences),
    )


def _data_of_batches(batches: list[tuple[Piece, ...]]) -> int:
    """How many bytes of data they have."""
    return sum(piece.length for batch in batches for piece in batch if not piece.zero)


def _record(path: str) -> dict[str, Any]:
    """What is on record of the file; nothing, where that is garbled."""
    try:
        found = json.loads(read_file(path + _RECORD) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_as_recorded(path: str, record: dict[str, Any]) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (record.get("size"), record.get("modified")) == (found.st_size, found.st_mtime_ns)


def _put_on_record(path: str, **record: Any) -> None:
    replace_file(path + _RECORD, read_file(path + _RECORD), json.dumps(record))


def _parts(connection: Connection, place: Place, image: Image, want: WantedExport | WriteFile) -> tuple[_Part, ...]:
    """What of an image goes where."""
    whole = _whole(image, want.snapshot)
    if want.format == 1 and want.start:
        return (_part(connection, place, image, Difference(want.start, want.snapshot, whole.size), b""),)
    if want.format == 1:
        extents = _extents(connection, place, image, want.snapshot)
        return (_Part(want.snapshot, b"", 0, exports.lay_out(extents, None), whole.size),)
    parts: list[_Part] = []
    before = exports.preamble(whole)
    for difference in whole.differences:
        at = parts[-1].end if parts else 0
        parts.append(_part(connection, place, image, difference._replace(at=at + len(before)), before))
        before = b""
    return tuple(parts)


def _part(connection: Connection, place: Place, image: Image, difference: Difference, before: bytes) -> _Part:
    """A difference, which what is ``before`` it in the file belongs to."""
    begin = exports.head(difference)
    # What follows the last snapshot of a file of format 2 is nothing.
    extents = _extents(connection, place, image, difference.end, difference.start) if difference.end else []
    pieces = exports.lay_out(extents, difference.at + len(begin), difference.version)
    difference = difference._replace(pieces=pieces)
    return _Part(
        difference.end or difference.start,
        before + begin,
        difference.at - len(before),
        pieces,
        exports.end_of(difference),
        difference.version,
    )


def _extents(
    connection: Connection, place: Place, image: Image, snapshot: str, start: str = ""
) -> list[tuple[int, int, bool]]:
    """What of an image was written until a snapshot, or since ``start``: offset, length, and whether there is data."""
    extents: list[tuple[int, int, bool]] = []
    what = f"reading image {image.name}@{snapshot}"
    with told(what), connection.image(place, image.name, snapshot=snapshot) as opened:
        opened.diff_iterate(0, opened.size(), start or None, lambda *extent: extents.append(extent))
    return extents


def write_file(connection: Connection, action: WriteFile) -> None:
    """Write an export beside its path, make it last batch by batch, and give it its name once it is whole."""
    partial = action.path + _PARTIAL
    what = f"exporting {action.image}@{action.snapshot}"
    try:
        with told(what):
            parts = _checked_parts(connection, action)
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(descriptor, partial)
                record = _record(action.path)
                # Where there was none yet, what is on record is of one that got its name.
                known = record.get("export") == action.identity and os.fstat(descriptor).st_size
                _write(connection, descriptor, parts, action, record.get("batches", 0) if known else 0)
            finally:
                os.close(descriptor)
        if os.path.lexists(action.path) and not action.replaces:
            raise StorageError(f"{action.path}: somebody made a file there meanwhile; what was exported is {partial}")
        os.replace(partial, action.path)
        sync_directory(os.path.dirname(os.path.abspath(action.path)))
    except OSError as error:
        raise StorageError(f"{action.path}: {error.strerror}; the next run goes on from there") from None


def _checked_parts(connection: Connection, action: WriteFile) -> tuple[_Part, ...]:
    """Raises StorageError where the image is no longer what was planned."""
    image = read_image(connection, action.place, action.image)
    there = image is not None and all(image.snapshot(name) for name in (action.snapshot, action.start) if name)
    if image is None or not there or _identity_of(connection, action.place, image, action) != action.identity:
        raise StorageError(f"{action.place}/{action.image}: somebody changed it meanwhile; run this again")
    return _parts(connection, action.place, image, action)


def _lock(descriptor: int, path: str) -> None:
    """Keep other tasks from the file. Raises StorageError where one has it, or just gave it its name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise StorageError(f"{path}: another task writes it; wait for that to end")


def _write(connection: Connection, descriptor: int, parts: tuple[_Part, ...], action: WriteFile, done: int) -> None:
    if not done:
        os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, parts[-1].end)
    batches = [list(exports.batches(part.pieces)) for part in parts]
    whole, count = sum(map(len, batches)), 0
    for part, several in zip(parts, batches):
        with connection.image(action.place, action.image, snapshot=part.snapshot) as opened:
            _write_all(descriptor, part.begin, part.at)
            copy = _reader(opened, descriptor, part.version)
            for batch in several:
                count += 1
                if count <= done:
                    continue
                in_parallel(copy, batch)
                os.fdatasync(descriptor)
                _put_on_record(action.path, export=action.identity, batches=count)
                _tell(str(action), count, whole)
            if part.version:
                _write_all(descriptor, exports.end(), part.end - 1)
    os.fsync(descriptor)
    there = os.fstat(descriptor)
    _put_on_record(
        action.path,
        export=action.identity,
        batches=count,
        size=there.st_size,
        modified=there.st_mtime_ns,
    )


def _reader(opened: Any, descriptor: int, version: int) -> Callable[[Piece], None]:
    """Copies a piece from an image that is open to the file."""

    def copy(piece: Piece) -> None:
        if version:
            begun = exports.record(piece, version)
            _write_all(descriptor, begun, piece.at - len(begun))
        if not piece.zero:
            data = opened.read(piece.offset, piece.length)
            if version or data.count(0) < len(data):
                _write_all(descriptor, data, piece.at)

    return copy


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def read_import(connection: Connection, place: Place, want: WantedImport) -> ImportState:
    """What the file has, and what there is of its image."""
    found = exports.read_file(want.path)
    pool = read_pool(connection, place, [want.name, want.partial])
    identity = _identity(want.path, found)
    there, partial = pool.images[want.name], pool.images[want.partial]
    if not isinstance(found, Difference):
        whole = found if isinstance(found, Whole) else None
        size = found.size if isinstance(found, Whole) else found
        state = ImportState(pool, identity, full=True, size=size, whole=whole)
        if there:
            return state._replace(origin_said=origin_of(connection.pool(place), there.id))
        return _with_room(connection, state, want, _runs(want.path, found), partial)
    state = ImportState(pool, identity, False, found.size, found.start, found.end)
    if there is None or there.remains or there.snapshot(found.end) or (found.start and not there.snapshot(found.start)):
        return state
    changed: list[int] = []
    with told(f"looking for changes of image {want.name}"), connection.image(place, want.name) as opened:
        begun = there.snapshot(found.start)
        opened.diff_iterate(0, there.size, found.start or None, lambda at, _length, _exists: changed.append(at))
    state = state._replace(changed=bool(changed) or (begun is not None and begun.size != there.size))
    return _with_room(connection, state, want, _runs(want.path, found), there)


def _with_room(
    connection: Connection,
    state: ImportState,
    want: WantedImport,
    runs: list[tuple[Piece, ...]],
    image: Image | None,
) -> ImportState:
    """The state, with how much is still to be written to an image (None: to a new one), and what its pool takes."""
    data_pool = image.data_pool if image else want.image.data_pool or state.pool.data_pool
    data_pool = data_pool or state.pool.place.pool
    done = written(image.metadata.get(MARK, ""), state.identity) if image else 0
    return state._replace(
        data=_data_of_batches(list(exports.batches(*runs))[max(done, 0) :]),
        data_pool=data_pool,
        room=read_room(connection, data_pool),
    )


def _runs(path: str, found: Difference | Whole | int) -> list[tuple[Piece, ...]]:
    """What of a file is written to an image, as far as one snapshot after the other."""
    if isinstance(found, Whole):
        return [difference.pieces for difference in found.differences]
    if isinstance(found, Difference):
        return [found.pieces]
    try:
        with open(path, "rb") as file:
            return [_data_of(file.fileno(), found)]
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def _identity(path: str, found: Difference | Whole | int) -> str:
    """What tells a file from others. Where it lies does not."""
    status = os.stat(path)
    kind = f"{found.start}-{found.end}" if isinstance(found, Difference) else "full"
    return f"{kind} {status.st_size} {status.st_mtime_ns}"


def fill_image(connection: Connection, action: FillImage) -> None:
    """Write what a file has to an image, and keep on it how much of it is there."""
    found = exports.read_file(action.path)
    if _identity(action.path, found) != action.identity:
        raise StorageError(f"{action.path}: somebody changed it meanwhile; run this again")
    try:
        with open(action.path, "rb") as file, told(str(action)):
            runs = _runs(action.path, found)
            before = len(list(exports.batches(*runs[: action.part])))
            # What a new image has nothing of yet needs no zeros.
            over = isinstance(found, Difference) or action.part > 0
            with connection.image(action.place, action.image, read_only=False) as opened:
                done = written(dict(opened.metadata_list()).get(MARK, ""), action.identity)
                copy = _copier(opened, file.fileno(), over)
                batches = list(exports.batches(runs[action.part]))
                for number, batch in enumerate(batches, before + 1):
                    if number > done:
                        in_parallel(copy, batch)
                        opened.flush()
                        opened.metadata_set(MARK, mark(action.identity, number))
                        _tell(str(action), number - before, len(batches))
    except OSError as error:
        raise StorageError(f"{action.path}: {error.strerror}") from None


def _tell(what: str, done: int, whole: int) -> None:
    reporter().tell(lambda: Progress(what, round(100 * done / whole, 1)))


def _copier(opened: Any, descriptor: int, over: bool) -> Callable[[Piece], None]:
    """``over``: the image has something there already, so that zeros count."""

    def copy(piece: Piece) -> None:
        if piece.zero:
            opened.write_zeroes(piece.offset, piece.length)
            return
        data = os.pread(descriptor, piece.length, piece.at)
        if len(data) < piece.length:
            raise StorageError("the file became shorter while it was read")
        if over or data.count(0) < len(data):
            opened.write(data, piece.offset)

    return copy


def _data_of(descriptor: int, size: int) -> tuple[Piece, ...]:
    """What of a full file is no hole."""
    extents: list[tuple[int, int, bool]] = []
    at = 0
    while at < size:
        try:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:
            # There is no more data.
            break
        at = os.lseek(descriptor, begin, os.SEEK_HOLE)
        extents.append((begin, min(at, size) - begin, True))
    return exports.lay_out(extents, None)
