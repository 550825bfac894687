# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every layer of a host's storage offers: to who folds a document, tells of a host, or removes from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from ..core.plan import Plan, Step
from .devices import Device
from .host import Host

Want_contra = TypeVar("Want_contra", contravariant=True)


class Reported(NamedTuple):
    """Something that there is: as an item of the document, and how it does."""

    item: dict[str, Any]
    status: dict[str, Any]


class Found(NamedTuple):
    """An item that there is: what it is called, the item that takes it away, and the devices that it is, or has."""

    name: str
    absent: tuple[Any, ...]
    devices: tuple[str, ...]


class Layer(Protocol[Want_contra]):
    """What a section's items need, of which ``Want_contra`` is the type. The modules ``plan`` of the layers are such.

    ``BY_DEVICE``: an item is found by the device that it names, and not by its own name alone.
    """

    BY_DEVICE: bool

    def device_paths(self, want: Want_contra) -> dict[str, str]:
        """The devices that an item is, or has, by the names that the document has for them."""

    def called(self, host: Host, want: Want_contra) -> str:
        """What ``present`` calls an item, where it is there."""

    def made_of(self, host: Host, want: Want_contra, role: str) -> tuple[str, ...]:
        """The devices that it is made of now, in a role (see document.role)."""

    def plan(self, host: Host, want: Want_contra, allow: bool) -> Plan:
        """What it takes. Raises StorageError for what cannot be, Refused for what may not be."""

    def facts(self, host: Host, want: Want_contra) -> dict[str, Any]:
        """What a module returns of it: the item as it is, by the layer's name, and its status (None: there is none)."""

    def survey(self, host: Host) -> list[Reported]:
        """All that a document can say, as it is."""

    def present(self, host: Host) -> list[Found]:
        """All that mode exact may take away."""


@runtime_checkable
class Prepares(Protocol):
    """A layer that does something for all new items at once, before the first of them."""

    def announce(self, host: Host, wanted: Sequence[Any]) -> tuple[tuple[Step, ...], Host]:
        """The steps, and the host after them."""


@runtime_checkable
class Located(Protocol):
    """A layer whose items may have another path than by their names, which is found on the host."""

    def locate(self, host: Host, want: Any) -> Device | None:
        """The device that an item is, if it is there."""
