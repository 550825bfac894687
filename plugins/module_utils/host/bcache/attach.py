# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registered, attached, running: what it takes to have the kernel work a bcache with the cache that it should have."""

from __future__ import annotations

from typing import Any

from ...core.errors import Refused
from ...core.plan import Intent, Step, Wait, Write, kernel_name
from ...document.bcache import Bcache
from ...document.sizes import show_size
from ..actions import Detached, Inspect, Release
from ..devices import BLANK, UNSEEN, Content, Device
from ..disks import BCACHE_LINKS
from ..host import Host, replace_item
from ..pause import Pause, pause
from ..safety import is_own, usage
from ..unfinished import begun, intent, look
from .state import Backing, CacheSet, set_of

REGISTER = "/sys/fs/bcache/register"
#: Writing dirty data back takes as long as the slow disk needs for it: seconds, an SSD's worth of hours at most.
_DETACH_TIMEOUT = 12 * 3600

Steps = tuple[Step, ...]


def device_path(name: str) -> str:
    return f"{BCACHE_LINKS}/{name}"


def step(verb: str, want: Bcache, detail: str, *actions: Any, **more: Any) -> Step:
    return Step(verb=verb, kind="bcache", name=want.name, detail=detail, actions=actions, **more)


def replace_backing(host: Host, old: Backing, new: Backing) -> tuple[Host, Backing]:
    return host._replace(backings=replace_item(host.backings, old, new)), new


def is_for_others(host: Host, cache_set: CacheSet, backing: Backing | None = None) -> bool:
    """Whether a cache set stays without this bcache: for another one, or for a volume that it holds itself."""
    if any(other.cache_set == cache_set.uuid and other is not backing for other in host.backings):
        return True
    return any(attached.own_volume for attached in host.attached_to(cache_set.device) or ())


def register(host: Host, want: Bcache, backing: Backing, allow: bool) -> tuple[Steps, Host, Backing]:
    """The kernel knows the backing device, and runs it unless it waits for its cache set."""
    steps: Steps = ()
    device = host.devices[backing.device]
    new = not backing.uuid and not backing.registered
    own = set_of(host.cache_sets, backing)
    starts = not backing.bcache and bool(not backing.cache_set or (own and own.registered))
    if not backing.registered:
        if not new:
            is_own(host, device, f"bcache {want.name}", allow=False)
        steps += (_register_step(want, device, starts),)
        host, backing = replace_backing(host, backing, backing._replace(registered=True, tunables={}))
    if starts:
        host, backing = _started(host, want, backing, BLANK if new else UNSEEN)
    if new:
        cached = cached_path(device)
        look_into = (Wait(cached), Inspect(cached, wipe=host.may_lose(device.path, allow)))
        steps += (step("inspect", want, "that it starts out blank", *look_into, intent=creation(want, device.path)),)
    record = begun(host, creation(want).thing)
    if record and record.devices == (device.path,) and backing.bcache:
        more, host = look(host, record, "bcache", want.name, backing.bcache, allow)
        steps += more
    return steps, host, backing


def creation(want: Bcache, *backing: str) -> Intent:
    """What is on record while its backing device is formatted, until somebody looked into it."""
    return intent(f"bcache {want.name}", "", *backing)


def cached_path(backing: Device) -> str:
    """The cached device of a backing device that is going to be registered: udev may link to it late, or never."""
    return f"/dev/{kernel_name(backing.sysfs('bcache/dev'))}"


def _register_step(want: Bcache, device: Device, starts: bool) -> Step:
    """A backing device that starts has its cached device a moment later, by whose name the next steps call it."""
    directory = device.sysfs("bcache")
    write = Write(REGISTER, device.path, done=directory)
    wait = Wait(f"{directory}/dev" if starts else directory)
    return step("register", want, f"backing device {device.path}", write, wait)


def _started(host: Host, want: Bcache, backing: Backing, content: Content) -> tuple[Host, Backing]:
    """The cached device is there."""
    device, link = host.devices[backing.device], device_path(want.name)
    path = cached_path(device)
    sector = max(device.sector, backing.block_size)
    cached = Device(
        path, size=device.size - backing.offset, link=link, sector=sector, physical=max(device.physical, sector)
    )
    host = host.with_device(cached, link, content=content)
    started = backing._replace(bcache=path, attached=bool(backing.cache_set))
    return replace_backing(host, backing, started)


def bind(
    host: Host, want: Bcache, backing: Backing, cache_set: CacheSet | None, allow: bool
) -> tuple[Steps, Host, Backing]:
    """The cache that it has is the wanted one: new before old, and nothing dirty is left behind."""
    wanted = cache_set.uuid if cache_set else ""
    if want.cache_device is None and not wanted and backing.cache_set:
        if not backing.bcache:
            raise _lost(want, backing)
        return (), host, backing
    if backing.cache_set == wanted:
        return (), host, backing
    steps: Steps = ()
    old = set_of(host.cache_sets, backing)
    if backing.attached:
        goes = old if old and not is_for_others(host, old, backing) else None
        steps += (detach_step(host, want, backing, goes),)
        host, backing = _without_cache(host, backing, "no cache")
    elif old and not backing.bcache:
        raise Refused(
            f"bcache {want.name} waits for its cache set on {old.device}, and what was not written back is only "
            f"there. Name {old.device} as cache_device first."
        )
    elif backing.cache_set:
        more, host, backing = _give_up(host, want, backing, wanted, allow)
        steps += more
    if cache_set:
        steps += (_attach_step(host, want, backing, cache_set),)
        attached = backing._replace(cache_set=cache_set.uuid, state="clean", attached=True)
        host, backing = replace_backing(host, backing, attached)
        if not backing.bcache:
            host, backing = _started(host, want, backing, UNSEEN)
    return steps, host, backing


def _without_cache(host: Host, backing: Backing, state: str) -> tuple[Host, Backing]:
    return replace_backing(host, backing, backing._replace(cache_set="", state=state, attached=False))


def _lost(want: Bcache, backing: Backing) -> Refused:
    """What to say of a backing device that waits for a cache set that is not here."""
    only = (
        f"what was written to {want.name} and had not reached {backing.device} yet is only there. Bring that cache "
        "device back, or set allow_destroy to give that data up, with another cache_device, or '' for none."
        if backing.state == "dirty"
        else f"{backing.device} holds all the data. Bring that cache device back, or say another cache_device, or '' "
        "for none."
    )
    return Refused(f"bcache {want.name}: its cache set {backing.cache_set} is not here, and {only}")


def _give_up(host: Host, want: Bcache, backing: Backing, wanted: str, allow: bool) -> tuple[Steps, Host, Backing]:
    """Go on without a cache set that is gone. The kernel attaches another one to a clean backing device as it is."""
    dirty = backing.state == "dirty"
    if dirty and not allow:
        raise _lost(want, backing)
    device = host.devices[backing.device]
    if wanted and not dirty:
        host, backing = _without_cache(host, backing, "no cache")
        return (), host, backing
    steps: Steps = ()
    up: Steps = ()
    if backing.bcache:
        # It runs and is clean, and would take the cache set back, out of date as that is by now, if it reappeared.
        down, up = _pause(host, want, backing, f"{want.name} runs without its lost cache set, which has to be noted")
        steps += (*down, stop_step(want, backing), _register_step(want, device, starts=False))
    lost = f"{want.name}: what was in cache set {backing.cache_set} only"
    steps += (
        step(
            "start",
            want,
            f"without its lost cache set {backing.cache_set}",
            Write(device.sysfs("bcache/running"), "1"),
            Wait(device.sysfs("bcache/dev")),
            flush=(device.path,),
            destroys=(lost,) if dirty else (),
        ),
        *up,
    )
    host, backing = _without_cache(host, backing, "inconsistent")
    if not backing.bcache:
        host, backing = _started(host, want, backing, UNSEEN)
    return steps, host, backing


def _attach_step(host: Host, want: Bcache, backing: Backing, cache_set: CacheSet) -> Step:
    device = host.devices[backing.device]
    return step(
        "attach",
        want,
        f"to the cache on {cache_set.device}",
        Write(device.sysfs("bcache/attach"), cache_set.uuid),
        Wait(device.sysfs("bcache/cache")),
        Wait(device.sysfs("bcache/state"), ("clean", "dirty")),
        flush=(device.path, cache_set.device),
    )


def removal(want: Bcache, old: CacheSet, backing: Backing) -> Intent:
    """What is on record from when a bcache lets go of its cache until that is blank."""
    return intent(leaving(want), old.uuid, old.device, backing.device)


def leaving(want: Bcache) -> str:
    return f"removal of the cache of bcache {want.name}"


def detach_step(host: Host, want: Bcache, backing: Backing, goes: CacheSet | None) -> Step:
    """``goes``: the cache set, if it is removed next."""
    device = host.devices[backing.device]
    return step(
        "detach",
        want,
        f"after writing all dirty data back to {device.path}",
        Write(device.sysfs("bcache/detach"), "1"),
        Detached(device.path, device.sysfs("bcache"), _DETACH_TIMEOUT),
        Wait(device.sysfs("bcache/dirty_data"), ("0.0k",)),
        # The state says so before the kernel is done, and until then no other cache can be attached.
        Wait(device.sysfs("bcache/cache"), gone=True),
        flush=(device.path,),
        intent=removal(want, goes, backing)._replace(last=False) if goes else None,
    )


def grow(host: Host, want: Bcache, backing: Backing) -> tuple[Steps, Host, Backing]:
    """The kernel sees what a backing device gained only when it is registered again."""
    device, cached = host.devices[backing.device], host.devices[backing.bcache]
    size = device.size - backing.offset
    if not cached.kernel or size <= cached.size:
        return (), host, backing
    what = (
        f"{device.path} grew to {show_size(device.size)}, which {want.name} gets when it is stopped and started again"
    )
    down, up = _pause(host, want, backing, what)
    host = host._replace(devices={**host.devices, cached.path: cached._replace(size=size)})
    host, backing = replace_backing(host, backing, backing._replace(tunables={}))
    return (*down, stop_step(want, backing), _register_step(want, device, starts=True), *up), host, backing


def _pause(host: Host, want: Bcache, backing: Backing, what: str) -> Pause:
    """Out of use and into use again, if nobody uses it or that is allowed."""
    device = host.devices[backing.bcache]
    used = usage(host, device)
    if used and not want.allow_offline:
        raise Refused(
            f"bcache {want.name}: {what}, but it {used}. Set allow_offline to take what is above it out of use for "
            "that moment."
        )
    return pause(host, device, f"bcache {want.name} cannot be taken out of use") if used else Pause()


def stop_step(want: Bcache, backing: Backing) -> Step:
    device = backing.device
    stop = f"/sys/class/block/{device.rpartition('/')[2]}/bcache/stop"
    return step("stop", want, backing.bcache or device, Release(device, stop))
