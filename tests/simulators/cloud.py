# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cloud's socket, and what goes wrong on it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.simulators.loopback import Handler, Loopback

_STATUS = {"unavailable": 503, "error": 500}


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests of a call.

    ``what``: cut-before and cut-after (no answer comes, and the cloud acted or did not), throttled (as it says so),
    unavailable (503), error (500), expired (the credentials are no longer valid), page (HTML with 200), slow (``value``
    seconds).
    """

    what: str
    call: str = ".*"
    times: int = 1
    value: float = 2.0


@dataclass
class Weather:
    """What takes time takes ``delay`` seconds. ``lag``: for how long a new volume or tag is not seen.

    ``page``: the most volumes in an answer. ``stuck`` are transitions that never end: creating, attaching, detaching,
    deleting, updating, saving (a snapshot). ``broken``: IDs of volumes that get into state error.
    """

    delay: float = 0.05
    lag: float = 0.0
    page: int = 1000
    stuck: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


class Seen(NamedTuple):
    """A volume as a test sees it, past the API. ``size`` in GiB; ``device`` is its name at the machine."""

    id: str
    size: int
    type: str
    iops: int
    throughput: int
    tags: dict[str, str]
    machine: str
    device: str


class Saved(NamedTuple):
    """A snapshot as a test sees it, past the API."""

    volume: str
    tags: dict[str, str]


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Cloud(Loopback):
    """Serves until it is closed. ``log`` are the calls that arrived."""

    throttled = Answer(429, b"", "text/plain")
    expired = Answer(401, b"", "text/plain")

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.faults: list[Fault] = []
        self.log: list[str] = []
        #: What went wrong in the simulator itself, such as an answer that the schema does not permit.
        self.broken: list[str] = []
        self.lock = threading.Lock()
        super().__init__(_Handler)

    def call(self, request: Request) -> str:
        """What a request asks for, in one word."""
        raise NotImplementedError

    def reads(self, call: str) -> bool:
        """Whether a call changes nothing."""
        raise NotImplementedError

    def answer(self, call: str, request: Request) -> Answer:
        raise NotImplementedError

    def volumes(self) -> list[Seen]:
        """All volumes that are data, the oldest first."""
        raise NotImplementedError

    def snapshots(self) -> list[Saved]:
        """All snapshots of volumes that were made, the oldest first."""
        raise NotImplementedError

    def add(self, size: int, tags: dict[str, str]) -> str:
        """A volume of that many GiB that is there already. Returns its ID."""
        raise NotImplementedError

    def fault(self, call: str) -> Fault | None:
        found = next((one for one in self.faults if one.times > 0 and re.fullmatch(one.call, call)), None)
        if found:
            found.times -= 1
        return found

    def calls(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.log if not self.reads(call)]


class _Handler(Handler):
    owner: Cloud

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, {key.lower(): value for key, value in self.headers.items()}, body)
        call = self.owner.call(request)
        with self.owner.lock:
            fault = self.owner.fault(call)
        what = fault.what if fault else ""
        if what == "cut-before":
            return self._cut()
        if fault and what == "slow":
            time.sleep(fault.value)
        if what == "throttled":
            return self._send(self.owner.throttled)
        if what == "expired":
            return self._send(self.owner.expired)
        if what in _STATUS:
            return self._send(Answer(_STATUS[what], b"", "text/plain"))
        if what == "page":
            return self._send(Answer(200, b"<html></html>", "text/html"))
        with self.owner.lock:
            try:
                answer = self.owner.answer(call, request)
            except Exception:
                self.owner.broken.append(traceback.format_exc())
                raise
        return self._cut() if what == "cut-after" else self._send(answer)

    do_GET = do_PUT = do_DELETE = do_POST

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        # Who has waited long enough is gone.
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(answer.body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
