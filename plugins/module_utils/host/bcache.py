# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcache: what a slow device behind a fast cache needs to be as it is wanted.

A backing device is known by its label; its attributes are under its own sysfs directory, whatever the kernel calls
the cached device. A cache set is known by its cache device.
"""

from __future__ import annotations

from typing import Any

from ..core.errors import Refused, StorageError
from ..core.plan import Command, Plan, Step, Wait, Write, kernel_name, new_uuid
from ..document.bcache import Bcache
from ..document.sizes import show_size
from .actions import Claim, Inspect, Release
from .read import BCACHE_LINKS
from .safety import blank, check_unused, describe_content, take, wipe_steps
from .state import BLANK, UNSEEN, Backing, CacheSet, Device, Host, Signature, replace_item

_REGISTER = "/sys/fs/bcache/register"
_SIGNATURE = Signature("bcache")
#: Writing dirty data back takes as long as the slow disk needs for it: seconds, an SSD's worth of hours at most.
_DETACH_TIMEOUT = 12 * 3600
_BUCKET_SIZE = 512 << 10
_LEAST_BUCKET = 4 << 10
_FEW_BUCKETS = 512

Steps = tuple[Step, ...]


def device_path(name: str) -> str:
    return f"{BCACHE_LINKS}/{name}"


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
        steps += (Step("load", "module", "bcache", "the kernel's", (Command(("modprobe", "bcache")), Wait(_REGISTER))),)
        host = host._replace(modules=(*host.modules, "bcache"))
    more, host, cache_set = _cache(host, want, backing, allow)
    steps += more
    more, host, backing = _backing(host, want, backing, cache_set, allow)
    steps += more
    if cache_set:
        more, host, backing = _attach(host, want, backing, cache_set)
        steps += more
    if want.cache_mode and backing.cache_mode != want.cache_mode:
        device = host.devices[backing.device]
        path = device.sysfs("bcache/cache_mode")
        steps += (
            _step("set", want, f"cache mode {want.cache_mode}", Write(path, want.cache_mode), flush=(device.path,)),
        )
        host, backing = _replace_backing(host, backing, backing._replace(cache_mode=want.cache_mode))
    return Plan(steps, host)


def _step(verb: str, want: Bcache, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb=verb, kind="bcache", name=want.name, detail=detail, actions=actions, **more)


def _find(host: Host, want: Bcache) -> Backing | None:
    """The backing device that is meant: by label, else (while it has none) by device. Refused where they disagree."""
    labelled = [backing for backing in host.backings if backing.label == want.name]
    if len(labelled) > 1:
        paths = " and ".join(backing.device for backing in labelled)
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
    if want.cache_device is None:
        cache_set = _set_of(host, backing) if backing else None
        if cache_set is None:
            return (), host, None
        device = host.devices[cache_set.device]
    else:
        device = host.device(want.cache_device, f"bcache {want.name}")
        cache_set = next((known for known in host.cache_sets if known.device == device.path), None)
    if cache_set is None:
        steps += take(host, device, f"the cache of {want.name}", "cache_device", allow)
        bucket_size = _bucket_size(want, device)
        cache_set = CacheSet(new_uuid(f"cache-set-on-{device.path}"), device.path, bucket_size)
        uuid, bucket = f"--cset-uuid={cache_set.uuid}", f"--bucket={bucket_size}"
        argv = ("make-bcache", "--cache", device.path, uuid, bucket, *_format_options(want))
        steps += (
            _step(
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
    for option, wanted, found in (
        ("bucket_size", want.bucket_size, cache_set.bucket_size),
        ("block_size", want.block_size, cache_set.block_size),
    ):
        if wanted and found and wanted != found:
            raise Refused(
                f"bcache {want.name}: {option} of the cache set on {device.path} is {show_size(found)}, and "
                f"{show_size(wanted)} is wanted; it is fixed when the cache is made"
            )
    if not cache_set.registered:
        directory = f"/sys/fs/bcache/{cache_set.uuid}"
        steps += (
            _step(
                "register",
                want,
                f"cache set on {device.path}",
                Write(_REGISTER, device.path, done=directory),
                Wait(directory),
            ),
        )
        registered = cache_set._replace(registered=True)
        host = host._replace(cache_sets=replace_item(host.cache_sets, cache_set, registered))
        cache_set = registered
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


def _format_options(want: Bcache) -> list[str]:
    return [f"--block={want.block_size}"] if want.block_size else []


def _backing(
    host: Host, want: Bcache, backing: Backing | None, cache_set: CacheSet | None, allow: bool
) -> tuple[Steps, Host, Backing]:
    """The backing device, made, registered and labelled."""
    steps: Steps = ()
    created = backing is None
    if backing is None:
        if want.backing_device is None:
            raise StorageError(f"bcache {want.name} does not exist, and to create it, say also: backing_device")
        device = host.device(want.backing_device, f"bcache {want.name}")
        steps += take(host, device, f"backing device of {want.name}", "backing_device", allow)
        steps += (
            _step(
                "format",
                want,
                f"{device.path} as a backing device",
                Command(("make-bcache", "--bdev", device.path, *_format_options(want))),
                claims=(blank(device),),
                flush=(device.path,),
            ),
        )
        backing = Backing(device.path, uuid="")
        host = host.with_content(device.path, _SIGNATURE, held_by=device_path(want.name))
        host = host._replace(backings=(*host.backings, backing))
    device = host.devices[backing.device]
    if not backing.registered:
        directory = device.sysfs("bcache")
        steps += (
            _step(
                "register",
                want,
                f"backing device {device.path}",
                Write(_REGISTER, device.path, done=directory),
                Wait(directory),
            ),
        )
        host, backing = _replace_backing(host, backing, backing._replace(registered=True))
    if not backing.bcache:
        if backing.cache_set and not (cache_set and cache_set.uuid == backing.cache_set):
            raise Refused(
                f"bcache {want.name}: {device.path} is {backing.state} and belongs to cache set {backing.cache_set}, "
                "which is not here: what was not written back is only there. Bring that cache device back"
                + (f", and name it as cache_device instead of {want.cache_device}." if want.cache_device else ".")
            )
        host, backing = _replace_backing(host, backing, backing._replace(bcache=device_path(want.name)))
        content = BLANK if created else UNSEEN
        host = host.with_device(Device(device_path(want.name), size=device.size), content=content)
    if backing.label != want.name:
        write = Write(device.sysfs("bcache/label"), want.name)
        steps += (_step("label", want, f"{device.path}", write, flush=(device.path,)),)
        host, backing = _replace_backing(host, backing, backing._replace(label=want.name))
    if created:
        cached = f"/dev/{kernel_name(device.sysfs('bcache/dev'))}"
        steps += (_step("inspect", want, "that it starts out blank", Wait(cached), Inspect(cached, wipe=allow)),)
    return steps, host, backing


def _replace_backing(host: Host, old: Backing, new: Backing) -> tuple[Host, Backing]:
    return host._replace(backings=replace_item(host.backings, old, new)), new


def _attach(host: Host, want: Bcache, backing: Backing, cache_set: CacheSet) -> tuple[Steps, Host, Backing]:
    if backing.cache_set == cache_set.uuid:
        return (), host, backing
    if backing.state != "no cache":
        raise Refused(
            f"bcache {want.name} is attached to cache set {backing.cache_set}, not to the one on {cache_set.device}; "
            "this release does not swap caches"
        )
    device = host.devices[backing.device]
    step = _step(
        "attach",
        want,
        f"to the cache on {cache_set.device}",
        Write(device.sysfs("bcache/attach"), cache_set.uuid),
        Wait(device.sysfs("bcache/state"), ("clean", "dirty")),
        flush=(device.path, cache_set.device),
    )
    host, backing = _replace_backing(host, backing, backing._replace(cache_set=cache_set.uuid, state="clean"))
    return (step,), host, backing


def _absent(host: Host, want: Bcache, backing: Backing | None, allow: bool) -> Plan:
    """Top-down: what is inside, the dirty data written back, the cached device, the cache, the label last."""
    steps: Steps = ()
    cache_set = _own_cache_set(host, want, backing)
    if backing:
        more, host = _empty(host, want, backing, allow)
        steps += more
        if backing.registered:
            more, host = _shut_down(host, want, backing)
            steps += more
    if cache_set:
        flushed = bool(backing and backing.registered and backing.cache_set == cache_set.uuid)
        if not flushed and not allow:
            raise Refused(
                f"bcache {want.name}: nobody can see whether the cache set on {cache_set.device} still holds dirty "
                "data of a backing device that is not here. Set allow_destroy to give that up."
            )
        more, host = _remove_cache_set(host, want, cache_set, unseen=not flushed)
        steps += more
    if backing:
        device = host.devices[backing.device]
        unseen = () if backing.bcache else (f"{device.path}: all that bcache {want.name} holds, unseen",)
        steps += (_wipe_step(want, device, "backing device")._replace(destroys=unseen),)
        host = host.with_content(device.path)
        host = host._replace(backings=tuple(other for other in host.backings if other.device != backing.device))
    return Plan(steps, host)


def _own_cache_set(host: Host, want: Bcache, backing: Backing | None) -> CacheSet | None:
    """The cache set that goes with this bcache: its own, or the one that is named, and nobody else's."""
    device = host.find(want.cache_device) if want.cache_device else None
    named = next((known for known in host.cache_sets if device and known.device == device.path), None)
    found = (_set_of(host, backing) if backing else None) or named
    if named and found is not named:
        raise Refused(
            f"bcache {want.name}: its cache set is the one on {found.device if found else '-'}, not the one on "
            f"{named.device} as said"
        )
    others = [other for other in host.backings if found and other.cache_set == found.uuid and other is not backing]
    return None if others else found


def _empty(host: Host, want: Bcache, backing: Backing, allow: bool) -> tuple[Steps, Host]:
    what = f"bcache {want.name} cannot be removed"
    if not backing.bcache:
        if not allow:
            raise Refused(
                f"{what}: it does not run, so nobody can see what it holds. Start it (state: present) first, "
                "or set allow_destroy to destroy whatever it holds."
            )
        return (), host
    device = host.devices[backing.bcache]
    check_unused(host, device, what, "Take away what uses it first.")
    content = host.content(device.path)[device.path]
    if not content.signatures:
        return (), host
    if not allow:
        raise Refused(f"{what}: {device.path} holds {describe_content(content)}. Set allow_destroy to destroy that.")
    return wipe_steps([(device, content)]), host.with_content(device.path)


def _shut_down(host: Host, want: Bcache, backing: Backing) -> tuple[Steps, Host]:
    device = host.devices[backing.device]
    steps: Steps = ()
    if any(known.uuid == backing.cache_set and known.registered for known in host.cache_sets):
        steps += (
            _step(
                "detach",
                want,
                f"after writing all dirty data back to {device.path}",
                Write(device.sysfs("bcache/detach"), "1"),
                Wait(device.sysfs("bcache/state"), ("no cache",), timeout=_DETACH_TIMEOUT),
                Wait(device.sysfs("bcache/dirty_data"), ("0.0k",)),
                flush=(device.path,),
            ),
        )
    steps += (
        _step(
            "stop",
            want,
            backing.bcache or device.path,
            Release(device.path, device.sysfs("bcache/stop")),
        ),
    )
    return steps, host.without_device(backing.bcache) if backing.bcache else host


def _remove_cache_set(host: Host, want: Bcache, cache_set: CacheSet, unseen: bool) -> tuple[Steps, Host]:
    device = host.devices[cache_set.device]
    directory = f"/sys/fs/bcache/{cache_set.uuid}"
    steps: Steps = ()
    if cache_set.registered:
        release = Release(device.path, f"{directory}/unregister")
        steps += (_step("unregister", want, f"cache set on {device.path}", release),)
    lost = (f"{device.path}: dirty data of backing devices that are not here, if there is any",) if unseen else ()
    steps += (_wipe_step(want, device, "cache")._replace(destroys=lost),)
    host = host.with_content(device.path)
    return steps, host._replace(cache_sets=replace_item(host.cache_sets, cache_set))


def _wipe_step(want: Bcache, device: Device, role: str) -> Step:
    return _step(
        "wipe",
        want,
        f"the superblock of its {role} {device.path}",
        Command(("wipefs", "--all", device.path)),
        claims=(Claim(device.path, device.identity, None),),
        flush=(device.path,),
    )


def dump(host: Host, backing: Backing) -> dict[str, Any]:
    """A bcache as an item of the document."""
    cache_set = _set_of(host, backing)
    return {
        "name": backing.label,
        "backing_device": host.stable(backing.device),
        "cache_device": host.stable(cache_set.device) if cache_set else None,
        "cache_mode": backing.cache_mode,
        "bucket_size": cache_set.bucket_size or None if cache_set else None,
        "state": "present",
    }


def status(host: Host, backing: Backing) -> dict[str, Any]:
    """How a bcache does, beyond what a document says."""
    device = host.devices.get(backing.bcache)
    return {
        "device": backing.bcache,
        "size": device.size if device else 0,
        "state": backing.state,
        "cache_set": backing.cache_set,
        "dirty_data": backing.dirty_data,
        "registered": backing.registered,
    }


def _set_of(host: Host, backing: Backing) -> CacheSet | None:
    return next((known for known in host.cache_sets if known.uuid == backing.cache_set), None)


def facts(host: Host, want: Bcache) -> dict[str, Any]:
    """What the module returns of the wanted bcache."""
    backing = _find(host, want)
    return {"bcache": dump(host, backing) if backing else None, "status": status(host, backing) if backing else None}


def survey(host: Host) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """All that there are, each as an item of the document and how it does."""
    return [(dump(host, backing), status(host, backing)) for backing in host.backings]
