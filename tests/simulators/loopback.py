# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator's socket."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

This = TypeVar("This", bound="Loopback")


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1, without a log of its own: tests look at that of the server."""

    owner: Any
    """The server that it answers for."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_words: Any) -> None:
        """Nothing."""


class Loopback:
    """Serves on the loopback until it is closed. ``origin`` is its URL, without a path."""

    def __init__(self, handler: type[Handler], context: ssl.SSLContext | None = None) -> None:
        bound = type(handler.__name__, (handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), bound)
        self._http.daemon_threads = True
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self: This) -> This:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
