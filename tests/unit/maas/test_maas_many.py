# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several machines in one task."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.maas import DEPLOYED, Fault

from .region import Failed, Maas, add_machine
from .test_maas_layout import outline

MIRROR: dict[str, Any] = {
    "machine": None,
    "raids": [{"name": "md0", "level": "1", "devices": ["sdb", "sdc"]}],
    "filesystems": [{"device": "md0", "type": "xfs", "mount_point": "/srv"}],
}
BOTH = {**MIRROR, "machines": ["node1", "node2.maas"]}


def arrays(maas: Maas) -> dict[str, list[str]]:
    return {
        machine.hostname: [group.name for group in machine.groups if group.type.startswith("raid")]
        for machine in maas.region.machines.values()
    }


def test_the_same_document_on_each(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    add_machine(maas.region, "node3")
    done = maas.settle(**BOTH)
    assert outline(done) == [
        f"{verb} on {node}.maas"
        for node in ("node1", "node2")
        for verb in ("create raid md0", "format filesystem md0", "mount filesystem md0")
    ]
    assert arrays(maas) == {"node1": ["md0"], "node2": ["md0"], "node3": []}
    assert [one["fqdn"] for one in done["machines"]] == ["node1.maas", "node2.maas"]
    assert [one["layout"]["raids"][0]["name"] for one in done["machines"]] == ["md0", "md0"]
    assert "node2.maas\n" in done["diff"][-1]["after"]


def test_those_of_a_pool_in_a_state(maas: Maas) -> None:
    maas.region.pools.append("files")
    for number, more in enumerate(({}, {"status": DEPLOYED}, {})):
        add_machine(maas.region, f"node{number + 2}", pool="files", **more)
    maas.refused("node3.maas: node3 is Deployed, and MAAS lets this", **MIRROR, pool="files")
    done = maas.settle(**MIRROR, pool="files", states=["ready"])
    assert arrays(maas) == {"node1": [], "node2": ["md0"], "node3": [], "node4": ["md0"]}
    assert len(done["machines"]) == 2
    nobody: list[dict[str, Any]] = [
        {"pool": "files", "states": ["New"]},
        {"pool": "files", "states": []},
        {"machines": []},
    ]
    for none in nobody:
        nothing = maas.storage(**MIRROR, **none)
        assert (nothing["machines"], nothing["changed"]) == ([], False)
        assert nothing["warnings"][0].startswith("nothing was done: `machines` is empty, or no machine of the pool is")


def test_a_few_requests_at_a_time(maas: Maas) -> None:
    for number in range(2, 21):
        add_machine(maas.region, f"node{number}", slow=2)
    of_a_machine = "/(nodes|machines)/[^/?]+/"
    maas.server.faults += [
        Fault("crowd", "GET", of_a_machine, times=3, value=3),
        Fault("crowd", "POST", of_a_machine, times=3, value=3),
        Fault("slow", "[A-Z]+", times=999, value=0.03),
    ]
    words = {**MIRROR, "machines": [f"node{number}" for number in range(1, 21)]}
    assert len(maas.storage(**words)["plan"]) == 60
    assert all(names == ["md0"] for names in arrays(maas).values())
    assert all(2 < maas.server.most_under_way[method] <= 8 for method in ("GET", "POST"))


def test_one_that_cannot_have_it_refuses_all(maas: Maas) -> None:
    other = add_machine(maas.region, "node2")
    other.device("sdb").tags = []
    maas.storage(machine="node2", filesystems=[{"device": "sdb", "type": "ext4"}])
    said = maas.refused("node2.maas: sdb: refused as a member of md0: it holds a filesystem ext4", **BOTH)
    assert (said["changed"], said["plan"]) == (False, [])
    assert arrays(maas) == {"node1": [], "node2": []}
    maas.settle(**BOTH, allow_destroy=["md0"])
    assert arrays(maas) == {"node1": ["md0"], "node2": ["md0"]}


def test_what_is_lost_is_said_with_its_machine(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    maas.storage(machine="node2", filesystems=[{"device": "sdb", "type": "ext4"}])
    planned = maas.storage(check=True, **BOTH, allow_destroy=["md0"])
    assert [one["destroys"] for one in planned["plan"] if one["destroys"]] == [
        ["node2.maas: sdb: a filesystem ext4"],
    ]


def test_a_request_that_fails_ends_the_task_and_the_next_goes_on(maas: Maas) -> None:
    second = add_machine(maas.region, "node2")
    maas.server.faults.append(Fault("error", "POST", f"{second.system_id}/blockdevices/.*op=format"))
    with pytest.raises(
        Failed, match=r"format filesystem md0 on node2\.maas: .*the region failed with status 500"
    ) as end:
        maas.storage(**BOTH)
    assert end.value.result["changed"]
    assert "create raid md0 on node2.maas" in [
        f"{one['action']} {one['kind']} {one['name']}" for one in end.value.result["done"]
    ]
    maas.storage(**BOTH)
    assert maas.storage(**BOTH)["plan"] == []
    assert arrays(maas) == {"node1": ["md0"], "node2": ["md0"]}


def test_a_layout_and_what_stands_on_it(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    words = {**MIRROR, "machines": ["node1", "node2"], "base_layout": "flat"}
    maas.storage(**words)
    assert arrays(maas) == {"node1": ["md0"], "node2": ["md0"]}
    assert maas.storage(**words)["plan"] == []


def test_one_approval_for_all(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    digest = maas.storage(check=True, **BOTH)["plan_digest"]
    maas.storage(machine="node2", filesystems=[{"device": "sdd", "type": "ext4"}])
    maas.storage(machine="node2", raids=MIRROR["raids"])
    maas.refused("the plan is not the expected one", **BOTH, expected_plan=digest)
    now = maas.storage(check=True, **BOTH)["plan_digest"]
    elsewhere = maas.server.url.replace("127.0.0.1", "localhost")
    maas.refused("the plan is not the expected one", **BOTH, expected_plan=now, url=elsewhere)
    assert maas.storage(**BOTH, expected_plan=now)["changed"]


def test_a_user_is_asked_for_once(maas: Maas) -> None:
    add_machine(maas.region, "node2")
    maas.refused(r"node1\.maas: .*administrators change storage.*; node2\.maas: ", **BOTH, api_key="other:token:secret")
    assert sum("op=whoami" in line for line in maas.server.log) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"machines": ["node1", "node1.maas"]}, r"machines: node1.maas \(333333\) is named twice"),
        ({"machines": ["node1", "node7"]}, "there is no machine node7"),
        ({"pool": "empty"}, "pool empty: it has no machines"),
        ({"pool": "nowhere"}, "pool nowhere: the region has none of that name"),
        ({"pool": ["files"]}, r"pool \['files'\]: the region has none of that name; give the name of one"),
        ({"pool": ""}, "pool : the region has none of that name"),
        ({"machines": ["node1"], "states": ["Ready"]}, "states: they choose among the machines of a pool"),
        ({"machine": "node1", "pool": "default"}, "say one of machine, machines and pool, and not machine and pool"),
        ({}, "say one of machine, machines and pool, and not none of them"),
    ],
)
def test_what_no_choice_of_machines_is(maas: Maas, words: dict[str, Any], said: str) -> None:
    maas.region.pools.append("empty")
    maas.refused(said, **{**MIRROR, **words})
