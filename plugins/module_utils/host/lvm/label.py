# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LVM's labels, and the metadata behind them."""

from __future__ import annotations

import os
import re
import struct

from ..blocks import open_device
from .state import StrayVolume

#: Where LVM keeps the metadata of groups, and how a text of it begins.
_METADATA = 4096
#: Where a bit says that LVM ignores the metadata there.
_IGNORED = 60
_GROUP = re.compile(rb"([A-Za-z0-9+_.-]+) \{\n")
_GROUP_HEAD = re.compile(r'([A-Za-z0-9+_.-]+) \{\s*id = "([^"]+)"\s*seqno = (\d+)')
_GROUP_OWNER = re.compile(r'\b(system_id|lock_type) = "([^"]+)"')
_VOLUME = re.compile(r'([A-Za-z0-9+_.-]+) \{\s*id = "[^"]+"\s*status = \[([^\]]*)\]')
#: Where LVM puts dashes into a UUID.
_UUID_PARTS = (0, 6, 10, 14, 18, 22, 26, 32)


def begun_group(path: str) -> str | None:
    """The name of the group that was being made of an LVM physical volume, empty before its metadata was written.

    None where metadata counts, or where that of another group was written before.
    """
    descriptor = open_device(path)
    try:
        block = os.pread(descriptor, 512, _METADATA)
        if block[4:20] != b" LVM2 x[5A%r0N*>":
            return None
        # Where the metadata is that counts, and how long.
        size, place, length = struct.unpack_from("<QQQ", block, 32)
        area = os.pread(descriptor, min(size, 1 << 20), _METADATA)
    finally:
        os.close(descriptor)
    # Each text begins with a sector.
    texts = (_GROUP.match(area, start) for start in range(512, len(area), 512))
    names = {text.group(1).decode() for text in texts if text}
    return None if (place, length) != (0, 0) or len(names) > 1 else next(iter(names), "")


def read_physical_volume(path: str) -> StrayVolume | None:
    """What the label of an LVM physical volume, and the metadata behind it, say; None where there is no label."""
    descriptor = open_device(path)
    try:
        head = os.pread(descriptor, 2048, 0)
        label = next((start for start in range(0, 2048, 512) if head[start : start + 8] == b"LABELONE"), None)
        if label is None or head[label + 24 : label + 32] != b"LVM2 001":
            return None
        place = label + struct.unpack_from("<I", head, label + 20)[0]
        uuid = head[place : place + 32].decode("ascii", "replace")
        # Behind the size: the areas of data, and those of metadata, each list with its end.
        lists, place = 0, place + 40
        while lists < 2 and place + 16 <= len(head):
            offset, size = struct.unpack_from("<QQ", head, place)
            if lists == 1 and offset:
                break
            lists, place = lists + (not offset), place + 16
        own = lists == 1 and not os.pread(descriptor, 1, offset + _IGNORED)[0] & 1
        text = _group_text(descriptor, offset, size) if own else ""
    finally:
        os.close(descriptor)
    parts = [uuid[start:end] for start, end in zip(_UUID_PARTS, _UUID_PARTS[1:])]
    found = StrayVolume(path, "-".join(parts), elsewhere=not own)
    group = _GROUP_HEAD.match(text)
    if group is None:
        return found
    volumes = text.partition("\nlogical_volumes {")[2]
    owner = dict(_GROUP_OWNER.findall(text.partition("\nphysical_volumes {")[0]))
    return found._replace(
        group=group.group(1),
        group_uuid=group.group(2),
        sequence=int(group.group(3)),
        volumes=tuple(name for name, status in _VOLUME.findall(volumes) if '"VISIBLE"' in status),
        system_id=owner.get("system_id", ""),
        lock_type=owner.get("lock_type", ""),
    )


def _group_text(descriptor: int, start: int, size: int) -> str:
    """The metadata of a group that counts, from the ring that it is written into."""
    header = os.pread(descriptor, 512, start)
    if header[4:20] != b" LVM2 x[5A%r0N*>":
        return ""
    place, length = struct.unpack_from("<QQ", header, 40)
    length = min(length, size)
    text = os.pread(descriptor, max(min(length, size - place), 0), start + place)
    return (text + os.pread(descriptor, length - len(text), start + 512)).decode("ascii", "replace")
