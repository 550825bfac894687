# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers a host's storage: one cheap pass over sysfs, superblocks and configuration files, and the rest on demand.

Nothing here changes anything, or opens anything for writing. udev's database is not asked: it may lag behind.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Callable

from ..core.command import ask_command, read_text, run_command
from ..core.errors import StorageError, Unread, sentence
from ..core.files import check_writable, read_file
from ..core.record import Record, read_records
from ..document.bcache import CACHE_TUNABLES, TUNABLES
from ..document.drive import mapper_name
from . import fstab, raid_roles
from .bcache_journal import attached_to
from .boot import array_lines, array_name, array_path
from .fstab import FSTAB, Line
from .partition_table import RESERVED, read_gpt, read_mbr, read_table, unseen_tables
from .raid_space import METADATA, SUPERBLOCK_LAST, usable
from .state import (
    OUTSIDE,
    Array,
    Backing,
    Boot,
    CacheSet,
    Content,
    Device,
    DiskFacts,
    Filesystem,
    Group,
    Host,
    LogicalVolume,
    Lvm,
    Member,
    Mount,
    PhysicalVolume,
    Signature,
    StrayVolume,
    Unfinished,
    partition_number,
)
from .superblocks import (
    BcacheSuperblock,
    MdSuperblock,
    begun_group,
    is_empty_table,
    is_unused,
    layout_word,
    open_device,
    read_filesystem,
    read_members,
    read_physical_volume,
    uuid_0_90,
)

SYS = "/sys/class/block"
BCACHE_LINKS = "/dev/bcache/by-label"
#: Where the intents of steps are on record: what is below /var/lib survives a reboot.
RECORDS = "/var/lib/strata-storage"
#: What the rules' file names start with that this collection writes.
UDEV_RULES = "/etc/udev/rules.d/70-strata-"
_TIMES = ("total", "day", "hour", "five_minute")
_MDADM_CONFS = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
#: Devices that are never part of a stack: reading them costs (a floppy seeks), or means nothing.
_SKIPPED = ("ram", "zram", "sr", "fd", "nbd")

#: Seconds to wait for a program that only reads: a disk that sleeps needs some, one that hangs has any number.
_PATIENCE = 60
#: What the kernel says of a disk that works.
_WORKING = ("", "running", "live")
#: What an eMMC says of the blocks that it has in reserve: most of them, or nearly all, are used up.
_WORN = {"0x02": "most of its reserve of blocks is used up", "0x03": "its reserve of blocks is nearly used up"}
#: Members of an array say what they are, and this beside it.
_ROLES = ("faulty", "journal", "replacement", "in_sync", "spare", "write_mostly", "")

_LVM_REPORT = (
    "lvm fullreport --all --reportformat json --units b --nosuffix "
    "--configreport vg -o vg_name,vg_size,vg_free,vg_extent_size,vg_autoactivation,vg_uuid,vg_seqno,vg_exported"
    ",vg_extendable,max_pv,max_lv,vg_allocation_policy "
    "--configreport pv -o pv_name,pv_size,dev_size,pv_used,pv_tags,pe_start,vg_name,pv_uuid,pv_missing"
    ",pv_allocatable,pv_in_use "
    "--configreport lv -o lv_name,lv_size,lv_active,lv_autoactivation,lv_path,move_pv,lv_layout,lv_role,origin"
    ",lv_health_status,lv_skip_activation,lv_permissions,lv_allocation_locked,lv_allocation_policy "
    "--configreport pvseg -o pvseg_start,pvseg_size,pv_name,lv_name --configreport seg -o segtype"
)
#: LVM writes its backup of a group anew where that is old, also when it is only asked: a look leaves it as it is.
_NO_BACKUP = ("--config", "backup { backup = 0 archive = 0 }")
_DUPLICATES_REPORT = "lvm pvs --all --reportformat json -o pv_name,pv_duplicate"
_REJECTED = re.compile(r"Cannot use \S+: (device .*?)(?= Cannot | Failed | WARNING|$)")


def read(references: Iterable[str] = ()) -> Host:
    """The state of this host, and which devices the references mean."""
    devices = _named(_devices())
    by_kernel = {device.kernel: device for device in devices.values()}
    mounts, virtual, swaps = _mounts(devices, by_kernel)
    paths = _other_paths(devices, {mount.device for mount in mounts}.union(swaps))
    if paths:
        devices = _once(devices, paths)
        standing = {device.kernel: paths.get(device.path, device.path) for device in by_kernel.values()}
        by_kernel = {kernel: devices[path] for kernel, path in standing.items() if path in devices}
        mounts, virtual, swaps = _mounts(devices, by_kernel)
    superblocks, unreadable = _superblocks(devices)
    backings = _backings(superblocks, by_kernel)
    files = {path: read_file(path) for path in (mdadm_conf(), FSTAB, *glob.glob(f"{UDEV_RULES}*"))}
    host = Host(
        devices=devices,
        links={},
        mounts=mounts,
        swaps=swaps,
        arrays=_arrays(superblocks, by_kernel),
        backings=backings,
        cache_sets=_cache_sets(superblocks),
        files=files,
        boot=_boot(),
        modules=("bcache",) if os.path.isdir("/sys/fs/bcache") else (),
        unfinished=_unfinished(devices),
        virtual=virtual,
        unreadable=unreadable,
        paths=paths,
    )
    lines = array_lines(host)
    known = [line.device for line in lines if line.device.startswith("/")]
    named = [line for line in fstab.lines(files[FSTAB]) if line.device.startswith("/")]
    return host._replace(
        links={
            **{line.device: _leads_to(line, devices, paths) for line in named},
            **{reference: resolve(reference, devices, backings, paths) for reference in (*known, *references)},
        },
        real=_real_points(host, named),
        called={array_path(array_name(host, array)): array.device for array in host.arrays if array.device},
    )


def _leads_to(line: Line, devices: Mapping[str, Device], paths: Mapping[str, str]) -> str | None:
    """The device of a line of fstab, as those find it who mount it."""
    path = os.path.realpath(line.device)
    path = paths.get(path, path)
    return path if path in devices else None


def _real_points(host: Host, named: Iterable[Line]) -> dict[str, str]:
    """The mount points of fstab that lie behind symbolic links. What is mounted has no link on its way: a look at it
    could wait for a server, or mount it.
    """
    points = {mount.mount_point for mount in (*host.mounts, *host.virtual)}
    wanted = {line.place for line in named if line.mount_point.startswith("/")} - points
    found = {point: os.path.realpath(point) for point in wanted}
    return {point: real for point, real in found.items() if real != point}


def deepen(host: Host, need: Unread) -> Host:
    """The state with what a planner asked for, or with why it cannot be read."""
    if need.what in _OF_A_DEVICE:
        found, failed = _each(need.what, need.names, lambda name: _OF_A_DEVICE[need.what](host, name))
        known: dict[str, Any] = {need.what: {**getattr(host, need.what), **found}}
        return host._replace(unreadable={**host.unreadable, **failed}, **known)
    if need.what == "directories":
        real = {path: os.path.realpath(path) for path in need.names}
        if any(os.path.ismount(path) for path in need.names):
            # systemd may have mounted something since: what was read then no longer goes with what is in there.
            fresh = read(host.links)
            if fresh.mounts != host.mounts:
                return fresh
        # A link is no place to mount on, and the planner asks for what it leads to if it has to know.
        found_directories = {path: path == real[path] and _is_empty(path) for path in need.names}
        links = {path: place for path, place in real.items() if place != path}
        return host._replace(directories={**host.directories, **found_directories}, real={**host.real, **links})
    if need.what == "users":
        from .mount_read import users

        return host._replace(users={**host.users, **{point: users(point, host.swaps) for point in need.names}})
    if need.what == "refusals":
        from .mount_read import refusal

        kind, option = need.names
        return host._replace(refusals={**host.refusals, need.names: refusal(kind, option)})
    if need.what == "spaces":
        points = tuple(mount.mount_point for mount in host.mounts if not mount.hidden)
        spaces, failed = _each("spaces", points, _space)
        return host._replace(spaces=spaces, unreadable={**host.unreadable, **failed})
    if need.what == "disks":
        return host._replace(disks=_disks(host))
    if need.what == "file":
        return host._replace(files={**host.files, **{path: read_file(path) for path in need.names}})
    if need.what in ("mapped", "image", "service"):
        from .krbd_read import deepen_rbd

        return deepen_rbd(host, need)
    lvm, why = _lvm(host)
    return host._replace(lvm=lvm, unreadable={**host.unreadable, **({("lvm", ""): why} if why else {})})


def _each(
    what: str, names: Iterable[str], read_one: Callable[[str], Any]
) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """What each of those gave, and of those that gave nothing why: one that is broken costs only what it holds."""
    found, failed = {}, {}
    for name in names:
        try:
            found[name] = read_one(name)
        except (StorageError, OSError) as error:
            failed[what, name] = (error.strerror if isinstance(error, OSError) else None) or sentence(error)
    return found, failed


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


def mdadm_conf() -> str:
    """Where this distribution keeps mdadm.conf."""
    debian, other = _MDADM_CONFS
    return debian if os.path.isdir(os.path.dirname(debian)) else other


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
        _serial(base),
        read_text(f"{base}/dm/uuid"),
    ]
    named = " ".join(part for part in parts if part)
    if lasting:
        return named or _made_of(kernel)
    sequence = read_text(f"{base}/diskseq")
    return f"{named} #{sequence}".strip() if sequence else named


def _made_of(kernel: str) -> str:
    """What the superblocks of its parts say that an array, or a bcache, is."""
    for part in _list(f"{SYS}/{kernel}/slaves"):
        size = int(read_text(f"{SYS}/{part}/size") or 0) * 512
        try:
            block = _superblock(f"/dev/{part.replace('!', '/')}", size)
        except OSError:
            continue
        if block:
            return f"{'md' if isinstance(block, MdSuperblock) else 'bcache'} {block.uuid}"
    return f"/dev/{kernel}"


def read_contents(paths: Iterable[str]) -> dict[str, Content]:
    """What devices hold, by libblkid's probing of the devices themselves. Raises what _content raises."""
    return {path: _content(path) for path in paths}


def _content(path: str) -> Content:
    """Raises StorageError for a device that cannot be read."""
    busy = is_busy(path)
    return Content(_signatures(path), busy)


def _devices() -> dict[str, Device]:
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
            holders=tuple(f"/dev/{name}" for name in _list(f"{base}/holders")),
            partitions=()
            if is_partition
            else tuple(
                f"/dev/{name}"
                for name in _list(real)
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


def _other_paths(devices: Mapping[str, Device], used: set[str]) -> dict[str, str]:
    """The other paths to disks that have several, each with the one that stands for all of them: one that is in use.

    By the disk's WWN, serial number and size; not behind USB, where they may be those of the bridge.
    """
    disks: dict[tuple[str, int], list[Device]] = {}
    for device in devices.values():
        if not device.disk and device.identity.startswith(("naa.", "eui.")):
            disks.setdefault((_uncounted(device), device.size), []).append(device)
    found = {}
    for same in disks.values():
        if len(same) < 2 or any(_transport(os.path.realpath(f"{SYS}/{one.kernel}")) == "usb" for one in same):
            continue
        first = next((one for one in same if _is_used(one, devices, used)), same[0])
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


def _is_used(disk: Device, devices: Mapping[str, Device], used: set[str]) -> bool:
    parts = [devices[path] for path in (disk.path, *disk.partitions) if path in devices]
    return any(part.path in used or part.holders for part in parts)


def _once(devices: Mapping[str, Device], paths: Mapping[str, str]) -> dict[str, Device]:
    """Each disk by one of its paths: udev's link to it may lead to another one."""
    links = {first: devices[path].link for path, first in paths.items() if devices[path].link}
    return {
        path: device._replace(link=device.link or links.get(path, ""))
        for path, device in devices.items()
        if path not in paths and device.disk not in paths
    }


def _named(devices: dict[str, Device]) -> dict[str, Device]:
    """The devices, with what partitions are called in their tables."""
    named = dict(devices)
    for disk in devices.values():
        if not disk.partitions or disk.silent:
            continue
        try:
            descriptor = open_device(disk.path)
        except OSError:
            continue
        try:
            gpt = read_gpt(descriptor, disk.sector, disk.size)
            mbr = None if gpt else read_mbr(descriptor)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        for path in disk.partitions:
            if path not in named:
                continue
            number, part = partition_number(path), named[path]
            if gpt:
                part = part._replace(part_name=gpt.names.get(number, ""), part_uuid=gpt.uuids.get(number, ""))
                part = part._replace(reserved=RESERVED.get(gpt.types.get(number, ""), ""))
            elif mbr:
                part = part._replace(part_uuid=f"{mbr.identifier}-{number:02x}" if mbr.identifier else "")
                part = part._replace(reserved=RESERVED.get(mbr.types.get(number, ""), ""))
            named[path] = part
    return named


def _stable_links(directory: str = "/dev/disk/by-id") -> dict[str, str]:
    """For each disk and partition its best name under /dev/disk/by-id: one with the model and serial, else the WWN."""
    best: dict[str, str] = {}
    for name in sorted(_list(directory), key=lambda name: (name.startswith(("wwn-", "nvme-eui.")), name)):
        # udev makes a link as ".#name" first, and renames it.
        if not name.startswith((".", "dm-", "md-", "lvm-", "bcache-")):
            link = f"{directory}/{name}"
            best.setdefault(os.path.realpath(link), link)
    return best


def rbd_spec(number: str) -> str:
    """The image that the kernel has mapped by this number: POOL[/NAMESPACE]/IMAGE[@SNAPSHOT]."""
    pool, namespace, image, snapshot = (
        read_text(f"/sys/bus/rbd/devices/{number}/{part}") for part in ("pool", "pool_ns", "name", "current_snap")
    )
    spec = "/".join(part for part in (pool, namespace, image) if part)
    return spec if snapshot in ("", "-") else f"{spec}@{snapshot}"


def _own_link(kernel: str) -> str:
    """What a made device is called by what it is, where its kernel name counts how many there are."""
    if kernel.startswith("dm-"):
        name = read_text(f"{SYS}/{kernel}/dm/name")
        return f"/dev/mapper/{name}" if name else ""
    return _rbd_link(kernel) if kernel.startswith("rbd") else ""


def _rbd_link(kernel: str) -> str:
    number, _letter, part = kernel[3:].partition("p")
    return f"/dev/rbd/{rbd_spec(number)}" + (f"-part{part}" if part else "")


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _serial(base: str) -> str:
    """The serial number of a disk, without the zero that a Linux target (iSCSI, Fibre Channel) ends it with."""
    found = read_text(f"{base}/serial") or read_text(f"{base}/device/serial") or _page_80(base)
    return found.strip("\0 \t\n")


def _page_80(base: str) -> str:
    """The serial number of a SCSI disk (its vital product data page 80h: four bytes of header)."""
    try:
        with open(f"{base}/device/vpd_pg80", "rb") as file:
            return file.read()[4:].decode(errors="replace")
    except OSError:
        return ""


def _superblocks(
    devices: Mapping[str, Device],
) -> tuple[dict[str, MdSuperblock | BcacheSuperblock], dict[tuple[str, str], str]]:
    """The superblocks of devices, by path, and of which and why they cannot be read."""

    def read_one(path: str) -> MdSuperblock | BcacheSuperblock | None:
        if devices[path].silent:
            raise StorageError(devices[path].silent)
        return _superblock(path, devices[path].size)

    found, failed = _each("superblocks", devices, read_one)
    blocks = {path: superblock for path, superblock in found.items() if superblock}
    return {path: block for path, block in blocks.items() if not _is_of_an_upper(devices[path], block, blocks)}, failed


def _superblock(path: str, size: int) -> MdSuperblock | BcacheSuperblock | None:
    """Raises OSError where the device cannot be read."""
    if size < 65536:
        return None
    descriptor = open_device(path, direct=True)
    try:
        return read_members(descriptor, size)
    finally:
        os.close(descriptor)


def _is_of_an_upper(device: Device, block: Any, found: Mapping[str, Any]) -> bool:
    """Whether a superblock is seen through the device on which its own device lies.

    One at the end (metadata 0.90) may be that of the last partition or volume; what has several paths, or is mapped as
    it is, is seen through each of them.
    """
    uppers = [found.get(path) for path in (*device.partitions, *device.holders)]
    if isinstance(block, MdSuperblock):
        return any(
            isinstance(upper, MdSuperblock) and upper.uuid == block.uuid and raid_roles.same(upper, block)
            for upper in uppers
        )
    return any(isinstance(upper, BcacheSuperblock) and upper.uuid == block.uuid for upper in uppers)


def _unfinished(devices: Mapping[str, Device]) -> tuple[Unfinished, ...]:
    """What is on record, with the devices that it is about as they are called now."""
    records = read_records(RECORDS)
    if not records:
        return ()
    identities = {path: identity(device.kernel, lasting=True) for path, device in devices.items()}

    def where(path: str, wanted: str) -> str:
        # Two paths to one disk are the same device.
        found = [here for here, known in identities.items() if known == wanted]
        return path if path in found else min(found, default="")

    def unfinished(record: Record) -> Unfinished:
        thing, uuid, wanted = record.intent[:3]
        here = tuple(where(os.path.realpath(path), known) for path, known in wanted)
        empty = thing.startswith("table ") and here != ("",) and _is_empty_table(devices[here[0]], uuid)
        return Unfinished(record.file, record.step, thing, uuid, here, tuple(path for path, _known in wanted), empty)

    return tuple(unfinished(record) for record in records)


def _is_empty_table(disk: Device, guid: str) -> bool:
    try:
        return is_empty_table(disk, guid)
    except (OSError, ValueError):
        # What cannot be read, or has no UUID on record, is not taken for ours.
        return False


def _mounts(
    devices: Mapping[str, Device], by_kernel: Mapping[str, Device]
) -> tuple[tuple[Mount, ...], tuple[Mount, ...], tuple[str, ...]]:
    """The mounts of block devices, those of no block device, and the swap areas in use."""
    mounts, virtual = [], []
    rows = [line.split(" ") for line in (read_file("/proc/self/mountinfo") or "").splitlines()]
    places = {fields[0]: fields[4] for fields in rows}

    def known(path: str) -> str:
        device = by_kernel.get(path[len("/dev/") :].replace("/", "!"))
        return device.path if device else path

    hidden = {fields[1] for fields in rows if fields[1] != fields[0] and places.get(fields[1]) == fields[4]}
    for fields in rows:
        kind, source, options = fields[fields.index("-") + 1 :][:3]
        device = known(os.path.realpath(_unescape(source)))
        if device not in devices:
            # Such as /dev/root, which the kernel calls a root that it mounted without an initramfs.
            device = known(os.path.realpath(f"/dev/block/{fields[2]}"))
        part = fields[3] != "/" and f"subvol={fields[3]}" not in options.split(",")
        errors = _ext_errors(device) if kind in ("ext2", "ext3", "ext4") and device in devices else ()
        mount = Mount(device, _unescape(fields[4]), kind, fields[5], options, part, fields[0] in hidden, errors)
        if device not in devices:
            virtual.append(mount._replace(device=_unescape(source)))
            continue
        mounts += _btrfs(mount, by_kernel) if kind == "btrfs" else [mount]
    swaps = [os.path.realpath(_unescape(line.split()[0])) for line in read_text("/proc/swaps").splitlines()[1:]]
    return tuple(mounts), tuple(virtual), tuple(map(known, swaps))


def _ext_errors(device: str) -> tuple[str, ...]:
    count = int(_number(read_text(f"/sys/fs/ext4/{os.path.basename(device)}/errors_count")))
    return (f"{count} errors since it was last checked",) if count else ()


def _btrfs(mount: Mount, by_kernel: Mapping[str, Device]) -> list[Mount]:
    """A btrfs of several devices shows only one of them as mounted."""
    for members in glob.glob("/sys/fs/btrfs/*/devices"):
        kernels = _list(members)
        if os.path.basename(mount.device) in kernels:
            mount = mount._replace(errors=_btrfs_errors(os.path.dirname(members)))
            return [mount] + [
                mount._replace(device=by_kernel[kernel].path)
                for kernel in kernels
                if kernel in by_kernel and by_kernel[kernel].path != mount.device
            ]
    return [mount]


def _btrfs_errors(base: str) -> tuple[str, ...]:
    """What a btrfs counted on its devices, and which of them it misses."""
    said: tuple[str, ...] = ()
    for number in _list(f"{base}/devinfo"):
        if read_text(f"{base}/devinfo/{number}/missing") == "1":
            said += (f"its device {number} is missing",)
        stats = [line.split() for line in read_text(f"{base}/devinfo/{number}/error_stats").splitlines()]
        counted = [f"{count} {name}" for name, count in stats if count != "0"]
        if counted:
            said += (f"{' and '.join(counted)} on its device {number}",)
    return said


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _arrays(
    superblocks: Mapping[str, MdSuperblock | BcacheSuperblock], by_kernel: Mapping[str, Device]
) -> tuple[Array, ...]:
    members = {path: block for path, block in superblocks.items() if isinstance(block, MdSuperblock)}
    # An md device in state clear is none: one comes to be when somebody opens the node of an array that was stopped.
    assembled = [
        _assembled(kernel, members, by_kernel)
        for kernel in by_kernel
        if read_text(f"{SYS}/{kernel}/md/array_state") not in ("", "clear")
    ]
    taken = {member.device for array in assembled for member in array.members}
    parts: dict[str, dict[str, MdSuperblock]] = {}
    for path, block in members.items():
        if path not in taken:
            parts.setdefault(block.uuid, {})[path] = block
    known = {array.uuid for array in assembled}
    sizes = {device.path: device.size for device in by_kernel.values()}
    found = tuple(assembled) + tuple(_stopped(blocks) for uuid, blocks in parts.items() if uuid not in known)
    cut = {path for path, block in members.items() if sizes[path] < block.least_size}
    return tuple(_without(array, cut) for array in found) if cut else found


def _without(array: Array, cut: set[str]) -> Array:
    """An array some of whose devices became smaller: md starts none with them."""

    def seen(member: Member) -> Member:
        own = member.role not in ("apart", "copy") and (not array.running or member.role in OUTSIDE)
        return member._replace(role="cut") if own and member.device in cut else member

    return array._replace(members=tuple(map(seen, array.members)))


def _assembled(kernel: str, superblocks: Mapping[str, MdSuperblock], by_kernel: Mapping[str, Device]) -> Array:
    base = f"{SYS}/{kernel}/md"
    devices = {device.path: device for device in by_kernel.values()}
    # First: while this says no, what is read after it is not half of what was, and half of what is.
    reshaping = is_reshaping(base)
    members = []
    for name in _list(base):
        if name.startswith("dev-") and name[4:] in by_kernel:
            states = read_text(f"{base}/{name}/state").split(",")
            slot = read_text(f"{base}/{name}/slot")
            role = _role(states, slot.isdigit())
            number = int(slot) if slot.isdigit() else None
            members.append(
                Member(
                    by_kernel[name[4:]].path,
                    role,
                    number,
                    "write_mostly" in states,
                    flags=tuple(flag for flag in states if flag not in _ROLES),
                    errors=int(_number(read_text(f"{base}/{name}/errors"))),
                    bad_blocks=_bad_blocks(f"{base}/{name}"),
                )
            )
    inside = {member.device: superblocks[member.device] for member in members if member.device in superblocks}
    block = raid_roles.newest(inside) if inside else None
    blocks = {path: other for path, other in superblocks.items() if block and other.uuid == block.uuid}
    state = read_text(f"{base}/array_state")
    shapes = {other.shape for other in inside.values() if other.slot is not None}
    if block and (state == "inactive" or (state == "read-auto" and len(shapes) > 1)):
        # What md has not started has no slots yet: only the superblocks know, also those of devices that came later.
        running = {device.path for device in by_kernel.values() if any("/md" in holder for holder in device.holders)}
        here = {path: other for path, other in blocks.items() if path in inside or path not in running}
        # What md started by superblocks of two shapes has not been written to yet, and is as good as not started.
        return _stopped(here)._replace(device=by_kernel[kernel].path, state="inactive")
    metadata = read_text(f"{base}/metadata_version")
    members = [_dated(member, inside.get(member.device)) for member in members]
    if metadata in SUPERBLOCK_LAST:
        members = [
            member if member.device in inside else member._replace(lost=_is_lost(devices[member.device]))
            for member in members
        ]
    faulty = {member.device for member in members if member.role == "faulty"}
    working = {path: other for path, other in inside.items() if path not in faulty}
    members += raid_roles.outside(blocks, working, faulty)
    # mdadm adds a device with what it reads of the first member that works.
    sample = min(working.values(), key=lambda other: (other.slot is None, other.number), default=block)
    level = read_text(f"{base}/level")
    level = level[4:] if level.startswith("raid") else level or (block.level if block else "")
    layout = block.layout if block else ""
    coded = read_text(f"{base}/layout").split(" ")[0]
    if coded.isdigit() and state != "inactive":
        layout = layout_word(level, int(coded))
    completed = read_text(f"{base}/sync_completed").partition(" / ")
    speed = int(_number(read_text(f"{base}/sync_speed"))) << 10
    rooms = _rooms(base, metadata, by_kernel) if metadata in METADATA else {}
    members = [member._replace(room=rooms.get(member.device, (0, 0))[0]) for member in members]
    return Array(
        uuid=block.uuid if block else _known_uuid(base, metadata),
        name=block.name if block else "",
        home=block.home if block else "",
        level=level,
        raid_devices=int(read_text(f"{base}/raid_disks").split(" ")[0] or 0) or (block.raid_devices if block else 0),
        members=_in_order(members),
        chunk_size=int(read_text(f"{base}/chunk_size").split(" ")[0] or 0),
        layout=layout,
        metadata=metadata,
        bitmap="none" if read_text(f"{base}/bitmap/location") in ("none", "") else "internal",
        device=by_kernel[kernel].path,
        state=state,
        sync_action=read_text(f"{base}/sync_action"),
        degraded=int(read_text(f"{base}/degraded") or 0),
        reshaping=reshaping,
        consistency_policy=read_text(f"{base}/consistency_policy"),
        component_size=int(read_text(f"{base}/component_size") or 0) << 10,
        # What the smallest member could give to the array.
        room=min((room for room, _offset in rooms.values()), default=0),
        first_data=min((offset for _room, offset in rooms.values()), default=0),
        array_size=int(_number(read_text(f"{base}/array_size"))) << 10,
        percent=round(100 * int(completed[0]) / int(completed[2]), 1) if completed[2].isdigit() else None,
        speed=speed,
        # The kernel counts sectors of 512 bytes.
        eta_seconds=((int(completed[2]) - int(completed[0])) << 9) // speed
        if completed[2].isdigit() and speed
        else None,
        mismatch_count=int(_number(read_text(f"{base}/mismatch_cnt"))),
        data_offset=sample.data_offset if sample else 0,
        unsynced=read_text(f"{base}/resync_start") not in ("", "none"),
        unused=state == "inactive" and _never_written(inside.values()),
    )


def _is_lost(device: Device) -> bool:
    """Whether a device has no superblock of md's, as far as that can be read: it may also be seen as another's."""
    try:
        return not device.silent and not isinstance(_superblock(device.path, device.size), MdSuperblock)
    except OSError:
        return False


def _known_uuid(base: str, metadata: str) -> str:
    """The UUID by which newer kernels still know an array none of whose superblocks is found, since its disks grew."""
    digits = read_text(f"{base}/uuid").replace("-", "")
    if not digits.strip("0"):
        return ""
    return uuid_0_90(digits) if metadata == "0.90" else digits


def _dated(member: Member, block: MdSuperblock | None) -> Member:
    return member._replace(events=block.events, updated=block.updated) if block else member


def _in_order(members: list[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: (member.slot is None, member.slot or 0, member.device)))


def _never_written(blocks: Iterable[MdSuperblock]) -> bool:
    """Whether nobody ever wrote to the array of these superblocks, by its events: mdadm counts none, or one (0.90)."""
    return all(block.events == (1 if block.metadata == "0.90" else 0) for block in blocks)


def _bad_blocks(member: str) -> int:
    """How many sectors of a member md no longer uses (lines of start and length)."""
    lines = [line.split() for line in read_text(f"{member}/bad_blocks").splitlines()]
    return sum(int(words[1]) for words in lines if len(words) == 2)


def is_reshaping(md: str) -> bool:
    """Whether an array is being reshaped, by the kernel, or by mdadm, which has more to do once the kernel is done."""
    if read_text(f"{md}/reshape_position") not in ("", "none"):
        return True
    return read_text(f"{md}/last_sync_action") == "reshape" and _mdadm_grows()


def _mdadm_grows() -> bool:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        words = read_text(path).split("\0")
        if os.path.basename(words[0]) == "mdadm" and "--grow" in words:
            return True
    return False


def _role(states: list[str], has_slot: bool) -> str:
    if "faulty" in states:
        return "faulty"
    if "journal" in states:
        return "journal"
    if "replacement" in states:
        return "replacing"
    if "in_sync" in states:
        return "active"
    return "rebuilding" if has_slot else "spare"


def _number(text: str) -> str:
    return text if text.isdigit() else "0"


def _rooms(base: str, metadata: str, by_kernel: Mapping[str, Device]) -> dict[str, tuple[int, int]]:
    """How much of each member the array could use, and where the data begins on it, in bytes."""
    members = {name: by_kernel[name[4:]] for name in _list(base) if name.startswith("dev-") and name[4:] in by_kernel}
    offsets = {name: int(_number(read_text(f"{base}/{name}/offset"))) << 9 for name in members}
    return {
        device.path: (usable(metadata, device.size, offsets[name]), offsets[name]) for name, device in members.items()
    }


def _stopped(blocks: Mapping[str, MdSuperblock]) -> Array:
    head = raid_roles.head(blocks)
    return Array(
        uuid=head.uuid,
        name=head.name,
        home=head.home,
        level=head.level,
        raid_devices=head.raid_devices,
        members=_in_order(raid_roles.stopped(blocks)),
        chunk_size=head.chunk_size,
        layout=head.layout,
        metadata=head.metadata,
        bitmap=head.bitmap,
        consistency_policy=head.log,
        reshaping=head.reshaping,
        component_size=head.component_size,
        data_offset=head.data_offset,
        first_data=min(block.data_offset for block in blocks.values()),
        unsynced=head.unsynced,
        needs_backup=head.needs_backup,
        unused=_never_written(blocks.values()),
    )


def _backings(
    superblocks: Mapping[str, MdSuperblock | BcacheSuperblock], by_kernel: Mapping[str, Device]
) -> tuple[Backing, ...]:
    found = []
    for device in by_kernel.values():
        base = f"{SYS}/{device.kernel}/bcache"
        block = superblocks.get(device.path)
        if not isinstance(block, BcacheSuperblock) or not block.backing:
            continue
        backing = Backing(
            device=device.path,
            uuid=block.uuid,
            label=block.label,
            cache_set=block.set_uuid if block.state in ("clean", "dirty") else "",
            cache_mode=block.cache_mode,
            state=block.state,
            offset=block.offset,
            block_size=block.block_size,
        )
        if os.path.exists(f"{base}/backing_dev_name") or os.path.exists(f"{base}/cache_mode"):
            bcache = os.path.basename(os.path.realpath(f"{base}/dev"))
            attached = os.path.exists(f"{base}/cache")
            ratios = {time: read_text(f"{base}/stats_{time}/cache_hit_ratio") for time in _TIMES}
            backing = backing._replace(
                registered=True,
                attached=attached,
                label=read_text(f"{base}/label"),
                cache_mode=_chosen(read_text(f"{base}/cache_mode")),
                state=read_text(f"{base}/state"),
                cache_set=os.path.basename(os.path.realpath(f"{base}/cache")) if attached else backing.cache_set,
                bcache=f"/dev/{bcache}" if read_text(f"{base}/running") == "1" else "",
                dirty_data=read_text(f"{base}/dirty_data"),
                tunables={name: _chosen(read_text(f"{base}/{name}")) for name in TUNABLES},
                hit_ratios={time: int(_number(ratio)) for time, ratio in ratios.items()},
                errors=int(_number(read_text(f"{base}/io_errors"))),
                disabled=read_text(f"{base}/io_disable") == "1",
            )
        found.append(backing)
    return tuple(found)


def _chosen(text: str) -> str:
    """The value in brackets (``writethrough [writeback] writearound``)."""
    return text[text.find("[") + 1 : text.find("]")] if "[" in text else text


def _cache_sets(superblocks: Mapping[str, MdSuperblock | BcacheSuperblock]) -> tuple[CacheSet, ...]:
    return tuple(
        CacheSet(
            uuid=block.set_uuid,
            device=path,
            bucket_size=block.bucket_size,
            block_size=block.block_size,
            registered=os.path.isdir(f"/sys/fs/bcache/{block.set_uuid}"),
            tunables={name: _chosen(read_text(cache_attribute(name, block.set_uuid, path))) for name in CACHE_TUNABLES},
            errors=int(_number(read_text(f"{SYS}/{os.path.basename(path)}/bcache/io_errors"))),
            disabled=read_text(f"/sys/fs/bcache/{block.set_uuid}/internal/io_disable") == "1",
        )
        for path, block in superblocks.items()
        if isinstance(block, BcacheSuperblock) and not block.backing
    )


def cache_attribute(tunable: str, cache_set: str, device: str) -> str:
    """Where the kernel keeps a tunable of a cache: beside the cache set, or beside the cache device."""
    if tunable == "io_error_limit":
        return f"/sys/fs/bcache/{cache_set}/{tunable}"
    name = {"replacement_policy": "cache_replacement_policy"}.get(tunable, tunable)
    return f"{SYS}/{os.path.basename(device)}/bcache/{name}"


def _boot() -> Boot:
    """Which tool keeps the initramfs, and how old its oldest image is, beside mdadm.conf."""
    versions = _list("/lib/modules")
    if os.path.exists("/usr/sbin/update-initramfs"):
        tool, images = "update-initramfs", [f"/boot/initrd.img-{version}" for version in versions]
    elif os.path.exists("/usr/bin/dracut") or os.path.exists("/usr/sbin/dracut"):
        tool, images = "dracut", [f"/boot/initramfs-{version}.img" for version in versions]
    else:
        return Boot(conf=mdadm_conf(), hostname=os.uname().nodename)
    times = [os.stat(image).st_mtime for image in images if os.path.exists(image)]
    conf = mdadm_conf()
    if not times:
        return Boot(conf=conf, hostname=os.uname().nodename)
    changed = os.stat(conf).st_mtime if os.path.exists(conf) else 0.0
    return Boot(tool, min(times), changed, conf, os.uname().nodename)


def _signatures(path: str) -> tuple[Signature, ...]:
    text = run_command(("wipefs", "--json", "--no-act", path), _PATIENCE)
    found: dict[str, Signature] = {}
    for entry in json.loads(text)["signatures"] if text.strip() else ():
        found.setdefault(entry["type"], Signature(entry["type"], entry.get("uuid") or "", entry.get("label") or ""))
    for sector in unseen_tables(path, "gpt" in found):
        found[f"gpt-{sector}"] = Signature(f"gpt-{sector}")
    # It belongs to a GPT. Where none is left, it says that there was one.
    if len(found) > 1:
        found.pop("PMBR", None)
    return tuple(found.values())


def is_busy(path: str) -> bool:
    """Whether somebody holds the device: what no signature tells (ZFS, a running virtual machine), this does."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
        return True
    return False


def _filesystem(host: Host, path: str) -> Filesystem | None:
    mounted = host.mounted(path)
    seen = [one.mount_point for one in host.mounts if one.device == path and not one.hidden]
    found = read_filesystem(path, seen[0] if seen else "")
    if found and not mounted and any(path in begun.devices for begun in host.unfinished):
        return found._replace(unused=is_unused(path))
    return found


def _is_empty(path: str) -> bool | None:
    """Whether a directory is empty; None where there is none, and a file is not empty.

    Raises StorageError where it could not be made.
    """
    try:
        return not os.listdir(path)
    except FileNotFoundError:
        check_writable(path)
        return None
    except NotADirectoryError:
        return False


def _space(point: str) -> tuple[int, int]:
    """Raises OSError: of a filesystem that was shut down xfs tells the space, and opens nothing."""
    descriptor = os.open(point, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstatvfs(descriptor)
    finally:
        os.close(descriptor)
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize


#: What is read of one device at a time, by the field of the state that holds it.
_OF_A_DEVICE: dict[str, Callable[[Host, str], Any]] = {
    "contents": lambda _host, path: _content(path),
    "filesystems": _filesystem,
    "compared": _filesystem,
    "tables": lambda _host, path: read_table(path),
    "rejections": lambda _host, path: _rejection(path),
    "attached": lambda _host, path: attached_to(path),
}


def _disks(host: Host) -> dict[str, DiskFacts]:
    """What is a device of its own, and not made of others."""
    return {
        device.path: _disk_facts(f"{SYS}/{device.kernel}")
        for device in host.devices.values()
        if not device.disk and os.path.isdir(f"{SYS}/{device.kernel}/device")
    }


def _disk_facts(base: str) -> DiskFacts:
    wwid = read_text(f"{base}/wwid") or read_text(f"{base}/device/wwid")
    return DiskFacts(
        serial=_serial(base),
        wwn=wwid if wwid.startswith(("naa.", "eui.", "uuid.")) else "",
        model=read_text(f"{base}/device/model"),
        rotational=read_text(f"{base}/queue/rotational") == "1",
        transport=_transport(os.path.realpath(base)),
    )


def _transport(path: str) -> str:
    """By the buses that its sysfs path goes through."""
    for part, transport in (
        ("/usb", "usb"),
        ("/session", "iscsi"),
        ("/ata", "sata"),
        ("/nvme", "nvme"),
        ("/end_device-", "sas"),
        ("/rport-", "fc"),
        ("/virtio", "virtio"),
        ("/mmc", "mmc"),
    ):
        if part in path:
            return transport
    return ""


def _lvm(host: Host) -> tuple[Lvm, str]:
    """What LVM tells, and why it did not tell all."""
    try:
        code, said, errors = ask_command((*_LVM_REPORT.split(), *_NO_BACKUP), _PATIENCE)
        reports = json.loads(said or "{}").get("report", ())
    except (StorageError, ValueError) as error:
        return Lvm(), str(error)
    groups, orphans = [], []
    for report in reports:
        if code and "lv" not in report:
            # The report of a group at which LVM failed ends where it did.
            continue
        volumes = [(_path(host, entry["pv_name"]), entry) for entry in report.get("pv", ())]
        if not report.get("vg") or not report["vg"][0].get("vg_name"):
            # Without metadata of its own, what a group uses looks like an orphan while the others are away.
            recorded = {path for record in host.unfinished for path in record.devices}
            orphans += [path for path, entry in volumes if path in recorded or not entry["pv_in_use"]]
            continue
        group = report["vg"][0]
        closed = [entry for _path, entry in volumes if not entry["pv_allocatable"]]
        places = _places(report, [entry["pv_name"] for entry in closed])
        groups.append(
            Group(
                name=group["vg_name"],
                extent_size=int(group["vg_extent_size"]),
                size=int(group["vg_size"]),
                free=int(group["vg_free"]) - sum(int(entry["pv_size"]) - int(entry["pv_used"]) for entry in closed),
                autoactivation=group.get("vg_autoactivation", "enabled") == "enabled",
                physical_volumes=tuple(
                    PhysicalVolume(
                        path,
                        int(entry["pv_size"]),
                        int(entry["dev_size"]),
                        int(entry["pv_used"]),
                        tuple(entry["pv_tags"].split(",")) if entry["pv_tags"] else (),
                        int(entry["pe_start"]),
                        entry["pv_uuid"],
                        bool(entry["pv_missing"]),
                        entry in closed,
                    )
                    for path, entry in volumes
                ),
                # In brackets are those that LVM made for itself, and snapshots that merge.
                volumes=tuple(
                    _logical_volume(host, entry, group, places)
                    for entry in report.get("lv", ())
                    if entry["lv_name"][:1] != "[" or "thicksnapshot" in entry["lv_role"].split(",")
                ),
                moving=tuple(_path(host, entry["move_pv"]) for entry in report.get("lv", ()) if entry.get("move_pv")),
                uuid=group["vg_uuid"],
                sequence=int(group["vg_seqno"]),
                exported=bool(group["vg_exported"]),
                fixed=not group["vg_extendable"],
                most_devices=int(group["max_pv"]),
                most_volumes=int(group["max_lv"]),
                room=_room("", group["vg_allocation_policy"], group, places),
            )
        )
    begun = {path: begun_group(path) for path in orphans} if host.unfinished else {}
    known = {path: name for path, name in begun.items() if name is not None}
    stray, hidden = _labelled(host, groups, orphans)
    # Groups that are missing in a report that failed are hidden by the failure.
    found = Lvm(tuple(groups), tuple(orphans), known, tuple(_list("/dev")), stray, () if code else hidden)
    return found, f"lvm fullreport ended with {code}: {errors}" if code else ""


#: Of each physical volume, in order: by which volume (empty: by none that could be) so many extents are used.
_Places = Mapping[str, Sequence[tuple[str, int]]]


def _places(report: Mapping[str, Any], closed: list[str]) -> _Places:
    found: dict[str, list[tuple[str, int]]] = {}
    for part in sorted(report.get("pvseg", ()), key=lambda part: int(part["pvseg_start"])):
        name = part["lv_name"] or ("[closed]" if part["pv_name"] in closed else "")
        found.setdefault(part["pv_name"], []).append((name, int(part["pvseg_size"])))
    return found


def _room(name: str, policy: str, group: Mapping[str, str], places: _Places) -> int | None:
    """What a volume (no name: a new one) can get by LVM's policy of allocation; None where that does not matter."""
    policy = group["vg_allocation_policy"] if policy == "inherit" else policy
    if policy == "contiguous":
        # On one device, and of a volume right behind it.
        behind = [
            size
            for parts in places.values()
            for one, (free, size) in zip(["", *(one for one, _size in parts)], parts)
            if not free and (one == name or not name)
        ]
        extents = max(behind, default=0)
    elif policy.startswith("cling") and name:
        own = [parts for parts in places.values() if name in [one for one, _size in parts]]
        extents = sum(size for parts in own for one, size in parts if not one)
    else:
        return None
    return extents * int(group["vg_extent_size"])


def _path(host: Host, volume: str) -> str:
    """The device of a physical volume; LVM calls one that is not here [unknown]."""
    path = os.path.realpath(volume) if volume.startswith("/") else volume
    return host.paths.get(path, path)


def _rejection(path: str) -> str:
    """What LVM has against a device; empty where it uses it, or would."""
    _code, _said, errors = ask_command(("lvm", "pvs", *_NO_BACKUP, path), _PATIENCE)
    found = _REJECTED.search(errors)
    return found.group(1) if found else ""


def _labelled(
    host: Host, groups: list[Group], orphans: list[str]
) -> tuple[tuple[StrayVolume, ...], tuple[StrayVolume, ...]]:
    """By the labels of devices that LVM does not use: copies and older states of the groups' physical volumes, and what
    LVM hides.

    What lies below a physical volume shows its label too (a member of an array, a path of a multipath device). What is
    inside a logical volume is a guest's, and LVM does not look there. What partitions that are in use lie over was lost
    with a former life of the disk.
    """
    in_use = {mount.device for mount in host.mounts}.union(host.swaps)
    used = {volume.device for group in groups for volume in group.physical_volumes}.union(orphans)
    members = {member.device for array in host.arrays for member in array.members}
    volumes = [volume for group in groups for volume in group.physical_volumes]
    missing = {volume.uuid for volume in volumes if volume.device not in host.devices}
    uuids = {group.uuid for group in groups} | {volume.uuid for volume in volumes}
    found, hidden = [], {}
    for device in host.devices.values():
        if device.silent or not device.size or device.path in used | members or used.intersection(device.holders):
            continue
        whole = host.devices.get(device.disk, device)
        # A partition of a path of a multipath device is seen as a partition of that as well.
        if whole is not device and whole.holders:
            continue
        if device.partitions and _is_used(device, host.devices, in_use):
            continue
        try:
            stray = read_physical_volume(device.path)
        except OSError:
            continue
        if stray is None:
            continue
        if stray.uuid not in missing and uuids.intersection((stray.uuid, stray.group_uuid)):
            found.append(stray)
        elif (stray.group or stray.elsewhere) and "LVM-" not in device.identity:
            hidden[stray.device] = stray
    concealed = tuple(stray for path, stray in hidden.items() if not set(host.devices[path].holders) & set(hidden))
    if not found:
        return (), concealed
    report = json.loads(run_command((*_DUPLICATES_REPORT.split(), *_NO_BACKUP)))["report"]
    twice = {_path(host, entry["pv_name"]) for entry in report[0]["pv"] if entry["pv_duplicate"]}
    return tuple(stray._replace(duplicate=stray.device in twice) for stray in found), concealed


def _logical_volume(host: Host, entry: Mapping[str, str], group: Mapping[str, str], places: _Places) -> LogicalVolume:
    name = entry["lv_name"].strip("[]")
    path = os.path.realpath(entry["lv_path"] or f"/dev/mapper/{mapper_name(group['vg_name'], name)}")
    return LogicalVolume(
        name=name,
        size=int(entry["lv_size"]),
        active=entry["lv_active"] == "active",
        autoactivation=entry.get("lv_autoactivation", "enabled") == "enabled",
        device=path if path in host.devices else "",
        health=entry.get("lv_health_status", ""),
        kind=_volume_kind(entry["lv_layout"].split(","), entry["lv_role"].split(",")),
        origin=entry["origin"] if "snapshot" in entry["lv_role"].split(",") else "",
        room=_room(entry["lv_name"], entry["lv_allocation_policy"], group, places),
        skipped=bool(entry["lv_skip_activation"]),
        locked=bool(entry["lv_allocation_locked"]),
        read_only=entry["lv_permissions"].startswith("read-only"),
    )


def _volume_kind(layout: list[str], role: list[str]) -> str:
    """LVM's type of a volume (raid,raid1 is raid1; thin,pool is thin-pool), empty of a linear one."""
    if "pool" in layout:
        return "-".join(layout)
    if "private" in role:
        return "-".join(role)
    if "snapshot" in role:
        return "snapshot"
    kind = layout[-1] if layout[0] == "raid" else layout[0]
    return "" if kind == "linear" else kind
