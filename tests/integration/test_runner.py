# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as AWX starts them: by ansible-runner, with the answers of their surveys as extra variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ceph import Cluster
from tests.jobs import Job, Jobs
from tests.lab import Guest, Lab
from tests.simulators.maas import Region, Server
from tests.unit.maas.region import add_machine

from .node import CHECKOUT
from .test_rbd_map import reach

_SECRET = "q7Zw93hTnb4XcVd2"
_KEY = f"aConsumer:aToken:{_SECRET}"
_AWX = CHECKOUT / "playbooks/awx"
_TEMPLATES = yaml.safe_load((_AWX / "job_templates.yml").read_text())["awx_job_templates"]
_WORKFLOWS = yaml.safe_load((_AWX / "workflow_job_templates.yml").read_text())["awx_workflow_job_templates"]
Launch = Callable[..., Job]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """Start a job template with answers to its survey, and with variables beside it; return what it came to."""
    jobs = Jobs(tmp_path)

    def start(playbook: str, inventory: Path, fails: bool = False, beside: Any = None, **answers: Any) -> Job:
        return jobs.run(playbook, inventory, {**answered(playbook, answers), **(beside or {})}, fails)

    return start


def answered(playbook: str, given: dict[str, str]) -> dict[str, str]:
    """All answers to the survey of a template, or of its workflow: those given, or suggested, or empty ones."""
    (template,) = [template for template in _TEMPLATES if template["playbook"] == f"playbooks/{playbook}"]
    (asks,) = [
        one
        for one in (template, *_WORKFLOWS)
        if one.get("survey_enabled")
        and (
            one is template
            or template["name"] in [node["unified_job_template"]["name"] for node in one["workflow_nodes"]]
        )
    ]
    suggested = {question["variable"]: question.get("default", "") for question in asks["survey_spec"]["spec"]}
    assert given.keys() <= suggested.keys()
    assert all(isinstance(answer, str) for answer in given.values())
    return {**suggested, "storage_hosts": "all", **given}


@pytest.mark.further
def test_a_cached_drive(lab: Lab, guest: Guest, launch: Launch) -> None:
    answers = {
        "cached_drive_slow": f"{guest.disk('HDD1')}\n{guest.disk('HDD2')}\n",
        "cached_drive_level": "1",
        "cached_drive_fast": guest.disk("SSD1"),
        "cached_drive_mount_point": "/srv",
    }
    planned = launch("cached_drive.yml", lab.inventory_path, **answers)
    promised = planned.result("The document")["plan"]
    assert [step["kind"] for step in promised][-1] == "volume"
    assert guest.run("wipefs --noheadings " + guest.disk("HDD1")).stdout == ""

    answers["storage_plan_only"] = "false"
    # Seen to above, which is half of a job's time.
    beside = {"cached_drive_packages": False}
    done = launch("cached_drive.yml", lab.inventory_path, beside=beside, **answers)
    assert done.result("The document")["plan"] == promised
    assert done.stats["changed"] == {"lab": 1}
    assert guest.run("findmnt --noheadings --output FSTYPE /srv").stdout.strip() == "btrfs"
    again = launch("cached_drive.yml", lab.inventory_path, beside=beside, **answers)
    assert again.stats["changed"] == {}


@pytest.mark.further
def test_a_raid_drive_and_its_removal(lab: Lab, guest: Guest, launch: Launch) -> None:
    disks = f"{guest.disk('HDD1')}, {guest.disk('HDD2')}"
    beside = {"raid_drive_packages": False}
    wanted = {"raid_drive_level": "1", "raid_drive_devices": disks, "raid_drive_mount_point": "/srv"}
    launch("raid_drive.yml", lab.inventory_path, beside=beside, storage_plan_only="false", **wanted)
    guest.run("echo kept > /srv/file; sync")
    gone = {"raid_drive_state": "absent", "storage_plan_only": "false"}
    # The answer is the text "false".
    said = launch("raid_drive.yml", lab.inventory_path, beside=beside, fails=True, **gone)
    assert "allow_destroy" in said.said
    assert guest.run("cat /srv/file").stdout == "kept\n"
    gone["raid_drive_allow_destroy"] = "true"
    launch("raid_drive.yml", lab.inventory_path, beside=beside, **{**gone, "storage_plan_only": "true"})
    assert guest.run("cat /srv/file").stdout == "kept\n"
    launch("raid_drive.yml", lab.inventory_path, beside=beside, **gone)
    assert "md" not in guest.run("cat /proc/mdstat").stdout.partition("\n")[2]


@pytest.mark.further
def test_an_rbd_drive(lab: Lab, guest: Guest, launch: Launch) -> None:
    with Cluster() as cluster, reach(guest, cluster):
        beside = {
            "rbd_drive_admin_conf": str(cluster.conf),
            "rbd_drive_admin_keyring": str(cluster.keyring),
            "rbd_drive_map_options": ["ms_mode=crc"],
            "rbd_drive_features": ["layering", "exclusive-lock"],
            "rbd_drive_packages": False,
        }
        wanted = {"rbd_drive_size": "400M", "rbd_drive_mount_point": "/srv"}
        planned = launch("rbd_drive.yml", lab.inventory_path, beside=beside, **wanted)
        said = planned.result("The plan")["msg"]
        assert said[0].startswith("create image")
        assert said[-1].startswith("mount volume")
        assert cluster.run("rbd", "ls").strip() == ""
        wanted["storage_plan_only"] = "false"
        done = launch("rbd_drive.yml", lab.inventory_path, beside=beside, **wanted)
        # The kernel's name of a device that is not there yet is not known.
        named = [step.replace("/dev/rbd0", "/dev/rbd/rbd/lab-data") for step in done.result("The plan")["msg"]]
        assert named == said
        assert guest.run("findmnt --noheadings --output FSTYPE /srv").stdout.strip() == "btrfs"
        assert cluster.run("rbd", "ls").strip() == "lab-data"
        gone = {"rbd_drive_state": "absent", "rbd_drive_allow_destroy": "true", "storage_plan_only": "false"}
        launch("rbd_drive.yml", lab.inventory_path, beside=beside, **gone)
        assert cluster.run("rbd", "ls").strip() == ""
        assert guest.run("ls /sys/bus/rbd/devices").stdout == ""


def test_a_layout_that_somebody_approves(lab: Lab, guest: Guest, launch: Launch, tmp_path: Path) -> None:
    """The jobs of the workflow: what the first publishes, AWX gives to the last, with what was given at its launch.

    A second host joins the inventory while the approval waits.
    """
    document = {
        "raids": [{"name": "md0", "level": "1", "devices": [guest.disk("HDD1"), guest.disk("HDD2")]}],
        "filesystems": [{"device": "md0", "type": "ext4", "mount_point": "/srv"}],
    }
    answers = {"storage_layout_yaml": yaml.safe_dump(document)}
    planned = launch("layout_plan.yml", lab.inventory_path, **answers)
    assert planned.stats["changed"] == {"lab": 1}
    assert "lab: " in planned.said[planned.said.rindex("TASK [") :]
    assert "md0" not in guest.run("cat /proc/mdstat").stdout
    approved = planned.published
    assert approved["storage_approved"]["lab"]["destructive"] == 0

    grown = yaml.safe_load(lab.inventory_path.read_text())
    grown["all"]["hosts"]["joined"] = grown["all"]["hosts"]["lab"]
    both = tmp_path / "both.yml"
    both.write_text(yaml.safe_dump(grown))
    refused = launch("layout_apply.yml", both, fails=True, beside={**approved}, **answers).refusals()
    assert set(refused) == {"joined"}
    assert "joined is not among the hosts whose plan was approved (lab)" in refused["joined"]
    assert guest.run("findmnt --noheadings --output FSTYPE /srv").stdout.strip() == "ext4"


@pytest.mark.further
def test_data_made_after_an_approval_is_kept(lab: Lab, guest: Guest, launch: Launch) -> None:
    """Whatever is given at launch: the plan that was approved had destroyed nothing."""
    disks = [guest.disk("HDD1"), guest.disk("HDD2")]
    answers = {"storage_layout_yaml": yaml.safe_dump({"raids": [{"name": "md0", "level": "1", "devices": disks}]})}
    approved = launch("layout_plan.yml", lab.inventory_path, **answers).published
    assert approved["storage_approved"]["lab"]["destructive"] == 0
    guest.run(f"mkfs.ext4 -q {disks[0]}")
    permit = {"storage_allow_destroy": "md0"}
    off = {"host_layout_expected_plan": "", "host_layout_packages": False}
    for beside, given, said in (
        (off, permit, "allow_destroy is md0, and the plan was approved with empty"),
        (
            {**off, "host_layout_allow_destroy": ["md0"]},
            {},
            "allow_destroy is md0, and the plan was approved with empty",
        ),
        (off, {"storage_mode": "exact"}, "mode is exact, and the plan was approved with merge"),
        (off, {}, "refused"),
        (
            {**off, "host_layout_document": {"raids": [], "filesystems": [{"device": disks[1], "type": "xfs"}]}},
            {},
            "expected",
        ),
    ):
        job = launch(
            "layout_apply.yml", lab.inventory_path, fails=True, beside={**approved, **beside}, **answers, **given
        )
        assert said in job.refusals()["lab"]
        assert guest.run(f"blkid --output value --match-tag TYPE --probe {disks[0]}").stdout.strip() == "ext4"
    assert guest.run(f"wipefs --noheadings {disks[1]}").stdout == ""
    job = launch("layout_apply.yml", lab.inventory_path, fails=True, beside=off, **answers)
    assert "storage_approved is not among the extra variables" in job.refusals()["lab"]


@pytest.mark.further
def test_what_an_array_holds_is_approved_once_it_can_be_seen(lab: Lab, guest: Guest, launch: Launch) -> None:
    """It does not run, so nobody sees what is on it: starting it is approved, and then what is done to that."""
    disks = [guest.disk("HDD1"), guest.disk("HDD2")]
    guest.run(
        f"mdadm --create /dev/md/md0 --name=md0 --run --level=1 --raid-devices=2 --metadata=1.2 {' '.join(disks)}"
    )
    guest.run("mkfs.ext4 -q /dev/md/md0 && udevadm settle && mdadm --stop /dev/md/md0")
    document = {
        "raids": [{"name": "md0", "level": "1", "devices": disks}],
        "filesystems": [{"device": "md0", "type": "xfs"}],
    }
    answers = {"storage_layout_yaml": yaml.safe_dump(document), "storage_allow_destroy": "md0"}
    for shown in ("planned later", "DESTROYS"):
        planned = launch("layout_plan.yml", lab.inventory_path, **answers)
        assert shown in planned.said[planned.said.rindex("TASK [") :]
        record = planned.published["storage_approved"]["lab"]
        assert record["destructive"] == (shown == "DESTROYS")
        assert record["later"] > 0 or shown == "DESTROYS"
        done = launch("layout_apply.yml", lab.inventory_path, beside=planned.published, **answers)
        if shown == "planned later":
            assert "not in the expected plan, so not done" in done.said
            assert guest.run("wipefs --noheadings --output TYPE /dev/md0").stdout.strip() == "ext4"
    assert guest.run("wipefs --noheadings --output TYPE /dev/md0").stdout.strip() == "xfs"


def test_a_maas_layout_keeps_its_secret(tmp_path: Path, launch: Launch) -> None:
    """The key of a region is in nothing that is printed or stored."""
    region = Region()
    region.add_user("admin", _KEY)
    add_machine(region, "node1")
    key = tmp_path / "key"
    key.write_text(_KEY)
    inventory = tmp_path / "inventory"
    inventory.write_text("node1\n")
    document = "raids: [{name: md0, level: '1', devices: [sdb, sdc]}]"
    with Server(region) as server:
        beside = {"maas_url": server.url, "maas_api_key_file": str(key)}
        planned = launch("maas_layout_plan.yml", inventory, beside=beside, storage_layout_yaml=document)
        assert not any(line.startswith("POST") for line in server.log)
        beside.update(planned.published)
        other = document.replace("'1'", "'0'")
        refused = launch("maas_layout_apply.yml", inventory, beside=beside, fails=True, storage_layout_yaml=other)
        assert "not the expected one" in refused.refusals()["node1"]
        done = launch("maas_layout_apply.yml", inventory, beside=beside, storage_layout_yaml=document)
        assert done.result("The document")["plan"] == planned.result("The document")["plan"]
        assert done.stats["changed"] == {"node1": 1}
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path != key]
    assert kept
    assert [path for path in kept if _SECRET in path.read_text(errors="replace")] == []
