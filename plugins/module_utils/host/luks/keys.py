# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keyslots of a container, and the backup of its header.

A key is removed only once another one was tried and opens the container. A backup of the header is made before each
change, and again after it: in an old one, a key that was removed would live on.
"""

from __future__ import annotations

from ...core.errors import Refused, StorageError
from ...core.plan import Command
from ...document.luks import Key, Luks, Pbkdf
from ..actions import BackUpHeader, Claim
from ..host import Host
from ..unfinished import begun, forget, intent
from .crypttab import CRYPTTAB, line_of
from .read import BACKUPS, NO_FILE, PATIENCE, backup_path
from .state import Container
from .steps import Steps, replace_container, step


def stretching(pbkdf: Pbkdf) -> tuple[str, ...]:
    """As cryptsetup takes it."""
    words: list[str] = []
    for option, value in (
        ("--pbkdf", pbkdf.algorithm),
        ("--iter-time", round(pbkdf.iteration_time * 1000) if pbkdf.iteration_time else None),
        ("--pbkdf-force-iterations", pbkdf.iteration_count),
        ("--pbkdf-memory", pbkdf.memory),
        ("--pbkdf-parallel", pbkdf.parallel),
    ):
        if value is not None:
            words += (option, str(value))
    return tuple(words)


def claims(host: Host, container: Container) -> tuple[Claim, ...]:
    """It is the device that was planned with. Open, it is held by its own mapping."""
    return (Claim(container.device, host.devices[container.device].identity, None, shared=True),)


def key_of(host: Host, want: Luks) -> Key | None:
    """The key that unlocks it: as wanted, else the file that crypttab names."""
    line = line_of(host, want.name)
    return want.key or (Key(file=line.key_file) if line and line.key_file else None)


def check_file(host: Host, want: Luks, key: Key | None) -> None:
    """Raises StorageError for a key file that is none."""
    problem = host.key_file(key.file) if key and key.file else ""
    if problem and not is_to_come(host, key):
        raise StorageError(f"luks {want.name}: {problem}")


def is_to_come(host: Host, key: Key | None) -> bool:
    """Whether a task before this one may be about to put a key file there."""
    return host.check_mode and key is not None and bool(key.file) and host.key_file(key.file).startswith(NO_FILE)


def slot_of(host: Host, container: Container, key: Key) -> int | None:
    """The keyslot that a key opens; of a container that is only planned, as far as the plan has it."""
    if container.is_planned:
        return host.keyslots.get((container.device, key))
    if not container.header.keyslots:
        return None
    return host.keyslot(container.device, key)


def check_unlocks(host: Host, want: Luks, container: Container, key: Key) -> int:
    """The keyslot that a key opens. Raises StorageError where it opens none."""
    slot = slot_of(host, container, key)
    if slot is None:
        raise StorageError(f"luks {want.name}: {key} unlocks no keyslot of the container on {container.device}")
    return slot


def add(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """A new key opens the container."""
    new, key = want.new_key, key_of(host, want)
    check_file(host, want, new)
    if new is None or (not is_to_come(host, new) and slot_of(host, container, new) is not None):
        return (), host, container
    if key is None:
        raise StorageError(f"luks {want.name}: to add a key, say also one that it has: key_file or passphrase")
    check_unlocks(host, want, container, key)
    before, host, container = back_up(host, want, container, always=True)
    argv = ("cryptsetup", "luksAddKey", "--batch-mode", *stretching(want.pbkdf), "--key-file", key.word)
    command = Command((*argv, container.device, new.word), timeout=PATIENCE)
    added = step(
        "add", want.name, f"{new} to its keyslots", command, claims=claims(host, container), flush=(container.device,)
    )
    slot = next(
        number for number in range(len(container.header.keyslots) + 1) if number not in container.header.keyslots
    )
    host = host._replace(keyslots={**host.keyslots, (container.device, new): slot})
    header = container.header._replace(keyslots=(*container.header.keyslots, slot), digest="with a new key")
    host, container = replace_container(host, container, container._replace(header=header))
    return (*before, added), host, container


def remove(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    """A key does not open the container any more."""
    if want.remove_key is None and want.remove_keyslot is None:
        return (), host, container
    record = begun(host, _removal(container))
    slot = _slot_to_remove(host, want, container)
    if slot is None and record and record.uuid.isdigit():
        slot = int(record.uuid) if int(record.uuid) in container.header.keyslots else None
    if slot is None:
        forgotten, host = forget(host, _removal(container))
        return forgotten, host, container
    stays = want.new_key or key_of(host, want)
    if stays is None:
        raise StorageError(
            f"luks {want.name}: to remove a key, say also one that stays, which is tried before: key_file or passphrase"
        )
    if check_unlocks(host, want, container, stays) == slot:
        raise Refused(
            f"luks {want.name}: {stays} is what keyslot {slot} of {container.device} holds, which was to be removed. "
            "Nothing was changed. Name a key that stays"
        )
    line = line_of(host, want.name)
    if line and line.key_file and slot_of(host, container, Key(file=line.key_file)) == slot:
        raise Refused(
            f"luks {want.name}: {CRYPTTAB} opens it at boot by {line.key_file}, which is what keyslot {slot} holds. "
            "Nothing was changed. Say as key_file by which it is to be opened instead"
        )
    before, host, container = back_up(host, want, container, always=True)
    argv = ("cryptsetup", "luksKillSlot", "--batch-mode", "--key-file", stays.word, container.device, str(slot))
    own = [number for number, token in container.header.tokens.items() if token.keyslots == (slot,)]
    token_remove = ("cryptsetup", "token", "remove", "--token-id")
    removed = step(
        "remove",
        want.name,
        f"keyslot {slot}" + "".join(f" and token {number}" for number in own),
        Command(argv, timeout=PATIENCE),
        *(Command((*token_remove, str(number), container.device)) for number in own),
        claims=claims(host, container),
        flush=(container.device,),
        intent=intent(_removal(container), str(slot), container.device),
    )
    known = {one: number for one, number in host.keyslots.items() if one[0] != container.device or number != slot}
    gone = {one: None for one in host.keyslots if one not in known}
    left = tuple(number for number in container.header.keyslots if number != slot)
    host = host._replace(keyslots={**known, **gone})
    tokens = {number: token for number, token in container.header.tokens.items() if number not in own}
    header = container.header._replace(keyslots=left, tokens=tokens, digest="without a key")
    host, container = replace_container(host, container, container._replace(header=header))
    return (*before, removed), host, container


def _removal(container: Container) -> str:
    return f"keyslot of luks {container.uuid}"


def _slot_to_remove(host: Host, want: Luks, container: Container) -> int | None:
    if want.remove_keyslot is not None:
        return want.remove_keyslot if want.remove_keyslot in container.header.keyslots else None
    return slot_of(host, container, want.remove_key) if want.remove_key else None


def back_up(host: Host, want: Luks, container: Container, always: bool = False) -> tuple[Steps, Host, Container]:
    """The step after which the backup of its header is what the header is.

    ``always``: also where there is none yet. While it is being encrypted anew, a backup would be of no use, and kept
    ones are not touched.
    """
    path = backup_path(container.uuid)
    found = host.backup(path)
    if container.header.reencryption or container.header.damaged or not (found or always):
        return (), host, container
    if found and found.digest == container.header.digest:
        return (), host, container
    where = BACKUPS if container.is_planned else path
    made = step("back up", want.name, f"its header to {where}", BackUpHeader(container.device, path))
    return (made,), host._replace(backups={**host.backups, path: container.header}), container
