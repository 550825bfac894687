# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that knows cinderlib: it runs a driver of Cinder's in this process, without Cinder's services.

cinderlib takes one setup a process, keeps a row only once a driver is done, calls a failed creation and a failed
extension alike, and hides the reason of a failed start in an exception's context. What follows from that is dealt with
here, so that planners need not know it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata, util
from typing import Any, Callable

from ..core.errors import StorageError, Unread
from .actions import (
    Attach,
    Create,
    Delete,
    DeleteSnapshot,
    Describe,
    Detach,
    Extend,
    Manage,
    ManageSnapshot,
    Record,
    Recover,
    Release,
    Rescan,
    TakeSnapshot,
)
from .backend import Wanted, check_options, remedy
from .state import GIB, SNAPSHOT, VOLUME, Array, Connection, Pairs, Snapshot, Stranger, Use, Volume
from .tried import known

#: What has to be installed: each with the first version that is too old or too new, and how to say it.
_SET: tuple[tuple[str, Callable[[tuple[int, ...]], bool], str], ...] = (
    ("cinderlib", lambda version: version == (5, 2, 0), "5.2.0"),
    ("cinder", lambda version: version[0] == 23, "23"),
    ("SQLAlchemy", lambda version: version[0] == 1, "1.4"),
    ("oslo.versionedobjects", lambda version: version < (3, 9), "older than 3.9"),
)
RECIPE = (
    "Make a Python of its own for these modules from requirements-cinder.txt of this collection, with the role "
    "strata.storage.cinder_host or by hand, and name it in ansible_python_interpreter of the tasks"
)
_SHARED = "backend_defaults"  # where Cinder registers what drivers take
_RBD = "cinder.volume.drivers.rbd.RBDDriver"
#: An option that cinderlib takes for this driver, which no longer has it.
_KEYRING = ("rbd_keyring_conf", "Path to the keyring of the Ceph user")
_CREATING, _DELETING = "creating", "deleting"
_LONGEST = 1000
#: How many volumes a driver is asked for, of those that it can list.
_MOST = 100_000
#: Where udev names devices by what they are, and such names. A PV's or a map's is of what is on a device.
_LINKS = "/dev/disk/by-id"
_STABLE = ("dm-uuid-mpath-", "wwn-", "nvme-", "scsi-")
#: Our word in what a connection keeps of its device.
_LINK = "strata_link"
#: How long a device may take to have its name, or its size.
_SECONDS = 30
#: How a program that failed is told: its words, and what it says, may hold passwords that the driver gave it.
_COMMAND = re.compile(
    r"(?:Unexpected error while running command\.\s*)?Command: (?P<command>.*?)\s*Exit code: (?P<code>\S+)"
    r"\s*Stdout: (?P<out>'.*?'|\".*?\"|None)\s*Stderr: (?P<err>'.*'|\".*\"|None)",
    re.DOTALL,
)
#: What a database's library adds to the reason: the statement, whose values may be secrets, and advice for its caller.
_STATEMENT = re.compile(
    r"\(raised as a result of Query-invoked autoflush[^)]*\)|(?:DETAIL:\s+Failing row|\[SQL: |\(Background on).*",
    re.DOTALL,
)
_MEANWHILE = "another host has made it meanwhile. Nothing was done; run the task again"


def faults(version_of: Callable[[str], str]) -> list[str]:
    """What is wrong with the packages that are installed. ``version_of`` raises PackageNotFoundError."""
    wrong = []
    for name, fits, wanted in _SET:
        try:
            version = version_of(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if not fits(numbers):
            wrong.append(f"{name} is {version}, and has to be {wanted}")
    return wrong


def check_set() -> None:
    """Raises StorageError, with the recipe, where this Python does not have what cinderlib works with."""
    wrong = faults(metadata.version)
    if not wrong:
        try:
            _prepare()
            import_module("cinderlib")
            return
        except Exception as error:  # an import may fail in any way
            wrong = [f"cinderlib cannot be imported: {_reason(error)}"]
    raise StorageError(f"{sys.executable}: {', '.join(wrong)}. {RECIPE}")


def _prepare() -> None:
    """Have drivers find the programs of this environment, which nobody activated, and keep warnings to themselves."""
    warnings.simplefilter("ignore")
    logging.disable()
    if sys.prefix != sys.base_prefix:
        os.environ["VIRTUAL_ENV"] = sys.prefix
    programs = (os.path.join(sys.prefix, "bin"), "/usr/local/sbin", "/usr/sbin", "/sbin")
    known = os.environ.get("PATH", "/usr/bin:/bin")
    os.environ["PATH"] = ":".join((*(path for path in programs if path not in known.split(":")), known))


class Option:
    """An option of a driver, as Cinder describes it."""

    def __init__(self, option: Any) -> None:
        self._option = option
        self.name = str(option.dest)
        self.secret = bool(option.secret)

    def check(self, value: Any) -> None:
        """Raises StorageError where the option does not take a value. A secret is not repeated."""
        values = value if getattr(self._option, "multi", False) and isinstance(value, list) else [value]
        for one in values:
            try:
                self._option.type(one)
            except (ValueError, TypeError) as error:
                told = "the value is not one that it takes" if self.secret else _reason(error)
                raise StorageError(f"options: {self.name}: {told}") from None

    def dump(self) -> dict[str, Any]:
        default = self._option.default
        return {
            "name": self.name,
            "type": str(self._option.type),
            "default": None if self.secret or default is None else str(default),
            "choices": [str(one) for one in getattr(self._option.type, "choices", None) or ()],
            "secret": self.secret,
            "required": bool(self._option.required),
            "deprecated": bool(self._option.deprecated_for_removal),
            "description": " ".join((self._option.help or "").split()),
        }


def load_driver(want: Wanted) -> dict[str, Option]:
    """Import a driver. Returns the options that it takes, by their names. Raises StorageError where there is none."""
    for package in want.packages:
        if util.find_spec(package) is None:
            raise StorageError(
                f"driver {want.driver}: {sys.executable} has no package {package}, which the driver needs. It is part "
                f"of the system's Python (Debian: python3-{package}), so this environment has to be made with "
                "--system-site-packages by a Python of the same version"
            )
    module, _dot, name = want.driver.rpartition(".")
    with _told(f"driver {want.driver}: it cannot be loaded"):
        try:
            found = getattr(import_module(module), name, None)
        except ModuleNotFoundError as error:
            # A package that the driver needs is told as such.
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            found = None
        from oslo_config import cfg
    if found is None:
        raise StorageError(
            f"driver: there is no class {want.driver}; cinder_backend_info (gather: drivers) lists those that there are"
        )
    group = cfg.CONF._groups.get(_SHARED)
    options = [known["opt"] for known in group._opts.values()] if group else []
    if hasattr(found, "get_driver_options"):
        options += found.get_driver_options()
    if want.driver == _RBD:
        keyring, said = _KEYRING
        options.append(cfg.StrOpt(keyring, default="", help=said))
    return {option.dest: Option(option) for option in options}


def supported_drivers() -> list[dict[str, Any]]:
    """The drivers that this release of Cinder has."""
    with _told("listing the drivers"):
        from cinder.interface import util as interface

        here = os.getcwd()
        # Cinder looks for its drivers from where it is installed.
        os.chdir(os.path.dirname(os.path.dirname(str(import_module("cinder").__file__))))
        try:
            found = interface.get_volume_drivers()
        finally:
            os.chdir(here)
    return sorted(
        (
            {
                "driver": str(one.class_fqn),
                "version": str(one.version or ""),
                "supported": bool(one.supported),
                "description": " ".join((one.desc or "").strip().split("\n\n")[0].split()),
                "secrets": sorted({str(option.dest) for option in one.driver_options or () if option.secret}),
            }
            for one in found
        ),
        key=lambda one: str(one["driver"]),
    )


@contextmanager
def opened(want: Wanted, options: Mapping[str, Option], read_only: bool) -> Iterator[Library]:
    """The backend, with its driver started. ``read_only``: nothing is written on this host, nor to the database."""
    check_options(want.options, options)
    for name, value in want.options.items():
        options[name].check(value)
    with contextlib.ExitStack() as stack:
        state_path, locks_path = want.state_path, want.locks_path
        if read_only:
            scratch = tempfile.mkdtemp(prefix="strata-cinder-")
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            state_path = locks_path = scratch
        else:
            for path in (state_path, locks_path):
                make_private(path)
        with _told(f"{_database(want)}: it cannot be used"):
            url = _url(want, state_path if read_only else None)
            _set_up(url, state_path, locks_path)
        with _told(f"backend {want.name}: its driver did not start", lambda said: remedy(want, said)):
            library = import_module("cinderlib")
            backend = library.Backend(volume_backend_name=want.name, volume_driver=want.driver, **dict(want.options))
        yield Library(want, backend)


def _database(want: Wanted) -> str:
    return "the database of persistence" if want.is_url else f"database {want.database}"


def _url(want: Wanted, scratch: str | None) -> str:
    """What SQLAlchemy is given. With ``scratch``, a database that is not there is one in memory, and a file a copy."""
    if want.is_url:
        return want.database if scratch is None or _is_current(want.database) else "sqlite://"
    path = os.path.abspath(want.database)
    if scratch is not None:
        if not os.path.exists(path):
            return "sqlite://"
        return f"sqlite:///{_copy(path, os.path.join(scratch, 'cinder.sqlite'))}"
    make_private(os.path.dirname(path))
    # What a connection carries may be a secret.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return f"sqlite:///{path}"


def _copy(path: str, copy: str) -> str:
    """A copy of a database of sqlite, made without a change to it."""
    source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
    with contextlib.closing(source), contextlib.closing(target):
        try:
            source.backup(target)
            return copy
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise
    # A task that was killed while it wrote left a journal: what it began is taken back in the copy.
    for name in ("", "-journal"):
        shutil.copyfile(f"{path}{name}", f"{copy}{name}")
    return copy


def _is_current(url: str) -> bool:
    """Whether a database has the tables of this release. Raises StorageError where it has those of another one."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    try:
        if not sqlalchemy.inspect(engine).has_table("alembic_version"):
            return False
        with engine.connect() as connection:
            version = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    finally:
        engine.dispose()
    from alembic.script import ScriptDirectory
    from cinder.db import migration

    head = ScriptDirectory.from_config(migration._find_alembic_conf()).get_current_head()
    if version != head:
        raise StorageError(
            f"its tables are those of another release ({version}, not {head}), and reading does not change them; a "
            "task outside of check mode does"
        )
    return True


def make_private(path: str) -> None:
    """Make a directory that only its owner can look into, and its missing parents. One that is there stays as it is."""
    mask = os.umask(0o077)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: this directory cannot be made ({error.strerror})") from None
    finally:
        os.umask(mask)
    if not os.access(path, os.W_OK | os.X_OK):
        raise StorageError(f"{path}: nothing can be written in this directory")


def _set_up(url: str, state_path: str, locks_path: str) -> None:
    library = import_module("cinderlib")
    library.setup(
        file_locks_path=locks_path,
        state_path=state_path,
        disable_logs=True,
        # Rows of other backends may be in the same database.
        fail_on_missing_backend=False,
        persistence_config={"storage": "db", "connection": url},
    )


class Library:
    """A backend by cinderlib; ``actions.Backend`` says what each method does."""

    def __init__(self, want: Wanted, backend: Any) -> None:
        self._want = want
        self._backend = backend
        self._objects = import_module("cinderlib.objects")
        self._rows = backend.persistence
        self._rows.set_volume = _keeping_specs(self._rows.set_volume, self._rows.db, self._objects.CONTEXT)
        for create in ("volume_create", "snapshot_create"):
            setattr(self._rows.db, create, _once(getattr(self._rows.db, create)))
        self._host = socket.gethostname()
        self._known = known(want.driver, backend.driver)

    def read(self) -> Array:
        with _told(f"{_database(self._want)}: it cannot be read"):
            rows = self._rows.get_volumes()
            snapshots, connections = self._rows.get_snapshots(), self._rows.get_connections()
        taken: dict[str, list[Snapshot]] = {}
        for row in snapshots:
            taken.setdefault(str(row.volume_id), []).append(_snapshot(row))
        connected: dict[str, list[Connection]] = {}
        for row in connections:
            connected.setdefault(str(row.volume_id), []).append(self._connection(row))
        with _told(f"backend {self._want.name}: what is on it cannot be listed"):
            names = self._known.names()
        volumes, elsewhere = [], []
        for row in sorted(rows, key=lambda one: (str(one.name or ""), one.id)):
            name, backend = str(row._ovo.name), _backend(row)
            volume = _volume(row, taken.get(row.id, []), connected.get(row.id, []))
            volume = volume._replace(there=names is None or name in names, offered=self._known.is_offered(name))
            if backend == self._want.name:
                volumes.append(volume)
            elif names is not None and volume.there:
                elsewhere.append((backend, volume))
        pools = tuple(str(pool) for pool in self._backend.pool_names)
        return Array(self._want.name, self._host, pools, tuple(volumes), elsewhere=tuple(elsewhere))

    def read_more(self, array: Array, need: Unread) -> Array:
        if need.what == "use":
            for name in need.names:
                with _told(f"backend {array.name}: {name} cannot be looked at"):
                    array = array.with_use(name, Use(self._known.size(name), self._known.users(name)))
            return array
        if need.what == "strangers":
            found = self._strangers("get_manageable_volumes", VOLUME)
            return array._replace(strangers=found or (), lists=found is not None)
        found = self._strangers("get_manageable_snapshots", SNAPSHOT)
        return array._replace(strange_snapshots=found or (), lists_snapshots=found is not None)

    def stats(self, refresh: bool) -> dict[str, Any]:
        with _told(f"backend {self._want.name}: its figures cannot be read"):
            found: dict[str, Any] = self._backend.stats(refresh=refresh)
        return found

    def create(self, action: Create) -> None:
        words: dict[str, Any] = {"id": action.id, "name": action.name, "description": action.description}
        words.update(size=action.size, status=_CREATING)
        if action.extra_specs:
            words["extra_specs"] = dict(action.extra_specs)
        if action.qos_specs:
            words["qos_specs"] = dict(action.qos_specs)
        with _told(str(action)):
            source, parent = self._source(action)
            if parent is not None:
                # These would be its volume's.
                words.update(created_at=None, previous_status=None, attach_status="detached", metadata={})
                words["snapshot_id" if source is not parent else "source_volid"] = source.id
                words["source_volid" if source is not parent else "snapshot_id"] = None
            elif action.pool:
                words["pool_name"] = action.pool
            volume = self._objects.Volume(parent or self._backend, **words)
            driver = self._backend.driver
            self._backend._start_creating_volume(volume)
            self._make(
                volume,
                lambda: (
                    driver.create_volume(volume._ovo)
                    if parent is None
                    else driver.create_cloned_volume(volume._ovo, source._ovo)
                    if source is parent
                    else driver.create_volume_from_snapshot(volume._ovo, source._ovo)
                ),
                action.checked,
                self._rows.delete_volume,
            )
            self._backend._volume_created(volume)

    def take_snapshot(self, action: TakeSnapshot) -> None:
        with _told(str(action)):
            snapshot = self._objects.Snapshot(
                self._row(action.volume),
                id=action.id,
                name=action.name,
                description=action.description,
                status=_CREATING,
            )
            self._make(
                snapshot,
                lambda: self._backend.driver.create_snapshot(snapshot._ovo),
                action.checked,
                self._rows.delete_snapshot,
            )

    def manage(self, action: Manage) -> None:
        reference = dict(action.reference)
        words = {"pool_name": action.pool} if action.pool else {}
        with _told(str(action)):
            volume = self._objects.Volume(
                self._backend, id=action.id, name=action.name, description=action.description, **words
            )
            driver = self._backend.driver
            volume._ovo.size = driver.manage_existing_get_size(volume._ovo, reference)
            _adopt(volume, action.reference, driver.manage_existing)

    def manage_snapshot(self, action: ManageSnapshot) -> None:
        with _told(str(action)):
            snapshot = self._objects.Snapshot(
                self._row(action.volume), id=action.id, name=action.name, description=action.description
            )
            driver = self._backend.driver
            snapshot._ovo.volume_size = driver.manage_existing_snapshot_get_size(snapshot._ovo, dict(action.reference))
            _adopt(snapshot, action.reference, driver.manage_existing_snapshot)

    def extend(self, action: Extend) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            here = self._here(volume)
            volume.extend(action.size)
            if here is not None and os.path.exists(_device(here)):
                _rescan(here, action.size * GIB)

    def rescan(self, action: Rescan) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            _rescan(self._here(volume), volume.size * GIB)

    def record(self, action: Record) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            volume._ovo.size = action.size
            volume.save()

    def recover(self, action: Recover) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            volume._ovo.status = "in-use" if volume.connections else "available"
            volume._ovo.previous_status = None
            volume.save()

    def describe(self, action: Describe) -> None:
        with _told(str(action)):
            row = self._snapshot_row(action.id) if action.snapshot else self._row(action.id)
            row._ovo.display_description = action.description
            row.save()

    def delete(self, action: Delete) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            self._claim(volume, action.cut_off)
            # A task that was cut off while it attached may have left it exported, and not have written that down.
            self._known.withdraw(volume._ovo)
            self._backend.driver.remove_export(self._objects.CONTEXT, volume._ovo)
            self._remove(volume)

    def delete_snapshot(self, action: DeleteSnapshot) -> None:
        with _told(str(action)):
            snapshot = self._snapshot_row(action.id)
            self._claim(snapshot, action.cut_off)
            self._remove(snapshot)

    def attach(self, action: Attach) -> None:
        from cinder.volume import volume_utils

        with _told(str(action)):
            volume = self._row(action.id)
            connection = self._here(volume)
            if connection is None:
                known = self._backend.configuration
                connector = volume_utils.brick_get_connector_properties(
                    known.use_multipath_for_image_xfer, known.enforce_multipath_for_image_xfer
                )
                self._backend.validate_connector(connector)
                self._known.withdraw(volume._ovo)
                connection = volume.connect(connector)
            elif self._known.offers_here:
                self._renew(volume, connection)
            try:
                connection.attach()
                self._keep_link(connection)
            except BaseException:
                # Nothing that was not attached stays connected.
                with contextlib.suppress(Exception):
                    if connection.attached:
                        connection.detach(force=True, ignore_errors=True)
                    volume.disconnect(connection, force=True)
                raise

    def detach(self, action: Detach) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            connection = self._here(volume)
            if connection is None:
                self._known.withdraw(volume._ovo)
                return
            device = _device(connection)
            if device and os.path.exists(device):
                if _LINK in connection.device:
                    connection.device = {**connection.device, "path": os.path.realpath(device)}
                connection.detach()
            else:
                # After a boot there is none; and a task that was cut off may have left one that nobody wrote down.
                connector, data = connection.connector, connection.conn_info["data"]
                with contextlib.suppress(NotImplementedError):
                    for path in connector.get_volume_paths(data):
                        if _is_busy(path):
                            raise StorageError(f"{path} is mounted, or held by something; put it out of use first")
                connector.disconnect_volume(data, None, force=True, ignore_errors=True)
            self._end(volume, connection)

    def release(self, action: Release) -> None:
        with _told(str(action)):
            volume = self._row(action.id)
            connection = next((one for one in volume.connections if one.id == action.connection), None)
            if connection is not None:
                self._end(volume, connection)

    def _end(self, volume: Any, connection: Any) -> None:
        """End a connection on the backend. LVM's driver cannot where a boot has taken away what it would end."""
        if self._known.offers_here and not self._known.is_offered(str(volume._ovo.name)):
            self._rows.delete_connection(connection)
            volume._disconnect(connection)
        else:
            volume.disconnect(connection)

    def _renew(self, volume: Any, connection: Any) -> None:
        """Have the backend offer a volume again to a host that it is connected to: a boot may have ended that."""
        driver, connector = self._backend.driver, connection.connector_info
        volume._ovo.update(driver.create_export(self._objects.CONTEXT, volume._ovo, connector) or {})
        volume.save()
        connection.conn_info = driver.initialize_connection(volume._ovo, connector)
        connection.device = None
        connection.save()

    @staticmethod
    def _keep_link(connection: Any) -> None:
        """Write down a name of a device that stays with it. The kernel's own is another disk's after a boot."""
        path = connection.path
        if os.path.dirname(path) != "/dev":
            return
        limit = time.monotonic() + _SECONDS
        while (link := _stable_link(path)) is None:
            if time.monotonic() > limit:
                raise StorageError(
                    f"udev gave {path} no name in {_LINKS} within {_SECONDS} s, and the kernel's is not kept"
                )
            time.sleep(0.05)
        connection.device = {**connection.device, _LINK: link}
        connection.save()

    def _make(self, row: Any, driver: Callable[[], Any], checked: bool, forget: Callable[[Any], object]) -> None:
        """Have a driver make what a row is about. The row is written before where what is left then is surely ours."""
        if checked:
            row.save()
        try:
            row._ovo.update(driver() or {})
        except Exception:
            # The driver has said no. What it may have left is taken away by the next task, if it is surely ours.
            if not checked:
                with contextlib.suppress(Exception):
                    forget(row)
            raise
        row._ovo.status = "available"
        row.save()

    @staticmethod
    def _claim(row: Any, cut_off: bool) -> None:
        """Have a creation that was cut off not be ended any more, by another host that was only slow."""
        if cut_off and not row._ovo.conditional_update({"status": _DELETING}, {"status": _CREATING}):
            raise StorageError(_MEANWHILE)

    def _remove(self, row: Any) -> None:
        from cinder import exception

        busy = (exception.VolumeIsBusy, exception.SnapshotIsBusy)
        before = row._ovo.status
        row._ovo.status = _DELETING
        row.save()
        try:
            row.delete()
        except busy:
            # The driver has done nothing.
            row._ovo.status = before
            row.save()
            raise

    def _source(self, action: Create) -> tuple[Any, Any]:
        """What a volume is made from, and the volume that this is, or is of."""
        if action.source_snapshot:
            snapshot = self._snapshot_row(action.source_snapshot)
            return snapshot, self._row(snapshot.volume_id)
        if action.source_volume:
            volume = self._row(action.source_volume)
            return volume, volume
        return None, None

    def _row(self, volume: str) -> Any:
        return self._objects.Volume.get_by_id(volume)

    def _snapshot_row(self, snapshot: str) -> Any:
        return self._objects.Snapshot.get_by_id(snapshot)

    def _here(self, volume: Any) -> Any:
        return next((one for one in volume.connections if _host(one) == self._host), None)

    def _connection(self, row: Any) -> Connection:
        host, device = _host(row), _device(row)
        here = host == self._host
        there = here and bool(device) and os.path.exists(device)
        protocol = str((row.conn_info or {}).get("driver_volume_type") or "")
        busy, seen = (_is_busy(device), _size(device)) if there else (False, 0)
        return Connection(str(row.id), str(row.volume_id), host, protocol, device, here, there, busy, seen)

    def _strangers(self, method: str, prefix: str) -> tuple[Stranger, ...] | None:
        """What is on the backend, and not in the database. None where the driver cannot tell."""
        rows = self._rows.get_volumes() if prefix == VOLUME else self._rows.get_snapshots()
        known = {f"{prefix}{row.id}" for row in rows}
        driver = getattr(self._backend.driver, method, None)
        if driver is None:
            return None
        with _told(f"backend {self._want.name}: what is on it cannot be listed"):
            try:
                told = driver([row._ovo for row in rows], None, _MOST, 0, ["reference"], ["asc"])
            except NotImplementedError:
                return None
        found = (
            Stranger(
                tuple(sorted((str(key), str(value)) for key, value in one["reference"].items())),
                int(one["size"]) * GIB,
                "" if one["safe_to_manage"] else str(one["reason_not_safe"]),
                str((one.get("source_reference") or {}).get("source-name") or ""),
            )
            for one in told
        )
        return tuple(one for one in found if not one.named(*known))


def _keeping_specs(save: Callable[[Any], object], database: Any, context: Any) -> Callable[[Any], None]:
    """Save a volume with its specs. cinderlib writes qos_specs where it never finds them, and forgets both later."""

    def save_volume(volume: Any) -> None:
        row = volume._ovo
        kind = row.volume_type if row.volume_type_id == volume.id else None
        # Asking it would not end where a connection knows its volume.
        new = "id" in row._changed_fields
        if kind is not None:
            kind.obj_reset_changes(["qos_specs", "qos_specs_id"])
        save(volume)
        if kind is None:
            return
        if new and kind.qos_specs is not None:
            specs = {"name": volume.id, "consumer": kind.qos_specs.consumer, "specs": dict(kind.qos_specs.specs)}
            kind.qos_specs_id = database.qos_specs_create(context, specs)["id"]
            database.volume_type_qos_associate(context, volume.id, kind.qos_specs_id)
            kind.obj_reset_changes()
        if row.volume_type_id != volume.id:
            database.volume_update(context, volume.id, {"volume_type_id": volume.id})
            row.volume_type, row.volume_type_id = kind, volume.id
            row.obj_reset_changes()

    return save_volume


def _once(create: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make a row that is not there. cinderlib would write over the one of another host that was faster."""
    from oslo_db.exception import DBDuplicateEntry

    def create_row(context: Any, values: Any) -> Any:
        try:
            return create(context, values)
        except DBDuplicateEntry:
            raise StorageError(_MEANWHILE) from None

    return create_row


def _adopt(row: Any, reference: Pairs, driver: Callable[[Any, dict[str, str]], Any]) -> None:
    """Have a driver give a volume or snapshot its name, unless a task that was cut off did so, and keep its row."""
    if not Stranger(reference, 0).named(row._ovo.name):
        row._ovo.update(driver(row._ovo, dict(reference)) or {})
    row._ovo.status = "available"
    row.save()


def _device(connection: Any) -> str:
    """The path of a connection's device, by which it is known for good; empty where there is none."""
    device = connection.device or {}
    path = str(device.get(_LINK) or device.get("path") or "")
    return "" if os.path.dirname(path) == "/dev" else path


def _stable_link(path: str) -> str | None:
    """The first name by which udev knows a device for what it is."""
    for prefix in _STABLE:
        for name in sorted(os.listdir(_LINKS) if os.path.isdir(_LINKS) else ()):
            link = os.path.join(_LINKS, name)
            if name.startswith(prefix) and os.path.realpath(link) == os.path.realpath(path):
                return link
    return None


def _backend(row: Any) -> str:
    """Name of the backend that the database has a volume under."""
    return str(row.host).rpartition("@")[2].partition("#")[0]


def _volume(row: Any, snapshots: Iterable[Snapshot], connections: Iterable[Connection]) -> Volume:
    kind = row.volume_type if row._ovo.volume_type_id == row.id else None
    found = Volume(
        str(row.id),
        str(row.name or ""),
        int(row.size) * GIB,
        str(row.status),
        str(row.host).partition("#")[2],
        str(row.description or ""),
        _pairs(kind and kind.extra_specs),
        _pairs(kind and kind.qos_specs and kind.qos_specs.specs),
        str(row.snapshot_id or row.source_volid or ""),
        row.status == "error" and bool(row.previous_status),
        tuple(sorted(snapshots, key=lambda one: (one.name, one.id))),
    )
    return found.with_connections(tuple(sorted(connections, key=lambda one: one.id)))


def _snapshot(row: Any) -> Snapshot:
    return Snapshot(
        str(row.id),
        str(row.volume_id),
        str(row.name or ""),
        int(row.volume_size) * GIB,
        str(row.status),
        str(row.description or ""),
    )


def _pairs(specs: Any) -> Pairs:
    return tuple(sorted((str(key), str(value)) for key, value in (specs or {}).items()))


def _host(connection: Any) -> str:
    return str((connection.connector_info or {}).get("host") or "")


def _rescan(connection: Any, size: int) -> None:
    """Have the kernel see that a device has grown, and wait until it does."""
    # Not each connector can; the kernel then sees it by itself.
    with contextlib.suppress(NotImplementedError):
        connection.extend()
    device, limit = _device(connection), time.monotonic() + _SECONDS
    while _size(device) < size:
        if time.monotonic() > limit:
            raise StorageError(
                f"the volume has grown, and {device} has not within {_SECONDS} s; it does once the volume was "
                "detached and is attached again"
            )
        time.sleep(0.05)


def _size(device: str) -> int:
    """The size of a block device, rounded up as that of its volume is."""
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return -(-os.lseek(descriptor, 0, os.SEEK_END) // GIB) * GIB
    finally:
        os.close(descriptor)


def _is_busy(device: str) -> bool:
    """Whether a block device is mounted, or held by something: the kernel does not open it for one alone."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


@contextmanager
def _told(purpose: str, remedy: Callable[[str], str] = lambda _said: "") -> Iterator[None]:
    """What Cinder, a driver or a database raises, as one clear sentence. ``purpose`` says what it was about.

    ``remedy`` tells what to do about what was said, if it knows.
    """
    try:
        yield
    except StorageError as error:
        raise StorageError(f"{purpose}: {error}") from error.__cause__
    except Exception as error:  # drivers raise anything
        said = _reason(error)
        known = remedy(said)
        raise StorageError(f"{purpose}: {known} ({said})" if known else f"{purpose}: {said}") from error


def _reason(error: BaseException) -> str:
    """What went wrong, in a line. cinderlib starts a driver in two ways, and the second's error hides the first's."""
    hidden = error.__context__
    if isinstance(error, AttributeError) and hidden is not None and "'setup'" in str(error):
        return _reason(hidden)
    program = _missing_program(error)
    if program:
        return f"the program {program} is not there, or what it runs with is not"
    said = " ".join(_STATEMENT.sub("", _COMMAND.sub(_failed, str(error))).split()) or type(error).__name__
    # A program that could not connect may have said so for minutes.
    said = said if len(said) <= _LONGEST else f"{said[: _LONGEST // 2]} … {said[-_LONGEST // 2 :]}"
    below = error.__cause__ or hidden
    if below is not None and str(below):
        why = _reason(below)
        said = said if why in said else f"{said} ({why})"
    return said if isinstance(error, OSError) or " " in said else f"{type(error).__name__}: {said}"


def _missing_program(error: BaseException | None) -> str:
    """The program that could not be started, by an error or what is behind it; empty where there is none."""
    while error is not None:
        if isinstance(error, FileNotFoundError) and error.filename and os.sep not in str(error.filename):
            return str(error.filename)
        error = error.__cause__ or error.__context__
    return ""


def _failed(match: re.Match[str]) -> str:
    """The program that failed, and the last that it said."""
    words = [word for word in match["command"].split() if "=" not in word]
    program = next((word for word in words if word not in ("sudo", "env")), "a program")
    said = (match["err"] if match["err"] not in ("None", "''") else match["out"]).strip("'\"")
    lines = [line.strip() for line in said.replace("\\n", "\n").split("\n") if line.strip()]
    return f"{program} failed (exit code {match['code']}): {lines[-1] if lines else 'it said nothing'}"
