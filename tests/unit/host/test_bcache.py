# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for bcaches, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan, Step, Wait, Write
from ansible_collections.strata.storage.plugins.module_utils.document import bcache as document
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.host import bcache
from ansible_collections.strata.storage.plugins.module_utils.host.actions import Claim, Inspect, Release
from ansible_collections.strata.storage.plugins.module_utils.host.state import (
    UNSEEN,
    Backing,
    CacheSet,
    Content,
    Host,
    Mount,
    Signature,
)

from .hosts import (
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

SDB, SDC, SDD, SDE = (f"/dev/sd{letter}" for letter in "bcde")
REGISTER = "/sys/fs/bcache/register"
SET = "5e75e75e-0000-4000-8000-000000000001"
OTHER = "5e75e75e-0000-4000-8000-000000000002"
SIGNED = Content((Signature("bcache"),), busy=True)
PATH = "/dev/bcache0"
BLANK = a_host(*disks("bcde"))
CACHE = CacheSet(SET, SDC, 512 << 10, 512, registered=True)
BACKING = Backing(SDB, "b", "cached", SET, "writethrough", "clean", PATH, registered=True)
SYS = "/sys/class/block/sdb/bcache"


def built(*backings: Backing, sets: tuple[CacheSet, ...] = (CACHE,), **more: Any) -> Host:
    """A host with those backing devices and cache sets."""
    held = dict.fromkeys([*(backing.device for backing in backings), *(known.device for known in sets)], SIGNED)
    running = [disk(backing.bcache) for backing in backings if backing.bcache]
    contents = {**held, **more.pop("contents", {})}
    return a_host(*disks("bcde"), *running, backings=backings, cache_sets=sets, contents=contents, **more)


CACHED = built(BACKING)


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    return settle(bcache, host, Bcache(**{"name": "cached", **words}), allow)


def refused(host: Host, said: str, allow: bool = False, **words: Any) -> None:
    with pytest.raises(Refused, match=said):
        bcache.plan(host, Bcache(**{"name": "cached", **words}), allow)


# Create


def test_create_from_first_to_last() -> None:
    made = plan(
        BLANK._replace(modules=()), backing_device="sdb", cache_device="sdc", cache_mode="writeback", block_size=4096
    )
    cache_set = made.after.cache_sets[0].uuid
    directory = f"/sys/fs/bcache/{cache_set}"
    cached = f"/dev/<kernel-name:{SYS}/dev>"

    def step(verb: str, detail: str, *actions: Any, **more: Any) -> Step:
        return Step(verb, "bcache", "cached", detail, actions, **more)

    assert made.steps == (
        Step("load", "module", "bcache", "the kernel's", (run("modprobe", "bcache"), Wait(REGISTER))),
        step(
            "format",
            "/dev/sdc as a cache set",
            run("make-bcache", "--cache", SDC, f"--cset-uuid={cache_set}", "--bucket=524288", "--block=4096"),
            claims=(claim(SDC),),
            flush=(SDC,),
        ),
        step("register", "cache set on /dev/sdc", Write(REGISTER, SDC, done=directory), Wait(directory)),
        step(
            "format",
            "/dev/sdb as a backing device",
            run("make-bcache", "--bdev", SDB, "--block=4096"),
            claims=(claim(SDB),),
            flush=(SDB,),
        ),
        step("register", "backing device /dev/sdb", Write(REGISTER, SDB, done=SYS), Wait(SYS)),
        step("label", "/dev/sdb", Write(f"{SYS}/label", "cached"), flush=(SDB,)),
        step("inspect", "that it starts out blank", Wait(cached), Inspect(cached, wipe=False)),
        step(
            "attach",
            "to the cache on /dev/sdc",
            Write(f"{SYS}/attach", cache_set),
            Wait(f"{SYS}/state", ("clean", "dirty")),
            flush=(SDB, SDC),
        ),
        step("set", "cache mode writeback", Write(f"{SYS}/cache_mode", "writeback"), flush=(SDB,)),
    )
    path = "/dev/bcache/by-label/cached"
    assert made.after.backings == (Backing(SDB, "", "cached", cache_set, "writeback", "clean", path, True),)
    assert made.after.cache_sets == (CacheSet(cache_set, SDC, 512 << 10, registered=True),)
    assert made.after.contents[SDB] == made.after.contents[SDC] == SIGNED
    assert made.after.contents[path] == Content()


def test_create_without_a_cache() -> None:
    made = plan(BLANK, backing_device=SDB)
    assert [step.verb for step in made.steps] == ["format", "register", "label", "inspect"]
    assert made.after.backings[0].state == "no cache"
    later = plan(made.after, cache_device=SDC)
    assert [step.verb for step in later.steps] == ["format", "register", "attach"]


def test_a_cache_set_is_shared() -> None:
    made = plan(CACHED, name="second", backing_device=SDD, cache_device="sdc")
    assert [step.verb for step in made.steps] == ["format", "register", "label", "inspect", "attach"]
    assert made.after.cache_sets == (CACHE,)


@pytest.mark.parametrize(
    ("size", "words", "bucket"),
    [
        (10 * GiB, {}, 512 << 10),
        (256 * MiB, {}, 256 << 10),
        (257 * MiB, {}, 512 << 10),
        (64 * MiB, {}, 64 << 10),
        (3 * MiB, {}, 4 << 10),
        (10 * GiB, {"bucket_size": 4 * MiB}, 4 * MiB),
    ],
)
def test_how_large_buckets_are(size: int, words: dict[str, Any], bucket: int) -> None:
    host = a_host(SDB, disk(SDC, size))
    made = plan(host, backing_device=SDB, cache_device=SDC, **words)
    assert f"--bucket={bucket}" in commands(made)[0].split()
    assert made.after.cache_sets[0].bucket_size == bucket


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "bcache cached does not exist, and to create it, say also: backing_device"),
        ({"cache_device": SDC}, "say also: backing_device"),
        ({"backing_device": "sdz"}, "bcache cached: there is no block device sdz on this host"),
        ({"backing_device": SDB, "cache_device": "sdz"}, "there is no block device sdz"),
        ({"backing_device": SDB, "cache_device": "sdb"}, "sdb"),
        (
            {"backing_device": SDB, "cache_device": "/dev/sdf"},
            "/dev/sdf has 2 MiB, which is too small for a cache with buckets of 4 KiB",
        ),
        (
            {"backing_device": SDB, "cache_device": SDC, "bucket_size": 1 << 25},
            "buckets of 32 MiB: it must hold more than 512",
        ),
    ],
)
def test_what_cannot_be_created(words: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        plan(a_host(*disks("bcde"), disk("/dev/sdf", 2 * MiB)), **words)


@pytest.mark.parametrize(
    ("path", "said"),
    [(SDB, "refused as backing device of cached: it holds"), (SDC, "refused as the cache of cached: it holds")],
)
def test_data_needs_permission_and_goes_first(path: str, said: str) -> None:
    host = a_host(*disks("bc"), contents={path: Content((EXT4,))})
    words: dict[str, Any] = {"backing_device": SDB, "cache_device": SDC}
    refused(host, said, **words)
    made = plan(host, allow=True, **words)
    wipe, format_ = [step for step in made.steps if path in step.flush][:2]
    assert (wipe.verb, format_.verb, format_.claims) == ("wipe", "format", (claim(path),))
    assert [sentence.split(":")[0] for sentence in destroyed(made)] == [path]


# Found again


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"backing_device": "sdb", "cache_device": "/dev/disk/by-id/sdc"},
        {"cache_mode": "writethrough", "bucket_size": 512 << 10, "block_size": 512},
    ],
)
def test_what_is_as_it_should_be_stays(words: dict[str, Any]) -> None:
    assert plan(CACHED, **words) == Plan((), CACHED)


def test_the_cache_mode_changes() -> None:
    made = plan(CACHED, cache_mode="writearound")
    assert [step.actions for step in made.steps] == [(Write(f"{SYS}/cache_mode", "writearound"),)]
    assert made.after.backings == (BACKING._replace(cache_mode="writearound"),)


def test_a_backing_device_without_a_label_gets_one() -> None:
    made = plan(built(BACKING._replace(label="")), backing_device=SDB)
    assert [step.actions for step in made.steps] == [(Write(f"{SYS}/label", "cached"),)]


def test_after_a_boot_without_rules_both_devices_are_registered() -> None:
    host = built(BACKING._replace(registered=False, bcache=""), sets=(CACHE._replace(registered=False),))
    made = plan(host, cache_device=SDC)
    assert [str(step) for step in made.steps] == [
        "register bcache cached: cache set on /dev/sdc",
        "register bcache cached: backing device /dev/sdb",
    ]


@pytest.mark.parametrize("registered", [False, True])
def test_its_cache_set_is_used_also_where_it_is_not_named(registered: bool) -> None:
    host = built(BACKING._replace(registered=False, bcache=""), sets=(CACHE._replace(registered=registered),))
    made = plan(host)
    assert [step.verb for step in made.steps] == ["register"] * (1 if registered else 2)


BACK2 = Backing(SDD, "d", "second", registered=True, bcache="/dev/bcache1")
CACHE2 = CacheSet(OTHER, SDE, 512 << 10, 512, registered=True)


@pytest.mark.parametrize(
    ("host", "words", "said"),
    [
        pytest.param(
            built(BACKING, BACKING._replace(device=SDD, bcache="")),
            {},
            "/dev/sdb and /dev/sdd both carry",
            id="label twice",
        ),
        pytest.param(CACHED, {"backing_device": SDD}, "its backing device is /dev/sdb, not /dev/sdd", id="moved"),
        pytest.param(
            built(BACK2, sets=()),
            {"backing_device": SDD},
            "/dev/sdd: refused as backing device of cached: it is the backing device of bcache second",
            id="another's",
        ),
        pytest.param(
            built(BACKING, sets=(CACHE, CACHE2)),
            {"cache_device": SDE},
            f"is attached to cache set {SET}, not to the one on /dev/sde",
            id="attached elsewhere",
        ),
        pytest.param(
            CACHED, {"cache_device": SDB}, "refused as the cache of cached|is both", id="its own backing device"
        ),
        pytest.param(
            built(BACKING._replace(state="dirty", bcache=""), sets=()),
            {},
            f"/dev/sdb is dirty and belongs to cache set {SET}, which is not here",
            id="dirty cache lost",
        ),
        pytest.param(
            built(BACKING._replace(state="dirty", bcache=""), sets=()),
            {"cache_device": SDC},
            "Bring that cache device back, and name it as cache_device instead of /dev/sdc",
            id="dirty cache replaced",
        ),
        pytest.param(
            CACHED, {"cache_device": SDC, "bucket_size": MiB}, "bucket_size of the cache set", id="bucket size"
        ),
        pytest.param(CACHED, {"cache_device": SDC, "block_size": 4096}, "block_size of the cache set", id="block size"),
    ],
)
@pytest.mark.parametrize("allow", [False, True])
def test_refused_either_way(host: Host, words: dict[str, Any], said: str, allow: bool) -> None:
    with pytest.raises(StorageError, match=said):
        bcache.plan(host, Bcache("cached", **words), allow)


def test_what_a_registered_backing_device_holds_is_not_known_before() -> None:
    made = plan(built(BACKING._replace(registered=False, bcache="", cache_set="", state="no cache"), sets=()))
    assert outline(made) == ["register bcache cached"]
    assert made.after.contents["/dev/bcache/by-label/cached"] == UNSEEN


# Absent


def test_absent_writes_back_stops_and_wipes_the_label_last() -> None:
    made = plan(CACHED, state="absent")
    detach = the_step(made, "detach")
    assert [(step.verb, step.flush) for step in made.steps] == [
        ("detach", (SDB,)),
        ("stop", ()),
        ("unregister", ()),
        ("wipe", (SDC,)),
        ("wipe", (SDB,)),
    ]
    assert detach.actions[0] == Write(f"{SYS}/detach", "1")
    assert Wait(f"{SYS}/state", ("no cache",), timeout=12 * 3600) in detach.actions
    assert made.steps[1].actions == (Release(SDB, f"{SYS}/stop"),)
    directory = f"/sys/fs/bcache/{SET}"
    assert made.steps[2].actions == (Release(SDC, f"{directory}/unregister"),)
    assert made.steps[4].actions == (run("wipefs", "--all", SDB),)
    assert made.steps[4].claims == (Claim(SDB, "serial sdb", None),)
    assert destroyed(made) == []
    assert (made.after.backings, made.after.cache_sets) == ((), ())
    assert made.after.contents[SDB] == made.after.contents[SDC] == Content()
    assert PATH not in made.after.devices


def test_what_is_inside_needs_permission() -> None:
    host = built(BACKING, contents={PATH: Content((EXT4,))})
    refused(host, "bcache cached cannot be removed: /dev/bcache0 holds an ext4 filesystem", state="absent")
    made = plan(host, allow=True, state="absent")
    assert outline(made)[0] == "wipe device /dev/bcache0"
    assert [sentence.split(":")[0] for sentence in destroyed(made)] == [PATH]


@pytest.mark.parametrize("allow", [False, True])
def test_what_is_in_use_is_not_removed(allow: bool) -> None:
    host = built(BACKING, mounts=(Mount(PATH, "/srv", "ext4", "rw"),))
    refused(host, "cannot be removed: /dev/bcache0 is mounted on /srv", allow, state="absent")


def test_a_cache_set_stays_while_others_use_it() -> None:
    made = plan(built(BACKING, BACK2._replace(cache_set=SET, state="clean")), state="absent", cache_device=SDC)
    assert [step.verb for step in made.steps] == ["detach", "stop", "wipe"]
    assert made.after.cache_sets == (CACHE,)


def test_without_a_cache_there_is_nothing_to_write_back() -> None:
    made = plan(built(BACKING._replace(cache_set="", state="no cache"), sets=()), state="absent")
    assert [step.verb for step in made.steps] == ["stop", "wipe"]


def test_another_cache_set_is_not_taken_for_its_own() -> None:
    refused(built(BACKING, sets=(CACHE2, CACHE)), SDE, state="absent", cache_device=SDE)


def test_one_that_does_not_run_needs_permission() -> None:
    host = built(BACKING._replace(registered=False, bcache="", state="dirty"), sets=(CACHE._replace(registered=False),))
    refused(host, "it does not run, so nobody can see what it holds", state="absent")
    made = plan(host, allow=True, state="absent")
    assert [step.verb for step in made.steps] == ["wipe", "wipe"]
    assert destroyed(made)[-1] == "/dev/sdb: all that bcache cached holds, unseen"


def test_a_cache_set_that_is_left_over_needs_permission_and_says_what_goes() -> None:
    host = built()
    refused(host, "whether the cache set on /dev/sdc still holds dirty data", state="absent", cache_device=SDC)
    made = plan(host, allow=True, state="absent", cache_device=SDC)
    assert [step.verb for step in made.steps] == ["unregister", "wipe"]
    assert [sentence.split(":")[0] for sentence in destroyed(made)] == [SDC]


def test_absent_already() -> None:
    assert plan(BLANK, state="absent") == plan(BLANK, state="absent", backing_device="gone") == Plan((), BLANK)
    assert plan(BLANK, state="absent", backing_device=SDB, cache_device=SDC).steps == ()


# Facts


@pytest.mark.parametrize("host", [CACHED, built(BACKING._replace(cache_set="", state="no cache"), sets=())])
def test_what_was_gathered_can_be_given_back_and_changes_nothing(host: Host) -> None:
    ((item, status),) = bcache.survey(host)
    assert bcache.facts(host, Bcache("cached")) == {"bcache": item, "status": status}
    assert bcache.plan(host, document.parse(item), False).steps == ()


def test_facts() -> None:
    assert bcache.facts(CACHED, Bcache("cached")) == {
        "bcache": {
            "name": "cached",
            "backing_device": "/dev/disk/by-id/sdb",
            "cache_device": "/dev/disk/by-id/sdc",
            "cache_mode": "writethrough",
            "bucket_size": 512 << 10,
            "state": "present",
        },
        "status": {
            "device": PATH,
            "size": 10 * GiB,
            "state": "clean",
            "cache_set": SET,
            "dirty_data": "",
            "registered": True,
        },
    }
    assert bcache.facts(BLANK, Bcache("cached")) == {"bcache": None, "status": None}


def test_references() -> None:
    assert bcache.references(Bcache("cached", "sdb", "sdc")) == ("sdb", "sdc")
    assert bcache.references(Bcache("cached")) == ()
