# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with volume groups."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import CRITICAL, NOTICE, WARNING, Finding, cut_off
from ..host import Host
from .past import how_to_show, what_is_hidden
from .state import Group, StrayVolume


def health(host: Host) -> Iterator[Finding]:
    """Of the groups that were read."""
    known = host.lvm
    for group in known.groups if known else ():
        yield from of_group(group)
    for stray in known.hidden if known else ():
        yield of_hidden(host, stray)
    for group in host.lvm.groups if host.lvm else ():
        for volume in group.physical_volumes:
            if volume.device in host.devices and host.devices[volume.device].size < volume.end and not volume.missing:
                yield cut_off(host.devices[volume.device], group.name, "the group", volume.end)


def of_group(group: Group) -> Iterator[Finding]:
    """What LVM misses of it. Nothing is changed in it until then."""
    for volume in group.physical_volumes:
        if not volume.missing:
            continue
        partial = [known.name for known in group.volumes if known.health == "partial"]
        meaning = f"Its volumes {', '.join(partial)} are not whole." if partial else "LVM changes nothing in it."
        here = volume.device.startswith("/")
        yield Finding(
            CRITICAL if partial else WARNING,
            volume.device if here else "",
            group.name,
            "missing",
            f"{volume.device} was away while the group changed, and LVM counts it as missing since"
            if here
            else f"its physical volume {volume.uuid} is missing",
            meaning,
            "A task with it says how LVM counts it again."
            if here
            else "Bring the device back. Do not take it out of the group (vgreduce --removemissing): that removes the "
            "volumes that lie on it.",
        )


def of_hidden(host: Host, stray: StrayVolume) -> Finding:
    """A group that LVM does not show. That another host has it may be meant so."""
    return Finding(
        NOTICE if stray.system_id or stray.lock_type else WARNING,
        stray.device,
        stray.device,
        "hidden",
        f"it is {what_is_hidden(host, stray)}",
        "Its volumes cannot be used, and other programs may take the device for unused.",
        f"{how_to_show(host, stray)}.",
    )
