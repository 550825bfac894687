# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a crash left half made: known by the record of intent, and only as far as the device itself bears it out."""

from __future__ import annotations

import re

from ..core.errors import Refused
from ..core.plan import Intent, Step, placeholder
from .actions import Inspect
from .devices import UNSEEN, Signature
from .filesystem.types.known import KNOWN
from .host import Host, Unfinished
from .safety import check_unused, describe_content, usage, wipe_steps

#: Until its features are written, a new ext4 may look like its predecessors.
_FILESYSTEMS = tuple(KNOWN)
_ON_DEVICE = "filesystem on "
#: The kinds of what goes straight onto a device, and is told by what the device holds.
_ON_DEVICES = ("filesystem", "table", "drive")


def intent(thing: str, uuid: str, *paths: str, last: bool = True) -> Intent:
    """What a step that makes a thing on these devices puts on record."""
    return Intent(thing, uuid, tuple((path, placeholder("identity", path)) for path in paths), last)


def on_device(path: str, uuid: str, replaces: str = "") -> Intent:
    """The intent to put a filesystem onto a device, which has no name but the device's."""
    return intent(f"{_ON_DEVICE}{placeholder('identity', path)}", uuid, path)._replace(replaces=replaces)


def begun(host: Host, thing: str) -> Unfinished | None:
    """The record of a thing, if the devices that it was begun on are all here."""
    return next((record for record in host.unfinished if record.thing == thing and "" not in record.devices), None)


def about(host: Host, kind: str, path: str) -> tuple[Unfinished, ...]:
    """The records of a kind that are about a device."""
    return tuple(record for record in host.unfinished if record.thing.startswith(f"{kind} ") and path in record.devices)


def ended(host: Host, *records: Unfinished | None) -> Host:
    """The host, once these are off the record."""
    return host._replace(unfinished=tuple(record for record in host.unfinished if record not in records))


def anew(host: Host, thing: str) -> Host:
    """The host, once a thing has been made anew: a new record of it takes the place of the old one."""
    return host._replace(unfinished=tuple(record for record in host.unfinished if record.thing != thing))


def half_made(host: Host, kind: str, path: str) -> Unfinished | None:
    """The record that accounts for all that a device holds, if nobody uses it, or has since it was begun."""
    record = next(iter(about(host, kind, path)), None)
    if record is None or "" in record.devices or usage(host, host.devices[path]):
        return None
    content = host.content(path)[path]
    known = all(_accounts_for(host, record, path, signature) for signature in content.signatures)
    return record if content.signatures and known and not content.busy else None


def is_half_made(host: Host, path: str) -> bool:
    """Whether all that a device holds is what a crash left of a step of ours."""
    return bool(host.unfinished) and any(half_made(host, kind, path) for kind in _ON_DEVICES)


def _accounts_for(host: Host, record: Unfinished, path: str, signature: Signature) -> bool:
    kind, _space, name = record.thing.partition(" ")
    if kind == "filesystem" and signature.type in _FILESYSTEMS:
        filesystem = host.filesystem(path)
        return same_uuid(record.uuid, signature.uuid) and filesystem is not None and filesystem.unused
    if kind == "drive" and signature.type == "LVM2_member":
        return host.groups().begun.get(path) in ("", name)
    # Where the kernel sees a partition, somebody went on with the table.
    is_table = kind == "table" and signature.type in ("gpt", "PMBR")
    return is_table and record.empty_table and not host.devices[path].partitions


def same_uuid(one: str, other: str) -> bool:
    """Whether two spellings are of one UUID; none is the same as no other."""
    digits = [re.sub("[^0-9a-f]", "", uuid.lower()) for uuid in (one, other)]
    return bool(digits[0]) and digits[0] == digits[1]


def look(
    host: Host, record: Unfinished, kind: str, name: str, path: str, allow: bool, last: bool = True
) -> tuple[tuple[Step, ...], Host]:
    """Look into a new device that nobody had looked into when the crash came, and take it off the record (``last``).

    What it holds is old, or somebody put it there since. Raises Refused where that can be seen now and ``allow`` is not
    given. What somebody uses already is left as it is, and on record.
    """
    device = host.devices[path]
    if usage(host, device):
        return (), host
    content, may_lose = host.content(path)[path], host.may_lose(path, allow)
    steps: tuple[Step, ...] = ()
    if content.signatures and content != UNSEEN:
        if not may_lose:
            raise Refused(
                f"{kind} {name}: {path} holds {describe_content(content)}. These are old bytes that surfaced when a "
                "crash interrupted its creation, or somebody put that there since. Nothing was written over it. "
                f"To keep it, remove {record.file}. Set allow_destroy to erase it."
            )
        check_unused(host, device, f"{kind} {name}", "Put it out of use first.")
        steps = wipe_steps([(device, content)])
    inspect = Step(
        "inspect",
        kind,
        name,
        "that it starts out blank, since a crash interrupted its creation",
        (Inspect(path, wipe=may_lose),),
        flush=(path,),
        intent=intent(record.thing, record.uuid, *record.devices, last=last),
    )
    return (*steps, inspect), ended(host.with_content(path), record)


def forget(host: Host, thing: str = "", paths: tuple[str, ...] = ()) -> tuple[tuple[Step, ...], Host]:
    """Take off the record what is being removed: a thing, and the filesystems that were begun on these devices."""
    found = [
        record
        for record in host.unfinished
        if record.step
        and "" not in record.devices
        and (record.thing == thing or (record.thing.startswith(_ON_DEVICE) and set(record.devices) <= set(paths)))
    ]
    steps = tuple(
        Step(
            "forget",
            "record",
            record.thing,
            "which a crash interrupted",
            (),
            intent=intent(record.thing, record.uuid, *record.devices),
        )
        for record in found
    )
    return steps, ended(host, *found)


def warnings(host: Host) -> tuple[str, ...]:
    """What to say of records that the plan does not act on."""
    return tuple(_warning(record) for record in host.unfinished if record.file)


def _warning(record: Unfinished) -> str:
    if not record.step:
        return f"{record.file}: this is no record of intent that can be read; remove it"
    gone = [named for named, path in zip(record.named, record.devices) if not path]
    where = " ".join(path or named for named, path in zip(record.named, record.devices))
    if not where:
        return (
            f"{record.file}: the step «{record.step}» was the last that was done for {record.thing}, which is not "
            "there yet. Run the task that does it again; or remove this file to keep things as they are"
        )
    found = (
        f"{' '.join(gone)} of then is not here now"
        if gone
        else f"what is on {where} now is not what that step left, or nobody has asked for it since"
    )
    return (
        f"{record.file}: a crash, or an error, interrupted the step «{record.step}» on {where}, and {found}. "
        "Run the task that does it again; or remove this file to keep things as they are"
    )
