# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that MAAS has beside the document's: UUIDs, cache sets, single volumes, mounts that end, datastores of ESXi."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Maas
from .test_maas_layout import EMPTY, commands, one_raid, outline

ONE, TWO = "5f0c1e2a-7b3d-4c5e-8f90-a1b2c3d4e5f6", "0f0c1e2a-7b3d-4c5e-8f90-a1b2c3d4e5f6"


def ids(maas: Maas, section: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = maas.info()["machines"][0]["ids"][section]
    return found


# UUIDs and numbers


def test_the_uuid_of_a_bcache(maas: Maas) -> None:
    words: dict[str, Any] = {"name": "cached", "backing_device": "sdb", "cache_device": "nvme0n1"}
    maas.settle(bcaches=[{**words, "uuid": ONE}])
    assert ids(maas, "bcaches") == [{"name": "cached", "id": 1, "uuid": ONE}]
    # However it is written.
    assert not maas.storage(bcaches=[{**words, "uuid": ONE.upper().replace("-", "")}])["changed"]
    done = maas.settle(bcaches=[{"name": "cached", "uuid": TWO}])
    assert commands(done) == [f"PUT nodes/333333/bcache/1/ uuid={TWO}"]
    assert done["ids"]["bcaches"] == [{"name": "cached", "id": 1, "uuid": TWO}]
    for wrong in ({"bcaches": [{**words, "uuid": "0" * 32}]}, {"bcaches": [{"name": "cached", "uuid": "0" * 32}]}):
        maas.refused("bcache cached: uuid 0{8}-.* is not of version 4, and MAAS takes no other", **wrong)
    maas.refused("uuid: 'x' is not a UUID", bcaches=[{**words, "uuid": "x"}])


def test_the_uuids_of_drives_volumes_and_filesystems(maas: Maas) -> None:
    def words(drive: str, volume: str, filesystem: str) -> dict[str, Any]:
        one = {"name": "v", "size": "10GB", "uuid": volume, "filesystem": "xfs", "filesystem_uuid": filesystem}
        return {
            "drives": [{"name": "d", "devices": ["sdb"], "uuid": drive, "volumes": [one]}],
            "filesystems": [{"device": "sdc", "type": "ext4", "uuid": filesystem}],
        }

    maas.settle(**words(ONE, ONE, ONE))
    assert ids(maas, "drives") == [{"name": "d", "id": 1, "uuid": ONE}]
    devices = {one["name"]: one for one in ids(maas, "devices")}
    assert (devices["d/v"]["uuid"], devices["d/v"]["filesystem_uuid"]) == (ONE, ONE)
    assert devices["sdc"]["filesystem_uuid"] == ONE
    done = maas.settle(**words(TWO, TWO, ONE))
    assert outline(done) == ["set drive d", "set volume d/v"]
    maas.refused(f"d/v: it holds a filesystem xfs, and xfs of UUID {TWO} is wanted; add d to", **words(TWO, TWO, TWO))
    maas.settle(**words(TWO, TWO, TWO), allow_destroy=["d", "sdc"])
    for place, said in (((("0" * 32), TWO, TWO), "drive d: uuid"), ((TWO, "0" * 32, TWO), "volume d/v: uuid")):
        maas.refused(f"{said} 0.* is not of version 4", **words(*place))
    maas.refused(
        "sdc: uuid 0.* is not of version 4", filesystems=[{"device": "sdc", "uuid": "0" * 32}], allow_destroy=["sdc"]
    )


def test_numbers_of_what_there_is(maas: Maas) -> None:
    """Arrays, cache sets and all devices, as the region's API knows them."""
    maas.storage(
        **one_raid("1", "sdb", "sdc", uuid=ONE),
        bcaches=[{"name": "b", "backing_device": "md0", "cache_device": "nvme0n1"}],
        cache_sets=[{"cache_device": "nvme1n1"}],
    )
    assert ids(maas, "raids") == [{"name": "md0", "id": 1, "uuid": ONE}]
    assert ids(maas, "cache_sets") == [
        {"name": "cache0", "id": 1, "cache_device": "nvme0n1"},
        {"name": "cache1", "id": 2, "cache_device": "nvme1n1"},
    ]
    devices = {one["name"]: one["id"] for one in ids(maas, "devices")}
    assert (devices["sdb"], devices["md0"], devices["b"]) == (4, 10, 11)
    planned = maas.storage(check=True, raids=[{"name": "md1", "level": "1", "devices": ["sdd", "sde"]}])
    assert planned["ids"]["raids"][1] == {"name": "md1", "id": None, "uuid": None}


# Cache sets by themselves


def test_a_cache_set_by_itself(maas: Maas) -> None:
    alone: dict[str, Any] = {"cache_sets": [{"cache_device": "nvme0n1"}]}
    done = maas.settle(**alone)
    assert outline(done) == ["create cache set nvme0n1"]
    assert done["cache_sets"] == [{"cache_device": "/dev/disk/by-id/ata-NODE1-NVME0N1"}]
    cached: dict[str, Any] = {"bcaches": [{"name": "b", "backing_device": "sdb", "cache_device": "nvme0n1"}]}
    assert outline(maas.settle(**cached)) == ["create bcache b"]
    assert maas.info()["machines"][0]["cache_sets"] == []
    gone: dict[str, Any] = {"cache_sets": [{"cache_device": "nvme0n1", "state": "absent"}]}
    maas.refused("nvme0n1: its cache set cannot be removed: bcache b uses it", **gone)
    maas.refused("cache_sets: nvme0n1 is to be absent, and bcaches: b is to use it", **gone, **cached)
    # It stays where that is said, and goes with its last bcache otherwise.
    no_bcache: dict[str, Any] = {"bcaches": [{"name": "b", "state": "absent"}]}
    assert outline(maas.settle(**alone, **no_bcache)) == ["remove bcache b"]
    assert outline(maas.settle(**gone)) == ["remove cache set nvme0n1"]
    maas.storage(**cached)
    assert outline(maas.settle(**no_bcache)) == ["remove bcache b", "remove cache set nvme0n1"]


def test_an_idle_cache_set_is_nobody_elses(maas: Maas) -> None:
    """Tasks about bcaches leave it alone; mode exact removes it where its section is there."""
    maas.storage(cache_sets=[{"cache_device": "nvme0n1"}])
    other = {"bcaches": [{"name": "b", "backing_device": "sdb", "cache_device": "nvme1n1"}]}
    maas.settle(**other)
    maas.settle(bcaches=[{"name": "b", "state": "absent"}])
    maas.settle(bcaches=[], mode="exact")
    maas.refused("mode exact would remove: cache_sets: nvme0n1", cache_sets=[], mode="exact")
    done = maas.settle(cache_sets=[], mode="exact", allow_destroy=["nvme0n1"])
    assert outline(done) == ["remove cache set nvme0n1"]


def test_a_cache_set_on_the_boot_disk(maas: Maas) -> None:
    maas.settle(cache_sets=[{"cache_device": "sda"}], partitions=[], mode="exact")
    done = maas.settle(cache_sets=[{"cache_device": "sda", "state": "absent"}])
    assert outline(done) == ["remove cache set sda-part1", "remove partition sda-part1"]


def test_a_cache_set_that_was_made_to_stay_is_not_removed_with_a_bcache(maas: Maas) -> None:
    stays: dict[str, Any] = {"cache_sets": [{"cache_device": "nvme0n1"}]}
    maas.storage(**stays)
    gone = {"name": "b", "backing_device": "sdb", "cache_device": "nvme0n1", "state": "absent"}
    assert outline(maas.storage(bcaches=[gone])) == []
    maas.storage(bcaches=[{"name": "b", "backing_device": "sdb", "cache_device": "nvme1n1"}])
    assert outline(maas.settle(bcaches=[gone])) == ["remove bcache b", "remove cache set nvme1n1"]
    assert not maas.storage(**stays)["changed"]


def test_a_cache_set_takes_what_is_free(maas: Maas) -> None:
    words = {"cache_sets": [{"cache_device": "sdb"}]}
    maas.storage(filesystems=[{"device": "sdb", "type": "xfs"}])
    maas.refused("sdb: refused as the cache of a cache set: it holds a filesystem xfs.*or add sdb to", **words)
    maas.settle(**words, allow_destroy=["sdb"])
    maas.refused("sdb: refused as a member of md0: it is the cache of a bcache", **one_raid("1", "sdb", "sdc"))
    chosen = {"disks": [{"name": "fast", "model": "ACME NVMe 100"}], "cache_sets": [{"cache_device": "fast"}]}
    maas.settle(**chosen)


# Volumes


def test_one_volume_goes(maas: Maas) -> None:
    def drive(*volumes: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"drives": [{"name": "d", "devices": ["sdb"], "volumes": list(volumes), **more}]}

    one = {"name": "one", "size": "30%", "filesystem": "xfs", "mount_point": "/one"}
    two = {"name": "two", "size": "30%"}
    maas.storage(**drive(one, two))
    assert not maas.storage(**drive(two))["changed"]
    gone = {"name": "one", "state": "absent"}
    maas.refused("volume d/one cannot be removed: it holds a filesystem xfs.*Add d/one to allow_destroy", **drive(gone))
    maas.settle(**drive(two, {"name": "two-b", "size": "100%"}))
    done = maas.settle(**drive(gone, {**two, "size": "60%"}), allow_destroy=["d/one"])
    assert outline(done) == ["remove volume d/one", "resize volume d/two"]
    assert done["plan"][0]["destroys"] == ["d/one: a filesystem xfs, mounted at /one"]
    maas.settle(**drive({"name": "two", "state": "absent"}, name="e", renamed_from="d"))
    assert [one.full_name for one in maas.machine.groups[0].volumes] == ["e-two-b"]
    maas.settle(drives=[{"name": "nothing", "devices": ["sdc"], "volumes": [gone]}])


def test_what_a_volume_was_mounted_at_another_can_be(maas: Maas) -> None:
    """It goes first."""

    def volume(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "size": "30%", "filesystem": "xfs", "mount_point": "/srv", **more}

    maas.storage(drives=[{"name": "d", "devices": ["sdb"], "volumes": [volume("one")]}])
    both = [volume("two"), volume("one", state="absent")]
    done = maas.settle(drives=[{"name": "d", "volumes": both}], allow_destroy=["d"])
    assert outline(done)[0] == "remove volume d/one"


# Mounts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"type": "xfs", "label": "x" * 13}, "sdb: label 'x+': that of xfs has at most 12 characters"),
        ({"type": "ext4", "label": "x" * 17}, "that of ext4 has at most 16"),
        ({"type": "vfat", "label": "x" * 12}, "that of vfat has at most 11"),
        ({"type": "swap", "label": "x" * 16}, "that of swap has at most 15"),
        ({"type": "btrfs", "label": "x" * 256}, "that of btrfs has at most 255"),
        (
            {"type": "xfs", "mount_point": "/" + "x" * 255},
            "sdb: mount_point has 256 characters, and MAAS takes at most",
        ),
        (
            {"type": "xfs", "mount_point": "/x", "mount_options": "x" * 256},
            "sdb: mount_options has 256 characters, and MAAS takes at most 255",
        ),
    ],
)
def test_texts_that_are_too_long(maas: Maas, words: dict[str, Any], said: str) -> None:
    """A region would refuse some of them after it had formatted the disk, and a deployment the others."""
    maas.refused(said, filesystems=[{"device": "sdb", **words}])
    shorter = {word: text[:-1] for word, text in words.items() if len(text) > 10}
    maas.settle(filesystems=[{"device": "sdb", **words, **shorter}])


def test_a_special_filesystem_of_too_long_a_path(maas: Maas) -> None:
    special = {"type": "tmpfs", "mount_point": "/" + "x" * 255}
    maas.refused("mount_point has 256 characters", special_filesystems=[special])


def test_a_label_that_is_too_long_already(maas: Maas) -> None:
    """It stays as it is."""
    maas.storage(filesystems=[{"device": "sdb", "type": "xfs"}])
    (found,) = (one.filesystem for one in maas.machine.holders() if one.filesystem)
    found.label = "x" * 20
    maas.settle(filesystems=[{"device": "sdb", "type": "xfs", "label": "x" * 20, "mount_point": "/srv"}])


def test_a_filesystem_that_is_not_mounted_any_more(maas: Maas) -> None:
    on_sdb = {"device": "sdb", "type": "xfs", "label": "kept"}
    volume = {"name": "v", "size": "10GB", "filesystem": "ext4"}
    maas.storage(
        filesystems=[{**on_sdb, "mount_point": "/srv", "mount_options": "noatime"}],
        drives=[{"name": "d", "devices": ["sdc"], "volumes": [{**volume, "mount_point": "/d"}]}],
    )
    before = [one.filesystem.uuid for one in maas.machine.holders() if one.filesystem]
    done = maas.settle(
        filesystems=[{**on_sdb, "mount_point": ""}], drives=[{"name": "d", "volumes": [{**volume, "mount_point": ""}]}]
    )
    assert outline(done) == ["unmount filesystem d/v", "unmount filesystem sdb"]
    assert [one.filesystem.uuid for one in maas.machine.holders() if one.filesystem] == before
    assert not any(one.filesystem.mount_point for one in maas.machine.holders() if one.filesystem)
    # A new one is just not mounted.
    maas.settle(filesystems=[{"device": "sdd", "type": "ext4", "mount_point": ""}])
    maas.refused(
        "sdb: mount_options ro, and it has no mount_point",
        filesystems=[{**on_sdb, "mount_point": "", "mount_options": "ro"}],
    )


def test_swap_that_is_not_used(maas: Maas) -> None:
    maas.storage(filesystems=[{"device": "sdb", "type": "swap"}])
    maas.settle(filesystems=[{"device": "sdb", "type": "swap", "mount_point": ""}])
    (told,) = maas.info()["machines"]
    assert told["layout"]["filesystems"][0]["mount_point"] == ""
    assert not maas.storage(filesystems=told["layout"]["filesystems"])["changed"]
    maas.settle(filesystems=[{"device": "sdb", "type": "swap"}])


# ESXi


@pytest.mark.parametrize("name", ["vmfs6", "vmfs7"])
def test_the_layouts_of_esxi(maas: Maas, name: str) -> None:
    """Told, given back, and named with the document that stands on it."""
    words: dict[str, Any] = {"base_layout": name, "boot_disk": "nvme0n1"}
    assert outline(maas.settle(**words)) == ["set boot disk nvme0n1", f"apply base layout {name}"]
    (told,) = maas.info()["machines"]
    assert [one["name"] for one in told["datastores"]] == ["datastore1"]
    assert told["unused"][0]["device"] == "sda"
    assert "nvme0n1-part1" not in [one["device"] for one in told["unused"]]
    below = [part for part in told["tree"][1]["children"] if part["children"]]
    assert [(one["name"], one["type"]) for part in below for one in part["children"]] == [("datastore1", "vmfs")]
    beside = {"datastores": told["datastores"]}
    assert not maas.storage(**told["layout"], **beside, mode="exact")["changed"]
    assert not maas.storage(**words, **EMPTY, datastores=[], mode="exact")["changed"]
    maas.refused("mode exact would remove: .*partitions: nvme0n1-part1", **EMPTY, datastores=[], mode="exact")
    other = "vmfs7" if name == "vmfs6" else "vmfs6"
    maas.refused(f"base_layout: {other} removes all", base_layout=other, boot_disk="nvme0n1")
    maas.settle(base_layout=other, boot_disk="nvme0n1", allow_destroy=["base_layout"])
    maas.settle(base_layout="blank", allow_destroy=["base_layout"])


def test_what_belongs_to_esxi_is_left_alone(maas: Maas) -> None:
    maas.storage(base_layout="vmfs6", boot_disk="nvme0n1")
    maas.refused(
        "nvme0n1-part2: it belongs to ESXi's image, and MAAS does not format it",
        filesystems=[{"device": "nvme0n1-part2", "type": "ext4"}],
    )
    gone = {"name": "nvme0n1-part2", "device": "nvme0n1", "state": "absent"}
    maas.refused("nvme0n1-part2: it belongs to ESXi's image, and MAAS does not remove it", partitions=[gone])
    store = {"name": "ds", "devices": ["nvme0n1-part2"]}
    maas.refused("nvme0n1-part2: refused for datastore ds: it belongs to ESXi's image", datastores=[store])


def test_datastores(maas: Maas) -> None:
    def store(*devices: str, **more: Any) -> dict[str, Any]:
        return {"datastores": [{"name": "ds", "devices": list(devices), **more}]}

    maas.refused("datastore ds: node1 has no layout of ESXi, and MAAS makes datastores on no other", **store("sdb"))
    maas.storage(base_layout="vmfs6", boot_disk="nvme0n1")
    done = maas.settle(**store("sdb", "sdc", uuid=ONE))
    assert outline(done) == ["create datastore ds"]
    assert done["plan"][0]["detail"] == "VMFS on sdb sdc, 932 GiB"
    assert ids(maas, "datastores")[1] == {"name": "ds", "id": 2, "uuid": ONE}
    maas.settle(**store("sdb", "sdc"), partitions=[], mode="exact", base_layout="vmfs6")
    # The datastore that the layout made stands on it.
    assert outline(maas.settle(**store("sdb", "sdc", "sdd", uuid=TWO))) == ["set datastore ds", "change datastore ds"]
    maas.refused(
        "datastore ds: sdb-part1 leaves, and VMFS without an extent has lost what is on it", **store("sdc", "sdd")
    )
    done = maas.settle(**store("sdc", "sdd"), allow_destroy=["ds"])
    assert outline(done) == ["change datastore ds", "remove partition sdb-part1"]
    assert done["plan"][0]["destroys"] == ["ds: what it holds on sdb-part1"]
    renamed = {"datastores": [{"name": "other", "renamed_from": "ds"}]}
    assert outline(maas.settle(**renamed)) == ["rename datastore other"]
    gone = {"datastores": [{"name": "other", "state": "absent"}]}
    maas.refused("datastore other cannot be removed: it is a filesystem VMFS. Add other to allow_destroy", **gone)
    done = maas.settle(**gone, allow_destroy=["other"])
    assert outline(done) == ["remove datastore other", "remove partition sdc-part1", "remove partition sdd-part1"]


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"name": "ds"}, "datastore ds does not exist, and to create it, say also: devices"),
        ({"name": "ds", "devices": []}, "datastore ds: `devices` is empty"),
        ({"name": "ds", "devices": ["sdb", "sdb"]}, "datastore ds: sdb is named twice"),
        (
            {"name": "ds", "devices": ["md0"]},
            "md0: refused for datastore ds: it is a raid, and a datastore is on disks",
        ),
        ({"name": "ds", "devices": ["sdc"]}, "sdc: refused as an extent of datastore ds: it is an active member"),
        ({"name": "ds", "devices": ["sdb"], "uuid": "0" * 32}, "datastore ds: uuid 0.* is not of version 4"),
        ({"name": "a b", "devices": ["sdb"]}, "datastore 'a b': a name holds letters"),
        ({"name": "sdb", "devices": ["sdb"]}, "datastores: sdb: there is a disk of that name already"),
    ],
)
def test_what_no_datastore_can_be(maas: Maas, store: dict[str, Any], said: str) -> None:
    maas.storage(base_layout="vmfs6", boot_disk="nvme0n1")
    maas.storage(**one_raid("1", "sdc", "sdd"))
    maas.refused(said, datastores=[store])


def test_a_logical_volume_backs_no_bcache(maas: Maas) -> None:
    maas.storage(drives=[{"name": "d", "devices": ["sdb"], "volumes": [{"name": "v"}]}])
    words = {"name": "b", "backing_device": "d/v", "cache_device": "nvme0n1"}
    maas.refused("d/v: refused as the backing device of bcache b: it is a logical volume", bcaches=[words])


def test_tags_by_which_disks_are_chosen_stay(maas: Maas) -> None:
    """A second run would not find them."""
    for chosen in ({"tags": ["sata"]}, {"rotational": True}):
        words = {"disks": [{"name": "slow", **chosen}], "tags": [{"device": "slow", "tags": ["bulk"]}]}
        maas.refused("tags: slow: slow is chosen by the tag (sata|rotary), which it would lose", **words)
