# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text on its way to a user: that of others, such as labels, words that nobody knows, and times."""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    """Text of others in one line, where nothing moves a terminal's cursor or turns the direction of what follows."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that one is most like; empty where it is like none."""
    import difflib

    by_lower = {other.lower(): other for other in known}
    return next((by_lower[near] for near in difflib.get_close_matches(word.lower(), list(by_lower), 1)), "")


def meant(word: str, known: Iterable[str]) -> str:
    """A question after an error about an unknown word; empty where no known one is like it."""
    near = nearest(word, known)
    return f". Did you mean {near}?" if near else ""


def duration(seconds: int) -> str:
    """In whole minutes, rounded up."""
    minutes = -(-seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
