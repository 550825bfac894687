# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux software RAID: what an array needs to be as it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan, Step, Wait, Write, both, is_placeholder, kernel_name, new_uuid, placeholder
from ...document.raid import LEAST_DEVICES, LEVELS, Raid, can_run, data_members, redundancy
from ...document.sizes import show_size
from ..actions import Idle, Inspect, Vacate
from ..boot import (
    IGNORE,
    ArrayLine,
    array_lines,
    array_name,
    array_path,
    claim,
    gone_line,
    gone_lines,
    is_foreign,
    persist,
)
from ..devices import UNSEEN, Device, Signature
from ..findings import of_devices, told
from ..host import Host, Unfinished, replace_item
from ..layer import Found, Reported
from ..safety import blank, check_boot, check_free, check_once, check_unused, describe_content, take, wipe_steps
from ..unfinished import anew, begun, forget, intent, look, same_uuid
from . import reshape as raid_reshape, shrink as raid_shrink
from .health import not_found, of_array
from .members import keep, mark, resolve, step, with_array, zero_step
from .space import new_offset, usable
from .state import OUTSIDE, Array, Member
from .versions import check_removable, describe, meant, paths

#: mdadm's own rule: a write-intent bitmap pays off from this size of a member.
_BITMAP_FROM = 100 << 30
#: mdadm's own for a new array.
_CHUNK = 512 << 10
#: Whoever opens the node of an array that was stopped gets an empty md device for it.
_NOT_THERE = ("", "clear")
#: How many rounds of changes what is pending may take: a change of level takes three.
_ROUNDS = 5
#: Less than this of each member makes no array.
_LEAST_USED = 64 << 10
#: mdadm's own limit for metadata 0.90.
_MOST_OLD_DEVICES = 27

BY_DEVICE = False


def references(want: Raid) -> tuple[str, ...]:
    """What has to be resolved to plan this array."""
    return (*want.references, *(want.discard_devices or ()), array_path(want.name))


def plan(host: Host, want: Raid, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    array = find(host, want)
    record = begun(host, _thing(want))
    if array and record and _is_half_made(array, record):
        return _anew(host, want, array, allow)
    if want.state == "absent":
        return _absent(host, want, array, allow)
    if array is None:
        if want.state == "stopped":
            raise StorageError(f"array {want.name} does not exist, so it cannot be stopped{_gone(host, want)}")
        return _create(host, want, allow)
    if want.state == "stopped":
        return _stopped(host, want, array)
    raid_reshape.check(want, array)
    return _present(host, want, array, allow)


def _thing(want: Raid) -> str:
    return f"raid {want.name}"


def _is_half_made(array: Array, record: Unfinished) -> bool:
    """Whether a crash interrupted mdadm while it wrote superblocks, and nobody has written to the array since."""
    members = {member.device for member in array.members}
    return array.unused and same_uuid(array.uuid, record.uuid) and members <= set(record.devices)


def _anew(host: Host, want: Raid, array: Array, allow: bool) -> Plan:
    """What is wanted, once the superblocks of a half-made array are gone, which has never held anything."""
    if want.state == "stopped":
        raise StorageError(
            f"array {want.name}: a crash interrupted its creation, so there is nothing to stop; create it "
            "(state: present), or remove it (state: absent) first"
        )
    steps: tuple[Step, ...] = (_stop_step(host, want.name, array),) if array.device else ()
    host = _without_array(host, array)
    for member in array.members:
        steps += (zero_step(want.name, host.devices[member.device]),)
        host = host.with_content(member.device)
    host = host._replace(arrays=replace_item(host.arrays, array))
    return both(Plan(steps, host), plan(host, want, allow))


def find(host: Host, want: Raid) -> Array | None:
    """The array that is meant: by its path, by UUID (as wanted, or as mdadm.conf knows it), by members and name.

    Raises Refused where these disagree.
    """
    path = array_path(want.name)
    linked = host.links.get(path)
    by_path = next((array for array in host.arrays if linked and array.device == linked), None)
    known = want.uuid or next((line.uuid for line in array_lines(host) if line.device == path), None)
    by_uuid = next((array for array in host.arrays if known and array.uuid == known), None)
    found = by_path or by_uuid
    if by_path and (by_path.foreign or not by_path.uuid):
        raise Refused(
            f"array {want.name}: {path} has metadata {by_path.metadata or 'that cannot be read'}, and only md's own is "
            "managed, not that of DDF, IMSM or none. Nothing was changed. Use mdadm for it"
        )
    if found and (want.uuid or by_uuid) and found.uuid != known:
        raise Refused(
            f"array {want.name}: {path} has UUID {found.uuid}, and "
            f"{'the wanted one is' if want.uuid else host.boot.conf + ' says'} {known}; say which one is meant, by uuid"
        )
    for reference in want.references:
        device = host.find(reference)
        owner = device and next(
            (array for array in host.arrays if device.path in [member.device for member in array.members]), None
        )
        if device is None or owner is None or owner is found:
            continue
        if found is None and _is_ours(host, owner, want, nameless=True):
            found = owner
            continue
        if device.path in owner.devices(*OUTSIDE):
            # Its superblock is all that it has of that array, and is dealt with as all that a device holds.
            continue
        raise Refused(
            f"{device.path}: refused as a member of {want.name}: it is a member of RAID array "
            f"{owner.device or owner.name} (UUID {owner.uuid}). Take it out of `devices`, or out of that array first."
        )
    if want.uuid:
        return found
    carrying = _carrying(host, want)
    if want.state == "absent":
        # Of two, the next run of the task would remove the other one.
        named = [array for array in carrying if not is_foreign(host, array)]
        settled = all(array is found for array in named)
    else:
        named = _best(host, carrying)
        settled = not named or bool(by_uuid) or found in named
    if settled:
        return found
    gone = gone_line(host, path)
    if found or gone or len(named) > 1:
        others = [_told(array) for array in named if array is not found]
        others = [_told(found), *others] if found else others
        if gone:
            others.append(f"the one that {host.boot.conf} names (UUID {gone.uuid}), of which no device is here")
        raise Refused(
            f"array {want.name}: this name may mean {', or '.join(others)}. Nothing was changed. Say which one is "
            "meant by `uuid`; `layout_info` shows the name that each has here"
        )
    if want.devices:
        raise Refused(
            f"array {want.name}: there is an array of this name, {_told(named[0])}, and none of its devices is "
            "in `devices`. Nothing was changed. Say its uuid to mean that one, or choose another name"
        )
    return named[0]


def _carrying(host: Host, want: Raid) -> list[Array]:
    """The arrays that carry the wanted name."""
    # What mdadm calls md0 is 0 in its superblock.
    named = [array for array in host.arrays if array.name and array.name in (want.name, want.name[2:])]
    return [array for array in named if not array.foreign and _is_ours(host, array, want, nameless=False)]


def _best(host: Host, arrays: list[Array]) -> list[Array]:
    """Those that have the best claim to the name that all of them carry."""
    best = min((claim(host, array) for array in arrays), default=0)
    return [array for array in arrays if claim(host, array) == best]


def _told(array: Array) -> str:
    """An array for people: by its whole name, where it is, and its UUID."""
    name = f"{array.home}:{array.name}" if array.home else array.name or "one without a name"
    where = f"which runs as {array.device}" if array.device else f"on {' '.join(one.device for one in array.members)}"
    return f"{name} ({where}, UUID {array.uuid})"


def _is_ours(host: Host, array: Array, want: Raid, nameless: bool) -> bool:
    """Whether an array that was not found by its path is the wanted one: by UUID, or by the name in its superblock.

    ``nameless``: or by its members alone, where its superblock has no room for a name.
    """
    if want.uuid:
        return array.uuid == want.uuid
    line = next((line for line in array_lines(host) if line.uuid == array.uuid), None)
    if line and line.device not in ("", IGNORE, array_path(want.name)):
        return False
    if not array.name:
        return nameless and array.metadata == "0.90"
    return array.name == want.name or (array_path(want.name) == f"/dev/{want.name}" and array.name == want.name[2:])


def _create(host: Host, want: Raid, allow: bool) -> Plan:
    missing = [option for option in ("level", "devices") if getattr(want, option) is None]
    if missing or want.level is None or want.devices is None:
        raise StorageError(
            f"array {want.name} does not exist, and to create it, say also: {', '.join(missing)}{_gone(host, want)}"
        )
    members = resolve(host, want.devices, want.name)
    least = LEAST_DEVICES[want.level]
    if len(members) < least:
        raise StorageError(
            f"array {want.name}: RAID {want.level} needs at least {least} devices, and `devices` has {len(members)}"
        )
    path = array_path(want.name)
    spares = resolve(host, want.spare_devices or (), want.name)
    check_once(members + spares, f"array {want.name}")
    smallest = min(device.size for device in members + spares)
    metadata = want.metadata or "1.2"
    steps: tuple[Step, ...] = ()
    for device in members + spares:
        option = "devices" if device in members else "spare_devices"
        steps += take(host, device, f"a member of {want.name}", option, allow)
    _check_room(want, metadata, members + spares)

    uuid = _new_uuid(want)
    bitmap = want.bitmap or ("internal" if want.level != "0" and smallest >= _BITMAP_FROM else "none")
    others = tuple(not_found(host, line) for line in gone_lines(host) if line.device != path)
    persisted, host = _announce(host, want, uuid)
    used = smallest if want.size is None else want.size
    size = int(used * data_members(want.level, len(members), want.layout or ""))
    argv = [
        *("mdadm", "--create", path, "--run", f"--level={want.level}", f"--raid-devices={len(members)}"),
        *([f"--spare-devices={len(spares)}"] if spares else []),
        *(f"--metadata={metadata}", f"--uuid={uuid}"),
        *([f"--bitmap={bitmap}"] if want.level != "0" else []),
        # Else mdadm makes it degraded at first, with the last member as a spare; and what is degraded and was being
        # written to at a power cut, md does not start again.
        *(["--force"] if want.level in ("4", "5") else []),
        *([f"--chunk={want.chunk_size >> 10}K"] if want.chunk_size else []),
        *([f"--layout={want.layout}"] if want.layout else []),
        *([f"--size={want.size >> 10}K"] if want.size else []),
        *([f"--name={want.name}"] if metadata != "0.90" else []),
        *(device.path for device in members + spares),
    ]
    names = " ".join(device.path for device in members)
    detail = f"RAID {want.level} over {names}" + (
        f", spare {' '.join(device.path for device in spares)}" if spares else ""
    )
    recorded = intent(_thing(want), uuid, *(device.path for device in members + spares))
    unknown, _host = persist(host._replace(boot=host.boot._replace(tool="")), want.name, path, uuid, None, "")
    host = anew(host, _thing(want))
    create = Step(
        verb="create",
        kind="raid",
        name=want.name,
        detail=f"{detail}, {show_size(size)}",
        actions=(Command(tuple(argv)), Wait(path)),
        claims=tuple(blank(device) for device in members + spares),
        flush=(path, *(device.path for device in members + spares)),
        intent=recorded._replace(last=False),
    )
    inspect = Step(
        verb="inspect",
        kind="raid",
        name=want.name,
        detail="that it starts out blank",
        actions=(Inspect(path, wipe=all(host.may_lose(device.path, allow) for device in members)),),
        flush=(path,),
        undo=(
            Vacate(path, ("mdadm", "--stop", path)),
            *(Command(("mdadm", "--zero-superblock", device.path)) for device in members + spares),
            *(action for one in unknown for action in one.actions),
        ),
        intent=recorded,
    )
    array = Array(
        uuid=uuid,
        name=want.name,
        level=want.level,
        raid_devices=len(members),
        members=tuple(Member(device.path, "active", slot) for slot, device in enumerate(members))
        + tuple(Member(device.path, "spare") for device in spares),
        chunk_size=want.chunk_size or 0,
        layout=want.layout or "",
        metadata=metadata,
        bitmap=bitmap,
        device=path,
        state="clean",
    )
    for device in members + spares:
        host = host.with_content(device.path, Signature("linux_raid_member"), held_by=path)
    host = host.with_device(_made(host, array, size), path)._replace(arrays=(*host.arrays, array))
    marked, host, _array = mark(host, want, array)
    return Plan(
        steps + persisted + (create, inspect) + marked,
        host,
        # What looks blank may be a device of these.
        warnings=(
            *_sectors_differ(host, want.name, array),
            *_unequal(host, want, members),
            *told(f"array {want.name} is new", *others),
        ),
    )


def _unequal(host: Host, want: Raid, members: list[Device]) -> tuple[str, ...]:
    """That members have room, or speed, which the array does not use."""
    found: list[str] = []
    smallest = min(members, key=lambda device: device.size)
    larger = [device for device in members if device.size > smallest.size * 1.1]
    if larger and want.size is None:
        rest = " ".join(f"{device.path} ({show_size(device.size)})" for device in larger)
        found.append(
            f"array {want.name} uses {show_size(smallest.size)} of each member, as much as {smallest.path} has. The "
            f"rest of {rest} is not used"
        )
    facts = host.disk_facts()
    kinds = {device.path: facts[device.path].rotational for device in members if device.path in facts}
    slow = [path for path, rotational in kinds.items() if rotational]
    if 0 < len(slow) < len(kinds) and not want.write_mostly_devices:
        found.append(
            f"array {want.name} consists of rotating disks ({' '.join(slow)}) and others, and is as slow as those"
            + (". write_mostly_devices has reads served by the others" if want.level == "1" else "")
        )
    return tuple(found)


def _check_room(want: Raid, metadata: str, devices: list[Device]) -> None:
    """Raises StorageError where mdadm would make no array of new devices: they are too small, or too many."""
    if metadata == "0.90" and len(devices) > _MOST_OLD_DEVICES:
        raise StorageError(
            f"array {want.name}: metadata 0.90 has room for {_MOST_OLD_DEVICES} devices, and {len(devices)} are "
            "wanted. Say another metadata"
        )
    chunk = 0 if want.level == "1" else want.chunk_size or _CHUNK
    smallest = min(devices, key=lambda device: device.size)
    room = usable(metadata, smallest.size, new_offset(metadata, devices[0].size, chunk))
    least = max(chunk, want.size or 0, _LEAST_USED)
    if room < least:
        wanted = "at least" if want.size is None else "size is"
        raise StorageError(
            f"array {want.name}: {wanted} {show_size(least)}, and its smallest device, {smallest.path}, has "
            f"{show_size(smallest.size)}, of which an array can use {show_size(room)}. Use a larger device"
        )


def _present(host: Host, want: Raid, array: Array, allow: bool) -> Plan:
    path = array_path(want.name)
    steps, host = _persist_path(host, want, array.uuid)
    at_boot: tuple[str, ...] = ()
    if not array.running:
        more, host, array = _assemble(host, want, meant(host, want, array))
        steps += more
    elif host.links.get(path) != array.device:
        device = host.devices[array.device]
        # What would not start again is left running.
        lost = any(member.lost for member in array.members)
        if device.holders or host.mounted(device.path) or device.path in host.swaps or device.partitions:
            at_boot += (f"{want.name} runs as {array.device} and is in use: it gets its name with the next boot",)
        elif not lost:
            more, host, array = _assemble(host, want, array)
            steps += more
    _check_given_up(host, want, array)
    read_only = array.state == "readonly"
    record = begun(host, _thing(want))
    if record and same_uuid(array.uuid, record.uuid):
        more, host = look(host, record, "array", want.name, array.device, allow)
        steps += more
    more, host, array = _change(host, want, array, allow)
    if more and read_only:
        raise Refused(
            f"array {want.name} is read-only, and this would change it: {more[0]}. Make it writable first "
            f"(mdadm --readwrite {path})"
        )
    scrubbing = any(step.verb == "scrub" for step in more)
    going = _in_progress(want.name, array)
    return Plan(
        steps + more,
        host,
        in_progress=going,
        pending_reboot=at_boot,
        warnings=_warnings(host, want.name, array),
        waits=(Idle(array.device),) if going else (),
        pending=_pending(host, want.settled() if scrubbing else want, array, allow),
    )


def _check_given_up(host: Host, want: Raid, array: Array) -> None:
    """Raises Refused where the version that runs is given up for another one."""
    given_up = paths(host, want.discard_devices, want.name)
    working = set(array.devices("active"))
    others = [member.device for member in array.members if member.role in ("apart", "copy")]
    if working and others and working <= given_up:
        raise Refused(
            f"array {want.name}: it runs with {' '.join(sorted(working))}, and `discard_devices` gives up what that "
            f"holds for the version of {' '.join(others)}. Nothing was changed. Stop the array first (state: stopped); "
            "then the task starts the other version. Or name only the devices whose version is not the one that runs"
        )


def _change(host: Host, want: Raid, array: Array, allow: bool) -> tuple[tuple[Step, ...], Host, Array]:
    """What makes a running array as it is wanted."""
    steps, host, changed = _changes(host, want, array, allow)
    raid_reshape.check_changed(want, array, steps)
    return steps, host, changed


def _changes(host: Host, want: Raid, array: Array, allow: bool) -> tuple[tuple[Step, ...], Host, Array]:
    """Members and shape, one after the other: while a reshape is on its way, nothing else is begun."""
    steps, resumed = raid_reshape.resume(want, array)
    host, array = with_array(host, array, resumed), resumed
    if array.reshaping:
        return steps, host, array
    kept = keep(host, want, array, allow)
    more, host, array = raid_reshape.change(kept.host, want, kept.array, kept.newcomers, allow)
    steps += kept.steps + more
    if not array.reshaping:
        more, host, array = mark(host, want, array)
        steps += more
    if want.scrub and array.sync_action in ("", "idle") and not array.degraded:
        write = Write(f"/sys/class/block/{kernel_name(array_path(want.name))}/md/sync_action", want.scrub)
        steps += (step("scrub", want, want.scrub, write),)
        scrubbed = array._replace(sync_action=want.scrub)
        host, array = with_array(host, array, scrubbed), scrubbed
    return steps, host, array


def _pending(host: Host, want: Raid, array: Array, allow: bool) -> tuple[str, ...]:
    """What is left to do once the array is whole and does nothing, as sentences. Raises what planning that raises."""
    busy = _busy(array)
    if busy:
        until = f"its {busy} has ended"
    elif array.sync_action == "frozen":
        until = "its sync_action is no longer frozen"
    elif array.degraded:
        until = "no member is missing"
    else:
        return ()
    found: list[str] = []
    for _round in range(_ROUNDS):
        ended = _ended(array)
        steps, host, array = _change(with_array(host, array, ended), want, ended, allow)
        if not steps:
            break
        found += [f"{want.name}: {one.verb} {one.detail}, once {until}" for one in steps]
    return tuple(found)


def _ended(array: Array) -> Array:
    """An array once what it does has ended, and whole: that a member is missing is told as such."""
    free = list(array.devices("spare"))
    taken = {member.slot for member in array.members if member.role in ("active", "rebuilding")}
    replaced = {member.slot for member in array.members if member.role == "replacing"}
    empty = [slot for slot in range(array.raid_devices) if slot not in taken] if array.level != "0" else []
    places = dict(zip(free, empty))

    def settled(member: Member) -> Member:
        if member.role in ("rebuilding", "replacing"):
            return member._replace(role="active")
        if member.device in places:
            return member._replace(role="active", slot=places[member.device])
        if member.role == "active" and member.slot in replaced:
            return member._replace(role="faulty", slot=None)
        return member

    return array._replace(
        members=tuple(settled(member) for member in array.members),
        sync_action="idle",
        reshaping=False,
        degraded=0,
        unsynced=False,
        state="clean",
    )


def _assemble(host: Host, want: Raid, array: Array) -> tuple[tuple[Step, ...], Host, Array]:
    path = array_path(want.name)
    why = _cannot_start(host, array)
    if why:
        raise Refused(f"array {want.name} cannot start: {why}")
    members = array.devices("active", "rebuilding", "replacing", "spare", "journal")
    for member in members:
        device = host.devices[member]
        if device.holders != (array.device,):
            check_free(host, device, f"a member of {want.name}", "devices")
    slots = {member.slot for member in array.members if member.role == "active"}
    missing = array.raid_devices - len(slots)
    steps: tuple[Step, ...] = ()
    if array.device:
        steps += (_stop_step(host, want.name, array),)
        for device in (host.devices[member] for member in array.devices(*OUTSIDE)):
            if device.holders == (array.device,):
                host = host.with_content(device.path, array.signature)
    steps += (
        Step(
            verb="assemble",
            kind="raid",
            name=want.name,
            detail=f"from {' '.join(members)}" + (f", {missing} missing" if missing else ""),
            actions=(
                Command(("mdadm", "--assemble", path, "--run", f"--uuid={array.uuid}", *members)),
                Wait(path),
            ),
            flush=(path,),
        ),
    )
    used = array.component_size or min(host.devices[member].size for member in members)
    size = int(used * data_members(array.level, array.raid_devices, array.layout))
    started = array._replace(
        device=path,
        state="read-auto",
        sync_action="",
        degraded=missing,
        members=tuple(
            member._replace(role="rebuilding") if member.role == "replacing" and member.slot not in slots else member
            for member in array.members
        ),
    )
    more, started = raid_reshape.resume(want, started)
    started = started._replace(state="clean")
    host = host.with_device(_made(host, started, size), path, content=UNSEEN)
    kept = tuple(other for other in host.arrays if other.uuid != array.uuid)
    return steps + more, host._replace(arrays=(*kept, started)), started


def _cannot_start(host: Host, array: Array) -> str:
    """Why md or mdadm would not start an array; empty where they would."""
    # md makes a rebuilding member of a replacement whose original is not here.
    active = array.devices("active")
    slots = {member.slot for member in array.members if member.device in active and member.slot is not None}
    if not can_run(array.level, array.raid_devices, slots, array.layout):
        least = array.raid_devices - redundancy(array.level, array.raid_devices, array.layout)
        needed = f"{least} of its {array.raid_devices} active members"
        if array.level == "10":
            gone = " ".join(str(slot) for slot in range(array.raid_devices) if slot not in slots)
            needed = f"a copy of each part of its data, and without its members number {gone} there is none of some"
        others = [member for member in array.members if member.role in OUTSIDE]
        untold = [member.device for member in others if member.other_shape]
        if untold:
            return (
                "a crash came while the superblocks of its members were told of the beginning or the end of a reshape: "
                f"those of {' '.join(active)} agree, and those of {' '.join(untold)} tell something else. md "
                "needs more of one kind. Nothing was changed. Keep all of them as they are: no --force, and no "
                "--create; ask those who maintain md (linux-raid@vger.kernel.org)"
            )
        return (
            f"it needs {needed}, and only these are here: "
            f"{' '.join(active) or 'none'}. "
            + "".join(f"{member.device} {describe(host, array, member)}. " for member in others)
            + "Nothing was changed. Connect the members that are missing"
        )
    if len(slots) < array.raid_devices and array.unsynced and array.level in ("4", "5", "6"):
        return (
            "it was being written to when it went down, so its parity may be wrong, and only "
            f"{' '.join(active)} of its {array.raid_devices} members are here: md does not start it so, since what it "
            "would make up for the missing member may be wrong. Nothing was changed. Connect the member that is missing"
        )
    if array.consistency_policy == "journal" and not array.devices("journal"):
        return (
            "it has a write journal, and the device with that is not here: what was written last may be only there. "
            "Nothing was changed. Connect that device"
        )
    if array.needs_backup:
        return (
            "mdadm was reshaping it with a backup file, and goes on only with that. Nothing was changed. Start it with "
            "it (mdadm --assemble --backup-file=FILE)"
        )
    return ""


def _made(host: Host, array: Array, size: int) -> Device:
    """The device that an array will be: with the largest of its members' sectors, and a stripe as the best to write."""
    stripe = data_members(array.level, array.raid_devices, array.layout) * (array.chunk_size or _CHUNK)
    inside = [
        host.devices[member.device]
        for member in array.members
        if member.device in host.devices and member.role not in OUTSIDE
    ]
    return Device(
        array.device,
        size=size,
        sector=max(device.sector for device in inside),
        physical=max(device.physical for device in inside),
        optimal_io=0 if array.level == "1" else int(stripe),
    )


def _stop_step(host: Host, name: str, array: Array) -> Step:
    return Step(
        verb="stop",
        kind="raid",
        name=name,
        detail=array.device,
        # udev may still be looking at it, or at its members, which it would then assemble again.
        actions=(
            Command(("udevadm", "settle")),
            Command(("mdadm", "--stop", array.device)),
            Wait(host.devices[array.device].sysfs("md/array_state"), _NOT_THERE),
        ),
        flush=array.devices("active", "spare", "rebuilding"),
    )


def _stopped(host: Host, want: Raid, array: Array) -> Plan:
    if array.device:
        check_unused(
            host, host.devices[array.device], f"array {want.name} cannot be stopped", "Take away what uses it first."
        )
    lost = [member.device for member in array.members if member.lost]
    if lost:
        raise Refused(
            f"array {want.name} cannot be stopped: {' '.join(lost)} grew, and no start would find the superblock there "
            f"(metadata {array.metadata}). Nothing was changed. Leave it running, and have a task with `size: max` "
            "move the superblocks first (and `bitmap: none`, where it has a bitmap)"
        )
    line = ArrayLine(IGNORE, array.uuid)
    steps, host = persist(host, want.name, array_path(want.name), array.uuid, line, "not to be assembled at boot")
    if array.device:
        steps += (_stop_step(host, want.name, array),)
        host = _without_array(host, array)._replace(
            arrays=replace_item(host.arrays, array, array._replace(device="", state=""))
        )
    return Plan(steps, host)


def _absent(host: Host, want: Raid, array: Array | None, allow: bool) -> Plan:
    """Top-down: what is inside, the array, its superblocks; the ARRAY line last, since it finds half-zeroed members."""
    steps: tuple[Step, ...] = ()
    path = array_path(want.name)
    what = f"array {want.name} cannot be removed"
    if array:
        check_removable(host, want, array, allow)
    if array and array.running:
        device = host.devices[array.device]
        check_unused(host, device, what, "Take away what uses it first.")
        content = host.content(device.path)[device.path]
        if content.signatures and not host.may_lose(device.path, allow):
            raise Refused(
                f"{what}: {device.path} holds {describe_content(content)}. Set allow_destroy to destroy that."
            )
        if content.signatures:
            check_boot(host, device.path, content, what)
            steps += wipe_steps([(device, content)])
        steps += (_stop_step(host, want.name, array),)
    elif array:
        if not allow:
            raise Refused(
                f"{what}: it does not run, so nobody can see what it holds. "
                "Start it (state: present) first, or set allow_destroy to destroy whatever it holds."
            )
        steps += _erase_stopped(host, want, array)
    if array:
        unseen = not any(step.destroys for step in steps) and not array.running
        lost = f"its part of what array {want.name} holds, unseen" if unseen else ""
        host = _without_array(host, array)
        for member in array.members:
            own = f"it {describe(host, array, member)}" if member.role in OUTSIDE else lost
            steps += (zero_step(want.name, host.devices[member.device], own),)
            host = host.with_content(member.device)
        host = host._replace(arrays=replace_item(host.arrays, array))
    uuid = array.uuid if array else ""
    gone = None if array else gone_line(host, path)
    warned = told(f"array {want.name}", not_found(host, gone)) if gone else ()
    if array is None:
        warned += tuple(
            f"array {want.name}: {_told(other)} carries this name and is another host's, so it stays as it is. "
            "To remove it, say its uuid"
            for other in _carrying(host, want)
        )
    detail = f"no ARRAY line for {path}" + (f" (UUID {gone.uuid}), which is not found here" if gone else "")
    persisted, host = persist(host, want.name, path, uuid, None, detail)
    forgotten, host = forget(host, _thing(want), (array.device,) if array else ())
    return Plan(steps + persisted + forgotten, host, warnings=warned)


def _erase_stopped(host: Host, want: Raid, array: Array) -> tuple[Step, ...]:
    """Old bytes would surface again in the next array of this shape, so it is started once more to erase them."""
    if _cannot_start(host, array):
        return (_stop_step(host, want.name, array),) if array.device else ()
    path = array_path(want.name)
    steps, _host, started = _assemble(host, want, array)
    return (
        *steps,
        Step(
            verb="wipe",
            kind="raid",
            name=want.name,
            detail=f"whatever {path} holds",
            actions=(Inspect(path, wipe=True),),
            flush=(path,),
            destroys=(f"{path}: all that it holds, unseen since it does not run",),
        ),
        Step(
            verb="stop",
            kind="raid",
            name=want.name,
            detail=path,
            actions=(
                Vacate(path, ("mdadm", "--stop", path)),
                Wait(f"/sys/class/block/{kernel_name(path)}/md/array_state", _NOT_THERE),
            ),
            flush=started.devices("active", "spare"),
        ),
    )


def _without_array(host: Host, array: Array) -> Host:
    if array.device:
        host = host.without_device(array.device)
    for member in array.members:
        if member.role not in OUTSIDE:
            host = host.with_content(member.device, array.signature)
    return host


def _new_uuid(want: Raid) -> str:
    return want.uuid or placeholder("colons", new_uuid(f"raid/{want.name}"))


def _gone(host: Host, want: Raid) -> str:
    """What there is to know of an array of this name that is not here, as sentences after another."""
    line = gone_line(host, array_path(want.name))
    return f". {not_found(host, line)}" if line else ""


def _announce(host: Host, want: Raid, uuid: str) -> tuple[tuple[Step, ...], Host]:
    """What makes the next boot know a new array. It is on record from here on: its line alone could be another's.

    Raises Refused where the name is that of an array that is not found, and may be on what looks blank.
    """
    line = gone_line(host, array_path(want.name))
    begun_here = line and any(
        record.thing == _thing(want) and same_uuid(record.uuid, line.uuid) for record in host.unfinished
    )
    if line and not begun_here:
        raise Refused(
            f"array {want.name}: refused to create it: there is one of this name already. {not_found(host, line)} "
            "Nothing was changed. Choose another name; or give up the old one first (state: absent takes its line out)"
        )
    steps, host = _persist_path(host, want, uuid)
    recorded = intent(_thing(want), uuid, last=False)
    steps = tuple(one._replace(intent=recorded) if one.verb == "persist" else one for one in steps)
    return steps, host._replace(unfinished=(*host.unfinished, Unfinished("", thing=recorded.thing, uuid=uuid)))


def announce(host: Host, wanted: Sequence[Raid]) -> tuple[tuple[Step, ...], Host]:
    """What makes the next boot know all the new ones among these arrays: one initramfs for all of them.

    What is refused may be planned once another array has let go of a device, and is announced then.
    """

    def is_new(want: Raid) -> bool:
        try:
            return want.state == "present" and find(host, want) is None
        except Refused:
            return False

    new = [want for want in wanted if is_new(want)]
    steps: tuple[Step, ...] = ()
    boot = host.boot
    for want in new:
        tool = boot.tool if want is new[-1] else ""
        more, host = _announce(host._replace(boot=host.boot._replace(tool=tool)), want, _new_uuid(want))
        steps += more
    return steps, host._replace(boot=host.boot._replace(tool=boot.tool))


def _persist_path(host: Host, want: Raid, uuid: str) -> tuple[tuple[Step, ...], Host]:
    path = array_path(want.name)
    return persist(host, want.name, path, uuid, ArrayLine(path, uuid), f"one ARRAY line for {path}")


def _in_progress(name: str, array: Array) -> tuple[str, ...]:
    busy = _busy(array)
    return (f"{name}: {busy}",) if busy else ()


def _busy(array: Array) -> str:
    """What an array does; of a reshape mdadm has more to do once the kernel is done."""
    if array.sync_action not in ("", "idle", "frozen"):
        return array.sync_action
    return "reshape" if array.reshaping else ""


def _sectors_differ(host: Host, name: str, array: Array) -> tuple[str, ...]:
    """That an array has sectors that some of its members do not have: it may not always have had them."""
    members = [host.devices[path] for path in array.devices("active", "rebuilding", "replacing")]
    largest = max((device.sector for device in members), default=0)
    large = [device.path for device in members if device.sector == largest]
    if len(large) == len(members):
        return ()
    return (
        f"array {name} has logical sectors of {largest} bytes: {' '.join(large)} shows such sectors, and its other "
        "members show smaller ones. If that is new (another controller or enclosure), what was made for the smaller "
        "ones cannot be read now: stop the array and connect the device as before",
    )


def _warnings(host: Host, name: str, array: Array) -> tuple[str, ...]:
    wrong = [
        finding
        for finding in (
            *of_array(host, array),
            *of_devices(host, *(member.device for member in array.members if member.role not in OUTSIDE)),
        )
        # What is being rebuilt is in progress.
        if finding.problem != "degraded" or array.sync_action in ("idle", "")
    ]
    found = [*told(f"array {name}", *wrong), *_sectors_differ(host, name, array)]
    if raid_shrink.is_cut(array) and not array.reshaping:
        found.append(
            f"array {name} shows {show_size(array.array_size)} of what its members hold; "
            f"mdadm --grow {array.device} --array-size=max shows all"
        )
    return tuple(found)


def name_of(host: Host, array: Array) -> str:
    """What the document calls an array."""
    return array_name(host, array)


def dump(host: Host, array: Array) -> dict[str, Any]:
    """An array as an item of the document."""
    spares, working = array.devices("spare"), array.devices("active", "rebuilding")
    return {
        "name": name_of(host, array),
        "level": array.level if array.level in LEVELS else None,
        "devices": [host.stable(device) for device in (working + array.devices("faulty"))[: array.raid_devices]],
        "spare_devices": [host.stable(device) for device in spares],
        "chunk_size": None if array.level == "1" else array.chunk_size or None,
        "layout": array.layout or None,
        "metadata": array.metadata,
        "bitmap": array.bitmap,
        "write_mostly_devices": [
            host.stable(member.device) for member in array.members if member.write_mostly and array.level == "1"
        ]
        if array.level == "1"
        else None,
        "uuid": None if is_placeholder(array.uuid) else array.uuid,
        "state": "present" if array.running else "stopped",
    }


def status(host: Host, array: Array) -> dict[str, Any]:
    """How an array does, beyond what a document says."""
    device = host.devices.get(array.device)
    return {
        "device": array.device,
        "size": device.size if device else 0,
        "component_size": array.component_size,
        "array_state": array.state,
        "sync_action": array.sync_action,
        "percent": array.percent,
        "speed": array.speed,
        "eta_seconds": array.eta_seconds,
        "degraded": array.degraded,
        "mismatch_count": array.mismatch_count,
        "consistency_policy": array.consistency_policy,
        "pending_reboot": _renamed_at_boot(host, array),
        "members": [{"device": member.device, "role": member.role, "slot": member.slot} for member in array.members],
    }


def _renamed_at_boot(host: Host, array: Array) -> list[str]:
    """What the next boot changes about the name of an array that runs."""
    line = next((line for line in array_lines(host) if line.uuid == array.uuid), None)
    if not array.running or line is None or line.device in ("", IGNORE):
        return []
    return (
        []
        if host.links.get(line.device) == array.device
        else [f"{array.device} becomes {line.device} with the next boot"]
    )


def device_paths(want: Raid) -> dict[str, str]:
    """The devices that it is, by the names that the document has for them."""
    return {want.name: array_path(want.name)}


def called(host: Host, want: Raid) -> str:
    """What the document calls the array, whatever UUID or devices it was found by."""
    array = find(host, want)
    return name_of(host, array) if array else want.name


def made_of(host: Host, want: Raid, _role: str) -> tuple[str, ...]:
    """The devices that it consists of already."""
    path = host.find(array_path(want.name))
    arrays = [array for array in host.arrays if path and array.device == path.path] or _best(
        host, _carrying(host, want)
    )
    return tuple(member.device for array in arrays for member in array.members if member.role != "copy")


def facts(host: Host, want: Raid) -> dict[str, Any]:
    """What the module returns of the wanted array."""
    array = find(host, want)
    return {"raid": dump(host, array) if array else None, "status": status(host, array) if array else None}


def survey(host: Host) -> list[Reported]:
    """All that there are, each as an item of the document and how it does."""
    return [Reported(_as_it_is(dump(host, array), array), status(host, array)) for array in listed(host)]


def present(host: Host) -> list[Found]:
    """All of which a document tells, and the word that takes each away."""
    named = [(name_of(host, array), array) for array in listed(host)]
    return [Found(name, Raid(name, uuid=array.uuid, state="absent"), (array.device,)) for name, array in named]


def listed(host: Host) -> list[Array]:
    """Those of which a document tells. One that mdadm.conf has started, and that does not run for now, is not among
    them: no word says to leave it at that.
    """
    lines = {line.uuid: line.device for line in array_lines(host)}
    return [
        array
        for array in host.arrays
        if not array.foreign and (array.running or (not array.device and lines.get(array.uuid, IGNORE) == IGNORE))
    ]


def _as_it_is(item: dict[str, Any], array: Array) -> dict[str, Any]:
    """An item that changes nothing where it is applied: what is omitted stays, also a place that is empty for now."""
    missing = len(array.devices("active", "rebuilding")) < array.raid_devices
    passing = array.running and (missing or array.devices("faulty", "replacing"))
    return {**item, "devices": None, "spare_devices": None} if passing else item
