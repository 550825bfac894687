# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on a socket: requests and answers are held to the schemas of the OpenAPI document."""

from __future__ import annotations

import functools
import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.simulators.cloud import Answer, Cloud, Request, Saved, Seen

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


class Server(Cloud):
    """Serves a region until it is closed."""

    def __init__(self, region: Region | None = None) -> None:
        self.region = region or Region()
        super().__init__(self.region)
        self.endpoint = self.origin + _API.rstrip("/")

    def volumes(self) -> list[Seen]:
        found = self.region.volumes.values()
        return [
            Seen(
                one.id,
                one.size,
                one.type,
                one.iops,
                0,
                one.tags,
                one.link.vm if one.link else "",
                one.link.device if one.link else "",
            )
            for one in found
        ]

    def snapshots(self) -> list[Saved]:
        return [Saved(one.volume, one.tags) for one in self.region.snapshots.values()]

    def add(self, size: int, tags: dict[str, str]) -> str:
        return self.region.add(size, tags=tags).id

    def call(self, request: Request) -> str:
        return request.path.removeprefix(_API)

    def reads(self, call: str) -> bool:
        return call.startswith("Read")

    def answer(self, call: str, request: Request) -> Answer:
        context = {"ResponseContext": {"RequestId": f"request-{len(self.log)}"}}
        try:
            said = {**self._act(call, request), **context}
        except ApiError as error:
            said = {**error.body, **context}
            validator("ErrorResponse").validate(said)
            return Answer(error.status, json.dumps(said).encode())
        validator(f"{call}Response").validate(said)
        return Answer(200, json.dumps(said).encode())

    def _act(self, call: str, request: Request) -> dict[str, Any]:
        if f"Credential={KEY}/" not in request.headers.get("authorization", ""):
            raise ApiError(1, "AccessDenied")
        assert call in CALLS, f"the simulator lacks {call}"
        words = json.loads(request.body)
        wrong = next(iter(validator(f"{call}Request").iter_errors(words)), None)
        if wrong:
            raise ApiError(4045, wrong.message)
        self.log.append(call)
        self.region.settle()
        answer: dict[str, Any] = getattr(self.region, call)(words)
        return answer
