# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of LUKS containers, as cryptsetup wrote them, and damaged."""

from __future__ import annotations

from ansible_collections.strata.storage.plugins.module_utils.host.luks.header import read_header
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Header

from .recorded import ENCRYPTING, ONE, TWO

COPY = 16384


def read(device: bytes) -> Header | None:
    return read_header(device[:4096], lambda length, offset: device[offset : offset + length])


def changed(device: bytes, at: int, value: bytes) -> bytes:
    return device[:at] + value + device[at + len(value) :]


def test_luks2() -> None:
    header = read(TWO)
    assert header is not None
    assert header.key_digest
    assert header._replace(digest="", key_digest="") == Header(
        version=2,
        uuid="1f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10",
        label="vault",
        cipher="aes-xts-plain64",
        key_size=512,
        hash="sha256",
        sector_size=4096,
        offset=16 << 20,
        keyslots=(0, 1),
    )


def test_luks1() -> None:
    header = read(ONE)
    assert header is not None
    assert header._replace(digest="") == Header(
        version=1,
        uuid="2f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10",
        cipher="aes-xts-plain64",
        key_size=512,
        hash="sha256",
        offset=2 << 20,
        keyslots=(0,),
    )


def test_one_that_is_being_encrypted() -> None:
    header = read(ENCRYPTING)
    assert header is not None
    assert (header.reencryption, header.keyslots, header.offset) == ("encrypt", (0,), 16 << 20)


def test_what_is_none() -> None:
    assert read(bytes(32768)) is None
    assert read(b"LUKS\xba\xbf" + bytes(32762)) is None


def test_its_copy_is_read_where_the_first_header_is_damaged() -> None:
    header = read(changed(TWO, 5000, b"?"))
    assert header is not None
    assert header.damaged == "its first header is damaged, and the second one is whole"
    assert header.keyslots == (0, 1)


def test_both_are_damaged() -> None:
    header = read(changed(changed(TWO, 5000, b"?"), COPY + 5000, b"?"))
    assert header is not None
    assert header.damaged == "both copies of its header are damaged"
    assert (header.uuid, header.keyslots) == ("1f0c2c3e-0d8f-4a8e-9d7c-1d2b0d7f5a10", ())


def test_versions_and_sizes_that_nobody_knows() -> None:
    for strange in (changed(TWO, 6, b"\0\3"), changed(TWO, 8, b"\xff" * 8), changed(TWO, 8, bytes(8))):
        header = read(strange)
        assert header is not None
        assert header.damaged.startswith("nothing is known of a header of version")


def test_a_digest_is_of_the_bytes() -> None:
    first, same, other = (header.digest for header in map(read, (TWO, TWO, ENCRYPTING)) if header)
    assert first == same != other
