# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the executor can do to a host beyond commands, kernel attributes and files."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.execute import PERFORM, Perform, read_text, run_command, wait_until
from ..core.plan import Write
from ..document.sizes import Percent, whole_mib
from .boot import colons
from .kinds import KINDS
from .read import SYS, identity, is_busy, is_reshaping, read_contents
from .state import Filesystem, Signature
from .superblocks import read_filesystem


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


class Vacate(NamedTuple):
    """Run a command that needs a new device for itself, while udev activates logical volumes out of old bytes in it.

    udev's rules leave the activation to a service of systemd's: nothing tells when the last of it is over.
    """

    path: str
    command: tuple[str, ...]

    @property
    def programs(self) -> tuple[str, ...]:
        return self.command[:1]

    def __str__(self) -> str:
        return f"deactivate logical volumes on {self.path}, {' '.join(self.command)}"


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
    """Wait until an array does nothing of its own: no resync, recovery, reshape or check; then as DropStripes, since
    a spare takes a member's place without asking.
    """

    array: str
    timeout: int = 7 * 24 * 3600

    def __str__(self) -> str:
        return f"wait until {self.array} is idle"


class Grow(NamedTuple):
    """Grow a mounted filesystem to the end of its device."""

    type: str
    path: str
    mount_point: str

    @property
    def programs(self) -> tuple[str, ...]:
        kind = KINDS.get(self.type)
        return kind.grow(self.path, self.mount_point)[:1] if kind else ()

    def __str__(self) -> str:
        kind = KINDS.get(self.type)
        return " ".join(kind.grow(self.path, self.mount_point)) if kind else f"grow what is on {self.path}"


class Relabel(NamedTuple):
    """Give a filesystem another label; ``mount_point`` is empty where it is not mounted."""

    type: str
    path: str
    mount_point: str
    label: str

    @property
    def programs(self) -> tuple[str, ...]:
        kind = KINDS.get(self.type)
        return kind.name(self.path, self.mount_point, self.label)[:1] if kind else ()

    def __str__(self) -> str:
        kind = KINDS.get(self.type)
        words = kind.name(self.path, self.mount_point, self.label) if kind else ("label", self.path, self.label)
        return " ".join(words)


class Spans(NamedTuple):
    """Make sure that a filesystem ends before the place where its device is to be cut off."""

    path: str
    mount_point: str
    most: int

    def __str__(self) -> str:
        return f"check that what is on {self.path} spans {self.most} bytes at most"


class ReloadMounts(NamedTuple):
    """Tell systemd, where it runs, that fstab changed."""

    def __str__(self) -> str:
        return "systemctl daemon-reload"


def _claim(action: Claim) -> None:
    if not os.path.exists(action.path):
        raise StorageError(f"{action.path} is gone; run this again")
    kernel = os.path.basename(os.path.realpath(action.path))
    if action.identity and identity(kernel) != action.identity:
        raise StorageError(f"{action.path} is another device than a moment ago; nothing was written to it")
    if action.shared:
        return
    content = read_contents((action.path,))[action.path]
    if content.busy:
        raise StorageError(f"{action.path} was taken by somebody else meanwhile; nothing was written to it")
    if action.signatures is not None and content.signatures != action.signatures:
        found = " and ".join(signature.type for signature in content.signatures) or "nothing"
        raise StorageError(f"{action.path} holds {found} now, which is not what was planned with; run this again")


def _inspect(action: Inspect) -> None:
    signatures = read_contents((action.path,))[action.path].signatures
    if not signatures:
        return
    if not action.wipe:
        found = " and ".join(
            f"{signature.type}" + (f" (UUID {signature.uuid})" if signature.uuid else "") for signature in signatures
        )
        raise Refused(
            f"old bytes inside the new {action.path} form this: {found}. Nothing was written over them. "
            "Set allow_destroy to erase them"
        )
    _vacate(Vacate(action.path, ("wipefs", "--all", action.path)))


def _vacate(action: Vacate) -> None:
    kernel = os.path.basename(os.path.realpath(action.path))

    def done() -> bool:
        run_command(("udevadm", "settle", "--timeout=30"))
        for holder in os.listdir(f"{SYS}/{kernel}/holders"):
            if not read_text(f"{SYS}/{holder}/dm/uuid").startswith("LVM-"):
                raise StorageError(f"{action.path} was taken by /dev/{holder} meanwhile")
            run_command(("lvm", "lvchange", "--activate", "n", f"/dev/mapper/{read_text(f'{SYS}/{holder}/dm/name')}"))
        try:
            run_command(action.command)
        except StorageError:
            if read_contents((action.path,))[action.path].busy:
                return False
            raise
        return True

    wait_until(done, 30, f"in vain for nobody to use {action.path}")


def _release(action: Release) -> None:
    def released() -> bool:
        run_command(("udevadm", "settle", "--timeout=30"))
        if os.path.exists(action.attribute):
            HOST_PERFORM[Write](Write(action.attribute, "1"))
            return False
        return not is_busy(action.path)

    wait_until(released, 60, f"in vain for nobody to hold {action.path}")


def _drop_stripes(action: DropStripes) -> None:
    attribute = f"{_md(action.array)}/stripe_cache_size"
    size = read_text(attribute)
    if size:
        # No fewer than 17 are possible, and the longest unused go first: those 17 go once there are newer ones.
        for number in ("17", size, "17", size):
            HOST_PERFORM[Write](Write(attribute, number))


def _rejoin(action: Rejoin) -> None:
    try:
        run_command(("mdadm", "--manage", action.array, "--re-add", action.path))
    except StorageError:
        run_command(("mdadm", "--zero-superblock", action.path))
        run_command(("mdadm", "--manage", action.array, "--add", action.path))


def _md(array: str) -> str:
    return f"{SYS}/{os.path.basename(os.path.realpath(array))}/md"


def _rebuilt(action: Rebuilt) -> None:
    state = f"{_md(action.array)}/dev-{os.path.basename(os.path.realpath(action.path))}/state"

    def whole() -> bool:
        states = read_text(state).split(",")
        if "faulty" in states or states == [""]:
            raise StorageError(f"{action.path} failed, or left {action.array}, while it was rebuilt")
        return "in_sync" in states and "replacement" not in states

    wait_until(whole, action.timeout, f"in vain for {action.path} to be whole in {action.array}; it goes on")


def _idle(action: Idle) -> None:
    md = _md(action.array)

    def idle() -> bool:
        busy = read_text(f"{md}/sync_action") not in ("", "idle", "frozen")
        return not busy and not is_reshaping(md)

    wait_until(idle, action.timeout, f"in vain for {action.array} to be idle; what it does goes on")
    _drop_stripes(DropStripes(action.array))


def _grow(action: Grow) -> None:
    run_command(KINDS[action.type].grow(action.path, action.mount_point), timeout=3600)


def _relabel(action: Relabel) -> None:
    run_command(KINDS[action.type].name(action.path, action.mount_point, action.label))


def _spans(action: Spans) -> None:
    found = read_filesystem(action.path, action.mount_point)
    if found is None or found.size > action.most:
        size = f"a {found.type} of {found.size} bytes" if found else "nothing that is known"
        raise StorageError(f"{action.path} holds {size}, and was to be cut off at {action.most} bytes; it was not")


def _reload(_action: ReloadMounts) -> None:
    if os.path.isdir("/run/systemd/system"):
        run_command(("systemctl", "daemon-reload"))


def _filesystem(path: str) -> Filesystem:
    found = read_filesystem(path)
    if found is None:
        raise StorageError(f"{path} holds no filesystem that could be mounted")
    return found


def _share(of: str) -> str:
    """So much of a volume group (``50%-of-data``) in bytes: whole extents, as for a group that is there already."""
    percent, _of, name = of.partition("%-of-")
    columns = ("vg_extent_count", "vg_extent_size")
    said = run_command(
        ("vgs", "--noheadings", "--units", "b", "--nosuffix", "--options", ",".join(columns), name)
    ).split()
    extents, size = int(said[0]), int(said[1])
    return str(Percent(float(percent)).of(extents * size) // size * size)


def _portion(of: str) -> str:
    """So much of a device (``50%-of-/dev/md0``) in MiB, as for one that is there already."""
    percent, _of, path = of.partition("%-of-")
    size = int(read_text(f"{SYS}/{os.path.basename(os.path.realpath(path))}/size") or 0) * 512
    return str(whole_mib(Percent(float(percent)).of(size)))


#: What is known of a volume that is offline only once it is active, and of a group or an array once it is made; a UUID
#: as mdadm writes it.
PLACEHOLDERS: dict[str, Callable[[str], str]] = {
    "filesystem-uuid": lambda path: _filesystem(path).uuid,
    "filesystem-type": lambda path: _filesystem(path).type,
    "colons": colons,
    "share": _share,
    "portion": _portion,
}
HOST_PERFORM: dict[type, Perform] = {
    **PERFORM,
    Claim: _claim,
    Inspect: _inspect,
    Vacate: _vacate,
    Release: _release,
    DropStripes: _drop_stripes,
    Rejoin: _rejoin,
    Rebuilt: _rebuilt,
    Idle: _idle,
    Grow: _grow,
    Relabel: _relabel,
    Spans: _spans,
    ReloadMounts: _reload,
}
