# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes and servers of a project: the states that Cinder and Nova take them through, and what they refuse."""

from __future__ import annotations

import ast
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.simulators.cloud import Weather

_LETTERS = "bcdefghijklmnopqrstuvwxyz"


class ApiError(Exception):
    """An error as Cinder and Nova tell it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        kind = {400: "badRequest", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit"}[status]
        self.body = {kind: {"code": status, "message": message}}


@dataclass
class Volume:
    """A volume. ``status`` was entered at ``since``; ``then`` is what it leads to, with a size or a server."""

    id: str
    size: int
    type: str
    zone: str
    metadata: dict[str, str]
    made: float
    status: str = "available"
    since: float = 0.0
    then: Any = None
    server: str = ""
    device: str = ""


@dataclass
class Snapshot:
    """A snapshot of a volume, creating since it was asked for."""

    id: str
    volume: str
    size: int
    metadata: dict[str, str]
    made: float
    since: float
    status: str = "creating"


@dataclass
class Project(Weather):
    """``zones`` are those of Cinder; ``most_size``: the quota of GiB; ``filters`` false: lists ignore them.

    ``version`` is the microversion of the request that is answered.
    """

    zones: tuple[str, ...] = ("nova",)
    types: tuple[str, ...] = ("fast", "slow")
    most_size: int = 100000
    filters: bool = True
    version: tuple[int, int] = (0, 0)
    servers: dict[str, str] = field(default_factory=lambda: {str(uuid.UUID(int=number)): "nova" for number in (1, 2)})
    volumes: dict[str, Volume] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def settle(self) -> None:
        """Let what was asked for happen, once its time has come."""
        stages = {"creating": "creating", "reserved": "attaching", "extending": "updating"}
        for volume in list(self.volumes.values()):
            if volume.id in self.broken:
                volume.status = "error"
            if time.monotonic() - volume.since < self.delay or stages.get(volume.status, volume.status) in self.stuck:
                continue
            if volume.status == "creating":
                volume.status = "available"
            elif volume.status == "reserved":
                self.enter(volume, "attaching")
            elif volume.status == "attaching":
                volume.status, volume.device = "in-use", self._device(volume.server)
            elif volume.status == "detaching":
                volume.status, volume.server, volume.device = "available", "", ""
            elif volume.status == "extending":
                volume.status, volume.size = "in-use" if volume.server else "available", volume.then
            elif volume.status == "deleting":
                del self.volumes[volume.id]
        for snapshot in self.snapshots.values():
            if snapshot.id in self.broken:
                snapshot.status = "error"
            elif time.monotonic() - snapshot.since >= self.delay and "saving" not in self.stuck:
                snapshot.status = "available"

    def enter(self, volume: Volume, status: str) -> None:
        volume.status, volume.since = status, time.monotonic()

    def add(self, size: int, metadata: dict[str, str]) -> Volume:
        volume = Volume(str(uuid.uuid4()), size, "slow", self.zones[0], metadata, time.time())
        self.volumes[volume.id] = volume
        return volume

    def one(self, name: str) -> Volume:
        try:
            return self.volumes[name]
        except KeyError:
            raise ApiError(404, f"Volume {name} could not be found.") from None

    def server(self, name: str) -> str:
        if name not in self.servers:
            raise ApiError(404, f"Instance {name} could not be found.")
        return name

    def _device(self, server: str) -> str:
        taken = {volume.device for volume in self.volumes.values() if volume.server == server}
        return next(name for name in (f"/dev/vd{letter}" for letter in _LETTERS) if name not in taken)

    # --- Cinder

    def create_volume(self, words: dict[str, Any]) -> dict[str, Any]:
        wanted = words["volume"]
        if wanted.get("availability_zone", self.zones[0]) not in self.zones:
            raise ApiError(400, f"Availability zone '{wanted['availability_zone']}' is invalid.")
        if wanted.get("volume_type", self.types[0]) not in self.types:
            raise ApiError(404, f"Volume type with name {wanted['volume_type']} could not be found.")
        self._check_quota(wanted["size"])
        volume = self.add(wanted["size"], dict(wanted.get("metadata", {})))
        volume.type = wanted.get("volume_type", volume.type)
        volume.zone = wanted.get("availability_zone", volume.zone)
        self.enter(volume, "creating")
        return {"volume": self.told(volume)}

    def _check_quota(self, more: int) -> None:
        used = sum(volume.size for volume in self.volumes.values())
        if used + more > self.most_size:
            raise ApiError(413, f"VolumeSizeExceedsAvailableQuota: Requested {more}G, quota is {self.most_size}G.")

    def show_volume(self, name: str) -> dict[str, Any]:
        return {"volume": self.told(self.one(name))}

    def list_volumes(self, params: dict[str, str]) -> dict[str, Any]:
        return self._page("volumes", params, self.volumes, self.told)

    def _page(self, kind: str, params: dict[str, str], there: dict[str, Any], tell: Any) -> dict[str, Any]:
        wanted = dict(ast.literal_eval(params.get("metadata", "{}")))
        assert params.get("sort", "created_at:asc") == "created_at:asc"
        seen = [one for one in there.values() if time.time() - one.made >= self.lag]
        found = [one for one in seen if not self.filters or wanted.items() <= one.metadata.items()]
        start = 0
        if "marker" in params:
            start = 1 + [one.id for one in found].index(params["marker"])
        end = start + min(self.page, int(params.get("limit", self.page)))
        links = {f"{kind}_links": [{"rel": "next", "href": "…"}]} if end < len(found) else {}
        return {kind: [tell(one) for one in found[start:end]], **links}

    def create_snapshot(self, words: dict[str, Any]) -> dict[str, Any]:
        wanted = words["snapshot"]
        volume = self.one(wanted["volume_id"])
        if volume.status != "available" and not (volume.status == "in-use" and wanted.get("force")):
            raise ApiError(400, f"Invalid volume: Volume {volume.id} status must be available, not {volume.status}.")
        made = Snapshot(
            str(uuid.uuid4()), volume.id, volume.size, dict(wanted.get("metadata", {})), time.time(), time.monotonic()
        )
        self.snapshots[made.id] = made
        return {"snapshot": _told_snapshot(made)}

    def list_snapshots(self, params: dict[str, str]) -> dict[str, Any]:
        return self._page("snapshots", params, self.snapshots, _told_snapshot)

    def set_metadata(self, name: str, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(name)
        volume.metadata.update(words["metadata"])
        return {"metadata": volume.metadata}

    def extend_volume(self, name: str, words: dict[str, Any]) -> None:
        volume, size = self.one(name), words["os-extend"]["new_size"]
        if volume.status not in (("available", "in-use") if self.version >= (3, 42) else ("available",)):
            raise ApiError(400, f"Invalid volume: Volume {name} status must be available, not {volume.status}.")
        if size <= volume.size:
            raise ApiError(400, f"New size must be greater than current size. (current: {volume.size}, got: {size})")
        self._check_quota(size - volume.size)
        volume.then = size
        self.enter(volume, "extending")

    def delete_volume(self, name: str) -> None:
        volume = self.one(name)
        if volume.status not in ("available", "error"):
            raise ApiError(400, f"Invalid volume: Volume status must be available or error, not {volume.status}.")
        self.enter(volume, "deleting")

    def list_zones(self) -> dict[str, Any]:
        return {"availabilityZoneInfo": [{"zoneName": zone, "zoneState": {"available": True}} for zone in self.zones]}

    def list_types(self) -> dict[str, Any]:
        return {"volume_types": [{"id": str(uuid.uuid4()), "name": name, "extra_specs": {}} for name in self.types]}

    def told(self, volume: Volume) -> dict[str, Any]:
        """Cinder tells an attachment once it is complete, and until it is gone."""
        attached = volume.server and volume.status not in ("reserved", "attaching")
        link = {
            "id": volume.id,
            "attachment_id": str(uuid.UUID(volume.id)),
            "volume_id": volume.id,
            "server_id": volume.server,
            "host_name": "compute1",
            "device": volume.device,
            "attached_at": "2026-01-01T00:00:00.000000",
        }
        return {
            "id": volume.id,
            "name": "",
            "size": volume.size,
            "status": volume.status,
            "volume_type": volume.type,
            "availability_zone": volume.zone,
            "metadata": volume.metadata,
            "attachments": [link] if attached else [],
            "created_at": datetime.fromtimestamp(volume.made, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f"),
            "bootable": "false",
            "encrypted": False,
        }

    # --- Nova

    def show_server(self, name: str) -> dict[str, Any]:
        zone = self.servers[self.server(name)]
        return {"server": {"id": name, "status": "ACTIVE", "OS-EXT-AZ:availability_zone": zone}}

    def list_attachments(self, name: str) -> dict[str, Any]:
        here = [volume for volume in self.volumes.values() if volume.server == self.server(name)]
        return {
            "volumeAttachments": [
                {"id": volume.id, "volumeId": volume.id, "serverId": name, "device": volume.device or None}
                for volume in here
            ]
        }

    def attach(self, name: str, words: dict[str, Any]) -> dict[str, Any]:
        volume = self.one(words["volumeAttachment"]["volumeId"])
        if volume.server == self.server(name):
            raise ApiError(409, f"Invalid volume: volume {volume.id} is already attached to instances: {name}")
        if volume.status != "available":
            raise ApiError(
                400, f"Invalid input received: Invalid volume: status must be available, not {volume.status}."
            )
        volume.server = name
        self.enter(volume, "reserved")
        return {"volumeAttachment": {"id": volume.id, "volumeId": volume.id, "serverId": name, "device": None}}

    def detach(self, name: str, volume_id: str) -> None:
        volume = self.volumes.get(volume_id)
        if volume is None or volume.server != self.server(name):
            raise ApiError(404, f"Instance {name} is not attached to volume {volume_id}.")
        if volume.status == "detaching":
            raise ApiError(400, "Invalid input received: Invalid volume: the volume is being detached already.")
        if volume.status != "in-use":
            raise ApiError(400, "Invalid input received: Invalid volume: Volume must be attached in order to detach.")
        self.enter(volume, "detaching")


def _told_snapshot(one: Snapshot) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": "",
        "volume_id": one.volume,
        "size": one.size,
        "status": one.status,
        "metadata": one.metadata,
        "created_at": datetime.fromtimestamp(one.made, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f"),
    }
