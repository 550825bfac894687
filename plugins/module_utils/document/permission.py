# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``allow_destroy``: all that is in the way of an item, or what is on those devices and no others."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..core.errors import StorageError

#: Of a module of one item. A document has a list, of items and devices.
OPTION: dict[str, dict[str, Any]] = {"allow_destroy": {"type": "raw", "default": False}}


def parse(given: Any) -> tuple[bool, tuple[str, ...]]:
    """Whether all may go, and the names of devices (or items) of which that is said. Raises StorageError."""
    if given is None or given == "":
        return False, ()
    if not isinstance(given, list):
        try:
            return boolean(given), ()
        except TypeError:
            if not isinstance(given, str):
                raise StorageError(
                    f"allow_destroy: {given!r} is neither true or false, nor a list of devices"
                ) from None
    names = given.split(",") if isinstance(given, str) else given
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong:
        raise StorageError(f"allow_destroy: {wrong[0]!r} is not the name of a device")
    # What a list of texts makes of false.
    return False, tuple(name.strip() for name in names) if names != ["False"] else ()


def no_item(name: str, what: str) -> str:
    """What to say of a name in a document's ``allow_destroy`` that means nothing; ``what`` it is not.

    The nearest name is not proposed: it would be a proposal to destroy what that item holds.
    """
    if name == "True":
        return "allow_destroy: a document lists the items or devices that may lose what they hold, such as [md0]"
    return f"allow_destroy: {name} is {what}"
