# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host's storage, or on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from . import raid
from .state import Array, Backing, Host

#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90


class Finding(NamedTuple):
    """Something that is wrong, or on its way: ``problem`` is one of degraded, syncing, dirty, no cache, nearly full."""

    device: str
    name: str
    problem: str
    detail: str


def health(host: Host, names: Mapping[str, str]) -> list[Finding]:
    """``names`` are what the document calls devices."""
    found: list[Finding] = []
    for array in host.arrays:
        found += [Finding(array.device, raid.name_of(host, array), *said) for said in _of_array(array)]
    for backing in host.backings:
        found += [Finding(backing.bcache, backing.name, *said) for said in _of_backing(backing)]
    for point, (size, free) in (host.spaces or {}).items():
        used = round(100 * (size - free) / size) if size else 0
        device = next((mount.device for mount in host.mounts if mount.mount_point == point), "")
        if used >= _NEARLY_FULL:
            found.append(Finding(device, names.get(device, device), "nearly full", f"{point} is {used} % full"))
    return found


def _of_array(array: Array) -> list[tuple[str, str]]:
    found = []
    if array.degraded:
        found.append(("degraded", f"{array.degraded} of {array.raid_devices} members missing"))
    if array.sync_action not in ("", "idle", "frozen") or array.reshaping:
        done = f" {array.per_cent} %" if array.per_cent is not None else ""
        found.append(("syncing", f"{array.sync_action or 'reshape'}{done}"))
    return found


def _of_backing(backing: Backing) -> list[tuple[str, str]]:
    if not backing.cache_set:
        return []
    if not backing.attached:
        return [("no cache", f"its cache set {backing.cache_set} does not work for it")]
    return [("dirty", f"{backing.dirty_data} only in the cache")] if backing.state == "dirty" else []
