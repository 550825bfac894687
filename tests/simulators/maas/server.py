# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The region on a socket: OAuth, bodies, and what may go wrong on the way."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.simulators.loopback import Handler, Loopback

from . import api
from .forms import Form, fields_of
from .parts import ApiError
from .region import Region, User

_THRESHOLD = 300
_CROWD = 10
_OAUTH = re.compile(r'(oauth_\w+)="([^"]*)"')
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests of that method whose path matches.

    ``what``: cut-before and cut-after (no answer comes, and the region acted or did not), busy (409) and unavailable
    (503), both with Retry-After, slow (``value`` seconds), crowd (not answered before ``value`` of the method have been
    under way at once, or ten seconds are over), truncated, html (502), page (HTML with 200), redirect, error (500),
    pass (nothing).
    """

    what: str
    method: str = "[A-Z]+"
    path: str = ".*"
    times: int = 1
    value: float = 1

    def fits(self, method: str, path: str) -> bool:
        return bool(self.times > 0 and re.fullmatch(self.method, method) and re.search(self.path, path))


class Server(Loopback):
    """Serves a region until it is closed. ``log`` holds the requests that arrived, as ``METHOD path?query``."""

    def __init__(self, region: Region, context: ssl.SSLContext | None = None) -> None:
        self.region = region
        self.faults: list[Fault] = []
        self.log: list[str] = []
        #: Called before each request is answered, with how many came before it: a second operator.
        self.meanwhile: Any = None
        self.now = time.time
        self.nonces: set[str] = set()
        #: What went wrong in the simulator itself.
        self.broken: list[str] = []
        self.lock = threading.Lock()
        #: How many requests of each method have arrived and not been answered, now and at most.
        self.under_way: Counter[str] = Counter()
        self.most_under_way: Counter[str] = Counter()
        super().__init__(_Handler, context)
        self.url = f"{self.origin}/MAAS"

    def fault(self, method: str, path: str) -> Fault | None:
        found = next((fault for fault in self.faults if fault.fits(method, path)), None)
        if found:
            found.times -= 1
        return found

    def user(self, header: str) -> User | None:
        """Who signed a request. Raises ApiError; nobody where there is no such header."""
        given = {key: unquote(value) for key, value in _OAUTH.findall(header)}
        if not header.startswith("OAuth ") or "oauth_consumer_key" not in given:
            return None
        consumer, token = given.get("oauth_consumer_key", ""), given.get("oauth_token", "")
        users = [user for user in self.region.users if user.key.split(":")[0] == consumer]
        if not users:
            raise ApiError(401, "Authorization Error: Invalid API key.")
        found = next((user for user in users if user.key.split(":")[1] == token), None)
        if found is None:
            raise ApiError(401, f"Authorization Error: 'Invalid access token: {token}'")
        secret, stamp, now = found.key.split(":")[2], int(given.get("oauth_timestamp", "0")), int(self.now())
        if abs(now - stamp) > _THRESHOLD:
            said = f"given {stamp} and now {now} has a greater difference than threshold {_THRESHOLD}"
            raise ApiError(401, f"Authorization Error: 'Expired timestamp: {said}'")
        nonce = given.get("oauth_nonce", "")
        if nonce in self.nonces:
            raise ApiError(401, f"Authorization Error: 'Nonce already used: {nonce}'")
        if given.get("oauth_signature_method") != "PLAINTEXT" or given.get("oauth_signature") != f"&{secret}":
            # A real region tells the secret to who does not know it.
            said = f"Invalid signature. Expected signature base string: &{secret}"
            raise ApiError(401, f"Authorization Error: '{said}'")
        self.nonces.add(nonce)
        return found


class _Handler(Handler):
    owner: Server

    def _serve(self) -> None:
        with self.owner.lock:
            self.owner.under_way[self.command] += 1
            self.owner.most_under_way |= self.owner.under_way
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.owner.fault(self.command, self.path)
        if fault and fault.what == "cut-before":
            return self._cut()
        if fault and fault.what == "slow":
            time.sleep(fault.value)
        if fault and fault.what == "crowd":
            limit = time.monotonic() + _CROWD
            while self.owner.most_under_way[self.command] < fault.value and time.monotonic() < limit:
                time.sleep(0.005)
        if fault and fault.what in ("busy", "unavailable"):
            status, text = (409, "Conflict error. Try your request again, as it will most likely succeed.")
            if fault.what == "unavailable":
                status, text = 503, "Service Unavailable"
            return self._send(status, text.encode(), "text/plain", {"Retry-After": str(int(fault.value))})
        if fault and fault.what == "redirect":
            return self._send(302, b"", "text/html", {"Location": "http://127.0.0.1:1/elsewhere/"})
        if fault and fault.what == "page":
            return self._send(200, _HTML.encode(), "text/html")
        if fault and fault.what == "html":
            return self._send(502, _HTML.encode(), "text/html")
        if fault and fault.what == "error":
            return self._send(500, b"'NoneType' object has no attribute 'id'", "text/plain; charset=utf-8")
        with self.owner.lock:
            if self.owner.meanwhile:
                self.owner.meanwhile(len(self.owner.log))
            self.owner.log.append(f"{self.command} {self.path}")
            try:
                status, content, kind, headers = self._answer(body)
            except Exception:
                self.owner.broken.append(traceback.format_exc())
                raise
        if fault and fault.what == "cut-after":
            return self._cut()
        if fault and fault.what == "truncated":
            content = content[: len(content) // 2]
        return self._send(status, content, kind, headers)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _answer(self, body: bytes) -> tuple[int, bytes, str, dict[str, str]]:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        try:
            user = self.owner.user(self.headers.get("Authorization", ""))
            fields, op = self._fields(body)
            op = query["op"][-1] if "op" in query else op
            said = api.answer(
                api.Request(self.owner.region, user, self.command, url.path, op, query, Form(fields), self.owner.url)
            )
        except ApiError as error:
            return (*_content(error.status, error.body), error.headers)
        return (*_content(204 if said is None else 200, said), {})

    def _fields(self, body: bytes) -> tuple[dict[str, list[str]], str | None]:
        """The fields of a body, and the op that is one of them: in a JSON body it does not count."""
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/json"):
            try:
                return fields_of(json.loads(body or b"{}")), None
            except ValueError:
                raise ApiError(400, "Invalid JSON") from None
        if kind.startswith("multipart/form-data"):
            fields = _multipart(kind, body)
        else:
            fields = parse_qs(body.decode(), keep_blank_values=True)
        return fields, fields.get("op", [None])[-1]

    def _count_out(self) -> None:
        """Before who asked can know of the answer, and ask again."""
        with self.owner.lock:
            self.owner.under_way[self.command] -= 1

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._count_out()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self._count_out()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _content(status: int, said: Any) -> tuple[int, bytes, str]:
    if said is None or isinstance(said, str):
        return status, (said or "").encode(), "text/plain; charset=utf-8"
    return status, json.dumps(said).encode(), "application/json; charset=utf-8"


def _multipart(kind: str, body: bytes) -> dict[str, list[str]]:
    whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields: dict[str, list[str]] = {}
    for part in whole.get_payload() if whole.is_multipart() else ():
        if isinstance(part, Message):
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            fields.setdefault(name, []).append(content.decode() if isinstance(content, bytes) else "")
    return fields
