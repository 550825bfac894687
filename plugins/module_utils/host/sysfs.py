# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small readings of sysfs."""

from __future__ import annotations

import os

from ..core.command import read_text

SYS = "/sys/class/block"


def rbd_spec(number: str) -> str:
    """The image that the kernel has mapped by this number: POOL[/NAMESPACE]/IMAGE[@SNAPSHOT]."""
    pool, namespace, image, snapshot = (
        read_text(f"/sys/bus/rbd/devices/{number}/{part}") for part in ("pool", "pool_ns", "name", "current_snap")
    )
    spec = "/".join(part for part in (pool, namespace, image) if part)
    return spec if snapshot in ("", "-") else f"{spec}@{snapshot}"


def names_in(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def serial_number(base: str) -> str:
    """The serial number of a disk, without the zero that a Linux target (iSCSI, Fibre Channel) ends it with."""
    found = read_text(f"{base}/serial") or read_text(f"{base}/device/serial") or _page_80(base)
    return found.strip("\0 \t\n")


def _page_80(base: str) -> str:
    """The serial number of a SCSI disk (its vital product data page 80h: four bytes of header)."""
    try:
        with open(f"{base}/device/vpd_pg80", "rb") as file:
            return file.read()[4:].decode(errors="replace")
    except OSError:
        return ""


def digits(text: str) -> str:
    return text if text.isdigit() else "0"


def transport(path: str) -> str:
    """By the buses that its sysfs path goes through."""
    for part, transport in (
        ("/usb", "usb"),
        ("/session", "iscsi"),
        ("/ata", "sata"),
        ("/nvme", "nvme"),
        ("/end_device-", "sas"),
        ("/rport-", "fc"),
        ("/virtio", "virtio"),
        ("/mmc", "mmc"),
    ):
        if part in path:
            return transport
    return ""
