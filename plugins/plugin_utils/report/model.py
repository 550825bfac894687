# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a report over a fleet, as data that JSON can hold. Sizes are bytes."""

from __future__ import annotations

from typing import Any, TypedDict

#: Version of this shape. A report of another version is not compared with.
VERSION = 1
#: How a host does, worst first.
SEVERITIES = ("critical", "warning", "notice", "ok")


class Unread(TypedDict):
    """Something without facts. ``kind`` is host, maas or pool, and ``problem`` unreachable or failed."""

    kind: str
    name: str
    problem: str
    reason: str


class Finding(TypedDict):
    """A finding of layout_info, with its host."""

    host: str
    severity: str
    device: str
    name: str
    problem: str
    detail: str
    meaning: str
    remedy: str


class Capacity(TypedDict):
    """``raw`` is the size of all disks, ``unused`` that of blank devices, ``unallocated`` the free space of volume
    groups; ``size``, ``used`` and ``free`` are of mounted filesystems. ``growth`` is that of ``used`` since the last
    report, None if that report does not have it.
    """

    disks: int
    raw: int
    unused: int
    unallocated: int
    size: int
    used: int
    free: int
    growth: int | None


class Filesystem(TypedDict):
    mount_point: str
    device: str
    name: str
    type: str
    size: int
    used: int
    free: int
    growth: int | None


class HostReport(TypedDict):
    name: str
    groups: list[str]
    severity: str
    summary: str
    text: str
    capacity: Capacity
    filesystems: list[Filesystem]
    not_read: list[dict[str, str]]
    tree: list[dict[str, Any]]


class Group(TypedDict):
    """The sums of the hosts of a group. ``growth`` is of those hosts that both reports have."""

    name: str
    hosts: int
    capacity: Capacity


class Pool(TypedDict):
    """An RBD pool or namespace. ``provisioned`` is the sum of the sizes of its images."""

    name: str
    images: int
    snapshots: int
    trash: int
    provisioned: int
    growth: int | None


class Machine(TypedDict):
    """A machine of MAAS."""

    name: str
    status: str
    disks: int
    raw: int
    unused: int
    text: str
    tree: list[dict[str, Any]]


class Counts(TypedDict):
    """How many hosts there are, how many of them were read, and how many findings of each severity."""

    hosts: int
    read: int
    critical: int
    warning: int
    notice: int


class Report(TypedDict):
    """``gone`` are hosts of the last report that this one was not asked about."""

    version: int
    title: str
    generated_at: str
    previous_at: str
    counts: Counts
    unread: list[Unread]
    findings: list[Finding]
    gone: list[str]
    capacity: Capacity
    hosts: list[HostReport]
    groups: list[Group]
    pools: list[Pool]
    machines: list[Machine]
