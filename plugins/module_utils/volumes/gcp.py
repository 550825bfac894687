# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persistent disks of Google Cloud, by google-api-python-client.

A disk is named by its client token, so that it is made once, and gets its label in the request that makes it. Each
change is an operation, which has the UUID of its request: that finds it where the answer was lost.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible.module_utils.basic import missing_required_lib

from ..core.errors import StorageError
from .policy import parse_time
from .provider import Adopt, Attach, Create, Resize, TakeSnapshot, serials
from .remote import ApiError, no_answer, no_machine, passing, refused, repeated, unaccepted
from .state import GiB, Limits, Snapshot, Volume

#: A label's key has no dots, so this stands for the tag of the other providers.
LABEL = "osc-bsud-drive-name"
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{1,63}")
_DEFAULT_TYPE = "pd-balanced"
_PAGE = 100
_NOT_FOUND, _EXISTS, _CHANGED = "notFound", "alreadyExists", "conditionNotMet"
_IN_USE = "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
_AGAIN = (429, 500, 502, 503, 504)
_THROTTLED = ("rateLimitExceeded", "userRateLimitExceeded")
_STATES = {"CREATING": "creating", "RESTORING": "creating", "FAILED": "error", "DELETING": "deleting"}
_SNAPSHOT_STATES = {"READY": "completed", "FAILED": "error"}
_CALLS = {
    "diskTypes": ("get", "list"),
    "disks": ("aggregatedList", "createSnapshot", "delete", "get", "insert", "resize", "setLabels"),
    "instances": ("attachDisk", "detachDisk", "get"),
    "snapshots": ("list",),
    "zoneOperations": ("get", "list"),
}
_SCOPES = ("https://www.googleapis.com/auth/compute",)


class _Operation(NamedTuple):
    """A change that was asked for: its name, and what it does in the API's word."""

    name: str
    what: str


class Gcp:
    """One zone of a project. Each request has a time limit."""

    example = "web-1"

    def __init__(self, options: dict[str, Any]) -> None:
        missing = [name for name in ("project", "zone") if not options[name]]
        if missing:
            raise StorageError(f"provider: gcp needs {missing[0]}; give it")
        self._client = _client(options)
        weakref.finalize(self, self._client.close)
        self._services: dict[str, Any] = {}
        self._where = {"project": options["project"], "zone": options["zone"]}
        self._machine = ""
        #: By disk: the name of its device at the machine, where that is another one, and what goes on.
        self._devices: dict[str, str] = {}
        self._operations: dict[str, _Operation] = {}

    def tagged(self, drive: str) -> list[Volume]:
        scopes = self._pages("disks", "aggregatedList", filter=_filter(drive))
        found = [told for scope in scopes for told in scope[1].get("disks") or ()]
        found.sort(key=lambda told: (told["creationTimestamp"], told["name"]))
        return [self._volume(told) for told in found if told["status"] != "DELETING"]

    def loose(self, _drive: str) -> tuple[Volume, ...]:
        return ()

    def one(self, volume: str) -> Volume | None:
        going = self._operations.get(volume)
        operation = self._ask("zoneOperations", "get", operation=going.name, **self._where) if going else {}
        try:
            told: dict[str, Any] | None = self._ask("disks", "get", disk=volume, **self._where)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            told = None
        found = self._volume(told) if told else None
        if going is None:
            return found
        if operation["status"] == "DONE":
            del self._operations[volume]
            self._check(going, operation, volume, found)
            return found
        return found._replace(**_on_the_way(going.what, found, self._machine)) if found else None

    def zone(self, machine: str) -> str:
        try:
            told = self._ask("instances", "get", instance=machine, **self._where)
        except ApiError as error:
            if error.code not in (_NOT_FOUND, "invalid"):
                raise
            raise no_machine("instance", machine, f"zone {self._where['zone']}") from None
        self._machine = machine
        self._devices = {
            _last(disk["source"]): str(disk["deviceName"]) for disk in told.get("disks") or () if disk.get("source")
        }
        return str(self._where["zone"])

    def limits(self, volume_type: str) -> Limits:
        """Sizes that the zone permits. Its API does not tell the IOPS that a type permits."""
        name = volume_type or _DEFAULT_TYPE
        try:
            told = self._ask("diskTypes", "get", diskType=name, **self._where)
        except ApiError as error:
            if error.code not in (_NOT_FOUND, "invalid"):
                raise
            names = sorted(str(one["name"]) for one in self._pages("diskTypes", "list", zone=self._where["zone"]))
            raise StorageError(
                f"policy: volume_type: this zone has no type {name}; it has {', '.join(names)}"
            ) from None
        sizes = re.fullmatch(r"(\d+)GB-(\d+)GB", str(told.get("validDiskSize") or ""))
        return Limits(smallest=int(sizes[1]) * GiB, largest=int(sizes[2]) * GiB) if sizes else Limits()

    def make(self, action: Create) -> str:
        words = {
            "name": action.token,
            "sizeGb": str(action.size // GiB),
            "type": f"zones/{action.zone}/diskTypes/{action.type or _DEFAULT_TYPE}",
            "labels": {LABEL: _label(action.drive)},
        }
        with passing(_EXISTS):
            self._start("disks", "insert", action.token, body=words)
        return action.token

    def tag(self, action: Adopt) -> None:
        """Labels are written all together, and only if nobody has written them meanwhile."""

        def write() -> None:
            told = self._ask("disks", "get", disk=action.volume, **self._where)
            body = {
                "labels": {**(told.get("labels") or {}), LABEL: _label(action.drive)},
                "labelFingerprint": told["labelFingerprint"],
            }
            self._start("disks", "setLabels", action.volume, resource=action.volume, body=body)

        repeated(write, lambda error: isinstance(error, ApiError) and error.code == _CHANGED)

    def names(self, _machine: str) -> tuple[str, ...]:
        # The device has the name of its disk, which no other disk of the zone has.
        return ("",)

    def link(self, action: Attach, _name: str) -> None:
        source = "projects/{project}/zones/{zone}/disks/".format(**self._where) + action.volume
        body = {"source": source, "deviceName": action.volume, "autoDelete": False}
        self._start("instances", "attachDisk", action.volume, instance=action.machine, body=body)

    def unlink(self, volume: Volume) -> None:
        device = self._devices.get(volume.id, volume.id)
        self._start("instances", "detachDisk", volume.id, instance=volume.machine, deviceName=device)

    def enlarge(self, action: Resize) -> None:
        size = {"sizeGb": str(action.size // GiB)}
        self._start("disks", "resize", action.volume, disk=action.volume, body=size)

    def snapshots(self, drive: str) -> list[Snapshot]:
        found = self._pages("snapshots", "list", filter=_filter(drive))
        return [
            Snapshot(
                str(told["name"]),
                _last(told["sourceDisk"]),
                str(told["name"]),
                _SNAPSHOT_STATES.get(str(told["status"]), "pending"),
            )
            for told in found
        ]

    def save(self, action: TakeSnapshot) -> None:
        body = {"name": action.token, "labels": {LABEL: _label(action.drive)}}
        with passing(_EXISTS):
            self._start("disks", "createSnapshot", "", disk=action.volume, body=body)

    def remove(self, volume: str) -> None:
        with passing(_NOT_FOUND):
            self._start("disks", "delete", volume, disk=volume)

    # --- requests

    def _start(self, service: str, call: str, volume: str, **words: Any) -> None:
        """Ask for a change, which goes on after the answer. Sent again, it is the same one, by the UUID."""
        name = str(uuid.uuid4())
        words = {**words, **self._where, "requestId": name}
        try:
            operation = self._ask(service, call, **words)
        except ApiError:
            raise
        except StorageError:
            known = self._pages(
                "zoneOperations", "list", zone=self._where["zone"], filter=f'clientOperationId="{name}"'
            )
            operation = next(known, {})
            if not operation:
                raise
        if volume:
            self._operations[volume] = _Operation(str(operation["name"]), call)

    def _check(self, going: _Operation, operation: dict[str, Any], volume: str, found: Volume | None) -> None:
        """Raises ApiError for an operation that failed, unless the disk is where it was to get."""
        errors = (operation.get("error") or {}).get("errors") or ()
        there = going.what == "attachDisk" and found is not None and found.machine == self._machine
        for told in () if there else errors:
            code = str(told.get("code"))
            raise refused(f"{going.what} {volume}", code, str(told.get("message") or ""), code)

    def _pages(self, service: str, call: str, **words: Any) -> Iterator[Any]:
        """The items of all pages. Those of an aggregated list are pairs of a scope and what is in it."""
        while True:
            answer = self._ask(service, call, project=self._where["project"], maxResults=_PAGE, **words)
            items = answer.get("items") or ()
            yield from items.items() if isinstance(items, dict) else items
            if not answer.get("nextPageToken"):
                return
            words["pageToken"] = answer["nextPageToken"]

    def _ask(self, service: str, call: str, **words: Any) -> dict[str, Any]:
        """The answer to a call. Each is safe to send again: it reads, or has a UUID."""
        from google.auth.exceptions import GoogleAuthError
        from googleapiclient.errors import HttpError
        from httplib2 import HttpLib2Error

        about = next(
            (words[name] for name in ("disk", "resource", "instance", "operation", "diskType") if name in words), ""
        )
        what = f"{service}.{call} {about or (words.get('body') or {}).get('name', '')}".strip()

        def passes(error: Exception) -> bool:
            if isinstance(error, HttpError):
                return int(error.resp.status) in _AGAIN or _reason(error)[0] in _THROTTLED
            return isinstance(error, (OSError, HttpLib2Error))

        try:
            if service not in self._services:
                # The library makes it anew from the description of the API, which takes longer than a request.
                self._services[service] = getattr(self._client, service)()
            request = getattr(self._services[service], call)(**words)
        except TypeError as error:
            # A name that the API's description does not permit.
            raise refused(what, "invalid", str(error), "invalid") from None
        try:
            answer = repeated(request.execute, passes)
        except HttpError as error:
            status = int(error.resp.status)
            code, message = _reason(error)
            if status == 401:
                raise unaccepted(what, str(status)) from None
            if status >= 500:
                raise StorageError(f"{what}: the API failed with status {status}; run this again") from None
            raise refused(what, code, message, code) from None
        except GoogleAuthError as error:
            raise StorageError(f"{what}: the credentials are not accepted: {' '.join(str(error).split())}") from None
        except ValueError:
            raise StorageError(f"{what}: the API answered with what is no JSON; is its endpoint right?") from None
        except (OSError, HttpLib2Error) as error:
            raise no_answer(what, error) from None
        if not isinstance(answer, dict):
            raise StorageError(f"{what}: the API answered with what is no JSON object; is its endpoint right?")
        return answer

    def _volume(self, told: dict[str, Any]) -> Volume:
        name = str(told["name"])
        machine = next((_last(user) for user in told.get("users") or ()), "")
        return Volume(
            name,
            int(told["sizeGb"]) * GiB,
            _last(told.get("type") or ""),
            state=_STATES.get(str(told["status"]), "in-use" if machine else "available"),
            machine=machine,
            link="attached" if machine else "",
            zone=_last(told["zone"]),
            created=parse_time(told["creationTimestamp"], f"{name}: creationTimestamp"),
            device=f"/dev/disk/by-id/google-{self._devices.get(name, name)}",
            serials=serials(name)[:2],
        )


def _on_the_way(what: str, found: Volume, machine: str) -> dict[str, Any]:
    """What an operation that goes on makes of a disk."""
    if what == "insert":
        return {"state": "creating"}
    if what == "attachDisk":
        return {"machine": machine, "link": "attaching"}
    if what == "detachDisk":
        return {"link": "detaching"} if found.machine else {}
    return {"resizing": True} if what == "resize" else {}


def _filter(drive: str) -> str:
    return f'labels.{LABEL}="{_label(drive)}"'


def _label(drive: str) -> str:
    """Raises StorageError for a name that a label cannot hold."""
    if not _LABEL_VALUE.fullmatch(drive):
        raise StorageError(
            f"drive {drive}: its name has to fit into a label of Google Cloud: lower case letters, digits, dashes and "
            "underscores, 63 at most; choose such a name"
        )
    return drive


def _last(url: str) -> str:
    return url.rpartition("/")[2]


def _reason(error: Any) -> tuple[str, str]:
    """The API's own word for an error, and its sentence."""
    details = error.error_details if isinstance(error.error_details, list) else []
    reasons = [str(told["reason"]) for told in details if isinstance(told, dict) and told.get("reason")]
    return next(iter(reasons), str(error.resp.status)), str(error.reason or "")


def _client(options: dict[str, Any]) -> Any:
    try:
        import google.auth
        import httplib2
        from google.auth.exceptions import GoogleAuthError
        from google.oauth2.credentials import Credentials
        from google_auth_httplib2 import AuthorizedHttp
        from googleapiclient.discovery import build_from_document
    except ImportError:
        raise StorageError(missing_required_lib("google-api-python-client")) from None

    try:
        if options["session_token"]:
            credentials: Any = Credentials(options["session_token"])  # type: ignore[no-untyped-call]
        else:
            credentials, _project = google.auth.default(scopes=_SCOPES)
    except (GoogleAuthError, OSError, ValueError) as error:
        raise StorageError(f"provider: gcp: {' '.join(str(error).split())}") from None
    http = AuthorizedHttp(credentials, http=httplib2.Http(timeout=options["request_timeout"]))
    endpoint = (options["endpoint"] or "").rstrip("/")
    more = {"client_options": {"api_endpoint": f"{endpoint}/"}} if endpoint else {}
    return build_from_document(_description(), http=http, **more)


@functools.lru_cache(maxsize=1)
def _description() -> dict[str, Any]:
    """What the library ships as the description of the API, with the calls that are used.

    The library writes help for each call from the schemas, each time that a client is made. Without them a client costs
    half as much, and with the description read before next to nothing.
    """
    from googleapiclient.discovery_cache import get_static_doc

    told: dict[str, Any] = json.loads(get_static_doc("compute", "v1"))
    services = {name: told["resources"][name]["methods"] for name in _CALLS}
    told["resources"] = {
        name: {"methods": {call: methods[call] for call in _CALLS[name]}} for name, methods in services.items()
    }
    told["schemas"] = {name: {"id": name, "type": "object"} for name in told["schemas"]}
    return told
