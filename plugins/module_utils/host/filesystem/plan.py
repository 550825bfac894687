# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem, or swap area, on any device."""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Plan, Step
from ...document.filesystem import TYPES, OnDevice
from ...document.sizes import show_size
from ..devices import Device
from ..findings import of_use, told
from ..host import Host
from ..layer import Found, Reported
from ..mount import plan as mount
from ..safety import check_unused, describe_content, describe_held, is_own, shows_another, take, wipe_steps
from ..unfinished import forget, half_made
from .contents import Place, dump_use, is_smaller, make, target, with_filesystem, without_membership
from .mounts import Carrier, use_all
from .state import Filesystem
from .types.known import KNOWN

#: Bytes at the end of a device that no filesystem can use: less than one of its blocks, or groups of them.
_SLACK = 1 << 20

BY_DEVICE = True


def plan(host: Host, want: OnDevice, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    if want.state == "absent":
        return _absent(host, want, allow)
    what = f"filesystem on {want.device}"
    device = host.device(want.device, what)
    place = _place(host, want, device)
    if place.anew and (want.use.filesystem != "swap" or want.use.label):
        word = f"label {want.use.label}" if want.use.label else f"type {want.use.filesystem or 'of any kind'}"
        raise Refused(
            f"{what}: {word}, and {device.path} has a new key at each boot, which makes an empty swap area of it "
            "and labels it by itself. Say type swap, or have a luks2 container for what lasts"
        )
    found = host.filesystem(device.path)
    steps: tuple[Step, ...] = ()
    own = found is None or is_own(host, device, what, allow)
    if found is None or not own or found.type != (want.use.filesystem or found.type):
        if want.use.filesystem is None:
            _check_nothing(host, device, what)
            raise StorageError(f"{what}: there is none, and to make one, say also: type")
        if not half_made(host, "filesystem", device.path):
            steps = take(host, device, f"a place for {want.use.filesystem}", "filesystems", allow)
            host = without_membership(with_filesystem(host.with_content(device.path), device.path, None), device.path)
    made, host, filesystem = make(host, place, want.use, allow)
    used: tuple[Step, ...] = ()
    warnings = told(what, *of_use(host, device.path))
    if filesystem is not None:
        used, host = use_all(host, [Carrier(place, want.use, filesystem)], allow)
        now = host.filesystem(device.path)
        if now and now.type != "swap" and is_smaller(place, now):
            spans = f"its {now.type} spans {show_size(now.size)} of {show_size(place.size)}"
            warnings += (f"{what}: {spans}. It grows to all of it once it can: mounted, writable, and without errors",)
    return Plan(steps + made + used, host, warnings=warnings)


def _check_nothing(host: Host, device: Device, what: str) -> None:
    """Raises Refused for a device that holds something else than a filesystem that can be managed."""
    content = host.content(device.path)[device.path]
    if content.signatures:
        raise Refused(
            f"{what}: {device.path} holds {describe_content(content)}, and no filesystem that can be managed "
            f"({', '.join(TYPES)}). That is kept as it is: leave this item out. What lies on top of it, once it is "
            "unlocked or started, is an item of its own, by its own device"
        )


def _place(host: Host, want: OnDevice, device: Device) -> Place:
    anew = any(plain.mapped == device.path for plain in host.plains)
    named = (device.link, device.path, want.device) if anew else (device.path, device.link, want.device)
    paths = tuple(dict.fromkeys(path for path in named if path.startswith("/")))
    return Place("filesystem", host.shown(device.path), device.path, device.path, device.size, paths, _SLACK, anew)


def _absent(host: Host, want: OnDevice, allow: bool) -> Plan:
    """Nothing that this word can mean is on the device: what else there is stays."""
    device = host.find(want.device)
    filesystem = host.filesystem(device.path) if device else None
    if device is None or filesystem is None:
        return Plan(*forget(host, paths=(device.path,) if device else ()))
    what = f"filesystem on {want.device} cannot be removed"
    is_own(host, device, what, allow)
    content = host.content(device.path)[device.path]
    if not host.may_lose(device.path, allow):
        held = describe_held(host, device.path, content)
        raise Refused(f"{what}: {device.path} holds {held}. Set allow_destroy to destroy that.")
    before = host
    unmounted = mount.unmount(host, target(_place(host, want, device), filesystem), binds=None)
    host = unmounted.after
    check_unused(host, device, what, "Take away what uses it first.")
    host = with_filesystem(host.with_content(device.path), device.path, None)
    forgotten, host = forget(host, paths=(device.path,))
    return Plan(unmounted.steps + wipe_steps([(device, content)], host=before) + forgotten, host)


def device_paths(_want: OnDevice) -> dict[str, str]:
    """It is on a device, and is none."""
    return {}


def called(host: Host, want: OnDevice) -> str:
    """The path of its device that survives a reboot."""
    device = host.find(want.device)
    return host.stable(device.path) if device else want.device


def made_of(host: Host, want: OnDevice, _role: str) -> tuple[str, ...]:
    """What is mounted where it is to be mounted, or would be by fstab, or carries its label; or is swap."""
    use = want.use
    swap = use.filesystem == "swap"
    point = host.real_point(use.mount_point) if use.mount_point else None
    specs = [
        line.tag for line in mount.lines(host) if (line.type == "swap" if swap else mount.place(host, line) == point)
    ]
    found = [mounted.device for mounted in host.mounts if mounted.mount_point == point]
    for path, content in host.contents.items():
        for signature in content.signatures:
            known = f"UUID={signature.uuid}" in specs or f"LABEL={signature.label}" in specs
            if known or (use.label and signature.label == use.label):
                found.append(path)
    return (*found, *(host.swaps if swap else ()))


def facts(host: Host, want: OnDevice) -> dict[str, Any]:
    """What the module returns of the wanted filesystem."""
    device = host.find(want.device)
    filesystem = host.filesystems.get(device.path) if device else None
    if device is None or filesystem is None or filesystem.type not in KNOWN:
        return {"filesystem": None, "status": None}
    return {"filesystem": dump(host, device, filesystem), "status": status(host, device, filesystem)}


def dump(host: Host, device: Device, filesystem: Filesystem) -> dict[str, Any]:
    """A filesystem as an item of the document."""
    reference = host.stable(device.path)
    use = dump_use(host, _place(host, OnDevice(reference), device), filesystem)
    use.pop("filesystem", None)
    kind = {"type": filesystem.type} if filesystem.type in TYPES else {}
    return {"device": reference, **use, **kind, "state": "present"}


def status(host: Host, device: Device, filesystem: Filesystem) -> dict[str, Any]:
    """How it does, beyond what a document says. Sizes in bytes."""
    return {"size": filesystem.size, "uuid": filesystem.uuid, "mounted_on": list(host.mounted(device.path))}


def survey(host: Host) -> list[Reported]:
    """All that a document can say, as it is."""
    return [
        Reported(item, status(host, host.devices[path], carried))
        for path, item in listed(host).items()
        if (carried := host.filesystems.get(path))
    ]


def present(host: Host) -> list[Found]:
    """All that a document can say, and the word that takes each away."""
    return [Found(host.stable(path), OnDevice(path, state="absent"), (path,)) for path in listed(host)]


def listed(host: Host) -> dict[str, dict[str, Any]]:
    """Those that are no volume's and not the root's, by device; swap areas that are in use by fstab.

    Another swap area cannot be said as it is: the document's are in use. So mode exact leaves it alone too.
    """
    found = {}
    for path in _carriers(host):
        device, carried = host.devices[path], host.known_filesystems(path).get(path)
        item = dump(host, device, carried) if carried else {}
        if item and carried and (carried.type != "swap" or "mount_options" in item):
            found[path] = item
    return found


def _carriers(host: Host) -> list[str]:
    """The devices of filesystems that are no volume's and not the root's, and of swap areas."""
    volumes = {volume.device for group in host.known_groups().groups for volume in group.volumes}
    plain = [
        device.path
        for device in host.devices.values()
        if device.path not in volumes and not shows_another(host, device) and not device.partitions and device.size
    ]
    held = host.readable(*plain)
    carrying = [path for path in held if any(signature.type in KNOWN for signature in held[path].signatures)]
    found = host.known_filesystems(*carrying)
    return [path for path in carrying if found.get(path) and "/" not in host.mounted(path)]
