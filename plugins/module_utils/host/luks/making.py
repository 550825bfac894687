# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new container is made with, on a blank device or around data."""

from __future__ import annotations

from ...document.luks import Luks
from ..devices import Device
from .state import Container, Header

#: Where cryptsetup 2 puts the data of a new container: behind two copies of the metadata and the keyslots.
OFFSETS = {"luks1": 2 << 20, "luks2": 16 << 20}
#: What only encrypting all data anew changes.
FIXED = ("cipher", "key_size", "hash", "sector_size")


def fixed_options(want: Luks) -> tuple[str, ...]:
    """As cryptsetup takes what is wanted of the encryption."""
    given = ((word, getattr(want, word)) for word in FIXED)
    return tuple(part for word, value in given if value for part in (f"--{word.replace('_', '-')}", str(value)))


def new_options(want: Luks, kind: str, uuid: str) -> tuple[str, ...]:
    """As cryptsetup takes all that is wanted of a new container."""
    label = ("--label", want.label) if want.label else ()
    return ("--type", kind, "--uuid", uuid, *fixed_options(want), *label)


def new_container(want: Luks, kind: str, uuid: str, device: Device, digest: str, reencryption: str = "") -> Container:
    """What is known of it before it is made."""
    header = Header(
        version=int(kind[-1]),
        uuid=uuid,
        label=want.label or "",
        cipher=want.cipher or "",
        key_size=want.key_size or 0,
        hash=want.hash or "",
        sector_size=want.sector_size or device.sector,
        offset=OFFSETS[kind],
        keyslots=(0,),
        reencryption=reencryption,
        digest=digest,
    )
    return Container(device.path, header, want.name)
