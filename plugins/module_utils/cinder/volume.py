# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: words, and what one needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError, Unread
from ..core.plan import Plan, Step, both
from ..document.sizes import show_size
from .actions import Attach, Create, Delete, Describe, Detach, Extend, Manage, Record, Recover, Release, Rescan
from .backend import check_label, check_text, parse_gib, parse_id, parse_pairs, volume_id
from .state import GIB, VOLUME, WHOLE, Array, Connection, Pairs, Snapshot, Stranger, Use, Volume

ATTACHED, DETACHED = "attached", "detached"
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "id": {"type": "str"},
    "size": {"type": "str"},
    "pool": {"type": "str"},
    "description": {"type": "str"},
    "extra_specs": {"type": "dict"},
    "qos_specs": {"type": "dict"},
    "source_volume": {"type": "str"},
    "source_snapshot": {"type": "str"},
    "host": {"type": "str"},
    "manage": {"type": "bool", "default": False},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent", ATTACHED, DETACHED], "default": "present"},
}
REQUIRED = (("name", "id"),)
_DETACH = "detach it there first, or where that host is down for good, with host from here"
_CREATING, _DELETING = "creating", ("deleting", "error_deleting")


class Wanted(NamedTuple):
    """A wanted volume. ``size`` in bytes; None, and an empty text, leave what there is."""

    name: str
    id: str = ""
    size: int | None = None
    pool: str = ""
    description: str | None = None
    extra_specs: Pairs | None = None
    qos_specs: Pairs | None = None
    source_volume: str = ""
    source_snapshot: str = ""
    host: str = ""
    manage: bool = False
    allow_destroy: bool = False
    state: str = "present"

    def __str__(self) -> str:
        return f"volume {self.name or self.id}"


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what no volume can be."""
    name = params["name"]
    if params["manage"] and (params["source_volume"] or params["source_snapshot"]):
        raise StorageError(f"volume {name}: what is adopted has no source; leave out manage, or the source")
    if params["host"] and params["state"] != DETACHED:
        raise StorageError(f"volume {name}: host is whose connection ends, so it needs state detached")
    return Wanted(
        "" if name is None else check_label(name, "volume"),
        "" if params["id"] is None else parse_id(params["id"]),
        None if params["size"] is None else parse_gib(params["size"]),
        params["pool"] or "",
        check_text(params["description"], f"volume {name}: description"),
        parse_pairs(params["extra_specs"]),
        parse_pairs(params["qos_specs"]),
        params["source_volume"] or "",
        params["source_snapshot"] or "",
        params["host"] or "",
        params["manage"],
        params["allow_destroy"],
        params["state"],
    )


def find(array: Array, name: str, given: str = "") -> Volume | None:
    """A volume by its id, or else by its name. Raises StorageError where several have the name."""
    if given:
        return next((one for one in array.volumes if one.id == given), None)
    named = [one for one in array.volumes if one.name == name]
    if len(named) > 1:
        raise StorageError(
            f"volume {name}: {len(named)} volumes of backend {array.name} have this name "
            f"({' '.join(one.id for one in named)}); name one by its id"
        )
    return named[0] if named else None


def plan(array: Array, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    found = find(array, want.name, want.id)
    if want.state == "absent":
        return Plan((), array) if found is None else _absent(array, want, found)
    planned = _present(array, want, found)
    if want.state == "present":
        return planned
    made = find(planned.after, want.name, want.id)
    if made is None:
        raise AssertionError("a volume that is wanted is there after its plan")
    return both(planned, (_attached if want.state == ATTACHED else _detached)(planned.after, want, made))


def _step(verb: str, want: Wanted, detail: str, action: Any, destroys: tuple[str, ...] = ()) -> Step:
    return Step(verb, "volume", want.name or want.id, detail, (action,), destroys=destroys)


def _present(array: Array, want: Wanted, found: Volume | None) -> Plan:
    if found is None:
        return _adopted(array, want) if want.manage else _created(array, want)
    if found.status in _DELETING:
        raise Refused(
            f"{want}: its deletion began and did not end (status {found.status}), so its data may be incomplete. "
            "Nothing was done. Look at it on the backend"
        )
    if found.status == _CREATING:
        # Nothing of its name was there before, and nobody was told that it is there.
        clean = _step("remove", want, "its creation was cut off", Delete(found.id, cut_off=True))
        again = _created(array.without_volume(found), want._replace(id=found.id), checked=True)
        return Plan((clean, *again.steps), again.after)
    if found.status == "error" and not found.recoverable:
        return _failed(array, want, found)
    if found.status not in (*WHOLE, "error"):
        raise Refused(f"{want}: its status is {found.status}, and none of the database's users should leave that")
    if want.state != DETACHED:
        check_there(array, str(want), found)
    _check_kept(array, want, found)
    steps: tuple[Step, ...] = ()
    if found.recoverable:
        steps += (_step("recover", want, "an extension of it failed, and it is whole", Recover(found.id)),)
        found = found._replace(status="available", recoverable=False).with_connections(found.connections)
    warnings: tuple[str, ...] = ()
    known = found.size
    if want.size is not None and want.size > found.size:
        held = array.use(f"{VOLUME}{found.id}").size
        if held > want.size:
            raise StorageError(
                f"{want}: the backend has {show_size(held)} of it, the database {show_size(found.size)}, and volumes "
                f"do not become smaller ({show_size(want.size)})"
            )
        if held > found.size:
            detail = f"the backend has {show_size(held)} of it, and the database {show_size(found.size)}"
            steps += (_step("record", want, detail, Record(found.id, held // GIB)),)
            found = found._replace(size=held)
    if want.size is not None and want.size > found.size:
        detail = f"{show_size(found.size)} to {show_size(want.size)}"
        steps += (_step("extend", want, detail, Extend(found.id, want.size // GIB)),)
        found = found._replace(size=want.size)
    elif want.state == ATTACHED and found.here is not None and found.here.there and found.here.seen < found.size:
        detail = f"this host sees {show_size(found.here.seen)} of its {show_size(found.size)}"
        steps += (_step("rescan", want, detail, Rescan(found.id)),)
    others = [one.host for one in found.connections if not one.here]
    if others and found.size > known:
        warnings = (f"{want}: {' '.join(others)} may see its new size only once it is attached there again",)
    seen = (one._replace(seen=found.size) if one.there else one for one in found.connections)
    found = found._replace(connections=tuple(seen))
    if want.description is not None and want.description != found.description:
        steps += (_step("describe", want, repr(want.description), Describe(found.id, want.description)),)
        found = found._replace(description=want.description)
    return Plan(steps, array.with_volume(found), warnings=warnings)


def check_there(array: Array, what: str, found: Volume) -> None:
    """Raises Refused for a volume that only the database has."""
    if not found.there:
        raise Refused(
            f"{what}: the database has it, and backend {array.name} has no {VOLUME}{found.id}. Nothing was done. Was "
            "it deleted or renamed there? Is it another backend, or another host's, or an older database? If it is "
            "gone for good, state absent with allow_destroy takes it from the database"
        )


def _failed(array: Array, want: Wanted, found: Volume) -> Plan:
    """One that could not be made, by whoever tried it: what the backend has of it, nobody knows."""
    if not want.allow_destroy:
        raise Refused(
            f"{want}: it is in error, so what the backend has as {VOLUME}{found.id} may be nothing, a half, or a whole "
            "volume with data. Nothing was done. Look at it there first. Where nothing of it is needed, allow_destroy "
            "has it made anew"
        )
    _check_unused(want, found)
    clean = _step("delete", want, "it is in error", Delete(found.id), destroys=(_lost(want, found),))
    again = _created(array.without_volume(found), want._replace(id=found.id), checked=True)
    return Plan((clean, *again.steps), again.after)


def _lost(want: Wanted, found: Volume) -> str:
    return f"{want}: {show_size(found.size)}, whatever is on it"


def _created(array: Array, want: Wanted, checked: bool = False) -> Plan:
    if not want.name:
        raise StorageError(f"{want}: there is none with this id; a new one needs a name")
    new = want.id or volume_id(array.name, want.name)
    taken = find(array, "", new)
    if taken is not None:
        raise StorageError(
            f"{want}: its id {new} is that of volume {taken.name}, which was given another name; name it by its id"
        )
    renamed = [(backend, one) for backend, one in array.elsewhere if one.name == want.name]
    if renamed and not want.id:
        backend, other = renamed[0]
        raise Refused(
            f"{want}: backend {array.name} holds {VOLUME}{other.id}, which the database has under this name, as a "
            f"volume of backend {backend}. Nothing was made. If the backend was renamed, name it {backend} again; if a "
            "second volume is wanted, give it an id"
        )
    parent, snapshot = _source(array, want)
    if parent is not None:
        check_there(array, f"{want}: its source {parent.name}", parent)
    smallest = snapshot.size if snapshot else parent.size if parent else 0
    size = want.size or smallest
    if not size:
        raise StorageError(f"{want}: a new volume needs a size")
    if size < smallest:
        raise StorageError(f"{want}: size is {show_size(size)}, and its source has {show_size(smallest)}")
    pool = _pool(array, want, parent)
    if not checked:
        checked = _check_not_there(array, want, new)
    inherited = (parent.extra_specs, parent.qos_specs) if parent else ((), ())
    extra = inherited[0] if want.extra_specs is None else want.extra_specs
    qos = inherited[1] if want.qos_specs is None else want.qos_specs
    source = snapshot.id if snapshot else parent.id if parent else ""
    action = Create(
        new,
        want.name,
        size // GIB,
        want.pool,
        want.description or "",
        extra,
        qos,
        "" if snapshot else source,
        source if snapshot else "",
        checked,
    )
    detail = show_size(size)
    if parent:
        detail += f", from {f'snapshot {snapshot.name} of ' if snapshot else ''}volume {parent.name}"
    if want.pool:
        detail += f", in pool {want.pool}"
    made = Volume(new, want.name, size, "available", pool, want.description or "", extra, qos, source)
    after = array.with_volume(made).with_use(f"{VOLUME}{new}", Use(size))
    return Plan((_step("create", want, detail, action),), after)


def _check_not_there(array: Array, want: Wanted, new: str) -> bool:
    """Whether the driver says that nothing of its name is there. Raises Refused where something is."""
    there = next((one for one in _strangers(array) if one.named(f"{VOLUME}{new}")), None)
    if there is not None:
        raise Refused(
            f"{want}: backend {array.name} has {there} ({show_size(there.size)}), and the database does not. Is it the "
            "right database? If so, manage true takes it as it is, with its data"
        )
    return array.lists


def _strangers(array: Array) -> tuple[Stranger, ...]:
    if array.strangers is None:
        raise Unread("strangers")
    return array.strangers


def _source(array: Array, want: Wanted) -> tuple[Volume | None, Snapshot | None]:
    """The volume that a new one is made from, and the snapshot of it."""
    parent = None
    if want.source_volume:
        parent = next((one for one in array.volumes if one.id == want.source_volume), None)
        parent = parent or find(array, want.source_volume)
        if parent is None:
            raise StorageError(f"{want}: backend {array.name} has no volume {want.source_volume} to make it from")
    if not want.source_snapshot:
        return _whole(want, parent), None
    known = [
        (volume, snapshot)
        for volume in ([parent] if parent else array.volumes)
        for snapshot in volume.snapshots
        if want.source_snapshot in (snapshot.id, snapshot.name)
    ]
    if not known:
        where = f"volume {parent.name}" if parent else f"backend {array.name}"
        raise StorageError(f"{want}: {where} has no snapshot {want.source_snapshot} to make it from")
    if len(known) > 1:
        raise StorageError(
            f"{want}: {len(known)} snapshots are called {want.source_snapshot} "
            f"({' '.join(snapshot.id for _volume, snapshot in known)}); name one by its id, or give source_volume"
        )
    volume, snapshot = known[0]
    if snapshot.status != "available":
        raise StorageError(f"{want}: snapshot {snapshot.name} is in status {snapshot.status}")
    return volume, snapshot


def _whole(want: Wanted, parent: Volume | None) -> Volume | None:
    if parent is not None and parent.status not in WHOLE:
        raise StorageError(f"{want}: its source {parent.name} is in status {parent.status}")
    return parent


def _pool(array: Array, want: Wanted, parent: Volume | None) -> str:
    """The pool of a new volume. Raises StorageError where there is no such pool."""
    if want.pool and want.pool not in array.pools:
        raise StorageError(
            f"{want}: backend {array.name} has no pool {want.pool}; it has {' '.join(array.pools) or 'none'}"
        )
    if parent is not None:
        if want.pool not in ("", parent.pool):
            raise StorageError(f"{want}: its source is in pool {parent.pool}, and so is what is made from it")
        return parent.pool
    return want.pool or (array.pools[0] if array.pools else "")


def _adopted(array: Array, want: Wanted) -> Plan:
    if not want.name:
        raise StorageError(f"{want}: there is none with this id; to adopt one, give its name on the backend")
    new = want.id or volume_id(array.name, want.name)
    found = [one for one in _strangers(array) if one.named(want.name, f"{VOLUME}{new}")]
    there = to_adopt(array, str(want), found, array.lists)
    if want.size is not None and want.size < there.size:
        raise StorageError(f"{want}: it has {show_size(there.size)}, and volumes do not become smaller")
    pool = _pool(array, want, None)
    action = Manage(new, want.name, there.reference, want.pool, want.description or "")
    step = _step("adopt", want, f"{show_size(there.size)}, known as {there} on the backend", action)
    made = Volume(new, want.name, there.size, "available", pool, want.description or "")
    after = array.with_volume(made).with_use(f"{VOLUME}{new}", array.use(str(there)))
    left = tuple(one for one in _strangers(array) if one != there)
    return both(Plan((step,), after), _present(after._replace(strangers=left), want, made))


def to_adopt(array: Array, what: str, found: list[Stranger], lists: bool) -> Stranger:
    """The only one that may be meant. Raises StorageError, or Refused, where there is none that can be adopted."""
    if not lists:
        raise StorageError(f"{what}: the driver of backend {array.name} cannot list what could be adopted")
    if not found:
        raise StorageError(f"{what}: backend {array.name} has nothing of this name that the database does not have")
    if len(found) > 1:
        raise StorageError(
            f"{what}: {' and '.join(map(str, found))} of backend {array.name} may be meant; rename one of them"
        )
    if found[0].obstacle:
        raise Refused(f"{what}: it cannot be adopted: {found[0].obstacle}")
    return found[0]


def _check_kept(array: Array, want: Wanted, found: Volume) -> None:
    """Raises StorageError where another volume is wanted than this can become."""
    if want.name and found.name != want.name:
        raise StorageError(f"{want}: the volume with id {found.id} is called {found.name}, and names are kept")
    if want.size is not None and want.size < found.size:
        raise StorageError(
            f"{want}: it has {show_size(found.size)}, and volumes do not become smaller ({show_size(want.size)})"
        )
    if want.pool not in ("", found.pool):
        raise StorageError(f"{want}: it is in pool {found.pool}, {want.pool} is wanted, and volumes are not moved")
    for what, wanted, known in (
        ("extra_specs", want.extra_specs, found.extra_specs),
        ("qos_specs", want.qos_specs, found.qos_specs),
    ):
        if wanted is not None and wanted != known:
            raise StorageError(f"{want}: its {what} are {dict(known)}, and stay those that it was made with")
    if (want.source_volume or want.source_snapshot) and found.source:
        try:
            parent, snapshot = _source(array, want)
        except StorageError:
            return  # a source may go, once something was made from it
        source = snapshot or parent
        if source is not None and source.id != found.source:
            raise StorageError(f"{want}: it was made from {found.source}, and not from {source.name}")


def _check_unused(want: Wanted, found: Volume) -> None:
    """Raises Refused for what cannot be deleted."""
    if found.snapshots:
        names = " ".join(one.name or one.id for one in found.snapshots)
        raise Refused(f"{want}: refused to delete: it has snapshots ({names}); delete them first (cinder_snapshot)")
    if found.connections:
        raise Refused(f"{want}: refused to delete: it is attached to {_hosts(found.connections)}; {_DETACH}")


def _users(array: Array, found: Volume) -> tuple[str, ...]:
    """Who uses a volume, as its backend says."""
    return array.use(f"{VOLUME}{found.id}").users if found.there else ()


def _check_users(array: Array, want: Wanted, found: Volume, verb: str) -> None:
    """Raises Refused where a volume is in use, and the database knows of no connection."""
    users = _users(array, found)
    if users and not found.connections:
        raise Refused(
            f"{want}: refused to {verb}: {' '.join(users)} use it on the backend, and the database has no connection "
            "to it. Nothing was done. End that use there first; or is it the wrong database?"
        )


def _hosts(connections: tuple[Connection, ...]) -> str:
    return " ".join(one.host or one.id for one in connections)


def _absent(array: Array, want: Wanted, found: Volume) -> Plan:
    _check_unused(want, found)
    destroys: tuple[str, ...] = ()
    detail = show_size(found.size)
    if found.status == _CREATING:
        detail = "its creation was cut off"
    else:
        if not want.allow_destroy:
            raise Refused(f"{want}: refused to delete: what is on it ({detail}) would be lost; set allow_destroy")
        destroys = (_lost(want, found),) if found.there else (f"{want}: what the database knows of it",)
        detail = detail if found.there else "the backend does not have it"
        _check_users(array, want, found, "delete")
    action = Delete(found.id, cut_off=found.status == _CREATING)
    return Plan((_step("delete", want, detail, action, destroys),), array.without_volume(found))


def _attached(array: Array, want: Wanted, found: Volume) -> Plan:
    others = tuple(one for one in found.connections if not one.here)
    if others:
        raise Refused(f"{want}: refused to attach: it is attached to {_hosts(others)}; {_DETACH}")
    here = found.here
    if here is not None and here.there:
        return Plan((), array)
    if here is None:
        _check_users(array, want, found, "attach")
    detail = f"to {array.host}" if here is None else f"to {array.host} again, where its device is gone"
    made = Connection(here.id if here else "", found.id, array.host, here=True, there=True, seen=found.size)
    after = array.with_volume(found.with_connections((made,)))
    return Plan((_step("attach", want, detail, Attach(found.id)),), after)


def _detached(array: Array, want: Wanted, found: Volume) -> Plan:
    if want.host not in ("", array.host):
        return _released(array, want, found)
    here = found.here
    if here is None:
        if found.connections or not found.offered:
            return Plan((), array)
        _check_users(array, want, found, "detach")
        after = array.with_volume(found._replace(offered=False))
        return Plan((_step("detach", want, "an attachment to this host was cut off", Detach(found.id)),), after)
    if here.busy:
        raise Refused(
            f"{want}: refused to detach: {here.device} is mounted, or held by something (lsblk shows it); put it out "
            "of use first"
        )
    left = tuple(one for one in found.connections if one != here)
    after = array.with_volume(found.with_connections(left))
    return Plan((_step("detach", want, f"from {array.host}", Detach(found.id)),), after)


def _released(array: Array, want: Wanted, found: Volume) -> Plan:
    """End the connection of a host that cannot do so itself."""
    theirs = next((one for one in found.connections if one.host == want.host), None)
    if theirs is None:
        return Plan((), array)
    users = _users(array, found)
    if users:
        raise Refused(
            f"{want}: refused to detach from {want.host}: {' '.join(users)} use it on the backend, so that host may "
            "still write to it. Detach it there, or see to it that the host is down"
        )
    if not want.allow_destroy:
        raise Refused(
            f"{want}: refused to detach from {want.host}, which is not asked: what it has not written yet is lost, and "
            "where it is still alive, two hosts may write to the volume. See to it that it is down, and set "
            "allow_destroy"
        )
    left = tuple(one for one in found.connections if one != theirs)
    after = array.with_volume(found.with_connections(left))
    destroys = (f"{want}: what {want.host} has not written to it yet",)
    detail = f"from {want.host}, which is not asked"
    return Plan((_step("detach", want, detail, Release(found.id, theirs.id), destroys),), after)


def facts(array: Array, want: Wanted) -> dict[str, Any]:
    """What the module returns of a volume. ``device`` is its path here, or in check mode one that stands for it."""
    found = find(array, want.name, want.id)
    here = found.here if found else None
    device = None
    if found is not None and here is not None:
        device = here.device or f"/dev/disk/by-id/cinder-{found.id}"
    return {
        "volume": None if found is None else dump(found),
        "device": device,
        "provides": [{"path": device, "size": str(found.size)}] if found and device else [],
    }


def diff(array: Array, want: Wanted) -> dict[str, Any]:
    """The same, without what is only known once it is attached."""
    found = find(array, want.name, want.id)
    if found is None:
        return {"volume": None}
    plain = tuple(Connection("", found.id, one.host) for one in found.connections)
    return {"volume": dump(found._replace(connections=plain))}


def dump(volume: Volume) -> dict[str, Any]:
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size,
        "status": volume.status,
        "pool": volume.pool or None,
        "description": volume.description,
        "extra_specs": dict(volume.extra_specs),
        "qos_specs": dict(volume.qos_specs),
        "source": volume.source or None,
        "snapshots": [dump_snapshot(one) for one in volume.snapshots],
        "connections": [
            {"id": one.id, "host": one.host, "protocol": one.protocol or None, "device": one.device or None}
            for one in volume.connections
        ],
    }


def dump_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "size": snapshot.size,
        "status": snapshot.status,
        "description": snapshot.description,
    }
