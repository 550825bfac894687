# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plans of LUKS are written with."""

from __future__ import annotations

from typing import Any

from ...core.plan import Step
from ...document.luks import Key
from ..devices import Signature
from ..host import Host, replace_item
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
