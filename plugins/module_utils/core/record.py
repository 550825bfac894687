# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of intent: the steps that were begun and have not ended, so that half-made things are known after a crash.

It is a directory with a small file for each of them, which an operator can read and remove.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from .files import read_file, replace_file
from .plan import Intent

_SUFFIX = ".json"


class Record(NamedTuple):
    """A step that was begun: the file that says so, its sentence, and its intent."""

    file: str
    step: str
    intent: Intent


def put_on_record(directory: str, step: str, intent: Intent) -> None:
    """Record the intent of a step, in the place of any other for the same thing. It is on the disk on return."""
    path = _path(directory, intent)
    known = _read(path)
    # The next step of the same intent has nothing to add.
    if known is None or known.intent != intent._replace(last=True, replaces=""):
        words = {"step": step, "thing": intent.thing, "uuid": intent.uuid, "devices": intent.devices}
        replace_file(path, read_file(path), json.dumps(words, indent=2) + "\n")
    if intent.replaces:
        take_off_record(directory, intent._replace(thing=intent.replaces))


def take_off_record(directory: str, intent: Intent) -> None:
    """Forget what is on record for the thing of an intent. It is gone from the disk on return."""
    path = _path(directory, intent)
    known = read_file(path)
    if known is not None:
        replace_file(path, known, None)


def read_records(directory: str) -> tuple[Record, ...]:
    """All records, in the order of their files. One that cannot be understood has an intent without a thing."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return ()
    paths = [f"{directory}/{name}" for name in names if name.endswith(_SUFFIX)]
    return tuple(_read(path) or Record(path, "", Intent("", "", ())) for path in paths)


def _read(path: str) -> Record | None:
    try:
        words = json.loads(read_file(path) or "")
        devices = tuple((str(where), str(identity)) for where, identity in words["devices"])
        return Record(path, str(words["step"]), Intent(str(words["thing"]), str(words["uuid"]), devices))
    except (ValueError, TypeError, KeyError):
        return None


def _path(directory: str, intent: Intent) -> str:
    """The file of a thing: percent-encoded, since a name may hold a slash, and two things never share a file."""
    encoded = (
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else f"%{ord(letter):x}"
        for letter in intent.thing.replace(" ", "-")
    )
    return f"{directory}/{''.join(encoded)}{_SUFFIX}"
