# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that images are exported to, as the ``rbd`` command writes and reads them.

A full one has the image's bytes, with holes. A differential one (``rbd export-diff``) begins with a magic line. Then it
is records: a letter, little-endian numbers, and for what was written its data.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from ..core.errors import StorageError

MAGIC = b"rbd diff v1\n"
#: Another format of the ``rbd`` command, and its second version of differences.
_OTHERS = (b"rbd image v", b"rbd diff v2\n")
_FROM, _TO, _SIZE, _WRITTEN, _ZERO, _END = b"f", b"t", b"s", b"w", b"z", b"e"
_EXTENT = struct.Struct("<QQ")
#: What is read and written at once, by each of those that work side by side; and after how much it is made to last.
_PIECE, _BATCH = 4 << 20, 256 << 20


class Piece(NamedTuple):
    """A range of an image, and where its data is in the file. ``zero``: it has none."""

    at: int
    offset: int
    length: int
    zero: bool = False


class Difference(NamedTuple):
    """What a differential file says. ``start`` and ``end`` are snapshots (empty: it does not begin, or end, at one)."""

    start: str
    end: str
    size: int
    pieces: tuple[Piece, ...] = ()


def head(difference: Difference) -> bytes:
    """How a differential file begins."""
    named = b"".join(
        kind + struct.pack("<I", len(name.encode())) + name.encode()
        for kind, name in ((_FROM, difference.start), (_TO, difference.end))
        if name
    )
    return MAGIC + named + _SIZE + struct.pack("<Q", difference.size)


def record(piece: Piece) -> bytes:
    """What goes before the data of a piece."""
    return (_ZERO if piece.zero else _WRITTEN) + _EXTENT.pack(piece.offset, piece.length)


def end() -> bytes:
    return _END


def lay_out(extents: Iterable[tuple[int, int, bool]], start: int | None) -> tuple[Piece, ...]:
    """Where the data of an image goes in a file: with ``start``, from there on record by record, else where it is."""
    pieces: list[Piece] = []
    at = start or 0
    for offset, length, exists in extents:
        for begin in range(offset, offset + length, _PIECE):
            size = min(_PIECE, offset + length - begin)
            if start is None:
                pieces += [Piece(begin, begin, size)] if exists else []
                continue
            at += 1 + _EXTENT.size
            pieces.append(Piece(at, begin, size, zero=not exists))
            at += size if exists else 0
    return tuple(pieces)


def length_of(difference: Difference) -> int:
    """How long a differential file is."""
    last = difference.pieces[-1] if difference.pieces else Piece(len(head(difference)), 0, 0)
    return last.at + (0 if last.zero else last.length) + len(_END)


def batches(pieces: tuple[Piece, ...]) -> Iterator[tuple[Piece, ...]]:
    """Pieces that are made to last together."""
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


def read_file(path: str) -> Difference | int:
    """What a differential file holds, or how long a full one is. Raises StorageError for one that is cut off."""
    try:
        # To open a pipe would wait for whoever writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise StorageError(f"{path}: it is no file, and an image is imported from one")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            magic = file.read(len(MAGIC))
            if magic.startswith(_OTHERS):
                raise StorageError(
                    f"{path}: it is of a format that is not read here; expected an export of format 1, or rbd diff v1"
                )
            return _read_difference(path, file, size) if magic == MAGIC else size
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None


def _read_difference(path: str, file: IO[bytes], size: int) -> Difference:
    said = Difference("", "", -1)
    pieces: list[Piece] = []
    try:
        while True:
            kind = file.read(1)
            if kind == _END and file.tell() == size:
                break
            if kind in (_FROM, _TO):
                (length,) = struct.unpack("<I", file.read(4))
                name = file.read(length).decode()
                said = said._replace(start=name) if kind == _FROM else said._replace(end=name)
            elif kind == _SIZE:
                said = said._replace(size=struct.unpack("<Q", file.read(8))[0])
            elif kind in (_WRITTEN, _ZERO):
                offset, length = _EXTENT.unpack(file.read(_EXTENT.size))
                at = file.tell()
                if kind == _ZERO:
                    pieces.append(Piece(at, offset, length, zero=True))
                    continue
                pieces += [
                    Piece(at + begin, offset + begin, min(_PIECE, length - begin)) for begin in range(0, length, _PIECE)
                ]
                file.seek(length, os.SEEK_CUR)
            else:
                raise ValueError(kind)
    except (struct.error, ValueError):
        raise StorageError(
            f"{path}: it is cut off, or damaged, at byte {file.tell()}; nothing of it was used"
        ) from None
    if said.size < 0:
        raise StorageError(f"{path}: it does not say the size of the image, and is damaged; nothing of it was used")
    return said._replace(pieces=tuple(pieces))
