# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine consists of, whichever kind it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .errors import LabError

SECTORS = (512, 4096)
"""What a disk's sectors may have, in bytes."""


@dataclass(frozen=True)
class Disk:
    """A data disk."""

    serial: str
    size_mib: int
    rotation_rate: int
    """Revolutions per minute; 1 is an SSD."""


def wwn(serial: str) -> int:
    """Return a world wide name (NAA 5) for the disk of that serial, always the same."""
    return 0x5 << 60 | int.from_bytes(hashlib.sha256(serial.encode()).digest()[:8], "big") >> 4


def _default_disks() -> tuple[Disk, ...]:
    disks = [Disk(f"HDD{number}", 512, 7200) for number in range(1, 7)]
    return (*disks, Disk("SSD1", 256, 1), Disk("SSD2", 256, 1))


@dataclass(frozen=True)
class Hardware:
    """Memory, processors and data disks."""

    memory_mib: int = 1280
    cpus: int = 1
    disks: tuple[Disk, ...] = _default_disks()

    def disk(self, serial: str) -> Disk:
        """Return the disk of that serial; LabError if there is none."""
        for disk in self.disks:
            if disk.serial == serial:
                return disk
        raise LabError(f"no disk has the serial {serial}; there are {', '.join(disk.serial for disk in self.disks)}")
