# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of others, such as labels, on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line, in which nothing moves a terminal's cursor or turns the direction of what follows."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
