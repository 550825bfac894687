# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a crash interrupted is known by its record, and only as far as the devices bear it out: plans, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import OnDevice, Use
from ansible_collections.strata.storage.plugins.module_utils.document.partition import Partition
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.bcache import plan as bcache
from ansible_collections.strata.storage.plugins.module_utils.host.bcache.state import Attached, Backing, CacheSet
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem import plan as filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.lvm import plan as drive
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import (
    Group,
    LogicalVolume,
    Lvm,
    PhysicalVolume,
)
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.partition import plan as partition
from ansible_collections.strata.storage.plugins.module_utils.host.partition.state import Part, Table
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member
from ansible_collections.strata.storage.plugins.module_utils.host.unfinished import intent, is_half_made, warnings

from .hosts import (
    CONF,
    EXT4,
    OTHER,
    UUID,
    GiB,
    MiB,
    a_host,
    an_array,
    claim,
    commands,
    destroyed,
    disk,
    disks,
    mdadm_line,
    outline,
    settle,
    the_step,
    with_array,
)

SDB, SDC, SDD = (f"/dev/sd{letter}" for letter in "bcd")
FILE = "/var/lib/strata-storage/it.json"
MD = "/dev/md0"


def record(thing: str, *paths: str, uuid: str = "", **more: Any) -> Unfinished:
    return Unfinished(FILE, f"make {thing}", thing, uuid, paths, paths, **more)


# Filesystems

FS = Filesystem("xfs", EXT4.uuid, size=10 * GiB, unused=True)
HALF = Signature("xfs", EXT4.uuid)
USE = Use("xfs", mount_point="/srv")


def half_filesystem(**more: Any) -> Host:
    parts: dict[str, Any] = {
        "contents": {SDB: Content((HALF,))},
        "filesystems": {SDB: FS},
        "unfinished": (record("filesystem on serial sdb", SDB, uuid=EXT4.uuid),),
        "directories": {"/srv": None},
        **more,
    }
    return a_host(SDB, **parts)


def on_sdb(host: Host, allow: bool = False, **words: Any) -> Plan:
    return settle(filesystem, host, OnDevice(SDB, USE, **words), allow)


def test_a_half_made_filesystem_is_made_anew_without_permission() -> None:
    made = on_sdb(half_filesystem())
    assert outline(made)[:2] == ["wipe device /dev/sdb", "format filesystem /dev/sdb"]
    assert destroyed(made) == []
    assert made.steps[0].detail.startswith("half-made: ")
    assert made.after.unfinished == ()
    # fstab may name it already.
    assert f"uuid={EXT4.uuid}" in commands(made)[1]


@pytest.mark.parametrize(
    "more",
    [
        {"unfinished": ()},
        {"unfinished": (record("filesystem on serial sdb", SDB, uuid=OTHER),)},
        {"unfinished": (record("filesystem on serial sdb", "", uuid=EXT4.uuid),)},
        {"filesystems": {SDB: FS._replace(unused=False)}},
        {"contents": {SDB: Content((HALF, Signature("gpt")))}},
        {"contents": {SDB: Content((HALF,), busy=True)}},
        {"mounts": (Mount(SDB, "/srv", "xfs", "rw"),)},
    ],
    ids=["no record", "another UUID", "another device", "it was in use", "more than that", "busy", "mounted"],
)
def test_nothing_else_is_taken_for_a_half_made_filesystem(more: dict[str, Any]) -> None:
    host = half_filesystem(**more)
    assert not [step for step in on_sdb(host).steps if step.verb in ("wipe", "format")]
    with pytest.raises(StorageError, match="/dev/sdb: refused as a place for ext4"):
        filesystem.plan(host, OnDevice(SDB, USE._replace(filesystem="ext4")), False)


def test_a_filesystem_that_was_complete_is_off_the_record() -> None:
    made = on_sdb(half_filesystem(filesystems={SDB: FS._replace(unused=False)}))
    assert outline(made)[0] == "forget record filesystem on serial sdb"
    assert made.after.unfinished == ()


def test_a_half_made_filesystem_that_nobody_wants_is_off_the_record() -> None:
    made = on_sdb(half_filesystem(), True, state="absent")
    assert outline(made) == ["wipe device /dev/sdb", "forget record filesystem on serial sdb"]
    blank = on_sdb(half_filesystem(contents={}, filesystems={SDB: None}), state="absent")
    assert outline(blank) == ["forget record filesystem on serial sdb"]


# Arrays

RECORDED = record("raid md0", SDB, SDC, SDD, uuid=UUID)


def half_array(*paths: str, host: Host | None = None, **more: Any) -> Host:
    """An array of which so many have their superblock."""
    array = Array(
        UUID, "md0", "5", 3, tuple(Member(path, "active", slot) for slot, path in enumerate(paths)), unused=True, **more
    )
    whole = host or a_host(*disks("bcd"), files={CONF: mdadm_line(MD)}, unfinished=(RECORDED,))
    if not array.device:
        return with_array(whole, array)
    whole = whole.with_device(disk(MD, 0), MD)
    for path in paths:
        whole = whole.with_content(path, Signature("linux_raid_member"), held_by=MD)
    return whole._replace(arrays=(array,))


def an_md0(host: Host, allow: bool = False, **words: Any) -> Plan:
    return settle(raid, host, Raid(**{"name": "md0", "level": "5", "devices": (SDB, SDC, SDD), **words}), allow)


def test_a_half_made_array_is_made_anew_without_permission() -> None:
    made = an_md0(half_array(SDB))
    assert outline(made) == ["zero raid md0", "persist raid md0", "create raid md0", "inspect raid md0"]
    assert destroyed(made) == []
    assert the_step(made, "create").claims == (claim(SDB), claim(SDC), claim(SDD))
    assert made.after.unfinished == ()
    waits = an_md0(half_array(SDB, SDC, device=MD, state="inactive"))
    assert outline(waits)[:3] == ["stop raid md0", "zero raid md0", "zero raid md0"]


@pytest.mark.parametrize(
    "unfinished",
    [
        (),
        (RECORDED._replace(uuid=OTHER),),
        (RECORDED._replace(devices=(SDC, SDD)),),
        (RECORDED._replace(devices=("",)),),
    ],
    ids=["no record", "another UUID", "other devices", "a device is gone"],
)
def test_nothing_else_is_taken_for_a_half_made_array(unfinished: tuple[Unfinished, ...]) -> None:
    host = half_array(SDB)._replace(unfinished=unfinished)
    with pytest.raises(StorageError, match="array md0 cannot start: it needs 2 of its 3"):
        an_md0(host)


def test_an_array_that_was_written_to_is_not_half_made() -> None:
    host = half_array(SDB)
    ran = host._replace(arrays=(host.arrays[0]._replace(unused=False),))
    with pytest.raises(StorageError, match="array md0 cannot start: it needs 2 of its 3"):
        an_md0(ran)


def test_a_half_made_array_that_nobody_wants() -> None:
    made = an_md0(half_array(SDB), state="absent")
    assert outline(made) == ["zero raid md0", "persist raid md0", "forget record raid md0"]
    assert destroyed(made) == []
    with pytest.raises(StorageError, match="a crash interrupted its creation, so there is nothing to stop"):
        an_md0(half_array(SDB), state="stopped")


def whole_array(*signatures: Signature, **more: Any) -> Host:
    host = a_host(*disks("bcd"), files={CONF: mdadm_line(MD)}, unfinished=(RECORDED,))
    made = with_array(host, an_array(SDB, SDC, SDD, level="5"), 20 * GiB)
    return made._replace(contents={**made.contents, MD: Content(signatures)}, **more)


def test_a_new_array_that_nobody_looked_into_is_looked_into() -> None:
    made = an_md0(whole_array())
    assert outline(made) == ["inspect array md0"]
    assert made.steps[0].intent == intent("raid md0", UUID, SDB, SDC, SDD)
    old = whole_array(EXT4)
    with pytest.raises(StorageError, match=f"array md0: /dev/md0 holds an ext4.*To keep it, remove {FILE}"):
        an_md0(old)
    assert outline(an_md0(old, True)) == ["wipe device /dev/md0", "inspect array md0"]
    used = whole_array(EXT4, mounts=(Mount(MD, "/srv", "ext4", "rw"),))
    assert an_md0(used).steps == ()
    assert an_md0(used).after.unfinished == (RECORDED,)
    other = whole_array(unfinished=(RECORDED._replace(uuid=OTHER),))
    assert an_md0(other).steps == ()


# bcache


def test_a_new_bcache_that_nobody_looked_into_is_looked_into() -> None:
    unfinished = (record("bcache cached", SDB),)
    host = a_host(*disks("bcd"), backings=(Backing(SDB, "b1"),), unfinished=unfinished)
    host = host.with_content(SDB, Signature("bcache"))
    made = settle(bcache, host, Bcache("cached", backing_device=SDB))
    verbs = [step.verb for step in made.steps]
    assert verbs.index("register") < verbs.index("inspect") < verbs.index("label")
    assert the_step(made, "inspect").intent == intent("bcache cached", "", SDB)
    other = host._replace(unfinished=(record("bcache cached", SDC),))
    assert "inspect" not in [step.verb for step in settle(bcache, other, Bcache("cached", backing_device=SDB)).steps]


CACHE = CacheSet("c1", SDC, 512 << 10, registered=True)
DETACHED = record("removal of the cache of bcache cached", SDC, SDB, uuid="c1")


def detached(*backings: Backing, **more: Any) -> Host:
    """A bcache that let go of its cache; ``more`` is of the host."""
    known = (Backing(SDB, "b1", "cached", bcache="/dev/bcache0", registered=True), *backings)
    host = a_host(*disks("bcd"), disk("/dev/bcache0"), **{"unfinished": (DETACHED,), "cache_sets": (CACHE,), **more})
    for path in (SDB, SDC):
        host = host.with_content(path, Signature("bcache"), held_by="bcache")
    return host._replace(backings=known)


def test_the_cache_that_a_bcache_had_let_go_of_is_removed() -> None:
    made = settle(bcache, detached(), Bcache("cached", cache_device=""))
    assert [step.verb for step in made.steps][-2:] == ["unregister", "wipe"]
    assert destroyed(made) == []
    assert made.after.unfinished == ()
    gone = settle(bcache, detached(), Bcache("cached", state="absent"))
    assert [step.verb for step in gone.steps if step.verb in ("unregister", "wipe")] == ["unregister", "wipe", "wipe"]


@pytest.mark.parametrize(
    "host",
    [
        detached(unfinished=()),
        detached(unfinished=(DETACHED._replace(uuid="c2"),)),
        detached(unfinished=(DETACHED._replace(devices=(SDC, SDD)),)),
        detached(Backing(SDD, "b2", "second", cache_set="c1", attached=True, registered=True, bcache="/dev/bcache1")),
    ],
    ids=["no record", "another cache set", "another backing device", "another bcache uses it"],
)
def test_no_other_cache_is_removed(host: Host) -> None:
    made = settle(bcache, host, Bcache("cached", cache_device=""))
    assert "wipe" not in [step.verb for step in made.steps]


def test_a_cache_that_got_another_device_since_is_not_removed() -> None:
    host = detached()._replace(attached={SDC: (Attached("d", "other"),)})
    for want in (Bcache("cached", state="absent"), Bcache("cached", cache_device="")):
        with pytest.raises(StorageError, match='is also for "other"'):
            bcache.plan(host, want, False)
    own = detached()._replace(attached={SDC: (Attached("f", own_volume=True),)})
    assert "wipe" not in [step.verb for step in bcache.plan(own, Bcache("cached", cache_device=""), False).steps]


def test_a_cache_whose_backing_device_is_not_here_is_not_removed() -> None:
    """The record began before the last dirty data was written back."""
    host = detached()._replace(backings=(), attached={SDC: (Attached("b", "cached"),)})
    with pytest.raises(StorageError, match="nobody can see whether the cache set on /dev/sdc still holds dirty data"):
        bcache.plan(host, Bcache("cached", cache_device=SDC, state="absent"), False)


# Drives

ORPHAN = Content((Signature("LVM2_member", "abc"),))


def a_drive(host: Host, allow: bool = False, **words: Any) -> Plan:
    volumes = (Volume("data", filesystem="xfs", mount_point="/srv"),)
    return settle(drive, host, Drive(**{"name": "data", "devices": (SDB,), "volumes": volumes, **words}), allow)


def half_drive(**more: Any) -> Host:
    parts: dict[str, Any] = {
        "contents": {SDB: ORPHAN},
        "lvm": Lvm((), (SDB,), {SDB: ""}),
        "unfinished": (record("drive data", SDB),),
        "directories": {"/srv": None},
        **more,
    }
    return a_host(*disks("bc"), **parts)


def test_a_half_made_drive_is_made_anew_without_permission() -> None:
    made = a_drive(half_drive())
    assert outline(made)[:2] == ["wipe device /dev/sdb", "create drive data"]
    assert destroyed(made) == []
    assert made.after.unfinished == ()
    gone = a_drive(half_drive(), state="absent", devices=None)
    assert outline(gone) == ["clear drive data", "forget record drive data"]


@pytest.mark.parametrize(
    "more",
    [
        {"unfinished": ()},
        {"unfinished": (record("drive data", SDC),)},
        {"lvm": Lvm((), (SDB,), {})},
        {"lvm": Lvm((), (SDB,), {SDB: "other"})},
        {"contents": {SDB: Content((*ORPHAN.signatures, EXT4))}},
    ],
    ids=["no record", "another device", "it was in a group", "another group", "more than that"],
)
def test_nothing_else_is_taken_for_a_half_made_drive(more: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match=r"/dev/sdb: refused as a device of data: it holds .*LVM2 physical volume"):
        a_drive(half_drive(**more))


def a_group(host: Host, *volumes: LogicalVolume, tags: tuple[str, ...] = ()) -> Host:
    group = Group("data", size=GiB, physical_volumes=(PhysicalVolume(SDB, tags=tags),), volumes=volumes)
    return host._replace(lvm=Lvm((group,)))


def test_the_devices_of_a_drive_are_marked_after_a_crash() -> None:
    host = half_drive()
    made = a_drive(a_group(host, LogicalVolume("old", GiB)), volumes=())
    assert commands(made) == ["pvchange --addtag strata.storage /dev/sdb"]
    assert made.steps[0].intent == intent("drive data", "", SDB)


def test_a_new_volume_that_nobody_looked_into_is_looked_into() -> None:
    device = "/dev/dm-0"
    host = half_drive(unfinished=(record("volume data/data", SDB),)).with_device(disk(device, GiB, identity=""))
    host = a_group(host, LogicalVolume("data", GiB, True, device=device), tags=("strata.storage",))
    host = host._replace(filesystems={device: None})
    assert outline(a_drive(host))[:2] == ["inspect volume data/data", "format volume data/data"]
    old = host._replace(contents={**host.contents, device: Content((HALF,))}, filesystems={device: FS})
    with pytest.raises(StorageError, match=r"volume data/data: /dev/dm-0 holds an xfs filesystem.*old bytes"):
        a_drive(old)
    assert outline(a_drive(old, True))[:3] == [
        "wipe device /dev/dm-0",
        "inspect volume data/data",
        "format volume data/data",
    ]


def half_shrunk(**more: Any) -> Host:
    device = "/dev/dm-0"
    parts: dict[str, Any] = {
        "unfinished": (record("shrink of volume data/data", device, uuid=EXT4.uuid),),
        "files": {"/etc/fstab": f"UUID={EXT4.uuid} /srv ext4 defaults 0 2\n"},
        "filesystems": {device: Filesystem("ext4", EXT4.uuid, size=GiB)},
        **more,
    }
    host = half_drive(**parts).with_device(disk(device, GiB, identity=""), content=Content((EXT4,)))
    return a_group(host, LogicalVolume("data", GiB, True, device=device), tags=("strata.storage",))


def a_smaller(host: Host) -> Plan:
    volumes = (Volume("data", 512 * MiB, filesystem="ext4", mount_point="/srv"),)
    return settle(drive, host, Drive("data", (SDB,), volumes, allow_shrink=True, allow_offline=True))


def test_a_filesystem_that_was_being_shrunk_is_repaired_whatever_is_wanted_now() -> None:
    again = a_smaller(half_shrunk())
    assert [step.verb for step in again.steps if step.kind == "volume"] == [
        "repair",
        "check",
        "shrink",
        "reduce",
        "mount",
    ]
    assert again.steps[0].intent == intent("shrink of volume data/data", EXT4.uuid, "/dev/dm-0")
    whole = a_drive(half_shrunk(), volumes=(Volume("data", filesystem="ext4", mount_point="/srv"),))
    assert commands(whole)[0] == "e2fsck -f -y /dev/dm-0"
    assert whole.after.unfinished == ()


def test_only_that_filesystem_is_repaired_and_only_while_nobody_uses_it() -> None:
    volumes = (Volume("data", filesystem="ext4", mount_point="/srv"),)
    mounted = half_shrunk(mounts=(Mount("/dev/dm-0", "/srv", "ext4", "rw"),))
    other = half_shrunk(filesystems={"/dev/dm-0": Filesystem("ext4", OTHER, size=GiB)}, files={"/etc/fstab": ""})
    for host in (mounted, other):
        assert "forget record shrink of volume data/data" in outline(a_drive(host, volumes=volumes))
        assert "repair volume data/data" not in outline(a_drive(host, volumes=volumes))


def test_a_device_that_had_left_a_drive_becomes_blank() -> None:
    unfinished = (record("removal from drive data", SDC),)
    host = half_drive(unfinished=unfinished, contents={SDB: ORPHAN, SDC: ORPHAN})
    host = a_group(host, LogicalVolume("old", GiB), tags=("strata.storage",))
    host = host._replace(lvm=host.groups()._replace(orphans=(SDC,)))
    made = a_drive(host, volumes=())
    assert outline(made) == ["clear drive data", "forget record removal from drive data"]
    assert made.after.unfinished == ()
    # It had not left yet.
    inside = host._replace(unfinished=(record("removal from drive data", SDB),))
    assert a_drive(inside, volumes=()).steps == ()


# Partitions

TABLE = record("table for partition p1", SDB, uuid=UUID, empty_table=True)
GPT = Content((Signature("gpt"),))


def a_partition(host: Host, allow: bool = False, **words: Any) -> Plan:
    plan: Plan = partition.plan(host, Partition(**{"name": "p1", "device": SDB, "size": 100 * MiB, **words}), allow)
    return plan


def test_a_half_made_table_is_made_anew_without_permission() -> None:
    host = a_host(SDB, contents={SDB: GPT}, tables={SDB: None}, unfinished=(TABLE,))
    made = a_partition(host)
    assert outline(made) == ["wipe device /dev/sdb", "create table /dev/sdb", "create partition p1"]
    assert destroyed(made) == []
    assert made.after.unfinished == ()
    assert outline(a_partition(host, state="absent")) == [
        "wipe device /dev/sdb",
        "forget record table for partition p1",
    ]
    assert is_half_made(host, SDB)
    for other in ((), (TABLE._replace(empty_table=False),), (TABLE._replace(devices=("",)),)):
        assert not is_half_made(host._replace(unfinished=other), SDB)
        with pytest.raises(StorageError, match="no partition table that is known"):
            a_partition(host._replace(unfinished=other))


def test_a_new_partition_that_nobody_looked_into_is_looked_into() -> None:
    one = disk(f"{SDB}1", 100 * MiB, disk=SDB, part_name="p1")
    host = a_host(disk(SDB, partitions=(one.path,)), one, unfinished=(record("partition p1", SDB),))
    made = a_partition(host, size=None)
    assert outline(made) == ["inspect partition p1"]
    assert made.after.unfinished == ()
    old = host._replace(contents={**host.contents, one.path: Content((EXT4,))})
    with pytest.raises(StorageError, match="partition p1: /dev/sdb1 holds an ext4"):
        a_partition(old, size=None)
    assert outline(a_partition(old, True, size=None)) == ["wipe device /dev/sdb1", "inspect partition p1"]
    other = host._replace(unfinished=(record("partition p1", SDC),))
    assert a_partition(other, size=None).steps == ()


def test_a_partition_in_one_copy_of_the_table_is_completed() -> None:
    """The kernel reads no other than the first copy, and sfdisk takes the second where that is damaged."""
    table = Table("gpt", MiB, GiB, (Part(1, MiB, 100 * MiB, "linux", ('name="p1"',)),))
    host = a_host(SDB, contents={SDB: GPT}, tables={SDB: table}, unfinished=(record("partition p1", SDB),))
    made = a_partition(host)
    assert outline(made) == ["complete partition p1"]
    assert commands(made)[0].endswith(f"--part-type {SDB} 1 linux")
    assert made.after.devices[f"{SDB}1"].size == 100 * MiB
    assert made.after.unfinished == ()
    for other in ((), (record("partition p1", SDC),)):
        with pytest.raises(StorageError, match="the GPT on /dev/sdb names it, and the kernel does not show it"):
            a_partition(host._replace(unfinished=other))


# What is told


def test_what_is_left_on_record_is_told_and_how_to_get_rid_of_it() -> None:
    gone = record("raid md0", SDB, SDC)._replace(devices=(SDB, ""))
    left = record("raid md1", SDB)
    said = warnings(a_host(SDB, unfinished=(gone, left, Unfinished(FILE))))
    assert said == (
        f"{FILE}: a crash, or an error, interrupted the step «make raid md0» on /dev/sdb /dev/sdc, and "
        f"/dev/sdc of then is not here "
        "now. Run the task that does it again; or remove this file to keep things as they are",
        f"{FILE}: a crash, or an error, interrupted the step «make raid md1» on /dev/sdb, and "
        f"what is on /dev/sdb now is not what "
        "that step left, or nobody has asked for it since. Run the task that does it again; or remove this file to "
        "keep things as they are",
        f"{FILE}: this is no record of intent that can be read; remove it",
    )
