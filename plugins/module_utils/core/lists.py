# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are written as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_lists(spec: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they came, with a list for each text that stands for one, also within items.

    Elements are separated by commas, and blanks around them are no part of them. Texts for lists of secrets stay as
    they are: a blank may be part of a passphrase.
    """
    known = {name: about for word, about in spec.items() for name in (word, *about.get("aliases", ()))}
    return {word: _with_list(known.get(word, {}), value) for word, value in given.items()}


def _with_list(about: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, str) and about.get("type") == "list" and not about.get("no_log"):
        return [element.strip() for element in value.split(",")]
    if "options" in about and isinstance(value, Mapping):
        return with_lists(about["options"], value)
    if "options" in about and isinstance(value, list):
        return [with_lists(about["options"], one) if isinstance(one, Mapping) else one for one in value]
    return value
