# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on a socket: a token, lists in pages, filters, related lists."""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.simulators.loopback import Handler, Loopback

from .model import KINDS, UNIFIED, ApiError, Awx, Thing

TOKEN = "theTokenOfAnAdministrator"
#: Of a user who sees all, and changes nothing.
AUDITOR = "theTokenOfAnAuditor"
USERNAME, PASSWORD = "admin", "thePasswordOfAnAdministrator"
_API = "/api/v2/"
_TOKENS = f"{_API}tokens/"
_PAGE = 3


class Server(Loopback):
    """Serves an AWX until it is closed. ``log`` holds the requests that changed something, as ``METHOD path``."""

    def __init__(self, awx: Awx) -> None:
        self.awx = awx
        self.log: list[str] = []
        #: What the simulator did not know, and should not have been asked.
        self.broken: list[str] = []
        self.lock = threading.Lock()
        super().__init__(_Handler)
        self.url = self.origin
        #: For awx.awx, which reads the certificates of all authorities anew for each request, also without TLS.
        self.environment = {"CONTROLLER_HOST": self.url, "SSL_CERT_FILE": os.devnull}

    def answer(self, method: str, target: str, given: Thing) -> tuple[int, Any]:
        """Raises ApiError."""
        url = urlsplit(target)
        if not url.path.startswith(_API):
            raise ApiError(404, {"detail": "Not found."})
        parts = url.path.removeprefix(_API).strip("/").split("/")
        query = dict(parse_qsl(url.query))
        if method != "GET":
            self.log.append(f"{method} {url.path}")
        kind, numbers, below = parts[0], parts[1:2], parts[2:]
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        if not set(kinds) <= KINDS.keys():
            raise ApiError(404, {"detail": "Not found."})
        if below:
            return self._below(method, url.path, kind, int(numbers[0]), below[0], given, query)
        if numbers:
            return self._one(method, kind, int(numbers[0]), given)
        if method == "GET":
            found = [self.shown(kind, one) for kind in kinds for one in self.awx.things[kind].values()]
            return 200, self._page(url.path, self._filtered(found, query), query)
        thing = self.awx.create(kind, given)
        if kind == "projects":
            self._update(thing)
        return 201, self.shown(kind, thing)

    def _one(self, method: str, kind: str, number: int, given: Thing) -> tuple[int, Any]:
        thing = self.awx.get(kind, number)
        if method == "PATCH":
            self.awx.change(kind, thing, given)
        if method == "DELETE":
            self.awx.remove(kind, number)
            return 204, None
        return 200, self.shown(kind, thing)

    def _below(
        self, method: str, path: str, kind: str, number: int, below: str, given: Thing, query: dict[str, str]
    ) -> tuple[int, Any]:
        thing = self.awx.get(kind, number)
        if below == "survey_spec":
            if method == "POST":
                self.awx.set_survey(kind, number, given)
            return 200, self.awx.surveys.get((kind, number), {})
        if below == "update" and kind == "projects":
            return 202, self.shown("project_updates", self._update(thing))
        if below == "create_approval_template":
            approval = self.awx.create("workflow_approval_templates", given)
            thing["unified_job_template"] = approval["id"]
            return 201, self.shown("workflow_approval_templates", approval)
        if below in KINDS[kind].links:
            target = KINDS[kind].links[below]
            if method == "POST":
                self.awx.attach(kind, number, below, given["id"], bool(given.get("disassociate")))
                return 204, None
            numbers = self.awx.attached.get((kind, number, below), [])
            return 200, self._page(path, [self.shown(target, self.awx.get(target, one)) for one in numbers], query)
        raise ApiError(404, {"detail": "Not found."})

    def _update(self, project: Thing) -> Thing:
        project["scm_revision"] = "0123456789abcdef" if project["scm_type"] else ""
        done = {"name": project["name"], "status": "successful", "finished": "2026-01-01T00:00:00Z"}
        update = self.awx.create("project_updates", done)
        project["update"] = update["id"]
        return update

    def shown(self, kind: str, thing: Thing) -> Thing:
        """As the API tells it."""
        awx, number = self.awx, thing["id"]
        url = f"{_API}{kind}/{number}/"
        told = {name: value for name, value in thing.items() if name not in ("roles", "update")}
        summary: Thing = {"object_roles": {role: {"id": one, "name": role} for role, one in thing["roles"].items()}}
        related = {link: f"{url}{link}/" for link in KINDS[kind].links}
        if kind in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{url}survey_spec/"
        if kind == "credentials":
            summary["credential_type"] = {"name": awx.get("credential_types", thing["credential_type"])["name"]}
        if thing.get("organization"):
            summary["organization"] = {"name": awx.get("organizations", thing["organization"])["name"]}
        if kind == "projects":
            related.update(update=f"{url}update/")
            if thing.get("update"):
                related["current_job"] = related["last_job"] = f"{_API}project_updates/{thing['update']}/"
            told["status"] = "successful"
        if kind == "project_updates":
            told["scm_revision"] = "0123456789abcdef"
        if kind == "workflow_job_template_nodes":
            told.update({link: list(awx.attached.get((kind, number, link), [])) for link in KINDS[kind].links})
            for other in UNIFIED:
                if thing["unified_job_template"] in awx.things[other]:
                    starts = awx.things[other][thing["unified_job_template"]]
                    summary["unified_job_template"] = {"id": starts["id"], "name": starts["name"]}
                    related["unified_job_template"] = f"{_API}{other}/{starts['id']}/"
        return {**told, "type": KINDS[kind].type, "url": url, "related": related, "summary_fields": summary}

    def _filtered(self, found: list[Thing], query: dict[str, str]) -> list[Thing]:
        filters = {name: value for name, value in query.items() if name not in ("page", "page_size", "order_by")}
        either = {name.removeprefix("or__"): value for name, value in filters.items() if name.startswith("or__")}
        every = {name: value for name, value in filters.items() if not name.startswith("or__")}
        for name in (*either, *every):
            if found and not any(name.partition("__")[0] in one for one in found):
                raise ApiError(400, {"detail": f"There is no field named {name}"})

        def fits(one: Thing, name: str, value: str) -> bool:
            inside, _by, of = name.partition("__")
            if of:  # such as organization__name
                kinds = UNIFIED if inside == "unified_job_template" else (f"{inside}s",)
                return any(fits(self.awx.things[kind].get(one.get(inside, 0), {}), of, value) for kind in kinds)
            return str(one.get(name)) == value

        return [
            one
            for one in found
            if all(fits(one, name, value) for name, value in every.items())
            and (not either or any(fits(one, name, value) for name, value in either.items()))
        ]

    def _page(self, path: str, found: list[Thing], query: dict[str, str]) -> Thing:
        page, size = int(query.get("page", "1")), int(query.get("page_size", _PAGE))
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        following = f"{path}?{rest}{'&' if rest else ''}page={page + 1}" if len(found) > page * size else None
        return {
            "count": len(found),
            "next": following,
            "previous": None,
            "results": found[(page - 1) * size : page * size],
        }


class _Handler(Handler):
    owner: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.owner.lock:
            try:
                status, said = self._answer(json.loads(body or b"{}"))
            except ApiError as error:
                status, said = error.status, error.body
                if status == 404:
                    self.owner.broken.append(f"{self.command} {self.path}")
            except Exception as error:
                self.owner.broken.append(f"{self.command} {self.path}: {error!r}")
                status, said = 500, {"detail": "A server error has occurred."}
        content = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, given: Thing) -> tuple[int, Any]:
        """Raises ApiError."""
        kind, _blank, shown = (self.headers.get("Authorization") or "").partition(" ")
        if self.path.startswith(_TOKENS):
            # awx.awx has a token made by each of its modules, and takes it away again.
            if (kind, base64.b64decode(shown).decode()) != ("Basic", f"{USERNAME}:{PASSWORD}"):
                raise ApiError(
                    401, {"detail": "Invalid username/password. To establish a login session, visit /login/."}
                )
            return (204, None) if self.command == "DELETE" else (201, {"id": 1, "token": TOKEN})
        if shown not in (TOKEN, AUDITOR):
            raise ApiError(401, {"detail": "Authentication credentials were not provided."})
        if shown == AUDITOR and self.command != "GET":
            raise ApiError(403, {"detail": "You do not have permission to perform this action."})
        return self.owner.answer(self.command, self.path, given)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve
