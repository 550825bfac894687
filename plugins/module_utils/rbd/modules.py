# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module reads, plans and returns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, TypeVar

from ..core.execute import in_parallel
from ..core.faults import Faults, parse_each
from . import (
    export as exported,
    group as groups,
    image as images,
    import_ as imported,
    migration as migrations,
    mirror_image as mirror_images,
    mirror_pool as mirror_pools,
    namespace as namespaces,
    options,
    pool as pools,
    schedules,
    snapshot as snapshots,
    trash as trashes,
)
from .calls import Place
from .connection import Connection, Denied, place_of
from .options import Wanted
from .origins import unreadable
from .read import (
    check_settings,
    children,
    ids_in,
    read_fill,
    read_groups,
    read_image,
    read_migration,
    read_mirror_pool,
    read_mirroring,
    read_namespaces,
    read_pool,
    read_schedules,
    read_settings,
    read_trash,
    with_children,
    with_clones,
    with_encryption,
    with_header,
    with_holdings,
    with_use,
)
from .state import (
    Group,
    Groups,
    Image,
    MigrationState,
    MirrorMode,
    MirrorPool,
    MirrorState,
    Pool,
    Settings,
    Snapshot,
    Trash,
    Trashed,
)
from .task import Work
from .transfer import read_export, read_import

Read = TypeVar("Read")


def image(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = options.parse(params, place)
    return Work(
        read=lambda connection: _images(connection, place, (want,)),
        plan=lambda pool: images.plan(pool, want),
        facts=lambda pool: _facts(place, pool.images.get(want.name)),
        replan=lambda pool: images.plan(pool, want._replace(sparsify=None)),
    )


def many_images(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    faults = Faults()
    wanted = parse_each(faults, "images", params["images"], lambda item: options.parse(item, place))
    faults.check()
    return Work(
        read=lambda connection: _images(connection, place, wanted),
        plan=lambda pool: images.plan_all(pool, wanted),
        replan=lambda pool: images.plan_all(pool, [want._replace(sparsify=None) for want in wanted]),
        facts=lambda pool: _all_facts([pool.images.get(want.name) for want in wanted]),
    )


def _images(connection: Connection, place: Place, wanted: Sequence[Wanted]) -> Pool:
    for want in wanted:
        check_settings(connection, f"image {want.name}", place, want.config)
    names = [name for want in wanted for name in (want.name, want.renamed_from, want.partial_copy) if name]
    origins = [origin for want in wanted for origin in (want.parent, want.copy_of) if origin]
    pool = read_pool(connection, place, names, origins)
    encrypted = {want.parent for want in wanted if want.encryption}
    going = [want.name for want in wanted if want.state == "absent" and _whole(pool, want.name)]
    images = dict(pool.images)
    for name, clones in zip(going, in_parallel(lambda name: children(connection, place, name), going)):
        found = images[name]
        images[name] = found and found._replace(children=clones)
    for want in wanted:
        found = images[want.name]
        if found and want.encryption and want.state == "present" and _whole(pool, want.name):
            verify = want.encryption.verify or (want.flatten and found.layered)
            images[want.name] = with_encryption(connection, place, found, want.encryption, verify)
    parents = {
        parent: with_header(connection, parent, found) if found and parent in encrypted else found
        for parent, found in pool.parents.items()
    }
    return pool._replace(images=images, parents=parents)


def _whole(pool: Pool, name: str) -> bool:
    found = pool.images.get(name)
    return found is not None and not found.remains


def _facts(place: Place, found: Image | None) -> dict[str, Any]:
    provides = found and {"path": f"/dev/rbd/{place}/{found.name}", "size": found.size}
    return {"image": found and dump(found), "status": found and status(found), "provides": provides}


def _all_facts(found: Sequence[Image | None]) -> dict[str, Any]:
    there = [one for one in found if one]
    return {"images": [dump(one) for one in there], "status": {one.name: status(one) for one in there}}


def dump(found: Image) -> dict[str, Any]:
    """An image in the words that ``rbd_image`` takes."""
    parent = found.parent
    striped = "striping" in found.features
    return {
        "name": found.name,
        "size": found.size,
        "features": sorted(found.features & set(options.FEATURES)),
        "object_size": found.object_size,
        "stripe_unit": found.stripe_unit if striped else None,
        "stripe_count": found.stripe_count if striped else None,
        "data_pool": found.data_pool or None,
        "metadata": dict(found.metadata),
        "config": dict(found.config),
        "snapshot_limit": found.snapshot_limit,
        "parent": None
        if parent is None
        else {
            "pool": parent.place.pool,
            "namespace": parent.place.namespace,
            "image": parent.image,
            "snapshot": parent.snapshot,
        },
    }


def status(found: Image) -> dict[str, Any]:
    """What else there is to know of an image."""
    return {
        "id": found.id,
        "snapshots": [_dump_snapshot(snapshot) for snapshot in found.snapshots],
        "group": found.group or None,
        "watchers": list(found.watchers),
        "locked_by": [lock.address for lock in found.locks],
        "mirrored": found.mirroring is not None,
        "mirroring": None if found.mirroring is None else dump_mirroring(found),
        "encryption": found.encryption
        and {"format": found.encryption.format or None, "data_size": found.size - found.encryption.header},
        "object_map_valid": None if "object-map" not in found.features else not found.invalid,
    }


def _dump_snapshot(found: Snapshot) -> dict[str, Any]:
    return {
        "name": found.name,
        "size": found.size,
        "protected": found.protected,
        "clones": None if found.children is None else list(found.children),
    }


def snapshot(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = snapshots.parse(params)

    def read(connection: Connection) -> Pool:
        found = read_image(connection, place, want.image)
        for name in (want.name, want.renamed_from) if want.asks_for_clones else ():
            found = found and with_clones(connection, place, found, name)
        return Pool(place, {want.image: found})

    def facts(pool: Pool) -> dict[str, Any]:
        found = pool.images.get(want.image)
        return {"snapshots": [_dump_snapshot(one) for one in found.snapshots] if found else []}

    return Work(
        read=read,
        plan=lambda pool: snapshots.plan(pool, want),
        facts=facts,
        replan=lambda pool: snapshots.settled(pool, want),
    )


def group(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = groups.parse(params, place)
    names = tuple(name for name in (want.name, want.renamed_from) if name)

    def facts(state: Groups) -> dict[str, Any]:
        found = state.groups.get(want.name)
        return {
            "group": dump_group(want.name, found) if found else None,
            "incomplete": [one.name for one in found.snapshots if not one.complete] if found else [],
        }

    return Work(
        read=lambda connection: read_groups(connection, place, names, want.members or (), want.rolled_back_to),
        plan=lambda state: groups.plan(state, want),
        facts=facts,
        replan=lambda state: groups.settled(state, want),
    )


def dump_group(name: str, found: Group) -> dict[str, Any]:
    return {
        "name": name,
        "images": [str(member) for member in found.members],
        "snapshots": [{"name": one.name} for one in found.snapshots if one.complete],
    }


def namespace(params: Mapping[str, Any]) -> Work:
    want = namespaces.parse(params)
    return Work(
        read=lambda connection: read_namespaces(connection, params["pool"], want.name),
        plan=lambda state: namespaces.plan(state, want),
        facts=lambda state: {"namespaces": sorted(state.names)},
    )


def pool(params: Mapping[str, Any]) -> Work:
    want = pools.parse(params)

    def read(connection: Connection) -> Settings:
        place = Place(params["pool"])
        check_settings(connection, f"pool {place}", place, want.config)
        found = read_settings(connection, place.pool)
        if want.purges is None:
            return found
        return found._replace(purges=read_schedules(connection, place, schedules.TRASH))

    return Work(
        read=read,
        plan=lambda state: pools.plan(state, want),
        facts=lambda state: {"pool": dump_pool(state), "status": {"stats": dict(state.stats)}},
    )


def dump_pool(found: Settings) -> dict[str, Any]:
    return {
        "name": found.name,
        "applications": list(found.applications),
        "config": dict(found.config),
        "metadata": dict(found.metadata),
        "trash_purge_schedules": schedules.dump(found.purges),
    }


def migration(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = migrations.parse(params, place)

    def read(connection: Connection) -> MigrationState:
        found = read_migration(connection, place, want.name, want.source, imports=bool(want.spec))
        begins = not found.state and (found.pool.images[want.name] is None or found.blank)
        if not want.spec or want.state == "aborted" or not begins:
            return found
        return found._replace(unreadable=unreadable(connection, want.spec, params["connect_timeout"]))

    return Work(
        read=read,
        plan=lambda state: migrations.plan(state, want),
        facts=lambda state: {
            "migration": migrations.dump(state, want.name),
            "status": {"phase": state.state or None, "origin": state.origin_said or None},
        },
    )


def export(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = exported.parse(params)
    return Work(
        read=lambda connection: read_export(connection, place, want),
        plan=lambda state: exported.plan(state, want),
        facts=lambda state: {
            "export": {
                "image": want.image,
                "snapshot": want.snapshot,
                "from_snapshot": want.start or None,
                "path": want.path,
                "format": want.format,
            }
            if state.done
            else None
        },
    )


def import_(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = imported.parse(params, place)
    return Work(
        read=lambda connection: read_import(connection, place, want),
        plan=lambda state: imported.plan(state, want),
        facts=lambda state: _facts(place, state.pool.images.get(want.name)),
    )


def mirror_pool(params: Mapping[str, Any], check: bool) -> Work:
    """``check``: nothing is done, so no token is made either."""
    place = place_of(params)
    want = mirror_pools.parse(params)

    def read(connection: Connection) -> MirrorPool:
        found = read_mirror_pool(connection, place, want.create_token, want.create_token and not check)
        if want.schedules is None:
            return found
        # The manager knows no namespace that is not mirrored.
        known = not place.namespace or found.mode != MirrorMode.disabled.name
        return found._replace(schedules=read_schedules(connection, place, schedules.MIRROR) if known else ())

    def facts(state: MirrorPool) -> dict[str, Any]:
        return {
            "mirroring": dump_mirror_pool(state),
            "status": {"mirrored_images": state.images, "token": state.token or None},
        }

    return Work(
        read=read,
        plan=lambda state: mirror_pools.plan(state, want),
        facts=facts,
    )


def dump_mirror_pool(found: MirrorPool) -> dict[str, Any]:
    return {
        "mode": found.mode,
        "site_name": found.site_name,
        "peers": [
            {"site_name": one.site_name, "client": one.client, "direction": one.direction} for one in found.peers
        ],
        "schedules": schedules.dump(found.schedules),
        "remote_namespace": found.remote_namespace,
    }


def mirror_image(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = mirror_images.parse(params)
    clones = want.state == "disabled" or bool(want.mode)

    def facts(state: MirrorState) -> dict[str, Any]:
        return {
            "mirroring": state.image and dump_mirroring(state.image),
            "status": {"daemons": [dict(one) for one in state.told]},
        }

    return Work(
        read=lambda connection: read_mirroring(connection, place, want.image, clones),
        plan=lambda state: mirror_images.plan(state, want),
        facts=facts,
        replan=lambda state: mirror_images.settled(state, want),
        wait=want.timeout if want.wait else None,
        later=("in_progress",),
    )


def dump_mirroring(found: Image) -> dict[str, Any]:
    """How an image is mirrored, in the words of ``rbd_mirror_image``."""
    mirroring = found.mirroring
    if mirroring is None:
        return {"image": found.name, "state": "disabled"}
    role = "primary" if mirroring.primary else "secondary"
    return {"image": found.name, "state": "enabled", "mode": mirroring.mode, "role": role}


def trash(params: Mapping[str, Any]) -> Work:
    place = place_of(params)
    want = trashes.parse(params)

    def read(connection: Connection) -> Trash:
        entries = read_trash(connection, place)

        def look(entry: Trashed) -> Trashed:
            if want.state == "restored" or not trashes.concerns(want, entry):
                return entry
            entry = with_holdings(connection, place, entry)
            return entry if want.threshold is None else with_use(connection, place, entry)

        return Trash(
            place,
            tuple(in_parallel(look, entries)),
            frozenset(ids_in(connection, place)),
            int(time.time()),
            None if want.threshold is None else read_fill(connection),
        )

    return Work(
        read=read,
        plan=lambda state: trashes.plan(state, want),
        facts=lambda state: {"trash": [dump_trashed(entry) for entry in state.entries]},
        replan=lambda state: trashes.settled(state, want),
    )


def dump_trashed(entry: Trashed) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "source": entry.source,
        "moved": entry.moved,
        "until": entry.until,
    }


def info(connection: Connection, params: Mapping[str, Any]) -> dict[str, Any]:
    """All that a pool and namespace hold."""
    place = place_of(params)
    names = params["images"]
    pool_found = read_pool(connection, place, names)
    missing = [name for name, found in pool_found.images.items() if found is None]
    missing += [f"{name}: {found.left_by}" for name, found in pool_found.images.items() if found and found.remains]
    there = [found for found in pool_found.images.values() if found and not found.remains]

    def grow(one: Image) -> Image:
        return _permitted(lambda: with_children(connection, place, one)) or one if one.snapshots else one

    grown = in_parallel(grow, there)
    # Users of one namespace may know nothing of the pool around it.
    settings = _permitted(lambda: read_settings(connection, place.pool))
    mirrored = _permitted(lambda: read_mirror_pool(connection, place))
    spaces = _permitted(lambda: read_namespaces(connection, place.pool, ""))
    found_groups = {name: found for name, found in read_groups(connection, place, None).groups.items() if found}
    moving = [name for name, found in pool_found.images.items() if found and "migrating" in found.features]
    return {
        **_all_facts(grown),
        "migrations": [migrations.dump(read_migration(connection, place, name, None), name) for name in moving],
        "missing": missing,
        "trash": [dump_trashed(entry) for entry in pool_found.trash],
        "groups": [dump_group(name, found) for name, found in found_groups.items()],
        "incomplete": [
            f"{name}@{one.name}" for name, found in found_groups.items() for one in found.snapshots if not one.complete
        ],
        "namespaces": spaces and sorted(spaces.names),
        "pool": settings and dump_pool(settings),
        "mirroring": mirrored and dump_mirror_pool(mirrored),
        "stats": settings and dict(settings.stats),
        "clones": _clone_trees(place, grown),
        "librbd_version": ".".join(str(part) for part in connection.rbd.version()),
        "fsid": connection.fsid,
    }


def _permitted(read: Callable[[], Read]) -> Read | None:
    """What is read; None where this client may not."""
    try:
        return read()
    except Denied:
        return None


def _clone_trees(place: Place, found: Sequence[Image]) -> list[dict[str, Any]]:
    """The snapshots that have clones, with these, and with the clones of their snapshots, as deep as they go."""
    by_name = {f"{place}/{one.name}": one for one in found}

    def below(one: Image) -> list[dict[str, Any]]:
        return [
            {
                "snapshot": f"{one.name}@{snapshot.name}",
                "clones": [
                    {"image": clone, "clones": below(by_name[clone]) if clone in by_name else []}
                    for clone in snapshot.children
                ],
            }
            for snapshot in one.snapshots
            if snapshot.children
        ]

    inner = {clone for one in found for snapshot in one.snapshots for clone in snapshot.children or ()}
    return [tree for name, one in by_name.items() if name not in inner for tree in below(one)]
