# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Block devices, and what they hold: plain immutable data. Sizes are in bytes, devices are named by their paths."""

from __future__ import annotations

from typing import NamedTuple

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


class DiskFacts(NamedTuple):
    """What a disk says of itself; ``transport`` as lsblk calls it (sata, sas, nvme, usb, virtio, …)."""

    serial: str = ""
    wwn: str = ""
    model: str = ""
    rotational: bool = False
    transport: str = ""
