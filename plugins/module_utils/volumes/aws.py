# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EBS volumes of AWS, by boto3. A volume gets its tag in the request that makes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ..core.errors import Outdated, StorageError
from .provider import TAG, TOKEN, Adopt, Attach, Create, Resize, TakeSnapshot, serials
from .remote import ATTEMPTS, ApiError, NameTaken, no_answer, no_machine, passing, refused, unaccepted
from .state import GiB, Limits, Snapshot, Volume

_DEFAULT_TYPE = "gp3"
_PAGE = 100
#: For how long a new volume may not be seen by its ID, in seconds.
_UNSEEN = 5
#: How often volumes of one token may have been made and deleted again, while AWS remembers the token.
_LIVES = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NO_SUCH_VOLUME = "InvalidVolume.NotFound"
_NO_SUCH_MACHINE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_UNACCEPTED = ("AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "RequestExpired", "ExpiredToken")
#: Why a volume cannot be modified at the moment: too often of late, or a modification goes on.
_FIXED = ("VolumeModificationRateExceeded", "IncorrectModificationState")
_TYPES = {
    "gp2": Limits(largest=16384 * GiB),
    "gp3": Limits(
        largest=65536 * GiB,
        smallest_iops=3000,
        largest_iops=80000,
        iops_per_gib=500,
        smallest_throughput=125,
        largest_throughput=2000,
        iops_per_throughput=4,
    ),
    "io1": Limits(4 * GiB, 16384 * GiB, smallest_iops=100, largest_iops=64000, iops_per_gib=50, needs_iops=True),
    "io2": Limits(4 * GiB, 65536 * GiB, smallest_iops=100, largest_iops=256000, iops_per_gib=1000, needs_iops=True),
    "sc1": Limits(125 * GiB, 16384 * GiB),
    "st1": Limits(125 * GiB, 16384 * GiB),
    "standard": Limits(largest=1024 * GiB),
}


class Aws:
    """One region. Each request has a time limit, and boto3 repeats those that were throttled or got no answer."""

    example = "i-0123456789abcdef0"

    def __init__(self, options: dict[str, Any]) -> None:
        self._client = _client(options)
        #: Volumes that could not be modified, and the API's own words for why.
        self._fixed: dict[str, str] = {}

    def tagged(self, drive: str) -> list[Volume]:
        found = self._volumes(f"tag:{TAG}", drive)
        there = [told for told in found if told["State"] not in ("deleting", "deleted")]
        changing = self._modifications([told["VolumeId"] for told in there])
        there.sort(key=lambda told: (told["CreateTime"], told["VolumeId"]))
        return [self._volume(told, changing) for told in there]

    def loose(self, _drive: str) -> Sequence[Volume]:
        return ()

    def one(self, volume: str) -> Volume | None:
        found = [told for told in self._volumes("volume-id", volume) if told["State"] != "deleted"]
        return self._volume(found[0], self._modifications([volume])) if found else None

    def zone(self, machine: str) -> str:
        return str(self._machine(machine)["Placement"]["AvailabilityZone"])

    def limits(self, volume_type: str) -> Limits:
        try:
            return _TYPES[volume_type or _DEFAULT_TYPE]
        except KeyError:
            raise StorageError(
                f"policy: volume_type: AWS has no type {volume_type}; it has {', '.join(_TYPES)}"
            ) from None

    def make(self, action: Create) -> str:
        words: dict[str, Any] = {
            "AvailabilityZone": action.zone,
            "Size": action.size // GiB,
            "VolumeType": action.type or _DEFAULT_TYPE,
            "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": TAG, "Value": action.drive}]}],
            **_settings(action),
        }
        for life in range(_LIVES):
            # A token that made a volume which was deleted since is answered with that volume.
            token = f"{action.token}-{life}" if life else action.token
            name = str(self._ask("create_volume", token, ClientToken=token, **words)["VolumeId"])
            if self._appears(name):
                return name
        raise StorageError(
            f"drive {action.drive}: AWS answered {_LIVES} times with a volume that was deleted since, the last "
            f"time with {name}. Run this again once it has forgotten the token, in a day"
        )

    def tag(self, action: Adopt) -> None:
        tags = [{"Key": TAG, "Value": action.drive}]
        self._ask("create_tags", action.volume, Resources=[action.volume], Tags=tags)

    def names(self, machine: str) -> list[str]:
        taken = {device["DeviceName"] for device in self._machine(machine).get("BlockDeviceMappings") or ()}
        names = [f"/dev/sd{letter}" for letter in _LETTERS[5:16]]
        names += [f"/dev/xvd{first}{second}" for first in "bc" for second in _LETTERS]
        return [name for name in names if name not in taken]

    def link(self, action: Attach, name: str) -> None:
        try:
            self._ask("attach_volume", action.volume, VolumeId=action.volume, InstanceId=action.machine, Device=name)
        except ApiError as error:
            if error.code == "InvalidParameterValue" and name in str(error):
                raise NameTaken(str(error), error.code) from None
            raise

    def unlink(self, volume: Volume) -> None:
        with passing("IncorrectState"):
            self._ask("detach_volume", volume.id, VolumeId=volume.id, InstanceId=volume.machine)

    def enlarge(self, action: Resize) -> None:
        words = {"VolumeId": action.volume, "Size": action.size // GiB, **_settings(action)}
        try:
            self._ask("modify_volume", action.volume, **words)
        except ApiError as error:
            if error.code not in _FIXED:
                raise
            self._fixed[action.volume] = str(error)
            raise Outdated(str(error)) from None

    def snapshots(self, drive: str) -> list[Snapshot]:
        filters = [{"Name": f"tag:{TAG}", "Values": [drive]}]
        found = self._pages("describe_snapshots", "Snapshots", filters, OwnerIds=["self"])
        return [
            Snapshot(
                str(told["SnapshotId"]),
                str(told["VolumeId"]),
                next((str(tag["Value"]) for tag in told["Tags"] if tag["Key"] == TOKEN), ""),
                str(told["State"]),
                _percent(told.get("Progress")),
            )
            for told in found
        ]

    def save(self, action: TakeSnapshot) -> None:
        # CreateSnapshot takes no client token.
        if action.token in [one.token for one in self.snapshots(action.drive)]:
            return
        tags = [{"Key": TAG, "Value": action.drive}, {"Key": TOKEN, "Value": action.token}]
        specification = [{"ResourceType": "snapshot", "Tags": tags}]
        self._ask("create_snapshot", action.volume, VolumeId=action.volume, TagSpecifications=specification)

    def remove(self, volume: str) -> None:
        with passing(_NO_SUCH_VOLUME):
            self._ask("delete_volume", volume, VolumeId=volume)

    def _appears(self, volume: str) -> bool:
        """Whether a volume that a token was answered with is there; one that was just made may take a moment."""
        limit = time.monotonic() + _UNSEEN
        while True:
            one = self.one(volume)
            if one is not None or time.monotonic() > limit:
                return one is not None and one.state != "deleting"
            time.sleep(0.5)

    def _machine(self, machine: str) -> dict[str, Any]:
        try:
            told = self._answer("describe_instances", machine, "Reservations", InstanceIds=[machine])
        except ApiError as error:
            if error.code not in _NO_SUCH_MACHINE:
                raise
            told = {}
        found = [one for reservation in told.get("Reservations", ()) for one in reservation.get("Instances") or ()]
        if not found:
            raise no_machine("instance", machine, "region")
        return dict(found[0])

    def _modifications(self, volumes: list[str]) -> dict[str, dict[str, Any]]:
        """The modifications of volumes that go on."""
        if not volumes:
            return {}
        filters = [{"Name": "volume-id", "Values": volumes}]
        found = self._pages("describe_volumes_modifications", "VolumesModifications", filters)
        return {told["VolumeId"]: told for told in found if told["ModificationState"] in ("modifying", "optimizing")}

    def _volumes(self, name: str, value: str) -> list[dict[str, Any]]:
        return self._pages("describe_volumes", "Volumes", [{"Name": name, "Values": [value]}])

    def _pages(self, call: str, key: str, filters: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        words: dict[str, Any] = {"Filters": filters, "MaxResults": _PAGE, **more}
        while True:
            answer = self._answer(call, "", key, **words)
            found += answer[key]
            if not answer.get("NextToken"):
                return found
            words["NextToken"] = answer["NextToken"]

    def _answer(self, call: str, about: str, key: str, **words: Any) -> dict[str, Any]:
        """The answer to a call, which has that key: a page of some proxy reads as an answer with nothing in it."""
        answer = self._ask(call, about, **words)
        if key not in answer:
            raise _unread(self._name(call))
        return answer

    def _ask(self, call: str, about: str, **words: Any) -> dict[str, Any]:
        """The answer to a call. Each is safe to send again: what it asks for is a state, or has a client token."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from botocore.parsers import ResponseParserError

        what = f"{self._name(call)} {about}".strip()
        try:
            return dict(getattr(self._client, call)(**words))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in _UNACCEPTED:
                raise unaccepted(what, code) from None
            raise refused(what, code, str(error.response["Error"].get("Message") or ""), code) from None
        except ResponseParserError:
            raise _unread(what) from None
        except NoCredentialsError:
            raise StorageError(
                "provider: aws needs access_key and secret_key; give them, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment"
            ) from None
        except BotoCoreError as error:
            raise no_answer(what, error) from None

    def _name(self, call: str) -> str:
        return str(self._client.meta.method_to_api_mapping[call])

    def _volume(self, told: dict[str, Any], changing: dict[str, dict[str, Any]]) -> Volume:
        link: dict[str, Any] = next(iter(told.get("Attachments") or ()), {})
        attached = link.get("State") not in (None, "detached")
        name = str(told["VolumeId"])
        modification = changing.get(name, {})
        fixed = self._fixed.get(name, "")
        if modification:
            fixed = f"it is {modification['ModificationState']}, {modification.get('Progress') or 0}%"
        kind = str(told.get("VolumeType") or "")
        return Volume(
            name,
            int(told["Size"]) * GiB,
            kind,
            # gp2 tells the IOPS that come with its size.
            int(told.get("Iops") or 0) if kind != "gp2" else 0,
            int(told.get("Throughput") or 0),
            state=str(told["State"]),
            machine=str(link.get("InstanceId") or "") if attached else "",
            # A volume that is in use cannot be detached yet.
            link={"busy": "detaching"}.get(str(link["State"]), str(link["State"])) if attached else "",
            zone=str(told.get("AvailabilityZone") or ""),
            fixed=fixed,
            resizing=modification.get("ModificationState") == "modifying",
            percent=_percent(modification.get("Progress")),
            created=told["CreateTime"].timestamp(),
            serials=serials(name),
        )


def _unread(what: str) -> StorageError:
    return StorageError(f"{what}: the API answered with what is no answer of EC2; is its endpoint right?")


def _percent(told: Any) -> float | None:
    """Of a number, or of a text such as ``45%``, which is empty at first."""
    text = str(told or "").rstrip("%")
    return float(text) if text.isdigit() else None


def _settings(action: Create | Resize) -> dict[str, int]:
    wanted = {"Iops": action.iops, "Throughput": action.throughput}
    return {name: value for name, value in wanted.items() if value}


def _client(options: dict[str, Any]) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise StorageError(missing_required_lib("boto3")) from None

    timeout = options["request_timeout"]
    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    try:
        return boto3.client(
            "ec2",
            region_name=options["region"],
            endpoint_url=options["endpoint"],
            aws_access_key_id=options["access_key"],
            aws_secret_access_key=options["secret_key"],
            aws_session_token=options["session_token"],
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise StorageError(f"provider: aws: {error}") from None
