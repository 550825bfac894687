# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against each provider behind an API, simulated over a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.core import progress
from ansible_collections.strata.storage.plugins.module_utils.core.command import wait_until
from ansible_collections.strata.storage.plugins.module_utils.core.execute import execute
from ansible_collections.strata.storage.plugins.module_utils.volumes.drive import choose, parse, plan
from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG, handlers
from ansible_collections.strata.storage.plugins.module_utils.volumes.task import PROVIDER, connect
from ansible_collections.strata.storage.plugins.modules import drive_volumes
from tests.simulators.cloud import Fault

from .clouds import FULL, HALF, KINDS, Drive, Failed, GiB


@pytest.fixture(params=KINDS)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def created(drive: Drive) -> list[str]:
    """The calls that make a volume and attach it."""
    return [*drive.kind.create, drive.kind.link]


# --- the life of a drive


def test_a_drive_is_created_and_attached_and_then_left_alone(drive: Drive) -> None:
    made = drive.settle()
    assert [step["action"] for step in made["plan"]] == ["create", "attach"]
    assert drive.server.calls() == created(drive)
    (volume,) = drive.volumes()
    assert (volume.size, volume.type, volume.tags[TAG]) == (10, drive.kind.type, "scratch")
    serials = [] if drive.kind.by_path else [volume.id, volume.id.replace("-", "")]
    assert made["volumes"][0]["serials"][:2] == serials
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
    assert [volume["machine"] for volume in grown["volumes"]] == [drive.machine] * 2


def test_a_shrink_waits_for_the_host_to_empty_a_volume(drive: Drive) -> None:
    small, large = drive.add(10), drive.add(30)
    drive.run()
    usage = {"size": 40 * GiB, "used": 5 * GiB}
    decided = drive.run(usage=usage)
    assert (decided["changed"], decided["leaving"]) == (False, [large])
    assert drive.sizes() == [10, 30]
    removed = drive.settle(usage=usage, emptied=[large])
    assert [step["action"] for step in removed["plan"]] == ["detach", "delete"]
    assert [volume.id for volume in drive.volumes()] == [small]
    assert drive.run(emptied=[large])["changed"] is False
    drive.refused("all of its volumes", emptied=[small])


def test_a_large_volume_is_replaced_by_a_small_one(drive: Drive) -> None:
    large = drive.add(100)
    decided = drive.settle(usage={"size": 100 * GiB, "used": 5 * GiB})
    assert [step["action"] for step in decided["plan"]] == ["create", "attach", "attach"]
    assert decided["leaving"] == [large]
    drive.run(emptied=decided["leaving"])
    assert drive.sizes() == [10]


def test_volumes_that_are_there_are_attached_side_by_side(drive: Drive) -> None:
    drive.add(10), drive.add(12)
    drive.run()
    assert drive.server.calls() == [drive.kind.link] * 2
    assert len({volume.device for volume in drive.volumes()}) == 2
    assert drive.run()["changed"] is False


def test_another_drive_is_left_alone(drive: Drive) -> None:
    foreign = drive.add(10, drive="other")
    drive.run()
    drive.away()
    assert [volume.id for volume in drive.volumes()] == [foreign]


def test_two_drives_have_their_volumes_on_one_machine(drive: Drive) -> None:
    drive.run()
    drive.run(name="other")
    drive.run(usage=FULL, policy={"grow_in_place": False})
    assert sorted((volume.tags[TAG], volume.size) for volume in drive.volumes()) == [
        ("other", 10),
        ("scratch", 10),
        ("scratch", 12),
    ]
    assert len({volume.device for volume in drive.volumes()}) == 3
    drive.away(name="other")
    assert drive.sizes() == [10, 12]
    assert drive.run()["changed"] is False


def test_offline_detaches_and_online_attaches_again(drive: Drive) -> None:
    drive.run()
    gone = drive.settle(state="offline")
    assert [step["action"] for step in gone["plan"]] == ["detach"]
    assert drive.run(state="offline")["changed"] is False
    assert [step["action"] for step in drive.settle()["plan"]] == ["attach"]


def test_a_drive_moves_to_the_machine_that_takes_the_place_of_its_own(drive: Drive) -> None:
    drive.run()
    drive.run(state="offline")
    moved = drive.settle(machine=drive.other)
    assert [step["action"] for step in moved["plan"]] == ["attach"]
    assert [volume.machine for volume in drive.volumes()] == [drive.other]


def test_absent_deletes_with_permission_and_says_what(drive: Drive) -> None:
    drive.run()
    (volume,) = drive.volumes()
    drive.refused(f"{volume.id} .10 GiB. would be deleted", state="absent")
    gone = drive.settle(**drive.absent())
    assert gone["plan"][-1]["destroys"] == [f"{volume.id}: 10 GiB of drive scratch"]
    assert drive.volumes() == []
    assert drive.run(state="absent")["changed"] is False


def test_a_drive_that_was_deleted_can_be_made_again_at_once(drive: Drive) -> None:
    """With a snapshot of each life, also where a new volume has the ID of the old one."""
    for life in (1, 2):
        drive.run()
        assert drive.sizes() == [10]
        drive.away(snapshot=True)
        assert drive.volumes() == []
        assert len(drive.server.snapshots()) == life


# --- snapshots


def test_a_snapshot_of_each_volume_comes_before_a_shrink_and_only_once(drive: Drive) -> None:
    small, large = drive.add(10), drive.add(30)
    drive.run()
    words: dict[str, Any] = {
        "usage": {"size": 40 * GiB, "used": 5 * GiB},
        "snapshot": True,
        "history": {"changes": [1.0]},
    }
    drive.settle(usage={"size": 40 * GiB, "used": 20 * GiB}, snapshot=True)
    assert drive.server.snapshots() == []
    decided = drive.settle(**words)
    assert sorted((step["name"], step["action"], step["detail"]) for step in decided["plan"]) == sorted(
        (volume, "snapshot", f"of {size} GiB, before the drive shrinks") for volume, size in ((small, 10), (large, 30))
    )
    assert decided["leaving"] == [large]
    assert {(one["volume"], one["state"]) for one in decided["snapshots"]} == {
        (small, "completed"),
        (large, "completed"),
    }
    assert drive.run(**words)["changed"] is False
    kept = [(saved.volume, saved.tags[TAG]) for saved in drive.server.snapshots()]
    assert sorted(kept) == sorted([(small, "scratch"), (large, "scratch")])
    # Another shrink, later, has snapshots of its own.
    drive.run(**{**words, "history": {"changes": [2.0]}})
    assert len(drive.server.snapshots()) == 4


def test_how_far_a_snapshot_is_is_told(drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the API tells it."""
    drive.run()
    file = tmp_path / "progress.json"
    monkeypatch.setattr(progress, "DIRECTORY", str(tmp_path))
    monkeypatch.setenv(progress.VARIABLE, str(file))
    progress.reporter.cache_clear()
    drive.weather.stuck.add("saving")
    try:
        with pytest.raises(Failed, match="for the snapshot of"):
            drive.run(provider={**drive.provider, "wait_timeout": 1}, snapshot=True, **drive.absent())
    finally:
        progress.reporter.cache_clear()
    told = json.loads(file.read_text())
    assert (told["what"], told["step"]) == (f"snapshot of {drive.volumes()[0].id}", 2)
    assert told["percent"] == (40 if drive.kind.name in ("aws", "outscale") else None)


def test_a_snapshot_comes_before_a_volume_is_deleted(drive: Drive) -> None:
    drive.run()
    gone = drive.settle(snapshot=True, **drive.absent())
    assert [step["action"] for step in gone["plan"]] == ["detach", "snapshot", "delete"]
    assert [saved.volume for saved in drive.server.snapshots()] == [gone["snapshots"][0]["volume"]]
    assert drive.volumes() == []


def test_a_snapshot_in_error_ends_the_run_before_anything_is_deleted(drive: Drive) -> None:
    drive.run()
    drive.weather.stuck.add("saving")
    words = {**drive.absent(), "snapshot": True}
    with pytest.raises(Failed, match="for the snapshot of"):
        drive.run(provider={**drive.provider, "wait_timeout": 1}, **words)
    (snapshot,) = drive.run(snapshot=True, usage=HALF)["snapshots"]
    drive.weather.broken.add(snapshot["id"])
    with pytest.raises(Failed, match=f"{snapshot['id']}, the snapshot of .* is in state error, so nothing was removed"):
        drive.run(**words)
    assert drive.sizes() == [10]


# --- what is refused


def test_absent_refuses_volumes_that_the_host_does_not_know(drive: Drive) -> None:
    """Another program may use the same tag."""
    own, foreign = drive.add(10), drive.add(20)
    drive.run()
    said = rf"{foreign} .20 GiB.(, \S+ .10 GiB.)?: it has the tag {TAG}, and is not among members"
    drive.refused(said, state="absent", allow_destroy=True, members=[own])
    drive.refused(said, state="absent", allow_destroy=True)
    assert drive.sizes() == [10, 20]


def test_a_volume_of_another_machine_is_refused(drive: Drive) -> None:
    drive.add()
    drive.run(machine=drive.other)
    drive.refused(f"is attached to {drive.other}, and not to {drive.machine}")
    drive.refused(f"is attached to {drive.other}", state="absent", allow_destroy=True)
    drive.run(machine=drive.other, state="offline")
    drive.run()


def test_a_volume_in_error_is_refused(drive: Drive) -> None:
    drive.weather.broken.add(drive.add())
    drive.refused("is in state error")


def test_a_drive_whose_volumes_are_gone_is_not_made_anew(drive: Drive) -> None:
    drive.refused("the provider has no volume with its tag", usage=HALF)
    drive.refused("had it in an earlier run", history={"samples": [], "changes": [1.0]})
    assert drive.run(state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"machine": ""}, "machine is not given"),
        ({"machine": "i-none"}, "there is no [a-zA-Z]+ i-none"),
        ({"policy": {"volume_type": "gp9"}}, "has no type gp9"),
        ({"policy": {"grow_above": "10%"}}, "shrink_below"),
        ({"policy": {"grow_above": "0.85", "shrink_below": "0.4"}}, "grow_above: 0.85 is less than 1%"),
        ({"history": {"samples": [1]}}, "history: give what an earlier run returned"),
        ({"usage": {"size": 5, "used": 6}}, "used is 6"),
        ({"name": "a/b"}, "no slash"),
    ],
)
def test_bad_words_are_refused(drive: Drive, words: dict[str, Any], said: str) -> None:
    drive.refused(said, **words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"request_timeout": 0}, "request_timeout is 0, and must be at least 1"),
        ({"wait_timeout": -1}, "wait_timeout is -1, and must be at least 1"),
        ({"endpoint": "api.example.com"}, "endpoint: api.example.com is no URL"),
    ],
)
def test_a_provider_that_nobody_can_reach_is_refused(drive: Drive, words: dict[str, Any], said: str) -> None:
    drive.refused(said, provider={**drive.provider, **words})


def test_an_option_of_another_provider_is_refused(drive: Drive) -> None:
    said = f"{drive.kind.name} has no option directory"
    drive.refused(said, provider={**drive.provider, "directory": "/srv"})


# --- what goes wrong on the way


def test_two_runs_at_once_do_not_get_in_each_others_way(drive: Drive) -> None:
    """The second one waits for the first, or says what it waits for."""
    drive.weather.stuck.add("creating")
    with ThreadPoolExecutor(1) as other:
        first = other.submit(make_at, drive)
        wait_until(lambda: bool(drive.server.calls()), 10, "for the first run")
        with pytest.raises(Failed, match="another task works on"):
            drive.run(lock_timeout=0)
        drive.weather.stuck.clear()
        assert drive.run(lock_timeout=10)["changed"] is False
        assert "failed" not in first.result()
    assert drive.sizes() == [10]


def make_at(drive: Drive) -> dict[str, Any]:
    """A run in a process of its own, as another task is."""
    module = Path(drive_volumes.__file__)
    words = {"name": "scratch", "machine": drive.machine, "provider": {**drive.provider, "wait_timeout": 20}}
    name = ".".join(("ansible_collections.strata.storage.plugins.modules", module.stem))
    done = subprocess.run(
        [sys.executable, "-m", name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": words}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "_ANSIBLE_ARGS_PROFILE": "legacy"},
        capture_output=True,
        text=True,
        check=False,
    )
    said: dict[str, Any] = json.loads(done.stdout or json.dumps({"failed": done.stderr}))
    return said


@pytest.mark.parametrize(
    "words",
    [
        {"usage": {"size": 22 * GiB, "used": 20 * GiB}, "policy": {"grow_in_place": False}},
        {"emptied": True},
        {"state": "absent", "allow_destroy": True},
        {"state": "absent", "allow_destroy": True, "snapshot": True},
    ],
    ids=["grow", "shrink", "absent", "absent-snapshot"],
)
def test_a_run_that_is_cut_off_after_any_step_is_finished_by_the_next(drive: Drive, words: dict[str, Any]) -> None:
    options = dict.fromkeys(PROVIDER["provider"]["options"]) | drive.provider
    steps = 99
    cut = 0
    while cut < steps:
        small, large = drive.add(10), drive.add(12)
        drive.run()
        given = {**words, "emptied": [large]} if "emptied" in words else {**words, "members": [small, large]}
        want = parse({"name": "scratch", "machine": drive.machine, **given})
        provider = connect(options)
        cloud = provider.read("scratch", drive.machine, "", want.snapshot)
        planned = plan(cloud, want, choose(cloud, want, 0.0)).steps
        steps = len(planned)
        execute(planned[:cut], handlers(provider))

        drive.run(**given)
        assert drive.run(**({**given, "usage": None} if "usage" in given else given))["changed"] is False
        left = {volume.id for volume in drive.volumes()}
        assert small in left or want.state == "absent"
        assert len(left) == (0 if want.state == "absent" else 1 if want.emptied else 3)
        kept = [snapshot.volume for snapshot in drive.server.snapshots()]
        assert [kept.count(volume) for volume in (small, large)] == [int(want.snapshot)] * 2
        drive.away()
        assert drive.volumes() == []
        cut += 1
    assert cut > 1


@pytest.mark.parametrize("part", ["create", "link"])
@pytest.mark.parametrize("what", ["cut-before", "cut-after", "throttled", "unavailable"])
def test_lost_answers_and_throttling_leak_nothing(drive: Drive, what: str, part: str) -> None:
    call = drive.kind.link if part == "link" else drive.kind.create[0]
    drive.server.faults.append(Fault(what, call, times=2))
    if part == "create" and what.startswith("cut") and not drive.kind.tokens:
        with pytest.raises(Failed, match="no answer came"):
            drive.run()
        drive.server.faults.clear()
    drive.run()
    assert drive.sizes() == [10]
    assert drive.run()["changed"] is False


@pytest.mark.parametrize("what", ["cut-after", "error"])
@pytest.mark.parametrize("part", ["create", "link"])
def test_a_run_that_failed_is_finished_by_the_next(drive: Drive, what: str, part: str) -> None:
    drive.weather.delay = 0.5
    drive.server.faults.append(Fault(what, drive.kind.link if part == "link" else drive.kind.create[0], times=99))
    if what == "cut-after" and (part == "link" or drive.kind.found):
        drive.run()
    else:
        with pytest.raises(Failed):
            drive.run()
    drive.server.faults.clear()
    drive.run()
    assert drive.sizes() == [10]
    assert [volume.tags[TAG] for volume in drive.volumes()] == ["scratch"]
    assert drive.run()["changed"] is False


def test_credentials_that_expire_within_a_run_are_told_and_the_next_one_goes_on(drive: Drive) -> None:
    drive.server.faults.append(Fault("expired", drive.kind.link, times=99))
    with pytest.raises(Failed, match=r"does not accept the access key|credentials are not accepted") as failed:
        drive.run()
    assert [step["action"] for step in failed.value.result["done"]] == ["create"]
    drive.server.faults.clear()
    assert [step["action"] for step in drive.settle()["plan"]] == ["attach"]
    assert drive.sizes() == [10]


@pytest.mark.parametrize(("fault", "said"), [("page", ""), ("slow", "no answer came .(Read|Connect)?Timeout")])
def test_a_cloud_that_does_not_answer_is_told(drive: Drive, fault: str, said: str) -> None:
    drive.server.faults.append(Fault(fault, times=99))
    drive.refused(said or drive.kind.unread, provider={**drive.provider, "request_timeout": 1})


@pytest.mark.parametrize(
    ("stuck", "words", "said"),
    [
        ("creating", {}, "until a volume was created"),
        ("attaching", {}, "until a volume was attached to"),
        ("updating", {"usage": FULL}, "until a volume was resized"),
        ("detaching", {"state": "offline"}, "until a volume was detached"),
        ("deleting", {"state": "absent", "allow_destroy": True}, "until a volume was deleted"),
        (
            "saving",
            {"state": "absent", "allow_destroy": True, "snapshot": True},
            "for the snapshot of .* goes on waiting",
        ),
    ],
)
def test_each_wait_has_an_end(drive: Drive, stuck: str, words: dict[str, Any], said: str) -> None:
    if words:
        drive.run()
    if "state" in words:
        words = {**words, "members": [volume.id for volume in drive.volumes()]}
    drive.weather.stuck.add(stuck)
    with pytest.raises(Failed, match=said):
        drive.run(provider={**drive.provider, "wait_timeout": 1}, **words)
    drive.weather.stuck.clear()
    drive.run(**words)


def test_reads_that_lag_behind_and_pages_are_waited_for(drive: Drive) -> None:
    drive.weather.lag, drive.weather.page = 0.5, 1
    for number in range(3):
        drive.add(10, drive=f"other{number}")
    drive.run(policy={"min_volumes": 3})
    assert sum(volume.tags[TAG] == "scratch" for volume in drive.volumes()) == 3
    assert drive.run(policy={"min_volumes": 3})["changed"] is False


def test_two_runs_that_see_the_same_make_one_volume(drive: Drive) -> None:
    """Each asks with the same token, whatever the other has done by then."""
    options = dict.fromkeys(PROVIDER["provider"]["options"]) | drive.provider
    before = connect(options).read("scratch", drive.machine, "")
    seen = []
    for _run in range(2):
        want = parse({"name": "scratch", "machine": drive.machine})
        create = plan(before, want, choose(before, want, 0.0)).steps[0].actions[0]
        seen.append(connect(options).create(create))
    assert seen[0] == seen[1]
    assert drive.sizes() == [10]
