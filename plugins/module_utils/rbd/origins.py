# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is imported from: words, librbd's spec of it (JSON), and why that cannot be read here.

The spec is kept with the image, for whoever may read that. So it holds no password: those for S3 are named in it, and
the monitors have them.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import socket
import stat
from collections.abc import Mapping
from typing import Any

from ..core.errors import StorageError
from . import options
from .calls import Place
from .connection import Connection, connected, told

#: What librbd calls what it imports.
_TYPES = {"raw": "raw", "qcow2": "qcow", "native": "native"}
#: The kind of stream that librbd takes for what an address begins with, and its word for the address.
_STREAMS = {"http": ("http", "url"), "https": ("http", "url"), "nbd": ("nbd", "uri")}
_NBD_PORT = 10809
#: How librbd is told that the monitors have a value, and by which name.
_KEPT = "config://"
_ADDRESS = re.compile(r"(\w+)://(?:([^/]*)@)?(\[[^]/]+]|[^:/@]+)(?::(\d+))?(/.*)?")
#: A web server's answers with all of a file, and with a part.
_OK, _PART = 200, 206
OPTION: dict[str, Any] = {
    "type": "dict",
    "options": {
        "format": {"type": "str", "choices": list(_TYPES), "required": True},
        "file": {"type": "path"},
        "url": {"type": "str"},
        # Names of what the monitors keep, and no secrets.
        "access_config_key": {"type": "str", "no_log": False},
        "secret_config_key": {"type": "str", "no_log": False},
        "cluster": {"type": "str"},
        "client": {"type": "str"},
        "pool": {"type": "str"},
        "namespace": {"type": "str"},
        "image": {"type": "str"},
        "snapshot": {"type": "str"},
    },
}
_KEYS = {"access_config_key", "secret_config_key"}
_PEER = {"cluster", "client"}


def parse(name: str, given: Mapping[str, Any], place: Place) -> str:
    """The spec that a task's words are. Raises StorageError for what makes no sense together."""
    said = {word for word, value in given.items() if value is not None} - {"format"}
    spec = _native(name, given, said, place) if given["format"] == "native" else _stream(name, given, said)
    return json.dumps({"type": _TYPES[given["format"]], **spec}, sort_keys=True)


def _stream(name: str, given: Mapping[str, Any], said: set[str]) -> dict[str, Any]:
    if said not in ({"file"}, {"url"}, {"url"} | _KEYS):
        raise StorageError(
            f"image {name}: to import {given['format']} takes file or url, and only one of them; for an object of S3 "
            "also access_config_key and secret_config_key"
        )
    if given["file"]:
        return {"stream": {"type": "file", "file_path": given["file"]}}
    parts = _ADDRESS.fullmatch(given["url"])
    if not parts or parts.group(1) not in _STREAMS or parts.group(2) is not None:
        raise StorageError(
            f"image {name}: url is one of {', '.join(f'{scheme}://' for scheme in _STREAMS)}, without a user and a "
            "password"
        )
    kind, word = _STREAMS[parts.group(1)]
    if not said & _KEYS:
        return {"stream": {"type": kind, word: given["url"]}}
    if kind != "http":
        raise StorageError(f"image {name}: an object of S3 has a url of http:// or https://")
    keys = {word.replace("_config", ""): _KEPT + given[word] for word in sorted(_KEYS)}
    return {"stream": {"type": "s3", "url": given["url"], **keys}}


def _native(name: str, given: Mapping[str, Any], said: set[str], place: Place) -> dict[str, Any]:
    what = f"image {name}: to import native takes image and snapshot"
    if not {"image", "snapshot"} <= said or said & ({"file", "url"} | _KEYS):
        raise StorageError(f"{what}, and no file or url")
    if said & _PEER and not said >= {"cluster", "client", "pool"}:
        raise StorageError(f"{what}, and from another cluster also cluster, client and pool")
    # Of another cluster, nothing is that of the destination.
    origin = options.parent_of(given, Place(given["pool"]) if said & _PEER else place)
    if origin is None:
        raise StorageError(what)
    spec = {"pool_name": origin.place.pool, "image_name": origin.image, "snap_name": origin.snapshot}
    if said & _PEER:
        spec.update(cluster_name=given["cluster"], client_name=f"client.{given['client']}")
    # librbd takes an empty one for a namespace.
    return {**spec, "pool_namespace": origin.place.namespace} if origin.place.namespace else spec


def dump(text: str) -> dict[str, Any]:
    """A spec in the words that a task takes, without a password that somebody else wrote into it."""
    spec = json.loads(text)
    kind = next((word for word, type_ in _TYPES.items() if type_ == spec["type"]), spec["type"])
    if kind != "native":
        stream = spec["stream"]
        url = stream.get("url", stream.get("uri"))
        found = {"file": stream.get("file_path"), "url": url and re.sub("//[^/]*@", "//", url)}
        if stream["type"] == "s3":
            kept = {word: str(stream.get(word.replace("_config", ""))) for word in sorted(_KEYS)}
            found.update({word: value[len(_KEPT) :] for word, value in kept.items() if value.startswith(_KEPT)})
        return {"format": kind, **found}
    found = {
        "format": kind,
        "pool": spec.get("pool_name"),
        "namespace": spec.get("pool_namespace", ""),
        "image": spec.get("image_name"),
        "snapshot": spec.get("snap_name"),
    }
    if "cluster_name" in spec:
        found.update(cluster=spec["cluster_name"], client=spec.get("client_name", "").partition(".")[2] or None)
    return found


def show(text: str) -> str:
    """The same for a message."""
    found = dump(text)
    if found["format"] == "native":
        place = Place(found["pool"], found["namespace"])
        return f"{found['cluster'] + ' ' if 'cluster' in found else ''}{place}/{found['image']}@{found['snapshot']}"
    return str(found["file"] or found["url"])


def unreadable(connection: Connection, text: str, timeout: int) -> str:
    """Why librbd would fail to read it, here; nothing where it would not. It says little of that itself."""
    spec = json.loads(text)
    try:
        if spec["type"] == "native":
            _find_snapshot(connection, spec)
        else:
            _find_stream(connection, spec["stream"], timeout)
    except StorageError as error:
        return str(error)
    return ""


def _find_snapshot(connection: Connection, spec: Mapping[str, Any]) -> None:
    place = Place(spec["pool_name"], spec.get("pool_namespace", ""))

    def find(there: Connection) -> None:
        with (
            told(f"opening {show(json.dumps(spec))}"),
            there.image(place, spec["image_name"], snapshot=spec["snap_name"]),
        ):
            pass

    if "cluster_name" not in spec:
        find(connection)
        return
    _check_release(connection, "another cluster")
    peer = {"cluster": spec["cluster_name"], "client": spec["client_name"].partition(".")[2]}
    with connected({**connection.params, **peer, "conf": None, "keyring": None}) as there:
        find(there)


def _is_20(connection: Connection) -> bool:
    """Whether librbd is that of Ceph 20, or newer, as this call of it is."""
    return hasattr(connection.rbd, "mirror_remote_namespace_get")


def _check_release(connection: Connection, what: str) -> None:
    if not _is_20(connection):
        raise StorageError(f"to import from {what} takes librbd of Ceph 20, which is not what is here")


def _find_stream(connection: Connection, stream: Mapping[str, str], timeout: int) -> None:
    kind = stream["type"]
    if kind == "file":
        path = stream["file_path"]
        if not os.access(path, os.R_OK):
            raise StorageError(f"{path}: it is not there, or cannot be read")
        if not (os.path.isfile(path) or stat.S_ISBLK(os.stat(path).st_mode)):
            raise StorageError(f"{path}: it is no file, and no disk")
    elif kind == "nbd":
        _check_release(connection, "NBD")
        _connect(stream["uri"], timeout)
    else:
        signed = _signed(connection, stream) if kind == "s3" else {}
        _ask_for_a_part(connection, stream["url"], timeout, signed)


def _parts(url: str) -> re.Match[str]:
    """Raises StorageError for what is no address; one that stands in a spec may be somebody else's."""
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        raise StorageError(f"{url}: it is no address of a server")
    return parts


def _connect(uri: str, timeout: int) -> None:
    parts = _parts(uri)
    try:
        host, port = parts.group(3).strip("[]"), int(parts.group(4) or _NBD_PORT)
        with socket.create_connection((host, port), timeout):
            pass
    except (OSError, OverflowError) as error:
        raise StorageError(f"{uri}: {error}") from None


def _signed(connection: Connection, stream: Mapping[str, str]) -> dict[str, str]:
    """The headers of S3 that say who asks, in the way that librbd has."""
    from datetime import datetime, timezone
    from email.utils import format_datetime

    access, secret = (connection.config_key(stream[key][len(_KEPT) :]) for key in ("access_key", "secret_key"))
    parts = _parts(stream["url"])
    date = format_datetime(datetime.now(timezone.utc))
    digest = hmac.new(secret.encode(), f"GET\n\n\n{date}\n{parts.group(5) or '/'}".encode(), "sha1").digest()
    return {"Date": date, "Authorization": f"AWS {access}:{base64.b64encode(digest).decode()}"}


def _ask_for_a_part(connection: Connection, url: str, timeout: int, headers: Mapping[str, str]) -> None:
    """Raises StorageError for a server that does not answer, or not as librbd needs it."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = _parts(url)
    # librbd takes no proxy, and follows no redirection.
    kind = HTTPSConnection if parts.group(1) == "https" else HTTPConnection
    try:
        server = kind(parts.group(3).strip("[]"), int(parts.group(4)) if parts.group(4) else None, timeout=timeout)
        try:
            server.request("GET", parts.group(5) or "/", headers={"Range": "bytes=0-0", **headers})
            answer = server.getresponse()
        finally:
            server.close()
    except (OSError, OverflowError, ValueError, HTTPException) as error:
        raise StorageError(f"{url}: {error}") from None
    if answer.status == _OK:
        raise StorageError(
            f"{url}: the server answers with the whole file where a part is asked for; librbd needs parts"
        )
    if answer.status != _PART:
        raise StorageError(f"{url}: the server answers {answer.status} {answer.reason}")
    if answer.will_close and not _is_20(connection):
        raise StorageError(
            f"{url}: the server closes the connection after each answer, at which librbd before Ceph 20 may crash"
        )
