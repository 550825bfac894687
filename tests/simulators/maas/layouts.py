# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made layouts of a region (``set_storage_layout``)."""

from __future__ import annotations

from . import custom
from .datastores import add_datastore
from .forms import Form
from .machine import Machine
from .parts import ApiError, BlockDevice, Filesystem, MiB, Partition, whole_blocks

LAYOUTS = ("blank", "bcache", "custom", "vmfs7", "lvm", "vmfs6", "flat")
_EFI = 512 << 20
_BOOT = 1 << 30
#: The partitions of ESXi's images by their numbers, in MiB; None is what is left. What it needs at least, in GiB, and
#: the last number that nobody may change.
_ESXI: dict[str, dict[int, float | None]] = {
    "vmfs6": {1: 3, 2: 4096, 3: None, 5: 249, 6: 249, 7: 109, 8: 285, 9: 2560},
    "vmfs7": {1: 100, 5: 4095, 6: 4095, 7: 25662832128 / MiB, 8: None},
}
_ESXI_NEEDS = {"vmfs6": 10, "vmfs7": 32}
_ESXI_LAST = {"vmfs6": 9, "vmfs7": 7}


def set_layout(machine: Machine, form: Form) -> None:
    name = form.text("storage_layout", required=True)
    form.check()
    if name not in LAYOUTS:
        known = ", ".join(f"'{layout}'" for layout in LAYOUTS)
        raise ApiError(
            400, {"storage_layout": [f"'{name}' is not a valid storage_layout.  It should be one of: {known}."]}
        )
    boot_disk = machine.boot_disk
    if name == "custom":
        custom.apply(machine)
        return
    if name in _ESXI and boot_disk and boot_disk.size < _ESXI_NEEDS[name] << 30:
        raise ApiError(400, {"boot_size": [f"Boot disk must be at least {_ESXI_NEEDS[name]}Gb."]})
    if name != "blank" and boot_disk is None:
        raise ApiError(400, {"__all__": ["There are currently no usable block devices"]})
    root_disk = _root_disk(machine, form) or boot_disk
    sizes = {field: form.size(field) for field in ("boot_size", "root_size", "lv_size")}
    if boot_disk and root_disk:
        most = int(boot_disk.size - 2 * _EFI)
        if (sizes["root_size"] or 0) > most:
            form.add("root_size", f"Size is too large. Maximum size is {most}.")
    form.check()
    machine.clear()
    if name == "blank" or boot_disk is None or root_disk is None:
        return
    if name in _ESXI:
        _esxi(machine, root_disk, name)
        return
    boot_size = sizes["boot_size"] or (_BOOT if name == "bcache" else 0)
    root = _boot_partitions(machine, boot_disk, root_disk, boot_size, sizes["root_size"])
    if name == "flat":
        root.filesystem = Filesystem("ext4", "root", mount_point="/")
    elif name == "lvm":
        _lvm(machine, root, form.text("vg_name") or "vgroot", form.text("lv_name") or "lvroot", sizes["lv_size"])
    else:
        _bcache(machine, root)


def _root_disk(machine: Machine, form: Form) -> BlockDevice | None:
    """A disk by its number: a region takes no name there."""
    text = form.text("root_device")
    known = {str(disk.id): disk for disk in machine.devices if disk.physical}
    if text and text not in known:
        choices = ", ".join(f"'{number}'" for number in known)
        form.add("root_device", f"'{text}' is not a valid root_device.  It should be one of: {choices}.")
    return known.get(text)


def _esxi(machine: Machine, disk: BlockDevice, name: str) -> None:
    """The partitions of an image, which keep their numbers, and a datastore on the one that takes what is left."""
    sizes = {number: int(size * MiB) if size else 0 for number, size in _ESXI[name].items()}
    left = whole_blocks(disk.size - disk.table_size - sum(sizes.values()))
    for number, size in sizes.items():
        part = machine.add_partition(disk, left, bootable=number == 1)
        part.size, part.index, part.base = size or left, number, number <= _ESXI_LAST[name]
        if not size:
            rest = part
    machine.vmfs = name
    add_datastore(machine, "datastore1", [rest])


def _boot_partitions(
    machine: Machine, boot_disk: BlockDevice, root_disk: BlockDevice, boot_size: int, root_size: int | None
) -> Partition:
    if machine.bios_boot_method == "uefi":
        efi = machine.add_partition(boot_disk, _EFI, bootable=True)
        efi.filesystem = Filesystem("fat32", "efi", mount_point="/boot/efi")
    if boot_size:
        boot = machine.add_partition(boot_disk, boot_size, bootable=True)
        boot.filesystem = Filesystem("ext4", "boot", mount_point="/boot")
    return machine.add_partition(root_disk, root_size or root_disk.available_size)


def _lvm(machine: Machine, root: Partition, group_name: str, name: str, size: int | None) -> None:
    group = machine.add_group("lvm-vg", group_name)
    machine.join(group, [root], "lvm-pv")
    volume = machine.add_virtual(group, name, whole_blocks(size or group.free), block_size=4096)
    volume.filesystem = Filesystem("ext4", "root", mount_point="/")


def _bcache(machine: Machine, root: Partition) -> None:
    fast = [disk for disk in machine.devices if "ssd" in disk.tags and not disk.used]
    if not fast:
        raise ApiError(400, {"__all__": ["Node doesn't have an available cache device to setup bcache."]})
    cache = machine.add_partition(fast[0], fast[0].available_size)
    cache_set = machine.add_cache_set()
    cache.filesystem = Filesystem("bcache-cache", cache_set=cache_set)
    group = machine.add_group("bcache", "bcache0", cache_mode="writethrough", cache_set=cache_set)
    machine.join(group, [root], "bcache-backing")
    group.device = machine.add_virtual(group, "bcache0", group.size)
    group.device.filesystem = Filesystem("ext4", "root", mount_point="/")
