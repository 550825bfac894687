# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a document stands on: the boot disk, and one of the region's ready-made layouts."""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Plan
from ..document.partition import Partition
from ..document.sizes import show_size
from .actions import AllUnchanged, Call, fields, step
from .document import Datastore, Wanted
from .identity import is_uuid
from .safety import describe
from .stand_in import other_boot_disk
from .state import DISK, MEMBERS, PARTITION, Device, Filesystem, Machine

#: What the root filesystem of a layout is on.
_ROOT_ON = {"flat": "partition", "lvm": "volume", "bcache": "bcache"}
#: Where a layout mounts what it makes.
_POINTS = ("/", "/boot", "/boot/efi")
#: What ESXi needs of a boot disk, in bytes.
_ESXI_NEEDS = {"vmfs6": 10 << 30, "vmfs7": 32 << 30}
_SSD = "ssd"
#: What a step makes that applies one.
_KIND = "base layout"
#: How the names begin of what layouts make beside partitions.
_NAMES = ("vgroot", "bcache0", "datastore1")


def plan(machine: Machine, want: Wanted, allow: tuple[str, ...], blank: bool) -> Plan:
    """The boot disk first: a layout is made on the one that there is. ``blank``: nothing is there beside the document.

    Raises Refused where a layout would wipe something without permission.
    """
    boot, name = _disk(machine, want.boot_disk, "boot_disk"), want.base_layout
    root = _disk(machine, want.root_device, "root_device")
    if name is None or (blank if name == "blank" else _has(machine, name, boot, root)):
        return _first(machine, boot)
    found = _all(machine)
    if found and "base_layout" not in allow:
        raise Refused(
            f"base_layout: {name} removes all that {machine.hostname} has ({'; '.join(found)}). Take base_layout out "
            "of the document to keep that; base_layout in allow_destroy lets it go"
        )
    disks = {key: disk for key, disk in machine.devices.items() if disk.kind == DISK}
    wiped = machine._replace(
        devices=disks, raids=(), cache_sets=(), bcaches=(), groups=(), special=(), datastores=()
    ).blank(*disks)
    first = _first(wiped, boot)
    _check(first.after, name, root)
    call = Call(
        "POST",
        f"machines/{machine.system_id}/",
        fields(storage_layout=name, root_device=root.id if root else None),
        op="set_storage_layout",
    )
    detail = "on blank disks" + (f", its root on {root.key}" if root else "")
    used = (
        f"{'partition' if one.kind == PARTITION else 'device'} {one.id}: {one.used_for}"
        for one in machine.devices.values()
        if not one.planned
    )
    same = AllUnchanged(f"machines/{machine.system_id}/", tuple(sorted(used)), machine.hostname)
    steps = (*first.steps, step("apply", _KIND, name, detail, call, claims=(same,), destroys=found))
    if name == "blank":
        return Plan(steps, first.after)
    more = f"{machine.hostname}: base layout {name}"
    if want.document.sections or want.special or want.tags or want.gone:
        more = f"{machine.hostname}: all other items are planned once base layout {name} is set"
    return Plan(steps, first.after, in_progress=(more,))


def _all(machine: Machine) -> tuple[str, ...]:
    """What a machine has: each filesystem as what it is, and what else devices are a part of."""
    found = []
    for one in machine.devices.values():
        if one.filesystem:
            found.append(f"{one.key}: {describe(one.filesystem)}")
        elif one.member:
            found.append(f"{one.key}: {MEMBERS[one.member]} ({one.user})")
        elif one.kind == PARTITION:
            found.append(f"{one.key}: a partition of {show_size(one.size)}")
    found += [f"{one.mount_point}: a special filesystem {one.type}" for one in machine.special]
    return tuple(found)


def wipes(planned: Plan) -> bool:
    """Whether a layout is applied."""
    return any(one.kind == _KIND for one in planned.steps)


def taken(machine: Machine, want: Wanted) -> Machine:
    """A blank machine with its disks taken that the layout makes its root and its boot partitions on."""
    if want.base_layout not in _ROOT_ON:
        return machine
    root = machine.find(want.root_device or machine.boot_disk)
    for disk in {one.key: one for one in (machine.find(machine.boot_disk), root) if one}.values():
        held = Filesystem("ext4", mount_point="/") if disk == root else Filesystem("fat32")
        key = f"base layout {want.base_layout} on {disk.key}"
        machine = machine.with_device(Device(key, "", PARTITION, machine.free(disk), held, disk=disk.key, number=1))
    return machine


def may_make(name: str) -> bool:
    """Whether a layout may make a device of that name."""
    return "-part" in name or is_uuid(name) or name.rpartition("/dev/")[2].startswith(_NAMES)


def makes(machine: Machine, item: Any) -> bool:
    """Whether an item may be one that a layout makes."""
    if isinstance(item, Partition):
        disk = machine.find(item.device)
        own = disk is not None and any(part.key.startswith("base layout ") for part in machine.partitions(disk.key))
        return own and may_make(item.name)
    # A datastore needs what a layout of ESXi makes.
    return isinstance(item, Datastore) or str(item.name).startswith(_NAMES)


def _first(machine: Machine, boot: Device | None) -> Plan:
    if boot is None or boot.key == machine.boot_disk:
        return Plan((), machine)
    return other_boot_disk(machine, boot)


def _disk(machine: Machine, text: str | None, option: str) -> Device | None:
    if text is None:
        return None
    disk = machine.device(text, option)
    if disk.kind != DISK:
        why = "a machine boots from a disk" if option == "boot_disk" else "a root_device is a disk"
        raise StorageError(f"{option}: {disk.key} is a {disk.kind}, and {why}")
    return disk


def check_boot_disk(machine: Machine, want: Wanted, former: str) -> None:
    """Raises Refused where a new boot disk is in use as a whole, once all else is planned that might let go of it.

    ``former`` is the one that the machine had: what it is in use for is nothing that this task does.
    """
    disk = _disk(machine, want.boot_disk, "boot_disk")
    if disk and disk.key != former and (disk.filesystem or disk.member):
        held = disk.user or "a filesystem"
        raise Refused(
            f"boot_disk: {disk.key} is in use as a whole ({held}); a boot disk has partitions. Choose another"
        )


def _has(machine: Machine, name: str, boot: Device | None, root: Device | None) -> bool:
    """The layouts are known by what the root is on, and where: on the disks that are said, else on any."""
    wanted = root or boot
    if name in _ESXI_NEEDS:
        layout, disk = machine.esxi
        return (layout, disk) == (name, wanted.key if wanted else disk)
    device = machine.mounted("/")
    if device is None or device.kind != _ROOT_ON[name]:
        return False
    if wanted and wanted.key not in _disks(machine, device.key):
        return False
    firmware = [found.key for point in _POINTS[1:] if (found := machine.mounted(point))]
    return boot is None or all(boot.key in _disks(machine, key) for key in firmware)


def _disks(machine: Machine, key: str) -> set[str]:
    """The disks that a device is on at last, without those that only cache it."""
    backing = [one.backing for one in machine.bcaches if one.device == key]
    below = backing or machine.below(key)
    return set().union(*(_disks(machine, one) for one in below)) if below else {key}


def items(machine: Machine, want: Wanted) -> frozenset[str]:
    """The devices of the layout that the document stands on: it names them with it."""
    if want.base_layout in (None, "blank"):
        return frozenset()
    if want.base_layout in _ESXI_NEEDS:
        known = {one.key for one in machine.partitions(machine.esxi[1])} if machine.esxi[0] else set()
        return frozenset(known | {one.device for one in machine.datastores if known & {*one.devices}})
    found: set[str] = set()
    left = [device.key for point in _POINTS if (device := machine.mounted(point))]
    while left:
        key = left.pop()
        if key not in found:
            found.add(key)
            left += machine.below(key)
    return frozenset(found)


def _check(machine: Machine, name: str, root: Device | None) -> None:
    """Raises Refused for what the region would refuse, or could not boot from."""
    if name == "blank":
        return
    boot = machine.devices.get(machine.boot_disk)
    if boot is None:
        raise Refused(f"base_layout: {name} needs a disk, and {machine.hostname} has none that it could boot from")
    least = _ESXI_NEEDS.get(name, 0)
    if boot.size < least:
        raise Refused(
            f"base_layout: {name} needs a boot disk of at least {show_size(least)}, and {boot.key} has "
            f"{show_size(boot.size)}. Say another boot_disk"
        )
    taken = {boot.key, root.key if root else boot.key}
    fast = [one.key for one in machine.devices.values() if _SSD in one.tags and one.key not in taken]
    if name == "bcache" and not fast:
        raise Refused(
            f"base_layout: bcache needs a disk with the tag {_SSD} beside {' and '.join(sorted(taken))}, and "
            f"{machine.hostname} has none"
        )
