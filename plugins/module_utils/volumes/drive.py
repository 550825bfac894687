# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans the volumes of a drive: those that are attached, that come, grow and go, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step, dump_steps, placeholder
from ..document.names import check_name
from ..document.sizes import show_size
from .elastic import Decision, Move, decide
from .policy import OPTIONS as POLICY, Policy, parse as parse_policy
from .provider import TAG, Adopt, Attach, Create, Delete, Detach, Resize, TakeSnapshot, token
from .state import Cloud, History, Sample, Snapshot, Usage, Volume

STATES = ("online", "offline", "absent")
USAGE: dict[str, dict[str, Any]] = {
    "size": {"type": "int", "required": True},
    "used": {"type": "int", "required": True},
    "inodes": {"type": "int", "default": 0},
    "inodes_used": {"type": "int", "default": 0},
    "total_size": {"type": "int", "default": 0},
    "shrinks": {"type": "bool", "default": True},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "machine": {"type": "str", "default": ""},
    "policy": {"type": "dict", "options": POLICY},
    "usage": {"type": "dict", "options": USAGE},
    "history": {"type": "dict"},
    "emptied": {"type": "list", "elements": "str"},
    "members": {"type": "list", "elements": "str"},
    "snapshot": {"type": "bool", "default": False},
    "allow_destroy": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": list(STATES), "default": "online"},
}


class Wanted(NamedTuple):
    """What is wanted of a drive. ``emptied`` are volumes that the host let go of (None: nothing was told of it).

    ``members`` are the volumes that the host knows as the drive's. ``snapshot``: of each volume, before any leaves.
    """

    drive: str
    policy: Policy
    machine: str = ""
    usage: Usage | None = None
    history: History = History()
    emptied: tuple[str, ...] | None = None
    members: tuple[str, ...] = ()
    snapshot: bool = False
    allow_destroy: bool = False
    state: str = "online"


def parse(item: Mapping[str, Any]) -> Wanted:
    """Raises StorageError for what no drive can be."""
    usage = Usage(**item["usage"]) if item.get("usage") else None
    if usage and not 0 <= usage.used <= usage.size:
        raise StorageError(f"usage: used is {usage.used}, and must be from 0 to size ({usage.size})")
    return Wanted(
        drive=check_name(str(item["name"]), "drive", longest=127),
        policy=parse_policy({key: value for key, value in (item.get("policy") or {}).items() if value is not None}),
        machine=item.get("machine") or "",
        usage=usage,
        history=parse_history(item.get("history") or {}),
        emptied=None if item.get("emptied") is None else tuple(item["emptied"]),
        members=tuple(item.get("members") or ()),
        snapshot=bool(item.get("snapshot")),
        allow_destroy=bool(item.get("allow_destroy")),
        state=item.get("state") or "online",
    )


def parse_history(item: Mapping[str, Any]) -> History:
    """Raises StorageError for what no earlier run returned."""
    try:
        samples = tuple(Sample(float(time), int(used)) for time, used in item.get("samples") or ())
        return History(samples, tuple(float(time) for time in item.get("changes") or ()))
    except (TypeError, ValueError, AttributeError):
        raise StorageError("history: give what an earlier run returned as `history`, or leave it out") from None


def dump_history(history: History) -> dict[str, Any]:
    return {"samples": [list(sample) for sample in history.samples], "changes": list(history.changes)}


def choose(cloud: Cloud, want: Wanted, now: float) -> Decision:
    """What the policy says of a drive that is online."""
    if want.state != "online" or want.emptied is not None:
        return Decision((), "")
    usage = want.usage
    return decide(usage, cloud.volumes + cloud.orphans, want.policy, cloud.limits, want.history, now)


def outdated(cloud: Cloud, decision: Decision) -> bool:
    """Whether a volume that was to grow in place has turned out to be fixed."""
    growing = {move.volume: move.size for move in decision.moves if move.act == "grow"}
    return any(volume.fixed and volume.size < growing.get(volume.id, 0) for volume in cloud.volumes)


def plan(cloud: Cloud, want: Wanted, decision: Decision) -> Plan:
    """What it takes. Removals of the decision are not among the steps: the host has to empty a volume first."""
    _check_words(cloud, want)
    _check_states(cloud)
    if want.state != "online":
        return _away(cloud, want)
    if (want.usage or any(want.history)) and not cloud.volumes and not cloud.orphans:
        raise Refused(
            f"drive {want.drive}: the host has it, or had it in an earlier run, and the provider has no volume with its"
            " tag. Nothing was created, since that would not be the same drive. Look for its volumes at the provider, "
            "and tag them again"
        )
    steps: tuple[Step, ...] = ()
    for volume in cloud.orphans:
        detail = f"made for drive {want.drive}, and not tagged"
        steps += (_step("adopt", volume.id, detail, Adopt(want.drive, volume.id)),)
    cloud = cloud._replace(volumes=cloud.volumes + cloud.orphans, orphans=())
    if want.emptied is not None:
        more, cloud = _remove(cloud, want)
        return Plan(steps + more, cloud)
    if want.snapshot and any(move.act == "remove" for move in decision.moves):
        told = ("shrink", *want.history.changes[-1:])
        more, cloud = _save(cloud, want, cloud.volumes, "before the drive shrinks", told)
        steps += more
    for number, move in enumerate(decision.moves, 1):
        more, cloud = _make(cloud, want, move, number)
        steps += more
    for volume in cloud.volumes:
        # One that is still on its way, to or from the machine, is waited for.
        if volume.link != "attached":
            steps += (_step("attach", volume.id, f"to {cloud.machine}", Attach(volume.id, cloud.machine)),)
    attached = tuple(
        volume._replace(machine=cloud.machine, link="attached", state="in-use") for volume in cloud.volumes
    )
    warnings = (f"drive {want.drive}: {decision.warning}",) if decision.warning else ()
    return Plan(steps, cloud._replace(volumes=attached), warnings=warnings)


def _check_words(cloud: Cloud, want: Wanted) -> None:
    """Raises StorageError for a setting that volumes of that type do not have."""
    policy, limits = want.policy, cloud.limits
    for name, has in (("iops_per_gib", limits.largest_iops), ("throughput", limits.largest_throughput)):
        if getattr(policy, name) and not has:
            of = f"volumes of type {policy.volume_type}" if policy.volume_type else "volumes of its default type"
            raise StorageError(f"policy: {name}: the provider has no such setting for {of}; leave it out")
    if limits.needs_iops and not policy.iops_per_gib:
        raise StorageError(f"policy: iops_per_gib is not given, and volumes of type {policy.volume_type} need it")


def _check_states(cloud: Cloud) -> None:
    """Raises Refused for volumes that are broken, or that another machine has."""
    for volume in cloud.volumes + cloud.orphans:
        if volume.state == "error":
            raise Refused(
                f"drive {cloud.drive}: {volume.id} is in state error at its provider. Nothing was changed; "
                "repair it there"
            )
        if volume.zone and cloud.zone and volume.zone != cloud.zone:
            raise Refused(
                f"drive {cloud.drive}: {volume.id} is in zone {volume.zone}, and {cloud.machine} in {cloud.zone}, so "
                f"it cannot be attached. Nothing was changed. If it is not of this drive, take its tag {TAG} away; "
                "else make a copy of it in that zone from a snapshot"
            )
        if volume.machine and cloud.machine and volume.machine != cloud.machine:
            raise Refused(
                f"drive {cloud.drive}: {volume.id} is attached to {volume.machine}, and not to {cloud.machine}. "
                f"Take the drive offline on {volume.machine} first, so that nothing is lost"
            )


def _make(cloud: Cloud, want: Wanted, move: Move, number: int) -> tuple[tuple[Step, ...], Cloud]:
    if move.act == "grow":
        old = next(volume for volume in cloud.volumes if volume.id == move.volume)
        resize = Resize(move.volume, move.size, move.iops, move.throughput)
        detail = f"from {show_size(old.size)} to {show_size(move.size)}, since {move.reason}"
        new = old._replace(size=move.size, iops=move.iops or old.iops, throughput=move.throughput or old.throughput)
        volumes = tuple(new if volume is old else volume for volume in cloud.volumes)
        return (_step("resize", move.volume, detail, resize),), cloud._replace(volumes=volumes)
    if move.act == "remove":
        return (), cloud
    key = f"{want.drive}-{number}"
    told = (*sorted(volume.id for volume in cloud.volumes), number, move.size, *want.history.changes[-1:])
    create = Create(
        want.drive,
        key,
        token(want.drive, *told),
        move.size,
        want.policy.volume_type,
        move.iops,
        move.throughput,
        cloud.zone,
    )
    name = placeholder("volume", key)
    made = Volume(name, move.size, want.policy.volume_type, move.iops, move.throughput, "available", zone=cloud.zone)
    step = _step("create", name, f"{show_size(move.size)}, since {move.reason}", create)
    return (step,), cloud._replace(volumes=(*cloud.volumes, made))


def _remove(cloud: Cloud, want: Wanted) -> tuple[tuple[Step, ...], Cloud]:
    """Volumes that the host has emptied."""
    steps, left = removal(cloud, want.emptied or ())
    if cloud.volumes and not left.volumes:
        raise Refused(f"drive {want.drive}: emptied names all of its volumes; to remove the drive, set state to absent")
    return steps, left


def removal(cloud: Cloud, emptied: Sequence[str]) -> tuple[tuple[Step, ...], Cloud]:
    """What becomes of volumes once the host has emptied them."""
    gone = tuple(volume for volume in cloud.volumes if volume.id in emptied)
    steps: tuple[Step, ...] = ()
    for volume in gone:
        if volume.machine:
            steps += (_step("detach", volume.id, f"from {volume.machine}", Detach(volume.id)),)
        steps += (_step("delete", volume.id, f"{show_size(volume.size)}, empty", Delete(volume.id)),)
    return steps, cloud._replace(volumes=tuple(volume for volume in cloud.volumes if volume not in gone))


def _save(
    cloud: Cloud, want: Wanted, volumes: tuple[Volume, ...], reason: str, told: tuple[object, ...]
) -> tuple[tuple[Step, ...], Cloud]:
    """A snapshot of each volume, where there is none yet. Another run for the same reason makes no second one."""
    complete = {snapshot.token for snapshot in cloud.snapshots if snapshot.state == "completed"}
    steps: tuple[Step, ...] = ()
    for volume in volumes:
        # A provider may give the ID of a volume that was deleted to a new one.
        name = token(want.drive, "snapshot", volume.id, volume.created, *told)
        if name in complete:
            continue
        detail = f"of {show_size(volume.size)}, {reason}"
        steps += (_step("snapshot", volume.id, detail, TakeSnapshot(want.drive, volume.id, name)),)
        made = Snapshot(placeholder("snapshot", volume.id), volume.id, name)
        cloud = cloud._replace(snapshots=(*(one for one in cloud.snapshots if one.token != name), made))
    return steps, cloud


def _away(cloud: Cloud, want: Wanted) -> Plan:
    """Detached, and where the drive is to be absent, deleted.

    Another program's volume may carry the tag as well. So only volumes that the host knows are deleted, and orphans,
    which never held data.
    """
    absent = want.state == "absent"
    volumes = cloud.volumes + cloud.orphans
    if absent and volumes and not want.allow_destroy:
        names = ", ".join(f"{volume.id} ({show_size(volume.size)})" for volume in volumes)
        raise Refused(
            f"drive {want.drive}: {names} would be deleted, with all that is on them. Set allow_destroy to delete them"
        )
    unknown = [volume for volume in cloud.volumes if volume.id not in want.members]
    if absent and unknown:
        names = ", ".join(f"{volume.id} ({show_size(volume.size)})" for volume in unknown)
        raise Refused(
            f"drive {want.drive}: {names}: it has the tag {TAG}, and is not among members, so nobody knows whether its "
            "data are those of the drive. Nothing was changed. If it is somebody else's, take the tag away. If it is "
            "new or was moved, have the drive online once, which takes it in or says what is on it"
        )
    steps = tuple(
        _step("detach", volume.id, f"from {volume.machine}", Detach(volume.id)) for volume in volumes if volume.machine
    )
    if not absent:
        away = tuple(volume._replace(machine="", link="", state="available", device="") for volume in cloud.volumes)
        return Plan(steps, cloud._replace(volumes=away))
    if want.snapshot:
        more, cloud = _save(cloud, want, cloud.volumes, "before it is deleted", ("absent",))
        steps += more
    for volume in volumes:
        lost = f"{volume.id}: {show_size(volume.size)} of drive {want.drive}"
        steps += (_step("delete", volume.id, show_size(volume.size), Delete(volume.id), destroys=(lost,)),)
    return Plan(steps, cloud._replace(volumes=(), orphans=()))


def _step(verb: str, name: str, detail: str, action: Any, **more: Any) -> Step:
    return Step(verb=verb, kind="volume", name=name, detail=detail, actions=(action,), **more)


def dump(volume: Volume) -> dict[str, Any]:
    """As a module returns it."""
    return {
        "id": volume.id,
        "size": volume.size,
        "type": volume.type or None,
        "iops": volume.iops or None,
        "throughput": volume.throughput or None,
        "state": volume.state,
        "machine": volume.machine or None,
        "device": volume.device or None,
        "serials": list(volume.serials),
    }


def dump_move(move: Move) -> dict[str, Any]:
    return {"action": move.act, "volume": move.volume or None, "size": move.size, "reason": move.reason}


def facts(cloud: Cloud, decision: Decision) -> dict[str, Any]:
    """What the module returns. ``leaving``: the volumes that the host has to empty."""
    leaving = [move.volume for move in decision.moves if move.act == "remove"]
    staying = [volume for volume in cloud.volumes if volume.id not in leaving]
    return {
        "volumes": [dump(volume) for volume in cloud.volumes],
        "leaving": leaving,
        "removal": dump_steps(removal(cloud, leaving)[0]),
        "snapshots": [{"id": one.id, "volume": one.volume, "state": one.state} for one in cloud.snapshots],
        "provides": [{"path": _expected(volume), "size": volume.size} for volume in staying],
        "decision": {
            "reason": decision.reason,
            "warning": decision.warning or None,
            "moves": [dump_move(move) for move in decision.moves],
            "recommended": [dump_move(move) for move in decision.recommended],
        },
    }


def _expected(volume: Volume) -> str:
    """The path that a host is to expect the volume at in check mode, where it is not there yet."""
    return volume.device or os.path.join("/dev/disk/by-id", volume.id.strip("<>").replace("/", "-").replace(":", "-"))
