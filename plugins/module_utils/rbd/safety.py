# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of an image, since librbd would lose data, fail half way, or wait for ever."""

from __future__ import annotations

from ..core.errors import Refused
from .state import Image

#: What to know of an image that is in use.
CRASHED = "One that crashed with it counts until its watch expires, 30 s as a rule"


def check_changeable(image: Image, what: str) -> None:
    """Raises Refused for the copy of an image of another cluster, and where librbd would wait for a lock for ever."""
    if image.copy:
        raise Refused(
            f"{what}: it is a copy that mirroring keeps, and only its primary, on another cluster, may be changed; "
            "change that one"
        )
    if "exclusive-lock" in image.features:
        _check_lasting_locks(image, what)


def check_room(image: Image, what: str, more: int = 1) -> None:
    """Raises Refused where librbd's limit leaves no room for another snapshot. It counts those of groups, too."""
    count = len(image.snapshots) + image.hidden
    if image.snapshot_limit and count + more > image.snapshot_limit:
        raise Refused(
            f"{what}: image {image.name} has {count} snapshots, and its snapshot_limit is {image.snapshot_limit}; "
            "raise that (rbd_image), or remove a snapshot"
        )


def check_unmirrored(image: Image, what: str) -> None:
    """Raises Refused for an image whose copies another cluster has, or that is one."""
    check_changeable(image, what)
    if image.mirroring:
        raise Refused(
            f"{what}: it is mirrored, and that is only done to images that are not. Beware: to disable its mirroring "
            "deletes its copy on the peer"
        )


def check_settled(image: Image, what: str) -> None:
    """Raises Refused for the destination of a migration, which librbd fails to remove, half way."""
    if "migrating" in image.features:
        raise Refused(f"{what}: it is being migrated; commit or abort that first (rbd_migration)")


def check_unused(image: Image, what: str) -> None:
    """Raises Refused for an image that somebody uses."""
    _check_lasting_locks(image, what)
    if image.users:
        raise Refused(f"{what}: it is open on {image.users}; unmap or close it there first. {CRASHED}")


def _check_lasting_locks(image: Image, what: str) -> None:
    lasting = [lock for lock in image.locks if not lock.automatic]
    if lasting:
        raise Refused(
            f"{what}: it is locked by {lasting[0].address} (lock {lasting[0].cookie}); have the holder release the "
            "lock, or see break_lock (rbd_image)"
        )
