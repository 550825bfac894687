# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is in a pool, as plain data. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .calls import Place


class Parent(NamedTuple):
    """A snapshot that an image is, or is to be, a clone of. ``trashed``: its image is in the trash."""

    place: Place
    image: str
    snapshot: str
    trashed: bool = False

    def __str__(self) -> str:
        return f"{self.place}/{self.image}@{self.snapshot}"


class Snapshot(NamedTuple):
    """``children`` are its clones, as ``POOL/NAMESPACE/IMAGE``; None: nobody looked."""

    name: str
    size: int
    protected: bool = False
    children: tuple[str, ...] | None = None


class Image(NamedTuple):
    """An image. ``config`` are the settings that it has itself; ``group`` is its group's (empty: it is in none).

    ``watchers`` are the addresses of those that have it open, ``locked`` of who holds its lock; ``hidden`` is how
    many snapshots it has that are not the user's: of groups, of mirroring, or removed ones that clones still need.
    ``invalid``: its object map is to be built anew. ``children`` are the clones of all its snapshots; None:
    nobody looked. ``remains``: a removal of it was cut off, and only removing it again can be done with it.
    """

    name: str
    id: str
    size: int
    object_size: int
    features: frozenset[str]
    stripe_unit: int = 0
    stripe_count: int = 1
    data_pool: str = ""
    metadata: Mapping[str, str] = {}
    config: Mapping[str, str] = {}
    parent: Parent | None = None
    snapshots: tuple[Snapshot, ...] = ()
    hidden: int = 0
    group: str = ""
    watchers: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    mirrored: bool = False
    snapshot_limit: int = 0
    invalid: bool = False
    children: tuple[str, ...] | None = None
    remains: bool = False

    def snapshot(self, name: str) -> Snapshot | None:
        return next((one for one in self.snapshots if one.name == name), None)

    @property
    def users(self) -> str:
        """Who has it open."""
        return " ".join(dict.fromkeys(self.locked + self.watchers))


class Trashed(NamedTuple):
    """What is in the trash. The times are seconds since 1970: it may be purged from ``until`` on.

    ``holds`` is what it cannot be removed with, its snapshots and clones; None: nobody looked.
    """

    id: str
    name: str
    source: str = "USER"
    moved: int = 0
    until: int = 0
    holds: tuple[str, ...] | None = None


class Pool(NamedTuple):
    """What a task looks at of a pool and namespace: images by name (None: there is no such one), and its trash.

    ``parents`` are the snapshots that are to be cloned (None: there is no such one), ``settings`` the names of what can
    be configured, ``features`` and ``object_size`` what new images get, ``pools`` all that the cluster has.
    """

    place: Place
    images: Mapping[str, Image | None]
    trash: tuple[Trashed, ...] = ()
    parents: Mapping[Parent, Snapshot | None] = {}
    settings: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    object_size: int = 4 << 20
    pools: frozenset[str] = frozenset()

    def with_image(self, name: str, image: Image | None) -> Pool:
        return self._replace(images={**self.images, name: image})

    def trashed(self, name: str) -> tuple[Trashed, ...]:
        return tuple(one for one in self.trash if one.name == name)


class Member(NamedTuple):
    """An image in a pool; in the namespace of its group, always."""

    pool: str
    image: str

    def __str__(self) -> str:
        return f"{self.pool}/{self.image}"


class Group(NamedTuple):
    members: tuple[Member, ...] = ()
    snapshots: tuple[str, ...] = ()


class Groups(NamedTuple):
    """What a task looks at: groups by name (None: there is no such one), and images (None: there is no such one)."""

    place: Place
    groups: Mapping[str, Group | None]
    images: Mapping[Member, Image | None] = {}

    def with_group(self, name: str, group: Group | None) -> Groups:
        return self._replace(groups={**self.groups, name: group})


class Namespaces(NamedTuple):
    """What a task looks at: the namespaces of a pool, and what is in the one that it is about."""

    pool: str
    names: frozenset[str]
    contents: tuple[str, ...] = ()


class Settings(NamedTuple):
    """What a task looks at of a pool. ``config`` are the settings that it has itself, ``settings`` the names of all."""

    name: str
    applications: tuple[str, ...]
    config: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    settings: frozenset[str] = frozenset()
    stats: Mapping[str, int] = {}


class Trash(NamedTuple):
    """What a task looks at: what is in the trash, and the images beside it, by name. ``now``: seconds since 1970."""

    place: Place
    entries: tuple[Trashed, ...]
    images: frozenset[str]
    now: int = 0
