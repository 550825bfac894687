# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume groups with a past: physical volumes that are missing, here twice, or here again in an older state."""

from __future__ import annotations

import re

from ...core.errors import Refused
from ...document.drive import Drive
from ...document.sizes import show_size
from ..devices import Device
from ..host import Host
from .state import Group, StrayVolume


def _parts(group: Group) -> str:
    """The volumes of which a part is missing."""
    names = [f"{volume.name} ({show_size(volume.size)})" for volume in group.volumes if volume.health == "partial"]
    return f", parts of {', '.join(names)}" if names else ""


def check_whole(host: Host, group: Group) -> None:
    """Raises Refused for a group in which LVM changes nothing, or which runs on other devices than LVM says."""
    what = f"drive {group.name}"
    if group.exported:
        raise Refused(f"{what}: its volume group is exported; take it in first (vgimport {group.name})")
    for volume in group.physical_volumes:
        if volume.device not in host.devices and not volume.missing:
            raise Refused(f"{what}: its physical volume {volume.device} is a device of a kind that is not managed here")
        hidden = next((stray for stray in host.groups().hidden if stray.uuid == volume.uuid), None)
        if hidden and volume.device not in host.devices:
            raise Refused(
                f"{what}: its physical volume {volume.uuid} is missing. {hidden.device} is {told_hidden(host, hidden)}"
            )
        if volume.device not in host.devices:
            raise Refused(
                f"{what}: its physical volume {volume.uuid} is missing, and what lies on it cannot be read: "
                f"{show_size(volume.used)}{_parts(group)}. Bring the device back; nothing is changed until then"
            )
        if volume.missing:
            raise Refused(
                f"{what}: {volume.device} was away while its group changed, and LVM counts it as missing since; what "
                "lies on it is as it was then. Have LVM count it again "
                f"(vgextend --restoremissing {group.name} {volume.device}). For volumes of LVM's types raid and "
                "mirror, bring it up to date then (lvchange --refresh)"
            )
        size = max(host.devices[volume.device].size, volume.device_size)
        if 0 < size < volume.end:
            raise Refused(
                f"{what}: the group has {show_size(volume.end)} of {volume.device}, which has {show_size(size)}: it "
                "was made smaller. Nothing was changed; make it as large as before, and what lay behind its end is "
                "there again unless something else was written there"
            )
    for stray in strays(host, group):
        runs = bool(host.devices[stray.device].holders)
        if stray.duplicate or runs:
            used = next(volume.device for volume in group.physical_volumes if volume.uuid == stray.uuid or runs)
            why = (
                f"Volumes run on {stray.device} now: what was written since they were activated is only there"
                if runs
                else "LVM changes nothing in the group while it sees both"
            )
            raise Refused(
                f"{what}: LVM takes {used} for its physical volume (metadata {group.sequence}), and {stray.device} is "
                f"{_what_it_is(group, stray)}. {why}. Disconnect the one that is not wanted. To keep both, give the "
                f"copy an identity of its own while nobody uses it (vgimportclone {stray.device})"
            )


#: What LVM has against a device that it takes once that is erased, or larger, or as soon as it is told to take it.
_PASSING = ("partitioned", "md component", "raid component", "signature", "too small", "not in devices file")


def check_accepted(host: Host, device: Device, what: str) -> None:
    """Raises Refused for a device that LVM would not take, whatever it holds."""
    reason = host.rejection(device.path)
    if reason and not any(word in reason for word in _PASSING):
        raise Refused(
            f"{device.path}: refused as a device of {what}: LVM does not use it ({reason}). Take it out of `devices`, "
            f"or have LVM use it{_FILTER * ('filter' in reason)}"
        )


_FILTER = " (filter and global_filter, in lvm.conf and lvmlocal.conf)"


def check_hidden(host: Host, name: str) -> None:
    """Raises Refused where devices hold a group of that name that LVM does not show: a second one would be made."""
    for stray in host.groups().hidden:
        if stray.group == name:
            raise Refused(f"drive {name}: {stray.device} is {told_hidden(host, stray)}")


def check_not_hidden(host: Host, device: Device, what: str) -> None:
    """Raises Refused for a physical volume of a group that LVM does not show, also with permission to destroy."""
    for stray in host.groups().hidden:
        if stray.device == device.path:
            raise Refused(
                f"{device.path}: refused as a device of {what}: it is {told_hidden(host, stray)}. Or take it out of "
                "`devices`"
            )


def told_hidden(host: Host, stray: StrayVolume) -> str:
    """What such a device is, why LVM does not show that, and what can be done without losing it."""
    return f"{what_is_hidden(host, stray)}. {how_to_show(host, stray)}"


def what_is_hidden(host: Host, stray: StrayVolume) -> str:
    volumes = f" (with the volumes {', '.join(stray.volumes)})" if stray.volumes else ""
    group = f"volume group {stray.group}{volumes}" if stray.group else "a volume group whose metadata is elsewhere"
    reason = host.rejection(stray.device)
    if not reason:
        if stray.system_id:
            reason = f"it belongs to the host with the system ID {stray.system_id}"
        elif stray.lock_type:
            reason = f"hosts share it, by locks of type {stray.lock_type}"
        elif _has_paths(host, stray):
            reason = "its disk has several paths, and LVM uses none of them before multipathd has joined them"
        else:
            reason = "LVM does not say why"
    return f"a physical volume of {group}, which LVM does not show here: {reason}"


def how_to_show(host: Host, stray: StrayVolume) -> str:
    """What has LVM show a group, without a change to what it holds."""
    reason = host.rejection(stray.device)
    if "not in devices file" in reason:
        return f"To have LVM use it: lvmdevices --adddev {stray.device}"
    if reason:
        return f"To have LVM use it, mend that{_FILTER * ('filter' in reason)}"
    if stray.system_id:
        return "Leave it to that host. A host takes it over only once no other one uses it (lvmsystemid(7))"
    if stray.lock_type:
        return f"Start its locks first (vgchange --lockstart {stray.group})"
    if _has_paths(host, stray):
        return "Have multipathd join them"
    return f"See what `pvs {stray.device}` says"


def _has_paths(host: Host, stray: StrayVolume) -> bool:
    return (host.devices[stray.device].disk or stray.device) in host.paths.values()


def check_gone(host: Host, name: str) -> None:
    """Raises Refused where a group is not to be seen, and lies on an array that does not run, by LVM's backup of it."""
    stopped = [array for array in host.arrays if not array.running]
    backup = f"/etc/lvm/backup/{name}"
    for path in re.findall(r'\bdevice = "(/dev/md[^"]+)"', host.file(backup) or "") if stopped else ():
        if not any(array.running and array.device == path for array in host.arrays):
            which = " and ".join(f"{array.name or array.uuid} (UUID {array.uuid})" for array in stopped)
            raise Refused(
                f"drive {name}: no such volume group is to be seen, and by {backup} it lies on {path}, which does not "
                f"run; RAID array {which} is stopped. Start it first, so that its volumes can be seen. Where the group "
                f"is gone for good, remove {backup}"
            )


def strays(host: Host, group: Group) -> list[StrayVolume]:
    """The devices that hold a copy of a physical volume of the group, or an older state of the group."""
    return [
        stray
        for stray in host.groups().stray
        if _is_copy(group, stray) or (group.uuid and stray.group_uuid == group.uuid)
    ]


def warnings(host: Host, group: Group) -> tuple[str, ...]:
    """What is beside the group and may be taken for it, or would be lost with it."""
    return tuple(
        f"drive {group.name}: {stray.device} is {_what_it_is(group, stray)}. It is left as it is"
        + "; disconnect it, since a boot may take it in place of the other" * _is_copy(group, stray)
        for stray in strays(host, group)
        if not host.content(stray.device)[stray.device].busy
    )


def check_stray(host: Host, want: Drive, device: Device, allow: bool) -> None:
    """Raises Refused for a device with a copy or an older state of a group, which may be all that is left of it."""
    for group in host.groups().groups:
        stray = next((stray for stray in strays(host, group) if stray.device == device.path), None)
        if stray and not host.may_lose(device.path, allow):
            raise Refused(
                f"{device.path}: refused as a device of {want.name}: it is {_what_it_is(group, stray)}. Take it out of "
                "`devices`; what it holds can be read on another host"
            )


def check_alone(host: Host, group: Group) -> None:
    """Raises Refused where the group would be there again, once it is removed, as another device holds it."""
    for stray in strays(host, group):
        raise Refused(
            f"drive {group.name} cannot be removed while {stray.device} is here: it is {_what_it_is(group, stray)}, "
            "and LVM would take that for the group. Disconnect it first"
        )


def _is_copy(group: Group, stray: StrayVolume) -> bool:
    return stray.uuid in [volume.uuid for volume in group.physical_volumes]


def _what_it_is(group: Group, stray: StrayVolume) -> str:
    if _is_copy(group, stray):
        age = "an older" if stray.sequence < group.sequence else "a"
        return f"{age} copy of a physical volume of group {group.name} (metadata {stray.sequence})"
    volumes = f", with the volumes {', '.join(stray.volumes)}" if stray.volumes else ""
    return (
        f"a former physical volume of group {group.name}, which went on without it: metadata {stray.sequence}, and the "
        f"group has {group.sequence} now{volumes}"
    )
