# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container decrypted where it is: its data moves to the beginning of the device.

cryptsetup takes the header off the device, into a file, and without that nobody can read what is not decrypted yet.
Until data moves, the backup of the header undoes this. From then on the file alone tells how far it came, so it is on
disk before. Which of the two a crash interrupted, the records tell.

The beginning is decrypted last, and cryptsetup 2.6 says that this is done before it is. So a copy of it, in the clear,
is kept from the start, and written over what is there at the end. Nobody uses it meanwhile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan
from ...document.luks import Key, Luks
from ..actions import Claim, DropBackup, PutBack, Reencrypt, SaveBeginning
from ..devices import UNSEEN, Content
from ..filesystem.contents import with_filesystem
from ..filesystem.state import Filesystem
from ..host import Host
from ..mount.state import Mount
from ..pause import Pause, pause
from ..safety import DECRYPTION, usage
from ..unfinished import anew, begun, ended, intent
from . import keys
from .crypttab import line_of
from .in_place import check_tags
from .opening import open_container
from .read import BACKUPS, PATIENCE, backup_path, beginning_path
from .state import Container, mapper_path
from .steps import Steps, close, step, write_line


class Inside(NamedTuple):
    """What a container shows, how that goes out of use and into use again, and where it is mounted."""

    content: Content = UNSEEN
    filesystem: Filesystem | None = None
    mounts: tuple[Mount, ...] = ()
    used: Pause = Pause()


def plan(host: Host, want: Luks, container: Container | None) -> Plan:
    """What it takes. Raises Refused for a container that is in use, where it may not be unmounted."""
    moving, starting = begun(host, _moving(want)), begun(host, _starting(want))
    if moving:
        key = _key(host, want, backup_path(moving.uuid)) if _is_left(host, want) else None
        return _move(host, want, moving.devices[0], moving.uuid, key, Inside())
    steps: Steps = ()
    where = container.device if container else ""
    if starting:
        steps, host, container = _header_back(host, want, starting.devices[0], starting.uuid)
        where = backup_path(starting.uuid)
    if container is None:
        left = host.backup(_file(want))
        return Plan(*_forget(host, want, left.uuid)) if left else Plan((), host)
    path, key = container.device, _key(host, want, where)
    host = host._replace(keyslots={**host.keyslots, (path, key): host.keyslot(where, key)})
    inside = _inside(host, want, container)
    opened, host, container = open_container(host, want, container)
    taken, host = _take_header(host, want, container, key, inside)
    moved = _move(host, want, path, container.uuid, key, inside)
    return moved._replace(steps=(*steps, *opened, *taken, *moved.steps))


def _move(host: Host, want: Luks, path: str, uuid: str, key: Key | None, inside: Inside) -> Plan:
    """The steps after which all is decrypted, and in use as before. ``key`` None: nothing is left but the beginning."""
    actions: tuple[Any, ...] = ()
    if key:
        options = ("--batch-mode", "--header", _file(want), "--key-file", key.word, path)
        # A power cut may have left something to repair.
        actions = (
            Command(("cryptsetup", "repair", *options), timeout=PATIENCE),
            Reencrypt(path, ("cryptsetup", "reencrypt", "--resume-only", *options), header=_file(want)),
        )
    back = PutBack(beginning_path(want.name), path)
    recorded = intent(_moving(want), uuid, path)._replace(replaces=_starting(want))
    moved = step("decrypt", want.name, f"all of {path}", *actions, back, flush=(path,), intent=recorded)
    host = anew(anew(host, _moving(want)), _starting(want))
    host = host._replace(contents={**host.contents, path: inside.content})
    host = with_filesystem(host, path, inside.filesystem) if inside.content != UNSEEN else host
    mounts = tuple(one._replace(device=path) for one in inside.mounts)
    forgotten, host = _forget(host._replace(mounts=(*host.mounts, *mounts)), want, uuid)
    return Plan((moved, *inside.used.up, *forgotten), host)


def _inside(host: Host, want: Luks, container: Container) -> Inside:
    what = f"luks {want.name} cannot be decrypted in place"
    header = container.header
    if header.version == 1 or header.reencryption:
        why = "is luks1" if header.version == 1 else f"is on its way ({header.reencryption}); have that end first"
        raise Refused(f"{what}: the container on {container.device} {why}")
    if not container.mapped:
        return Inside()
    device = host.devices[container.mapped]
    content, filesystem = host.content(device.path)[device.path], host.filesystem(device.path)
    found = usage(host, device)
    if found and not want.allow_offline:
        raise Refused(f"{what}: it {found}. Set allow_offline to put it out of use until all of it is decrypted")
    check_tags(host, device.path, filesystem.uuid if filesystem else "", what)
    mounts = tuple(one for one in host.mounts if one.device == device.path)
    return Inside(content, filesystem, mounts, pause(host, device, what) if found else Pause())


def _take_header(host: Host, want: Luks, container: Container, key: Key, inside: Inside) -> tuple[Steps, Host]:
    """The steps after which a container is closed, unknown to crypttab, and its header is in a file alone."""
    what = f"luks {want.name} cannot be decrypted in place"
    host = host._replace(mounts=tuple(one for one in host.mounts if one not in inside.mounts))
    host = host._replace(swaps=tuple(path for path in host.swaps if path != container.mapped))
    kept_in = beginning_path(want.name)
    detail = f"the first {container.header.offset >> 20} MiB of {host.shown(container.mapped)} in {kept_in}"
    save = SaveBeginning(mapper_path(want.name), kept_in, container.header.offset)
    saved = step("save", want.name, f"{detail}, until all is decrypted", save)
    closed, host, container = close(host, want, container, what)
    forgotten, host = write_line(host, want.name, None) if line_of(host, want.name) else ((), host)
    kept, host, container = keys.back_up(host, want, container, always=True)
    argv = ("cryptsetup", "reencrypt", "--batch-mode", "--decrypt", "--init-only", "--header", _file(want))
    path = container.device
    taken = step(
        "prepare",
        want.name,
        f"the header of {path} in {_file(want)}, until all is decrypted",
        # cryptsetup writes over no file.
        DropBackup(_file(want)),
        Command((*argv, "--key-file", key.word, path), timeout=None),
        claims=(Claim(path, host.devices[path].identity, None),),
        flush=(path, _file(want), BACKUPS),
        intent=intent(_starting(want), container.uuid, path, last=False),
    )
    host = host._replace(containers=tuple(one for one in host.containers if one.device != path))
    return (*inside.used.down, saved, *closed, *forgotten, *kept, taken), host


def _header_back(host: Host, want: Luks, path: str, uuid: str) -> tuple[Steps, Host, Container]:
    """The container as it was before a crash, which interrupted the taking of its header."""
    backup = backup_path(uuid)
    header = host.backup(backup)
    if header is None:
        raise StorageError(
            f"luks {want.name}: a crash interrupted the taking of the header off {path}, and its backup {backup} is "
            "gone. Nothing was changed. Bring that file back"
        )
    argv = ("cryptsetup", "luksHeaderRestore", "--batch-mode", path, "--header-backup-file", backup)
    restored = step(
        "restore",
        want.name,
        f"its header on {path}, over what a crash left",
        Command(argv),
        flush=(path,),
        intent=intent(_starting(want), uuid, path),
    )
    return (restored,), ended(host, begun(host, _starting(want))), Container(path, header, want.name)


def _is_left(host: Host, want: Luks) -> bool:
    """Whether some data is not decrypted yet. Raises StorageError where nobody can tell."""
    file = host.backup(_file(want))
    if file is None:
        raise StorageError(
            f"luks {want.name}: {_file(want)}, which says how far its decryption came, is gone, and without it nobody "
            "can read the rest. Nothing was changed. Bring that file back"
        )
    return bool(file.reencryption) and not file.is_all_moved


def _key(host: Host, want: Luks, where: str) -> Key:
    """The key that opens the container with that header. Raises StorageError where there is none."""
    key = keys.key_of(host, want)
    if key is None:
        raise StorageError(f"luks {want.name}: to decrypt it, say also: key_file or passphrase")
    keys.check_file(host, want, key)
    if host.keyslot(where, key) is None:
        raise StorageError(f"luks {want.name}: {key} unlocks no keyslot of the container")
    return key


def _forget(host: Host, want: Luks, uuid: str) -> tuple[Steps, Host]:
    """The step after which no header is left of a container that is decrypted."""
    paths = (_file(want), backup_path(uuid), beginning_path(want.name))
    gone = step("remove", want.name, "what is left of its header and beginning", *map(DropBackup, paths))
    return (gone,), host._replace(backups={**host.backups, **dict.fromkeys(paths)})


def _file(want: Luks) -> str:
    """Where the header is while data moves."""
    return f"{BACKUPS}/{want.name}.decrypting"


def _starting(want: Luks) -> str:
    return f"{DECRYPTION}{want.name}: its header"


def _moving(want: Luks) -> str:
    return f"{DECRYPTION}{want.name}"
