# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All mounts of filesystems: each as a whole, the subvolumes of a btrfs, and directories that are bind mounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...core.errors import Refused, StorageError, Unread
from ...core.plan import MakeDirectory, Step, is_placeholder
from ...document.filesystem import BindMount, Subvolume as Wanted, Use
from ..actions import Claim, DeleteSubvolume, MakeSubvolume
from ..host import Host
from ..mount import fstab, plan as mount
from .contents import Place, Steps, put_to_use, target
from .state import Filesystem, Subvolume


class Carrier(NamedTuple):
    """A filesystem and what is wanted of it; ``spans`` and ``grown`` are put_to_use's."""

    place: Place
    want: Use
    filesystem: Filesystem
    spans: bool = True
    grown: bool = False

    @property
    def subvolumes(self) -> tuple[Wanted, ...]:
        return self.want.subvolumes or ()

    @property
    def bind_mounts(self) -> tuple[BindMount, ...]:
        return self.want.bind_mounts or ()


def use_all(host: Host, carriers: Sequence[Carrier], allow: bool) -> tuple[Steps, Host]:
    """Everything mounted as it is wanted.

    What is mounted inside another mount is mounted after it and unmounted before it, and a bind mount after all that it
    may show a directory of.
    """
    steps: Steps = ()
    for one in carriers:
        more, host = _removed(host, one, allow)
        steps += more
    for one in carriers:
        more, host = _created(host, one)
        steps += more
    down = [(one, part) for one, part in _parts(carriers) if _use(one, part).mount_point == ""]
    down.sort(key=lambda each: _place_now(host, *each), reverse=True)
    for one, part in down:
        more, host = _put_to_use(host, one, part)
        steps += more
    up = [each for each in _parts(carriers) if each not in down]
    for one, part in sorted(up, key=lambda each: _use(*each).mount_point or ""):
        more, host = _put_to_use(host, one, part)
        steps += more
    binds = [(one, bind) for one in carriers for bind in one.bind_mounts if bind.state != "absent"]
    for one, bind in sorted(binds, key=lambda each: each[1].use.mount_point or ""):
        more, host = _bind(host, one.place, bind)
        steps += more
    return steps, host


def shown_at(want: Use) -> tuple[str, ...]:
    """Where the bind mounts are that a document has of a filesystem."""
    return tuple(bind.use.mount_point or "" for bind in want.bind_mounts or ())


def _parts(carriers: Sequence[Carrier]) -> list[tuple[Carrier, Wanted | None]]:
    """The filesystems, each as a whole (None), and their subvolumes."""
    return [
        (one, part) for one in carriers for part in (None, *(part for part in one.subvolumes if part.state != "absent"))
    ]


def _use(one: Carrier, part: Wanted | None) -> Use:
    return part.use if part else one.want


def _target(one: Carrier, name: str) -> mount.Target:
    return target(one.place, one.filesystem)._replace(
        kind="subvolume", name=f"{name} of {one.place.name}", subvolume=name, words=(f"subvol={name}",)
    )


def _place_now(host: Host, one: Carrier, part: Wanted | None) -> str:
    """Where it is mounted last."""
    if part is None:
        return next(iter(host.mounted(one.place.device)[-1:]), "")
    known = _target(one, part.name)
    return next((seen.mount_point for seen in reversed(host.mounts) if mount.is_of(host, seen, known)), "")


def _put_to_use(host: Host, one: Carrier, part: Wanted | None) -> tuple[Steps, Host]:
    if part is None:
        return put_to_use(host, one.place, one.want, one.filesystem, one.spans, one.grown)
    known = _target(one, part.name)
    if part.use.mount_point == "":
        planned = mount.unmount(host, known, gone=False)
    else:
        planned = mount.mount(host, part.use, known)
    return planned.steps, planned.after


def _removed(host: Host, one: Carrier, allow: bool) -> tuple[Steps, Host]:
    """Bind mounts and subvolumes that are to be absent, the inner ones first."""
    steps: Steps = ()
    for bind in one.bind_mounts:
        if bind.state == "absent":
            point = bind.use.mount_point or ""
            planned = mount.unmount_directory(host, _directory(one.place, bind.source), host.real_point(point))
            steps, host = steps + planned.steps, planned.after
    names = [part.name for part in one.subvolumes if part.state == "absent"]
    for name in sorted(names, reverse=True):
        more, host = _deleted(host, one, name, names, allow)
        steps += more
    return steps, host


def _deleted(host: Host, one: Carrier, name: str, names: Sequence[str], allow: bool) -> tuple[Steps, Host]:
    place, known = one.place, _target(one, name)
    _check_type(one, name)
    if is_placeholder(one.filesystem.type):
        raise Refused(
            f"{known}: whether there is such a subvolume is seen only once {place} is active; have it online first"
        )
    there = host.subvolumes_on(place.device)
    found = next((each for each in there if each.path == name), None)
    if found is None:
        return (), host
    inside = [each.path for each in there if each.path.startswith(f"{name}/") and each.path not in names]
    if inside:
        raise Refused(
            f"{known}: it cannot be deleted, since it holds other subvolumes ({', '.join(inside)}), which may be "
            "snapshots. Nothing was changed. List those with state absent too, or keep this one"
        )
    if found.default:
        raise Refused(
            f"{known}: it is the default subvolume, which a mount shows that names none, and the kernel keeps that; "
            "set another one first (btrfs subvolume set-default)"
        )
    if not host.may_lose(place.device, allow):
        raise Refused(
            f"{known}: it is to be absent, and what it holds would be lost. Set allow_destroy to destroy that."
        )
    unmounted = mount.unmount(host, known)
    host = unmounted.after
    lost = (f"{known} and what it holds",)
    claims = (Claim(place.path, host.devices[place.device].identity, None, shared=True),)
    delete = Step(
        "delete",
        known.kind,
        known.name,
        "with all files in it",
        (DeleteSubvolume(place.path, name),),
        claims=claims,
        flush=(place.path,),
        destroys=lost,
    )
    return (*unmounted.steps, delete), _with(host, place, tuple(each for each in there if each is not found))


def _created(host: Host, one: Carrier) -> tuple[Steps, Host]:
    """The subvolumes that are missing, the outer ones first. What is mounted is there."""
    steps: Steps = ()
    for part in sorted(one.subvolumes):
        known = _target(one, part.name)
        if part.state == "absent" or any(mount.is_of(host, seen, known) for seen in host.mounts):
            continue
        _check_type(one, part.name)
        unseen = is_placeholder(one.filesystem.type)
        there = host.subvolumes.get(one.place.device, ()) if unseen else host.subvolumes_on(one.place.device)
        if part.name in [each.path for each in there]:
            continue
        detail = "unless it is there" if unseen else f"at the top level of {one.place}"
        action = MakeSubvolume(one.place.path, part.name)
        steps += (Step("create", known.kind, known.name, detail, (action,), flush=(one.place.path,)),)
        host = _with(host, one.place, (*there, Subvolume(0, part.name)))
    return steps, host


def _with(host: Host, place: Place, subvolumes: tuple[Subvolume, ...]) -> Host:
    return host._replace(subvolumes={**host.subvolumes, place.device: subvolumes})


def _check_type(one: Carrier, name: str) -> None:
    kind = one.filesystem.type
    if kind != "btrfs" and not is_placeholder(kind):
        raise StorageError(f"{one.place}: it holds {kind}, and only btrfs has subvolumes, such as {name}")


def _directory(place: Place, source: str) -> mount.Target:
    """A directory as what is shown in another place."""
    return mount.Target("directory", source, place.device, source, "none", (fstab.escape(source),), root="/")


def _bind(host: Host, place: Place, bind: BindMount) -> tuple[Steps, Host]:
    known = _directory(place, bind.source)
    base, root = mount.on_mount(host, bind.source)
    # A filesystem of several devices is mounted of each of them.
    if base is None or place.device not in [one.device for one in host.mounted_there(base.mount_point)]:
        other = f"{base.device}, which is mounted on {base.mount_point}" if base else "nothing"
        raise Refused(
            f"{known}: it is to be shown on {bind.use.mount_point}, and it lies on {other}, not on {place}; name a "
            f"directory below a mount point of {place}"
        )
    outer = fstab.escape(base.mount_point)
    words = ("bind", *(() if "\\" in outer or "," in outer else (f"x-systemd.requires-mounts-for={outer}",)))
    known = known._replace(root=root, words=words)
    steps: Steps = ()
    if not any(mount.is_of(host, seen, known) for seen in host.mounts):
        steps, host = _make_source(host, bind.source)
    planned = mount.mount(host, bind.use, known)
    return steps + planned.steps, planned.after


def _make_source(host: Host, source: str) -> tuple[Steps, Host]:
    """The step after which there is a directory to show in another place."""
    if host.mounted_there(source):
        return (), host
    unseen = host.unseen(source)
    if not unseen and source not in host.directories:
        raise Unread("directories", (source,))
    if source in host.real:
        raise StorageError(
            f"directory {source}: it lies behind a symbolic link; say {host.real[source]}, which it leads to, as source"
        )
    if not unseen and host.directories[source] is not None:
        return (), host
    step = Step("create", "directory", source, "to show in another place", (MakeDirectory(source),))
    return (step,), host._replace(directories={**host.directories, source: True})
