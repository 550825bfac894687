# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a MAAS region's API 2.0: signed, bounded in time, and repeated only where that cannot do harm."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.urls import Request, make_context

from ..core.errors import Declined, StorageError

API = "api/2.0/"
_ATTEMPTS = 4
#: How long to wait at most, whatever Retry-After says.
_LONGEST_PAUSE = 30
_LONGEST_TIMEOUT = 86400
_BUSY = (409, 503)
#: Where a proxy before the region says that this did not answer.
_UNAVAILABLE = (502, 503, 504)


class Unsure(StorageError):
    """A request that changes something was sent, and no answer came: it may have been done."""


class RegionFailed(StorageError):
    """The region came to grief over a request."""


class NotFound(Declined):
    """The region has no such thing."""


class Invalid(Declined):
    """The region takes no such value."""


class Answer(NamedTuple):
    """``kind`` is the content type; ``pause`` what Retry-After says, in seconds (None: nothing)."""

    status: int
    body: bytes
    kind: str
    pause: float | None = None
    location: str = ""


@contextmanager
def of_the_form() -> Iterator[None]:
    """Where an answer is taken to pieces: what is no answer of a region raises StorageError."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise StorageError(
            f"the answer is not of the form that a MAAS region gives ({type(error).__name__}: {error}); is it the URL "
            "of one?"
        ) from error


class Client:
    """One region, and the key of one of its users, ``CONSUMER:TOKEN:SECRET``. ``timeout`` in seconds, of a request."""

    def __init__(
        self, url: str, key: str, validate_certs: bool = True, ca_path: str | None = None, timeout: int = 30
    ) -> None:
        key = key.strip()
        if not all("!" <= character <= "~" for character in key):
            raise StorageError(
                "api_key: an API key is one line of ASCII characters without white space, CONSUMER:TOKEN:SECRET; this "
                "one has others"
            )
        parts = key.split(":")
        if len(parts) != 3 or not all(parts):
            raise StorageError("api_key: an API key has three parts, CONSUMER:TOKEN:SECRET")
        if not url.startswith(("http://", "https://")):
            raise StorageError(f"url: {url!r} is no http or https URL, such as https://maas.example.com/MAAS")
        try:
            split = urlsplit(url)
            wrong = not split.hostname or bool(split.query or split.fragment) or split.port == 0
        except ValueError:
            wrong = True
        if wrong:
            raise StorageError(f"url: {url!r} is not the URL of a region, such as https://maas.example.com/MAAS")
        if not 1 <= timeout <= _LONGEST_TIMEOUT:
            raise StorageError(f"timeout: {timeout} is not between 1 and {_LONGEST_TIMEOUT} seconds")
        base = url.rstrip("/")
        self.base = (base[: -len(API) + 1] if base.endswith(API.rstrip("/")) else base + "/") + API
        #: ``consumer`` tells the key from others, and is no secret.
        self.consumer, self._token, self._secret = parts
        self._session = Request(
            timeout=timeout,
            follow_redirects="none",
            http_agent="strata.storage",
            use_netrc=False,
            context=_context(url, ca_path, validate_certs),
        )
        #: How many requests were answered.
        self.count = 0
        self._counting = threading.Lock()

    def get(self, path: str, purpose: str, **query: str) -> Any:
        """What the region tells. Raises StorageError, and NotFound for what there is not."""
        return self.request("GET", path, purpose, query=list(query.items()))

    def request(
        self,
        method: str,
        path: str,
        purpose: str,
        fields: Iterable[tuple[str, str]] = (),
        query: Iterable[tuple[str, str]] = (),
    ) -> Any:
        """Do it; None where the answer is empty. ``purpose`` says in errors what it was for."""
        query = list(query)
        url = self.base + path + (f"?{urlencode(query)}" if query else "")
        data = urlencode(list(fields)) if method in ("POST", "PUT") else None
        reads = method == "GET"
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                answer = self._send(method, url, data)
            except (URLError, HTTPException, OSError) as error:
                if reads and not last and not _is_final(error):
                    time.sleep(attempt * 0.2)
                    continue
                raise self._no_answer(error, reads, purpose) from None
            with self._counting:
                self.count += 1
            busy = answer.status in _BUSY and answer.pause is not None
            if (busy or (reads and answer.status in _UNAVAILABLE)) and not last:
                time.sleep(min(answer.pause or attempt * 0.2, _LONGEST_PAUSE))
                continue
            if answer.status < 300:
                try:
                    return _content(answer)
                except ValueError:
                    if reads and not last:
                        continue
                    what = "HTML" if "html" in answer.kind else "what is no JSON, or only a part of it"
                    raise (StorageError if reads else Unsure)(
                        f"{purpose}: {self.base} answered with {what}; is it the URL of a MAAS region?"
                    ) from None
            raise self._refusal(answer, purpose)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, url: str, data: str | None) -> Answer:
        headers = {"Authorization": self._signature(), "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            response = self._session.open(method, url, data=data, headers=headers)
        except HTTPError as error:
            response = error
        with response:
            body = response.read()
            told = response.headers
            pause = told.get("Retry-After")
            return Answer(
                status=int(response.getcode() or 0),
                body=body,
                kind=told.get("Content-Type") or "",
                pause=float(pause) if pause and pause.isdigit() else None,
                location=told.get("Location") or "",
            )

    def _signature(self) -> str:
        """OAuth 1, PLAINTEXT: the secret itself signs, so only TLS keeps it."""
        words = {
            "oauth_version": "1.0",
            "oauth_signature_method": "PLAINTEXT",
            "oauth_consumer_key": self.consumer,
            "oauth_token": self._token,
            "oauth_signature": f"%26{self._secret}",
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": uuid.uuid4().hex,
        }
        return "OAuth " + ", ".join(f'{word}="{value}"' for word, value in words.items())

    def _no_answer(self, error: Exception, reads: bool, purpose: str) -> StorageError:
        reason = getattr(error, "reason", error)
        said = str(reason) or type(reason).__name__
        if _is_final(error):
            return StorageError(
                f"{purpose}: the certificate of {self.base} was not accepted ({said}); name its authority by ca_path"
            )
        refused = isinstance(reason, ConnectionRefusedError) or "Name or service" in said
        if reads or refused:
            return Declined(f"{purpose}: {self.base} did not answer ({said})")
        return Unsure(f"{purpose}: no answer came ({said}), so it may have been done, or not; run this again")

    def _refusal(self, answer: Answer, purpose: str) -> StorageError:
        """What the region said no to. The body of a 401 may hold the right secret, and is never told."""
        status = answer.status
        text = answer.body.decode(errors="replace").strip()
        if status == 401:
            if "Expired timestamp" in text:
                return Declined(
                    f"{purpose}: the clock here differs from the region's by more than it takes (300 s); set this one"
                )
            return Declined(
                f"{purpose}: the region does not accept the API key; name a file with a valid one by api_key_file"
            )
        if 300 <= status < 400:
            return Declined(f"{purpose}: {self.base} redirects to {answer.location}; give the region's own URL")
        if status == 403:
            return Declined(f"{purpose}: the API key's user may not do that; administrators change storage")
        said = _plain(text, answer.kind)
        if status == 404:
            return NotFound(f"{purpose}: {said or 'there is no such thing'}")
        if status >= 500:
            return RegionFailed(f"{purpose}: the region failed with status {status}" + (f" ({said})" if said else ""))
        kind = Invalid if status == 400 else Declined
        return kind(f"{purpose}: the region refused it with status {status}: {said or 'it does not say why'}")


def _context(url: str, ca_path: str | None, validate_certs: bool) -> SSLContext:
    """One for all requests: loading the authorities' certificates takes longer than a request does."""
    if not url.startswith("https://"):
        return SSLContext(PROTOCOL_TLS_CLIENT)
    try:
        context: SSLContext = make_context(cafile=ca_path, validate_certs=validate_certs)
    except OSError as error:
        raise StorageError(
            f"ca_path: {ca_path}: {error.strerror or error}; it has to be a file with certificates in PEM form"
        ) from None
    return context


def _is_final(error: Exception) -> bool:
    """Whether trying again cannot help: the certificate is the same the next time."""
    reason = getattr(error, "reason", error)
    return "CERTIFICATE" in str(reason).upper() or "SSL" in type(reason).__name__


def _content(answer: Answer) -> Any:
    if not answer.body:
        return None
    if "json" in answer.kind:
        return json.loads(answer.body)
    if "html" in answer.kind:
        raise ValueError("HTML")
    return answer.body.decode(errors="replace")


def _plain(text: str, kind: str) -> str:
    """An error's text without its form: fields and what is wrong with them; of HTML nothing."""
    if "json" in kind:
        try:
            said = json.loads(text)
        except ValueError:
            return ""
        if isinstance(said, dict):
            return "; ".join(
                (f"{field}: " if field != "__all__" else "")
                + " ".join(str(error) for error in (errors if isinstance(errors, list) else [errors]))
                for field, errors in said.items()
            )
        return str(said)
    return "" if "html" in kind or text.startswith("<") else " ".join(text.split())[:300]
