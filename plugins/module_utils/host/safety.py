# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between a plan and other people's data: nothing is taken that holds something, or that somebody uses."""

from __future__ import annotations

from functools import lru_cache

from ..core.errors import Refused, StorageError
from ..core.plan import Command, Step
from ..document import permission
from ..document.names import plain_wwn
from .actions import Claim, EraseTables
from .devices import Content, Device, Signature
from .host import Host
from .luks import crypttab
from .mount.fstab import FSTAB, lines
from .raid.state import OUTSIDE, SUPERBLOCK_FIRST, Array
from .raid.versions import describe as describe_member

#: How a record begins that is about a container whose header is in a file, so that its device looks blank.
DECRYPTION = "decryption of "
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
    "PMBR": "a protective MBR, which is what is left of a GPT partition table",
    "swap": "a swap area",
    "swsuspend": "a swap area with the memory of a system that hibernates",
    "unseen": "what can only be seen once it runs",
}


#: Signatures of what lies below filesystems, beside those of a ``…_member``.
_BELOW = ("bcache", "crypto_LUKS", "ceph_bluestore", "drbd", "DM_snapshot_cow", "DM_integrity", "DM_verity_hash")
#: What libblkid does not see: ``gpt-`` and the bytes of the sectors that it was written for.
_UNSEEN_TABLE = "gpt-"
#: How libblkid calls the members of what a controller's firmware makes (ddf, isw, …), all with metadata at the end.
_FIRMWARE = "_raid_member"


def describe(signature: Signature) -> str:
    """``an ext4 filesystem labelled "backup" (UUID 5f0c…)``."""
    if signature.type.startswith(_UNSEEN_TABLE):
        return f"a GPT partition table written for sectors of {_sectors(signature)} bytes"
    words = _WORDS.get(signature.type)
    if words is None and signature.type.endswith(_FIRMWARE):
        # What libblkid gives as a UUID there is any bytes.
        return f"membership of a RAID set of the firmware's ({signature.type[: -len(_FIRMWARE)]})"
    if words is None:
        article = "an" if signature.type[0] in "aeioux" else "a"
        words = f"{article} {signature.type} filesystem"
    label = f' labelled "{signature.label}"' if signature.label else ""
    return f"{words}{label}" + (f" (UUID {signature.uuid})" if signature.uuid else "")


def _sectors(signature: Signature) -> str:
    return signature.type[len(_UNSEEN_TABLE) :]


def describe_content(content: Content) -> str:
    return " and ".join(describe(signature) for signature in content.signatures)


def describe_held(host: Host, path: str, content: Content) -> str:
    """As describe_content; of a btrfs on several devices, also what else it is on."""
    said = describe_content(content)
    one = next((signature for signature in content.signatures if signature.type == "btrfs"), None)
    found = host.known_filesystems(path).get(path) if one and path in host.devices else None
    if found and found.seed:
        return f"{said}, which is a seed: each filesystem that was made on it is lost with it"
    if found is None or found.devices < 2:
        return said
    free = (device for device in host.devices.values() if device.size and not device.silent and not device.holders)
    known = host.known_filesystems(*(device.path for device in free))
    others = [other for other, carried in known.items() if carried and carried.uuid == found.uuid and other != path]
    return f"{said}, which spans {found.devices} devices (also {' '.join(others) or 'some that are not here'})"


def how_to_see(device: Device, content: Content) -> str:
    """What shows data that a device does not show as it is; empty where there is no such."""
    return "".join(
        " The kernel does not use that table: it is a backup alone, or one that was made for a larger device."
        if _sectors(signature) == str(device.sector)
        else f" It has sectors of {device.sector} bytes here; see what that table leads to by "
        f"losetup --read-only --sector-size {_sectors(signature)} --partscan --find --show {device.path}."
        for signature in content.signatures
        if signature.type.startswith(_UNSEEN_TABLE)
    )


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
    if array and array.uuid:
        return f"{path} (RAID array {array.name}, UUID {array.uuid})"
    return path if host.stable(path) == path else f"{path} ({host.stable(path)})"


def check_unused(host: Host, device: Device, what: str, remedy: str) -> None:
    """Raises Refused, also with permission to destroy, where a device is in use."""
    found = usage(host, device)
    if found:
        raise Refused(f"{what}: {device.path} {found}. {remedy}")


def array_of(host: Host, path: str) -> Array | None:
    """The array whose superblock a device carries, whether it runs or not."""
    return _by_member(host.arrays).get(path)


@lru_cache(maxsize=1)
def _by_member(arrays: tuple[Array, ...]) -> dict[str, Array]:
    """The arrays by the paths of their members, found once for all the devices of a document."""
    return {member.device: array for array in reversed(arrays) for member in array.members}


def shows_another(host: Host, device: Device) -> bool:
    """Whether what can be read on a device is the content of something that it, or its disk, is a part of."""
    below = [host.devices[path] for path in (device.path, device.disk) if path in host.devices]
    return any(part.holders or (array_of(host, part.path) and not _is_left_over(host, part)) for part in below)


def _is_left_over(host: Host, disk: Device) -> bool:
    """Whether the superblock of an array on a disk is one of a former life: partitions of the disk itself are in use.

    Content of an array is seen through a disk only where the superblock is at the end.
    """
    array = array_of(host, disk.path)
    at_beginning = array is not None and not array.running and array.metadata in SUPERBLOCK_FIRST
    return at_beginning and any(usage(host, host.devices[path]) for path in disk.partitions if path in host.devices)


def twins(host: Host, path: str, tag: str) -> list[str]:
    """The devices beside this one that a boot may find by a UUID or a label, of a filesystem or of a partition.

    A snapshot of LVM has those of its volume, and udev prefers the volume. A btrfs has one UUID on all its devices.
    """
    if tag.startswith("PART"):
        return [device.path for device in host.devices.values() if tag in device.part_tags and device.path != path]
    if "<" in tag or not tag:
        return []
    layers = {known for known, content in host.contents.items() if any(map(is_below, content.signatures))}
    others = host.compared_filesystems(
        *(
            device.path
            for device in host.devices.values()
            if device.path not in (path, *layers)
            and device.kernel
            and not _is_loop(device)
            and device.size
            and not device.silent
            and not device.partitions
            and not shows_another(host, device)
        )
    )
    same = [
        other
        for other, found in others.items()
        if found and found.devices == 1 and tag in (f"UUID={found.uuid}", f"LABEL={found.label}")
    ]
    return [other for other in same if not is_passing(host, other)]


def _is_loop(device: Device) -> bool:
    """Whether it is made of an image, or of another device: no boot does that before it mounts."""
    return device.kernel.startswith("loop")


def is_passing(host: Host, path: str) -> bool:
    """Whether no boot finds a filesystem on a device: on a snapshot of LVM, on what nothing activates, on a loop."""
    link = host.stable(path)
    if _is_loop(host.devices[path]) or any(device.link == f"{link}-cow" for device in host.devices.values()):
        return True
    groups = host.known_groups().groups if link.startswith("/dev/mapper/") else ()
    return any(volume.device == path and volume.skipped for group in groups for volume in group.volumes)


def is_own(host: Host, device: Device, what: str, allow: bool) -> bool:
    """Whether the content that a device shows is its own, and not that of something that the device is a part of.

    A partition is a part of what its disk is a part of. Raises Refused where it is a part and may not be given up;
    nothing that runs may be.
    """
    check_disk(host, device, what)
    return _is_own(host, device, device.path, what, allow)


def check_disk(host: Host, device: Device, what: str) -> None:
    """Raises Refused for a partition whose disk is a part of something, which no permission for the partition ends."""
    if device.disk in host.devices and not _is_left_over(host, host.devices[device.disk]):
        _is_own(host, device, device.disk, what, allow=False)


def _is_own(host: Host, device: Device, path: str, what: str, allow: bool) -> bool:
    where = path if path == device.path else f"its disk {path}"
    holders = host.devices[path].holders if path in host.devices else ()
    if holders:
        raise Refused(
            f"{what}: {where} is held by {_holder(host, holders[0])}, and a filesystem, swap area or bcache that "
            f"can be read on {device.path} is of that, or changes below it. Name what lies on top instead of "
            f"{device.path}"
        )
    array = array_of(host, path)
    if array and not host.may_lose(path, allow):
        others = " ".join(member.device for member in array.members if member.device != path)
        state = f"which is {array.device}" if array.device else "which does not run"
        raise Refused(
            f"{what}: {where} has a superblock of RAID array {array.name or array.uuid} (UUID {array.uuid}, also "
            f"on {others or 'no other device here'}), {state}; what can be read on {device.path} belongs to the "
            f"array, and its members would differ. Start the array if it does not run, and name its device "
            f"instead of {device.path}"
        )
    return array is None


def is_below(signature: Signature) -> bool:
    """Whether it is of what lies below filesystems."""
    return signature.type in _BELOW or signature.type.endswith("_member")


def check_single(host: Host, path: str, what: str) -> None:
    """Raises Refused where a device with a filesystem also carries the signature of what lies below filesystems."""
    for signature in host.content(path)[path].signatures:
        if is_below(signature):
            raise Refused(
                f"{what}: {path} holds {describe(signature)} beside what is wanted, and nobody can tell which of them "
                f"is in use; it was to hold one thing. Nothing was changed: see what each leads to before one is "
                f"given up (`wipefs {path}` lists them)"
            )


def check_may_grow(host: Host, device: Device, what: str) -> None:
    """Raises Refused where what a device holds is found by its distance from the end, and would be lost to a start.

    What is not found there any more looks blank, or like what the array holds.
    """
    array = array_of(host, device.path)
    if array and array.metadata in (*SUPERBLOCK_FIRST, "none"):
        return
    if array:
        raise Refused(
            f"{what}: {device.path} carries the superblock of a RAID array ({array.name or array.uuid}) at its "
            f"end (metadata {array.metadata}), and at the end of a larger device no start finds it. Nothing was "
            "changed. Have a larger device beside it, and list that in its place in `devices` of the array; or leave "
            "the size as it is"
        )
    content = host.content(device.path)[device.path]
    at_end = Content(tuple(one for one in content.signatures if one.type.endswith(_FIRMWARE) or one.type == "drbd"))
    if at_end.signatures:
        raise Refused(
            f"{what}: {device.path} holds {describe_content(at_end)}, whose metadata is found by its distance from the "
            "end of the device. Nothing was changed. Have a larger device beside it, and copy to that; or leave the "
            "size as it is"
        )


def check_no_version(host: Host, device: Device, what: str) -> None:
    """Raises Refused, also with permission to destroy, for a version of an array's data that is nowhere else."""
    for path in (device.path, *device.partitions):
        array = array_of(host, path)
        member = next((one for one in array.members if one.device == path), None) if array else None
        if array and member and member.role == "apart":
            raise Refused(
                f"{what}: {path} {describe_member(host, array, member)} (RAID array {array.name or array.uuid}). "
                f"Nothing was changed. Leave {path} out of this task. Which version is given up, only a raid task "
                "with that array says, in `discard_devices`"
            )


def check_once(devices: list[Device], what: str) -> None:
    """Raises StorageError where two references mean one device."""
    for device in devices:
        if devices.count(device) > 1:
            raise StorageError(f"{what}: {device.path} is named twice, by different names")


def permit(host: Host, names: tuple[str, ...], known: bool = True) -> Host:
    """The host whose named devices may lose what they hold: by path, serial number or WWN.

    A path that leads to nothing names what is gone by now. Raises StorageError for any other name that no disk has
    (``known`` False: that may be gone too).
    """
    found: list[str] = []
    for name in names:
        if name.startswith("/"):
            device = host.find(name)
            paths = [device.path] if device else []
        else:
            wwn = plain_wwn(name)
            facts = host.disk_facts()
            paths = [path for path, disk in facts.items() if name == disk.serial or wwn == plain_wwn(disk.wwn)]
            if known and not paths:
                what = "no item of the document, no path, and no disk's serial number or WWN"
                raise StorageError(permission.no_item(name, what))
            # Disks behind USB may have that of their bridge; the paths to one disk have one WWN.
            if len({facts[path].wwn or path for path in paths}) > 1:
                raise Refused(
                    f"allow_destroy: {name} is the serial number of {' and '.join(map(host.stable, paths))}. Nothing "
                    "was changed. Name the one that may lose what it holds by its path (/dev/disk/by-id) or WWN"
                )
        found += paths
    return host._replace(expendable=tuple(dict.fromkeys(found)))


def check_free(host: Host, device: Device, role: str, option: str) -> dict[str, Content]:
    """What a device and its partitions hold, in this order. Raises Refused, or StorageError, where it is in use, or
    cannot be written to; ``role`` is what it becomes (``a member of md0``).
    """
    refused = f"{device.path}: refused as {role}"
    if device.read_only:
        raise StorageError(f"{refused}: it is read-only")
    if device.suspended:
        raise StorageError(f"{refused}: it is suspended (dmsetup resume), and nobody can read what it holds")
    if device.kernel and not device.size:
        raise StorageError(f"{refused}: it has no size now; start it first, if it is an array or another made device")
    check_unused(host, device, refused, f"Take it out of `{option}`, or put it out of use first.")
    for path in (device.path, *device.partitions):
        check_not_decrypting(host, path, refused)
    check_lasting(host, device, refused, option)
    contents = host.content(*device.partitions, device.path)
    for path, content in contents.items():
        if content.busy:
            where = "it" if path == device.path else f"its partition {path}"
            holds = f", and it holds {describe_content(content)}" if content.signatures else ""
            raise Refused(
                f"{refused}: something has {where} open exclusively{holds}. "
                f"Take it out of `{option}`, or put it out of use first."
            )
    return contents


def take(host: Host, device: Device, role: str, option: str, allow: bool) -> tuple[Step, ...]:
    """The steps after which a device is blank, none where it is; ``role`` is what it becomes (``a member of md0``).

    Raises Refused where the device is in use, or holds anything and ``allow`` is not given.
    """
    refused = f"{device.path}: refused as {role}"
    contents = check_free(host, device, role, option)
    check_no_version(host, device, refused)
    check_disk(host, device, refused)
    for path in contents:
        check_reserved(host, path, refused, allow)
    held = [(path, content) for path, content in contents.items() if content.signatures]
    kept = [(path, content) for path, content in held if not host.may_lose(path, allow)]
    if kept:
        path, content = kept[-1]
        where = "it" if path == device.path else f"its partition {path}"
        raise Refused(
            f"{refused}: {where} holds {describe_held(host, path, content)}{_part_of(host, path, content)}."
            f"{how_to_see(host.devices[path], content)} Take it out of `{option}`{_remedy(host, device, path, content)}"
        )
    for path, content in held:
        check_boot(host, path, content, refused, remade=option == "filesystems")
    return wipe_steps([(host.devices[path], content) for path, content in held], host=host)


def check_not_decrypting(host: Host, path: str, refused: str) -> None:
    """Raises Refused, also with permission to destroy, for a device that looks blank and is decrypted in part."""
    record = next((one for one in host.unfinished if one.thing.startswith(DECRYPTION) and path in one.devices), None)
    if record:
        name = record.thing[len(DECRYPTION) :].partition(":")[0]
        raise Refused(
            f"{refused}: {path} looks blank, and holds the data of luks {name}, whose decryption was interrupted. "
            "Have that end first (a luks task with state decrypted)"
        )


def check_lasting(host: Host, device: Device, refused: str, option: str) -> None:
    """Raises Refused, also with permission to destroy, for a device whose content each boot destroys."""
    opened = {line.name: line.device for line in crypttab.lines(host.files.get(crypttab.CRYPTTAB))}
    for plain in host.plains:
        # A volume that was removed and is made again is the one that its line names.
        same = opened.get(plain.name) in _names(device)
        parts = (device.path, device.disk, *device.partitions)
        if same or (plain.device and plain.device in parts):
            raise Refused(
                f"{refused}: {crypttab.CRYPTTAB} has {plain.device or device.path} as {plain.name}, which each boot "
                f"encrypts with a new key, so that all it holds is lost. Take that away first (luks {plain.name} with "
                "state absent)"
            )
        if plain.mapped == device.path and option != "filesystems":
            raise Refused(
                f"{refused}: it has a new key at each boot, which makes an empty swap area of it, and it was to hold "
                "what lasts. Have a luks2 container for that"
            )


def _names(device: Device) -> tuple[str, ...]:
    """The paths of a device, also of a volume that is only planned."""
    parts = device.path.split("/")[2:]
    mapped = f"/dev/mapper/{'-'.join(part.replace('-', '--') for part in parts)}" if len(parts) == 2 else ""
    return tuple(name for name in (device.path, device.link, mapped) if name)


def check_reserved(host: Host, path: str, refused: str, allow: bool) -> None:
    """Raises Refused for a partition whose type says that it is needed, though it looks blank."""
    reserved = host.devices[path].reserved
    if reserved and not host.may_lose(path, allow):
        raise Refused(
            f"{refused}: {path} looks blank, and is a partition of the type {reserved}, which shows nothing of what it "
            f"is for. Leave it out, or name {host.stable(path)} in allow_destroy to have it overwritten"
        )


def _part_of(host: Host, path: str, content: Content) -> str:
    """What a device is a part of, as far as nobody has said that yet."""
    if not any(signature.type == "LVM2_member" for signature in content.signatures):
        return ""
    known = host.known_groups()
    for group in known.groups:
        if any(volume.device == path for volume in group.physical_volumes):
            return f" of volume group {group.name}"
    hidden = next((stray for stray in known.hidden if stray.device == path and stray.group), None)
    return f" of volume group {hidden.group}, which LVM does not show here" if hidden else ""


def _remedy(host: Host, device: Device, path: str, content: Content) -> str:
    """How to have a device for something else: by allow_destroy, unless data is lost with it that is here only."""
    if any(signature.type == "swsuspend" for signature in content.signatures):
        return ". Resume that system and shut it down, and its swap area is free again."
    array = array_of(host, path)
    if array and not array.running and any(one.device == path and one.role not in OUTSIDE for one in array.members):
        others = [member.device for member in array.members if member.device != path and member.role not in OUTSIDE]
        return (
            f". It is a member of RAID array {array.name or array.uuid} (also on {' '.join(others) or 'nothing else'} "
            "here), which does not run. A raid task with "
            f"`uuid: {array.uuid}` starts it, so that you see what it holds, or removes it (`state: absent`)."
        )
    return f", or name {host.stable(device.path)} in allow_destroy to destroy that."


def check_boot(host: Host, path: str, content: Content, refused: str, remade: bool = False) -> None:
    """Raises Refused where a boot would wait in vain for what is about to be erased, and end in an emergency shell.

    ``remade``: there is going to be a filesystem again, which a line finds that names the device and not its content.
    """
    names = [
        f"{tag}={value}" for one in content.signatures for tag, value in (("UUID", one.uuid), ("LABEL", one.label))
    ]
    for line in lines(host.files.get(FSTAB)):
        if not line.is_required:
            continue
        by_device = not line.tag.startswith(("UUID=", "LABEL=")) and host.links.get(line.device) == path
        by_tag = line.tag in names and not twins(host, path, line.tag)
        if by_tag or (by_device and not remade):
            raise Refused(
                f"{refused}: {path} is what {FSTAB} mounts on {line.mount_point} as {line.spec}, and the next boot "
                "would wait for that in vain; take that line out first, or add nofail to its options"
            )
    for opened in crypttab.lines(host.files.get(crypttab.CRYPTTAB)):
        by_tag = bool(opened.uuid) and f"UUID={opened.uuid}" in names
        if opened.is_required and (by_tag or host.links.get(opened.device) == path):
            raise Refused(
                f"{refused}: {path} is what {crypttab.CRYPTTAB} opens as {opened.name}, and the next boot would wait "
                "for that in vain; take that line out first, or add nofail to its options"
            )


def wipe_steps(held: list[tuple[Device, Content]], lost: bool = True, host: Host | None = None) -> tuple[Step, ...]:
    """Erase what devices hold, in that order; ``lost``: that is data, and not what a crash left half made.

    ``host``: what is lost with it on other devices is told too.
    """
    for device, content in held:
        if device.read_only:
            raise StorageError(f"{device.path} is read-only, and {describe_content(content)} cannot be erased from it")
    return tuple(
        Step(
            verb="wipe",
            kind="device",
            name=device.path,
            detail=f"{'' if lost else 'half-made: '}{describe_content(content)}",
            actions=(
                Command(("wipefs", "--all", device.path)),
                *(EraseTables(device.path) for one in content.signatures if one.type.startswith(_UNSEEN_TABLE)),
            ),
            claims=(Claim(device.path, device.identity, content.signatures),),
            flush=(device.path,),
            destroys=(
                (f"{device.path}: {describe_held(host, device.path, content) if host else describe_content(content)}",)
                if lost
                else ()
            ),
        )
        for device, content in held
    )


def emptied(host: Host, device: Device, what: str, allow: bool) -> tuple[tuple[Step, ...], Host]:
    """The steps after which a device that goes holds nothing; ``what``: which thing cannot be removed.

    Raises Refused where it is in use, or holds anything and ``allow`` is not given.
    """
    check_unused(host, device, what, "Take away what uses it first.")
    content = host.content(device.path)[device.path]
    if not content.signatures:
        return (), host
    if not host.may_lose(device.path, allow):
        raise Refused(f"{what}: {device.path} holds {describe_content(content)}. Set allow_destroy to destroy that.")
    check_boot(host, device.path, content, what)
    return wipe_steps([(device, content)]), host.with_content(device.path)


def blank(device: Device) -> Claim:
    """The claim that a device is what it was, and holds nothing."""
    return Claim(device.path, device.identity, ())
