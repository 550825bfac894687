# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers a host's storage: one cheap pass over sysfs, superblocks and configuration files, and the rest on demand.

Nothing here changes anything, or opens anything for writing. udev's database is not asked: it may lag behind.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ..core.errors import Unread
from ..core.files import read_file
from ..core.record import Record, read_records
from .bcache.journal import attached_to
from .bcache.read import read_backings, read_cache_sets
from .boot import array_lines, array_name, array_path, mdadm_conf, read_boot
from .devices import Device
from .disks import identity, once, other_paths, read_devices, read_disks, resolve
from .filesystem.read import read_filesystem_of
from .filesystem.state import Subvolume
from .host import Host, Unfinished
from .luks.crypttab import CRYPTTAB
from .luks.read import (
    by_crypttab,
    read_containers,
    read_header_in,
    read_keyslot,
    read_plains,
    wrong_with_key_file,
    wrong_with_tpm,
)
from .lvm.read import read_lvm, rejection
from .mount import fstab
from .mount.fstab import FSTAB
from .mount.read import is_empty_directory, leads_to, read_mounts, real_points, space
from .mount.state import Access
from .partition.read import with_names
from .partition.table import is_empty_table, read_table
from .probe import each, read_content
from .raid.read import read_arrays
from .superblocks import read_superblocks

#: Where the intents of steps are on record: what is below /var/lib survives a reboot.
RECORDS = "/var/lib/strata-storage"
#: What the rules' file names start with that this collection writes.
UDEV_RULES = "/etc/udev/rules.d/70-strata-"


def read(references: Iterable[str] = ()) -> Host:
    """The state of this host, and which devices the references mean."""
    devices = with_names(read_devices())
    by_kernel = {device.kernel: device for device in devices.values()}
    mounts, virtual, swaps = read_mounts(devices, by_kernel)
    paths = other_paths(devices, {mount.device for mount in mounts}.union(swaps))
    if paths:
        devices = once(devices, paths)
        standing = {device.kernel: paths.get(device.path, device.path) for device in by_kernel.values()}
        by_kernel = {kernel: devices[path] for kernel, path in standing.items() if path in devices}
        mounts, virtual, swaps = read_mounts(devices, by_kernel)
    superblocks, unreadable = read_superblocks(devices)
    backings = read_backings(superblocks, by_kernel)
    files = {path: read_file(path) for path in (mdadm_conf(), FSTAB, CRYPTTAB, *glob.glob(f"{UDEV_RULES}*"))}
    host = Host(
        devices=devices,
        links={},
        mounts=mounts,
        swaps=swaps,
        arrays=read_arrays(superblocks, by_kernel),
        backings=backings,
        cache_sets=read_cache_sets(superblocks),
        containers=read_containers(superblocks, by_kernel, by_crypttab(files[CRYPTTAB], devices, superblocks)),
        plains=read_plains(files[CRYPTTAB], devices, by_kernel),
        files=files,
        boot=read_boot(),
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
            **{line.device: leads_to(line, devices, paths) for line in named},
            **{reference: resolve(reference, devices, backings, paths) for reference in (*known, *references)},
        },
        real=real_points(host, named),
        called={array_path(array_name(host, array)): array.device for array in host.arrays if array.device},
    )


def read_more(host: Host, need: Unread) -> Host:
    """The state with what a planner asked for, or with why it cannot be read."""
    if need.what in _OF_A_DEVICE:
        found, failed = each(need.what, need.names, lambda name: _OF_A_DEVICE[need.what](host, name))
        known: dict[str, Any] = {need.what: {**getattr(host, need.what), **found}}
        return host._replace(unreadable={**host.unreadable, **failed}, **known)
    return _OF_THE_HOST[need.what](host, need)


def _directories(host: Host, need: Unread) -> Host:
    real = {path: os.path.realpath(path) for path in need.names}
    if any(os.path.ismount(path) for path in need.names):
        # systemd may have mounted something since: what was read then no longer goes with what is in there.
        fresh = read(host.links)
        if fresh.mounts != host.mounts:
            return fresh
    # A link is no place to mount on, and the planner asks for what it leads to if it has to know.
    found = {path: path == real[path] and is_empty_directory(path) for path in need.names}
    links = {path: place for path, place in real.items() if place != path}
    return host._replace(directories={**host.directories, **found}, real={**host.real, **links})


def _users(host: Host, need: Unread) -> Host:
    from .mount.users import users

    return host._replace(users={**host.users, **{point: users(point, host.swaps) for point in need.names}})


def _refusals(host: Host, need: Unread) -> Host:
    from .mount.users import refusal

    kind, option = need.names
    return host._replace(refusals={**host.refusals, need.names: refusal(kind, option)})


def _subvolumes(host: Host, path: str) -> tuple[Subvolume, ...]:
    from .filesystem.subvolumes import read_subvolumes

    return read_subvolumes(path, host.work_point(path))


def _access(point: str) -> Access:
    from .mount.access import read_access

    return read_access(point)


def _account(account: str) -> bool:
    from .mount.access import is_account

    return is_account(account)


def _spaces(host: Host, _need: Unread) -> Host:
    points = tuple(mount.mount_point for mount in host.mounts if not mount.hidden)
    spaces, failed = each("spaces", points, space)
    return host._replace(spaces=spaces, unreadable={**host.unreadable, **failed})


def _files(host: Host, need: Unread) -> Host:
    return host._replace(files={**host.files, **{path: read_file(path) for path in need.names}})


def _lvm(host: Host, _need: Unread) -> Host:
    lvm, why = read_lvm(host)
    return host._replace(lvm=lvm, unreadable={**host.unreadable, **({("lvm", ""): why} if why else {})})


def _rbd(host: Host, need: Unread) -> Host:
    from .rbd_map.read import read_more

    return read_more(host, need)


def _services(host: Host, need: Unread) -> Host:
    found = {unit: bool(glob.glob(f"/etc/systemd/system/*.wants/{unit}")) for unit in need.names}
    return host._replace(services={**host.services, **found})


def _keyslots(host: Host, need: Unread) -> Host:
    device, key = need.names
    return host._replace(keyslots={**host.keyslots, need.names: read_keyslot(device, key)})


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


#: What is read of one device at a time, by the field of the state that holds it.
_OF_A_DEVICE: dict[str, Callable[[Host, str], Any]] = {
    "contents": lambda _host, path: read_content(path),
    "filesystems": read_filesystem_of,
    "compared": read_filesystem_of,
    "tables": lambda _host, path: read_table(path),
    "rejections": lambda _host, path: rejection(path),
    "attached": lambda _host, path: attached_to(path),
    "backups": lambda _host, path: read_header_in(path),
    "subvolumes": _subvolumes,
    "accesses": lambda _host, point: _access(point),
    "accounts": lambda _host, account: _account(account),
    "kept": lambda _host, path: os.path.exists(path),
    "tpms": lambda _host, device: wrong_with_tpm(device),
    "key_files": lambda _host, path: wrong_with_key_file(path),
}
#: What else is read, by what a planner calls it.
_OF_THE_HOST: dict[str, Callable[[Host, Unread], Host]] = {
    "directories": _directories,
    "users": _users,
    "refusals": _refusals,
    "spaces": _spaces,
    "disks": lambda host, _need: host._replace(disks=read_disks(host)),
    "file": _files,
    "keyslots": _keyslots,
    "lvm": _lvm,
    "mapped": _rbd,
    "image": _rbd,
    "service": _services,
}
