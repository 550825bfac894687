# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers otherwise than on their devices: without tokens, for a key to be tried, and without a move of data.

Some moves cryptsetup cannot end any more. Once all data is as it is going to be, it erases the keyslots of the old key,
then what it kept for a crash, and only then writes a header without the move. Stopped in between, it wants the old key
to open the container, finds no keyslot of it, and says "No usable keyslot is available". The new key and all data are
there.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from .header import BINARY, MAGICS, checksummed, is_kept, read_header, reader, whole_header
from .state import Header

_SALT = slice(104, 168)
#: cryptsetup takes no header without room for data behind it.
_DATA = 1 << 20


class Ended(NamedTuple):
    """Both ``copies`` of a header as they are going to be, from the beginning of the device on.

    ``keyslots`` is what is behind them, as it is.
    """

    copies: bytes
    keyslots: bytes


def read_ended(device: str) -> Ended | None:
    """The header of a container without the move; None where there is none to be ended. Raises OSError."""
    return _changed(device, lambda header: header.is_to_be_ended, lambda _header, metadata: _ended(metadata))


def _changed(
    device: str,
    concerns: Callable[[Header], bool],
    change: Callable[[Header, dict[str, Any]], dict[str, Any]],
) -> Ended | None:
    """A header with other metadata; None where there is none that this ``concerns``. Raises OSError."""
    with open(device, "rb") as file:
        read = reader(file)
        head = read(BINARY, 0)
        header = read_header(head, read)
        if header is None or not concerns(header):
            return None
        copy = whole_header(head, read) or b""
        metadata = json.loads(copy[BINARY:].split(b"\0", 1)[0])
        copies = b"".join(_copies(copy, change(header, metadata)))
        return Ended(copies, read(int(metadata["config"]["keyslots_size"]), len(copies)))


def _copies(written: bytes, metadata: dict[str, Any]) -> Iterator[bytes]:
    text = json.dumps(metadata, separators=(",", ":")).encode()
    (sequence,) = struct.unpack_from(">Q", written, 16)
    for place, magic in enumerate(MAGICS):
        copy = bytearray(written[:BINARY] + text.ljust(len(written) - BINARY, b"\0"))
        copy[: len(magic)] = magic
        copy[_SALT] = os.urandom(_SALT.stop - _SALT.start)
        struct.pack_into(">Q", copy, 16, sequence + 1)
        struct.pack_into(">Q", copy, 256, place * len(written))
        yield checksummed(bytes(copy))


def _ended(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without the segments that were kept for a crash, without the keys of those alone, and no move required."""
    segments = {name: words for name, words in metadata["segments"].items() if not is_kept(words)}
    gone = {slot for slot, words in metadata["keyslots"].items() if words["type"] == "reencrypt"}
    digests = {}
    for number, words in metadata["digests"].items():
        left = [name for name in words["segments"] if name in segments]
        # A key of no segment may be somebody's for something else.
        if left or not (words["segments"] or gone.intersection(words["keyslots"])):
            digests[number] = {**words, "segments": left}
        else:
            gone.update(words["keyslots"])
    return {
        "keyslots": {slot: words for slot, words in metadata["keyslots"].items() if slot not in gone},
        "tokens": {
            number: {**words, "keyslots": [slot for slot in words["keyslots"] if slot not in gone]}
            for number, words in metadata.get("tokens", {}).items()
        },
        "segments": segments,
        "digests": digests,
        "config": {word: value for word, value in metadata["config"].items() if word != "requirements"},
    }


@contextlib.contextmanager
def with_header(device: str) -> Iterator[str]:
    """A path at which cryptsetup tries a key and nothing else: the device, or a header in memory.

    cryptsetup tries the tokens first, and by one that opens the container takes any key for a good one. So the header
    in memory has none. It is ended, where cryptsetup cannot do that any more.
    """
    tried = _changed(device, lambda header: bool(header.tokens) or header.is_to_be_ended, _tried)
    with _in_memory(tried) if tried else contextlib.nullcontext(device) as path:
        yield path


def _tried(header: Header, metadata: dict[str, Any]) -> dict[str, Any]:
    return {**(_ended(metadata) if header.is_to_be_ended else metadata), "tokens": {}}


@contextlib.contextmanager
def _in_memory(ended: Ended) -> Iterator[str]:
    """The path of a header that is on no disk."""
    with open(os.memfd_create("luks-header"), "wb") as memory:
        memory.write(ended.copies + ended.keyslots + bytes(_DATA))
        memory.flush()
        yield f"/proc/{os.getpid()}/fd/{memory.fileno()}"
