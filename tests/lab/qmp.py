# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QEMU's monitor, one short connection at a time (QEMU serves one client, and other processes want it too)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from qemu.qmp import EventListener, QMPClient, QMPError

from .errors import LabError

T = TypeVar("T")


class Qmp:
    """A connection to QEMU; every call raises LabError if QEMU refuses, is gone, or does not answer in time."""

    def __init__(self, socket_path: str, timeout: float = 120) -> None:
        """Connect within `timeout` seconds, which is also the default limit of each call."""
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._client = QMPClient("lab")
        # Registered now, so that no event between a command and the wait for its effect is lost.
        self._events = EventListener()
        self._client.register_listener(self._events)
        try:
            self._run(self._client.connect(socket_path), timeout, "connecting")
        except BaseException:
            self._loop.close()
            raise

    def __enter__(self) -> Qmp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._client.disconnect(), 5, "disconnecting")
        except LabError:
            pass  # QEMU may have been killed meanwhile
        finally:
            self._loop.close()

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, timeout: float | None = None) -> Any:
        """Run a QMP command and return its answer."""
        return self._run(self._client.execute(command, dict(arguments or {})), timeout, command)

    def monitor(self, line: str, timeout: float | None = None) -> str:
        """Run a command of the human monitor and return what it prints."""
        return str(self.execute("human-monitor-command", {"command-line": line}, timeout)).strip()

    def wait_event(self, name: str, data: Mapping[str, object], timeout: float) -> None:
        """Wait until an event of that name with at least these data has arrived since the connection began."""

        async def wait() -> None:
            async for event in self._events:
                seen = event.get("data") or {}
                if event["event"] == name and isinstance(seen, dict) and data.items() <= seen.items():
                    return

        self._run(wait(), timeout, f"waiting for {name}")

    def _run(self, coroutine: Awaitable[T], timeout: float | None, what: str) -> T:
        limit = self._timeout if timeout is None else timeout

        try:
            return self._loop.run_until_complete(asyncio.wait_for(coroutine, limit))
        except TimeoutError as error:
            raise LabError(f"QEMU's monitor: {what}: no answer in {limit:g} s") from error
        except (QMPError, OSError, EOFError) as error:
            raise LabError(f"QEMU's monitor: {what}: {error}") from error
