# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with bcaches and their caches, or on its way."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.plan_text import counted
from ...document.sizes import show_size
from ..findings import CRITICAL, NOTICE, WARNING, Finding
from ..host import Host
from .state import Backing, CacheSet, dirty_bytes


def health(host: Host) -> Iterator[Finding]:
    for backing in host.backings:
        yield from of_backing(backing)
    yield from of_copies(host.backings)
    for cache_set in host.cache_sets:
        yield from of_cache_set(cache_set)


def of_backing(backing: Backing) -> Iterator[Finding]:
    def found(severity: str, *rest: str) -> Finding:
        return Finding(severity, backing.bcache or backing.device, backing.name, *rest)

    if backing.disabled:
        meaning = "Nothing can be read from it or written to it."
        remedy = f"Look at {backing.device}, which failed: the kernel's log, its cable and its controller."
        yield found(CRITICAL, "disabled", "the kernel gave it up after errors", meaning, remedy)
    elif backing.errors:
        meaning = "At its limit of errors the kernel gives it up. It also counts discards that the device cannot do."
        remedy = "Look at the kernel's log for what failed."
        yield found(
            NOTICE, "errors", f"{counted(backing.errors, 'request')} to {backing.device} failed", meaning, remedy
        )
    if backing.cache_set and not backing.attached:
        only = backing.state == "dirty"
        meaning = "What was not written back is only there." if only else f"{backing.device} holds all the data."
        remedy = "Bring its cache device back" + ("." if only else ", or say another cache_device, or '' for none.")
        detail = f"its cache set {backing.cache_set} does not work for it"
        yield found(CRITICAL if only else WARNING, "no cache", detail, meaning, remedy)
    elif backing.cache_set and backing.state == "dirty":
        size = dirty_bytes(backing.dirty_data)
        yield found(
            NOTICE, "dirty", f"{show_size(size) if size else 'data'} only in the cache", "It is written back by itself."
        )


def of_copies(backings: tuple[Backing, ...]) -> Iterator[Finding]:
    """Backing devices that are here twice."""
    for backing in backings:
        others = [other.device for other in backings if other.uuid == backing.uuid and other.device != backing.device]
        if others and backing.uuid and (backing.bcache or not any(other.bcache for other in backings)):
            detail = f"{backing.device} is here twice: {' and '.join(others)} has the same UUID, {backing.uuid}"
            meaning = "A boot takes either of them, and nothing says which is newer."
            remedy = "Find out which one is wanted, and disconnect the other."
            yield Finding(WARNING, backing.bcache or backing.device, backing.name, "twice", detail, meaning, remedy)


def of_cache_set(cache_set: CacheSet) -> Iterator[Finding]:
    remedy = f"Look at {cache_set.device}; a task with another cache_device moves what it serves."

    def found(severity: str, problem: str, detail: str, meaning: str) -> Finding:
        return Finding(severity, cache_set.device, cache_set.device, problem, detail, meaning, remedy)

    if cache_set.disabled:
        meaning = "What was not written back is only there, and what it serves may have stopped."
        yield found(CRITICAL, "disabled", "the kernel gave up the cache set after errors", meaning)
    elif cache_set.errors:
        meaning = "At its limit of errors the kernel gives it up."
        yield found(WARNING, "errors", f"{counted(cache_set.errors, 'request')} to the cache failed", meaning)
