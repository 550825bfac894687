# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What librbd keeps of a pool and has no call for, or none that always works: read from the omaps where it is kept.

Ceph writes each structure as its version, the oldest version that can still be read by, its length and its fields,
little-endian. Newer versions add fields at the end.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .connection import rados

_PAGE = 1000
_TRASH, _GROUPS, _GROUP = "rbd_trash", "rbd_group_directory", "rbd_group_header."


class SnapshotImage(NamedTuple):
    """An image that a snapshot of a group holds, by the number of its pool and its id."""

    pool: int
    id: str


def trash_ids(opened: Any) -> tuple[str, ...]:
    """The ids of what is in the trash.

    librbd's own listing ends in an IndexError at the source of a migration (Ceph 16 and 18).
    """
    return tuple(key[len("id_") :] for key in _omap(opened, _TRASH, "id_"))


def group_snapshot_images(opened: Any, group: str, snapshot: str) -> tuple[SnapshotImage, ...]:
    """The images that a snapshot of a group holds. They need not be those that are in the group now."""
    number = _omap(opened, _GROUPS, f"name_{group}").get(f"name_{group}")
    header = _GROUP + _Fields(number).text() if number else ""
    found = dict(map(group_snapshot, _omap(opened, header, "snapshot_").values() if header else ()))
    return found.get(snapshot, ())


def group_snapshot(encoded: bytes) -> tuple[str, tuple[SnapshotImage, ...]]:
    """The name of a group's snapshot, and the images that it holds. Raises StorageError for one that is too new."""
    fields = _Fields(encoded)
    fields.structure(1)
    _id, name, _state = fields.text(), fields.text(), fields.number("B")
    return name, tuple(_snapshot_image(fields) for _number in range(fields.number("I")))


def _snapshot_image(fields: _Fields) -> SnapshotImage:
    end = fields.structure(1)
    image = SnapshotImage(fields.number("q"), fields.text())
    fields.skip_to(end)
    return image


def _omap(opened: Any, name: str, prefix: str) -> dict[str, bytes]:
    """The keys with that prefix, and their values; none where there is no such object."""
    found: dict[str, bytes] = {}
    last = ""
    while True:
        with rados.ReadOpCtx() as operation:
            pairs, _ignored = opened.get_omap_vals(operation, last, prefix, _PAGE)
            try:
                opened.operate_read_op(operation, name)
            except rados.ObjectNotFound:
                return found
            page = dict(pairs)
        found.update(page)
        if len(page) < _PAGE:
            return found
        last = max(page)


class _Fields:
    """Reads one field after another."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded, self._at = encoded, 0

    def number(self, kind: str) -> int:
        """One of a kind that ``struct`` knows."""
        (value,) = struct.unpack_from(f"<{kind}", self._encoded, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return int(value)

    def text(self) -> str:
        length = self.number("I")
        self._at += length
        return self._encoded[self._at - length : self._at].decode()

    def structure(self, known: int) -> int:
        """Begin a structure, and tell where it ends. Raises StorageError for one that is too new to read."""
        _version, oldest, length = self.number("B"), self.number("B"), self.number("I")
        if oldest > known:
            raise StorageError(f"this cluster's librbd is newer than what this module reads (structure {oldest})")
        return self._at + length

    def skip_to(self, end: int) -> None:
        self._at = end
