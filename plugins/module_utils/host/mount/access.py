# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group and mode of what is mounted: those of the top directory of its filesystem."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING, Any, Callable

from ...core.errors import StorageError
from ...core.plan import Command, Plan, Step
from ..host import Host
from .options import is_read_only
from .state import Access

if TYPE_CHECKING:
    from ...document.filesystem import Use

#: Types that keep no owner and no mode for a directory: their mount options say what all of them seem to have.
_WITHOUT = ("vfat",)


def read_access(point: str) -> Access:
    """Of the directory that is mounted there."""
    found = os.stat(point)
    return Access(
        _names(found.st_uid, lambda number: pwd.getpwuid(number).pw_name),
        _names(found.st_gid, lambda number: grp.getgrgid(number).gr_name),
        stat.S_IMODE(found.st_mode),
    )


def _names(number: int, name: Callable[[int], str]) -> tuple[str, ...]:
    try:
        return str(number), name(number)
    except KeyError:
        return (str(number),)


def is_account(account: str) -> bool:
    """Whether the host knows ``user NAME`` or ``group NAME``, from wherever it takes them."""
    kind, _blank, name = account.partition(" ")
    look_up: Callable[[str], Any] = pwd.getpwnam if kind == "user" else grp.getgrnam
    try:
        look_up(name)
    except KeyError:
        return False
    return True


def give(host: Host, want: Use, who: tuple[str, str, str], point: str, options: str, there: bool) -> Plan:
    """What it takes to have that owner, group and mode on a mount point, where something is mounted by then.

    ``who``: kind, name and filesystem type of what is mounted. ``there``: it is mounted already, so that it can be
    looked at; else all that is wanted is set. Raises StorageError where it cannot be.
    """
    if (want.mount_owner, want.mount_group, want.mount_mode) == (None, None, None):
        return Plan((), host)
    kind, name, filesystem = who
    found = host.access(point) if there else Access((), (), -1)
    owner = want.mount_owner if want.mount_owner not in (None, *found.owners) else None
    group = want.mount_group if want.mount_group not in (None, *found.groups) else None
    mode = want.mount_mode if want.mount_mode not in (None, found.mode) else None
    if (owner, group, mode) == (None, None, None):
        return Plan((), host)
    _check(host, owner, group, f"{kind} {name}", filesystem, options)
    commands: list[Command] = []
    told = [f"{word} {value}" for word, value in (("owner", owner), ("group", group)) if value is not None]
    if told:
        commands.append(Command(("chown", f"{owner or ''}{'' if group is None else f':{group}'}", point)))
    if mode is not None:
        told.append(f"mode {mode:04o}")
        # With fewer digits, chmod lets a directory keep its set-group-ID bit.
        commands.append(Command(("chmod", f"{mode:05o}", point)))
    commands.append(Command(("sync", point)))
    after = Access(
        found.owners if owner is None else (owner,),
        found.groups if group is None else (group,),
        found.mode if mode is None else mode,
    )
    step = Step("set", kind, name, f"{point}: {', '.join(told)}", tuple(commands))
    return Plan((step,), host._replace(accesses={**host.accesses, point: after}))


def _check(host: Host, owner: str | None, group: str | None, what: str, filesystem: str, options: str) -> None:
    if filesystem in _WITHOUT:
        raise StorageError(
            f"{what}: {filesystem} keeps no owner and no mode; say uid=, gid= and umask= in mount_options instead"
        )
    if is_read_only(options):
        raise StorageError(f"{what}: it is mounted read-only (ro), so its owner, group and mode stay; leave them out")
    for kind, name in (("user", owner), ("group", group)):
        # In check mode, a task before this one may be about to make it.
        if name and not name.isdigit() and not host.has_account(f"{kind} {name}") and not host.check_mode:
            word = "mount_owner" if kind == "user" else "mount_group"
            raise StorageError(f"{what}: {word}: this host has no {kind} {name}; create it first, or say its number")
