# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics of Prometheus, for the textfile collector of its node exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ansible_collections.strata.storage.plugins.module_utils.core.text import printable

from .model import Report

Labels = Mapping[str, str]


class _Metric(NamedTuple):
    name: str
    help: str
    samples: Sequence[tuple[Labels, int]]


def render(report: Report) -> str:
    return "".join(line for metric in _metrics(report) if metric.samples for line in _lines(metric))


def _lines(metric: _Metric) -> Iterator[str]:
    name = f"strata_storage_{metric.name}"
    yield f"# HELP {name} {metric.help}\n# TYPE {name} gauge\n"
    # A sample that is there twice costs all of the file.
    for labels, value in {_labels(labels): value for labels, value in metric.samples}.items():
        yield f"{name}{labels} {value}\n"


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')


def _metrics(report: Report) -> Iterator[_Metric]:
    hosts = report["hosts"]
    unread = [one["name"] for one in report["unread"] if one["kind"] == "host"]
    at = int(datetime.fromisoformat(report["generated_at"].replace("Z", "+00:00")).timestamp())
    yield _Metric("report_timestamp_seconds", "When the report was made.", [({}, at)])
    yield _Metric(
        "host_read",
        "1 if the storage of the host was read, 0 if it was not.",
        [({"host": host["name"]}, 1) for host in hosts] + [({"host": name}, 0) for name in unread],
    )
    severities = ("critical", "warning", "notice")
    counted = {(host["name"], severity): 0 for host in hosts for severity in severities}
    for found in report["findings"]:
        counted[found["host"], found["severity"]] += 1
    yield _Metric(
        "findings",
        "Findings about the host.",
        [({"host": host, "severity": severity}, number) for (host, severity), number in counted.items()],
    )
    capacities = [({"host": host["name"]}, host["capacity"]) for host in hosts]
    yield _Metric("raw_bytes", "Size of all disks.", [(labels, one["raw"]) for labels, one in capacities])
    yield _Metric("unused_bytes", "Size of blank devices.", [(labels, one["unused"]) for labels, one in capacities])
    yield _Metric(
        "unallocated_bytes",
        "Free space of volume groups.",
        [(labels, one["unallocated"]) for labels, one in capacities],
    )
    mounted = [
        (
            {"host": host["name"], "mount_point": one["mount_point"], "device": one["name"], "type": one["type"]},
            one,
        )
        for host in hosts
        for one in host["filesystems"]
    ]
    yield _Metric(
        "filesystem_size_bytes", "Size of the filesystem.", [(labels, one["size"]) for labels, one in mounted]
    )
    yield _Metric(
        "filesystem_used_bytes", "Bytes of it that are not free.", [(labels, one["used"]) for labels, one in mounted]
    )
    pools = report["pools"]
    yield _Metric("pool_images", "Images of the pool.", [({"pool": one["name"]}, one["images"]) for one in pools])
    yield _Metric(
        "pool_provisioned_bytes", "Sum of their sizes.", [({"pool": one["name"]}, one["provisioned"]) for one in pools]
    )
