# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a machine: one request, and one more for each kind of thing that it has."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ..core.errors import StorageError
from .client import Client, NotFound, RegionFailed, of_the_form
from .identity import Part, keys as partition_keys
from .state import (
    BCACHE,
    DATASTORE,
    DISK,
    LEAVING,
    LEFTOVER,
    MEMBERS,
    PARTITION,
    RAID,
    REMOUNT,
    STAND_IN,
    VOLUME,
    Bcache,
    CacheSet,
    Datastore,
    Device,
    Filesystem,
    Group,
    Machine,
    Raid,
    User,
    parse_remount,
)

#: What a region draws, from characters that are not taken for each other.
_SYSTEM_ID = re.compile("[34678abcdefghkmnpqrstwxy]{6}")
#: The lists whose items a machine only tells the numbers of, and the path of one of them.
_LISTS = {
    "raids": ("raids/", "raid"),
    "cache_sets": ("bcache-cache-sets/", "bcache-cache-set"),
    "bcaches": ("bcaches/", "bcache"),
    "volume_groups": ("volume-groups/", "volume-group"),
}
#: Where by-dname links are, in which a region writes the paths of devices.
_DNAME = "/dev/disk/by-dname/"
_NUMBER = re.compile(r"-part(\d+)$")


def read(client: Client, name: str) -> Machine:
    """The machine of that system_id, hostname or FQDN. Raises StorageError where there is none, or are several."""
    return complete(client, find(client, name))


def find(client: Client, name: str) -> dict[str, Any]:
    """What the region tells of a machine at once."""
    purpose = f"reading machine {name}"
    if not name:
        raise StorageError("machine is empty; give a system_id, a hostname or an FQDN")
    if _SYSTEM_ID.fullmatch(name):
        try:
            told: dict[str, Any] = client.get(f"machines/{name}/", purpose)
            return told
        except NotFound:
            pass
    host = name.partition(".")[0]
    with of_the_form():
        return _by_name(client, name, host, purpose)


def _by_name(client: Client, name: str, host: str, purpose: str) -> dict[str, Any]:
    found = [one for one in client.get("machines/", purpose, hostname=host) if name in (one["hostname"], one["fqdn"])]
    if not found:
        raise NotFound(f"there is no machine {name} in this region, or the API key's user does not see it")
    if len(found) > 1:
        known = ", ".join(f"{one['fqdn']} ({one['system_id']})" for one in found)
        raise StorageError(f"machine {name}: there are several: {known}; say which one by its system_id")
    return dict(found[0])


def complete(client: Client, told: Mapping[str, Any]) -> Machine:
    """A machine from what was told at once, and from the lists of what it only numbers."""
    with of_the_form():
        return _complete(client, told)


def _complete(client: Client, told: Mapping[str, Any]) -> Machine:
    system_id, hostname = told["system_id"], told["hostname"]
    lists = {}
    for kind, (path, single) in _LISTS.items():
        purpose, numbered = f"reading {kind} of {hostname}", told.get(kind) or []
        try:
            lists[kind] = client.get(f"nodes/{system_id}/{path}", purpose) if numbered else []
        except RegionFailed:
            # One orphan, which the machine itself no longer tells of, spoils the whole list.
            lists[kind] = [client.get(f"nodes/{system_id}/{single}/{stub['id']}/", purpose) for stub in numbered]
    # Of these a machine does not even tell the numbers.
    parts = [part for one in told["blockdevice_set"] for part in one["partitions"]]
    extents = any(part["filesystem"] and part["filesystem"]["fstype"] == "vmfs6" for part in parts)
    path, purpose = f"nodes/{system_id}/vmfs-datastores/", f"reading datastores of {hostname}"
    lists["datastores"] = client.get(path, purpose) if extents else []
    return parse(told, lists)


def whoami(client: Client) -> User:
    """Whose API key it is."""
    told = client.get("users/", "asking whose API key it is", op="whoami")
    with of_the_form():
        return User(told["username"], bool(told["is_superuser"]), bool(told.get("is_local", True)))


def parse(told: Mapping[str, Any], lists: Mapping[str, list[Any]]) -> Machine:
    """From the region's JSON. A logical volume is ``GROUP-NAME`` there, and ``GROUP/NAME`` here."""
    volumes = {
        str(volume["id"]): f"{group['name']}/{volume['name'][len(group['name']) + 1 :]}"
        for group in lists["volume_groups"]
        for volume in group["logical_volumes"]
    }
    kinds = {str(one["virtual_device"]["id"]): RAID for one in lists["raids"]}
    kinds.update({str(one["virtual_device"]["id"]): BCACHE for one in lists["bcaches"]})
    kinds.update(dict.fromkeys(volumes, VOLUME))
    stores = {one["name"] for one in lists["datastores"]}
    devices: dict[str, Device] = {}
    keys: dict[tuple[bool, str], str] = {}
    called = partition_keys(
        told["system_id"],
        [one["name"] for one in told["blockdevice_set"]],
        [
            Part(str(part["id"]), part["uuid"] or "", part["path"][len(_DNAME) :])
            for one in told["blockdevice_set"]
            for part in one["partitions"]
        ],
    )

    def add(found: Device) -> Device:
        """By a key of its own: of names with a slash, two may come to the same."""
        while found.key in devices:
            found = found._replace(key=f"{found.key} ({found.id})")
        devices[found.key] = found
        keys[found.kind == PARTITION, found.id] = found.key
        return found

    for one in told["blockdevice_set"]:
        number = str(one["id"])
        kind = DISK if one["type"] == "physical" else kinds.get(number, LEFTOVER)
        if kind == LEFTOVER and one["name"] in stores:
            kind = DATASTORE
        disk = add(_device(one, volumes.get(number, one["name"]), kind))
        for part in one["partitions"]:
            place = part["path"][len(_DNAME) :]
            inner = _device(part, called[str(part["id"])], PARTITION)
            found = _NUMBER.search(place)
            add(inner._replace(disk=disk.key, number=int(found.group(1)) if found else 0, place=place))

    def key(one: Mapping[str, Any]) -> str:
        found = keys.get((one["type"] == "partition", str(one["id"])))
        if found is None:
            # Its parts are told one after the other.
            raise StorageError(f"{told['hostname']} was changed by somebody else while it was read; run this again")
        return found

    machine = Machine(
        system_id=told["system_id"],
        hostname=told["hostname"],
        fqdn=told["fqdn"],
        status=told["status_name"],
        devices=devices,
        raids=tuple(
            Raid(
                id=str(one["id"]),
                name=one["name"],
                level=one["level"].replace("raid-", ""),
                members=tuple(key(member) for member in one["devices"]),
                spares=tuple(key(member) for member in one["spare_devices"]),
                device=key(one["virtual_device"]),
                uuid=one["uuid"] or "",
            )
            for one in lists["raids"]
        ),
        cache_sets=tuple(
            CacheSet(str(one["id"]), key(one["cache_device"]), one["name"])
            for one in lists["cache_sets"]
            if one["cache_device"]
        ),
        bcaches=tuple(
            Bcache(
                id=str(one["id"]),
                name=one["name"],
                backing=key(one["backing_device"]),
                cache_set=str(one["cache_set"]["id"]) if one["cache_set"] else "",
                cache_mode=one["cache_mode"],
                device=key(one["virtual_device"]),
                uuid=one["uuid"] or "",
            )
            for one in lists["bcaches"]
        ),
        groups=tuple(
            Group(
                id=str(one["id"]),
                name=one["name"],
                devices=tuple(key(member) for member in one["devices"]),
                volumes=tuple(key({"type": "virtual", "id": volume["id"]}) for volume in one["logical_volumes"]),
                uuid=one["uuid"] or "",
            )
            for one in lists["volume_groups"]
        ),
        datastores=tuple(
            Datastore(
                id=str(one["id"]),
                name=one["name"],
                devices=tuple(key(member) for member in one["devices"]),
                device=one["name"],
                uuid=one["uuid"] or "",
            )
            for one in lists["datastores"]
        ),
        owner=told["owner"] or "",
        boot_disk=key(told["boot_disk"]) if told["boot_disk"] else "",
        special=tuple(_filesystem(one) for one in told["special_filesystems"]),
        bios_grub=told["architecture"].startswith("amd64/") and told["bios_boot_method"] != "uefi",
    )
    return _with_users(machine)


def _device(one: Mapping[str, Any], key: str, kind: str) -> Device:
    filesystem = one["filesystem"]
    member = filesystem["fstype"] if filesystem and filesystem["fstype"] in MEMBERS else ""
    if kind == DATASTORE:
        # It holds what it is, and is mounted where ESXi has it.
        filesystem = None
        member = ""
    return Device(
        key=key,
        id=str(one["id"]),
        kind=kind,
        size=int(one["size"]),
        filesystem=_filesystem(filesystem) if filesystem and not member else None,
        member=member,
        uuid=one["uuid"] or "",
        bootable=bool(one.get("bootable")),
        tags=tuple(tag for tag in one["tags"] if not tag.startswith((STAND_IN, LEAVING, REMOUNT))),
        marks=frozenset(one["tags"]) & {STAND_IN, LEAVING},
        remount=parse_remount(one["tags"]),
        serial=one.get("serial") or "",
        model=one.get("model") or "",
        id_path=one.get("id_path") or "",
        numa_node=one.get("numa_node"),
        used_for=one["used_for"],
    )


def _filesystem(one: Mapping[str, Any]) -> Filesystem:
    """Its mount point as a document writes it, so that what is told can be given back."""
    point = one["mount_point"] or None
    if point and point.startswith("/"):
        point = posixpath.normpath("/" + point.lstrip("/"))
    return Filesystem(one["fstype"], one["label"] or "", one["uuid"] or "", point, one["mount_options"] or "")


def _with_users(machine: Machine) -> Machine:
    """Each device with what it is a part of."""
    for raid in machine.raids:
        machine = _used(machine, raid.members, "raid", f"RAID {raid.name}")
        machine = _used(machine, raid.spares, "raid-spare", f"RAID {raid.name}")
    for cache_set in machine.cache_sets:
        names = [one.name for one in machine.bcaches if one.cache_set == cache_set.id]
        user = f"bcache {' '.join(names)}" if names else "a cache set that nothing uses"
        machine = _used(machine, (cache_set.device,), "bcache-cache", user)
    for bcache in machine.bcaches:
        machine = _used(machine, (bcache.backing,), "bcache-backing", f"bcache {bcache.name}")
    for group in machine.groups:
        machine = _used(machine, group.devices, "lvm-pv", f"drive {group.name}")
    for store in machine.datastores:
        machine = _used(machine, store.devices, "vmfs6", f"datastore {store.name}")
    return machine


def _used(machine: Machine, keys: tuple[str, ...], member: str, user: str) -> Machine:
    changed = {key: machine.devices[key]._replace(member=member, user=user) for key in keys}
    return machine._replace(devices={**machine.devices, **changed})
