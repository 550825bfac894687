# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of OpenStack: Cinder's own API, and Nova's for attachments, by openstacksdk.

Cinder has no client tokens. So a volume carries its token beside the tag of its drive, both in the request that makes
it, and a request for one whose answer was lost is not sent again: the next run finds what it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..core.command import wait_until
from ..core.errors import StorageError
from .policy import parse_time
from .provider import TAG, TOKEN, Adopt, Attach, Create, Resize, TakeSnapshot, serials
from .remote import ApiError, no_answer, no_machine, passing, refused, repeated, unaccepted
from .state import GiB, Limits, Snapshot, Volume

_PAGE = 100
#: The first version of Cinder's API that makes a volume larger while it is in use.
_EXTEND = "3.42"
_NOT_FOUND, _CONFLICT = "404", "409"
#: Statuses with which the API says that it did nothing, and may be asked again.
_AGAIN = (429, 503)
#: Also these, where the request may be sent twice.
_LOST = (502, 504)
_ATTACHING = ("reserved", "attaching")


class OpenStack:
    """One region of a cloud. Each request has a time limit."""

    example = "6c2dbd21-8f2c-4f3a-9f0e-2d7b3e6f0a11"

    def __init__(self, options: dict[str, Any]) -> None:
        self._services = _connect(options)
        self._timeout = options["wait_timeout"]
        #: Volumes that Nova has at the machine, or is bringing there.
        self._here: dict[str, str] = {}

    def tagged(self, drive: str) -> list[Volume]:
        found = self._volumes({TAG: drive})
        return [self._volume(told) for told in found if told["status"] != "deleting"]

    def loose(self, _drive: str) -> Sequence[Volume]:
        return ()

    def one(self, volume: str) -> Volume | None:
        try:
            return self._volume(self._ask("block-storage", "GET", f"/volumes/{volume}")["volume"])
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            return None

    def zone(self, machine: str) -> str:
        """The zone of a machine, where Cinder has one of that name; many clouds have one zone for all volumes."""
        try:
            server = self._ask("compute", "GET", f"/servers/{machine}")["server"]
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            raise no_machine("server", machine, "project") from None
        self._here = {
            attachment["volumeId"]: machine
            for attachment in self._ask("compute", "GET", f"/servers/{machine}/os-volume_attachments")[
                "volumeAttachments"
            ]
        }
        zones = self._ask("block-storage", "GET", "/os-availability-zone")["availabilityZoneInfo"]
        zone = str(server.get("OS-EXT-AZ:availability_zone") or "")
        return zone if zone in [one["zoneName"] for one in zones] else ""

    def limits(self, volume_type: str) -> Limits:
        if volume_type:
            names = sorted(str(one["name"]) for one in self._ask("block-storage", "GET", "/types")["volume_types"])
            if volume_type not in names:
                raise StorageError(
                    f"policy: volume_type: this project has no type {volume_type}; it has {', '.join(names)}"
                )
        return Limits()

    def make(self, action: Create) -> str:
        known = self._volumes({TOKEN: action.token})
        found = next((told for told in known if told["status"] not in ("deleting", "error")), None)
        if found is None:
            words: dict[str, Any] = {
                "size": action.size // GiB,
                "name": action.drive,
                "metadata": {TAG: action.drive, TOKEN: action.token},
            }
            if action.zone:
                words["availability_zone"] = action.zone
            if action.type:
                words["volume_type"] = action.type
            found = self._ask("block-storage", "POST", "/volumes", {"volume": words}, twice=False)["volume"]
        return str(found["id"])

    def tag(self, action: Adopt) -> None:
        words = {"metadata": {TAG: action.drive}}
        self._ask("block-storage", "POST", f"/volumes/{action.volume}/metadata", words)

    def names(self, _machine: str) -> Sequence[str]:
        # Nova chooses.
        return ("",)

    def link(self, action: Attach, _name: str) -> None:
        path = f"/servers/{action.machine}/os-volume_attachments"
        try:
            self._ask("compute", "POST", path, {"volumeAttachment": {"volumeId": action.volume}})
        except StorageError:
            # It may be on its way, by an earlier request whose answer was lost.
            attachments = self._ask("compute", "GET", path)["volumeAttachments"]
            if action.volume not in [attachment["volumeId"] for attachment in attachments]:
                raise
        self._here[action.volume] = action.machine

    def unlink(self, volume: Volume) -> None:
        # Nova detaches nothing that it is attaching.
        wait_until(
            lambda: getattr(self.one(volume.id), "link", "") != "attaching",
            self._timeout,
            f"until {volume.id} was attached, to detach it, and it is not",
        )
        with passing(_NOT_FOUND):
            self._ask("compute", "DELETE", f"/servers/{volume.machine}/os-volume_attachments/{volume.id}")

    def enlarge(self, action: Resize) -> None:
        words = {"os-extend": {"new_size": action.size // GiB}}
        self._ask("block-storage", "POST", f"/volumes/{action.volume}/action", words, version=_EXTEND)

    def snapshots(self, drive: str) -> list[Snapshot]:
        states = {"available": "completed", "error": "error"}
        return [
            Snapshot(
                str(told["id"]),
                str(told["volume_id"]),
                str(told["metadata"].get(TOKEN, "")),
                states.get(str(told["status"]), "pending"),
            )
            for told in self._pages("snapshots", {TAG: drive})
        ]

    def save(self, action: TakeSnapshot) -> None:
        if action.token in [one.token for one in self.snapshots(action.drive)]:
            return
        words = {
            "volume_id": action.volume,
            "name": action.drive,
            # Also of a volume that is in use.
            "force": True,
            "metadata": {TAG: action.drive, TOKEN: action.token},
        }
        self._ask("block-storage", "POST", "/snapshots", {"snapshot": words}, twice=False)

    def remove(self, volume: str) -> None:
        with passing(_NOT_FOUND):
            self._ask("block-storage", "DELETE", f"/volumes/{volume}")

    def _volumes(self, metadata: dict[str, str]) -> list[dict[str, Any]]:
        return self._pages("volumes", metadata)

    def _pages(self, kind: str, metadata: dict[str, str]) -> list[dict[str, Any]]:
        """All pages, the oldest first. A cloud may ignore a filter that it does not permit."""
        found: list[dict[str, Any]] = []
        words: dict[str, Any] = {"metadata": str(metadata), "limit": _PAGE, "sort": "created_at:asc"}
        while True:
            answer = self._ask("block-storage", "GET", f"/{kind}/detail", params=words)
            found += answer[kind]
            if not any(link["rel"] == "next" for link in answer.get(f"{kind}_links") or ()):
                return [told for told in found if metadata.items() <= told["metadata"].items()]
            words["marker"] = found[-1]["id"]

    def _ask(
        self,
        service: str,
        method: str,
        path: str,
        words: dict[str, Any] | None = None,
        *,
        params: dict[str, Any] | None = None,
        version: str | None = None,
        twice: bool = True,
    ) -> dict[str, Any]:
        """The answer to a request. ``twice`` false: it is not sent again where it may have been done."""
        from keystoneauth1 import exceptions
        from openstack.exceptions import SDKException

        def send() -> Any:
            response = self._services[service].request(
                path, method, json=words, params=params, microversion=version, raise_exc=False
            )
            if response.status_code in _AGAIN or (twice and response.status_code in _LOST):
                raise _Passing(response)
            return response

        def passes(error: Exception) -> bool:
            lost = (exceptions.ConnectFailure, exceptions.ConnectTimeout)
            return isinstance(error, _Passing) or (twice and isinstance(error, lost))

        what = f"{method} {path}"
        try:
            response = repeated(send, passes)
        except _Passing as error:
            response = error.response
        except exceptions.Unauthorized:
            raise unaccepted(what, "401") from None
        except (exceptions.ConnectFailure, exceptions.ConnectTimeout) as error:
            raise no_answer(what, error) from None
        except (exceptions.ClientException, SDKException) as error:
            reason = " ".join(str(error).split())
            raise StorageError(f"{what}: the cloud cannot be asked: {reason}; check endpoint and region") from None
        return _read(what, response)

    def _volume(self, told: dict[str, Any]) -> Volume:
        name, status = str(told["id"]), str(told["status"])
        link: dict[str, Any] = next(iter(told.get("attachments") or ()), {})
        machine = str(link.get("server_id") or (self._here.get(name, "") if status in _ATTACHING else ""))
        state = {"attaching": "attaching", "reserved": "attaching", "detaching": "detaching"}.get(status, "attached")
        return Volume(
            name,
            int(told["size"]) * GiB,
            str(told.get("volume_type") or ""),
            state="error" if status.startswith("error") else status,
            machine=machine,
            link=state if machine else "",
            fixed="it is extending" if status == "extending" else "",
            resizing=status == "extending",
            created=parse_time(told["created_at"], f"{name}: created_at"),
            serials=serials(name),
        )


class _Passing(Exception):
    """A request that was not done, and may be asked again."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.response = response


def _read(what: str, response: Any) -> dict[str, Any]:
    """The object in an answer. Raises StorageError for an error, and for what is no object."""
    status = str(response.status_code)
    try:
        told = response.json() if response.content else {}
    except ValueError:
        told = None
    if response.status_code == 401:
        raise unaccepted(what, status)
    if response.status_code >= 400:
        reason: Any = next(iter(told.values()), {}) if isinstance(told, dict) else {}
        message = str(reason.get("message") or "") if isinstance(reason, dict) else ""
        raise refused(what, f"{status} {response.reason}".strip(), message, status)
    if not isinstance(told, dict):
        raise StorageError(f"{what}: the API answered with what is no JSON object; is its endpoint right?")
    return told


def _connect(options: dict[str, Any]) -> dict[str, Any]:
    """The services of a cloud of ``clouds.yaml`` or the environment, or of one that a credential is given for."""
    try:
        from keystoneauth1.adapter import Adapter
        from openstack.config import get_cloud_region
        from openstack.exceptions import SDKException
    except ImportError:
        raise StorageError(missing_required_lib("openstacksdk")) from None

    keys = [options["endpoint"], options["access_key"], options["secret_key"]]
    if any(keys) and not all(keys):
        raise StorageError(
            "provider: openstack takes endpoint, access_key and secret_key together (an application credential), or "
            "none of them; give all three, or cloud"
        )
    words: dict[str, Any] = {"api_timeout": options["request_timeout"]}
    if options["region"]:
        words["region_name"] = options["region"]
    if all(keys):
        words.update(
            cloud=None,
            load_yaml_config=False,
            load_envvars=False,
            auth_type="v3applicationcredential",
            auth_url=options["endpoint"],
            application_credential_id=options["access_key"],
            application_credential_secret=options["secret_key"],
        )
    else:
        words["cloud"] = options["cloud"]
    try:
        region = get_cloud_region(**words)
        session = region.get_session()
        return {
            service: Adapter(
                session,
                service_type=service,
                interface=region.get_interface(service),
                region_name=region.get_region_name(service),
                endpoint_override=region.get_endpoint(service),
                min_version=oldest,
                max_version=f"{oldest}.latest",
            )
            for service, oldest in (("block-storage", "3"), ("compute", "2"))
        }
    except SDKException as error:
        raise StorageError(f"provider: openstack: {error}") from None
