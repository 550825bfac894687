# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a device."""

from __future__ import annotations

import mmap
import os


def open_device(path: str, direct: bool = False) -> int:
    """``direct``: past the page cache, which keeps what was read of an array's member while md writes to the member."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_DIRECT if direct else 0))


def read_aligned(descriptor: int, length: int, offset: int) -> bytes:
    """Read into memory that is aligned as direct reading needs it."""
    with mmap.mmap(-1, length) as buffer:
        return buffer[: os.preadv(descriptor, [buffer], offset)]
