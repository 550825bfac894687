# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute Engine's API for disks, on the loopback: held to the discovery document that its client library ships.

It checks the access token.
"""

from __future__ import annotations

from .model import OTHER, PROJECT, ZONE, Project
from .server import KEY, Server

__all__ = ["KEY", "OTHER", "PROJECT", "ZONE", "Project", "Server"]
