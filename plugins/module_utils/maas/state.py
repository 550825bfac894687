# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage of a MAAS machine as plain data. Sizes are bytes, as the region rounds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from ..core.errors import NoDevice, StorageError

MiB = 1 << 20
#: The same number in the names of links that udev makes.
_WWN = re.compile(r"/(?:wwn-0x|scsi-3|nvme-eui\.|dm-uuid-mpath-3)([0-9a-f]{16,32})$")
#: What partitions and logical volumes are rounded down to, and the extents of volume groups.
BLOCK = 4 * MiB
_TABLE = 5 * MiB
_SUPERBLOCK = 128 << 10

READY, ALLOCATED = "Ready", "Allocated"
DISK, RAID, BCACHE, VOLUME, PARTITION, DATASTORE = "disk", "raid", "bcache", "volume", "partition", "datastore"
#: What was made of something that is not there any more.
LEFTOVER = "leftover"
#: Filesystem types by which the region notes what a device is a part of.
MEMBERS = {
    "raid": "an active member of a RAID",
    "raid-spare": "a spare of a RAID",
    "lvm-pv": "a device of a volume group",
    "bcache-backing": "the backing device of a bcache",
    "bcache-cache": "the cache of a bcache",
    "vmfs6": "an extent of a datastore",
}
#: Tags by which this collection notes, in MAAS, what a task that is cut off would leave behind: a partition that only
#: stands for its disk, and a cache device whose cache set goes.
STAND_IN, LEAVING = "strata-stand-in", "strata-leaving"
#: How the tag begins that notes where a filesystem was mounted that is formatted anew: MAAS forgets it.
REMOUNT = "strata-mount="
#: The sizes of the first partitions of ESXi's images, in MiB, by which MAAS too knows that a machine has one.
_ESXI = {"vmfs6": {1: 3, 2: 4096, 5: 249, 6: 249, 7: 109, 8: 285, 9: 2560}, "vmfs7": {1: 100, 5: 4095, 6: 4095}}
#: The last of them that nobody may change.
_ESXI_LAST = {"vmfs6": 9, "vmfs7": 7}


def _wwn(path: str) -> str:
    match = _WWN.search(path)
    return match.group(1) if match else ""


def remount_tag(mount: tuple[str, str]) -> str:
    point, options = mount
    return f"{REMOUNT}{quote(point, safe='/')};{options}"


def parse_remount(tags: Iterable[str]) -> tuple[str, str] | None:
    for tag in tags:
        if tag.startswith(REMOUNT):
            point, _semicolon, options = tag[len(REMOUNT) :].partition(";")
            return unquote(point), options
    return None


def whole_blocks(size: float) -> int:
    """As the region rounds what it makes."""
    return max(int(size), 0) // BLOCK * BLOCK


class Filesystem(NamedTuple):
    type: str
    label: str = ""
    uuid: str = ""
    mount_point: str | None = None
    mount_options: str = ""


class Device(NamedTuple):
    """A block device or a partition.

    ``key`` is what the state calls it; ``id`` what the API does, of what is only planned a name or a placeholder.
    ``disk`` is the key of what a partition is on, ``member`` how it takes part in what ``user`` says. ``marks`` are
    those of its tags that this collection made for itself, with ``remount`` the one that notes a mount (point and
    options); ``number`` is that of a partition, and ``place`` what MAAS calls it by that.
    """

    key: str
    id: str
    kind: str
    size: int
    filesystem: Filesystem | None = None
    member: str = ""
    user: str = ""
    disk: str = ""
    uuid: str = ""
    bootable: bool = False
    tags: tuple[str, ...] = ()
    serial: str = ""
    model: str = ""
    id_path: str = ""
    numa_node: int | None = None
    used_for: str = ""
    marks: frozenset[str] = frozenset()
    remount: tuple[str, str] | None = None
    number: int = 0
    place: str = ""

    @property
    def planned(self) -> bool:
        return not self.id.isdigit()


class Raid(NamedTuple):
    """``device`` is the key of what it makes; ``members`` and ``spares`` those of what it is made of."""

    id: str
    name: str
    level: str
    members: tuple[str, ...]
    spares: tuple[str, ...]
    device: str
    uuid: str = ""


class CacheSet(NamedTuple):
    """``name`` is its place among the machine's, and changes when another one goes."""

    id: str
    device: str
    name: str = ""


class Bcache(NamedTuple):
    """``cache_set`` is the number of one, empty where its device is gone."""

    id: str
    name: str
    backing: str
    cache_set: str
    cache_mode: str
    device: str
    uuid: str = ""


class Group(NamedTuple):
    """A volume group; ``volumes`` are the keys of its logical volumes."""

    id: str
    name: str
    devices: tuple[str, ...]
    volumes: tuple[str, ...]
    uuid: str = ""


class Datastore(NamedTuple):
    """A VMFS datastore; ``devices`` are the keys of its partitions, ``device`` that of what it makes."""

    id: str
    name: str
    devices: tuple[str, ...]
    device: str
    uuid: str = ""


class User(NamedTuple):
    """Whose API key it is. What users may do whom another service knows, only that service can tell."""

    name: str
    admin: bool
    local: bool


class Machine(NamedTuple):
    """A machine and all its storage. ``boot_disk`` is a key, ``special`` are filesystems on no device.

    ``user`` is who asks; None: that was not read. ``named`` are the partitions, and ``kept`` the devices of cache sets,
    that a document asks for: they do not go with what is made of them.
    """

    system_id: str
    hostname: str
    fqdn: str
    status: str
    devices: Mapping[str, Device]
    raids: tuple[Raid, ...] = ()
    cache_sets: tuple[CacheSet, ...] = ()
    bcaches: tuple[Bcache, ...] = ()
    groups: tuple[Group, ...] = ()
    boot_disk: str = ""
    special: tuple[Filesystem, ...] = ()
    bios_grub: bool = False
    datastores: tuple[Datastore, ...] = ()
    owner: str = ""
    user: User | None = None
    named: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    @property
    def esxi(self) -> tuple[str, str]:
        """The layout of ESXi that it has, and the key of the disk with it; empty where it has none."""
        for disk in self.devices.values():
            sizes = {part.number: part.size for part in self.partitions(disk.key)}
            for layout, base in _ESXI.items():
                if all(sizes.get(number) == size * MiB for number, size in base.items()):
                    return layout, disk.key
        return "", ""

    def is_esxi(self, part: Device) -> bool:
        """Whether it is a partition of ESXi's image, which MAAS neither removes nor formats."""
        layout, disk = self.esxi
        return part.kind == PARTITION and part.disk == disk != "" and part.number <= _ESXI_LAST[layout]

    def find(self, text: str) -> Device | None:
        """A device by its key, a partition by its UUID, a disk by a path: udev makes several of one serial or WWN."""
        if not text:
            return None
        if text in self.devices:
            return self.devices[text]
        known = [disk for disk in self.devices.values() if disk.id_path == text]
        if known:
            return self._only(known, text)
        for prefix in ("/dev/disk/by-dname/", "/dev/"):
            if text.startswith(prefix) and text[len(prefix) :] in self.devices:
                return self.devices[text[len(prefix) :]]
        parts = [one for one in self.devices.values() if one.kind == PARTITION and one.uuid == text.lower()]
        if parts:
            return self._only(parts, text)
        if not text.startswith("/dev/disk/by-id/"):
            return None
        disks = [one for one in self.devices.values() if one.kind == DISK]
        wwn = _wwn(text)
        found = [one for one in disks if wwn and wwn == _wwn(one.id_path)]
        found = found or [one for one in disks if one.serial and text.endswith(f"_{one.serial}")]
        return self._only(found, text) if found else None

    def _only(self, found: list[Device], text: str) -> Device:
        """Raises StorageError where a path or a UUID may mean several: disks may have one serial number or WWN."""
        if len(found) > 1:
            names, kind = " and ".join(one.key for one in found), found[0].kind
            raise StorageError(
                f"{text}: {self.hostname} has several {kind}s of it ({names}); say the {kind} by its name"
            )
        return found[0]

    def device(self, text: str, what: str) -> Device:
        found = self.find(text)
        if not text.strip():
            raise StorageError(f"{what}: the name of a device is empty")
        if found is None:
            raise NoDevice(f"{what}: {self.hostname} has no device {text}", text)
        return found

    def partitions(self, disk: str) -> tuple[Device, ...]:
        return tuple(one for one in self.devices.values() if one.kind == PARTITION and one.disk == disk)

    def fills(self, part: Device) -> bool:
        """Whether it is a partition over all of its disk."""
        if part.kind != PARTITION:
            return False
        return len(self.partitions(part.disk)) == 1 and self.free(self.devices[part.disk]) == 0

    def below(self, key: str) -> tuple[str, ...]:
        """What a device is made of."""
        device = self.devices[key]
        sets = {one.id: one.device for one in self.cache_sets}
        found = [device.disk] * bool(device.disk)
        for raid in self.raids:
            found += [*raid.members, *raid.spares] * (raid.device == key)
        for bcache in self.bcaches:
            found += [bcache.backing, sets.get(bcache.cache_set, bcache.backing)] * (bcache.device == key)
        for group in self.groups:
            found += group.devices if key in group.volumes else ()
        for store in self.datastores:
            found += store.devices if store.device == key else ()
        return tuple(dict.fromkeys(found))

    def free(self, disk: Device) -> int:
        """What a new partition on it can have."""
        taken = sum(part.size for part in self.partitions(disk.key))
        return whole_blocks(disk.size - _TABLE - (MiB if self.bios_grub else 0) - taken)

    def used_by_parts(self, disk: Device) -> int:
        """What its partitions and their table take of it."""
        return sum(part.size for part in self.partitions(disk.key)) + _TABLE

    def group_size(self, group: Group) -> int:
        """What a volume group holds: the region takes an extent of each device for itself."""
        return sum(whole_blocks(self.devices[key].size) - BLOCK for key in group.devices)

    def group_free(self, group: Group) -> int:
        return self.group_size(group) - sum(self.devices[key].size for key in group.volumes)

    def raid_size(self, level: str, members: tuple[str, ...], spares: tuple[str, ...]) -> int:
        """The smallest device counts, spares included."""
        least = min(self.devices[key].size for key in members + spares)
        count = len(members)
        if level == "0":
            return count * (least - _SUPERBLOCK)
        share = {"1": 1.0, "5": count - 1.0, "6": count - 2.0, "10": count / 2}[level]
        return int(least * share) - _SUPERBLOCK

    def mounted(self, point: str) -> Device | None:
        return next(
            (one for one in self.devices.values() if one.filesystem and one.filesystem.mount_point == point), None
        )

    def with_device(self, device: Device) -> Machine:
        return self._replace(devices={**self.devices, device.key: device})

    def resized(self, key: str, size: int) -> Machine:
        """With another size of a device, and of the bcaches that are made of it."""
        machine = self.with_device(self.devices[key]._replace(size=size))
        for one in self.bcaches:
            if one.backing == key:
                machine = machine.resized(one.device, size)
        return machine

    def without(self, key: str) -> Machine:
        return self._replace(devices={other: one for other, one in self.devices.items() if other != key})

    def rekeyed(self, names: Mapping[str, str]) -> Machine:
        """With devices called otherwise, wherever they take part."""

        def key(text: str) -> str:
            return names.get(text, text)

        def keys(texts: Iterable[str]) -> tuple[str, ...]:
            return tuple(key(text) for text in texts)

        return self._replace(
            devices={key(old): one._replace(key=key(old), disk=key(one.disk)) for old, one in self.devices.items()},
            raids=tuple(
                one._replace(members=keys(one.members), spares=keys(one.spares), device=key(one.device))
                for one in self.raids
            ),
            cache_sets=tuple(one._replace(device=key(one.device)) for one in self.cache_sets),
            bcaches=tuple(one._replace(backing=key(one.backing), device=key(one.device)) for one in self.bcaches),
            groups=tuple(one._replace(devices=keys(one.devices), volumes=keys(one.volumes)) for one in self.groups),
            datastores=tuple(
                one._replace(devices=keys(one.devices), device=key(one.device)) for one in self.datastores
            ),
            named=frozenset(keys(self.named)),
            kept=frozenset(keys(self.kept)),
        )

    def blank(self, *keys: str) -> Machine:
        """With nothing on these any more."""
        return self.holding(keys, "", "")

    def holding(self, keys: tuple[str, ...], member: str, user: str) -> Machine:
        changed = {
            key: self.devices[key]._replace(member=member, user=user, filesystem=None, used_for="") for key in keys
        }
        return self._replace(devices={**self.devices, **changed})
