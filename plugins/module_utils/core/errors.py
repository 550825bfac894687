# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planner or the executor says instead of going on."""

from __future__ import annotations

from typing import Any

from .plan import Step
from .text import printable


class StorageError(Exception):
    """One clear sentence for the user: the device, what was expected, what was found, what to do.

    ``place`` is where the item is in the document that it is about, if that is known: ``raids[0] md0``.
    """

    place = ""


class NoDevice(StorageError):
    """``reference`` means no device that is there."""

    def __init__(self, message: str, reference: str) -> None:
        super().__init__(message)
        self.reference = reference


class Refused(StorageError):
    """The plan would destroy data, or break what is in use, without permission."""


class Declined(StorageError):
    """Whoever was asked to do an action refused it, and did nothing."""


class Outdated(StorageError):
    """An action cannot be done as things are, did nothing, and the next read shows why: the runner plans anew."""


class Unread(Exception):
    """A pure planner needs something that the state does not hold yet; the runner reads it and plans again.

    ``what`` names a part of the state (``contents``, ``lvm``), ``names`` which of it (device paths, for the most part).
    """

    def __init__(self, what: str, names: tuple[Any, ...] = ()) -> None:
        super().__init__(f"{what} {' '.join(map(str, names))}".strip())
        self.what = what
        self.names = names


class StepFailed(StorageError):
    """A step did not work. ``done`` are the steps before it, which did; ``changed``: it or they left a trace."""

    def __init__(self, message: str, done: tuple[Step, ...], changed: bool) -> None:
        super().__init__(message)
        self.done = done
        self.changed = changed


def sentence(error: Exception) -> str:
    """An error as a user reads it; one that nobody expected is called that, with the place that raised it."""
    return "\n".join(map(printable, _sentence(error).split("\n")))


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    if isinstance(error, (StorageError, OSError)):
        return str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename.rpartition('/')[2]}, line {place.tb_lineno}" if place else "unknown"
    return f"unexpected {type(error).__name__} ({where}): {error}. This is an error of the module; please report it"
