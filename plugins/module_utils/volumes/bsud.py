# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of BSUd, in the words of the role ``elastic_drive``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ..core.errors import Refused, StorageError
from ..core.text import meant
from ..document.names import check_name

#: The name of the logical volume that BSUd makes.
VOLUME = "bsud"
_TARGETS = {"online": "online", "offline": "offline"}
_TYPES = ("standard", "gp2", "io1")
_IOPS_PER_GIB = 100
_FILE, _AUTHENTICATION = ("authentication", "drives"), ("access-key", "secret-key")


def _size(value: int) -> str:
    return f"{value}G"


def _share(value: int) -> str:
    return f"{value}%"


def _same(value: Any) -> Any:
    return value


#: Each number of a drive: the word of the policy, the largest value (0: none), and how it is written there.
_NUMBERS: dict[str, tuple[str, int, Callable[[int], Any]]] = {
    "disk-iops-per-gib": ("iops_per_gib", 0, _same),
    "max-total-size-gib": ("max_total_size", 0, _size),
    "initial-size-gib": ("initial_size", 0, _size),
    "max-bsu-count": ("max_volumes", 40, _same),
    "max-used-space-perc": ("grow_above", 100, _share),
    "min-used-space-perc": ("shrink_below", 100, _share),
    "disk-scale-factor-perc": ("scale_factor", 100, _share),
}
_WORDS = ("name", "target", "mount-path", "disk-type", *_NUMBERS)


def drives(config: Any) -> list[dict[str, Any]]:
    """The drives of a configuration: name, state, mount_point and policy. Credentials are not among them.

    Raises StorageError for a key or a value that BSUd does not have, and Refused for a drive that is to be deleted.
    """
    config = _mapping(config, "the configuration", _FILE)
    if config.get("authentication") is not None:
        _mapping(config["authentication"], "authentication", _AUTHENTICATION)
    items = config.get("drives")
    if not isinstance(items, list) or not items:
        raise StorageError("drives: there is none; give the configuration that BSUd ran with")
    found = [_drive(item, number) for number, item in enumerate(items, 1)]
    names = [drive["name"] for drive in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise StorageError(f"drives: {twice} is there twice, and a drive is known by its name; keep one of them")
    return found


def _drive(item: Any, number: int) -> dict[str, Any]:
    words = _mapping(item, f"drives: number {number}", _WORDS)
    if not isinstance(words.get("name"), str):
        raise StorageError(f"drives: number {number}: it has no name")
    name = check_name(words["name"], "drive", longest=127)
    where = f"drives: {name}"
    target = words.get("target") or "online"
    if target == "delete":
        raise Refused(
            f"{where}: target is delete, and a migration keeps all data. Nothing was done. Take the drive out of the "
            "configuration if it is to stay as it is"
        )
    path = words.get("mount-path")
    if not isinstance(path, str) or not os.path.isabs(path):
        raise StorageError(f"{where}: mount-path is {path!r}, and must be an absolute path")
    kind = _one_of(words.get("disk-type") or "gp2", _TYPES, f"{where}: disk-type")
    policy: dict[str, Any] = {"volume_type": kind}
    for key, (word, most, written) in _NUMBERS.items():
        value = words.get(key)
        if value is not None:
            policy[word] = written(_number(value, most, f"{where}: {key}"))
    # BSUd ignores it for other types, and has a default.
    policy.setdefault("iops_per_gib", _IOPS_PER_GIB)
    if kind != "io1":
        del policy["iops_per_gib"]
    return {
        "name": name,
        "state": _TARGETS[_one_of(target, (*_TARGETS, "delete"), f"{where}: target")],
        "mount_point": path,
        "policy": policy,
    }


def _mapping(value: Any, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise StorageError(f"{where}: it is no JSON object")
    for key in value:
        if key not in known:
            raise StorageError(f"{where}: BSUd has no key {key}{_meant(key, known)}")
    return value


def _one_of(value: Any, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        raise StorageError(f"{where} is {value!r}; it must be one of {', '.join(known)}{_meant(value, known)}")
    return str(value)


def _number(value: Any, most: int, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (most and value > most):
        raise StorageError(
            f"{where} is {value!r}; it must be a whole number" + (f" from 0 to {most}" if most else ", not less than 0")
        )
    return value


def _meant(key: Any, known: Iterable[str]) -> str:
    return meant(str(key), known) or f"; it has {', '.join(known)}"
