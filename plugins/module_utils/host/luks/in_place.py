# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that stays where it is: a filesystem that becomes encrypted, and a container that gets another cipher.

cryptsetup needs 32 MiB behind a filesystem: half of them becomes the header, and through the other half the data moves.
It writes the header over the beginning of the device, whose bytes it has moved to the end; where the power goes then,
neither is whole. So the beginning is kept in a file until there is a header, and put back after a crash.
"""

from __future__ import annotations

from typing import NamedTuple

from ...core.errors import Refused, StorageError
from ...core.plan import Command, new_uuid
from ...document.luks import Luks
from ...document.names import check_name
from ...document.sizes import show_size
from ..actions import BackUpHeader, Claim, DropBackup, EndMove, PutBack, Reencrypt, SaveBeginning
from ..devices import Device, Signature
from ..filesystem import shrink
from ..filesystem.contents import Place, with_filesystem
from ..filesystem.state import Filesystem
from ..filesystem.types.known import KNOWN
from ..host import Host, Unfinished
from ..mount import plan as mount
from ..mount.fstab import FSTAB, Line
from ..mount.state import Mount
from ..pause import pause
from ..safety import describe_content, is_own
from ..unfinished import anew, begun, ended, intent
from . import keys, volume_key
from .making import FIXED, OFFSETS, fixed_options, new_container, new_options
from .read import BACKUPS, PATIENCE, backup_path, beginning_path
from .state import Container
from .steps import Steps, container_on, replace_container, signature, step, with_container

_ROOM = 2 * OFFSETS["luks2"]
_NAME = "volume_key"


class Carried(NamedTuple):
    """What a device held before, which the container is going to show, and where that was mounted, by which lines."""

    filesystem: Filesystem
    mounts: tuple[tuple[Mount, Line], ...]


def changes(want: Luks, container: Container) -> list[str]:
    """The words for what is otherwise than wanted, and fixed when a container is made."""
    pairs = ((word, getattr(want, word), getattr(container.header, word)) for word in (*FIXED, _NAME))
    return [word for word, wanted, found in pairs if wanted is not None and found and wanted != found]


def holds_data(host: Host, want: Luks) -> bool:
    """Whether a device holds what is to be encrypted where it is, or held it before a crash."""
    device = host.find(want.device) if want.in_place and want.device else None
    if device is None:
        return False
    if _interrupted(host, want, device.path):
        return True
    return container_on(host, device.path) is None and bool(host.content(device.path)[device.path].signatures)


def encrypt(host: Host, want: Luks) -> tuple[Steps, Host, Container, Carried]:
    """The steps after which a container is around what the device holds, with all data yet to be encrypted.

    Raises Refused for what cannot be encrypted where it is, or only out of use where that is not allowed.
    """
    what = f"luks {want.name}"
    device = host.device(want.device or "", what)
    if want.key is None:
        raise StorageError(f"{what}: to encrypt {device.path} in place, say also: key_file or passphrase")
    if want.state != "present" or want.type == "luks1":
        word = "type luks1" if want.type == "luks1" else f"state {want.state}"
        raise StorageError(f"{what}: in_place makes a luks2 container that is open, and {word} is wanted")
    check_name(want.name, "luks", 127)
    keys.check_file(host, want, want.key)
    steps, host = _put_back(host, want, device)
    place = _place(host, device)
    mended, host = shrink.mend(host, place)
    filesystem = _check_content(host, device, what)
    down = _out_of_use(host, want, device, filesystem)
    shrunk, host, filesystem = _make_room(host, place, filesystem)
    online = KNOWN[filesystem.type].shrinks == "online"
    mounts = tuple(
        (one, line) for one in host.mounts if one.device == device.path for line in (mount.line_at(host, one),) if line
    )
    steps += (*mended, *(shrunk if online else ()), *down, *(() if online else shrunk))

    uuid = new_uuid(f"luks-{want.name}")
    claims = (Claim(device.path, device.identity, host.content(device.path)[device.path].signatures),)
    path = beginning_path(want.name)
    saved = SaveBeginning(device.path, path, _ROOM)
    detail = f"the first {_ROOM >> 20} MiB of {device.path} in {path}, until there is a header"
    steps += (step("save", want.name, detail, saved, claims=claims),)
    argv = ("cryptsetup", "reencrypt", "--batch-mode", "--encrypt", "--init-only", *new_options(want, "luks2", uuid))
    argv = (*argv, *keys.stretching(want.pbkdf), "--reduce-device-size", f"{_ROOM >> 20}M")
    command = Command((*argv, "--key-file", want.key.word, device.path), timeout=None, directory=BACKUPS)
    detail = f"a luks2 header before the {filesystem.type} of {device.path}"
    recorded = intent(thing(want), uuid, device.path)
    steps += (step("create", want.name, detail, command, claims=claims, flush=(device.path,), intent=recorded),)
    container = new_container(want, "luks2", uuid, device, "encrypting", reencryption="encrypt")
    host = host._replace(mounts=tuple(one for one in host.mounts if one.device != device.path))
    host = with_filesystem(host.with_content(device.path, signature(container)), device.path, None)
    host = with_container(anew(host, thing(want)), container, want.key)
    return steps, host, container, Carried(filesystem, mounts)


def put_to_use(host: Host, want: Luks, container: Container, carried: Carried) -> tuple[Steps, Host]:
    """What the container shows, mounted where it was before."""
    path = container.mapped
    found = carried.filesystem
    shown = Signature(found.type, found.uuid, found.label)
    host = with_filesystem(host.with_content(path, shown), path, found)
    steps: Steps = ()
    for one, line in carried.mounts:
        again = mount.mount_again(line, one, path)
        steps += (step("mount", want.name, f"its {found.type} on {one.mount_point}", again),)
        host = host._replace(mounts=(*host.mounts, one._replace(device=path)))
    return steps, host


def reencrypt(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """The step after which the data is on its way to another cipher, or another size of keys or sectors."""
    words = changes(want, container)
    if not want.in_place or not words or container.is_planned or container.header.reencryption:
        return (), host, container
    what = f"luks {want.name}: {words[0]} cannot change in place"
    header = container.header
    if header.version == 1:
        raise Refused(f"{what}: the container is luks1, and cryptsetup reencrypts that only offline and by hand")
    if len(header.keyslots) != 1 or header.tokens:
        raise Refused(
            f"{what}: cryptsetup keeps one key, and keyslots {' '.join(map(str, header.keyslots))} hold one each"
            f"{', with tokens' if header.tokens else ''}. Remove all but one (remove_keyslot), and add them again "
            "afterwards"
        )
    key = keys.key_of(host, want)
    if key is None:
        raise StorageError(f"{what}: say also key_file or passphrase")
    keys.check_unlocks(host, want, container, key)
    before, host, container = keys.back_up(host, want, container, always=True)
    if _NAME in words:
        more, host, container = volume_key.record(host, want, container, volume_key.replaced(want, container))
        before += more
    argv = (
        "cryptsetup",
        "reencrypt",
        "--batch-mode",
        "--init-only",
        *fixed_options(want),
        *keys.stretching(want.pbkdf),
    )
    command = Command((*argv, "--key-file", key.word, container.device), timeout=None)
    detail = " ".join(f"{word} {getattr(header, word)} -> {getattr(want, word)}" for word in words)
    claims = keys.claims(host, container)
    steps = (step("prepare", want.name, detail, command, claims=claims, flush=(container.device,)),)
    changed = container.header._replace(
        **{word: getattr(want, word) for word in words if word != _NAME},
        reencryption="reencrypt",
        digest="reencrypting",
        key_digest="new",
    )
    host, container = replace_container(host, container, container._replace(header=changed))
    return (*before, *steps), host, container


def end(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """The step after which a header says what is true: that all data is moved, and only its end was interrupted."""
    header = container.header
    key = keys.key_of(host, want)
    if not header.is_to_be_ended or key is None:
        return (), host, container
    keys.check_unlocks(host, want, container, key)
    argv = ("cryptsetup", "open", "--test-passphrase", "--batch-mode", "--key-file", key.word)
    actions = (BackUpHeader(container.device, backup_path(container.uuid)), EndMove(container.device, argv))
    detail = f"the {header.reencryption}ion of {container.device}: all of it is, and a crash interrupted the last of it"
    claims = keys.claims(host, container)
    steps = (step("end", want.name, detail, *actions, claims=claims, flush=(container.device,)),)
    done = header._replace(reencryption="", moved=(), damaged="", digest="ended")
    host, container = replace_container(host, container, container._replace(header=done))
    kept, host, container = keys.back_up(host, want, container, always=True)
    return (*steps, *kept), host, container


def finish(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """The steps after which all data of a container is as its header says. It is in use meanwhile, where it is open."""
    header = container.header
    if not want.in_place or not header.reencryption or header.is_all_moved:
        return (), host, container
    key = keys.key_of(host, want)
    if header.reencryption == "decrypt" or key is None:
        why = "it is being decrypted" if key else "say also key_file or passphrase"
        raise StorageError(f"luks {want.name}: what was begun in place cannot go on: {why}")
    keys.check_unlocks(host, want, container, key)
    argv = ("cryptsetup", "reencrypt", "--batch-mode", "--resume-only", "--key-file", key.word, container.device)
    dropped = (DropBackup(beginning_path(want.name)),) if header.reencryption == "encrypt" else ()
    detail = f"all of {container.device}{', which can be used meanwhile' if container.mapped else ''}"
    # What opens a container mends what a power cut left of it.
    mend = ("cryptsetup", "repair", "--batch-mode", "--key-file", key.word, container.device)
    mended = () if container.mapped else (Command(mend, timeout=PATIENCE),)
    actions = (*dropped, *mended, Reencrypt(container.device, argv))
    claims = keys.claims(host, container)
    steps: Steps = (step(header.reencryption, want.name, detail, *actions, claims=claims, flush=(container.device,)),)
    if header.reencryption == "encrypt" and container.mapped:
        resize = ("cryptsetup", "resize", "--batch-mode", "--key-file", key.word, want.name)
        steps += (step("grow", want.name, f"to the end of {container.device}", Command(resize, timeout=None)),)
        size = host.devices[container.device].size - header.offset
        host = host.with_size(container.mapped, size // header.sector_size * header.sector_size)
    done = header._replace(reencryption="", moved=(), digest=f"after {header.reencryption}")
    host, container = replace_container(host, container, container._replace(header=done))
    kept, host, container = keys.back_up(host, want, container, always=True)
    return (*steps, *kept), host, container


def size_inside(host: Host, container: Container) -> int:
    """How much of its device a container shows, in bytes."""
    header = container.header
    beside = _ROOM if header.reencryption == "encrypt" and not header.is_all_moved else header.offset
    return max(host.devices[container.device].size - beside, 0)


def thing(want: Luks) -> str:
    """How the record of a header that is being written calls it."""
    return f"encryption of {want.name}"


def _interrupted(host: Host, want: Luks, path: str) -> Unfinished | None:
    """The record of a crash while the header was written, if nobody has used the container since."""
    record = begun(host, thing(want))
    container = container_on(host, path)
    used = container is not None and bool(container.mapped or container.header.is_moved)
    return record if record and record.devices == (path,) and not used else None


def _put_back(host: Host, want: Luks, device: Device) -> tuple[Steps, Host]:
    """The device as it was before a crash."""
    record = _interrupted(host, want, device.path)
    if record is None:
        return (), host
    saved = beginning_path(want.name)
    found = host.filesystem(saved)
    if found is None:
        raise StorageError(
            f"luks {want.name}: a crash interrupted its encryption, and {saved}, in which the beginning of "
            f"{device.path} was kept, holds no filesystem. Nothing was changed"
        )
    recorded = intent(record.thing, record.uuid, device.path)
    detail = f"the beginning of {device.path}, over what a crash left of a header"
    steps = (step("restore", want.name, detail, PutBack(saved, device.path), intent=recorded),)
    host = ended(host, record)
    host = host._replace(containers=tuple(one for one in host.containers if one.device != device.path))
    host = host.with_content(device.path, Signature(found.type, found.uuid, found.label))
    return steps, with_filesystem(host, device.path, found)


def _place(host: Host, device: Device) -> Place:
    return Place("filesystem", host.shown(device.path), device.path, device.path, device.size, (device.path,))


def _check_content(host: Host, device: Device, what: str) -> Filesystem:
    """The filesystem on a device. Raises Refused for anything else."""
    refused = f"{what}: {device.path} cannot be encrypted in place"
    if device.read_only or device.partitions or device.holders:
        why = "is read-only" if device.read_only else "has partitions" if device.partitions else "is held by others"
        raise Refused(f"{refused}: it {why}")
    is_own(host, device, refused, allow=False)
    content = host.content(device.path)[device.path]
    filesystem = host.filesystem(device.path)
    if len(content.signatures) != 1 or filesystem is None or filesystem.type == "swap" or filesystem.devices > 1:
        held = describe_content(content)
        raise Refused(
            f"{refused}: it holds {held}, and only a filesystem on one device is encrypted where it is "
            f"({', '.join(one for one in KNOWN if one != 'swap')})"
        )
    if filesystem.damaged:
        raise Refused(f"{refused}: its {filesystem.type} says that errors were found in it; have it checked first")
    return filesystem


def _make_room(host: Host, place: Place, filesystem: Filesystem) -> tuple[Steps, Host, Filesystem]:
    """The filesystem, with room behind it. Raises Refused for one that cannot shrink."""
    room = (place.size - _ROOM) >> 20 << 20
    if filesystem.size <= place.size - _ROOM:
        return (), host, filesystem
    if not KNOWN[filesystem.type].can_shrink:
        raise Refused(
            f"{place}: it has to leave {show_size(_ROOM)} of {place.path} to the header, and spans "
            f"{show_size(filesystem.size)} of {show_size(place.size)}; {filesystem.type} cannot shrink. Make the "
            "device larger by so much, and leave the filesystem as it is"
        )
    shrink.check(host, place, filesystem, room)
    steps, host = shrink.shrink(host, place, filesystem, room)
    return steps, host, filesystem._replace(size=room)


def check_tags(host: Host, path: str, uuid: str, what: str) -> None:
    """Raises Refused where fstab names a device otherwise than by what stays with the filesystem."""
    for line in mount.lines(host):
        if host.links.get(line.device) == path and not line.tag.startswith(("UUID=", "LABEL=")):
            raise Refused(
                f"{what}: {FSTAB} mounts it on {line.mount_point} by {line.spec}, which is not where its filesystem is "
                f"then; have that line say UUID={uuid} first"
            )


def _out_of_use(host: Host, want: Luks, device: Device, filesystem: Filesystem) -> Steps:
    """The steps after which it is not mounted.

    Raises Refused where that is not allowed, or a boot would not find it in the container.
    """
    what = f"luks {want.name}: {device.path} cannot be encrypted in place"
    check_tags(host, device.path, filesystem.uuid, what)
    points = host.mounted(device.path)
    if points and not want.allow_offline:
        raise Refused(
            f"{what}: it is mounted on {' and '.join(points)}. Set allow_offline to unmount it until the container is "
            "open; the data is encrypted while it is mounted again"
        )
    return pause(host, device, what).down
