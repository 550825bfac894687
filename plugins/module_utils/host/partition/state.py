# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition tables as data."""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """A partition in its table; places and sizes in bytes, ``type`` as sfdisk calls it (else its GUID).

    ``words`` are what else sfdisk has to be told to leave it as it is.
    """

    number: int
    start: int
    size: int
    type: str = ""
    words: tuple[str, ...] = ()


def partition_number(path: str) -> int:
    """The 1 of ``/dev/sda1`` and of ``/dev/nvme0n1p1``."""
    return int(path[len(path.rstrip("0123456789")) :])


#: Bytes of a partition's entry in a GPT.
GPT_ENTRY = 128
#: An MBR has 32 bits for a place.
MBR_SECTORS = 1 << 32


def gpt_end(size: int, sector: int, slots: int) -> int:
    """Where partitions end on a device of that size: behind them are the entries of the backup, and its header."""
    return size - sector - -(-slots * GPT_ENTRY // sector) * sector


class Table(NamedTuple):
    """A partition table. ``label`` is gpt or dos; partitions lie between ``start`` and ``end``. All in bytes.

    ``limit`` is where they could end if the table was made for the size that its device has now (0: it is).
    ``slots`` is how many there can be.
    """

    label: str
    start: int
    end: int
    parts: tuple[Part, ...] = ()
    sector: int = 512
    limit: int = 0
    slots: int = 128

    def on(self, size: int) -> Table:
        """The same table, once its device has that size: of a GPT only its backup has to move, an MBR has none."""
        if self.label != "gpt":
            return self._replace(end=min(size, MBR_SECTORS * self.sector))
        limit = gpt_end(size, self.sector, self.slots)
        return self._replace(limit=limit if limit > self.end else 0)

    def part(self, number: int) -> Part:
        return next(part for part in self.parts if part.number == number)
