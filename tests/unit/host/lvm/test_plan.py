# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for drives, as values."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import (
    Edit,
    MakeDirectory,
    Plan,
    Step,
    placeholder,
)
from ansible_collections.strata.storage.plugins.module_utils.document import drive as document
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import BindMount, Subvolume, Use
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import Percent
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw
from ansible_collections.strata.storage.plugins.module_utils.host.actions import (
    Claim,
    DropVolume,
    Grow,
    Inspect,
    MountOn,
    NoVolume,
    ReloadMounts,
    Spans,
    Unlabel,
)
from ansible_collections.strata.storage.plugins.module_utils.host.devices import UNSEEN, Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.lvm import plan as drive
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.group import data_start
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import (
    Group,
    LogicalVolume,
    Lvm,
    PhysicalVolume,
    StrayVolume,
)
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.tree import tree
from ansible_collections.strata.storage.plugins.module_utils.host.unfinished import intent, on_device

from ..hosts import (
    EXT4,
    GiB,
    MiB,
    a_host,
    claim,
    commands,
    destroyed,
    disk,
    disks,
    outline,
    run,
    settle,
    the_step,
)

SDB, SDC, SDD = (f"/dev/sd{letter}" for letter in "bcd")
EXTENT = 4 * MiB
TAG = "strata.storage"
SPACE = 10 * GiB - EXTENT
PV = Content((Signature("LVM2_member"),))
OPTIONS = "defaults,nofail,x-systemd.device-timeout=300s"
BLANK = a_host(*disks("bcd"), directories={"/srv": None})
DEVICE = "/dev/dm-0"
LINE = f"UUID=f5 /srv xfs {OPTIONS} 0 0\n"


def online(
    *volumes: LogicalVolume,
    size: int = SPACE,
    devices: str = "b",
    tags: tuple[str, ...] = (),
    fstab: str = LINE,
    filesystem: Filesystem | None = None,
    **more: Any,
) -> Host:
    """Drive ``data`` with one volume of that size, xfs, on /srv; ``volumes`` are others in its group."""
    pvs = tuple(PhysicalVolume(f"/dev/sd{letter}", SPACE, 10 * GiB, 1 * GiB, tags) for letter in devices)
    volume = LogicalVolume("data", size, active=True, device=DEVICE)
    whole = SPACE * len(pvs)
    free = whole - size - sum(other.size for other in volumes)
    group = Group("data", EXTENT, whole, free, physical_volumes=pvs, volumes=(volume, *volumes))
    active = [other.device for other in volumes if other.device]
    parts: dict[str, Any] = {
        "lvm": Lvm((group,)),
        "files": {FSTAB: fstab},
        "mounts": (Mount(DEVICE, "/srv", "xfs", "rw,relatime"),),
        "filesystems": {DEVICE: filesystem or Filesystem("xfs", "f5", size=size)},
        **more,
        "contents": {
            **{pv.device: PV for pv in pvs},
            DEVICE: Content((Signature((filesystem or Filesystem("xfs", "")).type, "f5"),)),
            **more.get("contents", {}),
        },
    }
    return a_host(*disks("bcd"), disk(DEVICE, size, identity=""), *active, **parts)


ONLINE = online()


def offline(**more: Any) -> Host:
    host = online(fstab="", mounts=(), filesystems={}, directories={"/srv": True}, **more)
    (group,) = host.groups().groups
    volume = group.volumes[0]._replace(active=False, autoactivation=False, device="")
    return host.without_device(DEVICE)._replace(lvm=Lvm((group._replace(volumes=(volume,)),)))


def volume(**words: Any) -> Volume:
    return Volume(**{"name": "data", "mount_point": "/srv", "filesystem": "xfs", **words})


#: All that there is.
ALL = volume(size=Percent(100))


def want(*volumes: Volume, **words: Any) -> Drive:
    return Drive(**{"name": "data", "volumes": volumes or (volume(),), **words})


def plan(host: Host, allow: bool = False, *volumes: Volume, **words: Any) -> Plan:
    return settle(drive, host, want(*volumes, **words), allow)


def refused(host: Host, said: str, allow: bool = False, *volumes: Volume, **words: Any) -> None:
    with pytest.raises(StorageError, match=said):
        drive.plan(host, want(*volumes, **words), allow)


def step(verb: str, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb, more.pop("kind", "volume"), more.pop("name", "data/data"), detail, actions, **more)


# Create


def test_create_from_first_to_last() -> None:
    made = plan(BLANK, devices=("sdb", SDC))
    path = "/dev/data/data"
    uuid = "<uuid:filesystem/data/data>"
    line = f"UUID={uuid} /srv xfs {OPTIONS} 0 0\n"
    assert made.steps == (
        step(
            "create",
            "volume group on /dev/sdb /dev/sdc",
            run("vgcreate", "data", SDB, SDC),
            run("pvchange", "--addtag", TAG, SDB, SDC),
            kind="drive",
            name="data",
            claims=(claim(SDB), claim(SDC)),
            flush=(SDB, SDC),
            undo=(Unlabel(SDB), Unlabel(SDC)),
            intent=intent("drive data", "", SDB, SDC),
        ),
        step(
            "create",
            "logical volume of 20 GiB",
            run(*("lvcreate", "--yes", "--wipesignatures", "n", "--name", "data", "--extents", "100%FREE", "data")),
            Inspect(path, wipe=False),
            claims=(NoVolume(path),),
            flush=(SDB, SDC, path),
            undo=(DropVolume(path),),
            intent=intent("volume data/data", "", SDB, SDC, last=False),
        ),
        step(
            "format",
            "xfs",
            run("mkfs.xfs", "-q", "-m", f"uuid={uuid}", path, timeout=600),
            claims=(Claim(path, "", ()),),
            flush=(path,),
            intent=on_device(path, uuid, "volume data/data"),
        ),
        Step("create", "directory", "/srv", "to mount on", (MakeDirectory("/srv"),)),
        Step("persist", "mount", "data/data", f"/srv in {FSTAB}, {OPTIONS}", (Edit(FSTAB, "", line), ReloadMounts())),
        step(
            "mount",
            "/srv",
            MountOn("xfs", "defaults", path, "/srv"),
            undo=(Edit(FSTAB, line, ""), ReloadMounts()),
        ),
    )
    size = 2 * SPACE
    assert made.after.groups() == Lvm(
        (
            Group(
                "data",
                size=size,
                physical_volumes=(PhysicalVolume(SDB, tags=(TAG,)), PhysicalVolume(SDC, tags=(TAG,))),
                volumes=(LogicalVolume("data", size, active=True, device=path),),
            ),
        )
    )
    assert made.after.mounts == (Mount(path, "/srv", "xfs", "rw,relatime"),)
    assert made.after.filesystem(path) == Filesystem("xfs", uuid, size=size)
    assert made.after.contents[SDB] == PV


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (None, "mkfs.btrfs --quiet --uuid"),
        ("btrfs", "mkfs.btrfs --quiet --uuid"),
        ("ext4", "mkfs.ext4 -q -U"),
        ("xfs", "mkfs.xfs -q -m uuid="),
    ],
)
def test_filesystems(kind: str | None, make: str) -> None:
    made = plan(BLANK, False, volume(filesystem=kind), devices=(SDB,))
    (format_,) = the_step(made, "format").actions
    assert str(format_).startswith(make)
    assert f" {kind or 'btrfs'} " in (made.after.files[FSTAB] or "")


@pytest.mark.parametrize(
    ("size", "argument", "bytes_"),
    [
        (1 * GiB, f"--size {GiB}b", GiB),
        (1 * GiB + 1, f"--size {GiB + EXTENT}b", GiB + EXTENT),
        (SPACE, "--extents 100%FREE", SPACE),
        (Percent(100), "--extents 100%FREE", SPACE),
        (Percent(50), f"--size {SPACE // 2 // EXTENT * EXTENT}b", SPACE // 2 // EXTENT * EXTENT),
    ],
)
def test_explicit_sizes(size: object, argument: str, bytes_: int) -> None:
    made = plan(BLANK, False, volume(size=size), devices=(SDB,))
    assert argument in commands(made)[2]
    assert made.after.groups().groups[0].volumes[0].size == bytes_
    assert made.after.groups().groups[0].free == SPACE - bytes_


def test_two_volumes_share_a_drive() -> None:
    made = plan(
        BLANK._replace(directories={"/a": True, "/b": True}),
        False,
        volume(name="a", size=GiB, mount_point="/a"),
        volume(name="b", mount_point="/b"),
        devices=(SDB,),
    )
    assert [v.size for v in made.after.groups().groups[0].volumes] == [GiB, SPACE - GiB]
    assert outline(made)[1:6] == [
        *("create volume data/a", "format volume data/a", "create volume data/b", "format volume data/b"),
        "persist mount data/a",
    ]


def test_volumes_that_take_what_is_left_come_last_and_inner_mounts_after_outer_ones() -> None:
    host = BLANK._replace(directories={"/srv": True})
    want = (volume(name="rest", mount_point="/srv"), volume(name="logs", size=GiB, mount_point="/srv/logs"))
    made = plan(host, False, *want, devices=(SDB,))
    assert outline(made)[1:] == [
        *("create volume data/logs", "format volume data/logs", "create volume data/rest", "format volume data/rest"),
        *("persist mount data/rest", "mount volume data/rest"),
        *("create directory /srv/logs", "persist mount data/logs", "mount volume data/logs"),
    ]
    away = plan(made.after, False, *want, state="offline")
    assert [step.detail for step in away.steps if step.verb == "unmount"] == ["/srv/logs", "/srv"]


@pytest.mark.parametrize(
    ("volumes", "words", "said"),
    [
        ((), {}, "drive data does not exist, and to create it, say also: devices"),
        ((), {"devices": (SDB, "sdb")}, "drive data: /dev/sdb is named twice, by different names"),
        ((), {"devices": ("sdz",)}, "drive data: there is no block device sdz on this host"),
        ((volume(size=11 * GiB),), {"devices": (SDB,)}, "11 GiB does not fit: volume group data has room for 10 GiB"),
        ((volume(size=100 * MiB, filesystem=None),), {"devices": (SDB,)}, "too small for btrfs, which needs 128 MiB"),
        ((volume(), volume(name="b", mount_point=None)), {"devices": (SDB,)}, "volume data/b: .* no space left for it"),
        ((volume(), volume(name="b")), {"devices": (SDB,)}, "/srv is the mount_point of two volumes"),
        (
            (volume(size=Percent(60), mount_point=None), volume(name="b", mount_point=None, size=Percent(60))),
            {"devices": (SDB,)},
            "data/b: .* does not fit",
        ),
        ((), {"state": "offline"}, "drive data does not exist, so it cannot be taken offline"),
    ],
)
def test_what_cannot_be_created(volumes: tuple[Volume, ...], words: dict[str, Any], said: str) -> None:
    refused(BLANK, said, False, *volumes, **words)


def test_a_drive_is_not_called_as_something_else_below_dev() -> None:
    host = BLANK._replace(lvm=Lvm(taken=("disk", "null")), contents={**BLANK.contents, SDB: Content((EXT4,))})
    refused(host, "drive disk: /dev/disk exists, and LVM needs that path; choose", True, name="disk", devices=(SDB,))
    # Its own directory is no obstacle.
    there = ONLINE._replace(lvm=ONLINE.groups()._replace(taken=("data",)))
    assert plan(there).steps == ()


def test_300_mib_minus_one_extent_is_too_small_for_xfs() -> None:
    refused(BLANK, "296 MiB is too small for xfs, which needs 300 MiB", False, volume(size=296 * MiB), devices=(SDB,))
    assert plan(BLANK, False, volume(size=300 * MiB), devices=(SDB,)).steps


def test_data_needs_permission_and_goes_first() -> None:
    host = BLANK._replace(contents={**BLANK.contents, SDC: Content((EXT4,))})
    refused(host, "/dev/sdc: refused as a device of data: it holds an ext4 filesystem", devices=(SDB, SDC))
    made = plan(host, True, devices=(SDB, SDC))
    assert outline(made)[:2] == ["wipe device /dev/sdc", "create drive data"]
    assert Inspect("/dev/data/data", wipe=True) in made.steps[2].actions
    assert [sentence.split(":")[0] for sentence in destroyed(made)] == [SDC]


def test_a_physical_volume_without_a_group_is_refused_unless_that_is_allowed() -> None:
    host = BLANK._replace(contents={**BLANK.contents, SDB: PV}, lvm=Lvm((), (SDB,), {SDB: ""}))
    refused(host, "/dev/sdb: refused as a device of data: it holds an LVM2 physical volume", devices=(SDB, SDC))
    made = plan(host, True, devices=(SDB, SDC))
    assert outline(made)[:2] == ["wipe device /dev/sdb", "create drive data"]
    assert made.after.groups().orphans == ()


def test_sectors_of_one_size() -> None:
    """As LVM has it, and before the first step."""
    large = disks("bcd")[1]._replace(sector=4096)
    host = BLANK._replace(devices={**BLANK.devices, SDC: large})
    for devices in ((SDB, SDC), (SDB, SDD, SDC)):
        refused(host, "/dev/sdc: refused as a device of data: it has sectors of 4096 .* of 512", True, devices=devices)
    made = plan(host, devices=(SDC,))
    assert made.after.devices["/dev/data/data"].sector == 4096
    there = ONLINE._replace(devices={**ONLINE.devices, SDC: large})
    refused(there, "it has sectors of 4096 bytes, and its other devices have sectors of 512", True, devices=(SDB, SDC))
    mixed = online(devices="bc", size=2 * SPACE)
    mixed = mixed._replace(devices={**mixed.devices, SDC: large})
    assert plan(mixed, devices=(SDB, SDC, SDD)).steps


def test_a_device_that_is_too_small_for_an_extent() -> None:
    host = a_host(*disks("b"), disk(SDC, 4 * MiB), directories={"/srv": None}, contents={SDC: Content((EXT4,))})
    for devices in ((SDB, SDC), (SDC,)):
        refused(host, "/dev/sdc: 4 MiB is too small for a device of data, which needs 5 MiB", True, devices=devices)


def test_lvm_is_asked_for_and_the_rest_only_when_it_matters() -> None:
    with pytest.raises(Unread, match="lvm"):
        drive.plan(BLANK._replace(lvm=None), want(), False)
    assert plan(ONLINE._replace(contents={}, directories={}), devices=(SDB,)).steps == ()


# Groups of others


FOREIGN = Group("other", EXTENT, SPACE, SPACE, physical_volumes=(PhysicalVolume(SDC, SPACE, 10 * GiB),))


@pytest.mark.parametrize("allow", [False, True])
def test_a_physical_volume_of_another_group_is_refused_either_way(allow: bool) -> None:
    said = "/dev/sdc: refused as a device of data: it is a physical volume of volume group other"
    refused(BLANK._replace(lvm=Lvm((FOREIGN,))), said, allow, devices=(SDB, SDC))
    refused(ONLINE._replace(lvm=Lvm((*ONLINE.groups().groups, FOREIGN))), said, allow, devices=(SDB, SDC))


@pytest.mark.parametrize("allow", [False, True])
def test_a_group_of_that_name_on_other_devices_is_refused_either_way(allow: bool) -> None:
    refused(ONLINE, "a volume group of that name exists already, on /dev/sdb", allow, devices=(SDC,))


@pytest.mark.parametrize("state", ["online", "offline", "absent"])
def test_a_missing_physical_volume(state: str) -> None:
    (group,) = ONLINE.groups().groups
    away = (*group.physical_volumes, PhysicalVolume("[unknown]", uuid="Kx3", missing=True, used=4 << 20))
    parts = tuple(volume._replace(health="partial", size=8 << 20, name="srv") for volume in group.volumes[:1])
    refused(
        ONLINE._replace(lvm=Lvm((group._replace(physical_volumes=away, volumes=parts),))),
        "its physical volume Kx3 is missing, and what lies on it cannot be read: 4 MiB, parts of srv .8 MiB.. Bring",
        True,
        state=state,
    )
    strange = group._replace(physical_volumes=(*group.physical_volumes, PhysicalVolume("/dev/strange0")))
    refused(
        ONLINE._replace(lvm=Lvm((strange,))), "/dev/strange0 is a device of a kind that is not managed", state=state
    )


# Groups of others, and groups with a past


def volumes_of(host: Host, *more: LogicalVolume) -> Host:
    """That host, with more volumes in the group, of kinds that no drive makes."""
    (group,) = host.groups().groups
    lvm = host.groups()._replace(groups=(group._replace(volumes=(*group.volumes, *more)),))
    return host._replace(lvm=lvm)


POOL = LogicalVolume("pool", GiB, active=True, kind="thin-pool")
THIN = LogicalVolume("thin", GiB, active=True, device="/dev/dm-5", kind="thin")
SNAPSHOT = LogicalVolume("snap", GiB, active=True, device="/dev/dm-6", kind="snapshot", origin="data")
OTHERS = volumes_of(online(size=GiB), POOL, THIN, SNAPSHOT)
OTHERS = OTHERS.with_device(disk("/dev/dm-5", GiB)).with_device(disk("/dev/dm-6", GiB))


def test_volumes_of_other_kinds_are_told_and_in_nobodys_way() -> None:
    host = OTHERS._replace(filesystems={**OTHERS.filesystems, "/dev/dm-5": None})
    ((item, status),) = drive.survey(host)
    assert [one["name"] for one in item["volumes"]] == ["data", "thin"]
    kinds = {name: one["type"] for name, one in status["volumes"].items()}
    assert kinds == {"data": "linear", "pool": "thin-pool", "thin": "thin", "snap": "snapshot"}
    assert plan(host).steps == ()
    added = plan(host, False, volume(), volume(name="new", size=GiB, mount_point=None))
    assert outline(added) == ["create volume data/new", "format volume data/new"]


@pytest.mark.parametrize("state", ["online", "offline", "absent"])
@pytest.mark.parametrize(("name", "what"), [("pool", "pool .thin-pool."), ("snap", "snap .snapshot of data.")])
def test_what_is_no_volume_of_a_drive_is_refused(state: str, name: str, what: str) -> None:
    refused(OTHERS, f"drive data: {what} is no volume that a drive has", True, volume(name=name), state=state)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        (
            "thin",
            Percent(100),
            "volume data/thin has 1 GiB, .* is of LVM's type thin, whose size a drive does not change",
        ),
        ("thin", 2 * GiB, "is of LVM's type thin"),
        ("thin", GiB // 2, "is of LVM's type thin"),
        ("data", 2 * GiB, "it is the origin of the snapshot data/snap, and LVM does not resize an origin"),
    ],
)
def test_sizes_that_a_drive_does_not_change(name: str, size: Any, said: str) -> None:
    refused(OTHERS, said, True, volume(name=name, size=size, mount_point=None), allow_shrink=True)


def test_offline_leaves_pools_and_takes_snapshots_along() -> None:
    made = drive.plan(OTHERS, want(state="offline"), False)
    assert outline(made) == [
        *("unmount volume data/data", "persist mount data/data", "persist volume data/data"),
        "deactivate volume data/data",
    ]
    used = OTHERS._replace(mounts=(*OTHERS.mounts, Mount("/dev/dm-6", "/mnt", "xfs", "ro")))
    refused(used, "volume data/data: its snapshot data/snap is mounted on /mnt", state="offline")


def test_a_group_with_a_snapshot_or_a_pool_is_not_removed() -> None:
    said = r"its volume group also has pool \(thin-pool\), thin \(thin\), snap \(snapshot of data\)"
    refused(OTHERS, said, True, state="absent")
    refused(OTHERS, r"also has pool \(thin-pool\), snap", True, state="absent", volumes=None)


def test_a_volume_is_removed_alone() -> None:
    host = online(LogicalVolume("b", GiB, True, device="/dev/dm-1"), size=GiB)
    held = {**host.contents, "/dev/dm-1": Content((EXT4,))}
    host = host._replace(contents=held, filesystems={**host.filesystems, "/dev/dm-1": Filesystem("ext4", "e")})
    gone = Volume("b", state="absent")
    refused(host, "volume data/b cannot be removed: data/b holds an ext4 .*Set allow_destroy", False, volume(), gone)
    made = plan(host, True, volume(size=Percent(100)), gone)
    assert outline(made) == [
        "wipe volume data/b",
        "remove volume data/b",
        "extend volume data/data",
        "grow volume data/data",
    ]
    assert destroyed(made) == [f'data/b: an ext4 filesystem labelled "backup" (UUID {EXT4.uuid})']
    assert plan(made.after, False, gone).steps == ()
    refused(OTHERS, r"snap \(snapshot of data\) would go with data/data", True, Volume("data", state="absent"))


def test_what_is_mounted_inside_is_unmounted_first() -> None:
    inner = LogicalVolume("inner", GiB, True, device="/dev/dm-1")
    line = LINE.replace("f5 /srv", "e /srv/in")
    mounts = (*ONLINE.mounts, Mount("/dev/dm-1", "/srv/in", "xfs", "rw"))
    host = online(inner, size=GiB, mounts=mounts, fstab=LINE + line)
    host = host._replace(filesystems={**host.filesystems, "/dev/dm-1": Filesystem("xfs", "e", size=GiB)})
    out = plan(host, False, volume(mount_point=""), volume(name="inner", mount_point=""))
    assert [step.detail for step in out.steps if step.verb == "unmount"] == ["/srv/in", "/srv"]
    assert (out.after.mounts, out.after.files[FSTAB]) == ((), "")


def test_two_groups_of_one_name() -> None:
    first, second = (
        Group("data", physical_volumes=(PhysicalVolume(path),), uuid=uuid)
        for path, uuid in ((SDB, "A-1"), (SDC, "B-2"))
    )
    for state in ("online", "offline", "absent"):
        said = "drive data: there are 2 volume groups of that name, A-1 on /dev/sdb and B-2 on /dev/sdc.*vgrename B-2"
        refused(BLANK._replace(lvm=Lvm((first, second))), said, True, state=state, devices=(SDB,))


def with_past(
    stray: StrayVolume | None = None,
    holders: tuple[str, ...] = (),
    hidden: tuple[StrayVolume, ...] = (),
    rejections: dict[str, str] | None = None,
    **words: Any,
) -> Host:
    """A drive on sdb, whose metadata has changed five times, and what sdc says."""
    host = online()
    (group,) = host.groups().groups
    pvs = (group.physical_volumes[0]._replace(uuid="P-1", missing=bool(words.pop("missing", False))),)
    group = group._replace(physical_volumes=pvs, uuid="V-1", sequence=5, **words)
    devices = {**host.devices, SDC: host.devices[SDC]._replace(holders=holders)}
    lvm = Lvm((group,), stray=(stray,) if stray else (), hidden=hidden)
    contents = {**host.contents, SDC: PV}
    return host._replace(lvm=lvm, devices=devices, contents=contents, rejections=rejections or host.rejections)


TWIN = StrayVolume(SDC, "P-1", "data", "V-1", 2, ("data",))
FORMER = StrayVolume(SDC, "P-2", "data", "V-1", 2, ("data", "old"))


@pytest.mark.parametrize("state", ["online", "offline", "absent"])
@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            with_past(TWIN._replace(duplicate=True)),
            r"LVM takes /dev/sdb .*metadata 5\), and /dev/sdc is an older copy of .*LVM changes nothing in the group",
        ),
        (with_past(TWIN, holders=(DEVICE,)), "Volumes run on /dev/sdc now: what was written .* is only there"),
        (with_past(missing=True), "/dev/sdb was away while its group changed.*vgextend --restoremissing data /dev/sdb"),
        (with_past(exported=True), "its volume group is exported; take it in first .vgimport data."),
    ],
)
def test_a_group_in_which_lvm_changes_nothing(host: Host, said: str, state: str) -> None:
    refused(host, f"^drive data: .*{said}", True, state=state)


@pytest.mark.parametrize(
    ("stray", "said"),
    [
        (TWIN, "/dev/sdc is an older copy of a physical volume of group data (metadata 2). It is left as it is; disc"),
        (
            FORMER,
            "/dev/sdc is a former physical volume of group data, which went on without it: metadata 2, and the group "
            "has 5 now, with the volumes data, old. It is left as it is",
        ),
    ],
)
def test_a_device_with_an_older_state_is_warned_of_and_kept(stray: StrayVolume, said: str) -> None:
    host = with_past(stray)
    made = drive.plan(host, want(), False)
    assert made.steps == ()
    (warning,) = made.warnings
    assert warning.startswith(f"drive data: {said}")
    refused(host, "/dev/sdc: refused as a device of data: it is an? .*metadata 2", devices=(SDB, SDC))
    refused(host, "drive data cannot be removed while /dev/sdc is here: it is an? ", True, state="absent")
    taken = plan(host._replace(expendable=(SDC,)), devices=(SDB, SDC))
    assert (outline(taken), taken.warnings) == (["wipe device /dev/sdc", "extend drive data"], ())
    # What somebody else works with is no concern of the group's.
    busy = host._replace(contents={**host.contents, SDC: PV._replace(busy=True)})
    assert drive.plan(busy, want(), False).warnings == ()


HIDDEN = StrayVolume(SDC, "P-9", "other", "V-9", 3, ("srv",))


@pytest.mark.parametrize(
    ("stray", "rejection", "said"),
    [
        (
            HIDDEN,
            "device is not in devices file",
            "here: device is not in devices file. .*lvmdevices --adddev /dev/sdc",
        ),
        (HIDDEN, "device is rejected by filter config", r"rejected by filter config. .*\(filter and global_filter"),
        (HIDDEN._replace(system_id="host2"), "", "to the host with the system ID host2. Leave it to that host"),
        (HIDDEN._replace(lock_type="sanlock"), "", "by locks of type sanlock. .*vgchange --lockstart other"),
        (HIDDEN, "", "LVM does not say why. See what `pvs /dev/sdc` says"),
    ],
)
def test_a_group_that_lvm_hides_is_a_group(stray: StrayVolume, rejection: str, said: str) -> None:
    """Also with permission to destroy, whatever is asked of its device or of its name."""
    host = online()._replace(lvm=Lvm(online().groups().groups, hidden=(stray,)), rejections={SDC: rejection, SDB: ""})
    what = r"a physical volume of volume group other \(with the volumes srv\), which LVM does not show"
    refused(host, f"^/dev/sdc: refused as a device of data: it is {what}.*{said}", True, devices=(SDB, SDC))
    for state in ("online", "offline", "absent"):
        refused(host, f"^drive other: /dev/sdc is {what}.*{said}", True, name="other", state=state, devices=(SDB,))
    (found,) = [finding for finding in health(host._replace(spaces={}), {}) if finding.problem == "hidden"]
    assert found.severity == ("notice" if stray.system_id or stray.lock_type else "warning")
    assert re.search(said, f"{found.detail}. {found.remedy}")


def test_a_physical_volume_of_a_group_that_lvm_hides_from_it() -> None:
    host = with_past(
        hidden=(StrayVolume(SDC, "P-2", "data", "V-1", 5),), rejections={SDC: "device is not in devices file"}
    )
    (group,) = host.groups().groups
    gone = PhysicalVolume("[unknown]", uuid="P-2", missing=True)
    group = group._replace(physical_volumes=(*group.physical_volumes, gone))
    host = host._replace(lvm=host.groups()._replace(groups=(group,)))
    refused(host, "P-2 is missing. /dev/sdc is a physical volume of volume group data, which LVM does not", True)
    # Of a group whose metadata other devices have, nobody knows the name.
    bare = BLANK._replace(lvm=Lvm(hidden=(StrayVolume(SDC, "P-2", elsewhere=True),)))
    refused(bare, "refused .*a volume group whose metadata is elsewhere, which LVM does not show", True, devices=(SDC,))


@pytest.mark.parametrize(
    ("reason", "accepted"),
    [
        ("device is rejected by filter config", False),
        ("device is an LV", False),
        ("device is partitioned", True),
        ("device is an md component", True),
        ("device is not in devices file", True),
    ],
)
def test_what_lvm_has_against_a_device(reason: str, accepted: bool) -> None:
    """Before anything is erased on it; what goes with its content is no hindrance."""
    host = BLANK._replace(contents={**BLANK.contents, SDB: Content((EXT4,))}, rejections={SDB: reason})
    if accepted:
        assert outline(plan(host, True, devices=(SDB,)))[:2] == ["wipe device /dev/sdb", "create drive data"]
    else:
        refused(
            host, rf"^/dev/sdb: refused as a device of data: LVM does not use it \({reason}\)", True, devices=(SDB,)
        )


def ruled(pv: dict[str, Any] | None = None, lv: dict[str, Any] | None = None, **words: Any) -> Host:
    """A drive with one volume of 1 GiB, whose group, physical volume or logical volume has a rule of LVM's."""
    host = online(size=GiB, tags=(TAG,))
    (group,) = host.groups().groups
    pvs = tuple(one._replace(**pv or {}) for one in group.physical_volumes)
    volumes = tuple(one._replace(**lv or {}) for one in group.volumes)
    return host._replace(lvm=Lvm((group._replace(physical_volumes=pvs, volumes=volumes, **words),)))


LARGER = (volume(size=2 * GiB),)
ANOTHER = (volume(), volume(name="more", mount_point=None, size=GiB))


@pytest.mark.parametrize(
    ("host", "words", "said"),
    [
        (ruled(fixed=True), {"devices": (SDB, SDC)}, "not resizeable, so no .*: vgchange --resizeable y data"),
        (ruled(fixed=True), {"devices": (SDC,)}, "is not resizeable"),
        (ruled(most_devices=1), {"devices": (SDB, SDC)}, "may have 1 devices at most, and 2 are wanted"),
        (ruled(most_volumes=1), {"volumes": ANOTHER}, "may have 1 volumes at most, and has them"),
        (ruled({"closed": True}, free=0), {"volumes": LARGER}, "Its devices /dev/sdb are not allocatable"),
        (ruled(lv={"room": 4 * MiB}), {"volumes": LARGER}, "has room for 1 GiB. LVM's policy of allocation keeps"),
        (ruled(room=4 * MiB), {"volumes": ANOTHER}, "has room for 4 MiB. LVM's policy of allocation keeps"),
        (ruled(lv={"read_only": True}), {"volumes": LARGER}, "it is read-only .lvchange --permission rw"),
        (ruled(lv={"read_only": True}), {"volumes": (volume(mount_options="noatime"),)}, "and so would be what is mou"),
        (ruled(lv={"read_only": True}), {"volumes": (volume(mount_point="/mnt"),)}, "and so would be what is mounted"),
        (ruled(lv={"read_only": True}), {"state": "absent"}, "and is read-only. Make it writable first"),
        (ruled(lv={"locked": True}, moving=(SDB,)), {"state": "absent"}, "a pvmove away from /dev/sdb goes on"),
        (ruled(lv={"locked": True}), {"volumes": LARGER}, "a pvmove away from a device goes on"),
    ],
)
def test_a_rule_of_lvm_is_known_before_the_first_step(host: Host, words: dict[str, Any], said: str) -> None:
    host = host._replace(contents={**host.contents, SDC: Content((EXT4,))})
    refused(host, said, True, **words)


def test_what_a_rule_of_lvm_does_not_touch_stays_as_it_is() -> None:
    for host in (ruled(fixed=True, most_devices=1, most_volumes=1), ruled(lv={"read_only": True, "room": 0})):
        assert plan(host, devices=(SDB,)).steps == ()
    assert plan(ruled(lv={"room": 0}), False, ALL).steps == ()
    made = plan(ruled(lv={"room": 8 * MiB}), False, ALL)
    assert commands(made)[0] == f"lvextend --size {GiB + 8 * MiB}b data/data"


def test_a_volume_that_is_activated_only_on_demand_is_so_no_more() -> None:
    host = offline()
    (group,) = host.groups().groups
    skipped = group.volumes[0]._replace(skipped=True)
    host = host._replace(lvm=Lvm((group._replace(volumes=(skipped,)),)))
    command = "lvchange --setautoactivation y --setactivationskip n data/data"
    assert commands(drive.plan(host, want(), False))[0] == command
    gone = plan(host, True, state="absent")
    assert commands(gone)[0] == "lvchange --activate y --ignoreactivationskip data/data"


def test_what_waits_for_a_pvmove_of_somebody_else_is_pending() -> None:
    host = ruled(lv={"locked": True}, moving=(SDB,), free=SPACE - 2 * GiB)
    made = drive.plan(host, want(*LARGER), False)
    until = "once the pvmove away from /dev/sdb has ended"
    assert (made.steps, made.after) == ((), host)
    assert made.pending[0] == f"extend volume data/data: logical volume to 2 GiB, {until}"
    gone = drive.plan(host, want(volume(state="absent")), True)
    assert [sentence.split()[0] for sentence in gone.pending] == ["unmount", "persist", "wipe", "remove"]
    assert drive.plan(host, want(), False).pending == ()
    refused(host, "has 1 GiB, and 512 MiB is wanted. Set allow_shrink", volumes=(volume(size=512 * MiB),))


def test_what_waits_for_a_move_of_its_own_comes_after_it() -> None:
    host = online(devices="bc", size=GiB, tags=(TAG,))
    (group,) = host.groups().groups
    locked = (group.volumes[0]._replace(locked=True),)
    host = host._replace(lvm=Lvm((group._replace(volumes=locked, moving=(SDC,), free=2 * SPACE - 2 * GiB),)))
    made = plan(host, True, volume(size=2 * GiB), devices=(SDB,))
    assert [step.verb for step in made.steps] == ["empty", "reduce", "clear", "extend", "grow"]
    (group,) = made.after.groups().groups
    assert (group.size, group.free) == (SPACE, SPACE - 2 * GiB)
    assert [step.verb for step in plan(host, True, volume(state="absent"), devices=(SDB,)).steps][:3] == [
        *("empty", "reduce", "clear")
    ]


# Found again


@pytest.mark.parametrize(
    "words",
    [{}, {"devices": ("sdb",)}, {"devices": ("/dev/disk/by-id/sdb",)}, {"volumes": None}, {"volumes": ()}],
)
def test_what_is_as_it_should_be_stays(words: dict[str, Any]) -> None:
    assert plan(ONLINE, **words) == Plan((), ONLINE)


@pytest.mark.parametrize(
    "line",
    [
        "/dev/data/data /srv xfs noatime 0 0\n",
        "/dev/mapper/data-data /srv xfs noatime 0 0\n",
        "/dev/disk/by-uuid/f5 /srv xfs noatime 0 0\n",
        'UUID="f5" /srv xfs noatime\n',
    ],
)
def test_the_users_line_stays_however_it_calls_the_volume(line: str) -> None:
    assert plan(online(fstab=line)).steps == ()


def test_dashes_are_doubled_in_mapper_names() -> None:
    made = plan(BLANK, name="my-data", volumes=(volume(name="a-b"),), devices=(SDB,))
    mapped = made.after.with_file(FSTAB, "/dev/mapper/my--data-a--b /srv xfs noatime 0 0\n")
    assert drive.plan(mapped, Drive("my-data", volumes=(volume(name="a-b"),)), False).steps == ()


@pytest.mark.parametrize(
    ("allow", "said"),
    [(False, "holds an xfs filesystem .*and ext4 is wanted"), (True, "volume data/data: /dev/dm-0 is mounted on /srv")],
)
def test_another_filesystem_in_use_is_refused_either_way(allow: bool, said: str) -> None:
    refused(ONLINE, said, allow, volume(filesystem="ext4"))


def test_another_filesystem_needs_permission() -> None:
    host = online(mounts=(), fstab="", directories={"/srv": True})
    refused(
        host,
        "holds an xfs filesystem .*and ext4 is wanted. Leave filesystem out to keep it. Set allow_destroy",
        False,
        volume(filesystem="ext4"),
    )
    made = plan(host, True, volume(filesystem="ext4"))
    assert outline(made)[:2] == ["wipe device /dev/dm-0", "format volume data/data"]
    assert destroyed(made) == ["/dev/dm-0: an xfs filesystem (UUID f5)"]


def test_a_volume_that_was_made_and_not_formatted_is_formatted() -> None:
    host = online(mounts=(), fstab="", directories={"/srv": True}, contents={DEVICE: Content()})
    host = host._replace(filesystems={DEVICE: None})
    assert outline(plan(host))[0] == "format volume data/data"


def holding(*signatures: str, busy: bool = False, **more: Any) -> Host:
    """The volume, not mounted, with that on it; no filesystem that could be read."""
    content = Content(tuple(Signature(kind) for kind in signatures), busy)
    parts: dict[str, Any] = {"mounts": (), "fstab": "", "directories": {"/srv": True}, **more}
    return online(size=GiB, contents={DEVICE: content}, **parts)._replace(filesystems={DEVICE: None})


@pytest.mark.parametrize("held", ["crypto_LUKS", "vfat", "LVM2_member", "gpt", "linux_raid_member", ""])
def test_a_volume_whose_filesystem_nobody_says_keeps_what_it_holds(held: str) -> None:
    host = holding(*filter(None, [held]))
    assert plan(host, True, Volume("data")).steps == ()
    assert plan(host, True, Volume("data", GiB)).steps == ()
    assert [step.verb for step in plan(host, True, Volume("data", 2 * GiB)).steps] == ["extend"]
    said = "is kept as it is: leave label, mount_point out" if held else "say also filesystem to have one made"
    refused(host, said, True, Volume("data", label="x", mount_point="/srv"))


def test_what_looks_blank_is_cut_off_only_with_permission() -> None:
    small = Volume("data", GiB // 2)
    refused(holding(), "would be cut off. Keep its size. Set allow_destroy", False, small, allow_shrink=True)
    assert outline(plan(holding(), True, small, allow_shrink=True)) == ["reduce volume data/data"]


def test_what_no_task_mounts_again_is_not_taken_offline() -> None:
    host = holding("ntfs", mounts=(Mount(DEVICE, "/srv", "ntfs", "rw"),))
    refused(host, "ntfs is mounted of it on /srv, and a task mounts only", True, Volume("data"), state="offline")


def test_what_is_seen_through_a_volume_is_of_what_holds_it() -> None:
    host = online(mounts=(), fstab="")
    device = host.devices[DEVICE]._replace(holders=("/dev/md0",))
    host = host._replace(devices={**host.devices, DEVICE: device})
    (found,) = drive.dump(host, host.groups().groups[0])["volumes"]
    assert found == {"name": "data", "size": SPACE}
    assert plan(host, True, Volume("data", SPACE)).steps == ()


@pytest.mark.parametrize(
    ("active", "autoactivation", "state", "said"),
    [
        (True, True, "online", ["data"]),
        (True, False, "online", ["data"]),
        (False, True, "online", []),
        (False, False, "offline", ["data"]),
    ],
)
def test_offline_is_what_no_boot_activates(active: bool, autoactivation: bool, state: str, said: list[str]) -> None:
    host = online() if active else offline()
    (group,) = host.groups().groups
    group = group._replace(volumes=(group.volumes[0]._replace(autoactivation=autoactivation),))
    found = drive.dump(host, group)
    assert (found["state"], [one["name"] for one in found["volumes"]]) == (state, said)


@pytest.mark.parametrize("kind", ["ext2", "ext3"])
def test_an_older_ext_is_used_as_it_is(kind: str) -> None:
    line = LINE.replace("xfs", "ext4")
    mounts = (Mount(DEVICE, "/srv", "ext4", "rw,relatime"),)
    host = online(size=GiB, filesystem=Filesystem(kind, "f5", size=GiB), fstab=line, mounts=mounts)
    (found,) = drive.dump(host, host.groups().groups[0])["volumes"]
    assert (found["filesystem"], found["mount_point"]) == (kind, "/srv")
    as_found = {word: value for word, value in found.items() if word != "name"}
    assert plan(host, False, Volume("data", **as_found)).steps == ()
    grown = plan(host, False, Volume("data", 2 * GiB))
    assert [str(one) for one in grown.steps[-1].actions] == ["resize2fs /dev/data/data"]


def test_a_volume_that_a_crash_left_without_its_filesystem_gets_it() -> None:
    record = Unfinished("/r", "create volume data/data", "volume data/data", "", (SDB,), (SDB,))
    host = holding()._replace(unfinished=(record,))
    made = plan(host, False, Volume("data"))
    assert outline(made) == ["inspect volume data/data", "format volume data/data"]
    inspected, formatted = (step.intent for step in made.steps)
    assert inspected
    assert not inspected.last
    assert formatted
    assert formatted.replaces == "volume data/data"
    begun = Unfinished("/r", "format", "filesystem on x", "f5", (DEVICE,), (DEVICE,))
    assert outline(plan(holding()._replace(unfinished=(begun,)), False, Volume("data"))) == ["format volume data/data"]
    taken = holding("crypto_LUKS")._replace(unfinished=(begun,))
    assert plan(taken, False, Volume("data")).steps == ()


def test_what_is_read_only_gets_no_filesystem() -> None:
    host = online(
        mounts=(), fstab="", directories={"/srv": True}, contents={DEVICE: Content()}, filesystems={DEVICE: None}
    )
    host = host._replace(devices={**host.devices, DEVICE: host.devices[DEVICE]._replace(read_only=True)})
    refused(host, "volume data/data: /dev/data/data is read-only, and holds no xfs", True)


# Growth


def test_another_device_grows_all_of_it_while_mounted() -> None:
    made = plan(ONLINE, False, ALL, devices=(SDB, SDC))
    assert made.steps == (
        step(
            "extend",
            "volume group by /dev/sdc",
            run("vgextend", "data", SDC),
            run("pvchange", "--addtag", TAG, SDC),
            kind="drive",
            name="data",
            claims=(claim(SDC),),
            flush=(SDC,),
            undo=(Unlabel(SDC),),
            intent=intent("drive data", "", SDC),
        ),
        step(
            "extend",
            "logical volume to 20 GiB",
            run("lvextend", "--extents", "+100%FREE", "data/data"),
            flush=(SDB, SDC),
        ),
        step("grow", "the filesystem to 20 GiB", Grow("xfs", "/dev/data/data", "/srv"), flush=("/dev/data/data",)),
    )
    (group,) = made.after.groups().groups
    assert (group.size, group.free, group.volumes[0].size) == (2 * SPACE, 0, 2 * SPACE)


def test_devices_that_somebody_else_put_there_stay() -> None:
    host = online(devices="bc", size=GiB)
    assert plan(host, False, volume(size=GiB), devices=(SDB,)).steps == ()
    told = plan(host, False, volume(size=GiB), devices=(SDB,), remove_foreign_devices=True)
    assert outline(told) == ["empty drive data", "reduce drive data", "clear drive data"]


def test_a_device_that_is_not_listed_any_more_leaves_empty() -> None:
    host = online(devices="bc", size=GiB, tags=(TAG,))
    made = plan(host, False, volume(size=GiB), devices=(SDB,))
    assert commands(made) == [f"pvmove --interval 2 {SDC} {SDB}", f"vgreduce data {SDC}", f"pvremove {SDC}"]
    assert destroyed(made) == []
    (group,) = made.after.groups().groups
    assert ([pv.device for pv in group.physical_volumes], group.size, group.free) == ([SDB], SPACE, SPACE - GiB)
    assert made.after.contents[SDC] == Content()
    # All of them by another one, and one that holds nothing.
    moved = plan(host, False, volume(size=GiB), devices=(SDD,))
    assert [step.verb for step in moved.steps] == ["extend", *["empty", "reduce", "clear"] * 2]
    (group,) = host.groups().groups
    idle = tuple(pv._replace(used=0) for pv in group.physical_volumes)
    host = host._replace(lvm=Lvm((group._replace(physical_volumes=idle),)))
    assert [step.verb for step in plan(host, False, volume(size=GiB), devices=(SDB,)).steps] == ["reduce", "clear"]


def test_what_does_not_fit_on_the_others_is_not_moved() -> None:
    host = online(devices="bc", size=SPACE + GiB, tags=(TAG,))
    message = (
        "without /dev/sdc its volumes lack 1 GiB of room; nothing was moved. List larger devices than /dev/sdb, or"
    )
    refused(host, message, devices=(SDB,), volumes=())
    refused(host, "its volumes lack 1 GiB of room; nothing was moved", devices=(SDB,))
    refused(host, "volume data/data has 11 GiB, and 10 GiB is wanted. Set allow_shrink", False, ALL, devices=(SDB,))
    btrfs = online(devices="bc", size=2 * SPACE, tags=(TAG,), filesystem=Filesystem("btrfs", "f5", size=2 * SPACE))
    made = plan(btrfs, False, volume(filesystem=None, size=Percent(100)), devices=(SDB,), allow_shrink=True)
    assert outline(made)[:3] == ["shrink volume data/data", "reduce volume data/data", "empty drive data"]


def test_a_move_that_was_begun_goes_on_and_no_other_is_started() -> None:
    host = online(devices="bc", size=GiB, tags=(TAG,))
    (group,) = host.groups().groups
    host = host._replace(lvm=Lvm((group._replace(moving=(SDC,), free=2 * SPACE - 2 * GiB),)))
    made = plan(host, False, volume(size=GiB), devices=(SDB,))
    assert commands(made)[0] == f"pvmove --interval 2 {SDC} {SDB}"
    other = drive.plan(host, want(volume(size=GiB), devices=(SDB, SDC, SDD)), False)
    assert (other.steps, other.in_progress) == ((), ("drive data: a pvmove away from /dev/sdc",))


def test_a_device_that_grew_is_used() -> None:
    host = online()
    (group,) = host.groups().groups
    larger = (group.physical_volumes[0]._replace(device_size=20 * GiB),)
    host = host._replace(lvm=Lvm((group._replace(physical_volumes=larger),)))
    assert commands(plan(host, False, ALL))[:2] == [f"pvresize {SDB}", "lvextend --extents +100%FREE data/data"]
    assert commands(plan(host)) == [f"pvresize {SDB}"]
    assert plan(host, devices=(SDB,)).after.groups().groups[0].size == 20 * GiB - EXTENT
    # Or is going to, in the plan of what lies below.
    growing = online()
    growing = growing._replace(devices={**growing.devices, SDB: growing.devices[SDB]._replace(size=20 * GiB)})
    assert commands(plan(growing)) == commands(plan(host))


@pytest.mark.parametrize(
    ("optimal_io", "start"),
    [(0, MiB), (512 << 10, MiB), (192 << 10, 192 << 10), (1536 << 10, 1536 << 10), (8 * MiB, 8 * MiB)],
)
def test_where_lvm_begins_to_use_a_device(optimal_io: int, start: int) -> None:
    """Aligned for what the device calls its best size to write; that is no device that grew."""
    device = disk(SDB)._replace(optimal_io=optimal_io)
    assert data_start(device) == start
    size = (10 * GiB - start) // EXTENT * EXTENT
    made = drive.plan(a_host(device, directories={"/srv": None}), want(devices=(SDB,)), False)
    assert made.after.groups().groups[0].size == size
    host = online(size=size)
    (group,) = host.groups().groups
    (volume,) = group.physical_volumes
    there = group._replace(size=size, free=0, physical_volumes=(volume._replace(size=size, start=start),))
    assert drive.plan(host._replace(lvm=Lvm((there,))), want(devices=(SDB,)), False).steps == ()


# Smaller


def of_kind(kind: str, **more: Any) -> Host:
    return online(filesystem=Filesystem(kind, "f5", size=SPACE), fstab=LINE.replace("xfs", kind), **more)


def test_btrfs_shrinks_while_mounted() -> None:
    made = plan(of_kind("btrfs"), False, volume(size=GiB, filesystem=None), allow_shrink=True)
    assert commands(made) == [
        f"btrfs filesystem resize 1:{GiB} /srv",
        f"lvreduce --yes --force --size {GiB}b data/data",
    ]
    assert the_step(made, "reduce").claims == (Spans("/dev/data/data", "/srv", GiB),)
    # What a power cut left in between goes on.
    cut = of_kind("btrfs", filesystems={DEVICE: Filesystem("btrfs", "f5", size=GiB)})
    assert outline(plan(cut, False, volume(size=GiB, filesystem=None), allow_shrink=True)) == [
        "reduce volume data/data"
    ]


def test_ext4_shrinks_while_it_is_not_mounted() -> None:
    small = volume(size=GiB, filesystem=None)
    refused(of_kind("ext4"), "shrinks only while nobody uses it. Set allow_offline", False, small, allow_shrink=True)
    made = plan(of_kind("ext4"), False, small, allow_shrink=True, allow_offline=True)
    ext4 = f"UUID=f5 /srv ext4 {OPTIONS}"
    assert the_step(made, "shrink").intent == intent("shrink of volume data/data", "f5", "/dev/data/data")
    assert [str(action) for step in made.steps for action in (*step.claims, *step.actions)] == [
        "umount /srv",
        "e2fsck -f -p /dev/data/data",
        f"edit /etc/fstab: -{ext4} 0 0 +{ext4} 0 2",
        "systemctl daemon-reload",
        f"resize2fs /dev/data/data {GiB >> 10}K",
        f"check that what is on /dev/data/data spans {GiB} bytes at most",
        f"lvreduce --yes --force --size {GiB}b data/data",
        "mount --types xfs --options defaults UUID=f5 /srv",
    ]


@pytest.mark.parametrize(
    ("host", "words", "said"),
    [
        (ONLINE, {}, "volume data/data: xfs cannot shrink"),
        (of_kind("btrfs", mounts=()), {}, "shrinks only while it is mounted"),
        (of_kind("btrfs"), {"size": 64 * MiB}, "btrfs shrinks to 256 MiB at least, and 64 MiB is wanted"),
        (online(filesystems={DEVICE: None}), {}, "it holds an xfs filesystem .* which cannot be made smaller"),
        (offline(), {}, "bring it online at its size first"),
    ],
)
def test_what_does_not_shrink(host: Host, words: dict[str, Any], said: str) -> None:
    one = volume(**{"size": GiB, "filesystem": None, **words})
    refused(host, said, True, one, allow_shrink=True, allow_offline=True)


# Labels and swap


@pytest.mark.parametrize(
    ("kind", "mounted", "command"),
    [
        ("btrfs", True, "btrfs filesystem label /srv new"),
        ("ext4", True, "e2label /dev/data/data new"),
        ("xfs", True, "xfs_io -c label -s new /srv"),
        ("xfs", False, "xfs_admin -L new /dev/data/data"),
    ],
)
def test_a_label_changes(kind: str, mounted: bool, command: str) -> None:
    host = of_kind(kind) if mounted else of_kind(kind, mounts=())
    named = volume(filesystem=None, label="new", mount_point="/srv" if mounted else None)
    made = plan(host, False, named)
    assert [str(action) for action in the_step(made, "label").actions] == [command]
    assert made.after.filesystem(DEVICE) == Filesystem(kind, "f5", "new", SPACE)


def test_labels_of_new_and_old_filesystems_are_no_longer_than_they_can_be() -> None:
    assert "-L new" in str(the_step(plan(BLANK, False, volume(label="new"), devices=(SDB,)), "format").actions[0])
    for host, words in ((BLANK, {"devices": (SDB,)}), (ONLINE, {})):
        refused(
            host,
            "label thirteenchars has 13 characters, and that of xfs has",
            False,
            volume(label="thirteenchars"),
            **words,
        )


def test_swap() -> None:
    swap = volume(filesystem="swap", mount_point=None)
    made = plan(BLANK, False, swap, devices=(SDB,))
    assert commands(made)[3:] == [
        "mkswap --uuid <uuid:filesystem/data/data> /dev/data/data",
        f"edit {FSTAB}",
        "swapon /dev/data/data",
    ]
    assert made.after.files[FSTAB] == f"UUID=<uuid:filesystem/data/data> none swap {OPTIONS} 0 0\n"
    assert made.after.swaps == ("/dev/data/data",)
    gone = plan(made.after, state="offline")
    assert outline(gone)[:2] == ["disable swap data/data", "persist mount data/data"]
    assert (gone.after.swaps, gone.after.files[FSTAB]) == ((), "")

    line = f"UUID=f5 none swap {OPTIONS} 0 0\n"
    used = online(filesystem=Filesystem("swap", "f5", size=GiB), mounts=(), swaps=(DEVICE,), fstab=line)
    assert plan(used, False, swap).steps == ()
    grown = plan(used, False, swap._replace(size=Percent(100)))
    assert commands(grown) == ["swapoff /dev/data/data", "mkswap --uuid f5 /dev/data/data", "swapon /dev/data/data"]
    ((item, _status),) = drive.survey(used)
    assert item["volumes"][0]["filesystem"] == "swap"
    assert "mount_point" not in item["volumes"][0]
    smaller = volume(filesystem="swap", mount_point=None, size=2 * GiB)
    refused(used, "Set allow_offline", False, smaller, allow_shrink=True)
    made = plan(used, False, smaller, allow_shrink=True, allow_offline=True)
    assert [step.verb for step in made.steps] == ["disable", "reduce", "format", "enable"]


@pytest.mark.parametrize(
    ("size", "argument"),
    [
        (2 * GiB, f"--size {2 * GiB}b"),
        (Percent(50), f"--size {SPACE // 2 // EXTENT * EXTENT}b"),
        (Percent(100), "--extents +100%FREE"),
    ],
)
def test_a_volume_grows_to_an_explicit_size(size: object, argument: str) -> None:
    made = plan(online(size=GiB), False, volume(size=size))
    assert commands(made)[0] == f"lvextend {argument} data/data"
    assert outline(made) == ["extend volume data/data", "grow volume data/data"]


def test_what_lies_on_a_bare_volume_keeps_its_size() -> None:
    bare = Volume("data", 2 * GiB, filesystem="none")
    assert outline(plan(online(size=GiB), False, bare)) == ["extend volume data/data"]


def test_a_diff_shows_the_size_that_a_volume_gets() -> None:
    made = plan(online(size=GiB), False, volume(size=2 * GiB))
    assert made.after.devices[DEVICE].size == 2 * GiB
    assert "2 GiB" in draw(tree(made.after, findings=False))


def test_growing_goes_on_where_it_was_cut_short() -> None:
    cut = online(filesystem=Filesystem("xfs", "f5", size=GiB))
    assert outline(plan(cut, False, ALL)) == ["grow volume data/data"]


def test_a_size_that_is_omitted_stays() -> None:
    assert plan(online(size=GiB)).steps == ()
    # So does that of a filesystem: xfs could not shrink again.
    assert plan(online(filesystem=Filesystem("xfs", "f5", size=GiB))).steps == ()
    assert outline(plan(online(size=GiB), devices=(SDB, SDC))) == ["extend drive data"]


@pytest.mark.parametrize(
    "filesystem",
    [
        pytest.param(Filesystem("xfs", "f5", size=SPACE - EXTENT + 1), id="less than an extent"),
        # mkfs.ext4 leaves out a last block group that would hold little more than its own tables.
        pytest.param(Filesystem("ext4", "f5", size=10368 * MiB), id="ext4 of 10372 MiB, as mke2fs makes it"),
    ],
)
def test_a_filesystem_that_cannot_grow_is_left_alone(filesystem: Filesystem) -> None:
    size = SPACE if filesystem.type == "xfs" else 10372 * MiB
    line = LINE.replace("xfs", filesystem.type)
    host = online(size=size, devices="bc", filesystem=filesystem, fstab=line)
    assert plan(host, False, volume(filesystem=None, size=size)).steps == ()


@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_what_grows_only_while_mounted_says_so(kind: str) -> None:
    host = online(mounts=(), size=GiB, filesystem=Filesystem(kind, "f5", size=GiB))
    refused(host, "grows only while it is mounted: say also mount_point", False, Volume("data", Percent(100)))
    as_it_is = host._replace(filesystems={DEVICE: Filesystem(kind, "f5", size=GiB // 2)})
    assert plan(as_it_is, False, Volume("data", GiB)).steps == ()


@pytest.mark.parametrize(
    ("damaged", "mounted", "options", "said"),
    [
        (False, "ext4", "ro,relatime", "is mounted read-only on /srv"),
        (True, "ext4", "rw,relatime", "says that errors were found in it"),
        (False, "ext2", "rw,relatime", "is mounted as ext2 on /srv, as which the kernel does not grow it"),
    ],
)
def test_what_the_kernel_does_not_grow(damaged: bool, mounted: str, options: str, said: str) -> None:
    found = Filesystem("ext4", "f5", size=GiB, damaged=damaged)
    line = LINE.replace("xfs", "ext4")
    host = online(size=GiB, filesystem=found, fstab=line, mounts=(Mount(DEVICE, "/srv", mounted, options),))
    refused(host, said, False, volume(filesystem=None, size=2 * GiB))
    smaller = host._replace(filesystems={DEVICE: found._replace(size=GiB // 2)})
    assert plan(smaller, False, volume(filesystem=None, size=GiB)).steps == ()


def test_a_size_that_a_btrfs_cannot_be_grown_to() -> None:
    small = Filesystem("btrfs", "f5", size=160 * MiB)
    host = online(size=160 * MiB, filesystem=small, mounts=(Mount(DEVICE, "/srv", "btrfs", "rw"),))
    refused(host, "no new size below 256 MiB. Say at least that", False, Volume("data", 200 * MiB))
    assert [step.verb for step in plan(host, False, Volume("data", 256 * MiB)).steps] == ["extend", "grow"]
    half = online(size=200 * MiB, filesystem=small, mounts=(Mount(DEVICE, "/srv", "btrfs", "rw"),))
    assert plan(half, False, Volume("data", 200 * MiB)).steps == ()


@pytest.mark.parametrize("size", [GiB, Percent(50)])
def test_shrinking_is_refused(size: object) -> None:
    refused(ONLINE, "volume data/data has 10 GiB, and .* is wanted. Set allow_shrink", True, volume(size=size))


def test_a_share_that_others_have_taken_does_not_fit() -> None:
    host = online(LogicalVolume("b", 6 * GiB), size=GiB)
    refused(host, "does not fit", False, volume(size=Percent(80)))


# Offline, and online again


def test_offline_is_written_down_once_it_is_unmounted() -> None:
    made = plan(ONLINE, state="offline")
    assert [s.actions for s in made.steps] == [
        (run("umount", "/srv"),),
        (Edit(FSTAB, LINE, ""), ReloadMounts()),
        (run("lvchange", "--setautoactivation", "n", "data/data"),),
        (run("lvchange", "--activate", "n", "data/data"),),
    ]
    assert made.after.groups().groups[0].volumes == (LogicalVolume("data", SPACE, False, False, ""),)
    assert (made.after.mounts, made.after.files[FSTAB]) == ((), "")


def test_offline_takes_along_the_bind_mounts_that_are_listed() -> None:
    shown = Mount(DEVICE, "/var/www", "xfs", "rw,relatime", part=True, root="/www")
    host = online(fstab=f"{LINE}/srv/www /var/www none bind,nofail 0 0\n", mounts=(*ONLINE.mounts, shown))
    refused(host, r"data/data: a directory of it is shown on /var/www as well \(a bind mount, now\)", state="offline")
    listed = volume(bind_mounts=(BindMount("/srv/www", Use(mount_point="/var/www")),))
    made = plan(host, False, listed, state="offline")
    assert commands(made)[:4] == ["umount /var/www", "umount /srv", f"edit {FSTAB}", f"edit {FSTAB}"]
    assert made.after.files[FSTAB] == ""
    gone = drive.plan(host, want(state="absent"), True)
    assert commands(gone)[:2] == ["umount /var/www", "umount /srv"]
    assert gone.after.files[FSTAB] == ""


def test_subvolumes_of_a_volume_that_comes_online() -> None:
    """Whether they are there is seen once it is active."""
    host = offline()._replace(directories={"/srv": True, "/home": True, "/var/www": True})
    words: dict[str, Any] = {"mount_point": None, "filesystem": None}
    subvolumes = (Subvolume("@home", Use(mount_point="/home")), Subvolume("@srv", Use(mount_point="/srv")))
    binds = (BindMount("/home/www", Use(mount_point="/var/www")),)
    made = drive.plan(host, want(volume(**words, subvolumes=subvolumes, bind_mounts=binds)), False)
    assert [str(one) for one in made.steps if one.kind in ("subvolume", "directory")] == [
        "create subvolume @home of data/data: unless it is there",
        "create subvolume @srv of data/data: unless it is there",
        "mount subvolume @home of data/data: /home",
        "mount subvolume @srv of data/data: /srv",
        "create directory /home/www: to show in another place",
        "mount directory /home/www: /var/www",
    ]
    refused(
        host,
        "whether there is such a subvolume is seen only once volume data/data is active",
        True,
        volume(**words, subvolumes=(Subvolume("@home", state="absent"),)),
    )


def test_mounts_of_two_volumes_inside_each_other() -> None:
    host = BLANK._replace(directories={"/srv": True})
    inner = volume(name="one", size=GiB, filesystem="btrfs", mount_point=None)
    inner = inner._replace(subvolumes=(Subvolume("in", Use(mount_point="/srv/a")),))
    made = plan(host, False, inner, volume(name="two", size=GiB), devices=(SDB,))
    assert [str(one) for one in made.steps if one.verb == "mount"] == [
        "mount volume data/two: /srv",
        "mount subvolume in of data/one: /srv/a",
    ]
    twice = inner._replace(subvolumes=(Subvolume("in", Use(mount_point="/srv")),))
    refused(host, "/srv is the mount_point of two volumes", False, twice, volume(name="two"), devices=(SDB,))


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            online(mounts=(*ONLINE.mounts, Mount(SDC, "/srv/x", "xfs", "rw,relatime"))),
            "/dev/sdc is mounted on /srv/x, inside it",
        ),
        (
            ONLINE._replace(devices={**ONLINE.devices, DEVICE: disk(DEVICE, holders=("/dev/dm-9",))}),
            "volume data/data is held by /dev/dm-9",
        ),
    ],
)
@pytest.mark.parametrize("state", ["offline", "absent"])
def test_what_is_in_use_stays(host: Host, said: str, state: str) -> None:
    refused(host, said, True, state=state)


def test_online_again() -> None:
    path = "/dev/data/data"
    kind, uuid = placeholder("filesystem-type", path), placeholder("filesystem-uuid", path)
    made = drive.plan(offline(), want(), False)
    assert [s.actions for s in made.steps] == [
        (run("lvchange", "--setautoactivation", "y", "data/data"),),
        (run("lvchange", "--activate", "y", "data/data"),),
        (Edit(FSTAB, "", f"UUID={uuid} /srv {kind} {OPTIONS} 0 <fsck-pass:{path}>\n"), ReloadMounts()),
        (MountOn(kind, "defaults", path, "/srv"),),
    ]
    after = made.after._replace(filesystems={path: Filesystem(kind, uuid, size=SPACE)})
    assert drive.plan(after, want(Volume("data", mount_point="/srv")), False).steps == ()


def test_online_and_larger_in_one_go() -> None:
    made = drive.plan(offline(), want(ALL, devices=(SDB, SDC)), False)
    verbs = ["extend", "persist", "activate", "extend", "persist", "mount", "grow"]
    assert [s.verb for s in made.steps] == verbs
    assert made.steps[-1].actions == (Grow("<filesystem-type:/dev/data/data>", "/dev/data/data", "/srv"),)


def test_a_volume_that_was_not_activated_at_boot_comes_back_to_its_line() -> None:
    host = offline().with_file(FSTAB, LINE)
    made = drive.plan(host, want(), False)
    assert commands(made)[-1].startswith("mount --types <filesystem-type:")


def test_what_an_activated_volume_holds_is_not_known_before() -> None:
    made = drive.plan(offline(), want(), False)
    assert made.after.contents["/dev/data/data"] == UNSEEN


# Absent


def test_absent_from_the_top_down() -> None:
    refused(ONLINE, "drive data cannot be removed: data/data holds an xfs filesystem", state="absent")
    made = plan(ONLINE, True, state="absent")
    assert outline(made) == [
        "unmount volume data/data",
        "persist mount data/data",
        "wipe volume data/data",
        "remove volume data/data",
        "remove drive data",
        "clear drive data",
    ]
    removed = ["lvremove --yes data/data", "vgremove data", "pvremove /dev/sdb"]
    assert commands(made) == ["umount /srv", f"edit {FSTAB}", *removed]
    assert destroyed(made) == ["data/data: an xfs filesystem (UUID f5)"]
    assert made.steps[-1].claims == (Claim(SDB, "serial sdb", None),)
    assert made.after.groups() == Lvm()
    assert made.after.contents[SDB] == Content()


def test_an_empty_drive_needs_no_permission() -> None:
    host = online(mounts=(), fstab="", contents={DEVICE: Content()})
    assert outline(plan(host, state="absent")) == ["remove volume data/data", "remove drive data", "clear drive data"]


def test_what_nobody_can_see_needs_permission() -> None:
    refused(offline(), "holds what nobody can see while it is offline", state="absent")
    made = plan(offline(), True, state="absent")
    assert outline(made)[:3] == ["activate volume data/data", "wipe volume data/data", "remove volume data/data"]
    assert len(destroyed(made)) == 1


@pytest.mark.parametrize("allow", [False, True])
def test_a_group_with_volumes_of_others_stays(allow: bool) -> None:
    refused(online(LogicalVolume("b", GiB), size=GiB), "its volume group also has b", allow, state="absent")


def test_named_all_or_none_of_its_volumes_go() -> None:
    host = online(LogicalVolume("b", GiB), size=GiB)
    for volumes in (None, (volume(), Volume("b"))):
        made = plan(host, True, state="absent", volumes=volumes)
        assert [name for name in outline(made) if name.startswith("remove")] == [
            "remove volume data/data",
            "remove volume data/b",
            "remove drive data",
        ]


def test_physical_volumes_that_are_left_over_are_cleared() -> None:
    host = BLANK._replace(contents={**BLANK.contents, SDB: PV}, lvm=Lvm((), (SDB, SDC)))
    made = plan(host, state="absent", devices=(SDB,))
    assert outline(made) == ["clear drive data"]
    assert made.after.groups() == Lvm((), (SDC,))


def test_absent_already() -> None:
    for devices in ((SDB,), ("what went before it",), None):
        assert plan(BLANK, state="absent", devices=devices) == Plan((), BLANK)


# Facts


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(ONLINE, id="online"),
        pytest.param(online(fstab="UUID=f5 /srv xfs inode64 0 0\n"), id="required"),
        pytest.param(online(fstab=LINE.replace("nofail,", "")), id="required, with a time limit"),
    ],
)
def test_what_was_gathered_can_be_given_back_and_changes_nothing(host: Host) -> None:
    ((item, status),) = drive.survey(host)
    assert drive.facts(host, Drive("data")) == {"drive": item, "status": status}
    assert drive.plan(host, document.parse(item), False).steps == ()


def test_facts() -> None:
    assert drive.facts(ONLINE, Drive("data")) == {
        "drive": {
            "name": "data",
            "devices": ["/dev/disk/by-id/sdb"],
            "volumes": [
                {
                    "name": "data",
                    "size": SPACE,
                    "filesystem": "xfs",
                    "mount_point": "/srv",
                    "mount_options": OPTIONS,
                    "boot_required": False,
                }
            ],
            "state": "online",
        },
        "status": {
            "size": SPACE,
            "free": 0,
            "missing": [],
            "volumes": {
                "data": {
                    "device": "/dev/data/data",
                    "type": "linear",
                    "active": True,
                    "uuid": "f5",
                    "mounted_on": ["/srv"],
                }
            },
        },
    }
    assert drive.facts(BLANK, Drive("data")) == {"drive": None, "status": None}
    assert drive.facts(offline(), Drive("data"))["drive"]["state"] == "offline"
