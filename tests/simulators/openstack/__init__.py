# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone, Cinder and Nova on the loopback: the calls for volumes and attachments, as their API reference has them.

It checks the application credential and the token.
"""

from __future__ import annotations

from .model import Project
from .server import KEY, Server

__all__ = ["KEY", "Project", "Server"]
