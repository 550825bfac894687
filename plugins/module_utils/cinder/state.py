# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend of Cinder's drivers as plain data: its volumes, their snapshots and connections, by the database."""

from __future__ import annotations

from typing import NamedTuple

from ..core.errors import Unread

GIB = 1 << 30
#: How Cinder names on a backend what has an id.
VOLUME, SNAPSHOT = "volume-", "snapshot-"
#: The status of a volume that is whole, without connections and with some.
WHOLE = ("available", "in-use")

Pairs = tuple[tuple[str, str], ...]


class Snapshot(NamedTuple):
    """A snapshot. ``size`` is that of its volume when it was taken, in bytes."""

    id: str
    volume: str
    name: str
    size: int
    status: str = "available"
    description: str = ""


class Connection(NamedTuple):
    """A volume that a host is connected to. ``device`` is its path on that host (empty: it never got so far).

    ``here``: it is this host; ``there``: the device is there now; ``busy``: the kernel says that it is in use;
    ``seen``: the size that the kernel has of it, in bytes, rounded up to GiB.
    """

    id: str
    volume: str
    host: str
    protocol: str = ""
    device: str = ""
    here: bool = False
    there: bool = False
    busy: bool = False
    seen: int = 0


class Volume(NamedTuple):
    """A volume, as the database has it. ``size`` in bytes.

    ``recoverable``: it is in error since it could not be extended, and is whole. ``source`` is the id of the volume, or
    of the snapshot, that it was made from (empty: of none).

    ``there``: the backend has it, or its driver cannot tell; ``offered``: this host's kernel offers it.
    """

    id: str
    name: str
    size: int
    status: str = "available"
    pool: str = ""
    description: str = ""
    extra_specs: Pairs = ()
    qos_specs: Pairs = ()
    source: str = ""
    recoverable: bool = False
    snapshots: tuple[Snapshot, ...] = ()
    connections: tuple[Connection, ...] = ()
    there: bool = True
    offered: bool = False

    @property
    def here(self) -> Connection | None:
        """The connection of this host."""
        return next((one for one in self.connections if one.here), None)

    def with_connections(self, connections: tuple[Connection, ...]) -> Volume:
        """With these, and the status that follows. A task that was cut off may have written only one of both."""
        status = WHOLE[bool(connections)] if self.status in WHOLE else self.status
        return self._replace(status=status, connections=connections)


class Stranger(NamedTuple):
    """A volume or snapshot that is on the backend and not in the database. ``size`` in bytes, rounded up to GiB.

    ``reference`` is how the driver finds it, ``obstacle`` why it cannot be adopted (empty: it can), ``source`` what the
    volume of a snapshot is called on the backend.
    """

    reference: Pairs
    size: int
    obstacle: str = ""
    source: str = ""

    def named(self, *names: str) -> bool:
        # LVM keeps names that begin with "snapshot" to itself, so its driver puts a "_" before them.
        known = {*names, *(f"_{name}" for name in names if name.startswith(SNAPSHOT))}
        return any(value in known for _key, value in self.reference)

    def __str__(self) -> str:
        return " ".join(value for _key, value in self.reference)


class Use(NamedTuple):
    """What the backend itself says of a volume, whatever the database has.

    ``size`` in bytes, rounded up to GiB (0: its driver cannot tell); ``users`` are who uses it now (empty where its
    driver cannot tell).
    """

    size: int = 0
    users: tuple[str, ...] = ()


class Array(NamedTuple):
    """A backend. ``host`` is this host's name.

    ``strangers`` None: nobody asked for them; ``lists`` false: its driver cannot tell them. The same of snapshots.
    ``elsewhere``: volumes that the database has as another backend's, by its name, and that this one holds.
    ``uses`` has those volumes that somebody asked for, by their names on the backend.
    """

    name: str
    host: str
    pools: tuple[str, ...]
    volumes: tuple[Volume, ...] = ()
    strangers: tuple[Stranger, ...] | None = None
    lists: bool = True
    strange_snapshots: tuple[Stranger, ...] | None = None
    lists_snapshots: bool = True
    elsewhere: tuple[tuple[str, Volume], ...] = ()
    uses: tuple[tuple[str, Use], ...] = ()

    def use(self, name: str) -> Use:
        """Raises Unread where nobody asked for it."""
        if name not in dict(self.uses):
            raise Unread("use", (name,))
        return dict(self.uses)[name]

    def with_use(self, name: str, use: Use) -> Array:
        return self._replace(uses=(*self.uses, (name, use)))

    def with_volume(self, volume: Volume) -> Array:
        """With a volume in the place of the one of its id, or as a new one."""
        if not any(one.id == volume.id for one in self.volumes):
            return self._replace(volumes=(*self.volumes, volume))
        return self._replace(volumes=tuple(volume if one.id == volume.id else one for one in self.volumes))

    def without_volume(self, volume: Volume) -> Array:
        return self._replace(volumes=tuple(one for one in self.volumes if one.id != volume.id))
