# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts as data."""

from __future__ import annotations

from typing import NamedTuple


class Access(NamedTuple):
    """Who may do what in the top directory of a mounted filesystem. Owner and group each by number and by name."""

    owners: tuple[str, ...]
    groups: tuple[str, ...]
    mode: int


class Mount(NamedTuple):
    """A mount in effect. ``device`` is what the kernel calls its source where that is no block device.

    ``options`` are those of the mount, ``filesystem_options`` those of the filesystem, in the kernel's words. ``root``
    is the directory of the filesystem that is there. ``part``: that is neither its top nor a subvolume (a bind mount).
    ``hidden``: another mount lies over it. ``errors`` is what the filesystem counted, as sentences.
    """

    device: str
    mount_point: str
    type: str
    options: str
    filesystem_options: str = ""
    part: bool = False
    hidden: bool = False
    errors: tuple[str, ...] = ()
    root: str = "/"

    @property
    def subvolume(self) -> str:
        """The subvolume of a btrfs that is there; empty for the top level."""
        return "" if self.part else self.root.strip("/")
