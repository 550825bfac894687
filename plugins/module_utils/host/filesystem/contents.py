# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device carries: a filesystem or a swap area, made, named, mounted and as large as the device."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Step, new_uuid
from ...document.filesystem import TYPES, Use, check_new_label
from ...document.sizes import show_size
from ..actions import Grow, Relabel
from ..devices import Content, Signature
from ..host import Host
from ..mount import plan as mount
from ..mount.fstab import Line
from ..mount.options import is_read_only
from ..safety import (
    array_of,
    blank,
    check_boot,
    check_lasting,
    check_not_decrypting,
    check_single,
    check_unused,
    describe_content,
    is_own,
    shows_another,
    wipe_steps,
)
from ..unfinished import about, ended, forget, half_made, on_device, same_uuid
from .state import Filesystem
from .types.known import KNOWN

Steps = tuple[Step, ...]
#: What a new volume gets where nobody says a kind.
DEFAULT = "btrfs"


class Place(NamedTuple):
    """A device for a filesystem: a volume of a drive (``kind`` volume), or any other (filesystem).

    ``name`` is what people call it, ``path`` what commands are given, ``device`` what the state calls it, ``paths`` are
    the ways in which fstab may call it beside UUID and label. ``size`` in bytes; a filesystem is grown where at least
    ``slack`` is free behind it. ``anew``: each boot makes what it carries anew, so that fstab calls it by its path.
    """

    kind: str
    name: str
    path: str
    device: str
    size: int
    paths: tuple[str, ...]
    slack: int = 1
    anew: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def step(place: Place, verb: str, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb, place.kind, place.name, detail, actions, flush=(place.path,), **more)


def target(place: Place, filesystem: Filesystem | None) -> mount.Target:
    kind = filesystem.type if filesystem else ""
    return mount.Target(place.kind, place.name, place.device, place.path, kind, specs(place, filesystem))


def specs(place: Place, filesystem: Filesystem | None) -> tuple[str, ...]:
    """All the ways in which fstab may call it, ours first."""
    by_uuid = (f"UUID={filesystem.uuid}",) if filesystem else ()
    by_label = (f"LABEL={filesystem.label}",) if filesystem and filesystem.label else ()
    return (*place.paths, *by_uuid) if place.anew else (*by_uuid, *by_label, *place.paths)


def with_filesystem(host: Host, device: str, filesystem: Filesystem | None) -> Host:
    return host._replace(filesystems={**host.filesystems, device: filesystem})


def without_membership(host: Host, path: str) -> Host:
    """The host, once a device carries no superblock of an array any more."""
    left = array_of(host, path)
    if left is None:
        return host
    kept = left._replace(members=tuple(member for member in left.members if member.device != path))
    arrays = (kept if array is left else array for array in host.arrays)
    return host._replace(arrays=tuple(array for array in arrays if array.members))


def make(host: Host, place: Place, want: Use, allow: bool, replaces: str = "") -> tuple[Steps, Host, Filesystem | None]:
    """A filesystem of the wanted kind; one that is there already stays.

    Without a kind, whatever the device holds stays, and may be none (None), unless a crash left it half made.
    ``replaces`` is the thing whose record ends when that of the filesystem begins.
    """
    if want == Use() and shows_another(host, host.devices[place.device]):
        return (), host, None
    filesystem = host.filesystem(place.device)
    left = half_made(host, "filesystem", place.device)
    recorded = about(host, "filesystem", place.device)
    own = filesystem is None or is_own(host, host.devices[place.device], f"{place}", allow)
    if filesystem and own and not left and filesystem.type == (want.filesystem or filesystem.type):
        _check_sectors(host, place, filesystem)
        # A kernel has worked with it: it was complete when the crash came.
        done = any(same_uuid(record.uuid, filesystem.uuid) for record in recorded)
        return *forget(host, paths=(place.device,) if done else ()), filesystem
    steps: Steps = ()
    kind = want.filesystem
    device = host.devices[place.device]
    if kind is None and want == Use() and not recorded:
        return (), host, None
    content = host.content(device.path)[device.path]
    if kind is None:
        if not left and (content.signatures or content.busy or not recorded):
            _check_kept(place, want, content)
            return (), host, None
        kind = DEFAULT
    if device.read_only:
        raise StorageError(f"{place}: {place.path} is read-only, and holds no {kind}")
    check_not_decrypting(host, device.path, f"{place}")
    check_lasting(host, device, f"{place}", "filesystems")
    if content.signatures:
        if not left and not host.may_lose(device.path, allow):
            raise Refused(
                f"{place}: {place.path} holds {describe_content(content)}, and {kind} is wanted. "
                "Leave filesystem out to keep it. Set allow_destroy to destroy that."
            )
        check_unused(host, device, f"{place}", "Put it out of use first.")
        check_boot(host, device.path, content, f"{place}", remade=True)
        steps += wipe_steps([(device, content)], lost=not left)
    if place.size < KNOWN[kind].least:
        raise StorageError(
            f"{place}: {show_size(place.size)} is too small for {kind}, which needs {show_size(KNOWN[kind].least)}"
        )
    label = want.label or ""
    _check_label(place, label, kind)
    # What fstab may name already: a swap area that is made anew keeps its UUID.
    uuid = recorded[0].uuid if recorded else KNOWN[kind].uuid(new_uuid(f"filesystem/{place.name}"))
    made = Filesystem(kind, uuid, label, size=place.size)
    mount.check_label(host, target(place, made), "", label)
    program, *words = KNOWN[kind].make(place.path, made.uuid, label)
    command = Command((program, *(want.mkfs_options or ()), *words), timeout=600)
    intent = on_device(place.path, made.uuid, replaces)
    steps += (step(place, "format", kind, command, claims=(blank(device),), intent=intent),)
    host = without_membership(ended(host, *recorded), device.path)
    host = host.with_content(device.path, Signature(kind, made.uuid, label))
    host = host._replace(subvolumes={**host.subvolumes, device.path: ()}) if kind == "btrfs" else host
    return steps, with_filesystem(host, device.path, made), made


def _check_kept(place: Place, want: Use, content: Content) -> None:
    """Raises Refused where something is wanted of a filesystem, and what is kept is none that can be managed."""
    words = [word for word in want._fields if word != "filesystem" and getattr(want, word)]
    if not words:
        return
    what = f"{place}: {', '.join(words)} needs a filesystem that can be managed ({', '.join(TYPES)}), and {place.path} "
    if content.signatures:
        raise Refused(
            f"{what}holds {describe_content(content)}. That is kept as it is: leave {', '.join(words)} out. What lies "
            "on top of it, once it is unlocked or started, is an item of its own, by its own device"
        )
    raise Refused(
        f"{what}holds nothing that is known here, which may be data in a form of its own. It is kept as it is: leave "
        f"{', '.join(words)} out. If nothing on it is needed, say also filesystem to have one made"
    )


def _check_sectors(host: Host, place: Place, filesystem: Filesystem) -> None:
    """Raises Refused for a filesystem that the kernel does not mount, since its device has larger sectors by now."""
    sector = host.devices[place.device].sector
    if filesystem.sector < sector:
        raise Refused(
            f"{place}: {place.path} holds {filesystem.type} that was made for sectors of at most {filesystem.sector} "
            f"bytes, and has sectors of {sector} here, with which it does not mount. Nothing is lost: attach the disk "
            "as it was before, or read the data by losetup --read-only --sector-size "
            f"{filesystem.sector} --find --show {place.path}, and copy it to another device"
        )


def put_to_use(
    host: Host, place: Place, want: Use, filesystem: Filesystem, spans: bool = True, grown: bool = False
) -> tuple[Steps, Host]:
    """Mounted, named, and (``spans``) as large as its device.

    It grows where it can as it is in use, and has to where its device is made larger for it (``grown``).
    """
    if want.mount_point != "" and filesystem.size > place.size:
        raise Refused(
            f"{place}: its {filesystem.type} spans {show_size(filesystem.size)}, and {place.path} has "
            f"{show_size(place.size)}: it was made smaller below it. Nothing was changed; make it as large as "
            "before, and what lay behind its end is there again unless something else was written there"
        )
    if want.mount_point and filesystem.devices > 1:
        _check_together(host, place, want, filesystem)
    kind = KNOWN.get(filesystem.type)
    grows = spans and place.size >= (kind.grows_to if kind else 0) and is_smaller(place, filesystem)
    told = want.mount_options is not None or want.boot_required is not None
    swap = want.filesystem == "swap" or (filesystem.type == "swap" and want.mount_point is None and told)
    steps: Steps = ()
    if swap or (kind and not kind.label_mounted and not host.mounted(place.device)):
        # It is named while nobody uses it.
        steps, host, filesystem = _relabel(host, place, want, filesystem)
    whole = target(place, filesystem)._replace(subvolume=_whole(want))
    used = (mount.enable_swap if swap else mount.mount)(host, want, whole, grows)
    steps, host = steps + used.steps, used.after
    more, host, filesystem = _relabel(host, place, want, filesystem)
    steps += more
    if grows and (grown or _can_grow(host, place, filesystem)):
        _check_growable(host, place, filesystem)
        more, host = _grow(host, place, filesystem)
        steps += more
    if steps and want.mount_point != "":
        # What is to be done pays for a look by libblkid; what is as wanted needs none.
        check_single(host, place.device, f"{place}")
    return steps, host


def _whole(want: Use) -> str | None:
    """The subvolume that is mounted for the filesystem as a whole: that of its options, or any where none is listed."""
    named = Line("", "", "", want.mount_options or "").subvolume
    return named or ("" if want.subvolumes is not None else None)


def is_smaller(place: Place, filesystem: Filesystem) -> bool:
    """Whether a filesystem that can grow leaves more of its device unused than its type leaves at the end."""
    kind = KNOWN.get(filesystem.type)
    if kind and not kind.grows:
        return False
    return place.size - filesystem.size >= max(place.slack, kind.slack if kind else 0)


def _can_grow(host: Host, place: Place, filesystem: Filesystem) -> bool:
    """Whether a filesystem grows as it is in use now: it may be smaller than its device on purpose."""
    if filesystem.type == "swap":
        return place.device in host.swaps
    mounts = [one for one in host.mounts if one.device == place.device]
    grows = not all(is_read_only(one.options) for one in mounts) and all(one.type != "ext2" for one in mounts)
    return grows and not filesystem.damaged


def _check_growable(host: Host, place: Place, filesystem: Filesystem) -> None:
    """Raises Refused for a filesystem that the kernel does not grow as it is mounted."""
    grown = f"{place}: its {filesystem.type} spans {show_size(filesystem.size)} of {show_size(place.size)}, and"
    mounts = [one for one in host.mounts if one.device == place.device]
    if any(one.type == "ext2" for one in mounts):
        raise Refused(
            f"{grown} is mounted as ext2 on {mounts[0].mount_point}, as which the kernel does not grow it. Have it "
            "mounted as ext4, which takes it as it is (in its line of /etc/fstab), or keep its size"
        )
    read_only = [one for one in mounts if is_read_only(one.options)]
    if read_only and len(read_only) == len(mounts):
        raise Refused(
            f"{grown} is mounted read-only on {read_only[0].mount_point}, where it cannot grow. Have it writable first "
            "(mount_options without ro, if nothing is wrong with it), or keep its size"
        )
    if filesystem.damaged:
        raise Refused(
            f"{grown} says that errors were found in it; the kernel grows it only once it is repaired. Copy what it "
            "holds, unmount it, and look at what `e2fsck -f -n` says before e2fsck repairs it"
        )


def _check_together(host: Host, place: Place, want: Use, filesystem: Filesystem) -> None:
    """Raises Refused where a filesystem of several devices is not mounted, and they are not all here, or not the same.

    Its devices are written one after another, so that a crash leaves them one generation apart.
    """
    others = host.filesystems_on(
        *(
            device.path
            for device in host.devices.values()
            if device.kernel and device.size and not device.holders and not device.partitions and not device.suspended
        )
    )
    known = {path: other for path, other in others.items() if other and same_uuid(other.uuid, filesystem.uuid)}
    if any(host.mounted(path) for path in known):
        return
    newest = max(other.generation for other in known.values())
    old = [path for path, other in known.items() if other.generation < newest - 1]
    if old:
        which = ", ".join(f"{path} (generation {other.generation})" for path, other in known.items())
        raise Refused(
            f"{place}: its {filesystem.type} spans {which}, and {' '.join(old)} was away while the others were written "
            "to; together, older data could be read, or both be damaged if each was used alone. Nothing is mounted. "
            f"Disconnect {' '.join(old)}, and mount the rest by hand (mount -o degraded,ro) to see what it holds"
        )
    line = mount.find_line(host, target(place, filesystem), want.mount_point)
    words = f"{want.mount_options or ''},{line.options if line else ''}".split(",")
    if len(known) < filesystem.devices and "degraded" not in words:
        raise Refused(
            f"{place}: its {filesystem.type} spans {filesystem.devices} devices, and only {' '.join(known)} is here. "
            "Bring the others back; mount -o degraded,ro shows by hand what there is without them"
        )


def dump_use(host: Host, place: Place, filesystem: Filesystem | None) -> dict[str, Any]:
    """The words about it, without those that there is nothing to say for.

    Mounted is what is so now and after a boot, or will be once it is online. The root's own mount is never changed.
    What can be seen and is no filesystem of the device's own, or none that can be managed, is kept without a word. A
    filesystem of several devices is mounted once: that is said of the first of them that is known.
    """
    if place.device and (filesystem is None or shows_another(host, host.devices[place.device])):
        return {}
    points = host.mounted(place.device) if place.device else ()
    known = target(place, filesystem)
    named = mount.lines_of_subvolumes(host, known) if points else {}
    whole = known._replace(subvolume="") if named else known
    line = mount.find_line(host, whole, points[0] if points and not named else None)
    parts = _dump_parts(host, known, named)
    if filesystem and filesystem.devices > 1:
        numbers = [one.number for one in host.filesystems.values() if one and one.uuid == filesystem.uuid]
        if filesystem.number != min(numbers, default=1):
            line, parts = None, {}
    swap = filesystem is not None and filesystem.type == "swap"
    waiting = line is not None and mount.automount(host, mount.place(host, line))
    unused = not points and not waiting and (not swap or place.device not in host.swaps)
    if "/" in points or (place.device and unused):
        line = None
    words = {
        "filesystem": filesystem.type if filesystem and filesystem.type in TYPES and (line or not swap) else None,
        # A boot that makes it anew says by itself how it is labelled.
        "label": filesystem.label if filesystem and filesystem.label and not place.anew else None,
        "mount_point": line.mount_point if line and not swap else None,
        "mount_options": line.options if line else None,
        "boot_required": line.is_required if line else None,
        **parts,
    }
    return {word: value for word, value in words.items() if value is not None}


def _dump_parts(host: Host, known: mount.Target, named: dict[str, Line]) -> dict[str, Any]:
    """The subvolumes and the directories of a filesystem that are mounted, each now and after a boot."""
    shown = [
        (one, line)
        for one in host.mounts
        if one.device == known.device and mount.is_bind(host, one)
        for line in (mount.line_at(host, one),)
        if line
    ]
    subvolumes = [{"name": name, **_dump_mount(line)} for name, line in named.items() if line.place != "/"]
    binds = [{"source": line.device, **_dump_mount(line)} for _one, line in shown]
    return {"subvolumes": subvolumes or None, "bind_mounts": binds or None}


def _dump_mount(line: Line) -> dict[str, Any]:
    options = mount.plain_options(line)
    return {"mount_point": line.mount_point, "mount_options": options, "boot_required": line.is_required}


def _relabel(host: Host, place: Place, want: Use, filesystem: Filesystem) -> tuple[Steps, Host, Filesystem]:
    if want.label is None or want.label == filesystem.label:
        return (), host, filesystem
    kind = KNOWN.get(filesystem.type)
    _check_label(place, want.label, filesystem.type)
    if host.devices[place.device].read_only or filesystem.seed:
        why = "the seed of other filesystems" if filesystem.seed else "read-only"
        raise StorageError(f"{place}: {place.path} is {why}, and its label cannot change")
    point = host.work_point(place.device)
    kept = kind.keeps_label(point) if kind else ""
    if kept:
        raise Refused(f"{place}: it {kept}")
    known = target(place, filesystem)
    mount.check_label(host, known, filesystem.label, want.label)
    steps, host = mount.name_by_uuid(host, known, filesystem.uuid)
    relabel = Relabel(filesystem.type, place.path, point, want.label)
    named = filesystem._replace(label=want.label)
    off, on = _out_of_use(host, place, filesystem)
    steps += (step(place, "label", want.label or "none", *off, relabel, *on),)
    return steps, with_filesystem(host, place.device, named), named


def _out_of_use(host: Host, place: Place, filesystem: Filesystem) -> tuple[tuple[Command, ...], tuple[Command, ...]]:
    """What puts a swap area out of use, and in use again; none for any other."""
    if place.device not in host.swaps:
        return (), ()
    known = target(place, filesystem)
    line = mount.find_line(host, known)
    return (Command(("swapoff", place.path), timeout=3600),), (mount.swap_on(place.path, line.options if line else ""),)


def _check_label(place: Place, label: str, kind: str) -> None:
    """Raises StorageError for a label that a filesystem of that type is not given."""
    check_new_label(label, f"{place}")
    known = KNOWN.get(kind)
    if known and len(label) > known.longest:
        raise StorageError(
            f"{place}: label {label} has {len(label)} characters, and that of {kind} has at most {known.longest}"
        )
    if known and set(known.not_in_labels).intersection(label):
        raise StorageError(f"{place}: label {label}: that of {kind} has none of the characters {known.not_in_labels}")


def _grow(host: Host, place: Place, filesystem: Filesystem) -> tuple[Steps, Host]:
    point = host.work_point(place.device)
    grown = with_filesystem(host, place.device, filesystem._replace(size=place.size))
    if filesystem.type == "swap":
        again = Command(KNOWN["swap"].make(place.path, filesystem.uuid, filesystem.label))
        intent = on_device(place.path, filesystem.uuid)
        off, on = _out_of_use(host, place, filesystem)
        return (step(place, "grow", f"swap to {show_size(place.size)}", *off, again, *on, intent=intent),), grown
    if not point:
        raise StorageError(
            f"{place}: its {filesystem.type} spans {show_size(filesystem.size)} of {show_size(place.size)}, "
            "and grows only while it is mounted: say also mount_point"
        )
    detail = f"the filesystem to {show_size(place.size)}"
    action = Grow(filesystem.type, place.path, point, filesystem.number)
    return (step(place, "grow", detail, action),), grown
