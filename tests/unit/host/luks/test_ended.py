# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers that cryptsetup was stopped before it had ended."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.strata.storage.plugins.module_utils.host.luks.ended import Ended, read_ended, with_header
from ansible_collections.strata.storage.plugins.module_utils.host.luks.header import BINARY, checksummed, read_header
from ansible_collections.strata.storage.plugins.module_utils.host.luks.state import Header

from .recorded import ENCRYPTING, ERASED, ERASING, TWO

COPY = 16384
#: What is behind the copies on the devices here.
KEYSLOTS = b"keyslots"


def read(device: bytes) -> Header:
    header = read_header(device[:BINARY], lambda length, offset: device[offset : offset + length])
    assert header is not None
    return header


def metadata(copies: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(copies[BINARY:COPY].split(b"\0", 1)[0])
    return found


def changed(copies: bytes, **words: dict[str, Any]) -> bytes:
    """With more in the metadata, such as another keyslot."""
    found = metadata(copies)
    for word, more in words.items():
        found[word].update(more)
    text = json.dumps(found).encode().ljust(COPY - BINARY, b"\0")
    return b"".join(checksummed(copies[place : place + BINARY] + text) for place in (0, COPY))


@pytest.fixture
def ended(tmp_path: Path) -> Callable[[bytes], Ended]:
    def ended(copies: bytes) -> Ended:
        (tmp_path / "device").write_bytes(copies + KEYSLOTS)
        found = read_ended(str(tmp_path / "device"))
        assert found is not None
        return found

    return ended


@pytest.mark.parametrize("before", [ERASING, ERASED, ERASED[:5000] + b"?" + ERASED[5001:]])
def test_both_copies_say_that_it_is_done(ended: Callable[[bytes], Ended], before: bytes) -> None:
    found = read(before)
    assert (found.reencryption, found.keyslots, found.is_to_be_ended) == ("reencrypt", (1,), True)
    made = ended(before)
    header = read(made.copies)
    assert header == found._replace(reencryption="", moved=(), damaged="", digest=header.digest)
    for place, magic in ((0, b"LUKS"), (COPY, b"SKUL")):
        copy, was = made.copies[place : place + COPY], before[COPY:]
        assert (copy[:4], copy) == (magic, checksummed(copy))
        assert struct.unpack_from(">Q", copy, 256) == (place,)
        assert struct.unpack_from(">Q", copy, 16)[0] == struct.unpack_from(">Q", was, 16)[0] + 1
    assert made.copies[:COPY] != made.copies[COPY:]
    assert made.keyslots == KEYSLOTS


def test_what_is_of_the_old_key_goes_and_what_is_somebodys_stays(ended: Callable[[bytes], Ended]) -> None:
    slot = metadata(ERASED)["keyslots"]["1"]
    digest = metadata(ERASED)["digests"]["1"]
    before = changed(
        ERASING,
        keyslots={"4": slot},
        digests={"4": {**digest, "keyslots": ["4"], "segments": []}},
        tokens={"0": {"type": "clevis", "keyslots": ["0", "1"]}},
    )
    after = metadata(ended(before).copies)
    assert {word: sorted(after[word]) for word in ("keyslots", "digests", "segments")} == {
        "keyslots": ["1", "4"],
        "digests": ["1", "4"],
        "segments": ["0"],
    }
    assert after["digests"]["1"]["segments"] == ["0"]
    assert after["tokens"]["0"]["keyslots"] == ["1"]
    assert "requirements" not in after["config"]


@pytest.mark.parametrize("copies", [TWO, ENCRYPTING, bytes(2 * COPY)])
def test_nothing_is_to_be_ended(tmp_path: Path, copies: bytes) -> None:
    path = tmp_path / "device"
    path.write_bytes(copies)
    assert read_ended(str(path)) is None
    with with_header(str(path)) as where:
        assert where == str(path)


def test_a_key_is_tried_with_a_header_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(ERASED + KEYSLOTS)
    with with_header(str(path)) as where:
        tried = Path(where).read_bytes()
    assert (read(tried).reencryption, tried[2 * COPY :].rstrip(b"\0")) == ("", KEYSLOTS)
    assert path.read_bytes() == ERASED + KEYSLOTS


def test_no_token_is_tried_in_the_place_of_a_key(tmp_path: Path) -> None:
    """By the TPM of the host, any key would do."""
    path = tmp_path / "device"
    token = {"type": "systemd-tpm2", "keyslots": ["1"], "tpm2-blob": "", "tpm2-pcrs": [7]}
    before = changed(TWO, tokens={"0": token}) + KEYSLOTS
    path.write_bytes(before)
    assert read(before).tokens.keys() == {0}
    with with_header(str(path)) as where:
        tried = Path(where).read_bytes()
    found = read(tried)
    assert (found.tokens, found.keyslots, found.damaged) == ({}, read(before).keyslots, "")
    assert tried[2 * COPY :].startswith(KEYSLOTS)
    assert path.read_bytes() == before
