# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's storage as a tree: what lies on what, what it is called, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from ..document.sizes import show_size
from .devices import Device
from .filesystem.types.known import KNOWN
from .findings import Finding
from .graph import graph
from .health import health
from .host import Host
from .mount import plan as mount
from .node import Node
from .safety import describe


def tree(host: Host, findings: bool = True) -> list[dict[str, Any]]:
    """All devices, from those that are not made of others up; with what is wrong with them, or (for a diff) with the
    options that they have.
    """
    if not findings:
        # Nobody shall take for blank what nobody looked at.
        host.readable(*(device.path for device in host.devices.values() if _is_unused(host, device)))
    nodes, above = graph(host)
    lower = {path for paths in above.values() for path in paths}
    names = {path: node.name for path, node in nodes.items() if node.name}
    wrong: dict[str, list[Finding]] = {}
    for found in health(host, names) if findings else ():
        wrong.setdefault(found.device or found.name, []).append(found)

    def branch(path: str) -> dict[str, Any]:
        device = host.devices.get(path)
        told = wrong.get(path, [])
        return {
            "name": names.get(path) or _name(host, path),
            "type": _type(host, path, nodes.get(path)),
            "size": device.size if device else 0,
            "holds": _holds(host, device) if device else "",
            "mount_points": list(host.mounted(path)),
            "health": [f"{found.problem}: {found.detail}" for found in told],
            **(
                {"device": path, "severity": told[0].severity if told else ""}
                if findings
                else {"options": _options(host, path)}
            ),
            "children": [branch(child) for child in above.get(path, ())],
        }

    return [branch(path) for path, device in host.devices.items() if path not in lower and device.size]


def _options(host: Host, path: str) -> list[str]:
    """What a document says of an array, or of a mount, and neither name nor size nor content shows."""
    bitmaps = [f"bitmap {array.bitmap}" for array in host.arrays if path == array.device and array.bitmap != "none"]
    found = host.filesystems.get(path)
    names = (f"UUID={found.uuid}", *([f"LABEL={found.label}"] if found.label else ()), path) if found else (path,)
    lines = mount.lines_of(host, mount.Target("device", path, path, path, found.type if found else "", names))
    told = [(f"{line.mount_point}: " if len(lines) > 1 else "", line.options) for line in lines]
    return bitmaps + [point + options for point, options in told if options != mount.DEFAULTS]


def _name(host: Host, path: str) -> str:
    """What the kernel calls a device; a mapped one, whose number says nothing, what it was mapped as."""
    if "<" in path:
        return host.shown(path)
    return (host.stable(path) if path.startswith("/dev/dm-") else path).replace("/dev/", "", 1)


def _type(host: Host, path: str, node: Node | None) -> str:
    if node and node.type:
        return node.type
    device = host.devices[path]
    return "part" if device.disk else "device" if path.startswith("/dev/dm-") else "disk"


def _is_unused(host: Host, device: Device) -> bool:
    return bool(
        device.kernel
        and device.size
        and not device.silent
        and not device.holders
        and not device.partitions
        and not host.mounted(device.path)
    )


def _holds(host: Host, device: Device) -> str:
    """A filesystem, or what else was read of it and is nobody's part."""
    found = host.filesystems.get(device.path)
    if found:
        label = f' "{found.label}"' if found.label else ""
        space = [(host.spaces or {})[point] for point in host.mounted(device.path) if point in (host.spaces or {})]
        used = f", {show_size(space[0][0] - space[0][1])} used" if space else ""
        return f"{found.type}{label}{used}"
    spare = [f"spare of {array.name}" for array in host.arrays if device.path in array.devices("spare")]
    content = host.contents.get(device.path)
    told = {"linux_raid_member", "LVM2_member", "bcache", "crypto_LUKS", "gpt", "dos", "unseen"}
    if device.path in host.filesystems:
        told |= {*KNOWN}
    others = [
        describe(signature) for signature in (content.signatures if content else ()) if signature.type not in told
    ]
    return " and ".join(spare + others)
