# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer in front of moto. Requests that take time reach moto once their time has come."""

from __future__ import annotations

import functools
import gzip
import http.client
import json
import logging
import os
import re
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import botocore
from moto.server import ThreadedMotoServer

from tests.simulators.cloud import Answer, Cloud, Request, Saved, Seen, Weather

KEY = "ACCESSKEYOFTHETESTS0"
ZONE = "eu-west-1a"
DAY = 86400.0
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15"
_DEVICE = re.compile(r"/dev/(sd[b-z]|xvd[b-d][a-z])")
_IOPS_PER_GIB = {"gp3": 500, "io1": 50, "io2": 1000}
_RANGE = re.compile(r"((?:\w+ and )?\w+): ([\d,]+)(?: \(default\))? - ([\d,]+)")
_MARKUP = re.compile(r"</?(?:code|i|b)>")
ET.register_namespace("", _NAMESPACE)


@functools.cache
def documented(member: str) -> dict[str, range]:
    """The values that botocore's description of CreateVolume permits, by type of volume."""
    path = Path(botocore.__file__).parent / "data/ec2/2016-11-15/service-2.json.gz"
    shape = json.loads(gzip.decompress(path.read_bytes()))["shapes"]["CreateVolumeRequest"]
    text = re.sub("<[^>]+>", " ", _MARKUP.sub("", shape["members"][member]["documentation"]))
    found = {}
    for types, least, most in _RANGE.findall(text):
        for kind in types.split(" and "):
            found[kind] = range(int(least.replace(",", "")), int(most.replace(",", "")) + 1)
    assert found, member
    return found


@functools.cache
def moto() -> tuple[str, int]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # A snapshot belongs to each of these hundreds of images, and each is looked at whenever snapshots are listed.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    return server.get_host_and_port()


class Wrong(Exception):
    """An error as EC2 tells it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.answer = _error(code, message, status)


class Pending(NamedTuple):
    """A transition of a volume, and the request that ends it at moto."""

    what: str
    since: float
    request: Request | None = None


@dataclass
class Region(Weather):
    """``modifications``: how often a volume may be modified within ``window`` seconds."""

    modifications: int = 4
    window: float = DAY
    most_size: int = 100000
    pending: dict[str, Pending] = field(default_factory=dict)
    modified: dict[str, list[float]] = field(default_factory=dict)
    tokens: dict[str, tuple[dict[str, str], Answer]] = field(default_factory=dict)
    made: dict[str, float] = field(default_factory=dict)


class Server(Cloud):
    """Serves a region until it is closed. ``machines`` are the IDs of its instances."""

    def __init__(self, region: Region | None = None) -> None:
        self.region = region or Region()
        self._line = http.client.HTTPConnection(*moto(), timeout=30)
        self._line.request("POST", "/moto-api/reset")
        self._line.getresponse().read()
        self.machines = [self._instance() for _number in range(2)]
        super().__init__(self.region)
        self.throttled = _error("RequestLimitExceeded", "Request limit exceeded.", 503)
        self.expired = _error("RequestExpired", "Request has expired.", 400)
        self.endpoint = self.origin

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._line.close()

    def _instance(self) -> str:
        words = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1, "Placement.AvailabilityZone": ZONE}
        return str(self._moto("RunInstances", **words).findtext(f".//{_tag('instanceId')}"))

    # --- for tests

    def volumes(self) -> list[Seen]:
        return [
            Seen(
                one["volumeId"],
                int(one["size"]),
                one["volumeType"],
                int(one.get("iops", 0)),
                int(one.get("throughput", 0)),
                one["tags"],
                one.get("instanceId", ""),
                one.get("device", ""),
            )
            for one in self._known()
            if one["tags"]
        ]

    def snapshots(self) -> list[Saved]:
        found = (_flat(item) for item in _items(self._moto("DescribeSnapshots"), "snapshotSet"))
        return [Saved(one["volumeId"], one["tags"]) for one in found if one["tags"]]

    def add(self, size: int, tags: dict[str, str]) -> str:
        words: dict[str, Any] = {"Size": size, "VolumeType": "gp3", "AvailabilityZone": ZONE}
        words["TagSpecification.1.ResourceType"] = "volume"
        for number, (key, value) in enumerate(tags.items(), 1):
            words[f"TagSpecification.1.Tag.{number}.Key"] = key
            words[f"TagSpecification.1.Tag.{number}.Value"] = value
        return str(self._moto("CreateVolume", **words).findtext(_tag("volumeId")))

    # --- the wire

    def call(self, request: Request) -> str:
        return _words(request)["Action"]

    def reads(self, call: str) -> bool:
        return call.startswith("Describe")

    def answer(self, call: str, request: Request) -> Answer:
        if f"Credential={KEY}/" not in request.headers.get("authorization", ""):
            return _error("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
        self.log.append(call)
        self._settle()
        act = getattr(self, call, None)
        assert act, f"the simulator lacks {call}"
        try:
            answer: Answer = act(_words(request), request)
        except Wrong as error:
            return error.answer
        return answer

    def _forward(self, request: Request) -> Answer:
        headers = {
            "Authorization": request.headers["authorization"],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._line.request("POST", "/", request.body, headers)
        response = self._line.getresponse()
        return Answer(response.status, response.read(), "text/xml")

    def _moto(self, call: str, **words: Any) -> ET.Element:
        body = urllib.parse.urlencode({"Action": call, "Version": "2016-11-15", **words}).encode()
        key = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/{ZONE[:-1]}/ec2/aws4_request"
        answer = self._forward(Request("POST", "/", {"authorization": key}, body))
        assert answer.status == 200, answer
        return ET.fromstring(answer.body)

    def _known(self) -> list[dict[str, Any]]:
        """The volumes that moto has, flat: an attachment's words beside the volume's."""
        return [_flat(item) for item in _items(self._moto("DescribeVolumes"), "volumeSet")]

    def _one(self, words: dict[str, str]) -> dict[str, Any]:
        found = next((one for one in self._known() if one["volumeId"] == words["VolumeId"]), None)
        if found is None:
            raise Wrong("InvalidVolume.NotFound", f"The volume '{words['VolumeId']}' does not exist.")
        return {**found, "state": self._state(found)}

    def _state(self, one: dict[str, Any]) -> str:
        name = one["volumeId"]
        if name in self.region.broken:
            return "error"
        what = self._what(name)
        return what if what in ("creating", "deleting") else "in-use" if one.get("instanceId") else "available"

    def _what(self, volume: str) -> str:
        pending = self.region.pending.get(volume)
        return pending.what if pending else ""

    def _settle(self) -> None:
        region = self.region
        for name, (what, since, request) in list(region.pending.items()):
            if time.monotonic() - since < region.delay or what in region.stuck:
                continue
            del region.pending[name]
            if request:
                answer = self._forward(request)
                assert answer.status == 200, answer
            if what == "updating":
                region.pending[name] = Pending("optimizing", time.monotonic())

    def begin(self, volume: str, what: str, request: Request | None = None) -> None:
        self.region.pending[volume] = Pending(what, time.monotonic(), request)

    # --- the calls

    def CreateVolume(self, words: dict[str, str], request: Request) -> Answer:
        region = self.region
        token = words["ClientToken"]
        if token in region.tokens:
            before, answer = region.tokens[token]
            if before != words:
                raise Wrong("IdempotentParameterMismatch", f"The token {token} was used with other parameters.")
            return answer
        if words["AvailabilityZone"] != ZONE:
            raise Wrong("InvalidParameterValue", f"Value ({words['AvailabilityZone']}) for parameter zone is invalid.")
        size = int(words["Size"])
        _check(words["VolumeType"], size, int(words.get("Iops", 0)), int(words.get("Throughput", 0)))
        if size + sum(int(one["size"]) for one in self._known()) > region.most_size:
            raise Wrong("VolumeLimitExceeded", "You have exceeded your maximum storage limit in this region.")
        answer = self._forward(request)
        name = str(ET.fromstring(answer.body).findtext(_tag("volumeId")))
        region.tokens[token], region.made[name] = (words, answer), time.monotonic()
        self.begin(name, "creating")
        return answer

    def CreateTags(self, words: dict[str, str], request: Request) -> Answer:
        return self._forward(request)

    def AttachVolume(self, words: dict[str, str], request: Request) -> Answer:
        one, device = self._one(words), words["Device"]
        if one.get("instanceId"):
            raise Wrong("VolumeInUse", f"{one['volumeId']} is already attached to an instance")
        if one["state"] != "available":
            raise Wrong("IncorrectState", f"Volume '{one['volumeId']}' is in the '{one['state']}' state.")
        if not _DEVICE.fullmatch(device):
            raise Wrong("InvalidParameterValue", f"Value ({device}) for parameter device is invalid.")
        instance = self._instances()[words["InstanceId"]]
        if instance["zone"] != one["availabilityZone"]:
            raise Wrong("InvalidVolume.ZoneMismatch", f"The volume '{one['volumeId']}' is not in the same zone.")
        if device in instance["devices"]:
            raise Wrong(
                "InvalidParameterValue",
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
            )
        answer = self._forward(request)
        self.begin(one["volumeId"], "attaching")
        return answer

    def DetachVolume(self, words: dict[str, str], request: Request) -> Answer:
        one = self._one(words)
        if not one.get("instanceId"):
            raise Wrong("IncorrectState", f"Volume '{one['volumeId']}' is in the 'available' state.")
        if self._what(one["volumeId"]) != "detaching":
            self.begin(one["volumeId"], "detaching", request)
        return _said("DetachVolume", {"volumeId": one["volumeId"], "status": "detaching"})

    def ModifyVolume(self, words: dict[str, str], request: Request) -> Answer:
        one, region = self._one(words), self.region
        name = one["volumeId"]
        if self._what(name) in ("updating", "optimizing"):
            raise Wrong("IncorrectModificationState", f"Volume '{name}' is in modification state '{self._what(name)}'.")
        if one["state"] not in ("available", "in-use"):
            raise Wrong("IncorrectState", f"Volume '{name}' is in the '{one['state']}' state.")
        size = int(words.get("Size", one["size"]))
        if size < int(one["size"]):
            raise Wrong("InvalidParameterValue", "New size cannot be smaller than existing size")
        iops = int(words.get("Iops", one.get("iops", 0) if one["volumeType"] in _IOPS_PER_GIB else 0))
        throughput = int(words.get("Throughput", one.get("throughput", 0)))
        _check(one["volumeType"], size, iops, throughput)
        now = time.monotonic()
        recent = [since for since in region.modified.get(name, ()) if now - since < region.window]
        if len(recent) >= region.modifications:
            raise Wrong(
                "VolumeModificationRateExceeded",
                "You've reached the maximum modification rate per volume limit. Wait before modifying it again.",
            )
        region.modified[name] = [*recent, now]
        self.begin(name, "updating", request)
        told = {
            "volumeId": name,
            "modificationState": "modifying",
            "targetSize": str(size),
            "originalSize": one["size"],
        }
        return _said("ModifyVolume", {"volumeModification": told})

    def DeleteVolume(self, words: dict[str, str], request: Request) -> Answer:
        one = self._one(words)
        if one["state"] == "in-use":
            raise Wrong("VolumeInUse", f"Volume {one['volumeId']} is currently attached to {one['instanceId']}")
        if one["state"] not in ("available", "error"):
            raise Wrong("IncorrectState", f"Volume '{one['volumeId']}' is in the '{one['state']}' state.")
        self.begin(one["volumeId"], "deleting", request)
        return _said("DeleteVolume", {"return": "true"})

    def CreateSnapshot(self, words: dict[str, str], request: Request) -> Answer:
        one = self._one(words)
        if one["state"] not in ("available", "in-use"):
            raise Wrong("IncorrectState", f"Volume '{one['volumeId']}' is in the '{one['state']}' state.")
        answer = self._forward(request)
        root = ET.fromstring(answer.body)
        self.begin(str(root.findtext(_tag("snapshotId"))), "saving")
        _set(root, "status", "pending")
        return Answer(200, ET.tostring(root), "text/xml")

    def DescribeSnapshots(self, words: dict[str, str], request: Request) -> Answer:
        root = ET.fromstring(self._forward(request).body)
        items = root.find(_tag("snapshotSet"))
        assert items is not None
        for item in items:
            name = str(item.findtext(_tag("snapshotId")))
            pending = "pending" if self._what(name) == "saving" else "completed"
            _set(item, "status", "error" if name in self.region.broken else pending)
            _set(item, "progress", "40%" if pending == "pending" else "100%")
        self._page(root, items, words)
        return Answer(200, ET.tostring(root), "text/xml")

    def DescribeInstances(self, _words: dict[str, str], request: Request) -> Answer:
        return self._forward(request)

    def DescribeVolumes(self, words: dict[str, str], request: Request) -> Answer:
        answer = self._forward(request)
        if answer.status != 200:
            return answer
        root = ET.fromstring(answer.body)
        items = root.find(_tag("volumeSet"))
        assert items is not None
        for item in list(items):
            one = _flat(item)
            name = one["volumeId"]
            if time.monotonic() - self.region.made.get(name, 0.0) < self.region.lag:
                items.remove(item)
            _set(item, "status", self._state(one))
            if self._what(name) in ("attaching", "detaching"):
                _set(item, "attachmentSet/item/status", self._what(name))
        self._page(root, items, words)
        return Answer(200, ET.tostring(root), "text/xml")

    def DescribeVolumesModifications(self, words: dict[str, str], request: Request) -> Answer:
        root = ET.fromstring(self._forward(request).body)
        items = root.find(_tag("volumeModificationSet"))
        assert items is not None
        wanted = [value for key, value in words.items() if key.startswith("Filter.1.Value.")]
        # EC2 has the last one of each volume.
        last = {str(item.findtext(_tag("volumeId"))): item for item in items}
        for item in list(items):
            if item is not last[str(item.findtext(_tag("volumeId")))]:
                items.remove(item)
        for name in wanted:
            what = self._what(name)
            if what not in ("updating", "optimizing"):
                continue
            if name in last:
                items.remove(last[name])
            told = ET.SubElement(items, _tag("item"))
            ET.SubElement(told, _tag("volumeId")).text = name
            ET.SubElement(told, _tag("modificationState")).text = "modifying" if what == "updating" else what
            ET.SubElement(told, _tag("progress")).text = "0" if what == "updating" else "50"
        return Answer(200, ET.tostring(root), "text/xml")

    def _page(self, root: ET.Element, items: ET.Element, words: dict[str, str]) -> None:
        start = int(words.get("NextToken", 0))
        end = start + min(self.region.page, int(words.get("MaxResults", 1000)))
        every = list(items)
        for item in every[:start] + every[end:]:
            items.remove(item)
        if end < len(every):
            ET.SubElement(root, _tag("nextToken")).text = str(end)

    def _instances(self) -> dict[str, dict[str, Any]]:
        root = self._moto("DescribeInstances")
        return {
            str(item.findtext(_tag("instanceId"))): {
                "zone": item.findtext(f"{_tag('placement')}/{_tag('availabilityZone')}"),
                "devices": [device.text for device in item.iter(_tag("deviceName"))],
            }
            for item in root.iterfind(f".//{_tag('instancesSet')}/{_tag('item')}")
        }


def _check(kind: str, size: int, iops: int, throughput: int) -> None:
    if kind not in documented("Size"):
        raise Wrong("InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid.")
    if size not in documented("Size")[kind]:
        raise Wrong("InvalidParameterValue", f"Volume size of {size} GiB is invalid for {kind}.")
    if iops and kind not in _IOPS_PER_GIB:
        raise Wrong("InvalidParameterCombination", f"The parameter iops is not supported for {kind} volumes.")
    if kind in ("io1", "io2") and not iops:
        raise Wrong("MissingParameter", f"The parameter iops must be specified for {kind} volumes.")
    if iops and iops not in documented("Iops")[kind]:
        raise Wrong("InvalidParameterValue", f"Volume iops of {iops} is invalid for {kind}.")
    if iops > max(_IOPS_PER_GIB.get(kind, 0) * size, 3000 if kind == "gp3" else 0):
        raise Wrong("InvalidParameterValue", f"Iops to volume size ratio of {iops / size} is too high")
    if throughput and (kind != "gp3" or not 125 <= throughput <= 2000):
        raise Wrong("InvalidParameterValue", f"Throughput {throughput} is invalid for {kind}.")
    if throughput > max(iops, 3000) / 4:
        raise Wrong("InvalidParameterValue", "Throughput (MiBps) to iops ratio is too high; maximum is 0.25")


def _words(request: Request) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(request.body.decode()))


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _items(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return root.iterfind(f".//{_tag(name)}/{_tag('item')}")


def _flat(item: ET.Element) -> dict[str, Any]:
    words: dict[str, Any] = {child.tag.rpartition("}")[2]: child.text for child in item}
    for link in _items(item, "attachmentSet"):
        words.update({child.tag.rpartition("}")[2]: child.text for child in link})
    tags = [(tag.findtext(_tag("key")), tag.findtext(_tag("value"))) for tag in _items(item, "tagSet")]
    return {**words, "tags": dict(tags)}


def _set(item: ET.Element, path: str, text: str) -> None:
    found = item.find("/".join(_tag(part) for part in path.split("/")))
    if found is not None:
        found.text = text


def _said(call: str, words: dict[str, Any]) -> Answer:
    root = ET.Element(_tag(f"{call}Response"))

    def fill(element: ET.Element, told: dict[str, Any]) -> None:
        for name, value in told.items():
            child = ET.SubElement(element, _tag(name))
            if isinstance(value, dict):
                fill(child, value)
            else:
                child.text = value

    fill(root, words)
    return Answer(200, ET.tostring(root), "text/xml")


def _error(code: str, message: str, status: int) -> Answer:
    root = ET.Element("Response")
    error = ET.SubElement(ET.SubElement(root, "Errors"), "Error")
    ET.SubElement(error, "Code").text, ET.SubElement(error, "Message").text = code, message
    return Answer(status, ET.tostring(root), "text/xml")
