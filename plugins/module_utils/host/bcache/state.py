# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing devices and cache sets as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...core.errors import StorageError
from ...document.sizes import parse_bytes


class Backing(NamedTuple):
    """A bcache backing device. ``bcache`` is the path of the cached device, empty while it is not registered.

    ``state``: no cache, clean, dirty, inconsistent. ``cache_set`` is the UUID of the set it is (or was) attached to.
    ``attached``: the cache set works for it. ``tunables`` are the kernel's own words for them; ``offset`` is where data
    begins, in bytes; ``hit_ratios`` are per cent, by the time that they are about. ``block_size`` is what the cached
    device has for a sector, in bytes (0: not known). ``errors`` is how often it failed, ``disabled``: the kernel gave
    it up for that.
    """

    device: str
    uuid: str
    label: str = ""
    cache_set: str = ""
    cache_mode: str = "writethrough"
    state: str = "no cache"
    bcache: str = ""
    registered: bool = False
    attached: bool = False
    dirty_data: str = ""
    tunables: Mapping[str, str] = {}
    offset: int = 8192
    hit_ratios: Mapping[str, int] = {}
    block_size: int = 0
    errors: int = 0
    disabled: bool = False

    @property
    def name(self) -> str:
        """Its label; without one, what the kernel calls it for now."""
        return self.label or self.bcache.rsplit("/", 1)[-1]


class CacheSet(NamedTuple):
    """A bcache cache set, known by its cache device. ``tunables``, ``errors`` and ``disabled`` as of a Backing."""

    uuid: str
    device: str
    bucket_size: int = 0
    block_size: int = 0
    registered: bool = False
    tunables: Mapping[str, str] = {}
    errors: int = 0
    disabled: bool = False


class Attached(NamedTuple):
    """What a cache set is for, by its journal: a backing device, here or not, or a volume that it holds itself."""

    uuid: str
    label: str = ""
    own_volume: bool = False


def set_of(cache_sets: Iterable[CacheSet], backing: Backing) -> CacheSet | None:
    """The cache set that a backing device is attached to, if it is here."""
    return next((known for known in cache_sets if known.uuid == backing.cache_set), None)


def dirty_bytes(text: str) -> int:
    """What bcache writes as ``1.2G``; 0 for what it does not say."""
    try:
        return parse_bytes(text)
    except StorageError:
        return 0
