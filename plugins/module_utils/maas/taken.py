# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that comes from elsewhere, in the words that MAAS takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ..core.errors import StorageError
from ..document.raid import plain_uuid
from .document import WORDS


def taken(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document, such as one that was gathered on a host, in the words that MAAS takes.

    Raises StorageError for what an item would not be the same without.
    """
    return {
        section: [_taken(WORDS[section], item, _place(section, item)) for item in items]
        for section, items in document.items()
        if section in WORDS and items is not None
    }


def _is_random(uuid: str) -> bool:
    """Whether it is a UUID of version 4, the only one that MAAS takes."""
    return UUID(uuid).version == 4


def _taken(words: Mapping[str, Any], item: Mapping[str, Any], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in ("subvolumes", "bind_mounts"):
        if item.get(word):
            raise StorageError(f"{place} has {word}, and MAAS mounts a filesystem once")
    for word, value in item.items():
        if word not in words or value is None or (word == "uuid" and not _is_random(plain_uuid(value))):
            continue
        choices = words[word].get("choices")
        if choices and value not in choices:
            raise StorageError(f"{place}: {word} is {value}, and MAAS has only {', '.join(choices)}")
        inner = words[word].get("options")
        found[word] = [_taken(inner, each, f"{place}/{each['name']}") for each in value] if inner else value
    if "backing_device" in found and not found.get("cache_device"):
        raise StorageError(f"{place} has no cache, and MAAS has no bcache without one")
    return found


def _place(section: str, item: Mapping[str, Any]) -> str:
    return f"{section}: {item.get('name') or item.get('device')}"
