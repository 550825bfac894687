# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's storage as a document, which then changes nothing, and as a tree."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Unread
from ansible_collections.strata.storage.plugins.module_utils.document.document import parse
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw
from ansible_collections.strata.storage.plugins.module_utils.host import layout, survey
from ansible_collections.strata.storage.plugins.module_utils.host.bcache.state import Backing
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, DiskFacts, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import Lvm
from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import FSTAB
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.raid.state import Member
from ansible_collections.strata.storage.plugins.module_utils.host.safety import describe
from ansible_collections.strata.storage.plugins.module_utils.host.tree import tree

from .hosts import CONF, EXT4, UUID, GiB, a_host, an_array, disk, mdadm_line, with_array
from .test_layout import SDB, SDC, SDD, SDG, STACK, blank, planned

OTHERS: dict[str, Any] = {
    "filesystems": [
        {"device": "sde", "type": "swap"},
        {"device": "sdf", "type": "ext4", "label": "old", "mount_point": "/old", "mount_options": "noatime"},
    ]
}


def built() -> Host:
    """All layers, as the plan says that they will be."""
    words = {**STACK, **OTHERS, "raids": [{**STACK["raids"][0], "uuid": UUID}]}
    host: Host = planned(blank()._replace(directories={"/srv": None, "/old": True}), words).after
    return host._replace(spaces={"/srv": (10 * GiB, 9 * GiB), "/old": (10 * GiB, GiB // 2)})


def test_what_was_read_changes_nothing() -> None:
    host = built()
    words = survey.everything(host)["layout"]
    assert [item["name"] for section in ("raids", "bcaches", "drives") for item in words[section]] == [
        "md0",
        "cached",
        "data",
    ]
    assert words["bcaches"][0]["backing_device"] == "md0"
    assert words["drives"][0]["devices"] == ["cached"]
    assert [item["device"] for item in words["filesystems"]] == ["/dev/disk/by-id/sde", "/dev/disk/by-id/sdf"]
    assert planned(host, words).steps == ()


def test_what_there_is_by_hand() -> None:
    """No labels, options in other words than ours, and mounts that no boot knows."""
    fstab = "/dev/sdd /old ext4 noatime,nofail 0 0\n/dev/sdf /gone ext4 noauto 0 0\nUUID=s none swap sw 0 0\n"
    found = {
        SDD: Filesystem("ext4", "d", "old", 10 * GiB),
        "/dev/sde": Filesystem("xfs", "e", "", 10 * GiB),
        "/dev/sdf": Filesystem("ext4", "f", "", 10 * GiB),
        SDG: Filesystem("swap", "s", "", 10 * GiB),
        "/dev/bcache0": Filesystem("ext4", "b", "", 10 * GiB - 8192),
    }
    host = a_host(
        *(disk(f"/dev/sd{letter}") for letter in "bcdefg"),
        disk("/dev/bcache0", 10 * GiB - 8192),
        files={FSTAB: fstab, CONF: mdadm_line("/dev/md0")},
        filesystems=found,
        contents={path: Content((Signature(known.type, known.uuid, known.label),)) for path, known in found.items()},
        mounts=(Mount(SDD, "/old", "ext4", "rw,noatime"), Mount("/dev/sde", "/mnt", "xfs", "rw")),
        backings=(Backing(SDB, "b", bcache="/dev/bcache0", registered=True),),
        swaps=(SDG,),
        links={"/dev/bcache/by-label/bcache0": "/dev/bcache0", "/dev/md0": None},
        spaces={},
        disks={},
    )
    host = host.with_content(SDB, Signature("bcache"), held_by="/dev/bcache0")
    words = survey.document(host)
    assert words["bcaches"] == [
        {
            "name": "bcache0",
            "backing_device": "/dev/disk/by-id/sdb",
            "cache_mode": "writethrough",
            "state": "present",
        }
    ]
    mounted = {item["device"]: item.get("mount_point") for item in words["filesystems"]}
    assert mounted == {
        "/dev/disk/by-id/sdd": "/old",
        "/dev/disk/by-id/sde": None,
        "/dev/disk/by-id/sdf": None,
        "/dev/disk/by-id/sdg": None,
        "bcache0": None,
    }
    assert layout.plan(host, parse(words), ()).steps == ()


def test_a_line_and_a_drawing_of_a_host() -> None:
    full = built()
    told = survey.everything(full)
    summary = "6 disks, 0 devices unused; raids md0; bcaches cached; drives data; "
    assert told["summary"] == f"{summary}warning: /dev/sdf nearly full"
    assert told["text"] == draw(told["tree"])
    healthy = full._replace(spaces=dict.fromkeys(full.spaces or (), (10 * GiB, 9 * GiB)))
    assert survey.everything(healthy)["summary"] == f"{summary}healthy"
    broken = {path: device._replace(fault="offline") for path, device in full.devices.items()}
    assert survey.everything(full._replace(devices=broken))["summary"].endswith("; 8 more findings")


def test_how_full_what_is_mounted_is() -> None:
    (srv, old) = survey.everything(built())["usage"]
    assert (srv["mount_point"], srv["name"], srv["type"]) == ("/srv", "data/srv", "xfs")
    assert (srv["size"], srv["used"], srv["free"]) == (10 * GiB, GiB, 9 * GiB)
    assert (old["mount_point"], old["name"], old["device"]) == ("/old", "/dev/sdf", "/dev/sdf")


def test_a_filesystem_is_counted_once() -> None:
    """Wherever else it is mounted, and of however many devices it is. One that does not answer is left to health."""
    host = a_host(
        SDB,
        SDC,
        SDD,
        mounts=(
            Mount(SDB, "/pool", "btrfs", "rw"),
            Mount(SDC, "/pool", "btrfs", "rw"),
            Mount(SDC, "/pool/home", "btrfs", "rw"),
            Mount(SDD, "/under", "ext4", "rw", hidden=True),
            Mount(SDD, "/dead", "ext4", "rw"),
        ),
        spaces={"/pool": (10 * GiB, GiB), "/pool/home": (10 * GiB, GiB), "/under": (GiB, 0)},
        unreadable={("spaces", "/dead"): "Input/output error"},
        disks={},
    )
    told = survey.everything(host)
    assert [(one["mount_point"], one["device"]) for one in told["usage"]] == [("/pool", SDB)]
    assert [one["severity"] for one in told["health"] if one["problem"] == "unreadable"] == ["critical"]


def test_a_disk_with_two_paths_is_listed_once() -> None:
    facts = {SDB: DiskFacts(serial="b", wwn="naa.1"), SDC: DiskFacts(serial="b", wwn="naa.1"), SDD: DiskFacts()}
    told = survey.everything(a_host(SDB, SDC, SDD, disks=facts, spaces={}))
    assert [(one["device"], one["serial"]) for one in told["disks"]] == [
        ("/dev/disk/by-id/sdb", "b"),
        ("/dev/disk/by-id/sdd", ""),
    ]
    assert told["summary"].startswith("2 disks, ")


def test_each_branch_has_its_path_and_the_severity_of_its_worst_finding() -> None:
    told = survey.everything(built())["tree"]
    assert {(branch["device"], branch["severity"]) for branch in told} >= {(SDB, ""), ("/dev/sdf", "warning")}


def test_what_belongs_to_the_root_or_is_not_in_use_is_left_out() -> None:
    host = a_host(
        SDB,
        SDC,
        filesystems={SDB: Filesystem("ext4", "b"), SDC: Filesystem("swap", "c")},
        contents={SDB: Content((EXT4,)), SDC: Content((Signature("swap"),))},
        mounts=(Mount(SDB, "/", "ext4", "rw,relatime"),),
        spaces={},
        disks={},
    )
    assert survey.document(host)["filesystems"] == []
    # Used by hand, and not by fstab, it cannot be said as it is either.
    for found in (host, host._replace(swaps=(SDC,))):
        document = {**survey.document(found), "mode": "exact"}
        assert document["filesystems"] == []
        assert layout.plan(found._replace(lvm=Lvm()), parse(document), ()).steps == ()


def test_unused() -> None:
    host = a_host(
        SDB,
        disk(SDC, holders=("/dev/md0",)),
        disk(SDD, partitions=("/dev/sdd1",)),
        disk("/dev/sdd1", disk=SDD),
        disk("/dev/sde", read_only=True),
        "/dev/sdf",
        contents={"/dev/sdf": Content((EXT4,))},
        disks={f"/dev/sd{letter}": DiskFacts(serial=letter) for letter in "bcdef"},
    )
    found = survey.unused(host)
    assert [item["device"] for item in found] == ["/dev/disk/by-id/sdb", "/dev/disk/by-id/sdd1"]
    assert (found[1]["serial"], found[1]["size"]) == ("d", 10 * GiB)


def test_the_tree() -> None:
    assert draw(tree(built())).splitlines() == [
        "sdb                 disk              10 GiB",
        "└─ md0              raid5             20 GiB",
        "   └─ cached        bcache writeback  20 GiB",
        "      ├─ data/srv   lvm               10 GiB  xfs, 1 GiB used on /srv",
        "      └─ data/logs  lvm               10 GiB  ext4 on /srv/logs",
        "sdc                 disk              10 GiB",
        "└─ md0              raid5             20 GiB",
        "sdd                 disk              10 GiB",
        "└─ md0              raid5             20 GiB",
        "sde                 disk              10 GiB  swap",
        'sdf                 disk              10 GiB  ext4 "old", 9.5 GiB used on /old '
        "[nearly full: /old is 95 % full]",
        "sdg                 disk              10 GiB",
        "└─ cached           bcache writeback  20 GiB",
    ]


def test_the_tree_tells_a_spare_from_a_member_at_work() -> None:
    members = (Member(SDB, "active", 0), Member(SDC, "active", 1), Member(SDD, "spare"))
    there = with_array(a_host(SDB, SDC, SDD), an_array(members=members, name="md0"))
    assert draw(tree(there)).splitlines()[2::2] == ["sdc     disk   10 GiB", "sdd     disk   10 GiB  spare of md0"]


def test_the_tree_of_a_diff_has_options() -> None:
    there = with_array(a_host(SDB, SDC), an_array(SDB, SDC, name="md0", bitmap="internal"))
    found = {"/dev/md0": Filesystem("ext4", "u", "", 10 * GiB)}
    fstab = "UUID=u /srv ext4 {} 0 2\n"
    for options, shown in (("noatime", ", noatime"), ("defaults,nofail,x-systemd.device-timeout=300s", "")):
        host = there._replace(filesystems=found, files={FSTAB: fstab.format(options)})
        assert (
            draw(tree(host, findings=False)).splitlines()[1] == f"└─ md0  raid1  10 GiB  ext4 (bitmap internal{shown})"
        )
    assert "options" not in tree(host)[0]


def test_the_tree_of_a_diff_shows_what_nobody_had_to_look_at() -> None:
    there = a_host(SDB, SDC, contents={SDB: Content((EXT4,))})
    assert draw(tree(there, findings=False)).splitlines() == [
        f"sdb  disk  10 GiB  {describe(EXT4)}",
        "sdc  disk  10 GiB",
    ]
    with pytest.raises(Unread, match=f"contents {SDC}"):
        tree(there._replace(contents={SDB: Content()}), findings=False)
    known = there._replace(filesystems={SDB: Filesystem("ext4", "u", "backup")})
    assert draw(tree(known, findings=False)).splitlines()[0] == 'sdb  disk  10 GiB  ext4 "backup"'


def test_the_tree_of_what_does_not_run() -> None:
    """Nor were volume groups read: a diff of arrays draws a tree too."""
    stopped = with_array(a_host(SDB, SDC, lvm=None), an_array(SDB, SDC, device="", name="md0"))
    assert draw(tree(stopped, findings=False)).splitlines() == [
        "sdb     disk   10 GiB",
        "└─ md0  raid1",
        "sdc     disk   10 GiB",
        "└─ md0  raid1",
    ]
    luks = a_host(
        disk(SDB, holders=("/dev/dm-0",)),
        disk("/dev/dm-0", identity="", link="/dev/mapper/vault"),
        contents={SDB: Content()},
    )
    assert draw(tree(luks, findings=False)).splitlines()[1] == "└─ mapper/vault  device  10 GiB"


def test_what_is_mounted_is_looked_at() -> None:
    with pytest.raises(Unread, match="spaces"):
        survey.everything(a_host(SDB))


def test_a_line_about_a_host_is_one_line() -> None:
    """An array may have any name."""
    full = built()
    arrays = tuple(one._replace(name="a\x1b[2J\nb") for one in full.arrays)
    hostile = full._replace(arrays=arrays, files={**full.files, "/etc/mdadm/mdadm.conf": ""})
    told = survey.everything(hostile)["summary"]
    assert ("\\x1b" in told, told.isprintable()) == (True, True), told
