# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses a mount, and what the kernel tells of mounts."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.devices import Device
from ansible_collections.strata.storage.plugins.module_utils.host.mount import read
from ansible_collections.strata.storage.plugins.module_utils.host.mount.state import Mount
from ansible_collections.strata.storage.plugins.module_utils.host.mount.users import users

MOUNTINFO = """\
1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 1 0:40 / /srv rw,relatime shared:2 - autofs systemd-1 rw,fd=1
31 30 8:17 / /srv rw,noatime shared:3 - ext4 /dev/sdb1 rw,commit=30
32 1 8:17 /export /a\\040b rw,noatime shared:3 - ext4 /dev/sdb1 rw,commit=30
33 1 0:41 /home /home rw shared:4 - btrfs /dev/sdc rw,subvolid=256,subvol=/home
34 1 0:41 /home/x /x rw shared:4 - btrfs /dev/sdc rw,subvolid=256,subvol=/home
35 33 0:50 / /home rw - nfs4 server:/export rw
"""


def dead(path: str) -> None:
    raise OSError(errno.EIO, "Input/output error", path)


def test_an_open_file_a_mapped_one_and_a_directory_keep_it_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert users(str(tmp_path), ()) == ""
    own = f"process {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
    with (tmp_path / "file").open("w+") as file:
        file.write("text")
        file.flush()
        assert users(str(tmp_path), ()) == own
        mapped = mmap.mmap(file.fileno(), 0)
    assert users(f"{tmp_path}/", ()) == own
    (tmp_path / "fil").mkdir()
    assert users(f"{tmp_path}/fil", ()) == ""
    # In a container, the path is that of something else.
    with monkeypatch.context() as patched:
        device = os.stat(tmp_path).st_dev
        patched.setattr(os, "stat", lambda path: SimpleNamespace(st_dev=device + ("/proc/" in path)))
        assert users(str(tmp_path), ()) == ""
        patched.setattr(os, "stat", dead)
        assert users(str(tmp_path), ()) == own
    mapped.close()
    swaps = tuple(f"{tmp_path}/{number}" for number in range(5))
    assert users(str(tmp_path), swaps) == ", ".join(f"swap file {path}" for path in swaps[:3]) + " and 2 more"


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


def test_whether_a_directory_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert read.is_empty_directory(f"{tmp_path}/empty") is True
    assert read.is_empty_directory(str(tmp_path)) is False
    assert read.is_empty_directory(f"{tmp_path}/file") is False
    assert read.is_empty_directory(f"{tmp_path}/missing") is None


def test_a_file_in_the_way_of_a_directory_is_not_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read.is_empty_directory(f"{tmp_path}/file/below") is False


def test_what_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = {path: Device(path) for path in ("/dev/sda1", "/dev/sdb1", "/dev/sdc")}
    monkeypatch.setattr(read, "read_file", lambda _path: MOUNTINFO)
    mounts, virtual, _swaps = read.read_mounts(devices, {})
    assert mounts == (
        Mount("/dev/sda1", "/", "ext4", "rw,relatime", "rw,errors=remount-ro"),
        Mount("/dev/sdb1", "/srv", "ext4", "rw,noatime", "rw,commit=30"),
        Mount("/dev/sdb1", "/a b", "ext4", "rw,noatime", "rw,commit=30", part=True, root="/export"),
        Mount("/dev/sdc", "/home", "btrfs", "rw", "rw,subvolid=256,subvol=/home", hidden=True, root="/home"),
        Mount("/dev/sdc", "/x", "btrfs", "rw", "rw,subvolid=256,subvol=/home", part=True, root="/home/x"),
    )
    assert virtual == (
        Mount("systemd-1", "/srv", "autofs", "rw,relatime", "rw,fd=1", hidden=True),
        Mount("server:/export", "/home", "nfs4", "rw", "rw"),
    )


def test_mount_points_behind_links(tmp_path: Path) -> None:
    from ansible_collections.strata.storage.plugins.module_utils.host.mount.fstab import parse

    from ..hosts import a_host

    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    text = f"/dev/sdb {tmp_path}/link/x/ ext4\n/dev/sdc {tmp_path}/real ext4\n/dev/sdd none swap\n"
    named = [line for _raw, line in parse(text) if line]
    assert read.real_points(a_host(), named) == {f"{tmp_path}/link/x": f"{tmp_path}/real/x"}
    mounted = a_host(virtual=(Mount("server:/x", f"{tmp_path}/link/x", "nfs", "rw"),))
    assert read.real_points(mounted, named) == {}
