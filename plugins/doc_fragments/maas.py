# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document's words as MAAS takes them, and how a region is reached."""

from __future__ import annotations

from textwrap import indent

_USE = r"""
label:
  description: Label of the filesystem. Another label means that the filesystem is made anew.
  type: str
mount_point:
  description:
    - Directory where the deployed machine mounts the filesystem, V(/) included. Swap needs none.
    - An empty string means that it is not mounted. The filesystem stays.
  type: path
mount_options:
  description: Options of the mount, for example V(noatime,discard).
  type: str
"""

_STATE = r"""
state:
  description: V(present) creates or changes it, V(absent) removes it.
  type: str
  choices: [present, absent]
  default: present
"""

_RENAMED = r"""
renamed_from:
  description: Former name. Where nothing has the new name, what has the former one is renamed.
  type: str
"""

_UUID = r"""
uuid:
  description: UUID, of version 4 (random). MAAS draws one for a new item if it is omitted.
  type: str
"""

_DISKS = r"""
name:
  description: Name by which the document's items refer to these disks. V(NAME) is all of them, V(NAME[0]) the first.
  type: str
  required: true
serial:
  description: Serial number.
  type: str
model:
  description: Model, as MAAS found it.
  type: str
rotational:
  description: If true, the disks spin (they have the tag C(rotary)); if false, they do not.
  type: bool
min_size:
  description: Smallest size, for example V(4TB).
  type: str
max_size:
  description: Largest size.
  type: str
count:
  description: Number of disks. One, if it is omitted.
  type: int
allow_data:
  description:
    - If true, disks are chosen after the blank ones that hold a filesystem, and are free. To remove that, it also takes
      C(allow_destroy).
    - Not needed where the entry names its disk, by C(serial) or C(id_path).
  type: bool
tags:
  description: Tags that each of the disks has.
  type: list
  elements: str
id_path:
  description: Path by which MAAS knows the disk for good.
  type: str
numa_node:
  description: Number of the NUMA node that the disks are connected to.
  type: int
"""

_PARTITION = r"""
name:
  description:
    - Name in the document. MAAS names no partitions. A partition that is made here is known by a UUID that is computed
      from the machine and this name. Another one is known by MAAS's name for it, such as V(sda-part1), or by its UUID.
    - MAAS's names are places, and MAAS counts the later partitions of a disk anew when an earlier one is removed. A
      task that would give a name another meaning is refused. The UUID, as M(strata.storage.maas_storage_info) returns
      it in C(ids), is a name that stays.
  type: str
  required: true
device:
  description: Disk or RAID that the partition is on.
  type: str
  required: true
size:
  description:
    - Size, for example V(10G) or V(50%) of the disk. V(100%), or no size, is all that is left. MAAS rounds down to
      4 MiB.
    - MAAS cannot change it in place. With permission to destroy, the partition is made anew.
  type: str
bootable:
  description: If true, the machine may boot from the partition. An EFI system partition needs it.
  type: bool
"""

_RAID = r"""
name:
  description: Name of the array.
  type: str
  required: true
level:
  description: RAID level. Needed to create an array. MAAS cannot change it.
  type: str
  choices: ['0', '1', '5', '6', '10']
devices:
  description:
    - Active members. Needed to create an array. Level V(10) needs three of them.
    - Members that are no longer listed leave after new ones have come in.
  type: list
  elements: str
spare_devices:
  description: Spare members. Omitted means unchanged, an empty list none.
  type: list
  elements: str
uuid:
  description: UUID of the array, of version 4 (random). An array with this UUID is found under any name, and renamed.
  type: str
"""

_BCACHE = r"""
name:
  description: Name of the cached device.
  type: str
  required: true
backing_device:
  description:
    - Slow device. Needed to create a bcache. It cannot be a logical volume.
    - Another one does not hold what the bcache holds, which takes permission to destroy.
  type: str
cache_device:
  description:
    - Fast device. Needed to create a bcache. Its cache set is made where there is none. Several bcaches may share it.
      It is removed with the last bcache, unless O(cache_sets) names it.
  type: str
cache_mode:
  description: What the cache does with writes. New bcaches get V(writethrough).
  type: str
  choices: [writethrough, writeback, writearound]
"""

_CACHE_SET = r"""
cache_device:
  description: Device of the cache set. The set is known by it.
  type: str
  required: true
"""

_DRIVE = r"""
name:
  description: Name of the volume group.
  type: str
  required: true
devices:
  description: Devices of the volume group. Needed to create one.
  type: list
  elements: str
"""

_VOLUME = r"""
name:
  description: Name of the logical volume. Nothing else in the machine has it.
  type: str
  required: true
size:
  description:
    - Size, for example V(10G) or V(50%) of the group. V(100%) is all that is left, and so is no size for a new volume.
      MAAS rounds down to 4 MiB.
    - The sizes of all volumes are settled together. Volumes shrink before a device leaves, and grow after others
      shrank.
  type: str
filesystem:
  description: Type of the filesystem on the volume.
  type: str
  choices: [btrfs, ext2, ext4, fat32, swap, vfat, xfs, zfsroot]
filesystem_uuid:
  description: UUID of the filesystem, of version 4 (random). Another UUID means that the filesystem is made anew.
  type: str
"""

_FILESYSTEM = r"""
device:
  description: Disk, partition, RAID or bcache that the filesystem is on.
  type: str
  required: true
type:
  description: Type of the filesystem. Needed where there is none.
  type: str
  choices: [btrfs, ext2, ext4, fat32, swap, vfat, xfs, zfsroot]
"""

_FILESYSTEM_UUID = r"""
uuid:
  description: UUID of the filesystem, of version 4 (random). Another UUID means that the filesystem is made anew.
  type: str
"""

_DATASTORE = r"""
name:
  description: Name of the datastore.
  type: str
  required: true
devices:
  description:
    - Disks and partitions of the datastore. Needed to create one. MAAS makes a partition over all of each disk.
    - A device that leaves takes data with it, which takes permission to destroy.
  type: list
  elements: str
"""

_SPECIAL = r"""
type:
  description: Type of the filesystem.
  type: str
  required: true
  choices: [tmpfs, ramfs]
mount_point:
  description: Directory where it is mounted. The filesystem is known by it.
  type: path
  required: true
mount_options:
  description: Options of the mount, for example V(size=1G).
  type: str
"""

_TAGS = r"""
device:
  description: Device, or a name of section C(disks).
  type: str
  required: true
tags:
  description: All tags that the device has.
  type: list
  elements: str
  required: true
"""

_DRIVE_UUID = r"""
uuid:
  description:
    - UUID of the volume group, of version 4 (random). A group with this UUID is found under any name, and renamed. MAAS
      draws one for a new group if it is omitted.
    - Of several groups of one name, the one with this UUID is meant.
  type: str
"""

_DRIVE_STATE = r"""
state:
  description: V(online) creates or changes the volume group, V(absent) removes it with its volumes.
  type: str
  choices: [online, absent]
  default: online
"""


def _section(name: str, description: str, *words: str) -> str:
    head = f"{name}:\n  description: {description}\n  type: list\n  elements: dict\n  suboptions:\n"
    return head + indent("".join(words), "    ")


class ModuleDocFragment:
    """The annotations are for ansible-test, which takes a plain assignment for a literal."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL of the region, for example V(https://maas.example.com:5443/MAAS).
      - The environment variable E(MAAS_URL) is used if it is omitted.
    type: str
  api_key:
    description:
      - API key of a MAAS user, V(CONSUMER:TOKEN:SECRET). Only an administrator's key changes storage.
      - The environment variables E(MAAS_API_KEY_FILE) and E(MAAS_API_KEY) are used if this and O(api_key_file) are
        omitted.
    type: str
  api_key_file:
    description: File that holds the API key and nothing else, on the host where the module runs.
    type: path
  validate_certs:
    description: If true, the region's certificate must be valid. The API key is only as safe as this connection.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authority that signed the region's, in PEM form.
    type: path
  timeout:
    description: Seconds to wait for the answer to a request.
    type: int
    default: 30
"""

    DISKS: str = "options:\n" + indent(
        _section(
            "disks",
            "Names for disks that are chosen by what they are. Disks of which the document's items consist already are "
            "chosen first, then blank ones, always in the same order.",
            _DISKS,
        ),
        "  ",
    )

    WORDS: str = "options:\n" + indent(
        "".join(
            (
                _section("partitions", "Parts of disks or RAIDs, in a GPT.", _PARTITION, _STATE),
                _section("raids", "Software RAID arrays.", _RAID, _RENAMED, _STATE),
                _section("bcaches", "Slow devices behind a fast cache.", _BCACHE, _UUID, _RENAMED, _STATE),
                _section("cache_sets", "Cache sets that stay also where no bcache uses them.", _CACHE_SET, _STATE),
                _section(
                    "drives",
                    "LVM volume groups.",
                    _DRIVE,
                    _section("volumes", "Logical volumes of the group.", _VOLUME, _USE, _UUID, _RENAMED, _STATE),
                    _DRIVE_UUID,
                    _RENAMED,
                    _DRIVE_STATE,
                ),
                _section(
                    "filesystems",
                    "Filesystems and swap areas on any device.",
                    _FILESYSTEM,
                    _USE,
                    _FILESYSTEM_UUID,
                    _STATE,
                ),
                _section(
                    "datastores",
                    "VMFS datastores of a machine with a layout of ESXi.",
                    _DATASTORE,
                    _UUID,
                    _RENAMED,
                    _STATE,
                ),
                _section("special_filesystems", "Filesystems on no device.", _SPECIAL, _STATE),
                _section("tags", "Tags of disks, and of other devices.", _TAGS),
            )
        ),
        "  ",
    )
