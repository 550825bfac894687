# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems as data."""

from __future__ import annotations

from typing import NamedTuple


class Filesystem(NamedTuple):
    """A filesystem by its own superblock; ``size`` is what it spans.

    ``sector`` is the largest sector size of a device on which it mounts, in bytes. ``unused``: no kernel has worked
    with it since it was made. It is read only where a record is about the device. ``devices`` is how many it spans,
    and ``generation`` how often it was written to: what was away from a btrfs of several devices has an older one.
    ``number`` is what the filesystem calls this one of its devices. ``damaged``: by itself, errors were found in it
    and nobody has repaired it. ``seed``: a btrfs that stays as it is, since others may have been made on it.
    """

    type: str
    uuid: str
    label: str = ""
    size: int = 0
    sector: int = 4096
    unused: bool = False
    devices: int = 1
    generation: int = 0
    damaged: bool = False
    number: int = 1
    seed: bool = False


class Subvolume(NamedTuple):
    """A subvolume of a btrfs: its number, its path from the top level, and whether it is what a mount without a name of
    one shows.
    """

    number: int
    path: str
    default: bool = False
