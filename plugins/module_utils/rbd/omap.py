# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What librbd keeps of a pool and has no call for, or none that always works: read from the omaps where it is kept.

Ceph writes each structure as its version, the oldest version that can still be read by, its length and its fields,
little-endian. Newer versions add fields at the end.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .connection import rados

_PAGE = 1000
_TRASH, _GROUPS, _GROUP = "rbd_trash", "rbd_group_directory", "rbd_group_header."
_IMAGE, _ID = "rbd_header.", "rbd_id."
_MIGRATION = "migration"
_OF_SOURCE, _OF_DESTINATION = 1, 2
#: What a migration's state is called, as the ``rbd`` command does.
_STATES = ("error", "preparing", "prepared", "executing", "executed", "aborting")
#: States of what is in the trash.
_NORMAL, _MOVING = 0, 1
#: What marks a source whose migration was committed, until it is removed.
_COMMITTED = "strata.committed"
#: What an image says that it came from. Unlike metadata, that goes to none of its clones and copies.
_ORIGIN = "strata.origin"


class SnapshotImage(NamedTuple):
    """An image that a snapshot of a group holds, by the number of its pool and its id."""

    pool: int
    id: str


class Header(NamedTuple):
    """What an image says of its migration: the other side (``pool`` is its number, ``id`` empty: not known yet).

    ``source``: it is of the source, and names the destination. ``spec``: what is imported, which has no other side.
    """

    source: bool
    pool: int
    namespace: str
    name: str
    id: str
    state: str
    spec: str = ""


def migration_header(encoded: bytes) -> Header:
    """Raises StorageError for one that is too new."""
    fields = _Fields(encoded)
    version, _end = fields.structure(3)
    kind, pool = fields.number("B"), fields.number("q")
    namespace, name, number = fields.text(), fields.text(), fields.text()
    for _snapshot in range(fields.number("I")):
        fields.number("Q"), fields.number("Q")
    _overlap, _flatten, _mirrored = fields.number("Q"), fields.number("B"), fields.number("B")
    state, _description = fields.number("B"), fields.text()
    _mode = fields.number("B") if version > 1 else 0
    return Header(
        kind == _OF_SOURCE, pool, namespace, name, number, _STATES[state], fields.text() if version > 2 else ""
    )


def migration_of(opened: Any, image_id: str) -> Header | None:
    """What an image says of its migration.

    librbd's own call fails where the migration was cut off, or where the source of an import is not there.
    """
    found = _omap(opened, _IMAGE + image_id, _MIGRATION).get(_MIGRATION)
    return migration_header(found) if found else None


def id_of(opened: Any, name: str) -> str:
    """The id of an image, as librbd finds it. Raises rados.ObjectNotFound where there is no such image."""
    return _Fields(opened.read(_ID + name)).text()


def has_header(opened: Any, image_id: str) -> bool:
    """Whether an image has the object that librbd removes last."""
    try:
        opened.stat(_IMAGE + image_id)
    except rados.ObjectNotFound:
        return False
    return True


def committed(opened: Any, image_id: str) -> bool:
    """Whether ``forget_migration`` came by a source."""
    return bool(_attribute(opened, image_id, _COMMITTED))


def origin_of(opened: Any, image_id: str) -> str:
    """What ``say_origin`` left with an image; nothing, where that never came by."""
    return _attribute(opened, image_id, _ORIGIN).decode(errors="replace")


def say_origin(opened: Any, image_id: str, origin: str) -> None:
    """Keep with an image what it came from, of which librbd keeps nothing once a migration is committed."""
    opened.set_xattr(_IMAGE + image_id, _ORIGIN, origin.encode())


def _attribute(opened: Any, image_id: str, name: str) -> bytes:
    try:
        return bytes(opened.get_xattr(_IMAGE + image_id, name))
    except (rados.ObjectNotFound, rados.NoData):
        return b""


def forget_migration(opened: Any, image_id: str) -> None:
    """Make the source of a migration that was committed an image that can be removed.

    It is marked beforehand, so that nobody takes what is left of it for one whose preparation was cut off.
    """
    opened.set_xattr(_IMAGE + image_id, _COMMITTED, b"1")
    opened.execute(_IMAGE + image_id, "rbd", "migration_remove", b"")


def begin_migration(opened: Any, image_id: str, pool: int, namespace: str, name: str) -> None:
    """Have a source in the trash say that it is being migrated, where that was cut off, so that it can be aborted."""
    texts = b"".join(map(_text, (namespace, name, "")))
    fields = struct.pack("<Bq", _OF_SOURCE, pool) + texts + struct.pack("<IQBBB", 0, 0, 0, 0, 1) + _text("")
    opened.execute(_IMAGE + image_id, "rbd", "migration_set", struct.pack("<BBI", 1, 1, len(fields)) + fields)


def settle_in_trash(opened: Any, image_id: str) -> None:
    """Have something in the trash that was on its way there be there."""
    # Refused where it is on its way out, which librbd goes on with.
    with suppress(rados.Error):
        opened.execute(_TRASH, "rbd", "trash_state_set", _text(image_id) + struct.pack("<BB", _NORMAL, _MOVING))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


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
    _version, end = fields.structure(1)
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

    def structure(self, known: int) -> tuple[int, int]:
        """Begin a structure, and tell its version, and where it ends. Raises StorageError for one that is too new."""
        version, oldest, length = self.number("B"), self.number("B"), self.number("I")
        if oldest > known:
            raise StorageError(f"this cluster's librbd is newer than what this module reads (structure {oldest})")
        return version, self._at + length

    def skip_to(self, end: int) -> None:
        self._at = end
