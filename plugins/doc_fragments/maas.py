# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document's words as MAAS takes them, and how a region is reached."""

from __future__ import annotations

from textwrap import indent

_USE = r"""
label:
  description: The filesystem's label. Another one means formatting anew.
  type: str
mount_point:
  description: Where it is to be mounted once the machine is deployed, V(/) included. Swap needs none.
  type: path
mount_options:
  description: Options of the mount, for example V(noatime,discard).
  type: str
"""

_STATE = r"""
state:
  description: Whether it is to be there.
  type: str
  choices: [present, absent]
  default: present
"""

_RENAMED = r"""
renamed_from:
  description: Its former name. Where there is nothing of the new name, what has this one gets it.
  type: str
"""

_DISKS = r"""
name:
  description: What the items of the document call them. V(NAME) is all of them, V(NAME[0]) the first.
  type: str
  required: true
serial:
  description: Serial number.
  type: str
model:
  description: Model, as MAAS found it.
  type: str
rotational:
  description: Whether it is a spinning disk, by the tag C(rotary).
  type: bool
min_size:
  description: The least size, for example V(4TB).
  type: str
max_size:
  description: The largest size.
  type: str
count:
  description: How many. One, if it is not said.
  type: int
allow_data:
  description:
    - If true, disks are chosen after the blank ones that hold a filesystem, and are free. To remove that, it also takes
      C(allow_destroy).
    - Not needed where the entry names its disk, by C(serial) or C(id_path).
  type: bool
tags:
  description: Tags that they all have.
  type: list
  elements: str
id_path:
  description: The path by which MAAS knows a disk for good.
  type: str
numa_node:
  description: The NUMA node that it is connected to.
  type: int
"""

_PARTITION = r"""
name:
  description:
    - What the document calls it. MAAS names no partitions, so it is known by a UUID that is made of the machine and
      this name; or, one that was made otherwise, by MAAS's own name for it, such as V(sda-part1).
  type: str
  required: true
device:
  description: The disk, or RAID, that it is on.
  type: str
  required: true
size:
  description:
    - How large it is to be, for example V(10G) or V(50%) of the disk; V(100%), or nothing, is all that is left. MAAS
      rounds down to 4 MiB.
    - MAAS cannot change it in place. With permission to destroy, the partition is made anew.
  type: str
bootable:
  description: Whether a machine boots from it. Needed for an EFI system partition.
  type: bool
"""

_RAID = r"""
name:
  description: The array's name.
  type: str
  required: true
level:
  description: RAID level. Needed to create an array. MAAS cannot change it.
  type: str
  choices: ['0', '1', '5', '6', '10']
devices:
  description:
    - The active members. Needed to create an array; V(10) needs three of them.
    - Those that are no longer listed leave, after those that are new have come in.
  type: list
  elements: str
spare_devices:
  description: Devices that stand by. Omitted means unchanged, an empty list none.
  type: list
  elements: str
uuid:
  description:
    - UUID of the array, of version 4 (random). Also finds it where its name is another one, which it then loses.
  type: str
"""

_BCACHE = r"""
name:
  description: The cached device's name.
  type: str
  required: true
backing_device:
  description: The slow device. Needed to create a bcache.
  type: str
cache_device:
  description:
    - The fast device. Needed to create a bcache. Its cache set, which several bcaches may share, is known by it, made
      where there is none, and removed with the last bcache.
  type: str
cache_mode:
  description: What the cache does with writes. New ones get V(writethrough).
  type: str
  choices: [writethrough, writeback, writearound]
"""

_DRIVE = r"""
name:
  description: The volume group's name.
  type: str
  required: true
devices:
  description: What it consists of. Needed to create one.
  type: list
  elements: str
"""

_VOLUME = r"""
name:
  description: The logical volume's name, which nothing else in the machine has.
  type: str
  required: true
size:
  description:
    - For example V(10G), or V(50%) of the group; V(100%), or nothing, is all that is left. MAAS rounds down to 4 MiB.
  type: str
filesystem:
  description: What it carries.
  type: str
  choices: [btrfs, ext2, ext4, fat32, swap, vfat, xfs, zfsroot]
"""

_FILESYSTEM = r"""
device:
  description: What it is on, a disk, partition, RAID or bcache.
  type: str
  required: true
type:
  description: What it is. Needed where there is none.
  type: str
  choices: [btrfs, ext2, ext4, fat32, swap, vfat, xfs, zfsroot]
"""

_SPECIAL = r"""
type:
  description: Which one.
  type: str
  required: true
  choices: [tmpfs, ramfs]
mount_point:
  description: Where. It is known by that.
  type: path
  required: true
mount_options:
  description: Options of the mount, for example V(size=1G).
  type: str
"""

_TAGS = r"""
device:
  description: A device, or a name of section C(disks).
  type: str
  required: true
tags:
  description: All tags that it is to have.
  type: list
  elements: str
  required: true
"""

_DRIVE_STATE = r"""
state:
  description: Whether it is to be there.
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
      - The region's URL, for example V(https://maas.example.com:5443/MAAS).
      - Where it is omitted, the environment variable E(MAAS_URL) is used.
    type: str
  api_key:
    description:
      - The API key of a MAAS user, V(CONSUMER:TOKEN:SECRET). Storage is changed with an administrator's.
      - Where it and O(api_key_file) are omitted, the environment variables E(MAAS_API_KEY_FILE) and E(MAAS_API_KEY) are
        used.
    type: str
  api_key_file:
    description: A file that holds the API key and nothing else, on the host where the module runs.
    type: path
  validate_certs:
    description: Whether the region's certificate has to be right. The API key is only as safe as this connection.
    type: bool
    default: true
  ca_path:
    description: A file with the certificates of the authority that signed the region's, in PEM form.
    type: path
  timeout:
    description: How many seconds to wait for the answer to a request.
    type: int
    default: 30
"""

    DISKS: str = "options:\n" + indent(
        _section(
            "disks",
            "Names for disks that are chosen by what they are. Those that the document's items are made of already are "
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
                _section("bcaches", "Slow devices behind a fast cache.", _BCACHE, _RENAMED, _STATE),
                _section(
                    "drives",
                    "LVM volume groups.",
                    _DRIVE,
                    _section("volumes", "Its logical volumes.", _VOLUME, _USE, _RENAMED),
                    _RENAMED,
                    _DRIVE_STATE,
                ),
                _section("filesystems", "Filesystems and swap areas on any device.", _FILESYSTEM, _USE, _STATE),
                _section("special_filesystems", "Filesystems on no device.", _SPECIAL, _STATE),
                _section("tags", "The tags of disks.", _TAGS),
            )
        ),
        "  ",
    )
