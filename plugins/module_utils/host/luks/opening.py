# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container opened under its name."""

from __future__ import annotations

from ...core.errors import StorageError
from ...core.plan import Wait
from ...document.luks import Luks
from ..actions import Claim, OpenContainer
from ..devices import UNSEEN, Device
from ..host import Host
from ..safety import is_own
from . import keys
from .crypttab import line_of
from .in_place import size_inside
from .state import Container, mapper_path
from .steps import Steps, replace_container, step


def open_container(host: Host, want: Luks, container: Container) -> tuple[Steps, Host, Container]:
    if container.mapped:
        return (), host, container
    key = keys.key_of(host, want)
    if key is None:
        raise StorageError(f"luks {want.name}: it is closed, and to open it, say also: key_file or passphrase")
    device = host.devices[container.device]
    if device.kernel:
        is_own(host, device, f"luks {want.name}", allow=False)
    keys.check_unlocks(host, want, container, key)
    line = line_of(host, want.name)
    discards = ("--allow-discards",) if line and "discard" in line.options else ()
    path = mapper_path(want.name)
    argv = ("cryptsetup", "open", "--batch-mode", *discards, "--key-file", key.word, container.device, want.name)
    opened = step(
        "open",
        want.name,
        f"{host.shown(container.device)} as {path}",
        OpenContainer(container.device, want.name, argv),
        Wait(path),
        claims=(Claim(device.path, device.identity, None, shared=True),),
    )
    is_new = container.is_planned
    sector = max(device.sector, container.header.sector_size)
    inside = Device(
        path,
        size=size_inside(host, container),
        link=path,
        sector=sector,
        physical=max(device.physical, sector),
    )
    host = host.with_device(inside, path) if is_new else host.with_device(inside, path, content=UNSEEN)
    held = host.devices[device.path]._replace(holders=(path,))
    host = host._replace(devices={**host.devices, device.path: held})
    host, container = replace_container(host, container, container._replace(mapped=path))
    return (opened,), host, container
