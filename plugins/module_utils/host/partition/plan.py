# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitions: made in a GPT, grown and removed one by one, while the others are in use. Those of an MBR are grown."""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan, Step, Wait, kernel_name, new_uuid, placeholder
from ...document.partition import TYPES, Partition
from ...document.sizes import Percent, show_size, whole_mib
from ..actions import Claim, Inspect
from ..devices import BLANK, Content, Device, Signature
from ..host import Host, replace_item
from ..layer import Found, Reported
from ..safety import (
    blank,
    check_boot,
    check_may_grow,
    check_no_version,
    check_reserved,
    check_unused,
    describe_content,
    take,
    usage,
    wipe_steps,
)
from ..unfinished import about, anew, begun, ended, forget, half_made, intent, look
from .nodes import names
from .state import Part, Table, partition_number

Steps = tuple[Step, ...]
MiB = 1 << 20
#: The header, the entries and, at the end, their copies: nothing begins or ends in the first or the last of these.
_EDGE = MiB
#: It is told not to ask whether others are in use, and the kernel is told by partx, which leaves those alone.
_SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")
#: Of an MBR: what holds the logical partitions, which are numbered from 5 on.
_EXTENDED = ("5", "f", "85")
_PRIMARY = 4
_LABELS = {"gpt": "a GPT", "dos": "an MBR partition table"}
#: What a device with partitions may hold. A table written for other sectors is one that this device's own replaced.
_TABLES = ("gpt", "dos", "PMBR", "gpt-512", "gpt-4096")

BY_DEVICE = True


def link(name: str) -> str:
    """The path by which a partition of that name is known."""
    return f"/dev/disk/by-partlabel/{name}"


def plan(host: Host, want: Partition, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    disk, there = find(host, want)
    if want.state == "absent":
        planned = Plan((), host) if disk is None or there is None else _absent(host, want, disk, there, allow)
        steps, host = _forget(planned.after, want)
        return Plan(planned.steps + steps, host)
    if disk is None:
        disk = host.device(want.device, f"partition {want.name}")
    if there is None:
        return _create(host, want, disk, allow)
    record = begun(host, f"partition {want.name}")
    looked, host = (
        look(host, record, "partition", want.name, there.path, allow)
        if record and record.devices == (disk.path,)
        else ((), host)
    )
    steps, host = _resize(host, want, disk, there)
    more, host = _retype(host, want, disk, there)
    return Plan(looked + steps + more, host)


def find(host: Host, want: Partition) -> tuple[Device | None, Device | None]:
    """The device that it is to be a part of, and itself, as far as they are there. Refused where its words disagree."""
    device = host.find(want.device)
    if device is None:
        return None, None
    if device.disk:
        number = partition_number(device.path)
        if want.number not in (None, number):
            raise StorageError(f"partition {want.name}: {device.path} is number {number}, and {want.number} is said")
        return host.devices[device.disk], device
    named = [path for path in device.partitions if host.devices[path].part_name == want.name]
    if want.number is not None:
        found = [path for path in device.partitions if partition_number(path) == want.number]
        if named and named != found:
            raise Refused(f"partition {want.name}: {named[0]} has this name already, and is not number {want.number}")
    elif len(named) > 1:
        raise Refused(f"partition {want.name}: {' and '.join(named)} both have this name; say which one by number")
    else:
        found = named
    return device, host.devices[found[0]] if found else None


def _table(host: Host, want: Partition, disk: Device) -> Table:
    """The table of a device. Raises Refused where that is of no kind that is known here."""
    table = host.table(disk.path)
    if table is None or table.label not in _LABELS:
        found = f"a partition table of type {table.label}" if table else "no partition table that is known"
        raise Refused(f"partition {want.name}: {disk.path} has {found}, and only those of a GPT or an MBR are managed")
    return table


def _check_table(host: Host, want: Partition, disk: Device, table: Table) -> None:
    """Raises StorageError where a table should not be changed."""
    what = f"partition {want.name}"
    if disk.read_only:
        raise StorageError(f"{what}: {disk.path} is read-only")
    used = usage(host, disk._replace(partitions=()))
    if used:
        raise Refused(f"{what}: {disk.path} {used}, as a whole, and its partition table is not changed behind that")
    content = host.content(disk.path)[disk.path]
    others = Content(tuple(one for one in content.signatures if one.type not in _TABLES))
    # What partitions that are in use lie over was lost with a former life of the disk.
    if others.signatures and not usage(host, disk):
        raise Refused(
            f"{what}: beside a partition table {disk.path} holds {describe_content(others)}, as a whole; what is "
            "written to the one may destroy the other. Nothing was changed. Copy what you need of either to another "
            f"device; if the partitions are what counts, take the other's signature away (`wipefs {disk.path}` shows "
            "where it is, `wipefs --offset` erases it there)"
        )
    if table.limit and table.limit < table.end:
        raise Refused(
            # By few sectors, as a USB bridge takes them: of more, the kernel does not use the table at all.
            f"{what}: the partition table of {disk.path} is that of a larger device: it goes up to "
            f"{show_size(table.end)}, and this one has {show_size(disk.size)}. What lies behind is not here; nothing "
            "was changed"
        )


def _fitted(host: Host, disk: Device, table: Table) -> tuple[Steps, Host, Table]:
    """The table, made for all that its device has by now. Whatever sfdisk writes, it does that too."""
    if not table.limit:
        return (), host, table
    table = table._replace(end=table.limit, limit=0)
    move = Step(
        "grow",
        "table",
        host.shown(disk.path),
        f"to the end of the device, which grew to {show_size(disk.size)}",
        (Command((*_SFDISK, "--relocate", "gpt-bak-std", disk.path)),),
        claims=(_as_planned(disk),),
        flush=(disk.path,),
    )
    return (move,), _with_table(host, disk, table), table


def _create(host: Host, want: Partition, disk: Device, allow: bool) -> Plan:
    steps: Steps = ()
    if not disk.partitionable:
        raise StorageError(
            f"partition {want.name}: the kernel shows no partitions of {disk.path}; use it as a whole, or divide what "
            "it is made of"
        )
    held = [signature.type for signature in host.content(disk.path)[disk.path].signatures]
    left = half_made(host, "table", disk.path)
    if (left or "gpt" not in held) and not disk.partitions:
        if left:
            steps += wipe_steps([(disk, host.content(disk.path)[disk.path])], lost=False)
        else:
            steps += take(host, disk, f"the device of partition {want.name}", "device", allow)
        table_uuid = new_uuid(f"table/{disk.path}")
        steps += (
            _step(
                want,
                "create",
                f"a GPT on {disk.path}",
                # Else sfdisk begins at the disk's optimal I/O size where that is larger, as a RAID controller's stripe.
                _sfdisk(disk, f"label: gpt\nlabel-id: {table_uuid}\nfirst-lba: {_EDGE // disk.sector}\n"),
                claims=(blank(disk),),
                flush=(disk.path,),
                intent=intent(f"table for partition {want.name}", table_uuid, disk.path),
            )._replace(kind="table", name=host.shown(disk.path)),
        )
        host = ended(host.with_content(disk.path, Signature("gpt")), *about(host, "table", disk.path))
        host = host._replace(
            tables={**host.tables, disk.path: Table("gpt", _EDGE, disk.size - _EDGE, sector=disk.sector)}
        )
    table = _table(host, want, disk)
    _check_table(host, want, disk, table)
    if table.label != "gpt":
        which = f"there is no partition {want.number}" if want.number else "only a GPT names its partitions"
        raise Refused(
            f"partition {want.name}: {disk.path} has {_LABELS[table.label]}: {which}, and none is made there. One that "
            "is there is meant by its number, or its path as device"
        )
    part = next((part for part in table.parts if f'name="{want.name}"' in part.words), None)
    if part:
        return _complete(host, want, disk, part, allow)
    number = _number(want, disk, table)
    more, host, table = _fitted(host, disk, table)
    steps += more
    start, size, rest = _place(want, disk, table)
    path = _path(disk, number)
    words = [
        f"start={start // MiB}MiB",
        *([] if rest else [f"size={_size_word(want, disk, size)}MiB"]),
        f"type={TYPES[want.type or 'linux']}",
        f'name="{want.name}"',
    ]
    create = _step(
        want,
        "create",
        f"{show_size(size)} of {host.shown(disk.path)}, from {show_size(start)} on",
        _sfdisk(disk, f"{number}: {', '.join(words)}\n", "--append"),
        *_tell(disk, number),
        Wait(path),
        Inspect(path, wipe=host.may_lose(disk.path, allow)),
        intent=intent(f"partition {want.name}", "", disk.path),
        flush=(disk.path,),
        undo=(
            _delete(disk, number),
            *_tell(disk, number),
        ),
    )
    host = _with_partition(host, want, disk, path, size)
    part = Part(number, start, size, TYPES[want.type or "linux"])
    return Plan((*steps, create), _with_table(host, disk, table._replace(parts=(*table.parts, part))))


def _number(want: Partition, disk: Device, table: Table) -> int:
    free = [number for number in range(1, table.slots + 1) if number not in [part.number for part in table.parts]]
    if want.number and want.number not in free:
        raise StorageError(
            f"partition {want.name}: the table of {disk.path} has numbers from 1 to {table.slots}, and no place for "
            f"number {want.number}"
        )
    if not free:
        raise StorageError(
            f"partition {want.name}: the table of {disk.path} has no place for another partition: all {table.slots} "
            "are taken"
        )
    return want.number or free[0]


def _complete(host: Host, want: Partition, disk: Device, part: Part, allow: bool) -> Plan:
    """One that only the second copy of the table has as it should be, and the kernel does not see therefore."""
    record = begun(host, f"partition {want.name}")
    path = _path(disk, part.number)
    if record is None or record.devices != (disk.path,):
        raise Refused(
            f"partition {want.name}: the GPT on {disk.path} names it, and the kernel does not show it. One of the two "
            f"copies of the table may be damaged: see sfdisk --verify {disk.path}. Nothing was changed."
        )
    # It writes both copies, from the one that is whole.
    again = Command((*_SFDISK, "--part-type", disk.path, str(part.number), part.type))
    step = _step(
        want,
        "complete",
        f"{path}, which a crash left in one copy of the table of {disk.path}",
        again,
        *_tell(disk, part.number),
        Wait(path),
        Inspect(path, wipe=host.may_lose(disk.path, allow)),
        flush=(disk.path,),
        intent=intent(record.thing, record.uuid, disk.path),
    )
    return Plan((step,), _with_partition(host, want, disk, path, part.size))


def _with_partition(host: Host, want: Partition, disk: Device, path: str, size: int) -> Host:
    made = Device(
        path,
        size=size,
        disk=disk.path,
        link=link(want.name),
        part_name=want.name,
        sector=disk.sector,
        physical=disk.physical,
    )
    host = anew(host, f"partition {want.name}").with_device(made, link(want.name))
    there = host.devices[disk.path]
    return host._replace(devices={**host.devices, disk.path: there._replace(partitions=(*there.partitions, path))})


def _path(disk: Device, number: int) -> str:
    return f"{disk.path if disk.kernel else f'/dev/{kernel_name(disk.path)}'}{_infix(disk)}{number}"


def _infix(disk: Device) -> str:
    """``sda1``, ``nvme0n1p1``; what is made by the document (``md0p1``, ``bcache0p1``) ends in a digit."""
    return "p" if not disk.kernel or disk.kernel[-1].isdigit() else ""


def _place(want: Partition, disk: Device, table: Table) -> tuple[int, int, bool]:
    """Where a new one begins, how large it is, and whether that is all up to what follows. In bytes, whole MiB."""
    gaps = [(start, end - start) for start, end in _gaps(table) if end > start]
    if not gaps:
        raise StorageError(f"partition {want.name}: {disk.path} has no space left for it")
    if want.size in (None, Percent(100)):
        start, size = max(gaps, key=lambda gap: (gap[1], -gap[0]))
        return start, size, True
    size = _bytes(want, disk)
    fitting = [gap for gap in gaps if gap[1] >= size]
    if not fitting:
        most = max(room for _start, room in gaps)
        raise StorageError(
            f"partition {want.name}: {show_size(size)} does not fit: {disk.path} has {show_size(most)} in one piece"
        )
    return fitting[0][0], size, False


def _bytes(want: Partition, disk: Device) -> int:
    """How large it is to be, in whole MiB."""
    if isinstance(want.size, Percent):
        return whole_mib(want.size.of(disk.size)) * MiB
    return -(-(want.size or 0) // MiB) * MiB


def _size_word(want: Partition, disk: Device, size: int) -> str:
    """Of a device that is only planned the size is an estimate, and so is a share of it."""
    if isinstance(want.size, Percent) and not disk.kernel:
        return placeholder("portion", f"{want.size}-of-{disk.path}")
    return str(size // MiB)


def _gaps(table: Table) -> list[tuple[int, int]]:
    """The spaces between partitions, from and to where, in whole MiB."""
    found, start = [], table.start
    for part in sorted(table.parts, key=lambda part: part.start):
        found.append((_up(start), part.start // MiB * MiB))
        start = part.start + part.size
    return [*found, (_up(start), table.end // MiB * MiB)]


def _up(place: int) -> int:
    return -(-place // MiB) * MiB


def _resize(host: Host, want: Partition, disk: Device, there: Device) -> tuple[Steps, Host]:
    if want.size is None or (not isinstance(want.size, Percent) and abs(want.size - there.size) < MiB):
        return (), host
    table = _table(host, want, disk)
    part = table.part(partition_number(there.path))
    room = _following(table, part) // MiB * MiB - part.start
    wanted = room if want.size == Percent(100) else _bytes(want, disk)
    if abs(wanted - part.size) < MiB:
        # Of an extended one the kernel shows a KiB.
        if part.size == there.size or part.type in _EXTENDED:
            return (), host
        check_may_grow(host, there, f"partition {want.name}: its table gives it {show_size(part.size)} by now")
        # Whoever wrote it was cut short, and did not come to tell the kernel.
        detail, tell = f"{there.path} with {show_size(part.size)}", _tell(disk, part.number)
        told = _step(want, "announce", detail, *tell, flush=(disk.path,))
        return (told,), host.with_size(there.path, part.size)
    _check_table(host, want, disk, table)
    if wanted < part.size:
        raise Refused(
            f"partition {want.name}: it has {show_size(part.size)}, and {show_size(wanted)} is wanted; partitions do "
            "not become smaller here. Make another one, and copy what this one holds"
        )
    if wanted > room:
        raise StorageError(
            f"partition {want.name}: {show_size(wanted)} is wanted, and up to what follows it there is room for "
            f"{show_size(room)}"
        )
    if part.type not in _EXTENDED:
        check_may_grow(host, there, f"partition {want.name}: it has {show_size(part.size)}, not {show_size(wanted)}")
    steps, host, table = _fitted(host, disk, table)
    # What is not said, sfdisk sets anew, the name included.
    words = (f"start={part.start // table.sector}", f"size={wanted // table.sector}", f"type={part.type}", *part.words)
    script = f"{', '.join(words)}\n"
    grow = _step(
        want,
        "grow",
        f"{there.path} to {show_size(wanted)}",
        _sfdisk(disk, script, "-N", str(part.number)),
        *_tell(disk, part.number),
        claims=(_as_planned(disk),),
        flush=(disk.path,),
    )
    if part.type not in _EXTENDED:
        host = host.with_size(there.path, wanted)
    return (*steps, grow), _with_part(host, disk, table, part, part._replace(size=wanted))


def _following(table: Table, part: Part) -> int:
    """Where what comes after a partition begins. Before each logical one, within a MiB, is its own small table."""
    others = [other for other in table.parts if other.number != part.number]
    if table.label == "dos":
        logical = part.number > _PRIMARY
        outer = [other.start + other.size for other in others if logical and other.type in _EXTENDED]
        starts = [other.start - MiB * logical for other in others if (other.number > _PRIMARY) == logical]
        return min((start for start in (*starts, *outer) if start > part.start), default=table.end)
    return min((other.start for other in others if other.start > part.start), default=table.limit or table.end)


def _retype(host: Host, want: Partition, disk: Device, there: Device) -> tuple[Steps, Host]:
    if want.type is None:
        return (), host
    table = _table(host, want, disk)
    part = table.part(partition_number(there.path))
    kind = TYPES[want.type]
    if part.type == kind:
        return (), host
    _check_table(host, want, disk, table)
    steps, host, table = _fitted(host, disk, table)
    command = Command((*_SFDISK, "--part-type", disk.path, str(part.number), kind))
    one = _step(want, "mark", f"{there.path} as {want.type}", command, flush=(disk.path,))
    return (*steps, one), _with_part(host, disk, table, part, part._replace(type=kind))


def _absent(host: Host, want: Partition, disk: Device, there: Device, allow: bool) -> Plan:
    """With the last one goes the table, so that the device is blank."""
    what = f"partition {want.name} cannot be removed"
    check_unused(host, there, what, "Take away what uses it first.")
    check_no_version(host, there, what)
    check_reserved(host, there.path, what, allow)
    content = host.content(there.path)[there.path]
    if content.signatures and not host.may_lose(there.path, allow):
        raise Refused(
            f"{what}: {there.path} holds {describe_content(content)}. Set allow_destroy to destroy that, or name "
            f"{host.stable(there.path)} in it."
        )
    check_boot(host, there.path, content, what)
    steps = wipe_steps([(there, content)]) if content.signatures else ()
    left = tuple(path for path in disk.partitions if path != there.path)
    table = _table(host, want, disk)
    _check_table(host, want, disk, table)
    number = partition_number(there.path)
    if table.label == "dos":
        _check_numbers(what, table, number)
    host = host.without_device(there.path)
    host = host._replace(devices={**host.devices, disk.path: disk._replace(partitions=left)})
    if left:
        remove = _delete(disk, number)
        steps += (_step(want, "remove", there.path, remove, *_tell(disk, number), flush=(disk.path,)),)
        kept = tuple(part for part in table.parts if part.number != number)
        return Plan(steps, _with_table(host, disk, table._replace(parts=kept)))
    # It has the kernel read the table again, which is not there then.
    wipe = Command(("wipefs", "--all", disk.path))
    detail = f"{there.path}, and with it, the last one, the table of {disk.path}"
    steps += (_step(want, "remove", detail, wipe, Wait(there.path, gone=True), flush=(disk.path,)),)
    host = host._replace(contents={**host.contents, disk.path: BLANK}, tables={**host.tables, disk.path: None})
    return Plan(steps, host)


def _check_numbers(what: str, table: Table, number: int) -> None:
    """Raises Refused where an MBR would call other partitions by other numbers then, or lose them."""
    logical = [part.number for part in table.parts if part.number > _PRIMARY]
    inside = logical if table.part(number).type in _EXTENDED else [other for other in logical if other > number]
    if inside and (number > _PRIMARY or table.part(number).type in _EXTENDED):
        numbers = " ".join(map(str, inside))
        why = "are inside of it" if number <= _PRIMARY else "would be renumbered"
        raise Refused(
            f"{what}: the logical partitions {numbers} {why}. Remove them first, from the highest number down."
        )


def _with_part(host: Host, disk: Device, table: Table, old: Part, new: Part) -> Host:
    return _with_table(host, disk, table._replace(parts=replace_item(table.parts, old, new)))


def _as_planned(disk: Device) -> Claim:
    return Claim(disk.path, disk.identity, None, shared=True)


def _forget(host: Host, want: Partition) -> tuple[Steps, Host]:
    """What a crash left of its creation, which is not there any more, or which nobody wants."""
    steps: Steps = ()
    disk = host.find(want.device)
    record = half_made(host, "table", disk.path) if disk else None
    if disk and record and record.thing == f"table for partition {want.name}":
        steps = wipe_steps([(disk, host.content(disk.path)[disk.path])], lost=False)
        host = host.with_content(disk.path)
    for thing in ("table for partition", "partition"):
        more, host = forget(host, f"{thing} {want.name}")
        steps += more
    return steps, host


def _with_table(host: Host, disk: Device, table: Table) -> Host:
    return host._replace(tables={**host.tables, disk.path: table})


def _step(want: Partition, verb: str, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb, "partition", want.name, detail, actions, **more)


def _sfdisk(disk: Device, script: str, *options: str) -> Command:
    return Command((*_SFDISK, "--wipe=never", "--wipe-partitions=never", *options, disk.path), input=script)


def _delete(disk: Device, number: int) -> Command:
    return Command((*_SFDISK, "--delete", disk.path, str(number)))


def _tell(disk: Device, number: int) -> tuple[Command, ...]:
    """udev has the kernel read the table again after it was written, and partitions come and go meanwhile.

    Without the number, partx looks at no more of them than there are, and fails where none is left.
    """
    return (Command(("partx", "--update", "--nr", str(number), disk.path)), Command(("udevadm", "settle")))


def device_paths(want: Partition) -> dict[str, str]:
    """The devices that it is, by the names that the document has for them."""
    return {want.name: link(want.name)}


def called(host: Host, want: Partition) -> str:
    """What its table calls it, where it is found by its number."""
    there = locate(host, want)
    return there.part_name if there else want.name


def made_of(host: Host, want: Partition, _role: str) -> tuple[str, ...]:
    """The devices that it lies on already."""
    return tuple(device.disk for device in host.devices.values() if device.part_name == want.name)


def facts(host: Host, want: Partition) -> dict[str, Any]:
    """What the module returns of the wanted partition."""
    disk, there = find(host, want)
    if disk is None or there is None:
        return {"partition": None, "status": None}
    found, doing = dump(host, disk, there), status(there)
    if there.part_name != want.name:
        found.update(name=want.name, number=doing["number"])
    return {"partition": found, "status": doing}


def dump(host: Host, disk: Device, there: Device) -> dict[str, Any]:
    """A partition as an item of the document."""
    return {"name": there.part_name, "device": host.stable(disk.path), "size": there.size, "state": "present"}


def status(there: Device) -> dict[str, Any]:
    """How it does, beyond what a document says."""
    return {"device": there.path, "size": there.size, "number": partition_number(there.path)}


def survey(host: Host) -> list[Reported]:
    """All that have a name of their own, and one that a document can have."""
    named = [host.devices[path] for path in names(host)]
    return [Reported(dump(host, host.devices[there.disk], there), status(there)) for there in named]


def present(host: Host) -> list[Found]:
    """All that have a name, and the word that takes each away."""
    found = [(item["name"], host.devices[doing["device"]]) for item, doing in survey(host)]
    return [Found(name, Partition(name, there.disk, state="absent"), (there.path,)) for name, there in found]


def locate(host: Host, want: Partition) -> Device | None:
    """The partition, by its name or number on its disk."""
    return find(host, want)[1]
