# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document: the same words for a host, a machine before it is deployed, and what an ``_info`` module returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import bcache, drive, raid


class Document(NamedTuple):
    """What is wanted of a host, from the lowest layer up."""

    raids: tuple[raid.Raid, ...] = ()
    bcaches: tuple[bcache.Bcache, ...] = ()
    drives: tuple[drive.Drive, ...] = ()


def _section(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": dict(options)}


#: The argument spec of the nested form.
OPTIONS: dict[str, dict[str, Any]] = {
    "raids": _section(raid.OPTIONS),
    "bcaches": _section(bcache.OPTIONS),
    "drives": _section(drive.NESTED_OPTIONS),
}


def parse(document: Mapping[str, Any]) -> Document:
    """A Document from its sections, each of which may be missing."""
    return Document(
        raids=tuple(raid.parse(item) for item in document.get("raids") or ()),
        bcaches=tuple(bcache.parse(item) for item in document.get("bcaches") or ()),
        drives=tuple(drive.parse(item) for item in document.get("drives") or ()),
    )
