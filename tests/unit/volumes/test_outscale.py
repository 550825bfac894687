# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against a simulated region of Outscale, over a real socket."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.strata.storage.plugins.module_utils.volumes.drive import choose, parse, plan
from ansible_collections.strata.storage.plugins.module_utils.volumes.outscale import limits
from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG
from ansible_collections.strata.storage.plugins.module_utils.volumes.state import Cloud
from ansible_collections.strata.storage.plugins.module_utils.volumes.task import connect
from ansible_collections.strata.storage.plugins.modules import drive_volumes, drive_volumes_info
from tests.simulators.outscale import KEY, Fault, Server

GiB = 1 << 30
VM, OTHER = "i-00000001", "i-00000002"
SECRET = "SECRETOFTHETESTS"
HALF, FULL, EMPTY = (
    {"size": 10 * GiB, "used": 5 * GiB},
    {"size": 10 * GiB, "used": 9 * GiB},
    {"size": 10 * GiB, "used": GiB},
)


class Failed(Exception):
    """The module failed; ``result`` is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class Drive:
    """A drive named scratch in a region, and the modules at work on it."""

    def __init__(self, server: Server) -> None:
        self.server, self.region = server, server.region

    @property
    def provider(self) -> dict[str, Any]:
        return {
            "name": "outscale",
            "region": "eu-west-2",
            "endpoint": self.server.endpoint,
            "access_key": KEY,
            "secret_key": SECRET,
            "request_timeout": 2,
            "wait_timeout": 3,
            "requests_per_second": 200,
        }

    def run(self, check: bool = False, **words: Any) -> dict[str, Any]:
        """What ``drive_volumes`` returns. Raises Failed."""
        return self._run(drive_volumes.main, {"machine": VM, "_ansible_check_mode": check, **words})

    def info(self) -> dict[str, Any]:
        return self._run(drive_volumes_info.main, {"machine": VM})

    def settle(self, **words: Any) -> dict[str, Any]:
        """As ``run``, where check mode says the same before and asks for nothing."""
        before = len(self.server.calls())
        planned = self.run(check=True, **words)
        assert len(self.server.calls()) == before
        done = self.run(**words)
        assert (planned["plan"], planned["changed"]) == (done["plan"], done["changed"])
        return done

    def refused(self, said: str, **words: Any) -> None:
        """The module fails with that, before any call that changes something."""
        before = len(self.server.calls())
        with pytest.raises(Failed, match=said):
            self.run(**words)
        assert len(self.server.calls()) == before

    def sizes(self) -> list[int]:
        return sorted(volume.size for volume in self.region.volumes.values())

    def _run(self, main: Callable[[], None], words: dict[str, Any]) -> dict[str, Any]:
        said = io.StringIO()
        given = {"name": "scratch", "provider": self.provider, **words}
        with patch_module_args(given), contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            main()
        assert SECRET not in said.getvalue()
        result: dict[str, Any] = json.loads(said.getvalue().splitlines()[-1])
        if result.get("failed"):
            raise Failed(result)
        return result


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Server() as server:
        yield Drive(server)
        assert server.broken == []


def add(drive: Drive, size: int = 10, **more: Any) -> Any:
    """A volume as BSUd leaves one."""
    return drive.region.add(size, tags={TAG: "scratch"}, **more)


# --- the life of a drive


def test_a_drive_is_created_and_attached_and_then_left_alone(drive: Drive) -> None:
    made = drive.settle()
    assert [step["action"] for step in made["plan"]] == ["create", "attach"]
    assert drive.server.calls() == ["CreateVolume", "CreateTags", "LinkVolume"]
    (volume,) = drive.region.volumes.values()
    assert (volume.size, volume.type, volume.tags) == (10, "gp2", {TAG: "scratch"})
    assert made["volumes"][0]["serials"] == [volume.id, volume.id.replace("-", "")]
    assert drive.run()["changed"] is False
    assert drive.run(usage=HALF)["decision"]["reason"].startswith("it is 50% full")


def test_a_full_drive_grows_in_place(drive: Drive) -> None:
    drive.run()
    grown = drive.settle(usage=FULL)
    assert [step["action"] for step in grown["plan"]] == ["resize"]
    assert "it is 90% full" in grown["plan"][0]["detail"]
    assert drive.sizes() == [14]
    assert len(grown["history"]["changes"]) == 1


def test_without_growth_in_place_there_are_two_volumes_of_22_gib_as_with_bsud(drive: Drive) -> None:
    drive.run()
    grown = drive.settle(usage=FULL, policy={"grow_in_place": False})
    assert drive.sizes() == [10, 12]
    assert [volume["machine"] for volume in grown["volumes"]] == [VM, VM]


def test_a_shrink_waits_for_the_host_to_empty_a_volume(drive: Drive) -> None:
    small, large = add(drive, 10), add(drive, 30)
    drive.run()
    usage = {"size": 40 * GiB, "used": 5 * GiB}
    decided = drive.run(usage=usage)
    assert (decided["changed"], decided["leaving"]) == (False, [large.id])
    assert drive.sizes() == [10, 30]
    removed = drive.settle(usage=usage, emptied=[large.id])
    assert [step["action"] for step in removed["plan"]] == ["detach", "delete"]
    assert list(drive.region.volumes) == [small.id]
    assert drive.run(emptied=[large.id])["changed"] is False
    drive.refused("all of its volumes", emptied=[small.id])


def test_a_large_volume_is_replaced_by_a_small_one(drive: Drive) -> None:
    large = add(drive, 100)
    decided = drive.settle(usage={"size": 100 * GiB, "used": 5 * GiB})
    assert [step["action"] for step in decided["plan"]] == ["create", "attach", "attach"]
    assert decided["leaving"] == [large.id]
    drive.run(emptied=decided["leaving"])
    assert drive.sizes() == [10]


def test_a_drive_of_bsud_is_known_as_it_stands(drive: Drive) -> None:
    add(drive, 10), add(drive, 12)
    drive.run()
    assert drive.server.calls() == ["LinkVolume", "LinkVolume"]
    assert sorted(volume.link.device for volume in drive.region.volumes.values() if volume.link) == [
        "/dev/xvdb",
        "/dev/xvdc",
    ]
    assert drive.run()["changed"] is False


def test_another_drive_is_left_alone(drive: Drive) -> None:
    foreign = drive.region.add(10, tags={TAG: "other"})
    drive.run()
    drive.run(state="absent", allow_destroy=True)
    assert list(drive.region.volumes) == [foreign.id]


def test_offline_detaches_and_online_attaches_again(drive: Drive) -> None:
    drive.run()
    gone = drive.settle(state="offline")
    assert [step["action"] for step in gone["plan"]] == ["detach"]
    assert drive.run(state="offline")["changed"] is False
    assert [step["action"] for step in drive.settle()["plan"]] == ["attach"]


def test_offline_ends_what_is_attached_in_part(drive: Drive) -> None:
    """BSUd left such a drive as it was."""
    add(drive), add(drive, 12), add(drive, 15)
    drive.run()
    first, second, third = drive.region.volumes.values()
    for volume, state in ((first, "attaching"), (second, "detaching")):
        assert volume.link
        volume.link.state, volume.link.since = state, time.monotonic()
    drive.run(state="offline")
    assert [volume.link for volume in (first, second, third)] == [None, None, None]


def test_absent_deletes_with_permission_and_says_what(drive: Drive) -> None:
    drive.run()
    (name,) = drive.region.volumes
    drive.refused(f"{name} .10 GiB. would be deleted", state="absent")
    gone = drive.settle(state="absent", allow_destroy=True)
    assert gone["plan"][-1]["destroys"] == [f"{name}: 10 GiB of drive scratch"]
    assert drive.region.volumes == {}
    assert drive.run(state="absent")["changed"] is False


@pytest.mark.parametrize("state", ["attaching", "detaching"])
def test_online_ends_what_is_attached_in_part(drive: Drive, state: str) -> None:
    volume = add(drive)
    drive.run()
    drive.region.delay = 0.5
    volume.link.state, volume.link.since = state, time.monotonic()
    assert [step["action"] for step in drive.run()["plan"]] == ["attach"]
    assert volume.link.state == "attached"
    assert drive.run()["changed"] is False


# --- what is refused


def test_a_volume_of_another_machine_is_refused(drive: Drive) -> None:
    add(drive)
    drive.run(machine=OTHER)
    drive.refused(f"is attached to {OTHER}, and not to {VM}")
    drive.refused(f"is attached to {OTHER}", state="absent", allow_destroy=True)
    drive.run(machine=OTHER, state="offline")
    drive.run()


def test_a_volume_in_error_is_refused(drive: Drive) -> None:
    drive.region.broken.add(add(drive).id)
    drive.refused("is in state error")


def test_a_drive_whose_volumes_are_gone_is_not_made_anew(drive: Drive) -> None:
    drive.refused("the provider has no volume with its tag", usage=HALF)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"machine": ""}, "machine is not given"),
        ({"machine": "i-none"}, "there is no VM i-none"),
        ({"policy": {"volume_type": "gp9"}}, "Outscale has no type gp9"),
        ({"policy": {"grow_above": "10%"}}, "shrink_below"),
        ({"policy": {"iops_per_gib": 100}}, "iops_per_gib: the provider has no such setting"),
        ({"policy": {"throughput": 125, "volume_type": "io1"}}, "throughput: the provider has no such setting"),
        ({"history": {"samples": [1]}}, "history: give what an earlier run returned"),
        ({"usage": {"size": 5, "used": 6}}, "used is 6"),
        ({"name": "a/b"}, "no slash"),
    ],
)
def test_bad_words_are_refused(drive: Drive, words: dict[str, Any], said: str) -> None:
    drive.refused(said, **words)


def test_a_wrong_key_and_an_option_of_another_provider_are_said(drive: Drive) -> None:
    drive.refused("does not accept the access key", provider={**drive.provider, "access_key": "WRONG"})
    drive.refused("outscale has no option directory", provider={**drive.provider, "directory": "/srv"})
    drive.refused("needs secret_key", provider={**drive.provider, "secret_key": None})


def test_quotas_are_told_with_the_number_of_the_error(drive: Drive) -> None:
    drive.region.most_size = 12
    drive.run()
    with pytest.raises(Failed, match="10024, TooManyResources"):
        drive.run(usage=FULL, policy={"grow_in_place": False})
    assert drive.sizes() == [10]


def test_iops_are_those_of_the_policy_within_the_limits(drive: Drive) -> None:
    drive.run(policy={"volume_type": "io1", "iops_per_gib": 500})
    assert [volume.iops for volume in drive.region.volumes.values()] == [3000]


# --- what goes wrong on the way


@pytest.mark.parametrize("call", ["CreateVolume", "CreateTags", "LinkVolume"])
@pytest.mark.parametrize("what", ["cut-before", "cut-after", "throttled", "unavailable"])
def test_lost_answers_and_throttling_leak_nothing(drive: Drive, what: str, call: str) -> None:
    drive.server.faults.append(Fault(what, call, times=2))
    drive.run()
    assert drive.sizes() == [10]
    assert drive.run()["changed"] is False


@pytest.mark.parametrize("what", ["cut-after", "error"])
@pytest.mark.parametrize("call", ["CreateVolume", "CreateTags", "LinkVolume"])
def test_a_run_that_failed_is_finished_by_the_next(drive: Drive, what: str, call: str) -> None:
    drive.region.delay = 0.5
    drive.server.faults.append(Fault(what, call, times=99))
    if (what, call) == ("cut-after", "LinkVolume"):
        drive.run()
    else:
        with pytest.raises(Failed):
            drive.run()
    drive.server.faults.clear()
    drive.run()
    assert drive.sizes() == [10]
    assert [volume.tags for volume in drive.region.volumes.values()] == [{TAG: "scratch"}]
    assert drive.run()["changed"] is False


def test_a_volume_without_its_tag_is_named_and_used(drive: Drive) -> None:
    drive.server.faults.append(Fault("error", "CreateTags"))
    with pytest.raises(Failed):
        drive.run()
    (orphan,) = drive.info()["orphans"]
    adopted = drive.run()
    assert [step["action"] for step in adopted["plan"]] == ["adopt", "attach"]
    assert [volume["id"] for volume in adopted["volumes"]] == [orphan["id"]]


@pytest.mark.parametrize(("fault", "said"), [("page", "what is no JSON"), ("slow", "no answer came .ReadTimeout")])
def test_a_region_that_does_not_answer_is_told(drive: Drive, fault: str, said: str) -> None:
    drive.server.faults.append(Fault(fault, "ReadVolumes", times=99))
    drive.refused(said, provider={**drive.provider, "request_timeout": 1})


@pytest.mark.parametrize(
    ("stuck", "words", "said"),
    [
        ("creating", {}, "until a volume was created"),
        ("attaching", {}, f"until a volume was attached to {VM}"),
        ("updating", {"usage": FULL}, "until a volume was resized"),
        ("detaching", {"state": "offline"}, "until a volume was detached"),
        ("deleting", {"state": "absent", "allow_destroy": True}, "until a volume was deleted"),
    ],
)
def test_each_wait_has_an_end(drive: Drive, stuck: str, words: dict[str, Any], said: str) -> None:
    if words:
        drive.run()
    drive.region.stuck.add(stuck)
    with pytest.raises(Failed, match=said):
        drive.run(provider={**drive.provider, "wait_timeout": 1}, **words)
    drive.region.stuck.clear()
    drive.run(**words)


def test_a_wait_ends_where_the_volume_gets_into_error(drive: Drive) -> None:
    drive.region.broken.add("vol-00000001")
    with pytest.raises(Failed, match="is in state error, so it will not be created"):
        drive.run()


def test_reads_that_lag_behind_and_pages_are_waited_for(drive: Drive) -> None:
    drive.region.lag, drive.region.page = 0.5, 1
    for number in range(3):
        drive.region.add(10, tags={TAG: f"other{number}"})
    drive.run(policy={"min_volumes": 3})
    assert sum(volume.tags[TAG] == "scratch" for volume in drive.region.volumes.values()) == 3
    assert drive.run(policy={"min_volumes": 3})["changed"] is False


def test_two_runs_that_see_the_same_make_one_volume(drive: Drive) -> None:
    """Each asks with the same token, whatever the other has done by then."""
    seen = []
    for _run in range(2):
        provider = connect(drive.provider | {"directory": None})
        want = parse({"name": "scratch", "machine": VM})
        cloud = Cloud("scratch", VM, "eu-west-2a", (), (), limits(""))
        create = plan(cloud, want, choose(cloud, want, 0.0)).steps[0].actions[0]
        seen.append(provider.create(create))
    assert seen[0] == seen[1]
    assert drive.sizes() == [10]
