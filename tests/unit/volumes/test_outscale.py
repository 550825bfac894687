# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Outscale's own: tags in a second call, types, and numbers of errors."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG
from tests.simulators.cloud import Fault

from .clouds import FULL, Drive, Failed


@pytest.fixture
def cloud() -> str:
    return "outscale"


def add(drive: Drive, size: int = 10) -> Any:
    """A volume as BSUd leaves one."""
    return drive.server.region.add(size, tags={TAG: "scratch"})


def test_a_drive_of_bsud_is_known_as_it_stands(drive: Drive) -> None:
    add(drive, 10), add(drive, 12)
    drive.run()
    assert drive.server.calls() == ["LinkVolume", "LinkVolume"]
    assert sorted(volume.device for volume in drive.volumes()) == ["/dev/xvdb", "/dev/xvdc"]
    assert drive.run()["changed"] is False


def test_a_volume_that_cannot_be_attached_there_is_refused(drive: Drive) -> None:
    """Somebody else uses the tag, or the VM that took the place of its own is elsewhere."""
    volume = add(drive)
    volume.zone = "eu-west-2b"
    drive.refused(f"{volume.id} is in zone eu-west-2b, and {drive.machine} in eu-west-2a")


def test_offline_ends_what_is_attached_in_part(drive: Drive) -> None:
    """BSUd left such a drive as it was."""
    volumes = add(drive), add(drive, 12), add(drive, 15)
    drive.run()
    for volume, state in zip(volumes, ("attaching", "detaching")):
        volume.link.state, volume.link.since = state, time.monotonic()
    drive.run(state="offline")
    assert [volume.link for volume in volumes] == [None, None, None]


@pytest.mark.parametrize("state", ["attaching", "detaching"])
def test_online_ends_what_is_attached_in_part(drive: Drive, state: str) -> None:
    volume = add(drive)
    drive.run()
    drive.weather.delay = 0.5
    volume.link.state, volume.link.since = state, time.monotonic()
    assert [step["action"] for step in drive.run()["plan"]] == ["attach"]
    assert volume.link.state == "attached"
    assert drive.run()["changed"] is False


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"volume_type": "gp9"}, "Outscale has no type gp9"),
        ({"iops_per_gib": 100}, "iops_per_gib: the provider has no such setting"),
        ({"volume_type": "io1"}, "iops_per_gib is not given, and volumes of type io1 need it"),
        ({"throughput": 125, "volume_type": "io1"}, "throughput: the provider has no such setting"),
    ],
)
def test_bad_words_are_refused(drive: Drive, policy: dict[str, Any], said: str) -> None:
    drive.refused(said, policy=policy)


def test_a_wrong_key_and_one_that_is_missing_are_said(drive: Drive) -> None:
    drive.refused("does not accept the access key", provider={**drive.provider, "access_key": "WRONG"})
    drive.refused("needs secret_key", provider={**drive.provider, "secret_key": None})


def test_quotas_are_told_with_the_number_of_the_error(drive: Drive) -> None:
    drive.server.region.most_size = 12
    drive.run()
    with pytest.raises(Failed, match="10024, TooManyResources"):
        drive.run(usage=FULL, policy={"grow_in_place": False})
    assert drive.sizes() == [10]


def test_iops_are_those_of_the_policy_within_the_limits(drive: Drive) -> None:
    drive.run(policy={"volume_type": "io1", "iops_per_gib": 500})
    assert [volume.iops for volume in drive.volumes()] == [3000]


@pytest.mark.parametrize("what", ["cut-before", "cut-after", "throttled", "unavailable"])
def test_a_lost_answer_to_a_tag_leaks_nothing(drive: Drive, what: str) -> None:
    drive.server.faults.append(Fault(what, "CreateTags", times=2))
    drive.run()
    assert drive.sizes() == [10]
    assert drive.run()["changed"] is False


def test_a_volume_without_its_tag_is_named_and_used(drive: Drive) -> None:
    drive.server.faults.append(Fault("error", "CreateTags"))
    with pytest.raises(Failed):
        drive.run()
    (orphan,) = drive.info()["orphans"]
    adopted = drive.run()
    assert [step["action"] for step in adopted["plan"]] == ["adopt", "attach"]
    assert [volume["id"] for volume in adopted["volumes"]] == [orphan["id"]]
    assert [volume.tags for volume in drive.volumes()] == [{TAG: "scratch"}]


def test_a_wait_ends_where_the_volume_gets_into_error(drive: Drive) -> None:
    drive.weather.broken.add("vol-00000001")
    with pytest.raises(Failed, match="is in state error, so it will not be created"):
        drive.run()
