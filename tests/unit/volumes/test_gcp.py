# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Google Cloud's own: labels and their fingerprints, operations that fail, names of devices, zones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.strata.storage.plugins.module_utils.volumes.gcp import LABEL
from ansible_collections.strata.storage.plugins.module_utils.volumes.provider import Adopt, Resize
from ansible_collections.strata.storage.plugins.module_utils.volumes.remote import ApiError
from ansible_collections.strata.storage.plugins.module_utils.volumes.task import PROVIDER, connect
from tests.simulators.cloud import Fault
from tests.simulators.gcp import OTHER

from .clouds import FULL, Drive, Failed


@pytest.fixture
def cloud() -> str:
    return "gcp"


def provider(drive: Drive) -> Any:
    return connect(dict.fromkeys(PROVIDER["provider"]["options"]) | drive.provider)


def test_a_disk_has_its_label_from_the_start_and_its_name_as_a_device(drive: Drive) -> None:
    made = drive.run()
    (disk,) = drive.server.project.disks.values()
    assert disk.labels == {LABEL: "scratch"}
    assert disk.device == disk.name
    assert made["volumes"][0]["device"] == f"/dev/disk/by-id/google-{disk.name}"
    assert made["volumes"][0]["serials"] == [disk.name, disk.name.replace("-", "")]


def test_a_disk_that_was_attached_by_hand_is_found_and_detached_by_its_own_device_name(drive: Drive) -> None:
    name = drive.add()
    disk = drive.server.project.disks[name]
    disk.machine, disk.device = drive.machine, "by-hand"
    assert drive.run()["volumes"][0]["device"] == "/dev/disk/by-id/google-by-hand"
    assert [step["action"] for step in drive.settle(state="offline")["plan"]] == ["detach"]


def test_labels_that_others_write_meanwhile_stay(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = drive.server.project.add(10, {"team": "a"})
    write = drive.server.project.disks_setLabels

    def meanwhile(params: Any, words: Any) -> Any:
        monkeypatch.undo()
        disk.labels, disk.writes = {"team": "b"}, disk.writes + 1
        return write(params, words)

    monkeypatch.setattr(drive.server.project, "disks_setLabels", meanwhile)
    provider(drive).adopt(Adopt("scratch", disk.name))
    assert disk.labels == {"team": "b", LABEL: "scratch"}
    assert drive.server.calls() == ["disks.setLabels"] * 2


def test_an_answer_that_was_lost_for_good_is_found_by_its_uuid(drive: Drive) -> None:
    """The library and the module send the request again, and it is the same one each time."""
    drive.server.faults.append(Fault("cut-after", "disks.insert|instances.attachDisk", times=99))
    drive.run()
    assert drive.sizes() == [10]
    assert len(drive.server.project.operations) == 2


def test_quotas_are_told_with_the_reason_of_the_error(drive: Drive) -> None:
    drive.run()
    drive.server.project.most_size = 20
    said = "disks.insert strata-.*: the API refused it with error quotaExceeded: Quota 'SSD_TOTAL_GB' exceeded"
    with pytest.raises(Failed, match=said):
        drive.run(usage=FULL, policy={"grow_in_place": False})
    assert drive.sizes() == [10]


def test_an_operation_that_fails_ends_the_wait(drive: Drive) -> None:
    name = drive.add()
    drive.server.project.disks[drive.add(drive="other")].machine = drive.machine
    drive.server.project.disks["disk-2"].device = name
    with pytest.raises(Failed, match=f"attachDisk {name}: the API refused it with error INVALID_USAGE: The device"):
        drive.run()


def test_no_disk_is_made_smaller(drive: Drive) -> None:
    """The module never asks for it. The API, and so its simulator, refuses it."""
    name = drive.add(20)
    with pytest.raises(ApiError, match="Requested disk size cannot be smaller than current size"):
        provider(drive)._api.enlarge(Resize(name, 10 << 30, 0, 0))
    assert drive.sizes() == [20]


def test_a_disk_of_another_zone_is_refused(drive: Drive) -> None:
    drive.server.project.disks[drive.add()].zone = OTHER
    drive.refused(f"is in zone {OTHER}, and {drive.machine} in europe-west1-b")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"policy": {"volume_type": "gp9"}}, "this zone has no type gp9; it has pd-balanced, pd-ssd, pd-standard"),
        ({"policy": {"iops_per_gib": 10}}, "iops_per_gib: the provider has no such setting"),
        ({"name": "Scratch"}, "its name has to fit into a label of Google Cloud"),
        ({"machine": "Web"}, "there is no instance Web in this zone europe-west1-b"),
    ],
)
def test_bad_words_are_refused(drive: Drive, words: dict[str, Any], said: str) -> None:
    drive.refused(said, **words)


def test_credentials_that_are_wrong_or_missing_are_said(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drive.refused(
        "diskTypes.get pd-balanced: the credentials are not accepted",
        provider={**drive.provider, "session_token": "WRONG"},
    )
    drive.refused("gcp needs project", provider={**drive.provider, "project": None})
    drive.refused("gcp needs zone", provider={**drive.provider, "zone": None})
    without = {**drive.provider, "session_token": None}
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    drive.refused("provider: gcp: File .*none.json was not found", provider=without)
