# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Plan
from ansible_collections.strata.storage.plugins.module_utils.document.partition import Partition, parse
from ansible_collections.strata.storage.plugins.module_utils.host.actions import Inspect
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Signature
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.partition import plan as planner
from ansible_collections.strata.storage.plugins.module_utils.host.partition.state import Part, Table

from ..hosts import EXT4, GiB, MiB, a_host, an_array, commands, destroyed, disk, outline, with_array

SDB = "/dev/sdb"
ONE, TWO = "/dev/sdb1", "/dev/sdb2"
GPT = Content((Signature("gpt"),))
NVME = "/dev/nvme0n1"


def parted(*parts: Part, label: str = "gpt", **more: Any) -> Host:
    """A disk of 10 GiB with partitions, called p1, p2, …"""
    paths = [f"{SDB}{part.number}" for part in parts]
    return a_host(
        disk(SDB, partitions=tuple(paths)),
        *(disk(path, part.size, disk=SDB, part_name=f"p{part.number}", link="") for path, part in zip(paths, parts)),
        tables={SDB: Table(label, MiB, 10 * GiB - MiB, parts)},
        contents={SDB: GPT, **{path: Content() for path in paths}, **more.pop("contents", {})},
        **more,
    )


def plan(host: Host, allow: bool = False, **words: Any) -> Plan:
    want = parse({"name": "p1", "device": "sdb", **words})
    made = planner.plan(host, want, allow)
    again = planner.plan(made.after, want, False)
    assert again.steps == (), again.steps
    return made


def refused(host: Host, said: str, allow: bool = False, **words: Any) -> None:
    with pytest.raises(StorageError, match=said):
        planner.plan(host, parse({"name": "p1", "device": "sdb", **words}), allow)


def test_the_first_of_a_blank_device() -> None:
    made = plan(a_host(SDB), size="100M", type="raid")
    assert outline(made) == ["create table /dev/sdb", "create partition p1"]
    assert commands(made) == [
        "echo 'label: gpt\nlabel-id: <uuid:table//dev/sdb>\nfirst-lba: 2048' | sfdisk --quiet --no-reread "
        "--no-tell-kernel --wipe=never --wipe-partitions=never /dev/sdb",
        "echo '1: start=1MiB, size=100MiB, type=raid, name=\"p1\"' | sfdisk --quiet --no-reread --no-tell-kernel "
        "--wipe=never --wipe-partitions=never --append /dev/sdb",
        "partx --update --nr 1 /dev/sdb",
        "udevadm settle",
    ]
    assert made.after.devices[ONE].size == 100 * MiB
    assert made.after.find("/dev/disk/by-partlabel/p1") == made.after.devices[ONE]


def test_a_table_begins_at_the_first_mib_whatever_the_sectors() -> None:
    made = plan(a_host(disk(SDB)._replace(sector=4096)))
    assert "\nfirst-lba: 256'" in commands(made)[0]
    assert made.after.tables[SDB].sector == 4096


def test_the_rest() -> None:
    made = plan(a_host(SDB))
    assert "start=1MiB, type=linux" in commands(made)[1]
    assert made.after.devices[ONE].size == 10 * GiB - 2 * MiB
    assert plan(a_host(disk(NVME)), device="nvme0n1").after.devices[NVME].partitions == (f"{NVME}p1",)
    half = plan(a_host(SDB), size="50%")
    assert "size=5120MiB" in commands(half)[1]


def test_beside_others() -> None:
    """In the first place where it fits; all that is free is the largest."""
    host = parted(Part(2, 2 * GiB, GiB), Part(5, 9 * GiB, GiB - MiB))
    assert "1: start=1MiB, size=1024MiB" in commands(plan(host, name="new", size="1G"))[0]
    assert "1: start=3072MiB, size=3072MiB" in commands(plan(host, name="new", size="3G"))[0]
    assert "1: start=3072MiB, type" in commands(plan(host, name="new"))[0]
    refused(host, "7 GiB does not fit: /dev/sdb has 6 GiB in one piece", name="new", size="7G")
    refused(parted(Part(1, MiB, 10 * GiB - 2 * MiB)), "has no space left for it", name="new")


def test_one_that_is_there() -> None:
    host = parted(Part(1, MiB, GiB, "linux"), Part(2, 4 * GiB, GiB))
    alike: list[dict[str, Any]] = [{}, {"size": "1G"}, {"size": "1023.5M"}, {"type": "linux"}]
    for words in alike:
        assert plan(host, **words).steps == ()
    assert commands(plan(host, type="lvm")) == [
        "sfdisk --quiet --no-reread --no-tell-kernel --part-type /dev/sdb 1 lvm"
    ]


def test_one_that_is_as_wanted_needs_no_look_at_the_content() -> None:
    host = parted(Part(1, MiB, 10 * GiB - 2 * MiB, "linux"))._replace(contents={})
    for size in ("100%", "99.99%"):
        assert (
            planner.plan(host, parse({"name": "p1", "device": "sdb", "size": size, "type": "linux"}), False).steps == ()
        )


def test_growth() -> None:
    part = Part(1, MiB, GiB, "linux", ('name="p1"', 'uuid="X"'))
    host = parted(part, Part(2, 4 * GiB, GiB), mounts=(Mount(ONE, "/srv", "ext4", "rw"),))
    made = plan(host, size="2G")
    assert commands(made) == [
        'echo \'start=2048, size=4194304, type=linux, name="p1", uuid="X"\' | sfdisk --quiet --no-reread '
        "--no-tell-kernel --wipe=never --wipe-partitions=never -N 1 /dev/sdb",
        "partx --update --nr 1 /dev/sdb",
        "udevadm settle",
    ]
    assert made.steps[0].claims[0].shared
    assert plan(host, size="100%").after.devices[ONE].size == 4 * GiB - MiB
    refused(host, "up to what follows it there is room for 4 GiB", size="5G")
    refused(host, "it has 1 GiB, and 512 MiB is wanted; partitions do not become smaller", size="512M")


def test_a_disk_that_grew() -> None:
    """Whatever makes use of the room that it gained moves the copy of the table first."""
    part = Part(1, MiB, GiB, "linux", ('name="p1"',))
    host = parted(part, Part(2, 2 * GiB, 2 * GiB - MiB))
    table = host.tables[SDB]
    assert table
    host = host._replace(tables={SDB: table._replace(end=4 * GiB - MiB, limit=10 * GiB - MiB)})
    relocate = "sfdisk --quiet --no-reread --no-tell-kernel --relocate gpt-bak-std /dev/sdb"
    made = plan(host, name="p2", size="100%")
    assert outline(made) == ["grow table /dev/sdb", "grow partition p2"]
    assert commands(made)[0] == relocate
    assert made.after.devices[TWO].size == 8 * GiB - MiB
    assert outline(plan(host, size="1536M")) == ["grow table /dev/sdb", "grow partition p1"]
    made = plan(host, name="new")
    assert commands(made)[0] == relocate
    assert made.after.devices["/dev/sdb3"].size == 6 * GiB
    assert plan(host).steps == plan(host, name="p2", size="2047M").steps == ()


def test_a_table_that_is_that_of_a_larger_device() -> None:
    host = parted(Part(1, MiB, GiB), contents={})
    table = host.tables[SDB]
    assert table
    host = host._replace(tables={SDB: table._replace(limit=4 * GiB)})
    changes: list[dict[str, Any]] = [{"size": "2G"}, {"name": "new"}, {"type": "lvm"}]
    for words in changes:
        refused(host, "is that of a larger device: it goes up to 10 GiB", **words)


def test_growth_that_the_kernel_was_not_told_of() -> None:
    host = parted(Part(1, MiB, 2 * GiB))
    host = host._replace(devices={**host.devices, ONE: host.devices[ONE]._replace(size=GiB)})
    made = plan(host, size="2G")
    assert outline(made) == ["announce partition p1"]
    assert commands(made) == ["partx --update --nr 1 /dev/sdb", "udevadm settle"]


MBR = (
    Part(1, MiB, GiB, "linux", ("bootable",)),
    Part(2, 4 * GiB, 4 * GiB, "5"),
    Part(5, 4 * GiB + MiB, GiB, "linux"),
    Part(6, 6 * GiB, GiB, "lvm"),
)


def of_an_mbr() -> Host:
    host = parted(*MBR, label="dos")
    devices = {path: device._replace(part_name="") for path, device in host.devices.items()}
    return host._replace(devices=devices, contents={**host.contents, SDB: Content((Signature("dos"),))})


def test_an_mbr_of_somebody_else() -> None:
    host = of_an_mbr()
    made = plan(host, name="root", number=1, size="100%")
    assert commands(made)[0].startswith("echo 'start=2048, size=8386560, type=linux, bootable' | sfdisk")
    assert commands(made)[0].endswith("-N 1 /dev/sdb")
    # A logical one ends a MiB before the next, whose own table is there; the last one where the extended one ends.
    assert plan(host, name="a", number=5, size="100%").after.devices["/dev/sdb5"].size == 2 * GiB - 2 * MiB
    assert plan(host, name="b", device="/dev/sdb6", size="100%").after.devices["/dev/sdb6"].size == 2 * GiB
    made = plan(host, name="e", number=2, size="100%")
    made = plan(made.after, name="b", device="/dev/sdb6", size="100%")
    assert made.after.devices["/dev/sdb6"].size == 4 * GiB - MiB
    refused(host, "there is no partition 3, and none is made there", name="n", number=3)
    refused(host, "the logical partitions 5 6 are inside of it", name="e", number=2, state="absent")
    refused(host, "the logical partitions 6 would be renumbered", name="a", number=5, state="absent")
    assert outline(plan(host, name="b", number=6, state="absent")) == ["remove partition b"]
    assert outline(plan(host, name="r", number=1, state="absent")) == ["remove partition r"]


def test_by_number_or_path() -> None:
    host = parted(Part(1, MiB, GiB), Part(3, 4 * GiB, GiB))
    devices = {**host.devices, ONE: host.devices[ONE]._replace(part_name="")}
    host = host._replace(devices=devices)
    assert plan(host, name="mine", number=1).steps == plan(host, name="mine", device=ONE).steps == ()
    assert plan(host, name="mine", number=1, size="2G").after.devices[ONE].size == 2 * GiB
    refused(host, "/dev/sdb3 has this name already, and is not number 1", name="p3", number=1)
    made = plan(host, name="new", number=9)
    assert commands(made)[0].startswith("echo '9: start=")
    assert planner.facts(host, Partition("mine", ONE)) == {
        "partition": {"name": "mine", "number": 1, "device": "/dev/disk/by-id/sdb", "size": GiB, "state": "present"},
        "status": {"device": ONE, "size": GiB, "number": 1},
    }
    with pytest.raises(StorageError, match="number is 0, and must be at least 1"):
        parse({"name": "a", "device": "sdb", "number": 0})


@pytest.mark.parametrize("slots", [4, 128])
def test_a_table_that_is_full(slots: int) -> None:
    host = parted(*(Part(number, number * MiB, MiB) for number in range(1, slots + 1)))
    table = host.tables[SDB]
    assert table
    host = host._replace(tables={SDB: table._replace(slots=slots)})
    refused(host, f"no place for another partition: all {slots} are taken", name="new")
    refused(host, f"numbers from 1 to {slots}, and no place for number {slots + 1}", name="new", number=slots + 1)


def test_permission_for_the_disk_is_one_for_its_partitions() -> None:
    host = parted(Part(1, MiB, GiB), contents={ONE: Content((EXT4,))})._replace(expendable=(SDB,))
    assert destroyed(plan(host, state="absent"))
    inspects = [action.wipe for action in plan(host, name="new").steps[0].actions if isinstance(action, Inspect)]
    assert inspects == [True]


def test_none() -> None:
    host = parted(Part(1, MiB, GiB), Part(2, 4 * GiB, GiB), contents={ONE: Content((EXT4,))})
    refused(host, "/dev/sdb1 holds an ext4 .* Set allow_destroy", state="absent")
    made = plan(host, True, state="absent")
    assert outline(made) == ["wipe device /dev/sdb1", "remove partition p1"]
    assert destroyed(made)
    waited_for = host.with_file("/etc/fstab", f"UUID={EXT4.uuid} /old ext4 defaults\n")
    refused(waited_for, "/dev/sdb1 is what /etc/fstab mounts on /old", True, state="absent")
    assert commands(made)[1] == "sfdisk --quiet --no-reread --no-tell-kernel --delete /dev/sdb 1"
    last = plan(made.after, name="p2", state="absent")
    assert commands(last)[0] == "wipefs --all /dev/sdb"
    assert (last.after.devices.keys(), last.after.contents[SDB]) == ({SDB}, Content())
    mounted = parted(Part(1, MiB, GiB), mounts=(Mount(ONE, "/srv", "ext4", "rw"),))
    refused(mounted, "/dev/sdb1 is mounted on /srv", True, state="absent")
    assert plan(a_host(SDB), state="absent").steps == plan(a_host(SDB), device="sdz", state="absent").steps == ()


@pytest.mark.parametrize(
    ("host", "words", "said"),
    [
        (a_host(SDB), {"device": "sdz"}, "partition p1: there is no block device sdz"),
        (a_host(SDB, contents={SDB: Content((EXT4,))}), {}, "/dev/sdb: refused as the device of partition p1"),
        (parted(Part(1, MiB, GiB)), {"device": "/dev/sdb1", "number": 2}, "/dev/sdb1 is number 1, and 2 is said"),
        (parted(Part(1, MiB, GiB), label="dos"), {"name": "new"}, "has an MBR partition table: only a GPT names"),
        (parted(Part(1, MiB, GiB), label="sun"), {"name": "new"}, "a partition table of type sun, and only those of"),
        (
            parted(Part(1, MiB, GiB), contents={SDB: Content((Signature("gpt"), EXT4))}),
            {"size": "2G"},
            "beside a partition table /dev/sdb holds an ext4 filesystem",
        ),
        (
            parted(Part(1, MiB, GiB), mounts=(Mount(SDB, "/srv", "ext4", "rw"),)),
            {"size": "2G"},
            "/dev/sdb is mounted on /srv, as a whole",
        ),
        (a_host(disk(SDB, partitionable=False)), {}, "the kernel shows no partitions of /dev/sdb"),
        (
            a_host(
                disk(SDB, partitions=(ONE, TWO)),
                disk(ONE, disk=SDB, part_name="p1"),
                disk(TWO, disk=SDB, part_name="p1"),
            ),
            {},
            "/dev/sdb1 and /dev/sdb2 both have this name",
        ),
    ],
)
def test_what_cannot_be(host: Host, words: dict[str, Any], said: str) -> None:
    refused(host, said, **words)


def test_words() -> None:
    assert parse({"name": "a", "device": "sdb"}) == Partition("a", "sdb")
    for name in ("", "a b", "-a", "x" * 37, "a/b"):
        with pytest.raises(StorageError, match="a name has at most 36 letters"):
            parse({"name": name, "device": "sdb"})


def test_facts() -> None:
    host = parted(Part(1, MiB, GiB), Part(2, 4 * GiB, GiB))
    dumped = {"name": "p1", "device": "/dev/disk/by-id/sdb", "size": GiB, "state": "present"}
    assert planner.facts(host, Partition("p1", "sdb")) == {
        "partition": dumped,
        "status": {"device": ONE, "size": GiB, "number": 1},
    }
    assert planner.facts(host, Partition("p3", "sdb")) == {"partition": None, "status": None}
    assert [item["name"] for item, _status in planner.survey(host)] == ["p1", "p2"]
    twins = host._replace(devices={path: device._replace(part_name="primary") for path, device in host.devices.items()})
    assert planner.survey(twins) == []


@pytest.mark.parametrize(
    ("metadata", "said"),
    [("1.0", "a RAID array \\(md0\\) at its end \\(metadata 1.0\\)"), ("0.90", "0.90"), ("1.2", "")],
)
@pytest.mark.parametrize("device", ["/dev/md0", ""])
def test_a_member_does_not_grow_away_from_its_superblock(metadata: str, said: str, device: str) -> None:
    host = with_array(parted(Part(1, MiB, GiB)), an_array(ONE, metadata=metadata, device=device, name="md0"))
    if said:
        refused(host, said, size="2G", allow=True)
        refused(host, said, size="100%")
        assert plan(host, size="1G").steps == ()
    else:
        assert outline(plan(host, size="2G")) == ["grow partition p1"]


@pytest.mark.parametrize("kind", ["ddf_raid_member", "isw_raid_member", "drbd"])
def test_metadata_of_others_at_the_end(kind: str) -> None:
    host = parted(Part(1, MiB, GiB), contents={ONE: Content((Signature(kind),))})
    refused(host, "found by its distance from the end", size="2G", allow=True)


def test_growth_that_the_kernel_does_not_know_of_yet() -> None:
    host = with_array(parted(Part(1, MiB, GiB)), an_array(ONE, metadata="1.0"))
    host = host._replace(tables={SDB: Table("gpt", MiB, 10 * GiB - MiB, (Part(1, MiB, 2 * GiB),))})
    refused(host, "its table gives it 2 GiB by now: /dev/sdb1 carries", size="2G")
