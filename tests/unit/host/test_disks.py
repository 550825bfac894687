# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices there are, and what names mean them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host import disks
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Device
from ansible_collections.strata.storage.plugins.module_utils.host.sysfs import serial_number


def test_any_link_means_its_device(tmp_path: Path) -> None:
    real = tmp_path / "sdb"
    real.touch()
    (tmp_path / "by-id").symlink_to("sdb")
    (tmp_path / "by-label").symlink_to(tmp_path / "by-id")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    devices = {str(real): Device(str(real))}
    for name in ("sdb", "by-id", "by-label", "./by-id"):
        assert disks.resolve(f"{tmp_path}/{name}", devices) == str(real)
    for name in ("dangling", "loop", "missing"):
        assert disks.resolve(f"{tmp_path}/{name}", devices) is None


def test_the_best_link_of_a_disk_is_one_that_lasts(tmp_path: Path) -> None:
    (tmp_path / "sdb").touch()
    for name in (".#scsi-half-made", "dm-name-data", "scsi-Disk_S1", "wwn-0x1"):
        (tmp_path / name).symlink_to(tmp_path / "sdb")
    assert disks._stable_links(str(tmp_path))[str(tmp_path / "sdb")] == str(tmp_path / "scsi-Disk_S1")


@pytest.mark.parametrize("where", ["serial", "device/serial", "device/vpd_pg80"])
def test_a_serial_number_ends_before_its_zero(tmp_path: Path, where: str) -> None:
    (tmp_path / "device").mkdir()
    (tmp_path / where).write_bytes((b"\0\200\0\7" if "vpd" in where else b"") + b" S1234\0\n")
    assert serial_number(str(tmp_path)) == "S1234"


def test_a_kernel_name_means_its_device() -> None:
    assert disks.resolve("sdz-no-such", {"/dev/sdz-no-such": Device("/dev/sdz-no-such")}) == "/dev/sdz-no-such"
    assert disks.resolve("sdz-no-such", {}) is None
    assert disks.resolve("", {"/dev/sdb": Device("/dev/sdb")}) is None


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
    assert disks.other_paths(paths, set()) == by_first
    # The one that is in use stands for them.
    assert disks.other_paths(paths, {"/dev/sdc1"})["/dev/sda"] == "/dev/sdc"
    held = {**paths, "/dev/sdb1": paths["/dev/sdb1"]._replace(holders=("/dev/dm-0",))}
    assert disks.other_paths(held, set())["/dev/sda1"] == "/dev/sdb1"
    assert set(disks.once(paths, by_first)) == {"/dev/sda", "/dev/sda1"}
    linked = {**paths, "/dev/sdb": paths["/dev/sdb"]._replace(link="/dev/disk/by-id/x")}
    assert disks.once(linked, by_first)["/dev/sda"].link == "/dev/disk/by-id/x"


def test_disks_that_only_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    assert disks.other_paths({**seen("/dev/sda"), **seen("/dev/sdb", size=2 << 30)}, set()) == {}
    # What is no WWN may be what all bridges of a kind say.
    assert disks.other_paths(seen("/dev/sda", "/dev/sdb", wwn="t10.x"), set()) == {}
    monkeypatch.setattr(disks, "transport", lambda path: "usb")
    assert disks.other_paths(seen("/dev/sda", "/dev/sdb"), set()) == {}
