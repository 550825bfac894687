# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What install.yml loads, at work: launched, approved and applied, on a simulated AWX and a simulated region."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import Jobs
from tests.simulators.awx import ApiError, Awx, Run, Server
from tests.simulators.awx.server import TOKEN
from tests.simulators.maas import Region, Server as RegionServer
from tests.tools.checkout import ROOT
from tests.unit.maas.region import KEY, Maas, add_machine

WORKFLOW = "Storage - MAAS layout with approval"
# What is loaded once is for one worker.
pytestmark = pytest.mark.xdist_group("awx")

MIRROR = "raids: [{name: md0, level: '1', devices: [sdb, sdc]}]"


class Site:
    """A region, and an AWX into which all was loaded for it."""

    def __init__(self, region: RegionServer, where: Path) -> None:
        self._maas = Maas(region)
        self.region = region.region
        self._where = where
        self._jobs = Jobs(where)
        add_machine(region.region, "node2")
        self.awx = Awx(ROOT)
        site = {"storage_awx_maas_inputs": {"url": region.url, "api_key": KEY}}
        with Server(self.awx) as server:
            subprocess.run(
                ["ansible-playbook", "playbooks/awx/install.yml", "-e", json.dumps(site)],
                cwd=ROOT,
                env={**os.environ, **server.environment, "CONTROLLER_OAUTH_TOKEN": TOKEN},
                check=True,
                capture_output=True,
            )
            assert server.broken == []

    def launch(self, **given: Any) -> Run:
        inventory = ROOT / "playbooks/awx/inventory/maas.yml"
        answers = {"storage_hosts": "all", "storage_layout_yaml": MIRROR, **given}
        return Run(self.awx, self._jobs, self._where, inventory, WORKFLOW, answers)

    def arrays(self, name: str) -> list[str]:
        """The names of a machine's arrays."""
        layout = self._maas.info(machines=[name])["machines"][0]["layout"]
        return [raid["name"] for raid in layout["raids"]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    region = Region()
    region.add_user("admin", KEY)
    with RegionServer(region) as server:
        yield Site(server, tmp_path_factory.mktemp("site"))
        assert server.broken == []


def test_launched_approved_and_applied(site: Site) -> None:
    """Two wait at once; a machine joins meanwhile; what nobody approved is not done; nothing is asked for nothing."""
    first, second = site.launch(), site.launch(storage_hosts="node2.maas")
    assert (first.waits, second.waits) == ("approval", "approval")
    last = first.jobs["plan"].said
    assert "node1.maas: 1 step, nothing destroyed" in last[last.rindex("TASK [") :]
    assert site.arrays("node1") == site.arrays("node2") == []
    second.approve()
    assert (second.failed, site.arrays("node1"), site.arrays("node2")) == (False, [], ["md0"])

    add_machine(site.region, "node3")
    first.approve()
    assert first.failed
    assert set(first.jobs["apply"].refusals()) == {"node3.maas"}
    assert (site.arrays("node1"), site.arrays("node3")) == (["md0"], [])

    nothing = site.launch(storage_hosts="node1.maas,node2.maas")
    assert (nothing.waits, nothing.failed) == ("", False)
    assert list(nothing.jobs) == ["plan", "changes", "no_changes"]


@pytest.mark.parametrize(
    "given",
    [
        {"maas_layout_expected_plan": ""},
        {"storage_approved": {}},
        {"inventory_hostname": "node1.maas"},
        {"storage_approval_lifetime": 1},
    ],
)
@pytest.mark.further
def test_variables_are_not_taken_at_launch(site: Site, given: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="not allowed on launch"):
        site.launch(**given)


def test_hosts_are_asked_for(site: Site) -> None:
    with pytest.raises(ApiError, match="'storage_hosts' value missing"):
        Run(site.awx, Jobs(Path()), Path(), Path(), WORKFLOW, {"storage_layout_yaml": MIRROR})
