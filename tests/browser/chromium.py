# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium without a window, driven by its DevTools protocol over a pipe: no port, and no library."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

#: Seconds for an answer, or an event.
_PATIENCE = 60
_FLAGS = (
    *("--headless", "--no-sandbox", "--no-first-run"),
    *("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
)


class Browser:
    """A browser with a profile of its own in the directory ``profile``."""

    def __init__(self, profile: Path) -> None:
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        command = ["chromium", *_FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        # It takes commands from descriptor 3, and answers on 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._read = b""
        self._asked = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._in)
        os.close(self._out)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """What a command of the protocol returns."""
        self._asked += 1
        asked = {"id": self._asked, "method": method, "params": parameters}
        message = json.dumps({**asked, "sessionId": session} if session else asked).encode() + b"\0"
        while message:
            message = message[os.write(self._in, message) :]
        limit = time.monotonic() + _PATIENCE
        while True:
            answer = self._next(limit)
            if answer.get("id") == self._asked:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait(self, method: str, session: str) -> dict[str, Any]:
        """The first event of that kind."""
        limit = time.monotonic() + _PATIENCE
        while True:
            found = [one for one in self.events if one["method"] == method and one.get("sessionId") == session]
            if found:
                return found[0]
            self.events.append(self._next(limit))

    def _next(self, limit: float) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._out], [], [], max(limit - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            read = os.read(self._out, 1 << 20)
            assert read, "Chromium is gone"
            self._read += read
        message, self._read = self._read.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, page: Path, dark: bool = False, script: bool = True, media: str = "") -> Page:
        """A page from a file, loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        opened = Page(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            opened.ask(f"{domain}.enable")
        opened.show(dark, media)
        opened.ask("Emulation.setScriptExecutionDisabled", value=not script)
        opened.ask("Page.navigate", url=page.as_uri())
        self.wait("Page.loadEventFired", opened.session)
        return opened


class Page:
    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self.session = session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, self.session, **parameters)

    def show(self, dark: bool = False, media: str = "") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; of a promise, what it comes to."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, shift: bool = False) -> None:
        code = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            self.ask("Input.dispatchKeyEvent", type=kind, **pressed, **(text if kind == "keyDown" else {}))

    def type(self, text: str) -> None:
        self.ask("Input.insertText", text=text)

    def picture(self, width: int, height: int) -> bytes:
        import base64

        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """What it wrote to the console, exceptions, and what its policy stopped."""
        kinds = (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        )
        return [one for one in self._of() if one["method"] in kinds]

    @property
    def requests(self) -> list[str]:
        return [one["params"]["request"]["url"] for one in self._of() if one["method"] == "Network.requestWillBeSent"]

    def _of(self) -> list[dict[str, Any]]:
        return [one for one in self._browser.events if one.get("sessionId") == self.session]
