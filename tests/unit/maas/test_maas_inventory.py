# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin, by ansible-inventory, on a simulated region."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulators.maas import DEPLOYED, Fault
from tests.unit.maas.region import KEY, Maas, add_machine

SECRET = KEY.rsplit(":", maxsplit=1)[-1]


class Inventory:
    """The file of the inventory, and what Ansible makes of it."""

    def __init__(self, maas: Maas, where: Path) -> None:
        self._maas = maas
        self._where = where
        self.path = where / "maas.yml"
        (where / "key").write_text(KEY)
        add_machine(maas.region, "node2", pool="fast lane", zone="a", tag_names=["ssd", "gpu"], status=DEPLOYED)
        add_machine(
            maas.region,
            "node3",
            pool="fast lane",
            tag_names=["ssd"],
            more={"ip_addresses": ["192.0.2.3", "2001:db8::3"]},
        )

    def run(self, fails: bool = False, key: bool = True, **words: Any) -> Any:
        """The inventory, or what is said where it fails."""
        self.path.write_text(yaml.safe_dump({"plugin": "strata.storage.maas", **words}))
        environment = {**os.environ, "MAAS_URL": self._maas.server.url, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}
        if key:
            environment["MAAS_API_KEY_FILE"] = str(self._where / "key")
        done = subprocess.run(
            ["ansible-inventory", "-i", str(self.path), "--list"],
            env={**environment, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return " ".join(done.stderr.split()) if fails else {**plain(json.loads(done.stdout)), "said": done.stderr}


def plain(told: Any) -> Any:
    """Without the marks of what came from a region, and is never taken for a template."""
    if isinstance(told, dict):
        return (
            told["__ansible_unsafe"] if "__ansible_unsafe" in told else {key: plain(one) for key, one in told.items()}
        )
    return [plain(one) for one in told] if isinstance(told, list) else told


@pytest.fixture
def inventory(maas: Maas, tmp_path: Path) -> Inventory:
    return Inventory(maas, tmp_path)


def hosts(found: Any) -> set[str]:
    return set(found["_meta"]["hostvars"])


def test_machines_with_their_groups(inventory: Inventory) -> None:
    found = inventory.run()
    assert hosts(found) == {"node1.maas", "node2.maas", "node3.maas"}
    groups = {
        name: set(group["hosts"]) for name, group in found.items() if isinstance(group, dict) and "hosts" in group
    }
    assert groups == {
        "status_ready": {"node1.maas", "node3.maas"},
        "status_deployed": {"node2.maas"},
        "pool_default": {"node1.maas"},
        "pool_fast_lane": {"node2.maas", "node3.maas"},
        "zone_default": {"node1.maas", "node3.maas"},
        "zone_a": {"node2.maas"},
        "tag_ssd": {"node2.maas", "node3.maas"},
        "tag_gpu": {"node2.maas"},
    }
    known = found["_meta"]["hostvars"]["node3.maas"]
    assert (known["maas_hostname"], known["maas_status"], known["maas_tags"]) == ("node3", "Ready", ["ssd"])
    assert known["ansible_host"] == "192.0.2.3"
    assert "maas_layout" not in known
    assert "ansible_host" not in found["_meta"]["hostvars"]["node2.maas"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"pools": ["fast lane"]}, {"node2.maas", "node3.maas"}),
        ({"pools": ["fast lane"], "states": ["ready"]}, {"node3.maas"}),
        ({"zones": ["a"]}, {"node2.maas"}),
        ({"pools": ["Fast Lane"]}, set()),
        ({"tags": ["ssd", "gpu"]}, {"node2.maas"}),
        ({"states": []}, set()),
    ],
)
def test_some_machines_only(inventory: Inventory, words: dict[str, Any], expected: set[str]) -> None:
    assert hosts(inventory.run(**words)) == expected


def test_their_storage_is_a_document_that_changes_nothing(inventory: Inventory, maas: Maas) -> None:
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}])
    known = inventory.run(storage=True)["_meta"]["hostvars"]["node1.maas"]
    assert [raid["name"] for raid in known["maas_layout"]["raids"]] == ["md0"]
    again = maas.storage(machine=known["maas_machine"], raids=known["maas_layout"]["raids"])
    assert not again["changed"]


def test_one_machine_whose_storage_is_not_read_costs_only_that(inventory: Inventory, maas: Maas) -> None:
    maas.storage(raids=[{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}])
    maas.server.faults.append(Fault("error", "GET", "/nodes/.*/raid", times=99))
    found = inventory.run(storage=True)
    assert hosts(found) == {"node1.maas", "node2.maas", "node3.maas"}
    assert "maas_layout" not in found["_meta"]["hostvars"]["node1.maas"]
    assert "maas_layout" in found["_meta"]["hostvars"]["node2.maas"]
    assert "node1.maas: its storage was not read" in " ".join(found["said"].split())


def test_a_cache_saves_the_requests_and_keeps_no_key(inventory: Inventory, maas: Maas, tmp_path: Path) -> None:
    cache: dict[str, Any] = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    first = inventory.run(**cache)
    before = len(maas.server.log)
    again = inventory.run(**cache)
    assert len(maas.server.log) == before
    assert again["_meta"] == first["_meta"]
    # A document was not asked for then.
    assert "maas_layout" in inventory.run(storage=True, **cache)["_meta"]["hostvars"]["node1.maas"]
    kept = list((tmp_path / "cache").iterdir())
    assert len(kept) == 2
    assert not any(SECRET in path.read_text() for path in kept)
    # Nor was another region, or another user of this one.
    assert "did not answer" in inventory.run(fails=True, url="http://127.0.0.1:1/MAAS", **cache)
    assert "does not accept the API key" in inventory.run(fails=True, key=False, api_key="a:b:c", **cache)


def test_no_group_holds_the_hosts_of_another_name(inventory: Inventory, maas: Maas) -> None:
    """A play on the hosts of a pool would lay out those of another, too."""
    add_machine(maas.region, "node4", pool="Fast-Lane", tag_names=["SSD", "a-b"])
    add_machine(maas.region, "node5", pool="default", tag_names=["a_b"])
    found = inventory.run()
    assert not {"pool_fast_lane", "tag_ssd", "tag_a_b"} & set(found)
    assert "tag_gpu" in found
    said = " ".join(found["said"].split())
    assert "pool_fast_lane: there is no such group, since the pools Fast-Lane, fast lane would share it" in said
    assert "since the tags a-b, a_b would share it. Choose their hosts by maas_tags" in said
    # By themselves they have one each.
    assert set(inventory.run(pools=["fast lane"])["pool_fast_lane"]["hosts"]) == {"node2.maas", "node3.maas"}
    chosen = inventory.run(groups={"slow": "maas_pool == 'Fast-Lane'"})
    assert chosen["slow"]["hosts"] == ["node4.maas"]


def test_groups_and_variables_of_ones_own(inventory: Inventory) -> None:
    found = inventory.run(
        compose={"rack": "maas_zone"},
        groups={"mine": "'gpu' in maas_tags"},
        keyed_groups=[{"key": "maas_architecture", "prefix": "arch"}],
    )
    assert found["mine"]["hosts"] == ["node2.maas"]
    assert found["_meta"]["hostvars"]["node2.maas"]["rack"] == "a"
    assert set(found["arch_amd64_generic"]["hosts"]) == hosts(found)


def test_what_goes_wrong_gets_a_sentence(inventory: Inventory, maas: Maas) -> None:
    assert "api_key is not given" in inventory.run(fails=True, key=False)
    assert "the region does not accept the API key" in inventory.run(fails=True, key=False, api_key="a:b:c")
    assert "did not answer" in inventory.run(fails=True, url="http://127.0.0.1:1/MAAS")
    assert "there is no option pool. Did you mean pools?" in inventory.run(fails=True, pool=["default"])
    maas.server.faults.append(Fault("page", "GET", "/machines/", times=99))
    assert "is it the URL of a MAAS region?" in inventory.run(fails=True)
