# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported and imported: read, and written, by several at once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from typing import Any

from ..core.errors import StorageError
from ..core.execute import in_parallel
from ..core.files import read_file, replace_file, sync_directory
from . import exports
from .calls import FillImage, Place, WriteFile
from .connection import Connection, told
from .export import Wanted as WantedExport
from .exports import Difference, Piece
from .import_ import MARK, Wanted as WantedImport, mark, written
from .read import read_image, read_pool, read_room
from .state import ExportState, Image, ImportState

_PARTIAL, _RECORD = ".strata-partial", ".strata.json"


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
    what = f"reading image {want.name}"
    with told(what), connection.image(place, want.image, snapshot=want.snapshot) as opened:
        ids = {one["name"]: one["id"] for one in opened.list_snaps()}
        if want.start and ids[want.start] >= ids[want.snapshot]:
            return state
        numbers = "-".join(str(ids[name]) for name in reversed(names))
        state = state._replace(identity=f"{connection.fsid}/{image.id}@{numbers}", taken=os.path.lexists(want.path))
        record = _record(want.path)
        if record.get("export") == state.identity and _is_as_recorded(want.path, record):
            return state._replace(done=True)
        pieces = _laid_out(opened, want.snapshot, want.start).pieces
    found = os.statvfs(directory)
    going_on = record.get("export") == state.identity and os.path.exists(want.path + _PARTIAL)
    return state._replace(
        stored=sum(piece.length for piece in pieces if not piece.zero),
        written=sum(piece.length for piece in _done(pieces, record) if not piece.zero) if going_on else 0,
        room=found.f_bavail * found.f_frsize,
    )


def _done(pieces: tuple[Piece, ...], record: dict[str, Any]) -> list[Piece]:
    batches = list(exports.batches(pieces))[: record.get("batches", 0)]
    return [piece for batch in batches for piece in batch]


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


def _laid_out(opened: Any, snapshot: str, start: str) -> Difference:
    """What of an image, open at a snapshot, goes where."""
    extents: list[tuple[int, int, bool]] = []
    size = opened.size()
    opened.diff_iterate(0, size, start or None, lambda *extent: extents.append(extent))
    difference = Difference(start, snapshot, size)
    begin = len(exports.head(difference)) if start else None
    return difference._replace(pieces=exports.lay_out(extents, begin))


def write_file(connection: Connection, action: WriteFile) -> None:
    """Write an export beside its path, make it last batch by batch, and give it its name once it is whole."""
    partial = action.path + _PARTIAL
    what = f"exporting {action.image}@{action.snapshot}"
    try:
        with told(what), connection.image(action.place, action.image, snapshot=action.snapshot) as opened:
            found = _laid_out(opened, action.snapshot, action.start)
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(descriptor, partial)
                record = _record(action.path)
                # Where there was none yet, what is on record is of one that got its name.
                known = record.get("export") == action.identity and os.fstat(descriptor).st_size
                _write(opened, descriptor, found, action, record.get("batches", 0) if known else 0)
            finally:
                os.close(descriptor)
        if os.path.lexists(action.path) and not action.replaces:
            raise StorageError(f"{action.path}: somebody made a file there meanwhile; what was exported is {partial}")
        os.replace(partial, action.path)
        sync_directory(os.path.dirname(os.path.abspath(action.path)))
    except OSError as error:
        raise StorageError(f"{action.path}: {error.strerror}; the next run goes on from there") from None


def _lock(descriptor: int, path: str) -> None:
    """Keep other tasks from the file. Raises StorageError where one has it, or just gave it its name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise StorageError(f"{path}: another task writes it; wait for that to end")


def _write(opened: Any, descriptor: int, found: Difference, action: WriteFile, done: int) -> None:
    if not done:
        os.ftruncate(descriptor, 0)
    if action.start:
        _write_all(descriptor, exports.head(found), 0)
    os.ftruncate(descriptor, exports.length_of(found) if action.start else found.size)

    def copy(piece: Piece) -> None:
        if action.start:
            begun = exports.record(piece)
            _write_all(descriptor, begun, piece.at - len(begun))
        if not piece.zero:
            data = opened.read(piece.offset, piece.length)
            if action.start or data.count(0) < len(data):
                _write_all(descriptor, data, piece.at)

    batches = list(exports.batches(found.pieces))
    for number, batch in enumerate(batches, 1):
        if number <= done:
            continue
        in_parallel(copy, batch)
        os.fdatasync(descriptor)
        _put_on_record(action.path, export=action.identity, batches=number)
    if action.start:
        _write_all(descriptor, exports.end(), exports.length_of(found) - 1)
    os.fsync(descriptor)
    whole = os.fstat(descriptor)
    _put_on_record(
        action.path,
        export=action.identity,
        batches=len(batches),
        size=whole.st_size,
        modified=whole.st_mtime_ns,
    )


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
    if isinstance(found, int):
        state = ImportState(pool, identity, full=True, size=found)
        return state if there else _with_room(connection, state, want, _data_in(want.path, found), partial)
    state = ImportState(pool, identity, False, found.size, found.start, found.end)
    if there is None or there.remains or there.snapshot(found.end) or (found.start and not there.snapshot(found.start)):
        return state
    changed: list[int] = []
    with told(f"looking for changes of image {want.name}"), connection.image(place, want.name) as opened:
        begun = there.snapshot(found.start)
        opened.diff_iterate(0, there.size, found.start or None, lambda at, _length, _exists: changed.append(at))
    state = state._replace(changed=bool(changed) or (begun is not None and begun.size != there.size))
    return _with_room(connection, state, want, found.pieces, there)


def _with_room(
    connection: Connection, state: ImportState, want: WantedImport, pieces: tuple[Piece, ...], image: Image | None
) -> ImportState:
    """The state, with how much is still to be written to an image (None: to a new one), and what its pool takes."""
    data_pool = image.data_pool if image else want.image.data_pool or state.pool.data_pool
    data_pool = data_pool or state.pool.place.pool
    done = written(image.metadata.get(MARK, ""), state.identity) if image else 0
    left = [piece for batch in list(exports.batches(pieces))[max(done, 0) :] for piece in batch]
    return state._replace(
        data=sum(piece.length for piece in left if not piece.zero),
        data_pool=data_pool,
        room=read_room(connection, data_pool),
    )


def _data_in(path: str, size: int) -> tuple[Piece, ...]:
    try:
        with open(path, "rb") as file:
            return _data_of(file.fileno(), size)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def _identity(path: str, found: Difference | int) -> str:
    """What tells a file from others. Where it lies does not."""
    status = os.stat(path)
    kind = "full" if isinstance(found, int) else f"{found.start}-{found.end}"
    return f"{kind} {status.st_size} {status.st_mtime_ns}"


def fill_image(connection: Connection, action: FillImage) -> None:
    """Write what a file has to an image, and keep on it how much of it is there."""
    found = exports.read_file(action.path)
    if _identity(action.path, found) != action.identity:
        raise StorageError(f"{action.path}: somebody changed it meanwhile; run this again")
    try:
        with open(action.path, "rb") as file, told(str(action)):
            pieces = found.pieces if isinstance(found, Difference) else _data_of(file.fileno(), found)
            with connection.image(action.place, action.image, read_only=False) as opened:
                done = written(dict(opened.metadata_list()).get(MARK, ""), action.identity)
                copy = _copier(opened, file.fileno(), isinstance(found, Difference))
                for number, batch in enumerate(exports.batches(pieces), 1):
                    if number > done:
                        in_parallel(copy, batch)
                        opened.flush()
                        opened.metadata_set(MARK, mark(action.identity, number))
    except OSError as error:
        raise StorageError(f"{action.path}: {error.strerror}") from None


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
