# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LUKS containers as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...core.plan import is_placeholder

MAPPER = "/dev/mapper"


class Token(NamedTuple):
    """A token of a LUKS2 header: how a key is had that opens its ``keyslots``.

    ``pcrs`` and ``pin`` are those of a TPM2 (``systemd-tpm2``). ``url`` and ``thumbprints`` (of the keys by which it
    signs) are those of a Tang server, where clevis asks that alone.
    """

    type: str
    keyslots: tuple[int, ...] = ()
    pcrs: tuple[int, ...] = ()
    pin: bool = False
    url: str = ""
    thumbprints: tuple[str, ...] = ()


class VolumeKey(NamedTuple):
    """What a header says that the key of its data is called, and the number of the token that says so.

    ``replaces`` is the digest of the key that had the name ``was``: as long as that is there, its name holds.
    """

    name: str
    was: str = ""
    replaces: str = ""
    token: int | None = None


class Header(NamedTuple):
    """The header of a container, as it is written on its device.

    ``version`` is 1 or 2, ``offset`` where the data begins (bytes), ``key_size`` in bits, ``sector_size`` in bytes.
    ``keyslots`` are those with a key, ``tokens`` its tokens by number, without those in ``named``. ``key_digest`` is
    the same as long as the key is by which the data is encrypted. ``reencryption`` is encrypt, reencrypt or decrypt
    while that is on its way (empty: it is not), and the rest is what it leads to. ``moved`` are the parts of the device
    meanwhile: the size of each (bytes; 0: all that is left), and whether that is done.
    ``digest`` is the same for the same bytes.
    ``damaged``: why the header cannot be trusted.
    """

    version: int
    uuid: str
    label: str = ""
    cipher: str = ""
    key_size: int = 0
    hash: str = ""
    sector_size: int = 512
    offset: int = 0
    keyslots: tuple[int, ...] = ()
    tokens: Mapping[int, Token] = {}
    reencryption: str = ""
    moved: tuple[tuple[int, bool], ...] = ()
    digest: str = ""
    damaged: str = ""
    named: tuple[VolumeKey, ...] = ()
    key_digest: str = ""

    @property
    def volume_key(self) -> str:
        """What the key of the data is called (empty: nobody has named it)."""
        # Where a crash left two, the one that tells of a change came last.
        known = next((one for one in self.named if one.replaces), next(iter(self.named), VolumeKey("")))
        return known.was if known.replaces and known.replaces == self.key_digest else known.name

    @property
    def is_moved(self) -> bool:
        """Whether some of the data is as it is going to be already."""
        return any(done for _size, done in self.moved)

    @property
    def is_all_moved(self) -> bool:
        """Whether all of it is, and only the header says that it is on its way."""
        return bool(self.moved) and all(done for _size, done in self.moved)

    @property
    def is_to_be_ended(self) -> bool:
        """Whether that is because cryptsetup was stopped in between, and cannot end it."""
        return self.is_all_moved and self.reencryption != "decrypt"

    def percent(self, size: int) -> float:
        """How much of the data is as it is going to be, of a device of that size in bytes."""
        rest = max(size - sum(part for part, _done in self.moved), 0)
        parts = [(part or rest, done) for part, done in self.moved]
        return 100 * sum(part for part, done in parts if done) / max(sum(part for part, _done in parts), 1)


class Container(NamedTuple):
    """A device with a LUKS header. ``mapped`` is the path of the open device (empty: it is closed).

    ``name`` is what it is open as, else what crypttab calls it, else ``luks-UUID``.
    """

    device: str
    header: Header
    name: str
    mapped: str = ""

    @property
    def uuid(self) -> str:
        return self.header.uuid

    @property
    def is_planned(self) -> bool:
        """Whether it is only going to be made."""
        return is_placeholder(self.uuid)

    @property
    def type(self) -> str:
        return f"luks{self.header.version}"


class Plain(NamedTuple):
    """A line of crypttab by which each boot encrypts a device with a new key. There is no header on the device.

    ``device`` is empty where it is not here, ``mapped`` is the path of the open device (empty: it is closed).
    ``swap``: a boot also makes a swap area in it.
    """

    name: str
    device: str = ""
    mapped: str = ""
    swap: bool = True


def mapper_path(name: str) -> str:
    return f"{MAPPER}/{name}"
