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
from ansible_collections.strata.storage.plugins.module_utils.host import partition as planner
from ansible_collections.strata.storage.plugins.module_utils.host.state import (
    Content,
    Host,
    Mount,
    Part,
    Signature,
    Table,
)

from .hosts import EXT4, GiB, MiB, a_host, commands, destroyed, disk, outline

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
        "partx --update /dev/sdb",
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


def test_growth() -> None:
    part = Part(1, MiB, GiB, "linux", ('name="p1"', 'uuid="X"'))
    host = parted(part, Part(2, 4 * GiB, GiB), mounts=(Mount(ONE, "/srv", "ext4", "rw"),))
    made = plan(host, size="2G")
    assert commands(made) == [
        'echo \'start=2048, size=4194304, type=linux, name="p1", uuid="X"\' | sfdisk --quiet --no-reread '
        "--no-tell-kernel --wipe=never --wipe-partitions=never -N 1 /dev/sdb",
        "partx --update /dev/sdb",
        "udevadm settle",
    ]
    assert made.steps[0].claims[0].shared
    assert plan(host, size="100%").after.devices[ONE].size == 4 * GiB - MiB
    refused(host, "up to what follows it there is room for 4 GiB", size="5G")
    refused(host, "it has 1 GiB, and 512 MiB is wanted; partitions do not become smaller", size="512M")


def test_none() -> None:
    host = parted(Part(1, MiB, GiB), Part(2, 4 * GiB, GiB), contents={ONE: Content((EXT4,))})
    refused(host, "/dev/sdb1 holds an ext4 .* Set allow_destroy", state="absent")
    made = plan(host, True, state="absent")
    assert outline(made) == ["wipe device /dev/sdb1", "remove partition p1"]
    assert destroyed(made)
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
        (parted(Part(1, MiB, GiB)), {"device": "/dev/sdb1"}, "/dev/sdb1 is a partition itself"),
        (parted(Part(1, MiB, GiB), label="dos"), {"name": "new"}, "has an MBR partition table, and only a GPT names"),
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
        "status": {"device": ONE, "size": GiB},
    }
    assert planner.facts(host, Partition("p3", "sdb")) == {"partition": None, "status": None}
    assert [item["name"] for item, _status in planner.survey(host)] == ["p1", "p2"]
    twins = host._replace(devices={path: device._replace(part_name="primary") for path, device in host.devices.items()})
    assert planner.survey(twins) == []
