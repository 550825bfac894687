# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said to be wrong with a host, from the host as a value."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host import survey
from ansible_collections.strata.storage.plugins.module_utils.host.bcache.state import Backing, CacheSet
from ansible_collections.strata.storage.plugins.module_utils.host.findings import (
    CRITICAL,
    NOTICE,
    WARNING,
    NotRead,
    not_read,
    told,
)
from ansible_collections.strata.storage.plugins.module_utils.host.graph import names_of
from ansible_collections.strata.storage.plugins.module_utils.host.health import health
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import (
    Group,
    LogicalVolume,
    Lvm,
    PhysicalVolume,
)
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Array, Member

from .hosts import a_host, an_array, disk, with_array

SDB, SDC, SDD = (f"/dev/sd{letter}" for letter in "bcd")
MIRROR = an_array(SDB, SDC)
BACKING = Backing(SDD, "d", "one", "set", state="clean", bcache="/dev/bcache0", attached=True, dirty_data="1.2M")
CACHE = CacheSet("set", SDC)


def found(host: Host) -> list[tuple[str, str, str, str, str]]:
    return [(item.severity, item.device, item.name, item.problem, item.detail) for item in health(host, names_of(host))]


def with_member(array: Array, **more: Any) -> Array:
    return array._replace(members=(array.members[0], array.members[1]._replace(**more)))


def of_array(array: Array) -> list[tuple[str, str, str]]:
    host = with_array(a_host(SDB, SDC, SDD, spaces={}), array)
    assert all(name == "md0" for _severity, _device, name, *_rest in found(host))
    return [(severity, problem, detail) for severity, _device, _name, problem, detail in found(host)]


def test_all_is_well() -> None:
    mounts = (Mount(SDD, "/srv", "xfs", "rw,relatime", "rw"),)
    host = a_host(SDB, SDC, SDD, spaces={"/srv": (100, 90)}, mounts=mounts, backings=(BACKING,), cache_sets=(CACHE,))
    assert health(host, {}) == []


def test_what_is_worst_comes_first() -> None:
    array = MIRROR._replace(sync_action="recover", degraded=1, percent=3.5, eta_seconds=4141)
    host = with_array(a_host(SDB, SDC, SDD, spaces={"/srv": (100, 5), "/x": (100, 11), "/proc": (0, 0)}), array)
    dirty = BACKING._replace(state="dirty")
    host = host._replace(
        backings=(dirty, dirty._replace(label="two", attached=False)), mounts=(Mount(SDD, "/srv", "xfs", "rw"),)
    )
    assert [(item.severity, item.name, item.problem, item.detail) for item in health(host, {})] == [
        (CRITICAL, "md0", "degraded", "1 of 2 members missing"),
        (CRITICAL, "two", "no cache", "its cache set set does not work for it"),
        (WARNING, SDD, "nearly full", "/srv is 95 % full"),
        (NOTICE, "md0", "syncing", "recover 3.5 %, 1 h 10 min left"),
        (NOTICE, "one", "dirty", "1.2 MiB only in the cache"),
    ]


@pytest.mark.parametrize(
    ("array", "severity", "problem", "detail"),
    [
        (MIRROR._replace(device="", state=""), WARNING, "stopped", "it does not run, and 2 of its 2 members are here"),
        (
            MIRROR._replace(state="inactive", members=MIRROR.members[:1]),
            CRITICAL,
            "inactive",
            "it does not run, and 1 of its 2 members are here",
        ),
        (an_array(SDB, SDC, SDD, level="6", raid_devices=5, degraded=1), WARNING, "degraded", "1 of 5 members missing"),
        (with_member(MIRROR, role="faulty"), WARNING, "faulty", "/dev/sdc failed"),
        (
            with_member(MIRROR, flags=("write_error", "want_replacement")),
            WARNING,
            "write errors",
            "writes to /dev/sdc failed",
        ),
        (with_member(MIRROR, bad_blocks=16), WARNING, "bad blocks", "md no longer uses 8 KiB of /dev/sdc"),
        (with_member(MIRROR, errors=3), NOTICE, "read errors", "3 reads of /dev/sdc failed"),
        (
            MIRROR._replace(mismatch_count=123392),
            WARNING,
            "mismatches",
            "at 123392 sectors its members disagree, as the last check found",
        ),
        (
            MIRROR._replace(reshaping=True, state="read-auto", sync_action=""),
            WARNING,
            "waits",
            "a reshape waits, since it is read-auto: until the first write, or mdadm --readwrite /dev/md0",
        ),
        (
            MIRROR._replace(unsynced=True, state="readonly"),
            WARNING,
            "waits",
            "a resync waits, since it is readonly: until the first write, or mdadm --readwrite /dev/md0",
        ),
        (
            MIRROR._replace(degraded=1, sync_action="frozen"),
            WARNING,
            "waits",
            "a rebuild waits, since its sync_action is frozen: until `idle` is written to that",
        ),
        (
            MIRROR._replace(members=(*MIRROR.members, Member(SDD, "apart", 1, side=1))),
            CRITICAL,
            "apart",
            "/dev/sdd was written to without the array, and holds a version of its own",
        ),
        (
            MIRROR._replace(members=(*MIRROR.members, Member(SDD, "copy", 1))),
            WARNING,
            "copy",
            "/dev/sdd is a copy of /dev/sdc",
        ),
        (
            MIRROR._replace(members=(*MIRROR.members, Member(SDD, "former"))),
            WARNING,
            "former",
            "/dev/sdd holds an older state of the array",
        ),
    ],
)
def test_arrays(array: Array, severity: str, problem: str, detail: str) -> None:
    assert (severity, problem, detail) in of_array(array)


def test_no_remedy_for_two_versions_but_to_look_first() -> None:
    apart = MIRROR._replace(members=(*MIRROR.members, Member(SDD, "apart", 1, side=1)))
    (item,) = health(with_array(a_host(SDB, SDC, SDD), apart), {})
    assert item.remedy == "To have it back loses that version: copy what is wanted from it first."
    (item,) = health(with_array(a_host(SDB, SDC), MIRROR._replace(mismatch_count=8)), {})
    assert "Compare what it holds with a backup first" in item.remedy


@pytest.mark.parametrize(
    ("host", "severity", "problem", "detail"),
    [
        (a_host(disk(SDB, fault="offline")), CRITICAL, "fault", "the kernel says that it is offline"),
        (a_host(disk(SDB, worn="most of it is")), WARNING, "worn", "by itself, most of it is"),
        (
            a_host(SDB, unreadable={("superblocks", SDB): "Input/output error"}),
            CRITICAL,
            "unreadable",
            "it cannot be read (Input/output error)",
        ),
        (
            a_host(SDB, unreadable={("contents", SDB): "Wrong medium type"}),
            WARNING,
            "unreadable",
            "it cannot be read (Wrong medium type)",
        ),
        (
            a_host(backings=(BACKING._replace(disabled=True),)),
            CRITICAL,
            "disabled",
            "the kernel gave it up after errors",
        ),
        (a_host(backings=(BACKING._replace(errors=1),)), NOTICE, "errors", "1 request to /dev/sdd failed"),
        (
            a_host(backings=(BACKING._replace(attached=False),)),
            WARNING,
            "no cache",
            "its cache set set does not work for it",
        ),
        (
            a_host(cache_sets=(CACHE._replace(disabled=True),)),
            CRITICAL,
            "disabled",
            "the kernel gave up the cache set after errors",
        ),
        (a_host(cache_sets=(CACHE._replace(errors=5),)), WARNING, "errors", "5 requests to the cache failed"),
        (
            a_host(SDB, mounts=(Mount(SDB, "/srv", "ext4", "rw,relatime", "ro,errors=remount-ro"),)),
            CRITICAL,
            "read-only",
            "/srv was made read-only",
        ),
        (
            a_host(
                SDB, mounts=(Mount(SDB, "/srv", "ext4", "rw", "rw", errors=("3 errors since it was last checked",)),)
            ),
            WARNING,
            "errors",
            "/srv counts 3 errors since it was last checked",
        ),
        (
            a_host(
                SDB, mounts=(Mount(SDB, "/srv", "xfs", "rw"),), unreadable={("spaces", "/srv"): "Input/output error"}
            ),
            CRITICAL,
            "unreadable",
            "/srv cannot be read (Input/output error)",
        ),
        (
            a_host(
                SDB,
                mounts=(Mount(SDB, "/srv", "xfs", "rw,noexec,noatime", "rw"),),
                files={FSTAB: f"{SDB} /srv xfs defaults,nofail 0 0\n"},
            ),
            WARNING,
            "options",
            "/srv has noatime noexec and lacks relatime, other than by /etc/fstab",
        ),
    ],
)
def test_devices_caches_and_mounts(host: Host, severity: str, problem: str, detail: str) -> None:
    assert [(item.severity, item.problem, item.detail) for item in health(host, {})] == [(severity, problem, detail)]


@pytest.mark.parametrize(
    "options",
    ["defaults", "rw,suid,dev,exec,relatime", "noexec,exec", "noatime,atime", "user,exec,dev,suid"],
)
def test_options_that_say_the_same(options: str) -> None:
    files = {FSTAB: f"{SDB} /srv xfs {options} 0 0\n"}
    assert health(a_host(SDB, mounts=(Mount(SDB, "/srv", "xfs", "rw,relatime"),), files=files), {}) == []


def test_what_is_mounted_read_only_on_purpose_is_well() -> None:
    files = {FSTAB: f"{SDB} /srv ext4 ro 0 0\n"}
    assert health(a_host(SDB, mounts=(Mount(SDB, "/srv", "ext4", "ro,relatime", "ro"),), files=files), {}) == []


@pytest.mark.parametrize(("health_of_it", "severity"), [("partial", CRITICAL), ("", WARNING)])
def test_a_group_that_misses_a_device(health_of_it: str, severity: str) -> None:
    away = (PhysicalVolume("[unknown]", uuid="Kx3", missing=True),)
    group = Group("data", volumes=(LogicalVolume("srv", health=health_of_it),), physical_volumes=away)
    (item,) = health(a_host(lvm=Lvm((group,))), {})
    assert (item.severity, item.name, item.problem) == (severity, "data", "missing")
    assert item.detail == "its physical volume Kx3 is missing"
    assert "Do not take it out of the group" in item.remedy


def test_what_could_not_be_read_costs_only_itself() -> None:
    host = a_host(
        SDB,
        SDC,
        spaces={},
        disks={},
        mounts=(Mount(SDC, "/srv", "xfs", "rw"),),
        unreadable={
            ("superblocks", SDB): "Input/output error",
            ("contents", SDB): "Input/output error",
            ("spaces", "/srv"): "Input/output error",
            ("lvm", ""): "lvm fullreport ended with 5: Error reading device",
        },
    )
    told_of = survey.everything(host)
    assert not_read(host) == [
        NotRead("/dev/disk/by-id/sdb", "superblock of an array or a bcache", "Input/output error"),
        NotRead("/dev/disk/by-id/sdb", "signatures", "Input/output error"),
        NotRead("/dev/disk/by-id/sdc", "space of what is mounted there", "Input/output error"),
        NotRead("", "volume groups", "lvm fullreport ended with 5: Error reading device"),
    ]
    assert [branch["name"] for branch in told_of["tree"]] == ["sdb", "sdc"]


def test_a_task_warns_of_what_does_not_go_on_by_itself() -> None:
    items = health(with_array(a_host(SDB, SDC), MIRROR._replace(sync_action="resync", mismatch_count=0)), {})
    assert [item.problem for item in items] == ["syncing"]
    assert told("array md0", *items) == ()
    items = health(a_host(disk(SDB, fault="offline")), {})
    assert told("array md0", *items) == (
        "array md0: the kernel says that it is offline. What is on it cannot be reached. Look at the kernel's log, its "
        "cable and its controller.",
    )


def test_a_backing_device_that_is_here_twice() -> None:
    host = a_host("/dev/sdd", "/dev/sde", backings=(BACKING, BACKING._replace(device="/dev/sde", bcache="")))
    assert [(found.problem, found.device) for found in health(host, {})] == [("twice", "/dev/bcache0")]
