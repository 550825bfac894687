# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BSU volumes of Outscale, by osc-sdk-python.

Outscale tags a volume in a second call. So the client token says which drive a volume was made for: one that a crash
left without its tag is found by its token.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..core.command import wait_until
from ..core.errors import StorageError
from .provider import TAG, Adopt, Attach, Create, Delete, Detach, Resize, token_prefix, wait_for
from .state import Cloud, GiB, Limits, Volume

ATTACHMENTS = 40
_LARGEST = 14901 * GiB
_ATTEMPTS = 5
_PAUSE = 0.25
_PAGE = 100
_PER_SECOND = 5
_LETTERS = "bcdefghijklmnopqrstuvwxyz"
_NO_SUCH_VOLUME, _DEVICE_CONFLICT, _NOT_IN_USE = "5064", "9003", "9063"
#: Answers after which a request is sent again: throttled, or a gateway without an answer.
_AGAIN = (429, 502, 503, 504)


class ApiError(StorageError):
    """The API refused a request. ``code`` is its own number for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Outscale:
    """One region. Each request has a time limit, and each wait an end."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._wait, self._request = options["wait_timeout"], options["request_timeout"]
        keys = {
            "access_key": options["access_key"] or os.environ.get("OSC_ACCESS_KEY"),
            "secret_key": options["secret_key"] or os.environ.get("OSC_SECRET_KEY"),
        }
        region = options["region"] or os.environ.get("OSC_REGION")
        endpoint = options["endpoint"] or os.environ.get("OSC_ENDPOINT_API")
        missing = [name for name, value in {**keys, "region": region}.items() if not value]
        if missing:
            raise StorageError(
                f"provider: outscale needs {missing[0]}; give it, or set OSC_{missing[0].upper()} in the environment"
            )
        self._client = _client(
            {**keys, "region": region}, endpoint, self._request, options["requests_per_second"] or _PER_SECOND
        )

    def read(self, drive: str, machine: str, volume_type: str) -> Cloud:
        if not machine:
            raise StorageError(f"drive {drive}: machine is not given; it is the ID of the VM, such as i-12345678")
        found = self._volumes(Tags=[f"{TAG}={drive}"])
        # The tag of an unlinked volume may be missing; a volume that is linked was tagged before.
        loose = self._volumes(VolumeStates=["creating", "available", "error"])
        prefix = token_prefix(drive)
        known = {volume["VolumeId"] for volume in found}
        orphans = [
            volume
            for volume in loose
            if str(volume.get("ClientToken") or "").startswith(prefix) and volume["VolumeId"] not in known
        ]
        there = [volume for volume in found if volume["State"] != "deleting"]
        zone = self._zone(machine)
        return Cloud(
            drive,
            machine,
            zone,
            tuple(map(_volume, sorted(there, key=_by_age))),
            tuple(_volume(volume) for volume in orphans if not _tags(volume)),
            limits(volume_type),
        )

    def create(self, action: Create) -> str:
        known = self._volumes(ClientTokens=[action.token])
        found = next((volume for volume in known if volume["State"] not in ("deleting", "error")), None)
        if found is None:
            words: dict[str, Any] = {
                "SubregionName": action.zone,
                "Size": action.size // GiB,
                "VolumeType": action.type or "gp2",
                "ClientToken": action.token,
            }
            if action.iops:
                words["Iops"] = action.iops
            found = self._ask("CreateVolume", **words)["Volume"]
        name = str(found["VolumeId"])
        self.adopt(Adopt(action.drive, name))
        wait_for(
            lambda: self._one(name), lambda one: one is not None and one.state != "creating", self._wait, "created"
        )
        return name

    def adopt(self, action: Adopt) -> None:
        self._ask("CreateTags", ResourceIds=[action.volume], Tags=[{"Key": TAG, "Value": action.drive}])
        wait_until(
            lambda: bool(self._volumes(Tags=[f"{TAG}={action.drive}"], VolumeIds=[action.volume])),
            self._wait,
            f"for the tag of {action.volume}, and it is not there",
        )

    def attach(self, action: Attach) -> None:
        wait_for(
            lambda: self._one(action.volume),
            lambda one: one is not None and one.state != "creating" and one.link != "detaching",
            self._wait,
            "ready to be attached",
        )
        for name in self._free_names(action.machine):
            try:
                self._ask("LinkVolume", VolumeId=action.volume, VmId=action.machine, DeviceName=name)
                break
            except StorageError as error:
                # An earlier request whose answer was lost may have done it.
                one = self._one(action.volume)
                if one is not None and one.machine == action.machine:
                    break
                if getattr(error, "code", "") != _DEVICE_CONFLICT:
                    raise
        else:
            raise StorageError(f"{action.machine}: no device name is free for {action.volume}; detach another volume")
        wait_for(
            lambda: self._one(action.volume),
            lambda one: one is not None and one.machine == action.machine and one.link == "attached",
            self._wait,
            f"attached to {action.machine}",
        )

    def detach(self, action: Detach) -> None:
        one = self._one(action.volume)
        if one is not None and one.link not in ("", "detaching"):
            with _passing(_NOT_IN_USE):
                self._ask("UnlinkVolume", VolumeId=action.volume)
        wait_for(
            lambda: self._one(action.volume),
            lambda one: one is None or (not one.machine and one.state == "available"),
            self._wait,
            "detached",
        )

    def resize(self, action: Resize) -> None:
        one = self._one(action.volume)
        if one is None or one.size < action.size:
            words: dict[str, Any] = {"VolumeId": action.volume, "Size": action.size // GiB}
            if action.iops:
                words["Iops"] = action.iops
            self._ask("UpdateVolume", **words)
        wait_for(
            lambda: self._one(action.volume),
            lambda one: one is not None and one.size >= action.size and not one.fixed,
            self._wait,
            f"resized to {action.size // GiB} GiB",
        )

    def delete(self, action: Delete) -> None:
        with _passing(_NO_SUCH_VOLUME):
            self._ask("DeleteVolume", VolumeId=action.volume)
        wait_for(lambda: self._one(action.volume), lambda one: one is None, self._wait, "deleted")

    def _zone(self, machine: str) -> str:
        found = self._ask("ReadVms", Filters={"VmIds": [machine]}).get("Vms") or []
        if not found:
            raise StorageError(f"machine: there is no VM {machine} in this region; give the ID of one that is there")
        return str(found[0]["Placement"]["SubregionName"])

    def _free_names(self, machine: str) -> list[str]:
        """Names for a device that no volume of a machine has. The kernel gives the device one of its own."""
        linked = self._volumes(LinkVolumeVmIds=[machine])
        taken = {link["DeviceName"] for volume in linked for link in volume.get("LinkedVolumes") or ()}
        names = [f"/dev/xvd{letter}" for letter in _LETTERS]
        names += [f"/dev/xvd{first}{second}" for first in "bc" for second in f"a{_LETTERS}"]
        return [name for name in names if name not in taken]

    def _one(self, volume: str) -> Volume | None:
        found = self._volumes(VolumeIds=[volume])
        return _volume(found[0]) if found else None

    def _volumes(self, **filters: Sequence[str]) -> list[dict[str, Any]]:
        """All pages."""
        found: list[dict[str, Any]] = []
        words: dict[str, Any] = {"Filters": filters, "ResultsPerPage": _PAGE}
        while True:
            answer = self._ask("ReadVolumes", **words)
            found += answer.get("Volumes") or []
            if not answer.get("NextPageToken"):
                return found
            words["NextPageToken"] = answer["NextPageToken"]

    def _ask(self, call: str, **words: Any) -> dict[str, Any]:
        """The answer to a call. Each is safe to send again: what it asks for is a state, or has a client token."""
        import requests

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._client.api(call, **words)
                if not isinstance(answer, dict):
                    raise StorageError(f"{call}: the API answered with what is no JSON object; is its endpoint right?")
                return answer
            except requests.exceptions.JSONDecodeError:
                raise StorageError(f"{call}: the API answered with what is no JSON; is its endpoint right?") from None
            except requests.RequestException as error:
                response = error.response
                again = response is None or response.status_code in _AGAIN
                if not again or attempt == _ATTEMPTS:
                    raise _told(call, words, error) from None
                time.sleep(_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def limits(volume_type: str) -> Limits:
    """What Outscale permits. Sizes of all types, and IOPS of io1."""
    common = Limits(largest=_LARGEST, attachments=ATTACHMENTS)
    if volume_type not in ("", "standard", "gp2", "io1"):
        raise StorageError(f"policy: volume_type: Outscale has no type {volume_type}; it has standard, gp2 and io1")
    if volume_type != "io1":
        return common
    return common._replace(smallest=4 * GiB, smallest_iops=100, largest_iops=13000, iops_per_gib=300)


def _volume(told: dict[str, Any]) -> Volume:
    link: dict[str, Any] = next(iter(told.get("LinkedVolumes") or ()), {})
    attached = link.get("State") not in (None, "detached")
    name = str(told["VolumeId"])
    return Volume(
        name,
        int(told["Size"]) * GiB,
        str(told.get("VolumeType") or ""),
        int(told.get("Iops") or 0) if told.get("VolumeType") == "io1" else 0,
        state=str(told["State"]),
        machine=str(link.get("VmId") or "") if attached else "",
        link=str(link.get("State") or "") if attached else "",
        zone=str(told.get("SubregionName") or ""),
        fixed=f"update {told['TaskId']} of it is in progress" if told.get("TaskId") else "",
        created=_time(told.get("CreationDate")),
        serials=serials(name),
    )


def serials(name: str) -> tuple[str, ...]:
    """How a host may know a volume: by its ID, by that without its dash (NVMe), and by 20 characters of it (virtio)."""
    return tuple(dict.fromkeys((name, name.replace("-", ""), name[:20])))


def _by_age(told: dict[str, Any]) -> tuple[str, str]:
    return str(told.get("CreationDate") or ""), str(told["VolumeId"])


def _time(text: Any) -> float:
    if not text:
        return 0.0
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _tags(told: dict[str, Any]) -> list[str]:
    return [str(tag["Value"]) for tag in told.get("Tags") or () if tag.get("Key") == TAG]


@contextlib.contextmanager
def _passing(code: str) -> Iterator[None]:
    """An error that says that there is nothing left to do."""
    try:
        yield
    except ApiError as error:
        if error.code != code:
            raise


def _told(call: str, words: dict[str, Any], error: Any) -> StorageError:
    """What the API said no to, without the request's signature."""
    about = words.get("VolumeId") or words.get("ClientToken") or ""
    what = f"{call} {about}".strip()
    if error.response is None:
        return StorageError(f"{what}: no answer came ({type(error).__name__}); nothing is lost, run this again")
    status = error.response.status_code
    try:
        first = error.response.json()["Errors"][0]
        code, kind, details = str(first.get("Code")), str(first.get("Type")), str(first.get("Details") or "")
    except (ValueError, KeyError, IndexError, TypeError):
        return StorageError(f"{what}: the API failed with status {status}; run this again")
    if status == 401:
        return ApiError(
            f"{what}: the API does not accept the access key (error {code}); check access_key and region", code
        )
    return ApiError(f"{what}: the API refused it with error {code}, {kind}" + (f": {details}" if details else ""), code)


def _client(profile: dict[str, Any], endpoint: str | None, timeout: int, rate: int) -> Any:
    """The SDK's client, with a time limit for each request, and without its own repetitions.

    It is the part of the SDK below ``Gateway``, which reads the description of the whole API for more than a second.
    """
    try:
        from osc_sdk_python.call import Call
        from osc_sdk_python.credentials import Endpoint
        from osc_sdk_python.limiter import RateLimiter
        from requests.adapters import HTTPAdapter
    except ImportError:
        raise StorageError(
            f"{missing_required_lib('osc-sdk-python')} It needs Python 3.10 or newer, where the module runs"
        ) from None

    class Bounded(HTTPAdapter):
        def send(self, request: Any, *more: Any, **words: Any) -> Any:
            return super().send(request, *more, **{**words, "timeout": timeout})

    more = {"endpoints": Endpoint(api=endpoint)} if endpoint else {}
    client = Call(limiter=RateLimiter(timedelta(seconds=1), rate), max_retries=0, **profile, **more)
    for scheme in ("https://", "http://"):
        client.session.mount(scheme, Bounded())
    return client
