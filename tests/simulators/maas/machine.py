# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine, and the rules by which a region changes its storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .parts import (
    ALLOCATED,
    NAME_TAKEN,
    READY,
    SMALLEST_BOOT_DISK,
    ApiError,
    BlockDevice,
    CacheSet,
    Filesystem,
    Group,
    Holder,
    Partition,
    is_plain,
    kind,
    new_uuid,
    whole_blocks,
)

if TYPE_CHECKING:
    from .region import Region


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
    locked: bool = False
    #: The layout of ESXi that it has, if any.
    vmfs: str = ""
    #: Whether it was commissioned here, and the layout that a script of that told.
    commissioned: bool = False
    custom_layout: dict[str, Any] | None = None
    #: What was there when it was allocated, and is again once it is released.
    before: tuple[dict[Holder, Filesystem], list[Filesystem]] | None = None
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

    # States

    def allocate(self, owner: str) -> None:
        """From now on filesystems are changed for this allocation only."""
        plain = {one: replace(one.filesystem) for one in self.holders() if one.filesystem and is_plain(one.filesystem)}
        self.before = plain, [replace(one) for one in self.special]
        self.status, self.owner = ALLOCATED, owner

    def release(self) -> None:
        if self.before is not None:
            filesystems, self.special = self.before
            for holder in self.holders():
                if holder.filesystem is None or is_plain(holder.filesystem):
                    holder.filesystem = filesystems.get(holder)
        self.status, self.owner, self.before = READY, None, None

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
        if part.base:
            said = "VMware ESXi partitions may not be removed. To remove select a different storage layout."
            raise ApiError(400, said)
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
        if not group.members:
            raise ApiError(400, {"__all__": ["At least one filesystem must have been added."]})
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
        self._check_member(device)
        group = device.part_of
        if group and group.type != "lvm-vg":
            self.delete_group(group)
        else:
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
        self.groups, self.cache_sets, self.special, self.vmfs = [], [], [], ""
        self.devices = [device for device in self.devices if device.physical]
        for device in self.devices:
            device.filesystem, device.partitions = None, []

    def mounted(self, point: str, besides: Filesystem | None = None) -> bool:
        found = [one.filesystem for one in self.holders() if one.filesystem] + self.special
        return point != "none" and any(one.mount_point == point and one is not besides for one in found)
