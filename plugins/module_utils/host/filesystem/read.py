# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads filesystems, and what the kernel counts of those that are mounted."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping

from ...core.command import read_text
from ..devices import Device
from ..host import Host
from ..mount.state import Mount
from ..sysfs import digits, names_in
from .state import Filesystem
from .superblock import is_unused, read_filesystem


def ext_errors(device: str) -> tuple[str, ...]:
    count = int(digits(read_text(f"/sys/fs/ext4/{os.path.basename(device)}/errors_count")))
    return (f"{count} errors since it was last checked",) if count else ()


def on_each_device(mount: Mount, by_kernel: Mapping[str, Device]) -> list[Mount]:
    """A btrfs of several devices shows only one of them as mounted."""
    for members in glob.glob("/sys/fs/btrfs/*/devices"):
        kernels = names_in(members)
        if os.path.basename(mount.device) in kernels:
            mount = mount._replace(errors=_btrfs_errors(os.path.dirname(members)))
            return [mount] + [
                mount._replace(device=by_kernel[kernel].path)
                for kernel in kernels
                if kernel in by_kernel and by_kernel[kernel].path != mount.device
            ]
    return [mount]


def _btrfs_errors(base: str) -> tuple[str, ...]:
    """What a btrfs counted on its devices, and which of them it misses."""
    said: tuple[str, ...] = ()
    for number in names_in(f"{base}/devinfo"):
        if read_text(f"{base}/devinfo/{number}/missing") == "1":
            said += (f"its device {number} is missing",)
        stats = [line.split() for line in read_text(f"{base}/devinfo/{number}/error_stats").splitlines()]
        counted = [f"{count} {name}" for name, count in stats if count != "0"]
        if counted:
            said += (f"{' and '.join(counted)} on its device {number}",)
    return said


def read_filesystem_of(host: Host, path: str) -> Filesystem | None:
    mounted = host.mounted(path)
    seen = [one.mount_point for one in host.mounts if one.device == path and not one.hidden]
    found = read_filesystem(path, seen[0] if seen else "")
    if found and not mounted and any(path in begun.devices for begun in host.unfinished):
        return found._replace(unused=is_unused(path))
    return found
