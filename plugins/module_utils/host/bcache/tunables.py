# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tunables of a bcache. What the kernel forgets when it is registered again, udev's rules keep.

The kernel's event for a started bcache precedes the link from the cached device to its attributes, and the events of a
boot lack the label: hence two ways to know the device, and one to the attributes that exists from the beginning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...core.errors import StorageError
from ...core.plan import Edit, Step, Write
from ...document.bcache import Bcache
from ..host import Host, replace_item
from ..read import UDEV_RULES
from .attach import Steps, replace_backing, step
from .read import cache_attribute
from .state import Backing, CacheSet

_HEAD = "# Kept by strata.storage, which overwrites what is changed here.\n"
_BACKING = """\
SUBSYSTEM!="block", GOTO="strata_end"
ACTION=="remove", GOTO="strata_end"
ENV{{DEVTYPE}}!="disk", GOTO="strata_end"
KERNEL!="bcache*", GOTO="strata_end"
ENV{{CACHED_LABEL}}=="{name}", GOTO="strata_found"
ATTR{{bcache/label}}!="{name}", GOTO="strata_end"
LABEL="strata_found"
SYMLINK+="bcache/by-label/{name}"
{values}LABEL="strata_end"
"""
_VALUE = 'ATTR{{slaves/*/bcache/{name}}}="{value}"\n'
_CACHE_VALUE = (
    'ACTION!="remove", SUBSYSTEM=="block", ENV{{ID_FS_TYPE}}=="bcache", '
    "RUN+=\"/bin/sh -c '[ ! -d {directory} ] || echo {value} > {directory}/{name}'\"\n"
)
_KEPT = re.compile(r'ATTR\{slaves/\*/bcache/(\w+)\}="([^"]*)"|echo (\d+) > \S+/(\w+)\'')


def backing_rules(name: str) -> str:
    """The file for the backing device of that label."""
    return f"{UDEV_RULES}bcache-{name}.rules"


def cache_rules(cache_set: str) -> str:
    """The file for the cache set of that UUID."""
    return f"{UDEV_RULES}cache-set-{cache_set}.rules"


def kept(host: Host, path: str) -> dict[str, str]:
    """The tunables that a file keeps."""
    found = _KEPT.findall(host.files.get(path) or "")
    return {name or cache_name: value if name else cache_value for name, value, cache_value, cache_name in found}


def keep_backing(host: Host, name: str, tunables: Mapping[str, str], new: bool) -> tuple[Steps, Host]:
    """The step after which udev knows these tunables of a backing device, and gives the cached device its name."""
    path = backing_rules(name)
    values = {**kept(host, path), **tunables}
    if not values and not new and not host.files.get(path):
        return (), host
    lines = "".join(_VALUE.format(name=tunable, value=value) for tunable, value in sorted(values.items()))
    return _write(host, name, path, _HEAD + _BACKING.format(name=name, values=lines), "its name and tunables")


def keep_cache(host: Host, name: str, cache_set: str, tunables: Mapping[str, str]) -> tuple[Steps, Host]:
    """The step after which udev knows these tunables of a cache set, of those that no superblock keeps."""
    path = cache_rules(cache_set)
    values = {**kept(host, path), **{name: value for name, value in tunables.items() if name == "io_error_limit"}}
    if not values:
        return (), host
    directory = f"/sys/fs/bcache/{cache_set}"
    lines = "".join(
        _CACHE_VALUE.format(name=tunable, value=value, directory=directory) for tunable, value in sorted(values.items())
    )
    return _write(host, name, path, _HEAD + lines, "the tunables of its cache set")


def forget(host: Host, name: str, path: str) -> tuple[Steps, Host]:
    """The step after which there is no such file."""
    return _write(host, name, path, None, "nothing")


def _write(host: Host, name: str, path: str, after: str | None, what: str) -> tuple[Steps, Host]:
    before = host.files.get(path)
    if before == after:
        return (), host
    persist = Step("persist", "bcache", name, f"{what} in udev's rules", (Edit(path, before, after),))
    return (persist,), host.with_file(path, after)


def tune(host: Host, want: Bcache, backing: Backing, cache_set: CacheSet | None) -> tuple[Steps, Host, Backing]:
    steps: Steps = ()
    device = host.devices[backing.device]
    if want.cache_mode and backing.cache_mode != want.cache_mode:
        write = Write(device.sysfs("bcache/cache_mode"), want.cache_mode)
        steps += (step("set", want, f"cache mode {want.cache_mode}", write, flush=(device.path,)),)
        host, backing = replace_backing(host, backing, backing._replace(cache_mode=want.cache_mode))
    wanted = {**kept(host, backing_rules(want.name)), **want.tunables}
    for name, value in wanted.items():
        if backing.tunables.get(name) != _shown(name, value):
            write = Write(device.sysfs(f"bcache/{name}"), value)
            steps += (step("set", want, f"{name} {value}", write),)
    told = {name: _shown(name, value) for name, value in wanted.items()}
    host, backing = replace_backing(host, backing, backing._replace(tunables={**backing.tunables, **told}))
    if cache_set is None:
        if want.cache_tunables:
            raise StorageError(f"bcache {want.name}: {', '.join(want.cache_tunables)}, and it has no cache")
        return steps, host, backing
    cache = host.devices[cache_set.device]
    if want.cache_tunables.get("discard") == "1" and not cache.discards:
        raise StorageError(f"bcache {want.name}: discard, and {cache.path} cannot discard")
    more, host = keep_cache(host, want.name, cache_set.uuid, want.cache_tunables)
    steps += more
    wanted = {**kept(host, cache_rules(cache_set.uuid)), **want.cache_tunables}
    for name, value in wanted.items():
        if cache_set.tunables.get(name) != value:
            write = Write(cache_attribute(name, cache_set.uuid, cache.kernel or cache.path), value)
            steps += (step("set", want, f"{name} {value} of its cache", write, flush=(cache.path,)),)
    host = host._replace(
        cache_sets=replace_item(
            host.cache_sets, cache_set, cache_set._replace(tunables={**cache_set.tunables, **wanted})
        )
    )
    return steps, host, backing


def _shown(name: str, value: str) -> str:
    """As the kernel shows what was written: sizes to the first decimal (lib ``bch_hprint``)."""
    if name != "sequential_cutoff":
        return value
    whole, unit = int(value), 0
    while True:
        whole, rest, unit = whole >> 10, whole & 1023, unit + 1
        if whole < 1000:
            return f"{whole}.{rest * 10 // 1024}{'?kMGTPEZY'[unit]}"
