# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with devices and with what is mounted of them, and how that is told.

No remedy recommends what may destroy a good copy: which copy is good is for a person to find out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..document.sizes import show_size
from .devices import Device
from .host import Host
from .mount.fstab import FSTAB, Line, lines
from .mount.options import flags, in_effect, words
from .mount.state import Mount

#: Data cannot be reached, is lost, or is no longer written; or nothing more may fail.
CRITICAL = "critical"
#: Everything works, and something has to be done so that it stays so.
WARNING = "warning"
#: It goes on, or waits, by itself.
NOTICE = "notice"
#: What a filesystem says of itself that takes no more writes; newer kernels leave what was mounted writable at that.
_STOPPED = ("ro", "emergency_ro", "shutdown")
#: What each part of the state is to a user.
_PARTS = {
    "superblocks": "superblock of an array or a bcache",
    "contents": "signatures",
    "filesystems": "filesystem",
    "compared": "filesystem",
    "tables": "partition table",
    "spaces": "space of what is mounted there",
    "lvm": "volume groups",
    "rejections": "what LVM has against it",
}
_LOOK = "Look at the kernel's log, its cable and its controller."
_REMOUNT = "A task that says `mount_options` has it as they say now."


class Finding(NamedTuple):
    """Something that is wrong, or on its way.

    ``severity`` is critical, warning or notice, ``device`` a path (empty: there is none), ``name`` what the document
    calls it, ``problem`` a word for programs, ``detail`` what was found, ``meaning`` what that means, and ``remedy``
    what to do.
    """

    severity: str
    device: str
    name: str
    problem: str
    detail: str
    meaning: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.detail}. {self.meaning} {self.remedy}".rstrip()


class NotRead(NamedTuple):
    """What could not be read: ``what`` of which ``device`` (empty: of the host), and why."""

    device: str
    what: str
    reason: str


def told(what: str, *found: Finding) -> tuple[str, ...]:
    """As warnings of a task: what goes on, or waits, by itself is none."""
    return tuple(f"{what}: {finding}" for finding in found if finding.severity != NOTICE)


def not_read(host: Host) -> list[NotRead]:
    """What could not be read, once each."""
    found: dict[NotRead, None] = {}
    for (what, name), reason in host.unreadable.items():
        device = next((mount.device for mount in host.mounts if mount.mount_point == name), name)
        found[NotRead(host.stable(device), _PARTS.get(what, what), reason)] = None
    return list(found)


def of_devices(host: Host, *paths: str) -> list[Finding]:
    return [finding for path in paths if path in host.devices for finding in _of_device(host, host.devices[path])]


def _of_device(host: Host, device: Device) -> Iterator[Finding]:
    def found(severity: str, *rest: str) -> Finding:
        return Finding(severity, device.path, device.path, *rest)

    unread = [host.unreadable.get((what, device.path)) for what in ("contents", "superblocks")]
    reason = next(filter(None, unread), "")
    if device.fault:
        meaning = "What is on it cannot be reached."
        yield found(CRITICAL, "fault", f"the kernel says that it is {device.fault}", meaning, _LOOK)
    elif reason:
        severity = CRITICAL if "Input/output error" in reason else WARNING
        yield found(severity, "unreadable", f"it cannot be read ({reason})", "Nobody can tell what it holds.", _LOOK)
    if device.worn:
        meaning, remedy = "It will fail before long.", "Replace it before it fails."
        yield found(WARNING, "worn", f"by itself, {device.worn}", meaning, remedy)


def of_use(host: Host, *paths: str) -> list[Finding]:
    """Of devices, and of what is mounted of them."""
    mounts = [mount for mount in host.mounts if mount.device in paths]
    return of_devices(host, *paths) + [finding for mount in mounts for finding in of_mount(host, mount)]


def of_mount(host: Host, mount: Mount) -> Iterator[Finding]:
    point, device = mount.mount_point, mount.device

    def found(severity: str, *rest: str) -> Finding:
        return Finding(severity, device, device, *rest)

    if ("spaces", point) in host.unreadable:
        reason = host.unreadable["spaces", point]
        meaning = "What is in it cannot be reached."
        remedy = "Look at the kernel's log; unmount and mount it once what it lies on is there again."
        yield found(CRITICAL, "unreadable", f"{point} cannot be read ({reason})", meaning, remedy)
    if set(_STOPPED) & set(mount.filesystem_options.split(",")) and "rw" in mount.options.split(","):
        meaning = "The kernel does so when a filesystem is damaged, or what it lies on fails. Writes fail."
        remedy = "Look at the kernel's log first; then unmount it and have it checked."
        yield found(CRITICAL, "read-only", f"{point} was made read-only", meaning, remedy)
    if mount.errors:
        meaning = "Something in it may be damaged."
        remedy = "Look at the kernel's log; have it checked when it can be unmounted."
        yield found(WARNING, "errors", f"{point} counts {'; '.join(mount.errors)}", meaning, remedy)
    # Disks that take turns have a line each; what shows a directory in another place has the options of that.
    own = (line for line in lines(host.files.get(FSTAB)) if line.place == point and not line.is_bind)
    line = next((line for line in own if host.links.get(line.device) in (None, device)), None)
    differing = _differing(mount, line) if line and not mount.part else ""
    if differing:
        meaning = "It changes with the next mount."
        yield found(WARNING, "options", f"{point} {differing}, other than by {FSTAB}", meaning, _REMOUNT)


def _differing(mount: Mount, line: Line) -> str:
    """Where a mount is not as its line says, as a predicate."""
    having = in_effect(mount.options).union({"ro"}.intersection(words(mount.options)))
    wanted = flags(line.options).union({"ro"}.intersection(words(line.options)))
    parts = (("has", having - wanted), ("lacks", wanted - having))
    return " and ".join(f"{verb} {' '.join(sorted(which))}" for verb, which in parts if which)


def cut_off(device: Device, name: str, what: str, size: int) -> Finding:
    detail = f"{what} has {show_size(size)} of it, and it has only {show_size(device.size)}"
    meaning = "It was made smaller below that, or is a part of something that does not run (an array, for instance)."
    remedy = "Write nothing to it. Start what it is a part of, or make it as large as before."
    return Finding(CRITICAL, device.path, name, "cut off", detail, meaning, remedy)
