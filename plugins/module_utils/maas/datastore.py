# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMFS datastores: extents of ESXi's filesystem, on partitions. MAAS makes one over all of each disk that is given."""

from __future__ import annotations

from ..core.errors import Refused, StorageError
from ..core.plan import Plan, Step
from ..document.names import check_name
from ..document.sizes import show_size
from .actions import Call, fields, future, keeps, members, step
from .document import Datastore as Wanted
from .safety import check_once, check_uuid, take
from .stand_in import dropped, leaving, over_all, place
from .state import DATASTORE, DISK, PARTITION, Datastore, Device, Machine

Steps = tuple[Step, ...]


def find(machine: Machine, name: str) -> Datastore | None:
    return next((one for one in machine.datastores if one.name == name), None)


def plan(machine: Machine, want: Wanted, allow: bool, renamed_from: str = "", uuid: str = "") -> Plan:
    there = find(machine, want.name)
    if want.state == "absent":
        return _absent(machine, want, there, allow)
    there = there or (find(machine, renamed_from) if renamed_from else None)
    if uuid and (there is None or uuid != there.uuid):
        check_uuid(uuid, f"datastore {want.name}")
    if there is None or want.name != there.name:
        check_name(want.name, "datastore", longest=127)
    if there is None:
        return _create(machine, want, allow, uuid)
    return _change(machine, want, there, allow, uuid)


def _path(machine: Machine, store: Datastore) -> str:
    return f"nodes/{machine.system_id}/vmfs-datastore/{store.id}/"


def _places(machine: Machine, want: Wanted, inside: tuple[str, ...]) -> list[Device]:
    what = f"datastore {want.name}"
    devices = [place(machine, machine.device(text, what), inside) for text in want.devices or ()]
    check_once(devices, what)
    for device in devices:
        if device.kind not in (DISK, PARTITION):
            raise Refused(
                f"{device.key}: refused for {what}: it is a {device.kind}, and a datastore is on disks and partitions"
            )
        if machine.is_esxi(device) and device.key not in inside:
            raise Refused(f"{device.key}: refused for {what}: it belongs to ESXi's image. Choose another device")
    return devices


def _extents(machine: Machine, devices: list[Device]) -> tuple[Machine, tuple[str, ...]]:
    """The partitions that it gets, those among them that the region makes."""
    keys = []
    for device in devices:
        key = device.key
        if device.kind == DISK:
            machine, key = over_all(machine, device)
        keys.append(key)
    return machine, tuple(keys)


def _taken(machine: Machine, want: Wanted, devices: list[Device], allow: bool) -> tuple[Steps, Machine]:
    steps: Steps = ()
    for device in devices:
        more, machine = take(machine, device, f"an extent of datastore {want.name}", allow)
        steps += more
    return steps, machine


def _with(machine: Machine, old: Datastore | None, new: Datastore, device: Device) -> Machine:
    if old and old.device != device.key:
        machine = machine.without(old.device)
    size = sum(machine.devices[key].size for key in new.devices)
    machine = machine.with_device(device._replace(size=size))
    machine = machine.holding(new.devices, "vmfs6", f"datastore {new.name}")
    kept = tuple(one for one in machine.datastores if one is not old)
    return machine._replace(datastores=(*kept, new))


def _create(machine: Machine, want: Wanted, allow: bool, uuid: str) -> Plan:
    if want.devices is None:
        raise StorageError(f"datastore {want.name} does not exist, and to create it, say also: devices")
    if not machine.esxi[0]:
        raise Refused(
            f"datastore {want.name}: {machine.hostname} has no layout of ESXi, and MAAS makes datastores on no other. "
            "Say base_layout: vmfs6 or vmfs7"
        )
    devices = _places(machine, want, ())
    steps, machine = _taken(machine, want, devices, allow)
    given = members(machine, tuple(device.key for device in devices))
    machine, extents = _extents(machine, devices)
    call = Call(
        "POST",
        f"nodes/{machine.system_id}/vmfs-datastores/",
        fields(name=want.name, uuid=uuid or None, **given),
        keeps=keeps(machine, "datastore", want.name),
    )
    size = show_size(sum(machine.devices[key].size for key in extents))
    detail = f"VMFS on {' '.join(device.key for device in devices)}, {size}"
    made = Datastore(future(machine, "datastore", want.name), want.name, extents, want.name, uuid)
    device = Device(want.name, "", DATASTORE, 0)
    return Plan((*steps, step("create", "datastore", want.name, detail, call)), _with(machine, None, made, device))


def _change(machine: Machine, want: Wanted, there: Datastore, allow: bool, uuid: str) -> Plan:
    """What comes in comes before what goes."""
    steps: Steps = ()
    path, changed = _path(machine, there), there._replace(name=want.name, device=want.name)
    if want.name != there.name:
        call = Call("PUT", path, fields(name=want.name))
        steps += (step("rename", "datastore", want.name, f"from {there.name}", call),)
    if uuid and uuid != there.uuid:
        changed = changed._replace(uuid=uuid)
        call = Call("PUT", path, fields(uuid=uuid))
        steps += (step("set", "datastore", want.name, f"UUID {uuid}", call),)
    gone: tuple[str, ...] = ()
    if want.devices is not None:
        devices = _places(machine, want, there.devices)
        keys = [device.key for device in devices]
        new = [device for device in devices if device.key not in there.devices]
        gone = tuple(key for key in there.devices if key not in keys)
        if gone and not allow:
            raise Refused(
                f"datastore {want.name}: {' '.join(gone)} leaves, and VMFS without an extent has lost what is on it. "
                "Name it in `devices`, or set allow_destroy to have that lost"
            )
        more, machine = _taken(machine, want, new, allow)
        steps += more
        if new:
            names = tuple(device.key for device in new)
            call = Call("PUT", path, fields(**members(machine, names, "add_")))
            steps += (step("change", "datastore", want.name, f"add {' '.join(names)}", call),)
        machine, extents = _extents(machine, new)
        notes, machine = leaving(machine, gone, gone)
        if gone:
            call = Call("PUT", path, fields(**members(machine, gone, "remove_")))
            lost = (f"{want.name}: what it holds on {' '.join(gone)}",)
            one = step("change", "datastore", want.name, f"remove {' '.join(gone)}", *notes, call, destroys=lost)
            steps += (one,)
        kept = tuple(key for key in there.devices if key not in gone)
        changed = changed._replace(devices=(*kept, *extents))
    if changed == there:
        return Plan(steps, machine)
    device = machine.devices[there.device]._replace(key=want.name, used_for="")
    machine = _with(machine.blank(*gone), there, changed, device)
    more, machine = dropped(machine, gone)
    return Plan(steps + more, machine)


def _absent(machine: Machine, want: Wanted, there: Datastore | None, allow: bool) -> Plan:
    if there is None:
        return Plan((), machine)
    if not allow:
        raise Refused(
            f"datastore {want.name} cannot be removed: it is a filesystem VMFS. Set allow_destroy to have that removed"
        )
    notes, machine = leaving(machine, there.devices, there.devices)
    one = step(
        "remove",
        "datastore",
        want.name,
        f"VMFS on {' '.join(there.devices)}",
        *notes,
        Call("DELETE", _path(machine, there)),
        destroys=(f"{want.name}: a filesystem VMFS",),
    )
    machine = machine.blank(*there.devices).without(there.device)
    machine = machine._replace(datastores=tuple(other for other in machine.datastores if other is not there))
    more, machine = dropped(machine, there.devices)
    return Plan((one, *more), machine)
