# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power goes at the writes of an operation, also in the midst of its steps: in user mode, which records them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator

from tests.integration.modules import ModuleFailed
from tests.lab import CommandError, LabError
from tests.lab.image import copy
from tests.lab.write_log import Recorder, replay

from .interrupt import RUN, Crash

_CUT = "cut"
_BEFORE = "before-operation"
_MARK = "/run/lab-disks/mark"


class Recorded:
    """An operation from its first write to its last, on disks as they were before."""

    def __init__(self, crash: Crash) -> None:
        """Do the operation once, from its beginning to its end, with all of its waits."""
        self.crash = crash
        self._lab = crash.node.lab
        recorder = Recorder(self._lab.directory)
        self._lab.reset(_BEFORE, recorder)
        given = json.dumps([crash.module, crash.item, 1000, _MARK])
        crash.node.guest.run(RUN, input=given, timeout=300)
        self._lab.power_cut(boot=False)
        self.entries = recorder.wait()
        self.begin = next(place for place, entry in enumerate(self.entries) if entry.kind == "mark")
        self._at = 0

    @property
    def writes(self) -> int:
        return sum(entry.kind in ("write", "punch") for entry in self.entries[self.begin :])

    def flushes(self) -> list[int]:
        """After how many entries a flush is done that the system asked for, and something was written before it.

        A disk flushes after each write, whatever it is asked for: one that comes after that was asked for.
        """
        found, changed = [], False
        last: dict[str, str] = {}
        for place, entry in enumerate(self.entries):
            changed = changed or (entry.kind in ("write", "punch") and place >= self.begin)
            asked = entry.kind == "flush" and (last.get(entry.file) == "flush" or entry.file.startswith("root"))
            if asked and changed:
                found.append(place + 1)
                changed = False
            last[entry.file] = entry.kind
        return found

    def places(self, flushes: int, others: int, seed: int, last: int = 0) -> list[int]:
        """So many of the flushes, and of each action so many of its other writes, chosen by chance; and the end.

        Of each action, for one of them may write a hundred times as much as all others. ``last``: so many of the last
        writes to disks as well, where the superblocks of members are told something one after the other.
        """
        chance = random.Random(f"{self.crash.operation.name} {seed}")
        boundaries = self.flushes()
        known = {*boundaries, len(self.entries)}
        between: list[list[int]] = []
        for place, entry in enumerate(self.entries[self.begin :], self.begin + 1):
            if entry.kind == "mark":
                between.append([])
            elif entry.kind in ("write", "punch") and place not in known:
                between[-1].append(place)
        chosen = chance.sample(boundaries, min(flushes, len(boundaries)))
        for written in between:
            chosen += chance.sample(written, min(others, len(written)))
        disks = [place for written in between for place in written if self.entries[place - 1].file.startswith("disks/")]
        chosen += disks[-last:] if last else []
        return sorted({*chosen, len(self.entries)})

    def failures(self, places: list[int]) -> Iterator[str]:
        """Cut the power after so many entries, for each of the places; say where going on failed, and how."""
        for place in places:
            self._lay_out(place)
            try:
                self._lab.reset(_CUT)
                self.crash.go_on()
            except (AssertionError, CommandError, LabError, ModuleFailed) as error:
                said = " ".join(f"{type(error).__name__}: {error}".replace("|", "/").split())
                yield f"after {self.where(place)}: {said[:400]}"

    def where(self, place: int) -> str:
        """Say which write that is, and of what."""
        written = sum(entry.kind in ("write", "punch") for entry in self.entries[self.begin : place])
        marks = [entry.data.decode() for entry in self.entries[:place] if entry.kind == "mark"]
        last = next((entry for entry in reversed(self.entries[:place]) if entry.kind in ("write", "punch")), None)
        of = f" ({last.length} bytes at {last.offset} of {last.file})" if last else ""
        return f"write {written} of {self.writes}{of}, in «{marks[-1].strip()}»"

    def _lay_out(self, place: int) -> None:
        """Have the disks as they were after so many entries."""
        saved = self._lab.directory / "saved"
        if place < self._at or not self._at:
            shutil.rmtree(saved / _CUT, ignore_errors=True)
            copy(saved / _BEFORE, saved / _CUT)
            self._at = 0
        replay(self.entries[self._at : place], saved / _CUT)
        self._at = place
