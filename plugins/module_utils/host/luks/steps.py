# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plans of LUKS are written with."""

from __future__ import annotations

from typing import Any

from ...core.plan import Command, Edit, Step
from ...document.luks import Key, Luks
from ..actions import ReloadMounts
from ..boot import rebuild
from ..devices import Signature
from ..graph import below
from ..host import Host, replace_item
from ..safety import check_unused
from .crypttab import CRYPTTAB, Line, replaced
from .state import Container

Steps = tuple[Step, ...]


def step(verb: str, name: str, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb=verb, kind="luks", name=name, detail=detail, actions=actions, **more)


def container_on(host: Host, path: str) -> Container | None:
    """What is on a device."""
    return next((one for one in host.containers if one.device == path), None)


def replace_container(host: Host, old: Container, new: Container) -> tuple[Host, Container]:
    """The host with that in the place of what was on the device."""
    return host._replace(containers=replace_item(host.containers, container_on(host, old.device), new)), new


def signature(container: Container) -> Signature:
    """What the device of a container shows."""
    return Signature("crypto_LUKS", container.uuid, container.header.label)


def with_container(host: Host, container: Container, key: Key) -> Host:
    """The host with one that is made, in the place of what was on its device, and that a key opens."""
    return host._replace(
        containers=(*(one for one in host.containers if one.device != container.device), container),
        keyslots={**host.keyslots, (container.device, key): 0},
    )


def close(host: Host, want: Luks, container: Container, what: str) -> tuple[Steps, Host, Container]:
    if not container.mapped:
        return (), host, container
    steps, host = close_mapping(host, want, container.mapped, container.device, what)
    host, container = replace_container(host, container, container._replace(mapped=""))
    return steps, host, container


def close_mapping(host: Host, want: Luks, mapped: str, path: str, what: str) -> tuple[Steps, Host]:
    """The step after which nothing is open on a device. Raises Refused where something uses what is."""
    check_unused(host, host.devices[mapped], what, "Take away what uses it first.")
    closed = step("close", want.name, host.stable(mapped), Command(("cryptsetup", "close", want.name)))
    device = host.devices[path]._replace(holders=())
    host = host.without_device(mapped)
    return (closed,), host._replace(devices={**host.devices, device.path: device})


def write_line(host: Host, name: str, line: Line | None, container: Container | None = None) -> tuple[Steps, Host]:
    """crypttab with that line. An initramfs has a copy of what the root needs."""
    before = host.files.get(CRYPTTAB)
    after = replaced(before, name, line)
    if after == (before or ""):
        return (), host
    detail = f"in {CRYPTTAB}" if line else f"out of {CRYPTTAB}"
    steps: Steps = (step("persist", name, detail, Edit(CRYPTTAB, before, after), ReloadMounts()),)
    if container and container.mapped and host.boot.tool:
        roots = [mount.device for mount in host.mounts if mount.mount_point in ("/", "/usr")]
        if container.mapped in below(host, *roots):
            steps += (rebuild(host, f"so that the next boot opens {name} as {CRYPTTAB} says"),)
    return steps, host.with_file(CRYPTTAB, after)
