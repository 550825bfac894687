# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes and VMs of a region."""

from __future__ import annotations

import base64
import functools
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import osc_sdk_python
import yaml

from tests.simulators.cloud import Weather

_RESOURCES = Path(osc_sdk_python.__file__).parent / "resources"
_DEVICE = re.compile(r"/dev/(sd|xvd)[b-z][a-z]?")
_LARGEST = 14901
_IOPS, _IOPS_PER_GIB = 13000, 300
_PER_VM = 40


@functools.cache
def shipped(name: str) -> Any:
    return yaml.load((_RESOURCES / name).read_text(), yaml.CSafeLoader)


class ApiError(Exception):
    """An error by its number, which the SDK's table has."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self.status = 401 if code == 1 else 400
        kind = "AccessDenied" if code == 1 else shipped("gateway_errors.yaml")[code]["Type"]
        self.body = {"Errors": [{"Code": str(code), "Type": kind, "Details": details}]}


@dataclass
class Link:
    """A volume at a VM. ``since`` is when the state was entered."""

    vm: str
    device: str
    state: str
    since: float


@dataclass
class Volume:
    """A volume. ``state`` is what was asked for; ``Region.settle`` moves it on."""

    id: str
    size: int
    type: str
    iops: int
    zone: str
    token: str
    made: float
    state: str = "creating"
    since: float = 0.0
    link: Link | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tagged: float = 0.0
    task: tuple[str, int, int, float] | None = None


@dataclass
class Snapshot:
    """A snapshot of a volume, pending since it was asked for."""

    id: str
    volume: str
    size: int
    token: str
    since: float
    state: str = "pending"
    tags: dict[str, str] = field(default_factory=dict)
    tagged: float = 0.0


@dataclass
class Region(Weather):
    """``lag``: for how long a filter by tag does not know a new tag.

    ``names`` are the IDs of new volumes. ``plugged`` is told of each volume that a VM gets (attached), that becomes
    larger there (updated), and that it loses (detached), so that there can be a real disk.
    """

    most_volumes: int = 50
    most_size: int = 100000
    zone: str = "eu-west-2a"
    vms: dict[str, str] = field(default_factory=lambda: {"i-00000001": "eu-west-2a", "i-00000002": "eu-west-2a"})
    volumes: dict[str, Volume] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    names: Iterator[str] = field(default_factory=lambda: (f"vol-{number:08x}" for number in itertools.count(1)))
    plugged: Callable[[str, Volume], None] = lambda _what, _volume: None

    def settle(self) -> None:
        """Let what was asked for happen, once its time has come."""
        now = time.monotonic()
        for volume in list(self.volumes.values()):
            if volume.id in self.broken:
                volume.state = "error"
            over = now - volume.since >= self.delay
            if volume.state == "creating" and over and "creating" not in self.stuck:
                volume.state = "available"
            if volume.state == "deleting" and over and "deleting" not in self.stuck:
                del self.volumes[volume.id]
            if volume.task and now - volume.task[3] >= self.delay and "updating" not in self.stuck:
                volume.size, volume.iops, volume.task = volume.task[1], volume.task[2], None
                if volume.link:
                    self.plugged("updated", volume)
            link = volume.link
            if link and now - link.since >= self.delay and link.state not in self.stuck:
                if link.state == "attaching":
                    self.plugged("attached", volume)
                    link.state = "attached"
                elif link.state == "detaching":
                    self.plugged("detached", volume)
                    volume.link, volume.state = None, "available"
        for snapshot in self.snapshots.values():
            if snapshot.id in self.broken:
                snapshot.state = "error"
            elif now - snapshot.since >= self.delay and "saving" not in self.stuck:
                snapshot.state = "completed"

    def add(self, size: int, **more: Any) -> Volume:
        """A volume that is there already."""
        volume = Volume(next(self.names), size, "gp2", 0, self.zone, "", time.time(), "available", 0.0)
        for name, value in more.items():
            setattr(volume, name, value)
        self.volumes[volume.id] = volume
        return volume

    def one(self, words: dict[str, Any]) -> Volume:
        try:
            return self.volumes[words["VolumeId"]]
        except KeyError:
            raise ApiError(5064, f"The VolumeId '{words['VolumeId']}' doesn't exist.") from None

    # --- the calls

    def CreateVolume(self, words: dict[str, Any]) -> dict[str, Any]:
        token = words.get("ClientToken", "")
        known = next((one for one in self.volumes.values() if token and one.token == token), None)
        if known:
            return {"Volume": self.told(known)}
        kind, size, iops = words.get("VolumeType", "standard"), words.get("Size", 0), words.get("Iops")
        if words["SubregionName"] not in self.vms.values():
            raise ApiError(4047, f"no Subregion {words['SubregionName']}")
        if not 1 <= size <= _LARGEST or (kind == "io1" and size < 4):
            raise ApiError(4078, f"Size {size}")
        self.check_type(kind, size, iops)
        if len(self.volumes) >= self.most_volumes:
            raise ApiError(10018, "The limit of volumes is reached.")
        if size + sum(one.size for one in self.volumes.values()) > self.most_size:
            raise ApiError(10024, "The limit of size is reached.")
        made = Volume(next(self.names), size, kind, iops or 0, words["SubregionName"], token, time.time())
        made.since = time.monotonic()
        self.volumes[made.id] = made
        return {"Volume": self.told(made)}

    def check_type(self, kind: str, size: int, iops: int | None) -> None:
        if kind not in ("standard", "gp2", "io1"):
            raise ApiError(4073, f"VolumeType {kind}")
        if (iops is None) == (kind == "io1"):
            raise ApiError(4029, "Iops is for io1, and io1 needs it.")
        if iops is not None and not 100 <= iops <= min(_IOPS, _IOPS_PER_GIB * size):
            raise ApiError(4029, f"Iops {iops} with {size} GiB")

    def CreateTags(self, words: dict[str, Any]) -> dict[str, Any]:
        for name in words["ResourceIds"]:
            one = self.snapshots.get(name) or self.one({"VolumeId": name})
            for tag in words["Tags"]:
                if one.tags.get(tag["Key"]) not in (None, tag["Value"]):
                    raise ApiError(9060, f"{name} has the tag {tag['Key']}")
                one.tags[tag["Key"]] = tag["Value"]
            one.tagged = time.monotonic()
        return {}

    def LinkVolume(self, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(words)
        if words["VmId"] not in self.vms:
            raise ApiError(5063, f"no VM {words['VmId']}")
        if not _DEVICE.fullmatch(words["DeviceName"]):
            raise ApiError(4019, words["DeviceName"])
        if volume.link:
            raise ApiError(9004, f"{volume.id} is linked to {volume.link.vm}")
        if volume.state != "available":
            raise ApiError(6007, f"{volume.id} is {volume.state}")
        if volume.zone != self.vms[words["VmId"]]:
            raise ApiError(4047, f"{volume.id} is in {volume.zone}")
        here = [one.link for one in self.volumes.values() if one.link and one.link.vm == words["VmId"]]
        if words["DeviceName"] in [link.device for link in here]:
            raise ApiError(9003, f"{words['DeviceName']} is taken")
        if len(here) >= _PER_VM:
            raise ApiError(10018, f"{words['VmId']} has {len(here)} volumes")
        volume.link, volume.state = Link(words["VmId"], words["DeviceName"], "attaching", time.monotonic()), "in-use"
        return {}

    def UnlinkVolume(self, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(words)
        if volume.link is None:
            raise ApiError(9063, f"{volume.id} is {volume.state}")
        volume.link.state, volume.link.since = "detaching", time.monotonic()
        return {}

    def UpdateVolume(self, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(words)
        size, iops = words.get("Size", volume.size), words.get("Iops", volume.iops or None)
        if volume.state not in ("available", "in-use") or volume.task:
            raise ApiError(6007, f"{volume.id} is {volume.state}, task {volume.task}")
        if not volume.size <= size <= _LARGEST:
            raise ApiError(4078, f"Size {size}, and it has {volume.size}")
        self.check_type(volume.type, size, iops)
        volume.task = (f"vol-update-{next(self.numbers):08x}", size, iops or 0, time.monotonic())
        return {"Volume": self.told(volume)}

    def DeleteVolume(self, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(words)
        if volume.state != "available":
            raise ApiError(6007, f"{volume.id} is {volume.state}")
        volume.state, volume.since = "deleting", time.monotonic()
        return {}

    def ReadVms(self, words: dict[str, Any]) -> dict[str, Any]:
        wanted = words.get("Filters", {}).get("VmIds")
        found = [name for name in self.vms if wanted is None or name in wanted]
        return {
            "Vms": [
                {"VmId": name, "State": "running", "Placement": {"SubregionName": self.vms[name]}} for name in found
            ]
        }

    def ReadVolumes(self, words: dict[str, Any]) -> dict[str, Any]:
        filters = dict(words.get("Filters", {}))
        found = [volume for volume in self.volumes.values() if self.fits(volume, filters)]
        return self.page_of(words, "Volumes", [self.told(volume) for volume in found])

    def page_of(self, words: dict[str, Any], key: str, found: list[dict[str, Any]]) -> dict[str, Any]:
        start = int(base64.b64decode(words["NextPageToken"])) if "NextPageToken" in words else 0
        size = min(self.page, words.get("ResultsPerPage", self.page))
        more = {}
        if start + size < len(found):
            more = {"NextPageToken": base64.b64encode(str(start + size).encode()).decode()}
        return {key: found[start : start + size], **more}

    def CreateSnapshot(self, words: dict[str, Any]) -> dict[str, Any]:
        token = words.get("ClientToken", "")
        known = next((one for one in self.snapshots.values() if token and one.token == token), None)
        if known is None:
            volume = self.one(words)
            if volume.state not in ("available", "in-use"):
                raise ApiError(6007, f"{volume.id} is {volume.state}")
            known = Snapshot(f"snap-{next(self.numbers):08x}", volume.id, volume.size, token, time.monotonic())
            self.snapshots[known.id] = known
        return {"Snapshot": told_snapshot(known)}

    def ReadSnapshots(self, words: dict[str, Any]) -> dict[str, Any]:
        filters = words.get("Filters", {})
        found = [
            one
            for one in self.snapshots.values()
            if matches(
                {"Tags": self.tags(one), "ClientTokens": [one.token], "SnapshotIds": [one.id]},
                filters,
            )
        ]
        return self.page_of(words, "Snapshots", [told_snapshot(one) for one in found])

    def tags(self, one: Volume | Snapshot) -> list[str]:
        """The tags that a filter knows."""
        known = time.monotonic() - one.tagged >= self.lag
        return [f"{key}={value}" for key, value in one.tags.items()] if known else []

    def fits(self, volume: Volume, filters: dict[str, Any]) -> bool:
        have: dict[str, list[str]] = {
            "Tags": self.tags(volume),
            "VolumeIds": [volume.id],
            "VolumeStates": [volume.state],
            "ClientTokens": [volume.token],
            "LinkVolumeVmIds": [volume.link.vm] if volume.link else [],
        }
        return matches(have, filters)

    def told(self, volume: Volume) -> dict[str, Any]:
        made = datetime.fromtimestamp(volume.made, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        link = volume.link
        links = (
            []
            if link is None
            else [
                {
                    "VolumeId": volume.id,
                    "VmId": link.vm,
                    "DeviceName": link.device,
                    "State": link.state,
                    "DeleteOnVmDeletion": False,
                }
            ]
        )
        return {
            "VolumeId": volume.id,
            "Size": volume.size,
            "VolumeType": volume.type,
            "State": volume.state,
            "SubregionName": volume.zone,
            "CreationDate": made,
            "Tags": [{"Key": key, "Value": value} for key, value in volume.tags.items()],
            "LinkedVolumes": links,
            **({"Iops": volume.iops} if volume.iops else {}),
            **({"ClientToken": volume.token} if volume.token else {}),
            **({"TaskId": volume.task[0]} if volume.task else {}),
        }


def matches(have: dict[str, list[str]], filters: dict[str, Any]) -> bool:
    unknown = filters.keys() - have.keys()
    assert not unknown, f"the simulator lacks the filters {unknown}"
    return all(set(have[name]) & set(wanted) for name, wanted in filters.items())


def told_snapshot(one: Snapshot) -> dict[str, Any]:
    return {
        "SnapshotId": one.id,
        "VolumeId": one.volume,
        "VolumeSize": one.size,
        "State": one.state,
        "Progress": 100 if one.state == "completed" else 40,
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()],
        **({"ClientToken": one.token} if one.token else {}),
    }


CALLS = (
    *(
        "CreateVolume",
        "CreateTags",
        "LinkVolume",
        "UnlinkVolume",
        "UpdateVolume",
        "DeleteVolume",
        "ReadVms",
        "ReadVolumes",
        "CreateSnapshot",
        "ReadSnapshots",
    ),
)
