# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a report, each described once for all the forms that it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Union

from .model import Capacity, HostReport, Report

#: A text, or a number of what the column says; None if it is not known.
Cell = Union[str, int, None]


class Column(NamedTuple):
    """``key`` is its name for programs, ``kind`` is text, host (a name that leads to the host), severity, count, bytes,
    percent or growth (bytes with a sign).
    """

    key: str
    title: str
    kind: str = "text"


class Table(NamedTuple):
    key: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]


_HOST = Column("host", "Host", "host")
_CAPACITY = (
    Column("disks", "Disks", "count"),
    Column("raw", "Raw", "bytes"),
    Column("unused", "Unused", "bytes"),
    Column("unallocated", "Unallocated", "bytes"),
    Column("size", "Filesystems", "bytes"),
    Column("used", "Used", "bytes"),
    Column("used_percent", "Full", "percent"),
    Column("growth", "Growth", "growth"),
)


def tables(report: Report) -> dict[str, Table]:
    """All tables of a report, by their keys, in the order in which they are read."""
    found = (
        _findings(report),
        _unread(report),
        _groups(report),
        _pools(report),
        _machines(report),
        _hosts(report),
        _filesystems(report),
    )
    return {table.key: table for table in found}


def percent(used: int, size: int) -> int | None:
    return round(100 * used / size) if size else None


def _unread(report: Report) -> Table:
    columns = (Column("kind", "Kind"), Column("name", "Name"), Column("problem", "Problem"), Column("reason", "Reason"))
    rows = [(one["kind"], one["name"], one["problem"], one["reason"]) for one in report["unread"]]
    return Table("unread", "Not read", columns, rows)


def _findings(report: Report) -> Table:
    columns = (
        Column("severity", "Severity", "severity"),
        _HOST,
        Column("name", "Device"),
        Column("problem", "Problem"),
        Column("detail", "Found"),
        Column("meaning", "Meaning"),
        Column("remedy", "What to do"),
    )
    rows = [
        (
            one["severity"],
            one["host"],
            one["name"] or one["device"],
            *(one["problem"], one["detail"]),
            one["meaning"],
            one["remedy"],
        )
        for one in report["findings"]
    ]
    return Table("findings", "Health", columns, rows)


def _hosts(report: Report) -> Table:
    columns = (_HOST, Column("health", "Health", "severity"), *_CAPACITY)
    rows = [(host["name"], host["severity"], *_capacity(host["capacity"])) for host in report["hosts"]]
    return Table("hosts", "Capacity by host", columns, rows)


def _groups(report: Report) -> Table:
    columns = (Column("group", "Group"), Column("hosts", "Hosts", "count"), *_CAPACITY)
    rows = [(group["name"], group["hosts"], *_capacity(group["capacity"])) for group in report["groups"]]
    return Table("groups", "Capacity by group", columns, rows)


def _capacity(found: Capacity) -> tuple[Cell, ...]:
    values = (found["disks"], found["raw"], found["unused"], found["unallocated"], found["size"], found["used"])
    return (*values, percent(found["used"], found["size"]), found["growth"])


def _filesystems(report: Report) -> Table:
    columns = (_HOST, *FILESYSTEM)
    rows = [(host["name"], *row) for host in report["hosts"] for row in filesystem_rows(host)]
    return Table("filesystems", "Filesystems", columns, rows)


#: Of the filesystems of one host.
FILESYSTEM = (
    Column("mount_point", "Mount point"),
    Column("device", "Device"),
    Column("type", "Type"),
    Column("size", "Size", "bytes"),
    Column("used", "Used", "bytes"),
    Column("used_percent", "Full", "percent"),
    Column("growth", "Growth", "growth"),
)


def filesystem_rows(host: HostReport) -> list[tuple[Cell, ...]]:
    return [
        (
            *(one["mount_point"], one["name"], one["type"], one["size"], one["used"]),
            *(percent(one["used"], one["size"]), one["growth"]),
        )
        for one in host["filesystems"]
    ]


def _pools(report: Report) -> Table:
    columns = (
        Column("pool", "Pool"),
        Column("images", "Images", "count"),
        Column("snapshots", "Snapshots", "count"),
        Column("trash", "In the trash", "count"),
        Column("provisioned", "Provisioned", "bytes"),
        Column("growth", "Growth", "growth"),
    )
    rows = [
        (one["name"], one["images"], one["snapshots"], one["trash"], one["provisioned"], one["growth"])
        for one in report["pools"]
    ]
    return Table("pools", "RBD pools", columns, rows)


def _machines(report: Report) -> Table:
    columns = (
        Column("machine", "Machine"),
        Column("status", "Status"),
        Column("disks", "Disks", "count"),
        Column("raw", "Raw", "bytes"),
        Column("unused", "Unused", "bytes"),
    )
    rows = [(one["name"], one["status"], one["disks"], one["raw"], one["unused"]) for one in report["machines"]]
    return Table("machines", "Machines of MAAS", columns, rows)
