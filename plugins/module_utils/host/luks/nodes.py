# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open containers on their devices."""

from __future__ import annotations

from collections.abc import Iterator

from ..host import Host
from ..node import Node


def nodes(host: Host) -> Iterator[Node]:
    for container in host.containers:
        state = "" if container.mapped else " closed"
        yield Node(container.mapped or container.name, (container.device,), container.name, f"{container.type}{state}")
    for plain in host.plains:
        state = "" if plain.mapped else " closed"
        below = (plain.device,) if plain.device else ()
        yield Node(plain.mapped or plain.name, below, plain.name, f"plain{state}")
