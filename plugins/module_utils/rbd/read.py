# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a pool. Changes nothing; images are opened for reading only, which does not take their lock."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ..core.errors import StorageError
from ..core.execute import in_parallel
from ..core.secret import mask
from ..core.text import meant
from . import schedules
from .calls import Place, names
from .connection import Connection, Denied, Gone, rbd, told
from .luks import header_of, is_layered, load
from .omap import (
    Header,
    committed,
    group_snapshot_images,
    has_header,
    id_of,
    migration_of,
    origin_of,
    trash_ids,
)
from .options import APPLICATION, SETTING, Encryption
from .state import (
    MIGRATION,
    Direction,
    Fill,
    Group,
    Groups,
    GroupSnapshot,
    Image,
    Left,
    Lock,
    Luks,
    Member,
    MigrationState,
    Mirroring,
    MirrorMode,
    MirrorPool,
    MirrorState,
    Namespaces,
    Parent,
    Peer,
    Pool,
    Schedule,
    Settings,
    Snapshot,
    Trashed,
    in_use_by,
)

_NO_LIMIT = (1 << 64) - 1
#: Whom tokens let peers be.
_PEER_USER = "client.rbd-mirror-peer"
#: What a daemon tells of an image that is primary in its cluster.
_PRIMARY = "local image is primary"
#: What the daemons' states are called, as the ``rbd`` command does.
_STATES = {
    0: "unknown",
    1: "error",
    2: "syncing",
    3: "starting_replay",
    4: "replaying",
    5: "stopping_replay",
    6: "stopped",
}
#: The tag of the locks that librbd and the kernel take by themselves.
_AUTOMATIC = "internal"


def read_pool(
    connection: Connection, place: Place, wanted: Sequence[str] | None, parents: Iterable[Parent] = ()
) -> Pool:
    """Those images (None: all) with the trash, and the snapshots that are to be cloned."""
    found: dict[str, Image | None] = dict.fromkeys(wanted or ())
    there = ids_in(connection, place)
    looked = [name for name in there if wanted is None or name in found]
    found.update(zip(looked, in_parallel(lambda name: read_image(connection, place, name, there[name]), looked)))
    unread = [name for name in looked if found[name] is None]
    if unread:
        still = ids_in(connection, place)
        found.update((name, _remains(connection, place, name, still[name])) for name in unread if name in still)
    missing = any(one is None for one in found.values())
    return Pool(
        place,
        found,
        read_trash(connection, place),
        {parent: _parent_image(connection, parent) for parent in dict.fromkeys(parents)},
        connection.default_features(),
        1 << int(connection.setting("rbd_default_order")),
        connection.setting("rbd_default_data_pool"),
        connection.pools(),
        connection.erasure_coded() if missing else {},
        hasattr(rbd.Image, "encryption_load2"),
    )


def ids_in(connection: Connection, place: Place) -> dict[str, str]:
    """The ids of the images that there are, by their names."""
    with told(f"listing the images of {place}"):
        return {one["name"]: one["id"] for one in connection.rbd.list2(connection.pool(place))}


def read_trash(connection: Connection, place: Place) -> tuple[Trashed, ...]:
    opened = connection.pool(place)
    with told(f"reading the trash of {place}"):
        ids = trash_ids(opened)
    return tuple(one for one in in_parallel(lambda number: _trashed(connection, opened, number), ids) if one)


def _trashed(connection: Connection, opened: Any, number: str) -> Trashed | None:
    """None where it went away meanwhile."""
    try:
        with told(f"reading image {number} in the trash"):
            one = connection.rbd.trash_get(opened, number)
    except Gone:
        return None
    return Trashed(
        number,
        one["name"],
        one["source"],
        calendar.timegm(one["deletion_time"].timetuple()),
        calendar.timegm(one["deferment_end_time"].timetuple()),
    )


def with_holdings(connection: Connection, place: Place, entry: Trashed) -> Trashed:
    """What keeps it from being removed. One whose removal was cut off cannot be opened, and has nothing left."""
    what = f"reading image {entry.name} in the trash"
    try:
        with told(what), connection.image(place, None, image_id=entry.id) as opened:
            users = in_use_by(_watchers(opened), _locks(opened))
            group = opened.group().get("name")
            kinds = ((one["name"], one["namespace"]) for one in opened.list_snaps())
            return entry._replace(
                holds=(
                    *(
                        f"snapshot {name}"
                        if kind == rbd.RBD_SNAP_NAMESPACE_TYPE_USER
                        else f"snapshot {name} of a group"
                        for name, kind in kinds
                        # librbd takes away what it keeps for clones together with the last of them.
                        if kind != rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH
                    ),
                    *([f"group {group}"] if group else []),
                    *([f"open on {users}"] if users else []),
                ),
                clones=tuple(
                    (_clone_name(one), one["id"] if one["trash"] and _place_of(one) == place else "")
                    for one in opened.list_children2()
                ),
            )
    except Gone:
        return entry._replace(holds=())


def with_use(connection: Connection, place: Place, entry: Trashed) -> Trashed:
    """How much it stores, and in which pool."""
    stored = 0

    def count(_offset: int, length: int, exists: bool) -> None:
        nonlocal stored
        stored += length if exists else 0

    try:
        what = f"measuring image {entry.name} in the trash"
        with told(what), connection.image(place, None, image_id=entry.id) as opened:
            opened.diff_iterate(0, opened.size(), None, count, include_parent=False, whole_object=True)
            return entry._replace(stored=stored, data_pool=connection.pool_name(opened.data_pool_id()))
    except Gone:
        return entry._replace(data_pool=place.pool)


def read_fill(connection: Connection) -> dict[str, Fill]:
    """How full the pools are, as far as the cluster knows."""
    figures = connection.ask("df")["pools"]
    return {one["name"]: Fill(one["stats"]["stored"], one["stats"]["max_avail"]) for one in figures}


def read_room(connection: Connection, pool: str) -> int | None:
    """How many bytes a pool still takes, its quota included; None: nobody counts that, or this client may not ask."""
    try:
        figures = connection.ask("df", detail="detail")
    except Denied:
        return None
    found = [one["stats"] for one in figures["pools"] if one["name"] == pool]
    # It is the manager that counts.
    if not found or not figures["stats"]["total_bytes"]:
        return None
    room, quota = int(found[0]["max_avail"]), int(found[0]["quota_bytes"])
    return min(room, max(quota - int(found[0]["stored"]), 0)) if quota else room


def _parent_image(connection: Connection, parent: Parent) -> Image | None:
    try:
        return read_image(connection, parent.place, parent.image)
    except Gone:
        return None


def read_image(connection: Connection, place: Place, name: str, image_id: str = "") -> Image | None:
    """None where it went away meanwhile, or cannot be opened. Without an id, that is looked for."""
    imported = False
    try:
        with told(f"reading image {name}"):
            pool = connection.pool(place)
            header = migration_of(pool, image_id or id_of(pool, name))
            if _hangs(header):
                return None
            imported = header is not None and bool(header.spec)
            with connection.image(place, name) as opened:
                return _read(connection, name, opened)
    except Gone:
        return None
    except StorageError:
        # Where what it is imported from does not answer.
        if imported:
            return None
        raise


def _hangs(header: Header | None) -> bool:
    """Whether librbd waits, to open an image, for a migration to be prepared: for ever, where that was cut off."""
    return header is not None and not header.source and header.state == "preparing"


def _read(connection: Connection, name: str, image: Any) -> Image:
    stat = image.stat()
    features = names(image.features())
    metadata = dict(image.metadata_list())
    striped = "striping" in features
    group = image.group()
    mirroring = image.mirror_image_get_info()
    snapshots = list(image.list_snaps())
    users = [one for one in snapshots if one["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_USER]
    limit = image.get_snap_limit()
    parent = _parent(image)
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
        parent=parent,
        snapshots=tuple(Snapshot(one["name"], one["size"], image.is_protected_snap(one["name"])) for one in users),
        hidden=len(snapshots) - len(users),
        group=str(group.get("name") or ""),
        watchers=_watchers(image),
        locks=_locks(image),
        mirroring=_mirroring(image, mirroring) if mirroring["state"] != rbd.RBD_MIRROR_IMAGE_DISABLED else None,
        snapshot_limit=0 if limit == _NO_LIMIT else limit,
        invalid=bool(image.flags() & rbd.RBD_FLAG_OBJECT_MAP_INVALID),
        layered=parent is not None and is_layered(_reader(image, stat["size"])(0, 6)),
    )


def watchers(connection: Connection, place: Place, name: str) -> tuple[str, ...]:
    """The addresses of those that have an image open."""
    with told(f"reading image {name}"), connection.image(place, name) as opened:
        return _watchers(opened)


def _watchers(image: Any) -> tuple[str, ...]:
    return tuple(one["addr"] for one in image.watchers_list())


def _locks(image: Any) -> tuple[Lock, ...]:
    found = image.list_lockers() or {"tag": "", "lockers": ()}
    automatic = found["tag"] == _AUTOMATIC
    return tuple(Lock(holder, cookie, address, automatic) for holder, cookie, address in found["lockers"])


def _mirroring(image: Any, info: dict[str, Any]) -> Mirroring:
    snapshots = image.mirror_image_get_mode() == rbd.RBD_MIRROR_IMAGE_MODE_SNAPSHOT
    return Mirroring("snapshot" if snapshots else "journal", info["primary"])


def _remains(connection: Connection, place: Place, name: str, image_id: str) -> Image:
    """What is listed, and can only be opened by its id, or not at all: librbd takes the list's entry away last.

    What is imported, and cannot be read here, cannot be opened either.
    """
    with told(f"reading what is left of image {name}"):
        pool = connection.pool(place)
        header = migration_of(pool, image_id)
        left = Image(name, image_id, 0, 0, frozenset({"migrating"} if header else ()), remains=True)
        if _hangs(header):
            return left
    try:
        what = f"reading what is left of image {name}"
        with told(what), connection.image(place, None, image_id=image_id) as opened:
            return left._replace(watchers=_watchers(opened))
    except Gone:
        return left
    except StorageError:
        if header is not None and header.spec:
            return left
        raise


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


def _place_of(child: dict[str, Any]) -> Place:
    return Place(child["pool"], child["pool_namespace"])


def _clone_name(child: dict[str, Any]) -> str:
    name = f"{_place_of(child)}/{child['image'] or child['id']}"
    return f"{name} (in the trash)" if child["trash"] else name


def _clones(opened: Any) -> tuple[str, ...]:
    return tuple(_clone_name(one) for one in opened.list_children2())


def with_children(connection: Connection, place: Place, image: Image) -> Image:
    """The image, with the clones of each of its snapshots. Looks into all pools that have any."""
    for snapshot in image.snapshots:
        image = with_clones(connection, place, image, snapshot.name)
    return image._replace(children=children(connection, place, image.name))


def with_clones(connection: Connection, place: Place, image: Image, name: str) -> Image:
    """The image, with the clones of a snapshot, if it has that."""
    return image._replace(
        snapshots=tuple(
            one._replace(children=children(connection, place, image.name, name)) if one.name == name else one
            for one in image.snapshots
        )
    )


def read_groups(
    connection: Connection,
    place: Place,
    wanted: Sequence[str] | None,
    members: Sequence[Member] = (),
    snapshot: str = "",
) -> Groups:
    """Those groups (None: all) with their images, the images that are to join, and what that snapshot holds."""
    opened = connection.pool(place)
    found: dict[str, Group | None] = dict.fromkeys(wanted or ())
    with told(f"reading the groups of {place}"):
        for name in connection.rbd.group_list(opened):
            if wanted is None or name in found:
                found[name] = _group(connection, place, name, snapshot)
    needed = dict.fromkeys((*members, *(member for group in found.values() if group for member in group.members)))
    images = {
        member: read_image(connection, Place(member.pool, place.namespace), member.image)
        for member in (needed if wanted is not None else ())
    }
    return Groups(place, found, images)


def _group(connection: Connection, place: Place, name: str, snapshot: str) -> Group:
    group = rbd.Group(connection.pool(place), name)
    return Group(
        tuple(Member(connection.pool_name(one["pool"]), one["name"]) for one in group.list_images()),
        tuple(
            GroupSnapshot(
                one["name"],
                one["state"] == rbd.RBD_GROUP_SNAP_STATE_COMPLETE,
                _held(connection, place, name, snapshot) if one["name"] == snapshot else None,
            )
            for one in group.list_snaps()
        ),
    )


def _held(connection: Connection, place: Place, group: str, snapshot: str) -> tuple[Member, ...]:
    """The images of a group's snapshot. One that is no longer there is told by its id."""
    found = group_snapshot_images(connection.pool(place), group, snapshot)
    pools = {number: connection.pool_name(number) for number in {one.pool for one in found}}
    images = {number: ids_in(connection, Place(name, place.namespace)) for number, name in pools.items()}
    names = {(number, image_id): name for number, ids in images.items() for name, image_id in ids.items()}
    return tuple(Member(pools[one.pool], names.get(one, f"(removed, with id {one.id})")) for one in found)


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


def read_mirror_pool(connection: Connection, place: Place, tokens: bool = False, create: bool = False) -> MirrorPool:
    """How a pool is mirrored; with ``tokens``, whether it can give one, and with ``create``, that one."""
    opened, binding = connection.pool(place), connection.rbd
    with told(f"reading the mirroring of pool {place}"):
        mode = MirrorMode(binding.mirror_mode_get(opened)).name
        on = mode != MirrorMode.disabled.name
        # A namespace has no peers of its own.
        peers = list(binding.mirror_peer_list(opened)) if on and not place.namespace else []
        has_user = tokens and _peer_user(connection)
        token = binding.mirror_peer_bootstrap_create(opened) if create and has_user and on else ""
        mask([token])
        return MirrorPool(
            place,
            connection.fsid,
            mode,
            binding.mirror_site_name_get(connection.cluster),
            tuple(
                Peer(
                    one["uuid"],
                    one["site_name"],
                    one["client_name"],
                    Direction(one["direction"]).name,
                    _mon_host(connection, opened, one["uuid"]),
                )
                for one in peers
            ),
            sum(1 for _one in binding.mirror_image_info_list(opened)) if on else 0,
            None,
            has_user,
            token,
            binding.mirror_remote_namespace_get(opened) if hasattr(binding, "mirror_remote_namespace_get") else None,
        )


def read_schedules(connection: Connection, place: Place, kind: str) -> tuple[Schedule, ...]:
    """What the manager does at intervals to a pool or namespace itself."""
    return schedules.found(connection.ask_manager(f"{kind} list", level_spec=schedules.level(place)), place)


def read_mirroring(connection: Connection, place: Place, name: str, clones: bool) -> MirrorState:
    """How an image is mirrored; with ``clones``, also which of its clones are."""
    pool = read_mirror_pool(connection, place)
    whole = pool if not place.namespace else read_mirror_pool(connection, Place(place.pool))
    image = read_image(connection, place, name)
    state = MirrorState(place, image, pool.mode, len(whole.peers))
    if image is None:
        return state
    if image.parent and not image.parent.trashed:
        parent = read_image(connection, image.parent.place, image.parent.image)
        state = state._replace(parent_mirrored=bool(parent and parent.mirroring))
    if image.mirroring is None:
        return state
    if clones:
        state = state._replace(mirrored_clones=_mirrored_clones(connection, place, name))
    with told(f"reading the mirroring of image {name}"), connection.image(place, name) as opened:
        status = opened.mirror_image_get_status()
        remote = status["remote_statuses"]
        return state._replace(
            demoted=_demoted(opened, image, remote),
            remote_primary=any(one["up"] and one["description"] == _PRIMARY for one in remote),
            replaying=any(one["up"] and one["state"] == rbd.MIRROR_IMAGE_STATUS_STATE_REPLAYING for one in remote),
            told=tuple(
                {
                    "mirror_uuid": one.get("mirror_uuid"),
                    "up": one["up"],
                    "state": _STATES.get(one["state"], "unknown"),
                    "description": one["description"],
                }
                for one in (status, *remote)
                # The daemon here may not have told anything yet.
                if "state" in one
            ),
        )


def _demoted(opened: Any, image: Image, remote: Sequence[dict[str, Any]]) -> bool:
    """Whether nobody is primary, as librbd itself sees it where that is by snapshots."""
    if image.mirroring and image.mirroring.mode == "journal":
        return bool(remote) and all(one["up"] and one["description"] != _PRIMARY for one in remote)
    mirrored = [one["mirror"] for one in opened.list_snaps() if one["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_MIRROR]
    last = mirrored[-1] if mirrored else {"state": None, "complete": False}
    demotions = (rbd.RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED, rbd.RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED)
    return bool(last["complete"]) and last["state"] in demotions


def _mirrored_clones(connection: Connection, place: Place, name: str) -> tuple[str, ...]:
    with told(f"looking for clones of {name}"), connection.image(place, name) as opened:
        found = [one for one in opened.list_children2() if not one["trash"]]
    clones = [(one, read_image(connection, _place_of(one), one["image"])) for one in found]
    return tuple(f"{_place_of(one)}/{one['image']}" for one, clone in clones if clone and clone.mirroring)


def _peer_user(connection: Connection) -> bool:
    try:
        connection.ask("auth get", entity=_PEER_USER)
    except Denied:
        raise
    except StorageError:
        return False
    return True


def _mon_host(connection: Connection, opened: Any, uuid: str) -> str:
    """Where the monitors of a peer are; empty where this client may not know it."""
    try:
        return str(connection.rbd.mirror_peer_get_attributes(opened, uuid).get("mon_host", ""))
    except (rbd.PermissionError, rbd.ImageNotFound):
        return ""


def read_migration(
    connection: Connection, place: Place, name: str, wanted: Parent | None, imports: bool = False
) -> MigrationState:
    """How far a migration to an image is. ``wanted``: the source that a task names; ``imports``: it names none."""
    pool = read_pool(connection, place, [name], [wanted] if wanted else [])
    there = pool.images[name]
    with told(f"reading the migration of image {name}"):
        opened = connection.pool(place)
        header = migration_of(opened, there.id) if there else None
        said = origin_of(opened, there.id) if there else ""
        if header and not header.source:
            source = None if header.spec or header.pool < 0 else _other_side(connection, header)
            state = MigrationState(pool, header.state, source, spec=header.spec, origin_said=said)
            return state if source is None else _with_origin(connection, state, source)
    blank = imports and there is not None and _is_blank(connection, place, there)
    state = MigrationState(pool, blank=blank, origin_said=said)
    return _with_origin(connection, state, wanted) if wanted else state


def _other_side(connection: Connection, header: Header) -> Parent:
    return Parent(Place(connection.pool_name(header.pool), header.namespace), header.name, "")


def _with_origin(connection: Connection, state: MigrationState, source: Parent) -> MigrationState:
    """The state, with the source, be it in the trash or not."""
    pool = state.pool
    there = next(iter(pool.images.values()))
    ids = ids_in(connection, source.place)
    left = _left(connection, source, pool.place, there, ids)
    if left is None:
        origin = pool.parents.get(source)
    else:
        origin = _in_trash(connection, source, left.id)
        users = in_use_by(origin.watchers, origin.locks) if origin else ""
        left = left._replace(users=users, committed=left.committed or origin is None)
    clones = children(connection, source.place, source.image) if origin and origin.snapshots and left is None else ()
    return state._replace(
        pool=pool._replace(parents={source: origin}, erasure_coded=pool.erasure_coded or connection.erasure_coded()),
        source=source,
        listed=source.image in ids,
        left=left,
        clones=clones,
        blank=bool(left and there and not state.state and _is_blank(connection, pool.place, there)),
    )


def _left(
    connection: Connection, source: Parent, target: Place, there: Image | None, ids: Mapping[str, str]
) -> Left | None:
    """What the trash has of a migration's source. Raises StorageError where that is not clear."""
    opened = connection.pool(source.place)
    found: list[Left] = []
    for entry in read_trash(connection, source.place):
        if (entry.source, entry.name) != (MIGRATION, source.image):
            continue
        with told(f"reading image {entry.name} in the trash"):
            header = migration_of(opened, entry.id)
            gone = not has_header(opened, entry.id) or committed(opened, entry.id)
        left = Left(entry.id, listed=ids.get(source.image) == entry.id, committed=gone)
        if header is None:
            found.append(left)
        elif header.id == (there and there.id) or _other_side(connection, header) == Parent(
            target, there.name if there else header.name, ""
        ):
            found.append(left._replace(state=header.state, target_id=header.id))
    if len(found) > 1:
        numbers = " ".join(one.id for one in found)
        raise StorageError(f"image {source}: the trash has several sources of migrations of this name ({numbers})")
    return found[0] if found else None


def _in_trash(connection: Connection, source: Parent, image_id: str) -> Image | None:
    """What cannot be opened any more is none."""
    try:
        what = f"reading image {source} in the trash"
        with told(what), connection.image(source.place, None, image_id=image_id) as opened:
            return _read(connection, source.image, opened)
    except Gone:
        return None


def _is_blank(connection: Connection, place: Place, image: Image) -> bool:
    """Whether nothing was ever written to an image that can be opened, and it is no clone and has no snapshot."""
    return not image.parent and _is_unwritten(connection, place, image)


def _is_unwritten(connection: Connection, place: Place, image: Image) -> bool:
    if image.remains or image.snapshots or image.hidden:
        return False
    written: list[int] = []

    def count(at: int, _length: int, _exists: bool) -> None:
        written.append(at)

    what = f"looking for data in image {image.name}"
    with told(what), connection.image(place, image.name) as opened:
        opened.diff_iterate(0, image.size, None, count, include_parent=False, whole_object=True)
    return not written


def _reader(opened: Any, size: int) -> Callable[[int, int], bytes]:
    """Reads at an offset what there is of a length."""
    return lambda at, length: bytes(opened.read(at, min(length, max(size - at, 0))))


def with_encryption(connection: Connection, place: Place, image: Image, wanted: Encryption, verify: bool) -> Image:
    """The image, with what it says of its encryption, and with ``verify`` whether the passphrases open it.

    What a clone reads from its parent is none of its own.
    """
    what = f"reading the encryption of image {image.name}"
    with told(what), connection.image(place, image.name) as opened:
        own = image.layered or not image.parent
        kind, header = header_of(_reader(opened, image.size)) if own else ("", 0)
        opens = None
        if verify and kind == wanted.format:
            try:
                load(opened, kind, [one.value for one in wanted.unlock.passphrases])
                opens = True
            except (rbd.PermissionError, rbd.InvalidArgument):
                opens = False
    blank = not kind and _is_unwritten(connection, place, image)
    return image._replace(encryption=Luks(kind, header, blank, opens))


def with_header(connection: Connection, parent: Parent, image: Image) -> Image:
    """What a clone is made of, with the header that the clone begins with until it is encrypted itself."""
    snapshot = image.snapshot(parent.snapshot)
    if snapshot is None:
        return image
    what = f"reading the encryption of image {parent}"
    with told(what), connection.image(parent.place, parent.image, snapshot=parent.snapshot) as opened:
        return image._replace(encryption=Luks(*header_of(_reader(opened, snapshot.size))))


def read_settings(connection: Connection, pool: str) -> Settings:
    opened = connection.pool(Place(pool))
    with told(f"reading the settings of pool {pool}"):
        applications = tuple(opened.application_list())
        overwritable = connection.erasure_coded().get(pool, True)
        if APPLICATION not in applications:
            return Settings(pool, applications, overwritable=overwritable)
        metadata = dict(connection.rbd.pool_metadata_list(opened))
        return Settings(
            pool,
            applications,
            {key[len(SETTING) :]: value for key, value in metadata.items() if key.startswith(SETTING)},
            {key: value for key, value in metadata.items() if not key.startswith(SETTING)},
            overwritable,
            stats=connection.rbd.pool_stats_get(opened),
        )


def check_settings(connection: Connection, what: str, place: Place, config: Mapping[str, str] | None) -> None:
    """Raises StorageError for what librbd has no setting of, and for values that it does not take."""
    if not config:
        return
    with told("reading the settings of librbd"):
        known = frozenset(one["name"] for one in connection.rbd.config_list(connection.pool(place)))
    unknown = sorted(set(config) - known)
    if unknown:
        near = meant(unknown[0], known)
        raise StorageError(f"{what}: config {' '.join(unknown)}: librbd has no such setting for it{near}")
    for key, value in config.items():
        if value and not connection.takes(key, value):
            raise StorageError(f"{what}: config {key}: librbd does not take {value!r}{connection.describe(key)}")
