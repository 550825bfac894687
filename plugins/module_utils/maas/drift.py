# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MAAS has of a machine beside what the deployed host has: where they differ.

Both are told as documents. Devices are compared by what they are: disks by serial number or WWN, partitions by disk and
number, and what has other names on both sides by what it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .custom import on_blank_disks
from .state import BLOCK, Machine

Item = Mapping[str, Any]

_PART = re.compile(r"(.+)-part(\d+)")
#: A host does not tell where its root is, which is never managed, nor of filesystems of other types than these.
_ROOT = "/"
_TOLD = ("btrfs", "ext2", "ext4", "swap", "xfs")


class Difference(NamedTuple):
    """``maas`` and ``host`` are what each has; None: nothing."""

    section: str
    name: str
    word: str
    maas: Any
    host: Any


class _Names:
    """What devices are called in a document, as the region's names for them."""

    def __init__(self, disks: Machine, parts: Mapping[str, str]) -> None:
        self._disks = disks
        self._same = dict(parts)

    def of(self, text: str) -> str:
        plain = text.partition(": ")[2] if ": " in text else text
        if plain in self._same:
            return self._same[plain]
        part = _PART.fullmatch(plain)
        if part:
            return f"{self._disk(part.group(1))}-part{part.group(2)}"
        return self._disk(plain)

    def all(self, texts: Iterable[str]) -> list[str]:
        return sorted(self.of(text) for text in texts)

    def call(self, mine: str, theirs: str) -> None:
        self._same[mine] = theirs

    def _disk(self, text: str) -> str:
        found = self._disks.find(text)
        return found.key if found else text


def drift(machine: Item, host: Item) -> list[Difference]:
    """``machine`` as ``maas_storage_info`` tells it, ``host`` as ``layout_info`` does. Raises StorageError."""
    disks = on_blank_disks(machine)
    theirs, mine = machine.get("layout") or {}, host.get("layout") or {}
    region, local = _Names(disks, {}), _Names(disks, _partitions(disks, host))
    found: list[Difference] = []
    for section, words in (("raids", ("devices", "spare_devices")), ("bcaches", ("backing_device", "cache_device"))):
        pairs = _pairs(theirs.get(section, ()), mine.get(section, ()), words[0], region, local)
        for one, other in pairs:
            if one and other:
                local.call(other["name"], one["name"])
            found += _made_of(section, one, other, words, region, local)
    found += [
        difference
        for one, other in _by_name(theirs.get("drives", ()), mine.get("drives", ()))
        for difference in _drives(one, other, region, local)
    ]
    return found + _filesystems(theirs.get("filesystems", ()), mine.get("filesystems", ()), region, local)


def _partitions(disks: Machine, host: Item) -> dict[str, str]:
    """What the region calls the host's partitions that have names."""
    names = _Names(disks, {})
    numbers = (host.get("status") or {}).get("partitions") or {}
    return {
        item["name"]: f"{names.of(item['device'])}-part{numbers[item['name']]['number']}"
        for item in (host.get("layout") or {}).get("partitions", ())
        if item["name"] in numbers
    }


def _by_name(theirs: Iterable[Item], mine: Iterable[Item]) -> list[tuple[Item | None, Item | None]]:
    known = {item["name"]: item for item in mine}
    pairs: list[tuple[Item | None, Item | None]] = [(item, known.pop(item["name"], None)) for item in theirs]
    return pairs + [(None, item) for item in known.values()]


def _pairs(
    theirs: Iterable[Item], mine: Iterable[Item], word: str, region: _Names, local: _Names
) -> list[tuple[Item | None, Item | None]]:
    """Items of the same name, then those that are made of the same: a host may call a bcache by its kernel name."""
    pairs = _by_name(theirs, mine)
    left = [other for one, other in pairs if one is None and other is not None]
    found: list[tuple[Item | None, Item | None]] = []
    for one, named in pairs:
        if one is None:
            continue
        made_of, real = _devices(one, word, region), named
        if real is None and made_of:
            real = next((item for item in left if _devices(item, word, local) == made_of), None)
            left = [item for item in left if item is not real]
        found.append((one, real))
    return found + [(None, other) for other in left]


def _devices(item: Item, word: str, names: _Names) -> list[str] | None:
    """None: it is not told, as of an array with a member that is missing."""
    value = item.get(word)
    return None if value is None else names.all([value] if isinstance(value, str) else value)


def _made_of(
    section: str, one: Item | None, other: Item | None, words: tuple[str, ...], region: _Names, local: _Names
) -> list[Difference]:
    name = (one or other or {})["name"]
    if one is None or other is None:
        return [_whole(section, name, one, other)]
    found = [
        Difference(section, name, word, _devices(one, word, region) or [], _devices(other, word, local))
        for word in words
        if (_devices(one, word, region) or []) != (_devices(other, word, local) or [])
    ]
    for word in ("level", "cache_mode"):
        if one.get(word) != other.get(word):
            found.append(Difference(section, name, word, one.get(word), other.get(word)))
    return found


def _whole(section: str, name: str, one: Item | None, other: Item | None) -> Difference:
    return Difference(section, name, "state", "present" if one else None, "present" if other else None)


def _drives(one: Item | None, other: Item | None, region: _Names, local: _Names) -> list[Difference]:
    name = (one or other or {})["name"]
    if one is None or other is None:
        return [_whole("drives", name, one, other)]
    found = []
    devices = region.all(one["devices"]), local.all(other["devices"])
    if devices[0] != devices[1]:
        found.append(Difference("drives", name, "devices", *devices))
    for volume, real in _by_name(one.get("volumes") or (), other.get("volumes") or ()):
        place = f"{name}/{(volume or real or {})['name']}"
        if volume is None or real is None:
            found.append(_whole("drives", place, volume, real))
            continue
        # Both round to extents, and not the same way.
        sizes = _bytes(place, volume), _bytes(place, real)
        if abs(sizes[0] - sizes[1]) >= BLOCK:
            found.append(Difference("drives", place, "size", *sizes))
        found += _use("drives", place, volume, real, "filesystem")
    return found


def _bytes(place: str, volume: Item) -> int:
    try:
        return int(volume["size"])
    except (TypeError, ValueError):
        raise StorageError(
            f"drives: {place}: size is {volume['size']!r}, and no number of bytes; give what maas_storage_info and "
            "layout_info return, and not a document that somebody wrote"
        ) from None


def _filesystems(theirs: Iterable[Item], mine: Iterable[Item], region: _Names, local: _Names) -> list[Difference]:
    known = {local.of(item["device"]): item for item in mine}
    found = []
    for item in theirs:
        device = region.of(item["device"])
        real = known.pop(device, None)
        if real is None:
            unused = item.get("mount_point") == "" or item["type"] not in _TOLD
            found += [] if unused or item.get("mount_point") == _ROOT else [_whole("filesystems", device, item, None)]
        else:
            found += _use("filesystems", device, item, real, "type")
    return found + [_whole("filesystems", device, None, item) for device, item in known.items()]


def _use(section: str, name: str, one: Item, other: Item, kind: str) -> list[Difference]:
    """A host tells the types that it manages. What MAAS says no options of gets those of the installer."""
    found = []
    pairs = {word: (one.get(word) or None, other.get(word) or None) for word in (kind, "label", "mount_point")}
    if pairs[kind][1] is None:
        del pairs[kind]
    if one.get("mount_point") == _ROOT:
        del pairs["mount_point"]
    else:
        wanted = [option for option in (one.get("mount_options") or "").split(",") if option]
        real = (other.get("mount_options") or "").split(",")
        if not set(wanted) <= set(real):
            found.append(Difference(section, name, "mount_options", one["mount_options"], other.get("mount_options")))
    found += [Difference(section, name, word, *values) for word, values in pairs.items() if values[0] != values[1]]
    return found
