# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An approval is of hosts, plans, modes and permissions, until a date; nothing that is given at launch goes around it.

Each job has two hosts. Those of MAAS are machines of a simulated region, which says what was done to it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.jobs import Job, Jobs
from tests.simulators.maas import Region, Server
from tests.tools.checkout import ROOT
from tests.unit.maas.region import KEY, Maas, add_machine

PLAYBOOKS = [path for path in (ROOT / "playbooks").glob("*.yml") if not path.name.startswith("demo")]
MOMENT = "%Y-%m-%d %H:%M:%S UTC"
MIRROR = "raids: [{name: md0, level: '1', devices: [sdb, sdc]}]"


class Site:
    """A region with the machines node1 and node2, and jobs for it."""

    def __init__(self, server: Server, where: Path) -> None:
        self.server = server
        self._maas = Maas(server)
        add_machine(server.region, "node2")
        self._where = where
        self._jobs = Jobs(where)
        (where / "key").write_text(KEY)

    def job(self, playbook: str, *hosts: str, fails: bool | None = False, arguments: str = "", **variables: Any) -> Job:
        """A job on an inventory of those hosts, with answers and variables given at launch."""
        inventory = self._where / f"inventory-{'-'.join(hosts)}"
        inventory.write_text("\n".join((*hosts, "")))
        given = {
            "storage_hosts": "all",
            "maas_url": self.server.url,
            "maas_api_key_file": str(self._where / "key"),
            "ansible_become": False,
            "storage_layout_yaml": MIRROR,
            **variables,
        }
        return self._jobs.run(playbook, inventory, given, fails, arguments)

    def plan(self, *hosts: str, **variables: Any) -> dict[str, Any]:
        """What the first job of the workflow hands to the last."""
        return self.job("maas_layout_plan.yml", *hosts, **variables).published

    def refused(self, said: str, *hosts: str, **variables: Any) -> None:
        """The last job of the workflow fails on all of them, and changes nothing in the region."""
        before = len(self.server.log)
        job = self.job("maas_layout_apply.yml", *hosts, fails=True, **variables)
        told = job.refusals()
        assert set(told) == set(hosts)
        assert all(said in message and "Nothing was done" in message for message in told.values()), told
        assert all(line.startswith("GET ") for line in self.server.log[before:])

    def layout(self, name: str) -> dict[str, Any]:
        """What a machine has, as a document."""
        found: dict[str, Any] = self._maas.info(machines=[name])["machines"][0]["layout"]
        return found

    def arrays(self, name: str) -> list[str]:
        return [raid["name"] for raid in self.layout(name)["raids"]]


def until_of(published: dict[str, Any]) -> datetime:
    record = published["storage_approved"]["node1"]
    return datetime.strptime(record["until"], MOMENT).replace(tzinfo=timezone.utc)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    region = Region()
    region.add_user("admin", KEY)
    with Server(region) as server:
        yield Site(server, tmp_path)
        assert server.broken == []


def test_what_was_approved_is_done(site: Site) -> None:
    approved = site.plan("node1", "node2")
    assert site.arrays("node1") == site.arrays("node2") == []
    told = approved["storage_approved"]
    assert set(told) == {"node1", "node2"}
    assert (told["node1"]["changes"], told["node1"]["destructive"]) == (1, 0)
    done = site.job("maas_layout_apply.yml", "node1", "node2", **approved)
    assert done.stats["changed"] == {"node1": 1, "node2": 1}
    assert site.arrays("node1") == site.arrays("node2") == ["md0"]
    # The same job again, while the approval is valid: nothing is left to do.
    assert site.job("maas_layout_apply.yml", "node1", "node2", **approved).stats["changed"] == {}


def test_a_host_that_joined_after_the_plan_is_refused(site: Site) -> None:
    approved = site.plan("node1")
    job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved)
    assert set(job.refusals()) == {"node2"}
    assert "node2 is not among the hosts whose plan was approved (node1)" in job.refusals()["node2"]
    assert (site.arrays("node1"), site.arrays("node2")) == (["md0"], [])


@pytest.mark.further
def test_a_host_that_joined_is_refused_where_nothing_was_planned(site: Site) -> None:
    site.job("maas_layout.yml", "node1")
    approved = site.plan("node1")
    assert approved["storage_approved"]["node1"]["changes"] == 0
    site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved)
    assert site.arrays("node2") == []


@pytest.mark.parametrize("arguments", ["--limit host2", "--limit host2 --check"])
@pytest.mark.parametrize("playbook", ["layout.yml", "layout_apply.yml"])
def test_a_host_is_refused_that_another_ones_approval_is_given_for(site: Site, playbook: str, arguments: str) -> None:
    given = {"storage_approved": {"host1": WHOLE}, "storage_packages": False, "ansible_connection": "local"}
    job = site.job(playbook, "host1", "host2", fails=True, arguments=arguments, **given)
    assert "host2 is not among the hosts whose plan was approved (host1)" in job.refusals()["host2"]


@pytest.mark.parametrize("playbook", ["layout_apply.yml", "maas_layout_apply.yml"])
def test_without_an_approval_nothing_is_applied(site: Site, playbook: str) -> None:
    job = site.job(playbook, "node1", "node2", fails=True, ansible_connection="local")
    assert all("storage_approved is not among the extra variables" in told for told in job.refusals().values())
    assert set(job.refusals()) == {"node1", "node2"}
    assert site.arrays("node1") == []


def test_an_approval_in_the_inventory_is_none(site: Site) -> None:
    approved = site.plan("node1")["storage_approved"]
    (site._where / "group_vars").mkdir()
    (site._where / "group_vars/all.json").write_text(json.dumps({"storage_approved": approved}))
    site.refused("not among the extra variables", "node1")
    assert site.arrays("node1") == []


def test_an_approval_is_of_one_region(site: Site, tmp_path: Path) -> None:
    """A copy of it, with the same machines, is another one."""
    approved = site.plan("node1")
    copy = Region()
    copy.add_user("admin", KEY)
    (tmp_path / "copy").mkdir()
    with Server(copy) as server:
        there = Site(server, tmp_path / "copy")
        job = there.job("maas_layout_apply.yml", "node1", fails=True, **approved)
        assert "the plan is not the expected one" in job.refusals()["node1"]
        assert there.arrays("node1") == []
        assert server.broken == []


@pytest.mark.parametrize("given", [{"storage_packages": True}, {"host_layout_packages": True}])
def test_the_guard_comes_before_everything(site: Site, given: dict[str, Any]) -> None:
    """Also before packages."""
    approved = {"storage_approved": {"host1": WHOLE}}
    given = {**approved, **given, "ansible_connection": "local"}
    job = site.job("layout_apply.yml", "host2", fails=True, arguments="--check", **given)
    assert "host2 is not among the hosts whose plan was approved (host1)" in job.refusals()["host2"]
    assert job.stats["changed"] == {}
    assert "host_packages" not in job.said


@pytest.mark.parametrize(
    "switched_off",
    [
        {"maas_layout_expected_plan": ""},
        {"maas_layout_approval": "", "approval": "", "storage_approval": ""},
        {"ansible_check_mode": False, "storage_plan_only": False},
    ],
)
@pytest.mark.first_case
def test_extra_variables_do_not_switch_the_guard_off(site: Site, switched_off: dict[str, Any]) -> None:
    """A filesystem was made after the approval, which had said that nothing is destroyed."""
    approved = site.plan("node1", "node2")
    assert approved["storage_approved"]["node1"]["destructive"] == 0
    site.job("maas_layout.yml", "node1", "node2", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    kept = site.layout("node1")["filesystems"]
    assert [one["type"] for one in kept] == ["ext4"]
    permit = {"storage_allow_destroy": "md0", **switched_off}
    site.refused("allow_destroy is md0, and the plan was approved with empty", "node1", "node2", **approved, **permit)
    role = {"maas_layout_allow_destroy": ["md0"], **switched_off}
    site.refused("allow_destroy is md0, and the plan was approved with empty", "node1", "node2", **approved, **role)
    job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved, **switched_off)
    assert set(job.refusals()) == {"node1", "node2"}
    assert site.layout("node1")["filesystems"] == kept
    assert site.arrays("node1") == []


@pytest.mark.further
def test_the_plan_that_was_approved_is_compared_whatever_the_role_is_told(site: Site) -> None:
    approved = site.plan("node1", "node2")
    words = {"storage_layout_yaml": MIRROR.replace("'1'", "'0'")}
    other = site.plan("node1", "node2", **words)["storage_approved"]["node1"]["digest"]
    for digest in ("", other):
        given = {**words, "maas_layout_expected_plan": digest}
        job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved, **given)
        assert all("the plan is not the expected one" in told for told in job.refusals().values())
    assert site.arrays("node1") == site.arrays("node2") == []


@pytest.mark.further
def test_the_mode_that_was_approved_is_compared(site: Site) -> None:
    approved = site.plan("node1", "node2")
    said = "mode is exact, and the plan was approved with merge"
    site.refused(said, "node1", "node2", **approved, storage_mode="exact")
    site.refused(said, "node1", "node2", **approved, maas_layout_mode="exact")


def test_a_permission_that_was_approved_may_be_used(site: Site) -> None:
    site.job("maas_layout.yml", "node1", "node2", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    approved = site.plan("node1", "node2", storage_allow_destroy="md0")
    assert approved["storage_approved"]["node1"]["destructive"] == 1
    assert approved["storage_approved"]["node1"]["allow_destroy"] == ["md0"]
    site.refused("allow_destroy is empty", "node1", "node2", **approved)
    site.job("maas_layout_apply.yml", "node1", "node2", **approved, storage_allow_destroy=" md0, ")
    assert site.arrays("node1") == site.arrays("node2") == ["md0"]


@pytest.mark.further
def test_an_approval_becomes_void(site: Site) -> None:
    approved = site.plan("node1", "node2", storage_approval_lifetime=60)
    until = until_of(approved)
    assert timedelta(0) < until - datetime.now(timezone.utc) <= timedelta(seconds=60)
    for record in approved["storage_approved"].values():
        record["until"] = (until - timedelta(seconds=61)).strftime(MOMENT)
    site.refused("the approval is void since", "node1", "node2", **approved)


def test_an_approval_is_valid_for_longer_than_somebody_is_waited_for(site: Site) -> None:
    assert until_of(site.plan("node1")) - datetime.now(timezone.utc) > timedelta(hours=24)


def test_a_lifetime_that_makes_no_sense_is_refused(site: Site) -> None:
    job = site.job("maas_layout_plan.yml", "node1", "node2", fails=True, storage_approval_lifetime=31 * 86400 + 1)
    assert all("approval_lifetime is 2678401; expected" in told for told in job.refusals().values())
    assert job.published == {}


WHOLE: dict[str, Any] = {"digest": "a" * 64, "mode": "merge", "allow_destroy": [], "until": "2999-01-01 00:00:00 UTC"}


def test_an_empty_approval_is_none(site: Site) -> None:
    """What a launcher gives who wants any plan."""
    site.refused("is no dictionary", "node1", "node2", storage_approved="")


@pytest.mark.further
def test_a_host_does_not_pass_under_the_name_of_another(site: Site) -> None:
    approved = site.plan("node1")
    other = {"inventory_hostname": "node1", "maas_layout_machine": "node2"}
    job = site.job("maas_layout_apply.yml", "node2", fails=True, **approved, **other)
    assert "inventory_hostname is an extra variable" in job.said
    assert site.arrays("node2") == []


@pytest.mark.further
def test_what_is_published_cannot_be_given_at_launch(site: Site) -> None:
    site.job("maas_layout.yml", "node1", "node2", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    fake: dict[str, Any] = {"plan": [], "plan_digest": "0" * 64, "changed": False}
    given: dict[str, Any] = {
        "maas_layout_result": fake,
        "storage_result": fake,
        "storage_summary": {},
        "storage_allow_destroy": "md0",
    }
    job = site.job("maas_layout_plan.yml", "node1", "node2", **given)
    for record in job.published["storage_approved"].values():
        assert (record["changes"] > 0, record["destructive"], record["digest"] != "0" * 64) == (True, 1, True)
    assert job.said.count(", DESTROYS 1)") == 2


@pytest.mark.further
def test_the_plan_stands_in_the_last_lines(site: Site) -> None:
    site.job("maas_layout.yml", "node1", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    said = site.job("maas_layout_plan.yml", "node1", "node2", storage_allow_destroy="md0").said
    for line in ("node2: 1 step, nothing destroyed", "create raid md0: ", "mode merge, allow_destroy md0; an approval"):
        assert line in said
    last = said[said.rindex("TASK [") : said.index("PLAY RECAP")]
    assert "node1: 2 steps, DESTROYS 1" in last
    assert "Plan: 1 to create, 0 to change, 0 to remove, 0 to destroy." in said


def test_what_is_planned_later_is_shown_and_needs_another_approval(site: Site) -> None:
    document = "base_layout: lvm\n" + MIRROR
    words: dict[str, Any] = {"storage_layout_yaml": document, "storage_allow_destroy": "base_layout"}
    job = site.job("maas_layout_plan.yml", "node1", "node2", **words)
    approved = job.published
    assert approved["storage_approved"]["node1"]["later"] == 1
    assert job.said.count("in progress, or planned later: ") == 2
    done = site.job("maas_layout_apply.yml", "node1", "node2", **approved, **words)
    assert site.arrays("node1") == site.arrays("node2") == []
    assert done.said.count("not in the expected plan, so not done: create raid md0") >= 2
    # What is left is a plan of its own.
    rest: dict[str, Any] = {"storage_layout_yaml": MIRROR}
    site.job("maas_layout_apply.yml", "node1", "node2", **site.plan("node1", "node2", **rest), **rest)
    assert site.arrays("node1") == site.arrays("node2") == ["md0"]


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        found: {plan: [{action: demote, kind: image, name: vm1, detail: "", commands: [], destroys: []}]}
    - strata.storage.plan_approval:
        plan: "{{ found.plan }}"
        about: {cluster: "{{ cluster | default('a') }}"}
        mode: "{{ mode | default('planned') }}"
        allow_destroy: "{{ names | default([]) }}"
        computed: [found]
        approval: "{{ approval | default(omit) }}"
      diff: true
      register: said
    - ansible.builtin.debug:
        msg: "RECORD {{ said.approval | default({}) | to_json }} RECORD {{ said is changed }}"
"""


def printed(where: Path, **given: Any) -> str:
    """What a play printed whose steps are always the same."""
    book = where / "play.yml"
    book.write_text(PLAY)
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(book), "-e", json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_plan_of_several_tasks(tmp_path: Path) -> None:
    """What one play publishes, another demands; and nothing that is otherwise then passes."""
    asked = printed(tmp_path, approval="request")
    assert "localhost: 1 step, nothing destroyed" in asked
    record = json.loads(asked.split("RECORD ")[1].replace('\\"', '"'))
    assert (record["mode"], record["allow_destroy"], record["changes"]) == ("planned", [], 1)
    approved = {"storage_approved": {"localhost": record}}
    assert "RECORD False" in printed(tmp_path, **approved)
    assert "RECORD False" in printed(tmp_path)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "storage_approved is not among the extra variables"),
        ({**approved, "cluster": "b"}, "the plan is another one now than that which was approved"),
        ({**approved, "mode": "disaster"}, "mode is disaster, and the plan was approved with planned"),
        ({**approved, "names": ["vm1"]}, "allow_destroy is vm1, and the plan was approved with empty"),
        ({**approved, "found": {"plan": []}}, "found: extra variables of the names that this play uses"),
        ({**approved, "approval": "requires"}, "value of approval must be one of"),
        (
            {**approved, "storage_approved": {"localhost": {**record, "until": "2026-01-01 00:00:00 UTC"}}},
            "is void since",
        ),
    )
    for given, said in cases:
        refused = printed(tmp_path, **{"approval": "require", **given})
        assert said in refused, refused
        assert "RECORD" not in refused


@pytest.mark.parametrize("arguments", ["--tags storage", "--skip-tags all", "--start-at-task 'What was done'"])
@pytest.mark.first_case
def test_what_leaves_the_plan_out_leaves_the_approval_out(site: Site, arguments: str) -> None:
    """A job that planned nothing publishes nothing; one that is to apply does nothing by itself."""
    for playbook in ("maas_layout_plan.yml", "maas_layout_apply.yml"):
        job = site.job(playbook, "node1", fails=None, arguments=arguments)
        assert job.published == {}
    assert site.arrays("node1") == []


@pytest.mark.further
def test_a_job_for_the_hosts_that_failed_has_the_same_approval(site: Site) -> None:
    """As AWX launches it again: with a limit, and the same variables."""
    approved = site.plan("node1", "node2")
    site.job("maas_layout.yml", "node2", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    first = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved)
    assert set(first.refusals()) == {"node2"}
    again = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, arguments="--limit node2", **approved)
    assert "it holds a filesystem ext4" in again.refusals()["node2"]
    permit: dict[str, Any] = {"storage_allow_destroy": "md0"}
    site.refused("allow_destroy is md0", "node2", **approved, **permit)
    assert (site.arrays("node1"), site.arrays("node2")) == (["md0"], [])
    for record in approved["storage_approved"].values():
        record["until"] = "2026-01-01 00:00:00 UTC"
    site.refused("the approval is void since", "node2", **approved)


@pytest.mark.further
def test_an_approval_is_of_one_host(site: Site) -> None:
    """That of another host does not do, nor does that of another document, or of another permission."""
    approved = site.plan("node1", "node2")["storage_approved"]
    swapped = {"node1": approved["node2"], "node2": approved["node1"]}
    job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, storage_approved=swapped)
    assert all("the plan is not the expected one" in told for told in job.refusals().values())
    other = site.plan("node1", "node2", storage_layout_yaml=MIRROR.replace("md0", "md1"))
    job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **other)
    assert all("the plan is not the expected one" in told for told in job.refusals().values())
    assert site.arrays("node1") == site.arrays("node2") == []
    # A name in capitals is another one.
    job = site.job("maas_layout_apply.yml", "NODE1", fails=True, storage_approved=approved)
    assert "is not among" in job.refusals()["NODE1"]


@pytest.mark.further
def test_variables_of_the_inventory_do_not_switch_the_guard_off(site: Site) -> None:
    """Whoever may change a host's variables may give it another document, which needs another approval."""
    approved = site.plan("node1", "node2")
    others = {
        "maas_layout_allow_destroy": ["md0"],
        "maas_layout_mode": "exact",
        "storage_approved": {"node1": {**WHOLE, "allow_destroy": ["md0"]}},
        "approval": "request",
        "ansible_check_mode": True,
    }
    (site._where / "host_vars").mkdir()
    (site._where / "host_vars/node1.json").write_text(json.dumps(others))
    site.job("maas_layout.yml", "node1", storage_layout_yaml="filesystems: [{device: sdb, type: ext4}]")
    before = site.layout("node1")
    job = site.job("maas_layout_apply.yml", "node1", "node2", fails=True, **approved)
    assert set(job.refusals()) == {"node1"}
    assert site.layout("node1") == before
    assert site.arrays("node2") == ["md0"]


def test_a_template_in_a_document_is_text(site: Site, tmp_path: Path) -> None:
    """Who launches a job is not to run anything on the controller."""
    made = tmp_path / "made"
    words = f"raids: [{{name: \"{{{{ lookup('pipe', 'touch {made}') }}}}\", level: '1', devices: [sdb, sdc]}}]"
    job = site.job("maas_layout_plan.yml", "node1", fails=None, storage_layout_yaml=words)
    assert "lookup(" in job.said
    assert not made.exists()


def test_drift_fails(site: Site) -> None:
    site.job("maas_layout.yml", "node1")
    job = site.job("maas_layout_drift.yml", "node1", "node2", fails=True)
    assert set(job.refusals()) == {"node2"}
    assert "node2 has drifted. The plan above would bring it back to its document (steps: 1)" in job.refusals()["node2"]
    assert site.arrays("node2") == []

    assert "approval" not in job.said
    assert job.published == {}


@pytest.mark.parametrize(
    "playbook", ["layout_plan.yml", "layout_apply.yml", "layout_drift.yml", "maas_layout_drift.yml"]
)
def test_hosts_that_there_are_not(site: Site, playbook: str) -> None:
    """A job that looked at nothing is no good news."""
    job = site.job(playbook, "node1", fails=True, storage_hosts="fileservrs")
    assert "no host of the inventory is what storage_hosts, or the limit, names" in job.said


@pytest.mark.parametrize("playbook", ["layout_plan.yml", "maas_layout_plan.yml"])
def test_a_job_without_a_document_says_so(site: Site, playbook: str) -> None:
    job = site.job(playbook, "node1", fails=True, ansible_connection="local", storage_layout_yaml="")
    assert "there is no document: storage_layout_yaml is empty" in job.said


def test_no_playbook_takes_all_hosts_unasked(tmp_path: Path) -> None:
    plays = [play for path in PLAYBOOKS for play in yaml.safe_load(path.read_text())]
    assert len({play["hosts"] for play in plays if play.get("hosts", "localhost") != "localhost"}) == 1
    inventory = tmp_path / "inventory"
    inventory.write_text("node1\nnode2\n")
    job = Jobs(tmp_path).run("raid_drive.yml", inventory, {"storage_hosts": ""}, fails=True)
    assert "storage_hosts is not set and there is no limit; name hosts" in job.said


@pytest.mark.parametrize(("playbook", "said"), [("demo.yml", "make demo"), ("demo_elastic.yml", "make demo-elastic")])
def test_a_demo_refuses_hosts_that_are_not_the_labs(tmp_path: Path, playbook: str, said: str) -> None:
    inventory = tmp_path / "inventory"
    inventory.write_text("node1 ansible_connection=local\n")
    job = Jobs(tmp_path).run(playbook, inventory, {"ansible_become": False}, fails=True)
    assert said in job.said


@pytest.mark.parametrize(
    ("changes", "branch", "fails"),
    [
        ([1, 0], "changes", False),
        ([0, 0], "changes", True),
        ([1, 0], "no changes", True),
        ([0, 0], "no changes", False),
    ],
)
def test_a_workflow_asks_for_an_approval_where_there_is_something_to_approve(
    tmp_path: Path, changes: list[int], branch: str, fails: bool
) -> None:
    inventory = tmp_path / "inventory"
    inventory.write_text("node1\nnode2\n")
    approved = {f"node{number}": {**WHOLE, "changes": count} for number, count in enumerate(changes, 1)}
    job = Jobs(tmp_path).run(
        "plan_branch.yml", inventory, {"storage_approved": approved, "storage_branch": branch}, fails
    )
    assert f"{sum(changes)} changes on 2 hosts" in job.said


@pytest.mark.further
def test_a_branch_without_a_plan_fails_both_ways(tmp_path: Path) -> None:
    """So that the workflow fails."""
    inventory = tmp_path / "inventory"
    inventory.write_text("")
    jobs = Jobs(tmp_path)
    for given in ({}, {"storage_approved": ""}):
        for branch in ("changes", "no changes"):
            job = jobs.run("plan_branch.yml", inventory, {"storage_branch": branch, **given}, fails=True)
            assert "so there is nothing to approve" in job.said
