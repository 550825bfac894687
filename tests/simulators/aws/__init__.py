# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's API for volumes, on the loopback: moto behind a layer that is as strict and as slow as EC2.

moto keeps the volumes and writes the answers. The layer adds what moto lacks: client tokens, one volume for a device
name, zones, no shrinking, the limits that botocore documents, transitions that take time, and how often a volume may be
modified. It checks the access key, and not the signature.
"""

from __future__ import annotations

from .server import KEY, Region, Server

__all__ = ["KEY", "Region", "Server"]
