# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole documents: one plan over all layers, as values."""

from __future__ import annotations

import cProfile
import pstats
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Refused, StorageError, Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.document import Document, parse
from ansible_collections.strata.storage.plugins.module_utils.host import layout
from ansible_collections.strata.storage.plugins.module_utils.host.devices import BLANK, Content, DiskFacts, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import Group, Lvm, PhysicalVolume
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.partition.state import Part, Table

from .hosts import (
    CONF,
    DEBIAN,
    EXT4,
    UUID,
    GiB,
    MiB,
    a_host,
    an_array,
    commands,
    destroyed,
    disk,
    mdadm_line,
    outline,
    with_array,
)

SDB, SDC, SDD, SDE, SDF, SDG = (f"/dev/sd{letter}" for letter in "bcdefg")
STACK: dict[str, Any] = {
    "drives": [
        {
            "name": "data",
            "devices": ["cached"],
            "volumes": [
                {"name": "srv", "size": "50%", "filesystem": "xfs", "mount_point": "/srv"},
                {"name": "logs", "size": "100%", "filesystem": "ext4", "mount_point": "/srv/logs"},
            ],
        }
    ],
    "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "sdg", "cache_mode": "writeback"}],
    "raids": [{"name": "md0", "level": "5", "devices": ["sdb", "sdc", "sdd"]}],
}


def blank(**more: Any) -> Host:
    host = a_host(*(f"/dev/sd{letter}" for letter in "bcdefg"), directories={"/srv": None}, **more)
    facts = {
        path: DiskFacts(serial=f"S{path[-1]}", wwn=f"naa.5{path[-1]}", rotational=path != SDG) for path in host.devices
    }
    return host._replace(disks=facts)


def planned(host: Host, words: dict[str, Any], *allow: str) -> Plan:
    """The plan, after which there is none."""
    document = parse(words)
    plan = layout.plan(host, document, allow)
    assert layout.plan(host, document, allow) == plan
    assert layout.plan(plan.after, document, allow).steps == ()
    return plan


def refused(host: Host, words: dict[str, Any], said: str, *allow: str) -> None:
    with pytest.raises(StorageError, match=said):
        layout.plan(host, parse(words), allow)


def test_the_whole_plan_on_an_empty_host() -> None:
    plan = planned(blank(), STACK)
    assert outline(plan) == [
        "persist raid md0",
        "create raid md0",
        "inspect raid md0",
        "format bcache cached",
        "register bcache cached",
        "persist bcache cached",
        "format bcache cached",
        "register bcache cached",
        "inspect bcache cached",
        "label bcache cached",
        "attach bcache cached",
        "set bcache cached",
        "create drive data",
        "create volume data/srv",
        "format volume data/srv",
        "create volume data/logs",
        "format volume data/logs",
        "create directory /srv",
        "persist mount data/srv",
        "mount volume data/srv",
        "create directory /srv/logs",
        "persist mount data/logs",
        "mount volume data/logs",
    ]
    assert "vgcreate data /dev/<kernel-name:/sys/class/block/<kernel-name:/dev/md0>/bcache/dev>" in commands(plan)
    sizes = [command for command in commands(plan) if command.startswith("lvcreate")]
    assert "--size <share:50%-of-data>b" in sizes[0]
    assert "--extents 100%FREE" in sizes[1]


def test_what_there_is_after_it() -> None:
    plan = planned(blank(), STACK)
    found = layout.facts(plan.after, parse(STACK))
    assert [item["name"] for section in found["layout"].values() for item in section] == ["md0", "cached", "data"]
    assert found["status"]["drives"]["data"]["volumes"].keys() == {"srv", "logs"}
    assert layout.facts(blank(), parse(STACK)) == {
        "layout": {"raids": [], "bcaches": [], "drives": []},
        "status": {"raids": {}, "bcaches": {}, "drives": {}},
    }


def test_disks_by_what_they_are() -> None:
    words = {
        **STACK,
        "disks": [{"name": "slow", "rotational": True, "count": 3}, {"name": "fast", "serial": "Sg"}],
        "raids": [{"name": "md0", "level": "5", "devices": ["slow"]}],
        "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "fast", "cache_mode": "writeback"}],
    }
    assert planned(blank(), words) == planned(blank(), STACK)
    refused(blank(), {**words, "disks": [{"name": "slow", "rotational": True, "count": 6}]}, "6 wanted, and 5 match")


def test_disks_that_are_alike_keep_what_they_are_for() -> None:
    words: dict[str, list[dict[str, Any]]] = {
        "disks": [{"name": "front", "rotational": True}, {"name": "back", "rotational": True}],
        "bcaches": [{"name": "cached", "backing_device": "back", "cache_device": "front"}],
    }
    taken = blank(contents={SDB: Content((EXT4,)), SDD: Content((EXT4,)), "/dev/sde": Content((EXT4,))})
    plan = planned(taken, words)
    assert (plan.after.cache_sets[0].device, plan.after.backings[0].device) == (SDC, "/dev/sdf")
    pair = {
        **words,
        "disks": [*reversed(words["disks"]), {"name": "more", "rotational": True, "count": 3, "allow_data": True}],
    }
    assert planned(plan.after, pair).steps == ()


def test_everything_goes_from_the_top() -> None:
    there = planned(blank(), STACK).after
    gone = {
        section: [{"name": items[0]["name"], "state": "absent", "volumes": None}] for section, items in STACK.items()
    }
    plan = planned(there, gone, "md0", "cached", "data")
    order = [step.kind for step in plan.steps if step.kind in ("drive", "bcache", "raid")]
    assert order == sorted(order, key=["drive", "bcache", "raid"].index)
    assert plan.after.arrays == plan.after.backings == ()
    refused(there, gone, "drive data cannot be removed: .* Add data to allow_destroy to destroy that", "md0")


def test_a_disk_from_one_item_to_another() -> None:
    """What goes makes room for what comes; and what something else still holds goes after that let go."""
    mirror = an_array(SDB, SDC, uuid="00112233445566778899aabbccddeeff")
    host = with_array(blank(files={CONF: mdadm_line("/dev/md0", mirror.uuid)}), mirror)
    host = host._replace(contents={**host.contents, "/dev/md0": Content()})
    words = {"raids": [{"name": "md1", "level": "1", "devices": ["sdc", "sdd"]}, {"name": "md0", "state": "absent"}]}
    steps = outline(planned(host, words))
    assert steps.index("stop raid md0") < steps.index("create raid md1")


def test_permission_is_given_by_name() -> None:
    host = blank(contents={SDB: Content((EXT4,))})
    refused(host, STACK, "/dev/sdb: refused as a member of md0: .*, or name /dev/disk/by-id/sdb in allow_destroy")
    refused(host, STACK, "refused as a member of md0", "data", "cached")
    assert destroyed(planned(host, STACK, "md0")) == [
        '/dev/sdb: an ext4 filesystem labelled "backup" (UUID 0b4f7a34-5e0e-4e24-9b1e-0a6f5d1c2b3a)'
    ]
    refused(host, STACK, "allow_destroy: md7 is no item of the document, no path, and no disk's serial", "md7")


def test_permission_is_given_for_devices() -> None:
    host = blank(contents={SDB: Content((EXT4,)), SDC: Content((EXT4,))})
    for allow in ("Sb", "5b", "naa.5b", "0x5b", "/dev/disk/by-id/sdb", SDB):
        refused(host, STACK, "/dev/sdc: refused as .* name /dev/disk/by-id/sdc in allow_destroy", allow)
        assert len(destroyed(planned(host, STACK, allow, SDC))) == 2
    # It may be gone, after the run that destroyed what it held.
    refused(host, STACK, "/dev/sdc: refused", "Sb", "/dev/disk/by-id/gone")


def test_only_blank_disks_are_chosen() -> None:
    """And those that the document made, or began to."""
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "rotational": True, "count": 5}],
        "raids": [{"name": "md0", "level": "5", "devices": ["slow"]}],
    }
    taken = blank(contents={SDC: Content((EXT4,))})
    for allow in ([], ["md0"], [SDC]):
        refused(taken, words, r'5 wanted, .*/by-id/sdc \(Sc\) holds an ext4 filesystem labelled "backup"', *allow)
    words["disks"][0]["allow_data"] = True
    refused(taken, words, "/dev/sdc: refused", "Sb")
    made = planned(taken, words, SDC)
    assert len(destroyed(made)) == 1
    del words["disks"][0]["allow_data"]
    assert planned(made.after, words).steps == ()


def test_what_was_begun_on_a_disk_is_gone_on_with() -> None:
    words: dict[str, Any] = {
        "disks": [{"name": "one", "rotational": False}],
        "partitions": [{"name": "part", "device": "one"}],
    }
    gpt = Content((Signature("gpt"),))
    empty = Table("gpt", MiB, 10 * GiB - MiB)
    assert outline(planned(blank(contents={SDG: gpt}, tables={SDG: empty}), words)) == ["create partition part"]
    for other in (empty._replace(parts=(Part(1, MiB, MiB),)), None):
        refused(blank(contents={SDG: gpt}, tables={SDG: other}), words, "holds a GPT partition table")
    words = {"disks": words["disks"], "drives": [drive("data", "one")]}
    orphan = blank(contents={SDG: Content((Signature("LVM2_member"),))}, lvm=Lvm(orphans=(SDG,), begun={SDG: ""}))
    record = Unfinished("/record", "create drive data", "drive data", "", (SDG,), (SDG,))
    assert planned(orphan._replace(unfinished=(record,)), words).steps
    refused(orphan, words, "holds an LVM2 physical volume")


def mirror(name: str, *devices: str) -> dict[str, Any]:
    return {"name": name, "level": "1", "devices": [*devices]}


def drive(name: str, *devices: str) -> dict[str, Any]:
    return {"name": name, "devices": [*devices]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"raids": [mirror("md0", "sdb", "/dev/sdc")], "drives": [drive("d", "sdc")]},
            r"raids: md0: devices\[1\] and drives: d: devices\[0\] both mean /dev/sdc",
        ),
        (
            {"raids": [mirror("x", "sdb", "sdc"), mirror("x", "sdd", "sde")]},
            "x is the name of two items: raids: x and raids: x",
        ),
        (
            {"raids": [mirror("x", "sdb", "sdc")], "bcaches": [{"name": "x", "backing_device": "x"}]},
            "bcaches: x: backing_device: x may mean raids: x and bcaches: x; say which one with its section",
        ),
        (
            {"raids": [mirror("a", "b", "sdc")], "bcaches": [{"name": "b", "backing_device": "a"}]},
            "made of each other: raids: a from bcaches: b from raids: a",
        ),
        ({"drives": [drive("sdg", "sdd")]}, "drives: sdg: there is a device /dev/sdg of that name already"),
        ({"drives": [drive("d", "sdz")]}, "drive d: there is no block device sdz on this host"),
    ],
)
def test_what_contradicts_itself(words: dict[str, Any], said: str) -> None:
    host = blank()
    host = host._replace(links={**host.links, "/dev/sdg": SDG})
    refused(host, words, said)


def test_a_cache_for_several() -> None:
    words = {
        "bcaches": [
            {"name": "one", "backing_device": "sdb", "cache_device": "sdg"},
            {"name": "two", "backing_device": "sdc", "cache_device": "sdg"},
        ]
    }
    plan = planned(blank(), words)
    assert sum("--cache" in command for command in commands(plan)) == 1
    assert len(plan.after.cache_sets) == 1


def test_filesystems_on_what_the_document_makes() -> None:
    words = {
        "filesystems": [
            {"device": "data/logs", "mount_point": "/var/x"},
            {"device": "md0", "type": "ext4", "mount_point": "/srv/a"},
            {"device": "rest[0]", "type": "swap", "label": "memory"},
        ],
        "disks": [{"name": "rest", "serial": "Sg"}],
        "raids": [mirror("md0", "sdb", "sdc")],
        "drives": [{"name": "data", "devices": ["sdd"], "volumes": [{"name": "logs", "mount_point": "/srv"}]}],
    }
    refused(blank(), words, "drives: data wants /dev/data/logs on /srv, and filesystems: data/logs on /var/x")
    words["filesystems"] = words["filesystems"][1:]
    plan = planned(blank(), words)
    mounted = [step.detail for step in plan.steps if step.verb == "mount"]
    assert mounted == ["/srv", "/srv/a"]
    assert outline(plan)[-1] == "enable swap /dev/sdg"
    items = layout.facts(plan.after, parse(words))["layout"]["filesystems"]
    assert [(item["device"], item["type"]) for item in items] == [
        ("/dev/md0", "ext4"),
        ("/dev/disk/by-id/sdg", "swap"),
    ]
    taken = blank(contents={SDG: Content((EXT4,))}, filesystems={SDG: Filesystem("ext4", EXT4.uuid, size=GiB)})
    refused(taken, words, "/dev/sdg: refused as .*, or name /dev/disk/by-id/sdg in allow_destroy")
    assert destroyed(planned(taken, words, "rest[0]"))


def with_partition(host: Host, path: str, name: str) -> Host:
    """A disk with a table, and a partition of that name in it."""
    part = disk(path, GiB, disk=path[:-1], part_name=name, link="")
    host = host.with_device(part, path)
    whole = host.devices[path[:-1]]._replace(partitions=(path,))
    return host._replace(
        devices={**host.devices, whole.path: whole},
        tables={**host.tables, whole.path: Table("gpt", MiB, 10 * GiB - MiB, (Part(1, MiB, GiB),))},
        contents={**host.contents, whole.path: Content((Signature("gpt"),)), path: Content()},
        filesystems={**host.filesystems, path: None},
    )


def test_one_name_on_two_disks() -> None:
    words = {
        "partitions": [{"name": "data", "device": "sdc"}],
        "filesystems": [{"device": "data", "type": "ext4", "mount_point": "/srv"}],
    }
    one = with_partition(blank(), f"{SDB}1", "data")
    assert any("mkfs.ext4" in command and command.endswith("/dev/sdc1") for command in commands(planned(one, words)))
    both = with_partition(one, f"{SDC}1", "data")
    assert any("mkfs.ext4" in command and command.endswith("/dev/sdc1") for command in commands(planned(both, words)))


def test_one_partition_by_two_names() -> None:
    words = {"partitions": [{"name": "a", "device": "sdb", "number": 1}, {"name": "b", "device": "/dev/sdb1"}]}
    refused(with_partition(blank(), f"{SDB}1", ""), words, "partitions: a and partitions: b both mean /dev/sdb1")


def test_partitions_and_what_is_made_of_them() -> None:
    words: dict[str, Any] = {
        "disks": [{"name": "pair", "rotational": True, "count": 2}],
        "raids": [mirror("md0", "left", "right")],
        "partitions": [
            {"name": "left", "device": "pair[0]", "size": "1G", "type": "raid"},
            {"name": "right", "device": "pair[1]", "size": "1G", "type": "raid"},
            {"name": "inner", "device": "md0", "size": "50%"},
            {"name": "rest", "device": "md0"},
            {"name": "swap0", "device": "pair[0]"},
        ],
        "filesystems": [
            {"device": "inner", "type": "ext4", "mount_point": "/srv"},
            {"device": "swap0", "type": "swap"},
        ],
    }
    plan = planned(blank(), words)
    made = [f"{step.kind} {step.name}" for step in plan.steps if step.verb == "create"]
    assert made == [
        "table /dev/sdb",
        "partition left",
        "table /dev/sdc",
        "partition right",
        "raid md0",
        "table /dev/md0",
        "partition inner",
        "partition rest",
        "partition swap0",
        "directory /srv",
    ]
    assert "mount filesystem /dev/disk/by-partlabel/inner" in outline(plan)
    found = layout.facts(plan.after, parse(words))["layout"]["partitions"]
    assert [item["name"] for item in found] == ["left", "right", "inner", "rest", "swap0"]
    clash = {**words, "drives": [drive("d", "pair[1]")]}
    refused(blank(), clash, r"partitions: right: device and drives: d: devices\[0\] both mean /dev/sdc")


def test_the_disk_that_a_filesystem_is_on_stays() -> None:
    """What the document already uses wins, also where its name alone would mean another."""
    words = {
        "disks": [{"name": "one", "rotational": True}],
        "filesystems": [{"device": "one", "type": "ext4", "label": "backup"}],
    }
    there = blank(contents={SDD: Content((EXT4,))})
    there = there._replace(filesystems={SDD: Filesystem("ext4", EXT4.uuid, "backup", 10 * GiB)})
    assert planned(there, words).steps == ()
    assert outline(planned(blank()._replace(filesystems={SDB: None}), words)) == ["format filesystem /dev/sdb"]


def test_nothing_but_what_the_document_names() -> None:
    others = {
        "raids": [mirror("md0", "sdb", "sdc"), mirror("md1", "sdd", "sde")],
        "drives": [drive("top", "md1")],
        "filesystems": [{"device": "md0", "type": "ext4"}, {"device": "sdf", "type": "ext4"}],
    }
    host = planned(blank(), others).after

    words: dict[str, Any] = {"raids": [{"name": "md0"}], "drives": [], "mode": "exact"}
    refused(host, words, "mode exact would remove: drives: top, raids: md1. Name them")
    refused(host, words, "mode exact would remove: raids: md1. Name them", "top")
    plan = planned(host, words, "top", "md1")
    assert {step.name for step in plan.steps if step.kind in ("raid", "drive")} == {"top", "md1"}
    assert [array.name for array in plan.after.arrays] == ["md0"]
    assert planned(host, {**words, "mode": "merge"}).steps == ()
    keeping = {**words, "filesystems": [{"device": "md0"}]}
    refused(host, keeping, "would remove: filesystems: /dev/disk/by-id/sdf, drives: top, raids: md1")
    assert "wipe device /dev/sdf" in outline(planned(host, keeping, "/dev/disk/by-id/sdf", "top", "md1"))


def test_what_lies_on_another_goes_before_it_in_whatever_layer_it_is() -> None:
    """Arrays on arrays, and a bcache on a volume: no order of the sections takes them down."""
    raids = [
        {"name": "md0", "level": "1", "devices": [SDB, SDC]},
        {"name": "md1", "level": "1", "devices": ["md0", SDD]},
        {"name": "md2", "level": "1", "devices": ["md1", SDE]},
    ]
    drives = [{"name": "data", "devices": ["md2"], "volumes": [{"name": "srv", "size": "100%"}]}]
    host = planned(blank(), {"raids": raids, "drives": drives}).after
    volume = host.groups().groups[0].volumes[0].device
    held = {**host.devices, "/dev/md2": host.devices["/dev/md2"]._replace(holders=(volume,))}
    host = host._replace(devices=held, contents={**host.contents, volume: BLANK}, filesystems={})
    built = planned(host, {"bcaches": [{"name": "slow", "backing_device": volume, "cache_device": SDG}]}).after
    nothing: dict[str, Any] = {"raids": [], "drives": [], "bcaches": [], "mode": "exact"}
    gone = planned(built, nothing, "md0", "md1", "md2", "data", "slow")
    stopped = [step.name for step in gone.steps if step.verb == "stop"]
    assert stopped == ["slow", "md2", "md1", "md0"]
    assert (gone.after.arrays, gone.after.backings, gone.after.groups().groups) == ((), (), ())


def test_what_is_in_use_or_below_the_root_never_goes() -> None:
    top_drive = {**drive("top", "md1"), "filesystem": "ext4"}
    words: dict[str, Any] = {"raids": [mirror("md1", "sdd", "sde")], "drives": [top_drive]}
    host = planned(blank(), words).after
    top = host.groups().groups[0].volumes[0].device
    nothing = {"raids": [], "drives": [], "filesystems": [], "mode": "exact"}
    used = host._replace(mounts=(Mount(top, "/srv", "ext4", "rw,relatime"),))
    refused(used, nothing, r"drives: top is not in the document, .* but /dev/top/top is in use \(/srv\)", "top", "md1")
    root = host._replace(mounts=(Mount(top, "/", "ext4", "rw,relatime"),))
    assert planned(root, nothing).steps == ()


def test_what_has_to_be_started_is_planned_with_once_it_runs() -> None:
    stopped = an_array(SDB, SDC, SDD, device="", level="5", name="md0")
    plan = layout.plan(with_array(blank(files={CONF: mdadm_line("/dev/md0")}), stopped), parse(STACK), ())
    assert outline(plan) == ["assemble raid md0"]
    assert plan.in_progress == (
        "bcaches: cached: is planned once md0 runs",
        "drives: data: is planned once md0 runs",
    )


def test_a_document_of_many_items() -> None:
    """Arrays on arrays on arrays: each is planned on what the ones before it lead to."""
    host = a_host(*(disk(f"/dev/sd{letter}", GiB) for letter in "bcdefghi"))
    pairs = {"md0": ["sdb", "sdc"], "md1": ["sdd", "sde"], "md2": ["sdf", "sdg"], "md3": ["sdh", "sdi"]}
    raids = [{"name": name, "level": "1", "devices": pair} for name, pair in pairs.items()]
    words = {"raids": [{"name": "md9", "level": "0", "devices": ["md0", "md1", "md2", "md3"]}, *raids]}
    plan = planned(host, words)
    created = [step.name for step in plan.steps if step.verb == "create"]
    assert created == ["md0", "md1", "md2", "md3", "md9"]


def test_what_is_to_be_read_is_asked_for_at_once() -> None:
    host = blank()._replace(contents={})
    with pytest.raises(Unread) as need:
        layout.plan(host, parse(STACK), ())
    assert (need.value.what, sorted(need.value.names)) == ("contents", [SDB, SDC, SDD, SDG])
    there = planned(blank(), {"filesystems": [{"device": f"sd{letter}", "type": "ext4"} for letter in "bcd"]}).after
    with pytest.raises(Unread) as need:
        layout.plan(there._replace(filesystems={}), parse({"filesystems": [{"device": "sdb"}, {"device": "sdd"}]}), ())
    assert (need.value.what, need.value.names) == ("filesystems", (SDB, SDD))


def calls(count: int) -> int:
    """How many function calls it takes to plan arrays, drives and filesystems on so many disks, chosen by property."""
    devices = [f"/dev/d{number:03}" for number in range(count)]
    host = a_host(*devices, directories={})._replace(
        disks={path: DiskFacts(serial=path, rotational=True) for path in devices}
    )
    pairs = [f"m{number}" for number in range(count // 2)]
    words = {
        "disks": [{"name": "all", "rotational": True, "count": count}],
        "raids": [
            {"name": name, "level": "1", "devices": [f"all[{2 * index}]", f"all[{2 * index + 1}]"]}
            for index, name in enumerate(pairs)
        ],
        "drives": [{"name": f"d{name}", "devices": [name], "volumes": [{"name": "v"}]} for name in pairs[::2]],
        "filesystems": [{"device": name, "type": "ext4"} for name in pairs[1::2]],
    }
    document = parse(words)
    profile = cProfile.Profile()
    plan: Plan = profile.runcall(layout.plan, host, document, ())
    assert sum(step.verb == "create" for step in plan.steps) == count
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined, no-any-return]


def test_planning_grows_with_the_number_of_devices() -> None:
    """And not with its square."""
    few, many = calls(16), calls(64)
    assert many < 4 * 1.5 * few, (few, many)


def test_one_initramfs_for_all_arrays() -> None:
    raids = [mirror("md0", "sdb", "sdc"), mirror("md1", "sdd", "sde"), mirror("md9", "md0", "md1")]
    plan = planned(blank(boot=DEBIAN), {"raids": raids})
    assert outline(plan)[:5] == [
        "persist raid md0",
        "persist raid md1",
        "persist raid md9",
        "rebuild initramfs update-initramfs",
        "create raid md0",
    ]
    assert [step.verb for step in plan.steps].count("rebuild") == 1


def test_what_is_mounted_is_not_touched() -> None:
    host = blank(mounts=(Mount(SDB, "/", "ext4", "rw,relatime"),))
    with pytest.raises(Refused, match="/dev/sdb is mounted on /"):
        layout.plan(host, parse(STACK), ("md0",))


def test_references() -> None:
    found: tuple[str, ...] = layout.references(parse(STACK))
    assert {"md0", "sdb", "/dev/md0", "/dev/bcache/by-label/cached", "/dev/data/srv", "/dev/cached"} <= {*found}
    assert isinstance(parse(STACK), Document)


# One name in several sections


def test_a_drive_is_no_device_and_shares_its_name() -> None:
    made = planned(blank(), {"raids": [mirror("data", "sdb", "sdc")], "drives": [drive("data", "data")]})
    assert outline(made)[:3] == ["persist raid data", "create raid data", "inspect raid data"]
    assert "create drive data" in outline(made)


def test_a_name_of_two_devices_is_said_with_its_section() -> None:
    words = {
        "raids": [mirror("data", "sdb", "sdc")],
        "bcaches": [{"name": "data", "backing_device": "raids: data"}],
        "drives": [drive("data", "bcaches: data")],
    }
    made = planned(blank(), words)
    assert [
        line for line in outline(made) if line in ("create raid data", "format bcache data", "create drive data")
    ] == [
        "create raid data",
        "format bcache data",
        "create drive data",
    ]
    refused(blank(), words, "allow_destroy: data may mean raids: data and bcaches: data and drives: data", "data")


def test_what_may_go_is_said_with_its_section() -> None:
    group = Group("data", physical_volumes=(PhysicalVolume(SDD, 9 * GiB),))
    host = with_array(blank(), an_array(SDB, SDC, device="/dev/md/data", name="data"))
    host = host.with_content(SDD, Signature("LVM2_member"), held_by=None)
    host = host._replace(
        lvm=Lvm((group,)),
        contents={**host.contents, "/dev/md/data": Content((EXT4,))},
        filesystems=dict.fromkeys(host.devices),
    )
    nothing: dict[str, Any] = {"mode": "exact", "raids": [], "drives": []}
    refused(host, nothing, "allow_destroy: data may mean drives: data and raids: data", "data")
    refused(host, nothing, "mode exact would remove: raids: data. Name", "drives: data")
    gone = layout.plan(host, parse({**nothing, "drives": None}), ("raids: data",))
    assert (gone.after.arrays, gone.after.lvm) == ((), host.lvm)
    # By a name of its own, the array that the document names by UUID or by its path is the same one.
    words = {**nothing, "drives": None, "raids": [{"name": "other", "uuid": UUID}]}
    assert destroyed(layout.plan(host, parse(words), ())) == []


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (["sdb", "slwo"], "array md0: there is no block device slwo on this host. Did you mean slow?"),
        (
            ["/dev/sdb /dev/sdc"],
            "array md0: '/dev/sdb /dev/sdc' is a text with a blank in it, and no block device of this host",
        ),
        (["sdb", " sdc"], "array md0: ' sdc' is a text with a blank in it, and no block device of this host"),
        (["sdb", "sdx"], "there is no block device sdx on this host$"),
        (["sdb", "Sc"], "there is no block device Sc on this host; that is the serial number of /dev/disk/by-id/sdc$"),
    ],
)
def test_devices_that_mean_nothing(devices: list[str], said: str) -> None:
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "serial": "Sd"}],
        "raids": [{"name": "md0", "level": "1", "devices": devices}],
    }
    with pytest.raises(StorageError, match=said):
        layout.plan(blank(), parse(words), ())


def test_a_permission_for_everything_is_none() -> None:
    words: dict[str, Any] = {"raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}]}
    with pytest.raises(StorageError, match="a document lists the items or devices that may lose what they hold"):
        layout.plan(blank(), parse(words), ("True",))


def test_two_volumes_of_a_drive_on_one_mount_point() -> None:
    volumes = [{"name": name, "filesystem": "xfs", "mount_point": "/srv"} for name in ("a", "b")]
    words: dict[str, Any] = {"drives": [{"name": "data", "devices": ["sdb"], "volumes": volumes}]}
    with pytest.raises(StorageError, match=r"^/srv is the mount_point of two volumes of drives: data$"):
        layout.plan(blank(), parse(words), ())


def test_a_drive_takes_the_mount_points_of_one_that_goes() -> None:
    """What was seen there was in the old one."""
    logs = {"name": "logs", "filesystem": "xfs", "mount_point": "/srv/logs", "size": "1G"}
    new = {"name": "new", "devices": ["sde"], "volumes": [logs, {**logs, "name": "srv", "mount_point": "/srv"}]}
    built = planned(blank(), STACK).after
    seen = built._replace(
        directories={"/srv": False, "/srv/logs": False}, users={"/srv": "", "/srv/logs": ""}, covered=(), uncovered=()
    )
    words: dict[str, Any] = {
        "drives": [{"name": "data", "state": "absent", "volumes": [{"name": "srv"}, {"name": "logs"}]}, new],
    }
    plan = layout.plan(seen, parse(words), ("data",))
    assert [line for line in outline(plan) if "mount" in line or "directory" in line] == [
        "unmount volume data/logs",
        "persist mount data/logs",
        "unmount volume data/srv",
        "persist mount data/srv",
        "persist mount new/srv",
        "mount volume new/srv",
        "create directory /srv/logs",
        "persist mount new/logs",
        "mount volume new/logs",
    ]


def test_all_items_that_cannot_be_planned_are_told_at_once() -> None:
    """Without those that are made of them, which are right."""
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "serial": "Sd"}],
        "raids": [
            {"name": "md0", "level": "1", "devices": ["slwo", "sdx"]},
            {"name": "md1", "level": "5", "devices": ["sdb", "sdc"]},
        ],
        "drives": [drive("data", "md0"), drive("more", "sdy"), drive("good", "sde")],
    }
    with pytest.raises(StorageError) as caught:
        layout.plan(blank(), parse(words), ())
    assert str(caught.value).splitlines() == [
        "3 errors:",
        "raids: md0: there is no block device slwo on this host. Did you mean slow?",
        "raids: md1: RAID 5 needs at least 3 devices, and `devices` has 2",
        "drives: more: there is no block device sdy on this host",
    ]


@pytest.mark.parametrize("first", ["md0", "md1"])
def test_a_device_moves_from_one_array_to_another(first: str) -> None:
    """In whichever order they are written."""
    array = an_array(SDB, SDC, SDD)
    host = with_array(blank(files={CONF: mdadm_line("/dev/md0")}), array)
    items = {
        "md0": {"name": "md0", "level": "1", "devices": ["sdb", "sdc"]},
        "md1": {"name": "md1", "level": "1", "devices": ["sdd", "sde"]},
    }
    words = {"raids": sorted(items.values(), key=lambda item: item["name"] != first)}
    plan = planned(host, words, "md0", "md1")
    assert outline(plan)[0].endswith("raid md0")
    assert "create raid md1" in outline(plan)


def test_a_device_of_an_array_that_is_busy_moves_later() -> None:
    array = an_array(SDB, SDC, SDD, sync_action="resync", percent=12.0)
    host = with_array(blank(files={CONF: mdadm_line("/dev/md0")}), array)
    md0 = {"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}
    md1 = {"name": "md1", "level": "1", "devices": ["sdd", "sde"]}
    refused(
        host,
        {"raids": [md0, md1]},
        "it is a member of RAID array /dev/md0 .*What has to wait for now may change that: md0: fail /dev/sdd, "
        "which is not wanted, once its resync has ended; .*Run this again then",
        "md0",
    )


def test_a_device_that_left_an_array_is_taken_with_permission() -> None:
    """It has the array's superblock still. One with a version of its own is not even taken with permission."""
    host = with_array(blank(files={CONF: mdadm_line("/dev/md0")}), an_array(SDB, SDC, SDD))
    (array,) = host.arrays
    left = host.devices[SDD]._replace(holders=())

    def beside(role: str) -> Host:
        outside = array.members[2]._replace(role=role, slot=None)
        now = array._replace(members=(*array.members[:2], outside), raid_devices=2)
        known = host._replace(arrays=(now,), devices={**host.devices, SDD: left})
        return known.with_content(SDD, Signature("linux_raid_member", UUID), held_by=None)

    words = {"raids": [{"name": "md1", "level": "1", "devices": ["sdd", "sde"]}]}
    refused(beside("former"), words, "it holds membership of a RAID array")
    plan = planned(beside("former"), words, "md1")
    assert [text.partition(":")[0] for text in destroyed(plan)] == [SDD]
    refused(beside("apart"), words, "holds a version of its own .RAID array md0.", "md1")
    refused(host, words, "it is a member of RAID array /dev/md0", "md1")


def test_all_that_is_refused_is_told_at_once() -> None:
    host = blank()._replace(contents={**blank().contents, SDB: Content((EXT4,)), SDC: Content((EXT4,))})
    with pytest.raises(Refused) as caught:
        layout.plan(host, parse({"drives": [drive("data", "sdb"), drive("more", "sdc")]}), ())
    assert [line.split(": it holds")[0] for line in str(caught.value).splitlines()] == [
        "2 errors:",
        "drives: data: /dev/sdb: refused as a device of data",
        "drives: more: /dev/sdc: refused as a device of more",
    ]


def test_all_disks_that_are_too_few_are_told_at_once() -> None:
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "model": "M", "count": 2}, {"name": "fast", "serial": "none"}],
        "drives": [drive("data", "slow", "fast")],
    }
    with pytest.raises(StorageError) as caught:
        layout.plan(blank(), parse(words), ())
    assert [line.partition(",")[0] for line in str(caught.value).splitlines()] == [
        "2 errors:",
        "disks fast: 1 wanted",
        "disks slow: 2 wanted",
    ]
