# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies above a device, out of use for a moment and in use again: for changes that it takes only while closed.

Nothing that a boot reads is touched: where the power goes meanwhile, the next boot brings everything back.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.errors import Refused
from ..core.plan import Command, Step
from .devices import Device
from .host import Host
from .mount.fstab import FSTAB
from .mount.plan import check_found, check_unmountable, line_at, line_of, lines, mount_again, swap_on


class Pause(NamedTuple):
    """The steps down, and up again."""

    down: tuple[Step, ...] = ()
    up: tuple[Step, ...] = ()


def pause(host: Host, device: Device, what: str) -> Pause:
    """Raises Refused where something lies above the device that is not a mount of fstab's, swap, or LVM's."""
    if device.partitions:
        raise Refused(f"{what}: {device.path} has partitions, which this release does not take out of use")
    groups = [
        group
        for group in (host.groups().groups if device.holders else ())
        if device.path in [volume.device for volume in group.physical_volumes]
    ]
    others = [f"{group.name}/{one.name} ({one.kind})" for group in groups for one in group.volumes if not one.usable]
    if others:
        raise Refused(f"{what}: {others[0]} is above it, which has to be put out of use first")
    volumes = [(group, volume) for group in groups for volume in group.volumes if volume.device]
    ours = {volume.device for _group, volume in volumes}
    foreign = [holder for holder in device.holders if holder not in ours]
    foreign += [holder for path in ours for holder in host.devices[path].holders if holder not in ours]
    if foreign:
        raise Refused(f"{what}: {device.path} is held by {foreign[0]}, which has to be put out of use first")
    down: tuple[Step, ...] = ()
    up: tuple[Step, ...] = ()
    devices = {device.path, *ours}
    for path in devices:
        going = [mounted for mounted in host.mounts if mounted.device == path]
        # No line of fstab goes: the next boot shows again what it showed before.
        check_unmountable(host, what, path, *devices, going=going, gone=lines(host))
    # In the order of the kernel, what is mounted inside another comes after it.
    for mounted in reversed([mounted for mounted in host.mounts if mounted.device in devices]):
        point = mounted.mount_point
        line = line_at(host, mounted)
        if line is None:
            raise Refused(
                f"{what}: {FSTAB} has no line by which {mounted.device} is mounted on {point}, so it could not be "
                "mounted again as it was"
            )
        check_found(host, what, mounted.device, line)
        # A line for another disk may come before it. The device may get another kernel name meanwhile.
        again = mount_again(line, mounted, line.tag or line.device)
        down += (Step("unmount", "mount", point, "for a moment", (Command(("umount", point)),)),)
        up = (Step("mount", "mount", point, "as before", (again,)), *up)
    for path in sorted(devices & set(host.swaps)):
        line = line_of(host, path)
        down += (Step("disable", "swap", path, "for a moment", (Command(("swapoff", path), timeout=3600),)),)
        up = (Step("enable", "swap", path, "as before", (swap_on(path, line.options if line else ""),)), *up)
    for group, volume in volumes:
        name = f"{group.name}/{volume.name}"
        off = Command(("lvchange", "--activate", "n", name))
        on = Command(("lvchange", "--activate", "y", name))
        down += (Step("deactivate", "volume", name, "for a moment", (off,)),)
        up = (Step("activate", "volume", name, "as before", (on,)), *up)
    return Pause(down, up)
