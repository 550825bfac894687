# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that images are exported to, as the ``rbd`` command writes and reads them.

A full one has the image's bytes, with holes. A differential one (``rbd export-diff``) begins with a magic line. Then it
is records: a letter, little-endian numbers, and for what was written its data.

One of format 2 (``rbd export --export-format 2``) says what the image is like, and has a difference for each snapshot,
and one for what came after the last. There, a record says after its letter how long it is.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Callable, NamedTuple, TypeVar

from ..core.errors import StorageError

MAGIC = b"rbd diff v1\n"
_MAGICS = {1: MAGIC, 2: b"rbd diff v2\n"}
WHOLE = b"rbd image v2\n"
_DIFFERENCES = b"rbd image diffs v2\n"
#: Another format of the ``rbd`` command, and its second version of differences, where that stands alone.
_OTHERS = (b"rbd image v", _MAGICS[2])
_FROM, _TO, _PROTECTED, _SIZE, _WRITTEN, _ZERO, _END = b"f", b"t", b"p", b"s", b"w", b"z", b"e"
_ORDER, _FEATURES, _UNIT, _COUNT, _METADATA, _LAST = b"O", b"T", b"U", b"C", b"M", b"E"
_EXTENT, _NUMBER, _LENGTH = struct.Struct("<QQ"), struct.Struct("<Q"), struct.Struct("<I")
#: More than any name, or value, that librbd keeps: what says more is damaged.
_LONGEST = 64 << 20
Read = TypeVar("Read")
#: Those of an image's objects.
_ORDERS = range(12, 26)
#: What is read and written at once, by each of those that work side by side; and after how much it is made to last.
_PIECE, _BATCH = 4 << 20, 256 << 20


class Piece(NamedTuple):
    """A range of an image, and where its data is in the file. ``zero``: it has none."""

    at: int
    offset: int
    length: int
    zero: bool = False


class Difference(NamedTuple):
    """What a differential file says. ``start`` and ``end`` are snapshots (empty: it does not begin, or end, at one).

    ``version`` 2: it is part of a file of format 2, where it begins ``at``, and its snapshot may be ``protected``.
    """

    start: str
    end: str
    size: int
    pieces: tuple[Piece, ...] = ()
    version: int = 1
    at: int = 0
    protected: bool = False


class Whole(NamedTuple):
    """What a file of format 2 says. ``features`` is librbd's number for them, ``metadata`` has the settings as well."""

    order: int
    features: int
    stripe_unit: int
    stripe_count: int
    metadata: Mapping[str, str]
    differences: tuple[Difference, ...] = ()

    @property
    def size(self) -> int:
        return self.differences[-1].size


def preamble(whole: Whole) -> bytes:
    """How a file of format 2 begins."""
    numbers = (
        (_ORDER, whole.order),
        (_FEATURES, whole.features),
        (_UNIT, whole.stripe_unit),
        (_COUNT, whole.stripe_count),
    )
    said = b"".join(_tagged(tag, _NUMBER.pack(number), 2) for tag, number in numbers)
    said += b"".join(_tagged(_METADATA, _text(key) + _text(value), 2) for key, value in sorted(whole.metadata.items()))
    return WHOLE + said + _LAST + _DIFFERENCES + _NUMBER.pack(len(whole.differences))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def _tagged(tag: bytes, data: bytes, version: int) -> bytes:
    return tag + (_NUMBER.pack(len(data)) if version == 2 else b"") + data


def head(difference: Difference) -> bytes:
    """How a difference begins."""
    version = difference.version
    said = _MAGICS[version]
    for tag, name in ((_FROM, difference.start), (_TO, difference.end)):
        said += _tagged(tag, _text(name), version) if name else b""
    if version == 2 and difference.end:
        said += _tagged(_PROTECTED, bytes([difference.protected]), version)
    return said + _tagged(_SIZE, _NUMBER.pack(difference.size), version)


def record(piece: Piece, version: int = 1) -> bytes:
    """What goes before the data of a piece."""
    length = b""
    if version == 2:
        length = _NUMBER.pack(_EXTENT.size + (0 if piece.zero else piece.length))
    return (_ZERO if piece.zero else _WRITTEN) + length + _EXTENT.pack(piece.offset, piece.length)


def end() -> bytes:
    return _END


def lay_out(extents: Iterable[tuple[int, int, bool]], start: int | None, version: int = 1) -> tuple[Piece, ...]:
    """Where the data of an image goes in a file: with ``start``, from there on record by record, else where it is."""
    pieces: list[Piece] = []
    at = start or 0
    before = len(record(Piece(0, 0, 0), version))
    for offset, length, exists in extents:
        for begin in range(offset, offset + length, _PIECE):
            size = min(_PIECE, offset + length - begin)
            if start is None:
                pieces += [Piece(begin, begin, size)] if exists else []
                continue
            at += before
            pieces.append(Piece(at, begin, size, zero=not exists))
            at += size if exists else 0
    return tuple(pieces)


def end_of(difference: Difference) -> int:
    """Where a difference ends in its file."""
    last = difference.pieces[-1] if difference.pieces else Piece(difference.at + len(head(difference)), 0, 0)
    return last.at + (0 if last.zero else last.length) + len(_END)


def batches(*runs: tuple[Piece, ...]) -> Iterator[tuple[Piece, ...]]:
    """Pieces that are made to last together: of one run, always."""
    for pieces in runs:
        batch: list[Piece] = []
        size = 0
        for piece in pieces:
            batch.append(piece)
            size += piece.length
            if size >= _BATCH:
                yield tuple(batch)
                batch, size = [], 0
        if batch:
            yield tuple(batch)


def check_path(path: str) -> str:
    """A path that names a file. Raises StorageError for what the ``rbd`` command takes for a stream, or nothing."""
    if path in {"", "-"}:
        raise StorageError(
            f"path: {path!r} names no file, and a module has no stream; for a pipe, take the rbd command"
        )
    return path


def read_file(path: str) -> Difference | Whole | int:
    """What a differential file, or one of format 2, holds, or how long a full one is.

    Raises StorageError for one that is cut off, or damaged.
    """
    try:
        # To open a pipe would wait for whoever writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise StorageError(f"{path}: it is no file, and an image is imported from one")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            magic = file.read(len(WHOLE))
            if magic == WHOLE:
                return _read(path, file, size, _read_whole)
            if magic.startswith(MAGIC):
                file.seek(len(MAGIC))
                return _read(path, file, size, _read_difference)
            if magic.startswith(_OTHERS):
                raise StorageError(
                    f"{path}: it is of a format that is not read here; expected an export of format 1 or 2, or rbd "
                    "diff v1"
                )
            return size
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def _read(path: str, file: IO[bytes], size: int, how: Callable[[IO[bytes]], Read]) -> Read:
    try:
        found = how(file)
        if file.tell() != size:
            raise ValueError
    except (struct.error, ValueError):
        raise StorageError(
            f"{path}: it is cut off, or damaged, at byte {file.tell()}; nothing of it was used"
        ) from None
    return found


def _read_whole(file: IO[bytes]) -> Whole:
    numbers = dict.fromkeys((_ORDER, _FEATURES, _UNIT, _COUNT), 0)
    metadata: dict[str, str] = {}
    while True:
        tag = file.read(1)
        if tag == _LAST:
            break
        length = _number(file)
        if not tag or length > _LONGEST:
            raise ValueError(tag)
        then = file.tell() + length
        if tag in numbers:
            numbers[tag] = _number(file)
        elif tag == _METADATA:
            key = _name(file)
            metadata[key] = _name(file)
        file.seek(then)
    if file.read(len(_DIFFERENCES)) != _DIFFERENCES or numbers[_ORDER] not in _ORDERS:
        raise ValueError
    differences: list[Difference] = []
    for _index in range(_number(file)):
        at = file.tell()
        if file.read(len(_MAGICS[2])) != _MAGICS[2]:
            raise ValueError
        differences.append(_read_difference(file, 2)._replace(at=at))
    # Each begins where the one before ends, and the last one ends at no snapshot.
    starts, ends = [one.start for one in differences], [one.end for one in differences]
    if not differences or starts != ["", *ends[:-1]] or ends[-1] or not all(ends[:-1]):
        raise ValueError
    return Whole(numbers[_ORDER], numbers[_FEATURES], numbers[_UNIT], numbers[_COUNT], metadata, tuple(differences))


def _number(file: IO[bytes]) -> int:
    (number,) = _NUMBER.unpack(file.read(_NUMBER.size))
    return int(number)


def _name(file: IO[bytes]) -> str:
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    read = file.read(min(length, _LONGEST))
    if len(read) != length:
        raise ValueError
    return read.decode()


def _read_difference(file: IO[bytes], version: int = 1) -> Difference:
    said, whole = Difference("", "", -1, version=version), os.fstat(file.fileno()).st_size
    pieces: list[Piece] = []
    while True:
        tag = file.read(1)
        if tag == _END:
            break
        told = _number(file) if version == 2 and tag else 0
        if tag == _FROM:
            said = said._replace(start=_name(file))
        elif tag == _TO:
            said = said._replace(end=_name(file))
        elif tag == _SIZE:
            said = said._replace(size=_number(file))
        elif tag == _PROTECTED and version == 2:
            # Ceph 16 says that it is longer than it is.
            said = said._replace(protected=file.read(1) == b"\x01")
        elif tag in (_WRITTEN, _ZERO):
            offset, length = _EXTENT.unpack(file.read(_EXTENT.size))
            at = file.tell()
            if offset + length > said.size or (tag == _WRITTEN and at + length > whole):
                raise ValueError(tag)
            if tag == _ZERO:
                pieces.append(Piece(at, offset, length, zero=True))
                continue
            pieces += [
                Piece(at + begin, offset + begin, min(_PIECE, length - begin)) for begin in range(0, length, _PIECE)
            ]
            file.seek(length, os.SEEK_CUR)
        elif tag and version == 2:
            file.seek(told, os.SEEK_CUR)
        else:
            raise ValueError(tag)
    if said.size < 0:
        raise ValueError
    return said._replace(pieces=tuple(pieces))
