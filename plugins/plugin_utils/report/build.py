# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a report together from what the info modules returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.strata.storage.plugins.module_utils.core.errors import StorageError
from ansible_collections.strata.storage.plugins.module_utils.document.tree import draw

from .model import SEVERITIES, VERSION, Capacity, Finding, Group, HostReport, Machine, Pool, Report, Unread

#: Groups that every inventory has.
_ALL = ("all", "ungrouped")
Result = Mapping[str, Any]
Results = Mapping[str, Result]


def build(
    hosts: Results,
    title: str,
    generated_at: str,
    groups: Mapping[str, Sequence[str]] | None = None,
    maas: Results | None = None,
    pools: Results | None = None,
    previous: Mapping[str, Any] | None = None,
) -> Report:
    """A report from the results of layout_info by host, of maas_storage_info by region, and of rbd_info by pool.

    A result that failed, or was never made, becomes an entry of ``unread``. Raises StorageError when ``previous`` is
    not the data of a report, a result is not one of these modules, or ``generated_at`` is no time.
    """
    try:
        datetime.fromisoformat(generated_at.replace("Z", "+00:00"))
    except ValueError as error:
        raise StorageError(f"generated_at: {generated_at} is no time; write it as 2026-11-27T09:00:00Z") from error
    before = _Before(previous)
    kinds = {"host": hosts, "maas": maas or {}, "pool": pools or {}}
    unread = [entry for kind, results in kinds.items() for entry in _unread(kind, results)]
    reports = [_host(name, result, groups or {}, before) for name, result in _read("host", hosts, "tree")]
    findings = [
        _finding(name, found) for name, result in _read("host", hosts, "tree") for found in result.get("health") or ()
    ]
    findings.sort(key=lambda found: (SEVERITIES.index(found["severity"]), found["host"]))
    severities = [found["severity"] for found in findings]
    return {
        "version": VERSION,
        "title": title,
        "generated_at": generated_at,
        "previous_at": before.at,
        "counts": {
            "hosts": len(hosts),
            "read": len(reports),
            "critical": severities.count("critical"),
            "warning": severities.count("warning"),
            "notice": severities.count("notice"),
        },
        "unread": unread,
        "findings": findings,
        "gone": sorted(before.hosts.keys() - hosts.keys()),
        "capacity": _sum(reports),
        "hosts": reports,
        "groups": list(_groups(reports)),
        "pools": [_pool(name, result, before) for name, result in _read("pool", pools or {}, "images")],
        "machines": [
            _machine(machine)
            for _region, result in _read("maas", maas or {}, "machines")
            for machine in sorted(result["machines"], key=lambda machine: str(machine["fqdn"]))
        ],
    }


class _Before:
    """What the last report says was used."""

    def __init__(self, previous: Mapping[str, Any] | None) -> None:
        try:
            if previous and previous["version"] != VERSION:
                raise StorageError(f"the last report has version {previous['version']}; expected {VERSION}")
            self.at = str(previous["generated_at"]) if previous else ""
            self.hosts = {
                str(host["name"]): int(host["capacity"]["used"]) for host in (previous or {}).get("hosts", ())
            }
            self._filesystems = {
                (str(host["name"]), str(one["mount_point"])): int(one["used"])
                for host in (previous or {}).get("hosts", ())
                for one in host["filesystems"]
            }
            self._pools = {str(pool["name"]): int(pool["provisioned"]) for pool in (previous or {}).get("pools", ())}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StorageError("the last report is not the data of one: it lacks what a report has") from error

    def host(self, name: str, used: int) -> int | None:
        return used - self.hosts[name] if name in self.hosts else None

    def filesystem(self, host: str, mount_point: str, used: int) -> int | None:
        then = self._filesystems.get((host, mount_point))
        return None if then is None else used - then

    def pool(self, name: str, provisioned: int) -> int | None:
        return provisioned - self._pools[name] if name in self._pools else None


def _failed(result: Result) -> bool:
    return not result or any(result.get(word) for word in ("unreachable", "failed", "skipped"))


def _unread(kind: str, results: Results) -> Iterator[Unread]:
    for name, result in sorted(results.items()):
        if _failed(result):
            problem = "unreachable" if result.get("unreachable") else "failed"
            yield {"kind": kind, "name": name, "problem": problem, "reason": _reason(result)}


def _reason(result: Result) -> str:
    """What the task said, in one line; of a module that did not run also the last line of its output."""
    said = [str(result.get("msg") or result.get("skip_reason") or "it was not read").removeprefix("Task failed: ")]
    for stream in ("module_stderr", "module_stdout"):
        lines = str(result.get(stream) or "").strip().splitlines()
        if lines:
            said.append(lines[-1])
            break
    return " ".join(": ".join(part.rstrip(". \n") for part in said).split())


def _read(kind: str, results: Results, key: str) -> Iterator[tuple[str, Result]]:
    for name, result in sorted(results.items()):
        if _failed(result):
            continue
        if key not in result:
            modules = {"host": "layout_info", "maas": "maas_storage_info", "pool": "rbd_info"}
            raise StorageError(f"{kind} {name}: this is no result of strata.storage.{modules[kind]}; it has no {key}")
        yield name, result


def _finding(host: str, found: Result) -> Finding:
    return {
        "host": host,
        "severity": str(found["severity"]),
        "device": str(found["device"]),
        "name": str(found["name"]),
        "problem": str(found["problem"]),
        "detail": str(found["detail"]),
        "meaning": str(found["meaning"]),
        "remedy": str(found["remedy"]),
    }


def _host(name: str, result: Result, groups: Mapping[str, Sequence[str]], before: _Before) -> HostReport:
    usage = sorted(result.get("usage") or (), key=lambda one: str(one["mount_point"]))
    disks = result.get("disks") or ()
    size, used, free = (_total(usage, key) for key in ("size", "used", "free"))
    severities = {str(found["severity"]) for found in result.get("health") or ()}
    return {
        "name": name,
        "groups": sorted(group for group, members in groups.items() if name in members and group not in _ALL),
        "severity": next((severity for severity in SEVERITIES if severity in severities), "ok"),
        "summary": str(result.get("summary") or ""),
        "text": draw(result["tree"]),
        "capacity": {
            "disks": len(disks),
            "raw": _total(disks, "size"),
            "unused": _total(result.get("unused") or (), "size"),
            "unallocated": _total((result.get("status") or {}).get("drives", {}).values(), "free"),
            "size": size,
            "used": used,
            "free": free,
            "growth": before.host(name, used),
        },
        "filesystems": [
            {
                "mount_point": str(one["mount_point"]),
                "device": str(one["device"]),
                "name": str(one["name"]),
                "type": str(one["type"]),
                "size": int(one["size"]),
                "used": int(one["used"]),
                "free": int(one["free"]),
                "growth": before.filesystem(name, str(one["mount_point"]), int(one["used"])),
            }
            for one in usage
        ],
        "not_read": [
            {key: str(one[key]) for key in ("device", "what", "reason")} for one in result.get("not_read") or ()
        ],
        "tree": list(result["tree"]),
    }


def _total(found: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(one[key] or 0) for one in found)


def _sum(hosts: Sequence[HostReport]) -> Capacity:
    total: Capacity = {
        "disks": 0, "raw": 0, "unused": 0, "unallocated": 0, "size": 0, "used": 0, "free": 0, "growth": None
    }  # fmt: skip
    for host in hosts:
        one = host["capacity"]
        for key in ("disks", "raw", "unused", "unallocated", "size", "used", "free"):
            total[key] += one[key]
        if one["growth"] is not None:
            total["growth"] = (total["growth"] or 0) + one["growth"]
    return total


def _groups(hosts: Sequence[HostReport]) -> Iterator[Group]:
    for name in sorted({group for host in hosts for group in host["groups"]}):
        members = [host for host in hosts if name in host["groups"]]
        yield {"name": name, "hosts": len(members), "capacity": _sum(members)}


def _pool(name: str, result: Result, before: _Before) -> Pool:
    provisioned = _total(result["images"], "size")
    return {
        "name": name,
        "images": len(result["images"]),
        "snapshots": sum(len(one.get("snapshots") or ()) for one in (result.get("status") or {}).values()),
        "trash": len(result.get("trash") or ()),
        "provisioned": provisioned,
        "growth": before.pool(name, provisioned),
    }


def _machine(machine: Result) -> Machine:
    disks = [branch for branch in machine["tree"] if branch["type"] == "disk"]
    return {
        "name": str(machine["fqdn"]),
        "status": str(machine["status"]),
        "disks": len(disks),
        "raw": _total(disks, "size"),
        "unused": _total(machine.get("unused") or (), "free"),
        "text": draw(machine["tree"]),
        "tree": list(machine["tree"]),
    }
