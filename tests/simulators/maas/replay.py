# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the simulator comes to a real region: replays recorded exchanges, and compares status and body.

`python -m tests.simulators.maas.replay DIRECTORY` takes a directory of JSON files, an exchange each, in the order in
which they were made within each group (the first word of a file's name), and prints the share that matches, and what
does not.

Identifiers that the region drew are given to the simulator before the request that made them; random UUIDs are compared
by their form.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

from .model import Machine, Region
from .server import Server

KEY = "consumer:token:secret"
GROUPS = ("auth", "machine", "raid", "bcache", "vg", "part", "fs", "disk", "layout", "vmfs")
#: What cannot be the same, by the beginnings of names: why.
EXPECTED = {
    "auth-017": "the description of the whole API, of which the simulator has the storage",
    "machine-023": "machines with a history that was not recorded",
    "layout-022": "the simulator has no VMFS",
    "layout-023": "the simulator has no VMFS",
    "vmfs-": "the simulator has no VMFS",
}
#: Arrays that were deleted between two recorded exchanges, by the second of these.
UNRECORDED = {
    "raid-082-create-by-device-names": ("a/b c",),
    "raid-092-clash-first": ("mduuid", "mduuid2"),
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STUBS = ("raids", "bcaches", "volume_groups", "cache_sets")
_STORAGE = (
    *("system_id", "hostname", "fqdn", "status", "status_name", "owner", "architecture", "bios_boot_method", "storage"),
    *("boot_disk", "blockdevice_set", "physicalblockdevice_set", "virtualblockdevice_set", "special_filesystems"),
    *(*_STUBS, "resource_uri"),
)
#: All recorded machines have the same disks, with consecutive identifiers.
_DISKS = ("sda", "nvme0n1", "nvme1n1", "sdb", "sdc", "sdd", "sde", "sdf", "sdg")


def load(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    files = sorted(directory.glob("*.json"), key=lambda file: (_group(file.stem), file.stem))
    return [(file.stem, json.loads(file.read_text())) for file in files]


def _group(name: str) -> int:
    word = name.split("-", maxsplit=1)[0]
    return GROUPS.index(word) if word in GROUPS else len(GROUPS)


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """All objects inside an answer."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def seed(exchanges: list[tuple[str, dict[str, Any]]]) -> Region:
    """A region with the machines that the exchanges tell of, as they were before the first."""
    region = Region()
    region.add_user("admin", KEY)
    machines: dict[str, Machine] = {}
    for _name, exchange in exchanges:
        for told in walk(exchange["response"]["body"]):
            if "hostname" in told and "blockdevice_set" in told and told["system_id"] not in machines:
                machines[told["system_id"]] = _machine(region, told)
    for _name, exchange in exchanges:
        for told in walk(exchange["response"]["body"]):
            if told.get("type") == "physical" and told["name"] in _DISKS:
                if told["system_id"] not in machines:
                    machines[told["system_id"]] = _unseen(region, told)
                _complete(machines[told["system_id"]], told)
    return region


def _machine(region: Region, told: dict[str, Any]) -> Machine:
    more = {key: value for key, value in told.items() if key not in _STORAGE}
    return region.add_machine(
        told["hostname"],
        told["system_id"],
        status=told["status"],
        owner=told["owner"],
        architecture=told["architecture"],
        bios_boot_method=told["bios_boot_method"],
        more=more,
    )


def _unseen(region: Region, told: dict[str, Any]) -> Machine:
    """A machine of which only a disk was told."""
    hostname = told["serial"].rsplit("-", 1)[0].lower()
    return region.add_machine(
        hostname, told["system_id"], bios_boot_method="pc" if hostname.endswith("-pc") else "uefi"
    )


def _complete(machine: Machine, told: dict[str, Any]) -> None:
    """All its disks, once one is known."""
    if not machine.devices:
        first = told["id"] - _DISKS.index(told["name"])
        for offset, name in enumerate(_DISKS):
            machine.region.ids["device"] = first + offset
            machine.add_disk(name, {"sda": 8000000000, "nvme": 100000000000}.get(name[:4].rstrip("0"), 500107862016))
    disk = machine.devices[_DISKS.index(told["name"])]
    fields = ("size", "block_size", "serial", "model", "id_path", "numa_node", "firmware_version")
    for field in fields:
        setattr(disk, field, told.get(field, getattr(disk, field)))
    disk.tags = list(told["tags"])


def _forget(region: Region, names: tuple[str, ...]) -> None:
    for machine in region.machines.values():
        for group in [group for group in machine.groups if group.name in names]:
            machine.delete_group(group)


def learn(region: Region, body: Any) -> None:
    """Have the simulator draw the identifiers next that the region drew."""
    known: dict[str, set[int]] = {"device": set(), "partition": set(), "group": set(), "cache_set": set()}
    for machine in region.machines.values():
        known["device"] |= {one.id for one in machine.devices}
        known["partition"] |= {part.id for one in machine.devices for part in one.partitions}
        known["group"] |= {group.id for group in machine.groups}
        known["cache_set"] |= {one.id for one in machine.cache_sets}
    found: dict[str, set[int]] = {kind: set() for kind in known}
    for told in walk(body):
        uri = str(told.get("resource_uri", ""))
        kind = _kind(told, uri)
        if kind:
            found[kind].add(told["id"])
        for key in _STUBS:
            for stub in told.get(key) or ():
                found["cache_set" if key == "cache_sets" else "group"].add(stub["id"])
    for kind, numbers in found.items():
        new = numbers - known[kind]
        if new:
            region.ids[kind] = min(new)


def _kind(told: dict[str, Any], uri: str) -> str | None:
    if "/partition/" in uri:
        return "partition"
    if "/blockdevices/" in uri:
        return "device"
    if "/bcache-cache-set/" in uri:
        return "cache_set"
    groups = ("/raid/", "/bcache/", "/volume-group/")
    return "group" if any(word in uri for word in groups) or "virtual_device" in told else None


def plain(value: Any, given: str) -> Any:
    """An answer without what is random; UUIDs that the request gave stay."""
    if isinstance(value, dict):
        return {key: plain(each, given) for key, each in value.items() if key != "vmfs_datastores"}
    if isinstance(value, list):
        found = [plain(each, given) for each in value]
        # A region tells them in the order of its database's pages.
        ordered = all(isinstance(each, dict) and "id" in each for each in found)
        return sorted(found, key=lambda each: int(each["id"])) if ordered else found
    if isinstance(value, str):
        return _UUID.sub(lambda match: match.group() if match.group() in given else "UUID", value)
    return value


class _Answers(HTTPErrorProcessor):
    """Errors are answers too."""

    def http_response(self, request: Request, response: Any) -> Any:
        return response

    https_response = http_response


def ask(server: Server, exchange: dict[str, Any], number: int) -> tuple[int, Any]:
    told = exchange["request"]
    stamp, nonce, key = int(time.time()), f"n{number}", KEY
    text = str(exchange["response"]["body"])
    if "Expired timestamp" in text:
        stamp = int(re.findall(r"\d{6,}", text)[0])
        server.now = lambda: float(re.findall(r"\d{6,}", text)[1])
    else:
        server.now = time.time
    if "Nonce already used" in text:
        nonce = text.split("'")[1].rsplit(maxsplit=1)[-1]
        server.nonces.add(nonce)
    if told["auth"] == "other":
        key = "AAAA:token:secret" if "API key" in text else "consumer:BBBB:secret"
        key = "consumer:token:CCCC" if "signature" in text else key
    headers = {}
    consumer, token, secret = key.split(":")
    if told["auth"] != "none":
        headers["Authorization"] = (
            f'OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="{consumer}", '
            f'oauth_token="{token}", oauth_signature="%26{secret}", oauth_timestamp="{stamp}", oauth_nonce="{nonce}"'
        )
    if "garbage" in exchange["name"]:
        headers["Authorization"] = "garbage"
    url = urlsplit(server.url)
    body = _body(told, headers)
    request = Request(f"{url.scheme}://{url.netloc}{told['path']}", body, headers, method=told["method"])
    with build_opener(_Answers).open(request) as response:
        content = response.read().decode()
        said = json.loads(content) if "json" in response.headers["Content-Type"] else content
        return response.status, said


def _body(told: dict[str, Any], headers: dict[str, str]) -> bytes | None:
    kind, params = told["content_type"], told["params"]
    if told["method"] in ("GET", "DELETE") or kind is None:
        return b"" if told["method"] in ("POST", "PUT") else None
    headers["Content-Type"] = kind
    if "json" in kind:
        return json.dumps(params).encode()
    if "multipart" in kind:
        mark = kind.split("boundary=")[1]
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in params
        ]
        return ("".join(parts) + f"--{mark}--\r\n").encode()
    return urlencode([tuple(pair) for pair in params or []]).encode()


def replay(directory: Path) -> list[tuple[str, str]]:
    """What did not match, and how; and the number of all as the last."""
    exchanges = load(directory)
    region = seed(exchanges)
    wrong: list[tuple[str, str]] = []
    with Server(region) as server:
        for number, (name, exchange) in enumerate(exchanges):
            expected = exchange["response"]
            _forget(region, UNRECORDED.get(name, ()))
            learn(region, expected["body"])
            status, said = ask(server, exchange, number)
            given = json.dumps(exchange["request"]["params"])
            there, here = plain(expected["body"], given), plain(said, given)
            if "<REAL-TOKEN-SECRET>" in str(there):
                there = here if str(here).startswith(str(there).partition("<")[0]) else there
            if (status, here) != (expected["status"], there):
                wrong.append((name, f"{status} for {expected['status']}: {difference(there, here)}"))
    share = (len(exchanges) - len(wrong)) / len(exchanges)
    print(f"{len(exchanges) - len(wrong)} of {len(exchanges)} exchanges match ({share:.1%})", flush=True)
    return wrong


def difference(there: Any, here: Any, path: str = "") -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            if there.get(key, "(nothing)") != here.get(key, "(nothing)"):
                return difference(there.get(key, "(nothing)"), here.get(key, "(nothing)"), f"{path}.{key}")
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for number, (one, other) in enumerate(zip(there, here)):
            if one != other:
                return difference(one, other, f"{path}[{number}]")
    return f"{path} is {str(here)[:200]!r} and not {str(there)[:200]!r}"


def main() -> None:
    directory = Path(sys.argv[1])
    wrong = replay(directory)
    for name, how in wrong:
        reason = next((why for start, why in EXPECTED.items() if name.startswith(start)), "NOT EXPECTED")
        print(f"{name}: {reason}: {how}")
    raise SystemExit(1 if len(wrong) * 20 > len(list(directory.glob("*.json"))) else 0)


if __name__ == "__main__":
    main()
