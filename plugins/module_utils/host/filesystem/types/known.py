# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All types of filesystems that are known here: one file each."""

from __future__ import annotations

from .base import FilesystemType
from .btrfs import BTRFS
from .ext2 import EXT2
from .ext3 import EXT3
from .ext4 import EXT4
from .f2fs import F2FS
from .swap import SWAP
from .vfat import VFAT
from .xfs import XFS

#: Those that a device is asked for, in this order. What ext4 reads may be an older form of it.
READ = (EXT4, XFS, BTRFS, F2FS, VFAT, SWAP)
KNOWN: dict[str, FilesystemType] = {known.name: known for known in (*READ, EXT2, EXT3)}
