# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the document, each documented once: flat (one item, a module's own options) and nested (a section)."""

from __future__ import annotations

from textwrap import indent

_RAID = r"""
name:
  description:
    - The array's name. V(md0), or any other C(md) with a number, is C(/dev/md0); another name is C(/dev/md/NAME).
  type: str
  required: true
level:
  description:
    - RAID level. Needed to create an array.
    - An array that exists changes in place from V(1) to V(5), from V(5) to V(6), and back from V(6) to V(5).
  type: str
  choices: ['0', '1', '4', '5', '6', '10']
devices:
  description:
    - The active members, as paths (any link below C(/dev) will do) or kernel names. Needed to create an array.
    - A device that is new in the list fills a missing place, else takes the place of a member that is no longer listed
      (which stays in until the new one is whole), else the array grows by it.
    - A member that is no longer listed and that nothing replaces leaves only where the array stays redundant.
  type: list
  elements: str
spare_devices:
  description:
    - Devices that stand by to take over from a member that fails. Others that do are taken out.
  type: list
  elements: str
write_mostly_devices:
  description: Members of a RAID 1, also listed in C(devices), that are read from only where no other member can be.
  type: list
  elements: str
chunk_size:
  description:
    - How much is written to one member before the next one's turn, for example V(512K). New arrays get mdadm's default.
    - That of an array of level V(4), V(5), V(6) or V(10) can be changed.
  type: str
size:
  description: With V(max), the array grows to all that its members have room for, once they have become larger.
  type: str
  choices: [max]
metadata:
  description: Version of the superblock. New arrays get V(1.2).
  type: str
  choices: ['0.90', '1.0', '1.1', '1.2']
bitmap:
  description:
    - Write-intent bitmap. New arrays with redundancy get an internal one where the members have 100 GiB or more.
  type: str
  choices: [none, internal]
consistency_policy:
  description:
    - What keeps the members consistent after a crash, which says the same as C(bitmap) in other words.
      V(bitmap) is an internal one, V(resync) none.
  type: str
  choices: [resync, bitmap]
uuid:
  description: UUID of the array, in any grouping of its 32 hexadecimal digits. New arrays get a random one.
  type: str
state:
  description:
    - V(present) is an array that runs, under its name, also after a reboot.
    - V(stopped) is one that does not run, also after a reboot, and keeps its data.
    - V(absent) is none; its former members are blank. An array that holds anything needs O(allow_destroy).
  type: str
  choices: [present, stopped, absent]
  default: present
"""

_BCACHE = r"""
name:
  description: The label of the backing device, which udev shows as C(/dev/bcache/by-label/NAME). At most 31 bytes.
  type: str
  required: true
backing_device:
  description: The slow device, as a path or a kernel name. Needed to create a bcache.
  type: str
cache_device:
  description:
    - The fast device. Several bcaches may name the same one, and share its cache set.
    - Omitted for a new one, there is no cache yet.
  type: str
cache_mode:
  description: What the cache does with writes. New ones get V(writethrough).
  type: str
  choices: [writethrough, writeback, writearound, none]
bucket_size:
  description:
    - Size of a bucket of the cache, a power of two. Fixed when the cache is made.
    - New caches get V(512K), or less where the cache device is too small for that.
  type: str
block_size:
  description:
    - Smallest unit of reading and writing, a power of two from 512 bytes to 4 KiB. Fixed when the devices are made.
  type: str
state:
  description:
    - V(present) is a cached device that works, under its name, also after a reboot.
    - V(absent) is none. Dirty data is written back first. The cache set goes with the last bcache that used it.
      A bcache that holds anything needs O(allow_destroy).
  type: str
  choices: [present, absent]
  default: present
"""

_VOLUME = r"""
size:
  description:
    - Size of the logical volume, as bytes, V(10G), V(10GB), V(50%) of the volume group, or V(100%) of all that is free.
    - Omitted means V(100%), so that the volume grows with the drive's devices.
  type: str
filesystem:
  description: What to format a new volume with. New ones get V(btrfs). One that is there already stays.
  type: str
  choices: [btrfs, ext4, xfs]
mount_point:
  description:
    - Where to mount the volume, now and at each boot. The directory is made where it is missing, and must be empty.
  type: path
mount_options:
  description: Mount options, separated by commas. New mounts get V(defaults).
  type: str
boot_required:
  description:
    - Whether the host must not boot without this mount. By default it does (C(nofail) in fstab), and waits
      30 seconds for the drive.
  type: bool
"""

_DRIVE = r"""
name:
  description: The drive's name, which is that of its volume group.
  type: str
  required: true
devices:
  description:
    - The devices that the drive is made of, as paths or kernel names. Needed to create a drive.
    - More of them than before make the drive grow while it is in use. Physical volumes that are not listed stay.
  type: list
  elements: str
"""

_DRIVE_STATE = r"""
state:
  description:
    - V(online) is a drive whose volume is active, formatted, mounted and in fstab by UUID.
    - V(offline) is one that is unmounted and not active, also after a reboot, and keeps its data.
    - V(absent) is none; its former devices are blank. A drive that holds anything needs O(allow_destroy).
  type: str
  choices: [online, offline, absent]
  default: online
"""

_VOLUME_NAME = r"""
volume_name:
  description: Name of the logical volume. By default that of the drive. For several of them say O(volumes) instead.
  type: str
"""

_NAME = r"""
name:
  description: Name of the logical volume.
  type: str
  required: true
"""


def _flat(*words: str) -> str:
    return "options:\n" + indent("".join(words), "  ")


def _section(name: str, description: str, *words: str) -> str:
    head = f"{name}:\n  description: {description}\n  type: list\n  elements: dict\n  suboptions:\n"
    return head + indent("".join(words), "    ")


class ModuleDocFragment:
    """``raid``, ``bcache`` and ``drive`` are one item, ``raids``, ``bcaches`` and ``drives`` sections of the document.

    The annotations are for ansible-test, which takes a plain assignment for a literal.
    """

    RAID: str = _flat(_RAID)
    BCACHE: str = _flat(_BCACHE)
    DRIVE: str = _flat(
        _DRIVE,
        _VOLUME_NAME,
        _VOLUME,
        _section("volumes", "Several volumes, each with its own words.", _NAME, _VOLUME),
        _DRIVE_STATE,
    )

    RAIDS: str = _flat(_section("raids", "Arrays.", _RAID))
    BCACHES: str = _flat(_section("bcaches", "Cached devices.", _BCACHE))
    DRIVES: str = _flat(
        _section("drives", "Drives.", _DRIVE, _section("volumes", "Its volumes.", _NAME, _VOLUME), _DRIVE_STATE)
    )
