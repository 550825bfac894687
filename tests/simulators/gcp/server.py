# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on a socket: requests and answers are held to the methods and schemas of the discovery document."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import googleapiclient
from jsonschema import Draft202012Validator

from ansible_collections.strata.storage.plugins.module_utils.volumes.gcp import LABEL
from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG
from tests.simulators.cloud import Answer, Cloud, Request, Saved, Seen

from .model import ApiError, Project

KEY = "ACCESSTOKENOFTHETESTS"
_FORMATS = {"int64": r"-?\d+", "uint64": r"\d+", "byte": r"[A-Za-z0-9+/_-]*=*"}
_OUTPUT = re.compile(r"(Output only\. )?\[Output Only\]|Output only\.")
#: What belongs to every method.
_COMMON = {"alt", "prettyPrint", "fields", "quotaUser"}


@functools.cache
def shipped() -> dict[str, Any]:
    path = Path(googleapiclient.__file__).parent / "discovery_cache/documents/compute.v1.json"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@functools.cache
def methods() -> tuple[tuple[str, str, re.Pattern[str], dict[str, Any]], ...]:
    """Each method: the name of its call, the HTTP method, its path as a pattern, and the rest."""
    found = []
    for room, resource in shipped()["resources"].items():
        for name, method in resource.get("methods", {}).items():
            path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", "/" + shipped()["servicePath"] + method["path"])
            found.append((f"{room}.{name}", method["httpMethod"], re.compile(path), method))
    return tuple(found)


@functools.cache
def validator(name: str, given: bool) -> Draft202012Validator:
    """Of a schema; ``given``: of what a request may say, which lacks what only answers have."""
    used: dict[str, Any] = {}
    _collect(name, given, used)
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": used})


def _collect(name: str, given: bool, used: dict[str, Any]) -> None:
    if name not in used:
        used[name] = {}
        used[name] = _plain(shipped()["schemas"][name], given, used)


def _plain(schema: dict[str, Any], given: bool, used: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        _collect(schema["$ref"], given, used)
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    plain: dict[str, Any] = {key: schema[key] for key in ("type", "enum", "pattern") if key in schema}
    if plain.get("type") == "any":
        del plain["type"]
    if "pattern" in plain:
        plain["pattern"] = f"^(?:{plain['pattern']})$"
    elif schema.get("type") == "string" and schema.get("format") in _FORMATS:
        plain["pattern"] = f"^(?:{_FORMATS[schema['format']]})$"
    if "items" in schema:
        plain["items"] = _plain(schema["items"], given, used)
    if "properties" in schema:
        plain["properties"] = {
            key: _plain(one, given, used)
            for key, one in schema["properties"].items()
            if not (given and _OUTPUT.match(one.get("description", "")))
        }
        plain["additionalProperties"] = False
    elif "additionalProperties" in schema:
        plain["additionalProperties"] = _plain(schema["additionalProperties"], given, used)
    return plain


class Server(Cloud):
    """Serves a project until it is closed. ``machines`` are the names of its instances."""

    def __init__(self, project: Project | None = None) -> None:
        self.project = project or Project()
        super().__init__(self.project)
        self.machines = list(self.project.machines)
        self.endpoint = f"{self.origin}/{shipped()['servicePath']}"
        self.throttled = _json(403, ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded").body)

    # --- for tests: a label stands for the tag of the other providers

    def volumes(self) -> list[Seen]:
        return [
            Seen(one.name, one.size, one.type, 0, 0, _tags(one.labels), one.machine, one.device)
            for one in self.project.disks.values()
        ]

    def snapshots(self) -> list[Saved]:
        return [Saved(one.disk, _tags(one.labels)) for one in self.project.saved.values()]

    def add(self, size: int, tags: dict[str, str]) -> str:
        return self.project.add(size, {LABEL if key == TAG else key: value for key, value in tags.items()}).name

    # --- the wire

    def call(self, request: Request) -> str:
        path = urllib.parse.unquote(request.path.partition("?")[0])
        for name, method, pattern, _rest in methods():
            if method == request.method and pattern.fullmatch(path):
                return name
        return "unknown"

    def reads(self, call: str) -> bool:
        return call.endswith((".get", ".list", ".aggregatedList"))

    def answer(self, call: str, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _json(401, ApiError(401, "authError", "Invalid Credentials").body)
        assert call != "unknown", f"no method has {request.method} {request.path}"
        self.log.append(call)
        self.project.settle()
        act = getattr(self.project, call.replace(".", "_"), None)
        assert act, f"the simulator lacks {call}"
        pattern, method = next((pattern, rest) for name, _method, pattern, rest in methods() if name == call)
        try:
            params = self._params(request, pattern, method)
            words = self._words(request, method)
            said = self.project.known(params) or act(params, *words)
        except ApiError as error:
            return _json(error.status, error.body)
        validator(method["response"]["$ref"], given=False).validate(said)
        return _json(200, said)

    def _params(self, request: Request, pattern: re.Pattern[str], method: dict[str, Any]) -> dict[str, str]:
        path, _mark, query = request.path.partition("?")
        match = pattern.fullmatch(urllib.parse.unquote(path))
        assert match
        given = {**dict(urllib.parse.parse_qsl(query, strict_parsing=bool(query))), **match.groupdict()}
        known = method["parameters"]
        for name in given.keys() - _COMMON:
            if name not in known:
                raise ApiError(400, "badRequest", f'Invalid JSON payload received. Unknown name "{name}"')
            if "pattern" in known[name] and not re.fullmatch(known[name]["pattern"], given[name]):
                raise ApiError(400, "invalid", f"Invalid value for field '{name}': '{given[name]}'.")
        missing = [name for name, one in known.items() if one.get("required") and name not in given]
        if missing:
            raise ApiError(400, "required", f"Required field '{missing[0]}' not specified")
        if "requestId" in given and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given["requestId"]):
            raise ApiError(400, "invalid", f"Invalid value for field 'requestId': '{given['requestId']}'.")
        return given

    def _words(self, request: Request, method: dict[str, Any]) -> list[Any]:
        if "request" not in method:
            return []
        words = json.loads(request.body)
        wrong = next(iter(validator(method["request"]["$ref"], given=True).iter_errors(words)), None)
        if wrong:
            raise ApiError(400, "invalid", f"Invalid JSON payload received. {wrong.message}")
        return [words]


def _tags(labels: dict[str, str]) -> dict[str, str]:
    return {TAG if key == LABEL else key: value for key, value in labels.items()}


def _json(status: int, said: Any) -> Answer:
    return Answer(status, json.dumps(said).encode())
