# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcache: what a slow device behind a fast cache needs to be as it is wanted.

A backing device is known by its label; its attributes are under its own sysfs directory, whatever the kernel calls
the cached device. A cache set is known by its cache device.
"""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused, StorageError
from ...core.plan import Command, Plan, Step, Wait, Write, new_uuid
from ...document.bcache import TUNABLES, Bcache
from ...document.sizes import show_size
from ..actions import Claim, Release
from ..devices import Device, Signature
from ..findings import of_devices, told
from ..host import Host, replace_item
from ..layer import Found, Reported
from ..safety import blank, emptied, is_own, take
from ..unfinished import anew, begun, forget, same_uuid
from . import tunables
from .attach import (
    REGISTER,
    Steps,
    bind,
    creation,
    detach_step,
    device_path,
    grow,
    is_for_others,
    leaving,
    register,
    removal,
    replace_backing,
    step,
    stop_step,
)
from .health import of_backing, of_cache_set
from .state import Backing, CacheSet, set_of

_SIGNATURE = Signature("bcache")
_BUCKET_SIZE = 512 << 10
_LEAST_BUCKET = 4 << 10
_FEW_BUCKETS = 512

BY_DEVICE = False


def references(want: Bcache) -> tuple[str, ...]:
    """What has to be resolved to plan this bcache."""
    return tuple(reference for reference in (want.backing_device, want.cache_device) if reference)


def plan(host: Host, want: Bcache, allow: bool) -> Plan:
    """What it takes. ``allow``: data may be destroyed. Raises StorageError for what cannot, or may not, be done."""
    backing = _find(host, want)
    if want.state == "absent":
        return _absent(host, want, backing, allow)
    device = host.find(want.backing_device or "")
    if device and device == host.find(want.cache_device or ""):
        raise StorageError(f"bcache {want.name}: {device.path} is both its backing device and its cache")
    steps: Steps = ()
    if "bcache" not in host.modules:
        load = (Command(("modprobe", "bcache")), Wait(REGISTER))
        steps += (Step("load", "module", "bcache", "into the kernel", load),)
        host = host._replace(modules=(*host.modules, "bcache"))
    more, host, cache_set = _cache(host, want, backing, allow)
    steps += more
    if backing is None:
        more, host, backing = _create(host, want, cache_set, allow)
    else:
        more, host = tunables.keep_backing(host, want.name, want.tunables, new=False)
    steps += more
    more, host, backing = register(host, want, backing, allow)
    steps += more
    more, host, backing = _label(host, want, backing)
    steps += more
    old = set_of(host.cache_sets, backing)
    more, host, backing = bind(host, want, backing, cache_set, allow)
    steps += more
    if old and not is_for_others(host, old):
        more, host = _remove_cache_set(host, want, old, backing, _check_others(host, want, old, allow))
        steps += more
    left = _left_behind(host, want, backing)
    if left:
        more, host = _remove_cache_set(host, want, left, backing, _check_others(host, want, left, allow))
    else:
        more, host = forget(host, leaving(want))
    steps += more
    more, host, backing = grow(host, want, backing)
    steps += more
    more, host, backing = tunables.tune(host, want, backing, cache_set)
    steps += more
    return Plan(steps, host, warnings=_warnings(host, want, backing))


def _find(host: Host, want: Bcache) -> Backing | None:
    """The backing device that is meant: by label, else (while it has none) by device. Refused where they disagree."""
    labelled = [backing for backing in host.backings if backing.name == want.name]
    if len(labelled) > 1:
        paths = " and ".join(backing.device for backing in labelled)
        if labelled[0].uuid and len({backing.uuid for backing in labelled}) == 1:
            running = "".join(f"; {one.bcache} runs on {one.device} now" for one in labelled if one.bcache)
            raise Refused(
                f"bcache {want.name}: {paths} are copies of one backing device (UUID {labelled[0].uuid}){running}. "
                "Their superblocks do not say which is newer, and a boot takes either; one was to be here. Find out "
                "which is wanted, and disconnect the other"
            )
        raise Refused(f"bcache {want.name}: {paths} both carry this label; give one of them another one")
    found = labelled[0] if labelled else None
    device = host.find(want.backing_device) if want.backing_device else None
    if want.backing_device and device is None and want.state == "present":
        raise StorageError(f"bcache {want.name}: there is no block device {want.backing_device} on this host")
    there = next((backing for backing in host.backings if device and backing.device == device.path), None)
    if device and found and found is not there:
        raise Refused(
            f"bcache {want.name}: its backing device is {found.device}, not {device.path} as wanted; "
            "a bcache cannot move to another backing device"
        )
    if there and there.label and there.label != want.name:
        raise Refused(
            f"{there.device}: refused as backing device of {want.name}: it is the backing device of bcache "
            f"{there.label}. Name that bcache, or remove it first."
        )
    return found or there


def _cache(host: Host, want: Bcache, backing: Backing | None, allow: bool) -> tuple[Steps, Host, CacheSet | None]:
    """The cache set of the wanted cache device (omitted: the one that it has), made and registered."""
    steps: Steps = ()
    if not want.cache_device:
        cache_set = set_of(host.cache_sets, backing) if backing and want.cache_device is None else None
        if cache_set is None:
            return (), host, None
        device = host.devices[cache_set.device]
    else:
        device = host.device(want.cache_device, f"bcache {want.name}")
        cache_set = next((known for known in host.cache_sets if known.device == device.path), None)
    if cache_set and backing and backing.bcache and backing.cache_set == cache_set.uuid and not backing.attached:
        # Registered, it would be taken for what it was, and answer with data of then.
        if not allow:
            raise Refused(
                f"bcache {want.name} ran without the cache set on {device.path} since that failed, so what it holds "
                "is out of date. Set allow_destroy to make it anew."
            )
        host = host._replace(cache_sets=replace_item(host.cache_sets, cache_set))
        cache_set = None
    if cache_set is None:
        steps += take(host, device, f"the cache of {want.name}", "cache_device", allow)
        bucket_size, block_size = _bucket_size(want, device), _block_size(want, device)
        cache_set = CacheSet(new_uuid(f"cache-set-on-{device.path}"), device.path, bucket_size, block_size)
        uuid, bucket = f"--cset-uuid={cache_set.uuid}", f"--bucket={bucket_size}"
        argv = ("make-bcache", "--cache", device.path, uuid, bucket, *_format_options(want, device, block_size))
        steps += (
            step(
                "format",
                want,
                f"{device.path} as a cache set",
                Command(argv),
                claims=(blank(device),),
                flush=(device.path,),
            ),
        )
        host = host.with_content(device.path, _SIGNATURE, held_by="bcache")
        host = host._replace(cache_sets=(*host.cache_sets, cache_set))
    elif not cache_set.registered:
        is_own(host, device, f"bcache {want.name}", allow=False)
    for option, wanted, found in (
        ("bucket_size", want.bucket_size, cache_set.bucket_size),
        ("block_size", want.block_size, cache_set.block_size),
    ):
        if wanted and found and wanted != found:
            raise Refused(
                f"bcache {want.name}: {option} of the cache set on {device.path} is {show_size(found)}, and "
                f"{show_size(wanted)} is wanted; it is fixed when the cache is made"
            )
    _check_block_size(want, device, backing, cache_set)
    if not cache_set.registered:
        directory = f"/sys/fs/bcache/{cache_set.uuid}"
        steps += (
            step(
                "register",
                want,
                f"cache set on {device.path}",
                Write(REGISTER, device.path, done=directory),
                Wait(directory),
            ),
        )
        host, cache_set = _replace_set(host, cache_set, cache_set._replace(registered=True, tunables={}))
    return steps, host, cache_set


def _bucket_size(want: Bcache, device: Device) -> int:
    """As wanted, else 512 KiB, or less for a small cache: the kernel registers none of 512 buckets or fewer."""
    size = want.bucket_size or _BUCKET_SIZE
    while not want.bucket_size and device.size // size <= _FEW_BUCKETS and size > _LEAST_BUCKET:
        size //= 2
    if device.size // size <= _FEW_BUCKETS:
        raise StorageError(
            f"bcache {want.name}: {device.path} has {show_size(device.size)}, which is too small for a cache with "
            f"buckets of {show_size(size)}: it must hold more than {_FEW_BUCKETS} of them"
        )
    return size


def _block_size(want: Bcache, device: Device, least: int = 0) -> int:
    """As wanted, else the device's sectors, or what its cache has where that is more."""
    size = want.block_size or max(device.sector, least)
    if size < device.sector:
        raise StorageError(
            f"bcache {want.name}: block_size is {show_size(size)}, and {device.path} has sectors of {device.sector} "
            "bytes; it cannot be less than that"
        )
    return size


def _check_block_size(want: Bcache, device: Device, backing: Backing | None, cache_set: CacheSet) -> None:
    """Raises Refused for a cache whose blocks are larger than those of what it caches: the kernel attaches none."""
    if backing and 0 < backing.block_size < cache_set.block_size and backing.cache_set != cache_set.uuid:
        raise Refused(
            f"bcache {want.name}: {device.path} has sectors of {device.sector} bytes, and as a cache blocks of "
            f"{show_size(cache_set.block_size)}; {backing.device} was made for blocks of "
            f"{show_size(backing.block_size)}, and no cache of larger ones is attached to it. Name a cache device with "
            "smaller sectors"
        )


def _format_options(want: Bcache, device: Device, block_size: int) -> list[str]:
    return [f"--block={block_size}"] if want.block_size or block_size != device.sector else []


def _create(host: Host, want: Bcache, cache_set: CacheSet | None, allow: bool) -> tuple[Steps, Host, Backing]:
    """The backing device, formatted."""
    if want.backing_device is None:
        raise StorageError(f"bcache {want.name} does not exist, and to create it, say also: backing_device")
    device = host.device(want.backing_device, f"bcache {want.name}")
    taken = take(host, device, f"backing device of {want.name}", "backing_device", allow)
    block_size = _block_size(want, device, cache_set.block_size if cache_set else 0)
    kept, host = tunables.keep_backing(host, want.name, want.tunables, new=True)
    made = step(
        "format",
        want,
        f"{device.path} as a backing device",
        Command(("make-bcache", "--bdev", device.path, *_format_options(want, device, block_size))),
        claims=(blank(device),),
        flush=(device.path,),
        intent=creation(want, device.path)._replace(last=False),
    )
    host = anew(host, creation(want).thing)
    backing = Backing(device.path, uuid="", block_size=block_size)
    host = host.with_content(device.path, _SIGNATURE, held_by=device_path(want.name))
    return (*kept, *taken, made), host._replace(backings=(*host.backings, backing)), backing


def _label(host: Host, want: Bcache, backing: Backing) -> tuple[Steps, Host, Backing]:
    # One that was made by hand, without a label, may be called as the kernel calls it.
    if backing.name == want.name:
        return (), host, backing
    device = host.devices[backing.device]
    write = Write(device.sysfs("bcache/label"), want.name)
    host, labelled = replace_backing(host, backing, backing._replace(label=want.name))
    if backing.bcache:
        # What is planned on it next knows it by its label.
        host = host._replace(links={**host.links, device_path(want.name): backing.bcache})
    return (step("label", want, device.path, write, flush=(device.path,)),), host, labelled


def _replace_set(host: Host, old: CacheSet, new: CacheSet) -> tuple[Host, CacheSet]:
    return host._replace(cache_sets=replace_item(host.cache_sets, old, new)), new


def _warnings(host: Host, want: Bcache, backing: Backing) -> tuple[str, ...]:
    said: tuple[str, ...] = ()
    if backing.cache_set and not backing.attached:
        said += (
            f"bcache {want.name} lost its cache set {backing.cache_set} and runs without. If that came back, the "
            "kernel would attach it with what it held then: say another cache_device, or '' for none",
        )
    own = [known for known in host.cache_sets if known.uuid == backing.cache_set]
    wrong = [
        *of_devices(host, backing.device, *(known.device for known in own)),
        *(finding for finding in of_backing(backing) if finding.problem != "no cache"),
        *(finding for known in own for finding in of_cache_set(known)),
    ]
    said += told(f"bcache {want.name}", *wrong)
    used = {other.cache_set for other in host.backings}
    return said + tuple(
        f"the cache set on {known.device} serves no bcache here; state absent with that cache_device removes it"
        for known in host.cache_sets
        if known.uuid not in used
    )


def _absent(host: Host, want: Bcache, backing: Backing | None, allow: bool) -> Plan:
    """Top-down: what is inside, the dirty data written back, the cached device, the cache, the label last."""
    steps: Steps = ()
    left = _left_behind(host, want, backing)
    cache_set = _own_cache_set(host, want, backing) or left
    if backing:
        more, host = _empty(host, want, backing, allow)
        steps += more
        if backing.registered:
            more, host = _shut_down(host, want, backing, cache_set)
            steps += more
    if cache_set:
        runs = cache_set is left or bool(backing and backing.attached and backing.cache_set == cache_set.uuid)
        lost = _check_others(host, want, cache_set, allow, runs)
        more, host = _remove_cache_set(host, want, cache_set, backing, lost)
        steps += more
    if backing:
        device = host.devices[backing.device]
        unseen = () if backing.bcache else (f"{device.path}: all that bcache {want.name} holds, unseen",)
        steps += (_wipe_step(want, device, "backing device")._replace(destroys=unseen),)
        host = host.with_content(device.path)
        host = host._replace(backings=tuple(other for other in host.backings if other.device != backing.device))
    more, host = tunables.forget(host, want.name, tunables.backing_rules(want.name))
    steps += more
    for thing in (creation(want).thing, leaving(want)):
        more, host = forget(host, thing, (backing.bcache,) if backing else ())
        steps += more
    return Plan(steps, host)


def _own_cache_set(host: Host, want: Bcache, backing: Backing | None) -> CacheSet | None:
    """The cache set that goes with this bcache: its own, or the one that is named, and nobody else's."""
    device = host.find(want.cache_device) if want.cache_device else None
    named = next((known for known in host.cache_sets if device and known.device == device.path), None)
    found = (set_of(host.cache_sets, backing) if backing else None) or named
    if named and found is not named:
        raise Refused(
            f"bcache {want.name}: its cache set is the one on {found.device if found else '-'}, not the one on "
            f"{named.device} as said"
        )
    return None if found is None or is_for_others(host, found, backing) else found


def _empty(host: Host, want: Bcache, backing: Backing, allow: bool) -> tuple[Steps, Host]:
    what = f"bcache {want.name} cannot be removed"
    if not backing.bcache:
        if not allow:
            raise Refused(
                f"{what}: it does not run, so nobody can see what it holds. Start it (state: present) first, "
                "or set allow_destroy to destroy whatever it holds."
            )
        return (), host
    return emptied(host, host.devices[backing.bcache], what, allow)


def _left_behind(host: Host, want: Bcache, backing: Backing | None) -> CacheSet | None:
    """The cache set that this backing device had let go of when a crash came: nothing of it is dirty there."""
    if backing is None:
        return None
    record = begun(host, leaving(want))
    used = {other.cache_set for other in host.backings}
    return next(
        (
            known
            for known in host.cache_sets
            if record and record.devices == (known.device, backing.device) and same_uuid(record.uuid, known.uuid)
            if known.uuid not in used and not is_for_others(host, known, backing)
        ),
        None,
    )


def _shut_down(host: Host, want: Bcache, backing: Backing, goes: CacheSet | None) -> tuple[Steps, Host]:
    steps: Steps = ()
    if backing.attached:
        steps += (detach_step(host, want, backing, goes),)
    steps += (stop_step(want, backing),)
    return steps, host.without_device(backing.bcache) if backing.bcache else host


def _check_others(host: Host, want: Bcache, cache_set: CacheSet, allow: bool, runs: bool = True) -> str:
    """What may be lost with a cache set. Raises Refused where that is not permitted.

    ``runs``: what is dirty of the backing devices that are here has been written back before.
    """
    attached = host.attached_to(cache_set.device)
    clean = {other.uuid for other in host.backings} if runs else set()
    whose = " and ".join(f'"{one.label.strip()}" (UUID {one.uuid})' for one in attached or () if one.uuid not in clean)
    if attached is not None and not whose:
        return ""
    if not host.may_lose(cache_set.device, allow):
        told = f"the cache set on {cache_set.device} would be removed, and is also for"
        remedy = f"set allow_destroy, or name {host.stable(cache_set.device)} in it, to give that data up."
        raise Refused(
            f"bcache {want.name}: {told} {whose}, which is not here: dirty data of that would be lost. Bring its "
            f"backing device back, or {remedy}"
            if whose and runs
            else f"bcache {want.name}: nobody can see whether the cache set on {cache_set.device} still holds dirty "
            f"data of {whose or 'a backing device that is not here'}. Start what it is for, or {remedy}"
        )
    return f"dirty data of {whose or 'backing devices'}, not here, if there is any"


def _remove_cache_set(
    host: Host, want: Bcache, cache_set: CacheSet, backing: Backing | None, unseen: str = ""
) -> tuple[Steps, Host]:
    """``unseen`` is what may be lost with it, though nobody can see that."""
    device = host.devices[cache_set.device]
    recorded = removal(want, cache_set, backing) if backing else None
    directory = f"/sys/fs/bcache/{cache_set.uuid}"
    steps: Steps = ()
    if cache_set.registered:
        release = Release(device.path, f"{directory}/unregister")
        begin = recorded._replace(last=False) if recorded else None
        steps += (step("unregister", want, f"cache set on {device.path}", release, intent=begin),)
    lost = (f"{device.path}: {unseen}",) if unseen else ()
    steps += (_wipe_step(want, device, "cache")._replace(destroys=lost, intent=recorded),)
    host = anew(host, leaving(want))
    more, host = tunables.forget(host, want.name, tunables.cache_rules(cache_set.uuid))
    host = host.with_content(device.path)
    return steps + more, host._replace(cache_sets=replace_item(host.cache_sets, cache_set))


def _wipe_step(want: Bcache, device: Device, role: str) -> Step:
    return step(
        "wipe",
        want,
        f"the superblock of its {role} {device.path}",
        Command(("wipefs", "--all", device.path)),
        claims=(Claim(device.path, device.identity, None),),
        flush=(device.path,),
    )


def dump(host: Host, backing: Backing) -> dict[str, Any]:
    """A bcache as an item of the document. Of the tunables that the kernel forgets, those that udev's rules keep."""
    cache_set = set_of(host.cache_sets, backing)
    kept = tunables.kept(host, tunables.backing_rules(backing.label))
    kept_of_cache = tunables.kept(host, tunables.cache_rules(cache_set.uuid)) if cache_set else {}
    item = {
        "name": backing.name,
        "backing_device": host.stable(backing.device),
        "cache_device": host.stable(cache_set.device) if cache_set else None,
        "cache_mode": backing.cache_mode,
        "bucket_size": cache_set.bucket_size or None if cache_set else None,
        **{name: _option(kept.get(name)) for name in TUNABLES},
        "io_error_limit": _option(kept_of_cache.get("io_error_limit")),
        "discard": {"0": False, "1": True}.get(cache_set.tunables.get("discard", "") if cache_set else ""),
        "replacement_policy": cache_set.tunables.get("replacement_policy") or None if cache_set else None,
        "state": "present",
    }
    return {word: value for word, value in item.items() if value is not None}


def _option(value: str | None) -> str | int | None:
    return int(value) if value and value.isdigit() else value


def status(host: Host, backing: Backing) -> dict[str, Any]:
    """How a bcache does, beyond what a document says."""
    device, cache_set = host.devices.get(backing.bcache), set_of(host.cache_sets, backing)
    return {
        "device": backing.bcache,
        "size": device.size if device else 0,
        "state": backing.state,
        "cache_set": backing.cache_set,
        "attached": backing.attached,
        "dirty_data": backing.dirty_data,
        "hit_ratio": dict(backing.hit_ratios),
        "registered": backing.registered,
        "tunables": dict(backing.tunables),
        "cache_tunables": dict(cache_set.tunables) if cache_set else {},
    }


def device_paths(want: Bcache) -> dict[str, str]:
    """The devices that it is, by the names that the document has for them."""
    return {want.name: device_path(want.name)}


def called(_host: Host, want: Bcache) -> str:
    """Its name is all that it is known by."""
    return want.name


def made_of(host: Host, want: Bcache, role: str) -> tuple[str, ...]:
    """The devices that it consists of already: its backing device, or (``role``: cache) its cache."""
    backings = [backing for backing in host.backings if backing.name == want.name]
    if role != "cache":
        return tuple(backing.device for backing in backings)
    sets = [set_of(host.cache_sets, backing) for backing in backings]
    return tuple(found.device for found in sets if found)


def facts(host: Host, want: Bcache) -> dict[str, Any]:
    """What the module returns of the wanted bcache."""
    backing = _find(host, want)
    return {"bcache": dump(host, backing) if backing else None, "status": status(host, backing) if backing else None}


def survey(host: Host) -> list[Reported]:
    """All that there are, each as an item of the document and how it does."""
    return [Reported(dump(host, backing), status(host, backing)) for backing in host.backings]


def present(host: Host) -> list[Found]:
    """All that there are, and the word that takes each away."""
    return [Found(backing.name, Bcache(backing.name, state="absent"), (backing.bcache,)) for backing in host.backings]
