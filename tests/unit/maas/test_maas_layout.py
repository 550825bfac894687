# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole documents on machines of a region: what they come to, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.for_maas import for_maas
from tests.simulators.maas import ALLOCATED, DEPLOYED

from .region import GB, Failed, Maas, MiB, add_machine

EMPTY: dict[str, Any] = {
    section: [] for section in ("partitions", "raids", "bcaches", "drives", "filesystems", "special_filesystems")
}
WHOLE: dict[str, Any] = {
    "disks": [
        {"name": "slow", "tags": ["rotary"], "count": 4},
        {"name": "fast", "model": "ACME NVMe 100"},
    ],
    "partitions": [
        {"name": "efi", "device": "sda", "size": "512M", "bootable": True},
        {"name": "root", "device": "sda"},
    ],
    "raids": [{"name": "md0", "level": "6", "devices": ["slow"], "spare_devices": ["sdf"]}],
    "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "fast", "cache_mode": "writeback"}],
    "drives": [
        {
            "name": "data",
            "devices": ["cached"],
            "volumes": [
                {"name": "srv", "size": "80%", "filesystem": "xfs", "mount_point": "/srv"},
                {"name": "logs", "filesystem": "ext4", "label": "logs", "mount_point": "/srv/log"},
            ],
        }
    ],
    "filesystems": [
        {"device": "efi", "type": "fat32", "mount_point": "/boot/efi"},
        {"device": "root", "type": "ext4", "mount_point": "/", "mount_options": "noatime"},
        {"device": "sdg", "type": "swap"},
    ],
    "special_filesystems": [{"type": "tmpfs", "mount_point": "/tmp", "mount_options": "size=1G"}],
}


def outline(result: dict[str, Any]) -> list[str]:
    return [f"{one['action']} {one['kind']} {one['name']}" for one in result["plan"]]


def commands(result: dict[str, Any]) -> list[str]:
    return [command for one in result["plan"] for command in one["commands"]]


def one_raid(level: str = "1", *devices: str, **more: Any) -> dict[str, Any]:
    return {"raids": [{"name": "md0", "level": level, "devices": list(devices), **more}]}


def test_a_whole_document(maas: Maas) -> None:
    done = maas.settle(**WHOLE)
    assert outline(done) == [
        "create partition efi",
        "create partition root",
        "create raid md0",
        "create cache set nvme0n1",
        "create bcache cached",
        "create drive data",
        "create volume data/srv",
        "format filesystem data/srv",
        "mount filesystem data/srv",
        "create volume data/logs",
        "format filesystem data/logs",
        "mount filesystem data/logs",
        "format filesystem efi",
        "mount filesystem efi",
        "format filesystem root",
        "mount filesystem root",
        "format filesystem sdg",
        "mount filesystem sdg",
        "mount special /tmp",
    ]
    assert done["diff"][-1]["before"].splitlines()[0].split() == ["sda", "disk", "7.45", "GiB"]
    assert "raid6" in done["diff"][-1]["after"]
    (group,) = (group for group in maas.machine.groups if group.type == "lvm-vg")
    assert {volume.full_name: volume.filesystem and volume.filesystem.mount_point for volume in group.volumes} == {
        "data-srv": "/srv",
        "data-logs": "/srv/log",
    }
    assert group.free == 0


def test_what_it_costs(maas: Maas) -> None:
    """An unchanged machine takes one request, and one more for each kind of thing that it has.

    A task that changes something also asks whose key it has, and looks whether somebody else made its two partitions,
    or its volume group, at the same moment.
    """
    assert maas.storage(**WHOLE)["requests"] == 1 + 1 + 19 + 2 + 3 + 5
    maas.server.log.clear()
    assert maas.storage(**WHOLE)["requests"] == 5
    assert [line.split()[0] for line in maas.server.log] == ["GET"] * 5
    add_machine(maas.region, "node2")
    assert maas.storage(machine="node2", boot_disk="sda")["requests"] == 1


def test_what_was_gathered_can_be_given_back_and_changes_nothing(maas: Maas) -> None:
    maas.storage(**WHOLE)
    (found,) = maas.info(machines=["node1.maas"])["machines"]
    assert found["bootable_partitions"] == ["sda-part1"]
    beside = {key: found[key] for key in ("special_filesystems", "boot_disk")}
    assert not maas.storage(**found["layout"], **beside, mode="exact", base_layout="blank")["changed"]


def test_everything_goes_from_the_top(maas: Maas) -> None:
    maas.storage(**WHOLE)
    names = ["sda-part1", "sda-part2", "md0", "cached", "data", "sdg", "/tmp"]
    refused = "mode exact would remove: filesystems: sda-part1, .*drives: data, bcaches: cached, raids: md0"
    maas.refused(refused, **EMPTY, mode="exact")
    gone = maas.settle(**EMPTY, mode="exact", allow_destroy=names)
    assert outline(gone) == [
        "unformat filesystem sda-part1",
        "unformat filesystem sda-part2",
        "unformat filesystem sdg",
        "remove volume data/srv",
        "remove volume data/logs",
        "remove drive data",
        "remove bcache cached",
        "remove cache set nvme0n1",
        "remove raid md0",
        "remove partition sda-part2",
        "remove partition sda-part1",
        "unmount special /tmp",
    ]
    assert (maas.machine.groups, maas.machine.cache_sets, maas.machine.special) == ([], [], [])
    assert not any(device.used for device in maas.machine.devices)


def test_a_document_is_planned_on_what_it_makes_gone(maas: Maas) -> None:
    """Disks go from one item to another in one task."""
    maas.storage(**one_raid("1", "sdb", "sdc"))
    both = {
        "raids": [{"name": "md0", "state": "absent"}],
        "drives": [{"name": "data", "devices": ["sdb", "sdc"]}],
    }
    assert outline(maas.settle(**both)) == ["remove raid md0", "create drive data"]


def test_all_that_is_in_the_way_is_told_at_once(maas: Maas) -> None:
    maas.storage(**one_raid("1", "sdb", "sdc"), filesystems=[{"device": "sdd", "type": "xfs"}])
    words = one_raid("5", "sdc", "sde", "sdf")
    said = maas.refused("2 errors", **words, partitions=[{"name": "p", "device": "sdb", "size": "10GB"}])["msg"]
    assert [line.partition(",")[0] for line in said.splitlines()] == [
        "2 errors:",
        "partitions: p: sdb: refused as the disk of partition p: it is an active member of a RAID (RAID md0). Take it"
        " out there first",
        "raids: md0: its level is 1",
    ]


def test_all_items_that_cannot_be_planned_are_told_at_once(maas: Maas) -> None:
    """With their places, and without those that are made of them, which are right."""
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "tags": ["rotary"], "count": 4}],
        "raids": [
            {"name": "md0", "level": "1", "devices": ["slwo", "sdx"]},
            {"name": "md1", "level": "5", "devices": ["sdb", "sdc"]},
        ],
        "drives": [{"name": "data", "devices": ["md0"]}, {"name": "more", "devices": ["sdy"]}],
    }
    said = maas.refused("3 errors", **words)["msg"]
    assert said.splitlines() == [
        "3 errors:",
        "raids: md0: node1 has no device slwo. Did you mean slow?",
        "raids: md1: RAID 5 needs at least 3 devices in MAAS, and `devices` has 2",
        "drives: more: node1 has no device sdy",
    ]


def test_what_one_item_lets_go_of_another_can_have(maas: Maas) -> None:
    """The order in the document is that of what is made of what; here a partition has to wait for an array."""
    maas.storage(**one_raid("1", "sdb", "sdc"))
    words = {
        "partitions": [{"name": "p", "device": "sdb", "size": "10GB"}],
        "filesystems": [{"device": "p", "type": "ext4", "mount_point": "/srv"}],
        **one_raid("1", "sdc", "sdd"),
    }
    assert outline(maas.settle(**words)) == [
        "change raid md0",
        "change raid md0",
        "create partition p",
        "format filesystem p",
        "mount filesystem p",
    ]


@pytest.mark.parametrize("machine", ["node1", "node1.maas", "333333"])
def test_machines_by_any_of_their_names(maas: Maas, machine: str) -> None:
    assert maas.storage(machine=machine, boot_disk="sda")["system_id"] == "333333"


def test_machines_that_are_not_there_or_twice(maas: Maas) -> None:
    maas.refused("there is no machine node9 in this region", machine="node9", boot_disk="sda")
    maas.refused("machine is empty", machine="", boot_disk="sda")
    add_machine(maas.region, "node1", domain="lab")
    maas.refused(r"there are several: node1.maas \(333333\), node1.lab \(333334\)", boot_disk="sda")
    assert maas.storage(machine="node1.lab", boot_disk="sda")["system_id"] == "333334"


# What is in the machine's way, and the region's


def test_a_machine_in_another_state(maas: Maas) -> None:
    maas.machine.status = DEPLOYED
    said = "node1 is Deployed, and MAAS lets this be changed only while it is Ready: create raid md0"
    maas.refused(said, **one_raid("1", "sdb", "sdc"))
    maas.machine.status = ALLOCATED
    maas.refused("node1 is Allocated, .* only while it is Ready: create raid", **one_raid("1", "sdb", "sdc"))
    maas.settle(filesystems=[{"device": "sdb", "type": "xfs", "mount_point": "/srv"}])
    maas.machine.status = DEPLOYED
    said = "only while it is Ready or Allocated: unformat filesystem sdb"
    maas.refused(said, filesystems=[{"device": "sdb", "state": "absent"}], allow_destroy=["sdb"])


def test_a_user_who_may_not(maas: Maas) -> None:
    with pytest.raises(Failed, match="the API key's user may not do that; administrators change storage") as failed:
        maas.storage(**one_raid("1", "sdb", "sdc"), api_key="other:token:secret")
    assert not failed.value.result.get("done")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "nothing is wanted; say at least one of disks, partitions"),
        (one_raid("1", "sdb"), "RAID md0: RAID 1 needs at least 2 devices in MAAS, and `devices` has 1"),
        (one_raid("10", "sdb", "sdc"), "RAID 10 needs at least 3 devices in MAAS"),
        (one_raid("1", "sdb", "/dev/sdb"), "raids: md0: devices.0. and raids: md0: devices.1. both mean sdb"),
        (one_raid("1", "sdb", "sdz"), "RAID md0: node1 has no device sdz$"),
        (
            {"disks": [{"name": "slow", "serial": "NODE1-SDC"}], **one_raid("1", "sdb", "slwo")},
            r"RAID md0: node1 has no device slwo\. Did you mean slow\?",
        ),
        ({"raids": [{"name": "md0"}]}, "RAID md0 does not exist, and to create it, say also: level, devices"),
        (one_raid("4", "sdb", "sdc", "sdd"), r"raids\[0\] md0: value of level must be one of: 0, 1, 5, 6, 10, got: 4"),
        (one_raid("1", "sdb", "sdc", chunk_size="64K"), r"raids\[0\] md0: chunk_size is no option"),
        ({"raids": [{"name": "sdb", "level": "1", "devices": ["sdc", "sdd"]}]}, "there is a disk of that name already"),
        ({"partitions": [{"name": "sdb", "device": "sdc"}]}, "partitions: sdb: there is a disk of that name already"),
        (
            {"bcaches": [{"name": "b", "backing_device": "sdb", "cache_device": ""}]},
            "cache_device is empty, and MAAS has no bcache without a cache",
        ),
        (one_raid("1", "sdb", "sdc", uuid="0" * 32), "uuid 0{32} is not of version 4, and MAAS takes no other"),
        ({"bcaches": [{"name": "b", "backing_device": "sdb"}]}, "bcache b does not exist, .*say also: cache_device"),
        ({"drives": [{"name": "d"}]}, "drive d does not exist, and to create it, say also: devices"),
        (
            {
                "drives": [
                    {"name": "d", "devices": ["sdb"], "volumes": [{"name": "v"}]},
                    {"name": "e", "devices": ["sdc"], "volumes": [{"name": "v"}]},
                ]
            },
            "drives: e/v: drive d has a volume of that name",
        ),
        (
            {"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "sdc"}]}]},
            "volume d/sdc: sdc has that name already",
        ),
        (
            {"drives": [{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "size": "1TB"}]}]},
            "volume d/v: 931 GiB is wanted, and drive d has 466 GiB left",
        ),
        (
            {"partitions": [{"name": "p", "device": "sdb", "size": "1TB"}]},
            "931 GiB is wanted, and sdb has 466 GiB left",
        ),
        ({"partitions": [{"name": "p", "device": "sdb", "size": "1M"}]}, "MAAS makes none smaller than 4 MiB"),
        (
            {"filesystems": [{"device": "sda", "type": "ext4"}]},
            "sda: it is the boot disk, and MAAS puts no filesystem on that itself",
        ),
        ({"filesystems": [{"device": "sdb", "mount_point": "/srv"}]}, "sdb: it holds no filesystem; say the type"),
        (
            {
                "filesystems": [
                    {"device": "sdb", "type": "ext4", "mount_point": "/srv"},
                    {"device": "sdc", "type": "ext4", "mount_point": "/srv"},
                ]
            },
            "/srv is the mount_point of two items: filesystems: sdb and filesystems: sdc",
        ),
        (
            {"filesystems": [{"device": "sdb", "type": "ext4"}], **one_raid("1", "sdb", "sdc")},
            "raids: md0: devices.0. and filesystems: sdb: device both mean sdb",
        ),
        (
            {"special_filesystems": [{"type": "tmpfs", "mount_point": point} for point in ("/tmp", "/tmp/")]},
            "special_filesystems: /tmp is named twice",
        ),
        ({"boot_disk": "sdz"}, "boot_disk: node1 has no device sdz"),
        (
            {"disks": [{"name": "slow", "tags": ["rotary"], "count": 9}], **one_raid("1", "slow")},
            "disks slow: 9 wanted, and 6 match",
        ),
        (
            {"disks": [{"name": "one", "id_path": "/dev/disk/by-id/x", "count": 2}], **one_raid("1", "one")},
            "a serial, a wwn or an id_path is that of one disk",
        ),
        ({**one_raid("1", "sdb", "sdc"), "allow_destroy": ["md7"]}, "allow_destroy: md7 is no item of the document"),
    ],
)
def test_what_cannot_be(maas: Maas, words: dict[str, Any], said: str) -> None:
    maas.refused(said, **words)


def test_what_the_region_would_not_refuse(maas: Maas) -> None:
    maas.storage(**one_raid("1", "sdb", "sdc"))
    for words in (
        {"partitions": [{"name": "p", "device": "sdb"}]},
        {"filesystems": [{"device": "sdb", "type": "ext4"}]},
        {"drives": [{"name": "d", "devices": ["sdb"]}]},
        {"bcaches": [{"name": "b", "backing_device": "sdb", "cache_device": "nvme0n1"}]},
        {"bcaches": [{"name": "b", "backing_device": "sdd", "cache_device": "sdb"}]},
        {"raids": [{"name": "md1", "level": "1", "devices": ["sdb", "sdd"]}]},
    ):
        maas.refused(r"sdb: refused .*: it is an active member of a RAID \(RAID md0\)", **words)
    maas.storage(partitions=[{"name": "p", "device": "md0"}])
    maas.refused("md0: RAID md0 cannot be removed: it has partitions", raids=[{"name": "md0", "state": "absent"}])
    maas.refused(
        r"md0: refused for a filesystem: it has partitions \(md0-part1\)",
        filesystems=[{"device": "md0", "type": "xfs"}],
    )
    said = "it is a device of a volume group"
    maas.storage(
        drives=[{"name": "d", "devices": ["p"], "volumes": [{"name": "v"}]}],
        partitions=[{"name": "p", "device": "md0"}],
    )
    maas.refused(said, partitions=[{"name": "p", "device": "md0", "state": "absent"}])
    maas.refused(
        "d/v: refused for partition q: MAAS partitions disks and RAIDs, and this is a volume",
        partitions=[{"name": "q", "device": "d/v"}],
    )


def test_a_member_that_somebody_partitioned(maas: Maas) -> None:
    """The region lets it happen; nothing is added to it here."""
    maas.storage(**one_raid("1", "sdb", "sdc"))
    maas.machine.add_partition(maas.machine.device("sdb"), 10**9)
    said = "^sdb: refused for partition p: it is an active member of a RAID"
    maas.refused(said, partitions=[{"name": "p", "device": "sdb", "size": "1GB"}])


def test_filesystems_need_permission_to_go(maas: Maas) -> None:
    maas.storage(filesystems=[{"device": "sdb", "type": "ext4", "label": "old", "mount_point": "/srv"}])
    said = "sdb: refused as a member of md0: it holds a filesystem ext4 labelled 'old', mounted at /srv.*or add md0 to"
    maas.refused(said, **one_raid("1", "sdb", "sdc"))
    done = maas.settle(**one_raid("1", "sdb", "sdc"), allow_destroy=["md0"])
    assert outline(done) == ["unformat filesystem sdb", "create raid md0"]
    assert done["plan"][0]["destroys"] == ["sdb: a filesystem ext4 labelled 'old', mounted at /srv"]
    maas.storage(filesystems=[{"device": "md0", "type": "xfs"}])
    said = "RAID md0 cannot be removed: it holds a filesystem xfs. Add md0 to allow_destroy"
    maas.refused(said, raids=[{"name": "md0", "state": "absent"}])
    maas.settle(raids=[{"name": "md0", "state": "absent"}], allow_destroy=["md0"])


# Changes


def test_members_come_in_before_others_leave(maas: Maas) -> None:
    maas.storage(**one_raid("5", "sdb", "sdc", "sdd", spare_devices=["sde"]))
    done = maas.settle(**one_raid("5", "sdf", "sdc", "sdd", spare_devices=["sde"]))
    assert commands(done) == [
        "PUT nodes/333333/raid/1/ add_block_devices=8",
        "PUT nodes/333333/raid/1/ remove_block_devices=4",
    ]
    done = maas.settle(**one_raid("5", "sdc", "sdd", "sde", spare_devices=["sdf", "sdb"]))
    assert commands(done) == [
        "PUT nodes/333333/raid/1/ remove_spare_devices=7",
        "PUT nodes/333333/raid/1/ add_block_devices=7 add_spare_devices=4",
        "PUT nodes/333333/raid/1/ remove_block_devices=8",
        "PUT nodes/333333/raid/1/ add_spare_devices=8",
    ]
    maas.settle(**one_raid("5", "sdc", "sdd", "sde", spare_devices=[]))
    maas.refused(
        "its level is 5, and 6 is wanted; MAAS cannot change that", **one_raid("6", "sdc", "sdd", "sde", "sdb")
    )
    maas.refused("needs at least 3 devices", **one_raid("5", "sdc", "sdd"))
    assert not maas.storage(**one_raid("5", "sde", "sdd", "sdc"))["changed"]


def test_an_array_below_others_stays_as_large_as_they_need(maas: Maas) -> None:
    words = one_raid("5", "sdb", "sdc", "sdd", "sde")
    maas.storage(**words, drives=[{"name": "d", "devices": ["md0"], "volumes": [{"name": "v"}]}])
    said = "RAID md0: it would become 932 GiB, and the volumes of drive d on it need more"
    maas.refused(said, **one_raid("5", "sdb", "sdc", "sdd"))
    grown = maas.settle(
        **one_raid("5", "sdb", "sdc", "sdd", "sde", "sdf"),
        drives=[{"name": "d", "devices": ["md0"], "volumes": [{"name": "v", "size": "100%"}]}],
    )
    assert outline(grown) == ["change raid md0", "resize volume d/v"]


def test_renaming(maas: Maas) -> None:
    maas.storage(**WHOLE)
    renamed = {
        "raids": [{"name": "md7", "renamed_from": "md0"}],
        "bcaches": [{"name": "quick", "renamed_from": "cached", "backing_device": "md7"}],
        "drives": [
            {
                "name": "store",
                "renamed_from": "data",
                "devices": ["quick"],
                "volumes": [{"name": "www", "renamed_from": "srv", "mount_point": "/www"}],
            }
        ],
    }
    done = maas.settle(**renamed)
    assert outline(done) == [
        "rename raid md7",
        "change bcache quick",
        "rename drive store",
        "rename volume store/www",
        "mount filesystem store/www",
    ]
    names = {device.full_name for device in maas.machine.devices}
    assert {"md7", "quick", "store-www", "store-logs"} <= names


def test_an_array_is_found_by_its_uuid(maas: Maas) -> None:
    uuid, other = "5f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6", "0f0c1e2a7b3d4c5e8f90a1b2c3d4e5f6"
    maas.storage(**one_raid("1", "sdb", "sdc", uuid=uuid))
    done = maas.settle(raids=[{"name": "mdx", "uuid": uuid}])
    assert commands(done) == ["PUT nodes/333333/raid/1/ name=mdx"]
    done = maas.settle(raids=[{"name": "mdx", "uuid": other}])
    assert outline(done) == ["set raid mdx"]


def test_changes_of_a_bcache(maas: Maas) -> None:
    words = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    maas.storage(bcaches=[words, {**words, "name": "other", "backing_device": "sdc"}])
    done = maas.settle(bcaches=[{"name": "cached", "cache_mode": "writearound"}])
    assert commands(done) == ["PUT nodes/333333/bcache/1/ cache_mode=writearound"]
    done = maas.settle(bcaches=[{**words, "cache_device": "nvme1n1"}])
    assert outline(done) == ["create cache set nvme1n1", "change bcache cached"]
    done = maas.settle(bcaches=[{**words, "name": "other", "backing_device": "sdd", "cache_device": "nvme1n1"}])
    assert outline(done) == ["change bcache other", "remove cache set nvme0n1"]
    assert outline(maas.settle(bcaches=[{"name": "cached", "state": "absent"}])) == ["remove bcache cached"]
    done = maas.settle(bcaches=[{"name": "other", "state": "absent"}])
    assert outline(done) == ["remove bcache other", "remove cache set nvme1n1"]
    assert not any(device.used for device in maas.machine.devices)


def test_changes_of_a_drive(maas: Maas) -> None:
    def drive(*devices: str, size: str = "400GB") -> dict[str, Any]:
        volume = {"name": "v", "size": size, "filesystem": "xfs", "mount_point": "/srv"}
        return {"drives": [{"name": "d", "devices": list(devices), "volumes": [volume]}]}

    maas.storage(**drive("sdb"))
    done = maas.settle(**drive("sdb", "sdc", size="900GB"))
    assert outline(done) == ["change drive d", "resize volume d/v"]
    maas.refused("drive d: without sdb it has 466 GiB, and its volumes need more", **drive("sdc", size="900GB"))
    maas.settle(**drive("sdb", "sdc", size="400GB"))
    done = maas.settle(**drive("sdc", size="400GB"))
    assert commands(done) == ["PUT nodes/333333/volume-group/1/ remove_block_devices=4"]
    maas.refused("d/v holds a filesystem xfs, mounted at /srv", drives=[{"name": "d", "state": "absent"}])
    maas.settle(drives=[{"name": "d", "state": "absent"}], allow_destroy=["d"])


def test_a_group_of_the_same_name_twice(maas: Maas) -> None:
    """Two tasks at once make two, which MAAS does not mind. Each is found by its UUID."""
    maas.storage(drives=[{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "size": "1GB"}]}])
    group = maas.machine.add_group("lvm-vg", "d")
    maas.machine.join(group, [maas.machine.device("sdc")], "lvm-pv")
    first, second = (one["uuid"] for one in maas.info()["machines"][0]["ids"]["drives"])
    said = f"drive d: there are 2 volume groups of this name, over sdb .uuid {first}. and sdc .*; say the uuid"
    maas.refused(said, drives=[{"name": "d"}])
    assert not maas.storage(drives=[{"name": "d", "uuid": first, "devices": ["sdb"]}])["changed"]
    exact: dict[str, Any] = {"mode": "exact", "drives": [{"name": "e", "uuid": second, "devices": ["sdc"]}]}
    maas.refused("would remove: drives: d. ", **exact)
    done = maas.settle(drives=exact["drives"])
    assert outline(done) == ["rename drive e"]

    def told() -> list[tuple[str, list[str]]]:
        drives = maas.info()["machines"][0]["layout"]["drives"]
        return [(one["name"], [device[-3:].lower() for device in one["devices"]]) for one in drives]

    assert told() == [("d", ["sdb"]), ("e", ["sdc"])]
    group.label = "d"
    maas.settle(drives=[{"name": "d", "uuid": second, "state": "absent"}])
    assert told() == [("d", ["sdb"])]


def test_filesystems_and_mounts_change(maas: Maas) -> None:
    def on_sdb(**words: Any) -> dict[str, Any]:
        return {"filesystems": [{"device": "sdb", **words}]}

    maas.storage(**on_sdb(type="ext4", label="one", mount_point="/srv", mount_options="noatime"))
    assert commands(maas.settle(**on_sdb(mount_point="/www"))) == [
        "POST nodes/333333/blockdevices/4/?op=mount mount_point=/www mount_options=noatime"
    ]
    maas.refused("sdb: it holds .*, and xfs is wanted; add sdb to allow_destroy", **on_sdb(type="xfs"))
    # What was mounted is so again after it was formatted anew, which drops it.
    done = maas.settle(**on_sdb(type="xfs"), allow_destroy=["sdb"])
    assert outline(done) == ["format filesystem sdb", "mount filesystem sdb"]
    maas.refused("ext4.*labelled 'two' is wanted|labelled 'two' is wanted", **on_sdb(label="two"))
    maas.settle(**on_sdb(label="two"), allow_destroy=["sdb"])
    filesystem = maas.machine.device("sdb").filesystem
    assert filesystem
    assert (filesystem.label, filesystem.mount_point, filesystem.mount_options) == ("two", "/www", "noatime")
    maas.refused(
        "sdc: /www is where sdb is mounted", filesystems=[{"device": "sdc", "type": "ext4", "mount_point": "/www"}]
    )


def test_special_filesystems(maas: Maas) -> None:
    def special(**words: Any) -> dict[str, Any]:
        return {"special_filesystems": [{"mount_point": "/tmp", **words}]}

    maas.settle(**special(type="tmpfs"))
    done = maas.settle(**special(type="tmpfs", mount_options="size=1G"))
    assert outline(done) == ["unmount special /tmp", "mount special /tmp"]
    maas.refused(
        "sdb: /tmp is where a special filesystem is mounted",
        filesystems=[{"device": "sdb", "type": "ext4", "mount_point": "/tmp"}],
    )
    maas.settle(**special(type="tmpfs", state="absent"))
    maas.storage(filesystems=[{"device": "sdb", "type": "ext4", "mount_point": "/tmp"}])
    maas.refused("special filesystem /tmp: that is where sdb is mounted", **special(type="ramfs"))


def test_partitions(maas: Maas) -> None:
    def parts(*sizes: str, **more: Any) -> dict[str, Any]:
        return {
            "partitions": [{"name": f"p{n}", "device": "sdb", "size": size, **more} for n, size in enumerate(sizes)]
        }

    maas.settle(**parts("10GB", "20GB"))
    assert [part.size for part in maas.machine.device("sdb").partitions] == [9999220736, 19998441472]
    # What the region rounds to is what was wanted.
    assert not maas.storage(**parts("10000000000", "19998441472"))["changed"]
    maas.storage(filesystems=[{"device": "sdb-part1", "type": "ext4"}])
    maas.refused("p0: it has 9.31 GiB, and 14 GiB is wanted; MAAS cannot change a partition in place", **parts("15GB"))
    done = maas.settle(**parts("15GB"), allow_destroy=["p0"])
    assert outline(done) == ["remove partition p0", "create partition p0"]
    assert done["plan"][0]["destroys"] == ["sdb-part1: a filesystem ext4"]
    # Both are known whatever their numbers are by now.
    assert not maas.storage(**parts("15GB", "20GB"))["changed"]
    maas.settle(partitions=[{"name": "p1", "device": "sdb", "state": "absent"}])
    maas.refused("partition p0: it is on sdb, and sdc is wanted", partitions=[{"name": "p0", "device": "sdc"}])
    done = maas.settle(**parts("15GB", bootable=True), allow_destroy=["p0"])
    assert maas.machine.device("sdb").partitions[0].bootable
    maas.settle(partitions=[{"name": "half", "device": "sdc", "size": "50%"}])
    maas.settle(partitions=[{"name": "sdb-part1", "device": "sdb", "state": "absent"}])


def test_a_machine_without_uefi(maas: Maas) -> None:
    add_machine(maas.region, "old", bios_boot_method="pc")
    words = {"machine": "old", "partitions": [{"name": "root", "device": "sda", "size": "100%"}]}
    maas.settle(**words, filesystems=[{"device": "root", "type": "ext4", "mount_point": "/"}])
    assert maas.info(machines=["old"])["machines"][0]["layout"]["partitions"][0]["name"] == "sda-part2"


def test_the_boot_disk_takes_part_by_a_partition(maas: Maas) -> None:
    words = one_raid("1", "sda", "sdb")
    done = maas.settle(**words, filesystems=[{"device": "md0", "type": "ext4", "mount_point": "/"}])
    assert outline(done) == ["create raid md0", "format filesystem md0", "mount filesystem md0"]
    assert [type(one).__name__ for one in maas.machine.groups[0].members] == ["Partition", "Partition"]
    assert not maas.storage(**words, partitions=[], mode="exact")["changed"]
    done = maas.settle(raids=[{"name": "md0", "state": "absent"}], allow_destroy=["md0"])
    assert outline(done) == ["remove raid md0", "remove partition sda-part1", "remove partition sdb-part1"]
    maas.settle(drives=[{"name": "d", "devices": ["sda", "sdc"], "volumes": [{"name": "v", "size": "50%"}]}])
    done = maas.settle(drives=[{"name": "d", "state": "absent"}], partitions=[], mode="exact")
    assert outline(done) == ["remove volume d/v", "remove drive d", "remove partition sda-part1"]
    maas.settle(bcaches=[{"name": "b", "backing_device": "sdb", "cache_device": "sda"}])
    maas.storage(**one_raid("1", "sdc", "sdd"))
    done = maas.settle(bcaches=[{"name": "b", "state": "absent"}], partitions=[], mode="exact")
    assert outline(done) == ["remove bcache b", "remove cache set sda-part1", "remove partition sda-part1"]
    # A partition over all of it that was asked for stays.
    root = [{"name": "root", "device": "sda"}]
    maas.settle(drives=[{"name": "d", "devices": ["root"]}], partitions=root)
    maas.settle(drives=[{"name": "d", "state": "absent"}], partitions=root)
    maas.settle(partitions=[{"name": "root", "device": "sda", "state": "absent"}])


def test_another_boot_disk(maas: Maas) -> None:
    assert outline(maas.settle(boot_disk="nvme0n1")) == ["set boot disk nvme0n1"]
    maas.storage(**one_raid("1", "sdb", "sdc"))
    maas.refused("boot_disk: sdb is in use as a whole", boot_disk="sdb")
    maas.refused("boot_disk: md0 is a raid, and a machine boots from a disk", boot_disk="md0")


def test_tags(maas: Maas) -> None:
    words = {
        "disks": [{"name": "slow", "tags": ["rotary"], "count": 2}],
        "tags": [{"device": "slow", "tags": ["rotary", "bulk"]}],
    }
    done = maas.settle(**words)
    assert commands(done)[:2] == [
        "POST nodes/333333/blockdevices/4/?op=add_tag tag=bulk",
        "POST nodes/333333/blockdevices/4/?op=remove_tag tag=sata",
    ]


def test_disks_stay_what_they_were_chosen_for(maas: Maas) -> None:
    words: dict[str, Any] = {"disks": [{"name": "slow", "rotational": True, "count": 2}], **one_raid("1", "slow")}
    maas.storage(**words)
    inside = list(maas.machine.groups[0].members)
    maas.machine.device("sdb").serial = "ZZZ"
    maas.machine.add_disk("aaa", 500107862016, serial="AAA", model="ACME HDD 500", tags=["rotary"])
    assert not maas.storage(**words)["changed"]
    assert maas.machine.groups[0].members == inside


def test_only_blank_disks_are_chosen(maas: Maas) -> None:
    maas.storage(filesystems=[{"device": "sdb", "type": "xfs"}])
    words: dict[str, Any] = {"disks": [{"name": "slow", "rotational": True, "count": 6}], **one_raid("6", "slow")}
    maas.refused("6 wanted, and 6 match .* sdb holds a filesystem xfs", **words, allow_destroy=["md0"])
    words["disks"][0]["allow_data"] = True
    maas.refused("sdb.* xfs", **words)
    assert maas.storage(**words, allow_destroy=["md0"])["changed"]
    del words["disks"][0]["allow_data"]
    assert not maas.storage(**words)["changed"]


# Base layouts


def test_a_blank_base(maas: Maas) -> None:
    assert not maas.storage(base_layout="blank")["changed"]
    maas.storage(**WHOLE)
    wanted = {"base_layout": "blank", **one_raid("1", "sdb", "sdc")}
    said = "removes all that node1 has .*data/srv: a filesystem xfs, mounted at /srv; .* Take base_layout out"
    maas.refused(said, **wanted)
    done = maas.settle(**wanted, allow_destroy=["base_layout"])
    assert outline(done) == ["apply base layout blank", "create raid md0"]
    lost = done["plan"][0]["destroys"]
    assert {"sda-part2: a filesystem ext4, mounted at /", "sdb: an active member of a RAID (RAID md0)"} <= {*lost}


@pytest.mark.parametrize("name", ["flat", "lvm", "bcache"])
def test_a_base_to_build_on(maas: Maas, name: str) -> None:
    words: dict[str, Any] = {
        "base_layout": name,
        "filesystems": [{"device": "sdb", "type": "xfs", "mount_point": "/srv"}],
    }
    planned = maas.storage(check=True, **words)
    assert outline(planned) == [f"apply base layout {name}"]
    assert planned["in_progress"] == [f"node1: all other items are planned once base layout {name} is set"]
    done = maas.storage(**words)
    assert outline(done) == [f"apply base layout {name}", "format filesystem sdb", "mount filesystem sdb"]
    assert not maas.storage(**words)["changed"]


# Approval


def test_a_plan_that_somebody_approves(maas: Maas) -> None:
    words = one_raid("1", "sdb", "sdc")
    digest = maas.storage(check=True, **words)["plan_digest"]
    maas.refused("the plan is not the expected one", **one_raid("1", "sdb", "sdd"), expected_plan=digest)
    done = maas.storage(**words, expected_plan=digest)
    assert done["changed"]
    assert not maas.storage(**words, expected_plan=digest)["changed"]


def test_which_disks_nobody_uses(maas: Maas) -> None:
    maas.storage(**one_raid("1", "sdb", "sdc"), filesystems=[{"device": "sdd", "type": "xfs"}])
    disks = [{"name": "slow", "rotational": True, "min_size": "400GB"}, {"name": "other", "model": "none"}]
    (found,) = maas.info(machines=["node1"], disks=disks)["machines"]
    assert found["disks"] == {"slow": ["sde", "sdf", "sdg"], "other": []}
    with pytest.raises(Failed, match="disks slow: say what they are"):
        maas.info(disks=[{"name": "slow"}])


def test_info(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    maas.storage(**WHOLE)
    found = maas.info()
    assert [one["hostname"] for one in found["machines"]] == ["node1", "node2"]
    assert found["requests"] == 1 + 4
    unused = {one["device"]: one for one in found["machines"][0]["unused"]}
    assert unused.keys() == {"nvme1n1"}
    assert unused["nvme1n1"]["free"] == 100 * GB
    half = [{"name": "p", "device": "sdb", "size": "10GB"}]
    maas.storage(machine="node2", partitions=half)
    unused = {one["device"]: one for one in maas.info(machines=["node2"])["machines"][0]["unused"]}
    assert unused["sdb"]["free"] == 490100228096
    assert unused["sdb-part1"]["size"] == 9999220736
    assert unused["sdb"]["free"] % (4 * MiB) == 0
    with pytest.raises(Failed, match="there is no machine node9"):
        maas.info(machines=["node9"])


# Documents that come from elsewhere


@pytest.mark.parametrize(
    "path",
    [
        "/dev/sdb",
        "/dev/disk/by-dname/sdb",
        "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4",
        "/dev/disk/by-id/scsi-35000c500a1b2c3d4",
        "/dev/disk/by-id/scsi-SATA_ACME_NODE1-SDB",
    ],
)
def test_disks_by_any_of_their_paths(maas: Maas, path: str) -> None:
    maas.machine.device("sdb").id_path = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
    assert maas.storage(filesystems=[{"device": path, "type": "xfs"}])["changed"]
    assert maas.machine.device("sdb").filesystem


def test_what_a_host_has_in_the_words_of_maas() -> None:
    gathered = {
        "raids": [
            {"name": "md0", "level": "1", "devices": ["sdb"], "metadata": "1.2", "bitmap": "none", "uuid": "0" * 32}
        ],
        "drives": [{"name": "d", "volumes": [{"name": "v", "size": "1G", "boot_required": False}], "state": "online"}],
        "bcaches": [{"name": "b", "backing_device": "sdc", "cache_device": "sdd", "writeback_percent": 5}],
    }
    assert for_maas(gathered) == {
        "raids": [{"name": "md0", "level": "1", "devices": ["sdb"]}],
        "drives": [{"name": "d", "volumes": [{"name": "v", "size": "1G"}], "state": "online"}],
        "bcaches": [{"name": "b", "backing_device": "sdc", "cache_device": "sdd"}],
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"raids": [{"name": "md0", "level": "4"}]}, "raids: md0: level is 4, and MAAS has only 0, 1, 5, 6, 10"),
        ({"raids": [{"name": "md0", "state": "stopped"}]}, "state is stopped, and MAAS has only present, absent"),
        (
            {"bcaches": [{"name": "b", "backing_device": "sdc"}]},
            "bcaches: b has no cache, and MAAS has no bcache without",
        ),
        (
            {"filesystems": [{"device": "sdb", "type": "btrfs", "subvolumes": [{"name": "@home"}]}]},
            "filesystems: sdb has subvolumes, and MAAS mounts a filesystem once",
        ),
        ([], "takes a document"),
    ],
)
def test_what_maas_cannot_have(document: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        for_maas(document)


def test_a_device_that_is_to_be_mounted_in_two_places(maas: Maas) -> None:
    volume = {"name": "v", "size": "10GB", "filesystem": "xfs", "mount_point": "/a"}
    words: dict[str, Any] = {"drives": [{"name": "d", "devices": ["sdb"], "volumes": [volume]}]}
    other = {"device": "d/v", "type": "xfs", "mount_point": "/b"}
    maas.refused("wants d/v on /a, and filesystems: d/v on /b", **words, filesystems=[other])
    maas.settle(**words, filesystems=[{"device": "d/v", "type": "xfs"}])


EXAMPLES = sorted((Path(__file__).parents[3] / "playbooks/examples").glob("maas_*.yml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(maas: Maas, example: Path) -> None:
    words = yaml.safe_load(example.read_text())["storage_layout"]
    assert maas.storage(**words)["changed"]
    assert not maas.storage(**words)["changed"]
