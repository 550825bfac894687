# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a region takes: the forms behind its API, with their words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .parts import ApiError, BlockDevice, CacheSet, Holder

CHOICE = "Select a valid choice. {} is not one of the available choices."
REQUIRED = "This field is required."
_SIZE = re.compile(r"(\d+)([KMGTPE]?)")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
LEAST_SIZE = 4 << 20


class Form:
    """The fields of a request; what is wrong with them is gathered, and told by ``check``."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self.fields = fields
        self.errors: dict[str, list[str]] = {}

    def add(self, field: str, error: str) -> None:
        self.errors.setdefault(field, []).append(error)

    def check(self) -> None:
        if self.errors:
            raise ApiError(400, self.errors)

    def text(self, field: str, required: bool = False) -> str:
        value = self.fields.get(field, [""])[-1]
        if required and not value:
            self.add(field, REQUIRED)
        if len(value) > 255:
            self.add(field, f"Ensure this value has at most 255 characters (it has {len(value)}).")
        return value

    def new_name(self, field: str = "name") -> str:
        """A name that the region misses only once all else is right."""
        value = self.text(field)
        self.check()
        if not value:
            raise ApiError(400, {field: ["This field cannot be blank."]})
        return value

    def uuid(self) -> str:
        value = self.text("uuid")
        if value and len(value) < 32:
            self.add("uuid", f"Ensure this value has at least 32 characters (it has {len(value)}).")
        if value and not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", value):
            self.add("uuid", "Enter a valid value.")
        return value

    def choice(self, field: str, choices: Iterable[str], required: bool = True) -> str:
        value = self.text(field, required)
        if value and value not in choices:
            self.add(field, CHOICE.format(value))
        return value

    def size(self, field: str, least: int = LEAST_SIZE, most: int | None = None) -> int | None:
        value = self.text(field)
        if not value:
            return None
        match = _SIZE.fullmatch(value)
        if not match:
            self.add(field, "Enter a valid value.")
            return None
        number = int(match.group(1)) * int(1000 ** _POWERS[match.group(2)])
        if number < least:
            self.add(field, f"Ensure this value is greater than or equal to {least}.")
        if most is not None and number > most:
            self.add(field, f"Ensure this value is less than or equal to {most}.")
        return number

    def flag(self, field: str) -> bool:
        return self.text(field).lower() in ("true", "1", "on", "yes")

    def holders(self, field: str, available: Iterable[Holder]) -> list[Holder]:
        """Each once, in the order of the region; the first that is not among them is an error."""
        by_name = {name: one for one in available for name in (str(one.id), _name(one))}
        for text in self.fields.get(field, []):
            if text not in by_name:
                self.add(field, CHOICE.format(text))
                return []
        chosen = [by_name[text] for text in self.fields.get(field, [])]
        return sorted(dict.fromkeys(chosen), key=lambda one: one.id)

    def cache_set(self, cache_sets: list[CacheSet], required: bool) -> CacheSet | None:
        value = self.text("cache_set", required)
        found = next((one for one in cache_sets if value in (str(one.id), one.name)), None)
        if value and found is None:
            self.add("cache_set", CHOICE.format(value))
        return found


def _name(one: Holder) -> str:
    return one.name if isinstance(one, BlockDevice) else str(getattr(one, "name", ""))


def fields_of(body: Any) -> dict[str, list[str]]:
    """A JSON object as the fields of a form."""
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON")
    return {
        key: [str(each) for each in value] if isinstance(value, list) else [_plain(value)]
        for key, value in body.items()
        if value is not None
    }


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
