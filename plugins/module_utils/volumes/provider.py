# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every provider of network volumes offers, and the changes to volumes as data."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, NamedTuple, Protocol

from ..core.execute import Handlers
from ..document.sizes import show_size
from .state import Cloud

#: The tag that says which drive a volume belongs to. BSUd's, so that its drives are known.
TAG = "osc.bsud.drive-name"
#: The tag that takes the place of a client token, where a provider has none.
TOKEN = "strata.token"


class Create(NamedTuple):
    """Make a volume for a drive. What is made is known as ``<volume:KEY>`` from then on.

    The provider makes one volume for a token, however often it is asked.
    """

    drive: str
    key: str
    token: str
    size: int
    type: str
    iops: int
    throughput: int
    zone: str

    def __str__(self) -> str:
        return f"create a volume of {show_size(self.size)}" + (f", type {self.type}" if self.type else "")


class Adopt(NamedTuple):
    """Give a volume the tag of its drive."""

    drive: str
    volume: str

    def __str__(self) -> str:
        return f"tag {self.volume} with {TAG}={self.drive}"


class Attach(NamedTuple):
    """Attach a volume to a machine, and wait until it is."""

    volume: str
    machine: str

    def __str__(self) -> str:
        return f"attach {self.volume} to {self.machine}"


class Detach(NamedTuple):
    """Detach a volume from its machine, and wait until it is."""

    volume: str

    def __str__(self) -> str:
        return f"detach {self.volume}"


class Resize(NamedTuple):
    """Make a volume larger while it is in use, with its IOPS and throughput (0: as they are) in the same call."""

    volume: str
    size: int
    iops: int
    throughput: int

    def __str__(self) -> str:
        return f"resize {self.volume} to {show_size(self.size)}"


class TakeSnapshot(NamedTuple):
    """Make a snapshot of a volume, and wait until it is complete. There is one for a token, and nothing deletes it."""

    drive: str
    volume: str
    token: str

    def __str__(self) -> str:
        return f"make a snapshot of {self.volume}"


class Delete(NamedTuple):
    """Delete a volume that is not attached."""

    volume: str

    def __str__(self) -> str:
        return f"delete {self.volume}"


class Provider(Protocol):
    """One provider of volumes. Each wait is bounded, and ends where a volume is in error."""

    def read(self, drive: str, machine: str, volume_type: str, snapshots: bool = False) -> Cloud:
        """What there is of a drive, with its snapshots if they are asked for: all pages, nothing cached."""

    def create(self, action: Create) -> str:
        """The id of the volume, which carries the tag of the drive, and can be attached."""

    def adopt(self, action: Adopt) -> None:
        """Tag the volume, also if it has the tag already."""

    def attach(self, action: Attach) -> None:
        """Attach the volume, and return once it is. One that is on its way is waited for."""

    def detach(self, action: Detach) -> None:
        """Detach the volume, and return once it is. One that is not attached stays as it is."""

    def resize(self, action: Resize) -> None:
        """Make the volume larger, and return once it is."""

    def snapshot(self, action: TakeSnapshot) -> None:
        """Make a snapshot with the tag of the drive, unless that token has one, and return once it is complete."""

    def delete(self, action: Delete) -> None:
        """Delete the volume, and return once it is gone. One that is gone already is no error."""


def handlers(provider: Provider) -> Handlers:
    """How the executor makes changes at a provider."""
    made: dict[str, str] = {}

    def create(action: Create) -> None:
        made[action.key] = provider.create(action)

    perform: dict[type, Callable[[Any], None]] = {
        Create: create,
        Adopt: provider.adopt,
        Attach: provider.attach,
        Detach: provider.detach,
        Resize: provider.resize,
        TakeSnapshot: provider.snapshot,
        Delete: provider.delete,
    }
    return Handlers(perform, {"volume": lambda key: made[key]})


def token_prefix(drive: str) -> str:
    """What the tokens of a drive's volumes begin with, so that a volume that lacks its tag is still known."""
    return f"strata-{hashlib.sha256(drive.encode()).hexdigest()[:16]}-"


def token(drive: str, *parts: object) -> str:
    """The same for the same volume of the same pass: asked for twice, it is made once. At most 64 characters."""
    told = "\0".join(map(str, parts))
    return token_prefix(drive) + hashlib.sha256(told.encode()).hexdigest()[:32]


def serials(volume: str) -> tuple[str, ...]:
    """How a host may know a volume: by its ID, by that without its dash (NVMe), and by 20 characters of it (virtio)."""
    return tuple(dict.fromkeys((volume, volume.replace("-", ""), volume[:20])))
