# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a backend, for those who only look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.errors import Unread
from .backend import BACKEND, DATABASE, Wanted
from .state import Stranger
from .volume import dump

if TYPE_CHECKING:
    from .library import Library, Option

SUBSETS = ("stats", "volumes", "manageable", "options", "drivers")
OPTIONS: dict[str, dict[str, Any]] = {
    **DATABASE,
    "backend": BACKEND,
    "gather": {"type": "list", "elements": "str", "choices": list(SUBSETS), "default": ["stats", "volumes"]},
    "refresh": {"type": "bool", "default": False},
}


def told(
    library: Library, want: Wanted, options: Mapping[str, Option], gather: list[str], refresh: bool
) -> dict[str, Any]:
    """What a backend is, and holds. The values of secret options are not told."""
    array = library.read()
    result: dict[str, Any] = {
        "pools": list(array.pools),
        "configuration": {
            name: None if options[name].secret else value for name, value in sorted(want.options.items())
        },
    }
    if "stats" in gather:
        result["stats"] = plain(library.stats(refresh))
    if "volumes" in gather:
        result["volumes"] = [dump(one) for one in array.volumes]
    if "manageable" in gather:
        array = library.read_more(library.read_more(array, Unread("strangers")), Unread("snapshots"))
        result["manageable"] = [_dump(one) for one in array.strangers or ()] if array.lists else None
        snapshots = [{**_dump(one), "volume": one.source or None} for one in array.strange_snapshots or ()]
        result["manageable_snapshots"] = snapshots if array.lists_snapshots else None
    if "options" in gather:
        result["options"] = [options[name].dump() for name in sorted(options)]
    return result


def plain(value: Any) -> Any:
    """What JSON can tell of a driver's figures."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _dump(stranger: Stranger) -> dict[str, Any]:
    return {
        "reference": dict(stranger.reference),
        "size": stranger.size,
        "obstacle": stranger.obstacle or None,
    }
