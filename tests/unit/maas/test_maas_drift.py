# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine in MAAS beside the host that was deployed on it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.strata.storage.plugins.filter.for_maas import for_maas
from ansible_collections.strata.storage.plugins.filter.maas_drift import maas_drift
from ansible_collections.strata.storage.plugins.module_utils.host import survey
from tests.tools.checkout import ROOT as CHECKOUT
from tests.unit.host.hosts import GiB
from tests.unit.host.test_survey import built

from .region import GB, KEY, Maas, MiB

IDS = "/dev/disk/by-id"
DOCUMENT: dict[str, Any] = {
    "partitions": [
        {"name": "efi", "device": "sda", "size": "512M", "bootable": True},
        {"name": "root", "device": "sda", "size": "4GB"},
        {"name": "swap", "device": "sda"},
    ],
    "raids": [{"name": "md0", "level": "5", "devices": ["sdb", "sdc", "sdd"], "spare_devices": ["sde"]}],
    "bcaches": [
        {"name": "cached", "backing_device": "md0", "cache_device": "nvme0n1", "cache_mode": "writeback"},
    ],
    "drives": [
        {
            "name": "data",
            "devices": ["cached"],
            "volumes": [{"name": "srv", "size": "50%", "filesystem": "xfs", "label": "srv", "mount_point": "/srv"}],
        }
    ],
    "filesystems": [
        {"device": "efi", "type": "fat32", "mount_point": "/boot/efi"},
        {"device": "root", "type": "ext4", "mount_point": "/"},
        {"device": "swap", "type": "swap"},
        {"device": "sdf", "type": "ext4", "mount_point": "/old", "mount_options": "noatime"},
    ],
}


@pytest.fixture
def machine(maas: Maas) -> dict[str, Any]:
    maas.storage(**DOCUMENT)
    return dict(maas.info(machines=["node1"])["machines"][0])


@pytest.fixture
def host(machine: dict[str, Any]) -> dict[str, Any]:
    """As layout_info tells a host that MAAS deployed: with other paths, and the kernel's name of the bcache."""
    size = machine["layout"]["drives"][0]["volumes"][0]["size"]

    def path(name: str) -> str:
        return f"{IDS}/scsi-SATA_ACME_NODE1-{name.upper()}"

    return {
        "layout": {
            "partitions": [{"name": "primary", "device": path("sda"), "size": 1, "state": "present"}],
            "raids": [
                {
                    "name": "md0",
                    "level": "5",
                    "devices": [path(name) for name in ("sdd", "sdb", "sdc")],
                    "spare_devices": [path("sde")],
                    "metadata": "1.2",
                    "state": "present",
                }
            ],
            "bcaches": [
                {
                    "name": "bcache0",
                    "backing_device": "raids: md0",
                    "cache_device": path("nvme0n1"),
                    "cache_mode": "writeback",
                }
            ],
            "drives": [
                {
                    "name": "data",
                    "devices": ["bcache0"],
                    "volumes": [
                        {
                            "name": "srv",
                            "size": int(size),
                            "filesystem": "xfs",
                            "label": "srv",
                            "mount_point": "/srv",
                            "mount_options": "defaults",
                        }
                    ],
                }
            ],
            "filesystems": [
                {"device": "primary", "type": "swap", "mount_options": "sw"},
                {"device": path("sdf"), "type": "ext4", "mount_point": "/old", "mount_options": "noatime,nofail"},
            ],
        },
        "status": {"partitions": {"primary": {"number": 3}}},
    }


def said(machine: dict[str, Any], host: dict[str, Any]) -> list[str]:
    return [
        f"{one['section']}: {one['name']}: {one['word']}: {one['maas']} -> {one['host']}"
        for one in maas_drift(machine, host)
    ]


def test_a_host_as_it_was_deployed(machine: dict[str, Any], host: dict[str, Any]) -> None:
    assert said(machine, host) == []


def test_what_the_host_s_own_survey_tells(maas: Maas) -> None:
    """Its document, given to MAAS, differs in nothing from what MAAS then has."""
    there = survey.everything(built())
    maas.machine.devices.clear()
    for name in ("vda", "vdh"):
        maas.machine.add_disk(name, 12 * GB)
    for number, letter in enumerate("bcdefg"):
        # What the host calls sdb, the region calls otherwise.
        maas.machine.add_disk(f"vd{'gfedcb'[number]}", 10 * GiB + 16 * MiB, id_path=f"{IDS}/sd{letter}")
    wanted = for_maas(there["layout"])
    maas.storage(**{section: wanted[section] for section in ("raids", "bcaches", "drives", "filesystems")})
    (told,) = maas.info(machines=["node1"])["machines"]
    assert told["layout"]["raids"][0]["devices"] == there["layout"]["raids"][0]["devices"]
    assert said(told, there) == []
    maas.storage(raids=[{"name": "md0", "spare_devices": ["vdh"]}])
    (told,) = maas.info(machines=["node1"])["machines"]
    assert said(told, there) == ["raids: md0: spare_devices: ['vdh'] -> []"]


CHANGES: list[tuple[Callable[[dict[str, Any]], Any], list[str]]] = [
    (
        lambda host: host["raids"][0]["devices"].__setitem__(0, f"{IDS}/ata-X_NODE1-SDG"),
        ["raids: md0: devices: ['sdb', 'sdc', 'sdd'] -> ['sdb', 'sdc', 'sdg']"],
    ),
    (lambda host: host["raids"][0].update(spare_devices=[]), ["raids: md0: spare_devices: ['sde'] -> []"]),
    (lambda host: host["raids"][0].pop("devices"), ["raids: md0: devices: ['sdb', 'sdc', 'sdd'] -> None"]),
    (lambda host: host["raids"][0].update(level="6"), ["raids: md0: level: 5 -> 6"]),
    (lambda host: host["bcaches"][0].pop("cache_device"), ["bcaches: cached: cache_device: ['nvme0n1'] -> None"]),
    (
        lambda host: host["bcaches"][0].update(cache_mode="writethrough"),
        ["bcaches: cached: cache_mode: writeback -> writethrough"],
    ),
    (
        lambda host: host["drives"][0]["devices"].append(f"{IDS}/ata-X_NODE1-SDG"),
        ["drives: data: devices: ['cached'] -> ['cached', 'sdg']"],
    ),
    (lambda host: host["drives"].clear(), ["drives: data: state: present -> None"]),
    (
        lambda host: host["drives"][0]["volumes"].append({"name": "new", "size": 5}),
        ["drives: data/new: state: None -> present"],
    ),
    (
        lambda host: host["drives"][0]["volumes"][0].update(size=4194304000, mount_point="/mnt"),
        ["drives: data/srv: size: 500103643136 -> 4194304000", "drives: data/srv: mount_point: /srv -> /mnt"],
    ),
    (
        lambda host: host["drives"][0]["volumes"][0].update(filesystem="ext4", label="x"),
        ["drives: data/srv: filesystem: xfs -> ext4", "drives: data/srv: label: srv -> x"],
    ),
    (
        lambda host: host["filesystems"][1].update(mount_options="nofail"),
        ["filesystems: sdf: mount_options: noatime -> nofail"],
    ),
    (lambda host: host["filesystems"].pop(0), ["filesystems: sda-part3: state: present -> None"]),
    (
        lambda host: host["filesystems"].append({"device": f"{IDS}/ata-X_NODE1-SDG-part1", "type": "xfs"}),
        ["filesystems: sdg-part1: state: None -> present"],
    ),
    (lambda host: host["raids"].append({"name": "md9", "level": "1"}), ["raids: md9: state: None -> present"]),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_what_differs(
    machine: dict[str, Any], host: dict[str, Any], change: Callable[[dict[str, Any]], Any], expected: list[str]
) -> None:
    other = copy.deepcopy(host)
    change(other["layout"])
    assert said(machine, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([], {"layout": {}}, "takes a machine of"),
        ({}, {}, "takes a machine of"),
        ({}, {"layout": {}}, "it has no physical_disks"),
        ({"physical_disks": [{"name": "sda", "size": 1}]}, {"layout": {"raids": [{}]}}, "an item has no 'name'"),
    ],
)
def test_what_cannot_be_compared(one: Any, other: Any, expected: str) -> None:
    with pytest.raises(AnsibleFilterError, match=expected):
        maas_drift(one, other)


def test_sizes_that_somebody_wrote(machine: dict[str, Any], host: dict[str, Any]) -> None:
    for one in (machine, host):
        wrong = copy.deepcopy(one)
        wrong["layout"]["drives"][0]["volumes"][0]["size"] = "80%"
        pair = (wrong, host) if one is machine else (machine, wrong)
        with pytest.raises(AnsibleFilterError, match="data/srv: size is '80%', and no number of bytes"):
            maas_drift(*pair)


def test_two_disks_of_one_serial_number(machine: dict[str, Any], host: dict[str, Any]) -> None:
    for disk in machine["physical_disks"]:
        if disk["name"] in ("sdb", "sdc"):
            disk["serial"] = "NODE1-SDB"
    with pytest.raises(AnsibleFilterError, match=r"NODE1-SDB: node1 has several disks of it \(sdb and sdc\)"):
        maas_drift(machine, host)


#: In the place of the module that reads a host, which this is none of: it tells what a file holds.
READER = """#!/usr/bin/python
import json
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({}, supports_check_mode=True)
with open(%r) as file:
    module.exit_json(changed=False, **json.load(file))
"""


def test_the_playbook(maas: Maas, machine: dict[str, Any], host: dict[str, Any], tmp_path: Path) -> None:
    book = (CHECKOUT / "playbooks/maas_deployed_drift.yml").read_text().replace("strata.storage.layout_info", "read_it")
    (tmp_path / "book.yml").write_text(book)
    (tmp_path / "library").mkdir()
    (tmp_path / "library/read_it.py").write_text(READER % str(tmp_path / "host.json"))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {"node1": local}}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
    (tmp_path / "key").write_text(KEY)

    def play(found: dict[str, Any]) -> tuple[bool, str]:
        (tmp_path / "host.json").write_text(json.dumps(found))
        done = subprocess.run(
            ["ansible-playbook", "-i", "inventory.yml", "book.yml", "-e", "storage_hosts=all ansible_become=false"],
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "MAAS_URL": maas.server.url,
                "MAAS_API_KEY_FILE": str(tmp_path / "key"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode == 0, done.stdout + done.stderr

    right, told = play(host)
    assert right, told
    host["layout"]["raids"][0]["level"] = "6"
    right, told = play(host)
    assert not right
    # Each difference on a line of its own.
    assert [line.strip(' ",') for line in told.splitlines() if "raids: md0" in line] == [
        "- raids: md0: level: 5",
        "+ raids: md0: level: 6",
    ]
    assert "(differences: 1). Nothing was done" in " ".join(told.split())
    assert machine["layout"]["raids"][0]["level"] == "5"
