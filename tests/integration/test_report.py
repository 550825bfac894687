# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report over a real host, and over some that cannot be read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.ceph import Cluster
from tests.lab import Guest, Lab
from tests.simulators.maas import Region, Server
from tests.unit.maas.region import KEY, add_machine

from .test_ansible import ansible

LABEL = "{{ 6*7 }}<b>|"
BY_HAND = """
mdadm --create /dev/md/old --run --quiet --level 1 --raid-devices 2 --assume-clean {0} missing
mkfs.ext4 -q -L '{1}' /dev/md/old
mkdir -p '/srv/=a|b'
mount /dev/md/old '/srv/=a|b'
"""
OTHERS: dict[str, Any] = {
    "fileservers": {
        "hosts": {
            "dead": {"ansible_host": "127.0.0.1", "ansible_port": 9},
            "broken": {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere/python"},
            "lab": {},
        }
    }
}


def test_a_report_over_hosts_some_of_which_cannot_be_read(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    guest.run(BY_HAND.format(guest.disk("HDD1"), LABEL))
    inventory = tmp_path / "others.json"
    inventory.write_text(json.dumps({"all": {"children": OTHERS}}))
    where = tmp_path / "storage-report"

    def run(*arguments: str, files: tuple[str, ...] = ("json",)) -> dict[str, Any]:
        answers = {"storage_hosts": "all", "storage_report_directory": str(where), "report_files": files}
        words = ("playbooks/report.yml", "-i", str(inventory), "-e", json.dumps(answers), *arguments)
        said = ansible(lab, "ansible-playbook", *words)
        assert (f'"msg": "{where}/report.' in said) == where.exists()
        made: dict[str, Any] = json.loads((where / "report.json").read_text()) if where.exists() else {}
        return made

    assert run("--check") == {}
    made = run()
    assert made["counts"]["hosts"] == 3
    assert [(one["name"], one["problem"]) for one in made["unread"]] == [("broken", "failed"), ("dead", "unreachable")]
    assert "/nowhere/python" in made["unread"][0]["reason"]
    assert "Connection refused" in made["unread"][1]["reason"]
    (host,) = made["hosts"]
    assert (host["name"], host["groups"], host["severity"]) == ("lab", ["fileservers"], "critical")
    assert LABEL in host["text"]
    assert ("critical", "degraded") in [(one["severity"], one["problem"]) for one in made["findings"]]
    assert host["capacity"]["growth"] is None

    guest.run("head -c 20M /dev/urandom > '/srv/=a|b/more'; sync")
    made = run(files=("html", "csv", "metrics", "json"))
    (grown,) = [one for one in made["hosts"][0]["filesystems"] if one["mount_point"] == "/srv/=a|b"]
    assert grown["growth"] >= 20 << 20
    page = (where / "report.html").read_text()
    assert "{{ 6*7 }}&lt;b&gt;|" in page
    assert "<b>|" not in page
    assert f"Growth is since {made['previous_at']}." in page
    with (where / "report-filesystems.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert str(grown["used"]) in [row["used"] for row in rows if row["mount_point"] == "/srv/=a|b"]
    assert 'strata_storage_host_read{host="dead"} 0' in (where / "report.prom").read_text()
    assert not (where / "report.md").exists()


@pytest.mark.further
def test_machines_of_maas_and_pools_of_ceph(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    region = Region()
    region.add_user("admin", KEY)
    add_machine(region, "node1")
    answers: dict[str, Any] = {"storage_hosts": "lab", "storage_report_directory": str(tmp_path / "made")}
    answers |= {"report_rbd_pools": ["rbd", "rbd/test", "gone"], "report_files": ["json", "html"]}
    with Cluster() as cluster, Server(region) as server:
        cluster.run("rbd", "create", "rbd/a|<b>", "--size", "10G")
        cluster.run("rbd", "namespace", "create", "rbd/test")
        answers |= {"report_ceph_conf": str(cluster.conf), "report_maas_url": server.url}
        run = ("ansible-playbook", "playbooks/report.yml", "-e", json.dumps(answers))
        ansible(lab, *run, MAAS_API_KEY=KEY)
    made = json.loads((tmp_path / "made/report.json").read_text())
    assert [(one["name"], one["images"], one["provisioned"]) for one in made["pools"]] == [
        ("rbd", 1, 10 << 30),
        ("rbd/test", 0, 0),
    ]
    assert [(one["name"], one["status"], one["disks"]) for one in made["machines"]] == [("node1.maas", "Ready", 9)]
    assert [(one["kind"], one["name"]) for one in made["unread"]] == [("pool", "gone")]
    assert KEY.rpartition(":")[2] not in (tmp_path / "made/report.html").read_text()

    # The region is gone by now, and so is the cluster.
    ansible(lab, *run, MAAS_API_KEY=KEY)
    made = json.loads((tmp_path / "made/report.json").read_text())
    assert [one["kind"] for one in made["unread"]] == ["maas", "pool", "pool", "pool"]
    assert made["counts"]["read"] == 1
