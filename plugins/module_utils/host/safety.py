# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between a plan and other people's data: nothing is taken that holds something, or that somebody uses."""

from __future__ import annotations

from ..core.errors import Refused, StorageError
from ..core.plan import Command, Step
from .actions import Claim
from .state import Content, Device, Host, Signature

_WORDS = {
    "linux_raid_member": "membership of a RAID array",
    "LVM2_member": "an LVM2 physical volume",
    "bcache": "a bcache superblock",
    "crypto_LUKS": "a LUKS container",
    "zfs_member": "membership of a ZFS pool",
    "ceph_bluestore": "a Ceph OSD (BlueStore)",
    "mpath_member": "a path of a multipath device",
    "drbd": "a DRBD device",
    "gpt": "a GPT partition table",
    "dos": "an MBR partition table",
    "swap": "a swap area",
    "unseen": "what can only be seen once it runs",
}


def describe(signature: Signature) -> str:
    """``an ext4 filesystem labelled "backup" (UUID 5f0c…)``."""
    words = _WORDS.get(signature.type)
    if words is None:
        article = "an" if signature.type[0] in "aeioux" else "a"
        words = f"{article} {signature.type} filesystem"
    label = f' labelled "{signature.label}"' if signature.label else ""
    return f"{words}{label}" + (f" (UUID {signature.uuid})" if signature.uuid else "")


def describe_content(content: Content) -> str:
    return " and ".join(describe(signature) for signature in content.signatures)


def usage(host: Host, device: Device) -> str:
    """How a device, or a partition of it, is in use right now; empty if it is not."""
    for path in (device.path, *device.partitions):
        whole = "" if path == device.path else f"its partition {path} "
        mounted = host.mounted(path)
        if mounted:
            return f"{whole}is mounted on {mounted[0]}".strip()
        if path in host.swaps:
            return f"{whole}is in use as swap".strip()
        holders = host.devices[path].holders if path in host.devices else ()
        if holders:
            return f"{whole}is held by {_holder(host, holders[0])}".strip()
    return ""


def _holder(host: Host, path: str) -> str:
    array = next((array for array in host.arrays if array.device == path), None)
    if array:
        return f"{path} (RAID array {array.name}, UUID {array.uuid})"
    return path


def check_unused(host: Host, device: Device, what: str, remedy: str) -> None:
    """Raises Refused, also with permission to destroy, where a device is in use."""
    found = usage(host, device)
    if found:
        raise Refused(f"{what}: {device.path} {found}. {remedy}")


def check_once(devices: list[Device], what: str) -> None:
    """Raises StorageError where two references mean one device."""
    for device in devices:
        if devices.count(device) > 1:
            raise StorageError(f"{what}: {device.path} is named twice, by different names")


def take(host: Host, device: Device, role: str, option: str, allow: bool) -> tuple[Step, ...]:
    """The steps after which a device is blank, none where it is; ``role`` is what it becomes (``a member of md0``).

    Raises Refused where the device is in use, or holds anything and ``allow`` is not given.
    """
    refused = f"{device.path}: refused as {role}"
    if device.read_only:
        raise StorageError(f"{refused}: it is read-only")
    if device.suspended:
        raise StorageError(f"{refused}: it is suspended (dmsetup resume), and nobody can read what it holds")
    if device.kernel and not device.size:
        raise StorageError(f"{refused}: it has no size now; start it first, if it is an array or another made device")
    check_unused(host, device, refused, f"Take it out of `{option}`, or put it out of use first.")
    paths = (*device.partitions, device.path)
    contents = host.content(*paths)
    for path in paths:
        if contents[path].busy:
            where = "it" if path == device.path else f"its partition {path}"
            holds = f", and it holds {describe_content(contents[path])}" if contents[path].signatures else ""
            raise Refused(
                f"{refused}: something has {where} open exclusively{holds}. "
                f"Take it out of `{option}`, or put it out of use first."
            )
    held = [(path, contents[path]) for path in paths if contents[path].signatures]
    if held and not allow:
        path, content = held[-1]
        where = "it" if path == device.path else f"its partition {path}"
        raise Refused(
            f"{refused}: {where} holds {describe_content(content)}. "
            f"Take it out of `{option}`, or set allow_destroy to destroy that."
        )
    return wipe_steps([(host.devices[path], content) for path, content in held])


def wipe_steps(held: list[tuple[Device, Content]], lost: bool = True) -> tuple[Step, ...]:
    """Erase what devices hold, in that order; ``lost``: that is data, and not what a crash left half made."""
    return tuple(
        Step(
            verb="wipe",
            kind="device",
            name=device.path,
            detail=f"{'' if lost else 'half-made: '}{describe_content(content)}",
            actions=(Command(("wipefs", "--all", device.path)),),
            claims=(Claim(device.path, device.identity, content.signatures),),
            flush=(device.path,),
            destroys=(f"{device.path}: {describe_content(content)}",) if lost else (),
        )
        for device, content in held
    )


def blank(device: Device) -> Claim:
    """The claim that a device is what it was, and holds nothing."""
    return Claim(device.path, device.identity, ())
