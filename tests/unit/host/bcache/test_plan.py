# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for bcaches, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Edit, Plan, Step, Wait, Write
from ansible_collections.strata.storage.plugins.module_utils.document import bcache as document
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.host.actions import Claim, Detached, Inspect, Release
from ansible_collections.strata.storage.plugins.module_utils.host.bcache import (
    plan as bcache,
    tunables as bcache_tunables,
)
from ansible_collections.strata.storage.plugins.module_utils.host.bcache.state import Attached, Backing, CacheSet
from ansible_collections.strata.storage.plugins.module_utils.host.devices import UNSEEN, Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.unfinished import intent

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

SDB, SDC, SDD, SDE = (f"/dev/sd{letter}" for letter in "bcde")
REGISTER = "/sys/fs/bcache/register"
SET = "5e75e75e-0000-4000-8000-000000000001"
OTHER = "5e75e75e-0000-4000-8000-000000000002"
SIGNED = Content((Signature("bcache"),), busy=True)
PATH = "/dev/bcache0"
BLANK = a_host(*disks("bcde"))
CACHE = CacheSet(SET, SDC, 512 << 10, 512, registered=True)
BACKING = Backing(SDB, "b", "cached", SET, "writethrough", "clean", PATH, registered=True, attached=True)
PLAIN = BACKING._replace(cache_set="", state="no cache", attached=False)
SYS = "/sys/class/block/sdb/bcache"
RULES = "/etc/udev/rules.d/70-strata-bcache-cached.rules"


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


def test_blocks_as_large_as_the_largest_sectors() -> None:
    """The kernel attaches no cache of larger blocks than those that its backing device was made for."""
    large = {path: disk(path, sector=4096) for path in (SDC, SDE)}
    host = BLANK._replace(devices={**BLANK.devices, **large})
    made = plan(host, backing_device="sdb", cache_device="sdc")
    formats = [str(action) for step in made.steps if step.verb == "format" for action in step.actions]
    assert (formats[0][-5:], formats[1]) == ("24288", "make-bcache --bdev /dev/sdb --block=4096")
    assert made.after.devices[made.after.backings[0].bcache].sector == 4096
    made = plan(host, backing_device="sdc", cache_device="sdb")
    assert "make-bcache --bdev /dev/sdc" in [str(action) for step in made.steps for action in step.actions]
    with pytest.raises(StorageError, match="block_size is 512 B, and /dev/sdc has sectors of 4096 bytes"):
        bcache.plan(host, Bcache("cached", "sdc", block_size=512), True)
    there = built(PLAIN._replace(block_size=512), sets=())
    there = there._replace(devices={**there.devices, **large})
    refused(
        there, "/dev/sdc has sectors of 4096 bytes, .* /dev/sdb was made for blocks of 512", True, cache_device="sdc"
    )
    assert plan(there, cache_device="sdd").steps


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
        Step("load", "module", "bcache", "into the kernel", (run("modprobe", "bcache"), Wait(REGISTER))),
        step(
            "format",
            "/dev/sdc as a cache set",
            run("make-bcache", "--cache", SDC, f"--cset-uuid={cache_set}", "--bucket=524288", "--block=4096"),
            claims=(claim(SDC),),
            flush=(SDC,),
        ),
        step("register", "cache set on /dev/sdc", Write(REGISTER, SDC, done=directory), Wait(directory)),
        step("persist", "its name and tunables in udev's rules", Edit(RULES, None, made.after.files[RULES])),
        step(
            "format",
            "/dev/sdb as a backing device",
            run("make-bcache", "--bdev", SDB, "--block=4096"),
            claims=(claim(SDB),),
            flush=(SDB,),
            intent=intent("bcache cached", "", SDB, last=False),
        ),
        step("register", "backing device /dev/sdb", Write(REGISTER, SDB, done=SYS), Wait(f"{SYS}/dev")),
        step(
            "inspect",
            "that it starts out blank",
            Wait(cached),
            Inspect(cached, wipe=False),
            intent=intent("bcache cached", "", SDB),
        ),
        step("label", "/dev/sdb", Write(f"{SYS}/label", "cached"), flush=(SDB,)),
        step(
            "attach",
            "to the cache on /dev/sdc",
            Write(f"{SYS}/attach", cache_set),
            Wait(f"{SYS}/cache"),
            Wait(f"{SYS}/state", ("clean", "dirty")),
            flush=(SDB, SDC),
        ),
        step("set", "cache mode writeback", Write(f"{SYS}/cache_mode", "writeback"), flush=(SDB,)),
    )
    assert made.after.backings == (
        Backing(SDB, "", "cached", cache_set, "writeback", "clean", cached, True, True, block_size=4096),
    )
    assert made.after.cache_sets == (CacheSet(cache_set, SDC, 512 << 10, 4096, registered=True),)
    assert made.after.contents[SDB] == made.after.contents[SDC] == SIGNED
    assert made.after.contents[cached] == Content()


def test_create_without_a_cache() -> None:
    made = plan(BLANK, backing_device=SDB)
    assert [step.verb for step in made.steps] == ["persist", "format", "register", "inspect", "label"]
    assert made.after.backings[0].state == "no cache"
    later = plan(made.after, cache_device=SDC)
    assert [step.verb for step in later.steps] == ["format", "register", "attach"]


def test_a_cache_set_is_shared() -> None:
    made = plan(CACHED, name="second", backing_device=SDD, cache_device="sdc")
    assert [step.verb for step in made.steps] == ["persist", "format", "register", "inspect", "label", "attach"]
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
    # What is planned on it in the same document finds it by that.
    assert made.after.device("/dev/bcache/by-label/cached", "").path == PATH


def test_after_a_boot_without_rules_both_devices_are_registered() -> None:
    host = built(
        BACKING._replace(registered=False, attached=False, bcache=""), sets=(CACHE._replace(registered=False),)
    )
    made = plan(host, cache_device=SDC)
    assert [str(step) for step in made.steps] == [
        "register bcache cached: cache set on /dev/sdc",
        "register bcache cached: backing device /dev/sdb",
    ]


@pytest.mark.parametrize("registered", [False, True])
def test_its_cache_set_is_used_also_where_it_is_not_named(registered: bool) -> None:
    host = built(
        BACKING._replace(registered=False, attached=False, bcache=""), sets=(CACHE._replace(registered=registered),)
    )
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
            r"/dev/sdb and /dev/sdd are copies of one backing device \(UUID b\); /dev/bcache0 runs on /dev/sdb now",
            id="copy",
        ),
        pytest.param(
            built(BACKING, BACKING._replace(device=SDD, uuid="d", bcache="")),
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
            CACHED, {"cache_device": SDB}, "refused as the cache of cached|is both", id="its own backing device"
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
    made = plan(
        built(BACKING._replace(registered=False, attached=False, bcache="", cache_set="", state="no cache"), sets=())
    )
    assert outline(made) == ["register bcache cached"]
    assert made.after.contents[made.after.links["/dev/bcache/by-label/cached"] or ""] == UNSEEN


# Another cache, none, or one that is lost


def verbs(made: Plan) -> list[str]:
    return [f"{step.verb} {step.detail}" for step in made.steps]


def test_another_cache_takes_over_and_the_old_one_goes() -> None:
    made = plan(built(BACKING, sets=(CACHE, CACHE2)), cache_device=SDE)
    assert verbs(made) == [
        "detach after writing all dirty data back to /dev/sdb",
        "attach to the cache on /dev/sde",
        "unregister cache set on /dev/sdc",
        "wipe the superblock of its cache /dev/sdc",
    ]
    assert (made.after.cache_sets, made.after.backings[0].cache_set) == ((CACHE2,), OTHER)
    fresh = plan(CACHED, cache_device=SDE)
    assert [step.verb for step in fresh.steps] == ["format", "register", "detach", "attach", "unregister", "wipe"]


def test_no_cache_any_more() -> None:
    made = plan(CACHED, cache_device="")
    assert [step.verb for step in made.steps] == ["detach", "unregister", "wipe"]
    assert made.after.backings == (PLAIN,)
    assert destroyed(made) == []
    shared = plan(built(BACKING, BACK2._replace(cache_set=SET, state="clean", attached=True)), cache_device="")
    assert [step.verb for step in shared.steps] == ["detach"]


WAITS = BACKING._replace(attached=False, bcache="")
LEFT = BACKING._replace(attached=False)


@pytest.mark.parametrize(
    ("backing", "words", "said"),
    [
        (WAITS, {}, "/dev/sdb holds all the data. Bring that cache device back, or say another cache_device"),
        (
            WAITS._replace(state="dirty"),
            {},
            "what was written to cached and had not reached /dev/sdb yet is only there",
        ),
        (WAITS._replace(state="dirty"), {"cache_device": ""}, "or set allow_destroy to give that data up"),
        (WAITS._replace(state="dirty"), {"cache_device": SDC}, "or set allow_destroy to give that data up"),
    ],
)
def test_a_cache_that_is_lost_with_or_without_data(backing: Backing, words: dict[str, Any], said: str) -> None:
    refused(built(backing, sets=()), said, **words)


def test_a_lost_cache_that_held_nothing_is_replaced() -> None:
    for backing in (WAITS, LEFT):
        made = plan(built(backing, sets=()), cache_device=SDC)
        assert [step.verb for step in made.steps] == ["format", "register", "attach"]
        assert destroyed(made) == []
    without = plan(built(WAITS, sets=()), cache_device="")
    assert without.steps[0].actions == (Write(f"{SYS}/running", "1"), Wait(f"{SYS}/dev"))
    assert destroyed(without) == []


def test_dirty_data_is_given_up_with_permission_and_named() -> None:
    dirty = built(WAITS._replace(state="dirty"), sets=())
    for device, rest in (("", []), (SDC, ["attach"])):
        made = plan(dirty, allow=True, cache_device=device)
        assert [step.verb for step in made.steps if step.verb not in ("format", "register")] == ["start", *rest]
        assert destroyed(made) == [f"cached: what was in cache set {SET} only"]


def test_a_cache_set_that_missed_writes_is_not_taken_back() -> None:
    host = built(LEFT, sets=(CACHE._replace(registered=False),))
    refused(host, "so what it holds is out of date", cache_device=SDC)
    made = plan(host._replace(contents={**host.contents, SDC: Content((Signature("bcache"),))}), True, cache_device=SDC)
    assert [step.verb for step in made.steps] == ["wipe", "format", "register", "attach"]
    (warning,) = plan(built(LEFT, sets=())).warnings
    assert "lost its cache set" in warning


def test_one_that_runs_is_started_anew_without_its_lost_cache() -> None:
    made = plan(built(LEFT, sets=()), cache_device="")
    assert [step.verb for step in made.steps] == ["stop", "register", "start"]
    mounted = built(LEFT, sets=(), mounts=(Mount(PATH, "/srv", "ext4", "rw"),), files={FSTAB: f"{PATH} /srv ext4\n"})
    refused(mounted, "it is mounted on /srv. Set allow_offline", cache_device="")
    made = plan(mounted, cache_device="", allow_offline=True)
    assert [step.verb for step in made.steps] == ["unmount", "stop", "register", "start", "mount"]


def test_a_cache_that_waits_elsewhere_is_named_first() -> None:
    host = built(WAITS, sets=(CACHE._replace(registered=False), CACHE2))
    refused(host, "Name /dev/sdc as cache_device first", cache_device=SDE)


def test_a_cache_set_without_a_bcache_is_told() -> None:
    (warning,) = plan(built(BACKING, sets=(CACHE, CACHE2))).warnings
    assert warning.startswith("the cache set on /dev/sde serves no bcache here")


# What the kernel keeps beside the devices, and larger ones


def test_tunables_are_set_and_kept() -> None:
    tunables = {"sequential_cutoff": "1048576", "writeback_percent": "20"}
    made = plan(CACHED, tunables=tunables, cache_tunables={"io_error_limit": "16", "replacement_policy": "fifo"})
    assert verbs(made) == [
        "persist its name and tunables in udev's rules",
        "set sequential_cutoff 1048576",
        "set writeback_percent 20",
        "persist the tunables of its cache set in udev's rules",
        "set io_error_limit 16 of its cache",
        "set replacement_policy fifo of its cache",
    ]
    assert 'ATTR{slaves/*/bcache/sequential_cutoff}="1048576"\n' in str(made.after.files[RULES])
    assert made.steps[-1].actions == (Write("/sys/class/block/sdc/bcache/cache_replacement_policy", "fifo"),)
    # One that is not named stays, in the rules too; and one that drifted comes back.
    other = plan(made.after, tunables={"writeback_percent": "5"})
    assert [step.verb for step in other.steps] == ["persist", "set"]
    assert 'sequential_cutoff}="1048576"' in str(other.after.files[RULES])
    drifted = made.after.backings[0]._replace(tunables={"sequential_cutoff": "4.0M", "writeback_percent": "20"})
    assert verbs(plan(made.after._replace(backings=(drifted,)))) == ["set sequential_cutoff 1048576"]
    gone = plan(made.after, state="absent")
    assert [step.verb for step in gone.steps].count("persist") == 2
    assert gone.after.files[RULES] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "0.0k"), ("4194304", "4.0M"), ("5000000", "4.7M"), ("1023999", "999.9k"), ("1024000", "0.9M")],
)
def test_sizes_as_the_kernel_shows_them(value: str, shown: str) -> None:
    assert bcache_tunables._shown("sequential_cutoff", value) == shown


def test_tunables_that_cannot_be() -> None:
    with pytest.raises(StorageError, match="io_error_limit, and it has no cache"):
        plan(built(PLAIN, sets=()), cache_tunables={"io_error_limit": "1"})
    with pytest.raises(StorageError, match="discard, and /dev/sdc cannot discard"):
        plan(CACHED, cache_tunables={"discard": "1"})


def test_a_backing_device_that_grew() -> None:
    host = CACHED.with_device(disk(PATH, 5 * GiB))
    made = plan(host)
    assert [step.verb for step in made.steps] == ["stop", "register"]
    assert made.after.devices[PATH].size == 10 * GiB - 8192
    mounts = (Mount(PATH, "/srv", "ext4", "rw"),)
    used = host._replace(mounts=mounts, users={"/srv": ""}, files={FSTAB: f"{PATH} /srv ext4 defaults\n"})
    refused(used, "/dev/sdb grew to 10 GiB, which cached gets when .* but it is mounted on /srv. Set allow_offline")
    made = plan(used, allow_offline=True)
    assert [step.verb for step in made.steps] == ["unmount", "stop", "register", "mount"]
    refused(used._replace(files={}), "has no line by which /dev/bcache0 is mounted on /srv", allow_offline=True)


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
    assert Detached(SDB, SYS, 12 * 3600) in detach.actions
    assert detach.actions[-1] == Wait(f"{SYS}/cache", gone=True)
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
    waited_for = host.with_file(FSTAB, f"UUID={EXT4.uuid} /old ext4 defaults\n")
    refused(waited_for, "/dev/bcache0 is what /etc/fstab mounts on /old", allow=True, state="absent")


@pytest.mark.parametrize("allow", [False, True])
def test_what_is_in_use_is_not_removed(allow: bool) -> None:
    host = built(BACKING, mounts=(Mount(PATH, "/srv", "ext4", "rw"),))
    refused(host, "cannot be removed: /dev/bcache0 is mounted on /srv", allow, state="absent")


def test_a_cache_set_stays_while_others_use_it() -> None:
    made = plan(built(BACKING, BACK2._replace(cache_set=SET, state="clean")), state="absent", cache_device=SDC)
    assert [step.verb for step in made.steps] == ["detach", "stop", "wipe"]
    assert made.after.cache_sets == (CACHE,)


AWAY = (Attached("b", "cached"), Attached("d", "other"))


def test_a_cache_set_with_data_of_a_device_that_is_away() -> None:
    host = CACHED._replace(attached={SDC: AWAY})
    said = r'the cache set on /dev/sdc would be removed, and is also for "other" \(UUID d\), which is not here'
    wishes: tuple[dict[str, Any], ...] = ({"state": "absent"}, {"cache_device": ""})
    for words in wishes:
        refused(host, said, **words)
        made = plan(host, allow=True, **words)
        assert destroyed(made) == ['/dev/sdc: dirty data of "other" (UUID d), not here, if there is any']
    unknown = CACHED._replace(attached={SDC: None})
    refused(unknown, "nobody can see whether the cache set on /dev/sdc still holds dirty data", state="absent")
    here = built(BACKING, BACK2._replace(uuid="d", cache_set=""), attached={SDC: AWAY})
    assert destroyed(plan(here, state="absent")) == []


def test_a_cache_set_with_a_volume_of_its_own_stays() -> None:
    host = CACHED._replace(attached={SDC: (Attached("b", "cached"), Attached("f", own_volume=True))})
    for words, verbs in (({"state": "absent"}, ["detach", "stop", "wipe"]), ({"cache_device": ""}, ["detach"])):
        made = plan(host, True, **words)
        assert [step.verb for step in made.steps] == verbs
        assert made.after.cache_sets == (CACHE,)


def test_without_a_cache_there_is_nothing_to_write_back() -> None:
    made = plan(built(PLAIN, sets=()), state="absent")
    assert [step.verb for step in made.steps] == ["stop", "wipe"]


def test_another_cache_set_is_not_taken_for_its_own() -> None:
    refused(built(BACKING, sets=(CACHE2, CACHE)), SDE, state="absent", cache_device=SDE)


def test_one_that_does_not_run_needs_permission() -> None:
    host = built(
        BACKING._replace(registered=False, attached=False, bcache="", state="dirty"),
        sets=(CACHE._replace(registered=False),),
    )
    refused(host, "it does not run, so nobody can see what it holds", state="absent")
    made = plan(host, allow=True, state="absent")
    assert [step.verb for step in made.steps] == ["wipe", "wipe"]
    assert destroyed(made)[-1] == "/dev/sdb: all that bcache cached holds, unseen"


def test_a_cache_set_that_is_left_over_needs_permission_and_says_what_goes() -> None:
    for attached in (None, (Attached("b", "cached"),)):
        host = built(attached={SDC: attached})
        refused(host, "whether the cache set on /dev/sdc still holds dirty data", state="absent", cache_device=SDC)
        for given in (host, host._replace(expendable=(SDC,))):
            made = plan(given, allow=given is host, state="absent", cache_device=SDC)
            assert [step.verb for step in made.steps] == ["unregister", "wipe"]
            assert [sentence.split(":")[0] for sentence in destroyed(made)] == [SDC]
    # Its journal says that all was written back.
    assert destroyed(plan(built(attached={SDC: ()}), state="absent", cache_device=SDC)) == []


def test_absent_already() -> None:
    assert plan(BLANK, state="absent") == plan(BLANK, state="absent", backing_device="gone") == Plan((), BLANK)
    assert plan(BLANK, state="absent", backing_device=SDB, cache_device=SDC).steps == ()


# Facts


@pytest.mark.parametrize("host", [CACHED, built(PLAIN, sets=())])
def test_what_was_gathered_can_be_given_back_and_changes_nothing(host: Host) -> None:
    ((item, status),) = bcache.survey(host)
    assert bcache.facts(host, Bcache("cached")) == {"bcache": item, "status": status}
    assert bcache.plan(host, document.parse(item), False).steps == ()


def test_facts() -> None:
    kept = plan(CACHED, tunables={"sequential_cutoff": "0"}, cache_tunables={"io_error_limit": "16"}).after
    told = kept.cache_sets[0]._replace(tunables={"io_error_limit": "16", "discard": "1", "replacement_policy": "lru"})
    facts = bcache.facts(kept._replace(cache_sets=(told,)), Bcache("cached"))
    assert facts["bcache"] == {
        "name": "cached",
        "backing_device": "/dev/disk/by-id/sdb",
        "cache_device": "/dev/disk/by-id/sdc",
        "cache_mode": "writethrough",
        "bucket_size": 512 << 10,
        "sequential_cutoff": 0,
        "io_error_limit": 16,
        "discard": True,
        "replacement_policy": "lru",
        "state": "present",
    }
    assert facts["status"] == {
        "device": PATH,
        "size": 10 * GiB,
        "state": "clean",
        "cache_set": SET,
        "attached": True,
        "dirty_data": "",
        "hit_ratio": {},
        "registered": True,
        "tunables": {"sequential_cutoff": "0.0k"},
        "cache_tunables": told.tunables,
    }
    assert bcache.facts(BLANK, Bcache("cached")) == {"bcache": None, "status": None}


def test_references() -> None:
    assert bcache.references(Bcache("cached", "sdb", "sdc")) == ("sdb", "sdc")
    assert bcache.references(Bcache("cached")) == ()
