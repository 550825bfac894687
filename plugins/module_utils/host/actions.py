# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the executor can do to a host beyond commands, kernel attributes and files."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from .devices import Signature
from .filesystem.types.known import KNOWN


class Claim(NamedTuple):
    """Make sure, right before something is written to a device, that it is still the one that was planned with.

    Kernel names move, and others may be faster: identity and content are read again, and nobody may hold it.
    A device that the plan itself makes has no identity to compare yet; ``signatures`` None: they do not matter.
    ``shared``: others may hold it, or a part of it.
    """

    path: str
    identity: str
    signatures: tuple[Signature, ...] | None
    shared: bool = False

    @property
    def lasting(self) -> tuple[Any, ...]:
        """What of it is the same after a reboot, if the device is: the kernel counts devices anew."""
        return (self.path, re.sub(r" ?#\d+", "", self.identity), self.signatures)

    def __str__(self) -> str:
        return f"check that {self.path} is what it was"


class Inspect(NamedTuple):
    """Look into a new device for old bytes that surfaced in it; erase them if ``wipe``, else refuse."""

    path: str
    wipe: bool

    @property
    def programs(self) -> tuple[str, ...]:
        return ("wipefs",)

    def __str__(self) -> str:
        return f"{'erase' if self.wipe else 'refuse'} old signatures in {self.path}"


class NoVolume(NamedTuple):
    """Make sure that nobody made a logical volume there (``/dev/GROUP/VOLUME``) meanwhile: undoing would remove it."""

    path: str

    def __str__(self) -> str:
        return f"check that there is no volume {self.path}"


class DropVolume(NamedTuple):
    """Remove a logical volume (``/dev/GROUP/VOLUME``), unless LVM made none."""

    path: str

    def __str__(self) -> str:
        return f"lvremove --yes {self.path}"


class Unlabel(NamedTuple):
    """Take the label of a physical volume off a device, unless LVM wrote none. LVM refuses that for one in a group."""

    path: str

    def __str__(self) -> str:
        return f"pvremove {self.path}"


class InGroup(NamedTuple):
    """Make sure that devices still are in their volume group: LVM takes all of them out of it, or none."""

    group: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"check that {' '.join(self.paths)} are in group {self.group}"


class MoveAway(NamedTuple):
    """Move what LVM has on a device to others, and wait for it, ``timeout`` seconds at most.

    A volume that became smaller before may have left nothing there, and pvmove fails where there is nothing to move.
    """

    path: str
    to: tuple[str, ...]
    timeout: int

    @property
    def programs(self) -> tuple[str, ...]:
        return ("pvmove",)

    @property
    def argv(self) -> tuple[str, ...]:
        return ("pvmove", "--interval", "2", self.path, *self.to)

    def __str__(self) -> str:
        return " ".join(self.argv)


class EraseTables(NamedTuple):
    """Erase the headers of a GPT that wipefs does not find, since they were written for sectors of another size."""

    path: str

    def __str__(self) -> str:
        return f"erase the headers of a GPT of any sector size on {self.path}"


class Vacate(NamedTuple):
    """Run a command that needs a device for itself, while udev may still put it to use by what it holds.

    Out of old bytes in a new device logical volumes are activated, by a service of systemd's: nothing tells when the
    last of it is over. ``array``: the one that the device was taken out of, and that may be given it again.
    """

    path: str
    command: tuple[str, ...]
    array: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        return self.command[:1]

    def __str__(self) -> str:
        what = f"keep {self.path} out of {self.array}" if self.array else f"deactivate logical volumes on {self.path}"
        return f"{what}, {' '.join(self.command)}"


class Detached(NamedTuple):
    """Wait until a backing device has no cache any more, for which bcache writes all dirty data back to it."""

    path: str
    base: str
    timeout: int

    def __str__(self) -> str:
        return f"wait for {self.base}/state to be no cache"


class Release(NamedTuple):
    """Have bcache let go of a device: it does so later than its attributes vanish, and udev may register it again."""

    path: str
    attribute: str

    def __str__(self) -> str:
        return f"echo 1 > {self.attribute}, until nobody holds {self.path}"


class DropStripes(NamedTuple):
    """Empty the stripe cache of a RAID 4, 5 or 6.

    Linux 6.1 may keep stripes in it from a reshape that has ended, and take what they hold for the content of the
    next device that is rebuilt: measured, 512 KiB of wrong data on it, which no read shows until that device counts.
    """

    array: str
    #: Only if the array does nothing of its own.
    idle: bool = False

    def __str__(self) -> str:
        return f"empty the stripe cache of {self.array}"


class Rejoin(NamedTuple):
    """Bring a device back into the array that it was part of; as a new one where md cannot tell what it missed."""

    array: str
    path: str

    @property
    def programs(self) -> tuple[str, ...]:
        return ("mdadm",)

    def __str__(self) -> str:
        return f"mdadm --manage {self.array} --re-add {self.path}, else --zero-superblock and --add"


class Rebuilt(NamedTuple):
    """Wait until a member of an array is whole."""

    array: str
    path: str
    timeout: int = 7 * 24 * 3600

    def __str__(self) -> str:
        return f"wait until {self.path} is whole in {self.array}"


class Idle(NamedTuple):
    """Wait until an array does nothing of its own: no resync, recovery, reshape or check.

    ``then``: what is done once the host's lock is held again, since a spare takes a member's place without asking.
    """

    array: str
    timeout: int = 7 * 24 * 3600

    @property
    def then(self) -> tuple[DropStripes, ...]:
        return (DropStripes(self.array, idle=True),)

    def __str__(self) -> str:
        return f"wait until {self.array} is idle"


class Grow(NamedTuple):
    """Grow a mounted filesystem to the end of its device, which is the ``number``-th of the filesystem's."""

    type: str
    path: str
    mount_point: str
    number: int = 1

    @property
    def programs(self) -> tuple[str, ...]:
        kind = KNOWN.get(self.type)
        return kind.grow(self.path, self.mount_point, self.number)[:1] if kind else ()

    def __str__(self) -> str:
        kind = KNOWN.get(self.type)
        words = kind.grow(self.path, self.mount_point, self.number) if kind else ("grow what is on", self.path)
        return " ".join(words)


class Relabel(NamedTuple):
    """Give a filesystem another label; ``mount_point`` is empty where it is not mounted."""

    type: str
    path: str
    mount_point: str
    label: str

    @property
    def programs(self) -> tuple[str, ...]:
        kind = KNOWN.get(self.type)
        return kind.label(self.path, self.mount_point, self.label)[:1] if kind else ()

    def __str__(self) -> str:
        kind = KNOWN.get(self.type)
        words = kind.label(self.path, self.mount_point, self.label) if kind else ("label", self.path, self.label)
        return " ".join(words)


class Spans(NamedTuple):
    """Make sure that a filesystem ends before the place where its device is to be cut off."""

    path: str
    mount_point: str
    most: int

    def __str__(self) -> str:
        return f"check that what is on {self.path} spans {self.most} bytes at most"


class BackUpHeader(NamedTuple):
    """Copy the header of a LUKS container, with its keyslots, into a file for root alone, in place of the last copy."""

    device: str
    path: str

    @property
    def programs(self) -> tuple[str, ...]:
        return ("cryptsetup",)

    def __str__(self) -> str:
        return f"cryptsetup luksHeaderBackup {self.device} --header-backup-file {self.path}"


class DropBackup(NamedTuple):
    """Remove the copy of a LUKS container's header, or of what was in its place before."""

    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


class OpenContainer(NamedTuple):
    """Open a LUKS container, unless it is open under that name: systemd may be faster, while a host boots."""

    device: str
    name: str
    argv: tuple[Any, ...]

    @property
    def programs(self) -> tuple[str, ...]:
        return self.argv[:1]

    def __str__(self) -> str:
        return " ".join(map(str, self.argv))


class BindTang(NamedTuple):
    """Have a Tang server open a container, by a new key in that keyslot, and a token as clevis makes it.

    ``key`` opens the container (a path, or a secret). The server is asked for the new key before the container changes.
    """

    device: str
    slot: int
    key: Any
    url: str
    thumbprint: str

    @property
    def programs(self) -> tuple[str, ...]:
        return ("clevis", "cryptsetup")

    @property
    def config(self) -> str:
        return json.dumps({"url": self.url, "thp": self.thumbprint})

    def __str__(self) -> str:
        added = f"cryptsetup luksAddKey --key-slot {self.slot} --key-file {self.key} {self.device}"
        return f"clevis encrypt tang '{self.config}', {added}, cryptsetup token import {self.device}"


class Reencrypt(NamedTuple):
    """Have cryptsetup move the data of a container on, until all of it is moved; one that does so is waited for.

    ``header`` is where its header is (empty: on the device).
    """

    device: str
    argv: tuple[Any, ...]
    header: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        return self.argv[:1]

    def __str__(self) -> str:
        return " ".join(map(str, self.argv))


class EndMove(NamedTuple):
    """Write the header of a container without the move of data that cryptsetup was stopped at the end of.

    ``argv`` tries a key, and is given the path of what it is tried with: the header is written if it opens that.
    """

    device: str
    argv: tuple[Any, ...]

    @property
    def programs(self) -> tuple[str, ...]:
        return self.argv[:1]

    def __str__(self) -> str:
        return f"both copies of the header of {self.device}, once {' '.join(map(str, self.argv))} took the key with it"


class SaveBeginning(NamedTuple):
    """Copy the first ``size`` bytes of a device into a file for root alone."""

    device: str
    path: str
    size: int

    def __str__(self) -> str:
        return f"copy the first {self.size >> 20} MiB of {self.device} to {self.path}"


class PutBack(NamedTuple):
    """Write to the beginning of a device what SaveBeginning copied from there, and take away what cryptsetup left."""

    path: str
    device: str

    def __str__(self) -> str:
        return f"copy {self.path} to the beginning of {self.device}"


class MountOn(NamedTuple):
    """Mount a device, unless it is mounted there: systemd may be faster, once a device of fstab appears."""

    kind: str
    options: str
    source: str
    point: str

    @property
    def argv(self) -> tuple[str, ...]:
        return ("mount", "--types", self.kind, "--options", self.options, self.source, self.point)

    @property
    def programs(self) -> tuple[str, ...]:
        return self.argv[:1]

    def __str__(self) -> str:
        return " ".join(self.argv)


class ReloadMounts(NamedTuple):
    """Tell systemd, where it runs, that fstab or crypttab changed."""

    def __str__(self) -> str:
        return "systemctl daemon-reload"


class MakeSubvolume(NamedTuple):
    """Make a subvolume of the btrfs on a device, unless it is there, by its path from the top level."""

    device: str
    name: str

    @property
    def programs(self) -> tuple[str, ...]:
        return ("unshare", "btrfs")

    def __str__(self) -> str:
        return f"btrfs subvolume create {self.name} (at the top level of {self.device})"


class DeleteSubvolume(NamedTuple):
    """Delete a subvolume of the btrfs on a device, by its path from the top level."""

    device: str
    name: str

    @property
    def programs(self) -> tuple[str, ...]:
        return ("unshare", "btrfs")

    def __str__(self) -> str:
        return f"btrfs subvolume delete {self.name} (at the top level of {self.device})"
