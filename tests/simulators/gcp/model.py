# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disks, snapshots and instances of a project, and the operations that change them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable

from tests.simulators.cloud import Weather

PROJECT, ZONE, OTHER = "project-of-the-tests", "europe-west1-b", "europe-west1-c"
_ROOT = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_FILTER = re.compile(r'([\w.-]+) ?= ?"([^"]*)"')
_TYPES = {"pd-balanced": (10, 65536), "pd-standard": (10, 65536), "pd-ssd": (10, 65536)}


class ApiError(Exception):
    """An error as the API tells it: a status, its reason in one word, and a sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        errors = [{"message": message, "domain": "global", "reason": reason}]
        self.body = {"error": {"code": status, "message": message, "errors": errors}}


@dataclass
class Disk:
    """A disk. ``status`` is the API's; ``machine`` and ``device`` where it is attached, and by which name."""

    name: str
    number: int
    size: int
    type: str
    zone: str
    labels: dict[str, str]
    made: float
    status: str = "READY"
    machine: str = ""
    device: str = ""
    writes: int = 0


@dataclass
class Snapshot:
    """A snapshot. ``since``: when its operation began."""

    name: str
    disk: str
    size: int
    labels: dict[str, str]
    status: str = "CREATING"


@dataclass
class Operation:
    """A change that was asked for. ``done`` makes it, or raises the error that the operation ends with."""

    name: str
    number: int
    what: str
    stage: str
    target: str
    request: str
    since: float
    done: Callable[[], None] = lambda: None
    status: str = "PENDING"
    error: tuple[str, str] | None = None


@dataclass
class Project(Weather):
    """``most_size``: the quota of GB."""

    most_size: int = 100000
    machines: dict[str, str] = field(default_factory=lambda: {"web-1": ZONE, "web-2": ZONE})
    disks: dict[str, Disk] = field(default_factory=dict)
    saved: dict[str, Snapshot] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def settle(self) -> None:
        """Let what was asked for happen, once its time has come."""
        for operation in self.operations.values():
            if operation.status == "DONE":
                continue
            operation.status = "RUNNING"
            if time.monotonic() - operation.since >= self.delay and operation.stage not in self.stuck:
                operation.status = "DONE"
                try:
                    operation.done()
                except ApiError as error:
                    told = error.body["error"]["errors"][0]  # type: ignore[index]
                    operation.error = (told["reason"], told["message"])
        for name in self.broken:
            if name in self.disks:
                self.disks[name].status = "FAILED"
            if name in self.saved:
                self.saved[name].status = "FAILED"

    def add(self, size: int, labels: dict[str, str]) -> Disk:
        number = next(self.numbers)
        disk = Disk(f"disk-{number}", number, size, "pd-balanced", ZONE, labels, time.time())
        self.disks[disk.name] = disk
        return disk

    def one(self, name: str, zone: str) -> Disk:
        disk = self.disks.get(name)
        if disk is None or disk.zone != zone:
            raise ApiError(
                404, "notFound", f"The resource 'projects/{PROJECT}/zones/{zone}/disks/{name}' was not found"
            )
        return disk

    def _begin(self, params: dict[str, str], what: str, stage: str, target: str, done: Callable[[], None]) -> Any:
        """A new operation; of a request that was sent before, the one that it began."""
        number = next(self.numbers)
        operation = Operation(
            f"operation-{number}", number, what, stage, target, params.get("requestId", ""), time.monotonic(), done
        )
        self.operations[operation.name] = operation
        return told_operation(operation)

    def known(self, params: dict[str, str]) -> Any:
        request = params.get("requestId")
        found = next((one for one in self.operations.values() if request and one.request == request), None)
        return told_operation(found) if found else None

    # --- disks

    def disks_insert(self, params: dict[str, str], words: dict[str, Any]) -> Any:
        name, zone = words.get("name", ""), params["zone"]
        size = int(words.get("sizeGb", 0))
        kind = re.fullmatch(rf"(?:.*/)?zones/{zone}/diskTypes/([\w-]+)", words.get("type", ""))
        if zone != ZONE:
            raise ApiError(400, "invalid", f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        if not _NAME.fullmatch(name):
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.name': '{name}'.")
        if not kind or kind[1] not in _TYPES:
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.type': '{words.get('type')}'.")
        self._check_size(kind[1], size, 0)
        check_labels(words.get("labels", {}))
        if name in self.disks:
            raise ApiError(409, "alreadyExists", f"The resource 'projects/…/disks/{name}' already exists")
        number = next(self.numbers)
        disk = Disk(name, number, size, kind[1], zone, dict(words.get("labels", {})), time.time(), "CREATING")
        self.disks[name] = disk

        def done() -> None:
            disk.status = "READY"

        return self._begin(params, "insert", "creating", name, done)

    def _check_size(self, kind: str, size: int, before: int) -> None:
        least, most = _TYPES[kind]
        if not least <= size <= most:
            raise ApiError(400, "invalid", f"Invalid value for field 'sizeGb': '{size}'. It must be {least}-{most}.")
        used = sum(disk.size for disk in self.disks.values())
        if used + size - before > self.most_size:
            message = f"Quota 'SSD_TOTAL_GB' exceeded.  Limit: {self.most_size}.0 in region europe-west1."
            raise ApiError(403, "quotaExceeded", message)

    def disks_get(self, params: dict[str, str]) -> Any:
        return told(self.one(params["disk"], params["zone"]))

    def disks_aggregatedList(self, params: dict[str, str]) -> Any:
        seen = [disk for disk in self.disks.values() if time.time() - disk.made >= self.lag]
        found, more = self.page_of(params, [disk for disk in seen if matches(params, {"labels": disk.labels})])
        items: dict[str, Any] = {}
        for disk in found:
            items.setdefault(f"zones/{disk.zone}", {"disks": []})["disks"].append(told(disk))
        return {"kind": "compute#diskAggregatedList", "items": items, **more}

    def disks_resize(self, params: dict[str, str], words: dict[str, Any]) -> Any:
        disk, size = self.one(params["disk"], params["zone"]), int(words["sizeGb"])
        if size <= disk.size:
            raise ApiError(400, "invalid", f"Requested disk size cannot be smaller than current size ({disk.size} GB).")
        self._check_size(disk.type, size, disk.size)

        def done() -> None:
            disk.size = size

        return self._begin(params, "resizeDisk", "updating", disk.name, done)

    def disks_delete(self, params: dict[str, str]) -> Any:
        disk = self.one(params["disk"], params["zone"])
        if disk.machine:
            message = f"The disk resource '{disk.name}' is already being used by '{disk.machine}'"
            raise ApiError(400, "resourceInUseByAnotherResource", message)
        disk.status = "DELETING"

        def done() -> None:
            del self.disks[disk.name]

        return self._begin(params, "delete", "deleting", disk.name, done)

    def disks_setLabels(self, params: dict[str, str], words: dict[str, Any]) -> Any:
        disk = self.one(params["resource"], params["zone"])
        if words.get("labelFingerprint") != fingerprint(disk):
            raise ApiError(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        check_labels(words.get("labels", {}))
        labels = dict(words.get("labels", {}))

        def done() -> None:
            disk.labels, disk.writes = labels, disk.writes + 1

        return self._begin(params, "setLabels", "labelling", disk.name, done)

    def disks_createSnapshot(self, params: dict[str, str], words: dict[str, Any]) -> Any:
        disk, name = self.one(params["disk"], params["zone"]), words.get("name", "")
        if not _NAME.fullmatch(name):
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.name': '{name}'.")
        check_labels(words.get("labels", {}))
        if name in self.saved:
            raise ApiError(409, "alreadyExists", f"The resource 'projects/…/snapshots/{name}' already exists")
        if disk.status != "READY":
            raise ApiError(400, "resourceNotReady", f"The resource '{disk.name}' is not ready")
        snapshot = Snapshot(name, disk.name, disk.size, dict(words.get("labels", {})))
        self.saved[name] = snapshot

        def done() -> None:
            snapshot.status = "READY"

        return self._begin(params, "createSnapshot", "saving", disk.name, done)

    def snapshots_list(self, params: dict[str, str]) -> Any:
        found, more = self.page_of(
            params, [one for one in self.saved.values() if matches(params, {"labels": one.labels})]
        )
        return {"kind": "compute#snapshotList", "items": [told_snapshot(one) for one in found], **more}

    def diskTypes_get(self, params: dict[str, str]) -> Any:
        if params["diskType"] not in _TYPES:
            raise ApiError(404, "notFound", f"The resource 'diskTypes/{params['diskType']}' was not found")
        return told_type(params["diskType"])

    def diskTypes_list(self, params: dict[str, str]) -> Any:
        found, more = self.page_of(params, list(_TYPES))
        return {"kind": "compute#diskTypeList", "items": [told_type(one) for one in found], **more}

    # --- instances

    def _machine(self, params: dict[str, str]) -> str:
        name = params["instance"]
        if self.machines.get(name) != params["zone"]:
            raise ApiError(404, "notFound", f"The resource 'zones/{params['zone']}/instances/{name}' was not found")
        return name

    def instances_get(self, params: dict[str, str]) -> Any:
        name = self._machine(params)
        disks = [
            {
                "kind": "compute#attachedDisk",
                "type": "PERSISTENT",
                "source": f"{_ROOT}/zones/{disk.zone}/disks/{disk.name}",
                "deviceName": disk.device,
                "index": index,
                "mode": "READ_WRITE",
            }
            for index, disk in enumerate(self.disks.values())
            if disk.machine == name
        ]
        return {
            "kind": "compute#instance",
            "name": name,
            "status": "RUNNING",
            "zone": f"{_ROOT}/zones/{ZONE}",
            "disks": disks,
        }

    def instances_attachDisk(self, params: dict[str, str], words: dict[str, Any]) -> Any:
        machine = self._machine(params)
        source = re.fullmatch(rf"(?:.*/)?projects/{PROJECT}/zones/([\w-]+)/disks/([\w-]+)", words.get("source", ""))
        if not source:
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.source': '{words.get('source')}'.")
        if source[1] != params["zone"]:
            raise ApiError(400, "invalid", "Disk must be in the same zone as the instance")
        disk = self.one(source[2], source[1])
        if disk.status != "READY":
            raise ApiError(400, "resourceNotReady", f"The resource '{disk.name}' is not ready")
        device = words.get("deviceName") or f"persistent-disk-{len(self.disks)}"

        def done() -> None:
            if disk.machine:
                message = f"The disk resource '{disk.name}' is already being used by '{disk.machine}'"
                raise ApiError(400, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", message)
            if device in [other.device for other in self.disks.values() if other.machine == machine]:
                raise ApiError(400, "INVALID_USAGE", f"The device name '{device}' is already in use")
            disk.machine, disk.device = machine, device

        return self._begin(params, "attachDisk", "attaching", machine, done)

    def instances_detachDisk(self, params: dict[str, str]) -> Any:
        machine, device = self._machine(params), params["deviceName"]
        here = [disk for disk in self.disks.values() if disk.machine == machine and disk.device == device]
        if not here:
            message = f"Invalid value for field 'disk': '{device}'. No attached disk found with device name '{device}'"
            raise ApiError(400, "invalid", message)

        def done() -> None:
            here[0].machine = here[0].device = ""

        return self._begin(params, "detachDisk", "detaching", machine, done)

    # --- operations

    def zoneOperations_get(self, params: dict[str, str]) -> Any:
        if params["operation"] not in self.operations:
            raise ApiError(404, "notFound", f"The resource 'operations/{params['operation']}' was not found")
        return told_operation(self.operations[params["operation"]])

    def zoneOperations_list(self, params: dict[str, str]) -> Any:
        every = [one for one in self.operations.values() if matches(params, {"clientOperationId": one.request})]
        found, more = self.page_of(params, every)
        return {"kind": "compute#operationList", "items": [told_operation(one) for one in found], **more}

    def page_of(self, params: dict[str, str], found: list[Any]) -> tuple[list[Any], dict[str, str]]:
        start = int(base64.b64decode(params["pageToken"])) if "pageToken" in params else 0
        end = start + min(self.page, int(params.get("maxResults", 500)))
        more = {"nextPageToken": base64.b64encode(str(end).encode()).decode()} if end < len(found) else {}
        return found[start:end], more


def check_labels(labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.labels': '{key}={value}'.")


def matches(params: dict[str, str], have: dict[str, Any]) -> bool:
    """Whether something is what a filter asks for, which is one comparison."""
    text = params.get("filter", "")
    if not text:
        return True
    asked = _FILTER.fullmatch(text)
    if not asked:
        raise ApiError(400, "invalid", f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.")
    field_, _dot, key = asked[1].partition(".")
    assert field_ in have, f"the simulator lacks the filter {text}"
    return bool((have[field_].get(key) if key else have[field_]) == asked[2])


def fingerprint(disk: Disk) -> str:
    return base64.b64encode(
        hashlib.sha256(f"{disk.writes} {sorted(disk.labels.items())}".encode()).digest()[:8]
    ).decode()


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")


def told(disk: Disk) -> dict[str, Any]:
    users = [f"{_ROOT}/zones/{disk.zone}/instances/{disk.machine}"] if disk.machine else []
    return {
        "kind": "compute#disk",
        "id": str(disk.number),
        "name": disk.name,
        "sizeGb": str(disk.size),
        "type": f"{_ROOT}/zones/{disk.zone}/diskTypes/{disk.type}",
        "zone": f"{_ROOT}/zones/{disk.zone}",
        "status": disk.status,
        "creationTimestamp": _time(disk.made),
        "labelFingerprint": fingerprint(disk),
        **({"labels": disk.labels} if disk.labels else {}),
        **({"users": users} if users else {}),
    }


def told_snapshot(one: Snapshot) -> dict[str, Any]:
    return {
        "kind": "compute#snapshot",
        "name": one.name,
        "status": one.status,
        "diskSizeGb": str(one.size),
        "sourceDisk": f"{_ROOT}/zones/{ZONE}/disks/{one.disk}",
        "labels": one.labels,
    }


def told_type(name: str) -> dict[str, Any]:
    least, most = _TYPES[name]
    return {"kind": "compute#diskType", "name": name, "validDiskSize": f"{least}GB-{most}GB"}


def told_operation(one: Operation) -> dict[str, Any]:
    code, message = one.error or ("", "")
    return {
        "kind": "compute#operation",
        "id": str(one.number),
        "name": one.name,
        "operationType": one.what,
        "targetLink": f"{_ROOT}/zones/{ZONE}/…/{one.target}",
        "status": one.status,
        "progress": 100 if one.status == "DONE" else 0,
        "zone": f"{_ROOT}/zones/{ZONE}",
        **({"clientOperationId": one.request} if one.request else {}),
        **({"error": {"errors": [{"code": code, "message": message}]}, "httpErrorStatusCode": 400} if code else {}),
    }
