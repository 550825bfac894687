# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for arrays, as values."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Edit, Plan, Step, Wait
from ansible_collections.strata.storage.plugins.module_utils.document import raid as document
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.host.actions import (
    Claim,
    EraseTables,
    Idle,
    Inspect,
    Vacate,
)
from ansible_collections.strata.storage.plugins.module_utils.host.devices import UNSEEN, Content, Device, DiskFacts
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member
from ansible_collections.strata.storage.plugins.module_utils.host.unfinished import intent

from ..hosts import (
    CONF,
    DEBIAN,
    EXT4,
    MEMBER,
    OTHER,
    UUID,
    GiB,
    a_host,
    an_array,
    claim,
    commands,
    destroyed,
    disk,
    disks,
    mdadm_line,
    outline,
    run,
    settle,
    the_step,
    with_array,
)

SDB, SDC, SDD, SDE, SDF = (f"/dev/sd{letter}" for letter in "bcdef")
BLANK = a_host(*disks("bcdef"))
LINE = {CONF: mdadm_line("/dev/md0")}
MIRROR = an_array(SDB, SDC)
STOPPED = an_array(SDB, SDC, device="", name="md0")
#: md0 runs and is kept, over two of five disks.
RUNNING = with_array(a_host(*disks("bcdef"), files=LINE), MIRROR)


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    return settle(raid, host, Raid(**{"name": "md0", **words}), allow)


def refused(host: Host, said: str, allow: bool = False, **words: Any) -> None:
    with pytest.raises(Refused, match=said):
        raid.plan(host, Raid(**{"name": "md0", **words}), allow)


# Create


@pytest.mark.parametrize(("level", "least"), [("0", 2), ("1", 2), ("4", 3), ("5", 3), ("6", 4), ("10", 2)])
def test_too_few_devices(level: str, least: int) -> None:
    devices = tuple(f"sd{letter}" for letter in "bcde"[: least - 1])
    with pytest.raises(
        StorageError, match=f"RAID {level} needs at least {least} devices, and `devices` has {least - 1}"
    ):
        plan(BLANK, level=level, devices=devices)


def test_members_that_an_array_does_not_make_full_use_of() -> None:
    unequal = a_host(disk(SDB, 10 * GiB), disk(SDC, 20 * GiB))
    said = plan(unequal, level="1", devices=(SDB, SDC)).warnings
    assert said == (
        "array md0 uses 10 GiB of each member, as much as /dev/sdb has. The rest of /dev/sdc (20 GiB) is not used",
    )
    assert plan(unequal, level="1", devices=(SDB, SDC), size=5 * GiB).warnings == ()
    mixed = a_host(SDB, SDC)._replace(disks={SDB: DiskFacts(rotational=True), SDC: DiskFacts()})
    assert "rotating disks (/dev/sdb) and others" in plan(mixed, level="0", devices=(SDB, SDC)).warnings[0]
    assert "write_mostly_devices has reads" in plan(mixed, level="1", devices=(SDB, SDC)).warnings[0]
    assert plan(mixed, level="1", devices=(SDB, SDC), write_mostly_devices=(SDB,)).warnings == ()


def test_a_device_that_is_gone_from_an_array() -> None:
    there = an_array(SDB, SDC, level="1")
    host = with_array(a_host(SDB, SDD), there._replace(members=there.members[:1], degraded=1))
    with pytest.raises(StorageError, match=r"no block device /dev/sdc on this host. Array md0 lacks 1 of its 2"):
        raid.plan(host, Raid("md0", level="1", devices=(SDB, SDC)), False)


def test_create_from_first_to_last() -> None:
    made = plan(BLANK._replace(boot=DEBIAN), level="5", devices=("sdb", "sdc", SDD), spare_devices=("sde",), uuid=UUID)
    keep, rebuild, create, inspect = made.steps
    assert keep.actions == (Edit(CONF, "", mdadm_line("/dev/md0")),)
    assert keep.intent == intent("raid md0", UUID, last=False)
    assert rebuild.verb == "rebuild"
    assert create == Step(
        verb="create",
        kind="raid",
        name="md0",
        detail="RAID 5 over /dev/sdb /dev/sdc /dev/sdd, spare /dev/sde, 20 GiB",
        actions=(
            run(
                *("mdadm", "--create", "/dev/md0", "--run", "--level=5", "--raid-devices=3", "--spare-devices=1"),
                *("--metadata=1.2", f"--uuid={UUID}", "--bitmap=none", "--force", "--name=md0", SDB, SDC, SDD, SDE),
            ),
            Wait("/dev/md0"),
        ),
        claims=(claim(SDB), claim(SDC), claim(SDD), claim(SDE)),
        flush=("/dev/md0", SDB, SDC, SDD, SDE),
        intent=intent("raid md0", UUID, SDB, SDC, SDD, SDE, last=False),
    )
    assert inspect == Step(
        verb="inspect",
        kind="raid",
        name="md0",
        detail="that it starts out blank",
        actions=(Inspect("/dev/md0", wipe=False),),
        flush=("/dev/md0",),
        undo=(
            Vacate("/dev/md0", ("mdadm", "--stop", "/dev/md0")),
            *(run("mdadm", "--zero-superblock", path) for path in (SDB, SDC, SDD, SDE)),
            Edit(CONF, mdadm_line("/dev/md0"), ""),
        ),
        intent=intent("raid md0", UUID, SDB, SDC, SDD, SDE),
    )
    assert made.after.arrays == (
        an_array(SDB, SDC, SDD, level="5")._replace(
            members=(*(Member(path, "active", i) for i, path in enumerate((SDB, SDC, SDD))), Member(SDE, "spare"))
        ),
    )
    # Two members' chunks are a stripe.
    assert made.after.devices["/dev/md0"] == Device("/dev/md0", size=20 * GiB, optimal_io=1 << 20)
    assert made.after.devices[SDE].holders == ("/dev/md0",)
    assert made.after.contents[SDE] == Content((MEMBER,), busy=True)


def test_an_array_without_a_wanted_uuid_is_kept_by_the_one_that_it_gets() -> None:
    made = plan(BLANK, level="1", devices=(SDB, SDC))
    uuid = made.after.arrays[0].uuid
    assert made.after.files[CONF] == f"ARRAY /dev/md0 UUID={uuid}\n"
    assert f"--uuid={uuid}" in commands(made)[1]
    assert raid.plan(BLANK, Raid("md0", "1", (SDB, SDC)), False) == made


@pytest.mark.parametrize(
    ("name", "path"), [("md0", "/dev/md0"), ("md127", "/dev/md127"), ("data", "/dev/md/data"), ("md0x", "/dev/md/md0x")]
)
def test_where_an_array_is(name: str, path: str) -> None:
    made = plan(BLANK, name=name, level="1", devices=(SDB, SDC), uuid=UUID)
    assert made.after.files[CONF] == mdadm_line(path)
    assert commands(made)[1].startswith(f"mdadm --create {path} ")
    assert f" --name={name} " in commands(made)[1]
    assert raid.references(Raid(name, devices=(SDB,), spare_devices=("x",))) == (SDB, "x", path)


@pytest.mark.parametrize(
    ("words", "there", "not_there"),
    [
        ({"metadata": "0.90"}, ["--metadata=0.90"], "--name"),
        ({"metadata": "1.0"}, ["--metadata=1.0", "--name=md0"], "--chunk"),
        ({"level": "0", "chunk_size": 64 << 10}, ["--level=0", "--chunk=64K"], "--bitmap"),
        ({"bitmap": "internal"}, ["--bitmap=internal"], "--chunk"),
    ],
)
def test_what_mdadm_is_told(words: dict[str, Any], there: list[str], not_there: str) -> None:
    (_persist, create) = commands(plan(BLANK, **{"level": "1", "devices": (SDB, SDC), **words}))
    assert set(there) <= set(create.split())
    assert not_there not in create


@pytest.mark.parametrize(
    ("level", "gigabytes", "bitmap"), [("1", 99, "none"), ("1", 100, "internal"), ("0", 100, "none")]
)
def test_large_members_get_a_bitmap(level: str, gigabytes: int, bitmap: str) -> None:
    made = plan(a_host(*disks("bc", gigabytes * GiB)), level=level, devices=(SDB, SDC))
    assert made.after.arrays[0].bitmap == bitmap
    assert (f"--bitmap={bitmap}" in commands(made)[1]) is (level != "0")


@pytest.mark.parametrize(("level", "size"), [("0", 40), ("1", 10), ("4", 30), ("5", 30), ("6", 20), ("10", 20)])
def test_how_large_it_gets(level: str, size: int) -> None:
    made = plan(BLANK, level=level, devices=(SDB, SDC, SDD, SDE))
    assert made.after.devices["/dev/md0"].size == size * GiB


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "array md0 does not exist, and to create it, say also: level, devices"),
        ({"devices": (SDB, SDC)}, "say also: level"),
        ({"level": "1"}, "say also: devices"),
        ({"level": "1", "devices": (SDB, "sdz")}, "array md0: there is no block device sdz on this host"),
        ({"level": "1", "devices": (SDB, "sdb")}, "array md0: /dev/sdb is named twice, by different names"),
        ({"level": "1", "devices": (SDB, SDC), "spare_devices": ("sdc",)}, "/dev/sdc is named twice"),
        ({"state": "stopped"}, "array md0 does not exist, so it cannot be stopped"),
    ],
)
def test_what_cannot_be_created(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        plan(BLANK, **words)


def test_data_on_a_member_needs_permission_and_goes_first() -> None:
    host = BLANK._replace(contents={**BLANK.contents, SDC: Content((EXT4,))})
    words: dict[str, Any] = {"level": "1", "devices": (SDB, SDC)}
    refused(host, "/dev/sdc: refused as a member of md0: it holds an ext4 filesystem", **words)
    made = plan(host, allow=True, **words)
    assert outline(made) == ["wipe device /dev/sdc", "persist raid md0", "create raid md0", "inspect raid md0"]
    assert made.steps[0].claims == (claim(SDC, EXT4),)
    assert the_step(made, "create").claims == (claim(SDB), claim(SDC))
    assert Inspect("/dev/md0", wipe=True) in the_step(made, "inspect").actions
    assert destroyed(made) == [
        '/dev/sdc: an ext4 filesystem labelled "backup" (UUID 0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a)'
    ]


def test_planning_looks_at_nothing_but_the_host_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def isdir(path: str) -> bool:
        asked.append(path)
        return path == os.path.dirname(CONF)

    monkeypatch.setattr(os.path, "isdir", isdir)
    raid.plan(BLANK, Raid("md0", "1", (SDB, SDC)), False)
    assert asked == []


# Found again


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"level": "1", "devices": ("sdb", "/dev/disk/by-id/sdc")},
        {"devices": (SDC, SDB), "metadata": "1.2", "bitmap": "none", "uuid": UUID, "spare_devices": ()},
    ],
)
def test_what_is_as_it_should_be_stays(words: dict[str, Any]) -> None:
    assert plan(RUNNING, **words) == Plan((), RUNNING)


def test_an_array_that_nobody_kept_is_kept_from_now_on() -> None:
    made = plan(RUNNING._replace(files={**RUNNING.files, CONF: ""}), level="1", devices=(SDB, SDC))
    assert made.steps[0].actions == (Edit(CONF, "", mdadm_line("/dev/md0")),)
    assert outline(made) == ["persist raid md0"]


# Other arrays


def test_a_member_of_another_array_is_refused() -> None:
    host = with_array(RUNNING, an_array(SDD, SDE, device="/dev/md9", uuid=OTHER))
    refused(
        host,
        rf"/dev/sdd: refused as a member of md0: it is a member of RAID array /dev/md9 \(UUID {OTHER}\)",
        allow=True,
        devices=(SDB, SDC),
        spare_devices=(SDD,),
    )


@pytest.mark.parametrize(
    "words", [{"level": "1", "devices": (SDD, SDE)}, {"level": "1", "devices": (SDB, SDC), "uuid": UUID}]
)
def test_members_and_name_or_uuid_disagree(words: dict[str, Any]) -> None:
    other = an_array(SDD, SDE, device="", uuid=OTHER, name="backup")
    mine = an_array(SDB, SDC, device="", uuid="f" * 32, name="md0")
    refused(with_array(with_array(BLANK, other), mine), "refused as a member of md0", allow=True, **words)


def test_path_and_mdadm_conf_disagree() -> None:
    host = with_array(BLANK, MIRROR)
    host = with_array(host, an_array(SDD, SDE, device="/dev/md127", uuid=OTHER))
    host = host.with_file(CONF, mdadm_line("/dev/md0", OTHER))
    refused(host, OTHER, allow=True, state="absent")


def test_mdadm_conf_says_that_the_members_belong_to_another_name() -> None:
    host = with_array(a_host(*disks("bc"), files={CONF: mdadm_line("/dev/md/backup")}), STOPPED)
    refused(host, "refused as a member of md0", level="1", devices=(SDB, SDC))


@pytest.mark.parametrize(
    ("name", "superblock"),
    [pytest.param("mdata", "ata", id="mdata is not md-ata"), pytest.param("md1", "md10", id="md1 is not md10")],
)
def test_a_stopped_array_of_another_name_is_another_one(name: str, superblock: str) -> None:
    host = with_array(BLANK, STOPPED._replace(name=superblock))
    assert plan(host, allow=True, name=name, state="absent") == Plan((), host)


def test_a_stopped_array_without_a_name_is_not_taken_by_its_lack_of_one() -> None:
    host = with_array(BLANK, STOPPED._replace(name="", metadata="0.90"))
    assert plan(host, allow=True, state="absent") == Plan((), host)


def test_two_stopped_arrays_of_one_name_are_ambiguous() -> None:
    host = with_array(BLANK, STOPPED)
    host = with_array(host, an_array(SDD, SDE, device="", uuid=OTHER, name="md0"))
    refused(host, OTHER, allow=True, state="absent")


def test_md1_is_not_md10() -> None:
    host = a_host(*disks("bcde"), files={CONF: mdadm_line("/dev/md10", OTHER)})
    host = with_array(host, an_array(SDD, SDE, device="/dev/md10", uuid=OTHER))
    made = plan(host, name="md1", level="1", devices=(SDB, SDC), uuid=UUID)
    assert made.after.files[CONF] == mdadm_line("/dev/md10", OTHER) + mdadm_line("/dev/md1")
    assert plan(made.after, name="md1", state="absent").after.files[CONF] == mdadm_line("/dev/md10", OTHER)


def test_an_array_whose_uuid_cannot_be_read_is_not_kept_under_none() -> None:
    host = with_array(a_host(*disks("bc"), files=LINE), MIRROR._replace(uuid=""))
    try:
        made = plan(host)
    except StorageError:
        return
    assert made.after.files[CONF] == LINE[CONF]


# Start, adopt


def test_a_stopped_array_is_assembled_from_its_members_only() -> None:
    made = plan(with_array(a_host(*disks("bcdef"), files=LINE), STOPPED), level="1", devices=(SDB, SDC))
    assert made.steps == (
        Step(
            "assemble",
            "raid",
            "md0",
            "from /dev/sdb /dev/sdc",
            (run("mdadm", "--assemble", "/dev/md0", "--run", f"--uuid={UUID}", SDB, SDC), Wait("/dev/md0")),
            flush=("/dev/md0",),
        ),
    )
    assert made.after.arrays == (MIRROR,)


@pytest.mark.parametrize("name", ["md0", "0"])
def test_a_stopped_array_is_found_by_its_name(name: str) -> None:
    made = plan(with_array(BLANK, STOPPED._replace(name=name)))
    assert outline(made) == ["persist raid md0", "assemble raid md0"]


def test_a_stopped_array_is_found_by_its_uuid() -> None:
    made = plan(with_array(BLANK, STOPPED._replace(name="elsewhere")), uuid=UUID)
    assert outline(made) == ["persist raid md0", "assemble raid md0"]


def test_an_array_that_did_not_start_is_stopped_and_assembled() -> None:
    made = plan(with_array(RUNNING._replace(arrays=()), MIRROR._replace(state="inactive")))
    assert outline(made) == ["stop raid md0", "assemble raid md0"]
    assert Wait("/sys/class/block/md0/md/array_state", ("", "clear")) in made.steps[0].actions


def test_assembled_with_a_missing_member() -> None:
    array = an_array(SDB, SDC, SDD, level="5", device="", name="md0")
    made = plan(with_array(BLANK, array._replace(members=array.members[:2])))
    assert the_step(made, "assemble").detail == "from /dev/sdb /dev/sdc, 1 missing"
    assert made.after.arrays[0].degraded == 1
    assert made.after.devices["/dev/md0"].size == 20 * GiB


@pytest.mark.parametrize(("level", "left", "needed"), [("5", 1, 2), ("0", 2, 3), ("6", 0, 1), ("1", 0, 1)])
def test_too_many_members_are_missing(level: str, left: int, needed: int) -> None:
    array = an_array(SDB, SDC, SDD, level=level, device="", name="md0")
    spare = Member(SDE, "spare")
    host = with_array(BLANK, array._replace(members=(*array.members[:left], spare)))
    refused(host, f"array md0 cannot start: it needs {needed} of its 3 active members.* Nothing was changed")


ADOPTED = MIRROR._replace(device="/dev/md127", name="data")


def adopting(array: Array = ADOPTED, **more: Any) -> Host:
    conf = {CONF: mdadm_line("/dev/md/data")}
    return with_array(a_host(*disks("bcd"), files=conf, **more), array)


def test_an_array_under_another_name_is_restarted_while_nobody_uses_it() -> None:
    made = plan(adopting(), name="data", level="1", devices=(SDB, SDC))
    assert commands(made) == [
        "udevadm settle",
        "mdadm --stop /dev/md127",
        f"mdadm --assemble /dev/md/data --run --uuid={UUID} /dev/sdb /dev/sdc",
    ]
    assert made.steps[0].actions[2] == Wait("/sys/class/block/md127/md/array_state", ("", "clear"))
    assert made.after.arrays == (ADOPTED._replace(device="/dev/md/data"),)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param({"mounts": (Mount("/dev/md127", "/srv", "ext4", "rw"),)}, id="mounted"),
        pytest.param({"swaps": ("/dev/md127",)}, id="swap"),
    ],
)
def test_an_array_in_use_gets_its_name_with_the_next_boot(use: dict[str, Any]) -> None:
    host = adopting(**use)
    made = plan(host, name="data")
    assert made == Plan(
        (), host, pending_reboot=("data runs as /dev/md127 and is in use: it gets its name with the next boot",)
    )


@pytest.mark.parametrize("use", [{"holders": ("/dev/dm-0",)}, {"partitions": ("/dev/md127p1",)}])
def test_an_array_that_is_held_gets_its_name_with_the_next_boot(use: dict[str, Any]) -> None:
    host = with_array(a_host(*disks("bc"), files={CONF: mdadm_line("/dev/md/data")}), ADOPTED, 10 * GiB, **use)
    made = plan(host, name="data")
    assert (made.steps, len(made.pending_reboot)) == ((), 1)


def test_a_member_that_is_being_rebuilt_comes_along() -> None:
    members = (Member(SDB, "active", 0), Member(SDC, "rebuilding", 1))
    made = plan(adopting(ADOPTED._replace(members=members, degraded=1)), name="data")
    assert commands(made)[2].endswith(" /dev/sdb /dev/sdc")


def test_what_an_assembled_array_holds_is_not_known_before() -> None:
    made = plan(with_array(BLANK, STOPPED))
    assert made.after.content("/dev/md0") == {"/dev/md0": UNSEEN}


# Members


def test_a_spare_is_added() -> None:
    made = plan(RUNNING, devices=(SDB, SDC), spare_devices=("sdd",))
    assert made.steps == (
        Step(
            "add",
            "raid",
            "md0",
            "/dev/sdd as a spare",
            (run("mdadm", "--manage", "/dev/md0", "--add", SDD),),
            claims=(claim(SDD),),
            flush=(SDD, "/dev/md0"),
        ),
    )
    assert made.after.arrays[0].members == (*MIRROR.members, Member(SDD, "spare"))
    assert made.after.devices[SDD].holders == ("/dev/md0",)


def test_a_missing_member_is_replaced() -> None:
    degraded = MIRROR._replace(members=(*MIRROR.members[:1], Member(SDC, "faulty")), degraded=1)
    made = plan(with_array(a_host(*disks("bcdef"), files=LINE), degraded), devices=(SDB, SDD))
    assert [str(step) for step in made.steps] == [
        "remove raid md0: /dev/sdc, which is faulty",
        "add raid md0: /dev/sdd in place of a missing member",
    ]
    assert made.in_progress == ("md0: recover",)
    assert made.warnings[0].startswith("array md0: /dev/sdc holds an older state of the array. ")


def test_a_new_member_that_holds_data_needs_permission() -> None:
    host = RUNNING._replace(contents={**RUNNING.contents, SDD: Content((EXT4,))})
    refused(host, "/dev/sdd: refused as a member of md0: it holds", spare_devices=(SDD,))
    assert outline(plan(host, allow=True, spare_devices=(SDD,))) == ["wipe device /dev/sdd", "add raid md0"]


def test_no_spares_for_raid_0() -> None:
    with pytest.raises(StorageError, match="RAID 0 has no redundancy"):
        plan(with_array(BLANK, MIRROR._replace(level="0")), spare_devices=(SDD,))


@pytest.mark.parametrize(
    ("array", "in_progress", "warnings"),
    [
        (MIRROR._replace(sync_action="idle"), (), ()),
        (MIRROR._replace(sync_action="resync"), ("md0: resync",), ()),
        (MIRROR._replace(sync_action="recover", degraded=1), ("md0: recover",), ()),
        (
            MIRROR._replace(sync_action="idle", degraded=1, members=MIRROR.members[:1]),
            (),
            (
                "array md0: 1 of 2 members missing. One more that fails may take all of it. Connect the disk that is "
                "missing again, or list another one in its place in `devices`.",
            ),
        ),
    ],
)
def test_what_is_on_its_way_and_what_is_wrong(
    array: Array, in_progress: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    host = with_array(a_host(*disks("bc"), files=LINE), array)
    waits = (Idle("/dev/md0"),) if in_progress else ()
    assert plan(host) == Plan((), host, in_progress=in_progress, warnings=warnings, waits=waits)


# Stopped


def test_stopped_is_written_down_before_it_is_done() -> None:
    made = plan(RUNNING, state="stopped")
    assert [step.actions for step in made.steps] == [
        (Edit(CONF, LINE[CONF], mdadm_line("<ignore>")),),
        (
            run("udevadm", "settle"),
            run("mdadm", "--stop", "/dev/md0"),
            Wait("/sys/class/block/md0/md/array_state", ("", "clear")),
        ),
    ]
    assert made.steps[1].flush == (SDB, SDC)
    assert made.after.arrays == (STOPPED,)
    assert made.after.find("/dev/md0") is None
    assert made.after.devices[SDB].holders == ()


def test_stopped_and_started_again_is_as_before() -> None:
    started = plan(plan(RUNNING, state="stopped").after)
    assert outline(started) == ["persist raid md0", "assemble raid md0"]
    assert (started.after.arrays, started.after.files) == (RUNNING.arrays, RUNNING.files)


def test_what_is_in_use_is_not_stopped() -> None:
    host = RUNNING._replace(mounts=(Mount("/dev/md0", "/srv", "ext4", "rw"),))
    refused(host, "array md0 cannot be stopped: /dev/md0 is mounted on /srv", allow=True, state="stopped")


# Absent


def test_an_empty_array_is_removed_the_array_line_last() -> None:
    made = plan(RUNNING._replace(boot=DEBIAN), state="absent")
    assert outline(made) == [
        "stop raid md0",
        "zero raid md0",
        "zero raid md0",
        "persist raid md0",
        "rebuild initramfs update-initramfs",
    ]
    assert made.steps[1] == Step(
        "zero",
        "raid",
        "md0",
        "its superblock on /dev/sdb",
        (EraseTables(SDB), run("mdadm", "--zero-superblock", SDB), run("wipefs", "--all", SDB)),
        claims=(Claim(SDB, "serial sdb", None),),
        flush=(SDB,),
    )
    assert made.steps[3].actions == (Edit(CONF, LINE[CONF], ""),)
    assert made.after.arrays == ()
    assert made.after.contents[SDB] == made.after.contents[SDC] == Content()
    assert made.after.devices == BLANK.devices


def test_an_array_that_holds_data_is_removed_with_permission() -> None:
    host = RUNNING._replace(contents={**RUNNING.contents, "/dev/md0": Content((EXT4,))})
    refused(host, "array md0 cannot be removed: /dev/md0 holds an ext4 filesystem.* Set allow_destroy", state="absent")
    made = plan(host, allow=True, state="absent")
    assert outline(made)[:2] == ["wipe device /dev/md0", "stop raid md0"]
    assert made.steps[0].claims == (Claim("/dev/md0", "", (EXT4,)),)
    waited_for = host.with_file("/etc/fstab", f"UUID={EXT4.uuid} /old ext4 defaults\n")
    refused(waited_for, "/dev/md0 is what /etc/fstab mounts on /old", allow=True, state="absent")
    assert [sentence.split(":")[0] for sentence in destroyed(made)] == ["/dev/md0"]


@pytest.mark.parametrize("allow", [False, True])
def test_an_array_in_use_is_not_removed(allow: bool) -> None:
    host = RUNNING._replace(mounts=(Mount("/dev/md0", "/srv", "ext4", "rw"),))
    refused(host, "array md0 cannot be removed: /dev/md0 is mounted on /srv", allow, state="absent")


def test_a_stopped_array_is_started_once_more_to_erase_what_it_holds() -> None:
    host = with_array(BLANK, STOPPED)
    refused(host, "it does not run, so nobody can see what it holds", state="absent")
    made = plan(host, allow=True, state="absent")
    assert outline(made) == [f"{verb} raid md0" for verb in ("assemble", "wipe", "stop", "zero", "zero")]
    assert made.steps[1].actions == (Inspect("/dev/md0", wipe=True),)
    assert destroyed(made) == ["/dev/md0: all that it holds, unseen since it does not run"]
    assert made.after.contents == BLANK.contents


def test_half_zeroed_it_is_known_by_its_array_line() -> None:
    array = an_array(SDB, SDC, SDD, level="5", device="", name="elsewhere")
    host = with_array(a_host(*disks("bcd"), files=LINE), array._replace(members=array.members[2:]))
    made = plan(host, allow=True, state="absent")
    assert outline(made) == ["zero raid md0", "persist raid md0"]
    assert made.after.files[CONF] == ""


def test_erasing_what_cannot_be_started_says_what_it_destroys() -> None:
    array = an_array(SDB, SDC, level="0", device="", name="md0")
    made = plan(with_array(BLANK, array._replace(members=array.members[:1])), allow=True, state="absent")
    assert destroyed(made)


def test_absent_already() -> None:
    assert plan(BLANK, state="absent") == Plan((), BLANK)
    assert outline(plan(a_host(SDB, files=LINE), state="absent")) == ["persist raid md0"]


# Facts


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(MIRROR, id="mirror"),
        pytest.param(MIRROR._replace(chunk_size=64 << 10), id="mirror with a chunk size"),
        pytest.param(an_array(SDB, SDC, SDD, level="5", chunk_size=512 << 10), id="RAID 5"),
        pytest.param(MIRROR._replace(members=(*MIRROR.members, Member(SDD, "spare"))), id="spare"),
        pytest.param(
            MIRROR._replace(members=(Member(SDB, "active", 0), Member(SDD, "rebuilding", 1)), degraded=1),
            id="being rebuilt",
        ),
    ],
)
def test_what_was_gathered_can_be_given_back_and_changes_nothing(array: Array) -> None:
    host = with_array(a_host(*disks("bcdef"), files=LINE), array)
    ((item, status),) = raid.survey(host)
    assert raid.facts(host, Raid("md0")) == {"raid": item, "status": status}
    assert raid.plan(host, document.parse(item), False).steps == ()


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(an_array(SDB, SDC, raid_devices=3, degraded=1), id="one of three is missing"),
        pytest.param(MIRROR._replace(members=(MIRROR.members[0], Member(SDC, "faulty")), degraded=1), id="faulty"),
        pytest.param(
            MIRROR._replace(members=(*MIRROR.members, Member(SDD, "replacing", 1)), sync_action="recover"),
            id="being replaced",
        ),
    ],
)
def test_what_passes_is_no_wish(array: Array) -> None:
    """What layout_info says of such an array neither shrinks it, nor brings a device back, nor undoes what goes on."""
    host = with_array(a_host(*disks("bcdef"), files=LINE), array._replace(sync_action="idle"))
    ((item, _status),) = raid.survey(host)
    assert item["devices"] is None
    made = raid.plan(host, document.parse(item), False)
    assert (made.steps, made.pending) == ((), ())
    assert raid.facts(host, Raid("md0"))["raid"]["devices"]


def test_of_an_array_that_does_not_run_for_now_no_document_tells() -> None:
    known, ignored = mdadm_line("/dev/md0"), mdadm_line("<ignore>")
    waits = with_array(BLANK, MIRROR._replace(state="inactive"))
    for host, names in (
        (waits, []),
        (waits.with_file(CONF, known), []),
        (with_array(BLANK, STOPPED).with_file(CONF, known), []),
        (with_array(BLANK, STOPPED).with_file(CONF, ignored), ["md0"]),
        (with_array(BLANK, STOPPED), ["md0"]),
    ):
        assert [item["name"] for item, _status in raid.survey(host)] == names


def test_facts() -> None:
    assert raid.facts(RUNNING, Raid("md0")) == {
        "raid": {
            "name": "md0",
            "level": "1",
            "devices": ["/dev/disk/by-id/sdb", "/dev/disk/by-id/sdc"],
            "spare_devices": [],
            "chunk_size": None,
            "layout": None,
            "metadata": "1.2",
            "bitmap": "none",
            "write_mostly_devices": [],
            "uuid": UUID,
            "state": "present",
        },
        "status": {
            "device": "/dev/md0",
            "size": 10 * GiB,
            "component_size": 0,
            "array_state": "clean",
            "sync_action": "",
            "percent": None,
            "speed": 0,
            "eta_seconds": None,
            "degraded": 0,
            "mismatch_count": 0,
            "consistency_policy": "",
            "pending_reboot": [],
            "members": [
                {"device": SDB, "role": "active", "slot": 0},
                {"device": SDC, "role": "active", "slot": 1},
            ],
        },
    }
    assert raid.facts(BLANK, Raid("md0")) == {"raid": None, "status": None}


def test_an_array_is_called_as_mdadm_conf_calls_it() -> None:
    host = adopting()
    assert raid.dump(host, ADOPTED._replace(name="odd"))["name"] == "data"
    assert raid.dump(BLANK, ADOPTED._replace(name=""))["name"] == "md127"
