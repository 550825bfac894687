# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of librbd's as data: what a plan holds, and what check mode prints."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.secret import Secret
from ..document.features import FEATURES


class Place(NamedTuple):
    """A pool and a namespace in it (empty: the one that has no name)."""

    pool: str
    namespace: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Features(NamedTuple):
    """Features of an image by their names, which librbd takes as one number."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.names)


class Unlock(NamedTuple):
    """What opens an encrypted image: its own passphrase, and those of what it is a clone of, from its parent up."""

    format: str
    passphrases: tuple[Secret, ...]


class Call(NamedTuple):
    """A call of librbd's: on a place; or, where ``image`` or ``group`` is not empty, on that one there; or,
    where ``snapshot`` is not empty, on the image as it was then; or, with ``cluster``, on the whole cluster.

    ``settings``: what the connection is set to beforehand. ``phase``: those of a lower one are made first, side by side
    but for those of phase 0. ``unlock``: the image is decrypted for it.
    """

    method: str
    place: Place
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    image: str = ""
    group: str = ""
    snapshot: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    phase: int = 1
    cluster: bool = False
    unlock: Unlock | None = None

    def __str__(self) -> str:
        where = str(self.place) + "".join(f"/{name}" for name in (self.image, self.group) if name)
        where += f"@{self.snapshot}" if self.snapshot else ""
        options = [f"{name}={value}" for name, value in (*self.options, *self.settings)]
        return " ".join((self.method, where, *map(str, self.arguments), *options))


class Alone(NamedTuple):
    """An action that must not be cut off, or that may end the whole process: done by a process of its own."""

    action: Any

    def __str__(self) -> str:
        return str(self.action)


class PrepareImport(NamedTuple):
    """Have an image filled from what ``spec`` (JSON) tells."""

    place: Place
    image: str
    spec: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        options = [f"{name}={value}" for name, value in self.options]
        return " ".join((f"migration_prepare_import {self.place}/{self.image}", self.spec, *options))


class Relink(NamedTuple):
    """Take the source of a migration out of the trash, where the destination is not there (any longer)."""

    place: Place
    image: str
    id: str
    target: Place
    target_image: str

    def __str__(self) -> str:
        return f"migration_abort {self.place}/{self.image} {self.id}"


class RemoveCommitted(NamedTuple):
    """Remove the source of a migration from the trash, whose commit was cut off."""

    place: Place
    id: str

    def __str__(self) -> str:
        return f"trash_remove {self.place} {self.id} True"


class SayOrigin(NamedTuple):
    """Have an image say what it was migrated, or imported, from."""

    place: Place
    image: str
    origin: str

    def __str__(self) -> str:
        return f"mark {self.place}/{self.image} as {self.origin}"


class WriteFile(NamedTuple):
    """Write what a snapshot has, since ``start`` if that is not empty, to a file; in format 2, with those before it.

    ``identity`` tells the snapshots from all others. ``replaces``: a file that is there may be lost.
    """

    place: Place
    image: str
    snapshot: str
    start: str
    path: str
    identity: str
    replaces: bool = False
    format: int = 1

    def __str__(self) -> str:
        since = f"{self.start}.." if self.start else ".." if self.format == 2 else ""
        return f"write {self.place}/{self.image}@{since}{self.snapshot} to {self.path}"


class FillImage(NamedTuple):
    """Write what a file has to an image. ``identity`` tells the file from others, for a run that goes on.

    ``part`` is the number of one of its differences, and ``until`` the snapshot that it ends at (empty: at none).
    """

    place: Place
    image: str
    path: str
    identity: str
    part: int = 0
    until: str = ""

    def __str__(self) -> str:
        until = f" until snapshot {self.until}" if self.until else ""
        return f"write {self.path}{until} to {self.place}/{self.image}"


class Ask(NamedTuple):
    """A command that the cluster's manager does."""

    prefix: str
    words: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return " ".join((self.prefix, *(value for _name, value in self.words)))


class AddPeer(NamedTuple):
    """Add a peer to a pool, with what its cluster is reached by."""

    place: Place
    site_name: str
    client: str
    direction: int
    mon_host: str = ""
    key: Secret | None = None

    def __str__(self) -> str:
        return f"mirror_peer_add {self.place} {self.site_name} {self.client} {self.direction} {self.mon_host}".strip()


class Unwatched(NamedTuple):
    """Wait until an image is no longer open at an address. ``timeout`` in seconds."""

    place: Place
    image: str
    address: str
    timeout: int = 60

    def __str__(self) -> str:
        return f"wait until {self.address} no longer has {self.place}/{self.image} open"


class Promote(NamedTuple):
    """Promote the copy of an image as soon as it is demoted where it was primary. ``timeout`` in seconds."""

    place: Place
    image: str
    timeout: int

    def __str__(self) -> str:
        return f"mirror_image_promote {self.place}/{self.image} False, once it is demoted elsewhere"


class Synced(NamedTuple):
    """Wait until a peer has a copy of an image, and follows it. ``timeout`` in seconds."""

    place: Place
    image: str
    timeout: int

    def __str__(self) -> str:
        return f"wait until a peer follows {self.place}/{self.image}"


def bits(names: tuple[str, ...]) -> int:
    return sum(1 << FEATURES.index(name) for name in names)


def names(number: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(FEATURES) if number >> bit & 1)
