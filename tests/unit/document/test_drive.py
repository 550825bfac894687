# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``drives``, nested and flat."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.drive import (
    OPTIONS,
    Drive,
    Volume,
    parse,
    parse_nested,
)
from ansible_collections.strata.storage.plugins.module_utils.document.sizes import Percent

WORDS = {
    "size": "50%",
    "filesystem": "xfs",
    "label": "data",
    "mount_point": "/srv",
    "mount_options": "noatime,discard",
    "boot_required": True,
}
VOLUME = Volume("data", Percent(50), "xfs", "data", "/srv", "noatime,discard", True)


def test_flat_and_nested_mean_the_same() -> None:
    flat = parse({"name": "data", "devices": ["sdb"], **WORDS, "state": "offline"})
    nested = parse({"name": "data", "devices": ["sdb"], "volumes": [{"name": "data", **WORDS}], "state": "offline"})
    assert flat == nested == Drive("data", ("sdb",), (VOLUME,), "offline")


def test_the_one_volume_is_called_as_its_drive_unless_it_says_otherwise() -> None:
    assert parse({"name": "data"}).volumes == (Volume("data"),)
    assert parse({"name": "data", "volume_name": "srv"}).volumes == (Volume("srv"),)


def test_names_that_lvm_takes() -> None:
    for name in ("x" * 120, "x" + "-" * 60, "my-snapshot", "a_pvmove", "tdata"):
        assert parse({"name": "data", "volume_name": name}).volumes == (Volume(name),)


def test_swap_is_not_mounted() -> None:
    with pytest.raises(StorageError, match="volume data: it is to be swap, which has no mount_point"):
        parse({"name": "data", "filesystem": "swap", "mount_point": "/srv"})


def test_omitted_is_not_empty() -> None:
    assert parse({"name": "data", "volumes": None, "devices": None}) == Drive("data")
    assert parse({"name": "data", "volumes": []}).volumes == ()


@pytest.mark.parametrize(
    ("given", "understood"), [("/srv/", "/srv"), ("//srv", "/srv"), ("/srv//x/./y", "/srv/x/y"), ("/a b", "/a b")]
)
def test_mount_points_are_normal(given: str, understood: str) -> None:
    (volume,) = parse({"name": "data", "mount_point": given}).volumes or ()
    assert volume.mount_point == understood


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"devices": []}, "drive data: `devices` is empty; a drive has at least one"),
        ({"devices": ["sdb", "sdb"]}, "drive data: sdb is named twice"),
        ({"mount_point": "srv"}, "drive data: volume data: mount_point 'srv' is not an absolute path"),
        ({"mount_point": "", "mount_options": "ro"}, "mount_options beside an empty mount_point, which unmounts it"),
        (
            {"volumes": [{"name": "a", "state": "absent"}], "state": "offline"},
            "a is to be absent, and the drive offline",
        ),
        ({"mount_point": "/srv\nx"}, "is not an absolute path"),
        ({"mount_point": "/"}, "drive data: volume data: mount_point / is the host's own root"),
        ({"mount_point": "//"}, "mount_point / is the host's own root"),
        ({"mount_point": "/srv/.."}, "mount_point / is the host's own root"),
        ({"mount_options": "noatime, discard"}, "holds white space; separate them by commas"),
        ({"mount_options": "noatime\ndiscard"}, "holds white space"),
        ({"size": "lots"}, "size: 'lots' is not a size"),
        ({"size": "0"}, "size: 0 is not a positive size"),
        ({"volume_name": "a/b"}, "drive data: volume 'a/b': a name holds letters"),
        ({"volume_name": "x" * 128}, "a name has at most 127 characters"),
        ({"volume_name": "x" * 121}, "the names of drive and volume are 1 characters too long for LVM"),
        # Dashes count twice for the device mapper.
        ({"volume_name": "x" + "-" * 61}, "the names of drive and volume are 1 characters too long for LVM"),
        ({"volume_name": "snapshot-x"}, "volume snapshot-x: LVM reserves names that begin with snapshot; choose"),
        ({"volume_name": "pvmove0"}, "LVM reserves names that begin with pvmove"),
        ({"volumes": [{"name": "db_tdata"}]}, "volume db_tdata: LVM reserves names that contain _tdata"),
        ({"volumes": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, "drive data: volumes: a is named twice"),
        ({"volumes": [{"name": "a", "mount_point": "x"}]}, "mount_point 'x' is not an absolute path"),
    ],
)
def test_what_no_drive_can_be(item: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=said):
        parse({"name": "data", **item})


def test_a_volume_that_is_to_go_and_one_that_is_to_be_unmounted() -> None:
    drive = parse({"name": "data", "volumes": [{"name": "a", "state": "absent"}, {"name": "b", "mount_point": ""}]})
    assert drive.volumes == (Volume("a", state="absent"), Volume("b", mount_point=""))


def test_volumes_in_the_flat_form() -> None:
    flat = dict.fromkeys(OPTIONS)
    assert parse({**flat, "name": "data"}).volumes == (Volume("data"),)
    assert parse({**flat, "name": "data", "volumes": [{"name": "a"}, {"name": "b"}]}).volumes == (
        Volume("a"),
        Volume("b"),
    )
    with pytest.raises(StorageError, match="drive data: size, mount_point beside `volumes`"):
        parse({**flat, "name": "data", "volumes": [{"name": "a"}], "mount_point": "/a", "size": "1G"})


def test_shares_in_the_words_of_lvm() -> None:
    def size(text: str) -> Any:
        (volume,) = parse({"name": "data", "size": text}).volumes or ()
        return volume.size

    assert [size("80%VG"), size("100%FREE"), size("100%free")] == [Percent(80), Percent(100), Percent(100)]
    with pytest.raises(StorageError, match="size 50%FREE would be another one in each run; say a share of the group"):
        size("50%FREE")
    with pytest.raises(StorageError, match="'50%PVS' is not a size"):
        size("50%PVS")


def test_a_document_says_one_volume_beside_the_drives_own_words() -> None:
    """As the flat module does; a drive of which no volume is said keeps those that it has."""
    given: dict[str, Any] = {**dict.fromkeys(OPTIONS), "name": "data", "devices": ["sdb"]}
    assert parse_nested(given).volumes is None
    assert parse_nested({**given, "mount_point": "/srv"}).volumes == (Volume("data", mount_point="/srv"),)
    named = parse_nested({**given, "volume_name": "srv", "filesystem": "xfs"})
    assert named.volumes == (Volume("srv", filesystem="xfs"),)
    assert parse_nested({**given, "volumes": []}).volumes == ()
    with pytest.raises(StorageError, match="mount_point beside `volumes`"):
        parse_nested({**given, "volumes": [], "mount_point": "/srv"})
