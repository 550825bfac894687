# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a type of filesystem."""

from __future__ import annotations

import fcntl
import os
from typing import Callable, NamedTuple

from ..state import Filesystem

Argv = tuple[str, ...]


def not_mounted(_kernel: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of a type of which the kernel tells nothing more than its mount."""
    return (), ()


class FilesystemType(NamedTuple):
    """Sizes in bytes: the ``least`` one, the least that it shrinks to (``floor``), and how much at the end of a device
    it may leave unused (``slack``). ``grows_to`` is the least size that it can be grown to.

    ``read`` is what its superblock on an open device says, if it is there; ``unused`` (of a device on which ``read``
    found it) whether no kernel has mounted it for writing since it was made, or it was never finished.
    ``size`` is what it spans by the kernel, by where it is mounted and the number that it has for a device (None: what
    its superblock says holds while it is mounted too). ``mounted`` takes the kernel's name of a mounted device, and
    returns those of all its devices, and what the kernel counts of its errors, as sentences.

    ``make`` takes a device, a UUID and a label; ``grow`` a device, where it is mounted, and the number that the
    filesystem has for it; ``label`` a device, where it is mounted (empty: nowhere) and a label of at most ``longest``
    bytes, without the characters ``not_in_labels``; ``shrink`` a device, where it is mounted, a size and that number.
    ``shrinks`` is online, offline, anew, or why it does not; ``grows``: it does so while it is
    mounted. ``label_mounted``: its label changes while it is mounted. ``uuid`` makes of a UUID that is drawn what the
    type has for one.

    ``known_as`` are the types by which fstab may mount it, beside its own. ``fsck_pass`` is the last field of its line
    in fstab. ``takes_back``: told to, a remount takes back an option that is in effect. ``makes_inodes``: it makes
    inodes when they are needed, and what it says of their number is no limit.
    """

    name: str
    least: int
    floor: int
    slack: int
    longest: int
    read: Callable[[int], Filesystem | None]
    unused: Callable[[int], bool]
    make: Callable[[str, str, str], Argv]
    label: Callable[[str, str, str], Argv]
    shrinks: str
    grow: Callable[[str, str, int], Argv] = lambda _device, _point, _number: ()
    grows: bool = True
    shrink: Callable[[str, str, int, int], Argv] = lambda _device, _point, _size, _number: ()
    size: Callable[[str, int], int] | None = None
    uuid: Callable[[str], str] = lambda drawn: drawn
    label_mounted: bool = True
    not_in_labels: str = ""
    mounted: Callable[[str], tuple[tuple[str, ...], tuple[str, ...]]] = not_mounted
    fsck_pass: str = "0"
    takes_back: bool = False
    makes_inodes: bool = False
    grows_to: int = 0
    known_as: tuple[str, ...] = ("auto",)

    @property
    def can_shrink(self) -> bool:
        return self.shrinks in ("online", "offline", "anew")

    def keeps_label(self, mount_point: str) -> str:
        """Why its label cannot change as it is mounted (empty: nowhere), as a predicate; empty where it can."""
        if self.label_mounted or not mount_point:
            return ""
        return (
            f"is mounted on {mount_point}, and the label of {self.name} changes only while it is not. Unmount it first "
            "(an empty mount_point does that), or leave its label as it is"
        )


def labelled(label: str) -> Argv:
    """The option by which most programs are given a label."""
    return ("-L", label) if label else ()


def ask(mount_point: str, what: int, buffer: bytearray) -> bytearray:
    """What a filesystem says to an ioctl. Raises OSError."""
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, what, buffer)
    finally:
        os.close(descriptor)
    return buffer
