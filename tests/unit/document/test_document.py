# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.bcache import Bcache
from ansible_collections.strata.storage.plugins.module_utils.document.disk import Disks
from ansible_collections.strata.storage.plugins.module_utils.document.document import (
    OPTIONS,
    bound,
    nodes,
    parse,
    resolve,
    role,
)
from ansible_collections.strata.storage.plugins.module_utils.document.drive import Drive, Volume
from ansible_collections.strata.storage.plugins.module_utils.document.filesystem import OnDevice, Use
from ansible_collections.strata.storage.plugins.module_utils.document.raid import Raid
from ansible_collections.strata.storage.plugins.module_utils.document.references import Node, Reference

WORDS: dict[str, Any] = {
    "disks": [{"name": "slow", "rotational": True, "count": 2}],
    "raids": [{"name": "md0", "level": 1, "devices": ["slow"], "write_mostly_devices": ["slow[1]"]}],
    "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "sdc"}],
    "drives": [{"name": "data", "devices": ["cached"], "volumes": [{"name": "srv", "mount_point": "/srv"}]}],
    "filesystems": [{"device": "slow[0]", "type": "ext4", "mount_point": "/srv/inner/"}],
}
WHERE = {"slow": ("/dev/sda", "/dev/sdb"), "md0": ("/dev/md0",)}


def test_all_sections_through_the_argument_spec() -> None:
    result = ArgumentSpecValidator(OPTIONS).validate(WORDS)
    assert result.error_messages == []
    document = parse(result.validated_parameters)
    assert document.disks == (Disks("slow", rotational=True, number=2),)
    assert document.sections == {
        "raids": (Raid("md0", "1", ("slow",), write_mostly_devices=("slow[1]",)),),
        "bcaches": (Bcache("cached", "md0", "sdc"),),
        "drives": (Drive("data", ("cached",), (Volume("srv", mount_point="/srv"),)),),
        "filesystems": (OnDevice("slow[0]", Use("ext4", mount_point="/srv/inner")),),
    }
    assert document.name == "of md0 cached data slow[0]"


def test_a_section_that_is_left_out_is_not_an_empty_one() -> None:
    assert parse({"raids": [], "drives": None}).sections == {"raids": ()}
    with pytest.raises(
        StorageError,
        match="the document is empty; say at least one of partitions, raids, bcaches, luks, drives, filesystems",
    ):
        parse({"disks": [{"name": "slow", "model": "M"}]})


def test_an_item_that_cannot_be_is_an_error() -> None:
    with pytest.raises(StorageError, match="array 'a/b'"):
        parse({"raids": [{"name": "a/b"}]})


def test_what_items_refer_to() -> None:
    document = parse({**WORDS, "raids": [{"name": "md0", "level": "1", "devices": ["sda", "slow"]}]})
    found = {node.place: node for node in nodes(document)}
    assert [tuple(reference) for reference in found["raids: md0"].references] == [
        ("sda", "raids: md0: devices[0]"),
        ("slow", "raids: md0: devices[1]"),
    ]
    assert [reference.text for reference in found["bcaches: cached"].references] == ["md0", "sdc"]
    assert found["drives: data"].names == ("data", "data/srv")
    assert found["drives: data"].mounts == ("/srv",)
    assert found["filesystems: slow[0]"] == Node(
        "filesystems: slow[0]", (), (Reference("slow[0]", "filesystems: slow[0]: device"),), ("/srv/inner",)
    )
    assert role("raids: md0: devices[1]") == role("filesystems: md0: device") == role("drives: d: devices[0]") == ""
    assert role("raids: md0: write_mostly_devices[1]") == "again"
    assert role("bcaches: cached: cache_device") == "cache"
    assert role("partitions: one: device") == "partitioned"


def test_names_become_paths() -> None:
    raid = Raid("md0", "1", ("slow", "sdx"), write_mostly_devices=("slow[1]",))
    assert bound("raids", raid, WHERE) == raid._replace(
        devices=("/dev/sda", "/dev/sdb", "sdx"), write_mostly_devices=("/dev/sdb",)
    )
    cached = Bcache("cached", "md0", "slow[0]")
    assert bound("bcaches", cached, WHERE) == Bcache("cached", "/dev/md0", "/dev/sda")
    assert bound("bcaches", Bcache("cached", cache_device=""), WHERE) == Bcache("cached", cache_device="")
    assert bound("drives", Drive("data"), WHERE) == Drive("data")
    with pytest.raises(StorageError, match=r"cache_device: slow is 2 devices; say which one: slow\[0\]"):
        bound("bcaches", Bcache("cached", "md0", "slow"), WHERE)
    with pytest.raises(StorageError, match=r"slow\[2\]: slow has 2 devices, counted from 0"):
        resolve("slow[2]", WHERE)
    assert resolve("other[2]", WHERE) == ("other[2]",)


def test_an_item_that_is_named_twice_is_an_error() -> None:
    """The second one would be obeyed, and the first one not."""
    device = {"device": "sdb", "type": "ext4"}
    document = parse({"filesystems": [device, {**device, "label": "x"}]})
    with pytest.raises(StorageError, match=r"^filesystems: sdb is named twice; make one item of both$"):
        nodes(document)


def test_all_items_that_cannot_be_are_told_at_once() -> None:
    words: dict[str, Any] = {
        "disks": [{"name": "slow", "count": 0}],
        "raids": [
            {"name": "md0", "level": "1", "chunk_size": "64K"},
            {"name": "md1", "level": "1", "devices": ["md0"]},
            {"name": "md2", "uuid": "x"},
        ],
        "filesystems": [{"device": ""}, {"device": "sdb", "mount_point": "srv"}],
        "drives": [{"name": "data", "volumes": [{"name": "a/b"}, {"name": "b", "size": "60%FREE"}]}],
    }
    with pytest.raises(StorageError) as caught:
        parse(words)
    assert [line.partition(";")[0] for line in str(caught.value).splitlines()] == [
        "7 errors:",
        "disks[0] slow: count is 0, and must be at least 1",
        "raids[0] md0: RAID 1 does not stripe, so it has no chunk_size",
        "raids[2] md2: uuid: 'x' is not a UUID",
        "drives[0] data: volumes[0] a/b: drive data: volume 'a/b': a name holds letters, digits and any of _ . + - "
        "(not first), no slash and no space",
        "drives[0] data: volumes[1] b: size 60%FREE would be another one in each run",
        "filesystems[0]: filesystems: device is empty",
        "filesystems[1] sdb: mount_point 'srv' is not an absolute path",
    ]


def test_an_error_alone_says_where_it_is_once() -> None:
    with pytest.raises(StorageError, match=r"^array md0: RAID 1 does not stripe"):
        parse({"raids": [{"name": "md0", "level": "1", "chunk_size": "64K"}]})
    with pytest.raises(StorageError, match=r"^raids\[1\] md1: chunk_size: '5X' is not a size"):
        parse({"raids": [{"name": "md0"}, {"name": "md1", "chunk_size": "5X"}]})


def test_a_name_with_a_line_break_makes_no_line() -> None:
    with pytest.raises(StorageError) as caught:
        parse({"raids": [{"name": "a\nmd9: all is well"}, {"name": "b", "uuid": "x"}]})
    assert len(str(caught.value).splitlines()) == 3
