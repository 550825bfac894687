# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Superblocks, crafted from the layouts in the kernel's headers (md_p.h, bcache_ondisk.h, ext4.h, xfs_format.h, …)."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.bcache.superblock import BcacheSuperblock
from ansible_collections.strata.storage.plugins.module_utils.host.devices import Device
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.read import (
    is_unused,
    read_filesystem,
)
from ansible_collections.strata.storage.plugins.module_utils.host.filesystem.state import Filesystem
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.label import begun_group, read_physical_volume
from ansible_collections.strata.storage.plugins.module_utils.host.lvm.state import StrayVolume
from ansible_collections.strata.storage.plugins.module_utils.host.partition.table import is_empty_table
from ansible_collections.strata.storage.plugins.module_utils.host.raid.superblock import MdSuperblock, uuid_0_90
from ansible_collections.strata.storage.plugins.module_utils.host.superblocks import Superblock, read_members

MiB = 1 << 20
SIZE = 16 * MiB + 4096
RAW = bytes(range(16))
UUID = str(uuid.UUID(bytes=RAW))


class Image:
    def __init__(self, path: Path, size: int = SIZE) -> None:
        self.path = str(path)
        self.size = size
        path.write_bytes(b"")
        os.truncate(path, size)

    def put(self, offset: int, data: bytes) -> None:
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def members(self) -> Superblock | None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return read_members(descriptor, self.size)
        finally:
            os.close(descriptor)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "image")


def fields(size: int, *parts: tuple[int, str, Any]) -> bytes:
    block = bytearray(size)
    for offset, form, value in parts:
        struct.pack_into(form, block, offset, value)
    return bytes(block)


def md1(
    offset: int,
    role: int = 1,
    features: int = 0,
    name: bytes = b"host:data",
    level: int = 5,
    layout: int = 2,
    resynced: int = 0xFFFFFFFFFFFFFFFF,
    more_devices: int = 0,
) -> bytes:
    return fields(
        4096,
        (0, "<I", 0xA92B4EFC),
        (4, "<I", 1),
        (8, "<I", features),
        (16, "16s", RAW),
        (32, "32s", name),
        (72, "<i", level),
        (76, "<I", layout),
        (88, "<I", 1024),
        (92, "<I", 3),
        (112, "<i", more_devices),
        (80, "<Q", 4096),
        (128, "<Q", 2048),
        (136, "<Q", 8192),
        (144, "<Q", offset >> 9),
        (160, "<I", 2),
        (168, "16s", RAW[::-1]),
        (192, "<Q", 500 << 40 | 1_700_000_000),
        (200, "<Q", 77),
        (208, "<Q", resynced),
        (220, "<I", 128),
        (256, "<H", 0),
        (258, "<H", 0xFFFE),
        (260, "<H", role),
        *((256 + 2 * number, "<H", 0xFFFF) for number in range(3, 128)),
    )


MD = MdSuperblock(
    RAW.hex(),
    "data",
    "5",
    3,
    512 << 10,
    "left-symmetric",
    "1.2",
    "none",
    "active",
    1,
    77,
    updated=1_700_000_000,
    number=2,
    device_uuid=RAW[::-1].hex(),
    slots={0: 0, 2: 1},
    component_size=2 * MiB,
    data_offset=1 * MiB,
    least_size=5 * MiB,
    home="host",
)
V1_0 = ((SIZE // 512 - 16) // 8) * 8 * 512


@pytest.mark.parametrize(("metadata", "offset"), [("1.2", 4096), ("1.1", 0), ("1.0", V1_0)])
def test_md_wherever_it_is(image: Image, metadata: str, offset: int) -> None:
    image.put(offset, md1(offset))
    # At the end it is only found where the device is as large as it was.
    assert image.members() == MD._replace(metadata=metadata, least_size=0 if metadata == "1.0" else MD.least_size)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({"role": 0xFFFF}, {"role": "spare", "slot": None, "slots": {0: 0}}),
        ({"role": 0xFFFE}, {"role": "faulty", "slot": None, "slots": {0: 0}}),
        ({"role": 0xFFFD}, {"role": "journal", "slot": None, "slots": {0: 0}}),
        ({"role": 5}, {"slot": 5, "slots": {0: 0, 2: 5}}),
        ({"features": 1}, {"bitmap": "internal"}),
        ({"features": 512}, {"log": "journal"}),
        ({"features": 4096}, {"log": "ppl"}),
        ({"features": 2048}, {"log": "ppl"}),
        ({"features": 2}, {"role": "rebuilding"}),
        ({"features": 2 | 16}, {"role": "replacing"}),
        ({"features": 2 | 4, "more_devices": 1}, {"reshaping": True}),
        ({"features": 4, "more_devices": -1}, {"reshaping": True, "needs_backup": True}),
        ({"features": 4 | 64, "more_devices": -1}, {"reshaping": True}),
        ({"resynced": 0}, {"unsynced": True}),
        ({"name": b"data"}, {"name": "data", "home": ""}),
        ({"name": b"host:" + b"x" * 27}, {"name": "x" * 27}),
        ({"name": b""}, {"name": "", "home": ""}),
        ({"level": -1}, {"level": "linear", "layout": ""}),
        ({"level": 6, "layout": 0}, {"level": "6", "layout": "left-asymmetric"}),
        ({"level": 6, "layout": 18}, {"level": "6", "layout": ""}),
        ({"level": 10, "layout": 0x102}, {"level": "10", "layout": "n2"}),
        ({"level": 10, "layout": 0x301}, {"level": "10", "layout": "f3"}),
        ({"level": 10, "layout": 0x10201}, {"level": "10", "layout": "o2"}),
        ({"level": 10, "layout": 0x202}, {"level": "10", "layout": ""}),
    ],
)
def test_md_in_other_words(image: Image, made: dict[str, Any], found: dict[str, Any]) -> None:
    image.put(4096, md1(4096, **made))
    assert image.members() == MD._replace(**found)


def test_md_at_the_end_of_something_else_is_not_this_devices(image: Image) -> None:
    image.put(V1_0, md1(V1_0 - 1 * MiB))
    assert image.members() is None


def md0_90(bitmap: bool = False, state: int = 0b110, utime: int = 0x6554_0000) -> bytes:
    set_uuid = (0x03020100, 0x07060504, 0x0B0A0908, 0x0F0E0D0C)
    words = {0: 0xA92B4EFC, 1: 0, 2: 90, 5: set_uuid[0], 7: 5, 10: 3, 13: set_uuid[1], 14: set_uuid[2], 15: set_uuid[3]}
    words |= {32: utime, 33: 1 | (1 << 8 if bitmap else 0), 39: 77, 64: 2, 65: 64 << 10, 992: 1, 995: 1, 996: state}
    # Two disks that work, and one that was removed.
    words |= {8: 1024, 128 + 3: 0, 128 + 4: 0b110, 160 + 3: 1, 160 + 4: 0b110, 192 + 3: 2, 192 + 4: 0b1001}
    return fields(4096, *((4 * word, "<I", value) for word, value in words.items()))


V0_90 = (SIZE // 65536 - 1) * 65536
MD0_90 = MdSuperblock(
    "03020100070605040b0a09080f0e0d0c",
    "",
    "5",
    3,
    64 << 10,
    "left-symmetric",
    "0.90",
    "none",
    "active",
    1,
    77,
    updated=0x6554_0000,
    number=1,
    slots={0: 0, 1: 1},
    component_size=1 * MiB,
)


@pytest.mark.parametrize(
    ("state", "role", "slot"), [(0b110, "active", 1), (0b000, "spare", None), (0b001, "faulty", None)]
)
def test_md_0_90(image: Image, state: int, role: str, slot: int | None) -> None:
    image.put(V0_90, md0_90(state=state))
    assert image.members() == MD0_90._replace(role=role, slot=slot)


@pytest.mark.parametrize(("bitmap", "utime"), [(False, 0x6554_0000), (True, 0x6554_0000), (False, 0x6554_0100)])
def test_md_0_90_bitmap_whenever_it_was_written(image: Image, bitmap: bool, utime: int) -> None:
    image.put(V0_90, md0_90(bitmap, utime=utime))
    assert image.members() == MD0_90._replace(bitmap="internal" if bitmap else "none", updated=utime)


def test_the_uuid_of_md_0_90_in_the_kernels_bytes() -> None:
    assert uuid_0_90(bytes(range(16)).hex()) == MD0_90.uuid


def bcache(version: int, flags: int = 0, label: bytes = b"", buckets: int = 0) -> bytes:
    return fields(
        4096,
        (8, "<Q", 8),
        (16, "<Q", version),
        (24, "16s", bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")),
        (40, "16s", bytes(16)),
        (56, "16s", RAW),
        (72, "32s", label),
        (104, "<Q", flags),
        (184, "<Q", 24),
        (192, "<H", 8),
        (194, "<H", buckets),
    )


def test_a_bcache_on_an_array_is_not_its_members(image: Image) -> None:
    image.put(4096, bcache(1))
    assert isinstance(image.members(), BcacheSuperblock)
    image.put(V1_0, md1(V1_0))
    assert isinstance(image.members(), MdSuperblock)


@pytest.mark.parametrize("version", [1, 4, 6])
@pytest.mark.parametrize(
    ("flags", "mode", "state"),
    [
        (0, "writethrough", "no cache"),
        (1 | 1 << 61, "writeback", "clean"),
        (1 | 2 << 61, "writeback", "dirty"),
        (2 | 3 << 61, "writearound", "inconsistent"),
        (3, "none", "no cache"),
    ],
)
def test_a_backing_device(image: Image, version: int, flags: int, mode: str, state: str) -> None:
    image.put(4096, bcache(version, flags, b"cached"))
    nil = str(uuid.UUID(int=0))
    assert image.members() == BcacheSuperblock(
        True, nil, UUID, "cached", 4096, 0, mode, state, 24 << 9 if version > 1 else 8192
    )


@pytest.mark.parametrize("version", [0, 3, 5])
def test_a_cache(image: Image, version: int) -> None:
    image.put(4096, bcache(version, buckets=1024))
    assert image.members() == BcacheSuperblock(False, str(uuid.UUID(int=0)), UUID, "", 4096, 512 << 10, "", "")


@pytest.mark.parametrize("size", [0, 512, 4096, 8192, 65536, SIZE])
def test_nothing(tmp_path: Path, size: int) -> None:
    image = Image(tmp_path / "blank", size)
    assert image.members() is None
    assert read_filesystem(image.path) is None


def ext(compatible: int, incompatible: int, high: int = 0) -> bytes:
    return fields(
        1024,
        (4, "<I", 4096),
        (24, "<I", 2),
        (56, "<H", 0xEF53),
        (92, "<I", compatible),
        (96, "<I", incompatible),
        (104, "16s", RAW),
        (120, "16s", b"backup"),
        (0x150, "<I", high),
    )


@pytest.mark.parametrize(
    ("block", "kind", "size"),
    [
        (ext(0x4, 0x40), "ext4", 16 * MiB),
        (ext(0x4, 0xC0, 1), "ext4", (4096 + (1 << 32)) * 4096),
        (ext(0x4, 0x40, 1), "ext4", 16 * MiB),
        (ext(0x4, 0x2), "ext3", 16 * MiB),
        (ext(0x0, 0x2), "ext2", 16 * MiB),
    ],
)
def test_ext(image: Image, block: bytes, kind: str, size: int) -> None:
    image.put(1024, block)
    assert read_filesystem(image.path) == Filesystem(kind, UUID, "backup", size, 4096)


def test_the_journal_of_an_ext_on_another_device(image: Image) -> None:
    image.put(1024, ext(0x0, 0x8))
    assert read_filesystem(image.path) is None


@pytest.mark.parametrize("sector", [512, 4096])
def test_xfs(image: Image, sector: int) -> None:
    sizes = ((4, ">I", 4096), (8, ">Q", 4096), (102, ">H", sector))
    block = fields(512, (0, "4s", b"XFSB"), *sizes, (32, "16s", RAW), (108, "12s", b"backup"))
    image.put(0, block)
    assert read_filesystem(image.path) == Filesystem("xfs", UUID, "backup", 16 * MiB, sector)


@pytest.mark.parametrize(
    ("kind", "tail", "sectors"),
    [
        (b"FAT12   ", 36, (19, "<H", 8192)),
        (b"FAT16   ", 36, (19, "<H", 8192)),
        (b"FAT32   ", 64, (32, "<I", 1 << 20)),
    ],
)
@pytest.mark.parametrize("label", [b"backup     ", b"NO NAME    "])
def test_vfat(image: Image, kind: bytes, tail: int, sectors: tuple[int, str, int], label: bytes) -> None:
    named = ((tail + 3, "<I", 0x1234ABCD), (tail + 7, "11s", label), (tail + 18, "8s", kind))
    block = fields(512, (11, "<H", 512), (21, "B", 0xF8), sectors, *named, (510, "2s", b"\x55\xaa"))
    image.put(0, block)
    said = "backup" if label.startswith(b"backup") else ""
    assert read_filesystem(image.path) == Filesystem("vfat", "1234-ABCD", said, sectors[2] * 512, 512)
    # Without the media's byte, it is code that begins so.
    image.put(21, b"\0")
    assert read_filesystem(image.path) is None


def test_f2fs(image: Image) -> None:
    name = "backup".encode("utf-16-le")
    block = fields(2048, (0, "<I", 0xF2F52010), (16, "<I", 12), (36, "<Q", 4096), (108, "16s", RAW), (124, "12s", name))
    image.put(1024, block)
    assert read_filesystem(image.path) == Filesystem("f2fs", UUID, "backup", 16 * MiB, 4096)


def test_btrfs(image: Image) -> None:
    block = fields(
        4096,
        (32, "16s", RAW),
        (64, "8s", b"_BHRfS_M"),
        (112, "<Q", 99 * MiB),
        (136, "<Q", 1),
        (144, "<I", 4096),
        (201, "<Q", 1),
        (209, "<Q", 16 * MiB),
        (299, "256s", b"backup"),
    )
    image.put(65536, block)
    assert read_filesystem(image.path) == Filesystem("btrfs", UUID, "backup", 16 * MiB)
    seed = bytearray(block)
    struct.pack_into("<Q", seed, 56, 1 << 32)
    image.put(65536, bytes(seed))
    assert read_filesystem(image.path) == Filesystem("btrfs", UUID, "backup", 16 * MiB, seed=True)
    two = bytearray(block)
    struct.pack_into("<Q", two, 72, 9)
    struct.pack_into("<Q", two, 136, 2)
    image.put(65536, bytes(two))
    assert read_filesystem(image.path) == Filesystem("btrfs", UUID, "backup", 16 * MiB, devices=2, generation=9)


GROUP = """data {
id = "V1V1V1-V1V1-V1V1-V1V1-V1V1-V1V1-V1V1V1"
seqno = 5
system_id = "host2"
lock_type = "sanlock"
physical_volumes {

pv0 {
id = "P1P1P1-P1P1-P1P1-P1P1-P1P1-P1P1-P1P1P1"
status = ["ALLOCATABLE"]
}
}

logical_volumes {

srv {
id = "L1L1L1-L1L1-L1L1-L1L1-L1L1-L1L1-L1L1L1"
status = ["READ", "WRITE", "VISIBLE"]
}

pool_tdata {
id = "L2L2L2-L2L2-L2L2-L2L2-L2L2-L2L2-L2L2L2"
status = ["READ", "WRITE"]
}
}
}
"""


@pytest.mark.parametrize("place", [512, 65536 - 512 - 100])
def test_a_physical_volume(image: Image, place: int) -> None:
    """Its metadata is in a ring, and may go on at the start of that."""
    assert read_physical_volume(image.path) is None
    uuid, area = b"abcdef" + b"0123" * 5 + b"ghijkl", 65536 - 512
    image.put(
        512,
        fields(
            512,
            *((0, "8s", b"LABELONE"), (20, "<I", 32), (24, "8s", b"LVM2 001"), (32, "32s", uuid), (64, "<Q", 16 * MiB)),
            *((72, "<Q", MiB), (80, "<Q", 0), (104, "<Q", 4096), (112, "<Q", area)),
        ),
    )
    named = StrayVolume(image.path, "abcdef-0123-0123-0123-0123-0123-ghijkl")
    assert read_physical_volume(image.path) == named
    text = GROUP.encode()
    image.put(
        4096,
        fields(512, (4, "16s", b" LVM2 x[5A%r0N*>"), (32, "<Q", area), (40, "<Q", place), (48, "<Q", len(text))),
    )
    first = text[: area - place]
    image.put(4096 + place, first)
    if text[len(first) :]:
        image.put(4096 + 512, text[len(first) :])
    assert read_physical_volume(image.path) == named._replace(
        group="data",
        group_uuid="V1V1V1-V1V1-V1V1-V1V1-V1V1-V1V1-V1V1V1",
        sequence=5,
        volumes=("srv",),
        system_id="host2",
        lock_type="sanlock",
    )
    # Where LVM is told to ignore what is there, the group is written on other devices only.
    image.put(4096 + 60, b"\1")
    assert read_physical_volume(image.path) == named._replace(elsewhere=True)


@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="mkfs.ext4 is not installed")
@pytest.mark.parametrize("features", ["extents", "^64bit,extents"])
def test_ext4_as_mke2fs_makes_it(image: Image, features: str) -> None:
    made = ("mkfs.ext4", "-q", "-b", "4096", "-O", features, "-U", UUID, "-L", "backup", image.path)
    subprocess.run(made, check=True)
    assert read_filesystem(image.path) == Filesystem("ext4", UUID, "backup", SIZE)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("copies", [(True, True), (True, False), (False, True), (False, False)])
def test_an_empty_table_may_be_half_there(image: Image, sector: int, copies: tuple[bool, bool]) -> None:
    guid = str(uuid.UUID(bytes_le=RAW))
    disk = Device(image.path, size=SIZE, sector=sector)
    header = b"EFI PART" + bytes(48) + RAW + struct.pack("<QII", 2, 128, 128)
    for place, there in zip((sector, SIZE - sector), copies):
        if there:
            image.put(place, header)
    assert is_empty_table(disk, guid)
    assert is_empty_table(disk, UUID) == (copies == (False, False))
    image.put(2 * sector, RAW)
    assert is_empty_table(disk, guid) == (copies == (False, False))


@pytest.mark.parametrize(("kind", "empty"), [(0xEE, True), (0x83, False)])
def test_a_partition_in_an_mbr_is_more_than_an_empty_table(image: Image, kind: int, empty: bool) -> None:
    image.put(446 + 16 + 4, bytes([kind]))
    assert is_empty_table(Device(image.path, size=SIZE), UUID)
    image.put(510, b"\x55\xaa")
    assert is_empty_table(Device(image.path, size=SIZE), UUID) == empty


@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="mkfs.ext4 is not installed")
def test_an_ext4_that_was_mounted_is_not_unused(image: Image) -> None:
    subprocess.run(("mkfs.ext4", "-q", image.path), check=True)
    assert is_unused(image.path)
    for offset in (44, 52):
        image.put(1024 + offset, b"\1")
        assert not is_unused(image.path)
        image.put(1024 + offset, b"\0")
    assert is_unused(image.path)


@pytest.mark.parametrize(("kind", "wide"), [(b"FAT16   ", False), (b"FAT32   ", True)])
def test_a_vfat_with_a_file_is_not_unused(image: Image, kind: bytes, wide: bool) -> None:
    """One reserved sector, one table of eight sectors, and the root directory behind it."""
    tail = 64 if wide else 36
    length = (36, "<I", 8) if wide else (22, "<H", 8)
    sizes = ((11, "<H", 512), (13, "B", 4), (14, "<H", 1), (16, "B", 1), (17, "<H", 64))
    head = (*sizes, (21, "B", 0xF8), length, (tail + 18, "8s", kind))
    image.put(0, fields(512, *head, (510, "2s", b"\x55\xaa")))
    image.put(512, b"\xff" * (12 if wide else 4))
    image.put(512 * 9, b"backup     \x08")
    assert is_unused(image.path)
    image.put(512 * 9 + 32, b"EMPTY   TXT\x20")
    assert not is_unused(image.path)
    image.put(512 * 9 + 32, bytes(12))
    image.put(512 + 16, b"\xff\xff\xff\x0f")
    assert not is_unused(image.path)


def test_an_f2fs_with_a_second_checkpoint_is_not_unused(image: Image) -> None:
    image.put(1024, fields(2048, (0, "<I", 0xF2F52010), (16, "<I", 12), (20, "<I", 9), (76, "<I", 512)))
    assert is_unused(image.path)
    image.put((512 + 512) << 12, b"\1")
    assert not is_unused(image.path)


@pytest.mark.skipif(not shutil.which("mkfs.xfs"), reason="mkfs.xfs is not installed")
def test_an_xfs_with_more_in_its_log_is_not_unused(tmp_path: Path) -> None:
    image = Image(tmp_path / "xfs", 320 * MiB)
    subprocess.run(("mkfs.xfs", "-q", image.path), check=True)
    assert is_unused(image.path)
    with open(image.path, "rb") as file:
        block = file.read(512)
    (start,), (group_blocks,), shift = (
        struct.unpack_from(">Q", block, 48),
        struct.unpack_from(">I", block, 84),
        block[124],
    )
    log = ((start >> shift) * group_blocks + (start & ((1 << shift) - 1))) * 4096
    image.put(log + 300 * 1024, b"\1")
    assert not is_unused(image.path)
    # It is never mounted while it says that it is in progress.
    image.put(126, b"\1")
    assert is_unused(image.path)


@pytest.mark.parametrize(
    ("texts", "place", "name"),
    [
        ({}, 0, ""),
        ({512: "data"}, 0, "data"),
        ({512: "data", 2048: "data"}, 0, "data"),
        ({512: "data", 2048: "mine"}, 0, None),
        ({512: "data"}, 512, None),
    ],
)
def test_the_group_that_was_being_made_of_a_physical_volume(
    image: Image, texts: dict[int, str], place: int, name: str | None
) -> None:
    head = (4, "16s", b" LVM2 x[5A%r0N*>"), (32, "<Q", MiB - 4096), (40, "<Q", place), (48, "<Q", place)
    image.put(4096, fields(512, *head))
    for start, group in texts.items():
        image.put(4096 + start, f'{group} {{\nid = "x"\nseqno = 1\n\npv0 {{\n'.encode())
    assert begun_group(image.path) == name


def test_no_group_is_made_of_what_is_no_physical_volume(image: Image) -> None:
    assert begun_group(image.path) is None
