# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as AWX starts them: by ansible-runner, with a survey's answers as extra variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_runner.interface import run as run_playbook

from tests.lab import Guest, Lab
from tests.simulators.maas import Region, Server
from tests.unit.maas.region import add_machine

from .node import CHECKOUT

_SECRET = "q7Zw93hTnb4XcVd2"
_KEY = f"aConsumer:aToken:{_SECRET}"


def start(where: Path, playbook: str, inventory: str, answers: dict[str, Any]) -> Any:
    where.mkdir()
    done = run_playbook(
        private_data_dir=str(where),
        project_dir=str(CHECKOUT / "playbooks"),
        playbook=playbook,
        inventory=inventory,
        extravars=answers,
        envvars={"ANSIBLE_NOCOLOR": "1"},
        quiet=True,
    )
    with done.stdout as printed:
        assert (done.status, done.rc) == ("successful", 0), printed.read()
    return done


def result_of(done: Any, task: str) -> dict[str, Any]:
    """What a task returned, from its event."""
    (event,) = [
        event["event_data"]
        for event in done.events
        if event["event"] == "runner_on_ok" and event["event_data"]["task"].endswith(task)
    ]
    found: dict[str, Any] = event["res"]
    return found


def test_plan_only_and_apply(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    answers: dict[str, Any] = {
        "storage_hosts": "lab",
        "cached_drive_name": "data",
        "cached_drive_slow": [guest.disk("HDD1")],
        "cached_drive_fast": [guest.disk("SSD1")],
        "cached_drive_mount_point": "/srv",
    }
    planned = start(
        tmp_path / "plan", "cached_drive.yml", str(lab.inventory_path), {**answers, "storage_plan_only": True}
    )
    promised = result_of(planned, "The document")["plan"]
    assert [step["kind"] for step in promised][-1] == "volume"
    assert guest.run("wipefs --noheadings " + guest.disk("HDD1")).stdout == ""

    done = start(tmp_path / "apply", "cached_drive.yml", str(lab.inventory_path), answers)
    assert result_of(done, "The document")["plan"] == promised
    assert done.stats["changed"] == {"lab": 1}
    assert guest.run("findmnt --noheadings --output FSTYPE /srv").stdout.strip() == "xfs"
    again = start(tmp_path / "again", "cached_drive.yml", str(lab.inventory_path), answers)
    assert again.stats["changed"] == {}


@pytest.mark.parametrize("plan_only", [True, False])
def test_removal(lab: Lab, guest: Guest, tmp_path: Path, plan_only: bool) -> None:
    answers: dict[str, Any] = {
        "raid_drive_name": "data",
        "raid_drive_level": "1",
        "raid_drive_devices": guest_disks(guest),
        "raid_drive_mount_point": "/srv",
    }
    start(tmp_path / "make", "raid_drive.yml", str(lab.inventory_path), answers)
    gone = {"raid_drive_name": "data", "raid_drive_state": "absent", "raid_drive_allow_destroy": True}
    start(tmp_path / "gone", "raid_drive.yml", str(lab.inventory_path), {**gone, "storage_plan_only": plan_only})
    assert ("md" in guest.run("cat /proc/mdstat").stdout.partition("\n")[2]) == plan_only


def guest_disks(guest: Guest) -> list[str]:
    return [guest.disk(serial) for serial in ("HDD1", "HDD2")]


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """The key of a region is in nothing that is printed or stored."""
    region = Region()
    region.add_user("admin", _KEY)
    add_machine(region, "node1")
    key = tmp_path / "key"
    key.write_text(_KEY)
    with Server(region) as server:
        answers = {
            "maas_url": server.url,
            "maas_api_key_file": str(key),
            "storage_layout": {"raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}]},
        }
        inventory = tmp_path / "inventory"
        inventory.write_text("node1\n")
        done = start(tmp_path / "run", "maas_layout.yml", str(inventory), answers)
    assert done.stats["changed"] == {"node1": 1}
    kept = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if _SECRET in path.read_text(errors="replace")] == []
