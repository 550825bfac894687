# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host's storage, or on its way, from what was read of it.

No remedy recommends what may destroy a good copy: which copy is good is for a person to find out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..document.raid import redundancy
from ..document.sizes import show_size
from .boot import array_lines, array_name
from .fstab import FSTAB, Line
from .mount import lines
from .mount_options import flags, in_effect, words
from .raid_versions import advice, describe
from .state import OUTSIDE, Array, Backing, CacheSet, Device, Group, Host, Member, Mount

#: Data cannot be reached, is lost, or is no longer written; or nothing more may fail.
CRITICAL = "critical"
#: Everything works, and something has to be done so that it stays so.
WARNING = "warning"
#: It goes on, or waits, by itself.
NOTICE = "notice"
_SEVERITIES = (CRITICAL, WARNING, NOTICE)
#: Per cent of a filesystem from which on it is said to be nearly full.
_NEARLY_FULL = 90
#: What a filesystem says of itself that takes no more writes; newer kernels leave what was mounted writable at that.
_STOPPED = ("ro", "emergency_ro", "shutdown")
#: What each part of the state is to a user.
_PARTS = {
    "superblocks": "superblock of an array or a bcache",
    "contents": "signatures",
    "filesystems": "filesystem",
    "tables": "partition table",
    "spaces": "space of what is mounted there",
    "lvm": "volume groups",
}
#: What it means that a device is no part of its array.
_OUTSIDE = {
    "former": "The array has all that is on it, and what came after.",
    "apart": "What was written to it is nowhere else.",
    "copy": "Nothing tells them apart.",
}
_REPLACE = "List another disk in its place in `devices`; this one is read until that has the data."


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


def health(host: Host, names: Mapping[str, str]) -> list[Finding]:
    """All that is wrong, what is worst first. ``names`` are what the document calls devices."""
    found = of_devices(host, *host.devices)
    for array in host.arrays:
        found += of_array(host, array)
    for backing in host.backings:
        found += of_backing(backing)
    for cache_set in host.cache_sets:
        found += of_cache_set(cache_set)
    for group in host.lvm.groups if host.lvm else ():
        found += of_group(group)
    for mount in {mount.mount_point: mount for mount in reversed(host.mounts) if not mount.hidden}.values():
        found += of_mount(host, mount)
    found += _spaces(host)
    found = [finding._replace(name=names.get(finding.device, finding.name)) for finding in found]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


def of_use(host: Host, *paths: str) -> list[Finding]:
    """Of devices, and of what is mounted of them."""
    mounts = [mount for mount in host.mounts if mount.device in paths]
    return of_devices(host, *paths) + [finding for mount in mounts for finding in of_mount(host, mount)]


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
    if device.fault:
        meaning = "What is on it cannot be reached."
        remedy = "Look at the kernel's log, its cable and its controller."
        yield Finding(
            CRITICAL, device.path, device.path, "fault", f"the kernel says that it is {device.fault}", meaning, remedy
        )
    reasons = [
        host.unreadable[key]
        for key in (("contents", device.path), ("superblocks", device.path))
        if key in host.unreadable
    ]
    if reasons and not device.fault:
        reason = reasons[0]
        severity = CRITICAL if "Input/output error" in reason else WARNING
        meaning = "Nobody can tell what it holds."
        remedy = "Look at the kernel's log, its cable and its controller."
        yield Finding(
            severity, device.path, device.path, "unreadable", f"it cannot be read ({reason})", meaning, remedy
        )
    if device.worn:
        remedy = "Replace it before it fails."
        yield Finding(
            WARNING, device.path, device.path, "worn", f"by itself, {device.worn}", "It will fail before long.", remedy
        )


def of_array(host: Host, array: Array) -> Iterator[Finding]:
    name = array_name(array_lines(host), array)

    def found(severity: str, problem: str, *rest: str, device: str = array.device) -> Finding:
        return Finding(severity, device, name, problem, *rest)

    for member in array.members:
        for severity, problem, *rest in _of_member(host, array, member):
            yield found(severity, problem, *rest, device=member.device)
    if not array.running:
        here = len({member.slot for member in array.members if member.slot is not None and member.side == 0})
        yield found(
            CRITICAL if array.device else WARNING,
            "inactive" if array.device else "stopped",
            f"it does not run, and {here} of its {array.raid_devices} members are here",
            "What is on it cannot be reached.",
            "A task with it starts it, where enough of its members are here."
            if here >= array.raid_devices
            else "Connect the members that are missing; a task with it starts it then.",
        )
    elif array.degraded:
        yield found(*_degraded(array))
    if array.sync_action not in ("", "idle", "frozen") or (array.reshaping and array.running):
        done = f" {array.per_cent} %" if array.per_cent is not None else ""
        yield found(NOTICE, "syncing", f"{array.sync_action or 'reshape'}{done}", "It goes on by itself.")
    elif array.mismatch_count:
        yield found(
            WARNING,
            "mismatches",
            f"at {array.mismatch_count} sectors its members disagree, as the last check found",
            "Nothing tells which of them is right, and a read gives one or the other.",
            "Compare what it holds with a backup first: a repair makes its members equal, and may keep the wrong copy.",
        )
    waiting = _waiting(array)
    if waiting:
        yield found(WARNING, "waits", waiting, "Until then it lacks redundancy, or the shape that was asked for.")


def _degraded(array: Array) -> tuple[str, ...]:
    left = redundancy(array.level, array.raid_devices, array.layout) - array.degraded
    return (
        WARNING if left > 0 else CRITICAL,
        "degraded",
        f"{array.degraded} of {array.raid_devices} members missing",
        f"It can do without {left} more." if left > 0 else "One more that fails may take all of it.",
        "It is being rebuilt."
        if array.sync_action == "recover"
        else "Connect the disk that is missing again, or list another one in its place in `devices`.",
    )


def _of_member(host: Host, array: Array, member: Member) -> Iterator[tuple[str, ...]]:
    path = member.device
    if member.role == "faulty":
        yield (
            WARNING,
            "faulty",
            f"{path} failed",
            "The array works without it.",
            "List another disk in its place in `devices`.",
        )
    elif member.role in OUTSIDE:
        severity = CRITICAL if member.role == "apart" else WARNING
        meaning = _OUTSIDE[member.role]
        yield (
            severity,
            member.role,
            f"{path} {describe(host, array, member)}",
            meaning,
            f"{advice(member)[:1].upper()}{advice(member)[1:]}.",
        )
    if "write_error" in member.flags:
        yield (
            WARNING,
            "write errors",
            f"writes to {path} failed",
            "md keeps it, and wants another in its place.",
            _REPLACE,
        )
    if member.bad_blocks:
        size = show_size(member.bad_blocks * 512)
        meaning = "What lies there has no redundancy, and may be lost."
        yield WARNING, "bad blocks", f"md no longer uses {size} of {path}", meaning, _REPLACE
    if member.errors:
        meaning = "Others answered, and what was not readable was written again."
        yield (
            NOTICE,
            "read errors",
            f"{member.errors} reads of {path} failed",
            meaning,
            f"Look at its own log: smartctl -a {path}.",
        )


def _waiting(array: Array) -> str:
    """What an array has to do and does not."""
    what = "a reshape" if array.reshaping else "a resync" if array.unsynced else "a rebuild" if array.degraded else ""
    if not array.running or not what:
        return ""
    if array.state in ("read-auto", "readonly") and (array.reshaping or array.unsynced):
        return f"{what} waits, since it is {array.state}: until the first write, or mdadm --readwrite {array.device}"
    if array.sync_action == "frozen":
        return f"{what} waits, since its sync_action is frozen: until `idle` is written to that"
    return ""


def of_backing(backing: Backing) -> Iterator[Finding]:
    def found(severity: str, *rest: str) -> Finding:
        return Finding(severity, backing.bcache or backing.device, backing.name, *rest)

    if backing.disabled:
        meaning = "Nothing can be read from it or written to it."
        remedy = f"Look at {backing.device}, which failed: the kernel's log, its cable and its controller."
        yield found(CRITICAL, "disabled", "the kernel gave it up after errors", meaning, remedy)
    elif backing.errors:
        meaning = "At its limit of errors the kernel gives it up."
        yield found(
            WARNING, "errors", f"{backing.errors} requests to {backing.device} failed", meaning, "Replace that disk."
        )
    if backing.cache_set and not backing.attached:
        only = backing.state == "dirty"
        meaning = "What was not written back is only there." if only else f"{backing.device} holds all the data."
        remedy = "Bring its cache device back" + ("." if only else ", or say another cache_device, or '' for none.")
        detail = f"its cache set {backing.cache_set} does not work for it"
        yield found(CRITICAL if only else WARNING, "no cache", detail, meaning, remedy)
    elif backing.cache_set and backing.state == "dirty":
        yield found(NOTICE, "dirty", f"{backing.dirty_data} only in the cache", "It is written back by itself.")


def of_cache_set(cache_set: CacheSet) -> Iterator[Finding]:
    remedy = f"Look at {cache_set.device}; a task with another cache_device moves what it serves."

    def found(severity: str, problem: str, detail: str, meaning: str) -> Finding:
        return Finding(severity, cache_set.device, cache_set.device, problem, detail, meaning, remedy)

    if cache_set.disabled:
        meaning = "What was not written back is only there, and what it serves may have stopped."
        yield found(CRITICAL, "disabled", "the kernel gave up the cache set after errors", meaning)
    elif cache_set.errors:
        meaning = "At its limit of errors the kernel gives it up."
        yield found(WARNING, "errors", f"{cache_set.errors} requests to the cache failed", meaning)


def of_group(group: Group) -> Iterator[Finding]:
    """What LVM misses of it. Nothing is changed in it until then."""
    for volume in group.physical_volumes:
        if not volume.missing:
            continue
        partial = [known.name for known in group.volumes if known.health == "partial"]
        meaning = f"Its volumes {', '.join(partial)} are not whole." if partial else "LVM changes nothing in it."
        here = volume.device.startswith("/")
        yield Finding(
            CRITICAL if partial else WARNING,
            volume.device if here else "",
            group.name,
            "missing",
            f"{volume.device} was away while the group changed, and LVM counts it as missing since"
            if here
            else f"its physical volume {volume.uuid} is missing",
            meaning,
            "A task with it says how LVM counts it again."
            if here
            else "Bring the device back. Do not take it out of the group (vgreduce --removemissing): that removes the "
            "volumes that lie on it.",
        )


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
    line = next((line for line in lines(host) if line.place == point), None)
    differing = _differing(mount, line) if line else ""
    if differing:
        meaning = "It changes with the next mount."
        yield found(WARNING, "options", f"{point} {differing}, other than by {FSTAB}", meaning, _REMOUNT)


def _differing(mount: Mount, line: Line) -> str:
    """Where a mount is not as its line says, as a predicate."""
    having, wanted = in_effect(mount.options), flags(line.options)
    if "ro" in words(mount.options):
        having |= {"ro"}
    if "ro" in words(line.options):
        wanted |= {"ro"}
    parts = (("has", having - wanted), ("lacks", wanted - having))
    return " and ".join(f"{verb} {' '.join(sorted(which))}" for verb, which in parts if which)


def _spaces(host: Host) -> Iterator[Finding]:
    for point, (size, free) in (host.spaces or {}).items():
        used = round(100 * (size - free) / size) if size else 0
        device = next((mount.device for mount in host.mounts if mount.mount_point == point), "")
        if used >= _NEARLY_FULL:
            meaning, remedy = "Writes fail when it is full.", "Make it larger, or remove what is not needed."
            yield Finding(WARNING, device, device, "nearly full", f"{point} is {used} % full", meaning, remedy)
