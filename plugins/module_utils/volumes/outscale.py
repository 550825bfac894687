# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BSU volumes of Outscale, by osc-sdk-python.

Outscale tags a volume in a second call. So the client token says which drive a volume was made for: one that a crash
left without its tag is found by its token.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..core.errors import StorageError
from .provider import TAG, Adopt, Attach, Create, Resize, TakeSnapshot, serials, token_prefix
from .remote import ApiError, NameTaken, no_answer, no_machine, passing, refused, repeated, unaccepted
from .state import GiB, Limits, Snapshot, Volume

ATTACHMENTS = 40
_LARGEST = 14901 * GiB
_PAGE = 100
_PER_SECOND = 5
_LETTERS = "bcdefghijklmnopqrstuvwxyz"
_NO_SUCH_VOLUME, _DEVICE_CONFLICT, _NOT_IN_USE = "5064", "9003", "9063"
#: Answers after which a request is sent again: throttled, or a gateway without an answer.
_AGAIN = (429, 502, 503, 504)


class Outscale:
    """One region. Each request has a time limit."""

    example = "i-12345678"

    def __init__(self, options: dict[str, Any]) -> None:
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
            {**keys, "region": region},
            endpoint,
            options["request_timeout"],
            options["requests_per_second"] or _PER_SECOND,
        )

    def tagged(self, drive: str) -> list[Volume]:
        found = self._volumes(Tags=[f"{TAG}={drive}"])
        return [_volume(told) for told in sorted(found, key=_by_age) if told["State"] != "deleting"]

    def loose(self, drive: str) -> list[Volume]:
        # The tag of an unlinked volume may be missing; a volume that is linked was tagged before.
        unlinked = self._volumes(VolumeStates=["creating", "available", "error"])
        prefix = token_prefix(drive)
        return [
            _volume(told)
            for told in unlinked
            if str(told.get("ClientToken") or "").startswith(prefix) and not _tags(told)
        ]

    def one(self, volume: str) -> Volume | None:
        found = self._volumes(VolumeIds=[volume])
        return _volume(found[0]) if found else None

    def zone(self, machine: str) -> str:
        found = self._ask("ReadVms", Filters={"VmIds": [machine]}).get("Vms") or []
        if not found:
            raise no_machine("VM", machine, "region")
        return str(found[0]["Placement"]["SubregionName"])

    def limits(self, volume_type: str) -> Limits:
        return limits(volume_type)

    def make(self, action: Create) -> str:
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
        self.tag(Adopt(action.drive, name))
        return name

    def tag(self, action: Adopt) -> None:
        self._ask("CreateTags", ResourceIds=[action.volume], Tags=[{"Key": TAG, "Value": action.drive}])

    def names(self, machine: str) -> list[str]:
        linked = self._volumes(LinkVolumeVmIds=[machine])
        taken = {link["DeviceName"] for volume in linked for link in volume.get("LinkedVolumes") or ()}
        names = [f"/dev/xvd{letter}" for letter in _LETTERS]
        names += [f"/dev/xvd{first}{second}" for first in "bc" for second in f"a{_LETTERS}"]
        return [name for name in names if name not in taken]

    def link(self, action: Attach, name: str) -> None:
        try:
            self._ask("LinkVolume", VolumeId=action.volume, VmId=action.machine, DeviceName=name)
        except ApiError as error:
            if error.code == _DEVICE_CONFLICT:
                raise NameTaken(str(error), error.code) from None
            raise

    def unlink(self, volume: Volume) -> None:
        with passing(_NOT_IN_USE):
            self._ask("UnlinkVolume", VolumeId=volume.id)

    def enlarge(self, action: Resize) -> None:
        words: dict[str, Any] = {"VolumeId": action.volume, "Size": action.size // GiB}
        if action.iops:
            words["Iops"] = action.iops
        self._ask("UpdateVolume", **words)

    def snapshots(self, drive: str) -> list[Snapshot]:
        found = self._pages("ReadSnapshots", "Snapshots", Tags=[f"{TAG}={drive}"])
        return [
            Snapshot(
                str(told["SnapshotId"]),
                str(told.get("VolumeId") or ""),
                str(told.get("ClientToken") or ""),
                str(told["State"]),
                told.get("Progress"),
            )
            for told in found
        ]

    def save(self, action: TakeSnapshot) -> None:
        words = {"VolumeId": action.volume, "ClientToken": action.token, "Description": f"drive {action.drive}"}
        known = self._pages("ReadSnapshots", "Snapshots", ClientTokens=[action.token])
        found = known[0] if known else self._ask("CreateSnapshot", **words)["Snapshot"]
        self.tag(Adopt(action.drive, str(found["SnapshotId"])))

    def remove(self, volume: str) -> None:
        with passing(_NO_SUCH_VOLUME):
            self._ask("DeleteVolume", VolumeId=volume)

    def _volumes(self, **filters: Sequence[str]) -> list[dict[str, Any]]:
        return self._pages("ReadVolumes", "Volumes", **filters)

    def _pages(self, call: str, key: str, **filters: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        words: dict[str, Any] = {"Filters": filters, "ResultsPerPage": _PAGE}
        while True:
            answer = self._ask(call, **words)
            found += answer.get(key) or []
            if not answer.get("NextPageToken"):
                return found
            words["NextPageToken"] = answer["NextPageToken"]

    def _ask(self, call: str, **words: Any) -> dict[str, Any]:
        """The answer to a call. Each is safe to send again: what it asks for is a state, or has a client token."""
        import requests

        def passes(error: Exception) -> bool:
            if not isinstance(error, requests.RequestException) or isinstance(error, ValueError):
                return False
            return error.response is None or error.response.status_code in _AGAIN

        try:
            answer = repeated(lambda: self._client.api(call, **words), passes)
        except requests.exceptions.JSONDecodeError:
            raise StorageError(f"{call}: the API answered with what is no JSON; is its endpoint right?") from None
        except requests.RequestException as error:
            raise _told(call, words, error) from None
        if not isinstance(answer, dict):
            raise StorageError(f"{call}: the API answered with what is no JSON object; is its endpoint right?")
        return answer


def limits(volume_type: str) -> Limits:
    """What Outscale permits. Sizes of all types, and IOPS of io1."""
    common = Limits(largest=_LARGEST, attachments=ATTACHMENTS)
    if volume_type not in ("", "standard", "gp2", "io1"):
        raise StorageError(f"policy: volume_type: Outscale has no type {volume_type}; it has standard, gp2 and io1")
    if volume_type != "io1":
        return common
    return common._replace(smallest=4 * GiB, smallest_iops=100, largest_iops=13000, iops_per_gib=300, needs_iops=True)


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
        resizing=bool(told.get("TaskId")),
        created=_time(told.get("CreationDate")),
        serials=serials(name),
    )


def _by_age(told: dict[str, Any]) -> tuple[str, str]:
    return str(told.get("CreationDate") or ""), str(told["VolumeId"])


def _time(text: Any) -> float:
    if not text:
        return 0.0
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _tags(told: dict[str, Any]) -> list[str]:
    return [str(tag["Value"]) for tag in told.get("Tags") or () if tag.get("Key") == TAG]


def _told(call: str, words: dict[str, Any], error: Any) -> StorageError:
    """What the API said no to, without the request's signature."""
    about = words.get("VolumeId") or words.get("ClientToken") or ""
    what = f"{call} {about}".strip()
    if error.response is None:
        return no_answer(what, error)
    status = error.response.status_code
    if status == 401:
        return unaccepted(what, "401")
    try:
        first = error.response.json()["Errors"][0]
        code, kind, details = str(first.get("Code")), str(first.get("Type")), str(first.get("Details") or "")
    except (ValueError, KeyError, IndexError, TypeError):
        return StorageError(f"{what}: the API failed with status {status}; run this again")
    return refused(what, f"{code}, {kind}", details, code)


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
