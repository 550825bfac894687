# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux software RAID: what an array needs to be as it is wanted."""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Command, Plan, Step, Wait, Write, both, kernel_name, new_uuid, placeholder
from ..document.raid import LEAST_DEVICES, Raid, data_members, redundancy
from ..document.sizes import show_size
from . import raid_reshape, raid_shrink
from .actions import Idle, Inspect, Vacate
from .boot import ArrayLine, array_lines, array_path, persist
from .raid_members import keep, mark, resolve, step, with_array, zero_step
from .safety import blank, check_once, check_unused, describe_content, take, wipe_steps
from .state import UNSEEN, Array, Device, Host, Member, Signature, Unfinished, replace_item
from .unfinished import anew, begun, forget, intent, look, same_uuid

#: mdadm's own rule: a write-intent bitmap pays off from this size of a member.
_BITMAP_FROM = 100 << 30
#: mdadm's own for a new array.
_CHUNK = 512 << 10
_IGNORE = "<ignore>"
#: Whoever opens the node of an array that was stopped gets an empty md device for it.
_NOT_THERE = ("", "clear")


def references(want: Raid) -> tuple[str, ...]:
    """What has to be resolved to plan this array."""
    return (*want.references, array_path(want.name))


def plan(host: Host, want: Raid, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    array = _find(host, want)
    record = begun(host, _thing(want))
    if array and record and _is_half_made(array, record):
        return _anew(host, want, array, allow)
    if want.state == "absent":
        return _absent(host, want, array, allow)
    if array is None:
        if want.state == "stopped":
            raise StorageError(f"array {want.name} does not exist, so it cannot be stopped")
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
        steps += (zero_step(want.name, host.devices[member.device], False),)
        host = host.with_content(member.device)
    host = host._replace(arrays=replace_item(host.arrays, array))
    return both(Plan(steps, host), plan(host, want, allow))


def _find(host: Host, want: Raid) -> Array | None:
    """The array that is meant: by its path, by UUID (as wanted, or as mdadm.conf knows it), by members and name.

    Raises Refused where these disagree.
    """
    path = array_path(want.name)
    linked = host.links.get(path)
    by_path = next((array for array in host.arrays if linked and array.device == linked), None)
    known = want.uuid or next((line.uuid for line in array_lines(host) if line.device == path), None)
    by_uuid = next((array for array in host.arrays if known and array.uuid == known), None)
    found = by_path or by_uuid
    if by_path and not by_path.uuid:
        raise Refused(f"array {want.name}: {path} has no UUID that can be read; only mdadm's own metadata is managed")
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
        raise Refused(
            f"{device.path}: refused as a member of {want.name}: it is a member of RAID array "
            f"{owner.device or owner.name} (UUID {owner.uuid}). Take it out of `devices`, or remove that array first."
        )
    if found:
        return found
    stopped = [array for array in host.arrays if not array.device and _is_ours(host, array, want, nameless=False)]
    if len(stopped) > 1:
        uuids = " and ".join(array.uuid for array in stopped)
        raise Refused(f"array {want.name}: two arrays that do not run carry this name; say which one by uuid: {uuids}")
    return stopped[0] if stopped else None


def _is_ours(host: Host, array: Array, want: Raid, nameless: bool) -> bool:
    """Whether an array that was not found by its path is the wanted one: by UUID, or by the name in its superblock.

    ``nameless``: or by its members alone, where its superblock has no room for a name.
    """
    if want.uuid:
        return array.uuid == want.uuid
    line = next((line for line in array_lines(host) if line.uuid == array.uuid), None)
    if line and line.device not in ("", _IGNORE, array_path(want.name)):
        return False
    if not array.name:
        return nameless and array.metadata == "0.90"
    return array.name == want.name or (array_path(want.name) == f"/dev/{want.name}" and array.name == want.name[2:])


def _create(host: Host, want: Raid, allow: bool) -> Plan:
    missing = [option for option in ("level", "devices") if getattr(want, option) is None]
    if missing or want.level is None or want.devices is None:
        raise StorageError(f"array {want.name} does not exist, and to create it, say also: {', '.join(missing)}")
    least = LEAST_DEVICES[want.level]
    if len(want.devices) < least:
        raise StorageError(
            f"array {want.name}: RAID {want.level} needs at least {least} devices, and `devices` has "
            f"{len(want.devices)}"
        )
    path = array_path(want.name)
    members = resolve(host, want.devices, want.name)
    spares = resolve(host, want.spare_devices or (), want.name)
    check_once(members + spares, f"array {want.name}")
    smallest = min(device.size for device in members + spares)
    steps: tuple[Step, ...] = ()
    for device in members + spares:
        option = "devices" if device in members else "spare_devices"
        steps += take(host, device, f"a member of {want.name}", option, allow)

    uuid = _new_uuid(want)
    metadata = want.metadata or "1.2"
    bitmap = want.bitmap or ("internal" if want.level != "0" and smallest >= _BITMAP_FROM else "none")
    persisted, host = _persist_path(host, want, uuid)
    used = smallest if want.size is None else want.size
    if used > smallest:
        raise StorageError(
            f"array {want.name}: size is {show_size(used)}, and its smallest device has {show_size(smallest)}"
        )
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
        actions=(Inspect(path, wipe=allow),),
        flush=(path,),
        undo=(
            Vacate(path, ("mdadm", "--stop", path)),
            *(Command(("mdadm", "--zero-superblock", device.path)) for device in members + spares),
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
    return Plan(steps + persisted + (create, inspect) + marked, host)


def _present(host: Host, want: Raid, array: Array, allow: bool) -> Plan:
    path = array_path(want.name)
    steps, host = _persist_path(host, want, array.uuid)
    pending: tuple[str, ...] = ()
    if not array.running:
        more, host, array = _assemble(host, want, array)
        steps += more
    elif host.links.get(path) != array.device:
        device = host.devices[array.device]
        if device.holders or host.mounted(device.path) or device.path in host.swaps or device.partitions:
            pending += (f"{want.name} runs as {array.device} and is in use: it gets its name with the next boot",)
        else:
            steps += (_stop_step(host, want.name, array),)
            more, host, array = _assemble(host, want, array._replace(state="clear", device=""))
            steps += more
    record = begun(host, _thing(want))
    if record and same_uuid(array.uuid, record.uuid):
        more, host = look(host, record, "array", want.name, array.device, allow)
        steps += more
    more, host, array = _change(host, want, array, allow)
    going = _in_progress(want.name, array)
    return Plan(
        steps + more,
        host,
        in_progress=going,
        pending_reboot=pending,
        warnings=_warnings(want.name, array),
        waits=(Idle(array.device),) if going else (),
    )


def _change(host: Host, want: Raid, array: Array, allow: bool) -> tuple[tuple[Step, ...], Host, Array]:
    """Members and shape, one after the other: while a reshape is on its way, nothing else is begun."""
    steps = raid_reshape.resume(want, array)
    if steps:
        resumed = array._replace(state="clean", sync_action="reshape" if array.reshaping else "recover")
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


def _assemble(host: Host, want: Raid, array: Array) -> tuple[tuple[Step, ...], Host, Array]:
    path = array_path(want.name)
    active = array.devices("active")
    missing = array.raid_devices - len(active)
    spare_of = redundancy(array.level, array.raid_devices, array.layout)
    if missing > spare_of:
        raise Refused(
            f"array {want.name} cannot start: it needs {array.raid_devices - spare_of} of its {array.raid_devices} "
            f"active members, and only these are here: {' '.join(active) or 'none'}. Nothing was changed."
        )
    members = array.devices("active", "rebuilding", "spare")
    steps: tuple[Step, ...] = ()
    if array.device:
        steps += (_stop_step(host, want.name, array),)
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
    share = data_members(array.level, array.raid_devices, array.layout)
    size = int(min(host.devices[member].size for member in members) * share)
    array_after = array._replace(device=path, state="clean", degraded=missing)
    host = host.with_device(_made(host, array_after, size), path, content=UNSEEN)
    kept = tuple(other for other in host.arrays if other.uuid != array.uuid)
    return steps, host._replace(arrays=(*kept, array_after)), array_after


def _made(host: Host, array: Array, size: int) -> Device:
    """The device that an array will be: with the largest of its members' sectors, and a stripe as the best to write."""
    stripe = data_members(array.level, array.raid_devices, array.layout) * (array.chunk_size or _CHUNK)
    return Device(
        array.device,
        size=size,
        sector=max(host.devices[member.device].sector for member in array.members if member.device in host.devices),
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
    line = ArrayLine(_IGNORE, array.uuid)
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
    if array and array.running:
        device = host.devices[array.device]
        what = f"array {want.name} cannot be removed"
        check_unused(host, device, what, "Take away what uses it first.")
        content = host.content(device.path)[device.path]
        if content.signatures and not allow:
            raise Refused(
                f"{what}: {device.path} holds {describe_content(content)}. Set allow_destroy to destroy that."
            )
        if content.signatures:
            steps += wipe_steps([(device, content)])
        steps += (_stop_step(host, want.name, array),)
    elif array:
        if not allow:
            raise Refused(
                f"array {want.name} cannot be removed: it does not run, so nobody can see what it holds. "
                "Start it (state: present) first, or set allow_destroy to destroy whatever it holds."
            )
        steps += _erase_stopped(host, want, array)
    if array:
        unseen = not any(step.destroys for step in steps) and not array.running
        host = _without_array(host, array)
        for member in array.members:
            steps += (zero_step(want.name, host.devices[member.device], unseen),)
            host = host.with_content(member.device)
        host = host._replace(arrays=replace_item(host.arrays, array))
    uuid = array.uuid if array else ""
    persisted, host = persist(host, want.name, path, uuid, None, f"no ARRAY line for {path}")
    forgotten, host = forget(host, _thing(want), (array.device,) if array else ())
    return Plan(steps + persisted + forgotten, host)


def _erase_stopped(host: Host, want: Raid, array: Array) -> tuple[Step, ...]:
    """Old bytes would surface again in the next array of this shape, so it is started once more to erase them."""
    active = array.devices("active")
    if array.raid_devices - len(active) > redundancy(array.level, array.raid_devices, array.layout):
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
        host = host._replace(devices={**host.devices, member.device: host.devices[member.device]._replace(holders=())})
    return host


def _new_uuid(want: Raid) -> str:
    return want.uuid or placeholder("colons", new_uuid(f"raid/{want.name}"))


def announce(host: Host, wanted: list[Raid]) -> tuple[tuple[Step, ...], Host]:
    """What makes the next boot know all the new ones among these arrays: one initramfs for all of them."""
    new = [want for want in wanted if want.state == "present" and _find(host, want) is None]
    steps: tuple[Step, ...] = ()
    boot = host.boot
    for want in new:
        tool = boot.tool if want is new[-1] else ""
        more, host = _persist_path(host._replace(boot=host.boot._replace(tool=tool)), want, _new_uuid(want))
        steps += more
    return steps, host._replace(boot=host.boot._replace(tool=boot.tool))


def _persist_path(host: Host, want: Raid, uuid: str) -> tuple[tuple[Step, ...], Host]:
    path = array_path(want.name)
    return persist(host, want.name, path, uuid, ArrayLine(path, uuid), f"one ARRAY line for {path}")


def _in_progress(name: str, array: Array) -> tuple[str, ...]:
    """What is on its way; of a reshape mdadm has more to do once the kernel is done."""
    busy = array.sync_action if array.sync_action not in ("", "idle", "frozen") else ""
    return (f"{name}: {busy or 'reshape'}",) if busy or array.reshaping else ()


def _warnings(name: str, array: Array) -> tuple[str, ...]:
    found = []
    failed = array.devices("faulty")
    if failed:
        found.append(f"array {name}: {' '.join(failed)} failed")
    former = array.devices("former")
    if former:
        found.append(
            f"array {name}: {' '.join(former)} still carries its superblock and is no part of it any more; list it in "
            "`devices` to have it back, or clear it (mdadm --zero-superblock)"
        )
    if raid_shrink.is_cut(array) and not array.reshaping:
        found.append(
            f"array {name} shows {show_size(array.array_size)} of what its members hold; "
            f"mdadm --grow {array.device} --array-size=max shows all"
        )
    if array.degraded and array.sync_action in ("idle", ""):
        found.append(f"array {name} is degraded: {array.degraded} of its {array.raid_devices} members missing")
    return tuple(found)


def name_of(host: Host, array: Array) -> str:
    """What the document calls an array: as mdadm.conf does, else as its superblock, else as the kernel."""
    return next(
        (line.device.rsplit("/", 1)[1] for line in array_lines(host) if line.uuid == array.uuid and "/" in line.device),
        array.name or array.device.rsplit("/", 1)[-1],
    )


def dump(host: Host, array: Array) -> dict[str, Any]:
    """An array as an item of the document."""
    spares, working = array.devices("spare"), array.devices("active", "rebuilding")
    return {
        "name": name_of(host, array),
        "level": array.level,
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
        "uuid": array.uuid,
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
        "per_cent": array.per_cent,
        "speed": array.speed,
        "degraded": array.degraded,
        "mismatch_count": array.mismatch_count,
        "consistency_policy": array.consistency_policy,
        "pending_reboot": _renamed_at_boot(host, array),
        "members": [{"device": member.device, "role": member.role, "slot": member.slot} for member in array.members],
    }


def _renamed_at_boot(host: Host, array: Array) -> list[str]:
    """What the next boot changes about the name of an array that runs."""
    line = next((line for line in array_lines(host) if line.uuid == array.uuid), None)
    if not array.running or line is None or line.device in ("", _IGNORE):
        return []
    return (
        []
        if host.links.get(line.device) == array.device
        else [f"{array.device} becomes {line.device} with the next boot"]
    )


def device_paths(want: Raid) -> dict[str, str]:
    """The devices that it is, by the names that the document has for them."""
    return {want.name: array_path(want.name)}


def made_of(host: Host, want: Raid, _role: str) -> tuple[str, ...]:
    """The devices that it consists of already."""
    path = host.find(array_path(want.name))
    arrays = [array for array in host.arrays if (path and array.device == path.path) or array.name == want.name]
    return tuple(member.device for array in arrays for member in array.members)


def facts(host: Host, want: Raid) -> dict[str, Any]:
    """What the module returns of the wanted array."""
    array = _find(host, want)
    return {"raid": dump(host, array) if array else None, "status": status(host, array) if array else None}


def survey(host: Host) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """All that there are, each as an item of the document and how it does."""
    return [(dump(host, array), status(host, array)) for array in host.arrays]
