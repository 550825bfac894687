# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirroring of a pool: words, and what its mode, site name and peers need to be as they are wanted."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..core.secret import Secret
from . import schedules
from .calls import AddPeer, Ask, Call
from .state import Direction, MirrorMode, MirrorPool, Peer, Schedule

Steps = tuple[Step, ...]
DIRECTIONS = tuple(Direction.__members__)
MODES = tuple(MirrorMode.__members__)
OPTIONS: dict[str, dict[str, Any]] = {
    "mode": {"type": "str", "choices": list(MODES)},
    "remote_namespace": {"type": "str"},
    "site_name": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "direction": {"type": "str", "choices": ["rx_only", "rx_tx"], "default": "rx_tx"},
    "peers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "site_name": {"type": "str", "required": True},
            "client": {"type": "str"},
            "mon_host": {"type": "str"},
            "key": {"type": "str", "no_log": True},
            "direction": {"type": "str", "choices": ["rx_only", "rx_tx"], "default": "rx_only"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "schedules": schedules.OPTION,
    "create_token": {"type": "bool", "default": False},
}
_USER = "client."


class Token(NamedTuple):
    """What another cluster gave to be mirrored with."""

    fsid: str
    client: str
    mon_host: str
    whole: Secret


class WantedPeer(NamedTuple):
    site_name: str
    client: str = ""
    mon_host: str = ""
    key: Secret | None = None
    direction: str = "rx_only"
    state: str = "present"


class Wanted(NamedTuple):
    """How a pool is to be mirrored. None: leave it as it is."""

    mode: str | None = None
    site_name: str | None = None
    token: Token | None = None
    direction: str = "rx_tx"
    peers: tuple[WantedPeer, ...] = ()
    create_token: bool = False
    schedules: tuple[Schedule, ...] | None = None
    remote_namespace: str | None = None


def parse(params: Mapping[str, Any]) -> Wanted:
    """From the module's options. Raises StorageError for what cannot be."""
    if params["namespace"] and (params["token"] or params["peers"] or params["create_token"]):
        raise StorageError(
            f"namespace {params['namespace']}: peers and tokens are those of the whole pool; leave namespace out for "
            "them"
        )
    return Wanted(
        params["mode"],
        params["site_name"],
        _token(params["token"]) if params["token"] else None,
        params["direction"],
        tuple(_peer(one) for one in params["peers"] or ()),
        params["create_token"],
        schedules.parse(params["schedules"], "schedules"),
        params["remote_namespace"],
    )


def _token(text: str) -> Token:
    try:
        told = json.loads(base64.b64decode("".join(text.split()), validate=True))
        fsid, client, mon_host, _key = (str(told[part]) for part in ("fsid", "client_id", "mon_host", "key"))
    except (ValueError, KeyError, TypeError):
        raise StorageError(
            "token: it is garbled; expected what rbd_mirror_pool (create_token) or 'rbd mirror pool peer bootstrap "
            "create' gave on the other cluster, whole"
        ) from None
    return Token(fsid, client, mon_host, Secret(text))


def _peer(given: Mapping[str, Any]) -> WantedPeer:
    return WantedPeer(
        given["site_name"],
        (given["client"] or "").removeprefix(_USER),
        given["mon_host"] or "",
        Secret(given["key"]) if given["key"] else None,
        given["direction"],
        given["state"],
    )


def plan(pool: MirrorPool, want: Wanted) -> Plan:
    """What it takes. Raises StorageError for what cannot, or may not, be done."""
    steps: Steps = ()
    for change in (_site_name, _gone_peers, _remote_namespace, _mode, _added_peers, _imported, _schedules, _user):
        more, pool = change(pool, want)
        steps += more
    return Plan(steps, pool)


def _step(verb: str, pool: MirrorPool, detail: str, *actions: Call | AddPeer | Ask) -> Step:
    return Step(verb, "pool", str(pool.place), detail, actions)


def _site_name(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    if want.site_name is None or (want.site_name or pool.fsid) == pool.site_name:
        return (), pool
    call = Call("mirror_site_name_set", pool.place, (want.site_name,), cluster=True)
    detail = f"site of the whole cluster: {want.site_name or pool.fsid}, not {pool.site_name}"
    return (_step("name", pool, detail, call),), pool._replace(site_name=want.site_name or pool.fsid)


def _gone_peers(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    steps: Steps = ()
    for wanted in want.peers:
        there = pool.peer(wanted.site_name)
        if wanted.state == "absent" and there:
            call = Call("mirror_peer_remove", pool.place, (there.uuid,))
            steps += (_step("remove peer of", pool, f"{there.site_name}; copies stay as they are", call),)
            pool = pool._replace(peers=tuple(one for one in pool.peers if one is not there))
    return steps, pool


def _remote_namespace(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    wanted = want.remote_namespace
    if wanted is None or wanted == pool.remote_namespace:
        return (), pool
    _check_namespaces(pool, "remote_namespace")
    if pool.mode != "disabled":
        raise Refused(
            f"pool {pool.place}: its mirroring goes to namespace {pool.remote_namespace!r}, and {wanted!r} is wanted; "
            "that is fixed until its mirroring is disabled"
        )
    call = Call("mirror_remote_namespace_set", pool.place, (wanted,))
    detail = f"to namespace {wanted!r} of the peers, not {pool.remote_namespace!r}"
    return (_step("mirror", pool, detail, call),), pool._replace(remote_namespace=wanted)


def _check_namespaces(pool: MirrorPool, what: str) -> None:
    if pool.remote_namespace is None:
        raise StorageError(f"pool {pool.place}: {what} takes librbd of Ceph 20, which is not what is here")


def _mode(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    if want.mode is None or want.mode == pool.mode:
        return (), pool
    if want.mode == "init-only":
        _check_namespaces(pool, "mode init-only")
        if pool.place.namespace:
            raise StorageError(f"pool {pool.place}: init-only is about a whole pool, of which only namespaces mirror")
    if want.mode in ("disabled", "init-only"):
        if pool.images:
            raise Refused(
                f"pool {pool.place}: mirroring cannot be {want.mode}: {pool.images} of its images are mirrored. "
                "Beware: to disable the mirroring of an image where it is primary deletes its copy on the peer"
            )
        if pool.peers and want.mode == "disabled":
            names = " ".join(one.site_name for one in pool.peers)
            raise Refused(
                f"pool {pool.place}: mirroring cannot be disabled: it has peers ({names}); remove them (peers)"
            )
    call = Call("mirror_mode_set", pool.place, (MirrorMode[want.mode],))
    after = pool._replace(mode=want.mode)
    if want.mode == "disabled" and pool.remote_namespace is not None:
        # librbd forgets it.
        after = after._replace(remote_namespace=pool.place.namespace)
    return (_step("mirror", pool, f"mode {pool.mode} to {want.mode}", call),), after


def _check_mirrored(pool: MirrorPool, what: str) -> None:
    if pool.mode == "disabled":
        raise StorageError(f"pool {pool.place}: {what} needs its mirroring; set mode to image or pool")


def _added_peers(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    steps: Steps = ()
    for wanted in want.peers:
        there = pool.peer(wanted.site_name)
        if wanted.state == "absent":
            continue
        if there:
            _check_direction(pool, there, wanted.direction)
            if wanted.client and there.client != f"{_USER}{wanted.client}":
                raise Refused(
                    f"pool {pool.place}: peer {there.site_name} is reached as {there.client}, and "
                    f"{_USER}{wanted.client} is wanted; remove it (state absent), and add it anew"
                )
            continue
        _check_mirrored(pool, f"peer {wanted.site_name}")
        if not wanted.client:
            raise StorageError(
                f"pool {pool.place}: peer {wanted.site_name} is not there, and to add it, say also: client"
            )
        client = f"{_USER}{wanted.client}"
        action = AddPeer(pool.place, wanted.site_name, client, Direction[wanted.direction], wanted.mon_host, wanted.key)
        steps += (_step("add peer to", pool, f"{wanted.site_name} as {client}, {wanted.direction}", action),)
        pool = pool._replace(peers=(*pool.peers, Peer("", wanted.site_name, client, wanted.direction, wanted.mon_host)))
    return steps, pool


def _check_direction(pool: MirrorPool, there: Peer, wanted: str) -> None:
    # What the other cluster told of itself is tx_only until this one receives from it.
    if there.direction not in (wanted, "tx_only"):
        raise Refused(
            f"pool {pool.place}: the direction of peer {there.site_name} is {there.direction}, and {wanted} is "
            "wanted, which librbd does not change; remove it (state absent), and add it anew"
        )


def _imported(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    token = want.token
    if token is None:
        return (), pool
    _check_mirrored(pool, "a token")
    if token.fsid == pool.fsid:
        raise StorageError(f"pool {pool.place}: the token is this cluster's own ({pool.fsid}); it is for the other one")
    client = f"{_USER}{token.client}"
    there = next((one for one in pool.peers if one.client == client and one.mon_host in ("", token.mon_host)), None)
    if there:
        _check_direction(pool, there, want.direction)
        if there.direction != "tx_only":
            return (), pool
    elif pool.peers:
        names = " ".join(one.site_name for one in pool.peers)
        raise Refused(f"pool {pool.place}: it has another peer already ({names}), and librbd mirrors with one")
    call = Call("mirror_peer_bootstrap_import", pool.place, (Direction[want.direction], token.whole))
    detail = f"with cluster {token.fsid}, {want.direction}; that one gets this one as a peer, too"
    peer = Peer("", "", client, want.direction, token.mon_host)
    others = tuple(one for one in pool.peers if one is not there)
    return (_step("peer", pool, detail, call),), pool._replace(peers=(*others, peer))


def _schedules(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    if want.schedules is None:
        return (), pool
    if want.schedules:
        _check_mirrored(pool, "a schedule")
    changes = schedules.changes(schedules.MIRROR, pool.place, want.schedules, pool.schedules or ())
    steps = tuple(_step(verb, pool, detail, command) for verb, detail, command in changes)
    return steps, pool._replace(schedules=want.schedules)


def _user(pool: MirrorPool, want: Wanted) -> tuple[Steps, MirrorPool]:
    if not want.create_token:
        return (), pool
    _check_mirrored(pool, "create_token")
    if pool.has_user:
        return (), pool
    call = Call("mirror_peer_bootstrap_create", pool.place)
    return (_step("create user for", pool, "its peer, which a token holds the key of", call),), pool._replace(
        has_user=True
    )
