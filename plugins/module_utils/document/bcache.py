# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``bcaches``: slow devices behind a fast cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from .names import known_name
from .sizes import parse_bytes

#: In the order of their numbers in the superblock.
CACHE_MODES = ("writethrough", "writeback", "writearound", "none")
STATES = ("present", "absent")

#: The kernel's names, beside a backing device and beside a cache, with what a number may be (None: no number).
TUNABLES: dict[str, tuple[int, int] | None] = {
    "sequential_cutoff": None,
    "writeback_percent": (0, 40),
    "writeback_delay": (0, 2**32 - 1),
    "readahead_cache_policy": None,
    "stop_when_cache_set_failed": None,
}
CACHE_TUNABLES: dict[str, tuple[int, int] | None] = {
    "io_error_limit": (0, 2**32 - 1),
    "discard": None,
    "replacement_policy": None,
}

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "backing_device": {"type": "str"},
    "cache_device": {"type": "str"},
    "cache_mode": {"type": "str", "choices": list(CACHE_MODES)},
    "bucket_size": {"type": "str"},
    "block_size": {"type": "str"},
    "sequential_cutoff": {"type": "str"},
    "writeback_percent": {"type": "int"},
    "writeback_delay": {"type": "int"},
    "readahead_cache_policy": {"type": "str", "choices": ["all", "meta-only"]},
    "stop_when_cache_set_failed": {"type": "str", "choices": ["auto", "always"]},
    "io_error_limit": {"type": "int"},
    "discard": {"type": "bool"},
    "replacement_policy": {"type": "str", "choices": ["lru", "fifo", "random"]},
    "allow_offline": {"type": "bool"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
}


class Bcache(NamedTuple):
    """A wanted bcache. None: leave it as it is. Sizes in bytes.

    ``name`` is the label in the backing device's superblock, which holds 32 bytes. ``cache_device`` is empty where
    there is to be no cache. ``tunables`` and ``cache_tunables`` are what the kernel keeps beside the backing device
    and beside the cache, as it is written to sysfs.
    """

    name: str
    backing_device: str | None = None
    cache_device: str | None = None
    cache_mode: str | None = None
    bucket_size: int | None = None
    block_size: int | None = None
    state: str = "present"
    tunables: Mapping[str, str] = {}
    cache_tunables: Mapping[str, str] = {}
    allow_offline: bool = False


def parse(item: Mapping[str, Any], lenient: bool = False) -> Bcache:
    """A Bcache from an item of the document. Raises StorageError for what cannot be (``lenient``: but its name)."""
    bcache = Bcache(
        name=known_name(str(item["name"]), "bcache", 31, lenient),
        backing_device=item.get("backing_device"),
        cache_device=item.get("cache_device"),
        cache_mode=item.get("cache_mode"),
        bucket_size=_power_of_two(item, "bucket_size", 4096, 2**24),
        block_size=_power_of_two(item, "block_size", 512, 4096),
        state=item.get("state") or "present",
        tunables=_tunables(item, TUNABLES),
        cache_tunables=_tunables(item, CACHE_TUNABLES),
        allow_offline=bool(item.get("allow_offline")),
    )
    if bcache.backing_device is not None and bcache.backing_device == bcache.cache_device:
        raise StorageError(f"bcache {bcache.name}: {bcache.cache_device} is both backing_device and cache_device")
    return bcache


def _tunables(item: Mapping[str, Any], known: Mapping[str, tuple[int, int] | None]) -> dict[str, str]:
    """Those that are wanted, as the kernel takes them."""
    found = {}
    for option, limits in known.items():
        value = item.get(option)
        if value is None:
            continue
        if limits and not limits[0] <= value <= limits[1]:
            raise StorageError(f"{option}: {value} is not between {limits[0]} and {limits[1]}")
        if option == "sequential_cutoff":
            value = 0 if str(value) == "0" else parse_bytes(value, option)
        found[option] = str(int(value) if isinstance(value, bool) else value)
    return found


def _power_of_two(item: Mapping[str, Any], option: str, least: int, most: int) -> int | None:
    if item.get(option) is None:
        return None
    size = parse_bytes(item[option], option)
    if size & (size - 1) or not least <= size <= most:
        raise StorageError(f"{option}: {item[option]} is not a power of two from {least} to {most} bytes")
    return size
