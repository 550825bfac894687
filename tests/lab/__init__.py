# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual machine that gives tests a real kernel, real disks and a power switch."""

from __future__ import annotations

from .errors import LabError
from .guest import CommandError, Guest
from .hardware import Disk, Hardware
from .lab import Lab, Status

__all__ = ["CommandError", "Disk", "Guest", "Hardware", "Lab", "LabError", "Status"]
