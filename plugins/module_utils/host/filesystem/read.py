# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads filesystems: each type's superblock is a few hundred bytes at a known place."""

from __future__ import annotations

import os

from ..blocks import open_device
from ..host import Host
from .state import Filesystem
from .types.known import KNOWN, READ


def read_filesystem(path: str, mount_point: str = "") -> Filesystem | None:
    """The filesystem, or the swap area, on a device, if there is one of a known type.

    Of a mounted one the kernel is asked for the size: its superblock on the disk may be behind.
    """
    descriptor = open_device(path)
    try:
        found = next(filter(None, (known.read(descriptor) for known in READ)), None)
    finally:
        os.close(descriptor)
    size = KNOWN[found.type].size if found else None
    return found._replace(size=size(mount_point, found.number)) if found and size and mount_point else found


def is_unused(path: str) -> bool:
    """Whether no kernel has mounted the filesystem on a device for writing, or it was never finished."""
    descriptor = open_device(path)
    try:
        return next((known.unused(descriptor) for known in READ if known.read(descriptor)), False)
    finally:
        os.close(descriptor)


def read_filesystem_of(host: Host, path: str) -> Filesystem | None:
    mounted = host.mounted(path)
    seen = [one.mount_point for one in host.mounts if one.device == path and not one.hidden]
    found = read_filesystem(path, seen[0] if seen else "")
    if found and not mounted and any(path in begun.devices for begun in host.unfinished):
        return found._replace(unused=is_unused(path))
    return found
