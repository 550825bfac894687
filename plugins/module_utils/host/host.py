# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a host: plain immutable data. Sizes are in bytes, devices are named by their paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import NoDevice, StorageError, Unread
from ..document.luks import Key
from .bcache.state import Attached, Backing, CacheSet
from .devices import BLANK, Content, Device, DiskFacts, Signature
from .filesystem.state import Filesystem, Subvolume
from .luks.state import Container, Header, Plain
from .lvm.state import Lvm
from .mount.options import is_read_only
from .mount.state import Access, Mount
from .partition.state import Table
from .raid.state import Array
from .rbd_map.state import Mapped, RbdImage

#: Devices whose names count how many there are: which is which, they do not say.
_NUMBERED = re.compile(r"/dev/(?:dm-|rbd)\d+\b")


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
    host's name, by which mdadm knows its arrays. ``opens_containers``: something at boot reads crypttab.
    """

    tool: str = ""
    built: float = 0.0
    changed: float = 0.0
    conf: str = "/etc/mdadm/mdadm.conf"
    hostname: str = ""
    opens_containers: bool = True


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
    bcache/journal.py), ``keyslots`` which keyslot of a container a key opens, ``backups`` the headers in backups of
    them, by path: no diff shows these.
    ``accesses`` are owner, group and mode of what is mounted, by mount point, ``accounts`` which users and groups there
    are (``user NAME``).
    ``subvolumes`` are those of a btrfs, by its device. ``key_files`` are what is wrong with files that are to be keys
    (empty: nothing), ``tpms`` with TPMs. ``kept`` is whether files are there that a crash may leave. ``plains`` are
    what crypttab encrypts with a new key at each boot. ``check_mode``: a task before this one may be about to make what
    is not there, such as a key file.

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
    containers: tuple[Container, ...] = ()
    plains: tuple[Plain, ...] = ()
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
    keyslots: Mapping[tuple[str, Key], int | None] = {}
    backups: Mapping[str, Header | None] = {}
    key_files: Mapping[str, str] = {}
    subvolumes: Mapping[str, tuple[Subvolume, ...]] = {}
    tpms: Mapping[str, str] = {}
    kept: Mapping[str, bool] = {}
    accesses: Mapping[str, Access] = {}
    accounts: Mapping[str, bool] = {}
    check_mode: bool = False
    unreadable: Mapping[tuple[str, str], str] = {}

    def find(self, reference: str) -> Device | None:
        """The device that a reference means."""
        path = self.links.get(reference)
        return self.devices.get(self.called.get(reference, "")) if path is None else self.devices[path]

    def device(self, reference: str, wanted_by: str) -> Device:
        """As find, but it has to exist."""
        found = self.find(reference)
        if found is None:
            if any(map(str.isspace, reference)):
                raise StorageError(
                    f"{wanted_by}: {reference!r} is a text with a blank in it, and no block device of this host; "
                    "write each device as an item of the list, or separate them by commas"
                )
            serial = [path for path, disk in self.disk_facts().items() if reference == disk.serial]
            raise NoDevice(
                f"{wanted_by}: there is no block device {reference} on this host"
                + (f"; that is the serial number of {' and '.join(map(self.stable, serial))}" if serial else ""),
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

    def keyslot(self, path: str, key: Key) -> int | None:
        """The keyslot of the container on a device that a key opens; None where it opens none."""
        if (path, key) not in self.keyslots:
            raise Unread("keyslots", (path, key))
        return self.keyslots[path, key]

    def key_file(self, path: str) -> str:
        """What is wrong with a file that is to be a key; empty where nothing is."""
        if path not in self.key_files:
            raise Unread("key_files", (path,))
        return self.key_files[path]

    def subvolumes_on(self, path: str) -> tuple[Subvolume, ...]:
        """The subvolumes of the btrfs on a device."""
        if path not in self.subvolumes and ("subvolumes", path) not in self.unreadable:
            raise Unread("subvolumes", (path,))
        if path not in self.subvolumes:
            raise StorageError(f"{path}: its subvolumes cannot be read ({self.unreadable['subvolumes', path]})")
        return self.subvolumes[path]

    def default_subvolume(self, path: str) -> str:
        """The subvolume of the btrfs on a device that a mount without a name of one shows."""
        return next((one.path for one in self.subvolumes_on(path) if one.default), "")

    def tpm(self, device: str) -> str:
        """What is wrong with a TPM, as systemd calls it; empty where nothing is."""
        if device not in self.tpms:
            raise Unread("tpms", (device,))
        return self.tpms[device]

    def is_kept(self, path: str) -> bool:
        """Whether a file is there."""
        if path not in self.kept:
            raise Unread("kept", (path,))
        return self.kept[path]

    def access(self, point: str) -> Access:
        """Owner, group and mode of what is mounted there."""
        found = self.accesses.get(point)
        if found is None:
            why = self.unreadable.get(("accesses", point))
            if why:
                raise StorageError(f"{point}: its owner cannot be read ({why})")
            raise Unread("accesses", (point,))
        return found

    def has_account(self, account: str) -> bool:
        """Whether there is that ``user NAME`` or ``group NAME``."""
        if account not in self.accounts:
            raise Unread("accounts", (account,))
        return self.accounts[account]

    def backup(self, path: str) -> Header | None:
        """The header in a backup of one."""
        if path not in self.backups:
            raise Unread("backups", (path,))
        return self.backups[path]

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

    def work_point(self, path: str) -> str:
        """Where a mounted device is seen best by a program that changes it; empty where it is not mounted."""
        mounts = [mount for mount in self.mounts if mount.device == path]
        mounts.sort(key=lambda mount: (mount.hidden, is_read_only(mount.options), mount.part))
        return mounts[0].mount_point if mounts else ""

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

    def told(self, text: str) -> str:
        """The text with the names of devices in place of numbers of the kernel, which say nothing and change."""
        return _NUMBERED.sub(lambda found: self.stable(found[0]), text)

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
