# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outscale's API for volumes, on the loopback: held to the OpenAPI document and the errors that its SDK ships.

It checks the access key, and not the signature.
"""

from __future__ import annotations

from .model import Region
from .server import KEY, Server

__all__ = ["KEY", "Region", "Server"]
