# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts to make reports of: results of layout_info, of the survey that this module is."""

from __future__ import annotations

import functools
import json
from typing import Any

from ansible_collections.strata.storage.plugins.module_utils.host import survey
from ansible_collections.strata.storage.plugins.module_utils.host.devices import DiskFacts
from ansible_collections.strata.storage.plugins.module_utils.host.host import Host
from tests.unit.host.hosts import GiB
from tests.unit.host.test_layout import STACK, blank, planned

#: What somebody may have called a disk's label, a volume, a mount point or a host.
HOSTILE = [
    "{{ 6 * 7 }}",
    "{% for x in y %}",
    "<script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title = 'run'\">",
    "</title></style></script></pre></svg><b>",
    "'\"`&amp;",
    "=cmd|' /C calc'!A0",
    "  @SUM(1)",
    "-2+3",
    "+1",
    "\x1b[31mred\x1b[2J",
    "two\nlines\r\n| --- |\n",
    "\u202eright to left\u2066",
    "עברית",
    "a|b|c",
    "```\n# no heading",
    "[a](javascript:alert(1)) ![b](http://example.com/c) *d* _e_ `f`",
    '"} 1\nstrata_storage_findings{host="x',
    "back\\slash\\",
    "\ud800",
    "\x00",
    "x" * 10_000,
]


@functools.cache
def stack() -> Host:
    """RAID 5, a cache, and LVM with a mounted filesystem."""
    host: Host = planned(blank()._replace(directories={"/srv": None}), STACK).after
    disks = {path: DiskFacts(serial=path[-1]) for path in host.disk_facts()}
    return host._replace(spaces={"/srv": (10 * GiB, 9 * GiB)}, disks=disks)


def result(host: Host | None = None) -> dict[str, Any]:
    """What layout_info returns, through JSON, as a controller gets it."""
    found: dict[str, Any] = json.loads(json.dumps(survey.everything(host or stack()), default=str))
    return {**found, "changed": False, "failed": False, "not_read": []}


def full(host: Host | None = None) -> dict[str, Any]:
    """That with a filesystem that is nearly full."""
    return result((host or stack())._replace(spaces={"/srv": (10 * GiB, GiB // 2)}))


def renamed(text: str) -> dict[str, Any]:
    """A result in which each text of others is this one."""
    told = full()

    def rename(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: rename(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [rename(part, key) for part in value]
        # A path of a device is the kernel's.
        kept = key in ("severity", "type", "device") or not isinstance(value, str)
        return value if kept else text

    changed: dict[str, Any] = rename(told)
    changed["not_read"] = [{"device": text, "what": text, "reason": text}]
    return changed


def a_fleet(size: int) -> dict[str, dict[str, Any]]:
    """Hosts no two of which are alike: names of volumes differ, and what is used. Each tenth has a finding, each
    hundredth cannot be reached.
    """
    healthy, damaged = (json.dumps(told) for told in (result(), full()))
    found: dict[str, dict[str, Any]] = {}
    for number in range(size):
        told = json.loads((damaged if number % 10 == 0 else healthy).replace("data/", f"d{number:03}/"))
        told["usage"][0]["used"] -= number << 20
        found[f"nas{number:03}"] = UNREACHABLE if number % 100 == 99 else told
    return found


UNREACHABLE = {
    "unreachable": True,
    "changed": False,
    "msg": "Failed to connect to the host via ssh:\nno route to host\n",
}
