# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a host: plain immutable data. Sizes are in bytes, devices are named by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import NoDevice, StorageError, Unread
from ..core.plan import kernel_name


class Device(NamedTuple):
    """A block device. ``path`` is its identity within one state; ``kernel`` is empty while it is only planned.

    ``identity`` is what does not move with the kernel's name: WWN or serial number, and the kernel's diskseq.
    ``discards``: it can be told that blocks are not used any more (TRIM). ``suspended``: the device mapper has stopped
    it, and whoever reads it waits for as long.
    ``link`` is a path that survives a reboot, for people and documents. ``part_name`` is a partition's name in its GPT,
    ``part_uuid`` its UUID there, ``reserved`` what its type is for that shows no signature. ``sector`` is the smallest
    that it can be asked for, ``physical`` the smallest that it can write as it is, in bytes.
    ``partitionable``: the kernel shows partitions of it.
    ``fault`` is the kernel's word for a disk that does not work (``offline``; empty: it does, or the kernel does not
    say), ``worn`` what the disk says of its wear, where that is much.
    """

    path: str
    kernel: str = ""
    size: int = 0
    identity: str = ""
    link: str = ""
    holders: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    disk: str = ""
    read_only: bool = False
    discards: bool = False
    suspended: bool = False
    part_name: str = ""
    part_uuid: str = ""
    reserved: str = ""
    sector: int = 512
    optimal_io: int = 0
    physical: int = 512
    partitionable: bool = True
    fault: str = ""
    worn: str = ""

    @property
    def silent(self) -> str:
        """Why nobody can read it, as far as that is known without trying; empty where it may be tried.

        Who reads from a device that the kernel has stopped waits for as long.
        """
        if self.suspended:
            return "it is suspended (dmsetup resume)"
        return f"the kernel says that it is {self.fault}" if self.fault else ""

    @property
    def part_tags(self) -> tuple[str, ...]:
        """How fstab calls a partition by its table."""
        named = (("PARTUUID", self.part_uuid), ("PARTLABEL", self.part_name))
        return tuple(f"{tag}={value}" for tag, value in named if value)

    def sysfs(self, attribute: str) -> str:
        """The path of one of its attributes, for steps: also of a device that does not exist yet."""
        return f"/sys/class/block/{self.kernel or kernel_name(self.path)}/{attribute}"


class Signature(NamedTuple):
    """What the first bytes (or the last) of a device say that it is, in libblkid's words."""

    type: str
    uuid: str = ""
    label: str = ""


class Content(NamedTuple):
    """What a device holds. ``busy``: somebody has it open exclusively."""

    signatures: tuple[Signature, ...] = ()
    busy: bool = False


BLANK = Content()
#: Of a device that exists, but cannot be read before the plan runs.
UNSEEN = Content((Signature("unseen"),))


class Part(NamedTuple):
    """A partition in its table; places and sizes in bytes, ``type`` as sfdisk calls it (else its GUID).

    ``words`` are what else sfdisk has to be told to leave it as it is.
    """

    number: int
    start: int
    size: int
    type: str = ""
    words: tuple[str, ...] = ()


def partition_number(path: str) -> int:
    """The 1 of ``/dev/sda1`` and of ``/dev/nvme0n1p1``."""
    return int(path[len(path.rstrip("0123456789")) :])


#: Bytes of a partition's entry in a GPT.
GPT_ENTRY = 128
#: An MBR has 32 bits for a place.
MBR_SECTORS = 1 << 32


def gpt_end(size: int, sector: int, slots: int) -> int:
    """Where partitions end on a device of that size: behind them are the entries of the backup, and its header."""
    return size - sector - -(-slots * GPT_ENTRY // sector) * sector


class Table(NamedTuple):
    """A partition table. ``label`` is gpt or dos; partitions lie between ``start`` and ``end``. All in bytes.

    ``limit`` is where they could end if the table was made for the size that its device has now (0: it is).
    ``slots`` is how many there can be.
    """

    label: str
    start: int
    end: int
    parts: tuple[Part, ...] = ()
    sector: int = 512
    limit: int = 0
    slots: int = 128

    def on(self, size: int) -> Table:
        """The same table, once its device has that size: of a GPT only its backup has to move, an MBR has none."""
        if self.label != "gpt":
            return self._replace(end=min(size, MBR_SECTORS * self.sector))
        limit = gpt_end(size, self.sector, self.slots)
        return self._replace(limit=limit if limit > self.end else 0)

    def part(self, number: int) -> Part:
        return next(part for part in self.parts if part.number == number)


class DiskFacts(NamedTuple):
    """What a disk says of itself; ``transport`` as lsblk calls it (sata, sas, nvme, usb, virtio, …)."""

    serial: str = ""
    wwn: str = ""
    model: str = ""
    rotational: bool = False
    transport: str = ""


class Mount(NamedTuple):
    """A mount in effect. ``device`` is what the kernel calls its source where that is no block device.

    ``options`` are those of the mount, ``filesystem_options`` those of the filesystem, in the kernel's words. ``part``:
    only a directory of the filesystem is there (a bind mount). ``hidden``: another mount lies over it. ``errors`` is
    what the filesystem counted, as sentences.
    """

    device: str
    mount_point: str
    type: str
    options: str
    filesystem_options: str = ""
    part: bool = False
    hidden: bool = False
    errors: tuple[str, ...] = ()


class Member(NamedTuple):
    """A device of an array. ``role``: active, spare, faulty, rebuilding, replacing (the one in its slot), or one of
    ``OUTSIDE``; of a stopped array, by the superblocks of all its devices (see raid_roles.py).

    ``side`` numbers the groups of devices that ran apart, from 0 (the array's own, or the newest); ``events`` and
    ``updated`` (seconds since the epoch) are those of its superblock. ``flags`` are what md says of it beside its role
    (``write_error``, ``want_replacement``), ``errors`` how many reads it failed at and another member answered,
    ``bad_blocks`` how many sectors md no longer uses. ``lost``: the array runs, and the superblock is not where the
    next start looks for it, since the device grew. ``room`` is how much of it the array could use, in bytes (0: not
    known). ``other_shape``: it tells of the array before or after a reshape, since a crash came while the superblocks
    of the members were written.
    """

    device: str
    role: str
    slot: int | None = None
    write_mostly: bool = False
    side: int = 0
    events: int = 0
    updated: int = 0
    flags: tuple[str, ...] = ()
    errors: int = 0
    bad_blocks: int = 0
    lost: bool = False
    other_shape: bool = False
    room: int = 0


#: Roles of devices that carry an array's superblock and are no part of it: ``former`` is an older state of it,
#: ``apart`` was written to without the others, and holds a version of its own, ``copy`` is a device that is here twice,
#: ``cut`` became smaller than its superblock says.
OUTSIDE = ("former", "apart", "copy", "cut")


#: Versions of md's superblock that lie before the data, whose start may then move in a reshape.
SUPERBLOCK_FIRST = ("1.1", "1.2")


class Array(NamedTuple):
    """A RAID array. ``device`` is empty while it does not run; ``state`` is md's ``array_state``.

    Of one that is being reshaped, level, number of devices and chunk size are those that it will have.
    ``component_size`` is what is in use of each member, ``room`` what the smallest could give, ``array_size`` what md
    was told to show of the whole (0: all). ``layout`` is empty where it is none that mdadm has a word for. ``speed``
    is in bytes per second, ``percent`` how far the ``sync_action`` has come, ``eta_seconds`` how long it takes at that
    speed. ``data_offset`` is where the data begins on its members, ``first_data`` where it does on the one that keeps
    least before it. ``unsynced``: a resync has not ended, and may not have begun. ``needs_backup``: mdadm started a
    reshape with a backup file, and goes on only if it is given that. ``unused``: it does not run, and by all of its
    superblocks nobody ever wrote to it. ``home`` is the host that its name is qualified with in its superblocks
    (``home:name``).
    """

    uuid: str
    name: str
    level: str
    raid_devices: int
    members: tuple[Member, ...]
    chunk_size: int = 0
    layout: str = ""
    metadata: str = ""
    bitmap: str = "none"
    device: str = ""
    state: str = ""
    sync_action: str = ""
    degraded: int = 0
    reshaping: bool = False
    consistency_policy: str = ""
    component_size: int = 0
    room: int = 0
    array_size: int = 0
    percent: float | None = None
    speed: int = 0
    eta_seconds: int | None = None
    mismatch_count: int = 0
    data_offset: int = 0
    first_data: int = 0
    unsynced: bool = False
    needs_backup: bool = False
    unused: bool = False
    home: str = ""

    @property
    def running(self) -> bool:
        return bool(self.device) and self.state not in ("inactive", "clear")

    @property
    def foreign(self) -> bool:
        """Whether something else than md itself keeps its metadata (mdmon for DDF and IMSM), or nothing does."""
        return self.metadata.startswith(("external", "none"))

    def with_room(self, path: str, more: int) -> Array:
        """This array, once one of its devices grew by so much. Only behind the superblock, that is room for data."""
        if self.metadata not in SUPERBLOCK_FIRST or path not in [member.device for member in self.members]:
            return self
        members = tuple(
            member._replace(room=member.room + more) if member.device == path and member.room else member
            for member in self.members
        )
        rooms = [member.room for member in members if member.role not in OUTSIDE]
        return self._replace(members=members, room=min(rooms) if all(rooms) else self.room)

    def devices(self, *roles: str) -> tuple[str, ...]:
        return tuple(member.device for member in self.members if member.role in roles)


class Backing(NamedTuple):
    """A bcache backing device. ``bcache`` is the path of the cached device, empty while it is not registered.

    ``state``: no cache, clean, dirty, inconsistent. ``cache_set`` is the UUID of the set it is (or was) attached to.
    ``attached``: the cache set works for it. ``tunables`` are the kernel's own words for them; ``offset`` is where data
    begins, in bytes; ``hit_ratios`` are per cent, by the time that they are about. ``block_size`` is what the cached
    device has for a sector, in bytes (0: not known). ``errors`` is how often it failed, ``disabled``: the kernel gave
    it up for that.
    """

    device: str
    uuid: str
    label: str = ""
    cache_set: str = ""
    cache_mode: str = "writethrough"
    state: str = "no cache"
    bcache: str = ""
    registered: bool = False
    attached: bool = False
    dirty_data: str = ""
    tunables: Mapping[str, str] = {}
    offset: int = 8192
    hit_ratios: Mapping[str, int] = {}
    block_size: int = 0
    errors: int = 0
    disabled: bool = False

    @property
    def name(self) -> str:
        """Its label; without one, what the kernel calls it for now."""
        return self.label or self.bcache.rsplit("/", 1)[-1]


class CacheSet(NamedTuple):
    """A bcache cache set, known by its cache device. ``tunables``, ``errors`` and ``disabled`` as of a Backing."""

    uuid: str
    device: str
    bucket_size: int = 0
    block_size: int = 0
    registered: bool = False
    tunables: Mapping[str, str] = {}
    errors: int = 0
    disabled: bool = False


class Attached(NamedTuple):
    """What a cache set is for, by its journal: a backing device, here or not, or a volume that it holds itself."""

    uuid: str
    label: str = ""
    own_volume: bool = False


class PhysicalVolume(NamedTuple):
    """``size`` is what the group has of it, from ``start`` on, ``used`` how much of that holds volumes.

    ``missing``: LVM counts it as missing, also where it is here again. ``closed``: what is free on it no volume gets.
    """

    device: str
    size: int = 0
    device_size: int = 0
    used: int = 0
    tags: tuple[str, ...] = ()
    start: int = 1 << 20
    uuid: str = ""
    missing: bool = False
    closed: bool = False

    @property
    def end(self) -> int:
        """How large its device has to be."""
        return self.start + self.size


class LogicalVolume(NamedTuple):
    """``device`` is empty while it is not active.

    ``kind`` is LVM's type of one that no drive makes (thin, thin-pool, snapshot, raid1, …), empty of a linear one.
    ``origin`` is the volume that it is a snapshot of. ``health`` is LVM's word (``partial``), empty where all is well.
    ``room`` is by how much it can grow where LVM's policy of allocation limits that (None: by what is free).
    ``skipped``: it is activated only on demand. ``locked``: a pvmove moves it, and LVM neither resizes nor removes it.
    """

    name: str
    size: int = 0
    active: bool = False
    autoactivation: bool = True
    device: str = ""
    kind: str = ""
    origin: str = ""
    health: str = ""
    room: int | None = None
    skipped: bool = False
    locked: bool = False
    read_only: bool = False

    @property
    def usable(self) -> bool:
        """Whether it is a device of its own for a filesystem: no pool, and no part or other state of another volume."""
        return self.kind != "snapshot" and not self.kind.startswith("private") and not self.kind.endswith("pool")


class Group(NamedTuple):
    """An LVM volume group. ``moving`` are the devices that a pvmove is emptying.

    ``free`` is what volumes can get. ``sequence`` counts the changes of its metadata. ``exported``: vgexport took it
    out of use. ``fixed``: no device comes or leaves. ``most_devices`` and ``most_volumes`` are its limits (0: none),
    and ``room`` is how large a new volume can be where LVM's policy of allocation limits that.
    """

    name: str
    extent_size: int = 4 << 20
    size: int = 0
    free: int = 0
    autoactivation: bool = True
    physical_volumes: tuple[PhysicalVolume, ...] = ()
    volumes: tuple[LogicalVolume, ...] = ()
    moving: tuple[str, ...] = ()
    uuid: str = ""
    sequence: int = 0
    exported: bool = False
    fixed: bool = False
    most_devices: int = 0
    most_volumes: int = 0
    room: int | None = None

    def volume(self, name: str) -> LogicalVolume | None:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def snapshots(self, origin: LogicalVolume) -> tuple[LogicalVolume, ...]:
        """Those that depend on that volume; a thin snapshot stands for itself."""
        return tuple(volume for volume in self.volumes if volume.origin == origin.name and origin.kind != "thin")


class StrayVolume(NamedTuple):
    """A device with the label of a physical volume that LVM does not use: a copy of one, or an older state.

    ``uuid`` is the physical volume's; the group, its ``sequence`` and its volumes are those of the metadata that the
    device itself has. ``duplicate``: LVM sees it twice, and changes nothing in the group. ``elsewhere``: the device has
    no room for metadata, so that only the others of its group say which group that is. ``system_id`` is the host that
    the group belongs to, ``lock_type`` what hosts share it by.
    """

    device: str
    uuid: str
    group: str = ""
    group_uuid: str = ""
    sequence: int = 0
    volumes: tuple[str, ...] = ()
    duplicate: bool = False
    elsewhere: bool = False
    system_id: str = ""
    lock_type: str = ""


class Lvm(NamedTuple):
    """``orphans`` are physical volumes of no group. ``begun`` are those of them that never were part of one, each with
    the name of the group that was being made of it (empty: none yet); read only where a step was interrupted.
    ``taken`` are the names below /dev, which no new group can have. ``stray`` are devices that belong to the groups by
    their labels only. ``hidden`` are those whose labels and metadata name a group, or a physical volume, that LVM does
    not show.
    """

    groups: tuple[Group, ...] = ()
    orphans: tuple[str, ...] = ()
    begun: Mapping[str, str] = {}
    taken: tuple[str, ...] = ()
    stray: tuple[StrayVolume, ...] = ()
    hidden: tuple[StrayVolume, ...] = ()


class Filesystem(NamedTuple):
    """A filesystem by its own superblock; ``size`` is what it spans.

    ``sector`` is the largest sector size of a device on which it mounts, in bytes. ``unused``: no kernel has worked
    with it since it was made. It is read only where a record is about the device. ``devices`` is how many it spans,
    and ``generation`` how often it was written to: what was away from a btrfs of several devices has an older one.
    ``number`` is what the filesystem calls this one of its devices. ``damaged``: by itself, errors were found in it
    and nobody has repaired it. ``seed``: a btrfs that stays as it is, since others may have been made on it.
    """

    type: str
    uuid: str
    label: str = ""
    size: int = 0
    sector: int = 4096
    unused: bool = False
    devices: int = 1
    generation: int = 0
    damaged: bool = False
    number: int = 1
    seed: bool = False


class Unfinished(NamedTuple):
    """A step that was begun and has not ended, by its record in ``file``: a power cut, or the end of the process.

    ``step`` is its sentence (empty: the file cannot be understood), ``thing`` and ``uuid`` are what it was making.
    ``devices`` are where it worked: their paths now, empty where that device is not here; ``named`` is what it called
    them then. ``empty_table``: all that there is of a partition table on its device is of that UUID, and names no
    partition.
    """

    file: str
    step: str = ""
    thing: str = ""
    uuid: str = ""
    devices: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    empty_table: bool = False


class Boot(NamedTuple):
    """How this host carries storage configuration into its initramfs.

    ``tool`` is update-initramfs, dracut or empty; ``built`` is when the oldest image that it keeps was made
    (seconds since the epoch); ``changed`` is when mdadm.conf was, and ``conf`` where that is. ``hostname`` is the
    host's name, by which mdadm knows its arrays.
    """

    tool: str = ""
    built: float = 0.0
    changed: float = 0.0
    conf: str = "/etc/mdadm/mdadm.conf"
    hostname: str = ""


class Mapped(NamedTuple):
    """An RBD image that the kernel has mapped. ``spec`` is POOL[/NAMESPACE]/IMAGE[@SNAPSHOT].

    ``options`` are those that it was mapped with, ``fsid`` is its cluster's (empty: not known).
    """

    device: str
    spec: str
    fsid: str = ""
    options: tuple[str, ...] = ()
    read_only: bool = False


class RbdImage(NamedTuple):
    """What its cluster says of an RBD image. ``unsupported`` are the features that this kernel has not."""

    size: int
    unsupported: tuple[str, ...] = ()


class Host(NamedTuple):
    """One host's storage. ``links`` are the references that were asked for, each with its device (None: there is none).
    ``called`` are the paths that arrays are to have, with their devices: one that is in use under another path gets its
    own with the next boot, and is meant by it until then.

    ``contents``, ``filesystems``, ``tables``, ``disks``, ``lvm``, ``mapped``, ``images`` and ``services`` cost a
    subprocess or more reads: they hold what a planner asked for; ``spaces`` is how large what is mounted somewhere is,
    and how much of it is free. ``covered`` is where a plan mounts something, and ``uncovered`` where it unmounts
    something: what directories are below, nobody can see before. ``expendable`` are the devices (paths) that the user
    named as those that may lose what they hold. ``paths`` are further paths to disks that have several, each with the
    device that stands for the disk. ``unfinished`` are the steps that a crash interrupted. ``virtual`` are the mounts
    of no block device (tmpfs, NFS, autofs, …). ``real`` are mount points behind symbolic links, with the directories
    that they are. ``users`` are what keeps mounts busy, by mount point. ``refusals`` are what the kernel has against a
    mount option of a filesystem. ``rejections`` are what LVM has against a device, ``compared`` the filesystems that
    were read to be compared with another one, ``attached`` what cache sets cache by their journals (see
    bcache_journal.py): no diff shows these.

    ``unreadable`` is what could not be read: of which part of the state (``contents``), of what (a path), and why. A
    planner that asks for it gets a StorageError; what tells the state to users goes on with the rest (``readable``,
    ``known_filesystems``, ``known_groups``).
    """

    devices: Mapping[str, Device]
    links: Mapping[str, str | None]
    mounts: tuple[Mount, ...] = ()
    swaps: tuple[str, ...] = ()
    arrays: tuple[Array, ...] = ()
    backings: tuple[Backing, ...] = ()
    cache_sets: tuple[CacheSet, ...] = ()
    files: Mapping[str, str | None] = {}
    boot: Boot = Boot()
    modules: tuple[str, ...] = ()
    directories: Mapping[str, bool | None] = {}
    contents: Mapping[str, Content] = {}
    filesystems: Mapping[str, Filesystem | None] = {}
    lvm: Lvm | None = None
    disks: Mapping[str, DiskFacts] | None = None
    tables: Mapping[str, Table | None] = {}
    covered: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    spaces: Mapping[str, tuple[int, int]] | None = None
    mapped: tuple[Mapped, ...] | None = None
    images: Mapping[str, RbdImage] = {}
    services: Mapping[str, bool] = {}
    expendable: tuple[str, ...] = ()
    called: Mapping[str, str] = {}
    unfinished: tuple[Unfinished, ...] = ()
    paths: Mapping[str, str] = {}
    virtual: tuple[Mount, ...] = ()
    real: Mapping[str, str] = {}
    users: Mapping[str, str] = {}
    refusals: Mapping[tuple[str, ...], str] = {}
    rejections: Mapping[str, str] = {}
    compared: Mapping[str, Filesystem | None] = {}
    attached: Mapping[str, tuple[Attached, ...] | None] = {}
    unreadable: Mapping[tuple[str, str], str] = {}

    def find(self, reference: str) -> Device | None:
        """The device that a reference means."""
        path = self.links.get(reference)
        return self.devices.get(self.called.get(reference, "")) if path is None else self.devices[path]

    def device(self, reference: str, wanted_by: str) -> Device:
        """As find, but it has to exist."""
        found = self.find(reference)
        if found is None:
            blank = len(reference.split()) > 1
            raise NoDevice(
                f"{wanted_by}: there is no block device {reference} on this host"
                + (", and a name with a blank is that of one device: make each an item of the list" if blank else ""),
                reference,
            )
        return found

    def content(self, *paths: str) -> dict[str, Content]:
        """What those devices hold; asks for it to be read where nobody did."""
        found = self.readable(*paths)
        self._check_read("contents", paths, found)
        return found

    def readable(self, *paths: str) -> dict[str, Content]:
        """As content, of those of the devices that can be read."""
        missing = tuple(
            path for path in paths if path not in self.contents and ("contents", path) not in self.unreadable
        )
        if missing:
            raise Unread("contents", missing)
        return {path: self.contents[path] for path in paths if path in self.contents}

    def filesystems_on(self, *paths: str) -> dict[str, Filesystem | None]:
        """The filesystems that devices carry, as far as they are such as a drive can have."""
        found = self.known_filesystems(*paths)
        self._check_read("filesystems", paths, found)
        return found

    def known_filesystems(self, *paths: str) -> dict[str, Filesystem | None]:
        """As filesystems_on, of those of the devices that can be read."""
        blank = {path for path in paths if self.contents.get(path) == BLANK}
        missing = tuple(
            path
            for path in paths
            if path not in self.filesystems and path not in blank and ("filesystems", path) not in self.unreadable
        )
        if missing:
            raise Unread("filesystems", missing)
        return {path: self.filesystems.get(path) for path in paths if path in self.filesystems or path in blank}

    def _check_read(self, what: str, paths: tuple[str, ...], found: Mapping[str, Any]) -> None:
        """Raises StorageError for a device of which that could not be read: nobody can tell what is lost with it."""
        for path in paths:
            if path not in found:
                raise StorageError(
                    f"{path}: it cannot be read ({self.unreadable[what, path]}), so nobody can tell what it holds, and "
                    "nothing was done with it. Look at the kernel's log, its cable and its controller, or name another "
                    "device"
                )

    def filesystem(self, path: str) -> Filesystem | None:
        return self.filesystems_on(path)[path]

    def table(self, path: str) -> Table | None:
        """The partition table of a device."""
        if path not in self.tables and ("tables", path) not in self.unreadable:
            raise Unread("tables", (path,))
        self._check_read("tables", (path,), self.tables)
        return self.tables[path]

    def file(self, path: str) -> str | None:
        """A file's text; None where there is no such file."""
        if path not in self.files:
            raise Unread("file", (path,))
        return self.files[path]

    def has_service(self, unit: str) -> bool:
        """Whether the next boot starts a unit."""
        if unit not in self.services:
            raise Unread("service", (unit,))
        return self.services[unit]

    def groups(self) -> Lvm:
        found = self.known_groups()
        failed = self.unreadable.get(("lvm", ""))
        if failed:
            raise StorageError(
                f"LVM: its volume groups cannot be read ({failed}), and nothing was done. Mend or take out the device "
                "that it fails at (`lvm fullreport` says which)"
            )
        return found

    def known_groups(self) -> Lvm:
        """As groups, of what LVM told where it failed."""
        if self.lvm is None:
            raise Unread("lvm")
        return self.lvm

    def compared_filesystems(self, *paths: str) -> dict[str, Filesystem | None]:
        """As known_filesystems, of devices that are nothing to the task but what others might be taken for."""
        known = {**self.compared, **self.filesystems}
        missing = tuple(
            path
            for path in paths
            if path not in known and self.contents.get(path) != BLANK and ("compared", path) not in self.unreadable
        )
        if missing:
            raise Unread("compared", missing)
        return {path: known[path] for path in paths if path in known}

    def attached_to(self, path: str) -> tuple[Attached, ...] | None:
        """What the cache set on a device caches, here or not; None where nobody can tell."""
        if path not in self.attached and ("attached", path) not in self.unreadable:
            raise Unread("attached", (path,))
        return self.attached.get(path)

    def rejection(self, path: str) -> str:
        """Why LVM does not use a device, in its words; empty where it would, or where the device is only planned."""
        device = self.devices.get(path)
        if device is None or not device.kernel:
            return ""
        if path not in self.rejections and ("rejections", path) not in self.unreadable:
            raise Unread("rejections", (path,))
        return self.rejections.get(path, "")

    def disk_facts(self) -> Mapping[str, DiskFacts]:
        """All disks, by path."""
        if self.disks is None:
            raise Unread("disks")
        return self.disks

    def mounted(self, path: str) -> tuple[str, ...]:
        """Where a device is mounted."""
        return tuple(mount.mount_point for mount in self.mounts if mount.device == path)

    def mounted_there(self, point: str) -> list[Mount]:
        """What is seen at a mount point: of a filesystem on several devices, each of them."""
        return [one for one in (*self.mounts, *self.virtual) if one.mount_point == point and not one.hidden]

    def real_point(self, point: str) -> str:
        """The directory that a mount point is, whatever symbolic links lead there."""
        if point in self.real:
            return self.real[point]
        if point not in self.directories and not self.unseen(point) and not self.mounted_there(point):
            raise Unread("directories", (point,))
        return point

    def unseen(self, point: str) -> bool:
        """Whether a directory is below what a plan mounts or unmounts, so that nobody can see it before."""
        return any(point.startswith(f"{outer}/") for outer in (*self.covered, *self.uncovered))

    def users_of(self, point: str) -> str:
        """What keeps a mount busy; empty where nothing does that could be found."""
        if point in self.covered:
            return ""
        if point not in self.users:
            raise Unread("users", (point,))
        return self.users[point]

    def refusal_of(self, kind: str, option: str) -> str:
        """Why the kernel does not take a mount option of a filesystem; empty where it does, or cannot tell."""
        if (kind, option) not in self.refusals:
            raise Unread("refusals", (kind, option))
        return self.refusals[kind, option]

    def may_lose(self, path: str, allow: bool) -> bool:
        """Whether what a device holds may be destroyed: as all that an item meets (``allow``), or as itself."""
        device = self.devices.get(path)
        return allow or path in self.expendable or bool(device and device.disk in self.expendable)

    def stable(self, path: str) -> str:
        """The path of a device that survives a reboot."""
        device = self.devices.get(path)
        return (device.link if device else "") or path

    def shown(self, path: str) -> str:
        """A path for people: of a device that has no name of its own before the plan runs, its link."""
        return self.stable(path) if "<" in path else path

    def with_device(self, device: Device, *references: str, content: Content = BLANK) -> Host:
        """This host, with a device that is going to exist."""
        return self._replace(
            devices={**self.devices, device.path: device},
            links={**self.links, device.path: device.path, **dict.fromkeys(references, device.path)},
            contents={**self.contents, device.path: content},
        )

    def without_device(self, path: str) -> Host:
        return self._replace(
            devices={key: device for key, device in self.devices.items() if key != path},
            links={key: (None if target == path else target) for key, target in self.links.items()},
        )

    def with_size(self, path: str, size: int) -> Host:
        """This host, once a device has that size: an array that it is a member of, and its own table, have the room."""
        device = self.devices[path]
        table = self.tables.get(path)
        return self._replace(
            devices={**self.devices, path: device._replace(size=size)},
            arrays=tuple(array.with_room(path, size - device.size) for array in self.arrays),
            tables={**self.tables, path: table.on(size)} if table else self.tables,
        )

    def with_content(self, path: str, *signatures: Signature, held_by: str | None = None) -> Host:
        """This host, once a device holds that; ``held_by`` is who holds the device then."""
        device = self.devices[path]._replace(holders=(held_by,) if held_by else ())
        return self._replace(
            devices={**self.devices, path: device},
            contents={**self.contents, path: Content(signatures, bool(held_by))},
        )

    def with_file(self, path: str, text: str | None) -> Host:
        return self._replace(files={**self.files, path: text})


def replace_item(items: tuple[Any, ...], old: Any, *new: Any) -> tuple[Any, ...]:
    """A tuple with one item replaced where it is (by none: removed; ``old`` None: appended)."""
    if old is None:
        return items + new
    return tuple(part for item in items for part in (new if item is old else (item,)))
