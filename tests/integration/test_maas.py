# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MAAS beside a real host, as a playbook, and with somebody else's client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.filter.for_maas import for_maas
from tests.simulators.maas import Region, Server, libmaas
from tests.unit.maas.region import KEY, Maas, add_machine

from .node import CHECKOUT, Node


@pytest.fixture
def server() -> Iterator[Server]:
    region = Region()
    region.add_user("admin", KEY)
    with Server(region) as running:
        yield running
        assert running.broken == []


def test_a_host_and_its_next_deployment(node: Node, server: Server) -> None:
    """What a running host has is given to MAAS, and what MAAS tells of it then changes nothing on the host."""
    one, two, three, fast = node.disks("HDD1", "HDD2", "HDD3", "SSD1")
    volume = {"name": "srv", "size": "50%", "filesystem": "xfs", "label": "srv", "mount_point": "/srv"}
    node.module(
        "layout",
        raids=[{"name": "md0", "level": "5", "devices": [one, two, three]}],
        bcaches=[{"name": "cached", "backing_device": "md0", "cache_device": fast, "cache_mode": "writeback"}],
        drives=[{"name": "data", "devices": ["cached"], "volumes": [volume]}],
    )
    gathered = for_maas(node.module("layout_info")["layout"])
    wanted = {section: gathered[section] for section in ("raids", "bcaches", "drives")}

    maas = Maas(server)
    maas.machine.devices.clear()
    maas.machine.add_disk("sda", 10**10)
    for path in (one, two, three, fast):
        size = int(node.run(f"blockdev --getsize64 {path}"))
        maas.machine.add_disk(Path(node.run(f"realpath {path}").strip()).name + "x", size, id_path=path, serial="")
    maas.settle(**wanted)
    (told,) = maas.info(machines=["node1"])["machines"]
    assert told["layout"]["drives"][0]["volumes"][0]["mount_point"] == "/srv"

    back = {section: told["layout"][section] for section in wanted}
    node.unchanged("layout", **back)


def test_the_playbook(server: Server, tmp_path: Path) -> None:
    """Machines in one play, on the controller: only what differs is changed."""
    inventory: dict[str, Any] = {"all": {"hosts": {}}}
    for number in range(5):
        add_machine(server.region, f"node{number}")
        inventory["all"]["hosts"][f"node{number}"] = {}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    words = CHECKOUT / "playbooks/examples/maas_cached_raid6.yml"
    key = tmp_path / "key"
    key.write_text(KEY)
    command = [
        *("ansible-playbook", "--inventory", str(tmp_path / "inventory.json"), "playbooks/maas_layout.yml"),
        *(
            "--extra-vars",
            f"@{words}",
            "--extra-vars",
            f"maas_url={server.url} maas_api_key_file={key} storage_hosts=all",
        ),
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}

    def play(*more: str) -> str:
        done = subprocess.run(
            [*command, *more], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "secret" not in done.stdout + done.stderr
        return done.stdout

    assert play("--check", "--diff").count("changed=1") == 5
    assert not any(line.startswith("POST") for line in server.log)
    assert play("--limit", "node0").count("changed=1") == 1
    assert play().count("changed=1") == 4
    server.log.clear()
    assert play().count("changed=0") == 5
    # The machine, its arrays, cache sets and bcaches.
    assert len(server.log) == 5 * 4


LIBMAAS = """
import sys
from maas.client import connect
from maas.client.enum import CacheMode, RaidLevel

client = connect(sys.argv[1] + "/", apikey=sys.argv[2])
machine = client.machines.get(sys.argv[3])

def disks():
    machine.refresh()
    return {disk.name: disk for disk in machine.block_devices}

known = disks()
machine.raids.create(
    RaidLevel.RAID_6, devices=[known[name] for name in ("sdb", "sdc", "sdd", "sde")], spare_devices=[known["sdf"]],
    name="md0",
)
cache_set = machine.cache_sets.create(known["nvme0n1"])
machine.bcaches.create("cached", disks()["md0"], cache_set, CacheMode.WRITEBACK)
cached = disks()["cached"]
cached.format("xfs")
cached.mount("/srv", mount_options="noatime")
part = known["sda"].partitions.create(size=10**9)
part.format("ext4")
part.mount("/")
group = machine.volume_groups.create("store", devices=[known["sdg"]])
group.logical_volumes.create("www", size=10**10)
"""


@pytest.mark.further
def test_what_another_client_makes(server: Server) -> None:
    """python-libmaas, which knows nothing of the simulator, builds a machine, and the module agrees with it."""
    maas = Maas(server)
    python = [libmaas.python(), "-W", "ignore", "-c", LIBMAAS, server.url, KEY, "333333"]
    subprocess.run(python, check=True, timeout=120)
    wanted: dict[str, Any] = {
        "partitions": [{"name": "sda-part1", "device": "sda", "size": "1GB"}],
        "raids": [{"name": "md0", "level": "6", "devices": ["sdb", "sdc", "sdd", "sde"], "spare_devices": ["sdf"]}],
        "bcaches": [{"name": "cached", "backing_device": "md0", "cache_device": "nvme0n1", "cache_mode": "writeback"}],
        "drives": [{"name": "store", "devices": ["sdg"], "volumes": [{"name": "www", "size": "10GB"}]}],
        "filesystems": [
            {"device": "sda-part1", "type": "ext4", "mount_point": "/"},
            {"device": "cached", "type": "xfs", "mount_point": "/srv", "mount_options": "noatime"},
        ],
    }
    assert not maas.storage(**wanted, mode="exact")["changed"]
