# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: fstab lines, mount points, and what makes a mount wait or not at boot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...core.errors import Refused, StorageError, Unread
from ...core.files import place_line
from ...core.plan import Command, Edit, MakeDirectory, Plan, Step, is_placeholder, placeholder
from ..actions import MountOn, ReloadMounts
from ..filesystem.types.known import KNOWN
from ..host import Host
from ..safety import twins
from . import access, fstab
from .fstab import FSTAB, Line
from .options import (
    flags,
    in_effect,
    is_read_only,
    kernel_words,
    part_words,
    shown,
    taking_back,
    words,
    words_of_filesystem,
)
from .state import Mount

if TYPE_CHECKING:
    from ...document.drive import Volume
    from ...document.filesystem import Use

#: A missing drive must not keep a host from booting, or from being reached. Nothing waits for one that is late, but
#: systemd does not mount what comes after this time: too short for a slow host is a host without its data.
_NOT_REQUIRED = ("nofail", "x-systemd.device-timeout=300s")
_OF_A_MOUNT = ("mount_options", "boot_required", "mount_owner", "mount_group", "mount_mode")
#: What the kernel makes up, and nobody makes a directory in.
_OF_THE_KERNEL = (
    *("proc", "sysfs", "cgroup", "cgroup2", "devpts", "securityfs", "debugfs", "tracefs", "configfs", "bpf", "pstore"),
    *("efivarfs", "mqueue", "fusectl", "binfmt_misc", "selinuxfs", "rpc_pipefs", "nfsd"),
)
#: The options of a new line where nobody says any.
DEFAULTS = ",".join(("defaults", *_NOT_REQUIRED))


class Target(NamedTuple):
    """What is to be mounted: ``specs`` are all the ways in which fstab may call it, the first being ours.

    ``kind`` and ``name`` are for people; ``path`` is what commands are given, ``device`` what the state calls it.
    ``subvolume`` is the one of a btrfs (empty: the one that is mounted where none is named; None: any). ``root`` is the
    directory of the filesystem that a bind mount shows (empty: it is none). ``words`` are the options by which a new
    line names such a part.
    """

    kind: str
    name: str
    device: str
    path: str
    type: str
    specs: tuple[str, ...]
    subvolume: str | None = None
    root: str = ""
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def lines(host: Host) -> list[Line]:
    """All that fstab mounts."""
    return fstab.lines(host.files.get(FSTAB))


def place(host: Host, line: Line) -> str:
    """The directory that a line mounts on."""
    return host.real.get(line.place, line.place)


def find_line(host: Host, target: Target, point: str | None = None) -> Line | None:
    """The fstab line of a target, on that mount point (None: on any)."""
    return next((line for line in lines(host) if _is_about(host, line, target, point)), None)


def _is_about(host: Host, line: Line, target: Target, point: str | None) -> bool:
    """Whether a line is the target's: a filesystem may be mounted on several places, each with a line of its own.

    Its UUID and label are read from itself, since udev may be late; whatever else names it is a link that leads to it.
    Those of a volume that is offline are not known yet: a line by UUID or label on its mount point is taken for its
    own, unless it leads to another device.
    """
    if point is not None and place(host, line) != point:
        return False
    if target.root or line.is_bind:
        return bool(target.root) and line.is_bind and line.spec in target.specs
    if target.subvolume is not None and _named_by(host, line) != target.subvolume:
        return False
    if line.spec in target.specs or _fits(host, line, target):
        return not _is_of_a_copy(host, line, target)
    leads_to = host.links.get(line.device)
    if line.tag.startswith(("UUID=", "LABEL=")):
        return is_placeholder(target.type) and point is not None and leads_to is None
    return leads_to is not None and leads_to == target.device


def _named_by(host: Host, line: Line) -> str:
    """The subvolume that a line mounts; of one that it names by number, what is mounted there tells the path."""
    named, point = line.subvolume, place(host, line)
    there = [one for one in host.mounts if one.mount_point == point] if named.startswith("#") else []
    return there[0].subvolume if there else named


def is_of(host: Host, mounted: Mount, target: Target) -> bool:
    """Whether a mount is one of a target."""
    if mounted.device != target.device:
        return False
    if target.root:
        return mounted.root == target.root and is_bind(host, mounted)
    if target.subvolume is None:
        return not is_bind(host, mounted)
    return not is_bind(host, mounted) and _shown_by(host, mounted) == target.subvolume


def is_bind(host: Host, mounted: Mount) -> bool:
    """Whether a mount shows a directory that is mounted in another place."""
    return mounted.part or any(line.is_bind and place(host, line) == mounted.mount_point for line in lines(host))


def _shown_by(host: Host, mounted: Mount) -> str:
    """The subvolume that somebody named to mount that; empty where the line of fstab names none."""
    there = [line for line in lines(host) if mounted.subvolume and place(host, line) == mounted.mount_point]
    return mounted.subvolume if not there or any(line.subvolume for line in there) else ""


def lines_of_subvolumes(host: Host, target: Target) -> dict[str, Line]:
    """The lines of fstab by which subvolumes of a target are mounted, each with its path from the top level."""
    found: dict[str, Line] = {}
    for line in lines(host):
        point, name = place(host, line), _named_by(host, line)
        here = [one.subvolume for one in host.mounts if (one.device, one.mount_point) == (target.device, point)]
        if name and (name in here or automount(host, point)) and _is_about(host, line, target, None):
            found.setdefault(name, line)
    return found


def on_mount(host: Host, directory: str) -> tuple[Mount | None, str]:
    """The mount that a directory lies on, and what the directory is in its filesystem."""
    around = [one for one in (*host.mounts, *host.virtual) if not one.hidden and _within(directory, one.mount_point)]
    base = max(around, key=lambda one: len(one.mount_point), default=None)
    if base is None:
        return None, ""
    return base, f"{base.root.rstrip('/')}/{directory[len(base.mount_point) :].strip('/')}".rstrip("/") or "/"


def line_at(host: Host, mounted: Mount) -> Line | None:
    """The line of fstab that mounts just what a mount shows."""
    if is_bind(host, mounted):
        there = (line for line in lines(host) if line.is_bind and place(host, line) == mounted.mount_point)
        line = next(there, None)
        base, root = on_mount(host, line.device) if line else (None, "")
        return line if base and (base.device, root) == (mounted.device, mounted.root) else None
    line = line_of(host, mounted.device, mounted.mount_point)
    if line and mounted.subvolume and not line.subvolume:
        return line if host.default_subvolume(mounted.device) == mounted.subvolume else None
    return line if line and _named_by(host, line) in ("", mounted.subvolume) else None


def mount_again(line: Line, mounted: Mount, source: str) -> MountOn:
    """What mounts it as its line says, and read-only or not as it was; ``source`` is its device."""
    told = [word for word in words(line.options) if word in ("ro", "rw")]
    mode = "ro" if is_read_only(mounted.options) else "rw"
    options = line.options if mode == (told or ["rw"])[-1] else f"{line.options},{mode}"
    if line.is_bind:
        return mount_on(line.device, line.type, mounted.mount_point, options)
    return mount_on(source, mounted.type, mounted.mount_point, options)


def _fits(host: Host, line: Line, target: Target) -> bool:
    """Whether a line calls a target by a UUID or a label that it has; a copy of it may have that too."""
    device = host.devices.get(target.device)
    return line.tag in (*target.specs, *(device.part_tags if device else ()))


def _is_of_a_copy(host: Host, line: Line, target: Target) -> bool:
    """Whether a line that fits two devices is the other one's: that which it has in use, or which udev finds by it."""
    used = host.swaps if line.type == "swap" else [one.device for one in host.mounted_there(place(host, line))]
    others = {*used, host.links.get(line.device)} - {None, target.device}
    return target.device not in used and bool(others) and not others.isdisjoint(twins(host, target.device, line.tag))


def line_of(host: Host, device: str, point: str | None = None) -> Line | None:
    """The fstab line of a device that is in use, for that place."""
    found = host.filesystem(device)
    tags = (f"UUID={found.uuid}", f"LABEL={found.label}") if found else ()
    return find_line(host, Target("device", device, device, device, found.type if found else "", tags), point)


def plain_options(line: Line) -> str:
    """The options of a line, without those that say which part of a filesystem it mounts."""
    parts = part_words(line.options)
    return ",".join(word for word in words(line.options) if word not in parts) or "defaults"


def _options(want: Use, line: Line | None, target: Target) -> str:
    """The options that the line should have: omitted means unchanged, for a new line defaults, and not required.

    Which part of a filesystem a line mounts is no option of that mount, and stays unless another one is said.
    """
    told = want.mount_options
    if line and told in (line.options, plain_options(line)) and want.boot_required in (None, line.is_required):
        return line.options
    base = (line.options if line else "defaults") if told is None else told
    kept = list(words(base))
    if not part_words(base):
        kept += [word for word in (part_words(line.options) if line else target.words) if word not in kept]
    not_required = _NOT_REQUIRED[:1] if target.root else _NOT_REQUIRED
    required = want.boot_required
    if required is None:
        required = line is not None and line.is_required
    if required:
        kept = [word for word in kept if word not in not_required] if "nofail" in kept else kept
    elif "noauto" not in kept and (want.boot_required is not None or line is None or want.mount_options is not None):
        known = [word.partition("=")[0] for word in kept]
        kept += [word for word in not_required if word.partition("=")[0] not in known]
    return ",".join(kept) or "defaults"


def _write_fstab(
    host: Host, target: Target, point: str | None, line: Line | None, detail: str, seen: Host | None = None
) -> tuple[tuple[Step, ...], Host]:
    """The step after which the target has that line (None: no line) in fstab for a mount point (None: for any).

    ``seen`` is the host before the target was unmounted: whose line it is may be told by what is mounted.
    """
    before = host.files.get(FSTAB)
    after = place_line(
        (
            (raw, found is not None and _is_about(seen or host, found, target, point), found == line)
            for raw, found in fstab.parse(before)
        ),
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
        if line.check == "0" and _is_about(host, line, target, None):
            detail = f"{line.mount_point} in {FSTAB} is checked at boot, {why}"
            more, host = _write_fstab(host, target, place(host, line), line._replace(check="2"), detail)
            steps += more
    return steps, host


def name_by_uuid(host: Host, target: Target, uuid: str) -> tuple[tuple[Step, ...], Host]:
    """The steps after which no line of fstab names a target by its label, which it is about to lose."""
    steps: tuple[Step, ...] = ()
    for line in lines(host):
        if line.tag.startswith("LABEL=") and _is_about(host, line, target, None):
            detail = f"{line.mount_point} in {FSTAB} by UUID, since the label changes"
            more, host = _write_fstab(host, target, place(host, line), line._replace(spec=f"UUID={uuid}"), detail)
            steps += more
    return steps, host


def check_label(host: Host, target: Target, old: str, new: str) -> None:
    """Raises Refused where a boot finds something else by the label, or by none, once it has changed."""
    at_root = old and "/" in host.mounted(target.device)
    if at_root and f"root=LABEL={old}" in (host.file("/proc/cmdline") or "").split():
        raise Refused(
            f"{target}: this host booted with root=LABEL={old}, and would not find its root by another label; "
            "have the boot loader name it by UUID first"
        )
    for line in lines(host) if new else ():
        device = host.links.get(line.device)
        if line.tag == f"LABEL={new}" and device not in (None, target.device):
            raise Refused(
                f"{target}: {FSTAB} mounts {line.spec} on {line.mount_point}, which is {device}, and a boot could not "
                "tell the two from each other; choose another label, or have fstab name that one by UUID"
            )


def mount(host: Host, want: Use, target: Target, now: bool = False) -> Plan:
    """What it takes to have a filesystem mounted where that is wanted, now and at each boot.

    ``now``: something is to be done that takes a mount, so one that waits for somebody to look there does not do.
    """
    want = _where_it_is(host, want, target)
    if want.mount_point is None:
        return Plan((), host)
    if not want.mount_point:
        return unmount(host, target, gone=False)
    point = host.real_point(want.mount_point)
    steps, host = _leave(host, target, point)
    own = next((one for one in host.mounted_there(point) if is_of(host, one, target)), None)
    line = find_line(host, target, point)
    _check_point(host, target, point, own, line)
    _check_options(host, target, want.mount_options or "", line.options if line else "")
    waiting = own is None and automount(host, point)
    if own is None and not waiting:
        made, host = _make_directory(host, target, point)
        steps += made
    options = _options(want, line, target)
    wanted = line or Line(target.specs[0], point, target.type, options, check=_fsck_pass(target))
    known_as = KNOWN[target.type].known_as if target.type in KNOWN else ("auto",)
    fits = target.root or {target.type, *known_as}.intersection(wanted.type.split(","))
    wanted = wanted._replace(type=wanted.type if fits else target.type, options=options)
    before = host.files.get(FSTAB)
    persisted, host = _write_fstab(host, target, point, wanted, f"{point} in {FSTAB}, {options}")
    steps += persisted
    undo = _line_taken_back(host, before) if persisted else ()
    if own is None or persisted:
        check_found(host, f"{target}", target.device, wanted)
    if own is None and (now or not waiting):
        # The kernel takes no second mount of it on top of the one that looking there brings about.
        start = (
            Command(("systemctl", "start", unit(point, "mount")))
            if waiting
            else mount_on(target.path, target.type, point, options)
        )
        steps += (Step("mount", target.kind, target.name, point, (start,), undo=undo),)
        mounted = Mount(
            target.device, point, target.type, shown(options), part=bool(target.root), root=_root(wanted, target)
        )
        host = host._replace(mounts=(*host.mounts, mounted), covered=(*host.covered, point))
    elif own is not None:
        # A bind mount has the flags of what it shows where nobody says any.
        bind = ("bind",) if target.root else ()
        told = shown(line.options) if bind and line else own.options
        taken_back = _taken_back(host, target, own._replace(options=told), line, options)
        changes = bool(persisted and line and kernel_words(line.options) != kernel_words(options))
        if changes or (want.mount_options is not None and not bind and in_effect(own.options) != flags(options)):
            # Without that word, all of the filesystem would be mounted anew.
            command = Command(("mount", "-o", ",".join(("remount", *bind, *taken_back)), point))
            steps += (Step("remount", target.kind, target.name, options, (command,), undo=undo),)
            host = host._replace(
                mounts=tuple(
                    one._replace(options=shown(options))
                    if one.mount_point == point and one.device == own.device
                    else one
                    for one in host.mounts
                )
            )
    if own is None and waiting and not now:
        # Who owns it is seen, and set, by a run that finds it mounted.
        return Plan(steps, host)
    given = access.give(host, want, (target.kind, target.name, target.type), point, options, own is not None)
    return Plan(steps + given.steps, given.after)


def _root(line: Line, target: Target) -> str:
    """The directory of its filesystem that a line mounts."""
    named = line.subvolume
    return target.root or ("/" if named.startswith("#") else f"/{named}")


def _line_taken_back(host: Host, before: str | None) -> tuple[Edit, ReloadMounts]:
    """A line that does not work is worse than none: the next boot may wait for it."""
    return (Edit(FSTAB, host.files.get(FSTAB), before), ReloadMounts())


def mount_on(source: str, kind: str, point: str, options: str) -> MountOn:
    """What mounts that device (a path or a tag) and no other, as a boot does it with these options of fstab.

    With ``nofail``, mount would say that all is well where nothing was mounted.
    """
    told = ",".join(word for word in words(options) if word != "nofail" and not word.startswith("x-systemd."))
    return MountOn(kind, told or "defaults", source, point)


def check_found(host: Host, what: str, device: str, line: Line) -> None:
    """Raises Refused where a boot, or mount, finds another device by the UUID or the label in a line."""
    others = twins(host, device, line.tag)
    if others:
        tag = line.tag.partition("=")[0]
        use = "has swap" if line.type == "swap" else f"mounts {line.place}"
        raise Refused(
            f"{what}: {device} and {' and '.join(others)} have one {tag} ({line.tag}), by which {FSTAB} {use}, so a "
            f"boot may take either; a {tag} was to be there once. Nothing was changed: disconnect the copy that is not "
            f"wanted, give it another {tag}, or have a line of {FSTAB} that calls {device} by {host.stable(device)}"
        )


def _where_it_is(host: Host, want: Use, target: Target) -> Use:
    """Options without a mount point are about the one that there is."""
    told = [word for word in _OF_A_MOUNT if getattr(want, word) is not None]
    if want.mount_point is not None or not told:
        return want
    word = told[0]
    points = [one.mount_point for one in host.mounts if is_of(host, one, target)]
    points = points or [place(host, line) for line in lines(host) if _is_about(host, line, target, None)]
    if not points:
        raise StorageError(f"{target}: {word} needs mount_point, since it is mounted nowhere")
    if len(set(points)) > 1:
        raise StorageError(f"{target}: {word} needs mount_point, since it is mounted on {' and '.join(points)}")
    if points[0] == "/":
        raise StorageError(f"{target}: it is the host's own root, and {word} needs mount_point: /")
    return want._replace(mount_point=points[0])


def _check_point(host: Host, target: Target, point: str, own: Mount | None, line: Line | None) -> None:
    """Raises Refused where the target is mounted elsewhere, or something else is mounted there, now or by fstab."""
    elsewhere = [one for one in host.mounts if is_of(host, one, target)] if not target.root else []
    there = [] if own else [one for one in host.mounted_there(point) if line is None or one.type != "autofs"]
    if there:
        what = _described(there[0])
        over = any(one.mount_point == point for one in elsewhere)
        remedy = "unmount that first, since it hides this one" if over else "choose another mount_point"
        raise Refused(f"{target}: {what} is mounted on {point}; {remedy}")
    around = [one for one in (*host.mounts, *host.virtual) if point.startswith(f"{one.mount_point.rstrip('/')}/")]
    inside = max(around, key=lambda one: len(one.mount_point), default=None)
    if not own and inside and inside.type in _OF_THE_KERNEL:
        raise Refused(
            f"{target}: {point} is inside {inside.mount_point}, where the kernel shows what it has ({inside.type}), "
            "and no directory can be made; choose another mount_point"
        )
    if elsewhere and not own:
        points = " and ".join(one.mount_point for one in elsewhere)
        raise Refused(
            f"{target}: {target.device} is mounted on {points}, and {point} is wanted; unmount it "
            "where it is not wanted, and take out its fstab line there"
        )
    for known in lines(host):
        # Disks that take turns have a line each, and whoever connects one mounts it.
        taking_turns = line is not None and _by_hand(known)
        if place(host, known) == point and not taking_turns and not _is_about(host, known, target, point):
            if _fits(host, known, target):
                check_found(host, f"{target}", target.device, known)
            raise Refused(f"{target}: {FSTAB} already mounts {known.spec} on {point}; take that line out first")


def _described(mounted: Mount) -> str:
    if mounted.part:
        return f"a directory of {mounted.device}"
    if mounted.subvolume:
        return f"subvolume {mounted.subvolume} of {mounted.device}"
    return f"{mounted.device} ({mounted.type})"


def _check_options(host: Host, target: Target, options: str, known: str) -> None:
    """Raises StorageError for new options that the filesystem does not know."""
    for word in words_of_filesystem(options):
        if target.root and word not in known.split(","):
            raise StorageError(
                f"{target}: {word} is an option of a filesystem, and a bind mount has those of the one that it shows; "
                "say it there"
            )
        unseen = is_placeholder(target.type) or word in known.split(",")
        refusal = "" if unseen else host.refusal_of(target.type, word)
        if refusal:
            raise StorageError(
                f"{target}: mount option {word} is not one of {target.type}, by the kernel: {refusal}; take it out"
            )


def _make_directory(host: Host, target: Target, point: str) -> tuple[tuple[Step, ...], Host]:
    """The step after which there is an empty directory to mount on."""
    if host.unseen(point):
        empty = None
    elif point in host.uncovered:
        # What lies in the directory was hidden before, too.
        return (), host
    elif point in host.directories:
        empty = host.directories[point]
    else:
        raise Unread("directories", (point,))
    if empty is False:
        raise Refused(f"{target}: {point} is not an empty directory; what it holds would be hidden by the mount")
    if empty:
        return (), host
    step = Step("create", "directory", point, "to mount on", (MakeDirectory(point),))
    return (step,), host._replace(directories={**host.directories, point: True})


def automount(host: Host, point: str) -> bool:
    """Whether systemd waits there for somebody to look, to mount what fstab says."""
    return any(one.type == "autofs" for one in host.mounted_there(point))


def unit(point: str, kind: str) -> str:
    """What systemd calls the unit of a mount point."""
    parts = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in ":_./") else _escaped(letter)
        for letter in point.strip("/")
    )
    return f"{parts.replace('/', '-') or '-'}.{kind}"


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())


def _fsck_pass(target: Target) -> str:
    """When a boot checks it: known of a volume that is offline only once it is active."""
    if is_placeholder(target.type):
        return placeholder("fsck-pass", target.path)
    return KNOWN[target.type].fsck_pass if target.type in KNOWN else "0"


def _taken_back(host: Host, target: Target, own: Mount, line: Line | None, options: str) -> tuple[str, ...]:
    """The words by which a remount takes back what is in effect and no longer wanted: it keeps what it is not told.

    Raises Refused for an option that only an unmount takes back.
    """
    taken_back = taking_back(own.options, options)
    keys = [word.partition("=")[0] for word in words(options)]
    kind = KNOWN.get(target.type)
    for word in words_of_filesystem(line.options) if line else ():
        key, is_pair, _value = word.partition("=")
        opposite = key[2:] if key.startswith("no") else f"no{key}"
        if word not in words(own.filesystem_options) or key in keys or opposite in keys:
            continue
        if is_pair or not (kind and kind.takes_back) or host.refusal_of(target.type, opposite):
            raise Refused(
                f"{target}: {word} is in effect on {own.mount_point}, and {target.type} gives it up only with an "
                "unmount; unmount it and change its line in fstab, or say the value that it is to have instead"
            )
        taken_back += (opposite,)
    return taken_back


def _leave(host: Host, target: Target, point: str) -> tuple[tuple[Step, ...], Host]:
    """The steps from the one place where a target is mounted, now or at boot, to one where nothing is.

    Its fstab line keeps its options, and goes along once it is unmounted: a boot in between mounts it in either place.
    """
    if target.root:
        return (), host
    here = [one for one in host.mounts if is_of(host, one, target)]
    known = [line for line in lines(host) if _is_about(host, line, target, None)]
    old = here[0].mount_point if here else place(host, known[0]) if known else ""
    line = next((line for line in known if place(host, line) == old), None)
    there = any(place(host, one) == point for one in known)
    if len(here) > 1 or (len(known) > 1 and not here) or old in ("", point) or (there and not here):
        return (), host
    if here and here[0].subvolume and target.subvolume is None and not line:
        raise Refused(
            f"{target}: {_described(here[0])} is mounted on {old}, and {FSTAB} has no line for that; name it in "
            "subvolumes with its mount_point, or unmount it"
        )
    check_unmountable(host, str(target), target.device, going=here)
    seen = host
    steps: tuple[Step, ...] = ()
    for one in here:
        more, host = _unmount(host, target, one)
        steps += more
    if line:
        more, host = _disarm(host, target, line)
        steps += more
        moved = None if there else _by_path(line, here)._replace(mount_point=point)
        more, host = _write_fstab(host, target, old, moved, f"{old} in {FSTAB} becomes {point}", seen)
        steps += more
    return steps, host


def _by_path(line: Line, mounts: Sequence[Mount]) -> Line:
    """A line that names a subvolume by its path: where it is not mounted yet, nobody could tell which its number is."""
    if not mounts or not line.subvolume.startswith("#"):
        return line
    told = f"subvol={mounts[0].subvolume}"
    parts = (told if word.startswith("subvolid=") else word for word in words(line.options))
    return line._replace(options=",".join(parts))


def _unmount(host: Host, target: Target, mounted: Mount) -> tuple[tuple[Step, ...], Host]:
    step = Step("unmount", target.kind, target.name, mounted.mount_point, (Command(("umount", mounted.mount_point)),))
    return (step,), host._replace(
        mounts=tuple(one for one in host.mounts if one is not mounted), uncovered=(*host.uncovered, mounted.mount_point)
    )


def _disarm(host: Host, target: Target, line: Line) -> tuple[tuple[Step, ...], Host]:
    """The step after which systemd does not wait for somebody to look there, if it does."""
    point = place(host, line)
    if not any(one.type == "autofs" and one.mount_point == point for one in host.virtual):
        return (), host
    stop = Command(("systemctl", "stop", unit(point, "automount")))
    step = Step("disable", "automount", target.name, point, (stop,))
    return (step,), host._replace(virtual=tuple(one for one in host.virtual if one.mount_point != point))


def enable_swap(host: Host, want: Use, target: Target, _now: bool = False) -> Plan:
    """What it takes to have a swap area in use, now and at each boot."""
    line = find_line(host, target)
    options = _options(want, line, target)
    wanted = line._replace(options=options) if line else Line(target.specs[0], "none", "swap", options)
    before = host.files.get(FSTAB)
    steps, host = _write_fstab(host, target, None, wanted, f"swap in {FSTAB}, {options}")
    undo = _line_taken_back(host, before) if steps else ()
    if steps or target.device not in host.swaps:
        check_found(host, f"{target}", target.device, wanted)
    if target.device not in host.swaps:
        steps += (Step("enable", "swap", target.name, target.device, (swap_on(target.path, options),), undo=undo),)
        host = host._replace(swaps=(*host.swaps, target.device))
    return Plan(steps, host)


def swap_on(path: str, options: str) -> Command:
    """What puts a swap area in use, as a boot does it with these options of fstab."""
    told = ",".join(word for word in words(options) if word.partition("=")[0] in ("discard", "pri"))
    return Command(("swapon", *((f"--options={told}",) if told else ()), path))


def check_unmountable(
    host: Host,
    what: str,
    device: str,
    *also: str,
    going: Sequence[Mount] | None = None,
    gone: Sequence[Line] = (),
) -> None:
    """Raises Refused where a device cannot be unmounted, or something of somebody else's would go with it.

    ``also``: devices that are unmounted before it. ``going``: its mounts that are unmounted (None: all but bind
    mounts). ``gone``: lines of bind mounts that go out of fstab with it.
    """
    mounts = [one for one in host.mounts if one.device == device and not is_bind(host, one)] if going is None else going
    points = [one.mount_point for one in mounts]
    binds = [
        (one.mount_point, "now")
        for one in host.mounts
        if one.device == device and one not in mounts and is_bind(host, one)
        if any(_within(one.root, outer.root) for outer in mounts if not is_bind(host, outer))
    ]
    binds += [
        (line.mount_point, f"by {FSTAB}")
        for line in lines(host)
        if line.is_bind and line not in gone and any(_within(line.device, point) for point in points)
    ]
    if binds:
        point, how = binds[0]
        raise Refused(
            f"{what}: a directory of it is shown on {point} as well (a bind mount, {how}), which would be left empty; "
            f"unmount that first, and take its line out of {FSTAB} (an item of bind_mounts with state absent does both)"
        )
    if "/" in points:
        raise Refused(f"{what}: {device} is mounted on /, the host's own root, which is never unmounted")
    for point in points:
        for one in (*host.mounts, *host.virtual):
            if one in mounts or one.device in also:
                continue
            over = one.mount_point == point and one.device != device and one.type != "autofs"
            if over or one.mount_point.startswith(f"{point}/"):
                where = "over it" if over else "inside it"
                raise Refused(f"{what}: {one.device} is mounted on {one.mount_point}, {where}; unmount that first")
        users = host.users_of(point)
        if users:
            raise Refused(f"{what}: {point} is in use by {users}; stop that first")


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer.rstrip('/')}/")


def _by_hand(line: Line) -> bool:
    """Whether only somebody who asks for it mounts it."""
    told = words(line.options)
    return "noauto" in told and not any(word.startswith("x-systemd.automount") for word in told)


def unmount(host: Host, target: Target, gone: bool = True, binds: Sequence[str] | None = ()) -> Plan:
    """What it takes to have a filesystem not mounted (a swap area not used), now and at each boot.

    The fstab lines go last: what cannot be unmounted keeps its own. Unless it is going to be ``gone``, a line by which
    nothing mounts it stays. ``binds``: where its directories are shown that go with it (None: all such places).
    """
    own = [line for line in lines(host) if _is_about(host, line, target, None)]
    here = [one for one in host.mounts if is_of(host, one, target)]
    shown_by = [line for line in _binds_in(host, here, own) if binds is None or place(host, line) in binds]
    with_them = [
        one
        for one in host.mounts
        if one.device == target.device and is_bind(host, one) and (binds is None or one.mount_point in binds)
    ]
    going = [one for one in host.mounts if one in here or (not target.root and one in with_them)]
    check_unmountable(host, str(target), target.device, going=going, gone=shown_by)
    seen = host
    points = [one.mount_point for one in here]
    kept = [line for line in own if not gone and _by_hand(line) and place(host, line) not in points]
    steps: tuple[Step, ...] = ()
    if target.device in host.swaps:
        off = Command(("swapoff", target.device), timeout=3600)
        steps += (Step("disable", "swap", target.name, target.device, (off,)),)
        host = host._replace(swaps=tuple(path for path in host.swaps if path != target.device))
    for mounted in reversed(going):
        more, host = _unmount(host, target, mounted)
        steps += more
    for line in own:
        more, host = _disarm(host, target, line)
        steps += more
    for line in shown_by:
        detail = f"{line.mount_point} is not in {FSTAB}"
        shown_there = target._replace(root="/", specs=(line.spec,))
        more, host = _write_fstab(host, shown_there, place(host, line), None, detail, seen)
        steps += more
    for point in [place(host, line) for line in own if line not in kept] if kept else (None,):
        detail = f"no line in {FSTAB}" if point is None else f"{point} is not in {FSTAB}"
        more, host = _write_fstab(host, target, point, None, detail, seen)
        steps += more
    return Plan(steps, host)


def unmount_directory(host: Host, target: Target, point: str) -> Plan:
    """What it takes to have a directory not shown there, by a bind mount, now and at each boot."""
    _base, root = on_mount(host, target.path)
    there = [one for one in host.mounts if (one.device, one.mount_point) == (target.device, point)]
    line = find_line(host, target, point)
    here = [one for one in there if is_bind(host, one) and (one.root == root or (line and line_at(host, one) == line))]
    check_unmountable(host, str(target), target.device, going=here)
    steps: tuple[Step, ...] = ()
    for mounted in reversed(here):
        more, host = _unmount(host, target, mounted)
        steps += more
    more, host = _write_fstab(host, target, point, None, f"{point} is not in {FSTAB}")
    return Plan(steps + more, host)


def lines_of(host: Host, target: Target) -> list[Line]:
    """The lines of fstab that mount a target, or show directories of it in other places."""
    own = [line for line in lines(host) if _is_about(host, line, target, None)]
    return own + _binds_in(host, [one for one in host.mounts if is_of(host, one, target)], own)


def _binds_in(host: Host, here: Sequence[Mount], own: Sequence[Line]) -> list[Line]:
    """The lines of fstab that show directories of these mounts, and of what these lines mount, in other places."""
    points = [*(one.mount_point for one in here), *(place(host, line) for line in own)]
    return [line for line in lines(host) if line.is_bind and any(_within(line.device, point) for point in points)]


def check_mount_points(volumes: tuple[Volume, ...], drive: str) -> None:
    """Raises StorageError where two volumes want one mount point."""
    points = [point for volume in volumes for point in volume.use.mount_points]
    for point in points:
        if points.count(point) > 1:
            raise StorageError(f"drive {drive}: {point} is the mount_point of two volumes")
