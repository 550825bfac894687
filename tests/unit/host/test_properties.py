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
from ansible_collections.strata.storage.plugins.module_utils.document.raid import LEAST_DEVICES, LEVELS, Raid
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import Percent
from ansible_collections.strata.storage.plugins.module_utils.host import drive, raid
from ansible_collections.strata.storage.plugins.module_utils.host.state import Content, Host, Mount, Signature

from .hosts import DEBIAN, EXT4, GiB, a_host, destroyed, disk

LETTERS = "bcdefg"
quick = settings(max_examples=60, deadline=None)
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
    used = {mount.device for mount in host.mounts} | {d.path for d in host.devices.values() if d.holders}
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
            after = plan.after._replace(contents={**plan.after.contents, raid.device_path(want.name): Content()})
            plan = check(raid, after, want._replace(state=state), False if state != "absent" else allow)
            assert plan
        assert plan.after.arrays == ()


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
