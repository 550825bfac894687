# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is OpenStack's own: tokens as metadata, zones of two services, attachments that only Nova knows, clouds.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import TAG, token_prefix
from tests.simulators import openstack

from .clouds import FULL, SECRET, Drive, Failed, GiB


@pytest.fixture
def cloud() -> str:
    return "openstack"


def test_a_volume_has_its_tag_and_its_token_from_the_start(drive: Drive) -> None:
    drive.weather.stuck.add("creating")
    with pytest.raises(Failed):
        drive.run(provider={**drive.provider, "wait_timeout": 1})
    (volume,) = drive.volumes()
    assert drive.server.calls() == ["create-volume"]
    assert volume.tags[TAG] == "scratch"
    assert volume.tags["strata.token"].startswith(token_prefix("scratch"))


@pytest.mark.parametrize(("zones", "zone"), [(("nova",), "nova"), (("nova", "room-2"), "room-2")])
def test_a_zone_is_asked_for_where_cinder_has_it(drive: Drive, zones: tuple[str, ...], zone: str) -> None:
    project = drive.server.project
    project.zones, project.servers[drive.machine] = zones, "room-2"
    drive.run()
    assert [volume.zone for volume in project.volumes.values()] == [zone]


def test_a_cloud_may_ignore_filters(drive: Drive) -> None:
    drive.server.project.filters = False
    foreign = drive.add(10, drive="other")
    drive.run()
    drive.away()
    assert [volume.id for volume in drive.volumes()] == [foreign]


def test_offline_ends_what_is_attached_in_part(drive: Drive) -> None:
    """Cinder does not say where a volume is being attached, and Nova detaches none that is."""
    drive.weather.stuck.add("attaching")
    with pytest.raises(Failed, match="until a volume was attached"):
        drive.run(provider={**drive.provider, "wait_timeout": 1})
    with pytest.raises(Failed, match="was attached, to detach it, and it is not"):
        drive.run(state="offline", provider={**drive.provider, "wait_timeout": 1})
    drive.weather.stuck.clear()
    drive.weather.delay = 0.5
    assert [step["action"] for step in drive.run(state="offline")["plan"]] == ["detach"]
    assert [volume.machine for volume in drive.volumes()] == [""]


def test_a_volume_that_is_extending_gets_a_neighbour(drive: Drive) -> None:
    drive.run()
    drive.weather.stuck.add("updating")
    with pytest.raises(Failed):
        drive.run(usage=FULL, provider={**drive.provider, "wait_timeout": 1})
    more = drive.settle(usage=FULL)
    assert [step["action"] for step in more["plan"]] == ["create", "attach"]


def test_a_wait_ends_where_the_volume_gets_into_error(drive: Drive) -> None:
    drive.run()
    drive.weather.stuck.add("updating")
    drive.weather.broken.update(volume.id for volume in drive.volumes())
    drive.refused("is in state error", usage=FULL)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"volume_type": "gp9"}, "this project has no type gp9; it has fast, slow"),
        ({"iops_per_gib": 100, "volume_type": "fast"}, "iops_per_gib: the provider has no such setting"),
        ({"throughput": 125}, "throughput: the provider has no such setting"),
    ],
)
def test_bad_words_are_refused(drive: Drive, policy: dict[str, Any], said: str) -> None:
    drive.refused(said, policy=policy)


def test_volumes_are_of_the_type_of_the_policy(drive: Drive) -> None:
    drive.run(policy={"volume_type": "fast"})
    assert [volume.type for volume in drive.volumes()] == ["fast"]


def test_credentials_are_complete_and_right(drive: Drive) -> None:
    drive.refused("does not accept the access key", provider={**drive.provider, "access_key": "WRONG"})
    drive.refused("give all three, or cloud", provider={**drive.provider, "secret_key": None})
    drive.refused("the cloud cannot be asked: .*region", provider={**drive.provider, "region": "nowhere"})


def test_a_cloud_of_clouds_yaml_is_known_by_its_name(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = {
        "auth_url": drive.server.endpoint,
        "application_credential_id": openstack.KEY,
        "application_credential_secret": SECRET,
    }
    known = {"here": {"auth_type": "v3applicationcredential", "region_name": "eu-west-1", "auth": auth}}
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps({"clouds": known}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    drive.run(provider={"name": "openstack", "cloud": "here"})
    assert drive.sizes() == [10]
    drive.refused("Cloud there was not found", provider={"name": "openstack", "cloud": "there"})


def test_quotas_are_told_with_the_status_of_the_error(drive: Drive) -> None:
    drive.run()
    drive.server.project.most_size = 12
    with pytest.raises(Failed, match=r"refused it with error 413 .*: VolumeSizeExceedsAvailableQuota"):
        drive.run(usage=FULL, policy={"grow_in_place": False})
    with pytest.raises(Failed, match="VolumeSizeExceedsAvailableQuota"):
        drive.run(usage=FULL)
    assert drive.run(usage={"size": 10 * GiB, "used": GiB})["changed"] is False
    assert drive.sizes() == [10]
