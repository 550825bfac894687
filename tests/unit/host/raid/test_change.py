# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for arrays that run and shall be different, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Command, Plan, Write
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid, parse
from ansible_collections.strata.storage.plugins.module_utils.host.actions import (
    Claim,
    DropStripes,
    EraseTables,
    Idle,
    Rebuilt,
    Rejoin,
    Vacate,
)
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import Group, Lvm, PhysicalVolume
from ansible_collections.strata.storage.plugins.module_utils.host.partition.state import Table
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member

from ..hosts import (
    CONF,
    EXT4,
    GiB,
    MiB,
    a_host,
    an_array,
    claim,
    commands,
    disk,
    disks,
    mdadm_line,
    outline,
    settle,
    with_array,
)

SDB, SDC, SDD, SDE, SDF, SDG = (f"/dev/sd{letter}" for letter in "bcdefg")
MIRROR = an_array(SDB, SDC, sync_action="idle")
FIVE = an_array(SDB, SDC, SDD, level="5", chunk_size=512 << 10, sync_action="idle", first_data=129 << 20)
FOUR = an_array(
    SDB,
    SDC,
    SDD,
    SDE,
    level="5",
    chunk_size=512 << 10,
    sync_action="idle",
    component_size=8 * GiB,
    room=9 * GiB,
)
SIX = an_array(SDB, SDC, SDD, SDE, level="6", chunk_size=512 << 10, sync_action="idle")


#: Those that are only started, stopped and removed.
LOGGED = FIVE._replace(consistency_policy="ppl")
JOURNALED = FIVE._replace(consistency_policy="journal", members=(*FIVE.members, Member(SDE, "journal")))
LINEAR = MIRROR._replace(level="linear", chunk_size=64 << 10)


def host(array: Array, **more: Any) -> Host:
    return with_array(a_host(*disks("bcdefg"), files={CONF: mdadm_line("/dev/md0")}, **more), array)


def plan(array: Array, allow: bool = False, **words: Any) -> Plan:
    return settle(raid, host(array), Raid("md0", **words), allow)


def refused(array: Array, said: str, **words: Any) -> None:
    with pytest.raises(Refused, match=said):
        raid.plan(host(array), Raid("md0", **words), True)


def sentences(made: Plan) -> list[str]:
    return [str(step) for step in made.steps]


def roles(made: Plan) -> dict[str, str]:
    return {member.device: member.role for member in made.after.arrays[0].members}


# Members


def test_a_member_that_works_stays_until_another_is_whole() -> None:
    made = plan(FIVE, devices=(SDB, SDC, SDE))
    assert outline(made) == ["add raid md0", "replace raid md0", "remove raid md0", "zero raid md0"]
    add, replace, _remove, zero = made.steps
    assert add.claims == (claim(SDE),)
    assert replace.actions == (
        DropStripes("/dev/md0"),
        Command(("mdadm", "--manage", "/dev/md0", "--replace", SDD, "--with", SDE)),
        Rebuilt("/dev/md0", SDE),
    )
    assert zero.claims == (Claim(SDD, "serial sdd", None, shared=True),)
    assert zero.actions == (
        EraseTables(SDD),
        Vacate(SDD, ("mdadm", "--zero-superblock", SDD), "/dev/md0"),
        Command(("wipefs", "--all", SDD)),
    )
    assert roles(made) == {SDB: "active", SDC: "active", SDE: "active"}
    assert made.after.contents[SDD] == Content()


def test_a_replacement_that_was_begun_is_waited_for_and_not_begun_again() -> None:
    """Added only, and then with its copying on its way."""
    added = FIVE._replace(members=(*FIVE.members, Member(SDE, "spare")))
    assert outline(plan(added, devices=(SDB, SDC, SDE))) == ["replace raid md0", "remove raid md0", "zero raid md0"]
    copying = FIVE._replace(members=(*FIVE.members, Member(SDE, "replacing", 2)), sync_action="recover")
    made = plan(copying, devices=(SDB, SDC, SDE))
    assert made.steps[0].actions == (Rebuilt("/dev/md0", SDE),)
    assert sentences(made)[0] == "replace raid md0: /dev/sdd by /dev/sde, which was begun before"


def test_a_failed_member_that_is_listed_comes_back() -> None:
    failed = FIVE._replace(members=(*FIVE.members[:2], Member(SDD, "faulty")), degraded=1)
    with_member = host(failed)
    made = settle(raid, with_member, Raid("md0", devices=(SDB, SDC, SDD)))
    assert sentences(made) == ["remove raid md0: /dev/sdd, which is faulty", "add raid md0: /dev/sdd back again"]
    assert made.steps[1].actions == (DropStripes("/dev/md0"), Rejoin("/dev/md0", SDD))
    assert made.steps[1].claims == (Claim(SDD, "serial sdd", None),)
    assert made.in_progress == ("md0: recover",)
    assert made.waits == (Idle("/dev/md0"),)


def test_a_former_member_is_told_of_and_left_alone() -> None:
    former = FIVE._replace(members=(*FIVE.members, Member(SDE, "former", updated=1_700_000_000)))
    made = plan(former, devices=(SDB, SDC, SDD))
    assert made.steps == ()
    assert made.warnings == (
        "array md0: /dev/sde holds an older state of the array, last updated 2023-11-14 22:13:20 UTC. The array has "
        "all that is on it, and what came after. Listed in `devices` it comes back, and takes over what the array "
        "holds now.",
    )


def test_nothing_is_taken_away_while_a_member_is_missing() -> None:
    missing = FIVE._replace(members=FIVE.members[:2], degraded=1)
    made = plan(missing, devices=(SDC, SDE, SDF))
    assert sentences(made) == ["add raid md0: /dev/sde in place of a missing member"]


@pytest.mark.parametrize(
    ("array", "left"),
    [
        (MIRROR, (SDB,)),
        (FIVE, (SDB, SDC)),
        (MIRROR._replace(level="0"), (SDB,)),
        (an_array(SDB, SDC, level="10"), (SDB,)),
    ],
)
def test_a_member_leaves_only_where_the_array_stays_redundant(array: Array, left: tuple[str, ...]) -> None:
    refused(array, "could not lose another one", devices=left)


def test_raid_0_has_no_member_to_spare() -> None:
    refused(MIRROR._replace(level="0"), "RAID 0 cannot do without any of its members", devices=(SDB, SDD))


def test_a_member_that_may_leave() -> None:
    made = plan(SIX, devices=(SDB, SDC, SDD))
    assert outline(made) == ["fail raid md0", "remove raid md0", "zero raid md0"]
    three = an_array(SDB, SDC, SDD, sync_action="idle")
    made = plan(three, devices=(SDB, SDC))
    assert outline(made) == ["fail raid md0", "remove raid md0", "zero raid md0", "shrink raid md0"]
    assert made.after.arrays[0].raid_devices == 2
    # The power went after it had left.
    cut = three._replace(members=three.members[:2], degraded=1)
    assert sentences(plan(cut, devices=(SDB, SDC))) == ["shrink raid md0: to 2 devices"]
    assert plan(cut).steps == ()


def test_spares_are_those_that_are_listed() -> None:
    spare = FIVE._replace(members=(*FIVE.members, Member(SDE, "spare")))
    assert plan(spare).steps == ()
    made = plan(spare, spare_devices=(SDF,))
    assert outline(made) == ["add raid md0", "remove raid md0", "zero raid md0"]
    assert roles(made)[SDF] == "spare"
    assert SDE not in roles(made)


# Shape


@pytest.mark.parametrize(
    ("array", "words", "expected"),
    [
        (
            FIVE,
            {"devices": (SDB, SDC, SDD, SDE)},
            ["--manage /dev/md0 --add /dev/sde", "--grow /dev/md0 --raid-devices=4 --data-offset=129024K"],
        ),
        (
            MIRROR,
            {"devices": (SDB, SDC, SDE)},
            ["--manage /dev/md0 --add /dev/sde", "--grow /dev/md0 --raid-devices=3"],
        ),
        (MIRROR, {"level": "5", "devices": (SDB, SDC)}, ["--grow /dev/md0 --level=5"]),
        (
            FIVE,
            {"level": "6", "devices": (SDB, SDC, SDD, SDE), "allow_unprotected_reshape": True},
            ["--manage /dev/md0 --add /dev/sde", "--grow /dev/md0 --level=6 --raid-devices=4"],
        ),
        (
            SIX,
            {"level": "5", "devices": (SDB, SDC, SDD), "allow_unprotected_reshape": True},
            ["--grow /dev/md0 --level=5 --raid-devices=3"],
        ),
        (FIVE, {"chunk_size": 64 << 10, "allow_unprotected_reshape": True}, ["--grow /dev/md0 --chunk=64"]),
        (FIVE, {"bitmap": "internal"}, ["--grow /dev/md0 --bitmap=internal"]),
        (FIVE._replace(bitmap="internal"), {"bitmap": "none"}, ["--grow /dev/md0 --bitmap=none"]),
    ],
)
def test_what_mdadm_is_told(array: Array, words: dict[str, Any], expected: list[str]) -> None:
    made = plan(array, **words)
    assert commands(made) == [f"mdadm {one}" for one in expected]


@pytest.mark.parametrize(
    ("first", "chunk", "count", "expected"),
    [
        # Five chunks of half a MiB, in whole MiB where there is room for that.
        (129 << 20, 512, 4, f"--data-offset={126 << 10}K"),
        (3 << 20, 512, 4, f"--data-offset={512}K"),
        (2 << 20, 64, 4, f"--data-offset={1 << 10}K"),
        # As mdadm itself has it: so many chunks as members hold data.
        (129 << 20, 512, 8, f"--data-offset={125 << 10}K"),
    ],
)
def test_the_data_of_more_members_begins_so_early_that_no_cut_loses_it(
    first: int, chunk: int, count: int, expected: str
) -> None:
    array = FIVE._replace(first_data=first, chunk_size=chunk << 10)
    many = with_array(a_host(*disks("bcdefghi"), files={CONF: mdadm_line("/dev/md0")}), array)
    made = settle(raid, many, Raid("md0", devices=tuple(f"/dev/sd{letter}" for letter in "bcdefghi"[:count])))
    assert commands(made)[-1] == f"mdadm --grow /dev/md0 --raid-devices={count} {expected}"


def test_without_room_before_the_data_more_members_are_a_risk() -> None:
    tight = FIVE._replace(first_data=2 << 20)
    words: dict[str, Any] = {"devices": (SDB, SDC, SDD, SDE)}
    with pytest.raises(Refused, match=r"has to move by 2.5 MiB, and it begins 2 MiB into its members"):
        plan(tight, **words)
    made = plan(tight, **words, allow_unprotected_reshape=True)
    assert commands(made)[-1] == "mdadm --grow /dev/md0 --raid-devices=4"
    assert sentences(made)[-1] == "grow raid md0: to 4 devices, unprotected until it has ended"


def test_one_reshape_at_a_time() -> None:
    """The rest comes once it has ended: what is on its way is not disturbed, whatever is wanted."""
    made = plan(FIVE, devices=(SDB, SDC, SDD, SDE), bitmap="internal")
    assert outline(made) == ["add raid md0", "grow raid md0"]
    assert made.in_progress == ("md0: reshape",)
    assert made.waits == (Idle("/dev/md0"),)
    going = FIVE._replace(reshaping=True, sync_action="reshape")
    assert plan(going, devices=(SDB, SDC, SDF), bitmap="internal").steps == ()
    kernel_is_done = going._replace(sync_action="idle")
    assert plan(kernel_is_done, bitmap="internal").in_progress == ("md0: reshape",)
    assert plan(kernel_is_done).waits == (Idle("/dev/md0"),)


def test_a_reshape_that_waits_since_the_boot_is_resumed() -> None:
    still = FIVE._replace(reshaping=True, state="read-auto")
    made = plan(still)
    assert commands(made) == ["mdadm --readwrite /dev/md0"]
    assert made.in_progress == ("md0: reshape",)
    degraded = FIVE._replace(state="read-auto", degraded=1, members=FIVE.members[:2])
    assert sentences(plan(degraded)) == []
    spare = degraded._replace(members=(*degraded.members, Member(SDD, "spare")))
    assert sentences(plan(spare)) == ["resume raid md0: its rebuild, which waits since its start"]


def test_a_resync_that_waits_since_the_start_is_resumed() -> None:
    """md says idle meanwhile, and would have whoever waits for it wait for nothing."""
    made = plan(FIVE._replace(state="read-auto", unsynced=True))
    assert sentences(made) == ["resume raid md0: its resync, which waits since its start"]
    assert made.in_progress == ("md0: resync",)
    assert made.waits == (Idle("/dev/md0"),)


def test_larger_members() -> None:
    larger = FIVE._replace(component_size=9 * GiB, room=10 * GiB)
    assert plan(larger).steps == ()
    assert commands(plan(larger, largest=True)) == ["mdadm --grow /dev/md0 --size=max"]
    assert plan(larger._replace(room=9 * GiB), largest=True).steps == ()
    refused(larger._replace(level="0"), "what a RAID 0 uses of its members cannot be changed", largest=True)
    assert commands(plan(larger, size=9 * GiB + (512 << 20))) == ["mdadm --grow /dev/md0 --size=9961472"]
    assert plan(larger, size=9 * GiB - 4096).steps == ()
    refused(larger, "size is 11 GiB, and its smallest member has 10 GiB", size=11 * GiB)


@pytest.mark.parametrize(("level", "data"), [("1", 1), ("5", 2), ("10", 1.5)])
def test_what_lies_on_an_array_has_its_room_at_once(level: str, data: float) -> None:
    """Once its partitions grew, the array has their room, where the superblock lies before the data."""
    chunks = 0 if level == "1" else 512 << 10
    members = tuple(Member(path, "active", slot, room=8 * GiB) for slot, path in enumerate((SDB, SDC, SDD)))
    array = an_array(SDB, SDC, SDD, level=level, chunk_size=chunks, sync_action="idle", layout="n2" * (level == "10"))
    array = array._replace(members=members, room=8 * GiB, component_size=8 * GiB)
    before = host(array)
    assert raid.plan(before, Raid("md0", largest=True), False).steps == ()
    for path in (SDB, SDC):
        before = before.with_size(path, 12 * GiB)
    assert before.arrays[0].room == 8 * GiB
    before = before.with_size(SDD, 11 * GiB)
    grown = settle(raid, before, Raid("md0", largest=True))
    assert commands(grown) == ["mdadm --grow /dev/md0 --size=max"]
    assert grown.after.devices["/dev/md0"].size == 10 * GiB + GiB * data
    last = host(array._replace(metadata="1.0")).with_size(SDD, 11 * GiB)
    assert last.arrays[0].room == 8 * GiB


@pytest.mark.parametrize(
    ("table", "after"),
    [
        (Table("gpt", MiB, GiB - 16896), Table("gpt", MiB, GiB - 16896, limit=2 * GiB - 16896)),
        (Table("dos", MiB, GiB, slots=4), Table("dos", MiB, 2 * GiB, slots=4)),
    ],
)
def test_a_table_on_what_grew_has_its_room(table: Table, after: Table) -> None:
    before = a_host(disk(SDB, GiB), tables={SDB: table})
    assert before.with_size(SDB, 2 * GiB).tables == {SDB: after}
    assert before.with_size(SDB, GiB).tables == {SDB: table}


#: Of each member: what is a multiple of both shapes' stripes.
FITTING = 8 * GiB // (3 * 512 << 10) * (3 * 512 << 10)
SHRUNK = FOUR._replace(
    raid_devices=3,
    members=(*FOUR.members[:3], FOUR.members[3]._replace(role="spare", slot=None)),
    array_size=2 * FITTING,
    component_size=FITTING,
)


def on(array: Array, *signatures: Signature, **more: Any) -> Host:
    made = host(array)
    return made._replace(contents={**made.contents, "/dev/md0": Content(signatures)}, **more)


def test_fewer_devices() -> None:
    want = Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True)
    made = settle(raid, on(FOUR), want, False)
    assert sentences(made) == ["shrink raid md0: to 3 devices, 16 GiB; what is freed becomes a spare"]
    direction = "/sys/class/block/<kernel-name:/dev/md0>/md/reshape_direction"
    shown = Command(("mdadm", "--grow", "/dev/md0", f"--array-size={2 * FITTING >> 10}"))
    size = Command(("mdadm", "--grow", "/dev/md0", f"--size={FITTING >> 10}"))
    grow = Command(("mdadm", "--grow", "/dev/md0", "--raid-devices=3"), timeout=600)
    assert made.steps[0].actions == (shown, size, Write(direction, "backwards"), grow)
    assert made.steps[0].undo == (
        Write(direction, "forwards"),
        Command(("mdadm", "--grow", "/dev/md0", f"--size={8 * GiB >> 10}")),
        Command(("mdadm", "--grow", "/dev/md0", "--array-size=max")),
    )
    assert made.in_progress == ("md0: reshape",)
    (after,) = made.after.arrays
    assert after == SHRUNK._replace(reshaping=True, sync_action="reshape")


@pytest.mark.parametrize(("component", "room"), [(8 * GiB, 8 * GiB + MiB - 4096), (FITTING, FITTING + 4096)])
def test_fewer_devices_without_room_behind_the_data(component: int, room: int) -> None:
    full = FOUR._replace(component_size=component, room=room)
    made = raid.plan(on(full), Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True), False)
    less = FITTING if component > FITTING else FITTING - (3 * 512 << 10)
    assert f"mdadm --grow /dev/md0 --size={less >> 10}" in commands(made)
    assert less + MiB <= room


def test_fewer_devices_and_enough_room_behind_the_data() -> None:
    fitting = FOUR._replace(component_size=FITTING)
    made = raid.plan(on(fitting), Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True), False)
    assert commands(made) == [
        f"mdadm --grow /dev/md0 --array-size={2 * FITTING >> 10}",
        "mdadm --grow /dev/md0 --raid-devices=3",
    ]


def test_what_shrinking_frees() -> None:
    """The array can grow again, another member may take the place of the one that is dropped, and spares leave."""
    made = plan(SHRUNK, devices=(SDB, SDD, SDE), spare_devices=(), allow_shrink=True)
    assert outline(made) == [f"{verb} raid md0" for verb in ("replace", "remove", "zero", "grow")]
    assert commands(made)[-1] == "mdadm --grow /dev/md0 --array-size=max"
    with_bitmap = plan(SHRUNK._replace(bitmap="internal"), bitmap="none", size=9 * GiB)
    assert commands(with_bitmap) == [
        "mdadm --grow /dev/md0 --array-size=max",
        "mdadm --grow /dev/md0 --bitmap=none",
        "mdadm --grow /dev/md0 --size=9437184",
    ]
    cut = SHRUNK._replace(array_size=12 * GiB)
    assert "shows 12 GiB of what its members hold" in str(plan(cut).warnings)
    assert plan(cut).steps == ()
    assert commands(plan(SHRUNK, spare_devices=())) == [
        "udevadm settle",
        "mdadm --manage /dev/md0 --remove /dev/sde",
        "wipefs --all /dev/sde",
        "mdadm --grow /dev/md0 --array-size=max",
    ]


@pytest.mark.parametrize(
    ("signatures", "more", "said"),
    [
        (
            (EXT4,),
            {"filesystems": {"/dev/md0": Filesystem("ext4", "", size=17 * GiB)}},
            "the ext4 filesystem .* .17 GiB.",
        ),
        (
            (EXT4,),
            {"filesystems": {"/dev/md0": None}},
            "the ext4 filesystem .* spans .* .24 GiB., and .* .16 GiB. would be left",
        ),
        (
            (Signature("LVM2_member"),),
            {"lvm": Lvm((Group("data", physical_volumes=(PhysicalVolume("/dev/md0", 16 * GiB, start=MiB),)),))},
            "the physical volume on /dev/md0 spans 17180917760 bytes .16 GiB., and 17178820608 ",
        ),
        ((Signature("LVM2_member"),), {}, "a physical volume on /dev/md0 spans 25769803776 bytes"),
        ((Signature("bcache"),), {}, "holds .*bcache.*, and only of one filesystem, or one physical volume"),
        ((EXT4, Signature("swap")), {}, "only of one filesystem"),
        ((Signature("unseen"),), {}, "cannot shrink while it is stopped: .* Start it first"),
    ],
)
def test_what_does_not_fit(signatures: tuple[Signature, ...], more: dict[str, Any], said: str) -> None:
    want = Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True)
    large = on(FOUR, *signatures, **more)
    large = large._replace(devices={**large.devices, "/dev/md0": large.devices["/dev/md0"]._replace(size=24 * GiB)})
    with pytest.raises(Refused, match=said):
        raid.plan(large, want, True)


def test_what_somebody_maps_does_not_say_whether_it_fits() -> None:
    blank = on(FOUR)
    held = {**blank.devices, "/dev/md0": blank.devices["/dev/md0"]._replace(holders=("/dev/dm-7",))}
    with pytest.raises(Refused, match="/dev/md0 is used by /dev/dm-7"):
        raid.plan(blank._replace(devices=held), Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True), True)


def test_what_fits() -> None:
    want = Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True)
    fits = {"filesystems": {"/dev/md0": Filesystem("ext4", "", size=2 * FITTING)}}
    assert outline(raid.plan(on(FOUR, EXT4, **fits), want, False)) == ["shrink raid md0"]
    group = Group("data", physical_volumes=(PhysicalVolume("/dev/md0", 2 * FITTING - MiB, start=MiB),))
    assert outline(raid.plan(on(FOUR, Signature("LVM2_member"), lvm=Lvm((group,))), want, False)) == ["shrink raid md0"]


def test_shrinking_is_asked_for() -> None:
    refused(FOUR, "or set allow_shrink to have a smaller array", devices=(SDB, SDC, SDD))
    refused(FOUR, "at least 3 devices, and `devices` has 2", devices=(SDB, SDC), allow_shrink=True)
    refused(FOUR, "Set allow_shrink to have it smaller", size=4 * GiB)
    old = FOUR._replace(metadata="0.90")
    with pytest.raises(Refused, match=r"with metadata 0\.90 the start of its data does not move"):
        raid.plan(on(old), Raid("md0", devices=(SDB, SDC, SDD), allow_shrink=True), True)
    ten = FOUR._replace(level="10", layout="n2")
    refused(ten, "could not lose another one", devices=(SDB, SDC, SDD), allow_shrink=True)


def test_less_of_each_member() -> None:
    made = settle(raid, on(FOUR), Raid("md0", size=4 * GiB, allow_shrink=True), False)
    assert sentences(made) == ["shrink raid md0: to 4 GiB of each member, 12 GiB"]
    assert commands(made) == [
        "mdadm --grow /dev/md0 --array-size=12582912",
        "mdadm --grow /dev/md0 --size=4194304",
        "mdadm --grow /dev/md0 --array-size=max",
    ]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (FIVE, {"level": "6", "devices": (SDB, SDC, SDD, SDE)}),
        (SIX, {"level": "5", "devices": (SDB, SDC, SDD)}),
        (FIVE, {"chunk_size": 64 << 10}),
        (SIX, {"chunk_size": 64 << 10}),
        (FIVE._replace(level="4"), {"chunk_size": 64 << 10}),
    ],
)
def test_what_a_power_cut_would_spoil(array: Array, words: dict[str, Any]) -> None:
    refused(array, "in a power cut in the midst of that, data was lost when it was tried", **words)
    allowed = plan(array, **words, allow_unprotected_reshape=True)
    assert allowed.steps[-1].detail.endswith("unprotected until it has ended")
    assert allowed.in_progress == ("md0: reshape",)
    for metadata in ("0.90", "1.0"):
        old = array._replace(metadata=metadata)
        refused(old, "only with that mdadm needs no backup file", **words, allow_unprotected_reshape=True)


@pytest.mark.parametrize("array", [LOGGED, JOURNALED, LINEAR])
def test_what_is_not_changed_is_kept_stopped_started_and_removed(array: Array) -> None:
    item = {word: value for word, value in raid.dump(host(array), array).items() if value is not None}
    assert settle(raid, host(array), parse(item)).steps == ()
    assert outline(plan(array, scrub="check") if array != LINEAR else plan(array)) == ["scrub raid md0"] * (
        array != LINEAR
    )
    stopped = settle(raid, host(array), parse({**item, "state": "stopped"})).after
    started = settle(raid, stopped, parse(item))
    assert commands(started)[-1].endswith(" ".join(member.device for member in array.members))
    assert settle(raid, stopped, parse({"name": "md0", "state": "absent"}), True).after.arrays == ()


def test_an_array_without_its_journal_does_not_start() -> None:
    array = JOURNALED._replace(device="", members=FIVE.members, name="md0")
    refused(array, "it has a write journal, and the device with that is not here")


def test_layouts() -> None:
    ten = FOUR._replace(level="10", layout="n2")
    assert plan(ten, layout="n2").steps == ()
    refused(ten, "its layout is n2, and o2 is wanted; that does not change in place", layout="o2")
    refused(FOUR._replace(layout="left-symmetric"), "that does not change in place", layout="left-asymmetric")
    assert commands(plan(ten, chunk_size=64 << 10)) == ["mdadm --grow /dev/md0 --chunk=64"]
    refused(ten._replace(layout="o2"), "of layout o2, data was lost on the way", chunk_size=64 << 10)
    far = ten._replace(layout="f2")
    refused(far, "a RAID 10 of layout f2 cannot grow in place", devices=(SDB, SDC, SDD, SDE, SDF))
    three = ten._replace(layout="n3")
    left = plan(three, devices=(SDB, SDC, SDD))
    assert outline(left) == ["fail raid md0", "remove raid md0", "zero raid md0"]
    assert plan(MIRROR, level="5", layout="left-symmetric", devices=(SDB, SDC)).steps
    with pytest.raises(StorageError, match="RAID 1 has no layout"):
        plan(MIRROR, layout="n2")


def test_write_mostly() -> None:
    made = plan(MIRROR, write_mostly_devices=(SDC,))
    (step,) = made.steps
    path = "/sys/class/block/<kernel-name:/dev/md0>/md/dev-sdc/state"
    assert step.actions == (Write(path, "writemostly"),)
    assert step.flush == ("/dev/md0", SDC)
    marked = MIRROR._replace(members=(MIRROR.members[0], MIRROR.members[1]._replace(write_mostly=True)))
    assert plan(marked, write_mostly_devices=()).steps[0].actions == (Write(path, "-writemostly"),)
    with pytest.raises(StorageError, match="/dev/sdd is in `write_mostly_devices` and not in `devices`"):
        plan(MIRROR, devices=("sdb", "sdc"), write_mostly_devices=("sdd",))
    with pytest.raises(StorageError, match="are for RAID 1"):
        plan(FIVE, write_mostly_devices=(SDC,))


def test_a_scrub_is_an_act() -> None:
    want = Raid("md0", scrub="check")
    made = raid.plan(host(FIVE), want, False)
    path = "/sys/class/block/<kernel-name:/dev/md0>/md/sync_action"
    assert [step.actions for step in made.steps] == [(Write(path, "check"),)]
    assert made.in_progress == ("md0: check",)
    assert raid.plan(host(FIVE), want.settled(), False).steps == ()
    assert raid.plan(host(FIVE._replace(degraded=1)), want, False).steps == ()


@pytest.mark.parametrize(
    ("array", "words", "said"),
    [
        (MIRROR, {"level": "0"}, "that gives up its redundancy"),
        (an_array(SDB, SDC, SDD, SDE, level="10"), {"level": "0"}, "that gives up its redundancy"),
        (an_array(SDB, SDC, SDD, level="4"), {"level": "0"}, "that gives up its redundancy"),
        (MIRROR._replace(level="0"), {"level": "5", "devices": (SDB, SDC, SDD)}, "data was lost on the way"),
        (MIRROR._replace(level="0"), {"devices": (SDB, SDC, SDD)}, "a RAID 0 does not grow here"),
        (MIRROR, {"level": "10"}, "mdadm cannot do that in place"),
        (FIVE, {"level": "6", "allow_unprotected_reshape": True}, "one device more .*lists none that is new"),
        (
            an_array(SDB, SDC, level="5", sync_action="idle"),
            {"level": "6", "devices": (SDB, SDC, SDD), "allow_unprotected_reshape": True},
            "at least 4 in all, and `devices` lists 1 that is new",
        ),
        (
            SIX,
            {"level": "5", "devices": (SDB, SDC, SDD, SDE), "allow_unprotected_reshape": True},
            "gives up one of its 4 devices, and `devices` has 4",
        ),
        (FIVE, {"level": "1"}, "mdadm does not turn it into a mirror"),
        (an_array(SDB, SDC, SDD), {"level": "5"}, "a RAID 1 over 3 devices cannot become a RAID 5"),
        (MIRROR._replace(component_size=522223 << 10), {"level": "5"}, "not a multiple of 4 KiB"),
        (FIVE, {"metadata": "1.0"}, "its metadata is 1.2, and 1.0 is wanted"),
        (MIRROR, {"chunk_size": 64 << 10}, "does not stripe"),
        (an_array(SDB, SDC, level="0", chunk_size=512 << 10), {"chunk_size": 64 << 10}, "does not change in place"),
        (LOGGED, {"bitmap": "internal"}, "has a partial parity log, and such an array is not changed here"),
        (JOURNALED, {"bitmap": "internal"}, "has a write journal, and such an array is not changed here"),
        (JOURNALED, {"devices": (SDB, SDC, SDF)}, "has a write journal, and such an array is not changed here"),
        (LINEAR, {"spare_devices": (SDF,)}, "is of level linear, and such an array is not changed here"),
    ],
)
def test_what_does_not_change_in_place(array: Array, words: dict[str, Any], said: str) -> None:
    refused(array, said, **words)


def test_the_stripe_cache_is_emptied_before_a_rebuild_of_what_has_one() -> None:
    for array, expected in ((FIVE, 1), (MIRROR, 0)):
        lacking = array._replace(members=array.members[:-1], degraded=1)
        devices = (*lacking.devices("active"), SDE)
        (step,) = plan(lacking, devices=devices).steps
        assert step.actions.count(DropStripes("/dev/md0")) == expected


def test_a_newcomer_that_holds_data_needs_permission() -> None:
    there = host(FIVE)
    there = there._replace(contents={**there.contents, SDE: Content((EXT4,))})
    want = Raid("md0", devices=(SDB, SDC, SDD, SDE))
    with pytest.raises(Refused, match="/dev/sde: refused as a member of md0: it holds an ext4"):
        raid.plan(there, want, False)
    assert outline(settle(raid, there, want, True))[0] == "wipe device /dev/sde"
