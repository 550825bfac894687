# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's storage is made of: devices, what is on them, and what they are parts of.

Behaviour is that of MAAS 3.6.5, its bugs included, as far as it was recorded on a real one. Sizes are bytes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .machine import Machine

MiB = 1 << 20
#: What partitions and logical volumes are rounded down to, and the extents of volume groups.
BLOCK = 4 * MiB
#: What the start and the end of a GPT take.
TABLE = 5 * MiB
RAID_SUPERBLOCK = 128 << 10
SMALLEST_BOOT_DISK = 512 * MiB

NEW, FAILED_COMMISSIONING, READY, DEPLOYED, ALLOCATED = 0, 2, 4, 6, 10
STATUS_NAMES = {
    NEW: "New",
    1: "Commissioning",
    FAILED_COMMISSIONING: "Failed commissioning",
    3: "Missing",
    READY: "Ready",
    5: "Reserved",
    DEPLOYED: "Deployed",
    7: "Retired",
    8: "Broken",
    9: "Deploying",
    ALLOCATED: "Allocated",
    11: "Failed deployment",
    12: "Releasing",
    13: "Releasing failed",
    14: "Disk erasing",
    15: "Failed disk erasing",
    16: "Rescue mode",
    17: "Entering rescue mode",
    18: "Failed to enter rescue mode",
    19: "Exiting rescue mode",
    20: "Failed to exit rescue mode",
    21: "Testing",
    22: "Failed testing",
}
NAME_TAKEN = {"__all__": ["Block device with this Node config and Name already exists."]}


class ApiError(Exception):
    """An answer that is no success: status, and text or what becomes JSON."""

    def __init__(self, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def new_uuid() -> str:
    return str(uuid.uuid4())


def whole_blocks(size: float) -> int:
    return int(max(size, 0)) // BLOCK * BLOCK


@dataclass(eq=False)
class Filesystem:
    """What is on a device or a partition, be it a filesystem or a part of something; ``group`` is what of."""

    fstype: str
    label: str | None = None
    uuid: str = field(default_factory=new_uuid)
    mount_point: str | None = None
    mount_options: str | None = None
    group: Group | None = None
    cache_set: CacheSet | None = None


@dataclass(eq=False)
class Holder:
    """What can hold a filesystem."""

    machine: Machine
    id: int
    size: float
    tags: list[str] = field(default_factory=list)
    filesystem: Filesystem | None = None

    #: As error messages call it.
    word = ""

    @property
    def used(self) -> bool:
        return self.filesystem is not None


@dataclass(eq=False)
class Partition(Holder):
    device: BlockDevice = field(kw_only=True)
    uuid: str = field(default_factory=new_uuid)
    bootable: bool = False
    #: Its number where it has one for good, as those of ESXi do.
    index: int | None = None
    #: What comes with the image of ESXi and cannot be changed.
    base: bool = False
    word = "partition"

    @property
    def number(self) -> int:
        return self.index or self.device.partitions.index(self) + 1 + (1 if self.machine.has_bios_grub else 0)

    @property
    def name(self) -> str:
        return f"{self.device.full_name}-part{self.number}"


@dataclass(eq=False)
class BlockDevice(Holder):
    name: str = ""
    block_size: int = 512
    uuid: str | None = None
    #: What a virtual device belongs to: a RAID, a bcache or a volume group.
    part_of: Group | None = None
    serial: str | None = None
    model: str | None = None
    id_path: str | None = None
    numa_node: int | None = None
    firmware_version: str | None = None
    partitions: list[Partition] = field(default_factory=list)
    word = "block device"

    @property
    def physical(self) -> bool:
        return self.part_of is None

    @property
    def full_name(self) -> str:
        if self.part_of and self.part_of.type == "lvm-vg":
            return f"{self.part_of.name}-{self.name}"
        return self.name

    @property
    def used(self) -> bool:
        return self.filesystem is not None or bool(self.partitions)

    @property
    def table_size(self) -> int:
        return TABLE + (MiB if self.machine.has_bios_grub else 0)

    @property
    def used_size(self) -> int:
        if self.filesystem:
            return int(self.size)
        return int(sum(part.size for part in self.partitions)) + self.table_size if self.partitions else 0

    @property
    def available_size(self) -> int:
        if self.filesystem:
            return 0
        taken = self.used_size or self.table_size
        return whole_blocks(self.size - taken)


@dataclass(eq=False)
class CacheSet:
    machine: Machine
    id: int

    @property
    def name(self) -> str:
        """Its place among those that have a device."""
        return f"cache{self.machine.working_cache_sets().index(self)}" if self.device else ""

    @property
    def device(self) -> Holder | None:
        return next(
            (one for one in self.machine.holders() if one.filesystem and one.filesystem.cache_set is self), None
        )


@dataclass(eq=False)
class Group:
    """A RAID, a bcache, a volume group or a VMFS datastore. Its name is that of its device, where it has one."""

    machine: Machine
    id: int
    type: str
    label: str = ""
    uuid: str = field(default_factory=new_uuid)
    cache_mode: str | None = None
    cache_set: CacheSet | None = None
    device: BlockDevice | None = None
    #: The members in the order in which they came in.
    members: list[Holder] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.device.name if self.device else self.label

    def with_type(self, *fstypes: str) -> list[Holder]:
        return [one for one in self.members if one.filesystem and one.filesystem.fstype in fstypes]

    @property
    def volumes(self) -> list[BlockDevice]:
        return [one for one in self.machine.devices if one.part_of is self] if self.type == "lvm-vg" else []

    @property
    def size(self) -> float:
        if not self.members:
            return 0
        if self.type == "lvm-vg":
            return sum(whole_blocks(one.size) - BLOCK for one in self.members)
        if self.type == "bcache":
            return self.members[0].size
        if self.type == "vmfs6":
            return sum(one.size for one in self.members)
        least, count = min(one.size for one in self.members), len(self.with_type("raid"))
        if self.type == "raid-0":
            return count * (least - RAID_SUPERBLOCK)
        shares = {"raid-1": 1, "raid-5": count - 1, "raid-6": count - 2, "raid-10": count / 2}
        return least * shares[self.type] - RAID_SUPERBLOCK

    @property
    def free(self) -> int:
        return int(self.size - sum(volume.size for volume in self.volumes))


def is_plain(filesystem: Filesystem) -> bool:
    """Whether it is a filesystem, and not a part of something."""
    return filesystem.group is None and filesystem.cache_set is None


def kind(group: Group) -> str:
    return {"lvm-vg": "volume group", "bcache": "Bcache", "vmfs6": "VMFS"}.get(group.type, "RAID")
