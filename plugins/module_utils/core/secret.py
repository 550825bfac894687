# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that only a program, or a library, sees: plans, errors and digests hold a placeholder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

#: Bytes that are taken. A key of a LUKS container may have up to 8 MiB, a passphrase has 512.
MOST = 4096


class Secret:
    """A passphrase, or a key. ``str`` and ``repr`` give ``<secret:NAME>``, or ``<secret>`` without a name.

    No tuple, so that no resolving of placeholders looks into it.
    """

    __slots__ = ("name", "value")

    def __init__(self, value: str, name: str = "") -> None:
        self.value = value
        self.name = name

    def __repr__(self) -> str:
        return f"<secret:{self.name}>" if self.name else "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def mask(values: Iterable[str]) -> None:
    """Have Ansible print a placeholder for these values, which results keep.

    ansible-core before 2.22 cannot do that: there, ``no_log_values`` of a module takes values out of its result.
    """
    with contextlib.suppress(ImportError):
        from ansible.module_utils.secrets import register_secrets  # type: ignore[import-not-found]

        register_secrets([value for value in values if value])
