# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated region says what a real one was seen to say: statuses, words and sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ansible_collections.strata.storage.plugins.module_utils.maas.client import Client
from tests.simulators.maas import ALLOCATED, DEPLOYED, NEW, READY
from tests.simulators.maas.replay import difference, plain, replay

from .region import KEY, Maas

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
VMFS = ("POST", "machines/333333/?op=set_storage_layout", "storage_layout=vmfs6")
BIG_BOOT = ("POST", f"{NODE}/blockdevices/2/?op=set_boot_disk", "")
STORE = ("POST", f"{NODE}/vmfs-datastores/", "name=ds&block_devices=4")
NO_TAG = "Cannot update block device because the machine is not Ready."
OTHER = "other:token:secret"


def choice(field: str, value: str, **more: Any) -> dict[str, Any]:
    return {field: [f"Select a valid choice. {value} is not one of the available choices."], **more}


def ask(maas: Maas, method: str, path: str, body: str = "", key: str = KEY) -> tuple[int, Any]:
    """A request as the client makes it, and the answer as it came."""
    client = Client(maas.server.url, key)
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
        # What is in use
        (
            [RAID, ("POST", f"{NODE}/volume-groups/", "name=vg&block_devices=10")],
            ("DELETE", f"{NODE}/blockdevices/10/"),
            400,
            "Cannot delete block device because its part of a volume group.",
        ),
        (
            [GROUP],
            ("PUT", f"{NODE}/volume-group/1/", "remove_block_devices=4&remove_block_devices=5"),
            400,
            {"__all__": ["At least one filesystem must have been added."]},
        ),
        (
            [GROUP, ("POST", LV, "name=v"), CACHE],
            ("POST", f"{NODE}/bcaches/", "name=b&cache_set=1&cache_mode=writeback&backing_device=v"),
            400,
            {"__all__": ["Bcache cannot use a logical volume as a backing device."]},
        ),
        # VMFS
        ([], VMFS, 400, {"boot_size": ["Boot disk must be at least 10Gb."]}),
        (
            [],
            STORE,
            400,
            {"VMFS": ["VMFS Datastores may only be created after the VMFS6 or VMFS7 storage layout has been applied."]},
        ),
        (
            [BIG_BOOT, VMFS],
            ("DELETE", f"{NODE}/blockdevices/2/partition/1"),
            400,
            "VMware ESXi partitions may not be removed. To remove select a different storage layout.",
        ),
        (
            [BIG_BOOT, VMFS],
            ("DELETE", f"{NODE}/blockdevices/2/partition/3"),
            400,
            "Cannot delete partition because its part of a VMFS.",
        ),
        (
            [BIG_BOOT, VMFS],
            ("POST", f"{NODE}/blockdevices/2/partition/2?op=format", "fstype=ext4"),
            400,
            {"VMFS": ["Base VMFS partitions may not be formatted."]},
        ),
        (
            [BIG_BOOT],
            ("POST", "machines/333333/?op=set_storage_layout", "storage_layout=flat&root_device=sdb"),
            400,
            {
                "root_device": [
                    "'sdb' is not a valid root_device.  It should be one of: "
                    "'1', '2', '3', '4', '5', '6', '7', '8', '9'."
                ]
            },
        ),
        # Lists and scripts
        ([], ("GET", "machines/?pool=nowhere"), 400, {"pool": ["No such pool: 'nowhere'."]}),
        ([], ("GET", "scripts/nothing"), 404, "No Script matches the given query."),
        ([], ("POST", "scripts/", "name=45-x&script=echo"), 400, {"script": ["Must start with shebang."]}),
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


@pytest.mark.parametrize("status", [NEW, DEPLOYED, ALLOCATED])
def test_what_a_state_permits(maas: Maas, status: int) -> None:
    """Tags of disks, and changes of disks, only while it is Ready; those of partitions always."""
    for one in (RAID, ("POST", f"{NODE}/blockdevices/6/partitions/", "size=10G")):
        assert ask(maas, *one)[0] == 200
    maas.machine.status = status
    disk = f"{NODE}/blockdevices/8/"
    assert ask(maas, "POST", f"{disk}?op=add_tag", "tag=x") == (409, NO_TAG)
    assert ask(maas, "POST", f"{disk}?op=remove_tag", "tag=rotary") == (409, NO_TAG)
    assert ask(maas, "PUT", disk, "name=sdx") == (409, NO_TAG)
    assert ask(maas, "POST", f"{NODE}/blockdevices/6/partition/1?op=add_tag", "tag=x")[0] == 200
    assert ask(maas, "DELETE", f"{NODE}/raid/1/") == (409, "Cannot delete RAID because the machine is not Ready.")
    said = "Cannot delete block device because the node is not Ready."
    assert ask(maas, "DELETE", f"{NODE}/blockdevices/6/partition/1") == (409, said)
    format_ = ask(maas, "POST", f"{disk}?op=format", "fstype=ext4")
    said = "Cannot format block device because the machine is not Ready or Allocated."
    assert format_[0] == 200 if status == ALLOCATED else format_ == (409, said)
    layout = ask(maas, "POST", "machines/333333/?op=set_storage_layout", "storage_layout=blank")
    assert layout == (409, "Cannot change the storage layout on a machine that is not Ready.")


def test_what_a_plain_user_may_do(maas: Maas) -> None:
    """On a Ready machine: filesystems on no device. On one of its own: filesystems. On another's: nothing."""
    special = ("POST", "machines/333333/?op=mount_special", "fstype=tmpfs&mount_point=/tmp")
    assert ask(maas, *FORMAT, OTHER) == (
        403,
        "Cannot format block device because you don't have the permissions on a Ready machine.",
    )
    assert ask(maas, *special, OTHER)[0] == 200
    assert ask(maas, *RAID, OTHER) == (403, "")
    maas.machine.allocate("somebody")
    assert ask(maas, *FORMAT, OTHER)[0] == 200
    assert ask(maas, *RAID, OTHER) == (403, "")
    maas.machine.owner = "else"
    assert ask(maas, *FORMAT, OTHER) == (403, "")
    assert ask(maas, *special[:2], "fstype=tmpfs&mount_point=/x", OTHER) == (403, "")


def test_allocated_and_released(maas: Maas) -> None:
    """What was done to filesystems meanwhile is gone; the states that it goes through answer 200, others 409."""
    ask(maas, *FORMAT)
    ask(maas, "POST", f"{NODE}/blockdevices/4/?op=mount", "mount_point=/srv")
    assert ask(maas, "POST", "machines/333333/?op=lock")[0] == 409
    status, told = ask(maas, "POST", "machines/?op=allocate", "system_id=333333")
    assert (status, told["status_name"], told["owner"]) == (200, "Allocated", "admin")
    assert ask(maas, "POST", "machines/?op=allocate", "system_id=333333")[0] == 409
    for request in (
        ("POST", f"{NODE}/blockdevices/4/?op=unmount"),
        ("POST", f"{NODE}/blockdevices/4/?op=unformat"),
        ("POST", f"{NODE}/blockdevices/5/?op=format", "fstype=xfs"),
        ("POST", "machines/333333/?op=mount_special", "fstype=tmpfs&mount_point=/tmp"),
    ):
        assert ask(maas, *request)[0] == 200
    status, told = ask(maas, "POST", "machines/333333/?op=release")
    assert (status, told["status_name"], told["owner"], told["special_filesystems"]) == (200, "Ready", None, [])
    assert told["blockdevice_set"][3]["filesystem"]["mount_point"] == "/srv"
    assert told["blockdevice_set"][4]["filesystem"] is None
    maas.machine.status = DEPLOYED
    assert ask(maas, "POST", "machines/333333/?op=lock")[0] == 200
    assert ask(maas, "POST", "machines/333333/?op=release")[0] == 403
    assert ask(maas, "POST", "machines/333333/?op=unlock")[0] == 200
    assert ask(maas, "POST", "machines/333333/?op=release")[0] == 200
    maas.machine.status = NEW
    assert ask(maas, "POST", "machines/333333/?op=release")[0] == 409


def test_a_datastore(maas: Maas) -> None:
    """A disk that becomes a part of it gets a partition, which stays when it has gone."""
    for one in (BIG_BOOT, VMFS, STORE):
        assert ask(maas, *one)[0] in (200, 204)
    status, told = ask(maas, "PUT", f"{NODE}/vmfs-datastore/2/", "add_block_devices=5&name=other")
    assert (status, told["name"], told["size"]) == (200, "other", 2 * 500099448832)
    assert told["filesystem"] == {"fstype": "vmfs6", "mount_point": "/vmfs/volumes/ds"}
    assert [one["path"][-9:] for one in told["devices"]] == ["sdb-part1", "sdc-part1"]
    assert told["devices"][0]["used_for"] == "VMFS extent for other"
    assert ask(maas, "PUT", f"{NODE}/vmfs-datastore/2/", "remove_partitions=9")[1]["size"] == 500099448832
    last = ask(maas, "PUT", f"{NODE}/vmfs-datastore/2/", "remove_partitions=10")
    assert last == (400, {"__all__": ["At least one filesystem must have been added."]})
    assert ask(maas, "DELETE", f"{NODE}/vmfs-datastore/2/")[0] == 204
    assert [len(maas.machine.device(name).partitions) for name in ("sdb", "sdc")] == [1, 1]


SCRIPT = """#!/bin/sh
# --- Start MAAS 1.0 script metadata ---
# name: 45-layout
# script_type: commissioning
# tags: noauto
# --- End MAAS 1.0 script metadata ---
echo '{"layout": {"sda": {"type": "disk", "ptable": "gpt", "boot": true, "partitions": [
    {"name": "root", "size": "5G", "fs": "ext4"}]}}, "mounts": {"/": {"device": "root"}}}' > "$MAAS_STORAGE_CONFIG_FILE"
"""


def test_a_layout_that_a_commissioning_script_tells(maas: Maas) -> None:
    assert ask(maas, "POST", "scripts/", urlencode({"script": SCRIPT}))[1]["tags"] == ["noauto", "node"]
    custom = ("POST", "machines/333333/?op=set_storage_layout", "storage_layout=custom")
    assert ask(maas, "POST", "machines/333333/?op=commission")[0] == 200
    assert ask(maas, *custom) == (
        400,
        "Failed to configure storage layout 'custom': No custom storage layout configuration found",
    )
    ask(maas, "POST", "machines/333333/?op=commission", "commissioning_scripts=45-layout")
    status, told = ask(maas, *custom)
    assert status == 200
    (part,) = told["blockdevice_set"][0]["partitions"]
    assert (part["size"], part["filesystem"]["mount_point"]) == (4999610368, "/")
    ask(maas, "PUT", "scripts/45-layout", urlencode({"script": SCRIPT.replace("sda", "sdz")}))
    ask(maas, "POST", "machines/333333/?op=commission", "commissioning_scripts=45-layout")
    assert ask(maas, *custom)[1].endswith("Failed to apply storage layout: Unknown machine disk(s): sdz")
    history = ask(maas, "GET", "scripts/45-layout?include_script=true")[1]["history"]
    assert [version["id"] for version in history] == [2, 1]
    assert ask(maas, "POST", "scripts/45-layout?op=revert", "to=1")[0] == 200
    ask(maas, "PUT", "scripts/45-layout", urlencode({"script": "#!/bin/sh\nexit 1\n", "name": "45-layout"}))
    ask(maas, "POST", "machines/333333/?op=commission", "commissioning_scripts=45-layout")
    assert maas.machine.status not in (READY, NEW)
    assert ask(maas, "DELETE", "scripts/45-layout")[0] == 204


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


def exchange(method: str, path: str, status: int, body: Any, **request: Any) -> dict[str, Any]:
    return {
        "request": {"method": method, "path": f"/MAAS/api/2.0/{path}", **request},
        "response": {"status": status, "body": body},
    }


def test_any_recordings_can_be_replayed(maas: Maas, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """States that nobody knows, and what was done before the recording, are differences, not the end of it."""
    ask(maas, *PART)
    told = {**ask(maas, "GET", "machines/333333/")[1], "status": 77, "status_name": "Melting", "owner": "joe"}
    raid = {"id": 9, "name": "md9", "level": "raid-1", "resource_uri": "/MAAS/api/2.0/nodes/333333/raid/9/"}
    member = {"system_id": "777777", "type": "physical", "name": "vda", "id": 3, "size": 10**10, "used_size": 0}
    form = "application/x-www-form-urlencoded"
    recorded = [
        exchange("GET", "machines/333333/", 200, told),
        exchange("GET", "nodes/333333/raid/9/", 200, raid, params=None, auth="admin", content_type=None),
        exchange("POST", "nodes/333333/raid/9/", 405, "", params={"a": 1}, content_type=form),
        exchange("GET", "nodes/777777/blockdevices/3/", 200, member),
        exchange("PATCH", "nodes/666666/", 405, "", params={"a": 1}, content_type="application/json"),
    ]
    for number, one in enumerate(recorded):
        (tmp_path / f"{'xyz'[number % 3]}{number}.json").write_text(json.dumps(one))
    (tmp_path / "notes.json").write_text('["no exchange"]')
    wrong = dict(replay(tmp_path))
    assert capsys.readouterr().out.startswith("2 of 5 exchanges match")
    assert wrong.keys() == {"y1", "x3", "y4"}
    assert wrong["y1"].startswith("404 for 200")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "is no directory"),
        ({}, "has no recorded exchanges"),
        ({"notes.json": '["no exchange"]'}, "has no recorded exchanges"),
        ({"raid-001.json": '{"request": '}, "raid-001.json: it is no JSON"),
        ({"raid-001.json": b"\xff\xfe"}, "raid-001.json: it is no JSON"),
        ({"raid-001.json": '{"request": {"method": "GET"}, "response": {}}'}, "its request has no path"),
        ({"raid-001.json": '{"request": {"method": "GET", "path": "/"}, "response": []}'}, "no status and no body"),
    ],
)
def test_what_is_no_recording_gets_a_sentence(tmp_path: Path, files: dict[str, Any] | None, said: str) -> None:
    directory = tmp_path if files is not None else tmp_path / "nothing"
    for name, text in (files or {}).items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    run = [sys.executable, "-m", "tests.simulators.maas.replay", str(directory)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_how_answers_are_compared() -> None:
    given = "b1e2c3d4-0001-4aaa-8bbb-0123456789ab"
    one = {"uuid": "c4b99742-b4f7-40bf-a966-117a83ab0000", "given": given, "list": [{"id": 2}, {"id": 1}]}
    assert plain(one, given) == {"uuid": "UUID", "given": given, "list": [{"id": 1}, {"id": 2}]}
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == ".a[0].b is '2' and not '1'"
