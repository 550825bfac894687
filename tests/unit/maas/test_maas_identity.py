# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names mean, from one run to the next: MAAS counts partitions anew, and names may be passed on or shared."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from .region import Maas
from .test_maas_layout import outline

A = {"name": "a", "device": "sdb", "size": "10GB"}
B = {"name": "b", "device": "sdb", "size": "20GB"}
USE_A = {"device": "a", "type": "xfs", "mount_point": "/a"}
USE_B = {"device": "b", "type": "ext4", "mount_point": "/b", "label": "PRECIOUS"}
TWO: dict[str, Any] = {"partitions": [A, B], "filesystems": [USE_A, USE_B]}


def by_hand(maas: Maas) -> tuple[str, str]:
    """Two partitions with filesystems, as made by hand. Their UUIDs."""
    maas.storage(**TWO)
    parts = [part for device in maas.machine.devices for part in device.partitions]
    for part in parts:
        part.uuid = str(uuid.uuid4())
    return parts[0].uuid, parts[1].uuid


def told(maas: Maas) -> list[str]:
    """What partitions hold."""
    return [
        f"{part.filesystem.label}{part.filesystem.fstype}" if part.filesystem else ""
        for device in maas.machine.devices
        for part in device.partitions
    ]


def absent(name: str) -> dict[str, str]:
    return {"name": name, "device": "sdb", "state": "absent"}


def test_a_partition_is_not_removed_by_a_place_that_shifts(maas: Maas) -> None:
    first, _second = by_hand(maas)
    said = f"sdb-part1 would mean another one in the next run. Say UUIDs .*sdb-part1 is {first}"
    maas.refused(said, partitions=[absent("sdb-part1")], allow_destroy=["sdb-part1"])
    maas.refused(said, check=True, partitions=[absent("sdb-part1")], allow_destroy=["sdb-part1"])
    maas.settle(partitions=[absent(first)], allow_destroy=[first])
    assert told(maas) == ["PRECIOUSext4"]
    # A last one goes by its place, and so do all of a disk.
    maas.settle(partitions=[absent("sdb-part1")], allow_destroy=["sdb-part1"])
    assert told(maas) == []


def test_both_by_their_places_cut_off_in_between(maas: Maas) -> None:
    by_hand(maas)
    done = maas.settle(partitions=[absent("sdb-part1"), absent("sdb-part2")], allow_destroy=["sdb-part1", "sdb-part2"])
    assert outline(done) == ["remove partition sdb-part2", "remove partition sdb-part1"]


def test_exact_keeps_what_is_named_by_a_place_that_shifts(maas: Maas) -> None:
    first, second = by_hand(maas)

    def words(name: str) -> dict[str, Any]:
        kept = {"name": name, "device": "sdb", "size": "20GB"}
        return {"mode": "exact", "partitions": [kept], "filesystems": [{**USE_B, "device": name}]}

    said = "sdb-part2 would mean another one in the next run"
    maas.refused(said, **words("sdb-part2"), allow_destroy=["sdb-part1"])
    maas.settle(**words(second), allow_destroy=[first])
    assert told(maas) == ["PRECIOUSext4"]


def test_a_partition_made_anew_shifts_the_later_ones(maas: Maas) -> None:
    first, second = by_hand(maas)
    larger = {"name": "sdb-part1", "device": "sdb", "size": "15GB"}
    maas.refused("would mean another one", partitions=[larger], allow_destroy=["sdb-part1"])
    maas.settle(partitions=[{**larger, "name": first}], allow_destroy=[first])
    assert told(maas) == ["PRECIOUSext4", ""]
    # It has that UUID again.
    maas.settle(filesystems=[{"device": second, "type": "ext4", "mount_point": "/c"}])
    assert told(maas) == ["PRECIOUSext4", ""]


def test_made_here_by_names_like_places(maas: Maas) -> None:
    """A name means the same partition in each section, wherever MAAS counts it."""
    maas.settle(
        partitions=[{**A, "name": "sdb-part1"}, {**B, "name": "sdb-part2"}],
        filesystems=[{**USE_A, "device": "sdb-part1"}, {**USE_B, "device": "sdb-part2"}],
    )
    gone: dict[str, Any] = {"partitions": [absent("sdb-part1")], "allow_destroy": ["sdb-part1"]}
    maas.settle(**gone)
    assert told(maas) == ["PRECIOUSext4"]
    maas.refused("node1 has no device sdb-part1", filesystems=[{"device": "sdb-part1", "type": "btrfs"}])
    assert not maas.storage(filesystems=[{**USE_B, "device": "sdb-part2"}])["changed"]
    maas.settle(**gone, filesystems=[{**USE_B, "device": "sdb-part2"}])
    told_layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert [part["name"] for part in told_layout["partitions"]] == ["sdb-part2"]
    assert not maas.storage(mode="exact", **told_layout)["changed"]


def test_made_here_on_a_machine_that_counts_from_two(maas: Maas) -> None:
    maas.machine.bios_boot_method = "pxe"
    maas.storage(
        partitions=[{**A, "name": "sdb-part1"}, {**B, "name": "sdb-part2"}],
        filesystems=[{**USE_A, "device": "sdb-part1"}, {**USE_B, "device": "sdb-part2"}],
    )
    assert not maas.storage(filesystems=[{**USE_B, "device": "sdb-part2"}])["changed"]
    told_layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert not maas.storage(mode="exact", **told_layout)["changed"]


def test_a_name_in_the_place_of_another_is_told_by_its_uuid(maas: Maas) -> None:
    maas.storage(partitions=[{**A, "name": "sdb-part1"}, B], filesystems=[USE_B])
    first, second = maas.machine.device("sdb").partitions
    second.uuid = str(uuid.uuid4())
    maas.storage(partitions=[{"name": first.uuid, "device": "sdb", "size": "15GB"}], allow_destroy=[first.uuid])
    layout = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert [one["name"] for one in layout["partitions"]] == [second.uuid, "sdb-part1"]
    assert second.name == "sdb-part1"
    assert not maas.storage(mode="exact", **layout)["changed"]
    # Without the one that has the name, the other would have it.
    maas.refused("sdb-part1 would mean another one", partitions=[absent("sdb-part1")])
    maas.settle(partitions=[absent(first.uuid)])
    assert told(maas) == ["PRECIOUSext4"]


def test_one_partition_by_two_names(maas: Maas) -> None:
    """Absent by one of them, it would be removed and made anew by each run."""
    maas.storage(**TWO)
    known = maas.machine.device("sdb").partitions[0].uuid
    allowed = {"allow_destroy": ["a", known]}
    maas.refused("partitions: .* and partitions: .* both mean sdb-part1", partitions=[A, absent(known)], **allowed)
    twice = [{"device": "sdc", "type": "xfs"}, {"device": "/dev/sdc", "state": "absent"}]
    maas.refused("filesystems: sdc and filesystems: /dev/sdc both mean sdc", filesystems=twice)
    maas.refused("both mean sdc", cache_sets=[{"cache_device": "sdc"}, {"cache_device": "/dev/sdc", "state": "absent"}])
    maas.refused("both mean sdc", tags=[{"device": "sdc", "tags": ["a"]}, {"device": "/dev/sdc", "tags": ["b"]}])
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdd", "sde"]}])
    known = maas.info(machines=["node1"])["machines"][0]["ids"]["raids"][0]["uuid"]
    maas.refused("both mean md0", raids=[{"name": "md0", "state": "absent"}, {"name": "md1", "uuid": known}])


@pytest.mark.parametrize("name", ["a", "sdb-part1", "uuid"])
def test_two_partitions_of_one_uuid(maas: Maas, name: str) -> None:
    """Two tasks at once made them. None is taken for the other."""
    by_place = "sdb-part1" if name == "sdb-part1" else "a"
    maas.storage(partitions=[{**A, "name": by_place}, B], filesystems=[USE_B])
    first, second = maas.machine.device("sdb").partitions
    second.uuid = first.uuid
    said = first.uuid if name == "uuid" else name
    for words in ({**A, "name": said}, {**absent(said), "size": None}):
        maas.refused(
            r"node1 has 2 of that UUID \(sdb-part1 and sdb-part2\), .*; two tasks at once made them",
            partitions=[words],
            allow_destroy=[said],
        )
    maas.refused("has several partitions of it", filesystems=[{"device": first.uuid, "type": "ext4"}])
    found = maas.info(machines=["node1"])["machines"][0]["layout"]
    assert [one["name"] for one in found["partitions"]] == ["sdb-part1", "sdb-part2"]
    assert told(maas) == ["", "PRECIOUSext4"]


def test_a_name_that_comes_back_after_a_cut(maas: Maas) -> None:
    """A task made a partition anew that it calls by its UUID and by its place, and was cut off in between."""
    maas.storage(partitions=[{**A, "name": "sdb-part1"}])
    known = maas.machine.device("sdb").partitions[0].uuid
    maas.storage(partitions=[absent(known)])
    maas.storage(partitions=[A])
    maas.refused(
        "is to be made, and MAAS then counts it too: sdb-part1 would mean another one",
        partitions=[A, {**B, "name": known}],
        filesystems=[{"device": "sdb-part1", "type": "xfs"}],
    )


def test_a_name_that_means_none_does_not_mean_another_after_a_cut(maas: Maas) -> None:
    """It is that of a new partition. While that is not made, what shifts there would be made anew in its stead."""
    third = {"name": "c", "device": "sdb", "size": "30GB"}
    maas.storage(
        partitions=[{**A, "name": "sdb-part2"}, {**B, "name": "sdb-part3"}, third],
        filesystems=[{**USE_B, "device": "c"}],
    )
    first, second, last = maas.machine.device("sdb").partitions
    last.uuid = str(uuid.uuid4())
    words: dict[str, Any] = {
        "partitions": [
            {"name": second.uuid, "device": "sdb", "size": "10GB"},
            absent(first.uuid),
            {"name": "sdb-part1", "device": "sdb", "size": "10GB"},
        ],
        "allow_destroy": [first.uuid, second.uuid, "sdb-part1"],
    }
    maas.refused("is to be removed, .*: sdb-part1 would mean another one", **words)
    words["partitions"].pop()
    words["allow_destroy"].pop()
    maas.settle(**words)
    assert told(maas) == ["PRECIOUSext4", ""]


def test_a_place_that_is_to_be_empty_is_not_filled_by_the_task(maas: Maas) -> None:
    """What is there was made by another name, and stays. Once that has gone, the next one would be in its place."""
    maas.storage(**TWO)
    maas.machine.device("sdb").partitions[1].uuid = str(uuid.uuid4())
    words: dict[str, Any] = {"partitions": [absent("a"), absent("sdb-part1")], "allow_destroy": ["a", "sdb-part1"]}
    maas.refused("partition a is to be removed, .*: sdb-part1 would mean another one", **words)
    assert told(maas) == ["xfs", "PRECIOUSext4"]


def test_a_permission_by_a_name_that_the_document_does_not_say(maas: Maas) -> None:
    first, _second = by_hand(maas)
    maas.refused("sdb-part1 is no item of the document", partitions=[absent(first)], allow_destroy=[first, "sdb-part1"])


def test_what_was_made_by_another_name_is_not_removed_by_its_place(maas: Maas) -> None:
    maas.storage(**TWO)
    words: dict[str, Any] = {"partitions": [absent("sdb-part1")], "allow_destroy": ["sdb-part1"]}
    said = maas.storage(**words)
    assert not said["changed"]
    assert "at sdb-part1 was made by another name" in said["warnings"][0]
    assert not maas.storage(partitions=[A, absent("sdb-part1")], allow_destroy=["sdb-part1"])["changed"]
    maas.refused("made it by another name", partitions=[{**A, "name": "sdb-part1", "size": "15GB"}])
    anew: dict[str, Any] = {"partitions": [{**A, "size": "15GB"}, B], "allow_destroy": ["a"]}
    maas.refused("sdb-part2 would mean another", **anew, filesystems=[{**USE_B, "device": "sdb-part2"}])
    maas.settle(**anew, filesystems=[USE_A, USE_B])
    assert told(maas) == ["PRECIOUSext4", "xfs"]


def test_exact_does_not_spare_by_its_place_what_it_has_to_remove_in_the_next_run(maas: Maas) -> None:
    """It would be at another place then, where the document does not name it."""
    maas.storage(**TWO)
    first, second = (part.uuid for part in maas.machine.device("sdb").partitions)
    words: dict[str, Any] = {"mode": "exact", "partitions": [absent(first), absent("sdb-part2")], "filesystems": []}
    gone = [first, "sdb-part2"]
    maas.refused(
        f"mode exact would remove: partitions: {second}. Name them in the document, or add them to allow_destroy, "
        "which loses sdb-part2: a filesystem ext4 labelled 'PRECIOUS'",
        **words,
        allow_destroy=gone,
    )
    assert told(maas) == ["xfs", "PRECIOUSext4"]
    said = maas.settle(**words, allow_destroy=[*gone, second])
    assert told(maas) == []
    assert "stays" not in " ".join(said["warnings"])
    maas.storage(**TWO)
    # By its own name, it stays.
    maas.settle(mode="exact", partitions=[absent("sdb-part1"), A, B], filesystems=[USE_A, USE_B])
    assert told(maas) == ["xfs", "PRECIOUSext4"]


def test_a_renamed_array_takes_the_names_of_its_partitions_with_it(maas: Maas) -> None:
    array = {"level": "1", "devices": ["sdb", "sdc"]}
    maas.storage(raids=[{"name": "md0", **array}])
    maas.storage(
        partitions=[{**A, "device": "md0"}, {**B, "device": "md0"}],
        filesystems=[USE_A, USE_B],
    )
    first, second = maas.machine.device("md0").partitions
    first.uuid, second.uuid = str(uuid.uuid4()), str(uuid.uuid4())
    renamed: dict[str, Any] = {"raids": [{"name": "md1", "renamed_from": "md0", **array}]}
    said = f"md0-part2: RAID md0 is renamed, and MAAS then calls this md1-part2; say that, or its UUID .{second.uuid}"
    maas.refused(said, **renamed, filesystems=[{**USE_B, "device": "md0-part2"}])
    maas.refused(said, **renamed, partitions=[{"name": "md0-part2", "device": "md1"}])
    for base in ({}, {"base_layout": "blank", "allow_destroy": ["base_layout"]}):
        words: dict[str, Any] = {
            **renamed,
            "partitions": [{"name": f"md1-part{number}", "device": "md1"} for number in (1, 2)],
            "filesystems": [{**USE_A, "device": "md1-part1"}, {**USE_B, "device": "md1-part2"}],
        }
        assert outline(maas.settle(mode="exact", **words, **base)) == ["rename raid md1"]
        assert outline(maas.storage(raids=[{"name": "md0", "renamed_from": "md1"}])) == ["rename raid md0"]
    assert told(maas) == ["xfs", "PRECIOUSext4"]


def test_a_partition_keeps_the_name_that_it_was_made_by(maas: Maas) -> None:
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}])
    part = {"name": "md0-part1", "device": "md0", "size": "10GB"}
    use: dict[str, Any] = {"filesystems": [{"device": "md0-part1", "type": "xfs"}]}
    maas.storage(partitions=[part], **use)
    words: dict[str, Any] = {"partitions": [{**part, "device": "md1"}], **use}
    assert outline(maas.settle(raids=[{"name": "md1", "renamed_from": "md0"}], **words)) == ["rename raid md1"]
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdd", "sde"]}])
    maas.refused("it is on md1, and md0 is wanted. Say that device, or call the wanted one", partitions=[part])


# What disks were chosen for


SLOW: dict[str, Any] = {"disks": [{"name": "slow", "tags": ["rotary"], "count": 2}]}


@pytest.mark.parametrize(
    "use",
    [{"type": "ext4"}, {"type": "swap"}, {"type": "xfs", "mount_point": ""}],
)
def test_a_filesystem_that_a_second_run_would_not_find(maas: Maas, use: dict[str, str]) -> None:
    words: dict[str, Any] = {**SLOW, "filesystems": [{"device": "slow[0]", **use}]}
    maas.refused("a filesystem is known by its mount point or its uuid", **words)
    blank = {**words, "base_layout": "blank", "allow_destroy": ["base_layout"]}
    maas.refused("a filesystem is known by its mount point or its uuid", **blank)
    maas.settle(**SLOW, filesystems=[{"device": "slow[0]", **use, "uuid": str(uuid.uuid4())}])
    maas.storage(filesystems=[{"device": "sdb", "state": "absent"}], allow_destroy=["sdb"])
    maas.settle(disks=[{"name": "one", "serial": "NODE1-SDC"}], filesystems=[{"device": "one", **use}])


def test_tags_stay_with_the_disks_that_have_them(maas: Maas) -> None:
    words: dict[str, Any] = {**SLOW, "tags": [{"device": "slow[0]", "tags": ["rotary", "mine"]}]}
    maas.settle(**words)
    maas.storage(filesystems=[{"device": "sdb", "type": "xfs"}])
    assert not maas.storage(**words)["changed"]


@pytest.mark.parametrize("level", ["0", "1"])
def test_a_renamed_array_stays_on_the_disks_chosen_for_it(maas: Maas, level: str) -> None:
    use = {"type": "xfs", "mount_point": "/p"}
    array: dict[str, Any] = {"level": level, "devices": ["slow"]}
    maas.storage(**SLOW, raids=[{"name": "md0", **array}], filesystems=[{"device": "md0", **use}])
    words: dict[str, Any] = {**SLOW, "raids": [{"name": "md1", "renamed_from": "md0", **array}]}
    assert outline(maas.settle(**words)) == ["rename raid md1"]
    known = maas.info(machines=["node1"])["machines"][0]["ids"]["raids"][0]["uuid"]
    words = {**SLOW, "raids": [{"name": "md2", "uuid": known, **array}], "filesystems": [{"device": "md2", **use}]}
    assert outline(maas.settle(**words, mode="exact")) == ["rename raid md2"]


def test_a_renamed_group_or_bcache_stays_on_the_disks_chosen_for_it(maas: Maas) -> None:
    maas.storage(**SLOW, drives=[{"name": "d", "devices": ["slow"]}])
    drives = [{"name": "e", "renamed_from": "d", "devices": ["slow"]}]
    assert outline(maas.settle(**SLOW, drives=drives)) == ["rename drive e"]
    over = {"backing_device": "slow[0]", "cache_device": "nvme0n1"}
    maas.storage(**SLOW, bcaches=[{"name": "b", **over}])
    bcaches = [{"name": "c", "renamed_from": "b", **over}]
    assert outline(maas.settle(**SLOW, bcaches=bcaches)) == ["change bcache c"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("raids", {"level": "1", "devices": ["sdb", "sdc"]}),
        ("bcaches", {"backing_device": "sdb", "cache_device": "nvme0n1"}),
        ("drives", {"devices": ["sdb"]}),
        ("filesystems", {"type": "xfs"}),
    ],
)
def test_what_is_absent_by_its_uuid_is_no_other_of_its_name(maas: Maas, section: str, words: dict[str, Any]) -> None:
    called = {"device": "sdd"} if section == "filesystems" else {"name": "one"}
    known = str(uuid.uuid4())

    def item(**more: Any) -> dict[str, Any]:
        return {section: [{**called, **more}], "allow_destroy": list(called.values())}

    maas.storage(**item(**words, uuid=known))
    assert not maas.storage(**item(uuid=str(uuid.uuid4()), state="absent"))["changed"]
    assert maas.settle(**item(uuid=known, state="absent"))["changed"]


def test_a_volume_that_is_absent_by_its_uuid_is_no_other_of_its_name(maas: Maas) -> None:
    known = str(uuid.uuid4())
    maas.storage(drives=[{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v", "size": "1GB", "uuid": known}]}])
    other = {"name": "v", "uuid": str(uuid.uuid4()), "state": "absent"}
    assert not maas.storage(drives=[{"name": "d", "volumes": [other]}])["changed"]
    assert maas.settle(drives=[{"name": "d", "volumes": [{**other, "uuid": known}]}])["changed"]


# Names that are passed on


def test_exact_knows_a_raid_by_its_uuid_and_by_its_former_name(maas: Maas) -> None:
    use = {"type": "xfs", "label": "PRECIOUS", "mount_point": "/srv"}
    array = {"level": "1", "devices": ["sdb", "sdc"]}
    maas.storage(raids=[{"name": "md0", **array}], filesystems=[{"device": "md0", **use}])
    known = maas.info(machines=["node1"])["machines"][0]["ids"]["raids"][0]["uuid"]

    def words(name: str, **more: str) -> dict[str, Any]:
        return {"raids": [{"name": name, **array, **more}], "filesystems": [{"device": name, **use}]}

    # As the former refusal advised.
    allowed = {"mode": "exact", "allow_destroy": ["md0", "new"]}
    assert outline(maas.settle(**words("new", uuid=known), **allowed)) == ["rename raid new"]
    assert outline(maas.settle(**words("md1", renamed_from="new"), mode="exact")) == ["rename raid md1"]
    blank = {"base_layout": "blank", "allow_destroy": ["base_layout"]}
    assert outline(maas.settle(**words("md2", uuid=known), **blank)) == ["rename raid md2"]
    assert outline(maas.settle(**words("md3", renamed_from="md2"), **blank)) == ["rename raid md3"]


@pytest.mark.parametrize(
    "words",
    [
        {"raids": [{"name": "md0", "level": "1", "devices": ["sdd", "sde"]}, {"name": "md1", "renamed_from": "md0"}]},
        {"raids": [{"name": "md1", "renamed_from": "md0"}, {"name": "md0", "state": "absent"}]},
        {"drives": [{"name": "d", "devices": ["sdc"]}, {"name": "e", "renamed_from": "d"}]},
        {"drives": [{"name": "d", "volumes": [{"name": "a", "size": "1GB"}, {"name": "b", "renamed_from": "a"}]}]},
    ],
)
def test_a_name_that_is_passed_on_in_one_task(maas: Maas, words: dict[str, Any]) -> None:
    maas.refused("renamed_from is .*, and the document has .* too; rename in a task of its own first", **words)
