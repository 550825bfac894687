# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of crypttab: what a boot opens, under which name, and with which key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ...core.files import place_line
from ...document.luks import RANDOM

if TYPE_CHECKING:
    from ..host import Host

CRYPTTAB = "/etc/crypttab"
NO_KEY = ("", "none", "-")
_TAG = "UUID="
#: Paths that lead to the same device after a reboot, whatever it holds. The name of a partition another disk may have.
LASTING = (
    *(f"/dev/disk/{by}/" for by in ("by-id", "by-partuuid")),
    *("/dev/mapper/", "/dev/md/", "/dev/bcache/by-", "/dev/rbd/"),
)


class Line(NamedTuple):
    """A container of crypttab. ``device`` is a path, or a tag (``UUID=…``)."""

    name: str
    device: str
    key: str = "none"
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, self.device, self.key or "none", ",".join(self.options) or "luks"))

    @property
    def key_file(self) -> str:
        """Its key file; empty where it has none, or the file is on another device (``FILE:DEVICE``)."""
        return "" if self.key in NO_KEY or not self.key.startswith("/") or ":" in self.key else self.key

    @property
    def uuid(self) -> str:
        """That of the container, where the line says it; udev's link to it says the same."""
        for start in (_TAG, "/dev/disk/by-uuid/"):
            if self.device.startswith(start):
                return self.device[len(start) :].lower()
        return ""

    @property
    def is_random(self) -> bool:
        """Whether each boot takes a new key, with which all that the device held before is lost."""
        return self.key in RANDOM

    def value(self, word: str) -> str:
        """That of an option such as ``cipher=…``; empty where there is none."""
        return next((one.partition("=")[2] for one in self.options if one.startswith(f"{word}=")), "")

    @property
    def is_opened(self) -> bool:
        """Whether a boot opens it."""
        return "noauto" not in self.options

    @property
    def is_required(self) -> bool:
        """Whether a boot waits for it, and ends in an emergency shell without it."""
        return not {"nofail", "noauto"}.intersection(self.options)


def moves(path: str) -> bool:
    """Whether a path of crypttab may lead to another device after a reboot: it is the kernel's name of one."""
    return path.startswith("/dev/") and path.count("/") == 2 and not re.match(r"/dev/md\d", path)


def of_container(name: str, uuid: str) -> Line:
    return Line(name, f"{_TAG}{uuid}", options=("luks", "nofail"))


def parse(text: str | None) -> list[tuple[str, Line | None]]:
    """The lines of the text with their ends, each with what it opens, if it opens anything."""
    return [(raw, _parse(raw)) for raw in (text or "").splitlines(keepends=True)]


def lines(text: str | None) -> list[Line]:
    return [line for _raw, line in parse(text) if line]


def _parse(raw: str) -> Line | None:
    fields = raw.split()
    if len(fields) < 2 or fields[0].startswith("#"):
        return None
    key, options = (*fields[2:4], *("none", "")[len(fields[2:4]) :])
    return Line(fields[0], fields[1].replace('"', ""), key, tuple(word for word in options.split(",") if word))


def with_option(options: Iterable[str], word: str, wanted: bool | None) -> tuple[str, ...]:
    """The options with that one, or without; None: as they are."""
    kept = tuple(options)
    if wanted is None or wanted == (word in kept):
        return kept
    return (*kept, word) if wanted else tuple(one for one in kept if one != word)


def replaced(text: str | None, name: str, line: Line | None) -> str:
    """The text with that line for a name, in the place of the one that it has; None: with none."""
    known = [(raw, found is not None and found.name == name, found == line) for raw, found in parse(text)]
    return place_line(known, str(line) if line else None)


def line_of(host: Host, name: str) -> Line | None:
    """What crypttab says of a name."""
    return next((line for line in lines(host.files.get(CRYPTTAB)) if line.name == name), None)
