# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is in a pool, as plain data. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from .calls import Place
from .exports import Whole

#: Why the source of a migration is in the trash.
MIGRATION = "MIGRATION"


class Parent(NamedTuple):
    """A snapshot that an image is, or is to be, a clone of. ``trashed``: its image is in the trash.

    What an image is to be a copy of may be no snapshot (empty), but the image as it is.
    """

    place: Place
    image: str
    snapshot: str
    trashed: bool = False

    def __str__(self) -> str:
        return f"{self.place}/{self.image}" + (f"@{self.snapshot}" if self.snapshot else "")


class Snapshot(NamedTuple):
    """``children`` are its clones, as ``POOL/NAMESPACE/IMAGE``; None: nobody looked."""

    name: str
    size: int
    protected: bool = False
    children: tuple[str, ...] | None = None


class Lock(NamedTuple):
    """A lock of an image. ``automatic``: librbd's, or the kernel's, own, whose holder watches the image meanwhile."""

    holder: str
    cookie: str
    address: str
    automatic: bool = True


#: Of a pool, by the numbers that librbd has for it.
MirrorMode = IntEnum("MirrorMode", {"disabled": 0, "image": 1, "pool": 2, "init-only": 3})


class Direction(IntEnum):
    """In which a peer mirrors, by the numbers that librbd has for it."""

    rx_only = 0
    tx_only = 1
    rx_tx = 2


class Peer(NamedTuple):
    """Another cluster that a pool is mirrored with. ``mon_host``: empty where this client may not know it."""

    uuid: str
    site_name: str
    client: str
    direction: str
    mon_host: str = ""


class Schedule(NamedTuple):
    """An interval in minutes, and the time of day that it begins at (empty: any)."""

    minutes: int
    start: str = ""

    @property
    def interval(self) -> str:
        """As the manager writes it."""
        for unit, length in (("d", 1440), ("h", 60)):
            if self.minutes % length == 0:
                return f"{self.minutes // length}{unit}"
        return f"{self.minutes}m"

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        """As the manager takes it."""
        start = (("start_time", self.start),) if self.start else ()
        return (("interval", self.interval), *start)

    def __str__(self) -> str:
        return f"each {self.interval}" + (f" from {self.start}" if self.start else "")


class MirrorPool(NamedTuple):
    """What a task looks at of the mirroring of a pool. ``images`` is how many of them are mirrored.

    ``schedules`` are those of snapshots of all its images; None: nobody looked. ``has_user``: whether there is the user
    that tokens hold the key of. ``token``: the one that was asked for. ``remote_namespace`` is what it is called on the
    peers; None: librbd gives it no other name there.
    """

    place: Place
    fsid: str
    mode: str
    site_name: str
    peers: tuple[Peer, ...] = ()
    images: int = 0
    schedules: tuple[Schedule, ...] | None = None
    has_user: bool = False
    token: str = ""
    remote_namespace: str | None = None

    def peer(self, site_name: str) -> Peer | None:
        return next((one for one in self.peers if one.site_name == site_name), None)


class Mirroring(NamedTuple):
    """How an image is mirrored. ``mode``: ``journal`` or ``snapshot``."""

    mode: str
    primary: bool = True


class Luks(NamedTuple):
    """What an image says of its encryption. ``format``: empty where it has no LUKS header, which has ``header`` bytes.

    ``blank``: it holds nothing at all. ``opens``: whether a passphrase opens it; None: nobody looked.
    """

    format: str = ""
    header: int = 0
    blank: bool = False
    opens: bool | None = None


class Image(NamedTuple):
    """An image. ``config`` are the settings that it has itself; ``group`` is its group's (empty: it is in none).

    ``watchers`` are the addresses of those that have it open; ``hidden`` is how many snapshots it has that are not
    the user's: of groups, of mirroring, or removed ones that clones still need. ``invalid``: its object map is to be
    built anew. ``children`` are the clones of all its snapshots; None: nobody looked. ``remains``: a removal of it was
    cut off, and only removing it again can be done with it. ``encryption`` None: nobody looked. ``layered``: it is a
    clone with an encryption of its own, and its bytes as they are stored are of no use without its parent.
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
    locks: tuple[Lock, ...] = ()
    mirroring: Mirroring | None = None
    snapshot_limit: int = 0
    invalid: bool = False
    children: tuple[str, ...] | None = None
    remains: bool = False
    encryption: Luks | None = None
    layered: bool = False

    def snapshot(self, name: str) -> Snapshot | None:
        return next((one for one in self.snapshots if one.name == name), None)

    def with_snapshot(self, name: str, snapshot: Snapshot | None) -> Image:
        """With that one (None: none) in the place of its snapshot of that name."""
        others = tuple(one for one in self.snapshots if one.name != name)
        return self._replace(snapshots=others + ((snapshot,) if snapshot else ()))

    @property
    def users(self) -> str:
        """Who has it open, or has locked it. An automatic lock whose holder no longer watches is a dead client's."""
        return in_use_by(self.watchers, self.locks)

    @property
    def left_by(self) -> str:
        """What it is that remains."""
        if "migrating" in self.features:
            return "it is being migrated, and cannot be opened here, as where what it is imported from cannot be read"
        return "its removal was cut off"

    @property
    def copy(self) -> bool:
        """Whether it is the copy of an image of another cluster, which only mirroring may change."""
        return self.mirroring is not None and not self.mirroring.primary


def in_use_by(watchers: tuple[str, ...], locks: tuple[Lock, ...], lockers_only: bool = False) -> str:
    """The addresses of those that use an image, or of those of them that locked it."""
    holders = (lock.address for lock in locks if not lock.automatic or lock.address in watchers)
    return " ".join(dict.fromkeys((*holders, *(() if lockers_only else watchers))))


class Trashed(NamedTuple):
    """What is in the trash. The times are seconds since 1970: it may be purged from ``until`` on.

    ``holds`` is what keeps it from being removed; None: nobody looked. ``clones`` are the clones of its snapshots,
    with the ids of those that are in the same trash (empty: it is elsewhere). ``stored`` is how many bytes it has in
    ``data_pool``.
    """

    id: str
    name: str
    source: str = "USER"
    moved: int = 0
    until: int = 0
    holds: tuple[str, ...] | None = None
    clones: tuple[tuple[str, str], ...] = ()
    stored: int = 0
    data_pool: str = ""


class Pool(NamedTuple):
    """What a task looks at of a pool and namespace: images by name (None: there is no such one), and its trash.

    ``parents`` are the images whose snapshots are to be cloned (None: there is no such one), ``features``,
    ``object_size`` and ``data_pool`` what new images get, ``pools`` all that the cluster has, ``erasure_coded`` those
    among them that are, and whether they can be overwritten. ``layers``: librbd reads clones that are encrypted.
    """

    place: Place
    images: Mapping[str, Image | None]
    trash: tuple[Trashed, ...] = ()
    parents: Mapping[Parent, Image | None] = {}
    features: frozenset[str] = frozenset()
    object_size: int = 4 << 20
    data_pool: str = ""
    pools: frozenset[str] = frozenset()
    erasure_coded: Mapping[str, bool] = {}
    layers: bool = False

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


class GroupSnapshot(NamedTuple):
    """A snapshot of a group. ``complete``: false where taking it was cut off, so that it holds nothing.

    ``members`` are the images that it holds, and that it would roll back; None: nobody looked.
    """

    name: str
    complete: bool = True
    members: tuple[Member, ...] | None = None


class Group(NamedTuple):
    members: tuple[Member, ...] = ()
    snapshots: tuple[GroupSnapshot, ...] = ()

    def snapshot(self, name: str) -> GroupSnapshot | None:
        return next((one for one in self.snapshots if one.name == name), None)


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
    """What a task looks at of a pool. ``config`` are the settings that it has itself.

    ``overwritable``: false for an erasure-coded one that only takes whole objects. ``purges`` are the schedules by
    which its trash is purged; None: nobody looked.
    """

    name: str
    applications: tuple[str, ...]
    config: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    overwritable: bool = True
    purges: tuple[Schedule, ...] | None = None
    stats: Mapping[str, int] = {}


class Fill(NamedTuple):
    """What a pool stores, and how much more it could, in bytes."""

    stored: int
    available: int

    def beyond(self, threshold: float) -> float:
        """How many bytes it stores beyond a share of what it could store in all."""
        return self.stored - threshold * (self.stored + self.available)


class Trash(NamedTuple):
    """What a task looks at: what is in the trash, and the images beside it, by name. ``now``: seconds since 1970.

    ``fill`` is how full the pools are where the images' data is; None: nobody looked.
    """

    place: Place
    entries: tuple[Trashed, ...]
    images: frozenset[str]
    now: int = 0
    fill: Mapping[str, Fill] | None = None


class MirrorState(NamedTuple):
    """What a task looks at of the mirroring of an image (None: there is no such one).

    ``demoted``: it is known here that it was demoted where it was primary. ``remote_primary``: a peer says that it has
    the primary. ``replaying``: a peer has a copy, and follows it. ``peers`` are those of the pool, ``told`` is what the
    daemons tell of it here and there.
    """

    place: Place
    image: Image | None
    pool_mode: str = "disabled"
    peers: int = 0
    demoted: bool = False
    remote_primary: bool = False
    replaying: bool = False
    parent_mirrored: bool = False
    mirrored_clones: tuple[str, ...] = ()
    told: tuple[Mapping[str, object], ...] = ()


class Left(NamedTuple):
    """The source of a migration, in the trash. ``state``: librbd's word for how far it is; empty: it does not say.

    ``target_id``: the id of the destination, empty where it does not say. ``users`` have it open. ``listed``: it is not
    in the trash only. ``committed``: it is no image any more, since its removal has begun.
    """

    id: str
    state: str = ""
    target_id: str = ""
    users: str = ""
    listed: bool = False
    committed: bool = False


class MigrationState(NamedTuple):
    """What a task looks at of a migration. ``pool`` is the destination's, with the image of that name, or None.

    ``state``: librbd's word for how far it is; empty: none is under way. ``source``: what is moved (None: it is not
    known, or an import), whose image, in the trash or not, the pool has in ``parents``; ``listed``: there is one of
    its name. ``clones`` are those of the source. ``spec``: what is imported. ``blank``: the image of the destination's
    name holds nothing. ``origin_said``: what that image says that it came from; empty: it does not say. ``unreadable``:
    why what is to be imported cannot be read here.
    """

    pool: Pool
    state: str = ""
    source: Parent | None = None
    listed: bool = False
    left: Left | None = None
    clones: tuple[str, ...] = ()
    spec: str = ""
    blank: bool = False
    origin_said: str = ""
    unreadable: str = ""

    @property
    def origin(self) -> Image | None:
        return self.pool.parents.get(self.source) if self.source else None


class ExportState(NamedTuple):
    """What a task looks at of an export. ``identity`` tells its snapshots from all others.

    ``stored`` is how many bytes of data there are, ``written`` how many of them a run wrote that was cut off, ``room``
    how many more its file may have. ``done``: the file is this export. ``taken``: there is a file of that name.
    """

    place: Place
    image: Image | None
    identity: str = ""
    stored: int = 0
    written: int = 0
    room: int = 0
    done: bool = False
    taken: bool = False


class ImportState(NamedTuple):
    """What a task looks at of an import: the file by the snapshots that it is between, and the size of its image.

    ``full``: it is no difference; ``whole`` is what it says where it is of format 2. ``identity`` tells it from other
    files. ``changed``: the image is no longer what it was at ``start``. ``data`` is how many bytes of the file are not
    in the image yet, and ``room`` how many ``data_pool`` takes; None: nobody knows. ``origin_said``: what the image
    says that it came from; empty: it does not say.
    """

    pool: Pool
    identity: str
    full: bool
    size: int
    start: str = ""
    end: str = ""
    changed: bool = False
    data: int = 0
    data_pool: str = ""
    room: int | None = None
    whole: Whole | None = None
    origin_said: str = ""
