# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems, on devices and partitions alike."""

from __future__ import annotations

from . import told
from .forms import Form
from .parts import ApiError, Filesystem, Holder, Partition, kind
from .request import Answer, Request

FSTYPES = ("ext2", "ext4", "xfs", "fat32", "vfat", "swap", "btrfs", "zfsroot")
SPECIAL = ("tmpfs", "ramfs")


def _find(request: Request, system_id: str, texts: tuple[str, ...], operation: str) -> Holder:
    words = ("partition", "node") if len(texts) > 1 else ("block device", "machine")
    machine = request.use(system_id, operation, *words)
    device = machine.device(texts[0])
    return machine.partition(device, texts[1]) if len(texts) > 1 else device


def _formatted(holder: Holder) -> Filesystem:
    if holder.filesystem is None:
        raise ApiError(400, f"{holder.word.capitalize()} is not formatted.")
    return holder.filesystem


def mount_point(form: Form) -> str:
    point = form.text("mount_point", required=True)
    if point and not point.startswith("/"):
        form.add("mount_point", "Enter a valid value.")
    return point


def format_(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "format")
    form = request.form
    fstype = form.choice("fstype", (*FSTYPES, *SPECIAL))
    label, uuid = form.text("label"), form.uuid()
    if isinstance(holder, Partition) and holder.base:
        raise ApiError(400, {"VMFS": ["Base VMFS partitions may not be formatted."]})
    found = holder.filesystem
    if found and (found.group or found.cache_set):
        raise ApiError(400, f"Cannot format a {holder.word} that has a filesystem type of {found.fstype}.")
    form.check()
    if fstype in SPECIAL:
        raise ApiError(400, {"__all__": ["Virtual filesystems must be mounted."]})
    if holder is holder.machine.boot_disk:
        said = (
            "Cannot place filesystem directly on the boot disk. Create a partition on the boot disk first and then "
            "format the partition."
        )
        raise ApiError(400, {"__all__": [said]})
    holder.filesystem = Filesystem(fstype, label)
    if uuid:
        holder.filesystem.uuid = uuid
    return told.holder(holder)


def unformat(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "unformat")
    found = _formatted(holder)
    if found.mount_point:
        raise ApiError(
            400,
            "Filesystem is mounted and cannot be unformatted. Unmount the filesystem before unformatting the "
            f"{holder.word}.",
        )
    if found.group:
        what = kind(found.group)
        raise ApiError(
            400,
            f"Filesystem is part of a {what}, and cannot be unformatted. Remove {holder.word} from {what} before "
            f"unformatting the {holder.word}.",
        )
    holder.filesystem = None
    return told.holder(holder)


def mount(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "mount")
    form, found = request.form, holder.filesystem
    point = "none" if found and found.fstype == "swap" else mount_point(form)
    form.check()
    if found is None:
        raise ApiError(400, {"__all__": ["Cannot mount an unformatted partition or block device."]})
    if found.group or found.cache_set:
        raise ApiError(400, {"__all__": ["Filesystem is part of a filesystem group, and cannot be mounted."]})
    if holder.machine.mounted(point, besides=found):
        raise ApiError(400, {"__all__": [f"Another filesystem is already mounted at {point}."]})
    found.mount_point, found.mount_options = point, form.text("mount_options")
    return told.holder(holder)


def unmount(request: Request, system_id: str, *texts: str) -> Answer:
    holder = _find(request, system_id, texts, "unmount")
    found = _formatted(holder)
    if not found.mount_point:
        raise ApiError(400, "Filesystem is already unmounted.")
    found.mount_point = found.mount_options = None
    return told.holder(holder)
