# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that folds the plans of many hosts, over tasks on the machines of a simulated region."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.callback.plan import Planned, folded, lines
from tests.simulators.maas import Region, Server
from tests.unit.maas.region import KEY, Maas, add_machine


@pytest.fixture
def maas() -> Iterator[Maas]:
    region = Region()
    region.add_user("admin", KEY)
    with Server(region) as server:
        yield Maas(server)
        assert server.broken == []


MIRROR = {"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}


def run(
    maas: Maas, where: Path, hosts: list[str], *arguments: str, raids: tuple[dict[str, Any], ...] = (MIRROR,)
) -> subprocess.CompletedProcess[str]:
    words = {"url": maas.server.url, "api_key": KEY, "machine": "{{ inventory_hostname }}"}
    mirror = {"raids": list(raids)}
    task = {"name": "A mirror", "strata.storage.maas_storage": {**words, **mirror, "allow_destroy": ["md0"]}}
    more = {"name": "Another task", "ansible.builtin.debug": {"msg": "of another module"}}
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [task, more]}
    (where / "play.yml").write_text(json.dumps([play]))
    variables = {"ansible_python_interpreter": sys.executable}
    (where / "hosts.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(hosts, variables)}}))
    return subprocess.run(
        ["ansible-playbook", "-i", "hosts.yml", "play.yml", *arguments],
        cwd=where,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "strata.storage.plan"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plans_of_many_machines(maas: Maas, tmp_path: Path) -> None:
    hosts = [f"node{number}" for number in range(1, 6)]
    for host in hosts[1:4]:
        add_machine(maas.region, host)
    maas.storage(machine="node4", filesystems=[{"device": "sdb", "type": "ext4", "label": "backup"}])

    planned = run(maas, tmp_path, hosts, "--check", "--diff").stdout
    assert planned.count("create raid md0") == 2, planned
    assert re.search(r"^3 hosts alike \(node1, node2, node3\): \d steps?, nothing destroyed$", planned, re.M), planned
    assert re.search(r"^node4: \d steps, DESTROYS 1$", planned, re.M), planned
    assert re.search(r"^!     DESTROYS on node4: .*ext4", planned, re.M), planned
    assert "changed: [node1]" not in planned
    # It stands below its own task, and what comes after it is as it always is.
    assert planned.index("TASK [A mirror]") < planned.index("3 hosts alike") < planned.index("TASK [Another task]")
    assert "of another module" in planned
    assert re.search(
        r"^Storage: 4 hosts to change or changed \(\d+ steps\), 0 without a change, 1 refused$", planned, re.M
    )
    assert "! DESTROYS data on 1 host: node4" in planned
    assert re.search(r"^Refused: node5: .*node5", planned, re.M), planned
    assert "To do only these again: --limit node5" in planned
    assert KEY.rpartition(":")[2] not in planned

    done = run(maas, tmp_path, hosts[:3]).stdout
    assert "changed: [node1]" in done
    assert "3 hosts alike (node1, node2, node3)" in done
    again = run(maas, tmp_path, hosts[:3], "--check").stdout
    assert "3 hosts: nothing to do: node1, node2, node3" in again
    assert "Storage: 0 hosts to change or changed (0 steps), 3 without a change, 0 refused" in again
    verbose = run(maas, tmp_path, hosts[:3], "--check", "-v").stdout
    assert "ok: [node1] =>" in verbose


def step(detail: str = "", *destroys: str, name: str = "md0") -> dict[str, Any]:
    return {"action": "create", "kind": "raid", "name": name, "detail": detail, "destroys": list(destroys)}


def test_which_plans_are_alike() -> None:
    def groups(*plans: list[dict[str, Any]], **more: Any) -> list[list[str]]:
        planned = [Planned(f"h{number}", {"plan": plan, **more}) for number, plan in enumerate(plans)]
        return [[one.host for one in together] for together in folded(planned)]

    mirror = "RAID 1 over {} {}, UUID {}"
    uuids = ("0b5c7e7e-4f6e-4f2d-9d4c-6f4f6e4f2d9d", "1b5c7e7e-4f6e-4f2d-9d4c-6f4f6e4f2d9d")
    assert groups(
        [step(mirror.format("sdb", "sdc", uuids[0]))],
        [step(mirror.format("/dev/disk/by-id/ata-X_1-part1", "nvme0n1p1", uuids[1]))],
        [step("RAID 5 over sdb sdc sdd")],
        [],
        [step(mirror.format("sdb", "sdc", uuids[0])), step()],
    ) == [["h4"], ["h0", "h1"], ["h2"], ["h3"]]
    assert groups([step("10 GiB")], [step("20 GiB")]) == [["h0"], ["h1"]]


def test_what_is_destroyed_is_told_for_each_host() -> None:
    planned = [Planned(f"h{number}", {"plan": [step("x", f"ext4 {number}")]}) for number in range(12)]
    said = list(lines(planned))
    assert said[0].startswith("12 hosts alike (h0, h1, h2, h3, h4, h5, h6, h7, h8, h9 and 2 more): 1 step, DESTROYS 1")
    assert [line for line in said if "DESTROYS on" in line] == [f"!     DESTROYS on h{n}: ext4 {n}" for n in range(12)]


def test_hostile_text_stays_text() -> None:
    said = list(lines([Planned("h\x1b[2J", {"plan": [step("label \x1b[31m\u202e", "a\nb")]})]))
    assert all(line.isprintable() for line in said)
    assert "\\x1b[31m\\u202e" in said[1]


def test_several_errors_of_a_host_are_lines(maas: Maas, tmp_path: Path) -> None:
    wrong = ({"name": "md0", "levl": "1"}, {"name": "md1", "level": "7"})
    printed = run(maas, tmp_path, ["node1"], raids=wrong).stdout.splitlines()
    at = printed.index("Refused: node1: 2 errors:")
    assert printed[at + 1 : at + 3] == [
        "         raids[0] md0: levl is no option. Did you mean level?",
        "         raids[1] md1: value of level must be one of: 0, 1, 5, 6, 10, got: 7",
    ]
