# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every small host and every wish."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.drive import FILESYSTEMS, Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.raid import (
    LEAST_DEVICES,
    LEVELS,
    Raid,
    redundancy,
)
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import Percent
from ansible_collections.strata.storage.plugins.module_utils.host import boot, drive, raid
from ansible_collections.strata.storage.plugins.module_utils.host.state import (
    Array,
    Content,
    Host,
    Member,
    Mount,
    Signature,
)

from .hosts import CONF, DEBIAN, EXT4, GiB, a_host, an_array, destroyed, disk, mdadm_line, with_array

LETTERS = "bcdefg"
quick = settings(max_examples=150, deadline=None, derandomize=True)
contents = st.sampled_from([Content(), Content(), Content(), Content((EXT4,)), Content((Signature("swap"),))])


@st.composite
def hosts(draw: Any) -> Host:
    """Six disks: some blank, some signed, some in use."""
    disks = [
        disk(
            f"/dev/sd{letter}",
            draw(st.integers(1, 8)) * GiB,
            holders=draw(st.sampled_from([()] * 9 + [("/dev/dm-9",)])),
        )
        for letter in LETTERS
    ]
    mounted = draw(st.sets(st.sampled_from(LETTERS), max_size=1))
    return a_host(
        *disks,
        contents={device.path: draw(contents) for device in disks},
        mounts=tuple(Mount(f"/dev/sd{letter}", "/", "ext4", "rw") for letter in mounted),
        boot=draw(st.sampled_from([DEBIAN, DEBIAN._replace(changed=300.0)])),
        directories={"/srv": draw(st.sampled_from([None, True]))},
    )


@st.composite
def raids(draw: Any) -> Raid:
    level = draw(st.sampled_from(LEVELS))
    letters = draw(st.permutations(LETTERS))
    count = draw(st.integers(LEAST_DEVICES[level], 5))
    return Raid(
        name=draw(st.sampled_from(["md0", "data"])),
        level=level,
        devices=tuple(f"sd{letter}" for letter in letters[:count]),
        spare_devices=None if level == "0" else draw(st.sampled_from([None, (), (f"sd{letters[5]}",)])),
        metadata=draw(st.sampled_from([None, "0.90", "1.0"])),
    )


@st.composite
def drives(draw: Any) -> Drive:
    volume = Volume(
        name=draw(st.sampled_from(["data", "srv"])),
        size=draw(st.one_of(st.none(), st.builds(Percent, st.integers(1, 100)), st.integers(1, 9 * GiB))),
        filesystem=draw(st.sampled_from([None, *FILESYSTEMS])),
        mount_point=draw(st.sampled_from([None, "/srv"])),
        boot_required=draw(st.sampled_from([None, True, False])),
    )
    letters = draw(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4, unique=True))
    return Drive("data", tuple(f"sd{letter}" for letter in letters), (volume,))


def check(planner: Any, host: Host, want: Any, allow: bool) -> Plan | None:
    """Planned, with nothing left to do afterwards, nothing destroyed without permission, and nothing in use touched."""
    try:
        plan: Plan = planner.plan(host, want, allow)
    except StorageError:
        return None
    assert planner.plan(host, want, allow) == plan
    again = planner.plan(plan.after, want, allow)
    assert again.steps == ()
    assert planner.facts(plan.after, want).keys() >= {"status"}
    if not allow:
        assert destroyed(plan) == []
    used = {mount.device for mount in host.mounts} | {
        d.path for d in host.devices.values() if {*d.holders} - {"/dev/md0"}
    }
    claimed = {claim.path for step in plan.steps for claim in step.claims}
    assert not used & claimed
    assert all(step.claims for step in plan.steps if step.destroys and step.kind == "device")
    return plan


@quick
@given(host=hosts(), want=raids(), allow=st.booleans())
def test_raids(host: Host, want: Raid, allow: bool) -> None:
    plan = check(raid, host, want, allow)
    if plan:
        for state in ("stopped", "present", "absent"):
            # What an array holds after it was started again is for the next read to say.
            after = plan.after._replace(contents={**plan.after.contents, boot.array_path(want.name): Content()})
            plan = check(raid, after, want._replace(state=state), False if state != "absent" else allow)
            assert plan
        assert plan.after.arrays == ()


@st.composite
def changes(draw: Any) -> Raid:
    """What may be wanted of an array that exists."""
    letters = draw(st.permutations(LETTERS))
    count = draw(st.integers(1, 5))
    return Raid(
        "md0",
        level=draw(st.sampled_from([None, None, *LEVELS])),
        devices=draw(st.sampled_from([None, tuple(f"sd{letter}" for letter in letters[:count])])),
        spare_devices=draw(st.sampled_from([None, (), (f"sd{letters[5]}",)])),
        chunk_size=draw(st.sampled_from([None, 64 << 10])),
        bitmap=draw(st.sampled_from([None, "none", "internal"])),
        largest=draw(st.booleans()),
    )


@st.composite
def arrays(draw: Any) -> Array:
    """An array in any state that a failure, a cut or a change on its way leaves."""
    level = draw(st.sampled_from(LEVELS))
    count = draw(st.integers(LEAST_DEVICES[level], 5))
    roles = [
        draw(st.sampled_from(["active"] * 8 + ["rebuilding", "faulty", "former", "gone"])) for number in range(count)
    ]
    others = [draw(st.sampled_from(["blank", "blank", "spare", "former", "replacing"])) for number in range(6 - count)]
    members = tuple(
        Member(f"/dev/sd{letter}", role, slot if role in ("active", "rebuilding") else None)
        for slot, (letter, role) in enumerate(zip(LETTERS, roles))
        if role != "gone"
    ) + tuple(
        Member(f"/dev/sd{letter}", role, 0 if role == "replacing" else None)
        for letter, role in zip(LETTERS[count:], others)
        if role != "blank" and (role != "replacing" or roles[0] == "active")
    )
    return an_array(
        level=level,
        raid_devices=count,
        members=members,
        degraded=sum(role != "active" for role in roles),
        chunk_size=0 if level == "1" else 512 << 10,
        sync_action=draw(st.sampled_from(["idle", "idle", "idle", "recover", "resync", "reshape"])),
        reshaping=draw(st.sampled_from([False, False, False, True])),
        state=draw(st.sampled_from(["clean", "clean", "read-auto"])),
        component_size=9 * GiB,
        room=draw(st.sampled_from([9, 10])) * GiB,
    )


@settings(max_examples=800, deadline=None, derandomize=True)
@given(array=arrays(), want=changes(), allow=st.booleans())
def test_changes_of_an_array(array: Array, want: Raid, allow: bool) -> None:
    """Until nothing is left to do: what was set going ends in between."""
    host = with_array(a_host(*(f"/dev/sd{letter}" for letter in LETTERS), files={CONF: mdadm_line("/dev/md0")}), array)
    for _round in range(12):
        plan = check(raid, host, want, allow)
        if plan is None:
            return
        (after,) = plan.after.arrays
        assert len(after.devices("active", "rebuilding")) >= min(
            len(array.devices("active", "rebuilding")), after.raid_devices - redundancy(after.level, after.raid_devices)
        )
        if not plan.steps and not plan.in_progress:
            return
        ended = after._replace(
            sync_action="idle",
            reshaping=False,
            degraded=max(after.raid_devices - len(after.devices("active", "rebuilding")), 0),
            members=tuple(m._replace(role="active") if m.role == "rebuilding" else m for m in after.members),
        )
        host = plan.after._replace(arrays=(ended,))
    raise AssertionError("it never comes to an end")


@quick
@given(host=hosts(), want=drives(), allow=st.booleans())
def test_drives(host: Host, want: Drive, allow: bool) -> None:
    plan = check(drive, host, want, allow)
    if plan:
        assert check(drive, plan.after, want._replace(state="offline"), allow=False)
        gone = check(drive, plan.after, want._replace(state="absent"), allow=True)
        assert gone
        assert gone.after.groups().groups == ()
        assert drive.facts(gone.after, want)["drive"] is None
