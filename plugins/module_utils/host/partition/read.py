# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what partitions are called in their tables."""

from __future__ import annotations

import os

from ..blocks import open_device
from ..devices import Device
from .state import partition_number
from .table import RESERVED, read_gpt, read_mbr


def with_names(devices: dict[str, Device]) -> dict[str, Device]:
    """The devices, with what partitions are called in their tables."""
    named = dict(devices)
    for disk in devices.values():
        if not disk.partitions or disk.silent:
            continue
        try:
            descriptor = open_device(disk.path)
        except OSError:
            continue
        try:
            gpt = read_gpt(descriptor, disk.sector, disk.size)
            mbr = None if gpt else read_mbr(descriptor)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        for path in disk.partitions:
            if path not in named:
                continue
            number, part = partition_number(path), named[path]
            if gpt:
                part = part._replace(part_name=gpt.names.get(number, ""), part_uuid=gpt.uuids.get(number, ""))
                part = part._replace(reserved=RESERVED.get(gpt.types.get(number, ""), ""))
            elif mbr:
                part = part._replace(part_uuid=f"{mbr.identifier}-{number:02x}" if mbr.identifier else "")
                part = part._replace(reserved=RESERVED.get(mbr.types.get(number, ""), ""))
            named[path] = part
    return named
