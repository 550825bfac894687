# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems: how each is made and grown, and how small it can be."""

from __future__ import annotations

from typing import Callable, NamedTuple


class Kind(NamedTuple):
    """Sizes in bytes: the ``least`` one, and how much at the end of a device it may leave unused (``slack``).

    ``make`` takes a device and a UUID, ``grow`` a device and where it is mounted.
    """

    least: int
    slack: int
    make: Callable[[str, str], tuple[str, ...]]
    grow: Callable[[str, str], tuple[str, ...]]


KINDS: dict[str, Kind] = {
    "btrfs": Kind(
        128 << 20,
        0,
        lambda device, uuid: ("mkfs.btrfs", "--quiet", "--uuid", uuid, device),
        lambda _device, point: ("btrfs", "filesystem", "resize", "max", point),
    ),
    "ext4": Kind(
        8 << 20,
        # A last block group with hardly more room than its own tables is left out.
        8 << 20,
        lambda device, uuid: ("mkfs.ext4", "-q", "-U", uuid, device),
        lambda device, _point: ("resize2fs", device),
    ),
    "xfs": Kind(
        300 << 20,
        0,
        lambda device, uuid: ("mkfs.xfs", "-q", "-m", f"uuid={uuid}", device),
        lambda _device, point: ("xfs_growfs", point),
    ),
}
