# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong with a host's storage, or on its way, from what was read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .bcache import health as bcache
from .filesystem import health as filesystem
from .findings import CRITICAL, NOTICE, WARNING, Finding, of_devices
from .host import Host
from .luks import health as luks
from .lvm import health as lvm
from .raid import health as raid

_SEVERITIES = (CRITICAL, WARNING, NOTICE)


def health(host: Host, names: Mapping[str, str]) -> list[Finding]:
    """All that is wrong, what is worst first. ``names`` are what the document calls devices."""
    found = [*of_devices(host, *host.devices), *_paths(host)]
    for layer in (raid, bcache, luks, lvm, filesystem):
        found += layer.health(host)
    found = [finding._replace(name=names.get(finding.name, finding.name)) for finding in found]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))


def _paths(host: Host) -> Iterator[Finding]:
    """Disks with several paths that nothing puts together."""
    for path, first in host.paths.items():
        device = host.devices[first]
        if device.disk or any("mpath-" in host.devices[holder].identity for holder in device.holders):
            continue
        meaning = "Nothing goes on by the other path where the one that is in use fails."
        yield Finding(
            NOTICE, first, first, "paths", f"{path} is another path to it", meaning, "Have multipathd join them."
        )
