# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two real clusters whose ``rbd-mirror`` daemons mirror to each other."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ceph import Cluster
from tests.jobs import Job, Jobs
from tests.simulators.awx import Awx, Run, Server as AwxServer
from tests.simulators.awx.server import TOKEN
from tests.tools.checkout import ROOT

from .client import PYTHON, Client, Server, holding
from .test_interrupted import killed

_NUMBERS = itertools.count()


class Pair(NamedTuple):
    """Two sites, whose images have a name of their own in each test."""

    a: Client
    b: Client
    name: str

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for the daemons."""
        limit = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.3)

    def mirrored(self, mode: str = "snapshot") -> str:
        """An image of site a, with a copy at site b."""
        self.a.module("rbd_image", name=self.name, size="8M")
        self.a.write(self.name, "first")
        self.a.module("rbd_mirror_image", image=self.name, mode=mode, wait=True)
        return self.name

    def there(self, site: Client) -> bool:
        return self.name in site.rbd("ls")


@pytest.fixture(scope="module")
def sites(server: Server) -> Iterator[tuple[Client, Client]]:
    with Cluster() as one, Cluster() as other:
        yield Client(one, server, ""), Client(other, server, "")


@pytest.fixture(scope="module")
def peered(sites: tuple[Client, Client]) -> tuple[Client, Client]:
    """By a token; with a daemon in each."""
    a, b = sites
    named = a.module("rbd_mirror_pool", site_name="a", mode="image", create_token=True)
    b.module("rbd_mirror_pool", site_name="b", mode="image", token=named["status"]["token"])
    for site in sites:
        site.cluster.start("rbd-mirror")
    return a, b


@pytest.fixture
def pair(peered: tuple[Client, Client]) -> Pair:
    return Pair(*peered, f"vm{next(_NUMBERS)}")


def planned(site: Client, module: str, **words: Any) -> list[str]:
    """What check mode says, a real run does the same, and a second one nothing."""
    looked = site.check(module, **words)
    done = site.module(module, **words)
    assert done["plan"] == looked["plan"]
    assert done["changed"]
    site.unchanged(module, **words)
    return [step["action"] for step in done["plan"]]


@pytest.mark.further
def test_peers(server: Server) -> None:
    """From two clusters that know nothing of each other, and back."""
    with Cluster(size=256 << 20) as one, Cluster(size=256 << 20) as other:
        a, b = Client(one, server, ""), Client(other, server, "")
        assert "needs its mirroring" in a.refusal("rbd_mirror_pool", create_token=True)
        a.unchanged("rbd_mirror_pool", mode="disabled")
        a.converge("rbd_mirror_pool", site_name="a", mode="image")
        looked = a.module("rbd_mirror_pool", create_token=True, check=True)
        made = a.module("rbd_mirror_pool", create_token=True)
        assert looked["status"]["token"] is None
        assert made["plan"] == looked["plan"]
        token = made["status"]["token"]
        assert token == a.unchanged("rbd_mirror_pool", create_token=True)["status"]["token"]
        assert token not in json.dumps(made["diff"])

        own = json.loads(base64.b64decode(token))
        for text, said in (
            ("nonsense", "it is garbled"),
            (token[:-9], "it is garbled"),
            (base64.b64encode(b"{}").decode(), "it is garbled"),
        ):
            assert said in b.refusal("rbd_mirror_pool", mode="image", token=text)
        assert "needs its mirroring" in b.refusal("rbd_mirror_pool", token=token)
        assert "is this cluster's own" in a.refusal("rbd_mirror_pool", token=token)
        b.cluster.run("rbd", "namespace", "create", "rbd/tenant")
        assert "leave namespace out" in b.refusal("rbd_mirror_pool", namespace="tenant", token=token)
        b.converge("rbd_mirror_pool", namespace="tenant", mode="image")
        b.converge("rbd_mirror_pool", namespace="tenant", mode="disabled")

        words: dict[str, Any] = {"site_name": "b", "mode": "image", "token": token}
        assert planned(b, "rbd_mirror_pool", **words) == ["name", "mirror", "peer"]
        found = b.unchanged("rbd_mirror_pool", **words)
        assert found["mirroring"]["peers"] == [
            {"site_name": "a", "client": "client.rbd-mirror-peer", "direction": "rx_tx"}
        ]
        assert own["key"] not in json.dumps({key: found[key] for key in ("mirroring", "status", "plan")})
        assert "librbd does not change" in b.refusal("rbd_mirror_pool", direction="rx_only", token=token)
        assert "it has peers (a)" in b.refusal("rbd_mirror_pool", mode="disabled")
        gone = [{"site_name": "a", "state": "absent"}]
        b.converge("rbd_mirror_pool", peers=gone, mode="disabled")

        # By hand, as where tokens are not allowed.
        bare = [{"site_name": "a", "direction": "rx_only"}]
        assert "say also: client" in b.refusal("rbd_mirror_pool", mode="image", peers=bare)
        peer = {"site_name": "a", "client": "rbd-mirror-peer", "mon_host": own["mon_host"], "key": own["key"]}
        added = b.converge("rbd_mirror_pool", mode="image", peers=[peer])
        assert own["key"] not in json.dumps([added["plan"], added["mirroring"]])
        assert "is reached as client.rbd-mirror-peer" in b.refusal("rbd_mirror_pool", peers=[{**peer, "client": "x"}])
        # The same cluster, as its token says: what only receives is not made to send.
        assert "librbd does not change" in b.refusal("rbd_mirror_pool", token=token)
        b.unchanged("rbd_mirror_pool", token=token, direction="rx_only")


@pytest.mark.parametrize("mode", ["snapshot", "journal"])
@pytest.mark.first_case
def test_a_planned_failover_and_back(pair: Pair, mode: str) -> None:
    a, b, name = pair
    a.module("rbd_image", name=name, size="8M")
    a.write(name, "first")
    assert planned(a, "rbd_mirror_image", image=name, mode=mode, wait=True) == ["mirror"]
    assert b.data(name, 5) == "first"
    assert b.module("rbd_info")["status"][name]["mirroring"]["role"] == "secondary"
    assert a.module("rbd_info")["mirroring"]["peers"][0]["site_name"] == "b"
    copy = b.unchanged("rbd_mirror_image", image=name)
    assert copy["mirroring"] == {"image": name, "state": "enabled", "mode": mode, "role": "secondary"}
    a.unchanged("rbd_mirror_image", **a.module("rbd_mirror_image", image=name)["mirroring"])
    assert "it is primary elsewhere" in b.refusal("rbd_mirror_image", image=name, role="primary")
    a.write(name, "later")
    for here, there in ((a, b), (b, a)):
        assert planned(here, "rbd_mirror_image", image=name, role="secondary") == ["demote"]
        looked = there.check("rbd_mirror_image", image=name, role="primary", wait=True)
        done = there.module("rbd_mirror_image", image=name, role="primary", wait=True)
        assert [step["action"] for step in done["plan"]] == [step["action"] for step in looked["plan"]] == ["promote"]
        there.unchanged("rbd_mirror_image", image=name, role="primary")
        assert there.data(name, 5) == "later"
        there.module("rbd_mirror_image", image=name, wait=True)


def test_what_is_open_is_not_demoted(pair: Pair) -> None:
    name = pair.mirrored()
    with holding(pair.a, name):
        assert "writes to it, as its lock says" in pair.a.refusal("rbd_mirror_image", image=name, role="secondary")


def test_after_a_disaster(pair: Pair) -> None:
    """The copy is promoted by force; what comes back is a second primary, and syncs anew with permission."""
    a, b, name = pair
    pair.mirrored()
    words: dict[str, Any] = {"image": name, "role": "primary", "force_promote": True}
    assert "set allow_destroy" in b.refusal("rbd_mirror_image", **words)
    looked = b.check("rbd_mirror_image", allow_destroy=True, **words)
    forced = b.module("rbd_mirror_image", allow_destroy=True, **words)
    assert forced["plan"] == looked["plan"]
    assert forced["plan"][0]["destroys"] == [f"{name}: what was written where it was primary, and is not here yet"]
    b.write(name, "after")
    b.module("rbd_mirror_image", image=name, snapshot=True)
    # Two primaries: neither is synced anew while it is one.
    assert "it is the primary here" in a.refusal("rbd_mirror_image", image=name, resynced=True, allow_destroy=True)
    assert planned(a, "rbd_mirror_image", image=name, role="secondary") == ["demote"]
    pair.until(lambda: "split-brain" in str(a.module("rbd_mirror_image", image=name)["status"]))
    pair.until(lambda: "local image is primary" in str(a.module("rbd_mirror_image", image=name)["status"]))
    assert "set allow_destroy" in a.refusal("rbd_mirror_image", image=name, resynced=True)
    lost = a.module("rbd_mirror_image", image=name, resynced=True, allow_destroy=True)
    assert lost["plan"][0]["destroys"] == [f"{name}: this copy, with all that only it has"]
    pair.until(lambda: pair.there(a) and not b.module("rbd_mirror_image", image=name)["in_progress"])
    pair.until(lambda: a.data(name, 5) == "after")


@pytest.mark.further
def test_a_namespace_that_is_called_otherwise_there(peered: tuple[Client, Client], server: Server) -> None:
    a, b = (Client(site.cluster, server, name) for site, name in zip(peered, ("tenant", "customer")))
    for site in (a, b):
        site.cluster.run("rbd", "namespace", "create", f"rbd/{site.namespace}")
    words = {"mode": "image", "remote_namespace": "customer"}
    if a.cluster.release < 20:
        assert "takes librbd of Ceph 20" in a.refusal("rbd_mirror_pool", **words)
        assert "takes librbd of Ceph 20" in a.refusal("rbd_mirror_pool", namespace="", mode="init-only")
        return
    a.converge("rbd_mirror_pool", **words)
    b.converge("rbd_mirror_pool", mode="image", remote_namespace="tenant")
    assert "fixed until its mirroring is disabled" in a.refusal("rbd_mirror_pool", remote_namespace="other")
    assert "init-only is about a whole pool" in a.refusal("rbd_mirror_pool", mode="init-only")
    pair = Pair(a, b, "vm")
    pair.mirrored()
    assert b.data("vm", 5) == "first"
    a.module("rbd_mirror_image", image="vm", state="disabled", allow_destroy=True)
    pair.until(lambda: not pair.there(b))
    gone = a.converge("rbd_mirror_pool", mode="disabled")
    assert gone["mirroring"]["remote_namespace"] == "tenant"


@pytest.mark.further
def test_a_pool_whose_namespaces_are_mirrored(server: Server) -> None:
    with Cluster(size=256 << 20) as own:
        ceph = Client(own, server, "")
        if own.release < 20:
            assert "takes librbd of Ceph 20" in ceph.refusal("rbd_mirror_pool", mode="init-only")
            return
        ceph.converge("rbd_mirror_pool", mode="init-only")
        ceph.module("rbd_image", name="one", size="8M")
        assert "is init-only; set its mode to image" in ceph.refusal("rbd_mirror_image", image="one")
        ceph.converge("rbd_mirror_pool", mode="image")


@pytest.mark.further
def test_nothing_syncs_anew_without_a_primary(pair: Pair) -> None:
    """Where both are copies, either may be the only good one."""
    a, b, name = pair
    pair.mirrored()
    a.module("rbd_mirror_image", image=name, role="secondary")
    pair.until(lambda: "local image is primary" not in str(b.module("rbd_mirror_image", image=name)["status"]))
    said = b.refusal("rbd_mirror_image", image=name, resynced=True, allow_destroy=True)
    assert "no peer says that it has the primary" in said
    assert pair.there(b)


def test_what_deletes_the_copy_needs_permission(pair: Pair) -> None:
    a, b, name = pair
    pair.mirrored()
    for words in ({"state": "disabled"}, {"mode": "journal"}):
        assert "that deletes its copy on the peer" in a.refusal("rbd_mirror_image", image=name, **words)
        assert "it is a copy; that is done on the cluster where it is primary" in b.refusal(
            "rbd_mirror_image", image=name, allow_destroy=True, **words
        )
    changing: dict[str, Any] = {"image": name, "mode": "journal", "allow_destroy": True}
    looked = a.check("rbd_mirror_image", **changing)
    assert [step["action"] for step in looked["plan"]] == ["disable mirroring of", "mirror"]
    # Killed between the two, and done again.
    assert killed(a, "mirror_image", 1, changing) == len(looked["plan"])
    assert planned(a, "rbd_mirror_image", wait=True, **changing) == ["mirror"]
    changing["mode"] = "snapshot"
    assert planned(a, "rbd_mirror_image", wait=True, **changing) == ["disable mirroring of", "mirror"]
    gone = a.converge("rbd_mirror_image", image=name, state="disabled", allow_destroy=True)
    assert gone["plan"][0]["destroys"] == [f"{name}: its copy on the peer"]
    pair.until(lambda: not pair.there(b))
    a.unchanged("rbd_mirror_image", image="none", state="disabled")


@pytest.mark.further
def test_a_snapshot_is_mirrored_now(pair: Pair) -> None:
    a, b, name = pair
    pair.mirrored()
    a.write(name, "newer")
    looked = a.check("rbd_mirror_image", image=name, snapshot=True)
    done = a.module("rbd_mirror_image", image=name, snapshot=True)
    assert [step["action"] for step in done["plan"]] == ["mirror now"]
    assert done["plan"] == looked["plan"]
    pair.until(lambda: b.data(name, 5) == "newer")
    assert "only where it is primary" in b.refusal("rbd_mirror_image", image=name, snapshot=True)


@pytest.mark.further
def test_what_cannot_be_mirrored(pair: Pair) -> None:
    a, b, name = pair
    assert "where it is to be a copy, it comes" in b.refusal("rbd_mirror_image", image=name)
    a.module("rbd_image", name=name, size="8M", features=["layering"])
    assert "needs feature exclusive-lock" in a.refusal("rbd_mirror_image", image=name)
    assert "a copy comes from a primary" in a.refusal("rbd_mirror_image", image=name, mode="journal", role="secondary")
    a.module("rbd_snapshot", image=name, name="s")
    parent = {"image": name, "snapshot": "s"}
    a.module("rbd_image", name=f"{name}-clone", parent=parent)
    a.module("rbd_image", name=name, features=["layering", "exclusive-lock"])
    a.module("rbd_image", name=f"{name}-clone", features=["layering", "exclusive-lock"])
    assert "which is not mirrored" in a.refusal("rbd_mirror_image", image=f"{name}-clone")
    planned(a, "rbd_mirror_image", image=name, wait=True)
    planned(a, "rbd_mirror_image", image=f"{name}-clone", wait=True)
    assert f"its clones are mirrored (rbd/{name}-clone)" in a.refusal(
        "rbd_mirror_image", image=name, state="disabled", allow_destroy=True
    )
    assert "of its images are mirrored" in a.refusal("rbd_mirror_pool", mode="disabled")
    a.cluster.pool(f"plain-{name}")
    a.module("rbd_image", pool=f"plain-{name}", name=name, size="8M")
    assert "is disabled; set its mode to image" in a.refusal("rbd_mirror_image", pool=f"plain-{name}", image=name)
    a.module("rbd_mirror_pool", pool=f"plain-{name}", mode="pool")
    assert "which is each image with journaling" in a.refusal("rbd_mirror_image", pool=f"plain-{name}", image=name)
    for words, said in (
        ({"state": "disabled", "role": "primary"}, "go with enabled"),
        ({"force_promote": True}, "goes with role primary"),
        ({"resynced": True, "role": "primary"}, "resynced is about a copy"),
        ({"wait_timeout": 0}, "at least 1"),
    ):
        assert said in a.refusal("rbd_mirror_image", image=name, **words)


class Failover:
    """Starts the playbooks for a failover as AWX does, on this host."""

    def __init__(self, pair: Pair, where: Path) -> None:
        self.jobs, self.where = Jobs(where), where
        self.inventory = where / "hosts"
        # The keys of these clusters are this user's.
        self.inventory.write_text(
            f"site ansible_connection=local ansible_become=no ansible_python_interpreter={PYTHON}\n"
        )
        a, b = (str(site.cluster.conf) for site in (pair.a, pair.b))
        self.there = self._words(pair, a, b)
        self.back = self._words(pair, b, a)

    @staticmethod
    def _words(pair: Pair, source: str, target: str) -> dict[str, Any]:
        return {
            "storage_hosts": "site",
            "rbd_failover_from_conf": source,
            "rbd_failover_to_conf": target,
            "rbd_failover_images": pair.name,
        }

    def run(self, words: dict[str, Any], fails: bool = False, **more: Any) -> str:
        return self.jobs.run("rbd_failover.yml", self.inventory, {**words, **more}, fails=fails).said

    def job(self, part: str, words: dict[str, Any], fails: bool = False) -> Job:
        """One of the jobs of the workflow."""
        return self.jobs.run(f"rbd_failover_{part}.yml", self.inventory, words, fails)


def roles(pair: Pair) -> tuple[str, ...]:
    return tuple(site.module("rbd_mirror_image", image=pair.name)["mirroring"]["role"] for site in (pair.a, pair.b))


@pytest.mark.further
def test_the_playbook_for_a_failover(pair: Pair, tmp_path: Path) -> None:
    """Planned and back, and after a disaster, in which nobody asks the other cluster."""
    name, failover = pair.mirrored(), Failover(pair, tmp_path)
    with holding(pair.a, name):
        assert "writes to it, as its lock says" in failover.run(failover.there, fails=True)
    pair.a.until_planned("rbd_mirror_image", image=name, role="secondary")
    said = failover.run(failover.there, storage_plan_only="true")
    assert f"demote image {name} to a copy" in said
    assert f"promote image {name} to the primary" in said
    assert roles(pair) == ("primary", "secondary")
    failover.run(failover.there)
    assert roles(pair) == ("secondary", "primary")
    assert "nothing to do" in failover.run(failover.there)
    pair.b.module("rbd_mirror_image", image=name, wait=True)
    failover.run(failover.back)
    assert roles(pair) == ("primary", "secondary")

    lost = {**failover.there, "rbd_failover_kind": "disaster", "rbd_failover_from_conf": "/nowhere"}
    assert "set allow_destroy" in failover.run(lost, fails=True)
    said = failover.run(lost, rbd_failover_allow_destroy="true")
    assert f"{name}: what was written where it was primary, and is not here yet" in said
    assert roles(pair) == ("primary", "primary")
    pair.b.write(name, "after")
    pair.b.module("rbd_mirror_image", image=name, snapshot=True)
    pair.until(lambda: "local image is primary" in str(pair.a.module("rbd_mirror_image", image=name)["status"]))
    back = {**failover.there, "rbd_failover_kind": "rejoin"}
    assert "set allow_destroy" in failover.run(back, fails=True)
    said = failover.run(back, rbd_failover_allow_destroy="true")
    assert f"{name}: this copy, with all that only it has" in said
    pair.until(lambda: pair.there(pair.a) and not pair.b.module("rbd_mirror_image", image=name)["in_progress"])
    pair.until(lambda: pair.a.data(name, 5) == "after")
    # It is a good copy now, and not removed again.
    assert "nothing to do" in failover.run(back, rbd_failover_allow_destroy="true")


@pytest.mark.further
def test_a_failover_of_all_that_are_mirrored(peered: tuple[Client, Client], tmp_path: Path) -> None:
    """Where no images are named; those that are not mirrored stay as they are."""
    a, b = peered
    for site in peered:
        site.cluster.pool("whole")
    named = a.module("rbd_mirror_pool", pool="whole", mode="image", create_token=True)
    b.module("rbd_mirror_pool", pool="whole", mode="image", token=named["status"]["token"])
    for name in ("one", "two", "own"):
        a.module("rbd_image", pool="whole", name=name, size="8M")
    for name in ("one", "two"):
        a.module("rbd_mirror_image", pool="whole", image=name, mode="snapshot", wait=True)
    failover = Failover(Pair(a, b, ""), tmp_path)
    there = {word: value for word, value in failover.there.items() if word != "rbd_failover_images"}

    def found(site: Client) -> dict[str, Any]:
        return {
            name: one["mirroring"] and one["mirroring"]["role"]
            for name, one in site.module("rbd_info", pool="whole")["status"].items()
        }

    said = failover.run(there, rbd_failover_pool="whole", storage_plan_only="true")
    assert all(f"demote image {name} to a copy" in said for name in ("one", "two"))
    assert found(b) == {"one": "secondary", "two": "secondary"}
    # Whoever leaves a cluster stops its daemon soon: no promotion waits for copies there.
    a.cluster.kill("rbd-mirror")
    try:
        failover.run(there, rbd_failover_pool="whole")
    finally:
        a.cluster.start("rbd-mirror")
    assert found(a) == {"one": "secondary", "own": None, "two": "secondary"}
    assert found(b) == {"one": "primary", "two": "primary"}
    assert "nothing to do" in failover.run(there, rbd_failover_pool="whole")


@pytest.mark.further
def test_a_failover_waits_for_an_approval(pair: Pair, tmp_path: Path) -> None:
    """By the workflow that install.yml loads; what is done already is not done again."""
    pair.mirrored()
    failover, awx = Failover(pair, tmp_path), Awx(ROOT)
    with AwxServer(awx) as server:
        subprocess.run(
            ["ansible-playbook", "playbooks/awx/install.yml"],
            cwd=ROOT,
            env={**os.environ, **server.environment, "CONTROLLER_OAUTH_TOKEN": TOKEN},
            check=True,
            capture_output=True,
        )

    def launch() -> Run:
        name = "Storage - RBD failover with approval"
        return Run(awx, failover.jobs, tmp_path, failover.inventory, name, failover.there)

    first, second = launch(), launch()
    assert (first.waits, second.waits) == ("approval", "approval")
    assert roles(pair) == ("primary", "secondary")
    last = first.jobs["plan"].said
    last = last[last.rindex("TASK [") :]
    assert "site: 2 steps, nothing destroyed" in last
    assert f"promote image {pair.name}: to the primary" in last
    assert not first.approve().failed
    assert roles(pair) == ("secondary", "primary")
    assert not second.approve().failed
    assert "nothing to do" in second.jobs["apply"].said
    nothing = launch()
    assert (nothing.waits, nothing.failed) == ("", False)
    assert list(nothing.jobs) == ["plan", "changes", "no_changes"]


@pytest.mark.further
def test_nothing_goes_around_the_approval_of_a_failover(pair: Pair, tmp_path: Path) -> None:
    name, failover = pair.mirrored(), Failover(pair, tmp_path)
    planned = failover.job("plan", failover.there)
    # No variable makes the job do it that is to plan it.
    given: dict[str, Any]
    for given in (
        {"rbd_failover_go": True, "rbd_failover_leaving": [name], "rbd_failover_names": [name]},
        {"ansible_check_mode": False, "rbd_failover_result": {"plan": []}},
    ):
        job = failover.job("plan", {**failover.there, **given}, fails=True)
        assert roles(pair) == ("primary", "secondary")
        assert "extra variables of the names that this play uses" in job.refusals()["site"]
        assert job.published == {}
    record = planned.published["storage_approved"]["site"]
    assert (record["mode"], record["allow_destroy"], record["changes"]) == ("planned", [], 2)

    def approved(**other: Any) -> dict[str, Any]:
        return {"storage_approved": {"site": {**record, **other}}}

    # The same path leads to another cluster, whose image of that name is no primary.
    swapped = {**failover.there, "rbd_failover_from_conf": str(tmp_path / "from.conf")}
    link = tmp_path / "from.conf"
    link.symlink_to(failover.there["rbd_failover_from_conf"])
    of_link = failover.job("plan", swapped).published
    link.unlink()
    link.symlink_to(failover.there["rbd_failover_to_conf"])
    for given, said in (
        ({}, "storage_approved is not among the extra variables"),
        ({"storage_approved": {"other": record}}, "site is not among the hosts whose plan was approved (other)"),
        (approved(digest="a" * 64), "the plan is another one now"),
        (approved(until="2026-01-01 00:00:00 UTC"), "the approval is void since"),
        (
            {**approved(), "rbd_failover_allow_destroy": "true"},
            f"allow_destroy is {name}, and the plan was approved with",
        ),
        (
            {**approved(), "rbd_failover_allow_destroy": "true", "rbd_failover_kind": "disaster"},
            "mode is disaster, and the plan was approved with planned",
        ),
        ({**approved(), "rbd_failover_result": {"plan": []}}, "rbd_failover_result: extra variables of the names"),
        ({**swapped, **of_link}, "is another one now"),
    ):
        refused = failover.job("apply", {**failover.there, **given}, fails=True).refusals()
        assert said in refused["site"], given
        assert roles(pair) == ("primary", "secondary")
    # One in the inventory is none.
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.json").write_text(json.dumps(approved()))
    assert "not among the extra variables" in failover.job("apply", failover.there, fails=True).refusals()["site"]
    failover.job("apply", {**failover.there, **planned.published})
    assert roles(pair) == ("secondary", "primary")
