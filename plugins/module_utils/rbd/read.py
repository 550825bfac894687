# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a pool. Changes nothing; images are opened for reading only, which does not take their lock."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.execute import in_parallel
from .calls import Place, names
from .connection import Connection, Gone, rbd, told
from .state import (
    Group,
    Groups,
    Image,
    Member,
    Namespaces,
    Parent,
    Pool,
    Settings,
    Snapshot,
    Trashed,
)
from .words import APPLICATION, SETTING

_NO_LIMIT = (1 << 64) - 1


def read_pool(
    connection: Connection, place: Place, wanted: Sequence[str] | None, parents: Iterable[Parent] = ()
) -> Pool:
    """Those images (None: all) with the trash, and the snapshots that are to be cloned."""
    found: dict[str, Image | None] = dict.fromkeys(wanted or ())
    there = ids_in(connection, place)
    looked = [name for name in there if wanted is None or name in found]
    found.update(zip(looked, in_parallel(lambda name: read_image(connection, place, name), looked)))
    unread = [name for name in looked if found[name] is None]
    if unread:
        still = ids_in(connection, place)
        found.update((name, _remains(connection, place, name, still[name])) for name in unread if name in still)
    with told("reading the settings of librbd"):
        settings = _setting_names(connection, connection.pool(place))
    return Pool(
        place,
        found,
        read_trash(connection, place),
        {parent: read_parent(connection, parent) for parent in dict.fromkeys(parents)},
        settings,
        connection.default_features(),
        1 << int(connection.setting("rbd_default_order")),
        connection.pools(),
    )


def ids_in(connection: Connection, place: Place) -> dict[str, str]:
    """The ids of the images that there are, by their names."""
    with told(f"listing the images of {place}"):
        return {one["name"]: one["id"] for one in connection.rbd.list2(connection.pool(place))}


def read_trash(connection: Connection, place: Place) -> tuple[Trashed, ...]:
    with told(f"reading the trash of {place}"):
        return tuple(
            Trashed(
                one["id"],
                one["name"],
                one["source"],
                calendar.timegm(one["deletion_time"].timetuple()),
                calendar.timegm(one["deferment_end_time"].timetuple()),
            )
            for one in connection.rbd.trash_list(connection.pool(place))
        )


def with_holdings(connection: Connection, place: Place, entry: Trashed) -> Trashed:
    what = f"reading image {entry.name} in the trash"
    with told(what), connection.image(place, None, image_id=entry.id) as opened:
        snapshots = tuple(f"snapshot {one['name']}" for one in opened.list_snaps())
        clones = tuple(f"clone {clone}" for clone in _clones(opened))
    return entry._replace(holds=snapshots + clones)


def read_parent(connection: Connection, parent: Parent) -> Snapshot | None:
    try:
        image = read_image(connection, parent.place, parent.image)
    except Gone:
        return None
    return image and image.snapshot(parent.snapshot)


def read_image(connection: Connection, place: Place, name: str) -> Image | None:
    """None where it went away meanwhile."""
    try:
        with told(f"reading image {name}"), connection.image(place, name) as opened:
            return _read(connection, name, opened)
    except Gone:
        return None


def _read(connection: Connection, name: str, image: Any) -> Image:
    stat = image.stat()
    features = names(image.features())
    metadata = dict(image.metadata_list())
    striped = "striping" in features
    group = image.group()
    lockers = image.list_lockers() or {}
    snapshots = list(image.list_snaps())
    users = [one for one in snapshots if one["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_USER]
    limit = image.get_snap_limit()
    return Image(
        name=name,
        id=image.id(),
        size=stat["size"],
        object_size=stat["obj_size"],
        features=features,
        stripe_unit=image.stripe_unit() if striped else stat["obj_size"],
        stripe_count=image.stripe_count() if striped else 1,
        data_pool=connection.pool_name(image.data_pool_id()) if "data-pool" in features else "",
        metadata={key: value for key, value in metadata.items() if not key.startswith(SETTING)},
        # librbd keeps settings as metadata; asking for them one by one costs more than all the rest.
        config={key[len(SETTING) :]: value for key, value in metadata.items() if key.startswith(SETTING)},
        parent=_parent(image),
        snapshots=tuple(Snapshot(one["name"], one["size"], image.is_protected_snap(one["name"])) for one in users),
        hidden=len(snapshots) - len(users),
        group=str(group.get("name") or ""),
        watchers=tuple(one["addr"] for one in image.watchers_list()),
        locked=tuple(address for _client, _cookie, address in lockers.get("lockers", ())),
        mirrored=image.mirror_image_get_info()["state"] != rbd.RBD_MIRROR_IMAGE_DISABLED,
        snapshot_limit=0 if limit == _NO_LIMIT else limit,
        invalid=bool(image.flags() & rbd.RBD_FLAG_OBJECT_MAP_INVALID),
    )


def _remains(connection: Connection, place: Place, name: str, image_id: str) -> Image:
    """What is listed, and can only be opened by its id, or not at all: librbd takes the list's entry away last."""
    left = Image(name, image_id, 0, 0, frozenset(), remains=True)
    try:
        what = f"reading what is left of image {name}"
        with told(what), connection.image(place, None, image_id=image_id) as opened:
            return left._replace(watchers=tuple(one["addr"] for one in opened.watchers_list()))
    except Gone:
        return left


def _parent(image: Any) -> Parent | None:
    try:
        found = image.get_parent_image_spec()
    except rbd.ImageNotFound:
        return None
    place = Place(found["pool_name"], found["pool_namespace"])
    return Parent(place, found["image_name"], found["snap_name"], bool(found.get("trash")))


def children(connection: Connection, place: Place, image: str, snapshot: str | None = None) -> tuple[str, ...]:
    """The clones of an image's snapshots, or of one, as ``POOL/NAMESPACE/IMAGE``."""
    what = f"{image}@{snapshot}" if snapshot else image
    with told(f"looking for clones of {what}"), connection.image(place, image, snapshot=snapshot) as opened:
        return _clones(opened)


def _clones(opened: Any) -> tuple[str, ...]:
    return tuple(
        f"{Place(one['pool'], one['pool_namespace'])}/{one['image'] or one['id']}"
        + (" (in the trash)" if one["trash"] else "")
        for one in opened.list_children2()
    )


def with_children(connection: Connection, place: Place, image: Image) -> Image:
    """The image, with the clones of each of its snapshots."""
    return image._replace(
        children=children(connection, place, image.name),
        snapshots=tuple(
            snapshot._replace(children=children(connection, place, image.name, snapshot.name))
            for snapshot in image.snapshots
        ),
    )


def read_groups(
    connection: Connection, place: Place, wanted: Sequence[str] | None, members: Sequence[Member]
) -> Groups:
    """Those groups (None: all) with their images, and the images that are to join."""
    opened = connection.pool(place)
    found: dict[str, Group | None] = dict.fromkeys(wanted or ())
    with told(f"reading the groups of {place}"):
        for name in connection.rbd.group_list(opened):
            if wanted is None or name in found:
                found[name] = _group(connection, opened, name)
    needed = dict.fromkeys((*members, *(member for group in found.values() if group for member in group.members)))
    images = {
        member: read_image(connection, Place(member.pool, place.namespace), member.image)
        for member in (needed if wanted is not None else ())
    }
    return Groups(place, found, images)


def _group(connection: Connection, opened: Any, name: str) -> Group:
    group = rbd.Group(opened, name)
    return Group(
        tuple(Member(connection.pool_name(one["pool"]), one["name"]) for one in group.list_images()),
        tuple(one["name"] for one in group.list_snaps()),
    )


def read_namespaces(connection: Connection, pool: str, wanted: str) -> Namespaces:
    """The namespaces of a pool, and what is in that one."""
    with told(f"reading the namespaces of pool {pool}"):
        there = frozenset(connection.rbd.namespace_list(connection.pool(Place(pool))))
    contents: tuple[str, ...] = ()
    if wanted in there:
        place = Place(pool, wanted)
        with told(f"reading the groups of {place}"):
            groups = list(connection.rbd.group_list(connection.pool(place)))
        contents = (
            *(f"image {name}" for name in ids_in(connection, place)),
            *(f"image {entry.name} in the trash" for entry in read_trash(connection, place)),
            *(f"group {name}" for name in groups),
        )
    return Namespaces(pool, there, contents)


def read_settings(connection: Connection, pool: str) -> Settings:
    opened = connection.pool(Place(pool))
    with told(f"reading the settings of pool {pool}"):
        applications = tuple(opened.application_list())
        if APPLICATION not in applications:
            return Settings(pool, applications, settings=_setting_names(connection, opened))
        metadata = dict(connection.rbd.pool_metadata_list(opened))
        return Settings(
            pool,
            applications,
            {key[len(SETTING) :]: value for key, value in metadata.items() if key.startswith(SETTING)},
            {key: value for key, value in metadata.items() if not key.startswith(SETTING)},
            _setting_names(connection, opened),
            connection.rbd.pool_stats_get(opened),
        )


def _setting_names(connection: Connection, opened: Any) -> frozenset[str]:
    return frozenset(one["name"] for one in connection.rbd.config_list(opened))
