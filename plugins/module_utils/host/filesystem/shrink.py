# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem made smaller than its device, and mended where a crash interrupted that."""

from __future__ import annotations

from ...core.errors import Refused, StorageError
from ...core.plan import Command, placeholder
from ...document.sizes import show_size
from ..host import Host
from ..mount import plan as mount
from ..unfinished import about, ended, forget, intent, same_uuid
from .contents import Place, Steps, step, target, with_filesystem
from .state import Filesystem
from .types.known import KNOWN

#: Seconds: what a filesystem of many terabytes needs to be checked and moved together.
_TIMEOUT = 24 * 3600


def check(host: Host, place: Place, filesystem: Filesystem, wanted: int) -> None:
    """Raises StorageError for a filesystem that cannot be made so small, ``wanted`` bytes."""
    kind = KNOWN[filesystem.type]
    what = f"{place}: {filesystem.type}"
    if wanted < kind.floor:
        raise StorageError(f"{what} shrinks to {show_size(kind.floor)} at least, and {show_size(wanted)} is wanted")
    if not kind.can_shrink:
        raise Refused(f"{place}: {kind.shrinks}")
    if filesystem.size > wanted and kind.shrinks == "online" and not host.mounted(place.device):
        raise StorageError(f"{what} shrinks only while it is mounted; mount it first")


def shrink(host: Host, place: Place, filesystem: Filesystem, wanted: int) -> tuple[Steps, Host]:
    """The steps after which a filesystem spans ``wanted`` bytes. One that shrinks offline is out of use by then."""
    kind = KNOWN[filesystem.type]
    steps: Steps = ()
    if kind.shrinks == "offline":
        checked = Command(("e2fsck", "-f", "-p", place.path), timeout=_TIMEOUT, accepts=(0, 1))
        steps += (step(place, "check", f"its {filesystem.type}", checked),)
        why = "since a power cut may leave it half shrunk"
        more, host = mount.check_at_boot(host, target(place, filesystem), why)
        steps += more
    point = host.work_point(place.device)
    command = Command(kind.shrink(place.path, point, wanted, filesystem.number), timeout=_TIMEOUT)
    recorded = intent(_thing(place), filesystem.uuid, place.path) if kind.shrinks == "offline" else None
    steps += (step(place, "shrink", f"the filesystem to {show_size(wanted)}", command, intent=recorded),)
    return steps, with_filesystem(host, place.device, filesystem._replace(size=wanted))


def mend(host: Host, place: Place) -> tuple[Steps, Host]:
    """Repair a filesystem whose shrinking a crash interrupted, and which was whole before.

    resize2fs moves data and inodes, and flushes them, before it writes anew what e2fsck finds out from these. What is
    missing then is too much for ``-p``, and no file of it is lost.
    """
    record = next(iter(about(host, "shrink", place.device)), None)
    if record is None or "" in record.devices:
        return (), host
    filesystem = host.filesystem(place.device)
    if filesystem is None or host.mounted(place.device) or not same_uuid(record.uuid, filesystem.uuid):
        # A boot checked it, and mounted it; or it is another one.
        return forget(host, record.thing)
    repair = Command(("e2fsck", "-f", "-y", place.device), timeout=_TIMEOUT, accepts=(0, 1))
    recorded = intent(record.thing, record.uuid, place.device)
    detail = f"its {filesystem.type}, which a crash left half shrunk"
    host = with_filesystem(ended(host, record), place.device, filesystem._replace(damaged=False))
    return (step(place, "repair", detail, repair, intent=recorded),), host


def _thing(place: Place) -> str:
    """What is the same after a reboot: a device may have another path then."""
    return f"shrink of {place if place.kind == 'volume' else placeholder('identity', place.path)}"
