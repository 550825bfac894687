# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mounted drive of one volume, which is a file."""

from __future__ import annotations

from typing import Any


def test_volume(host: Any) -> None:
    (name,) = host.file("/var/lib/strata-storage/volumes/data").listdir()
    assert host.file(f"/var/lib/strata-storage/volumes/data/{name}").size == 320 << 20
    assert name in host.check_output("losetup --list --noheadings --output BACK-FILE")


def test_drive(host: Any) -> None:
    assert host.check_output("lvs --noheadings --options vg_name,lv_name").split() == ["data", "data"]
    mounted = host.mount_point("/srv")
    assert mounted.exists
    assert mounted.filesystem == "btrfs"


def test_history(host: Any) -> None:
    assert host.file("/var/lib/strata-storage/elastic/data.json").exists


def test_metrics(host: Any) -> None:
    lines = host.file("/var/lib/drive.prom").content_string.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['strata_elastic_drive_volumes_bytes{drive="data"}'] == str(320 << 20)
    assert values['strata_elastic_drive_volumes{drive="data"}'] == "1"
    assert values['strata_elastic_drive_needs_help{drive="data"}'] == "0"
    assert 200 << 20 < int(values['strata_elastic_drive_size_bytes{drive="data"}']) < 320 << 20
    now = float(host.check_output("date +%s"))
    for name in ("last_change", "pass"):
        assert abs(now - float(values[f'strata_elastic_drive_{name}_timestamp_seconds{{drive="data"}}'])) < 600
    # The names of the series stay the same from pass to pass.
    decided = {name: value for name, value in values.items() if name.startswith("strata_elastic_drive_decision")}
    labels = [f'strata_elastic_drive_decision{{drive="data",decision="{one}"}}' for one in ("grow", "shrink", "none")]
    assert list(decided) == labels
    assert sorted(decided.values()) == ["0", "0", "1"]
    assert len(values) == 10
