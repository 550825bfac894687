# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MAAS region that stands in for a real one: real HTTP on the loopback, with the API's state, rules and bugs."""

from __future__ import annotations

from .machine import Machine
from .parts import ALLOCATED, DEPLOYED, NEW, READY
from .region import Region
from .server import Fault, Server

__all__ = ["ALLOCATED", "DEPLOYED", "NEW", "READY", "Fault", "Machine", "Region", "Server"]
