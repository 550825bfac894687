# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on a socket: requests and answers are held to the schemas of the OpenAPI document."""

from __future__ import annotations

import functools
import json
import re
import socket
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from tests.simulators.loopback import Handler, Loopback

from .model import CALLS, ApiError, Region, shipped

KEY = "ACCESSKEYOFTHETESTS0"
_API = "/api/v1/"


@functools.cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(_plain({"$ref": f"#/components/schemas/{name}"}))


def _plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: references put in, ``nullable`` as a type."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(shipped("outscale.yaml")["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    plain = {key: _plain(value) for key, value in schema.items() if key not in ("example", "nullable")}
    if schema.get("nullable"):
        plain["type"] = [schema["type"], "null"]
    return plain


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests of a call.

    ``what``: cut-before and cut-after (no answer comes, and the region acted or did not), throttled (429), unavailable
    (503), error (500), page (HTML with 200), slow (``value`` seconds).
    """

    what: str
    call: str = ".*"
    times: int = 1
    value: float = 2.0


class Server(Loopback):
    """Serves a region until it is closed. ``log`` are the calls that arrived, each with its words."""

    def __init__(self, region: Region | None = None) -> None:
        self.region = region or Region()
        self.faults: list[Fault] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        #: What went wrong in the simulator itself, such as an answer that the schema does not permit.
        self.broken: list[str] = []
        self.lock = threading.Lock()
        super().__init__(_Handler)
        self.endpoint = self.origin + _API.rstrip("/")

    def fault(self, call: str) -> str | Fault:
        found = next((one for one in self.faults if one.times > 0 and re.fullmatch(one.call, call)), None)
        if found is None:
            return ""
        found.times -= 1
        return found

    def calls(self, *names: str) -> list[str]:
        """The names of the calls that change something, or of those."""
        return [call for call, _words in self.log if (call in names if names else not call.startswith("Read"))]

    def answer(self, call: str, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        context = {"ResponseContext": {"RequestId": f"request-{len(self.log)}"}}
        try:
            if f"Credential={KEY}/" not in authorization:
                raise ApiError(1, "AccessDenied")
            assert call in CALLS, f"the simulator lacks {call}"
            words = json.loads(body)
            wrong = next(iter(validator(f"{call}Request").iter_errors(words)), None)
            if wrong:
                raise ApiError(4045, wrong.message)
            self.log.append((call, words))
            self.region.settle()
            said = {**getattr(self.region, call)(words), **context}
        except ApiError as error:
            said = {**error.body, **context}
            validator("ErrorResponse").validate(said)
            return error.status, said
        validator(f"{call}Response").validate(said)
        return 200, said


class _Handler(Handler):
    owner: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self.path.removeprefix(_API)
        with self.owner.lock:
            fault = self.owner.fault(call)
        what = fault.what if isinstance(fault, Fault) else ""
        if what == "cut-before":
            return self._cut()
        if isinstance(fault, Fault) and what == "slow":
            time.sleep(fault.value)
        if what in ("throttled", "unavailable", "error"):
            return self._send({"throttled": 429, "unavailable": 503, "error": 500}[what], b"", "text/plain")
        if what == "page":
            return self._send(200, b"<html></html>", "text/html")
        with self.owner.lock:
            try:
                status, said = self.owner.answer(call, self.headers.get("Authorization", ""), body)
            except Exception:
                self.owner.broken.append(traceback.format_exc())
                raise
        return self._cut() if what == "cut-after" else self._send(status, json.dumps(said).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
