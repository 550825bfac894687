# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The superblocks that are read at every run: md's, bcache's, and those of the filesystems that a drive can have.

Each is a few hundred bytes at a known place: reading them needs no subprocess and no trust in udev's database.
Layouts: linux/raid/md_p.h, linux/bcache.h, fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h, linux/btrfs_tree.h.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import struct
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..document.raid import PARITY_LAYOUTS
from .state import SUPERBLOCK_FIRST, Device, Filesystem, StrayVolume

_MD_MAGIC = 0xA92B4EFC
_BCACHE_MAGIC = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
_BCACHE_MODES = ("writethrough", "writeback", "writearound", "none")
_BCACHE_STATES = ("no cache", "clean", "dirty", "inconsistent")
_BACKING_VERSIONS = (1, 4, 6)
_BACKING_OFFSET = 16
#: Where LVM keeps the metadata of groups, and how a text of it begins.
_METADATA = 4096
#: Where a bit says that LVM ignores the metadata there.
_IGNORED = 60
_GROUP = re.compile(rb"([A-Za-z0-9+_.-]+) \{\n")
_GROUP_HEAD = re.compile(r'([A-Za-z0-9+_.-]+) \{\s*id = "([^"]+)"\s*seqno = (\d+)')
_GROUP_OWNER = re.compile(r'\b(system_id|lock_type) = "([^"]+)"')
_VOLUME = re.compile(r'([A-Za-z0-9+_.-]+) \{\s*id = "[^"]+"\s*status = \[([^\]]*)\]')
#: Where LVM puts dashes into a UUID.
_UUID_PARTS = (0, 6, 10, 14, 18, 22, 26, 32)
_SPARE, _FAULTY, _JOURNAL = 0xFFFF, 0xFFFE, 0xFFFD
_MOST_DEVICES = (4096 - 256) // 2
_NEVER = 0xFFFFFFFFFFFFFFFF
#: Of md's features: what recovers, what replaces the one in its slot, a reshape, and one that moves the data's start.
_RECOVERING, _REPLACEMENT, _RESHAPING, _NEW_OFFSET = 2, 16, 4, 64
_WITH_JOURNAL, _WITH_PPL = 512, 2048 | 4096


class MdSuperblock(NamedTuple):
    """What one device says of its array, and of itself; sizes in bytes.

    ``role``: active, rebuilding, replacing, spare, faulty or journal. ``slots`` are the places of the array's working
    devices, by the number that each has in it (this one's own is ``number``), as they were when the superblock was
    written (``updated``, seconds since the epoch). ``device_uuid`` is empty in metadata 0.90.
    ``least_size`` is how large md wants the device to be (0: wherever the superblock is found, it is large enough).
    ``home`` is the host that the array's name is qualified with, ``log`` what is written before the members are
    (journal, ppl).
    """

    uuid: str
    name: str
    level: str
    raid_devices: int
    chunk_size: int
    layout: str
    metadata: str
    bitmap: str
    role: str
    slot: int | None
    events: int
    updated: int = 0
    number: int = 0
    device_uuid: str = ""
    slots: Mapping[int, int] = {}
    component_size: int = 0
    data_offset: int = 0
    unsynced: bool = False
    reshaping: bool = False
    needs_backup: bool = False
    least_size: int = 0
    home: str = ""
    log: str = ""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What the superblocks of all members have to have in common.

        mdadm looks at the same, but for ``reshaping``: with some that say that a reshape has ended, and some that do
        not yet, md starts an array whose data it then looks for in two places.
        """
        return (self.level, self.layout, self.chunk_size, self.raid_devices, self.component_size, self.reshaping)


class BcacheSuperblock(NamedTuple):
    """Of a backing device (``backing``), whose data begins at ``offset``, or of a cache; sizes in bytes."""

    backing: bool
    uuid: str
    set_uuid: str
    label: str
    block_size: int
    bucket_size: int
    cache_mode: str
    state: str
    offset: int = 0


def open_device(path: str, direct: bool = False) -> int:
    """``direct``: past the page cache, which keeps what was read of an array's member while md writes to the member."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_DIRECT if direct else 0))


def read_members(descriptor: int, size: int) -> MdSuperblock | BcacheSuperblock | None:
    """The md or bcache superblock of a device of that size, if it has one."""
    head = read_aligned(descriptor, 8192, 0)
    return (
        _md(head[4096:], "1.2", 4096)
        or _md(head, "1.1", 0)
        or _md(read_aligned(descriptor, 4096, _md_1_0_offset(size)), "1.0", _md_1_0_offset(size))
        or _md_0_90(read_aligned(descriptor, 4096, (size & ~0xFFFF) - 0x10000) if size >= 0x10000 else b"")
        # Beside a superblock at the end it is that of what lies on the array.
        or _bcache(head[4096:])
    )


def read_aligned(descriptor: int, length: int, offset: int) -> bytes:
    """Read into memory that is aligned as direct reading needs it."""
    with mmap.mmap(-1, length) as buffer:
        return buffer[: os.preadv(descriptor, [buffer], offset)]


def is_empty_table(device: Device, guid: str) -> bool:
    """Whether a device has no other GPT than one of that UUID without partitions, and no partition in its MBR.

    One of its two copies, or the protective MBR, may be missing.
    """
    descriptor = open_device(device.path)
    try:
        headers = [os.pread(descriptor, 92, place) for place in (device.sector, device.size - device.sector)]
        mbr = os.pread(descriptor, 512, 0)
        for header in headers:
            if header[:8] != b"EFI PART":
                continue
            first, count, length = struct.unpack_from("<QII", header, 72)
            same = uuid.UUID(bytes_le=header[56:72]) == uuid.UUID(guid)
            if not same or count > 1024 or any(os.pread(descriptor, count * length, first * device.sector)):
                return False
    finally:
        os.close(descriptor)
    # Of four entries of 16 bytes, the fifth byte is the type: 0xEE protects a GPT.
    return all(mbr[446 + 16 * number + 4] in (0, 0xEE) for number in range(4)) or mbr[510:512] != b"\x55\xaa"


def _md_1_0_offset(size: int) -> int:
    sectors = (size >> 9) - 16
    return max(sectors & ~7, 0) << 9


def _md(block: bytes, metadata: str, offset: int) -> MdSuperblock | None:
    if len(block) < 512:
        return None
    magic, major, features = struct.unpack_from("<III", block, 0)
    (where,) = struct.unpack_from("<Q", block, 144)
    # One that says it belongs elsewhere is that of a device inside this one.
    if magic != _MD_MAGIC or major != 1 or where << 9 != offset:
        return None
    level, layout, used, chunk, raid_disks = struct.unpack_from("<iIQII", block, 72)
    (delta_disks,) = struct.unpack_from("<i", block, 112)
    data_offset, data_size = struct.unpack_from("<QQ", block, 128)
    (number,) = struct.unpack_from("<I", block, 160)
    updated, events, resynced = struct.unpack_from("<QQQ", block, 192)
    (most,) = struct.unpack_from("<I", block, 220)
    roles = struct.unpack_from(f"<{min(most, _MOST_DEVICES, (len(block) - 256) // 2)}H", block, 256)
    role = roles[number] if number < len(roles) else _SPARE
    name = block[32:64].rstrip(b"\0").decode(errors="replace")
    reshaping = bool(features & _RESHAPING)
    working = "replacing" if features & _REPLACEMENT else "active"
    if features & _RECOVERING and not reshaping and working == "active":
        working = "rebuilding"
    return MdSuperblock(
        uuid=block[16:32].hex(),
        name=name.split(":", 1)[-1],
        level=_level(level),
        raid_devices=raid_disks,
        chunk_size=chunk << 9,
        layout=layout_word(_level(level), layout),
        metadata=metadata,
        bitmap="internal" if features & 1 else "none",
        role={_SPARE: "spare", _FAULTY: "faulty", _JOURNAL: "journal"}.get(role, working),
        slot=role if role < _JOURNAL else None,
        events=events,
        # Above these 40 bits are microseconds.
        updated=updated & (1 << 40) - 1,
        number=number,
        device_uuid=block[168:184].hex(),
        slots={index: slot for index, slot in enumerate(roles) if slot < _JOURNAL},
        component_size=used << 9,
        data_offset=data_offset << 9,
        unsynced=resynced != _NEVER,
        reshaping=reshaping,
        needs_backup=reshaping and delta_disks <= 0 and not features & _NEW_OFFSET,
        least_size=data_offset + data_size << 9 if metadata in SUPERBLOCK_FIRST else 0,
        home=name.split(":", 1)[0] if ":" in name else "",
        log="journal" if features & _WITH_JOURNAL else "ppl" if features & _WITH_PPL else "",
    )


def _md_0_90(block: bytes) -> MdSuperblock | None:
    if len(block) < 4096:
        return None
    words = struct.unpack_from("<1024I", block, 0)
    if words[0] != _MD_MAGIC or words[1] != 0:
        return None
    set_uuid = struct.pack("<4I", words[5], words[13], words[14], words[15])
    # The generic state words start at 32, the personality's at 64, the disks at 128 (32 words each), this disk at 992.
    raid_disk, state = words[995], words[996]
    level = _level(struct.unpack("<i", struct.pack("<I", words[7]))[0])
    active = _works(state)
    disks = [words[first : first + 5] for first in range(128, 128 + 27 * 32, 32)]
    return MdSuperblock(
        uuid=uuid_0_90(set_uuid.hex()),
        name="",
        level=level,
        raid_devices=words[10],
        chunk_size=words[65],
        layout=layout_word(level, words[64]),
        metadata="0.90",
        bitmap="internal" if words[33] & (1 << 8) else "none",
        role="active" if active else "faulty" if state & 1 else "spare",
        slot=raid_disk if active else None,
        events=words[39] | words[40] << 32,
        updated=words[32],
        number=words[992],
        slots={index: disk[3] for index, disk in enumerate(disks) if _works(disk[4])},
        component_size=words[8] << 10,
        # The lowest bit says that the members are alike.
        unsynced=not words[33] & 1,
        reshaping=words[2] > 90 and words[44] | words[45] << 32 != _NEVER,
    )


def uuid_0_90(digits: str) -> str:
    """The UUID of metadata 0.90 as mdadm prints it: words, which the superblock and the kernel keep in bytes."""
    return b"".join(bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, 32, 8)).hex()


def _works(state: int) -> bool:
    """Whether metadata 0.90 counts a disk as active and in sync, and neither as faulty nor as removed."""
    return state & 0b1111 == 0b0110


def _level(number: int) -> str:
    return {-1: "linear", -4: "multipath", -5: "faulty"}.get(number, str(number))


def layout_word(level: str, number: int) -> str:
    """mdadm's word for md's number of a layout; empty where there is none."""
    if level in ("5", "6"):
        return PARITY_LAYOUTS[number] if number < len(PARITY_LAYOUTS) else ""
    if level != "10":
        return ""
    near, far, offset = number & 0xFF, number >> 8 & 0xFF, number >> 16 & 1
    if far > 1:
        return f"{'o' if offset else 'f'}{far}" if near == 1 else ""
    return f"n{near}" if near > 1 else ""


def _bcache(block: bytes) -> BcacheSuperblock | None:
    if block[24:40] != _BCACHE_MAGIC:
        return None
    (version,) = struct.unpack_from("<Q", block, 16)
    backing = version in _BACKING_VERSIONS
    (flags,) = struct.unpack_from("<Q", block, 104)
    (first_sector,) = struct.unpack_from("<Q", block, 184)
    block_sectors, bucket_sectors = struct.unpack_from("<HH", block, 192)
    mode, state = flags & 0xF, flags >> 61 & 3
    return BcacheSuperblock(
        backing=backing,
        uuid=str(uuid.UUID(bytes=block[40:56])),
        set_uuid=str(uuid.UUID(bytes=block[56:72])),
        label=block[72:104].split(b"\0", 1)[0].decode(errors="replace"),
        block_size=block_sectors << 9,
        bucket_size=0 if backing else bucket_sectors << 9,
        cache_mode=_BCACHE_MODES[mode] if backing and mode < len(_BCACHE_MODES) else "",
        state=_BCACHE_STATES[state] if backing else "",
        offset=(_BACKING_OFFSET if version == 1 else first_sector) << 9 if backing else 0,
    )


#: Where the superblock of a btrfs has what its device is: number, size.
_BTRFS_DEVICE = 201
_BTRFS_SEED = 1 << 32


def read_filesystem(path: str, mount_point: str = "") -> Filesystem | None:
    """The ext4, xfs or btrfs filesystem, or the swap area, on a device, if there is one.

    Of a mounted one the kernel is asked for the size: its superblock on the disk may be behind.
    """
    descriptor = open_device(path)
    try:
        found = (
            _ext(os.pread(descriptor, 1024, 1024))
            or _xfs(os.pread(descriptor, 512, 0))
            or _btrfs(btrfs := os.pread(descriptor, 4096, 0x10000))
            or _swap(os.pread(descriptor, 4096, 0))
        )
    finally:
        os.close(descriptor)
    if found and mount_point and found.type == "xfs":
        return found._replace(size=_xfs_size(mount_point))
    if found and mount_point and found.type == "btrfs":
        return found._replace(size=_btrfs_size(mount_point, *struct.unpack_from("<Q", btrfs, _BTRFS_DEVICE)))
    return found


def is_unused(path: str) -> bool:
    """Whether no kernel has mounted the filesystem on a device for writing since it was made, or it was never finished.

    A swap area is always unused, for it holds nothing that lasts.
    """
    descriptor = open_device(path)
    try:
        ext, xfs = os.pread(descriptor, 1024, 1024), os.pread(descriptor, 512, 0)
        btrfs, swap = os.pread(descriptor, 4096, 0x10000), os.pread(descriptor, 4096, 0)
        if _ext(ext):
            # When it was mounted last, and how often.
            return struct.unpack_from("<I", ext, 44) == (0,) and struct.unpack_from("<H", ext, 52) == (0,)
        if _xfs(xfs):
            # What mkfs.xfs marks as in progress until it ends; then its log, where each mount leaves something.
            return xfs[126] == 1 or _is_first_log(descriptor, xfs)
        if _btrfs(btrfs):
            # Roots of the log tree, and of the tree of UUIDs in the generation that a kernel checked it in.
            return struct.unpack_from("<Q", btrfs, 96) == (0,) and struct.unpack_from("<Q", btrfs, 563) == (0,)
        return _swap(swap) is not None
    finally:
        os.close(descriptor)


def begun_group(path: str) -> str | None:
    """The name of the group that was being made of an LVM physical volume, empty before its metadata was written.

    None where metadata counts, or where that of another group was written before.
    """
    descriptor = open_device(path)
    try:
        block = os.pread(descriptor, 512, _METADATA)
        if block[4:20] != b" LVM2 x[5A%r0N*>":
            return None
        # Where the metadata is that counts, and how long.
        size, place, length = struct.unpack_from("<QQQ", block, 32)
        area = os.pread(descriptor, min(size, 1 << 20), _METADATA)
    finally:
        os.close(descriptor)
    # Each text begins with a sector.
    texts = (_GROUP.match(area, start) for start in range(512, len(area), 512))
    names = {text.group(1).decode() for text in texts if text}
    return None if (place, length) != (0, 0) or len(names) > 1 else next(iter(names), "")


def read_physical_volume(path: str) -> StrayVolume | None:
    """What the label of an LVM physical volume, and the metadata behind it, say; None where there is no label."""
    descriptor = open_device(path)
    try:
        head = os.pread(descriptor, 2048, 0)
        label = next((start for start in range(0, 2048, 512) if head[start : start + 8] == b"LABELONE"), None)
        if label is None or head[label + 24 : label + 32] != b"LVM2 001":
            return None
        place = label + struct.unpack_from("<I", head, label + 20)[0]
        uuid = head[place : place + 32].decode("ascii", "replace")
        # Behind the size: the areas of data, and those of metadata, each list with its end.
        lists, place = 0, place + 40
        while lists < 2 and place + 16 <= len(head):
            offset, size = struct.unpack_from("<QQ", head, place)
            if lists == 1 and offset:
                break
            lists, place = lists + (not offset), place + 16
        own = lists == 1 and not os.pread(descriptor, 1, offset + _IGNORED)[0] & 1
        text = _group_text(descriptor, offset, size) if own else ""
    finally:
        os.close(descriptor)
    parts = [uuid[start:end] for start, end in zip(_UUID_PARTS, _UUID_PARTS[1:])]
    found = StrayVolume(path, "-".join(parts), elsewhere=not own)
    group = _GROUP_HEAD.match(text)
    if group is None:
        return found
    volumes = text.partition("\nlogical_volumes {")[2]
    owner = dict(_GROUP_OWNER.findall(text.partition("\nphysical_volumes {")[0]))
    return found._replace(
        group=group.group(1),
        group_uuid=group.group(2),
        sequence=int(group.group(3)),
        volumes=tuple(name for name, status in _VOLUME.findall(volumes) if '"VISIBLE"' in status),
        system_id=owner.get("system_id", ""),
        lock_type=owner.get("lock_type", ""),
    )


def _group_text(descriptor: int, start: int, size: int) -> str:
    """The metadata of a group that counts, from the ring that it is written into."""
    header = os.pread(descriptor, 512, start)
    if header[4:20] != b" LVM2 x[5A%r0N*>":
        return ""
    place, length = struct.unpack_from("<QQ", header, 40)
    length = min(length, size)
    text = os.pread(descriptor, max(min(length, size - place), 0), start + place)
    return (text + os.pread(descriptor, length - len(text), start + 512)).decode("ascii", "replace")


def _is_first_log(descriptor: int, block: bytes) -> bool:
    """Whether the log of an xfs holds no more than the one record that mkfs.xfs writes.

    That record has 256 KiB at most, and its headers. A kernel that mounts it marks 2 MiB behind the last record.
    """
    block_size, log_start, group_blocks = (
        struct.unpack_from(code, block, place)[0] for code, place in ((">I", 4), (">Q", 48), (">I", 84))
    )
    shift = block[124]
    place = ((log_start >> shift) * group_blocks + (log_start & ((1 << shift) - 1))) * block_size
    behind = os.pread(descriptor, 1 << 16, place + (1 << 18) + (1 << 13))
    return log_start != 0 and os.pread(descriptor, 4, place) == b"\xfe\xed\xba\xbe" and not any(behind)


def _ext(block: bytes) -> Filesystem | None:
    # What only holds the journal of another one has the same superblock.
    if block[56:58] != b"\x53\xef" or block[96] & 8:
        return None
    (low,) = struct.unpack_from("<I", block, 4)
    (log_size,) = struct.unpack_from("<I", block, 24)
    compatible, incompatible = struct.unpack_from("<II", block, 92)
    (high,) = struct.unpack_from("<I", block, 0x150)
    wide = bool(incompatible & 0x80)
    journal, extents = bool(compatible & 4), bool(incompatible & 0x40)
    return Filesystem(
        type="ext4" if extents else "ext3" if journal else "ext2",
        uuid=str(uuid.UUID(bytes=block[104:120])),
        label=block[120:136].rstrip(b"\0").decode(errors="replace"),
        size=(low | (high << 32 if wide else 0)) << (10 + log_size),
        sector=1024 << log_size,
        damaged=bool(struct.unpack_from("<H", block, 58)[0] & 2),
    )


def _xfs(block: bytes) -> Filesystem | None:
    if block[:4] != b"XFSB":
        return None
    block_size, blocks = struct.unpack_from(">IQ", block, 4)
    (sector,) = struct.unpack_from(">H", block, 102)
    return Filesystem(
        type="xfs",
        uuid=str(uuid.UUID(bytes=block[32:48])),
        label=block[108:120].rstrip(b"\0").decode(errors="replace"),
        size=block_size * blocks,
        sector=sector,
    )


def _btrfs(block: bytes) -> Filesystem | None:
    if block[64:72] != b"_BHRfS_M":
        return None
    # The item of this device is inside the superblock; with one device it spans what the filesystem does.
    number, size = struct.unpack_from("<QQ", block, _BTRFS_DEVICE)
    (sector,) = struct.unpack_from("<I", block, 144)
    (generation,), (devices,) = struct.unpack_from("<Q", block, 72), struct.unpack_from("<Q", block, 136)
    (flags,) = struct.unpack_from("<Q", block, 56)
    return Filesystem(
        type="btrfs",
        uuid=str(uuid.UUID(bytes=block[32:48])),
        label=block[299:555].split(b"\0", 1)[0].decode(errors="replace"),
        size=size,
        sector=sector,
        devices=devices,
        number=number,
        seed=bool(flags & _BTRFS_SEED),
        # Of one device there is none to compare it with.
        generation=generation if devices > 1 else 0,
    )


def _swap(block: bytes) -> Filesystem | None:
    if block[4086:4096] != b"SWAPSPACE2":
        return None
    (last_page,) = struct.unpack_from("=I", block, 1028)
    return Filesystem(
        type="swap",
        uuid=str(uuid.UUID(bytes=block[1036:1052])),
        label=block[1052:1068].split(b"\0", 1)[0].decode(errors="replace"),
        size=(last_page + 1) << 12,
    )


def _xfs_size(mount_point: str) -> int:
    geometry = _ask(mount_point, 0x80705864, bytearray(112))  # XFS_IOC_FSGEOMETRY_V1
    (block_size,) = struct.unpack_from("=I", geometry, 0)
    (blocks,) = struct.unpack_from("=Q", geometry, 32)
    return int(block_size * blocks)


def _btrfs_size(mount_point: str, device: int) -> int:
    """What it has of one of its devices: those that were taken out and put in leave gaps in the numbers."""
    info = bytearray(4096)
    struct.pack_into("=Q", info, 0, device)
    return int(struct.unpack_from("=Q", _ask(mount_point, 0xD000941E, info), 32)[0])  # BTRFS_IOC_DEV_INFO


def _ask(mount_point: str, what: int, buffer: bytearray) -> bytearray:
    """What a filesystem says to an ioctl. Raises OSError."""
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, what, buffer)
    finally:
        os.close(descriptor)
    return buffer
