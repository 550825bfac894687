# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: fstab lines, mount points, and what makes a mount wait or not at boot."""

from __future__ import annotations

from typing import NamedTuple

from ..core.errors import Refused, StorageError, Unread
from ..core.files import place_line
from ..core.plan import Command, Edit, MakeDirectory, Plan, Step
from ..document.drive import Volume
from ..document.filesystem import Use
from .actions import ReloadMounts
from .read import FSTAB
from .state import Host, Mount

#: A missing drive must not keep a host from booting, or from being reached. Nothing waits for one that is late, but
#: systemd does not mount what comes after this time: too short for a slow host is a host without its data.
_NOT_REQUIRED = ("nofail", "x-systemd.device-timeout=300s")


class Line(NamedTuple):
    """One mount of fstab."""

    spec: str
    mount_point: str
    type: str
    options: str
    dump: str = "0"
    check: str = "0"

    def __str__(self) -> str:
        return " ".join((self.spec, _escape(self.mount_point), *self[2:]))


class Target(NamedTuple):
    """What is to be mounted: ``specs`` are all the ways in which fstab may call it, the first being ours.

    ``kind`` and ``name`` are for people; ``path`` is what commands are given, ``device`` what the state calls it.
    """

    kind: str
    name: str
    device: str
    path: str
    type: str
    specs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")


def _unescape(text: str) -> str:
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _parse(raw: str) -> Line | None:
    fields = raw.split()
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    options, dump, check = (*fields[3:6], *("defaults", "0", "0")[len(fields[3:6]) :])
    return Line(fields[0].replace('"', ""), _unescape(fields[1]), fields[2], options, dump, check)


def _lines(host: Host) -> list[tuple[str, Line | None]]:
    text = host.files.get(FSTAB) or ""
    return [(raw, _parse(raw)) for raw in text.splitlines(keepends=True)]


def lines(host: Host) -> list[Line]:
    """All that fstab mounts."""
    return [line for _raw, line in _lines(host) if line]


def find_line(host: Host, target: Target, point: str | None = None) -> Line | None:
    """The fstab line of a target, on that mount point (None: on any)."""
    return next((line for line in lines(host) if _is_about(line, target, point)), None)


def _is_about(line: Line, target: Target, point: str | None) -> bool:
    """Whether a line is the target's: a filesystem may be mounted on several places, each with a line of its own.

    The UUID of a volume that is offline is not known yet: a line by UUID on its mount point is taken for its own.
    """
    there = point is None or line.mount_point.rstrip("/") == point
    unknown = target.type.startswith("<") and point is not None and line.spec.startswith("UUID=")
    return there and (line.spec in target.specs or unknown)


def _options(want: Use, line: Line | None) -> str:
    """The options that the line should have: omitted means unchanged, for a new line defaults, and not required."""
    if (
        line
        and want.mount_options == line.options
        and want.boot_required in (None, "nofail" not in line.options.split(","))
    ):
        return line.options
    base = (line.options if line else "defaults") if want.mount_options is None else want.mount_options
    words = [word for word in base.split(",") if word]
    required = want.boot_required
    if required is None:
        required = bool(line) and "nofail" not in (line.options.split(",") if line else ())
    if required:
        words = [word for word in words if word not in _NOT_REQUIRED] if "nofail" in words else words
    elif want.boot_required is not None or line is None or want.mount_options is not None:
        known = [word.partition("=")[0] for word in words]
        words += [word for word in _NOT_REQUIRED if word.partition("=")[0] not in known]
    return ",".join(words) or "defaults"


def _write_fstab(
    host: Host, target: Target, point: str | None, line: Line | None, detail: str
) -> tuple[tuple[Step, ...], Host]:
    """The step after which the target has that line (None: no line) in fstab for a mount point (None: for any)."""
    before = host.files.get(FSTAB)
    after = place_line(
        ((raw, found is not None and _is_about(found, target, point), found == line) for raw, found in _lines(host)),
        str(line) if line else None,
    )
    if after == (before or ""):
        return (), host
    step = Step("persist", "mount", target.name, detail, (Edit(FSTAB, before, after), ReloadMounts()))
    return (step,), host.with_file(FSTAB, after)


def check_at_boot(host: Host, target: Target, why: str) -> tuple[tuple[Step, ...], Host]:
    """The steps after which a boot checks a target before it mounts it."""
    steps: tuple[Step, ...] = ()
    for line in lines(host):
        if line.check == "0" and _is_about(line, target, None):
            detail = f"{line.mount_point} in {FSTAB} is checked at boot, {why}"
            more, host = _write_fstab(host, target, line.mount_point, line._replace(check="2"), detail)
            steps += more
    return steps, host


def mount(host: Host, want: Use, target: Target) -> Plan:
    """What it takes to have a filesystem mounted where that is wanted, now and at each boot."""
    point = want.mount_point
    if point is None:
        return Plan((), host)
    if not point:
        return unmount(host, target)
    away, host = _leave(host, target, point)
    what = str(target)
    points = host.mounted(target.device)
    if points and point not in points:
        raise Refused(
            f"{what}: {target.device} is mounted on {' and '.join(points)}, and {point} is wanted; "
            "unmount it where it is not wanted, and take out its fstab line there"
        )
    other = next((mount for mount in host.mounts if mount.mount_point == point and mount.device != target.device), None)
    if other:
        raise Refused(f"{what}: {other.device} ({other.type}) is mounted on {point}; choose another mount_point")
    line = find_line(host, target, point)
    clash = next(
        (
            known
            for known in lines(host)
            if known.mount_point.rstrip("/") == point and not _is_about(known, target, point)
        ),
        None,
    )
    if clash:
        raise Refused(f"{what}: {FSTAB} already mounts {clash.spec} on {point}; take that line out first")
    steps = away
    if not points:
        hidden = any(point.startswith(f"{outer}/") for outer in host.covered)
        if point not in host.directories and not hidden:
            raise Unread("directories", (point,))
        empty = None if hidden else host.directories[point]
        if empty is False:
            raise Refused(f"{what}: {point} is not an empty directory; what it holds would be hidden by the mount")
        if empty is None:
            steps += (Step("create", "directory", point, "to mount on", (MakeDirectory(point),)),)
            host = host._replace(directories={**host.directories, point: True})
    options = _options(want, line)
    kept = line.spec if line else target.specs[0]
    check = line.check if line else "2" if target.type == "ext4" else "0"
    wanted = Line(kept, point, target.type, options, line.dump if line else "0", check)
    persisted, host = _write_fstab(host, target, point, wanted, f"{point} in {FSTAB}, {options}")
    steps += persisted
    if not points:
        steps += (Step("mount", target.kind, target.name, point, (Command(("mount", point)),)),)
        mounted = Mount(target.device, point, target.type, options)
        host = host._replace(mounts=(*host.mounts, mounted), covered=(*host.covered, point))
    elif persisted and line and _kernel_options(line.options) != _kernel_options(options):
        steps += (Step("remount", target.kind, target.name, options, (Command(("mount", "-o", "remount", point)),)),)
    return Plan(steps, host)


def _leave(host: Host, target: Target, point: str) -> tuple[tuple[Step, ...], Host]:
    """The steps from the one place where a target is mounted, now or at boot, to one where nothing is.

    Its fstab line keeps its options, and goes along once it is unmounted: a boot in between mounts it in either place.
    """
    here = [mounted for mounted in host.mounts if mounted.device == target.device]
    known = [line for line in lines(host) if _is_about(line, target, None)]
    old = here[0].mount_point if here else known[0].mount_point if known else ""
    line = next((line for line in known if line.mount_point.rstrip("/") == old.rstrip("/")), None)
    there = any(one.mount_point.rstrip("/") == point for one in known)
    if len(here) > 1 or (len(known) > 1 and not here) or old.rstrip("/") == point or (there and not here):
        return (), host
    steps: tuple[Step, ...] = ()
    for mounted in here:
        more, host = _unmount(host, target, mounted)
        steps += more
    if line:
        moved = None if there else line._replace(mount_point=point)
        more, host = _write_fstab(host, target, old.rstrip("/"), moved, f"{old} in {FSTAB} becomes {point}")
        steps += more
    return steps, host


def enable_swap(host: Host, want: Use, target: Target) -> Plan:
    """What it takes to have a swap area in use, now and at each boot."""
    line = find_line(host, target)
    options = _options(want, line)
    wanted = Line(line.spec if line else target.specs[0], "none", "swap", options)
    steps, host = _write_fstab(host, target, None, wanted, f"swap in {FSTAB}, {options}")
    if target.device not in host.swaps:
        steps += (Step("enable", "swap", target.name, target.device, (Command(("swapon", target.path)),)),)
        host = host._replace(swaps=(*host.swaps, target.device))
    return Plan(steps, host)


def _kernel_options(options: str) -> tuple[str, ...]:
    return tuple(word for word in options.split(",") if word != "nofail" and not word.startswith("x-"))


def unmount(host: Host, target: Target) -> Plan:
    """What it takes to have a filesystem not mounted (a swap area not used), now and at each boot.

    The fstab line goes first.
    """
    steps, host = _write_fstab(host, target, None, None, f"no line in {FSTAB}")
    if target.device in host.swaps:
        off = Command(("swapoff", target.device), timeout=3600)
        steps += (Step("disable", "swap", target.name, target.device, (off,)),)
        host = host._replace(swaps=tuple(path for path in host.swaps if path != target.device))
    for mounted in reversed([mount for mount in host.mounts if mount.device == target.device]):
        more, host = _unmount(host, target, mounted)
        steps += more
    return Plan(steps, host)


def _unmount(host: Host, target: Target, mounted: Mount) -> tuple[tuple[Step, ...], Host]:
    point = mounted.mount_point
    if point == "/":
        raise Refused(f"{target}: {target.device} is mounted on /, the host's own root, which is never unmounted")
    inside = [mount for mount in host.mounts if mount.mount_point.startswith(f"{point}/")]
    if inside:
        raise Refused(
            f"{target}: {inside[0].device} is mounted on {inside[0].mount_point}, inside it; unmount that first"
        )
    step = Step("unmount", target.kind, target.name, point, (Command(("umount", point)),))
    return (step,), host._replace(mounts=tuple(mount for mount in host.mounts if mount is not mounted))


def check_mount_points(volumes: tuple[Volume, ...], drive: str) -> None:
    """Raises StorageError where two volumes want one mount point."""
    points = [volume.mount_point for volume in volumes if volume.mount_point]
    for point in points:
        if points.count(point) > 1:
            raise StorageError(f"drive {drive}: {point} is the mount_point of two volumes")
