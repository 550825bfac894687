# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made layouts of a region (``set_storage_layout``): flat, lvm, bcache and blank."""

from __future__ import annotations

from .forms import Form
from .model import ApiError, BlockDevice, Filesystem, Machine, Partition, whole_blocks

LAYOUTS = ("blank", "bcache", "custom", "vmfs7", "lvm", "vmfs6", "flat")
_EFI = 512 << 20
_BOOT = 1 << 30


def set_layout(machine: Machine, form: Form) -> None:
    name = form.text("storage_layout", required=True)
    form.check()
    if name not in LAYOUTS:
        known = ", ".join(f"'{layout}'" for layout in LAYOUTS)
        raise ApiError(
            400, {"storage_layout": [f"'{name}' is not a valid storage_layout.  It should be one of: {known}."]}
        )
    if name == "custom":
        raise ApiError(500, "'NoneType' object has no attribute 'find_script_result'")
    if name.startswith("vmfs"):
        if machine.boot_disk and machine.boot_disk.size < 10**10:
            raise ApiError(400, {"boot_size": ["Boot disk must be at least 10Gb."]})
        raise ApiError(501, "the simulator has no VMFS")
    boot_disk = machine.boot_disk
    if name != "blank" and boot_disk is None:
        raise ApiError(400, {"__all__": ["There are currently no usable block devices"]})
    root_disk = boot_disk
    if form.text("root_device"):
        root_disk = machine.device(form.text("root_device"))
    sizes = {field: form.size(field) for field in ("boot_size", "root_size", "lv_size")}
    if boot_disk and root_disk:
        most = int(boot_disk.size - 2 * _EFI)
        if (sizes["root_size"] or 0) > most:
            form.add("root_size", f"Size is too large. Maximum size is {most}.")
    form.check()
    machine.clear()
    if name == "blank" or boot_disk is None or root_disk is None:
        return
    boot_size = sizes["boot_size"] or (_BOOT if name == "bcache" else 0)
    root = _boot_partitions(machine, boot_disk, root_disk, boot_size, sizes["root_size"])
    if name == "flat":
        root.filesystem = Filesystem("ext4", "root", mount_point="/")
    elif name == "lvm":
        _lvm(machine, root, form.text("vg_name") or "vgroot", form.text("lv_name") or "lvroot", sizes["lv_size"])
    else:
        _bcache(machine, root)


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
