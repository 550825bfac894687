# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``raids``: Linux software RAID arrays."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.text import meant
from .names import check_distinct, check_name, devices
from .sizes import parse_bytes

LEVELS = ("0", "1", "4", "5", "6", "10")
LEAST_DEVICES = {"0": 2, "1": 2, "4": 3, "5": 3, "6": 4, "10": 2}
CONSISTENCY_POLICIES = {"resync": "none", "bitmap": "internal"}
SCRUBS = ("check", "repair")
#: How parity goes around the members of a RAID 5 or 6, in the order of md's numbers.
PARITY_LAYOUTS = ("left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric")
STATES = ("present", "stopped", "absent")
_LEAST_SIZE = 1 << 20

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "level": {"type": "str", "choices": list(LEVELS)},
    "devices": {"type": "list", "elements": "str"},
    "spare_devices": {"type": "list", "elements": "str"},
    "write_mostly_devices": {"type": "list", "elements": "str"},
    "discard_devices": {"type": "list", "elements": "str"},
    "chunk_size": {"type": "str"},
    "layout": {"type": "str"},
    "size": {"type": "str"},
    "metadata": {"type": "str", "choices": ["0.90", "1.0", "1.1", "1.2"]},
    "bitmap": {"type": "str", "choices": ["none", "internal"]},
    "consistency_policy": {"type": "str", "choices": list(CONSISTENCY_POLICIES)},
    "uuid": {"type": "str"},
    "allow_shrink": {"type": "bool"},
    "allow_unprotected_reshape": {"type": "bool"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
}

#: What a task may ask to be done, beside what shall be so.
ACTS: dict[str, dict[str, Any]] = {
    "scrub": {"type": "str", "choices": list(SCRUBS)},
}


class Raid(NamedTuple):
    """A wanted array. None: leave it as it is; what a new array gets by default, the planner knows.

    ``chunk_size`` in bytes; ``uuid`` as 32 lower-case hexadecimal digits; ``layout`` in mdadm's words. ``size`` is what
    is used of each member, in bytes, ``largest`` all that they have room for. ``scrub`` is an act: what to go through
    the array for, check or repair. ``discard_devices`` are those whose own version of the data is given up.
    """

    name: str
    level: str | None = None
    devices: tuple[str, ...] | None = None
    spare_devices: tuple[str, ...] | None = None
    chunk_size: int | None = None
    metadata: str | None = None
    bitmap: str | None = None
    uuid: str | None = None
    state: str = "present"
    write_mostly_devices: tuple[str, ...] | None = None
    largest: bool = False
    size: int | None = None
    layout: str | None = None
    allow_shrink: bool = False
    allow_unprotected_reshape: bool = False
    scrub: str | None = None
    discard_devices: tuple[str, ...] | None = None

    @property
    def references(self) -> tuple[str, ...]:
        return (self.devices or ()) + (self.spare_devices or ())

    def settled(self) -> Raid:
        """What is wanted once its acts were done."""
        return self._replace(scrub=None)


def parse(item: Mapping[str, Any], lenient: bool = False) -> Raid:
    """A Raid from an item of the document. Raises StorageError for what cannot be (``lenient``: but its name)."""
    raid = Raid(
        name=str(item["name"]) if lenient else _name(str(item["name"])),
        level=item.get("level"),
        devices=devices(item.get("devices")),
        spare_devices=devices(item.get("spare_devices")),
        write_mostly_devices=devices(item.get("write_mostly_devices")),
        chunk_size=None if item.get("chunk_size") is None else parse_bytes(item["chunk_size"], "chunk_size"),
        metadata=item.get("metadata"),
        bitmap=_bitmap(item),
        uuid=None if item.get("uuid") is None else plain_uuid(item["uuid"]),
        state=item.get("state") or "present",
        largest=item.get("size") == "max",
        size=None if item.get("size") in (None, "max") else parse_bytes(item["size"], "size"),
        layout=item.get("layout"),
        allow_shrink=bool(item.get("allow_shrink")),
        allow_unprotected_reshape=bool(item.get("allow_unprotected_reshape")),
        scrub=item.get("scrub"),
        discard_devices=devices(item.get("discard_devices")),
    )
    check_distinct(raid.references, f"array {raid.name}")
    if raid.level == "0" and raid.spare_devices:
        raise StorageError(f"array {raid.name}: RAID 0 has no redundancy, so spare_devices could never take over")
    if raid.level == "0" and raid.bitmap == "internal":
        raise StorageError(f"array {raid.name}: RAID 0 has no redundancy, so it cannot have a bitmap")
    if raid.level == "0" and raid.scrub:
        raise StorageError(f"array {raid.name}: RAID 0 has no redundancy, so there is nothing to {raid.scrub} it by")
    if raid.write_mostly_devices and raid.level not in (None, "1"):
        raise StorageError(f"array {raid.name}: write_mostly_devices are for RAID 1, which reads from any member")
    if raid.chunk_size is not None:
        if raid.level == "1":
            raise StorageError(f"array {raid.name}: RAID 1 does not stripe, so it has no chunk_size")
        if raid.chunk_size % 4096 or raid.chunk_size & (raid.chunk_size - 1):
            raise StorageError(f"array {raid.name}: chunk_size must be a power of two and at least 4K")
    if raid.size is not None and raid.size < _LEAST_SIZE:
        raise StorageError(f"array {raid.name}: size is what is used of each member, and must be at least 1M, or max")
    if raid.layout is not None and raid.level is not None:
        check_layout(raid.name, raid.level, raid.layout)
    return raid


def _name(name: str) -> str:
    """The name itself, if an array can have it; that of another host's array may be HOST:NAME."""
    home, colon, own = name.rpartition(":")
    check_name(own, "array", longest=32 - len(home + colon))
    if colon:
        check_name(home, "host of the array", longest=32)
    return name


def _bitmap(item: Mapping[str, Any]) -> str | None:
    """The wanted bitmap, which ``consistency_policy`` says in other words."""
    bitmap: str | None = item.get("bitmap")
    policy = item.get("consistency_policy")
    if policy is None:
        return bitmap
    if bitmap not in (None, CONSISTENCY_POLICIES[policy]):
        raise StorageError(f"array {item['name']}: consistency_policy {policy} contradicts bitmap {bitmap}")
    return CONSISTENCY_POLICIES[policy]


def check_layout(name: str, level: str, layout: str) -> None:
    """Raises StorageError for a layout that a level does not have."""
    if level in ("5", "6"):
        if layout not in PARITY_LAYOUTS:
            raise StorageError(
                f"array {name}: the layout of a RAID {level} is one of {', '.join(PARITY_LAYOUTS)}, and not {layout!r}"
                f"{meant(layout, PARITY_LAYOUTS)}"
            )
    elif level != "10":
        raise StorageError(f"array {name}: RAID {level} has no layout to choose")
    elif not re.fullmatch("[nof][2-9]", layout):
        raise StorageError(
            f"array {name}: the layout of a RAID 10 is n (near), o (offset) or f (far) and the number of copies, such "
            f"as n2, and not {layout!r}"
        )


def copies(layout: str) -> int:
    """How often a RAID 10 of that layout (empty: mdadm's default) holds everything."""
    return int(layout[1:] or 2)


def redundancy(level: str, members: int, layout: str = "") -> int:
    """How many members an array can do without (RAID 10: in the worst case)."""
    if level == "10":
        return copies(layout) - 1
    return members - 1 if level == "1" else {"4": 1, "5": 1, "6": 2}.get(level, 0)


def can_run(level: str, members: int, slots: Collection[int], layout: str = "") -> bool:
    """Whether an array holds all its data with members in these places only."""
    if level != "10":
        return len(set(slots)) >= members - redundancy(level, members)
    near = int(layout[1:] or 2) if layout[:1] in ("", "n") else 1
    return all(
        any((first + number) % members in slots for number in range(copies(layout)))
        for first in range(0, members * near, near)
    )


def data_members(level: str, members: int, layout: str = "") -> float:
    """How many members' worth of data an array holds."""
    return members / copies(layout) if level == "10" else members - redundancy(level, members)


def plain_uuid(text: str) -> str:
    """32 hexadecimal digits, however they were grouped."""
    digits = re.sub(r"[-: .]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        raise StorageError(f"uuid: {text!r} is not a UUID")
    return digits
