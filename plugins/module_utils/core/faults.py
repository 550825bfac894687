# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of items that do not depend on each other, told all at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple, NoReturn, TypeVar

from .errors import Refused, StorageError
from .text import printable

Parsed = TypeVar("Parsed")


class Fault(NamedTuple):
    """A sentence, and the item that it is about: ``raids[0] md0``, empty for none."""

    place: str
    text: str

    @property
    def name(self) -> str:
        """The last word of the place."""
        return self.place.rpartition(" ")[2]

    @property
    def line(self) -> str:
        """One line, which names the item once."""
        if not self.place:
            return printable(self.text)
        again = re.match(rf"(?:drive \S+: )?[A-Za-z]+(?: on)? {re.escape(self.name)}: ", self.text)
        return printable(f"{self.place}: {self.text[again.end() if again else 0 :]}")


class SeveralFaults(StorageError):
    """More than one, a line for each."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join((f"{len(faults)} errors:", *(fault.line for fault in faults))))
        self.faults = faults


class SeveralRefused(SeveralFaults, Refused):
    """The same where each is one that refuses."""


class Faults:
    """Gathers errors, so that those of other items are found as well."""

    def __init__(self) -> None:
        self._found: list[tuple[Fault, StorageError]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @contextmanager
    def of(self, place: str = "") -> Iterator[None]:
        """What is raised within is an error of that place."""
        try:
            yield
        except StorageError as error:
            self.add(error, place)

    def add(self, error: StorageError, place: str = "") -> None:
        inner = error.faults if isinstance(error, SeveralFaults) else (Fault(error.place, str(error)),)
        for fault in inner:
            places = ": ".join(filter(None, (place, fault.place)))
            self._found.append((Fault(places, fault.text), error))

    def check(self) -> None:
        """Raises what was found, if anything was."""
        if self._found:
            self._raise()

    def _raise(self) -> NoReturn:
        faults = tuple(fault for fault, _error in self._found)
        if len(faults) > 1:
            refused = all(isinstance(error, Refused) for _fault, error in self._found)
            raise (SeveralRefused if refused else SeveralFaults)(faults)
        ((fault, error),) = self._found
        # Most sentences name their item by themselves.
        if not fault.place or re.search(rf"(?<!\w){re.escape(fault.name)}(?!\w)", fault.text):
            error.place = fault.place
            raise error
        raise (Refused if isinstance(error, Refused) else StorageError)(fault.line) from None


def place_of(section: str, index: int, item: Any) -> str:
    """Where an item is in a document, and its name if it has one: ``raids[0] md0``."""
    known = item if isinstance(item, Mapping) else {}
    name = next((known[word] for word in ("name", "device", "cache_device") if known.get(word)), "")
    return printable(f"{section}[{index}] {name}".rstrip())


def parse_each(
    faults: Faults, section: str, items: Iterable[Any], parse: Callable[[Mapping[str, Any]], Parsed]
) -> tuple[Parsed, ...]:
    """The items that can be, without those whose faults were told already (None)."""
    parsed = []
    for index, item in enumerate(items):
        if item is not None:
            with faults.of(place_of(section, index, item)):
                parsed.append(parse(item))
    return tuple(parsed)
