# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of LUKS containers ("LUKS On-Disk Format Specification", versions 1.2.3 and 2)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Callable

from .state import Header, Token, VolumeKey

#: How the two copies of a LUKS2 header begin. A LUKS1 header begins as the first.
MAGICS = (b"LUKS\xba\xbe", b"SKUL\xba\xbe")
_LENGTH_1 = 592
_SLOTS_1 = 8
_ENABLED_1 = 0x00AC71F3
#: Bytes before the metadata of a LUKS2 header.
BINARY = 4096
_MOST = 4 << 20
_CHECKSUM = slice(448, 512)

#: The types of tokens that are understood: of systemd-cryptenroll, and of clevis.
TPM2, CLEVIS = "systemd-tpm2", "clevis"
#: A token of ours, which opens nothing.
VOLUME_KEY = "strata-volume-key"
#: Gives so many bytes from that place on.
Read = Callable[[int, int], bytes]


def reader(file: BinaryIO) -> Read:
    """What reads a file at places."""

    def read(length: int, offset: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read


def read_header(head: bytes, read: Read) -> Header | None:
    """The header of a container whose first 4 KiB are ``head``; None where there is none.

    What of it is longer is read. Raises OSError.
    """
    if head[:6] != MAGICS[0]:
        return None
    (version,) = struct.unpack_from(">H", head, 6)
    if version == 1:
        return _header_1(head[:_LENGTH_1])
    (size,) = struct.unpack_from(">Q", head, 8)
    if version != 2 or not BINARY < size <= _MOST:
        return Header(version, _text(head[168:208]), damaged=f"nothing is known of a header of version {version}")
    found = whole_header(head, read)
    if found is None:
        return Header(2, _text(head[168:208]), damaged="both copies of its header are damaged")
    header = _header_2(found)
    if found[:6] == MAGICS[1]:
        return header._replace(damaged="its first header is damaged, and the second one is whole")
    return header


def whole_header(head: bytes, read: Read) -> bytes | None:
    """Of the two copies of a LUKS2 header, the one that counts: the first that is whole. Raises OSError.

    cryptsetup mends the first one with the second.
    """
    (size,) = struct.unpack_from(">Q", head, 8)
    for place, magic in enumerate(MAGICS):
        copy = read(size, place * size)
        if copy[:6] == magic and _is_whole(copy):
            return copy
    return None


def _header_1(head: bytes) -> Header:
    offset, key_bytes = struct.unpack_from(">II", head, 104)
    slots = [struct.unpack_from(">I", head, 208 + 48 * slot)[0] for slot in range(_SLOTS_1)]
    return Header(
        version=1,
        uuid=_text(head[168:208]),
        cipher=f"{_text(head[8:40])}-{_text(head[40:72])}",
        key_size=key_bytes * 8,
        hash=_text(head[72:104]),
        offset=offset << 9,
        keyslots=tuple(slot for slot, state in enumerate(slots) if state == _ENABLED_1),
        digest=hashlib.sha256(head).hexdigest(),
    )


def _is_whole(header: bytes) -> bool:
    """By its checksum, which is of the header with zeros in its own place."""
    if _text(header[72:104]) not in hashlib.algorithms_available:
        return False
    found = _checksum(header)
    return header[_CHECKSUM][: len(found)] == found


def checksummed(header: bytes) -> bytes:
    """The copy of a LUKS2 header with its checksum in the place of what is there."""
    return header[: _CHECKSUM.start] + _checksum(header).ljust(64, b"\0") + header[_CHECKSUM.stop :]


def _checksum(header: bytes) -> bytes:
    blanked = header[: _CHECKSUM.start] + bytes(64) + header[_CHECKSUM.stop :]
    return hashlib.new(_text(header[72:104]), blanked).digest()


def _header_2(header: bytes) -> Header:
    uuid, label = _text(header[168:208]), _text(header[24:72])
    digest = hashlib.sha256(header[6:]).hexdigest()
    try:
        metadata = json.loads(header[BINARY:].split(b"\0", 1)[0])
        return _of_metadata(Header(2, uuid, label, digest=digest), metadata)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Header(2, uuid, label, damaged=f"its metadata cannot be understood ({type(error).__name__}: {error})")


def _of_metadata(header: Header, metadata: dict[str, Any]) -> Header:
    segments = sorted(metadata["segments"].items(), key=lambda one: int(one[0]))
    digests = metadata.get("digests", {}).values()
    # While data moves, what it is going to be, and what it was, are backups among the segments.
    final = [one for one in segments if "backup-final" in one[1].get("flags", ())]
    current = [one for one in segments if not is_kept(one[1])]
    encrypted = [one for one in (*final, *segments) if one[1]["type"] == "crypt"]
    number, segment = next(iter([*encrypted, *segments]), ("", {"offset": "0"}))
    # A keyslot of no segment's key opens nothing: an interrupted change leaves such.
    used = {slot for words in digests if words["segments"] for slot in words["keyslots"]}
    own = {slot for words in digests if number in words["segments"] for slot in words["keyslots"]}
    keyslots = metadata["keyslots"]
    keys = {slot: words for slot, words in keyslots.items() if words["type"] == "luks2" and slot in used}
    known = [words for slot, words in keys.items() if slot in own]
    tokens = metadata.get("tokens", {})
    moving = next((words for words in keyslots.values() if words["type"] == "reencrypt"), None)
    requirements = metadata["config"].get("requirements", {}).get("mandatory", [])
    under_way = any(word.startswith(("online-reencrypt", "offline-reencrypt")) for word in requirements)
    mode = (moving or {}).get("mode", "reencrypt") if under_way else ""
    goal = {"encrypt": "crypt", "decrypt": "linear"}.get(mode)
    # Of two ciphers, the key tells which is which.
    new = {name for words in digests if number in words["segments"] for name in words["segments"]}
    moved = tuple(
        (
            0 if words["size"] == "dynamic" else int(words["size"]),
            not words.get("flags") and (words["type"] == goal if goal else name in new),
        )
        for name, words in (current if mode else ())
    )
    header = header._replace(reencryption=mode, moved=moved)
    if header.is_to_be_ended:
        # The old key is of no use any more, and its keyslots are half erased.
        keys = {slot: words for slot, words in keys.items() if slot in own}
    return header._replace(
        cipher=segment.get("encryption", ""),
        key_size=max((words["key_size"] * 8 for words in known), default=0),
        hash=next((words["af"]["hash"] for words in known if "af" in words), "")
        or next((words.get("hash", "") for words in digests), ""),
        sector_size=int(segment.get("sector_size", 512)),
        offset=int(segment["offset"]),
        keyslots=tuple(sorted(map(int, keys))),
        tokens={int(one): token_of(words) for one, words in tokens.items() if words["type"] != VOLUME_KEY},
        named=tuple(
            VolumeKey(str(words["name"]), str(words["was"]), str(words["replaces"]), int(one))
            for one, words in tokens.items()
            if words["type"] == VOLUME_KEY
        ),
        key_digest=next((words["digest"] for words in digests if number in words["segments"]), ""),
    )


def is_kept(segment: Mapping[str, Any]) -> bool:
    """Whether it says only what the data was, or is going to be, while it moves."""
    return any(flag.startswith("backup") for flag in segment.get("flags", ()))


def token_of(words: dict[str, Any]) -> Token:
    token = Token(words["type"], tuple(sorted(map(int, words["keyslots"]))))
    if token.type == TPM2:
        return token._replace(pcrs=tuple(words.get("tpm2-pcrs", ())), pin=bool(words.get("tpm2-pin")))
    if token.type != CLEVIS:
        return token
    try:
        clevis = json.loads(_decoded(words["jwe"]["protected"]))["clevis"]
        if clevis["pin"] != "tang":
            return token
        keys = [key for key in clevis["tang"]["adv"]["keys"] if "verify" in key.get("key_ops", ())]
        prints = tuple(thumbprint(key, algorithm) for key in keys for algorithm in ("sha256", "sha1"))
        return token._replace(url=clevis["tang"]["url"], thumbprints=prints)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Of another version of clevis: it is kept as it is.
        return token


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(key: dict[str, Any], algorithm: str) -> str:
    """That of a public key in JSON (RFC 7638)."""
    named = {word: key[word] for word in ("crv", "e", "kty", "n", "x", "y") if word in key}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.new(algorithm, text.encode()).digest()).decode().rstrip("=")


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
