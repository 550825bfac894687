# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of an RBD image, and how a cluster is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.secret import Secret
from ..document.sizes import parse_bytes
from .calls import Place, Unlock
from .state import Parent

#: How a cluster, and a pool of it, is reached.
OF_POOL: dict[str, dict[str, Any]] = {
    "conf": {"type": "path"},
    "cluster": {"type": "str", "default": "ceph"},
    "client": {"type": "str", "default": "admin"},
    "keyring": {"type": "path"},
    "pool": {"type": "str", "default": "rbd"},
    "connect_timeout": {"type": "int", "default": 10},
    "operation_timeout": {"type": "int", "default": 60},
}
#: The same, and a namespace in that pool.
CONNECTION: dict[str, dict[str, Any]] = {**OF_POOL, "namespace": {"type": "str", "default": ""}}
FEATURES = ("layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten", "journaling")
#: What a feature cannot be without.
NEEDS = (
    ("object-map", "exclusive-lock"),
    ("object-map", "fast-diff"),
    ("fast-diff", "object-map"),
    ("journaling", "exclusive-lock"),
)
#: What librbd puts before the name of a setting where it keeps it as metadata.
SETTING = "conf_"
#: What Ceph is told that a pool is for.
APPLICATION = "rbd"
#: The largest numbers that librbd keeps. The time that something stays in the trash until has 32 bits in seconds.
_BOUNDS = {
    "size": (0, (1 << 63) - 1),
    "stripe_count": (1, (1 << 32) - 1),
    "snapshot_limit": (0, (1 << 63) - 1),
    "delay": (0, (1 << 31) - 1),
}
#: The longest names, in bytes: what the names of their objects leave.
_LONGEST = {"image": 2041, "namespace": 256}
#: The shortest run of zeros that librbd gives back, in bytes.
_SMALLEST = 4096
#: The words that say what a new image consists of.
LAYOUT = ("features", "object_size", "order", "stripe_unit", "stripe_count", "data_pool")
STATES = ("present", "absent", "trashed")

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "size": {"type": "str"},
    "features": {"type": "list", "elements": "str", "choices": list(FEATURES)},
    "journaling": {"type": "bool"},
    "object_size": {"type": "str"},
    "order": {"type": "int"},
    "stripe_unit": {"type": "str"},
    "stripe_count": {"type": "int"},
    "data_pool": {"type": "str"},
    "metadata": {"type": "dict"},
    "config": {"type": "dict"},
    "parent": {
        "type": "dict",
        "options": {
            "pool": {"type": "str"},
            "namespace": {"type": "str"},
            "image": {"type": "str", "required": True},
            "snapshot": {"type": "str", "required": True},
        },
    },
    "clone_format": {"type": "int", "choices": [1, 2]},
    "copy_of": {
        "type": "dict",
        "options": {
            "pool": {"type": "str"},
            "namespace": {"type": "str"},
            "image": {"type": "str", "required": True},
            "snapshot": {"type": "str"},
            "with_snapshots": {"type": "bool"},
        },
    },
    "encryption": {
        "type": "dict",
        "options": {
            "format": {"type": "str", "choices": ["luks1", "luks2"], "required": True},
            "passphrase": {"type": "str", "no_log": True, "required": True},
            "parent_passphrases": {"type": "list", "elements": "str", "no_log": True},
            "verify": {"type": "bool"},
        },
    },
    "sparsify": {"type": "str"},
    "flatten": {"type": "bool"},
    "snapshot_limit": {"type": "int"},
    "renamed_from": {"type": "str"},
    "allow_shrink": {"type": "bool"},
    "purge_snapshots": {"type": "bool"},
    "delay": {"type": "int"},
    "allow_trashed_namesake": {"type": "bool"},
    "allow_destroy": {"type": "bool"},
    "break_lock": {"type": "str"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
}


class Encryption(NamedTuple):
    """How an image is to be encrypted. ``verify``: whether the passphrase opens it is looked at.

    ``parents`` are the passphrases of what it is a clone of, from its parent up.
    """

    format: str
    passphrase: Secret
    verify: bool = False
    parents: tuple[Secret, ...] = ()

    @property
    def unlock(self) -> Unlock:
        return Unlock(self.format, (self.passphrase, *self.parents))


class Wanted(NamedTuple):
    """A wanted image. None: leave it as it is. Sizes in bytes; ``delay`` in seconds."""

    name: str
    size: int | None = None
    features: frozenset[str] | None = None
    journaling: bool | None = None
    object_size: int | None = None
    stripe_unit: int | None = None
    stripe_count: int | None = None
    data_pool: str | None = None
    metadata: Mapping[str, str] | None = None
    config: Mapping[str, str] | None = None
    parent: Parent | None = None
    clone_format: int = 2
    copy_of: Parent | None = None
    with_snapshots: bool = False
    encryption: Encryption | None = None
    sparsify: int | None = None
    flatten: bool = False
    snapshot_limit: int | None = None
    renamed_from: str = ""
    allow_shrink: bool = False
    purge_snapshots: bool = False
    delay: int = 0
    allow_trashed_namesake: bool = False
    allow_destroy: bool = False
    break_lock: str = ""
    state: str = "present"

    @property
    def partial_copy(self) -> str:
        """What a copy is called until it is whole; empty where none is wanted."""
        return f"{self.name}.strata-copying" if self.copy_of and self.state == "present" else ""


def parse(item: Mapping[str, Any], place: Place) -> Wanted:
    """From the module's options, or an item of them. Raises StorageError for what no image can be."""
    name = check_name("image", item["name"])
    features = None if item.get("features") is None else frozenset(item["features"])
    for feature, needed in NEEDS:
        if features is not None and feature in features and needed not in features:
            raise StorageError(f"image {name}: feature {feature} needs {needed}")
    wanted = Wanted(
        name=name,
        size=_bytes(item, "size", name),
        features=features,
        journaling=item.get("journaling"),
        object_size=_object_size(item, name),
        stripe_unit=_bytes(item, "stripe_unit", name),
        stripe_count=item.get("stripe_count"),
        data_pool=item.get("data_pool") or None,
        metadata=texts(item.get("metadata")),
        config=texts(item.get("config")),
        parent=parent_of(item.get("parent"), place),
        clone_format=item.get("clone_format") or 2,
        copy_of=parent_of(item.get("copy_of"), place),
        with_snapshots=bool((item.get("copy_of") or {}).get("with_snapshots")),
        encryption=_encryption(item.get("encryption"), name),
        sparsify=_bytes(item, "sparsify", name),
        flatten=bool(item.get("flatten")),
        snapshot_limit=item.get("snapshot_limit"),
        renamed_from=item.get("renamed_from") or "",
        allow_shrink=bool(item.get("allow_shrink")),
        purge_snapshots=bool(item.get("purge_snapshots")),
        delay=item.get("delay") or 0,
        allow_trashed_namesake=bool(item.get("allow_trashed_namesake")),
        allow_destroy=bool(item.get("allow_destroy")),
        break_lock=item.get("break_lock") or "",
        state=item.get("state") or "present",
    )
    if (wanted.stripe_unit is None) != (wanted.stripe_count is None):
        raise StorageError(f"image {name}: stripe_unit and stripe_count belong together")
    for option, given, other, goes in (
        ("delay", wanted.delay, "state trashed", wanted.state == "trashed"),
        ("clone_format", item.get("clone_format"), "parent", wanted.parent),
    ):
        if given and not goes:
            raise StorageError(f"image {name}: {option} goes with {other}")
    if wanted.parent and wanted.copy_of:
        raise StorageError(f"image {name}: parent and copy_of are two ways to make it; say one of them")
    if wanted.encryption and wanted.copy_of:
        raise StorageError(
            f"image {name}: encryption formats an image, and what a copy is made of decides whether it is encrypted; "
            "leave it out"
        )
    if wanted.sparsify is not None and (wanted.sparsify & (wanted.sparsify - 1) or wanted.sparsify < _SMALLEST):
        raise StorageError(f"image {name}: sparsify is a power of two, at least 4K; {item['sparsify']} was given")
    for option, (least, most) in _BOUNDS.items():
        value = getattr(wanted, option)
        if value is not None and not least <= value <= most:
            raise StorageError(f"image {name}: {option} is {value}; expected a number from {least} to {most}")
    for key in wanted.metadata or ():
        if key.startswith(SETTING):
            raise StorageError(f"image {name}: metadata {key} is a setting; say it in config, without {SETTING}")
    return wanted


def check_name(kind: str, name: Any) -> str:
    """A name that librbd and the ``rbd`` command both can say, and people can read. Raises StorageError for others."""
    text = str(name or "")
    if not text or any(character in text for character in "/@"):
        raise StorageError(f"{kind} {name!r}: a name is not empty and holds no / or @")
    if text != text.strip() or not text.isprintable():
        raise StorageError(f"{kind} {name!r}: a name has no blanks around it, and no control characters")
    longest, length = _LONGEST.get(kind), len(str(name).encode())
    if longest and length > longest:
        raise StorageError(f"{kind} {str(name)[:20]}…: a name has at most {longest} bytes, and this has {length}")
    return str(name)


def texts(given: Mapping[str, Any] | None) -> dict[str, str] | None:
    """What librbd is to keep by these keys. A value of None takes a key away, and is an empty one here."""
    if given is None:
        return None
    if "" in given:
        raise StorageError("metadata, or config, has an empty key, which librbd does not keep")
    return {str(key): _text(str(key), value) for key, value in given.items()}


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise StorageError(
            f"metadata, or config: {key} is a list or a dictionary; expected a text, a number or a boolean"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bytes(item: Mapping[str, Any], option: str, name: str) -> int | None:
    return None if item.get(option) is None else parse_bytes(item[option], f"image {name}: {option}")


def _encryption(given: Mapping[str, Any] | None, name: str) -> Encryption | None:
    if not given:
        return None
    parents = given.get("parent_passphrases") or ()
    if not all((given["passphrase"], *parents)):
        raise StorageError(f"image {name}: encryption: the passphrase is empty")
    return Encryption(
        given["format"],
        Secret(given["passphrase"]),
        bool(given.get("verify")),
        tuple(Secret(one) for one in parents),
    )


def _object_size(item: Mapping[str, Any], name: str) -> int | None:
    size, order = _bytes(item, "object_size", name), item.get("order")
    if size is not None and order is not None:
        raise StorageError(f"image {name}: object_size and order say the same; say one of them")
    if order is not None:
        size = 1 << order if 0 <= order < 64 else 0
    if size is not None and (size & (size - 1) or not 4096 <= size <= 32 << 20):
        raise StorageError(f"image {name}: object_size is a power of two from 4K to 32M, an order from 12 to 25")
    return size


def parent_of(given: Mapping[str, Any] | None, place: Place) -> Parent | None:
    """What an image is made of. Its pool and namespace are those of ``place``, where they are not said."""
    if not given:
        return None
    namespace = given.get("namespace")
    pool = given.get("pool")
    # Another pool's namespaces are not this one's.
    inherited = place.namespace if pool in (None, place.pool) else ""
    return Parent(
        Place(pool or place.pool, inherited if namespace is None else namespace),
        given["image"],
        given.get("snapshot") or "",
    )
