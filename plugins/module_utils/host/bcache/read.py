# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads backing devices and cache sets: from superblocks, and from the kernel what it works with."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...core.command import read_text
from ...document.bcache import CACHE_TUNABLES, TUNABLES
from ..devices import Device
from ..sysfs import SYS, digits
from .state import Backing, CacheSet
from .superblock import BcacheSuperblock

_TIMES = ("total", "day", "hour", "five_minute")


def read_backings(superblocks: Mapping[str, object], by_kernel: Mapping[str, Device]) -> tuple[Backing, ...]:
    found = []
    for device in by_kernel.values():
        base = f"{SYS}/{device.kernel}/bcache"
        block = superblocks.get(device.path)
        if not isinstance(block, BcacheSuperblock) or not block.backing:
            continue
        backing = Backing(
            device=device.path,
            uuid=block.uuid,
            label=block.label,
            cache_set=block.set_uuid if block.state in ("clean", "dirty") else "",
            cache_mode=block.cache_mode,
            state=block.state,
            offset=block.offset,
            block_size=block.block_size,
        )
        if os.path.exists(f"{base}/backing_dev_name") or os.path.exists(f"{base}/cache_mode"):
            bcache = os.path.basename(os.path.realpath(f"{base}/dev"))
            attached = os.path.exists(f"{base}/cache")
            ratios = {time: read_text(f"{base}/stats_{time}/cache_hit_ratio") for time in _TIMES}
            backing = backing._replace(
                registered=True,
                attached=attached,
                label=read_text(f"{base}/label"),
                cache_mode=_chosen(read_text(f"{base}/cache_mode")),
                state=read_text(f"{base}/state"),
                cache_set=os.path.basename(os.path.realpath(f"{base}/cache")) if attached else backing.cache_set,
                bcache=f"/dev/{bcache}" if read_text(f"{base}/running") == "1" else "",
                dirty_data=read_text(f"{base}/dirty_data"),
                tunables={name: _chosen(read_text(f"{base}/{name}")) for name in TUNABLES},
                hit_ratios={time: int(digits(ratio)) for time, ratio in ratios.items()},
                errors=int(digits(read_text(f"{base}/io_errors"))),
                disabled=read_text(f"{base}/io_disable") == "1",
            )
        found.append(backing)
    return tuple(found)


def _chosen(text: str) -> str:
    """The value in brackets (``writethrough [writeback] writearound``)."""
    return text[text.find("[") + 1 : text.find("]")] if "[" in text else text


def read_cache_sets(superblocks: Mapping[str, object]) -> tuple[CacheSet, ...]:
    return tuple(
        CacheSet(
            uuid=block.set_uuid,
            device=path,
            bucket_size=block.bucket_size,
            block_size=block.block_size,
            registered=os.path.isdir(f"/sys/fs/bcache/{block.set_uuid}"),
            tunables={name: _chosen(read_text(cache_attribute(name, block.set_uuid, path))) for name in CACHE_TUNABLES},
            errors=int(digits(read_text(f"{SYS}/{os.path.basename(path)}/bcache/io_errors"))),
            disabled=read_text(f"/sys/fs/bcache/{block.set_uuid}/internal/io_disable") == "1",
        )
        for path, block in superblocks.items()
        if isinstance(block, BcacheSuperblock) and not block.backing
    )


def cache_attribute(tunable: str, cache_set: str, device: str) -> str:
    """Where the kernel keeps a tunable of a cache: beside the cache set, or beside the cache device."""
    if tunable == "io_error_limit":
        return f"/sys/fs/bcache/{cache_set}/{tunable}"
    name = {"replacement_policy": "cache_replacement_policy"}.get(tunable, tunable)
    return f"{SYS}/{os.path.basename(device)}/bcache/{name}"
