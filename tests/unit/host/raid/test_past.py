# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays with a past: who is a member by all superblocks, whose version is meant, what fits, and what is deferred."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid, can_run, parse
from ansible_collections.strata.storage.plugins.module_utils.host import safety
from ansible_collections.strata.storage.plugins.module_utils.host.boot import gone_lines
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.raid import (
    health as raid_health,
    plan as raid,
    roles as raid_roles,
    space as raid_space,
)
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member
from ansible_collections.strata.storage.plugins.module_utils.host.raid.superblock import MdSuperblock

from ..hosts import (
    CONF,
    EXT4,
    OTHER,
    UUID,
    GiB,
    MiB,
    a_host,
    an_array,
    destroyed,
    disk,
    mdadm_line,
    outline,
    settle,
    with_array,
)

SDB, SDC, SDD, SDE, SDF = (f"/dev/sd{letter}" for letter in "bcdef")


def block(place: int, others: str, events: int = 20, **more: Any) -> MdSuperblock:
    """The superblock of one device of four; ``others`` has an A for each place that it counts as working."""
    fields: dict[str, Any] = {
        "role": "active",
        "slot": place,
        "number": place,
        "device_uuid": f"device {more.get('number', place)}",
        "slots": {other: other for other, letter in enumerate(others) if letter == "A"},
        **more,
    }
    return MdSuperblock(UUID, "md0", "6", 4, 0, "", "1.2", "none", events=events, **fields)


def roles(**blocks: MdSuperblock) -> dict[str, tuple[str, int]]:
    return {member.device: (member.role, member.side) for member in raid_roles.stopped(blocks)}


def outside(blocks: dict[str, MdSuperblock], *members: str) -> dict[str, str]:
    inside = {path: blocks[path] for path in members}
    return {member.device: member.role for member in raid_roles.outside(blocks, inside, ())}


# Who is a member


def test_members_that_agree() -> None:
    """Also where one was updated once more than the other, as a power cut leaves it."""
    assert roles(b=block(0, "AA"), c=block(1, "AA", 21)) == {"b": ("active", 0), "c": ("active", 0)}


@pytest.mark.parametrize("events", [(20, 30), (30, 20), (24, 24), (24, 25)])
def test_halves_that_ran_apart(events: tuple[int, int]) -> None:
    """Each counts the other as missing; how often each was updated does not matter, but says which one comes first."""
    found = roles(b=block(0, "A.", events[0]), c=block(1, ".A", events[1]))
    assert sorted(found.values()) == [("active", 0), ("apart", 1)]
    if events[0] != events[1]:
        assert found["b" if events[0] > events[1] else "c"] == ("active", 0)


def test_groups_that_ran_apart() -> None:
    found = roles(b=block(0, "AA..", 30), c=block(1, "AA..", 30), d=block(2, "..AA", 25), e=block(3, "..AA", 25))
    assert found == {"b": ("active", 0), "c": ("active", 0), "d": ("apart", 1), "e": ("apart", 1)}


def test_each_alone() -> None:
    found = roles(b=block(0, "A..", 30), c=block(1, ".A.", 25), d=block(2, "..A", 28))
    assert found == {"b": ("active", 0), "d": ("apart", 1), "c": ("apart", 2)}


def test_one_that_was_away_says_that_it_is_active() -> None:
    assert roles(b=block(0, "A.", 30), c=block(1, "AA", 20)) == {"b": ("active", 0), "c": ("former", 0)}


def test_one_that_was_to_come_back_when_the_power_went() -> None:
    """It is told first that it is to be rebuilt; the others do not know of that yet."""
    back = block(2, "AAA", 25, role="rebuilding")
    found = roles(b=block(0, "AA.", 24), c=block(1, "AA.", 24), d=back)
    assert found == {"b": ("active", 0), "c": ("active", 0), "d": ("former", 0)}


def test_one_that_was_replaced_long_ago() -> None:
    """Its number in the array is no longer in use, its place is another one's."""
    new = block(3, "AA.A", 50, number=4, slots={0: 0, 1: 1, 2: 2, 4: 3})
    others = {path: block(place, "", 50, slots=new.slots) for place, path in enumerate("bcd")}
    found = roles(**others, e=block(3, "AAAA", 20), f=new)
    assert found == {**dict.fromkeys("bcdf", ("active", 0)), "e": ("former", 0)}


@pytest.mark.parametrize(
    ("written", "members"),
    [
        # All of the shape before; with one of them gone, still more than the shape after has.
        ("e", "bcd"),
        ("ec", "bd"),
        # The shape after.
        ("ecd", "cde"),
        ("bcde", "bcde"),
    ],
)
def test_a_reshape_that_not_all_superblocks_tell_of(written: str, members: str) -> None:
    """RAID 5 over three devices becomes one over four, and the power goes while its superblocks are written."""
    shaped = {
        path: block(place, "AAAA" if path in written else "AAA", 20 + (path in written))._replace(
            level="5", raid_devices=4 if path in written else 3
        )
        for place, path in enumerate("bcde")
        if path in written or path != "e"
    }
    working = "".join(path for path, (role, _side) in roles(**shaped).items() if role == "active")
    assert working == members
    assert {role for role, _side in roles(**shaped).values()} <= {"active", "former"}
    untold = {member.device for member in raid_roles.stopped(shaped) if member.other_shape}
    assert untold == {path for path in shaped if path not in members}
    assert raid_roles.head(shaped).raid_devices == (4 if len(written) > 2 else 3)


@pytest.mark.parametrize(("ended", "members"), [("b", "cde"), ("bcd", "bcd")])
def test_a_reshape_whose_end_not_all_superblocks_tell_of(ended: str, members: str) -> None:
    """md would start it from all of them, and look for data in two places."""
    found = {
        path: block(place, "AAAA", 20 + (path in ended), reshaping=path not in ended)._replace(level="5")
        for place, path in enumerate("bcde")
    }
    assert "".join(path for path, (role, _side) in roles(**found).items() if role == "active") == members
    assert {role for role, _side in roles(**found).values()} == {"active", "former"}


def test_a_spare_is_one() -> None:
    spare = block(1, "AA", role="spare", slot=None, number=2)
    assert roles(b=block(0, "AA"), c=block(1, "AA"), d=spare)["d"] == ("spare", 0)


def test_a_copy_and_what_it_is_a_copy_of() -> None:
    assert roles(b=block(0, "AA"), c=block(1, "AA"), d=block(0, "AA")) == {
        "b": ("copy", 0),
        "c": ("active", 0),
        "d": ("copy", 0),
    }
    older = roles(b=block(0, "AA", 30), c=block(1, "AA", 30), d=block(0, "AA", 20))
    assert older == {"b": ("active", 0), "c": ("active", 0), "d": ("copy", 0)}


def test_beside_an_array_that_runs() -> None:
    blocks = {
        "b": block(0, "AA..", 30),
        "c": block(1, "AA..", 30),
        "copy": block(1, "AA..", 25),
        "away": block(2, "AAAA", 20),
        "apart": block(3, "..AA", 25),
        "alone": block(3, "...A", 25),
        "ahead": block(2, "AAA.", 40),
    }
    assert outside(blocks, "b", "c") == {
        "copy": "copy",
        "away": "former",
        "apart": "apart",
        "alone": "apart",
        "ahead": "apart",
    }


# What it takes


def stopped(*members: Member, level: str = "1", raid_devices: int = 2, **more: Any) -> Host:
    array = an_array(device="", level=level, raid_devices=raid_devices, members=members, name="md0", **more)
    return with_array(a_host(*(disk(f"/dev/sd{x}") for x in "bcdef"), files={CONF: mdadm_line("/dev/md0")}), array)


def running(array: Array, **more: Any) -> Host:
    return with_array(
        a_host(*(disk(f"/dev/sd{x}") for x in "bcdef"), files={CONF: mdadm_line("/dev/md0")}), array, **more
    )


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    return settle(raid, host, Raid("md0", **words), allow)


def refused(host: Host, said: str, **words: Any) -> str:
    """Why, also with permission to destroy."""
    with pytest.raises(Refused, match=said) as caught:
        raid.plan(host, Raid("md0", **words), True)
    return str(caught.value)


SPLIT = stopped(Member(SDB, "active", 0, updated=1_700_000_000), Member(SDC, "apart", 1, side=1, updated=1_700_000_060))


def test_what_ran_apart_is_not_started() -> None:
    for words in ({}, {"devices": (SDB, SDC)}):
        said = refused(SPLIT, "its devices ran apart", **words)
    assert "/dev/sdb (last updated 2023-11-14 22:13:20 UTC) and /dev/sdc (last updated 2023-11-14 22:14:20 UTC)" in said
    assert "That of /dev/sdc is the later one, which does not make it the right one" in said
    assert "zero-superblock" not in said


@pytest.mark.parametrize(("kept", "lost"), [(SDB, SDC), (SDC, SDB)])
def test_the_version_that_is_listed_starts_and_the_other_stays(kept: str, lost: str) -> None:
    made = plan(SPLIT, devices=(kept,))
    assert [step.detail for step in made.steps] == [f"from {kept}, 1 missing"]
    assert {member.device: member.role for member in made.after.arrays[0].members} == {kept: "active", lost: "apart"}
    assert f"{lost} was written to without the array" in made.warnings[0]
    assert "copy what is wanted from it first" in made.warnings[0]


@pytest.mark.parametrize(("kept", "lost"), [(SDB, SDC), (SDC, SDB)])
def test_the_version_that_is_given_up_is_cleared(kept: str, lost: str) -> None:
    made = plan(SPLIT, devices=(SDB, SDC), discard_devices=(lost,))
    assert outline(made) == ["assemble raid md0", "zero raid md0", "add raid md0"]
    assert made.steps[0].detail == f"from {kept}, 1 missing"
    assert destroyed(made)[0].startswith(f"{lost}: its own version of what array md0 holds, last updated 2023-11-14")


def test_beside_what_runs_a_version_is_not_lost_either() -> None:
    array = an_array(SDB, raid_devices=2, degraded=1, sync_action="idle")
    host = running(array._replace(members=(*array.members, Member(SDC, "apart", 1, side=1, updated=5))))
    refused(host, "its devices ran apart", devices=(SDB, SDC))
    refused(host, "its devices ran apart", spare_devices=(SDC,))
    assert plan(host, devices=(SDB,)).steps == ()


def test_a_copy_is_never_touched() -> None:
    clone = Member(SDD, "copy", 0)
    host = running(an_array(SDB, SDC, members=(Member(SDB, "active", 0), Member(SDC, "active", 1), clone)))
    made = plan(host, devices=(SDB, SDC))
    assert made.steps == ()
    assert made.warnings[0].startswith(
        "array md0: /dev/sdd is a copy of /dev/sdb. Nothing tells them apart. Disconnect one of the two"
    )
    refused(host, "/dev/sdd: refused as a member of md0: it is a copy of /dev/sdb", spare_devices=(SDD,))
    refused(host, "its superblock is also on /dev/sdd, which is a copy of /dev/sdb", state="absent")
    gone = plan(host, state="absent", discard_devices=(SDD,))
    assert destroyed(gone) == ["/dev/sdd: it is a copy of /dev/sdb"]


def test_of_two_copies_the_one_that_is_listed_starts() -> None:
    host = stopped(Member(SDB, "copy", 0), Member(SDD, "copy", 0), Member(SDC, "active", 1))
    for words in ({}, {"devices": (SDB, SDC, SDD)}, {"devices": (SDC,)}):
        refused(host, "/dev/sdb and /dev/sdd carry one and the same superblock", **words)
    made = plan(host, devices=(SDC, SDD))
    assert [step.detail for step in made.steps] == ["from /dev/sdd /dev/sdc"]
    given_up = plan(host, discard_devices=(SDB,))
    assert [step.detail for step in given_up.steps] == ["from /dev/sdd /dev/sdc"]


def test_a_former_member_may_hold_what_the_removed_array_did_not() -> None:
    array = an_array(SDB, SDC)
    host = running(array._replace(members=(*array.members, Member(SDD, "former", updated=1_700_000_000))))
    with pytest.raises(Refused, match="which holds an older state of the array, last updated 2023-11-14"):
        raid.plan(host, Raid("md0", state="absent"), False)
    assert destroyed(plan(host, True, state="absent"))[0].startswith("/dev/sdd: it holds an older state of the array")


@pytest.mark.parametrize(
    ("level", "layout", "slots", "runs"),
    [
        ("1", "", {1}, True),
        ("5", "", {0, 2, 3}, True),
        ("5", "", {0, 2}, False),
        ("6", "", {0, 2}, True),
        ("0", "", {0, 1, 2}, False),
        ("10", "", {0, 2}, True),
        ("10", "n2", {0, 3}, True),
        ("10", "n2", {0, 1}, False),
        ("10", "f2", {0, 2}, True),
        ("10", "f2", {0, 1}, False),
        ("10", "o2", {1, 2}, False),
    ],
)
def test_which_members_an_array_can_run_with(level: str, layout: str, slots: set[int], runs: bool) -> None:
    assert can_run(level, 2 if level == "1" else 4, slots, layout) is runs
    members = tuple(Member(f"/dev/sd{'bcde'[slot]}", "active", slot) for slot in sorted(slots))
    host = stopped(*members, level=level, layout=layout, raid_devices=2 if level == "1" else 4)
    if runs:
        assert outline(plan(host)) == ["assemble raid md0"]
    else:
        refused(host, "cannot start: it needs")


def test_what_md_does_not_start() -> None:
    members = (Member(SDB, "active", 0), Member(SDC, "active", 1))
    refused(stopped(*members, level="5", raid_devices=3, unsynced=True), "its parity may be wrong")
    refused(stopped(*members, needs_backup=True, reshaping=True), "goes on only with that")
    halves = (*members, Member(SDD, "former", other_shape=True))
    refused(stopped(*halves, level="5", raid_devices=4), "those of /dev/sdb /dev/sdc agree, and those of /dev/sdd")
    assert outline(plan(stopped(*members, level="5", raid_devices=3, unsynced=True), True, state="absent"))


def test_a_read_only_array_is_left_alone() -> None:
    host = running(an_array(SDB, SDC, state="readonly"))
    assert plan(host).steps == ()
    refused(host, "is read-only, and this would change it: add raid md0", spare_devices=(SDD,))


def test_what_has_failed_is_not_rebuilt_into() -> None:
    array = an_array(SDB, raid_devices=3, level="5", degraded=2)
    refused(running(array), "has failed: only /dev/sdb of its 3 members still work", devices=(SDB, SDC, SDD))


# What is deferred


BUSY = an_array(SDB, SDC, sync_action="resync", unsynced=True, component_size=8 * GiB, room=8 * GiB, first_data=1 << 20)


def test_what_waits_for_a_resync_is_said() -> None:
    made = plan(running(BUSY), level="5", devices=(SDB, SDC, SDD))
    assert made.steps == ()
    assert made.pending == (
        "md0: grow from RAID 1 to RAID 5, once its resync has ended",
        "md0: add /dev/sdd as a spare, once its resync has ended",
        "md0: grow to 3 devices, once its resync has ended",
    )
    assert plan(running(BUSY), devices=(SDB, SDC)).pending == ()


@pytest.mark.parametrize(
    ("state", "until"),
    [
        ({"sync_action": "recover"}, "its recover has ended"),
        ({"sync_action": "idle", "reshaping": True}, "its reshape has ended"),
        ({"sync_action": "frozen"}, "its sync_action is no longer frozen"),
    ],
)
def test_what_it_waits_for(state: dict[str, Any], until: str) -> None:
    array = an_array(SDB, SDC, **state)
    assert plan(running(array), bitmap="internal").pending == (f"md0: grow with a bitmap, once {until}",)


def test_what_cannot_be_is_refused_while_it_still_waits() -> None:
    held = running(BUSY)
    held = held._replace(contents={**held.contents, SDD: Content((Signature("dos"),))})
    for words in ({"devices": (SDB, SDC, SDD)}, {"devices": (SDB, SDD)}, {"spare_devices": (SDD,)}):
        with pytest.raises(Refused, match="/dev/sdd: refused as a member of md0: it holds an MBR partition table"):
            raid.plan(held, Raid("md0", **words), False)
    refused(running(BUSY), "its level is 1, and 10 is wanted", level="10")
    refused(running(BUSY), "could not lose another one", devices=(SDB,))


def test_what_waits_for_a_member_is_said() -> None:
    array = an_array(SDB, SDC, raid_devices=3, level="5", degraded=1, sync_action="idle", chunk_size=64 << 10)
    made = plan(running(array), bitmap="internal")
    assert made.steps == ()
    assert made.pending == ("md0: grow with a bitmap, once no member is missing",)


# What fits


@pytest.mark.parametrize("metadata", raid_space.METADATA)
@pytest.mark.parametrize("size", [64 * MiB, 512 * MiB, 9 * GiB + 4096, 300 * GiB + 512, 4 << 40])
def test_what_is_usable_is_enough(metadata: str, size: int) -> None:
    offset = raid_space.new_offset(metadata, size, 0)
    room = raid_space.usable(metadata, size, offset)
    assert 0 < room < size
    assert raid_space.least_size(metadata, room, offset) <= size


@pytest.mark.parametrize(("less", "fits"), [(0, True), (512, False)])
def test_a_device_that_is_too_small_is_not_wiped(less: int, fits: bool) -> None:
    array = an_array(SDB, SDC, component_size=8 * GiB, data_offset=MiB, room=8 * GiB)
    host = running(array)
    small = host.devices[SDD]._replace(size=8 * GiB + MiB - less)
    host = host._replace(devices={**host.devices, SDD: small}, contents={**host.contents, SDD: Content((EXT4,))})
    if fits:
        assert outline(plan(host, True, spare_devices=(SDD,))) == ["wipe device /dev/sdd", "add raid md0"]
    else:
        refused(host, "and a member needs 8590983168 ", spare_devices=(SDD,))
        refused(host, "and a member needs 8590983168 ", devices=(SDB, SDD))


def test_devices_that_have_no_room_for_an_array() -> None:
    host = a_host(disk(SDB, 80 * MiB), disk(SDC, 80 * MiB))
    with pytest.raises(StorageError, match=r"/dev/sdb, has 80 MiB, of which an array can use \d+ MiB"):
        raid.plan(host, Raid("md0", "1", devices=(SDB, SDC), size=80 * MiB), True)
    with pytest.raises(StorageError, match="at least 128 MiB"):
        raid.plan(host, Raid("md0", "0", devices=(SDB, SDC), chunk_size=128 * MiB, metadata="0.90"), True)


def test_sectors_of_an_array_stay() -> None:
    host = running(an_array(SDB, SDC, component_size=8 * GiB))
    large = {**host.devices, SDD: host.devices[SDD]._replace(sector=4096)}
    refused(
        host._replace(devices=large),
        "its logical sectors have 4096 bytes, and those of the array 512",
        devices=(SDB, SDD),
    )

    mixed = running(an_array(SDB, SDC, component_size=8 * GiB), sector=4096)
    mixed = mixed._replace(
        devices={**mixed.devices, SDC: mixed.devices[SDC]._replace(sector=4096)},
        contents={**mixed.contents, "/dev/md0": Content((Signature("gpt"),))},
    )
    refused(mixed, "/dev/sdc is its only member with logical sectors of 4096 bytes", devices=(SDB, SDD))
    without = mixed._replace(contents={**mixed.contents, "/dev/md0": Content((EXT4,))})
    assert outline(plan(without, devices=(SDB, SDD)))[-1] == "zero raid md0"


def test_sectors_that_differ_at_the_start() -> None:
    host = stopped(Member(SDB, "active", 0), Member(SDC, "active", 1))
    assert plan(host).warnings == ()
    host = host._replace(devices={**host.devices, SDC: host.devices[SDC]._replace(sector=4096)})
    made = raid.plan(host, Raid("md0"), False)
    assert made.warnings[0].startswith("array md0 has logical sectors of 4096 bytes: /dev/sdc shows such")


def test_an_array_in_use_under_another_name_is_meant_by_its_own() -> None:
    """So that what layout_info says of what lies on it can be applied before the next boot."""
    host = running(an_array(SDB, SDC, device="/dev/md5"), holders=("/dev/dm-0",))._replace(
        called={"/dev/md0": "/dev/md5"}
    )
    found = host.find("/dev/md0")
    assert found is not None
    assert found.path == "/dev/md5"
    assert plan(host).pending_reboot == ("md0 runs as /dev/md5 and is in use: it gets its name with the next boot",)
    assert host.find("/dev/md1") is None


# Arrays of one name


def namesakes(first: str, second: str, *running: str, conf: str = "") -> Host:
    """Two arrays called data, qualified with these hosts; they run under these devices, if any."""
    host = a_host(*(disk(f"/dev/sd{x}") for x in "bcdef"), files={CONF: conf})
    host = host._replace(boot=host.boot._replace(hostname="here"))
    for home, uuid, members, device in zip(
        (first, second), (UUID, OTHER), ((SDB, SDC), (SDD, SDE)), (*running, "", "")[:2]
    ):
        host = with_array(host, an_array(*members, device=device, uuid=uuid, name="data", home=home))
    return host


@pytest.mark.parametrize("running", [(), ("/dev/md7", "/dev/md8"), ("", "/dev/md8"), ("/dev/md7",)])
@pytest.mark.parametrize(
    ("homes", "conf"),
    [
        (("other", "here"), ""),
        (("other", ""), ""),
        (("other", "here"), "HOMEHOST <system>\n"),
        (("here", "other"), "HOMEHOST other\n"),
        (("here", "other"), mdadm_line("/dev/md/data", OTHER)),
    ],
)
def test_of_two_arrays_of_one_name_that_of_this_host_is_meant(
    homes: tuple[str, str], conf: str, running: tuple[str, ...]
) -> None:
    host = namesakes(*homes, *running, conf=conf)
    first, second = host.arrays
    assert raid.name_of(host, second) == "data"
    assert raid.name_of(host, first) == (first.device[5:] or f"data-{UUID[:8]}")
    found = raid.facts(host, Raid("data"))["raid"]
    assert found["uuid"] == OTHER
    if homes[0] == "here" and "ARRAY" in conf:
        # The next run would remove the other one.
        with pytest.raises(Refused, match="this name may mean"):
            raid.plan(host, Raid("data", state="absent"), True)
    gone = settle(raid, host, Raid("data", uuid=OTHER, state="absent"), True)
    assert [array.uuid for array in gone.after.arrays] == [UUID]
    for array in host.arrays:
        assert raid.facts(host, Raid(raid.name_of(host, array), uuid=array.uuid))["raid"]["uuid"] == array.uuid


@pytest.mark.parametrize("running", [(), ("/dev/md7", "/dev/md8"), ("", "/dev/md8")])
@pytest.mark.parametrize("homes", [("here", "here"), ("other", "third"), ("here", "")])
def test_two_arrays_with_an_equal_claim_to_a_name_are_ambiguous(
    homes: tuple[str, str], running: tuple[str, ...]
) -> None:
    host = namesakes(*homes, *running)
    wanted = [Raid("data"), Raid("data", level="1", devices=(SDF, SDF))]
    for want in [*wanted, Raid("data", state="absent")] if "here" in homes else wanted:
        with pytest.raises(Refused, match=f"this name may mean .*{UUID}.*, or .*{OTHER}.* by `uuid`"):
            raid.plan(host, want, True)
    for array in host.arrays:
        name = raid.name_of(host, array)
        assert name == (array.device[5:] or f"data-{array.uuid[:8]}")
        assert raid.facts(host, Raid(name, uuid=array.uuid))["raid"]["uuid"] == array.uuid
    # Its devices say it too.
    assert raid.facts(host, Raid("data", devices=(SDB, SDC)))["raid"]["uuid"] == UUID


def test_a_path_and_a_name_that_mean_two_arrays() -> None:
    host = namesakes("other", "here", "/dev/md7")
    host = host._replace(links={**host.links, "/dev/md/data": "/dev/md7"})
    with pytest.raises(Refused, match=r"which runs as /dev/md7, .*, or here:data"):
        raid.plan(host, Raid("data"), True)
    # Of equals, the one that runs under the path is meant.
    host = namesakes("here", "here", "/dev/md7")
    host = host._replace(links={**host.links, "/dev/md/data": "/dev/md7"})
    assert raid.facts(host, Raid("data"))["raid"]["uuid"] == UUID


def test_another_hosts_array_is_not_removed_by_its_name_alone() -> None:
    host = namesakes("other", "other")._replace(arrays=namesakes("other", "other").arrays[:1])
    assert outline(settle(raid, host, Raid("data")))[1:] == ["assemble raid data"]
    left = raid.plan(host, Raid("data", state="absent"), True)
    assert left.steps == ()
    assert "other:data (on /dev/sdb /dev/sdc, UUID" in left.warnings[0]
    assert settle(raid, host, Raid("data", state="absent", uuid=UUID), True).after.arrays == ()
    known = host.with_file(CONF, f"ARRAY <ignore> UUID={UUID}\n")
    assert settle(raid, known, Raid("data", state="absent"), True).after.arrays == ()


def test_a_name_of_mdadm_conf_is_no_other_array() -> None:
    host = namesakes("here", "other", conf=mdadm_line("/dev/md/data", "f" * 32))
    with pytest.raises(Refused, match=f"{UUID}.*, or the one that {CONF} names .UUID {'f' * 32}"):
        raid.plan(host, Raid("data"), True)


def test_an_array_without_a_name_has_one_for_documents() -> None:
    host = with_array(a_host(SDB, SDC), an_array(SDB, SDC, device="", name="", metadata="0.90"))
    ((item, _status),) = raid.survey(host)
    assert item["name"] == f"array-{UUID[:8]}"
    assert raid.facts(host, parse(item))["raid"] == item


def test_two_lines_of_one_path_make_two_names() -> None:
    conf = mdadm_line("/dev/md/data") + mdadm_line("/dev/md/data", OTHER)
    host = namesakes("here", "other", "/dev/md7", conf=conf)
    assert [raid.name_of(host, array) for array in host.arrays] == ["md7", f"data-{OTHER[:8]}"]


def test_an_array_that_runs_under_another_path_keeps_its_name_for_itself() -> None:
    host = namesakes("here", "other", "/dev/md7")._replace(arrays=namesakes("here", "other", "/dev/md7").arrays[:1])
    with pytest.raises(Refused, match="there is an array of this name, here:data"):
        raid.plan(host, Raid("data", level="1", devices=(SDE, SDF)), True)


def test_what_waits_in_an_array_with_another_shape_comes_back_once_that_is_started() -> None:
    """As after a power cut at the beginning of a reshape, with all of its devices in what udev began to assemble."""
    members = (Member(SDB, "active", 0), Member(SDC, "active", 1), Member(SDD, "former"))
    waits = an_array(level="5", raid_devices=3, chunk_size=64 << 10, members=members, state="inactive")
    host = with_array(a_host(*(disk(f"/dev/sd{x}") for x in "bcd"), files={CONF: mdadm_line("/dev/md0")}), waits)
    made = plan(host, devices=(SDB, SDC, SDD))
    assert outline(made) == ["stop raid md0", "assemble raid md0", "add raid md0"]


# Superblocks that no start finds


def lost(metadata: str = "1.0", level: str = "1", **more: Any) -> Host:
    members = tuple(Member(path, "active", slot, lost=True) for slot, path in enumerate((SDB, SDC, SDD)))
    array = an_array(SDB, SDC, SDD, level=level, metadata=metadata, members=members, **more)
    return with_array(a_host(SDB, SDC, SDD, files={CONF: mdadm_line("/dev/md0")}), array)


def test_superblocks_move_with_the_size() -> None:
    """Also where the array has no more room than it uses."""
    host = lost(component_size=GiB, room=GiB)
    made = settle(raid, host, Raid("md0", largest=True))
    assert outline(made) == ["grow raid md0"]
    assert not any(member.lost for member in made.after.arrays[0].members)
    with pytest.raises(Refused, match=r"beside a bitmap md does not move the superblock of metadata 1.0"):
        raid.plan(lost(component_size=GiB, room=GiB, bitmap="internal"), Raid("md0", largest=True), False)
    both_at_once = lost(component_size=GiB, room=GiB, bitmap="internal")
    made = settle(raid, both_at_once, Raid("md0", largest=True, bitmap="none"))
    assert [step.detail[:12] for step in made.steps] == ["without a bi", "to all of it"]


def test_what_would_not_start_again_is_not_stopped() -> None:
    with pytest.raises(Refused, match="cannot be stopped: /dev/sdb /dev/sdc /dev/sdd grew"):
        raid.plan(lost(), Raid("md0", state="stopped"), True)
    other = lost(device="/dev/md127", name="md0")
    assert raid.plan(other, Raid("md0"), False).steps == ()


def test_a_name_whose_array_is_not_found() -> None:
    host = a_host(SDB, SDC, files={CONF: mdadm_line("/dev/md0")})
    words: dict[str, Any] = {"level": "1", "devices": ("sdb", "sdc")}
    for want in (Raid("md0"), Raid("md0", state="stopped"), Raid("md0", **words), Raid("md0", uuid=UUID, **words)):
        with pytest.raises(StorageError, match="no device here carries its superblock"):
            raid.plan(host, want, True)
    with pytest.raises(Refused, match="no device here carries its superblock"):
        raid.announce(host, [Raid("md0", **words)])
    made = settle(raid, host, Raid("md1", **words))
    assert "names md0" in made.warnings[0]
    gone = settle(raid, host, Raid("md0", state="absent"))
    assert outline(gone) == ["persist raid md0"]
    assert "no device here carries its superblock" in gone.warnings[0]
    # What a crash interrupted before it was made is no array.
    begun = host._replace(unfinished=(Unfinished("file", "a step", "raid md0", UUID),))
    assert settle(raid, begun, Raid("md0", **words)).steps
    # In a whole document, its line is written before.
    steps, announced = raid.announce(a_host(SDB, SDC), [Raid("md0", uuid=UUID, **words)])
    assert [step.verb for step in steps] == ["persist"]
    assert raid.plan(announced, Raid("md0", uuid=UUID, **words), False).after.unfinished == ()


@pytest.mark.parametrize("words", ["metadata=ddf", "metadata=imsm", "container=/dev/md/ddf0 member=0"])
def test_lines_of_external_metadata_name_no_superblock(words: str) -> None:
    line = mdadm_line("/dev/md0").replace(" UUID", f" {words} UUID")
    assert gone_lines(a_host(SDB, files={CONF: line})) == ()


def external(**more: Any) -> Host:
    """A mirror in a container, as newer kernels show them: neither has a UUID that md knows."""
    container = an_array(SDB, SDC, uuid="", name="", metadata="external:ddf", device="/dev/md127", state="inactive")
    host = with_array(a_host(SDB, SDC, **more), container, 0, "/dev/md/ddf0")
    return with_array(host, an_array(SDB, SDC, uuid="", name="", metadata="external:/md127/0", device="/dev/md0"))


@pytest.mark.parametrize("name", ["md0", "ddf0"])
@pytest.mark.parametrize("words", [{}, {"state": "stopped"}, {"state": "absent"}, {"devices": ("sdb", "sdc")}])
def test_metadata_of_others_is_refused(name: str, words: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"has metadata external:.*only md's own is managed"):
        raid.plan(external(), Raid(name, level="1", **words), True)


def test_metadata_of_others_is_no_item() -> None:
    host = external(files={CONF: "ARRAY /dev/md/other metadata=ddf UUID=1:2:3:4\n"})
    assert raid.survey(host) == []
    assert raid.name_of(host, host.arrays[0]) == "md127"
    assert [finding for array in host.arrays for finding in raid_health.of_array(host, array)] == []
    less = host.arrays[1]._replace(degraded=1)
    assert [finding.problem for finding in raid_health.of_array(host, less)] == ["degraded"]


def test_a_side_has_older_states_of_its_own() -> None:
    """One and three ran, two ran, and three ran alone."""
    blocks = {"b": block(0, "A.A", 25), "c": block(1, ".A.", 30), "d": block(2, "..A", 28)}
    members = {member.device: member for member in raid_roles.stopped(blocks)}
    assert {path: (member.role, member.side, member.slot) for path, member in members.items()} == {
        "b": ("apart", 1, None),
        "c": ("active", 0, 1),
        "d": ("apart", 1, 2),
    }
    three = tuple(members[path]._replace(device=device) for path, device in zip("bcd", (SDB, SDC, SDD)))
    host = stopped(*three, raid_devices=3)
    said = refused(host, "its devices ran apart")
    assert SDB not in said
    made = plan(host, devices=(SDB, SDD))
    assert [step.detail[:25] for step in made.steps[:2]] == ["from /dev/sdd, 2 missing", "/dev/sdb back again"]
    # To the other side it is no older state.
    refused(host, "ran apart", devices=(SDB, SDC), discard_devices=(SDD,))


def test_a_replacement_is_not_the_member_that_it_replaces() -> None:
    new = Member(SDD, "replacing", 1)
    refused(stopped(new), "needs 1 of its 2 active members, and only these are here: none")
    made = plan(stopped(Member(SDB, "active", 0), new))
    assert made.steps[0].detail == "from /dev/sdb /dev/sdd, 1 missing"
    assert made.after.arrays[0].devices("rebuilding") == (SDD,)
    whole = plan(stopped(Member(SDB, "active", 0), Member(SDC, "active", 1), new))
    assert whole.after.arrays[0].devices("replacing") == (SDD,)


def test_a_replacement_that_goes_on_is_not_begun_beside() -> None:
    array = an_array(SDB, SDC, sync_action="recover")
    host = running(array._replace(members=(*array.members, Member(SDD, "replacing", 1))))
    made = plan(host, devices=(SDB, SDE))
    assert made.steps == ()
    assert [sentence[:37] for sentence in made.pending[:3]] == [
        "md0: remove /dev/sdc, which is faulty",
        "md0: add /dev/sde as a spare, once it",
        "md0: replace /dev/sdd by /dev/sde, on",
    ]


def test_which_members_of_a_raid_10_are_needed() -> None:
    pair = (Member(SDD, "active", 2), Member(SDE, "active", 3))
    said = refused(stopped(*pair, level="10", raid_devices=4, layout="n2"), "without its members number 0 1")
    assert "needs 3" not in said


def test_a_member_that_became_smaller() -> None:
    host = stopped(Member(SDB, "active", 0), Member(SDC, "cut"))
    made = plan(host)
    assert made.steps[0].detail == "from /dev/sdb, 1 missing"
    assert "smaller than it was" in made.warnings[0]
    assert "comes back" not in str(made.warnings)


@pytest.mark.parametrize("given_up", [(SDB,), (SDB, SDC)])
def test_the_version_that_runs_is_not_given_up(given_up: tuple[str, ...]) -> None:
    array = an_array(SDB, raid_devices=2, degraded=1, sync_action="idle")
    host = running(array._replace(members=(*array.members, Member(SDC, "apart", 1, side=1, updated=5))))
    refused(host, "it runs with /dev/sdb, and `discard_devices` gives up", discard_devices=given_up)
    # What was given up has become a member since.
    assert plan(running(an_array(SDB, SDC)), discard_devices=(SDC,)).steps == ()


def test_a_last_state_is_not_called_older_data_only() -> None:
    host = stopped(
        Member(SDB, "active", 0), Member(SDD, "former"), Member(SDE, "rebuilding", 2), level="5", raid_devices=3
    )
    told = {finding.problem: finding for finding in raid_health.of_array(host, host.arrays[0])}
    assert "the last state there is" in str(told["former"])
    assert "comes back" not in str(told["former"])
    assert told["stopped"].severity == "critical"
    assert "1 of its 3 members" in told["stopped"].detail


def test_nothing_else_takes_a_version_of_its_own() -> None:
    device = SPLIT.devices[SDC]
    for host in (SPLIT, running(SPLIT.arrays[0]._replace(device="/dev/md0", state="clean"))):
        with pytest.raises(Refused, match="/dev/sdc was written to without the array"):
            safety.take(host.with_content(SDC, Signature("linux_raid_member")), device, "a place", "devices", True)


def test_an_array_does_not_grow_away_from_a_superblock_on_it() -> None:
    lower = an_array(SDB, SDC, component_size=GiB, room=2 * GiB, sync_action="idle")
    upper = an_array("/dev/md0", metadata="1.0", device="/dev/md1")._replace(uuid=UUID[::-1])
    host = with_array(running(lower), upper)
    refused(host, "array md0: /dev/md0 carries the superblock of a RAID array \\(md1\\)", largest=True)
    settled = with_array(running(lower), upper._replace(metadata="1.2"))
    assert outline(plan(settled, largest=True)) == ["grow raid md0"]
