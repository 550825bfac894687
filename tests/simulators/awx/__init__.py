# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWX that stands in for a real one: the part of its REST API that loads templates, on the loopback."""

from __future__ import annotations

from .model import ApiError, Awx
from .server import Server
from .workflow import Run

__all__ = ["ApiError", "Awx", "Run", "Server"]
