# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every small host and every wish."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import TYPES
from ansible_collections.strata.storage.plugins.module_utils.document.raid import (
    LEAST_DEVICES,
    LEVELS,
    Raid,
    redundancy,
)
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import Percent
from ansible_collections.strata.storage.plugins.module_utils.host import boot
from ansible_collections.strata.storage.plugins.module_utils.host.bcache import plan as bcache
from ansible_collections.strata.storage.plugins.module_utils.host.bcache.state import Backing, CacheSet
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm import plan as drive
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.group import TAG
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import (
    Group,
    LogicalVolume,
    Lvm,
    PhysicalVolume,
)
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid import plan as raid
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member

from .hosts import CONF, DEBIAN, EXT4, GiB, a_host, an_array, destroyed, disk, mdadm_line, with_array

LETTERS = "bcdefg"
quick = settings(max_examples=150, deadline=None)
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
        mounts=tuple(Mount(f"/dev/sd{letter}", "/", "ext4", "rw,relatime") for letter in mounted),
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
        filesystem=draw(st.sampled_from([None, *TYPES])),
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
        size=draw(st.sampled_from([None, None, 8 * GiB, 10 * GiB])),
        layout=draw(st.sampled_from([None, None, "n2", "o2", "left-symmetric"])),
        allow_shrink=draw(st.booleans()),
        allow_unprotected_reshape=draw(st.booleans()),
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
        layout={"5": "left-symmetric", "6": "left-symmetric", "10": "n2"}.get(level, ""),
        array_size=draw(st.sampled_from([0, 0, GiB])),
        component_size=9 * GiB,
        room=draw(st.sampled_from([9, 10])) * GiB,
    )


@settings(max_examples=800, deadline=None)
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
            len(array.devices("active", "rebuilding")),
            after.raid_devices - redundancy(after.level, after.raid_devices, after.layout),
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


CACHE_SET = "5e75e75e-0000-4000-8000-000000000001"


@st.composite
def caches(draw: Any) -> Host:
    """A bcache in any state that a failure, a cut or a change on its way leaves, and a device with a cache set."""
    known = draw(st.sampled_from([None, True, False]))
    sets = () if known is None else (CacheSet(CACHE_SET, "/dev/sdc", 512 << 10, 512, registered=known),)
    state = draw(st.sampled_from(["no cache", "clean", "dirty", "inconsistent"]))
    bound = state in ("clean", "dirty")
    registered = draw(st.booleans())
    attached = registered and bound and bool(known)
    # The kernel starts what waits for nothing; one whose cache failed while it was clean runs on.
    running = registered and (attached or not bound or (state == "clean" and not known and draw(st.booleans())))
    backing = Backing(
        "/dev/sdb",
        "b",
        draw(st.sampled_from(["cached", ""])),
        CACHE_SET if bound else "",
        draw(st.sampled_from(["writethrough", "writeback"])),
        state,
        "/dev/bcache0" if running else "",
        registered=registered,
        attached=attached,
    )
    signed = {path: Content((Signature("bcache"),), busy=True) for path in ("/dev/sdb", *(s.device for s in sets))}
    size = draw(st.sampled_from([10, 5])) * GiB
    cached = (disk("/dev/bcache0", size - backing.offset),) if running else ()
    mounts = (Mount("/dev/bcache0", "/srv", "ext4", "rw,relatime"),) if running and draw(st.booleans()) else ()
    return a_host(
        *(f"/dev/sd{letter}" for letter in "bcde"),
        *cached,
        backings=(backing,),
        cache_sets=sets,
        contents=signed,
        mounts=mounts,
        files={FSTAB: "/dev/bcache0 /srv ext4 defaults 0 0\n"},
    )


@st.composite
def bcaches(draw: Any) -> Bcache:
    return Bcache(
        "cached",
        backing_device=draw(st.sampled_from(["sdb", "sdb", None, "sde"])),
        cache_device=draw(st.sampled_from([None, "", "sdc", "sdd"])),
        cache_mode=draw(st.sampled_from([None, "writeback"])),
        tunables=draw(st.sampled_from([{}, {"writeback_percent": "20"}])),
        cache_tunables=draw(st.sampled_from([{}, {"io_error_limit": "16"}])),
        allow_offline=draw(st.booleans()),
    )


@settings(max_examples=800, deadline=None)
@given(host=caches(), want=bcaches(), allow=st.booleans())
def test_changes_of_a_bcache(host: Host, want: Bcache, allow: bool) -> None:
    try:
        plan = bcache.plan(host, want, allow)
    except StorageError:
        return
    again = bcache.plan(plan.after, want._replace(allow_offline=False), False)
    assert (again.steps, again.after) == ((), plan.after)
    if not allow:
        assert destroyed(plan) == []
    before = host.backings[0]
    after = next(backing for backing in plan.after.backings if backing.label == "cached")
    assert after.bcache
    assert want.cache_device is None or bool(after.cache_set) == bool(want.cache_device)
    # Dirty data is written back by a detach, stays where it is, or is given up by name.
    if before.device == after.device and before.state == "dirty" and after.cache_set != before.cache_set:
        assert "detach" in [step.verb for step in plan.steps] or destroyed(plan)
    gone = bcache.plan(plan.after._replace(mounts=()), want._replace(state="absent"), True)
    assert "cached" not in [backing.label for backing in gone.after.backings]


@st.composite
def changed_drives(draw: Any) -> Drive:
    """What may be wanted of a drive on sdb and sdc."""
    size = st.one_of(st.none(), st.builds(Percent, st.integers(1, 100)), st.integers(1, 30).map(lambda n: n * GiB // 2))
    volume = Volume("data", draw(size), None, draw(st.sampled_from([None, "new"])), "/srv")
    more = Volume("more", draw(size), draw(st.sampled_from([None, "swap", "ext4"])))
    return Drive(
        "data",
        draw(
            st.sampled_from([None, ("sdb",), ("sdc",), ("sdb", "sdc"), ("sdc", "sdd"), ("sdd",), ("sdb", "sdc", "sde")])
        ),
        draw(st.sampled_from([(volume,), (volume, more), (more, volume)])),
        remove_foreign_devices=draw(st.booleans()),
        allow_shrink=draw(st.booleans()),
        allow_offline=draw(st.booleans()),
    )


@st.composite
def drives_in_use(draw: Any) -> Host:
    """A drive on sdb and sdc, mounted, in any state that a failure, a cut or a change on its way leaves."""
    extent = 4 << 20
    size = draw(st.sampled_from([2, 9, 12])) * GiB
    used = [min(size, 10 * GiB - extent), max(size - 10 * GiB + extent, 0)]
    ours = st.sampled_from([(TAG,), (TAG,), ()])
    pvs = tuple(
        PhysicalVolume(
            f"/dev/sd{letter}", 10 * GiB - extent, draw(st.sampled_from([10, 10, 12])) * GiB, part, draw(ours)
        )
        for letter, part in zip("bc", used)
    )
    kind = draw(st.sampled_from(["btrfs", "ext4", "xfs"]))
    spans = draw(st.sampled_from([size, size, size - GiB]))
    volume = LogicalVolume("data", size, active=True, device="/dev/dm-0")
    whole = sum(pv.size for pv in pvs)
    moving = draw(st.sampled_from([()] * 5 + [("/dev/sdc",), ("/dev/sdb",)]))
    twice = sum(pv.used for pv in pvs if pv.device in moving)
    group = Group("data", extent, whole, whole - size - twice, physical_volumes=pvs, volumes=(volume,), moving=moving)
    member = Content((Signature("LVM2_member"),), busy=True)
    return a_host(
        *(f"/dev/sd{letter}" for letter in LETTERS),
        disk("/dev/dm-0", size, identity=""),
        lvm=Lvm((group,)),
        files={FSTAB: f"UUID=f5 /srv {kind} defaults,nofail,x-systemd.device-timeout=300s 0 0\n"},
        mounts=(Mount("/dev/dm-0", "/srv", kind, "rw,relatime"),),
        filesystems={"/dev/dm-0": Filesystem(kind, "f5", size=spans)},
        contents={"/dev/sdb": member, "/dev/sdc": member, "/dev/dm-0": Content((Signature(kind, "f5"),), busy=True)},
    )


@settings(max_examples=800, deadline=None)
@given(host=drives_in_use(), want=changed_drives(), allow=st.booleans())
def test_changes_of_a_drive(host: Host, want: Drive, allow: bool) -> None:
    try:
        plan = drive.plan(host, want, allow)
    except StorageError:
        return
    if plan.in_progress:
        assert plan.steps == ()
        return
    again = drive.plan(plan.after, want._replace(allow_shrink=False, allow_offline=False), False)
    assert (again.steps, again.after) == ((), plan.after), [str(step) for step in again.steps]
    assert destroyed(plan) == []
    (before,), (group,) = host.groups().groups, plan.after.groups().groups
    assert group.free >= 0
    assert sum(volume.size for volume in group.volumes) + group.free == group.size
    (data,) = [volume for volume in group.volumes if volume.name == "data"]
    filesystem = plan.after.filesystem(data.device)
    assert filesystem
    assert filesystem.size <= data.size
    verbs = [step.verb for step in plan.steps]
    if data.size < before.volumes[0].size:
        assert want.allow_shrink
    # What leaves is empty before it does, and nothing is cut off before the filesystem is smaller.
    for index, verb in enumerate(verbs):
        if verb == "reduce" and plan.steps[index].kind == "volume":
            assert plan.steps[index].claims
    assert plan.after.mounts == host.mounts


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
