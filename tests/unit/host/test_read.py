# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of reading that need no devices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import Unread
from ansible_collections.strata.storage.plugins.module_utils.core.plan import Intent
from ansible_collections.strata.storage.plugins.module_utils.core.record import put_on_record
from ansible_collections.strata.storage.plugins.module_utils.host import read
from ansible_collections.strata.storage.plugins.module_utils.host.state import Content, Device, Filesystem, Unfinished
from ansible_collections.strata.storage.plugins.module_utils.host.superblocks import MdSuperblock

from .hosts import a_host, disk


def test_any_link_means_its_device(tmp_path: Path) -> None:
    real = tmp_path / "sdb"
    real.touch()
    (tmp_path / "by-id").symlink_to("sdb")
    (tmp_path / "by-label").symlink_to(tmp_path / "by-id")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    devices = {str(real): Device(str(real))}
    for name in ("sdb", "by-id", "by-label", "./by-id"):
        assert read.resolve(f"{tmp_path}/{name}", devices) == str(real)
    for name in ("dangling", "loop", "missing"):
        assert read.resolve(f"{tmp_path}/{name}", devices) is None


def test_the_best_link_of_a_disk_is_one_that_lasts(tmp_path: Path) -> None:
    (tmp_path / "sdb").touch()
    for name in (".#scsi-half-made", "dm-name-data", "scsi-Disk_S1", "wwn-0x1"):
        (tmp_path / name).symlink_to(tmp_path / "sdb")
    assert read._stable_links(str(tmp_path))[str(tmp_path / "sdb")] == str(tmp_path / "scsi-Disk_S1")


@pytest.mark.parametrize("where", ["serial", "device/serial", "device/vpd_pg80"])
def test_a_serial_number_ends_before_its_zero(tmp_path: Path, where: str) -> None:
    (tmp_path / "device").mkdir()
    (tmp_path / where).write_bytes((b"\0\200\0\7" if "vpd" in where else b"") + b" S1234\0\n")
    assert read._serial(str(tmp_path)) == "S1234"


def test_a_kernel_name_means_its_device() -> None:
    assert read.resolve("sdz-no-such", {"/dev/sdz-no-such": Device("/dev/sdz-no-such")}) == "/dev/sdz-no-such"
    assert read.resolve("sdz-no-such", {}) is None
    assert read.resolve("", {"/dev/sdb": Device("/dev/sdb")}) is None


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("/srv", "/srv"),
        (r"/with\040space", "/with space"),
        (r"/tab\011and\012line", "/tab\tand\nline"),
        (r"/back\134slash", "/back\\slash"),
        (r"/literal\134040", r"/literal\040"),
    ],
)
def test_mount_points_of_the_kernel(field: str, path: str) -> None:
    assert read._unescape(field) == path


def test_the_chosen_value() -> None:
    assert read._chosen("writethrough [writeback] writearound none") == "writeback"
    assert read._chosen("plain") == "plain"
    assert read._chosen("") == ""


def test_whether_a_directory_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert read._is_empty(f"{tmp_path}/empty") is True
    assert read._is_empty(str(tmp_path)) is False
    assert read._is_empty(f"{tmp_path}/file") is False
    assert read._is_empty(f"{tmp_path}/missing") is None


def test_a_file_in_the_way_of_a_directory_is_not_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read._is_empty(f"{tmp_path}/file/below") is False


def test_deepen_adds_what_was_asked_for_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_signatures", lambda path: ())
    blank = tmp_path / "blank"
    blank.write_bytes(bytes(1 << 20))
    host = a_host(disk("/dev/sdb"), filesystems={"/dev/x": Filesystem("xfs", "u")}, directories={"/x": True})
    for need in (
        Unread("contents", (str(blank),)),
        Unread("filesystems", (str(blank),)),
        Unread("directories", (str(tmp_path), f"{tmp_path}/missing")),
    ):
        host = read.deepen(host, need)
    assert host.contents == {"/dev/sdb": Content(), str(blank): Content()}
    assert host.filesystems == {"/dev/x": Filesystem("xfs", "u"), str(blank): None}
    assert host.directories == {"/x": True, str(tmp_path): False, f"{tmp_path}/missing": None}


def test_reading_opens_nothing_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o400)
    before = os.stat(path)
    assert read.is_busy(str(path)) is False
    assert os.stat(path) == before


@pytest.mark.parametrize(
    ("states", "has_slot", "role"),
    [
        ("in_sync", True, "active"),
        ("in_sync,write_mostly", True, "active"),
        ("in_sync,want_replacement", True, "active"),
        ("spare,replacement", True, "replacing"),
        ("spare", True, "rebuilding"),
        ("spare", False, "spare"),
        ("faulty,want_replacement", False, "faulty"),
        ("journal", False, "journal"),
    ],
)
def test_the_role_of_a_member(states: str, has_slot: bool, role: str) -> None:
    assert read._role(states.split(","), has_slot) == role


def test_records_are_about_devices_whatever_they_are_called_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = str(tmp_path / "records")
    monkeypatch.setattr(read, "RECORDS", directory)
    monkeypatch.setattr(read, "identity", lambda kernel, lasting=False: {"sdc": "serial b", "sdb": "serial c"}[kernel])
    devices = {path: Device(path, path[5:]) for path in ("/dev/sdb", "/dev/sdc")}
    assert read._unfinished(devices) == ()
    put_on_record(directory, "make md0", Intent("raid md0", "u1", (("/dev/sdb", "serial b"), ("/dev/sdd", "serial d"))))
    assert read._unfinished(devices) == (
        Unfinished(
            f"{directory}/raid-md0.json", "make md0", "raid md0", "u1", ("/dev/sdc", ""), ("/dev/sdb", "/dev/sdd")
        ),
    )


def test_a_disk_that_cannot_be_read_has_no_table_of_ours(tmp_path: Path) -> None:
    assert not read._is_empty_table(Device(str(tmp_path / "none")), "5f0c1e2a-7b3d-4c5e-8f90-a1b2c3d4e5f6")


@pytest.mark.parametrize(("metadata", "events"), [("1.2", 0), ("0.90", 1)])
def test_an_array_that_nobody_wrote_to_has_the_events_that_mdadm_counts(metadata: str, events: int) -> None:
    one = MdSuperblock("u", "md0", "5", 3, 0, "", metadata, "none", "active", 0, events)
    assert read._stopped({"/dev/sdb": one, "/dev/sdc": one}).unused
    assert not read._stopped({"/dev/sdb": one, "/dev/sdc": one._replace(events=events + 1)}).unused


@pytest.mark.parametrize(
    ("policy", "of_group", "most"),
    [
        ("normal", "contiguous", (None, 9)),
        ("inherit", "contiguous", (2, 9)),
        ("contiguous", "normal", (2, None)),
        ("cling", "normal", (5, None)),
        ("inherit", "anywhere", (None, None)),
    ],
)
def test_what_a_policy_of_allocation_leaves_a_volume(policy: str, of_group: str, most: tuple[int | None, ...]) -> None:
    """Of the volume, and of a new one, which has the group's policy; what is not allocatable is nobody's."""
    parts = [("/dev/sdb", 10, 2, ""), ("/dev/sdb", 0, 10, "srv"), ("/dev/sdb", 12, 1, "end"), ("/dev/sdb", 13, 3, "")]
    parts += [("/dev/sdc", 0, 9, ""), ("/dev/sdd", 0, 99, "")]
    names = ("pv_name", "pvseg_start", "pvseg_size", "lv_name")
    places = read._places({"pvseg": [dict(zip(names, part)) for part in parts]}, ["/dev/sdd"])
    group = {"vg_extent_size": "1", "vg_allocation_policy": of_group}
    assert (read._room("srv", policy, group, places), read._room("", of_group, group, places)) == most


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Cannot use /dev/sdb: device is rejected by filter config", "device is rejected by filter config"),
        ("Cannot use /dev/sdb: device is partitioned Failed to find physical volume", "device is partitioned"),
        ('Failed to find physical volume "/dev/sdb".', ""),
        ("Cannot use PV /dev/sdb in foreign VG data.", ""),
    ],
)
def test_what_lvm_says_of_a_device(said: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "ask_command", lambda argv, timeout: (5, "", said))
    host = read.deepen(a_host("/dev/sdb", rejections={}), Unread("rejections", ("/dev/sdb",)))
    assert host.rejection("/dev/sdb") == reason


def seen(*paths: str, wwn: str = "naa.5", size: int = 1 << 30) -> dict[str, Device]:
    """A disk with a partition, as it is seen by each of its paths."""
    found = {}
    for number, path in enumerate(paths):
        whole = f"{wwn} serial #{number}"
        part = f"{path}1"
        found[path] = Device(path, path[5:], size, identity=whole, partitions=(part,))
        found[part] = Device(part, part[5:], size // 2, identity=f"{whole} from sector 2048", disk=path)
    return found


def test_the_paths_of_one_disk_are_one_device() -> None:
    paths = seen("/dev/sda", "/dev/sdb", "/dev/sdc")
    by_first = {other: f"/dev/sda{other[8:]}" for other in ("/dev/sdb", "/dev/sdb1", "/dev/sdc", "/dev/sdc1")}
    assert read._other_paths(paths, set()) == by_first
    # The one that is in use stands for them.
    assert read._other_paths(paths, {"/dev/sdc1"})["/dev/sda"] == "/dev/sdc"
    held = {**paths, "/dev/sdb1": paths["/dev/sdb1"]._replace(holders=("/dev/dm-0",))}
    assert read._other_paths(held, set())["/dev/sda1"] == "/dev/sdb1"
    assert set(read._once(paths, by_first)) == {"/dev/sda", "/dev/sda1"}
    linked = {**paths, "/dev/sdb": paths["/dev/sdb"]._replace(link="/dev/disk/by-id/x")}
    assert read._once(linked, by_first)["/dev/sda"].link == "/dev/disk/by-id/x"


def test_disks_that_only_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read._other_paths({**seen("/dev/sda"), **seen("/dev/sdb", size=2 << 30)}, set()) == {}
    # What is no WWN may be what all bridges of a kind say.
    assert read._other_paths(seen("/dev/sda", "/dev/sdb", wwn="t10.x"), set()) == {}
    monkeypatch.setattr(read, "_transport", lambda path: "usb")
    assert read._other_paths(seen("/dev/sda", "/dev/sdb"), set()) == {}
