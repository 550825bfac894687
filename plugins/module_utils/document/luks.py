# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``luks``: encrypted containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.secret import MOST, Secret
from .names import known_name

TYPES = ("luks1", "luks2", "plain")
STATES = ("present", "closed", "decrypted", "absent")
#: Key files that are another key each time: what is encrypted by one is lost with the next boot.
RANDOM = ("/dev/urandom", "/dev/random", "/dev/hwrng", "/dev/hw_random")
#: The words that are about a header, which plain containers have not.
_OF_A_HEADER = (
    *("new_key", "remove_key", "remove_keyslot", "tpm2", "tang"),
    *("hash", "label", "volume_key", "in_place", "allow_offline"),
)
ALGORITHMS = ("argon2i", "argon2id", "pbkdf2")
#: What a path of crypttab may not hold: the file parts its columns by white space, and knows no way around it.
_BLANKS = frozenset(" \t\n\0")
_SECTORS = (512, 1024, 2048, 4096)
_MOST_LABEL = 47
#: The metadata of a header has room for 12 KiB.
_MOST_NAME = 100
_PCRS = 24
_TPM2_DEVICE = re.compile(r"auto|/[^\s,]+|[a-z]+:[^\s,]*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%/-]*)?")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{27}|[A-Za-z0-9_-]{43}")

PBKDF_OPTIONS: dict[str, dict[str, Any]] = {
    "algorithm": {"type": "str", "choices": list(ALGORITHMS)},
    "iteration_time": {"type": "float"},
    "iteration_count": {"type": "int"},
    "memory": {"type": "int"},
    "parallel": {"type": "int"},
}
TPM2_OPTIONS: dict[str, dict[str, Any]] = {
    "device": {"type": "str"},
    "pcrs": {"type": "list", "elements": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
TANG_OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "thumbprint": {"type": "str", "required": True, "aliases": ["thp"]},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "device": {"type": "str"},
    "passphrase": {"type": "str", "no_log": True},
    "key_file": {"type": "path", "aliases": ["keyfile"]},
    "new_passphrase": {"type": "str", "no_log": True},
    "new_key_file": {"type": "path", "aliases": ["new_keyfile"]},
    "remove_passphrase": {"type": "str", "no_log": True},
    "remove_key_file": {"type": "path", "aliases": ["remove_keyfile"]},
    "remove_keyslot": {"type": "int", "no_log": False},
    "tpm2": {"type": "dict", "options": TPM2_OPTIONS},
    "tang": {"type": "list", "elements": "dict", "options": TANG_OPTIONS},
    "type": {"type": "str", "choices": list(TYPES)},
    "cipher": {"type": "str"},
    "key_size": {"type": "int", "aliases": ["keysize"], "no_log": False},
    "hash": {"type": "str"},
    "sector_size": {"type": "int"},
    "volume_key": {"type": "str", "no_log": False},
    "pbkdf": {"type": "dict", "options": PBKDF_OPTIONS},
    "label": {"type": "str"},
    "allow_discards": {"type": "bool"},
    "open_at_boot": {"type": "bool"},
    "boot_required": {"type": "bool"},
    "in_place": {"type": "bool"},
    "allow_offline": {"type": "bool"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
}


class Key(NamedTuple):
    """What unlocks a container: a passphrase, or a file of the host (its path)."""

    file: str = ""
    secret: Secret | None = None

    @property
    def word(self) -> str | Secret:
        """As cryptsetup takes it for ``--key-file``."""
        return self.secret or self.file

    def __str__(self) -> str:
        return f"the key file {self.file}" if self.file else "the passphrase"


class Pbkdf(NamedTuple):
    """How a key is stretched. None: cryptsetup's default. ``iteration_time`` in seconds, ``memory`` in KiB."""

    algorithm: str | None = None
    iteration_time: float | None = None
    iteration_count: int | None = None
    memory: int | None = None
    parallel: int | None = None


class Tpm2(NamedTuple):
    """A TPM 2.0 that opens a container, as systemd-cryptenroll has it. ``pcrs`` None: as they are, for a new one PCR 7.

    ``device`` is auto, a path, or a TCTI of tpm2-tss (None: as it is, for a new one auto).
    """

    device: str | None = None
    pcrs: tuple[int, ...] | None = None
    state: str = "present"


class Tang(NamedTuple):
    """A Tang server that opens a container, with the thumbprint of a key by which it signs."""

    url: str
    thumbprint: str


class Luks(NamedTuple):
    """A wanted container. None: leave it as it is. ``key_size`` in bits, ``sector_size`` in bytes.

    ``volume_key`` is what the key of its data is called.

    ``key`` unlocks it, ``new_key`` is to unlock it too, ``remove_key`` and ``remove_keyslot`` are not to.
    """

    name: str
    device: str | None = None
    key: Key | None = None
    new_key: Key | None = None
    remove_key: Key | None = None
    remove_keyslot: int | None = None
    tpm2: Tpm2 | None = None
    tang: tuple[Tang, ...] | None = None
    type: str | None = None
    cipher: str | None = None
    key_size: int | None = None
    hash: str | None = None
    sector_size: int | None = None
    volume_key: str | None = None
    pbkdf: Pbkdf = Pbkdf()
    label: str | None = None
    allow_discards: bool | None = None
    open_at_boot: bool | None = None
    boot_required: bool | None = None
    in_place: bool = False
    allow_offline: bool = False
    state: str = "present"


def parse(item: Mapping[str, Any], lenient: bool = False) -> Luks:
    """A Luks from an item of the document. Raises StorageError for what cannot be (``lenient``: but its name)."""
    name = known_name(str(item["name"]), "luks", 127, lenient)
    if name == "control":
        raise StorageError("luks control: the device mapper has /dev/mapper/control for itself; choose another name")
    luks = Luks(
        name=name,
        device=item.get("device"),
        key=_key(item, name, ""),
        new_key=_key(item, name, "new_"),
        remove_key=_key(item, name, "remove_"),
        remove_keyslot=item.get("remove_keyslot"),
        tpm2=_tpm2(item.get("tpm2"), name),
        tang=_tang(item.get("tang"), name),
        type=item.get("type"),
        cipher=item.get("cipher"),
        key_size=item.get("key_size"),
        hash=item.get("hash"),
        sector_size=item.get("sector_size"),
        volume_key=item.get("volume_key"),
        pbkdf=_pbkdf(item.get("pbkdf") or {}, name),
        label=item.get("label"),
        allow_discards=item.get("allow_discards"),
        open_at_boot=item.get("open_at_boot"),
        boot_required=item.get("boot_required"),
        in_place=bool(item.get("in_place")),
        allow_offline=bool(item.get("allow_offline")),
        state=item.get("state") or "present",
    )
    _check(luks)
    return luks


def _check(want: Luks) -> None:
    what = f"luks {want.name}"
    if want.device == "":
        raise StorageError(f"{what}: device is empty")
    if want.key and want.key == want.remove_key:
        raise StorageError(f"{what}: {want.key} is to unlock it, and to be removed; name another one that stays")
    if want.new_key and want.new_key == want.remove_key:
        raise StorageError(f"{what}: {want.new_key} is to be added, and to be removed; leave one of them out")
    if want.remove_key and want.remove_keyslot is not None:
        raise StorageError(f"{what}: say remove_keyslot or the key to remove, not both")
    if want.sector_size is not None and want.sector_size not in _SECTORS:
        raise StorageError(f"{what}: sector_size {want.sector_size} is not one of {', '.join(map(str, _SECTORS))}")
    if want.key_size is not None and (want.key_size <= 0 or want.key_size % 8):
        raise StorageError(f"{what}: key_size {want.key_size} is no number of bits that makes whole bytes")
    if want.label is not None and (len(want.label.encode()) > _MOST_LABEL or not want.label.isprintable()):
        raise StorageError(f"{what}: label {want.label!r} has more than {_MOST_LABEL} bytes, or what cannot be printed")
    name = want.volume_key
    if name is not None and (not name or len(name) > _MOST_NAME or not name.isprintable()):
        raise StorageError(
            f"{what}: volume_key {name!r} is empty, has more than {_MOST_NAME} letters, or what cannot be printed"
        )
    if want.type == "plain":
        _check_plain(want, what)
    elif want.key and want.key.file in RANDOM:
        raise StorageError(
            f"{what}: {want.key} is another key at each boot, and only type plain is made for that; say that, or the "
            "file of a key that stays"
        )
    if want.type == "luks1":
        for word in ("label", "sector_size", "volume_key", "tpm2", "tang"):
            if getattr(want, word):
                raise StorageError(f"{what}: {word} is of luks2 only, and type is luks1")
        if want.pbkdf.algorithm not in (None, "pbkdf2"):
            raise StorageError(f"{what}: luks1 has pbkdf2 only, and pbkdf.algorithm is {want.pbkdf.algorithm}")
    if want.open_at_boot is False and want.boot_required:
        raise StorageError(f"{what}: boot_required, and open_at_boot is false; leave one of them out")
    if want.state != "present":
        words = ("new_key", "remove_key", "remove_keyslot", "tpm2", "tang")
        given = [word for word in words if getattr(want, word) is not None]
        if given:
            raise StorageError(f"{what}: {given[0]} beside state {want.state}; change the keys in a task of their own")


def _check_plain(want: Luks, what: str) -> None:
    """Raises StorageError for what a container without a header cannot have."""
    given = [word for word in _OF_A_HEADER if getattr(want, word) not in (None, False)]
    if want.pbkdf != Pbkdf():
        given.append("pbkdf")
    if want.state == "decrypted":
        given.append("state decrypted")
    if given:
        raise StorageError(f"{what}: {given[0]} beside type plain, which has no header, and no keyslots; leave it out")
    if want.key and want.key.file not in RANDOM:
        raise StorageError(
            f"{what}: {want.key} beside type plain, which is for swap with a new key at each boot, by key_file "
            "/dev/urandom. A key that stays is for luks2"
        )


def _key(item: Mapping[str, Any], name: str, prefix: str) -> Key | None:
    passphrase, file = item.get(f"{prefix}passphrase"), item.get(f"{prefix}key_file")
    what = f"luks {name}"
    if passphrase is not None and file is not None:
        raise StorageError(f"{what}: {prefix}passphrase and {prefix}key_file are both given; say one of them")
    if file is not None:
        if not file.startswith("/") or _BLANKS.intersection(file):
            raise StorageError(f"{what}: {prefix}key_file {file!r} is no absolute path without white space")
        return Key(file=file)
    if passphrase is None:
        return None
    if not passphrase:
        raise StorageError(f"{what}: {prefix}passphrase is empty")
    if len(passphrase.encode()) > MOST:
        raise StorageError(f"{what}: {prefix}passphrase has more than {MOST} bytes; put it into a file, as a key file")
    return Key(secret=Secret(passphrase, f"luks-{name}-{prefix}passphrase"))


def _tpm2(words: Mapping[str, Any] | None, name: str) -> Tpm2 | None:
    if words is None:
        return None
    device, pcrs = words.get("device"), words.get("pcrs")
    if device is not None and not _TPM2_DEVICE.fullmatch(device):
        raise StorageError(
            f"luks {name}: tpm2.device {device!r} is neither auto, nor a path, nor a TCTI such as swtpm:, without "
            "blanks and commas"
        )
    wrong = [number for number in pcrs or () if number not in range(_PCRS)]
    if wrong:
        raise StorageError(f"luks {name}: tpm2.pcrs {wrong[0]} is no PCR; they are 0 to {_PCRS - 1}")
    return Tpm2(device, None if pcrs is None else tuple(sorted(set(pcrs))), words.get("state") or "present")


def _tang(items: list[Mapping[str, Any]] | None, name: str) -> tuple[Tang, ...] | None:
    if items is None:
        return None
    servers = tuple(Tang(str(item["url"]).rstrip("/"), str(item["thumbprint"])) for item in items)
    for server in servers:
        if not _URL.fullmatch(server.url):
            raise StorageError(f"luks {name}: tang.url {server.url!r} is no http or https URL")
        if not _THUMBPRINT.fullmatch(server.thumbprint):
            raise StorageError(
                f"luks {name}: tang.thumbprint {server.thumbprint!r} is not what `tang-show-keys` says on the server: "
                "43 letters, digits, - and _ (27, if by SHA-1)"
            )
        if [other.url for other in servers].count(server.url) > 1:
            raise StorageError(f"luks {name}: tang has {server.url} twice")
    return servers


def _pbkdf(words: Mapping[str, Any], name: str) -> Pbkdf:
    pbkdf = Pbkdf(**{word: words.get(word) for word in PBKDF_OPTIONS})
    for word in ("iteration_time", "iteration_count", "memory", "parallel"):
        value = getattr(pbkdf, word)
        if value is not None and value <= 0:
            raise StorageError(f"luks {name}: pbkdf.{word} {value} is not above 0")
    if pbkdf.iteration_time and pbkdf.iteration_count:
        raise StorageError(f"luks {name}: pbkdf.iteration_time and pbkdf.iteration_count exclude each other")
    if pbkdf.algorithm == "pbkdf2" and (pbkdf.memory or pbkdf.parallel):
        raise StorageError(f"luks {name}: pbkdf2 takes no pbkdf.memory, and no pbkdf.parallel")
    return pbkdf
