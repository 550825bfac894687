# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word ``luks``: encrypted containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.secret import MOST, Secret
from .names import known_name

TYPES = ("luks1", "luks2")
STATES = ("present", "closed", "decrypted", "absent")
ALGORITHMS = ("argon2i", "argon2id", "pbkdf2")
#: What a path of crypttab may not hold: the file parts its columns by white space, and knows no way around it.
_BLANKS = frozenset(" \t\n\0")
_SECTORS = (512, 1024, 2048, 4096)
_MOST_LABEL = 47

PBKDF_OPTIONS: dict[str, dict[str, Any]] = {
    "algorithm": {"type": "str", "choices": list(ALGORITHMS)},
    "iteration_time": {"type": "float"},
    "iteration_count": {"type": "int"},
    "memory": {"type": "int"},
    "parallel": {"type": "int"},
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
    "type": {"type": "str", "choices": list(TYPES)},
    "cipher": {"type": "str"},
    "key_size": {"type": "int", "aliases": ["keysize"], "no_log": False},
    "hash": {"type": "str"},
    "sector_size": {"type": "int"},
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


class Luks(NamedTuple):
    """A wanted container. None: leave it as it is. ``key_size`` in bits, ``sector_size`` in bytes.

    ``key`` unlocks it, ``new_key`` is to unlock it too, ``remove_key`` and ``remove_keyslot`` are not to.
    """

    name: str
    device: str | None = None
    key: Key | None = None
    new_key: Key | None = None
    remove_key: Key | None = None
    remove_keyslot: int | None = None
    type: str | None = None
    cipher: str | None = None
    key_size: int | None = None
    hash: str | None = None
    sector_size: int | None = None
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
        type=item.get("type"),
        cipher=item.get("cipher"),
        key_size=item.get("key_size"),
        hash=item.get("hash"),
        sector_size=item.get("sector_size"),
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
    if want.type == "luks1":
        for word in ("label", "sector_size"):
            if getattr(want, word):
                raise StorageError(f"{what}: {word} is of luks2 only, and type is luks1")
        if want.pbkdf.algorithm not in (None, "pbkdf2"):
            raise StorageError(f"{what}: luks1 has pbkdf2 only, and pbkdf.algorithm is {want.pbkdf.algorithm}")
    if want.open_at_boot is False and want.boot_required:
        raise StorageError(f"{what}: boot_required, and open_at_boot is false; leave one of them out")
    if want.state != "present":
        given = [word for word in ("new_key", "remove_key", "remove_keyslot") if getattr(want, word) is not None]
        if given:
            raise StorageError(f"{what}: {given[0]} beside state {want.state}; change the keys in a task of their own")


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
