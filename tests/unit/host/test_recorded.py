# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of hosts on record (tests/recorded): each layer's reading, as the kernel and the tools told it there."""

from __future__ import annotations

import functools
import io
import re
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from tests.recorded import record, replay

from .hosts import MiB


class Seen(NamedTuple):
    """A host, what layout_info returns of it, and what its own document would change: sentences, or the error."""

    host: Host
    info: dict[str, Any]
    changes: list[str] | str

    def tree(self) -> list[str]:
        return [" ".join(re.sub(", [^ ]+ .iB used", "", line).split()) for line in self.info["text"].splitlines()]


def look() -> Seen:
    host, info, again, planned = record.look()
    if isinstance(planned, StorageError):
        return Seen(host, info, str(planned))
    assert again.devices == host.devices
    return Seen(host, info, [str(step) for step in planned.steps])


@functools.cache
def seen(name: str) -> Seen:
    return replay.on_host(name, look)


def test_a_hosts_own_document_changes_nothing() -> None:
    assert seen("stack").changes == []


def test_what_is_missing_is_not_taken_away_by_a_hosts_own_document() -> None:
    said = seen("past").changes
    assert "drive left: its physical volume " in said
    assert "and what lies on it cannot be read: 92 MiB, parts of half (600 MiB). Bring the device back" in said
    assert [drive["devices"] for drive in seen("past").info["layout"]["drives"]] == [
        ["/dev/disk/by-id/scsi-36001405dd60000000000000000000000"]
    ]


def test_disks() -> None:
    disks = {disk["serial"]: disk for disk in seen("stack").info["disks"]}
    assert {serial: disk["size"] // MiB for serial, disk in disks.items() if serial[1:-1] in ("DD", "SD")} == {
        **{f"HDD{number}": 512 for number in range(1, 7)},
        "SSD1": 256,
        "SSD2": 256,
    }
    assert [disks[serial]["rotational"] for serial in ("HDD1", "SSD1")] == [True, False]
    assert disks["HDD1"]["wwn"] == "naa.6001405dd10000000000000000000000"


def test_partitions() -> None:
    host = seen("stack").host
    disk = next(device for device in host.devices.values() if device.partitions)
    efi, backup = (host.devices[path] for path in disk.partitions)
    assert [(one.part_name, one.size // MiB, one.disk) for one in (efi, backup)] == [
        ("efi", 64, disk.path),
        ("backup", 446, disk.path),
    ]


def test_an_array_that_runs() -> None:
    (array,) = seen("stack").host.arrays
    assert (array.name, array.level, array.chunk_size, array.state, array.degraded) == (
        "store",
        "5",
        64 << 10,
        "clean",
        0,
    )
    assert [member.role for member in array.members] == ["active"] * 3


def test_arrays_with_a_past() -> None:
    found = seen("past")
    roles = {array.name: [member.role for member in array.members] for array in found.host.arrays}
    assert roles == {"weak": ["active", "active", "former"], "apart": ["active", "apart"]}
    assert [(array.name, array.running) for array in found.host.arrays] == [("weak", True), ("apart", False)]
    assert [(one["name"], one["problem"]) for one in found.info["health"]] == [
        ("weak", "degraded"),
        ("apart", "apart"),
        ("left", "missing"),
        ("weak", "former"),
        ("apart", "stopped"),
    ]


def test_what_a_device_of_an_array_is_said_to_hold_is_what_libblkid_tells() -> None:
    host = seen("past").host
    found = [(array, host.contents.get(member.device)) for array in host.arrays for member in array.members]
    outside = [(array.signature, held.signatures) for array, held in found if held]
    assert len(outside) == 3
    assert all(held == (said,) for said, held in outside)


def test_a_cached_device() -> None:
    host = seen("stack").host
    (backing,), (cache,) = host.backings, host.cache_sets
    assert (backing.bcache, backing.cache_mode, backing.attached) == ("/dev/bcache0", "writeback", True)
    assert (cache.uuid, cache.bucket_size, cache.registered) == (backing.cache_set, 128 << 10, True)
    (alone,) = seen("past").host.backings
    assert (alone.state, alone.cache_set, alone.attached) == ("no cache", "", False)


def test_containers() -> None:
    (opened,), (closed,) = (seen(name).host.containers for name in ("stack", "past"))
    assert (opened.type, opened.name, opened.header.keyslots, opened.mapped[:8]) == (
        "luks2",
        "backup",
        (0,),
        "/dev/dm-",
    )
    assert (closed.type, closed.name, closed.mapped) == ("luks1", "closed", "")


def test_volume_groups() -> None:
    data, left = (seen(name).info for name in ("stack", "past"))
    (drive,) = data["layout"]["drives"]
    assert {volume["name"]: (volume["size"] // MiB, volume["filesystem"]) for volume in drive["volumes"]} == {
        "logs": (100, "ext4"),
        "srv": (200, "btrfs"),
        "swap": (64, "swap"),
    }
    assert len(left["status"]["drives"]["left"]["missing"]) == 1


def test_filesystems_and_mounts() -> None:
    lines = seen("stack").tree()
    for line in (
        "├─ data/srv lvm 200 MiB btrfs on /srv",
        "└─ data/swap lvm 64 MiB swap",
        "├─ efi part 64 MiB vfat",
        "└─ backup luks2 430 MiB ext4 on /mnt",
    ):
        assert line in lines
    mounts = {mount.mount_point: mount for mount in seen("stack").host.mounts}
    assert (mounts["/srv"].type, mounts["/srv"].options) == ("btrfs", "rw,noatime")
    ((swap,), lvm) = seen("stack").host.swaps, seen("stack").host.lvm
    assert lvm is not None
    assert swap in [volume.device for volume in lvm.groups[0].volumes if volume.name == "swap"]


# The recording itself


def test_what_fails_there_fails_here_and_what_is_not_on_record_is_told() -> None:
    with pytest.raises(replay.ReplayError, match="not on record: lvm version"):
        replay.on_host("stack", ask_lvm)


def ask_lvm() -> str:
    from ansible_collections.strata.storage.plugins.module_utils.core.command import run_command

    return run_command(("lvm", "version"))


@pytest.mark.parametrize("name", replay.names())
def test_no_host_on_record_holds_a_key(name: str) -> None:
    with tarfile.open(replay.HOSTS / f"{name}.tar.xz") as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            assert b"secret\n" not in (content.read() if content else b""), member.name


def test_an_archive_does_not_write_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "HOSTS", tmp_path)
    for name, kind in (("../outside", tarfile.REGTYPE), ("a/../../b", tarfile.SYMTYPE)):
        with tarfile.open(tmp_path / "bad.tar.xz", "w:xz") as archive:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc"
            archive.addfile(entry, io.BytesIO())
        with pytest.raises(replay.ReplayError, match="is outside of the host's root directory"):
            replay.on_host("bad", look)
