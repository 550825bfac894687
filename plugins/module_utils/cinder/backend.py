# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a backend: its driver and the driver's options, and where what is known of it is kept."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..core.errors import StorageError
from ..core.text import meant
from ..document.names import check_name
from ..document.sizes import parse_bytes
from .state import GIB, Pairs

STATE_PATH = "/var/lib/strata-storage/cinder"
_BACKEND: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "driver": {"type": "str", "required": True},
    # All of them, until the driver has said which are secret.
    "options": {"type": "dict", "no_log": True, "default": {}},
}
BACKEND: dict[str, Any] = {"type": "dict", "options": _BACKEND}
DATABASE: dict[str, dict[str, Any]] = {
    "persistence": {
        "type": "dict",
        "options": {"path": {"type": "path"}, "url": {"type": "str", "no_log": True}},
        "mutually_exclusive": [("path", "url")],
    },
    "state_path": {"type": "path", "default": STATE_PATH},
    "file_locks_path": {"type": "path"},
    "connect_timeout": {"type": "int", "default": 60},
    "lock_timeout": {"type": "int", "default": 60},
}
CONNECTION: dict[str, dict[str, Any]] = {"backend": {**BACKEND, "required": True}, **DATABASE}
#: How many characters Cinder's tables have for a name or another text.
_LONGEST = 255
#: What ids are made from, so that a name has the same one each time.
_SPACE = uuid.UUID("0c3f6d3e-6f0f-5a57-9a6e-0a5b7f3c8d21")


class Profile(NamedTuple):
    """A driver that was tried: its class, the options that it gets by default, and the Python packages it imports."""

    driver: str
    options: Mapping[str, Any]
    packages: tuple[str, ...] = ()


PROFILES: dict[str, Profile] = {
    "rbd": Profile(
        "cinder.volume.drivers.rbd.RBDDriver",
        {"rbd_ceph_conf": "/etc/ceph/ceph.conf", "rbd_user": "admin", "rados_connect_timeout": 10},
        ("rados", "rbd"),
    ),
    "lvm": Profile(
        "cinder.volume.drivers.lvm.LVMVolumeDriver", {"target_protocol": "iscsi", "target_helper": "lioadm"}
    ),
}


class Wanted(NamedTuple):
    """A backend, and where its state is. ``database`` is a path, or with ``://`` a URL."""

    name: str
    driver: str
    options: Mapping[str, Any]
    packages: tuple[str, ...]
    database: str
    state_path: str
    locks_path: str

    @property
    def is_url(self) -> bool:
        return "://" in self.database

    @property
    def lock(self) -> str:
        """One task at a time works on a backend."""
        return os.path.join(self.locks_path, f"{self.name}.strata.lock")


def parse(params: Mapping[str, Any]) -> Wanted:
    """From a module's options. Raises StorageError for what no backend can be."""
    backend = params["backend"]
    profile = PROFILES.get(backend["driver"])
    if profile is None and "." not in backend["driver"]:
        raise StorageError(
            f"driver: {backend['driver']} is neither the path of a class, such as "
            f"cinder.volume.drivers.rbd.RBDDriver, nor one of {' '.join(sorted(PROFILES))}"
        )
    if params["connect_timeout"] < 1:
        raise StorageError("connect_timeout is a number of seconds, at least 1")
    persistence = params["persistence"] or {}
    state_path = params["state_path"]
    for word, path in (
        ("state_path", state_path),
        ("file_locks_path", params["file_locks_path"]),
        ("persistence: path", persistence.get("path")),
    ):
        if path and not os.path.isabs(path):
            raise StorageError(f"{word}: {path} has no / at its start, so it would be another one for each task")
    url = persistence.get("url")
    if url is not None and "://" not in url:
        raise StorageError("persistence: url is no URL; expected one such as postgresql://USER:PASSWORD@HOST/DATABASE")
    return Wanted(
        check_name(backend["name"], "backend", longest=100),
        profile.driver if profile else backend["driver"],
        {**(profile.options if profile else {}), **(backend["options"] or {})},
        profile.packages if profile else (),
        url or persistence.get("path") or os.path.join(state_path, "cinder.sqlite"),
        state_path,
        params["file_locks_path"] or os.path.join(state_path, "locks"),
    )


def check_options(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises StorageError where a driver has no such option, with the nearest that it has."""
    names = sorted(known)
    for name in given:
        if name not in names:
            raise StorageError(f"options: the driver has no option {name}{meant(name, names)}")


def remedy(want: Wanted, said: str) -> str:
    """What to do where a driver of this collection's own names did not start with that error; empty: nobody knows."""
    options = want.options
    if want.driver == PROFILES["lvm"].driver:
        group = options.get("volume_group") or "cinder-volumes"
        lacks = f"this host has no volume group {group}; make it, or name another by volume_group"
        return lacks if "Cannot process volume group" in said or "does not exist" in said else ""
    if want.driver != PROFILES["rbd"].driver:
        return ""
    conf, user = options.get("rbd_ceph_conf") or "its configuration", options.get("rbd_user") or "admin"
    for word, what in (("rbd_ceph_conf", "configuration of Ceph"), ("rbd_keyring_conf", "keyring")):
        missing = f'not valid for configuration option "{word}"' in said
        if missing or (word == "rbd_ceph_conf" and "conf_read_file" in said):
            return f"there is no {what} {options.get(word)} on this host; copy it there, or name another file by {word}"
    if "error opening pool" in said:
        return f"the cluster has no pool {options.get('rbd_pool') or 'rbd'}; create it, or name another by rbd_pool"
    if "error connecting to the cluster" in said and "timed out" not in said:
        return (
            f"the cluster did not let client.{user} in; its keyring was to be where {conf} says, else "
            f"/etc/ceph/ceph.client.{user}.keyring. Copy it there, or name another user by rbd_user"
        )
    return ""


def strings(value: Any) -> Iterator[str]:
    """All texts in a value, as Ansible hides them."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from strings(one)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)


def volume_id(backend: str, name: str) -> str:
    """The id of a volume that is known by its name."""
    return str(uuid.uuid5(_SPACE, f"{backend}/{name}"))


def snapshot_id(volume: str, name: str) -> str:
    """The id of a snapshot that is known by its name. ``volume`` is an id."""
    return str(uuid.uuid5(_SPACE, f"{volume}@{name}"))


def parse_id(given: str) -> str:
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise StorageError(f"id: {given!r} is no UUID") from None


def parse_gib(given: str) -> int:
    """A size in bytes, in whole GiB, as Cinder has them: rounded up."""
    return -(-parse_bytes(given) // GIB) * GIB


def parse_pairs(given: Mapping[str, Any] | None) -> Pairs | None:
    """Specs as Cinder keeps them: texts, by their names."""
    if given is None:
        return None
    for key, value in given.items():
        check_text(str(value), f"spec {check_label(str(key), 'spec')}")
    return tuple(sorted((str(key), str(value)) for key, value in given.items()))


def check_label(name: str, what: str) -> str:
    """The name itself, if Cinder can keep it."""
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise StorageError(f"{what} {name!r}: a name has 1 to {_LONGEST} printable characters")
    return name


def check_text(text: str | None, what: str) -> str | None:
    """The text itself, if each database can keep it: that of sqlite keeps longer ones than others do."""
    if text is not None and len(text) > _LONGEST:
        raise StorageError(f"{what}: it has {len(text)} characters, and may have {_LONGEST}")
    return text
