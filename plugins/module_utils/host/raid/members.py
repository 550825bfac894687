# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an array that runs: which come in, which take another's place, and which may leave."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.errors import NoDevice, Refused, StorageError
from ...core.plan import Command, Step, Write, kernel_name
from ...document.raid import Raid, can_run, redundancy
from ...document.sizes import show_size
from ..actions import Claim, DropStripes, EraseTables, Rebuilt, Rejoin, Vacate
from ..boot import array_path
from ..devices import Device, Signature
from ..host import Host, replace_item
from ..safety import blank, check_free, check_once, describe_content, take
from .space import METADATA, least_size, usable
from .state import OUTSIDE, Array, Member
from .versions import check_no_version_is_lost, paths, when

Steps = tuple[Step, ...]
Change = tuple[Steps, Host, Array]

#: The levels whose arrays can span fewer devices and hold less then.
SHRINKING = ("4", "5", "6")


class Kept(NamedTuple):
    """What keeping the members comes to; ``newcomers`` are those that the array has to grow for."""

    steps: Steps
    host: Host
    array: Array
    newcomers: tuple[Device, ...] = ()


def step(verb: str, want: Raid, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb=verb, kind="raid", name=want.name, detail=detail, actions=actions, **more)


def reshape(
    host: Host, want: Raid, array: Array, verb: str, detail: str, actions: tuple[Any, ...], **more: Any
) -> Change:
    """A step that changes an array's shape; ``undo`` as of a step, the rest of ``more`` is what the array is then."""
    undo = more.pop("undo", ())
    members = array.devices("active", "spare", "rebuilding")
    one = step(verb, want, detail, *actions, flush=(array_path(want.name), *members), undo=undo)
    changed = array._replace(**{"state": "clean", **more})
    return (one,), with_array(host, array, changed), changed


def resolve(host: Host, names: tuple[str, ...], name: str, array: Array | None = None) -> list[Device]:
    """``array`` is the one that there is, of which an error may have to tell."""
    try:
        return [host.device(reference, f"array {name}") for reference in names]
    except NoDevice as error:
        raise NoDevice(f"{error}{_lacks(name, array) if array else ''}", error.reference) from None


def _lacks(name: str, array: Array) -> str:
    there = {member.slot for member in array.members if member.role in ("active", "rebuilding")}
    missing = [str(slot) for slot in range(array.raid_devices) if slot not in there]
    if not missing:
        return ""
    return (
        f". Array {name} lacks {len(missing)} of its {array.raid_devices} members (slot {', '.join(missing)}). Put a "
        "replacement in and list that in `devices` instead. Until then a task without `devices` leaves its members "
        "alone"
    )


def with_array(host: Host, old: Array, new: Array) -> Host:
    return host._replace(arrays=replace_item(host.arrays, old, new))


def zero_step(name: str, device: Device, destroys: str = "", left: str = "") -> Step:
    """Its superblock away from a device, so that it is blank.

    ``destroys`` is what that makes unreachable, ``left`` the running array that it has just left.
    """
    command = ("mdadm", "--zero-superblock", device.path)
    # What the superblock hid would be seen from now on: the table of a former life, which it had made invalid, with its
    # partitions at once; with a superblock at the end, also what the array holds, which begins where the device does.
    return Step(
        verb="zero",
        kind="raid",
        name=name,
        detail=f"its superblock on {device.path}",
        actions=(
            EraseTables(device.path),
            Vacate(device.path, command, left) if left else Command(command),
            Command(("wipefs", "--all", device.path)),
        ),
        claims=(Claim(device.path, device.identity, None, shared=bool(left)),),
        flush=(device.path,),
        destroys=(f"{device.path}: {destroys}",) if destroys else (),
    )


def keep(host: Host, want: Raid, array: Array, allow: bool) -> Kept:
    """Missing members filled in, others replaced or let go, and spares kept, as far as the array stays redundant."""
    wanted = resolve(host, want.devices or (), want.name, array)
    spares = resolve(host, want.spare_devices or (), want.name, array)
    check_once(wanted + spares, f"array {want.name}")
    if array.level == "0" and spares:
        raise StorageError(f"array {want.name}: RAID 0 has no redundancy, so spare_devices could never take over")
    steps: Steps = ()
    newcomers: tuple[Device, ...] = ()
    if want.devices is not None:
        steps, host, array, newcomers = _devices(host, want, array, wanted, spares, allow)
    for device in spares:
        if device.path not in _inside(array):
            more, host, array = enter(host, want, array, device, "spare", allow)
            steps += more
    if want.spare_devices is not None:
        named = {device.path for device in wanted + spares}
        for path in array.devices("spare"):
            if path not in named:
                more, host, array = _leave(host, want, array, path)
                steps += more
    return Kept(steps, host, array, newcomers)


def shrinks(want: Raid, array: Array) -> bool:
    """Whether an array is to span fewer devices than it does, and hold less."""
    return (
        want.allow_shrink
        and want.devices is not None
        and len(want.devices) < array.raid_devices
        and array.level in SHRINKING
        and want.level in (None, array.level)
    )


def _inside(array: Array) -> set[str]:
    return {member.device for member in array.members if member.role not in OUTSIDE}


def _devices(host: Host, want: Raid, array: Array, wanted: list[Device], spares: list[Device], allow: bool) -> Kept:
    named = {device.path for device in wanted + spares}
    steps: Steps = ()
    for path in array.devices("faulty"):
        more, host, array = _remove(host, want, array, path, "which is faulty")
        steps += more
    standing = {*array.devices("spare"), *array.devices("replacing")}
    new = [device for device in wanted if device.path in standing or device.path not in _inside(array)]
    dropped = [path for path in array.devices("active", "rebuilding") if path not in named]
    missing = array.raid_devices - len(array.devices("active", "rebuilding"))
    fill = [device for device in new if device.path not in standing][: max(missing, 0)]
    for device in fill:
        more, host, array = enter(host, want, array, device, "rebuilding", allow)
        steps += more
    new = [device for device in new if device not in fill]
    # A spare that is listed fills a place by itself.
    if missing > len(fill) and not new:
        more, host, array = _shrink_mirror(host, want, array, len(wanted))
        steps += more
    filled = missing > 0 and bool(fill or new)
    if filled or array.devices("rebuilding") or array.sync_action not in ("", "idle", "frozen", "recover"):
        # What would take away, or move, a member waits until all of them are whole.
        return Kept(steps, host, array)
    adopted = {member.device: member.slot for member in array.members if member.role == "replacing"}
    for path in dropped:
        slot = next(member.slot for member in array.members if member.device == path)
        begun = [device for device in new if adopted.get(device.path, -1) == slot]
        if slot in adopted.values() and not begun:
            # Another device is taking its place already: it is replaced in its turn.
            continue
        fresh = [device for device in new if device.path not in adopted]
        if not begun and not fresh:
            if want.level in (None, array.level) and not shrinks(want, array):
                more, host, array = _let_go(host, want, array, path)
                steps += more
            continue
        device = (begun or fresh)[0]
        new.remove(device)
        more, host, array = _replace(host, want, array, path, device, allow)
        steps += more
    more, host, array = _shrink_mirror(host, want, array, len(wanted))
    steps += more
    grows = len(wanted) > array.raid_devices
    return Kept(steps, host, array, tuple(new) if grows else ())


def enter(host: Host, want: Raid, array: Array, device: Device, role: str, allow: bool) -> Change:
    """A device into the array. One that was part of it comes back, without a full rebuild where there is a bitmap."""
    path = array_path(want.name)
    option = "spare_devices" if role == "spare" else "devices"
    what = f"a member of {want.name}"
    known = next((member for member in array.members if member.device == device.path and member.role in OUTSIDE), None)
    _check_alive(want, array)
    _check_fits(host, want, array, device)
    steps: Steps = ()
    action: Any = Command(("mdadm", "--manage", path, "--add", device.path))
    claim = Claim(device.path, device.identity, None)
    as_what = "in place of a missing member" if role == "rebuilding" else "as a spare"
    if known:
        given_up = paths(host, want.discard_devices, want.name)
        check_no_version_is_lost(want, array, known, given_up)
        check_free(host, device, what, option)
        if device.path in given_up:
            lost = f"its own version of what array {want.name} holds, last updated {when(known.updated)}"
            steps = (zero_step(want.name, device, lost),)
        else:
            action, as_what = Rejoin(path, device.path), "back again"
    else:
        steps = take(host, device, what, option, allow)
        claim = blank(device)
    steps += (
        step(
            "add",
            want,
            f"{device.path} {as_what}",
            *_fresh(array, path),
            action,
            claims=(claim,),
            flush=(device.path, path),
        ),
    )
    members = tuple(member for member in array.members if member.device != device.path)
    sync_action = "recover" if role == "rebuilding" else array.sync_action
    own = usable(array.metadata, device.size, array.data_offset) if array.room else 0
    grown = array._replace(
        members=(*members, Member(device.path, role, room=own)),
        state="clean",
        sync_action=sync_action,
        room=min(array.room, own),
    )
    host = host.with_content(device.path, Signature("linux_raid_member"), held_by=path)
    return steps, with_array(host, array, grown), grown


def _check_alive(want: Raid, array: Array) -> None:
    """mdadm adds nothing to an array that has lost more members than it can do without, since that may destroy data."""
    slots = [member.slot for member in array.members if member.role == "active" and member.slot is not None]
    if not can_run(array.level, array.raid_devices, slots, array.layout):
        raise Refused(
            f"array {want.name} has failed: only {' '.join(array.devices('active')) or 'none'} of its "
            f"{array.raid_devices} members still work, and nothing can be rebuilt from that. Connect the others again, "
            "stop it (state: stopped), and start it (state: present)"
        )


def _check_fits(host: Host, want: Raid, array: Array, device: Device) -> None:
    """Raises Refused for a device that is too small, or whose sectors would change those of the array."""
    refused = f"{device.path}: refused as a member of {want.name}"
    if array.component_size and array.metadata in METADATA:
        least = least_size(array.metadata, array.component_size, array.data_offset)
        if device.size < least:
            raise Refused(
                f"{refused}: it has {device.size} bytes ({show_size(device.size)}), and a member needs {least} "
                f"({show_size(least)}): {show_size(array.component_size)} of data, and room for the superblock. Use a "
                "larger device"
            )
    running = host.devices.get(array.device)
    if running and device.sector > running.sector:
        raise Refused(
            f"{refused}: its logical sectors have {device.sector} bytes, and those of the array {running.sector}: with "
            f"it the array's would have {device.sector} too, and a filesystem or a partition table on it, made for "
            f"{running.sector}, could not be read any more. Use a device with logical sectors of {running.sector} "
            "bytes, or copy what the array holds to a new one"
        )


def _check_sectors_stay(host: Host, want: Raid, array: Array, leaving: str, *coming: Device) -> None:
    """Raises Refused where the last member with large sectors leaves, and a partition table was made for these."""
    running = host.devices.get(array.device)
    rest = [host.devices[path].sector for path in array.devices("active") if path != leaving and path in host.devices]
    if running is None or running.sector <= max([*rest, *(device.sector for device in coming)], default=running.sector):
        return
    content = host.content(running.path)[running.path]
    if running.partitions or any(signature.type in ("gpt", "dos", "PMBR") for signature in content.signatures):
        raise Refused(
            f"array {want.name}: {leaving} is its only member with logical sectors of {running.sector} bytes. Without "
            f"it those of the array would be smaller from its next start on, and {describe_content(content)} on it "
            f"could not be read any more. Put a device with logical sectors of {running.sector} bytes in its place"
        )


def _fresh(array: Array, path: str) -> tuple[Any, ...]:
    """What goes before a rebuild."""
    return (DropStripes(path),) if array.level in ("4", "5", "6") else ()


def _replace(host: Host, want: Raid, array: Array, old: str, device: Device, allow: bool) -> Change:
    """Another device in the place of one that still works, which stays in it until the other is whole."""
    path = array_path(want.name)
    if array.level == "0":
        raise Refused(
            f"array {want.name}: {old} is a member of it and not in `devices`, and RAID 0 cannot do without any of its "
            "members; copy what it holds to another array"
        )
    _check_sectors_stay(host, want, array, old, device)
    steps: Steps = ()
    started = device.path in array.devices("replacing")
    if not started and device.path not in array.devices("spare"):
        steps, host, array = enter(host, want, array, device, "spare", allow)
    command = Command(("mdadm", "--manage", path, "--replace", old, "--with", device.path))
    steps += (
        step(
            "replace",
            want,
            f"{old} by {device.path}" + (", which was begun before" if started else ""),
            *(() if started else (*_fresh(array, path), command)),
            Rebuilt(path, device.path),
            flush=(path, device.path),
        ),
    )
    slot = next(member.slot for member in array.members if member.device == old)
    members = tuple(member for member in array.members if member.device != device.path)
    replaced = array._replace(
        members=(
            *(member._replace(role="faulty", slot=None) if member.device == old else member for member in members),
            Member(device.path, "active", slot),
        )
    )
    host = with_array(host, array, replaced)
    more, host, array = _remove(host, want, replaced, old, f"which {device.path} replaced")
    zero = zero_step(want.name, host.devices[old], left=path)
    return (*steps, *more, zero), *_forget(host, array, old)


def _forget(host: Host, array: Array, path: str) -> tuple[Host, Array]:
    """The host, once a former member is blank."""
    kept = array._replace(members=tuple(member for member in array.members if member.device != path))
    return with_array(host.with_content(path), array, kept), kept


def _remove(host: Host, want: Raid, array: Array, path: str, why: str) -> Change:
    """A member that is no longer in use out of the array; its superblock stays, and tells whose it was."""
    removed = step(
        "remove",
        want,
        f"{path}, {why}",
        # udev may still be looking at it: it would have the array take it in again once it is out.
        Command(("udevadm", "settle")),
        Command(("mdadm", "--manage", array_path(want.name), "--remove", path)),
        flush=(array_path(want.name),),
    )
    gone = next(member for member in array.members if member.device == path)
    members = (
        *(member for member in array.members if member is not gone),
        gone._replace(role="former", slot=None, write_mostly=False),
    )
    # Whoever takes a member out wakes an array that waits for its first write.
    left = array._replace(members=members, state="clean")
    host = host.with_content(path, array.signature)
    return (removed,), with_array(host, array, left), left


def _leave(host: Host, want: Raid, array: Array, path: str) -> Change:
    """A spare, or one that was set faulty, out of the array and blank."""
    steps, host, array = _remove(host, want, array, path, "which is not wanted")
    zero = zero_step(want.name, host.devices[path], left=array_path(want.name))
    return (*steps, zero), *_forget(host, array, path)


def _let_go(host: Host, want: Raid, array: Array, path: str) -> Change:
    """A member that nothing replaces: where what is left can still lose one more."""
    left = len(array.devices("active")) - 1
    spare_of = redundancy(array.level, array.raid_devices, array.layout) - (array.raid_devices - left)
    if spare_of < 1:
        raise Refused(
            f"array {want.name}: {path} is a member of it and not in `devices`, and nothing takes its place: without "
            f"it, RAID {array.level} over {left} devices could not lose another one. List a device in its place"
            + (
                ", or set allow_shrink to have a smaller array."
                if array.level in SHRINKING
                else ", or remove the array."
                if array.level in ("0", "1")
                else "."
            )
        )
    _check_sectors_stay(host, want, array, path)
    md = array_path(want.name)
    steps: Steps = (
        step("fail", want, f"{path}, which is not wanted", Command(("mdadm", "--manage", md, "--fail", path))),
    )
    more, host, array = _leave(host, want, array, path)
    steps += more
    degraded = array._replace(degraded=array.degraded + 1)
    return steps, with_array(host, array, degraded), degraded


def _shrink_mirror(host: Host, want: Raid, array: Array, count: int) -> Change:
    """A RAID 1 spans as many devices as are listed: an empty place that nobody is to fill is given up."""
    if array.level != "1" or not 2 <= len(array.devices("active", "rebuilding")) == count < array.raid_devices:
        return (), host, array
    command = Command(("mdadm", "--grow", array_path(want.name), f"--raid-devices={count}"))
    shrunk = array._replace(raid_devices=count, degraded=0)
    one = step("shrink", want, f"to {count} devices", command, flush=array.devices("active"))
    return (one,), with_array(host, array, shrunk), shrunk


def mark(host: Host, want: Raid, array: Array) -> Change:
    """Members of a RAID 1 marked as write-mostly, and the others not."""
    if want.write_mostly_devices is None or (array.level != "1" and not want.write_mostly_devices):
        return (), host, array
    if array.level != "1":
        raise StorageError(f"array {want.name}: write_mostly_devices are for RAID 1, which reads from any member")
    marked = {device.path for device in resolve(host, want.write_mostly_devices, want.name)}
    listed = {device.path for device in resolve(host, want.devices, want.name)} if want.devices is not None else marked
    if marked - listed:
        raise StorageError(
            f"array {want.name}: {min(marked - listed)} is in `write_mostly_devices` and not in `devices`; name it in "
            "both"
        )
    steps: Steps = ()
    members: tuple[Member, ...] = ()
    md = f"/sys/class/block/{kernel_name(array_path(want.name))}/md"
    for member in array.members:
        mostly = member.device in marked
        inside = member.role in ("active", "rebuilding")
        if inside and mostly != member.write_mostly:
            state = f"{md}/dev-{host.devices[member.device].kernel}/state"
            detail = f"{member.device} as {'write-mostly' if mostly else 'read like the others'}"
            flush = (array_path(want.name), member.device)
            steps += (
                step("mark", want, detail, Write(state, "writemostly" if mostly else "-writemostly"), flush=flush),
            )
        members += (member._replace(write_mostly=mostly) if inside else member,)
    changed = array._replace(members=members)
    return steps, with_array(host, array, changed), changed
