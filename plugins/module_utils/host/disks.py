# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the block devices of a host, and what names mean them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..core.command import read_text
from ..core.errors import StorageError
from .bcache.state import Backing
from .devices import Device, DiskFacts
from .host import Host
from .superblocks import made_of
from .sysfs import SYS, names_in, rbd_spec, serial_number, transport

BCACHE_LINKS = "/dev/bcache/by-label"
#: Devices that are never part of a stack: reading them costs (a floppy seeks), or means nothing.
_SKIPPED = ("ram", "zram", "sr", "fd", "nbd")
#: What the kernel says of a disk that works.
_WORKING = ("", "running", "live")
#: What an eMMC says of the blocks that it has in reserve: most of them, or nearly all, are used up.
_WORN = {"0x02": "most of its reserve of blocks is used up", "0x03": "its reserve of blocks is nearly used up"}


def resolve(
    reference: str,
    devices: Mapping[str, Device],
    backings: Iterable[Backing] = (),
    other_paths: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """The device that an item's name, a path (any link) or a kernel's name means. Raises StorageError for two at once.

    A bcache is looked up by its label itself, a partition by its name: udev's links are often late, or missing.
    """
    paths = [reference] if reference.startswith("/") else [f"/dev/{reference}", f"/dev/md/{reference}"]
    real = [other_paths.get(path, path) for path in map(os.path.realpath, paths)]
    found = {path for path in real if path in devices}
    found |= {
        path
        for path, device in devices.items()
        if device.part_name and reference == f"/dev/disk/by-partlabel/{device.part_name}"
    }
    found |= {
        backing.bcache
        for backing in backings
        if backing.bcache and reference in (backing.name, f"{BCACHE_LINKS}/{backing.name}")
    }
    if len(found) > 1:
        raise StorageError(f"{reference} could be {' or '.join(sorted(found))}; say which one by its path")
    return found.pop() if found else None


def identity(kernel: str, lasting: bool = False) -> str:
    """What a device is, whatever the kernel calls it today: WWN or serial number, UUID, and diskseq.

    ``lasting``: what of it is the same after a reboot. Of an array or a bcache, that is in a superblock of its parts;
    what has none is known by its path.
    """
    base = f"{SYS}/{kernel}"
    start = read_text(f"{base}/start")
    if start:
        return f"{identity(os.path.basename(os.path.dirname(os.path.realpath(base))), lasting)} from sector {start}"
    parts = [
        read_text(f"{base}/wwid") or read_text(f"{base}/device/wwid"),
        serial_number(base),
        read_text(f"{base}/dm/uuid"),
    ]
    named = " ".join(part for part in parts if part)
    if lasting:
        return named or made_of(kernel)
    sequence = read_text(f"{base}/diskseq")
    return f"{named} #{sequence}".strip() if sequence else named


def read_devices() -> dict[str, Device]:
    links = _stable_links()
    devices = {}
    for kernel in sorted(os.listdir(SYS)):
        if kernel.startswith(_SKIPPED):
            continue
        base = f"{SYS}/{kernel}"
        size = int(read_text(f"{base}/size") or 0) * 512
        real = os.path.realpath(base)
        if not size and kernel.startswith("loop"):
            continue
        path = f"/dev/{kernel.replace('!', '/')}"
        is_partition = os.path.exists(f"{base}/partition")
        whole = f"{base}/.." if is_partition else base
        queue, state = f"{whole}/queue", read_text(f"{whole}/device/state")
        devices[path] = Device(
            path=path,
            kernel=kernel,
            size=size,
            identity=identity(kernel),
            link=links.get(path, "") or _own_link(kernel),
            holders=tuple(f"/dev/{name}" for name in names_in(f"{base}/holders")),
            partitions=()
            if is_partition
            else tuple(
                f"/dev/{name}"
                for name in names_in(real)
                if name.startswith(kernel) and os.path.exists(f"{real}/{name}/partition")
            ),
            disk=f"/dev/{os.path.basename(os.path.dirname(real))}" if is_partition else "",
            read_only=read_text(f"{base}/ro") == "1",
            discards=read_text(f"{queue}/discard_max_bytes") not in ("", "0"),
            suspended=kernel.startswith("dm-") and read_text(f"{base}/dm/suspended") == "1",
            sector=int(read_text(f"{queue}/logical_block_size") or 512),
            optimal_io=int(read_text(f"{queue}/optimal_io_size") or 0),
            physical=int(read_text(f"{queue}/physical_block_size") or 512),
            partitionable=read_text(f"{base}/ext_range") != "1",
            fault="" if state in _WORKING else state,
            worn=_WORN.get(read_text(f"{base}/device/pre_eol_info"), "") if kernel.startswith("mmc") else "",
        )
    return devices


def other_paths(devices: Mapping[str, Device], used: set[str]) -> dict[str, str]:
    """The other paths to disks that have several, each with the one that stands for all of them: one that is in use.

    By the disk's WWN, serial number and size; not behind USB, where they may be those of the bridge.
    """
    disks: dict[tuple[str, int], list[Device]] = {}
    for device in devices.values():
        if not device.disk and device.identity.startswith(("naa.", "eui.")):
            disks.setdefault((_uncounted(device), device.size), []).append(device)
    found = {}
    for same in disks.values():
        if len(same) < 2 or any(transport(os.path.realpath(f"{SYS}/{one.kernel}")) == "usb" for one in same):
            continue
        first = next((one for one in same if is_used(one, devices, used)), same[0])
        parts = {_uncounted(devices[path]): path for path in first.partitions if path in devices}
        for other in same:
            if other is not first:
                found[other.path] = first.path
                numbered = {path: parts.get(_uncounted(devices[path])) for path in other.partitions if path in devices}
                found.update({path: part for path, part in numbered.items() if part})
    return found


def _uncounted(device: Device) -> str:
    """What a device is, without what the kernel counts."""
    return re.sub(r" ?#\d+", "", device.identity)


def is_used(disk: Device, devices: Mapping[str, Device], used: set[str]) -> bool:
    parts = [devices[path] for path in (disk.path, *disk.partitions) if path in devices]
    return any(part.path in used or part.holders for part in parts)


def once(devices: Mapping[str, Device], paths: Mapping[str, str]) -> dict[str, Device]:
    """Each disk by one of its paths: udev's link to it may lead to another one."""
    links = {first: devices[path].link for path, first in paths.items() if devices[path].link}
    return {
        path: device._replace(link=device.link or links.get(path, ""))
        for path, device in devices.items()
        if path not in paths and device.disk not in paths
    }


def _stable_links(directory: str = "/dev/disk/by-id") -> dict[str, str]:
    """For each disk and partition its best name under /dev/disk/by-id: one with the model and serial, else the WWN."""
    best: dict[str, str] = {}
    for name in sorted(names_in(directory), key=lambda name: (name.startswith(("wwn-", "nvme-eui.")), name)):
        # udev makes a link as ".#name" first, and renames it.
        if not name.startswith((".", "dm-", "md-", "lvm-", "bcache-")):
            link = f"{directory}/{name}"
            best.setdefault(os.path.realpath(link), link)
    return best


def _own_link(kernel: str) -> str:
    """What a made device is called by what it is, where its kernel name counts how many there are."""
    if kernel.startswith("dm-"):
        name = read_text(f"{SYS}/{kernel}/dm/name")
        return f"/dev/mapper/{name}" if name else ""
    return _rbd_link(kernel) if kernel.startswith("rbd") else ""


def _rbd_link(kernel: str) -> str:
    number, _letter, part = kernel[3:].partition("p")
    return f"/dev/rbd/{rbd_spec(number)}" + (f"-part{part}" if part else "")


def read_disks(host: Host) -> dict[str, DiskFacts]:
    """What is a device of its own, and not made of others."""
    return {
        device.path: _disk_facts(f"{SYS}/{device.kernel}")
        for device in host.devices.values()
        if not device.disk and os.path.isdir(f"{SYS}/{device.kernel}/device")
    }


def _disk_facts(base: str) -> DiskFacts:
    wwid = read_text(f"{base}/wwid") or read_text(f"{base}/device/wwid")
    return DiskFacts(
        serial=serial_number(base),
        wwn=wwid if wwid.startswith(("naa.", "eui.", "uuid.")) else "",
        model=read_text(f"{base}/device/model"),
        rotational=read_text(f"{base}/queue/rotational") == "1",
        transport=transport(os.path.realpath(base)),
    )
