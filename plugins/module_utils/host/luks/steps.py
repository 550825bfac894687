# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plans of LUKS are written with."""

from __future__ import annotations

from typing import Any

from ...core.plan import Step
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
