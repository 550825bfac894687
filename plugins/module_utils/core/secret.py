# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that only a program sees: plans, errors and digests hold a placeholder."""

from __future__ import annotations

#: Bytes that a pipe takes without a reader. A key of a LUKS container may have up to 8 MiB, a passphrase has 512.
MOST = 4096


class Secret:
    """A passphrase. ``str`` and ``repr`` give ``<secret:NAME>``, ``reveal`` the value.

    No tuple, so that no resolving of placeholders looks into it.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> bytes:
        return self._value.encode()

    def __str__(self) -> str:
        return f"<secret:{self.name}>"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
