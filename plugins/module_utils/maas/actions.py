# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the executor can do to a machine of a region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.plan import Step, placeholder
from .state import PARTITION, Device, Machine


class Call(NamedTuple):
    """A request that changes something; ``path`` is below the API's. What it makes is known afterwards by its number,
    which stands for ``<KIND:NAME>`` where ``keeps`` is ``KIND:NAME``.
    """

    method: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    op: str = ""
    keeps: str = ""

    def __str__(self) -> str:
        operation = f"?op={self.op}" if self.op else ""
        shown = (f"{name}={_shown(value)}" for name, value in self.fields)
        return " ".join((f"{self.method} {self.path}{operation}", *shown))


def _shown(value: str) -> str:
    """A text of many lines by what tells it from others."""
    if "\n" not in value:
        return value
    import hashlib

    return f"<{len(value)} characters, SHA-256 {hashlib.sha256(value.encode()).hexdigest()}>"


class Unchanged(NamedTuple):
    """Make sure, right before what the region would not refuse, that nobody took a device meanwhile."""

    path: str
    used_for: str
    name: str

    def __str__(self) -> str:
        return f"check that {self.name} is what it was"


class AllUnchanged(NamedTuple):
    """Make sure that nobody took any device of a machine meanwhile. ``used`` is what ``in_use`` tells of it."""

    path: str
    used: tuple[str, ...]
    name: str

    def __str__(self) -> str:
        return f"check that {self.name} is what it was"


class Only(NamedTuple):
    """Make sure that what was just made (``made``, as a ``Call`` keeps it) is the first with its ``value`` of ``word``.

    The region takes that twice, as two tasks at once send it. Then the later one goes again: nothing is made of it yet.
    ``listed`` is the path of the list of all, or of what has one in ``inside``; ``path`` is where it is itself.
    """

    path: str
    listed: str
    inside: str
    word: str
    value: str
    made: str
    name: str

    def __str__(self) -> str:
        return f"check that nobody else made {self.name} at the same moment"


def in_use(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What the region says of all that a machine has, in an order of its own."""
    found = []
    for one in told["blockdevice_set"]:
        found.append(f"device {one['id']}: {one['used_for']}")
        found += [f"partition {part['id']}: {part['used_for']}" for part in one["partitions"]]
    return tuple(sorted(found))


def future(machine: Machine, kind: str, name: str) -> str:
    """The number of what a plan makes, once it is made."""
    return placeholder(kind, f"{machine.system_id}/{name}")


def keeps(machine: Machine, kind: str, name: str) -> str:
    """By which a ``Call`` keeps the number that ``future`` stands for."""
    return f"{kind}:{machine.system_id}/{name}"


def at(machine: Machine, device: Device) -> str:
    """Where the API has a device. A partition's path has no slash at its end."""
    if device.kind == PARTITION:
        return f"nodes/{machine.system_id}/blockdevices/{machine.devices[device.disk].id}/partition/{device.id}"
    return f"nodes/{machine.system_id}/blockdevices/{device.id}/"


def unchanged(machine: Machine, device: Device) -> tuple[Any, ...]:
    """The claim on a device that this plan has not touched yet."""
    if device.planned or not device.used_for:
        return ()
    return (Unchanged(at(machine, device), device.used_for, device.key),)


def tag(machine: Machine, device: Device, name: str, operation: str = "add_tag") -> Call:
    return Call("POST", at(machine, device), fields(tag=name), op=operation)


def step(verb: str, kind: str, name: str, detail: str, *calls: Call | Only, **more: Any) -> Step:
    return Step(verb=verb, kind=kind, name=name, detail=detail, actions=calls, **more)


def fields(**given: Any) -> tuple[tuple[str, str], ...]:
    """Form fields: lists as repeated keys, None left out, and a region's own words for true and false."""
    found: list[tuple[str, str]] = []
    for name, value in given.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if one is not None:
                found.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return tuple(found)


def members(machine: Machine, keys: tuple[str, ...], prefix: str = "", spare: bool = False) -> dict[str, list[str]]:
    """Devices as the fields that name them: partitions apart from whole ones, spares apart from active ones."""
    whole, parts = ("spare_devices", "spare_partitions") if spare else ("block_devices", "partitions")
    found: dict[str, list[str]] = {}
    for key in keys:
        device = machine.devices[key]
        found.setdefault(prefix + (parts if device.kind == PARTITION else whole), []).append(device.id)
    return found
