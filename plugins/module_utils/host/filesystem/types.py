# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems: how each is made, named, grown and shrunk, and how small it can be."""

from __future__ import annotations

from typing import Callable, NamedTuple

Argv = tuple[str, ...]


class Kind(NamedTuple):
    """Sizes in bytes: the ``least`` one, the least that it shrinks to (``floor``), and how much at the end of a device
    it may leave unused (``slack``).

    ``grows_to`` is the least size that it can be grown to. ``known_as`` are the types by which fstab may mount it,
    beside its own.

    ``make`` takes a device, a UUID and a label; ``grow`` a device, where it is mounted, and the number that the
    filesystem has for it; ``name`` a device, where it is mounted (empty: nowhere) and a label of at most ``longest``
    bytes; ``shrink`` a device, where it is mounted, a size and that number. ``shrinks`` is online, offline, or why it
    does not. ``fsck_pass`` is the last field of its line in fstab. ``takes_back``: told to, a remount takes back an
    option that is in effect.
    """

    least: int
    floor: int
    slack: int
    longest: int
    make: Callable[[str, str, str], Argv]
    grow: Callable[[str, str, int], Argv]
    name: Callable[[str, str, str], Argv]
    shrinks: str
    shrink: Callable[[str, str, int, int], Argv] = lambda _device, _point, _size, _number: ()
    fsck_pass: str = "0"
    takes_back: bool = False
    grows_to: int = 0
    known_as: tuple[str, ...] = ("auto",)


def _labelled(label: str) -> Argv:
    return ("-L", label) if label else ()


KINDS: dict[str, Kind] = {
    "btrfs": Kind(
        least=128 << 20,
        floor=256 << 20,
        slack=0,
        longest=255,
        make=lambda device, uuid, label: ("mkfs.btrfs", "--quiet", "--uuid", uuid, *_labelled(label), device),
        grow=lambda _device, point, number: ("btrfs", "filesystem", "resize", f"{number}:max", point),
        name=lambda device, point, label: ("btrfs", "filesystem", "label", point or device, label),
        shrinks="online",
        shrink=lambda _device, point, size, number: ("btrfs", "filesystem", "resize", f"{number}:{size}", point),
        takes_back=True,
        # The kernel gives it no new size below this, in either direction.
        grows_to=256 << 20,
    ),
    "ext4": Kind(
        least=8 << 20,
        floor=8 << 20,
        # A last block group with hardly more room than its own tables is left out.
        slack=8 << 20,
        longest=16,
        make=lambda device, uuid, label: ("mkfs.ext4", "-q", "-U", uuid, *_labelled(label), device),
        grow=lambda device, _point, _number: ("resize2fs", device),
        name=lambda device, _point, label: ("e2label", device, label),
        shrinks="offline",
        shrink=lambda device, _point, size, _number: ("resize2fs", device, f"{size >> 10}K"),
        fsck_pass="2",
        takes_back=True,
    ),
    "xfs": Kind(
        least=300 << 20,
        floor=300 << 20,
        slack=0,
        longest=12,
        make=lambda device, uuid, label: ("mkfs.xfs", "-q", "-m", f"uuid={uuid}", *_labelled(label), device),
        grow=lambda _device, point, _number: ("xfs_growfs", point),
        name=lambda device, point, label: (
            ("xfs_io", "-c", f"label -s {label}" if label else "label -c", point)
            if point
            else ("xfs_admin", "-L", label or "--", device)
        ),
        shrinks="xfs cannot shrink; make a smaller one, and copy what this one holds",
    ),
    "swap": Kind(
        least=1 << 20,
        floor=1 << 20,
        slack=0,
        longest=15,
        make=lambda device, uuid, label: ("mkswap", "--uuid", uuid, *_labelled(label), device),
        grow=lambda device, _point, _number: ("mkswap", device),
        name=lambda device, _point, label: ("swaplabel", "-L", label, device),
        shrinks="anew",
    ),
}
#: What may be there, and is not made any more.
KINDS.update({older: KINDS["ext4"]._replace(known_as=("auto", "ext4")) for older in ("ext2", "ext3")})
