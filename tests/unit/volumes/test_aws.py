# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is AWS's own: modifications and their limit, IOPS and throughput, tokens of volumes that were deleted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes import aws as AWS
from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG

from .clouds import FULL, Drive, Failed, GiB


@pytest.fixture
def cloud() -> str:
    return "aws"


def test_a_volume_has_its_tag_from_the_start(drive: Drive) -> None:
    drive.weather.stuck.add("creating")
    with pytest.raises(Failed):
        drive.run(provider={**drive.provider, "wait_timeout": 1})
    assert [volume.tags for volume in drive.volumes()] == [{TAG: "scratch"}]
    assert drive.server.calls() == ["CreateVolume"]


def test_device_names_are_those_that_are_free(drive: Drive) -> None:
    drive.run(name="other")
    drive.run(policy={"min_volumes": 12, "max_volumes": 12})
    names = sorted(volume.device for volume in drive.volumes())
    assert names == [*(f"/dev/sd{letter}" for letter in "fghijklmnop"), "/dev/xvdba", "/dev/xvdbb"]


def test_a_name_that_was_taken_meanwhile_is_passed_over(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    drive.run(name="other")
    monkeypatch.setattr(AWS.Aws, "names", lambda *_words: ["/dev/sdf", "/dev/sdg"])
    drive.run()
    assert sorted(volume.device for volume in drive.volumes()) == ["/dev/sdf", "/dev/sdg"]


def test_size_iops_and_throughput_are_modified_in_one_call(drive: Drive) -> None:
    policy = {"initial_size": "100G", "iops_per_gib": 50, "throughput": 500}
    drive.run(policy=policy)
    assert [(volume.iops, volume.throughput) for volume in drive.volumes()] == [(5000, 500)]
    before = len(drive.server.calls())
    drive.run(policy=policy, usage={"size": 100 * GiB, "used": 90 * GiB})
    assert drive.server.calls()[before:] == ["ModifyVolume"]
    assert [(volume.size, volume.iops, volume.throughput) for volume in drive.volumes()] == [(135, 6750, 500)]


@pytest.mark.parametrize(
    ("policy", "iops", "throughput"),
    [
        ({"iops_per_gib": 1}, 3000, 125),
        ({"iops_per_gib": 9999}, 5000, 125),
        ({"throughput": 9999}, 3000, 750),
        ({"throughput": 1}, 3000, 125),
        ({"volume_type": "io1", "iops_per_gib": 100}, 500, 0),
        ({"volume_type": "io2", "iops_per_gib": 2}, 100, 0),
    ],
)
def test_settings_are_those_of_the_policy_within_the_limits(
    drive: Drive, policy: dict[str, Any], iops: int, throughput: int
) -> None:
    """moto makes a gp3 with 3000 IOPS; 125 MiB per second are its least."""
    drive.run(policy=policy)
    (volume,) = drive.volumes()
    assert (volume.iops, volume.throughput or (125 if volume.type == "gp3" else 0)) == (iops, throughput)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"volume_type": "gp9"}, "AWS has no type gp9; it has gp2, gp3, io1, io2, sc1, st1, standard"),
        ({"iops_per_gib": 100, "volume_type": "gp2"}, "iops_per_gib: the provider has no such setting"),
        ({"volume_type": "io2"}, "iops_per_gib is not given, and volumes of type io2 need it"),
        ({"throughput": 125, "volume_type": "io1", "iops_per_gib": 9}, "throughput: the provider has no such setting"),
    ],
)
def test_bad_words_are_refused(drive: Drive, policy: dict[str, Any], said: str) -> None:
    drive.refused(said, policy=policy)


def test_a_wrong_key_and_one_that_is_missing_are_said(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    drive.refused("does not accept the access key", provider={**drive.provider, "access_key": "WRONG"})
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    without = {**drive.provider, "access_key": None, "secret_key": None}
    drive.refused("aws needs access_key and secret_key", provider=without)
    drive.refused("must specify a region", provider={**drive.provider, "region": None})
    drive.refused("Partial credentials", provider={**drive.provider, "access_key": None})
    drive.refused("endpoint: nowhere is no URL", provider={**drive.provider, "endpoint": "nowhere"})


def test_quotas_are_told_with_the_code_of_the_error(drive: Drive) -> None:
    drive.run()
    drive.server.region.most_size = 36
    with pytest.raises(Failed, match=r"CreateVolume strata-.*: the API refused it with error VolumeLimitExceeded: You"):
        drive.run(usage=FULL, policy={"grow_in_place": False})
    assert drive.sizes() == [10]


def test_a_wait_ends_where_the_volume_gets_into_error(drive: Drive) -> None:
    drive.weather.stuck.add("attaching")
    with pytest.raises(Failed):
        drive.run(provider={**drive.provider, "wait_timeout": 1})
    drive.weather.broken.update(volume.id for volume in drive.volumes())
    drive.refused("is in state error")


def test_a_volume_that_is_optimizing_has_its_size_and_is_used(drive: Drive) -> None:
    """It can take a day. What more is needed meanwhile, is another volume."""
    drive.weather.stuck.add("optimizing")
    drive.run()
    assert drive.run(usage=FULL)["volumes"][0]["size"] == 14 * GiB
    more = drive.settle(usage={"size": 14 * GiB, "used": 13 * GiB})
    assert [step["action"] for step in more["plan"]] == ["create", "attach"]
    assert len(drive.sizes()) == 2


def test_a_volume_that_was_modified_too_often_gets_a_neighbour(drive: Drive) -> None:
    """Only the API knows how often is too often. It is asked, and what it answers is planned with."""
    drive.run()
    drive.server.region.modifications = 1
    drive.run(usage=FULL)
    full = {"size": 14 * GiB, "used": 13 * GiB}
    grown = drive.run(usage=full)
    assert drive.server.calls()[-3:] == ["ModifyVolume", "CreateVolume", "AttachVolume"]
    assert [step["action"] for step in grown["plan"]] == ["create", "attach"]
    assert grown["plan"] == grown["done"]
    assert len(drive.sizes()) == 2
    assert len(grown["history"]["changes"]) == 1
    assert drive.run()["changed"] is False


def test_one_volume_alone_that_was_modified_too_often_is_a_warning(drive: Drive) -> None:
    drive.run()
    drive.server.region.modifications = 0
    told = drive.run(usage=FULL, policy={"max_volumes": 1})
    assert (told["changed"], told["plan"]) == (False, [])
    assert "VolumeModificationRateExceeded: You've reached the maximum" in told["decision"]["warning"]
    assert drive.sizes() == [10]


def test_a_volume_that_another_program_modifies_meanwhile_gets_a_neighbour(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive.run()
    drive.weather.stuck.add("optimizing")
    server = drive.server
    modify = server.ModifyVolume

    def meanwhile(words: dict[str, str], request: Any) -> Any:
        server.begin(words["VolumeId"], "optimizing")
        return modify(words, request)

    monkeypatch.setattr(server, "ModifyVolume", meanwhile)
    drive.run(usage=FULL)
    assert server.calls()[-3:] == ["ModifyVolume", "CreateVolume", "AttachVolume"]
    assert len(drive.sizes()) == 2


def test_a_token_may_have_made_volumes_that_were_deleted(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AWS, "_UNSEEN", 0.3)
    for _life in range(3):
        drive.run()
        assert drive.sizes() == [10]
        drive.away()
    monkeypatch.setattr(AWS, "_LIVES", 3)
    with pytest.raises(Failed, match="AWS answered 3 times with a volume that was deleted since"):
        drive.run()
    assert drive.volumes() == []
