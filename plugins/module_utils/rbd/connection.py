# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a Ceph cluster, closed in the right order, with a limit to all that it waits for.

librbd crashes, or hangs, when it is given what was closed already: so what is open is closed here and nowhere else,
images first, then pools, then the connection.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from ..core.command import wait_until
from ..core.errors import StorageError
from .calls import Place, names


def _binding(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


rados, rbd = _binding("rados"), _binding("rbd")
#: How a manager refuses the commands of a module that it has not loaded.
_UNKNOWN = "No handler found"
#: How the cluster's map says that a pool is.
_ERASURE_CODED = 3


class Gone(StorageError):
    """What was looked for is not there."""


class Denied(StorageError):
    """The cluster does not let this client do that."""


def place_of(params: Mapping[str, Any]) -> Place:
    """The pool and namespace of a module's options."""
    return Place(params["pool"], params["namespace"])


def _configuration(cluster: str) -> str:
    """The file that librados reads for a cluster of this name."""
    of_all, own = f"/etc/ceph/{cluster}.conf", os.path.expanduser(f"~/.ceph/{cluster}.conf")
    return own if os.path.exists(own) and not os.path.exists(of_all) else of_all


class Connection:
    """A cluster, as the options say. Pools are opened when they are asked for, and closed with it."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.rbd = rbd.RBD()
        self.params = params
        self._pools: dict[Place, Any] = {}
        self._options: Any = None
        self._patience = params["operation_timeout"]
        self._name = params["cluster"]
        conf = params["conf"] or _configuration(params["cluster"])
        for option in ("connect_timeout", "operation_timeout"):
            if params[option] < 1:
                raise StorageError(f"{option} is a number of seconds, at least 1")
        for what, path in (("conf", conf), ("keyring", params["keyring"])):
            if path and not os.access(path, os.R_OK):
                raise StorageError(f"{what}: {path} is not there, or may not be read")
        settings = {
            "client_mount_timeout": str(params["connect_timeout"]),
            "rados_mon_op_timeout": str(params["connect_timeout"]),
            "rados_osd_op_timeout": str(params["operation_timeout"]),
        }
        if params["keyring"]:
            settings["keyring"] = params["keyring"]
        with told(f"reading {conf}"):
            self._cluster = rados.Rados(
                conffile=conf, clustername=params["cluster"], rados_id=params["client"], conf=settings
            )
        try:
            with told(f"connecting to cluster {params['cluster']} as client.{params['client']}"):
                self._cluster.connect()
                self._read_map()
        except StorageError as error:
            keyring = params["keyring"] or self.setting("keyring")
            self._cluster.shutdown()
            raise StorageError(f"{error} The key was looked for in {keyring}") from None

    def _read_map(self) -> None:
        """Have the cluster's map, without which questions about pools wait for a monitor, some of them for ever."""
        with suppress(rados.ObjectNotFound):
            self._cluster.pool_reverse_lookup(0)

    @property
    def cluster(self) -> Any:
        """What calls about the whole cluster are made on."""
        return self._cluster

    @property
    def fsid(self) -> str:
        return str(self._cluster.get_fsid())

    def setting(self, name: str) -> str:
        """What librados and librbd are set to."""
        return str(self._cluster.conf_get(name))

    def set(self, name: str, value: str) -> None:
        self._cluster.conf_set(name, value)

    def takes(self, name: str, value: str) -> bool:
        """Whether librbd takes a value for a setting. Asked of a handle of its own, which is never connected."""
        if self._options is None:
            self._options = rados.Rados()
        try:
            self._options.conf_set(name, value)
        except rados.Error:
            return False
        return True

    def describe(self, name: str) -> str:
        """What the cluster says that a setting takes; nothing where this client may not ask."""
        try:
            option = self.ask("config help", key=name)
        except StorageError:
            return ""
        bounds = f" from {option['min']} to {option['max']}" if option["min"] != "" and option["max"] != "" else ""
        choice = f", one of {' '.join(option['enum_values'])}" if option.get("enum_values") else ""
        return f"; expected a value of type {option['type']}{bounds}{choice}"

    def config_key(self, name: str) -> str:
        """What the monitors keep by a name."""
        return self._ask(f"config-key get {name}", "config-key get", key=name).decode(errors="replace")

    def ask(self, prefix: str, **words: str) -> Any:
        """What a monitor answers."""
        return json.loads(self._ask(prefix, prefix, format="json", **words))

    def _ask(self, what: str, prefix: str, **words: str) -> bytes:
        with told(f"asking the monitors for {what}"):
            status, answer, error = self._cluster.mon_command(json.dumps({"prefix": prefix, **words}), b"")
        if status:
            kind = Denied if -status in (errno.EACCES, errno.EPERM) else StorageError
            raise kind(f"asking the monitors for {what}: {error or os.strerror(-status)}")
        return bytes(answer)

    def ask_manager(self, prefix: str, **words: str) -> Any:
        """What the cluster's manager answers. One that has just started is waited for."""
        answers: list[tuple[int, bytes, str]] = []

        def answered() -> bool:
            answers.append(self._cluster.mgr_command(json.dumps({"prefix": prefix, "format": "json", **words}), b""))
            return answers[-1][0] != -errno.EAGAIN

        with told(f"asking the manager for {prefix}"):
            wait_until(
                answered, self._patience, f"for the cluster's manager (ceph-mgr), which is not ready for {prefix}"
            )
        status, answer, error = answers[-1]
        if abs(status) == errno.ETIMEDOUT:
            raise StorageError(
                f"asking the manager for {prefix}: it did not answer in time; is the cluster's ceph-mgr up?"
            )
        if error.startswith(_UNKNOWN):
            raise StorageError(
                f"asking the manager for {prefix}: it has not loaded its module rbd_support; `ceph health detail` says "
                "why"
            )
        if status:
            kind = Denied if -status in (errno.EACCES, errno.EPERM) else StorageError
            raise kind(f"asking the manager for {prefix}: {error or os.strerror(-status)}")
        return json.loads(answer) if answer.strip() else None

    def erasure_coded(self) -> dict[str, bool]:
        """The erasure-coded pools, and whether each takes more than whole objects."""
        return {
            one["pool_name"]: "ec_overwrites" in one["flags_names"].split(",")
            for one in self.ask("osd pool ls", detail="detail")
            if one["type"] == _ERASURE_CODED
        }

    def default_features(self) -> frozenset[str]:
        """Of images that are made without a word about them."""
        said = self.setting("rbd_default_features")
        return names(int(said)) if said.isdigit() else frozenset(part.strip() for part in said.split(","))

    def pools(self) -> frozenset[str]:
        return frozenset(self._cluster.list_pools())

    def pool(self, place: Place) -> Any:
        """The I/O context of a pool and namespace."""
        if place not in self._pools:
            # Asking for a pool that is not there waits, without a limit, for a monitor that does not answer.
            if place.pool not in self.pools():
                raise Gone(f"pool {place.pool}: cluster {self._name} has no such pool")
            if place.namespace:
                with told(f"looking for namespace {place.namespace}"):
                    # Without this, librbd shows one that is not there as an empty one.
                    if not self.rbd.namespace_exists(self.pool(Place(place.pool)), place.namespace):
                        raise Gone(f"namespace {place.namespace}: pool {place.pool} has no such namespace")
            with told(f"opening pool {place.pool}"):
                opened = self._cluster.open_ioctx(place.pool)
            opened.set_namespace(place.namespace)
            self._pools[place] = opened
        return self._pools[place]

    def pool_name(self, number: int) -> str:
        with told(f"looking up pool {number}"):
            name: str = self._cluster.pool_reverse_lookup(number)
            return name

    @contextmanager
    def image(
        self,
        place: Place,
        name: str | None,
        read_only: bool = True,
        snapshot: str | None = None,
        image_id: str | None = None,
    ) -> Iterator[Any]:
        """An image, open for as long as it is needed. Reading it does not keep others from taking its lock.

        One in the trash has no name, but an id.
        """
        image = rbd.Image(self.pool(place), name, snapshot=snapshot, read_only=read_only, image_id=image_id)
        try:
            yield image
        finally:
            image.close()

    def close(self) -> None:
        for opened in self._pools.values():
            opened.close()
        self._pools.clear()
        self._cluster.shutdown()
        if self._options is not None:
            self._options.shutdown()


@contextmanager
def connected(params: Mapping[str, Any]) -> Iterator[Connection]:
    connection = Connection(params)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def told(purpose: str) -> Iterator[None]:
    """What librados and librbd raise, as one clear sentence. ``purpose`` says what it was about."""
    try:
        yield
    except (rados.Error, rbd.Error) as error:
        raise _sentence(purpose, error) from None


def _sentence(purpose: str, error: Any) -> StorageError:
    if isinstance(error, (rados.ObjectNotFound, rbd.ImageNotFound, rbd.ObjectNotFound)):
        return Gone(f"{purpose}: there is no such thing ({error}).")
    if isinstance(error, (rados.TimedOut, rbd.Timeout)):
        return StorageError(
            f"{purpose}: the cluster did not answer in time; are its monitors and OSDs up, is there room, and has this "
            "client caps for the OSDs?"
        )
    if isinstance(error, (rados.PermissionDeniedError, rbd.PermissionError, rados.PermissionError)):
        return Denied(
            f"{purpose}: the cluster does not let this client do that ({error}); look at its key and its caps."
        )
    if isinstance(error, (rbd.ImageBusy, rados.ObjectBusy)):
        return StorageError(f"{purpose}: it is in use ({error})")
    if isinstance(error, rbd.DiskQuotaExceeded):
        return StorageError(f"{purpose}: a quota of the pool, or the image's snapshot_limit, is reached ({error})")
    if isinstance(error, (rbd.NoSpace, rados.NoSpace)):
        return StorageError(f"{purpose}: there is no room left ({error})")
    if isinstance(error, rbd.ReadOnlyImage):
        return StorageError(f"{purpose}: it can only be read; is it the copy of a mirrored image? ({error})")
    return StorageError(f"{purpose}: {error}")
