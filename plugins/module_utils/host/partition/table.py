# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition tables as they are on a device: what sfdisk says of one, and what only the headers of a GPT tell.

A GPT (UEFI specification, 5.3) has its header in the second sector, and a copy in the last. On a device whose sectors
have another size than those it was written with, neither the kernel nor libblkid finds it there.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...core.command import run_command
from ..blocks import open_device
from ..devices import Device
from .state import GPT_ENTRY, MBR_SECTORS, Part, Table, gpt_end, partition_number

_MAGIC = b"EFI PART"
#: Bytes of the sectors that disks have.
_SECTORS = (512, 4096)
_BLKSSZGET = 0x1268
#: The kernel shows no more, whatever a table has room for.
_MOST = 255
_TYPES = {
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "linux",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "swap",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": "lvm",
    "A19D880F-05FC-4D3B-A006-743F0F84911E": "raid",
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "uefi",
    "83": "linux",
    "82": "swap",
    "8e": "lvm",
    "fd": "raid",
    "ef": "uefi",
}


#: What partitions of these types are for. They look blank, and are needed to boot, or hold data.
RESERVED = {
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "9e1a2d38-c612-4316-aa26-8b49521e5a8b": "PReP boot",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
    "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows' logical disk manager",
    "af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows' logical disk manager",
    "41": "PReP boot",
    "42": "Windows' logical disk manager",
}


class Gpt(NamedTuple):
    """What sfdisk does not say of a GPT: the byte at which the copy of its header is, and what a copy holds.
    ``uuids`` are those of its partitions, by number, and ``types`` the UUIDs of what these are for.

    The kernel tells only those names that it read from the table itself, and not those that it was told of later.
    """

    copy: int
    slots: int
    names: Mapping[int, str]
    uuids: Mapping[int, str]
    types: Mapping[int, str]


def read_gpt(descriptor: int, sector: int, size: int) -> Gpt | None:
    """By its first header, or where that is damaged by the copy, as the kernel does it."""
    for place in (sector, size - sector):
        header = os.pread(descriptor, 92, max(place, 0))
        if header[:8] != _MAGIC:
            continue
        other, (first, count, length) = struct.unpack_from("<Q", header, 32)[0], struct.unpack_from("<QII", header, 72)
        if length < GPT_ENTRY or count > 1024:
            continue
        entries = os.pread(descriptor, count * length, first * sector)
        used = {
            index + 1: entries[start : start + GPT_ENTRY]
            for index, start in enumerate(range(0, len(entries) - length + 1, length))
            if any(entries[start : start + 16])
        }
        names = {number: entry[56:].decode("utf-16-le", "replace").partition("\0")[0] for number, entry in used.items()}
        types = {number: str(uuid.UUID(bytes_le=entry[:16])) for number, entry in used.items()}
        uuids = {number: str(uuid.UUID(bytes_le=entry[16:32])) for number, entry in used.items()}
        return Gpt(other * sector if place == sector else place, count, names, uuids, types)
    return None


class Mbr(NamedTuple):
    """What the PARTUUID of the partitions begins with (empty: nothing), and the types of the primary ones by number."""

    identifier: str
    types: Mapping[int, str]


def read_mbr(descriptor: int) -> Mbr:
    sector = os.pread(descriptor, 512, 0).ljust(512, b"\0")
    (identifier,) = struct.unpack_from("<I", sector, 440)
    types = {number: f"{sector[446 + 16 * (number - 1) + 4]:02x}" for number in range(1, 5)}
    return Mbr(f"{identifier:08x}" if identifier else "", types)


def headers(descriptor: int, size: int) -> list[tuple[int, int]]:
    """The sector size and the byte of each header of a GPT at either end of a device, whatever its own sectors are."""
    return [
        (sector, place)
        for sector in _SECTORS
        for place in (sector, size - sector)
        if place >= sector and os.pread(descriptor, len(_MAGIC), place) == _MAGIC
    ]


def unseen_tables(path: str, seen: bool) -> list[int]:
    """The sizes of sectors of which a device has a GPT that libblkid does not see (``seen``: it does see one)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        own = struct.unpack("=I", fcntl.ioctl(descriptor, _BLKSSZGET, bytes(4)))[0] if seen else 0
        return sorted({sector for sector, _place in headers(descriptor, _size(descriptor)) if sector != own})
    finally:
        os.close(descriptor)


def erase_headers(path: str) -> None:
    """No header of a GPT is left at either end of a device, whatever sectors it was written with."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        places = [place for _sector, place in headers(descriptor, _size(descriptor))]
    finally:
        os.close(descriptor)
    # udev looks into whatever was open for writing, and may put it to use by what it finds.
    if not places:
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for place in places:
            os.pwrite(descriptor, bytes(len(_MAGIC)), place)
    finally:
        os.close(descriptor)


def _size(descriptor: int) -> int:
    return os.lseek(descriptor, 0, os.SEEK_END)


def read_table(path: str) -> Table | None:
    """The partition table of a device."""
    # Without a table it says so and fails.
    said = run_command(("sfdisk", "--json", path), accepts=(0, 1))
    if not said.strip():
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _table(json.loads(said)["partitiontable"], descriptor)
    finally:
        os.close(descriptor)


def _table(found: Mapping[str, Any], descriptor: int) -> Table:
    unit, size = int(found.get("sectorsize", 512)), _size(descriptor)
    gpt = read_gpt(descriptor, unit, size) if found["label"] == "gpt" else None
    limit = gpt_end(size, unit, gpt.slots) if gpt and gpt.copy != size - unit else 0
    return Table(
        label=found["label"],
        start=int(found.get("firstlba", 2048)) * unit,
        end=(int(found["lastlba"]) + 1) * unit if "lastlba" in found else min(size, MBR_SECTORS * unit),
        parts=tuple(
            Part(
                number=partition_number(entry["node"]),
                start=int(entry["start"]) * unit,
                size=int(entry["size"]) * unit,
                type=_TYPES.get(entry["type"], entry["type"]),
                words=(
                    *(f'{word}="{entry[word]}"' for word in ("uuid", "name", "attrs") if entry.get(word)),
                    *(("bootable",) if entry.get("bootable") else ()),
                ),
            )
            for entry in found.get("partitions", ())
        ),
        sector=unit,
        limit=limit,
        slots=min(gpt.slots, _MOST) if gpt else 4,
    )


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
