# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles, by their Molecule scenarios, each on a guest with blank disks."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.ceph import Cluster
from tests.lab import Guest, Lab
from tests.lab.fixtures import kind_of, untouched, warm_up, worker
from tests.simulators.maas import Region, Server
from tests.unit.maas.region import KEY, add_machine

from .node import CHECKOUT
from .test_rbd_map import reach

SCENARIOS = CHECKOUT / "extensions/molecule"
# cinder_host installs packages, and the machine reaches no network: test_cinder_host.py runs it on this one. report
# changes nothing on a host, and writes on the controller: test_report.py looks at what.
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir() if path.name not in ("cinder_host", "report"))


@pytest.fixture
def surroundings(request: pytest.FixtureRequest, guest: Guest) -> Iterator[dict[str, str]]:
    """What a scenario needs beside the guest, as its environment."""
    with ExitStack() as stack:
        if request.param == "rbd_drive":
            cluster = stack.enter_context(Cluster())
            stack.enter_context(reach(guest, cluster))
            yield {"LAB_CEPH_CONF": str(cluster.conf)}
        elif request.param == "maas_layout":
            region = Region()
            region.add_user("admin", KEY)
            add_machine(region, "node1")
            server = stack.enter_context(Server(region))
            yield {"MAAS_URL": server.url, "MAAS_API_KEY": KEY}
        else:
            yield {}


@pytest.fixture
def trixie(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A machine with Debian 13."""
    kind = kind_of(request.node)
    with Lab(f"pytest-{worker(request.config)}-trixie", suite="trixie", kind=kind, owned=True) as running:
        warm_up(running)
        yield running


@pytest.mark.parametrize(("role", "surroundings"), [(role, role) for role in ROLES], indirect=["surroundings"])
@pytest.mark.first_case
def test_role(lab: Lab, surroundings: dict[str, str], role: str) -> None:
    run_scenario(lab, surroundings, role)


@pytest.mark.parametrize(
    "role",
    [*(pytest.param(role, marks=pytest.mark.debian_kernel) for role in ("cached_drive", "raid_drive")), "host_layout"],
)
@pytest.mark.first_case
def test_role_on_debian_13(trixie: Lab, role: str, tmp_path: Path) -> None:
    """Without check mode, which takes as long as the rest: QEMU emulates a processor."""
    assert "trixie" in untouched(trixie).read("/etc/os-release")
    shared = yaml.safe_load((SCENARIOS / "config.yml").read_text())
    steps = [step for step in shared["scenario"]["test_sequence"] if step not in ("syntax", "check")]
    config = tmp_path / "config.yml"
    config.write_text(yaml.safe_dump({**shared, "scenario": {"test_sequence": steps[1:]}}))
    run_scenario(trixie, {}, role, config)


def run_scenario(lab: Lab, surroundings: dict[str, str], role: str, config: Path | None = None) -> None:
    """All of a role's scenario, in which each verifier has to have run something."""
    if lab.snapshots:
        # Emulated, a resync at full speed takes the guest's only processor from all else.
        lab.guest.run("modprobe md_mod && sysctl --quiet dev.raid.speed_limit_max=1500")
    environment = {
        **os.environ,
        **surroundings,
        "LAB_INVENTORY": str(lab.inventory_path),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(lab.directory / f"molecule-{role}"),
    }
    done = subprocess.run(
        ["molecule", *(["--base-config", str(config)] if config else []), "test", "--scenario-name", role],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    # Steps that passed would only push the one that did not out of a log's sight.
    steps = re.split(r"(?m)^(?=.*Executing$)", done.stdout)
    failed = [step for step in steps if re.search(r"(?m)^(fatal:|CRITICAL|E  )", step)]
    assert done.returncode == 0, "".join([*failed, steps[-1]])
    # Molecule passes where a verifier finds no tests: each one has to have run some.
    own = yaml.safe_load((SCENARIOS / role / "molecule.yml").read_text())
    shared = yaml.safe_load((config or SCENARIOS / "config.yml").read_text())
    sequence = (own.get("scenario") or shared["scenario"])["test_sequence"]
    verified = re.findall(r"=+ (\d+) passed", done.stdout)
    assert len(verified) == sum(step.startswith("verify") for step in sequence), done.stdout


def test_each_role_has_a_scenario() -> None:
    assert sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml")) == ROLES
