# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From any layout to any other: it converges, check mode's plan is the real one, and nothing is left an orphan."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.maas import layout, survey
from ansible_collections.strata.storage.plugins.module_utils.maas.client import NotFound
from ansible_collections.strata.storage.plugins.module_utils.maas.document import WORDS, parse
from ansible_collections.strata.storage.plugins.module_utils.maas.perform import handlers
from ansible_collections.strata.storage.plugins.module_utils.maas.read import read
from ansible_collections.strata.storage.plugins.module_utils.maas.state import Machine
from tests.simulators.maas import Region
from tests.simulators.maas.api import Request, answer
from tests.simulators.maas.forms import Form
from tests.simulators.maas.parts import ApiError
from tests.simulators.maas.told import API

from .region import KEY, add_machine

SECTIONS = ("partitions", "raids", "bcaches", "drives", "filesystems")
LEAST = {"0": 2, "1": 2, "5": 3, "6": 4, "10": 3}


class Direct:
    """What a client does, without a socket between: the region answers at once."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def get(self, path: str, purpose: str, **query: str) -> Any:
        return self.request("GET", path, purpose, query=list(query.items()))

    def request(self, method: str, path: str, purpose: str, fields: Any = (), query: Any = ()) -> Any:
        gathered: dict[str, list[str]] = {}
        for name, value in fields:
            gathered.setdefault(name, []).append(value)
        asked = {name: [value] for name, value in query}
        operation = asked.get("op", [None])[0]
        request = Request(self.region, self.region.users[0], method, f"{API}/{path}", operation, asked, Form(gathered))
        try:
            return answer(request)
        except ApiError as error:
            if error.status == 404:
                raise NotFound(str(error)) from None
            raise AssertionError(f"{purpose}: {method} {path} {gathered}: {error}") from error


def a_layout(seed: int) -> dict[str, Any]:
    """Something that a machine may have: each device is in one thing, some of them in things upon things."""
    chance = random.Random(seed)
    free = [f"sd{letter}" for letter in "bcdefgh"]
    chance.shuffle(free)
    fast = ["nvme0n1", "nvme1n1"]
    words: dict[str, Any] = {section: [] for section in SECTIONS}
    tops: list[str] = []
    if chance.random() < 0.5:
        words["partitions"] += [
            {"name": "efi", "device": "sda", "size": "512M", "bootable": True},
            {"name": "root", "device": "sda", "size": chance.choice(["2GB", "100%", "3GB"])},
        ]
        words["filesystems"].append({"device": "efi", "type": "fat32", "mount_point": "/boot/efi"})
        tops.append("root")
    for disk in free[: chance.randint(0, 2)]:
        free.remove(disk)
        words["partitions"] += [
            {"name": f"{disk}-{n}", "device": disk, "size": f"{chance.randint(1, 4) * 50}GB"} for n in (1, 2)
        ]
        free += [f"{disk}-1", f"{disk}-2"]
    for number in range(chance.randint(0, 2)):
        level = chance.choice(list(LEAST))
        if len(free) < LEAST[level] + 1:
            break
        devices = [free.pop() for _number in range(LEAST[level])]
        spares = [free.pop()] if level != "0" and chance.random() < 0.4 else []
        words["raids"].append({"name": f"md{number}", "level": level, "devices": devices, "spare_devices": spares})
        tops.append(f"md{number}")
    for number in range(chance.randint(0, 2)):
        candidates = [top for top in tops if top != "root"] or free
        if not candidates:
            break
        backing = chance.choice(candidates)
        (tops if backing in tops else free).remove(backing)
        mode = chance.choice(["writeback", "writethrough", "writearound"])
        cache = chance.choice(fast)
        words["bcaches"].append(
            {"name": f"fast{number}", "backing_device": backing, "cache_device": cache, "cache_mode": mode}
        )
        tops.append(f"fast{number}")
    if tops and chance.random() < 0.7:
        device = tops.pop()
        volumes = [
            {"name": "one", "size": chance.choice(["1GB", "20%"]), "filesystem": "xfs", "mount_point": "/one"},
            {"name": "two", "size": chance.choice(["500MB", "30%"]), "filesystem": chance.choice(["ext4", "swap"])},
        ]
        words["drives"].append({"name": "vg", "devices": [device], "volumes": volumes[: chance.randint(1, 2)]})
    for top in tops:
        words["filesystems"].append({"device": top, "type": "ext4", "mount_point": f"/{top}"})
    return words


def check_whole(machine: Machine, region: Region) -> None:
    (node,) = region.machines.values()
    assert all(group.members for group in node.groups)
    assert {one.id for one in machine.cache_sets} == {one.cache_set for one in machine.bcaches}


def bring_about(region: Region, words: dict[str, Any], *allow: str) -> None:
    client: Any = Direct(region)
    want = parse({**words, "mode": "exact"})
    plan = layout.plan(read(client, "node1"), want, allow)
    execute(plan.steps, handlers(client))
    machine = read(client, "node1")
    again = layout.plan(machine, want, allow)
    assert [str(step) for step in again.steps] == []
    check_whole(machine, region)
    # What the plan said that there would be is what there is, but for what the region names.
    assert shape(plan.after) == shape(machine)


def shape(machine: Machine) -> Any:
    """A machine without numbers, UUIDs and the names of partitions."""

    def name(key: str) -> str:
        device = machine.devices[key]
        return f"part of {device.disk}, {device.size}" if device.disk else key

    devices = sorted(
        [
            (
                name(key),
                one.kind,
                one.size,
                one.member,
                one.filesystem and (one.filesystem.type, one.filesystem.label, one.filesystem.mount_point),
                one.bootable,
                one.marks,
            )
            for key, one in machine.devices.items()
        ],
        key=repr,
    )
    raids = sorted(
        (one.name, one.level, *sorted(map(name, one.members)), *map(name, one.spares)) for one in machine.raids
    )
    caches = {one.id: name(one.device) for one in machine.cache_sets}
    bcaches = sorted((one.name, name(one.backing), caches[one.cache_set], one.cache_mode) for one in machine.bcaches)
    groups = sorted((one.name, *map(name, one.devices), *one.volumes) for one in machine.groups)
    return [repr(each) for each in (devices, raids, bcaches, groups)]


def everything(region: Region) -> list[str]:
    """All that may have to be permitted."""
    client: Any = Direct(region)
    found = survey.document(read(client, "node1"))
    names = [item.get("name") or item["device"] for items in found.values() for item in items]
    return [*names, *(device.key for device in read(client, "node1").devices.values())]


@pytest.mark.parametrize("seed", range(120))
def test_from_any_layout_to_any_other(seed: int) -> None:
    region = Region()
    region.add_user("admin", KEY)
    add_machine(region, "node1", slow=7)
    for step in range(4):
        words = a_layout(seed * 4 + step)
        names = {item.get("name") or item["device"] for items in words.values() for item in items}
        try:
            bring_about(region, words, *everything(region), *names)
        except Refused:
            # What MAAS cannot change in place, nor take away below something else, has to go first.
            bring_about(region, dict.fromkeys(SECTIONS, ()), *everything(region))
            bring_about(region, words, *names)


def test_it_knows_all_the_words() -> None:
    assert {"name", "level", "devices", "spare_devices", "uuid", "renamed_from", "state"} == WORDS["raids"].keys()
