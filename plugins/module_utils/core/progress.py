# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a task has come, in a small file that the controller reads meanwhile.

The controller names the file, by an environment variable. Without that nothing is written. A file that a killed
task leaves behind has a name that nobody asks for again.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import threading
import time
from typing import Any, Callable, NamedTuple

#: The path of the file, as a task that does not run as root uses it.
VARIABLE = "STRATA_STORAGE_PROGRESS"
#: Where root has it, under the same name.
DIRECTORY = "/run/strata-storage/progress"
#: A thing is measured once in so many seconds.
_PAUSE = 1.0


class Progress(NamedTuple):
    """How far a thing has come. ``speed`` is in bytes per second; None is what nobody knows."""

    what: str
    percent: float | None = None
    speed: int | None = None
    eta_seconds: int | None = None


class Reporter:
    """Writes one file, in place of what it was: the step, and how far it has come."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._step: dict[str, int] = {}
        self._measured: float | None = None
        #: When a thing was first heard of, and how far it was then.
        self._began: dict[str, tuple[float, float]] = {}

    def begin(self, what: str, step: int = 0, steps: int = 0) -> None:
        """Say what is done now: the ``step``-th of ``steps``, or nothing that the plan counts (0)."""
        with self._lock:
            self._step = {"step": step, "steps": steps} if step else {}
            self._measured = None
            self._write(Progress(what))

    def tell(self, measure: Callable[[], Progress]) -> None:
        """Say how far it has come, unless that was said a moment ago."""
        with self._lock:
            now = self._clock()
            if not self._path or (self._measured is not None and now - self._measured < _PAUSE):
                return
            self._measured = now
            self._write(self._estimated(measure(), now))

    def _estimated(self, told: Progress, now: float) -> Progress:
        """With the time that is left at the pace so far, where nothing else tells it."""
        if told.percent is None or told.eta_seconds is not None:
            return told
        since, before = self._began.setdefault(told.what, (now, told.percent))
        gained = told.percent - before
        if gained <= 0:
            return told
        return told._replace(eta_seconds=round((now - since) * (100 - told.percent) / gained))

    def _write(self, told: Progress) -> None:
        """Where nothing can be written, nothing is shown, and the task goes on."""
        if not self._path:
            return
        content: dict[str, Any] = {**self._step, **told._asdict()}
        fresh = f"{self._path}.new"
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.replace(fresh, self._path)
        except OSError:
            self._path = ""

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._path)


@functools.cache
def reporter() -> Reporter:
    """What this process reports by. Its file goes with the process."""
    given = os.environ.get(VARIABLE, "")
    if given and os.geteuid() == 0:
        given = f"{DIRECTORY}/{os.path.basename(given)}"
    found = Reporter(os.path.expanduser(os.path.expandvars(given)))
    if given:
        atexit.register(found.remove)
    return found
