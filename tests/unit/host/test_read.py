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
from ansible_collections.strata.storage.plugins.module_utils.host import probe, read
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Content, Device
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.host import Unfinished

from .hosts import a_host, disk


def test_read_more_adds_what_was_asked_for_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_signatures", lambda path: ())
    blank = tmp_path / "blank"
    blank.write_bytes(bytes(1 << 20))
    host = a_host(disk("/dev/sdb"), filesystems={"/dev/x": Filesystem("xfs", "u")}, directories={"/x": True})
    for need in (
        Unread("contents", (str(blank),)),
        Unread("filesystems", (str(blank),)),
        Unread("directories", (str(tmp_path), f"{tmp_path}/missing")),
    ):
        host = read.read_more(host, need)
    assert host.contents == {"/dev/sdb": Content(), str(blank): Content()}
    assert host.filesystems == {"/dev/x": Filesystem("xfs", "u"), str(blank): None}
    assert host.directories == {"/x": True, str(tmp_path): False, f"{tmp_path}/missing": None}


def test_reading_opens_nothing_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o400)
    before = os.stat(path)
    assert probe.is_busy(str(path)) is False
    assert os.stat(path) == before


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
