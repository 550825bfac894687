# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated region says what a real one was seen to say: statuses, words and sizes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.simulators.maas.replay import difference, plain

from .region import Maas

TAKEN = {"__all__": ["Block device with this Node config and Name already exists."]}
ON_BOOT_DISK = (
    "Cannot place filesystem directly on the boot disk. Create a partition on the boot disk first and then format the "
    "partition."
)
NODE = "nodes/333333"
MD0 = "name=md0&level=raid-1&block_devices=4&block_devices=5"
RAID = ("POST", f"{NODE}/raids/", MD0)
GROUP = ("POST", f"{NODE}/volume-groups/", "name=vg&block_devices=4&block_devices=5")
CACHE = ("POST", f"{NODE}/bcache-cache-sets/", "cache_device=2")
BCACHE = ("POST", f"{NODE}/bcaches/", "name=b&cache_set=1&cache_mode=writeback&backing_device=4")
PART = ("POST", f"{NODE}/blockdevices/4/partitions/", "size=10G")
FORMAT = ("POST", f"{NODE}/blockdevices/4/?op=format", "fstype=ext4")
LV = f"{NODE}/volume-group/1/?op=create_logical_volume"


def choice(field: str, value: str, **more: Any) -> dict[str, Any]:
    return {field: [f"Select a valid choice. {value} is not one of the available choices."], **more}


def ask(maas: Maas, method: str, path: str, body: str = "") -> tuple[int, Any]:
    """A request as the client makes it, and the answer as it came."""
    from ansible_collections.strata.storage.plugins.module_utils.maas.client import Client

    client = Client(maas.server.url, "consumer:token:secret")
    answer = client._send(method, client.base + path, body if method in ("POST", "PUT") else None)
    text = answer.body.decode()
    return answer.status, json.loads(text) if "json" in answer.kind else text


@pytest.mark.parametrize(
    ("before", "request_", "status", "said"),
    [
        # Paths and methods
        ([], ("GET", "machines/nobody/"), 404, "No Machine matches the given query."),
        ([], ("GET", "machines/333333"), 404, "Unknown API endpoint: /MAAS/api/2.0/machines/333333."),
        (
            [PART],
            ("GET", f"{NODE}/blockdevices/4/partition/1/"),
            404,
            f"Unknown API endpoint: /MAAS/api/2.0/{NODE}/blockdevices/4/partition/1/.",
        ),
        ([], ("DELETE", f"{NODE}/raids/"), 405, ""),
        ([], ("POST", "machines/333333/?op=frobnicate"), 400, "Unrecognised signature: method=POST op=frobnicate"),
        ([], ("GET", f"{NODE}/raid/9/"), 404, "No RAID matches the given query."),
        ([], ("GET", f"{NODE}/bcache-cache-set/9/"), 404, ""),
        ([], ("GET", f"{NODE}/blockdevices/4/partitions/"), 500, "PartitionTable matching query does not exist."),
        # RAIDs
        (
            [],
            ("POST", f"{NODE}/raids/", "level=raid-1&block_devices=4&block_devices=5"),
            400,
            {"name": ["This field cannot be blank."]},
        ),
        ([], ("POST", f"{NODE}/raids/", "name=md0&level=1&block_devices=4"), 400, choice("level", "1")),
        (
            [],
            ("POST", f"{NODE}/raids/", "name=md0&level=raid-1&block_devices=4,5"),
            400,
            choice("block_devices", "4,5"),
        ),
        (
            [],
            ("POST", f"{NODE}/raids/", "name=md0&level=raid-10&block_devices=4&block_devices=5"),
            400,
            {"__all__": ["RAID level 10 must have at least 3 raid devices and any number of spares."]},
        ),
        ([], ("POST", f"{NODE}/raids/", "name=sdb&level=raid-1&block_devices=5&block_devices=6"), 400, TAKEN),
        (
            [RAID],
            ("PUT", f"{NODE}/raid/1/", "remove_block_devices=4&add_block_devices=6"),
            400,
            {"__all__": ["RAID level 1 must have at least 2 raid devices and any number of spares."]},
        ),
        ([RAID], ("PUT", f"{NODE}/raid/1/", "add_block_devices=4"), 400, choice("add_block_devices", "4")),
        ([RAID], ("DELETE", f"{NODE}/blockdevices/4/"), 400, "Cannot delete block device because its part of a RAID."),
        (
            [RAID],
            ("POST", f"{NODE}/blockdevices/4/?op=format", "fstype=ext4"),
            400,
            "Cannot format a block device that has a filesystem type of raid.",
        ),
        ([RAID], ("PUT", f"{NODE}/blockdevices/10/", "size=1000000000"), 500, ""),
        ([FORMAT], ("POST", f"{NODE}/raids/", MD0), 400, choice("block_devices", "4")),
        # Bcaches
        (
            [CACHE],
            ("POST", f"{NODE}/bcache-cache-sets/", "cache_device=2"),
            400,
            choice("cache_device", "2", __all__=["Either cache_device or cache_partition must be specified."]),
        ),
        (
            [CACHE, BCACHE],
            ("DELETE", f"{NODE}/bcache-cache-set/1/"),
            400,
            "Cannot delete cache set; it's currently in use.",
        ),
        (
            [CACHE, BCACHE],
            ("POST", f"{NODE}/blockdevices/10/partitions/", ""),
            400,
            {"block_device": ["Cannot create a partition table on a Bcache volume."]},
        ),
        (
            [],
            ("POST", f"{NODE}/bcaches/", "name=b&cache_mode=writeback&backing_device=4"),
            400,
            {"cache_set": ["This field is required."], "__all__": ["Bcache requires a cache_set."]},
        ),
        # Volume groups
        ([GROUP], ("POST", LV, "name=v&size=10GiB"), 400, {"size": ["Enter a valid value."]}),
        ([GROUP], ("POST", LV, "name=sda&size=1G"), 400, TAKEN),
        (
            [GROUP, ("POST", LV, "name=v")],
            ("POST", LV, "name=w"),
            400,
            {
                "__all__": [
                    "Volume group (vg) cannot hold any more logical volumes, because it doesn't have enough free space."
                ]
            },
        ),
        (
            [GROUP, ("POST", LV, "name=v")],
            ("DELETE", f"{NODE}/volume-group/1/"),
            400,
            "This volume group has logical volumes; it cannot be deleted.",
        ),
        ([GROUP], ("POST", f"{NODE}/volume-group/1/?op=delete_logical_volume", ""), 400, "No provided id!"),
        # Partitions and filesystems
        (
            [],
            ("POST", f"{NODE}/blockdevices/4/partitions/", "size=1048576"),
            400,
            {"size": ["Ensure this value is greater than or equal to 4194304."]},
        ),
        ([PART], ("PUT", f"{NODE}/blockdevices/4/partition/1", "size=5G"), 405, ""),
        (
            [],
            ("POST", f"{NODE}/blockdevices/1/?op=format", "fstype=ext4"),
            400,
            {"__all__": [ON_BOOT_DISK]},
        ),
        (
            [],
            ("POST", f"{NODE}/blockdevices/4/?op=format", "fstype=tmpfs"),
            400,
            {"__all__": ["Virtual filesystems must be mounted."]},
        ),
        (
            [],
            ("POST", f"{NODE}/blockdevices/4/?op=mount", "mount_point=/x"),
            400,
            {"__all__": ["Cannot mount an unformatted partition or block device."]},
        ),
        (
            [FORMAT],
            ("POST", f"{NODE}/blockdevices/4/?op=mount", "mount_point=srv"),
            400,
            {"mount_point": ["Enter a valid value."]},
        ),
        ([FORMAT], ("POST", f"{NODE}/blockdevices/4/?op=unmount"), 400, "Filesystem is already unmounted."),
        (
            [],
            ("POST", "machines/333333/?op=set_storage_layout", "storage_layout=custom"),
            500,
            "'NoneType' object has no attribute 'find_script_result'",
        ),
    ],
)
def test_what_it_refuses(maas: Maas, before: list[Any], request_: tuple[str, ...], status: int, said: Any) -> None:
    for one in before:
        assert ask(maas, *one)[0] == 200
    assert ask(maas, *request_) == (status, said)


@pytest.mark.parametrize(
    ("before", "path", "told"),
    [
        ([PART], "blockdevices/4/partition/1", {"size": 9999220736, "used_for": "Unused"}),
        ([PART], "blockdevices/9/partition/1", {"id": 1, "device_id": 4}),
        ([PART], "blockdevices/4/", {"used_size": 10004463616, "available_size": 490100228096}),
        ([], "blockdevices/4/", {"used_size": 0, "available_size": 500099448832, "used_for": "Unused"}),
        ([RAID], "raid/1/", {"size": 500107730944, "human_size": "500.1 GB", "level": "raid-1"}),
        ([RAID], "blockdevices/4/", {"used_for": "Active raid-1 device for md0", "available_size": 0}),
        ([GROUP], "volume-group/1/", {"size": 1000207286272, "human_available_size": "1.0 TB"}),
        ([GROUP, ("POST", LV, "name=v&size=1G")], "blockdevices/v/", {"name": "vg-v", "size": 998244352}),
        ([CACHE, BCACHE], "bcache/1/", {"size": 500107862016, "cache_mode": "writeback"}),
        ([CACHE], "blockdevices/2/", {"used_for": "Cache device for cache0"}),
    ],
)
def test_what_it_tells(maas: Maas, before: list[Any], path: str, told: dict[str, Any]) -> None:
    for one in before:
        assert ask(maas, *one)[0] == 200
    status, found = ask(maas, "GET", f"{NODE}/{path}")
    assert status == 200
    assert {key: found[key] for key in told} == told


def test_what_a_deleted_array_leaves_behind(maas: Maas) -> None:
    """Nobody is asked, and what was on it can neither be read nor deleted."""
    ask(maas, *RAID)
    ask(maas, "POST", f"{NODE}/volume-groups/", "name=vg&block_devices=md0")
    assert ask(maas, "DELETE", f"{NODE}/raid/1/") == (204, "")
    assert ask(maas, "GET", "machines/333333/")[1]["volume_groups"] == []
    for method in ("GET", "DELETE"):
        assert ask(maas, method, f"{NODE}/volume-group/2/")[0] == 500


def test_lists_and_bodies(maas: Maas) -> None:
    """Repeated keys, and fields in any encoding, with the operation in the query."""
    fields = [("name", "md0"), ("level", "raid-1"), ("block_devices", "sdb"), ("block_devices", "sdc")]
    assert ask(maas, "POST", f"{NODE}/raids/", urlencode(fields))[0] == 200
    assert [one["name"] for one in ask(maas, "GET", f"{NODE}/raids/")[1][0]["devices"]] == ["sdb", "sdc"]
    stub = {"system_id": "333333", "id": 1, "__incomplete__": True}
    assert ask(maas, "GET", "machines/?hostname=node1")[1][0]["raids"] == [stub]


def test_how_answers_are_compared() -> None:
    given = "b1e2c3d4-0001-4aaa-8bbb-0123456789ab"
    one = {"uuid": "c4b99742-b4f7-40bf-a966-117a83ab0000", "given": given, "list": [{"id": 2}, {"id": 1}]}
    assert plain(one, given) == {"uuid": "UUID", "given": given, "list": [{"id": 1}, {"id": 2}]}
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == ".a[0].b is '2' and not '1'"
