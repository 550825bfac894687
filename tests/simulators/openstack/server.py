# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The APIs on a socket. Requests are held to schemas, of which what is not used of the API reference is left out."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator

from tests.simulators.cloud import Answer, Cloud, Request, Saved, Seen

from .model import ApiError, Project

KEY, SECRET = "ACCESSKEYOFTHETESTS0", "SECRETOFTHETESTS"
_PROJECT, _TOKEN = "0123456789abcdef0123456789abcdef", "token-of-the-tests"
_ID = r"([0-9a-zA-Z-]+)"
_STRING = {"type": "string", "minLength": 1, "maxLength": 255}
_METADATA = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 255}}


def _object(required: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {**required, **more}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


class Call(NamedTuple):
    """A call, which the project has under the same name. ``schema`` is that of its body; ``query``: it has one."""

    method: str
    path: str
    status: int
    schema: dict[str, Any] | None = None
    query: bool = False


_VOLUME = _object(
    {"size": {"type": "integer", "minimum": 1}},
    name=_STRING,
    availability_zone=_STRING,
    volume_type=_STRING,
    metadata=_METADATA,
)
_SNAPSHOT = _object(
    {"volume_id": {"type": "string", "format": "uuid"}}, name=_STRING, force={"type": "boolean"}, metadata=_METADATA
)
_ATTACHMENT = _object({"volumeId": {"type": "string", "format": "uuid"}}, device=_STRING)
_EXTEND = _object({"new_size": {"type": "integer", "minimum": 1}})
_VOLUMES, _SERVERS = rf"/volume/v3/{_PROJECT}", "/compute/v2.1/servers"
CALLS = {
    "create-volume": Call("POST", f"{_VOLUMES}/volumes", 202, _object({"volume": _VOLUME})),
    "list-volumes": Call("GET", f"{_VOLUMES}/volumes/detail", 200, query=True),
    "show-volume": Call("GET", f"{_VOLUMES}/volumes/{_ID}", 200),
    "delete-volume": Call("DELETE", f"{_VOLUMES}/volumes/{_ID}", 202),
    "set-metadata": Call("POST", f"{_VOLUMES}/volumes/{_ID}/metadata", 200, _object({"metadata": _METADATA})),
    "extend-volume": Call("POST", f"{_VOLUMES}/volumes/{_ID}/action", 202, _object({"os-extend": _EXTEND})),
    "create-snapshot": Call("POST", f"{_VOLUMES}/snapshots", 202, _object({"snapshot": _SNAPSHOT})),
    "list-snapshots": Call("GET", f"{_VOLUMES}/snapshots/detail", 200, query=True),
    "list-zones": Call("GET", f"{_VOLUMES}/os-availability-zone", 200),
    "list-types": Call("GET", f"{_VOLUMES}/types", 200),
    "show-server": Call("GET", f"{_SERVERS}/{_ID}", 200),
    "list-attachments": Call("GET", f"{_SERVERS}/{_ID}/os-volume_attachments", 200),
    "attach": Call("POST", f"{_SERVERS}/{_ID}/os-volume_attachments", 200, _object({"volumeAttachment": _ATTACHMENT})),
    "detach": Call("DELETE", f"{_SERVERS}/{_ID}/os-volume_attachments/{_ID}", 202),
}


class Server(Cloud):
    """Serves a project until it is closed."""

    def __init__(self, project: Project | None = None) -> None:
        self.project = project or Project()
        super().__init__(self.project)
        self.machines = list(self.project.servers)
        self.endpoint = f"{self.origin}/identity/v3"

    def volumes(self) -> list[Seen]:
        return [
            Seen(one.id, one.size, one.type, 0, 0, one.metadata, one.server, one.device)
            for one in self.project.volumes.values()
        ]

    def snapshots(self) -> list[Saved]:
        return [Saved(one.volume, one.metadata) for one in self.project.snapshots.values()]

    def add(self, size: int, tags: dict[str, str]) -> str:
        return self.project.add(size, tags).id

    def call(self, request: Request) -> str:
        path = request.path.partition("?")[0]
        for name, call in CALLS.items():
            if request.method == call.method and re.fullmatch(call.path, path):
                return name
        return "identity" if path.startswith("/identity") else "versions"

    def reads(self, call: str) -> bool:
        return call.startswith(("list-", "show-"))

    def answer(self, call: str, request: Request) -> Answer:
        if call == "identity":
            return self._identity(request)
        if call == "versions":
            return self._versions(request)
        if request.headers.get("x-auth-token") != _TOKEN:
            return _json(401, {"error": {"code": 401, "message": "Authentication required", "title": "Unauthorized"}})
        self.log.append(call)
        self.project.settle()
        one = CALLS[call]
        path, _mark, query = request.path.partition("?")
        match = re.fullmatch(one.path, path)
        assert match
        try:
            words: list[Any] = [dict(urllib.parse.parse_qsl(query))] if one.query else []
            if one.schema:
                words = [json.loads(request.body)]
                wrong = next(iter(Draft202012Validator(one.schema).iter_errors(words[0])), None)
                if wrong:
                    raise ApiError(400, f"Invalid input: {wrong.message}")
            self.project.version = _version(request)
            said = getattr(self.project, call.replace("-", "_"))(*match.groups(), *words)
        except ApiError as error:
            return _json(error.status, error.body)
        return _json(one.status, said) if said is not None else Answer(one.status, b"")

    def _identity(self, request: Request) -> Answer:
        if request.method == "GET":
            link = [{"rel": "self", "href": f"{self.endpoint}/"}]
            return _json(200, {"version": {"id": "v3.14", "status": "stable", "links": link}})
        identity = json.loads(request.body)["auth"]["identity"]
        if identity != {
            "methods": ["application_credential"],
            "application_credential": {"id": KEY, "secret": SECRET},
        }:
            return _json(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})
        catalog = [
            self._service("block-storage", "cinder", f"/volume/v3/{_PROJECT}"),
            self._service("compute", "nova", "/compute/v2.1"),
        ]
        token = {
            "methods": ["application_credential"],
            "user": {"id": "u", "name": "user", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": _PROJECT, "name": "project", "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2096-01-01T00:00:00.000000Z",
            "catalog": catalog,
        }
        return _json(201, {"token": token})._replace(headers=(("X-Subject-Token", _TOKEN),))

    def _service(self, kind: str, name: str, path: str) -> dict[str, Any]:
        endpoint = {"id": name, "interface": "public", "region": "eu-west-1", "region_id": "eu-west-1"}
        return {"id": name, "type": kind, "name": name, "endpoints": [{**endpoint, "url": self.origin + path}]}

    def _versions(self, request: Request) -> Answer:
        """What discovery asks for."""
        name, latest = ("v3.0", "3.70") if request.path.startswith("/volume") else ("v2.1", "2.95")
        root = "/volume/v3/" if name == "v3.0" else "/compute/v2.1/"
        said = {
            "id": name,
            "status": "CURRENT",
            "version": latest,
            "min_version": name.removeprefix("v"),
            "links": [{"rel": "self", "href": self.origin + root}],
        }
        return _json(200, {"versions": [said]} if name == "v3.0" else {"version": said})


def _version(request: Request) -> tuple[int, int]:
    """The microversion that was asked for; without one, the oldest."""
    found = re.search(r"(\d+)\.(\d+)", request.headers.get("openstack-api-version", ""))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _json(status: int, said: Any) -> Answer:
    return Answer(status, json.dumps(said).encode())
