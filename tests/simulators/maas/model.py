# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MAAS region's storage: machines, what they have, and the rules by which a region changes it.

Behaviour is that of MAAS 3.6.5, its bugs included, as far as it was recorded on a real one. Sizes are bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MiB = 1 << 20
#: What partitions and logical volumes are rounded down to, and the extents of volume groups.
BLOCK = 4 * MiB
#: What the start and the end of a GPT take.
TABLE = 5 * MiB
SYSTEM_ID_CHARACTERS = "34678abcdefghkmnpqrstwxy"
RAID_SUPERBLOCK = 128 << 10
SMALLEST_BOOT_DISK = 512 * MiB

NEW, READY, DEPLOYED, ALLOCATED = 0, 4, 6, 10
STATUS_NAMES = {NEW: "New", READY: "Ready", DEPLOYED: "Deployed", ALLOCATED: "Allocated"}
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
    word = "partition"

    @property
    def number(self) -> int:
        return self.device.partitions.index(self) + 1 + (1 if self.machine.has_bios_grub else 0)

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
    """A RAID, a bcache or a volume group. Its name is that of its device, where it has one."""

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
        least, count = min(one.size for one in self.members), len(self.with_type("raid"))
        if self.type == "raid-0":
            return count * (least - RAID_SUPERBLOCK)
        shares = {"raid-1": 1, "raid-5": count - 1, "raid-6": count - 2, "raid-10": count / 2}
        return least * shares[self.type] - RAID_SUPERBLOCK

    @property
    def free(self) -> int:
        return int(self.size - sum(volume.size for volume in self.volumes))


@dataclass(eq=False)
class Machine:
    region: Region
    system_id: str
    hostname: str
    domain: str = "maas"
    status: int = READY
    owner: str | None = None
    architecture: str = "amd64/generic"
    bios_boot_method: str = "uefi"
    chosen_boot_disk: BlockDevice | None = None
    devices: list[BlockDevice] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    cache_sets: list[CacheSet] = field(default_factory=list)
    special: list[Filesystem] = field(default_factory=list)
    pool: str = "default"
    zone: str = "default"
    tag_names: list[str] = field(default_factory=list)
    #: What a region tells of a machine beside its storage.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def has_bios_grub(self) -> bool:
        return self.architecture.startswith("amd64/") and self.bios_boot_method != "uefi"

    @property
    def boot_disk(self) -> BlockDevice | None:
        disks = [disk for disk in self.devices if disk.physical and disk.size >= SMALLEST_BOOT_DISK]
        return self.chosen_boot_disk or min(disks, key=lambda disk: disk.id, default=None)

    def holders(self) -> Iterator[Holder]:
        for device in self.devices:
            yield device
            yield from device.partitions

    def add_disk(self, name: str, size: int, **more: Any) -> BlockDevice:
        disk = BlockDevice(self, self.region.next_id("device"), size, name=name, **more)
        self.devices.append(disk)
        return disk

    def device(self, text: str) -> BlockDevice:
        for device in self.devices:
            if text in (str(device.id), device.name):
                return device
        raise ApiError(404, "No BlockDevice matches the given query.")

    def partition(self, device: BlockDevice, text: str) -> Partition:
        """The partition of any disk: the region does not look at which one was named."""
        if not device.partitions and not any(text == str(part.id) for one in self.devices for part in one.partitions):
            raise ApiError(404, "No PartitionTable matches the given query.")
        for one in self.devices:
            for part in one.partitions:
                if text in (str(part.id), part.name):
                    return part
        raise ApiError(404)

    def group(self, text: str, query: str, *types: str) -> Group:
        for group in self.groups:
            if text in (str(group.id), group.name) and group.type in types:
                return group
        raise ApiError(404, f"No {query} matches the given query.")

    def cache_set(self, text: str) -> CacheSet:
        for one in self.cache_sets:
            if text in (str(one.id), one.name):
                return one
        raise ApiError(404)

    def check_name(self, name: str, besides: BlockDevice | None = None) -> None:
        if any(device.name == name and device is not besides for device in self.devices):
            raise ApiError(400, NAME_TAKEN)

    # Partitions

    def add_partition(self, device: BlockDevice, size: float, bootable: bool = False, uuid: str = "") -> Partition:
        part = Partition(self, self.region.next_id("partition"), whole_blocks(size), device=device, bootable=bootable)
        part.uuid = uuid or part.uuid
        device.partitions.append(part)
        return part

    def delete_partition(self, part: Partition) -> None:
        self._check_member(part)
        self._forget(part)
        part.device.partitions.remove(part)

    def _check_member(self, holder: Holder) -> None:
        group = holder.filesystem.group if holder.filesystem else None
        if group:
            raise ApiError(400, f"Cannot delete {holder.word} because its part of a {kind(group)}.")

    def _forget(self, holder: Holder) -> None:
        """Nothing refers to what was on it any more; what it was a part of stays, without it."""
        for group in self.groups:
            if holder in group.members:
                group.members.remove(holder)
        holder.filesystem = None

    # Members

    def join(self, group: Group, holders: Iterable[Holder], fstype: str) -> None:
        for holder in holders:
            if holder in group.members:
                raise ApiError(400, {"__all__": ["Filesystem with this Block device and Acquired already exists."]})
            holder.filesystem = Filesystem(fstype, group=group)
            group.members.append(holder)

    def leave(self, group: Group, holders: Iterable[Holder]) -> None:
        for holder in holders:
            group.members.remove(holder)
            holder.filesystem = None

    def on_boot_disk(self, holders: list[Holder], every: bool) -> list[Holder]:
        """A boot disk takes part by a partition over all of it; ``every``: so does then each disk beside it."""
        boot = self.boot_disk
        if boot not in holders:
            return holders
        direct = [one for one in holders if not isinstance(one, BlockDevice) or not (every or one is boot)]
        return direct + [
            self.add_partition(one, one.available_size)
            for one in holders
            if isinstance(one, BlockDevice) and (every or one is boot)
        ]

    # Groups

    def add_group(self, type_: str, name: str, uuid: str = "", **more: Any) -> Group:
        group = Group(self, self.region.next_id("group"), type_, label=name, **more)
        group.uuid = uuid or group.uuid
        self.groups.append(group)
        return group

    def add_virtual(self, group: Group, name: str, size: float, **more: Any) -> BlockDevice:
        made = BlockDevice(
            self, self.region.next_id("device"), size, name=name, part_of=group, uuid=new_uuid(), tags=[], **more
        )
        self.devices.append(made)
        return made

    def resized(self, group: Group) -> None:
        """What lies on a group follows its size, up to a volume group that would become too small."""
        if group.type == "lvm-vg":
            if group.free < 0:
                raise ApiError(400, "Volume group cannot be smaller than its logical volumes.")
            return
        if group.device is None:
            return
        group.device.size = group.size
        above = group.device.filesystem.group if group.device.filesystem else None
        if above:
            self.resized(above)

    def delete_group(self, group: Group) -> None:
        """What is above goes with its device, or is left an orphan: nobody is asked."""
        if group.volumes:
            raise ApiError(400, "This volume group has logical volumes; it cannot be deleted.")
        self.leave(group, list(group.members))
        self.groups.remove(group)
        if group.device:
            self.drop_device(group.device)

    def drop_device(self, device: BlockDevice) -> None:
        for holder in (*device.partitions, device):
            cache_set = holder.filesystem.cache_set if holder.filesystem else None
            self._forget(holder)
            if cache_set and device.part_of:
                self.cache_sets.remove(cache_set)
        self.devices.remove(device)
        if self.chosen_boot_disk is device:
            self.chosen_boot_disk = None

    def delete_device(self, device: BlockDevice) -> None:
        group = device.part_of
        if group and group.type != "lvm-vg":
            self.delete_group(group)
            return
        self._check_member(device)
        self.drop_device(device)

    def working_cache_sets(self) -> list[CacheSet]:
        return sorted((one for one in self.cache_sets if one.device), key=lambda one: one.id)

    def add_cache_set(self) -> CacheSet:
        made = CacheSet(self, self.region.next_id("cache_set"))
        self.cache_sets.append(made)
        return made

    def delete_cache_set(self, cache_set: CacheSet) -> None:
        if any(group.cache_set is cache_set for group in self.groups):
            raise ApiError(400, "Cannot delete cache set; it's currently in use.")
        if cache_set.device:
            cache_set.device.filesystem = None
        self.cache_sets.remove(cache_set)

    def clear(self) -> None:
        """As before anything was laid out."""
        self.groups, self.cache_sets, self.special = [], [], []
        self.devices = [device for device in self.devices if device.physical]
        for device in self.devices:
            device.filesystem, device.partitions = None, []

    def mounted(self, point: str, besides: Filesystem | None = None) -> bool:
        found = [one.filesystem for one in self.holders() if one.filesystem] + self.special
        return point != "none" and any(one.mount_point == point and one is not besides for one in found)


def kind(group: Group) -> str:
    return {"lvm-vg": "volume group", "bcache": "Bcache"}.get(group.type, "RAID")


@dataclass
class User:
    name: str
    key: str
    admin: bool = True


class Region:
    """All machines, and who may do what. ``ids`` are those that are given next, by kind."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.users: list[User] = []
        self.ids: dict[str, int] = {}

    def next_id(self, kind: str) -> int:
        number = self.ids.get(kind, 1)
        self.ids[kind] = number + 1
        return number

    def add_user(self, name: str, key: str, admin: bool = True) -> User:
        """``key`` is CONSUMER:TOKEN:SECRET."""
        user = User(name, key, admin)
        self.users.append(user)
        return user

    def add_machine(self, hostname: str, system_id: str = "", **more: Any) -> Machine:
        system_id = system_id or self._system_id()
        machine = Machine(self, system_id, hostname, **more)
        self.machines[system_id] = machine
        return machine

    def _system_id(self) -> str:
        number, drawn = len(self.machines), ""
        for _digit in range(6):
            number, rest = divmod(number, len(SYSTEM_ID_CHARACTERS))
            drawn = SYSTEM_ID_CHARACTERS[rest] + drawn
        return drawn

    def machine(self, system_id: str) -> Machine:
        if system_id not in self.machines:
            raise ApiError(404, "No Machine matches the given query.")
        return self.machines[system_id]
