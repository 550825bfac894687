# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the simulator comes to a real region: replays recorded exchanges, and compares status and body.

`python -m tests.simulators.maas.replay DIRECTORY` takes a directory of JSON files, an exchange each, in the order in
which they were made within each group (the first word of a file's name), and prints the share that matches, and what
does not.

A machine starts with what the first exchange about it tells, if that only reads; what was done to it before, and not
recorded, shows as exchanges that do not match. Identifiers that the region drew are given to the simulator before the
request that made them; random UUIDs are compared by their form.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

from .filesystems import FSTYPES
from .machine import Machine
from .parts import BlockDevice, Filesystem
from .region import Region
from .server import Server

KEY = "consumer:token:secret"
GROUPS = ("auth", "machine", "raid", "bcache", "vg", "part", "fs", "disk", "layout", "vmfs")
#: What was recorded between two exchanges of another group, by the beginnings of names.
BETWEEN = {"vmfs-013": "layout-024", "vmfs-": "layout-022"}
#: What cannot be the same, by the beginnings of names: why.
EXPECTED = {"auth-017": "the description of the whole API, of which the simulator has the storage"}
#: Arrays that were deleted between two recorded exchanges, by the second of these.
UNRECORDED = {
    "raid-082-create-by-device-names": ("a/b c",),
    "raid-092-clash-first": ("mduuid", "mduuid2"),
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STUBS = ("raids", "bcaches", "volume_groups", "cache_sets")
_STORAGE = (
    *(
        "system_id",
        "hostname",
        "fqdn",
        "status",
        "owner",
        "architecture",
        "bios_boot_method",
        "storage",
        "pool",
        "zone",
    ),
    *("tag_names", "locked", "boot_disk", "blockdevice_set", "physicalblockdevice_set", "virtualblockdevice_set"),
    *("special_filesystems", *_STUBS, "resource_uri"),
)
Exchanges = list[tuple[str, dict[str, Any]]]


class Made(NamedTuple):
    """What the exchanges tell of a machine: its physical disks by number, and how it was when it was first told of."""

    disks: dict[int, dict[str, Any]]
    machine: dict[str, Any] | None = None
    furnished: bool = False


class NotRecorded(Exception):
    """A directory without recordings, or a file that is none."""


def load(directory: Path) -> Exchanges:
    """The exchanges among a directory's files, in the order in which they were made. Raises NotRecorded.

    A file with JSON of another kind is passed over: recordings have lists and notes beside them.
    """
    if not directory.is_dir():
        raise NotRecorded(f"{directory} is no directory; give one with recorded exchanges")
    found = [(file.stem, _exchange(file)) for file in directory.glob("*.json")]
    exchanges = [(name, each) for name, each in found if each]
    if not exchanges:
        raise NotRecorded(f"{directory} has no recorded exchanges: JSON files with `request` and `response`")
    return sorted(exchanges, key=lambda one: _place(one[0]))


def _exchange(file: Path) -> dict[str, Any] | None:
    """What a file holds; None: no exchange."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotRecorded(f"{file}: it is no JSON ({error}); record it again, or take it away") from None
    if not isinstance(told, dict) or not {"request", "response"} <= {*told}:
        return None
    for part, words in (("request", ("method", "path")), ("response", ("status", "body"))):
        missing = [word for word in words if not isinstance(told[part], dict) or word not in told[part]]
        if missing:
            raise NotRecorded(f"{file}: its {part} has no {' and no '.join(missing)}; record it again, or take it away")
    return told


def _place(name: str) -> tuple[int, str, str]:
    after = next((after for start, after in BETWEEN.items() if name.startswith(start)), name)
    word = after.split("-", maxsplit=1)[0]
    return GROUPS.index(word) if word in GROUPS else len(GROUPS), after[: len("layout-000")], name


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """All objects inside an answer."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def seed(exchanges: Exchanges) -> Region:
    """A region with the machines that the exchanges tell of, as they were before the first."""
    region = Region()
    region.add_user("admin", KEY)
    made = _gather(exchanges)
    # Machines of one kind have the same disks, with consecutive numbers.
    pattern = max((one.disks for one in made.values()), key=len, default={})
    for system_id, one in made.items():
        machine = _machine(region, system_id, one)
        for number, told in sorted(_completed(one.disks, pattern).items()):
            region.ids["device"] = number
            _disk(machine, told)
        if one.machine and one.furnished:
            _furnish(machine, one.machine)
    return region


def _gather(exchanges: Exchanges) -> dict[str, Made]:
    made: dict[str, Made] = {}
    created = set()
    for _name, exchange in exchanges:
        method, path, body = exchange["request"]["method"], exchange["request"]["path"], exchange["response"]["body"]
        if method == "POST" and path.endswith("/blockdevices/"):
            created |= {told.get("id") for told in walk(body)}
        for told in walk(body):
            system_id = told.get("system_id")
            if not isinstance(system_id, str) or told.get("__incomplete__"):
                continue
            first = system_id not in made
            one = made.setdefault(system_id, Made({}))
            if "hostname" in told and "blockdevice_set" in told and one.machine is None:
                made[system_id] = one = one._replace(machine=told, furnished=first and method == "GET")
            if told.get("type") == "physical" and "used_size" in told and told["id"] not in created:
                one.disks.setdefault(told["id"], told)
    return made


def _machine(region: Region, system_id: str, made: Made) -> Machine:
    told = made.machine
    if told is None:
        serial = next((str(disk.get("serial") or "") for disk in made.disks.values()), "")
        hostname = serial.rsplit("-", 1)[0].lower() or system_id
        return region.add_machine(hostname, system_id, bios_boot_method="pc" if hostname.endswith("-pc") else "uefi")
    for word, names in (("pool", region.pools), ("zone", region.zones)):
        if told.get(word) and told[word]["name"] not in names:
            names.append(told[word]["name"])
    return region.add_machine(
        told["hostname"],
        system_id,
        status=told.get("status", 4),
        owner=told.get("owner"),
        architecture=told.get("architecture") or "amd64/generic",
        bios_boot_method=told.get("bios_boot_method") or "uefi",
        tag_names=list(told.get("tag_names") or ()),
        pool=(told.get("pool") or {}).get("name", "default"),
        zone=(told.get("zone") or {}).get("name", "default"),
        locked=bool(told.get("locked")),
        more={key: value for key, value in told.items() if key not in _STORAGE or key in ("pool", "zone")},
    )


def _completed(disks: dict[int, dict[str, Any]], pattern: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Its disks, and those that machines of its kind have beside them."""
    by_name = {told["name"]: number for number, told in pattern.items()}
    offsets = {number - by_name[told["name"]] for number, told in disks.items() if told["name"] in by_name}
    if len(offsets) != 1 or any(told["name"] not in by_name for told in disks.values()):
        return disks
    (offset,) = offsets
    plain = {number + offset: {**told, "serial": None, "id_path": None} for number, told in pattern.items()}
    return {**plain, **disks}


def _disk(machine: Machine, told: dict[str, Any]) -> None:
    disk = machine.add_disk(told["name"], told["size"])
    for word in ("block_size", "serial", "model", "id_path", "numa_node", "firmware_version"):
        setattr(disk, word, told.get(word, getattr(disk, word)))
    disk.tags = list(told.get("tags") or ())


def _furnish(machine: Machine, told: dict[str, Any]) -> None:
    """With the partitions and the filesystems that it was told to have; what lies on these is not told with it."""
    known: dict[int, BlockDevice] = {disk.id: disk for disk in machine.devices}
    for one in told["blockdevice_set"]:
        disk = known.get(one["id"])
        if disk is None:
            continue
        disk.filesystem = _filesystem(one)
        for part in one.get("partitions") or ():
            machine.region.ids["partition"] = part["id"]
            made = machine.add_partition(disk, part["size"], bool(part.get("bootable")), part.get("uuid") or "")
            made.size, made.tags, made.filesystem = part["size"], list(part.get("tags") or ()), _filesystem(part)
    machine.special = [_plain_filesystem(one) for one in told.get("special_filesystems") or ()]
    if told.get("boot_disk"):
        machine.chosen_boot_disk = known.get(told["boot_disk"]["id"])


def _filesystem(told: dict[str, Any]) -> Filesystem | None:
    one = told.get("filesystem")
    return _plain_filesystem(one) if one and one["fstype"] in FSTYPES else None


def _plain_filesystem(told: dict[str, Any]) -> Filesystem:
    return Filesystem(
        told["fstype"], told.get("label"), told.get("uuid") or "", told.get("mount_point"), told.get("mount_options")
    )


def _forget(region: Region, names: tuple[str, ...]) -> None:
    for machine in region.machines.values():
        for group in [group for group in machine.groups if group.name in names]:
            machine.delete_group(group)


def learn(region: Region, body: Any, reading: bool = False) -> None:
    """Have the simulator draw the identifiers next that the region drew, or (``reading``) have drawn them before."""
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
        if kind == "group" and reading:
            _renumber(region, told)
        for key in _STUBS:
            for stub in told.get(key) or ():
                if isinstance(stub, dict) and "id" in stub:
                    found["cache_set" if key == "cache_sets" else "group"].add(stub["id"])
    for kind, numbers in found.items():
        new = numbers - known[kind]
        if new:
            region.ids[kind] = min(new)


def _renumber(region: Region, told: dict[str, Any]) -> None:
    """A layout's answer does not tell the numbers of its groups: a later one does."""
    machine = region.machines.get(str(told.get("system_id")))
    if machine and told["id"] not in [group.id for group in machine.groups]:
        for group in machine.groups:
            if group.name == told.get("name"):
                group.id = told["id"]


def _kind(told: dict[str, Any], uri: str) -> str | None:
    if "/partition/" in uri:
        return "partition"
    if "/blockdevices/" in uri:
        return "device"
    if "/bcache-cache-set/" in uri:
        return "cache_set"
    groups = ("/raid/", "/bcache/", "/volume-group/", "/vmfs-datastore/")
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
    auth = told.get("auth", "admin")
    if "Expired timestamp" in text:
        stamp = int(re.findall(r"\d{6,}", text)[0])
        server.now = lambda: float(re.findall(r"\d{6,}", text)[1])
    else:
        server.now = time.time
    if "Nonce already used" in text:
        nonce = text.split("'")[1].rsplit(maxsplit=1)[-1]
        server.nonces.add(nonce)
    if auth == "other":
        key = "AAAA:token:secret" if "API key" in text else "consumer:BBBB:secret"
        key = "consumer:token:CCCC" if "signature" in text else key
    headers = {}
    consumer, token, secret = key.split(":")
    if auth != "none":
        headers["Authorization"] = (
            f'OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="{consumer}", '
            f'oauth_token="{token}", oauth_signature="%26{secret}", oauth_timestamp="{stamp}", oauth_nonce="{nonce}"'
        )
    if "garbage" in str(exchange.get("name", "")):
        headers["Authorization"] = "garbage"
    url = urlsplit(server.url)
    body = _body(told, headers)
    request = Request(f"{url.scheme}://{url.netloc}{told['path']}", body, headers, method=told["method"])
    with build_opener(_Answers).open(request) as response:
        content = response.read().decode()
        said = json.loads(content) if "json" in str(response.headers["Content-Type"]) else content
        return response.status, said


def _body(told: dict[str, Any], headers: dict[str, str]) -> bytes | None:
    kind, params = told.get("content_type"), told.get("params") or []
    if isinstance(params, dict) and "json" not in str(kind):
        params = list(params.items())
    if told["method"] in ("GET", "DELETE") or kind is None:
        return b"" if told["method"] in ("POST", "PUT") else None
    headers["Content-Type"] = kind
    if "json" in kind:
        return json.dumps(params).encode()
    if "multipart" in kind:
        mark = kind.partition("boundary=")[2]
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in params
        ]
        return ("".join(parts) + f"--{mark}--\r\n").encode()
    return urlencode([tuple(pair) for pair in params or []]).encode()


def replay(directory: Path) -> list[tuple[str, str]]:
    """What did not match, and how; prints the share of what did. Raises NotRecorded."""
    exchanges = load(directory)
    region = seed(exchanges)
    wrong: list[tuple[str, str]] = []
    with Server(region) as server:
        for number, (name, exchange) in enumerate(exchanges):
            expected = exchange["response"]
            _forget(region, UNRECORDED.get(name, ()))
            learn(region, expected["body"], reading=exchange["request"]["method"] == "GET")
            try:
                status, said = ask(server, exchange, number)
            except (HTTPException, OSError, ValueError) as error:
                # The simulator itself broke down over it: its traceback is in server.broken.
                why = server.broken[-1].strip().splitlines()[-1] if server.broken else str(error)
                wrong.append((name, f"no answer: {why}"))
                continue
            given = json.dumps(exchange["request"].get("params"))
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
    if isinstance(there, list) and isinstance(here, list) and len(there) != len(here):
        path += f" has {len(here)}, not {len(there)}: it"
    elif isinstance(there, list) and isinstance(here, list):
        for number, (one, other) in enumerate(zip(there, here)):
            if one != other:
                return difference(one, other, f"{path}[{number}]")
    return f"{path} is {str(here)[:200]!r} and not {str(there)[:200]!r}"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m tests.simulators.maas.replay DIRECTORY")
    directory = Path(sys.argv[1])
    try:
        wrong = replay(directory)
    except NotRecorded as error:
        raise SystemExit(str(error)) from None
    for name, how in wrong:
        reason = next((why for start, why in EXPECTED.items() if name.startswith(start)), "NOT EXPECTED")
        print(f"{name}: {reason}: {how}")
    raise SystemExit(1 if len(wrong) * 20 > len(list(directory.glob("*.json"))) else 0)


if __name__ == "__main__":
    main()
