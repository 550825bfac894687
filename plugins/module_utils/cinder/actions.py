# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a backend, as data, and who does it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ..core.errors import Unread
from ..core.execute import Handlers
from .state import SNAPSHOT, VOLUME, Array, Pairs


class Create(NamedTuple):
    """Make a volume, of nothing, of a volume, or of a snapshot. ``size`` in GiB.

    ``checked``: nothing of its name was on the backend, so what a creation that is cut off leaves there is ours.
    """

    id: str
    name: str
    size: int
    pool: str = ""
    description: str = ""
    extra_specs: Pairs = ()
    qos_specs: Pairs = ()
    source_volume: str = ""
    source_snapshot: str = ""
    checked: bool = False

    def __str__(self) -> str:
        source = self.source_snapshot or self.source_volume
        kind = SNAPSHOT if self.source_snapshot else VOLUME
        return f"create {VOLUME}{self.id} {self.size} GiB" + (f" from {kind}{source}" if source else "")


class Manage(NamedTuple):
    """Adopt a volume that is on the backend."""

    id: str
    name: str
    reference: Pairs
    pool: str = ""
    description: str = ""

    def __str__(self) -> str:
        return f"manage {' '.join(f'{key}={value}' for key, value in self.reference)} as {VOLUME}{self.id}"


class Extend(NamedTuple):
    """Make a volume larger, and have this host see it where it is connected. ``size`` in GiB."""

    id: str
    size: int

    def __str__(self) -> str:
        return f"extend {VOLUME}{self.id} to {self.size} GiB"


class Rescan(NamedTuple):
    """Have this host see that a volume has grown, where a task was cut off after that."""

    id: str

    def __str__(self) -> str:
        return f"rescan {VOLUME}{self.id}"


class Record(NamedTuple):
    """Write down the size that a volume has on the backend. ``size`` in GiB."""

    id: str
    size: int

    def __str__(self) -> str:
        return f"set the size of {VOLUME}{self.id} to {self.size} GiB in the database"


class Recover(NamedTuple):
    """Say that a volume is whole that could not be extended."""

    id: str

    def __str__(self) -> str:
        return f"set the status of {VOLUME}{self.id}"


class Describe(NamedTuple):
    """Set the description of a volume or snapshot."""

    id: str
    description: str
    snapshot: bool = False

    def __str__(self) -> str:
        return f"describe {SNAPSHOT if self.snapshot else VOLUME}{self.id}"


class Delete(NamedTuple):
    """Delete a volume, on the backend and in the database. ``cut_off``: only while its creation has not ended."""

    id: str
    cut_off: bool = False

    def __str__(self) -> str:
        return f"delete {VOLUME}{self.id}"


class Attach(NamedTuple):
    """Connect this host to a volume, and have its kernel see it; where it is connected, only the latter."""

    id: str

    def __str__(self) -> str:
        return f"attach {VOLUME}{self.id}"


class Detach(NamedTuple):
    """Take a volume from this host's kernel, and end the connection."""

    id: str

    def __str__(self) -> str:
        return f"detach {VOLUME}{self.id}"


class Release(NamedTuple):
    """End the connection of another host, which is not asked."""

    id: str
    connection: str

    def __str__(self) -> str:
        return f"end connection {self.connection} of {VOLUME}{self.id}"


class TakeSnapshot(NamedTuple):
    """Take a snapshot of a volume. ``checked`` as that of a volume."""

    id: str
    volume: str
    name: str
    description: str = ""
    checked: bool = False

    def __str__(self) -> str:
        return f"create {SNAPSHOT}{self.id} of {VOLUME}{self.volume}"


class ManageSnapshot(NamedTuple):
    """Adopt a snapshot that is on the backend."""

    id: str
    volume: str
    name: str
    reference: Pairs
    description: str = ""

    def __str__(self) -> str:
        return f"manage {' '.join(f'{key}={value}' for key, value in self.reference)} as {SNAPSHOT}{self.id}"


class DeleteSnapshot(NamedTuple):
    """Delete a snapshot, on the backend and in the database. ``cut_off`` as that of a volume."""

    id: str
    cut_off: bool = False

    def __str__(self) -> str:
        return f"delete {SNAPSHOT}{self.id}"


class Backend(Protocol):
    """Who drives a backend: cinderlib now. Each method says in one StorageError what went wrong."""

    def read(self) -> Array:
        """What the database has of the backend."""

    def read_more(self, array: Array, need: Unread) -> Array:
        """The same, with what a planner asks for."""

    def create(self, action: Create) -> None:
        """Make a volume."""

    def manage(self, action: Manage) -> None:
        """Take a volume of the backend into the database."""

    def extend(self, action: Extend) -> None:
        """Make a volume larger, also where it is attached."""

    def rescan(self, action: Rescan) -> None:
        """Have this host see the size of a volume."""

    def record(self, action: Record) -> None:
        """Have the database say what size a volume has."""

    def recover(self, action: Recover) -> None:
        """Call a volume whole again that is whole."""

    def describe(self, action: Describe) -> None:
        """Change a description."""

    def delete(self, action: Delete) -> None:
        """Delete a volume."""

    def attach(self, action: Attach) -> None:
        """Have this host use a volume."""

    def detach(self, action: Detach) -> None:
        """Have this host let go of a volume."""

    def release(self, action: Release) -> None:
        """Have another host be connected no longer."""

    def take_snapshot(self, action: TakeSnapshot) -> None:
        """Make a snapshot."""

    def manage_snapshot(self, action: ManageSnapshot) -> None:
        """Take a snapshot of the backend into the database."""

    def delete_snapshot(self, action: DeleteSnapshot) -> None:
        """Delete a snapshot."""


def handlers(backend: Backend) -> Handlers:
    """How the executor does these. A user's text may look like a placeholder; there are none."""
    perform: dict[type, Any] = {
        Create: backend.create,
        Manage: backend.manage,
        Extend: backend.extend,
        Rescan: backend.rescan,
        Record: backend.record,
        Recover: backend.recover,
        Describe: backend.describe,
        Delete: backend.delete,
        Attach: backend.attach,
        Detach: backend.detach,
        Release: backend.release,
        TakeSnapshot: backend.take_snapshot,
        ManageSnapshot: backend.manage_snapshot,
        DeleteSnapshot: backend.delete_snapshot,
    }
    return Handlers(perform, placeholders=None)
